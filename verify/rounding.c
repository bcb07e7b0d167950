/* rounding.c - a BERT in half precision: is it wrong, or only rounded?
 *
 * Many programs compute in bfloat16 (8 bits of fraction) or float16 (11 bits), because they were asked to, or by
 * themselves where the processor can. Each number is then off by up to 1/512 or 1/4096 of itself, NMSE -56 or -74 dB,
 * and twelve layers make -30 or -55 dB of it: far more than a wrong GELU does. Two things tell rounding from mistakes:
 *
 *     the numbers    a product that was rounded to bfloat16 has 16 bits of zeros at its end, in whatever file it is
 *     a trial        our own steps on OTHER's inputs, rounded alike: OTHER may be as far from float32 as that is
 *
 * Where they are rounded differs. torch's .bfloat16() and .half() and ONNX graphs in float16 round every tensor and
 * every weight; autocast and OpenVINO only what goes into a product and comes out of it, and keep embeddings, LayerNorm
 * and residuals in float32. So each row of a trace is looked at by itself, and rounded here if it is there.
 */
#include "verify/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * What the numbers say
 * ================================================================================================================== */

/* Products, and what is made of nothing but products: the first that half precision is used for. */
static bool is_product(TraceName row)
{
    switch (row) {
    case TRACE_QUERY: case TRACE_KEY: case TRACE_VALUE: case TRACE_CONTEXT: case TRACE_ATTENTION_DENSE:
    case TRACE_INTERMEDIATE_DENSE: case TRACE_OUTPUT_DENSE: case TRACE_POOLER_DENSE: case TRACE_TRANSFORM_DENSE:
    case TRACE_DECODER: case TRACE_NSP: case TRACE_PRE_CLASSIFIER_DENSE: case TRACE_CLASSIFIER:
    case TRACE_TOKEN_CLASSIFIER: case TRACE_QA:
        return true;
    default:
        return false;
    }
}

/* Are all its numbers of that type? Few numbers, or mostly zeros, may be so by chance, and say nothing. */
typedef enum { EXACT, ROUNDED, UNKNOWN } Rounded;

static Rounded is_rounded(const SafeTensor *t, DType dtype)
{
    enum { FEWEST = 32 };
    size_t told = 0;
    if (t->dtype != DTYPE_F32 && t->dtype != DTYPE_F64 && t->dtype != DTYPE_F16 && t->dtype != DTYPE_BF16) return EXACT;
    for (size_t i = 0; i < t->count; i++) {
        const double x = tensor_element(t, i);
        if (!isfinite(x) || fabs(x) > 1e30) continue;                   /* a masked score is any very low number */
        if (round_to(x, dtype) != x) return EXACT;
        told += x != 0;
    }
    return told >= FEWEST ? ROUNDED : UNKNOWN;
}

/* The type that OTHER computes in, DTYPE_BF16 or DTYPE_F16, or DTYPE_F32 where nothing says so. What was computed in
 * float32 and only written in half precision does not count: its first product is ours, and so near that no step in
 * half precision could be. (Measured before writing: -115 dB and less; computed in float16: -78 and more.) */
DType computed_in(const Verification *v)
{
    for (size_t i = 0; i < v->c.ref->count; i++) {
        const TraceEntry *other = v->c.pairs[i];
        const TraceName row = v->c.ref->entries[i].row;
        const bool normed = row == TRACE_EMBEDDING_NORM || row == TRACE_ATTENTION_NORM || row == TRACE_OUTPUT_NORM;
        if (!other || (!is_product(row) && !normed)) continue;
        const DType dtype = is_rounded(&other->tensor, DTYPE_BF16) == ROUNDED ? DTYPE_BF16 :
                            is_rounded(&other->tensor, DTYPE_F16) == ROUNDED ? DTYPE_F16 : DTYPE_F32;
        if (dtype != DTYPE_F32) return decibel(v->c.results[i].nmse) <= WRITTEN_DB ? DTYPE_F32 : dtype;
    }
    return DTYPE_F32;
}

const char *dtype_word(DType dtype)
{
    return dtype == DTYPE_BF16 ? "bfloat16" : dtype == DTYPE_F16 ? "float16" : "float32";
}

