/* compare.c - two traces against each other, tensor by tensor, in the order of the data.
 *
 *     names of both -> ours -> the order of the data -> ids first -> tensor by tensor -> the first difference
 *
 * A wrong number spoils everything after it. So the tensors are compared in the order in which they are computed, and
 * the first that differs is where to look: everything before it is right, everything after it may only be a victim.
 *
 * "Differs" needs a measure. Two correct programs do not give the same bits: they add in another order. The measure is
 *
 *     NMSE = sum (x - y)^2 / sum x^2            in decibels, 10 log10 of it
 *
 * which knows no unit and does not depend on how large the numbers of a tensor are. Float32 against float64 gives about
 * -130 dB for BERT-Base, a forgotten bias about -20, and the tolerance of -80 dB lies between. (-80 dB: the differences
 * are a ten thousandth of the numbers, as root mean squares go.)
 */
#include "verify/verify.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Names
 *
 * trace_table (trace.c) says what a trace holds. The table here says how others call the same numbers. `*` is the
 * number of a layer, from 0.
 * ================================================================================================================== */

/* What an alias needs beside the name. SPLIT: the last two dimensions are (head, feature of the head). RAW: scores
 * before the division by sqrt(D), and not masked. BEFORE: the number in the name is one too high, because hidden state
 * l+1 comes from layer l. LAST: the layer is the last one. */
enum { SPLIT = 1, RAW = 2, BEFORE = 4, LAST = 8 };
typedef struct {
    const char *theirs;
    TraceName ours;
    int how;
} Alias;

/* The table of aliases. A leading `bert.`, `bert/` or `distilbert.` and a trailing `:0` are put aside first. */
static const Alias aliases[] = {
    /* Hugging Face: outputs of whole modules and of the model. Traces by hooks on every module hold them too. */
    {"embeddings", TRACE_EMBEDDING_NORM, 0},
    {"embeddings.dropout", TRACE_EMBEDDING_NORM, 0},        /* dropout changes nothing but in training: zeroed_share */
    {"encoder.layer.*.attention.output.dropout", TRACE_ATTENTION_DENSE, 0},
    {"encoder.layer.*.output.dropout", TRACE_OUTPUT_DENSE, 0},
    {"encoder.layer.*.attention.self", TRACE_CONTEXT, 0},
    {"encoder.layer.*.attention.output", TRACE_ATTENTION_NORM, 0},
    {"encoder.layer.*.attention", TRACE_ATTENTION_NORM, 0},
    {"encoder.layer.*.intermediate.intermediate_act_fn", TRACE_INTERMEDIATE, 0},
    {"encoder.layer.*.output", TRACE_OUTPUT_NORM, 0},
    {"encoder.layer.*", TRACE_OUTPUT_NORM, 0},
    {"hidden_states.0", TRACE_EMBEDDING_NORM, 0},
    {"hidden_states.*", TRACE_OUTPUT_NORM, BEFORE},
    {"attentions.*", TRACE_PROBS, 0},
    {"encoder", TRACE_OUTPUT_NORM, LAST},
    {"last_hidden_state", TRACE_OUTPUT_NORM, LAST},
    {"pooler.activation", TRACE_POOLER, 0},
    {"pooler_output", TRACE_POOLER, 0},
    {"cls.predictions.transform", TRACE_TRANSFORM_NORM, 0},
    {"cls.predictions", TRACE_DECODER, 0},
    {"prediction_logits", TRACE_DECODER, 0},
    {"seq_relationship_logits", TRACE_NSP, 0},

    /* Outputs of whole models: of sentence-transformers, of exports to ONNX, of TF-Hub. `logits` are several things:
     * logits_row. */
    {"token_embeddings", TRACE_OUTPUT_NORM, LAST},
    {"sequence_output", TRACE_OUTPUT_NORM, LAST},
    {"encoder_outputs.*", TRACE_OUTPUT_NORM, 0},
    {"pooled_output", TRACE_POOLER, 0},
    {"mlm_logits", TRACE_DECODER, 0},
    {"nsp_logits", TRACE_NSP, 0},

    /* DistilBERT: modules, of which some are whole halves of a block. (Its attention is what its out_lin gives.) */
    {"transformer.layer.*.attention.q_lin", TRACE_QUERY, 0},
    {"transformer.layer.*.attention.k_lin", TRACE_KEY, 0},
    {"transformer.layer.*.attention.v_lin", TRACE_VALUE, 0},
    {"transformer.layer.*.attention.out_lin", TRACE_ATTENTION_DENSE, 0},
    {"transformer.layer.*.attention", TRACE_ATTENTION_DENSE, 0},
    {"transformer.layer.*.sa_layer_norm", TRACE_ATTENTION_NORM, 0},
    {"transformer.layer.*.ffn.lin1", TRACE_INTERMEDIATE_DENSE, 0},
    {"transformer.layer.*.ffn.activation", TRACE_INTERMEDIATE, 0},
    {"transformer.layer.*.ffn.lin2", TRACE_OUTPUT_DENSE, 0},
    {"transformer.layer.*.ffn", TRACE_OUTPUT_DENSE, 0},
    {"transformer.layer.*.output_layer_norm", TRACE_OUTPUT_NORM, 0},
    {"transformer.layer.*", TRACE_OUTPUT_NORM, 0},
    {"transformer", TRACE_OUTPUT_NORM, LAST},
    {"vocab_transform", TRACE_TRANSFORM_DENSE, 0},
    {"activation", TRACE_TRANSFORM_ACT, 0},
    {"vocab_layer_norm", TRACE_TRANSFORM_NORM, 0},
    {"vocab_projector", TRACE_DECODER, 0},

    /* TransformerLens, HookedEncoder: hook names of run_with_cache. Its hook_resid_mid and hook_resid_post are sums
     * before a LayerNorm, which a trace does not have. */
    {"embed.hook_embed", TRACE_WORD, 0},
    {"embed.hook_token_type_embed", TRACE_TOKEN_TYPE, 0},
    {"embed.hook_pos_embed", TRACE_POSITION, 0},
    {"embed.ln.hook_normalized", TRACE_EMBEDDING_NORM, 0},
    {"hook_full_embed", TRACE_EMBEDDING_NORM, 0},
    {"blocks.*.hook_resid_pre", TRACE_OUTPUT_NORM, BEFORE},
    {"blocks.*.attn.hook_q", TRACE_QUERY, SPLIT},
    {"blocks.*.attn.hook_k", TRACE_KEY, SPLIT},
    {"blocks.*.attn.hook_v", TRACE_VALUE, SPLIT},
    {"blocks.*.attn.hook_attn_scores", TRACE_SCORES, 0},
    {"blocks.*.attn.hook_pattern", TRACE_PROBS, 0},
    {"blocks.*.attn.hook_z", TRACE_CONTEXT, SPLIT},
    {"blocks.*.hook_attn_out", TRACE_ATTENTION_DENSE, 0},
    {"blocks.*.ln1.hook_normalized", TRACE_ATTENTION_NORM, 0},
    {"blocks.*.mlp.hook_pre", TRACE_INTERMEDIATE_DENSE, 0},
    {"blocks.*.mlp.hook_post", TRACE_INTERMEDIATE, 0},
    {"blocks.*.hook_mlp_out", TRACE_OUTPUT_DENSE, 0},
    {"blocks.*.ln2.hook_normalized", TRACE_OUTPUT_NORM, 0},
    {"blocks.*.hook_normalized_resid_post", TRACE_OUTPUT_NORM, 0},
    {"mlm_head.ln.hook_normalized", TRACE_TRANSFORM_NORM, 0},

    /* TensorFlow, google-research/bert: names in its graph, and in ONNX files made from it. Its tensors are
     * (sequences * tokens, features). GELU's last product is mul_3. */
    {"embeddings/LayerNorm/batchnorm/add_1", TRACE_EMBEDDING_NORM, 0},
    {"encoder/layer_*/attention/self/query/BiasAdd", TRACE_QUERY, 0},
    {"encoder/layer_*/attention/self/key/BiasAdd", TRACE_KEY, 0},
    {"encoder/layer_*/attention/self/value/BiasAdd", TRACE_VALUE, 0},
    {"encoder/layer_*/attention/self/add", TRACE_SCORES, 0},
    {"encoder/layer_*/attention/self/Softmax", TRACE_PROBS, 0},
    {"encoder/layer_*/attention/self/Reshape_3", TRACE_CONTEXT, 0},
    {"encoder/layer_*/attention/output/dense/BiasAdd", TRACE_ATTENTION_DENSE, 0},
    {"encoder/layer_*/attention/output/LayerNorm/batchnorm/add_1", TRACE_ATTENTION_NORM, 0},
    {"encoder/layer_*/intermediate/dense/BiasAdd", TRACE_INTERMEDIATE_DENSE, 0},
    {"encoder/layer_*/intermediate/dense/mul_3", TRACE_INTERMEDIATE, 0},
    {"encoder/layer_*/output/dense/BiasAdd", TRACE_OUTPUT_DENSE, 0},
    {"encoder/layer_*/output/LayerNorm/batchnorm/add_1", TRACE_OUTPUT_NORM, 0},
    {"pooler/dense/BiasAdd", TRACE_POOLER_DENSE, 0},
    {"pooler/dense/Tanh", TRACE_POOLER, 0},
    {"cls/predictions/transform/dense/BiasAdd", TRACE_TRANSFORM_DENSE, 0},
    {"cls/predictions/transform/dense/mul_3", TRACE_TRANSFORM_ACT, 0},
    {"cls/predictions/transform/LayerNorm/batchnorm/add_1", TRACE_TRANSFORM_NORM, 0},
    {"cls/predictions/BiasAdd", TRACE_DECODER, 0},
    {"cls/seq_relationship/BiasAdd", TRACE_NSP, 0},

    /* llama.cpp and other programs on ggml: names given by its graph callback, with dimensions in C's order (ggml
     * prints them reversed). kq is before the scale and the mask. kqv_out is named twice in the graph, before and after
     * the dense layer: keep the second. Its inp_embd, the sum before the first LayerNorm, is not in a trace. */
    {"inp_norm", TRACE_EMBEDDING_NORM, 0},
    {"Qcur-*", TRACE_QUERY, SPLIT},
    {"Kcur-*", TRACE_KEY, SPLIT},
    {"Vcur-*", TRACE_VALUE, SPLIT},
    {"kq-*", TRACE_SCORES, RAW},
    {"kq_soft_max-*", TRACE_PROBS, 0},
    {"kq_soft_max_ext-*", TRACE_PROBS, 0},
    {"kqv_out-*", TRACE_ATTENTION_DENSE, 0},
    {"ffn_inp-*", TRACE_ATTENTION_NORM, 0},
    {"ffn_up_b-*", TRACE_INTERMEDIATE_DENSE, 0},
    {"ffn_gelu-*", TRACE_INTERMEDIATE, 0},
    {"ffn_out-*", TRACE_OUTPUT_DENSE, 0},
    {"result_embd", TRACE_OUTPUT_NORM, LAST},
};
enum { ALIASES = sizeof aliases / sizeof *aliases, MOST_LAYERS = 1 << 20 };

