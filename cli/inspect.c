/* inspect.c - the verbs that look inside: attention (step 9), trace (all steps), info (the weights).
 *
 * None of them computes anything that the other verbs do not. attention and trace run the model with a Request that
 * keeps what is usually overwritten from layer to layer, and print it; info reads the file of weights without running
 * anything.
 */
#define _XOPEN_SOURCE 700           /* for realpath */
#include "cli/cli.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* =====================================================================================================================
 * attention: step 9
 *
 * In every block each token looks at all tokens, itself included, and takes a mixture of what it finds there. How
 * much of each is a probability:
 *
 *     probs[a][i][j] = softmax over j of (q_i . k_j / sqrt(D))        head a, query i, key j
 *
 * A BERT-Base has 12 layers of 12 heads, so a text of T tokens has 144 such tables of T by T. Some heads can be read:
 * layer 8, head 10 (counted from 0) looks from `it` to the noun that it stands for.
 * See [attn] section 3.2; [hf] BertSelfAttention, output_attentions=True.
 * ================================================================================================================== */
static const char attention_help[] =
    "Who looks at whom. --layer and --head count from 0, as in the names of a trace.\n"
    "  --format text     one head of one layer (default 0 and 0) as a heat map: a row is the token that looks\n"
    "                    (query), a column the token that is looked at (key); ' .:-=+*#%@' from 0 to 1; then the\n"
    "                    strongest key\n"
    "  --format npy      float32 (L, A, T, T), without the dimension that --layer or --head fixes; one input only\n"
    "  --format json     one object per line for bertviz: attn [layers][heads][T][T], left_text, right_text\n"
    "\n"
    "  bert attention --layer 8 --head 10 'The cat sat on the mat because it was tired.'\n"
    "  bert attention --format npy 'my dog is cute' > attention.npy\n";

/* A layer or head that is given fixes one; one that is left out means all of them, or the first for a heat map, of
 * which nobody wants 144 at once. */
typedef struct {                    /* the layers and heads that are shown: first, and one after the last */
    int layer, layers, head, heads;
} Window;

/* The window from the options, checked against the model. `one`: a single heat map is wanted.
 * Trap: layer l of the attention makes hidden state l+1. Counting attention from 0 and hidden states from 0 is how
 * everyone does it, and how everyone is off by one sooner or later; so the heading says both. */
static Status read_window(const Session *s, Window *w, bool one, Error *e)
{
    const BertConfig *c = &s->model.config;
    const Options *o = &s->options;
    if (check_layer_and_head(s, e) != BERT_OK) return e->status;
    int layer = o->layer == UNSET && one ? 0 : o->layer, head = o->head == UNSET && one ? 0 : o->head;
    *w = (Window){layer == UNSET ? 0 : layer, layer == UNSET ? c->L : layer + 1,
                  head == UNSET ? 0 : head, head == UNSET ? c->A : head + 1};
    return BERT_OK;
}

/* The probabilities of one head: (T,T), row i the query, column j the key. Each row adds up to 1: it says how the
 * token i distributes its attention. */
static const real *head_probs(const Run *run, int layer, int head)
{
    return run->a.block[layer].probs + (size_t)head * (size_t)run->T * (size_t)run->T;
}

/* One cell, two columns wide, because a character is about twice as high as it is wide: a square. A shade of grey where
 * there is colour (the 24 greys of a terminal, 232 to 255), else one of ten characters of growing darkness. */
static void print_cell(FILE *out, double p, bool colour)
{
    static const char shades[] = " .:-=+*#%@";
    const double q = p >= 0 && p <= 1 ? p : 0;                          /* weights of another kind may give NaN */
    const char c = shades[(int)(q * 9 + 0.5)];
    if (colour) fprintf(out, "\033[48;5;%dm  \033[0m", 232 + (int)(q * 23));
    else fprintf(out, "%c%c", c, c);
}

