/* train.h - what `bert train` learns from: exercises, made of a text or read from a file. train_data.c makes them,
 * train.c learns from them.
 *
 *     text --corpus_add--> Corpus --make_pairs--> Pairs, in a random order --mask_tokens--> Exercise
 *     --inputs FILE ------------------------------------------------------------rows------> Exercise
 */
#ifndef TRAIN_H
#define TRAIN_H
#include "weights/weights.h"

/* ---------------------------------------------------------------------------------------------------------------------
 * Random numbers of one purpose and one place: philox (learn.c) with a counter whose first number counts on
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    uint32_t seed, counter[4], words[4];
    Purpose purpose;
    int left;                       /* of `words` */
} Draws;
/* The place is any three numbers, such as (document, epoch, 0). */
Draws draws_at(uint32_t seed, Purpose purpose, uint32_t a, uint32_t b, uint32_t c);
uint32_t draw(Draws *d);                            /* 32 random bits */
uint32_t draw_below(Draws *d, uint32_t n);          /* 0 .. n-1 */
bool draw_chance(Draws *d, double p);               /* true with probability p */

/* ---------------------------------------------------------------------------------------------------------------------
 * Text: documents of sentences of tokens, all tokens one after another
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    int32_t *ids;                   /* (tokens) */
    size_t *sentence;               /* (sentences+1) first token of each; the last is `tokens` */
    size_t *line;                   /* (sentences) its line in the file */
    size_t *document;               /* (documents+1) first sentence of each; the last is `sentences` */
    size_t tokens, sentences, documents;
    size_t id_room, sentence_room, document_room;
    bool in_document;               /* the last document goes on */
} Corpus;
Status corpus_add(Corpus *c, const int32_t *ids, size_t count, size_t line, Error *e);      /* a sentence */
void corpus_end_document(Corpus *c);                /* a blank line */
void corpus_free(Corpus *c);
/* Of the frequencies of all tokens, in nats: the loss of a model that knows how frequent each piece is, and nothing
 * else. */
double unigram_entropy(const int32_t *ids, size_t count, int V, Error *e);

/* ---------------------------------------------------------------------------------------------------------------------
 * Pairs, and what is hidden in them
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* [CLS] A [SEP] B [SEP], of tokens of a Corpus */
    size_t a, a_end, b, b_end;      /* b == b_end: [CLS] A [SEP] */
    size_t line;                    /* of A's first sentence */
    bool random;                    /* B is from elsewhere: NotNext */
} Pair;
typedef struct {
    Pair *list;
    size_t count, room;
} Pairs;
typedef struct {
    int max_length;                 /* tokens of a sequence, [CLS] and [SEP] among them: at least 5 */
    bool nsp;                       /* false: no B */
    uint32_t seed;
} PairRules;
/* All pairs of one pass through the corpus, in their random order, into *pairs. */
Status make_pairs(Pairs *pairs, const Corpus *c, const PairRules *rules, uint32_t epoch, Error *e);

typedef struct {
    Rules rules;
    double probability;             /* of a token to be chosen: 0.15 */
    int max_length, V;              /* V: how many pieces the vocabulary has */
    int cls_id, sep_id, pad_id, unk_id, mask_id;
} MaskRules;
/* Chooses tokens of ids (T), and hides them. rows and labels get their places and what stood there; returns how many.
 * Both have room for T. */
int mask_tokens(int32_t *ids, int T, const MaskRules *rules, Draws *d, int *rows, int32_t *labels);

/* ---------------------------------------------------------------------------------------------------------------------
 * The exercises of one step
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum {                      /* what is labelled: --task classify, tag, answer */
    LABELS_OF_TEXTS,                /* one row of the classifier for each text */
    LABELS_OF_TOKENS,               /* one for each token, -100: none */
    LABELS_OF_SPANS                 /* first and last token of the answer; 0 0, [CLS], if there is none */
} LabelKind;

