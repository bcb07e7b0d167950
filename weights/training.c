/* training.c - what `bert train` leaves in its directory, and finds there again: the model as Hugging Face's library
 * loads it, and the state from which a run goes on.
 *
 *     config.json  vocab.txt  tokenizer_config.json  model.safetensors       the model
 *     training/state.safetensors                                             all that the next step depends on
 *     training/log.jsonl                                                     a line for every step
 *
 * Every file appears whole or not at all (OutputFile), and the state is one file: whenever the program is killed, the
 * state on the disk is that of one moment. model.safetensors is written after it and may then be of an earlier moment,
 * but whole; the next save brings the two together.
 */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * config.json and tokenizer_config.json
 * ------------------------------------------------------------------------------------------------------------------ */

/* A number of config.json that must lie in [0, limit). */
static Status read_fraction(JsonReader *j, const char *key, double limit, double *out, Error *e)
{
    Status s = json_number(j, out, e);
    if (s == BERT_OK && !(*out >= 0 && *out < limit))
        return fail(e, BERT_FILE, "%s: %s is %g, expected 0 or more and below %g", j->path, key, *out, limit);
    return s;
}

/* classifier_dropout may be null, which is the same as no key. */
static Status read_dropout(JsonReader *j, const char *key, double *out, Error *e)
{
    return json_peek(j) == 'n' ? json_skip(j, e) : read_fraction(j, key, 1, out, e);
}

/* What a file without the keys means: the numbers of BERT, or of DistilBERT, as in Hugging Face's library. */
Status training_config_load(TrainingConfig *t, const char *path, bool distilbert, Error *e)
{
    const char *const hidden = distilbert ? "dropout" : "hidden_dropout_prob";
    const char *const probs = distilbert ? "attention_dropout" : "attention_probs_dropout_prob";
    const char *const texts = distilbert ? "seq_classif_dropout" : "classifier_dropout";
    FileView file;
    JsonReader j;
    char key[256];
    bool more = true;
    *t = (TrainingConfig){.dropout = 0.1, .probs_dropout = 0.1, .initializer_range = 0.02,
                          .texts_dropout = distilbert ? 0.2 : -1, .answers_dropout = distilbert ? 0.1 : 0};
    Status s = file_open(&file, path, e);
    if (s) return s;
    s = json_open(&j, path, file.data, file.size, 0, e);
    j.of_python = true;
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (!strcmp(key, hidden)) s = read_fraction(&j, key, 1, &t->dropout, e);
        else if (!strcmp(key, probs)) s = read_fraction(&j, key, 1, &t->probs_dropout, e);
        else if (!strcmp(key, texts)) s = read_dropout(&j, key, &t->texts_dropout, e);
        else if (distilbert && !strcmp(key, "qa_dropout")) s = read_dropout(&j, key, &t->answers_dropout, e);
        else if (!strcmp(key, "initializer_range")) s = read_fraction(&j, key, 10, &t->initializer_range, e);
        else s = json_skip(&j, e);
    }
    if (s == BERT_OK) s = json_end(&j, e);
    file_close(&file);
    return s;
}

/* A label as JSON has it; it has no control characters. */
static void put_label(FILE *f, const char *name)
{
    fputc('"', f);
    for (; *name; name++) {
        if (*name == '"' || *name == '\\') fputc('\\', f);
        fputc(*name, f);
    }
    fputc('"', f);
}

/* What each row of the classifier means, both ways. */
static void put_labels(FILE *f, const TrainingConfig *t)
{
    if (!t->label_count) return;
    if (t->of_texts) fputs("  \"problem_type\": \"single_label_classification\",\n", f);
    fputs("  \"id2label\": {", f);
    for (int i = 0; i < t->label_count; i++) {
        fprintf(f, "%s\n    \"%d\": ", i ? "," : "", i);
        put_label(f, t->labels[i]);
    }
    fputs("\n  },\n  \"label2id\": {", f);
    for (int i = 0; i < t->label_count; i++) {
        fputs(i ? ",\n    " : "\n    ", f);
        put_label(f, t->labels[i]);
        fprintf(f, ": %d", i);
    }
    fputs("\n  },\n", f);
}

