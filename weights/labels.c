/* labels.c - what a fine-tuned model's config.json says about its answers: the names of its labels, what kind of
 * problem they solve, and the curve that a cross-encoder ends with.
 *
 *     "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}      the name of each row of the classifier
 *     "label2id": {"NEGATIVE": 0, "POSITIVE": 1}          the same backwards, in an order of its own
 *     "num_labels": 2                                     where there are no names
 *     "problem_type": "single_label_classification"       or "multi_label_classification", "regression"
 *     "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}
 *     "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"      the same, before 2025
 *
 * (Since 2026 the curve stands in config_sentence_transformers.json, "activation_fn", and counts first there.)
 *
 * The file is a stranger's. Names may be long, equal, or hold control characters; ids may be missing, negative, or no
 * numbers. A name is only ever printed, escaped; what would leave a row without a name is refused.
 *
 * Trap: nothing in the weights says which row means what. Checkpoints of one family have their labels in different
 * orders, and a program that knows "0 is negative" by heart is wrong for the next one.
 */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 1000 };             /* bytes of a label, and its NUL */

/* Reading: the labels, and the one allocation that all names go into. Decoded, a string is never longer than in the
 * file, quotes included. */
typedef struct {
    Labels *labels;
    const char *path;
    char *names;
    size_t used, capacity;
    LabelId *rows;                      /* id2label, in the order of the file */
    int row_count, row_room, id_room;
    bool has_rows, has_ids;             /* the key was there, and was no null */
    int64_t num_labels;                 /* 0: not said */
} LabelReader;

/* "1" -> 1. Digits alone, without a 0 in front: whoever writes "01" or " 1" tests how far readers disagree. -1: it is
 * none, or too large. */
static int id_of(const char *text)
{
    int id = 0;
    if (!*text || (text[0] == '0' && text[1])) return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || id >= MAX_LABELS) return -1;
        id = id * 10 + (*text - '0');
    }
    return id < MAX_LABELS ? id : -1;
}

/* A place for one more entry in a list that doubles when it is full; NULL: out of memory. */
static LabelId *new_entry(LabelId **list, int *count, int *room)
{
    if (*count == *room) {
        LabelId *larger = realloc(*list, (size_t)(*room ? 2 * *room : 16) * sizeof *larger);
        if (!larger) return NULL;
        *list = larger;
        *room = *room ? 2 * *room : 16;
    }
    return &(*list)[(*count)++];
}

/* Keeps a name; NULL if it does not fit, which cannot be. */
static const char *keep_name(LabelReader *r, const char *name)
{
    const size_t n = strlen(name) + 1;
    if (n > r->capacity - r->used) return NULL;
    char *at = memcpy(r->names + r->used, name, n);
    r->used += n;
    return at;
}

/* A value that is a label: a string, or a whole number, whose digits are its name then. */
static Status read_name(JsonReader *j, const char *key, char *name, size_t capacity, Error *e)
{
    int64_t number;
    if (json_peek(j) != '0' && json_peek(j) != '"')
        return fail(e, BERT_FILE, "%s: id2label gives '%.100s' no name, expected a string or a whole number",
                    j->path, key);
    if (json_peek(j) != '0') return json_string(j, name, capacity, e);
    Status s = json_integer(j, &number, e);
    if (s == BERT_OK) snprintf(name, capacity, "%lld", (long long)number);
    return s;
}

/* A value that is an id: a whole number, or (in some label2id) a string of digits. */
static Status read_id(JsonReader *j, const char *label, int *id, Error *e)
{
    char text[32] = "";
    int64_t number = -1;
    Status s = BERT_OK;
    if (json_peek(j) != '"') s = json_integer(j, &number, e);
    else if ((s = json_string(j, text, sizeof text, e)) == BERT_OK) number = id_of(text);
    if (s) return s;
    if (number < 0 || number >= MAX_LABELS)
        return fail(e, BERT_FILE, "%s: label2id gives '%.100s' an id that is no number from 0 on", j->path, label);
    *id = (int)number;
    return BERT_OK;
}

