/* test_mistakes.c - the table of known mistakes, row by row: each is planted by its own code, the trace is written as a
 * wrong BERT would write it, and verify must find that row again, name it by its sentence, and come out equal with it.
 *
 * This says that no row is mute, that none hides another, and that each works for several sequences, for padding on
 * either side, for three segments. That a row computes what its sentence says is the matter of tests/test_verify.c:
 * there the mistakes are made a second time, by other means. */
#include "shell.h"
#include "verify/verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { H = 24, V = 101, K = 3, LAYERS = 3, MOST = 12, ROWS = 2 * MOST };

static Bert model;                  /* tiny's weights in three blocks; a decoder of its own */
static Bert tiny_weights;
static BertLayer layers[LAYERS];
static float decoder[V * H], heads[(K + 2 + H) * H];    /* classifier, qa_outputs, pre_classifier */
static real head_biases[K + 2 + H];
static char directory[256], path[300], said[1 << 16];

/* Heads of fine-tuned models, all of them: which of them run is config.head's and config.distilbert's to say. */
static void add_heads(void)
{
    for (size_t i = 0; i < (K + 2 + H) * H; i++) heads[i] = formula_value("heads", i);
    for (size_t i = 0; i < K + 2 + H; i++) head_biases[i] = (real)formula_value("biases of heads", i);
    model.Wclassifier = (Tensor){heads, DTYPE_F32, K, H}, model.bclassifier = head_biases;
    model.Wqa = (Tensor){heads + K * H, DTYPE_F32, 2, H}, model.bqa = head_biases + K;
    model.Wpre = (Tensor){heads + (K + 2) * H, DTYPE_F32, H, H}, model.bpre = head_biases + K + 2;
    model.has_classifier = model.has_qa = model.has_pre_classifier = true;
    model.config.K = K, model.config.head = HEAD_SEQUENCE;
}

/* As a DistilBERT the model has neither segments nor pooler. */
static void set_kind(bool distilbert, HeadKind head)
{
    model.config.head = head;
    model.config.distilbert = distilbert;
    model.config.S = distilbert ? 0 : 3;
    model.has_pooler = model.has_nsp = !distilbert;
}

/* The third block is made of parts of the other two, so that none is like another. */
static bool open_model(void)
{
    Error e = {0};
    bool ok = formula_directory(directory) && formula_model(directory, "tiny", &e) == BERT_OK &&
              bert_load(&tiny_weights, directory, &e) == BERT_OK;
    if (!check(ok, "the model tiny is there: %s", e.message)) return false;
    model = tiny_weights, model.layers = layers, model.config.L = LAYERS;
    layers[0] = layers[2] = tiny_weights.layers[0], layers[1] = tiny_weights.layers[1];
    layers[2].W1 = layers[1].W1, layers[2].W2 = layers[1].W2;
    layers[2].Wq = layers[1].Wk, layers[2].Wv = layers[1].Wv;
    for (size_t i = 0; i < V * H; i++) decoder[i] = formula_value("a decoder of its own", i);
    model.decoder.data = decoder;
    add_heads();
    snprintf(path, sizeof path, "%s/trace", directory);
    return true;
}

static void close_model(void)
{
    remove(path);
    bert_free(&tiny_weights);
    formula_remove(directory);
}

/* Inputs of one or two sequences of T tokens. */
typedef struct {
    const char *what;
    int T;
    int32_t types[2][MOST], mask[2][MOST];
} Shape;