/* One head as a picture:
 *
 *     encoder.layer.8 (makes hidden state 9), head 10
 *                         0 1 2 3 4 5 6 7 8 9101112
 *        7 because      |  ::::==        ..        | 0.40 3 sat
 *        8 it           |  ..%%                    | 0.83 2 cat
 *
 * To the right of each row its strongest key, for those who read numbers rather than shades. Many heads look at [SEP]
 * most of the time: that is what a head does that has nothing to say about a token. */
static void print_heat_map(const Session *s, const Encoding *x, const Run *run, const Window *w)
{
    const bool colour = may_colour(s);
    const real *p = head_probs(run, w->layer, w->head);
    fprintf(s->out, "encoder.layer.%d (makes hidden state %d), head %d\n%18s", w->layer, w->layer + 1, w->head, "");
    for (int j = 0; j < x->T; j++) fprintf(s->out, "%2d", j % 100);
    fputc('\n', s->out);
    for (int i = 0; i < x->T; i++) {
        const real *row = p + (size_t)i * (size_t)x->T;
        int best = 0;
        fprintf(s->out, "%3d ", i);
        int gap = 12 - put_safely(s->out, piece_of(s, x->input_ids[i]));
        fprintf(s->out, "%*s |", gap > 0 ? gap : 0, "");
        for (int j = 0; j < x->T; j++) {
            print_cell(s->out, (double)row[j], colour);
            if (row[j] > row[best]) best = j;
        }
        fprintf(s->out, "| %.2f %d ", unsigned_nan((double)row[best]), best);
        put_safely(s->out, piece_of(s, x->input_ids[best]));
        fputc('\n', s->out);
    }
}

/* One head as [[...], ...]: T rows of T numbers. */
static void json_put_head(const Session *s, const Run *run, int layer, int head)
{
    const real *p = head_probs(run, layer, head);
    fputc('[', s->out);
    for (int i = 0; i < run->T; i++) {
        if (i) fputs(", ", s->out);
        json_put_vector(s->out, p + (size_t)i * (size_t)run->T, (size_t)run->T);
    }
    fputc(']', s->out);
}

/* What bertviz's head_view and model_view draw: attn [layers][heads][T][T], and the pieces as labels of both sides. The
 * dimensions of layers and heads stay, even if only one of either is shown. */
static void print_bertviz(const Session *s, const Encoding *x, const Run *run, const Window *w)
{
    fputs("{\"attn\": [", s->out);
    for (int l = w->layer; l < w->layers; l++) {
        fputs(l > w->layer ? ", [" : "[", s->out);
        for (int a = w->head; a < w->heads; a++) {
            if (a > w->head) fputs(", ", s->out);
            json_put_head(s, run, l, a);
        }
        fputc(']', s->out);
    }
    fputs("], ", s->out);
    json_put_pieces(s, "left_text", x);
    fputs(", ", s->out);
    json_put_pieces(s, "right_text", x);
    fputs("}\n", s->out);
}

/* The same numbers for NumPy: (L, A, T, T), without the dimensions that the options fix, as indexing a[3] would do. */
static void print_attention_npy(const Session *s, const Run *run, const Window *w)
{
    const size_t square = (size_t)run->T * (size_t)run->T;
    size_t shape[4];
    int rank = 0;
    if (s->options.layer == UNSET) shape[rank++] = (size_t)s->model.config.L;
    if (s->options.head == UNSET) shape[rank++] = (size_t)s->model.config.A;
    shape[rank++] = (size_t)run->T;
    shape[rank++] = (size_t)run->T;
    npy_put_header(s->out, shape, rank);
    for (int l = w->layer; l < w->layers; l++)
        for (int a = w->head; a < w->heads; a++) npy_put_data(s->out, head_probs(run, l, a), square);
}

/* The probabilities of all layers are kept by the run (KEEP_ATTENTION); without that, each layer overwrites the last
 * one's.
 */
static Status attention_one(Session *s, const Input *input, const Window *w, Error *e)
{
    const Request request = {.keep = KEEP_ATTENTION};
    Run run;
    Status status = run_model(&run, &s->model, &input->encoding, &request, e);
    if (status != BERT_OK) at_input(s, input, e);
    else if (format_is(s, "json")) print_bertviz(s, &input->encoding, &run, w);
    else {
        if (input->number > 1) fputc('\n', s->out);
        print_heat_map(s, &input->encoding, &run, w);
    }
    run_free(&run);
    return status == BERT_OK ? answer_done(s, e) : status;
}

