/* test_explain.c - `bert explain` from outside, and the places in the sources that it and the README name. The values
 * are compared with those of `bert trace`; most runs use a tiny model made by formula.c. */
#include "../steps.h"
#include "formula.h"
#include "test.h"
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char tiny[256];              /* V 101, P 32, L 2, H 24, A 3 */
static char output[1 << 20];

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    fflush(stdout);
    FILE *pipe = popen(command, "r");
    if (!pipe) return -1;
    output[fread(output, 1, sizeof output - 1, pipe)] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool tiny_model(void)
{
    Error e = {0};
    bool ok = formula_directory(tiny) && formula_model(tiny, "tiny", &e) == BERT_OK;
    return check(ok, "the tiny model is written: %s", e.message);
}

/* =====================================================================================================================
 * The output as a whole
 * ================================================================================================================== */

/* Lines that begin with "STEP n ", in order, each once. */
static void check_headings(const char *what)
{
    int n = 0;
    for (const char *line = output; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (!strncmp(line, "STEP ", 5) && ++n) check(atoi(line + 5) == n, "%s: the %d. step is %.20s", what, n, line);
    check(n == 16, "%s: %d steps", what, n);
}

/* Neither a line over 80 columns, nor blanks at the end of one, nor anything for a terminal. Characters count, not
 * bytes; ideographs count twice. */
static void check_layout(const char *what)
{
    int columns = 0;
    for (const char *c = output; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        check(*c != 033, "%s: an escape sequence", what);
        if (*c != '\n') columns += (byte & 0xC0) == 0x80 ? 0 : byte >= 0xE3 ? 2 : 1;
        if (*c == '\n' || !c[1]) {
            check(columns <= 80, "%s: a line of %d columns: %.*s", what, columns, 90, c - (c - output < 90 ? 0 : 89));
            check(c == output || c[-1] != ' ', "%s: a blank before the end of a line", what);
            columns = 0;
        }
    }
}

static void all_sixteen_steps_are_explained_once_and_in_order(void)
{
    if (!tiny_model()) return;
    check(run("./bert explain -m %s 'the cat sat on my [MASK]'", tiny) == 0, "exit code 0");
    check_headings("a sentence");
    check(run("./bert explain -m %s --pair 'the dog' 'the cat'", tiny) == 0, "exit code 0");
    check_headings("a pair");
    run("./bert trace -m %s -o %s/ids 'the cat' && ./bert explain -m %s --inputs %s/ids; rm %s/ids", tiny, tiny, tiny,
        tiny, tiny);
    check_headings("ids from a file");
    check(strstr(output, "the ids came from a file") != NULL, "steps 1 to 3 are not made up: %s", output);
    for (int n = 1; n <= 16; n++) {
        check(run("./bert explain -m %s --step %d 'the cat'", tiny, n) == 0, "--step %d", n);
        const char *first = strstr(output, "STEP ");
        check(first && atoi(first + 5) == n && !strstr(first + 5, "\nSTEP "), "--step %d shows it alone", n);
    }
    formula_remove(tiny);
}

/* Long words, long texts, ideographs, control characters; the whole, and each step by itself. */
static void no_explanation_is_wider_than_80_columns(void)
{
    static const char *const texts[] = {
        "'the cat sat on my [MASK]'", "''", "'[MASK] [MASK]'", "\"$(printf '%0300d' 1)\"",
        "\"$(yes the bank | head -40)\"", "\"$(printf '\\344\\270\\255\\346\\226\\207%.0s' 1 2 3 4 5 6 7 8 9)\"",
        "\"$(printf 'a\\033[2Jb\\177\\302\\233')\"",
        "--max-length 32 --pad 'the cat'", "--pair 'the dog' 'the cat'"};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int step = 0; step <= 16; step++) {
            char option[24] = "";
            if (step) snprintf(option, sizeof option, "--step %d", step);
            int code = run("./bert explain -m %s --truncate %s %s", tiny, option, texts[i]);
            check(code == 0, "%s: exit code %d", texts[i], code);
            check_layout(texts[i]);
        }
    run("echo 'the cat' | ./bert explain -m %s", tiny);
    check_headings("a line of stdin");
    check(run("printf 'the cat\\nthe dog\\n' | ./bert explain -m %s --step 9 | grep -c '^STEP 9'", tiny) == 0 &&
          atoi(output) == 2, "every line is explained: %s", output);
    formula_remove(tiny);
}

