/* cli.h - what the verbs share: options, the session, inputs, one run of the model, numbers on paper.
 *
 *     argv --parse_options--> Options --session_open--> Session
 *     Session --next_input--> Input --run_model--> ModelRun --> stdout
 *     Session --next_inputs--> Inputs --run_inputs--> ModelRun --> stdout
 *
 * Everything here is about the command line. Nothing here knows what a verb does with the numbers.
 */
#ifndef CLI_H
#define CLI_H
#include "verify/verify.h"
#include <math.h>
#include <time.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * Options. One table in options.c lists them; all are strings or ints, so that the table can fill them in by offset.
 * ------------------------------------------------------------------------------------------------------------------ */
enum { UNSET = -1 };                /* an int option that was not given */

typedef struct {
    /* understood by every command */
    const char *model, *file, *pair, *inputs, *output;
    int pairs;
    int segments;                   /* 0 auto, 1 all zero, 2 all one: places in the list "auto 0 1" */
    int case_choice;                /* CaseChoice */
    int gelu;                       /* UNSET, or GeluKind */
    int truncate, pad, max_length;
    int plain;                      /* --no-special */
    const char *without_effect;     /* an option that changes nothing for this command, or NULL */
    int verbose, quiet;
    /* understood by some */
    const char *format, *layers, *word, *targets, *prompt;
    int trace, no_add_special, normalize, by_layer;
    int combine, pooling;           /* UNSET, or Combine and Pooling */
    int top_k, layer, head, step, all;
    int aggregate, stride;          /* UNSET, or Aggregation and a number */
    int max_answer, impossible;     /* 0 if not given */
    const char *tolerance, *atol, *rtol;
    const char *labels, *template_text;
    int multi, activation;          /* activation: UNSET, or Scores */
    int isolate, gradients, checksum;
    const char *config, *vocabulary;    /* train, from here on */
    int task, no_nsp, steps, batch, micro_batch, warmup, schedule, rules, seed, save_every, resume;
    const char *dev, *teacher;
    int evaluate_every;
    int learn;                          /* vocab: pieces to be learned, or 0 */
    int one_step;                       /* explain --learn */
    const char *learning_rate, *weight_decay, *clip, *dropout, *mask;
    /* what is left */
    const char **texts;             /* TEXT ... */
    int text_count;
    const char *query;              /* rank, choose: the first TEXT */
    const char *ref, *other;        /* compare: both TEXTs; verify: other, the first TEXT */
} Options;

typedef enum { NEEDS_NOTHING, NEEDS_VOCABULARY, NEEDS_CONFIG, NEEDS_MODEL } Needs;

/* Options that every command understands, and what they are about: for a verb that computes nothing from texts, those
 * about texts change nothing. */
enum { COMMON = 1, ABOUT_TEXTS = 2, ABOUT_FILE = 4, ABOUT_GELU = 8 };

typedef struct Session Session;
typedef struct {
    const char *name;
    Status (*run)(Session *s, Error *e);
    Status (*settle)(Options *options, Error *e);       /* looks at the options before anything is opened; or NULL */
    Needs needs;
    unsigned without;               /* groups of common options that change nothing for this command */
    bool opens_output;              /* the file of -o is opened by `run`, which does not print to it */
    bool sentences;                 /* a TEXT is a sentence: many of one word each are most likely one without quotes */
    bool lone;                      /* --pairs: a line without ` ||| ` is A alone, and not an error */
    const char *own;                /* the options that only some commands have, separated by blanks */
    const char *formats;            /* what --format may be, the default first; "" if there is no choice */
    const char *arguments;          /* after the options in the usage line */
    const char *summary;            /* one line of `bert --help` */
    const char *help;               /* of `bert COMMAND --help`: what is printed */
    const char *examples;           /* the command lines at its end */
} Verb;

