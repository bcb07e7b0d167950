/* test_explain.c - `bert explain` from outside, and the places in the sources that it and the README name. The values
 * are compared with those of `bert trace`; most runs use a tiny model made by formula.c. */
#include "steps.h"
#include "shell.h"
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>


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

/* Line `line` of card n, from column 21 on, where its text begins; NULL: there is no such card. */
static const char *card_line(int n, int line)
{
    char number[8];
    snprintf(number, sizeof number, "\n%2d ", n);
    const char *at = strstr(output, number);
    for (at = at ? at + 1 : NULL; at && line > 1; line--) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return at && strcspn(at, "\n") > 21 ? at + 21 : NULL;
}

/* Sixteen cards in order, of three lines each, with nothing else between but the headings of the four modules. */
static void check_cards(const char *what)
{
    static const char *const modules[] = {"TOKENIZER", "EMBEDDING", "ENCODER", "TASK HEAD"};
    const char *line = strstr(output, "\n\nTOKENIZER\n");
    int lines = 0, module = 0;
    for (line = line ? line + 1 : output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const bool heads = module < 4 && !strncmp(line, modules[module], strlen(modules[module]));
        if (*line == '\n') continue;
        if (heads) {
            check(lines == (int[]){0, 12, 18, 39}[module], "%s: %s stands behind %d lines", what, modules[module],
                  lines);
            module++;
            continue;
        }
        const int number = lines % 3 == 0 ? atoi(line) : lines / 3 + 1;
        check(number == lines / 3 + 1, "%s: card %d begins: %.40s", what, lines / 3 + 1, line);
        check(lines % 3 == 0 || !strncmp(line, "   ", 3), "%s: card %d goes on: %.40s", what, lines / 3 + 1, line);
        check(strcspn(line, "\n") > 21 && line[20] == ' ' && line[21] != ' ', "%s: a text: %.40s", what, line);
        lines++;
    }
    check(lines == 48 && module == 4, "%s: %d lines under %d headings: %s", what, lines, module, output);
}

static void all_sixteen_steps_are_explained_once_and_in_order(void)
{
    if (!tiny_model()) return;
    check(run("./bert explain -m %s --all 'the cat sat on my [MASK]'", tiny) == 0, "exit code 0");
    check_headings("a sentence");
    check(run("./bert explain -m %s --all --pair 'the dog' 'the cat'", tiny) == 0, "exit code 0");
    check_headings("a pair");
    check(strstr(output, "text <- text of 14 bytes\n") != NULL, "the bytes of both texts");
    run("./bert trace -m %s -o %s/ids 'the cat' && ./bert explain -m %s --all --inputs %s/ids; rm %s/ids", tiny, tiny,
        tiny, tiny, tiny);
    check_headings("ids from a file");
    check(strstr(output, "the ids came from a file") != NULL, "steps 1 to 3 are not made up: %s", output);
    for (int n = 1; n <= 16; n++) {
        check(run("./bert explain -m %s --step %d 'the cat'", tiny, n) == 0, "--step %d", n);
        const char *first = strstr(output, "STEP ");
        check(first && atoi(first + 5) == n && !strstr(first + 5, "\nSTEP "), "--step %d shows it alone", n);
    }
    formula_remove(tiny);
}

/* Long words, long texts, ideographs, control characters; the cards, all steps, and each step by itself. */
static void no_explanation_is_wider_than_80_columns(void)
{
    if (too_slow()) return;
    static const char *const texts[] = {
        "'the cat sat on my [MASK]'", "''", "'[MASK] [MASK]'", "\"$(printf '%0300d' 1)\"",
        "\"$(yes the bank | head -40)\"", "\"$(printf '\\344\\270\\255\\346\\226\\207%.0s' 1 2 3 4 5 6 7 8 9)\"",
        "\"$(printf 'a\\033[2Jb\\177\\302\\233')\"",
        "--max-length 32 --pad 'the cat'", "--pair 'the dog' 'the cat'"};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int step = 0; step <= 17; step++) {
            char option[24] = "";
            if (step) snprintf(option, sizeof option, step <= 16 ? "--step %d" : "--all", step);
            int code = run("./bert explain -m %s --truncate %s %s", tiny, option, texts[i]);
            check(code == 0, "%s: exit code %d", texts[i], code);
            check_layout(texts[i]);
        }
    run("echo 'the cat' | ./bert explain -m %s --all", tiny);
    check_headings("a line of stdin");
    check(run("printf 'the cat\\nthe dog\\n' | ./bert explain -m %s --step 9 | grep -c '^STEP 9'", tiny) == 0 &&
          atoi(output) == 2, "every line is explained: %s", output);
    formula_remove(tiny);
}

/* A layer and a head are named where a step that is shown has them; 270 tokens need a second line. */
static void the_first_line_names_what_is_shown(void)
{
    static const struct { int step; bool layer, head; } shown[] = {
        {0, true, true}, {3, false, false}, {6, false, false}, {7, true, true}, {10, true, true}, {11, true, false},
        {13, true, false}, {16, false, false}};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        char option[24] = "--all";
        if (shown[i].step) snprintf(option, sizeof option, "--step %d", shown[i].step);
        run("./bert explain -m %s --layer 1 --head 2 %s 'the [MASK]' | head -1", tiny, option);
        check(!strstr(output, "layer 1 of 0 to 1") == !shown[i].layer, "step %d: %s", shown[i].step, output);
        check(!strstr(output, "head 2 of 0 to 2") == !shown[i].head, "step %d: %s", shown[i].step, output);
        check(strstr(output, "; token 2 [MASK]\n") != NULL, "step %d: %s", shown[i].step, output);
    }
    run("./bert explain -m %s --all ''", tiny);
    check(strstr(output, "; token 0 [CLS]\n") && strstr(output, "no word: the head is asked about [CLS])"),
          "an empty text has [CLS]: %s", output);
    formula_remove(tiny);
}

/* 65 columns hold seven times "the bank " and two letters; or 62 letters and half of a code. */
static void long_lines_break_at_blanks_and_before_codes(void)
{
    #define FIVE "the bank the bank the bank the bank the bank"
    #define LETTERS "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    if (!tiny_model()) return;
    for (int step = 1; step <= 3; step++) {
        run("./bert explain -m %s --step %d '" FIVE " the bank the bank " FIVE "'", tiny, step);
        const char *lines = strstr(output, " " FIVE " the bank the bank\n               " FIVE "\n");
        check(lines != NULL, "step %d: %s", step, output);
    }
    run("./bert explain -m %s --truncate --step 1 \"" LETTERS "$(printf '\314\210')ni\"", tiny);
    check(strstr(output, " " LETTERS "\n               <U+0308>ni\n") != NULL, "before a code: %s", output);
    run("./bert explain -m %s --truncate --step 1 \"" LETTERS LETTERS "\"", tiny);
    check(strstr(output, " " LETTERS "aaa\n") != NULL, "a long word fills its line: %s", output);
    formula_remove(tiny);
}

