/* bert.h - the book's contents: the legend, then the types and functions of tokenizer.c, tensor.c, bert.c and learn.c,
 * in the order of the data. What reads files is in weights/weights.h.
 *
 * BERT turns each token of a text into H numbers that depend on the whole text. It learned to do so from two exercises:
 * guessing words that were hidden (MLM, masked language model), and saying whether one text follows another (NSP, next
 * sentence prediction). What tokenizer.c, tensor.c and bert.c compute is the finished, trained model: nothing is
 * learned while it runs. How it came to know what it knows is in learn.c.
 *
 *     text --tokenizer.c--> ids --bert.c--> embeddings --> L x (attention, feed-forward) --> pooler / MLM / NSP
 *                                    \________ every sum, product and curve: tensor.c ________/
 *
 * SYMBOLS (the paper's letters; the same ones in every comment, here and in the other files)
 *
 *     L  layers (blocks)      12      V  vocabulary            30,522     B  sequences in a batch
 *     H  hidden size         768      P  positions                512     T  tokens of one sequence
 *     A  attention heads      12      S  segments (token types)     2     N  tokens of the whole batch
 *     D  head size, H/A       64      F  feed-forward size      3,072     M  rows that the MLM head is asked for
 *
 *     K  inputs of one matrix product; labels of a head   O  outputs of one matrix product
 *     l  a block, 0 .. L-1, or a hidden state, 0 .. L
 *
 * The numbers are those of BERT-Base. A shape such as (N,H) is N rows of H numbers, the last index running fastest.
 * In attention i is always the query (the token that looks) and j the key (the token that is looked at). (In
 * tokenizer.c, A and B are the two texts of a pair.)
 *
 * WORDS
 *
 *     tensor         a table of numbers with any number of dimensions; its shape is how many in each
 *     weight         a learned number, or a tensor of them; the parameters of a model are all its weights
 *     token          a word or a piece of one; the vocabulary lists V of them
 *     embedding      the row of H learned numbers that stands for a token, before any context
 *     hidden state   hidden state l is those rows after l blocks, (N,H): 0 is the first block's input, L the last one's
 *                    output. Blocks count from 0: block l makes hidden state l+1 of hidden state l. Python's
 *                    hidden_states[l] has the same l, and its -1 is L
 *     batch          sequences that are computed together, their tokens end to end (concatenated)
 *     packed         of rows of numbers: laid out as panels, the order in which the kernel of tensor.c reads them
 *     dense, linear  a layer y = x W^T + b with a learned matrix W and a learned vector b, the bias
 *     feed-forward   two dense layers with a curve (GELU) between, each token by itself
 *     attention head one of A independent ways to look at the other tokens, each on D of the H columns
 *     residual       the input of a layer, which is added to its output
 *     LayerNorm      each row shifted and scaled to mean 0 and variance 1, then by learned numbers
 *     task head      the last layers, which turn hidden states into an answer
 *     softmax        turns any scores into numbers from 0 to 1 that add up to 1, the larger the score the larger
 *     logit          a score before softmax has made probabilities of the scores
 *     segment        which of the two texts of a pair a token is in: 0 or 1
 *     padding, mask  tokens that only fill up a sequence to a given length; the attention mask says 0 for them
 *     [CLS] [SEP]    open a sequence, and end each text in it; [PAD] fills up, [MASK] is a word to guess, [UNK] is a
 *                    word that the vocabulary has no pieces for
 *
 * NOTES IN THE COMMENTS
 *
 *     Why:      the reason for what is done                  Trap:     where other programs have gone wrong
 *     Differs:  the paper, Google's code, Hugging Face's or a document disagree; and whom we follow
 *     Verify:   the name of these numbers in `bert trace`, for comparing them with another program's; or a test
 *     Source:   where it is defined                          Example:  some numbers, and what they become
 *
 * DOCUMENTS: four public explanations of BERT, whose numbers are computed again here (README.md has their links)
 *
 *     the word-embedding tutorial    McCormick and Ryan's BERT Word Embeddings Tutorial, as it stands in the page
 *                                    BERT Model Embedding Vector (myuniverse24.com)
 *     the encyclopedia               Wikipedia's BERT (language model), which stands in the same page
 *     the others                     BERT Embeddings (tutorialsforbeginner.com); Bert embeddings explained (a page of
 *                                    snippets); Creating BERT Embeddings with Hugging Face Transformers, by Anurag
 *                                    Singh Choudhary (Analytics Vidhya)
 *
 * The running example is the bank sentence, "After stealing money from the bank vault, the bank robber was seen fishing
 * on the Mississippi river bank.": one word, three places, two senses.
 *
 * SIXTEEN STEPS, numbered once; each is headed STEP n in the code, in this order
 *
 *     Tokenizer   1 clean            2 split             3 WordPiece            4 ids, segments, mask
 *     Embedding   5 three embeddings summed              6 LayerNorm
 *     Encoder     7 query, key, value   8 scores   9 softmax   10 context   11 dense, residual, LayerNorm
 *     (L times)   12 feed-forward up, GELU               13 feed-forward down, residual, LayerNorm
 *     Task head   14 pooler, NSP     15 MLM transform, decoder (softmax)        16 word and sentence vectors, cosine
 *     (a fine-tuned model's classifier is part of step 14 if it reads [CLS], of step 15 if it reads every token)
 *
 * REFERENCES
 *
 *     [paper]  Devlin, Chang, Lee, Toutanova: BERT: Pre-training of Deep Bidirectional Transformers for Language
 *              Understanding. 2018, arXiv:1810.04805
 *     [attn]   Vaswani et al.: Attention Is All You Need. 2017, arXiv:1706.03762
 *     [gelu]   Hendrycks, Gimpel: Gaussian Error Linear Units. 2016, arXiv:1606.08415
 *     [ln]     Ba, Kiros, Hinton: Layer Normalization. 2016, arXiv:1607.06450
 *     [hf]     Hugging Face transformers, models/bert/modeling_bert.py, with PyTorch's nn layers, and Hugging Face
 *              tokenizers: class and function names are given
 *     [tf]     google-research/bert, modeling.py, tokenization.py, run_pretraining.py: function names are given
 */