static void layers_heads_and_steps_that_do_not_exist_are_usage_errors(void)
{
    static const char *const wrong[] = {"--step 17", "--step 0", "--layer 2", "--head 3", "--step x", "--top-k 3"};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check(run("./bert explain -m %s %s 'the cat' 2>/dev/null", tiny, wrong[i]) == 2 && !*output, "%s", wrong[i]);
        run("./bert explain -m %s %s 'the cat' 2>&1", tiny, wrong[i]);
        check(!strncmp(output, "bert: ", 6), "%s: one line: %s", wrong[i], output);
    }
    formula_remove(tiny);
}

/* The names of the heads' tensors are spoiled, so that the weights have no heads. */
static void heads_that_are_missing_are_said_not_made_up(void)
{
    if (!tiny_model()) return;
    run("LC_ALL=C sed -e 's/\"cls\\.predictions/\"xls.predictions/g' -e 's/\"cls\\.seq/\"xls.seq/g' "
        "%s/model.safetensors > %s/m; mv %s/m %s/model.safetensors", tiny, tiny, tiny, tiny);
    check(run("./bert explain -m %s 'the [MASK]'", tiny) == 0, "exit code 0");
    check_headings("without heads");
    check(strstr(output, "no masked-language-model head") && !strstr(output, "softmax: the best"), "no MLM: %s",
          output);
    check(strstr(output, "no next-sentence head") && !strstr(output, "P(IsNext)"), "no NSP: %s", output);
    run("LC_ALL=C sed -e 's/pooler\\.dense/xooler.dense/g' %s/model.safetensors > %s/m; mv %s/m %s/model.safetensors",
        tiny, tiny, tiny, tiny);
    check(run("./bert explain -m %s --step 14 'the cat'", tiny) == 0 && strstr(output, "no pooler"), "no pooler: %s",
          output);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * The values
 * ================================================================================================================== */

/* The line that begins with two blanks and `label`, at or after `from`. */
static const char *find_line(const char *from, const char *label)
{
    for (const char *line = from; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (!strncmp(line, "  ", 2) && !strncmp(line + 2, label, strlen(label))) return line;
    return NULL;
}

/* Numbers behind a label, from column 20 on, against `count` numbers of a trace's tensor from element `at` on. */
static void check_row(const char *what, const char *line, const Safetensors *trace, const char *name, size_t at,
                      int count)
{
    const SafeTensor *t = safetensors_find(trace, name);
    if (!check(t != NULL, "%s: the trace has %s", what, name)) return;
    if (!check(line != NULL, "%s: there is the line", what)) return;
    char *next = (char *)(size_t)(line + 20);
    for (int i = 0; i < count; i++) {
        double shown = strtod(next, &next), traced = tensor_element(t, at + (size_t)i);
        check(fabs(shown - traced) <= 0.00005001, "%s: %s[%zu] is shown as %g and is %g", what, name, at + (size_t)i,
              shown, traced);                                       /* four decimals: half a unit of the last one */
    }
}

/* One table of `explain --step`: step, its heading, a row's label; and where the trace has the row. */
typedef struct {
    int step;
    const char *heading, *label, *name;
    size_t at;
    int count;
} Row;

/* Of the tiny model: H 24, A 3 (D 8), F 56, V 101; five tokens; layer 1, head 2. Token 3 is [MASK]. */
enum { TOKENS = 5, WIDE = 24, INNER = 56, COLUMN = 16, SQUARE = 2 * TOKENS * TOKENS };
#define BLOCK "encoder.layer.1."
static const Row rows[] = {
    {5, "  3 [MASK]", "word", "embeddings.word_embeddings", 3 * WIDE, 6},
    {5, "  3 [MASK]", "segment", "embeddings.token_type_embeddings", 3 * WIDE, 6},
    {5, "  3 [MASK]", "position", "embeddings.position_embeddings", 3 * WIDE, 6},
    {6, "hidden state 0", "  4 [SEP]", "embeddings.LayerNorm", 4 * WIDE, 6},
    {7, "query", "  1 the", BLOCK "attention.self.query", WIDE + COLUMN, 6},
    {7, "key", "  1 the", BLOCK "attention.self.key", WIDE + COLUMN, 6},
    {7, "value", "  1 the", BLOCK "attention.self.value", WIDE + COLUMN, 6},
    {10, "context", "  2 cat", BLOCK "attention.self.context", 2 * WIDE + COLUMN, 6},
    {10, "  3 [MASK]: p v_j", "their sum", BLOCK "attention.self.context", 3 * WIDE + COLUMN, 6},
    {11, "  2 cat", "x (residual)", "encoder.layer.0.output.LayerNorm", 2 * WIDE, 6},
    {11, "  2 cat", "dense", BLOCK "attention.output.dense", 2 * WIDE, 6},
    {11, "  2 cat", "LayerNorm", BLOCK "attention.output.LayerNorm", 2 * WIDE, 6},
    {12, "  2 cat", "dense", BLOCK "intermediate.dense", 2 * INNER, 6},
    {12, "  2 cat", "GELU", BLOCK "intermediate", 2 * INNER, 6},
    {13, "  0 [CLS]", "y (residual)", BLOCK "attention.output.LayerNorm", 0, 6},
    {13, "  0 [CLS]", "dense", BLOCK "output.dense", 0, 6},
    {13, "  0 [CLS]", "LayerNorm", BLOCK "output.LayerNorm", 0, 6},
    {14, "[CLS]", "last hidden state", BLOCK "output.LayerNorm", 0, 6},
    {14, "[CLS]", "dense", "pooler.dense", 0, 6},
    {14, "[CLS]", "tanh: the pooled", "pooler", 0, 6},
    {15, "  3 [MASK]", "dense", "cls.predictions.transform.dense", 3 * WIDE, 6},
    {15, "  3 [MASK]", "GELU", "cls.predictions.transform.transform_act_fn", 3 * WIDE, 6},
    {15, "  3 [MASK]", "LayerNorm", "cls.predictions.transform.LayerNorm", 3 * WIDE, 6},
    {15, "  3 [MASK]", "logits", "cls.predictions.decoder", 3 * 101, 6},
};

static void values_shown_are_those_of_the_trace(void)
{
    char path[300];
    Error e = {0};
    Safetensors trace;
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s 'the cat [MASK]'", tiny, path);
    if (!check(safetensors_open(&trace, path, &e) == BERT_OK, "%s", e.message)) return;
    for (const Row *r = rows; r < rows + sizeof rows / sizeof *rows; r++) {
        run("./bert explain -m %s --layer 1 --head 2 --step %d 'the cat [MASK]'", tiny, r->step);
        const char *heading = find_line(output, r->heading);
        check(heading != NULL, "step %d has %s: %s", r->step, r->heading, output);
        if (heading) check_row(r->heading, find_line(heading, r->label), &trace, r->name, r->at, r->count);
    }
    run("./bert explain -m %s --layer 1 --head 2 'the cat [MASK]'", tiny);
    const char *scores = strstr(output, "\nSTEP 8 "), *probs = strstr(output, "\nSTEP 9 ");
    if (check(scores && probs, "steps 8 and 9")) {
        const size_t at = SQUARE + TOKENS;                          /* head 2, query 1 */
        check_row("scores", find_line(scores + 1, "  1 the"), &trace, BLOCK "attention.self.scores", at, 5);
        check_row("probs", find_line(probs + 1, "  1 the"), &trace, BLOCK "attention.self.probs", at, 5);
    }
    safetensors_close(&trace);
    run("rm %s", path);
    formula_remove(tiny);
}

/* The bank sentence: what the tutorial prints, and what the other commands say. */
static void the_bank_sentence_explained(void)
{
    if (access("weights/bert-base-uncased/model.safetensors", R_OK)) {
        skip("weights/bert-base-uncased/model.safetensors is missing: make weights");
        return;
    }
    check(run("./bert explain 'After stealing money from the bank vault, the bank robber was seen fishing on the "
              "Mississippi river bank.'") == 0, "exit code 0");
    check_headings("the bank sentence");
    check_layout("the bank sentence");
    check(strstr(output, "22 tokens, 12L/768H/12A") && strstr(output, "token 19 bank"), "the last word is followed");
    check(strstr(output, "  6 and 10 bank         0.9386\n") && strstr(output, "  10 and 19 bank        0.6932\n"),
          "the two cosines: %s", strstr(output, "STEP 16"));
    run("./bert explain --step 15 'The cat sat on the [MASK].'");
    check(strstr(output, "0.3145  floor") != NULL, "floor: %s", output);
    run("./bert explain --step 9 --layer 8 --head 10 'The cat sat on the mat because it was tired.'");
    check(strstr(output, "    8 it               0.83   2 cat;") != NULL, "it looks at the cat: %s", output);
}

/* =====================================================================================================================
 * Places in the sources: steps.h and the README's links. After lines have moved: make tour
 * ================================================================================================================== */

/* Line n of a file, without its newline, into text[]. */
static bool line_of(const char *file, int n, char text[512])
{
    FILE *f = fopen(file, "r");
    bool found = false;
    for (int i = 1; f && fgets(text, 512, f); i++)
        if (i == n) {
            text[strcspn(text, "\n")] = 0;
            found = true;
            break;
        }
    if (f) fclose(f);
    return found;
}

static bool heads_step(const char *file, int line, int step)
{
    char text[512], heading[24];
    snprintf(heading, sizeof heading, "STEP %d - ", step);
    return line_of(file, line, text) && strstr(text, heading);
}

/* Does the definition of `name` begin on that line? */
static bool defines(const char *file, int line, const char *name)
{
    char text[512], call[128];
    snprintf(call, sizeof call, "%s(", name);
    if (!line_of(file, line, text) || isspace((unsigned char)*text) || strchr(text, ';')) return false;
    const char *at = strstr(text, call);
    return at && at > text && (at[-1] == ' ' || at[-1] == '*');
}

/* And the function that explain names for a step is defined between that step's heading and the next one. */
static void explain_names_the_lines_where_the_steps_stand(void)
{
    check(sizeof step_places / sizeof *step_places == 16, "sixteen places");
    for (int n = 1; n <= 16; n++)
        check(heads_step(step_places[n - 1].file, step_places[n - 1].line, n), "step %d is at %s:%d: make tour", n,
              step_places[n - 1].file, step_places[n - 1].line);
    if (!tiny_model()) return;
    run("./bert explain -m %s 'the cat'", tiny);
    for (int n = 1; n <= 16; n++) {
        char start[24], place[64], name[64] = "";
        snprintf(start, sizeof start, "STEP %d ", n);
        snprintf(place, sizeof place, " %s:%d ", step_places[n - 1].file, step_places[n - 1].line);
        const char *line = strstr(output, start), *at = line ? strstr(line, place) : NULL;
        if (!check(at && at < strchr(line, '\n'), "step %d names its place", n)) continue;
        sscanf(at + strlen(place), "%63[a-z_]", name);
        bool last = n == 16 || strcmp(step_places[n].file, step_places[n - 1].file), found = false;
        int end = last ? step_places[n - 1].line + 400 : step_places[n].line;
        for (int l = step_places[n - 1].line; l < end && !found; l++) found = defines(step_places[n - 1].file, l, name);
        check(found, "step %d: %s is defined there", n, name);
    }
    formula_remove(tiny);
}

/* [bert.c:783](bert.c#L783) in a line that begins with a step's number, and [`function`](bert.c#L800). */
static void check_link(const char *text, const char *label, const char *file, int line, int *step)
{
    char name[64] = "", place[96];
    snprintf(place, sizeof place, "%s:%d", file, line);
    if (label[1] == '`') {
        sscanf(label + 2, "%63[a-z_0-9]", name);
        check(defines(file, line, name), "README: %s is at %s: make tour", name, place);
        return;
    }
    check(!strncmp(label + 1, place, strlen(place)), "README: the label of %s says so: make tour", place);
    int number = atoi(text + strcspn(text, "0123456789"));
    check(number == *step + 1, "README: step %d comes after step %d", number, *step);
    check(heads_step(file, line, number), "README: step %d is at %s: make tour", number, place);
    *step = number;
}

static void links_of_the_readme_lead_to_their_lines(void)
{
    static char text[8192];
    FILE *f = fopen("README.md", "r");
    int links = 0, step = 0;
    if (!check(f != NULL, "README.md can be read")) return;
    while (fgets(text, sizeof text, f))
        for (char *at = text; (at = strstr(at, ".c#L")) != NULL; at++) {
            char *open = at, *label, file[64];
            while (open > text && *open != '(') open--;
            for (label = open; label > text && *label != '[';) label--;
            snprintf(file, sizeof file, "%.*s", (int)(at + 2 - open - 1), open + 1);
            check_link(text, label, file, atoi(at + 4), &step);
            links++;
        }
    fclose(f);
    check(step == 16, "README: the tour has %d of 16 steps", step);
    check(links >= 32, "README: %d links into the sources", links);
}

const Test explain_tests[] = {
    {"all_sixteen_steps_are_explained_once_and_in_order", all_sixteen_steps_are_explained_once_and_in_order},
    {"no_explanation_is_wider_than_80_columns", no_explanation_is_wider_than_80_columns},
    {"layers_heads_and_steps_that_do_not_exist_are_usage_errors",
     layers_heads_and_steps_that_do_not_exist_are_usage_errors},
    {"heads_that_are_missing_are_said_not_made_up", heads_that_are_missing_are_said_not_made_up},
    {"values_shown_are_those_of_the_trace", values_shown_are_those_of_the_trace},
    {"the_bank_sentence_explained", the_bank_sentence_explained},
    {"explain_names_the_lines_where_the_steps_stand", explain_names_the_lines_where_the_steps_stand},
    {"links_of_the_readme_lead_to_their_lines", links_of_the_readme_lead_to_their_lines},
    {NULL, NULL},
};