/* npy is all or nothing: the array of the one input is written after it is known that no second one follows. */
static Status attention_npy(Session *s, const Window *w, Error *e)
{
    const Request request = {.keep = KEEP_ATTENTION};
    Input input = {0}, second = {0};
    Run run = {0};
    bool more = true;
    Status status = next_input(s, &input, &more, e);
    if (status == BERT_OK && !more) status = fail(e, BERT_TEXT, "there is no input, and --format npy needs one");
    if (status == BERT_OK && (status = run_model(&run, &s->model, &input.encoding, &request, e)) != BERT_OK)
        at_input(s, &input, e);
    if (status == BERT_OK) status = next_input(s, &second, &more, e);
    if (status == BERT_OK && more) status = fail(e, BERT_USAGE, "--format npy takes one input only");
    if (status == BERT_OK) print_attention_npy(s, &run, w);
    run_free(&run);
    input_free(&input);
    input_free(&second);
    return status;
}

static Status verb_attention(Session *s, Error *e)
{
    Input input = {0};
    Window window = {0};
    bool more = true;
    Status status = read_window(s, &window, format_is(s, "text"), e);
    if (status == BERT_OK && format_is(s, "npy")) return attention_npy(s, &window, e);
    while (status == BERT_OK && (status = next_input(s, &input, &more, e)) == BERT_OK && more)
        status = attention_one(s, &input, &window, e);
    input_free(&input);
    return status;
}

const Verb attention_verb = {"attention", verb_attention, NULL, NEEDS_MODEL, "--layer --head --format", "text npy json",
                                    " [TEXT ...]", "who looks at whom", attention_help};

/* =====================================================================================================================
 * trace: all steps
 *
 * The forward pass, number by number. This is the tool for whoever writes a BERT of their own: write the same tensors
 * from both programs, compare them from the top, and the first that differs is the step to look at.
 * Names and shapes are those of Hugging Face's modules; verify.c has the list.
 * ================================================================================================================== */
static const char trace_help[] =
    "Every intermediate of the forward pass: name, shape, rms, min, max, first three values, in the order of the\n"
    "data. With -o FILE.safetensors instead all of them in a file, with input_ids, token_type_ids and\n"
    "attention_mask. Several inputs need one length. Heads that the weights lack are left out.\n"
    "\n"
    "  bert trace 'my dog is cute'\n"
    "  bert trace -o mine.safetensors 'my dog is cute'\n";

typedef struct {                    /* all inputs as one batch */
    int B, N, *T;
    int32_t *ids, *types, *mask;
    int *rows;                      /* 0 .. N-1: the MLM head sees every token */
    char *text;                     /* the inputs' texts, a line each */
    size_t length;
} TraceInputs;

/* Appends n int32 to an array that holds `used`. False: out of memory. */
static bool append_ids(int32_t **array, int used, const int32_t *more, int n)
{
    int32_t *longer = realloc(*array, (size_t)(used + n) * sizeof *longer);
    if (!longer) return false;
    *array = longer;
    memcpy(longer + used, more, (size_t)n * sizeof *longer);
    return true;
}

/* The text for the file's metadata, a line per input. A NUL would end it, and shows as a blank. */
static bool append_text(TraceInputs *in, const Input *input)
{
    const size_t n = input->has_text ? input->whole.length : 0;
    char *longer = realloc(in->text, in->length + n + 2);
    if (!longer) return false;
    in->text = longer;
    if (in->B) in->text[in->length++] = '\n';
    for (size_t i = 0; i < n; i++) in->text[in->length++] = input->whole.bytes[i] ? input->whole.bytes[i] : ' ';
    in->text[in->length] = 0;
    return true;
}

/* One more input at the end of the batch. A batch is packed: the sequences' tokens one after another, no padding
 * between.
 */