/* A family of verbs, a file. */
extern const Verb tokenize_verb, vocab_verb;                     /* tokenize.c */
Status learn_vocabulary(Session *s, Error *e);                   /* learn_vocab.c: vocab --learn */
extern const Verb embed_verb, similarity_verb, rank_verb;        /* vectors.c */
extern const Verb fill_mask_verb, next_sentence_verb;            /* predict.c */
extern const Verb classify_verb, choose_verb;                    /* classify.c */
extern const Verb tag_verb;                                      /* tag.c */
extern const Verb answer_verb;                                   /* answer.c */
extern const Verb attention_verb;                                /* attention.c */
extern const Verb explain_verb;                                  /* explain.c */
extern const Verb demo_verb;                                     /* demo.c */
extern const Verb goldens_verb;                                  /* goldens.c */
extern const Verb trace_verb, compare_verb, verify_verb;         /* traces.c */
extern const Verb info_verb;                                     /* info.c */
extern const Verb train_verb;                                    /* train.c */

/* The words after the command into *options (zeroed by the caller). BERT_USAGE with a hint; *help: --help was among
 * them. */
Status parse_options(Options *options, const Verb *verb, int argc, char **argv, bool *help, Error *e);
void print_verb_help(const Verb *verb, FILE *out);      /* bert COMMAND --help */
void print_common_options(FILE *out);                   /* bert help options */
/* Of the blank-separated words in `list` the one nearest to `typed`, if it is near: "did you mean ...". */
bool nearest_word(const char *typed, const char *list, char *found, size_t capacity);

/* ---------------------------------------------------------------------------------------------------------------------
 * The session: one command from its options to its exit code (the values of Status, in bert.h)
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* where inputs come from */
    bool opened;
    bool lines;                     /* they are lines of a file or of stdin; false: TEXT arguments, or --inputs */
    int fd;
    const char *name;               /* for messages */
    bool regular;                   /* an ordinary file: nobody waits at its other end */
    char *buffer;                   /* (READ_AHEAD); bytes [begin, end) of it have been read and are in no line yet */
    size_t begin, end;
    bool ended;                     /* nothing can be read any more: the end, or an error */
    int error;                      /* its errno, or 0 */
    Safetensors tensors;            /* --inputs */
    const SafeTensor *ids, *types, *mask;
    size_t rows, columns;           /* B and T of --inputs */
} Source;

struct Session {
    const char *program;            /* argv[0] */
    const Verb *verb;
    Options options;
    char *directory;                /* the model's */
    char *weights;                  /* the file of weights that --model names, or NULL */
    char *sentence_directory;       /* of sentence-transformers, if the model's is below it; else NULL */
    SentenceText sentence_text;     /* what it says about texts */
    SentenceModel sentence;         /* and about vectors; read by read_recipe */
    bool cuts;                      /* texts are cut to its length */
    char *prompt;                   /* put before every text, or NULL */
    int prompt_tokens;              /* its tokens, [CLS] among them */
    const Text *first;              /* every input is the second text of a pair whose first is this; or NULL */
    Tokenizer tokenizer;
    Bert model;                     /* NEEDS_MODEL only */
    int P;                          /* positions of the model; 0 where no model is loaded: no limit */
    Source source;
    size_t taken, waiting;          /* inputs read so far; how many of them have no answer yet */
    FILE *out;                      /* stdout, or the temporary file behind -o */
    bool for_eyes;                  /* out is a terminal: four decimals, where programs get all digits */
    OutputFile file;
    time_t started, looked, shown;  /* of the progress line: the first input, the last time that it was due, written */
    bool streams;                   /* an answer is out already */
};

Status session_open(Session *s, Error *e);      /* model found and loaded, source and output open */
Status session_close(Session *s, Status status, Error *e);      /* commits -o if status is BERT_OK or BERT_DIFFERENT */
bool format_is(const Session *s, const char *format);
bool may_colour(const Session *s);              /* stdout is a terminal that can, and NO_COLOR is not set */
Status refuse_file(const char *path, Error *e); /* BERT_FILE if the model's path is a file and no directory */
Status check_layer_and_head(const Session *s, Error *e);        /* --layer and --head, if given, are in the model */
void note(const Session *s, const char *format, ...)            /* a line on stderr, unless -q */
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* ---------------------------------------------------------------------------------------------------------------------
 * Inputs: TEXT arguments, lines, or rows of ids
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    size_t number;                  /* from 1: which TEXT, line or row it is */
    bool has_text, has_pair;        /* --inputs has no text */
    Text whole, a, b;               /* the text or line; its segments. They live until this Input is read anew */
    char *line;                     /* the bytes of a line */
    size_t capacity;
    Encoding encoding;
} Input;

