/* trial.c - a forward pass that can be fed and spoiled: bert.c's own steps, run one at a time, with somebody else's
 * numbers as their inputs, or with one of them replaced.
 *
 * verify --isolate asks of each tensor: given the other side's own inputs, is this right? And a known mistake is tried
 * by planting it into an otherwise correct pass. Both need the forward pass as a list of steps: trace_table is that
 * list. tests/test_verify.c holds it against forward(): equal bits.
 */
#include "verify/verify.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * A step
 * ================================================================================================================== */

/* Makes the row's tensor of layer l, for all sequences and heads. */
static void run_step(const TraceSpec *spec, const Bert *m, Activations *a, int l)
{
    if (spec->once) spec->once(m, a);
    if (spec->in_block) spec->in_block(m, a, l);
    for (int b = 0; spec->in_head && b < a->batch.B; b++)
        for (int h = 0; h < m->config.A; h++) spec->in_head(m, a, l, b, h);
}

/* The LayerNorm that makes the row's tensor: of a sum (steps 6, 11, 13), which the step leaves in a.sum, or of the MLM
 * transform (step 15). For all other rows `out` is NULL. */
Norm norm_of(Trial *t, TraceName row)
{
    const Bert *m = &t->model;
    const BertLayer *w = &m->layers[t->layer < 0 ? 0 : t->layer];
    const BlockActivations *s = &t->a.block[t->layer < 0 ? 0 : t->layer];
    Norm n = {.x = t->a.sum, .eps = (real)m->config.eps, .rows = (size_t)t->a.N, .H = (size_t)m->config.H};
    if (row == TRACE_EMBEDDING_NORM) {
        n.out = t->a.embedding_norm;
        n.gamma = m->embeddings_gamma;
        n.beta = m->embeddings_beta;
    } else if (row == TRACE_ATTENTION_NORM) {
        n.out = s->attention_norm;
        n.gamma = w->attention_gamma;
        n.beta = w->attention_beta;
    } else if (row == TRACE_OUTPUT_NORM) {
        n.out = s->output_norm;
        n.gamma = w->output_gamma;
        n.beta = w->output_beta;
    } else if (row == TRACE_TRANSFORM_NORM) {
        n.out = t->a.transform_norm;
        n.x = t->a.transform_act;
        n.gamma = m->transform_gamma;
        n.beta = m->transform_beta;
        n.rows = (size_t)t->a.request.M;
    }
    return n;
}

/* bert.c's step in t->layer. Where the trial has another LayerNorm, or rounds, the step's input is normalized once
 * more. */
void ordinary_step(Trial *t, TraceName row)
{
    run_step(&trace_table[row], &t->model, &t->a, t->layer);
    const Norm n = norm_of(t, row);
    if (!n.out) return;
    if (t->rounding) rounding_of_sum(t, row);
    if (t->norm) t->norm(&n);
    else if (t->rounding) layer_norm(n.out, n.x, n.gamma, n.beta, n.eps, n.rows, n.H);
}

/* Where the row's tensor is in the trial, and how many numbers it has over all sequences. */
static real *result_of(Trial *t, TraceName row, size_t *count)
{
    const TraceSpec *spec = &trace_table[row];
    const size_t B = (size_t)t->a.batch.B, width = symbol_size(spec->width, &t->model.config);
    char *base = trace_per_layer(spec) ? (char *)&t->a.block[t->layer] : (char *)&t->a;
    if (spec->form == FORM_SCORES) *count = t->a.score_start[B];
    else if (spec->form == FORM_WHOLE) *count = B * width;
    else *count = (size_t)(spec->group == GROUP_MLM ? t->a.request.M : t->a.N) * width;
    return *(real **)(void *)(base + spec->field);
}

/* The ordinary step, or what a mistake does instead; rounded if the trial rounds. */
void trial_step(Trial *t, TraceName row, int layer)
{
    size_t count;
    t->layer = layer;
    if (t->rounding) rounding_before(t, row);
    t->value = t->values[row];
    if (t->instead[row]) t->instead[row](t);
    else ordinary_step(t, row);
    if (!t->rounding) return;
    real *data = result_of(t, row, &count);
    rounding_after(t, row, data, count);
}

/* =====================================================================================================================
 * A trial
 * ================================================================================================================== */

/* Memory for all trials of one verification: activations of the same shape as the reference's, and copies of what a
 * mistake may edit. `batch` and `request` are those of the reference. */
