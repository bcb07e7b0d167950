/* traces.c - the verbs about traces: trace (all intermediates of a run), compare (two traces), verify (someone else's
 * trace against this program's own). What they do is in verify/; here are options, inputs and help.
 */
#define _XOPEN_SOURCE 700           /* for realpath */
#include "cli/cli.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * trace: all steps
 *
 * The forward pass, number by number. This is the tool for whoever writes a BERT of their own: write the same tensors
 * from both programs, compare them from the top, and the first that differs is the step to look at.
 * Names and shapes are those of Hugging Face's modules; trace_table in verify/trace.c is the list.
 * ================================================================================================================== */
static const char trace_help[] =
    "Every intermediate of the forward pass: name, shape, rms, min, max, first three\n"
    "values, in the order of the data. With -o FILE.safetensors instead all of them\n"
    "in a file, with input_ids, token_type_ids and attention_mask. Several inputs\n"
    "need one length. Heads that the weights lack are left out. With --checksum one\n"
    "line: the sha256 of all of them, with name and shape. With --gradients the\n"
    "file of --inputs also has what the model should have said: int64 labels, the\n"
    "true id of each token, -100 where nothing was to be guessed, and one\n"
    "next_sentence_label for each sequence (0: IsNext). Behind the trace come `loss`,\n"
    "`loss.mlm`, `loss.nsp`, and grad.NAME for all intermediates and parameters. A\n"
    "fine-tuned head has labels of its own: one for each text, one for each token,\n"
    "or start_positions and end_positions of the answers. A\n"
    "file of -o has the labels, too: `bert verify` can check it.\n";
static const char trace_examples[] =
    "  bert trace 'my dog is cute'\n"
    "  bert trace -o mine.safetensors 'my dog is cute'\n"
    "  bert trace --gradients --inputs batch.safetensors -o mine.safetensors\n";

typedef struct {                    /* all inputs as one batch */
    int B, N, *T;
    int32_t *ids, *types, *mask;
    int *rows;                      /* 0 .. N-1: the MLM head sees every token */
    char *text;                     /* the inputs' texts, a line each */
    size_t length;
    int32_t *labels, *next_sentence;    /* (N), (B) with --gradients, where the file has them */
    int32_t *task_labels;           /* the same for a fine-tuned head: (B), (N) or (B,2) */
    Request task;                   /* which head that is */
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

/* One more input at the end of the batch: the sequences' tokens one after another, no padding between. */
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
        if (real_path) {
            free(path);
            path = real_path;
            base = strrchr(path, '/') + 1;
        }
    }
    snprintf(name, 256, "%.255s", base ? base : "");
    free(path);
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * --gradients: what the model should have said, from the file of --inputs
 * ------------------------------------------------------------------------------------------------------------------ */

/* start_positions and end_positions: the first and the last token of each answer, one behind the other. */
static Status read_answers(const Session *s, TraceInputs *in, Error *e)
{
    const size_t B = (size_t)in->B;
    const LabelSpec first = {"start_positions", B, in->T[0] - 1}, last = {"end_positions", B, in->T[0] - 1};
    int32_t *starts = NULL, *ends = NULL;
    size_t both;
    Status status = labels_read(&s->source.tensors, s->options.inputs, &first, &starts, e);
    if (status == BERT_OK) status = labels_read(&s->source.tensors, s->options.inputs, &last, &ends, e);
    if (status == BERT_OK && !starts != !ends)
        status = fail(e, BERT_FILE, "%s: start_positions and end_positions go together", s->options.inputs);
    if (status == BERT_OK && starts && size_mul(B, 2, &both))
        in->task_labels = calloc(both, sizeof *in->task_labels);
    if (status == BERT_OK && starts && !in->task_labels) status = fail(e, BERT_SYSTEM, "out of memory");
    for (size_t b = 0; status == BERT_OK && starts && b < B; b++) {
        in->task_labels[2 * b] = starts[b];
        in->task_labels[2 * b + 1] = ends[b];
    }
    free(starts);
    free(ends);
    return status;
}

