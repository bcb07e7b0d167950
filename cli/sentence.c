/* sentence.c - vectors as a sentence-transformers directory says: how its texts are prepared, and what is done with the
 * last hidden state. weights/modules.c reads the files, vectors.c calls what is here.
 *
 *     prompt + text  --tokenizer, cut-->  tokens  --BERT-->  (T,H)  --Pooling-->  (P H)  --Dense, ...-->  (dim)
 */
#include "cli/cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * The directory and its texts
 * ------------------------------------------------------------------------------------------------------------------ */

/* The model may lie below the directory, in 0_Transformer: then that is the model's directory from here on, and the
 * other one keeps the list of modules. */
Status enter_sentence_directory(Session *s, Error *e)
{
    if (sentence_text_read(s->directory, &s->sentence_text, e) != BERT_OK) return e->status;
    if (!*s->sentence_text.model) return BERT_OK;
    const size_t size = strlen(s->directory) + strlen(s->sentence_text.model) + 2;
    char *below = malloc(size);
    if (!below) return fail(e, BERT_SYSTEM, "out of memory");
    snprintf(below, size, "%s/%s", s->directory, s->sentence_text.model);
    s->sentence_directory = s->directory;
    s->directory = below;
    return BERT_OK;
}

const char *sentence_directory(const Session *s)
{
    const char *directory = s->sentence_directory ? s->sentence_directory : s->directory;
    return is_sentence_directory(directory) ? directory : NULL;
}

/* Tokens that the prompt alone takes, [CLS] among them and [SEP] not: those are left out of the pooling where
 * include_prompt is false.
 * Differs: the library recognises [SEP] by its name, and where no file names it, counts it, too: then the text's first
 * token is left out with the prompt. The vectors are compared with those of the library, so it is followed. */
static Status count_prompt(Session *s, Error *e)
{
    const EncodeOptions options = encode_options(s);
    Encoding x = {0};
    Status status = encode(&s->tokenizer, (Text){s->prompt, strlen(s->prompt)}, NULL, &options, &x, e);
    for (int t = 0; t < x.T; t++) s->prompt_tokens += x.attention_mask[t];
    s->prompt_tokens -= s->prompt_tokens > 0 && s->tokenizer.sep_named;
    encoding_free(&x);
    return status == BERT_OK ? status : fail(e, status, "the prompt: %.900s", e->message);
}

/* Texts from here on get the prompt, and are cut to the directory's length. --inputs holds ids: they are taken as they
 * are. */