/* Which rows are rounded. Those that OTHER lacks go with what is usual: products are, and the scores, where the
 * attention is not one operation; the probabilities, which go into a product; the rest if the LayerNorms are. */
static void rounded_rows(Rounding *q, const Verification *v)
{
    bool known[TRACE_COUNT] = {false};
    for (size_t i = 0; v && i < v->c.ref->count; i++) {
        const TraceName row = v->c.ref->entries[i].row;
        if (!v->c.pairs[i] || known[row]) continue;
        const Rounded rounded = is_rounded(&v->c.pairs[i]->tensor, q->dtype);
        known[row] = rounded != UNKNOWN;
        q->out[row] = rounded == ROUNDED;
    }
    const bool everywhere = known[TRACE_OUTPUT_NORM] ? q->out[TRACE_OUTPUT_NORM] : q->out[TRACE_EMBEDDING_NORM];
    for (TraceName row = 0; row < TRACE_COUNT; row++)
        if (!known[row]) q->out[row] = is_product(row) || row == TRACE_SCORES || row == TRACE_PROBS || everywhere;
}

/* =====================================================================================================================
 * Weights, rounded
 * ================================================================================================================== */

/* float -> the bits of the nearest number in half precision, ties to even. */
static uint16_t half_bits(float x, DType dtype)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if (dtype == DTYPE_BF16) return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
    const uint32_t sign = u >> 16 & 0x8000;
    const float size = fabsf(x);
    if (size >= 65520) return (uint16_t)(sign | 0x7C00);                /* beyond 65504, the largest */
    if (size < 0x1p-14f) return (uint16_t)(sign | (uint32_t)lrintf(size * 0x1p24f));   /* in steps of 2^-24 */
    memcpy(&u, &size, sizeof u);
    return (uint16_t)(sign | (u - (112u << 23) + 0xFFF + (u >> 13 & 1)) >> 13);        /* exponents begin 112 lower */
}

/* Memory for n numbers of that size, which rounding_free gives back; NULL: out of memory. */
static void *own(Rounding *q, size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (memory) q->owned[q->owned_count++] = memory;
    return memory;
}

/* A matrix in half precision. `row` has room for one row of it. */
static bool round_matrix(Rounding *q, Tensor *W, real *row)
{
    uint16_t *to = own(q, W->rows * W->cols, sizeof *to);
    if (!to) return false;
    for (size_t r = 0; r < W->rows; r++) {
        const real *x = tensor_rows(W, r, 1, row);
        for (size_t c = 0; c < W->cols; c++) to[r * W->cols + c] = half_bits((float)x[c], q->dtype);
    }
    *W = (Tensor){to, q->dtype, W->rows, W->cols};
    return true;
}

/* A bias, a gamma or a beta. */
static bool round_vector(Rounding *q, const real **x, size_t n)
{
    real *to = own(q, n, sizeof *to);
    if (!to) return false;
    for (size_t i = 0; i < n; i++) to[i] = (real)round_to((double)(*x)[i], q->dtype);
    *x = to;
    return true;
}

/* Embeddings and LayerNorms keep their weights where their results are not rounded. */
static bool keeps_weights(const Rounding *q, const TensorSpec *spec)
{
    if (spec->kind == KIND_NORM) return !q->out[TRACE_OUTPUT_NORM];
    return spec->kind == KIND_EMBEDDING && spec->group == GROUP_ENCODER && !q->out[TRACE_WORD];
}

/* One tensor of the model, in layer l. What the model does not have stays NULL. */
static bool round_weight(Rounding *q, const TensorSpec *spec, int l, real *row)
{
    char *base = spec_per_layer(spec) ? (char *)&q->model.layers[l] : (char *)&q->model;
    void *field = base + spec->field;
    if (spec->kind == KIND_MATRIX || spec->kind == KIND_EMBEDDING) {
        Tensor *W = field;
        return !W->data || round_matrix(q, W, row);
    }
    const real **x = field;
    return !*x || round_vector(q, x, spec_cols(spec, &q->model.config));
}

