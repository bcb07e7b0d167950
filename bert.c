/* bert.c - BERT itself: steps 5 to 16, from token ids to hidden states, heads and vectors.
 *
 * YOU ARE HERE
 *
 *     text --tokenizer.c--> ids --bert.c--> embeddings --> L x (attention, feed-forward) --> pooler / MLM / NSP
 *
 * The arithmetic (linear, softmax, LayerNorm, GELU) is in tensor.c, the weights come from weights/model.c. Here is what
 * is computed, in the order of the data:
 *
 *     1. the steps: embeddings (5, 6), a block (7 to 13), heads (14, 15), vectors (16)
 *     2. forward: the summary
 *     3. the memory for the intermediates
 *
 * Each function makes one tensor, which has a name in a trace (`Verify:`). To see the model as a whole, begin with
 * `forward` and `encoder_block`, the two lists of these functions. Nothing here prints, exits, or knows what the
 * results are for. One block, in the paper's words [attn, paper]:
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
#include "weights/weights.h"

#include <assert.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Hidden state l, (N,H): 0 is the embedding output, l+1 the output of block l; L + 1 of them in all. With L = 12,
 * hidden state 11 is what the last block reads: hidden_states[-2] in Python. Without KEEP_HIDDEN all are one place,
 * where the last block that ran left its output. */
const real *hidden_state(const Activations *a, int l)
{
    return l == 0 ? a->embedding_norm : a->block[l - 1].output_norm;
}

/* =====================================================================================================================
 * EMBEDDING. In which order all steps run is written in two lists: `forward`, at their end, and for a block (steps 7 to
 * 13) `encoder_block`.
 * ================================================================================================================== */

/* out (H) <- row `index` of a table (V,H), (S,H) or (P,H) */
static void copy_row(real *out, const Tensor *table, size_t index, const Scratch *scratch)
{
    memcpy(out, tensor_rows(table, index, 1, scratch->rows), table->cols * sizeof(real));
}

/* STEP 5 - three embeddings summed: what the token is, which segment it is in, where it stands. Three lookups:
 *
 *     word (N,H) <- row input_id of (V,H)   token_type (N,H) <- row 0 or 1 of (S,H)   position (N,H) <- row t of (P,H)
 *
 * A trace shows the three; their sum is made at the beginning of step 6.
 * Source: [paper] figure 2; [hf] BertEmbeddings; [tf] embedding_lookup, embedding_postprocessor.
 * Verify: embeddings.word_embeddings */
void embeddings_word(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H;
    for (size_t n = 0; n < (size_t)a->N; n++)
        copy_row(a->word + n * H, &m->word_embeddings, (size_t)a->batch.input_ids[n], &a->scratch);
}

/* Step 5, continued: the segment, sentence A or B.
 * Trap: a single sentence is segment 0 in pre-training, not 1 as in the word-embedding tutorial.
 * Differs: DistilBERT (S = 0) has no token types: its sum has two addends. A pair is told apart by its [SEP] alone.
 * Verify: embeddings.token_type_embeddings */
void embeddings_token_type(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H;
    for (size_t n = 0; m->config.S && n < (size_t)a->N; n++)
        copy_row(a->token_type + n * H, &m->token_type_embeddings, (size_t)a->batch.token_type_ids[n], &a->scratch);
}

/* Step 5, continued: the position.
 * Differs: the encyclopedia says that positions are sinusoids. [attn] has those; BERT learns the table [paper].
 * Trap: positions count from 0 in every sequence, padding included. So left padding shifts the words and changes the
 * result, even with a perfect mask.
 * Verify: embeddings.position_embeddings */
void embeddings_position(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H;
    for (int b = 0; b < a->batch.B; b++)
        for (size_t n = a->start[b]; n < a->start[b + 1]; n++)
            copy_row(a->position + n * H, &m->position_embeddings, n - a->start[b], &a->scratch);
}

/* STEP 6 - LayerNorm of the sum: hidden state 0, (N,H), the input of the first block.
 *
 *     h = LayerNorm(word + token_type + position)
 *
 * Source: [hf] BertEmbeddings.LayerNorm; [tf] layer_norm_and_dropout. [paper] does not mention it.
 * Trap: without this LayerNorm every later number is wrong, yet the vectors still look alive. (Dropout, here and in
 * steps 10, 11 and 13, is in training only: learn.c.)
 * Verify: embeddings.LayerNorm. The three "bank"s of the bank sentence differ here by their position alone. */
void embeddings_norm(const Bert *m, Activations *a)
{
    size_t N = (size_t)a->N, H = (size_t)m->config.H;
    if (m->config.S) add(a->sum, a->word, a->token_type, N * H);    /* [hf] and [tf]: (word + type) + position */
    add(a->sum, m->config.S ? a->sum : a->word, a->position, N * H);
    layer_norm(a->embedding_norm, a->sum, m->embeddings_gamma, m->embeddings_beta, (real)m->config.eps, N, H);
    if (a->dropout) drop_rows(m, a, PURPOSE_DROP_EMBEDDINGS, 0, a->embedding_norm);
}

