/* unseen.c - what an attention that no known mistake explains says of itself: keys that are not seen, dropout.
 *
 * A mistake of mistakes.c is a formula, planted and measured. These two are none: a mask may hide anything, and dropout
 * hides at random. But both leave probabilities of 0 where there should be none:
 *
 *     a mask     the others of its row grow, each row by a factor of its own: they still add up to 1
 *     dropout    the others grow by 1 / (1 - p), all by the same
 *
 * And a mask in half precision may leave no number at all.
 */
#include "verify/verify.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Keys that are not seen
 * ================================================================================================================== */

/* Rows of OTHER's context that are 0 throughout, among real tokens: where no key is seen, some attentions give 0. */
static size_t empty_rows(const Verification *v, size_t x)
{
    const TraceEntry *ref = &v->c.ref->entries[x];
    size_t empty = 0;
    for (size_t row = 0; row < ref->tensor.count / ref->cols; row++) {
        size_t zeros = 0;
        for (size_t c = 0; c < ref->cols && element_counts(ref, &v->c.criteria, row * ref->cols); c++)
            zeros += other_element(ref, v->c.pairs[x], &v->c.results[x], &v->c.criteria, row * ref->cols + c) == 0;
        empty += zeros == ref->cols;
    }
    return empty;
}

/* Is element i of OTHER's scores or probabilities that of a key which is hidden? */
static bool is_hidden(const Verification *v, size_t x, size_t i)
{
    const TraceEntry *ref = &v->c.ref->entries[x];
    const double y = other_element(ref, v->c.pairs[x], &v->c.results[x], &v->c.criteria, i);
    return ref->row == TRACE_SCORES ? y < -1e3 : y == 0 && tensor_element(&ref->tensor, i) > 1e-30;
}

/* Real tokens that do not see each other, in scores or probabilities: how many pairs, and the first. */
static void print_hidden(const Verification *v, size_t x, FILE *out)
{
    const TraceEntry *ref = &v->c.ref->entries[x];
    size_t hidden = 0, counted = 0, first = 0;
    char place[96], line[256];
    for (size_t i = 0; i < ref->tensor.count; i++) {
        if (!element_counts(ref, &v->c.criteria, i)) continue;
        counted++;
        if (is_hidden(v, x, i) && !hidden++) first = i;
    }
    if (!hidden) return;
    put_place(place, ref, first);
    snprintf(line, sizeof line, "%zu of %zu keys of real tokens are hidden, the first: %s. Is there a mask that BERT "
             "does not have?", hidden, counted, place);
    print_wrapped(out, line);
}

void print_nan(const Verification *v, size_t x, FILE *out)
{
    const TraceEntry *ref = &v->c.ref->entries[x];
    char line[256];
    if (ref->row != TRACE_SCORES && ref->row != TRACE_PROBS && ref->row != TRACE_CONTEXT) return;
    for (size_t i = 0; i < ref->tensor.count; i++)
        if (element_counts(ref, &v->c.criteria, i) &&
            !isnan(other_element(ref, v->c.pairs[x], &v->c.results[x], &v->c.criteria, i))) return;
    snprintf(line, sizeof line, "%s is NaN throughout. Is the mask (1 - mask) times the lowest number of float32? In "
             "half precision that is minus infinity, and 0 times infinity is NaN", ref->name);
    print_wrapped(out, line);
}

void print_unseen(const Verification *v, size_t x, FILE *out)
{
    const TraceName row = v->c.ref->entries[x].row;
    if (row == TRACE_SCORES || row == TRACE_PROBS) print_hidden(v, x, out);
    if (row == TRACE_CONTEXT && empty_rows(v, x))
        fprintf(out, "%zu real tokens have a context of zeros: no key is seen there. Is the mask inverted?\n",
                empty_rows(v, x));
}

/* =====================================================================================================================
 * Dropout
 * ================================================================================================================== */

/* The factors OTHER's probability / ours, of those that are large enough to tell. */
typedef struct {
    double *factor;
    size_t count, room;
} Factors;

/* Notes one; of smaller probabilities the factor is mostly rounding. */
static void note_factor(Factors *f, double theirs, double ours)
{
    const double enough = 0.01;
    if (ours >= enough && isfinite(theirs) && f->count < f->room) f->factor[f->count++] = theirs / ours;
}

/* G (n,n), symmetric and positive, becomes its Cholesky factor: G = L L^T, L below the diagonal. False: it has no full
 * rank, to some digits. */
static bool cholesky(double *G, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = G[i * n + j];
            for (size_t k = 0; k < j; k++) sum -= G[i * n + k] * G[j * n + k];
            if (i == j && !(sum > 1e-9 * G[i * n + i])) return false;
            G[i * n + j] = i == j ? sqrt(sum) : sum / G[j * n + j];
        }
    return true;
}

/* Solves L L^T x = b, x into b. */
static void solve(const double *L, double *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) b[i] -= L[i * n + k] * b[k];
        b[i] /= L[i * n + i];
    }
    for (size_t i = n; i-- > 0; ) {
        for (size_t k = i + 1; k < n; k++) b[i] -= L[k * n + i] * b[k];
        b[i] /= L[i * n + i];
    }
}

/* One head of one sequence, whose n real tokens are keys[0 .. n-1]. */
typedef struct {
    const real *probs;              /* (T,T) */
    const real *value;              /* (T,..) rows of H, the head's D columns */
    size_t b, head, T, D, H;
    const size_t *keys;
    size_t n;
} Head;

