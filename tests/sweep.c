/* sweep.c - make sweep: every small damage to every kind of file that is read, in one process, under ASan and UBSan.
 *
 * Fuzzing looks for what nobody thought of; a sweep proves what somebody did: all of it is tried, not some. For each
 * damaged file there must be a verdict, accepted or refused with one line that names the file, and nothing else:
 *
 *     cut        each file at every length                          refused (texts may end earlier and still be whole)
 *     bytes      all 256 values of every byte of a header           refused, or a change that moves no number
 *     bits       every bit of a checkpoint's index, of its data     refused: the CRC
 *     repaired   bytes of the index with the CRC made right again   a verdict: this is what reaches the parser
 *     lengths    each length field at the ends of 31, 32, 63 and 64 bits
 *     tensors    each missing, misshapen, of each dtype, not finite
 *     keys       each key of config.json with each of a list of bad values
 *
 * No file is written for that: file_open is replaced by one that hands out a copy of the damaged bytes, in a block of
 * exactly their size, so that ASan sees a step beyond its end. (It does not see one beyond the end of a mapped file.)
 * malloc is counted: a file may cost memory in proportion to its size, and no more.
 *
 *     build/sweep                   all of it
 *     build/sweep --bytes FILE      for tests/compare_safetensors.py: the verdict, 1 or 0, on 256 values of each
 *                                   byte of the header, a line for each byte
 *     build/sweep --files FILE ...  the same for whole files: verdict, tab, message
 */
#define weights_tests tests_that_are_not_run_here
#include "test_weights.c"                       /* its checkpoint, made by hand, is what is damaged here */
#include "formula.h"
#include "torch_file.h"
#include <stdarg.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * What is said of a case
 * ------------------------------------------------------------------------------------------------------------------ */
static size_t cases, accepted, complaints;      /* of the sweep that is running */
static size_t all_cases;

