/* test_transcript.c - what the commands print, word for word: tests/golden/commands.txt, messages.txt, files.txt,
 * heads.txt, edges.txt, terminal.txt, training.txt and tasks.txt on the model "tiny", pocket.txt on weights/pocket, and
 * documents.txt on bert-base-uncased.
 * The numbers are the same on every machine, and so is the text.
 *
 * A transcript says that something is another text than it was; whether it is right is said by the tests that compare
 * it with numbers of other origin (test_output.c, test_explain.c). Where a change is meant:
 *
 *     NEW_TRANSCRIPT=1 build/tests transcript        writes all files anew; then read the difference
 *
 * In the files, `$ ` begins a command without its `bert`, `& ` one on a terminal, whose stderr is not heard, `% ` one
 * for the shell, which makes the next one's files. @ is the model's directory (and stands for `-m @`, unless the
 * command names another model), N the number of a line of the sources. What went to stderr comes behind the answer,
 * with `! ` before each line; the last line is the exit code. */
#include "shell.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char notes[256];             /* a directory: what goes to stderr */

/* Appends to a text that grows. */
typedef struct {
    char *text;
    size_t used, room;
} Growing;

static void grow(Growing *g, const char *text, size_t n)
{
    if (g->used + n + 1 > g->room) {
        g->room = 2 * (g->used + n) + 4096;
        g->text = realloc(g->text, g->room);
        if (!g->text) abort();
    }
    memcpy(g->text + g->used, text, n);
    g->text[g->used += n] = 0;
}

/* The same with every occurrence of `from` replaced. */
static void grow_replaced(Growing *g, const char *text, const char *from, const char *to)
{
    for (const char *at; *from && (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        grow(g, text, (size_t)(at - text));
        grow(g, to, strlen(to));
    }
    grow(g, text, strlen(text));
}

/* "bert.c:183" -> "bert.c:N": a line of a source moves with every comment above it. */
static void without_line_numbers(char *text)
{
    char *to = text;
    for (const char *from = text; *from; ) {
        const size_t digits = to - text >= 3 && !strncmp(to - 3, ".c:", 3) ? strspn(from, "0123456789") : 0;
        *to++ = digits ? 'N' : *from;
        from += digits ? digits : 1;
    }
    *to = 0;
}

/* The exit code of a command; its `answer`, with ESC as \e, is what it printed. `arguments` are what comes behind the
 * verb; @ is the model's directory there. */
static int answer_to(Growing *answer, char kind, const char *verb, const char *arguments)
{
    Growing shell = {0}, raw = {0};
    grow_replaced(&shell, arguments, "@", tiny);
    /* compare needs no model */
    const bool model = kind != '%' && strcmp(verb, "compare") && *tiny && !strstr(arguments, "-m ");
    const char *program = kind == '%' ? "" : "./bert ", *m = model ? "-m " : "", *directory = model ? tiny : "";
    const int code = kind == '&' ?
        run_on_terminal("TERM=xterm %s%s %s%s %s", program, verb, m, directory, shell.text) :
        run("{ %s%s %s%s %s; } </dev/null 2>%s/stderr; code=$?; sed 's/^/! /' %s/stderr; exit $code", program, verb, m,
            directory, shell.text, notes, notes);
    without_line_numbers(output);
    grow_replaced(&raw, output, "\033", "\\e");
    grow_replaced(answer, raw.text, tiny, "@");
    free(shell.text), free(raw.text);
    return code;
}

/* Runs a command of a transcript, of the kind '$', '%' or '&', and appends it with its answer. */
static void play(Growing *g, char kind, const char *command)
{
    Growing answer = {0};
    char verb[64], code[32];
    const char *rest = command + (kind == '%' ? 0 : strcspn(command, " "));
    snprintf(verb, sizeof verb, "%.*s", (int)(rest - command), command);
    const int exit_code = answer_to(&answer, kind, verb, rest);
    snprintf(code, sizeof code, "[%d]\n", exit_code);
    grow(g, (char[]){kind, ' '}, 2), grow(g, command, strlen(command)), grow(g, "\n", 1);
    grow(g, answer.text, answer.used);
    grow(g, code, strlen(code));
    free(answer.text);
}

/* The next command of a transcript, or its end. */
static const char *next_command(const char *at)
{
    while ((at = strchr(at, '\n')) != NULL && *++at)
        if ((*at == '$' || *at == '%' || *at == '&') && at[1] == ' ') return at;
    return NULL;
}

/* The whole file, malloc'ed. */
static char *read_transcript(const char *path)
{
    Growing g = {0};
    char piece[4096];
    FILE *f = fopen(path, "rb");
    if (!check(f != NULL, "%s can be read", path)) return NULL;
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0; ) grow(&g, piece, n);
    fclose(f);
    return g.text;
}

