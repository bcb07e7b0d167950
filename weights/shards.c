/* shards.c - the weights of a model, in one file or in several, and what stands before their names.
 *
 * A large model is often cut into shards, with an index beside them that says which file has which tensor:
 *
 *     {"metadata": {"total_size": 147456},                               model.safetensors.index.json
 *      "weight_map": {"embeddings.LayerNorm.bias": "model-00001-of-00003.safetensors",
 *                     "pooler.dense.bias":         "model-00003-of-00003.safetensors", ...}}
 *
 * Opened together they are one list of tensors, as if they stood in one file; each is still used where its file has it.
 * An index is a claim like everything else, and is held against the files:
 *
 *     1  a shard is a name in the index's own directory: no '/', no '\', no name that begins with a dot
 *     2  every tensor of the index is in the shard that it names
 *     3  every tensor of a shard is in the index, and in no other shard
 *
 * total_size is not compared: several programs write other numbers there, and each file's own size is checked when it
 * is opened.
 */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>

enum { SHARDS_LIMIT = 256 };            /* files that one index may name */

/* ---------------------------------------------------------------------------------------------------------------------
 * The index
 * ------------------------------------------------------------------------------------------------------------------ */

/* The next string or key goes into the free part of list->names, as in the header of a safetensors file: decoded, with
 * its NUL, it is never longer than in the text with its two quotes. */
static char *free_name(const ShardList *list, size_t *capacity)
{
    *capacity = list->index.size - list->names_used;
    return list->names + list->names_used;
}

/* Rule 1. A name of a path elsewhere would let an index read any file of the user's. */
static bool is_plain_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

/* The number of the shard of that name, a new one if it comes for the first time. */
static Status shard_number(ShardList *list, const char *name, bool *is_new, size_t *number, Error *e)
{
    const char *path = list->index.path;
    *is_new = false;
    for (*number = 0; *number < list->shard_count; ++*number)
        if (!strcmp(list->shards[*number], name)) return BERT_OK;
    if (!is_plain_name(name))
        return fail(e, BERT_FILE, "%s: found the shard '%.200s', expected the name of a file beside the index", path,
                    name);
    if (list->shard_count == SHARDS_LIMIT)
        return fail(e, BERT_FILE, "%s: names more than %d shards", path, (int)SHARDS_LIMIT);
    *is_new = true;
    list->shards[list->shard_count++] = name;
    return BERT_OK;
}

/* A place for one more tensor in the list, which doubles when it is full. */
static ShardEntry *new_entry(ShardList *list)
{
    if (list->count == list->capacity) {
        size_t capacity, bytes;
        if (!size_mul(list->capacity ? list->capacity : 64, 2, &capacity)) return NULL;
        if (!size_mul(capacity, sizeof *list->entries, &bytes)) return NULL;
        ShardEntry *entries = realloc(list->entries, bytes);
        if (!entries) return NULL;
        list->entries = entries;
        list->capacity = capacity;
    }
    return &list->entries[list->count++];
}

/* "weight_map": {"tensor": "file", ...} */
static Status read_map(ShardList *list, JsonReader *j, Error *e)
{
    size_t capacity;
    bool more, is_new;
    Status s = json_begin(j, '{', e);
    while (s == BERT_OK) {
        char *tensor = free_name(list, &capacity);
        s = json_next_key(j, tensor, capacity, &more, e);
        if (s || !more) break;
        ShardEntry *entry = new_entry(list);
        if (!entry) return fail(e, BERT_SYSTEM, "%s: out of memory (%zu tensors)", list->index.path, list->count);
        entry->tensor = tensor;
        list->names_used += strlen(tensor) + 1;
        char *file = free_name(list, &capacity);
        s = json_string(j, file, capacity, e);
        if (s == BERT_OK) s = shard_number(list, file, &is_new, &entry->shard, e);
        if (s == BERT_OK && is_new) list->names_used += strlen(file) + 1;       /* the name stays */
    }
    return s;
}

static int by_tensor(const void *a, const void *b)
{
    const ShardEntry *x = a, *y = b;
    return strcmp(x->tensor, y->tensor);
}

/* Sorted by name, so that shard_check can search by halving. A name given twice would leave it to the reader which of
 * the two counts. */
static Status sort_entries(ShardList *list, Error *e)
{
    const char *path = list->index.path;
    if (list->count == 0) return fail(e, BERT_FILE, "%s: found no \"weight_map\" with tensors, expected one", path);
    qsort(list->entries, list->count, sizeof *list->entries, by_tensor);
    for (size_t i = 1; i < list->count; i++)
        if (!strcmp(list->entries[i - 1].tensor, list->entries[i].tensor))
            return fail(e, BERT_FILE, "%s: tensor '%.200s': found it twice, expected each name once", path,
                        list->entries[i].tensor);
    return BERT_OK;
}

