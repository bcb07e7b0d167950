/* mistakes.c - the mistakes that BERTs are known for, each as a change to an otherwise correct forward pass.
 *
 *     forward pass + mistake, on the other side's own numbers  ==  the other side's next number?   Then that is it.
 *
 * Each one has been made by somebody: in a port, in a tutorial, in a loader. verify.c plants them one at a time into a
 * Trial and measures; nothing in bert.c or tensor.c knows of it. A mistake is one of three things:
 *
 *     an edit      of weights, configuration or ids before the ordinary steps     (a bias of zeros, eps 1e-5)
 *     a norm       another LayerNorm, for all of them                             (eps outside the root)
 *     a step       another function for one tensor                                (no division by sqrt(D))
 *
 * To add one: a function of a few lines, and a row in the table at the end of this file.
 */
#include "verify/verify.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tokens of the whole batch, N. */
static size_t tokens(const Trial *t)
{
    return (size_t)t->a.N;
}

/* The width of a hidden state, H. */
static size_t width(const Trial *t)
{
    return (size_t)t->model.config.H;
}

/* Bytes of a tensor (N,H). */
static size_t bytes(const Trial *t)
{
    return tokens(t) * width(t) * sizeof(real);
}

/* The intermediates of the block that is run. */
static BlockActivations *block(const Trial *t)
{
    return &t->a.block[t->layer];
}

/* That block's input, hidden state l, in the trial's own buffer. */
static real *block_input(Trial *t)
{
    return (real *)(uintptr_t)hidden_state(&t->a, t->layer);
}

/* =====================================================================================================================
 * Ids and embeddings (step 5)
 * ================================================================================================================== */

/* Every token in segment `value`. A sentence pair has token types 0 and 1, and each type has a row of the table.
 * llama.cpp takes row 0 for every token; the word-embedding tutorial passes row 1 for a single sentence, and is off
 * too.
 * How it shows: embeddings.token_type_embeddings is right for one of the two sentences and wrong for the other.
 * Nothing changes, and nothing is planted, if the tokens are in that segment anyway. */
static bool one_segment(Trial *t)
{
    bool changed = false;
    if (t->value >= t->model.config.S) return false;
    for (size_t n = 0; n < tokens(t); n++) {
        if (t->types[n] != (int32_t)t->value) changed = true;
        t->types[n] = (int32_t)t->value;
    }
    return changed;
}

/* Sentence A in segment 1 and B in segment 0. Who does it: whoever numbers the question, which comes second, first.
 * How it shows: embeddings.token_type_embeddings has the two rows, each in the other's place. With one segment only it
 * would be `every token is in segment 1`, and is not planted. */
static bool segments_swapped(Trial *t)
{
    bool seen[2] = {false, false};
    for (size_t n = 0; t->model.config.S && n < tokens(t); n++) {
        if (t->types[n] != 0 && t->types[n] != 1) continue;
        seen[t->types[n]] = true;
        t->types[n] = 1 - t->types[n];
    }
    return seen[0] && seen[1];
}

/* A row of the position table into the step's own output: token n gets position `at`. The table has P rows; a
 * position beyond them starts again, because a program that reads beyond its table gets something, too. */
static void set_position(Trial *t, size_t n, size_t at)
{
    const Tensor *P = &t->model.position_embeddings;
    memcpy(t->a.position + n * width(t), tensor_rows(P, at % P->rows, 1, t->a.scratch.rows), width(t) * sizeof(real));
}

/* Positions from 1, or from 2 as RoBERTa counts them (its rows 0 and 1 belong to padding).
 * Who does it: ports that began with RoBERTa; and whoever counts [CLS] as the first token, hence number 1.
 * How it shows: embeddings.position_embeddings, every row; the sentence is still understood, roughly. */
static void positions_shifted(Trial *t)
{
    for (int b = 0; b < t->a.batch.B; b++)
        for (size_t n = t->a.start[b]; n < t->a.start[b + 1]; n++)
            set_position(t, n, n - t->a.start[b] + (size_t)t->value);
}

/* Only real tokens are counted: with left padding the first word gets position 0. Better, perhaps, but not what BERT
 * does.
 * Who does it: programs made for generating text, where left padding is usual.
 * How it shows: nothing, until somebody pads on the left. */
static void positions_unpadded(Trial *t)
{
    for (int b = 0; b < t->a.batch.B; b++)
        for (size_t n = t->a.start[b], at = 0; n < t->a.start[b + 1]; n++) {
            set_position(t, n, at);
            at += t->mask[n] != 0;
        }
}

/* Each sentence of a pair counts from 0. Who does it: whoever thinks of two texts rather than of one row of tokens; and
 * programs that put several texts into one row, where counting anew is right.
 * How it shows: embeddings.position_embeddings, from the first token of the second sentence on. */
static void positions_restarted(Trial *t)
{
    for (int b = 0; b < t->a.batch.B; b++)
        for (size_t n = t->a.start[b], at = 0; n < t->a.start[b + 1]; n++) {
            at = n > t->a.start[b] && t->types[n] > t->types[n - 1] ? 0 : at;
            set_position(t, n, at++);
        }
}

/* Only where a second sentence begins. */
static bool plant_restart(Trial *t)
{
    bool changed = false;
    for (int b = 0; b < t->a.batch.B; b++)
        for (size_t n = t->a.start[b] + 1; n < t->a.start[b + 1]; n++) changed |= t->types[n] > t->types[n - 1];
    t->instead[TRACE_POSITION] = positions_restarted;
    return changed;
}

/* The sinusoids of "Attention Is All You Need" [attn 3.5], which the encyclopedia and several tutorials give to BERT:
 *
 *     PE(t, 2i) = sin(t / 10000^(2i/H))        PE(t, 2i+1) = cos(t / 10000^(2i/H))
 *
 * in turns (value 0), or all sines first and then all cosines, as tensor2tensor has them (value 1). BERT learned its
 * table; after training it looks nothing like a sinusoid.
 * How it shows: row 0 is 0 1 0 1 0 1 ... */
static void positions_sinusoidal(Trial *t)
{
    const size_t H = width(t), half = H / 2;
    for (int b = 0; b < t->a.batch.B; b++)
        for (size_t n = t->a.start[b]; n < t->a.start[b + 1]; n++)
            for (size_t h = 0; h < H; h++) {
                size_t i = t->value != 0 ? h % half : h / 2, denominator = t->value != 0 && half > 1 ? half - 1 : half;
                double angle = (double)(n - t->a.start[b]) * pow(10000, -(double)i / (double)denominator);
                bool cosine_here = t->value != 0 ? h >= half : h % 2;
                t->a.position[n * H + h] = (real)(cosine_here ? cos(angle) : sin(angle));
            }
}

/* A bag of words: without positions the model cannot know which of two equal words stands where.
 * How it shows: two occurrences of one word have the same vector in embeddings.LayerNorm, and in every layer. */
static void positions_missing(Trial *t)
{
    memset(t->a.position, 0, bytes(t));
}

/* No token types at all: a program for a model that has none (DistilBERT, RoBERTa) that was given a BERT.
 * How it shows: the sum differs by a constant row; if the trace has no token types, embeddings.LayerNorm is the
 * first. */
static void types_missing(Trial *t)
{
    memset(t->a.token_type, 0, bytes(t));
}

/* =====================================================================================================================
 * LayerNorm (steps 6, 11, 13, 15)
 * ================================================================================================================== */
