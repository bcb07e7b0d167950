/* test_learn.c - learning: gradients against differences of the loss itself, fast against obvious, the same bits
 * however a step is cut, and what is random. PyTorch's side is tests/conformance/test_learn.py. */
#include "checksum.h"
#include "formula.h"
#include "shell.h"
#include "test.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const bool is_double = sizeof(real) == sizeof(double);

/* ---------------------------------------------------------------------------------------------------------------------
 * A step to learn from
 * ------------------------------------------------------------------------------------------------------------------ */
enum { MOST_SEQUENCES = 40, MOST_TOKENS = 1600 };
typedef struct {                    /* sequences, with what is to be guessed */
    int B, N, M, T[MOST_SEQUENCES], first[MOST_SEQUENCES + 1], first_row[MOST_SEQUENCES + 1];
    int32_t ids[MOST_TOKENS], types[MOST_TOKENS], mask[MOST_TOKENS];
    int rows[MOST_TOKENS];          /* of the batch: tokens to be guessed */
    int32_t labels[MOST_TOKENS], next_sentence[MOST_SEQUENCES];
    Group head;                     /* from GROUP_TASK on: a head of a fine-tuned model learns, and MLM and NSP do not */
    HeadKind kind;                  /* of the classifier */
    int32_t task_labels[MOST_TOKENS];       /* (B), (N) or (B,2) */
} Step;

typedef struct {                    /* a model that learns */
    Bert m;
    Parameters p;
    Gradients g;
    char directory[256];
} Learner;

static bool open_learner(Learner *x, const char *kind)
{
    Error e = {0};
    memset(x, 0, sizeof *x);
    bool ok = formula_directory(x->directory) && formula_model(x->directory, kind, &e) == BERT_OK &&
              bert_load(&x->m, x->directory, &e) == BERT_OK && parameters_new(&x->p, &x->m, &e) == BERT_OK &&
              gradients_new(&x->g, &x->m, &x->p, &e) == BERT_OK;
    return check(ok, "the %s model learns: %s", kind, e.message);
}

static void close_learner(Learner *x)
{
    gradients_free(&x->g);
    parameters_free(&x->p);
    bert_free(&x->m);
    formula_remove(x->directory);
}

/* One more sequence: T tokens, of which the last `padding` are masked, in two or three segments; every fifth token or
 * so is to be guessed. */
static void append(Step *s, const Bert *m, int T, int padding)
{
    const int b = s->B++;
    s->T[b] = T;
    for (int t = 0; t < T; t++) {
        const int n = s->N++;
        s->ids[n] = (b * 31 + t * 17 + 5) % (m->config.V - 1) + 1;
        s->types[n] = t * m->config.S / T;
        s->mask[n] = t < T - padding;
        if ((t + b) % 5 == 1 && s->mask[n]) {
            s->rows[s->M] = n;
            s->labels[s->M++] = (b * 7 + t * 13) % m->config.V;
        }
    }
    s->next_sentence[b] = b % 3 == 1;
    s->first[s->B] = s->N;
    s->first_row[s->B] = s->M;
}

/* The micro-batch of the sequences from `begin` to `end` - 1. */
typedef struct {
    Batch batch;
    Request request;
    Targets targets;
    Activations a;
    int rows[MOST_TOKENS];
} Part;

static void cut(Part *part, const Step *s, int begin, int end)
{
    const int n = s->first[begin], r = s->first_row[begin], M = s->first_row[end] - r;
    for (int i = 0; i < M; i++) part->rows[i] = s->rows[r + i] - n;
    part->batch = (Batch){end - begin, s->T + begin, s->ids + n, s->types + n, s->mask + n};
    part->request = (Request){.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = part->rows, .M = M};
    part->targets = (Targets){.labels = s->labels + r, .next_sentence = s->next_sentence + begin, .mlm_divisor = s->M,
                              .nsp_divisor = s->B};
    if (s->head < GROUP_TASK) return;
    const bool tokens = s->head == GROUP_CLASSIFIER && s->kind == HEAD_TOKENS;
    part->request = (Request){.keep = KEEP_EVERYTHING, .classifier = s->head == GROUP_CLASSIFIER && !tokens,
                              .token_classifier = tokens, .qa = s->head == GROUP_QA};
    part->targets = (Targets){.task_labels = s->task_labels + (tokens ? n : s->head == GROUP_QA ? 2 * begin : begin),
                              .task_divisor = 7};
}

/* Forward and back through one part, dropping as `dropout` says, or nothing. */
static bool learn_part(Learner *x, Part *part, const Dropout *dropout, Keep keep)
{
    Error e = {0};
    bool ok = batch_check(&part->batch, &x->m.config, &e) == BERT_OK &&
              activations_new(&part->a, &x->m, &part->batch, &part->request, &e) == BERT_OK &&
              gradients_room(&x->g, &x->m, &part->a, keep, &e) == BERT_OK;
    if (!check(ok, "a micro-batch: %s", e.message)) return false;
    part->a.dropout = dropout;
    forward(&x->m, &part->a);
    backward(&x->m, &part->a, &x->g, &part->targets);
    return true;
}

