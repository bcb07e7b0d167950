/* test_teacher.c - `bert train --teacher`: a teacher of another size and vocabulary; the same bits in micro-batches of any
 * size, in jumps, with scores that were kept; teachers that do not suit. The numbers themselves:
 * tests/conformance/test_teacher.py. */
#include "shell.h"
#include <math.h>

static char teacher[256];

/* The model "odd" as teacher: 67 of the 101 pieces of "tiny". */
static bool make_teacher(void)
{
    Error e = {0};
    return make_work() && check(formula_directory(teacher), "a directory") &&
           check(formula_model(teacher, "odd", &e) == BERT_OK, "%s", e.message);
}

static void remove_teacher(void)
{
    formula_remove(teacher);
    remove_work();
}

#define TAUGHT "./bert train -q -m %s --teacher %s -f tests/golden/train.txt --batch 6 --learning-rate 3e-3 " \
               "--schedule constant --seed 4"

/* mlm_loss with a teacher, by itself: two rows of five logits; the teacher knows the first row alone. Each gradient is
 * the difference of the loss for logits 0.1 apart. Tolerance: a third derivative times 0.05^2 / 6, and the float's
 * rounding over 0.1; measured: 2e-5. */
static void a_teachers_gradient_is_the_slope_of_its_loss(void)
{
    enum { V = 5, M = 2, COUNT = 2 };
    real logits[M * V] = {(real)0.3, -1, 2, (real)0.5, 0, 1, 1, (real)-0.2, 3, 0}, slopes[M * V], waste[M * V];
    const int32_t labels[M] = {3, 1};
    const SoftLabel soft[M * COUNT] = {{2, (real)0.75}, {4, (real)0.25}, {0, 0}, {0, 0}};
    const Targets targets = {.labels = labels, .mlm_divisor = 2, .soft = soft, .soft_count = COUNT, .soft_share = 0.7};
    const Bert m = {.config = {.V = V}};
    const Activations a = {.logits = logits, .request = {.M = M}};
    Gradients g = {.a = {.logits = slopes}};
    mlm_loss(&m, &a, &g, &targets);
    for (int i = 0; i < M; i++) {
        double sum = 0;
        for (int j = 0; j < V; j++) sum += (double)slopes[i * V + j];
        check_value("the gradients of a row add up to nothing", sum, 0, 1e-6);
    }
    for (int i = 0; i < M * V; i++) {
        const real middle = logits[i];
        double loss[2];
        for (int side = 0; side < 2; side++) {
            Gradients one = {.a = {.logits = waste}};
            logits[i] = middle + (side ? (real)0.05 : (real)-0.05);
            mlm_loss(&m, &a, &one, &targets);
            loss[side] = one.losses.mlm + one.losses.soft;
        }
        logits[i] = middle;
        check_value("a logit's gradient", (double)slopes[i], (loss[1] - loss[0]) / 0.1, 1e-4);
    }
}

/* The loss that is learned is 0.3 of the words' and 0.7 of the teacher's: so says the log of every step. */
static void a_teacher_is_seven_parts_of_the_loss(void)
{
    if (!make_teacher()) return;
    check(run(TAUGHT " --no-nsp --steps 40 -o %s/a 2>&1", tiny, teacher, work) == 0, "%s", output);
    check(run("tr -d ',}' < %s/a/training/log.jsonl | awk '{ x = $4 - 0.3 * $6 - 0.7 * $10; if (x < 0) x = -x; "
              "if (x > 1e-6 || $9 != \"\\\"teacher_loss\\\":\") bad++ } END { print NR, bad + 0 }'", work) == 0,
          "%s", output);
    check_text("40 lines, none of them wrong", output, "40 0\n");
    check(run("tr -d ',}' < %s/a/training/log.jsonl | awk '{ s += $10; if (NR == 10) a = s; if (NR == 30) b = s } "
              "END { print (s - b < a - 0.3 * 10) }'", work) == 0, "%s", output);
    check_text("the last ten losses of the teacher are 0.3 smaller than the first", output, "1\n");
    check(run("./bert fill-mask -q -m %s/a 'the cat sat on the [MASK] .' 2>&1", work) == 0, "%s", output);
    remove_teacher();
}