/* Another eps: PyTorch's default is 1e-5, Keras' 1e-3, Flax' 1e-6, BERT's 1e-12.
 * How it shows: relatively little, eps / (2 variance) of each number. The variance after the embeddings of BERT-Base
 * is so small that 1e-5 shows in the third digit. */
static bool plant_eps(Trial *t)
{
    bool changed = t->model.config.eps != t->value;
    t->model.config.eps = t->value;
    return changed;
}

/* What layer_norm does, with its parts in the open:
 *
 *     out = (x - mean) / spread * gamma + beta        spread = sqrt(sum (x - mean)^2 / count + inside) + outside
 *
 * BERT has count = H, inside = eps, outside = 0. In double: it need not give layer_norm's bits, only the same
 * numbers. */
static void norm_like(const Norm *n, double count, double inside, double outside)
{
    const double H = (double)n->H;
    for (size_t row = 0; row < n->rows; row++) {
        const real *x = n->x + row * n->H;
        real *out = n->out + row * n->H;
        double sum = 0, squares = 0;
        for (size_t h = 0; h < n->H; h++) sum += (double)x[h];
        const double mean = sum / H;
        for (size_t h = 0; h < n->H; h++) squares += ((double)x[h] - mean) * ((double)x[h] - mean);
        const double spread = sqrt(squares / count + inside) + outside;
        for (size_t h = 0; h < n->H; h++)
            out[h] = (real)(((double)x[h] - mean) / spread * (double)n->gamma[h] + (double)n->beta[h]);
    }
}

/* sqrt(variance) + eps. With eps = 1e-12 nobody can see the difference to sqrt(variance + eps), in float32 least of
 * all; with 1e-3 or the formula models' 0.01 everybody can. */
static void norm_eps_outside(const Norm *n)
{
    norm_like(n, (double)n->H, 0, (double)n->eps);
}

/* torch.std and torch.var divide by H - 1 unless told otherwise: unbiased=False is what LayerNorm means.
 * How it shows: every number too small by sqrt((H-1)/H), 0.065 % for H = 768: no test with two digits finds that. */
static void norm_unbiased(const Norm *n)
{
    norm_like(n, (double)n->H - 1, (double)n->eps, 0);
}

/* Both at once, x.std() + eps: the LayerNorm of the Annotated Transformer, copied into many a "BERT from scratch". */
static void norm_unbiased_outside(const Norm *n)
{
    norm_like(n, (double)n->H - 1, 0, (double)n->eps);
}

/* The variance itself, without its root: (x - mean) / (variance + eps). Who does it: whoever stops reading the formula
 * after "the variance".
 * How it shows: each row without beta is right but for a factor, which is 1 where the variance happens to be 1. */
static void norm_by_variance(const Norm *n)
{
    for (size_t row = 0; row < n->rows; row++) {
        const real *x = n->x + row * n->H;
        real *out = n->out + row * n->H;
        double sum = 0, squares = 0;
        for (size_t h = 0; h < n->H; h++) sum += (double)x[h];
        const double mean = sum / (double)n->H;
        for (size_t h = 0; h < n->H; h++) squares += ((double)x[h] - mean) * ((double)x[h] - mean);
        const double variance = squares / (double)n->H + (double)n->eps;
        for (size_t h = 0; h < n->H; h++)
            out[h] = (real)(((double)x[h] - mean) / variance * (double)n->gamma[h] + (double)n->beta[h]);
    }
}

/* As if the weights had not been loaded. Who does it: programs that look for `weight` and `bias` in files that say
 * `gamma` and `beta`, as files from 2018 and 2019 do, and that take ones and zeros for what they did not find.
 * How it shows: every LayerNorm has mean 0 and variance 1 in each row. The model talks nonsense. */
static void norm_without_weights(const Norm *n)
{
    layer_norm(n->out, n->x, n->gamma, n->beta, n->eps, n->rows, n->H);
    for (size_t i = 0; i < n->rows * n->H; i++) {
        const real gamma = n->gamma[i % n->H], beta = n->beta[i % n->H];
        if (gamma != 0) n->out[i] = (n->out[i] - beta) / gamma;
    }
}

/* A sum without its LayerNorm: after the embeddings (here), after the attention, after the feed-forward part.
 * Who does it: nobody's picture of the Transformer shows the one after the embeddings, and the paper does not mention
 * it.
 * How it shows: LayerNorm's tensor is the sum itself; the ordinary step has left that in `sum`. */
static void embeddings_unnormed(Trial *t)
{
    ordinary_step(t, TRACE_EMBEDDING_NORM);
    memcpy(t->a.embedding_norm, t->a.sum, bytes(t));
}

/* The same after the attention: hidden states grow from layer to layer, since nothing brings them back to size. */
static void attention_unnormed(Trial *t)
{
    ordinary_step(t, TRACE_ATTENTION_NORM);
    memcpy(block(t)->attention_norm, t->a.sum, bytes(t));
}

/* The same after the feed-forward part. */
static void output_unnormed(Trial *t)
{
    ordinary_step(t, TRACE_OUTPUT_NORM);
    memcpy(block(t)->output_norm, t->a.sum, bytes(t));
}

/* =====================================================================================================================
 * Weights (every step that has some)
 * ================================================================================================================== */

/* Where the trial's model keeps t->tensor: a Tensor for matrices, a `const real *`
 * for vectors. The trial's bindings are copies, so that a mistake may change them; the weights behind them are not. */
static void *field_of(Trial *t, int l)
{
    char *base = spec_per_layer(t->tensor) ? (char *)&t->model.layers[l] : (char *)&t->model;
    return base + t->tensor->field;
}

/* The last layer in which t->tensor is changed; one that belongs to no layer is changed once. */
static int last_changed(const Trial *t)
{
    return spec_per_layer(t->tensor) ? t->last_layer : t->first_layer;
}

/* A bias of zeros (value 0), a gamma of ones (value 1): a tensor that was never loaded, or never added.
 * Who does it: bias=False in one constructor of many; a file whose name for one tensor is spelled otherwise; the bias
 * of the decoder, which belongs to cls.predictions and not to cls.predictions.decoder.
 * How it shows: the difference has the same row for every token: minus the bias. It is planted in each tensor that
 * has one, so that the sentence can name it. */
static bool plant_missing(Trial *t)
{
    for (int l = t->first_layer; l <= last_changed(t); l++)
        *(const real **)field_of(t, l) = t->value == 0 ? t->zeros : t->ones;
    return true;
}

/* A matrix (O,K) read as if it were (K,O), TensorFlow's order:
 *
 *     y_o = sum over k of x_k W[k*O + o]          instead of W[o*K + k]
 *
 * For a square matrix that is the transposed one; others have the wrong shape, and only a reader that ignores shapes
 * gets this far. Who does it: TensorFlow's kernels are (in, out), PyTorch's weights (out, in), and both files are
 * called BERT.
 * How it shows: the numbers have the right size and nothing else in common with the right ones (cosine near 0). */
static Tensor misread(Trial *t, const Tensor *W)
{
    const size_t O = W->rows, K = W->cols;
    const SafeTensor whole = {.dtype = W->dtype, .count = O * K, .data = W->data};
    float *copy = malloc(O * K * sizeof *copy);
    if (!copy || t->owned_count == t->owned_room) {
        free(copy);
        t->failed = true;
        return *W;
    }
    t->owned[t->owned_count++] = copy;
    for (size_t o = 0; o < O; o++)
        for (size_t k = 0; k < K; k++) copy[o * K + k] = (float)tensor_element(&whole, k * O + o);
    return (Tensor){copy, DTYPE_F32, O, K};
}

