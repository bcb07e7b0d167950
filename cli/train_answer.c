/* train_answer.c - `bert train --task answer`: questions about texts, SQuAD's JSON, as examples of first and last tokens.
 *
 *     {"data": [{"paragraphs": [{"context": "...", "qas": [{"id": "...", "question": "...",
 *         "answers": [{"text": "...", "answer_start": 17}], "is_impossible": false}]}]}]}
 *
 *     question, context --encode--> [CLS] question [SEP] context [SEP] --windows--> examples with (start, end)
 *
 * A context that is too long comes in windows, which share as many tokens as those of `bert answer`. In a window
 * without the whole answer, and where there is none (SQuAD 2.0), start and end are [CLS]. What is learned is the first
 * of several right answers; what is held out is judged by all of them.
 * Trap: answer_start counts characters (code points), from 0, not bytes.
 * Trap: "qas" stands before "context" in SQuAD 2.0, behind it in 1.1. An object has no order: each is read twice.
 * Source: [paper] 4.2, 4.3; Rajpurkar et al.: SQuAD. 2016, 2018; examples/pytorch/question-answering/run_qa.py.
 */
#include "cli/spans.h"
#include "cli/train_run.h"
#include <stdlib.h>
#include <string.h>

enum { USUAL_STRIDE = 128, ID_SIZE = 256 };

typedef struct {                    /* a file that is being read */
    TrainRun *r;
    TrainData *data;
    bool held_out;
    JsonReader json;
    char *context, *question, *text;        /* each has room for any string of the file */
    size_t room;
    char id[ID_SIZE];
    int64_t start;                  /* of the first answer, in characters; -1: there is no answer */
    size_t begin, end;              /* the same in bytes */
    bool impossible;
    Encoding bare, whole, window;
    size_t questions;
} SquadReader;