/* Everything for trials in that type. With `v`, the rows that OTHER has rounded are rounded; without, the products. */
Status rounding_new(Rounding *q, const Bert *m, DType dtype, const Verification *v, Error *e)
{
    const size_t L = (size_t)m->config.L, H = (size_t)m->config.H, F = (size_t)m->config.F;
    *q = (Rounding){.dtype = dtype, .model = *m};
    rounded_rows(q, v);
    q->owned = calloc(tensor_table_size + 2, (L + 1) * sizeof *q->owned);
    q->model.layers = calloc(L, sizeof *q->model.layers);
    real *row = calloc(H > F ? H : F, sizeof *row);
    bool ok = q->owned && q->model.layers && row;
    if (ok) memcpy(q->model.layers, m->layers, L * sizeof *m->layers);
    for (size_t k = 0; ok && k < tensor_table_size; k++) {
        const TensorSpec *spec = &tensor_table[k];
        if (keeps_weights(q, spec)) continue;
        for (int l = 0; ok && l < (spec_per_layer(spec) ? m->config.L : 1); l++) ok = round_weight(q, spec, l, row);
    }
    free(row);
    return ok ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory for weights in %s", dtype_word(dtype));
}

void rounding_free(Rounding *q)
{
    for (size_t i = 0; i < q->owned_count; i++) free(q->owned[i]);
    free(q->owned);
    free(q->model.layers);
    *q = (Rounding){0};
}

/* =====================================================================================================================
 * Steps, rounded
 * ================================================================================================================== */

/* n numbers, each rounded. */
static void round_all(real *x, size_t n, DType dtype)
{
    for (size_t i = 0; i < n; i++)
        if (fabs((double)x[i]) < 1e30) x[i] = (real)round_to((double)x[i], dtype);
}

/* The hidden state that a product takes and a residual needs as it is, or NULL. */
static real *residual_of(Trial *t, TraceName row)
{
    const int L = t->model.config.L;
    if (row == TRACE_QUERY) return (real *)(uintptr_t)hidden_state(&t->a, t->layer);
    if (row == TRACE_INTERMEDIATE_DENSE) return t->a.block[t->layer].attention_norm;
    return row == TRACE_POOLER_DENSE || row == TRACE_TRANSFORM_DENSE ? (real *)(uintptr_t)hidden_state(&t->a, L) : NULL;
}

/* What goes into the row's product is rounded before it is multiplied, also where it was kept in float32 till then.
 * Nobody needs these again, but for the residuals, which before_step puts aside and after_step puts back. */
static void round_inputs(Trial *t, TraceName row)
{
    const DType dtype = t->rounding->dtype;
    const BlockActivations *s = &t->a.block[t->layer < 0 ? 0 : t->layer];
    const size_t N = (size_t)t->a.N, H = (size_t)t->model.config.H, maps = t->a.score_start[t->a.batch.B];
    if (row == TRACE_SCORES) {
        round_all(s->query, N * H, dtype);
        round_all(s->key, N * H, dtype);
    } else if (row == TRACE_CONTEXT) {
        round_all(s->probs, maps, dtype);
        round_all(s->value, N * H, dtype);
    } else if (row == TRACE_ATTENTION_DENSE) {
        round_all(s->context, N * H, dtype);
    } else if (row == TRACE_OUTPUT_DENSE) {
        round_all(s->intermediate, N * (size_t)t->model.config.F, dtype);
    } else if (row == TRACE_DECODER) {
        round_all(t->a.transform_norm, (size_t)t->a.request.M * H, dtype);
    } else if (row == TRACE_NSP) {
        round_all(t->a.pooler, (size_t)t->a.batch.B * H, dtype);
    }
}

/* Before the row's step. */
void rounding_before(Trial *t, TraceName row)
{
    const size_t n = (size_t)t->a.N * (size_t)t->model.config.H;
    real *residual = residual_of(t, row);
    round_inputs(t, row);
    if (!residual) return;
    memcpy(t->saved, residual, n * sizeof *residual);
    round_all(residual, n, t->rounding->dtype);
}

/* After it: the result is rounded, too, if OTHER's is. */
void rounding_after(Trial *t, TraceName row, real *data, size_t count)
{
    real *residual = residual_of(t, row);
    if (residual) memcpy(residual, t->saved, (size_t)t->a.N * (size_t)t->model.config.H * sizeof *residual);
    if (t->rounding->out[row]) round_all(data, count, t->rounding->dtype);
}

