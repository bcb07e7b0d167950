/* vectors.c - the verbs that answer with vectors: embed, similarity, rank. Step 16 from the command line.
 *
 * A recipe says how vectors are made: which hidden states, how they are combined, how the tokens are pooled. The
 * arithmetic is token_vectors, pool_tokens and cosine of bert.c and tensor.c.
 */
#include "cli/cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Vectors: step 16, for embed, similarity and rank
 *
 * Between the blocks the model holds one vector of H numbers per token: hidden state 0 after the embeddings, hidden
 * state l after block l, L the last. The documents make word and sentence vectors from them:
 *
 *     word      the last four hidden states of its token, concatenated (4 H numbers) or summed (H)
 *     sentence  the mean over all tokens of the second to last hidden state
 *
 * [CLS] and [SEP] are tokens like the others there: the tutorial averages "all 22 token vectors".
 * ================================================================================================================== */
typedef struct {                    /* vectors, one after another */
    real *data;
    size_t count, capacity, dim;
} Rows;

/* Room for n more rows; returns the first of them, NULL if memory runs out. The room doubles, so that a million lines
 * are copied a few times and not a million times. */
static real *rows_add(Rows *rows, size_t n)
{
    size_t first = rows->count, bytes;
    if (first + n > rows->capacity) {
        size_t wanted = rows->capacity * 2 > first + n ? rows->capacity * 2 : first + n;
        if (!size_mul(wanted, rows->dim, &bytes) || !size_mul(bytes, sizeof(real), &bytes)) return NULL;
        real *data = realloc(rows->data, bytes ? bytes : 1);
        if (!data) return NULL;
        rows->data = data;
        rows->capacity = wanted;
    }
    rows->count += n;
    return rows->data + first * rows->dim;
}

/* One end of a range: a whole number with an optional minus; negative counts from the end: -1 is L, -2 the one before
 * it. There are L+1 hidden states, 0 to L, so -(L+1) is hidden state 0.
 * Trap: bert-as-service and Google's extract_features.py count *layers*: their layer 0 is hidden state 1 here and in
 * Hugging Face's library. Negative numbers mean the same everywhere, which is why everyone uses them. */
static bool parse_layer(const char **at, int L, int *layer)
{
    bool minus = **at == '-';
    char *end;
    if (minus) ++*at;
    if (**at < '0' || **at > '9') return false;
    long n = strtol(*at, &end, 10);
    *at = end;
    if (n > L + 1) return false;
    *layer = minus ? L + 1 - (int)n : (int)n;
    return *layer >= 0 && *layer <= L;
}

/* "-2", "-1,-2,-3,-4", "-4..-1": hidden states in the order given. The order matters to --combine cat only: one of
 * the documents concatenates -1,-2,-3,-4, the last layer first. */
static Status parse_layers(const char *text, int L, Recipe *r, Error *e)
{
    const char *at = text;
    r->count = 0;
    do {
        int from = 0, to;
        bool ok = parse_layer(&at, L, &from);
        to = from;
        if (ok && !strncmp(at, "..", 2)) {
            at += 2;
            ok = parse_layer(&at, L, &to);
        }
        if (!ok || (*at && *at != ','))
            return fail(e, BERT_USAGE, "--layers %s: a list such as -1,-2 or a range such as -4..-1 is expected, "
                        "within 0..%d or -%d..-1", text, L, L + 1);
        int step = from <= to ? 1 : -1, n = (to - from) * step + 1;
        if (r->count + n > MAX_LAYERS) return fail(e, BERT_USAGE, "--layers %s: more than %d", text, MAX_LAYERS);
        for (int i = 0; i < n; i++) r->layers[r->count++] = from + i * step;
    } while (*at++ == ',');
    return BERT_OK;
}

/* What a sentence-transformers directory brings. Its Dense and LayerNorm were trained on the vectors of its own pooling
 * of the last hidden state: where --pooling makes others they are left out, and that is said; Normalize fits any vector
 * of a text. Those of tokens (--pooling none) stay as they are: sentence-transformers' token_embeddings. */
static Status read_directory_recipe(Session *s, Recipe *r, const char *directory, Error *e)
{
    const Options *o = &s->options;
    const size_t H = (size_t)s->model.config.H, V = (size_t)s->model.config.V;
    VectorSettings settings;
    bool others = false;
    if (vector_settings_read(directory, &settings, e) != BERT_OK) return e->status;
    r->similarity = settings.similarity;
    if (o->pooling != UNSET) {
        const Status status = sentence_modules_named(directory, &r->normalize, &others, e);
        if (o->pooling == POOL_NONE) r->normalize = false;
        if (status == BERT_OK && others)
            note(s, "--pooling leaves out the other modules of %s/modules.json%s", directory,
                 r->normalize ? " but Normalize" : "");
        if (status == BERT_OK && settings.truncate_dim)
            note(s, "--pooling leaves out truncate_dim of %s/config_sentence_transformers.json", directory);
        return status;
    }
    if (sentence_model_read(directory, H, V, &s->sentence, e) != BERT_OK) return e->status;
    if (!file_exists(directory, "modules.json"))
        note(s, "%s has no modules.json, which says how vectors are made: its 1_Pooling is obeyed, what else belonged "
             "to it is not known", directory);
    if (s->sentence.splade && !settings.says_similarity) r->similarity = SIMILARITY_DOT;    /* a SparseEncoder's */
    r->sentence = !sentence_is_plain(&s->sentence, H, &r->pooling, &r->normalize);
    if (r->sentence && (o->layers || o->combine != UNSET))
        return fail(e, BERT_USAGE, "%s makes its vectors of the last hidden state: with --layers or --combine give "
                    "--pooling, too", directory);
    return BERT_OK;
}

/* A ColBERT's vectors are those of its tokens through a matrix of its own, which stands beside the BERT; a Dense of
 * sentence-transformers, or a projection of someone's own, makes one of the pooled vector. Nothing else in the
 * directory says so, and the mean of a hidden state is not what they were trained for. */
static Status refuse_projection(const Session *s, Error *e)
{
    const SafeTensor *t = matrix_beside(&s->model);
    if (!t) return BERT_OK;
    return fail(e, BERT_FILE, "%s: tensor '%s' (%zu,%zu) is no part of a BERT: it may make the vectors, as a ColBERT's "
                "or a Dense module's matrix does, which is not supported: give --pooling or --layers for BERT's own",
                tensor_path(s->model.file, t), t->name, t->shape[0], t->shape[1]);
}

