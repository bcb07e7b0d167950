/* verify.h - what compare.c, verify.c, mistakes.c and habits.c share: traces under one set of names, and what two
 * differ by.
 *
 *     names      any name of a tensor (ours, TransformerLens', TensorFlow's, llama.cpp's) -> ours, its form, its place
 *     a view     the tensors of one trace that have a name, sorted in the order of the data
 *     criteria   which numbers count, and how far two of them may be apart
 *     a result   what comparing one tensor gave
 */
#ifndef VERIFY_H
#define VERIFY_H
#include "weights/weights.h"

/* =====================================================================================================================
 * trace.c - looking inside: every intermediate under its name
 * ================================================================================================================== */

/* The tensors of a trace, in the order of the data: the rows of trace_table. Those from QUERY to OUTPUT_NORM are there
 * once for each layer. */
typedef enum {
    TRACE_WORD, TRACE_TOKEN_TYPE, TRACE_POSITION, TRACE_EMBEDDING_NORM,
    TRACE_QUERY, TRACE_KEY, TRACE_VALUE, TRACE_SCORES, TRACE_PROBS, TRACE_CONTEXT,
    TRACE_ATTENTION_DENSE, TRACE_ATTENTION_NORM,
    TRACE_INTERMEDIATE_DENSE, TRACE_INTERMEDIATE, TRACE_OUTPUT_DENSE, TRACE_OUTPUT_NORM,
    TRACE_POOLER_DENSE, TRACE_POOLER,
    TRACE_TRANSFORM_DENSE, TRACE_TRANSFORM_ACT, TRACE_TRANSFORM_NORM, TRACE_DECODER,
    TRACE_NSP, TRACE_PRE_CLASSIFIER_DENSE, TRACE_PRE_CLASSIFIER, TRACE_CLASSIFIER, TRACE_TOKEN_CLASSIFIER, TRACE_QA,
    TRACE_COUNT
} TraceName;

/* What the dimensions mean once a leading number of sequences is put aside. */
typedef enum {
    FORM_TOKENS,                    /* (tokens, features)    */
    FORM_SCORES,                    /* (heads, query, key)   */
    FORM_WHOLE                      /* (features): one vector for the whole sequence */
} Form;

/* The one table of traced tensors: it drives listing, comparing, and feeding and replacing steps. */
typedef struct {
    const char *name;               /* Hugging Face's module; `*` is the layer */
    int step;                       /* which of the sixteen steps makes it */
    Group group;                    /* GROUP_ENCODER, or the head that must have been asked for */
    Keep keep;                      /* it is there only if all of these are kept, else it has been overwritten */
    Form form;
    char width;                     /* how many features, a letter as in tensor_table; scores have none */
    size_t field;                   /* offset in BlockActivations for names with a `*`, else in Activations */
    void (*once)(const Bert *m, Activations *a);                            /* bert.c's function that makes it: */
    void (*in_block)(const Bert *m, Activations *a, int l);                 /* one of the three, the others are NULL */
    void (*in_head)(const Bert *m, Activations *a, int l, int b, int h);
} TraceSpec;
extern const TraceSpec trace_table[];       /* TRACE_COUNT rows */
bool trace_per_layer(const TraceSpec *spec);                                /* its name has a `*` */

typedef struct {                    /* a row of the table in one run, or something that was learned from it */
    char name[96];
    int rank;
    size_t shape[3];
    const real *data;
    bool once;                      /* for all sequences together: no B in front */
} TraceTensor;

/* All intermediates that `a` holds, in the order of the data, under the names of a trace (Hugging Face's modules):
 * malloc'ed into *list, their number into *count. Shapes are those of one sequence; with B > 1 all have one length, and
 * printing and writing put B in front. */
/* Everything that a model has, for N tokens whose rows are 0 .. N-1. A classifier is run on texts or on tokens, whichever
 * it was trained for; where nothing says so, on texts. */
Request trace_request(const Bert *m, const int *rows, int N);

