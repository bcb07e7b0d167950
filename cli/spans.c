/* spans.c - from the numbers of tokens to places in a text: the rules of `tag` and `answer`. See spans.h.
 *
 * YOU ARE HERE   behind the heads. The model has given each token K logits of labels, or two of start and end; what is
 * left is arithmetic on small tables. It is not in the paper, which judges by the F1 of whole entities and answers
 * (sections 4.2, 4.3), but an answer that a program uses is made here, and two programs that differ here differ in what
 * they say with the same logits.
 *
 * Source: [hf] pipelines/token_classification.py (transformers 5) and pipelines/question_answering.py (the last one is
 * that of transformers 5.2), with tokenizers' Encoding: truncate, token_to_word, word_to_chars.
 */
#include "cli/spans.h"
#include "cli/cli.h"
#include "weights/unicode.h"
#include "weights/weights.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Windows
 *
 * A text of 12 tokens, room for 5, overlap 2: each window begins 3 tokens behind the one before, until one reaches the
 * end.
 *
 *     0 1 2 3 4 5 6 7 8 9 . .
 *     0 1 2 3 4
 *           3 4 5 6 7
 *                 6 7 8 9 .
 *                       9 . .
 *
 * Why overlap: a token near the cut does not see what is behind it. In the next window it does.
 * Differs: [tf] run_squad.py calls the distance of two beginnings its doc_stride, 128 of some 320 tokens. Here, as in
 *          Hugging Face's tokenizers, the stride is what two windows share.
 * Source: tokenizers, Encoding::truncate.
 * ================================================================================================================== */
/* left: tokens that no window before this one had, and the overlap. */
Window window_at(size_t k, size_t length, size_t room, size_t overlap, bool from_end)
{
    const size_t skipped = k * (room - overlap), left = length - skipped;
    const size_t size = left < room ? left : room;
    const size_t begin = from_end ? left - size : skipped;
    return (Window){begin, begin + size, left <= room};
}

/* Room for T tokens. What was there is lost. */
static Status make_room(Encoding *out, size_t T, Error *e)
{
    if ((size_t)out->capacity >= T) return BERT_OK;
    encoding_free(out);
    out->input_ids = calloc(T, sizeof *out->input_ids);
    out->token_type_ids = calloc(T, sizeof *out->token_type_ids);
    out->attention_mask = calloc(T, sizeof *out->attention_mask);
    out->offsets = calloc(T, sizeof *out->offsets);
    if (!out->input_ids || !out->token_type_ids || !out->attention_mask || !out->offsets)
        return fail(e, BERT_SYSTEM, "out of memory for %zu tokens", T);
    out->capacity = (int)T;
    return BERT_OK;
}

/* out[to ...] <- n tokens of `from`. */
static void copy_tokens(Encoding *out, size_t to, const Encoding *from, size_t at, size_t n)
{
    memcpy(out->input_ids + to, from->input_ids + at, n * sizeof *out->input_ids);
    memcpy(out->token_type_ids + to, from->token_type_ids + at, n * sizeof *out->token_type_ids);
    memcpy(out->attention_mask + to, from->attention_mask + at, n * sizeof *out->attention_mask);
    memcpy(out->offsets + to, from->offsets + at, n * sizeof *out->offsets);
}

/* The frame, [CLS] question [SEP] or [CLS] alone, is the same for every window. */
Status window_encoding(Encoding *out, const Encoding *whole, size_t before, size_t after, Window w, Error *e)
{
    const size_t n = w.end - w.begin, T = before + n + after;
    if (make_room(out, T, e) != BERT_OK) return e->status;
    copy_tokens(out, 0, whole, 0, before);
    copy_tokens(out, before, whole, before + w.begin, n);
    copy_tokens(out, before + n, whole, (size_t)whole->T - after, after);
    out->T = (int)T;
    return BERT_OK;
}

/* A piece with ## continues a word. So no list of words need be kept: where step 2 had a word begin, there is a piece
 * without ##, [UNK], or an added token. The last two may be spelled "##x": then their text begins with the # itself, or
 * with the white space that an added token takes in, and both begin words.
 *
 *     em ##bed ##ding ##s   no yes yes yes        [UNK] and [MASK]   no
 *
 * Verify: tokenizers' word_ids, whose numbers change where this is false: tests/conformance. */