/* One member of id2label (`rows`: key id, value label) or of label2id (key label, value id). */
static Status read_member(LabelReader *r, JsonReader *j, const char *key, bool rows, Error *e)
{
    char value[NAME_LIMIT];
    int id = rows ? id_of(key) : -1;
    if (rows && id < 0)
        return fail(e, BERT_FILE, "%s: id2label has the key '%.100s', expected a number from 0 on", r->path, key);
    Status s = rows ? read_name(j, key, value, sizeof value, e) : read_id(j, key, &id, e);
    if (s) return s;
    LabelId *entry = rows ? new_entry(&r->rows, &r->row_count, &r->row_room)
                          : new_entry(&r->labels->ids, &r->labels->id_count, &r->id_room);
    const char *name = keep_name(r, rows ? value : key);
    if (!entry || !name) return fail(e, BERT_SYSTEM, "%s: out of memory for its labels", r->path);
    *entry = (LabelId){name, id};
    if ((rows ? r->row_count : r->labels->id_count) > MAX_LABELS)
        return fail(e, BERT_FILE, "%s: more than %d labels", r->path, (int)MAX_LABELS);
    return BERT_OK;
}

/* id2label or label2id: an object, or null for none. */
static Status read_map(LabelReader *r, JsonReader *j, bool rows, Error *e)
{
    char key[NAME_LIMIT];
    bool more, *seen = rows ? &r->has_rows : &r->has_ids;
    if (json_peek(j) == 'n') return json_skip(j, e);
    if (*seen) return fail(e, BERT_FILE, "%s: found %s twice", r->path, rows ? "id2label" : "label2id");
    *seen = true;
    if (json_peek(j) != '{')
        return fail(e, BERT_FILE, "%s: %s: expected an object such as %s", r->path, rows ? "id2label" : "label2id",
                    rows ? "{\"0\": \"NAME\", ...}" : "{\"NAME\": 0, ...}");
    Status s = json_begin(j, '{', e);
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more)
        s = read_member(r, j, key, rows, e);
    return s;
}

/* problem_type. Transformers refuses other words, too. */
static Status read_problem(LabelReader *r, JsonReader *j, Error *e)
{
    static const char *const names[] = {"", "regression", "single_label_classification", "multi_label_classification"};
    char text[128];
    if (json_peek(j) == 'n') return json_skip(j, e);
    Status s = json_string(j, text, sizeof text, e);
    for (int i = 1; s == BERT_OK && i < 4; i++)
        if (!strcmp(text, names[i])) {
            r->labels->problem = (ProblemType)i;
            return BERT_OK;
        }
    return s ? s : fail(e, BERT_FILE, "%s: problem_type is \"%s\", expected \"%s\", \"%s\" or \"%s\"", r->path, text,
                        names[1], names[2], names[3]);
}

/* The path of a Python class, of which only the last name counts; `place` names file and key in messages.
 * Differs: sentence-transformers takes what begins with `torch.` alone, and with any other path its default, with a
 * warning. So here, but the path is kept, so that the warning can name it. */
static Status read_activation(LabelReader *r, JsonReader *j, const char *place, Error *e)
{
    Labels *l = r->labels;
    if (json_peek(j) == 'n') return json_skip(j, e);
    l->activation_place = place;
    Status s = json_string(j, l->activation_name, sizeof l->activation_name, e);
    if (s) return s;
    const char *last = strrchr(l->activation_name, '.');
    last = last ? last + 1 : l->activation_name;
    if (strncmp(l->activation_name, "torch.", 6)) l->activation = ACTIVATION_FOREIGN;
    else if (!strcmp(last, "Identity")) l->activation = ACTIVATION_NONE;
    else if (!strcmp(last, "Sigmoid")) l->activation = ACTIVATION_SIGMOID;
    else l->activation = ACTIVATION_UNKNOWN;
    return BERT_OK;
}

/* "activation_fn" in the object that has been entered, which is at `place`; *found: it was there. */
static Status read_activation_member(LabelReader *r, JsonReader *j, const char *place, bool *found, Error *e)
{
    char key[256];
    bool more;
    Status s = BERT_OK;
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        const bool activation = !strcmp(key, "activation_fn");
        if (activation) *found = true, r->labels->activation = ACTIVATION_UNSAID;
        s = activation ? read_activation(r, j, place, e) : json_skip(j, e);
    }
    return s;
}

