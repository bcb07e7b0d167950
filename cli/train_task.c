/* train_task.c - `bert train --task classify | tag | answer`: texts with labels, and the model that learns them.
 *
 *     classify   LABEL<TAB>TEXT, or LABEL<TAB>A ||| B       a label for the whole text, of its [CLS]
 *     tag        WORD<TAB>LABEL, a blank line ends a sentence       one for each word, of its first piece
 *     answer     SQuAD's JSON: train_answer.c               where the answer begins and ends
 *
 * The labels are the rows of the classifier, in the order of their bytes. The model loses the heads of pre-training and
 * gets one of random weights; of the pooler, which only texts need, one that is there is kept, or also made. (DistilBERT
 * has a layer pre_classifier in its place.) What the head reads has a dropout of its own, by the configuration's
 * classifier_dropout, else hidden_dropout_prob; BERT's answers have none. DistilBERT: seq_classif_dropout, dropout for
 * words, qa_dropout.
 * Source: [paper] 3.2, 4.1, 5.3; [hf] BertForSequenceClassification, BertForTokenClassification and
 * examples/pytorch/token-classification/run_ner.py.
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
    if (!c->count) return;                                  /* answers have none */
    memcpy(old, c->names, (size_t)c->count * sizeof *old);
    qsort(c->names, (size_t)c->count, sizeof *c->names, by_name);
    for (int i = 0; i < c->count; i++) row[i] = find_class(c, (Text){old[i], strlen(old[i])});
    const size_t labels = x->kind == LABELS_OF_TOKENS ? x->start[x->count] : x->count;
    for (size_t i = 0; i < labels; i++)
        if (x->label[i] >= 0) x->label[i] = row[x->label[i]];
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

/* The row of a line's label: a new one, where labels are learned. */
static Status row_of_label(TrainRun *r, const TrainData *data, Text name, Input *input, int32_t *row, Error *e)
{
    *row = find_class(&r->classes, name);
    if (*row >= 0) return BERT_OK;
    if (data != &r->data) return fail(e, BERT_TEXT, "the label is none of those of the text that is learned from");
    *row = r->classes.count;
    return add_class(r, name, input, e);
}

/* What stands before the first tab and behind it. */
static bool split_at_tab(Text line, Text *before, Text *behind)
{
    const char *tab = line.length ? memchr(line.bytes, '\t', line.length) : NULL;
    if (!tab) return false;
    *before = (Text){line.bytes, (size_t)(tab - line.bytes)};
    *behind = (Text){tab + 1, line.length - before->length - 1};
    return true;
}

/* --task classify: a line is a label and its text. */
static Status add_text(TrainRun *r, TrainData *data, Input *input, Error *e)
{
    const Options *o = &r->s->options;
    const EncodeOptions options = {.plain = o->plain, .max_length = r->max_length, .truncate = o->truncate,
                                   .segments = -1};
    Text name;
    int32_t label;
    if (!split_at_tab(input->whole, &name, &input->whole))
        return fail(e, BERT_TEXT, "there is no tab: LABEL<TAB>TEXT is expected");
    if (!input->whole.length) return fail(e, BERT_TEXT, "there is no text behind the label");
    if (row_of_label(r, data, name, input, &label, e) != BERT_OK) return e->status;
    input->has_pair = false;
    split_pair(r->s, input);
    if (input->has_pair && r->s->model.config.S == 1)
        return fail(e, BERT_TEXT, "a pair of texts, but the model has one token type");
    Status s = encode(&r->s->tokenizer, input->a, input->has_pair ? &input->b : NULL, &options, &input->encoding, e);
    return s == BERT_OK ? examples_add(&data->examples, &input->encoding, &label, input->number, e) : s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * --task tag: sentences of words
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* that is being read */
    Encoding whole;                 /* [CLS] and its pieces; its arrays have room for max_length */
    int32_t *labels;                /* (max_length) -100: none */
    size_t line;                    /* of its first word */
    bool full;                      /* --truncate: words are left out */
} Sentence;

static void sentence_free(Sentence *x)
{
    encoding_free(&x->whole);
    free(x->labels);
}

