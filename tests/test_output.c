/* test_output.c - every figure that a command prints has a reader here. A figure that is computed rightly and printed
 * wrongly (another row, another scale, a bar that is too short) misleads as much as one that is computed wrongly.
 *
 * Each test reads the text as a user does and compares it with numbers that come another way: the file that `bert trace
 * -o` writes, the weights, another command, or sums of the printed numbers themselves. */
#include "shell.h"
#include <ctype.h>
#include <float.h>
#include <math.h>

#define BANK "'After stealing money from the bank vault, the bank robber was seen fishing " \
             "on the Mississippi river bank.'"

/* =====================================================================================================================
 * Reading
 * ================================================================================================================== */

/* The line of `output` that begins with this, or NULL. */
static const char *line_of_output(const char *beginning)
{
    for (const char *line = output; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (!strncmp(line, beginning, strlen(beginning))) return line;
    return NULL;
}

/* How many lines of `output` begin with `beginning` and end with `end`. */
static int count_lines(const char *beginning, const char *end)
{
    int count = 0;
    for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const size_t length = strcspn(line, "\n"), tail = strlen(end);
        count += !strncmp(line, beginning, strlen(beginning)) && length >= tail &&
                 !strncmp(line + length - tail, end, tail);
    }
    return count;
}

/* Is a printed number with four significant digits (or `decimals` of them behind the point, if that is not 0) x? */
static bool is_printed(double shown, double x, int decimals)
{
    if (isnan(x)) return isnan(shown);
    if (isinf(x) || isinf(shown)) return isinf(x) && isinf(shown) && (x > 0) == (shown > 0);
    const double half = decimals ? 0.5 * pow(10, -decimals) : 0.5e-3 * fabs(x);
    return fabs(shown - x) <= half * 1.001 + 1e-300;
}

/* Every run of white space of `output` becomes one blank, so that it does not matter where lines break. */
static void join_lines(void)
{
    char *to = output;
    for (const char *from = output; *from; from++) {
        const bool blank = isspace((unsigned char)*from);
        if (!blank) *to++ = *from;
        else if (to > output && to[-1] != ' ') *to++ = ' ';
    }
    *to = 0;
}

/* Up to `count` numbers of a row of `explain`, from column 20 on; the number of them that are there. */
static int read_row(const char *line, double *x, int count)
{
    char *next = (char *)(size_t)(line + strnlen(line, 20)), *end;
    int n = 0;
    for (; n < count && *next != '\n'; next = end, n++) {
        x[n] = strtod(next, &end);
        if (end == next) break;
    }
    return n;
}

/* =====================================================================================================================
 * tokenize --trace
 * ================================================================================================================== */
static void tokenize_traces_one_text_and_a_pair(void)
{
    if (!tiny_model()) return;
    run("./bert tokenize -m %s --trace 'a cat' | tail -3", tiny);
    check_text("one text", output, "4 ids          2 9 62 3\n4 segments     0 0 0 0\n4 mask         1 1 1 1\n");
    run("./bert tokenize -m %s --trace --pair 'a dog' 'a cat' | tail -3", tiny);
    check_text("a pair", output, "4 ids          2 9 62 3 9 63 3\n4 segments     0 0 0 0 1 1 1\n"
                                 "4 mask         1 1 1 1 1 1 1\n");
    run("./bert tokenize -m %s --trace --pair 'a dog' 'a cat' | grep text", tiny);
    check_text("both texts", output, "  text A       a cat\n  text B       a dog\n");
    run("./bert tokenize -m %s --trace --max-length 6 --pad 'a cat' | tail -1", tiny);
    check_text("padding", output, "4 mask         1 1 1 1 0 0\n");
    run("./bert tokenize -m %s --trace 'Caf\303\251 a-b' | grep -v '^4'", tiny);
    check(strstr(output, "1 drop marks   Cafe a-b\n1 lower case   cafe a-b\n2 split        cafe a - b \n") != NULL,
          "the stages: %s", output);
    formula_remove(tiny);
}

/* With standard streams closed, no file that is opened takes their place: notes and messages would be written into the
 * answer. (rank says something about raw BERTs after it has opened its output; the other says nothing.) */
static void notes_do_not_go_into_a_file_where_stderr_is_closed(void)
{
    static const char *const commands[] = {"tokenize --format ids", "rank the"}, *const closed[] = {
        "2>&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"};
    if (!tiny_model()) return;
    for (size_t c = 0; c < 2; c++)
        for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
            run("b=$PWD/bert; cd %s; $b %s -m . the cat 2>/dev/null > want; $b %s -m . -o answer the cat %s; echo $?; "
                "cmp want answer && wc -l < answer; rm -f want answer", tiny, commands[c], commands[c], closed[i]);
            check(!strcmp(output, "0\n2\n"), "%s %s: %s", commands[c], closed[i], output);
        }
    formula_remove(tiny);
}

/* More than a buffer full of answers into a full disk: each way to write them says so. */
static void large_answers_into_a_full_disk_exit_6(void)
{
    static const char *const commands[] = {"attention --format json", "embed --pooling none", "tokenize --format json",
                                           "trace", "explain --all", "info -v", "vocab 0:101 0:101 0:101 0:101 0:101"};
    if (access("/dev/full", W_OK)) {
        skip("/dev/full is missing");
        return;
    }
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const bool texts = strncmp(commands[i], "info", 4) && strncmp(commands[i], "vocab", 5);
        const int code = run("./bert %s -m %s %s 2>&1 > /dev/full", commands[i], tiny,
                             texts ? "'the cat sat on my mat the cat sat on my mat the dog sat on a river bank'" : "");
        check(code == 6 && !strncmp(output, "bert: ", 6), "%s: exit code %d: %s", commands[i], code, output);
    }
    formula_remove(tiny);
}

/* Where an answer is several lines, a blank line stands between two of them, and only there. */
static void a_blank_line_parts_the_tables_of_two_texts(void)
{
    static const char *const blocks[] = {"tokenize", "tokenize --trace", "fill-mask --top-k 2"};
    static const char *const single[] = {"tokenize --format ids", "tokenize --format json", "embed", "vocab"};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        run("b=$PWD/bert; cd %s; { $b %s -m . 'a [MASK]'; echo; $b %s -m . 'the [MASK]'; echo; $b %s -m . '[MASK]'; } "
            "> want; "
            "$b %s -m . 'a [MASK]' 'the [MASK]' '[MASK]' | diff want - && wc -l < want; rm want", tiny, blocks[i],
                blocks[i],
            blocks[i], blocks[i]);
        check(atoi(output) >= 8, "%s: %s", blocks[i], output);
    }
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
        run("./bert %s -m %s a the cat", single[i], tiny);
        check(count_lines("", "") == 3 && !strstr(output, "\n\n"), "%s: a line each: %s", single[i], output);
    }
    formula_remove(tiny);
}

