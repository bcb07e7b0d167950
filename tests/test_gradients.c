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
            if (n == T + 2) ids[n] = 0;                                 /* a [PAD] that is not masked */
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
    read_report(out, said, sizeof said);
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
    {"padding_idx", "grad.embeddings.word_embeddings.weight"},
    {"padding row", "grad.embeddings.word_embeddings.weight"},
    {"no output bias", "grad.cls.predictions.bias"},
    {"no token types", "grad.embeddings.token_type_embeddings.weight"},
    {"no positions", "grad.embeddings.position_embeddings.weight"},
    {"clip 1", "grad.cls.seq_relationship.weight"},
    {"clip 0.5", "grad.cls.seq_relationship.weight"},
    {"clip 5", "grad.cls.seq_relationship.weight"},
    {"clip each 1", "grad.cls.predictions.transform.dense.weight"},
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
            check(verify_it() == BERT_DIFFERENT && !strstr(said, "all multiplied by"), "%s: it differs: %s", planted.name, said);
            snprintf(line, sizeof line, ": %s (", planted.sentence);
            const char *at = strstr(said, line), *end = at ? strchr(at, '\n') : NULL;
            const char *equal = at ? strstr(at, "with it equal, nothing differs any more") : NULL;
            check(equal && equal < end, "%s is named, and is all of it: %s", planted.name, said);
            const bool same = i < EXPECTED && !strcmp(expected[i].name, planted.name);
            if (!check(same, "row %zu: %s", i, planted.name)) continue;
            snprintf(line, sizeof line, "\nfirst difference: %s:", expected[i].first);
            check(strstr(said, line) != NULL, "%s: \"%s\": %s", planted.name, line + 1, said);
            record(planted.name, said, directory);
        }
        check_record("tests/golden/gradients.txt");
    }
    lesson_free(&t);
    close_model();
}

/* The same mistakes in a program whose table of word embeddings has a padding_idx, as Hugging Face's has: row 0 gets
 * nothing from lookups. That is no second mistake. */
static void a_mistake_is_named_beside_padding_idx(void)
{
    static const char *const of_the_table[] = {"no lookups", "padding_idx", "padding row", "last lookup", "loss scaler",
                                               "no decoder part"};
    const int32_t specials[2] = {2, 3};
    int named = 0;
    Lesson t;
    Error e = {0};
    if (too_slow() || !open_model()) return;
    if (check(lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK, "%s", e.message)) {
        t.specials = specials;
        for (size_t i = 0; i < training_mistakes_count; i++) {
            const TrainingMistake *m = &training_mistakes[i];
            char line[512];
            bool skipped = false;
            for (int k = 0; k < 6; k++) skipped |= !strcmp(m->name, of_the_table[k]);
            skipped |= !strncmp(m->name, "clip", 4);                    /* a length to which row 0 belongs */
            if (skipped) continue;
            t.padding_idx = true;
            const bool planted = lesson_run(&t, m);
            t.padding_idx = false;
            if (!planted || !write_lesson(&t)) continue;
            check(verify_it() == BERT_DIFFERENT, "%s: it differs: %s", m->name, said);
            snprintf(line, sizeof line, ": %s (", m->sentence);
            const char *at = strstr(said, line), *end = at ? strchr(at, '\n') : NULL;
            const char *equal = at ? strstr(at, "nothing differs any more") : NULL;
            named += check(equal && equal < end, "%s is named, and is all of it: %s", m->name, said);
        }
    }
    check(named > 35, "%d are named", named);
    lesson_free(&t);
    close_model();
}

/* All learned gradients, one behind the other; NULL without memory. */
static real *copy_gradients(const Lesson *t, size_t *count)
{
    *count = 0;
    for (const Parameter *p = t->parameters.list; p < t->parameters.list + t->parameters.count; p++) *count += p->count;
    real *copy = malloc(*count * sizeof *copy), *to = copy;
    for (size_t i = 0; copy && i < t->parameters.count; to += t->parameters.list[i++].count)
        memcpy(to, t->parameters.list[i].gradient, t->parameters.list[i].count * sizeof *to);
    return copy;
}

