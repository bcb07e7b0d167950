/* trace.c - looking inside: every intermediate of a forward pass under its name, as a table or as a file.
 *
 * Who writes BERT in another language compares these numbers with their own, from the top down: the first tensor that
 * differs names the step that is wrong. The names are those of Hugging Face's modules, so that a PyTorch user finds
 * each of them with a forward hook; scores, probabilities and context have no module there and are named beside
 * self.query.
 *
 * This file only reads: the Activations of bert.c hold it all, when asked to KEEP_EVERYTHING.
 */
#include "verify/verify.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * The table of traced tensors
 *
 * The order is that of the data: whoever compares two traces from the top meets the cause before its effects.
 * ================================================================================================================== */
/* Where a row's numbers are, and bert.c's function that makes them: once, once for each block, or for each head. */
#define ONCE(field, function) offsetof(Activations, field), function, NULL, NULL
#define BLOCK(field, function) offsetof(BlockActivations, field), NULL, function, NULL
#define HEADS(field, function) offsetof(BlockActivations, field), NULL, NULL, function

const TraceSpec trace_table[] = {
    /* name, step, head, what must be kept, form, width, where and by which function */
    [TRACE_WORD] =
    {"embeddings.word_embeddings", 5, GROUP_ENCODER, KEEP_NOTHING, FORM_TOKENS, 'H',
     ONCE(word, embeddings_word)},
    [TRACE_TOKEN_TYPE] =
    {"embeddings.token_type_embeddings", 5, GROUP_ENCODER, KEEP_NOTHING, FORM_TOKENS, 'H',
     ONCE(token_type, embeddings_token_type)},
    [TRACE_POSITION] =
    {"embeddings.position_embeddings", 5, GROUP_ENCODER, KEEP_NOTHING, FORM_TOKENS, 'H',
     ONCE(position, embeddings_position)},
    [TRACE_EMBEDDING_NORM] =
    {"embeddings.LayerNorm", 6, GROUP_ENCODER, KEEP_HIDDEN, FORM_TOKENS, 'H',
     ONCE(embedding_norm, embeddings_norm)},

    [TRACE_QUERY] =
    {"encoder.layer.*.attention.self.query", 7, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'H',
     BLOCK(query, attention_query)},
    [TRACE_KEY] =
    {"encoder.layer.*.attention.self.key", 7, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'H',
     BLOCK(key, attention_key)},
    [TRACE_VALUE] =
    {"encoder.layer.*.attention.self.value", 7, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'H',
     BLOCK(value, attention_value)},
    [TRACE_SCORES] =
    {"encoder.layer.*.attention.self.scores", 8, GROUP_ENCODER, KEEP_ATTENTION | KEEP_STEPS, FORM_SCORES, 0,
     HEADS(scores, attention_scores)},
    [TRACE_PROBS] =
    {"encoder.layer.*.attention.self.probs", 9, GROUP_ENCODER, KEEP_ATTENTION, FORM_SCORES, 0,
     HEADS(probs, attention_probs)},
    [TRACE_CONTEXT] =
    {"encoder.layer.*.attention.self.context", 10, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'H',
     HEADS(context, attention_context)},
    [TRACE_ATTENTION_DENSE] =
    {"encoder.layer.*.attention.output.dense", 11, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'H',
     BLOCK(attention_dense, attention_dense)},
    [TRACE_ATTENTION_NORM] =
    {"encoder.layer.*.attention.output.LayerNorm", 11, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'H',
     BLOCK(attention_norm, attention_norm)},
    [TRACE_INTERMEDIATE_DENSE] =
    {"encoder.layer.*.intermediate.dense", 12, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'F',
     BLOCK(intermediate_dense, feed_forward_up)},
    [TRACE_INTERMEDIATE] =
    {"encoder.layer.*.intermediate", 12, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'F',
     BLOCK(intermediate, feed_forward_gelu)},
    [TRACE_OUTPUT_DENSE] =
    {"encoder.layer.*.output.dense", 13, GROUP_ENCODER, KEEP_STEPS, FORM_TOKENS, 'H',
     BLOCK(output_dense, feed_forward_down)},
    [TRACE_OUTPUT_NORM] =
    {"encoder.layer.*.output.LayerNorm", 13, GROUP_ENCODER, KEEP_HIDDEN, FORM_TOKENS, 'H',
     BLOCK(output_norm, feed_forward_norm)},

    [TRACE_POOLER_DENSE] =
    {"pooler.dense", 14, GROUP_POOLER, KEEP_NOTHING, FORM_WHOLE, 'H',
     ONCE(pooler_dense, pooler_dense)},
    [TRACE_POOLER] =
    {"pooler", 14, GROUP_POOLER, KEEP_NOTHING, FORM_WHOLE, 'H',
     ONCE(pooler, pooler)},
    [TRACE_TRANSFORM_DENSE] =
    {"cls.predictions.transform.dense", 15, GROUP_MLM, KEEP_NOTHING, FORM_TOKENS, 'H',
     ONCE(transform_dense, mlm_dense)},
    [TRACE_TRANSFORM_ACT] =
    {"cls.predictions.transform.transform_act_fn", 15, GROUP_MLM, KEEP_NOTHING, FORM_TOKENS, 'H',
     ONCE(transform_act, mlm_gelu)},
    [TRACE_TRANSFORM_NORM] =
    {"cls.predictions.transform.LayerNorm", 15, GROUP_MLM, KEEP_NOTHING, FORM_TOKENS, 'H',
     ONCE(transform_norm, mlm_norm)},
    [TRACE_DECODER] =
    {"cls.predictions.decoder", 15, GROUP_MLM, KEEP_NOTHING, FORM_TOKENS, 'V',
     ONCE(logits, mlm_decoder)},
    [TRACE_NSP] =
    {"cls.seq_relationship", 14, GROUP_NSP, KEEP_NOTHING, FORM_WHOLE, '2',
     ONCE(nsp_logits, nsp_head)},

    [TRACE_PRE_CLASSIFIER_DENSE] =
    {"pre_classifier", 14, GROUP_PRE_CLASSIFIER, KEEP_NOTHING, FORM_WHOLE, 'H',
     ONCE(pre_classifier_dense, pre_classifier_dense)},
    [TRACE_PRE_CLASSIFIER] =
    {"pre_classifier.relu", 14, GROUP_PRE_CLASSIFIER, KEEP_NOTHING, FORM_WHOLE, 'H',
     ONCE(pre_classifier, pre_classifier)},
    /* Two rows of one name: a model has a classifier of texts or of tokens, and its name does not say which. */
    [TRACE_CLASSIFIER] =
    {"classifier", 14, GROUP_CLASSIFIER, KEEP_NOTHING, FORM_WHOLE, 'K',
     ONCE(classifier_logits, classifier)},
    [TRACE_TOKEN_CLASSIFIER] =
    {"classifier", 15, GROUP_CLASSIFIER, KEEP_NOTHING, FORM_TOKENS, 'K',
     ONCE(token_logits, token_classifier)},
    [TRACE_QA] =
    {"qa_outputs", 15, GROUP_QA, KEEP_NOTHING, FORM_TOKENS, '2',
     ONCE(qa_logits, qa_outputs)},
};
static_assert(sizeof trace_table / sizeof *trace_table == TRACE_COUNT, "a row for each TraceName");