/* The three rows of ids, and what else they are called. */
enum { MASK = 2 };
const char *const id_names[3][3] = {
    {"input_ids", "input_word_ids", "tokens"},
    {"token_type_ids", "input_type_ids", "segment_ids"},
    {"attention_mask", "input_mask", "one_zero_attention_mask"},
};

/* Does the name fit the pattern, whose `*` stands for digits? Then *layer is their number (-1 without a `*`). The
 * name may be longer than `length`: only so much of it counts.
 *
 *     encoder.layer.*.output.dense   fits   encoder.layer.11.output.dense     with layer 11
 *
 * Six digits at most: the number comes from a file, and must not overflow. */
static bool fits(const char *pattern, const char *name, size_t length, int *layer)
{
    size_t i = 0;
    *layer = -1;
    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            if (i >= length || name[i++] != *pattern) return false;
            continue;
        }
        size_t first = i;
        for (*layer = 0; i < length && name[i] >= '0' && name[i] <= '9' && i - first < 6; i++)
            *layer = *layer * 10 + (name[i] - '0');
        if (i == first) return false;
    }
    return i == length;
}

bool name_fits(const char *pattern, const char *name, int *layer)
{
    return fits(pattern, name, strlen(name), layer);
}

/* Writes the name and the place of that row, in that layer. `order` sorts as the data flow: embeddings, then layer by
 * layer in the order of the table, then the heads, which no number of layers can reach. The two rows that are called
 * `classifier` have one place: of two traces each has one of them, and they belong together. */
static void name_entry(TraceEntry *t, TraceName row, int layer)
{
    const TraceSpec *spec = &trace_table[row];
    const bool per_layer = trace_per_layer(spec), head = spec->group != GROUP_ENCODER;
    const size_t block = per_layer && layer >= 0 ? (size_t)layer : 0;
    const TraceName place = row == TRACE_TOKEN_CLASSIFIER ? TRACE_CLASSIFIER : row;
    spec_name(spec->name, layer, t->name, sizeof t->name);
    t->row = row;
    t->form = spec->form;
    t->layer = per_layer ? layer : -1;
    t->order = (head ? (size_t)MOST_LAYERS : per_layer ? block + 1 : 0) * TRACE_COUNT + place;
}

/* What a name is without the model's own prefix, and without TensorFlow's number of an output: its start into *name,
 * and its length. */
static size_t bare_name(const char **name)
{
    const size_t prefix = !strncmp(*name, "bert.", 5) || !strncmp(*name, "bert/", 5) ? 5 :
                          !strncmp(*name, "distilbert.", 11) ? 11 : 0;
    *name += prefix;
    const size_t length = strlen(*name);
    return length > 2 && !strcmp(*name + length - 2, ":0") ? length - 2 : length;
}

/* Any name to ours; false if it is nobody's. `last` is the number of the last layer, or -1 if nothing says so.
 *
 *     bert/encoder/layer_3/output/dense/BiasAdd:0   ->   encoder.layer.3.output.dense
 *     blocks.0.hook_resid_pre                       ->   embeddings.LayerNorm, what goes into layer 0 */
bool resolve_name(TraceEntry *t, const char *name, int last)
{
    const size_t length = bare_name(&name);
    int layer;
    for (TraceName row = 0; row < TRACE_COUNT; row++)
        if (fits(trace_table[row].name, name, length, &layer)) {
            t->alias = false;
            name_entry(t, row, layer);
            return true;
        }
    for (size_t i = 0; i < ALIASES; i++) {
        const Alias *alias = &aliases[i];
        if (!fits(alias->theirs, name, length, &layer)) continue;
        t->split_heads = alias->how & SPLIT;
        t->unscaled = alias->how & RAW;
        if (alias->how & BEFORE) layer--;
        if (alias->how & LAST) layer = last;
        const bool before_0 = (alias->how & BEFORE) && layer < 0;       /* what goes into layer 0 */
        name_entry(t, before_0 ? TRACE_EMBEDDING_NORM : alias->ours, layer);
        if ((alias->how & LAST) && layer < 0) {                         /* nobody says how many layers there are */
            snprintf(t->name, sizeof t->name, "last_hidden_state");
            t->layer = -1;
            t->order = (size_t)MOST_LAYERS * TRACE_COUNT - 1;
        }
        return true;
    }
    return false;
}

/* =====================================================================================================================
 * A view: the tensors of a trace that have a name, in the order of the data
 * ================================================================================================================== */
/* Ids are integers, everything else in a trace is floating: float16, bfloat16, float32 or float64. */
static bool is_integer(DType dtype)
{
    return dtype != DTYPE_F32 && dtype != DTYPE_F64 && dtype != DTYPE_F16 && dtype != DTYPE_BF16;
}

/* Element i of an integer tensor, whatever its width: PyTorch writes int64, TensorFlow and ggml int32, masks come as
 * bool. The bytes are copied, because the format promises no alignment. */
