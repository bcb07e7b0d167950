/* model.c - the table of all tensors of a BERT, and the weights of a file bound to a Bert by it. */
#include "weights/weights.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * The table of tensors: every weight of a BERT in one place.
 *
 * A model file of BERT-Base holds 199 tensors of encoder and pooler (5 of the embeddings, 16 for each of 12 layers, 2
 * of the pooler), and 7 of the two heads (or 5, without the NSP head). Names are paths of Hugging Face's modules; `*`
 * stands for the layer.
 * Older files say gamma and beta for a LayerNorm's weight and bias. A DistilBERT is a BERT with other names, without
 * token types and without a pooler.
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
       DistilBERT's name, without `distilbert.` (NULL: it has no such tensor)
       group          kind            rows cols optional tied  where it goes */
    {"embeddings.word_embeddings.weight", NULL, "embeddings/word_embeddings",
     "embeddings.word_embeddings.weight",
     GROUP_ENCODER, KIND_EMBEDDING, 'V', 'H', false, NULL, MODEL(word_embeddings)},
    {"embeddings.token_type_embeddings.weight", NULL, "embeddings/token_type_embeddings",
     NULL,
     GROUP_ENCODER, KIND_EMBEDDING, 'S', 'H', false, NULL, MODEL(token_type_embeddings)},
    {"embeddings.position_embeddings.weight", NULL, "embeddings/position_embeddings",
     "embeddings.position_embeddings.weight",
     GROUP_ENCODER, KIND_EMBEDDING, 'P', 'H', false, NULL, MODEL(position_embeddings)},
    {"embeddings.LayerNorm.weight", "embeddings.LayerNorm.gamma", "embeddings/LayerNorm/gamma",
     "embeddings.LayerNorm.weight",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, MODEL(embeddings_gamma)},
    {"embeddings.LayerNorm.bias", "embeddings.LayerNorm.beta", "embeddings/LayerNorm/beta",
     "embeddings.LayerNorm.bias",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, MODEL(embeddings_beta)},

    {"encoder.layer.*.attention.self.query.weight", NULL, "encoder/layer_*/attention/self/query/kernel",
     "transformer.layer.*.attention.q_lin.weight",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wq)},
    {"encoder.layer.*.attention.self.query.bias", NULL, "encoder/layer_*/attention/self/query/bias",
     "transformer.layer.*.attention.q_lin.bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bq)},
    {"encoder.layer.*.attention.self.key.weight", NULL, "encoder/layer_*/attention/self/key/kernel",
     "transformer.layer.*.attention.k_lin.weight",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wk)},
    {"encoder.layer.*.attention.self.key.bias", NULL, "encoder/layer_*/attention/self/key/bias",
     "transformer.layer.*.attention.k_lin.bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bk)},
    {"encoder.layer.*.attention.self.value.weight", NULL, "encoder/layer_*/attention/self/value/kernel",
     "transformer.layer.*.attention.v_lin.weight",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wv)},
    {"encoder.layer.*.attention.self.value.bias", NULL, "encoder/layer_*/attention/self/value/bias",
     "transformer.layer.*.attention.v_lin.bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bv)},
    {"encoder.layer.*.attention.output.dense.weight", NULL, "encoder/layer_*/attention/output/dense/kernel",
     "transformer.layer.*.attention.out_lin.weight",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'H', false, NULL, LAYER(Wo)},
    {"encoder.layer.*.attention.output.dense.bias", NULL, "encoder/layer_*/attention/output/dense/bias",
     "transformer.layer.*.attention.out_lin.bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(bo)},
    {"encoder.layer.*.attention.output.LayerNorm.weight", "encoder.layer.*.attention.output.LayerNorm.gamma",
     "encoder/layer_*/attention/output/LayerNorm/gamma",
     "transformer.layer.*.sa_layer_norm.weight",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(attention_gamma)},
    {"encoder.layer.*.attention.output.LayerNorm.bias", "encoder.layer.*.attention.output.LayerNorm.beta",
     "encoder/layer_*/attention/output/LayerNorm/beta",
     "transformer.layer.*.sa_layer_norm.bias",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(attention_beta)},
    {"encoder.layer.*.intermediate.dense.weight", NULL, "encoder/layer_*/intermediate/dense/kernel",
     "transformer.layer.*.ffn.lin1.weight",
     GROUP_ENCODER, KIND_MATRIX, 'F', 'H', false, NULL, LAYER(W1)},
    {"encoder.layer.*.intermediate.dense.bias", NULL, "encoder/layer_*/intermediate/dense/bias",
     "transformer.layer.*.ffn.lin1.bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'F', false, NULL, LAYER(b1)},
    {"encoder.layer.*.output.dense.weight", NULL, "encoder/layer_*/output/dense/kernel",
     "transformer.layer.*.ffn.lin2.weight",
     GROUP_ENCODER, KIND_MATRIX, 'H', 'F', false, NULL, LAYER(W2)},
    {"encoder.layer.*.output.dense.bias", NULL, "encoder/layer_*/output/dense/bias",
     "transformer.layer.*.ffn.lin2.bias",
     GROUP_ENCODER, KIND_BIAS, 0, 'H', false, NULL, LAYER(b2)},
    {"encoder.layer.*.output.LayerNorm.weight", "encoder.layer.*.output.LayerNorm.gamma",
     "encoder/layer_*/output/LayerNorm/gamma",
     "transformer.layer.*.output_layer_norm.weight",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(output_gamma)},
    {"encoder.layer.*.output.LayerNorm.bias", "encoder.layer.*.output.LayerNorm.beta",
     "encoder/layer_*/output/LayerNorm/beta",
     "transformer.layer.*.output_layer_norm.bias",
     GROUP_ENCODER, KIND_NORM, 0, 'H', false, NULL, LAYER(output_beta)},

    {"pooler.dense.weight", NULL, "pooler/dense/kernel",
     NULL,
     GROUP_POOLER, KIND_MATRIX, 'H', 'H', false, NULL, MODEL(Wpool)},
    {"pooler.dense.bias", NULL, "pooler/dense/bias",
     NULL,
     GROUP_POOLER, KIND_BIAS, 0, 'H', false, NULL, MODEL(bpool)},

    {"cls.predictions.transform.dense.weight", NULL, "cls/predictions/transform/dense/kernel",
     "vocab_transform.weight",
     GROUP_MLM, KIND_MATRIX, 'H', 'H', false, NULL, MODEL(Wtransform)},
    {"cls.predictions.transform.dense.bias", NULL, "cls/predictions/transform/dense/bias",
     "vocab_transform.bias",
     GROUP_MLM, KIND_BIAS, 0, 'H', false, NULL, MODEL(btransform)},
    {"cls.predictions.transform.LayerNorm.weight", "cls.predictions.transform.LayerNorm.gamma",
     "cls/predictions/transform/LayerNorm/gamma",
     "vocab_layer_norm.weight",
     GROUP_MLM, KIND_NORM, 0, 'H', false, NULL, MODEL(transform_gamma)},
    {"cls.predictions.transform.LayerNorm.bias", "cls.predictions.transform.LayerNorm.beta",
     "cls/predictions/transform/LayerNorm/beta",
     "vocab_layer_norm.bias",
     GROUP_MLM, KIND_NORM, 0, 'H', false, NULL, MODEL(transform_beta)},
    {"cls.predictions.decoder.weight", NULL, NULL,
     "vocab_projector.weight",
     GROUP_MLM, KIND_EMBEDDING, 'V', 'H', true, "embeddings.word_embeddings.weight", MODEL(decoder)},
    /* Trap: an untied head's file has both names, with different numbers; decoder.bias is the one that is added. */
    {"cls.predictions.bias", "cls.predictions.decoder.bias", "cls/predictions/output_bias",
     "vocab_projector.bias",
     GROUP_MLM, KIND_BIAS, 0, 'V', false, NULL, MODEL(decoder_bias)},

    /* Trap: TensorFlow stores this one as (2,H), unlike its kernels: KIND_EMBEDDING, that is, not transposed. */
    {"cls.seq_relationship.weight", NULL, "cls/seq_relationship/output_weights",
     NULL,
     GROUP_NSP, KIND_EMBEDDING, '2', 'H', false, NULL, MODEL(Wnsp)},
    {"cls.seq_relationship.bias", NULL, "cls/seq_relationship/output_bias",
     NULL,
     GROUP_NSP, KIND_BIAS, 0, '2', false, NULL, MODEL(bnsp)},

    /* The heads of fine-tuned models: the same names in BERT and DistilBERT, whose sequence classifier has one more
       layer. */
    {"pre_classifier.weight", NULL, NULL,
     "pre_classifier.weight",
     GROUP_PRE_CLASSIFIER, KIND_MATRIX, 'H', 'H', false, NULL, MODEL(Wpre)},
    {"pre_classifier.bias", NULL, NULL,
     "pre_classifier.bias",
     GROUP_PRE_CLASSIFIER, KIND_BIAS, 0, 'H', false, NULL, MODEL(bpre)},
    {"classifier.weight", NULL, NULL,
     "classifier.weight",
     GROUP_CLASSIFIER, KIND_MATRIX, 'K', 'H', false, NULL, MODEL(Wclassifier)},
    {"classifier.bias", NULL, NULL,
     "classifier.bias",
     GROUP_CLASSIFIER, KIND_BIAS, 0, 'K', false, NULL, MODEL(bclassifier)},
    {"qa_outputs.weight", NULL, NULL,
     "qa_outputs.weight",
     GROUP_QA, KIND_MATRIX, '2', 'H', false, NULL, MODEL(Wqa)},
    {"qa_outputs.bias", NULL, NULL,
     "qa_outputs.bias",
     GROUP_QA, KIND_BIAS, 0, '2', false, NULL, MODEL(bqa)},
};
const size_t tensor_table_size = sizeof tensor_table / sizeof *tensor_table;

bool spec_per_layer(const TensorSpec *spec)
{
    return strchr(spec->name, '*') != NULL;
}

const char *spec_pattern(const TensorSpec *spec, bool distilbert)
{
    return distilbert ? spec->distilbert : spec->name;
}

/* "encoder.layer.*.output.dense.bias", 3 -> "encoder.layer.3.output.dense.bias" */
void spec_name(const char *pattern, int layer, char *name, size_t capacity)
{
    const char *star = strchr(pattern, '*');
    if (star) snprintf(name, capacity, "%.*s%d%s", (int)(star - pattern), pattern, layer, star + 1);
    else snprintf(name, capacity, "%s", pattern);
}

size_t symbol_size(char symbol, const BertConfig *c)
{
    switch (symbol) {
    case 'H': return (size_t)c->H;
    case 'F': return (size_t)c->F;
    case 'V': return (size_t)c->V;
    case 'P': return (size_t)c->P;
    case 'S': return (size_t)c->S;
    case 'K': return (size_t)c->K;
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

/* prefix + name, with the layer for `*`. A prefix has at most PREFIX_LIMIT bytes, a name of the table less than 160. */
static const SafeTensor *find_behind(const Safetensors *file, const char *prefix, size_t length, const char *pattern,
                                     int layer)
{
    char name[PREFIX_LIMIT + 160];
    memcpy(name, prefix, length);
    spec_name(pattern, layer, name + length, sizeof name - length);
    return safetensors_find(file, name);
}

/* The tensor of a row by one of its names: the encoder's behind the whole prefix, a head's behind its own part. */
static const SafeTensor *find_named(const Safetensors *file, const TensorSpec *spec, const char *pattern, int layer)
{
    const bool head = spec->group != GROUP_ENCODER && spec->group != GROUP_POOLER;
    if (file->prefix)
        return find_behind(file, file->prefix, head ? file->head_prefix : strlen(file->prefix), pattern, layer);
    const SafeTensor *t = find_behind(file, "bert.", 5, pattern, layer);
    return t ? t : find_behind(file, "", 0, pattern, layer);
}

const SafeTensor *spec_find(const TensorSpec *spec, int layer, const Safetensors *file)
{
    if (file->distilbert) return spec->distilbert ? find_named(file, spec, spec->distilbert, layer) : NULL;
    const SafeTensor *t = spec->alias ? find_named(file, spec, spec->alias, layer) : NULL;
    return t ? t : find_named(file, spec, spec->name, layer);
}

/* A tensor's dtype and shape against the table. Trap: a kernel that was not transposed has the shape (in, out); where
 * in = out no shape can tell, and only the numbers will. */
static Status check_tensor(const Bert *m, const TensorSpec *spec, const SafeTensor *t, Error *e)
{
    size_t rows = spec_rows(spec, &m->config), cols = spec_cols(spec, &m->config);
    int rank = spec->rows ? 2 : 1;
    const char *path = tensor_path(m->file, t);
    if (t->dtype > DTYPE_BF16)                                          /* the floating types come first */
        return fail(e, BERT_FILE, "%s: tensor '%s' has dtype %s, expected F32, F64, F16 or BF16", path, t->name,
                    dtype_name(t->dtype));
    bool fits = t->rank == rank && t->shape[rank - 1] == cols && (rank == 1 || t->shape[0] == rows);
    if (fits) return BERT_OK;
    char found[128] = "";
    for (int i = 0; i < t->rank; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%zu", i ? "," : "", t->shape[i]);
    char expected[64];
    if (rank == 1) snprintf(expected, sizeof expected, "%zu", cols);
    else snprintf(expected, sizeof expected, "%zu,%zu", rows, cols);
    return fail(e, BERT_FILE, "%s: tensor '%s' has shape (%s), config.json makes it (%s)", path, t->name, found,
                expected);
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
    bool aligned = (uintptr_t)t->data % dtype_size(t->dtype) == 0, is_double = sizeof(real) == sizeof(double);
    if (t->dtype == DTYPE_F64) return is_double && aligned;
    if (matrix) return t->dtype != DTYPE_F32 || aligned;
    return t->dtype == DTYPE_F32 && !is_double && aligned;
}

/* A copy of the tensor's numbers that belongs to the model: as reals, but for float32 matrices, which stay floats. A
 * float64 number is rounded once, to the nearest float, or kept as it is in bert64. NULL: out of memory. */
static void *copy_tensor(Bert *m, const SafeTensor *t, Tensor *view)
{
    bool singles = view->dtype == DTYPE_F32;
    void *copy = own(m, t->count * (singles ? sizeof(float) : sizeof(real)));
    if (copy && singles) memcpy(copy, t->data, t->count * sizeof(float));
    for (size_t i = 0; copy && !singles && i < t->count; i++) ((real *)copy)[i] = (real)tensor_element(t, i);
    if (!singles) view->dtype = sizeof(real) == sizeof(double) ? DTYPE_F64 : DTYPE_F32;
    view->data = copy;
    return copy;
}

/* Puts a checked tensor into its field of `base`, a Bert or a BertLayer: matrices as they are (tensor_rows converts
 * them when they are used), vectors as reals. */
static Status bind_tensor(Bert *m, const TensorSpec *spec, void *base, const SafeTensor *t, Error *e)
{
    void *field = (char *)base + spec->field;
    Tensor view = {t->data, t->dtype, spec_rows(spec, &m->config), spec_cols(spec, &m->config)};
    if (!usable_in_place(t, spec->rows)) {
        if (!spec->rows && sizeof(real) != sizeof(float)) view.dtype = DTYPE_F64;       /* not left as floats */
        if (!copy_tensor(m, t, &view))
            return fail(e, BERT_SYSTEM, "%s: out of memory for tensor '%s'", m->file->file.path, t->name);
    }
    if (spec->rows) *(Tensor *)field = view;
    else *(const real **)field = view.data;
    return BERT_OK;
}

/* What was found of a group (encoder, pooler, a head): how many tensors, and the names of those that are missing. */
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

/* Both names of a LayerNorm's numbers at once: which of the two are meant cannot be told. (An untied decoder's bias has
 * two names by right.) */
static Status check_names(const Bert *m, const TensorSpec *spec, int layer, Error *e)
{
    if (spec->kind != KIND_NORM || m->config.distilbert) return BERT_OK;
    const SafeTensor *old = find_named(m->file, spec, spec->alias, layer);
    const SafeTensor *t = find_named(m->file, spec, spec->name, layer);
    if (!old || !t) return BERT_OK;
    return fail(e, BERT_FILE, "%s: has both '%s' and '%s', expected one of them", m->file->file.path, t->name,
                old->name);
}

/* The same tensor with `bert.` in front and without, and other numbers: in a model with heads the library takes
 * whichever comes last. */
static Status check_twin(const Bert *m, const SafeTensor *t, Error *e)
{
    char twin[200];
    const bool bare = strncmp(t->name, "bert.", 5) != 0;
    const int length = snprintf(twin, sizeof twin, "%s%s", bare ? "bert." : "", bare ? t->name : t->name + 5);
    const SafeTensor *other = length < (int)sizeof twin ? safetensors_find(m->file, twin) : NULL;
    if (!other) return BERT_OK;
    const bool alike = other->dtype == t->dtype && other->count == t->count;
    if (alike && !memcmp(other->data, t->data, t->count * dtype_size(t->dtype))) return BERT_OK;
    return fail(e, BERT_FILE, "%s: has both '%s' and '%s', with different numbers, expected one of them",
                m->file->file.path, t->name, other->name);
}

/* Binds every row of the table, for every layer where it has one, and counts what was found of each group.
 * Tensors of the file that no row names (an old `position_ids`, another task's head) are left alone. */
static Status bind_all(Bert *m, GroupTally tally[], Error *e)
{
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++) {
        const char *pattern = spec_pattern(spec, m->config.distilbert);
        int count = !pattern ? 0 : spec_per_layer(spec) ? m->config.L : 1;
        for (int l = 0; l < count; l++) {
            void *base = spec_per_layer(spec) ? (void *)&m->layers[l] : (void *)m;
            const SafeTensor *t = spec_find(spec, l, m->file);
            Status s = check_names(m, spec, l, e);
            if (t && s == BERT_OK) s = check_twin(m, t, e);
            if (t && s == BERT_OK) s = check_tensor(m, spec, t, e);
            if (t && s == BERT_OK) s = bind_tensor(m, spec, base, t, e);
            if (s) return s;
            char name[160];
            spec_name(pattern, l, name, sizeof name);
            if (t && !spec->optional) tally[spec->group].found++;
            if (!t && !spec->optional) tally_missing(&tally[spec->group], name);
        }
    }
    return BERT_OK;
}

/* The encoder must be complete; each head must be there as a whole or not at all. */
static Status check_groups(Bert *m, const GroupTally tally[], Error *e)
{
    static const char *const names[] = {"encoder", "pooler", "MLM head", "NSP head", "classifier's first layer",
                                        "classifier", "question answering head"};
    bool *const has[] = {NULL, &m->has_pooler, &m->has_mlm, &m->has_nsp, &m->has_pre_classifier, &m->has_classifier,
                         &m->has_qa};
    for (int g = GROUP_ENCODER; g < GROUPS; g++) {
        bool complete = tally[g].missing == 0, absent = tally[g].found == 0 && g != GROUP_ENCODER;
        if (!complete && !absent)
            return fail(e, BERT_FILE, "%s: %d of the %s's tensors are missing: %s", m->file->file.path,
                        tally[g].missing, names[g], tally[g].names);
        if (has[g]) *has[g] = complete && !absent;          /* DistilBERT has neither pooler nor NSP: both are true */
    }
    return BERT_OK;
}

/* The row of the table with that name. */
static const TensorSpec *spec_named(const char *name)
{
    const TensorSpec *spec = tensor_table;
    while (spec < tensor_table + tensor_table_size && strcmp(spec->name, name)) spec++;
    assert(spec < tensor_table + tensor_table_size);
    return spec;
}

/* A matrix that the file lacks and that is tied to another one is that one: the same bytes, not a copy. */
static void bind_tied(Bert *m)
{
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++) {
        if (!spec->tied) continue;
        const TensorSpec *other = spec_named(spec->tied);
        assert(spec->rows && other->rows && !spec_per_layer(spec) && !spec_per_layer(other));
        Tensor *field = (Tensor *)(void *)((char *)m + spec->field);
        if (!field->data) *field = *(const Tensor *)(const void *)((const char *)m + other->field);
    }
}

/* tie_word_embeddings false: the decoder has a matrix and a bias of its own, and both must be in the file. Without them
 * the head would score with the word embeddings, which is not what was trained. */
static Status check_untied(const Bert *m, Error *e)
{
    static const char *const names[2][2] = {{"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"},
                                            {"vocab_projector.weight", "vocab_projector.bias"}};
    const TensorSpec *decoder = spec_named("cls.predictions.decoder.weight");
    for (int i = 0; m->config.untied && m->has_mlm && i < 2; i++) {
        const char *name = names[m->config.distilbert][i];
        if (!find_named(m->file, decoder, name, 0))
            return fail(e, BERT_FILE, "%s: config.json says tie_word_embeddings false, but '%s' is missing",
                        m->file->file.path, name);
    }
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Which file has the weights
 *
 *     transformers_weights            the file that config.json names, if it names one
 *     model.safetensors               the model, whatever variants (model.fp16.safetensors ...) are beside it
 *     model.safetensors.index.json    else: the model in shards
 *     *.safetensors                   else, if there is one only
 * ------------------------------------------------------------------------------------------------------------------ */

/* One name in the model directory: if it is a weight file, its path goes to *best; a second one is an error, for which
 * of two files is meant cannot be guessed. */
static Status compare_names(char **best, const char *directory, const char *name, Error *e)
{
    static const char suffix[] = ".safetensors";
    size_t length = strlen(name), end = sizeof suffix - 1;
    if (length <= end || strcmp(name + length - end, suffix) || name[0] == '.') return BERT_OK;
    if (*best)
        return fail(e, BERT_FILE, "%s: holds %s and %s, expected one *.safetensors, or model.safetensors: name the "
                    "file with --model", directory, strrchr(*best, '/') + 1, name);
    return path_join(best, directory, name, e);
}

/* A directory that cannot be read, by the system's reason. Trap: "no such directory" for one that is there but may not
 * be read sends its owner on a search. */
static Status directory_fail(const char *directory, int reason, Error *e)
{
    if (reason == ENOENT || reason == ENOTDIR)
        return fail(e, BERT_FILE, "%s: no such model directory", directory);
    return fail(e, reason == ENOMEM ? BERT_SYSTEM : BERT_FILE, "%s: the model directory cannot be read: %s", directory,
                strerror(reason));
}

/* The one *.safetensors, whatever its name. */
static Status only_file(char **path, const char *directory, Error *e)
{
    DIR *d = opendir(directory);
    Status s = BERT_OK;
    if (!d) return directory_fail(directory, errno, e);
    while (s == BERT_OK) {
        errno = 0;                                      /* readdir's NULL is the end, or an error */
        struct dirent *entry = readdir(d);
        if (!entry && errno) s = directory_fail(directory, errno, e);
        if (!entry) break;
        s = compare_names(path, directory, entry->d_name, e);
    }
    closedir(d);
    return s;
}

/* An adapter (LoRA and its like) is a change to another model's weights. Beside weights it would be applied to them. */
static Status refuse_adapter(const char *directory, Error *e)
{
    if (!file_exists(directory, "adapter_config.json")) return BERT_OK;
    return fail(e, BERT_FILE, "%s: has adapter_config.json: an adapter of another model's weights, which is not "
                "applied here: merge it into the model first", directory);
}

/* transformers_weights: the library takes this file, and passes over a model.safetensors beside it. */
static Status named_file(char **path, const char *directory, Error *e)
{
    char *config = NULL, name[256] = "";
    if (!file_exists(directory, "config.json")) return BERT_OK;
    Status s = path_join(&config, directory, "config.json", e);
    if (s == BERT_OK) s = config_names_weights(name, sizeof name, config, e);
    if (s == BERT_OK && *name) {
        if (strchr(name, '/') || !(ends_with(name, ".safetensors") || ends_with(name, ".safetensors.index.json")))
            s = fail(e, BERT_FILE, "%s: transformers_weights is \"%s\", expected the name of a *.safetensors beside it",
                     config, name);
        else if (!file_exists(directory, name))
            s = fail(e, BERT_FILE, "%s: transformers_weights is \"%s\", but there is no such file", config, name);
        else s = path_join(path, directory, name, e);
    }
    free(config);
    return s;
}

Status model_file_if_any(char **path, const char *directory, Error *e)
{
    static const char *const usual[] = {"model.safetensors", "model.safetensors.index.json"};
    *path = NULL;
    Status s = refuse_adapter(directory, e);
    if (s == BERT_OK) s = named_file(path, directory, e);
    for (int i = 0; i < 2 && s == BERT_OK && !*path; i++)
        if (file_exists(directory, usual[i])) s = path_join(path, directory, usual[i], e);
    if (s == BERT_OK && !*path) s = only_file(path, directory, e);
    if (s) free(*path), *path = NULL;
    return s;
}

/* What the message says of weights in another format, by the file's name. */
static const struct {
    const char *name, *advice;
} other_formats[] = {
    {"pytorch_model.bin", "`build/convert %s` (`make build/convert`) makes model.safetensors of it"},
    {"pytorch_model.bin.index.json", "`build/convert %s` (`make build/convert`) makes model.safetensors of its shards"},
    {"bert_model.ckpt.index",
     "`build/convert %s/bert_model.ckpt DIRECTORY` (`make build/convert`) makes a model of it"},
    {"tf_model.h5", "this format is not read: save it as safetensors with the program that made it"},
    {"flax_model.msgpack", "this format is not read: save it as safetensors with the program that made it"},
    {"openvino/openvino_model.xml", "this format is not read: take the model that it was made of"},
    {"onnx/model.onnx", "this format is not read: take the model that it was made of"},
};

/* The same for names that vary, by their ends. */
static const struct {
    const char *end, *advice;
} other_ends[] = {
    {".onnx", "this format is not read: take the model that it was made of"},
    {".gguf", "this format is not read: take the model that it was made of"},
    {"_model.xml", "this format is not read: take the model that it was made of"},
    {"saved_model.pb", "this format is not read: `make weights FROM=` reads a checkpoint of TensorFlow"},
    {".ckpt.index", "`make weights MODEL=NAME FROM=FILE` makes weights/NAME of a checkpoint of TensorFlow"},
    {".bin", "`make weights MODEL=NAME FROM=FILE` makes weights/NAME of it if it is one of torch.save"},
    {".pt", "`make weights MODEL=NAME FROM=FILE` makes weights/NAME of it if it is one of torch.save"},
    {".pth", "`make weights MODEL=NAME FROM=FILE` makes weights/NAME of it if it is one of torch.save"},
    {".ckpt", "`make weights MODEL=NAME FROM=FILE` makes weights/NAME of it if it is one of torch.save"},
    {".ot", "this format is not read: save it as safetensors with the program that made it"},
    {".h5", "this format is not read: save it as safetensors with the program that made it"},
    {".npz", "this format is not read: save it as safetensors with the program that made it"},
};

/* The place of a name in that table; its length if it is not there, or is what a training left beside its weights. */
static size_t other_end(const char *name)
{
    static const char *const no_weights[] = {"training_args.", "optimizer.", "scheduler.", "rng_state"};
    size_t i = 0;
    for (size_t k = 0; k < sizeof no_weights / sizeof *no_weights; k++)
        if (!strncmp(name, no_weights[k], strlen(no_weights[k]))) return sizeof other_ends / sizeof *other_ends;
    while (i < sizeof other_ends / sizeof *other_ends && !ends_with(name, other_ends[i].end)) i++;
    return i;
}

/* Names the weights in another format whose end comes first in the table; of several, the first in the alphabet. */
static Status refuse_other_end(const char *directory, Error *e)
{
    const size_t none = sizeof other_ends / sizeof *other_ends;
    size_t best = none;
    char name[256] = "";
    DIR *d = opendir(directory);
    for (struct dirent *entry; d && (entry = readdir(d)); ) {
        const size_t place = other_end(entry->d_name);
        if (place == none || place > best || (place == best && strcmp(entry->d_name, name) >= 0)) continue;
        best = place;
        snprintf(name, sizeof name, "%s", entry->d_name);
    }
    if (d) closedir(d);
    if (best == none) return BERT_OK;
    return fail(e, BERT_FILE, "%s: holds %s, but no *.safetensors; %s", directory, name, other_ends[best].advice);
}

/* By its last component, whatever slashes stand at the end. */
const char *fetched_model(const char *directory)
{
    static const char *const names[] = {"bert-base-uncased", "bert-base-cased", "bert-base-multilingual-cased",
                                        "all-MiniLM-L6-v2"};
    size_t end = strlen(directory), begin;
    while (end > 0 && directory[end - 1] == '/') end--;
    for (begin = end; begin > 0 && directory[begin - 1] != '/'; ) begin--;
    for (int i = 0; i < 4; i++)
        if (strlen(names[i]) == end - begin && !memcmp(names[i], directory + begin, end - begin)) return names[i];
    return NULL;
}

Status model_file(char **path, const char *directory, Error *e)
{
    Status s = model_file_if_any(path, directory, e);
    if (s || *path) return s;
    for (size_t i = 0; i < sizeof other_formats / sizeof *other_formats; i++) {
        char advice[1200];
        if (!file_exists(directory, other_formats[i].name)) continue;
        snprintf(advice, sizeof advice, other_formats[i].advice, directory);
        return fail(e, BERT_FILE, "%s: holds %s, but no *.safetensors; %s", directory, other_formats[i].name, advice);
    }
    if (refuse_other_end(directory, e) != BERT_OK) return e->status;
    const char *name = fetched_model(directory);
    if (name)
        return fail(e, BERT_FILE, "%s: holds no *.safetensors; `make weights MODEL=%s` fetches it", directory, name);
    return fail(e, BERT_FILE, "%s: holds no *.safetensors; `make weights MODEL=NAME FROM=FILE` makes weights/NAME of "
                "weights at hand", directory);
}

/* Whether a path names a file of weights, by its end. A directory may be called so, too. */
static bool is_weight_file(const char *path)
{
    static const char *const ends[] = {".safetensors", ".bin", ".pt", ".pth", ".ckpt"};
    struct stat kind;
    if (is_shard_index(path)) return stat(path, &kind) == 0 && S_ISREG(kind.st_mode);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(path, ends[i])) return stat(path, &kind) == 0 && S_ISREG(kind.st_mode);
    return false;
}

Status model_place(const char *path, char **directory, char **weights, Error *e)
{
    const char *slash = strrchr(path, '/');
    const bool file = is_weight_file(path);
    size_t length = !file ? strlen(path) : !slash ? 1 : slash == path ? 1 : (size_t)(slash - path), size;
    *directory = *weights = NULL;
    if (size_add(length, 1, &size)) *directory = malloc(size);
    if (file) *weights = strdup(path);
    if (!*directory || (file && !*weights)) {
        free(*directory);
        free(*weights);
        *directory = *weights = NULL;
        return fail(e, BERT_SYSTEM, "%s: out of memory", path);
    }
    snprintf(*directory, size, "%s", file && !slash ? "." : path);
    return BERT_OK;
}

/* The names of the tensors and config.json's model_type must be of one kind, BERT or DistilBERT. */
static Status check_kind(const Bert *m, Error *e)
{
    const Safetensors *file = m->file;
    if (file->distilbert && !m->config.distilbert)
        return fail(e, BERT_FILE, "%s: has DistilBERT's tensors (transformer.layer.0...), but config.json does not say "
                    "model_type \"distilbert\"", file->file.path);
    return BERT_OK;
}

/* K, how many labels the classifier scores, stands in the weights alone: the rows of its matrix. What config.json says
 * of the labels is held against it where they are read (labels.c). */
static Status count_labels(Bert *m, Error *e)
{
    const SafeTensor *t = spec_find(spec_named("classifier.weight"), 0, m->file);
    if (!t || t->rank != 2) return BERT_OK;             /* check_tensor refuses what is no matrix */
    if (t->shape[0] < 1 || t->shape[0] > MAX_LABELS)
        return fail(e, BERT_FILE, "%s: tensor '%s' has %zu rows, one for each label: expected 1 to %d",
                    tensor_path(m->file, t), t->name, t->shape[0], (int)MAX_LABELS);
    m->config.K = (int)t->shape[0];
    return BERT_OK;
}

/* Which head a classifier is, where config.json's `architectures` does not say it: DistilBERT's sequence classifier has
 * a layer more than its token classifier; and BERT's has a pooler before it. Trap: a pooler that is there proves
 * nothing: older libraries left one in files of token classifiers. */
static void guess_head(Bert *m)
{
    if (!m->has_classifier || m->config.head != HEAD_UNKNOWN) return;
    if (m->config.distilbert) m->config.head = m->has_pre_classifier ? HEAD_SEQUENCE : HEAD_TOKENS;
    else if (!m->has_pooler) m->config.head = HEAD_TOKENS;
}

/* Opens the weight file and binds all of it. What was allocated is freed by bert_free, on success and on error. */
static Status load_tensors(Bert *m, const char *path, Error *e)
{
    GroupTally tally[GROUPS] = {{0}};
    m->file = calloc(1, sizeof *m->file);
    if (!m->file) return fail(e, BERT_SYSTEM, "%s: out of memory", path);
    Status s = weights_open(m->file, path, e);
    if (s == BERT_OK) s = check_kind(m, e);
    if (s) return s;
    m->file->distilbert = m->config.distilbert;         /* what is missing is missing under these names */
    s = count_labels(m, e);
    if (s) return s;
    m->layers = calloc((size_t)m->config.L, sizeof *m->layers);
    m->owned = calloc((size_t)m->config.L * tensor_table_size + tensor_table_size, sizeof *m->owned);
    if (!m->layers || !m->owned) return fail(e, BERT_SYSTEM, "%s: out of memory", path);
    s = bind_all(m, tally, e);
    bind_tied(m);
    if (s == BERT_OK) s = check_groups(m, tally, e);
    if (s == BERT_OK) guess_head(m);
    return s ? s : check_untied(m, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A matrix beside the BERT
 *
 * A ColBERT, a Dense of sentence-transformers, a projection of someone's own: the vectors of such a model are those of
 * its last matrix, and nothing but the name of a tensor says that it has one.
 * ------------------------------------------------------------------------------------------------------------------ */

/* Where a name begins with `part`, or one of its components does: "fit_dense" in "module.fit_dense.weight". */
static bool has_component(const char *name, const char *part)
{
    for (const char *at = strstr(name, part); at; at = strstr(at + 1, part))
        if (at == name || at[-1] == '.') return true;
    return false;
}

/* Inside of a layer: "layer." and a number. LoRA's matrices and other adapters lie there. */
static bool is_in_layer(const char *name)
{
    for (const char *at = strstr(name, "layer."); at; at = strstr(at + 1, "layer."))
        if ((at == name || at[-1] == '.') && at[6] >= '0' && at[6] <= '9') return true;
    return false;
}

/* Whether a tensor belongs to BERT's own parts, to a head of one of the usual names, or to what a training left: a
 * teacher, or TinyBERT's fit_dense, which made its states as wide as the teacher's. */
static bool has_usual_place(const char *name)
{
    static const char *const components[] = {"embeddings.", "pooler.", "cls.", "qa_outputs.", "vocab_transform.",
                                             "vocab_projector.", "teacher", "fit_dense"};
    static const char *const parts[] = {"classif", "lm_head", "predictions"};
    for (size_t i = 0; i < sizeof components / sizeof *components; i++)
        if (has_component(name, components[i])) return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i])) return true;
    return is_in_layer(name);
}

/* The names come in the order of the alphabet: of several it is the same one whatever the order in the file.
 * Why both sides: nn.Linear stores (out,H), a bare parameter that the vectors are multiplied by is (H,out). (V,H) is a
 * decoder, whatever it is called. */
const SafeTensor *matrix_beside(const Bert *m)
{
    const size_t H = (size_t)m->config.H, V = (size_t)m->config.V;
    for (size_t i = 0; i < m->file->count; i++) {
        const SafeTensor *t = m->file->by_name[i];
        if (t->rank != 2 || t->dtype > DTYPE_BF16 || (t->shape[0] != H && t->shape[1] != H)) continue;
        if (t->shape[0] != V && !has_usual_place(t->name)) return t;
    }
    return NULL;
}

/* The two files of a model: how large it is, and its numbers. (The third, vocab.txt, is the tokenizer's.) */
Status bert_load(Bert *m, const char *path, Error *e)
{
    char *directory = NULL, *weights = NULL, *config = NULL;
    memset(m, 0, sizeof *m);
    Status s = model_place(path, &directory, &weights, e);
    if (s == BERT_OK && !weights) s = model_file(&weights, directory, e);
    if (s == BERT_OK) s = path_join(&config, directory, "config.json", e);
    if (s == BERT_OK) s = config_load(&m->config, config, e);
    if (s == BERT_OK) s = load_tensors(m, weights, e);
    if (s) bert_free(m);
    free(directory);
    free(weights);
    free(config);
    return s;
}

void bert_free(Bert *m)
{
    for (size_t i = 0; i < m->owned_count; i++) free(m->owned[i]);
    free(m->owned);
    free(m->layers);
    if (m->file) safetensors_close(m->file);
    free(m->file);
    memset(m, 0, sizeof *m);
}