/* =====================================================================================================================
 * ENCODER: one block, steps 7 to 13. Its input x is hidden state l, its output hidden state l+1, both (N,H).
 * ================================================================================================================== */

/* Step 7 has three layers. For few tokens x is laid out for the kernel, once for all three; for many the weights are,
 * and x stays as it is. */
static bool packs_views(const BertLayer *w, size_t N)
{
    return packs_weights(&w->Wq, N) && packs_weights(&w->Wk, N) && packs_weights(&w->Wv, N);
}

static void view(const Bert *m, Activations *a, int l, real *out, const Tensor *W, const real *b)
{
    const size_t N = (size_t)a->N;
    if (packs_views(&m->layers[l], N)) linear(out, hidden_state(a, l), W, b, N, &a->scratch);
    else linear_packed(out, AS_ROWS, a->scratch.packed, W, b, N, &a->scratch);
}

/* STEP 7 - query, key, value: three linear views of each token.
 *
 *     q = x Wq^T + bq    k = x Wk^T + bk    v = x Wv^T + bv            (N,H) <- (N,H), W (H,H), b (H)
 *
 * The query says what a token looks for, the key what it offers, the value what it hands on.
 * The A heads lie side by side in the H columns: head h owns the columns h*D .. h*D+D-1 of q, k and v.
 * Why heads: softmax gives a token one pattern of probabilities; A heads give it A patterns, each for D of the H
 * columns, at the same cost.
 * Source: [attn] 3.2.2; [hf] BertSelfAttention; [tf] attention_layer.
 * Trap: heads are slices, not interleaved: reshape to (N,A,D), never to (N,D,A).
 * Trap: all three layers have a bias.
 * Verify: encoder.layer.l.attention.self.query */
void attention_query(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    const size_t N = (size_t)a->N;
    if (!packs_views(w, N)) pack_rows(a->scratch.packed, hidden_state(a, l), N, (size_t)m->config.H);
    view(m, a, l, a->block[l].query, &w->Wq, w->bq);
}

/* Step 7, continued: the key. It reads x as attention_query has packed it, so it comes after it.
 * Verify: encoder.layer.l.attention.self.key */
void attention_key(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    view(m, a, l, a->block[l].key, &w->Wk, w->bk);
}

/* Step 7, continued: the value, from the same packed x.
 * Verify: encoder.layer.l.attention.self.value */
void attention_value(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    view(m, a, l, a->block[l].value, &w->Wv, w->bv);
}

/* Where the (T,T) scores or probs of head h of sequence b begin. Kept maps lie one after another, (A,T,T) for each
 * sequence; else every head writes over the one before, and the map never leaves the cache between steps 8 and 10. */
real *head_map(const Activations *a, real *maps, int b, int h)
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
 * Trap: the mask belongs to the keys j (columns): no token looks at padding. Padding has its rows of numbers, too, but
 * what is computed for a padding token reaches no real token.
 * Trap: a masked score is replaced by a very low number, not multiplied by 0: a score of 0 would still get e^0 = 1.
 * Why not minus infinity: in a row of masked keys only, softmax would compute infinity minus infinity, which is NaN.
 * With -FLT_MAX every place of such a row gets 1/T; in any other row a masked place gets exactly +0.
 * Differs: Google adds -10000 to a masked score, Hugging Face the lowest float. We replace the score by the lowest
 * float, which gives Hugging Face's result: beside a number that large the score is lost in rounding. Google's is the
 * same, too, unless a row has no token left to look at.
 * There is no causal mask: BERT looks both ways, which is the B of its name.
 * Verify: encoder.layer.l.attention.self.scores */
void attention_scores(const Bert *m, Activations *a, int l, int b, int h)
{
    const BlockActivations *s = &a->block[l];
    size_t n = a->start[b], T = a->start[b + 1] - n, H = (size_t)m->config.H, D = (size_t)m->config.D;
    size_t first = n * H + (size_t)h * D;           /* of query and key: row n, column h*D; the next row is H further */
    const real scale = (real)(1 / sqrt((double)D));
    const int32_t *mask = a->batch.attention_mask + n;
    real *scores = head_map(a, s->scores, b, h);
    const Matrix query = {s->query + first, T, D, H}, key = {s->key + first, T, D, H};
    product(scores, T, query, key, BY_ROWS, &a->scratch);
    for (size_t i = 0; i < T; i++)
        for (size_t j = 0; j < T; j++) scores[i * T + j] = mask[j] ? scores[i * T + j] * scale : -FLT_MAX;
}