#ifndef BERT_H
#define BERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BERT_VERSION "0.1.0"

/* ---------------------------------------------------------------------------------------------------------------------
 * The number type. All arithmetic is written once over `real`: float in `bert`, double in `bert64` (-DREAL=double),
 * the same program with 29 more bits of precision, against which the error of the float program is measured.
 * ------------------------------------------------------------------------------------------------------------------ */
#ifndef REAL
#define REAL float
#endif
typedef REAL real;

/* ---------------------------------------------------------------------------------------------------------------------
 * Errors. The library never exits and never prints: it returns a Status and leaves one sentence in an Error.
 * The values are the exit codes of the command line. A caller's bug, as opposed to bad input, is an assert.
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum {
    BERT_OK = 0,
    BERT_DIFFERENT = 1,     /* compared, and different                                      */
    BERT_USAGE = 2,         /* the command line is wrong                                    */
    BERT_FILE = 3,          /* a model or another input file is missing or corrupt          */
    BERT_TEXT = 4,          /* the input text is rejected: invalid UTF-8, too long          */
    BERT_HEAD = 5,          /* the weights lack the head that was asked for                 */
    BERT_SYSTEM = 6         /* out of memory, or a file could not be read or written        */
} Status;

typedef struct {
    Status status;
    char message[1024];     /* one line, no newline at its end; control characters are escaped */
    size_t byte, line;      /* where: a byte of the text or file, a line or another input; from 1, or 0 if not known */
    int text;               /* the byte is one of the first (1) or second (2) text of a pair, or of neither (0) */
    size_t reason;          /* message + reason is the sentence without the byte in front */
} Error;

/* Writes the sentence (printf rules) into *e, escapes control characters, and returns `status`,
 * so that a failing check is one line:  return fail(e, BERT_FILE, "%s: ...", path); */
Status fail(Error *e, Status status, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* The same for BERT_TEXT and a byte of the text: "byte 17: ..." or, of text 2, "byte 17 of the second text: ...". */
Status fail_text(Error *e, int text, size_t byte, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 4, 5)))
#endif
    ;

/* Text that is safe on a terminal: control characters and what is no UTF-8 become \xNN. Cuts what does not fit into
 * `capacity`, its NUL included; returns how many bytes of `from` are in `to`. */
size_t escape(char *to, size_t capacity, const char *from);

/* =====================================================================================================================
 * tokenizer.c - steps 1 to 4: text -> clean -> CJK -> strip accents, lower case -> split -> WordPiece -> ids
 * ================================================================================================================== */
typedef struct Vocabulary Vocabulary;                   /* pieces and their lookup: weights/vocabulary.c */

typedef struct {
    Vocabulary *vocabulary;
    int V;
    int pad_id, unk_id, cls_id, sep_id, mask_id;    /* of [PAD] [UNK] [CLS] [SEP] [MASK], or whatever the files call
                                                     * them: looked up, never assumed. -1: there is none */
    bool lower_case, strip_accents, chinese_chars;
    bool plain;                                         /* special tokens in the text are always plain text */
    const char *cls_null, *sep_null;                    /* the file that says cls_token, sep_token: null; or NULL */
    bool sep_named;                                     /* some file calls [SEP] a special token by its key */
    bool no_segments;                                   /* the second text of a pair is in segment 0, too */
    bool truncate_left, pad_left;                       /* the side on which long texts are cut, short ones filled */
    int max_length;                                     /* model_max_length of tokenizer_config.json, or 0 */
    int longest_word;                                   /* characters; a longer word is one [UNK] */
    char case_source[64];                               /* who decided lower_case: "--cased", ... */
} Tokenizer;

typedef enum { CASE_AUTO, CASE_CASED, CASE_UNCASED } CaseChoice;

/* Reads the pieces from directory/tokenizer.json or vocab.txt (where both are there, they must agree), and what
 * tokenizer_config.json, special_tokens_map.json and added_tokens.json say. `choice` overrides do_lower_case; with
 * neither, a vocab.txt in which many pieces have capital letters is taken as cased. BERT_FILE: missing, malformed,
 * or not what tokenizer.c does (file, key, what was found). */