/* The sum before a LayerNorm, rounded after each addition: of the embeddings there are two. */
void rounding_of_sum(Trial *t, TraceName row)
{
    const size_t n = (size_t)t->a.N * (size_t)t->model.config.H;
    const DType dtype = t->rounding->dtype;
    if (!t->rounding->out[row] || row == TRACE_TRANSFORM_NORM) return;
    if (row == TRACE_EMBEDDING_NORM) {
        add(t->a.sum, t->a.word, t->a.token_type, n);
        round_all(t->a.sum, n, dtype);
        add(t->a.sum, t->a.sum, t->a.position, n);
    }
    round_all(t->a.sum, n, dtype);
}

/* =====================================================================================================================
 * The verdict
 * ================================================================================================================== */

/* How many numbers carry a tensor: (sum x^2)^2 / sum x^4. All of them if they are alike, few if those are large: BERT
 * has features like that, -68 among numbers below 1, and one rounded the other way is all that an NMSE shows. */
static double effective_count(const TraceEntry *t, const Criteria *criteria)
{
    double squares = 0, fourths = 0;
    for (size_t i = 0; i < t->tensor.count; i++) {
        const double x = tensor_element(&t->tensor, i);
        if (!element_counts(t, criteria, i) || !(fabs(x) < 1e30)) continue;
        squares += x * x;
        fourths += x * x * x * x;
    }
    return fourths > 0 ? squares * squares / fourths : 0;
}

/* Half a step of that type beside a number, on average: 2^-9 or 2^-12 of it. */
static double half_step(DType dtype)
{
    return dtype == DTYPE_BF16 ? 0x1p-9 : 0x1p-12;
}

/* How far rounding may be from rounding, in decibels: it is not the same in two programs. A product is rounded once; a
 * softmax, a GELU or a LayerNorm, which is some of them, at each of its operations (ONNX Runtime's softmax in float16:
 * 8 dB more). Of few numbers it is known badly. */
static double margin(TraceName row, double count)
{
    return count < 8 ? 24 : count < 64 || !is_product(row) ? 12 : 6;
}

/* Is this tensor as far from ours as rounding makes it? `with` is against ours, rounded alike; `without` against ours,
 * `exact`, in float32; noise is what rounding does to ours. */
static bool passes_rounded(const Trial *t, const TraceEntry *exact, const Result *with, const Result *without,
                           double noise, const Criteria *criteria)
{
    const double least = with->nmse < without->nmse ? with->nmse : without->nmse, unit = half_step(t->rounding->dtype);
    if (with->word) return false;
    if (t->rounding->out[exact->row] && noise < unit * unit) noise = unit * unit;
    const double allowed = decibel(noise) + margin(exact->row, effective_count(exact, criteria));
    return decibel(least) <= criteria->tolerance.decibel || decibel(least) <= allowed;
}

/* What GELU's own operations may add to that, as an NMSE of the tensor `exact`. Where it is not one operation but
 * x/2 (1 + erf(..)), 1 + erf is rounded before it is multiplied, and for negative x little is left of it: in bfloat16
 * -43 dB instead of -55 (transformers' gelu_new, which is made of eight). 0 for all other tensors. */
static double gelu_noise(const Trial *t, const TraceEntry *exact)
{
    const bool head = exact->row == TRACE_TRANSFORM_ACT;
    double squares = 0, differences = 0;
    if (!head && exact->row != TRACE_INTERMEDIATE) return 0;
    const real *x = head ? t->a.transform_dense : t->a.block[exact->layer].intermediate_dense;
    for (size_t i = 0; i < exact->tensor.count; i++) {
        const double y = tensor_element(&exact->tensor, i), half = (double)x[i] / 2;
        const double factor = half != 0 ? y / half : 0;                 /* 1 + erf(x / sqrt(2)) */
        const double rounded = round_to(1 + round_to(factor - 1, t->rounding->dtype), t->rounding->dtype);
        squares += y * y;
        differences += (rounded - factor) * half * (rounded - factor) * half;
    }
    return squares > 0 ? differences / squares : 0;
}

/* What the scores' own rounding may add to the probabilities, as an NMSE: each is off by the factor e^d, if its score
 * is off by d. OTHER's scores may be rounded otherwise where they were recorded than where they were used, scaled
 * before or after, as ONNX Runtime's are: -61 dB in float16. */
