/* parameters.c - the weights of a model as numbers that can be changed, and memory for their gradients: a walk over the
 * table of tensors (model.c), for learn.c. */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>

/* The field of a model, a Tensor or a const real *, that a row of the table fills. */
static void *field_of(const Bert *m, const TensorSpec *spec, int l)
{
    return (spec_per_layer(spec) ? (char *)&m->layers[l] : (char *)m) + spec->field;
}

/* Where that field points; NULL if the model has no such tensor. */
static const void *data_of(const Bert *m, const TensorSpec *spec, int l)
{
    const void *field = field_of(m, spec, l);
    return spec->rows ? ((const Tensor *)field)->data : *(const real *const *)field;
}

/* Lets a field point to reals. */
static void point_to(Bert *m, const TensorSpec *spec, int l, real *data)
{
    const DType dtype = sizeof(real) == sizeof(double) ? DTYPE_F64 : DTYPE_F32;
    void *field = field_of(m, spec, l);
    if (spec->rows) *(Tensor *)field = (Tensor){data, dtype, spec_rows(spec, &m->config), spec_cols(spec, &m->config)};
    else *(const real **)field = data;
}

/* Is it the decoder, and the word embeddings once more? Then it is learned with these. */
static bool is_tied(const Bert *m, const TensorSpec *spec)
{
    return spec->tied && m->decoder.data == m->word_embeddings.data;
}

/* The tensor of a row as a parameter. */
static Parameter describe(const Bert *m, const TensorSpec *spec, int l)
{
    const size_t rows = spec_rows(spec, &m->config), cols = spec_cols(spec, &m->config);
    Parameter p = {.group = (int)spec->group, .rows = spec->rows ? rows : 0, .cols = cols, .count = rows * cols,
                   .norm = spec->kind == KIND_NORM,
                   .decays = spec->kind == KIND_MATRIX || spec->kind == KIND_EMBEDDING};
    const bool distil = m->config.distilbert, head = spec->group != GROUP_ENCODER && spec->group != GROUP_POOLER;
    const char *pattern = spec_pattern(spec, distil);
    char name[sizeof p.file_name - 16];
    spec_name(spec->name, l, p.name, sizeof p.name);
    spec_name(pattern ? pattern : spec->name, l, name, sizeof name);
    snprintf(p.file_name, sizeof p.file_name, "%s%s", head ? "" : distil ? "distilbert." : "bert.", name);
    return p;
}

/* The numbers at the place of each tensor, 64 bytes aligned, and `behind` more of them. A tensor that a model has fits
 * into memory, and so do its sizes into size_t; their sum need not. */
static bool take(size_t *used, size_t count, size_t behind, size_t *at)
{
    size_t end;
    *at = *used;
    if (!size_add(*used, (count + 15) / 16 * 16, &end) || !size_add(end, (behind + 15) / 16 * 16, &end)) return false;
    *used = end;
    return true;
}

/* Calls `visit` for every tensor that the model has and that is not tied, in the order of the table. Stops at false. */
typedef bool Visit(void *context, const TensorSpec *spec, int l);
static bool for_each(const Bert *m, Visit *visit, void *context)
{
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++)
        for (int l = 0; l < (spec_per_layer(spec) ? m->config.L : 1); l++)
            if (data_of(m, spec, l) && !is_tied(m, spec) && !visit(context, spec, l)) return false;
    return true;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Weights of their own
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    Bert *m;                        /* still with the old fields */
    Parameters *p;
    size_t used, capacity;
    real *base;                     /* NULL while counting */
} Copying;

/* The numbers of a tensor as reals. */
static void copy_numbers(real *to, const Bert *m, const TensorSpec *spec, int l)
{
    const void *field = field_of(m, spec, l);
    if (!spec->rows) {
        memcpy(to, data_of(m, spec, l), spec_cols(spec, &m->config) * sizeof *to);
        return;
    }
    const Tensor *W = field;
    for (size_t r = 0; r < W->rows; r++) {
        const real *row = tensor_rows(W, r, 1, to + r * W->cols);
        if (row != to + r * W->cols) memcpy(to + r * W->cols, row, W->cols * sizeof *to);
    }
}

/* What a field points to that has no numbers yet. Two, because a decoder that points to where the word embeddings do is
 * tied to them. */
static real no_numbers[2];

static bool has_numbers(const Bert *m, const TensorSpec *spec, int l)
{
    const real *data = data_of(m, spec, l);
    return data != &no_numbers[0] && data != &no_numbers[1];
}

