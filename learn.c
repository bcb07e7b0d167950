/* learn.c - how BERT learns: steps 15 to 5 backwards, the losses, AdamW.
 *
 * YOU ARE HERE
 *
 *     ids --forward (bert.c)--> logits --> loss --backward (here)--> dx of every number x --AdamW--> better weights
 *
 * To learn is to make one number smaller, the loss: how wrong the model's answers are. Each weight w is moved a little
 * against its gradient, the derivative of the loss: by how much the loss grows when w grows, per unit. This file makes
 * all gradients at once, by the chain rule: if y = f(x), the gradient of x is that of y times the derivative of f. So a
 * step backwards gets the gradient of its output, and gives that of its input, and where it has weights, theirs.
 *
 * NAMES. dx is the gradient of x, and has the shape of x. In the code a gradient has the name of its number: those of
 * the intermediates are in g->a (the numbers are in a), those of the parameters in g->m (the weights are in m). In the
 * functions of a block `block` has its intermediates, and `dblock` their gradients.
 *
 * HOW TO READ. Put bert.c beside this file. Most of its step functions have a partner here, NAME_backward (some share
 * one), in the reverse order; `backward`, at their end, is `forward` mirrored. Five rules are enough for all but
 * cross-entropy, LayerNorm, softmax (tensor.c) and the two products of attention (steps 8 and 10):
 *
 *     y = x W^T + b       dx = dy W          dW = dy^T x, db = sum of the rows of dy           linear_backward
 *     y = f(x)            dx = dy f'(x)      number by number: GELU, tanh
 *     y = a + b           da = db = dy       both get the same: the residual connections
 *     y = dropout(x)      dx = dropout(dy)   the same numbers become 0, the others have the same scale (drop_row)
 *     x used twice        dx = the sum of what both uses give: gradients are added up
 *
 * A STEP of learning looks at B sequences, or where memory is short at several micro-batches, one after another, whose
 * gradients are added up. Each loss is a mean over the whole step, and the losses are added up.
 *
 * THE PROMISE of tensor.c holds for gradients, too. The order of every sum is written down (why 128: dot_in_chunks):
 *
 *     dx           over the outputs o of the layer, in chunks of 128
 *     dW, db       over the rows n of the whole step, in chunks of 128, however the step is cut (see tail_of)
 *     LayerNorm    over a row, and over the rows of the step, in double; softmax over a row in double
 *     embeddings   the decoder's part first, then the tokens of the step in their order
 *     attention    over the tokens of the sequence, or D, in chunks of 128
 *     uses of x    as `backward` calls them: token heads, MLM, [CLS]; in a block residual, value, key, query
 *
 * So one seed and one text give one model, bit for bit, on every machine, in micro-batches of any size. Random numbers
 * come from a counter (column, row, sequence, step), not from a stream (philox in tensor.c): the way back counts again,
 * and drops what was dropped. PADDING: where a key is masked p is 0, so a row that no loss reads has gradients of 0.
 *
 * THE ORDER OF THE FILE   tools (linear layers); the losses; the steps, 15 to 5; backward; AdamW.
 * Every gradient is checked against differences of the loss (tests/test_learn.c) and PyTorch (tests/conformance).
 */
#include "bert.h"
#include "weights/weights.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * TOOLS: the linear layer, LayerNorm, GELU. (LayerNorm and softmax by themselves: tensor.c. Dropout: bert.c.)
 * ================================================================================================================== */

typedef struct {                    /* a layer's weights and their gradients */
    const Tensor *W, *dW;           /* (O,K) */
    const real *db;                 /* (O) */
} Linear;
typedef struct {                    /* how many rows there are */
    size_t now, before;             /* in this micro-batch; in the step's earlier ones */
} Rows;

/* The numbers of a gradient, or of a weight. (A Bert's tensors are const: the forward pass only reads weights.) */
static real *numbers(const Tensor *t)
{
    return (real *)t->data;
}

/* The memory behind a parameter's gradient of `count` numbers; weights/parameters.c has made room for it. */
static void *behind(const real *gradient, size_t count)
{
    return (real *)gradient + (count + 15) / 16 * 16;
}

/* Behind dW (O,K): the rows of a chunk within which a micro-batch ended, 128 of dy (O) and 128 of x (K) at most. It is
 * added to dW when all of its 128 rows are there, or when the step ends.
 * Example: a step of 300 rows in micro-batches of 100. Of the first all 100 wait. Of the second 28 complete a chunk,
 * which is added, and 72 wait. Of the third 56 complete the next chunk; 44 wait, and are added when the step ends.
 * Why the rows wait, and not the chunk's sum: the sum is as large as dW, 768 rows or more in a block of BERT-Base. */
static real *tail_of(const Tensor *dW)
{
    return behind(dW->data, dW->rows * dW->cols);
}

/* Forward: y = x W^T + b, y (N,O) <- x (N,K), W (O,K). Backward, from dy (N,O), each added to what stands there:
 *
 *     dx[n][k] = sum over o of dy[n][o] W[o][k]       how much y_o changes with x_k: W[o][k]
 *     dW[o][k] = sum over n of dy[n][o] x[n][k]       how much y_o changes with W[o][k]: x_k, and so for every row
 *     db[o]    = sum over n of dy[n][o]
 *
 * The definition, for a whole step. What follows gives its bits, fast and in micro-batches. Source: [hf] nn.Linear.
 * Trap: dx needs W as it was in the forward pass: no weight changes before the whole step is through.
 * Verify: linear_backward_has_the_bits_of_its_definition (tests/test_learn.c) */
void linear_backward_ref(real *dx, real *dW, real *db, const real *dy, const real *x, const Tensor *W, size_t N)
{
    const size_t O = W->rows, K = W->cols;
    const real one = 1, *w = numbers(W);
    for (size_t i = 0; i < N * K; i++) dx[i] = dot_in_chunks(dx[i], dy + i / K * O, 1, w + i % K, K, O);
    for (size_t i = 0; i < O * K; i++) dW[i] = dot_in_chunks(dW[i], dy + i / K, O, x + i % K, K, N);
    for (size_t o = 0; o < O; o++) db[o] = dot_in_chunks(db[o], dy + o, O, &one, 0, N);
}

/* dx (N,K) += dy (N,O) W (O,K), or, if it is fresh, =: every sum over o in chunks of 128, which are added up. */
static void add_dx(real *dx, bool fresh, const real *dy, const Tensor *W, size_t N, const Scratch *scratch)
{
    const size_t O = W->rows, K = W->cols;
    for (size_t o = 0; o < O; o += BLOCK) {
        const size_t outputs = O - o < BLOCK ? O - o : BLOCK;
        const Matrix part = {dy + o, N, outputs, O}, rows = {numbers(W) + o * K, outputs, K, K};
        (fresh && o == 0 ? product : product_add)(dx, K, part, rows, BY_COLUMNS, scratch);
    }
}