Status trial_new(Trial *t, const Bert *m, const Batch *batch, const Request *request, Error *e)
{
    const BertConfig *c = &m->config;
    size_t N = 0, longest = (size_t)(c->V > c->F ? c->V : c->F);
    *t = (Trial){.unrounded = m, .original = m, .given_types = batch->token_type_ids,
                 .given_mask = batch->attention_mask};
    if (longest < (size_t)c->H) longest = (size_t)c->H;
    if (longest < (size_t)c->K) longest = (size_t)c->K;
    if (activations_new(&t->a, m, batch, request, e) != BERT_OK) return e->status;
    N = (size_t)t->a.N;
    t->types = calloc(N, sizeof *t->types);
    t->mask = calloc(N, sizeof *t->mask);
    t->model.layers = calloc((size_t)c->L, sizeof *t->model.layers);
    t->spare = calloc(N, (size_t)c->H * sizeof *t->spare);
    t->saved = calloc(N, (size_t)c->H * sizeof *t->saved);
    t->zeros = calloc(longest, sizeof *t->zeros);
    t->ones = calloc(longest, sizeof *t->ones);
    t->owned_room = 2 * (size_t)c->L;                           /* two mistakes at most, one matrix of each layer */
    t->owned = calloc(t->owned_room, sizeof *t->owned);
    if (!t->types || !t->mask || !t->model.layers || !t->spare || !t->saved || !t->zeros || !t->ones || !t->owned)
        return fail(e, BERT_SYSTEM, "out of memory for the steps of a verification");
    for (size_t i = 0; i < longest; i++) t->ones[i] = 1;
    return BERT_OK;
}

/* The matrices that the last mistake made. */
static void trial_forget_weights(Trial *t)
{
    for (size_t i = 0; i < t->owned_count; i++) free(t->owned[i]);
    t->owned_count = 0;
}

void trial_free(Trial *t)
{
    trial_forget_weights(t);
    free(t->owned);
    free(t->model.layers);
    free(t->types);
    free(t->mask);
    free(t->spare);
    free(t->saved);
    free(t->zeros);
    free(t->ones);
    activations_free(&t->a);
}

/* Everything as it should be again, before the next mistake is planted: so that mistakes do not add up. The numbers
 * in the buffers stay: `forget` takes them out before they are computed anew. */
void trial_reset(Trial *t)
{
    const size_t N = (size_t)t->a.N;
    BertLayer *layers = t->model.layers;
    trial_forget_weights(t);
    t->model = *t->original;
    t->model.layers = layers;
    memcpy(layers, t->original->layers, (size_t)t->model.config.L * sizeof *layers);
    memcpy(t->types, t->given_types, N * sizeof *t->types);
    memcpy(t->mask, t->given_mask, N * sizeof *t->mask);
    t->a.batch.token_type_ids = t->types;
    t->a.batch.attention_mask = t->mask;
    memset(t->instead, 0, sizeof t->instead);
    t->norm = NULL;
    t->tensor = NULL;
    t->value = 0;
}

/* Plants one mistake, in that tensor of the model or NULL, with its parameter, beside what is planted already. False: it
 * changes nothing here, as it says itself (no mask where there is no padding), or memory ran out (t->failed). */
bool trial_plant(Trial *t, const Mistake *mistake, const TensorSpec *spec, double value)
{
    StepInstead *before[TRACE_COUNT];
    memcpy(before, t->instead, sizeof before);
    t->value = value;
    t->tensor = spec;
    if (mistake->norm) t->norm = mistake->norm;
    if (mistake->instead) t->instead[mistake->row] = mistake->instead;
    const bool planted = !mistake->plant || mistake->plant(t);
    for (int row = 0; row < TRACE_COUNT; row++)
        if (t->instead[row] != before[row]) t->values[row] = value;
    return planted && !t->failed;
}

/* =====================================================================================================================
 * Fed with OTHER's numbers
 * ================================================================================================================== */

/* Writes numbers into the buffer behind an entry. A view promises not to change what it shows; these two, of the
 * reference and of the trial, show buffers that belong to this file. */
void overwrite(const TraceEntry *t, const void *numbers)
{
    memcpy((void *)(uintptr_t)t->tensor.data, numbers, t->tensor.count * sizeof(real));
}

/* The tensors first .. last of the trial hold no numbers until their steps have run. Why: the buffers still hold
 * OTHER's own numbers, fed there for the candidate before. A mistake that leaves part of its tensor unwritten would be
 * equal to OTHER there, and the explanation of everything. */
static void forget(const Verification *v, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        const SafeTensor *t = &v->mine.entries[i].tensor;
        real *data = (real *)(uintptr_t)t->data;                        /* the trial's own buffer */
        for (size_t k = 0; k < t->count; k++) data[k] = (real)NAN;
    }
}

/* OTHER's number y, written in half precision after it was computed in more bits: any number that is written as y.
 * Ours, if it is one of them, or their nearest one, if ours lies no more than a step away.
 * Why: y as it is written makes of every step that is fed with it one in bfloat16, in which a mistake of -45 dB is
 * lost. */
