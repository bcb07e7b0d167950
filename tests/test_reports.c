/* test_reports.c - what people reported of other programs, and had: tests/REPORTS.md lists it, with the tests that hold
 * what happens here. Those that have no better place are below. */
#include "shell.h"
#include <math.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * Models with more in the file than a BERT, or with fewer pieces than rows
 * ------------------------------------------------------------------------------------------------------------------ */
enum { MOST = 64, PIECES = 101, NAMED = 90 };

/* The tiny model with one more matrix (rows,columns) of that name, instead of the last one. The other tensors get
 * `prefix` for their `bert.`, unless it is NULL. */
static bool put_matrix(const char *name, size_t rows, size_t columns, const char *prefix)
{
    static const float numbers[8 * 64 + 64 * 24 + PIECES * 24];
    static char names[MOST + 1][200];
    SafeTensor t[MOST + 1];
    Safetensors st;
    Error e = {0};
    char path[300];
    size_t count = 0;
    run("cp %s/before.safetensors %s/model.safetensors", tiny, tiny);
    snprintf(path, sizeof path, "%s/model.safetensors", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK && st.count <= MOST, "%s", e.message)) return false;
    for (size_t i = 0; i < st.count; i++, count++) {
        const char *old = st.tensors[i].name;
        const bool inside = prefix && !strncmp(old, "bert.", 5);
        snprintf(names[i], sizeof names[i], "%s%s", inside ? prefix : "", inside ? old + 5 : old);
        t[count] = st.tensors[i];
        t[count].name = names[i];
    }
    snprintf(names[MOST], sizeof names[MOST], "%s", name);
    t[count++] = (SafeTensor){.name = names[MOST], .dtype = DTYPE_F32, .rank = 2, .shape = {rows, columns},
                              .count = rows * columns, .data = numbers};
    const bool ok = safetensors_write(path, t, count, NULL, 0, &e) == BERT_OK;
    safetensors_close(&st);
    return check(ok, "%s is written: %s", path, e.message);
}

static bool matrix_model(void)
{
    return tiny_model() && check(run("cp %s/model.safetensors %s/before.safetensors", tiny, tiny) == 0, "a copy");
}

static void remove_matrix(void)
{
    run("rm -f %s/before.safetensors", tiny);
    formula_remove(tiny);
}

/* A ColBERT: its tokens' vectors go through a matrix that has no place in a BERT. */
static void a_matrix_beside_the_bert_that_makes_its_vectors_is_refused(void)
{
    static const char *const commands[] = {"embed -m %s 'the cat'", "similarity -m %s 'the cat' 'a dog'",
                                           "rank -m %s 'the cat' 'a dog' 'the'"};
    char command[300];
    if (!matrix_model()) return;
    for (int i = 0; i < 3; i++) {
        put_matrix("linear.weight", 8, 24, NULL);
        snprintf(command, sizeof command, commands[i], tiny);
        check(run("./bert %s 2>&1", command) == 3 &&
              strstr(output, "/model.safetensors: tensor 'linear.weight' (8,24) is no part of a BERT"), "%s: %s",
              command, output);
        check(run("./bert %s --pooling mean 2>&1", command) == 0, "BERT's own mean: %s", output);
        check(run("./bert %s --layers -1 2>&1", command) == 0, "BERT's own last state: %s", output);
        if (!put_matrix("linear.weight", 8, 23, NULL)) break;
        check(run("./bert %s 2>&1", command) == 0, "another width does not belong to the vectors: %s", output);
    }
    remove_matrix();
}

/* It has any name, stands behind the encoder's prefix, another one or none, and has as many rows as someone wished. A
 * whole SentenceTransformer's state dict has its Dense as 2.linear.weight. */