bool check(bool ok, const char *format, ...)
{
    va_list args;
    if (ok) return true;
    if (complaints++ >= 20) return false;       /* one mistake shows in thousands of cases */
    va_start(args, format);
    printf("    not so: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    return false;
}

/* test_weights.c names these two; nothing here calls them. */
bool check_text(const char *what, const char *got, const char *want)
{
    return check(!strcmp(got, want), "%s: %s", what, want);
}

void skip(const char *why)
{
    check(false, "%s", why);
}

bool too_slow(void)
{
    return true;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Memory, counted (the linker sends calls of malloc here: -Wl,--wrap)
 * ------------------------------------------------------------------------------------------------------------------ */
static size_t allocated;                        /* bytes asked for since the case began */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    allocated += size;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocated += n * size;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocated += size;
    return __real_realloc(old, size);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Files that are not on a disk
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *name;                           /* the end of the path; NULL: none */
    const unsigned char *data;
    size_t size;
} Served;
static Served served[4];

Status __real_file_open(FileView *file, const char *path, Error *e);
Status __wrap_file_open(FileView *file, const char *path, Error *e);

/* A copy for each reader, so that what it does to its bytes is done to nobody else's. */
Status __wrap_file_open(FileView *file, const char *path, Error *e)
{
    for (int i = 0; i < 4; i++) {
        const Served *s = &served[i];
        if (!s->name || !ends_with(path, s->name)) continue;
        unsigned char *copy = __real_malloc(s->size ? s->size : 1);
        char *name = __real_malloc(strlen(path) + 1);
        if (!copy || !name) abort();
        if (s->size) memcpy(copy, s->data, s->size);
        *file = (FileView){.path = strcpy(name, path), .data = copy, .size = s->size};
        return BERT_OK;
    }
    return __real_file_open(file, path, e);
}

static void serve(int place, const char *name, const void *data, size_t size)
{
    served[place] = (Served){name, data, size};
}

static void serve_nothing(void)
{
    memset(served, 0, sizeof served);
}

/* A file of the disk, as a buffer of our own. */
static Buffer load(const char *path)
{
    Buffer b = {0};
    FileView f;
    Error e;
    if (__real_file_open(&f, path, &e) != BERT_OK) {
        printf("%s\n", e.message);
        exit(1);
    }
    append(&b, f.data, f.size);
    file_close(&f);
    return b;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The verdict
 * ------------------------------------------------------------------------------------------------------------------ */
/* One case is over. True: accepted. Whatever the damage, there are two ways to end: BERT_OK, or BERT_FILE with one line
 * that names the file; and no more memory than 64 times the file, and 1 MB. */
static bool verdict(Status status, const Error *e, const char *file, size_t size, const char *what, size_t at)
{
    cases++;
    check(allocated <= 64 * size + (1 << 20), "%s %zu: %zu bytes of memory for a file of %zu", what, at, allocated,
          size);
    allocated = 0;
    if (status == BERT_OK) {
        accepted++;
        return true;
    }
    check(status == BERT_FILE, "%s %zu: status %d: %s", what, at, (int)status, e->message);
    check(e->message[0] && !strchr(e->message, '\n') && strstr(e->message, file), "%s %zu: the message \"%s\" names %s",
          what, at, e->message, file);
    return false;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Opening each kind of file: a function from a path to a Status that leaves nothing behind
 * ------------------------------------------------------------------------------------------------------------------ */
typedef Status Open(const char *path, Error *e);

static Status open_safetensors(const char *path, Error *e)
{
    Safetensors st;
    Status s = safetensors_open(&st, path, e);
    if (s == BERT_OK) safetensors_close(&st);
    return s;
}

static Status open_config(const char *path, Error *e)
{
    BertConfig config;
    Status s = config_load(&config, path, e);
    if (s == BERT_OK)
        check(config.L >= 1 && config.H >= 1 && config.A >= 1 && config.H % config.A == 0 &&
              config.D * config.A == config.H
              && config.F >= 1 && config.V >= 1 && config.P >= 1 && config.S >= !config.distilbert && config.eps >= 0 && config.eps <= 1,
              "an accepted configuration is one");
    return s;
}

/* The labels of config.json, from the directory of the path: each row has a name, and entailment is one of them. */
static Status open_labels(const char *path, Error *e)
{
    const BertConfig config = {.head = HEAD_SEQUENCE};
    char at[512];
    Labels l;
    snprintf(at, sizeof at, "%.*s", (int)(strrchr(path, '/') - path), path);
    Status s = labels_load(&l, at, &config, e);
    if (s != BERT_OK) return s;
    for (int i = 0; i < l.count; i++) check(l.names[i] && strlen(l.names[i]) < 1000, "row %d has a name", i);
    const int entailment = labels_entailment(&l);
    check(entailment >= -1 && entailment < MAX_LABELS, "the row of entailment is %d", entailment);
    labels_equal(&l);
    labels_free(&l);
    return s;
}

/* vocab.txt or one of the JSON files: all are read by tokenizer_load, from the directory of the path. */
static Status open_tokenizer(const char *path, Error *e)
{
    Tokenizer t;
    char directory[512];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path), path);
    Status s = tokenizer_load(&t, directory, CASE_AUTO, e);
    if (s != BERT_OK) return s;
    const int ids[] = {t.pad_id, t.unk_id, t.cls_id, t.sep_id, t.mask_id};
    for (int i = 0; i < 5; i++)
        check(ids[i] >= -1 && ids[i] < t.V, "a special token has an id of the vocabulary, or none");
    for (int id = 0; id < t.V; id++) {
        const char *piece = tokenizer_piece(&t, id);
        int found = tokenizer_id(&t, piece, strlen(piece));
        check(found >= id || strlen(piece) == 0 || found < 0 || !strcmp(tokenizer_piece(&t, found), piece),
              "piece %d is found", id);
    }
    tokenizer_free(&t);
    return s;
}

static Status open_bundle(const char *path, Error *e)
{
    Bundle b;
    char prefix[512];
    snprintf(prefix, sizeof prefix, "%.*s", (int)(strrchr(path, '/') + 2 - path), path);    /* DIRECTORY/c */
    Status s = bundle_open(&b, prefix, e);
    if (s == BERT_OK) bundle_close(&b);
    return s;
}

static volatile unsigned char sink;             /* so that no read is left out */

/* Every byte of every tensor is read. */
static Status open_torch(const char *path, Error *e)
{
    TorchFile t;
    Status s = torch_open(&t, path, e);
    if (s != BERT_OK) return s;
    for (size_t i = 0; i < t.count; i++)
        for (size_t k = 0; k < t.tensors[i].count * dtype_size(t.tensors[i].dtype); k++)
            sink ^= ((const unsigned char *)t.tensors[i].data)[k];
    torch_close(&t);
    return s;
}

static Status open_weights(const char *path, Error *e)
{
    Safetensors st;
    Status s = weights_open(&st, path, e);
    if (s == BERT_OK) safetensors_close(&st);
    return s;
}

static char directory[256];                     /* of the tiny model */
static const char *in_model(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Cut at every length, changed in every byte
 * ------------------------------------------------------------------------------------------------------------------ */
/* May a cut be accepted? A text that lost its last lines, yes, and only there. */
static void sweep_cuts(const char *path, Open *open, bool may_be_accepted)
{
    const char *name = strrchr(path, '/') + 1;
    Buffer b = load(path);
    for (size_t size = 0; size < b.size; size++) {
        Error e = {0};
        serve(0, name, b.data, size);
        bool ok = verdict(open(path, &e), &e, name, size, name, size);
        check(!ok || may_be_accepted, "%s, cut at %zu, is refused", name, size);
    }
    serve_nothing();
    clear(&b);
}

/* All 256 values of every byte. Nothing is demanded beyond a verdict; `open` may look at what was accepted. */
static void sweep_bytes(const char *path, Open *open)
{
    const char *name = strrchr(path, '/') + 1;
    Buffer b = load(path);
    serve(0, name, b.data, b.size);
    for (size_t at = 0; at < b.size; at++) {
        const unsigned char before = b.data[at];
        for (int value = 0; value < 256; value++) {
            Error e = {0};
            b.data[at] = (unsigned char)value;
            bool ok = verdict(open(path, &e), &e, name, b.size, name, at);
            check(ok || value != before, "%s is accepted as it was: %s", name, e.message);
        }
        b.data[at] = before;
    }
    serve_nothing();
    clear(&b);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The header of safetensors
 * ------------------------------------------------------------------------------------------------------------------ */
static size_t header_end(const Buffer *b)
{
    size_t N = 0;
    for (int i = 7; i >= 0; i--) N = N << 8 | b->data[i];
    return 8 + N;
}

/* What may an accepted change of one byte have changed? A name, a dtype for another one of its size, the metadata,
 * white space. It may not have moved a number: every tensor is where it was, and has the shape that it had. */
static void check_harmless(const Safetensors *base, const Safetensors *st, size_t at, int value)
{
    size_t names = 0;
    bool same = base->count == st->count;
    for (size_t i = 0; same && i < st->count; i++) {
        const SafeTensor *a = &base->tensors[i], *b = &st->tensors[i];
        size_t a_at = (size_t)((const unsigned char *)a->data - base->file.data);
        size_t b_at = (size_t)((const unsigned char *)b->data - st->file.data);
        names += strcmp(a->name, b->name) != 0;
        same = a_at == b_at && a->count == b->count && a->rank == b->rank &&
               !memcmp(a->shape, b->shape, sizeof a->shape) &&
               dtype_size(a->dtype) == dtype_size(b->dtype);
    }
    check(same && names <= 1, "byte %zu as %d moves no number", at, value);
}

/* And the model that is loaded from it is the same model, or it is not loaded. */
static void check_same_model(const Bert *base, size_t at, int value)
{
    Bert m;
    Error e = {0};
    if (!verdict(bert_load(&m, directory, &e), &e, "model.safetensors", base->file->file.size, "model, byte", at))
        return;
    bool same = m.has_pooler == base->has_pooler;
    for (size_t i = 0; i < tensor_table_size; i++)
        for (int l = 0; l < (spec_per_layer(&tensor_table[i]) ? m.config.L : 1); l++) {
            const SafeTensor *a = spec_find(&tensor_table[i], l, base->file);
            const SafeTensor *b = spec_find(&tensor_table[i], l, m.file);
            same = same && !a == !b && (!a || (a->dtype == b->dtype &&
                                               (const unsigned char *)a->data - base->file->file.data
                                               == (const unsigned char *)b->data - m.file->file.data));
        }
    check(same, "byte %zu as %d, accepted, is the same model", at, value);
    bert_free(&m);
}

/* The tiny model's embeddings, first layer and pooler: a model of its own, whose header is half as long. Its file is
 * served from *bytes, its configuration from *config. */
static void make_small_model(Buffer *bytes, Buffer *config)
{
    Safetensors st;
    SafeTensor kept[60];
    size_t count = 0, size = 0;
    char *text = NULL;
    Error e;
    FILE *stream = open_memstream(&text, &size);
    if (!stream || safetensors_open(&st, in_model("model.safetensors"), &e) != BERT_OK) abort();
    for (size_t i = 0; i < st.count && count < 60; i++)
        if (!strstr(st.tensors[i].name, "layer.1") && strncmp(st.tensors[i].name, "cls", 3))
            kept[count++] = st.tensors[i];
    safetensors_put(stream, kept, count, (const char *const[][2]){{"format", "pt"}}, 1);
    if (fclose(stream)) abort();
    append(bytes, text, size);
    free(text);
    safetensors_close(&st);
    *config = load(in_model("config.json"));
    char *layers = strstr((char *)config->data, "_layers\": ");
    if (layers) layers[10] = '1';
    serve(0, "model.safetensors", bytes->data, bytes->size);
    serve(1, "config.json", config->data, config->size);
}

/* 23 tensors, a header of some 2,400 bytes, all values of each; those that differ by a bit, and are accepted, are
 * loaded as a model. */
static void sweep_header(void)
{
    Buffer b = {0}, config = {0};
    Bert base;
    Error e = {0};
    make_small_model(&b, &config);
    if (!check(bert_load(&base, directory, &e) == BERT_OK, "the small model loads: %s", e.message)) return;
    size_t end = header_end(&b);
    for (size_t at = 0; at < end; at++) {
        const unsigned char before = b.data[at];
        for (int value = 0; value < 256; value++) {
            Safetensors st;
            const int changed = value ^ before;
            b.data[at] = (unsigned char)value;
            allocated = 0;
            Status s = safetensors_open(&st, in_model("model.safetensors"), &e);
            if (!verdict(s, &e, "model.safetensors", b.size, "header, byte", at)) continue;
            check_harmless(base.file, &st, at, value);
            safetensors_close(&st);
            if ((changed & (changed - 1)) == 0) check_same_model(&base, at, value);
        }
        b.data[at] = before;
    }
    serve_nothing();
    bert_free(&base);
    clear(&b);
    clear(&config);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Length fields at their extremes
 * ------------------------------------------------------------------------------------------------------------------ */
static const uint64_t extremes[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, INT64_MAX, 1ull << 63,
                                    UINT64_MAX - 7, UINT64_MAX, 99999999, 100000000, 100000001};
enum { EXTREMES = sizeof extremes / sizeof *extremes };

/* The length of the header. */
static void sweep_header_length(void)
{
    Buffer b = load(in_model("model.safetensors"));
    serve(0, "model.safetensors", b.data, b.size);
    for (int i = 0; i < EXTREMES; i++) {
        Error e = {0};
        for (int k = 0; k < 8; k++) b.data[k] = (unsigned char)(extremes[i] >> 8 * k);
        bool ok = verdict(open_safetensors(in_model("model.safetensors"), &e), &e, "model.safetensors", b.size,
                          "length", (size_t)i);
        check(!ok, "a header of %llu bytes is refused", (unsigned long long)extremes[i]);
    }
    serve_nothing();
    clear(&b);
}

/* Every number in the header, a dimension or an offset, replaced by each extreme and by what is no size at all; the
 * length of the header is made right again. */
static void sweep_header_numbers(void)
{
    static const char *const others[] = {"-1", "-0", "1.0", "1e3", "18446744073709551616", "01", "0x10", ""};
    Buffer b = load(in_model("model.safetensors"));
    const size_t end = header_end(&b);
    for (size_t at = 8; at < end; at++) {
        size_t length = 0;
        if ((b.data[at - 1] != '[' && b.data[at - 1] != ',') || b.data[at] < '0' || b.data[at] > '9') continue;
        while (b.data[at + length] >= '0' && b.data[at + length] <= '9') length++;
        for (int i = 0; i < EXTREMES + 8; i++) {
            char text[32];
            Buffer changed = {0};
            Error e = {0};
            if (i < EXTREMES) snprintf(text, sizeof text, "%llu", (unsigned long long)extremes[i]);
            else snprintf(text, sizeof text, "%s", others[i - EXTREMES]);
            bool same = strlen(text) == length && !memcmp(text, b.data + at, length);
            append_little(&changed, end - 8 - length + strlen(text), 8);
            append(&changed, b.data + 8, at - 8);
            append_text(&changed, text);
            append(&changed, b.data + at + length, b.size - at - length);
            serve(0, "model.safetensors", changed.data, changed.size);
            bool ok = verdict(open_safetensors(in_model("model.safetensors"), &e), &e, "model.safetensors",
                              changed.size, text, at);
            check(ok == same, "%s at byte %zu is refused", text, at);
            clear(&changed);
        }
    }
    serve_nothing();
    clear(&b);
}

/* An index with one variable, each of whose lengths, offsets and counts goes through length_field: the one whose turn
 * it is gets the extreme value, and all checksums are right. */
static size_t field_wanted, field_seen;
static uint64_t field_value;

static uint64_t length_field(uint64_t normal)
{
    return field_seen++ == field_wanted ? field_value : normal;
}

static void append_field_of(Buffer *b, int number, uint64_t value)
{
    append_varint(b, (uint64_t)number << 3);
    append_varint(b, length_field(value));
}

static void append_message(Buffer *b, int number, Buffer *value)
{
    append_varint(b, (uint64_t)number << 3 | 2);
    append_varint(b, length_field(value->size));
    append(b, value->data, value->size);
    clear(value);
}

static void append_any_entry(Buffer *block, const char *key, Buffer *value)
{
    append_varint(block, length_field(0));
    append_varint(block, length_field(strlen(key)));
    append_varint(block, length_field(value->size));
    append_text(block, key);
    append(block, value->data, value->size);
    clear(value);
}

static void append_any_block(Buffer *file, Buffer *block, Buffer *handle)
{
    append_little(block, 0, 4);
    append_little(block, length_field(1), 4);
    append_varint(handle, length_field(file->size));
    append_varint(handle, length_field(block->size));
    append_little(block, 0, 1);
    append(file, block->data, block->size);
    append_little(file, crc32c_masked(block->data, block->size), 4);
    clear(block);
}

static Buffer index_of_one(uint32_t crc)
{
    Buffer file = {0}, block = {0}, header = {0}, version = {0}, value = {0}, shape = {0}, handle = {0}, index = {0},
        footer = {0};
    Buffer empty = {0};
    append_field_of(&header, 1, 1);
    append_field_of(&header, 2, 0);
    append_field_of(&version, 2, 0);
    append_message(&header, 3, &version);
    append_any_entry(&block, "", &header);
    append_field_of(&value, 1, TF_FLOAT);
    for (int i = 0; i < 2; i++) {
        Buffer dim = {0};
        append_field_of(&dim, 1, 2);
        append_message(&shape, 2, &dim);
    }
    append_message(&value, 2, &shape);
    append_field_of(&value, 3, 0);
    append_field_of(&value, 4, 0);
    append_field_of(&value, 5, 16);
    append_varint(&value, 6 << 3 | 5);
    append_little(&value, crc, 4);
    append_any_entry(&block, "v", &value);
    append_any_block(&file, &block, &handle);
    append_any_entry(&index, "w", &handle);
    append_any_block(&file, &empty, &footer);
    append_any_block(&file, &index, &footer);
    while (footer.size < 40) append(&footer, "", 1);
    append(&file, footer.data, 40);
    append(&file, "\x57\xFB\x80\x8B\x24\x75\x47\xDB", 8);
    clear(&footer);
    return file;
}

static void sweep_index_numbers(void)
{
    static const unsigned char data[16] = {0};
    size_t fields = 1;
    serve(1, "c.data-00000-of-00001", data, sizeof data);
    for (field_wanted = 0; field_wanted <= fields; field_wanted++)      /* the last turn is nobody's: a sound index */
        for (int i = 0; i < EXTREMES; i++) {
            Bundle b;
            Error e = {0};
            field_seen = 0, field_value = extremes[i];
            Buffer file = index_of_one(crc32c_masked(data, sizeof data));
            fields = field_seen;
            serve(0, "c.index", file.data, file.size);
            allocated = 0;
            bool ok = verdict(bundle_open(&b, in_scratch("c"), &e), &e, in_scratch("c."), file.size, "field",
                              field_wanted);
            check(ok || field_wanted < fields, "a sound index is accepted: %s", e.message);
            for (size_t k = 0; ok && k < b.count; k++) bundle_data(&b, &b.entries[k], &e);
            if (ok) bundle_close(&b);
            clear(&file);
        }
    serve_nothing();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Checkpoints
 * ------------------------------------------------------------------------------------------------------------------ */
static void sweep_index_bits(void)
{
    Buffer b = load(in_scratch("c.index"));
    serve(0, "c.index", b.data, b.size);
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        Error e = {0};
        b.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        bool ok = verdict(open_bundle(in_scratch("c.index"), &e), &e, "c.index", b.size, "index, bit", bit);
        check(!ok, "bit %zu of the index: is noticed", bit);
        b.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    serve_nothing();
    clear(&b);
}

/* A bit of every byte of every variable; of the smallest variables all 255 other values. Slots between them do not
 * exist in this checkpoint, but for the first byte of the first file. */
static void sweep_data_bytes(void)
{
    Bundle b;
    Error e = {0};
    if (!check(bundle_open(&b, in_scratch("c"), &e) == BERT_OK, "the checkpoint opens: %s", e.message)) return;
    for (size_t i = 0; i < b.count; i++) {
        const BundleEntry *entry = &b.entries[i];
        size_t shard = entry->shard, values = entry->size <= 32 ? 256 : 2;
        unsigned char *copy = __real_malloc(b.shards[shard].size);
        FileView original = b.shards[shard];
        if (!copy) abort();
        memcpy(copy, original.data, original.size);
        b.shards[shard].data = copy;
        for (size_t k = 0; k < entry->size; k++)
            for (size_t value = 1; value < values; value++) {
                unsigned char change = values == 2 ? (unsigned char)(1 << k % 8) : (unsigned char)value;
                copy[entry->offset + k] ^= change;
                Status s = bundle_data(&b, entry, &e) ? BERT_OK : e.status;
                check(!verdict(s, &e, "c.data-", original.size, "data, byte", k), "byte %zu of %s: is noticed", k,
                      entry->name);
                copy[entry->offset + k] ^= change;
            }
        b.shards[shard] = original;
        free(copy);
    }
    bundle_close(&b);
}

/* The block of the index that holds byte `at`, found by its trailers: blocks of this file follow each other. Its first
 * byte and its size, trailer not counted; false in the footer. */
static bool find_block(const size_t *ends, size_t count, size_t at, size_t *begin, size_t *size)
{
    for (size_t i = 0; i < count; i++) {
        *begin = i ? ends[i - 1] : 0;
        if (at >= ends[i]) continue;
        *size = ends[i] - *begin - 5;
        return true;
    }
    return false;
}

static size_t read_varint(const unsigned char **p)
{
    size_t value = 0;
    for (int shift = 0; ; shift += 7) {
        value |= (size_t)(**p & 0x7F) << shift;
        if (*(*p)++ < 0x80) return value;
    }
}

/* Where each block ends, trailer of 5 bytes included: the handles say so, of the data blocks in the index block, of the
 * other two in the footer of 48 bytes. For a sound index only. */
enum { FOOTER = 48 };
static size_t find_blocks(const Buffer *b, size_t ends[64])
{
    const unsigned char *p = b->data + b->size - FOOTER;
    size_t meta = read_varint(&p), meta_size = read_varint(&p), index = read_varint(&p), index_size = read_varint(&p),
        count = 0;
    const unsigned char *end = b->data + index + index_size - 8;        /* one restart, and their number */
    for (p = b->data + index; p < end && count < 60; count++) {
        read_varint(&p);                                                /* shared */
        size_t key = read_varint(&p);
        read_varint(&p);                                                /* size of the handle */
        p += key;
        size_t offset = read_varint(&p);
        ends[count] = offset + read_varint(&p) + 5;
    }
    ends[count++] = meta + meta_size + 5;
    ends[count++] = index + index_size + 5;
    return count;
}

/* Every value of every byte of the index, with the block's checksum made right again: what the CRC would have stopped
 * now meets the parser. */
static void sweep_repaired_index(void)
{
    Buffer b = load(in_scratch("c.index"));
    size_t ends[64], count = find_blocks(&b, ends), begin, size;
    check(count > 3 && ends[count - 1] == b.size - FOOTER, "the blocks fill the index up to its footer");
    serve(0, "c.index", b.data, b.size);
    for (size_t at = 0; at < b.size; at++) {
        unsigned char before = b.data[at], crc[4];
        bool inside = find_block(ends, count, at, &begin, &size);
        if (inside && at > begin + size) continue;                      /* the checksum itself: see sweep_index_bits */
        if (inside) memcpy(crc, b.data + begin + size + 1, 4);
        for (int value = 0; value < 256; value++) {
            Error e = {0};
            b.data[at] = (unsigned char)value;
            uint32_t right = inside ? crc32c_masked(b.data + begin, size + 1) : 0;
            for (int k = 0; inside && k < 4; k++)
                b.data[begin + size + 1 + (size_t)k] = (unsigned char)(right >> 8 * k);
            verdict(open_bundle(in_scratch("c.index"), &e), &e, in_scratch("c."), b.size, "repaired, byte", at);
        }
        b.data[at] = before;
        if (inside) memcpy(b.data + begin + size + 1, crc, 4);
    }
    serve_nothing();
    clear(&b);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Tensors: each of them, one at a time
 * ------------------------------------------------------------------------------------------------------------------ */
/* The model with tensor `which` replaced by `t` (or left out, if t is NULL), loaded from memory. */
static bool load_changed(const Safetensors *base, size_t which, const SafeTensor *t, Bert *m, Error *e)
{
    SafeTensor all[100];
    size_t count = 0, size = 0;
    char *bytes = NULL;
    for (size_t i = 0; i < base->count; i++)
        if (i != which) all[count++] = base->tensors[i];
        else if (t) all[count++] = *t;
    FILE *stream = open_memstream(&bytes, &size);
    if (!stream) abort();
    safetensors_put(stream, all, count, NULL, 0);
    if (fclose(stream)) abort();
    serve(0, "model.safetensors", bytes, size);
    allocated = 0;
    Status s = bert_load(m, directory, e);
    bool ok = verdict(s, e, "model.safetensors", size, "tensor", which);
    serve_nothing();
    free(bytes);
    return ok;
}

/* It is refused, and the message has the tensor's name (without `bert.`, as it is listed among the missing). */
static void expect_refused(const Safetensors *base, size_t which, const SafeTensor *t, const char *how)
{
    Bert m;
    Error e = {0};
    const char *name = base->tensors[which].name;
    if (!strncmp(name, "bert.", 5)) name += 5;
    if (load_changed(base, which, t, &m, &e)) {
        check(false, "%s, %s, is refused", name, how);
        bert_free(&m);
    } else check(strstr(e.message, name) != NULL, "%s, %s: \"%s\" names it", name, how, e.message);
}

/* Each dimension one less, one more, doubled, zero; transposed; a dimension of 1 in front and behind; one left out. */
static void sweep_shapes(const Safetensors *base, size_t which, const void *zeros)
{
    const SafeTensor *from = &base->tensors[which];
    for (int change = 0; change < 12; change++) {
        SafeTensor t = *from;
        size_t *d = &t.shape[change % 2 && t.rank > 1 ? 1 : 0];
        if (change < 2) --*d;
        else if (change < 4) ++*d;
        else if (change < 6) *d *= 2;
        else if (change < 8) *d = 0;
        else if (change == 8) t.shape[t.rank++] = 1;
        else if (change == 9) memmove(t.shape + 1, t.shape, 7 * sizeof *t.shape), t.shape[0] = 1, t.rank++;
        else if (change == 10) t.rank--, t.shape[0] = t.rank ? t.shape[0] * t.shape[1] : 0;
        else t.shape[0] = from->shape[1], t.shape[1] = from->shape[0];
        if (change == 11 && (t.rank < 2 || t.shape[0] == t.shape[1])) continue;     /* no shape can tell */
        t.count = 1;
        for (int i = 0; i < t.rank; i++) t.count *= t.shape[i];
        t.data = zeros;
        expect_refused(base, which, &t, "misshapen");
    }
}

/* Other dtypes: the floating ones are a model, everything else is refused. */
static void sweep_dtypes(const Safetensors *base, size_t which, const void *zeros)
{
    for (int dtype = DTYPE_F64; dtype <= DTYPE_BOOL; dtype++) {
        SafeTensor t = base->tensors[which];
        t.dtype = (DType)dtype;
        t.data = zeros;
        if (dtype <= DTYPE_BF16) {
            Bert m;
            Error e = {0};
            if (load_changed(base, which, &t, &m, &e)) bert_free(&m);
            else check(false, "%s as %s is accepted: %s", t.name, dtype_name(t.dtype), e.message);
        } else expect_refused(base, which, &t, dtype_name(t.dtype));
    }
}

/* Four tokens through the whole model with everything kept. */
static void run_model_once(const Bert *m)
{
    static const int32_t ids[4] = {2, 61, 4, 3}, types[4] = {0}, mask[4] = {1, 1, 1, 1};
    static const int T = 4, rows[1] = {2};
    const Batch batch = {1, &T, ids, types, mask};
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = rows, .M = 1};
    Activations a;
    Error e = {0};
    if (!check(activations_new(&a, m, &batch, &request, &e) == BERT_OK, "%s", e.message)) return;
    forward(m, &a);
    activations_free(&a);
}

/* NaN, both infinities, the largest number and the smallest one, first and last: a safetensors file may hold them, so
 * the model loads and runs; what comes out is not a number, and no crash. */
static void sweep_values(const Safetensors *base, size_t which)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 3.402823466e38f, 1e-45f};
    const SafeTensor *from = &base->tensors[which];
    float *copy = malloc(from->count * sizeof *copy);
    if (!copy) abort();
    for (int i = 0; i < 10; i++) {
        SafeTensor t = *from;
        Bert m;
        Error e = {0};
        memcpy(copy, from->data, from->count * sizeof *copy);
        copy[i % 2 ? from->count - 1 : 0] = values[i / 2];
        t.data = copy;
        if (!check(load_changed(base, which, &t, &m, &e), "%s with %g loads: %s", t.name, (double)values[i / 2],
                   e.message)) break;
        run_model_once(&m);
        bert_free(&m);
    }
    free(copy);
}

static void sweep_tensors(void)
{
    Safetensors base;
    Error e;
    if (!check(safetensors_open(&base, in_model("model.safetensors"), &e) == BERT_OK, "%s", e.message)) return;
    double *zeros = calloc(1 << 16, sizeof *zeros);
    if (!zeros) abort();
    for (size_t i = 0; i < base.count; i++) {
        expect_refused(&base, i, NULL, "missing");
        sweep_shapes(&base, i, zeros);
        sweep_dtypes(&base, i, zeros);
        sweep_values(&base, i);
    }
    free(zeros);
    safetensors_close(&base);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Shards, and files of torch.save
 * ------------------------------------------------------------------------------------------------------------------ */

/* Two shards of three tensors and their index. The message may be about a shard: all names have this beginning. */
static void sweep_index(void)
{
    static const float numbers[4] = {1, 2, 3, 4};
    static char names[3][8] = {"a", "b.c", "d"};
    SafeTensor t[3];
    Error e;
    for (int i = 0; i < 3; i++) t[i] = (SafeTensor){names[i], DTYPE_F32, 1, {2}, 2, numbers + i};
    if (safetensors_write(in_scratch("s-1.safetensors"), t, 2, NULL, 0, &e) != BERT_OK ||
        safetensors_write(in_scratch("s-2.safetensors"), t + 2, 1, NULL, 0, &e) != BERT_OK) abort();
    static const char text[] = "{\"metadata\": {\"total_size\": 24}, \"weight_map\": {\"a\": \"s-1.safetensors\", "
        "\"b.c\": \"s-1.safetensors\", \"d\": \"s-2.safetensors\"}}\n";
    put_file("s.index.json", text, sizeof text - 1);
    sweep_cuts(in_scratch("s.index.json"), open_weights, true);         /* without the newline at its end */
    Buffer b = load(in_scratch("s.index.json"));
    serve(0, "s.index.json", b.data, b.size);
    for (size_t at = 0; at < b.size; at++) {
        const unsigned char before = b.data[at];
        for (int value = 0; value < 256; value++) {
            b.data[at] = (unsigned char)value;
            allocated = 0;
            bool ok = verdict(open_weights(in_scratch("s.index.json"), &e), &e, scratch, b.size, "index, byte", at);
            check(ok || value != before, "it is accepted as it was: %s", e.message);
        }
        b.data[at] = before;
    }
    serve_nothing();
    clear(&b);
}

/* A small file of torch.save: two tensors, one of them transposed, in two storages; where its pickle is. */
static void make_torch(const char *name, size_t *begin, size_t *size)
{
    static const float numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const size_t shape[] = {2, 3}, across[] = {1, 2}, two[] = {2}, one[] = {1};
    Archive a = {0};
    Bytes p = {0};
    pickle_begin(&p);
    pickle_tensor(&p, "weight", "FloatStorage", "0", 6, 0, 2, shape, across);
    pickle_tensor(&p, "bias", "FloatStorage", "1", 2, 0, 1, two, one);
    pickle_end(&p);
    *size = p.size;
    archive_add(&a, "m/data.pkl", p.data, p.size);
    *begin = a.file.size - 16 - p.size;
    archive_add(&a, "m/byteorder", "little", 6);
    archive_add(&a, "m/data/0", numbers, 24);
    archive_add(&a, "m/data/1", numbers + 6, 8);
    archive_finish(&a);
    put_file(name, a.file.data, a.file.size);
    bytes_free(&a.file), bytes_free(&p);
}

static void sweep_torch_cuts(void)
{
    size_t begin, size;
    make_torch("t.bin", &begin, &size);
    sweep_cuts(in_scratch("t.bin"), open_torch, false);
}

/* All values of every byte: of the pickle with its checksum made right again, so that the machine is reached; of the
 * rest as they are. */
static void sweep_torch_bytes(void)
{
    size_t begin, size;
    make_torch("t.bin", &begin, &size);
    Buffer b = load(in_scratch("t.bin"));
    unsigned char *crc = b.data;
    while (memcmp(crc, "PK\1\2", 4)) crc++;
    crc += 16;                                                          /* of the first entry, the pickle */
    const uint32_t right = crc32_zip(b.data + begin, size);
    serve(0, "t.bin", b.data, b.size);
    for (size_t at = 0; at < b.size; at++) {
        const unsigned char before = b.data[at];
        const bool inside = at >= begin && at < begin + size;
        for (int value = 0; value < 256; value++) {
            Error e = {0};
            b.data[at] = (unsigned char)value;
            const uint32_t made = inside ? crc32_zip(b.data + begin, size) : right;
            for (int k = 0; inside && k < 4; k++) crc[k] = (unsigned char)(made >> 8 * k);
            allocated = 0;
            bool ok = verdict(open_torch(in_scratch("t.bin"), &e), &e, "t.bin", b.size, "torch, byte", at);
            check(ok || value != before, "it is accepted as it was: %s", e.message);
        }
        b.data[at] = before;
        for (int k = 0; inside && k < 4; k++) crc[k] = (unsigned char)(right >> 8 * k);
    }
    serve_nothing();
    clear(&b);
}

/* Every number of a tensor at the extremes: elements of the storage, offset, shape, strides. */
static void sweep_torch_numbers(void)
{
    for (int field = 0; field < 6; field++)
        for (int i = 0; i < EXTREMES; i++) {
            uint64_t n[6] = {6, 0, 2, 3, 3, 1};
            Archive a = {0};
            Bytes p = {0};
            Error e = {0};
            n[field] = extremes[i];
            pickle_begin(&p);
            bytes_text(&p, "X\1"), bytes_number(&p, 0, 3);
            bytes_text(&p, "xctorch._utils\n_rebuild_tensor_v2\n((X\7"), bytes_number(&p, 0, 3);
            bytes_text(&p, "storagectorch\nFloatStorage\nX\1"), bytes_number(&p, 0, 3);
            bytes_text(&p, "0X\3"), bytes_number(&p, 0, 3), bytes_text(&p, "cpu");
            for (int k = 0; k < 6; k++) {
                if (k == 1) bytes_text(&p, "tQ");
                bytes_text(&p, "\x8a\10"), bytes_number(&p, n[k], 8);
                if (k == 3 || k == 5) bytes_text(&p, "\x86");
            }
            bytes_text(&p, "\x89}tRu.");
            archive_add(&a, "m/data.pkl", p.data, p.size);
            archive_add(&a, "m/data/0", "123456789abcdef012345678", 24);
            archive_finish(&a);
            serve(0, "t.bin", a.file.data, a.file.size);
            allocated = 0;
            verdict(open_torch(in_scratch("t.bin"), &e), &e, "t.bin", a.file.size, "number", (size_t)field);
            bytes_free(&a.file), bytes_free(&p);
        }
    serve_nothing();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Keys of the configuration
 * ------------------------------------------------------------------------------------------------------------------ */
/* The configuration of the tiny model with one value replaced, and the model loaded with it. False: refused. */
static bool load_with(const char *key, const char *value, Error *e)
{
    static const char *const keys[][2] = {
        {"model_type", "\"bert\""}, {"num_hidden_layers", "2"}, {"hidden_size", "24"}, {"num_attention_heads", "3"},
        {"intermediate_size", "56"}, {"vocab_size", "101"}, {"max_position_embeddings", "32"}, {"type_vocab_size", "3"},
        {"hidden_act", "\"gelu\""}, {"layer_norm_eps", "0.01"}, {"position_embedding_type", "\"absolute\""},
        {"is_decoder", "false"}};
    Buffer b = {0};
    Bert m;
    append_text(&b, "{");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (i) append_text(&b, ", ");
        append_text(&b, "\""), append_text(&b, keys[i][0]), append_text(&b, "\": ");
        append_text(&b, strcmp(key, keys[i][0]) ? keys[i][1] : value);
    }
    append_text(&b, "}");
    serve(0, "config.json", b.data, b.size);
    allocated = 0;
    Status s = bert_load(&m, directory, e);
    bool about_config = s == BERT_OK || strstr(e->message, "config.json");
    bool ok = verdict(s, e, about_config ? "config.json" : "model.safetensors", b.size + 70000, key, 0);
    if (ok) {
        run_model_once(&m);
        bert_free(&m);
    }
    serve_nothing();
    clear(&b);
    return ok;
}

/* What no key may have; then what sizes, texts and flags may not have; then what is allowed, so that this can fail. */
static void sweep_keys(void)
{
    static const char *const keys[] = {"num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size",
                                       "vocab_size",
        "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_act", "model_type",
        "position_embedding_type", "is_decoder"};
    static const char *const bad[] = {"", "null", "[]", "{}", "[24]", "\"24\"", "-1", "NaN", "Infinity", "1e999", "+1",
                                      "07",
        "tru", "'x'", "\"\\ud800\"", "-0.5", "2e0x", "\"relu\"", "18446744073709551616", "9223372036854775808"};
    static const char *const bad_sizes[] = {"0", "24.0", "2.4e1", "-0", "1000000000", "2147483647", "2147483648",
                                            "4294967297",
        "9223372036854775807", "true", "23", "25"};
    static const struct { const char *key, *value; } good[] = {
        {"layer_norm_eps", "1e-12"}, {"layer_norm_eps", "0"}, {"layer_norm_eps", "1"}, {"hidden_act", "\"gelu_new\""},
        {"num_attention_heads", "1"}, {"num_attention_heads", "24"}, {"num_hidden_layers", "2"},
        {"is_decoder", "false"}, {"position_embedding_type", "null"}};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        Error e = {0};
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            if (!strcmp(keys[k], "position_embedding_type") && !strcmp(bad[i], "null")) continue;   /* as without it */
            check(!load_with(keys[k], bad[i], &e), "%s: %s is refused", keys[k], bad[i]);
        }
        for (size_t i = 0; k < 7 && i < sizeof bad_sizes / sizeof *bad_sizes; i++)
            check(!load_with(keys[k], bad_sizes[i], &e), "%s: %s is refused", keys[k], bad_sizes[i]);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        Error e = {0};
        check(load_with(good[i].key, good[i].value, &e), "%s: %s is accepted: %s", good[i].key, good[i].value,
              e.message);
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Traces: what compare and verify read
 * ------------------------------------------------------------------------------------------------------------------ */
static void make_trace(const Bert *m, const char *path)
{
    static const int32_t ids[4] = {2, 61, 4, 3}, types[4] = {0}, mask[4] = {1, 1, 1, 0};
    static const int T = 4, rows[4] = {0, 1, 2, 3};
    const Batch batch = {1, &T, ids, types, mask};
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = rows, .M = 4};
    Activations a;
    Error e = {0};
    bool ok = activations_new(&a, m, &batch, &request, &e) == BERT_OK;
    if (ok) {
        forward(m, &a);
        ok = trace_write(m, &a, path, "tiny", "", &e) == BERT_OK;
        activations_free(&a);
    }
    if (!ok) printf("%s\n", e.message), exit(1);
}

/* A bit of every byte of a trace's header, and of its ids: compared with the sound trace; every 16th is also verified,
 * which computes, and tries all known mistakes on it. BERT_DIFFERENT is a verdict, too. */
static void sweep_traces(void)
{
    Bert m;
    Error e = {0};
    const VerifyOptions options = {.tolerance = TOLERANCE_DEFAULT};
    FILE *nowhere = fopen("/dev/null", "w");
    if (!check(bert_load(&m, directory, &e) == BERT_OK && nowhere, "%s", e.message)) return;
    make_trace(&m, in_scratch("sound"));
    Buffer b = load(in_scratch("sound"));
    const size_t end = header_end(&b) + 3 * 4 * 8;                      /* and the three rows of ids */
    serve(0, "changed", b.data, b.size);
    for (size_t at = 0; at < end; at++) {
        const unsigned char before = b.data[at];
        for (int bit = 0; bit < 8; bit += at % 5 ? 3 : 1) {
            b.data[at] = (unsigned char)(before ^ 1 << bit);
            allocated = 0;
            Status s = compare_traces(in_scratch("sound"), in_scratch("changed"), &options.tolerance, true, nowhere,
                                      &e);
            verdict(s == BERT_DIFFERENT ? BERT_OK : s, &e, "changed", b.size, "trace, byte", at);
            if (at % 16 || bit) continue;
            allocated = 0;
            s = verify_trace(&m, in_scratch("changed"), &options, nowhere, &e);
            bool judged = s == BERT_OK || s == BERT_DIFFERENT || s == BERT_TEXT;
            allocated = 0;                                              /* it computes: memory goes with the model */
            verdict(judged ? BERT_OK : s, &e, "changed", b.size, "verified trace, byte", at);
        }
        b.data[at] = before;
    }
    serve_nothing();
    clear(&b);
    fclose(nowhere);
    bert_free(&m);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The program
 * ------------------------------------------------------------------------------------------------------------------ */
static void cut_files(void)
{
    sweep_cuts(in_model("model.safetensors"), open_safetensors, false);
    sweep_cuts(in_model("config.json"), open_config, true);             /* without the newline at its end */
    sweep_cuts(in_model("vocab.txt"), open_tokenizer, true);
    sweep_cuts(in_scratch("c.index"), open_bundle, false);
    sweep_cuts(in_scratch("c.data-00000-of-00002"), open_bundle, false);
    sweep_cuts(in_scratch("c.data-00001-of-00002"), open_bundle, false);
}

static void change_file(const char *path, const char *text);

/* The class of the tokenizer and what it makes for the model, in tokenizer_config.json; the class alone in config.json,
 * where it counts if the other file says nothing. */
static void change_class(void)
{
    char kept[600];
    change_file(in_model("tokenizer_config.json"), "{\"tokenizer_class\": \"DistilBertTokenizer\", "
                "\"model_input_names\": [\"input_ids\", \"token_type_ids\", \"attention_mask\"]}\n");
    remove(in_model("tokenizer_config.json"));
    snprintf(kept, sizeof kept, "%s", in_model("config.json.kept"));
    if (rename(in_model("config.json"), kept)) abort();
    change_file(in_model("config.json"), "{\"a\": [1, {}], \"tokenizer_class\": \"BertTokenizer\", \"vocab_size\": 101}\n");
    remove(in_model("config.json"));
    if (rename(kept, in_model("config.json"))) abort();
}

static void change_texts(void)
{
    sweep_bytes(in_model("config.json"), open_config);
    sweep_bytes(in_model("vocab.txt"), open_tokenizer);
    FILE *f = fopen(in_model("tokenizer_config.json"), "w");
    if (!f || fputs("{\"do_lower_case\": false, \"strip_accents\": null, \"other\": [1, {\"a\": \"\\u00e9\"}]}\n",
                    f) < 0 || fclose(f)) abort();
    sweep_cuts(in_model("tokenizer_config.json"), open_tokenizer, true);
    sweep_bytes(in_model("tokenizer_config.json"), open_tokenizer);
    remove(in_model("tokenizer_config.json"));
    change_class();
}

static void change_file_for(const char *path, const char *text, Open *open)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) abort();
    sweep_cuts(path, open, true);
    sweep_bytes(path, open);
}

static void change_file(const char *path, const char *text)
{
    change_file_for(path, text, open_tokenizer);
}

/* A DistilBERT's configuration, and what a fine-tuned model's says of its labels. */
static void change_labels(void)
{
    change_file_for(in_scratch("config.json"), "{\"dim\": 8, \"hidden_size\": 8, \"model_type\": \"distilbert\", "
                    "\"activation\": \"gelu\", \"n_heads\": 2, \"architectures\": [1, \"AForTokenClassification\"]}\n",
                    open_config);
    change_file_for(in_scratch("config.json"), "{\"id2label\": {\"1\": \"b\\u00e9\", \"0\": \"a\", \"2\": 7}, "
                    "\"label2id\": {\"b\": 1, \"Entail\": \"0\"}, \"num_labels\": 3, \"problem_type\": "
                    "\"regression\", \"sentence_transformers\": {\"activation_fn\": \"torch.Identity\"}, "
                    "\"sbert_ce_default_activation_function\": \"torch.Sigmoid\"}\n", open_labels);
    change_file_for(in_scratch("config.json"), "{\"_num_labels\": 12, \"id2label\": null}\n", open_labels);
    remove(in_scratch("config.json"));
}

/* tests/sweep_questions.c, which cannot be here: the converter and the command line have names in common. Reads SQuAD's
 * JSON with the pieces of that directory; *odd: what is accepted is not as it should be. */
Status questions_read(const char *directory, const char *path, const char **odd, Error *e);

/* What is wrong with a question is BERT_TEXT, and names the file all the same. */
static Status open_questions(const char *path, Error *e)
{
    const char *odd = NULL;
    char at[512];
    snprintf(at, sizeof at, "%s", in_model("vocab.txt"));
    *strrchr(at, '/') = 0;
    Status s = questions_read(at, path, &odd, e);
    check(!odd, "%s", odd ? odd : "");
    if (s == BERT_TEXT) s = e->status = BERT_FILE;
    return s;
}

static void change_questions(void)
{
    change_file_for(in_scratch("q.json"),
                    "{\"version\": \"2\", \"data\": [{\"title\": \"t\", \"paragraphs\": [{\"qas\": [{\"id\": \"1\", \"question\": "
                    "\"cat?\", \"answers\": [{\"text\": \"the mat\", \"answer_start\": 20}, {\"text\": \"mat\", "
                    "\"answer_start\": 24}], \"is_impossible\": false}], \"context\": \"The caf\u00e9 cat sat on the mat, and "
                    "went to the river bank of my dog.\"}]}, {\"paragraphs\": [{\"context\": \"a\303\251b\", \"qas\": "
                    "[{\"question\": \"b\", \"answers\": []}, {\"question\": \"b\", \"answers\": [{\"answer_start\": 2, \"text\": "
                    "\"b\"}]}]}]}]}\n", open_questions);
    remove(in_scratch("q.json"));
}

/* A small tokenizer.json, alone; then the two older files beside vocab.txt. */
static void change_tokenizers(void)
{
    static const char json[] =
        "{\"added_tokens\": [{\"id\": 2, \"content\": \"[C]\", \"special\": true}, {\"id\": 5, \"content\": "
        "\"\\u00e9\", \"lstrip\": true, \"normalized\": true}], \"normalizer\": {\"type\": \"BertNormalizer\", "
        "\"lowercase\": true}, \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}, \"post_processor\": "
        "{\"type\": \"TemplateProcessing\", \"single\": "
        "[{\"SpecialToken\": {\"id\": \"[C]\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, "
        "{\"SpecialToken\": {\"id\": \"[S]\", \"type_id\": 0}}], \"pair\": [{\"SpecialToken\": {\"id\": \"[C]\", "
        "\"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": {\"id\": \"[S]\", "
        "\"type_id\": 0}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}, {\"SpecialToken\": {\"id\": \"[S]\", "
        "\"type_id\": 1}}], \"special_tokens\": {\"[C]\": {\"ids\": [2]}, \"[S]\": {\"ids\": [3]}}}, \"model\": "
        "{\"type\": \"WordPiece\", \"unk_token\": \"[U]\", \"continuing_subword_prefix\": \"##\", "
        "\"max_input_chars_per_word\": 100, \"vocab\": {\"a\": 0, \"[U]\": 1, \"[C]\": 2, \"[S]\": 3, \"##b\": 4}}}\n";
    char kept[600];
    snprintf(kept, sizeof kept, "%s", in_model("vocab.txt.kept"));
    if (rename(in_model("vocab.txt"), kept)) abort();
    FILE *f = fopen(in_model("tokenizer_config.json"), "w");
    if (!f || fputs("{\"tokenizer_class\": \"TokenizersBackend\", \"pad_token\": \"a\"}\n", f) < 0 || fclose(f))
        abort();
    change_file(in_model("tokenizer.json"), json);
    remove(in_model("tokenizer.json"));
    remove(in_model("tokenizer_config.json"));
    if (rename(kept, in_model("vocab.txt"))) abort();
    change_file(in_model("added_tokens.json"), "{\"[E1]\": 101, \"caf\\u00e9\": 102}\n");
    change_file(in_model("special_tokens_map.json"),
                "{\"cls_token\": {\"content\": \"[CLS]\", \"rstrip\": true}, \"mask_token\": null, "
                "\"additional_special_tokens\": [\"[E1]\", \"x\"], \"a_token\": \"y\"}\n");
    remove(in_model("added_tokens.json"));
    remove(in_model("special_tokens_map.json"));
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A directory of sentence-transformers: list, settings, prompts, pooling, a Dense layer
 * ------------------------------------------------------------------------------------------------------------------ */
static const struct { const char *name, *text; } sentence_files[] = {
    {"modules.json", "[{\"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},\n"
     "{\"name\": \"1\", \"path\": \"1_P\", \"type\": \"sentence_transformers.models.Pooling\"},\n"
     "{\"name\": \"2\", \"path\": \"2_D\", \"type\": \"sentence_transformers.models.Dense\"}]\n"},
    {"sentence_bert_config.json", "{\"max_seq_length\": 16, \"do_lower_case\": true, \"model_args\": {\"model_max_length\": 9}, "
     "\"modality_config\": {\"text\": {\"method_output_name\": \"last_hidden_state\"}}}\n"},
    {"config_sentence_transformers.json", "{\"prompts\": {\"q\": \"find: \", \"d\": null}, \"default_prompt_name\": \"q\", "
     "\"truncate_dim\": 2, \"similarity_fn_name\": \"euclidean\", \"max_active_dims\": 16}\n"},
    {"1_P/config.json", "{\"word_embedding_dimension\": 4, \"pooling_mode_cls_token\": true, \"pooling_mode\": [\"max\"], "
     "\"include_prompt\": false}\n"},
    {"2_D/config.json", "{\"in_features\": 4, \"out_features\": 2, \"bias\": true, "
     "\"activation_function\": \"torch.nn.modules.activation.Tanh\"}\n"},
    {"2_D/model.safetensors", NULL},
};

/* What config_sentence_transformers.json says beside the modules. */
static Status open_settings(VectorSettings *settings, Error *e)
{
    char names[400] = "";
    char *prompt = NULL;
    Status s = prompt_read(in_scratch("st"), NULL, &prompt, e);
    free(prompt);
    if (s == BERT_OK) s = prompt_names(in_scratch("st"), names, e);
    check(memchr(names, 0, sizeof names) != NULL, "the names of prompts end");
    if (s == BERT_OK) s = vector_settings_read(in_scratch("st"), settings, e);
    check(s != BERT_OK || (settings->truncate_dim <= 1 << 24 && settings->similarity <= SIMILARITY_MANHATTAN), "settings");
    return s;
}

/* All of it, as `bert embed` and `bert rank` read it. */
static Status open_sentences(Error *e)
{
    SentenceText text;
    SentenceModel m;
    VectorSettings settings;
    Status s = sentence_text_read(in_scratch("st"), &text, e);
    if (s == BERT_OK) s = open_settings(&settings, e);
    if (s == BERT_OK) s = sentence_model_read(in_scratch("st"), 4, 8, &m, e);
    if (s != BERT_OK) return s;
    check(m.dim == 2 || m.dim == 8 || m.dim % 4 == 0 || (m.dim && m.dim == settings.truncate_dim), "vectors of %zu numbers",
          m.dim);
    check(text.max_length >= 0 && text.max_length <= 1 << 24, "texts of %d tokens", text.max_length);
    sentence_model_free(&m);
    return s;
}

/* A cross-encoder's directory: its list of modules, its texts, and what is left of its logits. */
static const struct { const char *name, *text; } pair_files[] = {
    {"modules.json", "[{\"name\": \"0\", \"path\": \"\", \"type\": "
     "\"sentence_transformers.base.modules.transformer.Transformer\"}]\n"},
    {"sentence_bert_config.json", "{\"max_seq_length\": 16, \"transformer_task\": \"sequence-classification\", "
     "\"module_output_name\": \"scores\", \"modality_config\": {\"text\": {\"method_output_name\": \"logits\"}}}\n"},
    {"config_sentence_transformers.json", "{\"activation_fn\": \"torch.nn.modules.linear.Identity\", \"prompts\": {}}\n"},
    {"config.json", "{\"sentence_transformers\": {\"activation_fn\": \"torch.nn.Sigmoid\"}, \"num_labels\": 1}\n"},
};

static Status open_pairs(Error *e)
{
    const BertConfig config = {.K = 1, .head = HEAD_SEQUENCE};
    VectorSettings settings;
    SentenceText text = {0};
    Labels labels;
    Status s = sentence_pairs_read(in_scratch("st"), &text, e);
    if (s == BERT_OK) s = open_settings(&settings, e);
    check(text.max_length >= 0 && text.max_length <= 1 << 24, "pairs of %d tokens", text.max_length);
    if (s == BERT_OK) s = labels_load(&labels, in_scratch("st"), &config, e);
    if (s != BERT_OK) return s;
    check(labels.activation == ACTIVATION_UNSAID || labels.activation_place != NULL, "where the activation function stands");
    labels_free(&labels);
    return s;
}

static void put_sentences(void)
{
    static const float numbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const SafeTensor t[] = {{"linear.weight", DTYPE_F32, 2, {2, 4}, 8, numbers}, {"linear.bias", DTYPE_F32, 1, {2}, 2, numbers}};
    Error e;
    if (mkdir(in_scratch("st"), 0777) || mkdir(in_scratch("st/1_P"), 0777) || mkdir(in_scratch("st/2_D"), 0777)) abort();
    for (int i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof name, "st/%s", sentence_files[i].name);
        if (sentence_files[i].text) put_file(name, sentence_files[i].text, strlen(sentence_files[i].text));
        else if (safetensors_write(in_scratch(name), t, 2, NULL, 0, &e) != BERT_OK) abort();
    }
}

/* Of the file st/NAME every beginning, and each of its first `bytes` bytes as each of 256 values (0: of all). */
static void sweep_st(const char *name, Status (*open)(Error *e), size_t bytes)
{
    Error e;
    Buffer b = load(in_scratch(name));
    const bool text = !bytes;
    for (size_t size = 0; size < b.size; size++) {
        serve(0, name, b.data, size);
        allocated = 0;
        const bool ok = verdict(open(&e), &e, "/st", b.size, name, size);
        check(!ok || (size + 1 == b.size && text), "%s, cut at %zu, is refused", name, size);
    }
    serve(0, name, b.data, b.size);
    for (size_t k = 0; k < (text ? b.size : bytes) * 256; k++) {
        const unsigned char before = b.data[k / 256];
        b.data[k / 256] = (unsigned char)k;
        allocated = 0;
        const bool ok = verdict(open(&e), &e, "/st", b.size, name, k / 256);
        check(ok || (unsigned char)k != before, "%s is accepted as it was: %s", name, e.message);
        b.data[k / 256] = before;
    }
    serve_nothing();
    clear(&b);
}

/* Of the weights the header. */
static void sweep_sentences(void)
{
    char name[64];
    put_sentences();
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "st/%s", sentence_files[i].name);
        Buffer b = load(in_scratch(name));
        sweep_st(name, open_sentences, sentence_files[i].text ? 0 : header_end(&b));
        clear(&b);
    }
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "st/%s", sentence_files[i].name);
        remove(in_scratch(name));
    }
    remove(in_scratch("st/1_P")), remove(in_scratch("st/2_D")), remove(in_scratch("st"));
}