/* The members of the index: weight_map, once; the rest is skipped. */
static Status read_index(ShardList *list, Error *e)
{
    JsonReader j;
    bool more, seen = false;
    Status s = json_open(&j, list->index.path, list->index.data, list->index.size, 0, e);
    while (s == BERT_OK) {
        size_t capacity;
        char *key = free_name(list, &capacity);
        s = json_next_key(&j, key, capacity, &more, e);
        if (s || !more) break;
        bool map = !strcmp(key, "weight_map");
        if (map && seen)
            return fail(e, BERT_FILE, "%s: found \"weight_map\" twice, expected it once", list->index.path);
        seen = seen || map;
        s = map ? read_map(list, &j, e) : json_skip(&j, e);
    }
    if (s == BERT_OK) s = json_end(&j, e);
    return s == BERT_OK ? sort_entries(list, e) : s;
}

Status shard_list_open(ShardList *list, const char *path, Error *e)
{
    *list = (ShardList){0};
    Status s = file_open(&list->index, path, e);
    if (s) return s;
    list->names = malloc(list->index.size ? list->index.size : 1);
    list->shards = calloc(SHARDS_LIMIT, sizeof *list->shards);
    if (!list->names || !list->shards) s = fail(e, BERT_SYSTEM, "%s: out of memory", path);
    if (s == BERT_OK) s = read_index(list, e);
    if (s) shard_list_close(list);
    return s;
}

void shard_list_close(ShardList *list)
{
    free(list->names);
    free(list->shards);
    free(list->entries);
    file_close(&list->index);
    *list = (ShardList){0};
}

Status shard_path(const ShardList *list, size_t shard, char **path, Error *e)
{
    const char *index = list->index.path, *slash = strrchr(index, '/');
    size_t directory = slash ? (size_t)(slash - index) + 1 : 0, size;
    if (!size_add(directory, strlen(list->shards[shard]) + 1, &size) || !(*path = malloc(size)))
        return fail(e, BERT_SYSTEM, "%s: out of memory", index);
    snprintf(*path, size, "%.*s%s", (int)directory, index, list->shards[shard]);
    return BERT_OK;
}

