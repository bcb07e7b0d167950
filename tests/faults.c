/* faults.c - make faults: the Nth call that can fail does fail, for every N, in every command.
 *
 * The linker sends malloc, open, read, fwrite, rename and the like to this file (-Wl,--wrap), which counts the calls of
 * the program's own code and makes one of them fail, or that one and all after it. Each run is a child of this process:
 * it starts with nothing allocated, runs `bert` or `convert` as from the command line, and is then asked by
 * LeakSanitizer what it has lost. What must hold, for every command and every N:
 *
 *     exit code     0 with exactly the clean run's answers (the failure did no harm), else that of the failure:
 *                   3 where an input could not be opened or read, 6 where memory or an output failed
 *     stderr        one line that begins with the program's name, if it failed
 *     stdout        a beginning of the clean run's answers, whole lines of them
 *     -o            the old file, or the whole new one; no temporary file beside it
 *     memory        nothing lost, nothing used after it was freed, no undefined behaviour
 *
 * What the C library calls inside itself is not counted: a write that fails inside fflush is what tests/faults.sh does,
 * with limits and full disks.
 */
#include "formula.h"
#include "torch_file.h"
#include "weights/convert.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int __lsan_do_recoverable_leak_check(void);     /* of LeakSanitizer: what is lost now? */
int bert_main(int argc, char **argv);
int convert_main(int argc, char **argv);

/* ---------------------------------------------------------------------------------------------------------------------
 * Calls that fail
 * ------------------------------------------------------------------------------------------------------------------ */
static long calls, failing = -1;                /* calls so far; the one that fails, from 0, or -1 */
static bool and_all_after, armed;               /* armed: the program runs, and not the test */
static int failed_kind;                         /* of the first call that failed */
enum { MEMORY = 1, INPUT, OUTPUT, EITHER };     /* whose failure it is; EITHER: of a file that could be both */

/* Is it this call's turn? */
static bool fails_now(int kind, int reason)
{
    if (!armed) return false;
    long number = calls++;
    if (failing < 0 || number < failing || (number > failing && !and_all_after)) return false;
    if (!failed_kind) failed_kind = kind;
    errno = reason;
    return true;
}

/* A function of the C library that fails with `value` and a reason, in one line each. */
#define FAILING(kind, reason, value, type, name, parameters, arguments) \
    type __real_##name parameters;                                      \
    type __wrap_##name parameters;                                      \
    type __wrap_##name parameters                                       \
    {                                                                   \
        return fails_now(kind, reason) ? (value) : __real_##name arguments; \
    }

FAILING(MEMORY, ENOMEM, NULL, void *, malloc, (size_t n), (n))
FAILING(MEMORY, ENOMEM, NULL, void *, calloc, (size_t n, size_t size), (n, size))
FAILING(MEMORY, ENOMEM, NULL, void *, realloc, (void *p, size_t n), (p, n))
FAILING(MEMORY, ENOMEM, NULL, char *, strdup, (const char *s), (s))
FAILING(MEMORY, ENOMEM, MAP_FAILED, void *, mmap, (void *p, size_t n, int a, int b, int fd, off_t o), (p, n, a, b, fd,
                                                                                                       o))
FAILING(INPUT, EIO, -1, ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
FAILING(EITHER, EIO, -1, int, fstat, (int fd, struct stat *s), (fd, s))
FAILING(EITHER, EACCES, -1, int, stat, (const char *path, struct stat *s), (path, s))
FAILING(INPUT, EMFILE, NULL, DIR *, opendir, (const char *path), (path))
FAILING(INPUT, EIO, NULL, struct dirent *, readdir, (DIR *d), (d))
FAILING(EITHER, EMFILE, NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
FAILING(INPUT, EIO, NULL, char *, realpath, (const char *path, char *to), (path, to))
FAILING(OUTPUT, EMFILE, -1, int, mkstemp, (char *path), (path))
FAILING(OUTPUT, ENOMEM, NULL, FILE *, fdopen, (int fd, const char *mode), (fd, mode))
FAILING(OUTPUT, EPERM, -1, int, fchmod, (int fd, mode_t mode), (fd, mode))
FAILING(OUTPUT, EIO, EOF, int, fflush, (FILE *f), (f))
FAILING(OUTPUT, EXDEV, -1, int, rename, (const char *from, const char *to), (from, to))
FAILING(OUTPUT, ENOSPC, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))
FAILING(OUTPUT, EMFILE, -1, int, dup, (int fd), (fd))

/* open has a parameter that may be missing. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    return fails_now(INPUT, EMFILE) ? -1 : __real_open(path, flags);    /* the program creates files by mkstemp */
}

/* A write that fails is remembered by the stream: __fseterr would do that, which the GNU library lacks. So the bytes
 * are sent to a stream that cannot be written, by closing what is under it. */
