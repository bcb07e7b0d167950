/* fuzz_config.c - any text as one of the JSON files of a model directory, and as JSON: refused with a sentence,
 * or read to values that are in range; and read to the same values with white space behind it, and not at all without
 * its last bracket.
 *
 * The first byte chooses the file and who reads it, the rest is the text.
 */
#include "fuzz.h"
#include "weights/weights.h"
#include <stdlib.h>
#include <string.h>

/* What a file says, as a checksum: two readings are compared by it. */
typedef uint64_t Values;

/* ---------------------------------------------------------------------------------------------------------------------
 * Any JSON, by all functions of the reader
 * ------------------------------------------------------------------------------------------------------------------ */
static void note_value(Values *v, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++) *v = (*v ^ p[i]) * 0x100000001B3u;
}

/* A value that is no object or array, by the function for its kind. */
static Status read_simple(JsonReader *j, char kind, Values *v, Error *e)
{
    char text[256] = "";
    JsonReader before = *j;
    int64_t integer;
    double number = 0;
    bool flag = false;
    Status s = BERT_OK;
    if (kind == '"') s = json_string(j, text, sizeof text, e);
    else if (kind == 't' || kind == 'f') s = json_bool(j, &flag, e);
    else if (kind != '0') s = json_skip(j, e);                          /* null, or malformed */
    else if (json_integer(j, &integer, e) == BERT_OK) number = (double)integer;
    else *j = before, s = json_number(j, &number, e);
    note_value(v, text, strlen(text)), note_value(v, &number, sizeof number), note_value(v, &flag, 1);
    return s;
}

/* The whole text, in and out of what is open: no recursion here, either. */
static Status walk(JsonReader *j, Values *v, Error *e)
{
    while (j->depth > 0) {
        char key[256] = "", kind;
        bool more, object = j->kind[j->depth - 1] == '{';
        Status s = object ? json_next_key(j, key, sizeof key, &more, e) : json_next_element(j, &more, e);
        if (s != BERT_OK) return s;
        note_value(v, key, strlen(key) + more);
        if (!more) continue;
        kind = json_peek(j);
        s = kind == '{' || kind == '[' ? json_begin(j, kind, e) : read_simple(j, kind, v, e);
        if (s != BERT_OK) return s;
    }
    return json_end(j, e);
}

/* What is read value by value must also be JSON for the function that only passes over it. */
static Status read_any(Values *v, const uint8_t *text, size_t size, Error *e)
{
    uint8_t *copy = fuzz_copy(text, size);
    JsonReader j, again;
    bool more;
    Status s = json_open(&j, "t.json", copy, size, 0, e);
    again = j;
    if (s == BERT_OK) s = walk(&j, v, e);
    if (s == BERT_OK) {
        Status skipped = BERT_OK;
        while ((skipped = json_next_key(&again, NULL, 0, &more, e)) == BERT_OK && more)
            if ((skipped = json_skip(&again, e)) != BERT_OK) break;
        if (skipped == BERT_OK) skipped = json_end(&again, e);
        fuzz_expect(skipped == BERT_OK, "what was read can be skipped: %s", e->message);
    }
    free(copy);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The files
 * ------------------------------------------------------------------------------------------------------------------ */
static Status read_config_json(Values *v, Error *e)
{
    BertConfig config, *c = &config;
    Status s = config_load(c, fuzz_path("config.json"), e);
    if (s != BERT_OK) return s;
    const int sizes[] = {c->L, c->H, c->A, c->D, c->F, c->V, c->P, c->S};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fuzz_expect(sizes[i] >= (i == 7 && c->distilbert ? 0 : 1) && sizes[i] <= 1 << 24, "size %zu is %d", i, sizes[i]);
    fuzz_expect(c->L <= 1024 && c->D * c->A == c->H && c->eps >= 0 && c->eps <= 1, "sizes belong together");
    c->K = 1;
    for (size_t i = 0; i < tensor_table_size; i++)
        if (spec_pattern(&tensor_table[i], c->distilbert))
            fuzz_expect(spec_rows(&tensor_table[i], c) >= 1 && spec_cols(&tensor_table[i], c) >= 1, "shapes");
    note_value(v, sizes, sizeof sizes), note_value(v, &c->gelu, sizeof c->gelu), note_value(v, &c->eps, sizeof c->eps);
    return BERT_OK;
}

/* The labels of config.json, whatever the weights would say. */
static Status read_labels_json(Values *v, Error *e)
{
    const BertConfig config = {.head = HEAD_UNKNOWN};
    Labels l;
    Status s = labels_load(&l, fuzz_path(""), &config, e);
    if (s != BERT_OK) return s;
    const char *twice = labels_equal(&l);
    const int entailment = labels_entailment(&l);
    fuzz_expect(l.count >= 0 && l.count <= MAX_LABELS && entailment >= -1 && entailment < MAX_LABELS, "labels and rows");
    for (int i = 0; i < l.count; i++) {
        fuzz_expect(l.names[i] != NULL, "row %d has a name", i);
        note_value(v, l.names[i], strlen(l.names[i]) + 1);
    }
    for (int i = 0; i < l.id_count; i++) note_value(v, l.ids[i].name, strlen(l.ids[i].name) + 1);
    if (twice) note_value(v, twice, strlen(twice));
    note_value(v, &entailment, sizeof entailment), note_value(v, &l.problem, sizeof l.problem);
    note_value(v, &l.activation, sizeof l.activation);
    labels_free(&l);
    return BERT_OK;
}

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n";

static Status read_tokenizer_config(Values *v, Error *e)
{
    Tokenizer t;
    Status s = tokenizer_load(&t, fuzz_path(""), CASE_AUTO, e);
    if (s != BERT_OK) return s;
    note_value(v, &t.lower_case, 1), note_value(v, &t.strip_accents, 1), note_value(v, &t.chinese_chars, 1);
    tokenizer_free(&t);
    return BERT_OK;
}

/* One of the files of sentence-transformers, the others beside it as they should be. */
static const char modules_json[] =
    "[{\"name\":\"0\",\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},"
    "{\"name\":\"1\",\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"},"
    "{\"name\":\"2\",\"path\":\"\",\"type\":\"sentence_transformers.models.Normalize\"}]";