int64_t integer_element(const SafeTensor *t, size_t i)
{
    const unsigned char *p = (const unsigned char *)t->data + i * dtype_size(t->dtype);
    int64_t wide;
    int32_t word;
    int16_t half;
    assert(i < t->count && is_integer(t->dtype));
    switch (t->dtype) {
    case DTYPE_I64: memcpy(&wide, p, 8); return wide;
    case DTYPE_I32: memcpy(&word, p, 4); return word;
    case DTYPE_I16: memcpy(&half, p, 2); return half;
    case DTYPE_I8:  return (signed char)*p;
    default:        return *p;                                          /* U8, BOOL */
    }
}

/* The dimensions by what they mean. Leading dimensions of 1 go, two dimensions of heads become one, and what is then
 * left in front is the number of sequences:
 *
 *     (1, 22, 768)  ->  B 1, rows 22, cols 768            (1, 22, 12, 64), split  ->  B 1, rows 22, cols 768
 *     (2, 12, 22, 22), scores  ->  B 2, heads 12, rows 22, cols 22
 *
 * False if the rank does not fit the form. Only REF needs this; OTHER's shape is held against it by layout_by_shape. */
static bool read_shape(TraceEntry *t)
{
    static const int ranks[] = {[FORM_TOKENS] = 2, [FORM_SCORES] = 3, [FORM_WHOLE] = 1};
    const int rank = t->kind == ENTRY_LOSS ? 0 : ranks[t->form] + (t->split_heads ? 1 : 0);
    const size_t *shape = t->tensor.shape;
    int n = t->tensor.rank;
    for (; n > rank && shape[0] == 1; n--) shape++;
    if (n == rank - 1 && t->form == FORM_TOKENS && !t->split_heads) {   /* one token, its dimension dropped */
        t->B = 1;
        t->heads = 1;
        t->rows = 1;
        t->cols = shape[0];
        return true;
    }
    if (rank == 0) {                                                    /* one number */
        t->B = t->heads = t->rows = t->cols = 1;
        return n == 0;
    }
    if (n != rank && n != rank + 1) return false;
    t->B = n == rank + 1 ? *shape++ : 1;
    t->heads = t->form == FORM_SCORES ? *shape++ : 1;
    t->rows = t->form != FORM_WHOLE ? *shape++ : 1;
    t->cols = *shape++;
    return !t->split_heads || size_mul(t->cols, *shape, &t->cols);
}

/* The order of the data; of two tensors with one name the one that is called by it comes first, and the others are
 * twins. (A trace by hooks on every module holds encoder.layer.0 and encoder.layer.0.output.LayerNorm.) */
int by_order(const void *a, const void *b)
{
    const TraceEntry *x = a, *y = b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    if (x->alias != y->alias) return x->alias ? 1 : -1;
    return strcmp(x->tensor.name, y->tensor.name);
}

/* Is it one of the three rows of ids, the k-th, under its i-th name? Masks and token types come as floating numbers,
 * too; input_ids do not, for the coarser types of those do not hold every id. */
static bool is_ids(const SafeTensor *t, int *row, int *name)
{
    const char *bare = t->name;
    int layer;
    const size_t length = bare_name(&bare);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 3; i++)
            if (fits(id_names[k][i], bare, length, &layer) && (is_integer(t->dtype) || k > 0)) {
                *row = k;
                *name = i;
                return true;
            }
    return false;
}

/* position_ids are ids, too: which row of the position embeddings each token has. */
static bool is_positions(const SafeTensor *t)
{
    const char *bare = t->name;
    int layer;
    const size_t length = bare_name(&bare);
    return fits("position_ids", bare, length, &layer);
}

/* All of them, each under its first name before any other. */
static void take_ids(TraceView *view, const SafeTensor *tensors, size_t count)
{
    int k, i;
    for (size_t n = 0; n < count; n++) {
        if (is_ids(&tensors[n], &k, &i) && (!view->ids[k].data || i == 0)) view->ids[k] = tensors[n];
        if (is_positions(&tensors[n])) view->positions = tensors[n];
    }
}

/* Is it a mask that is added to the scores: 0 where a key may be seen, and a very low number elsewhere? */
static bool is_added(const SafeTensor *mask)
{
    if (is_integer(mask->dtype)) return false;
    for (size_t i = 0; i < mask->count; i++)
        if (tensor_element(mask, i) > 0) return false;
    return true;
}

/* Number i of a mask of any type. */
static double mask_element(const SafeTensor *mask, size_t i)
{
    return is_integer(mask->dtype) ? (double)integer_element(mask, i) : tensor_element(mask, i);
}

/* Does a mask (..., T, T) hide from each query the keys behind it, and never one of the others that it shows to the
 * last query? */
static bool is_causal(const SafeTensor *mask, size_t T, bool added)
{
    for (size_t i = 0; i < mask->count; i++) {
        const size_t query = i / T % T, key = i % T, last = i - query * T + (T - 1) * T;
        const bool seen = (mask_element(mask, i) == 0) == added, seen_last = (mask_element(mask, last) == 0) == added;
        if (seen != (key <= query && seen_last)) return false;
    }
    return true;
}

/* A mask for each query (B,1,T,T), or for each head, too, is that of the keys if all queries have the same. One in
 * which they have not is another model's, and refused: its first place, and what it is, if it is a known one. */
static Status check_queries(const TraceView *view, const SafeTensor *mask, size_t each, size_t T, bool added, Error *e)
{
    for (size_t i = 0; i < mask->count; i++) {
        const size_t first = i / each * each + i % T;
        if (mask_element(mask, i) == mask_element(mask, first)) continue;
        return fail(e, BERT_FILE, "%s: %s differs by query (input %zu, key %zu: %g for query %zu, %g for query 0): "
                    "%sBERT has one mask for all queries of a text", view->path, mask->name, i / each, i % T,
                    mask_element(mask, i), i / T % T, mask_element(mask, first),
                    is_causal(mask, T, added) ? "it is causal, and hides later tokens as a decoder does; " : "");
    }
    return BERT_OK;
}

/* Is it a mask with a row for each query: (B,1,T,T), (B,A,T,T), or (T,T) for all sequences at once? */
static bool is_square(const SafeTensor *t, const SafeTensor *ids, size_t T)
{
    const size_t N = ids->data ? ids->count : 0;
    if (!N || !T || !t->count || t->rank < 2 || t->shape[t->rank - 1] != T || t->shape[t->rank - 2] != T) return false;
    return t->count % (N * T) == 0 || (t->count == T * T && t->count != N);
}

/* How many tokens a row has: as the input_ids say, or the tensor itself. */
static size_t row_length(const TraceView *view, const SafeTensor *t)
{
    const SafeTensor *ids = &view->ids[0];
    if (ids->data) return ids->rank ? ids->shape[ids->rank - 1] : ids->count;
    return t->rank ? t->shape[t->rank - 1] : t->count;
}

/* A mask as programs have it, under the shape of the input_ids (B,T): (T) or (1,T) for all sequences at once,
 * (B,1,1,T) and (B,1,T,T), and of floating numbers. Whatever else there is stays as it is, and its size will not fit.
 * What is made is malloc'ed into *made. */
static Status settle_mask(const TraceView *view, SafeTensor *t, int64_t **made, Error *e)
{
    const SafeTensor *ids = &view->ids[0];
    const size_t N = ids->count, T = row_length(view, t);
    const bool floating = !is_integer(t->dtype), added = floating && is_added(t);
    const bool shared = ids->data && t->count == T && N > T;
    const bool square = is_square(t, ids, T), one = square && t->count == T * T;
    if (!floating && !shared && !square) return BERT_OK;
    const size_t count = shared || square ? N : t->count, each = !square ? T : one ? T * T : t->count / (N / T);
    if (square && check_queries(view, t, each, T, added, e) != BERT_OK) return e->status;
    *made = calloc(count + 1, sizeof **made);
    if (!*made) return fail(e, BERT_SYSTEM, "%s: out of memory for its ids", view->path);
    for (size_t i = 0; i < count; i++) {
        const size_t from = shared ? i % T : square ? (one ? 0 : i / T * each) + i % T : i;
        (*made)[i] = !floating ? integer_element(t, from) : (tensor_element(t, from) == 0) == added;
    }
    *t = (SafeTensor){.name = t->name, .dtype = DTYPE_I64, .rank = 2, .count = count, .data = *made,
                      .shape = {T ? count / T : 0, T}};
    return BERT_OK;
}

