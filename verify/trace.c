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

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * The list of names
 *
 * The order is that of the data: whoever compares two traces from the top meets the cause before its effects. Shapes
 * are those of one sequence: (tokens, features), (heads, query, key), (features) for what belongs to the whole
 * sequence.
 * ================================================================================================================== */

/* A list that is being made. The caller knows the largest possible count, so that `put` cannot fail. */
typedef struct {
    TraceTensor *items;
    size_t count;
} List;

/* Puts down one tensor: (rows, cols), or (cols) alone where rows is 0. The shape is that of one sequence. */
static void put(List *list, const char *name, const real *data, size_t rows, size_t cols)
{
    TraceTensor *t = &list->items[list->count++];
    *t = (TraceTensor){.data = data, .rank = rows ? 2 : 1};
    snprintf(t->name, sizeof t->name, "%s", name);
    t->shape[0] = rows ? rows : cols;
    t->shape[1] = rows ? cols : 0;
}

/* The same for a part of block l: encoder.layer.l.PART */
static void put_part(List *list, int l, const char *part, const real *data, size_t T, size_t cols)
{
    char name[96];
    snprintf(name, sizeof name, "encoder.layer.%d.%s", l, part);
    put(list, name, data, T, cols);
}

/* Scores or probabilities of block l: (heads, query, key). */
static void put_scores(List *list, int l, const char *part, const real *data, size_t A, size_t T)
{
    put_part(list, l, part, data, T, T);
    TraceTensor *t = &list->items[list->count - 1];
    t->rank = 3;
    t->shape[0] = A, t->shape[1] = T, t->shape[2] = T;
    t->packed_scores = true;
}

/* Steps 5 and 6: three addends and their normalized sum, hidden state 0. The sum itself has no name in Hugging Face's
 * code. Hidden state 0 is overwritten by the blocks unless the hidden states are kept. */
static void put_embeddings(List *list, const Activations *a, size_t T, size_t H)
{
    put(list, "embeddings.word_embeddings", a->word, T, H);
    put(list, "embeddings.token_type_embeddings", a->token_type, T, H);
    put(list, "embeddings.position_embeddings", a->position, T, H);
    if (a->request.keep & KEEP_HIDDEN) put(list, "embeddings.LayerNorm", a->embedding_norm, T, H);
}

/* Steps 7 to 13 of block l, as far as they were kept; what was not kept shares its memory with the other blocks. */
static void put_block(List *list, const BertConfig *c, const Activations *a, int l, size_t T)
{
    const BlockActivations *b = &a->block[l];
    const Keep keep = a->request.keep;
    const size_t H = (size_t)c->H, A = (size_t)c->A, F = (size_t)c->F;
    if (keep == KEEP_EVERYTHING) {
        put_part(list, l, "attention.self.query", b->query, T, H);
        put_part(list, l, "attention.self.key", b->key, T, H);
        put_part(list, l, "attention.self.value", b->value, T, H);
        put_scores(list, l, "attention.self.scores", b->scores, A, T);
    }
    if (keep & KEEP_ATTENTION) put_scores(list, l, "attention.self.probs", b->probs, A, T);
    if (keep == KEEP_EVERYTHING) {
        put_part(list, l, "attention.self.context", b->context, T, H);
        put_part(list, l, "attention.output.dense", b->attention_dense, T, H);
        put_part(list, l, "attention.output.LayerNorm", b->attention_norm, T, H);
        put_part(list, l, "intermediate.dense", b->intermediate_dense, T, F);
        put_part(list, l, "intermediate", b->intermediate, T, F);
        put_part(list, l, "output.dense", b->output_dense, T, H);
    }
    if ((keep & KEEP_HIDDEN) || l == c->L - 1) put_part(list, l, "output.LayerNorm", b->output_norm, T, H);
}

/* Steps 14 and 15, what was asked for. The pooler's tensors and the next-sentence logits belong to a sequence, not to a
 * token. With several sequences the rows of the MLM head can be told apart only if every token was asked for. */