/* What a fine-tuned head should have said: a label for each text (B) or each token (B,T), or answers. */
static Status read_task(const Session *s, TraceInputs *in, Error *e)
{
    const Bert *m = &s->model;
    const Request all = trace_request(m, in->rows, in->N);
    const LabelSpec spec = {"labels", (size_t)(all.token_classifier ? in->N : in->B), m->config.K - 1};
    Status status = BERT_OK;
    if (all.classifier || all.token_classifier)
        status = labels_read(&s->source.tensors, s->options.inputs, &spec, &in->task_labels, e);
    in->task = (Request){.classifier = in->task_labels && all.classifier,
                         .token_classifier = in->task_labels && all.token_classifier};
    if (status != BERT_OK || in->task_labels || !m->has_qa) return status;
    status = read_answers(s, in, e);
    in->task.qa = in->task_labels != NULL;
    return status;
}

/* Both kinds of labels, or one, or those of a fine-tuned head; and the heads that they need. */
static Status read_targets(const Session *s, TraceInputs *in, Error *e)
{
    const Bert *m = &s->model;
    if (read_task(s, in, e) != BERT_OK) return e->status;
    if (in->task_labels) return BERT_OK;
    const LabelSpec labels = {"labels", (size_t)in->N, m->config.V - 1};
    const LabelSpec next = {"next_sentence_label", (size_t)in->B, 1};
    const Safetensors *file = &s->source.tensors;
    if (labels_read(file, s->options.inputs, &labels, &in->labels, e) != BERT_OK) return e->status;
    if (labels_read(file, s->options.inputs, &next, &in->next_sentence, e) != BERT_OK) return e->status;
    if (!in->labels && !in->next_sentence)
        return fail(e, BERT_FILE, "%s: has neither labels nor next_sentence_label: --gradients needs one of them",
                    s->options.inputs);
    if (in->labels && !m->has_mlm)
        return fail(e, BERT_HEAD, "%s: labels are for the MLM head, which the weights lack", s->options.inputs);
    if (in->next_sentence && !(m->has_nsp && m->has_pooler))
        return fail(e, BERT_HEAD, "%s: next_sentence_label is for the NSP head, which the weights lack",
                    s->options.inputs);
    return BERT_OK;
}

/* Back through `a`: one step of one batch, all gradients kept. */
static Status learn_batch(Bert *m, Activations *a, const TraceInputs *in, Gradients *g, Parameters *p, Error *e)
{
    const size_t judged = (size_t)(in->task.qa ? 2 * in->B : in->task.classifier ? in->B : in->N);
    const Targets targets = {.labels = in->labels, .next_sentence = in->next_sentence,
                             .mlm_divisor = labels_that_count(in->labels, (size_t)in->N),
                             .nsp_divisor = labels_that_count(in->next_sentence, (size_t)in->B),
                             .task_labels = in->task_labels, .task_divisor = labels_that_count(in->task_labels, judged)};
    Status status = gradients_new(g, m, p, e);
    if (status == BERT_OK) status = gradients_room(g, m, a, KEEP_EVERYTHING, e);
    if (status != BERT_OK) return status;
    backward(m, a, g, &targets);
    gradients_finish(m, g, p);
    return BERT_OK;
}

/* A line of 64 digits: the same wherever the same bits were computed. */
static Status put_checksum(Session *s, const Activations *a, Error *e)
{
    char hex[65];
    Status status = trace_checksum(&s->model, a, hex, e);
    if (status == BERT_OK) fprintf(s->out, "%s\n", hex);
    return status;
}

