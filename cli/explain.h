/* explain.h - what the four files of `bert explain` share.
 *
 *     explain.c           the sixteen steps: their texts, what is shown of each, the few numbers that are computed for
 *                         showing, and the verb
 *     explain_cards.c     the answer, and three lines for each step: what is printed by default
 *     explain_learn.c     --learn: one word is hidden and learned
 *     explain_tables.c    tables and paragraphs for a terminal of 80 columns
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H
#include "cli/cli.h"

enum { STEPS = 16, LINE = 80, LABEL = 18, FEATURES = 6, MANY = 24, MOST_ROWS = 4, MOST_STAGES = 32 };

typedef struct {                    /* what one stage of the tokenizer left: a copy of a TokenizeStage */
    int step;
    const char *name;
    char *text;                     /* words and pieces have a blank between */
    bool absent;                    /* this model does not have the stage; the text says so */
    size_t count;                   /* words of step 2, pieces of step 3 */
} Stage;

typedef struct {                    /* one input, and how it is looked at */
    const Session *s;
    const Input *input;
    const Encoding *x;
    const BertConfig *c;
    const Activations *a;
    const BlockActivations *block;  /* of the layer that is shown */
    FILE *out;
    int layer, head;
    bool zoom, colour;
    bool has_nsp, refitted;
    Labels labels;                  /* of the classifier, if there is one */
    Stage stage[MOST_STAGES];       /* steps 1 to 3 */
    int stages;                     /* 0 if the ids came from a file */
    const Recipe *recipe;           /* of the sentence vector in step 16, as `bert embed` makes it */
    const Error *no_recipe;         /* why there is none, if its status is not BERT_OK */
    int subject;                    /* the token that is followed: [MASK] or the last word, until the rule chooses */
    int rows[MOST_ROWS], count;     /* the tokens of which the first values are shown */
    const int *asked;               /* tokens that went through the MLM head, M of them */
    int M;
    real *words;                    /* (T,H) for step 16: each token's last four hidden states, summed */
    real *sentence;                 /* (H) for step 16 */
    real *sum;                      /* (H) for step 6: one token's three embeddings, summed */
    real *space;                    /* for steps 15 and 16: V numbers or T, whichever is more */
} View;

/* ---------------------------------------------------------------------------------------------------------------------
 * explain.c
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *module;             /* the heading before the step, where one begins */
    const char *name, *function;
    const char *formula;            /* formulas with three blanks between; NULL: it depends on the model */
    const char *what, *why;         /* one sentence, and the others */
    const char *trap;
    void (*show)(const View *v);
} Step;
extern const Step explain_steps[];  /* STEPS of them, the first one being step 1 */

/* Step n of this model: that of the table, or for a fine-tuned head another text. */
const Step *step_of(const View *v, int n);
/* The formulas of step n for this model. */
void step_formula(const View *v, int n, char text[512]);

bool is_special(const Session *s, int id);                                  /* [CLS], [SEP], [PAD] */
bool is_word(const char *piece);                                            /* or part of one: no punctuation mark */
double length_of(const real *x, size_t n);                                  /* sqrt(x . x) */
void moments(const real *x, size_t n, double *mean, double *deviation);
void sum_moments(const View *v, int t, double *mean, double *deviation);    /* of token t's v->sum */
double score_at(const View *v, int i, int j);                               /* in the layer and head that are shown */
double prob_at(const View *v, int i, int j);
double cosine_at(const View *v, int i, int j);                              /* of v->words */
bool is_pair(const View *v);                                                /* two segments, not counting padding */
void next_sentence(const View *v, real logits[2], real p[2]);               /* only if v->has_nsp */
bool scores_texts(const View *v);                                           /* the run has a classifier of whole texts */
bool scores_tokens(const View *v);                                          /* or of tokens */
int best_label(const View *v, const real *logits);                          /* the row of the largest of K logits */

/* ---------------------------------------------------------------------------------------------------------------------
 * explain_cards.c
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    int layer, head, i, j;          /* token i looks at token j */
    int distance;                   /* the least that was asked for: 3, else 2, else 1; 0: there are no two words */
    int among;                      /* how many heads were asked */
    double p;
} Look;

enum { NAME = 16, TEXT = 59 };                  /* columns of a card: the number 3, the name 16, 2 blanks, a text 59 */
enum { ANY = 400 };                             /* a length for append: put_last cuts what is too long for its line */
typedef char LineText[512];
/* Appends to a line (printf rules), if it has at most `most` columns then; otherwise leaves it as it is: false. */
bool append(LineText line, int most, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* A piece or a word as it is quoted in a sentence: 'it'. At most 12 columns and the two quotes. */
const char *quoted(const char *word, char text[80]);
/* One line of a card: the step's number, or 0 for none, some words of its name, and the text. */
void put_card_line(const View *v, int number, const char **name, const char *text);

Look find_look(const View *v);                              /* what is followed, in which layer and head, by the rule */
void put_overview(const View *v, const Look *look);         /* of a view that follows the look */

/* ---------------------------------------------------------------------------------------------------------------------
 * explain_learn.c
 * ------------------------------------------------------------------------------------------------------------------ */
Status explain_learning(View *v, Error *e);                 /* of a prepared input, whose last word is hidden */

/* ---------------------------------------------------------------------------------------------------------------------
 * explain_tables.c. Widths are columns of a terminal; what does not fit ends with two dots
 * ------------------------------------------------------------------------------------------------------------------ */
int fit_with_dots(char to[512], const char *text, int width);               /* escaped; returns its columns */
void put_cell(FILE *out, const char *text, int width);
void put_last(FILE *out, const char *text, int width);                      /* the last cell, and the end of the line */
void put_paragraph(const View *v, const char *label, const char *text);      /* label NULL: from the left edge */
void put_formatted(const View *v, const char *label, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
void put_number(FILE *out, double x, int width, int decimals);

void put_label(const View *v, const char *label);                           /* the first 20 columns of a line */
void put_token(const View *v, int t, int width);                            /* "  6 bank" */
void token_label(const View *v, int t, char label[300]);
int few(size_t n);                                                          /* how many of n features are shown */
void put_numbered(const View *v, const char *label, const char *kind, size_t first, size_t n);
void put_features(const View *v, const char *label, size_t first, size_t n);
void put_numbers(const View *v, const char *label, const real *x, size_t n);
void put_sum(const View *v, const char *label, const real *a, const real *b);
int row_at(const View *v, int i);
void put_left_out(const View *v, const char *where);
void put_matrix(const View *v, const char *label, const real *x, size_t width, size_t first);
int next_largest(const real *x, int n, const int *named, int count);

typedef double Relation(const View *v, int i, int j);       /* of two tokens: a score, a probability, a cosine */
void put_square(const View *v, Relation *value, const char *corner, const char *more);

void put_stage(const View *v, const char *name, const char *text);
int token_width(const View *v, int t);
void put_token_row(const View *v, const char *label, bool pieces, const int32_t *values, int from, int to);
#endif