/* A directory of sentence-transformers that lost its list of modules.
 * Differs: the library takes the mean of the last hidden state then and passes over all files but the tokenizer's,
 * without a warning: the vectors are not those that the model was trained for. */
static Status refuse_leftover(const Session *s, Error *e)
{
    const char *name = sentence_leftover(s->directory);
    if (!name) return BERT_OK;
    return fail(e, BERT_FILE, "%s: holds %s, but no modules.json, which says how vectors are made: bring it, or give "
                "--pooling or --layers", s->directory, name);
}

/* How like two vectors of n numbers are, the more the larger: the two distances are negative. Every sum is one of
 * doubles. Source: sentence-transformers, util/similarity.py. */
static double likeness(const real *a, const real *b, size_t n, Similarity similarity)
{
    double sum = 0;
    if (similarity == SIMILARITY_COSINE) return cosine(a, b, n);
    for (size_t i = 0; i < n; i++) {
        const double x = (double)a[i], y = (double)b[i];
        sum += similarity == SIMILARITY_DOT ? x * y :
               similarity == SIMILARITY_EUCLIDEAN ? (x - y) * (x - y) : fabs(x - y);
    }
    return similarity == SIMILARITY_DOT ? sum : similarity == SIMILARITY_EUCLIDEAN ? -sqrt(sum) : -sum;
}

/* What stands for a cosine, where the directory says so; NULL: it is one. */
static const char *other_similarity(const Recipe *r)
{
    static const char *const names[] = {NULL, "dot products", "Euclidean distances, negative",
                                        "Manhattan distances, negative"};
    return names[r->similarity];
}

/* The recipe from the options. `layers` is the default; without one, the word-embedding tutorial's sentence vector (the
 * mean over the tokens of the second to last hidden state), or what a sentence-transformers directory brings. An option
 * that is given overrides its own part only.
 * Why the second to last: the last one is already bent towards the two tasks of pre-training, says bert-as-service's
 * author.
 */
Status read_recipe(Session *s, Recipe *r, const char *layers, Combine combine, Error *e)
{
    const Options *o = &s->options;
    const int L = s->model.config.L;
    const char *directory = layers ? NULL : sentence_directory(s);
    *r = (Recipe){.combine = o->combine == UNSET ? combine : (Combine)o->combine, .pooling = POOL_MEAN};
    if (directory && read_directory_recipe(s, r, directory, e) != BERT_OK) return e->status;
    if (directory) layers = "-1";
    else if (!layers && !o->layers && o->pooling == UNSET &&
             (refuse_leftover(s, e) != BERT_OK || refuse_projection(s, e) != BERT_OK)) return e->status;
    if (parse_layers(o->layers ? o->layers : layers ? layers : "-2", L, r, e) != BERT_OK) return e->status;
    if (o->pooling != UNSET) r->pooling = (Pooling)o->pooling;
    if (o->normalize) r->normalize = true;
    r->dim = (size_t)s->model.config.H * (r->combine == COMBINE_CAT ? (size_t)r->count : 1);
    if (r->sentence) r->dim = s->sentence.dim;
    if (r->pooling != POOL_POOLER) return BERT_OK;
    r->dim = (size_t)s->model.config.H;
    if (o->layers) return fail(e, BERT_USAGE, "--pooling pooler always uses the last hidden state: leave --layers out");
    return s->model.has_pooler ? BERT_OK : fail(e, BERT_HEAD, "the weights have no pooler: choose another --pooling");
}

/* The tokens' vectors of sequence b pooled, to (dim); or, with --pooling none, as they are, (T,dim). `tokens` has room
 * for the tokens' vectors. */
static Status pool(real *to, real *tokens, const Recipe *r, const Session *s, const ModelRun *run, int b, Error *e)
{
    const size_t T = (size_t)run->batch.T[b];
    const int32_t *mask = run->batch.attention_mask + run->a.start[b];
    const size_t V = (size_t)s->model.config.V;
    Tokens x = {.vectors = tokens, .attention_mask = mask, .T = T, .H = (size_t)s->model.config.H};
    token_vectors(tokens, &s->model, &run->a, b, r->layers, r->count, r->combine);
    if (s->sentence.splade) x.vectors = run->a.logits + run->a.start[b] * V;
    if (s->sentence.splade) x.H = V;
    if (r->sentence) return sentence_vector(to, s, &x, e);
    if (r->pooling == POOL_NONE) memcpy(to, tokens, T * r->dim * sizeof *to);
    else pool_tokens(to, tokens, mask, T, r->dim, r->pooling);
    return BERT_OK;
}

/* One vector of sequence b of the run, or with --pooling none one per token, appended to rows (dim = r->dim):
 *
 *     hidden states (T,H) each  --combine-->  (T,dim)  --pooling-->  (dim)  --normalize-->  (dim)
 *
 * The pooler's output is ready made, (H): [CLS] of the last hidden state through a dense layer and tanh. */
static Status append_vectors(Rows *rows, const Recipe *r, const Session *s, const ModelRun *run, int b, Error *e)
{
    const size_t T = (size_t)run->batch.T[b], n = r->pooling == POOL_NONE ? T : 1;
    const size_t width = r->sentence ? (size_t)s->model.config.H : r->dim;
    Status status = BERT_OK;
    rows->dim = r->dim;
    real *to = rows_add(rows, n);
    real *tokens = malloc(T * width * sizeof *tokens);
    if (!to || !tokens) {
        free(tokens);
        return fail(e, BERT_SYSTEM, "out of memory for vectors");
    }
    if (r->pooling == POOL_POOLER) memcpy(to, run->a.pooler + (size_t)b * r->dim, r->dim * sizeof *to);
    else status = pool(to, tokens, r, s, run, b, e);
    for (size_t i = 0; r->normalize && i < n; i++) normalize(to + i * r->dim, r->dim);
    free(tokens);
    return status;
}

/* What a recipe asks of a run: it goes as far as the highest hidden state that is read afterwards: --layers -2 needs no
 * last block. If it is the only one, nothing is kept, and all blocks work in the same memory; KEEP_HIDDEN costs L N H
 * numbers more: 23 MB instead of 14 MB for 240 tokens. --by-layer reads all hidden states whatever the recipe says. */