/* A whole step in micro-batches of `size` sequences. */
static bool learn_step(Learner *x, const Step *s, int size, const Dropout *dropout, Keep keep)
{
    Part *part = calloc(1, sizeof *part);
    bool ok = part != NULL;
    gradients_zero(&x->g);
    for (int b = 0; ok && b < s->B; b += size) {
        Dropout here = dropout ? *dropout : (Dropout){0};
        here.first_sequence = (uint32_t)b;
        cut(part, s, b, b + size < s->B ? b + size : s->B);
        ok = learn_part(x, part, dropout ? &here : NULL, keep);
        activations_free(&part->a);
    }
    if (ok) gradients_finish(&x->m, &x->g, &x->p);
    free(part);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The loss, by itself, in double
 * ------------------------------------------------------------------------------------------------------------------ */
static double surprise(const real *logits, size_t cols, int32_t label)
{
    double largest = (double)logits[0], sum = 0;
    for (size_t j = 1; j < cols; j++) largest = fmax(largest, (double)logits[j]);
    for (size_t j = 0; j < cols; j++) sum += exp((double)logits[j] - largest);
    return log(sum) + largest - (double)logits[label];
}

/* Of a classifier of texts or of tokens, or of both ends of answers. */
static double task_loss_of(const Bert *m, const Part *part)
{
    const Activations *a = &part->a;
    const Targets *t = &part->targets;
    const size_t K = (size_t)m->config.K;
    const real *logits = a->request.classifier ? a->classifier_logits : a->token_logits;
    double sum = 0;
    if (a->request.qa)
        for (size_t i = 0; i < 2 * (size_t)a->batch.B; i++) {
            real column[MOST_TOKENS] = {0};
            const size_t first = a->start[i / 2], T = a->start[i / 2 + 1] - first;
            for (size_t n = 0; n < T; n++) column[n] = a->qa_logits[2 * (first + n) + i % 2];
            if (t->task_labels[i] >= 0) sum += surprise(column, T, t->task_labels[i]);
        }
    else
        for (int i = 0; i < (a->request.classifier ? a->batch.B : a->N); i++)
            if (t->task_labels[i] >= 0) sum += surprise(logits + (size_t)i * K, K, t->task_labels[i]);
    return sum / t->task_divisor;
}

static double loss_of(const Bert *m, const Part *part)
{
    double mlm = 0, nsp = 0;
    const size_t V = (size_t)m->config.V;
    const Targets *t = &part->targets;
    if (part->targets.task_labels) return task_loss_of(m, part);
    for (int i = 0; i < part->request.M; i++) mlm += surprise(part->a.logits + (size_t)i * V, V, t->labels[i]);
    for (int b = 0; b < part->batch.B; b++) nsp += surprise(part->a.nsp_logits + 2 * b, 2, t->next_sentence[b]);
    return mlm / part->targets.mlm_divisor + nsp / part->targets.nsp_divisor;
}

/* Is the step among those that are asked for? Those of the heads of pre-training do no harm. */
static bool runs(const Bert *m, const Request *r, TraceName row)
{
    const bool distil = m->config.distilbert;
    if (row == TRACE_PRE_CLASSIFIER_DENSE || row == TRACE_PRE_CLASSIFIER) return r->classifier && distil;
    if (row == TRACE_POOLER_DENSE || row == TRACE_POOLER) return r->nsp || (r->classifier && !distil);
    if (row == TRACE_NSP) return r->nsp;
    if (row == TRACE_CLASSIFIER) return r->classifier;
    if (row == TRACE_TOKEN_CLASSIFIER) return r->token_classifier;
    return row != TRACE_QA || r->qa;
}

/* Runs every step of the forward pass in the order of trace_table; after the step `row` of layer `l` the number at
 * `index` of its tensor is moved by h. */
static double loss_with_bump(const Bert *m, Part *part, TraceName row, int l, size_t index, real h)
{
    Activations *a = &part->a;
    for (int layer = -1; layer <= m->config.L; layer++)
        for (int r = 0; r < TRACE_COUNT; r++) {
            const TraceSpec *spec = &trace_table[r];
            const bool per_layer = trace_per_layer(spec), last = spec->group != GROUP_ENCODER;
            if (per_layer ? layer < 0 || layer >= m->config.L : layer != (last ? m->config.L : -1)) continue;
            if (!runs(m, &a->request, (TraceName)r)) continue;
            if (spec->once) spec->once(m, a);
            else if (spec->in_block) spec->in_block(m, a, layer);
            else
                for (int b = 0; b < a->batch.B; b++)
                    for (int head = 0; head < m->config.A; head++) spec->in_head(m, a, layer, b, head);
            char *base = per_layer ? (char *)&a->block[layer] : (char *)a;
            if (r == (int)row && (!per_layer || layer == l)) (*(real **)(void *)(base + spec->field))[index] += h;
        }
    return loss_of(m, part);
}

/* Differences: (L(x + h) - L(x - h)) / 2h. In float64 with h = 1e-5 they are good to about 1e-9; in float32, where the
 * loss has 7 digits, with h = 0.02 to about 1e-3. */
#define H_STEP ((real)(is_double ? 1e-5 : 0.02))
#define H_CLOSE (is_double ? 2e-8 : 4e-3)

static double largest_of(const real *x, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

/* At most `most` numbers of every parameter. */
static bool differences_of_parameters(Learner *x, Part *part, size_t most)
{
    for (const Parameter *p = x->p.list; p < x->p.list + x->p.count; p++) {
        const double scale = fmax(largest_of(p->gradient, p->count), 0.01);
        const size_t step = p->count > most ? p->count / most : 1;
        for (size_t i = 0; i < p->count; i += step) {
            const real old = p->value[i], h = H_STEP;
            p->value[i] = old + h;
            forward(&x->m, &part->a);
            double more = loss_of(&x->m, part);
            p->value[i] = old - h;
            forward(&x->m, &part->a);
            double less = loss_of(&x->m, part), width = (double)(old + h) - (double)(old - h);
            p->value[i] = old;
            if (!check(fabs((more - less) / width - (double)p->gradient[i]) <= H_CLOSE * scale,
                       "%s, number %zu: gradient %.12g, by differences %.12g, the largest is %.3g", p->name, i,
                       (double)p->gradient[i], (more - less) / width, scale)) return false;
        }
    }
    return true;
}

/* Some numbers of every intermediate, each the output of one step. */
static bool differences_of_steps(Learner *x, Part *part, size_t most)
{
    Error e = {0};
    TraceTensor *list;
    size_t count;
    if (!check(trace_list(&x->m, &x->g.a, &list, &count, &e) == BERT_OK, "%s", e.message)) return false;
    bool ok = true;
    for (size_t k = 0; ok && k < count; k++) {
        const TraceTensor *t = &list[k];
        size_t n = 1;
        int l = -1, row = 0;
        char name[96];
        sscanf(t->name, "encoder.layer.%d.", &l);
        for (; row < TRACE_COUNT; row++) {
            spec_name(trace_table[row].name, l, name, sizeof name);
            if (!strcmp(name, t->name) && runs(&x->m, &part->request, (TraceName)row)) break;
        }
        n *= (size_t)part->batch.B;
        for (int i = 0; i < t->rank; i++) n *= t->shape[i];
        const double scale = fmax(largest_of(t->data, n), 0.01);
        for (size_t i = 0; ok && i < n; i += n > most ? n / most : 1) {
            if (row == TRACE_SCORES && part->a.block[l].scores[i] == -FLT_MAX) continue;     /* h is lost beside it */
            double more = loss_with_bump(&x->m, part, (TraceName)row, l, i, H_STEP);
            double less = loss_with_bump(&x->m, part, (TraceName)row, l, i, -H_STEP);
            double slope = (more - less) / (2 * (double)H_STEP);
            ok = check(fabs(slope - (double)t->data[i]) <= H_CLOSE * scale,
                       "%s, number %zu: gradient %.12g, by differences %.12g, the largest is %.3g", t->name, i,
                       (double)t->data[i], slope, scale);
        }
    }
    free(list);
    return ok;
}

/* Four sequences: pairs, one of them padded, and one wholly masked. */
static void differences(const char *kind, int T, size_t most)
{
    Learner x;
    Step *s = calloc(1, sizeof *s);
    Part *part = calloc(1, sizeof *part);
    if (!check(s && part, "memory") || !open_learner(&x, kind)) return;
    append(s, &x.m, T, 0);
    append(s, &x.m, T, T / 3);
    append(s, &x.m, T, T);
    append(s, &x.m, T, 0);
    cut(part, s, 0, s->B);
    gradients_zero(&x.g);
    if (learn_part(&x, part, NULL, KEEP_EVERYTHING)) {
        check_value("loss", x.g.losses.mlm + x.g.losses.nsp, loss_of(&x.m, part), is_double ? 1e-14 : 2e-6);
        differences_of_steps(&x, part, most);
        gradients_finish(&x.m, &x.g, &x.p);
        forward(&x.m, &part->a);
        differences_of_parameters(&x, part, most);
    }
    activations_free(&part->a);
    close_learner(&x);
    free(s);
    free(part);
}

/* The tiny model with a head of three labels, or of answers; as DistilBERT it has no token types and no pooler. */
static bool open_headed(Learner *x, Group head, HeadKind kind, bool distil)
{
    Error e = {0};
    memset(x, 0, sizeof *x);
    bool ok = formula_directory(x->directory) && formula_model(x->directory, "tiny", &e) == BERT_OK &&
              bert_load(&x->m, x->directory, &e) == BERT_OK;
    if (!check(ok, "the tiny model: %s", e.message)) return false;
    x->m.config.head = kind;
    x->m.config.distilbert = distil;
    if (distil) x->m.config.S = 0, x->m.token_type_embeddings = (Tensor){0};
    if (distil) bert_add_head(&x->m, GROUP_PRE_CLASSIFIER, 0);
    bert_add_head(&x->m, head, 3);
    ok = parameters_new(&x->p, &x->m, &e) == BERT_OK && gradients_new(&x->g, &x->m, &x->p, &e) == BERT_OK;
    for (const Parameter *p = x->p.list; ok && p < x->p.list + x->p.count; p++)
        for (size_t i = 0; p->group >= GROUP_TASK && i < p->count; i++) p->value[i] = (real)formula_value(p->name, i);
    return check(ok, "the model learns: %s", e.message);
}

static const struct { Group head; HeadKind kind; bool distil; const char *what; } heads[] = {
    {GROUP_CLASSIFIER, HEAD_SEQUENCE, false, "a classifier of texts"},
    {GROUP_CLASSIFIER, HEAD_SEQUENCE, true, "DistilBERT's"},
    {GROUP_CLASSIFIER, HEAD_TOKENS, false, "a classifier of tokens"},
    {GROUP_QA, HEAD_UNKNOWN, false, "answers"},
};

/* Labels, of which some do not count: the class of each text, a label of each token, or the ends of an answer. */
static void label(Step *s, size_t i)
{
    s->head = heads[i].head;
    s->kind = heads[i].kind;
    const int count = s->head == GROUP_QA ? 2 * s->B : s->kind == HEAD_TOKENS ? s->N : s->B;
    for (int k = 0; k < count; k++)
        s->task_labels[k] = s->head == GROUP_QA ? (k * 5) % s->T[k / 2] : k % 4 == 2 ? -100 : (k * 5 + 1) % 3;
    if (s->head == GROUP_QA) s->task_labels[2] = s->task_labels[3] = -100;
}

/* The head, its labels, and what lies before it; what the step does not reach stays as it is. */
static void gradients_of_fine_tuned_heads_are_the_differences_of_the_loss(void)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        Learner x;
        Step *s = calloc(1, sizeof *s);
        Part *part = calloc(1, sizeof *part);
        if (!check(s && part, "memory") || !open_headed(&x, heads[i].head, heads[i].kind, heads[i].distil)) return;
        for (int b = 0; b < 4; b++) append(s, &x.m, 11, b == 1 ? 3 : 0);
        label(s, i);
        cut(part, s, 0, s->B);
        gradients_zero(&x.g);
        if (learn_part(&x, part, NULL, KEEP_EVERYTHING)) {
            check_value(heads[i].what, x.g.losses.task, loss_of(&x.m, part), is_double ? 1e-14 : 2e-6);
            differences_of_steps(&x, part, 12);
            gradients_finish(&x.m, &x.g, &x.p);
            forward(&x.m, &part->a);
            differences_of_parameters(&x, part, 12);
        }
        for (const Parameter *p = x.p.list; p < x.p.list + x.p.count; p++) {
            const bool zero = largest_of(p->gradient, p->count) == 0;
            const bool key = strstr(p->name, "key.bias") != NULL;               /* 0 but for rounding */
            check(key || zero == !is_learned(&x.g, p), "%s: %s is learned, or its gradient is zero", heads[i].what,
                  p->name);
        }
        activations_free(&part->a);
        close_learner(&x);
        free(s);
        free(part);
    }
}