Status prepare_sentences(Session *s, Error *e)
{
    const Options *o = &s->options;
    const char *directory = sentence_directory(s);
    const char *leftover = directory || !o->prompt ? NULL : sentence_leftover(s->directory);
    if (leftover)
        return fail(e, BERT_FILE, "--prompt: %s holds %s, but no modules.json, which makes it a directory of "
                    "sentence-transformers", s->directory, leftover);
    if (!directory && o->prompt)
        return fail(e, BERT_USAGE, "--prompt: %s is no directory of sentence-transformers", s->directory);
    if (!directory) return BERT_OK;
    s->cuts = s->sentence_text.cuts;
    const EncodeOptions options = encode_options(s);
    if (o->verbose && s->cuts && options.truncate) note(s, "texts are cut to %d tokens", options.max_length);
    if (o->inputs && !o->query) return BERT_OK;
    if (prompt_read(directory, o->prompt, &s->prompt, e) != BERT_OK) return e->status;
    if (!s->prompt) return BERT_OK;
    if (o->verbose) note(s, "before every text: '%s'", s->prompt);
    return count_prompt(s, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Pooling
 * ------------------------------------------------------------------------------------------------------------------ */
/* The sum of the rows with mask 1, each times its weight, divided by `by`. Every sum is one of doubles, in the order of
 * the tokens. */
static void weighted_sum(real *out, const real *vectors, const double *weight, size_t T, size_t H, double by)
{
    for (size_t d = 0; d < H; d++) {
        double sum = 0;
        for (size_t t = 0; t < T; t++)
            if (weight[t] != 0) sum += weight[t] * (double)vectors[t * H + d];
        out[d] = (real)(sum / by);
    }
}

/* mean_sqrt_len_tokens: the sum over n tokens by the root of n. weightedmean: the k-th token counts k times, from the
 * first that is no padding; those of the prompt keep their places where they are left out.
 * With no token at all both are zero. */
static void pool_weighted(real *out, const real *vectors, const int32_t *mask, const Tokens *x, TokenPooling pooling)
{
    double total = 0, *weight = x->weight;
    size_t first = 0;
    while (first < x->T && !x->attention_mask[first]) first++;
    for (size_t t = 0; t < x->T; t++) {
        weight[t] = !mask[t] ? 0 : pooling == POOLED_WEIGHTED ? (double)t - (double)first + 1 : 1;
        total += weight[t];
    }
    if (total < 1e-9) total = 1e-9;
    weighted_sum(out, vectors, weight, x->T, x->H, pooling == POOLED_WEIGHTED ? total : sqrt(total));
}

/* One pooling: out (H) <- the tokens' vectors (T,H) with mask 1.
 * Trap: cls and lasttoken are the first and the last token that is no padding, not those at the ends; without any, the
 * library takes token 0, zeros for lasttoken, and minus infinity for max. */
static void pool_one(real *out, const Tokens *x, TokenPooling pooling)
{
    const size_t T = x->T, H = x->H;
    const int32_t *mask = x->mask;
    size_t first = 0, last = T;
    while (first < T && !mask[first]) first++;
    while (last > 0 && !mask[last - 1]) last--;
    if (pooling == POOLED_CLS) {
        memcpy(out, x->vectors + (first < T ? first : 0) * H, H * sizeof *out);
    } else if (pooling == POOLED_LAST) {
        if (last) memcpy(out, x->vectors + (last - 1) * H, H * sizeof *out);
        else memset(out, 0, H * sizeof *out);
    } else if (pooling == POOLED_MAX && first == T) {
        for (size_t d = 0; d < H; d++) out[d] = -(real)INFINITY;
    } else if (pooling == POOLED_MAX || pooling == POOLED_MEAN) {
        pool_tokens(out, x->vectors, mask, T, H, pooling == POOLED_MAX ? POOL_MAX : POOL_MEAN);
    } else {
        pool_weighted(out, x->vectors, mask, x, pooling);
    }
}

/* The mask of what is pooled: without the prompt's tokens, where the directory leaves them out. Behind padding on the
 * left the prompt begins with the first token. */
static void mask_prompt(int32_t *mask, const Tokens *x, int prompt_tokens)
{
    size_t first = 0;
    while (first < x->T && !x->attention_mask[first]) first++;
    for (size_t t = 0; t < x->T; t++)
        mask[t] = t < first + (size_t)prompt_tokens ? 0 : x->attention_mask[t];
}

/* ---------------------------------------------------------------------------------------------------------------------
 * SPLADE: a weight for every piece of the vocabulary, most of them 0
 *
 *     w(piece) = max, or sum, over the tokens t of log(1 + max(0, logit(t, piece)))
 *
 * The MLM head says which pieces could stand where a token stands: the text's own, and others of like meaning.
 * ------------------------------------------------------------------------------------------------------------------ */
Status request_logits(Request *request, int **rows, const Session *s, size_t tokens, Error *e)
{
    *rows = NULL;
    if (!s->sentence.splade) return BERT_OK;
    if (!s->model.has_mlm)
        return fail(e, BERT_HEAD, "the weights have no masked-language-model head, which SpladePooling needs");
    size_t bytes;
    *rows = size_mul(tokens, sizeof **rows, &bytes) ? malloc(bytes) : NULL;
    if (!*rows) return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t t = 0; t < tokens; t++) (*rows)[t] = (int)t;
    request->mlm_rows = *rows;
    request->M = (int)tokens;
    return BERT_OK;
}

/* One piece. A NaN stays one. */
static real splade_weight(const SentenceModel *m, const Tokens *x, size_t piece)
{
    double all = 0;
    for (size_t t = 0; t < x->T; t++) {
        const double logit = (double)x->vectors[t * x->H + piece];
        if (!x->attention_mask[t] || logit <= 0) continue;
        const double w = m->splade_twice ? log1p(log1p(logit)) : log1p(logit);
        if (m->splade_sum || isnan(w)) all += w;
        else if (w > all) all = w;
    }
    return (real)all;
}

typedef struct {
    real weight;
    size_t piece;
} Weighted;

/* The largest first, NaN last; of equal ones the smaller id. */
static int by_weight(const void *a, const void *b)
{
    const Weighted *x = a, *y = b;
    const int order = higher_first((double)x->weight, (double)y->weight);
    return order ? order : x->piece < y->piece ? -1 : x->piece > y->piece;
}

/* {"cat": 1.25, "dog": 0.5}, or on a terminal: cat 1.2500 dog 0.5000 ... (12 pieces). */
Status put_weights(const Session *s, const real *vector, size_t most, Error *e)
{
    const size_t V = s->sentence.dim;
    const bool json = format_is(s, "json");
    size_t n = 0;
    Weighted *all = calloc(V, sizeof *all);
    if (!all) return fail(e, BERT_SYSTEM, "out of memory for the weights");
    for (size_t i = 0; i < V; i++)
        if (vector[i] != 0) all[n++] = (Weighted){vector[i], i};
    if (n) qsort(all, n, sizeof *all, by_weight);
    if (json) fputc('{', s->out);
    for (size_t i = 0; i < n && i < most; i++) {
        const char *piece = piece_of(s, (int)all[i].piece);
        if (i) fputs(json ? ", " : " ", s->out);
        if (json) json_put_text(s->out, piece, strlen(piece));
        else put_safely(s->out, piece);
        if (json) fputs(": ", s->out);
        if (json) json_put_number(s->out, (double)all[i].weight);
        else fprintf(s->out, " %.4f", (double)all[i].weight);
    }
    if (json) fputc('}', s->out);
    else fprintf(s->out, "%s (%zu pieces)", n > most ? " ..." : "", n);
    free(all);
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What comes after the pooling
 * ------------------------------------------------------------------------------------------------------------------ */
/* out (out) <- W (out,in) x + b, every sum one of doubles; then tanh, or nothing. */
static void dense(real *out, const real *x, const SentenceModule *m)
{
    for (size_t o = 0; o < m->out; o++) {
        double sum = m->bias ? (double)m->bias[o] : 0;
        for (size_t i = 0; i < m->in; i++) sum += (double)m->weight[o * m->in + i] * (double)x[i];
        out[o] = (real)sum;
    }
    if (m->tanh) tanh_all(out, out, m->out);
}

/* PyTorch's default; the directory has no other. */
static const real LAYER_NORM_EPS = (real)1e-5;

/* The largest vector on the way. */
static size_t widest(const SentenceModel *m, size_t H)
{
    size_t widest = (size_t)m->pooling_count * H;
    for (int i = 0; i < m->count; i++)
        if (m->modules[i].out > widest) widest = m->modules[i].out;
    return widest;
}

/* x (widest) becomes the vector at the end; y is as large, for Dense. */
static void apply_modules(real *x, real *y, const SentenceModel *m, size_t H)
{
    size_t size = (size_t)m->pooling_count * H;
    for (int i = 0; i < m->count; i++) {
        const SentenceModule *module = &m->modules[i];
        if (module->kind == MODULE_NORMALIZE) {
            normalize(x, size);
        } else if (module->kind == MODULE_LAYER_NORM) {
            layer_norm(x, x, module->weight, module->bias, LAYER_NORM_EPS, 1, size);
        } else {
            dense(y, x, module);
            memcpy(x, y, module->out * sizeof *x);
            size = module->out;
        }
    }
}

Status sentence_vector(real *out, const Session *s, const Tokens *tokens, Error *e)
{
    const SentenceModel *m = &s->sentence;
    Tokens x = *tokens;
    for (size_t i = 0; m->splade && i < m->dim; i++) out[i] = splade_weight(m, &x, i);
    if (m->splade) return BERT_OK;
    const size_t room = widest(m, x.H);
    int32_t *mask = malloc(x.T * sizeof *mask);
    real *a = malloc(2 * room * sizeof *a);
    x.weight = malloc(x.T * sizeof *x.weight);
    const bool ok = mask && a && x.weight;
    if (ok) {
        mask_prompt(mask, &x, m->include_prompt ? 0 : s->prompt_tokens);
        x.mask = mask;
        for (int p = 0; p < m->pooling_count; p++) pool_one(a + (size_t)p * x.H, &x, m->poolings[p]);
        apply_modules(a, a + room, m, x.H);
        memcpy(out, a, m->dim * sizeof *out);               /* the first ones: see truncate_dim */
    }
    free(mask);
    free(a);
    free(x.weight);
    return ok ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory for vectors");
}

/* Is it no more than the tutorial's recipe with other words: one of cls, mean and max of all tokens, and length 1? */
bool sentence_is_plain(const SentenceModel *m, size_t H, Pooling *pooling, bool *normalized)
{
    static const Pooling plain[] = {[POOLED_CLS] = POOL_CLS, [POOLED_MAX] = POOL_MAX, [POOLED_MEAN] = POOL_MEAN};
    if (m->splade || m->pooling_count != 1 || m->poolings[0] > POOLED_MEAN || !m->include_prompt) return false;
    if (m->dim != H) return false;
    for (int i = 0; i < m->count; i++)
        if (m->modules[i].kind != MODULE_NORMALIZE) return false;
    *pooling = plain[m->poolings[0]];
    *normalized = m->count > 0;
    return true;
}