Status tokenizer_load(Tokenizer *t, const char *directory, CaseChoice choice, Error *e);
void tokenizer_free(Tokenizer *t);
const char *tokenizer_piece(const Tokenizer *t, int id);                        /* 0 <= id < V */
int tokenizer_id(const Tokenizer *t, const char *piece, size_t length);         /* -1 if it is no piece */
int tokenizer_rows(const Tokenizer *t);     /* rows that a model needs for the pieces: the last one's id, and 1 */

typedef struct {
    const char *bytes;              /* UTF-8; not NUL-terminated: a NUL is a character like any other */
    size_t length;
} Text;

typedef struct {
    bool plain;                     /* --no-special: [MASK] and friends in the text are plain text */
    bool no_add_special;            /* leave [CLS] and [SEP] out */
    int max_length;                 /* tokens at most, 0 for no limit */
    bool truncate, pad;             /* to max_length */
    int segments;                   /* token type of every token, or -1: 0 for A, 1 for B (0 if no_segments) */
    bool no_offsets;                /* they are more than half of an Encoding's memory */
} EncodeOptions;

typedef struct {
    int T, capacity;
    int32_t *input_ids, *token_type_ids, *attention_mask;   /* (T) each */
    size_t (*offsets)[2];           /* (T) bytes [begin, end) in A or B; [CLS], [SEP], padding: 0, 0 */
    bool no_offsets;                /* as the options said: offsets is NULL */
} Encoding;

/* Text (and second segment, or NULL) to ids. `out` is zeroed before its first use and is reused after that.
 * BERT_TEXT with the byte: invalid UTF-8; longer than max_length without truncate. BERT_SYSTEM: out of memory. */
Status encode(const Tokenizer *t, Text a, const Text *b, const EncodeOptions *options, Encoding *out, Error *e);
void encoding_free(Encoding *encoding);

/* Steps 1 and 2 alone: calls `sink` for every word of the text that is not longer than longest_word, in order; stops
 * where it returns anything but BERT_OK. BERT_TEXT with the byte: invalid UTF-8. For learning a vocabulary: t may be one
 * of tokenizer_blank, without any piece. */
typedef Status WordSink(void *context, const char *word, size_t length, Error *e);
Status split_text(const Tokenizer *t, Text text, WordSink *sink, void *context, Error *e);
Status tokenizer_blank(Tokenizer *t, bool lower_case, Error *e);

/* One stage of steps 1 to 4, as `tokenize --trace` and `explain` show it. */
typedef struct {
    int step;                       /* 1 to 4; 0: the text as it came */
    const char *name;               /* a constant: "clean", "sort marks", ... "mask"; step 0: "text", "text A" ... */
    Text text;                      /* steps 0 to 3: what the stage gave, hidden characters as <U+0301>, a blank behind
                                     * each word and piece. bytes NULL: this model does not have the stage */
    const int32_t *values;          /* step 4: (count) */
    size_t count;                   /* words of step 2, pieces of step 3, values of step 4 */
} TokenizeStage;

/* Encodes the text (and the second one, or NULL) and calls `trace` for every stage, in order; stops where it returns
 * anything but BERT_OK. print_stage is such a function: it prints a line to the FILE * that `context` is. */
typedef Status TokenizeTrace(void *context, const TokenizeStage *stage, Error *e);
Status tokenize_trace(const Tokenizer *t, Text a, const Text *b, const EncodeOptions *options, TokenizeTrace *trace,
                      void *context, Error *e);
Status print_stage(void *context, const TokenizeStage *stage, Error *e);

/* =====================================================================================================================
 * tensor.c - the arithmetic. Outputs first, inputs const, sizes last
 * ================================================================================================================== */

/* The types of numbers that files have, as the safetensors format spells them. */
typedef enum {
    DTYPE_F32, DTYPE_F64, DTYPE_F16, DTYPE_BF16, DTYPE_I64, DTYPE_I32, DTYPE_I16, DTYPE_I8, DTYPE_U8, DTYPE_BOOL
} DType;

/* A weight where its file has it: (rows, cols), one row per output feature, as PyTorch's nn.Linear stores it. */
typedef struct {
    const void *data;
    DType dtype;                    /* F32, F16, BF16; in bert64 also F64 */
    size_t rows, cols;
} Tensor;

/* Activations: row r begins at data + r * stride. An attention head is a slice of a wider matrix: stride > cols. */
typedef struct {
    const real *data;
    size_t rows, cols, stride;
} Matrix;

/* Working memory of the products, allocated once with the activations. */
typedef struct {
    real *packed;                   /* activations as panels: see "A PANEL" in tensor.c */
    real *rows;                     /* ROW_GROUP weight rows converted to real, where they cannot be used in place */
} Scratch;
size_t scratch_rows(size_t N);      /* rows of memory for N packed rows: N rounded up to a multiple of 8, as panels hold
                                     * whole vectors; N itself in `make plain` */
enum { ROW_GROUP = 48 };            /* weight rows that are worked on at once, at most */

/* Rows first .. first+count-1 as reals: a pointer into the file when the type fits, else converted into `rows`
 * (count * cols reals). Exact in both cases: every F16, BF16 and F32 value is a float and a double. */
