/* test_model.c - bert.c on the formula models: what loads, what is refused, and what may not change a single bit.
 * (tests/test_bits.c: that a batch and padding do not.) */
#include "formula.h"
#include "test.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * A formula model on disk, and edited copies of its files
 * ------------------------------------------------------------------------------------------------------------------ */
static char directory[256];

static bool open_model(Bert *m, const char *kind)
{
    Error e = {0};
    bool ok = formula_directory(directory) && formula_model(directory, kind, &e) == BERT_OK &&
        bert_load(m, directory, &e) == BERT_OK;
    return check(ok, "the %s model loads: %s", kind, e.message);
}

static void close_model(Bert *m)
{
    bert_free(m);
    formula_remove(directory);
}

static void path_in(char path[512], const char *name)
{
    snprintf(path, 512, "%s/%s", directory, name);
}

/* Rewrites model.safetensors after `edit` has changed the list of its tensors (which it may shorten). */
typedef void Edit(SafeTensor *tensors, size_t *count);
static bool rewrite_weights(Edit *edit)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    char path[512];
    Safetensors file;
    Error e;
    path_in(path, "model.safetensors");
    if (!check(safetensors_open(&file, path, &e) == BERT_OK, "%s", e.message)) return false;
    SafeTensor *tensors = malloc(file.count * sizeof *tensors);
    size_t count = file.count;
    memcpy(tensors, file.tensors, count * sizeof *tensors);
    edit(tensors, &count);
    bool ok = check(safetensors_write(path, tensors, count, metadata, 1, &e) == BERT_OK, "%s", e.message);
    free(tensors);
    safetensors_close(&file);
    return ok;
}

static void write_text(const char *name, const char *text)
{
    char path[512];
    path_in(path, name);
    FILE *f = fopen(path, "wb");
    if (check(f != NULL, "%s can be written", path)) fputs(text, f), fclose(f);
}

/* Loading the directory must fail with this status, in a sentence that holds `part`. */
static void expect_refusal(Status status, const char *part)
{
    Bert m;
    Error e = {0};
    Status s = bert_load(&m, directory, &e);
    record(part, e.message, directory);
    check(s == status && strstr(e.message, part), "status %d, \"%s\"; expected status %d and \"%s\"", s, e.message,
          status, part);
    if (s == BERT_OK) bert_free(&m);
}

static SafeTensor *named(SafeTensor *tensors, size_t count, const char *part)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(tensors[i].name, part)) return &tensors[i];
    return NULL;
}

static void drop(SafeTensor *tensors, size_t *count, const char *part)
{
    SafeTensor *t;
    while ((t = named(tensors, *count, part)) != NULL) *t = tensors[--*count];
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Running one
 * ------------------------------------------------------------------------------------------------------------------ */
enum { MOST = 64 };
typedef struct {
    int B, T[4];
    int32_t ids[MOST], types[MOST], mask[MOST];
} Input;

/* A sequence of T tokens that depends on `seed`, appended to the input. */
static void append(Input *in, int T, int seed)
{
    int n = 0;
    for (int b = 0; b < in->B; b++) n += in->T[b];
    for (int t = 0; t < T; t++) {
        in->ids[n + t] = (int32_t)((seed * 31 + t * 17 + 5) % 60);
        in->types[n + t] = t * 2 >= T;
        in->mask[n + t] = 1;
    }
    in->T[in->B++] = T;
}

static bool run(Activations *a, const Bert *m, Input *in, Keep keep)
{
    static const int rows[] = {0};
    Error e = {0};
    Batch batch = {in->B, in->T, in->ids, in->types, in->mask};
    Request request = {.keep = keep, .pooler = true, .nsp = true, .mlm_rows = rows, .M = 1};
    bool ok = batch_check(&batch, &m->config, &e) == BERT_OK && activations_new(a, m, &batch, &request, &e) == BERT_OK;
    if (!check(ok, "the input runs: %s", e.message)) return false;
    forward(m, a);
    return true;
}

static bool same(const char *what, const real *got, const real *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got))
            return check(false, "%s: number %zu is %.9g, expected the bits of %.9g", what, i, (double)got[i],
                         (double)want[i]);
    return true;
}

