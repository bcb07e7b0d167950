/* weights.h - what reads and writes files: sizes, files, JSON, SHA-256, safetensors, config.json, the table of a BERT's
 * tensors. It fills the structs that bert.h declares, and calls no step.
 */
#ifndef WEIGHTS_H
#define WEIGHTS_H
#include "bert.h"

/* =====================================================================================================================
 * weights/files.c, json.c, sha256.c - bytes in and out: sizes that cannot overflow, files mapped or read, JSON, SHA-256
 * ================================================================================================================== */

/* a*b and a+b into *out; false, with *out untouched, if the result does not fit. Every size that comes from a file
 * goes through these two. */
bool size_mul(size_t a, size_t b, size_t *out);
bool size_add(size_t a, size_t b, size_t *out);
/* Makes *array, malloc'ed and of elements of `size` bytes, long enough for `wanted` elements: twice as many, if *room of
 * them were too few. False: out of memory, or more than memory can have; then *array and *room are as before. */
bool lengthen_array(void *array, size_t size, size_t *room, size_t wanted);

bool ends_with(const char *text, const char *end);

/* Length in bytes of the UTF-8 character at p, of which n bytes are left; 0 if there is none. */
int utf8_character(const unsigned char *p, size_t n);

typedef struct {
    char *path;
    const unsigned char *data;
    size_t size;
    bool mapped;            /* data is a mapping of the file, not a copy of it */
} FileView;

/* The whole file, read-only: mapped where that works, else read into memory. Directories and special files are refused.
 * BERT_FILE if it cannot be opened or read, BERT_SYSTEM if memory runs out. */
Status file_open(FileView *file, const char *path, Error *e);
void file_close(FileView *file);
bool file_exists(const char *directory, const char *name);
/* directory/name in *path, malloc'ed. BERT_SYSTEM if memory runs out. */
Status path_join(char **path, const char *directory, const char *name, Error *e);
/* The path, safe to print, of the mapped file that the address lies in, or NULL: for a signal handler. */
const char *file_mapped_at(const void *address);
void wish_large_pages(void *memory, size_t size);      /* for memory of many MB: see weights/files.c */
/* BERT_FILE if the text of that path begins with a byte order mark, which JSON and vocab.txt do not have. */
Status refuse_bom(const char *path, const unsigned char *text, size_t size, Error *e);

/* An output file that appears whole or not at all: written to a temporary file beside `path`, then renamed. "-" is
 * standard output. */
typedef struct {
    FILE *stream;
    char *path, *temporary;
} OutputFile;
Status output_open(OutputFile *out, const char *path, Error *e);
Status output_commit(OutputFile *out, Error *e);        /* flush, close, rename; on failure the temporary is removed */
void output_abort(OutputFile *out);                     /* close and remove; safe on a zeroed or committed struct    */
void output_interrupted(void);                          /* for signal handlers: removes the temporary, nothing else  */

/* weights/program.c: what a program does first. Closed standard streams are taken; a signal that ends it removes
 * the temporary file; a mapped file that is cut is a message. `name` begins that message. */
void program_start(const char *name);
/* For a program that has something to save: from program_ends_gently on, SIGINT, SIGTERM and SIGHUP only leave their
 * number, which program_ending returns (0: none came), and a second one ends it at once. program_ends does, as the
 * signal would have. */
void program_ends_gently(void);
int program_ending(void);
void program_ends(int number);

/* JSON, pulled value by value: no recursion, no allocation, bounded depth. Messages carry file, byte and key.
 * json_open skips white space and, when the text is not an object, fails. Typical use:
 *
 *     json_open(&j, path, bytes, n, e);
 *     while ((s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
 *         if (!strcmp(key, "hidden_size")) json_integer(&j, &config->H, ...); else json_skip(&j, e);
 *     json_end(&j, e);
 */