/* A piece that is wider than its column ends in two dots, at the end of a row as well. */
static void a_long_piece_is_cut_to_its_column(void)
{
    if (!tiny_model()) return;
    run("sed -i 's/^.SEP.$/<end_of_sequence>/' %s/vocab.txt && "
        "echo '{\"sep_token\": \"<end_of_sequence>\"}' > %s/tokenizer_config.json", tiny, tiny);
    run("./bert explain -m %s --step 4 'the cat'", tiny);
    check(strstr(output, "  token    [CLS] the cat <end_of_se..\n  id       2     61  62  3\n") != NULL, "%s", output);
    run("rm %s/tokenizer_config.json", tiny);
    formula_remove(tiny);
}

static void layers_heads_and_steps_that_do_not_exist_are_usage_errors(void)
{
    static const char *const wrong[] = {"--step 17", "--step 0", "--layer 2", "--head 3", "--step x", "--top-k 3",
                                        "--all --step 3"};
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
    check(run("./bert explain -m %s --all 'the [MASK]'", tiny) == 0, "exit code 0");
    check_headings("without heads");
    check(strstr(output, "no masked-language-model head") && !strstr(output, "softmax: the best"), "no MLM: %s",
          output);
    check(strstr(output, "no next-sentence head") && !strstr(output, "P(IsNext)"), "no NSP: %s", output);
    check(run("./bert explain -m %s 'the cat [MASK]'", tiny) == 0, "exit code 0");
    check_cards("without heads");
    check(strstr(output, "(these weights have no masked-language-model head)") && !strstr(output, "[MASK] -> "),
          "no guesses: %s", output);
    check(run("./bert explain -m %s --pair 'the dog' 'the cat'", tiny) == 0 && !strstr(output, "IsNext"),
          "no judgement: %s", output);
    run("LC_ALL=C sed -e 's/pooler\\.dense/xooler.dense/g' %s/model.safetensors > %s/m; mv %s/m %s/model.safetensors",
        tiny, tiny, tiny, tiny);
    check(run("./bert explain -m %s --step 14 'the cat'", tiny) == 0 && strstr(output, "no pooler"), "no pooler: %s",
          output);
    check(run("./bert explain -m %s 'the cat'", tiny) == 0 && strstr(output, "(these weights have no pooler)"),
          "no pooler: %s", output);
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
    {10, "p v_j, 3 [MASK]", "their sum", BLOCK "attention.self.context", 3 * WIDE + COLUMN, 6},
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
    run("./bert explain -m %s --all --layer 1 --head 2 'the cat [MASK]'", tiny);
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

/* The positions of the columns of the table "i looks at j", from one line of numbers. */
static int read_columns(const char *line, int columns[32])
{
    int count = 0;
    char *next = (char *)(size_t)(line + 20), *end;
    for (; count < 32 && *next != '\n'; next = end) {
        columns[count++] = (int)strtol(next, &end, 10);
        if (end == next) return 0;
    }
    return count;
}

/* Step 9 without --step has room for six columns; [MASK], the last word, is followed. Returns how many of its three
 * strongest keys lie beyond the first six. */
static int check_columns(const char *what)
{
    int columns[32], key[3] = {-1, -1, -1}, beyond = 0;
    const char *step = strstr(output, "\nSTEP 9 "), *heading = step ? find_line(step + 1, "i looks at j:") : NULL;
    const char *most = heading ? find_line(heading, "i looks most at") : NULL;
    const char *row = most ? find_line(most, "  9 [MASK]") : NULL;
    if (!check(row != NULL, "%s: the tables: %s", what, output)) return 0;
    const int count = read_columns(heading, columns);
    check(count == 6, "%s: %d columns", what, count);
    const int keys = sscanf(row + 20, "%*f %d %*[^;]; %*f %d %*[^;]; %*f %d", &key[0], &key[1], &key[2]);
    check(keys == 3, "%s: %s", what, row);
    for (int k = 0; k < 3; k++) {
        bool found = false;
        for (int c = 0; c < count; c++) found |= columns[c] == key[k];
        check(found, "%s: token %d, which gets much, has a column", what, key[k]);
        beyond += key[k] >= 6;
    }
    const char *said = strstr(heading, "(6 of 11 columns: where token 9 ");
    check(said && said < most, "%s: it is said that there are more columns", what);
    return beyond;
}

static void the_strongest_keys_of_the_followed_token_have_columns(void)
{
    int beyond = 0;
    if (!tiny_model()) return;
    for (int layer = 0; layer < 2; layer++)
        for (int head = 0; head < 3; head++) {
            char what[48];
            snprintf(what, sizeof what, "layer %d, head %d", layer, head);
            run("./bert explain -m %s --all --layer %d --head %d 'the cat sat on my the bank the [MASK]'", tiny, layer,
                head);
            beyond += check_columns(what);
        }
    check(beyond > 0, "some of these keys are none of the first six");
    formula_remove(tiny);
}

/* Of 32 tokens the first 24 have rows, and token 30, the last word, which is followed. The headings say what the
 * columns are. */
static void the_followed_token_has_a_row_in_long_texts(void)
{
    static const struct { int step; const char *table; } tables[] = {
        {3, "token "}, {6, "the sum had"}, {8, "i looks at j:"}, {9, "i looks at j:"}, {9, "i looks most at"},
        {10, "context"}, {16, "word vectors"}, {16, "cosine of i and j"}};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        run("./bert explain -m %s --step %d \"$(yes the bank | head -14) my [MASK]\"", tiny,
            tables[i].step);
        const char *table = find_line(output, tables[i].table), *last = table ? find_line(table, " 23 ") : NULL;
        const char *next = last ? strchr(last, '\n') : NULL;
        check(next && !strncmp(next, "\n   30 [MASK]", 13), "step %d, %s: %s", tables[i].step, tables[i].table, output);
        check(strstr(output, "of 32 tokens, and token 30;") != NULL, "step %d says so: %s", tables[i].step, output);
    }
    run("./bert explain -m %s --all --head 2 'the [MASK]'", tiny);
    check(find_line(output, "  2 [MASK]        feature 16        17        18        19        20     21 ..\n") != NULL,
          "features are called so: %s", output);
    run("./bert explain -m %s --step 3 'the cat'", tiny);
    check(strstr(output, " stands for, end excluded\n") && strstr(output, " 0 to 3\n") && strstr(output, " 4 to 7\n"),
          "places as in tokenize --format json: %s", output);
    formula_remove(tiny);
}

