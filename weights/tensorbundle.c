/* tensorbundle.c - TensorFlow's checkpoint, version 2 ("TensorBundle"), as Google published
 * BERT in 2018.
 *
 *     PREFIX.index                  which variable is where: a sorted table (the LevelDB format) of protocol buffers
 *     PREFIX.data-00000-of-00001    the numbers, one variable after another
 *
 * The index from its end, which is how it must be read:
 *
 *     data blocks ...   metaindex block   index block   footer (48 bytes)
 *                                            |             two handles (offset and size, as varints): metaindex, index;
 *                                            |             zeros up to byte 40; magic number
 *                                            key >= last key of a data block -> handle of that block
 *
 *     a block     contents, 1 byte type (0 stored, 1 snappy), 4 bytes CRC of both
 *     contents    entries, restart offsets (32 bits each), number of restarts (32 bits)
 *     an entry    shared, non_shared, value_length (varints), non_shared bytes of key, value
 *
 * Keys are sorted, so that a key begins like the one before it: only what follows the
 * `shared` bytes is stored.
 *
 *     0 13 9 "bert/pooler/a" VALUE     key bert/pooler/a
 *     12 1 9 "b"             VALUE     key bert/pooler/b
 *
 * The value of key "" describes the bundle, every other one a variable. Both are protocol
 * buffers: fields, each led by a varint  number * 8 + wire type;  a field that is zero is
 * left out.
 *
 * Source: [tf] tensorflow/core/lib/io/{format,block,table}.cc,
 * tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/tensor_bundle. Not
 * supported, and refused by name: version 1 checkpoints (one file), snappy blocks
 * (TensorFlow never writes them here), partitioned variables, big-endian data.
 *
 * Trap: every number below is a claim. TensorFlow itself has crashed on a negative
 * dimension, and computed `(uint32)(limit - p) < non_shared + value_length` in 32 bits,
 * where the sum wraps. Here all are 64 bits wide, and each is compared with what is left
 * before it is added to anything.
 */
#include "weights/convert.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FOOTER_SIZE = 48,
    BLOCK_TRAILER = 5,                  /* type and CRC */

    /* bytes of a name. Why: shared prefixes would let a small file ask for endless names */
    NAME_LIMIT = 1000,
    INDEX_LIMIT = 16 << 20,             /* bytes of the index: BERT-Base has 8,530 */
    SHARD_LIMIT = 99999                 /* five digits in the file name */
};

/* ---------------------------------------------------------------------------------------------------------------------
 * CRC-32C: the remainder of the bytes, seen as a polynomial, divided by Castagnoli's, bits reflected. A table gives the
 * effect of 8 bits at once. "123456789" -> e3069283.
 * ------------------------------------------------------------------------------------------------------------------ */
static uint32_t crc_table[256];

/* table[b] is what the byte b does to a remainder of zero: 8 steps of "shift, and if a 1
 * falls out, subtract the polynomial". */
static void crc_prepare(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
        crc_table[byte] = crc;
    }
}

uint32_t crc32c(const void *data, size_t size)
{
    const unsigned char *p = data;
    uint32_t crc = 0xFFFFFFFF;
    if (!crc_table[1]) crc_prepare();
    for (size_t i = 0; i < size; i++) crc = crc_table[(crc ^ p[i]) & 255] ^ crc >> 8;
    return ~crc;
}

uint32_t crc32c_masked(const void *data, size_t size)
{
    uint32_t crc = crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Numbers as the format writes them. All readers take from the front of what is left, and say false when it is too
 * short.
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const unsigned char *at;
    size_t left;
} Span;

/* The next `size` bytes as a piece of their own. `size` has 64 bits and is compared before
 * it is used. */
static bool take_bytes(Span *b, uint64_t size, Span *out)
{
    if (size > b->left) return false;
    *out = (Span){b->at, (size_t)size};
    b->at += size;
    b->left -= (size_t)size;
    return true;
}