/* STEP 9 - softmax: each row of scores becomes probabilities, which add up to 1, (T,T) for each head. These are the
 * maps that bertviz and `bert attention` show.
 *
 *     p_ij = e^score_ij / sum over j' of e^score_ij'
 *
 * Source: [attn] equation 1; [hf] the `attentions` output.
 * A masked key gets exactly +0, since e to the power of -FLT_MAX is smaller than any float; unless all keys are masked:
 * then each gets 1/T.
 * Trap: softmax runs over the keys j, the last index, so that rows add up to 1; columns do not.
 * Verify: encoder.layer.l.attention.self.probs */
void attention_probs(const Bert *m, Activations *a, int l, int b, int h)
{
    const BlockActivations *s = &a->block[l];
    size_t T = a->start[b + 1] - a->start[b];
    (void)m;                                        /* steps 8 to 10 are called alike */
    softmax(head_map(a, s->probs, b, h), head_map(a, s->scores, b, h), T, T);
}

/* STEP 10 - context: each token's new content, the weighted mean of all value rows, p_ij being the share of token j;
 * heads side by side again.
 *
 *     context_i = sum over j of p_ij v_j          (N,H), head h in the columns h*D .. h*D+D-1
 *
 * Why padding at the end changes no bit of the real tokens, in steps 9 and 10: see PADDING in tensor.c.
 * Source: [attn] 3.2.1; [hf] eager_attention_forward, before the output projection.
 * Verify: encoder.layer.l.attention.self.context */
void attention_context(const Bert *m, Activations *a, int l, int b, int h)
{
    const BlockActivations *s = &a->block[l];
    size_t n = a->start[b], T = a->start[b + 1] - n, H = (size_t)m->config.H, D = (size_t)m->config.D;
    size_t first = n * H + (size_t)h * D;           /* of value and context: row n, column h*D */
    const real *probs = head_map(a, s->probs, b, h);
    if (a->dropout) {                               /* the scores are not needed any more */
        drop_probs(m, a, l, b, h, head_map(a, s->scores, b, h), probs);
        probs = head_map(a, s->scores, b, h);
    }
    const Matrix weights = {probs, T, T, T}, value = {s->value + first, T, D, H};
    product(s->context + first, H, weights, value, BY_COLUMNS, &a->scratch);
}

/* STEP 11 - attention output: mix the heads, add what the token was before, normalize.
 *
 *     y = LayerNorm(x + context Wo^T + bo)          (N,H)
 *
 * Here the dense layer: Wo is (H,H), bo (H).
 * Source: [attn] 3.1, 3.2.2; [hf] BertSelfOutput.
 * Why Wo: until here each head has written into its own D columns only; Wo lets every head change every column.
 * Verify: encoder.layer.l.attention.output.dense */
void attention_dense(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    linear(s->attention_dense, s->context, &w->Wo, w->bo, (size_t)a->N, &a->scratch);
}

/* Step 11, continued: the residual, x, is added, and the sum is normalized.
 * Why add x: a block then only has to learn what to change, and training reaches the first blocks.
 * Differs: many later models, and several "BERT from scratch" tutorials, normalize before the sub-layer (pre-LN).
 * BERT is post-LN: the residual is added first, then normalized.
 * Trap: the residual is the block's input x, and it goes into LayerNorm, not around it. With x + LayerNorm(dense) no
 * row would be normalized, rows would grow from block to block, and every number from here on would be wrong.
 * Verify: encoder.layer.l.attention.output.LayerNorm */
void attention_norm(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N, H = (size_t)m->config.H;
    if (a->dropout && !m->config.distilbert) drop_rows(m, a, PURPOSE_DROP_ATTENTION, l, s->attention_dense);
    add(a->sum, s->attention_dense, hidden_state(a, l), N * H);
    layer_norm(s->attention_norm, a->sum, w->attention_gamma, w->attention_beta, (real)m->config.eps, N, H);
}

/* Does every block keep its own arrays of steps 7 to 13, the attention maps aside? If not, the result z of step 12
 * stays in panels, because only step 13 reads it. */