/* All that is kept of a block, by the table of traced tensors, has the bits that it has when everything is kept. */
static void same_blocks(const Bert *m, const Activations *got, const Activations *all, size_t squares)
{
    for (TraceName row = TRACE_QUERY; row <= TRACE_OUTPUT_NORM; row++) {
        const TraceSpec *spec = &trace_table[row];
        const size_t n = spec->form == FORM_SCORES ? (size_t)m->config.A * squares
                                                   : (size_t)got->N * symbol_size(spec->width, &m->config);
        if ((got->request.keep & spec->keep) != spec->keep) continue;
        for (int l = 0; l < m->config.L; l++) {
            const void *x = (const char *)&got->block[l] + spec->field, *y = (const char *)&all->block[l] + spec->field;
            same(spec->name, *(real *const *)x, *(real *const *)y, n);
        }
    }
}

static void what_is_kept_does_not_change_the_numbers(void)
{
    static const char *const models[] = {"tiny", "odd"};
    enum { N = 13 + 21 + 19 };                              /* panels of different widths, and not all of the last */
    const size_t squares = 13 * 13 + 21 * 21 + 19 * 19;
    for (int i = 0; i < 2; i++) {
        Bert m;
        Activations all, some;
        Input in = {0};
        if (!open_model(&m, models[i])) return;
        append(&in, 13, 3);
        append(&in, 21, 2);
        append(&in, 19, 1);
        run(&all, &m, &in, KEEP_EVERYTHING);
        for (int keep = KEEP_NOTHING; keep <= KEEP_EVERYTHING; keep++) {        /* every set of the three */
            const int L = m.config.L;
            run(&some, &m, &in, (Keep)keep);
            same("last hidden state", hidden_state(&some, L), hidden_state(&all, L), N * (size_t)m.config.H);
            same("logits", some.logits, all.logits, (size_t)m.config.V);
            same_blocks(&m, &some, &all, squares);
            activations_free(&some);
        }
        activations_free(&all);
        close_model(&m);
    }
}

/* Is a tensor of that name there, if that is kept of a run? The last block's output always is. */
static bool is_kept(const char *name, Keep keep, int L)
{
    char last[64];
    snprintf(last, sizeof last, "encoder.layer.%d.output.LayerNorm", L - 1);
    if (!strcmp(name, last)) return true;
    if (strstr(name, "scores")) return (keep & KEEP_ATTENTION) && (keep & KEEP_STEPS);
    if (strstr(name, "probs")) return keep & KEEP_ATTENTION;
    if (!strcmp(name, "embeddings.LayerNorm") || strstr(name, "attention") == NULL)
        if (ends_with(name, ".LayerNorm") && strncmp(name, "cls.", 4)) return keep & KEEP_HIDDEN;
    return strncmp(name, "encoder.", 8) || (keep & KEEP_STEPS);
}

/* The list of a run's tensors has what is kept and nothing else, in the same order, with the same numbers. */
static void the_list_of_tensors_is_what_is_kept(void)
{
    Bert m;
    Activations all, some;
    Input in = {0};
    Error e = {0};
    TraceTensor *whole, *list;
    size_t most, count;
    if (!open_model(&m, "tiny")) return;
    append(&in, 9, 3);
    run(&all, &m, &in, KEEP_EVERYTHING);
    check(trace_list(&m, &all, &whole, &most, &e) == BERT_OK && most == 35, "%zu of 35 tensors: %s", most, e.message);
    for (int keep = KEEP_NOTHING; keep <= KEEP_EVERYTHING; keep++) {
        size_t k = 0;
        run(&some, &m, &in, (Keep)keep);
        if (!check(trace_list(&m, &some, &list, &count, &e) == BERT_OK, "%s", e.message)) break;
        for (size_t i = 0; i < most; i++) {
            size_t numbers = 1;
            if (!is_kept(whole[i].name, (Keep)keep, m.config.L)) continue;
            const bool there = k < count && !strcmp(list[k].name, whole[i].name) && list[k].rank == whole[i].rank;
            if (!check(there, "keep %d: %s is missing", keep, whole[i].name)) break;
            for (int r = 0; r < list[k].rank; r++) numbers *= list[k].shape[r];
            same(whole[i].name, list[k].data, whole[i].data, numbers);
            k++;
        }
        check(k == count, "keep %d: %zu tensors, expected %zu", keep, count, k);
        free(list);
        activations_free(&some);
    }
    free(whole);
    activations_free(&all);
    close_model(&m);
}