/* The six numbers of explain's sentence vector against the first six of `bert embed`. */
static void check_sentence(const char *formula)
{
    double embedded[6] = {0};
    run("./bert embed -m %s 'the cat'", tiny);
    char *next = output;
    for (int i = 0; i < 6; i++) embedded[i] = strtod(next, &next);
    run("./bert explain -m %s --step 16 'the cat'", tiny);
    const char *line = find_line(output, "sentence vector ");
    check(strstr(output, formula) != NULL, "the formula is %s: %s", formula, output);
    if (!check(line != NULL, "a sentence vector: %s", output)) return;
    next = (char *)(size_t)(line + 20);
    for (int i = 0; i < 6; i++) {
        double shown = strtod(next, &next);
        check(fabs(shown - embedded[i]) <= 0.00005001, "%s: [%d] is %g, embed says %g", formula, i, shown, embedded[i]);
    }
}

static void the_sentence_vector_is_that_of_embed(void)
{
    if (!tiny_model()) return;
    check_sentence("sentence = mean over tokens of hidden state 1\n");
    run("mkdir %s/1_Pooling; echo '{\"pooling_mode\": \"cls\"}' > %s/1_Pooling/config.json", tiny, tiny);
    check_sentence("sentence = row of [CLS] in hidden state 2\n");
    run("echo '{\"pooling_mode\": \"max\"}' > %s/1_Pooling/config.json; mkdir %s/2_Normalize", tiny, tiny);
    check_sentence("sentence = maximum over tokens of hidden state 2, length 1\n");
    run("echo '{}' > %s/1_Pooling/config.json", tiny);
    check(run("./bert explain -m %s --step 16 'the cat'", tiny) == 0, "a recipe that cannot be read spoils one line");
    check(!find_line(output, "sentence vector "), "no vector: %s", output);
    for (char *c = output; *c; c++)                                 /* the path's length says where lines break */
        if (*c == '\n') memmove(c, c + strspn(c, "\n ") - 1, strlen(c + strspn(c, "\n ") - 1) + 1), *c = ' ';
    check(strstr(output, "makes no sentence vector here:") && strstr(output, "1_Pooling/config.json: found no "),
          "and the line says why: %s", output);
    run("rm -r %s/1_Pooling %s/2_Normalize", tiny, tiny);
    formula_remove(tiny);
}

/* Where the directory cuts texts, the vector of all tokens is not that of `bert embed`: it is left out, and the line
 * says why; not of a text that is short enough, nor where an option says the length. */
static void the_vector_of_a_text_that_is_cut_is_left_out(void)
{
    if (!tiny_model()) return;
    run("mkdir %s/1_Pooling; echo '{\"pooling_mode\": \"mean\"}' > %s/1_Pooling/config.json; "
        "echo '{\"max_seq_length\": 4}' > %s/sentence_bert_config.json", tiny, tiny, tiny);
    check_sentence("sentence = mean over tokens of hidden state 2\n");
    check(run("./bert explain -m %s --step 16 'the cat the' 'the'", tiny) == 0, "five tokens: %s", output);
    check(strstr(output, "makes no sentence vector here: it is that of the first 4"), "it says why: %s", output);
    check(find_line(output, "sentence vector ") != NULL, "the second text has a vector: %s", output);
    check(run("./bert explain -m %s 'the cat the'", tiny) == 0 && !strstr(output, "the sentence ->"), "%s", output);
    check(run("./bert explain -m %s --max-length 5 --step 16 'the cat the'", tiny) == 0 &&
              find_line(output, "sentence vector ") != NULL, "an option's length: %s", output);
    run("rm -r %s/1_Pooling %s/sentence_bert_config.json", tiny, tiny);
    formula_remove(tiny);
}

/* The bank sentence: what the tutorial prints, and what the other commands say. */
static void the_bank_sentence_explained(void)
{
    if (!real_weights("bert-base-uncased")) return;
    check(run("./bert explain --all 'After stealing money from the bank vault, the bank robber was seen fishing on the "
              "Mississippi river bank.'") == 0, "exit code 0");
    check_headings("the bank sentence");
    check_layout("the bank sentence");
    check(strstr(output, "22 tokens, 12L/768H/12A") && strstr(output, "token 19 bank"), "a bank is followed");
    check(strstr(output, "  6 and 10 bank         0.9386\n") && strstr(output, "  10 and 19 bank        0.6932\n"),
          "the two cosines: %s", strstr(output, "STEP 16"));
    check(run("./bert explain --all \"$(yes the bank | head -133) Mannschaft\"") == 0, "270 tokens");
    check(!strncmp(output, "270 tokens, ", 12), "270 tokens: %.200s", output);
    check_layout("270 tokens");
    run("./bert explain --step 9 --layer 10 --head 10 \"$(yes the Mannschaft | head -89)\"");
    check(!strncmp(output, "269 tokens, ", 12) && strstr(output, ";\ntoken ") < strstr(output, " ##schaft\n"),
          "two lines: %.200s", output);
    run("./bert explain --step 15 'The cat sat on the [MASK].'");
    check(strstr(output, "0.3145  floor") != NULL, "floor: %s", output);
    run("./bert explain --step 9 --layer 8 --head 10 'The cat sat on the mat because it was tired.'");
    check(strstr(output, "    8 it               0.83   2 cat;") != NULL, "it looks at the cat: %s", output);
}

/* =====================================================================================================================
 * The answer and the cards
 * ================================================================================================================== */

/* Does a text say what the pattern says, with these numbers where the pattern has `@`, each rounded as it is printed?
 * The pattern is the beginning of the text. */
static void check_numbers(const char *what, const char *text, const char *pattern, const double *expected)
{
    const char *at = text;
    if (!check(text != NULL, "%s is there: %s", what, output)) return;
    for (; *pattern; pattern++) {
        if (*pattern != '@') {
            if (!check(*at++ == *pattern, "%s: `%s` is expected: %.80s", what, pattern, text)) return;
            continue;
        }
        char *end;
        const double shown = strtod(at, &end);
        const char *point = memchr(at, '.', (size_t)(end - at));
        const double half = point ? 0.5 * pow(10, -(double)(end - point - 1)) : 0;
        if (!check(end > at && fabs(shown - *expected) <= half * 1.001 + 1e-6 * fabs(*expected),
                   "%s: %.9g is expected: %.80s", what, *expected, at)) return;
        expected++;
        at = end;
    }
}

static void check_card(int n, const char *pattern, const double *expected)
{
    char what[16];
    snprintf(what, sizeof what, "card %d", n);
    check_numbers(what, card_line(n, 3), pattern, expected);
}

/* Sentences, pairs, ids, an empty text, several lines: always sixteen cards. */
static void there_are_sixteen_cards_of_three_lines(void)
{
    static const char *const texts[] = {"'the cat sat on my [MASK]'", "--pair 'the dog' 'the cat'", "''", "'the'",
                                        "'.'", "'[MASK]'", "'[MASK] and [MASK] and [MASK]'", "'the [CLS] cat'",
                                        "--max-length 12 --pad 'the cat'", "--gelu tanh 'the cat'",
                                        "--segments 1 --pair 'the dog' 'played'"};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check(run("./bert explain -m %s %s", tiny, texts[i]) == 0, "%s: exit code 0", texts[i]);
        check_cards(texts[i]);
    }
    run("./bert trace -m %s -o %s/ids 'the cat' && ./bert explain -m %s --inputs %s/ids; rm %s/ids", tiny, tiny, tiny,
        tiny, tiny);
    check_cards("ids from a file");
    for (int n = 1; n <= 3; n++)
        check_card(n, "(the ids came from a file)\n", NULL);
    check(run("printf 'the cat\\nthe dog\\n' | ./bert explain -m %s | grep -c '^ 9 softmax '", tiny) == 0 &&
          atoi(output) == 2, "every line is explained: %s", output);
    formula_remove(tiny);
}