/* The message with the file and the question in front. */
static Status at_question(const SquadReader *q, Error *e)
{
    char message[sizeof e->message];
    memcpy(message, e->message, sizeof message);
    return fail(e, e->status, "%s: question %zu (id %s): %s", q->json.path, q->questions + 1, q->id, message);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * An answer's place
 * ------------------------------------------------------------------------------------------------------------------ */

/* Byte of character `wanted`, or SIZE_MAX: the text has fewer. Valid UTF-8: the JSON reader has seen to that. */
static size_t byte_of_character(const char *text, int64_t wanted)
{
    size_t at = 0;
    for (; wanted > 0 && text[at]; wanted--)
        for (at++; (text[at] & 0xC0) == 0x80; at++) {}
    return wanted == 0 ? at : SIZE_MAX;
}

/* First and last token of bytes [begin, end) of the context, among the window's tokens of it; 0 0, unless all of them
 * are in it.
 *
 *     tokens    Denver  Bronc  ##os     answer "Broncos": 1, 2 (of the context's)
 *
 * Trap: an answer may begin within a token: then that token is its first one. */
static void tokens_of(const Encoding *x, size_t before, size_t begin, size_t end, int32_t span[2])
{
    const size_t after = (size_t)x->T - 1;              /* the last [SEP] */
    size_t first = before, last = after;
    span[0] = span[1] = 0;
    if (before >= after || x->offsets[before][0] > begin || x->offsets[after - 1][1] < end) return;
    while (first + 1 < after && x->offsets[first + 1][0] <= begin) first++;
    while (last - 1 > before && x->offsets[last - 2][1] >= end) last--;
    span[0] = (int32_t)first;
    span[1] = (int32_t)(last - 1);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A question's windows
 * ------------------------------------------------------------------------------------------------------------------ */

/* Of held-out tokens their bytes of the context, which an answer is made of. */
static Status keep_offsets(SquadReader *q, const Encoding *x, size_t before, Error *e)
{
    Questions *kept = &q->data->questions;
    const Examples *all = &q->data->examples;
    const size_t at = all->start[all->count - 1], T = (size_t)x->T;
    if (!lengthen_array(&kept->offsets, sizeof *kept->offsets, &kept->offset_room, at + T))
        return fail(e, BERT_SYSTEM, "out of memory for the held-out questions");
    for (size_t t = 0; t < T; t++) {
        const bool context = t >= before && t + 1 < T;
        kept->offsets[at + t][0] = context ? x->offsets[t][0] : 0;
        kept->offsets[at + t][1] = context ? x->offsets[t][1] : 0;
    }
    return BERT_OK;
}

static Status add_window(SquadReader *q, const Encoding *x, size_t before, Error *e)
{
    int32_t span[2] = {0, 0};
    if (q->start >= 0) tokens_of(x, before, q->begin, q->end, span);
    Status s = examples_add(&q->data->examples, x, span, q->questions + 1, e);
    return s == BERT_OK && q->held_out ? keep_offsets(q, x, before, e) : s;
}

static Status add_windows(SquadReader *q, Error *e)
{
    const Tokenizer *t = &q->r->s->tokenizer;
    const EncodeOptions bare = {.plain = q->r->s->options.plain, .no_add_special = true};
    const EncodeOptions options = {.plain = bare.plain, .segments = -1};
    const Text question = {q->question, strlen(q->question)}, context = {q->context, strlen(q->context)};
    if (encode(t, question, NULL, &bare, &q->bare, e) != BERT_OK ||
        encode(t, question, &context, &options, &q->whole, e) != BERT_OK) return e->status;
    const size_t length = (size_t)q->r->max_length, before = (size_t)q->bare.T + 2;
    const size_t tokens = (size_t)q->whole.T - before - 1, half = length / 2;
    const size_t overlap = half < USUAL_STRIDE ? half : USUAL_STRIDE, room = length > before ? length - before - 1 : 0;
    if ((size_t)q->whole.T <= length) return add_window(q, &q->whole, before, e);
    if (overlap >= room)
        return fail(e, BERT_TEXT, "the question and special tokens take %zu of --max-length %zu: too many for parts of the "
                    "context that share %zu tokens", before + 1, length, overlap);
    Window w = {0};
    Status s = BERT_OK;
    for (size_t k = 0; s == BERT_OK && !w.last; k++) {
        w = window_at(k, tokens, room, overlap, t->truncate_left);
        s = window_encoding(&q->window, &q->whole, before, 1, w, e);
        if (s == BERT_OK) s = add_window(q, &q->window, before, e);
    }
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The file
 * ------------------------------------------------------------------------------------------------------------------ */

/* A right answer of a held-out question, q->text. */
static Status keep_answer(SquadReader *q, Question *x, Error *e)
{
    char *copy = lengthen_array(&x->answers, sizeof *x->answers, &x->answer_room, x->answer_count + 1) ? strdup(q->text)
                                                                                                   : NULL;
    if (!copy) return fail(e, BERT_SYSTEM, "out of memory for the held-out questions");
    x->answers[x->answer_count++] = copy;
    return BERT_OK;
}

/* An object of "answers"; of the first one, which is learned, the place. x: NULL, or where they are kept. */
static Status read_answer(SquadReader *q, Question *x, Error *e)
{
    JsonReader *j = &q->json;
    char key[256];
    bool more = true, has_text = false;
    int64_t start = -1;
    Status s = json_begin(j, '{', e);
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (!strcmp(key, "text")) s = json_string(j, q->text, q->room, e), has_text = true;
        else if (!strcmp(key, "answer_start")) s = json_integer(j, &start, e);
        else s = json_skip(j, e);
    }
    if (s != BERT_OK) return s;
    if (!has_text || !*q->text) return fail(e, BERT_TEXT, "an answer without text");
    const size_t begin = start < 0 ? SIZE_MAX : byte_of_character(q->context, start), length = strlen(q->text);
    if (begin == SIZE_MAX || strncmp(q->context + begin, q->text, length))
        return fail(e, BERT_TEXT, "the answer is not at character %lld of the context (answer_start)", (long long)start);
    if (q->start < 0) q->start = start, q->begin = begin, q->end = begin + length;
    return x ? keep_answer(q, x, e) : BERT_OK;
}

static Status read_answers(SquadReader *q, Question *x, Error *e)
{
    bool more = true;
    Status s = json_begin(&q->json, '[', e);
    while (s == BERT_OK && (s = json_next_element(&q->json, &more, e)) == BERT_OK && more) s = read_answer(q, x, e);
    return s;
}

/* A member of a question. The id is for messages alone. */
static Status read_member(SquadReader *q, const char *key, Question *x, bool *has_question, Error *e)
{
    JsonReader *j = &q->json;
    if (!strcmp(key, "id")) return json_string(j, q->id, sizeof q->id, e);
    if (!strcmp(key, "is_impossible")) return json_bool(j, &q->impossible, e);
    if (!strcmp(key, "answers")) return read_answers(q, x, e);
    if (strcmp(key, "question")) return json_skip(j, e);
    *has_question = true;
    return json_string(j, q->question, q->room, e);
}

/* One more held-out question, about the last context; *x is NULL for one that is learned from. */
static Status new_question(SquadReader *q, Question **x, Error *e)
{
    Questions *all = &q->data->questions;
    *x = NULL;
    if (!q->held_out) return BERT_OK;
    if (!lengthen_array(&all->list, sizeof *all->list, &all->room, all->count + 1))
        return fail(e, BERT_SYSTEM, "out of memory for the held-out questions");
    const char *context = all->contexts[all->context_count - 1];
    *x = &all->list[all->count++];
    **x = (Question){.context = {context, strlen(context)}};
    return BERT_OK;
}

static Status read_question(SquadReader *q, Error *e)
{
    char key[256];
    bool more = true, has_question = false;
    Question *x = NULL;
    strcpy(q->id, "?");
    q->start = -1;
    q->impossible = false;
    Status s = new_question(q, &x, e);
    if (s == BERT_OK) s = json_begin(&q->json, '{', e);
    while (s == BERT_OK && (s = json_next_key(&q->json, key, sizeof key, &more, e)) == BERT_OK && more) {
        s = read_member(q, key, x, &has_question, e);
    }
    if (s == BERT_OK && !has_question) s = fail(e, BERT_TEXT, "there is no \"question\"");
    if (s == BERT_OK && q->impossible && q->start >= 0)
        s = fail(e, BERT_TEXT, "is_impossible is true, but there is an answer");
    if (s == BERT_OK) q->data->questions.impossible |= q->start < 0;
    if (s == BERT_OK) s = add_windows(q, e);
    if (s != BERT_OK) return e->status == BERT_TEXT ? at_question(q, e) : s;
    q->questions++;
    return BERT_OK;
}

/* The context of a paragraph, and, if it is held out, a copy of it. */
static Status keep_context(SquadReader *q, bool found, Error *e)
{
    Questions *all = &q->data->questions;
    if (!found) return fail(e, BERT_FILE, "%s: a paragraph without \"context\", before question %zu", q->json.path,
                            q->questions + 1);
    if (!q->held_out) return BERT_OK;
    char *copy = lengthen_array(&all->contexts, sizeof *all->contexts, &all->context_room, all->context_count + 1)
                     ? strdup(q->context) : NULL;
    if (!copy) return fail(e, BERT_SYSTEM, "out of memory for the held-out questions");
    all->contexts[all->context_count++] = copy;
    return BERT_OK;
}

/* The array under `name` of the object that comes next, element by element. */
typedef Status ReadElement(SquadReader *q, Error *e);
static Status read_array(SquadReader *q, const char *name, ReadElement *element, Error *e)
{
    JsonReader *j = &q->json;
    char key[256];
    bool more = true;
    Status s = BERT_OK;
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        bool inside = true;
        if (strcmp(key, name)) {
            s = json_skip(j, e);
            continue;
        }
        s = json_begin(j, '[', e);
        while (s == BERT_OK && (s = json_next_element(j, &inside, e)) == BERT_OK && inside) s = element(q, e);
    }
    return s;
}

/* A paragraph: first its context, then, once more from its beginning, its questions. */
static Status read_paragraph(SquadReader *q, Error *e)
{
    JsonReader *j = &q->json;
    const JsonReader back = *j;
    char key[256];
    bool more = true, found = false;
    Status s = json_begin(j, '{', e);
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        const bool context = !strcmp(key, "context");
        found |= context;
        s = context ? json_string(j, q->context, q->room, e) : json_skip(j, e);
    }
    if (s == BERT_OK) s = keep_context(q, found, e);
    if (s != BERT_OK) return s;
    *j = back;
    s = json_begin(j, '{', e);
    return s == BERT_OK ? read_array(q, "qas", read_question, e) : s;
}