static void gradients_are_the_differences_of_the_loss(void)
{
    /* Every number there is. SHORT=1 (under sanitizers, valgrind, gcov): a few of each tensor. */
    differences("small", 6, getenv("SHORT") ? 3 : 1000);
    differences("tiny", 11, getenv("SHORT") ? 1 : 12);
    if (getenv("SHORT") || too_slow()) return;
    differences("odd", 40, 3);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The same bits
 * ------------------------------------------------------------------------------------------------------------------ */

/* Eleven sequences of up to 45 tokens: about 250 tokens, so that chunks of 128 end within sequences. */
static void fill(Step *s, const Bert *m, int T)
{
    static const int odd[] = {0, -3, 5, 1, -7, 2, 0, 4, -5, 3, 6};
    for (int b = 0; b < 11; b++) append(s, m, T + odd[b], b % 4 == 2 ? 3 : 0);
}

/* A copy of all gradients, in the order of the table; free it. */
static real *all_gradients(const Parameters *p)
{
    real *copy = malloc(p->numbers * sizeof *copy);
    size_t at = 0;
    for (const Parameter *x = p->list; copy && x < p->list + p->count; at += x->count, x++)
        memcpy(copy + at, x->gradient, x->count * sizeof *copy);
    return copy;
}

static bool same_gradients(const char *what, const Parameters *p, const real *want)
{
    size_t at = 0;
    for (const Parameter *x = p->list; x < p->list + p->count; at += x->count, x++)
        for (size_t i = 0; i < x->count; i++)
            if (memcmp(&x->gradient[i], &want[at + i], sizeof *want))
                return check(false, "%s: %s, number %zu is %a, expected %a", what, x->name, i, (double)x->gradient[i],
                             (double)want[at + i]);
    return true;
}

/* One after another, in twos, threes ..., all at once; with and without dropout; with everything kept or nothing. */
static void a_step_has_the_same_bits_in_micro_batches_of_any_size(void)
{
    static const char *const kinds[] = {"tiny", "odd"};
    const Dropout dropout = {.rate = 0.1, .probs_rate = 0.2, .seed = 7, .step = 3};
    for (int k = 0; k < 2; k++) {
        Learner x;
        Step *s = calloc(1, sizeof *s);
        if (!check(s != NULL, "memory") || !open_learner(&x, kinds[k])) return;
        fill(s, &x.m, k ? 50 : 24);
        for (int drops = 0; drops < 2; drops++) {
            learn_step(&x, s, s->B, drops ? &dropout : NULL, KEEP_EVERYTHING);
            const Losses losses = x.g.losses;
            real *want = all_gradients(&x.p);
            for (int size = 1; want && size <= s->B; size += size < 4 ? 1 : 3) {
                char what[80];
                snprintf(what, sizeof what, "%s, micro-batches of %d%s", kinds[k], size, drops ? ", dropout" : "");
                learn_step(&x, s, size, drops ? &dropout : NULL, size % 2 ? KEEP_NOTHING : KEEP_EVERYTHING);
                if (!same_gradients(what, &x.p, want)) break;
                check(!memcmp(&losses, &x.g.losses, sizeof losses), "%s: the losses, %.17g and %.17g", what,
                      x.g.losses.mlm, x.g.losses.nsp);
            }
            check(want != NULL, "memory");
            free(want);
        }
        close_learner(&x);
        free(s);
    }
}

/* The same with fine-tuned heads, and dropout before them. */
static void fine_tuning_has_the_same_bits_in_micro_batches_of_any_size(void)
{
    const Dropout dropout = {.rate = 0.1, .probs_rate = 0.2, .head_rate = 0.3, .seed = 7, .step = 3};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        Learner x;
        Step *s = calloc(1, sizeof *s);
        if (!check(s != NULL, "memory") || !open_headed(&x, heads[i].head, heads[i].kind, heads[i].distil)) return;
        fill(s, &x.m, 24);
        label(s, i);
        learn_step(&x, s, s->B, &dropout, KEEP_EVERYTHING);
        const Losses losses = x.g.losses;
        real *want = all_gradients(&x.p);
        for (int size = 1; want && size < s->B; size += 3) {
            learn_step(&x, s, size, &dropout, size % 2 ? KEEP_NOTHING : KEEP_EVERYTHING);
            if (!same_gradients(heads[i].what, &x.p, want)) break;
            check(!memcmp(&losses, &x.g.losses, sizeof losses), "%s: the loss, %.17g", heads[i].what, x.g.losses.task);
        }
        check(want != NULL, "memory");
        free(want);
        close_learner(&x);
        free(s);
    }
}