bool trace_per_layer(const TraceSpec *spec)
{
    return strchr(spec->name, '*') != NULL;
}

/* =====================================================================================================================
 * The list of a run
 * ================================================================================================================== */

Request trace_request(const Bert *m, const int *rows, int N)
{
    const bool texts = m->config.head != HEAD_TOKENS;
    const bool read = m->config.distilbert ? m->has_pre_classifier : m->has_pooler; /* what a classifier of texts reads */
    return (Request){.keep = KEEP_EVERYTHING, .pooler = m->has_pooler, .nsp = m->has_nsp && m->has_pooler,
                     .classifier = m->has_classifier && texts && read,
                     .token_classifier = m->has_classifier && !texts, .qa = m->has_qa, .mlm_rows = rows, .M = m->has_mlm ? N : 0};
}

/* Does this run have the row's tensor? The embeddings' sum has no name in Hugging Face's code, and no row. Hidden state
 * 0 is overwritten by the blocks, and a block's tensors by the next block, unless they are kept; the last block's
 * output stays. With several sequences the rows of the MLM head can be told apart only if every token was asked for.
 */
static bool is_there(const TraceSpec *spec, const BertConfig *c, const Activations *a, int l)
{
    const Request *r = &a->request;
    if (spec == &trace_table[TRACE_TOKEN_TYPE]) return c->S > 0;
    if (spec->group == GROUP_POOLER) return r->pooler || r->nsp || (r->classifier && !c->distilbert);
    if (spec->group == GROUP_PRE_CLASSIFIER) return r->classifier && c->distilbert;
    if (spec == &trace_table[TRACE_CLASSIFIER]) return r->classifier;
    if (spec == &trace_table[TRACE_TOKEN_CLASSIFIER]) return r->token_classifier;
    if (spec->group == GROUP_QA) return r->qa;
    if (spec->group == GROUP_NSP) return r->nsp;
    if (spec->group == GROUP_MLM) return r->M > 0 && (a->batch.B == 1 || r->M == a->N);
    return (r->keep & spec->keep) == spec->keep || (spec == &trace_table[TRACE_OUTPUT_NORM] && l == c->L - 1);
}