enum { JSON_DEPTH = 32 };
typedef struct {
    const char *path;               /* for messages */
    const unsigned char *text;
    size_t size, at;                /* `at`: the next byte to read */
    size_t base;                    /* offset of text[0] in its file, for messages */
    int depth;                      /* open objects and arrays */
    char kind[JSON_DEPTH];          /* '{' or '[' of each */
    bool first[JSON_DEPTH];         /* no member of it has been read yet */
    char key[128], outer_key[128];  /* whose value is read, for messages: the inner one, the outermost; "" between */
    int key_depth;                  /* 1: both are the same */
    bool of_python;                 /* json_skip takes NaN, Infinity and -Infinity, which Python's json writes */
} JsonReader;
Status json_open(JsonReader *j, const char *path, const unsigned char *text, size_t size, size_t base, Error *e);
Status json_begin(JsonReader *j, char kind, Error *e);  /* enters the object '{' or array '[' that comes next */
/* The next member of the object or array; *more is false when there is none, and the object or array is left. */
Status json_next_key(JsonReader *j, char *key, size_t capacity, bool *more, Error *e);
Status json_next_element(JsonReader *j, bool *more, Error *e);
/* The kind of the next value: '{' '[' '"' '0' (a number) 't' 'f' 'n', or 0 if it is malformed. */
char json_peek(JsonReader *j);
/* A value. Strings are UTF-8 and NUL-terminated; one that is longer than the buffer, or holds U+0000, is an error. */
Status json_string(JsonReader *j, char *text, size_t capacity, Error *e);
Status json_integer(JsonReader *j, int64_t *value, Error *e);   /* 768, never 768.0, 1e3, 007 or -0 */
Status json_number(JsonReader *j, double *value, Error *e);     /* no locale */
Status json_bool(JsonReader *j, bool *value, Error *e);
Status json_skip(JsonReader *j, Error *e);                      /* any value, however nested, depth bounded */
Status json_end(JsonReader *j, Error *e);                       /* only white space is left */

/* SHA-256 (FIPS 180-4), to say which file a committed number belongs to. */
typedef struct {
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
} Sha256;
void sha256_start(Sha256 *s);
void sha256_add(Sha256 *s, const void *data, size_t size);
void sha256_end(Sha256 *s, char hex[65]);               /* 64 lower-case digits and a NUL */

/* =====================================================================================================================
 * weights/safetensors.c - the only weight format that `bert` reads: a JSON header and raw little-endian tensors
 * ================================================================================================================== */
const char *dtype_name(DType dtype);                    /* "F32" ... as the format spells it */
size_t dtype_size(DType dtype);                         /* bytes of one element */

enum { MAX_RANK = 8 };
typedef struct {
    char *name;
    DType dtype;
    int rank;
    size_t shape[MAX_RANK];
    size_t count;                   /* elements: the product of the shape */
    const void *data;               /* count * dtype_size bytes; may be misaligned in a file that others wrote */
} SafeTensor;

typedef struct Safetensors {
    FileView file;
    SafeTensor *tensors;            /* in the order of their data */
    size_t count;
    const SafeTensor **by_name;     /* the same, sorted by name, for safetensors_find */
    char *names;                    /* the one allocation behind all names */
    char *metadata;                 /* the __metadata__ object as its JSON text, or NULL */
    /* set by weights_open only: */
    /* (shard_count) the files behind an index, whose tensors are listed above; or NULL */
    struct Safetensors *shards;
    size_t shard_count;
    /* what stands before the encoder's names: "bert.", "", "module.bert." ...; NULL: not known */
    char *prefix;
    size_t head_prefix;             /* so much of it stands before the heads' names */
    bool distilbert;                /* its tensors have DistilBERT's names */
} Safetensors;

/* Opens and checks everything (header length, UTF-8, JSON, dtype, shape, offsets without holes, overlap or trailing
 * bytes) before anything is used. BERT_FILE with path, tensor, offset, what was found and what was expected. */
Status safetensors_open(Safetensors *st, const char *path, Error *e);
const SafeTensor *safetensors_find(const Safetensors *st, const char *name);    /* NULL if there is none */
void safetensors_close(Safetensors *st);

