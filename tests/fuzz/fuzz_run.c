/* fuzz_run.c - any bytes as a whole model directory, from end to end: a command of `bert` ends with one of its exit
 * codes and a sentence, or with an answer that can be read.
 *
 * Parts: config.json, vocab.txt, tokenizer_config.json, model.safetensors, 1_Pooling/config.json, the file of --inputs,
 * lines of text. Options: the command line (`commands`). Of the model, a part without bytes is a file that is missing.
 */
#include "fuzz.h"

#define main bert_main                  /* the program; its run_command is called here */
#include "cli/main.c"
#undef main

#include <fcntl.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * Command lines. MODEL, TEXT, INPUTS and OUT stand for paths.
 * ------------------------------------------------------------------------------------------------------------------ */
enum { MODEL_FILES = 5, MOST_WORDS = 16 };
static const char *const names[] = {"config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors",
                                    "1_Pooling/config.json", "inputs", "lines"};
enum { PARTS = sizeof names / sizeof *names };

/* How the answer is written, and so what can be said of it. LINES: it quotes lines of the input as they stand, as grep
 * does. */
typedef enum { ANSWER_TEXT, ANSWER_LINES, ANSWER_JSON, ANSWER_BYTES, ANSWER_FILE } Answer;
static const struct { Answer answer; const char *words; } commands[] = {
    {ANSWER_TEXT, "info"}, {ANSWER_TEXT, "info -v"},
    {ANSWER_TEXT, "trace --inputs INPUTS"}, {ANSWER_FILE, "trace --inputs INPUTS -o OUT"},
    {ANSWER_FILE, "trace -f TEXT -o OUT --max-length 4 --pad --truncate"},
    {ANSWER_TEXT, "embed -f TEXT"}, {ANSWER_JSON, "embed --format json --inputs INPUTS --pooling none"},
    {ANSWER_BYTES, "embed --format npy -f TEXT --layers 0..-1 --combine cat"},
    {ANSWER_JSON, "fill-mask --format json -f TEXT"}, {ANSWER_TEXT, "fill-mask --inputs INPUTS --gelu tanh"},
    {ANSWER_JSON, "next-sentence --format json --pairs -f TEXT"},
    {ANSWER_JSON, "attention --format json -f TEXT --truncate"}, {ANSWER_TEXT, "attention --inputs INPUTS"},
    {ANSWER_JSON, "tokenize --format json -f TEXT"}, {ANSWER_TEXT, "tokenize --trace -f TEXT --pairs"},
    {ANSWER_TEXT, "tokenize -f TEXT --no-special"}, {ANSWER_TEXT, "vocab 0:20"},
    {ANSWER_TEXT, "similarity --word a -f TEXT --by-layer"}, {ANSWER_LINES, "rank a -f TEXT --top-k 3"},
    {ANSWER_TEXT, "verify INPUTS --isolate"}, {ANSWER_TEXT, "verify INPUTS a"},
    {ANSWER_JSON, "tag --format json -f TEXT --truncate"}, {ANSWER_TEXT, "tag -f TEXT --max-length 4 --stride 1"},
    {ANSWER_JSON, "answer --format json -f TEXT --impossible --top-k 3"},
    {ANSWER_TEXT, "answer -f TEXT --max-length 6 --stride 1 --max-answer 2"},
    {ANSWER_JSON, "classify --format json -f TEXT"}, {ANSWER_TEXT, "classify -f TEXT --pairs --truncate --top-k 2"},
    {ANSWER_JSON, "classify --format json --labels a,b --multi -f TEXT"}, {ANSWER_TEXT, "choose a -f TEXT"},
    {ANSWER_LINES, "rank a --activation sigmoid -f TEXT"}, {ANSWER_TEXT, "explain --step 14 -f TEXT"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* The words of a command line, with -m and -q; argv points into `line` and to paths. */
static int make_argv(char *line, char *argv[MOST_WORDS])
{
    int argc = 0;
    argv[argc++] = (char *)(uintptr_t)"bert";
    for (char *word = strtok(line, " "); word && argc < MOST_WORDS - 4; word = strtok(NULL, " ")) {
        const char *path = !strcmp(word, "TEXT") ? "lines" : !strcmp(word, "INPUTS") ? "inputs" :
                           !strcmp(word, "OUT") ? "out" : NULL;
        argv[argc++] = path ? (char *)(uintptr_t)fuzz_path(path) : word;
    }
    argv[argc++] = (char *)(uintptr_t)"-q";
    argv[argc++] = (char *)(uintptr_t)"-m";
    argv[argc++] = (char *)(uintptr_t)fuzz_path("");
    argv[argc] = NULL;
    return argc;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Answers. Standard output is a file in memory, emptied before each run.
 * ------------------------------------------------------------------------------------------------------------------ */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_expect(freopen(fuzz_path("stdout"), "w+b", stdout) != NULL, "standard output to a file");
    return 0;
}

/* Each line is a JSON object. (fill-mask may write an array of them over several lines: `[`, objects, `]`.) */
static void check_json(const uint8_t *text, size_t size)
{
    for (size_t at = 0; at < size; ) {
        const uint8_t *end = memchr(text + at, '\n', size - at);
        fuzz_expect(end != NULL, "the last line is whole");
        JsonReader j;
        Error e;
        bool more;
        Status s = json_open(&j, "answer", text + at, (size_t)(end - text) - at, 1, &e);
        while (s == BERT_OK && (s = json_next_key(&j, NULL, 0, &more, &e)) == BERT_OK && more) s = json_skip(&j, &e);
        if (s == BERT_OK) s = json_end(&j, &e);
        fuzz_expect(s == BERT_OK, "an answer is JSON: %s", e.message);
        at = (size_t)(end - text) + 1;
    }
}

/* What was written to standard output, whole lines of it even where the run ended with an error. */
static void check_stdout(Answer answer)
{
    FileView file;
    Error e;
    fflush(stdout);
    fuzz_expect(file_open(&file, fuzz_path("stdout"), &e) == BERT_OK, "%s", e.message);
    if (answer == ANSWER_JSON) check_json(file.data, file.size);
    if (answer != ANSWER_BYTES)
        fuzz_expect(fuzz_valid_utf8(file.data, file.size) == file.size, "an answer is UTF-8");
    if (answer != ANSWER_BYTES && answer != ANSWER_LINES)
        fuzz_expect(fuzz_is_tame(file.data, file.size), "an answer leaves the terminal alone");
    file_close(&file);
    rewind(stdout);
    fuzz_expect(ftruncate(fileno(stdout), 0) == 0, "standard output is emptied");
}

/* A trace is a file like any other; without success there is none. */
static void check_file(Status s)
{
    Safetensors st;
    Error e;
    const char *path = fuzz_path("out");
    if (s == BERT_OK) {
        fuzz_expect(safetensors_open(&st, path, &e) == BERT_OK && safetensors_find(&st, "input_ids"), "%s", e.message);
        safetensors_close(&st);
    }
    fuzz_expect((access(path, F_OK) == 0) == (s == BERT_OK), "a file that is whole, or none");
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzPart parts[PARTS];
    char line[128], *argv[MOST_WORDS + 1];
    Error e = {0};
    const uint8_t options = fuzz_split(parts, PARTS, data, size);
    fuzz_begin();
    for (int i = 0; i < PARTS; i++)
        if (parts[i].size || i >= MODEL_FILES) fuzz_put(names[i], parts[i].bytes, parts[i].size);
        else fuzz_remove(names[i]);
    const Answer answer = commands[options % COMMANDS].answer;
    snprintf(line, sizeof line, "%s", commands[options % COMMANDS].words);
    int argc = make_argv(line, argv);
    Status s = run_command(argc, argv, &e);
    fuzz_expect_status(s, &e, "1345");
    check_stdout(answer);
    if (answer == ANSWER_FILE) check_file(s);
    return 0;
}

static size_t mutate_part(size_t part, uint8_t *bytes, size_t size, size_t max_size, unsigned seed)
{
    if (part == 3 || part == MODEL_FILES) return fuzz_mutate_safetensors(bytes, size, max_size, seed);
    return LLVMFuzzerMutate(bytes, size, max_size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, PARTS, mutate_part);
}
