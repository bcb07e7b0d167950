/* spans.h - from the numbers of tokens to places in a text: what `tag` and `answer` share, and their rules.
 *
 *     a long text --window_at--> windows of tokens --run_model--> logits
 *     logits (T,K) --softmax--> tag_spans --tag_merge--> "PER, bytes 0 to 8, 0.98"
 *     logits (T,2) --answers_add--> answers_rank --> "on the mat, bytes 12 to 22, 0.71"
 *
 * Nothing here runs a model, reads a file or prints. The rules are those of Hugging Face's pipelines, whose answers a
 * fine-tuned model is known by; they are in no paper. All places are bytes [begin, end).
 */
#ifndef SPANS_H
#define SPANS_H
#include "bert.h"

/* ---------------------------------------------------------------------------------------------------------------------
 * Windows: a text that is longer than the model, in overlapping parts
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    size_t begin, end;              /* tokens of the text, special tokens not counted */
    bool last;
} Window;

/* Window k of a text of `length` tokens: at most `room` of them, `overlap` (less than room) of which are in the window
 * before, too. from_end: the windows begin at the end of the text ("truncation_side": "left"). */
Window window_at(size_t k, size_t length, size_t room, size_t overlap, bool from_end);

/* out <- the first `before` tokens of `whole`, those of the window, which counts from there, and the last `after`. The
 * offsets stay those of the whole text. `out` is zeroed before its first use and is reused after that. */
Status window_encoding(Encoding *out, const Encoding *whole, size_t before, size_t after, Window w, Error *e);

/* Does the token continue the word before it, which step 2 made? */
bool continues_word(const Tokenizer *t, int id, Text text, size_t begin);

/* ---------------------------------------------------------------------------------------------------------------------
 * Labels of tokens -> labels of stretches of text
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum {                      /* as the pipeline's aggregation_strategy */
    AGGREGATE_NONE,                 /* every token by itself, with its whole label */
    AGGREGATE_SIMPLE,               /* neighbours whose labels go together */
    AGGREGATE_FIRST,                /* the same of words: a word has the label of its first token, */
    AGGREGATE_AVERAGE,              /* or the best label of its tokens' mean, */
    AGGREGATE_MAX                   /* or the label of its surest token */
} Aggregation;

typedef struct {                    /* the tokens of one window, without its special tokens */
    size_t T, K;
    const real *probs;              /* (T,K) */
    const size_t (*offsets)[2];     /* (T) */
    const bool *continues;          /* (T) tag_continues */
    const char *const *labels;      /* (K) */
} TokenLabels;

typedef struct {
    size_t begin, end;
    int label;                      /* of its first token */
    double score;
    size_t place;                   /* in the order of finding */
} TaggedSpan;

/* Does this token continue a word, by the pipeline's rule? */
bool tag_continues(const Tokenizer *t, int id, Text text, const size_t offsets[2]);
/* What stands in the answer: the label, or with aggregation what is behind its first "-". */
const char *tag_name(const char *label, Aggregation how);
/* spans (T is room enough) <- the stretches that have another label than O; returns how many. */
size_t tag_spans(TaggedSpan *spans, const TokenLabels *x, Aggregation how);
/* Of spans of several windows those that stay, in the order of the text; returns how many. */
size_t tag_merge(TaggedSpan *spans, size_t count, Text text);

/* ---------------------------------------------------------------------------------------------------------------------
 * Starts and ends -> answers
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* one window: [CLS] question [SEP] tokens of the context [SEP] */
    const real *logits;             /* (T,2) start, end */
    size_t first, count;            /* tokens of the context */
    const size_t (*offsets)[2];     /* (T) */
    const bool *continues;          /* (T) continues_word */
    Text context;
} AnswerWindow;

typedef struct {
    Text text;                      /* bytes of the context; none: there is no answer in it */
    size_t begin;
    double score;
    size_t place;                   /* in the order of finding */
} Answer;

typedef struct {                    /* zeroed before its first use */
    Answer *items;
    size_t count, capacity;
    size_t windows;
    double null_score;              /* of "no answer": the least of all windows */
} Answers;

/* Appends the best answers of one window, of at most max_answer tokens. BERT_SYSTEM: out of memory. */
Status answers_add(Answers *all, const AnswerWindow *window, int top_k, int max_answer, Error *e);
/* Adds up the scores of equal answers; with `impossible` "no answer" is one of them; the best top_k come first, and
 * are all that is counted. */
Status answers_rank(Answers *all, int top_k, bool impossible, Error *e);
void answers_free(Answers *all);

#endif