static bool keeps_steps(const Activations *a)
{
    return a->request.keep & KEEP_STEPS;
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
 * Here the dense layer. Two thirds of a block's weights are in W1 and in step 13's W2.
 * Source: [attn] 3.3 (there with ReLU), [paper] 3; [hf] BertIntermediate.
 * Differs: the encyclopedia says that F is always 4H; config.json decides.
 * Verify: encoder.layer.l.intermediate.dense */
void feed_forward_up(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N, H = (size_t)m->config.H;
    if (keeps_steps(a)) {
        linear(s->intermediate_dense, s->attention_norm, &w->W1, w->b1, N, &a->scratch);
        return;
    }
    pack_rows(a->scratch.packed, s->attention_norm, N, H);
    linear_packed(s->intermediate_dense, AS_PANELS, a->scratch.packed, &w->W1, w->b1, N, &a->scratch);
}

/* Step 12, continued: GELU, number by number. Panels go through it whole, scratch_rows(N) rows of F: their unused
 * places lie between the used ones.
 * Why: GELU is not linear. Without a curve between them, W1 and W2 could be multiplied to one matrix.
 * Verify: encoder.layer.l.intermediate */
void feed_forward_gelu(const Bert *m, Activations *a, int l)
{
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N, F = (size_t)m->config.F;
    gelu(m, s->intermediate, s->intermediate_dense, (keeps_steps(a) ? N : scratch_rows(N)) * F);
}

/* STEP 13 - feed-forward down: back to H features, add, normalize: hidden state l+1, (N,H).
 *
 *     out = LayerNorm(y + z W2^T + b2)          (N,H) <- (N,F), W2 (H,F)
 *
 * Here the dense layer.
 * Source: [attn] 3.3; [hf] BertOutput.
 * Verify: encoder.layer.l.output.dense */
void feed_forward_down(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N;
    if (keeps_steps(a)) linear(s->output_dense, s->intermediate, &w->W2, w->b2, N, &a->scratch);
    else linear_packed(s->output_dense, AS_ROWS, s->intermediate, &w->W2, w->b2, N, &a->scratch);
}

/* Step 13, continued: the residual, y, is added, and the sum is normalized.
 * Trap: the residual is y, the output of step 11, not the block's input.
 * Verify: encoder.layer.l.output.LayerNorm */
void feed_forward_norm(const Bert *m, Activations *a, int l)
{
    const BertLayer *w = &m->layers[l];
    BlockActivations *s = &a->block[l];
    size_t N = (size_t)a->N, H = (size_t)m->config.H;
    if (a->dropout) drop_rows(m, a, PURPOSE_DROP_FEED_FORWARD, l, s->output_dense);
    add(a->sum, s->output_dense, s->attention_norm, N * H);
    layer_norm(s->output_norm, a->sum, w->output_gamma, w->output_beta, (real)m->config.eps, N, H);
}

/* One transformer block. All that a token gets from other tokens it gets in steps 8 to 10; the other steps treat each
 * token by itself. */
void encoder_block(const Bert *m, Activations *a, int l)
{
    attention_query(m, a, l);
    attention_key(m, a, l);
    attention_value(m, a, l);
    for (int b = 0; b < a->batch.B; b++)
        for (int h = 0; h < m->config.A; h++) {         /* steps 8 to 10, one attention head after the other */
            attention_scores(m, a, l, b, h);
            attention_probs(m, a, l, b, h);
            attention_context(m, a, l, b, h);
        }
    attention_dense(m, a, l);
    attention_norm(m, a, l);            /* y = LayerNorm(x + attention(x)) */
    feed_forward_up(m, a, l);
    feed_forward_gelu(m, a, l);
    feed_forward_down(m, a, l);
    feed_forward_norm(m, a, l);         /* out = LayerNorm(y + feed_forward(y)) */
}

/* =====================================================================================================================
 * TASK HEADS
 * ================================================================================================================== */

/* The row of [CLS] of each sequence, (B,H). */
static const real *first_tokens(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H;
    const real *last = hidden_state(a, m->config.L);
    for (int b = 0; b < a->batch.B; b++)
        memcpy(a->first_token + (size_t)b * H, last + a->start[b] * H, H * sizeof(real));
    return a->first_token;
}

/* STEP 14 - pooler: the sequence's first token, [CLS], through a dense layer and tanh.
 *
 *     pooled = tanh(h_0 Wp^T + bp)          (B,H) <- the first row of hidden state L of each sequence
 *
 * Here the dense layer, on rows that first_tokens gathers for it (and for DistilBERT's pre_classifier).
 * Source: [hf] BertPooler; [tf] BertModel.pooled_output; not in [paper].
 * Why: NSP was trained on this vector, not on the raw row of [CLS]. It is made for that question; as a sentence's
 * vector a mean over tokens is usually better (step 16).
 * Trap: the pooled output is not the [CLS] row of the last hidden state, and not a mean.
 * Differs: the encyclopedia says that the pooler "simply discards" the other tokens. It also has the dense layer and
 * tanh, which were trained by the NSP task.
 * Verify: pooler.dense */
void pooler_dense(const Bert *m, Activations *a)
{
    linear(a->pooler_dense, first_tokens(m, a), &m->Wpool, m->bpool, (size_t)a->batch.B, &a->scratch);
}

/* Step 14, continued: tanh. Verify: pooler */
void pooler(const Bert *m, Activations *a)
{
    tanh_all(a->pooler, a->pooler_dense, (size_t)a->batch.B * (size_t)m->config.H);
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

/* Step 14, continued. DistilBERT has no pooler; its sequence classifier brings one dense layer of its own.
 * Trap: it ends with ReLU, not with tanh. Verify: pre_classifier */
void pre_classifier_dense(const Bert *m, Activations *a)
{
    linear(a->pre_classifier_dense, first_tokens(m, a), &m->Wpre, m->bpre, (size_t)a->batch.B, &a->scratch);
}

/* Step 14, continued: ReLU, 0 for everything negative. Verify: pre_classifier.relu */
void pre_classifier(const Bert *m, Activations *a)
{
    for (size_t i = 0; i < (size_t)a->batch.B * (size_t)m->config.H; i++)
        a->pre_classifier[i] = a->pre_classifier_dense[i] < 0 ? 0 : a->pre_classifier_dense[i];     /* NaN stays */
}

/* Step 14, continued. A fine-tuned model's classifier of whole texts: sentiment, entailment, relevance of a pair.
 *
 *     logits = pooled W^T + b          (B,K)       what they become (softmax, sigmoid) is the caller's to know
 *
 * Multiple choice is the same with K = 1: each choice is a sequence of its own, and softmax runs over the choices.
 * Source: [paper] 4.1, 4.4; [hf] BertForSequenceClassification, BertForMultipleChoice, DistilBertFor...
 * Trap: BERT's reads the pooled output, not the row of [CLS]. A conversion that leaves the pooler out gives scores that
 * look right and are not.
 * Verify: classifier */
void classifier(const Bert *m, Activations *a)
{
    const real *x = drop_head(m, a, m->config.distilbert ? a->pre_classifier : a->pooler, false);
    linear(a->classifier_logits, x, &m->Wclassifier, m->bclassifier, (size_t)a->batch.B, &a->scratch);
}

/* STEP 15 - MLM head: for each token asked for, a score for every piece of the vocabulary. In training, 15 % of the
 * tokens were hidden or changed and had to be guessed by this head; any row can be asked for, [MASK] or not.
 *
 *     t = LayerNorm(GELU(h W^T + b))          (M,H)        the transform
 *     logits = t E^T + c                      (M,V)        the decoder: E (V,H) is the word embedding matrix,
 *                                                          if tied (bert.h)
 *
 * softmax(logits), which the caller takes, gives the probabilities of what [MASK] hides. Here the transform's dense
 * layer.
 * Source: [paper] 3.1 task 1; [hf] BertLMPredictionHead; [tf] get_masked_lm_output.
 * Differs: the encyclopedia calls it "a basic affine transformation". A dense layer, GELU and LayerNorm come before
 * that one; and when tied, it has only the bias of its own: 30,522 numbers instead of 23 million.
 * Verify: cls.predictions.transform.dense */
void mlm_dense(const Bert *m, Activations *a)
{
    size_t H = (size_t)m->config.H, M = (size_t)a->request.M;
    const real *last = hidden_state(a, m->config.L);
    for (size_t i = 0; i < M; i++)
        memcpy(a->mlm_hidden + i * H, last + (size_t)a->request.mlm_rows[i] * H, H * sizeof(real));
    linear(a->transform_dense, a->mlm_hidden, &m->Wtransform, m->btransform, M, &a->scratch);
}

/* Step 15, continued: the transform's GELU. Verify: cls.predictions.transform.transform_act_fn */
void mlm_gelu(const Bert *m, Activations *a)
{
    gelu(m, a->transform_act, a->transform_dense, (size_t)a->request.M * (size_t)m->config.H);
}

/* Step 15, continued: the transform's LayerNorm, without a residual. Verify: cls.predictions.transform.LayerNorm */
void mlm_norm(const Bert *m, Activations *a)
{
    layer_norm(a->transform_norm, a->transform_act, m->transform_gamma, m->transform_beta, (real)m->config.eps,
               (size_t)a->request.M, (size_t)m->config.H);
}

/* Step 15, continued: the decoder. A logit is the dot product of t with a piece's row of E, plus that piece's bias.
 * Verify: cls.predictions.decoder */
void mlm_decoder(const Bert *m, Activations *a)
{
    linear(a->logits, a->transform_norm, &m->decoder, m->decoder_bias, (size_t)a->request.M, &a->scratch);
}

/* Step 15, continued. Two heads of fine-tuned models that read every token's row h, without a transform or a pooler: a
 * label for each token (names, parts of speech), and where an answer starts and ends in a text.
 *
 *     token logits = h W^T + b          (N,K)          span logits = h W^T + b          (N,2), start and end
 *
 * Source: [paper] 5.3 (CoNLL-2003), 4.2 and 4.3 (SQuAD); [hf] BertForTokenClassification, BertForQuestionAnswering.
 * Verify: classifier */
void token_classifier(const Bert *m, Activations *a)
{
    const real *h = drop_head(m, a, hidden_state(a, m->config.L), true);
    linear(a->token_logits, h, &m->Wclassifier, m->bclassifier, (size_t)a->N, &a->scratch);
}

/* Step 15, continued. Trap: column 0 is the start, column 1 the end. Verify: qa_outputs */
void qa_outputs(const Bert *m, Activations *a)
{
    const real *h = drop_head(m, a, hidden_state(a, m->config.L), true);
    linear(a->qa_logits, h, &m->Wqa, m->bqa, (size_t)a->N, &a->scratch);
}

/* STEP 16 - word vectors: one vector per token from one or several hidden states of sequence b.
 *
 *     cat: side by side, in the order given, (T, count*H)        sum, mean: number by number, (T,H)
 *
 * Source: [paper] 5.3, where six choices are compared; the word-embedding tutorial takes the sum of
 * the last four.
 * Trap: there are L+1 hidden states, 0 to L. 0 is the embedding output; -2 in Python is hidden state L-1, the input of
 * the last block. */
void token_vectors(real *out, const Bert *m, const Activations *a, int b, const int *states, int count, Combine combine)
{
    size_t H = (size_t)m->config.H, T = a->start[b + 1] - a->start[b];
    size_t dim = combine == COMBINE_CAT ? H * (size_t)count : H;
    for (size_t t = 0; t < T; t++)
        for (int i = 0; i < count; i++) {
            const real *h = hidden_state(a, states[i]) + (a->start[b] + t) * H;
            real *row = out + t * dim + (combine == COMBINE_CAT ? (size_t)i * H : 0);
            if (combine == COMBINE_CAT || i == 0) memcpy(row, h, H * sizeof(real));
            else add(row, row, h, H);
        }
    if (combine == COMBINE_MEAN)
        for (size_t i = 0; i < T * H; i++) out[i] /= (real)count;
}

/* Step 16, continued. Sentence vectors: one vector from those of the tokens, out (dim) <- vectors (T,dim).
 * Trap: [CLS] and [SEP] count, as in the word-embedding tutorial and in sentence-transformers; padding does not.
 * POOL_POOLER is not a pooling of vectors: it is step 14. Where no token has mask 1, mean and maximum are zero. */
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
 * The summary: embeddings, L blocks, heads. Only what the request names is computed.
 * ------------------------------------------------------------------------------------------------------------------ */
/* The pooler's output is read by three: the caller, the NSP head, BERT's sequence classifier. */
static bool needs_pooler(const Bert *m, const Request *r)
{
    return r->pooler || r->nsp || (r->classifier && !m->config.distilbert);
}

void forward(const Bert *m, Activations *a)
{
    const Request *r = &a->request;
    assert(!r->unused_blocks || !(r->pooler || r->nsp || r->M || r->classifier || r->token_classifier || r->qa));
    embeddings_word(m, a);
    embeddings_token_type(m, a);
    embeddings_position(m, a);
    embeddings_norm(m, a);
    for (int l = 0; l < m->config.L - r->unused_blocks; l++) encoder_block(m, a, l);
    if (needs_pooler(m, r)) {
        pooler_dense(m, a);
        pooler(m, a);
    }
    if (r->nsp) nsp_head(m, a);
    if (r->classifier && m->config.distilbert) {
        pre_classifier_dense(m, a);
        pre_classifier(m, a);
    }
    if (r->classifier) classifier(m, a);
    if (r->M) {
        mlm_dense(m, a);
        mlm_gelu(m, a);
        mlm_norm(m, a);
        mlm_decoder(m, a);
    }
    if (r->token_classifier) token_classifier(m, a);
    if (r->qa) qa_outputs(m, a);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Dropout, in training only: in the three places of the paper (A.2, [hf] hidden_dropout_prob and
 * attention_probs_dropout_prob) numbers are set to 0 at random (drop_row in tensor.c); and in what a fine-tuned head
 * reads. Differs: DistilBERT has none behind step 11's dense layer.
 * ------------------------------------------------------------------------------------------------------------------ */

/* The number of a row in the counter: position t in layer l, or in head l*A + h. Layers are P apart: with the longest
 * sequence of the batch instead, the random numbers would change from batch to batch. */
static uint32_t row_number(size_t layer_or_head, size_t P, size_t t)
{
    return (uint32_t)(layer_or_head * P + t);
}

void drop_rows(const Bert *m, const Activations *a, Purpose place, int l, real *x)
{
    const size_t H = (size_t)m->config.H, P = (size_t)m->config.P;
    for (int b = 0; b < a->batch.B; b++)
        for (size_t n = a->start[b]; n < a->start[b + 1]; n++)
            drop_row(x + n * H, x + n * H, H, a->dropout, place, row_number((size_t)l, P, n - a->start[b]),
                     a->dropout->first_sequence + (uint32_t)b);
}

void drop_probs(const Bert *m, const Activations *a, int l, int b, int h, real *out, const real *x)
{
    const size_t T = a->start[b + 1] - a->start[b], head = (size_t)(l * m->config.A + h), P = (size_t)m->config.P;
    for (size_t i = 0; i < T; i++)
        drop_row(out + i * T, x + i * T, T, a->dropout, PURPOSE_DROP_PROBS, row_number(head, P, i),
                 a->dropout->first_sequence + (uint32_t)b);
}

/* Rows of a head: all tokens, or one for each text. */
void drop_head_backward(const Bert *m, const Activations *a, real *dx, bool tokens)
{
    const size_t H = (size_t)m->config.H;
    if (!a->dropout || !(a->dropout->head_rate > 0)) return;
    if (tokens) drop_rows(m, a, PURPOSE_DROP_HEAD, 0, dx);
    for (size_t b = 0; !tokens && b < (size_t)a->batch.B; b++)
        drop_row(dx + b * H, dx + b * H, H, a->dropout, PURPOSE_DROP_HEAD, 0, a->dropout->first_sequence + (uint32_t)b);
}

/* Why a copy: what is dropped here is needed whole elsewhere, as tanh's result is for its own derivative. */
const real *drop_head(const Bert *m, const Activations *a, const real *x, bool tokens)
{
    const size_t rows = (size_t)(tokens ? a->N : a->batch.B);
    if (!a->dropout || !(a->dropout->head_rate > 0)) return x;
    memcpy(a->sum, x, rows * (size_t)m->config.H * sizeof *x);
    drop_head_backward(m, a, a->sum, tokens);
    return a->sum;
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
 *     KEEP_STEPS        each block has its own arrays for everything else of steps 7 to 13; scores only together
 *                       with KEEP_ATTENTION
 *     KEEP_EVERYTHING   all three: each name of each block has memory of its own, what a trace needs
 *
 * For 22 tokens of BERT-Base that is 1.5 MB without keeping anything, and 15 MB with everything. The steps compute the
 * same bits in all cases. Only head_map (steps 8 to 10) and keeps_steps (steps 12 and 13) ask what is kept. Where two
 * names share memory, a step works in place (GELU, softmax, the residual), which the functions of tensor.c allow.
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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Memory for what steps 7 to 13 make, but for the attention maps and the block's output. Where it is not kept, three
 * names need no memory of their own: GELU and the two sums with the residual work in place. And the middle of the
 * feed-forward lies where query, key, value, context were, which step 11 is the last to read. */
static void layout_steps(BlockActivations *s, const Activations *a, const BertConfig *c, Arena *arena)
{
    const size_t N = (size_t)a->N, H = (size_t)c->H, F = (size_t)c->F;
    s->attention_norm = take(arena, N, H);
    const size_t begin = arena->used;
    s->query = take(arena, N, H);
    s->key = take(arena, N, H);
    s->value = take(arena, N, H);
    s->context = take(arena, N, H);
    const size_t end = arena->used;
    if (keeps_steps(a)) {
        s->attention_dense = take(arena, N, H);
        s->intermediate_dense = take(arena, N, F);
        s->intermediate = take(arena, N, F);
        s->output_dense = take(arena, N, H);
    } else {
        arena->used = begin;
        s->attention_dense = a->sum;
        s->intermediate_dense = take(arena, scratch_rows(N), F);        /* as panels */
        s->intermediate = s->intermediate_dense;
        s->output_dense = a->sum;
        arena->used = larger(arena->used, end);
    }
}

/* Memory for attention maps: (A,T,T) for each sequence if they are kept, else one (T,T) for the longest, used by all
 * heads in turn. Softmax works in place unless the scores are kept beside the probabilities. */
static void layout_maps(BlockActivations *s, const Activations *a, Arena *arena)
{
    const size_t all = a->score_start[a->batch.B];
    const bool kept = a->request.keep & KEEP_ATTENTION;
    s->probs = kept ? take(arena, 1, all) : take(arena, a->longest, a->longest);
    s->scores = kept && keeps_steps(a) ? take(arena, 1, all) : s->probs;
}

/* One block. What is not kept is shared: every block has the first one's pointers, and overwrites its numbers. The
 * block's output overwrites its input, which step 11 is the last to read, two steps before step 13 writes. */
static void layout_block(Activations *a, int l, const BertConfig *c, Arena *arena)
{
    BlockActivations *s = &a->block[l];
    if (l > 0) *s = a->block[0];
    if (l == 0 || keeps_steps(a)) layout_steps(s, a, c, arena);
    if (l == 0 || a->request.keep & KEEP_ATTENTION) layout_maps(s, a, arena);
    s->output_norm = a->request.keep & KEEP_HIDDEN ? take(arena, (size_t)a->N, (size_t)c->H) : a->embedding_norm;
}

/* The heads' arrays: B rows for the pooler and NSP, M rows for the MLM head, none for what is not asked for.
 * (M,V) is the largest of all: 30,522 logits for each row, 2.7 MB for 22 tokens. */
static void layout_heads(Activations *a, const BertConfig *c, Arena *arena)
{
    const Request *r = &a->request;
    size_t B = r->pooler || r->nsp || r->classifier ? (size_t)a->batch.B : 0, M = (size_t)r->M;
    size_t H = (size_t)c->H, N = (size_t)a->N, K = (size_t)c->K;
    a->first_token = take(arena, B, H);
    a->pooler_dense = take(arena, B, H);
    a->pooler = take(arena, B, H);
    a->nsp_logits = take(arena, B, 2);
    a->pre_classifier_dense = take(arena, r->classifier ? B : 0, H);
    a->pre_classifier = take(arena, r->classifier ? B : 0, H);
    a->classifier_logits = take(arena, r->classifier ? B : 0, K);
    a->mlm_hidden = take(arena, M, H);
    a->transform_dense = take(arena, M, H);
    a->transform_act = take(arena, M, H);
    a->transform_norm = take(arena, M, H);
    a->logits = take(arena, M, (size_t)c->V);
    a->token_logits = take(arena, r->token_classifier ? N : 0, K);
    a->qa_logits = take(arena, r->qa ? N : 0, 2);
}

/* The kernel's working memory. What is packed: N, B or M rows of H numbers, or of F if the steps are kept; for the
 * attention, T keys of D numbers, and D columns of T values. */
static void layout_scratch(Activations *a, const BertConfig *c, Arena *arena)
{
    const size_t H = (size_t)c->H, F = (size_t)c->F, D = (size_t)c->D;
    const size_t rows = larger(larger((size_t)a->N, (size_t)a->request.M), larger((size_t)a->batch.B, D));
    const size_t width = keeps_steps(a) ? larger(H, F) : H;
    a->scratch.packed = take(arena, scratch_rows(rows), larger(width, a->longest));
    a->scratch.rows = take(arena, ROW_GROUP, larger(H, F));
}

/* Everything, embeddings first. Where nothing is kept, blocks and heads have the same memory: a head begins when the
 * last block is done, with the hidden state, which is not among it. (Backwards: a block when the heads are done.) */
static void layout(Activations *a, const BertConfig *c, Arena *arena)
{
    const size_t N = (size_t)a->N, H = (size_t)c->H;
    a->word = take(arena, N, H);
    a->token_type = take(arena, N, H);
    a->position = take(arena, N, H);
    a->embedding_norm = take(arena, N, H);
    a->sum = take(arena, N, H);
    const size_t begin = arena->used;
    for (int l = 0; l < c->L; l++) layout_block(a, l, c, arena);
    const size_t end = arena->used;
    if (a->request.keep == KEEP_NOTHING) arena->used = begin;
    layout_heads(a, c, arena);
    arena->used = larger(arena->used, end);
    layout_scratch(a, c, arena);
}

/* Where each sequence begins among the tokens of the batch, and among the scores: (A,T,T) for each sequence. */
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
        a->longest = larger(a->longest, T);
        a->start[b + 1] = tokens;
        a->score_start[b + 1] = scores;
    }
    a->N = (int)tokens;
    return true;
}

/* Measures, allocates, lays out. The batch is not copied: its arrays must live as long as the activations do. */
Status activations_new(Activations *a, const Bert *m, const Batch *batch, const Request *request, Error *e)
{
    memset(a, 0, sizeof *a);
    return activations_renew(a, m, batch, request, e);
}

/* At least `bytes` bytes at a->memory. */
static bool have_memory(Activations *a, size_t bytes)
{
    if (a->memory && a->size >= bytes) return true;
    free(a->memory);
    a->memory = malloc(bytes);
    a->size = a->memory ? bytes : 0;
    if (a->memory) wish_large_pages(a->memory, bytes);
    return a->memory != NULL;
}

/* Why the memory is kept between the steps of learning: the system gives pages that it has to clear first, and clearing
 * a gigabyte takes as long as a third of a step. */
Status activations_renew(Activations *a, const Bert *m, const Batch *batch, const Request *request, Error *e)
{
    Arena arena = {0};
    size_t bytes;
    free(a->start);
    free(a->score_start);
    free(a->block);
    *a = (Activations){.batch = *batch, .request = *request, .memory = a->memory, .size = a->size};
    bool ok = lay_out_sequences(a, &m->config);
    if (ok) layout(a, &m->config, &arena);
    ok = ok && !arena.overflow && size_mul(arena.used, sizeof(real), &bytes) && size_add(bytes, 64, &bytes);
    if (ok && have_memory(a, bytes)) {
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
            if (c->S && (type < 0 || type >= c->S))
                return fail(e, BERT_TEXT, "token %d has token type %ld, expected 0 to %d", t, type, c->S - 1);
            if (mask != 0 && mask != 1)
                return fail(e, BERT_TEXT, "token %d has attention mask %ld, expected 0 or 1", t, mask);
        }
    }
    return BERT_OK;
}