/* config_sentence_transformers.json beside the modules: what becomes of vectors, which prompts there are. */
static Status read_settings(VectorSettings *settings, Values *v, Error *e)
{
    char names[400] = "", *prompt = NULL;
    Status s = vector_settings_read(fuzz_path(""), settings, e);
    if (s == BERT_OK) s = prompt_names(fuzz_path(""), names, e);
    if (s == BERT_OK) s = prompt_read(fuzz_path(""), NULL, &prompt, e);
    fuzz_expect(settings->truncate_dim <= 1 << 24 && settings->similarity <= SIMILARITY_MANHATTAN, "settings in range");
    fuzz_expect(memchr(names, 0, sizeof names) != NULL, "the list of names ends");
    note_value(v, &settings->truncate_dim, sizeof settings->truncate_dim);
    note_value(v, &settings->active_dims, 1), note_value(v, &settings->similarity, sizeof settings->similarity);
    note_value(v, names, strlen(names));
    if (prompt) note_value(v, prompt, strlen(prompt));
    free(prompt);
    return s;
}

static Status read_sentence_config(int kind, const char *name, Values *v, const uint8_t *text, size_t size, Error *e)
{
    static const char pooling[] = "{\"pooling_mode\":\"mean\"}";
    SentenceText texts = {.max_length = 0};
    SentenceModel m = {.count = 0};
    VectorSettings settings = {.truncate_dim = 0};
    fuzz_put("modules.json", (const uint8_t *)modules_json, sizeof modules_json - 1);
    fuzz_put("1_Pooling/config.json", (const uint8_t *)pooling, sizeof pooling - 1);
    fuzz_put(name, text, size);
    Status s = sentence_text_read(fuzz_path(""), &texts, e);
    if (s == BERT_OK) s = sentence_model_read(fuzz_path(""), 4, 8, &m, e);
    if (s == BERT_OK && kind == 5) s = read_settings(&settings, v, e);
    fuzz_expect(texts.max_length >= 0 && texts.max_length <= 1 << 24, "max_length %d", texts.max_length);
    fuzz_expect(!strstr(texts.model, "..") || strncmp(texts.model, "../", 3), "the path leads down: %s", texts.model);
    fuzz_expect(s != BERT_OK || m.splade || (m.pooling_count >= 1 && m.pooling_count <= MAX_POOLINGS), "%d poolings",
                m.pooling_count);
    const size_t whole = m.splade ? 8 : 4 * (size_t)m.pooling_count;
    fuzz_expect(s != BERT_OK || m.dim == (settings.truncate_dim && settings.truncate_dim < whole ? settings.truncate_dim : whole),
                "no module changes the size: %zu", m.dim);
    note_value(v, &texts.max_length, sizeof texts.max_length), note_value(v, texts.model, strlen(texts.model));
    note_value(v, m.poolings, (size_t)m.pooling_count * sizeof *m.poolings), note_value(v, &m.count, sizeof m.count);
    sentence_model_free(&m);
    fuzz_remove(name);
    return s;
}