static Request recipe_request(const Session *s, const Recipe *r)
{
    const bool pooler = r->pooling == POOL_POOLER;
    const int L = s->model.config.L;
    int lowest = pooler ? L : r->layers[0], highest = lowest;
    for (int i = 0; !pooler && i < r->count; i++) {
        if (r->layers[i] < lowest) lowest = r->layers[i];
        if (r->layers[i] > highest) highest = r->layers[i];
    }
    if (s->options.by_layer) {
        lowest = 0;
        highest = L;
    }
    return (Request){.keep = lowest == highest ? KEEP_NOTHING : KEEP_HIDDEN, .pooler = pooler,
                     .unused_blocks = L - highest};
}

static Status run_recipe(const Session *s, const Recipe *r, const Inputs *inputs, ModelRun *run, Error *e)
{
    Request request = recipe_request(s, r);
    int *rows;
    size_t tokens = 0;
    for (size_t i = 0; i < inputs->count; i++) tokens += (size_t)inputs->input[i].encoding.T;
    *run = (ModelRun){0};
    Status status = request_logits(&request, &rows, s, tokens, e);
    if (status == BERT_OK) status = run_inputs(run, &s->model, inputs, &request, e);
    run->a.request.mlm_rows = NULL;
    free(rows);
    return status;
}

/* =====================================================================================================================
 * embed
 *
 * Texts in, vectors out. A vector by itself says nothing; two of them can be compared, many of them can be sorted,
 * grouped, or given to a classifier. That is what the documents mean by feature extraction.
 * ================================================================================================================== */
static const char embed_help[] =
    "Default: the sentence vector of the word-embedding tutorial, --layers -2\n"
    "--pooling mean; a directory of sentence-transformers brings its own: pooling,\n"
    "Dense, LayerNorm, Normalize, the prompt before a text, and the length that texts\n"
    "are cut to. Several --layers go through --combine (default cat, in the order\n"
    "given). --pooling is over all tokens with attention mask 1; none gives one\n"
    "vector per token, as transformers' pipeline feature-extraction does with\n"
    "--layers -1 --pooling none; pooler the pooled output.\n"
    "\n"
    "Formats:\n"
    "  text     numbers separated by blanks, one vector a line; on a terminal, where\n"
    "           nobody reads 768 of them, the first eight with four decimals, unless\n"
    "           --format text asks for all\n"
    "  json     one object per line: text, vector; with --pooling none: pieces,\n"
    "           vectors; of a SPLADE model also weights, the pieces whose weight is\n"
    "           not 0, best first\n"
    "  npy      float32 (inputs, dim); with --pooling none (tokens, dim), one input\n"
    "           only\n";
static const char embed_examples[] =
    "  bert embed 'After stealing money from the bank vault'\n"
    "  bert embed -f lines.txt --format npy -o vectors.npy\n"
    "  bert embed --layers -4..-1 --combine sum --pooling none --format json 'a bank'\n"
    "  bert embed --gelu tanh --pooling pooler --format json 'Example sentence 1'\n";

enum { SHOWN_TO_EYES = 8 };         /* numbers of a vector on a terminal */

/* A SPLADE model's vector on a terminal: its heaviest pieces. */
static Status print_heaviest(const Session *s, const Rows *rows, Error *e)
{
    for (size_t r = 0; r < rows->count; r++) {
        if (put_weights(s, rows->data + r * rows->dim, SHOWN_TO_EYES, e) != BERT_OK) return e->status;
        fputc('\n', s->out);
    }
    return BERT_OK;
}

/* Numbers separated by blanks, a vector a line. %.9g has enough digits to read back the same float, %.17g the same
 * double (bert64): what is printed loses nothing. On a terminal a vector is what someone can look at, unless the format
 * was asked for:
 *
 *     -0.0427 0.1130 -0.5613 0.2066 -0.0512 0.3141 0.5926 -0.1415 ... (768 numbers) */
static void print_vectors_text(const Session *s, const Rows *rows)
{
    const bool all = !s->for_eyes || s->options.format;
    const size_t shown = all || rows->dim < SHOWN_TO_EYES ? rows->dim : SHOWN_TO_EYES;
    for (size_t r = 0; r < rows->count; r++) {
        for (size_t i = 0; i < shown; i++) {
            const double x = unsigned_nan((double)rows->data[r * rows->dim + i]);
            fprintf(s->out, all ? ALL_DIGITS : "%.4f", x);
            if (i + 1 < shown) fputc(' ', s->out);
        }
        if (shown < rows->dim) fprintf(s->out, " ... (%zu numbers)", rows->dim);
        fputc('\n', s->out);
    }
}

/* {"text": "my dog is cute", "vector": [0.1, ...]} or, one vector per token, {"pieces": ["[CLS]", ...], "vectors":
 * [[...], ...]}
 */
static Status print_vectors_json(const Session *s, const Input *input, const Rows *rows, bool per_token, Error *e)
{
    fputc('{', s->out);
    if (per_token) {
        json_put_pieces(s, "pieces", &input->encoding);
        fputs(", \"vectors\": [", s->out);
    } else {
        fputs("\"text\": ", s->out);
        if (input->has_text) json_put_text(s->out, input->whole.bytes, input->whole.length);
        else fputs("null", s->out);
        if (s->sentence.splade) fputs(", \"weights\": ", s->out);
        if (s->sentence.splade && put_weights(s, rows->data, rows->dim, e) != BERT_OK) return e->status;
        fputs(", \"vector\": ", s->out);
    }
    for (size_t r = 0; r < rows->count; r++) {
        if (r) fputs(", ", s->out);
        json_put_vector(s->out, rows->data + r * rows->dim, rows->dim);
    }
    fputs(per_token ? "]}\n" : "}\n", s->out);
    return BERT_OK;
}

/* npy is written in one piece: its header holds the number of rows. */
static void print_npy(const Session *s, const Rows *rows)
{
    const size_t shape[2] = {rows->count, rows->dim};
    npy_put_header(s->out, shape, 2);
    npy_put_data(s->out, rows->data, rows->count * rows->dim);
}

/* The vectors of one input, sequence b of the run; text and json are printed at once, npy is collected in `rows`. */
static Status embed_one(Session *s, const Recipe *r, const Input *input, const ModelRun *run, int b, Rows *rows,
                        Error *e)
{
    bool npy = format_is(s, "npy");
    if (!npy) rows->count = 0;
    Status status = append_vectors(rows, r, s, run, b, e);
    if (status != BERT_OK || npy) return status;
    if (format_is(s, "json")) status = print_vectors_json(s, input, rows, r->pooling == POOL_NONE, e);
    else if (s->sentence.splade && s->for_eyes && !s->options.format) status = print_heaviest(s, rows, e);
    else print_vectors_text(s, rows);
    return status == BERT_OK ? answer_done(s, e) : status;
}