static Status append_input(TraceInputs *in, const Input *input, Error *e)
{
    const Encoding *x = &input->encoding;
    if (x->T > INT_MAX - 1 - in->N) return fail(e, BERT_TEXT, "more than %d tokens in all inputs", INT_MAX - 1);
    int *T = realloc(in->T, (size_t)(in->B + 1) * sizeof *T);
    if (T) in->T = T;
    int *rows = realloc(in->rows, (size_t)(in->N + x->T + 1) * sizeof *rows);
    if (rows) in->rows = rows;
    if (!T || !rows || !append_ids(&in->ids, in->N, x->input_ids, x->T) ||
        !append_ids(&in->types, in->N, x->token_type_ids, x->T) ||
        !append_ids(&in->mask, in->N, x->attention_mask, x->T) || !append_text(in, input))
        return fail(e, BERT_SYSTEM, "out of memory");
    for (int i = 0; i < x->T; i++) in->rows[in->N + i] = in->N + i;
    in->T[in->B++] = x->T;
    in->N += x->T;
    return BERT_OK;
}

/* The model's name in a trace: that of its directory, also for "-m DIR/" and "-m .". Into name[256]. */
static Status model_name(const char *directory, char name[256], Error *e)
{
    char *path = strdup(directory);
    if (!path) return fail(e, BERT_SYSTEM, "out of memory");
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') path[--n] = 0;
    char *base = n ? strrchr(path, '/') : NULL;
    base = base ? base + 1 : path;
    if (base && (!strcmp(base, ".") || !strcmp(base, "..") || !*base)) {        /* only the system knows its name */
        char *real_path = realpath(path, NULL);
        if (real_path) free(path), path = real_path, base = strrchr(path, '/') + 1;
    }
    snprintf(name, 256, "%.255s", base ? base : "");
    free(path);
    return BERT_OK;
}

/* Runs the batch with everything kept, and prints it or writes it to the file of -o, which appears whole or not at all.
 * Heads that the weights lack are not asked for; a refitted next-sentence head is no part of the weights and never
 * here.
 */
static Status trace_batch(Session *s, const TraceInputs *in, Error *e)
{
    const Bert *m = &s->model;
    const Batch batch = {in->B, in->T, in->ids, in->types, in->mask};
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = m->has_pooler, .nsp = m->has_nsp && m->has_pooler,
                             .mlm_rows = in->rows, .M = m->has_mlm ? in->N : 0};
    Activations a = {0};
    char name[256];
    Status status = batch_check(&batch, &m->config, e);
    if (status == BERT_OK) status = activations_new(&a, m, &batch, &request, e);
    if (status == BERT_OK) {
        forward(m, &a);
        if (!s->options.output) status = trace_print(m, &a, s->out, e);
        else if ((status = model_name(s->directory, name, e)) == BERT_OK)
            status = trace_put(m, &a, s->file.stream, name, in->text, e);
    }
    activations_free(&a);
    return status;
}

/* The file of -o is opened first: nobody should wait for an answer that cannot be written. session_close gives it its
 * name. */
static Status verb_trace(Session *s, Error *e)
{
    TraceInputs in = {0};
    Input input = {0};
    bool more = true;
    Status status = s->options.output ? output_open(&s->file, s->options.output, e) : BERT_OK;
    while (status == BERT_OK && (status = next_input(s, &input, &more, e)) == BERT_OK && more)
        status = append_input(&in, &input, e);
    if (status == BERT_OK && in.B == 0) status = fail(e, BERT_TEXT, "there is no input to trace");
    if (status == BERT_OK) status = trace_batch(s, &in, e);
    free(in.T), free(in.ids), free(in.types);
    free(in.mask), free(in.rows), free(in.text);
    input_free(&input);
    return status;
}

const Verb trace_verb = {"trace", verb_trace, NULL, NEEDS_MODEL, "", "", " [TEXT ...]",
                                "every intermediate, as a table or a file", trace_help};

