/* gradients.c - someone else's gradients against ours: the first wrong one on the way back, and the known mistake of
 * training that explains it.
 *
 *     OTHER: input_ids, labels, next_sentence_label, loss, grad.NAME ...
 *       -> our step of learning, from the same ids and labels -> tensor by tensor, in the order of backward()
 *       -> the first that differs -> the same step once more with each known mistake: which one makes OTHER's numbers?
 *
 * Backward is one long chain: a gradient is wrong if the one before it was. So the order is that of learn.c, losses
 * first, then from the heads down to the embeddings, and each parameter stands behind the number that it helped to
 * make. A mistake is planted as mistakes.c does it for the forward pass: in front of the pass (labels, mask, divisors),
 * behind one of its steps, or at its end (clipping, decay, tied weights).
 */
#include "verify/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Names
 * ================================================================================================================== */

/* The place on the way back. A forward place counts from the embeddings to the heads; here it is counted from the other
 * end, with a place behind each number for the weights, and one for the bias, that made it. */
static size_t place_backwards(const TraceEntry *t)
{
    const size_t places = ((size_t)1 << 20) * TRACE_COUNT + TRACE_COUNT, kinds = ENTRY_KINDS;
    return places + TRACE_COUNT + (places - t->order) * kinds + t->kind;
}

/* The row of the table that has this name, in BERT or in DistilBERT; NULL: none. */
static const TensorSpec *spec_named(const char *name, int *layer)
{
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++)
        if (name_fits(spec->name, name, layer) || (spec->distilbert && name_fits(spec->distilbert, name, layer))) return spec;
    return NULL;
}

/* A parameter's name without its last part is the name of what it makes: output.dense.weight makes output.dense. The
 * decoder's bias is called cls.predictions.bias. */
static bool resolve_parameter(TraceEntry *t, const char *name, int last)
{
    char module[96], ours[96];
    int layer = 0;
    const TensorSpec *spec = spec_named(name, &layer);
    if (!spec) return false;
    spec_name(spec->name, layer, ours, sizeof ours);
    name = ours;
    const char *end = strrchr(name, '.');
    const bool bias = !strcmp(end, ".bias");
    snprintf(module, sizeof module, "%.*s", (int)(end - name), name);
    if (!strcmp(module, "cls.predictions")) snprintf(module, sizeof module, "cls.predictions.decoder");
    if (!resolve_name(t, module, last)) return false;
    t->kind = bias ? ENTRY_BIAS : ENTRY_WEIGHT;
    t->form = spec->kind == KIND_MATRIX || spec->kind == KIND_EMBEDDING ? FORM_TOKENS : FORM_WHOLE;
    t->alias = false;
    snprintf(t->name, sizeof t->name, "grad.%.90s", name);
    return true;
}

/* Example: grad.bert.encoder.layer.3.output.dense.weight, grad.encoder.layer.3.output.dense, loss.mlm */
bool resolve_gradient(TraceEntry *t, const char *name, int last)
{
    static const char *const losses[] = {"loss", "loss.mlm", "loss.nsp"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, losses[i]) != 0) continue;
        snprintf(t->name, sizeof t->name, "%s", name);
        t->kind = ENTRY_LOSS, t->row = (TraceName)i, t->form = FORM_WHOLE, t->layer = -1, t->alias = false;
        t->order = ((size_t)1 << 20) * TRACE_COUNT + TRACE_COUNT + (size_t)i;
        return true;
    }
    if (strncmp(name, "grad.", 5) != 0) return false;
    name += 5;
    name += !strncmp(name, "bert.", 5) ? 5 : !strncmp(name, "distilbert.", 11) ? 11 : 0;
    const char *known = strcmp(name, "cls.predictions.decoder.bias") ? name : "cls.predictions.bias";
    if (!resolve_parameter(t, known, last)) {
        char ours[96];
        if (!resolve_name(t, name, last)) return false;
        snprintf(ours, sizeof ours, "grad.%.90s", t->name);
        memcpy(t->name, ours, sizeof ours);
        t->kind = ENTRY_GRADIENT;
    }
    t->order = place_backwards(t);
    return true;
}

bool is_label_name(const char *name)
{
    return !strcmp(name, "labels") || !strcmp(name, "next_sentence_label");
}

/* Below 0 only -100 is a label: "none", as in PyTorch. */
Status labels_read(const Safetensors *file, const char *path, const LabelSpec *spec, int32_t **labels, Error *e)
{
    const SafeTensor *t = safetensors_find(file, spec->name);
    if (!t) return BERT_OK;
    if (t->dtype != DTYPE_I64 || t->count != spec->count)
        return fail(e, BERT_FILE, "%s: %s has %zu numbers of %s, expected %zu of I64", path, spec->name, t->count,
                    dtype_name(t->dtype), spec->count);
    *labels = malloc(spec->count * sizeof **labels);
    if (!*labels) return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t i = 0; i < spec->count; i++) {
        const int64_t label = integer_element(t, i);
        if (label != -100 && (label < 0 || label > spec->largest))
            return fail(e, BERT_TEXT, "%s: number %zu of %s is %lld, expected 0 to %d, or -100 for none", path, i + 1,
                        spec->name, (long long)label, spec->largest);
        (*labels)[i] = (int32_t)label;
    }
    return BERT_OK;
}

/* =====================================================================================================================
 * A lesson: one step of learning that can be spoiled
 * ================================================================================================================== */
static int32_t *copy_of(const int32_t *from, size_t count, bool *ok)
{
    int32_t *to = from ? malloc(count * sizeof *to) : NULL;
    if (to) memcpy(to, from, count * sizeof *to);
    *ok = *ok && (to || !from);
    return to;
}