Status trace_list(const Bert *m, const Activations *a, TraceTensor **list, size_t *count, Error *e);
double unsigned_nan(double x);          /* NaN without its sign, which is not promised: `nan`, not `-nan` */
Status trace_print(const Bert *m, const Activations *a, FILE *out, Error *e);
/* The same, and then what was learned from it: `loss`, `loss.mlm`, `loss.nsp`, and `grad.NAME` for every intermediate
 * and every parameter of the heads that had a loss. */
typedef struct {
    const Gradients *gradients;     /* of this one batch, kept and finished */
    const Parameters *parameters;
    const int32_t *labels, *next_sentence;      /* (N), (B), or NULL: written beside the ids */
    real losses[3];                 /* room for these functions */
} Learned;
/* Names, shapes and numbers of all of it: malloc'ed into *list. learned: NULL, or as below. */
Status learned_list(const Bert *m, const Activations *a, Learned *learned, TraceTensor **list, size_t *count, Error *e);
Status learned_print(const Bert *m, const Activations *a, Learned *learned, FILE *out, Error *e);
Status trace_write(const Bert *m, const Activations *a, const char *path, const char *model_name, const char *text,
                   Error *e);
/* learned: NULL, or what is to be written behind the trace. */
Status trace_put(const Bert *m, const Activations *a, Learned *learned, FILE *out, const char *model_name,
                 const char *text, Error *e);
/* SHA-256 over name, shape and bytes of every tensor of a trace, in the order of the data: for each tensor the line
 * "pooler.dense 768\n" (shapes as trace_list has them, of one sequence), then its numbers, of all B sequences. */
Status trace_checksum(const Bert *m, const Activations *a, char hex[65], Error *e);
/* A trace tensor as one of a file, with B in front if there are several sequences; data and name stay the trace's. */
SafeTensor as_file_tensor(TraceTensor *t, size_t B);

/* =====================================================================================================================
 * The other files - two traces against each other, and the first wrong number of someone else's BERT
 * ================================================================================================================== */
typedef enum { TOLERANCE_NMSE, TOLERANCE_EXACT, TOLERANCE_CLOSE } ToleranceKind;
typedef struct {                    /* when a tensor passes */
    ToleranceKind kind;
    double decibel;                 /* NMSE:  sum (x-y)^2 / sum x^2 is at most 10^(decibel/10) */
    double atol, rtol;              /* CLOSE: every |x-y| <= atol + rtol |x|, as numpy.allclose has it */
} Tolerance;
#define TOLERANCE_DEFAULT ((Tolerance){.kind = TOLERANCE_NMSE, .decibel = -80})

/* Prints what two trace files differ by, with `table` tensor by tensor, and a last line `no difference` (BERT_OK) or
 * `first difference: NAME ...` (BERT_DIFFERENT). */
Status compare_traces(const char *ref, const char *other, const Tolerance *tolerance, bool table, FILE *out, Error *e);

typedef struct {
    Tolerance tolerance;
    bool isolate;                   /* feed each step OTHER's own inputs */
    bool strict;                    /* the tolerance was asked for: rounding in OTHER is a difference, too */
    bool table;                     /* print every tensor, not only what is odd */
    bool goes_on;                   /* gradients follow: the last line is theirs if nothing differs before */
    const Encoding *text;           /* the ids that OTHER should have; or NULL */
    const Tokenizer *tokenizer;     /* shows pieces beside ids; or NULL */
    const struct TextGiven *given;  /* the text itself, so that wrong ids can be explained; or NULL */
} VerifyOptions;

/* The same against a reference that is computed here from OTHER's ids; where the two differ, names the known mistakes
 * that explain it. */
Status verify_trace(const Bert *m, const char *other, const VerifyOptions *options, FILE *out, Error *e);

/* ---------------------------------------------------------------------------------------------------------------------
 * Names (compare.c)
 * ------------------------------------------------------------------------------------------------------------------ */

typedef enum {                      /* what a tensor of a trace is */
    ENTRY_VALUE,                    /* an intermediate */
    ENTRY_LOSS,
    ENTRY_GRADIENT,                 /* of an intermediate */
    ENTRY_WEIGHT, ENTRY_BIAS,       /* gradients of the parameters that made it */
    ENTRY_KINDS
} EntryKind;