/* Plays the commands of a transcript again; shows the first line of each answer that is another one. */
static void check_transcript(const char *path)
{
    char *expected = read_transcript(path), command[2000];
    Growing all = {0};
    int commands = 0;
    if (!check(formula_directory(notes), "there is a directory")) return;
    for (const char *at = expected; at && *at; ) {
        const char *next = next_command(at), *end = next ? next : at + strlen(at);
        const size_t before = all.used;
        snprintf(command, sizeof command, "%.*s", (int)strcspn(at + 2, "\n"), at + 2);
        play(&all, *at, command);
        const char *got = all.text + before, *want = at;
        while (want < end && *got == *want) got++, want++;
        while (want > at && want[-1] != '\n') got--, want--;
        check(*got == 0 && want == end, "%s prints\n      %.*s\n    expected\n      %.*s", command,
              (int)strcspn(got, "\n"), got,
              want < end ? (int)strcspn(want, "\n") : 0, want);
        at = end, commands++;
    }
    FILE *f = getenv("NEW_TRANSCRIPT") && all.text ? fopen(path, "wb") : NULL;
    if (f) fputs(all.text, f), fclose(f);
    check(commands > 2, "%s: %d commands", path, commands);
    run("rm %s/stderr", notes);
    formula_remove(notes);
    free(expected), free(all.text);
}

/* a and b: a trace, and the same with the other GELU; c: of another text; ids: two rows of ids and nothing else. */
static void the_transcript_of_the_commands_is_the_same(void)
{
    int64_t ids[2][4] = {{2, 61, 62, 3}, {2, 9, 63, 3}};
    SafeTensor t = {.name = (char[]){"input_ids"}, .dtype = DTYPE_I64, .rank = 2, .shape = {2, 4}, .count = 8,
                    .data = ids};
    char path[300];
    Error e = {0};
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/ids", tiny);
    check(safetensors_write(path, &t, 1, NULL, 0, &e) == BERT_OK, "%s", e.message);
    run("for t in 'a erf cat' 'b tanh cat' 'c erf dog'; do set -- $t; "
        "./bert trace -m %s --gelu $2 -o %s/$1 \"the $3\"; done", tiny, tiny);
    check_transcript("tests/golden/commands.txt");
    run("rm %s/a %s/b %s/c %s/ids", tiny, tiny, tiny, tiny);
    formula_remove(tiny);
}