/* What the cards need of a trace: elements, and what follows from rows of them. */
static Safetensors cards_trace;

static double traced(const char *name, size_t i)
{
    const SafeTensor *t = safetensors_find(&cards_trace, name);
    return check(t && i < t->count, "the trace has %s[%zu]", name, i) ? tensor_element(t, i) : NAN;
}

static double traced_id(const char *name, size_t i)
{
    const SafeTensor *t = safetensors_find(&cards_trace, name);
    return check(t && i < t->count, "the trace has %s[%zu]", name, i) ? (double)integer_element(t, i) : NAN;
}

static double traced_dot(const char *a, size_t at, const char *b, size_t bt, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += traced(a, at + i) * traced(b, bt + i);
    return sum;
}

static double traced_length(const char *name, size_t at, size_t n)
{
    return sqrt(traced_dot(name, at, name, at, n));
}

static double traced_cosine(const char *a, const char *b, size_t at, size_t n)
{
    return traced_dot(a, at, b, at, n) / traced_length(a, at, n) / traced_length(b, at, n);
}

/* The text of the cards' test, with the first three tokens and the last one that are no words; token 6 is [MASK]. */
#define CARDS "'The cat sat on my [MASK]'"
enum { CARD_TOKENS = 8, MASK = 6, H = 24, D = 8, F = 56 };
static const char *const card_tokens[CARD_TOKENS] = {"[CLS]", "the", "cat", "sat", "on", "my", "[MASK]", "[SEP]"};

/* The layer, head and key, among words three or more places before [MASK], with the largest probability. Only the layer
 * and the head that are not -1 are asked. From `bert attention`. */
static double strongest_look(int only_layer, int only_head, int found[3])
{
    static float probs[2 * 3 * CARD_TOKENS * CARD_TOKENS];
    double best = -1;
    char path[300];
    snprintf(path, sizeof path, "%s/attention", tiny);
    run("./bert attention -m %s --format npy -o %s " CARDS, tiny, path);
    FILE *file = fopen(path, "rb");
    const bool ok = file && !fseek(file, -(long)sizeof probs, SEEK_END) && fread(probs, sizeof probs, 1, file) == 1;
    if (file) fclose(file);
    remove(path);
    if (!check(ok, "the attention is read")) return NAN;
    for (int l = 0; l < 2; l++)
        for (int h = 0; h < 3; h++)
            for (int j = 1; j <= MASK - 3; j++) {
                const double p = (double)probs[((l * 3 + h) * CARD_TOKENS + MASK) * CARD_TOKENS + j];
                if ((only_layer >= 0 && l != only_layer) || (only_head >= 0 && h != only_head) || p <= best) continue;
                best = p;
                memcpy(found, (int[]){l, h, j}, 3 * sizeof *found);
            }
    return best;
}

/* Cards 4 to 6, and 12 to 14, of [MASK] in layer l. */
static void check_token_cards(int l)
{
    char name[4][64];
    double mean[2] = {0}, square[2] = {0}, above = 0, far = 0;
    for (size_t h = 0; h < H; h++) {
        const size_t at = MASK * H + h;
        const double sum = traced("embeddings.word_embeddings", at) + traced("embeddings.token_type_embeddings", at) +
                           traced("embeddings.position_embeddings", at), norm = traced("embeddings.LayerNorm", at);
        mean[0] += sum / H;
        mean[1] += norm / H;
        square[0] += sum * sum / H;
        square[1] += norm * norm / H;
        far += fabs(traced("pooler", h)) > 0.9;
    }
    check_card(4, "token @ of @, '[MASK]': id @, segment @, mask @\n", (double[]){
        MASK, CARD_TOKENS, traced_id("input_ids", MASK), traced_id("token_type_ids", MASK),
        traced_id("attention_mask", MASK)});
    check_card(5, "lengths: word @, segment @, position @\n", (double[]){
        traced_length("embeddings.word_embeddings", MASK * H, H),
        traced_length("embeddings.token_type_embeddings", MASK * H, H),
        traced_length("embeddings.position_embeddings", MASK * H, H)});
    check_card(6, "'[MASK]': standard deviation @, then @\n",
               (double[]){sqrt(square[0] - mean[0] * mean[0]), sqrt(square[1] - mean[1] * mean[1])});
    snprintf(name[0], 64, "encoder.layer.%d.attention.output.dense", l);
    snprintf(name[1], 64, "encoder.layer.%d.intermediate.dense", l);
    snprintf(name[2], 64, l ? "encoder.layer.%d.output.LayerNorm" : "embeddings.LayerNorm", l - 1);
    snprintf(name[3], 64, "encoder.layer.%d.output.LayerNorm", l);
    for (size_t f = 0; f < F; f++) above += traced(name[1], MASK * F + f) > 0;
    check_card(11, "'[MASK]': length of x @, of its change @\n",
               (double[]){traced_length(name[2], MASK * H, H), traced_length(name[0], MASK * H, H)});
    check_card(12, "'[MASK]': @ of @ features are above 0\n", (double[]){above, F});
    check_card(13, "'[MASK]': hidden states @ and @ have cosine @\n",
               (double[]){l, l + 1, traced_cosine(name[2], name[3], MASK * H, H)});
    check_card(14, "@ of the @ pooled numbers are beyond 0.9 or -0.9\n", (double[]){far, H});
}

/* Cards 7 to 10, of [MASK] and token j in layer l and head h, where the probability is p. */
static void check_head_cards(int l, int h, int j, double p)
{
    char name[5][64], pattern[100];
    static const char *const parts[] = {"query", "key", "value", "scores", "context"};
    const size_t column = (size_t)h * D, row = ((size_t)h * CARD_TOKENS + MASK) * CARD_TOKENS;
    double sum = 0;
    for (int i = 0; i < 5; i++) snprintf(name[i], 64, "encoder.layer.%d.attention.self.%s", l, parts[i]);
    for (size_t k = 0; k < CARD_TOKENS; k++) sum += traced(name[3], row + k);
    snprintf(pattern, sizeof pattern, "|q| of '[MASK]' @, |k| of '%s' @\n", card_tokens[j]);
    check_card(7, pattern, (double[]){traced_length(name[0], MASK * H + column, D),
                                      traced_length(name[1], (size_t)j * H + column, D)});
    snprintf(pattern, sizeof pattern, "'[MASK]' at '%s': @, on average @\n", card_tokens[j]);
    check_card(8, pattern, (double[]){traced(name[3], row + (size_t)j), sum / CARD_TOKENS});
    snprintf(pattern, sizeof pattern, "'[MASK]' looks at '%s' with @ (layer @, head @)\n", card_tokens[j]);
    check_card(9, pattern, (double[]){p, l, h});
    snprintf(pattern, sizeof pattern, "lengths: from '%s' @, from all tokens @\n", card_tokens[j]);
    check_card(10, pattern, (double[]){p * traced_length(name[2], (size_t)j * H + column, D),
                                       traced_length(name[4], MASK * H + column, D)});
}