/* sentence_free gives it back, also if there is not enough memory. */
static Status sentence_new(Sentence *x, int max_length, Error *e)
{
    const size_t room = (size_t)max_length;
    *x = (Sentence){.labels = calloc(room, sizeof *x->labels)};
    x->whole.input_ids = calloc(room, sizeof *x->whole.input_ids);
    x->whole.token_type_ids = calloc(room, sizeof *x->whole.token_type_ids);
    if (x->labels && x->whole.input_ids && x->whole.token_type_ids) return BERT_OK;
    return fail(e, BERT_SYSTEM, "out of memory for a sentence of %d tokens", max_length);
}

/* One more token; the caller knows that there is room. */
static void put_token(Sentence *x, int32_t id, int32_t label)
{
    x->whole.input_ids[x->whole.T] = id;
    x->labels[x->whole.T++] = label;
}

/* A blank line, or the end: the sentence is complete, if there is one. */
static Status end_sentence(TrainRun *r, TrainData *data, Sentence *x, Error *e)
{
    Status s = BERT_OK;
    if (x->whole.T > 1) {
        put_token(x, r->s->tokenizer.sep_id, -100);
        s = examples_add(&data->examples, &x->whole, x->labels, x->line, e);
    }
    x->whole.T = 0;
    x->full = false;
    return s;
}

/* A line is a word and its label, which is that of its first piece; the others have none, as in run_ner.py. A word
 * that step 1 cleans away has no piece, and its label is not learned.
 * Why the first piece: each word counts once, however many pieces it has.
 * Trap: a label for all pieces would make B- begin an entity at every piece. */
static Status add_word(TrainRun *r, TrainData *data, Sentence *x, Input *input, Error *e)
{
    const Options *o = &r->s->options;
    const EncodeOptions options = {.plain = o->plain, .no_add_special = true};
    Text word, name;
    int32_t label;
    if (!split_at_tab(input->whole, &word, &name)) return fail(e, BERT_TEXT, "there is no tab: WORD<TAB>LABEL is expected");
    if (!word.length) return fail(e, BERT_TEXT, "there is no word before the tab");
    if (row_of_label(r, data, name, input, &label, e) != BERT_OK) return e->status;
    if (encode(&r->s->tokenizer, word, NULL, &options, &input->encoding, e) != BERT_OK) return e->status;
    const Encoding *pieces = &input->encoding;
    if (!x->whole.T) {
        x->line = input->number;
        put_token(x, r->s->tokenizer.cls_id, -100);
    }
    if (x->whole.T + pieces->T + 1 > r->max_length && !o->truncate)
        return fail(e, BERT_TEXT, "the sentence that begins in line %zu has more than %d tokens: --truncate cuts it",
                    x->line, r->max_length);
    for (int i = 0; i < pieces->T && !x->full; i++) {
        x->full = x->whole.T + 1 == r->max_length;
        if (!x->full) put_token(x, pieces->input_ids[i], i ? -100 : label);
    }
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Lines of either kind
 * ------------------------------------------------------------------------------------------------------------------ */
static bool is_blank(Text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] != ' ' && text.bytes[i] != '\t') return false;
    return true;
}

static Status add_line(TrainRun *r, TrainData *data, Sentence *x, Input *input, Error *e)
{
    Status s;
    if (r->s->options.task == TASK_CLASSIFY) s = add_text(r, data, input, e);
    else s = is_blank(input->whole) ? end_sentence(r, data, x, e) : add_word(r, data, x, input, e);
    return s == BERT_OK ? BERT_OK : at_input(r->s, input, e);
}

static Status read_lines(TrainRun *r, TrainData *data, Sentence *x, char hex[65], Error *e)
{
    Input input = {0};
    Sha256 hash;
    bool more = true;
    Status s;
    sha256_start(&hash);
    while ((s = next_text(r->s, &input, &more, e)) == BERT_OK && more) {
        sha256_add(&hash, input.whole.bytes, input.whole.length);
        sha256_add(&hash, "\n", 1);
        if ((s = add_line(r, data, x, &input, e)) != BERT_OK) break;
    }
    if (s == BERT_OK) s = end_sentence(r, data, x, e);
    input_free(&input);
    sha256_end(&hash, hex);
    data->name = r->s->source.name;
    if (s == BERT_OK && !data->examples.count)
        s = fail(e, BERT_TEXT, "%s: line %zu: the end, and no %s before it", data->name, r->s->taken,
                 r->s->options.task == TASK_TAG ? "word with a label" : "text");
    return s;
}

