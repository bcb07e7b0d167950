/* fuzz_bundle.c - any bytes as a TensorFlow checkpoint: refused with a sentence, or converted to a model that loads.
 *
 * Parts: the index, the data, bert_config.json. Options: bits 0 and 1 the number of data files, minus 1 (all hold the
 * same bytes); bit 2: there is a bert_config.json.
 *
 * An index is full of checksums, and what is changed at random fails the first of them. So the mutator takes a sound
 * index apart into its blocks, changes the contents of one, and puts all together again with lengths, handles and
 * checksums that fit; or it changes bytes in place and then repairs the checksums, those of the variables' data, too.
 */
#include "fuzz.h"

#define main convert_main               /* the converter is a program; its functions are called here */
#include "weights/convert.c"
#undef main

/* ---------------------------------------------------------------------------------------------------------------------
 * The target
 * ------------------------------------------------------------------------------------------------------------------ */
static volatile unsigned char sink;

/* The same bytes as each of `count` data files; those of another count are removed. */
static void put_shards(const FuzzPart *data, int count)
{
    static int before;
    char name[64];
    for (int i = 0; i < before && before != count; i++) {
        snprintf(name, sizeof name, "c.data-%05d-of-%05d", i, before);
        fuzz_remove(name);
    }
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "c.data-%05d-of-%05d", i, count);
        fuzz_put(name, data->bytes, data->size);
    }
    before = count;
}

/* What bundle_open promises of each variable, and bundle_data of its bytes. */
static void check_bundle(const Bundle *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const BundleEntry *v = &b->entries[i];
        Error e = {0};
        fuzz_expect(i == 0 || strcmp(b->entries[i - 1].name, v->name) < 0, "names ascend");
        fuzz_expect(bundle_find(b, v->name) == v, "variable %zu is found by its name", i);
        fuzz_expect(v->rank >= 0 && v->rank <= MAX_RANK && v->shard < b->shard_count, "rank and shard");
        fuzz_expect(fuzz_product(v->shape, v->rank) == v->count, "variable %zu has as many elements as its shape", i);
        const unsigned char *data = bundle_data(b, v, &e);
        if (!data) fuzz_expect_status(e.status, &e, "3");
        for (size_t k = 0; data && k < v->size; k++) sink ^= data[k];
    }
}

