/* bench_forward.c - one forward pass after another, asked for line by line: what tests/bench.py times bert.c with.
 *
 *     build/bench-forward-CC MODEL_DIRECTORY IDS      IDS: a line per input, its ids separated by blanks
 *
 * On stdin a command, on stdout one line:
 *     run T           the time of a forward pass of the input that has T ids: milliseconds of processor and wall clock
 *     hidden T FILE   writes its last hidden state, (T,H) float32
 *     tanh T FILE     as hidden, with the tanh GELU, for comparing with programs that know no other
 *     layers L T      as run, with the first L layers only
 *     batch B T       as run, with B copies of the input in one batch, without padding
 *     peak            what the processor can do: 10^9 fused multiply-adds a second, best of five
 *     read            what the memory can do: GB/s when the weights are read from beginning to end, best of five
 * A forward pass is everything that a caller pays for: memory for the activations, steps 5 to 13, and giving it back.
 */
#define _GNU_SOURCE                 /* clock_gettime's process clock under -std=c11 on every system */
#include "weights/weights.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_INPUTS = 64, MOST_TOKENS = 1 << 16 };
typedef struct {
    int count, T[MOST_INPUTS];
    int32_t *ids[MOST_INPUTS];
} Inputs;

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool read_inputs(Inputs *in, const char *path)
{
    static char line[1 << 20];
    FILE *f = fopen(path, "r");
    while (f && in->count < MOST_INPUTS && fgets(line, sizeof line, f)) {
        int32_t *ids = calloc(MOST_TOKENS, sizeof *ids);
        char *at = line, *end;
        int T = 0;
        for (long id = strtol(at, &end, 10); ids && end != at && T < MOST_TOKENS; id = strtol(at, &end, 10))
            ids[T++] = (int32_t)id, at = end;
        in->ids[in->count] = ids, in->T[in->count++] = T;
    }
    if (f) fclose(f);
    return in->count > 0;
}

static const int32_t *input_of(const Inputs *in, int T)
{
    for (int i = 0; i < in->count; i++)
        if (in->T[i] == T) return in->ids[i];
    return NULL;
}

/* B copies of the input in one batch; prints the two times, or writes the last hidden state. */
static Status pass(const Bert *m, const int32_t *ids, int T, int B, const char *path, Error *e)
{
    const size_t N = (size_t)T * (size_t)B;
    int32_t *all = malloc(N * sizeof *all), *zeros = calloc(N, sizeof *zeros), *ones = malloc(N * sizeof *ones);
    int *lengths = malloc((size_t)B * sizeof *lengths);
    if (!all || !zeros || !ones || !lengths) return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t n = 0; n < N; n++) all[n] = ids[n % (size_t)T], ones[n] = 1;
    for (int b = 0; b < B; b++) lengths[b] = T;
    const Batch batch = {B, lengths, all, zeros, ones};
    const Request request = {.keep = KEEP_NOTHING};
    Activations a;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    Status status = activations_new(&a, m, &batch, &request, e);
    if (status == BERT_OK) {
        forward(m, &a);
        if (path) {
            FILE *f = fopen(path, "wb");
            bool ok = f && fwrite(hidden_state(&a, m->config.L), sizeof(real), N * (size_t)m->config.H, f) > 0;
            if (f && fclose(f)) ok = false;
            if (!ok) status = fail(e, BERT_SYSTEM, "%s: cannot be written", path);
        }
        activations_free(&a);
    }
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = seconds(CLOCK_MONOTONIC) - wall;
    if (status == BERT_OK && path) puts("written");
    else if (status == BERT_OK) printf("%.6f %.6f\n", cpu * 1e3, wall * 1e3);
    free(all), free(zeros), free(ones), free(lengths);
    return status;
}

/* 12 chains of vectors that wait for nothing but themselves: two units with four or five cycles each are kept busy. The
 * lane loop becomes one instruction, as in tensor.c. The vectors have 32 or 64 bytes: the machine does its best with
 * those of its registers. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 12")
#endif
enum { CHAINS = 12, TURNS = 4000000 };
static volatile float sink;         /* what is written here has to be computed */

