/* test_golden.c - every intermediate against PyTorch's: tests/golden/ *.safetensors, which PyTorch computed in float64.
 *
 * A golden file holds its own inputs (input_ids, token_type_ids, attention_mask), the numbers of the rows that it keeps
 * (rows; all columns are kept), and tensors under the names of a trace. The files called tiny-* and odd-* belong to the
 * formula models (formula.c), need no download and are stored in float64; real-* belong to bert-base-uncased,
 * multilingual-* to bert-base-multilingual-cased; both are rounded to float32. tests/golden/README.md says how all were
 * made.
 *
 * A difference is counted relative to the largest number of its tensor: that is what a long sum is accurate to. */
#include "formula.h"
#include "golden/multilingual_cases.h"
#include "shell.h"
#include "test.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is allowed, relative to the largest number of the tensor, and what was measured over all cases:
 *
 *                 float build                       double build
 *     formula     3.1e-6 (probs, pooler of odd)     9.7e-15: only the order of the sums differs from PyTorch
 *     real        1.6e-6 (hidden state 12)          5.4e-8: the golden's own rounding to float32, <= 2^-24 = 6.0e-8
 *
 * The float numbers are the same on every machine, so they need little room; the mistakes that matter (a missing bias,
 * eps, the other GELU) are larger by orders of magnitude in the formula models. */
static double formula_tolerance(void)
{
    return sizeof(real) == sizeof(double) ? 1e-13 : 1e-5;
}

static double real_tolerance(void)
{
    return sizeof(real) == sizeof(double) ? 6.1e-8 : 5e-6;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A golden file
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    Safetensors file;
    int T, R;                                                   /* tokens, kept rows */
    int32_t *input_ids, *token_type_ids, *attention_mask;       /* (T) */
    int32_t *rows;                                              /* (R) which token each kept row belongs to */
} Golden;

/* The int64 tensor of that name as int32, malloc'ed; its length into *count. NULL if there is none. */
static int32_t *read_integers(const Safetensors *file, const char *name, int *count)
{
    const SafeTensor *t = safetensors_find(file, name);
    if (!t || t->dtype != DTYPE_I64 || t->rank != 1) return NULL;
    int32_t *out = malloc((t->count + 1) * sizeof *out);
    for (size_t i = 0; out && i < t->count; i++) {
        int64_t value;
        memcpy(&value, (const char *)t->data + i * sizeof value, sizeof value);
        out[i] = (int32_t)value;
    }
    *count = (int)t->count;
    return out;
}

static bool golden_open(Golden *g, const char *name)
{
    char path[256];
    Error e;
    int types = 0, masks = 0;
    memset(g, 0, sizeof *g);
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", name);
    if (!check(safetensors_open(&g->file, path, &e) == BERT_OK, "%s can be read: %s", path, e.message)) return false;
    g->input_ids = read_integers(&g->file, "input_ids", &g->T);
    g->token_type_ids = read_integers(&g->file, "token_type_ids", &types);
    g->attention_mask = read_integers(&g->file, "attention_mask", &masks);
    g->rows = read_integers(&g->file, "rows", &g->R);
    return check(g->input_ids && g->token_type_ids && g->attention_mask && g->rows && types == g->T && masks == g->T,
                 "%s holds its inputs", path);
}