/* What goes wrong, and what is said then: wrong usage, wrong models, wrong texts. */
static void the_transcript_of_the_messages_is_the_same(void)
{
    if (!tiny_model()) return;
    check_transcript("tests/golden/messages.txt");
    formula_remove(tiny);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Files of others: traces under other names, in other layouts, with wrong numbers; weights of modules
 * ------------------------------------------------------------------------------------------------------------------ */

/* A tensor of a file. `from` is the name of one in the trace `a` of two padded sentences, or "" for numbers that a
 * formula makes. Of the change, each letter is a step: T transposes the last two dimensions, H makes float16 of the
 * numbers, D float64, X adds 0.5 to number 7, N makes it NaN, I infinite, Z makes all of them 0, L int64, J int32; M
 * adds 3 to the last two tokens of the first sentence, which are masked. */
typedef struct {
    const char *file, *from, *to;
    int rank;
    size_t shape[4];
    const char *change;
} Made;

#define L0 "encoder.layer.0."
#define L1 "encoder.layer.1."
static const Made made[] = {
    {"lens", "input_ids", "input_ids", 2, {2, 6}, "L"}, {"lens", "attention_mask", "attention_mask", 2, {2, 6}, "L"},
    {"lens", "embeddings.LayerNorm", "hook_full_embed", 3, {2, 6, 24}, ""},
    {"lens", L0 "attention.self.query", "blocks.0.attn.hook_q", 4, {2, 6, 3, 8}, ""},
    {"lens", L0 "attention.self.scores", "blocks.0.attn.hook_attn_scores", 4, {2, 3, 6, 6}, ""},
    {"lens", L0 "output.LayerNorm", "blocks.1.hook_resid_pre", 3, {2, 6, 24}, ""},
    {"lens", L1 "output.LayerNorm", "last_hidden_state", 3, {2, 6, 24}, ""},
    {"lens", "", "blocks.0.hook_resid_mid", 3, {2, 6, 24}, ""}, {"lens", "", "x[2J", 1, {24}, ""},
    {"half", "input_ids", "input_ids", 2, {2, 6}, "L"}, {"half", "attention_mask", "attention_mask", 2, {2, 6}, "J"},
    {"half", "token_type_ids", "token_type_ids", 2, {2, 6}, "L"},
    {"half", L0 "attention.self.query", L0 "attention.self.query", 3, {2, 6, 24}, "H"},
    {"half", L0 "attention.self.value", L0 "attention.self.value", 3, {2, 6, 24}, "D"},
    {"half", L1 "output.LayerNorm", "sequence_output", 3, {2, 6, 24}, "H"},
    {"swapped", "input_ids", "input_ids", 2, {2, 6}, "L"},
    {"swapped", "attention_mask", "attention_mask", 2, {2, 6}, "L"},
    {"swapped", L0 "attention.self.key", L0 "attention.self.key", 3, {2, 24, 6}, "T"},
    {"swapped", L0 "attention.self.value", L0 "attention.self.value", 3, {2, 6, 24}, "T"},
    {"swapped", L0 "output.LayerNorm", "hidden_states.1", 3, {2, 6, 24}, ""},
    {"wrong", "input_ids", "input_ids", 2, {2, 6}, "L"}, {"wrong", "attention_mask", "attention_mask", 2, {2, 6}, "L"},
    {"wrong", L0 "attention.self.key", L0 "attention.self.key", 3, {2, 6, 24}, "X"},
    {"wrong", L0 "attention.output.dense", L0 "attention.output.dense", 3, {2, 6, 24}, "N"},
    {"wrong", L0 "intermediate", L0 "intermediate", 3, {2, 6, 56}, "I"},
    {"wrong", L0 "output.LayerNorm", L0 "output.LayerNorm", 3, {2, 6, 24}, ""},
    {"wrong", "pooler", "pooler_output", 2, {2, 24}, "X"},
    {"zeros", "input_ids", "input_ids", 2, {2, 6}, "L"}, {"zeros", "attention_mask", "attention_mask", 2, {2, 6}, "L"},
    {"zeros", L1 "attention.self.context", L1 "attention.self.context", 3, {2, 6, 24}, "Z"},
    {"one", "input_ids", "input_ids", 2, {2, 6}, "L"}, {"one", "attention_mask", "attention_mask", 2, {2, 6}, "L"},
    {"one", L1 "attention.self.probs", L1 "attention.self.probs", 4, {2, 3, 6, 6}, "X"},
    {"masked", "input_ids", "input_ids", 2, {2, 6}, "L"},
    {"masked", "attention_mask", "attention_mask", 2, {2, 6}, "L"},
    {"masked", L0 "output.LayerNorm", L0 "output.LayerNorm", 3, {2, 6, 24}, "M"},
    {"masked", L1 "attention.self.value", L1 "attention.self.value", 3, {2, 6, 24}, "M"},
    {"masked", L1 "output.LayerNorm", L1 "output.LayerNorm", 3, {2, 6, 24}, "MX"},
    {"shape", "input_ids", "input_ids", 2, {2, 6}, "L"}, {"shape", "", L0 "output.dense", 3, {2, 6, 23}, ""},
    {"shape", "", "pooler", 1, {24}, "L"},
    {"other", "input_ids", "input_ids", 2, {2, 6}, "L"}, {"other", "", "decoder.block.0", 2, {6, 24}, ""},
    {"rows", "input_ids", "input_ids", 1, {12}, "L"}, {"rows", "", "attention_mask", 1, {11}, "L"},
    {"float", "", "input_ids", 2, {2, 6}, ""}, {"deep", "input_ids", "input_ids", 4, {1, 2, 1, 6}, "L"},
    {"short", "input_ids", "input_ids", 2, {2, 6}, "J"},
    {"dense.safetensors", "", "linear.weight", 2, {8, 24}, ""}, {"dense.safetensors", "", "linear.bias", 1, {8}, ""},
    {"wide.safetensors", "", "linear.weight", 2, {40, 24}, ""}, {"wide.safetensors", "", "linear.bias", 1, {40}, ""},
    {"norm.safetensors", "", "norm.weight", 1, {8}, ""}, {"norm.safetensors", "", "norm.bias", 1, {8}, ""},
};
enum { MADE = sizeof made / sizeof *made, MOST_NUMBERS = 2048 };

/* The nearest float16 of a number below 65504: 11 bits of it, fewer where it is below 2^-14. */
static uint16_t half_of(double x)
{
    int exponent;
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    const double fraction = frexp(fabs(x), &exponent);                  /* |x| = fraction 2^exponent, from 1/2 to 1 */
    if (exponent < -13) return sign | (uint16_t)rint(ldexp(fabs(x), 24));
    return (uint16_t)(sign + (exponent + 14) * 1024 + (int)rint(fraction * 2048) - 1024);
}

/* Number i of a tensor, from the trace or from the formula, and changed. */
static double made_number(const Made *m, const SafeTensor *from, size_t i)
{
    const size_t cols = m->shape[m->rank - 1], rows = m->rank > 1 ? m->shape[m->rank - 2] : 1;
    const size_t square = rows * cols, in = i % square;
    if (strchr(m->change, 'T')) i = i / square * square + in % cols * rows + in / cols;
    if (i == 7 && strchr(m->change, 'N')) return NAN;
    if (i == 7 && strchr(m->change, 'I')) return INFINITY;
    if (strchr(m->change, 'Z')) return 0;
    if (!from) return formula_value(m->to, i) + (strchr(m->change, 'L') ? 1 : 0);
    const double x = from->dtype == DTYPE_I64 ? (double)((const int64_t *)from->data)[i] : tensor_element(from, i);
    const bool masked = i < square && i / cols + 2 >= rows && strchr(m->change, 'M');
    return x + (i == 7 && strchr(m->change, 'X') ? 0.5 : 0) + (masked ? 3 : 0);
}

/* The tensor m as a part of its file, its numbers in `room` (MOST_NUMBERS * 8 bytes). */
static SafeTensor make_tensor(const Made *m, const Safetensors *trace, void *room)
{
    const SafeTensor *from = *m->from ? safetensors_find(trace, m->from) : NULL;
    const char kind = strpbrk(m->change, "HDLJ") ? *strpbrk(m->change, "HDLJ") : 0;
    SafeTensor t = {.name = (char *)(size_t)m->to, .rank = m->rank, .count = 1, .data = room, .dtype =
                    kind == 'H' ? DTYPE_F16 : kind == 'D' ? DTYPE_F64 : kind == 'L' ? DTYPE_I64 :
                    kind == 'J' ? DTYPE_I32 : DTYPE_F32};
    for (int k = 0; k < m->rank; k++) t.count *= t.shape[k] = m->shape[k];
    check(t.count <= MOST_NUMBERS && (!*m->from || from), "%s: %s is there", m->file, m->from);
    for (size_t i = 0; i < t.count; i++) {
        const double x = made_number(m, from, i);
        if (kind == 'H') ((uint16_t *)room)[i] = half_of(x);
        else if (kind == 'D') ((double *)room)[i] = x;
        else if (kind == 'L') ((int64_t *)room)[i] = (int64_t)x;
        else if (kind == 'J') ((int32_t *)room)[i] = (int32_t)x;
        else ((float *)room)[i] = (float)x;
    }
    return t;
}

/* All files of the table. */
static void make_files(const Safetensors *trace)
{
    enum { MOST_TENSORS = 12 };
    static double room[MOST_TENSORS][MOST_NUMBERS];
    for (size_t i = 0, n; i < MADE; i += n) {
        SafeTensor tensors[MOST_TENSORS];
        char path[300];
        Error e = {0};
        for (n = 0; i + n < MADE && n < MOST_TENSORS && !strcmp(made[i + n].file, made[i].file); n++)
            tensors[n] = make_tensor(&made[i + n], trace, room[n]);
        snprintf(path, sizeof path, "%s/%s", tiny, made[i].file);
        check(safetensors_write(path, tensors, n, NULL, 0, &e) == BERT_OK, "%s", e.message);
    }
}

/* The tiny model's weights with a head of K rows of formula numbers, as a file of that name. */
static void write_head(const char *file, const char *head, size_t K)
{
    static float numbers[9 * 24];
    char path[300], weight[64], bias[64];
    Safetensors model;
    Error e = {0};
    snprintf(path, sizeof path, "%s/model.safetensors", tiny);
    snprintf(weight, sizeof weight, "%s.weight", head);
    snprintf(bias, sizeof bias, "%s.bias", head);
    for (size_t i = 0; i < 9 * 24; i++) numbers[i] = formula_value(weight, i);
    if (!strcmp(file, "broken")) numbers[7] = NAN;
    if (!check(safetensors_open(&model, path, &e) == BERT_OK, "%s", e.message)) return;
    SafeTensor *all = calloc(model.count + 2, sizeof *all);
    if (!all) abort();
    memcpy(all, model.tensors, model.count * sizeof *all);
    all[model.count] = (SafeTensor){weight, DTYPE_F32, 2, {K, 24}, K * 24, numbers};
    all[model.count + 1] = (SafeTensor){bias, DTYPE_F32, 1, {K}, K, numbers + 8 * 24};
    snprintf(path, sizeof path, "%s/%s", tiny, file);
    check(safetensors_write(path, all, model.count + 2, NULL, 0, &e) == BERT_OK, "%s", e.message);
    free(all);
    safetensors_close(&model);
}

/* A file of --inputs: two rows of four ids, and what the model should have said: those tensors that `kinds` names. w: a
 * label for each token; n: next sentences; t: a label for each text; s, e: first and last token of an answer; L: a
 * label that no head of the tests has. m, y: masks and token types, which differ from row to row. */
static void write_gold(const char *file, const char *kinds)
{
    static int64_t numbers[9][8] = {{2, 61, 62, 3, 2, 9, 63, 3}, {-100, 2, -100, 4, 0, -100, -100, 1}, {0, 1}, {2, 0},
                                    {1, 2}, {2, 2}, {0, 200}, {1, 1, 1, 1, 1, 0, 1, 1}, {0, 0, 1, 1, 0, 2, 2, 1}};
    static const char letters[] = "iwntseLmy";
    static char names[9][20] = {"input_ids", "labels", "next_sentence_label", "labels", "start_positions",
                                "end_positions", "labels", "attention_mask", "token_type_ids"};
    SafeTensor tensors[9];
    char path[300];
    size_t count = 0;
    Error e = {0};
    for (int k = 0; k < 9; k++) {
        const bool wide = k < 2 || k > 6;
        if (strchr(kinds, letters[k]))
            tensors[count++] = (SafeTensor){names[k], DTYPE_I64, wide ? 2 : 1, {2, wide ? 4 : 0}, wide ? 8 : 2,
                                            numbers[k]};
    }
    snprintf(path, sizeof path, "%s/%s", tiny, file);
    check(safetensors_write(path, tensors, count, NULL, 0, &e) == BERT_OK, "%s", e.message);
}

/* Rows of ids for --inputs, of which the last number of one tensor is at its limit, or beyond; a row without a token
 * that may be looked at; and one that is longer than the model. */
static void write_limits(void)
{
    static const struct { const char *file; int tensor; int64_t last; size_t T; } cases[] = {
        {"ids", 0, 3, 4}, {"id-low", 0, -1, 4}, {"id-last", 0, 100, 4}, {"id-high", 0, 101, 4}, {"type-last", 1, 2, 4},
        {"type-high", 1, 3, 4}, {"mask-low", 2, -1, 4}, {"mask-high", 2, 2, 4}, {"mask-none", 2, 0, 4},
        {"wide-row", 0, 3, 33}};
    static char names[3][16] = {"input_ids", "token_type_ids", "attention_mask"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t numbers[3][33];
        SafeTensor tensors[3];
        char path[300];
        Error e = {0};
        const size_t T = cases[i].T;
        for (int k = 0; k < 3; k++) {
            for (size_t t = 0; t < T; t++) numbers[k][t] = k == 0 ? 60 : k == 1 || strcmp(cases[i].file, "mask-none");
            if (cases[i].tensor == k) numbers[k][T - 1] = cases[i].last;
            tensors[k] = (SafeTensor){names[k], DTYPE_I64, 2, {1, T}, T, numbers[k]};
        }
        snprintf(path, sizeof path, "%s/%s", tiny, cases[i].file);
        check(safetensors_write(path, tensors, 3, NULL, 0, &e) == BERT_OK, "%s", e.message);
    }
}

/* Options, lengths, counts and ids at their exact limit, and what is said beyond it; words that nearly name one. */
static void the_transcript_of_the_edges_is_the_same(void)
{
    if (too_slow() || !tiny_model()) return;
    write_head("one", "classifier", 1);
    write_head("three", "classifier", 3);
    write_head("broken", "classifier", 3);
    write_limits();
    check_transcript("tests/golden/edges.txt");
    run("cd %s && rm one three broken ids id-* type-* mask-* wide-row", tiny);
    formula_remove(tiny);
}

/* What eyes see: four decimals, colours, the first numbers of a vector. */
static void the_transcript_on_a_terminal_is_the_same(void)
{
    if (!tiny_model()) return;
    if (have_terminal()) {
        write_head("three", "classifier", 3);
        write_head("five", "classifier", 5);
        write_head("span", "qa_outputs", 2);
        write_limits();
        check_transcript("tests/golden/terminal.txt");
        run("cd %s && rm three five span ids id-* type-* mask-* wide-row", tiny);
    }
    formula_remove(tiny);
}

/* What training prints and writes into its log, but for how fast it was; vocabularies; and gradients, of all heads. */
static void the_transcript_of_training_is_the_same(void)
{
    static const char *const gold[][2] = {
        {"gold", "iwn"}, {"gold-words", "iw"}, {"gold-next", "in"}, {"gold-texts", "it"}, {"gold-tokens", "iw"},
        {"gold-answers", "ise"}, {"gold-half", "is"}, {"gold-large", "iL"}};
    if (!tiny_model()) return;
    write_head("three", "classifier", 3);
    write_head("five", "classifier", 5);
    write_head("span", "qa_outputs", 2);
    for (size_t i = 0; i < sizeof gold / sizeof *gold; i++) write_gold(gold[i][0], gold[i][1]);
    check_transcript("tests/golden/training.txt");
    run("cd %s && rm three five span gold*", tiny);
    formula_remove(tiny);
}

/* Learning once more: from labels, from a teacher (the model "odd"), from what a directory holds; every note, every
 * refusal, and lengths at their exact edge. tests/learn.sh runs it and shows what it left. */
static void the_transcript_of_tasks_is_the_same(void)
{
    char odd[300];
    Error e = {0};
    if (too_slow() || !tiny_model()) return;
    run("mkdir %s/odd", tiny);
    snprintf(odd, sizeof odd, "%s/odd", tiny);
    check(formula_model(odd, "odd", &e) == BERT_OK, "%s", e.message);
    write_gold("gold", "iwn");
    write_gold("gold-words", "iw");
    write_gold("gold-next", "in");
    write_gold("gold-half", "is");
    write_gold("gold-mask", "iwmy");
    check_transcript("tests/golden/tasks.txt");
    run("cd %s && rm -r odd gold*", tiny);
    formula_remove(tiny);
}

/* Models with a head for a task. */
static void the_transcript_of_the_heads_is_the_same(void)
{
    if (!tiny_model()) return;
    write_head("one", "classifier", 1);
    write_head("three", "classifier", 3);
    write_head("five", "classifier", 5);
    write_head("broken", "classifier", 3);
    write_head("span", "qa_outputs", 2);
    check_transcript("tests/golden/heads.txt");
    run("cd %s && rm one three five broken span", tiny);
    formula_remove(tiny);
}

static void the_transcript_of_the_files_is_the_same(void)
{
    Safetensors trace;
    char path[300];
    Error e = {0};
    if (!tiny_model()) return;
    run("./bert trace -m %s --max-length 6 --pad -o %s/a 'the cat' 'a dog on my'", tiny, tiny);
    snprintf(path, sizeof path, "%s/a", tiny);
    if (check(safetensors_open(&trace, path, &e) == BERT_OK, "%s", e.message)) {
        make_files(&trace);
        safetensors_close(&trace);
        check_transcript("tests/golden/files.txt");
    }
    run("cd %s && rm -f a", tiny);
    for (size_t i = 0; i < MADE; i++) {
        snprintf(path, sizeof path, "%s/%s", tiny, made[i].file);
        remove(path);
    }
    formula_remove(tiny);
}

static void the_transcript_of_the_documents_is_the_same(void)
{
    if (too_slow() || !real_weights("bert-base-uncased")) return;
    *tiny = 0;                                                          /* the default model */
    check_transcript("tests/golden/documents.txt");
}

/* A real model that is always there: the heads, and tasks on top of it. */
static void the_transcript_of_the_pocket_model_is_the_same(void)
{
    if (!tiny_model()) return;
    check_transcript("tests/golden/pocket.txt");
    formula_remove(tiny);
}

const Test transcript_tests[] = {
    {"the_transcript_of_the_commands_is_the_same", the_transcript_of_the_commands_is_the_same},
    {"the_transcript_of_the_messages_is_the_same", the_transcript_of_the_messages_is_the_same},
    {"the_transcript_of_the_edges_is_the_same", the_transcript_of_the_edges_is_the_same},
    {"the_transcript_on_a_terminal_is_the_same", the_transcript_on_a_terminal_is_the_same},
    {"the_transcript_of_training_is_the_same", the_transcript_of_training_is_the_same},
    {"the_transcript_of_tasks_is_the_same", the_transcript_of_tasks_is_the_same},
    {"the_transcript_of_the_files_is_the_same", the_transcript_of_the_files_is_the_same},
    {"the_transcript_of_the_heads_is_the_same", the_transcript_of_the_heads_is_the_same},
    {"the_transcript_of_the_documents_is_the_same", the_transcript_of_the_documents_is_the_same},
    {"the_transcript_of_the_pocket_model_is_the_same", the_transcript_of_the_pocket_model_is_the_same},
    {NULL, NULL},
};
