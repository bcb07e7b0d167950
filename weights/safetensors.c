/* safetensors.c - the weight format: a JSON header that says where each tensor is, and then
 * the numbers.
 *
 *     byte 0        8                      8+N                                        end of the file
 *     +-------------+----------------------+------------------------------------------+
 *     | N, 64 bits, | header: N bytes of   | data: the tensors, one after another,    |
 *     | little end  | JSON, beginning `{`  | without gaps, row-major, little-endian   |
 *     +-------------+----------------------+------------------------------------------+
 *
 *     {"__metadata__": {"format": "pt"},
 *      "pooler.dense.bias": {"dtype": "F32", "shape": [768], "data_offsets": [0, 3072]}, ...}
 *
 * data_offsets count from the start of the data; the end is exclusive. A tensor is used
 * where it is, in the mapped file.
 *
 * Because offsets and shapes are claims of whoever wrote the file, ten rules are checked
 * before anything is believed:
 *
 *      1  the file has 8 bytes                                  6  offsets: no hole, no overlap, ascending
 *      2  N is at most 100,000,000                              7  the product of the shape fits a size
 *      3  the header fits into the file                         8  an element has whole bytes
 *      4  it is UTF-8                                           9  end - begin is exactly the size of the tensor
 *      5  it is JSON, and has exactly the form above           10  the last tensor ends where the file ends
 *
 * Differs: the reference implementation (the safetensors Rust crate) and the format's
 * README disagree in three places. White space before `{`: the crate takes it; we follow
 * the README and refuse it. A name given twice: the crate keeps the last; we follow the
 * README and refuse it, since two readers that choose differently see two models. Tensors
 * without elements may share an offset: both take them, and so do we.
 *
 * What the format cannot tell: there is no checksum over the data. A flipped bit in a
 * weight goes unnoticed here; only the SHA-256 of the whole file (weights/README.md lists
 * them) shows it.
 */
#include "weights/weights.h"
#include "weights/convert.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_LIMIT = 100000000 };      /* of the reference implementation: decimal, not MiB */

/* ---------------------------------------------------------------------------------------------------------------------
 * Element types
 * ------------------------------------------------------------------------------------------------------------------ */
static const struct {
    const char *name;
    size_t size;
} dtypes[] = {                          /* in the order of DType */
    {"F32", 4}, {"F64", 8}, {"F16", 2}, {"BF16", 2},
    {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1}, {"U8", 1}, {"BOOL", 1}};

/* The name that the file uses. The enumeration and the table have one order, so a DType is
 * an index. */
const char *dtype_name(DType dtype)
{
    return dtypes[dtype].name;
}

size_t dtype_size(DType dtype)
{
    return dtypes[dtype].size;
}

/* Rule 8 is met by the table: types of 4 or 6 bits (F4, F6_E2M3, F6_E3M2) are not in it,
 * nor are F8_*, U16, U32, U64, C64, which no BERT needs. They are refused by name: a tensor
 * of unknown size would make all offsets unverifiable. */
/* Names are compared exactly: "f32" is no dtype. */
static bool dtype_find(const char *name, DType *dtype)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(name, dtypes[i].name)) continue;
        *dtype = (DType)i;
        return true;
    }
    return false;
}

/* IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits, bias 15. All 65,536 values are
 * floats, so nothing is rounded.
 *
 *     exponent 0         fraction * 2^-24         (zero and the subnormals)
 *     exponent 1..30     1.fraction * 2^(e-15)    in float's bits: exponent e - 15 + 127, fraction 13 bits further left
 *     exponent 31        infinity or NaN
 *
 * Trap: converting the exponent alone makes the subnormals, 0.00006 and below, wrong;
 * weights have many of them. */