/* The word that fill-mask names first, and its probability, on card 15; its logit is the largest one of the trace. */
static void check_mlm_card(void)
{
    char piece[40], pattern[100];
    double p, logit = -INFINITY;
    run("./bert fill-mask -m %s --top-k 1 --format json " CARDS, tiny);
    const char *score = strstr(output, "\"score\": "), *token = strstr(output, "\"token_str\": \"");
    const bool read = score && token && sscanf(score, "\"score\": %lf", &p) == 1 &&
                      sscanf(token, "\"token_str\": \"%39[^\"]", piece) == 1;
    for (size_t v = 0; v < 101; v++) logit = fmax(logit, traced("cls.predictions.decoder", MASK * 101 + v));
    run("./bert explain -m %s " CARDS, tiny);
    if (!check(read, "fill-mask answers")) return;
    snprintf(pattern, sizeof pattern, "at '[MASK]': '%s', logit @, p @\n", piece);
    check_card(15, pattern, (double[]){logit, p});
}

/* The three words whose sums of hidden states 1 and 2 are nearest to that of [MASK], on card 16. */
static void check_vectors_card(void)
{
    double cosines[CARD_TOKENS], expected[3] = {0}, sum[CARD_TOKENS][H], length[CARD_TOKENS];
    char pattern[160] = "'[MASK]' is most like ";
    for (size_t t = 0; t < CARD_TOKENS; t++) {
        length[t] = 0;
        for (size_t h = 0; h < H; h++) {
            sum[t][h] = traced("encoder.layer.0.output.LayerNorm", t * H + h) +
                        traced("encoder.layer.1.output.LayerNorm", t * H + h);
            length[t] += sum[t][h] * sum[t][h];
        }
    }
    for (size_t t = 0; t < CARD_TOKENS; t++) {
        cosines[t] = 0;
        for (size_t h = 0; h < H; h++) cosines[t] += sum[t][h] * sum[MASK][h] / sqrt(length[t] * length[MASK]);
    }
    for (int n = 0; n < 2; n++) {
        int best = 1;
        for (int t = 2; t < MASK; t++)
            if (cosines[t] > cosines[best]) best = t;
        expected[n] = cosines[best];
        cosines[best] = -2;
        snprintf(pattern + strlen(pattern), sizeof pattern - strlen(pattern), "%s'%s' @", n ? ", " : "",
                 card_tokens[best]);
    }
    check_card(16, pattern, expected);
}

/* The word of most pieces, as it was typed, in either text; else one without pieces; else how many words are whole. */
static void the_word_of_most_pieces_is_shown(void)
{
    static const struct { const char *texts, *card; } cut[] = {
        {"'The bankly Zoo'", "'Zoo' -> z ##o ##o\n"}, {"'the bankly cat'", "'bankly' -> bank ##ly\n"},
        {"--pair 'the cat' 'He went \303\251T\303\251'", "'\303\251T\303\251' -> e ##t ##e\n"},
        {"'the \344\270\255 cat'", "'\344\270\255' -> [UNK]\n"}, {"'the [MASK] cat'", "each of the 3 words "},
        {"'cat'", "the word is a piece of the vocabulary\n"}, {"''", "no words\n"},
        {"abcdefghijklmnopqrst", "'abcdefghij..' -> a ##b ##c ##d ##e ##f ##g ##h ##i ##j ..\n"}};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        run("./bert explain -m %s %s", tiny, cut[i].texts);
        check_numbers(cut[i].texts, card_line(3, 3), cut[i].card, NULL);
    }
    run("./bert explain -m %s --pair 'the cat sat' '\303\251T\303\251 sat'", tiny);
    check_numbers("a typed word of the first text", card_line(3, 3), "'\303\251T\303\251' -> e ##t ##e\n", NULL);
    run("./bert explain -m %s --truncate --max-length 6 'the cat zoo'", tiny);
    check_numbers("cut off", card_line(3, 3), "'zo' -> z ##o\n", NULL);
    formula_remove(tiny);
}

/* Every card of one sentence, against `trace`, `attention`, `fill-mask` and `tokenize`. */
static void cards_tell_the_numbers_of_the_other_commands(void)
{
    char path[300];
    int look[3] = {0};
    Error e = {0};
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s " CARDS, tiny, path);
    const double p = strongest_look(-1, -1, look);
    check(run("./bert explain -m %s " CARDS, tiny) == 0, "exit code 0");
    check_card(1, "The cat sat on my [MASK] -> the cat sat on my [MASK]\n", NULL);
    check_card(2, "6 words: the cat sat on my [MASK]\n", NULL);
    check_card(3, "each of the 6 words is a piece of the vocabulary\n", NULL);
    if (check(safetensors_open(&cards_trace, path, &e) == BERT_OK, "%s", e.message)) {
        check_head_cards(look[0], look[1], look[2], p);
        check_token_cards(look[0]);
        check_vectors_card();
        check_mlm_card();
        safetensors_close(&cards_trace);
    }
    remove(path);
    formula_remove(tiny);
}

/* --layer and --head leave the others out, and the rule is told as it is applied. */
static void the_layer_and_head_worth_showing_are_chosen_by_a_rule(void)
{
    if (!tiny_model()) return;
    for (int layer = -1; layer < 2; layer++)
        for (int head = -1; head < 3; head++) {
            char options[48] = "", pattern[160];
            int look[3] = {0}, used = 0;
            if (layer >= 0) used = snprintf(options, sizeof options, "--layer %d ", layer);
            if (head >= 0) snprintf(options + used, sizeof options - (size_t)used, "--head %d", head);
            const double p = strongest_look(layer, head, look);
            run("./bert explain -m %s %s " CARDS, tiny, options);
            snprintf(pattern, sizeof pattern, "'[MASK]' looks at '%s' with @ (layer @, head @)\n",
                     card_tokens[look[2]]);
            check_card(9, pattern, (double[]){p, look[0], look[1]});
            const int among = (layer < 0 ? 2 : 1) * (head < 0 ? 3 : 1);
            const char *rule = strstr(output, "\nSteps 7 to 13 ");
            if (among > 1)
                check_numbers(options, rule, "\nSteps 7 to 13 are of layer @ and head @ (both count from 0): of @ "
                              "heads the one\nin which [MASK] looks most at a word three or more places away.\n",
                              (double[]){look[0], look[1], among});
            else check_numbers(options, rule, "\nSteps 7 to 13 are of layer @ and head @, as asked.\n",
                               (double[]){look[0], look[1]});
        }
    run("./bert explain -m %s 'the [MASK]'", tiny);
    check(strstr(output, "which [MASK] looks most at another word.\n") != NULL, "a near word: %s", output);
    run("./bert explain -m %s 'the cat [MASK]'", tiny);
    check(strstr(output, "which [MASK] looks most at a word two or more places away.\n") != NULL, "a word: %s", output);
    run("./bert explain -m %s 'the'", tiny);
    check(strstr(output, "of layer 0 and head 0: there are no two words to choose by.\n") != NULL, "one: %s", output);
    formula_remove(tiny);
}