Status train_task_read(TrainRun *r, TrainData *data, char hex[65], Error *e)
{
    static const LabelKind kinds[] = {[TASK_CLASSIFY] = LABELS_OF_TEXTS, [TASK_TAG] = LABELS_OF_TOKENS,
                                      [TASK_ANSWER] = LABELS_OF_SPANS};
    const Options *o = &r->s->options;
    Sentence sentence = {0};
    data->examples.kind = kinds[o->task];
    data->examples.seed = (uint32_t)o->seed;
    if (o->task == TASK_ANSWER) return train_answer_read(r, data, data == &r->data ? o->file : o->dev, hex, e);
    Status s = sentence_new(&sentence, r->max_length, e);
    if (s == BERT_OK) s = read_lines(r, data, &sentence, hex, e);
    sentence_free(&sentence);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The model
 * ------------------------------------------------------------------------------------------------------------------ */
const char *task_name(const TrainRun *r)
{
    static const char *const names[] = {"mlm", "classify", "tag", "answer"};
    return names[r->s->options.task];
}

/* The head of the task instead of all others, and the dropout of what it reads. */
static void give_head(TrainRun *r)
{
    static const char *const architectures[] = {[TASK_CLASSIFY] = "ForSequenceClassification",
                                                [TASK_TAG] = "ForTokenClassification",
                                                [TASK_ANSWER] = "ForQuestionAnswering"};
    const int task = r->s->options.task;
    TrainingConfig *t = &r->training;
    Bert *m = &r->s->model;
    const bool distil = m->config.distilbert, texts = task == TASK_CLASSIFY;
    bert_drop_heads(m, !texts || distil);
    if (texts && !distil && !m->has_pooler) bert_add_head(m, GROUP_POOLER, 0);
    if (texts && distil) bert_add_head(m, GROUP_PRE_CLASSIFIER, 0);
    bert_add_head(m, task == TASK_ANSWER ? GROUP_QA : GROUP_CLASSIFIER, r->classes.count);
    m->config.head = texts ? HEAD_SEQUENCE : task == TASK_TAG ? HEAD_TOKENS : HEAD_UNKNOWN;
    t->architecture = architectures[task];
    t->labels = (const char *const *)r->classes.names;
    t->label_count = r->classes.count;
    t->of_texts = texts;
    t->head_dropout = task == TASK_ANSWER ? t->answers_dropout : t->texts_dropout >= 0 && (texts || !distil)
                                          ? t->texts_dropout : t->dropout;
}

Status train_task_open(TrainRun *r, Error *e)
{
    const Bert *m = &r->s->model;
    const Tokenizer *t = &r->s->tokenizer;
    const int P = m->config.P, wanted = r->s->options.max_length;
    r->max_length = wanted ? wanted : P < 128 ? P : 128;
    r->mask = 0;                                        /* nothing is hidden */
    if (wanted > P) return fail(e, BERT_USAGE, "--max-length %d: the model has %d positions", wanted, P);
    if (r->max_length < 5) return fail(e, BERT_FILE, "the model has %d positions, 5 are the least", P);
    if (t->cls_id < 0 || t->sep_id < 0)
        return fail(e, BERT_FILE, "the vocabulary lacks %s, which sequences are made with",
                    t->cls_id < 0 ? "[CLS]" : "[SEP]");
    Status s = train_task_read(r, &r->data, r->data_hash, e);
    if (s == BERT_OK && r->s->options.task != TASK_ANSWER && r->classes.count < 2)
        s = fail(e, BERT_TEXT, "%s: all %s have the same label: there is nothing to tell apart", r->data.name,
                 r->s->options.task == TASK_TAG ? "words" : "texts");
    if (s != BERT_OK) return s;
    sort_classes(r);
    give_head(r);
    return BERT_OK;
}

/* The numbers of a new head, and of a pooler that was not there. */
void train_task_begin(const TrainRun *r)
{
    for (Parameter *x = r->p.list; x < r->p.list + r->p.count; x++) {
        const Parameters one = {.list = x, .count = 1, .numbers = x->count};
        bool zero = x->group >= GROUP_TASK || x->group == GROUP_POOLER;
        for (size_t i = 0; zero && i < x->count; i++) zero = x->value[i] == 0;
        if (zero)
            random_weights(&one, (Rules)r->s->options.rules, r->training.initializer_range,
                           (uint32_t)r->s->options.seed + (uint32_t)x->group, -1);
    }
}