/* The row's tensor in layer l: its name, where its numbers are, and the shape that one sequence has. */
static TraceTensor tensor_of(const TraceSpec *spec, const BertConfig *c, const Activations *a, int l)
{
    const char *base = trace_per_layer(spec) ? (const char *)&a->block[l] : (const char *)a;
    const size_t T = (size_t)a->batch.T[0], A = (size_t)c->A, width = symbol_size(spec->width, c);
    const size_t rows = spec->group == GROUP_MLM ? (size_t)a->request.M / (size_t)a->batch.B : T;
    TraceTensor t = {.data = *(real *const *)(const void *)(base + spec->field)};
    spec_name(spec->name, l, t.name, sizeof t.name);
    if (spec->form == FORM_WHOLE) {
        t.rank = 1;
        t.shape[0] = width;
    } else if (spec->form == FORM_TOKENS) {
        t.rank = 2;
        t.shape[0] = rows;
        t.shape[1] = width;
    } else {
        t.rank = 3;
        t.shape[0] = A;
        t.shape[1] = t.shape[2] = T;
    }
    return t;
}

/* A trace of several sequences needs one length, or the tensors would not be rectangular. */
static Status check_lengths(const Batch *batch, Error *e)
{
    for (int b = 1; b < batch->B; b++)
        if (batch->T[b] != batch->T[0])
            return fail(e, BERT_TEXT, "input %d has %d tokens, input 1 has %d: a trace of several inputs needs one "
                                      "length "
                        "(--max-length N --pad gives them one)", b + 1, batch->T[b], batch->T[0]);
    return BERT_OK;
}

/* In the order of the data: the embeddings (l = -1), the blocks one after another, the heads (l = L). */
Status trace_list(const Bert *m, const Activations *a, TraceTensor **list, size_t *count, Error *e)
{
    const BertConfig *c = &m->config;
    if (check_lengths(&a->batch, e) != BERT_OK) return e->status;
    *count = 0;
    *list = calloc(TRACE_COUNT * ((size_t)c->L + 1), sizeof **list);
    if (!*list) return fail(e, BERT_SYSTEM, "out of memory for the names of a trace");
    for (int l = -1; l <= c->L; l++)
        for (const TraceSpec *spec = trace_table; spec < trace_table + TRACE_COUNT; spec++) {
            const int once = spec->group == GROUP_ENCODER ? -1 : c->L;
            const bool here = trace_per_layer(spec) ? l >= 0 && l < c->L : l == once;
            if (here && is_there(spec, c, a, l)) (*list)[(*count)++] = tensor_of(spec, c, a, l);
        }
    return BERT_OK;
}