/* Sizes and dropout under DistilBERT's keys. It has no token types, and its eps is no key. */
static void put_distilbert(FILE *f, const BertConfig *c, const TrainingConfig *t)
{
    fprintf(f, "  \"n_layers\": %d,\n  \"dim\": %d,\n  \"n_heads\": %d,\n  \"hidden_dim\": %d,\n"
            "  \"vocab_size\": %d,\n  \"max_position_embeddings\": %d,\n  \"activation\": \"%s\",\n", c->L, c->H, c->A,
            c->F, c->V, c->P, c->gelu == GELU_TANH ? "gelu_new" : "gelu");
    fprintf(f, "  \"dropout\": %.17g,\n  \"attention_dropout\": %.17g,\n  \"seq_classif_dropout\": %.17g,\n"
            "  \"qa_dropout\": %.17g,\n  \"sinusoidal_pos_embds\": false,\n", t->dropout, t->probs_dropout,
            t->texts_dropout, t->answers_dropout);
}

static void put_bert(FILE *f, const BertConfig *c, const TrainingConfig *t)
{
    fprintf(f, "  \"num_hidden_layers\": %d,\n  \"hidden_size\": %d,\n  \"num_attention_heads\": %d,\n"
            "  \"intermediate_size\": %d,\n  \"vocab_size\": %d,\n  \"max_position_embeddings\": %d,\n"
            "  \"type_vocab_size\": %d,\n  \"hidden_act\": \"%s\",\n  \"layer_norm_eps\": %.17g,\n",
            c->L, c->H, c->A, c->F, c->V, c->P, c->S, c->gelu == GELU_TANH ? "gelu_new" : "gelu", c->eps);
    fprintf(f, "  \"hidden_dropout_prob\": %.17g,\n  \"attention_probs_dropout_prob\": %.17g,\n", t->dropout,
            t->probs_dropout);
    if (t->texts_dropout >= 0) fprintf(f, "  \"classifier_dropout\": %.17g,\n", t->texts_dropout);
}

/* Written anew, not copied: what another file says of its own data type, task or library is no longer so. */
Status training_config_write(const char *path, const BertConfig *c, const TrainingConfig *t, int pad_id, Error *e)
{
    const bool distil = c->distilbert;
    OutputFile out;
    Status s = output_open(&out, path, e);
    if (s != BERT_OK) return s;
    fprintf(out.stream, "{\n  \"architectures\": [\n    \"%s%s\"\n  ],\n  \"model_type\": \"%s\",\n",
            distil ? "DistilBert" : "Bert", t->architecture ? t->architecture : distil ? "ForMaskedLM" : "ForPreTraining",
            distil ? "distilbert" : "bert");
    put_labels(out.stream, t);
    if (distil) put_distilbert(out.stream, c, t);
    else put_bert(out.stream, c, t);
    fprintf(out.stream, "  \"initializer_range\": %.17g,\n", t->initializer_range);
    if (pad_id >= 0) fprintf(out.stream, "  \"pad_token_id\": %d,\n", pad_id);
    fprintf(out.stream, "  \"tie_word_embeddings\": %s\n}\n", c->untied ? "false" : "true");
    return output_commit(&out, e);
}

/* For a vocab.txt that came alone. The positions, at which both libraries cut what is longer.
 * Trap: DistilBERT's forward() of Hugging Face's library has no token_type_ids, and stops at a tokenizer that gives it
 * some. */