/* Token types or positions, which some programs have as floating numbers: whole ones, or they are refused. One row (T)
 * is for all sequences. */
static Status settle_numbers(const TraceView *view, SafeTensor *t, int64_t **made, Error *e)
{
    const SafeTensor *ids = &view->ids[0];
    const size_t T = row_length(view, t);
    const bool shared = ids->data && t->count == T && ids->count > T;
    const size_t count = shared ? ids->count : t->count;
    const SafeTensor from = *t;
    if (is_integer(t->dtype) && !shared) return BERT_OK;
    *made = calloc(count + 1, sizeof **made);
    if (!*made) return fail(e, BERT_SYSTEM, "%s: out of memory for its ids", view->path);
    for (size_t i = 0; i < count; i++) {
        const double x = mask_element(&from, shared ? i % T : i);
        if (!(fabs(x) <= INT32_MAX) || x != rint(x))
            return fail(e, BERT_FILE, "%s: %s: number %zu is %g, expected a whole number", view->path, t->name, i,
                        unsigned_nan(x));
        (*made)[i] = (int64_t)x;
    }
    t->dtype = DTYPE_I64, t->data = *made, t->count = count;
    if (shared) t->rank = 2, t->shape[0] = T ? count / T : 0, t->shape[1] = T;
    return BERT_OK;
}

static Status settle_row(const TraceView *view, int k, SafeTensor *t, int64_t **made, Error *e)
{
    if (k == 0 || !t->data) return BERT_OK;
    return k == MASK ? settle_mask(view, t, made, e) : settle_numbers(view, t, made, e);
}

/* Does the token count, as far as the trace says? */
static bool is_real(const TraceView *view, size_t i)
{
    const SafeTensor *mask = &view->ids[MASK];
    return !mask->data || !mask->count || integer_element(mask, i % mask->count) != 0;
}

/* A text of which no token counts: any numbers would pass for it.
 * Why: a mask that hides everything would make every program right. */
static Status check_hidden(const TraceView *view, Error *e)
{
    const SafeTensor *mask = &view->ids[MASK];
    const size_t T = mask->data ? row_length(view, mask) : 0, B = T ? mask->count / T : 0;
    for (size_t b = 0; b < B; b++) {
        size_t real_tokens = 0;
        for (size_t i = 0; i < T; i++) real_tokens += integer_element(mask, b * T + i) != 0;
        if (!real_tokens)
            return fail(e, BERT_FILE, "%s: %s: input %zu is 0 for each of its %zu tokens, expected one that counts: of "
                        "a text that is all padding nothing can be compared", view->path, mask->name, b, T);
    }
    return BERT_OK;
}

/* The same ids under a second name: which of two that contradict each other was computed from, nobody can say. Masks
 * are 0 or not; what ids and types padding has does not matter. */
static Status check_second(const TraceView *view, const SafeTensor *x, const SafeTensor *y, int k, Error *e)
{
    const size_t T = row_length(view, x);
    if (x->count != y->count)
        return fail(e, BERT_FILE, "%s: %s has %zu numbers, %s %zu: two names of the same ids", view->path, y->name,
                    y->count, x->name, x->count);
    for (size_t i = 0; i < x->count; i++) {
        const int64_t a = integer_element(x, i), b = integer_element(y, i);
        if (k == MASK ? !a == !b : a == b || !is_real(view, i)) continue;
        return fail(e, BERT_FILE, "%s: %s and %s are two names of the same ids, and contradict each other: input %zu "
                    "token %zu is %lld and %lld", view->path, x->name, y->name, T ? i / T : 0, T ? i % T : i,
                    (long long)a, (long long)b);
    }
    return BERT_OK;
}

/* The ids that the view has not taken, being second names. */
static Status check_seconds(const TraceView *view, const SafeTensor *tensors, size_t count, Error *e)
{
    Status status = BERT_OK;
    int k, i;
    for (size_t n = 0; status == BERT_OK && n < count; n++) {
        SafeTensor t = tensors[n];
        int64_t *made = NULL;
        const bool position = is_positions(&t);
        if (!position && !is_ids(&t, &k, &i)) continue;
        const SafeTensor *first = position ? &view->positions : &view->ids[k];
        if (t.name == first->name) continue;
        status = position ? settle_numbers(view, &t, &made, e) : settle_row(view, k, &t, &made, e);
        if (status == BERT_OK) status = check_second(view, first, &t, position ? 1 : k, e);
        free(made);
    }
    return status;
}

/* All ids in one form, and agreeing with each other. */
static Status settle_ids(TraceView *view, const SafeTensor *tensors, size_t count, Error *e)
{
    for (int k = 1; k < 3; k++)
        if (settle_row(view, k, &view->ids[k], &view->made[k], e) != BERT_OK) return e->status;
    if (view->positions.data && settle_numbers(view, &view->positions, &view->made[0], e) != BERT_OK) return e->status;
    if (check_hidden(view, e) != BERT_OK) return e->status;
    return check_seconds(view, tensors, count, e);
}

/* What `logits` are: K numbers for each sequence or each token (a classifier, if the model has one), one row for each
 * token of V numbers (masked language model), or two numbers for each sequence (next sentence). Anything else has no
 * name here, and false is returned. Of several choices, which are sequences here, there is a number each. */
static bool logits_row(TraceName *row, const SafeTensor *t, const TraceView *view, Known known)
{
    const SafeTensor *ids = &view->ids[0];
    const size_t width = t->rank ? t->shape[t->rank - 1] : 0, rows = width ? t->count / width : 0;
    const size_t T = ids->data && ids->rank ? ids->shape[ids->rank - 1] : 0, B = T ? ids->count / T : 0;
    const bool each_token = !B || rows == ids->count, each_text = B ? rows == B : t->rank < 3;
    if (known.K && known.head == HEAD_CHOICE && t->count == B) *row = TRACE_CLASSIFIER;
    else if (known.K == width && width && known.head == HEAD_TOKENS && each_token) *row = TRACE_TOKEN_CLASSIFIER;
    else if (known.K == width && width && known.head != HEAD_TOKENS && each_text) *row = TRACE_CLASSIFIER;
    else if (width == 2 && each_text) *row = TRACE_NSP;
    else if (width > 2 && (!known.V || width == known.V) && each_token) *row = TRACE_DECODER;
    else return false;
    return true;
}

/* The highest layer that any name speaks of, or -1: where last_hidden_state belongs. */
int last_layer(const SafeTensor *tensors, size_t count)
{
    int last = -1;
    for (size_t i = 0; i < count; i++) {
        TraceEntry t = {.layer = -1};
        if (resolve_name(&t, tensors[i].name, -1) && t.layer > last) last = t.layer;
    }
    return last;
}

/* Which share of a tensor's numbers is exactly 0, rows of nothing but zeros (padding) left out. */
static double zero_share(const SafeTensor *t)
{
    const size_t width = t->rank ? t->shape[t->rank - 1] : 0;
    size_t zeros = 0, counted = 0;
    for (size_t row = 0; width && row < t->count / width; row++) {
        size_t here = 0;
        for (size_t i = 0; i < width; i++) here += tensor_element(t, row * width + i) == 0;
        if (here == width) continue;
        zeros += here;
        counted += width;
    }
    return counted ? (double)zeros / (double)counted : 0;
}

/* Which share of a tensor dropout made 0: a tenth of its numbers, as a rule, where a sum or a LayerNorm hardly ever has one.
 * 0: it did not, or such a tensor says nothing about it. */
double zeroed_share(const TraceEntry *t)
{
    enum { FEWEST = 256 };
    const bool sum = t->row == TRACE_EMBEDDING_NORM || t->row == TRACE_ATTENTION_DENSE || t->row == TRACE_OUTPUT_DENSE;
    const bool passed = t->kind == ENTRY_VALUE || t->kind == ENTRY_GRADIENT;
    const double share = sum && passed && !is_integer(t->tensor.dtype) && t->tensor.count >= FEWEST ? zero_share(&t->tensor) : 0;
    return share > 0.02 ? share : 0;
}

/* A model in training drops a tenth of its numbers at random. Nothing after that can be compared, or explained. Says so, if
 * it is so. */