/* Ids, types, mask and offsets of a pair, with and without [CLS] and [SEP], padded and not. */
static void the_json_of_a_pair_has_its_segments_and_offsets(void)
{
    static const struct { const char *options, *expected; } cases[] = {
        {"--no-add-special --pair 'a dog' 'the cat'",
         "{\"pieces\": [\"the\", \"cat\", \"a\", \"dog\"], \"ids\": [61, 62, 9, 63], \"type_ids\": [0, 0, 1, 1], "
         "\"attention_mask\": [1, 1, 1, 1], \"offsets\": [[0, 3], [4, 7], [0, 1], [2, 5]]}\n"},
        {"--no-add-special --max-length 6 --pad --pair 'a dog' 'the cat'",
         "{\"pieces\": [\"the\", \"cat\", \"a\", \"dog\", \"[PAD]\", \"[PAD]\"], \"ids\": [61, 62, 9, 63, 0, 0], "
         "\"type_ids\": [0, 0, 1, 1, 0, 0], \"attention_mask\": [1, 1, 1, 1, 0, 0], "
         "\"offsets\": [[0, 3], [4, 7], [0, 1], [2, 5], [0, 0], [0, 0]]}\n"},
        {"--max-length 8 --pad --pair 'a dog' 'the cat'",
         "{\"pieces\": [\"[CLS]\", \"the\", \"cat\", \"[SEP]\", \"a\", \"dog\", \"[SEP]\", \"[PAD]\"], "
         "\"ids\": [2, 61, 62, 3, 9, 63, 3, 0], \"type_ids\": [0, 0, 0, 0, 1, 1, 1, 0], "
         "\"attention_mask\": [1, 1, 1, 1, 1, 1, 1, 0], "
         "\"offsets\": [[0, 0], [0, 3], [4, 7], [0, 0], [0, 1], [2, 5], [0, 0], [0, 0]]}\n"},
        {"--no-add-special --max-length 3 --truncate --pair 'a dog' 'the cat'",
         "{\"pieces\": [\"the\", \"a\", \"dog\"], \"ids\": [61, 9, 63], \"type_ids\": [0, 1, 1], "
         "\"attention_mask\": [1, 1, 1], \"offsets\": [[0, 3], [0, 1], [2, 5]]}\n"}};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(run("./bert tokenize -m %s --format json %s", tiny, cases[i].options) == 0, "%s: exit code 0",
              cases[i].options);
        check_text(cases[i].options, output, cases[i].expected);
    }
    formula_remove(tiny);
}