static const Shape kinds[] = {
    {"a pair, padded", 12, {{0, 0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 1, 1, 1, 1, 1}},
     {{1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}},
    {"one sentence", 7, {{0}}, {{1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}}},
    {"padded on the left", 9, {{0}}, {{0, 0, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 0, 1, 1, 1, 1, 1, 1}}},
    {"three segments", 8, {{0, 0, 2, 2, 1, 1, 0, 1}, {2, 2, 2, 1, 0, 0, 1, 2}},
     {{1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static double planted_value = -5.5; /* the parameter of a mistake whose parameter verify has to find */
static int lengths[2], rows[ROWS];
static int from_layer;              /* mistakes without a tensor are planted in this block and those behind it */
static int32_t ids[ROWS], types[ROWS], mask[ROWS];

static Batch batch_of(const Shape *k, int B)
{
    for (int b = 0; b < B; b++) {
        lengths[b] = k->T;
        for (int t = 0; t < k->T; t++) {
            const int n = b * k->T + t;
            ids[n] = k->mask[b][t] ? (t == 0 ? 2 : 9 + (n * 7 + b) % 80) : 0;
            types[n] = k->types[b][t], mask[n] = k->mask[b][t], rows[n] = n;
        }
    }
    return (Batch){B, lengths, ids, types, mask};
}

/* Does the run have that head? */
static bool has_row(const Request *r, TraceName row)
{
    const bool distilbert = model.config.distilbert;
    if (row == TRACE_POOLER_DENSE || row == TRACE_POOLER || row == TRACE_NSP) return !distilbert;
    if (row == TRACE_PRE_CLASSIFIER_DENSE || row == TRACE_PRE_CLASSIFIER) return distilbert && r->classifier;
    if (row == TRACE_CLASSIFIER) return r->classifier;
    return row != TRACE_TOKEN_CLASSIFIER || r->token_classifier;
}

/* The whole forward pass by the trial's own steps; those before block from_layer are made rightly. */
static void run_steps(Trial *t)
{
    const Trial wrong = *t;
    if (from_layer) memset(t->instead, 0, sizeof t->instead), t->norm = 0;
    for (TraceName row = 0; row < TRACE_QUERY; row++) trial_step(t, row, -1);
    for (int l = 0; l < LAYERS; l++) {
        if (l == from_layer) memcpy(t->instead, wrong.instead, sizeof t->instead), t->norm = wrong.norm;
        for (TraceName row = TRACE_QUERY; row < TRACE_POOLER_DENSE; row++) trial_step(t, row, l);
    }
    for (TraceName row = TRACE_POOLER_DENSE; row < TRACE_COUNT; row++)
        if (has_row(&t->a.request, row)) trial_step(t, row, -1);
}

/* =====================================================================================================================
 * What verify must say of each row
 * ================================================================================================================== */

/* What an input must have for the mistake to change anything that is compared. WHOLE: the pooled vector and what
 * follows from it do not count where [CLS] is padding. SECOND: a second sentence. */
typedef enum { ANY, SEGMENTS, SECOND, PADDING, LEFT, TANH, WHOLE, DISTILBERT } Needs;

/* The table once more, with the first tensor that differs ("" where that is each module in turn). */
#define BLOCK_0 "encoder.layer.0."
static const struct { const char *name, *sentence, *first; Needs needs; } expected[] = {
    {"segments-ignored", "every token is in segment 0: token_type_ids are ignored",
     "embeddings.token_type_embeddings", SEGMENTS},
    {"segments-all-one", "every token is in segment 1", "embeddings.token_type_embeddings", ANY},
    {"segments-swapped", "segment ids are swapped: 1 for the first sentence, 0 for the second",
     "embeddings.token_type_embeddings", SEGMENTS},
    {"segments-missing", "the token type embeddings are not added", "embeddings.token_type_embeddings", ANY},
    {"positions-plus-one", "positions count from 1", "embeddings.position_embeddings", ANY},
    {"positions-plus-two", "positions count from 2, as RoBERTa's do", "embeddings.position_embeddings", ANY},
    {"positions-skip-padding", "positions count real tokens only", "embeddings.position_embeddings", LEFT},
    {"positions-restart", "positions start again at 0 with the second sentence", "embeddings.position_embeddings", SECOND},
    {"positions-sinusoidal", "positions are sinusoids, not the learned table", "embeddings.position_embeddings", ANY},
    {"positions-sinusoidal-halves", "positions are sinusoids (sines, then cosines)",
     "embeddings.position_embeddings", ANY},
    {"positions-missing", "the position embeddings are not added", "embeddings.position_embeddings", ANY},
    {"embeddings-no-norm", "there is no LayerNorm after the embeddings", "embeddings.LayerNorm", ANY},
    {"eps-1e-5", "layer_norm_eps is 1e-5", "embeddings.LayerNorm", ANY},
    {"eps-1e-6", "layer_norm_eps is 1e-6", "embeddings.LayerNorm", ANY},
    {"eps-1e-12", "layer_norm_eps is 1e-12", "embeddings.LayerNorm", ANY},
    {"eps-1e-3", "layer_norm_eps is 1e-3", "embeddings.LayerNorm", ANY},
    {"eps-outside", "LayerNorm adds eps outside the square root", "embeddings.LayerNorm", ANY},
    {"norm-unbiased", "LayerNorm's variance divides by H - 1", "embeddings.LayerNorm", ANY},
    {"norm-unbiased-outside", "LayerNorm divides by an unbiased deviation plus eps", "embeddings.LayerNorm", ANY},
    {"norm-variance", "LayerNorm divides by the variance, not by its square root", "embeddings.LayerNorm", ANY},
    {"norm-no-weights", "LayerNorm's weight and bias (gamma, beta) were not loaded", "embeddings.LayerNorm", ANY},
    {"gamma-missing", "lacks its weight (gamma)", "", ANY},
    {"bias-missing", "lacks its bias", "", ANY},
    {"kernel-not-transposed", "has its kernel transposed: (in, out) read as (out, in)", "", ANY},
    {"query-key-swapped", "query and key are swapped", BLOCK_0 "attention.self.query", ANY},
    {"key-value-swapped", "key and value are swapped", BLOCK_0 "attention.self.key", ANY},
    {"query-value-swapped", "query and value are swapped", BLOCK_0 "attention.self.query", ANY},
    {"layer-before", "the weights are those of the layer before", "encoder.layer.1.attention.self.query", ANY},
    {"layer-after", "the weights are those of the layer after", BLOCK_0 "attention.self.query", ANY},
    {"layer-zero", "every layer has the weights of layer 0", "encoder.layer.1.attention.self.query", ANY},
    {"no-scale", "scores are not divided by sqrt(D)", BLOCK_0 "attention.self.scores", ANY},
    {"scale-hidden-size", "scores are divided by sqrt(H), not sqrt(D)", BLOCK_0 "attention.self.scores", ANY},
    {"scale-head-size", "scores are divided by D, not sqrt(D)", BLOCK_0 "attention.self.scores", ANY},
    {"mask-ignored", "the mask is ignored: padding is looked at", BLOCK_0 "attention.self.probs", PADDING},
    {"mask-multiplied", "the mask is multiplied with the scores", BLOCK_0 "attention.self.probs", PADDING},
    {"mask-on-queries", "the mask is on the queries (rows), not on the keys",
     BLOCK_0 "attention.self.probs", PADDING},
    {"mask-added", "the mask's 0 and 1 are added to the scores", BLOCK_0 "attention.self.scores", PADDING},
    {"mask-inverted", "the mask is inverted: real tokens are hidden", BLOCK_0 "attention.self.scores", PADDING},
    {"mask-weak", "the mask is too weak: to masked scores only this is added: -5.5", BLOCK_0 "attention.self.probs", PADDING},
    {"mask-causal", "each token sees only itself and those before it (causal mask, as in GPT)",
     BLOCK_0 "attention.self.scores", ANY},
    {"mask-future", "each token sees only itself and those behind it (a causal mask the wrong way round)",
     BLOCK_0 "attention.self.scores", ANY},
    {"mask-segments", "each token sees only its own segment: A and B are kept apart",
     BLOCK_0 "attention.self.scores", SEGMENTS},
    {"mask-self", "no token sees itself: the diagonal is masked", BLOCK_0 "attention.self.scores", ANY},
    {"softmax-queries", "softmax runs over the queries, not the keys", BLOCK_0 "attention.self.probs", ANY},
    {"heads-interleaved", "heads are interleaved: (tokens, D, heads)", BLOCK_0 "attention.self.scores", ANY},
    {"heads-reshaped", "heads are split without a transposition", BLOCK_0 "attention.self.scores", ANY},
    {"heads-merged-interleaved", "heads are put together interleaved", BLOCK_0 "attention.self.context", ANY},
    {"heads-merged-reshaped", "heads are put together without a transposition",
     BLOCK_0 "attention.self.context", ANY},
    {"pre-norm", "LayerNorm comes before attention and feed-forward (pre-LN)", BLOCK_0 "attention.self.query", ANY},
    {"norm-inside", "the residual is added after LayerNorm", BLOCK_0 "attention.output.LayerNorm", ANY},
    {"norm-inside-hooked", "the residual is added after LayerNorm, outside of it",
     BLOCK_0 "attention.output.LayerNorm", ANY},
    {"attention-no-norm", "there is no LayerNorm after the attention", BLOCK_0 "attention.output.LayerNorm", ANY},
    {"output-no-norm", "there is no LayerNorm after the feed-forward part", BLOCK_0 "output.LayerNorm", ANY},
    {"attention-no-residual", "the attention's residual is not added", BLOCK_0 "attention.output.LayerNorm", ANY},
    {"output-no-residual", "the feed-forward part's residual is not added", BLOCK_0 "output.LayerNorm", ANY},
    {"residual-block-input", "the second residual is the block's input", BLOCK_0 "output.LayerNorm", ANY},
    {"residual-before-norm", "the second residual is taken before the first LayerNorm",
     BLOCK_0 "output.LayerNorm", ANY},
    {"states-shifted", "the block's output is its input: are hidden states off by one?",
     BLOCK_0 "output.LayerNorm", ANY},
    {"gelu-tanh", "GELU by its tanh approximation", BLOCK_0 "intermediate", ANY},
    {"gelu-erf", "GELU by erf, where the model wants the tanh approximation", BLOCK_0 "intermediate", TANH},
    {"relu", "ReLU instead of GELU", BLOCK_0 "intermediate", ANY},
    {"gelu-sigmoid", "GELU by x sigmoid(1.702 x)", BLOCK_0 "intermediate", ANY},
    {"gelu-no-root", "GELU by erf without the division by sqrt 2", BLOCK_0 "intermediate", ANY},
    {"silu", "SiLU (swish) instead of GELU", BLOCK_0 "intermediate", ANY},
    {"no-activation", "there is no activation", BLOCK_0 "intermediate", ANY},
    {"pooler-no-tanh", "the pooler has no tanh", "pooler", WHOLE},
    {"pooler-mean", "the pooler takes the mean of the tokens, not the first", "pooler.dense", WHOLE},
    {"pooler-last", "the pooler takes the last token, not the first", "pooler.dense", WHOLE},
    {"decoder-no-transform", "the decoder has no transform before it", "cls.predictions.decoder", ANY},
    {"transform-no-norm", "the decoder's transform has no LayerNorm", "cls.predictions.transform.LayerNorm", ANY},
    {"decoder-tied", "the file's own decoder is ignored for the word embeddings", "cls.predictions.decoder", ANY},
    {"logits-softmax", "probabilities, not logits", "cls.predictions.decoder", ANY},
    {"nsp-swapped", "IsNext and NotNext are swapped", "cls.seq_relationship", WHOLE},
    {"pre-classifier-linear", "there is no ReLU before the classifier", "pre_classifier.relu", DISTILBERT},
    {"pre-classifier-tanh", "tanh, as in BERT's pooler, not ReLU", "pre_classifier.relu", DISTILBERT},
    {"classifier-no-pooler", "the classifier reads the row of [CLS]: the layer before it is left out", "classifier",
     WHOLE},
    {"classifier-softmax", "softmax of the logits, not the logits", "classifier", WHOLE},
    {"classifier-sigmoid", "sigmoids of the logits, not the logits", "classifier", WHOLE},
    {"labels-reversed", "the labels are in the reverse order", "classifier", WHOLE},
    {"labels-up", "each label stands one place too high: the last one is the first", "classifier", WHOLE},
    {"labels-down", "each label stands one place too low: the first one is the last", "classifier", WHOLE},
    {"labels-first-two", "the first two labels are swapped", "classifier", WHOLE},
    {"labels-last-two", "the last two labels are swapped", "classifier", WHOLE},
    {"qa-swapped", "start and end are swapped", "qa_outputs", ANY},
};
enum { EXPECTED = sizeof expected / sizeof *expected };

/* Rows that make the same tensor as another, and the same one after it: both must be named. (Not always the other way
 * round: pre-norm differs from the query on, where output-no-norm is still right.) */
static const struct { const char *name, *also; } twins[] = {
    {"layer-before", "layer-zero"}, {"layer-zero", "layer-before"}, {"output-no-norm", "pre-norm"},
    {"output-no-residual", "norm-inside-hooked"}};

static bool changes_something(Needs needs, const Shape *s, int B)
{
    int32_t other_types = 0, masked = 0;
    bool second = false;
    for (int n = 0; n < B * s->T; n++) {
        second |= n % s->T && s->types[n / s->T][n % s->T] > s->types[n / s->T][n % s->T - 1];
        other_types |= s->types[n / s->T][n % s->T];
        masked |= !s->mask[n / s->T][n % s->T];
    }
    const bool left = !s->mask[0][0];
    switch (needs) {
    case SEGMENTS: return other_types != 0;
    case SECOND: return second;
    case PADDING: return masked;
    case LEFT: return left;
    case TANH: return model.config.gelu == GELU_TANH;
    case WHOLE: return !left || model.config.head == HEAD_TOKENS;
    case DISTILBERT: return !left;
    default: return true;
    }
}

/* The sentence of row i, about the module that lacks or misreads something, or behind the tensor's name. */
static void sentence_of(char text[256], size_t i, const char *module)
{
    if (module) snprintf(text, 256, "%s %s (", module, expected[i].sentence);
    else snprintf(text, 256, ": %s (", expected[i].sentence);
}

/* How many lines name a mistake, and whether one of them says this and is equal with it. */
static int count_named(const char *sentence, bool *found)
{
    int count = 0;
    *found = false;
    for (const char *line = said; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, "best explanation: ", 18) && strncmp(line, "cannot be told apart from: ", 27)) continue;
        const char *end = strchr(line, '\n'), *at = strstr(line, sentence), *equal = strstr(line, "with it equal)");
        *found |= at && end && at < end && equal && equal < end;
        count++;
    }
    return count;
}

/* =====================================================================================================================
 * The walk
 * ================================================================================================================== */

/* Is it one of those that the row is planted in? By the name alone: biases (LayerNorm's beta too), gammas, matrices. */
static bool is_each(const TensorSpec *spec, Where where)
{
    const char *end = strrchr(spec->name, '.');
    const bool norm = strstr(spec->name, "LayerNorm") != NULL, bias = end && !strcmp(end, ".bias");
    if (where == IN_EACH_BIAS) return bias;
    return !bias && (where == IN_EACH_GAMMA ? norm : !norm && !strstr(spec->name, "embeddings.") && !spec->optional &&
                                                  !strstr(spec->name, "seq_relationship"));
}

/* A trial of that batch with the mistake planted, in that tensor of block 1 if there is one, and run. *planted: whether
 * the row says that it changes something. */
static bool plant_and_run(Trial *t, const Mistake *m, const TensorSpec *spec, const Batch *batch, bool *planted)
{
    Error e = {0};
    const Request request = trace_request(&model, rows, batch->B * batch->T[0]);
    if (!check(trial_new(t, &model, batch, &request, &e) == BERT_OK, "%s", e.message)) return false;
    trial_reset(t);
    t->first_layer = spec && spec_per_layer(spec) ? 1 : spec ? 0 : from_layer;
    t->last_layer = spec ? t->first_layer : LAYERS - 1;
    *planted = trial_plant(t, m, spec, m->fitted ? planted_value : m->value);
    run_steps(t);
    return check(!t->failed, "%s: there is memory", m->name);
}

/* Writes the trace with the true ids. Returns whether the row says that it changes something. */
static bool write_planted(const Mistake *m, const TensorSpec *spec, const Batch *batch)
{
    Trial t;
    Error e = {0};
    bool planted;
    if (!plant_and_run(&t, m, spec, batch, &planted)) return false;
    t.a.batch = *batch;
    const bool ok = !planted || trace_write(&model, &t.a, path, "wrong", "", &e) == BERT_OK;
    trial_free(&t);
    return check(ok, "the trace of %s is written: %s", m->name, e.message) && planted;
}

static Status verify_it(bool isolate)
{
    const VerifyOptions options = {.tolerance = TOLERANCE_DEFAULT, .isolate = isolate};
    Error e = {0};
    FILE *out = tmpfile();
    if (!out) return BERT_SYSTEM;
    Status status = verify_trace(&model, path, &options, out, &e);
    read_report(out, said, sizeof said);
    return status;
}

/* The verdict on the trace of row i: it differs first where it should; the row is named, equal; its twin with it. */
static void check_verdict(size_t i, const char *module, const char *what, bool isolate)
{
    char sentence[256], first[200];
    bool found;
    int names = 1;
    if (!check(verify_it(isolate) == BERT_DIFFERENT, "%s, %s: it differs: %s", expected[i].name, what, said)) return;
    sentence_of(sentence, i, module);
    const int named = count_named(sentence, &found);
    check(found, "%s, %s: \"%s\" is named and equal: %s", expected[i].name, what, sentence, said);
    snprintf(first, sizeof first, "\nfirst difference: %s:", module ? module : expected[i].first);
    check(strstr(said, first) != NULL, "%s, %s:%s: %s", expected[i].name, what, first, said);
    if (isolate) return;                                                /* others of its steps are explained as well */
    for (size_t k = 0; k < sizeof twins / sizeof *twins; k++)
        for (size_t j = 0; !strcmp(twins[k].name, expected[i].name) && j < EXPECTED; j++) {
            if (strcmp(expected[j].name, twins[k].also)) continue;
            sentence_of(sentence, j, NULL);
            count_named(sentence, &found);
            check(found, "%s, %s: %s is named with it: %s", expected[i].name, what, twins[k].also, said);
            names++;
        }
    check(named == names, "%s, %s: %d mistakes are named, not %d: %s", expected[i].name, what, names, named, said);
}

/* One row, in one tensor if it is one that is planted in each, on one input. */
static void check_row(size_t i, const TensorSpec *spec, const Shape *s, int B)
{
    const Batch batch = batch_of(s, B);
    char what[80], module[128];
    snprintf(what, sizeof what, "%s, %d", s->what, B);
    if (spec) {
        spec_name(spec->name, 1, module, sizeof module);
        *strrchr(module, '.') = 0;
        if (!strcmp(module, "cls.predictions")) snprintf(module, sizeof module, "cls.predictions.decoder");
    }
    const bool whole = spec && (!strncmp(spec->name, "pooler", 6) || !strncmp(spec->name, "cls.seq", 7) ||
                                spec->group >= GROUP_TASK);
    const bool changes = changes_something(whole ? WHOLE : expected[i].needs, s, B);
    const bool planted = write_planted(&mistakes[i], spec, &batch);
    if (!changes && !planted) return;
    if (changes && check(planted, "%s, %s: it is planted", expected[i].name, what))
        for (int isolate = 0; isolate < (s == kinds && B == 2 ? 2 : 1); isolate++)
            check_verdict(i, spec ? module : NULL, what, isolate);
    if (!changes) check(verify_it(false) == BERT_OK, "%s, %s: nobody sees it: %s", expected[i].name, what, said);
}

/* A mistake that begins in block 1 is found there, with the numbers of that block and of no other: its inputs, its
 * weights, its LayerNorms. */
static void a_mistake_of_a_later_block_is_found_there(void)
{
    int found_there = 0;
    if (too_slow() || !open_model()) return;
    from_layer = 1;
    for (size_t i = 0; i < EXPECTED; i++) {
        const Batch batch = batch_of(&kinds[1], 1);
        const char *tensor = mistakes[i].norm ? "attention.output.LayerNorm" : expected[i].first + strlen(BLOCK_0);
        char first[200];
        bool found;
        if (mistakes[i].where || (!mistakes[i].norm && strncmp(expected[i].first, BLOCK_0, strlen(BLOCK_0)))) continue;
        model.config.gelu = expected[i].needs == TANH ? GELU_TANH : GELU_ERF;
        if (!write_planted(&mistakes[i], NULL, &batch) || verify_it(false) != BERT_DIFFERENT) continue;
        count_named(expected[i].sentence, &found);
        snprintf(first, sizeof first, "\nfirst difference: encoder.layer.1.%s:", tensor);
        if (!strstr(said, first)) continue;                             /* a mistake of all blocks together */
        check(found, "%s: \"%s\" is named and equal: %s", expected[i].name, expected[i].sentence, said);
        found_there++;
    }
    model.config.gelu = GELU_ERF;
    from_layer = 0;
    close_model();
    check(found_there >= 27, "%d mistakes are found in block 1", found_there);
}

/* Every row on every input, alone and in a batch of two. */
static void every_row_of_the_table_is_found_and_named(void)
{
    if (too_slow()) return;
    if (!check(EXPECTED == mistakes_count, "%zu rows, %d expected", mistakes_count, (int)EXPECTED)) return;
    for (size_t i = 0; i < EXPECTED; i++) {
        check_text("name", mistakes[i].name, expected[i].name);
        check_text(expected[i].name, mistakes[i].fitted ? "" : mistakes[i].sentence,
                   mistakes[i].fitted ? "" : expected[i].sentence);
    }
    if (!open_model()) return;
    for (size_t i = 0; i < EXPECTED; i++) {
        int modules = 0;
        for (size_t k = 0; mistakes[i].where && k < tensor_table_size; k++)
            if (is_each(&tensor_table[k], mistakes[i].where)) {
                set_kind(tensor_table[k].group == GROUP_PRE_CLASSIFIER, HEAD_SEQUENCE);
                check_row(i, &tensor_table[k], &kinds[0], 2);
                check_row(i, &tensor_table[k], &kinds[1], 1);
                modules++;
            }
        check(!mistakes[i].where || modules >= 4, "%s is planted in %d modules", expected[i].name, modules);
        set_kind(expected[i].needs == DISTILBERT, HEAD_SEQUENCE);
        if (mistakes[i].where) continue;
        model.config.gelu = expected[i].needs == TANH ? GELU_TANH : GELU_ERF;
        for (int n = 0; n < 2 * KINDS; n++) check_row(i, NULL, &kinds[n / 2], 1 + n % 2);
        model.config.gelu = GELU_ERF;
        if (strcmp(expected[i].first, "classifier")) continue;
        set_kind(true, HEAD_SEQUENCE);
        for (int n = 0; n < 2 * KINDS; n++) check_row(i, NULL, &kinds[n / 2], 1 + n % 2);
        if (!strcmp(expected[i].name, "classifier-no-pooler")) continue;
        set_kind(false, HEAD_TOKENS);
        for (int n = 0; n < 2 * KINDS; n++) check_row(i, NULL, &kinds[n / 2], 1 + n % 2);
    }
    close_model();
}

/* =====================================================================================================================
 * Numbers that nothing explains
 * ================================================================================================================== */
static TraceName noisy;             /* the row whose tensor has nothing in common with the right one */

/* Numbers of both signs, of about the size of the right ones. */
static void noise(Trial *t)
{
    const TraceSpec *spec = &trace_table[noisy];
    char *base = trace_per_layer(spec) ? (char *)&t->a.block[t->layer] : (char *)&t->a;
    real *x = *(real **)(void *)(base + spec->field);
    const size_t each = symbol_size(spec->width, &t->model.config), N = (size_t)t->a.N;
    const size_t count = spec->form == FORM_SCORES ? t->a.score_start[t->a.batch.B] : spec->form == FORM_WHOLE ?
                         (size_t)t->a.batch.B * each : N * each;
    uint32_t seed = 7;
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (real)((seed >> 8) / 8388608.0 - 1);
    }
}

/* What has no weights of its own may have had other inputs; what has some, other weights. */
static void numbers_that_have_nothing_in_common_are_told(void)
{
    static const TraceName without[] = {TRACE_SCORES, TRACE_PROBS, TRACE_CONTEXT, TRACE_INTERMEDIATE, TRACE_POOLER,
                                        TRACE_TRANSFORM_ACT};
    char line[200], name[96];
    if (!open_model()) return;
    for (noisy = 0; noisy < TRACE_COUNT; noisy++) {
        const Batch batch = batch_of(&kinds[1], 2);
        const bool distilbert = noisy == TRACE_PRE_CLASSIFIER_DENSE || noisy == TRACE_PRE_CLASSIFIER;
        bool weightless = false;
        for (size_t k = 0; k < sizeof without / sizeof *without; k++) weightless |= without[k] == noisy;
        if (noisy == TRACE_NSP || noisy == TRACE_CLASSIFIER) continue;  /* too few numbers to be unlike */
        set_kind(distilbert, noisy == TRACE_TOKEN_CLASSIFIER ? HEAD_TOKENS : HEAD_SEQUENCE);
        const Mistake m = {.name = "noise", .row = noisy, .instead = noise};
        if (!write_planted(&m, NULL, &batch)) break;
        spec_name(trace_table[noisy].name, 0, name, sizeof name);
        check(verify_it(false) == BERT_DIFFERENT && strstr(said, "first difference: "), "%s: %s", name, said);
        snprintf(line, sizeof line, "no known mistake explains %s (NMSE ", name);
        const char *at = strstr(said, line), *end = at ? strchr(at, '\n') : NULL;
        const char *tail = weightless ? "): the two have nothing in common. Other inputs, or rows in another order?\n" :
                           "): the two have nothing in common. Other weights?\n";
        check(at && end && !strncmp(end + 1 - strlen(tail), tail, strlen(tail)), "%s: %s", name, said);
        check(!strstr(said, "not tied to the word") == (noisy != TRACE_DECODER), "%s: tied: %s", name, said);
    }
    close_model();
}

/* =====================================================================================================================
 * What an attention says of itself
 * ================================================================================================================== */

/* How weak a mask is is found, whatever it is: to four digits, and to a quarter where it is a multiple of that. */
static void a_weak_mask_is_measured(void)
{
    static const char *const values[] = {"-0.125", "-0.5", "-1", "-1.75", "-2.6", "-3.71", "-4.25", "-7", "-8.125"};
    char line[160];
    size_t weak = 0;
    if (!open_model()) return;
    while (weak < mistakes_count && !mistakes[weak].fitted) weak++;
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        const Batch batch = batch_of(&kinds[k % 2 * 2], 1 + (int)(k % 3 == 0));
        planted_value = strtod(values[k], NULL);
        if (!write_planted(&mistakes[weak], NULL, &batch) || !check(verify_it(false) == BERT_DIFFERENT, "%s",
                                                            said)) break;
        snprintf(line, sizeof line, BLOCK_0 "attention.self.probs: %s %s (", mistakes[weak].sentence, values[k]);
        check(strstr(said, line) != NULL, "%s: %s", line, said);
    }
    planted_value = -5.5;
    close_model();
}

/* Keeps a copy of the block's probabilities, and drops that share of them; the others are as much larger. */
static void drop(Trial *t, real *whole)
{
    real *p = t->a.block[t->layer].probs;
    uint32_t seed = 1;
    const size_t count = t->a.score_start[t->a.batch.B];
    memcpy(whole, p, count * sizeof *p);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        p[i] = (seed >> 8) / 16777216.0 < t->value ? 0 : (real)((double)p[i] / (1 - t->value));
    }
}

