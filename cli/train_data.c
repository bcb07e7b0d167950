/* train_data.c - what `bert train` learns from: pairs of sentences and hidden words, as BERT was pre-trained.
 *
 *     my dog is cute [end]  he likes playing [end]            two sentences of a document
 *     [CLS] my dog is cute [SEP] he likes playing [SEP]       a pair; here B follows A: IsNext
 *     [CLS] my dog is [MASK] [SEP] he likes apple [SEP]       two tokens are chosen: one is hidden, one replaced
 *
 * Everything random comes from a counter (philox, learn.c), never from a stream: pairs from (seed, document, epoch),
 * their order from (seed, epoch), masks from (seed, step, sequence). So the exercises of step 1,000 can be made without
 * those of the steps before: a run that goes on after it was killed sees what it would have seen.
 */
#include "cli/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Random numbers
 * ================================================================================================================== */
Draws draws_at(uint32_t seed, Purpose purpose, uint32_t a, uint32_t b, uint32_t c)
{
    return (Draws){.seed = seed, .purpose = purpose, .counter = {0, a, b, c}};
}

/* Four numbers for each count. */
uint32_t draw(Draws *d)
{
    if (!d->left) {
        philox(d->words, d->counter, d->seed, d->purpose);
        d->counter[0]++;
        d->left = 4;
    }
    return d->words[4 - d->left--];
}

/* The upper half of a product: n equal parts of 2^32, but for one number in 2^32 / n. */
uint32_t draw_below(Draws *d, uint32_t n)
{
    return (uint32_t)((uint64_t)draw(d) * n >> 32);
}

bool draw_chance(Draws *d, double p)
{
    return (double)draw(d) < p * 4294967296.0;
}

/* A number of the normal distribution of mean 0 and deviation 1, by Marsaglia's polar method: a point of the unit disk,
 * its distance from the middle stretched.
 * Why: it needs the logarithm, of which the project has its own (tensor.c), and a square root: the same bits
 * everywhere. */
static double random_normal(Draws *d)
{
    for (;;) {
        const double u = ((double)draw(d) + 0.5) / 2147483648.0 - 1, v = ((double)draw(d) + 0.5) / 2147483648.0 - 1;
        const double square = u * u + v * v;
        if (square >= 1) continue;
        const real x = (real)square;
        real logarithm;
        log_all(&logarithm, &x, 1);
        return u * sqrt(-2 * (double)logarithm / square);
    }
}

/* Differs: Google's truncated normal draws again what is more than two deviations from 0, and fills the row of [PAD]
 * like any other; Hugging Face's is the plain one, and that row is 0.
 * Source: [hf] BertPreTrainedModel._init_weights; [tf] modeling.py, create_initializer. */
void random_weights(const Parameters *p, Rules rules, double deviation, uint32_t seed, int pad_id)
{
    for (const Parameter *x = p->list; x < p->list + p->count; x++) {
        const bool ones = x->norm && ends_with(x->name, ".weight");
        const bool words = !strcmp(x->name, "embeddings.word_embeddings.weight");
        for (size_t i = 0; i < x->count; i++) {
            Draws d = draws_at(seed, PURPOSE_WEIGHTS, (uint32_t)(x - p->list), (uint32_t)i,
                               (uint32_t)((uint64_t)i >> 32));
            double z = x->decays ? random_normal(&d) : ones;
            while (x->decays && rules == RULES_GOOGLE && fabs(z) > 2) z = random_normal(&d);
            if (words && rules == RULES_HUGGINGFACE && pad_id >= 0 && i / x->cols == (size_t)pad_id) z = 0;
            x->value[i] = (real)(x->decays ? deviation * z : z);
        }
    }
}

/* =====================================================================================================================
 * Text
 * ================================================================================================================== */

/* Room for one more sentence of `count` tokens, and for a document. */
static bool corpus_room(Corpus *c, size_t count)
{
    size_t tokens, room = c->sentence_room;
    if (!size_add(c->tokens, count, &tokens) || !lengthen_array(&c->ids, sizeof *c->ids, &c->id_room, tokens)) return false;
    if (!lengthen_array(&c->line, sizeof *c->line, &room, c->sentences + 2)) return false;
    if (!lengthen_array(&c->sentence, sizeof *c->sentence, &c->sentence_room, c->sentences + 2)) return false;
    return lengthen_array(&c->document, sizeof *c->document, &c->document_room, c->documents + 2);
}

