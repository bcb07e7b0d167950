/* verify.c - someone else's intermediates against ours: runs bert.c's steps with numbers and mistakes of others
 * (mistakes.c), and compares by compare.c. The first tensor that differs names the step that is wrong.
 */
#include "verify/verify.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * The steps, one by one
 *
 * verify --isolate asks of each tensor: given the other side's own inputs, is this right? And a known mistake is tried
 * by replacing one step. Both need the forward pass as a list. It is made of bert.c's own step functions; only where
 * one of those makes two tensors (the dense layer and its LayerNorm) does the second one stand alone here, in one line,
 * so that it can be fed with the other side's first one. tests/test_verify.c holds the list against forward(): equal
 * bits.
 * ================================================================================================================== */

/* LayerNorm(a + b), by the trial's own LayerNorm: a residual and its norm, which is the second half of steps 6, 11
 * and 13. */
void add_and_norm(Trial *t, real *out, const real *a, const real *b, const real *gamma, const real *beta)
{
    const size_t N = (size_t)t->a.N, H = (size_t)t->model.config.H;
    add(t->a.sum, a, b, N * H);
    t->norm(out, t->a.sum, gamma, beta, (real)t->model.config.eps, N, H);
}

/* GELU, the one that the configuration names: the second half of step 12, and a part of step 15. */
static void activate(const Trial *t, real *out, const real *x, size_t n)
{
    if (t->model.config.gelu == GELU_ERF) gelu_erf(out, x, n);
    else gelu_tanh(out, x, n);
}

/* Step 5: word, token type and position, three tensors. */
static void step_sum(Trial *t, int l)
{
    (void)l;
    embeddings_sum(&t->model, &t->a);
}

/* Step 6. The three addends are summed anew, because they may be OTHER's by now: (word + type) + position, as in step
 * 5. */
static void step_embedding_norm(Trial *t, int l)
{
    Activations *a = &t->a;
    (void)l;
    add(a->sum, a->word, a->token_type, (size_t)a->N * (size_t)t->model.config.H);
    add_and_norm(t, a->embedding_norm, a->sum, a->position, t->model.embeddings_gamma, t->model.embeddings_beta);
}

/* Step 7: three tensors that do not depend on each other. */
static void step_query_key_value(Trial *t, int l)
{
    attention_query_key_value(&t->model, &t->a, l);
}

/* One of the steps 8 to 10 for all heads. */
static void for_each_head(Trial *t, int l, void (*step)(const Bert *, Activations *, int, int, int))
{
    for (int b = 0; b < t->a.batch.B; b++)
        for (int h = 0; h < t->model.config.A; h++) step(&t->model, &t->a, l, b, h);
}

/* Step 8. */
static void step_scores(Trial *t, int l)
{
    for_each_head(t, l, attention_scores);
}

/* Step 9. */
static void step_probs(Trial *t, int l)
{
    for_each_head(t, l, attention_probs);
}

/* Step 10. */
static void step_context(Trial *t, int l)
{
    for_each_head(t, l, attention_context);
}

/* Step 11, for its dense layer; the LayerNorm that it also makes is made again by the next. */
static void step_attention_dense(Trial *t, int l)
{
    attention_output(&t->model, &t->a, l);
}

/* Step 11, second half. */
static void step_attention_norm(Trial *t, int l)
{
    const BertLayer *w = &t->model.layers[l];
    BlockActivations *s = &t->a.block[l];
    add_and_norm(t, s->attention_norm, s->attention_dense, hidden_state(&t->a, l), w->attention_gamma,
                 w->attention_beta);
}

/* Step 12, for its dense layer. */
static void step_up(Trial *t, int l)
{
    feed_forward_up(&t->model, &t->a, l);
}

/* Step 12, second half. */
static void step_gelu(Trial *t, int l)
{
    BlockActivations *s = &t->a.block[l];
    activate(t, s->intermediate, s->intermediate_dense, (size_t)t->a.N * (size_t)t->model.config.F);
}