typedef struct {                    /* one tensor of a trace, under our name for it */
    char name[96];
    EntryKind kind;
    TraceName row;                  /* of a parameter: what it makes; of a loss: 0 both, 1 MLM, 2 NSP */
    Form form;
    size_t order;                   /* place in the order of the data: by layer, then by row */
    int layer;                      /* of encoder.layer.N, or -1 */
    bool split_heads;               /* its last two dimensions are (head, feature of the head): one of ours */
    bool unscaled;                  /* scores before the division by sqrt(D) */
    bool alias;                     /* the file calls it something else */
    SafeTensor tensor;              /* a copy: `data` stays the file's */
    size_t B, heads, rows, cols;    /* the shape, 1 where the form has no such dimension */
} TraceEntry;

typedef struct {                    /* a trace as compare and verify see it */
    const char *path;               /* for messages */
    TraceEntry *entries;            /* in the order of the data */
    size_t count;
    TraceEntry *twins;              /* tensors that are there already, under another name: sorted alike */
    size_t twin_count;
    SafeTensor ids[3];              /* input_ids, token_type_ids, attention_mask; data NULL where there is none */
    SafeTensor positions;           /* position_ids, or data NULL */
    int64_t *made[3];               /* positions, types, mask that had to be put in order: see settle_ids */
    const char **unknown;           /* the file's names that nobody knows here, in the order of the file */
    size_t unknown_count;
} TraceView;

typedef struct {                    /* what is known of the model behind a trace */
    int last;                       /* number of the last layer, where last_hidden_state belongs, or -1 */
    size_t V;                       /* pieces, or 0 */
    size_t K;                       /* labels of its classifier, or 0 */
    HeadKind head;                  /* what that scores */
} Known;

/* Sorts the tensors into a view. The view points to `tensors`' data and names and owns only its lists. last_layer reads
 * known.last off the names. */
Status view_make(TraceView *view, const char *path, const SafeTensor *tensors, size_t count, Known known, Error *e);
int by_order(const void *a, const void *b);                                 /* of entries: as they are sorted */
int last_layer(const SafeTensor *tensors, size_t count);
void view_free(TraceView *view);
bool resolve_name(TraceEntry *t, const char *name, int last);               /* an intermediate's name, or an alias */
bool name_fits(const char *pattern, const char *name, int *layer);          /* `*` is the layer's number */
size_t view_values(const TraceView *view);                                  /* entries before the first loss */
const TraceEntry *view_find(const TraceView *view, const TraceEntry *like); /* of the same name; NULL: there is none */
int64_t integer_element(const SafeTensor *t, size_t i);                     /* of any integer dtype */
extern const char *const id_names[3][3];                                    /* the three rows of ids; [k][0] is ours */

/* ---------------------------------------------------------------------------------------------------------------------
 * One tensor against another (compare.c)
 * ------------------------------------------------------------------------------------------------------------------ */
/* Part of a tensor, by its number in one dimension (slices.c). */
typedef enum { SLICE_INPUT, SLICE_HEAD, SLICE_TOKEN, SLICE_FEATURE, SLICE_DIMENSIONS } SliceDimension;
typedef struct {
    SliceDimension dimension;
    size_t width;                   /* features of a head */
    size_t first, second;
    bool exchanged;                 /* OTHER's `first` and `second` stand for each other; else `first` does not count */
} Slicing;

typedef struct {
    Tolerance tolerance;
    size_t B, T;                    /* sequences, tokens of each; 0 where nothing says so: then everything counts */
    const int32_t *mask;            /* (B*T), or NULL: every token counts */
    size_t H;                       /* width of a hidden state: with the number of heads it gives D */
    size_t A;                       /* heads, or 0 where nothing says so */
    bool computed_so;               /* numbers in half precision are what OTHER went on with, and not only written so */
    const Slicing *slicing;         /* or NULL: all of a tensor is compared, as it stands */
} Criteria;

/* How OTHER's numbers lie under REF's shape: how far apart they are from one sequence, head, row, ... to the next. */
typedef struct {
    size_t sequence, head, row;     /* 0: all sequences (or rows) share the same numbers */
    size_t group, col;              /* columns come in groups: the features of a head are one */
    size_t width;                   /* columns of a group */
    bool shared;                    /* OTHER has one sequence's (or token's) numbers for all of them */
    char order[64];                 /* "(heads, tokens, D)" where it is not REF's order, else "" */
    bool misplaced;                 /* the numbers say so, and OTHER's shape says something else */
} Layout;

