/* print_bits.c - what tests/bits.sh builds in many ways: prints a checksum of every trace that it computes.
 *
 *     build/bits/NAME [MODEL_DIRECTORY]       the formula models tiny and odd; then the bank sentence on a real model
 *     build/bits/NAME --few                   a part of it, for emulators: tiny without pre-training, three runs of odd
 *
 * Every intermediate of every layer is in a checksum (checksum.h), so two builds that print the same lines computed the
 * same bits throughout. The inputs reach what differs between kernels: one token, numbers of tokens on both sides of a
 * multiple of 8, 24 and 48, panels of different widths side by side, all positions, masked tokens on either side, two
 * token types, and several sequences at once.
 * Then some steps of learning, with dropout: a checksum of every gradient and of the weights they lead to. Last twenty
 * steps of pre-training from random weights, by each of the two rules, as `bert train` does them. */
#include "checksum.h"
#include "cli/train.h"
#include "formula.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    int B, T;                       /* B sequences of T tokens; T 0: as many as the model has positions */
    int masked_first, masked_last;  /* tokens of each sequence whose mask is 0 */
} Case;

static const Case cases[] = {
    {"one token", 1, 1, 0, 0},          {"seven tokens", 1, 7, 0, 0},        {"nine tokens", 1, 9, 0, 0},
    {"twenty-five tokens", 1, 25, 0, 0}, {"all positions", 1, 0, 0, 0},       {"padded", 1, 30, 0, 11},
    {"padded on the left", 1, 20, 6, 0}, {"three sequences", 3, 19, 0, 0},    {"three, padded", 3, 32, 0, 5},
    {"46 tokens", 2, 23, 0, 0},          {"75 tokens", 3, 25, 0, 0},
};

/* Runs the batch with everything kept and all heads, and prints its checksum. With nothing kept the last hidden state
 * and the heads must have the same bits. */
static Status print_run(const Bert *m, const char *model, const char *name, const Batch *batch, Error *e)
{
    Activations a;
    char hex[65];
    int N = 0;
    for (int b = 0; b < batch->B; b++) N += batch->T[b];
    int *rows = malloc((size_t)N * sizeof *rows);
    if (!rows) return fail(e, BERT_SYSTEM, "out of memory");
    for (int n = 0; n < N; n++) rows[n] = n;
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = m->has_pooler, .nsp = m->has_nsp, .mlm_rows = rows,
                             .M = m->has_mlm ? N : 0};
    Status status = batch_check(batch, &m->config, e);
    if (status == BERT_OK) status = activations_new(&a, m, batch, &request, e);
    if (status == BERT_OK) {
        forward(m, &a);
        status = trace_checksum(m, &a, hex, e);
        if (status == BERT_OK) status = same_with_nothing_kept(m, &a, e);
        activations_free(&a);
    }
    if (status == BERT_OK) printf("%s  %s: %s\n", hex, model, name);
    free(rows);
    return status;
}

/* Ids, types and mask of a case follow a formula, like the weights. */
static Status print_case(const Bert *m, const char *kind, const Case *c, Error *e)
{
    enum { MOST = 512 };
    int32_t ids[MOST], types[MOST], mask[MOST];
    const int T = c->T ? c->T : m->config.P;
    int lengths[4];
    if (c->B * T > MOST || c->B > 4) return fail(e, BERT_USAGE, "%s: too large", c->name);
    for (int b = 0; b < c->B; b++) {
        lengths[b] = T;
        for (int t = 0; t < T; t++) {
            const int n = b * T + t;
            ids[n] = (n * 17 + 5) % m->config.V;
            types[n] = t * 2 >= T;
            mask[n] = t >= c->masked_first && t < T - c->masked_last;
        }
    }
    const Batch batch = {c->B, lengths, ids, types, mask};
    return print_run(m, kind, c->name, &batch, e);
}

/* A checksum of all gradients, or all weights. */
static void print_parameters(const Parameters *p, bool gradients, const char *kind, const char *name)
{
    Sha256 sha;
    char hex[65];
    sha256_start(&sha);
    for (const Parameter *x = p->list; x < p->list + p->count; x++)
        sha256_add(&sha, gradients ? x->gradient : x->value, x->count * sizeof(real));
    sha256_end(&sha, hex);
    printf("%s  %s: %s\n", hex, kind, name);
}