/* rate_N(): 10^9 multiply-adds a second with vectors of N bytes. */
#define RATE(BYTES) \
    typedef float vec_##BYTES __attribute__((vector_size(BYTES))); \
    static inline vec_##BYTES fma_##BYTES(vec_##BYTES a, vec_##BYTES b, vec_##BYTES c) \
    { \
        for (size_t l = 0; l < BYTES / sizeof(float); l++) c[l] = __builtin_fmaf(a[l], b[l], c[l]); \
        return c; \
    } \
    static double rate_##BYTES(void) \
    { \
        const vec_##BYTES zero = {0}, factor = zero + (1.0f - 1.0f / 1024), one = zero + 1.0f; \
        vec_##BYTES sum[CHAINS]; \
        UNROLL                      /* every loop over them, or they live in memory */ \
        for (int c = 0; c < CHAINS; c++) sum[c] = zero + (float)c; \
        double start = seconds(CLOCK_PROCESS_CPUTIME_ID); \
        for (long i = 0; i < TURNS; i++) \
            UNROLL \
            for (int c = 0; c < CHAINS; c++) sum[c] = fma_##BYTES(sum[c], factor, one); \
        double rate = (double)TURNS * CHAINS * (BYTES / sizeof(float)) / (seconds(CLOCK_PROCESS_CPUTIME_ID) - start); \
        UNROLL \
        for (int c = 1; c < CHAINS; c++) sum[0] += sum[c]; \
        for (size_t l = 0; l < BYTES / sizeof(float); l++) sink = sum[0][l]; \
        return rate / 1e9; \
    }
RATE(32)
RATE(64)

static double peak(void)
{
    double best = 0;
    for (int attempt = 0; attempt < 5; attempt++) {
        const double rates[] = {rate_32(), rate_64()};
        for (int i = 0; i < 2; i++) best = rates[i] > best ? rates[i] : best;
    }
    return best;
}

/* Every byte of the weight file once, 64 at a time into eight sums. */
static double read_rate(const FileView *file)
{
    typedef uint64_t words __attribute__((vector_size(32)));
    double best = 0;
    for (int attempt = 0; attempt < 6; attempt++) {
        words sum[4] = {{0}}, w;
        double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t i = 0; i + 128 <= file->size; i += 128)
            for (int c = 0; c < 4; c++) memcpy(&w, file->data + i + c * 32, 32), sum[c] += w;
        double rate = (double)file->size / (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) / 1e9;
        for (int c = 0; c < 4; c++) sink = (float)(sum[c][0] + sum[c][1] + sum[c][2] + sum[c][3]);
        if (attempt > 0 && rate > best) best = rate;    /* the first one brings the pages in */
    }
    return best;
}

static Status answer(Bert *m, const Inputs *in, const char *line, Error *e)
{
    char path[1024] = "";
    int T = 0, B = 1, L = m->config.L;
    const int all = L;
    const GeluKind gelu = m->config.gelu;
    if (!strncmp(line, "peak", 4)) return printf("%.3f\n", peak()), BERT_OK;
    if (!strncmp(line, "read", 4)) return printf("%.3f\n", read_rate(&m->file->file)), BERT_OK;
    bool known = sscanf(line, "run %d", &T) == 1 || sscanf(line, "hidden %d %1023s", &T, path) == 2 ||
                 sscanf(line, "tanh %d %1023s", &T, path) == 2 ||
                 (sscanf(line, "layers %d %d", &L, &T) == 2 && L >= 0 && L <= all) ||
                 (sscanf(line, "batch %d %d", &B, &T) == 2 && B > 0 && B * T <= MOST_TOKENS);
    const int32_t *ids = input_of(in, T);
    if (!known || !ids) return fail(e, BERT_USAGE, "what is \"%s\"?", line);
    m->config.L = L;
    if (*line == 't') m->config.gelu = GELU_TANH;
    Status status = pass(m, ids, T, B, *path ? path : NULL, e);
    m->config.L = all, m->config.gelu = gelu;
    return status;
}

int main(int argc, char **argv)
{
    static Inputs inputs;
    Error e = {0};
    Bert m;
    char line[2048];
    if (argc != 3 || !read_inputs(&inputs, argv[2])) return fprintf(stderr, "bench_forward MODEL_DIRECTORY IDS\n"), 2;
    Status status = bert_load(&m, argv[1], &e);
    while (status == BERT_OK && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        status = answer(&m, &inputs, line, &e);
        fflush(stdout);
    }
    if (status != BERT_OK) fprintf(stderr, "bench_forward: %s\n", e.message);
    return status;
}