/* Everything as it should be, before a mistake is planted. */
static void lesson_reset(Lesson *t)
{
    const size_t N = (size_t)t->a.N, B = (size_t)t->batch.B;
    memcpy(t->mask, t->batch.attention_mask, N * sizeof *t->mask);
    if (t->labels) memcpy(t->labels, t->given_labels, N * sizeof *t->labels);
    if (t->next_sentence) memcpy(t->next_sentence, t->given_next, B * sizeof *t->next_sentence);
    t->targets = (Targets){.labels = t->labels, .next_sentence = t->next_sentence,
                           .mlm_divisor = labels_that_count(t->labels, (size_t)t->a.N),
                           .nsp_divisor = labels_that_count(t->next_sentence, (size_t)t->batch.B)};
    t->model.config = t->back.config = t->original->config;
    t->no_lookup = t->last_lookup = t->no_padding = false;
    t->value = 0;
}

/* Memory for a step on that batch; the model has weights of its own, because learning may change them. `labels` (N) and
 * `next_sentence` (B) stay the caller's; a head without labels is not run. */
Status lesson_new(Lesson *t, const Bert *m, const Batch *batch, const int32_t *labels, const int32_t *next_sentence,
                  Error *e)
{
    const size_t L = (size_t)m->config.L;
    size_t N = 0;
    bool ok = true;
    *t = (Lesson){.original = m, .model = *m, .batch = *batch, .given_labels = labels, .given_next = next_sentence};
    for (int b = 0; b < batch->B; b++) N += (size_t)batch->T[b];
    t->model.layers = calloc(L, sizeof *t->model.layers);
    t->rows = calloc(N, sizeof *t->rows);
    t->mask = copy_of(batch->attention_mask, N, &ok);
    t->labels = copy_of(labels, N, &ok);
    t->next_sentence = copy_of(next_sentence, (size_t)batch->B, &ok);
    if (!t->model.layers || !t->rows || !ok) return fail(e, BERT_SYSTEM, "out of memory for a step of learning");
    memcpy(t->model.layers, m->layers, L * sizeof *m->layers);
    for (size_t i = 0; i < N; i++) t->rows[i] = (int)i;
    const bool nsp = next_sentence != NULL;
    t->request = (Request){.keep = KEEP_EVERYTHING, .pooler = nsp, .nsp = nsp, .mlm_rows = t->rows,
                           .M = labels ? (int)N : 0};
    Batch own = *batch;
    own.attention_mask = t->mask;
    Status status = parameters_new(&t->parameters, &t->model, e);
    if (status == BERT_OK) status = activations_new(&t->a, &t->model, &own, &t->request, e);
    if (status == BERT_OK) status = gradients_new(&t->g, &t->model, &t->parameters, e);
    if (status == BERT_OK) status = gradients_room(&t->g, &t->model, &t->a, KEEP_EVERYTHING, e);
    t->back = t->model;
    t->forward_is_spoiled = true;                                       /* it has not been run */
    return status;
}

void lesson_free(Lesson *t)
{
    activations_free(&t->a);
    gradients_free(&t->g);
    parameters_free(&t->parameters);
    free(t->model.layers);
    free(t->rows);
    free(t->mask);
    free(t->labels);
    free(t->next_sentence);
}

/* Gradients.after: the mistake, behind its step. */
static void spoil(void *lesson, BackStep step, int l, int sequence, int head)
{
    Lesson *t = lesson;
    t->b = sequence;
    t->h = head;
    t->mistake->after(t, step, l);
}

/* Lookups wait in g->lookups until the step ends. One that is set to 0 is not added. */
static void spoil_lookups(Lesson *t)
{
    const size_t H = (size_t)t->model.config.H, N = (size_t)t->a.N;
    for (size_t n = 0; n < N; n++) {
        bool again = false;
        for (size_t k = n + 1; t->last_lookup && k < N && !again; k++)
            again = t->batch.input_ids[k] == t->batch.input_ids[n];
        const bool padding = t->batch.input_ids[n] == 0 && (t->no_padding || t->padding_idx);
        if (t->no_lookup || again || padding) memset(t->g.lookups + n * H, 0, H * sizeof(real));
    }
}

/* A step of learning, with the mistake at its place. Verify: a_lesson_has_the_bits_of_backward
 * (tests/test_gradients.c) */
bool lesson_run(Lesson *t, const TrainingMistake *mistake)
{
    const bool spoiled = t->forward_is_spoiled;
    lesson_reset(t);
    t->forward_is_spoiled = false;
    if (mistake) t->value = mistake->value;
    const bool planted = !mistake || !mistake->plant || mistake->plant(t);
    if (!planted) {
        t->forward_is_spoiled = spoiled;
        return false;
    }
    if (spoiled || t->forward_is_spoiled) forward(&t->model, &t->a);
    gradients_zero(&t->g);
    t->mistake = mistake;
    t->g.context = t;
    t->g.after = mistake && mistake->after ? spoil : NULL;
    backward(&t->back, &t->a, &t->g, &t->targets);
    spoil_lookups(t);
    gradients_finish(&t->back, &t->g, &t->parameters);
    t->losses[1] = t->g.losses.mlm;
    t->losses[2] = t->g.losses.nsp;
    t->losses[0] = t->losses[1] + t->losses[2];
    return !mistake || !mistake->finish || mistake->finish(t);
}

/* =====================================================================================================================
 * The known mistakes: labels and means
 * ================================================================================================================== */

/* Tokens that are no padding. */
static double count_tokens(const Lesson *t)
{
    double n = 0;
    for (int i = 0; i < t->a.N; i++) n += t->batch.attention_mask[i] != 0;
    return n;
}

/* The divisor of the MLM loss; false if it is the same. */
static bool divide_by(Lesson *t, double divisor)
{
    const bool other = t->labels && divisor != t->targets.mlm_divisor && t->targets.mlm_divisor > 0;
    if (other) t->targets.mlm_divisor = divisor;
    return other;
}
static bool all_tokens(Lesson *t) { return divide_by(t, count_tokens(t)); }
static bool all_rows(Lesson *t) { return count_tokens(t) < t->a.N && divide_by(t, t->a.N); }
static bool per_sequence(Lesson *t) { return t->batch.B > 1 && divide_by(t, t->batch.B); }
static bool mlm_sum(Lesson *t) { return divide_by(t, 1); }
static bool nsp_sum(Lesson *t)
{
    const bool other = t->next_sentence && t->targets.nsp_divisor > 1;
    if (other) t->targets.nsp_divisor = 1;
    return other;
}
static bool both_sums(Lesson *t)
{
    const bool mlm = mlm_sum(t), nsp = nsp_sum(t);
    return mlm && nsp;
}