/* A cross-encoder's directory: modules.json, sentence_bert_config.json or config_sentence_transformers.json is the text, the
 * others as they should be. */
static Status read_pairs(const char *name, Values *v, const uint8_t *text, size_t size, Error *e)
{
    static const char list[] = "[{\"name\":\"0\",\"path\":\"\",\"type\":\"sentence_transformers.base.modules.transformer."
                               "Transformer\"}]", config[] = "{\"num_labels\":1}";
    const BertConfig one = {.K = 1, .head = HEAD_SEQUENCE};
    SentenceText texts = {.max_length = 0};
    VectorSettings settings;
    Labels l;
    fuzz_put("modules.json", (const uint8_t *)list, sizeof list - 1);
    fuzz_put("config.json", (const uint8_t *)config, sizeof config - 1);
    fuzz_put(name, text, size);
    Status s = sentence_pairs_read(fuzz_path(""), &texts, e);
    if (s == BERT_OK) s = read_settings(&settings, v, e);
    if (s == BERT_OK) s = labels_load(&l, fuzz_path(""), &one, e);
    fuzz_expect(texts.max_length >= 0 && texts.max_length <= 1 << 24, "max_length %d", texts.max_length);
    note_value(v, &texts.max_length, sizeof texts.max_length);
    fuzz_remove(name);
    if (s != BERT_OK) return s;
    fuzz_expect(l.activation == ACTIVATION_UNSAID || l.activation_place != NULL, "where the activation function stands");
    note_value(v, &l.activation, sizeof l.activation);
    labels_free(&l);
    return s;
}

/* The kinds from 8 on came later: those of the old inputs stay what they were. */
enum { KINDS = 12, CLASS_OF_CONFIG = KINDS - 1 };

static Status read_file(int kind, Values *v, const uint8_t *text, size_t size, Error *e)
{
    static const char *const names[] = {"config.json", "tokenizer_config.json", "1_Pooling/config.json", "modules.json",
                                        NULL, "config_sentence_transformers.json", "sentence_bert_config.json",
                                        "config.json", "config_sentence_transformers.json", "sentence_bert_config.json",
                                        "modules.json", "config.json"};
    *v = 0;
    if (kind == 4) return read_any(v, text, size, e);
    if (kind >= 8 && kind < KINDS - 1) return read_pairs(names[kind], v, text, size, e);
    if (kind >= 2 && kind < 7) return read_sentence_config(kind, names[kind], v, text, size, e);
    fuzz_put(names[kind], text, size);
    return kind == 0 ? read_config_json(v, e) : kind == 7 ? read_labels_json(v, e) : read_tokenizer_config(v, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    const int kind = data[0] % 16 < KINDS ? data[0] % 16 : data[0] % 8;
    const uint8_t *text = data + 1;
    size_t n = size - 1;
    Values v, again;
    Error e = {0};
    fuzz_begin();
    fuzz_put("vocab.txt", (const uint8_t *)vocabulary, sizeof vocabulary - 1);
    Status s = read_file(kind, &v, text, n, &e);
    fuzz_expect_status(s, &e, "3");
    if (s != BERT_OK) return 0;

    uint8_t *longer = malloc(n + 3);
    fuzz_expect(longer != NULL, "out of memory");
    memcpy(longer, text, n), memcpy(longer + n, " \r\n", 3);
    s = read_file(kind, &again, longer, n + 3, &e);
    fuzz_expect(s == BERT_OK, "it is read with white space behind it: %s", e.message);
    fuzz_expect(v == again, "and says the same");
    if (kind == CLASS_OF_CONFIG) {                  /* what else is wrong with the file is for others to say */
        free(longer);
        return 0;
    }
    while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
    s = read_file(kind, &again, text, n - 1, &e);
    fuzz_expect(s == BERT_FILE, "without its last bracket it is refused");
    free(longer);
    return 0;
}