/* db (O) += the rows of dy (N,O), in chunks of 128. */
static void add_db(real *db, const real *dy, size_t N, size_t O)
{
    enum { SIDE = 64 };             /* sums side by side */
    for (size_t o = 0; o < O; o += SIDE)
        for (size_t begin = 0; begin < N; begin += SUM_CHUNK) {
            const size_t end = N - begin < SUM_CHUNK ? N : begin + SUM_CHUNK, count = O - o < SIDE ? O - o : SIDE;
            real chunk[SIDE] = {0};
            for (size_t n = begin; n < end; n++)
                for (size_t i = 0; i < count; i++) chunk[i] += dy[n * O + o + i];
            for (size_t i = 0; i < count; i++) db[o + i] += chunk[i];
        }
}

/* dW (O,K) += dy^T x and db += the rows of dy, for N rows that begin with a chunk. BLOCK is a multiple of 128: cutting
 * a sum there changes nothing. */
static void add_dW(Gradients *g, Linear layer, const real *dy, const real *x, size_t N)
{
    const size_t O = layer.dW->rows, K = layer.dW->cols;
    for (size_t n = 0; n < N; n += BLOCK) {
        const size_t rows = N - n < BLOCK ? N - n : BLOCK;
        product_add(numbers(layer.dW), K, (Matrix){dy + n * O, rows, O, O}, (Matrix){x + n * K, rows, K, K},
                    BY_COLUMNS_OF_X, &g->scratch);
    }
    add_db((real *)layer.db, dy, N, O);
}

/* Copies rows behind those that wait already. */
static void let_wait(Linear layer, size_t waiting, const real *dy, const real *x, size_t count)
{
    const size_t O = layer.dW->rows, K = layer.dW->cols;
    real *tail = tail_of(layer.dW);
    memcpy(tail + waiting * O, dy, count * O * sizeof *dy);
    memcpy(tail + SUM_CHUNK * O + waiting * K, x, count * K * sizeof *x);
}

/* A chunk or less, of the rows that wait. */
static void add_waiting(Gradients *g, Linear layer, size_t count)
{
    add_dW(g, layer, tail_of(layer.dW), tail_of(layer.dW) + SUM_CHUNK * layer.dW->rows, count);
}

/* linear_backward_ref for one micro-batch, whose rows follow those that came before in this step. fresh: dx was 0. */
static void linear_backward(Gradients *g, real *dx, bool fresh, const real *dy, const real *x, Linear layer, Rows rows)
{
    const size_t O = layer.dW->rows, K = layer.dW->cols, waiting = rows.before % SUM_CHUNK;
    size_t N = rows.now, missing = waiting ? SUM_CHUNK - waiting : 0, first = N < missing ? N : missing;
    add_dx(dx, fresh, dy, layer.W, N, &g->scratch);
    let_wait(layer, waiting, dy, x, first);                     /* 1. complete the chunk that waits, if there is one */
    if (first && first == missing) add_waiting(g, layer, SUM_CHUNK);
    const size_t whole = (N - first) / SUM_CHUNK * SUM_CHUNK, rest = N - first - whole;
    add_dW(g, layer, dy + first * O, x + first * K, whole);     /* 2. whole chunks */
    dy += (first + whole) * O;
    x += (first + whole) * K;
    if (rest) let_wait(layer, 0, dy, x, rest);                  /* 3. the rest waits */
}

/* A LayerNorm's way back: see tensor.c. Behind the gradients of gamma and beta are their sums in double. */
static NormBackward norm_of(const Bert *m, const real *gamma, const real *dgamma, const real *dbeta)
{
    const size_t H = (size_t)m->config.H;
    return (NormBackward){gamma, behind(dgamma, H), behind(dbeta, H), (real)m->config.eps, H};
}

/* Forward: y = GELU(x), number by number. Backward: dx = dy GELU'(x), the derivative of the GELU that the model has
 * (tensor.c). dx may be dy. */
static void gelu_backward(const Bert *m, real *dx, const real *dy, const real *x, size_t count)
{
    real slope[256];
    for (size_t i = 0; i < count; i += 256) {
        const size_t n = count - i < 256 ? count - i : 256;
        if (m->config.gelu == GELU_ERF) gelu_erf_derivative(slope, x + i, n);
        else gelu_tanh_derivative(slope, x + i, n);
        for (size_t j = 0; j < n; j++) dx[i + j] = dy[i + j] * slope[j];
    }
}

/* =====================================================================================================================
 * THE LOSSES, and the heads backwards. Rows: M for MLM, B for NSP and classes of texts, N for labels of tokens.
 * ================================================================================================================== */

/* Forward: the cross-entropy of one row of logits, how surprised the model is by the true answer: -ln p_label, with
 * p = softmax(logits). The gradient is already divided by the divisor, the returned loss is not:
 *
 *     loss = ln(sum over j of e^logit_j) - logit_label            dlogits_j = (p_j - [j is the label]) / divisor
 *
 * Every wrong answer is pushed down by the probability that it got, the right one up by what it is short of 1.
 * -ln p_label is computed as (largest logit - label's logit) - ln p_largest, which cannot overflow: p_label may be so
 * small that it is 0 as a float. A model that knows nothing has ln(cols): 10.33 for 30,522 pieces, 0.69 for NSP.
 * Example: logits 1 2 3, divisor 1, the first is the label: p = 0.0900 0.2447 0.6652, loss 2.408, dlogits = -0.9100
 * 0.2447 0.6652; they add up to 0, but for rounding. *right: the label had the highest logit.
 * Source: [hf] nn.CrossEntropyLoss; [tf] get_masked_lm_output. Returns the loss. */
static double cross_entropy(real *dlogits, const real *logits, size_t cols, int32_t label, double divisor, bool *right)
{
    const real scale = (real)(1 / divisor), most = row_maximum(logits, cols);
    size_t best = 0;
    real log_best;
    assert(label >= 0 && (size_t)label < cols);
    softmax(dlogits, logits, 1, cols);
    while (best + 1 < cols && logits[best] < most) best++;
    log_all(&log_best, dlogits + best, 1);
    dlogits[label] -= 1;
    for (size_t j = 0; j < cols; j++) dlogits[j] *= scale;
    *right = best == (size_t)label;
    return (double)logits[best] - (double)logits[label] - (double)log_best;
}

/* The losses of all rows, in their order, are added to *loss, each over the divisor; *right counts the hits. A row
 * whose label is below 0 has no loss, and its dlogits are 0. */