static void put_heads(List *list, const BertConfig *c, const Activations *a)
{
    const Request *r = &a->request;
    const size_t H = (size_t)c->H, B = (size_t)a->batch.B, M = (size_t)r->M;
    if (r->pooler || r->nsp) {
        put(list, "pooler.dense", a->pooler_dense, 0, H);
        put(list, "pooler", a->pooler, 0, H);
    }
    if (M > 0 && (B == 1 || r->M == a->N)) {
        put(list, "cls.predictions.transform.dense", a->transform_dense, M / B, H);
        put(list, "cls.predictions.transform.transform_act_fn", a->transform_act, M / B, H);
        put(list, "cls.predictions.transform.LayerNorm", a->transform_norm, M / B, H);
        put(list, "cls.predictions.decoder", a->logits, M / B, (size_t)c->V);
    }
    if (r->nsp) put(list, "cls.seq_relationship", a->nsp_logits, 0, 2);
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

/* Shapes are those of one sequence; with B > 1 the data of the B sequences follow one another, and trace_print and
 * trace_write put B in front. */
Status trace_list(const Bert *m, const Activations *a, TraceTensor **out, size_t *count, Error *e)
{
    enum { EMBEDDINGS = 4, PARTS = 12, HEADS = 7 };                     /* the most that the functions above put down */
    const BertConfig *c = &m->config;
    const size_t T = (size_t)a->batch.T[0];
    List list = {0};
    if (check_lengths(&a->batch, e) != BERT_OK) return e->status;
    list.items = calloc(EMBEDDINGS + PARTS * (size_t)c->L + HEADS, sizeof *list.items);
    if (!list.items) return fail(e, BERT_SYSTEM, "out of memory for the names of a trace");
    put_embeddings(&list, a, T, (size_t)c->H);
    for (int l = 0; l < c->L; l++) put_block(&list, c, a, l, T);
    put_heads(&list, c, a);
    *out = list.items;
    *count = list.count;
    return BERT_OK;
}

/* Elements of a tensor over all B sequences. The memory behind it exists, so the product fits. */
static size_t elements(const TraceTensor *t, size_t B)
{
    size_t n = B;
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
    int n = snprintf(text, 96, B > 1 ? "(%zu, " : "(", B);
    for (int i = 0; i < t->rank; i++) n += snprintf(text + n, 96 - (size_t)n, "%s%zu", i ? ", " : "", t->shape[i]);
    snprintf(text + n, 96 - (size_t)n, t->rank == 1 && B == 1 ? ",)" : ")");
}

/* One line: name, shape, root of the mean square, least, largest, first three.
 * Masked scores are -FLT_MAX: the square of one still fits a double. */
static void print_tensor(const TraceTensor *t, size_t B, FILE *out)
{
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
    fprintf(out, "%-46s %-14s %10.4g %10.4g %10.4g ", t->name, shape, sqrt(squares / (double)n), least, largest);
    for (size_t i = 0; i < 3 && i < n; i++) fprintf(out, " %9.5f", (double)t->data[i]);
    fputc('\n', out);
}

/* name                     shape              rms        min        max  first three
 * embeddings.LayerNorm     (6, 768)         0.534     -11.11      4.246    0.16855  -0.28577  -0.32613 */
Status trace_print(const Bert *m, const Activations *a, FILE *out, Error *e)
{
    TraceTensor *list;
    size_t count;
    if (trace_list(m, a, &list, &count, e) != BERT_OK) return e->status;
    fprintf(out, "%-46s %-14s %10s %10s %10s  %s\n", "name", "shape", "rms", "min", "max", "first three");
    for (size_t i = 0; i < count; i++) print_tensor(&list[i], (size_t)a->batch.B, out);
    free(list);
    return BERT_OK;
}

/* =====================================================================================================================
 * As a file
 *
 * For a program: float32 (float64 from bert64), with the ids from which everything else follows. Python reads it with
 * safetensors.numpy.load_file.
 * ================================================================================================================== */
enum { ID_TENSORS = 3 };

/* One trace tensor as one of the file: float32, or float64 from bert64. Only the pointer is copied. This is where the
 * leading B of several sequences comes in, before (tokens, features) and before (heads, query, key) alike. */
SafeTensor as_file_tensor(TraceTensor *t, size_t B)
{
    SafeTensor f = {.name = t->name, .dtype = sizeof(real) == 8 ? DTYPE_F64 : DTYPE_F32, .count = elements(t, B),
                    .data = t->data};
    if (B > 1) f.shape[f.rank++] = B;
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

/* Metadata says which model, which text and which version made the file. A refitted next-sentence head is no part of
 * the Activations, and so never in a trace. */
Status trace_put(const Bert *m, const Activations *a, FILE *out, const char *model_name, const char *text, Error *e)
{
    const char *const metadata[][2] = {{"model", model_name}, {"text", text}, {"version", BERT_VERSION}};
    TraceTensor *list;
    size_t count;
    if (trace_list(m, a, &list, &count, e) != BERT_OK) return e->status;
    SafeTensor *tensors = calloc(count + ID_TENSORS, sizeof *tensors);
    int64_t *ids = calloc((size_t)a->N * ID_TENSORS, sizeof *ids);
    Status status = BERT_OK;
    if (!tensors || !ids) {
        status = fail(e, BERT_SYSTEM, "out of memory for a trace of %zu tensors", count);
    } else {
        id_tensors(tensors, ids, a);
        for (size_t i = 0; i < count; i++) tensors[ID_TENSORS + i] = as_file_tensor(&list[i], (size_t)a->batch.B);
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
    if (status == BERT_OK) status = trace_put(m, a, out.stream, model_name, text, e);
    if (status == BERT_OK) return output_commit(&out, e);
    output_abort(&out);
    return status;
}