/* A directory can be opened and not be read: it is said, and nobody waits. */
static void a_stdin_that_cannot_be_read_is_an_error(void)
{
    if (!tiny_model()) return;
    const int code = run("./bert tokenize -m %s < / 2>&1 & ours=$!; { sleep 10; kill $ours; } > /dev/null 2>&1 & "
                         "late=$!; "
                         "wait $ours; s=$?; kill $late 2> /dev/null; exit $s", tiny);
    check(code == 3 && !strncmp(output, "bert: ", 6) && strstr(output, "cannot be read"), "exit code %d: %s", code,
          output);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * trace and info: tables of tensors
 * ================================================================================================================== */

/* "rms min max a b c" against the tensor's own numbers. */
static void check_figures(const char *name, const char *figures, const SafeTensor *t)
{
    double squares = 0, least = INFINITY, largest = -INFINITY, shown[6] = {0};
    char *next = (char *)(size_t)figures;
    for (int i = 0; i < 6; i++) shown[i] = strtod(next, &next);
    for (size_t i = 0; i < t->count; i++) {
        const double x = tensor_element(t, i);
        squares += x * x;
        if (x < least) least = x;
        if (x > largest) largest = x;
    }
    check(is_printed(shown[0], sqrt(squares / (double)t->count), 0), "%s: rms %g", name, shown[0]);
    check(is_printed(shown[1], least, 0) && is_printed(shown[2], largest, 0), "%s: from %g to %g", name, shown[1],
          shown[2]);
    for (size_t i = 0; i < 3 && i < t->count; i++)
        check(is_printed(shown[3 + i], tensor_element(t, i), 5), "%s: [%zu] is %g", name, i, shown[3 + i]);
}

/* Every row of `output` behind the heading, name, shape and figures, against the file. `shaped` writes a shape as the
 * command does. Returns the number of rows. */
static int check_table(const char *path, void (*shaped)(char *, const SafeTensor *), int ids)
{
    Safetensors st;
    Error e = {0};
    int rows = 0;
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return 0;
    for (size_t i = 0; i < st.count; i++) {
        const SafeTensor *t = &st.tensors[i];
        char shape[128], name[160];
        if (ids && t->dtype == DTYPE_I64) continue;
        snprintf(name, sizeof name, "%s ", t->name);
        const char *line = line_of_output(name), *end = line ? strchr(line, '\n') : NULL;
        if (!check(line && end, "%s has a row: %s", t->name, output)) continue;
        shaped(shape, t);
        const char *at = strstr(line, shape);
        if (!check(at && at < end, "%s has shape%s: %.120s", t->name, shape, line)) continue;
        check_figures(t->name, at + strlen(shape), t);
        rows++;
    }
    safetensors_close(&st);
    return rows;
}

/* " (4, 24)", " (24,)" */
static void in_parentheses(char *text, const SafeTensor *t)
{
    int n = sprintf(text, " (");
    for (int i = 0; i < t->rank; i++) n += sprintf(text + n, i ? ", %zu" : "%zu", t->shape[i]);
    sprintf(text + n, t->rank == 1 ? ",) " : ") ");
}

/* " F32  24,24 " */
static void after_the_dtype(char *text, const SafeTensor *t)
{
    int n = sprintf(text, " %-4s ", dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) n += sprintf(text + n, i ? ",%zu" : "%zu", t->shape[i]);
    sprintf(text + n, " ");
}

/* One text; then two of one length, the second of them padded, whose masked scores are very low. */
static void the_table_of_a_trace_is_that_of_its_file(void)
{
    static const char *const inputs[] = {"'the cat'", "--max-length 6 --pad 'the cat' 'a dog on my'"};
    char path[300];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    for (int i = 0; i < 2; i++) {
        run("./bert trace -m %s -o %s %s", tiny, path, inputs[i]);
        run("./bert trace -m %s %s", tiny, inputs[i]);
        check(check_table(path, in_parentheses, true) == 4 + 2 * 12 + 7, "%s: every tensor has a row", inputs[i]);
    }
    check(line_of_output("cls.seq_relationship") && strstr(output, " (2, 2) ") && strstr(output, " (2, 3, 6, 6) "),
          "two inputs stand in front of the shapes: %s", output);
    remove(path);
    formula_remove(tiny);
}

static void info_lists_every_tensor_as_the_file_has_it(void)
{
    char path[300], count[64];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/model.safetensors", tiny);
    check(run("./bert info -v -m %s", tiny) == 0, "exit code 0");
    const int rows = check_table(path, after_the_dtype, false);
    snprintf(count, sizeof count, ": %d tensors, ", rows);
    check(rows == 46 && strstr(output, count), "%d rows: %s", rows, output);
    check(strstr(output, "\nsize        2L/24H/3A: 2 layers, hidden size 24, 3 heads of 8, feed-forward 56\n") &&
          strstr(output, "\ninputs      101 pieces, 32 positions, 3 segments\n") &&
          strstr(output, "\nnumbers     GELU erf, LayerNorm eps 0.01, computed in float32\n") &&
          strstr(output, "\nheads       pooler: yes, masked language model: yes, next sentence: yes\n") &&
          strstr(output, "\ntensors     0 missing, 0 unexpected, 0 with values that are not finite\n"),
          "the lines around it: %s", output);
    run("wc -c < %s/model.safetensors; ./bert info -m %s | tr -d , | sed -n 's/^weights.* \\([0-9]*\\) bytes$/\\1/p'",
        tiny, tiny);
    const char *second = strchr(output, '\n');
    check(second && atol(output) > 0 && atol(output) == atol(second), "the size of the file: %s", output);
    formula_remove(tiny);
}

/* What config.json leaves out is as in BERT: GELU by erf and eps 1e-12. (Their keys are spoiled here.) */
static void what_a_configuration_leaves_out_is_as_in_bert(void)
{
    if (!tiny_model()) return;
    run("cd %s && sed 's/\"layer_norm_eps\"/\"a\"/; s/\"hidden_act\"/\"b\"/' config.json > new && mv new config.json",
        tiny);
    run("./bert info -m %s", tiny);
    check(strstr(output, "\nsize        2L/24H/3A: ") &&
          strstr(output, "\nnumbers     GELU erf, LayerNorm eps 1e-12, "), "defaults: %s", output);
    formula_remove(tiny);
}

/* Writes the tiny weights again without the first `lacking` of the encoder's; `nan` of a bias's 24 numbers, 1 or all, are
 * none. */
static bool spoil_weights(const char *directory, int lacking, int nan)
{
    static real bias[24];
    char path[300];
    Error e = {0};
    Safetensors st;
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    if (safetensors_open(&st, path, &e) != BERT_OK) return check(false, "%s", e.message);
    SafeTensor *kept = calloc(st.count, sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; kept && i < st.count; i++) {
        const SafeTensor *t = &st.tensors[i];
        if (lacking > 0 && strstr(t->name, "encoder.layer.")) {
            lacking--;
            continue;
        }
        kept[n] = *t;
        if (nan && strstr(t->name, "layer.1.output.dense.bias")) {
            for (size_t k = 0; k < 24; k++) bias[k] = (real)(nan == 24 || (nan && k == 7) ? NAN : 0.5);
            kept[n].data = bias, kept[n].dtype = sizeof(real) == 8 ? DTYPE_F64 : DTYPE_F32;
        }
        n++;
    }
    bool ok = kept && safetensors_write(path, kept, n, NULL, 0, &e) == BERT_OK;
    free(kept);
    safetensors_close(&st);
    return check(ok, "weights are written: %s", e.message);
}

static void missing_tensors_are_named_up_to_twenty(void)
{
    for (int lacking = 20; lacking <= 21; lacking++) {
        char said[80];
        if (!tiny_model() || !spoil_weights(tiny, lacking, 0)) return;
        check(run("./bert info -m %s 2>/dev/null", tiny) == 3, "%d missing: exit code 3", lacking);
        check(count_lines("missing     encoder.layer.", "") + count_lines("missing     bert.encoder.layer.", "") == 20,
              "twenty are named: %s", output);
        check(!strstr(output, " more\n") == (lacking == 20) && (lacking == 20 || strstr(output, "... and 1 more\n")),
              "and 1 more, if there is one: %s", output);
        snprintf(said, sizeof said, "\ntensors     %d missing, 0 unexpected, 0 with", lacking);
        check(strstr(output, said) != NULL, "%d in all: %s", lacking, output);
        formula_remove(tiny);
    }
}

static void numbers_that_are_not_finite_are_counted(void)
{
    if (!tiny_model() || !spoil_weights(tiny, 0, 1)) return;
    run("./bert info -m %s", tiny);
    check(strstr(output, "\nnot finite  bert.encoder.layer.1.output.dense.bias: 1 of 24 values\n") &&
          strstr(output, "0 unexpected, 1 with values that are not finite\n"), "one NaN: %s", output);
    run("./bert info -v -m %s | grep '^bert.encoder.layer.1.output.dense.bias'", tiny);
    check(strstr(output, "       0.5       0.5       0.5    0.50000") != NULL, "of the finite ones: %s", output);
    if (!spoil_weights(tiny, 0, 24)) return;
    check(run("./bert info -v -m %s | grep '^bert.encoder.layer.1.output.dense.bias *F[0-9]* *24 *$'", tiny) == 0,
          "of no finite one there is nothing to say: %s", output);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * explain
 * ================================================================================================================== */

/* Sizes are all different in tiny, so that no two can be taken for each other. Lines are joined. */
static const struct { const char *shapes, *trap; } step_lines[] = {
    {"text <- text of 14 bytes", "The order counts; and a cased model keeps accents and capitals."},
    {"words <- text", "$, + and ~ split a word, the euro and the degree sign do not."},
    {"pieces <- words, vocabulary (101)", "One part without a piece makes the whole word [UNK]."},
    {"ids, segments, mask (5 each) <- pieces", "A single text is segment 0. Padding comes last, with mask 0."},
    {"(5,24) <- ids, segments, positions (5); tables (101,24), (3,24), (32,24)",
     "Positions count from 0 in every sequence, and are a learned table, not sinusoids."},
    {"(5,24) <- (5,24), gamma (24), beta (24); eps 0.01",
     "The variance is divided by H, not H - 1; eps is inside the root."},
    {"(5,24) <- (5,24), W (24,24), b (24), three times; head 2 has columns 16 to 23",
     "Heads are slices: reshape to (N,A,D), never to (N,D,A)."},
    {"(3,5,5) <- query, key (5,24) as 3 heads of D = 8 columns; sqrt(D) = 2.828",
     "The mask belongs to the keys, the columns; BERT has no causal mask."},
    {"(3,5,5) <- (3,5,5), each row by itself", "Rows sum to 1, columns do not."},
    {"(5,24) <- probs (3,5,5), value (5,24)", "The heads stand side by side again, each in its own columns."},
    {"(5,24) <- context (5,24), Wo (24,24), bo (24), x (5,24)",
     "Post-LN: first the sum, then LayerNorm. Many later models do it the other way round."},
    {"(5,56) <- (5,24), W1 (56,24), b1 (56)",
     "There are two GELUs, by erf and by tanh; they part by up to 0.0005 (see --gelu)."},
    {"(5,24) <- (5,56), W2 (24,56), b2 (24), y (5,24)",
     "The residual is y, the output of step 11, not the block's input."},
    {"pooled (24) <- (24), Wp (24,24), bp (24); logits (2) <- (24), W (2,24), b (2)",
     "Label 0 is IsNext; nothing in the weights says so."},
    {"t (1,24) <- (1,24), W (24,24); logits (1,101) <- t, E (101,24), c (101)",
     "A dense layer, GELU and LayerNorm come before the decoder; E is usually not stored twice."},
    {"words (5,24), sentence (24) <- hidden states (5,24)",
     "There are L+1 hidden states. -2 in Python is the output of the last block but one."},
};

#define MASKED "'the cat [MASK]'"   /* five tokens; token 3 is followed */

static void each_step_has_its_shapes_and_its_trap(void)
{
    char expected[200];
    if (!tiny_model()) return;
    for (int step = 1; step <= 16; step++) {
        run("./bert explain -m %s --layer 1 --head 2 --step %d " MASKED, tiny, step);
        join_lines();
        snprintf(expected, sizeof expected, " shapes %s why ", step_lines[step - 1].shapes);
        check(strstr(output, expected) != NULL, "step %d:%s: %s", step, expected, output);
        snprintf(expected, sizeof expected, " trap %s ", step_lines[step - 1].trap);
        check(strstr(output, expected) != NULL, "step %d:%s: %s", step, expected, output);
    }
    formula_remove(tiny);
}

/* Does every table that ends with `sum` hold the sums of the rows between its heading and there? A heading ends with
 * "..". Numbers with four decimals: each is half a unit off at most. Returns the number of such tables. */
static int check_sums(int step, const char *sum)
{
    double total[6] = {0}, x[6] = {0};
    int addends = 0, tables = 0;
    for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const size_t length = strcspn(line, "\n");
        const bool heading = length > 2 && !strncmp(line + length - 2, "..", 2);
        if (heading || length < 24) {
            memset(total, 0, sizeof total), addends = 0;
            continue;
        }
        if (read_row(line, x, 6) < 6) continue;
        if (!strncmp(line + 2, sum, strlen(sum))) {
            for (int i = 0; i < 6; i++)
                check(fabs(x[i] - total[i]) <= 0.00005001 * (addends + 1), "step %d: %g is the sum %g of %d rows: %s",
                      step, x[i], total[i], addends, output);
            tables += addends > 1;
        }
        for (int i = 0; i < 6; i++) total[i] += x[i];
        addends++;
    }
    return tables;
}

/* Steps 5, 10, 11 and 13 show terms and their sum, the latter two for all five tokens. */
static void terms_add_up_to_their_sums(void)
{
    static const struct { int step; const char *sum; int tables; } sums[] = {
        {5, "sum ", 1}, {10, "their sum", 1}, {11, "their sum", 5}, {13, "their sum", 5}};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        run("./bert explain -m %s --layer 1 --head 2 --step %d " MASKED, tiny, sums[i].step);
        const int tables = check_sums(sums[i].step, sums[i].sum);
        check(tables >= sums[i].tables, "step %d: %d tables with a sum: %s", sums[i].step, tables, output);
    }
    formula_remove(tiny);
}