typedef struct {
    bool comparable;                /* shapes fit, both are floating */
    Layout layout;                  /* if so */
    bool passes;
    size_t counted;                 /* numbers that count */
    size_t where;                   /* index in REF of the largest difference, or of the first NaN or infinity */
    double expected, found;         /* the two numbers there */
    double max_abs, rms;            /* of the differences */
    double nmse, nmse_all;          /* sum of squared differences / sum of REF's squares; with the masked ones */
    double cosine, ulp;
    double masked_max;              /* largest difference among what does not count */
    const char *word;               /* "NaN", "infinite", "shape", "dtype", or NULL */
} Result;

void compare_entries(Result *r, const TraceEntry *ref, const TraceEntry *other, const Criteria *criteria);
/* The same with OTHER's numbers read in that layout. */
void compare_laid_out(Result *r, const TraceEntry *ref, const TraceEntry *other, const Layout *layout,
                      const Criteria *criteria);
double round_to(double x, DType dtype);                                     /* the nearest number of that type */
double decibel(double ratio);                                               /* 10 log10; -inf for 0 */
void put_decibel(char text[24], double ratio);                              /* "-142 dB", "equal" */
void put_place(char text[96], const TraceEntry *t, size_t i);               /* "token 7 feature 381" */
void put_place_index(char text[96], const TraceEntry *t, size_t i);               /* "(7,381)" */

/* Reads element i of OTHER in REF's order, whatever OTHER's layout is; only after compare_entries said comparable. */
double other_element(const TraceEntry *ref, const TraceEntry *other, const Result *r, const Criteria *criteria,
                     size_t i);
bool element_counts(const TraceEntry *t, const Criteria *criteria, size_t i);     /* no masked row, no masked key */
double half_step_at(double y, DType dtype);
bool is_half(DType dtype);                                                  /* float16, bfloat16 */
double finite_score(const TraceEntry *t, double x);         /* a score of minus infinity as the lowest float32 */

/* ---------------------------------------------------------------------------------------------------------------------
 * In which order the numbers of a tensor lie (layout.c)
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    size_t b, head, row, col;
} Place;
Place place_at(const TraceEntry *t, size_t i);                              /* element i, counted in C's order */
size_t index_at(const TraceEntry *t, Place p);                              /* the element there */
size_t slice_at(const TraceEntry *t, const Slicing *s, Place p);
Place place_exchanged(const TraceEntry *t, const Slicing *s, Place p);
/* Where alone the two differ, or which two parts of OTHER are swapped, in words; "" where neither is so. */
void put_slices(char text[160], const TraceEntry *ref, const TraceEntry *other, const Result *r,
                const Criteria *criteria);
size_t layout_index(const Layout *l, Place p);                              /* where OTHER has it */
/* What OTHER's shape says; false: it does not fit REF's. */
bool layout_by_shape(Layout *l, const TraceEntry *ref, const SafeTensor *other);
/* Another order in which OTHER's numbers are REF's, whatever the shape says; false: there is none. */
bool layout_by_numbers(Layout *l, const TraceEntry *ref, const TraceEntry *other, const Criteria *criteria);

/* ---------------------------------------------------------------------------------------------------------------------
 * One trace against another (compare.c), and what is said of it (report.c)
 * ------------------------------------------------------------------------------------------------------------------ */
/* One more name of a tensor that is a pair already (twins.c). */
typedef struct {
    size_t row;                     /* the pair */
    const TraceEntry *ref, *other;
    bool of_ref;                    /* the second name is REF's, else OTHER's */
    bool same;                      /* the numbers are those of the first name, and so is the result */
    Result result;
} Twin;

typedef struct TraceComparison {
    const TraceView *ref, *other;
    Criteria criteria;
    const TraceEntry **pairs;       /* for each of REF's entries OTHER's, or NULL */
    Result *results;                /* for each pair */
    size_t compared, different;     /* pairs */
    size_t first;                   /* the first that differs; ref->count if none does */
    Twin *twins;                    /* by row */
    size_t twin_count, twins_different;
    const char *rounded;            /* both are rounded to this type, which decides what passes; or NULL */
} TraceComparison;
Status comparison_new(TraceComparison *c, const TraceView *ref, const TraceView *other, const Criteria *criteria,
                      Error *e);