/* In float32: the teacher's best 64 of 67 pieces, and their probabilities. */
static const char eight_taught_steps[] =
    "d4f381bd2b609bf9141f9e07d44ba8c7ef1e25af2333d82f5123fbbc2f69fd9d";

static void taught_models_have_the_same_bits(void)
{
    if (!make_teacher()) return;
    check(run(TAUGHT " --steps 8 -o %s/a 2>&1", tiny, teacher, work) == 0, "%s", output);
    if (sizeof(real) == sizeof(float) && check(run("sha256sum < %s/a/model.safetensors", work) == 0, "sha256sum")) {
        output[64] = 0;
        check_text("the committed bits", output, eight_taught_steps);
    }
    check(run(TAUGHT " --steps 8 --micro-batch 1 -o %s/b 2>&1", tiny, teacher, work) == 0, "%s", output);
    same_model("a", "b");
    check(run(TAUGHT " --steps 5 -o %s/d 2>&1", tiny, teacher, work) == 0, "%s", output);
    check(run(TAUGHT " --steps 8 --resume -o %s/d 2>&1", tiny, teacher, work) == 0, "%s", output);
    same_model("a", "d");
    check(run("./bert train -q -m %s -f tests/golden/train.txt --batch 6 --learning-rate 3e-3 --schedule constant --seed 4 "
              "--steps 8 -o %s/n 2>&1", tiny, work) == 0, "%s", output);
    check(run("cmp -s %s/a/model.safetensors %s/n/model.safetensors", work, work) == 1, "a teacher makes a difference");
    remove_teacher();
}

/* Five rows, seven steps of four: scores are kept from the second step on. A run that goes on has kept none. */
static void kept_scores_are_those_that_were_streamed(void)
{
    enum { ROWS = 5, COLUMNS = 7 };
    int64_t ids[ROWS * COLUMNS], labels[ROWS * COLUMNS];
    char path[300];
    Error e = {0};
    char id_name[] = "input_ids", label_name[] = "labels";
    const SafeTensor list[] = {{id_name, DTYPE_I64, 2, {ROWS, COLUMNS}, ROWS * COLUMNS, ids},
                               {label_name, DTYPE_I64, 2, {ROWS, COLUMNS}, ROWS * COLUMNS, labels}};
    if (!make_teacher()) return;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        ids[i] = 5 + i * 7 % 90;
        labels[i] = i % 3 == 1 && i / COLUMNS != 2 ? i * 5 % 100 : -100;        /* row 3 has none */
    }
    snprintf(path, sizeof path, "%s/rows", work);
    check(safetensors_write(path, list, 2, NULL, 0, &e) == BERT_OK, "%s", e.message);
#define ROWS_TAUGHT "./bert train -q -m %s --teacher %s --inputs %s --batch 4 --learning-rate 3e-3 --schedule constant"
    check(run(ROWS_TAUGHT " --steps 7 -o %s/a 2>&1", tiny, teacher, path, work) == 0, "%s", output);
    check(run(ROWS_TAUGHT " --steps 7 --micro-batch 3 -o %s/b 2>&1", tiny, teacher, path, work) == 0, "%s", output);
    same_model("a", "b");
    for (int steps = 1; steps <= 7; steps++)
        check(run(ROWS_TAUGHT " --steps %d --resume -o %s/d 2>&1", tiny, teacher, path, steps, work) == 0, "%s", output);
    same_model("a", "d");
    remove_teacher();
}

/* Which teacher it was is part of the saved state. */
static void a_run_goes_on_with_the_same_teacher(void)
{
    if (!make_teacher()) return;
    check(run(TAUGHT " --steps 2 -o %s/a 2>&1", tiny, teacher, work) == 0, "%s", output);
    check(run(TAUGHT " --steps 3 --resume --teacher %s -o %s/a 2>&1", tiny, teacher, tiny, work) == 2 &&
          strstr(output, "teacher was "), "another teacher: %s", output);
    check(run("./bert train -q --resume -f tests/golden/train.txt --batch 6 --learning-rate 3e-3 --schedule constant "
              "--seed 4 --steps 3 -o %s/a 2>&1", work) == 2 && strstr(output, "and is none"), "no teacher: %s", output);
    remove_teacher();
}