/* A sentence without a token (of nothing but control characters, say) is none. */
Status corpus_add(Corpus *c, const int32_t *ids, size_t count, size_t line, Error *e)
{
    if (count == 0) return BERT_OK;
    if (!corpus_room(c, count)) return fail(e, BERT_SYSTEM, "out of memory for %zu sentences", c->sentences + 1);
    if (!c->in_document) c->document[c->documents++] = c->sentences;
    c->in_document = true;
    c->line[c->sentences] = line;
    c->sentence[c->sentences++] = c->tokens;
    memcpy(c->ids + c->tokens, ids, count * sizeof *ids);
    c->tokens += count;
    c->sentence[c->sentences] = c->tokens;
    c->document[c->documents] = c->sentences;
    return BERT_OK;
}

void corpus_end_document(Corpus *c)
{
    c->in_document = false;
}

void corpus_free(Corpus *c)
{
    free(c->ids);
    free(c->sentence);
    free(c->line);
    free(c->document);
    *c = (Corpus){0};
}

double unigram_entropy(const int32_t *ids, size_t count, int V, Error *e)
{
    size_t *counts = calloc((size_t)V, sizeof *counts), all = 0;
    double entropy = 0;
    if (!counts) {
        fail(e, BERT_SYSTEM, "out of memory");
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= 0 && ids[i] < V) counts[ids[i]]++, all++;
    for (int id = 0; id < V; id++)
        if (counts[id]) entropy -= (double)counts[id] / (double)all * log((double)counts[id] / (double)all);
    free(counts);
    return entropy;
}

/* =====================================================================================================================
 * Pairs of sentences
 * ================================================================================================================== */

/* What one document is cut with. */
typedef struct {
    const Corpus *c;
    const PairRules *rules;
    Draws *d;
    size_t document, room, target;  /* room: tokens of A and B, at most; target: as many are taken */
} Cutter;

static size_t tokens_between(const Corpus *c, size_t sentence, size_t end)
{
    return c->sentence[end] - c->sentence[sentence];
}

/* Of two numbers of tokens the longer one loses one, at its beginning or its end, until both fit.
 * Why at either end: so that a sentence's beginning is not always after [CLS].
 * Source: [tf] create_pretraining_data.py, truncate_seq_pair: equally long ones, B. */
static void truncate_pair(Pair *p, size_t room, Draws *d)
{
    while (p->a_end - p->a + p->b_end - p->b > room) {
        const bool from_a = p->a_end - p->a > p->b_end - p->b, front = draw_chance(d, 0.5);
        if (from_a && front) p->a++;
        else if (from_a) p->a_end--;
        else if (front) p->b++;
        else p->b_end--;
    }
}

/* B from elsewhere: another document, from a random sentence of it on, until there are `wanted` tokens or it ends.
 * Differs: what is another document? Ten tries are made, as in Google's program; with one document only, or with bad
 * luck, B comes from the same one, and may even be what follows A. */
static void random_next(const Cutter *x, Pair *p, size_t wanted)
{
    const Corpus *c = x->c;
    size_t other = x->document;
    for (int tries = 0; tries < 10 && other == x->document; tries++)
        other = draw_below(x->d, (uint32_t)c->documents);
    const size_t first = c->document[other], end = c->document[other + 1];
    const size_t begin = first + draw_below(x->d, (uint32_t)(end - first));
    size_t s = begin + 1;
    while (s < end && tokens_between(c, begin, s) < wanted) s++;
    p->b = c->sentence[begin];
    p->b_end = c->sentence[s];
    p->random = true;
}

/* A pair of the sentences from `begin` to `end` - 1; returns how many of them it used: the others are put back, for the
 * next pair.
 *
 *     A   the first so many of them, a random number          B   with probability 1/2 the others, else from elsewhere
 *
 * Trap: more than half of all pairs are NotNext: a single sentence has nothing that could follow it. */
static size_t cut_pair(const Cutter *x, size_t begin, size_t end, Pair *p)
{
    const Corpus *c = x->c;
    const size_t count = end - begin;
    size_t in_a = count;
    if (x->rules->nsp) in_a = count < 2 ? 1 : 1 + draw_below(x->d, (uint32_t)(count - 1));
    *p = (Pair){.a = c->sentence[begin], .a_end = c->sentence[begin + in_a], .b = c->sentence[begin + in_a],
                .b_end = c->sentence[end], .line = c->line[begin]};
    if (x->rules->nsp && (count == 1 || draw_chance(x->d, 0.5))) {
        const size_t length = p->a_end - p->a;
        random_next(x, p, x->target > length ? x->target - length : 0);
        truncate_pair(p, x->room, x->d);
        return in_a;
    }
    truncate_pair(p, x->room, x->d);
    return count;
}