void comparison_run(TraceComparison *c);                                            /* once more, from the same pairs */
void comparison_count(TraceComparison *c);                                          /* once more, from the results */
void comparison_free(TraceComparison *c);
bool used_rightly(const TraceComparison *c, size_t i);                              /* what is made from it is right */
bool is_attention(TraceName row);                                                   /* scores, probabilities, context */
Status comparison_twins(TraceComparison *c, Error *e);      /* the other names, once the pairs' results stand */
const Twin *first_twin(const TraceComparison *c);           /* the first that differs, if no pair before it does */
const char *twin_name(const Twin *twin);                    /* in its file */
bool twin_contradicts(const TraceComparison *c, const Twin *twin);     /* the first name of its row */
void print_contradiction(const TraceComparison *c, const char *ref_name, FILE *out);

/* Ids of both against each other; the sentence of the first difference into `sentence`, "" if there is none. */
void compare_ids(char sentence[256], const TraceView *ref, const TraceView *other, const Tokenizer *tokenizer);
void print_comparison(const TraceComparison *c, const char *ref_name, bool table, FILE *out);
void print_last_line(const TraceComparison *c, FILE *out);
void print_wrapped(FILE *out, const char *text);                            /* in lines of at most 120 columns */
double zeroed_share(const TraceEntry *t);
bool print_dropped(const TraceView *other, FILE *out);                      /* dropout left zeros in it */
Status fail_unknown(const TraceView *view, Error *e);                       /* not one name is known: quotes some */

/* ---------------------------------------------------------------------------------------------------------------------
 * A trial: a forward pass that can be fed and spoiled (trial.c)
 * ------------------------------------------------------------------------------------------------------------------ */
/* Half precision, as another program computes in it (rounding.c). */
typedef struct {
    DType dtype;                    /* DTYPE_BF16 or DTYPE_F16 */
    bool out[TRACE_COUNT];          /* rows whose results are rounded */
    Bert model;                     /* its weights rounded, too, where the program's are */
    void **owned;
    size_t owned_count;
} Rounding;

typedef struct Trial Trial;
typedef void StepInstead(Trial *t);     /* makes one tensor of t->layer in another way than bert.c */

typedef struct {                    /* one LayerNorm: where from, where to */
    real *out;                      /* (rows,H); NULL where there is no LayerNorm */
    const real *x, *gamma, *beta;
    real eps;
    size_t rows, H;
} Norm;
typedef void NormInstead(const Norm *n);

/* Everything that a mistake may touch is in here and is a copy, made new for each: the model's bindings (not its
 * weights), the ids, the list of steps. */
struct Trial {
    const Bert *unrounded;          /* the model that was loaded */
    const Bert *original;           /* the same, or what `rounding` made of it */
    Bert model;                     /* the struct copied; its layers too */
    Activations a;                  /* KEEP_EVERYTHING; a.batch points to `types` and `mask` */
    StepInstead *instead[TRACE_COUNT];      /* of each row of trace_table: another function, or NULL */
    NormInstead *norm;              /* another LayerNorm, for all of them, or NULL */
    int layer;                      /* of the step that runs, or -1 */
    int32_t *types, *mask;          /* (N) copies of the ids */
    const int32_t *given_types, *given_mask;
    int first_layer, last_layer;    /* the layers that this trial runs */
    double values[TRACE_COUNT];     /* the parameter of each of these functions */
    double value;                   /* the parameter of the mistake that is planted, or runs */
    const TensorSpec *tensor;       /* the tensor of the model that the mistake is planted in, or NULL */
    const Rounding *rounding;       /* steps are rounded as this says, or NULL */
    real *saved;                    /* (N,H) a residual while a product takes its rounded copy */
    real *spare;                    /* (N,H) for a mistake's own use */
    real *zeros, *ones;             /* as long as the longest bias */
    void **owned;                   /* weights that the mistake made */
    size_t owned_count, owned_room;
    bool failed;                    /* memory ran out */
};
Status trial_new(Trial *t, const Bert *m, const Batch *batch, const Request *request, Error *e);
void trial_reset(Trial *t);
void trial_free(Trial *t);
void trial_step(Trial *t, TraceName row, int layer);    /* makes that tensor, with the mistake */
void ordinary_step(Trial *t, TraceName row);            /* as bert.c does, but for t->norm; in t->layer */
Norm norm_of(Trial *t, TraceName row);                  /* the LayerNorm that makes that tensor, in t->layer */