/* "token 8", "layer 8" and the like: the number behind a word, from `from` on; -1: the word is not there. */
static int number_behind(const char *from, const char *word)
{
    const char *at = from ? strstr(from, word) : NULL;
    return at ? atoi(at + strlen(word)) : -1;
}

/* The cards follow a token in a layer and a head; the steps in full follow the same ones, whatever is asked for. */
static void cards_and_steps_follow_the_same(void)
{
    static const char *const texts[] = {"'the cat sat on my mat'", "'the bank and the dog on my bank'", "'my cat'",
                                        "'the [MASK] sat on my mat'", "--pair 'the dog' 'the cat sat'", "'the'",
                                        "--head 1 'the cat sat on my mat'", "--layer 0 'the cat sat on my mat'",
                                        "--layer 1 --head 2 'the cat sat on my mat'"};
    int layers = 0;
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        run("./bert explain -m %s %s", tiny, texts[i]);
        const char *rule = strstr(output, "\nSteps 7 to 13 ");
        const int token = number_behind(output, " tokens; token "), layer = number_behind(rule, "of layer "),
                  head = number_behind(rule, "and head ");
        layers += layer > 0;
        for (int step = 8; step <= 10; step++) {
            char option[16] = "--all";
            if (step < 10) snprintf(option, sizeof option, "--step %d", step);
            run("./bert explain -m %s %s %s", tiny, option, texts[i]);
            check(number_behind(output, "; token ") == token && number_behind(output, "; layer ") == layer &&
                      number_behind(output, ", head ") == head, "%s %s follows token %d in layer %d, head %d: %.200s",
                  option, texts[i], token, layer, head, output);
        }
    }
    check(layers > 1, "not all of them are of layer 0");
    formula_remove(tiny);
}

/* A word that the first line is about is followed, rather than a shorter word or one that stands there once. */
static void a_word_that_comes_back_is_followed(void)
{
    static const char *const texts[] = {"'the bank and the dog on my bank'", "'bank sat bank'", "'bank bank the'",
                                        "'the cat and the bank on my bank and cat'"};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        run("./bert explain -m %s %s", tiny, texts[i]);
        const char *followed = strstr(output, " tokens; token ");
        check(!strncmp(output, "'bank' at ", 10), "%s: the answer: %.100s", texts[i], output);
        check(followed && strstr(followed, ", 'bank', is followed.") && strstr(followed, "which 'bank' looks most at "),
              "%s: bank is followed: %.300s", texts[i], output);
    }
    run("./bert explain -m %s 'the cat and the dog sat'", tiny);
    check(strstr(output, "which a word looks most at ") != NULL, "of short words nobody asks: %.300s", output);
    formula_remove(tiny);
}

/* The first line answers: fill-mask, next-sentence, embed and similarity say the same. */
static void the_first_line_is_the_answer(void)
{
    char expected[200];
    double p[2], logit[2], x[5];
    if (!tiny_model()) return;
    run("./bert fill-mask -m %s 'the [MASK] sat' | awk 'BEGIN { printf \"[MASK] -> \" } "
        "{ printf(\"%%s%%s %%.4f\", NR > 1 ? \", \" : \"\", $2, $1) } END { print \"\" }'", tiny);
    snprintf(expected, sizeof expected, "%.199s", output);
    run("./bert explain -m %s 'the [MASK] sat' | head -1", tiny);
    check_text("a [MASK]", output, expected);
    run("./bert explain -m %s '[MASK] and [MASK]' | head -3", tiny);
    check(!strncmp(output, "[MASK] 1 -> ", 12) && strstr(output, "\n[MASK] 3 -> ") && strstr(output, "\n5 tokens; "),
          "two: %s", output);
    run("./bert explain -m %s '[MASK] [MASK] [MASK] [MASK] [MASK] [MASK]' | head -5 | tail -2", tiny);
    check(!strncmp(output, "[MASK] 4 -> ", 12) && strstr(output, "\n(2 more: bert fill-mask shows all)\n"), "six: %s",
          output);
    run("./bert next-sentence -m %s 'the cat' 'a dog'", tiny);
    check(sscanf(output, "label 0 P(IsNext) %lf logit %lf label 1 P(NotNext) %lf logit %lf", &p[0], &logit[0], &p[1],
                 &logit[1]) == 4, "next-sentence: %s", output);
    run("./bert explain -m %s --pair 'a dog' 'the cat'", tiny);
    check_numbers("a pair", output, p[0] >= p[1] ? "the second text follows the first: P(IsNext) @\n"
                  : "the second text does not follow the first: P(NotNext) @\n", p[0] >= p[1] ? &p[0] : &p[1]);
    check_card(14, "P(IsNext) @; logits @ and @\n", (double[]){p[0], logit[0], logit[1]});
    run("mkdir %s/1_Pooling; echo '{\"pooling_mode\": \"cls\"}' > %s/1_Pooling/config.json; "
        "./bert embed -m %s 'the cat'", tiny, tiny, tiny);
    check(sscanf(output, "%lf %lf %lf %lf %lf", &x[0], &x[1], &x[2], &x[3], &x[4]) == 5, "embed: %s", output);
    run("./bert explain -m %s 'the cat'; rm -r %s/1_Pooling", tiny, tiny);
    check_numbers("a sentence's vector", output, "the sentence -> 24 numbers: @, @, @, @, @", x);
    formula_remove(tiny);
}