const real *tensor_rows(const Tensor *W, size_t first, size_t count, real *rows);

/* Of two functions x and x_ref, x_ref is the definition, in plain loops, and x is fast. Both give the same bits. */

enum { SUM_CHUNK = 128 };           /* products in one chain of a sum */

/* out (N,O) <- x and w, every sum in chunks of 128; out_stride is the distance from row to row of out.
 *     BY_ROWS          x (N,K), w (O,K)   out[n][o] = sum over k of x[n][k] * w[o][k]         x w^T
 *     BY_COLUMNS       x (N,K), w (K,O)   out[n][o] = sum over k of x[n][k] * w[k][o]         x w
 *     BY_COLUMNS_OF_X  x (K,N), w (K,O)   out[n][o] = sum over k of x[k][n] * w[k][o]         x^T w: gradients
 * scratch: room for scratch_rows(O) * K packed numbers, and by columns of x for ROW_GROUP rows of K. */
typedef enum { BY_ROWS, BY_COLUMNS, BY_COLUMNS_OF_X } Along;
void product_ref(real *out, size_t out_stride, Matrix x, Matrix w, Along along);
void product(real *out, size_t out_stride, Matrix x, Matrix w, Along along, const Scratch *scratch);
/* The same, each chunk added to what stands in out: the gradients of a layer. */
void product_add_ref(real *out, size_t out_stride, Matrix x, Matrix w, Along along);
void product_add(real *out, size_t out_stride, Matrix x, Matrix w, Along along, const Scratch *scratch);
/* out (N,O) <- x (N,K), W (O,K), b (O): out = x W^T + b */
void linear_ref(real *out, const real *x, const Tensor *W, const real *b, size_t N, const Scratch *scratch);
void linear(real *out, const real *x, const Tensor *W, const real *b, size_t N, const Scratch *scratch);
/* linear in two parts, for steps that can skip one of the two: x is packed once for several layers, or the result stays
 * packed, as the next layer's x. N packed rows of K take scratch_rows(N) * K reals. linear and product pack into
 * scratch->packed, linear_packed only reads. */
typedef enum { AS_ROWS, AS_PANELS } Packing;
void pack_rows(real *panels, const real *x, size_t N, size_t K);
bool packs_weights(const Tensor *W, size_t N);      /* does linear pack W for N rows, and leave x as it is? */
void linear_packed(real *out, Packing packing, const real *panels, const Tensor *W, const real *b, size_t N,
                   const Scratch *scratch);

/* Each row by itself; out may be x. */
void layer_norm_ref(real *out, const real *x, const real *gamma, const real *beta, real eps, size_t N, size_t H);
void layer_norm(real *out, const real *x, const real *gamma, const real *beta, real eps, size_t N, size_t H);
void softmax_ref(real *out, const real *x, size_t rows, size_t cols);
void softmax(real *out, const real *x, size_t rows, size_t cols);
real row_maximum(const real *x, size_t n);     /* the largest of n numbers, n >= 1 */

/* The same two on their way back, for learn.c: gradients of x from those of the result. dx may be dy, ds may be dp. */
typedef struct {
    const real *gamma;
    double *dgamma, *dbeta;         /* (H) sums over the rows, which are added to */
    real eps;
    size_t H;
} NormBackward;
void layer_norm_backward(real *dx, const real *dy, const real *x, const NormBackward *norm, size_t N);
void softmax_backward(real *ds, const real *dp, const real *p, size_t rows, size_t cols);

void add(real *out, const real *a, const real *b, size_t n);    /* out may be a or b */
double sum_of_squares(const real *x, size_t n);
double cosine(const real *a, const real *b, size_t n);

/* The project's own curves, out[i] = f(x[i]); out may be x. Every float input is tested by `make curves`. */
void exp_all(real *out, const real *x, size_t n);
void tanh_all(real *out, const real *x, size_t n);
void gelu_erf(real *out, const real *x, size_t n);      /* x (1 + erf(x / sqrt 2)) / 2 */
void gelu_tanh(real *out, const real *x, size_t n);     /* its approximation by tanh */
void gelu_erf_derivative(real *out, const real *x, size_t n);
void gelu_tanh_derivative(real *out, const real *x, size_t n);
void log_all(real *out, const real *x, size_t n);       /* the natural logarithm, of positive x */

/* The definition of every sum of products: total + x . w in chunks, the numbers x_step and w_step apart. */
real dot_in_chunks(real total, const real *x, size_t x_step, const real *w, size_t w_step, size_t K);

/* Random numbers that depend on nothing but a key (seed, purpose) and a counter: the same number, whenever and wherever
 * it is asked for. out: 128 random bits. */
typedef enum {
    PURPOSE_DROP_EMBEDDINGS, PURPOSE_DROP_PROBS, PURPOSE_DROP_ATTENTION, PURPOSE_DROP_FEED_FORWARD,
    PURPOSE_WEIGHTS, PURPOSE_PAIRS, PURPOSE_ORDER, PURPOSE_MASKS,       /* of `bert train`: cli/train.h */
    PURPOSE_DROP_HEAD
} Purpose;
void philox(uint32_t out[4], const uint32_t counter[4], uint32_t seed, Purpose purpose);
/* The same for this counter and the next ones, whose first number is 1 larger each. */
enum { PHILOX_MANY = 32 };
void philox_many(uint32_t out[4 * PHILOX_MANY], const uint32_t counter[4], uint32_t seed, Purpose purpose);

