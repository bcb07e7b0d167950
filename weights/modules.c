/* modules.c - what a sentence-transformers directory says about its vectors: modules.json and the files that it names.
 *
 *     modules.json                         the list: Transformer, Pooling, then Dense, LayerNorm, Normalize, Dropout
 *     sentence_bert_config.json            of the Transformer: max_seq_length, do_lower_case
 *     1_Pooling/config.json                of the Pooling: which of six, or several of them; or of SpladePooling
 *     2_Dense/config.json, model.safetensors
 *     config_sentence_transformers.json    prompts, and the name of the one that is put before every text; how many
 *                                          numbers of a vector are left, and how two are compared
 *
 * Directories have any name; the list says which module is where. What is not in the list above is refused by name: a
 * vector that left a module out would look right.
 */
#include "weights/weights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * The list
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* one object of modules.json */
    char name[128], path[256], type[256];
    const char *class;              /* the last word of type */
} ModuleEntry;

typedef struct {
    ModuleEntry entry[MAX_MODULES];
    int count;
} ModuleList;

/* A path of modules.json leads down from the directory, and nowhere else. */
static bool leads_down(const char *path)
{
    if (*path == '/' || strchr(path, '\\')) return false;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (!strncmp(at, "..", 2) && (!at[2] || at[2] == '/')) return false;
    }
    return true;
}

/* One object of the list: {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}.
 * idx and kwargs change nothing: the order is that of the list. */
static Status read_entry(JsonReader *j, ModuleEntry *entry, Error *e)
{
    char key[64];
    bool more;
    *entry = (ModuleEntry){.path = ""};
    Status status = json_begin(j, '{', e);
    while (status == BERT_OK && (status = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (!strcmp(key, "name")) status = json_string(j, entry->name, sizeof entry->name, e);
        else if (!strcmp(key, "path")) status = json_string(j, entry->path, sizeof entry->path, e);
        else if (!strcmp(key, "type")) status = json_string(j, entry->type, sizeof entry->type, e);
        else status = json_skip(j, e);
    }
    if (status != BERT_OK) return status;
    if (!*entry->type) return fail(e, BERT_FILE, "%s: a module has no \"type\"", j->path);
    if (!leads_down(entry->path))
        return fail(e, BERT_FILE, "%s: \"path\" is \"%s\", expected one below the directory", j->path, entry->path);
    const char *dot = strrchr(entry->type, '.');
    entry->class = dot ? dot + 1 : entry->type;
    return BERT_OK;
}

static Status read_entries(JsonReader *j, ModuleList *list, Error *e)
{
    bool more;
    Status status = json_begin(j, '[', e);
    while (status == BERT_OK && (status = json_next_element(j, &more, e)) == BERT_OK && more) {
        if (list->count == MAX_MODULES)
            return fail(e, BERT_FILE, "%s: more than %d modules", j->path, MAX_MODULES);
        status = read_entry(j, &list->entry[list->count++], e);
    }
    return status == BERT_OK ? json_end(j, e) : status;
}

/* modules.json. The whole text is checked to be UTF-8, as json_open does; that would expect an object, too. */
static Status read_list(const char *directory, ModuleList *list, Error *e)
{
    char path[4400];
    FileView file;
    list->count = 0;
    snprintf(path, sizeof path, "%.4096s/modules.json", directory);
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    JsonReader j = {.path = path, .text = file.data, .size = file.size};
    Status status = refuse_bom(path, file.data, file.size, e);
    for (size_t at = 0; status == BERT_OK && at < file.size; ) {
        const int length = utf8_character(file.data + at, file.size - at);
        if (!length) status = fail(e, BERT_FILE, "%s: JSON, byte %zu: expected UTF-8", path, at);
        at += (size_t)length;
    }
    if (status == BERT_OK) status = read_entries(&j, list, e);
    file_close(&file);
    return status;
}

static bool is_transformer(const ModuleEntry *entry)
{
    return !strcmp(entry->class, "Transformer") || !strcmp(entry->class, "MLMTransformer");
}

/* Is the class of the library, and not one that a repository brings along? */
static bool is_of_the_library(const ModuleEntry *entry)
{
    return !strncmp(entry->type, "sentence_transformers.", 22);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The Transformer: how texts are cut, and whether they are made lower case
 * ------------------------------------------------------------------------------------------------------------------ */
static Status refuse_key(const JsonReader *j, const char *key, Error *e)
{
    return fail(e, BERT_FILE, "%s: the key \"%s\" cannot be obeyed", j->path, key);
}

static bool read_null(JsonReader *j)
{
    Error ignored;
    return json_peek(j) == 'n' && json_skip(j, &ignored) == BERT_OK;
}

/* max_seq_length: tokens of a text, with [CLS] and [SEP], beyond which it is cut; null: as many as the model has
 * positions. */
static Status read_length(JsonReader *j, const char *key, int *length, Error *e)
{
    int64_t n;
    if (read_null(j)) return BERT_OK;
    if (json_integer(j, &n, e) != BERT_OK) return e->status;
    if (n < 3 || n > 1 << 24)
        return fail(e, BERT_FILE, "%s: %s is %lld, expected 3 to %d", j->path, key, (long long)n, 1 << 24);
    *length = (int)n;
    return BERT_OK;
}

/* A string that must be one of two, into word, or NULL; the second one may be NULL. */
static Status read_word(JsonReader *j, const char *key, const char *one, const char *other, char *out, Error *e)
{
    char word[128];
    if (json_string(j, word, sizeof word, e) != BERT_OK) return e->status;
    const bool first = !strcmp(word, one);
    if (first || (other && !strcmp(word, other))) {
        if (out) strcpy(out, first ? one : other);
        return BERT_OK;
    }
    return fail(e, BERT_FILE, "%s: %s is \"%s\", expected \"%s\"%s%s%s", j->path, key, word, one,
                other ? " or \"" : "", other ? other : "", other ? "\"" : "");
}

static Status expect_word(JsonReader *j, const char *key, const char *word, Error *e)
{
    return read_word(j, key, word, NULL, NULL, e);
}

static Status read_task(JsonReader *j, const char *key, SentenceText *text, Error *e)
{
    char task[32];
    if (text->pairs) return expect_word(j, key, "sequence-classification", e);
    const Status status = read_word(j, key, "feature-extraction", "fill-mask", task, e);
    if (status == BERT_OK) text->fill_mask = !strcmp(task, "fill-mask");
    return status;
}

static Status read_output_name(JsonReader *j, const char *key, SentenceText *text, Error *e)
{
    if (text->pairs) return expect_word(j, key, "logits", e);
    return read_word(j, key, "last_hidden_state", "logits", text->output, e);
}

/* modality_config: {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}: what is done with
 * texts. Of images and the like there are none. */
static Status read_modalities(JsonReader *j, SentenceText *text, Error *e)
{
    char key[64];
    bool more, more_inside;
    Status s = json_begin(j, '{', e);
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (strcmp(key, "text")) {
            s = json_skip(j, e);
            continue;
        }
        s = json_begin(j, '{', e);
        while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more_inside, e)) == BERT_OK && more_inside) {
            if (!strcmp(key, "method")) s = expect_word(j, key, "forward", e);
            else if (!strcmp(key, "method_output_name")) s = read_output_name(j, key, text, e);
            else s = json_skip(j, e);
        }
    }
    return s;
}