bool print_dropped(const TraceView *other, FILE *out)
{
    for (size_t i = 0; i < other->count; i++) {
        const double share = zeroed_share(&other->entries[i]);
        char name[100], line[256];
        if (share == 0) continue;
        escape(name, sizeof name, other->entries[i].tensor.name);
        snprintf(line, sizeof line, "best explanation: dropout is on, %.0f %% of the numbers in %s are 0: call "
                 "model.eval() before recording", 100 * share, name);
        print_wrapped(out, line);
        return true;
    }
    return false;
}

/* A tensor of the file into the view: under our name for it, or noted as unknown. */
static void take_tensor(TraceView *view, const SafeTensor *tensor, Known known)
{
    TraceEntry t = {.tensor = *tensor, .alias = true};
    TraceName row;
    if (!strcmp(tensor->name, "logits") && logits_row(&row, tensor, view, known)) {
        name_entry(&t, row, -1);
    } else if (!resolve_gradient(&t, tensor->name, known.last) && !resolve_name(&t, tensor->name, known.last)) {
        view->unknown[view->unknown_count++] = tensor->name;
        return;
    }
    if (!read_shape(&t)) t.B = 0;                                       /* a shape that fits no form */
    view->entries[view->count++] = t;
}

/* How many tokens the trace is of, by its ids or by its first tensor of tokens; 0: nothing says so. */
static size_t count_tokens(const TraceView *view)
{
    if (view->ids[0].data) return view->ids[0].count;
    for (size_t i = 0; i < view->count; i++) {
        const TraceEntry *t = &view->entries[i];
        if (t->kind != ENTRY_VALUE) break;
        if (t->row <= TRACE_EMBEDDING_NORM || (t->form == FORM_TOKENS && t->layer >= 0)) return t->B * t->rows;
    }
    return 0;
}

/* A `classifier` that has a row for each token is one of tokens. */
static void find_token_classifier(TraceView *view)
{
    const size_t N = count_tokens(view);
    for (size_t i = 0; i < view->count; i++) {
        TraceEntry *t = &view->entries[i];
        const size_t K = t->tensor.rank ? t->tensor.shape[t->tensor.rank - 1] : 0;
        if (t->kind != ENTRY_VALUE || t->row != TRACE_CLASSIFIER || N < 2) continue;
        if (!K || t->tensor.count / K != N || t->tensor.count % K) continue;
        name_entry(t, TRACE_TOKEN_CLASSIFIER, -1);
        if (!read_shape(t)) t->B = 0;
    }
}

/* One tensor for each name stays with the entries, which are sorted; the others go to the twins. */
static Status part_twins(TraceView *view, Error *e)
{
    size_t kept = 0;
    view->twins = calloc(view->count + 1, sizeof *view->twins);
    if (!view->twins) return fail(e, BERT_SYSTEM, "%s: out of memory", view->path);
    for (size_t i = 0; i < view->count; i++) {
        const TraceEntry t = view->entries[i];
        if (kept && t.order == view->entries[kept - 1].order) view->twins[view->twin_count++] = t;
        else view->entries[kept++] = t;
    }
    view->count = kept;
    return BERT_OK;
}

/* From the tensors of a file, in whatever order and under whatever names, to entries in the order of the data. What
 * has no name here (weights, somebody's own tensors) is left out, but its name is kept, to be shown. */
Status view_make(TraceView *view, const char *path, const SafeTensor *tensors, size_t count, Known known, Error *e)
{
    *view = (TraceView){.path = path, .entries = calloc(count + 1, sizeof *view->entries),
                        .unknown = calloc(count + 1, sizeof *view->unknown)};
    if (!view->entries || !view->unknown) return fail(e, BERT_SYSTEM, "%s: out of memory", path);
    take_ids(view, tensors, count);
    if (settle_ids(view, tensors, count, e) != BERT_OK) return e->status;
    for (size_t i = 0; i < count; i++)
        if (!is_ids(&tensors[i], &(int){0}, &(int){0}) && !is_positions(&tensors[i]) && !is_label_name(tensors[i].name))
            take_tensor(view, &tensors[i], known);
    find_token_classifier(view);
    qsort(view->entries, view->count, sizeof *view->entries, by_order);
    return part_twins(view, e);
}

void view_free(TraceView *view)
{
    for (int k = 0; k < 3; k++) free(view->made[k]);
    free(view->entries);
    free(view->twins);
    free(view->unknown);
    *view = (TraceView){0};
}

size_t view_values(const TraceView *view)
{
    size_t n = 0;
    while (n < view->count && view->entries[n].kind == ENTRY_VALUE) n++;
    return n;
}

/* The entry of the same name. A name has one place in the order of the data, and entries are sorted by that: so the
 * place is looked for, by halving.
 * Why: a hostile trace has a hundred thousand names, and a search from the front for each would take minutes. */
const TraceEntry *view_find(const TraceView *view, const TraceEntry *like)
{
    size_t first = 0, last = view->count;                               /* it is in first .. last-1, or not there */
    while (first < last) {
        size_t middle = first + (last - first) / 2;
        if (view->entries[middle].order == like->order) return &view->entries[middle];
        if (view->entries[middle].order < like->order) first = middle + 1;
        else last = middle;
    }
    return NULL;
}

/* =====================================================================================================================
 * One tensor against another
 * ================================================================================================================== */

/* Padding is computed by everybody and used by nobody: its rows, and the keys that no one may look at, do not count.
 * What belongs to the whole sequence comes from its first token, which left padding masks. Trap: comparing them all
 * makes two correct programs differ, since one skips padding and another gives it -10000. */
bool element_counts(const TraceEntry *t, const Criteria *criteria, size_t i)
{
    if (!criteria->mask || (t->kind != ENTRY_VALUE && t->kind != ENTRY_GRADIENT)) return true;
    const Place p = place_at(t, i);
    const size_t rows = t->form == FORM_WHOLE ? 1 : t->rows;
    if (p.b >= criteria->B || rows > criteria->T) return true;                /* rows are not tokens here */
    const int32_t *mask = criteria->mask + p.b * criteria->T;
    if (t->form == FORM_SCORES && p.col < criteria->T && !mask[p.col]) return false;
    return mask[t->form == FORM_WHOLE ? 0 : p.row] != 0;
}

/* Scores before the division by sqrt(D), as ggml has them, become scores: D = H / A, from the width of a hidden state
 * and the number of heads. Where one of the two is unknown they are left alone, and will differ by a constant. */
static double scale_of(const TraceEntry *t, const TraceEntry *ref, const Criteria *criteria)
{
    if (!t->unscaled || !criteria->H || !ref->heads) return 1;
    return 1 / sqrt((double)criteria->H / (double)ref->heads);
}

/* Element i in REF's order, wherever the layout has it; NULL: REF itself. */
static double element(const TraceEntry *t, const Layout *layout, double scale, const TraceEntry *ref, size_t i)
{
    const bool plain = !layout || (!layout->shared && !*layout->order);
    return scale * tensor_element(&t->tensor, plain ? i : layout_index(layout, place_at(ref, i)));
}

/* The same for verify.c, which writes OTHER's numbers into its own buffers. */
double other_element(const TraceEntry *ref, const TraceEntry *other, const Result *r, const Criteria *criteria,
                     size_t i)
{
    return element(other, &r->layout, scale_of(other, ref, criteria), ref, i);
}

/* Bits of a number's fraction, the leading one included: float64 53, float32 24, float16 11, bfloat16 8. */
static int precision(DType dtype)
{
    return dtype == DTYPE_F64 ? 53 : dtype == DTYPE_F32 ? 24 : dtype == DTYPE_F16 ? 11 : 8;
}

/* x rounded to the nearest number of that type. Both sides are compared in the coarser type of the two, so that what
 * a trace in float16 lost in the file is not taken for a mistake: rounding alone would be -71 dB, and no trace in
 * float16 could ever pass at -80. What that leaves of an NMSE: apart. */