/* One verification: both traces, and the trial, whose buffers are a third one. The entries of `c.ref` and `mine`
 * have the same names in the same places. */
typedef struct {
    TraceComparison c;                   /* the reference, REF here, against OTHER */
    TraceView mine;                 /* the trial's buffers */
    Trial trial;
    const bool *assumed;            /* which of the ids nobody gave */
    double *noise;                  /* of each tensor of the reference: the NMSE that rounding gives it (run_rounded) */
} Verification;
void overwrite(const TraceEntry *t, const void *numbers);
double as_computed(double ours, double y, DType dtype);
void feed(const Verification *v, size_t i);
void run_isolated(Verification *v);
size_t start_for(const Verification *v, size_t x);
void run_from(Verification *v, size_t first, size_t x);
void measure(Verification *v, size_t first, size_t x, Result *r, Result *next);

/* ---------------------------------------------------------------------------------------------------------------------
 * Half precision (rounding.c)
 * ------------------------------------------------------------------------------------------------------------------ */
enum { WRITTEN_DB = -95 };          /* nearer to ours no step comes that is computed in half precision */
DType computed_in(const Verification *v);                                   /* as OTHER's numbers say */
const char *dtype_word(DType dtype);                                        /* "bfloat16" */
Status rounding_new(Rounding *q, const Bert *m, DType dtype, const Verification *v, Error *e);
void rounding_free(Rounding *q);
void rounding_before(Trial *t, TraceName row);                              /* around the step of that row */
void rounding_after(Trial *t, TraceName row, real *data, size_t count);
void rounding_of_sum(Trial *t, TraceName row);
void run_rounded(Verification *v, const Rounding *q);
Status rounding_noise(double *nmse, double *cosine, Verification *v, const Rounding *q, size_t first, size_t x,
                      Error *e);

/* ---------------------------------------------------------------------------------------------------------------------
 * What an attention says of itself (unseen.c)
 * ------------------------------------------------------------------------------------------------------------------ */
void print_nan(const Verification *v, size_t x, FILE *out);             /* what makes an attention NaN for all real tokens */
void print_unseen(const Verification *v, size_t x, FILE *out);          /* keys that a mask hides from real tokens */
/* Dropout of the probabilities, where tensor x is these or the context; *said: it is. Trials start from `first`. */
Status print_attention_dropout(Verification *v, size_t first, size_t x, bool *said, FILE *out, Error *e);

/* ---------------------------------------------------------------------------------------------------------------------
 * The known mistakes (mistakes.c)
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum { IN_MODEL, IN_EACH_MATRIX, IN_EACH_BIAS, IN_EACH_GAMMA } Where;

typedef struct {
    const char *name;               /* short, for lists */
    const char *sentence;           /* what OTHER does; where it is planted in a tensor it follows the module's name */
    double value;                   /* a parameter: Trial.value */
    bool fitted;                    /* the parameter is searched for, from value / 724 to value, and said */
    bool (*plant)(Trial *t);        /* an edit, or NULL; false: it changes nothing here */
    Where where;                    /* once, or in every such tensor of the model, one at a time: Trial.tensor */
    NormInstead *norm;              /* another LayerNorm, or NULL */
    TraceName row;                  /* which tensor is made ... */
    StepInstead *instead;           /* ... by this, or NULL */
} Mistake;
extern const Mistake mistakes[];
extern const size_t mistakes_count;
bool trial_plant(Trial *t, const Mistake *mistake, const TensorSpec *spec, double value);      /* trial.c */

