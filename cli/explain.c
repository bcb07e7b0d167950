/* explain.c - the sixteen steps on the reader's own sentence: formula, shapes, first values, why, and the source line.
 *
 * One run of the model with everything kept, as for `bert trace`, and then sixteen short functions that print what they
 * find in the Activations. What no array holds is computed here for showing, and goes nowhere else: the sum before a
 * LayerNorm (a->sum is overwritten), the mean and deviation of a row, the terms p_ij v_j of a context, lengths of
 * vectors, softmax over logits, the word and sentence vectors of step 16, and cosines.
 *
 * Every step follows one token and shows the beginnings of a few others. Steps 7 to 13 exist L times and their heads A
 * times. The rule in explain_cards.c chooses token, layer and head; --layer and --head leave it fewer to choose from.
 * --step shows one step with more numbers.
 */
#include "cli/explain.h"
#include "steps.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * What no array holds, and what several steps ask
 * ================================================================================================================== */
bool is_special(const Session *s, int id)
{
    return id == s->tokenizer.cls_id || id == s->tokenizer.sep_id || id == s->tokenizer.pad_id;
}

/* Whatever begins with a letter, a digit, or no ASCII. */
bool is_word(const char *piece)
{
    const unsigned char c = (unsigned char)(strncmp(piece, "##", 2) || !piece[2] ? piece[0] : piece[2]);
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/* The followed token's row of a matrix (N,H). */
static const real *row_of(const View *v, const real *x)
{
    return x + (size_t)v->subject * (size_t)v->c->H;
}

double length_of(const real *x, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (double)x[i] * (double)x[i];
    return sqrt(squares);
}

/* Mean and standard deviation of n numbers: what LayerNorm takes away. The second pass, over the differences, keeps the
 * digits that sums of squares would lose. */
void moments(const real *x, size_t n, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += ((double)x[i] - *mean) * ((double)x[i] - *mean);
    *deviation = sqrt(squares / (double)n);
}

/* Step 16's word vectors, as the word-embedding tutorial makes them: the last four hidden states, summed. */
static void make_word_vectors(const View *v)
{
    const int L = v->c->L, count = L < 4 ? L : 4, last[] = {L, L - 1, L - 2, L - 3};
    token_vectors(v->words, &v->s->model, v->a, 0, last, count, COMBINE_SUM);
}

double cosine_at(const View *v, int i, int j)
{
    const size_t H = (size_t)v->c->H;
    return cosine(v->words + (size_t)i * H, v->words + (size_t)j * H, H);
}

/* Step 16's sentence vector, that of `bert embed`: the mean over the tokens of the last hidden state but one, as in the
 * word-embedding tutorial, or what the directory of a sentence-transformers model says. It reads one hidden state, so
 * that it has H numbers. The word vectors' memory is used on the way. */
static void make_sentence_vector(const View *v)
{
    const size_t H = (size_t)v->c->H, T = (size_t)v->x->T;
    const Recipe *r = v->recipe;
    if (v->no_recipe->status != BERT_OK) return;
    token_vectors(v->words, &v->s->model, v->a, 0, r->layers, r->count, r->combine);
    pool_tokens(v->sentence, v->words, v->x->attention_mask, T, H, r->pooling);
    if (r->normalize) normalize(v->sentence, H);
}

bool is_pair(const View *v)
{
    bool pair = v->c->distilbert && v->input->has_pair;                 /* which has no segments to tell it by */
    for (int t = 0; t < v->x->T; t++)
        pair |= v->x->token_type_ids[t] != v->x->token_type_ids[0] && v->x->attention_mask[t];
    return pair;
}

bool scores_texts(const View *v)
{
    return v->a->request.classifier;
}

bool scores_tokens(const View *v)
{
    return v->a->request.token_classifier;
}

int best_label(const View *v, const real *logits)
{
    int best = 0;
    for (int k = 1; k < v->c->K; k++)
        if (logits[k] > logits[best]) best = k;
    return best;
}

/* The logits of IsNext and NotNext, and their probabilities. */
void next_sentence(const View *v, real logits[2], real p[2])
{
    next_sentence_logits(logits, v->a, v->refitted);
    softmax(p, logits, 1, 2);
}


/* =====================================================================================================================
 * Tokenizer: steps 1 to 4, from what tokenize_trace tells
 * ================================================================================================================== */
/* The stages of a step; the texts themselves open step 1. Of step 1 those that changed nothing are left out, unless
 * --step asks for them. Returns how many words or pieces they have. */
static size_t put_stages(const View *v, int step)
{
    size_t words = 0;
    for (int i = 0; i < v->stages; i++) {
        const Stage *stage = &v->stage[i];
        const bool opens = stage->step == 0 && step == 1;
        const bool same = !opens && i && !strcmp(stage->text, v->stage[i - 1].text);
        if (stage->step != step && !opens) continue;
        if (v->zoom || step != 1 || !same) put_stage(v, stage->name, stage->text);
        words += stage->count;
    }
    if (!v->stages) put_paragraph(v, "", "(the ids came from a file: this step was done by whoever wrote it)");
    return words;
}

/* Step 1: the text, and after each stage that changed it; with --step after each of the six. */
static void show_clean(const View *v)
{
    put_stages(v, 1);
}

/* Step 2: words with blanks between. A [MASK] in the text is a word that the stages let pass. */
static void show_split(const View *v)
{
    const size_t words = put_stages(v, 2);
    if (v->stages) put_formatted(v, "", "(%zu word%s)", words, words == 1 ? "" : "s");
}

/* Step 3: the pieces; with --step the offsets, too: which bytes of the text each piece stands for. A piece of a word
 * with an accent covers the accent's bytes as well, although its letters have lost it. */
static void show_wordpiece(const View *v)
{
    put_stages(v, 3);
    if (!v->zoom) return;
    put_label(v, "token");
    fprintf(v->out, "%10s  %s\n", "id", "bytes of the text it stands for, end excluded");
    for (int i = 0, t; (t = row_at(v, i)) >= 0; i++) {
        const size_t *place = v->x->offsets[t];
        fputs("  ", v->out);
        put_token(v, t, LABEL);
        fprintf(v->out, "%10d  ", v->x->input_ids[t]);
        if (place[1] > place[0]) fprintf(v->out, "%zu to %zu\n", place[0], place[1]);
        else fputs("none\n", v->out);
    }
    put_left_out(v, "bert tokenize shows all");
}

/* The three rows of numbers that the model sees, below their tokens; as many tokens as fit, with --step all. */
static void show_ids(const View *v)
{
    const Encoding *x = v->x;
    int from = 0, to;
    do {
        int width = 10;
        for (to = from; to < x->T && (to == from || width + token_width(v, to) <= LINE); to++)
            width += token_width(v, to);
        if (from) fputc('\n', v->out);
        put_token_row(v, "token", true, NULL, from, to);
        put_token_row(v, "id", false, x->input_ids, from, to);
        put_token_row(v, "segment", false, x->token_type_ids, from, to);
        put_token_row(v, "mask", false, x->attention_mask, from, to);
        put_token_row(v, "position", false, NULL, from, to);
        from = to;
    } while (v->zoom && from < x->T);
    if (from < x->T) put_formatted(v, "", "(and %d more tokens: --step 4 shows them)", x->T - from);
}

/* =====================================================================================================================
 * Embedding: steps 5 and 6
 * ================================================================================================================== */
/* The first of the two sums: word + segment, or in a DistilBERT the word alone. n numbers from `at` on. */
static void add_segment(const View *v, real *sum, size_t at, size_t n)
{
    if (v->c->S) add(sum, v->a->word + at, v->a->token_type + at, n);
    else memcpy(sum, v->a->word + at, n * sizeof *sum);
}

/* Step 5 for one token: the row of each table that it looks up, and the sum of the three, in the order in which bert.c
 * adds them: (word + segment) + position. */
static void put_three_embeddings(const View *v, int t)
{
    const size_t H = (size_t)v->c->H, n = (size_t)few(H), at = (size_t)t * H;
    char row[40];
    real sum[FEATURES];
    snprintf(row, sizeof row, "word %d", v->x->input_ids[t]);
    put_numbers(v, row, v->a->word + at, H);
    snprintf(row, sizeof row, "segment %d", v->x->token_type_ids[t]);
    if (v->c->S) put_numbers(v, row, v->a->token_type + at, H);
    snprintf(row, sizeof row, "position %d", t);
    put_numbers(v, row, v->a->position + at, H);
    add_segment(v, sum, at, n);
    put_sum(v, "sum", sum, v->a->position + at);
}

/* The followed token alone, or with --step all; the same in steps 11 to 13. */
static void show_embeddings(const View *v)
{
    for (int i = 0, t; (t = v->zoom ? row_at(v, i) : i ? -1 : v->subject) >= 0; i++) {
        char label[300];
        token_label(v, t, label);
        put_features(v, label, 0, (size_t)v->c->H);
        put_three_embeddings(v, t);
    }
    put_left_out(v, "bert trace -o writes all");
}

/* Mean and standard deviation of the sum of token t's three embeddings, which no array keeps. */
void sum_moments(const View *v, int t, double *mean, double *deviation)
{
    const size_t H = (size_t)v->c->H, at = (size_t)t * H;
    add_segment(v, v->sum, at, H);
    add(v->sum, v->sum, v->a->position + at, H);
    moments(v->sum, H, mean, deviation);
}

/* Step 6: hidden state 0, and with --step what it was made of: before LayerNorm the rows have means of about -0.02 and
 * deviations of about 0.05, [CLS] 0.14; after it all are of one size. */
static void show_embedding_norm(const View *v)
{
    put_matrix(v, "hidden state 0", v->a->embedding_norm, (size_t)v->c->H, 0);
    if (!v->zoom) return;
    fprintf(v->out, "\n  %-*s%12s%20s\n", LABEL, "the sum had", "mean", "standard deviation");
    for (int i = 0, t; (t = row_at(v, i)) >= 0; i++) {
        double mean, deviation;
        sum_moments(v, t, &mean, &deviation);
        fputs("  ", v->out);
        put_token(v, t, LABEL);
        put_number(v->out, mean, 12, 5);
        put_number(v->out, deviation, 20, 5);
        fputc('\n', v->out);
    }
}

/* =====================================================================================================================
 * Encoder: steps 7 to 13, in one block and one head
 * ================================================================================================================== */
static size_t head_column(const View *v)                    /* the first of the head's D columns */
{
    return (size_t)v->head * (size_t)v->c->D;
}

/* Step 7: of 3 H numbers for each token the first few that belong to the head. */
static void show_query_key_value(const View *v)
{
    const size_t H = (size_t)v->c->H, D = (size_t)v->c->D, first = head_column(v);
    const real *parts[] = {v->block->query, v->block->key, v->block->value};
    static const char *const names[] = {"query", "key", "value"};
    char label[300];
    token_label(v, v->subject, label);
    if (!v->zoom) put_features(v, label, first, D);
    for (int i = 0; i < 3; i++) {
        if (v->zoom) put_matrix(v, names[i], parts[i], H, first);
        else put_numbers(v, names[i], row_of(v, parts[i]) + first, D);
    }
}

/* The place of (i,j) in the head's (T,T) among scores and probs (A,T,T). */
static size_t square_index(const View *v, int i, int j)
{
    const size_t T = (size_t)v->x->T;
    return ((size_t)v->head * T + (size_t)i) * T + (size_t)j;
}

/* What put_square shows in steps 8, 9 and 16. */
double score_at(const View *v, int i, int j)
{
    return (double)v->block->scores[square_index(v, i, j)];
}

double prob_at(const View *v, int i, int j)
{
    return (double)v->block->probs[square_index(v, i, j)];
}

/* Step 8. Scores of one row can be compared, those of different rows cannot: softmax only sees differences in a row. */
static void show_scores(const View *v)
{
    put_square(v, score_at, "i looks at j:", v->zoom ? "bert trace -o writes all" : "--step 8 shows more");
}

/* "   0.36   6 [MASK]": a number, and the token that it is about. */
static void put_near(const View *v, double x, int t)
{
    char cell[516], label[300];
    token_label(v, t, label);
    fit_with_dots(cell, label, 12);
    put_number(v->out, x, 7, 2);
    fprintf(v->out, " %s;", cell);
}

/* The table of the head, and of each of its rows the three tokens that get most. Many heads look at [SEP] most of the
 * time: that is what a head does that has nothing to say about a token. */
static void show_probs(const View *v)
{
    put_square(v, prob_at, "i looks at j:", v->zoom ? "bert attention shows all" : "--step 9 shows more");
    fputs("  i looks most at\n", v->out);
    for (int k = 0, i; (i = row_at(v, k)) >= 0; k++) {
        int named[3], n = 0;
        fputs("  ", v->out);
        put_token(v, i, LABEL);
        const real *row = v->block->probs + square_index(v, i, 0);
        for (int j; n < 3 && (j = next_largest(row, v->x->T, named, n)) >= 0; named[n++] = j)
            put_near(v, prob_at(v, i, j), j);
        fputc('\n', v->out);
    }
}

/* Step 10; with --step the followed token's weighted mean term by term, p_ij v_j: what each token j hands on to it. The
 * terms are multiplied here, for the eye; the sum is bert.c's. */
static void show_context(const View *v)
{
    const size_t H = (size_t)v->c->H, D = (size_t)v->c->D, first = head_column(v);
    put_matrix(v, "context", v->block->context, H, first);
    if (!v->zoom) return;
    char label[300];
    snprintf(label, sizeof label, "p v_j, %d %.200s", v->subject, piece_of(v->s, v->x->input_ids[v->subject]));
    fputc('\n', v->out);
    put_features(v, label, first, D);
    for (int j = 0; j < v->x->T && j < MANY; j++) {
        real term[FEATURES];
        const real p = v->block->probs[square_index(v, v->subject, j)];
        for (int d = 0; d < few(D); d++) term[d] = p * v->block->value[(size_t)j * H + first + (size_t)d];
        char row[300];
        snprintf(row, sizeof row, "%3d %.2f %.200s", j, (double)p, piece_of(v->s, v->x->input_ids[j]));
        put_numbers(v, row, term, (size_t)few(D));
    }
    put_numbers(v, v->x->T > MANY ? "the sum of all" : "their sum", row_of(v, v->block->context) + first, D);
    if (v->x->T > MANY) put_formatted(v, "", "(the first %d of %d terms)", MANY, v->x->T);
}

/* Dense, residual, LayerNorm: the same four rows in steps 11 and 13, for the followed token, with --step for all. */
static void put_residual(const View *v, const char *input, const real *x, const real *dense, const real *norm)
{
    const size_t H = (size_t)v->c->H;
    for (int i = 0, t; (t = v->zoom ? row_at(v, i) : i ? -1 : v->subject) >= 0; i++) {
        const size_t at = (size_t)t * H;
        char label[300];
        token_label(v, t, label);
        put_features(v, label, 0, H);
        put_numbers(v, input, x + at, H);
        put_numbers(v, "dense", dense + at, H);
        put_sum(v, "their sum", dense + at, x + at);
        put_numbers(v, "LayerNorm", norm + at, H);
    }
    put_left_out(v, "bert trace -o writes all");
}

/* Step 11: x is the block's input, hidden state l. */
static void show_attention_output(const View *v)
{
    put_residual(v, "x (residual)", hidden_state(v->a, v->layer), v->block->attention_dense, v->block->attention_norm);
}

/* Step 12: before and after the curve, and how many of the F features it lets through: in a trained model a few in a
 * hundred. What is below -5 is 0 to four decimals, what is above 5 stays as it is, and between them lies the curve. */
static void show_feed_forward_up(const View *v)
{
    const size_t F = (size_t)v->c->F;
    for (int i = 0, t; (t = v->zoom ? row_at(v, i) : i ? -1 : v->subject) >= 0; i++) {
        const real *before = v->block->intermediate_dense + (size_t)t * F;
        const real *after = v->block->intermediate + (size_t)t * F;
        size_t positive = 0, largest = 0;
        for (size_t f = 0; f < F; f++) {
            positive += before[f] > 0;
            if (after[f] > after[largest]) largest = f;
        }
        char label[300];
        token_label(v, t, label);
        put_features(v, label, 0, F);
        put_numbers(v, "dense", before, F);
        put_numbers(v, "GELU", after, F);
        put_label(v, "");
        fprintf(v->out, "    %zu of %zu are above 0; the largest is %zu: %.4g\n", positive, F, largest,
                unsigned_nan((double)after[largest]));
    }
    put_left_out(v, "bert trace -o writes all");
}

/* Step 13: y is the output of step 11. The last row is the token's row of hidden state l+1. */
static void show_feed_forward_down(const View *v)
{
    put_residual(v, "y (residual)", v->block->attention_norm, v->block->output_dense, v->block->output_norm);
}

/* =====================================================================================================================
 * Task head: steps 14 to 16
 * ================================================================================================================== */

/* The judgement, and whose head it is: as `bert next-sentence`. */
static void put_next_sentence(const View *v)
{
    real logits[2], p[2];
    if (!v->has_nsp) {
        put_paragraph(v, "NSP", "these weights have no next-sentence head (cls.seq_relationship)");
        return;
    }
    next_sentence(v, logits, p);
    put_formatted(v, "NSP", "logits %.4f %.4f, P(IsNext) %.4f, P(NotNext) %.4f; head: %s",
                  unsigned_nan((double)logits[0]), unsigned_nan((double)logits[1]), unsigned_nan((double)p[0]),
                  unsigned_nan((double)p[1]),
                  v->refitted ? "refitted to these weights, which come without their own" : "checkpoint");
    if (!is_pair(v))
        put_paragraph(v, "", "(this is one text, and the head was trained on pairs; --pair TEXT gives a pair)");
}

/* The logits of a classifier with its labels, the largest first: `at` is the token that they are of, or NULL. */
static void put_labels(const View *v, const char *at, const real *logits, int most)
{
    int named[10], n = 0;
    for (int k; n < most && n < 10 && (k = next_largest(logits, v->c->K, named, n)) >= 0; named[n++] = k) {
        char label[300];
        escape(label, sizeof label, k < v->labels.count ? v->labels.names[k] : "?");
        put_formatted(v, n ? "" : at ? at : "labels", "logit %.4f  %d %.60s", unsigned_nan((double)logits[k]), k,
                      label);
    }
    if (v->c->K > n) put_formatted(v, "", "(and %d more: bert %s)", v->c->K - n, at ? "tag" : "classify");
}

/* Step 14: the row of [CLS] on its way to the answer; in a DistilBERT the classifier has the layer before it. */
static void show_pooler(const View *v)
{
    const size_t H = (size_t)v->c->H;
    const bool distilbert = scores_texts(v) && v->c->distilbert;
    if (v->s->model.has_pooler || distilbert) {
        put_features(v, piece_of(v->s, v->x->input_ids[0]), 0, H);
        put_numbers(v, "last hidden state", hidden_state(v->a, v->c->L), H);
        put_numbers(v, "dense", distilbert ? v->a->pre_classifier_dense : v->a->pooler_dense, H);
        put_numbers(v, distilbert ? "ReLU" : "tanh: the pooled", distilbert ? v->a->pre_classifier : v->a->pooler, H);
        if (scores_texts(v)) put_labels(v, NULL, v->a->classifier_logits, v->zoom ? 10 : 3);
        else put_next_sentence(v);
    } else {
        put_paragraph(v, "", v->c->distilbert ? "(a DistilBERT has no pooler)" : "(these weights have no pooler)");
    }
}

/* Step 15 of a fine-tuned model: the labels of the tokens that are shown, or where an answer would start and end. */
static void show_token_heads(const View *v)
{
    for (int i = 0, t; (t = v->zoom ? row_at(v, i) : i ? -1 : v->subject) >= 0; i++) {
        char label[300];
        token_label(v, t, label);
        if (scores_tokens(v)) put_labels(v, label, v->a->token_logits + (size_t)t * (size_t)v->c->K, 3);
        if (v->a->request.qa)
            put_formatted(v, label, "logits: start %.4f, end %.4f", unsigned_nan((double)v->a->qa_logits[2 * t]),
                          unsigned_nan((double)v->a->qa_logits[2 * t + 1]));
    }
}

/* The k best pieces of a row of logits (V), with their probabilities among all of them: as `bert fill-mask`. */
static void put_best(const View *v, const real *logits, int k)
{
    int named[10], n = 0;
    real *p = v->space;
    softmax(p, logits, 1, (size_t)v->c->V);
    for (int id; n < k && (id = next_largest(p, v->c->V, named, n)) >= 0; named[n++] = id) {
        put_label(v, n ? "" : "softmax: the best");
        put_number(v->out, (double)p[id], 10, 4);
        fputs("  ", v->out);
        put_cell(v->out, piece_of(v->s, id), 24);
        fputs(" logit", v->out);
        put_number(v->out, (double)logits[id], 10, 4);
        fputc('\n', v->out);
    }
}

/* The rows that were asked for: the first one, or with --step all. The hidden state, three stations of the transform,
 * the first logits, and what softmax makes of them.
 * Trap: a token that is no [MASK] sees itself, and often is its own best guess. In training 10 % of the chosen
 * tokens stood there unchanged, so that the head had to look at every word with suspicion. */
static void show_mlm(const View *v)
{
    const size_t H = (size_t)v->c->H, V = (size_t)v->c->V;
    if (scores_tokens(v) || v->a->request.qa) show_token_heads(v);
    else if (!v->M) put_paragraph(v, "", "(these weights have no masked-language-model head)");
    if (!v->M) return;
    if (is_special(v->s, v->x->input_ids[v->asked[0]]))
        put_formatted(v, "", "(there is no [MASK], and no word: the head is asked about %s)",
                      piece_of(v->s, v->x->input_ids[v->asked[0]]));
    else if (v->x->input_ids[v->asked[0]] != v->s->tokenizer.mask_id)
        put_paragraph(v, "", "(there is no [MASK]: the head is asked about the last word, which it can see and "
                      "often, but not always, answers with)");
    for (int m = 0; m < v->M && (v->zoom || m == 0); m++) {
        char label[300];
        token_label(v, v->asked[m], label);
        put_features(v, label, 0, H);
        put_numbers(v, "last hidden state", v->a->mlm_hidden + (size_t)m * H, H);
        put_numbers(v, "dense", v->a->transform_dense + (size_t)m * H, H);
        put_numbers(v, "GELU", v->a->transform_act + (size_t)m * H, H);
        put_numbers(v, "LayerNorm", v->a->transform_norm + (size_t)m * H, H);
        put_numbered(v, "", "id", 0, V);                                    /* one logit for each piece */
        put_numbers(v, "logits", v->a->logits + (size_t)m * V, V);
        put_best(v, v->a->logits + (size_t)m * V, v->zoom ? 10 : 5);
    }
    if (v->M > 1 && !v->zoom) put_formatted(v, "", "(and %d more: --step 15 shows them)", v->M - 1);
}

/* Words that occur more than once, two by two: the same piece, the same row of the table, other vectors. */
static void put_repetitions(const View *v)
{
    int shown = 0;
    for (int i = 1; i < v->x->T; i++)
        for (int j = i + 1; j < v->x->T && shown < 6; j++) {
            const int id = v->x->input_ids[i], sep = v->s->tokenizer.sep_id, pad = v->s->tokenizer.pad_id;
            if (id != v->x->input_ids[j] || id == sep || id == pad) continue;
            char label[300];
            snprintf(label, sizeof label, "%d and %d %.200s", i, j, piece_of(v->s, id));
            if (!shown++) fputs("  cosines of one word at two places\n", v->out);
            put_label(v, label);
            put_number(v->out, cosine_at(v, i, j), 10, 4);
            fputc('\n', v->out);
        }
}

/* The three tokens nearest to the one that is followed; padding and itself do not count. */
static void put_nearest(const View *v)
{
    char label[32];
    int named[3], n = 0;
    real *cosines = v->space;
    for (int j = 0; j < v->x->T; j++)
        cosines[j] = j == v->subject || !v->x->attention_mask[j] ? -2 : (real)cosine_at(v, v->subject, j);
    snprintf(label, sizeof label, "nearest to %d", v->subject);
    put_label(v, label);
    for (int j; n < 3 && (j = next_largest(cosines, v->x->T, named, n)) >= 0 && cosines[j] > -2; named[n++] = j)
        put_near(v, (double)cosines[j], j);
    fputc('\n', v->out);
}

/* The sentence vector, or why there is none. */
static void put_sentence(const View *v)
{
    char reason[800];
    if (v->no_recipe->status == BERT_OK) {
        put_numbers(v, "sentence vector", v->sentence, (size_t)v->c->H);
        return;
    }
    escape(reason, sizeof reason, v->no_recipe->message);
    put_formatted(v, "", "(bert embed makes no sentence vector here: %s)", reason);
}

/* Word vectors and the sentence vector, and how alike words are. */
static void show_vectors(const View *v)
{
    make_sentence_vector(v);
    make_word_vectors(v);
    put_matrix(v, "word vectors", v->words, (size_t)v->c->H, 0);
    put_sentence(v);
    put_repetitions(v);
    put_nearest(v);
    if (!v->zoom) return;
    fputc('\n', v->out);
    put_square(v, cosine_at, "cosine of i and j", "bert embed writes all vectors");
}

/* =====================================================================================================================
 * The sixteen
 * ================================================================================================================== */
/* The one table of what is told of a step. The first formula and `what` also stand on its card, which has 59 columns
 * for each. cli/steps.sh reads the functions' names off the rows' first lines. */
const Step explain_steps[STEPS] = {
    {"TOKENIZER", "clean", "normalize_text",
     "delete the invisible; uncased: no accents, no capitals   a space around each ideograph",
     "What can be written in many ways becomes one.",
     "The model has one vector for \"cafe\" and none for \"Caf\u00e9\".",
     "The order counts; and a cased model keeps accents and capitals.", show_clean},
    {NULL, "split", "split", "a space ends a word; a punctuation mark is a word by itself",
     "Pieces never reach across words.",
     "Spaces vanish: how many there were is lost; only the offsets remember.",
     "$, + and ~ split a word, the euro and the degree sign do not.", show_split},
    {NULL, "WordPiece", "cut_word",
     "the longest piece that fits, then the longest ##piece, ...",
     "A fixed vocabulary is enough for any word.", "Rare words are made of pieces of common ones.",
     "One part without a piece makes the whole word [UNK].", show_wordpiece},
    {NULL, "ids, segments, mask", "encode", "[CLS] A [SEP]   or   [CLS] A [SEP] B [SEP]",
     "These numbers are all that the model sees of the text.", "",
     "A single text is segment 0. Padding comes last, with mask 0.", show_ids},
    {"EMBEDDING", "three embeddings summed", "embeddings_word", "x_t = word[id_t] + segment[type_t] + position[t]",
     "What the token is, which text it is in, where it stands.",
     "All three tables are learned; without the third the order of the words would be lost.",
     "Positions count from 0 in every sequence, and are a learned table, not sinusoids.", show_embeddings},
    {NULL, "LayerNorm", "embeddings_norm", "h = (x - mean) / sqrt(variance + eps) * gamma + beta",
     "Each row gets mean 0 and variance 1, then is rescaled.",
     "Scale and shift are learned. This is hidden state 0: no token knows of any other yet.",
     "The variance is divided by H, not H - 1; eps is inside the root.", show_embedding_norm},
    {"ENCODER", "query, key, value", "attention_query",
     "q = x Wq^T + bq   k = x Wk^T + bk   v = x Wv^T + bv",
     "What a token looks for, what it offers, what it hands on.",
     "These are its query, its key and its value. Each head has its own slice of the columns.",
     "Heads are slices: reshape to (N,A,D), never to (N,D,A).", show_query_key_value},
    {NULL, "scores", "attention_scores", "score_ij = q_i . k_j / sqrt(D)   (very low where mask_j is 0)",
     "How much token i wants to look at token j.",
     "Without the division softmax would give nearly all to one token.",
     "The mask belongs to the keys, the columns; BERT has no causal mask.", show_scores},
    {NULL, "softmax", "attention_probs", "p_ij = e^score_ij / sum over k of e^score_ik",
     "Each row becomes weights with sum 1: where token i looks.", "Each head looks for itself.",
     "Rows sum to 1, columns do not.", show_probs},
    {NULL, "context", "attention_context", "context_i = sum over j of p_ij v_j",
     "The weighted mean of the values of all tokens.",
     "Here, and nowhere else, does one token's content reach another.",
     "The heads stand side by side again, each in its own columns.", show_context},
    {NULL, "dense, residual, LayerNorm", "attention_dense", "y = LayerNorm(x + context Wo^T + bo)",
     "The heads are mixed and added to what the token was before.",
     "That is x: a block only has to learn what to change.",
     "Post-LN: first the sum, then LayerNorm. Many later models do it the other way round.", show_attention_output},
    {NULL, "feed-forward up, GELU", "feed_forward_up", NULL,
     "Each token by itself: a wide layer, then a curve.",
     "GELU lets large numbers through and turns negative ones to almost 0. Without a curve the two layers of steps 12 "
     "and 13 could do no more than one.",
     "There are two GELUs, by erf and by tanh; they part by up to 0.0005 (see --gelu).", show_feed_forward_up},
    {NULL, "feed-forward down, residual, LayerNorm", "feed_forward_down", "out = LayerNorm(y + z W2^T + b2)",
     "Back to the width of a hidden state, added to y.",
     "The sum is normalized: this is the hidden state that the next block gets.",
     "The residual is y, the output of step 11, not the block's input.", show_feed_forward_down},
    {"TASK HEAD", "pooler, NSP", "pooler_dense", "pooled = tanh(h_0 Wp^T + bp)   logits = pooled W^T + b",
     "One vector for one question: does B follow A?",
     "It is not the row of [CLS] itself; a dense layer and tanh come in between.",
     "Label 0 is IsNext; nothing in the weights says so.", show_pooler},
    {NULL, "MLM transform, decoder, softmax", "mlm_dense",
     "t = LayerNorm(GELU(h W^T + b))   p = softmax(t E^T + c)",
     "A score for every piece of the vocabulary: what fits here?",
     "E is the table of word embeddings, used a second time; t E^T + c are the logits.",
     "A dense layer, GELU and LayerNorm come before the decoder; E is usually not stored twice.", show_mlm},
    {NULL, "word and sentence vectors, cosine", "token_vectors", NULL,
     "The same word gets another vector in another context.", "That is what all of this was for.",
     "There are L+1 hidden states. -2 in Python is the output of the last block but one.", show_vectors},
};

/* Steps 14 and 15 of fine-tuned models, which ask a question of their own. */
static const Step text_classifier = {NULL, "pooler, classifier", "pooler_dense",
    "pooled = tanh(h_0 Wp^T + bp)   logits = pooled W^T + b",
    "One vector for one question: which label does the text get?",
    "Fine-tuning added W and b, one row for each label, and trained all of the model on examples.",
    "The classifier reads the pooled vector, not the row of [CLS]; which row means what stands in config.json alone.",
    show_pooler};
static const Step distilbert_classifier = {NULL, "classifier", "pooler_dense",
    "z = max(0, h_0 W^T + b)   logits = z W^T + b",
    "One vector for one question: which label does the text get?",
    "DistilBERT has no pooler; its classifier brings a layer of its own.",
    "That layer (pre_classifier) ends with ReLU, not with tanh.", show_pooler};
static const Step token_labels = {NULL, "classifier of tokens", "mlm_dense", "logits = h W^T + b",
    "A score for every label at every token: what is it?",
    "Names are found in this way: B-PER begins a person's name, I-PER goes on with it, O is none.",
    "The row of each token is read as it is, without the pooler; a word of several pieces has several rows.", show_mlm};
static const Step answer_span = {NULL, "where an answer starts and ends", "mlm_dense", "start, end = h W^T + b",
    "Two scores for every token: answer starts, answer ends here",
    "Softmax over all tokens makes probabilities of them; the best span has the largest product.",
    "Row 0 of W is the start, row 1 the end; spans that end before they start, or lie in the question, do not count.",
    show_mlm};

const Step *step_of(const View *v, int n)
{
    if (n == 14 && scores_texts(v)) return v->c->distilbert ? &distilbert_classifier : &text_classifier;
    if (n == 15 && scores_tokens(v)) return &token_labels;
    if (n == 15 && v->a->request.qa) return &answer_span;
    return &explain_steps[n - 1];
}

/* Shapes of steps 1 to 6, with this sentence's numbers. */
static void put_input_shapes(const View *v, int n)
{
    const int T = v->x->T, H = v->c->H;
    const size_t bytes = v->input->a.length + (v->input->has_pair ? v->input->b.length : 0);
    switch (n) {
    case 1: put_formatted(v, "shapes", "text <- text of %zu bytes", bytes); break;
    case 2: put_formatted(v, "shapes", "words <- text"); break;
    case 3: put_formatted(v, "shapes", "pieces <- words, vocabulary (%d)", v->s->tokenizer.V); break;
    case 4: put_formatted(v, "shapes", "ids, segments, mask (%d each) <- pieces", T); break;
    case 5:
        put_formatted(v, "shapes", "(%d,%d) <- ids, segments, positions (%d); tables (%d,%d), (%d,%d), (%d,%d)",
                      T, H, T, v->c->V, H, v->c->S, H, v->c->P, H);
        break;
    default:
        put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), gamma (%d), beta (%d); eps %g", T, H, T, H, H, H,
                      v->c->eps);
    }
}

