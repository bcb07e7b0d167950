/* train_dev.c - `bert train --dev FILE`: a held-out text, or rows of ids, judged from time to time. Nothing is learned
 * from it: forward only, without dropout; its pairs and masks are the same each time.
 */
#include "cli/train_run.h"
#include "cli/train_score.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {                    /* of all that was judged */
    double loss;                    /* sum of cross-entropy */
    double right, count;            /* labels that had the highest logit; all labels */
} Score;

typedef struct {
    Score words, pairs, task;
    size_t right[MOST_CLASSES], said[MOST_CLASSES], truly[MOST_CLASSES];    /* of each label: how often */
    EntityCounts entities;
    const char **said_names, **true_names;  /* (tokens) labels of one sentence's words */
    real *work;                     /* one row of logits */
} Judged;

/* One row of logits (cols): -ln of the probability of the label, by the project's own exp and ln (the same bits
 * everywhere). `work` has room for the row. Returns the column with the highest logit. */
static size_t judge_row(Score *score, const real *logits, size_t cols, int32_t label, real *work)
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
    return best;
}

/* The same for a row of the classifier, whose labels are counted. */
static size_t judge_label(Judged *j, const real *logits, size_t K, int32_t label)
{
    const size_t best = judge_row(&j->task, logits, K, label, j->work);
    j->right[label] += best == (size_t)label;
    j->said[best]++;
    j->truly[label]++;
    return best;
}

/* --task tag: a sentence, of which the tokens with a label are words. */
static void judge_words(const TrainRun *r, const Exercise *x, Judged *j, const real *logits)
{
    const size_t K = (size_t)r->classes.count;
    size_t words = 0;
    for (size_t t = 0; t < (size_t)x->T[0]; t++) {
        if (x->task_labels[t] < 0) continue;
        j->said_names[words] = r->classes.names[judge_label(j, logits + t * K, K, x->task_labels[t])];
        j->true_names[words++] = r->classes.names[x->task_labels[t]];
    }
    entities_count(&j->entities, j->said_names, j->true_names, words);
}

/* --task answer: one window of a question. Its losses; and its best span of the context, by the sum of both logits, of
 * at most 30 tokens, and the sum of [CLS], which says that there is none.
 * Differs: run_qa.py looks for the best span among the 20 best starts and ends only. */
static void judge_window(TrainRun *r, const Exercise *x, Judged *j, const real *logits)
{
    enum { LONGEST = 30 };
    const size_t T = (size_t)x->T[0], i = x->example[0];
    const size_t (*offsets)[2] = (const size_t (*)[2])(r->dev.questions.offsets + r->dev.examples.start[i]);
    Question *q = &r->dev.questions.list[r->dev.examples.line[i] - 1];
    real *column = j->work + T;
    for (size_t side = 0; side < 2; side++) {
        for (size_t t = 0; t < T; t++) column[t] = logits[2 * t + side];
        judge_row(&j->task, column, T, x->task_labels[side], j->work);
    }
    const double null_score = (double)logits[0] + (double)logits[1];
    if (null_score < q->null_score) q->null_score = null_score;
    for (size_t s = 1; s < T; s++)
        for (size_t e = s; offsets[s][1] && e < T && e - s < LONGEST; e++) {
            const double score = (double)logits[2 * s] + (double)logits[2 * e + 1];
            if (!offsets[e][1] || (q->any && !(score > q->score))) continue;
            q->score = score;
            q->begin = offsets[s][0];
            q->end = offsets[e][1];
            q->any = true;
        }
}

/* One sequence: x has one. */
static Status judge_sequence(TrainRun *r, const Exercise *x, Judged *j, Error *e)
{
    const Bert *m = &r->s->model;
    const size_t V = (size_t)m->config.V, K = (size_t)m->config.K;
    const Batch batch = {1, x->T, x->ids, x->types, x->mask};
    const Request request = train_request(x, x->rows, (int)x->row[1], KEEP_NOTHING);
    Activations a = {0};
    Status s = batch_check(&batch, &m->config, e);
    if (s == BERT_OK) s = activations_new(&a, m, &batch, &request, e);
    if (s == BERT_OK) {
        forward(m, &a);
        for (size_t i = 0; i < x->row[1]; i++) judge_row(&j->words, a.logits + i * V, V, x->labels[i], j->work);
        if (x->next_sentence[0] >= 0 && x->has_next) judge_row(&j->pairs, a.nsp_logits, 2, x->next_sentence[0], j->work);
        if (request.classifier) judge_label(j, a.classifier_logits, K, x->task_labels[0]);
        if (request.token_classifier) judge_words(r, x, j, a.token_logits);
        if (request.qa) judge_window(r, x, j, a.qa_logits);
    }
    activations_free(&a);
    return s;
}

