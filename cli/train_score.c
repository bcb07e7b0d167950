/* train_score.c - what held-out labels and answers are scored by. See train_score.h. */
#include "cli/train_score.h"
#include "weights/unicode.h"
#include "weights/weights.h"
#include <stdlib.h>
#include <string.h>

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

/* =====================================================================================================================
 * Entities: the score of named entities since CoNLL 2000, which counts whole entities and not words
 *
 *     true   B-PER I-PER O B-LOC          two entities
 *     said   B-PER O     O B-LOC          two; one of them is right: precision 1/2, recall 1/2, F1 1/2
 *
 * Trap: an I- that no B- of its kind precedes begins an entity all the same, in what is true and in what is said.
 * Source: CoNLL's conlleval, and seqeval's get_entities, in its mode that is not strict.
 * ================================================================================================================== */
typedef struct {                    /* a label: B-PER is B and PER */
    char prefix;
    const char *kind;
} Tag;

/* seqeval: the first character, and what stands behind the first "-" after it; "_" for nothing. */
static Tag tag_of(const char *label)
{
    const char *rest = *label ? label + 1 : label, *dash = strchr(rest, '-');
    const char *kind = dash ? dash + 1 : rest;
    return (Tag){*label, *kind ? kind : "_"};
}

/* An entity goes on from one word to the next unless it ends or another begins. */
static bool ends_between(Tag last, Tag next)
{
    if (last.prefix == 'E' || last.prefix == 'S') return true;
    if ((last.prefix == 'B' || last.prefix == 'I') && strchr("BSO", next.prefix)) return true;
    return last.prefix != 'O' && last.prefix != '.' && strcmp(last.kind, next.kind);
}

static bool begins_between(Tag last, Tag next)
{
    if (next.prefix == 'B' || next.prefix == 'S') return true;
    if (strchr("ESO", last.prefix) && (next.prefix == 'E' || next.prefix == 'I')) return true;
    return next.prefix != 'O' && next.prefix != '.' && strcmp(last.kind, next.kind);
}

typedef struct {                    /* the entity that is being read */
    Tag last;
    size_t begin;
} Entities;

/* The word at `at`, or the end: does an entity end before it? Its kind and beginning into *ended. */
static bool next_word(Entities *x, Tag next, size_t at, Entities *ended)
{
    const bool ends = ends_between(x->last, next);
    *ended = *x;
    if (begins_between(x->last, next)) x->begin = at;
    x->last = next;
    return ends;
}

/* Both are read side by side: an entity is right if both end one here that began at one place and is of one kind. */
void entities_count(EntityCounts *counts, const char *const *said, const char *const *truly, size_t n)
{
    Entities a = {tag_of("O"), 0}, b = a, ended_a, ended_b;
    for (size_t i = 0; i <= n; i++) {
        const bool is_said = next_word(&a, tag_of(i < n ? said[i] : "O"), i, &ended_a);
        const bool is_true = next_word(&b, tag_of(i < n ? truly[i] : "O"), i, &ended_b);
        counts->said += is_said;
        counts->truly += is_true;
        counts->right += is_said && is_true && ended_a.begin == ended_b.begin &&
                         !strcmp(ended_a.last.kind, ended_b.last.kind);
    }
}

double entities_f1(const EntityCounts *c)
{
    return c->said + c->truly ? 2 * (double)c->right / (double)(c->said + c->truly) : 0;
}

bool labels_are_entities(const char *const *labels, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(labels[i], "O") && !(labels[i][0] && strchr("BIES", labels[i][0]) && labels[i][1] == '-')) return false;
    return count > 0;
}

/* =====================================================================================================================
 * Answers: SQuAD's two scores
 *
 *     "The Denver Broncos!" and "denver broncos"     the same words: exact, F1 1
 *     "Denver Broncos team" and "Denver Broncos"     two of three, two of two: F1 2 * 2 / (3 + 2) = 0.8
 *
 * Source: SQuAD's evaluate-v2.0.py, normalize_answer and compute_f1.
 * ================================================================================================================== */
typedef struct {                    /* an answer's words, in lower case, without marks and articles */
    char *bytes;
    Text *words;
    size_t count;
} Words;