static Status read_article(SquadReader *q, Error *e)
{
    Status s = json_begin(&q->json, '{', e);
    return s == BERT_OK ? read_array(q, "paragraphs", read_paragraph, e) : s;
}

/* Room for three strings, none of which can be longer than the file. */
static Status squad_room(SquadReader *q, size_t size, Error *e)
{
    q->room = size + 1;
    q->context = malloc(q->room);
    q->question = malloc(q->room);
    q->text = malloc(q->room);
    if (!q->context || !q->question || !q->text)
        return fail(e, BERT_SYSTEM, "out of memory for the questions of %s", q->json.path);
    return BERT_OK;
}

Status train_answer_read(TrainRun *r, TrainData *data, const char *path, char hex[65], Error *e)
{
    SquadReader q = {.r = r, .data = data, .held_out = data != &r->data};
    FileView file;
    Sha256 hash;
    Status s = file_open(&file, path, e);
    if (s != BERT_OK) return s;
    sha256_start(&hash);
    sha256_add(&hash, file.data, file.size);
    sha256_end(&hash, hex);
    data->name = path;
    s = json_open(&q.json, path, file.data, file.size, 0, e);
    if (s == BERT_OK) s = squad_room(&q, file.size, e);
    if (s == BERT_OK) s = read_array(&q, "data", read_article, e);
    if (s == BERT_OK) s = json_end(&q.json, e);
    if (s == BERT_OK && !q.questions)
        s = fail(e, BERT_TEXT, "%s: there is no question in data[].paragraphs[].qas[], as SQuAD's JSON has them", path);
    encoding_free(&q.bare);
    encoding_free(&q.whole);
    encoding_free(&q.window);
    free(q.context);
    free(q.question);
    free(q.text);
    file_close(&file);
    return s;
}