/* Reads `count` numbers of a trace's tensor. */
static void read_trace(const char *path, const char *name, size_t at, size_t count, double *x)
{
    Safetensors st;
    Error e = {0};
    for (size_t i = 0; i < count; i++) x[i] = NAN;
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    const SafeTensor *t = safetensors_find(&st, name);
    if (check(t && at + count <= t->count, "the trace has %s", name))
        for (size_t i = 0; i < count; i++) x[i] = tensor_element(t, at + i);
    safetensors_close(&st);
}

/* Step 4: five rows of ids and places, which are those of the tokenizer. */
static void step_4_shows_the_ids_of_the_tokenizer(void)
{
    if (!tiny_model()) return;
    run("./bert explain -m %s --step 4 --max-length 8 --pad --pair 'a dog' 'the cat' | grep -e '^  token ' -e '^  id ' "
        "-e '^  segment ' -e '^  mask ' -e '^  position '", tiny);
    join_lines();
    check_text("five rows", output, "token [CLS] the cat [SEP] a dog [SEP] [PAD] id 2 61 62 3 9 63 3 0 "
                                    "segment 0 0 0 0 1 1 1 0 mask 1 1 1 1 1 1 1 0 position 0 1 2 3 4 5 6 7 ");
    formula_remove(tiny);
}

