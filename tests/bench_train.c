/* bench_train.c - one step of learning after another, asked for line by line: what tests/bench_train.py times bert.c
 * with.
 *
 *     build/bench-train MODEL_DIRECTORY B T [MICRO_BATCH]
 *
 * The directory has a config.json, and weights, or begins with random ones. A step looks at B sequences of T tokens, of
 * which 15 % are to be guessed, and at whether they are next sentences: forward, backward, clip, AdamW, with the
 * configuration's dropout. On stdin a command, on stdout one line:
 *     step        milliseconds of processor and wall clock of a whole step
 *     parts       milliseconds of processor time: forward, backward, clip and AdamW
 *     check       the loss and the length of its gradient without dropout, for comparing with other programs
 *     memory      the most memory that the process has had, in MB
 */
#define _GNU_SOURCE                 /* clock_gettime's process clock under -std=c11 on every system */
#include "cli/train.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
    Bert m;
    Parameters p;
    Gradients g;
    AdamW optimizer;
    Activations a;
    TrainingConfig training;
    int B, T, micro_batch, M;
    int *lengths, *rows;            /* (B), (M): chosen tokens */
    int32_t *ids, *types, *mask, *labels, *next;
} Bench;

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The model, with weights of its own. */
static Status open_model(Bench *x, const char *directory, Error *e)
{
    char path[1024];
    AdamWOptions options = adamw_defaults(RULES_HUGGINGFACE);
    BertConfig config;
    options.constant = true;
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    snprintf(path, sizeof path, "%s/config.json", directory);
    Status status = f ? bert_load(&x->m, directory, e) : config_load(&config, path, e);
    if (status == BERT_OK && !f) status = bert_blank(&x->m, &config, e);
    if (status == BERT_OK) status = parameters_new(&x->p, &x->m, e);
    if (status == BERT_OK && !f) random_weights(&x->p, RULES_HUGGINGFACE, 0.02, 1, 0);
    if (status == BERT_OK) status = gradients_new(&x->g, &x->m, &x->p, e);
    if (status == BERT_OK) status = adamw_new(&x->optimizer, &x->p, &options, e);
    return status;
}

/* Sequences by a formula that the other program has, too: 3 of 20 tokens are to be guessed. */
static Status make_step(Bench *x, Error *e)
{
    const size_t N = (size_t)x->B * (size_t)x->T, V = (size_t)x->m.config.V;
    x->lengths = calloc((size_t)x->B, sizeof *x->lengths);
    x->next = calloc((size_t)x->B, sizeof *x->next);
    x->rows = calloc(N, sizeof *x->rows);
    x->ids = calloc(N, sizeof *x->ids);
    x->types = calloc(N, sizeof *x->types);
    x->mask = calloc(N, sizeof *x->mask);
    x->labels = calloc(N, sizeof *x->labels);
    if (!x->lengths || !x->next || !x->rows || !x->ids || !x->types || !x->mask || !x->labels)
        return fail(e, BERT_SYSTEM, "out of memory");
    for (int b = 0; b < x->B; b++) x->lengths[b] = x->T, x->next[b] = b % 2;
    for (size_t n = 0; n < N; n++) {
        const size_t t = n % (size_t)x->T, place = t % 20;
        x->ids[n] = (int32_t)(5 + n * 7919 % (V - 5));
        x->types[n] = t >= (size_t)x->T / 2;
        x->mask[n] = 1;
        if (place != 3 && place != 9 && place != 16) continue;
        x->rows[x->M] = (int)n;
        x->labels[x->M++] = (int32_t)(5 + n * 104729 % (V - 5));
    }
    return BERT_OK;
}