/* Of steps 7 to 13. */
static void put_block_shapes(const View *v, int n)
{
    const int T = v->x->T, H = v->c->H, A = v->c->A, D = v->c->D, F = v->c->F, h = v->head;
    switch (n) {
    case 7:
        put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), W (%d,%d), b (%d), three times; head %d has columns %d to %d",
                      T, H, T, H, H, H, H, h, h * D, h * D + D - 1);
        break;
    case 8:
        put_formatted(v, "shapes", "(%d,%d,%d) <- query, key (%d,%d) as %d heads of D = %d columns; sqrt(D) = %.4g",
                      A, T, T, T, H, A, D, sqrt((double)D));
        break;
    case 9: put_formatted(v, "shapes", "(%d,%d,%d) <- (%d,%d,%d), each row by itself", A, T, T, A, T, T); break;
    case 10: put_formatted(v, "shapes", "(%d,%d) <- probs (%d,%d,%d), value (%d,%d)", T, H, A, T, T, T, H); break;
    case 11:
        put_formatted(v, "shapes", "(%d,%d) <- context (%d,%d), Wo (%d,%d), bo (%d), x (%d,%d)", T, H, T, H, H, H, H, T,
                      H);
        break;
    case 12: put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), W1 (%d,%d), b1 (%d)", T, F, T, H, F, H, F); break;
    default:
        put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), W2 (%d,%d), b2 (%d), y (%d,%d)", T, H, T, F, H, F, H, T, H);
    }
}