static void words_free(Words *w)
{
    free(w->bytes);
    free(w->words);
}

static bool is_article(Text word)
{
    static const char *const articles[] = {"a", "an", "the"};
    for (int i = 0; i < 3; i++)
        if (word.length == strlen(articles[i]) && !memcmp(word.bytes, articles[i], word.length)) return true;
    return false;
}

/* Python's string.punctuation, the marks of ASCII. */
static bool is_ascii_mark(uint32_t c)
{
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
}

/* Text -> lower case, without the marks of ASCII; words stand between white space. Returns how many bytes.
 * Differs: Python finds an article also beside a mark that is not of ASCII ("the\u2013end"); here such a word stays
 * whole. */
static size_t clean(char *out, Text text)
{
    size_t n = 0;
    uint32_t code = 0;
    for (size_t i = 0, length; i < text.length; i += length) {
        length = utf8_decode(text.bytes + i, text.length - i, &code);
        if (!length) break;                             /* never: it is a part of valid UTF-8 */
        if (unicode_is_white(code)) out[n++] = ' ';
        else if (!is_ascii_mark(code)) n += utf8_encode(unicode_lower(code), out + n);
    }
    return n;
}

static int by_bytes(const void *a, const void *b)
{
    const Text *x = a, *y = b;
    const int order = memcmp(x->bytes, y->bytes, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Its words, in their order. */
static Status words_of(Words *w, Text text, Error *e)
{
    size_t bytes, words;
    *w = (Words){0};
    bool ok = size_mul(text.length, 4, &bytes) && size_add(bytes, 4, &bytes) &&
              size_mul(text.length / 2 + 1, sizeof *w->words, &words);
    if (ok) w->bytes = malloc(bytes);
    if (ok) w->words = malloc(words);
    if (!w->bytes || !w->words) {
        words_free(w);
        return fail(e, BERT_SYSTEM, "out of memory for an answer");
    }
    const size_t length = clean(w->bytes, text);
    for (size_t i = 0, end; i < length; i = end + 1) {
        for (end = i; end < length && w->bytes[end] != ' '; end++) {}
        const Text word = {w->bytes + i, end - i};
        if (word.length && !is_article(word)) w->words[w->count++] = word;
    }
    return BERT_OK;
}

static bool same_words(const Words *a, const Words *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) same = by_bytes(&a->words[i], &b->words[i]) == 0;
    return same;
}

/* Words that both have, each as often as both have it. Sorts them. */
static size_t common_words(Words *a, Words *b)
{
    size_t common = 0;
    qsort(a->words, a->count, sizeof *a->words, by_bytes);
    qsort(b->words, b->count, sizeof *b->words, by_bytes);
    for (size_t i = 0, j = 0; i < a->count && j < b->count; ) {
        const int order = by_bytes(&a->words[i], &b->words[j]);
        common += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return common;
}

/* Against one right answer. Without words on one side F1 is 1 if the other has none either. */
static Status score_against(double *f1, bool *exact, Text answer, Text right, Error *e)
{
    Words a, b;
    if (words_of(&a, answer, e) != BERT_OK) return e->status;
    if (words_of(&b, right, e) != BERT_OK) {
        words_free(&a);
        return e->status;
    }
    *exact = same_words(&a, &b);
    const size_t both = a.count + b.count;
    *f1 = !a.count || !b.count ? *exact : 2 * (double)common_words(&a, &b) / (double)both;
    words_free(&a);
    words_free(&b);
    return BERT_OK;
}

Status answer_score(double *f1, bool *exact, Text answer, char *const *right, size_t count, Error *e)
{
    static char nothing[] = "";
    char *const none[] = {nothing};
    *f1 = 0;
    *exact = false;
    if (!count) right = none, count = 1;
    for (size_t i = 0; i < count; i++) {
        double one = 0;
        bool same = false;
        if (score_against(&one, &same, answer, (Text){right[i], strlen(right[i])}, e) != BERT_OK) return e->status;
        if (one > *f1) *f1 = one;
        *exact |= same;
    }
    return BERT_OK;
}