/* -ln softmax(logits)[label], in double. */
static double surprise(const real *logits, size_t cols, int32_t label)
{
    double largest = (double)logits[0], sum = 0;
    for (size_t j = 1; j < cols; j++) largest = fmax(largest, (double)logits[j]);
    for (size_t j = 0; j < cols; j++) sum += exp((double)logits[j] - largest);
    return log(sum) + largest - (double)logits[label];
}

/* One loss as the mean of the means of micro-batches of `each` rows' worth of sequences: every row of dlogits is scaled
 * by what its own micro-batch's mean gives it instead of the step's. Returns the loss. */
static double mean_of_means(Matrix logits, real *dlogits, const int32_t *labels, size_t each, double divisor)
{
    const size_t rows = logits.rows, parts = (rows + each - 1) / each, cols = logits.cols;
    double loss = 0;
    for (size_t first = 0; first < rows; first += each) {
        const size_t end = first + each < rows ? first + each : rows;
        const double own = labels_that_count(labels + first, end - first) * (double)parts;
        for (size_t i = first; i < end && own > 0; i++) {
            if (labels[i] < 0) continue;
            for (size_t j = 0; j < cols; j++) dlogits[i * cols + j] *= (real)(divisor / own);
            loss += surprise(logits.data + i * cols, cols, labels[i]) / own;
        }
    }
    return loss;
}

/* Micro-batches of `value` sequences, or of half of the step. */
static size_t micro_batch(const Lesson *t)
{
    const size_t B = (size_t)t->batch.B;
    return t->value > 0 ? (size_t)t->value : (B + 1) / 2;
}
static bool can_be_cut(Lesson *t)
{
    const size_t B = (size_t)t->batch.B, size = micro_batch(t);
    return B > size && (t->value > 0 || (B > 2 && size != 2 && size != 4));
}
static void average_means(Lesson *t, BackStep step, int l)
{
    const size_t size = micro_batch(t), V = (size_t)t->model.config.V, N = (size_t)t->a.N, B = (size_t)t->batch.B;
    (void)l;
    if (step != BACK_LOSS) return;
    if (t->labels)
        t->g.losses.mlm = mean_of_means((Matrix){t->a.logits, N, V, V}, t->g.a.logits, t->labels, size * (N / B),
                                        t->targets.mlm_divisor);
    if (t->next_sentence)
        t->g.losses.nsp = mean_of_means((Matrix){t->a.nsp_logits, B, 2, 2}, t->g.a.nsp_logits, t->next_sentence, size,
                                        t->targets.nsp_divisor);
}

/* One kind of answer has no loss: whoever takes label 0 for "none". */
static bool ignore_0(Lesson *t)
{
    size_t zeros = 0;
    for (int b = 0; t->next_sentence && b < t->batch.B; b++)
        if (t->next_sentence[b] == 0) t->next_sentence[b] = -100, zeros++;
    t->targets.nsp_divisor = labels_that_count(t->next_sentence, (size_t)t->batch.B);
    return zeros > 0;
}
static bool swap_next(Lesson *t)
{
    for (int b = 0; t->next_sentence && b < t->batch.B; b++)
        if (t->next_sentence[b] >= 0) t->next_sentence[b] = 1 - t->next_sentence[b];
    return t->next_sentence && t->targets.nsp_divisor > 0;
}

/* Tokens without a label get their own id for one: those that `which` says. */
enum { TARGET_SPECIALS = 1, TARGET_PADDING = 2, TARGET_TOKENS = 4 };
static bool more_targets(Lesson *t)
{
    const int which = (int)t->value;
    size_t added = 0;
    for (int i = 0; t->labels && i < t->a.N; i++) {
        const int32_t id = t->batch.input_ids[i];
        const bool special = t->specials && (id == t->specials[0] || id == t->specials[1]);
        const int kind = !t->batch.attention_mask[i] ? TARGET_PADDING : special ? TARGET_SPECIALS : TARGET_TOKENS;
        if (t->labels[i] >= 0 || !(which & kind)) continue;
        t->labels[i] = id;
        added++;
    }
    t->targets.mlm_divisor = labels_that_count(t->labels, (size_t)t->a.N);
    return added > 0;
}

/* The weight of one loss in the sum of the two. */
static bool has_both(Lesson *t)
{
    return t->labels && t->next_sentence && t->targets.mlm_divisor > 0 && t->targets.nsp_divisor > 0;
}
static void weigh_nsp(Lesson *t, BackStep step, int l)
{
    (void)l;
    for (int i = 0; step == BACK_LOSS && i < 2 * t->batch.B; i++) t->g.a.nsp_logits[i] *= (real)t->value;
}
static bool weighed_nsp(Lesson *t)
{
    t->losses[0] = t->losses[1] + t->value * t->losses[2];
    return true;
}
static void drop_mlm(Lesson *t, BackStep step, int l)
{
    (void)l;
    if (step == BACK_LOSS) memset(t->g.a.logits, 0, (size_t)t->a.N * (size_t)t->model.config.V * sizeof(real));
}
static bool dropped_mlm(Lesson *t)
{
    t->losses[0] = t->losses[2];
    return true;
}

/* =====================================================================================================================
 * The known mistakes: the pass
 * ================================================================================================================== */