/* The same, planted: in every layer that the trial runs if there is one per layer. The copies are the trial's. */
static bool plant_misread(Trial *t)
{
    for (int l = t->first_layer; l <= last_changed(t) && !t->failed; l++) {
        Tensor *W = field_of(t, l);
        *W = misread(t, W);
    }
    return true;
}

/* Query, key and value have the same shape and stand beside each other, so that swapping two of them breaks nothing but
 * the numbers. Query and key: the scores are transposed, "i looks at j" becomes "j looks at i". With the value, what is
 * looked for, or what is found, is what should have been handed on. */
enum { QUERY_AND_KEY, KEY_AND_VALUE, QUERY_AND_VALUE };

static bool plant_swapped(Trial *t)
{
    for (int l = 0; l < t->model.config.L; l++) {
        BertLayer *w = &t->model.layers[l];
        const bool key_first = t->value == KEY_AND_VALUE, key_second = t->value == QUERY_AND_KEY;
        Tensor *const X = key_first ? &w->Wk : &w->Wq, *const Y = key_second ? &w->Wk : &w->Wv;
        const real **const x = key_first ? &w->bk : &w->bq, **const y = key_second ? &w->bk : &w->bv;
        const Tensor W = *X;
        const real *b = *x;
        *X = *Y;
        *x = *y;
        *Y = W;
        *y = b;
    }
    return true;
}

/* Every layer has the weights of the one before (value -1), of the one after (1), or of layer 0 (0). Who does it: an
 * index from 1 in the names, a loop that captures its variable by reference, a model that shares its layers as ALBERT
 * does.
 * How it shows: layer 0 is right (before, layer 0) or the last layer is (after); all others are wrong from the query
 * on. */
static bool plant_other_layer(Trial *t)
{
    const int L = t->model.config.L;
    for (int l = 0; l < L; l++) {
        int from = t->value == 0 ? 0 : l + (int)t->value;
        t->model.layers[l] = t->original->layers[from < 0 ? 0 : from >= L ? L - 1 : from];
    }
    return L > 1;
}

/* =====================================================================================================================
 * Attention (steps 8 to 10)
 * ================================================================================================================== */

/* Ordinary scores, times `factor` where they are not masked: four ways to scale wrongly, all of them a factor. How
 * they show: attention.self.scores is right but for a constant, and cosine says 1.000 while NMSE says wrong. */
static void scores_times(Trial *t, double factor)
{
    const size_t count = t->a.score_start[t->a.batch.B];
    real *scores = block(t)->scores;
    ordinary_step(t, TRACE_SCORES);
    for (size_t i = 0; i < count; i++)
        if (scores[i] > -FLT_MAX) scores[i] = (real)((double)scores[i] * factor);
}

/* Not divided at all. Terms of size 10 instead of 1 go into the softmax, and nearly all attention goes to one token. */
static void scores_unscaled(Trial *t)
{
    scores_times(t, sqrt(t->model.config.D));
}

/* Divided by sqrt(H) = 27.7 instead of sqrt(D) = 8: the paper writes sqrt(d_k), and d_k is the head's size, not the
 * model's. All attention is spread too evenly. */
static void scores_by_hidden_size(Trial *t)
{
    scores_times(t, sqrt((double)t->model.config.D / t->model.config.H));
}

/* Divided by D instead of its root: a scale of 1/D handed to a function that expects it that way or the other. */
static void scores_by_head_size(Trial *t)
{
    scores_times(t, 1 / sqrt(t->model.config.D));
}

/* All tokens real: the mask is not used at all. Who does it: programs that were tested with one sentence at a time.
 * How it shows: attention.self.probs of padded inputs only: what padding gets is missing elsewhere. Masked scores are
 * not compared (everybody has another very low number there), so the scores still pass. */
static bool plant_no_mask(Trial *t)
{
    bool changed = false;
    for (size_t n = 0; n < tokens(t); n++) {
        if (!t->mask[n]) changed = true;
        t->mask[n] = 1;
    }
    return changed;
}

enum { MASK_MULTIPLIED, MASK_ON_QUERIES, MASK_ADDED, MASK_INVERTED };

/* Scores without a mask, then the mask in a way of its own:
 *
 *     MASK_MULTIPLIED   score * mask       a masked score is 0, and e^0 = 1 is not nothing
 *     MASK_ON_QUERIES   rows, not columns  padding looks at nobody, but everybody still looks at padding
 *     MASK_ADDED        score + mask       the 0 and 1 themselves, where (1 - mask) * -10000 was meant
 *     MASK_INVERTED     1 - mask           PyTorch's key_padding_mask is True where a key is to be hidden
 *
 * For real tokens MASK_ON_QUERIES is the same as no mask at all. Only the rows of padding tell them apart, which is
 * why masked rows are measured, too, when two explanations are equally good. */
static void scores_masked_otherwise(Trial *t)
{
    const size_t A = (size_t)t->model.config.A;
    ordinary_step(t, TRACE_SCORES);                                  /* plant_mask made t->mask all ones */
    for (int b = 0; b < t->a.batch.B; b++) {
        const size_t T = t->a.start[b + 1] - t->a.start[b];
        const int32_t *mask = t->given_mask + t->a.start[b];
        real *row = block(t)->scores + t->a.score_start[b];
        for (size_t i = 0; i < A * T; i++, row += T)
            for (size_t j = 0; j < T; j++) {
                if (t->value == MASK_MULTIPLIED) row[j] *= (real)mask[j];
                else if (t->value == MASK_ADDED) row[j] += (real)mask[j];
                else if (t->value == MASK_ON_QUERIES ? !mask[i % T] : mask[j]) row[j] = -FLT_MAX;
            }
    }
}

/* Without padding no mask changes anything, and none of these is a candidate. */
static bool plant_mask(Trial *t)
{
    if (!plant_no_mask(t)) return false;
    t->instead[TRACE_SCORES] = scores_masked_otherwise;
    return true;
}

enum { SEES_PAST, SEES_FUTURE, SEES_SEGMENT, SEES_OTHERS };

/* Does query i see key j? Tokens are counted from the sequence's first. */
static bool sees(const Trial *t, size_t first, size_t i, size_t j)
{
    switch ((int)t->value) {
    case SEES_PAST: return j <= i;
    case SEES_FUTURE: return j >= i;
    case SEES_SEGMENT: return t->types[first + i] == t->types[first + j];
    default: return i != j;
    }
}

/* The mask, and another one beside it. BERT's B stands for bidirectional: every token sees every token.
 *
 *     SEES_PAST      GPT's mask. Who has it: attention code for text that is generated, is_causal=True
 *     SEES_FUTURE    the same the wrong way round: triu for tril
 *     SEES_SEGMENT   A and B are kept apart, as in programs that pack several texts into one row
 *     SEES_OTHERS    the diagonal is hidden: some encoders of pictures want that
 *
 * How it shows: attention.self.scores has very low numbers between real tokens, where a trace has it; else
 * attention.self.probs has zeros there. */