static bool copy_tensor(void *context, const TensorSpec *spec, int l)
{
    Copying *c = context;
    Parameter p = describe(c->m, spec, l);
    size_t at;
    if (!take(&c->used, p.count, 0, &at)) return false;
    if (c->base) {
        p.value = c->base + at;
        if (has_numbers(c->m, spec, l)) copy_numbers(p.value, c->m, spec, l);
        else memset(p.value, 0, p.count * sizeof *p.value);
        c->p->list[c->p->count] = p;
    }
    c->p->count++;
    return true;
}

Status bert_blank(Bert *m, const BertConfig *config, Error *e)
{
    const bool bert = !config->distilbert;
    *m = (Bert){.config = *config, .has_pooler = bert, .has_mlm = true, .has_nsp = bert};
    m->layers = calloc((size_t)config->L, sizeof *m->layers);
    if (!m->layers) return fail(e, BERT_SYSTEM, "out of memory for a model of %d layers", config->L);
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++)
        for (int l = 0; spec->group < GROUP_TASK && l < (spec_per_layer(spec) ? config->L : 1); l++)
            if (spec_pattern(spec, config->distilbert))
                point_to(m, spec, l, &no_numbers[spec->tied && config->untied]);
    return BERT_OK;
}

void bert_drop_heads(Bert *m, bool pooler)
{
    if (pooler) m->has_pooler = false;
    m->has_mlm = m->has_nsp = m->has_pre_classifier = m->has_classifier = m->has_qa = false;
    m->config.K = 0;
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++)
        if (spec->group != GROUP_ENCODER && (spec->group != GROUP_POOLER || pooler)) point_to(m, spec, 0, NULL);
}

void bert_add_head(Bert *m, Group group, int K)
{
    if (group == GROUP_CLASSIFIER) m->config.K = K, m->has_classifier = true;
    m->has_pooler |= group == GROUP_POOLER;
    m->has_pre_classifier |= group == GROUP_PRE_CLASSIFIER;
    m->has_qa |= group == GROUP_QA;
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++)
        if (spec->group == group) point_to(m, spec, 0, &no_numbers[0]);
}

/* Once to count, once to copy; then the fields point to the copies. */
Status parameters_new(Parameters *p, Bert *m, Error *e)
{
    Copying c = {.m = m, .p = p};
    size_t bytes;
    *p = (Parameters){0};
    bool ok = for_each(m, copy_tensor, &c) && size_mul(c.used, sizeof(real), &bytes) && size_add(bytes, 64, &bytes);
    if (ok) p->list = calloc(p->count, sizeof *p->list);
    if (ok) p->memory = malloc(bytes);
    if (!p->list || !p->memory) {
        parameters_free(p);
        return fail(e, BERT_SYSTEM, "out of memory for the weights");
    }
    wish_large_pages(p->memory, bytes);
    c = (Copying){.m = m, .p = p, .base = (real *)(((uintptr_t)p->memory + 63) / 64 * 64)};
    p->count = 0;
    for_each(m, copy_tensor, &c);
    const bool tied = m->decoder.data == m->word_embeddings.data;
    size_t next = 0;
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++)
        for (int l = 0; l < (spec_per_layer(spec) ? m->config.L : 1); l++)
            if (data_of(m, spec, l) && !(spec->tied && tied)) point_to(m, spec, l, p->list[next++].value);
    if (tied) m->decoder = m->word_embeddings;
    for (size_t i = 0; i < p->count; i++) p->numbers += p->list[i].count;
    return BERT_OK;
}