static void teachers_that_do_not_suit_are_refused(void)
{
    static const struct { const char *spoil, *options, *says; int code; } cases[] = {
        {"true", "--task classify", "--teacher teaches hidden words", 2},
        {"rm %s/vocab.txt", "", "vocab.txt", 3},
        {"sed -i 's/^\\[UNK\\]$/unk/' %s/vocab.txt", "", "", 3},
        {"sed -i '30,$s/$/x/' %s/vocab.txt", "", "fewer than half, so it would not understand the text", 3},
        {"sed -i 's/cls.predictions/xyz.predictions/g' %s/model.safetensors", "", "lack the MLM head", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!make_teacher()) return;
        run(cases[i].spoil, teacher);
        const int code = run(TAUGHT " --steps 2 -o %s/a %s 2>&1", tiny, teacher, work, cases[i].options);
        check(code == cases[i].code && strstr(output, cases[i].says), "case %zu: code %d: %s", i, code, output);
        check(strchr(output, '\n') == output + output_length - 1, "case %zu: one line: %s", i, output);
        remove_teacher();
    }
    if (!make_teacher()) return;
    check(run("./bert train -q -m %s --teacher %s -f tests/golden/train.txt --max-length 40 --steps 2 -o %s/a 2>&1", teacher,
              tiny, work) == 3 && strstr(output, "the teacher has 32 positions"), "%s", output);
    remove_teacher();
}

typedef enum { NOT_NUMBERS, REVERSED, ZEROS, LOW_FROM_64, BEST_66, BEST_66_LOW_FROM_63 } Rewriting;

/* Number i of a tensor (rows, cols) of the teacher, rewritten. */
static float rewritten(const float *old, size_t rows, size_t cols, size_t i, Rewriting how)
{
    if (how == NOT_NUMBERS) return NAN;
    if (how == REVERSED) return old[(rows - 1 - i / cols) * cols + i % cols];
    const size_t low = how == LOW_FROM_64 ? 64 : how == BEST_66_LOW_FROM_63 ? 63 : rows;
    if (how >= BEST_66 && i / cols == 66) return 1;
    return i / cols >= low ? -100 : 0;
}

/* The teacher's tensors of these names with other numbers: all NaN; its rows from the last to the first; zeros; zeros,
 * but -100 from row 64 on; zeros, but 1 in row 66; the same with -100 in rows 63 to 65. */
static bool rewrite_teacher(const char *const names[], int count, Rewriting how)
{
    Error e = {0};
    Safetensors st;
    char path[400], from[400];
    float *copies[2] = {NULL};
    snprintf(from, sizeof from, "%s/model.safetensors", teacher);
    snprintf(path, sizeof path, "%s/rewritten", work);
    if (!check(safetensors_open(&st, from, &e) == BERT_OK, "%s", e.message)) return false;
    for (int k = 0; k < count; k++) {
        SafeTensor *t = (SafeTensor *)safetensors_find(&st, names[k]);
        const size_t cols = t->rank == 2 ? t->shape[1] : 1, rows = t->count / cols;
        const float *old = t->data;
        copies[k] = malloc(t->count * sizeof *copies[k]);
        if (!check(copies[k] != NULL, "memory")) return false;
        for (size_t i = 0; i < t->count; i++) copies[k][i] = rewritten(old, rows, cols, i, how);
        t->data = copies[k];
    }
    check(safetensors_write(path, st.tensors, st.count, NULL, 0, &e) == BERT_OK, "%s", e.message);
    safetensors_close(&st);
    for (int k = 0; k < count; k++) free(copies[k]);
    return check(run("mv %s %s", path, from) == 0, "%s", output);
}