/* The vectors of inputs that run together, in their order. */
static Status embed_inputs(Session *s, const Recipe *r, const Inputs *inputs, Rows *rows, Error *e)
{
    ModelRun run;
    if (format_is(s, "npy") && r->pooling == POOL_NONE && inputs->input[inputs->count - 1].number > 1)
        return fail(e, BERT_USAGE, "--format npy with --pooling none takes one input only");
    Status status = run_recipe(s, r, inputs, &run, e);
    for (size_t i = 0; status == BERT_OK && i < inputs->count; i++)
        status = embed_one(s, r, &inputs->input[i], &run, (int)i, rows, e);
    run_free(&run);
    return status;
}

/* Text and json stream: all answers are out before the program waits for another line. npy is collected and written at
 * the end. */
static Status verb_embed(Session *s, Error *e)
{
    Recipe recipe;
    Rows rows = {0};
    Inputs inputs = {0};
    Status status = read_recipe(s, &recipe, NULL, COMBINE_CAT, e);
    if (status == BERT_OK) status = prepare_sentences(s, e);
    rows.dim = recipe.dim;
    while (status == BERT_OK && (status = next_inputs(s, &inputs, e)) == BERT_OK && inputs.count > 0)
        status = embed_inputs(s, &recipe, &inputs, &rows, e);
    if (status == BERT_OK && format_is(s, "npy")) print_npy(s, &rows);
    if (status == BERT_OK && s->for_eyes && !s->options.format)
        note(s, "for all digits of all numbers: --format text, or --format npy -o FILE");
    free(rows.data);
    inputs_free(&inputs);
    return status;
}

const Verb embed_verb = {
    .name = "embed", .run = verb_embed, .needs = NEEDS_MODEL, .lone = true,
    .own = "--layers --combine --pooling --normalize --prompt --format", .formats = "text json npy",
    .arguments = " [TEXT ...]", .summary = "vectors of texts or of tokens",
    .help = embed_help, .examples = embed_examples,
};

/* =====================================================================================================================
 * similarity
 *
 * cos(a, b) = a . b / (|a| |b|), 1 for the same direction. The tutorial's point: the word `bank` has one vector per
 * occurrence, and those of bank vault and bank robber (0.94) are nearer to each other than those of bank robber and
 * river bank (0.69). A table of word vectors such as word2vec's has only one vector for all three.
 * Trap: BERT's vectors all point into a narrow cone: unrelated sentences may well have a cosine of 0.6. Compare
 * cosines with each other, not with 0.
 * ================================================================================================================== */
static const char similarity_help[] =
    "The cosine of every two inputs' vectors (made as `bert embed` makes them), as a\n"
    "table; on a terminal with four decimals. With --word WORD the things compared\n"
    "are all occurrences of WORD in all inputs, each the mean of its pieces' vectors;\n"
    "default --layers -4..-1 --combine sum, as in the word-embedding tutorial. A row\n"
    "ends with the input's number, the token's position (from 0) and its neighbours.\n"
    "--by-layer adds the cosine of every pair for each hidden state, 0 (embedding\n"
    "output) to L.\n"
    "Where config_sentence_transformers.json has a similarity_fn_name, that stands\n"
    "for the cosine everywhere: dot, or euclidean or manhattan, whose distances are\n"
    "negative; SPLADE without one: dot.\n"
    "\n"
    "Formats:\n"
    "  text     the table\n"
    "  json     one object: labels, cosines (or similarities, where they are none),\n"
    "           and by_layer [L+1][n][n]\n";
static const char similarity_examples[] =
    "  bert similarity 'How old are you?' 'What is your age?' 'The cat sat on a mat.'\n"
    "  bert similarity --word bank --by-layer 'Money in the bank.' 'A river bank.'\n";

typedef struct {                    /* the things that are compared */
    Recipe recipe;
    bool words;                     /* occurrences of a word, not whole inputs */
    Encoding word;                  /* its pieces */
    Rows vectors;                   /* (n, dim) */
    Rows layers;                    /* (n*(L+1), H): each hidden state by itself, for --by-layer */
    char (*labels)[96];
    size_t count;
} Comparison;

/* A label for the next thing; its vectors are in the rows already. */
static Status add_label(Comparison *c, const char *label, Error *e)
{
    char (*labels)[96] = realloc(c->labels, (c->count + 1) * sizeof *labels);
    if (!labels) return fail(e, BERT_SYSTEM, "out of memory");
    c->labels = labels;
    snprintf(c->labels[c->count++], sizeof *labels, "%s", label);
    return BERT_OK;
}

/* The mean over pieces first .. first+n-1 of one set of token vectors, appended to rows. A word of one piece stays
 * bit for bit what it is: no division by 1. */
static Status append_mean(Rows *rows, const Rows *tokens, size_t first, size_t n, Error *e)
{
    rows->dim = tokens->dim;
    real *to = rows_add(rows, 1);
    if (!to) return fail(e, BERT_SYSTEM, "out of memory for vectors");
    memcpy(to, tokens->data + first * tokens->dim, tokens->dim * sizeof *to);
    for (size_t i = 1; i < n; i++) add(to, to, tokens->data + (first + i) * tokens->dim, tokens->dim);
    for (size_t d = 0; n > 1 && d < tokens->dim; d++) to[d] /= (real)n;
    return BERT_OK;
}

/* The vector of one thing: sequence b of the run, or the word at its token `first`. By the recipe of the options, layer
 * -1, or of one hidden state alone. */
static Status append_thing(Comparison *c, const Session *s, const ModelRun *run, int b, int first, int layer, Error *e)
{
    const Recipe alone = {.layers = {layer}, .count = 1, .pooling = c->recipe.pooling,
                          .dim = (size_t)s->model.config.H};
    const Recipe *r = layer < 0 ? &c->recipe : &alone;
    Rows *rows = layer < 0 ? &c->vectors : &c->layers;
    Rows tokens = {0};
    if (!c->words) return append_vectors(rows, r, s, run, b, e);
    Status status = append_vectors(&tokens, r, s, run, b, e);
    if (status == BERT_OK) status = append_mean(rows, &tokens, (size_t)first, (size_t)c->word.T, e);
    free(tokens.data);
    return status;
}

static Status add_thing(Comparison *c, const Session *s, const ModelRun *run, int b, int first, const char *label,
                        Error *e)
{
    Status status = append_thing(c, s, run, b, first, -1, e);
    for (int l = 0; s->options.by_layer && status == BERT_OK && l <= s->model.config.L; l++)
        status = append_thing(c, s, run, b, first, l, e);
    return status == BERT_OK ? add_label(c, label, e) : status;
}