static void masked_keys_get_no_attention_and_rows_sum_to_one(void)
{
    Bert m;
    Activations a;
    Input in = {0};
    if (!open_model(&m, "tiny")) return;
    append(&in, 8, 2);
    in.mask[3] = in.mask[7] = 0;
    run(&a, &m, &in, KEEP_EVERYTHING);
    for (int row = 0; row < m.config.A * 8; row++) {
        const real *p = a.block[0].probs + row * 8, *s = a.block[0].scores + row * 8;
        double sum = 0;
        for (int j = 0; j < 8; j++) sum += (double)p[j];
        check(p[3] == 0 && p[7] == 0 && s[3] == -FLT_MAX, "row %d gives a masked key %g", row, (double)p[3]);
        /* half an ulp each, of the product and its factor */
        if (!check_value("row sum", sum, 1, 2 * 6e-8)) break;
    }
    activations_free(&a);
    close_model(&m);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What loads
 * ------------------------------------------------------------------------------------------------------------------ */

/* The model in `directory` after `edit` must compute what the unedited one does. */
static void expect_same_model(Edit *edit)
{
    Bert m, edited;
    Error e = {0};
    Activations a, b;
    Input in = {0};
    if (!open_model(&m, "tiny")) return;
    append(&in, 10, 4);
    if (rewrite_weights(edit) && check(bert_load(&edited, directory, &e) == BERT_OK, "the edited model loads: %s",
                                       e.message)) {
        run(&a, &m, &in, KEEP_NOTHING), run(&b, &edited, &in, KEEP_NOTHING);
        same("last hidden state", hidden_state(&b, m.config.L), hidden_state(&a, m.config.L), 10 * (size_t)m.config.H);
        same("logits", b.logits, a.logits, (size_t)m.config.V);
        activations_free(&a), activations_free(&b);
        bert_free(&edited);
    }
    close_model(&m);
}

static char new_names[64][128];

static void rename_as_2018(SafeTensor *tensors, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        char *norm = strstr(tensors[i].name, "LayerNorm.");
        if (!norm) continue;
        snprintf(new_names[i], sizeof new_names[i], "%.*s%s", (int)(norm + 10 - tensors[i].name), tensors[i].name,
                 !strcmp(norm + 10, "weight") ? "gamma" : "beta");
        tensors[i].name = new_names[i];
    }
}

static void leave_out_bert(SafeTensor *tensors, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (!strncmp(tensors[i].name, "bert.", 5)) tensors[i].name += 5;
}

static void old_names_gamma_and_beta_load(void) { expect_same_model(rename_as_2018); }
static void names_without_bert_in_front_load(void) { expect_same_model(leave_out_bert); }

static void keep_everything(SafeTensor *tensors, size_t *count) { (void)tensors, (void)count; }

/* An untied decoder is taken from the file: doubled weights and no bias give doubled logits, bit for bit. */
static float doubled[101 * 24];
static void add_decoder(SafeTensor *tensors, size_t *count)
{
    SafeTensor *words = named(tensors, *count, "word_embeddings");
    SafeTensor *bias = named(tensors, *count, "cls.predictions.bias");
    static float zeros[101];
    static char name[] = "cls.predictions.decoder.weight";
    for (size_t i = 0; i < words->count; i++) doubled[i] = 2 * (float)tensor_element(words, i);
    bias->data = zeros;
    *named(tensors, *count, "cls.seq_relationship.bias") =
        (SafeTensor){name, DTYPE_F32, 2, {101, 24}, 101 * 24, doubled};
    drop(tensors, count, "cls.seq_relationship.weight");
}