/* Of steps 14 to 16. */
static void put_head_shapes(const View *v, int n)
{
    const int T = v->x->T, H = v->c->H, V = v->c->V, M = v->M ? v->M : 1, K = scores_texts(v) ? v->c->K : 2;
    switch (n) {
    case 14:
        put_formatted(v, "shapes", "pooled (%d) <- (%d), Wp (%d,%d), bp (%d); logits (%d) <- (%d), W (%d,%d), b (%d)",
                      H, H, H, H, H, K, H, K, H, K);
        break;
    case 15:
        if (scores_tokens(v) || v->a->request.qa) {
            const int labels = scores_tokens(v) ? v->c->K : 2;
            put_formatted(v, "shapes", "logits (%d,%d) <- h (%d,%d), W (%d,%d), b (%d)", T, labels, T, H, labels, H,
                          labels);
            break;
        }
        put_formatted(v, "shapes", "t (%d,%d) <- (%d,%d), W (%d,%d); logits (%d,%d) <- t, E (%d,%d), c (%d)",
                      M, H, M, H, H, H, M, V, V, H, V);
        break;
    default: put_formatted(v, "shapes", "words (%d,%d), sentence (%d) <- hidden states (%d,%d)", T, H, H, T, H);
    }
}

/* "mean over tokens of hidden state 11": how the sentence vector is made. */
static void sentence_formula(const View *v, char text[128])
{
    const Recipe *r = v->recipe;
    const char *of = r->pooling == POOL_CLS ? "row of [CLS] in" : r->pooling == POOL_MAX ? "maximum over tokens of"
                                                                                         : "mean over tokens of";
    if (v->no_recipe->status != BERT_OK) *text = 0;
    else snprintf(text, 128, "   sentence = %s hidden state %d%s", of, r->layers[0], r->normalize ? ", length 1" : "");
}