/* The trace has the probabilities as they were dropped, or the context that they made. */
static void dropped_probs(Trial *t)
{
    real whole[2 * 3 * MOST * MOST];
    ordinary_step(t, TRACE_PROBS);
    drop(t, whole);
}

static void dropped_context(Trial *t)
{
    real whole[2 * 3 * MOST * MOST];
    drop(t, whole);
    ordinary_step(t, TRACE_CONTEXT);
    memcpy(t->a.block[t->layer].probs, whole, t->a.score_start[t->a.batch.B] * sizeof *whole);
}

/* In every block, alone and in a batch, padded or not, whatever the share; a head of 8 features tells where no text has
 * more than 8 tokens. */
static void dropout_is_told_in_every_block_and_sequence(void)
{
    static const double shares[] = {0.1, 0.3, 0.5, 0.8};
    static const int of_shapes[] = {1, 2};
    char line[200];
    if (!open_model()) return;
    for (int k = 0; k < 4 * 2 * 2 * 3 * 2; k += 1 + k % 2) {
        const bool of_probs = k / 4 % 2;
        const Shape *s = &kinds[of_shapes[k / 8 % 2]];
        const Batch batch = batch_of(s, 1 + k / 48);
        const Mistake m = {.name = "dropout", .value = shares[k % 4], .row = of_probs ? TRACE_PROBS : TRACE_CONTEXT,
                           .instead = of_probs ? dropped_probs : dropped_context};
        from_layer = k / 16 % 3;
        if (!write_planted(&m, NULL, &batch) || !check(verify_it(false) == BERT_DIFFERENT, "it differs: %s",
                                                       said)) break;
        snprintf(line, sizeof line, "best explanation: encoder.layer.%d.attention.self.%s: dropout is on in the "
                 "attention, %.0f %% of the probabilities are dropped: call model.eval()", from_layer, of_probs ? "probs" :
                     "context",
                 100 * m.value);
        check(strstr(said, line) != NULL, "%s, %d: %s: %s", s->what, batch.B, line, said);
    }
    from_layer = 0;
    close_model();
}