void parameters_free(Parameters *p)
{
    free(p->list);
    free(p->memory);
    *p = (Parameters){0};
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Gradients
 * ------------------------------------------------------------------------------------------------------------------ */

/* Numbers behind a gradient: for a matrix rows of dy and x for a chunk, for a vector as many doubles. See learn.c. */
static size_t room_behind(const Parameter *p)
{
    return p->rows ? SUM_CHUNK * (p->rows + p->cols) : p->cols * (sizeof(double) / sizeof(real));
}

/* A gradient for every parameter, in one piece of memory, all zero; fields of g->m point there. */
Status gradients_new(Gradients *g, const Bert *m, Parameters *p, Error *e)
{
    size_t used = 0, at, bytes, next = 0;
    bool ok = true;
    *g = (Gradients){.m.config = m->config, .list = p->list, .count = p->count};
    for (size_t i = 0; ok && i < p->count; i++) ok = take(&used, p->list[i].count, room_behind(&p->list[i]), &at);
    ok = ok && size_mul(used, sizeof(real), &bytes) && size_add(bytes, 64, &bytes);
    if (ok) g->memory = calloc(1, bytes);
    g->m.layers = calloc((size_t)m->config.L, sizeof *g->m.layers);
    if (!g->memory || !g->m.layers) {
        gradients_free(g);
        return fail(e, BERT_SYSTEM, "out of memory for the gradients of %zu weights", p->numbers);
    }
    g->size = bytes;
    real *base = (real *)(((uintptr_t)g->memory + 63) / 64 * 64);
    used = 0;
    for (const TensorSpec *spec = tensor_table; spec < tensor_table + tensor_table_size; spec++)
        for (int l = 0; l < (spec_per_layer(spec) ? m->config.L : 1); l++)
            if (data_of(m, spec, l) && !is_tied(m, spec)) {
                Parameter *x = &p->list[next++];
                take(&used, x->count, room_behind(x), &at);
                x->gradient = base + at;
                point_to(&g->m, spec, l, x->gradient);
            }
    if (m->decoder.data == m->word_embeddings.data) g->m.decoder = g->m.word_embeddings;
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Memory for one micro-batch
 * ------------------------------------------------------------------------------------------------------------------ */
static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Working memory: a square, a column, and for the products a group of rows and what they pack. False: out of memory. */
static bool work_room(Gradients *g, const BertConfig *c, size_t T)
{
    const size_t D = (size_t)c->D, wide = scratch_rows((size_t)larger((size_t)c->H, (size_t)c->F));
    const size_t column = (T + 15) / 16 * 16, group = ROW_GROUP * larger(BLOCK, column);
    size_t square, packed, bytes;
    if (!size_mul(column, T, &square) || !size_mul(wide, BLOCK, &packed)) return false;
    packed = larger(packed, larger(scratch_rows(T) * D, scratch_rows(D) * T));
    if (!size_add(square, column + group, &bytes) || !size_add(bytes, packed, &bytes) || !size_add(bytes, 16, &bytes) ||
        !size_mul(bytes, sizeof(real), &bytes)) return false;
    if (bytes > g->work_size) {
        free(g->work);
        g->work = malloc(bytes);
        g->work_size = g->work ? bytes : 0;
    }
    g->map = (real *)(((uintptr_t)g->work + 63) / 64 * 64);
    g->column = g->map + square;
    g->scratch.rows = g->column + column;
    g->scratch.packed = g->scratch.rows + group;
    return g->work != NULL;
}

Status gradients_room(Gradients *g, const Bert *m, const Activations *a, Keep keep, Error *e)
{
    Request request = a->request;
    size_t rows, bytes;
    request.keep = keep;
    if (activations_renew(&g->a, m, &a->batch, &request, e) != BERT_OK) return e->status;
    if (keep == KEEP_NOTHING) g->a.token_type = g->a.position = g->a.word;      /* the three of a sum are equal */
    bool ok = work_room(g, &m->config, a->longest) && size_add(g->tokens, (size_t)a->N, &rows) &&
              size_mul(rows, (size_t)m->config.H * sizeof(real), &bytes);
    if (ok && rows <= g->lookup_room) return BERT_OK;
    real *lookups = ok ? realloc(g->lookups, bytes) : NULL;
    if (lookups) g->lookups = lookups;
    int32_t *ids = lookups ? realloc(g->lookup_ids, rows * sizeof *ids) : NULL;        /* less than `bytes` */
    if (ids) g->lookup_ids = ids;
    if (ids) g->lookup_room = rows;
    return ids ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory for the gradients of %d sequences", a->batch.B);
}

/* Why not all of the memory: what waits behind a matrix is written before it is read, and in a step of one micro-batch
 * hardly any row waits. What nobody touches takes no memory: 100 MB with BERT-Base. */
void gradients_zero(Gradients *g)
{
    for (const Parameter *p = g->list; p < g->list + g->count; p++) {
        const size_t behind = p->rows ? 0 : (p->count + 15) / 16 * 16 - p->count + room_behind(p);
        memset(p->gradient, 0, (p->count + behind) * sizeof *p->gradient);
    }
    g->tokens = g->chosen = g->sequences = 0;
    g->learned = 0;
    g->losses = (Losses){0};
}

void gradients_free(Gradients *g)
{
    activations_free(&g->a);
    free(g->m.layers);
    free(g->memory);
    free(g->work);
    free(g->lookups);
    free(g->lookup_ids);
    *g = (Gradients){0};
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The optimizer's means
 * ------------------------------------------------------------------------------------------------------------------ */
Status adamw_new(AdamW *o, const Parameters *p, const AdamWOptions *options, Error *e)
{
    *o = (AdamW){.options = *options, .beta1_power = 1, .beta2_power = 1};
    o->mean = calloc(p->numbers, sizeof *o->mean);
    o->square = calloc(p->numbers, sizeof *o->square);
    if (o->mean && o->square) return BERT_OK;
    adamw_free(o);
    return fail(e, BERT_SYSTEM, "out of memory for the means of %zu gradients", p->numbers);
}

void adamw_free(AdamW *o)
{
    free(o->mean);
    free(o->square);
    *o = (AdamW){0};
}