static void scores_hidden_further(Trial *t)
{
    const size_t A = (size_t)t->model.config.A;
    ordinary_step(t, TRACE_SCORES);
    for (int b = 0; b < t->a.batch.B; b++) {
        const size_t first = t->a.start[b], T = t->a.start[b + 1] - first;
        real *row = block(t)->scores + t->a.score_start[b];
        for (size_t i = 0; i < A * T; i++, row += T)
            for (size_t j = 0; j < T; j++)
                if (!sees(t, first, i % T, j)) row[j] = -FLT_MAX;
    }
}

/* Whether it hides anything between real tokens. */
static bool plant_hidden(Trial *t)
{
    bool changed = false;
    for (int b = 0; b < t->a.batch.B; b++) {
        const size_t first = t->a.start[b], T = t->a.start[b + 1] - first;
        for (size_t i = 0; i < T * T && !changed; i++)
            changed = t->mask[first + i / T] && t->mask[first + i % T] && !sees(t, first, i / T, i % T);
    }
    t->instead[TRACE_SCORES] = scores_hidden_further;
    return changed;
}

/* Masked scores get t->value, a small negative number, where a very low one was meant: e^-6 is 0.0025 and not 0. Who
 * does it: whoever tries whether it works, and it nearly does; masks of float16 that are scaled afterwards.
 * How it shows: as no mask at all, but less. Which number it was is searched for (Mistake.fitted). */
static void scores_masked_weakly(Trial *t)
{
    const size_t A = (size_t)t->model.config.A;
    ordinary_step(t, TRACE_SCORES);                                  /* plant_no_mask made t->mask all ones */
    for (int b = 0; b < t->a.batch.B; b++) {
        const size_t T = t->a.start[b + 1] - t->a.start[b];
        const int32_t *mask = t->given_mask + t->a.start[b];
        real *row = block(t)->scores + t->a.score_start[b];
        for (size_t i = 0; i < A * T * T; i++)
            if (!mask[i % T]) row[i] += (real)t->value;
    }
}

/* Only where there is padding. */
static bool plant_weak_mask(Trial *t)
{
    t->instead[TRACE_SCORES] = scores_masked_weakly;
    return plant_no_mask(t);
}

/* Softmax over the queries i: dim=-2 for dim=-1. Columns add up to 1, rows do not.
 *
 *     p_ij = e^score_ij / sum over i' of e^score_i'j */
static void probs_over_queries(Trial *t)
{
    const size_t A = (size_t)t->model.config.A;
    for (int b = 0; b < t->a.batch.B; b++) {
        const size_t T = t->a.start[b + 1] - t->a.start[b];
        const real *x = block(t)->scores + t->a.score_start[b];
        real *p = block(t)->probs + t->a.score_start[b];
        for (size_t h = 0; h < A; h++, x += T * T, p += T * T)
            for (size_t j = 0; j < T; j++) {
                double largest = -INFINITY, sum = 0;
                for (size_t i = 0; i < T; i++) if ((double)x[i * T + j] > largest) largest = (double)x[i * T + j];
                for (size_t i = 0; i < T; i++) sum += exp((double)x[i * T + j] - largest);
                for (size_t i = 0; i < T; i++) p[i * T + j] = (real)(exp((double)x[i * T + j] - largest) / sum);
            }
    }
}

enum { SPLIT_INTERLEAVED, SPLIT_RESHAPED };

/* Where a program that splits (T,H) into heads in another way finds feature d of head h of token i:
 *
 *     BERT                (T, A, D)    column h*D + d of row i
 *     SPLIT_INTERLEAVED   (T, D, A)    column d*A + h of row i
 *     SPLIT_RESHAPED      (A, T, D)    the same memory cut otherwise: reshape without a transposition
 *
 * All three are one line of NumPy apart, have the right shape, and give numbers of the right size. */
static size_t split_index(int how, size_t T, size_t A, size_t D, size_t i, size_t h, size_t d)
{
    return how == SPLIT_INTERLEAVED ? i * A * D + d * A + h : (h * T + i) * D + d;
}

/* x (N,H): what that program takes for BERT's columns is put there, so that the ordinary step can do the rest. With
 * `back` the reverse: what the ordinary step made goes where that program would put it. Every sequence by itself. */
static void split_otherwise(Trial *t, real *x, int how, bool back)
{
    const size_t A = (size_t)t->model.config.A, D = (size_t)t->model.config.D, H = width(t);
    memcpy(t->spare, x, tokens(t) * H * sizeof(real));
    for (int b = 0; b < t->a.batch.B; b++) {
        const size_t T = t->a.start[b + 1] - t->a.start[b], first = t->a.start[b] * H;
        for (size_t i = 0; i < T; i++)
            for (size_t c = 0; c < H; c++) {
                size_t ours = first + i * H + c, theirs = first + split_index(how, T, A, D, i, c / D, c % D);
                if (back) x[theirs] = t->spare[ours];
                else x[ours] = t->spare[theirs];
            }
    }
}

/* Scores of such heads. Query and key are put back afterwards: the trace shows them before the split, as they should
 * be. */
static void scores_split_otherwise(Trial *t)
{
    BlockActivations *s = block(t);
    split_otherwise(t, s->query, (int)t->value, false);
    split_otherwise(t, s->key, (int)t->value, false);
    ordinary_step(t, TRACE_SCORES);
    split_otherwise(t, s->query, (int)t->value, true);
    split_otherwise(t, s->key, (int)t->value, true);
}

/* The context of such heads: values split that way, and the result put together that way. */
static void context_split_otherwise(Trial *t)
{
    BlockActivations *s = block(t);
    split_otherwise(t, s->value, (int)t->value, false);
    ordinary_step(t, TRACE_CONTEXT);
    split_otherwise(t, s->value, (int)t->value, true);
    split_otherwise(t, s->context, (int)t->value, true);
}

/* With one head there is nothing to split. */
static bool plant_split(Trial *t)
{
    t->instead[TRACE_SCORES] = scores_split_otherwise;
    t->instead[TRACE_CONTEXT] = context_split_otherwise;
    return t->model.config.A > 1;
}

/* Split rightly, put together wrongly: (A,T,D) reshaped to (T,H) without the transposition, a common mistake in
 * attention by hand (transpose(1, 2) forgotten before view), or (T,D,A). */
static void context_merged_otherwise(Trial *t)
{
    ordinary_step(t, TRACE_CONTEXT);
    split_otherwise(t, block(t)->context, (int)t->value, true);
}

/* =====================================================================================================================
 * Residuals and the order of LayerNorm (steps 7, 11 to 13)
 * ================================================================================================================== */

/* LayerNorm of x, with the weights of the LayerNorm that makes that row's tensor. */
static void normalize_like(Trial *t, TraceName row, real *out, const real *x)
{
    const Norm n = norm_of(t, row);
    layer_norm(out, x, n.gamma, n.beta, n.eps, n.rows, n.H);
}

/* Pre-LN, as GPT-2 has it and many tutorials that say BERT:
 *
 *     y = x + attention(LayerNorm(x))        out = y + feed_forward(LayerNorm(y))        instead of
 *     y = LayerNorm(x + attention(x))        out = LayerNorm(y + feed_forward(y))
 *
 * Four steps change: 7 and 12 take a normalized input, 11 and 13 do not normalize. Here step 7. The input is changed
 * in place, used, and put back, because the residual needs it as it was. Key and value read what attention_query has
 * packed, the normalized input. */