/* Those of steps 12 and 16 depend on the model. */
void step_formula(const View *v, int n, char text[512])
{
    const int L = v->c->L, count = L < 4 ? L : 4;
    char sentence[128];
    sentence_formula(v, sentence);
    if (n == 12)
        snprintf(text, 512, "z = GELU(y W1^T + b1)   GELU(u) = %s",
                 v->c->gelu == GELU_ERF ? "u (1 + erf(u/sqrt 2))/2" : "u (1 + tanh(0.7979 (u + 0.044715 u^3)))/2");
    else if (n == 5 && !v->c->S)
        snprintf(text, 512, "x_t = word[id_t] + position[t]   (a DistilBERT has no segments)");
    else if (n == 16)
        snprintf(text, 512, "cos(a, b) = a.b / (|a| |b|)   word = sum of hidden states %d to %d%s", L - count + 1, L,
                 sentence);
    else
        snprintf(text, 512, "%s", step_of(v, n)->formula);
}

static bool in_block(int n)                                 /* steps 7 to 13 exist in every layer */
{
    return n >= 7 && n <= 13;
}

static bool in_head(int n)                                  /* steps 7 to 10 in every head, too */
{
    return n >= 7 && n <= 10;
}

/* "STEP 8  scores, layer 0, head 0"; below it where the step is told, a comment, and where its function begins. */
static void put_heading(const View *v, int n)
{
    const Step *step = step_of(v, n);
    fprintf(v->out, v->colour ? "\033[1mSTEP %d  %s" : "STEP %d  %s", n, step->name);
    if (in_block(n)) fprintf(v->out, ", layer %d", v->layer);
    if (in_head(n)) fprintf(v->out, ", head %d", v->head);
    fputs(v->colour ? "\033[0m\n" : "\n", v->out);
    put_formatted(v, "source", "%s:%d   function %s at %s:%d", step_places[n - 1].file, step_places[n - 1].line,
                  step->function, step_places[n - 1].file, step_places[n - 1].function_line);
}