/* The same, and what is left has errors that only small probabilities notice. */
static void dropped_and_rounded(Trial *t)
{
    real *p = t->a.block[t->layer].probs;
    dropped_probs(t);
    for (size_t i = 0; i < t->a.score_start[t->a.batch.B]; i++)
        if (p[i] != 0) p[i] = (real)(rint((double)p[i] * 4096) / 4096 + 1.0 / 8192);
}

/* Two tokens have the same values in head 0: for that head no equations can be solved, for the others they can. */
static void equal_values(Trial *t)
{
    real *value = t->a.block[t->layer].value;
    ordinary_step(t, TRACE_VALUE);
    for (int b = 0; b < t->a.batch.B; b++) {
        real *row = value + (t->a.start[b] + 4) * H;
        memcpy(row, row + H, 8 * sizeof *row);
    }
}

static bool plant_equal_values(Trial *t)
{
    t->instead[TRACE_VALUE] = equal_values;
    t->instead[TRACE_CONTEXT] = dropped_context;
    return true;
}

static void dropout_is_told_by_what_can_be_told(void)
{
    if (!open_model()) return;
    for (int k = 0; k < 8; k++) {
        const Shape *s = &kinds[1 + k % 2];
        const Batch batch = batch_of(s, 1 + k / 2 % 2);
        const Mistake probs = {.name = "rounded", .value = 0.3, .row = TRACE_PROBS, .instead = dropped_and_rounded};
        const Mistake values = {.name = "equal values", .value = 0.3, .plant = plant_equal_values};
        if (!write_planted(k < 4 ? &probs : &values, NULL, &batch)) break;
        check(verify_it(k >= 4) == BERT_DIFFERENT && strstr(said, "dropout is on in the attention, 30 % of"),
              "%s, %d: %s",
              s->what, batch.B, said);
    }
    close_model();
}