static void sweep_pairs(void)
{
    enum { FILES = sizeof pair_files / sizeof *pair_files };
    char names[FILES][64];
    if (mkdir(in_scratch("st"), 0777)) abort();
    for (int i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "st/%s", pair_files[i].name);
        put_file(names[i], pair_files[i].text, strlen(pair_files[i].text));
    }
    for (int i = 0; i < FILES; i++) sweep_st(names[i], open_pairs, 0);
    for (int i = 0; i < FILES; i++) remove(in_scratch(names[i]));
    remove(in_scratch("st"));
}

static const struct {
    const char *name;
    void (*run)(void);
} sweeps[] = {
    {"every file cut at every length", cut_files},
    {"safetensors: 256 values of each byte of the header", sweep_header},
    {"safetensors: the header's length at its extremes", sweep_header_length},
    {"safetensors: each number of the header at its extremes", sweep_header_numbers},
    {"texts: 256 values of each byte", change_texts},
    {"files of tokenizers: cut, and 256 values of each byte", change_tokenizers},
    {"files of sentence-transformers: cut, and 256 values", sweep_sentences},
    {"files of a cross-encoder: cut, and 256 values", sweep_pairs},
    {"labels and DistilBERT: cut, and 256 values of each byte", change_labels},
    {"questions and answers: cut, and 256 values of each byte", change_questions},
    {"config.json: each key with bad values", sweep_keys},
    {"tensors: missing, misshapen, other dtypes, not finite", sweep_tensors},
    {"checkpoint: every bit of the index", sweep_index_bits},
    {"checkpoint: every byte of the data", sweep_data_bytes},
    {"checkpoint: 256 values of each byte, CRC repaired", sweep_repaired_index},
    {"checkpoint: each number at its extremes", sweep_index_numbers},
    {"shards: the index cut, and 256 values of each byte", sweep_index},
    {"torch: cut at every length", sweep_torch_cuts},
    {"torch: 256 values of each byte, the pickle's CRC repaired", sweep_torch_bytes},
    {"torch: each number of a tensor at its extremes", sweep_torch_numbers},
    {"traces: bits of the header, compared and verified", sweep_traces},
};