/* "sentence_transformers": {"activation_fn": ...}, which counts before the older key. */
static Status read_sentence_transformers(LabelReader *r, JsonReader *j, bool *newer, Error *e)
{
    if (json_peek(j) != '{') return json_skip(j, e);
    Status s = json_begin(j, '{', e);
    return s ? s : read_activation_member(r, j, "config.json: sentence_transformers.activation_fn", newer, e);
}

/* num_labels, or in files of old libraries _num_labels. */
static Status read_count(LabelReader *r, JsonReader *j, Error *e)
{
    if (json_peek(j) == 'n') return json_skip(j, e);
    Status s = json_integer(j, &r->num_labels, e);
    if (s == BERT_OK && (r->num_labels < 1 || r->num_labels > MAX_LABELS))
        return fail(e, BERT_FILE, "%s: num_labels is %lld, expected 1 to %d", r->path, (long long)r->num_labels,
                    (int)MAX_LABELS);
    return s;
}

/* The members of config.json that are about labels; all others are skipped. */
static Status read_labels(LabelReader *r, JsonReader *j, Error *e)
{
    char key[256];
    bool more, newer = false;
    Status s = BERT_OK;
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        const bool older = !strcmp(key, "sbert_ce_default_activation_function");
        if (!strcmp(key, "id2label") || !strcmp(key, "label2id")) s = read_map(r, j, key[0] == 'i', e);
        else if (!strcmp(key, "num_labels") || !strcmp(key, "_num_labels")) s = read_count(r, j, e);
        else if (!strcmp(key, "problem_type")) s = read_problem(r, j, e);
        else if (!strcmp(key, "sentence_transformers")) s = read_sentence_transformers(r, j, &newer, e);
        else if (older && !newer) s = read_activation(r, j, "config.json: sbert_ce_default_activation_function", e);
        else s = json_skip(j, e);
    }
    return s == BERT_OK ? json_end(j, e) : s;
}

/* Each of the ids 0 .. count-1 once: then no row is without a name. */
static Status name_rows(LabelReader *r, Error *e)
{
    Labels *l = r->labels;
    l->count = r->row_count;
    l->names = calloc((size_t)l->count + 1, sizeof *l->names);
    if (!l->names) return fail(e, BERT_SYSTEM, "%s: out of memory for its labels", r->path);
    for (int i = 0; i < r->row_count; i++) {
        const LabelId *row = &r->rows[i];
        if (row->id < l->count && !l->names[row->id]) l->names[row->id] = row->name;
        else if (row->id < l->count) return fail(e, BERT_FILE, "%s: id2label has the id %d twice", r->path, row->id);
    }
    for (int id = 0; id < l->count; id++)
        if (!l->names[id])
            return fail(e, BERT_FILE, "%s: id2label has %d labels, but none for %d", r->path, l->count, id);
    return BERT_OK;
}

/* LABEL_0, LABEL_1 ... as Hugging Face's library calls them.
 * Differs: with neither names nor a number it takes two, and refuses weights with another number of rows. */
static Status default_names(Labels *l, const char *path, int count, Error *e)
{
    enum { SIZE = 24 };
    l->count = count;
    l->names = calloc((size_t)count + 1, sizeof *l->names);
    l->defaults = malloc((size_t)count * SIZE + 1);
    if (!l->names || !l->defaults) return fail(e, BERT_SYSTEM, "%s: out of memory for its labels", path);
    for (int i = 0; i < count; i++) {
        snprintf(l->defaults + (size_t)i * SIZE, SIZE, "LABEL_%d", i);
        l->names[i] = l->defaults + (size_t)i * SIZE;
    }
    return BERT_OK;
}

/* The labels against each other and against the classifier's K rows (0: not known). Multiple choice scores every choice
 * with one row, whatever the labels are. */
static Status check_count(LabelReader *r, const BertConfig *config, Error *e)
{
    const int K = config->head == HEAD_CHOICE ? 0 : config->K;
    const bool one = r->has_rows ? r->row_count == 1 : r->num_labels == 1;
    if (one && r->labels->problem == PROBLEM_SINGLE_LABEL)
        return fail(e, BERT_FILE, "%s: problem_type is \"single_label_classification\", but there is one label: "
                    "expected two or more, or \"regression\"", r->path);
    if (r->has_rows && r->num_labels && r->num_labels != r->row_count)
        return fail(e, BERT_FILE, "%s: id2label has %d labels, but num_labels is %lld", r->path, r->row_count,
                    (long long)r->num_labels);
    if (K && r->has_rows && r->row_count != K)
        return fail(e, BERT_FILE, "%s: id2label has %d labels, but classifier.weight has %d rows", r->path,
                    r->row_count, K);
    if (K && r->num_labels && r->num_labels != K)
        return fail(e, BERT_FILE, "%s: num_labels is %lld, but classifier.weight has %d rows", r->path,
                    (long long)r->num_labels, K);
    return BERT_OK;
}

