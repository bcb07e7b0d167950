/* sweep_questions.c - for tests/sweep.c: SQuAD's JSON, read as what is learned from and as what is held out. */
#include "cli/train_run.h"
#include <stdlib.h>

Status questions_read(const char *directory, const char *path, const char **odd, Error *e);

Status questions_read(const char *directory, const char *path, const char **odd, Error *e)
{
    static Session session;
    static TrainRun run = {.s = &session, .max_length = 14};
    char hex[65];
    Status s = BERT_OK;
    if (!session.tokenizer.vocabulary && tokenizer_load(&session.tokenizer, directory, CASE_AUTO, e) != BERT_OK) abort();
    for (int held_out = 0; s == BERT_OK && held_out < 2; held_out++) {
        TrainData *data = held_out ? &run.dev : &run.data;
        data->examples.kind = LABELS_OF_SPANS;
        s = train_answer_read(&run, data, path, hex, e);
        const Examples *x = &data->examples;
        for (size_t i = 0; s == BERT_OK && i < 2 * x->count; i++) {
            const size_t T = x->start[i / 2 + 1] - x->start[i / 2];
            if (T > 14 || x->label[i] < 0 || (size_t)x->label[i] >= T) *odd = "an answer is not within its window";
            if (i % 2 && x->label[i - 1] > x->label[i]) *odd = "an answer ends before it begins";
        }
        train_data_free(data);
    }
    return s;
}