static void remove_bias(SafeTensor *tensors, size_t *count)
{
    static float zeros[101];
    named(tensors, *count, "cls.predictions.bias")->data = zeros;
}

static void an_untied_decoder_is_used(void)
{
    Bert m, untied;
    Error e;
    Activations a, b;
    Input in = {0};
    if (!open_model(&m, "tiny")) return;
    append(&in, 6, 9);
    bert_free(&m);
    check(rewrite_weights(remove_bias) && bert_load(&m, directory, &e) == BERT_OK, "the tied model loads");
    check(rewrite_weights(add_decoder) && bert_load(&untied, directory, &e) == BERT_OK, "the untied model loads: %s",
          e.message);
    check(m.decoder.data == m.word_embeddings.data && untied.decoder.data != untied.word_embeddings.data,
          "tied, then untied");
    Batch batch = {1, in.T, in.ids, in.types, in.mask};
    const int rows[] = {2};
    Request request = {.mlm_rows = rows, .M = 1};
    check(activations_new(&a, &m, &batch, &request, &e) == BERT_OK &&
          activations_new(&b, &untied, &batch, &request, &e) == BERT_OK, "memory");
    forward(&m, &a), forward(&untied, &b);
    for (int v = 0; v < m.config.V; v++)
        if (!check(b.logits[v] == 2 * a.logits[v], "logit %d is %g, expected twice %g", v, (double)b.logits[v],
                   (double)a.logits[v])) break;
    activations_free(&a), activations_free(&b);
    bert_free(&untied);
    close_model(&m);
}

/* Half precision: a model whose weights are bfloat16 computes what float32 weights of the same values do, bit for
 * bit. */
static uint16_t halves[40000];
static float rounded[40000];
static void to_rounded_or_half(SafeTensor *tensors, size_t count, bool half)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        SafeTensor *t = &tensors[i];
        for (size_t k = 0; k < t->count; k++) {
            float value = (float)tensor_element(t, k);
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            halves[used + k] = (uint16_t)(bits >> 16);
            rounded[used + k] = bfloat16_to_float(halves[used + k]);
        }
        t->data = half ? (const void *)(halves + used) : (const void *)(rounded + used);
        t->dtype = half ? DTYPE_BF16 : DTYPE_F32;
        used += t->count;
    }
}
static void to_rounded(SafeTensor *tensors, size_t *count) { to_rounded_or_half(tensors, *count, false); }
static void to_half(SafeTensor *tensors, size_t *count) { to_rounded_or_half(tensors, *count, true); }

static void half_precision_weights_are_converted_exactly(void)
{
    Bert m, half;
    Error e = {0};
    Activations a, b;
    Input in = {0};
    if (!open_model(&m, "tiny")) return;
    bert_free(&m);
    append(&in, 10, 6);
    check(rewrite_weights(to_rounded) && bert_load(&m, directory, &e) == BERT_OK, "float32 of bfloat16 values: %s",
          e.message);
    check(rewrite_weights(to_half) && bert_load(&half, directory, &e) == BERT_OK, "bfloat16: %s", e.message);
    run(&a, &m, &in, KEEP_NOTHING), run(&b, &half, &in, KEEP_NOTHING);
    same("last hidden state", hidden_state(&b, m.config.L), hidden_state(&a, m.config.L), 10 * (size_t)m.config.H);
    same("logits", b.logits, a.logits, (size_t)m.config.V);
    activations_free(&a), activations_free(&b);
    bert_free(&half);
    close_model(&m);
}