/* A parameter's gradient. */
static TraceTensor gradient_of(const Parameter *p)
{
    TraceTensor t = {.rank = p->rows ? 2 : 1, .shape = {p->rows ? p->rows : p->cols, p->cols}, .data = p->gradient,
                     .once = true};
    snprintf(t.name, sizeof t.name, "grad.%.90s", p->name);
    return t;
}

/* The trace with nothing behind it, or with what was learned: three numbers, the gradients of the same intermediates in
 * the same order, those of the parameters. */
Status learned_list(const Bert *m, const Activations *a, Learned *learned, TraceTensor **list, size_t *count, Error *e)
{
    static const char *const names[] = {"loss", "loss.mlm", "loss.nsp"};
    TraceTensor *gradients;
    size_t n;
    if (trace_list(m, a, list, count, e) != BERT_OK) return e->status;
    if (!learned) return BERT_OK;
    const Gradients *g = learned->gradients;
    const Parameters *p = learned->parameters;
    if (trace_list(m, &g->a, &gradients, &n, e) != BERT_OK) n = 0, gradients = NULL;
    TraceTensor *longer = gradients ? realloc(*list, (*count + 3 + n + p->count) * sizeof *longer) : NULL;
    if (longer) *list = longer;
    else free(*list);
    for (int i = 0; longer && i < 3; i++) {
        learned->losses[i] = (real)(i == 0 ? g->losses.mlm + g->losses.nsp + g->losses.task : i == 1 ? g->losses.mlm : g->losses.nsp);
        longer[*count] = (TraceTensor){.data = &learned->losses[i], .once = true};
        snprintf(longer[(*count)++].name, sizeof longer->name, "%s", names[i]);
    }
    for (size_t i = 0; longer && i < n; i++, (*count)++) {
        longer[*count] = gradients[i];
        snprintf(longer[*count].name, sizeof longer->name, "grad.%.90s", gradients[i].name);
    }
    for (size_t i = 0; longer && i < p->count; i++)
        if (is_learned(g, &p->list[i])) longer[(*count)++] = gradient_of(&p->list[i]);
    free(gradients);
    return longer ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory for the names of a trace");
}

/* Elements of a tensor over all B sequences. The memory behind it exists, so the product fits. */
static size_t elements(const TraceTensor *t, size_t B)
{
    size_t n = t->once ? 1 : B;
    for (int i = 0; i < t->rank; i++) n *= t->shape[i];
    return n;
}

/* =====================================================================================================================
 * As a table
 *
 * For the eye: if two programs agree in rms, min, max and the first three values, they almost certainly agree; if
 * not, the kind of difference shows (a scale, a sign, an offset, one outlier).
 * ================================================================================================================== */

/* "(22, 768)", with B in front if there are several sequences. */
static void shape_text(char text[96], const TraceTensor *t, size_t B)
{
    if (t->once) B = 1;
    int n = snprintf(text, 96, B > 1 ? "(%zu, " : "(", B);
    for (int i = 0; i < t->rank; i++) n += snprintf(text + n, 96 - (size_t)n, "%s%zu", i ? ", " : "", t->shape[i]);
    snprintf(text + n, 96 - (size_t)n, t->rank == 1 && B == 1 ? ",)" : ")");
}

/* A NaN has a sign that means nothing, and depends on the machine; some printfs show it, as -nan. */
double unsigned_nan(double x)
{
    return isnan(x) ? (double)NAN : x;
}

/* One line: name, shape, root of the mean square, least, largest, first three.
 * Masked scores are -FLT_MAX: the square of one still fits a double. */