/* =====================================================================================================================
 * compare and verify: someone else's numbers
 *
 * Who writes BERT in another language writes its intermediates into a safetensors file and asks: which one is the first
 * wrong one? compare answers with two files, and needs no model. verify needs only the other side's file: it computes
 * the reference from the ids that stand in it, and names the known mistake that explains the difference.
 * ================================================================================================================== */
static const char compare_help[] =
    "Two traces against each other, ids first, then tensor by tensor in the order of the data: largest difference\n"
    "and where, rms of the differences, NMSE (sum of squared differences by sum of squares, in dB), cosine, ulp.\n"
    "Ends with `no difference` (exit 0) or `first difference: NAME ...` (exit 1). A tensor passes at -80 dB of NMSE.\n"
    "float16, bfloat16, float32 and float64 may be mixed, leading dimensions of 1 do not matter, masked tokens are\n"
    "shown and not counted, what only one side has is listed. Names of TransformerLens, of Google's graph and of\n"
    "llama.cpp are understood: the table is in compare.c.\n"
    "\n"
    "  bert compare ours.safetensors theirs.safetensors\n"
    "  bert compare --atol 1e-4 --rtol 1e-3 ours.safetensors theirs.safetensors\n"
    "  bert compare --tolerance exact one.safetensors two.safetensors\n";

static Status compare_settle(Options *o, Error *e)
{
    if (o->text_count != 2)
        return fail(e, BERT_USAGE, "compare needs two files, REF and OTHER, not %d: see `bert compare --help`",
                    o->text_count);
    o->ref = o->texts[0], o->other = o->texts[1];
    return BERT_OK;
}

/* A number as an option's value: 1e-4, 0.5, -60. */
static Status read_bound(const char *name, const char *text, double *out, Error *e)
{
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end || !isfinite(*out)) return fail(e, BERT_USAGE, "%s %s: a number is expected", name, text);
    return BERT_OK;
}

/* --tolerance exact, --tolerance -60, --atol 1e-4, --rtol 1e-3, or the default. */
static Status read_tolerance(const Options *o, Tolerance *t, Error *e)
{
    *t = TOLERANCE_DEFAULT;
    if (o->tolerance && (o->atol || o->rtol))
        return fail(e, BERT_USAGE, "--tolerance and --atol, --rtol exclude each other");
    if (o->tolerance && !strcmp(o->tolerance, "exact")) t->kind = TOLERANCE_EXACT;
    else if (o->tolerance) return read_bound("--tolerance", o->tolerance, &t->decibel, e);
    if (!o->atol && !o->rtol) return BERT_OK;
    t->kind = TOLERANCE_CLOSE;
    if (o->atol && read_bound("--atol", o->atol, &t->atol, e) != BERT_OK) return e->status;
    if (o->rtol && read_bound("--rtol", o->rtol, &t->rtol, e) != BERT_OK) return e->status;
    if (t->atol < 0 || t->rtol < 0) return fail(e, BERT_USAGE, "--atol and --rtol are not negative");
    return BERT_OK;
}

static Status verb_compare(Session *s, Error *e)
{
    Tolerance tolerance;
    if (read_tolerance(&s->options, &tolerance, e) != BERT_OK) return e->status;
    return compare_traces(s->options.ref, s->options.other, &tolerance, s->out, e);
}

const Verb compare_verb = {"compare", verb_compare, compare_settle, NEEDS_NOTHING, "--tolerance --atol --rtol", "",
                           " REF OTHER", "two traces: the first difference", compare_help};

static const char verify_help[] =
    "OTHER is a safetensors file with input_ids and any intermediates of a BERT with these weights, under the names\n"
    "of a trace or one of their aliases (see `bert compare --help`). The reference is computed here from OTHER's ids\n"
    "(token_type_ids default to 0, attention_mask to 1); with TEXT, OTHER's ids are checked first. Where the two\n"
    "differ, the known mistakes that explain it are named. Prints and exits as `bert compare` does.\n"
    "  --isolate         each step gets OTHER's own inputs where OTHER has them: a wrong step is not blamed on its\n"
    "                    successors, and each (of the first five) is explained\n"
    "\n"
    "  bert verify theirs.safetensors\n"
    "  bert verify --isolate theirs.safetensors 'my dog is cute'\n";