/* How many sequences there are: rows, texts, or the pairs of one pass through the text. */
static Status count_sequences(TrainData *dev, Exercise *x, int64_t *count, Error *e)
{
    if (exercise_fill(x, dev, 0, e) != BERT_OK) return e->status;
    *count = dev->input_ids ? (int64_t)dev->rows : (int64_t)(x->has_task ? dev->examples.count : dev->pairs.count);
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

/* "dev_tag_span_f1": 0.912345 on the line of the log, and the same for eyes. */
static void put_number(TrainRun *r, const char *name, const char *what, double x)
{
    fprintf(r->log_file, ", \"dev_%s_%s\": %.6f", task_name(r), name, x);
    if (!r->s->options.quiet) fprintf(stderr, ", %s %.4f", what, x);
}

/* Every question's answer against the right ones. Where some question has none (SQuAD 2.0), [CLS] may win. */
static Status put_answers(TrainRun *r, Error *e)
{
    const Questions *all = &r->dev.questions;
    double exact = 0, f1 = 0;
    for (size_t i = 0; i < all->count; i++) {
        const Question *q = &all->list[i];
        const bool none = !q->any || (r->data.questions.impossible && q->null_score > q->score);
        const Text answer = none ? (Text){"", 0} : (Text){q->context.bytes + q->begin, q->end - q->begin};
        double one;
        bool same;
        if (answer_score(&one, &same, answer, q->answers, q->answer_count, e) != BERT_OK) return e->status;
        exact += same;
        f1 += one;
    }
    put_number(r, "exact", "exact", exact / (double)all->count);
    put_number(r, "f1", "F1", f1 / (double)all->count);
    return BERT_OK;
}

/* What is said of a task beside loss and accuracy. */
static Status put_task(TrainRun *r, const Judged *j, Error *e)
{
    const Classes *c = &r->classes;
    if (r->s->options.task == TASK_ANSWER) return put_answers(r, e);
    put_number(r, "macro_f1", "macro F1", macro_f1(j->right, j->said, j->truly, c->count));
    if (r->s->options.task == TASK_TAG && labels_are_entities((const char *const *)c->names, c->count))
        put_number(r, "span_f1", "span F1", entities_f1(&j->entities));
    return BERT_OK;
}

/* A line in the log, and the same for eyes. */
static Status put_all(TrainRun *r, const Exercise *x, const Judged *j, Error *e)
{
    static const char *const what[] = {"", "texts", "words", "starts and ends"};
    Status s = BERT_OK;
    fprintf(r->log_file, "{\"step\": %lld", (long long)r->adamw.step);
    if (!r->s->options.quiet) fprintf(stderr, "bert: held out, after step %lld:", (long long)r->adamw.step);
    put_judged(r, "mlm", "words", &j->words);
    put_judged(r, "nsp", "pairs", &j->pairs);
    put_judged(r, task_name(r), what[r->s->options.task], &j->task);
    if (x->has_task) s = put_task(r, j, e);
    fprintf(r->log_file, "}\n");
    if (!r->s->options.quiet) fputc('\n', stderr);
    return s;
}

static Status judged_new(Judged **j, const TrainRun *r, size_t length, Error *e)
{
    const size_t V = (size_t)r->s->model.config.V, most = V < MOST_CLASSES ? MOST_CLASSES : V;
    size_t both, work = most;
    if (size_mul(length, 2, &both) && both > most) work = both;                    /* two columns of a window */
    Judged *new = *j = calloc(1, sizeof *new);
    if (!new) return fail(e, BERT_SYSTEM, "out of memory");
    new->work = calloc(work, sizeof *new->work);
    new->said_names = calloc(length, sizeof *new->said_names);
    new->true_names = calloc(length, sizeof *new->true_names);
    return new->work && new->said_names && new->true_names ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory");
}

static void judged_free(Judged *j)
{
    if (!j) return;
    free(j->work);
    free(j->said_names);
    free(j->true_names);
    free(j);
}

/* All of it. */
Status train_judge(TrainRun *r, Error *e)
{
    const int length = r->dev.input_ids ? (int)r->dev.columns : r->max_length;
    Exercise x = {0};
    int64_t count = 0;
    Judged *j = NULL;
    for (size_t i = 0; i < r->dev.questions.count; i++) {
        r->dev.questions.list[i].any = false;
        r->dev.questions.list[i].null_score = INFINITY;
    }
    Status s = judged_new(&j, r, (size_t)length, e);
    if (s == BERT_OK) s = exercise_new(&x, 1, length, e);
    if (s == BERT_OK) s = count_sequences(&r->dev, &x, &count, e);
    for (int64_t i = 0; s == BERT_OK && i < count; i++) {
        s = exercise_fill(&x, &r->dev, i, e);
        if (s == BERT_OK) s = judge_sequence(r, &x, j, e);
    }
    if (s == BERT_OK) s = put_all(r, &x, j, e);
    judged_free(j);
    exercise_free(&x);
    return s;
}