double as_computed(double ours, double y, DType dtype)
{
    const double half = half_step_at(y, dtype), d = ours - y;
    return fabs(d) <= half ? ours : fabs(d) <= 2 * half ? y + copysign(half, d) : y;
}

/* Overwrites a tensor of the trial with OTHER's numbers, if OTHER has it. What is not finite stays as computed. So do
 * masked scores: everybody has another very low number there, and who forgot the mask has an ordinary one, which must
 * not be taken over as if it were right; the mistake is to show in the next tensor, the probabilities. */
void feed(const Verification *v, size_t i)
{
    const TraceEntry *mine = &v->mine.entries[i], *other = v->c.pairs[i];
    real *data = (real *)(uintptr_t)mine->tensor.data;                  /* the trial's own buffer */
    const Result *r = &v->c.results[i];
    if (!other || !r->comparable) return;
    const bool written = is_half(other->tensor.dtype) && !v->c.criteria.computed_so;
    for (size_t k = 0; k < mine->tensor.count; k++) {
        double y = finite_score(mine, other_element(mine, other, r, &v->c.criteria, k));
        if (written && isfinite(y)) y = as_computed((double)data[k], y, other->tensor.dtype);
        if (mine->row == TRACE_SCORES && !element_counts(mine, &v->c.criteria, k)) continue;
        if (fabs(y) <= (double)FLT_MAX) data[k] = (real)y;
    }
}

/* Runs the steps that make the tensors first .. last, feeding each with what OTHER has of the ones before:
 *
 *     step -> (keep) -> overwritten by OTHER's -> next step
 *
 * `last` itself is not overwritten: it is what the run was for. With `keep`, what was computed goes there before it
 * is overwritten, and all of it together is an isolated trace: each tensor as it would be if everything before it
 * were as OTHER says. Where OTHER has nothing (a trace of hidden states has nothing within a block) our own numbers
 * stay. */
static void run_fed(Verification *v, size_t first, size_t last, const TraceView *keep)
{
    for (size_t i = first; i <= last; i++) {
        const TraceEntry *t = &v->mine.entries[i];
        trial_step(&v->trial, t->row, t->layer);
        if (keep) overwrite(&keep->entries[i], t->tensor.data);
        if (i < last) feed(v, i);
    }
}

/* The isolated trace, into the reference's own buffers. */
void run_isolated(Verification *v)
{
    trial_reset(&v->trial);
    forget(v, 0, v->c.ref->count - 1);
    run_fed(v, 0, v->c.ref->count - 1, v->c.ref);
}

/* The tensor from which a trial for tensor `x` starts: the one after the last hidden state before x that OTHER has,
 * from which everything up to x follows. 0, the embeddings, if there is none: then the whole model is run with the
 * mistake in every layer. */
size_t start_for(const Verification *v, size_t x)
{
    for (size_t i = x; i > 0; i--) {
        const TraceEntry *t = &v->c.ref->entries[i - 1];
        const bool hidden = t->row == TRACE_EMBEDDING_NORM || t->row == TRACE_OUTPUT_NORM;
        if (hidden && v->c.pairs[i - 1] && v->c.results[i - 1].comparable) return i;
    }
    return 0;
}

/* The next tensor of the same block that can be held against OTHER's too; x itself if there is none. */
static size_t next_after(const Verification *v, size_t x)
{
    const TraceEntry *t = &v->c.ref->entries[x];
    for (size_t i = x + 1; i < v->c.ref->count && t->layer >= 0; i++) {
        if (v->c.ref->entries[i].layer != t->layer) return x;
        if (v->c.pairs[i] && v->c.results[i].comparable) return i;
    }
    return x;
}

/* Runs the trial as it stands, the steps from `first` to x. It starts from a hidden state: ours, then OTHER's over it,
 * so that no number is left undefined. */
void run_from(Verification *v, size_t first, size_t x)
{
    forget(v, first > 0 ? first - 1 : 0, x);
    if (first > 0) {
        overwrite(&v->mine.entries[first - 1], v->c.ref->entries[first - 1].tensor.data);
        feed(v, first - 1);
    }
    run_fed(v, first, x, NULL);
}

/* The same, and measures tensor x against OTHER's, and the one after it. */
void measure(Verification *v, size_t first, size_t x, Result *r, Result *next)
{
    const size_t y = next_after(v, x);
    if (y > x) forget(v, x + 1, y);
    run_from(v, first, x);
    compare_laid_out(r, &v->mine.entries[x], v->c.pairs[x], &v->c.results[x].layout, &v->c.criteria);
    *next = (Result){0};
    if (y == x) return;
    feed(v, x);
    run_fed(v, x + 1, y, NULL);
    compare_laid_out(next, &v->mine.entries[y], v->c.pairs[y], &v->c.results[y].layout, &v->c.criteria);
}