/* Rules 2 and 3, for one shard. */
Status shard_check(const ShardList *list, size_t shard, const char *path, const char *const *names, size_t count,
                   Error *e)
{
    size_t expected = 0;
    for (size_t i = 0; i < count; i++) {
        const ShardEntry wanted = {names[i], shard};
        const ShardEntry *entry = bsearch(&wanted, list->entries, list->count, sizeof *list->entries, by_tensor);
        if (!entry)
            return fail(e, BERT_FILE, "%s: tensor '%.200s' is not in %s: do the files belong together?", path, names[i],
                        list->index.path);
        if (entry->shard != shard)
            return fail(e, BERT_FILE, "%s: found tensor '%.200s', which %s expects in %s", path, names[i],
                        list->index.path, list->shards[entry->shard]);
    }
    for (size_t i = 0; i < list->count; i++) expected += list->entries[i].shard == shard;
    if (expected == count) return BERT_OK;              /* names are different, and each is in the index */
    return fail(e, BERT_FILE, "%s: found %zu tensors, but %s names %zu in it", path, count, list->index.path, expected);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Several safetensors files as one
 * ------------------------------------------------------------------------------------------------------------------ */
static int by_name(const void *a, const void *b)
{
    const SafeTensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Opens one shard and holds its names against the index. */
static Status open_shard(Safetensors *st, const ShardList *list, size_t shard, Error *e)
{
    char *path = NULL;
    Safetensors *part = &st->shards[shard];
    Status s = shard_path(list, shard, &path, e);
    if (s == BERT_OK) s = safetensors_open(part, path, e);
    const char **names = s == BERT_OK ? calloc(part->count ? part->count : 1, sizeof *names) : NULL;
    if (s == BERT_OK && !names) s = fail(e, BERT_SYSTEM, "%s: out of memory", path);
    for (size_t i = 0; s == BERT_OK && i < part->count; i++) names[i] = part->tensors[i].name;
    if (s == BERT_OK) s = shard_check(list, shard, path, names, part->count, e);
    free(names);
    free(path);
    return s;
}

/* The tensors of all shards in one list. (Names that are equal cannot be: each is in the one shard that the
 * index says.) */
static Status merge_shards(Safetensors *st, Error *e)
{
    size_t count = 0;
    for (size_t i = 0; i < st->shard_count; i++) count += st->shards[i].count;
    st->tensors = calloc(count ? count : 1, sizeof *st->tensors);
    st->by_name = calloc(count ? count : 1, sizeof *st->by_name);
    if (!st->tensors || !st->by_name)
        return fail(e, BERT_SYSTEM, "%s: out of memory (%zu tensors)", st->file.path, count);
    for (size_t i = 0; i < st->shard_count; i++)
        for (size_t k = 0; k < st->shards[i].count; k++) st->tensors[st->count++] = st->shards[i].tensors[k];
    for (size_t i = 0; i < count; i++) st->by_name[i] = &st->tensors[i];
    qsort(st->by_name, count, sizeof *st->by_name, by_name);
    return BERT_OK;
}

/* The index and all shards that it names. The index stays open as st->file: messages name it. */
static Status open_shards(Safetensors *st, const char *path, Error *e)
{
    ShardList list;
    *st = (Safetensors){0};
    Status s = shard_list_open(&list, path, e);
    if (s) return s;
    st->shards = calloc(list.shard_count, sizeof *st->shards);
    if (!st->shards) s = fail(e, BERT_SYSTEM, "%s: out of memory", path);
    for (size_t i = 0; s == BERT_OK && i < list.shard_count; i++) {
        st->shard_count++;
        s = open_shard(st, &list, i, e);
    }
    st->file = list.index;
    list.index = (FileView){0};
    if (s == BERT_OK) s = merge_shards(st, e);
    shard_list_close(&list);
    if (s) safetensors_close(st);
    return s;
}

const char *tensor_path(const Safetensors *st, const SafeTensor *t)
{
    const uintptr_t at = (uintptr_t)t->data;
    for (size_t i = 0; i < st->shard_count; i++) {
        const uintptr_t begin = (uintptr_t)st->shards[i].file.data;
        if (at >= begin && at - begin <= st->shards[i].file.size) return st->shards[i].file.path;
    }
    return st->file.path;
}

size_t weights_size(const Safetensors *st)
{
    size_t size = st->shard_count ? 0 : st->file.size;
    for (size_t i = 0; i < st->shard_count; i++) size += st->shards[i].file.size;
    return size;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What stands before the names
 *
 *     embeddings.word_embeddings.weight                               a BertModel, saved alone
 *     bert.embeddings.word_embeddings.weight                          with heads: `cls.predictions...` beside it
 *     module.bert.embeddings... and module.cls.predictions...         saved out of DataParallel
 *     _orig_mod.bert.embeddings...                                    saved out of torch.compile
 *     question_encoder.bert_model.embeddings...                       one half of a bi-encoder
 *     distilbert.embeddings...                                        a DistilBERT with a head
 *
 * No list of prefixes: what stands before the word embeddings' name is the encoder's, and the heads are where the
 * `bert.` (or `distilbert.`) at its end begins.
 * ------------------------------------------------------------------------------------------------------------------ */
static const char word_embeddings[] = "embeddings.word_embeddings.weight";

/* The length of what stands before the word embeddings' name; false if the tensor is another one. */
static bool prefix_of(const char *name, size_t *length)
{
    size_t n = strlen(name), m = sizeof word_embeddings - 1;
    if (n < m || strcmp(name + n - m, word_embeddings)) return false;
    *length = n - m;
    return *length == 0 || name[*length - 1] == '.';
}

/* Hugging Face's library takes the tensors with `bert.` in front, or with nothing, and passes over others: a second
 * model in the file (a teacher, the other half of a bi-encoder) does not make these two doubtful. */
static bool is_usual(const char *name, size_t length)
{
    return length == 0 || (length == 5 && !strncmp(name, "bert.", 5)) ||
           (length == 11 && !strncmp(name, "distilbert.", 11));
}

/* The two names that are in doubt, in the words of their prefixes. */
static Status ambiguous(const Safetensors *st, const char *a, size_t a_length, const char *b, size_t b_length, Error *e)
{
    return fail(e, BERT_FILE, "%s: holds two models, one with '%.*s' before its names and one with '%.*s': expected "
                "one",
                st->file.path, a_length < 200 ? (int)a_length : 200, a, b_length < 200 ? (int)b_length : 200, b);
}

/* The length of what stands before `last` in a prefix that ends with it: "module.bert." and "bert." give 7. The whole
 * length if the prefix ends otherwise. */
static size_t before_last(const char *prefix, const char *last)
{
    const size_t n = strlen(prefix), m = strlen(last);
    if (n < m || strcmp(prefix + n - m, last) || (n > m && prefix[n - m - 1] != '.')) return n;
    return n - m;
}

/* Models whose tensors have BERT's names behind a name of their own. Trap: RoBERTa's even have the same shapes. */
bool is_other_family(const char *prefix, char separator)
{
    static const char *const others[] = {"roberta", "electra", "albert", "layoutlm", "longformer", "ernie", "splinter",
                                         "data2vec_text", "markuplm", "lilt", "visual_bert", "ibert", "nezha",
                                         "mpnet", "rembert", "deberta", "mobilebert", "esm"};
    const size_t n = strlen(prefix);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const size_t m = strlen(others[i]);
        if (n <= m || prefix[n - 1] != separator || memcmp(prefix + n - 1 - m, others[i], m)) continue;
        if (n == m + 1 || prefix[n - 2 - m] == separator) return true;
    }
    return false;
}

static Status check_family(const Safetensors *st, Error *e)
{
    if (!is_other_family(st->prefix, '.')) return BERT_OK;
    return fail(e, BERT_FILE, "%s: its tensors begin with '%s', expected those of BERT or DistilBERT: another "
                "architecture, which would give wrong numbers if run as BERT", st->file.path, st->prefix);
}

/* Sets st->prefix, st->head_prefix and st->distilbert, unless the file has no word embeddings: what is missing is said
 * later. */
static Status find_prefix(Safetensors *st, Error *e)
{
    char first[PREFIX_LIMIT + 64];                      /* the name of DistilBERT's first query */
    const char *best = NULL;
    size_t best_length = 0, length;
    for (size_t i = 0; i < st->count; i++) {
        const char *name = st->by_name[i]->name;
        if (!prefix_of(name, &length) || length > PREFIX_LIMIT) continue;
        if (best && is_usual(best, best_length) == is_usual(name, length))
            return ambiguous(st, best, best_length, name, length, e);
        if (best && is_usual(best, best_length)) continue;
        best = name;
        best_length = length;
    }
    if (!best) return BERT_OK;
    st->prefix = malloc(best_length + 1);
    if (!st->prefix) return fail(e, BERT_SYSTEM, "%s: out of memory", st->file.path);
    snprintf(st->prefix, best_length + 1, "%.*s", (int)best_length, best);
    st->head_prefix = before_last(st->prefix, "bert.");
    if (st->head_prefix == best_length) st->head_prefix = before_last(st->prefix, "distilbert.");
    snprintf(first, sizeof first, "%stransformer.layer.0.attention.q_lin.weight", st->prefix);
    st->distilbert = safetensors_find(st, first) != NULL;
    return check_family(st, e);
}

bool prefix_is_usual(const Safetensors *st)
{
    return !st->prefix || is_usual(st->prefix, strlen(st->prefix));
}

/* model.safetensors.index.json, or a variant's: model.safetensors.index.fp16.json. */
bool is_shard_index(const char *path)
{
    const char *slash = strrchr(path, '/');
    return ends_with(path, ".index.json") ||
           (strstr(slash ? slash : path, ".safetensors.index.") && ends_with(path, ".json"));
}

/* A file that is none of safetensors': one of torch.save gets the advice that helps. It is a zip, or in older versions
 * a pickle; only the converter reads it.
 * Why own: the length of a damaged safetensors file's header may begin with a pickle's byte, too. Of this length, at most
 * 100,000,000, bytes 4 to 7 are 0; in the other two they are not. */
static Status refuse_torch(const char *path, Error *e)
{
    FileView file;
    Error ignored;
    if (file_open(&file, path, &ignored) != BERT_OK) return e->status;
    const bool own = file.size >= 8 && !memcmp(file.data + 4, "\0\0\0", 4);
    const bool torch = file.size > 3 && !own && (!memcmp(file.data, "PK\3\4", 4) || file.data[0] == 0x80);
    file_close(&file);
    if (!torch) return e->status;
    return fail(e, BERT_FILE, "%s: is no safetensors file, but one of torch.save: `build/convert %s` "
                "(`make build/convert`) makes model.safetensors of it", path, path);
}

Status weights_open(Safetensors *st, const char *path, Error *e)
{
    Status s = is_shard_index(path) ? open_shards(st, path, e) : safetensors_open(st, path, e);
    if (s == BERT_FILE && !is_shard_index(path)) return refuse_torch(path, e);
    if (s) return s;
    s = find_prefix(st, e);
    if (s) safetensors_close(st);
    return s;
}
