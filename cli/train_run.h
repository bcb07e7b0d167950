/* train_run.h - one run of `bert train`: its model (train_model.c) and its steps (train.c). */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H
#include "cli/cli.h"
#include "cli/train.h"

enum { SETTINGS = 20, SETTING_SIZE = 200, OPTION_SIZE = 24 };

typedef enum { TASK_MLM, TASK_CLASSIFY, TASK_TAG, TASK_ANSWER } Task;      /* places in the list of --task */

enum { MOST_CLASSES = 1000 };
typedef struct {                    /* the labels: rows of the classifier */
    char **names;                   /* (count) */
    int count;
    size_t room;
} Classes;

enum { TEACHER_PIECES = 64 };
#define TEACHER_SHARE 0.7           /* of the loss of a hidden word */
typedef struct {                    /* --teacher, train_teacher.c; zeros without one */
    const char *path;
    char *directory, *weights;
    Tokenizer tokenizer;
    Bert model;
    int32_t *to_theirs;             /* (V) its id for each piece of ours; -1: it has none */
    int32_t *common;                /* (common_count) ours that it has, in their order */
    int common_count, soft_count;
    int32_t *ids, *types;           /* of the sequences that it sees */
    int *rows;
    Activations a;
    SoftLabel *soft;                /* (M,soft_count) of a micro-batch */
    size_t soft_room;
    SoftLabel **kept;               /* --inputs: (rows) of each row, once it has been seen */
    char hash[65];
} Teacher;

typedef struct {
    Session *s;
    const char *directory;          /* of -o */
    char *state, *model, *log;      /* paths in it */
    bool resumed;                   /* it goes on from a saved state */
    bool saved;                     /* this process has saved one */
    bool made_directory;            /* that of -o was not there */
    unsigned written;               /* a bit for each of the files that begin it: train_model.c */
    TrainingConfig training;
    AdamWOptions options;
    int batch, micro_batch, max_length, save_every;
    double mask;                    /* which part of the tokens is to be guessed */
    TrainData data, dev;            /* dev: held out; zeros without --dev */
    Classes classes;                /* --task classify and tag */
    Teacher teacher;
    Exercise exercise;
    int *part_rows;                 /* rows of a micro-batch, counted within it */
    char data_hash[65];
    Setting settings[SETTINGS];     /* what a resumed run is compared by */
    char values[SETTINGS][SETTING_SIZE], options_said[SETTINGS][OPTION_SIZE];
    size_t setting_count;
    Parameters p;
    Gradients g;
    Activations a;                  /* of the micro-batch; its memory stays */
    AdamW adamw;
    FILE *log_file;
    double started, shown;          /* seconds, of a clock that only goes forward */
    int64_t first_step;             /* that this process does */
    double tokens;                  /* that it has learned from */
} TrainRun;

Request train_request(const Exercise *x, const int *rows, int M, Keep keep);
/* Loads, makes or resumes the model, and makes its directory: session, p, g, adamw, training. */
Status train_model_open(TrainRun *r, Error *e);
/* A --task, train_task.c: reads texts and labels, and gives the model the head for them, before its parameters are
 * there; then its first numbers, unless it goes on. */
Status train_task_open(TrainRun *r, Error *e);
void train_task_begin(const TrainRun *r);
/* A text with labels into *data; of a held-out one, the labels must be known. hex: its SHA-256. */
Status train_task_read(TrainRun *r, TrainData *data, char hex[65], Error *e);
/* --task answer, train_answer.c: the same of SQuAD's JSON, of the file `path`. */
Status train_answer_read(TrainRun *r, TrainData *data, const char *path, char hex[65], Error *e);
const char *task_name(const TrainRun *r);       /* as in --task */
void classes_free(Classes *c);
/* --teacher, after the data; then its scores for the hidden words of sequences `begin` to `end` - 1 of the step, into
 * r->teacher.soft. */
Status teacher_open(TrainRun *r, Error *e);
Status teacher_scores(TrainRun *r, int begin, int end, Error *e);
void teacher_announce(const TrainRun *r);
void teacher_free(TrainRun *r);
/* A run that failed before its first saved state leaves nothing: what it wrote is removed. */
void train_undo(const TrainRun *r);
/* Temporary files that a run left in the directory when it was killed. */
Status train_remove_leftovers(const TrainRun *r, Error *e);
/* --dev: judges it, and writes a line of the log. */
Status train_judge(TrainRun *r, Error *e);
#endif