typedef struct {                    /* texts with labels */
    LabelKind kind;
    int32_t *ids, *types;           /* (start[count]) */
    size_t *start;                  /* (count+1) first token of each; the last is the number of tokens */
    int32_t *label;                 /* (count), (start[count]) or (count,2), as the kind says */
    size_t *line;                   /* (count) of the file; of spans the question's number, from 1 */
    size_t count, token_room, label_room, room;
    size_t *order;                  /* (count) how they follow each other in this epoch */
    int64_t epoch;                  /* that `order` is of, if there is one */
    uint32_t seed;
} Examples;
/* One more: 1, T or 2 labels. */
Status examples_add(Examples *x, const Encoding *encoding, const int32_t *labels, size_t line, Error *e);
void examples_free(Examples *x);

typedef struct {                    /* a question of a held-out file, with what its answer is judged by */
    Text context;                   /* of Questions.contexts */
    char **answers;                 /* (answer_count) right ones; none: it has no answer */
    size_t answer_count, answer_room;
    double null_score, score;       /* the least of [CLS], the best of a span, over its windows */
    size_t begin, end;              /* that span, bytes of the context */
    bool any;                       /* there is a span */
} Question;
typedef struct {
    Question *list;                 /* (count) */
    char **contexts;                /* (context_count) */
    size_t (*offsets)[2];           /* of each token of the Examples its bytes of the context; 0 0: it is not of it */
    size_t count, room, context_count, context_room, offset_room;
    bool impossible;                /* some question has no answer */
} Questions;
void questions_free(Questions *q);

typedef struct {
    int B;
    int *T;                         /* (B) */
    size_t *token, *row;            /* (B+1) first token of each sequence; first of its rows */
    int32_t *ids, *types, *mask;    /* (token[B]) */
    /* (row[B]) tokens to be guessed, counted within the sequence's step: 0 .. token[B]-1 */
    int *rows;
    int32_t *labels;                /* (row[B]) */
    int32_t *next_sentence;         /* (B); below 0: none */
    int32_t *task_labels;           /* of a task: (B), (token[B]) or (B,2), as its kind says */
    LabelKind kind;
    size_t *line;                   /* (B) of the file */
    size_t *example;                /* (B) which of the examples it is */
    bool has_labels, has_next, has_task;    /* which of the three there are at all */
} Exercise;

typedef struct {
    const char *name;               /* of the file, for messages */
    Examples examples;              /* texts with labels */
    Questions questions;            /* held-out ones */
    Corpus corpus;                  /* text */
    Pairs pairs;                    /* of this epoch */
    int64_t first_pair;             /* its first, counted from the first of epoch 0 */
    uint32_t epoch;
    bool any_pairs;                 /* `pairs` is that epoch's */
    PairRules pair_rules;
    MaskRules mask_rules;
    Safetensors inputs;             /* --inputs */
    const SafeTensor *input_ids, *types, *mask, *labels, *next_sentence;    /* NULL: there is none */
    size_t rows, columns;
    int V, S;                       /* of the model, for what the file says */
} TrainData;

Status exercise_new(Exercise *x, int B, int max_length, Error *e);
void exercise_free(Exercise *x);
/* The exercises of a step, 0 being the first: they depend on its number alone. */
Status exercise_fill(Exercise *x, TrainData *data, int64_t step, Error *e);
void train_data_free(TrainData *data);

/* The numbers that a model begins with, all of them from the seed: matrices and embeddings random, LayerNorm's weights
 * 1, all else 0. pad_id: the row of the word embeddings that stays 0 by Hugging Face's rules, or -1. */
void random_weights(const Parameters *p, Rules rules, double deviation, uint32_t seed, int pad_id);

/* --inputs: tensors of the names that PyTorch's models have. BERT_FILE, with the tensor, if they do not fit. */
Status train_inputs_open(TrainData *data, const char *path, const BertConfig *config, Error *e);
#endif
