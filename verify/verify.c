/* verify.c - someone else's intermediates against ours: computes the reference from the other side's ids, compares
 * (compare.c), and looks for the known mistake (mistakes.c) that explains the first difference, by trials (trial.c).
 */
#include "verify/verify.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Known mistakes: which one explains the first difference?
 *
 * Each mistake of mistakes.c is planted into the step list, the steps from OTHER's last hidden state on are run with
 * OTHER's own numbers, and the result is held against OTHER's. A mistake that explains the difference makes it vanish
 * into rounding; one that does not changes nothing or makes it worse.
 * ================================================================================================================== */
typedef struct {
    char sentence[192];
    double nmse, nmse_all;          /* against OTHER's tensor, with this mistake; counted numbers, all numbers */
    double nmse_next;               /* against the next tensor of the same block that OTHER has; 0 if there is none */
    size_t place;                   /* among all that were tried, from 0 */
    const Mistake *mistake;
    const TensorSpec *spec;         /* the tensor of the model that it was planted in, or NULL */
    double value;                   /* its parameter */
} Candidate;

/* One search: the tensor to be explained, where its trials start, and what was found. */
typedef struct {
    Verification *v;
    size_t first, x;                /* entries: the trials run from `first` to x */
    double without;                 /* the NMSE without any mistake, or with `beside` alone */
    const Candidate *beside;        /* a mistake that is planted before each one that is tried, or NULL */
    Candidate *list;
    size_t count;
} Search;

enum {                              /* in decibels */
    BOTH_DB = -110,                 /* how near two mistakes must come together: rounding after twelve blocks is -114 to -120
                                     * (tests/PEERS.md) */
    ROUNDING_DB = -120,             /* below it everything is rounding (float32's is -130 to -145 after one block) */
    DISTINCT_DB = 6,                /* explanations that are nearer to each other cannot be told apart (6: twice) */
    HINT_DB = 6,                    /* what a mistake must gain on the truth to be worth a word ... */
    EXPLAINS_DB = 20,               /* ... and to be called the explanation */
    NEAR_DB = -40,                  /* how near OTHER it must come then: of a score that somebody hides, which is 700 dB
                                     * off, any mistake that hides it explains 700 dB and nothing else */
    PART_DB = -20,                  /* the same for a part of the explanation that gains EXPLAINS_DB ... */
    CLOSE_DB = -60,                 /* ... and for one that gains less ... */
    ROUNDED_CLOSE_DB = -30,         /* ... and in half precision, whose rounding in one block is up to -35 dB */
    ROUNDED_DB = 5                 /* in half precision what a mistake must gain to be the explanation: its own rounding
                                     * stays, and the difference of the two GELUs is no larger */
};

/* The best first. Below ROUNDING_DB all are equally good, and then the masked rows decide (a mask on the queries and no
 * mask at all differ there and nowhere else), and then the next tensor: a residual that is missing and one that is
 * added late differ only there. Of those that are equal in all of it, the first in the table of mistakes. */