/* Does the word stand at token t? Its pieces do, and the next piece does not continue it: the `bank` of `bank ##er`
 * is not the word bank. It cannot begin inside a word: the first piece of a word never has ##. */
static bool word_at(const Session *s, const Encoding *word, const Encoding *x, int t)
{
    if (t + word->T > x->T) return false;
    for (int i = 0; i < word->T; i++)
        if (x->input_ids[t + i] != word->input_ids[i]) return false;
    return t + word->T == x->T || strncmp(piece_of(s, x->input_ids[t + word->T]), "##", 2) != 0;
}

/* "1:6  from the [bank] vault ,": pieces of 20 bytes at most, made safe to print. */
static void word_label(char label[96], const Session *s, const Input *input, int t, int n)
{
    const Encoding *x = &input->encoding;
    int at = snprintf(label, 96, "%zu:%d ", input->number, t);
    for (int i = t > 2 ? t - 2 : 0; i < t + n + 2 && i < x->T && at < 95; i++) {
        char piece[24];
        escape(piece, sizeof piece, piece_of(s, x->input_ids[i]));
        at += snprintf(label + at, 96 - (size_t)at, " %s%s%s", i == t ? "[" : "", piece, i == t + n - 1 ? "]" : "");
    }
}

/* "1  After stealing money ...": 40 bytes at most, not cut within a character. Control characters (C0, DEL, and C1,
 * which begins with the byte C2) would move the table: they show as blanks. */
static void text_label(char label[96], const Input *input)
{
    size_t n = input->has_text ? input->whole.length : 0;
    if (n > 40) {
        n = 40;
        while (n > 0 && ((unsigned char)input->whole.bytes[n] & 0xC0) == 0x80) n--;
    }
    int at = snprintf(label, 96, "%zu  ", input->number);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)input->whole.bytes[i];
        unsigned char next = i + 1 < n ? (unsigned char)input->whole.bytes[i + 1] : 0xFF;
        bool control = c < 0x20 || c == 0x7F || (c == 0xC2 && next < 0xA0);
        if (control && c == 0xC2) i++;
        label[at++] = control ? ' ' : (char)c;
    }
    snprintf(label + at, 96 - (size_t)at, "%s", n < input->whole.length && input->has_text ? "..." : "");
}

/* Everything that one input, sequence b of the run, has to compare: itself, or each occurrence of the word. Occurrences
 * of all inputs are compared with one another: that is how `bank` in two sentences is compared. */
static Status compare_input(Comparison *c, const Session *s, const Input *input, const ModelRun *run, int b, Error *e)
{
    char label[96];
    Status status = BERT_OK;
    if (!c->words) {
        text_label(label, input);
        return add_thing(c, s, run, b, 0, label, e);
    }
    for (int t = 0; status == BERT_OK && t < input->encoding.T; t++) {
        if (!word_at(s, &c->word, &input->encoding, t)) continue;
        word_label(label, s, input, t, c->word.T);
        status = add_thing(c, s, run, b, t, label, e);
    }
    return status;
}

static Status compare_inputs(Comparison *c, const Session *s, const Inputs *inputs, Error *e)
{
    ModelRun run;
    Status status = run_recipe(s, &c->recipe, inputs, &run, e);
    for (size_t i = 0; status == BERT_OK && i < inputs->count; i++)
        status = compare_input(c, s, &inputs->input[i], &run, (int)i, e);
    run_free(&run);
    return status;
}

/* The likeness of things i and j; layer -1 is the recipe of the options. The rows of `layers` are ordered by thing,
 * then by hidden state. */
static double likeness_of(const Comparison *c, int L, size_t i, size_t j, int layer)
{
    const Rows *rows = layer < 0 ? &c->vectors : &c->layers;
    size_t per = layer < 0 ? 1 : (size_t)L + 1, at = layer < 0 ? 0 : (size_t)layer;
    const real *a = rows->data + (i * per + at) * rows->dim, *b = rows->data + (j * per + at) * rows->dim;
    return unsigned_nan(likeness(a, b, rows->dim, c->recipe.similarity));
}

static void print_cosine(const Session *s, double x)
{
    fprintf(s->out, " %9.*f", s->for_eyes ? 4 : 6, x);
}

/* The matrix, symmetric and with ones in its diagonal, each row with its label:
 *
 *              1         2
 *       1.000000  0.938639   1:6  from the [bank] vault ,
 *       0.938639  1.000000   1:10  , the [bank] robber was */
static void print_similarity(const Session *s, const Comparison *c)
{
    if (c->count == 0) return;
    for (size_t i = 0; i < c->count; i++) fprintf(s->out, "%10zu", i + 1);
    fputc('\n', s->out);
    for (size_t i = 0; i < c->count; i++) {
        for (size_t j = 0; j < c->count; j++) print_cosine(s, likeness_of(c, s->model.config.L, i, j, -1));
        fprintf(s->out, "   %s\n", c->labels[i]);
    }
}

/* One row per hidden state, one column per pair. Row 0 is before any context: two occurrences of one word differ
 * there only by their position (and segment). */
static void print_by_layer(const Session *s, const Comparison *c)
{
    fputs("\nhidden state", s->out);
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = i + 1; j < c->count; j++) fprintf(s->out, "   %3zu,%-3zu", i + 1, j + 1);
    fputc('\n', s->out);
    for (int l = 0; l <= s->model.config.L; l++) {
        fprintf(s->out, "%12d", l);
        for (size_t i = 0; i < c->count; i++)
            for (size_t j = i + 1; j < c->count; j++) print_cosine(s, likeness_of(c, s->model.config.L, i, j, l));
        fputc('\n', s->out);
    }
}

/* [[1, 0.9], [0.9, 1]] */
static void json_put_cosines(const Session *s, const Comparison *c, int layer)
{
    fputc('[', s->out);
    for (size_t i = 0; i < c->count; i++) {
        fputs(i ? ", [" : "[", s->out);
        for (size_t j = 0; j < c->count; j++) {
            if (j) fputs(", ", s->out);
            json_put_number(s->out, likeness_of(c, s->model.config.L, i, j, layer));
        }
        fputc(']', s->out);
    }
    fputc(']', s->out);
}