/* config.json, from the first byte to the last. */
static Status read_config(Labels *l, const char *path, const BertConfig *config, Error *e)
{
    FileView file;
    JsonReader j;
    LabelReader r = {.labels = l, .path = path};
    Status s = file_open(&file, path, e);
    if (s) return s;
    r.capacity = file.size + 64;                        /* a label that is a number gains at most its NUL */
    l->memory = r.names = malloc(r.capacity);
    if (!r.names) s = fail(e, BERT_SYSTEM, "%s: out of memory for its labels", path);
    if (s == BERT_OK) s = json_open(&j, path, file.data, file.size, 0, e);
    j.of_python = true;
    if (s == BERT_OK) s = read_labels(&r, &j, e);
    if (s == BERT_OK) s = check_count(&r, config, e);
    l->named = r.has_rows;
    if (s == BERT_OK && r.has_rows) s = name_rows(&r, e);
    else if (s == BERT_OK) s = default_names(l, path, config->K ? config->K : (int)r.num_labels, e);
    free(r.rows);
    file_close(&file);
    return s;
}

/* config_sentence_transformers.json: its activation_fn, if there is one. */
static Status read_newest(Labels *l, const char *path, Error *e)
{
    FileView file;
    JsonReader j;
    LabelReader r = {.labels = l, .path = path};
    bool ignored = false;
    Status s = file_open(&file, path, e);
    if (s) return s;
    const CrossActivation before = l->activation;
    s = json_open(&j, path, file.data, file.size, 0, e);
    if (s == BERT_OK) s = read_activation_member(&r, &j, "config_sentence_transformers.json: activation_fn", &ignored, e);
    if (s == BERT_OK) s = json_end(&j, e);
    if (l->activation == ACTIVATION_UNSAID) l->activation = before;
    file_close(&file);
    return s;
}

Status labels_load(Labels *l, const char *directory, const BertConfig *config, Error *e)
{
    static const char newest[] = "config_sentence_transformers.json";
    char path[4400];
    *l = (Labels){0};
    snprintf(path, sizeof path, "%.4096s/config.json", directory);
    Status s = read_config(l, path, config, e);
    snprintf(path, sizeof path, "%.4096s/%s", directory, newest);
    if (s == BERT_OK && file_exists(directory, newest)) s = read_newest(l, path, e);
    if (s) labels_free(l);
    return s;
}

void labels_free(Labels *l)
{
    free(l->names);
    free(l->ids);
    free(l->memory);
    free(l->defaults);
    *l = (Labels){0};
}

/* Two rows of one name cannot be told apart in an answer. By sorting: a hostile file has a hundred thousand labels. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *labels_equal(const Labels *l)
{
    const char **sorted = malloc(((size_t)l->count + 1) * sizeof *sorted), *twice = NULL;
    if (!sorted) return NULL;
    memcpy(sorted, l->names, (size_t)l->count * sizeof *sorted);
    qsort(sorted, (size_t)l->count, sizeof *sorted, by_text);
    for (int i = 1; i < l->count && !twice; i++)
        if (!strcmp(sorted[i - 1], sorted[i])) twice = sorted[i];
    free(sorted);
    return twice;
}

/* The letters of ASCII alone: `entail` in any case. */
static bool begins_with_entail(const char *name)
{
    static const char word[] = "entail";
    for (int i = 0; word[i]; i++)
        if ((name[i] | 0x20) != word[i]) return false;
    return true;
}

int labels_entailment(const Labels *l)
{
    for (int i = 0; i < l->id_count; i++)
        if (begins_with_entail(l->ids[i].name)) return l->ids[i].id;
    for (int i = 0; !l->id_count && i < l->count; i++)
        if (begins_with_entail(l->names[i])) return i;
    return -1;
}