/* All pairs of one document: sentences are gathered until they are as long as a sequence, or the document ends.
 * Why one document in ten aims at a random, shorter length: the model is used on short texts, too.
 * Source: [tf] create_pretraining_data.py, create_instances_from_document. Hugging Face has no program of its own for
 * pairs; with its rules for masks and for the optimizer they are Google's, too. */
static Status cut_document(Pairs *pairs, const Cutter *x, Error *e)
{
    const Corpus *c = x->c;
    const size_t first = c->document[x->document], end = c->document[x->document + 1];
    for (size_t begin = first; begin < end; ) {
        size_t s = begin + 1;
        while (s < end && tokens_between(c, begin, s) < x->target) s++;
        if (!lengthen_array(&pairs->list, sizeof *pairs->list, &pairs->room, pairs->count + 1))
            return fail(e, BERT_SYSTEM, "out of memory for %zu pairs", pairs->count);
        begin += cut_pair(x, begin, s, &pairs->list[pairs->count++]);
    }
    return BERT_OK;
}

/* Fisher and Yates: every order has the same chance. */
static void shuffle_pairs(Pairs *pairs, Draws *d)
{
    for (size_t i = pairs->count; i > 1; i--) {
        const size_t j = draw_below(d, (uint32_t)i);
        const Pair p = pairs->list[i - 1];
        pairs->list[i - 1] = pairs->list[j];
        pairs->list[j] = p;
    }
}

/* Differs: Google's program cuts the text ten times (dupe_factor) into one file, which is then read again and again;
 * here every pass through the text is cut anew. */
Status make_pairs(Pairs *pairs, const Corpus *c, const PairRules *rules, uint32_t epoch, Error *e)
{
    const size_t room = (size_t)rules->max_length - (rules->nsp ? 3 : 2);
    Status status = BERT_OK;
    pairs->count = 0;
    for (size_t i = 0; status == BERT_OK && i < c->documents; i++) {
        Draws d = draws_at(rules->seed, PURPOSE_PAIRS, (uint32_t)i, epoch, 0);
        const bool is_short = draw_chance(&d, 0.1);
        const size_t target = is_short ? 2 + draw_below(&d, (uint32_t)(room - 1)) : room;
        const Cutter cutter = {c, rules, &d, i, room, target};
        status = cut_document(pairs, &cutter, e);
    }
    Draws d = draws_at(rules->seed, PURPOSE_ORDER, 0, epoch, 0);
    shuffle_pairs(pairs, &d);
    return status;
}

/* =====================================================================================================================
 * Masks
 * ================================================================================================================== */

/* May this token be chosen? What frames the text is not to be guessed.
 * Differs: Hugging Face never chooses any special piece, [UNK] and [MASK] among them; Google's program chooses all but
 * [CLS] and [SEP]. */
static bool may_hide(const MaskRules *r, int32_t id)
{
    if (id == r->cls_id || id == r->sep_id) return false;
    return r->rules == RULES_GOOGLE || (id != r->pad_id && id != r->unk_id && id != r->mask_id);
}

/* How many tokens of a sequence Google's program chooses: 15 % of all T, [CLS] and [SEP] counted, rounded, at least one
 * and at most 20 (for 128 tokens; for other lengths in proportion).
 * Trap: 30 tokens are 4.5: Python 3 rounds a half to the even neighbour, to 4, Python 2 made 5 of it. */
static int google_count(const MaskRules *r, int T)
{
    const double wanted = rint(T * r->probability);
    const int most = (r->max_length * 20 + 127) / 128;
    return wanted < 1 ? 1 : wanted > most ? most : (int)wanted;
}

/* Google: the first so many of a random order, sorted. */
static int choose_google(const int32_t *ids, int T, const MaskRules *r, Draws *d, int *rows)
{
    int candidates = 0, count = google_count(r, T);
    for (int t = 0; t < T; t++)
        if (may_hide(r, ids[t])) rows[candidates++] = t;
    if (count > candidates) count = candidates;
    for (int i = 0; i < count; i++) {
        const int j = i + (int)draw_below(d, (uint32_t)(candidates - i)), chosen = rows[j];
        rows[j] = rows[i];
        int at = i;
        for (; at > 0 && rows[at - 1] > chosen; at--) rows[at] = rows[at - 1];
        rows[at] = chosen;
    }
    return count;
}