static void golden_close(Golden *g)
{
    free(g->input_ids);
    free(g->token_type_ids);
    free(g->attention_mask);
    free(g->rows);
    safetensors_close(&g->file);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * One tensor against another
 * ------------------------------------------------------------------------------------------------------------------ */

/* The kept rows of a computed tensor beside the golden's numbers. Masked scores must be -FLT_MAX to the bit; they are
 * set to 0 on both sides, or their size would hide everything else. The largest golden number into *largest. */
static bool pair_up(real *got, double *want, double *largest, const TraceTensor *t, const SafeTensor *golden,
                    const Golden *g)
{
    bool by_token = t->rank > 1;
    size_t heads = t->rank == 3 ? t->shape[0] : 1, T = by_token ? (size_t)g->T : 1, R = by_token ? (size_t)g->R : 1;
    size_t cols = t->shape[t->rank - 1], n = 0, wrong_mask = 0;
    *largest = 0;
    for (size_t h = 0; h < heads; h++)
        for (size_t r = 0; r < R; r++)
            for (size_t c = 0; c < cols; c++, n++) {
                size_t row = by_token ? (size_t)g->rows[r] : 0;
                got[n] = t->data[(h * T + row) * cols + c];
                want[n] = tensor_element(golden, n);
                if (want[n] == -FLT_MAX) {
                    wrong_mask += got[n] != -FLT_MAX;
                    got[n] = 0, want[n] = 0;
                }
                if (fabs(want[n]) > *largest) *largest = fabs(want[n]);
            }
    return check(!wrong_mask, "%s: %zu masked scores are not -FLT_MAX", t->name, wrong_mask);
}

/* The shape that a golden must have: the trace's, with R rows instead of T. */
static bool same_shape(const TraceTensor *t, const SafeTensor *golden, const Golden *g)
{
    bool same = golden->rank == t->rank;
    for (int d = 0; same && d < t->rank; d++) {
        bool tokens = t->rank > 1 && d == t->rank - 2;
        same = golden->shape[d] == (tokens ? (size_t)g->R : t->shape[d]) && (!tokens || t->shape[d] == (size_t)g->T);
    }
    return check(same, "%s has the shape of the golden", t->name);
}

static void compare_tensor(const TraceTensor *t, const SafeTensor *golden, const Golden *g, double tolerance)
{
    if (!same_shape(t, golden, g)) return;
    real *got = malloc(golden->count * sizeof *got);
    double *want = malloc(golden->count * sizeof *want), largest;
    if (check(got && want, "there is memory") && pair_up(got, want, &largest, t, golden, g))
        check_close(t->name, got, want, golden->count, tolerance * largest);
    free(got);
    free(want);
}

/* All tensors of the golden file against those of a trace. `everything`: the golden has all that the trace has. */
static void compare_all(const TraceTensor *list, size_t count, const Golden *g, double tolerance, bool everything)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {                /* the order of the data: the first complaint is the cause */
        const SafeTensor *golden = safetensors_find(&g->file, list[i].name);
        if (golden) compare_tensor(&list[i], golden, g, tolerance), found++;
        else check(!everything, "%s is in the golden file", list[i].name);
    }
    check(found + 4 == g->file.count, "all %zu golden tensors were compared, not %zu", g->file.count - 4, found);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * One run
 * ------------------------------------------------------------------------------------------------------------------ */
static void run_golden(const Bert *model, const char *name, double tolerance, bool everything)
{
    Golden g;
    Activations a = {0};
    TraceTensor *list = NULL;
    size_t count = 0;
    Error e = {0};
    int *all = NULL;
    if (!golden_open(&g, name) || !(all = malloc((size_t)g.T * sizeof *all))) goto done;
    for (int t = 0; t < g.T; t++) all[t] = t;
    Batch batch = {1, &g.T, g.input_ids, g.token_type_ids, g.attention_mask};
    bool mlm = safetensors_find(&g.file, "cls.predictions.decoder");
    Request request = {.keep = KEEP_EVERYTHING, .pooler = model->has_pooler, .nsp = model->has_nsp,
                       .mlm_rows = all, .M = mlm ? g.T : 0};
    if (!check(batch_check(&batch, &model->config, &e) == BERT_OK, "%s is accepted: %s", name, e.message)) goto done;
    if (!check(activations_new(&a, model, &batch, &request, &e) == BERT_OK, "there is memory: %s", e.message))
        goto done;
    forward(model, &a);
    if (check(trace_list(model, &a, &list, &count, &e) == BERT_OK, "there is a trace: %s", e.message))
        compare_all(list, count, &g, tolerance, everything);
done:
    free(list);
    free(all);
    activations_free(&a);
    golden_close(&g);
}

/* A formula model, made and thrown away for this case. */
static void formula_case(const char *kind, const char *name)
{
    char directory[256];
    Error e = {0};
    Bert model;
    if (!check(formula_directory(directory), "a directory can be made")) return;
    if (check(formula_model(directory, kind, &e) == BERT_OK, "the %s model can be written: %s", kind, e.message) &&
        check(bert_load(&model, directory, &e) == BERT_OK, "the %s model can be loaded: %s", kind, e.message)) {
        run_golden(&model, name, formula_tolerance(), true);
        bert_free(&model);
    }
    formula_remove(directory);
}

/* bert-base-uncased, if it is there. With SHORT=1 (under the sanitizers) only the shortest of its inputs. */
static void real_case(const char *name, GeluKind gelu)
{
    static const char directory[] = "weights/bert-base-uncased";
    Error e = {0};
    Bert model;
    if (!real_weights("bert-base-uncased")) return;
    if (getenv("SHORT") && strcmp(name, "real-masked")) {
        skip("SHORT=1: the shortest input stands for all");
        return;
    }
    if (!check(bert_load(&model, directory, &e) == BERT_OK, "the model can be loaded: %s", e.message)) return;
    model.config.gelu = gelu;
    run_golden(&model, name, real_tolerance(), false);
    bert_free(&model);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * bert-base-multilingual-cased, in six scripts
 * ------------------------------------------------------------------------------------------------------------------ */
static const char multilingual[] = "bert-base-multilingual-cased";
enum { SCRIPTS = sizeof multilingual_cases / sizeof *multilingual_cases };

/* Hidden states 0, 6 and 12 of [CLS] and [MASK], and the pooled output. */
static void multilingual_states(void)
{
    char name[100];
    Error e = {0};
    Bert model;
    if (!real_weights(multilingual)) return;
    if (getenv("SHORT")) {
        skip("SHORT=1: bert-base-uncased stands for all");
        return;
    }
    snprintf(name, sizeof name, "weights/%s", multilingual);
    if (!check(bert_load(&model, name, &e) == BERT_OK, "the model can be loaded: %s", e.message)) return;
    for (int i = 0; i < SCRIPTS; i++) {
        snprintf(name, sizeof name, "multilingual-%s", multilingual_cases[i].script);
        run_golden(&model, name, real_tolerance(), false);
    }
    bert_free(&model);
}

/* From text to text, by the program: ids, and the five likeliest pieces. Measured: at most 9.0e-7 off. */
static void multilingual_predictions(void)
{
    if (!real_weights(multilingual)) return;
    for (int i = 0; i < SCRIPTS; i++) {
        run("./bert tokenize -q -m weights/%s --format ids '%s'", multilingual, multilingual_cases[i].text);
        output[strcspn(output, "\n")] = 0;
        check_text(multilingual_cases[i].script, output, multilingual_cases[i].ids);
        run("./bert fill-mask -q -m weights/%s --top-k 5 '%s'", multilingual, multilingual_cases[i].text);
        const char *line = output;
        for (int k = 0; k < 5; k++) {
            char *end, piece[100] = "";
            const double probability = strtod(line, &end);
            sscanf(end, "\t%99[^\n]", piece);
            check_text(multilingual_cases[i].script, piece, multilingual_cases[i].top[k].piece);
            check_value(piece, probability, multilingual_cases[i].top[k].probability, 2e-6);
            line = end + strcspn(end, "\n");
        }
        check_text("there is no sixth", line, "\n");
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The formula itself
 * ------------------------------------------------------------------------------------------------------------------ */

/* SHA-256 over names and data of all tensors, by name. The hashes were computed from formula.py's files:
 *     python3 tests/golden/formula.py --sha256 */
static void formula_hash(const char *kind, const char *want)
{
    char directory[256], path[300], hex[65] = "";
    Error e = {0};
    Safetensors st;
    if (!check(formula_directory(directory), "a directory can be made")) return;
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    if (check(formula_model(directory, kind, &e) == BERT_OK && safetensors_open(&st, path, &e) == BERT_OK,
              "the %s model can be written and read: %s", kind, e.message)) {
        Sha256 sha;
        sha256_start(&sha);
        for (size_t i = 0; i < st.count; i++) {
            const SafeTensor *t = st.by_name[i];
            sha256_add(&sha, t->name, strlen(t->name));
            sha256_add(&sha, t->data, t->count * dtype_size(t->dtype));
        }
        sha256_end(&sha, hex);
        safetensors_close(&st);
    }
    check_text(kind, hex, want);
    formula_remove(directory);
}

static void formula_bits(void)
{
    check_value("word embedding 0", formula_value("embeddings.word_embeddings.weight", 0), 0.23064494132995605, 0);
    formula_hash("tiny", "339542b1476b175ac84107f9e3f357f7f7a0b037242d48b1d9a3762b5ef1fac2");
    formula_hash("odd", "bc8f90066c00173c3382678dab00b1556bc9b7cfbe61ee088ee712560cc39ea7");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The list
 * ------------------------------------------------------------------------------------------------------------------ */
static void tiny_one(void) { formula_case("tiny", "tiny-one"); }
static void tiny_full(void) { formula_case("tiny", "tiny-full"); }
static void tiny_pair(void) { formula_case("tiny", "tiny-pair"); }
static void tiny_padded(void) { formula_case("tiny", "tiny-padded"); }
static void tiny_left(void) { formula_case("tiny", "tiny-left"); }
static void tiny_segments3(void) { formula_case("tiny", "tiny-segments3"); }
static void odd_one(void) { formula_case("odd", "odd-one"); }
static void odd_full(void) { formula_case("odd", "odd-full"); }
static void odd_pair(void) { formula_case("odd", "odd-pair"); }
static void odd_padded(void) { formula_case("odd", "odd-padded"); }
static void odd_left(void) { formula_case("odd", "odd-left"); }
static void real_bank(void) { real_case("real-bank", GELU_ERF); }
static void real_bank_rows(void) { real_case("real-bank-rows", GELU_ERF); }
static void real_pair(void) { real_case("real-pair", GELU_ERF); }
static void real_padded(void) { real_case("real-padded", GELU_ERF); }
static void real_masked(void) { real_case("real-masked", GELU_ERF); }
static void real_masked_mlm(void) { real_case("real-masked-mlm", GELU_ERF); }
static void real_tanh(void) { real_case("real-bank-tanh", GELU_TANH); }

const Test golden_tests[] = {
    {"formula_models_are_the_same_in_c_and_in_python", formula_bits},
    {"every_intermediate_of_tiny_is_pytorch_s_for_one_token", tiny_one},
    {"every_intermediate_of_tiny_is_pytorch_s_for_all_positions", tiny_full},
    {"every_intermediate_of_tiny_is_pytorch_s_for_a_pair", tiny_pair},
    {"every_intermediate_of_tiny_is_pytorch_s_with_padding_on_the_right", tiny_padded},
    {"every_intermediate_of_tiny_is_pytorch_s_with_padding_on_the_left", tiny_left},
    {"every_intermediate_of_tiny_is_pytorch_s_for_three_token_types", tiny_segments3},
    {"every_intermediate_of_odd_is_pytorch_s_for_one_token", odd_one},
    {"every_intermediate_of_odd_is_pytorch_s_for_all_positions", odd_full},
    {"every_intermediate_of_odd_is_pytorch_s_for_a_pair", odd_pair},
    {"every_intermediate_of_odd_is_pytorch_s_with_padding_on_the_right", odd_padded},
    {"every_intermediate_of_odd_is_pytorch_s_with_padding_on_the_left", odd_left},
    {"bert_base_uncased_has_pytorch_s_hidden_states_for_the_bank_sentence", real_bank},
    {"bert_base_uncased_has_pytorch_s_intermediates_for_three_of_its_tokens", real_bank_rows},
    {"bert_base_uncased_has_pytorch_s_hidden_states_for_a_pair", real_pair},
    {"bert_base_uncased_has_pytorch_s_hidden_states_with_padding", real_padded},
    {"bert_base_uncased_has_pytorch_s_hidden_states_for_a_masked_word", real_masked},
    {"bert_base_uncased_has_pytorch_s_predictions_for_a_masked_word", real_masked_mlm},
    {"bert_base_uncased_has_pytorch_s_pooled_output_with_the_tanh_gelu", real_tanh},
    {"bert_base_multilingual_cased_has_pytorch_s_hidden_states_in_six_scripts", multilingual_states},
    {"bert_base_multilingual_cased_fills_masks_in_six_scripts", multilingual_predictions},
    {NULL, NULL},
};