Status tokenizer_config_write(const char *path, const Tokenizer *t, const BertConfig *c, Error *e)
{
    OutputFile out;
    Status s = output_open(&out, path, e);
    if (s != BERT_OK) return s;
    fprintf(out.stream,
            "{\n  \"tokenizer_class\": \"BertTokenizer\",\n  \"do_lower_case\": %s,\n  \"strip_accents\": %s,\n"
            "  \"tokenize_chinese_chars\": %s,\n%s  \"model_max_length\": %d\n}\n", t->lower_case ? "true" : "false",
            t->strip_accents ? "true" : "false", t->chinese_chars ? "true" : "false",
            c->distilbert ? "  \"model_input_names\": [\"input_ids\", \"attention_mask\"],\n" : "", c->P);
    return output_commit(&out, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Tensors of a file from parameters, and back
 * ------------------------------------------------------------------------------------------------------------------ */
enum { NAME_SIZE = 128, MOST_STEPS = 1000000000 };
typedef struct {                    /* a list of tensors, with their names behind it */
    SafeTensor *list;
    char (*names)[NAME_SIZE];
    size_t count;
} TensorList;

/* Room for so many of them. */
static Status list_new(TensorList *t, size_t room, Error *e)
{
    *t = (TensorList){.list = calloc(room, sizeof *t->list), .names = calloc(room, sizeof *t->names)};
    if (t->list && t->names) return BERT_OK;
    free(t->list);
    free(t->names);
    return fail(e, BERT_SYSTEM, "out of memory for the names of %zu tensors", room);
}

static void list_free(TensorList *t)
{
    free(t->list);
    free(t->names);
}

/* The name in a file, and `kind` before it. */
static void file_name(char name[NAME_SIZE], const char *kind, const Parameter *p)
{
    snprintf(name, NAME_SIZE, "%s%s", kind, p->file_name);
}

/* One more tensor, of a parameter's shape. */
static void list_add(TensorList *t, const char *kind, const Parameter *p, const real *data)
{
    SafeTensor *x = &t->list[t->count];
    x->name = t->names[t->count++];
    file_name(x->name, kind, p);
    x->dtype = sizeof(real) == sizeof(double) ? DTYPE_F64 : DTYPE_F32;
    x->rank = p->rows ? 2 : 1;
    x->shape[0] = p->rows ? p->rows : p->cols;
    x->shape[1] = p->rows ? p->cols : 0;
    x->count = p->count;
    x->data = data;
}

Status model_write(const char *path, const Parameters *p, Error *e)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    TensorList t;
    Status s = list_new(&t, p->count, e);
    if (s) return s;
    for (const Parameter *x = p->list; x < p->list + p->count; x++) list_add(&t, "", x, x->value);
    s = safetensors_write(path, t.list, t.count, metadata, 1, e);
    list_free(&t);
    return s;
}

/* The two means of the optimizer, as they are called in a state. */
static const char mean_kind[] = "mean.", square_kind[] = "square.";

Status state_write(const char *path, const Parameters *p, const AdamW *o, const Setting *settings, size_t count,
                   Error *e)
{
    const char *metadata[64][2];
    TensorList t;
    char step[32];
    size_t at = 0;
    size_t pairs = count < 63 ? count : 63;
    Status s = list_new(&t, 3 * p->count, e);
    if (s) return s;
    for (const Parameter *x = p->list; x < p->list + p->count; at += x->count, x++) {
        list_add(&t, "", x, x->value);
        list_add(&t, mean_kind, x, o->mean + at);
        list_add(&t, square_kind, x, o->square + at);
    }
    snprintf(step, sizeof step, "%lld", (long long)o->step);
    metadata[0][0] = "step", metadata[0][1] = step;
    for (size_t i = 0; i < pairs; i++) metadata[i + 1][0] = settings[i].name, metadata[i + 1][1] = settings[i].value;
    s = safetensors_write(path, t.list, t.count, (const char *const (*)[2])metadata, pairs + 1, e);
    list_free(&t);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The state, read
 * ------------------------------------------------------------------------------------------------------------------ */

/* The numbers of one tensor of the state. */
static Status read_numbers(const Safetensors *st, const char *kind, const Parameter *p, real *to, Error *e)
{
    char name[NAME_SIZE];
    file_name(name, kind, p);
    const SafeTensor *t = safetensors_find(st, name);
    const DType dtype = sizeof(real) == sizeof(double) ? DTYPE_F64 : DTYPE_F32;
    if (!t) return fail(e, BERT_FILE, "%s: there is no tensor '%s'", st->file.path, name);
    if (t->dtype != dtype || t->count != p->count)
        return fail(e, BERT_FILE, "%s: tensor '%s' has %zu numbers of %s, expected %zu of %s", st->file.path, name,
                    t->count, dtype_name(t->dtype), p->count, dtype_name(dtype));
    memcpy(to, t->data, p->count * sizeof *to);
    return BERT_OK;
}

/* A metadata value, digits only, into *out. */
static Status read_count(const char *path, const char *key, const char *text, int64_t *out, Error *e)
{
    *out = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || *out > INT64_MAX / 20)
            return fail(e, BERT_FILE, "%s: __metadata__: %s is \"%.40s\", expected a whole number", path, key, text);
        *out = *out * 10 + (*c - '0');
    }
    return BERT_OK;
}