/* Arguments for other libraries' functions (model_args, tokenizer_args, ...): those that change no number are passed
 * over, model_max_length comes before max_seq_length, any other is refused if `strict`. */
static Status read_arguments(JsonReader *j, const char *of, bool strict, int *length, Error *e)
{
    static const char *const harmless[] = {"trust_remote_code", "add_pooling_layer", "attn_implementation", "cache_dir",
                                           "local_files_only", "padding_side", "use_fast", "unpad_inputs"};
    char key[64];
    bool more;
    if (read_null(j)) return BERT_OK;
    Status s = json_begin(j, '{', e);
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        bool skipped = false;
        for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) skipped |= !strcmp(key, harmless[i]);
        const bool dtype = !strcmp(key, "dtype") || !strcmp(key, "torch_dtype");
        if (dtype && strict) s = expect_word(j, key, "float32", e);
        else if (!strcmp(key, "model_max_length")) s = read_length(j, key, length, e);
        else if (skipped || !strict) s = json_skip(j, e);
        else s = fail(e, BERT_FILE, "%s: \"%s\" of \"%s\" cannot be obeyed", j->path, key, of);
    }
    return s;
}

/* Is it a key whose value are arguments for other libraries' functions? */
static bool holds_arguments(const char *key)
{
    static const char *const arguments[] = {"processing_kwargs", "model_args", "model_kwargs", "tokenizer_args",
                                            "processor_kwargs", "config_args", "config_kwargs"};
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++)
        if (!strcmp(key, arguments[i])) return true;
    return false;
}

/* The keys that only a vector needs: a command that makes none is content without them. Those of encode_query and
 * encode_document, and unpad_inputs, which changes the speed, are passed over; a key that the library does not know is
 * an error there, too. */
static Status read_strict_key(JsonReader *j, const char *key, SentenceText *text, Error *e)
{
    static const char *const passed[] = {"query_length", "document_length", "query_expansion", "unpad_inputs"};
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (!strcmp(key, passed[i])) return json_skip(j, e);
    if (!strcmp(key, "transformer_task")) return read_task(j, key, text, e);
    if (!strcmp(key, "module_output_name")) return expect_word(j, key, text->pairs ? "scores" : "token_embeddings", e);
    if (!strcmp(key, "modality_config")) return read_modalities(j, text, e);
    if (!strcmp(key, "tokenizer_name_or_path") && read_null(j)) return BERT_OK;
    return refuse_key(j, key, e);
}

/* *any: the file says anything at all. */
static Status read_text_settings(const char *path, bool strict, SentenceText *text, bool *any, Error *e)
{
    FileView file;
    JsonReader j;
    char key[64];
    bool more;
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Status s = json_open(&j, path, file.data, file.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more) {
        *any = true;
        if (!strcmp(key, "max_seq_length")) s = read_length(&j, key, &text->max_length, e);
        else if (!strcmp(key, "do_lower_case")) s = read_null(&j) ? BERT_OK : json_bool(&j, &text->lower_case, e);
        else if (holds_arguments(key)) s = read_arguments(&j, key, strict, &text->argued_length, e);
        else s = strict ? read_strict_key(&j, key, text, e) : json_skip(&j, e);
    }
    if (s == BERT_OK) s = json_end(&j, e);
    text->own_length = text->max_length && !text->argued_length;
    if (text->argued_length) text->max_length = text->argued_length;
    file_close(&file);
    return s;
}

/* The Transformer's file. Older versions of the library named it after the kind of model that they thought it was. */
static const char *const text_files[] = {
    "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json"};

