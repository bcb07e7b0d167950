/* bert.c - BERT itself: configuration, weights, and steps 5 to 16, from token ids to hidden states, heads and vectors.
 *
 * YOU ARE HERE
 *
 *     text --tokenizer.c--> ids --bert.c--> embeddings --> L x (attention, feed-forward) --> pooler / MLM / NSP
 *
 * The arithmetic (linear, softmax, LayerNorm, GELU) is in tensor.c; here is what is computed, in the order of the data:
 *
 *     1. config.json: the seven sizes of a BERT (D = H/A is the eighth)
 *     2. the table of all its tensors, and the weights bound to a Bert by it
 *     3. the memory for the intermediates
 *     4. the steps, one function each: embeddings (5, 6), a block (7 to 13), heads (14, 15), vectors (16)
 *     5. forward: the summary
 *
 * To read the model first, begin with `forward` at the end of the file, then go to EMBEDDING. Nothing here prints,
 * exits, or knows what the results are for. One block, in the paper's words [attn, paper]:
 *
 *     x -+-> Q K V -> softmax(Q K^T / sqrt D) V -> dense --> + --> LayerNorm -> y     (attention: A heads side by side)
 *        |                                                   ^
 *        `---------------------- residual -------------------'
 *
 *     y -+-> dense (H to F) -> GELU -> dense (F to H) -----> + --> LayerNorm -> out   (feed-forward)
 *        |                                                   ^
 *        `---------------------- residual -------------------'
 */
#include "bert.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * config.json: the sizes.
 *
 *     {"model_type": "bert", "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12,
 *      "intermediate_size": 3072, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2,
 *      "hidden_act": "gelu", "layer_norm_eps": 1e-12}
 *
 * These ten keys are the whole difference between BERT-Tiny (4 million parameters) and BERT-Large (335 million): the
 * code below has no other notion of a model's size. Everything else that such a file holds (dropout, initializer_range,
 * the versions of libraries) concerns training or bookkeeping, and is skipped.
 *
 * Differs: document 001 (the word-embedding tutorial, with an encyclopedia's article on BERT) says that there are
 * always H/64 heads and that the feed-forward size is always 4H. That holds for the models that Google released.
 * all-MiniLM-L6-v2 has H/32 heads; so both numbers are read, never derived.
 * ------------------------------------------------------------------------------------------------------------------ */

/* The largest sizes that are believed. No BERT has 16 million pieces or positions, or more than a thousand layers: a
 * file that says so asks for absurd memory or time. With both limits a model has less than 2^61 parameters, so that a
 * 64-bit number can count them. */
enum { MAX_SIZE = 1 << 24, MAX_LAYERS = 1024 };

/* Hugging Face's name of a size, and the paper's letter for it, as the place of an int in BertConfig. */
typedef struct {
    const char *key;
    size_t field;               /* offset of the int */
    int largest;
} ConfigKey;

static const ConfigKey config_keys[] = {
    {"num_hidden_layers", offsetof(BertConfig, L), MAX_LAYERS}, {"hidden_size", offsetof(BertConfig, H), MAX_SIZE},
    {"num_attention_heads", offsetof(BertConfig, A), MAX_SIZE},
    {"intermediate_size", offsetof(BertConfig, F), MAX_SIZE},
    {"vocab_size", offsetof(BertConfig, V), MAX_SIZE}, {"max_position_embeddings", offsetof(BertConfig, P), MAX_SIZE},
    {"type_vocab_size", offsetof(BertConfig, S), MAX_SIZE},
};
enum { CONFIG_KEYS = sizeof config_keys / sizeof *config_keys };

static int *config_size(BertConfig *config, int key)
{
    return (int *)((char *)config + config_keys[key].field);
}

/* The value of a key that is one of the seven sizes: an integer, at least 1. 768.0 is refused, as is "768". */
static Status read_size(JsonReader *j, BertConfig *config, int key, Error *e)
{
    int64_t value;
    Status s = json_integer(j, &value, e);
    if (s) return s;
    if (value < 1 || value > config_keys[key].largest)
        return fail(e, BERT_FILE, "%s: %s is %lld, expected 1 to %d", j->path, config_keys[key].key,
                    (long long)value, config_keys[key].largest);
    *config_size(config, key) = (int)value;
    return BERT_OK;
}

/* hidden_act: which GELU.   Differs: Hugging Face's "gelu" is the one with erf. Google's code, whose bert_config.json
 * also says "gelu", computed erf in 2018 and the tanh approximation since February 2019. The name decides here, as for
 * Hugging Face; --gelu overrides it. */
static Status read_activation(JsonReader *j, BertConfig *config, Error *e)
{
    char name[64];
    Status s = json_string(j, name, sizeof name, e);
    if (s) return s;
    if (!strcmp(name, "gelu")) config->gelu = GELU_ERF;
    else if (!strcmp(name, "gelu_new") || !strcmp(name, "gelu_pytorch_tanh")) config->gelu = GELU_TANH;
    else
        return fail(e, BERT_FILE, "%s: hidden_act is \"%s\", expected \"gelu\" or \"gelu_new\"", j->path, name);
    return BERT_OK;
}

/* A key with one legal value, whose other values mean another architecture.
 *
 * Why so strict: DistilBERT, RoBERTa or ALBERT have tensors of the same shapes, often under the same names. Run as BERT
 * they give vectors that look right and are wrong; a refusal that says why is the better answer. */
static Status expect_text(JsonReader *j, const char *key, const char *expected, const char *why, Error *e)
{
    char text[64];
    Status s = json_string(j, text, sizeof text, e);
    if (s) return s;
    if (strcmp(text, expected))
        return fail(e, BERT_FILE, "%s: %s is \"%s\", expected \"%s\": %s", j->path, key, text, expected, why);
    return BERT_OK;
}

/* layer_norm_eps, the number under LayerNorm's root. Trap: BERT has 1e-12, most later models 1e-5. */
static Status read_eps(JsonReader *j, BertConfig *config, Error *e)
{
    Status s = json_number(j, &config->eps, e);
    if (s) return s;
    if (!(config->eps >= 0 && config->eps <= 1))
        return fail(e, BERT_FILE, "%s: layer_norm_eps is %g, expected 0 to 1", j->path, config->eps);
    return BERT_OK;
}

/* is_decoder: the same weights run with a causal mask, each token blind to those after it. That is not BERT. */
static Status read_decoder_flag(JsonReader *j, Error *e)
{
    bool is_decoder;
    Status s = json_bool(j, &is_decoder, e);
    if (s == BERT_OK && is_decoder)
        return fail(e, BERT_FILE, "%s: is_decoder is true, expected false: a decoder hides later tokens, BERT sees all",
                    j->path);
    return s;
}

/* One member of the configuration; keys that do not change the computation are skipped. */
static Status read_config_value(JsonReader *j, const char *key, BertConfig *config, Error *e)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (!strcmp(key, config_keys[i].key)) return read_size(j, config, i, e);
    if (!strcmp(key, "hidden_act")) return read_activation(j, config, e);
    if (!strcmp(key, "layer_norm_eps")) return read_eps(j, config, e);
    if (!strcmp(key, "is_decoder")) return read_decoder_flag(j, e);
    if (!strcmp(key, "model_type"))
        return expect_text(j, key, "bert", "another architecture, which would give wrong numbers if run as BERT", e);
    if (!strcmp(key, "position_embedding_type"))
        return expect_text(j, key, "absolute", "only BERT's own learned, absolute positions are computed", e);
    return json_skip(j, e);
}