/* The largest difference between the lesson's gradients and those, over the largest of those. */
static double distance(const Lesson *t, const real *right)
{
    double largest = 0, difference = 0;
    for (const Parameter *p = t->parameters.list; p < t->parameters.list + t->parameters.count; right += p++->count)
        for (size_t i = 0; i < p->count; i++) {
            largest = fmax(largest, fabs((double)right[i]));
            difference = fmax(difference, fabs((double)right[i] - (double)p->gradient[i]));
        }
    return difference / largest;
}

/* A LayerNorm that takes neither mean nor variance for a constant is the right one, in every row of every place. The
 * mistake sums in double, learn.c in float: 1.7e-7 was seen. */
static void a_norm_that_lacks_nothing_is_the_right_one(void)
{
    Lesson t;
    Error e = {0};
    size_t count;
    TrainingMistake planted = {0};
    if (!open_model()) return;
    for (size_t i = 0; i < training_mistakes_count; i++)
        if (!strcmp(training_mistakes[i].name, "norm's both")) planted = training_mistakes[i];
    const bool ok = check(lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK, "%s", e.message);
    real *right = ok && lesson_run(&t, NULL) ? copy_gradients(&t, &count) : NULL;
    if (check(right && planted.name, "memory, and the mistake")) {
        planted.value = 0;
        lesson_run(&t, &planted);
        check(distance(&t, right) <= 1e-6, "without what it lacks: %g", distance(&t, right));
        planted.value = 3;
        lesson_run(&t, &planted);
        check(distance(&t, right) > 1e-3, "with both it is another: %g", distance(&t, right));
    }
    free(right);
    lesson_free(&t);
    close_model();
}

/* Without padding a program that learns from every token learns from every real one: both rows of the table are named,
 * in its order. */
static void mistakes_of_training_that_are_the_same_here_are_both_named(void)
{
    static const char *const both[] = {"every real token", "everything"};
    const int32_t specials[2] = {2, 3};
    int32_t whole[N];
    Lesson t;
    Error e = {0};
    if (!open_model()) return;
    for (int n = 0; n < N; n++) whole[n] = mask[n] = 1, labels[n] = n % T == 2 ? 5 + n : -100;
    for (int n = 0; n < N; n++) ids[n] = n % T == 0 ? 2 : n % T == T - 1 ? 3 : 5 + n % 40;
    const Batch full = {B, lengths, ids, types, whole};
    for (size_t i = 0; i < training_mistakes_count; i++) {
        if (strcmp(training_mistakes[i].name, both[0]) && strcmp(training_mistakes[i].name, both[1])) continue;
        if (!check(lesson_new(&t, &model, &full, labels, next_sentence, &e) == BERT_OK, "%s", e.message)) break;
        t.specials = specials;
        if (lesson_run(&t, &training_mistakes[i]) && write_lesson(&t)) {
            check(verify_it() == BERT_DIFFERENT, "it differs: %s", said);
            const char *best = strstr(said, "best explanation: every token but the padding is a target, [CLS]");
            const char *also = strstr(said, "\ncannot be told apart from: every token is a target, "
                                      "padding among them (");
            check(best && also > best && !strstr(also + 1, "\ncannot"), "%s: %s", training_mistakes[i].name, said);
        }
        lesson_free(&t);
    }
    close_model();
}

/* A factor that nothing explains is named as such. */
static void a_factor_of_all_gradients_is_named(void)
{
    Lesson t;
    Error e = {0};
    if (!open_model()) return;
    bool ok = check(lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK, "%s", e.message);
    if (ok && lesson_run(&t, NULL)) {
        for (size_t i = 0; i < t.parameters.count; i++)
            for (size_t k = 0; k < t.parameters.list[i].count; k++) t.parameters.list[i].gradient[k] *= (real)0.375;
        ok = write_lesson(&t) && check(verify_it() == BERT_DIFFERENT, "%s", said);
        check(ok && strstr(said, "best explanation: the parameters' gradients are all multiplied by 0.375 (") &&
              strstr(said, "nothing differs any more)"), "%s", said);
    }
    lesson_free(&t);
    close_model();
}