static void add_losses(real *dlogits, Matrix logits, const int32_t *labels, double divisor, double *loss, size_t *right)
{
    const size_t cols = logits.cols;
    for (size_t i = 0; i < logits.rows; i++, dlogits += cols) {
        bool hit = false;
        if (labels[i] < 0) memset(dlogits, 0, cols * sizeof *dlogits);
        else *loss += cross_entropy(dlogits, logits.data + i * cols, cols, labels[i], divisor, &hit) / divisor;
        *right += hit;
    }
}

double labels_that_count(const int32_t *labels, size_t count)
{
    double n = 0;
    for (size_t i = 0; labels && i < count; i++) n += labels[i] >= 0;
    return n;
}

/* A teacher's share s in one row's loss: (1-s) times the label's cross-entropy and s times that with the probabilities
 * r_j which the teacher gives to the pieces, -sum of r_j ln p_j. Because the r_j add up to 1, ln of softmax's sum is
 * the same in both, and the difference is one of logits:
 *
 *     loss += s (logit_label - sum of r_j logit_j) / divisor      dlogits_j += s ([j is the label] - r_j) / divisor
 *
 * Why a teacher: that `cat` was hidden says one thing of 30,522; that the teacher gave cat 0.5, dog 0.3, horse 0.1 says
 * which words are alike.
 * Differs: DistilBERT's temperature is 2, and all tokens count. At a temperature of 1 the probabilities that are
 * learned are those that will be read.
 * Source: Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network. 2015; nn.CrossEntropyLoss with
 * probabilities as the target. Verify: tests/conformance/test_teacher.py. Returns what is added to the loss. */
static double soften(real *dlogits, const real *logits, int32_t label, const SoftLabel *soft, const Targets *t)
{
    double difference = (double)logits[label];
    const real scale = (real)(t->soft_share / t->mlm_divisor);
    dlogits[label] += scale;
    for (int k = 0; k < t->soft_count; k++) {
        dlogits[soft[k].id] -= soft[k].p * scale;
        difference -= (double)soft[k].p * (double)logits[soft[k].id];
    }
    return difference * t->soft_share / t->mlm_divisor;
}

/* The MLM loss: the mean over the chosen tokens of the step, and of these only.
 * Trap: a mean over all tokens is 6.7 times too small; a mean of the micro-batches' means weighs their tokens
 * unequally. Both look like another learning rate, and are found only by comparing.
 * Differs: Hugging Face's mean of no token is NaN; here it is 0. Google's code divides by the number of chosen tokens
 * + 1e-5; here that is left out.
 * Source: [paper] 3.1; [hf] BertForPreTraining; [tf] get_masked_lm_output. Verify: grad.cls.predictions.decoder */
void mlm_loss(const Bert *m, const Activations *a, Gradients *g, const Targets *t)
{
    const size_t V = (size_t)m->config.V, M = (size_t)a->request.M;
    add_losses(g->a.logits, (Matrix){a->logits, M, V, V}, t->labels, t->mlm_divisor, &g->losses.mlm,
               &g->losses.mlm_right);
    for (size_t i = 0; t->soft && i < M; i++) {
        const SoftLabel *soft = t->soft + i * (size_t)t->soft_count;
        if (t->labels[i] >= 0 && soft->p > 0)
            g->losses.soft += soften(g->a.logits + i * V, a->logits + i * V, t->labels[i], soft, t);
    }
}

/* The NSP loss: the mean over the sequences of the step. It is added to the MLM loss one to one.
 * Trap: label 0 is IsNext, and counts: a program that lets 0 mean "none" learns from one answer only.
 * Verify: grad.cls.seq_relationship */
static void nsp_loss(const Activations *a, Gradients *g, const Targets *t)
{
    add_losses(g->a.nsp_logits, (Matrix){a->nsp_logits, (size_t)a->batch.B, 2, 2}, t->next_sentence, t->nsp_divisor,
               &g->losses.nsp, &g->losses.nsp_right);
}

/* The losses of fine-tuned heads: the mean over the texts, over the tokens that have a label, or over the starts and
 * ends of answers. The start of an answer is one of the T tokens of its sequence, and so is its end: the classes are a
 * column of the logits, (T,2).
 * Trap: where a caller pads, the padding is among the T classes, here and in Hugging Face, and the loss depends on it.
 * Source: [paper] 4.1, 4.2, 5.3; [hf] BertForSequenceClassification, BertForTokenClassification, and of
 * BertForQuestionAnswering the mean of both means. Verify: grad.classifier, grad.qa_outputs */
static void task_loss(const Bert *m, const Activations *a, Gradients *g, const Targets *t)
{
    const size_t K = (size_t)m->config.K, rows = (size_t)(a->request.classifier ? a->batch.B : a->N);
    const Matrix logits = {a->request.classifier ? a->classifier_logits : a->token_logits, rows, K, K};
    if (a->request.classifier || a->request.token_classifier)
        add_losses(a->request.classifier ? g->a.classifier_logits : g->a.token_logits, logits, t->task_labels,
                   t->task_divisor, &g->losses.task, &g->losses.task_right);
    for (size_t i = 0; a->request.qa && i < 2 * (size_t)a->batch.B; i++) {
        const size_t first = a->start[i / 2], T = a->start[i / 2 + 1] - first, at = 2 * first + i % 2;
        for (size_t n = 0; n < T; n++) g->map[n] = a->qa_logits[at + 2 * n];
        add_losses(g->column, (Matrix){g->map, 1, T, T}, t->task_labels + i, t->task_divisor, &g->losses.task,
                   &g->losses.task_right);
        for (size_t n = 0; n < T; n++) g->a.qa_logits[at + 2 * n] = g->column[n];
    }
}

/* (N,H): what block l gives back to hidden state l, and the heads to the last one.
 * In training, gradients are not kept (KEEP_NOTHING, at the end of bert.c): all blocks have the same few arrays, and
 * names share them. So the gradients of hidden states l+1 and l are one array, and so are dblock's attention_dense and
 * output_dense, its intermediate and intermediate_dense, its probs and scores: each is read for the last time before
 * the other is written. a, from the forward pass, keeps all. */
static real *hidden_gradient(const Gradients *g, int l)
{
    return (real *)hidden_state(&g->a, l);
}

/* Behind a step: who asked for it (bert verify, which plants mistakes) may look at the gradients, or change them. */
static void passed(Gradients *g, BackStep step, int l, int b, int h)
{
    if (g->after) g->after(g->context, step, l, b, h);
}

/* Row `row` of dx (rows,H) += what one of its uses gives back. */
static void add_to_row(real *dx, size_t row, const real *part, size_t H)
{
    add(dx + row * H, dx + row * H, part, H);
}

/* STEP 15, backwards - heads of fine-tuned models that read every row x of hidden state L: dx += dlogits W.
 * Verify: grad.encoder.layer.L-1.output.LayerNorm, grad.classifier.weight, grad.qa_outputs.weight */