/* So many of the probabilities that are large enough to tell are dropped, and the others are as large as that share
 * wants; how many there are. */
static size_t dropped, enough;

static void dropped_so_many(Trial *t)
{
    real *p = t->a.block[t->layer].probs;
    const size_t count = t->a.score_start[t->a.batch.B];
    size_t large = 0;
    ordinary_step(t, TRACE_PROBS);
    for (size_t i = 0; i < count; i++) large += (double)p[i] >= 0.01;
    if (t->layer == 0) enough = large;                                  /* the first block is the one that is judged */
    for (size_t i = 0, n = 0; i < count; i++) {
        const bool drops = (double)p[i] >= 0.01 && n++ * 37 % large < dropped;
        p[i] = drops ? 0 : (real)((double)p[i] / (1 - t->value));
    }
}

/* A share is named where at least forty probabilities tell, and as many are dropped as chance makes of it: at most four
 * standard deviations and a fiftieth from it. None, or all, is no dropout. */
static void as_many_are_dropped_as_the_share_says(void)
{
    static const Shape shapes[] = {{"3", 3, {{0}}, {{1, 1, 1}}}, {"4", 4, {{0}}, {{1, 1, 1, 1}}},
                                   {"7", 7, {{0}}, {{1, 1, 1, 1, 1, 1, 1}}}};
    static const double shares[] = {0.1, 0.3, 0.7};
    size_t told = 0, untold = 0;
    if (too_slow() || !open_model()) return;
    for (int k = 0; k < 9; k++) {
        const Batch batch = batch_of(&shapes[k / 3], 1);
        const Mistake m = {.name = "so many", .value = shares[k % 3], .row = TRACE_PROBS, .instead = dropped_so_many};
        enough = 1;
        for (dropped = 0; dropped <= enough; dropped += enough > 60 ? 4 : 2) {
            if (!write_planted(&m, NULL, &batch) || !check(verify_it(false) == BERT_DIFFERENT, "%s", said)) break;
            const double n = (double)enough, found = (double)dropped / n;
            const double spread = 4 * sqrt(m.value * (1 - m.value) / n) + 0.02;
            const bool is_one = enough >= 40 && dropped > 0 && dropped < enough && fabs(found - m.value) <= spread;
            check((strstr(said, "dropout is on in the attention") != NULL) == is_one, "%zu of %zu, share %g: %d: %s",
                  dropped,
                  enough, m.value, is_one, said);
            told += is_one, untold += !is_one;
        }
    }
    check(told > 20 && untold > 20, "%zu are told, %zu not", told, untold);
    close_model();
}