static Status verify_settle(Options *o, Error *e)
{
    if (!o->text_count) return fail(e, BERT_USAGE, "verify needs a file OTHER: see `bert verify --help`");
    o->other = o->texts[0];
    o->text_count--;
    memmove(o->texts, o->texts + 1, (size_t)o->text_count * sizeof *o->texts);
    return BERT_OK;
}

/* The TEXT, if there is one, says which ids OTHER should have. */
static Status verb_verify(Session *s, Error *e)
{
    VerifyOptions options = {.isolate = s->options.isolate, .tokenizer = &s->tokenizer};
    const Options *o = &s->options;
    Input input = {0};
    bool more = o->text_count || o->file || o->inputs;
    Status status = read_tolerance(o, &options.tolerance, e);
    if (o->text_count > 1) status = fail(e, BERT_USAGE, "verify takes one TEXT, not %d", o->text_count);
    if (status == BERT_OK && more) status = next_input(s, &input, &more, e);
    if (more) options.text = &input.encoding;
    if (status == BERT_OK) status = verify_trace(&s->model, o->other, &options, s->out, e);
    input_free(&input);
    return status;
}

const Verb verify_verb = {"verify", verb_verify, verify_settle, NEEDS_MODEL, "--isolate --tolerance --atol --rtol", "",
                          " OTHER [TEXT]", "someone else's BERT: its first wrong number", verify_help};

/* =====================================================================================================================
 * info: what a model is made of
 *
 * A model is a configuration (a few numbers) and its weights (many). The configuration alone says how many parameters
 * there must be, and under which names and shapes; the file of weights says what is there.
 * ================================================================================================================== */
static const char info_help[] =
    "Configuration, exact parameter counts (from a config.json alone, too), the heads that are there, and the\n"
    "tensors that are missing, unexpected, or hold values that are not finite. -v: every tensor with dtype, shape,\n"
    "rms, min, max and first three values. Exit 3 if a tensor that is needed is missing.\n"
    "\n"
    "  bert info\n"
    "  bert info -v -m weights/bert-base-cased\n";

typedef struct {                    /* what info finds out about a file of weights */
    const Session *s;
    BertConfig config;
    Safetensors file;
    bool *known;                    /* of each tensor in the file: the table has it */
    int missing[GROUP_TASK + 1], found[GROUP_TASK + 1];     /* tensors by group */
    size_t infinite;
} Inspection;

/* Parameters of one group: the products of the shapes in bert.c's table of tensors; what is optional or tied to another
 * tensor does not count twice. For BERT-Base the encoder and the pooler come to 109,482,240: the documents' "110
 * million".
 *
 *     embeddings   (30,522 + 512 + 2) * 768 + 2 * 768                     23,837,184
 *     a layer      4 * (768^2 + 768) + 2 * 768 * 3,072 + 3,072 + 5 * 768   7,087,872   times 12
 *     pooler       768^2 + 768                                               590,592 */
static long long count_parameters(const BertConfig *config, Group group)
{
    long long sum = 0;
    for (size_t i = 0; i < tensor_table_size; i++) {
        const TensorSpec *spec = &tensor_table[i];
        if (spec->group != group || spec->optional || spec->tied) continue;
        long long n = (long long)spec_rows(spec, config) * (long long)spec_cols(spec, config);
        sum += spec_per_layer(spec) ? n * config->L : n;
    }
    return sum;
}

/* What config.json says. 12L/768H/12A is the notation of the encyclopedia article, with the number of heads added: it
 * does not follow from H for every model. */