/* What the converter writes is a model that can be loaded, and that has a fingerprint. */
static void check_conversion(const char *directory)
{
    Bert model;
    Error e = {0};
    char hex[65];
    fuzz_expect(bert_load(&model, directory, &e) == BERT_OK, "what was converted loads: %s", e.message);
    for (size_t i = 0; i < model.file->count; i++)
        for (size_t k = 0; k < model.file->tensors[i].count; k++)
            sink ^= tensor_element(&model.file->tensors[i], k) > 0;
    bert_free(&model);
    fuzz_expect(fingerprint(fuzz_path("out/model.safetensors"), hex, &e) == BERT_OK, "fingerprint: %s", e.message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *log;
    FuzzPart parts[3];
    Bundle bundle;
    Error e = {0};
    const uint8_t options = fuzz_split(parts, 3, data, size);
    fuzz_begin();
    if (!log) log = fopen("/dev/null", "w");
    fuzz_put("c.index", parts[0].bytes, parts[0].size);
    put_shards(&parts[1], 1 + (options & 3));
    if (options & 4) fuzz_put("bert_config.json", parts[2].bytes, parts[2].size);
    else fuzz_remove("bert_config.json");

    Status s = bundle_open(&bundle, fuzz_path("c"), &e);
    fuzz_expect_status(s, &e, "3");
    if (s != BERT_OK) return 0;
    check_bundle(&bundle);
    bundle_close(&bundle);
    s = convert(fuzz_path("c"), fuzz_path("out"), log, &e);
    fuzz_expect_status(s, &e, "3");
    if (s == BERT_OK) check_conversion(fuzz_path("out"));
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The mutator: bytes that grow, up to a limit
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    uint8_t *bytes;
    size_t size, room;
} Growing;

static void grow(Growing *g, const void *bytes, size_t size)
{
    if (size > g->room - g->size) size = g->room - g->size;
    if (size) memcpy(g->bytes + g->size, bytes, size);
    g->size += size;
}

static void grow_little(Growing *g, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) grow(g, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static void grow_varint(Growing *g, uint64_t value)
{
    for (; value > 127; value >>= 7) grow_little(g, value | 128, 1);
    grow_little(g, value, 1);
}

/* The varint at *at, which moves on; 0 at the end. */
static uint64_t varint(const uint8_t *bytes, size_t size, size_t *at)
{
    uint64_t value = 0;
    for (int shift = 0; *at < size && shift < 64; shift += 7) {
        uint8_t c = bytes[(*at)++];
        value |= (uint64_t)(c & 127) << shift;
        if (c < 128) break;
    }
    return value;
}

static uint32_t fixed32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The mutator: an index in pieces
 * ------------------------------------------------------------------------------------------------------------------ */
enum { MOST_BLOCKS = 8 };
typedef struct {                        /* contents with restarts, without type and checksum */
    size_t at[MOST_BLOCKS], size[MOST_BLOCKS], count;   /* the data blocks */
    size_t meta, meta_size, index, index_size;
} Blocks;

/* The next entry of a block: where its value is. False where there is none. */
static bool next_entry(const uint8_t *block, size_t size, size_t *at, size_t *value, size_t *value_size)
{
    if (*at >= size) return false;
    varint(block, size, at);
    uint64_t non_shared = varint(block, size, at), length = varint(block, size, at);
    if (non_shared > size - *at || length > size - *at - non_shared) return false;
    *value = *at + (size_t)non_shared;
    *value_size = (size_t)length;
    *at = *value + (size_t)length;
    return true;
}

/* Contents without the restarts. */
static size_t entries_size(const uint8_t *block, size_t size)
{
    if (size < 4) return 0;
    size_t restarts = (size_t)fixed32(block + size - 4) * 4 + 4;
    return restarts > size ? size - 4 : size - restarts;
}

/* Finds the blocks of an index that is mostly sound; false if it is not. */
static bool take_apart(const uint8_t *bytes, size_t size, Blocks *b)
{
    uint64_t handle[4];
    *b = (Blocks){.count = 0};
    if (size < 48) return false;
    size_t at = size - 48, value, value_size;
    for (int i = 0; i < 4; i++) handle[i] = varint(bytes, size, &at);
    for (int i = 0; i < 4; i += 2)
        if (handle[i] > size || handle[i + 1] > size - handle[i] || size - handle[i] - handle[i + 1] < 5) return false;
    b->meta = (size_t)handle[0], b->meta_size = (size_t)handle[1];
    b->index = (size_t)handle[2], b->index_size = (size_t)handle[3];
    const uint8_t *index = bytes + b->index;
    size_t n = entries_size(index, b->index_size);
    for (at = 0; b->count < MOST_BLOCKS && next_entry(index, n, &at, &value, &value_size); ) {
        uint64_t offset = varint(index, n, &value), length = varint(index, n, &value);
        if (offset > size || length > size - offset || size - offset - length < 5) return false;
        b->at[b->count] = (size_t)offset, b->size[b->count++] = (size_t)length;
    }
    return b->count > 0;
}

/* Appends a block with its type and checksum, and its handle to `handles`. */
static void grow_block(Growing *out, const uint8_t *contents, size_t size, Growing *handles)
{
    size_t at = out->size;
    grow_varint(handles, at);
    grow_varint(handles, size);
    grow(out, contents, size);
    grow_little(out, 0, 1);
    grow_little(out, crc32c_masked(out->bytes + at, out->size - at), 4);
}

/* All blocks, one of them (`which`; the index block, if it is b->count) with other contents, and what must follow from
 * that: an index block with these handles, unless that is the one, and the footer. */
static size_t put_together(const uint8_t *bytes, const Blocks *b, size_t which, const uint8_t *contents, size_t size,
                           uint8_t *to, size_t room)
{
    static const uint8_t empty[8] = {0, 0, 0, 0, 1, 0, 0, 0};
    static const uint8_t magic[8] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};
    uint8_t space[512], handle_space[32], footer_space[64];
    Growing out = {to, 0, room}, index = {space, 0, sizeof space}, footer = {footer_space, 0, sizeof footer_space};
    for (size_t i = 0; i < b->count; i++) {
        Growing handle = {handle_space, 0, sizeof handle_space};
        bool other = i == which;
        grow_block(&out, other ? contents : bytes + b->at[i], other ? size : b->size[i], &handle);
        grow_little(&index, 0, 1), grow_varint(&index, 2), grow_varint(&index, handle.size);
        grow_little(&index, 'k', 1), grow_little(&index, 'a' + i, 1);
        grow(&index, handle.bytes, handle.size);
    }
    grow(&index, empty, sizeof empty);
    grow_block(&out, empty, sizeof empty, &footer);
    if (which == b->count) grow_block(&out, contents, size, &footer);
    else grow_block(&out, index.bytes, index.size, &footer);
    while (footer.size < 40) grow_little(&footer, 0, 1);
    grow(&out, footer.bytes, 40);
    grow(&out, magic, 8);
    return out.size;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The mutator: repairs in place
 * ------------------------------------------------------------------------------------------------------------------ */

/* The checksum of a variable's data, where its entry (a BundleEntryProto) says that they are. */
static void repair_entry(uint8_t *entry, size_t size, const FuzzPart *data)
{
    uint64_t offset = 0, length = 0;
    uint8_t *checksum = NULL;
    for (size_t at = 0; at < size; ) {
        uint64_t tag = varint(entry, size, &at), value = 0;
        if ((tag & 7) == 0) value = varint(entry, size, &at);
        else if ((tag & 7) == 2) {
            value = varint(entry, size, &at);
            at = value < size - at ? at + (size_t)value : size;
        } else if ((tag & 7) == 5 && size - at >= 4) {
            if (tag >> 3 == 6) checksum = entry + at;
            at += 4;
        } else break;
        if (tag >> 3 == 4) offset = value;
        if (tag >> 3 == 5) length = value;
    }
    if (checksum && offset <= data->size && length <= data->size - offset)
        put32(checksum, crc32c_masked(data->bytes + offset, (size_t)length));
}

/* All checksums of an index, from the inside to the outside. */
static void repair(uint8_t *bytes, size_t size, const FuzzPart *data)
{
    Blocks b;
    if (!take_apart(bytes, size, &b)) return;
    for (size_t i = 0; i < b.count; i++) {
        uint8_t *block = bytes + b.at[i];
        size_t n = entries_size(block, b.size[i]), value, value_size;
        for (size_t at = 0; data && next_entry(block, n, &at, &value, &value_size); )
            repair_entry(block + value, value_size, data);
        put32(block + b.size[i] + 1, crc32c_masked(block, b.size[i] + 1));
    }
    put32(bytes + b.meta + b.meta_size + 1, crc32c_masked(bytes + b.meta, b.meta_size + 1));
    put32(bytes + b.index + b.index_size + 1, crc32c_masked(bytes + b.index, b.index_size + 1));
}

/* Changes the value of one entry and writes its length anew; the key stays. */
static size_t mutate_entry(uint8_t *block, size_t size, size_t room, unsigned seed)
{
    size_t starts[64], count = 0, n = entries_size(block, size), value, value_size;
    for (size_t at = 0; count < 64; count++) {
        starts[count] = at;
        if (!next_entry(block, n, &at, &value, &value_size)) break;
    }
    if (!count) return LLVMFuzzerMutate(block, size, room);
    uint8_t *old = fuzz_copy(block, size), *fresh = calloc(1, room + 1);
    size_t start = starts[fuzz_pick(&seed, (unsigned)count)], at = start, end = start;
    fuzz_expect(fresh != NULL, "out of memory");
    next_entry(old, n, &end, &value, &value_size);
    uint64_t shared = varint(old, n, &at), non_shared = varint(old, n, &at);
    varint(old, n, &at);
    memcpy(fresh, old + value, value_size);
    size_t length = LLVMFuzzerMutate(fresh, value_size, room - size + value_size);
    Growing out = {block, start, room};
    grow_varint(&out, shared), grow_varint(&out, non_shared), grow_varint(&out, length);
    grow(&out, old + at, (size_t)non_shared);
    grow(&out, fresh, length);
    grow(&out, old + end, size - end);
    free(old), free(fresh);
    return out.size;
}

/* One block's contents, changed, with everything else made to fit. */
static size_t mutate_block(uint8_t *bytes, size_t size, size_t max_size, unsigned seed)
{
    Blocks b;
    if (!take_apart(bytes, size, &b) || size + 64 > max_size) return LLVMFuzzerMutate(bytes, size, max_size);
    size_t which = fuzz_pick(&seed, (unsigned)b.count + 1), room = max_size - size;
    size_t at = which < b.count ? b.at[which] : b.index, n = which < b.count ? b.size[which] : b.index_size;
    uint8_t *whole = fuzz_copy(bytes, size), *contents = calloc(1, n + room + 1);
    fuzz_expect(contents != NULL, "out of memory");
    memcpy(contents, bytes + at, n);
    if (fuzz_pick(&seed, 2)) n = mutate_entry(contents, n, n + room, seed);
    else n = LLVMFuzzerMutate(contents, n, n + room);
    size = put_together(whole, &b, which, contents, n, bytes, max_size);
    free(whole), free(contents);
    return size;
}

static size_t mutate_part(size_t part, uint8_t *bytes, size_t size, size_t max_size, unsigned seed)
{
    unsigned how = fuzz_pick(&seed, 8);
    if (part > 0 || how == 0) return LLVMFuzzerMutate(bytes, size, max_size);
    if (how < 6) return mutate_block(bytes, size, max_size, seed);
    return LLVMFuzzerMutate(bytes, size, size);                 /* in place: the checksums are repaired after it */
}

/* Changes a part. Then, mostly, the index's checksums are made right for what is there now. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    FuzzPart parts[3];
    size = fuzz_mutate_parts(data, size, max_size, seed, 3, mutate_part);
    unsigned how = fuzz_pick(&seed, 8);
    fuzz_split(parts, 3, data, size);
    if (how) repair((uint8_t *)(uintptr_t)parts[0].bytes, parts[0].size, how > 1 ? &parts[1] : NULL);
    return size;
}