/* One step: seven sequences, by a formula; micro-batches of `size` of them. */
static Status learn_once(const Bert *m, Gradients *g, Parameters *p, uint32_t step, int size, Error *e)
{
    enum { B = 7, MOST = 40 };
    int T[B], rows[B * MOST];
    int32_t ids[B * MOST], types[B * MOST], mask[B * MOST], labels[B * MOST], next[B];
    Status status = BERT_OK;
    gradients_zero(g);
    for (int begin = 0; begin < B && status == BERT_OK; begin += size) {
        const int count = begin + size < B ? size : B - begin;
        int n = 0, M = 0;
        for (int b = 0; b < count; b++) {
            T[b] = 20 + (begin + b) * 5 % 12;
            next[b] = (begin + b) % 2;
            for (int t = 0; t < T[b]; t++, n++) {
                ids[n] = ((begin + b) * 29 + t * 17 + (int)step) % m->config.V;
                types[n] = t * 2 >= T[b];
                mask[n] = t < T[b] - (begin + b) % 3;
                if (t % 5 == 2) rows[M] = n, labels[M++] = (t * 11 + begin + b) % m->config.V;
            }
        }
        Activations a;
        const Batch batch = {count, T, ids, types, mask};
        const Request request = {.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = rows, .M = M};
        const Dropout dropout = {.rate = 0.1, .probs_rate = 0.1, .seed = 42, .step = step,
                                 .first_sequence = (uint32_t)begin};
        const Targets targets = {.labels = labels, .next_sentence = next, .mlm_divisor = 35, .nsp_divisor = B};
        status = activations_new(&a, m, &batch, &request, e);
        if (status == BERT_OK) status = gradients_room(g, m, &a, KEEP_NOTHING, e);
        a.dropout = &dropout;
        if (status == BERT_OK) forward(m, &a), backward(m, &a, g, &targets);
        activations_free(&a);
    }
    if (status == BERT_OK) gradients_finish(m, g, p);
    return status;
}

/* Three steps of AdamW by each of the two rules, in micro-batches of different sizes. */
static Status print_learning(Bert *m, const char *kind, Error *e)
{
    Parameters p = {0};
    Gradients g = {0};
    Status status = parameters_new(&p, m, e);
    if (status == BERT_OK) status = gradients_new(&g, m, &p, e);
    for (Rules rules = RULES_HUGGINGFACE; rules <= RULES_GOOGLE && status == BERT_OK; rules++) {
        AdamW adamw = {0};
        AdamWOptions options = adamw_defaults(rules);
        options.learning_rate = 0.01;
        options.steps = 5;
        options.warmup = 1;
        status = adamw_new(&adamw, &p, &options, e);
        for (uint32_t step = 0; step < 3 && status == BERT_OK; step++) {
            status = learn_once(m, &g, &p, step, (int)step * 2 + 2, e);
            if (status != BERT_OK) break;
            print_parameters(&p, true, kind, "gradients of a step");
            adamw_step(&adamw, &g, &p, gradient_norm(&g, &p));
        }
        if (status == BERT_OK) print_parameters(&p, false, kind, "weights after three steps");
        adamw_free(&adamw);
    }
    gradients_free(&g);
    parameters_free(&p);
    return status;
}

/* A text of 6 documents of 5 sentences, of pieces by a formula. */
static Status make_text(Corpus *c, int V, Error *e)
{
    Status status = BERT_OK;
    for (int s = 0; s < 30 && status == BERT_OK; s++) {
        int32_t ids[12];
        for (int i = 0; i < 12; i++) ids[i] = 5 + (s * 7 + i * i * 3) % (V - 5);
        status = corpus_add(c, ids, (size_t)(3 + s * 5 % 9), (size_t)s + 1, e);
        if (s % 5 == 4) corpus_end_document(c);
    }
    return status;
}