static void token_heads_backward(const Bert *m, Activations *a, Gradients *g)
{
    const Linear labels = {&m->Wclassifier, &g->m.Wclassifier, g->m.bclassifier}, qa = {&m->Wqa, &g->m.Wqa, g->m.bqa};
    const Request *r = &a->request;
    const real *x = r->token_classifier || r->qa ? drop_head(m, a, hidden_state(a, m->config.L), true) : NULL;
    real *dx = hidden_gradient(g, m->config.L);
    const Rows rows = {(size_t)a->N, g->tokens};
    if (r->token_classifier) linear_backward(g, dx, false, g->a.token_logits, x, labels, rows);
    if (r->qa) linear_backward(g, dx, false, g->a.qa_logits, x, qa, rows);
    if (x) drop_head_backward(m, a, dx, true);                  /* the heads are the first to give anything to it */
}

/* Step 15, backwards, continued: the MLM head. Here the decoder.
 *
 *     forward    logits = t E^T + c                   (M,V) <- (M,H), E (V,H)
 *     backward   dt = dlogits E      dE = dlogits^T t      dc = sum of the rows of dlogits
 *
 * Why M rows and not N: only the chosen tokens have a label. With all N it is a fifth of BERT-Base's work, not 4 %.
 * Trap: E is the word embedding matrix, if tied. Then this dE and that of step 5 are one array, which both add to; a
 * matrix that is updated once for each use, or that gets one half only, learns something else.
 * Verify: grad.cls.predictions.transform.LayerNorm, grad.cls.predictions.bias */
static void mlm_decoder_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t M = (size_t)a->request.M;
    const Linear layer = {&m->decoder, &g->m.decoder, g->m.decoder_bias};
    linear_backward(g, g->a.transform_norm, true, g->a.logits, a->transform_norm, layer, (Rows){M, g->chosen});
}

/* Step 15, backwards, continued: the transform's LayerNorm; it has no residual.
 * Verify: grad.cls.predictions.transform.transform_act_fn */
static void mlm_norm_backward(const Bert *m, Activations *a, Gradients *g)
{
    const NormBackward norm = norm_of(m, m->transform_gamma, g->m.transform_gamma, g->m.transform_beta);
    layer_norm_backward(g->a.transform_act, g->a.transform_norm, a->transform_act, &norm, (size_t)a->request.M);
}

/* Step 15, backwards, continued: the transform's GELU, as in step 12. z = GELU(u), du = dz GELU'(u), (M,H).
 * Verify: grad.cls.predictions.transform.dense */
static void mlm_gelu_backward(const Bert *m, Activations *a, Gradients *g)
{
    gelu_backward(m, g->a.transform_dense, g->a.transform_act, a->transform_dense,
                  (size_t)a->request.M * (size_t)m->config.H);
}

/* Step 15, backwards, continued: the transform's dense layer. Its input was the chosen rows of hidden state L; they
 * get their gradients back, each row its own.
 * Verify: grad.cls.predictions.transform.dense.weight */
static void mlm_dense_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t M = (size_t)a->request.M, H = (size_t)m->config.H;
    const Linear layer = {&m->Wtransform, &g->m.Wtransform, g->m.btransform};
    linear_backward(g, g->a.mlm_hidden, true, g->a.transform_dense, a->mlm_hidden, layer, (Rows){M, g->chosen});
    for (size_t i = 0; i < M; i++)
        add_to_row(hidden_gradient(g, m->config.L), (size_t)a->request.mlm_rows[i], g->a.mlm_hidden + i * H, H);
}

/* STEP 14, backwards - pooler, NSP. Here the NSP head: logits = pooled W^T + b, (B,2) <- (B,H), W (2,H).
 * Verify: grad.pooler, grad.cls.seq_relationship.weight */
static void nsp_head_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t B = (size_t)a->batch.B;
    const Linear layer = {&m->Wnsp, &g->m.Wnsp, g->m.bnsp};
    linear_backward(g, g->a.pooler, true, g->a.nsp_logits, a->pooler, layer, (Rows){B, g->sequences});
}

/* Step 14, backwards, continued: the classifier of texts, like the NSP head, but with K rows. Verify: grad.pooler or
 * grad.pre_classifier.relu */
static void classifier_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t B = (size_t)a->batch.B;
    const Linear layer = {&m->Wclassifier, &g->m.Wclassifier, g->m.bclassifier};
    const real *x = drop_head(m, a, m->config.distilbert ? a->pre_classifier : a->pooler, false);
    real *dx = m->config.distilbert ? g->a.pre_classifier : g->a.pooler;
    assert(!a->request.nsp);        /* whose head reads the pooler undropped: the two cannot share dx */
    linear_backward(g, dx, true, g->a.classifier_logits, x, layer, (Rows){B, g->sequences});
    drop_head_backward(m, a, dx, false);
}

/* Step 14, backwards, continued: DistilBERT's ReLU. y = max(x, 0); dx = dy where y > 0. Verify: grad.pre_classifier */
static void pre_classifier_backward(const Bert *m, Activations *a, Gradients *g)
{
    const real *y = a->pre_classifier, *dy = g->a.pre_classifier;
    const size_t count = (size_t)a->batch.B * (size_t)m->config.H;
    for (size_t i = 0; i < count; i++) g->a.pre_classifier_dense[i] = y[i] > 0 ? dy[i] : 0;
}

/* Step 14, backwards, continued: tanh. y = tanh x, dx = dy (1 - y^2): the derivative is known from the result. Where y
 * is nearly 1 or -1, almost nothing comes through. Verify: grad.pooler.dense */
static void pooler_backward(const Bert *m, Activations *a, Gradients *g)
{
    const real *y = a->pooler, *dy = g->a.pooler;
    const size_t count = (size_t)a->batch.B * (size_t)m->config.H;
    for (size_t i = 0; i < count; i++) g->a.pooler_dense[i] = dy[i] * (1 - y[i] * y[i]);
}

/* Step 14, backwards, continued: the dense layer, the pooler's or DistilBERT's. Its input was the row of [CLS] in
 * hidden state L, which gets this beside what the heads of step 15 gave.
 * Verify: grad.pooler.dense.weight, grad.pre_classifier.weight */
static void first_token_dense_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t B = (size_t)a->batch.B, H = (size_t)m->config.H;
    const bool distil = m->config.distilbert;
    const Linear pooler = {&m->Wpool, &g->m.Wpool, g->m.bpool}, pre_classifier = {&m->Wpre, &g->m.Wpre, g->m.bpre};
    linear_backward(g, g->a.first_token, true, distil ? g->a.pre_classifier_dense : g->a.pooler_dense,
                    a->first_token, distil ? pre_classifier : pooler, (Rows){B, g->sequences});
    for (size_t b = 0; b < B; b++)
        add_to_row(hidden_gradient(g, m->config.L), a->start[b], g->a.first_token + b * H, H);
}