/* Hugging Face: each by itself; so there may be many, or none.     [hf] DataCollatorForLanguageModeling */
static int choose_huggingface(const int32_t *ids, int T, const MaskRules *r, Draws *d, int *rows)
{
    int count = 0;
    for (int t = 0; t < T; t++)
        if (may_hide(r, ids[t]) && draw_chance(d, r->probability)) rows[count++] = t;
    return count;
}

/* A chosen token becomes, with probability
 *
 *     0.8   [MASK]
 *     0.1   any piece of the vocabulary, special ones and itself among them
 *     0.1   what it was
 *
 * Why not always [MASK]: no text has it when the model is used; so it must not be the only sign that a token matters.
 * Source: [paper] A.1. Both programs do this alike.
 * Example: of my dog is cute, `cute` is chosen: my dog is [MASK]; or my dog is apple; or my dog is cute. The label is
 * `cute` each time. Verify: my_dog_is_cute_step_by_step (tests/test_train.c) */
int mask_tokens(int32_t *ids, int T, const MaskRules *r, Draws *d, int *rows, int32_t *labels)
{
    const int count = r->rules == RULES_GOOGLE ? choose_google(ids, T, r, d, rows)
                                               : choose_huggingface(ids, T, r, d, rows);
    for (int i = 0; i < count; i++) {
        int32_t *id = &ids[rows[i]];
        labels[i] = *id;
        if (draw_chance(d, 0.8)) *id = r->mask_id;
        else if (draw_chance(d, 0.5)) *id = (int32_t)draw_below(d, (uint32_t)r->V);
    }
    return count;
}

/* =====================================================================================================================
 * The exercises of one step
 * ================================================================================================================== */
Status exercise_new(Exercise *x, int B, int max_length, Error *e)
{
    size_t tokens, sequences;
    *x = (Exercise){.B = B};
    if (!size_mul((size_t)B, (size_t)max_length, &tokens) || tokens > INT32_MAX)
        return fail(e, BERT_USAGE, "--batch %d: more than 2^31 tokens in a step", B);
    size_add((size_t)B, 1, &sequences);
    x->T = calloc(sequences, sizeof *x->T);
    x->token = calloc(sequences, sizeof *x->token);
    x->row = calloc(sequences, sizeof *x->row);
    x->next_sentence = calloc(sequences, sizeof *x->next_sentence);
    x->line = calloc(sequences, sizeof *x->line);
    x->example = calloc(sequences, sizeof *x->example);
    x->ids = calloc(tokens, sizeof *x->ids);
    x->types = calloc(tokens, sizeof *x->types);
    x->mask = calloc(tokens, sizeof *x->mask);
    x->rows = calloc(tokens, sizeof *x->rows);
    x->labels = calloc(tokens, sizeof *x->labels);
    x->task_labels = calloc(tokens, sizeof *x->task_labels);        /* a sequence has room for 5 tokens or more */
    if (x->T && x->token && x->row && x->next_sentence && x->line && x->example && x->ids && x->types && x->mask &&
        x->rows && x->labels && x->task_labels) return BERT_OK;
    exercise_free(x);
    return fail(e, BERT_SYSTEM, "out of memory for a step of %zu tokens", tokens);
}

void exercise_free(Exercise *x)
{
    free(x->T);
    free(x->token);
    free(x->row);
    free(x->next_sentence);
    free(x->line);
    free(x->example);
    free(x->ids);
    free(x->types);
    free(x->mask);
    free(x->rows);
    free(x->labels);
    free(x->task_labels);
    *x = (Exercise){0};
}

/* Tokens behind those of the sequence that are there. */
static int put_tokens(Exercise *x, size_t at, const int32_t *ids, size_t count, int type)
{
    for (size_t i = 0; i < count; i++) {
        x->ids[at + i] = ids[i];
        x->types[at + i] = type;
        x->mask[at + i] = 1;
    }
    return (int)count;
}