/* Reads and encodes the next input. *more = false: there is none. Zero the Input before its first use.
 * next_text only reads: no split into segments, no encoding. */
Status next_input(Session *s, Input *input, bool *more, Error *e);
Status next_text(Session *s, Input *input, bool *more, Error *e);
void split_pair(const Session *s, Input *input);        /* after next_text: a and b */
/* Would next_text return at once? Not if it had to wait for someone to write a line. */
bool input_at_hand(Session *s);
EncodeOptions encode_options(const Session *s);
/* The same for a text, with the session's prompt before it. */
Status encode_prompted(const Session *s, Text a, const Text *b, Encoding *x, Error *e);
void input_free(Input *input);
/* BERT_TEXT if s->first cannot be encoded; `name` is what the command line calls it. */
Status check_first(const Session *s, const char *name, Error *e);
/* Puts where the input stands ("FILE: line 3: ") before e's message; returns e->status. */
Status at_input(const Session *s, const Input *input, Error *e);
/* The answer to one input is complete: out with it, before the next line is read. Shows progress. */
Status answer_done(Session *s, Error *e);

/* ---------------------------------------------------------------------------------------------------------------------
 * Inputs that run together
 * ------------------------------------------------------------------------------------------------------------------ */
enum { BATCH_TOKENS = 456, BATCH_INPUTS = 64 };

typedef struct {
    Input input[BATCH_INPUTS + 1];
    size_t count;                   /* of those that run together; 0 after the last input */
    bool looked;                    /* what comes after them is known: input[count], the end, or an error */
    bool more;
    Error error;
} Inputs;

/* The next inputs, as many as are at hand and run well together: at least one, unless there is none (count = 0). All
 * of them suit the model. Zero the Inputs before their first use; *e is written only if the call fails. */
Status next_inputs(Session *s, Inputs *inputs, Error *e);
void inputs_free(Inputs *inputs);

/* ---------------------------------------------------------------------------------------------------------------------
 * One run of the model: on one sequence, or on several that run as one batch
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    int T;                          /* run_model: tokens of the one sequence */
    Batch batch;
    Activations a;
    int lengths[BATCH_INPUTS];     /* run_inputs: the batch's own arrays */
    int32_t *ids;
} ModelRun;
Status run_model(ModelRun *run, const Bert *model, const Encoding *encoding, const Request *request, Error *e);
Status run_inputs(ModelRun *run, const Bert *model, const Inputs *inputs, const Request *request, Error *e);
void run_free(ModelRun *run);

/* Next sentence: the weights' own head if they have one (*refitted = false), else the one in weights/nsp_refit.h if it
 * was fitted to exactly these weights (*refitted = true), else BERT_HEAD. Then its logits (2), from a run that asked
 * for the pooler, and for nsp unless refitted. */
Status next_sentence_head(const Bert *model, bool *refitted, Error *e);
void next_sentence_logits(real logits[2], const Activations *a, bool refitted);

/* ---------------------------------------------------------------------------------------------------------------------
 * Vectors: what embed, similarity and rank make, and step 16 of explain shows (vectors.c)
 * ------------------------------------------------------------------------------------------------------------------ */
enum { MAX_LAYERS = 256 };

typedef struct {                    /* how vectors are made from hidden states */
    int layers[MAX_LAYERS];
    int count;
    Combine combine;
    Pooling pooling;
    bool normalize;
    Similarity similarity;          /* how two of them are compared */
    bool sentence;                  /* the session's SentenceModel makes them, of the last hidden state */
    size_t dim;
} Recipe;

/* From the options, else from `layers`, which may be NULL, and from the model's directory. */
Status read_recipe(Session *s, Recipe *r, const char *layers, Combine combine, Error *e);

/* ---------------------------------------------------------------------------------------------------------------------
 * Heads of fine-tuned models (classify.c)
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum { SCORES_SOFTMAX, SCORES_SIGMOID, SCORES_NONE } Scores;   /* what becomes of logits; as in --activation */