static void print_similarity_json(const Session *s, const Comparison *c)
{
    fputs("{\"labels\": [", s->out);
    for (size_t i = 0; i < c->count; i++) {
        if (i) fputs(", ", s->out);
        json_put_text(s->out, c->labels[i], strlen(c->labels[i]));
    }
    fputs(c->recipe.similarity == SIMILARITY_COSINE ? "], \"cosines\": " : "], \"similarities\": ", s->out);
    json_put_cosines(s, c, -1);
    if (s->options.by_layer) fputs(", \"by_layer\": [", s->out);
    for (int l = 0; s->options.by_layer && l <= s->model.config.L; l++) {
        if (l) fputs(", ", s->out);
        json_put_cosines(s, c, l);
    }
    fputs(s->options.by_layer ? "]}\n" : "}\n", s->out);
}

/* "9 to 12", or one after another. */
static void put_layers(char *text, size_t size, const Recipe *r)
{
    size_t at = 0;
    bool rising = true;
    for (int i = 1; i < r->count; i++) rising &= r->layers[i] == r->layers[i - 1] + 1;
    if (rising && r->count > 2) {
        snprintf(text, size, "%d to %d", r->layers[0], r->layers[r->count - 1]);
        return;
    }
    for (int i = 0; i < r->count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, i ? ", %d" : "%d", r->layers[i]);
}

/* What was compared: a cosine says nothing without it. On stderr, for those who look there. */
static void note_comparison(const Session *s, const Comparison *c)
{
    static const char *const combined[] = {"hidden states %s side by side", "sum of hidden states %s",
                                           "mean of hidden states %s"};
    static const char *const pooled[] = {"mean over the word's pieces", "row of [CLS]", "mean over the tokens",
                                         "maximum over the tokens"};
    const Recipe *r = &c->recipe;
    char layers[5 * MAX_LAYERS], states[5 * MAX_LAYERS + 40];
    put_layers(layers, sizeof layers, r);
    snprintf(states, sizeof states, r->count == 1 ? "hidden state %s" : combined[r->combine], layers);
    const char *length = r->normalize ? ", length 1" : "";
    if (other_similarity(r)) note(s, "the numbers are %s", other_similarity(r));
    if (r->sentence) note(s, "compared: vectors as the model's modules.json makes them%s", length);
    else if (r->pooling == POOL_POOLER) note(s, "compared: the pooler's output%s", length);
    else if (!c->words) note(s, "compared: %s, %s%s", states, pooled[r->pooling], length);
    else {
        const char *place = c->labels[0];               /* "1:6  from the ..." */
        int input = (int)strcspn(place, ":"), both = (int)strcspn(place, " ");
        note(s, "compared: %s, %s%s; %.*s is input %.*s, token %.*s (from 0)", states, pooled[r->pooling], length, both, place,
             input, place, both - input - 1, place + input + 1);
    }
}

/* Recipe and, with --word, the word's pieces, without [CLS] and [SEP]. A word that cannot be written in pieces would
 * find every other such word, since all of them are [UNK]. */
static Status start_comparison(Comparison *c, Session *s, Error *e)
{
    const char *word = s->options.word;
    const EncodeOptions bare = {.plain = s->options.plain, .no_add_special = true};
    c->words = word != NULL;
    const char *last_four = s->model.config.L >= 3 ? "-4..-1" : "0..-1";       /* all of them in a tiny model */
    Status status = word ? read_recipe(s, &c->recipe, last_four, COMBINE_SUM, e)
                         : read_recipe(s, &c->recipe, NULL, COMBINE_CAT, e);
    if (status != BERT_OK) return status;
    if (s->options.by_layer && c->recipe.pooling == POOL_POOLER)
        return fail(e, BERT_USAGE, "--by-layer shows every hidden state, and --pooling pooler has the last one only");
    if (!word && c->recipe.pooling == POOL_NONE)
        return fail(e, BERT_USAGE, "similarity needs one vector per input: --pooling none goes with --word only");
    if (!word) return prepare_sentences(s, e);
    if (s->options.pooling > 0) return fail(e, BERT_USAGE, "--word takes the mean of the word's pieces: leave "
                                                           "--pooling out");
    c->recipe.pooling = POOL_NONE;
    status = encode(&s->tokenizer, (Text){word, strlen(word)}, NULL, &bare, &c->word, e);
    if (status != BERT_OK) return fail(e, status, "--word: %.900s", e->message);
    if (c->word.T == 0) return fail(e, BERT_USAGE, "--word '%s': there is nothing to look for", word);
    for (int i = 0; i < c->word.T; i++)
        if (c->word.input_ids[i] == s->tokenizer.unk_id)
            return fail(e, BERT_TEXT, "--word '%s' cannot be written in pieces of this vocabulary", word);
    return BERT_OK;
}

static Status verb_similarity(Session *s, Error *e)
{
    Comparison c = {0};
    Inputs inputs = {0};
    Status status = start_comparison(&c, s, e);
    while (status == BERT_OK && (status = next_inputs(s, &inputs, e)) == BERT_OK && inputs.count > 0)
        status = compare_inputs(&c, s, &inputs, e);
    if (status == BERT_OK && c.words && c.count == 0)
        status = fail(e, BERT_TEXT, "the word '%s' is in none of the inputs", s->options.word);
    const bool json = format_is(s, "json");
    if (status == BERT_OK && json) print_similarity_json(s, &c);
    if (status == BERT_OK && !json) print_similarity(s, &c);
    if (status == BERT_OK && !json && s->options.by_layer) print_by_layer(s, &c);
    if (status == BERT_OK) status = answer_done(s, e);                  /* what is said comes after the answer */
    if (status == BERT_OK && c.count == 1)
        note(s, c.words ? "the word stands there once, and is compared with itself: give more texts"
                        : "one text is compared with itself: give two or more, or --word WORD");
    if (status == BERT_OK && !json && c.count > 1) note_comparison(s, &c);
    encoding_free(&c.word);
    free(c.vectors.data);
    free(c.layers.data);
    free(c.labels);
    inputs_free(&inputs);
    return status;
}

const Verb similarity_verb = {
    .name = "similarity", .run = verb_similarity, .needs = NEEDS_MODEL,
    .own = "--word --by-layer --layers --combine --pooling --normalize --prompt --format", .formats = "text json",
    .arguments = " [A B ...]", .summary = "cosines of texts, or of a word's occurrences",
    .help = similarity_help, .examples = similarity_examples,
};

/* =====================================================================================================================
 * rank
 *
 * The tutorial's use case: known answers, a new question; embed all of them and return the answers that are nearest.
 * ================================================================================================================== */