/* Room for one more text of T tokens behind so many. */
static bool examples_room(Examples *x, size_t tokens, size_t T)
{
    size_t wanted, more, type_room = x->token_room, line_room = x->room;
    if (!size_add(tokens, T, &wanted) || !size_add(x->count, 2, &more)) return false;
    const size_t labels = x->kind == LABELS_OF_TOKENS ? wanted : 2 * more;
    return lengthen_array(&x->types, sizeof *x->types, &type_room, wanted) &&
           lengthen_array(&x->ids, sizeof *x->ids, &x->token_room, wanted) &&
           lengthen_array(&x->label, sizeof *x->label, &x->label_room, labels) &&
           lengthen_array(&x->line, sizeof *x->line, &line_room, more) &&
           lengthen_array(&x->start, sizeof *x->start, &x->room, more);
}

/* The labels of example i of those that there are, and how many. */
static int32_t *labels_of(const Examples *x, size_t i, size_t *count)
{
    *count = x->kind == LABELS_OF_TEXTS ? 1 : x->kind == LABELS_OF_SPANS ? 2 : x->start[i + 1] - x->start[i];
    return x->label + (x->kind == LABELS_OF_TOKENS ? x->start[i] : i * *count);
}

Status examples_add(Examples *x, const Encoding *encoding, const int32_t *labels, size_t line, Error *e)
{
    const size_t at = x->count ? x->start[x->count] : 0, T = (size_t)encoding->T;
    size_t count;
    if (!examples_room(x, at, T)) return fail(e, BERT_SYSTEM, "out of memory for %zu texts", x->count + 1);
    memcpy(x->ids + at, encoding->input_ids, T * sizeof *x->ids);
    memcpy(x->types + at, encoding->token_type_ids, T * sizeof *x->types);
    x->start[x->count] = at;
    x->start[x->count + 1] = at + T;
    x->line[x->count] = line;
    int32_t *to = labels_of(x, x->count, &count);
    memcpy(to, labels, count * sizeof *to);
    x->count++;
    return BERT_OK;
}

void questions_free(Questions *q)
{
    for (size_t i = 0; i < q->count; i++) {
        for (size_t k = 0; k < q->list[i].answer_count; k++) free(q->list[i].answers[k]);
        free(q->list[i].answers);
    }
    for (size_t i = 0; i < q->context_count; i++) free(q->contexts[i]);
    free(q->list);
    free(q->contexts);
    free(q->offsets);
    *q = (Questions){0};
}

void examples_free(Examples *x)
{
    free(x->ids);
    free(x->types);
    free(x->start);
    free(x->label);
    free(x->line);
    free(x->order);
    *x = (Examples){0};
}

/* Text number `wanted`, counted through all epochs: each epoch has every text once, in an order of its own. */
static Status find_example(Examples *x, int64_t wanted, size_t *found, Error *e)
{
    const int64_t epoch = wanted / (int64_t)x->count;
    if (!x->order || epoch != x->epoch) {
        Draws d = draws_at(x->seed, PURPOSE_ORDER, (uint32_t)epoch, (uint32_t)(epoch >> 32), 1);
        if (!x->order) x->order = calloc(x->count, sizeof *x->order);
        if (!x->order) return fail(e, BERT_SYSTEM, "out of memory for the order of %zu texts", x->count);
        for (size_t i = 0; i < x->count; i++) {
            const size_t j = draw_below(&d, (uint32_t)i + 1);
            x->order[i] = x->order[j];
            x->order[j] = i;
        }
        x->epoch = epoch;
    }
    *found = x->order[wanted % (int64_t)x->count];
    return BERT_OK;
}

/* Sequence b: a text, as it was encoded. */
static Status put_example(Exercise *x, Examples *all, int64_t number, int b, Error *e)
{
    const size_t at = x->token[b];
    size_t i = 0, count;
    if (find_example(all, number, &i, e) != BERT_OK) return e->status;
    const size_t first = all->start[i], T = all->start[i + 1] - first;
    for (size_t t = 0; t < T; t++) {
        x->ids[at + t] = all->ids[first + t];
        x->types[at + t] = all->types[first + t];
        x->mask[at + t] = 1;
    }
    x->T[b] = (int)T;
    x->line[b] = all->line[i];
    x->example[b] = i;
    const int32_t *labels = labels_of(all, i, &count);
    memcpy(x->task_labels + (all->kind == LABELS_OF_TOKENS ? at : (size_t)b * count), labels, count * sizeof *labels);
    x->next_sentence[b] = -1;
    x->token[b + 1] = at + T;
    x->row[b + 1] = x->row[b];
    return BERT_OK;
}