/* Step 6 with --step: mean and standard deviation of each row of the sum. */
static void step_6_shows_what_the_sum_had(void)
{
    char path[300], label[32];
    double part[3][5 * 24], shown[2];
    static const char *const names[] = {"embeddings.word_embeddings", "embeddings.token_type_embeddings",
                                        "embeddings.position_embeddings"};
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s " MASKED, tiny, path);
    for (int k = 0; k < 3; k++) read_trace(path, names[k], 0, 5 * 24, part[k]);
    run("./bert explain -m %s --step 6 " MASKED, tiny);
    const char *table = strstr(output, "the sum had");
    for (int t = 0; check(table != NULL, "a table: %s", output) && t < 5; t++) {
        double mean = 0, variance = 0, x[24];
        for (int h = 0; h < 24; h++) x[h] = part[0][t * 24 + h] + part[1][t * 24 + h] + part[2][t * 24 + h];
        for (int h = 0; h < 24; h++) mean += x[h] / 24;
        for (int h = 0; h < 24; h++) variance += (x[h] - mean) * (x[h] - mean) / 24;
        snprintf(label, sizeof label, "\n    %d ", t);
        const char *row = strstr(table, label);
        check(row && read_row(row + 1, shown, 2) == 2 && is_printed(shown[0], mean, 5) &&
              is_printed(shown[1], sqrt(variance), 5), "token %d: %.5f %.5f: %s", t, mean, sqrt(variance), table);
    }
    remove(path);
    formula_remove(tiny);
}

/* All steps at once show of the token that is followed what each shows by itself: the same rows of the same numbers. */
static void all_steps_at_once_show_the_rows_of_each(void)
{
    static const struct { int step; const char *row; } rows[] = {
        {5, "sum "}, {11, "x (residual)"}, {11, "their sum"}, {11, "LayerNorm"}, {12, "GELU"}, {13, "y (residual)"},
        {13, "LayerNorm"}, {14, "tanh: the pooled"}, {15, "LayerNorm"}, {15, "logits"}};
    static char all[sizeof output];
    if (!tiny_model()) return;
    check(run("./bert explain --all -m %s --layer 1 --head 2 " MASKED, tiny) == 0, "exit code 0");
    strcpy(all, output);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char heading[16], row[40];
        double x[6], y[6];
        snprintf(heading, sizeof heading, "\nSTEP %d ", rows[i].step);
        snprintf(row, sizeof row, "\n  %s", rows[i].row);
        run("./bert explain -m %s --layer 1 --head 2 --step %d " MASKED, tiny, rows[i].step);
        const char *step = strstr(all, heading), *one = step ? strstr(step, row) : NULL;
        const char *own = strstr(output, rows[i].step == 14 ? "\n  [CLS]" : "\n    3 [MASK]"), *other = own ?
            strstr(own, row) : NULL;
        if (!check(one && other && read_row(one + 1, x, 6) == 6 && read_row(other + 1, y, 6) == 6, "step %d has %s: %s",
                   rows[i].step, rows[i].row, all)) continue;
        for (int k = 0; k < 6; k++)
            check(fabs(x[k] - y[k]) < 1e-9, "step %d, %s: %g and %g", rows[i].step, rows[i].row, x[k], y[k]);
    }
    formula_remove(tiny);
}

/* Step 10: the term of token j is p_ij v_j, and p_ij stands beside its name. Step 9: the strongest keys. */
static void terms_of_the_context_are_weights_times_values(void)
{
    static const char *const tokens[] = {"[CLS]", "the", "cat", "[MASK]", "[SEP]"};
    char path[300], label[48];
    double p[5], v[5 * 24], x[6];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s " MASKED, tiny, path);
    read_trace(path, "encoder.layer.1.attention.self.probs", 2 * 25 + 3 * 5, 5, p);
    read_trace(path, "encoder.layer.1.attention.self.value", 0, 5 * 24, v);
    run("./bert explain -m %s --layer 1 --head 2 --step 10 " MASKED, tiny);
    for (int j = 0; j < 5; j++) {
        snprintf(label, sizeof label, "  %3d %.2f %s ", j, p[j], tokens[j]);
        const char *line = line_of_output(label);
        if (!check(line && read_row(line, x, 6) == 6, "the row%s: %s", label, output)) continue;
        for (int k = 0; k < 6; k++)
            check(is_printed(x[k], p[j] * v[j * 24 + 16 + k], 4), "%s[%d]: %g, expected %g", label, k, x[k],
                  p[j] * v[j * 24 + 16 + k]);
    }
    run("./bert explain -m %s --layer 1 --head 2 --step 9 " MASKED, tiny);
    int best[3] = {-1, -1, -1};
    for (int k = 0; k < 3; k++)
        for (int j = 0; j < 5; j++)
            if (j != best[0] && j != best[1] && (best[k] < 0 || p[j] > p[best[k]])) best[k] = j;
    snprintf(label, sizeof label, "%.2f %3d %s; ", p[best[0]], best[0], tokens[best[0]]);
    const char *most = strstr(output, "i looks most at"), *row = most ? strstr(most, "\n    3 [MASK]") : NULL;
    if (check(row != NULL, "where [MASK] looks: %s", output)) {
        double shown[3] = {0};
        int key[3] = {-1, -1, -1};
        sscanf(row + 20, "%lf %d %*[^;]; %lf %d %*[^;]; %lf %d", &shown[0], &key[0], &shown[1], &key[1], &shown[2],
               &key[2]);
        for (int k = 0; k < 3; k++)
            check(key[k] == best[k] && is_printed(shown[k], p[best[k]], 2), "%d. is %d with %.2f: %s", k + 1, best[k],
                  p[best[k]], output);
    }
    remove(path);
    formula_remove(tiny);
}

/* Step 12 counts what GELU lets through, and names the largest. */
static void step_12_counts_what_is_above_zero(void)
{
    char path[300], expected[100];
    double z[56];
    int above = 0, largest = 0;
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s " MASKED, tiny, path);
    read_trace(path, "encoder.layer.1.intermediate", 3 * 56, 56, z);
    for (int i = 0; i < 56; i++) {
        above += z[i] > 0;
        if (z[i] > z[largest]) largest = i;
    }
    run("./bert explain -m %s --layer 1 --head 2 --step 12 " MASKED, tiny);
    snprintf(expected, sizeof expected, " %d of 56 are above 0; the largest is %d: %.4g\n", above, largest, z[largest]);
    check(strstr(output, expected) != NULL, "%s: %s", expected, output);
    remove(path);
    formula_remove(tiny);
}