double round_to(double x, DType dtype)
{
    int exponent, bits = precision(dtype);
    if (dtype == DTYPE_F64 || x == 0 || !isfinite(x)) return x;
    if (fabs(x) > FLT_MAX) return copysign(INFINITY, x);
    if (dtype == DTYPE_F32) return (double)(float)x;
    double fraction = frexp(x, &exponent);                              /* x = fraction 2^exponent, from 1/2 to 1 */
    if (dtype == DTYPE_F16 && exponent < -13) bits -= -13 - exponent;   /* below 2^-14 float16 loses bits one by one */
    double rounded = ldexp(rint(ldexp(fraction, bits)), exponent - bits);
    return dtype == DTYPE_F16 && fabs(rounded) > 65504 ? copysign(INFINITY, x) : rounded;
}

/* Half the distance from y, a number of half precision, to the next one: whatever is nearer to y is written as y. */
double half_step_at(double y, DType dtype)
{
    int exponent;
    frexp(y, &exponent);
    if (dtype == DTYPE_F16 && exponent < -13) exponent = -13;           /* the steps get no smaller below 2^-14 */
    return ldexp(0.5, exponent - precision(dtype));
}

bool is_half(DType dtype)
{
    return dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

/* One pair of numbers: as both are in the coarser type, and how far apart they count as. */
typedef struct {
    double x, y, apart;
    double weight;                  /* not 0: both are written in half precision; and ... */
    bool one_step;                  /* ... are neighbours there: see add_steps */
} Pair;

/* How far y was from x before it was written in half precision, as well as the file shows it. An error d before
 * writing, with x anywhere between two steps of size u, makes
 *
 *     of max(0, (x - y)^2 - (u/2)^2) the mean d^2/2 + d^3/3u where d < u, and d^2 beyond: d^2 but for 3 dB
 *
 * and exactly 0 where d is. Why: with x rounded, too, the mean of (x - y)^2 is u d, for now and then x and y are
 * rounded to two sides. A right BERT-Base in bfloat16 is at -74 dB then: one feature of 60 that lies like that. */
static double apart(double x, double y, double half)
{
    const double d = fabs(x - y);
    return d > half ? sqrt((d - half) * (d + half)) : 0;
}

/* Sums over the numbers of one tensor pair, each divided by 2^exponent: see exponent_of. */
typedef struct {
    int exponent;
    double largest;                                                     /* of what counts as the difference */
    double squares, other_squares, product, differences;                /* x^2, y^2, xy, (x-y)^2 */
    double all_squares, all_differences;                                /* with the masked ones */
    double steps, weights;                                              /* see add_steps */
    size_t broken;                                                      /* numbers outside `exact` or atol, rtol */
} Sums;

/* x as it goes into the sums. */
static double scaled(double x, const Sums *s)
{
    return s->exponent ? ldexp(x, -s->exponent) : x;
}

/* Both sides are written in half precision. An error d before that makes x and y two neighbours in d/u of all pairs,
 * and equal in the others: nothing can be said of one pair, but the mean of |x - y| is that of d. Weighed by w,
 *
 *     (sum w |x - y|)^2 / sum w^2  <=  sum d^2         (Cauchy and Schwarz; equal where all d are alike)
 *
 * With w = 1/u, but no more than for a number of ordinary size, the few that are much larger do not decide alone.
 * False: the two are no neighbours, and count as any others. */
static bool add_steps(Sums *s, Pair pair)
{
    if (pair.weight == 0) return false;
    s->weights += pair.weight * pair.weight;
    if (pair.one_step) s->steps += pair.weight * pair.apart;
    return pair.one_step;
}

/* Whether x and y are near enough one by one; under an NMSE no single number decides. */
static bool close_enough(double x, double y, const Tolerance *t)
{
    if (t->kind == TOLERANCE_EXACT) return x == y && signbit(x) == signbit(y);
    return t->kind == TOLERANCE_NMSE || fabs(x - y) <= t->atol + t->rtol * fabs(x);
}

/* Both scores hide their key, each in its own way: -3.4e38 here, and there -10000 or minus infinity, of which a softmax
 * makes the same 0. Beside such a number all others would be rounding, so that the two are taken for 0. (A masked key
 * is not counted; these are of masks that hide more, which mistakes.c has.) */
static bool both_hide(const TraceEntry *ref, double x, double y)
{
    const double lowest = x < y ? x : y;
    return ref->form == FORM_SCORES && ref->kind == ENTRY_VALUE && lowest < -1e30 && x < -1e3 && y < -1e3;
}

/* A score of minus infinity as a number that hides as well; everything else as it is. */
double finite_score(const TraceEntry *t, double x)
{
    return t->form == FORM_SCORES && t->kind == ENTRY_VALUE && x == -INFINITY ? (double)-FLT_MAX : x;
}

/* One pair of numbers that count. A NaN ends the matter, and so does an infinity that REF does not have: no sum could
 * hold them, and nobody means them. Trap: comparisons with NaN are false, so a check of the form "fail if |x - y| >
 * tolerance" lets every NaN pass. */
static void add_pair(Result *r, Sums *s, Pair pair, size_t i, int bits, const Tolerance *tolerance)
{
    const double x = pair.x, y = pair.y;
    int exponent;
    r->counted++;
    if (r->word) return;
    if (!isfinite(x) || !isfinite(y)) {
        if (x == y) return;                                             /* the same infinity */
        r->word = isnan(x) || isnan(y) ? "NaN" : "infinite";
        r->where = i;
        r->expected = unsigned_nan(x);
        r->found = unsigned_nan(y);
        return;
    }
    const double d = fabs(x - y), u = scaled(x, s), v = scaled(y, s), w = scaled(pair.apart, s);
    if (!close_enough(x, y, tolerance)) s->broken++;
    s->squares += u * u, s->other_squares += v * v, s->product += u * v;
    if (!add_steps(s, pair)) s->differences += w * w;
    if (pair.apart > s->largest || r->counted == 1)
        s->largest = pair.apart, r->max_abs = d, r->where = i, r->expected = x, r->found = y;
    frexp(x != 0 ? x : y, &exponent);
    const double ulp = d / ldexp(1, exponent - bits);                   /* the distance between x and its neighbour */
    if (ulp > r->ulp) r->ulp = ulp;
}

/* A masked pair: shown, not counted. Masked scores are as low as it pleases everyone (-10000, -3.4e38, minus
 * infinity), so they are not even shown. */
static void add_masked(Result *r, const TraceEntry *ref, Pair pair)
{
    const double d = pair.apart;
    bool score = ref->form == FORM_SCORES && (pair.x < -1e3 || pair.y < -1e3);
    if (!score && (isnan(d) || d > r->masked_max)) r->masked_max = isnan(d) ? INFINITY : d;
}

/* What the sums say. Where REF is all zeros, any difference is infinitely large. */
static void conclude(Result *r, Sums *s, const Tolerance *tolerance)
{
    if (s->weights > 0) s->differences += s->steps * s->steps / s->weights;
    const double n = r->counted ? (double)r->counted : 1, lengths = sqrt(s->squares) * sqrt(s->other_squares);
    r->rms = ldexp(sqrt(s->differences / n), s->exponent);
    r->nmse = s->differences == 0 ? 0 : s->squares > 0 ? s->differences / s->squares : INFINITY;
    r->nmse_all = s->all_differences == 0 ? 0 : s->all_squares > 0 ? s->all_differences / s->all_squares : INFINITY;
    r->cosine = lengths > 0 ? s->product / lengths : s->squares == s->other_squares;
    r->passes = !r->word && (tolerance->kind == TOLERANCE_NMSE ? decibel(r->nmse) <= tolerance->decibel : !s->broken);
}

/* Squares of 1e200 or of 1e-200 are beyond a double: their sums would be infinite, or 0, and their quotient no number,
 * or 0, which passes. The power of two that brings the largest number of a float64 pair near 1; 0 where no square is
 * in danger, and for all other types, whose squares fit. */
static int exponent_of(const TraceEntry *ref, const TraceEntry *other, const Layout *layout, DType coarse)
{
    double largest = 0;
    int exponent;
    for (size_t i = 0; coarse == DTYPE_F64 && i < ref->tensor.count; i++) {
        double x = fabs(element(ref, NULL, 1, ref, i)), y = fabs(element(other, layout, 1, ref, i));
        if (isfinite(x) && x > largest) largest = x;
        if (isfinite(y) && y > largest) largest = y;
    }
    frexp(largest, &exponent);
    return abs(exponent) > 400 ? exponent : 0;
}

/* How two tensors are read: the scales of both, the coarser type, and which side alone is written in it, if that is
 * half precision. */
typedef struct {
    double x_scale, y_scale;
    DType coarse;
    bool x_written, y_written;
    double ordinary;                /* both are: the step of a number of ordinary size; else 0 */
} Reading;

/* The root of the mean square of what counts in REF. */
static double ordinary_size(const TraceEntry *ref, const Criteria *criteria)
{
    double squares = 0, counted = 0;
    for (size_t i = 0; i < ref->tensor.count; i++) {
        const double x = tensor_element(&ref->tensor, i);
        if (!element_counts(ref, criteria, i) || !(fabs(x) < 1e30)) continue;
        squares += x * x;
        counted++;
    }
    return counted > 0 ? sqrt(squares / counted) : 0;
}

static Reading reading_of(const TraceEntry *ref, const TraceEntry *other, const Criteria *criteria)
{
    const DType a = ref->tensor.dtype, b = other->tensor.dtype;
    const bool one = is_half(a) != is_half(b) && !criteria->computed_so;
    const bool both = is_half(a) && is_half(b) && !criteria->computed_so;
    Reading how = {scale_of(ref, ref, criteria), scale_of(other, ref, criteria), precision(a) < precision(b) ? a : b,
                   one && is_half(a), one && is_half(b), 0};
    if (both) how.ordinary = 2 * half_step_at(how.x_scale * ordinary_size(ref, criteria), how.coarse);
    return how;
}

/* Two numbers of the files as a pair. */
static Pair pair_of(const TraceEntry *ref, double x, double y, const Reading *how, const Criteria *criteria)
{
    const double fine_x = finite_score(ref, how->x_scale * x), fine_y = finite_score(ref, how->y_scale * y);
    Pair p = {.x = finite_score(ref, round_to(fine_x, how->coarse)),
              .y = finite_score(ref, round_to(fine_y, how->coarse))};
    if (criteria->tolerance.kind != TOLERANCE_EXACT && both_hide(ref, p.x, p.y)) return (Pair){0};
    p.apart = p.x == p.y ? 0 : fabs(p.x - p.y);                        /* two infinities have no difference */
    if (how->ordinary > 0) {
        const double step = 2 * half_step_at(fabs(p.x) > fabs(p.y) ? p.x : p.y, how->coarse);
        p.weight = 1 / (step > how->ordinary ? step : how->ordinary);
        p.one_step = p.apart <= step;
    }
    if (!(p.apart > 0) || !isfinite(p.apart)) return p;
    if (how->x_written) p.apart = apart(fine_x, fine_y, how->x_scale * half_step_at(x, how->coarse));
    if (how->y_written) p.apart = apart(fine_x, fine_y, how->y_scale * half_step_at(y, how->coarse));
    return p;
}

/* One tensor pair, number by number, into *r. */
void compare_laid_out(Result *r, const TraceEntry *ref, const TraceEntry *other, const Layout *layout,
                      const Criteria *criteria)
{
    const Reading how = reading_of(ref, other, criteria);
    Sums s = {.exponent = exponent_of(ref, other, layout, how.coarse)};
    *r = (Result){.comparable = true, .layout = *layout};
    const Slicing *const slicing = criteria->slicing;
    for (size_t i = 0; i < ref->tensor.count; i++) {
        size_t k = i;
        if (slicing && slicing->exchanged) k = index_at(ref, place_exchanged(ref, slicing, place_at(ref, i)));
        else if (slicing && slice_at(ref, slicing, place_at(ref, i)) == slicing->first) continue;
        const Pair p = pair_of(ref, element(ref, NULL, 1, ref, i), element(other, layout, 1, ref, k), &how, criteria);
        const double u = scaled(p.x, &s), w = scaled(p.apart, &s);
        if (isfinite(p.x) && isfinite(p.y)) s.all_squares += u * u, s.all_differences += w * w;
        if (element_counts(ref, criteria, i)) add_pair(r, &s, p, i, precision(how.coarse), &criteria->tolerance);
        else add_masked(r, ref, p);
    }
    conclude(r, &s, &criteria->tolerance);
}

/* The same in the layout that OTHER's shape says. With `word` set the numbers could not be compared, or should not be:
 * another shape, integers, a NaN. */
void compare_entries(Result *r, const TraceEntry *ref, const TraceEntry *other, const Criteria *criteria)
{
    Layout layout;
    *r = (Result){.word = "dtype"};
    if (is_integer(ref->tensor.dtype) || is_integer(other->tensor.dtype)) return;
    r->word = "shape";
    if (ref->B && layout_by_shape(&layout, ref, &other->tensor)) compare_laid_out(r, ref, other, &layout, criteria);
}

/* A ratio of powers in decibels: 1 is 0, a tenth -10, a millionth -60; equal is minus infinity. */
double decibel(double ratio)
{
    return ratio > 0 ? 10 * log10(ratio) : -INFINITY;
}

/* For people, whole decibels are enough. 0.0 is added because -0.3 rounds to -0. */
void put_decibel(char text[24], double ratio)
{
    if (ratio == 0) snprintf(text, 24, "equal");
    else snprintf(text, 24, isfinite(ratio) ? "%.0f dB" : "infinite", rint(decibel(ratio)) + 0.0);  /* + 0.0: no -0 */
}

/* Where a number stands, in words that lead back to the text: a token, a head, a feature. */
void put_place(char text[96], const TraceEntry *t, size_t i)
{
    const Place p = place_at(t, i);
    int n = t->B > 1 ? snprintf(text, 96, "input %zu ", p.b) : 0;
    if (t->kind == ENTRY_WEIGHT && t->form == FORM_TOKENS) snprintf(text, 96, "row %zu column %zu", p.row, p.col);
    else if (t->kind == ENTRY_LOSS) snprintf(text, 96, "its only number");
    else if (t->kind == ENTRY_WEIGHT || t->kind == ENTRY_BIAS) snprintf(text, 96, "number %zu", p.col);
    else if (t->form == FORM_TOKENS) snprintf(text + n, 96 - (size_t)n, "token %zu feature %zu", p.row, p.col);
    else if (t->form == FORM_WHOLE) snprintf(text + n, 96 - (size_t)n, "feature %zu", p.col);
    else snprintf(text + n, 96 - (size_t)n, "head %zu query %zu key %zu", p.head, p.row, p.col);
}

/* The same as an index in Python: (7,381). */
void put_place_index(char text[96], const TraceEntry *t, size_t i)
{
    const Place p = place_at(t, i);
    int n = snprintf(text, 96, "(");
    if (t->B > 1) n += snprintf(text + n, 96 - (size_t)n, "%zu,", p.b);
    if (t->form == FORM_TOKENS) snprintf(text + n, 96 - (size_t)n, "%zu,%zu)", p.row, p.col);
    else if (t->form == FORM_WHOLE) snprintf(text + n, 96 - (size_t)n, t->B > 1 ? "%zu)" : "%zu,)", p.col);
    else snprintf(text + n, 96 - (size_t)n, "%zu,%zu,%zu)", p.head, p.row, p.col);
}

/* =====================================================================================================================
 * One trace against another
 * ================================================================================================================== */

/* Is the next tensor that is made from this one nearly right? Then this one was right when it was used. */
bool used_rightly(const TraceComparison *c, size_t i)
{
    enum { NEARLY_DB = -25 };
    Layout layout;
    size_t next = i + 1;
    while (next < c->ref->count && !c->pairs[next]) next++;
    if (next == c->ref->count) return false;
    const Result *r = &c->results[next];
    if (r->comparable && !r->word && decibel(r->nmse) <= NEARLY_DB) return true;
    return layout_by_numbers(&layout, &c->ref->entries[next], c->pairs[next], &c->criteria);
}

bool is_attention(TraceName row)
{
    return row == TRACE_SCORES || row == TRACE_PROBS || row == TRACE_CONTEXT;
}

/* A tensor that differs may be the right one with its numbers in another order: then it is read in that order. Of the
 * attention this is believed only if what follows is right, because a program may really have put its heads together
 * in the wrong order, or swapped queries and keys. */
static void reorder(TraceComparison *c, size_t i)
{
    const TraceEntry *ref = &c->ref->entries[i], *other = c->pairs[i];
    Result *r = &c->results[i];
    Layout layout;
    if (r->word && strcmp(r->word, "shape") != 0) return;
    if (!layout_by_numbers(&layout, ref, other, &c->criteria)) return;
    if (!is_attention(ref->row) || used_rightly(c, i)) compare_laid_out(r, ref, other, &layout, &c->criteria);
}

/* How many pairs differ, and the first of them. */
void comparison_count(TraceComparison *c)
{
    c->different = 0;
    c->first = c->ref->count;
    for (size_t i = c->ref->count; i-- > 0; ) {
        if (!c->pairs[i] || c->results[i].passes) continue;
        c->different++;
        c->first = i;
    }
}

/* A key's bias changes no probability (learn.c, step 7): its gradient is 0 but for rounding, and has no size of its
 * own. It is held against that of the key's weights, or passes where REF does not have them. */
static void judge_key_bias(TraceComparison *c, size_t i)
{
    const TraceEntry *ref = &c->ref->entries[i];
    Result *r = &c->results[i];
    double squares = 0;
    if (ref->kind != ENTRY_BIAS || ref->row != TRACE_KEY || !r->comparable || r->word) return;
    const TraceEntry *weight = i > 0 && c->ref->entries[i - 1].layer == ref->layer ? &c->ref->entries[i - 1] : NULL;
    const bool there = weight && weight->kind == ENTRY_WEIGHT && weight->row == TRACE_KEY;
    for (size_t k = 0; there && k < weight->tensor.count; k++) {
        const double x = tensor_element(&weight->tensor, k);
        squares += x * x / (double)weight->tensor.count;
    }
    r->nmse = r->nmse_all = squares > 0 ? r->rms * r->rms / squares : 0;
    if (c->criteria.tolerance.kind == TOLERANCE_NMSE) r->passes = decibel(r->nmse) <= c->criteria.tolerance.decibel;
}

/* All pairs once more, in the layouts that were found the first time. */
void comparison_run(TraceComparison *c)
{
    for (size_t i = 0; i < c->ref->count; i++) {
        const TraceEntry *ref = &c->ref->entries[i];
        Result *r = &c->results[i];
        const Layout layout = r->layout;
        if (!c->pairs[i]) continue;
        if (r->comparable) compare_laid_out(r, ref, c->pairs[i], &layout, &c->criteria);
        else compare_entries(r, ref, c->pairs[i], &c->criteria);
        judge_key_bias(c, i);
    }
    comparison_count(c);
}

/* Finds each tensor of REF on the other side, and compares it. What was allocated is freed by comparison_free. */
Status comparison_new(TraceComparison *c, const TraceView *ref, const TraceView *other, const Criteria *criteria,
                      Error *e)
{
    *c = (TraceComparison){.ref = ref, .other = other, .criteria = *criteria};
    c->pairs = calloc(ref->count + 1, sizeof *c->pairs);
    c->results = calloc(ref->count + 1, sizeof *c->results);
    if (!c->pairs || !c->results) return fail(e, BERT_SYSTEM, "%s: out of memory", other->path);
    for (size_t i = 0; i < ref->count; i++) {
        const TraceEntry *t = &ref->entries[i];
        c->pairs[i] = view_find(other, t);
        /* PyTorch looks positions up once for all sequences: there is one gradient, their sum, as in the weights'. */
        const bool summed = t->kind == ENTRY_GRADIENT && t->row == TRACE_POSITION && t->B > 1 && c->pairs[i] &&
                            c->pairs[i]->tensor.count < t->tensor.count;
        if (summed) c->pairs[i] = NULL;
        if (c->pairs[i]) c->compared++;
    }
    comparison_run(c);
    for (size_t i = 0; i < ref->count; i++)
        if (c->pairs[i] && !c->results[i].passes) reorder(c, i);
    comparison_count(c);
    return BERT_OK;
}

void comparison_free(TraceComparison *c)
{
    free(c->pairs);
    free(c->results);
    free(c->twins);
    *c = (TraceComparison){0};
}

/* =====================================================================================================================
 * compare: two files
 * ================================================================================================================== */

/* Which tokens count, from REF's mask or else OTHER's, and the width of a hidden state, from the first tensor that
 * has it. *mask is malloc'ed. Without a mask anywhere every token counts. */
static Status read_criteria(Criteria *criteria, int32_t **mask, const TraceView *ref, const TraceView *other, Error *e)
{
    const SafeTensor *t = ref->ids[2].data ? &ref->ids[2] : &other->ids[2];
    const TraceEntry *query = NULL;
    for (size_t i = 0; i < ref->count && !query; i++)
        if (strstr(ref->entries[i].name, "query") || strstr(ref->entries[i].name, "LayerNorm"))
            query = &ref->entries[i];
    criteria->H = query ? query->cols : 0;
    for (size_t i = 0; i < ref->count && !criteria->A; i++) criteria->A = ref->entries[i].form == FORM_SCORES ?
                                                                          ref->entries[i].heads : 0;
    *mask = NULL;
    if (!t->data || t->rank < 1 || t->count == 0) return BERT_OK;
    criteria->T = t->shape[t->rank - 1];
    criteria->B = t->count / criteria->T;
    criteria->mask = *mask = calloc(t->count, sizeof **mask);
    if (!*mask) return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t i = 0; i < t->count; i++) (*mask)[i] = integer_element(t, i) != 0;
    return BERT_OK;
}