/* One layer's gradients against their definition, from dy (N,O) and x (N,K); dx may be NULL. */
static bool check_layer(const char *what, const Tensor *W, const Tensor *dW, const real *db, const real *dx,
                        const real *dy, const real *x, size_t N)
{
    const size_t O = W->rows, K = W->cols;
    real *want = calloc(N * K + O * K + O, sizeof *want), *want_dW = want + N * K, *want_db = want_dW + O * K;
    if (!check(want != NULL, "memory")) return false;
    linear_backward_ref(want, want_dW, want_db, dy, x, W, N);
    const bool ok = check(!dx || !memcmp(dx, want, N * K * sizeof *want), "%s: dx", what) &&
                    check(!memcmp(dW->data, want_dW, O * K * sizeof *want), "%s: dW", what) &&
                    check(!memcmp(db, want_db, O * sizeof *want), "%s: db", what);
    free(want);
    return ok;
}

/* Every kind of layer of one block, and the heads' layers, for a step of several chunks. dx is compared where it began
 * at 0, not with a residual. */
static void linear_backward_has_the_bits_of_its_definition(void)
{
    Learner x;
    Step *s = calloc(1, sizeof *s);
    Part *part = calloc(1, sizeof *part);
    if (!check(s && part, "memory") || !open_learner(&x, "odd")) return;
    fill(s, &x.m, 30);
    cut(part, s, 0, s->B);
    gradients_zero(&x.g);
    if (learn_part(&x, part, NULL, KEEP_EVERYTHING)) {
        gradients_finish(&x.m, &x.g, &x.p);
        const BlockActivations *a = &part->a.block[1], *d = &x.g.a.block[1];
        const BertLayer *w = &x.m.layers[1], *dw = &x.g.m.layers[1];
        const Activations *b = &part->a, *e = &x.g.a;
        const size_t N = (size_t)s->N, M = (size_t)s->M, B = (size_t)s->B;
        check_layer("W1", &w->W1, &dw->W1, dw->b1, NULL, d->intermediate_dense, a->attention_norm, N);
        check_layer("W2", &w->W2, &dw->W2, dw->b2, d->intermediate, d->output_dense, a->intermediate, N);
        check_layer("Wo", &w->Wo, &dw->Wo, dw->bo, d->context, d->attention_dense, a->context, N);
        check_layer("Wk", &w->Wk, &dw->Wk, dw->bk, NULL, d->key, hidden_state(b, 1), N);
        check_layer("transform", &x.m.Wtransform, &x.g.m.Wtransform, x.g.m.btransform, e->mlm_hidden,
                    e->transform_dense, b->mlm_hidden, M);
        check_layer("NSP", &x.m.Wnsp, &x.g.m.Wnsp, x.g.m.bnsp, e->pooler, e->nsp_logits, b->pooler, B);
        check_layer("pooler", &x.m.Wpool, &x.g.m.Wpool, x.g.m.bpool, e->first_token, e->pooler_dense,
                    b->first_token, B);
    }
    activations_free(&part->a);
    close_learner(&x);
    free(s);
    free(part);
}