/* Step 14's two logits and probabilities are those of next-sentence, step 15's guesses those of fill-mask. */
static void the_heads_explained_are_those_of_the_commands(void)
{
    double p[2], logit[2], score;
    char expected[120], piece[40];
    static char guesses[4096];
    if (!tiny_model()) return;
    run("./bert next-sentence -m %s 'the cat' 'a dog'", tiny);
    const int read = sscanf(output, "label 0 P(IsNext) %lf logit %lf label 1 P(NotNext) %lf logit %lf", &p[0],
                            &logit[0],
                            &p[1], &logit[1]);
    check(read == 4 && fabs(p[0] + p[1] - 1) < 2e-6, "two probabilities: %s", output);
    check(is_printed(p[0], 1 / (1 + exp(logit[1] - logit[0])), 5), "softmax of the logits: %s", output);
    run("./bert explain -m %s --step 14 --pair 'a dog' 'the cat'", tiny);
    join_lines();
    snprintf(expected, sizeof expected, "NSP logits %.4f %.4f, P(IsNext) %.4f, P(NotNext) %.4f; head: checkpoint",
             logit[0], logit[1], p[0], p[1]);
    check(strstr(output, expected) && !strstr(output, "this is one text"), "%s: %s", expected, output);
    run("./bert explain -m %s --step 14 'the cat'", tiny);
    join_lines();
    check(strstr(output, "(this is one text, and the head was trained on pairs; --pair TEXT gives a pair)") != NULL,
          "one text: %s", output);
    run("./bert fill-mask -m %s --top-k 5 " MASKED, tiny);
    strcpy(guesses, output);
    run("./bert explain -m %s --step 15 " MASKED, tiny);
    const char *row = strstr(output, "  softmax: the best");
    for (const char *guess = guesses; row && *guess; guess = strchr(guess, '\n') + 1, row = strchr(row, '\n') + 1) {
        sscanf(guess, "%lf\t%39s", &score, piece);
        snprintf(expected, sizeof expected, "%.4f  %s ", score, piece);
        check(!strncmp(row + 24, expected, strlen(expected)), "%s: %.60s", expected, row);
    }
    check(row != NULL, "the best guesses: %s", output);
    formula_remove(tiny);
}

/* Step 16: the cosines of the word vectors, which are sums of the last hidden states. */
static void step_16_shows_the_cosines_of_the_word_vectors(void)
{
    char path[300];
    double state[2][5 * 24], x[5];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s " MASKED, tiny, path);
    for (int l = 0; l < 2; l++)
        read_trace(path, l ? "encoder.layer.1.output.LayerNorm" : "encoder.layer.0.output.LayerNorm", 0, 5 * 24,
                   state[l]);
    run("./bert explain -m %s --step 16 " MASKED, tiny);
    const char *vectors = strstr(output, "word vectors "), *matrix = strstr(output, "cosine of i and j");
    for (int t = 0; check(vectors != NULL, "word vectors: %s", output) && t < 5; t++) {
        char label[16];
        double row_[6];
        snprintf(label, sizeof label, "\n    %d ", t);
        const char *row = strstr(vectors, label);
        if (!check(row && read_row(row + 1, row_, 6) == 6, "vector %d: %s", t, output)) continue;
        for (int h = 0; h < 6; h++)
            check(is_printed(row_[h], state[0][t * 24 + h] + state[1][t * 24 + h], 4), "vector %d [%d]: %g", t, h,
                  row_[h]);
    }
    if (check(matrix != NULL, "a matrix: %s", output))
        for (int i = 0; i < 5; i++) {
            char label[16];
            snprintf(label, sizeof label, "\n    %d ", i);
            const char *row = strstr(matrix, label);
            if (!check(row && read_row(row + 1, x, 5) == 5, "row %d: %s", i, matrix)) continue;
            for (int j = 0; j < 5; j++) {
                double dot = 0, a = 0, b = 0;
                for (int h = 0; h < 24; h++) {
                    const double u = state[0][i * 24 + h] + state[1][i * 24 + h];
                    const double w = state[0][j * 24 + h] + state[1][j * 24 + h];
                    dot += u * w, a += u * u, b += w * w;
                }
                check(is_printed(x[j], dot / sqrt(a * b), 2), "cosine of %d and %d: %g, expected %g", i, j, x[j],
                      dot / sqrt(a * b));
            }
        }
    remove(path);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * attention, similarity, verify
 * ================================================================================================================== */

/* The last line of a heat map says of each sign what it stands for, to one digit. */
static void check_legend(const char *scale)
{
    char expected[120] = "\nblank: 0";
    for (int i = 1; i < 10; i++)
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), ", %c %.1g", scale[i], i / 9.0);
    strcat(expected, "\n");
    const char *legend = strstr(output, "\nblank: ");
    check(legend && !strcmp(legend, expected), "the legend is %s: %s", expected, output);
}

/* The heat map: two signs a key, the nearest of ten from 0 to 1; then the strongest key and its weight. */
static void the_heat_map_shows_the_probabilities(void)
{
    static const char scale[] = " .:-=+*#%@";
    char path[300];
    double p[16];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s 'the cat'", tiny, path);
    for (int l = 0; l < 2; l++)
        for (int h = 0; h < 3; h++) {
            char name[80];
            snprintf(name, sizeof name, "encoder.layer.%d.attention.self.probs", l);
            read_trace(path, name, (size_t)h * 16, 16, p);
            run("./bert attention -m %s --layer %d --head %d 'the cat'", tiny, l, h);
            check_legend(scale);
            const char *row = strchr(output, '|');
            for (int i = 0; i < 4 && check(row != NULL, "row %d: %s", i, output); i++) {
                char expected[64] = "|";
                int most = 0;
                for (int j = 0; j < 4; j++) {
                    memset(expected + 1 + 2 * j, scale[(int)(p[i * 4 + j] * 9 + 0.5)], 2);
                    if (p[i * 4 + j] > p[i * 4 + most]) most = j;
                }
                snprintf(expected + 9, sizeof expected - 9, "| %.2f %d ", p[i * 4 + most], most);
                check(!strncmp(row, expected, strlen(expected)), "layer %d, head %d, row %d: %s: %s", l, h, i, expected,
                      output);
                row = strchr(row, '\n') ? strchr(strchr(row, '\n'), '|') : NULL;
            }
        }
    remove(path);
    formula_remove(tiny);
}

