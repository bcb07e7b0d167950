/* tag.c - the verb that asks a fine-tuned model for a label of every token: names, places, parts of speech. The rules
 * by which tokens become words and entities are in spans.c. */
#include "cli/cli.h"
#include "cli/spans.h"
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * tag: step 15
 *
 * One layer on the last hidden state of every token, without a pooler:
 *
 *     logits (N,K) = h W^T + b        K labels: O, B-PER, I-PER, B-LOC ...
 *     p = softmax(logits)             each token by itself: nothing makes I-LOC follow B-LOC
 *
 * See [paper] section 4.3 (feature-based, 5.3, with an LSTM on top); [hf] BertForTokenClassification,
 * TokenClassificationPipeline.
 * ================================================================================================================== */
static const char tag_help[] =
    "What a token classifier finds in each text: lines\n"
    "`begin<TAB>end<TAB>label<TAB>score<TAB>text`, and an empty line behind each\n"
    "input. begin and end are bytes of the input, from 0, not characters. This is\n"
    "transformers' pipeline token-classification (ner). What has the label O is left\n"
    "out. Neighbours whose labels go together are one (B- begins, I- goes on),\n"
    "and their score is the mean.\n"
    "\n"
    "--aggregate says how:\n"
    "  simple   neighbouring tokens (the default)\n"
    "  first    words, each with the label of its first token\n"
    "  average  words, each with the best label of its tokens' mean\n"
    "  max      words, each with the label of its surest token\n"
    "  none     every token by itself, B- and I- as they are\n"
    "\n"
    "A text that is longer than the model is an error; --truncate cuts it, and\n"
    "--stride N reads it in parts that share N tokens.\n"
    "\n"
    "Formats:\n"
    "  text     a line each\n"
    "  json     one object per input: input (from 0), and entities [{label, score,\n"
    "           start, end, text}]\n";
static const char tag_examples[] =
    "  bert tag -m MODEL 'Wolfgang lives in New York.'\n"
    "  bert tag -m MODEL --aggregate first --stride 64 --format json -f lines.txt\n";

typedef struct {                    /* what is used again for every input */
    Labels labels;
    Encoding whole, window;
    real *probs;                    /* (T,K) */
    bool *continues;                /* (T) */
    size_t room;                    /* tokens that the two have room for */
    TaggedSpan *spans;
    size_t count, capacity, windows;
    bool broken;                    /* a logit was no number */
} Tagging;

/* Gives everything back. */
static void tagging_free(Tagging *g)
{
    labels_free(&g->labels);
    encoding_free(&g->whole);
    encoding_free(&g->window);
    free(g->probs);
    free(g->continues);
    free(g->spans);
}

/* Room for T tokens more. */
static Status tag_room(Tagging *g, size_t T, Error *e)
{
    size_t numbers, bytes, count;
    if (T > g->room) {
        free(g->probs);
        free(g->continues);
        g->probs = size_mul(T, (size_t)g->labels.count, &numbers) ? calloc(numbers, sizeof *g->probs) : NULL;
        g->continues = calloc(T, sizeof *g->continues);
        g->room = g->probs && g->continues ? T : 0;
        if (!g->room) return fail(e, BERT_SYSTEM, "out of memory for the labels of %zu tokens", T);
    }
    if (!size_add(g->count, T, &count)) return fail(e, BERT_SYSTEM, "out of memory for labels");
    if (count <= g->capacity) return BERT_OK;
    TaggedSpan *spans = size_mul(count, 2 * sizeof *spans, &bytes) ? realloc(g->spans, bytes) : NULL;
    if (!spans) return fail(e, BERT_SYSTEM, "out of memory for labels");
    g->spans = spans;
    g->capacity = 2 * count;
    return BERT_OK;
}

/* --aggregate. */
static Aggregation aggregation(const Session *s)
{
    return s->options.aggregate == UNSET ? AGGREGATE_SIMPLE : (Aggregation)s->options.aggregate;
}