typedef struct Dropout {
    double rate, probs_rate;        /* hidden_dropout_prob, attention_probs_dropout_prob: 0 <= rate < 1 */
    double head_rate;               /* of what a fine-tuned head reads: classifier_dropout */
    uint32_t seed, step, first_sequence;    /* first_sequence: how many of the step come before this micro-batch */
} Dropout;
/* out (cols) <- x (cols), some numbers 0, the others larger: row `row` of sequence `sequence` of the step; may be x. */
void drop_row(real *out, const real *x, size_t cols, const Dropout *d, Purpose place, uint32_t row, uint32_t sequence);

bool fma_is_fast(void);                                 /* this build uses the processor's own */
float fma_without_instruction(float a, float b, float c);   /* the form for processors that lack fma, for the test */

/* =====================================================================================================================
 * bert.c - steps 5 to 16. The weights come from weights/model.c
 * ================================================================================================================== */
typedef enum { GELU_ERF, GELU_TANH } GeluKind;

/* What a fine-tuned model's `classifier` scores: the text, one of several choices, or each token; or nobody says so. */
typedef enum { HEAD_UNKNOWN, HEAD_SEQUENCE, HEAD_CHOICE, HEAD_TOKENS } HeadKind;

typedef struct {                    /* config.json */
    int L, H, A, D, F, V, P, S;     /* num_hidden_layers hidden_size num_attention_heads H/A intermediate_size
                                       vocab_size max_position_embeddings type_vocab_size */
    GeluKind gelu;                  /* hidden_act */
    double eps;                     /* layer_norm_eps */
    bool distilbert;                /* model_type: S is 0, there are no token types and no pooler */
    HeadKind head;                  /* architectures */
    int K;                          /* labels: the rows of the classifier, 0 without one */
    bool untied;                    /* tie_word_embeddings is false: the MLM decoder's own weights must be there */
    unsigned filled_in;             /* a bit for each size that the file leaves out: config_filled_in in weights.h */
} BertConfig;

typedef struct {                    /* one block; matrices are (out, in), used as y = x W^T + b */
    Tensor Wq, Wk, Wv;              /* (H,H) attention.self.query|key|value.weight */
    const real *bq, *bk, *bv;       /* (H) */
    Tensor Wo;                      /* (H,H) attention.output.dense.weight */
    const real *bo;
    const real *attention_gamma, *attention_beta;   /* (H) attention.output.LayerNorm.weight|bias */
    Tensor W1;                      /* (F,H) intermediate.dense.weight */
    const real *b1;                 /* (F) */
    Tensor W2;                      /* (H,F) output.dense.weight */
    const real *b2;                 /* (H) */
    const real *output_gamma, *output_beta;         /* (H) output.LayerNorm.weight|bias */
} BertLayer;

typedef struct {
    BertConfig config;
    Tensor word_embeddings;         /* (V,H) */
    Tensor position_embeddings;     /* (P,H) */
    Tensor token_type_embeddings;   /* (S,H) */
    const real *embeddings_gamma, *embeddings_beta; /* (H) */
    BertLayer *layers;              /* (L) */
    Tensor Wpool;                   /* (H,H) pooler.dense.weight */
    const real *bpool;
    Tensor Wtransform;              /* (H,H) cls.predictions.transform.dense.weight */
    const real *btransform, *transform_gamma, *transform_beta;
    Tensor decoder;                 /* (V,H) cls.predictions.decoder.weight; if the file has none, it is
                                     * word_embeddings ("tied"), unless config.untied */
    const real *decoder_bias;       /* (V) cls.predictions.bias */
    Tensor Wnsp;                    /* (2,H) cls.seq_relationship.weight */
    const real *bnsp;               /* (2) */
    Tensor Wpre, Wclassifier, Wqa;  /* (H,H) pre_classifier (DistilBERT), (K,H) classifier, (2,H) qa_outputs .weight */
    const real *bpre, *bclassifier, *bqa;           /* (H), (K), (2) */
    bool has_pooler, has_mlm, has_nsp, has_pre_classifier, has_classifier, has_qa;
    struct Safetensors *file;       /* the mapped weight file: weights/weights.h */
    void **owned;                   /* copies: converted vectors, misaligned tensors */
    size_t owned_count;
} Bert;

/* Loads a directory's config.json and weights (weights.h: model_file); or one file of weights, and the config.json
 * beside it. BERT_FILE lists the missing tensors of the encoder. A head is there or not as a whole; a head of which a
 * part is missing is an error, except for the decoder's matrix, which may be tied. */
Status bert_load(Bert *model, const char *path, Error *e);
void bert_free(Bert *model);

/* A batch is its sequences end to end: their tokens one after another, without padding, N = T1 + T2 + ... rows.
 * Positions start at 0 in each sequence.
 * Why a sentence gets the same bits alone or in a batch: each sequence attends only to itself, all other layers compute
 * each row by itself, and no sum's order depends on N (THE PROMISE in tensor.c).
 * Padding, for a caller who wants it, is tokens with mask 0 at the end of a sequence; in front they would shift the
 * positions. Why it changes no bit of the real tokens: PADDING in tensor.c. */