/* The first of these files that says anything is the Transformer's. */
static Status find_text_settings(const char *directory, bool strict, SentenceText *text, Error *e)
{
    char path[4800];
    bool any = false;
    strcpy(text->file, text_files[0]);
    for (size_t i = 0; !any && i < sizeof text_files / sizeof *text_files; i++) {
        const char *name = text_files[i];
        snprintf(path, sizeof path, "%.4096s%s%s", directory, *text->model ? "/" : "", text->model);
        if (!file_exists(path, name)) continue;
        strcpy(text->file, name);
        snprintf(path, sizeof path, "%.4096s%s%s/%s", directory, *text->model ? "/" : "", text->model, name);
        if (read_text_settings(path, strict, text, &any, e) != BERT_OK) return e->status;
    }
    return BERT_OK;
}

/* model_max_length of tokenizer_config.json, where newer versions of the library write what max_seq_length was. 10^30
 * stands for "no limit". */
static Status read_tokenizer_length(const char *directory, SentenceText *text, Error *e)
{
    char path[4800], key[64];
    FileView file;
    JsonReader j;
    bool more;
    double length = 0;
    snprintf(path, sizeof path, "%.4096s%s%s", directory, *text->model ? "/" : "", text->model);
    if (!file_exists(path, "tokenizer_config.json")) return BERT_OK;
    snprintf(path, sizeof path, "%.4096s%s%s/tokenizer_config.json", directory, *text->model ? "/" : "", text->model);
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Status s = json_open(&j, path, file.data, file.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
        s = !strcmp(key, "model_max_length") && json_peek(&j) == '0' ? json_number(&j, &length, e) : json_skip(&j, e);
    if (s == BERT_OK) s = json_end(&j, e);
    if (s == BERT_OK && length != 0 && !(length >= 3))
        s = fail(e, BERT_FILE, "%s: model_max_length is %g, expected 3 or more", path, length);
    if (s == BERT_OK && length >= 3 && length <= 1 << 24) text->max_length = (int)length;
    file_close(&file);
    return s;
}

bool is_sentence_directory(const char *directory)
{
    return file_exists(directory, "modules.json") || file_exists(directory, "1_Pooling/config.json");
}

const char *sentence_leftover(const char *directory)
{
    static const char settings[] = "config_sentence_transformers.json";
    if (is_sentence_directory(directory)) return NULL;
    if (file_exists(directory, settings)) return settings;
    for (size_t i = 0; i < sizeof text_files / sizeof *text_files; i++)
        if (file_exists(directory, text_files[i])) return text_files[i];
    return NULL;
}

Status sentence_text_read(const char *directory, SentenceText *text, Error *e)
{
    ModuleList list = {.count = 0};
    *text = (SentenceText){.max_length = 0};
    if (!is_sentence_directory(directory)) return BERT_OK;
    if (file_exists(directory, "modules.json")) {
        if (read_list(directory, &list, e) != BERT_OK) return e->status;
        text->cuts = true;
        if (list.count && is_transformer(&list.entry[0]))
            snprintf(text->model, sizeof text->model, "%s", list.entry[0].path);
    }
    for (size_t n = strlen(text->model); n > 0 && text->model[n - 1] == '/'; ) text->model[--n] = 0;
    if (find_text_settings(directory, false, text, e) != BERT_OK) return e->status;
    if (text->cuts && !text->max_length) return read_tokenizer_length(directory, text, e);
    text->cuts |= text->max_length > 0;
    return BERT_OK;
}

Status sentence_pairs_read(const char *directory, SentenceText *text, Error *e)
{
    ModuleList list;
    if (!file_exists(directory, "modules.json")) return BERT_OK;
    if (read_list(directory, &list, e) != BERT_OK) return e->status;
    for (int i = 0; i < list.count; i++) {
        const ModuleEntry *entry = &list.entry[i];
        if (i == 0 && !strcmp(entry->class, "Transformer") && is_of_the_library(entry)) continue;
        return fail(e, BERT_FILE, "%s/modules.json: \"type\" of module %d is \"%s\", expected %s", directory, i,
                    entry->type, i == 0 ? "sentence_transformers' Transformer" :
                    "a cross-encoder's list to end with its Transformer (--pooling ranks by vectors)");
    }
    if (!list.count) return fail(e, BERT_FILE, "%s/modules.json: 0 modules, expected a Transformer", directory);
    text->pairs = true;
    return find_text_settings(directory, true, text, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * config_sentence_transformers.json: what becomes of vectors
 *
 *     {"truncate_dim": 256, "similarity_fn_name": "dot", "max_active_dims": null, "prompts": ...}
 * ------------------------------------------------------------------------------------------------------------------ */
/* A number of 1 or more that may be null; *n stays then. */
static Status read_count(JsonReader *j, const char *key, size_t *n, Error *e)
{
    int64_t count;
    if (read_null(j)) return BERT_OK;
    if (json_integer(j, &count, e) != BERT_OK) return e->status;
    if (count < 1 || count > 1 << 24)
        return fail(e, BERT_FILE, "%s: %s is %lld, expected 1 to %d", j->path, key, (long long)count, 1 << 24);
    *n = (size_t)count;
    return BERT_OK;
}

/* A name that the library does not know is none to it, and the default counts. */
static Status read_similarity(JsonReader *j, VectorSettings *settings, Error *e)
{
    static const char *const names[] = {[SIMILARITY_COSINE] = "cosine", [SIMILARITY_DOT] = "dot",
                                        [SIMILARITY_EUCLIDEAN] = "euclidean", [SIMILARITY_MANHATTAN] = "manhattan"};
    char name[64];
    if (read_null(j)) return BERT_OK;
    if (json_string(j, name, sizeof name, e) != BERT_OK) return e->status;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) {
            settings->says_similarity = true;
            settings->similarity = (Similarity)i;
        }
    return BERT_OK;
}

Status vector_settings_read(const char *directory, VectorSettings *settings, Error *e)
{
    char path[4400], key[64];
    FileView file;
    JsonReader j;
    bool more;
    size_t active = 0;
    *settings = (VectorSettings){0};
    if (!file_exists(directory, "config_sentence_transformers.json")) return BERT_OK;
    snprintf(path, sizeof path, "%.4096s/config_sentence_transformers.json", directory);
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Status s = json_open(&j, path, file.data, file.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (!strcmp(key, "truncate_dim")) s = read_count(&j, key, &settings->truncate_dim, e);
        else if (!strcmp(key, "max_active_dims")) s = read_count(&j, key, &active, e);
        else if (!strcmp(key, "similarity_fn_name")) s = read_similarity(&j, settings, e);
        else s = json_skip(&j, e);
    }
    if (s == BERT_OK) s = json_end(&j, e);
    settings->active_dims = active > 0;
    file_close(&file);
    return s;
}

/* truncate_dim counts for the vectors of a SentenceTransformer, after all modules, so that they need not have length 1
 * any more; max_active_dims for those of a SparseEncoder. Each passes over the other's key. */
static Status apply_vector_settings(const char *directory, SentenceModel *m, Error *e)
{
    VectorSettings settings;
    if (vector_settings_read(directory, &settings, e) != BERT_OK) return e->status;
    if (m->splade && settings.active_dims)
        return fail(e, BERT_FILE, "%s/config_sentence_transformers.json: the key \"max_active_dims\" cannot be obeyed",
                    directory);
    if (!m->splade && settings.truncate_dim && settings.truncate_dim < m->dim) m->dim = settings.truncate_dim;
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Pooling
 * ------------------------------------------------------------------------------------------------------------------ */
/* By name, and as flags of older files; in the order in which flags are concatenated. */
static const struct { const char *name, *flag; } pooling_names[] = {
    [POOLED_CLS] = {"cls", "pooling_mode_cls_token"},
    [POOLED_MAX] = {"max", "pooling_mode_max_tokens"},
    [POOLED_MEAN] = {"mean", "pooling_mode_mean_tokens"},
    [POOLED_MEAN_SQRT] = {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"},
    [POOLED_WEIGHTED] = {"weightedmean", "pooling_mode_weightedmean_tokens"},
    [POOLED_LAST] = {"lasttoken", "pooling_mode_lasttoken"},
};
enum { POOLING_NAMES = sizeof pooling_names / sizeof *pooling_names };

/* "pooling_mode": "mean", or one of ["cls", "mean"], whose order is that of the vector's parts. */
static Status read_pooling_name(JsonReader *j, SentenceModel *m, Error *e)
{
    char name[64];
    if (json_string(j, name, sizeof name, e) != BERT_OK) return e->status;
    for (int p = 0; p < POOLING_NAMES; p++) {
        if (strcmp(name, pooling_names[p].name)) continue;
        if (m->pooling_count == MAX_POOLINGS)
            return fail(e, BERT_FILE, "%s: pooling_mode has more than %d names", j->path, MAX_POOLINGS);
        m->poolings[m->pooling_count++] = (TokenPooling)p;
        return BERT_OK;
    }
    return fail(e, BERT_FILE, "%s: pooling_mode is \"%s\", expected cls, max, mean, mean_sqrt_len_tokens, weightedmean "
                "or lasttoken: use --pooling", j->path, name);
}

static Status read_pooling_names(JsonReader *j, SentenceModel *m, Error *e)
{
    bool more;
    m->pooling_count = 0;
    if (json_peek(j) != '[') return read_pooling_name(j, m, e);
    Status status = json_begin(j, '[', e);
    while (status == BERT_OK && (status = json_next_element(j, &more, e)) == BERT_OK && more)
        status = read_pooling_name(j, m, e);
    return status;
}

/* "pooling_mode_cls_token": true. Sets the bit 1 << TokenPooling in *flags, or clears it. */
static Status read_pooling_flag(JsonReader *j, const char *key, unsigned *flags, Error *e)
{
    bool yes;
    for (int p = 0; p < POOLING_NAMES; p++) {
        if (strcmp(key, pooling_names[p].flag)) continue;
        if (json_bool(j, &yes, e) != BERT_OK) return e->status;
        *flags &= ~(1u << p);
        *flags |= (unsigned)yes << p;
        return BERT_OK;
    }
    return fail(e, BERT_FILE, "%s: %s is not supported: use --pooling", j->path, key);
}

/* Bits of the flags beside those of the poolings: what the file speaks of. */
enum { SAYS_POOLING = 1 << 16, SAYS_DIMENSION = 1 << 17 };

/* One member of the file. embedding_dimension, once word_embedding_dimension, is the model's own. */
static Status read_pooling_key(JsonReader *j, const char *key, SentenceModel *m, unsigned *flags, Error *e)
{
    if (!strncmp(key, "pooling_mode", 12)) *flags |= SAYS_POOLING;
    if (!strcmp(key, "pooling_mode")) return read_pooling_names(j, m, e);
    if (!strcmp(key, "include_prompt")) return json_bool(j, &m->include_prompt, e);
    if (!strncmp(key, "pooling_mode_", 13)) return read_pooling_flag(j, key, flags, e);
    if (strcmp(key, "embedding_dimension") && strcmp(key, "word_embedding_dimension")) return refuse_key(j, key, e);
    *flags |= SAYS_DIMENSION;
    return json_skip(j, e);
}

/* The names count if there are any, else the flags. A file with the dimension alone means the library's default, the
 * mean. Flags that are all false, or nothing at all, are refused: to guess would give vectors that look right. */
static Status read_pooling(const char *path, SentenceModel *m, Error *e)
{
    FileView file;
    JsonReader j;
    char key[64];
    bool more;
    unsigned flags = 0;
    m->include_prompt = true;
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Status s = json_open(&j, path, file.data, file.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
        s = read_pooling_key(&j, key, m, &flags, e);
    if (s == BERT_OK) s = json_end(&j, e);
    const bool named = m->pooling_count > 0;
    if (s == BERT_OK && !(flags & SAYS_POOLING) && flags & SAYS_DIMENSION) flags |= 1u << POOLED_MEAN;
    for (int p = 0; s == BERT_OK && !named && p < POOLING_NAMES; p++)
        if (flags & 1u << p) m->poolings[m->pooling_count++] = (TokenPooling)p;
    if (s == BERT_OK && m->pooling_count == 0)
        s = fail(e, BERT_FILE, "%s: found no pooling mode, expected cls, max, mean, mean_sqrt_len_tokens, weightedmean "
                 "or lasttoken: use --pooling", path);
    file_close(&file);
    return s;
}

/* SpladePooling, of the MLM head's logits: log(1 + max(0, x)), for log1p_relu the logarithm once more, and of every
 * piece the maximum or the sum over the tokens. */
static Status read_splade_key(JsonReader *j, const char *key, SentenceModel *m, Error *e)
{
    static const char *const passed[] = {"embedding_dimension", "word_embedding_dimension", "chunk_size"};
    char word[32] = "";
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (!strcmp(key, passed[i])) return json_skip(j, e);
    if (!strcmp(key, "pooling_strategy")) {
        const Status s = read_word(j, key, "max", "sum", word, e);
        m->splade_sum = !strcmp(word, "sum");
        return s;
    }
    if (!strcmp(key, "activation_function")) {
        const Status s = read_word(j, key, "relu", "log1p_relu", word, e);
        m->splade_twice = !strcmp(word, "log1p_relu");
        return s;
    }
    return refuse_key(j, key, e);
}

static Status read_splade(const char *path, SentenceModel *m, Error *e)
{
    FileView file;
    JsonReader j;
    char key[64];
    bool more;
    m->splade = true;
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Status s = json_open(&j, path, file.data, file.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
        s = read_splade_key(&j, key, m, e);
    if (s == BERT_OK) s = json_end(&j, e);
    file_close(&file);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What comes after the Pooling
 * ------------------------------------------------------------------------------------------------------------------ */
/* The numbers of a tensor as reals, malloc'ed. It must have this shape: cols = 0 is one-dimensional. */
static Status read_numbers(real **out, const Safetensors *st, const char *name, size_t rows, size_t cols, Error *e)
{
    const SafeTensor *t = safetensors_find(st, name);
    const char *path = st->file.path;
    if (!t) return fail(e, BERT_FILE, "%s: there is no tensor %s", path, name);
    const bool fits = t->rank == (cols ? 2 : 1) && t->shape[0] == rows && (!cols || t->shape[1] == cols);
    if (t->dtype > DTYPE_BF16 || !fits)             /* integers behind the floating types */
        return fail(e, BERT_FILE, "%s: %s is %s of rank %d with %zu numbers, expected (%zu%s%.0zu)", path, name,
                    dtype_name(t->dtype), t->rank, t->count, rows, cols ? ", " : "", cols);
    size_t bytes;
    real *numbers = size_mul(t->count, sizeof *numbers, &bytes) ? malloc(bytes) : NULL;
    if (!numbers) return fail(e, BERT_SYSTEM, "out of memory for %s", name);
    for (size_t i = 0; i < t->count; i++) numbers[i] = (real)tensor_element(t, i);
    *out = numbers;
    return BERT_OK;
}

/* directory/model.safetensors of a module, opened. */
static Status open_numbers(Safetensors *st, const char *directory, Error *e)
{
    char path[4800];
    if (!file_exists(directory, "model.safetensors") && file_exists(directory, "pytorch_model.bin"))
        return fail(e, BERT_FILE, "%s/pytorch_model.bin: a module's weights are read from model.safetensors only: save "
                    "the model with a newer sentence-transformers", directory);
    snprintf(path, sizeof path, "%.4700s/model.safetensors", directory);
    return safetensors_open(st, path, e);
}

/* 1 to 2^24, as in config.json. */
static Status read_dimension(JsonReader *j, const char *key, size_t *size, Error *e)
{
    int64_t n;
    if (json_integer(j, &n, e) != BERT_OK) return e->status;
    if (n < 1 || n > 1 << 24)
        return fail(e, BERT_FILE, "%s: %s is %lld, expected 1 to %d", j->path, key, (long long)n, 1 << 24);
    *size = (size_t)n;
    return BERT_OK;
}

/* "torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity": classes of PyTorch, by their last word.
 * Differs: the library takes tanh for a class that is not PyTorch's; here it is refused. */
static Status read_activation(JsonReader *j, SentenceModule *module, Error *e)
{
    char name[256];
    if (json_string(j, name, sizeof name, e) != BERT_OK) return e->status;
    const char *dot = strrchr(name, '.'), *class = dot ? dot + 1 : name;
    module->tanh = !strcmp(class, "Tanh");
    if (!strncmp(name, "torch.nn.", 9) && (module->tanh || !strcmp(class, "Identity"))) return BERT_OK;
    return fail(e, BERT_FILE, "%s: activation_function is \"%s\", expected torch's Tanh or Identity", j->path, name);
}

/* module_input_name and module_output_name: only a sentence's vector is worked on here. */
static Status read_module_name(JsonReader *j, const char *key, Error *e)
{
    return read_null(j) ? BERT_OK : expect_word(j, key, "sentence_embedding", e);
}

static Status read_residual(JsonReader *j, Error *e)
{
    bool yes;
    if (json_bool(j, &yes, e) != BERT_OK) return e->status;
    return yes ? fail(e, BERT_FILE, "%s: use_residual is true, expected false", j->path) : BERT_OK;
}

/* One member of a module's config.json, of whatever kind the module is. A key that is not the kind's own changes
 * nothing in the library, either. */
static Status read_module_key(JsonReader *j, const char *key, SentenceModule *module, bool *bias, Error *e)
{
    const bool dense = module->kind == MODULE_DENSE;
    if (dense && !strcmp(key, "in_features")) return read_dimension(j, key, &module->in, e);
    if (dense && !strcmp(key, "out_features")) return read_dimension(j, key, &module->out, e);
    if (dense && !strcmp(key, "bias")) return json_bool(j, bias, e);
    if (dense && !strcmp(key, "activation_function")) return read_activation(j, module, e);
    if (dense && !strcmp(key, "use_residual")) return read_residual(j, e);
    if (module->kind == MODULE_LAYER_NORM && !strcmp(key, "dimension")) return read_dimension(j, key, &module->in, e);
    if (!strcmp(key, "module_input_name") || !strcmp(key, "module_output_name")) return read_module_name(j, key, e);
    return json_skip(j, e);
}

static Status read_module_config(const char *path, SentenceModule *module, bool *bias, Error *e)
{
    FileView file;
    JsonReader j;
    char key[64];
    bool more;
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Status s = json_open(&j, path, file.data, file.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
        s = read_module_key(&j, key, module, bias, e);
    if (s == BERT_OK) s = json_end(&j, e);
    file_close(&file);
    return s;
}

/* Dense: linear.weight (out, in) and linear.bias (out). LayerNorm: norm.weight and norm.bias (in). */
static Status read_module_weights(const char *directory, SentenceModule *module, bool bias, Error *e)
{
    Safetensors st;
    const bool dense = module->kind == MODULE_DENSE;
    if (open_numbers(&st, directory, e) != BERT_OK) return e->status;
    if (dense && !bias && safetensors_find(&st, "linear.bias")) {
        safetensors_close(&st);
        return fail(e, BERT_FILE, "%s/model.safetensors: has a tensor linear.bias, but config.json says \"bias\": false",
                    directory);
    }
    Status s = dense ? read_numbers(&module->weight, &st, "linear.weight", module->out, module->in, e)
                     : read_numbers(&module->weight, &st, "norm.weight", module->in, 0, e);
    if (s == BERT_OK && bias)
        s = read_numbers(&module->bias, &st, dense ? "linear.bias" : "norm.bias", module->out, 0, e);
    safetensors_close(&st);
    return s;
}

/* A Dense or LayerNorm whose input has `size` numbers; *size becomes that of its output. */
static Status read_weighted(const char *directory, SentenceModule *module, size_t *size, Error *e)
{
    char path[4800];
    bool bias = true;
    module->tanh = module->kind == MODULE_DENSE;
    snprintf(path, sizeof path, "%.4700s/config.json", directory);
    if (read_module_config(path, module, &bias, e) != BERT_OK) return e->status;
    if (module->kind == MODULE_LAYER_NORM) module->out = module->in;
    if (!module->in || !module->out)
        return fail(e, BERT_FILE, "%s: the key \"%s\" is missing", path,
                    module->kind == MODULE_LAYER_NORM ? "dimension" : module->in ? "out_features" : "in_features");
    if (module->in != *size)
        return fail(e, BERT_FILE, "%s: takes vectors of %zu numbers, but the module before it makes %zu", path,
                    module->in, *size);
    *size = module->out;
    return read_module_weights(directory, module, bias, e);
}

/* One module after the Pooling. Dropout drops in training only. Normalize may say which vector it is about, or have no
 * file at all.
 * Trap: its directory is empty in older models, and git does not keep empty directories: in most copies only the list
 * is left. */
static Status read_module(const char *directory, const ModuleEntry *entry, SentenceModel *m, size_t *size, Error *e)
{
    char path[4400];
    bool bias;
    SentenceModule *module = &m->modules[m->count];
    snprintf(path, sizeof path, "%.4096s/%s", directory, entry->path);
    if (!strcmp(entry->class, "Dropout")) return BERT_OK;
    m->count++;
    *module = (SentenceModule){.kind = !strcmp(entry->class, "Dense") ? MODULE_DENSE :
                                       !strcmp(entry->class, "LayerNorm") ? MODULE_LAYER_NORM : MODULE_NORMALIZE};
    if (module->kind != MODULE_NORMALIZE) return read_weighted(path, module, size, e);
    if (!*entry->path || !file_exists(path, "config.json")) return BERT_OK;
    snprintf(path, sizeof path, "%.4096s/%s/config.json", directory, entry->path);
    return read_module_config(path, module, &bias, e);
}

/* What is expected at place i of the list: a Transformer, a Pooling, then the others. The names must differ: of two
 * equal ones the library forgets the first. */
static Status check_entry(const char *directory, const ModuleList *list, int i, Error *e)
{
    static const char *const after[] = {"Dense", "LayerNorm", "Normalize", "Dropout"};
    const ModuleEntry *entry = &list->entry[i];
    const bool splade = i > 0 && !strcmp(list->entry[1].class, "SpladePooling");
    bool known = i == 0 ? is_transformer(entry) : i == 1 && (splade || !strcmp(entry->class, "Pooling"));
    for (size_t k = 0; i > 1 && !splade && k < sizeof after / sizeof *after; k++)
        known |= !strcmp(entry->class, after[k]);
    for (int k = 0; k < i; k++)
        if (!strcmp(entry->name, list->entry[k].name))
            return fail(e, BERT_FILE, "%s/modules.json: two modules have the name \"%s\"", directory, entry->name);
    if (known && is_of_the_library(entry)) return BERT_OK;
    return fail(e, BERT_FILE, "%s/modules.json: \"type\" of module %d is \"%s\", expected sentence_transformers' %s",
                directory, i, entry->type, i == 0 ? "Transformer" : i == 1 ? "Pooling or SpladePooling" :
                splade ? "list to end with SpladePooling" : "Dense, LayerNorm, Normalize or Dropout");
}

/* Without modules.json: is there a directory 2_Normalize? */
static Status find_normalize(const char *directory, bool *normalize, Error *e)
{
    char path[4400];
    struct stat info;                                                   /* nothing in it is read: no failure may pass */
    snprintf(path, sizeof path, "%.4096s/2_Normalize", directory);
    *normalize = stat(path, &info) == 0;
    if (*normalize || errno == ENOENT || errno == ENOTDIR) return BERT_OK;
    return fail(e, BERT_FILE, "%s: %s", path, strerror(errno));
}

/* Without modules.json: 1_Pooling, and 2_Normalize if there is one. */
static Status read_without_list(const char *directory, SentenceModel *m, Error *e)
{
    char path[4400];
    bool normalize = false;
    snprintf(path, sizeof path, "%.4096s/1_Pooling/config.json", directory);
    if (read_pooling(path, m, e) != BERT_OK || find_normalize(directory, &normalize, e) != BERT_OK) return e->status;
    if (normalize) m->modules[m->count++].kind = MODULE_NORMALIZE;
    return BERT_OK;
}

Status sentence_modules_named(const char *directory, bool *normalize, bool *others, Error *e)
{
    ModuleList list;
    *normalize = *others = false;
    if (!file_exists(directory, "modules.json")) return find_normalize(directory, normalize, e);
    if (read_list(directory, &list, e) != BERT_OK) return e->status;
    for (int i = 0; i < list.count; i++) {
        const char *class = list.entry[i].class;
        const bool passed = is_transformer(&list.entry[i]) || !strcmp(class, "Pooling") || !strcmp(class, "Dropout");
        if (!strcmp(class, "Normalize")) *normalize = true;
        else if (!passed) *others = true;
    }
    return BERT_OK;
}

/* The Transformer makes what the pooling takes: hidden states, or for SpladePooling the logits of the MLM head. */
static Status check_task(const char *directory, const SentenceText *text, bool splade, Error *e)
{
    if (text->fill_mask != splade)
        return fail(e, BERT_FILE, "%s/%s%s%s: transformer_task is \"%s\", expected \"%s\" before %s", directory,
                    text->model, *text->model ? "/" : "", text->file,
                    splade ? "feature-extraction" : "fill-mask", splade ? "fill-mask" : "feature-extraction",
                    splade ? "SpladePooling" : "Pooling");
    if (*text->output && !strcmp(text->output, "logits") != splade)
        return fail(e, BERT_FILE, "%s/%s%s%s: method_output_name is \"%s\", expected \"%s\"", directory,
                    text->model, *text->model ? "/" : "", text->file, text->output, splade ? "logits" : "last_hidden_state");
    return BERT_OK;
}

static Status read_modules(const char *directory, const ModuleList *list, size_t H, SentenceModel *m, Error *e)
{
    char path[4800];
    const bool splade = list->count > 1 && !strcmp(list->entry[1].class, "SpladePooling");
    SentenceText text = {.fill_mask = list->count && !strcmp(list->entry[0].class, "MLMTransformer")};
    if (list->count == 1 && check_entry(directory, list, 0, e) == BERT_OK)
        return fail(e, BERT_FILE, "%s/modules.json: ends after its Transformer, expected a Pooling: a cross-encoder "
                    "gives scores, not vectors (`bert classify`, or `bert rank` if it has one label)", directory);
    if (list->count < 2)
        return list->count ? e->status : fail(e, BERT_FILE, "%s/modules.json: 0 modules, expected a Transformer and a "
                                              "Pooling", directory);
    for (int i = 0; i < list->count; i++)
        if (check_entry(directory, list, i, e) != BERT_OK) return e->status;
    snprintf(text.model, sizeof text.model, "%s", list->entry[0].path);
    if (find_text_settings(directory, true, &text, e) != BERT_OK) return e->status;
    snprintf(path, sizeof path, "%.4096s/%s/config.json", directory, list->entry[1].path);
    if (check_task(directory, &text, splade, e) != BERT_OK) return e->status;
    if ((splade ? read_splade(path, m, e) : read_pooling(path, m, e)) != BERT_OK) return e->status;
    size_t size = (size_t)m->pooling_count * H;
    for (int i = 2; i < list->count; i++)
        if (read_module(directory, &list->entry[i], m, &size, e) != BERT_OK) return e->status;
    m->dim = size;
    return BERT_OK;
}

Status sentence_model_read(const char *directory, size_t H, size_t V, SentenceModel *m, Error *e)
{
    ModuleList list;
    *m = (SentenceModel){.include_prompt = true};
    const bool listed = file_exists(directory, "modules.json");
    Status s = listed ? read_list(directory, &list, e) : read_without_list(directory, m, e);
    if (s == BERT_OK && listed) s = read_modules(directory, &list, H, m, e);
    if (s == BERT_OK && !listed) m->dim = (size_t)m->pooling_count * H;
    if (s == BERT_OK && m->splade) m->dim = V;
    if (s == BERT_OK) s = apply_vector_settings(directory, m, e);
    if (s != BERT_OK) sentence_model_free(m);
    return s;
}

void sentence_model_free(SentenceModel *m)
{
    for (int i = 0; i < m->count; i++) {
        free(m->modules[i].weight);
        free(m->modules[i].bias);
    }
    *m = (SentenceModel){.include_prompt = true};
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Prompts: "prompts": {"query": "Represent this: ", "document": ""}, "default_prompt_name": "query"
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *wanted;             /* the prompt's name */
    char *text;                     /* room for the file's size; the prompt itself */
    size_t capacity;
    bool found;
    bool filled;                    /* `names` leaves out prompts that are empty */
    char names[400];                /* all names, for a message */
} Prompts;

/* Adds the name to the list of names. */
static void add_name(Prompts *p, const char *name)
{
    const size_t n = strlen(p->names);
    snprintf(p->names + n, sizeof p->names - n, "%s%s", n ? ", " : "", name);
}

/* The name of a prompt that is not empty, for prompt_names. */
static Status read_filled(JsonReader *j, const char *name, Prompts *p, Error *e)
{
    if (read_null(j)) return BERT_OK;
    const Status s = json_string(j, p->text, p->capacity, e);
    if (s == BERT_OK && *p->text) add_name(p, name);
    return s;
}

static Status read_prompts(JsonReader *j, Prompts *p, Error *e)
{
    char key[256];
    bool more;
    Status s = json_begin(j, '{', e);
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (p->filled) {
            s = read_filled(j, key, p, e);
            continue;
        }
        add_name(p, key);
        const bool is_it = p->wanted && !strcmp(key, p->wanted);
        if (is_it) p->found = true;
        if (is_it && read_null(j)) p->text[0] = 0;
        else s = is_it ? json_string(j, p->text, p->capacity, e) : json_skip(j, e);
    }
    return s;
}

/* The whole file, for the name of the default prompt (`name` is not NULL) or for a prompt of a known name. */
static Status read_prompt_file(JsonReader j, char name[256], Prompts *p, Error *e)
{
    char key[64];
    bool more;
    Status s = json_open(&j, j.path, j.text, j.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (name && !strcmp(key, "default_prompt_name")) s = read_null(&j) ? BERT_OK : json_string(&j, name, 256, e);
        else if (!name && !strcmp(key, "prompts")) s = read_null(&j) ? BERT_OK : read_prompts(&j, p, e);
        else s = json_skip(&j, e);
    }
    return s == BERT_OK ? json_end(&j, e) : s;
}

/* Finds the prompt in the open file; p->text is its room. */
static Status find_prompt(const JsonReader *j, const char *name, Prompts *p, Error *e)
{
    char usual[256] = "";
    if (!name && read_prompt_file(*j, usual, p, e) != BERT_OK) return e->status;
    p->wanted = name ? name : usual;
    if (!*p->wanted) return BERT_OK;
    if (read_prompt_file(*j, NULL, p, e) != BERT_OK) return e->status;
    if (p->found) return BERT_OK;
    return fail(e, name ? BERT_USAGE : BERT_FILE, "%s: there is no prompt \"%s\"; it has: %s", j->path, p->wanted,
                *p->names ? p->names : "none");
}

Status prompt_read(const char *directory, const char *name, char **prompt, Error *e)
{
    char path[4400];
    FileView file;
    *prompt = NULL;
    snprintf(path, sizeof path, "%.4096s/config_sentence_transformers.json", directory);
    if (!file_exists(directory, "config_sentence_transformers.json"))
        return !name ? BERT_OK : fail(e, BERT_USAGE, "--prompt %s: there is no %s", name, path);
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Prompts p = {.capacity = file.size + 1};
    p.text = calloc(p.capacity, 1);
    const JsonReader j = {.path = path, .text = file.data, .size = file.size};
    Status s = p.text ? find_prompt(&j, name, &p, e) : fail(e, BERT_SYSTEM, "out of memory for the prompt");
    file_close(&file);
    if (s == BERT_OK && *p.text) *prompt = p.text;
    else free(p.text);
    return s;
}

Status prompt_names(const char *directory, char names[400], Error *e)
{
    char path[4400];
    FileView file;
    *names = 0;
    if (!file_exists(directory, "config_sentence_transformers.json")) return BERT_OK;
    snprintf(path, sizeof path, "%.4096s/config_sentence_transformers.json", directory);
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Prompts p = {.capacity = file.size + 1, .filled = true};
    p.text = calloc(p.capacity, 1);
    const JsonReader j = {.path = path, .text = file.data, .size = file.size};
    const Status s = p.text ? read_prompt_file(j, NULL, &p, e) : fail(e, BERT_SYSTEM, "out of memory for the prompts");
    file_close(&file);
    free(p.text);
    snprintf(names, 400, "%s", p.names);
    return s;
}