/* Appends the spans of one sequence; logits (T,K) are those of all its tokens. [CLS] and [SEP] have labels, too, which
 * nobody asked for; a [SEP] that stands in the text is a token like any other. */
static Status tag_logits(const Session *s, Text text, Tagging *g, const Encoding *x, const real *logits, Error *e)
{
    const size_t T = (size_t)x->T - 2, K = (size_t)g->labels.count;
    if (T == 0) return BERT_OK;
    if (tag_room(g, T, e) != BERT_OK) return e->status;
    g->broken |= !all_finite(logits + K, T * K);
    softmax(g->probs, logits + K, T, K);
    for (size_t t = 0; t < T; t++)
        g->continues[t] = tag_continues(&s->tokenizer, x->input_ids[t + 1], text, x->offsets[t + 1]);
    const TokenLabels tokens = {T, K, g->probs, (const size_t (*)[2])x->offsets + 1, g->continues, g->labels.names};
    g->count += tag_spans(g->spans + g->count, &tokens, aggregation(s));
    return BERT_OK;
}

/* One run of the model, and the spans that it finds. */
static Status tag_window(const Session *s, Text text, Tagging *g, const Encoding *x, Error *e)
{
    const Request request = {.token_classifier = true};
    ModelRun run = {0};
    Status status = run_model(&run, &s->model, x, &request, e);
    if (status == BERT_OK) status = tag_logits(s, text, g, x, run.a.token_logits, e);
    run_free(&run);
    return status;
}

/* The text as one window, or as several that share --stride tokens.
 *
 * Differs: Hugging Face's pipeline cuts what is too long without a word, unless it is given a stride. */
static Status tag_windows(const Session *s, Text text, Tagging *g, Error *e)
{
    EncodeOptions options = encode_options(s);
    const int limit = options.max_length, stride = s->options.stride;
    const bool left = s->tokenizer.truncate_left;
    options.max_length = 0;
    g->count = g->windows = 0;
    Status status = encode(&s->tokenizer, text, NULL, &options, &g->whole, e);
    if (status != BERT_OK) return status;
    if (g->whole.T <= limit) return tag_window(s, text, g, &g->whole, e);
    if (stride >= limit - 2)
        return fail(e, BERT_TEXT, "special tokens take 2 of %d: parts of the text, of %d tokens, cannot share %d "
                    "(--stride, --max-length)", limit, limit > 2 ? limit - 2 : 0, stride);
    for (Window w = {0}; status == BERT_OK && !w.last; g->windows++) {
        w = window_at(g->windows, (size_t)g->whole.T - 2, (size_t)limit - 2, (size_t)stride, left);
        status = window_encoding(&g->window, &g->whole, 1, 1, w, e);
        if (status == BERT_OK) status = tag_window(s, text, g, &g->window, e);
    }
    if (g->windows > 1) g->count = tag_merge(g->spans, g->count, text);
    return status;
}

/* The answer to one input, in either format. */
static void print_tags(const Session *s, const Input *input, const Tagging *g)
{
    const bool json = format_is(s, "json");
    if (json) fprintf(s->out, "{\"input\": %zu, \"entities\": [", input->number - 1);
    for (size_t i = 0; i < g->count; i++) {
        const TaggedSpan *span = &g->spans[i];
        const char *name = tag_name(g->labels.names[span->label], aggregation(s));
        const char *text = input->whole.bytes + span->begin;
        const size_t length = span->end - span->begin;
        if (json) {
            fputs(i ? ", {\"label\": " : "{\"label\": ", s->out);
            json_put_text(s->out, name, strlen(name));
            fputs(", \"score\": ", s->out);
            json_put_number(s->out, span->score);
            fprintf(s->out, ", \"start\": %zu, \"end\": %zu, \"text\": ", span->begin, span->end);
            json_put_text(s->out, text, length);
            fputc('}', s->out);
        } else {
            fprintf(s->out, "%zu\t%zu\t", span->begin, span->end);
            put_safely(s->out, name);
            fputc('\t', s->out);
            put_score(s, span->score);
            fputc('\t', s->out);
            put_text_safely(s->out, text, length);
            fputc('\n', s->out);
        }
    }
    fputs(json ? "]}\n" : "\n", s->out);
}