/* The same teacher with its pieces in the reverse order teaches the same, bit for bit. */
static void pieces_are_found_by_their_text(void)
{
    static const char *const names[] = {"bert.embeddings.word_embeddings.weight", "cls.predictions.bias"};
    if (!make_teacher()) return;
    check(run(TAUGHT " --steps 4 -o %s/a 2>&1", tiny, teacher, work) == 0, "%s", output);
    if (rewrite_teacher(names, 2, REVERSED)) {
        run("tac %s/vocab.txt > %s/x; mv %s/x %s/vocab.txt", teacher, teacher, teacher, teacher);
        check(run(TAUGHT " --steps 4 -o %s/b 2>&1", tiny, teacher, work) == 0, "%s", output);
        check(run("cmp %s/a/model.safetensors %s/b/model.safetensors 2>&1", work, work) == 0, "%s", output);
    }
    remove_teacher();
}

/* Of 67 pieces that a teacher finds equally good the first 64 are learned, as if it thought little of the last three;
 * and where the last one is better, the first 63 beside it. */
static void of_equal_scores_the_first_pieces_are_learned(void)
{
    static const Rewriting pairs[][2] = {{ZEROS, LOW_FROM_64}, {BEST_66, BEST_66_LOW_FROM_63}};
    static const char *const words[] = {"bert.embeddings.word_embeddings.weight"};
    static const char *const bias[] = {"cls.predictions.bias"};
    if (!make_teacher()) return;
    for (int k = 0; k < 2 && rewrite_teacher(words, 1, ZEROS); k++) {
        run("rm -rf %s/*", work);
        rewrite_teacher(bias, 1, pairs[k][0]);
        check(run(TAUGHT " --steps 3 -o %s/a 2>&1", tiny, teacher, work) == 0, "%s", output);
        rewrite_teacher(bias, 1, pairs[k][1]);
        check(run(TAUGHT " --steps 3 -o %s/b 2>&1", tiny, teacher, work) == 0, "%s", output);
        check(run("cmp %s/a/model.safetensors %s/b/model.safetensors 2>&1", work, work) == 0, "pair %d: %s", k, output);
    }
    remove_teacher();
}

/* Scores that are no numbers must not reach the student. */
static void a_teacher_that_is_not_finite_is_named(void)
{
    static const char *const names[] = {"cls.predictions.bias"};
    static int64_t ids[] = {2, 61, 62, 3}, labels[] = {-100, 61, -100, -100};
    char path[300], id_name[] = "input_ids", label_name[] = "labels";
    const SafeTensor list[] = {{id_name, DTYPE_I64, 2, {1, 4}, 4, ids}, {label_name, DTYPE_I64, 2, {1, 4}, 4, labels}};
    Error e = {0};
    if (!make_teacher()) return;
    snprintf(path, sizeof path, "%s/rows", work);
    check(safetensors_write(path, list, 2, NULL, 0, &e) == BERT_OK, "%s", e.message);
    if (rewrite_teacher(names, 1, NOT_NUMBERS)) {
        check(run(TAUGHT " --steps 2 -o %s/a 2>&1", tiny, teacher, work) == 3 &&
              strstr(output, "the teacher's scores are not finite, in line "), "%s", output);
        check(run("./bert train -q -m %s --teacher %s --inputs %s --steps 1 --batch 1 -o %s/b 2>&1", tiny, teacher,
                  path, work) == 3 && strstr(output, "the teacher's scores are not finite, in row 1 or after it"),
              "%s", output);
    }
    remove_teacher();
}

const Test teacher_tests[] = {
    {"a_teachers_gradient_is_the_slope_of_its_loss", a_teachers_gradient_is_the_slope_of_its_loss},
    {"a_teacher_is_seven_parts_of_the_loss", a_teacher_is_seven_parts_of_the_loss},
    {"taught_models_have_the_same_bits", taught_models_have_the_same_bits},
    {"kept_scores_are_those_that_were_streamed", kept_scores_are_those_that_were_streamed},
    {"a_run_goes_on_with_the_same_teacher", a_run_goes_on_with_the_same_teacher},
    {"teachers_that_do_not_suit_are_refused", teachers_that_do_not_suit_are_refused},
    {"pieces_are_found_by_their_text", pieces_are_found_by_their_text},
    {"of_equal_scores_the_first_pieces_are_learned", of_equal_scores_the_first_pieces_are_learned},
    {"a_teacher_that_is_not_finite_is_named", a_teacher_that_is_not_finite_is_named},
    {NULL, NULL}
};