/* A lesson without a mistake is backward(): every gradient has its bits. After a mistake, too. */
static bool changes_nothing(Lesson *t)
{
    (void)t;
    return false;
}

static void a_lesson_has_the_bits_of_backward(void)
{
    static const TrainingMistake none = {"none", "changes nothing", 0, changes_nothing, NULL, NULL};
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
        for (size_t i = 0; right && i < 2 * training_mistakes_count; i++) {
            lesson_run(&t, &training_mistakes[i / 2]);
            if (i % 2) check(!lesson_run(&t, &none), "what changes nothing is not run");
            lesson_run(&t, NULL);
            check(t.losses[0] == loss, "the loss is %g, expected %g", t.losses[0], loss);
            check(!memcmp(right, t.g.memory, size), "the gradients after mistake %zu are those of backward()", i / 2);
        }
        check(right != NULL, "memory");
        free(right);
    }
    lesson_free(&t);
    close_model();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Labels, from what the sentences say
 * ------------------------------------------------------------------------------------------------------------------ */
enum { FEW = 4 };                   /* [CLS], a word, [SEP], padding */

/* The labels and answers of a program that has that mistake, of two texts of four tokens; the divisors of its means are
 * then those of what it has. False: none of the rows below. */
static bool wrong_labels(const char *name, const Batch *few, int32_t *of_tokens, int32_t *of_texts)
{
    for (int i = 0; i < 2 * FEW; i++) {
        const bool special = few->input_ids[i] == 2 || few->input_ids[i] == 3, padding = !few->attention_mask[i];
        const bool chosen = !strcmp(name, "specials") ? special : !strcmp(name, "padding") ? padding :
                            !strcmp(name, "unchosen") ? !special && !padding :
                            !strcmp(name, "every real token") ? !padding : !strcmp(name, "everything");
        if (chosen && of_tokens && of_tokens[i] < 0) of_tokens[i] = few->input_ids[i];
    }
    for (int b = 0; b < 2 && of_texts; b++) {
        if (!strcmp(name, "NSP 0 ignored") && of_texts[b] == 0) of_texts[b] = -100;
        if (!strcmp(name, "NSP swapped") && of_texts[b] != -100) of_texts[b] = !of_texts[b];
    }
    return !strcmp(name, "specials") || !strcmp(name, "padding") || !strcmp(name, "unchosen") ||
           !strcmp(name, "every real token") || !strcmp(name, "everything") || !strncmp(name, "NSP 0", 5) ||
           !strcmp(name, "NSP swapped");
}

/* One mistake with these labels, either of which may be missing: it is planted if it changes a label, and does then
 * what the changed labels do. */
static void check_labels(const TrainingMistake *mistake, const Batch *few, const int32_t *of_tokens,
                         const int32_t *of_texts)
{
    static const int32_t specials[2] = {2, 3};
    int32_t tokens[2 * FEW], texts[2];
    Lesson t, right;
    Error e = {0};
    if (of_tokens) memcpy(tokens, of_tokens, sizeof tokens);
    if (of_texts) memcpy(texts, of_texts, sizeof texts);
    if (!wrong_labels(mistake->name, few, of_tokens ? tokens : NULL, of_texts ? texts : NULL)) return;
    const bool changed = (of_tokens && memcmp(tokens, of_tokens, sizeof tokens)) ||
                         (of_texts && memcmp(texts, of_texts, sizeof texts));
    const bool ok = lesson_new(&t, &model, few, of_tokens, of_texts, &e) == BERT_OK &&
                    lesson_new(&right, &model, few, of_tokens ? tokens : NULL, of_texts ? texts : NULL, &e) == BERT_OK;
    if (!check(ok, "%s", e.message)) return;
    t.specials = specials;
    const bool planted = lesson_run(&t, mistake);
    check(planted == changed, "%s: planted %d, changes a label %d", mistake->name, planted, changed);
    if (planted && lesson_run(&right, NULL)) {
        check(!memcmp(t.losses, right.losses, sizeof t.losses), "%s: losses %g %g, expected %g %g", mistake->name,
              t.losses[1], t.losses[2], right.losses[1], right.losses[2]);
        for (size_t i = 0; i < t.parameters.count; i++) {
            const Parameter *p = &t.parameters.list[i];
            const size_t size = p->count * sizeof *p->gradient;
            check(!memcmp(p->gradient, right.parameters.list[i].gradient, size), "%s: %s", mistake->name, p->name);
        }
    }
    lesson_free(&t);
    lesson_free(&right);
}