/* Step 13, for its dense layer. */
static void step_down(Trial *t, int l)
{
    feed_forward_down(&t->model, &t->a, l);
}

/* Step 13, second half: hidden state l+1. */
static void step_output_norm(Trial *t, int l)
{
    const BertLayer *w = &t->model.layers[l];
    BlockActivations *s = &t->a.block[l];
    add_and_norm(t, s->output_norm, s->output_dense, s->attention_norm, w->output_gamma, w->output_beta);
}

/* Step 14, for its dense layer. Like all steps of the heads it belongs to no layer, and l is not used. */
static void step_pooler_dense(Trial *t, int l)
{
    (void)l;
    pooler(&t->model, &t->a);
}

/* Step 14, second half: tanh. */
static void step_pooler(Trial *t, int l)
{
    (void)l;
    tanh_all(t->a.pooler, t->a.pooler_dense, (size_t)t->a.batch.B * (size_t)t->model.config.H);
}

/* Step 15 in its four parts, since mlm_head() would run the large decoder for each of them. Every token is asked for,
 * so the rows are those of the last hidden state. */
static void step_transform_dense(Trial *t, int l)
{
    const size_t N = (size_t)t->a.N, H = (size_t)t->model.config.H;
    (void)l;
    memcpy(t->a.masked, hidden_state(&t->a, t->model.config.L), N * H * sizeof(real));
    linear(t->a.transform_dense, t->a.masked, &t->model.Wtransform, t->model.btransform, N, &t->a.scratch);
}

/* Step 15: GELU. */
static void step_transform_act(Trial *t, int l)
{
    (void)l;
    activate(t, t->a.transform_act, t->a.transform_dense, (size_t)t->a.N * (size_t)t->model.config.H);
}

/* Step 15: LayerNorm, without a residual. */
static void step_transform_norm(Trial *t, int l)
{
    const Bert *m = &t->model;
    (void)l;
    t->norm(t->a.transform_norm, t->a.transform_act, m->transform_gamma, m->transform_beta, (real)m->config.eps,
            (size_t)t->a.N, (size_t)m->config.H);
}

/* Step 15: the logits. */
static void step_decoder(Trial *t, int l)
{
    (void)l;
    linear(t->a.logits, t->a.transform_norm, &t->model.decoder, t->model.decoder_bias, (size_t)t->a.N, &t->a.scratch);
}

/* Step 14, the next-sentence logits; in a trace they come last. */
static void step_nsp(Trial *t, int l)
{
    (void)l;
    nsp_head(&t->model, &t->a);
}

StepFunction *const ordinary_steps[STEP_COUNT] = {
    step_sum, step_embedding_norm, step_query_key_value, step_scores, step_probs, step_context, step_attention_dense,
    step_attention_norm, step_up, step_gelu, step_down, step_output_norm, step_pooler_dense, step_pooler,
    step_transform_dense, step_transform_act, step_transform_norm, step_decoder, step_nsp,
};

/* Which step makes a tensor. */
static StepName step_of(const TraceEntry *t)
{
    static const StepName steps[TRACE_COUNT] = {
        STEP_SUM, STEP_SUM, STEP_SUM, STEP_EMBEDDING_NORM, STEP_QUERY_KEY_VALUE, STEP_QUERY_KEY_VALUE,
        STEP_QUERY_KEY_VALUE, STEP_SCORES, STEP_PROBS, STEP_CONTEXT, STEP_ATTENTION_DENSE, STEP_ATTENTION_NORM,
        STEP_UP, STEP_GELU, STEP_DOWN, STEP_OUTPUT_NORM, STEP_POOLER_DENSE, STEP_POOLER, STEP_TRANSFORM_DENSE,
        STEP_TRANSFORM_ACT, STEP_TRANSFORM_NORM, STEP_DECODER, STEP_NSP,
    };
    return steps[t->row];
}