/* Writes tensors (I64 first, then the rest in the order given, so that all data are aligned) and metadata pairs
 * {key, value}, all or nothing (OutputFile). */
Status safetensors_write(const char *path, const SafeTensor *tensors, size_t count,
                         const char *const (*metadata)[2], size_t pairs, Error *e);
/* The same into an open stream: an error stays in it and shows at output_commit. */
void safetensors_put(FILE *out, const SafeTensor *tensors, size_t count,
                     const char *const (*metadata)[2], size_t pairs);

/* Element i of a tensor of any floating dtype, exactly. Slow and obvious: for checks and comparisons. */
double tensor_element(const SafeTensor *t, size_t i);
float half_to_float(uint16_t h);
float bfloat16_to_float(uint16_t h);

/* =====================================================================================================================
 * weights/shards.c - a model's weights, in one file or in several with an index, and what stands before their names
 * ================================================================================================================== */
enum { PREFIX_LIMIT = 400 };            /* a longer prefix is not looked for */

/* As safetensors_open, and the same function closes it; a path that ends with .index.json is that of several files,
 * which are opened together. Finds what stands before the names; two models in one file are refused. */
Status weights_open(Safetensors *st, const char *path, Error *e);
bool is_shard_index(const char *path);
bool is_other_family(const char *prefix, char separator);      /* ends with roberta., electra., ...: no BERT's */
bool prefix_is_usual(const Safetensors *st);            /* `bert.` or nothing, as Hugging Face's library has it */
const char *tensor_path(const Safetensors *st, const SafeTensor *t);   /* the file that the tensor is in */
size_t weights_size(const Safetensors *st);             /* bytes of the file, or of all shards */

/* The index of shards by itself, of safetensors or of other files. */
typedef struct {
    const char *tensor;
    size_t shard;
} ShardEntry;
typedef struct {
    FileView index;
    char *names;                        /* the one allocation behind all names */
    size_t names_used;
    const char **shards;                /* (shard_count) names of files beside the index */
    size_t shard_count;
    ShardEntry *entries;                /* (count) sorted by tensor */
    size_t count, capacity;
} ShardList;
Status shard_list_open(ShardList *list, const char *path, Error *e);
void shard_list_close(ShardList *list);
Status shard_path(const ShardList *list, size_t shard, char **path, Error *e);     /* malloc'ed */
/* BERT_FILE unless the shard, whose tensors are `names`, has exactly those that the index says. */
Status shard_check(const ShardList *list, size_t shard, const char *path, const char *const *names, size_t count,
                   Error *e);

/* =====================================================================================================================
 * weights/config.c, weights/model.c - config.json, and the one table of tensors
 * ================================================================================================================== */
/* BERT_FILE with the key, what was found and what was expected; other model types are refused by name. */
Status config_load(BertConfig *config, const char *path, Error *e);
/* The file of weights that config.json names in transformers_weights; empty if it names none. */
Status config_names_weights(char *name, size_t capacity, const char *path, Error *e);
/* The sizes that the file left out and that were filled in, as "type_vocab_size 2, ..." for a message;
 * false if none. */
bool config_filled_in(const BertConfig *config, char *text, size_t capacity);
bool config_take_vocabulary(BertConfig *config, int pieces);    /* V, if the file leaves it out: then true */

/* weights/labels.c: what config.json says about a fine-tuned model's labels. */
enum { MAX_LABELS = 1 << 20 };
typedef enum { PROBLEM_UNSAID, PROBLEM_REGRESSION, PROBLEM_SINGLE_LABEL, PROBLEM_MULTI_LABEL } ProblemType;
/* A cross-encoder's setting. FOREIGN: no class of torch, which sentence-transformers does not run; UNKNOWN: another
 * class of torch than Identity and Sigmoid. */