/* The matrix of cosines against the vectors of embed. */
static void cosines_are_those_of_the_vectors_of_embed(void)
{
    static double v[3][24];
    double x[9] = {0};
    if (!tiny_model()) return;
    run("./bert embed -m %s 'the cat' 'a dog' 'on my mat'", tiny);
    char *next = output;
    for (int i = 0; i < 3 * 24; i++) v[i / 24][i % 24] = strtod(next, &next);
    run("./bert similarity -m %s 'the cat' 'a dog' 'on my mat'", tiny);
    const char *row = strchr(output, '\n');
    for (int i = 0; row && i < 3; i++, row = strchr(row + 1, '\n'))
        sscanf(row, "%lf %lf %lf", &x[3 * i], &x[3 * i + 1], &x[3 * i + 2]);
    for (int i = 0; i < 9; i++) {
        double dot = 0, a = 0, b = 0;
        for (int h = 0; h < 24; h++) {
            dot += v[i / 3][h] * v[i % 3][h], a += v[i / 3][h] * v[i / 3][h], b += v[i % 3][h] * v[i % 3][h];
        }
        check(is_printed(x[i], dot / sqrt(a * b), 6), "cosine %d: %g, expected %g: %s", i, x[i], dot / sqrt(a * b),
              output);
    }
    formula_remove(tiny);
}

/* OTHER is a file, what comes after it a text: its own passes, another does not, and two are too many. */
static void verify_takes_a_file_and_a_text(void)
{
    if (!tiny_model()) return;
    run("./bert trace -m %s -o %s/trace 'the cat'", tiny, tiny);
    check(run("./bert verify -m %s %s/trace 'the cat' 2>&1", tiny, tiny) == 0 && count_lines("no difference", "") == 1,
          "its own text: %s", output);
    check(run("./bert verify -m %s %s/trace 2>&1", tiny, tiny) == 0, "no text: %s", output);
    check(run("./bert verify -m %s %s/trace 'the dog' 2>&1", tiny, tiny) == 1 &&
          strstr(output, "first difference: input_ids: token 2 is 62 (cat), expected 63 (dog)\n"),
          "another text: %s", output);
    check(run("./bert verify -m %s %s/trace 'the cat sat' 2>&1", tiny, tiny) == 1 &&
          strstr(output, "input_ids: 4 tokens, expected 5"), "a longer text: %s", output);
    check(run("echo 'the cat' | ./bert verify -m %s %s/trace -f - 2>&1", tiny, tiny) == 0, "a text by -f: %s", output);
    check(run("echo 'the dog' | ./bert verify -m %s %s/trace -f - 2>&1", tiny, tiny) == 1, "another by -f: %s", output);
    check(run("./bert trace -m %s -o %s/other 'the dog'; ./bert verify -m %s %s/trace --inputs %s/trace 2>&1", tiny,
              tiny,
              tiny, tiny, tiny) == 0, "ids by --inputs: %s", output);
    check(run("./bert verify -m %s %s/trace --inputs %s/other 2>&1; s=$?; rm %s/other; exit $s", tiny, tiny, tiny,
              tiny) == 1,
          "other ids by --inputs: %s", output);
    check(run("./bert verify -m %s %s/trace the cat 2>&1", tiny, tiny) == 2 && strstr(output, "one TEXT, not 2"),
          "two texts: %s", output);
    run("rm %s/trace", tiny);
    formula_remove(tiny);
}

/* Each of the three rows of --inputs has its own range: 101 pieces, 3 segments, a mask of 0 and 1. Rows count from 1,
 * tokens from 0, as in all messages. */
static void ids_beyond_their_range_are_named(void)
{
    static const struct { const char *name; int64_t last; } ids[] = {
        {"input_ids", 100}, {"token_type_ids", 2}, {"attention_mask", 1}};
    char path[300], expected[120];
    Error e = {0};
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/ids", tiny);
    for (int k = 0; k < 3; k++)
        for (int beyond = -1; beyond < 2; beyond++) {                   /* -1 itself, the last one, one more */
            const int64_t wrong = beyond < 0 ? -1 : ids[k].last + beyond;
            int64_t values[3][6] = {{2, 61, 3, 2, 62, 3}, {0}, {1, 1, 1, 1, 1, 1}};
            SafeTensor t[3];
            for (int i = 0; i < 3; i++)
                t[i] = (SafeTensor){.name = (char *)(uintptr_t)ids[i].name, .dtype = DTYPE_I64, .rank = 2,
                                    .shape = {2, 3},
                                    .count = 6, .data = values[i]};
            values[k][4] = wrong;
            check(safetensors_write(path, t, 3, NULL, 0, &e) == BERT_OK, "%s", e.message);
            const int code = run("./bert embed -m %s --inputs %s 2>&1", tiny, path);
            snprintf(expected, sizeof expected, ": row 2, token 1: %s has %lld, expected 0 to %lld\n", ids[k].name,
                     (long long)wrong, (long long)ids[k].last);
            if (beyond == 0) check(code == 0 && count_lines("", "") == 2, "%s %lld fits: %s", ids[k].name,
                                   (long long)wrong,
                                   output);
            else check(code == 4 && strstr(output, expected), "%s: %s", expected, output);
        }
    remove(path);
    formula_remove(tiny);
}

/* Rows without a token are refused; no row at all is no text, as an empty file is. */
static void ids_without_a_token_are_refused(void)
{
    static const size_t shapes[][3] = {{1, 0, 0}, {2, 2, 0}, {2, 0, 3}, {2, 0, 0}};   /* rank, sizes */
    char path[300];
    Error e = {0};
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/ids", tiny);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        SafeTensor t = {.name = (char *)(uintptr_t)"input_ids", .dtype = DTYPE_I64, .rank = (int)shapes[i][0],
                        .shape = {shapes[i][1], shapes[i][2]}, .data = &e};
        check(safetensors_write(path, &t, 1, NULL, 0, &e) == BERT_OK, "%s", e.message);
        const int code = run("./bert embed -m %s --inputs %s 2>&1", tiny, path);
        const bool refused = shapes[i][shapes[i][0]] == 0;
        check(code == (refused ? 3 : 0) && (refused ? strstr(output, "/ids: input_ids has 0 tokens in a row\n") != NULL :
              !*output), "case %zu: %d, %s", i, code, output);
    }
    remove(path);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * demo and goldens, with the real weights
 * ================================================================================================================== */
/* Thirteen rows: two cosines, which are those of `similarity --by-layer` for the occurrences 1, 2 and 3, and a bar of
 * 20 signs for 1 beside each. */