/* A word at three places: the pair that is most alike, and the one that is least, as `similarity --word` has them. */
static void words_at_several_places_are_compared(void)
{
    static const int places[3] = {2, 5, 8};
    double x[3][3], most = -2, least = 2, expected[6] = {0};
    if (!tiny_model()) return;
    run("./bert similarity -m %s --layers 1,2 --combine sum --word bank 'the bank and the bank of the bank'", tiny);
    const char *line = strchr(output, '\n');
    for (int i = 0; i < 3 && line; line = strchr(line + 1, '\n'), i++)
        check(sscanf(line + 1, "%lf %lf %lf", &x[i][0], &x[i][1], &x[i][2]) == 3, "row %d: %s", i, output);
    for (int i = 0; i < 3; i++)
        for (int j = i + 1; j < 3; j++) {
            const double found[3] = {places[i], places[j], x[i][j]};
            if (x[i][j] > most) memcpy(expected, found, sizeof found);
            if (x[i][j] < least) memcpy(expected + 3, found, sizeof found);
            most = fmax(most, x[i][j]);
            least = fmin(least, x[i][j]);
        }
    run("./bert explain -m %s 'the bank and the bank of the bank'", tiny);
    check_numbers("the answer", output, "'bank' at @ and @: cosine @; at @ and @: @\n", expected);
    check_card(16, "'bank' at @ and @: cosine @; at @ and @: @\n", expected);
    run("./bert explain -m %s 'the cat and the dog'", tiny);
    check(strstr(output, " is most like ") < strchr(output, '\n'), "of short words nobody asks: %s", output);
    check(card_line(16, 3) && !strncmp(card_line(16, 3), "'the' at 1 and 4: cosine ", 25), "but a card has them: %s",
          output);
    formula_remove(tiny);
}

/* The real model: what README and the help promise. */
static void the_cards_of_real_sentences(void)
{
    if (!real_weights("bert-base-uncased")) return;
    run("./bert explain 'The cat sat on the [MASK].'");
    int lines = 0;
    for (const char *c = output; *c; c++) lines += *c == '\n';
    check(lines <= 60, "%d lines", lines);
    check(!strncmp(output, "[MASK] -> floor 0.3145, bed 0.1190, couch 0.1070, ", 50), "the answer: %s", output);
    check_cards("the cat");
    check_layout("the cat");
    run("./bert explain 'The cat sat on the mat because it was tired.'");
    check(card_line(9, 3) && !strncmp(card_line(9, 3), "'it' looks at 'cat' with 0.83 (layer 8, head 10)\n", 49),
          "it looks at the cat: %s", output);
    run("./bert explain --step 9 'The cat sat on the mat because it was tired.'");
    check(strstr(output, "; layer 8 of 0 to 11, head 10 of 0 to 11; token 8 it\n") != NULL, "in full: %.200s", output);
    run("./bert explain 'I want embeddings'");
    check(card_line(3, 3) && !strncmp(card_line(3, 3), "'embeddings' -> em ##bed ##ding ##s\n", 36), "cut: %s", output);
    run("./bert explain 'After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi "
        "river bank.'");
    check(!strncmp(output, "'bank' at 6 and 10: cosine 0.9386; at 10 and 19: 0.6932\n'bank' looks at ", 72) &&
              strstr(output, "; token 19, 'bank', is followed."), "the banks: %s", output);
    run("./bert next-sentence -q 'my dog is cute' 'he likes playing' | grep -c 'head: refitted'");
    const bool refitted = atoi(output) == 1;
    run("./bert explain --pair 'he likes playing' 'my dog is cute'");
    check(refitted == (strstr(output, "\n(by a head which this project fitted: ") != NULL) &&
              refitted == (card_line(14, 3) && strstr(card_line(14, 3), " (refitted head); logits ")),
          "whose head it is: %s", output);
    check_layout("a pair");
    check_cards("a pair");
    check(run("./bert explain --truncate \"$(yes the bank of | head -300)\"") == 0, "512 tokens");
    check_cards("512 tokens");
    check_layout("512 tokens");
    check(strstr(output, "\n512 tokens; token ") != NULL, "512 tokens: %.200s", output);
}

/* A model for sentence vectors has no heads; the answer is what `bert embed` gives. */
static void the_cards_of_a_sentence_model(void)
{
    double x[5];
    if (!real_weights("all-MiniLM-L6-v2")) return;
    run("./bert embed -m weights/all-MiniLM-L6-v2 'How old are you?' | cut -d' ' -f1-5");
    check(sscanf(output, "%lf %lf %lf %lf %lf", &x[0], &x[1], &x[2], &x[3], &x[4]) == 5, "embed: %s", output);
    check(run("./bert explain -m weights/all-MiniLM-L6-v2 'How old are you?'") == 0, "exit code 0");
    check_numbers("the vector", output, "the sentence -> 384 numbers: @, @, @, @, @", x);
    check_cards("a sentence model");
    check_layout("a sentence model");
}

/* The exercise "the [MASK]" -> cat as `bert train --inputs` has it: one row with one label. */
static bool write_exercise(const char *path)
{
    int64_t ids[5], labels[] = {-100, -100, -100, -100, -100};
    int masked[5], whole[5];
    const char *const five = "%d %d %d %d %d";
    Error e = {0};
    run("./bert tokenize -m %s --format ids 'the big [MASK]'", tiny);
    bool ok = sscanf(output, five, &masked[0], &masked[1], &masked[2], &masked[3], &masked[4]) == 5;
    run("./bert tokenize -m %s --format ids 'the big cat'", tiny);
    ok = ok && sscanf(output, five, &whole[0], &whole[1], &whole[2], &whole[3], &whole[4]) == 5;
    for (int t = 0; ok && t < 5; t++) ids[t] = masked[t];
    labels[3] = whole[3];
    static char names[2][12] = {"input_ids", "labels"};
    const SafeTensor list[] = {{names[0], DTYPE_I64, 2, {1, 5}, 5, ids}, {names[1], DTYPE_I64, 2, {1, 5}, 5, labels}};
    return check(ok && safetensors_write(path, list, 2, NULL, 0, &e) == BERT_OK, "an exercise: %s", e.message);
}

/* The probability of "cat" at [MASK] by `bert fill-mask`. */
static double fill_mask(const char *model)
{
    run("./bert fill-mask -m %s --format json --targets cat 'the big [MASK]'", model);
    const char *score = strstr(output, "\"score\": ");
    return score ? atof(score + 9) : -1;
}

/* What --learn says is what fill-mask says before and after one step of `bert train` from the same exercise; the model
 * itself stays as it is. */
static void one_step_of_learning_is_that_of_train(void)
{
    char path[300], dir[300], text[120];
    double p[2];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/exercise", tiny);
    snprintf(dir, sizeof dir, "%s/learned", tiny);
    if (write_exercise(path)) {
        p[0] = fill_mask(tiny);
        check(run("./bert train -q -m %s --inputs %s -o %s --steps 1 --batch 1 --no-nsp --dropout 0 "
                  "--schedule constant 2>&1", tiny, path, dir) == 0, "%s", output);
        p[1] = fill_mask(dir);
        check(run("./bert explain -q -m %s --learn 'the big cat'", tiny) == 0, "%s", output);
        snprintf(text, sizeof text, "'cat' is hidden: p %.4f, and after one step of learning %.4f\n", p[0], p[1]);
        check(!strncmp(output, text, strlen(text)), "%s, expected %s", output, text);
        snprintf(text, sizeof text, "\n                     'cat' %.4f, ", p[0] - 1);
        check(strstr(output, text) != NULL, "%s: the label's dlogit%s", output, text);
        snprintf(text, sizeof text, "'cat' p %.4f: loss %.4f; ", p[0], -log(p[0]));
        check(strstr(output, text) != NULL, "%s: %s", output, text);
        snprintf(text, sizeof text, "loss %.4f -> %.4f; 'cat' %.4f -> %.4f", -log(p[0]), -log(p[1]), p[0], p[1]);
        check(p[1] > p[0] && strstr(output, text), "%s: %s", output, text);
        check_layout("--learn");
        check(fill_mask(tiny) == p[0], "the model is what it was");
    }
    run("rm -rf %s %s", dir, path);
    formula_remove(tiny);
}