/* =====================================================================================================================
 * ENCODER, backwards: one block, steps 13 to 7. It gets the gradients of hidden state l+1 and gives those of l, (N,H).
 * ================================================================================================================== */

/* STEP 13, backwards - feed-forward down. Here LayerNorm and the residual.
 *
 *     forward    out = LayerNorm(sum),  sum = dropout(dense) + y       (N,H)
 *     backward   dsum as in layer_norm_backward;  ddense = dropout(dsum);  dy = dsum
 *
 * The sum was not kept, and is added up again: the same two arrays (output_dense is dropped already), the same bits.
 * Why training reaches the first blocks: by the residual, dy gets dsum whole, whatever the layers of the block do.
 * Verify: grad.encoder.layer.l.output.dense */
static void feed_forward_norm_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    const BlockActivations *block = &a->block[l];
    BlockActivations *dblock = &g->a.block[l];
    const BertLayer *layer = &m->layers[l], *dlayer = &g->m.layers[l];
    const size_t N = (size_t)a->N, H = (size_t)m->config.H;
    const NormBackward norm = norm_of(m, layer->output_gamma, dlayer->output_gamma, dlayer->output_beta);
    add(a->sum, block->output_dense, block->attention_norm, N * H);
    layer_norm_backward(dblock->output_dense, dblock->output_norm, a->sum, &norm, N);
    memcpy(dblock->attention_norm, dblock->output_dense, N * H * sizeof(real));           /* the residual */
    if (a->dropout) drop_rows(m, a, PURPOSE_DROP_FEED_FORWARD, l, dblock->output_dense);
}

/* Step 13, backwards, continued: the dense layer. Verify: grad.encoder.layer.l.intermediate
 *
 *     forward    dense = z W2^T + b2                  (N,H) <- (N,F), W2 (H,F)
 *     backward   dz = ddense W2      dW2 = ddense^T z      db2 = sum of the rows of ddense */
static void feed_forward_down_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    BlockActivations *dblock = &g->a.block[l];
    const size_t N = (size_t)a->N;
    const Linear layer = {&m->layers[l].W2, &g->m.layers[l].W2, g->m.layers[l].b2};
    linear_backward(g, dblock->intermediate, true, dblock->output_dense, a->block[l].intermediate, layer,
                    (Rows){N, g->tokens});
}

/* STEP 12, backwards - feed-forward up. Here the GELU.
 *
 *     forward    z = GELU(u),  u = y W1^T + b1           (N,F)
 *     backward   du = dz GELU'(u)
 *
 * Trap: GELU' is that of u, the number before GELU, not of z. Verify: grad.encoder.layer.l.intermediate.dense */
static void feed_forward_gelu_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    BlockActivations *dblock = &g->a.block[l];
    gelu_backward(m, dblock->intermediate_dense, dblock->intermediate, a->block[l].intermediate_dense,
                  (size_t)a->N * (size_t)m->config.F);
}

/* Step 12, backwards, continued: the dense layer.
 *
 *     backward   dy += du W1      dW1 = du^T y      db1 = sum of the rows of du           (N,H) <- (N,F), W1 (F,H)
 *
 * y was used twice, here and as the residual of step 13: this dy is added to what the residual gave.
 * Verify: grad.encoder.layer.l.attention.output.LayerNorm */
static void feed_forward_up_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    BlockActivations *dblock = &g->a.block[l];
    const Linear layer = {&m->layers[l].W1, &g->m.layers[l].W1, g->m.layers[l].b1};
    linear_backward(g, dblock->attention_norm, false, dblock->intermediate_dense, a->block[l].attention_norm, layer,
                    (Rows){(size_t)a->N, g->tokens});
}

/* STEP 11, backwards - attention output. Here LayerNorm and the residual, as in step 13:
 *
 *     forward    y = LayerNorm(sum),  sum = dropout(dense) + x         (N,H), x: hidden state l
 *     backward   dsum as in layer_norm_backward;  ddense = dropout(dsum);  dx = dsum, the first part
 * Verify: grad.encoder.layer.l.attention.output.dense */
static void attention_norm_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    BlockActivations *dblock = &g->a.block[l];
    const BertLayer *layer = &m->layers[l], *dlayer = &g->m.layers[l];
    const size_t N = (size_t)a->N, H = (size_t)m->config.H;
    const NormBackward norm = norm_of(m, layer->attention_gamma, dlayer->attention_gamma, dlayer->attention_beta);
    add(a->sum, a->block[l].attention_dense, hidden_state(a, l), N * H);
    layer_norm_backward(dblock->attention_dense, dblock->attention_norm, a->sum, &norm, N);
    memcpy(hidden_gradient(g, l), dblock->attention_dense, N * H * sizeof(real));    /* the residual */
    if (a->dropout && !m->config.distilbert) drop_rows(m, a, PURPOSE_DROP_ATTENTION, l, dblock->attention_dense);
}

/* Step 11, backwards, continued: the dense layer. Verify: grad.encoder.layer.l.attention.self.context
 *
 *     forward    dense = context Wo^T + bo            (N,H), Wo (H,H)
 *     backward   dcontext = ddense Wo      dWo = ddense^T context      dbo = sum of the rows of ddense */
static void attention_dense_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    BlockActivations *dblock = &g->a.block[l];
    const size_t N = (size_t)a->N;
    const Linear layer = {&m->layers[l].Wo, &g->m.layers[l].Wo, g->m.layers[l].bo};
    linear_backward(g, dblock->context, true, dblock->attention_dense, a->block[l].context, layer,
                    (Rows){N, g->tokens});
}

/* STEP 10, backwards - context, for head h of sequence b; rows and columns as in the forward step.
 *
 *     forward    context_i = sum over j of p_ij v_j           (T,D) <- p (T,T), v (T,D)
 *     backward   dp_ij = dcontext_i . v_j           dv_j = sum over i of p_ij dcontext_i
 *
 * A value row gets its gradient from all tokens that looked at it, as much as they looked.
 * With dropout, p in these two lines is what was left of p: the forward pass put that where the scores were, and
 * `probs` has p before dropout, for step 9. dp then goes back through dropout.
 * Verify: grad.encoder.layer.l.attention.self.probs, .value */
static void attention_context_backward(const Bert *m, Activations *a, Gradients *g, int l, int b, int h)
{
    const BlockActivations *block = &a->block[l];
    BlockActivations *dblock = &g->a.block[l];
    const size_t n = a->start[b], T = a->start[b + 1] - n, H = (size_t)m->config.H, D = (size_t)m->config.D;
    const size_t first = n * H + (size_t)h * D;
    const Matrix dcontext = {dblock->context + first, T, D, H}, value = {block->value + first, T, D, H};
    const Matrix probs = {head_map(a, a->dropout ? block->scores : block->probs, b, h), T, T, T};
    real *dprobs = head_map(&g->a, dblock->probs, b, h);
    product(dprobs, T, dcontext, value, BY_ROWS, &g->scratch);
    product(dblock->value + first, H, probs, dcontext, BY_COLUMNS_OF_X, &g->scratch);
    if (a->dropout) drop_probs(m, a, l, b, h, dprobs, dprobs);
}