static void print_tensor(const TraceTensor *t, size_t B, int width, FILE *out)
{
    const bool gradient = !strncmp(t->name, "grad.", 5);                /* often so small that decimals are all 0 */
    const size_t n = elements(t, B);
    double squares = 0, least = INFINITY, largest = -INFINITY;
    char shape[96];
    for (size_t i = 0; i < n; i++) {
        double x = (double)t->data[i];
        squares += x * x;
        if (x < least || isnan(x)) least = x;                           /* a NaN stays: nothing is less than it */
        if (x > largest || isnan(x)) largest = x;
    }
    shape_text(shape, t, B);
    fprintf(out, "%-*s %-14s %10.4g %10.4g %10.4g ", width, t->name, shape, unsigned_nan(sqrt(squares / (double)n)),
            unsigned_nan(least), unsigned_nan(largest));
    for (size_t i = 0; i < 3 && i < n; i++)
        fprintf(out, gradient ? " %10.4g" : " %9.5f", unsigned_nan((double)t->data[i]));
    fputc('\n', out);
}

/* name                     shape              rms        min        max  first three
 * embeddings.LayerNorm     (6, 768)         0.534     -11.11      4.246    0.16855  -0.28577  -0.32613 */
Status learned_print(const Bert *m, const Activations *a, Learned *learned, FILE *out, Error *e)
{
    TraceTensor *list;
    size_t count;
    int width = 46;                                                     /* room for the names of a BERT-Base's trace */
    if (learned_list(m, a, learned, &list, &count, e) != BERT_OK) return e->status;
    for (size_t i = 0; i < count; i++) width = (int)strlen(list[i].name) > width ? (int)strlen(list[i].name) : width;
    fprintf(out, "%-*s %-14s %10s %10s %10s  %s\n", width, "name", "shape", "rms", "min", "max", "first three");
    for (size_t i = 0; i < count; i++) print_tensor(&list[i], (size_t)a->batch.B, width, out);
    free(list);
    return BERT_OK;
}

Status trace_print(const Bert *m, const Activations *a, FILE *out, Error *e)
{
    return learned_print(m, a, NULL, out, e);
}

/* =====================================================================================================================
 * As one number
 *
 * Two programs, two machines, a browser: have they computed the same bits? A checksum over all of them answers.
 * ================================================================================================================== */

/* A line with name and shape, then the numbers as the machine has them: little-endian, wherever bert.c runs. */
static void add_tensor(Sha256 *sha, const TraceTensor *t, size_t B)
{
    char word[32];
    sha256_add(sha, t->name, strlen(t->name));
    for (int i = 0; i < t->rank; i++) {
        snprintf(word, sizeof word, "%c%zu", i ? ',' : ' ', t->shape[i]);
        sha256_add(sha, word, strlen(word));
    }
    sha256_add(sha, "\n", 1);
    sha256_add(sha, t->data, elements(t, B) * sizeof *t->data);
}

Status trace_checksum(const Bert *m, const Activations *a, char hex[65], Error *e)
{
    TraceTensor *list;
    size_t count;
    Sha256 sha;
    Status status = trace_list(m, a, &list, &count, e);
    if (status != BERT_OK) return status;
    sha256_start(&sha);
    for (size_t i = 0; i < count; i++) add_tensor(&sha, &list[i], (size_t)a->batch.B);
    sha256_end(&sha, hex);
    free(list);
    return BERT_OK;
}

/* =====================================================================================================================
 * As a file
 *
 * For a program: float32 (float64 from bert64), with the ids from which everything else follows. Python reads it with
 * safetensors.numpy.load_file.
 * ================================================================================================================== */
enum { ID_TENSORS = 3, LABEL_TENSORS = 2 };

/* One trace tensor as one of the file: float32, or float64 from bert64. Only the pointer is copied. This is where the
 * leading B of several sequences comes in, before (tokens, features) and before (heads, query, key) alike. */
SafeTensor as_file_tensor(TraceTensor *t, size_t B)
{
    SafeTensor f = {.name = t->name, .dtype = sizeof(real) == 8 ? DTYPE_F64 : DTYPE_F32, .count = elements(t, B),
                    .data = t->data};
    if (B > 1 && !t->once) f.shape[f.rank++] = B;
    for (int i = 0; i < t->rank; i++) f.shape[f.rank++] = t->shape[i];
    return f;
}

