/* test_gradients.c - gradients of others: every known mistake of training is planted, written as a program that has it
 * would write its gradients, and verify must name it. The same mistakes in PyTorch's own code:
 * tests/conformance/test_learn_mistakes.py. */
#include "formula.h"
#include "shell.h"
#include "test.h"
#include "verify/verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { B = 5, T = 9, N = B * T, MOST = 400 };
static Bert model;
static char directory[256], path[300], said[1 << 16];
static int lengths[B] = {T, T, T, T, T};
static int32_t ids[N], types[N], mask[N], labels[N], next_sentence[B] = {0, 1, 0, 1, 1};
static const Batch batch = {B, lengths, ids, types, mask};

/* Five sequences of 9, 6, 9, 3 and 7 tokens, [CLS] and [SEP] in their places, words that occur again; a different
 * number of labels in each. */
static void fill_batch(void)
{
    static const int tokens[B] = {9, 6, 9, 3, 7};
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++) {
            const int n = b * T + t, real_token = t < tokens[b];
            ids[n] = !real_token ? 0 : t == 0 ? 2 : t == tokens[b] - 1 ? 3 : 5 + (n * 7 + b) % 40;
            types[n] = real_token && t > tokens[b] / 2;
            mask[n] = real_token;
            labels[n] = real_token && t > 0 && t < tokens[b] - 1 && t % (b + 1) == b / 2 ? 5 + n : -100;
        }
}

static bool open_model(void)
{
    Error e = {0};
    fill_batch();
    const bool ok = formula_directory(directory) && formula_model(directory, "tiny", &e) == BERT_OK &&
                    bert_load(&model, directory, &e) == BERT_OK;
    snprintf(path, sizeof path, "%s/gradients", directory);
    return check(ok, "the model tiny is there: %s", e.message);
}