/* Prints a run or writes it to the file of -o, which appears whole or not at all. */
static Status put_run(Session *s, const Activations *a, Learned *learned, const char *text, Error *e)
{
    char name[256];
    if (s->options.checksum) return put_checksum(s, a, e);
    if (!s->options.output) return learned_print(&s->model, a, learned, s->out, e);
    Status status = model_name(s->directory, name, e);
    return status == BERT_OK ? trace_put(&s->model, a, learned, s->file.stream, name, text, e) : status;
}

/* Runs the batch with everything kept, and with --gradients back again. Heads that the weights lack, or that have no
 * labels then, are not asked for; a refitted next-sentence head is no part of the weights and never here.
 */
static Status trace_batch(Session *s, TraceInputs *in, Error *e)
{
    Bert *m = &s->model;
    const bool learns = s->options.gradients;
    const Batch batch = {in->B, in->T, in->ids, in->types, in->mask};
    Activations a = {0};
    Parameters p = {0};
    Gradients g = {0};
    Learned learned = {&g, &p, NULL, NULL, {0}};
    Error inner;
    Status status = batch_check(&batch, &m->config, &inner);
    if (status != BERT_OK)
        return fail(e, status, "%s: %s", s->options.inputs ? s->options.inputs : "TEXT", inner.message);
    if (learns) status = read_targets(s, in, e);
    if (status == BERT_OK && learns) status = parameters_new(&p, m, e);
    const bool nsp = in->next_sentence != NULL;
    learned.labels = in->labels;
    learned.next_sentence = in->next_sentence;
    const Request learning = {.keep = KEEP_EVERYTHING, .pooler = nsp, .nsp = nsp, .mlm_rows = in->rows,
                              .M = in->labels ? in->N : 0, .classifier = in->task.classifier,
                              .token_classifier = in->task.token_classifier, .qa = in->task.qa};
    const Request request = learns ? learning : trace_request(m, in->rows, in->N);
    if (status == BERT_OK) status = activations_new(&a, m, &batch, &request, e);
    if (status == BERT_OK) forward(m, &a);
    if (status == BERT_OK && learns) status = learn_batch(m, &a, in, &g, &p, e);
    if (status == BERT_OK) status = put_run(s, &a, learns ? &learned : NULL, in->text, e);
    activations_free(&a);
    gradients_free(&g);
    parameters_free(&p);
    return status;
}

static Status trace_settle(Options *o, Error *e)
{
    if (o->checksum && (o->gradients || o->output))
        return fail(e, BERT_USAGE, "--checksum goes with neither --gradients nor --output: it is one line of text");
    if (!o->gradients || o->inputs) return BERT_OK;
    return fail(e, BERT_USAGE, "--gradients needs --inputs FILE with labels: see `bert trace --help`");
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
    free(in.T);
    free(in.ids);
    free(in.types);
    free(in.mask);
    free(in.rows);
    free(in.text);
    free(in.labels);
    free(in.next_sentence);
    free(in.task_labels);
    input_free(&input);
    return status;
}

const Verb trace_verb = {
    .name = "trace", .run = verb_trace, .settle = trace_settle, .needs = NEEDS_MODEL, .opens_output = true,
    .sentences = true, .own = "--checksum --gradients", .formats = "", .arguments = " [TEXT ...]",
    .summary = "every intermediate, as a table or a file",
    .help = trace_help, .examples = trace_examples,
};

/* =====================================================================================================================
 * compare and verify: someone else's numbers
 *
 * Who writes BERT in another language writes its intermediates into a safetensors file and asks: which one is the first
 * wrong one? compare answers with two files, and needs no model. verify needs only the other side's file: it computes
 * the reference from the ids that stand in it, and names the known mistake that explains the difference.
 * ================================================================================================================== */
static const char compare_help[] =
    "Two traces against each other, ids first, then tensor by tensor in the order of\n"
    "the data. Prints how many tensors differ, the first of them, and what only one\n"
    "side has; -v prints all: largest difference and where, rms of the differences,\n"
    "NMSE (sum of squared differences by sum of squares, in dB), cosine, ulp. Ends\n"
    "with `no difference` (exit 0) or `first difference: NAME ...` (exit 1). A tensor\n"
    "passes at -80 dB of NMSE. float16, bfloat16, float32 and float64 may be mixed,\n"
    "leading dimensions of 1 do not matter, masked tokens do not count. Names of\n"
    "TransformerLens, of Google's graph and of llama.cpp are understood: the table is\n"
    "in verify/compare.c.\n";