typedef enum {
    ACTIVATION_UNSAID, ACTIVATION_NONE, ACTIVATION_SIGMOID, ACTIVATION_FOREIGN, ACTIVATION_UNKNOWN
} CrossActivation;
typedef struct {
    const char *name;
    int id;
} LabelId;
typedef struct {
    int count;                      /* the classifier's K, where there is one */
    bool named;                     /* the names are config.json's; false: LABEL_0 ... */
    const char **names;             /* (count), of row 0 .. count-1; as the file has them: escape before printing */
    LabelId *ids;                   /* (id_count) label2id, in the order of the file */
    int id_count;
    ProblemType problem;
    CrossActivation activation;
    char activation_name[256];      /* as the file has it */
    const char *activation_place;   /* "config.json: KEY", where it stands */
    char *memory, *defaults;        /* behind the names */
} Labels;
/* From the directory's config.json. BERT_FILE, with the key, if the labels do not fit each other or the classifier's
 * rows. */
Status labels_load(Labels *l, const char *directory, const BertConfig *config, Error *e);
void labels_free(Labels *l);
const char *labels_equal(const Labels *l);      /* a name that two rows have; NULL: there is none */
/* The row that means entailment: the first of label2id (without one, of id2label) that begins with "entail", in any case;
 * -1: there is none. */
int labels_entailment(const Labels *l);

/* weights/modules.c: what a sentence-transformers directory says about its vectors. BERT_FILE, with file and key, if it
 * cannot be obeyed. */
enum { MAX_MODULES = 16, MAX_POOLINGS = 8 };
typedef struct {
    char model[256];                /* where below the directory the BERT is; "": in it */
    int argued_length;              /* model_max_length among the tokenizer's arguments, which comes first; or 0 */
    bool own_length;                /* max_length is max_seq_length, which may be beyond the model's positions */
    int max_length;                 /* max_seq_length: tokens that a text is cut to; 0: nothing is said */
    bool cuts;                      /* a text that is too long is cut, not refused, where a vector is made of it */
    bool lower_case;                /* do_lower_case: for a cased vocabulary; accents stay */
    bool pairs;                     /* of a cross-encoder: logits of its classifier are wanted */
    bool fill_mask;                 /* transformer_task: the logits of the MLM head are pooled, not hidden states */
    char file[40];                  /* of the directory `model`: where the Transformer's settings are, or would be */
    char output[32];                /* method_output_name of texts, if it is said: "last_hidden_state" or "logits" */
} SentenceText;

/* Tokens' vectors (T,H) to one (H). */
typedef enum { POOLED_CLS, POOLED_MAX, POOLED_MEAN, POOLED_MEAN_SQRT, POOLED_WEIGHTED, POOLED_LAST } TokenPooling;

typedef enum { MODULE_DENSE, MODULE_LAYER_NORM, MODULE_NORMALIZE } ModuleKind;
typedef struct {
    ModuleKind kind;
    size_t in, out;                 /* numbers of a vector before and after; 0 for MODULE_NORMALIZE */
    bool tanh;                      /* MODULE_DENSE: of every number, at its end */
    real *weight, *bias;            /* MODULE_DENSE: (out,in) and (out) or NULL; MODULE_LAYER_NORM: (in) both */
} SentenceModule;

typedef struct {
    TokenPooling poolings[MAX_POOLINGS];    /* their vectors one after another */
    int pooling_count;
    bool splade;                    /* SpladePooling instead: the weight of every piece, from its logits */
    bool splade_sum;                /* over the tokens; else the maximum */
    bool splade_twice;              /* log(1 + log(1 + x)) instead of log(1 + x) */
    bool include_prompt;            /* false: the tokens of the prompt are not pooled */
    SentenceModule modules[MAX_MODULES];    /* what comes after the pooling, in this order */
    int count;
    size_t dim;                     /* numbers of the vector at the end: the first ones, where truncate_dim says so */
} SentenceModel;