static void print_configuration(const Session *s, const BertConfig *c)
{
    char V[32], base[32], all[32], sizes[400];
    long long body = count_parameters(c, GROUP_ENCODER) + count_parameters(c, GROUP_POOLER);
    put_thousands(V, c->V);
    put_thousands(base, body);
    put_thousands(all, body + count_parameters(c, GROUP_MLM) + count_parameters(c, GROUP_NSP));
    fputs("model       ", s->out);
    put_safely(s->out, s->directory);
    fputc('\n', s->out);
    fprintf(s->out, "size        %dL/%dH/%dA: %d layers, hidden size %d, %d heads of %d, feed-forward %d\n",
            c->L, c->H, c->A, c->L, c->H, c->A, c->D, c->F);
    fprintf(s->out, "inputs      %s pieces, %d positions, %d segments\n", V, c->P, c->S);
    fprintf(s->out, "numbers     GELU %s, LayerNorm eps %g, computed in float%d\n",
            c->gelu == GELU_ERF ? "erf" : "tanh", c->eps, (int)sizeof(real) * 8);
    if (config_filled_in(c, sizes, sizeof sizes)) fprintf(s->out, "filled in   %s (not in config.json)\n", sizes);
    fprintf(s->out, "parameters  %s (encoder and pooler); %s with both pre-training heads\n", base, all);
}

/* Walks the tensor table: marks what is known, counts what is there, prints what is missing. A head may be missing as a
 * whole (its weights were left out when the model was published); the encoder may not. The first names are enough to
 * see what is wrong: the files of another model would lack thousands. */
static void list_missing(Inspection *in)
{
    const int shown = 20;
    char name[160];
    for (size_t i = 0; i < tensor_table_size; i++) {
        const TensorSpec *spec = &tensor_table[i];
        for (int l = 0; l < (spec_per_layer(spec) ? in->config.L : 1); l++) {
            const SafeTensor *t = spec_find(spec, l, &in->file);
            if (t) in->known[t - in->file.tensors] = true;
            if (t) in->found[spec->group]++;
            if (t || spec->optional || spec->tied) continue;
            in->missing[spec->group]++;
            spec_name(spec->name, l, name, sizeof name);
            if (spec->group == GROUP_ENCODER && in->missing[GROUP_ENCODER] <= shown)
                fprintf(in->s->out, "missing     %s\n", name);
        }
    }
    if (in->missing[GROUP_ENCODER] > shown)
        fprintf(in->s->out, "missing     ... and %d more\n", in->missing[GROUP_ENCODER] - shown);
}

/* One tensor: dtype, shape, rms, least, largest, first three values, over its finite values. Counts tensors with
 * others: a single NaN in the weights turns every answer into NaN, and is hard to find from there. */
static void inspect_tensor(Inspection *in, const SafeTensor *t, bool print)
{
    double squares = 0, least = INFINITY, largest = -INFINITY;
    size_t finite = 0;
    const bool floating = t->dtype <= DTYPE_BF16;
    for (size_t i = 0; floating && i < t->count; i++) {
        double x = tensor_element(t, i);
        if (!isfinite(x)) continue;
        finite++;
        squares += x * x;
        least = x < least ? x : least;
        largest = x > largest ? x : largest;
    }
    if (floating && finite < t->count) {
        fputs("not finite  ", in->s->out);
        put_safely(in->s->out, t->name);
        fprintf(in->s->out, ": %zu of %zu values\n", t->count - finite, t->count);
        in->infinite++;
    }
    if (!print) return;
    char shape[128] = "";
    for (int i = 0, n = 0; i < t->rank && n < 100; i++) n += snprintf(shape + n, 28, "%s%zu", i ? "," : "",
                                                                      t->shape[i]);
    int gap = 62 - put_safely(in->s->out, t->name);
    fprintf(in->s->out, "%*s %-4s %-12s", gap > 0 ? gap : 0, "", dtype_name(t->dtype), shape);
    if (floating && finite) {
        fprintf(in->s->out, " %9.4g %9.4g %9.4g ", sqrt(squares / (double)finite), least, largest);
        for (size_t i = 0; i < 3 && i < t->count; i++) fprintf(in->s->out, " %9.5f", tensor_element(t, i));
    }
    fputc('\n', in->s->out);
}