/* A tied matrix: first the decoder's part, in chunks, then the lookups in the order of the tokens. */
static void the_decoder_comes_before_the_lookups(void)
{
    Learner x;
    Step *s = calloc(1, sizeof *s);
    Part *part = calloc(1, sizeof *part);
    if (!check(s && part, "memory") || !open_learner(&x, "tiny")) return;
    fill(s, &x.m, 24);
    cut(part, s, 0, s->B);
    gradients_zero(&x.g);
    if (learn_part(&x, part, NULL, KEEP_EVERYTHING)) {
        gradients_finish(&x.m, &x.g, &x.p);
        const size_t V = (size_t)x.m.config.V, H = (size_t)x.m.config.H;
        const real *got = x.g.m.word_embeddings.data;
        check(x.g.m.decoder.data == x.g.m.word_embeddings.data, "the formula models are tied");
        for (size_t i = 0; i < V * H; i++) {
            real want = dot_in_chunks(0, x.g.a.logits + i / H, V, part->a.transform_norm + i % H, H, (size_t)s->M);
            for (size_t n = 0; n < (size_t)s->N; n++)
                if ((size_t)s->ids[n] == i / H) want += x.g.a.word[n * H + i % H];
            if (!check(!memcmp(&want, &got[i], sizeof want), "row %zu, column %zu: %a, expected %a", i / H, i % H,
                       (double)got[i], (double)want)) break;
        }
    }
    activations_free(&part->a);
    close_learner(&x);
    free(s);
    free(part);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What is random
 * ------------------------------------------------------------------------------------------------------------------ */

/* The test vectors of Random123, tests/kat_vectors: philox4x32 10. */
static void philox_gives_the_published_numbers(void)
{
    static const uint32_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
         0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
         0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    for (int i = 0; i < 3; i++) {
        uint32_t out[4], many[4 * PHILOX_MANY], counter[4];
        memcpy(counter, vectors[i], sizeof counter);
        philox_many(many, vectors[i], vectors[i][4], (Purpose)vectors[i][5]);
        for (int k = 0; k < PHILOX_MANY; k++, counter[0]++) {
            philox(out, counter, vectors[i][4], (Purpose)vectors[i][5]);
            check(!memcmp(out, many + 4 * k, sizeof out), "vector %d and %d more", i, k);
        }
        philox(out, vectors[i], vectors[i][4], (Purpose)vectors[i][5]);
        for (int k = 0; k < 4; k++)
            check(out[k] == vectors[i][6 + k], "vector %d, word %d: %08x, expected %08x", i, k, (unsigned)out[k],
                  (unsigned)vectors[i][6 + k]);
    }
}

/* The share of zeros, and the mean; each place, layer, sequence and step by itself. */
static void dropout_drops_its_share_and_keeps_the_mean(void)
{
    enum { T = 32, H = 24, TOKENS = 11 * T };
    Learner x;
    Step *s = calloc(1, sizeof *s);
    Part *part = calloc(1, sizeof *part);
    static real rows[4][TOKENS * H];
    Error e = {0};
    if (!check(s && part, "memory") || !open_learner(&x, "tiny")) return;
    for (int b = 0; b < 11; b++) append(s, &x.m, T, 0);
    cut(part, s, 0, s->B);
    check(activations_new(&part->a, &x.m, &part->batch, &part->request, &e) == BERT_OK, "%s", e.message);
    for (int i = 0; i < 4; i++) {
        const Dropout d = {.rate = 0.1, .probs_rate = 0.3, .seed = 1, .step = i == 1};
        part->a.dropout = &d;
        for (size_t k = 0; k < TOKENS * H; k++) rows[i][k] = 1;
        drop_rows(&x.m, &part->a, i == 2 ? PURPOSE_DROP_ATTENTION : PURPOSE_DROP_EMBEDDINGS, i == 3, rows[i]);
        double mean = 0;
        int zeros = 0, same = 0;
        for (size_t k = 0; k < TOKENS * H; k++) {
            mean += (double)rows[i][k] / (TOKENS * H);
            zeros += rows[i][k] == 0;
            same += rows[i][k] == 0 && rows[0][k] == 0;
        }
        /* 8448 numbers, a share of 0.1: the standard deviation is 27.6; four of them */
        check(abs(zeros - 845) < 111, "%d of %d are dropped, expected about 845", zeros, TOKENS * H);
        check_value("mean", mean, 1, 4 * 27.6 / 845 * 0.1 / 0.9);
        check(i == 0 || abs(same - 84) < 40, "two runs drop the same %d times, expected about 84", same);
    }
    activations_free(&part->a);
    close_learner(&x);
    free(s);
    free(part);
}

/* With dropout, too, the gradient is the difference of the loss: the same numbers are dropped in every run. */
static void gradients_with_dropout_are_the_differences_of_the_loss(void)
{
    const Dropout dropout = {.rate = 0.25, .probs_rate = 0.25, .seed = 5, .step = 2};
    Learner x;
    Step *s = calloc(1, sizeof *s);
    Part *part = calloc(1, sizeof *part);
    if (!check(s && part, "memory") || !open_learner(&x, "tiny")) return;
    for (int b = 0; b < 3; b++) append(s, &x.m, 11, b == 1 ? 3 : 0);
    cut(part, s, 0, s->B);
    gradients_zero(&x.g);
    if (learn_part(&x, part, &dropout, KEEP_NOTHING)) {
        gradients_finish(&x.m, &x.g, &x.p);
        differences_of_parameters(&x, part, 12);
    }
    activations_free(&part->a);
    close_learner(&x);
    free(s);
    free(part);
}

/* The same of what a fine-tuned head reads; a DistilBERT drops nothing behind step 11's dense layer. (What is left
 * is larger, and the loss too curved for a float's wide steps: differences in bert64, in float the loss alone.) */
static void gradients_of_heads_with_dropout_are_the_differences_of_the_loss(void)
{
    const Dropout dropout = {.rate = 0.25, .probs_rate = 0.25, .head_rate = 0.4, .seed = 5, .step = 2};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        Learner x;
        Step *s = calloc(1, sizeof *s);
        Part *part = calloc(1, sizeof *part);
        if (!check(s && part, "memory") || !open_headed(&x, heads[i].head, heads[i].kind, heads[i].distil)) return;
        for (int b = 0; b < 3; b++) append(s, &x.m, 11, b == 1 ? 3 : 0);
        label(s, i);
        cut(part, s, 0, s->B);
        gradients_zero(&x.g);
        if (learn_part(&x, part, &dropout, KEEP_NOTHING)) {
            const double dropped = x.g.losses.task;
            gradients_finish(&x.m, &x.g, &x.p);
            check_value(heads[i].what, dropped, loss_of(&x.m, part), is_double ? 1e-14 : 2e-6);
            if (is_double) differences_of_parameters(&x, part, 6);
            part->a.dropout = NULL;
            forward(&x.m, &part->a);
            check(fabs(dropped - loss_of(&x.m, part)) > 1e-3, "%s: dropout changes the loss", heads[i].what);
        }
        activations_free(&part->a);
        close_learner(&x);
        free(s);
        free(part);
    }
}