typedef struct {
    const Setting *settings;
    size_t count;
    bool found[64];
    int64_t step, log_size;
    char others[700];               /* "--seed was 0, and is 1; ...": those that differ */
    size_t used;
} Saved;

/* A value as short as it can be: numbers with as few digits as say the same. */
static void put_value(char text[64], const char *value)
{
    char *end;
    const double x = strtod(value, &end);
    snprintf(text, 64, "%.60s", value);
    for (int digits = 1; digits < 17 && *value && !*end; digits++) {
        snprintf(text, 64, "%.*g", digits, x);
        if (strtod(text, NULL) == x) return;
    }
}

/* One more that differs. */
static void add_other(Saved *saved, const Setting *s, const char *value)
{
    char was[64], is[64];
    put_value(was, value);
    put_value(is, s->value);
    if (saved->used < sizeof saved->others)
        saved->used += (size_t)snprintf(saved->others + saved->used, sizeof saved->others - saved->used,
                                        "%s%s was %s, and is %s", saved->used ? "; " : "", s->option, was, is);
}

/* One pair of the metadata: a number, or a setting, which must be the same. */
static Status read_setting(Saved *saved, const char *path, const char *key, const char *value, Error *e)
{
    if (!strcmp(key, "step")) return read_count(path, key, value, &saved->step, e);
    for (size_t i = 0; i < saved->count; i++) {
        const Setting *s = &saved->settings[i];
        if (strcmp(s->name, key)) continue;
        saved->found[i] = true;
        if (!strcmp(key, "log_size")) return read_count(path, key, value, &saved->log_size, e);
        if (!s->may_differ && strcmp(s->value, value)) add_other(saved, s, value);
        return BERT_OK;
    }
    return BERT_OK;
}

static Status read_settings(Saved *saved, const Safetensors *st, Error *e)
{
    const char *path = st->file.path, *text = st->metadata ? st->metadata : "{}";
    char key[64], value[256];
    JsonReader j;
    bool more = true;
    saved->step = -1;
    Status s = json_open(&j, path, (const unsigned char *)text, strlen(text), 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more) {
        s = json_string(&j, value, sizeof value, e);
        if (s == BERT_OK) s = read_setting(saved, path, key, value, e);
    }
    if (s == BERT_OK && (saved->step < 0 || saved->step > MOST_STEPS))
        s = fail(e, BERT_FILE, "%s: __metadata__ has no step from 0 to %d", path, (int)MOST_STEPS);
    for (size_t i = 0; s == BERT_OK && i < saved->count; i++)
        if (!saved->found[i] && strcmp(saved->settings[i].value, "none"))
            s = fail(e, BERT_FILE, "%s: __metadata__ has no %s", path, saved->settings[i].name);
    if (s == BERT_OK && saved->used)
        s = fail(e, BERT_USAGE, "%s: --resume goes on with the same settings: %s", path, saved->others);
    return s;
}

Status state_read(const char *path, Parameters *p, AdamW *o, const Setting *settings, size_t count, size_t *log_size,
                  Error *e)
{
    Safetensors st;
    Saved saved = {.settings = settings, .count = count < 64 ? count : 64};
    size_t at = 0;
    Status s = safetensors_open(&st, path, e);
    if (s) return s;
    s = read_settings(&saved, &st, e);
    for (const Parameter *x = p->list; s == BERT_OK && x < p->list + p->count; at += x->count, x++) {
        s = read_numbers(&st, "", x, x->value, e);
        if (s == BERT_OK) s = read_numbers(&st, mean_kind, x, o->mean + at, e);
        if (s == BERT_OK) s = read_numbers(&st, square_kind, x, o->square + at, e);
    }
    safetensors_close(&st);
    for (o->step = 0; s == BERT_OK && o->step < saved.step; o->step++) {       /* as adamw_step has multiplied them */
        o->beta1_power *= o->options.beta1;
        o->beta2_power *= o->options.beta2;
    }
    *log_size = (size_t)saved.log_size;
    return s;
}