bool continues_word(const Tokenizer *t, int id, Text text, size_t begin)
{
    uint32_t code = 0;
    if (id == t->unk_id || strncmp(tokenizer_piece(t, id), "##", 2)) return false;
    if (begin < text.length && !utf8_decode(text.bytes + begin, text.length - begin, &code)) return false;
    return code != '#' && !unicode_is_white(code);
}

/* =====================================================================================================================
 * Labels of tokens -> labels of stretches of text
 *
 *     tokens    Wolf   ##gang   lives   in   New     York
 *     labels    B-PER  I-PER    O       O    B-LOC   I-LOC      (the best of K probabilities each)
 *     answer    PER Wolfgang                 LOC New York
 *
 * B- begins an entity, I- is inside of one (CoNLL's IOB2, [paper] section 4.3 and its figure 4d).
 *
 * Differs: the paper labels the first piece of each word and leaves the others out, which is `first`. Nothing forces a
 *          model to agree with itself within a word: hence five rules, of which `simple` can cut a word in two.
 * ================================================================================================================== */

/* Characters: bytes that do not continue one. */
static size_t characters(const char *bytes, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) n += (bytes[i] & 0xC0) != 0x80;
    return n;
}

/* The pipeline does not ask the tokenizer. It compares lengths: "##gang" has two characters more than "gang".
 *
 * Trap: a first piece that is longer or shorter than its text counts as a continuation, and is glued to the word
 *       before: "nee" for n\u00E9e whose accent was typed after the e; to an uncased model any Korean word, whose
 *       syllables are two or three letters each. The rule is kept: `first`, `max` and `average` depend on it.
 * Trap: only the id says what is [UNK]. Its text is a whole word. */
bool tag_continues(const Tokenizer *t, int id, Text text, const size_t offsets[2])
{
    const char *piece = tokenizer_piece(t, id);
    if (id == t->unk_id) return false;
    return characters(piece, strlen(piece)) != characters(text.bytes + offsets[0], offsets[1] - offsets[0]);
}

/* "B-PER" -> "PER".
 *
 * Trap: whatever stands before the first "-" goes: a label "self-employed" is answered as "employed". Whether labels go
 *       together is decided by another rule, which knows B- and I- only: see `tag_of`. */
const char *tag_name(const char *label, Aggregation how)
{
    const char *dash = how == AGGREGATE_NONE ? NULL : strchr(label, '-');
    return dash ? dash + 1 : label;
}

/* What must be equal for two neighbours to be one: the label without B- or I-. A label without them is its own. */
static const char *tag_of(const char *label)
{
    return !strncmp(label, "B-", 2) || !strncmp(label, "I-", 2) ? label + 2 : label;
}

/* The first of the largest. */
static int best_label(const real *probs, size_t K)
{
    size_t best = 0;
    for (size_t k = 1; k < K; k++)
        if (probs[k] > probs[best]) best = k;
    return (int)best;
}

/* The best label of the mean of n tokens' probabilities, and that mean. */
static int best_of_mean(const TokenLabels *x, size_t first, size_t n, double *mean)
{
    int best = 0;
    for (size_t k = 0; k < x->K; k++) {
        double sum = 0;
        for (size_t t = first; t < first + n; t++) sum += (double)x->probs[t * x->K + k];
        if (k > 0 && !(sum / (double)n > *mean)) continue;
        best = (int)k;
        *mean = sum / (double)n;
    }
    return best;
}

/* Tokens first .. first+n-1, which are a word or a single token, as one span.
 *
 *     Micro B-ORG 0.6   ##soft I-MISC 0.9     first: B-ORG 0.6   max: I-MISC 0.9   average: of the two rows' mean */
static TaggedSpan word_span(const TokenLabels *x, size_t first, size_t n, Aggregation how)
{
    TaggedSpan span = {.begin = x->offsets[first][0], .end = x->offsets[first + n - 1][1]};
    if (how == AGGREGATE_AVERAGE) {
        span.label = best_of_mean(x, first, n, &span.score);
        return span;
    }
    span.label = best_label(x->probs + first * x->K, x->K);
    span.score = (double)x->probs[first * x->K + (size_t)span.label];
    for (size_t t = first + 1; how == AGGREGATE_MAX && t < first + n; t++) {
        const int label = best_label(x->probs + t * x->K, x->K);
        const double score = (double)x->probs[t * x->K + (size_t)label];
        if (score > span.score) span.label = label, span.score = score;
    }
    return span;
}