/* Without a token to guess there is no MLM loss, and its head learns nothing. */
static void a_step_without_labels_has_no_mlm_loss(void)
{
    Learner x;
    Step *s = calloc(1, sizeof *s);
    if (!check(s != NULL, "memory") || !open_learner(&x, "tiny")) return;
    append(s, &x.m, 9, 0);
    s->M = s->first_row[1] = 0;
    if (learn_step(&x, s, 1, NULL, KEEP_NOTHING)) {
        check_value("MLM loss", x.g.losses.mlm, 0, 0);
        check(x.g.losses.nsp > 0, "NSP loss %g", x.g.losses.nsp);
        check(largest_of(x.g.m.decoder_bias, (size_t)x.m.config.V) == 0, "the decoder's bias learns");
        check(largest_of(x.g.m.layers[0].bq, (size_t)x.m.config.H) > 0, "the encoder does not learn");
    }
    close_learner(&x);
    free(s);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Committed bits, and the command line
 * ------------------------------------------------------------------------------------------------------------------ */

static void add_losses(Sha256 *sha, const Losses *losses)
{
    sha256_add(sha, &losses->mlm, sizeof losses->mlm);
    sha256_add(sha, &losses->nsp, sizeof losses->nsp);
}

/* Three steps with dropout and AdamW from the formula models: the sha256 of losses, gradients and weights. */
static void steps_of_learning_have_the_committed_bits(void)
{
    static const struct {
        const char *kind, *sha;
    } committed[] = {
        {"tiny", "5faf1092fe6e14170dc0aa3b85789e29aacb5b0be39a42fe002c711da55f0461"},
        {"odd", "65994d601969e09fbff35a152eae8ed277588d2ef532b00612a8b2823e08ac58"},
    };
    if (is_double) return;                          /* bert64 asks libm, which differs from machine to machine */
    for (int k = 0; k < 2; k++) {
        Learner x;
        AdamW adamw;
        Sha256 sha;
        Error e = {0};
        char hex[65];
        Step *s = calloc(1, sizeof *s);
        AdamWOptions options = adamw_defaults(RULES_HUGGINGFACE);
        options.learning_rate = 0.01;
        options.steps = 4;
        if (!check(s != NULL, "memory") || !open_learner(&x, committed[k].kind)) return;
        check(adamw_new(&adamw, &x.p, &options, &e) == BERT_OK, "%s", e.message);
        fill(s, &x.m, k ? 50 : 24);
        sha256_start(&sha);
        for (uint32_t step = 0; step < 3; step++) {
            const Dropout dropout = {.rate = 0.1, .probs_rate = 0.1, .seed = 1, .step = step};
            learn_step(&x, s, 4, &dropout, KEEP_NOTHING);
            add_losses(&sha, &x.g.losses);
            for (const Parameter *p = x.p.list; p < x.p.list + x.p.count; p++)
                sha256_add(&sha, p->gradient, p->count * sizeof(real));
            adamw_step(&adamw, &x.g, &x.p, gradient_norm(&x.g, &x.p));
        }
        for (const Parameter *p = x.p.list; p < x.p.list + x.p.count; p++)
            sha256_add(&sha, p->value, p->count * sizeof(real));
        sha256_end(&sha, hex);
        check_text(committed[k].kind, hex, committed[k].sha);
        adamw_free(&adamw);
        close_learner(&x);
        free(s);
    }
}

/* The rate of every step, by hand. */
static void the_rate_rises_and_falls_as_the_rules_say(void)
{
    AdamWOptions o = adamw_defaults(RULES_HUGGINGFACE);
    o.learning_rate = 1;
    o.warmup = 4;
    o.steps = 10;
    static const double huggingface[] = {0, 0.25, 0.5, 0.75, 1, 5 / 6.0, 4 / 6.0, 0.5, 2 / 6.0, 1 / 6.0, 0, 0};
    static const double google[] = {0, 0.25, 0.5, 0.75, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0, 0};
    for (int step = 0; step < 12; step++) {
        o.rules = RULES_HUGGINGFACE;
        check_value("huggingface", learning_rate_at(&o, step), huggingface[step], 1e-15);
        o.rules = RULES_GOOGLE;
        check_value("google", learning_rate_at(&o, step), google[step], 1e-15);
    }
    o.constant = true;
    check_value("constant", learning_rate_at(&o, 9), 1, 0);
    check_value("constant, warm-up", learning_rate_at(&o, 1), 0.25, 0);
}

/* A head whose loss was not asked for keeps its weights; others with decay get smaller, biases and LayerNorms do
 * not. */
static void adamw_changes_what_is_learned_and_nothing_else(void)
{
    Learner x;
    AdamW adamw;
    Error e = {0};
    Step *s = calloc(1, sizeof *s);
    Part *part = calloc(1, sizeof *part);
    AdamWOptions options = adamw_defaults(RULES_HUGGINGFACE);
    options.learning_rate = options.weight_decay = 0.5;
    options.constant = true;
    if (!check(s && part, "memory") || !open_learner(&x, "tiny")) return;
    append(s, &x.m, 12, 0);
    cut(part, s, 0, 1);
    part->request.pooler = part->request.nsp = false;
    check(adamw_new(&adamw, &x.p, &options, &e) == BERT_OK, "%s", e.message);
    gradients_zero(&x.g);
    if (learn_part(&x, part, NULL, KEEP_NOTHING)) gradients_finish(&x.m, &x.g, &x.p);
    real *old = malloc(x.p.numbers * sizeof *old);
    size_t at = 0;
    for (const Parameter *p = x.p.list; old && p < x.p.list + x.p.count; at += p->count, p++)
        memcpy(old + at, p->value, p->count * sizeof *old);
    for (size_t i = 0; i < x.p.count; i++)                      /* gradients of 0: decay alone is left */
        memset(x.p.list[i].gradient, 0, x.p.list[i].count * sizeof(real));
    adamw_step(&adamw, &x.g, &x.p, 0);
    at = 0;
    for (const Parameter *p = x.p.list; old && p < x.p.list + x.p.count; at += p->count, p++) {
        const bool head = strstr(p->name, "pooler") || strstr(p->name, "seq_relationship");
        const bool fixed = head || strstr(p->name, "bias") || strstr(p->name, "LayerNorm");
        for (size_t i = 0; i < p->count; i++)
            if (!check(p->value[i] == (fixed ? old[at + i] : old[at + i] - old[at + i] * (real)0.25), "%s, number %zu",
                       p->name, i)) break;
    }
    check(old != NULL, "memory");
    free(old);
    adamw_free(&adamw);
    activations_free(&part->a);
    close_learner(&x);
    free(s);
    free(part);
}

/* An input file: `what` says which labels it has. */
static bool write_labels(const char *path, const int64_t *labels, const int64_t *next, size_t next_count)
{
    static const int64_t ids[10] = {2, 9, 10, 4, 3, 2, 11, 4, 12, 3};
    Error e = {0};
    SafeTensor t[3] = {{.name = "input_ids", .dtype = DTYPE_I64, .rank = 2, .shape = {2, 5}, .count = 10, .data = ids}};
    size_t n = 1;
    if (labels) t[n] = t[0], t[n].name = "labels", t[n++].data = labels;
    if (next)
        t[n++] = (SafeTensor){.name = "next_sentence_label", .dtype = DTYPE_I64, .rank = 1, .shape = {next_count},
                              .count = next_count, .data = next};
    return check(safetensors_write(path, t, n, NULL, 0, &e) == BERT_OK, "%s", e.message);
}

static void trace_gradients_says_what_is_wrong_with_labels(void)
{
    static const int64_t good[10] = {-100, -100, -100, 30, -100, -100, -100, 31, -100, -100}, next[3] = {0, 1, 1};
    static const int64_t large[10] = {101}, below[10] = {-1}, two[2] = {0, 2};
    static const struct {
        const int64_t *labels, *next;
        size_t count;
        const char *says;
        int code;
    } cases[] = {
        {good, next, 2, "", 0},
        {good, NULL, 0, "", 0},
        {NULL, next, 2, "", 0},
        {NULL, NULL, 0, "neither labels nor next_sentence_label", 3},
        {good, next, 3, "next_sentence_label has 3 numbers of I64, expected 2", 3},
        {large, NULL, 0, "number 1 of labels is 101, expected 0 to 100, or -100", 4},
        {below, NULL, 0, "number 1 of labels is -1", 4},
        {good, two, 2, "number 2 of next_sentence_label is 2, expected 0 to 1", 4},
    };
    char path[300];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/labels.safetensors", tiny);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!write_labels(path, cases[i].labels, cases[i].next, cases[i].count)) break;
        int got = run("./bert trace --gradients -q -m %s --inputs %s 2>&1", tiny, path);
        check(got == cases[i].code, "case %zu: exit code %d, expected %d: %s", i, got, cases[i].code, output);
        check(strstr(output, cases[i].says) != NULL, "case %zu: \"%s\" in the message: %s", i, cases[i].says, output);
        if (got) continue;
        check(strstr(output, "\nloss.mlm ") && strstr(output, "\ngrad.encoder.layer.1.output.dense.bias "), "%s",
              output);
        check(!strstr(output, "\ngrad.pooler ") == !cases[i].next, "case %zu: the pooler learns", i);
        check(!strstr(output, "\ngrad.cls.predictions.bias ") == !cases[i].labels, "case %zu: the MLM head learns", i);
    }
    check(run("./bert trace --gradients -q -m %s 'a cat' 2>&1", tiny) == 2 && strstr(output, "needs --inputs"), "%s",
          output);
    remove(path);
    formula_remove(tiny);
}