/* Heads of fine-tuned models are named where the model has them; the others always, as what a BERT has. */
static bool has_row(const View *v, TraceName row)
{
    const Group group = trace_table[row].group;
    if (row == TRACE_CLASSIFIER) return scores_texts(v);
    if (row == TRACE_TOKEN_CLASSIFIER) return scores_tokens(v);
    if (row == TRACE_QA) return v->a->request.qa;
    if (group == GROUP_PRE_CLASSIFIER) return scores_texts(v) && v->c->distilbert;
    if (group == GROUP_MLM && (scores_tokens(v) || v->a->request.qa)) return v->s->model.has_mlm;
    return !v->c->distilbert || (row != TRACE_TOKEN_TYPE && group != GROUP_POOLER && group != GROUP_NSP);
}

/* What step n makes, by its names in `bert trace`. Step 4 makes what the trace begins with. */
static void put_trace_names(const View *v, int n)
{
    char names[512] = "", name[96];
    for (int i = 0; i < TRACE_COUNT; i++) {
        if (trace_table[i].step != n || !has_row(v, (TraceName)i)) continue;
        spec_name(trace_table[i].name, v->layer, name, sizeof name);        /* the layer for `*` */
        strcat(strcat(names, *names ? ", " : ""), name);
    }
    if (n == 4) strcpy(names, "input_ids, token_type_ids, attention_mask");
    if (*names) put_paragraph(v, "trace", names);
}