/* ---------------------------------------------------------------------------------------------------------------------
 * Gradients, and the known mistakes of training (gradients.c)
 * ------------------------------------------------------------------------------------------------------------------ */

/* `loss`, `loss.mlm`, `grad.NAME`: name, kind, form and place of such a tensor; false: it is none. */
bool resolve_gradient(TraceEntry *t, const char *name, int last);
bool is_label_name(const char *name);                                       /* labels, next_sentence_label */

/* What the model should have said. labels_read: one tensor of them, malloc'ed into *labels, which stays NULL if the
 * file has none. Numbers from 0 to `largest`, or -100 for none. */
typedef struct {
    const char *name;
    size_t count;                   /* as many as tokens or sequences */
    int largest;
} LabelSpec;
Status labels_read(const Safetensors *file, const char *path, const LabelSpec *spec, int32_t **labels, Error *e);

/* OTHER's losses and gradients, `other`, against ours for that batch, with the labels of the file. */
Status verify_gradients(const Bert *m, const TraceView *other, const Safetensors *file, const Batch *batch,
                        const VerifyOptions *options, FILE *out, Error *e);

typedef struct Lesson Lesson;
typedef struct {
    const char *name;               /* short, for lists */
    const char *sentence;           /* what OTHER does */
    double value;                   /* a parameter: Lesson.value */
    bool (*plant)(Lesson *t);       /* before the forward pass, an edit of model, mask or targets; false: it changes
                                     * nothing here */
    void (*after)(Lesson *t, BackStep step, int l);     /* after that step; b and h are in the Lesson */
    bool (*finish)(Lesson *t);      /* on the finished gradients; false as above */
} TrainingMistake;
extern const TrainingMistake training_mistakes[];
extern const size_t training_mistakes_count;

/* One step of learning that can be spoiled. */
struct Lesson {
    const Bert *original;
    Bert model;                     /* with weights of its own, which are the original's: `parameters` */
    Bert back;                      /* the model that goes backwards */
    Parameters parameters;
    Batch batch;
    Request request;
    Activations a;
    Gradients g;
    Targets targets;
    int32_t *labels, *next_sentence, *mask;     /* copies that a mistake may edit; NULL where there are none */
    const int32_t *given_labels, *given_next;
    int *rows;
    bool forward_is_spoiled;        /* by this mistake, or by the one before */
    bool no_lookup, last_lookup;    /* how the word embeddings' rows are added: not, only the last of each, ... */
    bool no_padding, padding_idx;   /* ... not to row 0: as the mistake, as OTHER's library does it */
    const TrainingMistake *mistake; /* that is planted, or NULL */
    int b, h;                       /* sequence and head that are on their way back */
    double value;
    double losses[3];               /* both, MLM, NSP */
    const int32_t *specials;        /* ids of [CLS] and [SEP], or NULL */
    const struct TraceComparison *c;        /* with OTHER, or NULL */
};
Status lesson_new(Lesson *t, const Bert *m, const Batch *batch, const int32_t *labels, const int32_t *next_sentence,
                  Error *e);
void lesson_free(Lesson *t);
bool lesson_run(Lesson *t, const TrainingMistake *mistake);     /* NULL: rightly. false: it changes nothing here */

/* ---------------------------------------------------------------------------------------------------------------------
 * The known habits of tokenizers (habits.c)
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct TextGiven {
    const Tokenizer *tokenizer;
    const Encoding *encoding;       /* its ids, as they should be */
    Text a, b;
    bool has_b, plain;              /* plain: special tokens in the text are plain text */
} TextGiven;

typedef struct {
    const char *name;               /* short, for lists */
    const char *sentence;           /* what OTHER's tokenizer does */
    uint64_t change;                /* the switches of habits.c */
} Habit;
extern const Habit habits[];
extern const size_t habits_count;

/* OTHER's `count` ids are not the text's: prints which habit, or which two, make them of it. Nothing, if none does.
 * habit_ids makes the text's ids with one habit, or for habits_count with none: malloc'ed into *ids. */
Status explain_ids(const TextGiven *given, const int32_t *other, size_t count, FILE *out, Error *e);
Status habit_ids(const TextGiven *given, size_t habit, int32_t **ids, size_t *count, Error *e);

#endif