static void the_bars_of_the_demonstration_are_as_long_as_its_numbers(void)
{
    double cosine[13][2];
    if (!real_weights("bert-base-uncased")) return;
    run("./bert similarity --word bank --by-layer " BANK " | sed '1,/hidden state/d'");
    const char *line = output;
    for (int l = 0; l < 13 && check(line != NULL, "a row for each hidden state: %s", output); l++) {
        double other;
        int state;
        sscanf(line, "%d %lf %lf %lf", &state, &cosine[l][0], &other, &cosine[l][1]);
        check(state == l, "row %d: %s", l, line);
        line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
    }
    run("./bert demo");
    const char *table = strstr(output, "hidden state   similar");
    if (!check(table != NULL, "a table: %s", output)) return;
    for (int l = 0; l < 13; l++) {
        char row[120], first[24] = "", second[24] = "";
        for (int i = 0; i < (int)(cosine[l][0] * 20 + 0.5); i++) strcat(first, "#");
        for (int i = 0; i < (int)(cosine[l][1] * 20 + 0.5); i++) strcat(second, "#");
        snprintf(row, sizeof row, "\n%12d   %5.3f  %-20s   %5.3f  %s", l, cosine[l][0], first, cosine[l][1], second);
        const char *at = strstr(table, row);
        check(at && at[strlen(row)] != '#', "hidden state %d:%s: %s", l, row, table);
    }
}

/* How many numbers are judged is a promise as well; and which are only shown. */
static void the_documents_numbers_are_all_counted(void)
{
    if (!real_weights("bert-base-uncased")) return;
    check(run("./bert goldens -v 2>/dev/null") == 0, "exit code 0");
    const char *last = strstr(output, "211 met, 0 missed, 4 shown, 3 errata\n");
    check(last && !last[strlen("211 met, 0 missed, 4 shown, 3 errata\n")], "the last line: %s", output);
    check(count_lines("    ", "  met") == 211 && count_lines("    ", " shown") == 4 &&
          count_lines("    ", " erratum") == 3, "as many rows: %s", output);
    check(count_lines("    he likes playing (refitted) ", " shown") == 1 &&
          count_lines("    how do magnets work (refitted) ", " shown") == 1 && count_lines("", "(refitted)") == 0,
          "the refitted head's rows are marked: %s", output);
    int equal = 0, numbers = 0;
    for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char printed[64], computed[64], difference[64], verdict[64];
        if (strncmp(line, "    ", 4)) continue;
        if (sscanf(line + 34, "%63s %63s %63s %63s", printed, computed, difference, verdict) != 4) continue;
        const bool same = !strcmp(difference, "0") || !strcmp(difference, "same");
        if (same) equal += check(!strcmp(printed, computed), "printed as the document prints it: %.100s", line);
        if (same || strcmp(verdict, "met") || strchr(difference, '%')) continue;
        const double by = strtod(computed, NULL) - strtod(printed, NULL);
        numbers += check(fabs(by - strtod(difference, NULL)) <= 0.06 * fabs(by) + 2e-9, "the difference: %.100s", line);
    }
    check(equal > 90 && numbers > 80, "%d are equal, %d numbers: %s", equal, numbers, output);
    check(run("./bert goldens --gelu tanh -v 2>&1 | tail -1") == 0 && !strncmp(output, "211 met", 7),
          "each document has its own GELU: %s", output);
}

const Test output_tests[] = {
    {"tokenize_traces_one_text_and_a_pair", tokenize_traces_one_text_and_a_pair},
    {"notes_do_not_go_into_a_file_where_stderr_is_closed", notes_do_not_go_into_a_file_where_stderr_is_closed},
    {"large_answers_into_a_full_disk_exit_6", large_answers_into_a_full_disk_exit_6},
    {"a_blank_line_parts_the_tables_of_two_texts", a_blank_line_parts_the_tables_of_two_texts},
    {"the_json_of_a_pair_has_its_segments_and_offsets", the_json_of_a_pair_has_its_segments_and_offsets},
    {"a_stdin_that_cannot_be_read_is_an_error", a_stdin_that_cannot_be_read_is_an_error},
    {"the_table_of_a_trace_is_that_of_its_file", the_table_of_a_trace_is_that_of_its_file},
    {"info_lists_every_tensor_as_the_file_has_it", info_lists_every_tensor_as_the_file_has_it},
    {"what_a_configuration_leaves_out_is_as_in_bert", what_a_configuration_leaves_out_is_as_in_bert},
    {"missing_tensors_are_named_up_to_twenty", missing_tensors_are_named_up_to_twenty},
    {"numbers_that_are_not_finite_are_counted", numbers_that_are_not_finite_are_counted},
    {"each_step_has_its_shapes_and_its_trap", each_step_has_its_shapes_and_its_trap},
    {"terms_add_up_to_their_sums", terms_add_up_to_their_sums},
    {"step_4_shows_the_ids_of_the_tokenizer", step_4_shows_the_ids_of_the_tokenizer},
    {"step_6_shows_what_the_sum_had", step_6_shows_what_the_sum_had},
    {"all_steps_at_once_show_the_rows_of_each", all_steps_at_once_show_the_rows_of_each},
    {"terms_of_the_context_are_weights_times_values", terms_of_the_context_are_weights_times_values},
    {"step_12_counts_what_is_above_zero", step_12_counts_what_is_above_zero},
    {"the_heads_explained_are_those_of_the_commands", the_heads_explained_are_those_of_the_commands},
    {"step_16_shows_the_cosines_of_the_word_vectors", step_16_shows_the_cosines_of_the_word_vectors},
    {"the_heat_map_shows_the_probabilities", the_heat_map_shows_the_probabilities},
    {"cosines_are_those_of_the_vectors_of_embed", cosines_are_those_of_the_vectors_of_embed},
    {"verify_takes_a_file_and_a_text", verify_takes_a_file_and_a_text},
    {"ids_beyond_their_range_are_named", ids_beyond_their_range_are_named},
    {"ids_without_a_token_are_refused", ids_without_a_token_are_refused},
    {"the_bars_of_the_demonstration_are_as_long_as_its_numbers",
     the_bars_of_the_demonstration_are_as_long_as_its_numbers},
    {"the_documents_numbers_are_all_counted", the_documents_numbers_are_all_counted},
    {NULL, NULL},
};