static bool see_padding(Lesson *t)
{
    const bool padded = count_tokens(t) < t->a.N;
    for (int i = 0; i < t->a.N; i++) t->mask[i] = 1;
    t->forward_is_spoiled = true;
    return padded;
}
static GeluKind other_gelu(const Lesson *t)
{
    return t->original->config.gelu == GELU_ERF ? GELU_TANH : GELU_ERF;
}
static bool other_gelu_back(Lesson *t)
{
    t->back.config.gelu = other_gelu(t);
    return true;
}
static bool other_gelu_both(Lesson *t)
{
    t->model.config.gelu = t->back.config.gelu = other_gelu(t);
    return t->forward_is_spoiled = true;
}

/* GELU' of the number behind the curve instead of the one before it. */
static void gelu_of_result(Lesson *t, BackStep step, int l)
{
    if (step != BACK_GELU) return;
    const size_t count = (size_t)t->a.N * (size_t)t->model.config.F;
    const real *z = t->a.block[l].intermediate, *dz = t->g.a.block[l].intermediate;
    real *dx = t->g.a.block[l].intermediate_dense;
    if (t->back.config.gelu == GELU_ERF) gelu_erf_derivative(dx, z, count);
    else gelu_tanh_derivative(dx, z, count);
    for (size_t i = 0; i < count; i++) dx[i] *= dz[i];
}

/* LayerNorm, row by row, with the mean (1), the variance (2), or both taken for constants: see layer_norm_backward. */
static void norm_without(real *dx, const real *dy, const real *x, const real *gamma, const Lesson *t, size_t rows)
{
    const size_t H = (size_t)t->model.config.H;
    const int lacks = (int)t->value;
    for (size_t n = 0; n < rows; n++, dx += H, dy += H, x += H) {
        double mean = 0, variance = 0, of_d = 0, of_du = 0;
        for (size_t h = 0; h < H; h++) mean += (double)x[h] / (double)H;
        for (size_t h = 0; h < H; h++) variance += ((double)x[h] - mean) * ((double)x[h] - mean) / (double)H;
        const double scale = 1 / sqrt(variance + t->model.config.eps);
        for (size_t h = 0; h < H; h++) {
            const double d = (double)dy[h] * (double)gamma[h];
            of_d += d / (double)H;
            of_du += d * ((double)x[h] - mean) * scale / (double)H;
        }
        for (size_t h = 0; h < H; h++) {
            const double d = (double)dy[h] * (double)gamma[h], u = ((double)x[h] - mean) * scale;
            dx[h] = (real)(scale * (d - (lacks & 1 ? 0 : of_d) - (lacks & 2 ? 0 : u * of_du)));
        }
    }
}
static void norm_is_short(Lesson *t, BackStep step, int l)
{
    const size_t N = (size_t)t->a.N, size = N * (size_t)t->model.config.H * sizeof(real);
    Activations *a = &t->a, *d = &t->g.a;
    if (step == BACK_TRANSFORM_NORM)
        norm_without(d->transform_act, d->transform_norm, a->transform_act, t->model.transform_gamma, t, N);
    if (step == BACK_OUTPUT_NORM) {
        norm_without(d->block[l].output_dense, d->block[l].output_norm, a->sum, t->model.layers[l].output_gamma, t, N);
        memcpy(d->block[l].attention_norm, d->block[l].output_dense, size);
    }
    if (step == BACK_ATTENTION_NORM) {
        norm_without(d->block[l].attention_dense, d->block[l].attention_norm, a->sum,
                     t->model.layers[l].attention_gamma, t, N);
        memcpy((real *)hidden_state(d, l), d->block[l].attention_dense, size);
    }
    if (step == BACK_EMBEDDING_NORM) {
        norm_without(d->word, d->embedding_norm, a->sum, t->model.embeddings_gamma, t, N);
        memcpy(d->token_type, d->word, size);
        memcpy(d->position, d->word, size);
    }
}

/* The residual of the attention (1) or of the feed-forward layers (2) gives nothing back. */
static void no_residual(Lesson *t, BackStep step, int l)
{
    const size_t size = (size_t)t->a.N * (size_t)t->model.config.H * sizeof(real);
    if (step == BACK_ATTENTION_NORM && t->value == 1) memset((real *)hidden_state(&t->g.a, l), 0, size);
    if (step == BACK_OUTPUT_NORM && t->value == 2) memset(t->g.a.block[l].attention_norm, 0, size);
}

/* dquery and dkey without 1/sqrt(D). */
static void no_scale(Lesson *t, BackStep step, int l)
{
    const size_t count = (size_t)t->a.N * (size_t)t->model.config.H;
    const real root = (real)sqrt((double)t->model.config.D);
    for (size_t i = 0; step == BACK_SCORES && i < count; i++) {
        t->g.a.block[l].query[i] *= root;
        t->g.a.block[l].key[i] *= root;
    }
}

/* softmax, each place by itself: ds = p dp (1), or p (1 - p) dp (2). */
static void softmax_alone(Lesson *t, BackStep step, int l)
{
    if (step != BACK_PROBS) return;
    const size_t T = (size_t)t->batch.T[t->b];
    const real *p = head_map(&t->a, t->a.block[l].probs, t->b, t->h);
    const real *dp = head_map(&t->g.a, t->g.a.block[l].probs, t->b, t->h);
    real *ds = head_map(&t->g.a, t->g.a.block[l].scores, t->b, t->h);
    for (size_t i = 0; i < T * T; i++) ds[i] = t->value == 1 ? p[i] * dp[i] : p[i] * (1 - p[i]) * dp[i];
}

static bool has_nsp(Lesson *t) { return t->next_sentence != NULL; }
static void no_tanh(Lesson *t, BackStep step, int l)
{
    (void)l;
    if (step == BACK_POOLER)
        memcpy(t->g.a.pooler_dense, t->g.a.pooler, (size_t)t->batch.B * (size_t)t->model.config.H * sizeof(real));
}

/* =====================================================================================================================
 * The known mistakes: parameters
 * ================================================================================================================== */
