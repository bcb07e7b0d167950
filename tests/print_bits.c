/* print_bits.c - what tests/bits.sh builds in many ways: prints a checksum of every trace that it computes.
 *
 *     build/bits/NAME [MODEL_DIRECTORY]       the formula models tiny and odd; then the bank sentence on a real model
 *
 * Every intermediate of every layer is in a checksum (checksum.h), so two builds that print the same lines computed the
 * same bits throughout. The inputs reach what differs between kernels: one token, numbers of tokens on both sides of a
 * multiple of 8, 24 and 48, panels of different widths side by side, all positions, masked tokens on either side, two
 * token types, and several sequences at once. */
#include "checksum.h"
#include "formula.h"
#include <stdlib.h>

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

static Status print_formula(const char *kind, Error *e)
{
    Bert m;
    char directory[256];
    if (!formula_directory(directory)) return fail(e, BERT_SYSTEM, "a directory cannot be made");
    Status status = formula_model(directory, kind, e);
    if (status == BERT_OK && (status = bert_load(&m, directory, e)) == BERT_OK) {
        for (size_t i = 0; status == BERT_OK && i < sizeof cases / sizeof *cases; i++)
            status = print_case(&m, kind, &cases[i], e);
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
    Status status = print_formula("tiny", &e);
    if (status == BERT_OK) status = print_formula("odd", &e);
    for (int i = 1; status == BERT_OK && i < argc; i++) status = print_bank(argv[i], &e);
    if (status != BERT_OK) fprintf(stderr, "print_bits: %s\n", e.message);
    return status;
}