/* =====================================================================================================================
 * A trial: a forward pass that can be fed and spoiled
 * ================================================================================================================== */

/* Memory for all trials of one verification: activations of the same shape as the reference's, and copies of what a
 * mistake may edit. `batch` and `request` are those of the reference. */
Status trial_new(Trial *t, const Bert *m, const Batch *batch, const Request *request, Error *e)
{
    const BertConfig *c = &m->config;
    size_t N = 0, longest = (size_t)(c->V > c->F ? c->V : c->F);
    *t = (Trial){.original = m, .given_types = batch->token_type_ids, .given_mask = batch->attention_mask};
    if (longest < (size_t)c->H) longest = (size_t)c->H;
    if (activations_new(&t->a, m, batch, request, e) != BERT_OK) return e->status;
    N = (size_t)t->a.N;
    t->types = calloc(N, sizeof *t->types), t->mask = calloc(N, sizeof *t->mask);
    t->model.layers = calloc((size_t)c->L, sizeof *t->model.layers);
    t->spare = calloc(N, (size_t)c->H * sizeof *t->spare);
    t->zeros = calloc(longest, sizeof *t->zeros), t->ones = calloc(longest, sizeof *t->ones);
    t->owned_room = (size_t)c->L;
    t->owned = calloc(t->owned_room, sizeof *t->owned);
    if (!t->types || !t->mask || !t->model.layers || !t->spare || !t->zeros || !t->ones || !t->owned)
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
    free(t->owned), free(t->model.layers), free(t->types), free(t->mask);
    free(t->spare), free(t->zeros), free(t->ones);
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
    t->a.batch.token_type_ids = t->types, t->a.batch.attention_mask = t->mask;
    memcpy(t->steps, ordinary_steps, sizeof t->steps);
    t->norm = layer_norm;
}

/* One verification: both traces, and the trial whose buffers are a third one. The entries of `ours` and `mine` have the
 * same names in the same places. */
typedef struct {
    const TraceView *ours, *other;  /* the reference; the other side */
    TraceView mine;                 /* the trial's buffers */
    Trial trial;
    Judge judge;
    const bool *assumed;            /* which of the ids nobody gave */
    const TraceEntry **pairs;       /* for each of ours, OTHER's, or NULL */
    Result *results;                /* for each pair */
} Bench;

/* Writes numbers into the buffer behind an entry. A view promises not to change what it shows; these two, of the
 * reference and of the trial, show buffers that belong to this file. */
static void overwrite(const TraceEntry *t, const void *numbers)
{
    memcpy((void *)(uintptr_t)t->tensor.data, numbers, t->tensor.count * sizeof(real));
}

/* The tensors first .. last of the trial hold no numbers until their steps have run. Why: the buffers still hold OTHER's
 * own numbers, fed there for the candidate before. A mistake that leaves a part of its tensor unwritten would be equal to
 * OTHER there, and the explanation of everything. */
static void forget(const Bench *bench, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        const SafeTensor *t = &bench->mine.entries[i].tensor;
        real *data = (real *)(uintptr_t)t->data;                        /* the trial's own buffer */
        for (size_t k = 0; k < t->count; k++) data[k] = (real)NAN;
    }
}

/* Overwrites a tensor of the trial with OTHER's numbers, if OTHER has it. What is not finite stays as computed. So do
 * masked scores: everybody has another very low number there, and who forgot the mask has an ordinary one, which must
 * not be taken over as if it were right; the mistake is to show in the next tensor, the probabilities. */