static int by_nmse(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    const double p[] = {x->nmse, x->nmse_all, x->nmse_next}, q[] = {y->nmse, y->nmse_all, y->nmse_next};
    for (int i = 0; i < 3; i++) {
        const double u = decibel(p[i]), v = decibel(q[i]);
        if (u < ROUNDING_DB && v < ROUNDING_DB) continue;
        if (u != v) return u < v ? -1 : 1;
    }
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Both explain the numbers equally well, the counted ones and the masked ones. */
static bool same_evidence(const Candidate *x, const Candidate *y)
{
    const double p[] = {x->nmse, x->nmse_all, x->nmse_next}, q[] = {y->nmse, y->nmse_all, y->nmse_next};
    for (int i = 0; i < 3; i++) {
        const double u = decibel(p[i]), v = decibel(q[i]);
        const bool rounding = u < ROUNDING_DB && v < ROUNDING_DB;
        if (!rounding && p[i] != q[i] && fabs(u - v) >= DISTINCT_DB) return false;
    }
    return true;
}

/* Does this tensor of the model take part in what the trial runs? There are some 25 kinds of them; without this check
 * a wrong embedding would be tried with every bias of the encoder. */
static bool takes_part(const Search *search, const TensorSpec *spec)
{
    const TraceEntry *from = &search->v->c.ref->entries[search->first], *to = &search->v->c.ref->entries[search->x];
    if (spec->group == GROUP_POOLER) return to->form == FORM_WHOLE;
    if (spec->group == GROUP_NSP) return to->row == TRACE_NSP;
    if (spec->group == GROUP_PRE_CLASSIFIER)
        return to->row >= TRACE_PRE_CLASSIFIER_DENSE && to->row <= TRACE_CLASSIFIER;
    if (spec->group == GROUP_CLASSIFIER) return to->row == TRACE_CLASSIFIER || to->row == TRACE_TOKEN_CLASSIFIER;
    if (spec->group == GROUP_QA) return to->row == TRACE_QA;
    if (spec->group == GROUP_MLM) return !strncmp(to->name, "cls.predictions", 15);
    if (!spec_per_layer(spec)) return from->row <= TRACE_EMBEDDING_NORM;
    return from->row <= TRACE_OUTPUT_NORM && to->row > TRACE_EMBEDDING_NORM;
}

/* Is it one of those that the mistake is planted in: matrices, biases (LayerNorm's beta too), gammas? */
static bool is_of(const TensorSpec *spec, Where where)
{
    const bool bias = strlen(spec->name) > 5 && !strcmp(spec->name + strlen(spec->name) - 5, ".bias");
    if (where == IN_EACH_MATRIX) return spec->kind == KIND_MATRIX;
    return where == IN_EACH_BIAS ? bias : spec->kind == KIND_NORM && !bias;
}

/* "encoder.layer.3.output.dense" from "encoder.layer.*.output.dense.bias"; with several layers at once the * stays.
 * The decoder's bias is called cls.predictions.bias, but nobody would look for it there. */
static void module_name(char name[128], const TensorSpec *spec, const Trial *t)
{
    if (t->first_layer == t->last_layer) spec_name(spec->name, t->first_layer, name, 128);
    else snprintf(name, 128, "%s", spec->name);
    char *end = strrchr(name, '.');
    if (end) *end = 0;
    if (!strcmp(name, "cls.predictions")) snprintf(name, 128, "cls.predictions.decoder");
}

/* Plants one mistake, beside search->beside if there is one, and measures. False: it changes nothing here, or there are no
 * numbers to measure. */
static bool plant(Search *search, const Mistake *mistake, const TensorSpec *spec, double value, Candidate *c)
{
    Trial *t = &search->v->trial;
    const Candidate *beside = search->beside;
    Result r, next;
    trial_reset(t);
    if (beside && !trial_plant(t, beside->mistake, beside->spec, beside->value)) return false;
    if (!trial_plant(t, mistake, spec, value)) return false;
    measure(search->v, search->first, search->x, &r, &next);
    *c = (Candidate){.nmse = r.nmse, .nmse_all = r.nmse_all, .nmse_next = next.nmse, .mistake = mistake, .spec = spec, .value = value};
    return r.comparable && !r.word;
}

/* How near OTHER comes with that parameter. */
static double nmse_with(Search *search, const Mistake *mistake, const TensorSpec *spec, double value)
{
    Candidate c;
    return plant(search, mistake, spec, value, &c) ? c.nmse : INFINITY;
}

/* The best parameter between two, by a golden section: of two inner points the worse becomes the new end, and the other
 * one is an inner point again. */
static double golden_section(Search *search, const Mistake *mistake, const TensorSpec *spec, double from, double to)
{
    enum { STEPS = 32 };            /* 0.618^32 = 2e-7 of the interval */
    const double golden = 0.6180339887498949;
    double low = to - golden * (to - from), high = from + golden * (to - from);
    double at_low = nmse_with(search, mistake, spec, low), at_high = nmse_with(search, mistake, spec, high);
    for (int i = 0; i < STEPS; i++) {
        if (at_low < at_high) {
            to = high, high = low, at_high = at_low;
            low = to - golden * (to - from);
            at_low = nmse_with(search, mistake, spec, low);
        } else {
            from = low, low = high, at_low = at_high;
            high = from + golden * (to - from);
            at_high = nmse_with(search, mistake, spec, high);
        }
    }
    return (from + to) / 2;
}

/* The parameter with which the mistake comes nearest to OTHER: the best of twenty, each 1.4 times the one before,
 * and, if that gains anything, the best between its neighbours; a multiple of a quarter if that does as well. */
static double fitted_value(Search *search, const Mistake *mistake, const TensorSpec *spec)
{
    enum { VALUES = 20, GAIN_DB = 1 };
    const double ratio = sqrt(2);
    double best = mistake->value, least = INFINITY;
    for (int i = 0; i < VALUES; i++) {
        const double value = mistake->value * pow(ratio, -i), nmse = nmse_with(search, mistake, spec, value);
        if (nmse < least) least = nmse, best = value;
    }
    if (!(decibel(least) < decibel(search->without) - GAIN_DB)) return best;
    const double exact = golden_section(search, mistake, spec, best / ratio, best * ratio), round = rint(exact * 4) / 4;
    const double at_exact = decibel(nmse_with(search, mistake, spec, exact));
    return round != 0 && decibel(nmse_with(search, mistake, spec, round)) <= at_exact + 1 ? round : exact;
}

/* One mistake, as a candidate. */
static Status try_mistake(Search *search, const Mistake *mistake, const TensorSpec *spec, Error *e)
{
    Trial *t = &search->v->trial;
    Candidate *c = &search->list[search->count];
    char module[128] = "", fitted[24] = "";
    double value = mistake->value;
    bool planted = plant(search, mistake, spec, value, c);
    if (planted && mistake->fitted) {
        value = fitted_value(search, mistake, spec);
        planted = plant(search, mistake, spec, value, c);
        snprintf(fitted, sizeof fitted, " %.4g", value);
    }
    if (t->failed) return fail(e, BERT_SYSTEM, "out of memory for the mistake %s", mistake->name);
    if (!planted) return BERT_OK;
    if (spec) module_name(module, spec, t);
    snprintf(c->sentence, sizeof c->sentence, "%s%s %s%s", spec ? module : search->v->c.ref->entries[search->x].name,
             spec ? "" : ":", mistake->sentence, fitted);
    c->place = search->count++;
    return BERT_OK;
}

/* Does the run make that row's tensor at all? */
static bool runs(const Search *search, TraceName row)
{
    for (size_t i = search->first; i <= search->x; i++)
        if (search->v->c.ref->entries[i].row == row) return true;
    return false;
}

/* All mistakes, each for itself, the best first; search->list is malloc'ed. */
static Status try_all(Search *search, Error *e)
{
    const size_t room = mistakes_count * (tensor_table_size + 1);
    Status status = BERT_OK;
    search->list = calloc(room, sizeof *search->list);
    if (!search->list) return fail(e, BERT_SYSTEM, "out of memory for the known mistakes");
    for (size_t i = 0; status == BERT_OK && i < mistakes_count; i++) {
        const Mistake *mistake = &mistakes[i];
        if (mistake->instead && !runs(search, mistake->row)) continue;
        if (mistake->where == IN_MODEL) status = try_mistake(search, mistake, NULL, e);
        for (size_t k = 0; mistake->where != IN_MODEL && status == BERT_OK && k < tensor_table_size; k++) {
            const TensorSpec *spec = &tensor_table[k];
            if (is_of(spec, mistake->where) && takes_part(search, spec)) status = try_mistake(search, mistake, spec, e);
        }
    }
    qsort(search->list, search->count, sizeof *search->list, by_nmse);
    return status;
}

/* What can be said of a tensor that no known mistake explains. If it is right given OTHER's own inputs, the difference
 * has grown in the steps before, each of which passed. */
static void print_no_explanation(const TraceEntry *t, const Result *without, FILE *out)
{
    const char *const name = t->name;
    const bool weightless = (t->row >= TRACE_SCORES && t->row <= TRACE_CONTEXT) || t->row == TRACE_INTERMEDIATE ||
                            t->row == TRACE_POOLER || t->row == TRACE_TRANSFORM_ACT;    /* no weights of their own */
    const bool hidden = decibel(without->nmse) > 100;                   /* scores, somewhere at -1e9 */
    const bool unlike = fabs(without->cosine) < 0.2 && !hidden;
    char nmse[24], line[512];
    put_decibel(nmse, without->nmse);
    if (without->passes) {
        snprintf(line, sizeof line, "given OTHER's own inputs, %s is right (NMSE %s): the difference was handed down "
                 "to it", name, nmse);
        print_wrapped(out, line);
        return;
    }
    snprintf(line, sizeof line, "no known mistake explains %s (NMSE %s, cosine %.3f)%s", name, nmse, without->cosine,
             !unlike ? "" : weightless ? ": the two have nothing in common. Other inputs, or rows in another order?" :
             ": the two have nothing in common. Other weights?");
    print_wrapped(out, line);
    if (unlike && !strcmp(name, trace_table[TRACE_DECODER].name))
        fprintf(out, "cls.predictions.decoder has other weights: it is not tied to the word embeddings\n");
}

/* What the best of them is worth. */
typedef enum { NOTHING, PART, EXPLANATION } Worth;

static Worth worth_of(const Search *search, const Result *without)
{
    const double best = search->count ? decibel(search->list[0].nmse) : INFINITY;
    const double gained = decibel(without->nmse) - best;
    if (search->v->trial.rounding && gained >= ROUNDED_DB && best <= ROUNDED_CLOSE_DB) return EXPLANATION;
    if (gained >= EXPLAINS_DB && best <= NEAR_DB) return EXPLANATION;
    return (gained >= EXPLAINS_DB && best <= PART_DB) || (gained > HINT_DB && best <= CLOSE_DB) ? PART : NOTHING;
}

/* Those that explain it as well as the first one. */
static void print_equals(const Search *search, FILE *out)
{
    const Candidate *list = search->list;
    const double close = search->v->trial.rounding ? ROUNDED_CLOSE_DB : CLOSE_DB;
    char with[24], line[512];
    for (size_t i = 1; i < search->count && same_evidence(&list[0], &list[i]); i++) {
        if (decibel(list[i].nmse) >= decibel(search->without) || decibel(list[i].nmse) > close) break;
        put_decibel(with, list[i].nmse);
        snprintf(line, sizeof line, "cannot be told apart from: %s (with it %s)", list[i].sentence, with);
        print_wrapped(out, line);
    }
}

/* The sentences. `without` is how far OTHER's tensor is from the truth, given OTHER's own inputs:
 * the first NMSE below. The second is what remains of it if the same mistake is made here.
 *
 *     best explanation: encoder.layer.3.output.dense lacks its bias (-26 dB, with it -137 dB)
 *
 * One that gains little is called a part; two that are equally good are both named. Neither is worth a line unless it
 * comes near OTHER itself: of two bad guesses none is better for having a second beside it. */
static void print_explanation(const Search *search, const Result *without, Worth worth, FILE *out)
{
    const Candidate *list = search->list;
    char truth[24], with[24], line[512];
    put_decibel(truth, without->nmse);
    put_decibel(with, list[0].nmse);
    snprintf(line, sizeof line, "%s: %s (%s, with it %s)",
             worth == EXPLANATION ? "best explanation" : "a part of it, perhaps", list[0].sentence, truth, with);
    print_wrapped(out, line);
    print_equals(search, out);
}

/* A search for tensor x: where it starts, and how far OTHER is from the truth there, given its own inputs. */
static Search search_for(Verification *v, size_t x, Result *without)
{
    Trial *t = &v->trial;
    Search search = {.v = v, .first = start_for(v, x), .x = x};
    const TraceEntry *from = &v->c.ref->entries[search.first], *to = &v->c.ref->entries[x];
    Result next;
    t->first_layer = from->layer >= 0 ? from->layer : 0;
    t->last_layer = to->layer >= 0 ? to->layer : to->row <= TRACE_EMBEDDING_NORM ? 0 : t->model.config.L - 1;
    trial_reset(t);
    measure(v, search.first, x, without, &next);
    search.without = without->nmse;
    return search;
}

/* A difference that nothing explains may be rounding, where the numbers do not show it: hidden states alone, which
 * OpenVINO and autocast keep in float32. It is as large as rounding would be, and like it; that is said, and *said set.
 * Seen: cosine 0.40 to 1.00 with autocast's, 0.27 to 0.34 with float16's in small models; -0.2 to 0.1 where the type
 * was another one. */
static Status print_rounding(const Search *search, const Result *without, bool *said, FILE *out, Error *e)
{
    static const DType dtypes[] = {DTYPE_BF16, DTYPE_F16};
    static const double ALIKE = 0.25;
    Verification *v = search->v;
    for (int i = 0; i < 2 && !*said && !v->trial.rounding && !without->passes; i++) {
        Rounding q;
        double noise, cosine;
        char text[512], found[24], made[24];
        Status status = rounding_new(&q, v->trial.unrounded, dtypes[i], NULL, e);
        if (status == BERT_OK) status = rounding_noise(&noise, &cosine, v, &q, search->first, search->x, e);
        rounding_free(&q);
        if (status != BERT_OK) return status;
        if (fabs(decibel(noise) - decibel(without->nmse)) > HINT_DB || cosine < ALIKE) continue;
        put_decibel(found, without->nmse);
        put_decibel(made, noise);
        snprintf(text, sizeof text, "best explanation: %s: computed in %s, as it seems (%s; rounding makes %s)",
                 v->c.ref->entries[search->x].name, dtype_word(dtypes[i]), found, made);
        print_wrapped(out, text);
        *said = true;
    }
    return BERT_OK;
}

/* One mistake gains something and leaves something: is there another one that takes the rest down to rounding, both planted
 * together? Seen: cybertron, which has its own eps and GELU by tanh. What cannot be told apart from the first is said of the
 * search for one, of the second of that for two. */
static Status print_both(const Search *search, const Result *without, bool *said, FILE *out, Error *e)
{
    const Candidate *one = &search->list[0];
    const double left = search->count ? decibel(one->nmse) : INFINITY, gained = decibel(without->nmse) - left;
    if (search->v->trial.rounding || !(gained > HINT_DB) || left <= BOTH_DB) return BERT_OK;
    Search second = {.v = search->v, .first = search->first, .x = search->x, .without = one->nmse, .beside = one};
    char truth[24], with[24], line[512];
    const Status status = try_all(&second, e);
    const double both = second.count ? decibel(second.list[0].nmse) : INFINITY;
    if (status == BERT_OK && both <= fmin(BOTH_DB, left - EXPLAINS_DB)) {
        const Candidate *other = &second.list[0];
        const char *sentence = other->spec ? other->sentence : strchr(other->sentence, ' ') + 1;    /* once is enough: "NAME: " */
        put_decibel(truth, without->nmse);
        put_decibel(with, other->nmse);
        snprintf(line, sizeof line, "best explanation: %s, and %s (%s, with both %s)", one->sentence, sentence, truth, with);
        print_wrapped(out, line);
        print_equals(search, out);
        print_equals(&second, out);
        *said = true;
    }
    free(second.list);
    return status;
}

/* Names the mistakes for tensor x, which differs. Another shape or a NaN needs no explanation by numbers. */
static Status explain(Verification *v, size_t x, FILE *out, Error *e)
{
    Result without;
    bool said = false;
    if (!v->c.results[x].comparable || v->c.results[x].word) return BERT_OK;
    Search search = search_for(v, x, &without);
    Status status = try_all(&search, e);
    const Worth worth = worth_of(&search, &without);
    if (status == BERT_OK) status = print_both(&search, &without, &said, out, e);
    if (status == BERT_OK && worth != NOTHING && !said) print_explanation(&search, &without, worth, out);
    else if (status == BERT_OK && !said) {
        if (!without.passes) status = print_attention_dropout(v, search.first, x, &said, out, e);
        if (status == BERT_OK && !said) status = print_rounding(&search, &without, &said, out, e);
        if (status == BERT_OK && !said) {
            print_no_explanation(&v->c.ref->entries[x], &without, out);
            print_unseen(v, x, out);
        }
    }
    free(search.list);
    return status;
}

/* =====================================================================================================================
 * verify: the other side's trace against a reference made from its own ids
 * ================================================================================================================== */

/* OTHER's ids as a batch that the model can run. */
typedef struct {
    int *T, *rows;                  /* (B) all one length; (N) 0 .. N-1 */
    int32_t *ids[3];                /* (N) input_ids, token_type_ids, attention_mask */
    bool assumed[3];                /* neither OTHER nor the text says */
    Batch batch;
} Ids;

/* Gives everything back; safe on a zeroed struct. */
static void ids_free(Ids *x)
{
    free(x->T);
    free(x->rows);
    for (int k = 0; k < 3; k++) free(x->ids[k]);
    *x = (Ids){0};
}

/* Memory for B sequences of T tokens, types 0 and masks 1 unless someone says otherwise. The sizes come from a file;
 * 2^24 tokens are more than any model has positions for. */
static Status ids_new(Ids *x, const char *path, size_t B, size_t T, Error *e)
{
    size_t N;
    if (!B || !T || !size_mul(B, T, &N) || N > (1 << 24))
        return fail(e, BERT_FILE, "%s: input_ids has %zu rows of %zu tokens", path, B, T);
    x->T = calloc(B, sizeof *x->T);
    x->rows = calloc(N, sizeof *x->rows);
    for (int k = 0; k < 3; k++) x->ids[k] = calloc(N, sizeof *x->ids[k]);
    if (!x->T || !x->rows || !x->ids[0] || !x->ids[1] || !x->ids[2])
        return fail(e, BERT_SYSTEM, "%s: out of memory for its ids", path);
    for (size_t b = 0; b < B; b++) x->T[b] = (int)T;
    for (size_t i = 0; i < N; i++) {
        x->rows[i] = (int)i;
        x->ids[2][i] = 1;
    }
    x->batch = (Batch){(int)B, x->T, x->ids[0], x->ids[1], x->ids[2]};
    return BERT_OK;
}

/* OTHER's ids, or the text's where OTHER has none. Every id that is read becomes an index, so each must fit the
 * model: batch_check, which the caller asks next, says which one does not. One that is no int32 becomes -1, which
 * never fits. */
static Status read_ids(Ids *x, const TraceView *other, const VerifyOptions *options, Error *e)
{
    const SafeTensor *first = &other->ids[0];
    const Encoding *text = options->text;
    if (!first->data && !text)
        return fail(e, BERT_FILE, "%s: there are no input_ids (integers): they say what to compute", other->path);
    size_t T = first->data ? (first->rank ? first->shape[first->rank - 1] : 1) : (size_t)text->T;
    size_t N = first->data ? first->count : T;
    if (ids_new(x, other->path, T ? N / T : 0, T, e) != BERT_OK) return e->status;
    for (int k = 0; k < 3; k++) {
        const SafeTensor *t = &other->ids[k];
        const int32_t *given[] = {text ? text->input_ids : NULL, text ? text->token_type_ids : NULL,
                                  text ? text->attention_mask : NULL};
        if (t->data && t->count != N)
            return fail(e, BERT_FILE, "%s: %s has %zu numbers, input_ids %zu", other->path, t->name, t->count, N);
        for (size_t i = 0; i < N; i++) {
            int64_t id = t->data ? integer_element(t, i) : 0;
            if (t->data) x->ids[k][i] = id < INT32_MIN || id > INT32_MAX ? -1 : (int32_t)id;
            else if (text && (size_t)text->T == N) x->ids[k][i] = given[k][i];
            else x->assumed[k] = true;
        }
    }
    return BERT_OK;
}

/* OTHER's position_ids must be those that the reference has: 0, 1, 2, ... in each sequence. Of padding they do not
 * matter. They come as (T) for all sequences or as (B,T).
 * Trap: a file that says which rows it looked up, and is held against others, is wrong from the first sum on. */
static Status check_positions(const Ids *x, const TraceView *other, Error *e)
{
    const SafeTensor *t = &other->positions;
    const size_t T = (size_t)x->T[0], N = (size_t)x->batch.B * T;
    if (!t->data) return BERT_OK;
    if (t->count != T && t->count != N)
        return fail(e, BERT_FILE, "%s: %s has %zu numbers, input_ids %zu", other->path, t->name, t->count, N);
    for (size_t i = 0; i < N; i++) {
        const int64_t found = integer_element(t, i % t->count);
        if (found == (int64_t)(i % T) || !x->ids[2][i]) continue;
        return fail(e, BERT_FILE, "%s: %s: input %zu token %zu is %lld, expected %zu: only BERT's own positions, "
                    "from 0 on, are computed", other->path, t->name, i / T, i % T, (long long)found, i % T);
    }
    return BERT_OK;
}

/* A file of ids and nothing else is enough for a TEXT. They are equal: check_text has looked. */
static Status ids_alone(const TraceView *other, const VerifyOptions *options, FILE *out, Error *e)
{
    char text[256];
    const char *const types = other->ids[1].data ? ", token_type_ids" : "";
    if (!options->text || !other->ids[0].data || other->unknown_count) return fail_unknown(other, e);
    snprintf(text, sizeof text, "only ids in OTHER: input_ids%s%s are those of the text, %d tokens; no tensor was "
             "there to compare", types, other->ids[2].data ? ", attention_mask" : "", options->text->T);
    print_wrapped(out, text);
    fprintf(out, "no difference\n");
    return BERT_OK;
}

/* OTHER's padding at the end is not the text's: its rows of ids are cut to T tokens if all that follows is masked. */
static TraceView without_padding(const TraceView *other, int T)
{
    TraceView cut = *other;
    const SafeTensor *mask = &other->ids[2];
    bool padding = mask->data && mask->count > (size_t)T;
    for (size_t i = (size_t)T; padding && i < mask->count; i++) padding = integer_element(mask, i) == 0;
    for (int k = 0; padding && k < 3; k++)
        if (cut.ids[k].count == mask->count) cut.ids[k].count = (size_t)T;
    return cut;
}

/* OTHER's ids, as they are but for the padding at their end, and the habit of a tokenizer that makes them of TEXT. */
static Status explain_tokens(const TraceView *other, const TextGiven *given, FILE *out, Error *e)
{
    const SafeTensor *t = &other->ids[0], *mask = &other->ids[2];
    size_t count = t->count;
    if (!given || !t->data || !count) return BERT_OK;
    while (mask->data && mask->count == t->count && count > 0 && integer_element(mask, count - 1) == 0) count--;
    int32_t *ids = calloc(t->count, sizeof *ids);
    if (!ids) return fail(e, BERT_SYSTEM, "out of memory for %zu ids", t->count);
    for (size_t i = 0; i < count; i++) {
        const int64_t id = integer_element(t, i);
        ids[i] = id < INT32_MIN || id > INT32_MAX ? INT32_MIN : (int32_t)id;
    }
    const Status status = explain_ids(given, ids, count, out, e);
    free(ids);
    return status;
}

/* TEXT's ids against OTHER's, before anything is computed. Pieces are shown beside the ids. */
static Status check_text(const TraceView *other, const VerifyOptions *options, FILE *out, Error *e)
{
    static char names[3][16] = {"input_ids", "token_type_ids", "attention_mask"};
    const Encoding *x = options->text;
    TraceView expected = {.path = "TEXT"};
    char sentence[256];
    if (!x) return BERT_OK;
    int64_t *wide = calloc((size_t)x->T * 3 + 1, sizeof *wide);
    if (!wide) return fail(e, BERT_SYSTEM, "out of memory");
    for (int k = 0; k < 3; k++) {
        const int32_t *from[] = {x->input_ids, x->token_type_ids, x->attention_mask};
        for (int i = 0; i < x->T; i++) wide[k * x->T + i] = from[k][i];
        expected.ids[k] = (SafeTensor){.name = names[k], .dtype = DTYPE_I64, .rank = 1, .count = (size_t)x->T,
                                       .data = wide + k * x->T};
    }
    const TraceView cut = without_padding(other, x->T);
    compare_ids(sentence, &expected, &cut, options->tokenizer);
    free(wide);
    if (!*sentence) return BERT_OK;
    if (explain_tokens(other, options->given, out, e) != BERT_OK) return e->status;
    fprintf(out, "first difference: %s\n", sentence);
    return fail(e, BERT_DIFFERENT, "%s was made from other ids than the text has", other->path);
}

/* The trace of a run as a view, like a file's; the view points into both lists. */
typedef struct {
    TraceTensor *list;
    SafeTensor *tensors;
    TraceView view;
} RunView;

/* What names and shapes of a trace are read with. */
static Known known_of(const Bert *m)
{
    const size_t K = m->has_classifier ? (size_t)m->config.K : 0;
    return (Known){m->config.L - 1, (size_t)m->config.V, K, m->config.head};
}

static Status view_of(RunView *r, const Bert *m, const Activations *a, Error *e)
{
    size_t count;
    if (trace_list(m, a, &r->list, &count, e) != BERT_OK) return e->status;
    r->tensors = calloc(count + 1, sizeof *r->tensors);
    if (!r->tensors) return fail(e, BERT_SYSTEM, "out of memory for the names of a trace");
    for (size_t i = 0; i < count; i++) r->tensors[i] = as_file_tensor(&r->list[i], (size_t)a->batch.B);
    return view_make(&r->view, "the reference", r->tensors, count, known_of(m), e);
}

static void run_view_free(RunView *r)
{
    view_free(&r->view);
    free(r->tensors);
    free(r->list);
}

/* What was taken for ids that OTHER does not have: a trace of a pair without its segments differs from the first sum
 * on, and the model is not to blame. */
static void print_assumed(const bool assumed[3], FILE *out)
{
    if (assumed[1] || assumed[2])
        fprintf(out, "assumed, since OTHER has no such integers: %s%s%s\n", assumed[1] ? "token_type_ids 0" : "",
                assumed[1] && assumed[2] ? ", " : "", assumed[2] ? "attention_mask 1" : "");
}

/* The first that differs is explained. Isolated, each that differs is wrong by itself, and the first few are. */
static Status explain_all(Verification *v, size_t x, bool isolated, FILE *out, Error *e)
{
    enum { MOST = 5 };
    size_t explained = 0, more = 0;
    Status status = BERT_OK;
    for (size_t i = x; status == BERT_OK && i < (isolated ? v->c.ref->count : x + 1); i++) {
        const Result *r = &v->c.results[i];
        if (i == x && v->c.pairs[i] && r->comparable && r->word) print_nan(v, i, out);
        if (!v->c.pairs[i] || r->passes || !r->comparable || r->word) continue;
        if (explained == MOST) more++;
        else {
            status = explain(v, i, out, e);
            explained++;
        }
    }
    if (more) fprintf(out, "... and %zu more that differ\n", more);
    return status;
}

/* In half precision a small mistake may be no larger than rounding, as the other GELU is. But rounded alike, a right
 * step is nearer than that: where one is not, and a known mistake makes it so, it is wrong. The first such tensor of
 * each row is looked at, till one is found. */
static Status suspect(Verification *v, Error *e)
{
    enum { NEARER_DB = 3 };
    bool tried[TRACE_COUNT] = {false};
    TraceComparison *c = &v->c;
    Status status = BERT_OK;
    for (size_t i = 0; status == BERT_OK && i < c->first; i++) {
        Result *r = &c->results[i], without;
        const double d = decibel(r->nmse);
        if (!c->pairs[i] || tried[c->ref->entries[i].row] || d <= c->criteria.tolerance.decibel) continue;
        if (d <= decibel(v->noise[i]) - NEARER_DB) continue;
        tried[c->ref->entries[i].row] = true;
        Search search = search_for(v, i, &without);
        status = try_all(&search, e);
        if (status == BERT_OK && search.count && decibel(without.nmse) - decibel(search.list[0].nmse) >= ROUNDED_DB) {
            r->passes = false;
            comparison_count(c);
        }
        free(search.list);
    }
    return status;
}

/* OTHER computes in half precision, as its numbers say: then everything is compared anew with ours, rounded alike. */
static Status judge_rounded(Verification *v, Rounding *q, DType dtype, FILE *out, Error *e)
{
    TraceComparison *c = &v->c;
    size_t worst = c->first;
    char nmse[24], line[512];
    for (size_t i = 0; i < c->ref->count; i++)
        if (c->pairs[i] && c->results[i].nmse > c->results[worst].nmse) worst = i;
    put_decibel(nmse, c->results[worst].nmse);
    if (rounding_new(q, v->trial.unrounded, dtype, v, e) != BERT_OK) return e->status;
    c->rounded = dtype_word(dtype);
    c->criteria.computed_so = true;
    run_rounded(v, q);
    if (suspect(v, e) != BERT_OK) return e->status;
    snprintf(line, sizeof line, "computed in %s (NMSE against float32 up to %s, %s): compared with steps that are "
             "rounded alike, given OTHER's own inputs", c->rounded, nmse, c->ref->entries[worst].name);
    print_wrapped(out, line);
    return BERT_OK;
}

/* Numbers of half precision in the file, computed in more bits: they count as what they were before, as well as can be
 * said of them. The type of the first, and how many more there are. */
static void print_written(const TraceComparison *c, FILE *out)
{
    const TraceEntry *first = NULL;
    size_t written = 0;
    for (size_t i = 0; i < c->ref->count; i++) {
        if (!c->pairs[i] || !is_half(c->pairs[i]->tensor.dtype)) continue;
        if (!written++) first = c->pairs[i];
    }
    if (!first) return;
    fprintf(out, "stored in %s: %zu tensors; what its rounding explains is no difference\n",
            dtype_word(first->tensor.dtype), written);
}

/* What differs, the explanations, the last line. */
static Status print_judgement(Verification *v, const VerifyOptions *options, FILE *out, Error *e)
{
    TraceComparison *c = &v->c;
    if (comparison_twins(c, e) != BERT_OK) return e->status;
    const bool differs = c->different || c->twins_different;
    print_comparison(c, "the reference", options->table, out);
    if (!c->rounded && !options->strict) print_written(c, out);
    print_assumed(v->assumed, out);
    const bool said = differs && print_dropped(c->other, out);
    if (!said && c->different && explain_all(v, c->first, options->isolate, out, e) != BERT_OK) return e->status;
    if (differs || !options->goes_on) print_last_line(c, out);
    return differs ? fail(e, BERT_DIFFERENT, "%s differs from the reference", c->other->path) : BERT_OK;
}

/* The first tensor that differs is stored in half precision, and seems computed in it. But where a known mistake makes
 * ours equal to it, as far as float32 goes, it was only stored so. */
static Status find_written(Verification *v, DType *dtype, Error *e)
{
    TraceComparison *c = &v->c;
    Result without;
    if (*dtype == DTYPE_F32 || !is_half(c->pairs[c->first]->tensor.dtype) || !c->results[c->first].comparable)
        return BERT_OK;
    Search search = search_for(v, c->first, &without);
    const Status status = try_all(&search, e);
    if (status == BERT_OK && search.count && decibel(search.list[0].nmse) <= WRITTEN_DB) *dtype = DTYPE_F32;
    free(search.list);
    return status;
}

/* As it stands, isolated, or rounded. */
static Status verdict(Verification *v, const VerifyOptions *options, FILE *out, Error *e)
{
    TraceComparison *c = &v->c;
    Rounding q = {0};
    Status status = BERT_OK;
    if (!c->compared)
        return fail(e, BERT_FILE, "%s: none of its tensors is in the reference: `bert trace TEXT` lists what is",
                    c->other->path);
    DType dtype = c->different && !options->strict ? computed_in(v) : DTYPE_F32;
    if (find_written(v, &dtype, e) != BERT_OK) return e->status;
    if (dtype != DTYPE_F32) status = judge_rounded(v, &q, dtype, out, e);
    else if (options->isolate) run_isolated(v), comparison_run(c);
    if (status == BERT_OK) status = print_judgement(v, options, out, e);
    rounding_free(&q);
    return status;
}

/* The reference, the trial beside it, and the comparison. Three traces meet here, under one list of names: OTHER's,
 * ours, and the trial's. */
static Status verify_ids(const Bert *m, const TraceView *other, const Ids *ids, const VerifyOptions *options, FILE *out,
                         Error *e)
{
    const size_t B = (size_t)ids->batch.B, T = (size_t)ids->T[0], N = B * T;
    const Request request = trace_request(m, ids->rows, (int)N);
    const Criteria criteria = {.tolerance = options->tolerance, .B = B, .T = T, .mask = ids->ids[2],
                               .H = (size_t)m->config.H, .A = (size_t)m->config.A};
    Activations a = {0};
    RunView ours = {0}, mine = {0};
    Verification v = {.assumed = ids->assumed};
    Status status = activations_new(&a, m, &ids->batch, &request, e);
    if (status == BERT_OK) status = trial_new(&v.trial, m, &ids->batch, &request, e);
    if (status == BERT_OK) {
        forward(m, &a);
        status = view_of(&ours, m, &a, e);
    }
    if (status == BERT_OK) status = view_of(&mine, m, &v.trial.a, e);
    if (status == BERT_OK) status = comparison_new(&v.c, &ours.view, other, &criteria, e);
    v.mine = mine.view;
    v.noise = calloc(ours.view.count + 1, sizeof *v.noise);
    if (status == BERT_OK && !v.noise) status = fail(e, BERT_SYSTEM, "out of memory");
    if (status == BERT_OK) status = verdict(&v, options, out, e);
    free(v.noise);
    comparison_free(&v.c);
    run_view_free(&ours);
    run_view_free(&mine);
    trial_free(&v.trial);
    activations_free(&a);
    return status;
}

/* What OTHER computed, and then what it learned from it. Gradients of wrong numbers are wrong, too, so they are looked
 * at only if all numbers before are right. */
static Status verify_both(const Bert *m, const TraceView *other, const Safetensors *file, const Ids *ids,
                          const VerifyOptions *options, FILE *out, Error *e)
{
    TraceView values = *other, gradients = *other;
    VerifyOptions first = *options;
    values.count = view_values(other);
    gradients.entries += values.count;
    gradients.count -= values.count;
    first.goes_on = gradients.count > 0;
    Status status = BERT_OK;
    if (values.count) status = verify_ids(m, &values, ids, &first, out, e);
    if (values.count) gradients.unknown_count = 0;                      /* said once */
    if (status != BERT_OK || !gradients.count) return status;
    return verify_gradients(m, &gradients, file, &ids->batch, options, out, e);
}

/* Opens the other side's file, checks the text, reads the ids, and goes on. The file is hostile until shown
 * otherwise. */
Status verify_trace(const Bert *m, const char *other, const VerifyOptions *options, FILE *out, Error *e)
{
    Safetensors file;
    TraceView view = {0};
    Ids ids = {0};
    Status status = safetensors_open(&file, other, e);
    if (status != BERT_OK) return status;
    status = view_make(&view, other, file.tensors, file.count, known_of(m), e);
    if (status == BERT_OK) status = check_text(&view, options, out, e);
    const bool tensors = view.count > 0;
    if (status == BERT_OK && !tensors) status = ids_alone(&view, options, out, e);
    if (status == BERT_OK && tensors) status = read_ids(&ids, &view, options, e);
    if (status == BERT_OK && tensors) status = batch_check(&ids.batch, &m->config, e);
    if (status == BERT_OK && tensors) status = check_positions(&ids, &view, e);
    if (status == BERT_OK && tensors) status = verify_both(m, &view, &file, &ids, options, out, e);
    ids_free(&ids);
    view_free(&view);
    safetensors_close(&file);
    return status;
}