/* No tensor in common is an error, not a success. */
static Status judge(TraceComparison *c, bool table, FILE *out, Error *e)
{
    const TraceView *ref = c->ref, *other = c->other;
    if (!c->compared && (!ref->count || !other->count)) return fail_unknown(other->count ? ref : other, e);
    if (!c->compared)
        return fail(e, BERT_FILE, "%s and %s have no tensor in common under any name that is known here", ref->path,
                    other->path);
    if (comparison_twins(c, e) != BERT_OK) return e->status;
    print_comparison(c, "REF", table, out);
    print_last_line(c, out);
    if (!c->different && !c->twins_different) return BERT_OK;
    return fail(e, BERT_DIFFERENT, "%s differs from %s", other->path, ref->path);
}

/* Ids first. If they differ nothing else is printed: a table of consequences would only distract. */
static Status compare_views(const TraceView views[2], const Tolerance *tolerance, bool table, FILE *out, Error *e)
{
    const TraceView *ref = &views[0], *other = &views[1];
    Criteria criteria = {.tolerance = *tolerance};
    TraceComparison c = {0};
    int32_t *mask;
    char sentence[256];
    compare_ids(sentence, ref, other, NULL);
    if (*sentence) {
        fprintf(out, "first difference: %s\n", sentence);
        return fail(e, BERT_DIFFERENT, "%s was made from other ids than %s", other->path, ref->path);
    }
    Status status = read_criteria(&criteria, &mask, ref, other, e);
    if (status == BERT_OK) status = comparison_new(&c, ref, other, &criteria, e);
    if (status == BERT_OK) status = judge(&c, table, out, e);
    comparison_free(&c);
    free(mask);
    return status;
}

/* Two files, opened and checked as hostile as any; then two views, which agree on which layer is the last one. */
Status compare_traces(const char *ref, const char *other, const Tolerance *tolerance, bool table, FILE *out, Error *e)
{
    Safetensors files[2];
    TraceView views[2] = {{0}};
    const char *const paths[2] = {ref, other};
    memset(files, 0, sizeof files);
    int last = -1;                                                      /* the last layer that either speaks of */
    Status status = safetensors_open(&files[0], ref, e);
    if (status == BERT_OK) status = safetensors_open(&files[1], other, e);
    for (int i = 0; i < 2; i++) {
        int own = last_layer(files[i].tensors, files[i].count);
        last = own > last ? own : last;
    }
    for (int i = 0; i < 2 && status == BERT_OK; i++)
        status = view_make(&views[i], paths[i], files[i].tensors, files[i].count, (Known){.last = last}, e);
    if (status == BERT_OK) status = compare_views(views, tolerance, table, out, e);
    for (int i = 0; i < 2; i++) {
        view_free(&views[i]);
        if (files[i].tensors) safetensors_close(&files[i]);
    }
    return status;
}