/* A place in the text is the answer: there must be one text. Padding has no label, and changes no other. */
static Status tag_settle(Options *o, Error *e)
{
    if (o->pair || o->pairs)
        return fail(e, BERT_USAGE, "tag answers with places in one text: leave %s out", o->pair ? "--pair" : "--pairs");
    if (o->inputs) return fail(e, BERT_USAGE, "tag answers with places in a text: --inputs has none");
    if (o->stride != UNSET && o->aggregate == AGGREGATE_NONE)
        return fail(e, BERT_USAGE, "--stride goes with an aggregation: parts that overlap have some tokens twice");
    if (o->pad) o->without_effect = "--pad";
    else if (o->truncate && o->stride != UNSET) o->without_effect = "--truncate";
    o->pad = 0;
    return BERT_OK;
}

/* Texts one by one, those that are too long in parts. */
static Status tag_long_texts(Session *s, Tagging *g, Error *e)
{
    Input input = {0};
    bool more = true;
    Status status = BERT_OK;
    while (status == BERT_OK && (status = next_text(s, &input, &more, e)) == BERT_OK && more) {
        status = tag_windows(s, input.whole, g, e);
        if (status != BERT_OK) at_input(s, &input, e);
        else print_tags(s, &input, g);
        if (status == BERT_OK) status = answer_done(s, e);
    }
    input_free(&input);
    return status;
}

/* A text that is too long: the tokenizer's message names --truncate, and tag has --stride beside it. Returns
 * e->status. */
static Status name_stride(Error *e)
{
    static const char advice[] = "use --truncate";
    const size_t n = strlen(e->message), k = sizeof advice - 1;
    if (n >= k && !strcmp(e->message + n - k, advice))
        snprintf(e->message + n, sizeof e->message - n, " to cut it, or --stride N to read it in parts");
    return e->status;
}

/* Texts that the model takes as they are, many in one run. */
static Status tag_short_texts(Session *s, Tagging *g, Error *e)
{
    const Request request = {.token_classifier = true};
    const size_t K = (size_t)g->labels.count;
    Inputs inputs = {0};
    Status status = BERT_OK;
    while (status == BERT_OK && (status = next_inputs(s, &inputs, e)) == BERT_OK && inputs.count > 0) {
        ModelRun run;
        status = run_inputs(&run, &s->model, &inputs, &request, e);
        for (size_t i = 0; status == BERT_OK && i < inputs.count; i++) {
            const Input *input = &inputs.input[i];
            g->count = 0;
            status = tag_logits(s, input->whole, g, &input->encoding, run.a.token_logits + run.a.start[i] * K, e);
            if (status == BERT_OK) print_tags(s, input, g);
            if (status == BERT_OK) status = answer_done(s, e);
        }
        run_free(&run);
    }
    inputs_free(&inputs);
    return status == BERT_TEXT ? name_stride(e) : status;
}

/* The head is asked for before any text is read. */
static Status verb_tag(Session *s, Error *e)
{
    Tagging g = {0};
    Status status = open_head(s, HEAD_TOKENS, &g.labels, e);
    if (status == BERT_OK) status = s->options.stride == UNSET ? tag_short_texts(s, &g, e) : tag_long_texts(s, &g, e);
    if (g.broken) note_not_finite(s);
    tagging_free(&g);
    return status;
}

const Verb tag_verb = {
    .name = "tag", .run = verb_tag, .settle = tag_settle, .needs = NEEDS_MODEL, .sentences = true,
    .own = "--aggregate --stride --format", .formats = "text json", .arguments = " [TEXT ...]",
    .summary = "names, places ...: a label for each word", .help = tag_help, .examples = tag_examples,
};