static const char compare_examples[] =
    "  bert compare ours.safetensors theirs.safetensors\n"
    "  bert compare --atol 1e-4 --rtol 1e-3 ours.safetensors theirs.safetensors\n"
    "  bert compare --tolerance exact one.safetensors two.safetensors\n";

static Status compare_settle(Options *o, Error *e)
{
    if (o->text_count != 2)
        return fail(e, BERT_USAGE, "compare needs two files, REF and OTHER, not %d: see `bert compare --help`",
                    o->text_count);
    o->ref = o->texts[0];
    o->other = o->texts[1];
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
    return compare_traces(s->options.ref, s->options.other, &tolerance, s->options.verbose, s->out, e);
}

const Verb compare_verb = {
    .name = "compare", .run = verb_compare, .settle = compare_settle, .needs = NEEDS_NOTHING,
    .without = ABOUT_TEXTS | ABOUT_FILE | ABOUT_GELU, .own = "--tolerance --atol --rtol", .formats = "",
    .arguments = " REF OTHER", .summary = "two traces: the first difference",
    .help = compare_help, .examples = compare_examples,
};

static const char verify_help[] =
    "OTHER is a safetensors file with input_ids and any intermediates of a BERT with\n"
    "these weights, under the names of a trace or one of their aliases (see\n"
    "`bert compare --help`). The reference is computed here from OTHER's ids\n"
    "(token_type_ids default to 0, attention_mask to 1); with TEXT, OTHER's ids are\n"
    "checked first, and the habit of a tokenizer that explains them is named. Where\n"
    "the two differ, the known mistakes that explain it are named. Prints and exits\n"
    "as `bert compare` does. What was computed in bfloat16 or float16 is compared\n"
    "with steps that are rounded alike, and its rounding passes, unless --tolerance,\n"
    "--atol or --rtol is given. Losses and gradients (`loss`, `grad.NAME`, with the\n"
    "labels of `bert trace --gradients`) are compared in the order of the backward\n"
    "pass once all intermediates are right, and the known mistake of training that\n"
    "explains the first wrong one is named. --isolate gives each step OTHER's own\n"
    "inputs where OTHER has them: a wrong step is not blamed on its successors, and\n"
    "each (of the first five) is explained.\n";
static const char verify_examples[] =
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
    const Options *o = &s->options;
    VerifyOptions options = {.isolate = o->isolate, .strict = o->tolerance || o->atol || o->rtol, .table = o->verbose,
                             .tokenizer = &s->tokenizer};
    Input input = {0};
    bool more = o->text_count || o->file || o->inputs;
    Status status = read_tolerance(o, &options.tolerance, e);
    if (o->text_count > 1) status = fail(e, BERT_USAGE, "verify takes one TEXT, not %d", o->text_count);
    if (status == BERT_OK && more) status = next_input(s, &input, &more, e);
    if (more) options.text = &input.encoding;
    const TextGiven given = {&s->tokenizer, &input.encoding, input.a, input.b, input.has_pair, o->plain};
    if (more && input.has_text) options.given = &given;
    if (status == BERT_OK) status = verify_trace(&s->model, o->other, &options, s->out, e);
    input_free(&input);
    return status;
}

const Verb verify_verb = {
    .name = "verify", .run = verb_verify, .settle = verify_settle, .needs = NEEDS_MODEL,
    .own = "--isolate --tolerance --atol --rtol", .formats = "", .arguments = " OTHER [TEXT]",
    .summary = "someone else's BERT: its first wrong number",
    .help = verify_help, .examples = verify_examples,
};