static void the_matrix_beside_the_bert_has_any_name(void)
{
    static const struct { const char *name, *prefix; size_t rows, columns; } cases[] = {
        {"module.linear.weight", "module.bert.", 8, 24}, {"model.linear.weight", "model.", 8, 24},
        {"colbert.linear.weight", "colbert.bert.", 8, 24}, {"_orig_mod.linear.weight", "_orig_mod.bert.", 8, 24},
        {"bert.linear.weight", NULL, 24, 24}, {"2.linear.weight", "0.auto_model.", 8, 24},
        {"2.linear.weight", "0.model.", 1, 24}, {"dense.weight", NULL, 24, 24}, {"projection.weight", NULL, 3, 24},
        {"head.weight", NULL, 64, 24}, {"fc.weight", NULL, 2, 24}, {"proj.weight", NULL, 48, 24},
        {"text_projection.weight", NULL, 8, 24}, {"text_projection", NULL, 24, 8}, {"mlp.0.weight", NULL, 24, 24},
        {"question_encoder.encode_proj.weight", "question_encoder.bert_model.", 8, 24}};
    char expected[200];
    if (!matrix_model()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!put_matrix(cases[i].name, cases[i].rows, cases[i].columns, cases[i].prefix)) break;
        snprintf(expected, sizeof expected, "tensor '%s' (%zu,%zu) is no part of a BERT", cases[i].name, cases[i].rows,
                 cases[i].columns);
        check(run("./bert embed -m %s 'the cat' 2>&1", tiny) == 3 && strstr(output, expected), "%s: %s", expected,
              output);
    }
    remove_matrix();
}

/* Heads of the usual names, decoders, adapters inside of layers, and what a training left make no vector. */
static void matrices_that_make_no_vector_are_passed_over(void)
{
    static const struct { const char *name; size_t rows, columns; } cases[] = {
        {"intent_classifier.linear.weight", 5, 24}, {"classifier.out_proj.weight", 3, 24}, {"cls.sop.weight", 2, 24},
        {"lm_head.dense.weight", 24, 24}, {"generator.weight", PIECES, 24}, {"fit_dense.weight", 64, 24},
        {"module.fit_denses.0.weight", 64, 24}, {"teacher.encoder.out.weight", 24, 24},
        {"bert.encoder.layer.0.attention.self.query.lora_A.weight", 8, 24},
        {"bert.encoder.layer.1.adapter.down.weight", 8, 24}, {"bert.embeddings.task_embeddings.weight", 3, 24},
        {"discriminator_predictions.dense.weight", 24, 24}, {"crf.transitions", 9, 9}};
    static char plain[sizeof output];
    if (!matrix_model()) return;
    run("./bert embed -m %s 'the cat'", tiny);
    strcpy(plain, output);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!put_matrix(cases[i].name, cases[i].rows, cases[i].columns, NULL)) break;
        check(run("./bert embed -m %s 'the cat' 2>&1", tiny) == 0 && !strcmp(output, plain), "%s: %s", cases[i].name,
              output);
    }
    remove_matrix();
}

/* NAMED of the model's PIECES rows have a piece in vocab.txt. */
static bool fewer_pieces(void)
{
    return tiny_model() && check(run("cd %s && cp vocab.txt whole && head -n %d whole > vocab.txt", tiny, NAMED) == 0,
                                 "a shorter vocabulary");
}

static void remove_pieces(void)
{
    run("rm -f %s/whole %s/ids.safetensors", tiny, tiny);
    formula_remove(tiny);
}

/* Vocabularies are padded to a multiple of 8 or 64: rows without a piece take their share of the probability, and are
 * not shown. */
static void rows_beyond_the_pieces_have_a_probability_and_no_name(void)
{
    double all = 0, named = 0;
    int lines = 0;
    if (!fewer_pieces()) return;
    for (int whole = 0; whole < 2; whole++) {
        if (whole) run("cp %s/whole %s/vocab.txt", tiny, tiny);
        check(run("./bert fill-mask -q -m %s --top-k %d --format json '[MASK]' | tr '{' '\\n' | sed -n 's/.*\"score\": "
                  "\\([^,]*\\), \"token\": \\([0-9]*\\),.*/\\1 \\2/p'", tiny, PIECES) == 0, "scores");
        double score;
        int token, used;
        for (const char *line = output; sscanf(line, "%lf %d\n%n", &score, &token, &used) == 2; line += used) {
            lines += !whole;
            check(whole || token < NAMED, "row %d has no piece", token);
            if (whole) all += score;
            if (whole && token < NAMED) named += score;
            if (!whole) named -= score;
        }
    }
    check(lines == NAMED, "%d pieces are shown, expected %d", lines, NAMED);
    check_value("all rows", all, 1, 1e-6);                      /* 101 rounded floats: measured 4.0e-8 and 1e-16 */
    check_value("the pieces' share is the same", named, 0, 1e-6);
    remove_pieces();
}