/* Four bytes, the lowest first: by bytes, so that neither alignment nor the machine's order
 * matters. */
static uint32_t little32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A varint: 7 bits a byte, the lowest first; the top bit says that more follow. 300 is AC
 * 02. At most 64 bits, so 10 bytes.
 *
 * Why AC 82 00, which is 300 as well, is refused: nobody writes it, and in the footer, which has no checksum, the
 * flipped bit that makes it of AC 02 and the zero behind it would go unnoticed. */
static bool take_varint(Span *b, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (b->left == 0) return false;
        unsigned char c = *b->at;
        b->at++, b->left--;
        if (shift == 63 && c > 1) return false;                     /* the tenth byte has room for one bit */
        if (shift > 0 && c == 0) return false;                      /* longer than it need be */
        *value |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80) return true;
    }
    return false;
}

/* One field of a protocol buffer. Wire types: 0 varint, 1 eight bytes, 2 length and bytes,
 * 5 four bytes. 3 and 4 (groups) are of an older time and are refused, as is field 0. */
typedef struct {
    uint64_t number, value;             /* value: of types 0 and 5 */
    int wire;
    Span bytes;                        /* of type 2 */
} Field;

static bool take_field(Span *b, Field *field)
{
    uint64_t tag, length = 0;
    if (!take_varint(b, &tag)) return false;
    *field = (Field){.number = tag >> 3, .wire = (int)(tag & 7)};
    if (field->number == 0) return false;
    switch (field->wire) {
    case 0: return take_varint(b, &field->value);
    case 1: return take_bytes(b, 8, &field->bytes);
    case 2: return take_varint(b, &length) && take_bytes(b, length, &field->bytes);
    case 5:
        if (!take_bytes(b, 4, &field->bytes)) return false;
        field->value = little32(field->bytes.at);
        return true;
    default: return false;
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Blocks of the index
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    Bundle *bundle;
    FileView index;
    Error *e;
    bool has_header;                    /* the entry with key "" was seen: it is the first */
    size_t capacity;                    /* of bundle->entries */
    uint64_t next_block;                /* where the next block must begin: behind the one before */
    char last[NAME_LIMIT + 1];          /* the key before, and its length, over all data blocks */
    size_t last_length;
} BlockReader;

typedef struct {
    uint64_t offset, size;
} Handle;

/* Where a block is: offset and size. The trailer of 5 bytes is not counted. */
static bool take_handle(Span *b, Handle *handle)
{
    return take_varint(b, &handle->offset) && take_varint(b, &handle->size);
}

/* A sentence about a block. */
static Status index_fail(const BlockReader *r, uint64_t offset, const char *what)
{
    return fail(r->e, BERT_FILE, "%s: block at byte %llu: %s", r->bundle->path, (unsigned long long)offset, what);
}

/* The entries of the block that a handle names, its checksum verified and its restarts cut
 * off. Restarts are the places where a key is stored in full, for searching by halving; we
 * read from the front, and need none.
 *
 *     h.offset                     h.offset + h.size
 *     | entries | restarts | n     | type | CRC |
 *     |<- what the CRC covers ----------->|
 *
 * 1. the block begins where the one before ended, and lies before the footer   2. its checksum is right
 * 3. it is stored as it is   4. the restarts fit
 *
 * Why 1: what lies between two blocks would be under no checksum. And an index of 16 MB could name one block of 8 MB a
 * million times: it would be checked a million times, for hours. */
static Status open_block(BlockReader *r, Handle h, Span *entries)
{
    size_t room = r->index.size - FOOTER_SIZE;                  /* blocks end where the footer begins */
    if (h.offset > room || room - h.offset < BLOCK_TRAILER || h.size > room - h.offset - BLOCK_TRAILER)
        return fail(r->e, BERT_FILE,
                    "%s: block at byte %llu: found %llu bytes wanted, expected at most %zu: is the file cut "
                    "off?", r->bundle->path, (unsigned long long)h.offset, (unsigned long long)h.size, room);
    if (h.offset != r->next_block)
        return fail(r->e, BERT_FILE, "%s: block at byte %llu: expected it at byte %llu, behind the block before it",
                    r->bundle->path, (unsigned long long)h.offset, (unsigned long long)r->next_block);
    r->next_block = h.offset + h.size + BLOCK_TRAILER;
    const unsigned char *block = r->index.data + h.offset;
    size_t size = (size_t)h.size;
    uint32_t found = crc32c_masked(block, size + 1), expected = little32(block + size + 1);
    if (found != expected)
        return fail(r->e, BERT_FILE, "%s: block at byte %llu: checksum: found %08x, expected %08x: the file is damaged",
                    r->bundle->path, (unsigned long long)h.offset, (unsigned)found, (unsigned)expected);
    if (block[size] != 0)
        return index_fail(r, h.offset, block[size] == 1
                          ? "found a snappy-compressed block, expected a stored one: not supported"
                          : "found an unknown compression, expected a stored block");
    if (size < 4 || little32(block + size - 4) > (size - 4) / 4)
        return index_fail(r, h.offset, "found more restarts than bytes, expected them to fit");
    if (little32(block + size - 4) == 0)                        /* other readers take such a block for an empty one */
        return index_fail(r, h.offset, "found no restarts, expected at least one");
    *entries = (Span){block, size - 4 - (size_t)4 * little32(block + size - 4)};
    return BERT_OK;
}

/* The next entry of a block: its key is built up in key[], which holds the one before. The
 * three lengths are compared with the key before, with NAME_LIMIT and with what is left of
 * the block, one at a time and without adding them up. */
static bool take_entry(Span *block, char key[NAME_LIMIT + 1], size_t *length, Span *value)
{
    uint64_t shared = 0, non_shared = 0, value_length = 0;
    Span suffix;
    if (!take_varint(block, &shared) || !take_varint(block, &non_shared) || !take_varint(block, &value_length))
        return false;
    if (shared > *length || non_shared > NAME_LIMIT - shared) return false;
    if (!take_bytes(block, non_shared, &suffix) || !take_bytes(block, value_length, value)) return false;
    memcpy(key + shared, suffix.at, suffix.left);
    *length = (size_t)shared + suffix.left;
    key[*length] = 0;
    return true;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The two kinds of entry
 * ------------------------------------------------------------------------------------------------------------------ */

/* The bundle as a whole. Fields that we do not know are passed over: that is how protocol
 * buffers grow.
 *
 * Key "": BundleHeaderProto { 1 num_shards, 2 endianness (0 little, 1 big), 3 version { 2
 * min_consumer } } */
static Status read_header(BlockReader *r, Span value)
{
    uint64_t shards = 0, endian = 0, min_consumer = 0;
    for (Field f; value.left > 0; ) {
        if (!take_field(&value, &f)) return fail(r->e, BERT_FILE, "%s: header: malformed", r->bundle->path);
        if (f.number == 1 && f.wire == 0) shards = f.value;
        if (f.number == 2 && f.wire == 0) endian = f.value;
        while (f.number == 3 && f.wire == 2 && f.bytes.left > 0) {
            Field v;
            if (!take_field(&f.bytes, &v)) return fail(r->e, BERT_FILE, "%s: header: malformed", r->bundle->path);
            if (v.number == 2 && v.wire == 0) min_consumer = v.value;
        }
    }
    if (endian != 0)
        return fail(r->e, BERT_FILE, "%s: header: found big-endian data, expected little-endian: not supported",
                    r->bundle->path);
    if (min_consumer > 1)
        return fail(r->e, BERT_FILE,
                    "%s: header: found min_consumer %llu, expected at most 1: the format is newer than this "
                    "program", r->bundle->path, (unsigned long long)min_consumer);
    if (shards < 1 || shards > SHARD_LIMIT)
        return fail(r->e, BERT_FILE, "%s: header: found %llu data files, expected 1 to %d", r->bundle->path,
                    (unsigned long long)shards, (int)SHARD_LIMIT);
    r->bundle->shard_count = (size_t)shards;
    return BERT_OK;
}

/* A sentence about a variable. */
static Status entry_fail(const BlockReader *r, const BundleEntry *entry, const char *what)
{
    return fail(r->e, BERT_FILE, "%s: variable '%.200s': %s", r->bundle->path, entry->name, what);
}

/* The shape, a dimension at a time; (768, 3072) is two fields 2, each holding a field 1.
 * Its name, field 2 inside, is not used by anybody. A scalar has none.
 *
 * TensorShapeProto { 2 repeated dim { 1 size, 2 name }, 3 unknown_rank } */
static Status read_shape(const BlockReader *r, BundleEntry *entry, Span shape)
{
    for (Field f; shape.left > 0; ) {
        if (!take_field(&shape, &f)) return entry_fail(r, entry, "shape: malformed");
        if (f.number == 3 && f.value != 0)
            return entry_fail(r, entry, "shape: found an unknown rank, expected a known one");
        if (f.number != 2 || f.wire != 2) continue;
        uint64_t size = 0;
        for (Field d; f.bytes.left > 0; ) {
            if (!take_field(&f.bytes, &d)) return entry_fail(r, entry, "shape: malformed");
            if (d.number == 1 && d.wire == 0) size = d.value;
        }
        if (size > INT64_MAX || size > SIZE_MAX)                /* a negative number is one with the top bit set */
            return entry_fail(r, entry, "shape: found a negative dimension, expected a size");
        if (entry->rank == MAX_RANK)
            return entry_fail(r, entry, "shape: found more than 8 dimensions, expected at most 8");
        entry->shape[entry->rank++] = (size_t)size;
    }
    return BERT_OK;
}

/* A variable. What is zero is not in the file: a variable at offset 0 has no field 4, and
 * the struct starts as zeros.
 *
 * BundleEntryProto { 1 dtype, 2 shape, 3 shard_id, 4 offset, 5 size, 6 crc32c, 7 repeated
 * slices } */
static Status read_fields(const BlockReader *r, BundleEntry *entry, Span value)
{
    for (Field f; value.left > 0; ) {
        if (!take_field(&value, &f)) return entry_fail(r, entry, "malformed entry");
        if (f.number == 7)
            return entry_fail(r, entry, "found a partitioned variable (slices), expected a whole one: not "
                                                       "supported");
        if (f.number == 2 && f.wire == 2) {
            Status status = read_shape(r, entry, f.bytes);
            if (status != BERT_OK) return status;
        }
        if (f.wire != 0 && f.wire != 5) continue;
        if (f.number >= 3 && f.number <= 5 && (f.value > INT64_MAX || f.value > SIZE_MAX))
            return entry_fail(r, entry, "shard, offset or size: found a negative number, expected a size");
        if (f.number == 1) entry->type = (int64_t)(f.value & INT64_MAX);
        if (f.number == 3) entry->shard = (size_t)f.value;
        if (f.number == 4) entry->offset = (size_t)f.value;
        if (f.number == 5) entry->size = (size_t)f.value;
        if (f.number == 6) entry->crc = (uint32_t)f.value;
    }
    return BERT_OK;
}

/* Bytes of one element, or 0 for strings and for types that no BERT has: those are never
 * used. */
static size_t type_size(int64_t type)
{
    return type == TF_FLOAT || type == TF_INT32 ? 4 : type == TF_DOUBLE || type == TF_INT64 ? 8 :
           type == TF_HALF || type == TF_BFLOAT16 ? 2 : 0;
}

/* What can be said without the data files: shape, type and size agree, and the shard
 * exists. Types whose width we do not know keep the size they claim; it is compared with
 * the data file like any other, and the converter wants float32. */
static Status check_entry(const BlockReader *r, BundleEntry *entry)
{
    size_t bytes, width = type_size(entry->type);
    entry->count = 1;
    for (int i = 0; i < entry->rank; i++)
        if (!size_mul(entry->count, entry->shape[i], &entry->count))
            return entry_fail(r, entry, "shape: found more elements than a size can count, expected a size");
    if (width && (!size_mul(entry->count, width, &bytes) || bytes != entry->size))
        return fail(r->e, BERT_FILE, "%s: variable '%.200s': size: found %zu bytes, expected %zu elements of %zu bytes",
                    r->bundle->path, entry->name, entry->size, entry->count, width);
    if (entry->shard >= r->bundle->shard_count)
        return fail(r->e, BERT_FILE, "%s: variable '%.200s': shard: found %zu, expected less than %zu", r->bundle->path,
                    entry->name, entry->shard, r->bundle->shard_count);
    return BERT_OK;
}

/* Room for one more variable, named by the last key. */
static BundleEntry *new_entry(BlockReader *r)
{
    Bundle *b = r->bundle;
    if (b->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity : 128, size;
        if (!size_mul(capacity, 2, &capacity) || !size_mul(capacity, sizeof *b->entries, &size)) return NULL;
        BundleEntry *entries = realloc(b->entries, size);
        if (!entries) return NULL;
        b->entries = entries;
        r->capacity = capacity;
    }
    BundleEntry *entry = &b->entries[b->count];
    *entry = (BundleEntry){.name = malloc(r->last_length + 1)};
    if (!entry->name) return NULL;
    b->count++;
    memcpy(entry->name, r->last, r->last_length + 1);
    return entry;
}

/* Any other key: a variable. Names are C strings from here on, so none may hold a zero
 * byte. Pieces of partitioned variables have keys that begin with a zero byte. */
static Status read_variable(BlockReader *r, Span value)
{
    if (memchr(r->last, 0, r->last_length))
        return fail(r->e, BERT_FILE,
                    "%s: found a name with a zero byte, which a partitioned variable (slices) has: not "
                    "supported", r->bundle->path);
    BundleEntry *entry = new_entry(r);
    if (!entry) return fail(r->e, BERT_SYSTEM, "%s: out of memory (%zu variables)", r->bundle->path, r->bundle->count);
    Status status = read_fields(r, entry, value);
    return status == BERT_OK ? check_entry(r, entry) : status;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------------------------------------------------ */

/* Takes a key that has just been read as the last one, if it follows the one before: keys
 * must ascend, through all blocks, so no name comes twice. */
static bool ascending(BlockReader *r, const char *key, size_t length)
{
    size_t shorter = length < r->last_length ? length : r->last_length;
    int order = memcmp(key, r->last, shorter);
    if (r->has_header && (order < 0 || (order == 0 && length <= r->last_length))) return false;
    memcpy(r->last, key, length + 1);
    r->last_length = length;
    return true;
}

/* All entries of a data block. The very first one of the bundle must be the header; all
 * others are variables.
 *
 * Why the order is demanded: the list of variables is then sorted as it stands, bundle_find
 * can search it by halving, and no name can be there twice. */
static Status read_data_block(BlockReader *r, Handle h)
{
    Span block, value;
    char key[NAME_LIMIT + 1] = "";
    size_t length = 0;
    Status status = open_block(r, h, &block);
    while (status == BERT_OK && block.left > 0) {
        if (!take_entry(&block, key, &length, &value))
            return index_fail(r, h.offset,
                              "malformed entry: found lengths that do not fit, expected a key and a value");
        if (!ascending(r, key, length))
            return index_fail(r, h.offset, "found keys out of order, expected them ascending");
        if (!r->has_header && length > 0)
            return fail(r->e, BERT_FILE,
                        "%s: found '%.200s' first, expected the bundle's header: no TensorFlow checkpoint?",
                        r->bundle->path, key);
        status = r->has_header ? read_variable(r, value) : read_header(r, value);
        r->has_header = true;
    }
    return status;
}

/* The footer is found by counting from the end, and known by its last 8 bytes. It alone has
 * no checksum.
 *
 * Both handles must use it up, but for zeros, so that no bit of it may be anything else. */
static Status read_footer(const BlockReader *r, Handle *meta, Handle *index)
{
    static const unsigned char magic[8] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};
    if (r->index.size < FOOTER_SIZE)
        return fail(r->e, BERT_FILE, "%s: found %zu bytes, expected at least %d (the footer): no checkpoint index",
                    r->bundle->path, r->index.size, (int)FOOTER_SIZE);
    if (r->index.size > INDEX_LIMIT)
        return fail(r->e, BERT_FILE, "%s: found %zu bytes, expected at most %d: no checkpoint index", r->bundle->path,
                    r->index.size, (int)INDEX_LIMIT);
    Span footer = {r->index.data + r->index.size - FOOTER_SIZE, FOOTER_SIZE - sizeof magic};
    if (memcmp(footer.at + footer.left, magic, sizeof magic))
        return fail(r->e, BERT_FILE,
                    "%s: byte %zu: found another magic number, expected that of a table: cut off, or no "
                    "checkpoint index", r->bundle->path, r->index.size - sizeof magic);
    bool good = take_handle(&footer, meta) && take_handle(&footer, index);
    while (good && footer.left > 0) {
        good = *footer.at == 0;
        footer.at++, footer.left--;
    }
    return good ? BERT_OK : fail(r->e, BERT_FILE, "%s: footer at byte %zu: malformed", r->bundle->path,
                                 r->index.size - FOOTER_SIZE);
}

/* Footer, index block, and all data blocks in its order; the metaindex block, which is empty, lies between them. The
 * keys of the index block only say where to look for a name; since everything is read, they are not needed.
 *
 *     0            data blocks ...      metaindex      index block      footer
 *     read 2nd, one after another       read 3rd       read 1st
 *
 * The index block must be read before the blocks that it names, and lies behind them: so its place is checked last. */
static Status read_table(BlockReader *r)
{
    Handle meta = {0}, index = {0}, data;
    Span block = {0}, value, none;
    char key[NAME_LIMIT + 1] = "";
    size_t length = 0;
    Status status = read_footer(r, &meta, &index);
    if (status == BERT_OK) r->next_block = index.offset;
    if (status == BERT_OK) status = open_block(r, index, &block);
    const uint64_t end = r->next_block;
    r->next_block = 0;
    while (status == BERT_OK && block.left > 0) {
        if (!take_entry(&block, key, &length, &value) || !take_handle(&value, &data))
            return index_fail(r, index.offset, "malformed entry: found no handle of a block, expected one");
        status = read_data_block(r, data);
    }
    if (status == BERT_OK) status = open_block(r, meta, &none);
    if (status == BERT_OK && (r->next_block != index.offset || end != r->index.size - FOOTER_SIZE))
        return index_fail(r, index.offset, "found bytes that belong to no block, expected the blocks to fill the file");
    if (status == BERT_OK && !r->has_header)
        return fail(r->e, BERT_FILE, "%s: found no entries, expected the bundle's header", r->bundle->path);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The data files
 * ------------------------------------------------------------------------------------------------------------------ */
/* PREFIX.data-00000-of-00002 and so on: all data files, mapped. */
static Status open_shards(Bundle *b, const char *prefix, Error *e)
{
    size_t size = strlen(prefix) + sizeof ".data-00000-of-00000";
    char *path = malloc(size);
    b->shards = calloc(b->shard_count, sizeof *b->shards);
    Status status = path && b->shards ? BERT_OK : fail(e, BERT_SYSTEM, "%s: out of memory", prefix);
    for (size_t i = 0; i < b->shard_count && status == BERT_OK; i++) {
        snprintf(path, size, "%s.data-%05d-of-%05d", prefix, (int)i, (int)b->shard_count);
        status = file_open(&b->shards[i], path, e);
    }
    free(path);
    return status;
}

/* Offset and size of every variable against the data file that is really there. Written so
 * that nothing can wrap. */
static Status check_ranges(const Bundle *b, Error *e)
{
    for (size_t i = 0; i < b->count; i++) {
        const BundleEntry *entry = &b->entries[i];
        const FileView *shard = &b->shards[entry->shard];
        if (entry->offset > shard->size || entry->size > shard->size - entry->offset)
            return fail(e, BERT_FILE,
                        "%s: variable '%.200s': found %zu bytes, expected %zu at byte %zu: is the file cut off?",
                        shard->path, entry->name, shard->size, entry->size, entry->offset);
    }
    return BERT_OK;
}

/* A checkpoint of version 1 is the one file PREFIX: say that, instead of that PREFIX.index
 * does not exist. */
static Status open_index(BlockReader *r, const char *prefix)
{
    Status status = file_open(&r->index, r->bundle->path, r->e);
    if (status != BERT_FILE || access(r->bundle->path, F_OK) == 0 || access(prefix, F_OK) != 0) return status;
    return fail(r->e, BERT_FILE,
                "%s: found no '%s' beside it, expected a checkpoint of version 2 (.index and .data-*): "
                "version 1 is not supported", prefix, r->bundle->path);
}

/* Index first, then the data files; what the index says is compared with them. The
 * checksums of the data are left to bundle_data: a training checkpoint has three times the
 * bytes that are needed. */
Status bundle_open(Bundle *b, const char *prefix, Error *e)
{
    *b = (Bundle){0};
    size_t size = strlen(prefix) + sizeof ".index";
    b->path = malloc(size);
    BlockReader *r = calloc(1, sizeof *r);
    Status status = b->path && r ? BERT_OK : fail(e, BERT_SYSTEM, "%s: out of memory", prefix);
    if (status == BERT_OK) {
        snprintf(b->path, size, "%s.index", prefix);
        r->bundle = b;
        r->e = e;
        status = open_index(r, prefix);
    }
    if (status == BERT_OK) status = read_table(r);
    if (status == BERT_OK) status = open_shards(b, prefix, e);
    if (status == BERT_OK) status = check_ranges(b, e);
    if (r) file_close(&r->index);
    free(r);
    if (status != BERT_OK) bundle_close(b);
    return status;
}

/* Frees everything; safe on a zeroed struct. */
void bundle_close(Bundle *b)
{
    for (size_t i = 0; b->shards && i < b->shard_count; i++) file_close(&b->shards[i]);
    for (size_t i = 0; i < b->count; i++) free(b->entries[i].name);
    free(b->shards);
    free(b->entries);
    free(b->path);
    *b = (Bundle){0};
}

/* A name against an entry, for bsearch. */
static int name_against(const void *name, const void *entry)
{
    return strcmp(name, ((const BundleEntry *)entry)->name);
}

/* The table is sorted by bytes, as strcmp compares: the entries can be searched as they
 * came. */
const BundleEntry *bundle_find(const Bundle *b, const char *name)
{
    return b->count ? bsearch(name, b->entries, b->count, sizeof *b->entries, name_against) : NULL;
}

/* The checksum is over the bytes as they are in the file. A wrong one means that the file
 * is damaged: a download that went wrong, or a disk; the numbers would be used as they are,
 * and nobody would notice. */
const unsigned char *bundle_data(const Bundle *b, const BundleEntry *entry, Error *e)
{
    const FileView *shard = &b->shards[entry->shard];
    const unsigned char *data = shard->data + entry->offset;
    uint32_t found = crc32c_masked(data, entry->size);
    if (found == entry->crc) return data;
    fail(e, BERT_FILE,
         "%s: variable '%.200s': checksum of %zu bytes at byte %zu: found %08x, expected %08x: the file is "
         "damaged", shard->path, entry->name, entry->size, entry->offset, (unsigned)found, (unsigned)entry->crc);
    return NULL;
}