/* Neighbours whose labels go together become one, in place; its score is the mean of theirs. Returns how many are left.
 *
 *     B-PER I-PER   one        I-PER B-PER   two       B-PER I-LOC   two       NOUN NOUN   one
 *
 * Trap: labels without B- and I-, as those of parts of speech, count as I-: two nouns in a row are one.
 * Trap: an I- that no B- precedes begins an entity all the same. */
static size_t group_spans(TaggedSpan *spans, size_t count, const char *const *labels)
{
    size_t groups = 0, members = 0;
    for (size_t i = 0; i < count; i++) {
        const char *label = labels[spans[i].label];
        TaggedSpan *last = groups ? &spans[groups - 1] : NULL;
        if (last && strncmp(label, "B-", 2) && !strcmp(tag_of(label), tag_of(labels[last->label]))) {
            last->end = spans[i].end;
            last->score += spans[i].score;                          /* the sum; its mean when the group is closed */
            members++;
            continue;
        }
        if (last) last->score /= (double)members;
        spans[groups++] = spans[i];
        members = 1;
    }
    if (groups) spans[groups - 1].score /= (double)members;
    return groups;
}

/* Source: [hf] TokenClassificationPipeline.aggregate, aggregate_words, group_entities; ignore_labels is ["O"].
 *
 * Trap: O is left out after the groups are made, by the name in the answer: neighbours across an O stay apart, and a
 *       label "B-O" goes, too.
 * Differs: the pipeline's `word` is the pieces put together again, in lower case and with blanks about every mark:
 *          "new york's" is "new york ' s". Here the text is the input's own bytes from begin to end. */
size_t tag_spans(TaggedSpan *spans, const TokenLabels *x, Aggregation how)
{
    const bool words = how != AGGREGATE_NONE && how != AGGREGATE_SIMPLE;
    size_t count = 0, kept = 0;
    for (size_t t = 0, n; t < x->T; t += n) {
        for (n = 1; words && t + n < x->T && x->continues[t + n]; n++) {}
        spans[count++] = word_span(x, t, n, how);
    }
    if (how != AGGREGATE_NONE) count = group_spans(spans, count, x->labels);
    for (size_t i = 0; i < count; i++)
        if (strcmp(tag_name(x->labels[spans[i].label], how), "O")) spans[kept++] = spans[i];
    return kept;
}

/* By where they begin; at one place in the order of finding. */
static int by_begin(const void *a, const void *b)
{
    const TaggedSpan *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Two windows have seen the tokens that they share, and may differ about them. Of spans that overlap the longest stays,
 * of equally long ones the one with the higher score. Lengths are those of Python's texts: characters, not bytes.
 *
 * Trap: each is compared with the one that stayed before it, which it may replace: a short span between two that do not
 *       meet goes with one of them.
 * Source: [hf] TokenClassificationPipeline.aggregate_overlapping_entities. */
size_t tag_merge(TaggedSpan *spans, size_t count, Text text)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) spans[i].place = i;
    if (count) qsort(spans, count, sizeof *spans, by_begin);
    for (size_t i = 0; i < count; i++) {
        TaggedSpan *last = kept ? &spans[kept - 1] : NULL;
        if (!last || spans[i].begin >= last->end) {
            spans[kept++] = spans[i];
            continue;
        }
        const size_t n = characters(text.bytes + spans[i].begin, spans[i].end - spans[i].begin);
        const size_t before = characters(text.bytes + last->begin, last->end - last->begin);
        if (n > before || (n == before && spans[i].score > last->score)) *last = spans[i];
    }
    return kept;
}

/* =====================================================================================================================
 * Starts and ends -> answers
 *
 *     tokens       [CLS]  where ?  [SEP]   it   is   on   the  mat   [SEP]
 *     P(start)      .10                    .01  .09  .60  .12  .08           softmax over [CLS] and the context
 *     P(end)        .10                    .01  .01  .10  .08  .70           likewise
 *
 *     score of (s,e) = P(start s) P(end e), s <= e, at most 15 tokens: "on the mat" .42, "the mat" .08 ...
 *
 * [paper] section 4.2 compares S T_s + E T_e, sums of the logits: within a window that is the same order.
 * "No answer" (SQuAD 2.0, section 4.3) is the span (s,e) of [CLS].
 *
 * Differs: [tf] run_squad.py takes the 20 best starts and ends of each window, spans of at most 30 tokens, each token
 *          from the window in which it has most context, and compares logits over all windows. Answers of long texts
 *          differ.
 * ================================================================================================================== */