/* An id is one of the model's rows, whatever vocab.txt says; I64, as every library writes them. */
static void ids_are_held_against_the_models_rows(void)
{
    static const int64_t ids[] = {2, NAMED + 5, 61, 3};
    static const int32_t narrow[] = {2, 61, 62, 3};
    SafeTensor t = {.name = "input_ids", .dtype = DTYPE_I64, .rank = 1, .shape = {4}, .count = 4, .data = ids};
    static char text[sizeof output];
    char path[300];
    Error e = {0};
    if (!fewer_pieces()) return;
    snprintf(path, sizeof path, "%s/ids.safetensors", tiny);
    check(safetensors_write(path, &t, 1, NULL, 0, &e) == BERT_OK, "%s", e.message);
    check(run("./bert embed -m %s --inputs %s 2>&1", tiny, path) == 0, "an id without a piece: %s", output);
    strcpy(text, output);
    run("cp %s/whole %s/vocab.txt", tiny, tiny);
    check(run("./bert embed -m %s --inputs %s 2>&1", tiny, path) == 0, "the same with its piece: %s", output);
    check_text("the vectors", text, output);
    t.dtype = DTYPE_I32, t.data = narrow;
    check(safetensors_write(path, &t, 1, NULL, 0, &e) == BERT_OK, "%s", e.message);
    check(run("./bert embed -m %s --inputs %s 2>&1", tiny, path) == 3 &&
          strstr(output, "input_ids is I32 of rank 1, expected I64 (T) or (B,T)"), "I32: %s", output);
    remove_pieces();
}