/* similarity_fn_name: how two vectors are compared. */
typedef enum { SIMILARITY_COSINE, SIMILARITY_DOT, SIMILARITY_EUCLIDEAN, SIMILARITY_MANHATTAN } Similarity;
typedef struct {                    /* config_sentence_transformers.json, without the prompts */
    size_t truncate_dim;            /* numbers that are left of a vector; 0: all */
    bool active_dims;               /* max_active_dims: only the largest weights of SPLADE's are left */
    bool says_similarity;
    Similarity similarity;
} VectorSettings;

bool is_sentence_directory(const char *directory);
/* The name of a file that such a directory has, where modules.json and 1_Pooling are missing; NULL: there is none. */
const char *sentence_leftover(const char *directory);
/* Where the model is and how it wants its texts; zeros if the directory is none of sentence-transformers. */
Status sentence_text_read(const char *directory, SentenceText *text, Error *e);
/* How vectors are made of the last hidden state, H numbers a token, or of V logits. *m is empty if it fails. */
Status sentence_model_read(const char *directory, size_t H, size_t V, SentenceModel *m, Error *e);
Status vector_settings_read(const char *directory, VectorSettings *settings, Error *e);     /* zeros without the file */
/* The same for the pairs of a cross-encoder: modules.json, if it is there, has a Transformer and nothing else. */
Status sentence_pairs_read(const char *directory, SentenceText *text, Error *e);
void sentence_model_free(SentenceModel *m);
/* The names of the modules only, for a recipe of one's own: is Normalize among them, and any that is left out then? */
Status sentence_modules_named(const char *directory, bool *normalize, bool *others, Error *e);
/* The prompt of that name, or with NULL the default one; malloc'ed, NULL if there is none or it is empty. BERT_USAGE if
 * the directory has none of that name. */
Status prompt_read(const char *directory, const char *name, char **prompt, Error *e);
Status prompt_names(const char *directory, char names[400], Error *e);  /* of those with text: "query, document" */

typedef enum {
    GROUP_ENCODER, GROUP_POOLER, GROUP_MLM, GROUP_NSP,
    GROUP_PRE_CLASSIFIER, GROUP_CLASSIFIER, GROUP_QA,               /* heads of fine-tuned models, from GROUP_TASK on */
    GROUPS, GROUP_TASK = GROUP_PRE_CLASSIFIER
} Group;
typedef enum { KIND_MATRIX, KIND_BIAS, KIND_NORM, KIND_EMBEDDING } Kind;

/* One row of the one table of tensors: it drives loading, checking, `info`, conversion. `*` in a name is the layer. */
typedef struct {
    const char *name;               /* Hugging Face's, without `bert.` */
    const char *alias;              /* the older Hugging Face name (gamma, beta), or one that counts first; or NULL */
    const char *tf;                 /* TensorFlow's variable, without `bert/`; or NULL */
    const char *distilbert;         /* DistilBERT's, without `distilbert.`; NULL: it has no such tensor */
    Group group;
    Kind kind;                      /* KIND_MATRIX: TensorFlow stores it transposed, (in, out) */
    char rows, cols;                /* shape by symbol, e.g. 'F','H'; '2' is the number 2; rows 0: one-dimensional */
    bool optional;                  /* may be missing: then `tied` is used */
    const char *tied;               /* the tensor that is used instead, or NULL */
    size_t field;                   /* offset in Bert, or in BertLayer for names with `*` */
} TensorSpec;
extern const TensorSpec tensor_table[];
extern const size_t tensor_table_size;
bool spec_per_layer(const TensorSpec *spec);                                    /* its name has a `*` */
const char *spec_pattern(const TensorSpec *spec, bool distilbert);              /* the name in such a model, or NULL */
void spec_name(const char *pattern, int layer, char *name, size_t capacity);    /* puts the layer for `*` */
size_t symbol_size(char symbol, const BertConfig *config);      /* 'H' -> 768; 1 for what is no letter of the table */
size_t spec_rows(const TensorSpec *spec, const BertConfig *config);             /* 1 for one-dimensional tensors */
size_t spec_cols(const TensorSpec *spec, const BertConfig *config);
/* The tensor of a row in a file, or NULL: behind the file's prefix (in a file that weights_open has not seen: `bert.`
 * or nothing), under its alias or its name, or its name in DistilBERT. Whoever looks for a tensor asks here, so that
 * all see the same one. */