typedef struct {
    int B;
    const int *T;                   /* (B) lengths, each 1 .. P */
    const int32_t *input_ids, *token_type_ids, *attention_mask; /* (N) each, N = sum of T */
} Batch;
/* BERT_TEXT unless all ids, token types, masks and lengths are in range. */
Status batch_check(const Batch *batch, const BertConfig *config, Error *e);

typedef enum {                      /* a set: what is kept for every layer, instead of sharing memory between them */
    KEEP_NOTHING = 0,
    KEEP_HIDDEN = 1,                /* the L+1 hidden states */
    KEEP_ATTENTION = 2,             /* the attention maps, probs */
    KEEP_STEPS = 4,                 /* everything else of steps 7 to 13; scores only together with KEEP_ATTENTION */
    KEEP_EVERYTHING = KEEP_HIDDEN | KEEP_ATTENTION | KEEP_STEPS
} Keep;

typedef struct {                    /* what is to be computed beside the hidden states */
    Keep keep;
    bool pooler, nsp;               /* nsp computes the pooler, too */
    bool classifier, token_classifier, qa;  /* classifier computes the pooler (or pre_classifier), too */
    const int *mlm_rows;            /* (M) rows of the batch, 0 .. N-1, whose logits are wanted */
    int M;
    int unused_blocks;              /* the last blocks, whose output nobody reads: 0 with any of the heads */
} Request;

typedef struct {                    /* the intermediates of one block, in the order of the data */
    real *query, *key, *value;      /*  7 (N,H) */
    real *scores, *probs;           /*  8, 9: with KEEP_ATTENTION (A,T,T) for each sequence, else one (T,T) that each
                                     * head overwrites. scores is a separate array only with both KEEP_ATTENTION and
                                     * KEEP_STEPS, else it is probs, where softmax works in place */
    real *context;                  /* 10 (N,H) */
    real *attention_dense;          /* 11 (N,H) attention.output.dense: before the residual */
    real *attention_norm;           /*    (N,H) attention.output.LayerNorm */
    real *intermediate_dense;       /* 12 (N,F) before GELU */
    real *intermediate;             /*    (N,F) after GELU; both one, as panels, unless KEEP_STEPS */
    real *output_dense;             /* 13 (N,H) output.dense: before the residual */
    real *output_norm;              /*    (N,H) output.LayerNorm = hidden state l+1 */
} BlockActivations;

typedef struct {
    Batch batch;                    /* not owned */
    Request request;
    int N;
    size_t *start;                  /* (B+1) first token of each sequence; start[B] = N */
    size_t *score_start;            /* (B+1) first number of each sequence's (A,T,T) maps, where they are kept */
    size_t longest;                 /* T of the longest sequence */
    real *word, *token_type, *position;     /*  5 (N,H) the three addends */
    real *embedding_norm;                   /*  6 (N,H) = hidden state 0 */
    BlockActivations *block;                /* (L) */
    real *sum;                              /* (N,H) x + layer(x), before a LayerNorm; never kept. Unless
                                             * KEEP_STEPS, attention_dense and output_dense are it, too */
    real *first_token;                      /* 14 (B,H) hidden state L of each [CLS] */
    real *pooler_dense, *pooler;            /*    (B,H) before and after tanh */
    real *nsp_logits;                       /*    (B,2) */
    real *pre_classifier_dense, *pre_classifier;    /* (B,H) before and after ReLU: DistilBERT's */
    real *classifier_logits;                /*    (B,K) */
    real *mlm_hidden;                       /* 15 (M,H) hidden state L of the rows asked for */
    real *transform_dense, *transform_act, *transform_norm; /* (M,H) */
    real *logits;                           /*    (M,V) */
    real *token_logits, *qa_logits;         /*    (N,K), (N,2) */
    const struct Dropout *dropout;          /* in training only, else NULL */
    Scratch scratch;
    void *memory;                   /* the one allocation behind all of them */
    size_t size;                    /* bytes of it */
} Activations;

Status activations_new(Activations *a, const Bert *model, const Batch *batch, const Request *request, Error *e);
/* The same for one batch after another: the memory stays, where it suffices. *a is zeroed before its first use. */
Status activations_renew(Activations *a, const Bert *model, const Batch *batch, const Request *request, Error *e);
void activations_free(Activations *a);
const real *hidden_state(const Activations *a, int l);  /* l = 0 .. L, without KEEP_HIDDEN the last that ran */
real *head_map(const Activations *a, real *maps, int b, int h);      /* (T,T), scores or probs of one head */