/* As many tokens as a head has features can just be solved for. */
static void a_context_of_as_many_tokens_as_features_is_solved(void)
{
    static const Shape shapes[] = {{"8", 8, {{0}}, {{1, 1, 1, 1, 1, 1, 1, 1}}},
                                   {"9", 9, {{0}}, {{1, 1, 1, 1, 1, 1, 1, 1, 1}}}};
    if (!open_model()) return;
    for (int k = 0; k < 2; k++) {
        const Batch batch = batch_of(&shapes[k], 1);
        const Mistake m = {.name = "dropout", .value = 0.25, .row = TRACE_CONTEXT, .instead = dropped_context};
        if (!write_planted(&m, NULL, &batch)) break;
        check(verify_it(false) == BERT_DIFFERENT, "it differs: %s", said);
        check((strstr(said, "dropout is on in the attention, 25 %") != NULL) == (k == 0), "%d: %s", k, said);
    }
    close_model();
}

/* Keys that no mask of BERT's hides, in the last sequence alone. */
static void some_keys_hidden(Trial *t)
{
    const size_t b = (size_t)t->a.batch.B - 1, T = (size_t)t->a.batch.T[b];
    real *scores = t->a.block[t->layer].scores + t->a.score_start[b];
    ordinary_step(t, TRACE_SCORES);
    for (size_t i = 0; i < 3 * T * T; i++)
        if (i % T != i / T % T && (i % T + i / T % T) % 4 == 3) scores[i] = -1e9f;
}