static void close_model(void)
{
    remove(path);
    bert_free(&model);
    formula_remove(directory);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * OTHER's file
 * ------------------------------------------------------------------------------------------------------------------ */

/* Ids and labels as a file has them. */
static size_t put_inputs(SafeTensor *list, int64_t values[5 * N])
{
    static char names[5][24] = {"input_ids", "token_type_ids", "attention_mask", "labels", "next_sentence_label"};
    const int32_t *from[5] = {ids, types, mask, labels, next_sentence};
    for (int k = 0; k < 5; k++) {
        const size_t count = k < 4 ? N : B;
        for (size_t i = 0; i < count; i++) values[k * N + (int)i] = from[k][i];
        list[k] = (SafeTensor){.name = names[k], .dtype = DTYPE_I64, .rank = k < 4 ? 2 : 1, .count = count,
                               .data = values + k * N, .shape = {B, T}};
    }
    return 5;
}

/* Losses and gradients of the lesson, without the numbers of the forward pass. */
static bool write_lesson(Lesson *t)
{
    static int64_t values[5 * N];
    SafeTensor tensors[MOST];
    TraceTensor *list;
    Learned learned = {.gradients = &t->g, .parameters = &t->parameters};
    Error e = {0};
    size_t all, count = put_inputs(tensors, values);
    if (!check(learned_list(&t->model, &t->a, &learned, &list, &all, &e) == BERT_OK, "%s", e.message)) return false;
    for (int i = 0; i < 3; i++) learned.losses[i] = (real)t->losses[i];
    for (size_t i = 0; i < all && count < MOST; i++)
        if (!strncmp(list[i].name, "grad.", 5) || !strncmp(list[i].name, "loss", 4))
            tensors[count++] = as_file_tensor(&list[i], B);
    const bool ok = safetensors_write(path, tensors, count, NULL, 0, &e) == BERT_OK;
    free(list);
    return check(ok && count < MOST, "%s is written: %s", path, e.message);
}

static Status verify_it(void)
{
    Tokenizer tokenizer = {.cls_id = 2, .sep_id = 3};
    const VerifyOptions options = {.tolerance = TOLERANCE_DEFAULT, .tokenizer = &tokenizer};
    Error e = {0};
    FILE *out = tmpfile();
    if (!out) return BERT_SYSTEM;
    Status status = verify_trace(&model, path, &options, out, &e);
    rewind(out);
    said[fread(said, 1, sizeof said - 1, out)] = 0;
    fclose(out);
    for (char *at = said; (at = strstr(at, "\n    ")) != NULL; at++)     /* lines that were wrapped */
        memmove(at, at + 4, strlen(at + 4) + 1), *at = ' ';
    if (status > BERT_DIFFERENT) snprintf(said, sizeof said, "%s", e.message);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The mistakes
 * ------------------------------------------------------------------------------------------------------------------ */

/* Each mistake, and the first tensor that it spoils, as learn.c's order says. */
static const struct {
    const char *name, *first;
} expected[] = {
    {"all tokens", "loss"},
    {"all rows", "loss"},
    {"MLM by sequences", "loss"},
    {"MLM sum", "loss"},
    {"NSP sum", "loss"},
    {"both sums", "loss"},
    {"means of 1", "loss"},
    {"means of 2", "loss"},
    {"means of 4", "loss"},
    {"means of halves", "loss"},
    {"NSP 0 ignored", "loss"},
    {"NSP swapped", "loss"},
    {"specials", "loss"},
    {"padding", "loss"},
    {"unchosen", "loss"},
    {"every real token", "loss"},
    {"everything", "loss"},
    {"half NSP", "loss"},
    {"double NSP", "loss"},
    {"no NSP", "loss"},
    {"no MLM", "loss"},
    {"padding attended", "loss"},
    {"other GELU", "grad.cls.seq_relationship.weight"},
    {"other GELU'", "grad.cls.predictions.transform.dense"},
    {"GELU' of result", "grad.encoder.layer.1.intermediate.dense"},
    {"norm's mean", "grad.cls.predictions.transform.transform_act_fn"},
    {"norm's variance", "grad.cls.predictions.transform.transform_act_fn"},
    {"norm's both", "grad.cls.predictions.transform.transform_act_fn"},
    {"attention's residual", "grad.encoder.layer.0.output.LayerNorm"},
    {"output's residual", "grad.encoder.layer.1.attention.output.LayerNorm"},
    {"no 1/sqrt(D)", "grad.encoder.layer.1.attention.self.key"},
    {"softmax p", "grad.encoder.layer.1.attention.self.scores"},
    {"softmax diagonal", "grad.encoder.layer.1.attention.self.scores"},
    {"no tanh'", "grad.pooler.dense"},
    {"no lookups", "grad.embeddings.word_embeddings.weight"},
    {"no decoder part", "grad.embeddings.word_embeddings.weight"},
    {"last lookup", "grad.embeddings.word_embeddings.weight"},
    {"padding row", "grad.embeddings.word_embeddings.weight"},
    {"no output bias", "grad.cls.predictions.bias"},
    {"no token types", "grad.embeddings.token_type_embeddings.weight"},
    {"no positions", "grad.embeddings.position_embeddings.weight"},
    {"clip 1", "grad.cls.seq_relationship.weight"},
    {"clip 0.5", "grad.cls.seq_relationship.weight"},
    {"clip 5", "grad.cls.seq_relationship.weight"},
    {"clip each 1", "grad.cls.seq_relationship.weight"},
    {"twice", "grad.cls.seq_relationship.weight"},
    {"loss scaler", "grad.cls.seq_relationship"},
    {"decay 0.1", "grad.cls.seq_relationship.weight"},
    {"decay 0.01", "grad.cls.seq_relationship.weight"},
    {"decay 0.001", "grad.cls.seq_relationship.weight"},
};
enum { EXPECTED = sizeof expected / sizeof *expected };

static void each_mistake_of_training_is_named(void)
{
    Lesson t;
    Error e = {0};
    if (!open_model()) return;
    const int32_t specials[2] = {2, 3};
    if (check(lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK, "%s", e.message)) {
        t.specials = specials;
        check(training_mistakes_count == EXPECTED, "%zu mistakes", training_mistakes_count);
        for (size_t i = 0; i < training_mistakes_count; i++) {
            TrainingMistake planted = training_mistakes[i];
            char line[512];
            if (!strcmp(planted.name, "loss scaler")) planted.value = 1024;
            if (!check(lesson_run(&t, &planted), "%s changes something", planted.name) || !write_lesson(&t)) continue;
            check(verify_it() == BERT_DIFFERENT, "%s: it differs: %s", planted.name, said);
            snprintf(line, sizeof line, ": %s (", planted.sentence);
            const char *at = strstr(said, line), *end = at ? strchr(at, '\n') : NULL;
            const char *equal = at ? strstr(at, "with it equal, nothing differs any more") : NULL;
            check(equal && equal < end, "%s is named, and is all of it: %s", planted.name, said);
            if (i >= EXPECTED || !check(!strcmp(expected[i].name, planted.name), "row %zu: %s", i, planted.name)) continue;
            snprintf(line, sizeof line, "\nfirst difference: %s:", expected[i].first);
            check(strstr(said, line) != NULL, "%s: \"%s\": %s", planted.name, line + 1, said);
        }
    }
    lesson_free(&t);
    close_model();
}

/* A lesson without a mistake is backward(): every gradient has its bits. After a mistake, too. */
static void a_lesson_has_the_bits_of_backward(void)
{
    Lesson t;
    Error e = {0};
    if (!open_model()) return;
    bool ok = lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK;
    if (check(ok, "%s", e.message)) {
        const size_t size = t.g.size;
        unsigned char *right = malloc(size);
        lesson_run(&t, NULL);
        gradients_zero(&t.g);
        forward(&t.model, &t.a);
        backward(&t.model, &t.a, &t.g, &t.targets);
        gradients_finish(&t.model, &t.g, &t.parameters);
        if (right) memcpy(right, t.g.memory, size);
        const double loss = t.g.losses.mlm + t.g.losses.nsp;
        for (size_t i = 0; right && i <= training_mistakes_count; i++) {
            if (i > 0) lesson_run(&t, &training_mistakes[i - 1]);
            lesson_run(&t, NULL);
            check(t.losses[0] == loss, "the loss is %g, expected %g", t.losses[0], loss);
            check(!memcmp(right, t.g.memory, size), "the gradients after mistake %zu are those of backward()", i);
        }
        check(right != NULL, "memory");
        free(right);
    }
    lesson_free(&t);
    close_model();
}

const Test gradients_tests[] = {
    {"each_mistake_of_training_is_named", each_mistake_of_training_is_named},
    {"a_lesson_has_the_bits_of_backward", a_lesson_has_the_bits_of_backward},
    {NULL, NULL},
};