/* Texts without a word, and with a [MASK] that nobody knows; weights without a head. */
static void what_cannot_be_learned_is_said(void)
{
    if (!tiny_model()) return;
    check(run("./bert explain -m %s --learn '' 2>&1", tiny) == 4 && strstr(output, "no word to hide"), "%s", output);
    check(run("./bert explain -m %s --learn 'the [MASK]' 2>&1", tiny) == 4 && strstr(output, "nobody knows"), "%s",
          output);
    check(run("./bert explain -m %s --learn --head 1 'the cat' 2>&1", tiny) == 2, "%s", output);
    run("LC_ALL=C sed -e 's/\"cls\\.predictions/\"xls.predictions/g' %s/model.safetensors > %s/m; "
        "mv %s/m %s/model.safetensors", tiny, tiny, tiny, tiny);
    check(run("./bert explain -q -m %s --learn 'the cat' 2>&1", tiny) == 5, "%s", output);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * Places in the sources: steps.h, which the Makefile makes of them
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

/* And the function that explain names for a step begins where it says, between that step's heading and the next one. */
static void explain_names_the_lines_where_the_steps_stand(void)
{
    check(sizeof step_places / sizeof *step_places == 16, "sixteen places");
    for (int n = 1; n <= 16; n++)
        check(heads_step(step_places[n - 1].file, step_places[n - 1].line, n), "step %d is at %s:%d", n,
              step_places[n - 1].file, step_places[n - 1].line);
    if (!tiny_model()) return;
    run("./bert explain -m %s --all 'the cat'", tiny);
    for (int n = 1; n <= 16; n++) {
        char start[24], place[96], file[64] = "", name[64] = "";
        const int heading = step_places[n - 1].line;
        int line = 0;
        snprintf(start, sizeof start, "STEP %d ", n);
        snprintf(place, sizeof place, "\n  source   %s:%d   function ", step_places[n - 1].file, heading);
        const char *step = strstr(output, start), *at = step ? strstr(step, place) : NULL;
        if (!check(at && at == strchr(step, '\n'), "step %d names its place", n)) continue;
        sscanf(at + strlen(place), "%63[a-z_] at %63[a-z.]:%d", name, file, &line);
        bool last = n == 16 || strcmp(step_places[n].file, step_places[n - 1].file);
        check(line > heading && line < (last ? heading + 400 : step_places[n].line) && defines(file, line, name) &&
                  !strcmp(file, step_places[n - 1].file),
              "step %d: %s is defined at %s:%d, below the heading", n, name, file, line);
    }
    formula_remove(tiny);
}

/* The features that a step of one head shows are that head's, by number: D of them from its first one on. */
static void the_columns_of_a_head_have_its_numbers(void)
{
    enum { D = 8 };
    if (!tiny_model()) return;
    for (int k = 0; k < 2 * 3 * 2; k++) {
        const int step = k / 6 ? 10 : 7, head = k % 3, layer = k / 3 % 2;
        int headings = 0;
        check(run("./bert explain -m %s --step %d --head %d --layer %d 'the cat'", tiny, step, head, layer) == 0,
              "it runs");
        for (const char *at = output; (at = strstr(at, " feature ")); headings++) {
            at += strlen(" feature ");
            for (int number = head * D, n, shown; sscanf(at, "%d%n", &shown, &n) == 1; at += n, number++)
                check(shown == number, "step %d, head %d: column %d, expected %d: %s", step, head, shown, number,
                      output);
        }
        check(headings >= 2, "step %d, head %d: %d headings: %s", step, head, headings, output);
    }
    formula_remove(tiny);
}

const Test explain_tests[] = {
    {"the_columns_of_a_head_have_its_numbers", the_columns_of_a_head_have_its_numbers},
    {"all_sixteen_steps_are_explained_once_and_in_order", all_sixteen_steps_are_explained_once_and_in_order},
    {"no_explanation_is_wider_than_80_columns", no_explanation_is_wider_than_80_columns},
    {"the_first_line_names_what_is_shown", the_first_line_names_what_is_shown},
    {"long_lines_break_at_blanks_and_before_codes", long_lines_break_at_blanks_and_before_codes},
    {"a_long_piece_is_cut_to_its_column", a_long_piece_is_cut_to_its_column},
    {"layers_heads_and_steps_that_do_not_exist_are_usage_errors",
     layers_heads_and_steps_that_do_not_exist_are_usage_errors},
    {"heads_that_are_missing_are_said_not_made_up", heads_that_are_missing_are_said_not_made_up},
    {"values_shown_are_those_of_the_trace", values_shown_are_those_of_the_trace},
    {"the_strongest_keys_of_the_followed_token_have_columns", the_strongest_keys_of_the_followed_token_have_columns},
    {"the_followed_token_has_a_row_in_long_texts", the_followed_token_has_a_row_in_long_texts},
    {"the_vector_of_a_text_that_is_cut_is_left_out", the_vector_of_a_text_that_is_cut_is_left_out},
    {"the_sentence_vector_is_that_of_embed", the_sentence_vector_is_that_of_embed},
    {"the_bank_sentence_explained", the_bank_sentence_explained},
    {"there_are_sixteen_cards_of_three_lines", there_are_sixteen_cards_of_three_lines},
    {"the_word_of_most_pieces_is_shown", the_word_of_most_pieces_is_shown},
    {"cards_tell_the_numbers_of_the_other_commands", cards_tell_the_numbers_of_the_other_commands},
    {"the_layer_and_head_worth_showing_are_chosen_by_a_rule", the_layer_and_head_worth_showing_are_chosen_by_a_rule},
    {"cards_and_steps_follow_the_same", cards_and_steps_follow_the_same},
    {"a_word_that_comes_back_is_followed", a_word_that_comes_back_is_followed},
    {"the_first_line_is_the_answer", the_first_line_is_the_answer},
    {"words_at_several_places_are_compared", words_at_several_places_are_compared},
    {"the_cards_of_real_sentences", the_cards_of_real_sentences},
    {"the_cards_of_a_sentence_model", the_cards_of_a_sentence_model},
    {"one_step_of_learning_is_that_of_train", one_step_of_learning_is_that_of_train},
    {"what_cannot_be_learned_is_said", what_cannot_be_learned_is_said},
    {"explain_names_the_lines_where_the_steps_stand", explain_names_the_lines_where_the_steps_stand},
    {NULL, NULL},
};