static void query_of_norm(Trial *t)
{
    real *x = block_input(t);
    memcpy(t->spare, x, bytes(t));
    normalize_like(t, TRACE_ATTENTION_NORM, x, t->spare);
    ordinary_step(t, TRACE_QUERY);
    memcpy(x, t->spare, bytes(t));
}

/* Pre-LN, step 12: the same with y and the second LayerNorm's weights. */
static void up_of_norm(Trial *t)
{
    real *y = block(t)->attention_norm;
    memcpy(t->spare, y, bytes(t));
    normalize_like(t, TRACE_OUTPUT_NORM, y, t->spare);
    ordinary_step(t, TRACE_INTERMEDIATE_DENSE);
    memcpy(y, t->spare, bytes(t));
}

/* Pre-LN as a whole. A trace of queries shows it at once, one of hidden states after the whole block. */
static bool plant_pre_norm(Trial *t)
{
    t->instead[TRACE_QUERY] = query_of_norm;
    t->instead[TRACE_ATTENTION_NORM] = attention_unnormed;
    t->instead[TRACE_INTERMEDIATE_DENSE] = up_of_norm;
    t->instead[TRACE_OUTPUT_NORM] = output_unnormed;
    return true;
}

/* x + LayerNorm(sublayer(x)): the right parts in the wrong order. Here after the attention. */
static void attention_norm_inside(Trial *t)
{
    normalize_like(t, TRACE_ATTENTION_NORM, t->spare, block(t)->attention_dense);
    add(block(t)->attention_norm, t->spare, block_input(t), tokens(t) * width(t));
}

/* The same after the feed-forward part. */
static void output_norm_inside(Trial *t)
{
    normalize_like(t, TRACE_OUTPUT_NORM, t->spare, block(t)->output_dense);
    add(block(t)->output_norm, t->spare, block(t)->attention_norm, tokens(t) * width(t));
}

/* Both places at once: who has one has the other. */
static bool plant_norm_inside(Trial *t)
{
    t->instead[TRACE_ATTENTION_NORM] = attention_norm_inside;
    t->instead[TRACE_OUTPUT_NORM] = output_norm_inside;
    return true;
}

/* Nothing, or the wrong thing, is added to the sublayer's output. Here nothing, after the attention:
 * LayerNorm(attention), without x. */
static void attention_alone(Trial *t)
{
    normalize_like(t, TRACE_ATTENTION_NORM, block(t)->attention_norm, block(t)->attention_dense);
}

/* The same after the feed-forward part: LayerNorm(feed_forward(y)), without y. */
static void output_alone(Trial *t)
{
    normalize_like(t, TRACE_OUTPUT_NORM, block(t)->output_norm, block(t)->output_dense);
}

/* The feed-forward part's residual is x, the block's input, instead of y, the output of its first half: one variable
 * that was not updated. */
static void output_plus_block_input(Trial *t)
{
    add(t->spare, block(t)->output_dense, block_input(t), tokens(t) * width(t));
    normalize_like(t, TRACE_OUTPUT_NORM, block(t)->output_norm, t->spare);
}

/* The residual is the sum before the first LayerNorm: who normalizes into a new variable keeps adding the old one. */
static void output_plus_first_sum(Trial *t)
{
    add(t->spare, block(t)->attention_dense, block_input(t), tokens(t) * width(t));
    add(t->spare, block(t)->output_dense, t->spare, tokens(t) * width(t));
    normalize_like(t, TRACE_OUTPUT_NORM, block(t)->output_norm, t->spare);
}

/* x + LayerNorm(sublayer(x)) again, as a trace by hooks on the LayerNorm modules shows it: the tensor is LayerNorm's
 * own output, without the residual, as if there were none. The next dense layer, here step 12's, gets the sum; that
 * tells them apart. */
static void up_of_late_sum(Trial *t)
{
    real *y = block(t)->attention_norm;
    memcpy(t->spare, y, bytes(t));
    add(y, t->spare, block_input(t), tokens(t) * width(t));
    ordinary_step(t, TRACE_INTERMEDIATE_DENSE);
    memcpy(y, t->spare, bytes(t));
}

/* All of it: both LayerNorms show no residual. */
static bool plant_late_residual(Trial *t)
{
    t->instead[TRACE_ATTENTION_NORM] = attention_alone;
    t->instead[TRACE_INTERMEDIATE_DENSE] = up_of_late_sum;
    t->instead[TRACE_OUTPUT_NORM] = output_alone;
    return true;
}

/* The block's output is its input: a block that was skipped, or hidden states that are counted from 1, so that
 * everything is right and stands in the wrong place. There are L + 1 hidden states; 0 is the embedding output. */
static void output_is_input(Trial *t)
{
    memcpy(block(t)->output_norm, block_input(t), bytes(t));
}

/* =====================================================================================================================
 * GELU (steps 12 and 15)
 * ================================================================================================================== */
/* The other GELU. Google's code has the tanh approximation since 2019, Hugging Face's "gelu" is the one with erf,
 * ggml's GELU is tanh, PyTorch's default erf. They differ by at most 4.7e-4, which no test with two digits finds, and
 * which grows to -50 dB through twelve layers. */
static bool plant_gelu(Trial *t)
{
    bool changed = t->model.config.gelu != (GeluKind)t->value;
    t->model.config.gelu = (GeluKind)t->value;
    return changed;
}

/* ReLU, as in [attn]: 0 for everything negative. BERT's paper changed that in one sentence. */
static void relu_all(real *out, const real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = x[i] > 0 ? x[i] : 0;
}

/* In step 12. */
static void step_relu(Trial *t)
{
    relu_all(block(t)->intermediate, block(t)->intermediate_dense, tokens(t) * (size_t)t->model.config.F);
}

/* In the MLM head's transform (step 15): one setting, two places. */
static void transform_relu(Trial *t)
{
    relu_all(t->a.transform_act, t->a.transform_dense, tokens(t) * width(t));
}

/* x / (1 + e^(-1.702 x)): the other approximation in [gelu], OpenAI's for CLIP. Up to 0.02 off. */
static void step_sigmoid(Trial *t)
{
    const real *x = block(t)->intermediate_dense;
    for (size_t i = 0; i < tokens(t) * (size_t)t->model.config.F; i++)
        block(t)->intermediate[i] = (real)((double)x[i] / (1 + exp(-1.702 * (double)x[i])));
}

/* x/2 (1 + erf(x)), not erf(x / sqrt(2)): the formula with its root forgotten. Up to 0.084 off. */
static void erf_unscaled(real *out, const real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (real)(0.5 * (double)x[i] * (1 + erf((double)x[i])));
}

/* In step 12. */
static void step_erf_unscaled(Trial *t)
{
    erf_unscaled(block(t)->intermediate, block(t)->intermediate_dense,
                 tokens(t) * (size_t)t->model.config.F);
}

/* In the MLM head's transform. */
static void transform_erf_unscaled(Trial *t)
{
    erf_unscaled(t->a.transform_act, t->a.transform_dense, tokens(t) * width(t));
}

/* SiLU, x / (1 + e^-x), also called swish: what newer models have, LLaMA's family before all. Up to 0.2 off. */
static void silu_all(real *out, const real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = (real)((double)x[i] / (1 + exp(-(double)x[i])));
}