static const char rank_help[] =
    "Prints the lines of FILE (or of stdin, or the TEXTs after QUERY) as\n"
    "`score<TAB>line`, best first. The score is the cosine of the line's vector to\n"
    "QUERY's, or what config_sentence_transformers.json names as similarity_fn_name:\n"
    "dot, or euclidean or manhattan, whose distances are negative; SPLADE without\n"
    "one: dot. Vectors are made as `bert embed` makes them. Raw BERT was not trained\n"
    "for this; the example's model was. On a terminal four decimals, else all digits.\n"
    "With a cross-encoder, a model with a classifier of one label, the score is what\n"
    "it says of the pair QUERY and line, as sentence-transformers' CrossEncoder.rank:\n"
    "sigmoid, or its own activation_fn; what is too long is cut as its files say. An\n"
    "option about vectors asks for those all the same.\n"
    "\n"
    "Formats:\n"
    "  text     score and line\n"
    "  json     one object per line: score, text, input (the line's number, from 0)\n";
static const char rank_examples[] =
    "  bert rank -m weights/all-MiniLM-L6-v2 'my money back' -f answers.txt --top-k 3\n"
    "  bert rank -m ms-marco --activation none 'my money back' -f answers.txt\n";

typedef struct {
    double score;
    size_t number;                  /* of equal scores the earlier line comes first */
    char *text;
    size_t length;
} Ranked;

/* The higher score first; of equal ones the earlier line, so that the order does not depend on qsort. A score that is
 * no number comes last. */