/* STEP 9, backwards - softmax: softmax_backward (tensor.c), row by row.
 *
 *     forward    p_ij = e^score_ij / sum over j' of e^score_ij'           (T,T)
 *     backward   dscore_ij = p_ij (dp_ij - sum over j' of p_ij' dp_ij')
 *
 * A row of dscores adds up to 0: attention can only be moved from one token to another.
 * Verify: grad.encoder.layer.l.attention.self.scores */
static void attention_probs_backward(Activations *a, Gradients *g, int l, int b, int h)
{
    BlockActivations *dblock = &g->a.block[l];
    const size_t T = a->start[b + 1] - a->start[b];
    softmax_backward(head_map(&g->a, dblock->scores, b, h), head_map(&g->a, dblock->probs, b, h),
                     head_map(a, a->block[l].probs, b, h), T, T);
}

/* STEP 8, backwards - scores.
 *
 *     forward    score_ij = q_i . k_j / sqrt(D), or -FLT_MAX where key j is masked           (T,T) <- (T,D), (T,D)
 *     backward   r_ij = dscore_ij / sqrt(D), or 0 where key j is masked
 *                dq_i = sum over j of r_ij k_j           dk_j = sum over i of r_ij q_i
 *
 * Trap: a masked score was replaced, so no q and no k changes it: its r is 0 even where a whole row is masked, in which
 * softmax gave every place 1/T and every dscore may be something other than 0.
 * Differs: Hugging Face's "eager" attention adds the mask, and PyTorch lets gradients through that sum: there queries
 * and keys of a wholly masked sequence learn, from scores that changed nothing.
 * Verify: grad.encoder.layer.l.attention.self.query, .key */
static void attention_scores_backward(const Bert *m, Activations *a, Gradients *g, int l, int b, int h)
{
    const BlockActivations *block = &a->block[l];
    BlockActivations *dblock = &g->a.block[l];
    const size_t n = a->start[b], T = a->start[b + 1] - n, H = (size_t)m->config.H, D = (size_t)m->config.D;
    const size_t first = n * H + (size_t)h * D;
    const real scale = (real)(1 / sqrt((double)D)), *dscores = head_map(&g->a, dblock->scores, b, h);
    const int32_t *mask = a->batch.attention_mask + n;
    const Matrix query = {block->query + first, T, D, H}, key = {block->key + first, T, D, H};
    const Matrix scaled = {g->map, T, T, T};
    for (size_t i = 0; i < T; i++)
        for (size_t j = 0; j < T; j++) g->map[i * T + j] = mask[j] ? dscores[i * T + j] * scale : 0;
    product(dblock->query + first, H, scaled, key, BY_COLUMNS, &g->scratch);
    product(dblock->key + first, H, scaled, query, BY_COLUMNS_OF_X, &g->scratch);
}

/* STEP 7, backwards - query, key, value.
 *
 *     forward    q = x Wq^T + bq    k = x Wk^T + bk    v = x Wv^T + bv           (N,H), x: hidden state l
 *     backward   dx += dq Wq + dk Wk + dv Wv           x was used three times, and a fourth time as the residual
 *
 * bk learns nothing: a number that is added to all keys adds the same to all scores of a row, which softmax does not
 * see. Its gradient is 0 but for rounding, of which AdamW may make a move of up to `rate`; no answer sees it.
 * Verify: grad.encoder.layer.l-1.output.LayerNorm, or grad.embeddings.LayerNorm for l = 0 */
static void attention_value_key_query_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    const BertLayer *layer = &m->layers[l], *dlayer = &g->m.layers[l];
    const BlockActivations *dblock = &g->a.block[l];
    const Linear value = {&layer->Wv, &dlayer->Wv, dlayer->bv}, key = {&layer->Wk, &dlayer->Wk, dlayer->bk};
    const Linear query = {&layer->Wq, &dlayer->Wq, dlayer->bq};
    const Rows rows = {(size_t)a->N, g->tokens};
    const real *x = hidden_state(a, l);
    real *dx = hidden_gradient(g, l);
    linear_backward(g, dx, false, dblock->value, x, value, rows);
    linear_backward(g, dx, false, dblock->key, x, key, rows);
    linear_backward(g, dx, false, dblock->query, x, query, rows);
}

/* One transformer block, backwards: encoder_block from its end to its beginning. */
static void encoder_block_backward(const Bert *m, Activations *a, Gradients *g, int l)
{
    feed_forward_norm_backward(m, a, g, l);
    passed(g, BACK_OUTPUT_NORM, l, 0, 0);
    feed_forward_down_backward(m, a, g, l);
    feed_forward_gelu_backward(m, a, g, l);
    passed(g, BACK_GELU, l, 0, 0);
    feed_forward_up_backward(m, a, g, l);
    attention_norm_backward(m, a, g, l);
    passed(g, BACK_ATTENTION_NORM, l, 0, 0);
    attention_dense_backward(m, a, g, l);
    for (int b = 0; b < a->batch.B; b++)
        for (int h = 0; h < m->config.A; h++) {
            attention_context_backward(m, a, g, l, b, h);
            attention_probs_backward(a, g, l, b, h);
            passed(g, BACK_PROBS, l, b, h);
            attention_scores_backward(m, a, g, l, b, h);
        }
    passed(g, BACK_SCORES, l, 0, 0);
    attention_value_key_query_backward(m, a, g, l);
}

/* =====================================================================================================================
 * EMBEDDING, backwards
 * ================================================================================================================== */

/* STEP 6, backwards - LayerNorm of the sum.
 *
 *     forward    x = dropout(LayerNorm(sum)),  sum = word + token_type + position           (N,H), x: hidden state 0
 *     backward   dsum as in layer_norm_backward, from dropout(dx);  dword = dtoken_type = dposition = dsum
 * Verify: grad.embeddings.word_embeddings */
static void embeddings_norm_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t N = (size_t)a->N, H = (size_t)m->config.H;
    const NormBackward norm = norm_of(m, m->embeddings_gamma, g->m.embeddings_gamma, g->m.embeddings_beta);
    if (m->config.S) add(a->sum, a->word, a->token_type, N * H);
    add(a->sum, m->config.S ? a->sum : a->word, a->position, N * H);
    if (a->dropout) drop_rows(m, a, PURPOSE_DROP_EMBEDDINGS, 0, g->a.embedding_norm);
    layer_norm_backward(g->a.word, g->a.embedding_norm, a->sum, &norm, N);
    if (g->a.position == g->a.word) return;                     /* one array, unless gradients are kept for a trace */
    memcpy(g->a.token_type, g->a.word, N * H * sizeof(real));
    memcpy(g->a.position, g->a.word, N * H * sizeof(real));
}