static bool is_tied(const Lesson *t)
{
    return t->labels && t->model.decoder.data == t->model.word_embeddings.data;
}
static bool forget_lookups(Lesson *t) { return t->no_lookup = is_tied(t); }
static bool forget_padding(Lesson *t) { return t->no_padding = true; }
static bool keep_last_lookup(Lesson *t) { return t->last_lookup = true; }

/* The gradient of that name; NULL: the model or this step has none. */
static const Parameter *parameter(const Lesson *t, const char *name)
{
    for (const Parameter *p = t->parameters.list; p < t->parameters.list + t->parameters.count; p++)
        if (!strcmp(p->name, name) && is_learned(&t->g, p)) return p;
    return NULL;
}

/* Sets one parameter's gradient to 0; false if it is that already. */
static bool not_learned(Lesson *t, const char *name)
{
    const Parameter *p = parameter(t, name);
    bool any = false;
    for (size_t i = 0; p && i < p->count; i++) any |= p->gradient[i] != 0;
    if (p) memset(p->gradient, 0, p->count * sizeof(real));
    return any;
}
static bool no_output_bias(Lesson *t) { return not_learned(t, "cls.predictions.bias"); }
static bool no_token_types(Lesson *t) { return not_learned(t, "embeddings.token_type_embeddings.weight"); }
static bool no_positions(Lesson *t) { return not_learned(t, "embeddings.position_embeddings.weight"); }

/* A tied matrix without the decoder's part: the lookups alone. */
static bool no_decoder_part(Lesson *t)
{
    const size_t H = (size_t)t->model.config.H;
    const Parameter *p = parameter(t, "embeddings.word_embeddings.weight");
    if (!p || !is_tied(t)) return false;
    memset(p->gradient, 0, p->count * sizeof(real));
    for (size_t n = 0; n < (size_t)t->a.N; n++)
        add(p->gradient + (size_t)t->batch.input_ids[n] * H, p->gradient + (size_t)t->batch.input_ids[n] * H,
            t->g.lookups + n * H, H);
    return true;
}

