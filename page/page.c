/* page.c - the program of the page: what a browser calls. build/bert.html holds it as WebAssembly, and core.js is its
 * only caller.
 *
 *     open a directory -> encode a text -> run it -> read any tensor where it lies in memory
 *
 * The page keeps two runs of one text side by side: number 0 is the model as it is (forward, the bits of ./bert), and
 * number 1 has something changed: one of verify's known mistakes, heads switched off, a token taken away. A run keeps
 * every intermediate, and page_tensor says where each of them lies.
 *
 * Functions return a Status of bert.h, and page_message the sentence that belongs to it; the readers of files are the
 * program's own, so the sentences are, too. Files come from worker.js, which plays a file system (wasi.js). One model,
 * one text and two runs are open at a time: everything is static, as a page has one worker with one thread.
 */
#include "page/wasi.h"
#include "verify/verify.h"
#include "weights/weights.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page/lanes.h"

#define EXPORT(name) __attribute__((export_name(#name), used))

static Error error;
static Tokenizer tokenizer;
static Bert model;
static bool is_open;
static Encoding encoding;
static int32_t *mask;               /* (T) of the changed run: the encoding's, with tokens taken away */
static int *rows;                   /* 0 .. T-1: the MLM head sees every token */

typedef struct {                    /* one forward pass and the names of what it left */
    Activations a;                  /* run 0 */
    Trial trial;                    /* run 1 */
    bool made;
    TraceTensor *list;
    size_t count;
} Run;
static Run runs[2];

static const Activations *activations_of(int run) { return run ? &runs[1].trial.a : &runs[0].a; }

/* ---------------------------------------------------------------------------------------------------------------------
 * What wasi-libc lacks (wasi.h)
 * ------------------------------------------------------------------------------------------------------------------ */

/* The six X at the end of path become a number. */
static void number_path(char *path, int number)
{
    char *x = path + strlen(path) - 6;
    for (int k = 0; k < 6; k++, number /= 10) x[k] = (char)('0' + number % 10);
}

int mkstemp(char *path)
{
    int fd = -1;
    for (int i = 0; fd < 0 && i < 1000; i++) {
        number_path(path, i);
        fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
    }
    return fd;
}

char *mkdtemp(char *path)
{
    number_path(path, 0);
    return mkdir(path, 0700) ? NULL : path;
}

mode_t umask(mode_t wanted)
{
    (void)wanted;
    return 022;
}

int fchmod(int fd, mode_t mode)
{
    (void)fd, (void)mode;
    return 0;
}