/* Sequences `begin` to `end` of the step; spent[0] and spent[1]: seconds forward and backward. */
static Status micro_batch(Bench *x, int begin, int end, const Dropout *dropout, double spent[3], Error *e)
{
    const int first = begin * x->T, last = end * x->T;
    int row = 0, stop;
    while (row < x->M && x->rows[row] < first) row++;
    for (stop = row; stop < x->M && x->rows[stop] < last;) stop++;
    int *rows = malloc((size_t)(stop - row + 1) * sizeof *rows);
    if (!rows) return fail(e, BERT_SYSTEM, "out of memory");
    for (int i = row; i < stop; i++) rows[i - row] = x->rows[i] - first;
    const Batch batch = {end - begin, x->lengths, x->ids + first, x->types + first, x->mask + first};
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = rows, .M = stop - row};
    const Targets targets = {.labels = x->labels + row, .next_sentence = x->next + begin, .mlm_divisor = x->M,
                             .nsp_divisor = x->B};
    const double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    Status status = activations_renew(&x->a, &x->m, &batch, &request, e);
    if (status == BERT_OK) status = gradients_room(&x->g, &x->m, &x->a, KEEP_NOTHING, e);
    if (status == BERT_OK) {
        x->a.dropout = dropout;
        forward(&x->m, &x->a);
        const double half = seconds(CLOCK_PROCESS_CPUTIME_ID);
        backward(&x->m, &x->a, &x->g, &targets);
        spent[0] += half - start;
        spent[1] += seconds(CLOCK_PROCESS_CPUTIME_ID) - half;
    }
    free(rows);
    return status;
}

/* A step; `drops` false: without dropout. spent[2]: clip and AdamW. *length: of the gradient. */
static Status step(Bench *x, bool drops, double spent[3], double *length, Error *e)
{
    const TrainingConfig *c = &x->training;
    const bool dropping = drops && (c->dropout > 0 || c->probs_dropout > 0);
    Dropout dropout = {.rate = c->dropout, .probs_rate = c->probs_dropout,
                       .step = (uint32_t)x->optimizer.step};
    Status status = BERT_OK;
    gradients_zero(&x->g);
    for (int b = 0; b < x->B && status == BERT_OK; b += x->micro_batch) {
        dropout.first_sequence = (uint32_t)b;
        status = micro_batch(x, b, b + x->micro_batch < x->B ? b + x->micro_batch : x->B,
                             dropping ? &dropout : NULL, spent, e);
    }
    const double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    gradients_finish(&x->m, &x->g, &x->p);
    *length = gradient_norm(&x->g, &x->p);
    if (drops) adamw_step(&x->optimizer, &x->g, &x->p, *length);
    spent[2] += seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    return status;
}

static Status answer(Bench *x, const char *line, Error *e)
{
    const bool check = !strncmp(line, "check", 5), parts = !strncmp(line, "parts", 5);
    double spent[3] = {0}, length;
    struct rusage usage;
    if (!strncmp(line, "memory", 6)) {
        getrusage(RUSAGE_SELF, &usage);
        printf("%.1f\n", (double)usage.ru_maxrss / 1e3);
        return BERT_OK;
    }
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    Status status = step(x, !check, spent, &length, e);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    if (check) printf("%.9g %.9g\n", x->g.losses.mlm + x->g.losses.nsp, length);
    else if (parts) printf("%.3f %.3f %.3f\n", spent[0] * 1e3, spent[1] * 1e3, spent[2] * 1e3);
    else printf("%.3f %.3f\n", cpu * 1e3, wall * 1e3);
    return status;
}

int main(int argc, char **argv)
{
    static Bench x;
    Error e = {0};
    char line[64], path[1024];
    if (argc < 4 || atoi(argv[2]) < 1 || atoi(argv[3]) < 1) return BERT_USAGE;
    x.B = atoi(argv[2]);
    x.T = atoi(argv[3]);
    x.micro_batch = argc > 4 ? atoi(argv[4]) : x.B;
    snprintf(path, sizeof path, "%s/config.json", argv[1]);
    Status status = open_model(&x, argv[1], &e);
    if (status == BERT_OK) status = training_config_load(&x.training, path, x.m.config.distilbert, &e);
    if (status == BERT_OK) status = make_step(&x, &e);
    while (status == BERT_OK && fgets(line, sizeof line, stdin)) {
        status = answer(&x, line, &e);
        fflush(stdout);
    }
    if (status != BERT_OK) fprintf(stderr, "bench_train: %s\n", e.message);
    return status;
}