/* The rows of two real tokens of the last sequence are 0; another one is so but for a number. */
static void empty_context(Trial *t)
{
    const size_t first = t->a.start[t->a.batch.B - 1];
    real *context = t->a.block[t->layer].context;
    ordinary_step(t, TRACE_CONTEXT);
    memset(context + (first + 4) * H, 0, 2 * H * sizeof *context);
    memset(context + (first + 3) * H, 0, (H - 1) * sizeof *context);
    memset(context + first * H, 0, 2 * H * sizeof *context);            /* padding, if it is on the left */
}

static void hidden_keys_and_empty_rows_are_counted(void)
{
    char line[200];
    if (!open_model()) return;
    for (int k = 0; k < 2 * 2 * 3; k++) {
        const Shape *s = &kinds[1 + k % 2];
        const int B = 1 + k / 2 % 2, T = s->T;
        const Batch batch = batch_of(s, B);
        const int32_t *seen = s->mask[B - 1];
        int hidden = 0, all = 0, query = -1, key = -1;
        from_layer = k / 4;
        for (int b = 0; b < B; b++)
            for (int i = 0; i < T * T; i++) {
                if (!s->mask[b][i / T] || !s->mask[b][i % T]) continue;
                all += 3;
                if (b < B - 1 || i % T == i / T || (i % T + i / T) % 4 != 3) continue;
                if (!hidden) query = i / T, key = i % T;
                hidden += 3;
            }
        const Mistake keys = {.name = "keys", .row = TRACE_SCORES, .instead = some_keys_hidden};
        snprintf(line, sizeof line, "\n%d of %d keys of real tokens are hidden, the first: %shead 0 query %d key %d. "
                 "Is there", hidden, all, B > 1 ? "input 1 " : "", query, key);
        if (!write_planted(&keys, NULL, &batch)) break;
        check(verify_it(false) == BERT_DIFFERENT && strstr(said, line), "%s, %d:%s: %s", s->what, B, line, said);
        const Mistake rows_ = {.name = "rows", .row = TRACE_CONTEXT, .instead = empty_context};
        const int empty = 2 + seen[0] + seen[1];
        snprintf(line, sizeof line, "\n%d real tokens have a context of zeros: no key is seen there", empty);
        if (!write_planted(&rows_, NULL, &batch)) break;
        check(verify_it(false) == BERT_DIFFERENT && strstr(said, line), "%s, %d:%s: %s", s->what, B, line, said);
    }
    from_layer = 0;
    close_model();
}