/* STEP 5, backwards - three lookups.
 *
 *     forward    row n <- row `index` of a table           backward   row `index` of the table's gradient += row n
 *
 * A row that was looked up several times gets the sum, in the order of the tokens; a row that nobody looked up gets
 * nothing. Here the position. Verify: grad.embeddings.position_embeddings.weight */
static void embeddings_position_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t H = (size_t)m->config.H;
    for (int b = 0; b < a->batch.B; b++)
        for (size_t n = a->start[b]; n < a->start[b + 1]; n++)
            add_to_row(numbers(&g->m.position_embeddings), n - a->start[b], g->a.position + n * H, H);
}

/* Step 5, backwards, continued: the segment, which DistilBERT does not have.
 * Verify: grad.embeddings.token_type_embeddings.weight */
static void embeddings_token_type_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t H = (size_t)m->config.H;
    real *table = numbers(&g->m.token_type_embeddings);
    for (size_t n = 0; m->config.S && n < (size_t)a->N; n++)
        add_to_row(table, (size_t)a->batch.token_type_ids[n], g->a.token_type + n * H, H);
}

/* Step 5, backwards, continued: the word. The rows are kept until the end of the step (look_up_backward): the decoder's
 * part is complete only then, and a sum whose order depends on how the step is cut has other bits.
 * Verify: grad.embeddings.word_embeddings.weight */
static void embeddings_word_backward(const Bert *m, Activations *a, Gradients *g)
{
    const size_t N = (size_t)a->N, H = (size_t)m->config.H;
    memcpy(g->lookups + g->tokens * H, g->a.word, N * H * sizeof(real));
    memcpy(g->lookup_ids + g->tokens, a->batch.input_ids, N * sizeof *g->lookup_ids);
}

/* At the end of the step. Differs: Hugging Face's table has a padding_idx, and the row of [PAD] gets nothing from
 * lookups. That is the same, unless a [PAD] has mask 1, or a loss reads its row. */
static void look_up_backward(const Bert *m, Gradients *g)
{
    const size_t H = (size_t)m->config.H;
    for (size_t n = 0; n < g->tokens; n++)
        add_to_row(numbers(&g->m.word_embeddings), (size_t)g->lookup_ids[n], g->lookups + n * H, H);
}

/* The summary: forward, mirrored. Losses, heads, L blocks, embeddings. A pooler that no loss reads has no gradient; MLM
 * labels without a row are a loss of 0, and the head still counts as learned: it decays. */
void backward(const Bert *m, Activations *a, Gradients *g, const Targets *t)
{
    const Request *r = &a->request;
    const bool distil = m->config.distilbert, pools = r->nsp || (r->classifier && !distil);
    assert(r->keep == KEEP_EVERYTHING && !r->unused_blocks && r->pooler <= pools);
    memset(hidden_gradient(g, m->config.L), 0, (size_t)a->N * (size_t)m->config.H * sizeof(real));
    task_loss(m, a, g, t);
    if (r->M) mlm_loss(m, a, g, t);
    if (r->nsp) nsp_loss(a, g, t);
    passed(g, BACK_LOSS, -1, 0, 0);
    token_heads_backward(m, a, g);
    if (r->M) {
        mlm_decoder_backward(m, a, g);
        mlm_norm_backward(m, a, g);
        passed(g, BACK_TRANSFORM_NORM, -1, 0, 0);
        mlm_gelu_backward(m, a, g);
        mlm_dense_backward(m, a, g);
    }
    if (r->nsp) nsp_head_backward(m, a, g);
    if (r->classifier) classifier_backward(m, a, g);
    if (r->classifier && distil) pre_classifier_backward(m, a, g);
    if (pools) {
        pooler_backward(m, a, g);
        passed(g, BACK_POOLER, -1, 0, 0);
    }
    if (pools || r->classifier) first_token_dense_backward(m, a, g);
    for (int l = m->config.L - 1; l >= 0; l--) encoder_block_backward(m, a, g, l);
    embeddings_norm_backward(m, a, g);
    passed(g, BACK_EMBEDDING_NORM, -1, 0, 0);
    embeddings_position_backward(m, a, g);
    embeddings_token_type_backward(m, a, g);
    embeddings_word_backward(m, a, g);
    g->learned |= 1u << GROUP_ENCODER | (unsigned)(t->labels != NULL) << GROUP_MLM | (unsigned)r->nsp << GROUP_NSP |
                  (unsigned)pools << GROUP_POOLER | (unsigned)(r->classifier && distil) << GROUP_PRE_CLASSIFIER |
                  (unsigned)(r->classifier || r->token_classifier) << GROUP_CLASSIFIER | (unsigned)r->qa << GROUP_QA;
    g->tokens += (size_t)a->N;
    g->chosen += (size_t)r->M;
    g->sequences += r->nsp || r->classifier ? (size_t)a->batch.B : 0;
}

/* The end of a step: chunks that stayed incomplete, lookups, and the sums in double of every LayerNorm. */
void gradients_finish(const Bert *m, Gradients *g, Parameters *parameters)
{
    const size_t tokens = g->tokens % SUM_CHUNK, chosen = g->chosen % SUM_CHUNK, sequences = g->sequences % SUM_CHUNK;
    const struct { int group; size_t waiting; Linear layer; } heads[] = {
        {GROUP_MLM, chosen, {&m->decoder, &g->m.decoder, g->m.decoder_bias}},
        {GROUP_MLM, chosen, {&m->Wtransform, &g->m.Wtransform, g->m.btransform}},
        {GROUP_NSP, sequences, {&m->Wnsp, &g->m.Wnsp, g->m.bnsp}},
        {GROUP_POOLER, sequences, {&m->Wpool, &g->m.Wpool, g->m.bpool}},
        {GROUP_PRE_CLASSIFIER, sequences, {&m->Wpre, &g->m.Wpre, g->m.bpre}},
        {GROUP_CLASSIFIER, m->config.head == HEAD_TOKENS ? tokens : sequences,
         {&m->Wclassifier, &g->m.Wclassifier, g->m.bclassifier}},
        {GROUP_QA, tokens, {&m->Wqa, &g->m.Wqa, g->m.bqa}}};
    for (int l = 0; l < m->config.L; l++) {
        const BertLayer *w = &m->layers[l], *dw = &g->m.layers[l];
        const Linear layers[] = {{&w->W2, &dw->W2, dw->b2}, {&w->W1, &dw->W1, dw->b1}, {&w->Wo, &dw->Wo, dw->bo},
                                 {&w->Wv, &dw->Wv, dw->bv}, {&w->Wk, &dw->Wk, dw->bk}, {&w->Wq, &dw->Wq, dw->bq}};
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) add_waiting(g, layers[i], tokens);
    }
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (g->learned >> heads[i].group & 1) add_waiting(g, heads[i].layer, heads[i].waiting);
    look_up_backward(m, g);
    for (const Parameter *p = parameters->list; p < parameters->list + parameters->count; p++) {
        const double *sums = behind(p->gradient, p->count);
        for (size_t i = 0; p->norm && i < p->count; i++) p->gradient[i] = (real)sums[i];
    }
}