/* For tests/compare_safetensors.py. */
static void print_byte_verdicts(const char *path)
{
    Buffer b = load(path);
    const size_t end = header_end(&b);
    serve(0, path, b.data, b.size);
    for (size_t at = 0; at < end; at++) {
        char line[258] = {0};
        const unsigned char before = b.data[at];
        for (int value = 0; value < 256; value++) {
            Error e = {0};
            b.data[at] = (unsigned char)value;
            line[value] = open_safetensors(path, &e) == BERT_OK ? '1' : '0';
        }
        b.data[at] = before;
        puts(line);
    }
    clear(&b);
}

int main(int argc, char **argv)
{
    Error e = {0};
    size_t failed = 0;
    if (argc == 3 && !strcmp(argv[1], "--bytes")) return print_byte_verdicts(argv[2]), 0;
    if (argc > 2 && !strcmp(argv[1], "--files")) {
        for (int i = 2; i < argc; i++) {
            Error message = {0};
            Status s = open_safetensors(argv[i], &message);
            printf("%d\t%s\n", s == BERT_OK, message.message);
        }
        return 0;
    }
    if (!formula_directory(directory) || formula_model(directory, "tiny", &e) != BERT_OK)
        return printf("%s\n", e.message), 1;
    put_checkpoint(SOUND);
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
        if (argc > 1 && !strstr(sweeps[i].name, argv[1])) continue;
        cases = accepted = complaints = allocated = 0;
        sweeps[i].run();
        printf("%-58s %9zu cases, %7zu accepted%s\n", sweeps[i].name, cases, accepted, complaints ? "  FAILED" : "");
        fflush(stdout);
        failed += complaints != 0;
        all_cases += cases;
    }
    formula_remove(directory);
    printf("%zu cases, %zu sweeps failed\n", all_cases, failed);
    return failed || all_cases == 0;
}