static int by_score(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    const int order = higher_first(x->score, y->score);
    if (order) return order;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The first TEXT is the query, the others are ranked. */
static Status rank_settle(Options *o, Error *e)
{
    if (!o->text_count) return fail(e, BERT_USAGE, "rank needs a QUERY: see `bert rank --help`");
    if (o->pooling == POOL_NONE) return fail(e, BERT_USAGE, "rank needs one vector per line: not --pooling none");
    if (o->file && o->text_count > 1)
        return fail(e, BERT_USAGE, "rank takes QUERY and --file, or QUERY and TEXTs, not %d texts and --file: put the "
                    "QUERY in quotes", o->text_count);
    o->query = o->texts[0];
    o->text_count--;
    memmove(o->texts, o->texts + 1, (size_t)o->text_count * sizeof *o->texts);
    return BERT_OK;
}

/* The query's vector, as the first row. It is made once; every line then costs one run of the model and one cosine.
 * (The other way, query and line as a pair in one run, is more exact and needs a model that was trained for it.) */
static Status embed_query(const Session *s, const Recipe *r, Rows *rows, Error *e)
{
    const Text query = {s->options.query, strlen(s->options.query)};
    Request request = recipe_request(s, r);
    Encoding x = {0};
    ModelRun run = {0};
    int *rows_wanted = NULL;
    Status status = encode_prompted(s, query, NULL, &x, e);
    if (status == BERT_OK) status = request_logits(&request, &rows_wanted, s, (size_t)x.T, e);
    if (status == BERT_OK) status = run_model(&run, &s->model, &x, &request, e);
    if (status == BERT_OK) status = append_vectors(rows, r, s, &run, 0, e);
    run_free(&run);
    free(rows_wanted);
    encoding_free(&x);
    return status == BERT_OK ? status : fail(e, status, "QUERY: %.900s", e->message);
}

typedef struct {
    Recipe recipe;
    Rows rows;                      /* the query's vector, and room for a line's */
    bool cross_encoder;             /* instead: the pair (QUERY, line) in one run */
    Scores scores;
    Ranked *line;
    size_t count;
} Ranking;

/* How well sequence b of the run suits the query: the cosine of two vectors, or a cross-encoder's one logit. */
static Status score_line(const Session *s, const ModelRun *run, int b, Ranking *all, double *score, Error *e)
{
    Rows *rows = &all->rows;
    real one;
    if (all->cross_encoder) {
        scores_of(&one, &run->a.classifier_logits[b], 1, all->scores);
        *score = (double)one;
        return BERT_OK;
    }
    rows->count = 1;
    Status status = append_vectors(rows, &all->recipe, s, run, b, e);
    if (status == BERT_OK) *score = likeness(rows->data, rows->data + rows->dim, rows->dim, all->recipe.similarity);
    return status;
}

/* Scores one line, sequence b of the run, and keeps a copy of it; there is room for it in all->line. Nothing is printed
 * before the last line: the best one may come last. */
static Status rank_one(const Session *s, const Input *input, const ModelRun *run, int b, Ranking *all, Error *e)
{
    double score;
    Status status = score_line(s, run, b, all, &score, e);
    if (status != BERT_OK) return status;
    const size_t n = input->has_text ? input->whole.length : 0;
    char *text = malloc(n + 1);
    if (!text) return fail(e, BERT_SYSTEM, "out of memory");
    if (n) memcpy(text, input->whole.bytes, n);
    all->line[all->count++] = (Ranked){score, input->number, text, n};
    return BERT_OK;
}

static Status rank_inputs(const Session *s, const Inputs *inputs, Ranking *all, Error *e)
{
    ModelRun run;
    Ranked *longer = realloc(all->line, (all->count + inputs->count) * sizeof *longer);
    if (!longer) return fail(e, BERT_SYSTEM, "out of memory");
    all->line = longer;
    const Request pairs = {.classifier = true};
    Status status = all->cross_encoder ? run_inputs(&run, &s->model, inputs, &pairs, e)
                                       : run_recipe(s, &all->recipe, inputs, &run, e);
    for (size_t i = 0; status == BERT_OK && i < inputs->count; i++)
        status = rank_one(s, &inputs->input[i], &run, (int)i, all, e);
    run_free(&run);
    return status;
}

static void print_ranked(const Session *s, Ranked *ranked, size_t count)
{
    if (count) qsort(ranked, count, sizeof *ranked, by_score);
    if (s->options.top_k != UNSET && (size_t)s->options.top_k < count) count = (size_t)s->options.top_k;
    for (size_t i = 0; i < count; i++) {
        if (format_is(s, "json")) {
            fputs("{\"score\": ", s->out);
            json_put_number(s->out, ranked[i].score);
            fputs(", \"text\": ", s->out);
            json_put_text(s->out, ranked[i].text, ranked[i].length);
            fprintf(s->out, ", \"input\": %zu}\n", ranked[i].number - 1);
        } else {
            put_score(s, ranked[i].score);
            fputc('\t', s->out);
            fwrite(ranked[i].text, 1, ranked[i].length, s->out);
            fputc('\n', s->out);
        }
    }
}

/* The query as a vector, by the model's recipe. */
static Status start_cosines(Session *s, Ranking *all, Error *e)
{
    if (s->options.activation != UNSET)
        return fail(e, BERT_USAGE, "--activation is for a cross-encoder, and the scores are cosines here");
    Status status = read_recipe(s, &all->recipe, NULL, COMBINE_CAT, e);
    if (status == BERT_OK) status = prepare_sentences(s, e);
    return status == BERT_OK ? embed_query(s, &all->recipe, &all->rows, e) : status;
}

/* Every line becomes a pair with the query: [CLS] QUERY [SEP] line [SEP].
 * Why it ranks better than a cosine: the words of both attend to each other, where a vector must be made before the
 * other text is known. It costs a run for each pair.
 * A directory that a CrossEncoder of sentence-transformers left cuts what is too long: it has a modules.json, or its
 * config.json has an activation function. Its length is max_seq_length, or the tokenizer's. */
static Status start_pairs(Session *s, Ranking *all, const Text *query, Error *e)
{
    Labels labels;
    char *prompt = NULL;
    Status status = open_head(s, HEAD_SEQUENCE, &labels, e);
    if (status == BERT_OK && (s->options.pairs || s->options.pair || s->options.inputs))
        status = fail(e, BERT_USAGE, "a cross-encoder makes pairs of QUERY and each line: leave %s out",
                      s->options.inputs ? "--inputs" : s->options.pair ? "--pair" : "--pairs");
    if (status == BERT_OK && sentence_directory(s)) status = prompt_read(sentence_directory(s), NULL, &prompt, e);
    if (status == BERT_OK && sentence_directory(s))
        status = sentence_pairs_read(sentence_directory(s), &s->sentence_text, e);
    if (status == BERT_OK && sentence_directory(s)) s->cuts = s->sentence_text.cuts;
    if (status == BERT_OK && prompt)
        status = fail(e, BERT_FILE, "%s/config_sentence_transformers.json: the key \"default_prompt_name\" cannot be "
                      "obeyed: no prompt is put before a cross-encoder's texts here", s->directory);
    if (status == BERT_OK) status = choose_scores(s, &labels, true, &all->scores, e);
    s->first = query;
    s->cuts = s->sentence_text.cuts || labels.activation != ACTIVATION_UNSAID;
    if (status == BERT_OK && s->options.verbose && s->cuts)
        note(s, "pairs are cut to %d tokens", encode_options(s).max_length);
    if (status == BERT_OK) status = check_first(s, "QUERY", e);
    free(prompt);
    labels_free(&labels);
    return status;
}

/* Prompts that nobody asked for and that no default puts before a text: the model may have been trained with them. */
static Status note_prompts(const Session *s, Error *e)
{
    char names[400];
    const char *directory = sentence_directory(s);
    if (!directory || s->prompt || s->options.prompt || s->options.quiet) return BERT_OK;
    if (prompt_names(directory, names, e) != BERT_OK) return e->status;
    if (*names) note(s, "the directory has prompts for its texts (%s) and no default: none was used; --prompt NAME "
                     "puts one before QUERY and every line", names);
    return BERT_OK;
}

/* A fine-tuned model that is no cross-encoder: its head is not used, and which command uses it. False: it has none, or
 * vectors were asked for. */
static bool note_other_head(const Session *s)
{
    static const char cosines[] = "the scores are cosines of its vectors, for which it was not trained";
    const Bert *m = &s->model;
    if (m->has_qa) note(s, "this model finds answers in a text (bert answer): it is no cross-encoder; %s", cosines);
    else if (!m->has_classifier) return false;
    else if (m->config.head == HEAD_TOKENS)
        note(s, "this classifier labels tokens (bert tag): it is no cross-encoder; %s", cosines);
    else if (m->config.head == HEAD_CHOICE)
        note(s, "this classifier scores the choices of a question (bert choose): it is no cross-encoder; %s", cosines);
    else if (m->config.K > 1)
        note(s, "this classifier has %d labels (bert classify): it is no cross-encoder, which has one; %s",
             m->config.K, cosines);
    else return false;
    return true;
}

/* What the scores are, on stderr. */
static void note_ranking(const Session *s, const Ranking *all)
{
    static const char *const kinds[] = {"softmax", "sigmoid", "raw logits"};
    bool finite = true;
    for (size_t i = 0; i < all->count; i++) finite &= !isnan(all->line[i].score);
    if (!finite) note_not_finite(s);
    if (all->cross_encoder)
        note(s, "scores: this model is a cross-encoder, which reads QUERY and line together (%s)", kinds[all->scores]);
    else if (other_similarity(&all->recipe))
        note(s, "scores: %s, as the directory's similarity_fn_name or its kind asks for",
             other_similarity(&all->recipe));
    else if (!sentence_directory(s) && !note_other_head(s))
        note(s, "raw BERT was not trained to compare sentences; this model was: -m weights/all-MiniLM-L6-v2");
}

/* A model that was trained to compare sentences says how its vectors are made; raw BERT does not. A cross-encoder gives
 * no vectors at all. */
static Status verb_rank(Session *s, Error *e)
{
    Inputs inputs = {0};
    Ranking all = {.cross_encoder = is_cross_encoder(s)};
    const Text query = {s->options.query, strlen(s->options.query)};
    Status status = all.cross_encoder ? start_pairs(s, &all, &query, e) : start_cosines(s, &all, e);
    while (status == BERT_OK && (status = next_inputs(s, &inputs, e)) == BERT_OK && inputs.count > 0)
        status = rank_inputs(s, &inputs, &all, e);
    if (status == BERT_OK) print_ranked(s, all.line, all.count);
    if (status == BERT_OK) status = answer_done(s, e);
    if (status == BERT_OK) note_ranking(s, &all);
    if (status == BERT_OK && !all.cross_encoder) status = note_prompts(s, e);
    s->first = NULL;
    for (size_t i = 0; i < all.count; i++) free(all.line[i].text);
    free(all.line);
    free(all.rows.data);
    inputs_free(&inputs);
    return status;
}

const Verb rank_verb = {
    .name = "rank", .run = verb_rank, .settle = rank_settle, .needs = NEEDS_MODEL, .sentences = true,
    .own = "--top-k --layers --combine --pooling --normalize --prompt --activation --format", .formats = "text json",
    .arguments = " QUERY [TEXT ...]", .summary = "lines by their likeness to a query",
    .help = rank_help, .examples = rank_examples,
};