/* Every choice of labelled tokens in a text, every pair of answers, alone and together. */
static void mistakes_of_labels_change_those_that_they_say(void)
{
    static const int32_t answers[] = {0, 1, -100};
    int32_t few_ids[2 * FEW] = {2, 9, 3, 0, 2, 17, 3, 0}, few_types[2 * FEW] = {0}, few_mask[2 * FEW] =
        {1, 1, 1, 0, 1, 1, 1, 0};
    static int few_lengths[2] = {FEW, FEW};
    const Batch few = {2, few_lengths, few_ids, few_types, few_mask};
    if (!open_model()) return;
    for (int k = 0; k < 16 * 9 * 3; k++) {
        int32_t of_tokens[2 * FEW], of_texts[2];
        const int kind = k / 144, chosen = k % 16;
        for (int i = 0; i < 2 * FEW; i++)                               /* the second text has all labels but for few */
            of_tokens[i] = i < FEW ? (chosen >> i & 1 ? 20 + i : -100) : chosen % 3 == 0 && i == FEW ? -100 : 40 + i;
        of_texts[0] = answers[k / 16 % 3], of_texts[1] = answers[k / 48 % 3];
        if ((kind == 0 && k / 16 % 9) || (kind == 1 && chosen) || (kind == 2 && k % 5)) continue;
        for (size_t i = 0; i < training_mistakes_count; i++)
            check_labels(&training_mistakes[i], &few, kind == 1 ? NULL : of_tokens, kind == 0 ? NULL : of_texts);
    }
    close_model();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What each mistake makes of each kind of batch
 * ------------------------------------------------------------------------------------------------------------------ */

/* Some of the five sequences, with the labels of some of them, and answers or none. */
static const struct {
    const char *what;
    int first, count;               /* sequences */
    int labels;                     /* 0 no tensor of them, 1 as they are, 2 one alone, 3 none of them is a label, 4 one is [PAD] */
    bool answers, tanh, untied;
} lessons[] = {
    {"both", 0, 5, 1, true, false, false}, {"labels alone", 0, 5, 1, false, false, false},
    {"answers alone", 0, 5, 0, true, false, false}, {"one sequence", 0, 1, 1, true, false, false},
    {"two sequences", 1, 2, 1, true, false, false}, {"three sequences", 1, 3, 1, true, false, false},
    {"one label", 0, 2, 2, false, false, false}, {"no label, and one answer", 0, 1, 3, true, false, false},
    {"tanh, untied", 0, 5, 1, true, true, true}, {"no padding", 2, 1, 1, false, true, false},
    {"a label of 0", 0, 5, 4, true, false, false},
};

/* Losses, and the length of all gradients, with one mistake. */
static void record_lesson(Lesson *t, const TrainingMistake *mistake, char *text, size_t size)
{
    const bool planted = lesson_run(t, mistake);
    snprintf(text, size, "%s: ", mistake->name);
    text += strlen(text), size = 100;
    if (!planted) snprintf(text, size, "changes nothing\n");
    else snprintf(text, size, "loss %.4g, %.4g and %.4g, gradients of length %.4g\n", t->losses[0], t->losses[1],
                  t->losses[2], gradient_norm(&t->g, &t->parameters));
}

/* Which mistakes can be made of a batch at all, and how large they are. Verify: the numbers are those of the program;
 * that a sentence is true is the matter of tests/conformance/test_learn_mistakes.py. */
static void each_mistake_of_training_knows_where_it_changes_something(void)
{
    static const int32_t specials[2] = {2, 3};
    static float own[101 * 24];
    static char text[1 << 14];
    Error e = {0};
    if (!open_model()) return;
    for (size_t i = 0; i < 101 * 24; i++) own[i] = formula_value("a decoder of its own", i);
    const void *const tied = model.decoder.data;
    for (size_t k = 0; k < sizeof lessons / sizeof *lessons; k++) {
        const int from = lessons[k].first * T, B_ = lessons[k].count;
        const Batch some = {B_, lengths, ids + from, types + from, mask + from};
        int32_t few[N];
        Lesson t;
        memcpy(few, labels, sizeof few);
        for (int i = 0, left = lessons[k].labels == 2; lessons[k].labels > 1 && i < N; i++)
            if (few[i] >= 0 && left-- <= 0) few[i] = lessons[k].labels < 4 ? -100 : left == -1 ? 0 : few[i];
        model.config.gelu = lessons[k].tanh ? GELU_TANH : GELU_ERF;
        model.decoder.data = lessons[k].untied ? own : tied;
        if (!check(lesson_new(&t, &model, &some, lessons[k].labels ? few + from : NULL,
                              lessons[k].answers ? next_sentence + lessons[k].first : NULL, &e) == BERT_OK, "%s",
                   e.message)) break;
        t.specials = specials;
        *text = 0;
        for (size_t i = 0; i < training_mistakes_count; i++) {
            TrainingMistake planted = training_mistakes[i];
            if (!strcmp(planted.name, "loss scaler")) planted.value = 1024;
            record_lesson(&t, &planted, text + strlen(text), sizeof text - strlen(text));
        }
        record(lessons[k].what, text, directory);
        lesson_free(&t);
    }
    model.decoder.data = tied;
    check_record("tests/golden/lessons.txt");
    close_model();
}

/* What `change` makes of OTHER's file, written anew. */
typedef struct {
    const char *name;               /* the tensor to change: or NULL */
    const char *renamed;            /* another name for it, or NULL; "": it is left out */
    double factor, offset;          /* of its numbers */
    size_t zeros;                   /* of ten of them so many are 0 */
} Change;
static bool change_file(Change change)
{
    Safetensors file;
    SafeTensor list[MOST];
    size_t count = 0;
    Error e = {0};
    float *numbers = NULL;
    if (!check(safetensors_open(&file, path, &e) == BERT_OK, "%s", e.message)) return false;
    for (size_t i = 0; i < file.count && count < MOST; i++) {
        SafeTensor t = file.tensors[i];
        const bool it = change.name && !strcmp(t.name, change.name);
        if (it && change.renamed && !*change.renamed) continue;
        if (it && t.dtype != DTYPE_I64) {
            numbers = calloc(t.count, sizeof *numbers);
            for (size_t k = 0; numbers && k < t.count; k++)
                numbers[k] = k * 7 % 10 < change.zeros ? 0 : (float)(tensor_element(&t, k) * change.factor + change.offset);
            t.data = numbers, t.dtype = DTYPE_F32;
        }
        if (it && change.renamed) t.name = (char *)(uintptr_t)change.renamed;
        list[count++] = t;
    }
    char other[310];
    snprintf(other, sizeof other, "%s.2", path);
    bool ok = safetensors_write(other, list, count, NULL, 0, &e) == BERT_OK;
    safetensors_close(&file);
    free(numbers);
    ok = ok && !rename(other, path);
    return check(ok, "%s is written again: %s", path, e.message);
}

/* One change at a time to a right file, and how verify ends. */
static void verify_reads_gradients_as_programs_write_them(void)
{
    static const char bias[] = "grad.encoder.layer.1.attention.self.key.bias";
    static const char dense[] = "grad.encoder.layer.1.output.dense.weight";
    static const struct {
        Change change;
        int status;
        const char *says;
    } cases[] = {
        {{NULL, NULL, 0, 0, 0}, BERT_OK, "84 compared, all equal"},
        {{dense, "grad.bert.encoder.layer.1.output.dense.weight", 1, 0, 0}, BERT_OK, "84 compared"},
        {{"grad.cls.predictions.bias", "grad.cls.predictions.decoder.bias", 1, 0, 0}, BERT_OK, "84 compared"},
        {{bias, NULL, 0, 1e-9, 0}, BERT_OK, "no tensor differs"},          /* rounding, of a gradient that is 0 */
        {{bias, NULL, 0, 0.1, 0}, BERT_DIFFERENT, "first difference: grad.encoder.layer.1.attention.self.key.bias"},
        {{dense, NULL, 1.001, 0, 0}, BERT_DIFFERENT, "no known mistake of training explains grad.encoder.layer.1.output."
         "dense.weight (NMSE -60 dB, cosine 1.000)\n"},
        {{"grad.pooler.dense", NULL, -0.5, 0, 0}, BERT_DIFFERENT,
         "no known mistake of training explains grad.pooler.dense "
         "(NMSE 4 dB, cosine -1.000)\n"},
        {{dense, NULL, (double)NAN, 0, 0}, BERT_DIFFERENT, "encoder.layer.1.output.dense.weight: NaN at row 0 column 0"},
        {{dense, "", 0, 0, 0}, BERT_OK, "not in OTHER: grad.encoder.layer.*.output.dense.weight (1 of 2)"},
        {{dense, "grad.nonsense", 1, 0, 0}, BERT_OK, "unknown names in OTHER: grad.nonsense"},
        {{"grad.encoder.layer.1.output.dense", NULL, 1, 0, 1}, BERT_DIFFERENT, "best explanation: dropout is on, 10 % of the "
         "numbers in grad.encoder.layer.1.output.dense are 0"},
        {{"loss", NULL, 1.5, 0, 0}, BERT_DIFFERENT, "first difference: loss: NMSE -6 dB, up to"},
        {{"labels", "", 0, 0, 0}, BERT_DIFFERENT, "first difference: loss:"},      /* ours is that of NSP alone then */
        {{"input_ids", "", 0, 0, 0}, BERT_FILE, "there are no input_ids"},
        {{"labels", "start_positions", 0, 0, 0}, BERT_HEAD, "start_positions: gradients of fine-tuned heads are not verified"},
        {{"grad.pooler.dense", "grad.classifier.weight", 0, 0, 0}, BERT_HEAD, "grad.classifier.weight: gradients of fine-t"},
    };
    Lesson t;
    Error e = {0};
    if (!open_model()) return;
    bool ok = check(lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK, "%s", e.message);
    for (size_t i = 0; ok && i < sizeof cases / sizeof *cases; i++) {
        if (!lesson_run(&t, NULL) || !write_lesson(&t) || !change_file(cases[i].change)) break;
        const int got = (int)verify_it();
        check(got == cases[i].status, "case %zu: %d, expected %d: %s", i, got, cases[i].status, said);
        check(strstr(said, cases[i].says) != NULL, "case %zu: \"%s\": %s", i, cases[i].says, said);
        check(!strstr(cases[i].says, ": NaN") || !strstr(said, "explains"), "a NaN needs no explanation: %s", said);
    }
    lesson_free(&t);
    close_model();
}

/* A mistake and one more wrong tensor: what is left with the mistake is counted. */
static void what_a_mistake_of_training_leaves_is_counted(void)
{
    static const char *const changed[] = {"grad.pooler.dense.weight", "grad.encoder.layer.0.output.dense.weight",
                                          "grad.embeddings.word_embeddings.weight", "grad.encoder.layer.1.output.dense",
                                          "grad.cls.predictions.bias"};
    Lesson t;
    Error e = {0};
    if (!open_model()) return;
    bool ok = check(lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK, "%s", e.message);
    for (size_t i = 0; ok && i < 5 * training_mistakes_count; i++) {
        const TrainingMistake *m = &training_mistakes[i / 5];
        char line[512];
        if (strcmp(m->name, "MLM sum") && strcmp(m->name, "NSP swapped") && strcmp(m->name, "every real token")) continue;
        const int32_t specials[2] = {2, 3};
        t.specials = specials;
        if (!lesson_run(&t, m) || !write_lesson(&t) || !change_file((Change){changed[i % 5], NULL, 1.5, 0, 0})) break;
        check(verify_it() == BERT_DIFFERENT, "it differs: %s", said);
        snprintf(line, sizeof line, "best explanation: %s (loss ", m->sentence);
        const char *at = strstr(said, line), *end = at ? strchr(at, '\n') : NULL, *left = at ? strstr(at, ", 1 of ") : NULL;
        check(left && left < end && strstr(left, " still differ)") < end, "%s, %s: %s", m->name, changed[i % 5], said);
    }
    lesson_free(&t);
    close_model();
}

/* What `bert trace --gradients` writes is right, for verify and for compare; without any labels nothing says what was
 * learned. */
static void a_trace_with_gradients_verifies_and_compares(void)
{
    if (!open_model()) return;
    Lesson t;
    Error e = {0};
    char inputs[310], traced[310];
    snprintf(inputs, sizeof inputs, "%s.in", path);
    snprintf(traced, sizeof traced, "%s.out", path);
    bool ok = lesson_new(&t, &model, &batch, labels, next_sentence, &e) == BERT_OK && lesson_run(&t, NULL);
    if (check(ok, "%s", e.message) && write_lesson(&t)) {
        check(run("cp %s %s && ./bert trace --gradients -q -m %s --inputs %s -o %s 2>&1", path, inputs, directory,
                  inputs, traced) == 0, "%s", output);
        check(run("./bert verify -q -m %s %s 2>&1", directory, traced) == 0 && strstr(output, "no difference\n") &&
              strstr(output, "84 compared"), "%s", output);
        check(run("./bert compare -q %s %s 2>&1", path, traced) == 0 && strstr(output, "84 compared"), "%s", output);
        check(change_file((Change){"grad.pooler.dense", NULL, -1, 0, 0}), "a sign");
        check(run("./bert compare -q %s %s 2>&1", traced, path) == 1 &&
              strstr(output, "\nfirst difference: grad.pooler.dense: NMSE 6 dB"), "%s", output);
        check(change_file((Change){"labels", "", 0, 0, 0}) && change_file((Change){"next_sentence_label", "", 0, 0, 0}), "%s",
              "no labels");
        check(run("./bert verify -q -m %s %s 2>&1", directory, path) == 3 &&
              strstr(output, "neither labels nor next_sentence_label"), "%s", output);
    }
    remove(inputs);
    remove(traced);
    lesson_free(&t);
    close_model();
}

const Test gradients_tests[] = {
    {"a_norm_that_lacks_nothing_is_the_right_one", a_norm_that_lacks_nothing_is_the_right_one},
    {"mistakes_of_training_that_are_the_same_here_are_both_named",
     mistakes_of_training_that_are_the_same_here_are_both_named},
    {"a_factor_of_all_gradients_is_named", a_factor_of_all_gradients_is_named},
    {"verify_reads_gradients_as_programs_write_them", verify_reads_gradients_as_programs_write_them},
    {"what_a_mistake_of_training_leaves_is_counted", what_a_mistake_of_training_leaves_is_counted},
    {"a_trace_with_gradients_verifies_and_compares", a_trace_with_gradients_verifies_and_compares},
    {"a_mistake_is_named_beside_padding_idx", a_mistake_is_named_beside_padding_idx},
    {"mistakes_of_labels_change_those_that_they_say", mistakes_of_labels_change_those_that_they_say},
    {"each_mistake_of_training_knows_where_it_changes_something",
     each_mistake_of_training_knows_where_it_changes_something},
    {"each_mistake_of_training_is_named", each_mistake_of_training_is_named},
    {"a_lesson_has_the_bits_of_backward", a_lesson_has_the_bits_of_backward},
    {NULL, NULL},
};