/* BERT_HEAD, in words that help, unless the weights have a classifier of that kind. Its labels, to be freed in any case;
 * what is doubtful about them is said on stderr. */
Status open_head(const Session *s, HeadKind wanted, Labels *labels, Error *e);
/* --activation, else what the model's files say, else the library's default for classifiers or for cross-encoders. */
Status choose_scores(const Session *s, const Labels *labels, bool cross_encoder, Scores *scores, Error *e);
void scores_of(real *out, const real *logits, size_t K, Scores scores);
bool all_finite(const real *x, size_t n);
void note_not_finite(const Session *s);         /* a score is no number: which tensor of the weights is to blame */
bool is_cross_encoder(const Session *s);        /* rank scores pairs by it */

/* ---------------------------------------------------------------------------------------------------------------------
 * Directories of sentence-transformers (sentence.c)
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* the last hidden state of one sequence, or its logits */
    const real *vectors;            /* (T,H); where the MLM head's logits are pooled (T,V), and H is V */
    const int32_t *attention_mask, *mask;   /* (T) of the sequence, and of what is pooled */
    double *weight;                 /* (T) working memory */
    size_t T, H;
} Tokens;

Status enter_sentence_directory(Session *s, Error *e);          /* after s->directory is known */
const char *sentence_directory(const Session *s);               /* NULL if it is none */
Status prepare_sentences(Session *s, Error *e);                 /* before the first text: its prompt and its length */
/* Rows of the batch whose logits are wanted, malloc'ed, into the request: all of them, for SpladePooling. */
Status request_logits(Request *request, int **rows, const Session *s, size_t tokens, Error *e);
/* out (s->sentence.dim) <- vectors (T,H) with attention_mask; mask and weight are not read */
Status sentence_vector(real *out, const Session *s, const Tokens *tokens, Error *e);
/* Of a vector of SPLADE's the pieces whose weight is not 0, best first, `most` of them. */
Status put_weights(const Session *s, const real *vector, size_t most, Error *e);
bool sentence_is_plain(const SentenceModel *m, size_t H, Pooling *pooling, bool *normalized);

/* ---------------------------------------------------------------------------------------------------------------------
 * Numbers and texts on paper. No locale: the program never calls setlocale, so printf's point is a point
 * ------------------------------------------------------------------------------------------------------------------ */
#define ALL_DIGITS (sizeof(real) == 8 ? "%.17g" : "%.9g")       /* enough of them to read back the same bits */
/* For qsort: the higher score first, NaN last; 0 for equal ones. Trap: NaN compares as neither smaller nor larger; a
 * comparison that does not say where it goes leaves the others unsorted, too. */
static inline int higher_first(double x, double y)
{
    if (isnan(x) || isnan(y)) return !!isnan(x) - !!isnan(y);
    return (x < y) - (x > y);
}
void put_score(const Session *s, double x);                    /* all digits, or on a terminal four decimals */
void json_put_text(FILE *out, const char *bytes, size_t length);
void json_put_number(FILE *out, double x);                      /* null if it is not finite */
void json_put_vector(FILE *out, const real *x, size_t n);
const char *piece_of(const Session *s, int id);                 /* "?" for an id that vocab.txt has no line for */
void json_put_pieces(const Session *s, const char *name, const Encoding *x);   /* "name": ["[CLS]", "after", ...] */
void put_count(FILE *out, const char *before, size_t n);        /* as fprintf "%s%zu", but quick */
void put_thousands(char text[32], long long n);                 /* 219648 -> 219,648 */
int width_of(const char *text);                                 /* characters of a UTF-8 string, for columns */
int put_safely(FILE *out, const char *text);                    /* escaped, for names that come from files; its width */
void put_text_safely(FILE *out, const char *bytes, size_t length);      /* the same for a part of a text */

/* The .npy header of float32 data of that shape; then the data, little-endian. */
void npy_put_header(FILE *out, const size_t *shape, int rank);
void npy_put_data(FILE *out, const real *x, size_t n);

#endif