const Test learn_tests[] = {
    {"gradients_are_the_differences_of_the_loss", gradients_are_the_differences_of_the_loss},
    {"gradients_with_dropout_are_the_differences_of_the_loss", gradients_with_dropout_are_the_differences_of_the_loss},
    {"gradients_of_heads_with_dropout_are_the_differences_of_the_loss",
     gradients_of_heads_with_dropout_are_the_differences_of_the_loss},
    {"gradients_of_fine_tuned_heads_are_the_differences_of_the_loss",
     gradients_of_fine_tuned_heads_are_the_differences_of_the_loss},
    {"fine_tuning_has_the_same_bits_in_micro_batches_of_any_size",
     fine_tuning_has_the_same_bits_in_micro_batches_of_any_size},
    {"linear_backward_has_the_bits_of_its_definition", linear_backward_has_the_bits_of_its_definition},
    {"the_decoder_comes_before_the_lookups", the_decoder_comes_before_the_lookups},
    {"a_step_has_the_same_bits_in_micro_batches_of_any_size", a_step_has_the_same_bits_in_micro_batches_of_any_size},
    {"a_step_without_labels_has_no_mlm_loss", a_step_without_labels_has_no_mlm_loss},
    {"steps_of_learning_have_the_committed_bits", steps_of_learning_have_the_committed_bits},
    {"the_rate_rises_and_falls_as_the_rules_say", the_rate_rises_and_falls_as_the_rules_say},
    {"adamw_changes_what_is_learned_and_nothing_else", adamw_changes_what_is_learned_and_nothing_else},
    {"trace_gradients_says_what_is_wrong_with_labels", trace_gradients_says_what_is_wrong_with_labels},
    {"philox_gives_the_published_numbers", philox_gives_the_published_numbers},
    {"dropout_drops_its_share_and_keeps_the_mean", dropout_drops_its_share_and_keeps_the_mean},
    {NULL, NULL},
};