/* The exercises of one step, each a micro-batch of its own. */
static Status learn_exercise(const Bert *m, Gradients *g, Parameters *p, Exercise *x, uint32_t step, Error *e)
{
    Status status = BERT_OK;
    gradients_zero(g);
    for (int b = 0; b < x->B && status == BERT_OK; b++) {
        const size_t first = x->token[b], row = x->row[b];
        Activations a = {0};
        const Batch batch = {1, x->T + b, x->ids + first, x->types + first, x->mask + first};
        for (size_t i = row; i < x->row[b + 1]; i++) x->rows[i] -= (int)first;
        const Request request = {.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = x->rows + row,
                                 .M = (int)(x->row[b + 1] - row)};
        const Dropout dropout = {.rate = 0.1, .probs_rate = 0.1, .seed = 9, .step = step,
                                 .first_sequence = (uint32_t)b};
        const Targets targets = {.labels = x->labels + row, .next_sentence = x->next_sentence + b,
                                 .mlm_divisor = (double)x->row[x->B], .nsp_divisor = x->B};
        status = activations_new(&a, m, &batch, &request, e);
        if (status == BERT_OK) status = gradients_room(g, m, &a, KEEP_NOTHING, e);
        a.dropout = &dropout;
        if (status == BERT_OK) forward(m, &a), backward(m, &a, g, &targets);
        activations_free(&a);
    }
    if (status == BERT_OK) gradients_finish(m, g, p);
    return status;
}

/* Pairs, masks, first weights and steps, all from one seed. */
static Status print_pretraining(const BertConfig *config, Rules rules, Error *e)
{
    TrainData data = {.pair_rules = {24, true, 9},
                      .mask_rules = {rules, 0.15, 24, config->V, 2, 3, 0, 1, 4}};
    AdamWOptions options = adamw_defaults(rules);
    Parameters p = {0};
    Gradients g = {0};
    AdamW adamw = {0};
    Exercise x = {0};
    Bert m;
    options.learning_rate = 0.01, options.warmup = 4, options.steps = 20;
    Status status = bert_blank(&m, config, e);
    if (status == BERT_OK) status = parameters_new(&p, &m, e);
    if (status == BERT_OK) random_weights(&p, rules, 0.02, 9, 0);
    if (status == BERT_OK) print_parameters(&p, false, "tiny", "random weights");
    if (status == BERT_OK) status = gradients_new(&g, &m, &p, e);
    if (status == BERT_OK) status = adamw_new(&adamw, &p, &options, e);
    if (status == BERT_OK) status = exercise_new(&x, 5, 24, e);
    if (status == BERT_OK) status = make_text(&data.corpus, config->V, e);
    for (uint32_t step = 0; step < 20 && status == BERT_OK; step++) {
        status = exercise_fill(&x, &data, step, e);
        if (status == BERT_OK) status = learn_exercise(&m, &g, &p, &x, step, e);
        if (status == BERT_OK) adamw_step(&adamw, &g, &p, gradient_norm(&g, &p));
    }
    if (status == BERT_OK) print_parameters(&p, false, "tiny", "weights after twenty steps of pre-training");
    adamw_free(&adamw);
    exercise_free(&x);
    train_data_free(&data);
    gradients_free(&g);
    parameters_free(&p);
    bert_free(&m);
    return status;
}

static Status print_formula(const char *kind, bool few, Error *e)
{
    Bert m;
    char directory[256];
    const bool tiny = strcmp(kind, "tiny") == 0;
    const size_t count = few && !tiny ? 3 : sizeof cases / sizeof *cases;
    if (!formula_directory(directory)) return fail(e, BERT_SYSTEM, "a directory cannot be made");
    Status status = formula_model(directory, kind, e);
    if (status == BERT_OK && (status = bert_load(&m, directory, e)) == BERT_OK) {
        for (size_t i = 0; status == BERT_OK && i < count; i++) status = print_case(&m, kind, &cases[i], e);
        if (status == BERT_OK && (tiny || !few)) status = print_learning(&m, kind, e);
        for (Rules rules = RULES_HUGGINGFACE; tiny && !few && rules <= RULES_GOOGLE && status == BERT_OK; rules++)
            status = print_pretraining(&m.config, rules, e);
        bert_free(&m);
    }
    formula_remove(directory);
    return status;
}

static Status print_bank(const char *directory, Error *e)
{
    char hex[65];
    Status status = bank_checksum(directory, hex, e);
    if (status == BERT_OK) printf("%s  %s: the bank sentence\n", hex, directory);
    return status;
}

int main(int argc, char **argv)
{
    Error e = {0};
    const bool few = argc > 1 && strcmp(argv[1], "--few") == 0;
    Status status = print_formula("tiny", few, &e);
    if (status == BERT_OK) status = print_formula("odd", few, &e);
    for (int i = few ? 2 : 1; status == BERT_OK && i < argc; i++) status = print_bank(argv[i], &e);
    if (status != BERT_OK) fprintf(stderr, "print_bits: %s\n", e.message);
    return status;
}