const SafeTensor *spec_find(const TensorSpec *spec, int layer, const Safetensors *file);
/* A matrix of the file that no BERT has, with a side of H: whoever left it there may have made the vectors by it. NULL:
 * there is none. */
const SafeTensor *matrix_beside(const Bert *m);

/* Path of a model directory's weights, malloc'ed: model.safetensors, else model.safetensors.index.json, else the one
 * *.safetensors. What others could be meant is refused by name. */
Status model_file(char **path, const char *directory, Error *e);
/* The name that `make weights MODEL=` fetches this directory by, or NULL if it is none of the four. */
const char *fetched_model(const char *directory);
Status model_file_if_any(char **path, const char *directory, Error *e);     /* NULL, and no error, if there is none */
/* weights/parameters.c: a model of that size, with the heads of pre-training, whose weights have no numbers yet:
 * parameters_new makes them zeros. bert_free frees it. */
Status bert_blank(Bert *m, const BertConfig *config, Error *e);
/* One more head, or a new one instead of the old, also without numbers: GROUP_POOLER, or a group from GROUP_TASK on.
 * K: the rows of a classifier. Before parameters_new. */
void bert_drop_heads(Bert *m, bool pooler);     /* all; and the pooler, which only classifiers of texts need */
void bert_add_head(Bert *m, Group group, int K);

/* weights/training.c: what `bert train` leaves in its directory, and finds there again. */
typedef struct {                    /* what config.json says about training */
    double dropout, probs_dropout;  /* hidden_dropout_prob, attention_probs_dropout_prob: 0 <= p < 1 */
    double texts_dropout;           /* classifier_dropout, below 0: not said; DistilBERT's seq_classif_dropout */
    double answers_dropout;         /* DistilBERT's qa_dropout; else 0 */
    double head_dropout;            /* of what the head that is learned reads */
    double initializer_range;       /* the standard deviation of random weights */
    const char *architecture;       /* what follows Bert or DistilBert; written, not read: NULL is that without a task */
    const char *const *labels;      /* (label_count) of a classifier, without control characters */
    int label_count;
    bool of_texts;                  /* the labels are of texts, not of tokens */
} TrainingConfig;
Status training_config_load(TrainingConfig *t, const char *path, bool distilbert, Error *e);
Status training_config_write(const char *path, const BertConfig *config, const TrainingConfig *t, int pad_id, Error *e);
Status tokenizer_config_write(const char *path, const Tokenizer *t, const BertConfig *c, Error *e);
/* The weights under Hugging Face's names, as float32 (bert64: float64). */
Status model_write(const char *path, const Parameters *p, Error *e);

typedef struct {
    const char *name, *value;
    const char *option;             /* how the command line calls it */
    bool may_differ;                /* after a resume: it is written, and not compared */
} Setting;
/* All that a run needs to go on as if it had never stopped: weights, the optimizer's means, the number of steps done,
 * and the settings. */
Status state_write(const char *path, const Parameters *p, const AdamW *o, const Setting *settings, size_t count,
                   Error *e);
/* BERT_USAGE, with both values, if a setting is another one than when the state was written; BERT_FILE if the state is
 * not one of this model. `log_size` is the setting log_size. */
Status state_read(const char *path, Parameters *p, AdamW *o, const Setting *settings, size_t count, size_t *log_size,
                  Error *e);

/* A model's path, as bert_load and --model take it: a directory, or one file of weights, whose directory has the rest.
 * Into *directory and *weights, malloc'ed; *weights is NULL for a directory. */
Status model_place(const char *path, char **directory, char **weights, Error *e);

#endif