typedef struct {                    /* tokens of the context, counted from its first one */
    size_t start, end;
    double score;
} Candidate;

/* The higher score first; NaN last; of equal ones the one that begins, then the one that ends first. */
static int by_score(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    const int order = higher_first(x->score, y->score);
    if (order) return order;
    if (x->start != y->start) return x->start < y->start ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* The whole word that the token is part of, as far as it is in the window: `to` <- its first and last token.
 *
 * Trap: at the edge of a window a word may be cut. What is outside stays outside, and the answer begins or ends within
 *       the word. */
static void word_about(const AnswerWindow *x, size_t token, size_t to[2])
{
    const size_t end = x->first + x->count;
    to[0] = to[1] = x->first + token;
    while (to[0] > x->first && x->continues[to[0]]) to[0]--;
    while (to[1] + 1 < end && x->continues[to[1] + 1]) to[1]++;
}

/* Appends the candidate, from the beginning of its first word to the end of its last (align_to_words).
 *
 * Why: the best start may be ##ding. People want embeddings.
 * Trap: it makes equal answers of several candidates, whose scores are added up later. */
static void append_answer(Answers *all, const AnswerWindow *x, const Candidate *c)
{
    size_t first[2], last[2];
    word_about(x, c->start, first);
    word_about(x, c->end, last);
    const size_t begin = x->offsets[first[0]][0], end = x->offsets[last[1]][1];
    all->items[all->count] = (Answer){{x->context.bytes + begin, end - begin}, begin, c->score, all->count};
    all->count++;
}

/* probs (2, count+1) <- softmax of the starts and of the ends, [CLS] first, then the context's tokens. The question and
 * the [SEP]s cannot be in an answer: Hugging Face sets their logits to -10000, whose exp is 0.
 *
 * Differs: a [CLS] that is typed into the question competes there, too, and may begin an answer, whose words are then
 *          looked for in the context, where they are others.
 * Trap: all tokens of the context compete within their window only, [CLS] among them. Scores of two windows are not of
 *       one scale: a window without an answer has to give its probability to something. */
static void window_probs(real *probs, const AnswerWindow *x)
{
    const size_t n = x->count + 1;
    for (size_t i = 0; i < n; i++) {
        const size_t t = i ? x->first + i - 1 : 0;
        probs[i] = x->logits[2 * t];
        probs[n + i] = x->logits[2 * t + 1];
    }
    softmax(probs, probs, 2, n);
}

/* Room for `more` answers. */
static Status reserve_answers(Answers *all, size_t more, Error *e)
{
    size_t count, twice, bytes;
    if (!size_add(all->count, more, &count) || !size_add(count, count, &twice) ||
        !size_mul(twice, sizeof *all->items, &bytes)) return fail(e, BERT_SYSTEM, "out of memory for answers");
    if (count <= all->capacity) return BERT_OK;
    Answer *items = realloc(all->items, bytes);
    if (!items) return fail(e, BERT_SYSTEM, "out of memory for answers");
    all->items = items;
    all->capacity = twice;
    return BERT_OK;
}

/* Spans of n tokens that are no longer than `longest`: n + (n-1) + ... */
static size_t count_spans(size_t n, size_t longest)
{
    if (longest > n) longest = n;
    return longest * n - longest * (longest - (longest > 0)) / 2;
}

/* All spans, best first; then the answers that the first of them are.
 *
 * Trap: 2 top_k + 10 candidates of each window, because some will turn out to be equal. The number is part of the
 *       answer: what comes behind it is not added to the score of an equal answer. With --top-k 2 the first answer may
 *       have a higher score than with 1.
 * Differs: with fewer spans than that, Hugging Face fills up with spans of score 0: that end before they begin, are too
 *          long, or begin at [CLS]. Most are without text; others may hold the place of an equal answer that is found
 *          later. Here there are fewer answers, each at a place of its own.
 * Source: [hf] select_starts_ends, decode_spans, QuestionAnsweringPipeline.get_indices. */
Status answers_add(Answers *all, const AnswerWindow *x, int top_k, int max_answer, Error *e)
{
    const size_t n = x->count + 1, wanted = 2 * (size_t)top_k + 10, spans = count_spans(x->count, (size_t)max_answer);
    const size_t taken = spans < wanted ? spans : wanted;
    size_t found = 0;
    real *probs = calloc(n, sizeof(real[2]));
    Candidate *candidates = calloc(spans ? spans : 1, sizeof *candidates);
    Status s = probs && candidates ? reserve_answers(all, taken, e) : fail(e, BERT_SYSTEM, "out of memory for answers");
    if (s == BERT_OK) {
        window_probs(probs, x);
        const double null_score = (double)probs[0] * (double)probs[n];
        if (all->windows++ == 0 || null_score < all->null_score) all->null_score = null_score;
        for (size_t i = 0; i < x->count; i++)
            for (size_t j = i; j < x->count && j - i < (size_t)max_answer; j++)
                candidates[found++] = (Candidate){i, j, (double)probs[1 + i] * (double)probs[n + 1 + j]};
        qsort(candidates, found, sizeof *candidates, by_score);
        for (size_t i = 0; i < taken; i++) append_answer(all, x, &candidates[i]);
    }
    free(candidates);
    free(probs);
    return s;
}

/* The next character of the text in lower case, by which answers are compared; 0 at its end. U+0130 would become two
 * characters, and stays: it is equal to itself only. */
static uint32_t next_lower(const Text *text, size_t *at)
{
    uint32_t code = 0;
    const size_t n = *at < text->length ? utf8_decode(text->bytes + *at, text->length - *at, &code) : 0;
    *at += n;
    return !n ? 0 : code == 0x130 ? code : unicode_lower(code);
}

/* -1, 0, 1: the order of two texts in lower case. What it is does not matter; that equal ones are equal does.
 *
 * Differs: Python's lower() has another sigma at the end of a word than within. Here both are one letter. */
static int compare_lower(const Text *a, const Text *b)
{
    uint32_t x, y;
    size_t i = 0, j = 0;
    do {
        if (i == a->length || j == b->length) return (i < a->length) - (j < b->length);
        x = next_lower(a, &i);
        y = next_lower(b, &j);
    } while (x == y);
    return x < y ? -1 : 1;
}

/* Equal texts together; among them the order of finding. */
static int by_text(const void *a, const void *b)
{
    const Answer *x = a, *y = b;
    const int order = compare_lower(&x->text, &y->text);
    if (order) return order;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* The higher score first, NaN last; of equal ones the one that was found first. */
static int by_answer_score(const void *a, const void *b)
{
    const Answer *x = a, *y = b;
    const int order = higher_first(x->score, y->score);
    if (order) return order;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Equal texts, not equal places: "Paris" in the first and "PARIS" in the ninth window are one answer, which stands
 * where it was found first.
 *
 * Trap: scores are added up over windows, each of which has probabilities that add up to 1: a score may be above 1.
 * Trap: the score of "no answer" is the least of all windows, as one window with an answer is enough; it is compared
 *       with sums. A long text makes it all but impossible.
 * Source: [hf] QuestionAnsweringPipeline.postprocess, get_answer. */
Status answers_rank(Answers *all, int top_k, bool impossible, Error *e)
{
    size_t kept = 0;
    if (reserve_answers(all, 1, e) != BERT_OK) return e->status;
    qsort(all->items, all->count, sizeof *all->items, by_text);
    for (size_t i = 0; i < all->count; i++) {
        Answer *last = kept ? &all->items[kept - 1] : NULL;
        if (last && !compare_lower(&last->text, &all->items[i].text)) last->score += all->items[i].score;
        else all->items[kept++] = all->items[i];
    }
    if (impossible) all->items[kept++] = (Answer){{"", 0}, 0, all->null_score, all->count};
    qsort(all->items, kept, sizeof *all->items, by_answer_score);
    all->count = kept < (size_t)top_k ? kept : (size_t)top_k;
    return BERT_OK;
}

/* Gives everything back; the struct can be used again. */
void answers_free(Answers *all)
{
    free(all->items);
    *all = (Answers){0};
}