/* The row of [PAD], by Hugging Face's habit row 0. */
static bool no_padding_row(Lesson *t)
{
    const size_t H = (size_t)t->model.config.H;
    const Parameter *p = parameter(t, "embeddings.word_embeddings.weight");
    bool any = false;
    for (size_t h = 0; p && h < H; h++) any |= p->gradient[h] != 0;
    if (p) memset(p->gradient, 0, H * sizeof(real));
    return any;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * All gradients at once
 * ------------------------------------------------------------------------------------------------------------------ */
static void scale_parameters(Lesson *t, double factor)
{
    for (const Parameter *p = t->parameters.list; p < t->parameters.list + t->parameters.count; p++)
        for (size_t i = 0; i < p->count; i++) p->gradient[i] *= (real)factor;
}
static bool clip_all(Lesson *t)
{
    const double norm = gradient_norm(&t->g, &t->parameters);
    if (norm > t->value) scale_parameters(t, t->value / norm);
    return norm > t->value;
}
static bool clip_each(Lesson *t)
{
    bool any = false;
    for (const Parameter *p = t->parameters.list; p < t->parameters.list + t->parameters.count; p++) {
        const double norm = sqrt(sum_of_squares(p->gradient, p->count));
        for (size_t i = 0; norm > t->value && i < p->count; i++) p->gradient[i] *= (real)(t->value / norm);
        any |= norm > t->value;
    }
    return any;
}
static bool twice(Lesson *t)
{
    scale_parameters(t, 2);
    return true;
}
static bool decay(Lesson *t)
{
    for (const Parameter *p = t->parameters.list; p < t->parameters.list + t->parameters.count; p++)
        for (size_t i = 0; is_learned(&t->g, p) && i < p->count; i++)
            p->gradient[i] += (real)t->value * p->value[i];
    return true;
}

/* By which factor OTHER's first wrong gradient is ours: the one that brings the two nearest to each other. */
static double factor_of(const TraceComparison *c)
{
    double product = 0, squares = 0;
    for (size_t i = c->first; i < c->ref->count && squares == 0; i++) {
        const TraceEntry *ref = &c->ref->entries[i];
        if (!c->pairs[i] || ref->kind == ENTRY_LOSS || !c->results[i].comparable || c->results[i].passes) continue;
        for (size_t k = 0; k < ref->tensor.count; k++) {
            const double x = tensor_element(&ref->tensor, k);
            product += x * other_element(ref, c->pairs[i], &c->results[i], &c->criteria, k);
            squares += x * x;
        }
    }
    return squares > 0 ? product / squares : 1;
}

/* Some other factor: the number of micro-batches that nobody divided by, a learning rate. */
static bool one_factor(Lesson *t)
{
    scale_parameters(t, t->value);
    return isfinite(t->value);
}

/* A power of two at every gradient, those of the intermediates, too. */
static bool scale_loss(Lesson *t)
{
    TraceTensor *list;
    size_t count;
    Error e;
    const double factor = t->value > 0 ? t->value : t->c ? exp2(rint(log2(fmax(1, factor_of(t->c))))) : 1;
    if (!(factor >= 2 && factor <= 1e30) || trace_list(&t->model, &t->g.a, &list, &count, &e) != BERT_OK) return false;
    for (size_t i = 0; i < count; i++) {
        size_t numbers = (size_t)t->batch.B;
        for (int k = 0; k < list[i].rank; k++) numbers *= list[i].shape[k];
        real *data = (real *)(uintptr_t)list[i].data;                   /* the lesson's own buffer */
        for (size_t k = 0; k < numbers; k++) data[k] *= (real)factor;
    }
    free(list);
    scale_parameters(t, factor);
    return true;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The table
 * ------------------------------------------------------------------------------------------------------------------ */
#define LABELS(name, sentence, value, plant) {name, sentence, value, plant, NULL, NULL}
#define STEP(name, sentence, value, plant, after) {name, sentence, value, plant, after, NULL}
#define LAST(name, sentence, value, finish) {name, sentence, value, NULL, NULL, finish}
const TrainingMistake training_mistakes[] = {
    LABELS("all tokens", "the MLM loss is divided by all tokens instead of the chosen ones", 0, all_tokens),
    LABELS("all rows", "the MLM loss is divided by all tokens, padding among them, instead of the chosen ones", 0,
           all_rows),
    LABELS("MLM by sequences", "the MLM loss is divided by the number of sequences instead of the chosen tokens", 0,
           per_sequence),
    LABELS("MLM sum", "the MLM loss is a sum instead of a mean", 0, mlm_sum),
    LABELS("NSP sum", "the NSP loss is a sum instead of a mean", 0, nsp_sum),
    LABELS("both sums", "both losses are sums instead of means", 0, both_sums),
    STEP("means of 1", "the loss is a mean of the means of micro-batches of one sequence: it should be one mean over "
         "the whole step", 1, can_be_cut, average_means),
    STEP("means of 2", "the loss is a mean of the means of micro-batches of 2 sequences: it should be one mean over "
         "the whole step", 2, can_be_cut, average_means),
    STEP("means of 4", "the loss is a mean of the means of micro-batches of 4 sequences: it should be one mean over "
         "the whole step", 4, can_be_cut, average_means),
    STEP("means of halves", "the loss is a mean of the means of two micro-batches: it should be one mean over the "
         "whole step", 0, can_be_cut, average_means),
    LABELS("NSP 0 ignored", "next_sentence_label 0 is taken for \"none\": it is IsNext, and counts", 0, ignore_0),
    LABELS("NSP swapped", "next_sentence_label is swapped: 0 is IsNext, 1 is NotNext", 0, swap_next),
    LABELS("specials", "[CLS] and [SEP] are among the targets", TARGET_SPECIALS, more_targets),
    LABELS("padding", "padding is among the targets", TARGET_PADDING, more_targets),
    LABELS("unchosen", "the tokens that were not chosen are among the targets", TARGET_TOKENS, more_targets),
    LABELS("every real token", "every token but the padding is a target, [CLS] and [SEP] among them",
           TARGET_TOKENS | TARGET_SPECIALS, more_targets),
    LABELS("everything", "every token is a target, padding among them", TARGET_TOKENS | TARGET_SPECIALS |
           TARGET_PADDING, more_targets),
    {"half NSP", "the NSP loss has the weight 0.5 in the sum", 0.5, has_both, weigh_nsp, weighed_nsp},
    {"double NSP", "the NSP loss has the weight 2 in the sum", 2, has_both, weigh_nsp, weighed_nsp},
    {"no NSP", "the NSP loss is not in the sum", 0, has_both, weigh_nsp, weighed_nsp},
    {"no MLM", "the MLM loss is not in the sum", 0, has_both, drop_mlm, dropped_mlm},
    LABELS("padding attended", "padding is attended to: there is no mask", 0, see_padding),
    LABELS("other GELU", "GELU is the other of the two (erf, tanh), forward and backward", 0, other_gelu_both),
    LABELS("other GELU'", "GELU's derivative is that of the other formula (erf, tanh); the forward pass is right", 0,
           other_gelu_back),
    STEP("GELU' of result", "GELU's derivative is taken at its result instead of its input", 0, NULL, gelu_of_result),
    STEP("norm's mean", "LayerNorm backwards takes the mean for a constant", 1, NULL, norm_is_short),
    STEP("norm's variance", "LayerNorm backwards takes the variance for a constant", 2, NULL, norm_is_short),
    STEP("norm's both", "LayerNorm backwards takes mean and variance for constants", 3, NULL, norm_is_short),
    STEP("attention's residual", "the attention's residual gives no gradient back", 1, NULL, no_residual),
    STEP("output's residual", "the feed-forward layers' residual gives no gradient back", 2, NULL, no_residual),
    STEP("no 1/sqrt(D)", "1 / sqrt(D) is missing in the backward pass of the scores", 0, NULL, no_scale),
    STEP("softmax p", "softmax backwards lacks its sum: dscores = p dp", 1, NULL, softmax_alone),
    STEP("softmax diagonal", "softmax backwards has its diagonal only: dscores = p (1 - p) dp", 2, NULL, softmax_alone),
    STEP("no tanh'", "the pooler's tanh has no derivative", 0, has_nsp, no_tanh),
    LABELS("no lookups", "the word embeddings lack the lookups' part: only the decoder's is there", 0, forget_lookups),
    LAST("no decoder part", "the word embeddings lack the decoder's part: only the lookups' is there", 0,
         no_decoder_part),
    LABELS("last lookup", "a token that occurs several times gives its embedding only its last gradient: they are to "
           "be added up", 0, keep_last_lookup),
    LABELS("padding_idx", "the word embeddings' row 0, padding_idx, gets nothing from lookups, as in Hugging Face's "
           "library: here a [PAD] has mask 1", 0, forget_padding),
    LAST("padding row", "the word embeddings' row 0, padding_idx, gets no gradient, not even the decoder's", 0,
         no_padding_row),
    LAST("no output bias", "cls.predictions.bias is not learned", 0, no_output_bias),
    LAST("no token types", "the token type embeddings are not learned", 0, no_token_types),
    LAST("no positions", "the position embeddings are not learned", 0, no_positions),
    LAST("clip 1", "the gradients are clipped already, all together to the length 1", 1, clip_all),
    LAST("clip 0.5", "the gradients are clipped already, all together to the length 0.5", 0.5, clip_all),
    LAST("clip 5", "the gradients are clipped already, all together to the length 5", 5, clip_all),
    LAST("clip each 1", "every tensor's gradient is clipped by itself, to the length 1", 1, clip_each),
    LAST("twice", "the parameters' gradients are twice what they should be: those of the step before were not set to "
         "0, or one backward pass was run twice", 0, twice),
    LAST("loss scaler", "every gradient is multiplied by one power of two: a loss scaler (GradScaler) that was not "
         "taken out again", 0, scale_loss),
    LAST("decay 0.1", "0.1 times the weights is in the gradients: weight decay as L2", 0.1, decay),
    LAST("decay 0.01", "0.01 times the weights is in the gradients: weight decay as L2", 0.01, decay),
    LAST("decay 0.001", "0.001 times the weights is in the gradients: weight decay as L2", 0.001, decay),
};
const size_t training_mistakes_count = sizeof training_mistakes / sizeof *training_mistakes;

/* =====================================================================================================================
 * verify
 * ================================================================================================================== */
typedef struct {                    /* a mistake and what is left with it */
    const TrainingMistake *mistake;
    size_t different;               /* tensors that still differ */
    double nmse;                    /* of the first wrong one */
} Explanation;
typedef struct {                    /* one verification of gradients */
    Lesson lesson;
    Learned learned;
    TraceTensor *list;
    SafeTensor *tensors;
    TraceView all, ours;            /* the whole run, and its losses and gradients */
    TraceComparison c;
    Result *right;                  /* c.results without a mistake */
} Grading;

enum { GAIN_DB = 20 };              /* what a mistake must gain on the truth to be called an explanation */

/* Fewer tensors that differ come first, then what is nearer, then what stands first in the table of mistakes. */
static int by_rest(const void *a, const void *b)
{
    const Explanation *x = a, *y = b;
    if (x->different != y->different) return x->different < y->different ? -1 : 1;
    if (x->nmse != y->nmse) return x->nmse < y->nmse ? -1 : 1;
    return x->mistake < y->mistake ? -1 : x->mistake > y->mistake;
}

static void take_losses(Grading *v)
{
    for (int i = 0; i < 3; i++) v->learned.losses[i] = (real)v->lesson.losses[i];
}

/* Hugging Face's table gives row 0 nothing from lookups. That shows only where a mistake lets padding learn: then one
 * tensor would still differ, and is no mistake more. */
static void try_padding_idx(Grading *v, const TrainingMistake *mistake)
{
    TraceComparison *c = &v->c;
    const TraceEntry *rest = &c->ref->entries[c->first];
    if (rest->kind != ENTRY_WEIGHT || rest->row != TRACE_WORD) return;
    v->lesson.padding_idx = true;
    if (lesson_run(&v->lesson, mistake)) comparison_run(c);
    v->lesson.padding_idx = false;
}

/* The step with one mistake, held against OTHER's. Most are ruled out by the first wrong gradient alone.
 * False: it changes nothing here, or explains nothing: what makes one tensor right and others wrong is no mistake of
 * OTHER's. */
static bool try_mistake(Grading *v, const TrainingMistake *mistake, Explanation *x)
{
    TraceComparison *c = &v->c;
    const size_t first = c->first, before = c->different;
    const Result *without = &v->right[first];
    Result r;
    if (!lesson_run(&v->lesson, mistake)) return false;
    take_losses(v);
    compare_laid_out(&r, &c->ref->entries[first], c->pairs[first], &without->layout, &c->criteria);
    if (!r.comparable || r.word || decibel(without->nmse) - decibel(r.nmse) < GAIN_DB) return false;
    comparison_run(c);
    if (c->different == 1) try_padding_idx(v, mistake);
    *x = (Explanation){mistake, c->different, r.nmse};
    memcpy(c->results, v->right, c->ref->count * sizeof *c->results);
    comparison_count(c);
    return x->different < before;
}

/* best explanation: the MLM loss is a sum instead of a mean (loss 25 dB, with it -139 dB, nothing differs any more) */
static void print_explanation(const Grading *v, const Explanation *list, size_t count, FILE *out)
{
    const TraceComparison *c = &v->c;
    char without[24], with[24], rest[48] = "nothing differs any more", line[512];
    put_decibel(without, v->right[c->first].nmse);
    for (size_t i = 0; i < count && list[i].different == list[0].different; i++) {
        put_decibel(with, list[i].nmse);
        if (list[i].different) snprintf(rest, sizeof rest, "%zu of %zu still differ", list[i].different, c->different);
        snprintf(line, sizeof line, "%s: %s (%s %s, with it %s, %s)",
                 i ? "cannot be told apart from" : "best explanation", list[i].mistake->sentence,
                 c->ref->entries[c->first].name, without, with, rest);
        print_wrapped(out, line);
    }
}

/* Nothing explains it, but the parameters' gradients may all be right but for one factor, whatever it is for. */
static size_t try_one_factor(Grading *v, TrainingMistake *own, char sentence[128], Explanation *x)
{
    lesson_run(&v->lesson, NULL);
    const double factor = factor_of(&v->c);
    snprintf(sentence, 128, "the parameters' gradients are all multiplied by %.4g", factor);
    *own = (TrainingMistake){"one factor", sentence, factor, NULL, NULL, one_factor};
    return factor != 0 && try_mistake(v, own, x) && x->different == 0;
}

/* Every known mistake, one after another. */
static Status explain(Grading *v, FILE *out, Error *e)
{
    const TraceComparison *c = &v->c;
    const Result *first = &c->results[c->first];
    size_t count = 0;
    char nmse[24], line[256], sentence[128];
    TrainingMistake own;
    if (!first->comparable || first->word) return BERT_OK;
    Explanation *list = calloc(training_mistakes_count, sizeof *list);
    v->right = calloc(c->ref->count, sizeof *v->right);
    if (!list || !v->right) {
        free(list);
        return fail(e, BERT_SYSTEM, "out of memory for the known mistakes of training");
    }
    memcpy(v->right, c->results, c->ref->count * sizeof *v->right);
    for (size_t i = 0; i < training_mistakes_count; i++) count += try_mistake(v, &training_mistakes[i], &list[count]);
    if (!count) count = try_one_factor(v, &own, sentence, list);
    qsort(list, count, sizeof *list, by_rest);
    if (count) print_explanation(v, list, count, out);
    put_decibel(nmse, first->nmse);
    snprintf(line, sizeof line, "no known mistake of training explains %s (NMSE %s, cosine %.3f)",
             c->ref->entries[c->first].name, nmse, first->cosine);
    if (!count) print_wrapped(out, line);
    free(list);
    return BERT_OK;
}

/* Our own losses and gradients as a view. */
static Status view_of(Grading *v, const Bert *m, Error *e)
{
    size_t count;
    Lesson *t = &v->lesson;
    v->learned = (Learned){.gradients = &t->g, .parameters = &t->parameters};
    if (learned_list(&t->model, &t->a, &v->learned, &v->list, &count, e) != BERT_OK) return e->status;
    take_losses(v);
    v->tensors = calloc(count + 1, sizeof *v->tensors);
    if (!v->tensors) return fail(e, BERT_SYSTEM, "out of memory for the names of the gradients");
    for (size_t i = 0; i < count; i++) v->tensors[i] = as_file_tensor(&v->list[i], (size_t)t->batch.B);
    const Known known = {m->config.L - 1, (size_t)m->config.V, 0, m->config.head};
    if (view_make(&v->all, "the reference", v->tensors, count, known, e) != BERT_OK) return e->status;
    const size_t values = view_values(&v->all);
    v->ours = v->all;
    v->ours.entries += values;
    v->ours.count -= values;
    return BERT_OK;
}

static Status judge(Grading *v, const VerifyOptions *options, FILE *out, Error *e)
{
    TraceComparison *c = &v->c;
    v->lesson.c = c;
    if (!c->compared)
        return fail(e, BERT_FILE, "%s: none of its gradients is in the reference: has it the labels of all its losses?",
                    c->other->path);
    if (comparison_twins(c, e) != BERT_OK) return e->status;
    const bool differs = c->different || c->twins_different;
    print_comparison(c, "the reference", options->table, out);
    const bool said = differs && print_dropped(c->other, out);
    if (!said && c->different && explain(v, out, e) != BERT_OK) return e->status;
    print_last_line(c, out);
    return differs ? fail(e, BERT_DIFFERENT, "%s differs from the reference", c->other->path) : BERT_OK;
}

/* Our step, the comparison, the verdict. */
static Status grade(Grading *v, const Bert *m, const TraceView *other, const VerifyOptions *options, FILE *out,
                    Error *e)
{
    Lesson *t = &v->lesson;
    const Tokenizer *tokenizer = options->tokenizer;
    const int32_t specials[2] = {tokenizer ? tokenizer->cls_id : -1, tokenizer ? tokenizer->sep_id : -1};
    const Criteria criteria = {.tolerance = options->tolerance, .B = (size_t)t->batch.B, .T = (size_t)t->batch.T[0],
                               .mask = t->batch.attention_mask, .H = (size_t)m->config.H, .A = (size_t)m->config.A};
    t->specials = specials;
    lesson_run(t, NULL);
    Status status = view_of(v, m, e);
    if (status == BERT_OK) status = comparison_new(&v->c, &v->ours, other, &criteria, e);
    if (status == BERT_OK) status = judge(v, options, out, e);
    comparison_free(&v->c);
    view_free(&v->all);
    free(v->right);
    free(v->tensors);
    free(v->list);
    return status;
}

/* What was learned by a fine-tuned head (texts, tokens, answers) is refused by name: there is no step of learning here
 * to hold it against, and its `labels` would be taken for those of the MLM head. */
static Status refuse_tasks(const Safetensors *file, const char *path, Error *e)
{
    static const char *const starts[] = {"start_positions", "end_positions", "grad.classifier.", "grad.qa_outputs.",
                                         "grad.pre_classifier."};
    for (size_t i = 0; i < file->count; i++)
        for (size_t k = 0; k < sizeof starts / sizeof *starts; k++)
            if (!strncmp(file->tensors[i].name, starts[k], strlen(starts[k])))
                return fail(e, BERT_HEAD, "%s: %s: gradients of fine-tuned heads are not verified, only those of the MLM "
                                          "and NSP heads", path, file->tensors[i].name);
    return BERT_OK;
}

/* The labels that OTHER learned from, and the heads that they need. */
static Status read_targets(const Bert *m, const TraceView *other, const Safetensors *file, const Batch *batch,
                           int32_t *found[2], Error *e)
{
    size_t N = 0;
    for (int b = 0; b < batch->B; b++) N += (size_t)batch->T[b];
    const LabelSpec labels = {"labels", N, m->config.V - 1}, next = {"next_sentence_label", (size_t)batch->B, 1};
    if (refuse_tasks(file, other->path, e) != BERT_OK) return e->status;
    if (labels_read(file, other->path, &labels, &found[0], e) != BERT_OK) return e->status;
    if (labels_read(file, other->path, &next, &found[1], e) != BERT_OK) return e->status;
    if (!found[0] && !found[1])
        return fail(e, BERT_FILE, "%s: there are gradients, but neither labels nor next_sentence_label (I64), which "
                                  "say what was learned", other->path);
    if (found[0] && !m->has_mlm)
        return fail(e, BERT_HEAD, "%s: labels are for the MLM head, which the weights lack", other->path);
    if (found[1] && !(m->has_nsp && m->has_pooler))
        return fail(e, BERT_HEAD, "%s: next_sentence_label is for the NSP head, which the weights lack", other->path);
    return BERT_OK;
}

Status verify_gradients(const Bert *m, const TraceView *other, const Safetensors *file, const Batch *batch,
                        const VerifyOptions *options, FILE *out, Error *e)
{
    int32_t *found[2] = {NULL, NULL};
    Grading v = {.learned = {.gradients = NULL}};
    Status status = read_targets(m, other, file, batch, found, e);
    if (status == BERT_OK) {
        status = lesson_new(&v.lesson, m, batch, found[0], found[1], e);
        if (status == BERT_OK) status = grade(&v, m, other, options, out, e);
        lesson_free(&v.lesson);
    }
    free(found[0]);
    free(found[1]);
    return status;
}