float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF;
    float f;
    if (exponent == 0) {
        f = (float)fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    uint32_t bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* bfloat16 is the upper half of a float. */
/* bfloat16 is the upper half of a float: the same exponents, 7 bits of fraction instead of
 * 23.
 *
 *     3F C0          1.5 as bfloat16
 *     3F C0 00 00    1.5 as float: the lower half is zero, and nothing is rounded */
float bfloat16_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Element i as a double, whatever the floating dtype: every float, half and bfloat16 is
 * one.
 *
 * Why memcpy: the format does not align its data, and a float* to an odd address is
 * undefined behaviour in C. */
double tensor_element(const SafeTensor *t, size_t i)
{
    assert(i < t->count);
    const unsigned char *p = (const unsigned char *)t->data + i * dtype_size(t->dtype);
    double d;
    float f;
    uint16_t h;
    switch (t->dtype) {
    case DTYPE_F64:  memcpy(&d, p, 8); return d;
    case DTYPE_F32:  memcpy(&f, p, 4); return f;
    case DTYPE_F16:  memcpy(&h, p, 2); return half_to_float(h);
    case DTYPE_BF16: memcpy(&h, p, 2); return bfloat16_to_float(h);
    default: assert(!"tensor_element: the dtype is no floating type"); return 0;
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Reading the header: rules 1 to 5
 * ------------------------------------------------------------------------------------------------------------------ */

/* A tensor as the header describes it, not yet believed. */
typedef struct {
    SafeTensor tensor;              /* count and data are filled in when the rules are checked */
    size_t begin, end;              /* data_offsets */
    bool has_dtype, has_shape, has_offsets;
} Entry;

typedef struct {
    Safetensors *st;
    const char *path;
    size_t header, data;            /* sizes in bytes: 8 + header + data is the file */
    JsonReader json;
    size_t names_used;              /* of st->names */
    Entry *entries;
    size_t count, capacity;
    Error *e;
} Reader;

/* Rules 1, 2 and 3: the first 8 bytes, and whether a header of that length can be there.
 *
 *     3B 02 00 00 00 00 00 00  7B 22 ...      N = 0x23B = 571, then `{"`
 *
 * The number is put together byte by byte, which is right on every machine, and compared as
 * 64 bits before it becomes a size: on a 32-bit machine a cast would turn 2^32 + 2 into 2. */
static Status header_size(Reader *r)
{
    const unsigned char *bytes = r->st->file.data;
    size_t size = r->st->file.size;
    uint64_t N = 0;
    if (size < 8)                                                                                           /* rule 1 */
        return fail(r->e, BERT_FILE, "%s: found %zu bytes, expected at least 8 (the header's length)", r->path, size);
    for (int i = 7; i >= 0; i--) N = N << 8 | bytes[i];
    if (N > HEADER_LIMIT && size > 8 && bytes[8] != '{')                    /* a text, an archive, a checkpoint, ... */
        return fail(r->e, BERT_FILE, "%s is not a safetensors file: found no header, expected its length at byte 0 and "
                    "'{' at byte 8", r->path);
    /* rule 2, before N becomes a size_t */
    if (N > HEADER_LIMIT)
        return fail(r->e, BERT_FILE,
                    "%s: header length at byte 0: found %llu, expected at most %d",
                    r->path, (unsigned long long)N, (int)HEADER_LIMIT);
    /* rule 3: never N + 8, which may wrap */
    if (N > size - 8)
        return fail(r->e, BERT_FILE,
                    "%s: header length at byte 0: found %llu, expected at most %zu: is the file cut off?",
                    r->path, (unsigned long long)N, size - 8);
    if (N == 0 || bytes[8] != '{')
        return fail(r->e, BERT_FILE, "%s: header at byte 8: found %s, expected it to begin with '{'",
                    r->path, N == 0 ? "nothing" : "another character");
    r->header = (size_t)N;
    r->data = size - 8 - r->header;
    return BERT_OK;
}

/* A sentence about one tensor. Names can be 100 MB long: a message shows the first 200
 * bytes. */
static Status tensor_fail(const Reader *r, const Entry *entry, const char *what)
{
    return fail(r->e, BERT_FILE, "%s: tensor '%.200s': %s", r->path, entry->tensor.name, what);
}

/* The next string, or the next key, into the free part of st->names; there until the next
 * one unless names_used grows.
 *
 * Why one block: a decoded string and its NUL are never longer than the same string in the
 * header with its two quotes, so that names of any length and number fit into a block of
 * the header's size, allocated once. */
static char *free_name(const Reader *r, size_t *capacity)
{
    *capacity = r->header - r->names_used;
    return r->st->names + r->names_used;
}

/* "dtype": "F32" */
static Status read_dtype(Reader *r, Entry *entry)
{
    size_t capacity;
    char *name = free_name(r, &capacity);
    Status status = json_string(&r->json, name, capacity, r->e);
    if (status != BERT_OK) return status;
    if (entry->has_dtype) return tensor_fail(r, entry, "found 'dtype' twice, expected it once");
    entry->has_dtype = true;
    if (dtype_find(name, &entry->tensor.dtype)) return BERT_OK;
    return fail(r->e, BERT_FILE,
                "%s: tensor '%.200s': dtype: found '%.40s', expected F32, F64, F16, BF16, I64, I32, I16, "
                "I8, U8 or BOOL", r->path, entry->tensor.name, name);
}

/* An array of at most `limit` sizes into values[], their number into *count.
 *
 * Trap: -1 as a size_t is 2^64 - 1, and 1e3 read by strtol is 1. The reader takes integers
 * only, and negative ones are refused here, before the cast. */
static Status read_sizes(Reader *r, const Entry *entry, const char *what, size_t *values, int limit, int *count)
{
    bool more;
    *count = 0;
    Status status = json_begin(&r->json, '[', r->e);
    if (status != BERT_OK) return status;
    while ((status = json_next_element(&r->json, &more, r->e)) == BERT_OK && more) {
        int64_t value;
        status = json_integer(&r->json, &value, r->e);
        if (status != BERT_OK) return status;
        if (value < 0 || (uint64_t)value > SIZE_MAX)
            return fail(r->e, BERT_FILE, "%s: tensor '%.200s': %s: found %lld, expected a size", r->path,
                        entry->tensor.name, what, (long long)value);
        if (*count == limit)
            return fail(r->e, BERT_FILE, "%s: tensor '%.200s': %s: found more than %d numbers, expected at most %d",
                        r->path, entry->tensor.name, what, limit, limit);
        values[(*count)++] = (size_t)value;
    }
    return status;
}

/* "shape": [30522, 768]. The empty shape [] is that of a single number. */
static Status read_shape(Reader *r, Entry *entry)
{
    if (entry->has_shape) return tensor_fail(r, entry, "found 'shape' twice, expected it once");
    entry->has_shape = true;
    return read_sizes(r, entry, "shape", entry->tensor.shape, MAX_RANK, &entry->tensor.rank);
}

/* "data_offsets": [begin, end] */
static Status read_offsets(Reader *r, Entry *entry)
{
    size_t offsets[2];
    int count;
    if (entry->has_offsets) return tensor_fail(r, entry, "found 'data_offsets' twice, expected it once");
    entry->has_offsets = true;
    Status status = read_sizes(r, entry, "data_offsets", offsets, 2, &count);
    if (status != BERT_OK) return status;
    if (count != 2) return tensor_fail(r, entry, "data_offsets: found fewer than 2 numbers, expected [begin,end]");
    entry->begin = offsets[0];
    entry->end = offsets[1];
    return BERT_OK;
}

/* {"dtype": ..., "shape": [...], "data_offsets": [begin, end]} in any order; other keys are
 * passed over, as in the reference implementation, so that a later version of the format
 * may add some. All three must be there, and only once: two shapes would leave it to the
 * reader which one counts. */
static Status read_entry(Reader *r, Entry *entry)
{
    bool more;
    size_t capacity;
    Status status = json_begin(&r->json, '{', r->e);
    if (status != BERT_OK) return status;

    /* 1. its members */
    for (;;) {
        char *key = free_name(r, &capacity);
        status = json_next_key(&r->json, key, capacity, &more, r->e);
        if (status != BERT_OK || !more) break;
        if (!strcmp(key, "dtype")) status = read_dtype(r, entry);
        else if (!strcmp(key, "shape")) status = read_shape(r, entry);
        else if (!strcmp(key, "data_offsets")) status = read_offsets(r, entry);
        else status = json_skip(&r->json, r->e);
        if (status != BERT_OK) break;
    }
    if (status != BERT_OK) return status;

    /* 2. all three */
    if (!entry->has_dtype) return tensor_fail(r, entry, "found no 'dtype', expected one");
    if (!entry->has_shape) return tensor_fail(r, entry, "found no 'shape', expected one");
    if (!entry->has_offsets) return tensor_fail(r, entry, "found no 'data_offsets', expected them");
    return BERT_OK;
}

/* The `__metadata__` object, whose values must be strings; its text is kept as it stands,
 * since hardly anybody asks for it.
 *
 *     "__metadata__":{"format":"pt"}      "pt": matrices are (out, in), as PyTorch has them */
static Status read_metadata(Reader *r)
{
    JsonReader *j = &r->json;
    if (r->st->metadata)
        return fail(r->e, BERT_FILE, "%s: header: found '__metadata__' twice, expected it once", r->path);
    Status status = json_begin(j, '{', r->e);
    if (status != BERT_OK) return status;
    size_t start = j->at - 1, capacity;
    bool more;
    for (;;) {
        char *key = free_name(r, &capacity);
        status = json_next_key(j, key, capacity, &more, r->e);
        if (status != BERT_OK) return status;
        if (!more) break;
        if (json_peek(j) != '"')
            return fail(r->e, BERT_FILE, "%s: __metadata__, '%.200s': found another type, expected a string", r->path,
                        key);
        status = json_skip(j, r->e);
        if (status != BERT_OK) return status;
    }
    r->st->metadata = malloc(j->at - start + 1);
    if (!r->st->metadata) return fail(r->e, BERT_SYSTEM, "%s: out of memory", r->path);
    memcpy(r->st->metadata, j->text + start, j->at - start);
    r->st->metadata[j->at - start] = 0;
    return BERT_OK;
}

/* Room for one more entry. The array doubles when it is full, so that n entries are moved
 * 2n times at most, and an entry takes more than 40 bytes of JSON, so the memory is bounded
 * by the header's size. */
static Entry *new_entry(Reader *r)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity : 128, size;
        if (!size_mul(capacity, 2, &capacity) || !size_mul(capacity, sizeof(Entry), &size)) return NULL;
        Entry *entries = realloc(r->entries, size);
        if (!entries) return NULL;
        r->entries = entries;
        r->capacity = capacity;
    }
    Entry *entry = &r->entries[r->count++];
    *entry = (Entry){0};
    return entry;
}

/* One member of the header: a tensor or the metadata. The name stands in the free part of
 * st->names; it becomes the tensor's by moving the end of what is used behind it. */
static Status read_member(Reader *r, char *name)
{
    if (!strcmp(name, "__metadata__")) return read_metadata(r);
    Entry *entry = new_entry(r);
    if (!entry) return fail(r->e, BERT_SYSTEM, "%s: out of memory (%zu tensors)", r->path, r->count);
    entry->tensor.name = name;
    r->names_used += strlen(name) + 1;                              /* the name stays */
    return read_entry(r, entry);
}

/* The whole header, member by member. Names go into one block, entries into a growing
 * array.
 *
 * Trap: a header is up to 100 MB. Looking each name up among those before it, to find
 * duplicates, would take hours for a header with a million tensors: so names are only
 * collected here, and sorted once when all are there. */
static Status read_header(Reader *r)
{
    r->st->names = malloc(r->header);
    if (!r->st->names) return fail(r->e, BERT_SYSTEM, "%s: out of memory (%zu bytes)", r->path, r->header);
    Status status = json_open(&r->json, r->path, r->st->file.data + 8, r->header, 8, r->e);    /* rule 4, UTF-8 */
    while (status == BERT_OK) {
        bool more;
        size_t capacity;
        char *name = free_name(r, &capacity);
        status = json_next_key(&r->json, name, capacity, &more, r->e);
        if (status == BERT_OK && !more) return json_end(&r->json, r->e);    /* the writer pads with blanks */
        if (status == BERT_OK) status = read_member(r, name);
    }
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Checking what the header says: rules 6 to 10
 * ------------------------------------------------------------------------------------------------------------------ */
/* The order of the data. Tensors without elements come before the one that begins where
 * they are; names break the tie, so that the order does not depend on how the machine
 * sorts. */
static int by_offset(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

/* The order of the names, byte by byte. */
static int by_name(const void *a, const void *b)
{
    const SafeTensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The tensors in the order of their data, and a second list in the order of their names, in
 * which safetensors_find searches by halving: 8 steps for the 200 tensors of BERT-Base.
 * Names that are equal are neighbours there, and are refused.
 *
 *     1 entries sorted by offset               -> tensors
 *     2 pointers to these, sorted by name      -> by_name
 *     3 neighbours in by_name must differ */
static Status sort_tensors(Reader *r)
{
    Safetensors *st = r->st;
    size_t n = r->count ? r->count : 1;                             /* malloc(0) may be NULL, and is no error */
    if (r->count > 1) qsort(r->entries, r->count, sizeof(Entry), by_offset);
    st->tensors = malloc(n * sizeof *st->tensors);                  /* smaller than the entries: cannot wrap */
    st->by_name = malloc(n * sizeof *st->by_name);
    if (!st->tensors || !st->by_name) return fail(r->e, BERT_SYSTEM, "%s: out of memory (%zu tensors)", r->path, n);
    for (size_t i = 0; i < r->count; i++) {
        st->tensors[i] = r->entries[i].tensor;
        st->by_name[i] = &st->tensors[i];
    }
    st->count = r->count;
    if (st->count > 1) qsort(st->by_name, st->count, sizeof *st->by_name, by_name);
    for (size_t i = 1; i < st->count; i++)
        if (!strcmp(st->by_name[i - 1]->name, st->by_name[i]->name))
            return fail(r->e, BERT_FILE, "%s: tensor '%.200s': found it twice, expected each name once", r->path,
                        st->by_name[i]->name);
    return BERT_OK;
}

/* count = the product of the shape, *bytes = its size in the file: rule 7. An empty
 * product, that of shape [], is 1.
 *
 * Trap: a file with shape [4194305, 4194305, 211106198978564] and 4 bytes of data. With a
 * plain `*` the product is 4. */
static bool tensor_bytes(SafeTensor *t, size_t *bytes)
{
    t->count = 1;
    for (int i = 0; i < t->rank; i++)
        if (!size_mul(t->count, t->shape[i], &t->count)) return false;
    return size_mul(t->count, dtype_size(t->dtype), bytes);
}

/* Rules 6, 7 and 9 for one tensor: the bytes it claims, against the tensor before it, the
 * file and its own shape.
 *
 *     begin == end of the one before     no hole (it could hide anything) and no overlap (two tensors in one place)
 *     begin <= end <= bytes of data      so that nothing beyond the file is ever touched
 *     end - begin == shape x element     so that a loop over the shape stays inside
 *
 * Only after all of them is a pointer made. */
static Status check_tensor(Reader *r, SafeTensor *t, const Entry *entry, size_t expected_begin)
{
    size_t bytes;
    if (entry->begin != expected_begin)                                                                     /* rule 6 */
        return fail(r->e, BERT_FILE, "%s: tensor '%.200s': data_offsets [%zu,%zu] leave a hole or overlap: found begin "
                    "%zu, expected %zu, where the tensor before it ends", r->path, t->name, entry->begin, entry->end,
                    entry->begin, expected_begin);
    if (entry->end < entry->begin)
        return fail(r->e, BERT_FILE,
                    "%s: tensor '%.200s': data_offsets [%zu,%zu] run backwards: found end %zu, expected "
                    "at least %zu", r->path, t->name, entry->begin, entry->end, entry->end, entry->begin);
    if (entry->end > r->data)
        return fail(r->e, BERT_FILE,
                    "%s: tensor '%.200s': data_offsets [%zu,%zu] run beyond the file: found %zu bytes of "
                    "data, expected at least %zu: is the file cut off?", r->path, t->name, entry->begin, entry->end,
                    r->data, entry->end);
    if (!tensor_bytes(t, &bytes))                                                                           /* rule 7 */
        return tensor_fail(r, entry, "shape: found more elements than a size can count, expected a size");
    if (entry->end - entry->begin != bytes)                                                                 /* rule 9 */
        return fail(r->e, BERT_FILE,
                    "%s: tensor '%.200s': data_offsets [%zu,%zu] do not match dtype and shape: found %zu "
                    "bytes, expected %zu", r->path, t->name, entry->begin, entry->end, entry->end - entry->begin,
                    bytes);
    t->data = r->st->file.data + 8 + r->header + entry->begin;
    return BERT_OK;
}

/* All tensors in the order of their data; the end of one is the beginning of the next, and
 * the last end is the file's. */
static Status check_layout(Reader *r)
{
    size_t end = 0;
    for (size_t i = 0; i < r->count; i++) {
        Status status = check_tensor(r, &r->st->tensors[i], &r->entries[i], end);
        if (status != BERT_OK) return status;
        end = r->entries[i].end;
    }
    if (end != r->data)                                             /* rule 10: or a file could be two things at once */
        return fail(r->e, BERT_FILE,
                    "%s: data: found %zu bytes, expected %zu, where the last tensor ends: trailing bytes",
                    r->path, r->data, end);
    return BERT_OK;
}

/* The data are little-endian and are used in place, so the machine must be, too. */
static Status check_machine(const char *path, Error *e)
{
    const uint16_t one = 1;
    if (*(const unsigned char *)&one == 1) return BERT_OK;
    return fail(e, BERT_SYSTEM, "%s: holds little-endian numbers, and this machine is big-endian: not supported", path);
}

/* The rules in their order: each function below may rely on those before it. Nothing of the
 * data is read, so that opening a file of 440 MB takes as long as reading its header: well
 * below a millisecond. */
Status safetensors_open(Safetensors *st, const char *path, Error *e)
{
    *st = (Safetensors){0};
    Reader r = {.st = st, .path = path, .e = e};
    Status status = check_machine(path, e);
    if (status == BERT_OK) status = file_open(&st->file, path, e);
    if (status == BERT_OK) status = header_size(&r);
    if (status == BERT_OK) status = read_header(&r);
    if (status == BERT_OK) status = sort_tensors(&r);
    if (status == BERT_OK) status = check_layout(&r);
    free(r.entries);
    if (status != BERT_OK) safetensors_close(st);
    return status;
}

/* A name against an element of by_name, for bsearch. */
static int name_against(const void *name, const void *element)
{
    const SafeTensor *const *t = element;
    return strcmp(name, (*t)->name);
}

/* The tensor of that name, or NULL: whether it must be there, the caller knows. */
const SafeTensor *safetensors_find(const Safetensors *st, const char *name)
{
    if (st->count == 0) return NULL;
    const SafeTensor *const *found = bsearch(name, st->by_name, st->count, sizeof *st->by_name, name_against);
    return found ? *found : NULL;
}

/* Frees everything; safe on a zeroed struct. Names and data of its tensors are gone then:
 * copy what is to stay. */
void safetensors_close(Safetensors *st)
{
    for (size_t i = 0; i < st->shard_count; i++) safetensors_close(&st->shards[i]);
    free(st->shards);
    free(st->prefix);
    free(st->tensors);
    free(st->by_name);
    free(st->names);
    free(st->metadata);
    file_close(&st->file);
    *st = (Safetensors){0};
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------------------------------------------------ */

/* Where the header goes; without a stream it is only measured. The length comes first and is known last: so the header
 * is made twice.
 *
 * Why not into memory first: a stream that grows in memory may lose a piece when memory runs out, and still close
 * without an error. */
typedef struct {
    FILE *out;
    size_t size;
} Header;

/* fprintf that counts. An error stays in the stream and shows at output_commit. */
static void put(Header *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(Header *h, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = h->out ? vfprintf(h->out, format, arguments) : vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    h->size += length > 0 ? (size_t)length : 0;
}

/* The text, which is UTF-8, as a JSON string: only the quote, the backslash and control
 * characters need an escape. */
static void write_string(Header *h, const char *text)
{
    put(h, "\"");
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') put(h, "\\%c", *p);
        else if (*p < 0x20) put(h, "\\u%04x", *p);
        else put(h, "%c", *p);
    }
    put(h, "\"");
}

/* Which of the five parts of the data a tensor belongs to: I64, F64, 4 bytes, 2 bytes, 1
 * byte. The sizes of the parts' elements descend, and the data start at a multiple of 8, so
 * that every tensor is aligned to its element. */
enum { PARTS = 5 };
static int part_of(const SafeTensor *t)
{
    size_t size = dtype_size(t->dtype);
    return t->dtype == DTYPE_I64 ? 0 : size == 8 ? 1 : size == 4 ? 2 : size == 2 ? 3 : 4;
}

/* "name":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]} */
static void write_entry(Header *h, const SafeTensor *t, size_t begin, size_t end)
{
    write_string(h, t->name);
    put(h, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) put(h, "%s%zu", i ? "," : "", t->shape[i]);
    put(h, "],\"data_offsets\":[%zu,%zu]}", begin, end);
}

/* The JSON text, without padding: metadata first, then the tensors in the order of their
 * data. Within a part they keep the order in which they were given, so that a trace can be
 * read from top to bottom. */
static void write_json(Header *h, const SafeTensor *tensors, size_t count,
                       const char *const (*metadata)[2], size_t pairs)
{
    const char *separator = "";
    size_t begin = 0;
    put(h, "{");
    if (pairs) put(h, "\"__metadata__\":{");
    for (size_t i = 0; i < pairs; i++) {
        if (i) put(h, ",");
        write_string(h, metadata[i][0]);
        put(h, ":");
        write_string(h, metadata[i][1]);
    }
    if (pairs) put(h, "}"), separator = ",";
    for (int part = 0; part < PARTS; part++) {
        for (size_t i = 0; i < count; i++) {
            if (part_of(&tensors[i]) != part) continue;
            size_t end = begin + tensors[i].count * dtype_size(tensors[i].dtype);   /* exists in memory: cannot wrap */
            put(h, "%s", separator);
            write_entry(h, &tensors[i], begin, end);
            separator = ",";
            begin = end;
        }
    }
    put(h, "}");
}

/* Length, text and padding: measured, then written. Blanks fill the text up to a multiple of 8; with the 8 bytes of the
 * length the data then begin at one, too, and are aligned. */
void safetensors_write_header(FILE *out, const SafeTensor *tensors, size_t count,
                              const char *const (*metadata)[2], size_t pairs)
{
    Header measured = {NULL, 0}, written = {out, 0};
    write_json(&measured, tensors, count, metadata, pairs);
    uint64_t size = (uint64_t)(measured.size + 7) / 8 * 8;
    for (int i = 0; i < 8; i++) putc((int)(size >> 8 * i & 255), out);
    write_json(&written, tensors, count, metadata, pairs);
    put(&written, "%*s", (int)(size - measured.size), "");
}

/* Header, then the data, part by part in the same order as the header has them. */
void safetensors_put(FILE *out, const SafeTensor *tensors, size_t count,
                     const char *const (*metadata)[2], size_t pairs)
{
    safetensors_write_header(out, tensors, count, metadata, pairs);
    for (int part = 0; part < PARTS; part++)
        for (size_t i = 0; i < count; i++)
            if (part_of(&tensors[i]) == part && tensors[i].count > 0)
                fwrite(tensors[i].data, dtype_size(tensors[i].dtype), tensors[i].count, out);
}

/* The file in one go. What fails on the way leaves the old file as it was. */
Status safetensors_write(const char *path, const SafeTensor *tensors, size_t count,
                         const char *const (*metadata)[2], size_t pairs, Error *e)
{
    OutputFile out;
    Status status = output_open(&out, path, e);
    if (status != BERT_OK) return status;
    safetensors_put(out.stream, tensors, count, metadata, pairs);
    return output_commit(&out, e);
}