/* The format does not promise alignment: a header whose length is odd puts every float32 at an odd address. */
static void misaligned_weights_are_copied(void)
{
    Bert m, odd;
    Error e = {0};
    char path[512];
    FileView file;
    Activations a, b;
    Input in = {0};
    if (!open_model(&m, "tiny")) return;
    path_in(path, "model.safetensors");
    check(file_open(&file, path, &e) == BERT_OK, "%s", e.message);
    unsigned char *copy = malloc(file.size + 1);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) header = header << 8 | file.data[i];
    memcpy(copy, file.data, 8 + header);
    /* one more space at the end of the header; it is a multiple of 8 */
    copy[0]++;
    copy[8 + header] = ' ';
    memcpy(copy + 9 + header, file.data + 8 + header, file.size - 8 - header);
    OutputFile out;
    check(output_open(&out, path, &e) == BERT_OK && fwrite(copy, 1, file.size + 1, out.stream) == file.size + 1 &&
          output_commit(&out, &e) == BERT_OK, "the copy is written");
    if (check(bert_load(&odd, directory, &e) == BERT_OK, "a misaligned file loads: %s", e.message)) {
        append(&in, 10, 7);
        run(&a, &m, &in, KEEP_NOTHING), run(&b, &odd, &in, KEEP_NOTHING);
        same("last hidden state", hidden_state(&b, m.config.L), hidden_state(&a, m.config.L), 10 * (size_t)m.config.H);
        activations_free(&a), activations_free(&b);
        bert_free(&odd);
    }
    free(copy);
    file_close(&file);
    close_model(&m);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What is refused
 * ------------------------------------------------------------------------------------------------------------------ */
static void drop_two_biases(SafeTensor *tensors, size_t *count)
{
    drop(tensors, count, "layer.1.attention.self.key.bias");
    drop(tensors, count, "layer.0.output.dense.bias");
}
static void drop_half_a_head(SafeTensor *tensors, size_t *count) { drop(tensors, count, "transform.dense.bias"); }
static void drop_heads(SafeTensor *tensors, size_t *count)
{
    drop(tensors, count, "cls.");
    drop(tensors, count, "pooler");
}
static void transpose_one(SafeTensor *tensors, size_t *count)
{
    SafeTensor *t = named(tensors, *count, "layer.0.intermediate.dense.weight");
    size_t rows = t->shape[0];
    t->shape[0] = t->shape[1], t->shape[1] = rows;
}
static void make_integers(SafeTensor *tensors, size_t *count)
{
    named(tensors, *count, "layer.1.output.dense.weight")->dtype = DTYPE_I32;
}

static void bad_weights_are_refused_by_name(void)
{
    static const struct { Edit *edit; const char *part; } cases[] = {
        {drop_two_biases, "2 of the encoder's tensors are missing: encoder.layer.1.attention.self.key.bias, "
         "encoder.layer.0.output.dense.bias"},
        {drop_half_a_head, "1 of the MLM head's tensors are missing: cls.predictions.transform.dense.bias"},
        {transpose_one, "intermediate.dense.weight' has shape (24,56), config.json makes it (56,24)"},
        {make_integers, "layer.1.output.dense.weight' has dtype I32, expected F32, F64, F16 or BF16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bert m;
        if (!open_model(&m, "tiny")) return;
        if (rewrite_weights(cases[i].edit)) expect_refusal(BERT_FILE, cases[i].part);
        close_model(&m);
    }
}

static void absent_heads_are_noticed(void)
{
    Bert m, bare;
    Error e = {0};
    if (!open_model(&m, "tiny")) return;
    check(m.has_pooler && m.has_mlm && m.has_nsp, "the formula model has all heads");
    if (rewrite_weights(drop_heads) && check(bert_load(&bare, directory, &e) == BERT_OK, "an encoder alone loads: %s",
                                             e.message)) {
        check(!bare.has_pooler && !bare.has_mlm && !bare.has_nsp, "an encoder alone has no heads");
        bert_free(&bare);
    }
    close_model(&m);
}

/* A config.json with one key changed, and what the refusal must say. */
static void bad_configurations_are_refused_by_key(void)
{
    static const char *const sizes = "\"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, "
        "\"intermediate_size\": 56, "
                                     "\"vocab_size\": 101, \"max_position_embeddings\": 32, \"type_vocab_size\": 3";
    static const struct { const char *extra, *part; } cases[] = {
        {", \"model_type\": \"roberta\"", "model_type is \"roberta\", expected \"bert\" or \"distilbert\""},
        {", \"model_type\": \"distilbert\"", "tensors are missing: transformer.layer.0.attention.q_lin.weight"},
        {", \"hidden_act\": \"relu\"", "hidden_act is \"relu\""},
        {", \"position_embedding_type\": \"relative_key\"", "position_embedding_type"},
        {", \"is_decoder\": true", "is_decoder"},
        {", \"num_attention_heads\": 5", ""},           /* a second value for a key: refused, or 24 % 5 is */
        {", \"layer_norm_eps\": -1", "layer_norm_eps"},
        {", \"layer_norm_eps\": \"small\"", "layer_norm_eps"},
        {", \"hidden_size\": 24.0", "hidden_size"},
        {", \"hidden_size\": 0", "hidden_size"},
        {", \"num_hidden_layers\": 1000000000", "num_hidden_layers"},
        {", \"num_hidden_layers\": 3", "encoder.layer.2."},
        {", ", ""},
    };
    Bert m;
    if (!open_model(&m, "tiny")) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        snprintf(text, sizeof text, "{%s%s}", sizes, cases[i].extra);
        write_text("config.json", text);
        expect_refusal(BERT_FILE, cases[i].part[0] ? cases[i].part : "config.json");
    }
    /* the rest is BERT-Base's, and the shapes are not */
    write_text("config.json", "{\"hidden_size\": 24}");
    expect_refusal(BERT_FILE, "config.json makes it (30522,24)");
    write_text("config.json", "{\"model_type\": \"bert\"}");
    expect_refusal(BERT_FILE, "has none of a BERT's sizes");
    close_model(&m);
}