/* Sequence b: a pair, framed, with tokens of it hidden. */
static void put_pair(Exercise *x, const TrainData *data, const Pair *p, int b, int64_t step)
{
    const Corpus *c = &data->corpus;
    const MaskRules *r = &data->mask_rules;
    const size_t at = x->token[b], row = x->row[b];
    const int32_t cls = r->cls_id, sep = r->sep_id;
    int T = put_tokens(x, at, &cls, 1, 0);
    T += put_tokens(x, at + (size_t)T, c->ids + p->a, p->a_end - p->a, 0);
    T += put_tokens(x, at + (size_t)T, &sep, 1, 0);
    if (p->b < p->b_end) {
        T += put_tokens(x, at + (size_t)T, c->ids + p->b, p->b_end - p->b, 1);
        T += put_tokens(x, at + (size_t)T, &sep, 1, 1);
    }
    Draws d = draws_at(data->pair_rules.seed, PURPOSE_MASKS, (uint32_t)b, (uint32_t)step, (uint32_t)(step >> 32));
    const int count = mask_tokens(x->ids + at, T, r, &d, x->rows + row, x->labels + row);
    for (int i = 0; i < count; i++) x->rows[row + (size_t)i] += (int)at;
    x->T[b] = T;
    x->line[b] = p->line;
    x->next_sentence[b] = data->pair_rules.nsp ? p->random : -1;
    x->token[b + 1] = at + (size_t)T;
    x->row[b + 1] = row + (size_t)count;
}

/* Pair number `wanted`, counted through all epochs. Trap: epochs have not the same number of pairs; so those before it
 * are counted, by making them. */
static Status find_pair(TrainData *data, int64_t wanted, const Pair **pair, Error *e)
{
    if (data->any_pairs && wanted < data->first_pair) data->any_pairs = false;
    if (!data->any_pairs) {
        data->epoch = 0;
        data->first_pair = 0;
        if (make_pairs(&data->pairs, &data->corpus, &data->pair_rules, 0, e) != BERT_OK) return e->status;
        data->any_pairs = true;
    }
    while (wanted - data->first_pair >= (int64_t)data->pairs.count) {
        data->first_pair += (int64_t)data->pairs.count;
        data->epoch++;
        data->any_pairs = false;
        if (make_pairs(&data->pairs, &data->corpus, &data->pair_rules, data->epoch, e) != BERT_OK) return e->status;
        data->any_pairs = true;
    }
    *pair = &data->pairs.list[wanted - data->first_pair];
    return BERT_OK;
}

/* One number of a tensor of --inputs, which may stand at any address. */
static int64_t input_at(const SafeTensor *t, size_t i)
{
    int64_t value;
    memcpy(&value, (const char *)t->data + i * sizeof value, sizeof value);
    return value;
}

/* The same, if it is from 0 to `most`; or -100, where that may be. */
static Status read_input(const TrainData *data, const SafeTensor *t, size_t row, size_t i, int most, int32_t *out,
                         Error *e)
{
    const int64_t value = input_at(t, i);
    *out = (int32_t)value;
    if (value >= 0 && value <= most) return BERT_OK;
    if (value == -100 && (t == data->labels || t == data->next_sentence)) return BERT_OK;
    return fail(e, BERT_TEXT, "%s: row %zu: number %zu of %s is %lld, expected 0 to %d%s", data->name, row + 1, i + 1,
                t->name, (long long)value, most,
                t == data->labels || t == data->next_sentence ? ", or -100 for none" : "");
}

/* Token t of a row: its four numbers, where the file has them. */
static Status read_token(Exercise *x, const TrainData *data, size_t row, size_t i, size_t at, int32_t *label, Error *e)
{
    x->types[at] = 0;
    x->mask[at] = 1;
    *label = -100;
    Status s = read_input(data, data->input_ids, row, i, data->V - 1, &x->ids[at], e);
    if (s == BERT_OK && data->types) s = read_input(data, data->types, row, i, data->S - 1, &x->types[at], e);
    if (s == BERT_OK && data->mask) s = read_input(data, data->mask, row, i, 1, &x->mask[at], e);
    if (s == BERT_OK && data->labels) s = read_input(data, data->labels, row, i, data->V - 1, label, e);
    return s;
}