/* Heading, formula, shapes, why; with --step the usual mistake and the names in a trace; then the numbers. */
static void explain_step(const View *v, int n)
{
    const Step *step = step_of(v, n);
    char text[512];
    put_heading(v, n);
    step_formula(v, n, text);
    put_paragraph(v, "formula", text);
    if (n <= 6) put_input_shapes(v, n);
    else if (n <= 13) put_block_shapes(v, n);
    else put_head_shapes(v, n);
    put_formatted(v, "why", "%s %s", step->what, step->why);
    if (v->zoom) {
        put_paragraph(v, "trap", step->trap);
        put_trace_names(v, n);
    }
    step->show(v);
}

/* "22 tokens, 12L/768H/12A; layer 0 of 0 to 11, head 0 of 0 to 11; token 19 bank": what is looked at; layer and head
 * only if a step that is shown has them. Two lines if one is not enough. */
static void put_summary(const View *v, int only)
{
    const BertConfig *c = v->c;
    const bool all = only == UNSET;
    char token[516], number[16];
    const char *piece = piece_of(v->s, v->x->input_ids[v->subject]);
    int used = fprintf(v->out, "%d tokens, %dL/%dH/%dA;", v->x->T, c->L, c->H, c->A);
    if (all || in_block(only)) used += fprintf(v->out, " layer %d of 0 to %d", v->layer, c->L - 1);
    if (all || in_head(only)) used += fprintf(v->out, ", head %d of 0 to %d", v->head, c->A - 1);
    if (all || in_block(only)) used += fprintf(v->out, ";");
    used += snprintf(number, sizeof number, "%d", v->subject) + fit_with_dots(token, piece, 12);
    used += (int)strlen(" token  ");
    fprintf(v->out, "%stoken %s ", used > LINE ? "\n" : " ", number);
    put_last(v->out, piece, 12);
}