int dup(int fd)
{
    (void)fd;
    errno = ENOSYS;
    return -1;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Memory, messages, and the check of the relaxed build
 * ------------------------------------------------------------------------------------------------------------------ */
EXPORT(page_alloc) void *page_alloc(size_t size) { return malloc(size ? size : 1); }
EXPORT(page_free) void page_free(void *memory) { free(memory); }
EXPORT(page_message) const char *page_message(void) { return error.message; }
EXPORT(page_version) const char *page_version(void) { return BERT_VERSION; }

/* Does this engine's relaxed_madd round once, on floats and on doubles? The standard allows once or twice. A case is
 * x w + c with c the rounded -x w: rounded twice that is 0, rounded once it is what the first rounding lost. Here are
 * 4,096 cases of both types, of many sizes, against the exact operations. The other build need not ask. */
EXPORT(page_madd_is_fused) int page_madd_is_fused(void)
{
    int fused = 1;
    for (uint32_t n = 0; n < 4096 / PHILOX_MANY; n++) {
        uint32_t random[4 * PHILOX_MANY];
        const uint32_t counter[4] = {n * PHILOX_MANY, 0, 0, 0};
        philox_many(random, counter, 21, PURPOSE_WEIGHTS);
        for (int i = 0; i < 4 * PHILOX_MANY; i += 4) {
            const v128_t size = wasm_f32x4_splat(ldexpf(1, (int)(n % 80) - 40)), x_bits = wasm_v128_load(random + i);
            const v128_t one = wasm_f32x4_splat(1), some = wasm_u32x4_shr(x_bits, 9);
            const v128_t x = wasm_f32x4_mul(wasm_v128_or(some, one), size);
            const v128_t w = wasm_v128_or(wasm_v128_and(wasm_i32x4_add(some, x_bits), wasm_i32x4_splat(0x7fffff)), one);
            const v128_t c = wasm_f32x4_neg(wasm_f32x4_mul(x, w));
            const v128_t x_two = wasm_f64x2_div(wasm_f64x2_promote_low_f32x4(x), wasm_f64x2_splat(3));
            const v128_t w_two = wasm_f64x2_div(wasm_f64x2_promote_low_f32x4(w), wasm_f64x2_splat(7));
            const v128_t c_two = wasm_f64x2_neg(wasm_f64x2_mul(x_two, w_two));
            const v128_t same = wasm_v128_and(wasm_i64x2_eq(fma_four(x, w, c), exact_fma_four(x, w, c)),
                                              wasm_i64x2_eq(fma_two(x_two, w_two, c_two),
                                                            exact_fma_two(x_two, w_two, c_two)));
            if (!wasm_i64x2_all_true(same)) fused = 0;
        }
    }
    return fused;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A model
 * ------------------------------------------------------------------------------------------------------------------ */

static void forget_run(int run)
{
    free(runs[run].list);
    runs[run].list = NULL;
    runs[run].count = 0;
    if (run && runs[run].made) trial_free(&runs[run].trial);
    if (run) runs[run].made = false;
}

static void close_model(void)
{
    forget_run(0);
    forget_run(1);
    activations_free(&runs[0].a);
    runs[0] = (Run){0};
    if (is_open) bert_free(&model);
    if (is_open) tokenizer_free(&tokenizer);
    is_open = false;
}

/* Opens a directory as `bert -m DIRECTORY` does: the pieces, then config.json and the weights. */
EXPORT(page_open) Status page_open(const char *directory)
{
    close_model();
    Status status = tokenizer_load(&tokenizer, directory, CASE_AUTO, &error);
    if (status != BERT_OK) return status;
    status = bert_load(&model, directory, &error);
    if (status == BERT_OK && tokenizer_rows(&tokenizer) > model.config.V) {
        status = fail(&error, BERT_FILE, "%s: the vocabulary has %d pieces, the model %d rows for them", directory,
                      tokenizer_rows(&tokenizer), model.config.V);
        bert_free(&model);
    }
    if (status != BERT_OK) tokenizer_free(&tokenizer);
    is_open = status == BERT_OK;
    return status;
}

/* Number k of the configuration: L H A D F V P S, then what the model has: pooler, MLM, NSP; a GELU by tanh; a
 * tokenizer that makes lower case; the id of [MASK]. */
EXPORT(page_config) int page_config(int k)
{
    const BertConfig *c = &model.config;
    const int numbers[] = {c->L, c->H, c->A, c->D, c->F, c->V, c->P, c->S, model.has_pooler, model.has_mlm,
                           model.has_nsp && model.has_pooler, c->gelu == GELU_TANH, tokenizer.lower_case,
                           tokenizer.mask_id};
    return k >= 0 && k < (int)(sizeof numbers / sizeof *numbers) ? numbers[k] : -1;
}

EXPORT(page_eps) double page_eps(void) { return model.config.eps; }

/* How many numbers the model learned, with the heads that it has. */
EXPORT(page_parameters) double page_parameters(void)
{
    const BertConfig *c = &model.config;
    const bool there[GROUPS] = {[GROUP_ENCODER] = true, [GROUP_POOLER] = model.has_pooler,
                                [GROUP_MLM] = model.has_mlm, [GROUP_NSP] = model.has_nsp};
    double sum = 0;
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++) {
        if (!there[spec->group] || spec->optional || spec->tied || !spec_pattern(spec, c->distilbert)) continue;
        sum += (double)spec_rows(spec, c) * (double)spec_cols(spec, c) * (spec_per_layer(spec) ? c->L : 1);
    }
    return sum;
}

EXPORT(page_piece) const char *page_piece(int id)
{
    return id >= 0 && id < tokenizer.V && tokenizer_piece(&tokenizer, id) ? tokenizer_piece(&tokenizer, id) : "";
}

/* The id of a piece as it stands in the vocabulary, or -1. */
EXPORT(page_id) int page_id(const char *piece, size_t length) { return tokenizer_id(&tokenizer, piece, length); }

/* ---------------------------------------------------------------------------------------------------------------------
 * A text
 * ------------------------------------------------------------------------------------------------------------------ */

/* Steps 1 to 4 of a text and, unless second is NULL, of a second one. No more tokens than the model has positions. */
EXPORT(page_encode) Status page_encode(char *first, size_t length, char *second, size_t second_length)
{
    const EncodeOptions options = {.segments = -1, .max_length = model.config.P};
    const Text a = {first, length}, b = {second, second_length};
    forget_run(0);
    forget_run(1);
    Status status = encode(&tokenizer, a, second ? &b : NULL, &options, &encoding, &error);
    if (status != BERT_OK) return status;
    const size_t T = (size_t)encoding.T;
    free(mask);
    free(rows);
    mask = malloc(T * sizeof *mask);
    rows = malloc(T * sizeof *rows);
    if (!mask || !rows) return fail(&error, BERT_SYSTEM, "out of memory");
    memcpy(mask, encoding.attention_mask, T * sizeof *mask);
    for (int t = 0; t < encoding.T; t++) rows[t] = t;
    return BERT_OK;
}

/* k 0: input_ids, 1: token_type_ids, 2: attention_mask, 3: the changed run's mask, which the page may write. */
EXPORT(page_tokens) int page_tokens(void) { return encoding.T; }
EXPORT(page_ids) int32_t *page_ids(int k)
{
    return k == 0 ? encoding.input_ids : k == 1 ? encoding.token_type_ids : k == 2 ? encoding.attention_mask : mask;
}
EXPORT(page_offset) size_t page_offset(int token, int end) { return encoding.offsets[token][end]; }

/* What each stage of steps 1 to 3 makes of the text: one line per stage, `step TAB name TAB text`, for a caller who
 * frees it. NULL: page_message says why. */
EXPORT(page_stages) char *page_stages(char *first, size_t length)
{
    char *lines = NULL;
    size_t size;
    const EncodeOptions options = {.segments = -1, .max_length = model.config.P};
    FILE *out = open_memstream(&lines, &size);
    if (!out) return NULL;
    Status status = tokenize_trace(&tokenizer, (Text){first, length}, NULL, &options, print_stage, out, &error);
    if (fclose(out) != 0 || status != BERT_OK) {
        free(lines);
        return NULL;
    }
    return lines;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Runs
 * ------------------------------------------------------------------------------------------------------------------ */
static Status list_run(int run)
{
    const Bert *m = run ? &runs[1].trial.model : &model;
    free(runs[run].list);
    runs[run].list = NULL;
    return trace_list(m, activations_of(run), &runs[run].list, &runs[run].count, &error);
}

/* Steps 5 to 15 of the encoded text, everything kept. */
EXPORT(page_run) Status page_run(void)
{
    const Batch batch = {1, &encoding.T, encoding.input_ids, encoding.token_type_ids, encoding.attention_mask};
    const Request request = trace_request(&model, rows, encoding.T);
    Status status = batch_check(&batch, &model.config, &error);
    if (status == BERT_OK) status = activations_renew(&runs[0].a, &model, &batch, &request, &error);
    if (status != BERT_OK) return status;
    runs[0].made = true;
    forward(&model, &runs[0].a);
    return list_run(0);
}

/* The known mistakes of verify/mistakes.c, those that are planted in the model as a whole. */
EXPORT(page_mistakes) size_t page_mistakes(void) { return mistakes_count; }
EXPORT(page_mistake_name) const char *page_mistake_name(size_t i)
{
    return mistakes[i].where == IN_MODEL ? mistakes[i].name : "";
}
EXPORT(page_mistake_sentence) const char *page_mistake_sentence(size_t i) { return mistakes[i].sentence; }

static const uint8_t *heads_off;    /* (L,A) not 0: this head hands on nothing; or NULL */
static StepInstead *context_before; /* of the mistake, or NULL */

/* Step 10, then zeros in the columns of the heads that are off. */
static void context_without_heads(Trial *t)
{
    const BertConfig *c = &t->model.config;
    real *context = t->a.block[t->layer].context;
    if (context_before) context_before(t);
    else ordinary_step(t, TRACE_CONTEXT);
    for (int h = 0; h < c->A; h++)
        for (int n = 0; heads_off[t->layer * c->A + h] && n < t->a.N; n++)
            memset(context + (size_t)n * (size_t)c->H + (size_t)(h * c->D), 0, (size_t)c->D * sizeof *context);
}

/* Plants mistake i, or none for -1. False: it changes nothing here. */
static bool plant(Trial *t, int i)
{
    const Mistake *mistake = &mistakes[i < 0 ? 0 : i];
    trial_reset(t);
    t->first_layer = 0;
    t->last_layer = t->model.config.L - 1;
    if (i < 0) return true;
    t->value = mistake->value;
    t->norm = mistake->norm;
    if (mistake->instead) t->instead[mistake->row] = mistake->instead;
    return !mistake->plant || mistake->plant(t);
}

/* Runs the trial's steps in the order of the data: those whose tensors run 0 has, whose names are the same. */
static void run_steps(Trial *t)
{
    for (size_t i = 0; i < runs[0].count; i++)
        for (int row = 0, layer = -1; row < TRACE_COUNT; row++) {
            const bool skipped = (row == TRACE_CLASSIFIER && !t->a.request.classifier) ||
                                 (row == TRACE_TOKEN_CLASSIFIER && !t->a.request.token_classifier);
            layer = -1;
            if (skipped || !name_fits(trace_table[row].name, runs[0].list[i].name, &layer)) continue;
            trial_step(t, (TraceName)row, trace_per_layer(&trace_table[row]) ? layer : -1);
            break;
        }
}

/* The same text with something changed: mistake i of the table or -1, the heads that are off (L*A bytes) or NULL, and
 * the mask that the page may have written. *nothing becomes 1 where the mistake changes nothing with this text. Run 0
 * must be there. */
EXPORT(page_run_changed) Status page_run_changed(int mistake, const uint8_t *off, int *nothing)
{
    const Batch batch = {1, &encoding.T, encoding.input_ids, encoding.token_type_ids, mask};
    const Request request = trace_request(&model, rows, encoding.T);
    Trial *t = &runs[1].trial;
    forget_run(1);
    Status status = trial_new(t, &model, &batch, &request, &error);
    runs[1].made = true;
    if (status != BERT_OK) return status;
    *nothing = !plant(t, mistake);
    if (*nothing) trial_reset(t);
    if (t->failed) return fail(&error, BERT_SYSTEM, "out of memory");
    heads_off = off;
    context_before = t->instead[TRACE_CONTEXT];
    if (off) t->instead[TRACE_CONTEXT] = context_without_heads;
    run_steps(t);
    heads_off = NULL;
    return list_run(1);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What a run left
 * ------------------------------------------------------------------------------------------------------------------ */
EXPORT(page_tensors) size_t page_tensors(int run) { return runs[run].count; }
/* A TraceTensor: name (96 bytes), rank, shape (3 numbers), where its numbers are. */
EXPORT(page_tensor) const TraceTensor *page_tensor(int run, size_t i) { return &runs[run].list[i]; }

/* The checksum over every intermediate that `bert trace --checksum` prints. For a caller who does not free it. */
EXPORT(page_checksum) const char *page_checksum(int run)
{
    static char hex[65];
    hex[0] = 0;
    trace_checksum(run ? &runs[1].trial.model : &model, activations_of(run), hex, &error);
    return hex;
}

typedef struct {
    int id;
    float p;
} Filler;

/* The k pieces that fit best at a token, by softmax over all V logits, as `bert fill-mask` has them: the higher
 * probability first, then the lower id. BERT_HEAD: the model has no MLM head. */
EXPORT(page_fillers) Status page_fillers(int run, int token, int k, Filler *out)
{
    const size_t V = (size_t)model.config.V;
    if (!model.has_mlm) return fail(&error, BERT_HEAD, "the weights have no masked-language-model head");
    real *p = malloc(V * sizeof *p);
    if (!p) return fail(&error, BERT_SYSTEM, "out of memory");
    softmax(p, activations_of(run)->logits + (size_t)token * V, 1, V);
    for (int i = 0; i < k; i++) {
        int best = 0;
        for (int id = 1; id < (int)V; id++) best = p[id] > p[best] ? id : best;
        out[i] = (Filler){best, (float)p[best]};
        p[best] = -1;
    }
    free(p);
    return BERT_OK;
}

/* The probability of one piece at a token, and how many pieces have a higher one. */
EXPORT(page_filler) Status page_filler(int run, int token, int id, Filler *out)
{
    const size_t V = (size_t)model.config.V;
    real *p = malloc(V * sizeof *p);
    if (!p) return fail(&error, BERT_SYSTEM, "out of memory");
    softmax(p, activations_of(run)->logits + (size_t)token * V, 1, V);
    *out = (Filler){0, (float)p[id]};
    for (size_t i = 0; i < V; i++) out->id += p[i] > p[id];
    free(p);
    return BERT_OK;
}

/* P(IsNext) of the text and its second one; below 0: the model has no such head. */
EXPORT(page_is_next) double page_is_next(int run)
{
    real p[2];
    if (!model.has_nsp || !model.has_pooler) return -1;
    softmax(p, activations_of(run)->nsp_logits, 1, 2);
    return (double)p[0];
}

EXPORT(page_cosine) double page_cosine(const real *a, const real *b, size_t n) { return cosine(a, b, n); }

/* The whole trace as `bert trace -o FILE.safetensors` writes it, for a caller who frees it; its size into *size. */
EXPORT(page_trace) char *page_trace(int run, const char *name, const char *said, size_t *size)
{
    char *file = NULL;
    FILE *out = open_memstream(&file, size);
    if (!out) return NULL;
    Status status = trace_put(run ? &runs[1].trial.model : &model, activations_of(run), NULL, out, name, said, &error);
    if (fclose(out) != 0 || status != BERT_OK) {
        free(file);
        return NULL;
    }
    return file;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Learning: the same model a second time, with weights of its own, learns the hidden words of the encoded text
 * ------------------------------------------------------------------------------------------------------------------ */
static struct {
    bool made;
    Bert model;
    Parameters parameters;
    Gradients gradients;
    AdamW adamw;
    Activations a;
} learner;

EXPORT(page_learn_forget) void page_learn_forget(void)
{
    if (!learner.made) return;
    activations_free(&learner.a);
    adamw_free(&learner.adamw);
    gradients_free(&learner.gradients);
    parameters_free(&learner.parameters);
    bert_free(&learner.model);
    memset(&learner, 0, sizeof learner);
}

/* Reads the directory once more, and begins with its weights. */
EXPORT(page_learn_start) Status page_learn_start(const char *directory, double rate)
{
    AdamWOptions options = adamw_defaults(RULES_HUGGINGFACE);
    page_learn_forget();
    options.learning_rate = rate;
    options.steps = 1000;
    options.constant = true;
    Status status = bert_load(&learner.model, directory, &error);
    if (status != BERT_OK) return status;
    learner.made = true;
    status = parameters_new(&learner.parameters, &learner.model, &error);
    if (status == BERT_OK) status = gradients_new(&learner.gradients, &learner.model, &learner.parameters, &error);
    if (status == BERT_OK) status = adamw_new(&learner.adamw, &learner.parameters, &options, &error);
    if (status != BERT_OK) page_learn_forget();
    return status;
}

/* One step of AdamW on the encoded text: M rows, whose pieces should be `labels`. The loss before the step into *loss,
 * the probabilities of the labels before it into p (M). */
EXPORT(page_learn_step) Status page_learn_step(const int *wanted, const int32_t *labels, int M, double *loss, float *p)
{
    const Batch batch = {1, &encoding.T, encoding.input_ids, encoding.token_type_ids, encoding.attention_mask};
    const Request request = {.keep = KEEP_EVERYTHING, .mlm_rows = wanted, .M = M};
    const Targets targets = {.labels = labels, .mlm_divisor = M, .nsp_divisor = 1};
    const size_t V = (size_t)model.config.V;
    real *row = malloc(V * sizeof *row);
    if (!row) return fail(&error, BERT_SYSTEM, "out of memory");
    Status status = activations_renew(&learner.a, &learner.model, &batch, &request, &error);
    if (status == BERT_OK)
        status = gradients_room(&learner.gradients, &learner.model, &learner.a, KEEP_NOTHING, &error);
    if (status == BERT_OK) {
        gradients_zero(&learner.gradients);
        forward(&learner.model, &learner.a);
        for (int i = 0; i < M; i++) {
            softmax(row, learner.a.logits + (size_t)i * V, 1, V);
            p[i] = (float)row[labels[i]];
        }
        backward(&learner.model, &learner.a, &learner.gradients, &targets);
        *loss = learner.gradients.losses.mlm;
        gradients_finish(&learner.model, &learner.gradients, &learner.parameters);
        adamw_step(&learner.adamw, &learner.gradients, &learner.parameters,
                   gradient_norm(&learner.gradients, &learner.parameters));
    }
    free(row);
    return status;
}