/* Sequence b: a row of --inputs. Padding at its end is left away, which changes nothing: nobody looks at it. */
static Status put_row(Exercise *x, const TrainData *data, size_t row, int b, Error *e)
{
    const size_t at = x->token[b];
    size_t T = 1, labels = x->row[b];
    for (size_t t = 0; t < data->columns; t++) {
        int32_t label;
        if (read_token(x, data, row, row * data->columns + t, at + t, &label, e) != BERT_OK) return e->status;
        if (label >= 0) {
            x->rows[labels] = (int)(at + t);
            x->labels[labels++] = label;
        }
        if (x->mask[at + t] || label >= 0) T = t + 1;
    }
    x->T[b] = (int)T;
    x->line[b] = row + 1;
    x->next_sentence[b] = -1;
    x->token[b + 1] = at + T;
    x->row[b + 1] = labels;
    if (!data->next_sentence) return BERT_OK;
    return read_input(data, data->next_sentence, row, row, 1, &x->next_sentence[b], e);
}

Status exercise_fill(Exercise *x, TrainData *data, int64_t step, Error *e)
{
    x->has_task = data->examples.count > 0;
    x->kind = data->examples.kind;
    x->has_labels = data->input_ids ? data->labels != NULL : !x->has_task;
    x->has_next = data->input_ids ? data->next_sentence != NULL : data->pair_rules.nsp;
    for (int b = 0; b < x->B; b++) {
        const int64_t number = step * x->B + b;
        const Pair *pair = NULL;
        if (x->has_task && put_example(x, &data->examples, number, b, e) != BERT_OK) return e->status;
        if (x->has_task) continue;
        Status s = data->input_ids ? put_row(x, data, (size_t)number % data->rows, b, e)
                                   : find_pair(data, number, &pair, e);
        if (s != BERT_OK) return s;
        if (!data->input_ids) put_pair(x, data, pair, b, step);
    }
    return BERT_OK;
}

/* A tensor of --inputs: absent, or I64 of the wanted rank, as many rows and columns as input_ids. */
static Status find_input(TrainData *data, const char *name, int rank, const SafeTensor **found, Error *e)
{
    const SafeTensor *t = *found = safetensors_find(&data->inputs, name), *ids = data->input_ids;
    if (!t) return BERT_OK;
    if (t->dtype != DTYPE_I64 || t->rank != rank)
        return fail(e, BERT_FILE, "%s: %s is %s of rank %d, expected I64 of rank %d", data->name, name,
                    dtype_name(t->dtype), t->rank, rank);
    if (ids && (t->shape[0] != ids->shape[0] || (rank == 2 && t->shape[1] != ids->shape[1])))
        return fail(e, BERT_FILE, "%s: %s has another shape than input_ids", data->name, name);
    return BERT_OK;
}

Status train_inputs_open(TrainData *data, const char *path, const BertConfig *config, Error *e)
{
    data->name = path;
    data->V = config->V;
    data->S = config->S;
    Status s = safetensors_open(&data->inputs, path, e);
    if (s == BERT_OK) s = find_input(data, "input_ids", 2, &data->input_ids, e);
    if (s == BERT_OK && !data->input_ids) s = fail(e, BERT_FILE, "%s: there is no tensor input_ids", path);
    if (s == BERT_OK && config->S) s = find_input(data, "token_type_ids", 2, &data->types, e);
    if (s == BERT_OK) s = find_input(data, "attention_mask", 2, &data->mask, e);
    if (s == BERT_OK) s = find_input(data, "labels", 2, &data->labels, e);
    if (s == BERT_OK) s = find_input(data, "next_sentence_label", 1, &data->next_sentence, e);
    if (s != BERT_OK) return s;
    data->rows = data->input_ids->shape[0];
    data->columns = data->input_ids->shape[1];
    if (!data->rows || !data->columns) return fail(e, BERT_FILE, "%s: input_ids is empty", path);
    if (data->columns > (size_t)config->P)
        return fail(e, BERT_FILE, "%s: input_ids has rows of %zu tokens, but the model has %d positions", path,
                    data->columns, config->P);
    if (!data->labels && !data->next_sentence)
        return fail(e, BERT_FILE, "%s: has neither labels nor next_sentence_label: there is nothing to learn", path);
    return BERT_OK;
}

void train_data_free(TrainData *data)
{
    corpus_free(&data->corpus);
    examples_free(&data->examples);
    questions_free(&data->questions);
    free(data->pairs.list);
    if (data->inputs.tensors) safetensors_close(&data->inputs);
    *data = (TrainData){0};
}