static double softmax_noise(const Trial *t, const TraceEntry *exact)
{
    const real *score = t->a.block[exact->layer].scores;
    const double unit = half_step(t->rounding->dtype);
    double squares = 0, differences = 0;
    for (size_t i = 0; i < exact->tensor.count; i++) {
        const double p = tensor_element(&exact->tensor, i), d = p > 0 ? (double)score[i] * unit : 0;
        squares += p * p;
        differences += p * d * p * d;
    }
    return squares > 0 ? differences / squares : 0;
}

/* Of either kind. */
static double inner_noise(const Trial *t, const TraceEntry *exact)
{
    return exact->row == TRACE_PROBS ? softmax_noise(t, exact) : gelu_noise(t, exact);
}

/* Every tensor, given OTHER's own inputs, in float32 and rounded. The reference becomes the rounded one, and each
 * result says whether OTHER is as near to it as rounding allows; v->noise what that is. */
void run_rounded(Verification *v, const Rounding *q)
{
    TraceComparison *c = &v->c;
    run_isolated(v);
    v->trial.original = &q->model;
    v->trial.rounding = q;
    trial_reset(&v->trial);
    for (size_t i = 0; i < c->ref->count; i++) {
        const TraceEntry *mine = &v->mine.entries[i], *exact = &c->ref->entries[i];
        Result noise;
        trial_step(&v->trial, mine->row, mine->layer);
        compare_entries(&noise, exact, mine, &c->criteria);
        v->noise[i] = noise.word ? 0 : noise.nmse;
        if (c->pairs[i] && c->results[i].comparable) {
            const Layout layout = c->results[i].layout;
            Result without;
            compare_laid_out(&without, exact, c->pairs[i], &layout, &c->criteria);
            compare_laid_out(&c->results[i], mine, c->pairs[i], &layout, &c->criteria);
            c->results[i].passes = passes_rounded(&v->trial, exact, &c->results[i], &without,
                                                  v->noise[i] + inner_noise(&v->trial, exact), &c->criteria);
        }
        overwrite(exact, mine->tensor.data);
        feed(v, i);
    }
    comparison_count(c);
}

/* The cosine of two differences from `exact`, tensor x: of the trial's numbers, rounded here, and of OTHER's. */
static double likeness(const Verification *v, const TraceEntry *exact, size_t x)
{
    double squares = 0, other_squares = 0, product = 0;
    for (size_t i = 0; i < exact->tensor.count; i++) {
        const double z = tensor_element(&exact->tensor, i);
        const double ours = tensor_element(&v->mine.entries[x].tensor, i) - z;
        const double theirs = other_element(exact, v->c.pairs[x], &v->c.results[x], &v->c.criteria, i) - z;
        if (!element_counts(exact, &v->c.criteria, i) || !isfinite(ours) || !isfinite(theirs)) continue;
        squares += ours * ours, other_squares += theirs * theirs, product += ours * theirs;
    }
    return squares > 0 && other_squares > 0 ? product / sqrt(squares) / sqrt(other_squares) : 0;
}

/* How much rounding changes tensor x, if the steps from `first` on are rounded: the NMSE against float32; and how like
 * OTHER's difference is to that, as a cosine. Two programs that round the same numbers make partly the same errors,
 * those of the weights before all; any other difference has nothing in common with them. */
Status rounding_noise(double *nmse, double *cosine, Verification *v, const Rounding *q, size_t first, size_t x,
                      Error *e)
{
    TraceEntry exact = v->mine.entries[x];
    const size_t size = exact.tensor.count * sizeof(real);
    real *copy = malloc(size);
    Result r;
    if (!copy) return fail(e, BERT_SYSTEM, "out of memory for a tensor of %zu bytes", size);
    trial_reset(&v->trial);
    run_from(v, first, x);
    memcpy(copy, exact.tensor.data, size);
    exact.tensor.data = copy;
    v->trial.original = &q->model;
    v->trial.rounding = q;
    trial_reset(&v->trial);
    run_from(v, first, x);
    compare_entries(&r, &exact, &v->mine.entries[x], &v->c.criteria);
    *nmse = r.nmse;
    *cosine = likeness(v, &exact, x);
    v->trial.original = v->trial.unrounded;
    v->trial.rounding = NULL;
    free(copy);
    return BERT_OK;
}