/* In step 12. */
static void step_silu(Trial *t)
{
    silu_all(block(t)->intermediate, block(t)->intermediate_dense, tokens(t) * (size_t)t->model.config.F);
}

/* In the MLM head's transform. */
static void transform_silu(Trial *t)
{
    silu_all(t->a.transform_act, t->a.transform_dense, bytes(t) / sizeof(real));
}

/* None: two linear layers in a row, which are one. */
static void step_no_activation(Trial *t)
{
    memcpy(block(t)->intermediate, block(t)->intermediate_dense,
           tokens(t) * (size_t)t->model.config.F * sizeof(real));
}

/* The same in the transform. */
static void transform_no_activation(Trial *t)
{
    memcpy(t->a.transform_act, t->a.transform_dense, bytes(t));
}

/* 0 ReLU, 1 the sigmoid approximation, 2 none, 3 erf without the root, 4 SiLU; in the MLM head too, but for 1. */
static bool plant_activation(Trial *t)
{
    static StepInstead *const steps[] = {step_relu, step_sigmoid, step_no_activation, step_erf_unscaled, step_silu};
    static StepInstead *const heads[] = {transform_relu, NULL, transform_no_activation, transform_erf_unscaled,
                                         transform_silu};
    t->instead[TRACE_INTERMEDIATE] = steps[(int)t->value];
    if (heads[(int)t->value]) t->instead[TRACE_TRANSFORM_ACT] = heads[(int)t->value];
    return true;
}

/* =====================================================================================================================
 * Heads (steps 14 and 15)
 * ================================================================================================================== */
/* Who reads "the [CLS] vector through a linear layer" leaves out tanh. How it shows: numbers beyond 1 in `pooler`. */
static void pooler_no_tanh(Trial *t)
{
    memcpy(t->a.pooler, t->a.pooler_dense, (size_t)t->a.batch.B * width(t) * sizeof(real));
}

/* The pooler's dense layer on the mean of the tokens (value 0), or on the last one (value 1), instead of the first.
 * Who does it: "pooling" means the mean in most libraries; GPT's classifiers read the last token. */
static void pooler_of_another(Trial *t)
{
    const size_t H = width(t), B = (size_t)t->a.batch.B;
    const real *last = hidden_state(&t->a, t->model.config.L);
    for (size_t b = 0; b < B; b++) {
        const size_t first = t->a.start[b], T = t->a.start[b + 1] - first;
        if (t->value == 0) pool_tokens(t->a.first_token + b * H, last + first * H, t->mask + first, T, H, POOL_MEAN);
        else memcpy(t->a.first_token + b * H, last + (first + T - 1) * H, H * sizeof(real));
    }
    linear(t->a.pooler_dense, t->a.first_token, &t->model.Wpool, t->model.bpool, B, &t->a.scratch);
}

/* The decoder on the last hidden state itself. Who does it: the encyclopedia calls the MLM head "a basic affine
 * transformation". The transform's own tensors are usually missing from such a trace; if they are there, they are
 * right, and only the logits are wrong. */
static void decoder_without_transform(Trial *t)
{
    linear(t->a.logits, t->a.mlm_hidden, &t->model.decoder, t->model.decoder_bias, tokens(t), &t->a.scratch);
}

/* The transform without its LayerNorm: dense and GELU are what one expects of a head, a LayerNorm there is not. */
static void transform_unnormed(Trial *t)
{
    memcpy(t->a.transform_norm, t->a.transform_act, bytes(t));
}

/* The file brings a decoder of its own, and OTHER took the word embeddings. The usual case is the reverse, a decoder
 * that was neither tied nor loaded and has random weights: it has no formula, and print_explanation in verify.c says
 * what can be said, that the two have nothing in common. */
static bool plant_tied(Trial *t)
{
    if (t->unrounded->decoder.data == t->unrounded->word_embeddings.data) return false;
    t->model.decoder = t->model.word_embeddings;
    return true;
}

/* Probabilities where logits are expected: rows that add up to 1. A pipeline's output rather than a model's. */
static void decoder_softmax(Trial *t)
{
    ordinary_step(t, TRACE_DECODER);
    softmax(t->a.logits, t->a.logits, tokens(t), (size_t)t->model.config.V);
}

/* The same for next sentence. */
static void nsp_softmax(Trial *t)
{
    ordinary_step(t, TRACE_NSP);
    softmax(t->a.nsp_logits, t->a.nsp_logits, (size_t)t->a.batch.B, 2);
}

/* Both: whichever comes first in the trace shows it. */
static bool plant_softmax(Trial *t)
{
    t->instead[TRACE_DECODER] = decoder_softmax;
    t->instead[TRACE_NSP] = nsp_softmax;
    return true;
}