/* One step, or all of them under the names of their four modules. */
static void explain(const View *v, int only)
{
    put_summary(v, only);
    for (int n = 1; n <= STEPS; n++) {
        if (only != UNSET && n != only) continue;
        fputc('\n', v->out);
        if (explain_steps[n - 1].module && only == UNSET)
            fprintf(v->out, v->colour ? "\033[1;36m%s\033[0m\n\n" : "%s\n\n", explain_steps[n - 1].module);
        explain_step(v, n);
    }
}

/* =====================================================================================================================
 * The verb
 * ================================================================================================================== */
static const char explain_help[] =
    "What happens to this text. First the answer: what BERT puts in the place of\n"
    "[MASK]; of a pair, whether B follows A; else which words are alike, and which\n"
    "one looks at which. Then a card of three lines for each of the sixteen steps:\n"
    "what it is for, its formula, and one telling number of this text.\n"
    "\n"
    "One token is followed, and steps 7 to 13 are shown in one layer and head: where\n"
    "the first [MASK], or else a word of four letters or more that stands there\n"
    "twice, or else any word, looks most at a word three or more places away. --layer\n"
    "and --head choose others.\n"
    "\n"
    "With --all or --step the numbers in full, of the same token, layer and head:\n"
    "shapes, the first values, why the step is there, where it stands in the source;\n"
    "with --step also the usual mistake, and its names in `bert trace`.\n"
    "\n"
    "With --learn the text is an exercise: its last word is hidden, the model\n"
    "guesses, and learns from the right answer: the loss, where its gradients go on\n"
    "their way back, and what one step of AdamW changes. The model's files stay as\n"
    "they are. It takes about four times the memory of the weights.\n";
static const char explain_examples[] =
    "  bert explain 'The cat sat on the [MASK].'\n"
    "  bert explain 'The cat sat on the mat because it was tired.'\n"
    "  bert explain --step 9 'The cat sat on the mat because it was tired.'\n"
    "  bert explain --step 14 --pair 'he likes playing' 'my dog is cute'\n"
    "  bert explain --all 'The cat sat on the [MASK].' | less\n"
    "  bert explain --learn 'The cat sat on the mat.'\n";

/* --layer and --head are checked once the model is known, --step at once. */
static Status explain_settle(Options *o, Error *e)
{
    if (o->step > STEPS) return fail(e, BERT_USAGE, "--step %d: the steps are 1 to %d", o->step, STEPS);
    if (o->step != UNSET && o->all) return fail(e, BERT_USAGE, "--all and --step %d exclude each other", o->step);
    const char *other = o->all ? "--all" : o->step != UNSET ? "--step" : o->layer != UNSET ? "--layer" :
                        o->head != UNSET ? "--head" : NULL;
    if (o->one_step && other) return fail(e, BERT_USAGE, "--learn and %s exclude each other", other);
    return BERT_OK;
}

/* The tokens that the MLM head is asked for: every [MASK], or else the last word, or else the last punctuation mark, or
 * else, in an empty text, the first token, [CLS]. Into places[], which has room for T; how many. */
static int find_asked(const Session *s, const Encoding *x, int *places)
{
    int M = 0, word = -1, mark = 0;
    for (int t = 0; t < x->T; t++) {
        const int id = x->input_ids[t];
        if (id == s->tokenizer.mask_id) places[M++] = t;
        if (is_special(s, id) || !x->attention_mask[t]) continue;
        mark = t;
        if (is_word(piece_of(s, id))) word = t;
    }
    if (M == 0) places[M++] = word >= 0 ? word : mark;
    return M;
}

/* The rows that are shown: the first two tokens, the one that is followed, and its neighbour to the left. */
static void choose_rows(View *v)
{
    const int wanted[] = {0, 1, v->subject - 1, v->subject};
    v->count = 0;
    for (int i = 0; i < MOST_ROWS; i++)
        if (wanted[i] >= 0 && wanted[i] < v->x->T && (!v->count || wanted[i] > v->rows[v->count - 1]))
            v->rows[v->count++] = wanted[i];
}

/* A TokenizeTrace: copies the stages of steps 0 to 3, without the blanks at their ends. */
static Status copy_stage(void *context, const TokenizeStage *stage, Error *e)
{
    static const Text absent = {"(not in this model)", sizeof "(not in this model)" - 1};
    View *v = context;
    Text text = stage->text.bytes ? stage->text : absent;
    if (stage->step == 4 || v->stages == MOST_STAGES) return BERT_OK;
    while (text.length && text.bytes[text.length - 1] == ' ') text.length--;
    char *copy = malloc(text.length + 1);
    if (!copy) return fail(e, BERT_SYSTEM, "out of memory");
    memcpy(copy, text.bytes, text.length);
    copy[text.length] = 0;
    v->stage[v->stages++] = (Stage){stage->step, stage->name, copy, !stage->text.bytes, stage->count};
    return BERT_OK;
}