/* The products of all values, L of them into G (n,n). */
static bool factor_values(const Head *h, double *G)
{
    for (size_t i = 0; i < h->n; i++)
        for (size_t j = 0; j < h->n; j++) {
            G[i * h->n + j] = 0;
            for (size_t d = 0; d < h->D; d++)
                G[i * h->n + j] += (double)h->value[h->keys[i] * h->H + d] * (double)h->value[h->keys[j] * h->H + d];
        }
    return cholesky(G, h->n);
}

/* With which probabilities did OTHER add up the values? context = p V is solved for p, with p V V^T = context V^T,
 * which has one solution where a head has no more real tokens than features. G (n,n), p (n) are room. */
static void solve_head(const Verification *v, size_t x, const Head *h, double *G, double *p, Factors *f)
{
    const TraceEntry *ref = &v->c.ref->entries[x];
    if (!factor_values(h, G)) return;
    for (size_t i = 0; i < h->n; i++) {
        const size_t row = (h->b * h->T + h->keys[i]) * h->H + h->head * h->D;
        for (size_t j = 0; j < h->n; j++) {
            p[j] = 0;
            for (size_t d = 0; d < h->D; d++)
                p[j] += other_element(ref, v->c.pairs[x], &v->c.results[x], &v->c.criteria, row + d) *
                        (double)h->value[h->keys[j] * h->H + d];
        }
        solve(G, p, h->n);
        for (size_t j = 0; j < h->n; j++) note_factor(f, p[j], (double)h->probs[h->keys[i] * h->T + h->keys[j]]);
    }
}

/* The factors behind OTHER's context, tensor x: the trial has OTHER's values and probabilities. */
static bool factors_of_context(const Verification *v, size_t x, Factors *f)
{
    const Trial *t = &v->trial;
    const BlockActivations *s = &t->a.block[v->c.ref->entries[x].layer];
    const size_t T = v->c.criteria.T, A = (size_t)t->model.config.A, D = (size_t)t->model.config.D;
    double *G = calloc(D * D + D, sizeof *G);
    size_t *keys = calloc(T, sizeof *keys), n;
    for (size_t b = 0; G && keys && b < (size_t)t->a.batch.B; b++) {
        n = 0;
        for (size_t i = 0; i < T; i++)
            if (t->given_mask[b * T + i]) keys[n++] = i;
        for (size_t a = 0; a < A && n > 0 && n <= D; a++) {
            const Head h = {s->probs + t->a.score_start[b] + a * T * T, s->value + b * T * A * D + a * D, b, a, T, D,
                            A * D, keys, n};
            solve_head(v, x, &h, G, G + D * D, f);
        }
    }
    const bool ok = G && keys;
    free(G);
    free(keys);
    return ok;
}

/* The factors of OTHER's probabilities, tensor x, which are recorded. */
static void factors_of_probs(const Verification *v, size_t x, Factors *f)
{
    const TraceEntry *ref = &v->c.ref->entries[x], *mine = &v->mine.entries[x];
    for (size_t i = 0; i < ref->tensor.count; i++)
        if (element_counts(ref, &v->c.criteria, i))
            note_factor(f, other_element(ref, v->c.pairs[x], &v->c.results[x], &v->c.criteria, i),
                        tensor_element(&mine->tensor, i));
}

/* Are the factors 0, or one number of which dropout with such a share makes use? The share, or 0. */
static double dropped_share(const Factors *f)
{
    enum { FEWEST = 40 };
    const double near_zero = 0.02, near_others = 0.02, most = 0.95;
    size_t dropped = 0, alike = 0;
    double sum = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (fabs(f->factor[i]) < near_zero) dropped++;
        else sum += f->factor[i];
    }
    if (f->count < FEWEST || !dropped || dropped == f->count) return 0;
    const double mean = sum / (double)(f->count - dropped), n = (double)f->count;
    for (size_t i = 0; i < f->count; i++) alike += fabs(f->factor[i] - mean) < near_others * fabs(mean);
    const double share = 1 - 1 / mean, spread = 4 * sqrt(share * (1 - share) / n);
    if (!(share > 0 && share < most) || (double)(alike + dropped) < most * n) return 0;
    return fabs((double)dropped / n - share) <= spread + near_zero ? share : 0;
}

/* A model in training drops probabilities, too; a fused attention that is told dropout_p does so in evaluation as
 * well. */
Status print_attention_dropout(Verification *v, size_t first, size_t x, bool *said, FILE *out, Error *e)
{
    const TraceEntry *ref = &v->c.ref->entries[x];
    char line[256];
    if (ref->row != TRACE_PROBS && ref->row != TRACE_CONTEXT) return BERT_OK;
    Factors f = {.room = v->trial.a.score_start[v->trial.a.batch.B]};
    f.factor = calloc(f.room + 1, sizeof *f.factor);
    if (!f.factor) return fail(e, BERT_SYSTEM, "out of memory for %zu probabilities", f.room);
    trial_reset(&v->trial);
    run_from(v, first, x);
    bool ok = true;
    if (ref->row == TRACE_PROBS) factors_of_probs(v, x, &f);
    else ok = factors_of_context(v, x, &f);
    const double share = dropped_share(&f);
    free(f.factor);
    if (!ok) return fail(e, BERT_SYSTEM, "out of memory for the attention's equations");
    if (share <= 0) return BERT_OK;
    *said = true;
    snprintf(line, sizeof line, "best explanation: %s: dropout is on in the attention, %.0f %% of the probabilities "
             "are dropped: call model.eval(), and no dropout_p where attention is a function", ref->name, 100 * share);
    print_wrapped(out, line);
    return BERT_OK;
}
