/* train_score.h - what held-out labels and answers are scored by: F1 of labels, of entities, of answers. Numbers in,
 * numbers out; train_dev.c runs the model. */
#ifndef TRAIN_SCORE_H
#define TRAIN_SCORE_H
#include "bert.h"

/* The mean over K labels of F1 = 2 right / (said + true), the harmonic mean of precision (right / said) and recall
 * (right / true). A label that is neither said nor true is left out, as in scikit-learn. counts: (K) of each. */
double macro_f1(const size_t *right, const size_t *said, const size_t *truly, int K);

/* Entities of sentences: how many are true, how many were said, and how many of these are true. */
typedef struct {
    size_t right, said, truly;
} EntityCounts;
/* Labels of the n words of one sentence. */
void entities_count(EntityCounts *counts, const char *const *said, const char *const *truly, size_t n);
double entities_f1(const EntityCounts *counts);
bool labels_are_entities(const char *const *labels, int count);     /* all of them are O, or B- I- E- S- something */

/* Of one answer against the right ones (none: there is no answer): the best F1 of words, and whether it is one of them.
 * BERT_SYSTEM: out of memory. */
Status answer_score(double *f1, bool *exact, Text answer, char *const *right, size_t count, Error *e);
#endif