/* The stages of steps 1 to 3: release_input gives them back. */
static Status read_stages(View *v, Error *e)
{
    if (!v->input->has_text) return BERT_OK;
    EncodeOptions options = encode_options(v->s);
    options.max_length = 0;                                             /* what is cut off was in the text, too */
    const Text *b = v->input->has_pair ? &v->input->b : NULL;
    return tokenize_trace(&v->s->tokenizer, v->input->a, b, &options, copy_stage, v, e);
}

/* Memory and the tokenizer's stages for one input; asked[] has room for each of its tokens. */
static Status prepare_input(View *v, const Input *input, int *asked, Error *e)
{
    const Bert *m = &v->s->model;
    const size_t T = (size_t)input->encoding.T, H = (size_t)m->config.H, V = (size_t)m->config.V;
    v->input = input;
    v->x = &input->encoding;
    v->stages = 0;
    v->words = calloc(T * H, sizeof *v->words);
    v->sentence = calloc(H, sizeof *v->sentence);
    v->sum = calloc(H, sizeof *v->sum);
    v->space = calloc(V > T ? V : T, sizeof *v->space);
    if (!asked || !v->words || !v->sentence || !v->sum || !v->space) return fail(e, BERT_SYSTEM, "out of memory");
    v->M = find_asked(v->s, v->x, asked);
    v->asked = asked;
    v->subject = asked[0];
    return read_stages(v, e);
}

static void release_input(View *v)
{
    while (v->stages > 0) free(v->stage[--v->stages].text);
    free(v->words);
    free(v->sentence);
    free(v->sum);
    free(v->space);
}

/* `bert embed` cuts a text to the directory's length, and makes the vector of what is left; here all its tokens are
 * shown. *cut, which has the reason for no vector, then says so. An option's length is obeyed by both. */
static void check_length(const View *v, Error *cut)
{
    const SentenceText *text = &v->s->sentence_text;
    if (cut->status == BERT_OK && text->cuts && text->max_length && !v->s->options.max_length &&
        v->x->T > text->max_length)
        fail(cut, BERT_USAGE, "it is that of the first %d tokens: see `bert embed`", text->max_length);
}

/* What a finished run holds: the overview, one step, or all of them, for what the rule finds: token, layer and head. */
static void put_view(const View *view, const Activations *a)
{
    const Options *o = &view->s->options;
    Error no_recipe = *view->no_recipe;
    View v = *view;
    v.a = a;
    v.no_recipe = &no_recipe;
    check_length(&v, &no_recipe);
    v.block = &a->block[v.layer];
    const Look look = find_look(&v);
    v.layer = look.layer;
    v.head = look.head;
    v.subject = look.i;
    v.block = &a->block[v.layer];
    choose_rows(&v);
    if (v.input->number > 1) fputc('\n', v.out);
    if (o->all || o->step != UNSET) {
        explain(&v, o->step);
        return;
    }
    make_sentence_vector(&v);
    make_word_vectors(&v);
    put_overview(&v, &look);
}

/* One input: everything kept by one run, then what is said of it. */
static Status explain_one(Session *s, const Input *input, View *v, Error *e)
{
    const Bert *m = &s->model;
    int *asked = calloc((size_t)input->encoding.T + 1, sizeof *asked);
    ModelRun run = {0};
    Status status = prepare_input(v, input, asked, e);
    if (!m->has_mlm) v->M = 0;
    Request request = trace_request(m, asked, v->M);
    request.nsp = v->has_nsp && !v->refitted;
    const bool learns = s->options.one_step;
    if (status == BERT_OK) status = learns ? explain_learning(v, e) : run_model(&run, m, v->x, &request, e);
    if (status == BERT_OK && !learns) put_view(v, &run.a);
    if (status != BERT_OK) at_input(s, input, e);
    run_free(&run);
    release_input(v);
    free(asked);
    return status == BERT_OK ? answer_done(s, e) : status;
}

/* Step 16 tells how one hidden state is pooled. Where a directory does more than that, or puts a prompt before the
 * text, its vector is not that of this text: *no_recipe says so. */
static void check_plain_sentence(const Session *s, const Recipe *recipe, Error *no_recipe)
{
    const char *directory = sentence_directory(s);
    char *prompt = NULL;
    if (directory && prompt_read(directory, NULL, &prompt, no_recipe) != BERT_OK) return;
    if (prompt) fail(no_recipe, BERT_USAGE, "its default prompt comes before the text: see `bert embed`");
    if (recipe->sentence) fail(no_recipe, BERT_USAGE, "it has more modules than one pooling: see `bert embed`");
    free(prompt);
}

/* Whether the model has a next-sentence head is found out once: for a refitted one the pooler is hashed. A recipe that
 * cannot be read spoils one line of step 16, and nothing else. */
static Status verb_explain(Session *s, Error *e)
{
    const Options *o = &s->options;
    Input input = {0};
    Recipe recipe = {0};
    Error no_head = {0}, no_recipe = {0};
    bool more = true;
    View v = {.s = s, .c = &s->model.config, .out = s->out, .zoom = o->step != UNSET, .colour = may_colour(s),
              .layer = o->layer == UNSET ? 0 : o->layer, .head = o->head == UNSET ? 0 : o->head,
              .recipe = &recipe, .no_recipe = &no_recipe};
    Status status = check_layer_and_head(s, e);
    if (read_recipe(s, &recipe, NULL, COMBINE_CAT, &no_recipe) == BERT_SYSTEM && status == BERT_OK) {
        *e = no_recipe;
        status = BERT_SYSTEM;
    }
    if (no_recipe.status == BERT_OK) check_plain_sentence(s, &recipe, &no_recipe);
    v.has_nsp = next_sentence_head(&s->model, &v.refitted, &no_head) == BERT_OK;
    if (status == BERT_OK && s->model.has_classifier)
        status = labels_load(&v.labels, s->directory, &s->model.config, e);
    while (status == BERT_OK && (status = next_input(s, &input, &more, e)) == BERT_OK && more)
        status = explain_one(s, &input, &v, e);
    labels_free(&v.labels);
    input_free(&input);
    return status;
}

const Verb explain_verb = {
    .name = "explain", .run = verb_explain, .settle = explain_settle, .needs = NEEDS_MODEL, .sentences = true,
    .own = "--all --step --layer --head --learn", .formats = "", .arguments = " [TEXT ...]",
    .summary = "what happens to your own sentence, in sixteen steps",
    .help = explain_help, .examples = explain_examples,
};