/* heads       pooler: yes, masked language model: yes, next sentence: no */
static void print_heads(const Inspection *in)
{
    static const struct { Group group; const char *name; } heads[] = {
        {GROUP_POOLER, "pooler"}, {GROUP_MLM, "masked language model"}, {GROUP_NSP, "next sentence"}};
    fputs("heads       ", in->s->out);
    for (int i = 0; i < 3; i++) {
        int missing = in->missing[heads[i].group], found = in->found[heads[i].group];
        fprintf(in->s->out, "%s%s: %s", i ? ", " : "", heads[i].name, !missing ? "yes" : found ? "only a part" : "no");
    }
    fputc('\n', in->s->out);
}

/* The file of weights beside the configuration: what is there, what is missing, what nobody asked for. */
static Status inspect_weights(Inspection *in, const char *path, Error *e)
{
    FILE *out = in->s->out;
    char bytes[32];
    size_t unexpected = 0;
    if (weights_open(&in->file, path, e) != BERT_OK) return e->status;
    in->known = calloc(in->file.count + 1, sizeof *in->known);
    if (!in->known) return fail(e, BERT_SYSTEM, "out of memory");
    put_thousands(bytes, (long long)weights_size(&in->file));
    fputs("weights     ", out);
    put_safely(out, path);
    fprintf(out, ": %zu tensors, %s bytes\n", in->file.count, bytes);
    if (in->file.shard_count) fprintf(out, "shards      %zu files\n", in->file.shard_count);
    if (!prefix_is_usual(&in->file)) {
        fputs("prefix      ", out);
        put_safely(out, in->file.prefix);
        fputc('\n', out);
    }
    list_missing(in);
    print_heads(in);
    for (size_t i = 0; i < in->file.count; i++) {
        inspect_tensor(in, &in->file.tensors[i], in->s->options.verbose);
        if (in->known[i]) continue;
        fputs("unexpected  ", out);
        put_safely(out, in->file.tensors[i].name);
        fputs(" (not used)\n", out);
        unexpected++;
    }
    fprintf(out, "tensors     %d missing, %zu unexpected, %zu with values that are not finite\n",
            in->missing[GROUP_ENCODER], unexpected, in->infinite);
    if (in->missing[GROUP_ENCODER] == 0) return BERT_OK;
    const int missing = in->missing[GROUP_ENCODER];
    return fail(e, BERT_FILE, missing == 1 ? "%s: %d tensor that the encoder needs is missing" :
                "%s: %d tensors that the encoder needs are missing", path, missing);
}

/* Works without weights, from a config.json alone: then it is a calculator of parameters. With weights the model is
 * loaded at the end as every other verb loads it, so that `info` cannot call a model good that they refuse. */
static Status verb_info(Session *s, Error *e)
{
    Inspection in = {.s = s};
    char path[4400], *weights = NULL;
    struct stat kind;
    bool alone = stat(s->directory, &kind) == 0 && S_ISREG(kind.st_mode);       /* -m path/config.json */
    snprintf(path, sizeof path, alone ? "%.4096s" : "%.4096s/config.json", s->directory);
    Status status = config_load(&in.config, path, e);
    if (status != BERT_OK) return status;
    if (s->options.gelu != UNSET) in.config.gelu = (GeluKind)s->options.gelu;
    print_configuration(s, &in.config);
    if (s->weights && !(weights = strdup(s->weights))) return fail(e, BERT_SYSTEM, "out of memory");
    if (!alone && !weights) status = model_file_if_any(&weights, s->directory, e);  /* two, or none readable: an error */
    if (status == BERT_OK && !weights) {
        fprintf(s->out, "weights     %s\n", alone ? "not looked for" : "none: the directory holds no *.safetensors");
    } else if (status == BERT_OK) {
        Bert model = {0};                                   /* loading checks what is not listed: shapes, ... */
        status = inspect_weights(&in, weights, e);
        if (status == BERT_OK) status = bert_load(&model, s->weights ? s->weights : s->directory, e);
        bert_free(&model);
    }
    free(weights);
    free(in.known);
    safetensors_close(&in.file);
    return status;
}

const Verb info_verb = {"info", verb_info, NULL, NEEDS_CONFIG, "", "", "",
                               "configuration, parameters, tensors", info_help};
