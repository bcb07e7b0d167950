/* train_dev.c - `bert train --dev FILE`: a held-out text, or rows of ids, judged from time to time. Nothing is learned
 * from it: forward only, without dropout; its pairs and masks are the same each time.
 */
#include "cli/train_run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {                    /* of all that was judged */
    double loss;                    /* sum of cross-entropy */
    double right, count;            /* labels that had the highest logit; all labels */
} Score;

typedef struct {
    Score words, pairs, texts;
    size_t right[MOST_CLASSES], said[MOST_CLASSES], truly[MOST_CLASSES];    /* of each label of texts: how often */
} Judged;

/* Which label has the highest logit, and which is true. */
static void tally(Judged *t, const real *logits, size_t cols, int32_t label)
{
    size_t best = 0;
    for (size_t j = 1; j < cols; j++)
        if (logits[j] > logits[best]) best = j;
    t->right[label] += best == (size_t)label;
    t->said[best]++;
    t->truly[label]++;
}

/* One row of logits (cols): -ln of the probability of the label, by the project's own exp and ln (the same bits
 * everywhere). `work` has room for the row. */
static void judge_row(Score *score, const real *logits, size_t cols, int32_t label, real *work)
{
    size_t best = 0;
    double sum = 0;
    for (size_t j = 1; j < cols; j++)
        if (logits[j] > logits[best]) best = j;
    for (size_t j = 0; j < cols; j++) work[j] = logits[j] - logits[best];
    exp_all(work, work, cols);
    for (size_t j = 0; j < cols; j++) sum += (double)work[j];
    const real total = (real)sum;
    real logarithm;
    log_all(&logarithm, &total, 1);
    score->loss += (double)logarithm + (double)logits[best] - (double)logits[label];
    score->right += best == (size_t)label;
    score->count++;
}

/* One sequence: x has one. */
static Status judge_sequence(TrainRun *r, const Exercise *x, Judged *j, real *work, Error *e)
{
    const Bert *m = &r->s->model;
    const size_t V = (size_t)m->config.V, K = (size_t)m->config.K;
    const Batch batch = {1, x->T, x->ids, x->types, x->mask};
    const Request request = {.pooler = x->has_next, .nsp = x->has_next, .classifier = x->has_class,
                             .mlm_rows = x->rows, .M = (int)x->row[1]};
    Activations a = {0};
    Status s = batch_check(&batch, &m->config, e);
    if (s == BERT_OK) s = activations_new(&a, m, &batch, &request, e);
    if (s == BERT_OK) {
        forward(m, &a);
        for (size_t i = 0; i < x->row[1]; i++) judge_row(&j->words, a.logits + i * V, V, x->labels[i], work);
        if (x->next_sentence[0] >= 0 && x->has_next) judge_row(&j->pairs, a.nsp_logits, 2, x->next_sentence[0], work);
        if (x->has_class) judge_row(&j->texts, a.classifier_logits, K, x->next_sentence[0], work);
        if (x->has_class) tally(j, a.classifier_logits, K, x->next_sentence[0]);
    }
    activations_free(&a);
    return s;
}

/* How many sequences there are: rows, texts, or the pairs of one pass through the text. */
static Status count_sequences(TrainData *dev, Exercise *x, int64_t *count, Error *e)
{
    if (exercise_fill(x, dev, 0, e) != BERT_OK) return e->status;
    *count = dev->input_ids ? (int64_t)dev->rows : (int64_t)(x->has_class ? dev->examples.count : dev->pairs.count);
    return BERT_OK;
}

/* "dev_mlm_loss": 4.123456, ... on the line of the log, and the same for eyes. */
static void put_judged(TrainRun *r, const char *name, const char *what, const Score *score)
{
    if (score->count == 0) return;
    fprintf(r->log_file, ", \"dev_%s_loss\": %.6f, \"dev_%s_accuracy\": %.6f", name, score->loss / score->count, name,
            score->right / score->count);
    if (!r->s->options.quiet)
        fprintf(stderr, "  %s loss %.4f, %.1f%% right", what, score->loss / score->count,
                100 * score->right / score->count);
}

static void put_f1(TrainRun *r, double f1)
{
    fprintf(r->log_file, ", \"dev_classify_macro_f1\": %.6f", f1);
    if (!r->s->options.quiet) fprintf(stderr, ", macro F1 %.4f", f1);
}

/* All of it, and a line in the log. */
Status train_judge(TrainRun *r, Error *e)
{
    Exercise x;
    int64_t count = 0;
    const int V = r->s->model.config.V;
    real *work = calloc((size_t)(V < MOST_CLASSES ? MOST_CLASSES : V), sizeof *work);
    Judged *j = calloc(1, sizeof *j);
    Status s = exercise_new(&x, 1, r->dev.input_ids ? (int)r->dev.columns : r->max_length, e);
    if (s == BERT_OK && !(work && j)) s = fail(e, BERT_SYSTEM, "out of memory");
    if (s == BERT_OK) s = count_sequences(&r->dev, &x, &count, e);
    for (int64_t i = 0; s == BERT_OK && i < count; i++) {
        s = exercise_fill(&x, &r->dev, i, e);
        if (s == BERT_OK) s = judge_sequence(r, &x, j, work, e);
    }
    if (s == BERT_OK) {
        fprintf(r->log_file, "{\"step\": %lld", (long long)r->adamw.step);
        if (!r->s->options.quiet) fprintf(stderr, "bert: held out, after step %lld:", (long long)r->adamw.step);
        put_judged(r, "mlm", "words", &j->words);
        put_judged(r, "nsp", "pairs", &j->pairs);
        put_judged(r, "classify", "texts", &j->texts);
        if (x.has_class) put_f1(r, macro_f1(j->right, j->said, j->truly, r->s->model.config.K));
        fprintf(r->log_file, "}\n");
        if (!r->s->options.quiet) fputc('\n', stderr);
    }
    free(work);
    free(j);
    exercise_free(&x);
    return s;
}