static void feed(const Bench *bench, size_t i)
{
    const TraceEntry *mine = &bench->mine.entries[i], *other = bench->pairs[i];
    real *data = (real *)(uintptr_t)mine->tensor.data;                  /* the trial's own buffer */
    const Result *r = &bench->results[i];
    if (!other || !r->comparable) return;
    for (size_t k = 0; k < mine->tensor.count; k++) {
        double y = other_element(mine, other, r, &bench->judge, k);
        if (mine->row == TRACE_SCORES && !element_counts(mine, &bench->judge, k)) continue;
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
static void run_fed(Bench *bench, size_t first, size_t last, const TraceView *keep)
{
    for (size_t i = first, next; i <= last; i = next) {
        const TraceEntry *t = &bench->mine.entries[i];
        const StepName step = step_of(t);
        bench->trial.steps[step](&bench->trial, t->layer);
        for (next = i; next < bench->mine.count && step_of(&bench->mine.entries[next]) == step &&
                       bench->mine.entries[next].layer == t->layer; next++) {
            const SafeTensor *made = &bench->mine.entries[next].tensor;
            if (keep) overwrite(&keep->entries[next], made->data);
        }
        if (next <= last) for (size_t k = i; k < next; k++) feed(bench, k);
    }
}

/* The tensor from which a trial for tensor `x` starts: the one after the last hidden state before x that OTHER has,
 * from which everything up to x follows. 0, the embeddings, if there is none: then the whole model is run with the
 * mistake in every layer. */
static size_t start_for(const Bench *bench, size_t x)
{
    for (size_t i = x; i > 0; i--) {
        const TraceEntry *t = &bench->ours->entries[i - 1];
        const bool hidden = t->row == TRACE_EMBEDDING_NORM || t->row == TRACE_OUTPUT_NORM;
        if (hidden && bench->pairs[i - 1] && bench->results[i - 1].comparable) return i;
    }
    return 0;
}

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
} Candidate;

/* In decibels: how far two explanations must be apart to be told apart (6: twice as near); from where on everything is
 * rounding (float32's is -130 to -145 after one block); how much nearer than the truth a mistake must come to be worth
 * a word, and to be called the explanation; how near OTHER it must come itself to be named as anything less. */
enum { APART = 6, ROUNDING = -120, WORTH = 6, EXPLAINED = 20, NEAR = -60 };

/* The best first. Below ROUNDING all are equally good, and then the masked rows decide (a mask on the queries and no
 * mask at all differ there and nowhere else), and then the next tensor: a residual that is missing and one that is added
 * late differ only there. */
static int by_nmse(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    const double p[] = {x->nmse, x->nmse_all, x->nmse_next}, q[] = {y->nmse, y->nmse_all, y->nmse_next};
    for (int i = 0; i < 3; i++) {
        const double u = decibel(p[i]), v = decibel(q[i]);
        if (u < ROUNDING && v < ROUNDING) continue;
        if (u != v) return u < v ? -1 : 1;
    }
    return 0;
}

/* Both explain the numbers equally well, the counted ones and the masked ones. */
static bool same_evidence(const Candidate *x, const Candidate *y)
{
    const double p[] = {x->nmse, x->nmse_all, x->nmse_next}, q[] = {y->nmse, y->nmse_all, y->nmse_next};
    for (int i = 0; i < 3; i++) {
        const double u = decibel(p[i]), v = decibel(q[i]);
        const bool rounding = u < ROUNDING && v < ROUNDING;
        if (!rounding && p[i] != q[i] && fabs(u - v) >= APART) return false;
    }
    return true;
}

/* Does this tensor of the model take part in what the trial runs? There are some 25 kinds of them; without this check
 * a wrong embedding would be tried with every bias of the encoder. */
static bool takes_part(const Bench *bench, const TensorSpec *spec, size_t first, size_t x)
{
    const TraceEntry *from = &bench->ours->entries[first], *to = &bench->ours->entries[x];
    if (spec->group == GROUP_POOLER || spec->group == GROUP_NSP) return to->form == FORM_WHOLE;
    if (spec->group == GROUP_MLM) return !strncmp(to->name, "cls.predictions", 15);
    if (!spec_per_layer(spec)) return from->row <= TRACE_EMBEDDING_NORM;
    return from->row <= TRACE_OUTPUT_NORM && to->row > TRACE_EMBEDDING_NORM;
}

/* Is it one of those that the mistake is planted in: matrices, biases (LayerNorm's beta too), gammas? */
static bool is_of(const TensorSpec *spec, Each each)
{
    const bool bias = strlen(spec->name) > 5 && !strcmp(spec->name + strlen(spec->name) - 5, ".bias");
    if (each == EACH_MATRIX) return spec->kind == KIND_MATRIX;
    return each == EACH_BIAS ? bias : spec->kind == KIND_NORM && !bias;
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

/* The next tensor of the same block that can be held against OTHER's too; x itself if there is none. */
static size_t next_after(const Bench *bench, size_t x)
{
    const TraceEntry *t = &bench->ours->entries[x];
    for (size_t i = x + 1; i < bench->ours->count && t->layer >= 0; i++) {
        if (bench->ours->entries[i].layer != t->layer) return x;
        if (bench->pairs[i] && bench->results[i].comparable) return i;
    }
    return x;
}

/* Runs the trial as it stands and measures tensor x against OTHER's, and the one after it. It starts from a hidden
 * state: ours, then OTHER's over it, so that no number is left undefined. */
static void measure(Bench *bench, size_t first, size_t x, Result *r, Result *next)
{
    const size_t y = next_after(bench, x);
    forget(bench, first > 0 ? first - 1 : 0, y);
    if (first > 0) {
        overwrite(&bench->mine.entries[first - 1], bench->ours->entries[first - 1].tensor.data);
        feed(bench, first - 1);
    }
    run_fed(bench, first, x, NULL);
    compare_entries(r, &bench->mine.entries[x], bench->pairs[x], &bench->judge);
    *next = (Result){0};
    if (y == x) return;
    feed(bench, x);
    run_fed(bench, x + 1, y, NULL);
    compare_entries(next, &bench->mine.entries[y], bench->pairs[y], &bench->judge);
}

/* Plants one mistake, measures, and notes it as a candidate. A mistake that changes nothing here (no mask where there
 * is no padding) says so itself. */
static Status try_mistake(Bench *bench, const Mistake *mistake, const TensorSpec *spec, size_t first, size_t x,
                          Candidate *list, size_t *count, Error *e)
{
    Trial *t = &bench->trial;
    Result r, next;
    char module[128] = "";
    trial_reset(t);
    t->value = mistake->value;
    if (mistake->instead) t->steps[mistake->step] = mistake->instead;
    if (mistake->norm) t->norm = mistake->norm;
    bool planted = !mistake->plant || mistake->plant(t, spec);
    if (t->failed) return fail(e, BERT_SYSTEM, "out of memory for the mistake %s", mistake->name);
    if (!planted) return BERT_OK;
    measure(bench, first, x, &r, &next);
    if (!r.comparable || r.word) return BERT_OK;
    Candidate *c = &list[(*count)++];
    if (spec) module_name(module, spec, t);
    snprintf(c->sentence, sizeof c->sentence, "%s%s %s", spec ? module : bench->ours->entries[x].name, spec ? "" : ":",
             mistake->sentence);
    c->nmse = r.nmse, c->nmse_all = r.nmse_all, c->nmse_next = next.nmse;
    return BERT_OK;
}

/* Does the run from `first` to `x` come through this step at all? */
static bool runs(const Bench *bench, StepName step, size_t first, size_t x)
{
    for (size_t i = first; i <= x; i++)
        if (step_of(&bench->ours->entries[i]) == step) return true;
    return false;
}

/* All mistakes, each for itself, the best first; *list is malloc'ed. */
static Status try_all(Bench *bench, size_t first, size_t x, Candidate **list, size_t *count, Error *e)
{
    size_t room = mistakes_count * (tensor_table_size + 1);
    Status status = BERT_OK;
    *count = 0;
    *list = calloc(room, sizeof **list);
    if (!*list) return fail(e, BERT_SYSTEM, "out of memory for the known mistakes");
    for (size_t i = 0; status == BERT_OK && i < mistakes_count; i++) {
        const Mistake *mistake = &mistakes[i];
        if (mistake->instead && !runs(bench, mistake->step, first, x)) continue;
        if (!mistake->each) status = try_mistake(bench, mistake, NULL, first, x, *list, count, e);
        for (size_t k = 0; mistake->each && status == BERT_OK && k < tensor_table_size; k++) {
            const TensorSpec *spec = &tensor_table[k];
            if (is_of(spec, mistake->each) && takes_part(bench, spec, first, x))
                status = try_mistake(bench, mistake, spec, first, x, *list, count, e);
        }
    }
    qsort(*list, *count, sizeof **list, by_nmse);
    return status;
}

/* The sentences. `without` is how far OTHER's tensor is from the truth, given OTHER's own inputs: if that is nothing,
 * the step is right, and the difference has grown in the steps before, each of which passed.
 *
 *     best explanation: encoder.layer.3.output.dense lacks its bias (NMSE -26 dB without, -137 dB with this mistake)
 *
 * One that gains little is called a part; two that are equally good are both named. Neither is worth a line unless it
 * comes near OTHER itself: of two bad guesses none is better for having a second beside it. */
static void print_explanation(const Bench *bench, size_t x, const Candidate *list, size_t count, const Result *without,
                              FILE *out)
{
    char truth[24], with[24];
    const double d = decibel(without->nmse);
    const double best = count ? decibel(list[0].nmse) : INFINITY, gained = d - best;
    const bool any = gained >= EXPLAINED || (gained > WORTH && best <= NEAR);
    put_decibel(truth, without->nmse);
    if (!any && without->passes) {
        fprintf(out, "given OTHER's own inputs, %s is right (NMSE %s): the difference was handed down to it\n",
                bench->ours->entries[x].name, truth);
        return;
    }
    if (!any) {
        fprintf(out, "no known mistake explains %s (NMSE %s, cosine %.3f)%s\n", bench->ours->entries[x].name, truth,
                without->cosine, fabs(without->cosine) < 0.2 ? ": the two have nothing in common. Other weights?" : "");
        if (fabs(without->cosine) < 0.2 && !strcmp(bench->ours->entries[x].name, "cls.predictions.decoder"))
            fprintf(out, "cls.predictions.decoder has other weights: it is not tied to the word embeddings\n");
        return;
    }
    put_decibel(with, list[0].nmse);
    fprintf(out, "%s: %s (NMSE %s without, %s with this mistake)\n",
            gained >= EXPLAINED ? "best explanation" : "a part of it, perhaps", list[0].sentence, truth, with);
    for (size_t i = 1; i < count && same_evidence(&list[0], &list[i]); i++) {
        if (decibel(list[i].nmse) > NEAR || decibel(list[i].nmse) >= d) break;
        put_decibel(with, list[i].nmse);
        fprintf(out, "cannot be told apart from: %s (%s with this mistake)\n", list[i].sentence, with);
    }
}

/* Names the mistakes for tensor x, which differs. Another shape or a NaN needs no explanation by numbers. */
static Status explain(Bench *bench, size_t x, FILE *out, Error *e)
{
    Trial *t = &bench->trial;
    const size_t first = start_for(bench, x);
    const TraceEntry *from = &bench->ours->entries[first], *to = &bench->ours->entries[x];
    Candidate *list = NULL;
    size_t count = 0;
    Result without, next;
    if (!bench->results[x].comparable || bench->results[x].word) return BERT_OK;
    t->first_layer = from->layer >= 0 ? from->layer : 0;
    t->last_layer = to->layer >= 0 ? to->layer : to->row <= TRACE_EMBEDDING_NORM ? 0 : t->model.config.L - 1;
    trial_reset(t);
    measure(bench, first, x, &without, &next);
    Status status = try_all(bench, first, x, &list, &count, e);
    if (status == BERT_OK) print_explanation(bench, x, list, count, &without, out);
    free(list);
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
    free(x->T), free(x->rows);
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
    x->T = calloc(B, sizeof *x->T), x->rows = calloc(N, sizeof *x->rows);
    for (int k = 0; k < 3; k++) x->ids[k] = calloc(N, sizeof *x->ids[k]);
    if (!x->T || !x->rows || !x->ids[0] || !x->ids[1] || !x->ids[2])
        return fail(e, BERT_SYSTEM, "%s: out of memory for its ids", path);
    for (size_t b = 0; b < B; b++) x->T[b] = (int)T;
    for (size_t i = 0; i < N; i++) x->rows[i] = (int)i, x->ids[2][i] = 1;
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
    fprintf(out, "first difference: %s\n", sentence);
    return fail(e, BERT_DIFFERENT, "%s was made from other ids than the text has", other->path);
}

/* The trace of `a` as a view, like a file's; *tensors and *list are malloc'ed, and the view points into both. */
static Status view_of(TraceView *view, const Bert *m, const Activations *a, TraceTensor **list, SafeTensor **tensors,
                      Error *e)
{
    size_t count;
    if (trace_list(m, a, list, &count, e) != BERT_OK) return e->status;
    *tensors = calloc(count + 1, sizeof **tensors);
    if (!*tensors) return fail(e, BERT_SYSTEM, "out of memory for the names of a trace");
    for (size_t i = 0; i < count; i++) (*tensors)[i] = as_file_tensor(&(*list)[i], (size_t)a->batch.B);
    return view_make(view, "the reference", *tensors, count, m->config.L - 1, e);
}

/* What was taken for ids that OTHER does not have: a trace of a pair without its segments differs from the first sum
 * on, and the model is not to blame. */
static void print_assumed(const bool assumed[3], FILE *out)
{
    if (assumed[1] || assumed[2])
        fprintf(out, "assumed, since OTHER has no such integers: %s%s%s\n", assumed[1] ? "token_type_ids 0" : "",
                assumed[1] && assumed[2] ? ", " : "", assumed[2] ? "attention_mask 1" : "");
}

/* Compares every tensor that both have, prints the table, and returns the first that differs (ours->count if none). */
static size_t compare_all(Bench *bench, FILE *out)
{
    size_t first = bench->ours->count;
    print_head(out);
    for (size_t i = 0; i < bench->ours->count; i++) {
        if (!bench->pairs[i]) continue;
        compare_entries(&bench->results[i], &bench->ours->entries[i], bench->pairs[i], &bench->judge);
        print_result(&bench->ours->entries[i], &bench->results[i], out);
        if (!bench->results[i].passes && first == bench->ours->count) first = i;
    }
    print_missing(bench->ours, bench->other, "OTHER", out);
    print_missing(bench->other, bench->ours, "the reference", out);
    print_unknown(bench->other, "OTHER", out);
    print_assumed(bench->assumed, out);
    return first;
}

/* Finds each tensor of ours on the other side, and how it lies there: feed needs the layouts. False: not one is
 * there. */
static bool pair_up(Bench *bench)
{
    bool any = false;
    for (size_t i = 0; i < bench->ours->count; i++) {
        const TraceEntry *ours = &bench->ours->entries[i];
        bench->pairs[i] = view_find(bench->other, ours);
        if (!bench->pairs[i]) continue;
        compare_entries(&bench->results[i], ours, bench->pairs[i], &bench->judge);      /* feed needs the layouts */
        any = true;
    }
    return any;
}

/* The first that differs is explained. Isolated, each that differs is wrong by itself, and the first few are. */
static Status explain_all(Bench *bench, size_t x, bool isolated, FILE *out, Error *e)
{
    enum { MOST = 5 };
    size_t explained = 0, more = 0;
    Status status = BERT_OK;
    for (size_t i = x; status == BERT_OK && i < (isolated ? bench->ours->count : x + 1); i++) {
        const Result *r = &bench->results[i];
        if (!bench->pairs[i] || r->passes || !r->comparable || r->word) continue;
        if (explained == MOST) more++;
        else status = explain(bench, i, out, e), explained++;
    }
    if (more) fprintf(out, "... and %zu more that differ\n", more);
    return status;
}

/* Isolated or not, the table, the explanations, the last line. */
static Status verdict(Bench *bench, const VerifyOptions *options, FILE *out, Error *e)
{
    char sentence[512];
    if (!pair_up(bench))
        return fail(e, BERT_FILE, "%s: none of its tensors is in the reference: `bert trace TEXT` lists what is",
                    bench->other->path);
    if (options->isolate) {
        trial_reset(&bench->trial);
        forget(bench, 0, bench->ours->count - 1);
        run_fed(bench, 0, bench->ours->count - 1, bench->ours);
    }
    size_t x = compare_all(bench, out);
    if (x == bench->ours->count) return fprintf(out, "no difference\n"), BERT_OK;
    if (explain_all(bench, x, options->isolate, out, e) != BERT_OK) return e->status;
    put_difference(sentence, &bench->ours->entries[x], bench->pairs[x], &bench->results[x]);
    fprintf(out, "first difference: %s\n", sentence);
    return fail(e, BERT_DIFFERENT, "%s differs from the reference", bench->other->path);
}

/* The reference, the trial beside it, and the comparison. Three traces meet here, under one list of names: OTHER's,
 * ours, and the trial's. */
static Status verify_ids(const Bert *m, const TraceView *other, const Ids *ids, const VerifyOptions *options, FILE *out,
                         Error *e)
{
    const size_t B = (size_t)ids->batch.B, T = (size_t)ids->T[0], N = B * T;
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = m->has_pooler, .nsp = m->has_nsp && m->has_pooler,
                             .mlm_rows = ids->rows, .M = m->has_mlm ? (int)N : 0};
    Activations a = {0};
    TraceTensor *lists[2] = {NULL, NULL};
    SafeTensor *tensors[2] = {NULL, NULL};
    TraceView ours = {0};
    Bench bench = {.ours = &ours, .other = other, .assumed = ids->assumed};
    bench.judge = (Judge){options->tolerance, B, T, ids->ids[2], (size_t)m->config.H};
    Status status = activations_new(&a, m, &ids->batch, &request, e);
    if (status == BERT_OK) status = trial_new(&bench.trial, m, &ids->batch, &request, e);
    if (status == BERT_OK) {
        forward(m, &a);
        status = view_of(&ours, m, &a, &lists[0], &tensors[0], e);
    }
    if (status == BERT_OK) status = view_of(&bench.mine, m, &bench.trial.a, &lists[1], &tensors[1], e);
    if (status == BERT_OK) {
        bench.pairs = calloc(ours.count, sizeof *bench.pairs);
        bench.results = calloc(ours.count, sizeof *bench.results);
        if (!bench.pairs || !bench.results) status = fail(e, BERT_SYSTEM, "out of memory");
        else status = verdict(&bench, options, out, e);
    }
    for (int i = 0; i < 2; i++) free(lists[i]), free(tensors[i]);
    view_free(&ours), view_free(&bench.mine);
    free(bench.pairs), free(bench.results);
    trial_free(&bench.trial), activations_free(&a);
    return status;
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
    status = view_make(&view, other, file.tensors, file.count, m->config.L - 1, e);
    if (status == BERT_OK) status = check_text(&view, options, out, e);
    if (status == BERT_OK && !view.count) status = fail_unknown(&view, e);
    if (status == BERT_OK) status = read_ids(&ids, &view, options, e);
    if (status == BERT_OK) status = batch_check(&ids.batch, &m->config, e);
    if (status == BERT_OK) status = verify_ids(m, &view, &ids, options, out, e);
    ids_free(&ids);
    view_free(&view);
    safetensors_close(&file);
    return status;
}