size_t __real_fwrite(const void *p, size_t size, size_t n, FILE *f);
size_t __wrap_fwrite(const void *p, size_t size, size_t n, FILE *f);
size_t __wrap_fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    if (f == stderr || !fails_now(OUTPUT, ENOSPC)) return __real_fwrite(p, size, n, f);
    int full = __real_open("/dev/full", O_WRONLY);
    if (full < 0 || dup2(full, fileno(f)) < 0) abort();
    close(full);
    return __real_fwrite(p, size, n, f);
}

/* The file is closed all the same, as it is when a close fails. */
int __real_fclose(FILE *f);
int __wrap_fclose(FILE *f);
int __wrap_fclose(FILE *f)
{
    bool fails = fails_now(OUTPUT, EIO);
    int result = __real_fclose(f);
    if (fails) errno = EIO;
    return fails ? EOF : result;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * One run
 * ------------------------------------------------------------------------------------------------------------------ */
static char directory[256];                     /* of the tiny model, and of everything else */
static char *answer;                            /* its file answer, the one of -o */

static const char *in_directory(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

typedef struct {
    int code;                                   /* exit code; 99: a leak; 100 + signal */
    int kind;                                   /* what failed first, 0: nothing did */
    long calls;
    char *out, *err, *file;                     /* stdout, stderr, and the file of -o:
        malloc'ed, NULL if there is none */
    size_t out_size, file_size;
} Outcome;

/* The whole of a file, NUL behind it; NULL if there is none. */
static char *slurp(const char *name, size_t *size)
{
    FileView f;
    Error e;
    if (file_open(&f, in_directory(name), &e) != BERT_OK) return NULL;
    char *text = malloc(f.size + 1);
    if (!text) abort();
    memcpy(text, f.data, f.size);
    text[*size = f.size] = 0;
    file_close(&f);
    return text;
}

static void spew(const char *name, const char *text)
{
    FILE *f = fopen(in_directory(name), "wb");
    if (!f || fputs(text, f) < 0 || fclose(f)) abort();
}

/* For coverage only the lines count that are reached: the leaks, which take half of the time, are the matter of `make
 * faults`, and so is what all calls after the first failing one do. */
#ifdef COVERAGE
void __gcov_dump(void);                         /* an _exit does not write the counts */
enum { KINDS_OF_FAILURE = 1 };
#define __lsan_do_recoverable_leak_check() 0
#else
#define __gcov_dump() (void)0
enum { KINDS_OF_FAILURE = 2 };
#endif

/* The child: streams to files, then the program, then the leaks, then the report through a file of its own. */
static void child(char **argv)
{
    int argc = 0;
    while (argv[argc]) argc++;
    if (!freopen(in_directory("lines"), "r", stdin) || !freopen(in_directory("out"), "w", stdout) ||
        !freopen(in_directory("err"), "w", stderr)) _exit(98);
    armed = true;
    int code = strcmp(argv[0], "bert") ? convert_main(argc, argv) : bert_main(argc, argv);
    armed = false;
    long report[2] = {calls, failed_kind};
    FILE *f = fopen(in_directory("report"), "wb");
    if (!f || fwrite(report, sizeof report, 1, f) != 1 || fclose(f)) _exit(98);
    fflush(stderr);
    __gcov_dump();
    if (__lsan_do_recoverable_leak_check()) code = 99;
    _exit(code);
}

/* The file that a command leaves; `train` leaves a model in a directory, where there was none. */
static const char *result_of(char **argv)
{
    return argv[0][0] != 'b' ? "model/model.safetensors" : !strcmp(argv[1], "train") ? "new/model.safetensors" : "answer";
}

/* All that train has left. */
static void remove_trained(void)
{
    static const char *const names[] = {"new/training/state.safetensors", "new/training/log.jsonl", "new/training",
                                        "new/model.safetensors", "new/config.json", "new/vocab.txt",
                                        "new/tokenizer_config.json", "new/tokenizer.json",
                                        "new/special_tokens_map.json", "new/added_tokens.json", "new"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) remove(in_directory(names[i]));
}

/* Runs it with call `number` failing. The old file of -o is put back before. */
static Outcome run(char **argv, long number, bool all_after)
{
    Outcome o = {0};
    int status;
    size_t size;
    spew("answer", "old");
    remove_trained();
    fflush(stdout);
    failing = number, and_all_after = all_after;
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) child(argv);
    if (waitpid(pid, &status, 0) != pid) abort();
    o.code = WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
    long *report = (long *)(void *)slurp("report", &size);
    if (report && size == 2 * sizeof *report) o.calls = report[0], o.kind = (int)report[1];
    free(report);
    remove(in_directory("report"));
    o.out = slurp("out", &o.out_size);
    o.err = slurp("err", &size);
    o.file = slurp(result_of(argv), &o.file_size);
    return o;
}

static void outcome_free(Outcome *o)
{
    free(o->out), free(o->err), free(o->file);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What must hold
 * ------------------------------------------------------------------------------------------------------------------ */
static int complaints;

static bool complain(char **argv, long number, bool all_after, const Outcome *o, const char *what)
{
    if (complaints++ < 30)
        printf("    not so: %s %s, call %ld%s failing (kind %d): exit code %d: %s\n    stderr: %.300s\n", argv[0],
               argv[1], number,
               all_after ? " and all after it" : "", o->kind, o->code, what, o->err ? o->err : "none");
    return false;
}

/* Names with ".tmp-" in the directory, or in what is made below it. */
static int temporaries(void)
{
    static const char *const below[] = {".", "model", "new", "new/training"};
    int count = 0;
    for (int i = 0; i < 4; i++) {
        DIR *d = opendir(in_directory(below[i]));
        for (struct dirent *entry; d && (entry = readdir(d)); ) count += strstr(entry->d_name, ".tmp-") != NULL;
        if (d) closedir(d);
    }
    return count;
}

/* The exit code that fits: of memory and outputs 6, of inputs 3; where one call stands for both, either. With all calls
 * failing, one that was of no importance may be followed by one that is. */
static bool code_fits(const Outcome *o, bool all_after)
{
    if (o->code != BERT_FILE && o->code != BERT_SYSTEM) return false;
    if (all_after || o->kind == EITHER) return true;
    return o->code == (o->kind == INPUT ? BERT_FILE : BERT_SYSTEM);
}

/* The same bytes, or both no file at all. */
static bool same_bytes(const char *a, size_t n, const char *b, size_t m)
{
    return !a == !b && n == m && (!a || !memcmp(a, b, n));
}

/* One outcome against the clean one. */
static bool judge(char **argv, long number, bool all_after, const Outcome *o, const Outcome *clean)
{
    const bool failed = o->code != clean->code;
    const size_t name = strlen(argv[0]);
    if (o->code == 99) return complain(argv, number, all_after, o, "nothing is lost");
    if (o->code > 99) return complain(argv, number, all_after, o, "no signal, no sanitizer");
    if (temporaries()) return complain(argv, number, all_after, o, "no temporary file is left");
    if (!failed) {
        if (o->out && clean->out && !strcmp(argv[1], "explain") && strstr(o->out, "makes no sentence vector here:"))
            return true;                        /* a recipe that cannot be read spoils this one line, and says why */
        if (!same_bytes(o->out, o->out_size, clean->out, clean->out_size) ||
            !same_bytes(o->file, o->file_size, clean->file, clean->file_size))
            return complain(argv, number, all_after, o, "success means the clean run's answers");
        return true;
    }
    if (!code_fits(o, all_after)) return complain(argv, number, all_after, o, "the code is that of the failure");
    const char *last = o->err;
    for (const char *p = last; p && (p = strchr(p, '\n')) && p[1]; ) last = ++p;        /* notes may come before it */
    if (!last || strncmp(last, argv[0], name) || strncmp(last + name, ": ", 2) || last[strlen(last) - 1] != '\n')
        return complain(argv, number, all_after, o, "one line says why");
    if (strstr(last, "tensor '/")) return complain(argv, number, all_after, o, "first the file, then the tensor's name");
    if (o->out_size > clean->out_size || memcmp(o->out, clean->out, o->out_size))
        return complain(argv, number, all_after, o, "stdout has a beginning of the answers");
    const bool makes_file = !strcmp(result_of(argv), "answer");
    bool old = makes_file ? same_bytes(o->file, o->file_size, "old", 3) : !o->file;
    if (!strcmp(argv[1], "train") && o->file_size == clean->file_size) old = true;      /* saved after an earlier step */
    if (!old && !same_bytes(o->file, o->file_size, clean->file, clean->file_size))
        return complain(argv, number, all_after, o, "the old file, or the whole new one");
    return true;
}

/* Two files of the converter: each appears whole, or not at all; they go before the next run. */
static void remove_converted(void)
{
    remove(in_directory("model/model.safetensors"));
    remove(in_directory("model/config.json"));
    rmdir(in_directory("model"));
}

static const char *chosen = "";                 /* of build/faults NAME: only commands whose name holds this */

/* Every N once, and many from there on, until a run in which nothing failed any more. Without any failure the exit code is
 * `code`: a command that calls different what is equal must not pass for a success. */
static long torture(int code, char **argv)
{
    long points = 0;
    if (!strstr(argv[1], chosen)) return 0;
    Outcome clean = run(argv, -1, false);
    if (clean.code != code) complain(argv, -1, false, &clean, "the clean run has the code that stands beside it");
    for (int all_after = 0; all_after < KINDS_OF_FAILURE; all_after++)
        for (long number = 0; ; number++) {
            remove_converted();
            if (all_after && number > 16 && number % 4) continue;       /* most of them end as after the Nth alone */
            Outcome o = run(argv, number, all_after);
            bool over = o.kind == 0 && o.code == clean.code;            /* call `number` never came */
            if (over) judge(argv, number, all_after, &o, &clean);
            else points += judge(argv, number, all_after, &o, &clean);
            outcome_free(&o);
            if (over || complaints > 200) break;
        }
    remove_converted();
    printf("%-14s %-40.40s %4ld calls, %5ld failures judged\n", argv[0], argv[1], clean.calls, points);
    outcome_free(&clean);
    return points;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The commands
 * ------------------------------------------------------------------------------------------------------------------ */
/* A model as large as the documents' one, for goldens and demo, which refuse any other: all zeros, in a file that takes
 * no room on the disk. Nothing is computed with it, which would take minutes: all that forward makes is zero. */
void __real_forward(const Bert *m, Activations *a);
void __wrap_forward(const Bert *m, Activations *a);
void __wrap_forward(const Bert *m, Activations *a)
{
    const int L = m->config.L;
    const size_t H = (size_t)m->config.H, B = (size_t)a->batch.B;
    if (H != 768) {
        __real_forward(m, a);
        return;
    }
    for (int l = a->request.keep & KEEP_HIDDEN ? 0 : L; l <= L; l++)
        memset((real *)(uintptr_t)hidden_state(a, l), 0, (size_t)a->N * H * sizeof(real));
    if (a->request.pooler) memset(a->pooler, 0, B * H * sizeof(real));
    if (a->request.nsp) memset(a->nsp_logits, 0, B * 2 * sizeof(real));
    memset(a->logits, 0, (size_t)a->request.M * (size_t)m->config.V * sizeof(real));
}

/* A tensor of a pre-trained model. */
static bool belongs(const TensorSpec *spec)
{
    return !spec->optional && !spec->tied && spec->group < GROUP_TASK;
}

static void write_documents_model(void)
{
    static const BertConfig config = {.L = 12, .H = 768, .A = 12, .D = 64, .F = 3072, .V = 30522, .P = 512, .S = 2};
    static char names[256][128];
    static SafeTensor tensors[256];
    char command[1400];
    size_t count = 0, bytes = 0;
    if (mkdir(in_directory("documents"), 0777)) abort();
    for (size_t i = 0; i < tensor_table_size; i++) {
        const TensorSpec *spec = &tensor_table[i];
        for (int l = 0; belongs(spec) && l < (spec_per_layer(spec) ? config.L : 1); l++) {
            SafeTensor *t = &tensors[count];
            *t = (SafeTensor){.name = names[count], .dtype = DTYPE_F32, .rank = spec->rows ? 2 : 1};
            spec_name(spec->name, l, names[count++], sizeof names[0]);
            t->shape[0] = spec->rows ? spec_rows(spec, &config) : spec_cols(spec, &config);
            t->shape[1] = spec_cols(spec, &config);
            t->count = t->shape[0] * (spec->rows ? t->shape[1] : 1);
            bytes += t->count * sizeof(float);
        }
    }
    FILE *f = fopen(in_directory("documents/model.safetensors"), "wb");
    if (!f) abort();
    safetensors_write_header(f, tensors, count, NULL, 0);
    if (fflush(f) || ftruncate(fileno(f), (off_t)bytes + ftello(f)) || fclose(f)) abort();
    spew("documents/config.json", "{\"hidden_act\": \"gelu\", \"hidden_size\": 768, \"intermediate_size\": 3072, "
         "\"max_position_embeddings\": 512, \"num_attention_heads\": 12, \"num_hidden_layers\": 12, "
         "\"type_vocab_size\": 2, \"vocab_size\": 30522, \"layer_norm_eps\": 1e-12, \"model_type\": \"bert\"}");
    snprintf(command, sizeof command, "cp weights/bert-base-uncased/vocab.txt '%s'",
             in_directory("documents/vocab.txt"));
    if (system(command)) abort();
}

/* A directory with tokenizer.json alone. */
static void write_tokenizer(void)
{
    if (mkdir(in_directory("pieces"), 0777)) abort();
    spew("pieces/tokenizer.json", "{\"added_tokens\": [{\"id\": 4, \"content\": \"[E1]\"}], \"normalizer\": {\"type\": "
         "\"BertNormalizer\", \"lowercase\": true, \"handle_chinese_chars\": true}, \"pre_tokenizer\": {\"type\": "
         "\"BertPreTokenizer\"}, \"model\": {\"type\": \"WordPiece\", \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, "
         "\"[SEP]\": 2, "
         "\"a\": 3}}}");
}

#define MODEL "-m", directory
typedef struct { int code; char *argv[20]; } Command;

/* Tortures one after another; how many failures that were. */
static long torture_all(Command *commands, size_t count)
{
    long points = 0;
    for (size_t i = 0; i < count; i++) points += torture(commands[i].code, commands[i].argv);
    return points;
}

static long torture_bert(void)
{
    char trace[512], wrong[512], many[512], documents[512], index[512], pieces[512], sentences[512];
    snprintf(pieces, sizeof pieces, "%s", in_directory("pieces"));
    snprintf(index, sizeof index, "%s", in_directory("s.index.json"));
    snprintf(trace, sizeof trace, "%s", in_directory("trace"));
    snprintf(many, sizeof many, "%s", in_directory("many"));
    snprintf(documents, sizeof documents, "%s", in_directory("documents"));
    snprintf(wrong, sizeof wrong, "%s", in_directory("wrong"));
    snprintf(sentences, sizeof sentences, "%s", in_directory("st"));
    char *made[] = {"bert", "trace", MODEL, "-q", "-o", trace, "the cat", NULL};
    char *different[] = {"bert", "trace", MODEL, "-q", "--gelu", "tanh", "-o", wrong, "the cat", NULL};
    Outcome o = run(made, -1, false), p = run(different, -1, false);
    outcome_free(&o), outcome_free(&p);
    Command commands[] = {
        {0, {"bert", "tokenize", MODEL, NULL}},                              /* three lines of stdin */
        {0, {"bert", "tokenize", MODEL, "--trace", "the [MASK] sat", NULL}},
        {0, {"bert", "tokenize", "-m", pieces, "a [E1] b", NULL}},
        {0, {"bert", "tokenize", MODEL, "--format", "json", "-o", answer, "the cat", NULL}},
        {0, {"bert", "vocab", MODEL, "9:11", "cat", NULL}},
        {0, {"bert", "embed", MODEL, "-f", "-", NULL}},
        {0, {"bert", "embed", "-m", index, "the cat", NULL}},                /* shards */
        {0, {"bert", "info", "-m", index, NULL}},
        {0, {"bert", "embed", MODEL, "--format", "npy", "-o", answer, "the cat", "on", NULL}},
        {0, {"bert", "embed", MODEL, "--inputs", trace, "--pooling", "none", NULL}},
        {0, {"bert", "similarity", MODEL, "--word", "bank", "the bank", "a bank", NULL}},
        {0, {"bert", "similarity", MODEL, "--by-layer", "the cat", "the dog", NULL}},
        {0, {"bert", "rank", MODEL, "cat", "the dog", "the cat", NULL}},
        {0, {"bert", "fill-mask", MODEL, "--targets", "cat,dog", "the [MASK]", NULL}},
        {0, {"bert", "next-sentence", MODEL, "the cat", "it sat", NULL}},
        {0, {"bert", "attention", MODEL, "the cat", NULL}},
        {0, {"bert", "attention", MODEL, "--format", "npy", "-o", answer, "the cat", NULL}},
        {0, {"bert", "trace", MODEL, "the cat", NULL}},
        {0, {"bert", "trace", MODEL, "-o", answer, "the cat", NULL}},
        {0, {"bert", "compare", trace, trace, NULL}},
        {1, {"bert", "compare", trace, wrong, NULL}},
        {0, {"bert", "verify", MODEL, trace, "the cat", NULL}},
        {1, {"bert", "verify", MODEL, "--isolate", wrong, NULL}},
        {0, {"bert", "explain", MODEL, "--step", "15", "the [MASK]", NULL}},
        {0, {"bert", "explain", MODEL, "--step", "16", "the cat", "a dog", NULL}},
        {0, {"bert", "explain", MODEL, "--learn", "the cat sat", NULL}},
        {0, {"bert", "embed", MODEL, "-f", many, NULL}},                /* 64 inputs in one batch */
        {3, {"bert", "goldens", MODEL, NULL}},                          /* not the documents' model */
        {3, {"bert", "demo", MODEL, NULL}},
        /* as large as theirs, and every number missed */
        {1, {"bert", "goldens", "-m", documents, NULL}},
        {1, {"bert", "goldens", "-m", documents, "-o", answer, NULL}},
        {0, {"bert", "demo", "-m", documents, NULL}},
        {0, {"bert", "info", "-v", MODEL, NULL}},
        {0, {"bert", "embed", "-m", sentences, "sat", "--format", "json", NULL}},
        {0, {"bert", "rank", "-m", sentences, "cat", "the dog", "the cat", "--prompt", "q", NULL}},
        {0, {"bert", "help", NULL}},
    };
    const long points = torture_all(commands, sizeof commands / sizeof *commands);
    remove(trace), remove(wrong);
    return points;
}

/* Fine-tuned models, and learning. */
static long torture_tuned(void)
{
    char heads[512], texts[512], one[512], choices[512], trained[512], config[512], vocabulary[512], held_out[512];
    char words[512], questions[512];
    snprintf(texts, sizeof texts, "%s", in_directory("texts"));
    snprintf(one, sizeof one, "%s", in_directory("one"));
    snprintf(choices, sizeof choices, "%s", in_directory("choices"));
    snprintf(heads, sizeof heads, "%s", in_directory("heads"));
    snprintf(held_out, sizeof held_out, "%s", in_directory("lines"));
    snprintf(trained, sizeof trained, "%s", in_directory("new"));
    snprintf(config, sizeof config, "%s", in_directory("config.json"));
    snprintf(vocabulary, sizeof vocabulary, "%s", in_directory("vocab.txt"));
    snprintf(words, sizeof words, "%s", in_directory("words"));
    snprintf(questions, sizeof questions, "%s", in_directory("questions"));
    spew("words", "the\tO\ncat\tX\n\na\tO\ndog\tX\n");
    spew("questions", "{\"data\": [{\"paragraphs\": [{\"context\": \"the cat sat on the mat\", \"qas\": [{\"id\": \"1\", "
         "\"question\": \"on\", \"answers\": [{\"text\": \"the mat\", \"answer_start\": 15}]}]}]}]}");
    Command commands[] = {
        {0, {"bert", "classify", "-m", texts, "the cat", "a dog", NULL}},
        {0, {"bert", "classify", "-m", texts, "--labels", "cat, dog", "--multi", "--format", "json", "the cat", NULL}},
        {0, {"bert", "choose", "-m", choices, "the cat", "sat", "went", NULL}},
        {0, {"bert", "rank", "-m", one, "the cat", "sat", "went", "-o", answer, NULL}},
        {0, {"bert", "info", "-m", texts, NULL}},
        {0, {"bert", "explain", "-m", texts, "--step", "14", "the cat", NULL}},
        {0, {"bert", "tag", "-m", heads, "--max-length", "4", "--stride", "1", "the cat sat on", NULL}},
        {0, {"bert", "tag", "-m", heads, "--aggregate", "average", "--format", "json", "-o", answer, "the cat", NULL}},
        {0, {"bert", "answer", "-m", heads, "--max-length", "7", "--stride", "1", "--top-k", "2", "the", "the cat sat on", NULL}},
        {0, {"bert", "vocab", "--learn", "30", NULL}},
        {0, {"bert", "train", MODEL, "-q", "-o", trained, "--steps", "2", "--save-every", "1", "--batch", "2",
             "--dev", held_out, NULL}},
        {0, {"bert", "train", "-q", "-o", trained, "--steps", "2", "--batch", "2", "--config", config, "--vocab", vocabulary}},
        {0, {"bert", "train", MODEL, "-q", "-o", trained, "--steps", "1", "--batch", "2", "--teacher", directory, NULL}},
        {0, {"bert", "train", MODEL, "-q", "-o", trained, "--steps", "1", "--batch", "2", "--task", "tag", "-f", words,
             "--dev", words, NULL}},
        {0, {"bert", "train", MODEL, "-q", "-o", trained, "--steps", "1", "--batch", "2", "--task", "answer", "-f", questions,
             "--dev", questions, NULL}},
    };
    return torture_all(commands, sizeof commands / sizeof *commands);
}

/* The converter, on the checkpoint that tests/checkpoint.c wrote there. */
static long torture_convert(void)
{
    char prefix[512], model[512], weights[512], torch[512], index[512], joined[512];
    snprintf(prefix, sizeof prefix, "%s", in_directory("c"));
    snprintf(model, sizeof model, "%s", in_directory("model"));
    snprintf(weights, sizeof weights, "%s", in_directory("model.safetensors"));
    snprintf(torch, sizeof torch, "%s", in_directory("torch/t.bin"));
    snprintf(index, sizeof index, "%s", in_directory("s.index.json"));
    snprintf(joined, sizeof joined, "%s", in_directory("joined"));
    char *commands[][5] = {{"convert", prefix, model, NULL}, {"convert", "--fingerprint", weights, NULL},
                           {"convert", "--sha256", weights, NULL}, {"convert", torch, model, NULL},
                           {"convert", "--join", index, joined, NULL}, {"convert", "--check", directory, NULL}};
    long points = 0;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) points += torture(0, commands[i]);
    return points;
}

/* The tiny model as a file of torch.save, one of its tensors transposed; and in two shards with an index. */
static void write_torch_and_shards(void)
{
    static const size_t shape[] = {8, 3}, across[] = {1, 8};
    Safetensors st;
    SafeTensor *t;
    Error e;
    Archive a = {0};
    Bytes p = {0};
    if (safetensors_open(&st, in_directory("model.safetensors"), &e) != BERT_OK) abort();
    t = st.tensors;
    if (safetensors_write(in_directory("s-1.safetensors"), t, 9, NULL, 0, &e) != BERT_OK ||
        safetensors_write(in_directory("s-2.safetensors"), t + 9, st.count - 9, NULL, 0, &e) != BERT_OK) abort();
    FILE *f = fopen(in_directory("s.index.json"), "wb");
    if (!f) abort();
    fputs("{\"weight_map\": {", f);
    for (size_t i = 0; i < st.count; i++)
        fprintf(f, "%s\"%s\": \"s-%d.safetensors\"", i ? ", " : "", t[i].name, i < 9 ? 1 : 2);
    if (fputs("}}\n", f) < 0 || fclose(f)) abort();
    pickle_begin(&p);
    pickle_tensor(&p, "x", "FloatStorage", "0", 24, 0, 2, shape, across);
    pickle_end(&p);
    archive_add(&a, "m/data.pkl", p.data, p.size);
    archive_add(&a, "m/byteorder", "little", 6);
    archive_add(&a, "m/data/0", t[0].data, 96);
    archive_finish(&a);
    f = mkdir(in_directory("torch"), 0777) ? NULL : fopen(in_directory("torch/t.bin"), "wb");
    if (!f || fwrite(a.file.data, 1, a.file.size, f) != a.file.size || fclose(f)) abort();
    bytes_free(&a.file), bytes_free(&p);
    safetensors_close(&st);
}

/* A directory of sentence-transformers, its model in another one: a prompt, a length, and a module with weights. */
static void write_sentence_model(void)
{
    static const char list[] = "[{\"name\": \"0\", \"path\": \"model\", \"type\": "
        "\"sentence_transformers.models.Transformer\"}, "
        "{\"name\": \"1\", \"path\": \"1\", \"type\": \"sentence_transformers.models.Pooling\"}, "
        "{\"name\": \"2\", \"path\": \"2\", \"type\": \"sentence_transformers.models.LayerNorm\"}]";
    static const float numbers[24] = {1, 2, 3, 4};
    const SafeTensor both[] = {{.name = "norm.weight", .rank = 1, .shape = {24}, .count = 24, .data = numbers,
                                .dtype = DTYPE_F32},
                               {.name = "norm.bias", .rank = 1, .shape = {24}, .count = 24, .data = numbers,
                                .dtype = DTYPE_F32}};
    Error e;
    if (mkdir(in_directory("st"), 0777) || mkdir(in_directory("st/1"), 0777) || mkdir(in_directory("st/2"), 0777) ||
        symlink("..", in_directory("st/model")) ||
        safetensors_write(in_directory("st/2/model.safetensors"), both, 2, NULL, 0, &e) != BERT_OK)
        exit(printf("no directory of sentence-transformers\n"));
    spew("st/modules.json", list);
    spew("st/1/config.json", "{\"pooling_mode\": [\"weightedmean\"], \"include_prompt\": false}");
    spew("st/2/config.json", "{\"dimension\": 24}");
    spew("st/config_sentence_transformers.json",
         "{\"prompts\": {\"q\": \"the cat \"}, \"default_prompt_name\": \"q\"}");
    spew("sentence_bert_config.json", "{\"max_seq_length\": 7}");
}

/* The tiny model with a classifier of K labels in a directory of its own. */
static void write_text_head(const char *name, size_t K, const char *config)
{
    static const float numbers[3 * 24] = {1, 2, 3, 4};
    char at[512], text[1000];
    Safetensors st;
    SafeTensor *all;
    Error e;
    snprintf(at, sizeof at, "%s/vocab.txt", name);
    if (mkdir(in_directory(name), 0777) || symlink("../vocab.txt", in_directory(at)) ||
        safetensors_open(&st, in_directory("model.safetensors"), &e) != BERT_OK ||
        !(all = calloc(st.count + 2, sizeof *all))) exit(printf("no heads\n"));
    memcpy(all, st.tensors, st.count * sizeof *all);
    all[st.count] = (SafeTensor){.name = "classifier.weight", .rank = 2, .shape = {K, 24}, .count = K * 24,
                                 .data = numbers, .dtype = DTYPE_F32};
    all[st.count + 1] = (SafeTensor){.name = "classifier.bias", .rank = 1, .shape = {K}, .count = K, .data = numbers,
                                     .dtype = DTYPE_F32};
    snprintf(at, sizeof at, "%s/model.safetensors", name);
    if (safetensors_write(in_directory(at), all, st.count + 2, NULL, 0, &e) != BERT_OK) abort();
    free(all);
    safetensors_close(&st);
    snprintf(at, sizeof at, "%s/config.json", name);
    snprintf(text, sizeof text, "{\"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, "
             "\"intermediate_size\": 56, \"vocab_size\": 101, \"max_position_embeddings\": 32, "
             "\"type_vocab_size\": 3, %s}", config);
    spew(at, text);
}

/* A model with a token classifier and a head for answers; its pieces are the tiny model's. Then one that classifies
 * texts, and a cross-encoder with the same weights but for its one label. */
static void write_heads(void)
{
    static const float numbers[3 * 24] = {1, 2, 3, 4};
    const SafeTensor heads[] = {
        {.name = "classifier.weight", .rank = 2, .shape = {3, 24}, .count = 72, .data = numbers, .dtype = DTYPE_F32},
        {.name = "classifier.bias", .rank = 1, .shape = {3}, .count = 3, .data = numbers, .dtype = DTYPE_F32},
        {.name = "qa_outputs.weight", .rank = 2, .shape = {2, 24}, .count = 48, .data = numbers, .dtype = DTYPE_F32},
        {.name = "qa_outputs.bias", .rank = 1, .shape = {2}, .count = 2, .data = numbers, .dtype = DTYPE_F32}};
    Safetensors st;
    SafeTensor *all;
    Error e;
    if (mkdir(in_directory("heads"), 0777) || symlink("../vocab.txt", in_directory("heads/vocab.txt")) ||
        safetensors_open(&st, in_directory("model.safetensors"), &e) != BERT_OK ||
        !(all = calloc(st.count + 4, sizeof *all))) exit(printf("no heads\n"));
    memcpy(all, st.tensors, st.count * sizeof *all);
    memcpy(all + st.count, heads, sizeof heads);
    if (safetensors_write(in_directory("heads/model.safetensors"), all, st.count + 4, NULL, 0, &e) != BERT_OK) abort();
    free(all);
    safetensors_close(&st);
    spew("heads/config.json", "{\"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, "
         "\"intermediate_size\": 56, \"vocab_size\": 101, \"max_position_embeddings\": 32, \"type_vocab_size\": 3, "
         "\"architectures\": [\"BertForTokenClassification\"], \"id2label\": {\"0\": \"O\", \"1\": \"B-A\", \"2\": "
         "\"I-A\"}}");
    write_text_head("texts", 3, "\"id2label\": {\"0\": \"entailment\", \"1\": \"b\", \"2\": \"b\"}, \"label2id\": "
                    "{\"entailment\": \"0\"}, \"architectures\": [\"BertForSequenceClassification\"]");
    write_text_head("one", 1, "\"architectures\": [\"BertForSequenceClassification\"]");
    write_text_head("choices", 1, "\"architectures\": [\"BertForMultipleChoice\"]");
}

static void clean_up(void)
{
    static const char *const names[] = {"texts/config.json", "texts/model.safetensors", "texts/vocab.txt", "texts",
                                        "one/config.json", "one/model.safetensors", "one/vocab.txt", "one",
                                        "choices/config.json", "choices/model.safetensors", "choices/vocab.txt", "choices",
                                        "heads/config.json", "heads/model.safetensors", "heads/vocab.txt", "heads",
                                        "st/2/model.safetensors", "st/2/config.json", "st/2", "st/1/config.json",
                                        "st/1",
                                        "st/config_sentence_transformers.json", "st/modules.json", "st/model", "st",
                                        "sentence_bert_config.json", "torch/t.bin", "torch", "s-1.safetensors",
                                        "s-2.safetensors", "s.index.json",
                                        "joined",
                                        "1_Pooling/config.json", "1_Pooling", "tokenizer_config.json",
                                        "special_tokens_map.json", "added_tokens.json",
                                        "pieces/tokenizer.json", "pieces", "lines", "words", "questions", "out",
                                        "err", "answer", "many", "documents/config.json",
                                        "documents/vocab.txt", "documents/model.safetensors", "documents", "c.index",
                                        "c.data-00000-of-00002", "c.data-00001-of-00002"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) remove(in_directory(names[i]));
    formula_remove(directory);
}

void write_checkpoint(const char *directory);   /* tests/checkpoint.c */

int main(int argc, char **argv)
{
    Error e = {0};
    char path[512], lines[65 * 8] = "";
    if (argc > 1) chosen = argv[1];
    if (!formula_directory(directory) || formula_model(directory, "tiny", &e) != BERT_OK) return printf("%s\n",
                                                                                                        e.message), 1;
    snprintf(path, sizeof path, "%s", in_directory("answer"));
    answer = path;
    spew("lines", "the cat\n\nsat on The mat\n");
    /* two files that may be missing: to take one for missing because it could not be asked for changes the answers */
    spew("tokenizer_config.json", "{\"do_lower_case\": false}");
    spew("special_tokens_map.json", "{\"additional_special_tokens\": [\"sat\"]}");
    spew("added_tokens.json", "{\"the\": 61}");
    write_tokenizer();
    if (mkdir(in_directory("1_Pooling"), 0777)) return printf("no directory\n"), 1;
    spew("1_Pooling/config.json", "{\"pooling_mode\": \"max\"}");
    for (int i = 0; i < 64; i++) strcat(lines, i % 3 ? "a cat\n" : "the\n");
    spew("many", lines);
    write_documents_model();
    write_sentence_model();
    write_heads();
    write_checkpoint(directory);
    write_torch_and_shards();
    long points = torture_convert() + torture_bert() + torture_tuned();
    clean_up();
    printf("%ld failures judged, %d complaints\n", points, complaints);
    return complaints || points == 0;
}