/* The traces of a batch and of its sequence b alone: the same bits. */
static void check_alone(const Trial *both, const Trial *alone, size_t b, const char *what)
{
    TraceTensor *x = NULL, *y = NULL;
    size_t count = 0, same = 0, n;
    Error e = {0};
    bool ok = trace_list(&model, &both->a, &x, &count, &e) == BERT_OK && trace_list(&model, &alone->a, &y, &n,
                                                                                    &e) == BERT_OK;
    for (size_t i = 0; check(ok && n == count, "two lists: %s", e.message) && i < count; i++) {
        size_t numbers = 1;
        for (int k = 0; k < x[i].rank; k++) numbers *= x[i].shape[k];
        same += check(!memcmp(x[i].data + b * numbers, y[i].data, numbers * sizeof(real)), "%s: %s of sequence %zu",
                      what,
                      x[i].name, b);
    }
    check(same == count && count > 40, "%s: %zu of %zu tensors are the same", what, same, count);
    free(x), free(y);
}

/* Sequences have nothing to do with each other, whatever the mistake. (A mistake that counts from the beginning of the
 * batch, or from the wrong sequence's, would be found by verify all the same, since both would have it.) */
static void a_mistake_makes_of_a_sequence_what_it_makes_of_it_alone(void)
{
    if (!open_model()) return;
    for (size_t i = 0; i < 3 * mistakes_count; i++)
        for (int k = 0; k < KINDS && mistakes[i / 3].where == IN_MODEL; k++) {
            Trial both, alone;
            bool planted;
            char what[120];
            const Batch batch = batch_of(&kinds[k], 2);
            set_kind(i % 3 == 2, i % 3 == 1 ? HEAD_TOKENS : HEAD_SEQUENCE);
            snprintf(what, sizeof what, "%s, %s", mistakes[i / 3].name, kinds[k].what);
            if (!plant_and_run(&both, &mistakes[i / 3], NULL, &batch, &planted)) break;
            for (int b = 0; b < 2; b++) {
                const int first = b * kinds[k].T;
                const Batch one = {1, lengths, ids + first, types + first, mask + first};
                if (!plant_and_run(&alone, &mistakes[i / 3], NULL, &one, &planted)) break;
                check_alone(&both, &alone, (size_t)b, what);
                trial_free(&alone);
            }
            trial_free(&both);
        }
    close_model();
}

const Test mistake_tests[] = {
    {"a_weak_mask_is_measured", a_weak_mask_is_measured},
    {"dropout_is_told_in_every_block_and_sequence", dropout_is_told_in_every_block_and_sequence},
    {"numbers_that_have_nothing_in_common_are_told", numbers_that_have_nothing_in_common_are_told},
    {"dropout_is_told_by_what_can_be_told", dropout_is_told_by_what_can_be_told},
    {"as_many_are_dropped_as_the_share_says", as_many_are_dropped_as_the_share_says},
    {"a_context_of_as_many_tokens_as_features_is_solved", a_context_of_as_many_tokens_as_features_is_solved},
    {"hidden_keys_and_empty_rows_are_counted", hidden_keys_and_empty_rows_are_counted},
    {"a_mistake_of_a_later_block_is_found_there", a_mistake_of_a_later_block_is_found_there},
    {"every_row_of_the_table_is_found_and_named", every_row_of_the_table_is_found_and_named},
    {"a_mistake_makes_of_a_sequence_what_it_makes_of_it_alone",
     a_mistake_makes_of_a_sequence_what_it_makes_of_it_alone},
    {NULL, NULL},
};