/* The steps. Each function makes one tensor, so that it can be read, named, fed and replaced by itself. */
void embeddings_word(const Bert *m, Activations *a);                        /*  5 */
void embeddings_token_type(const Bert *m, Activations *a);                  /*  5 */
void embeddings_position(const Bert *m, Activations *a);                    /*  5 */
void embeddings_norm(const Bert *m, Activations *a);                        /*  6, with the sum */
void attention_query(const Bert *m, Activations *a, int l);                 /*  7 */
void attention_key(const Bert *m, Activations *a, int l);                   /*  7, directly after the query */
void attention_value(const Bert *m, Activations *a, int l);                 /*  7, directly after the key */
void attention_scores(const Bert *m, Activations *a, int l, int b, int h);  /*  8, sequence b, head h */
void attention_probs(const Bert *m, Activations *a, int l, int b, int h);   /*  9 */
void attention_context(const Bert *m, Activations *a, int l, int b, int h); /* 10 */
void attention_dense(const Bert *m, Activations *a, int l);                 /* 11 */
void attention_norm(const Bert *m, Activations *a, int l);                  /* 11 */
void feed_forward_up(const Bert *m, Activations *a, int l);                 /* 12 */
void feed_forward_gelu(const Bert *m, Activations *a, int l);               /* 12 */
void feed_forward_down(const Bert *m, Activations *a, int l);               /* 13 */
void feed_forward_norm(const Bert *m, Activations *a, int l);               /* 13 */
void pooler_dense(const Bert *m, Activations *a);                           /* 14 */
void pooler(const Bert *m, Activations *a);                                 /* 14 */
void nsp_head(const Bert *m, Activations *a);                               /* 14 */
void pre_classifier_dense(const Bert *m, Activations *a);                   /* 14 */
void pre_classifier(const Bert *m, Activations *a);                         /* 14 */
void classifier(const Bert *m, Activations *a);                             /* 14 */
void mlm_dense(const Bert *m, Activations *a);                              /* 15 */
void mlm_gelu(const Bert *m, Activations *a);                               /* 15 */
void mlm_norm(const Bert *m, Activations *a);                               /* 15 */
void mlm_decoder(const Bert *m, Activations *a);                            /* 15 */
void token_classifier(const Bert *m, Activations *a);                       /* 15 */
void qa_outputs(const Bert *m, Activations *a);                             /* 15 */

void encoder_block(const Bert *m, Activations *a, int l);               /* steps 7 to 13 */
void forward(const Bert *m, Activations *a);                            /* steps 5 to 15, what the request names */

/* Dropout, in training only. */
void drop_rows(const Bert *m, const Activations *a, Purpose place, int l, real *x);     /* x (N,H), in place */
/* Probabilities of head h of sequence b, (T,T), or their gradients; out may be x. */
void drop_probs(const Bert *m, const Activations *a, int l, int b, int h, real *out, const real *x);
/* What a fine-tuned head reads, x (N,H), or (B,H) of texts: x itself, or with its dropout what is made in a->sum. And
 * the gradients of it, in place. */
const real *drop_head(const Bert *m, const Activations *a, const real *x, bool tokens);
void drop_head_backward(const Bert *m, const Activations *a, real *dx, bool tokens);

/* Step 16: vectors from hidden states. */
typedef enum { COMBINE_CAT, COMBINE_SUM, COMBINE_MEAN } Combine;
typedef enum { POOL_NONE, POOL_CLS, POOL_MEAN, POOL_MAX, POOL_POOLER } Pooling;
/* out (T, dim) <- the hidden states `states` (count of them, each 0..L) of sequence b; dim = H, cat: count*H */
void token_vectors(real *out, const Bert *m, const Activations *a, int b, const int *states, int count,
                   Combine combine);
/* out (dim) <- vectors (T, dim), over the tokens with mask 1; POOL_CLS takes token 0 */
void pool_tokens(real *out, const real *vectors, const int32_t *mask, size_t T, size_t dim, Pooling pooling);
void normalize(real *vector, size_t dim);               /* to length 1; a zero vector stays */

/* =====================================================================================================================
 * learn.c - steps 15 to 5 backwards, the losses, AdamW (their memory: weights/parameters.c)
 * ================================================================================================================== */
typedef struct {                    /* one tensor that is learned: a row of the tensor table, in one layer */
    char name[96];                  /* Hugging Face's, without `bert.` */
    char file_name[96];             /* as its file has it: with `bert.`, or DistilBERT's */
    int group;                      /* Group of weights.h */
    size_t rows, cols, count;       /* rows 0: one-dimensional; count of the numbers */
    bool norm, decays;              /* a LayerNorm's; a matrix or an embedding, which weight decay makes smaller */
    real *value, *gradient;
} Parameter;
typedef struct {
    Parameter *list;                /* (count) in the order of the table */
    size_t count, numbers;          /* tensors; numbers in all of them */
    void *memory;
} Parameters;
/* Copies all weights into memory of their own, as reals that can be changed, and lets the model's fields point there:
 * a tied decoder to the word embeddings, as before. Those of bert_blank become zeros. The list dies before the model
 * does. */
Status parameters_new(Parameters *p, Bert *m, Error *e);
void parameters_free(Parameters *p);