/* An empty last line is a piece that has no row, and nobody can write. */
static void an_empty_last_line_of_the_vocabulary_does_no_harm(void)
{
    static char text[sizeof output];
    if (!tiny_model()) return;
    check(run("./bert embed -m %s 'the cat'", tiny) == 0, "vectors");
    strcpy(text, output);
    check(run("echo >> %s/vocab.txt; ./bert embed -m %s 'the cat' 2>&1", tiny, tiny) == 0, "one line more: %s", output);
    check_text("the vectors", output, text);
    check(run("echo more >> %s/vocab.txt; ./bert embed -m %s 'the cat' 2>&1", tiny, tiny) == 3 &&
          strstr(output, "/config.json: vocab_size is 101, but the vocabulary has 103 pieces"), "a piece more: %s", output);
    formula_remove(tiny);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * all-MiniLM-L6-v2 as `make weights` leaves it
 * ------------------------------------------------------------------------------------------------------------------ */
#define SENTENCE_A "The committee met on Monday to discuss the new rules for public parks, and nobody left early. "
#define SENTENCE_B \
    "Quantum error correction protects fragile qubits from noise by spreading information over many of them. "
#define FOUR_A SENTENCE_A SENTENCE_A SENTENCE_A SENTENCE_A
#define FOUR_B SENTENCE_B SENTENCE_B SENTENCE_B SENTENCE_B

#define LONG_TEXT FOUR_A FOUR_A SENTENCE_A SENTENCE_A SENTENCE_A FOUR_B FOUR_B       /* 355 tokens */

/* Unit vectors; a text of 355 tokens is cut to 256, so that its second half, 8 times B, hardly counts. The cosine with
 * B alone is sentence-transformers 6.2.0's, 0.325893; of the whole text it would be 0.634918. */
static void all_minilm_as_published_gives_unit_vectors_and_cuts_at_256_tokens(void)
{
    double norm = 0;
    if (!real_weights("all-MiniLM-L6-v2")) return;
    if (!check(file_exists("weights/all-MiniLM-L6-v2", "modules.json"), "modules: make weights MODEL=all-MiniLM-L6-v2"))
        return;
    check(run("./bert embed -q -m weights/all-MiniLM-L6-v2 '" LONG_TEXT "' 2>&1") == 0, "a long text: %s", output);
    char *at = output;
    for (int i = 0; i < 384; i++) {
        const double x = strtod(at, &at);
        norm += x * x;
    }
    check_value("the length", sqrt(norm), 1, 1e-6);             /* measured: 3.3e-9 */
    check(run("./bert rank -q -m weights/all-MiniLM-L6-v2 '" SENTENCE_B "' '" LONG_TEXT "'") == 0, "the cosine: %s",
          output);
    check_value("the cosine", strtod(output, NULL), 0.325893, 6e-7);    /* half of its last digit; measured: 3.6e-7 */
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The list
 * ------------------------------------------------------------------------------------------------------------------ */

/* The names in backticks in the last cell of a row, which ends with |: tests of this program, scripts of tests/ or
 * tests/conformance. How many there are. */
static int tests_of_row(const char *row, size_t length)
{
    const char *end = row + length - 1, *at = end;
    int found = 0;
    while (at > row && at[-1] != '|') at--;
    for (; (at = strchr(at, '`')); at++) {
        char name[128];
        if (sscanf(at, "`%127[A-Za-z0-9_./-]`", name) != 1) break;
        const bool script = strstr(name, ".py") || strstr(name, ".sh");
        const bool there = script ? file_exists("tests", name) || file_exists("tests/conformance", name)
                                  : test_exists(name);
        check(there, "REPORTS.md: there is a test %s", name);
        found += there;
        at += strlen(name) + 1;
    }
    return found;
}

/* One line: a row begins with the number of its kind of fault. Adds it to *kinds; true if it is a row. */
static bool check_row(const char *line, unsigned *kinds)
{
    const size_t length = strlen(line);
    unsigned kind;
    if (sscanf(line, "| %u |", &kind) != 1) return false;
    check(kind >= 1 && kind <= 15 && line[length - 1] == '|', "a row of a kind from 1 to 15: %.100s", line);
    check(tests_of_row(line, length) > 0, "a test at the end of: %.100s", line);
    *kinds |= 1u << (kind & 15);
    return true;
}

/* Every row of tests/REPORTS.md names a test that exists, and every kind of fault has a row. */
static void every_report_has_a_test(void)
{
    char line[2000];
    unsigned kinds = 0;
    int rows = 0;
    FILE *f = fopen("tests/REPORTS.md", "r");
    if (!check(f != NULL, "tests/REPORTS.md is there")) return;
    while (fgets(line, sizeof line, f)) {
        check(strchr(line, '\n') != NULL, "a line has less than %zu bytes: %.100s", sizeof line, line);
        line[strcspn(line, "\n")] = 0;
        rows += check_row(line, &kinds);
    }
    fclose(f);
    check(kinds == 0xfffe, "kinds 1 to 15 have rows: %x", kinds);
    check(rows >= 40, "%d rows", rows);
}

const Test report_tests[] = {
    {"a_matrix_beside_the_bert_that_makes_its_vectors_is_refused",
     a_matrix_beside_the_bert_that_makes_its_vectors_is_refused},
    {"the_matrix_beside_the_bert_has_any_name", the_matrix_beside_the_bert_has_any_name},
    {"matrices_that_make_no_vector_are_passed_over", matrices_that_make_no_vector_are_passed_over},
    {"rows_beyond_the_pieces_have_a_probability_and_no_name", rows_beyond_the_pieces_have_a_probability_and_no_name},
    {"ids_are_held_against_the_models_rows", ids_are_held_against_the_models_rows},
    {"an_empty_last_line_of_the_vocabulary_does_no_harm", an_empty_last_line_of_the_vocabulary_does_no_harm},
    {"all_minilm_as_published_gives_unit_vectors_and_cuts_at_256_tokens",
     all_minilm_as_published_gives_unit_vectors_and_cuts_at_256_tokens},
    {"every_report_has_a_test", every_report_has_a_test},
    {NULL, NULL}};