/* The ids as int64, as PyTorch has them: three tensors (T) or (B,T) over one allocation of 3 N numbers. */
static void id_tensors(SafeTensor tensors[ID_TENSORS], int64_t *values, const Activations *a)
{
    static char names[ID_TENSORS][16] = {"input_ids", "token_type_ids", "attention_mask"};
    const int32_t *from[ID_TENSORS] = {a->batch.input_ids, a->batch.token_type_ids, a->batch.attention_mask};
    const size_t N = (size_t)a->N, B = (size_t)a->batch.B;
    for (int k = 0; k < ID_TENSORS; k++) {
        int64_t *to = values + (size_t)k * N;
        for (size_t i = 0; i < N; i++) to[i] = from[k][i];
        tensors[k] = (SafeTensor){.name = names[k], .dtype = DTYPE_I64, .rank = B > 1 ? 2 : 1, .count = N, .data = to};
        tensors[k].shape[0] = B > 1 ? B : N;
        tensors[k].shape[1] = B > 1 ? N / B : 0;
    }
}

/* The labels that were learned from, as int64 in the same shapes; returns how many tensors that are. `values` has room
 * for N + B. */
static size_t label_tensors(SafeTensor tensors[LABEL_TENSORS], int64_t *values, const Activations *a,
                            const Learned *learned)
{
    static char names[LABEL_TENSORS][24] = {"labels", "next_sentence_label"};
    const size_t N = (size_t)a->N, B = (size_t)a->batch.B, counts[LABEL_TENSORS] = {N, B};
    size_t used = 0;
    for (int k = 0; learned && k < LABEL_TENSORS; k++) {
        const int32_t *from = k ? learned->next_sentence : learned->labels;
        if (!from) continue;
        for (size_t i = 0; i < counts[k]; i++) values[i] = from[i];
        SafeTensor t = {.name = names[k], .dtype = DTYPE_I64, .rank = k == 0 && B > 1 ? 2 : 1, .count = counts[k],
                        .data = values, .shape = {k == 0 && B > 1 ? B : counts[k], N / B}};
        tensors[used++] = t;
        values += counts[k];
    }
    return used;
}

/* Metadata says which model, which text and which version made the file. A refitted next-sentence head is no part of
 * the Activations, and so never in a trace. */
Status trace_put(const Bert *m, const Activations *a, Learned *learned, FILE *out, const char *model_name,
                 const char *text, Error *e)
{
    const char *const metadata[][2] = {{"model", model_name}, {"text", text}, {"version", BERT_VERSION}};
    TraceTensor *list;
    size_t count;
    if (learned_list(m, a, learned, &list, &count, e) != BERT_OK) return e->status;
    SafeTensor *tensors = calloc(count + ID_TENSORS + LABEL_TENSORS, sizeof *tensors);
    int64_t *ids = calloc((size_t)a->N * (ID_TENSORS + LABEL_TENSORS), sizeof *ids);     /* B is at most N */
    Status status = BERT_OK;
    if (!tensors || !ids) {
        status = fail(e, BERT_SYSTEM, "out of memory for a trace of %zu tensors", count);
    } else {
        id_tensors(tensors, ids, a);
        for (size_t i = 0; i < count; i++) tensors[ID_TENSORS + i] = as_file_tensor(&list[i], (size_t)a->batch.B);
        count += label_tensors(tensors + ID_TENSORS + count, ids + (size_t)a->N * ID_TENSORS, a, learned);
        safetensors_put(out, tensors, count + ID_TENSORS, metadata, 3);
    }
    free(ids);
    free(tensors);
    free(list);
    return status;
}

/* The same as a file of that name, whole or not at all. */
Status trace_write(const Bert *m, const Activations *a, const char *path, const char *model_name, const char *text,
                   Error *e)
{
    OutputFile out;
    Status status = output_open(&out, path, e);
    if (status == BERT_OK) status = trace_put(m, a, NULL, out.stream, model_name, text, e);
    if (status == BERT_OK) return output_commit(&out, e);
    output_abort(&out);
    return status;
}
