/* bench_gte.c - antirez's gte-pure-C under the protocol of bench_forward.c: "run T" and "hidden T FILE".
 *
 * Its C file is included, so that its own functions run on given ids, without its tokenizer and pooling. Built by
 * tests/bench.py with the flags of its own Makefile. */
#define _GNU_SOURCE
#include "gte.c"
#include <time.h>

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The line of the file that has T ids, into ids. */
static int find_ids(const char *path, int T, int *ids)
{
    static char line[1 << 20];
    FILE *f = fopen(path, "r");
    int found = 0;
    while (f && !found && fgets(line, sizeof line, f)) {
        int n = 0;
        char *at = line, *end;
        for (long id = strtol(at, &end, 10); end != at && n < 512; id = strtol(at, &end, 10))
            ids[n++] = (int)id, at = end;
        found = n == T;
    }
    if (f) fclose(f);
    return found;
}

int main(int argc, char **argv)
{
    int ids[512], ones[512], T;
    char line[2048], path[1024];
    gte_ctx *ctx = argc == 3 ? gte_load(argv[1]) : NULL;
    if (!ctx) return fprintf(stderr, "bench_gte MODEL IDS\n"), 2;
    for (int i = 0; i < 512; i++) ones[i] = 1;
    while (fgets(line, sizeof line, stdin)) {
        *path = 0;
        if (sscanf(line, "run %d", &T) != 1 && sscanf(line, "hidden %d %1023s", &T, path) != 2) return 2;
        if (!find_ids(argv[2], T, ids)) return 2;
        double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
        transformer_forward(ctx, ids, T, ones);
        cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = seconds(CLOCK_MONOTONIC) - wall;
        FILE *f = *path ? fopen(path, "wb") : NULL;
        if (f) {
            fwrite(ctx->hidden_states, sizeof(float), (size_t)T * (size_t)ctx->hidden_size, f);
            fclose(f);
            puts("written");
        } else {
            printf("%.6f %.6f\n", cpu * 1e3, wall * 1e3);
        }
        fflush(stdout);
    }
    return 0;
}
