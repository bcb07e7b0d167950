/* train_task.c - `bert train --task classify`: texts with a label each, and the model that learns to tell them.
 *
 *     LABEL<TAB>TEXT            or LABEL<TAB>A ||| B
 *
 * The labels are the rows of the classifier, in the order of their bytes. The model loses the heads of pre-training; it
 * gets a classifier with random weights, and a pooler, if it has none.
 * Differs: Hugging Face's class also drops numbers of what the classifier reads (classifier_dropout); here dropout is
 * at its three places in the encoder alone.
 * Source: [paper] 3.2, 4.1; [hf] BertForSequenceClassification.
 */
#include "cli/train_run.h"
#include <stdlib.h>
#include <string.h>

enum { LONGEST_LABEL = 200 };

/* ---------------------------------------------------------------------------------------------------------------------
 * Labels
 * ------------------------------------------------------------------------------------------------------------------ */

/* The row of a label, or -1. */
static int find_class(const Classes *c, Text name)
{
    for (int i = 0; i < c->count; i++)
        if (strlen(c->names[i]) == name.length && !memcmp(c->names[i], name.bytes, name.length)) return i;
    return -1;
}

/* One more label. It stands in config.json, and on terminals: no control characters, valid UTF-8, as the tokenizer
 * says. */
static Status add_class(TrainRun *r, Text name, Input *input, Error *e)
{
    Classes *c = &r->classes;
    const EncodeOptions options = {.no_add_special = true};
    if (!name.length || name.length > LONGEST_LABEL)
        return fail(e, BERT_TEXT, "a label of %zu bytes, expected 1 to %d", name.length, (int)LONGEST_LABEL);
    for (size_t i = 0; i < name.length; i++)
        if ((unsigned char)name.bytes[i] < 0x20)
            return fail(e, BERT_TEXT, "byte %zu of the label is a control character", i + 1);
    if (encode(&r->s->tokenizer, name, NULL, &options, &input->encoding, e) != BERT_OK) return e->status;
    if (c->count == MOST_CLASSES) return fail(e, BERT_TEXT, "more than %d labels", (int)MOST_CLASSES);
    char *copy = lengthen_array(&c->names, sizeof *c->names, &c->room, (size_t)c->count + 1)
                     ? strndup(name.bytes, name.length) : NULL;
    if (!copy) return fail(e, BERT_SYSTEM, "out of memory for the labels");
    c->names[c->count++] = copy;
    return BERT_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the labels, so that a row does not depend on which text comes first. */
static void sort_classes(TrainRun *r)
{
    Classes *c = &r->classes;
    Examples *x = &r->data.examples;
    char *old[MOST_CLASSES];
    int32_t row[MOST_CLASSES];
    memcpy(old, c->names, (size_t)c->count * sizeof *old);
    qsort(c->names, (size_t)c->count, sizeof *c->names, by_name);
    for (int i = 0; i < c->count; i++) row[i] = find_class(c, (Text){old[i], strlen(old[i])});
    for (size_t i = 0; i < x->count; i++) x->label[i] = row[x->label[i]];
}

void classes_free(Classes *c)
{
    for (int i = 0; i < c->count; i++) free(c->names[i]);
    free(c->names);
    *c = (Classes){0};
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Texts
 * ------------------------------------------------------------------------------------------------------------------ */

/* A line: its label, which of a held-out text must be known, and its tokens. */
static Status add_line(TrainRun *r, TrainData *data, Input *input, Error *e)
{
    const Options *o = &r->s->options;
    const EncodeOptions options = {.plain = o->plain, .max_length = r->max_length, .truncate = o->truncate,
                                   .segments = -1};
    const char *tab = memchr(input->whole.bytes, '\t', input->whole.length);
    if (!tab) return fail(e, BERT_TEXT, "there is no tab: LABEL<TAB>TEXT is expected");
    const Text name = {input->whole.bytes, (size_t)(tab - input->whole.bytes)};
    input->whole = (Text){tab + 1, input->whole.length - name.length - 1};
    if (!input->whole.length) return fail(e, BERT_TEXT, "there is no text behind the label");
    int label = find_class(&r->classes, name);
    if (label < 0 && data != &r->data)
        return fail(e, BERT_TEXT, "the label is none of those of the text that is learned from");
    if (label < 0) {
        if (add_class(r, name, input, e) != BERT_OK) return e->status;
        label = r->classes.count - 1;
    }
    input->has_pair = false;
    split_pair(r->s, input);
    if (input->has_pair && r->s->model.config.S < 2)
        return fail(e, BERT_TEXT, "a pair of texts, but the model has one token type");
    Status s = encode(&r->s->tokenizer, input->a, input->has_pair ? &input->b : NULL, &options, &input->encoding, e);
    return s == BERT_OK ? examples_add(&data->examples, &input->encoding, label, input->number, e) : s;
}

Status train_task_read(TrainRun *r, TrainData *data, char hex[65], Error *e)
{
    Input input = {0};
    Sha256 hash;
    bool more = true;
    Status s;
    sha256_start(&hash);
    while ((s = next_text(r->s, &input, &more, e)) == BERT_OK && more) {
        sha256_add(&hash, input.whole.bytes, input.whole.length);
        sha256_add(&hash, "\n", 1);
        if ((s = add_line(r, data, &input, e)) == BERT_OK) continue;
        s = at_input(r->s, &input, e);
        break;
    }
    input_free(&input);
    sha256_end(&hash, hex);
    data->name = r->s->source.name;
    data->examples.seed = (uint32_t)r->s->options.seed;
    if (s == BERT_OK && !data->examples.count)
        s = fail(e, BERT_TEXT, "%s: line %zu: the end, and no text before it", data->name, r->s->taken);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The model
 * ------------------------------------------------------------------------------------------------------------------ */
Status train_task_open(TrainRun *r, Error *e)
{
    Bert *m = &r->s->model;
    const Tokenizer *t = &r->s->tokenizer;
    const int P = m->config.P, wanted = r->s->options.max_length;
    r->max_length = wanted ? wanted : P < 128 ? P : 128;
    r->mask = 0;                                        /* nothing is hidden */
    if (wanted > P) return fail(e, BERT_USAGE, "--max-length %d: the model has %d positions", wanted, P);
    if (t->cls_id < 0 || t->sep_id < 0)
        return fail(e, BERT_FILE, "the vocabulary lacks %s, which sequences are made with",
                    t->cls_id < 0 ? "[CLS]" : "[SEP]");
    Status s = train_task_read(r, &r->data, r->data_hash, e);
    if (s == BERT_OK && r->classes.count < 2)
        s = fail(e, BERT_TEXT, "%s: all texts have the same label: there is nothing to tell apart", r->data.name);
    if (s != BERT_OK) return s;
    sort_classes(r);
    bert_drop_heads(m);
    if (!m->has_pooler) bert_add_head(m, GROUP_POOLER, 0);
    bert_add_head(m, GROUP_CLASSIFIER, r->classes.count);
    m->config.head = HEAD_SEQUENCE;
    r->training.architecture = "BertForSequenceClassification";
    r->training.labels = (const char *const *)r->classes.names;
    r->training.label_count = r->classes.count;
    return BERT_OK;
}

/* The numbers of a new head: the classifier, and a pooler that was not there. */
void train_task_begin(const TrainRun *r)
{
    for (Parameter *x = r->p.list; x < r->p.list + r->p.count; x++) {
        const Parameters one = {.list = x, .count = 1, .numbers = x->count};
        bool zero = x->group == GROUP_CLASSIFIER || x->group == GROUP_POOLER;
        for (size_t i = 0; zero && i < x->count; i++) zero = x->value[i] == 0;
        if (zero)
            random_weights(&one, (Rules)r->s->options.rules, r->training.initializer_range,
                           (uint32_t)r->s->options.seed + (uint32_t)x->group, -1);
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Scores
 * ------------------------------------------------------------------------------------------------------------------ */

/* The mean over the labels of F1 = 2 right / (said + true), the harmonic mean of precision (right / said) and recall
 * (right / true). A label that is neither said nor true is left out, as in scikit-learn. counts: (K) of each. */
double macro_f1(const size_t *right, const size_t *said, const size_t *truly, int K)
{
    double sum = 0;
    int labels = 0;
    for (int k = 0; k < K; k++) {
        if (said[k] + truly[k] == 0) continue;
        sum += 2 * (double)right[k] / (double)(said[k] + truly[k]);
        labels++;
    }
    return labels ? sum / labels : 0;
}