static void inputs_out_of_range_are_refused(void)
{
    Bert m;
    Error e = {0};
    Input in = {0};
    if (!open_model(&m, "tiny")) return;
    append(&in, 5, 1);
    const struct { int32_t *where, value; const char *part; } cases[] = {
        {&in.ids[2], 101, "id 101"}, {&in.ids[0], -1, "id -1"}, {&in.types[4], 3, "token type 3"},
        {&in.mask[1], 2, "attention mask 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t before = *cases[i].where;
        Batch batch = {1, in.T, in.ids, in.types, in.mask};
        *cases[i].where = cases[i].value;
        check(batch_check(&batch, &m.config, &e) == BERT_TEXT &&
              strstr(e.message, cases[i].part), "\"%s\" holds %s", e.message, cases[i].part);
        record(cases[i].part, e.message, directory);
        *cases[i].where = before;
    }
    int long_one = m.config.P + 1;
    Batch batch = {1, &long_one, in.ids, in.types, in.mask};
    check(batch_check(&batch, &m.config, &e) == BERT_TEXT && strstr(e.message, "33 tokens"), "%s", e.message);
    close_model(&m);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Step 16, and the numbering of the steps
 * ------------------------------------------------------------------------------------------------------------------ */
static void vectors_are_combined_and_pooled_as_named(void)
{
    const real vectors[6] = {1, 5, 3, -1, 100, 100};            /* three tokens, two features; the last is padding */
    const int32_t mask[3] = {1, 1, 0};
    const double mean[2] = {2, 2}, max[2] = {3, 5}, cls[2] = {1, 5};
    real out[2];
    pool_tokens(out, vectors, mask, 3, 2, POOL_MEAN), check_close("mean", out, mean, 2, 0);
    pool_tokens(out, vectors, mask, 3, 2, POOL_MAX), check_close("max", out, max, 2, 0);
    pool_tokens(out, vectors, mask, 3, 2, POOL_CLS), check_close("cls", out, cls, 2, 0);
    out[0] = 3, out[1] = 4;
    normalize(out, 2);
    check_value("length", (double)out[0] * (double)out[0] + (double)out[1] * (double)out[1], 1, 1e-7);     /* float */
}

static void layers_are_concatenated_in_the_order_given(void)
{
    Bert m;
    Activations a;
    Input in = {0};
    if (!open_model(&m, "tiny")) return;
    append(&in, 4, 5);
    run(&a, &m, &in, KEEP_HIDDEN);
    size_t H = (size_t)m.config.H;
    const int layers[2] = {2, 0};
    real *cat = malloc(4 * 2 * H * sizeof *cat), *sum = malloc(4 * H * sizeof *sum);
    token_vectors(cat, &m, &a, 0, layers, 2, COMBINE_CAT);
    token_vectors(sum, &m, &a, 0, layers, 2, COMBINE_SUM);
    for (size_t t = 0; t < 4; t++) {
        same("first half", cat + t * 2 * H, hidden_state(&a, 2) + t * H, H);
        same("second half", cat + t * 2 * H + H, hidden_state(&a, 0) + t * H, H);
    }
    check(sum[5] == hidden_state(&a, 2)[5] + hidden_state(&a, 0)[5], "the sum is a sum");
    free(cat), free(sum);
    activations_free(&a);
    close_model(&m);
}

/* "STEP n - " stands exactly once for each n, in the order of the data: tokenizer.c, then bert.c. */
static void each_of_the_sixteen_steps_heads_one_place_in_order(void)
{
    static const char *const files[] = {"tokenizer.c", "bert.c"};
    int next = 1;
    for (int f = 0; f < 2; f++) {
        FILE *file = fopen(files[f], "r");
        char line[512];
        int step;
        if (!check(file != NULL, "%s can be read from here", files[f])) return;
        while (fgets(line, sizeof line, file)) {
            const char *heading = strstr(line, "STEP ");
            if (!heading || sscanf(heading, "STEP %d - ", &step) != 1) continue;
            check(step == next, "%s: step %d stands where %d is expected", files[f], step, next);
            next = step + 1;
        }
        fclose(file);
    }
    check(next == 17, "the last step is %d, expected 16", next - 1);
}

/* Unused edits would be flagged by the compiler; this one shows that rewriting alone changes nothing. */
static void rewriting_the_weights_changes_nothing(void) { expect_same_model(keep_everything); }

/* "No such directory" is said only of one that is not there. */
static void a_directory_that_cannot_be_read_says_why(void)
{
    char *path, longer[400];
    Error e = {0};
    check(model_file(&path, "/nonexistent", &e) == BERT_FILE && strstr(e.message, "no such"), "%s", e.message);
    memset(longer, 'a', sizeof longer - 1);                             /* a name has at most 255 bytes */
    longer[sizeof longer - 1] = 0;
    check(model_file(&path, longer, &e) == BERT_FILE && strstr(e.message, "cannot be read") && !path, "%s", e.message);
}

const Test model_tests[] = {
    {"a_directory_that_cannot_be_read_says_why", a_directory_that_cannot_be_read_says_why},
    {"what_is_kept_does_not_change_the_numbers", what_is_kept_does_not_change_the_numbers},
    {"the_list_of_tensors_is_what_is_kept", the_list_of_tensors_is_what_is_kept},
    {"masked_keys_get_no_attention_and_rows_sum_to_one", masked_keys_get_no_attention_and_rows_sum_to_one},
    {"rewriting_the_weights_changes_nothing", rewriting_the_weights_changes_nothing},
    {"old_names_gamma_and_beta_load", old_names_gamma_and_beta_load},
    {"names_without_bert_in_front_load", names_without_bert_in_front_load},
    {"an_untied_decoder_is_used", an_untied_decoder_is_used},
    {"half_precision_weights_are_converted_exactly", half_precision_weights_are_converted_exactly},
    {"misaligned_weights_are_copied", misaligned_weights_are_copied},
    {"bad_weights_are_refused_by_name", bad_weights_are_refused_by_name},
    {"absent_heads_are_noticed", absent_heads_are_noticed},
    {"bad_configurations_are_refused_by_key", bad_configurations_are_refused_by_key},
    {"inputs_out_of_range_are_refused", inputs_out_of_range_are_refused},
    {"vectors_are_combined_and_pooled_as_named", vectors_are_combined_and_pooled_as_named},
    {"layers_are_concatenated_in_the_order_given", layers_are_concatenated_in_the_order_given},
    {"each_of_the_sixteen_steps_heads_one_place_in_order", each_of_the_sixteen_steps_heads_one_place_in_order},
    {NULL, NULL},
};