/* =====================================================================================================================
 * AdamW: what the gradients do to the weights
 * ================================================================================================================== */

/* The two rules side by side: adamw_step. */
AdamWOptions adamw_defaults(Rules rules)
{
    return (AdamWOptions){.rules = rules, .learning_rate = 5e-5, .weight_decay = 0.01, .clip = 1, .beta1 = 0.9,
                          .beta2 = 0.999, .eps = rules == RULES_GOOGLE ? 1e-6 : 1e-8};
}

/* The rate of a step, 0 being the first: it rises in a line for `warmup` steps, then falls in a line to 0 at `steps`.
 * Why warm up: the running means of the first steps are made of few gradients, and are not to be relied upon.
 * Trap: with a warm-up the very first update has the rate 0, in both programs, and so only fills the running means.
 * Differs: Hugging Face's line falls from the end of the warm-up; Google's falls from step 0 on, so that the rate
 * drops by the share warmup / steps when the warm-up ends.
 * Source: [hf] get_linear_schedule_with_warmup; [tf] optimization.py, create_optimizer. */
double learning_rate_at(const AdamWOptions *o, int64_t step)
{
    if (step < o->warmup) return o->learning_rate * ((double)step / (double)o->warmup);
    if (o->constant) return o->learning_rate;
    if (step >= o->steps) return 0;
    const int64_t from = o->rules == RULES_GOOGLE ? 0 : o->warmup;
    return o->learning_rate * ((double)(o->steps - step) / (double)(o->steps - from));
}

/* A head whose loss was not asked for is left as it is, without decay, too. */
bool is_learned(const Gradients *g, const Parameter *p)
{
    return g->learned >> p->group & 1;
}

/* The length of all gradients as one vector, the root of the sum of their squares: in double, tensor by tensor, in the
 * order of the table of tensors.
 * Trap: a tied matrix counts once, with the sum of both its parts. Two lengths that are added up are not the length. */
double gradient_norm(const Gradients *g, const Parameters *parameters)
{
    double total = 0;
    for (const Parameter *p = parameters->list; p < parameters->list + parameters->count; p++)
        if (is_learned(g, p)) total += sum_of_squares(p->gradient, p->count);
    return sqrt(total);
}

/* What is the same for all numbers of a step. */
typedef struct {
    real clip;                      /* what every gradient is multiplied by: 1, or less */
    real mean_share, square_share;  /* the newest gradient's share in the means: 1 - beta1, 1 - beta2 */
    real rate;                      /* divided by 1 - beta1^t already: the mean's correction */
    real root_correction;           /* of the square's root: 1 / sqrt(1 - beta2^t) */
    real eps;
} Update;

static inline real square_root(real x)
{
    return sizeof(real) == sizeof(double) ? (real)sqrt((double)x) : (real)sqrtf((float)x);
}

/* The numbers w of a tensor, with gradients dw, and their running means. `decay` is the rate times the weight decay, or
 * 0. Example: the first step by Hugging Face's rules, dw = 0.2, rate 0.001, no decay: mean 0.02, square 0.00004,
 * corrected 0.2 and 0.04; w moves by 0.001 * 0.2 / 0.2 = 0.001. With dw = 0.0002 it moves by the same. */
static void update_numbers(real *w, real *mean, real *square, const real *dw, size_t count, const Update *u, real decay)
{
    for (size_t i = 0; i < count; i++) {
        const real clipped = dw[i] * u->clip;
        mean[i] += (clipped - mean[i]) * u->mean_share;
        square[i] += (clipped * clipped - square[i]) * u->square_share;
        w[i] -= w[i] * decay + u->rate * (mean[i] / (square_root(square[i]) * u->root_correction + u->eps));
    }
}

/* One step of AdamW, t = 1, 2, ... For each number w with gradient dw; the paper's m is `mean`, its v is `square`:
 *
 *     dw = dw * clip / length of all gradients, if they are longer than clip
 *     mean   = beta1 mean + (1 - beta1) dw             over about the last 10 steps: the direction
 *     square = beta2 square + (1 - beta2) dw^2         the mean of its square over about 1,000: the usual size
 *     w = w - rate * (decay w + mean' / (sqrt square' + eps))
 *         with mean' = mean / (1 - beta1^t), square' = square / (1 - beta2^t)
 *
 * Why divide by the root: each weight moves by about `rate`, whether its gradients are large or small.
 * Why the correction: both means begin at 0, and are too small by these factors at first.
 * Trap: decay is not added to dw (that would be L2 with Adam, another method); biases and LayerNorms do not decay; eps
 * stands outside the root; clipping comes first, over all tensors together.
 * Differs: Google's eps is 1e-6, PyTorch's 1e-8; Google has no correction, and the first few hundred updates are up to
 * 6.6 times longer; it clips by clip / length, PyTorch by clip / (length + 1e-6). The rate: learning_rate_at.
 * Source: Loshchilov, Hutter: Decoupled Weight Decay Regularization. 2017; [hf] Trainer with torch.optim.AdamW; [tf]
 * optimization.py, AdamWeightDecayOptimizer. Only + - * / and sqrt: the same bits everywhere. */
void adamw_step(AdamW *o, const Gradients *g, const Parameters *parameters, double length)
{
    const AdamWOptions *options = &o->options;
    const bool google = options->rules == RULES_GOOGLE;
    const double rate = learning_rate_at(options, o->step), clip = options->clip / (google ? length : length + 1e-6);
    size_t at = 0;
    o->step++;
    o->beta1_power *= options->beta1;
    o->beta2_power *= options->beta2;
    const Update u = {.clip = (real)(options->clip > 0 && clip < 1 ? clip : 1),
                      .mean_share = (real)(1 - options->beta1), .square_share = (real)(1 - options->beta2),
                      .rate = (real)(google ? rate : rate / (1 - o->beta1_power)),
                      .root_correction = (real)(google ? 1 : 1 / sqrt(1 - o->beta2_power)),
                      .eps = (real)options->eps};
    for (const Parameter *p = parameters->list; p < parameters->list + parameters->count; at += p->count, p++)
        if (is_learned(g, p))
            update_numbers(p->value, o->mean + at, o->square + at, p->gradient, p->count, &u,
                           (real)(p->decays ? rate * options->weight_decay : 0));
}