/* The same; a complaint about the JSON ("found 2, expected ...") gets the name of the key. */
static Status read_config_key(JsonReader *j, const char *key, BertConfig *config, Error *e)
{
    Status s = read_config_value(j, key, config, e);
    if (s == BERT_OK || strstr(e->message, key)) return s;
    Error json = *e;
    return fail(e, s, "%.900s, for the key \"%.64s\"", json.message, key);
}

/* What must hold between the sizes, once all of them are known; and the one that is derived, D = H/A. */
static Status config_check(BertConfig *config, const char *path, Error *e)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (*config_size(config, i) == 0)
            return fail(e, BERT_FILE, "%s: the key \"%s\" is missing", path, config_keys[i].key);
    if (config->H % config->A != 0)         /* the heads share the columns of a vector evenly: see step 7 */
        return fail(e, BERT_FILE, "%s: hidden_size is %d, expected a multiple of num_attention_heads %d", path,
                    config->H, config->A);
    config->D = config->H / config->A;
    return BERT_OK;
}

/* Reads the file key by key; see the example of a JsonReader in bert.h. */
Status config_load(BertConfig *config, const char *path, Error *e)
{
    FileView file;
    JsonReader j;
    char key[256];
    bool more = true;
    *config = (BertConfig){.gelu = GELU_ERF, .eps = 1e-12};     /* what a config.json without these keys means */
    Status s = file_open(&file, path, e);
    if (s) return s;
    s = json_open(&j, path, file.data, file.size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
        s = read_config_key(&j, key, config, e);
    if (s == BERT_OK) s = json_end(&j, e);
    if (s == BERT_OK) s = config_check(config, path, e);
    file_close(&file);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The table of tensors: every weight of a BERT in one place.
 *
 * A model file of BERT-Base holds 199 tensors of encoder and pooler (5 of the embeddings, 16 for each of 12 layers, 2
 * of the pooler), and 7 of the two heads (or 5, without the NSP head). Names are paths of Hugging Face's modules; `*`
 * stands for the layer.
 * Older files say gamma and beta for a LayerNorm's weight and bias.
 *
 * Read it as the model's parts list: a row says what the tensor is called elsewhere, what shape it must have (letters
 * of bert.h), and where it goes. Loading, checking, `bert info`, the converter and the tests all walk over these rows:
 * there is one place in which a name or a shape can be wrong.
 *
 * Trap: `cls.predictions.decoder.weight` is usually absent: the MLM decoder is the word embedding matrix used a second
 * time ("tied"), (V,H), once to look a word up and once to score every word of the vocabulary.
 * ------------------------------------------------------------------------------------------------------------------ */

/* Where a row puts its tensor: a field of Bert, or of BertLayer for names with a `*`. */
#define MODEL(field) offsetof(Bert, field)
#define LAYER(field) offsetof(BertLayer, field)

const TensorSpec tensor_table[] = {
    /* name (Hugging Face's, without `bert.`)          older name                              TensorFlow's variable
       group          kind            rows cols optional tied  where it goes */
    {"embeddings.word_embeddings.weight", NULL, "embeddings/word_embeddings",
     GROUP_ENCODER, KIND_EMBEDDING, 'V', 'H', false, NULL, MODEL(word_embeddings)},
    {"embeddings.token_type_embeddings.weight", NULL, "embeddings/token_type_embeddings",
     GROUP_ENCODER, KIND_EMBEDDING, 'S', 'H', false, NULL, MODEL(token_type_embeddings)},
    {"embeddings.position_embeddings.weight", NULL, "embeddings/position_embeddings",
     GROUP_ENCODER, KIND_EMBEDDING, 'P', 'H', false, NULL, MODEL(position_embeddings)},
    {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.gamma", "embeddings/LayerNorm/gamma",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, MODEL(embeddings_gamma)},
    {"embeddings.LayerNorm.bias", "embeddings.LayerNorm.beta", "embeddings/LayerNorm/beta",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, MODEL(embeddings_beta)},

    {"encoder.layer.*.attention.self.query.weight", NULL, "encoder/layer_*/attention/self/query/kernel",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wq)},
    {"encoder.layer.*.attention.self.query.bias", NULL, "encoder/layer_*/attention/self/query/bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bq)},
    {"encoder.layer.*.attention.self.key.weight", NULL, "encoder/layer_*/attention/self/key/kernel",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wk)},
    {"encoder.layer.*.attention.self.key.bias", NULL, "encoder/layer_*/attention/self/key/bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bk)},
    {"encoder.layer.*.attention.self.value.weight", NULL, "encoder/layer_*/attention/self/value/kernel",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wv)},
    {"encoder.layer.*.attention.self.value.bias", NULL, "encoder/layer_*/attention/self/value/bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bv)},
    {"encoder.layer.*.attention.output.dense.weight", NULL, "encoder/layer_*/attention/output/dense/kernel",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wo)},
    {"encoder.layer.*.attention.output.dense.bias", NULL, "encoder/layer_*/attention/output/dense/bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bo)},
    {"encoder.layer.*.attention.output.LayerNorm.weight", "encoder.layer.*.attention.output.LayerNorm.gamma",
     "encoder/layer_*/attention/output/LayerNorm/gamma",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(attention_gamma)},
    {"encoder.layer.*.attention.output.LayerNorm.bias", "encoder.layer.*.attention.output.LayerNorm.beta",
     "encoder/layer_*/attention/output/LayerNorm/beta",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(attention_beta)},
    {"encoder.layer.*.intermediate.dense.weight", NULL, "encoder/layer_*/intermediate/dense/kernel",
     GROUP_ENCODER, KIND_MATRIX, 'F', 'H', false, NULL, LAYER(W1)},
    {"encoder.layer.*.intermediate.dense.bias", NULL, "encoder/layer_*/intermediate/dense/bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'F', false, NULL, LAYER(b1)},
    {"encoder.layer.*.output.dense.weight", NULL, "encoder/layer_*/output/dense/kernel",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'F', false, NULL, LAYER(W2)},
    {"encoder.layer.*.output.dense.bias", NULL, "encoder/layer_*/output/dense/bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(b2)},
    {"encoder.layer.*.output.LayerNorm.weight", "encoder.layer.*.output.LayerNorm.gamma",
     "encoder/layer_*/output/LayerNorm/gamma",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(output_gamma)},
    {"encoder.layer.*.output.LayerNorm.bias", "encoder.layer.*.output.LayerNorm.beta",
     "encoder/layer_*/output/LayerNorm/beta",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(output_beta)},

    {"pooler.dense.weight", NULL, "pooler/dense/kernel",
     GROUP_POOLER, KIND_MATRIX, 'H', 'H', false, NULL, MODEL(Wpool)},
    {"pooler.dense.bias", NULL, "pooler/dense/bias",
     GROUP_POOLER, KIND_BIAS, 0, 'H', false, NULL, MODEL(bpool)},

    {"cls.predictions.transform.dense.weight", NULL, "cls/predictions/transform/dense/kernel",
     GROUP_MLM, KIND_MATRIX, 'H', 'H', false, NULL, MODEL(Wtransform)},
    {"cls.predictions.transform.dense.bias", NULL, "cls/predictions/transform/dense/bias",
     GROUP_MLM, KIND_BIAS, 0, 'H', false, NULL, MODEL(btransform)},
    {"cls.predictions.transform.LayerNorm.weight", "cls.predictions.transform.LayerNorm.gamma",
     "cls/predictions/transform/LayerNorm/gamma",
     GROUP_MLM, KIND_NORM, 0, 'H', false, NULL, MODEL(transform_gamma)},
    {"cls.predictions.transform.LayerNorm.bias", "cls.predictions.transform.LayerNorm.beta",
     "cls/predictions/transform/LayerNorm/beta",
     GROUP_MLM, KIND_NORM, 0, 'H', false, NULL, MODEL(transform_beta)},
    {"cls.predictions.decoder.weight", NULL, NULL,
     GROUP_MLM, KIND_EMBEDDING, 'V', 'H', true, "embeddings.word_embeddings.weight", MODEL(decoder)},
    {"cls.predictions.bias", "cls.predictions.decoder.bias", "cls/predictions/output_bias",
     GROUP_MLM, KIND_BIAS, 0, 'V', false, NULL, MODEL(decoder_bias)},

    /* Trap: TensorFlow stores this one as (2,H), unlike its kernels: KIND_EMBEDDING, that is, not transposed. */
    {"cls.seq_relationship.weight", NULL, "cls/seq_relationship/output_weights",
     GROUP_NSP, KIND_EMBEDDING, '2', 'H', false, NULL, MODEL(Wnsp)},
    {"cls.seq_relationship.bias", NULL, "cls/seq_relationship/output_bias",
     GROUP_NSP, KIND_BIAS, 0, '2', false, NULL, MODEL(bnsp)},
};
const size_t tensor_table_size = sizeof tensor_table / sizeof *tensor_table;

bool spec_per_layer(const TensorSpec *spec)
{
    return strchr(spec->name, '*') != NULL;
}

/* "encoder.layer.*.output.dense.bias", 3 -> "encoder.layer.3.output.dense.bias" */
void spec_name(const char *pattern, int layer, char *name, size_t capacity)
{
    const char *star = strchr(pattern, '*');
    if (star) snprintf(name, capacity, "%.*s%d%s", (int)(star - pattern), pattern, layer, star + 1);
    else snprintf(name, capacity, "%s", pattern);
}

/* The number behind a letter of the table, for this model. */
static size_t symbol_size(char symbol, const BertConfig *c)
{
    switch (symbol) {
    case 'H': return (size_t)c->H;
    case 'F': return (size_t)c->F;
    case 'V': return (size_t)c->V;
    case 'P': return (size_t)c->P;
    case 'S': return (size_t)c->S;
    case '2': return 2;
    default: return 1;
    }
}

/* 'F','H' -> 3072 rows, 768 columns. A vector has one row. */
size_t spec_rows(const TensorSpec *spec, const BertConfig *config)
{
    return symbol_size(spec->rows, config);
}

size_t spec_cols(const TensorSpec *spec, const BertConfig *config)
{
    return symbol_size(spec->cols, config);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Weights: found by name, checked against the configuration, used where the file has them.
 *
 * Loading 440 MB takes no time, because nothing is read: the file is mapped into memory, and a weight is a pointer into
 * the mapping. The system fetches a page when a step first touches it, and several processes share one copy. Two kinds
 * of tensors are copied nevertheless: vectors (biases, LayerNorms: 0.1 % of the model) in half precision or for bert64,
 * and float32 tensors that the file has at an address at which a float cannot be read.
 * ------------------------------------------------------------------------------------------------------------------ */

const SafeTensor *spec_find(const TensorSpec *spec, int layer, const Safetensors *file)
{
    const char *patterns[] = {spec->name, spec->alias};
    for (int i = 0; i < 2 && patterns[i]; i++) {
        char name[160] = "bert.";
        spec_name(patterns[i], layer, name + 5, sizeof name - 5);
        const SafeTensor *t = safetensors_find(file, name);
        if (!t) t = safetensors_find(file, name + 5);
        if (t) return t;
    }
    return NULL;
}

/* A tensor's dtype and shape against the table. Trap: a kernel that was not transposed has the shape (in, out); where
 * in = out no shape can tell, and only the numbers will. */
static Status check_tensor(const Bert *m, const TensorSpec *spec, const SafeTensor *t, Error *e)
{
    size_t rows = spec_rows(spec, &m->config), cols = spec_cols(spec, &m->config);
    int rank = spec->rows ? 2 : 1;
    if (t->dtype != DTYPE_F32 && t->dtype != DTYPE_F16 && t->dtype != DTYPE_BF16)
        return fail(e, BERT_FILE, "%s: tensor '%s' has dtype %s, expected F32, F16 or BF16", m->file.file.path, t->name,
                    dtype_name(t->dtype));
    bool fits = t->rank == rank && t->shape[rank - 1] == cols && (rank == 1 || t->shape[0] == rows);
    if (fits) return BERT_OK;
    char found[128] = "";
    for (int i = 0; i < t->rank; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%zu", i ? "," : "", t->shape[i]);
    char expected[64];
    if (rank == 1) snprintf(expected, sizeof expected, "%zu", cols);
    else snprintf(expected, sizeof expected, "%zu,%zu", rows, cols);
    return fail(e, BERT_FILE, "%s: tensor '%s' has shape (%s), config.json makes it (%s)", m->file.file.path, t->name,
                found, expected);
}

/* Memory that belongs to the model: `size` bytes, or NULL. */
static void *own(Bert *m, size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (memory) m->owned[m->owned_count++] = memory;
    return memory;
}

/* Whether the file's bytes can be used as they stand: a matrix by tensor_rows, which reads halves from any address and
 * floats from aligned ones; a vector as an array of real. Trap: the format does not promise alignment. */
static bool usable_in_place(const SafeTensor *t, bool matrix)
{
    bool aligned = (uintptr_t)t->data % sizeof(float) == 0;
    if (matrix) return t->dtype != DTYPE_F32 || aligned;
    return t->dtype == DTYPE_F32 && sizeof(real) == sizeof(float) && aligned;
}

/* Puts a checked tensor into its field of `base`, a Bert or a BertLayer: matrices as they are (tensor_rows converts
 * them when they are used), vectors as reals. */
static Status bind_tensor(Bert *m, const TensorSpec *spec, void *base, const SafeTensor *t, Error *e)
{
    void *field = (char *)base + spec->field;
    Tensor view = {t->data, t->dtype, spec_rows(spec, &m->config), spec_cols(spec, &m->config)};
    if (!usable_in_place(t, spec->rows)) {
        size_t width = spec->rows ? sizeof(float) : sizeof(real);
        void *copy = own(m, t->count * width);
        if (!copy) return fail(e, BERT_SYSTEM, "%s: out of memory for tensor '%s'", m->file.file.path, t->name);
        if (spec->rows) memcpy(copy, t->data, t->count * width);
        else for (size_t i = 0; i < t->count; i++) ((real *)copy)[i] = (real)tensor_element(t, i);
        view.data = copy;
    }
    if (spec->rows) *(Tensor *)field = view;
    else *(const real **)field = view.data;
    return BERT_OK;
}

/* What was found of a group (encoder, pooler, MLM, NSP): how many tensors, and the names of those that are missing. */
typedef struct {
    int found, missing;
    char names[512];
} GroupTally;

/* Counts a missing tensor and notes its name, as far as there is room: "a, b, c ..." */
static void tally_missing(GroupTally *tally, const char *name)
{
    size_t used = strlen(tally->names), room = sizeof tally->names - used;
    if (strlen(name) + 8 < room) snprintf(tally->names + used, room, "%s%s", tally->missing ? ", " : "", name);
    else if (used < 4 || strcmp(tally->names + used - 4, " ...")) snprintf(tally->names + used, room, " ...");
    tally->missing++;
}

/* Binds every row of the table, for every layer where it has one, and counts what was found of each group.
 * Tensors of the file that no row names (an old `position_ids`, another task's head) are left alone. */
static Status bind_all(Bert *m, GroupTally tally[], Error *e)
{
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++) {
        int count = spec_per_layer(spec) ? m->config.L : 1;
        for (int l = 0; l < count; l++) {
            void *base = spec_per_layer(spec) ? (void *)&m->layers[l] : (void *)m;
            const SafeTensor *t = spec_find(spec, l, &m->file);
            Status s = t ? check_tensor(m, spec, t, e) : BERT_OK;
            if (t && s == BERT_OK) s = bind_tensor(m, spec, base, t, e);
            if (s) return s;
            char name[160];
            spec_name(spec->name, l, name, sizeof name);
            if (t && !spec->optional) tally[spec->group].found++;
            if (!t && !spec->optional) tally_missing(&tally[spec->group], name);
        }
    }
    return BERT_OK;
}

/* The encoder must be complete; each head must be there as a whole or not at all. */
static Status check_groups(Bert *m, const GroupTally tally[], Error *e)
{
    static const char *const names[] = {"encoder", "pooler", "MLM head", "NSP head"};
    bool *const has[] = {NULL, &m->has_pooler, &m->has_mlm, &m->has_nsp};
    for (int g = GROUP_ENCODER; g <= GROUP_NSP; g++) {
        bool complete = tally[g].missing == 0, absent = tally[g].found == 0 && g != GROUP_ENCODER;
        if (!complete && !absent)
            return fail(e, BERT_FILE, "%s: %d of the %s's tensors are missing: %s", m->file.file.path,
                        tally[g].missing, names[g], tally[g].names);
        if (has[g]) *has[g] = complete;
    }
    if (!m->decoder.data) m->decoder = m->word_embeddings;      /* tied */
    return BERT_OK;
}

/* One name in the model directory: if it is a weight file, its path goes to *best; a second one is an error, for which
 * of two files is meant cannot be guessed. */
static Status compare_names(char **best, const char *directory, const char *name, Error *e)
{
    static const char suffix[] = ".safetensors";
    size_t length = strlen(name), end = sizeof suffix - 1;
    if (length <= end || strcmp(name + length - end, suffix) || name[0] == '.') return BERT_OK;
    if (*best)
        return fail(e, BERT_FILE, "%s: holds %s and %s, expected one *.safetensors", directory,
                    strrchr(*best, '/') + 1, name);
    size_t size = strlen(directory) + length + 2;
    *best = malloc(size);
    if (!*best) return fail(e, BERT_SYSTEM, "%s: out of memory", directory);
    snprintf(*best, size, "%s/%s", directory, name);
    return BERT_OK;
}

/* A directory that cannot be read, by the system's reason. Trap: "no such directory" for one that is there but may not
 * be read sends its owner on a search. */
static Status directory_fail(const char *directory, int reason, Error *e)
{
    if (reason == ENOENT || reason == ENOTDIR)
        return fail(e, BERT_FILE, "%s: no such model directory; `make weights` fetches one", directory);
    return fail(e, reason == ENOMEM ? BERT_SYSTEM : BERT_FILE, "%s: the model directory cannot be read: %s", directory,
                strerror(reason));
}

Status model_file_if_any(char **path, const char *directory, Error *e)
{
    DIR *d = opendir(directory);
    Status s = BERT_OK;
    *path = NULL;
    if (!d) return directory_fail(directory, errno, e);
    while (s == BERT_OK) {
        errno = 0;                                      /* readdir's NULL is the end, or an error */
        struct dirent *entry = readdir(d);
        if (!entry && errno) s = directory_fail(directory, errno, e);
        if (!entry) break;
        s = compare_names(path, directory, entry->d_name, e);
    }
    closedir(d);
    if (s) free(*path), *path = NULL;
    return s;
}

Status model_file(char **path, const char *directory, Error *e)
{
    Status s = model_file_if_any(path, directory, e);
    if (s || *path) return s;
    return fail(e, BERT_FILE, "%s: holds no *.safetensors; `make weights` fetches bert-base-uncased", directory);
}

/* Opens the weight file and binds all of it. What was allocated is freed by bert_free, on success and on error. */
static Status load_tensors(Bert *m, const char *path, Error *e)
{
    GroupTally tally[GROUP_TASK] = {{0}};
    Status s = safetensors_open(&m->file, path, e);
    if (s) return s;
    m->layers = calloc((size_t)m->config.L, sizeof *m->layers);
    m->owned = calloc((size_t)m->config.L * tensor_table_size + tensor_table_size, sizeof *m->owned);
    if (!m->layers || !m->owned) return fail(e, BERT_SYSTEM, "%s: out of memory", path);
    s = bind_all(m, tally, e);
    return s ? s : check_groups(m, tally, e);
}

/* The two files of a model: how large it is, and its numbers. (The third, vocab.txt, is the tokenizer's.) */
Status bert_load(Bert *m, const char *directory, Error *e)
{
    char *weights = NULL, config[4096];
    memset(m, 0, sizeof *m);
    if ((size_t)snprintf(config, sizeof config, "%s/config.json", directory) >= sizeof config)
        return fail(e, BERT_FILE, "%.100s...: the path is too long", directory);
    Status s = model_file(&weights, directory, e);
    if (s == BERT_OK) s = config_load(&m->config, config, e);
    if (s == BERT_OK) s = load_tensors(m, weights, e);
    if (s) bert_free(m);
    free(weights);
    return s;
}

void bert_free(Bert *m)
{
    for (size_t i = 0; i < m->owned_count; i++) free(m->owned[i]);
    free(m->owned);
    free(m->layers);
    safetensors_close(&m->file);
    memset(m, 0, sizeof *m);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Memory for the intermediates: one allocation, laid out by one function that runs twice, first to measure.
 *
 * A step never allocates. It reads and writes named arrays of an Activations, and what the request does not keep shares
 * memory with what came before:
 *
 *     KEEP_NOTHING      all blocks use the first one's arrays, all heads of all sequences one map, and the hidden state
 *                       is overwritten block by block
 *     KEEP_HIDDEN       each block has its own output_norm: the L+1 hidden states
 *     KEEP_ATTENTION    each block has its own probs: L x A attention maps
 *     KEEP_EVERYTHING   each name of each block has memory of its own: what a trace needs
 *
 * For 22 tokens of BERT-Base that is 1.8 MB without keeping anything, and 15 MB with everything. Only head_map (steps 8
 * to 10), 12 and 13 ask which it is; the bits are the same. Where two names share memory, a step works in place (GELU,
 * softmax, the residual), which add, layer_norm, softmax and the curves of tensor.c allow.
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    real *base;                 /* NULL while measuring */
    size_t used;                /* reals */
    bool overflow;
} Arena;

/* The next rows*cols reals, aligned to 64 bytes; NULL while measuring. */
static real *take(Arena *arena, size_t rows, size_t cols)
{
    size_t count, end, begin = arena->used;
    if (!size_mul(rows, cols, &count) || !size_add(begin, count, &end) || !size_add(end, 15, &end))
        arena->overflow = true;
    else
        arena->used = end / 16 * 16;
    return arena->base ? arena->base + begin : NULL;
}

/* One block's intermediates: memory of its own for what is kept. The first block (b == first) owns what all share; the
 * others begin as a copy of its pointers. */
static void layout_block(BlockActivations *b, const BlockActivations *first, Activations *a, const BertConfig *c,
                         size_t longest, Arena *arena)
{
    size_t N = (size_t)a->N, H = (size_t)c->H, F = (size_t)c->F, scores = a->score_start[a->batch.B];
    bool all = a->request.keep == KEEP_EVERYTHING, own_all = all || b == first;
    if (!own_all) *b = *first;
    if (own_all) {
        b->query = take(arena, N, H), b->key = take(arena, N, H), b->value = take(arena, N, H);
        b->context = take(arena, N, H);
        b->attention_norm = take(arena, N, H);
        b->intermediate_dense = take(arena, all ? N : scratch_rows(N), F);      /* packed unless kept */
        b->intermediate = all ? take(arena, N, F) : b->intermediate_dense;      /* GELU in place */
        b->attention_dense = all ? take(arena, N, H) : a->sum;             /* the residual is added in place */
        b->output_dense = all ? take(arena, N, H) : a->sum;
    }
    if (a->request.keep & KEEP_ATTENTION) b->probs = take(arena, 1, scores);
    else if (own_all) b->probs = take(arena, longest, longest);                 /* head by head in the same place */
    b->scores = all ? take(arena, 1, scores) : b->probs;                        /* softmax in place */
    /* In place unless kept: a block's input is last read in step 11, before step 13 writes its output over it. */
    b->output_norm = (a->request.keep & KEEP_HIDDEN) ? take(arena, N, H) : a->embedding_norm;
}

/* The heads' arrays: B rows for the pooler and NSP, M rows for the MLM head, none for what is not asked for.
 * (M,V) is the largest of all: 30,522 logits for each row, 2.7 MB for 22 tokens. */
static void layout_heads(Activations *a, const BertConfig *c, Arena *arena)
{
    size_t B = a->request.pooler || a->request.nsp ? (size_t)a->batch.B : 0;
    size_t M = (size_t)a->request.M, H = (size_t)c->H;
    a->first_token = take(arena, B, H);
    a->pooler_dense = take(arena, B, H);
    a->pooler = take(arena, B, H);
    a->nsp_logits = take(arena, B, 2);
    a->masked = take(arena, M, H);
    a->transform_dense = take(arena, M, H);
    a->transform_act = take(arena, M, H);
    a->transform_norm = take(arena, M, H);
    a->logits = take(arena, M, (size_t)c->V);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Everything, embeddings first. */
static void layout(Activations *a, const BertConfig *c, Arena *arena)
{
    size_t N = (size_t)a->N, H = (size_t)c->H, longest = 0;
    for (int b = 0; b < a->batch.B; b++) longest = larger(longest, (size_t)a->batch.T[b]);
    a->word = take(arena, N, H), a->token_type = take(arena, N, H), a->position = take(arena, N, H);
    a->embedding_norm = take(arena, N, H), a->sum = take(arena, N, H);
    for (int l = 0; l < c->L; l++) layout_block(&a->block[l], a->block, a, c, longest, arena);
    layout_heads(a, c, arena);
    size_t F = (size_t)c->F, rows = larger(larger(N, (size_t)a->request.M), (size_t)a->batch.B);
    size_t width = a->request.keep == KEEP_EVERYTHING ? larger(H, F) : H;
    /* For N, B or M rows of H numbers, or F if all is kept; in attention, T keys of D numbers, D columns of T values. */
    a->scratch.packed = take(arena, scratch_rows(larger(rows, (size_t)c->D)), larger(width, longest));
    a->scratch.rows = take(arena, ROW_GROUP, larger(H, F));
}

/* Where each sequence begins among the packed tokens, and among the scores: (A,T,T) for each sequence. */
static bool lay_out_sequences(Activations *a, const BertConfig *c)
{
    size_t B = (size_t)a->batch.B, tokens = 0, scores = 0;
    a->start = calloc(B + 1, sizeof *a->start);
    a->score_start = calloc(B + 1, sizeof *a->score_start);
    a->block = calloc((size_t)c->L, sizeof *a->block);
    if (!a->start || !a->score_start || !a->block) return false;
    for (size_t b = 0; b < B; b++) {
        size_t T = (size_t)a->batch.T[b], square;
        if (!size_mul(T, T, &square) || !size_mul(square, (size_t)c->A, &square)) return false;
        if (!size_add(scores, square, &scores) || (tokens += T) > INT_MAX) return false;
        a->start[b + 1] = tokens;
        a->score_start[b + 1] = scores;
    }
    a->N = (int)tokens;
    return true;
}

/* Measures, allocates, lays out. The batch is not copied: its arrays must live as long as the activations do. */
Status activations_new(Activations *a, const Bert *m, const Batch *batch, const Request *request, Error *e)
{
    Arena arena = {0};
    size_t bytes;
    memset(a, 0, sizeof *a);
    a->batch = *batch;
    a->request = *request;
    bool ok = lay_out_sequences(a, &m->config);
    if (ok) layout(a, &m->config, &arena);
    ok = ok && !arena.overflow && size_mul(arena.used, sizeof(real), &bytes) && size_add(bytes, 64, &bytes);
    if (ok && (a->memory = malloc(bytes)) != NULL) {
        wish_large_pages(a->memory, bytes);
        arena = (Arena){.base = (real *)(((uintptr_t)a->memory + 63) / 64 * 64)};
        layout(a, &m->config, &arena);
        return BERT_OK;
    }
    activations_free(a);
    return fail(e, BERT_SYSTEM, "out of memory for the intermediates of %d sequences", batch->B);
}

void activations_free(Activations *a)
{
    free(a->memory);
    free(a->start);
    free(a->score_start);
    free(a->block);
    memset(a, 0, sizeof *a);
}

/* Every index that will be used as one: ids below V, types below S, masks 0 or 1, lengths 1 to P. */
Status batch_check(const Batch *batch, const BertConfig *c, Error *e)
{
    size_t n = 0;
    for (int b = 0; b < batch->B; b++) {
        int T = batch->T[b];
        if (T < 1 || T > c->P)
            return fail(e, BERT_TEXT, "%d tokens, expected 1 to %d: the model has no more positions", T, c->P);
        for (int t = 0; t < T; t++, n++) {
            long id = batch->input_ids[n], type = batch->token_type_ids[n], mask = batch->attention_mask[n];
            if (id < 0 || id >= c->V)
                return fail(e, BERT_TEXT, "token %d has id %ld, expected 0 to %d", t, id, c->V - 1);
            if (type < 0 || type >= c->S)
                return fail(e, BERT_TEXT, "token %d has token type %ld, expected 0 to %d", t, type, c->S - 1);
            if (mask != 0 && mask != 1)
                return fail(e, BERT_TEXT, "token %d has attention mask %ld, expected 0 or 1", t, mask);
        }
    }
    return BERT_OK;
}

/* Hidden state l, (N,H): 0 is the embedding output, l the output of the l-th block; L + 1 of them in all. Without
 * KEEP_HIDDEN all are one place, where the last block that ran left its output. */
const real *hidden_state(const Activations *a, int l)
{
    return l == 0 ? a->embedding_norm : a->block[l - 1].output_norm;
}

/* =====================================================================================================================
 * EMBEDDING
 * ================================================================================================================== */

/* STEP 5 - three embeddings summed: what the token is, which segment it is in, where it stands.
 *
 *     word (N,H) <- row input_id of (V,H)   token_type (N,H) <- row 0 or 1 of (S,H)   position (N,H) <- row t of (P,H)
 *
 * Source: [paper] figure 2; [hf] BertEmbeddings; [tf] embedding_lookup, embedding_postprocessor.
 * Differs: document 001 says that positions are sinusoids. That is [attn]; BERT learns the table, as its paper says.
 * Trap: positions count from 0 in every sequence, padding included; so left padding shifts the words and changes the
 * result, even with a perfect mask. Trap: a single sentence is segment 0 in pre-training, not 1 as in document 001.
 * Verify: embeddings.word_embeddings, .token_type_embeddings, .position_embeddings */
void embeddings_sum(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H, bytes = H * sizeof(real);
    for (int b = 0; b < a->batch.B; b++)
        for (size_t n = a->start[b]; n < a->start[b + 1]; n++) {
            size_t id = (size_t)a->batch.input_ids[n], type = (size_t)a->batch.token_type_ids[n], t = n - a->start[b];
            memcpy(a->word + n * H, tensor_rows(&m->word_embeddings, id, 1, a->scratch.rows), bytes);
            memcpy(a->token_type + n * H, tensor_rows(&m->token_type_embeddings, type, 1, a->scratch.rows), bytes);
            memcpy(a->position + n * H, tensor_rows(&m->position_embeddings, t, 1, a->scratch.rows), bytes);
        }
    size_t n = (size_t)a->N * H;
    add(a->sum, a->word, a->token_type, n);        /* the order of [hf] and [tf]: (word + type) + position */
    add(a->sum, a->sum, a->position, n);
}

/* STEP 6 - LayerNorm of the sum: hidden state 0, (N,H), the input of the first block.
 *
 * Source: [hf] BertEmbeddings.LayerNorm; [tf] layer_norm_and_dropout. [paper] does not mention it.
 * Trap: forget it and every number after it is wrong, yet the vectors still look alive. (Dropout, here and later, only
 * exists in training.)
 * Verify: embeddings.LayerNorm. The three "bank"s of the bank sentence differ here by their position alone. */
void embeddings_norm(const Bert *m, Activations *a)
{
    layer_norm(a->embedding_norm, a->sum, m->embeddings_gamma, m->embeddings_beta, (real)m->config.eps,
               (size_t)a->N, (size_t)m->config.H);
}

/* =====================================================================================================================
 * ENCODER: one block, steps 7 to 13. Its input x is hidden state l, its output hidden state l+1, both (N,H).
 * ================================================================================================================== */

/* STEP 7 - query, key, value: three linear views of each token.
 *
 *     q = x Wq^T + bq    k = x Wk^T + bk    v = x Wv^T + bv            (N,H) <- (N,H), W (H,H), b (H)
 *
 * The query says what a token looks for, the key what it offers, the value what it hands on.
 * The A heads lie side by side in the H columns: head h owns the columns h*D .. h*D+D-1 of q, k and v.
 * Why heads: softmax gives a token one pattern of weights; A heads give it A patterns, each for D of the H columns, at
 * the same cost.
 * Source: [attn] 3.2.2; [hf] BertSelfAttention; [tf] attention_layer.
 * Trap: heads are slices, not interleaved: reshape to (N,A,D), never to (N,D,A). Trap: all three have a bias.
 * Verify: encoder.layer.l.attention.self.query, .key, .value */
void attention_query_key_value(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N;
    real *packed = a->scratch.packed;
    pack_rows(packed, hidden_state(a, l), N, (size_t)m->config.H);      /* x, laid out for the kernel: once for three */
    linear_packed(s->query, AS_ROWS, packed, &w->Wq, w->bq, N, &a->scratch);
    linear_packed(s->key, AS_ROWS, packed, &w->Wk, w->bk, N, &a->scratch);
    linear_packed(s->value, AS_ROWS, packed, &w->Wv, w->bv, N, &a->scratch);
}

/* Where the (T,T) scores or probs of head h of sequence b begin. Kept maps lie one after another, (A,T,T) for each
 * sequence; else every head writes over the one before, and the map never leaves the cache between steps 8 and 10. */
static real *head_map(const Activations *a, real *maps, int b, int h)
{
    size_t T = a->start[b + 1] - a->start[b];
    return a->request.keep & KEEP_ATTENTION ? maps + a->score_start[b] + (size_t)h * T * T : maps;
}

/* STEP 8 - scores: how much token i wants to look at token j, scaled and masked. With q_i and k_j the head's D columns
 * of rows i and j:
 *
 *     score_ij = q_i . k_j / sqrt(D)    and -FLT_MAX where token j has attention mask 0        (T,T) for each head
 *
 * Source: [attn] 3.2.1; [hf] eager_attention_forward; [tf] attention_layer.
 * Why divide: a sum of D products of independent numbers of variance 1 has the standard deviation sqrt(D), 8 here. With
 * scores that large, softmax would give nearly everything to the largest.
 * Trap: the mask belongs to the keys j (columns): no token looks at padding. What padding computes is never used.
 * Trap: a masked score is replaced by a very low number, not multiplied by 0: a score of 0 would still get e^0 = 1.
 * Why not minus infinity: a row with nothing but masked keys would be infinity minus infinity in softmax, which is NaN.
 * Differs: Google adds -10000 to it, Hugging Face the lowest float; the results are equal unless a row has no token
 * left to look at. There is no causal mask: BERT looks both ways, the B of its name.
 * Verify: encoder.layer.l.attention.self.scores */
void attention_scores(const Bert *m, Activations *a, int l, int b, int h)
{
    const BlockActivations *s = &a->block[l];
    size_t n = a->start[b], T = a->start[b + 1] - n, H = (size_t)m->config.H, D = (size_t)m->config.D;
    size_t first = n * H + (size_t)h * D;           /* of query and key: row n, column h*D; the next row is H further */
    const real scale = (real)(1 / sqrt((double)D));
    const int32_t *mask = a->batch.attention_mask + n;
    real *scores = head_map(a, s->scores, b, h);
    product(scores, T, s->query + first, H, T, s->key + first, H, BY_ROWS, T, D, &a->scratch);
    for (size_t i = 0; i < T; i++)
        for (size_t j = 0; j < T; j++) scores[i * T + j] = mask[j] ? scores[i * T + j] * scale : -FLT_MAX;
}

/* STEP 9 - softmax: each row of scores to weights that sum to 1, (T,T) for each head: what bertviz and our heat maps
 * show.
 *
 *     p_ij = e^score_ij / sum over j' of e^score_ij'
 *
 * Source: [attn] equation 1; [hf] the `attentions` output.
 * Trap: over the keys j, the last index, so that rows sum to 1; columns do not.
 * Verify: encoder.layer.l.attention.self.probs */
void attention_probs(const Bert *m, Activations *a, int l, int b, int h)
{
    const BlockActivations *s = &a->block[l];
    size_t T = a->start[b + 1] - a->start[b];
    (void)m;                                        /* steps 8 to 10 are called alike */
    softmax(head_map(a, s->probs, b, h), head_map(a, s->scores, b, h), T, T);
}

/* STEP 10 - context: each token's new content, the weighted mean of all value rows, p_ij being the weight of token j;
 * heads side by side again.
 *
 *     context_i = sum over j of p_ij v_j          (N,H), head h in the columns h*D .. h*D+D-1
 *
 * Source: [attn] 3.2.1; [hf] eager_attention_forward, before the output projection.
 * Verify: encoder.layer.l.attention.self.context */
void attention_context(const Bert *m, Activations *a, int l, int b, int h)
{
    const BlockActivations *s = &a->block[l];
    size_t n = a->start[b], T = a->start[b + 1] - n, H = (size_t)m->config.H, D = (size_t)m->config.D;
    size_t first = n * H + (size_t)h * D;           /* of value and context: row n, column h*D */
    const real *probs = head_map(a, s->probs, b, h);
    product(s->context + first, H, probs, T, T, s->value + first, H, BY_COLUMNS, D, T, &a->scratch);
}

/* STEP 11 - attention output: mix the heads, add what the token was before, normalize.
 *
 *     y = LayerNorm(x + context Wo^T + bo)          (N,H)
 *
 * Source: [attn] 3.1, 3.2.2; [hf] BertSelfOutput.
 * Differs: many later models, and several "BERT from scratch" tutorials, normalize before the sub-layer (pre-LN).
 * BERT is post-LN: the residual is added first, then normalized. Trap: the residual is the block's input x.
 * Why Wo: until here each head has written into its own D columns only; Wo lets every head change every column.
 * Why add x: a block then only has to learn what to change, and training reaches the first blocks.
 * Verify: encoder.layer.l.attention.output.dense, .attention.output.LayerNorm */
void attention_output(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N, H = (size_t)m->config.H;
    linear(s->attention_dense, s->context, &w->Wo, w->bo, N, &a->scratch);
    add(a->sum, s->attention_dense, hidden_state(a, l), N * H);
    layer_norm(s->attention_norm, a->sum, w->attention_gamma, w->attention_beta, (real)m->config.eps, N, H);
}

/* Which of the two GELUs the model has: see tensor.c. */
static void gelu(const Bert *m, real *out, const real *x, size_t n)
{
    if (m->config.gelu == GELU_ERF) gelu_erf(out, x, n);
    else gelu_tanh(out, x, n);
}

/* STEP 12 - feed-forward up: each token by itself to F features (4H in BERT-Base), and a GELU.
 *
 *     z = GELU(y W1^T + b1)          (N,F) <- (N,H), W1 (F,H)
 *
 * Source: [attn] 3.3 (there with ReLU), [paper] 3; [hf] BertIntermediate.
 * Why: attention only takes means of values; here is where a token's features act on each other, and where two thirds
 * of a block's weights are (with step 13). Differs: document 001 says that F is always 4H; config.json decides.
 * Verify: encoder.layer.l.intermediate.dense (before GELU), encoder.layer.l.intermediate (after) */
void feed_forward_up(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N, H = (size_t)m->config.H, F = (size_t)m->config.F;
    bool all = a->request.keep == KEEP_EVERYTHING;      /* else z stays as the kernel packs it: only step 13 reads it */
    pack_rows(a->scratch.packed, s->attention_norm, N, H);
    linear_packed(s->intermediate_dense, all ? AS_ROWS : AS_PANELS, a->scratch.packed, &w->W1, w->b1, N, &a->scratch);
    gelu(m, s->intermediate, s->intermediate_dense, (all ? N : scratch_rows(N)) * F);
}

/* STEP 13 - feed-forward down: back to H features, add, normalize: hidden state l+1, (N,H).
 *
 *     out = LayerNorm(y + z W2^T + b2)          (N,H) <- (N,F), W2 (H,F)
 *
 * Source: [attn] 3.3; [hf] BertOutput. Trap: the residual is y, the output of step 11, not the block's input.
 * Verify: encoder.layer.l.output.dense, .output.LayerNorm */
void feed_forward_down(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N, H = (size_t)m->config.H;
    if (a->request.keep == KEEP_EVERYTHING) linear(s->output_dense, s->intermediate, &w->W2, w->b2, N, &a->scratch);
    else linear_packed(s->output_dense, AS_ROWS, s->intermediate, &w->W2, w->b2, N, &a->scratch);
    add(a->sum, s->output_dense, s->attention_norm, N * H);
    layer_norm(s->output_norm, a->sum, w->output_gamma, w->output_beta, (real)m->config.eps, N, H);
}

/* One transformer block. Everything that a token learns from other tokens it learns in steps 8 to 10; the rest treats
 * each token by itself. */
void encoder_block(const Bert *m, Activations *a, int l)
{
    attention_query_key_value(m, a, l);
    for (int b = 0; b < a->batch.B; b++)
        for (int h = 0; h < m->config.A; h++) {         /* steps 8 to 10, one attention head after the other */
            attention_scores(m, a, l, b, h);
            attention_probs(m, a, l, b, h);
            attention_context(m, a, l, b, h);
        }
    attention_output(m, a, l);          /* LayerNorm(x + attention(x)) */
    feed_forward_up(m, a, l);
    feed_forward_down(m, a, l);         /* LayerNorm(y + feed_forward(y)) */
}

/* =====================================================================================================================
 * TASK HEADS
 * ================================================================================================================== */

/* STEP 14 - pooler: the sequence's first token, [CLS], through a dense layer and tanh.
 *
 *     pooled = tanh(h_0 Wp^T + bp)          (B,H) <- the first row of hidden state L of each sequence
 *
 * Source: [hf] BertPooler; [tf] BertModel.pooled_output; not in [paper].
 * Why: NSP was trained on this vector, not on the raw row of [CLS]. It is made for that question; as a sentence's
 * vector a mean over tokens is usually better (step 16).
 * Trap: the pooled output is not the [CLS] row of the last hidden state, and not a mean. Differs: document 001 says
 * that the pooler "simply discards" the other tokens; the dense layer and tanh are there too, trained by the NSP task.
 * Verify: pooler.dense, pooler */
void pooler(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H, B = (size_t)a->batch.B;
    const real *last = hidden_state(a, m->config.L);
    for (size_t b = 0; b < B; b++) memcpy(a->first_token + b * H, last + a->start[b] * H, H * sizeof(real));
    linear(a->pooler_dense, a->first_token, &m->Wpool, m->bpool, B, &a->scratch);
    tanh_all(a->pooler, a->pooler_dense, B * H);
}

/* Step 14, continued. NSP, next sentence prediction: does the second text follow the first?
 *
 *     logits = pooled W^T + b          (B,2)       softmax gives P(IsNext), P(NotNext)
 *
 * Source: [paper] 3.1 task 2; [hf] BertPreTrainingHeads.seq_relationship; [tf] get_next_sentence_output.
 * Trap: label 0 is IsNext ("is not random"), label 1 is NotNext; nothing in the weights says so.
 * Verify: cls.seq_relationship */
void nsp_head(const Bert *m, Activations *a)
{
    linear(a->nsp_logits, a->pooler, &m->Wnsp, m->bnsp, (size_t)a->batch.B, &a->scratch);
}

/* STEP 15 - MLM head: for each token asked for, a score for every piece of the vocabulary. In training, 15 % of the
 * tokens were hidden or changed and had to be guessed by this head; any row can be asked for, [MASK] or not.
 *
 *     t = LayerNorm(GELU(h W^T + b))          (M,H)        the transform
 *     logits = t E^T + c                      (M,V)        the decoder: E (V,H) is the word embedding matrix
 *
 * softmax(logits), which the caller takes, are the probabilities of [MASK]'s fillers.
 * Source: [paper] 3.1 task 1; [hf] BertLMPredictionHead; [tf] get_masked_lm_output.
 * Differs: document 001 calls it "a basic affine transformation". Before that stand a dense layer, GELU and LayerNorm,
 * and the affine map has only its bias of its own: 30,522 numbers instead of 23 million.
 * Verify: cls.predictions.transform.dense, .transform_act_fn, .LayerNorm, cls.predictions.decoder */
void mlm_head(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H, M = (size_t)a->request.M;
    const real *last = hidden_state(a, m->config.L);
    for (size_t i = 0; i < M; i++)
        memcpy(a->masked + i * H, last + (size_t)a->request.mlm_rows[i] * H, H * sizeof(real));
    linear(a->transform_dense, a->masked, &m->Wtransform, m->btransform, M, &a->scratch);
    gelu(m, a->transform_act, a->transform_dense, M * H);
    layer_norm(a->transform_norm, a->transform_act, m->transform_gamma, m->transform_beta, (real)m->config.eps, M, H);
    linear(a->logits, a->transform_norm, &m->decoder, m->decoder_bias, M, &a->scratch);
}

/* STEP 16 - word vectors: one vector per token from one or several hidden states of sequence b.
 *
 *     cat: side by side, in the order given, (T, count*H)        sum, mean: number by number, (T,H)
 *
 * Source: [paper] 5.3, where six choices are compared; document 001 takes the sum of the last four.
 * Trap: there are L+1 hidden states, 0 to L. 0 is the embedding output; -2 in Python is hidden state L-1, the input of
 * the last block. */
void token_vectors(real *out, const Bert *m, const Activations *a, int b, const int *layers, int count, Combine combine)
{
    size_t H = (size_t)m->config.H, T = a->start[b + 1] - a->start[b];
    size_t dim = combine == COMBINE_CAT ? H * (size_t)count : H;
    for (size_t t = 0; t < T; t++)
        for (int i = 0; i < count; i++) {
            const real *h = hidden_state(a, layers[i]) + (a->start[b] + t) * H;
            real *row = out + t * dim + (combine == COMBINE_CAT ? (size_t)i * H : 0);
            if (combine == COMBINE_CAT || i == 0) memcpy(row, h, H * sizeof(real));
            else add(row, row, h, H);
        }
    if (combine == COMBINE_MEAN)
        for (size_t i = 0; i < T * H; i++) out[i] /= (real)count;
}

/* Step 16, continued. Sentence vectors: the tokens' vectors to one, out (dim) <- vectors (T,dim).
 * Trap: [CLS] and [SEP] count, as in document 001's torch.mean and in sentence-transformers; padding (mask 0) does not.
 * POOL_POOLER is no pooling of vectors: it is step 14. With no token at all the result is zero. */
void pool_tokens(real *out, const real *vectors, const int32_t *mask, size_t T, size_t dim, Pooling pooling)
{
    size_t count = 0;
    assert(pooling == POOL_CLS || pooling == POOL_MEAN || pooling == POOL_MAX);
    memset(out, 0, dim * sizeof(real));
    if (pooling == POOL_CLS) {
        memcpy(out, vectors, dim * sizeof(real));
        return;
    }
    for (size_t t = 0; t < T; t++) {
        const real *row = vectors + t * dim;
        if (!mask[t]) continue;
        for (size_t d = 0; d < dim; d++) {
            if (pooling == POOL_MEAN) out[d] += row[d];
            else if (count == 0 || row[d] > out[d]) out[d] = row[d];
        }
        count++;
    }
    if (pooling == POOL_MEAN && count)
        for (size_t d = 0; d < dim; d++) out[d] /= (real)count;
}

/* Step 16, continued. To length 1, as sentence-transformers does: then a dot product is a cosine. */
void normalize(real *vector, size_t dim)
{
    double sum = 0;
    for (size_t d = 0; d < dim; d++) sum += (double)vector[d] * (double)vector[d];
    if (sum > 0)
        for (size_t d = 0; d < dim; d++) vector[d] = (real)((double)vector[d] / sqrt(sum));
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The summary: BERT in six statements. Only what the request names is computed.
 * ------------------------------------------------------------------------------------------------------------------ */
void forward(const Bert *m, Activations *a)
{
    assert(!a->request.unused_blocks || !(a->request.pooler || a->request.nsp || a->request.M));
    embeddings_sum(m, a);
    embeddings_norm(m, a);
    for (int l = 0; l < m->config.L - a->request.unused_blocks; l++) encoder_block(m, a, l);
    if (a->request.pooler || a->request.nsp) pooler(m, a);
    if (a->request.nsp) nsp_head(m, a);
    if (a->request.M) mlm_head(m, a);
}