typedef struct {                    /* a piece, and the probability that a teacher gives it */
    int32_t id;
    real p;
} SoftLabel;
typedef struct {                    /* what the model should have said */
    const int32_t *labels;          /* (M) the true id for each of the request's mlm_rows; below 0: does not count */
    const int32_t *next_sentence;   /* (B) 0 IsNext, 1 NotNext; below 0: does not count */
    double mlm_divisor, nsp_divisor;        /* each loss is a sum over the step, divided by this: a mean, if it is the
                                             * number of labels in the whole step */
    const int32_t *task_labels;     /* of the fine-tuned head that the request names; below 0: does not count.
                                     * classifier (B), token_classifier (N): a row of it; qa (B,2): the first and the
                                     * last token of the answer, counted within the sequence */
    double task_divisor;            /* qa: starts and ends, 2 for each answer */
    const SoftLabel *soft;          /* (M,soft_count) of the mlm_rows, or NULL: there is no teacher. A row that begins
                                     * with p 0 has none */
    int soft_count;
    double soft_share;              /* 0 .. 1: so much of a row's loss is the teacher's */
} Targets;

typedef struct {
    double mlm, nsp, task;          /* sums of cross-entropy over divisors; the loss is mlm + nsp + task + soft */
    double soft;                    /* what a teacher's share in the MLM loss adds to it: may be negative */
    size_t mlm_right, nsp_right, task_right;        /* labels that had the highest logit */
} Losses;

/* The gradient of a number x is the derivative of the loss: by how much the loss grows when x grows, per unit. Each has
 * the name of its x: g->m.layers[0].Wq has the gradients of m->layers[0].Wq, g->a.block[0].query those of
 * a->block[0].query. */
enum { BLOCK = 1024 };              /* rows or outputs that are packed at a time: there is memory for so much */
typedef enum {                      /* steps of backward() behind which Gradients.after is called */
    BACK_LOSS, BACK_TRANSFORM_NORM, BACK_POOLER, BACK_OUTPUT_NORM, BACK_GELU, BACK_ATTENTION_NORM, BACK_PROBS,
    BACK_SCORES, BACK_EMBEDDING_NORM
} BackStep;
typedef struct {
    Bert m;                         /* of the parameters; complete after gradients_finish */
    Activations a;                  /* of the intermediates of this micro-batch */
    Losses losses;
    size_t tokens, chosen, sequences;       /* rows of N, M and B that earlier micro-batches of this step had */
    unsigned learned;               /* a bit, 1 << group, for each Group of weights.h that the step's losses reach */
    real *lookups;                  /* (tokens,H) gradients of the step's word embeddings, and their ids */
    int32_t *lookup_ids;
    Scratch scratch;
    real *map, *column;             /* (T,T), (T) */
    const Parameter *list;          /* (count) of the Parameters that these are gradients of */
    size_t count;
    void *memory, *work;
    size_t size, work_size, lookup_room;    /* bytes at `memory` and at `work`; tokens that `lookups` has room for */
    void (*after)(void *context, BackStep step, int l, int b, int h);  /* behind steps; or NULL. For verify/, which
                                             * plants mistakes there. l is -1 outside of blocks; b, h: BACK_PROBS */
    void *context;
} Gradients;

/* A step: zero, then for each micro-batch forward, room and backward, then finish. */
Status gradients_new(Gradients *g, const Bert *m, Parameters *p, Error *e);
void gradients_zero(Gradients *g);
/* Memory for going back through `a`; `keep` as in a Request: KEEP_NOTHING, or KEEP_EVERYTHING for a trace. */
Status gradients_room(Gradients *g, const Bert *m, const Activations *a, Keep keep, Error *e);
void backward(const Bert *m, Activations *a, Gradients *g, const Targets *targets);     /* steps 15 to 5 */
void mlm_loss(const Bert *m, const Activations *a, Gradients *g, const Targets *t);     /* the first thing it does */

double labels_that_count(const int32_t *labels, size_t count);  /* 0 and above; none, if labels is NULL */
/* One linear layer by definition: the bits of the gradients, for a test. */
void linear_backward_ref(real *dx, real *dW, real *db, const real *dy, const real *x, const Tensor *W, size_t N);
void gradients_finish(const Bert *m, Gradients *g, Parameters *p);
void gradients_free(Gradients *g);

typedef enum { RULES_HUGGINGFACE, RULES_GOOGLE } Rules;
typedef struct {
    Rules rules;
    double learning_rate, weight_decay, clip;       /* clip: the longest gradient, 0 for any */
    double beta1, beta2, eps;
    int64_t warmup, steps;          /* the rate rises for so many steps, and is 0 after so many */
    bool constant;                  /* it stays after the warm-up */
} AdamWOptions;
AdamWOptions adamw_defaults(Rules rules);
double learning_rate_at(const AdamWOptions *o, int64_t step);   /* step 0 is the first */
bool is_learned(const Gradients *g, const Parameter *p);     /* has this step a gradient for it? */
double gradient_norm(const Gradients *g, const Parameters *p);  /* the length of all gradients as one vector */

typedef struct {
    AdamWOptions options;
    int64_t step;                   /* how many are done */
    double beta1_power, beta2_power;        /* beta^step */
    real *mean, *square;            /* (numbers) running means of the gradients and of their squares */
} AdamW;
Status adamw_new(AdamW *o, const Parameters *p, const AdamWOptions *options, Error *e);
void adamw_step(AdamW *o, const Gradients *g, const Parameters *p, double length);     /* gradient_norm */
void adamw_free(AdamW *o);

#endif