/* Label 0 is IsNext. Nothing in the weights says so, and who thinks of "1 = yes" has them the other way round. */
static void nsp_swapped(Trial *t)
{
    ordinary_step(t, TRACE_NSP);
    for (int b = 0; b < t->a.batch.B; b++) {
        real *x = t->a.nsp_logits + 2 * b, first = x[0];
        x[0] = x[1];
        x[1] = first;
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Heads of fine-tuned models. K logits a row: one row for each sequence, or for each token
 * ------------------------------------------------------------------------------------------------------------------ */

/* The classifier on the row of [CLS] itself. Who does it: conversions that know an encoder and a classifier, and leave
 * out the layer between them (llama.cpp's did, for rerankers); and whoever has read that BERT classifies [CLS].
 * How it shows: the encoder is right to the last number, the logits have nothing in common with the right ones. */
static void classifier_of_first_token(Trial *t)
{
    const size_t H = width(t), B = (size_t)t->a.batch.B;
    const real *last = hidden_state(&t->a, t->model.config.L);
    for (size_t b = 0; b < B; b++)
        memcpy(t->a.first_token + b * H, last + t->a.start[b] * H, H * sizeof(real));
    linear(t->a.classifier_logits, t->a.first_token, &t->model.Wclassifier, t->model.bclassifier, B, &t->a.scratch);
}

/* The logits of the classifier whose step runs, and how many rows they have. */
static real *classifier_rows(Trial *t, TraceName row, size_t *rows)
{
    *rows = row == TRACE_CLASSIFIER ? (size_t)t->a.batch.B : tokens(t);
    return row == TRACE_CLASSIFIER ? t->a.classifier_logits : t->a.token_logits;
}

enum { SCORES_OF_SOFTMAX, SCORES_OF_SIGMOID };

/* Scores where logits are expected: softmax over the labels, or a sigmoid of each. A pipeline's output rather than a
 * model's; which of the two it was shows whether the labels were taken to exclude each other. */
static void classifier_scores(Trial *t, TraceName row)
{
    size_t rows, K = (size_t)t->model.config.K;
    real *x = classifier_rows(t, row, &rows);
    ordinary_step(t, row);
    if (t->value == SCORES_OF_SOFTMAX) softmax(x, x, rows, K);
    for (size_t i = 0; t->value == SCORES_OF_SIGMOID && i < rows * K; i++) x[i] = (real)(1 / (1 + exp(-(double)x[i])));
}

static void text_scores(Trial *t)
{
    classifier_scores(t, TRACE_CLASSIFIER);
}

static void token_scores(Trial *t)
{
    classifier_scores(t, TRACE_TOKEN_CLASSIFIER);
}

/* A model has one of the two classifiers. */
static bool plant_scores(Trial *t)
{
    t->instead[TRACE_CLASSIFIER] = text_scores;
    t->instead[TRACE_TOKEN_CLASSIFIER] = token_scores;
    return t->model.config.K > 0;
}

enum { ORDER_REVERSED, ORDER_UP, ORDER_DOWN, ORDER_FIRST_TWO, ORDER_LAST_TWO };

/* Which row of the right logits stands at place k of K: the five orders of three labels that are not theirs, and what
 * they mean for more. */
static size_t ordered_from(int order, size_t k, size_t K)
{
    switch (order) {
    case ORDER_REVERSED: return K - 1 - k;
    case ORDER_UP: return (k + K - 1) % K;
    case ORDER_DOWN: return (k + 1) % K;
    case ORDER_FIRST_TWO: return k < 2 ? 1 - k : k;
    default: return k + 2 >= K ? 2 * K - 3 - k : k;
    }
}

/* The logits of each row in that order; `spare` holds a row of K, of which H fit. */
static void reorder(Trial *t, TraceName row)
{
    size_t rows, K = (size_t)t->model.config.K;
    real *x = classifier_rows(t, row, &rows);
    ordinary_step(t, row);
    for (size_t i = 0; i < rows; i++, x += K) {
        memcpy(t->spare, x, K * sizeof *x);
        for (size_t k = 0; k < K; k++) x[k] = t->spare[ordered_from((int)t->value, k, K)];
    }
}

static void text_labels_reordered(Trial *t)
{
    reorder(t, TRACE_CLASSIFIER);
}

static void token_labels_reordered(Trial *t)
{
    reorder(t, TRACE_TOKEN_CLASSIFIER);
}

/* Labels in another order than config.json has them. Who does it: whoever sorts them, or knows from another model of the
 * family that 0 is negative. finbert has positive, negative, neutral; NLI models have entailment at 0, 1 or 2.
 * Two labels have one other order, which is called the reverse. */
static bool plant_order(Trial *t)
{
    const int K = t->model.config.K;
    t->instead[TRACE_CLASSIFIER] = text_labels_reordered;
    t->instead[TRACE_TOKEN_CLASSIFIER] = token_labels_reordered;
    return K > (t->value == ORDER_REVERSED ? 1 : 2) && (size_t)K <= tokens(t) * width(t);
}

/* DistilBERT's layer before the classifier: tanh as BERT's pooler has it (value 1), or nothing (value 0), for ReLU. */
static void pre_classifier_otherwise(Trial *t)
{
    const size_t n = (size_t)t->a.batch.B * width(t);
    if (t->value == 0) memcpy(t->a.pre_classifier, t->a.pre_classifier_dense, n * sizeof(real));
    else tanh_all(t->a.pre_classifier, t->a.pre_classifier_dense, n);
}

/* Start and end in each other's place. Two numbers for each token, and nothing in the file says which comes first.
 * How it shows: answers that end before they start, hence none, or single tokens. */
static void qa_swapped(Trial *t)
{
    ordinary_step(t, TRACE_QA);
    for (size_t n = 0; n < tokens(t); n++) {
        real *x = t->a.qa_logits + 2 * n, first = x[0];
        x[0] = x[1];
        x[1] = first;
    }
}

/* =====================================================================================================================
 * The table
 * ================================================================================================================== */

/* Short forms for the rows: another step, another LayerNorm, an edit, an edit of one tensor at a time. */
#define REPLACE(which, by) .row = (which), .instead = (by)
#define EVERY(kind, edit) .plant = (edit), .where = (kind)

const Mistake mistakes[] = {
    /* step 5: ids, segments, positions */
    {"segments-ignored", "every token is in segment 0: token_type_ids are ignored", 0, .plant = one_segment},
    {"segments-all-one", "every token is in segment 1", 1, .plant = one_segment},
    {"segments-swapped", "segment ids are swapped: 1 for the first sentence, 0 for the second", 0,
     .plant = segments_swapped},
    {"segments-missing", "the token type embeddings are not added", 0, REPLACE(TRACE_TOKEN_TYPE, types_missing)},
    {"positions-plus-one", "positions count from 1", 1, REPLACE(TRACE_POSITION, positions_shifted)},
    {"positions-plus-two", "positions count from 2, as RoBERTa's do", 2, REPLACE(TRACE_POSITION, positions_shifted)},
    {"positions-skip-padding", "positions count real tokens only", 0, REPLACE(TRACE_POSITION, positions_unpadded)},
    {"positions-restart", "positions start again at 0 with the second sentence", 0, .plant = plant_restart},
    {"positions-sinusoidal", "positions are sinusoids, not the learned table", 0,
     REPLACE(TRACE_POSITION, positions_sinusoidal)},
    {"positions-sinusoidal-halves", "positions are sinusoids (sines, then cosines)", 1,
     REPLACE(TRACE_POSITION, positions_sinusoidal)},
    {"positions-missing", "the position embeddings are not added", 0, REPLACE(TRACE_POSITION, positions_missing)},

    /* steps 6, 11, 13, 15: LayerNorm */
    {"embeddings-no-norm", "there is no LayerNorm after the embeddings", 0,
     REPLACE(TRACE_EMBEDDING_NORM, embeddings_unnormed)},
    {"eps-1e-5", "layer_norm_eps is 1e-5", 1e-5, .plant = plant_eps},
    {"eps-1e-6", "layer_norm_eps is 1e-6", 1e-6, .plant = plant_eps},
    {"eps-1e-12", "layer_norm_eps is 1e-12", 1e-12, .plant = plant_eps},
    {"eps-1e-3", "layer_norm_eps is 1e-3", 1e-3, .plant = plant_eps},
    {"eps-outside", "LayerNorm adds eps outside the square root", 0, .norm = norm_eps_outside},
    {"norm-unbiased", "LayerNorm's variance divides by H - 1", 0, .norm = norm_unbiased},
    {"norm-unbiased-outside", "LayerNorm divides by an unbiased deviation plus eps", 0, .norm = norm_unbiased_outside},
    {"norm-variance", "LayerNorm divides by the variance, not by its square root", 0, .norm = norm_by_variance},
    {"norm-no-weights", "LayerNorm's weight and bias (gamma, beta) were not loaded", 0, .norm = norm_without_weights},

    /* weights, every step that has some */
    {"gamma-missing", "lacks its weight (gamma)", 1, EVERY(IN_EACH_GAMMA, plant_missing)},
    {"bias-missing", "lacks its bias", 0, EVERY(IN_EACH_BIAS, plant_missing)},
    {"kernel-not-transposed", "has its kernel transposed: (in, out) read as (out, in)", 0,
     EVERY(IN_EACH_MATRIX, plant_misread)},
    {"query-key-swapped", "query and key are swapped", QUERY_AND_KEY, .plant = plant_swapped},
    {"key-value-swapped", "key and value are swapped", KEY_AND_VALUE, .plant = plant_swapped},
    {"query-value-swapped", "query and value are swapped", QUERY_AND_VALUE, .plant = plant_swapped},
    {"layer-before", "the weights are those of the layer before", -1, .plant = plant_other_layer},
    {"layer-after", "the weights are those of the layer after", 1, .plant = plant_other_layer},
    {"layer-zero", "every layer has the weights of layer 0", 0, .plant = plant_other_layer},

    /* steps 8 to 10: attention */
    {"no-scale", "scores are not divided by sqrt(D)", 0, REPLACE(TRACE_SCORES, scores_unscaled)},
    {"scale-hidden-size", "scores are divided by sqrt(H), not sqrt(D)", 0,
     REPLACE(TRACE_SCORES, scores_by_hidden_size)},
    {"scale-head-size", "scores are divided by D, not sqrt(D)", 0, REPLACE(TRACE_SCORES, scores_by_head_size)},
    {"mask-ignored", "the mask is ignored: padding is looked at", 0, .plant = plant_no_mask},
    {"mask-multiplied", "the mask is multiplied with the scores", MASK_MULTIPLIED, .plant = plant_mask},
    {"mask-on-queries", "the mask is on the queries (rows), not on the keys", MASK_ON_QUERIES, .plant = plant_mask},
    {"mask-added", "the mask's 0 and 1 are added to the scores", MASK_ADDED, .plant = plant_mask},
    {"mask-inverted", "the mask is inverted: real tokens are hidden", MASK_INVERTED, .plant = plant_mask},
    {"mask-weak", "the mask is too weak: to masked scores only this is added:", -64, .plant = plant_weak_mask,
     .fitted = true},
    {"mask-causal", "each token sees only itself and those before it (causal mask, as in GPT)", SEES_PAST,
     .plant = plant_hidden},
    {"mask-future", "each token sees only itself and those behind it (a causal mask the wrong way round)", SEES_FUTURE,
     .plant = plant_hidden},
    {"mask-segments", "each token sees only its own segment: A and B are kept apart", SEES_SEGMENT,
     .plant = plant_hidden},
    {"mask-self", "no token sees itself: the diagonal is masked", SEES_OTHERS, .plant = plant_hidden},
    {"softmax-queries", "softmax runs over the queries, not the keys", 0, REPLACE(TRACE_PROBS, probs_over_queries)},
    {"heads-interleaved", "heads are interleaved: (tokens, D, heads)", SPLIT_INTERLEAVED, .plant = plant_split},
    {"heads-reshaped", "heads are split without a transposition", SPLIT_RESHAPED, .plant = plant_split},
    {"heads-merged-interleaved", "heads are put together interleaved", SPLIT_INTERLEAVED,
     REPLACE(TRACE_CONTEXT, context_merged_otherwise)},
    {"heads-merged-reshaped", "heads are put together without a transposition", SPLIT_RESHAPED,
     REPLACE(TRACE_CONTEXT, context_merged_otherwise)},

    /* steps 7 and 11 to 13: residuals, and where LayerNorm stands */
    {"pre-norm", "LayerNorm comes before attention and feed-forward (pre-LN)", 0, .plant = plant_pre_norm},
    {"norm-inside", "the residual is added after LayerNorm", 0, .plant = plant_norm_inside},
    {"norm-inside-hooked", "the residual is added after LayerNorm, outside of it", 0, .plant = plant_late_residual},
    {"attention-no-norm", "there is no LayerNorm after the attention", 0,
     REPLACE(TRACE_ATTENTION_NORM, attention_unnormed)},
    {"output-no-norm", "there is no LayerNorm after the feed-forward part", 0,
     REPLACE(TRACE_OUTPUT_NORM, output_unnormed)},
    {"attention-no-residual", "the attention's residual is not added", 0,
     REPLACE(TRACE_ATTENTION_NORM, attention_alone)},
    {"output-no-residual", "the feed-forward part's residual is not added", 0,
     REPLACE(TRACE_OUTPUT_NORM, output_alone)},
    {"residual-block-input", "the second residual is the block's input", 0,
     REPLACE(TRACE_OUTPUT_NORM, output_plus_block_input)},
    {"residual-before-norm", "the second residual is taken before the first LayerNorm", 0,
     REPLACE(TRACE_OUTPUT_NORM, output_plus_first_sum)},
    {"states-shifted", "the block's output is its input: are hidden states off by one?", 0,
     REPLACE(TRACE_OUTPUT_NORM, output_is_input)},

    /* steps 12 and 15: the activation */
    {"gelu-tanh", "GELU by its tanh approximation", GELU_TANH, .plant = plant_gelu},
    {"gelu-erf", "GELU by erf, where the model wants the tanh approximation", GELU_ERF, .plant = plant_gelu},
    {"relu", "ReLU instead of GELU", 0, .plant = plant_activation},
    {"gelu-sigmoid", "GELU by x sigmoid(1.702 x)", 1, .plant = plant_activation},
    {"gelu-no-root", "GELU by erf without the division by sqrt 2", 3, .plant = plant_activation},
    {"silu", "SiLU (swish) instead of GELU", 4, .plant = plant_activation},
    {"no-activation", "there is no activation", 2, .plant = plant_activation},

    /* steps 14 and 15: the heads */
    {"pooler-no-tanh", "the pooler has no tanh", 0, REPLACE(TRACE_POOLER, pooler_no_tanh)},
    {"pooler-mean", "the pooler takes the mean of the tokens, not the first", 0,
     REPLACE(TRACE_POOLER_DENSE, pooler_of_another)},
    {"pooler-last", "the pooler takes the last token, not the first", 1,
     REPLACE(TRACE_POOLER_DENSE, pooler_of_another)},
    {"decoder-no-transform", "the decoder has no transform before it", 0,
     REPLACE(TRACE_DECODER, decoder_without_transform)},
    {"transform-no-norm", "the decoder's transform has no LayerNorm", 0,
     REPLACE(TRACE_TRANSFORM_NORM, transform_unnormed)},
    {"decoder-tied", "the file's own decoder is ignored for the word embeddings", 0, .plant = plant_tied},
    {"logits-softmax", "probabilities, not logits", 0, .plant = plant_softmax},
    {"nsp-swapped", "IsNext and NotNext are swapped", 0, REPLACE(TRACE_NSP, nsp_swapped)},

    /* steps 14 and 15: the heads of fine-tuned models */
    {"pre-classifier-linear", "there is no ReLU before the classifier", 0,
     REPLACE(TRACE_PRE_CLASSIFIER, pre_classifier_otherwise)},
    {"pre-classifier-tanh", "tanh, as in BERT's pooler, not ReLU", 1,
     REPLACE(TRACE_PRE_CLASSIFIER, pre_classifier_otherwise)},
    {"classifier-no-pooler", "the classifier reads the row of [CLS]: the layer before it is left out", 0,
     REPLACE(TRACE_CLASSIFIER, classifier_of_first_token)},
    {"classifier-softmax", "softmax of the logits, not the logits", SCORES_OF_SOFTMAX, .plant = plant_scores},
    {"classifier-sigmoid", "sigmoids of the logits, not the logits", SCORES_OF_SIGMOID, .plant = plant_scores},
    {"labels-reversed", "the labels are in the reverse order", ORDER_REVERSED, .plant = plant_order},
    {"labels-up", "each label stands one place too high: the last one is the first", ORDER_UP, .plant = plant_order},
    {"labels-down", "each label stands one place too low: the first one is the last", ORDER_DOWN, .plant = plant_order},
    {"labels-first-two", "the first two labels are swapped", ORDER_FIRST_TWO, .plant = plant_order},
    {"labels-last-two", "the last two labels are swapped", ORDER_LAST_TWO, .plant = plant_order},
    {"qa-swapped", "start and end are swapped", 0, REPLACE(TRACE_QA, qa_swapped)},
};
const size_t mistakes_count = sizeof mistakes / sizeof *mistakes;
