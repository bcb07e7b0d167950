/* attention.c - the verb attention (step 9): who looks at whom. */
#include "cli/cli.h"
#include <stdlib.h>
#include <string.h>

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
    "One head of one layer as a picture; --layer and --head count from 0, as in the\n"
    "names of a trace (default 0 and 0 for the picture, all of them for npy and\n"
    "json). A row is the token that looks (query), a column the token that is looked\n"
    "at (key), its number above it, tens over ones. On a terminal with colours white\n"
    "is much attention and black none; in plain text ' .:-=+*#%@' from none to all,\n"
    "so that @ is much. A row ends with the strongest key.\n"
    "\n"
    "Formats:\n"
    "  text     the picture\n"
    "  npy      float32 (L, A, T, T), without the dimension that --layer or --head\n"
    "           fixes; one input only\n"
    "  json     one object per line for bertviz: attn [layers][heads][T][T],\n"
    "           left_text, right_text\n";
static const char attention_examples[] =
    "  bert attention --layer 8 --head 10 'The cat sat down because it was tired.'\n"
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
static const real *head_probs(const ModelRun *run, int layer, int head)
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

/* How much each sign is: the probabilities in the middle of their ranges, to one digit. */
static void print_legend(FILE *out, bool colour)
{
    fputs(colour ? "black: 0, white: 1\n"
                 : "blank: 0, . 0.1, : 0.2, - 0.3, = 0.4, + 0.6, * 0.7, # 0.8, % 0.9, @ 1\n", out);
}

/* 0 to T-1 above the columns of cells, a row for each digit, the last one of the ones. */
static void print_column_numbers(FILE *out, int T)
{
    int power = 1;
    while (power * 10 < T) power *= 10;
    for (; power >= 1; power /= 10) {
        fprintf(out, "%18s", "");
        for (int j = 0; j < T; j++)
            if (j >= power || power == 1) fprintf(out, " %d", j / power % 10);
            else fputs("  ", out);
        fputc('\n', out);
    }
}

/* One head as a picture:
 *
 *     encoder.layer.8 (makes hidden state 9), head 10
 *                                             1 1 1
 *                         0 1 2 3 4 5 6 7 8 9 0 1 2
 *        7 because      |  ::::==        ..        | 0.40 3 sat
 *        8 it           |  ..%%                    | 0.83 2 cat
 *
 * To the right of each row its strongest key, for those who read numbers rather than shades; below the last one a
 * legend. Many heads look at [SEP] most of the time: that is what a head does that has nothing to say about a token. */
static void print_heat_map(const Session *s, const Encoding *x, const ModelRun *run, const Window *w)
{
    const bool colour = may_colour(s);
    const real *p = head_probs(run, w->layer, w->head);
    fprintf(s->out, "encoder.layer.%d (makes hidden state %d), head %d\n", w->layer, w->layer + 1, w->head);
    print_column_numbers(s->out, x->T);
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
    print_legend(s->out, colour);
}

/* One head as [[...], ...]: T rows of T numbers. */
static void json_put_head(const Session *s, const ModelRun *run, int layer, int head)
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
static void print_bertviz(const Session *s, const Encoding *x, const ModelRun *run, const Window *w)
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
static void print_attention_npy(const Session *s, const ModelRun *run, const Window *w)
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
    ModelRun run;
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
    ModelRun run = {0};
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
    const bool first = s->options.layer == UNSET && s->options.head == UNSET;
    if (status == BERT_OK && first && input.number && format_is(s, "text"))
        note(s, "layer 0, head 0 of %d layers with %d heads each: --layer N and --head N choose others",
             s->model.config.L, s->model.config.A);
    input_free(&input);
    return status;
}

const Verb attention_verb = {
    .name = "attention", .run = verb_attention, .needs = NEEDS_MODEL, .sentences = true,
    .own = "--layer --head --format", .formats = "text npy json", .arguments = " [TEXT ...]",
    .summary = "who looks at whom",
    .help = attention_help, .examples = attention_examples,
};
