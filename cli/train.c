/* train.c - `bert train`: a model learns from text, and leaves itself in a directory. The arithmetic of learning is in
 * learn.c, what is learned from in train_data.c, the model's beginning in train_model.c; here are the steps.
 *
 *     step:  exercise_fill --micro-batches--> forward, backward --> gradients_finish --> adamw_step --> log, save
 */
#include "cli/train_run.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char train_help[] =
    "Learns from text with one sentence a line and a blank line between documents,\n"
    "as BERT did: words are hidden and guessed (MLM), and pairs of sentences judged\n"
    "to be neighbours or not (NSP). The weights are another model's (-m), or random\n"
    "(--config, --vocab). In the directory of -o it leaves config.json, vocab.txt,\n"
    "tokenizer_config.json and model.safetensors, which Hugging Face's library\n"
    "loads, and in training/ the state that --resume goes on from, and log.jsonl,\n"
    "a line for each step. Same text, settings and seed: the same model, byte for\n"
    "byte, on every machine, with any --micro-batch, killed and resumed or not.\n"
    "\n"
    "--task learns from labels instead, with a head for them in place of those of\n"
    "pre-training. `bert classify`, tag and answer use it. --dev scores it:\n"
    "  classify  LABEL<TAB>TEXT or LABEL<TAB>A ||| B: accuracy and macro F1\n"
    "  tag       WORD<TAB>LABEL, a blank line ends a sentence: these, and F1 of\n"
    "            entities, where the labels are B-... I-... O\n"
    "  answer    SQuAD's JSON: exact answers and F1 of their words\n"
    "\n"
    "--inputs FILE has int64 input_ids, token_type_ids, attention_mask and labels\n"
    "(B,T; -100: none) and next_sentence_label (B) instead of text: step k takes\n"
    "the next --batch rows, round and round. --max-length is 128 tokens unless\n"
    "given; a sentence that is longer is refused, or cut with --truncate.\n"
    "\n"
    "--teacher PATH is a model, usually a larger one, that sees the same hidden\n"
    "words: its 64 best pieces for each are learned, 7 parts, beside the word\n"
    "itself, 3. Pieces are found by their text; sizes and vocabulary may differ.\n"
    "\n"
    "Needs memory for the weights four times (gradients, and two means of the\n"
    "optimizer), and for all that one micro-batch computes.\n";
static const char train_examples[] =
    "  bert train -o new --config config.json --vocab vocab.txt -f text --steps 900\n"
    "  bert train -o new -m weights/bert-base-uncased --no-nsp -f text --steps 9\n"
    "  bert train -o new -f text --steps 900 --resume\n"
    "  bert train -o new -m MODEL --task classify -f labelled --dev more --steps 99\n";

/* =====================================================================================================================
 * Options
 * ================================================================================================================== */

/* A number as an option's value, from `least` on and below `limit`. */
static Status read_real(const char *name, const char *text, double least, double limit, double *out, Error *e)
{
    char *end;
    if (!text) return BERT_OK;
    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= least && *out < limit))
        return fail(e, BERT_USAGE, "%s %s: a number from %g to below %g is expected", name, text, least, limit);
    return BERT_OK;
}

enum { USUAL_BATCH = 32 };

/* What can be said before any file is opened. */
static Status train_settle(Options *o, Error *e)
{
    static const char *const tasks[] = {"mlm", "classify", "tag", "answer"};
    if (!o->output) return fail(e, BERT_USAGE, "train needs -o DIR, where the model is left");
    if (!o->steps) return fail(e, BERT_USAGE, "train needs --steps N");
    if (o->model && (o->config || o->vocabulary))
        return fail(e, BERT_USAGE, "--model, and --config with --vocab, exclude each other");
    if (!o->config != !o->vocabulary) return fail(e, BERT_USAGE, "--config and --vocab go together");
    if (!o->model && !o->config && !o->resume)
        return fail(e, BERT_USAGE, "train needs weights to begin with: -m MODEL, or --config FILE and --vocab FILE for "
                    "random ones");
    if (o->case_choice && !o->config)
        return fail(e, BERT_USAGE, "--cased and --uncased go with --vocab: a model's own pieces have their own rule");
    if (o->pairs || o->pair) return fail(e, BERT_USAGE, "train makes its own pairs of sentences: leave --pair out");
    if (o->task && (o->inputs || o->no_nsp || o->mask))
        return fail(e, BERT_USAGE, "--task %s learns from a text, and not with %s", tasks[o->task],
                    o->inputs ? "--inputs" : o->no_nsp ? "--no-nsp" : "--mask");
    if (o->task == TASK_ANSWER && (!o->file || !strcmp(o->file, "-")))
        return fail(e, BERT_USAGE, "--task answer needs -f FILE, SQuAD's JSON");
    if (o->task == TASK_ANSWER && o->truncate) o->without_effect = "--truncate";       /* it is read in parts */
    if (o->task && o->teacher) return fail(e, BERT_USAGE, "--teacher teaches hidden words: leave --task out");
    o->pairs = o->task == TASK_CLASSIFY;                /* A ||| B */
    if (o->evaluate_every && !o->dev) return fail(e, BERT_USAGE, "--evaluate-every needs --dev FILE");
    if (o->dev && !strcmp(o->dev, "-")) return fail(e, BERT_USAGE, "--dev - : a file is expected");
    if (o->segments || o->pad) return fail(e, BERT_USAGE, "train has no %s", o->pad ? "--pad" : "--segments");
    if (o->max_length && o->max_length < 5)
        return fail(e, BERT_USAGE, "--max-length %d: 5 is the least", o->max_length);
    const int batch = o->batch ? o->batch : USUAL_BATCH;
    if (o->micro_batch > batch)
        return fail(e, BERT_USAGE, "--micro-batch %d is more than --batch %d", o->micro_batch, batch);
    return BERT_OK;
}

/* The options' numbers, where they are not given the usual ones. */
static Status read_settings(TrainRun *r, Error *e)
{
    const Options *o = &r->s->options;
    AdamWOptions *a = &r->options;
    double dropout = -1;
    *a = adamw_defaults((Rules)o->rules);
    a->warmup = o->warmup;
    a->steps = o->steps;
    a->constant = o->schedule == 1;
    r->batch = o->batch ? o->batch : USUAL_BATCH;
    r->micro_batch = o->micro_batch ? o->micro_batch : r->batch;
    r->save_every = o->save_every ? o->save_every : 500;
    r->mask = 0.15;
    Status s = read_real("--learning-rate", o->learning_rate, 0, 1e6, &a->learning_rate, e);
    if (s == BERT_OK) s = read_real("--weight-decay", o->weight_decay, 0, 1e6, &a->weight_decay, e);
    if (s == BERT_OK) s = read_real("--clip", o->clip, 0, 1e30, &a->clip, e);
    if (s == BERT_OK) s = read_real("--mask", o->mask, 0, 1, &r->mask, e);
    if (s == BERT_OK) s = read_real("--dropout", o->dropout, 0, 1, &dropout, e);
    return s;
}

/* --dropout overrides the configuration's probabilities; they are left as they are in config.json. */
static Status settle_dropout(TrainRun *r, Error *e)
{
    double dropout = -1;
    if (read_real("--dropout", r->s->options.dropout, 0, 1, &dropout, e) != BERT_OK) return e->status;
    if (dropout >= 0) r->training.dropout = r->training.probs_dropout = r->training.head_dropout = dropout;
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Settings of the saved state
 * ------------------------------------------------------------------------------------------------------------------ */
/* option: how the command line calls it; NULL: as the name, with dashes. */
static void setting(TrainRun *r, const char *name, const char *option, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void setting(TrainRun *r, const char *name, const char *option, const char *format, ...)
{
    char *value = r->values[r->setting_count], *dashed = r->options_said[r->setting_count];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, SETTING_SIZE, format, arguments);
    va_end(arguments);
    snprintf(dashed, OPTION_SIZE, "--%s", name);
    for (char *at = dashed + 2; *at; at++)
        if (*at == '_') *at = '-';
    r->settings[r->setting_count++] = (Setting){name, value, option ? option : dashed, false};
}

/* Everything that the numbers depend on, but for the text of the program. How a step is cut into micro-batches is not
 * among it; nor is how long the run is to be, if its rate does not depend on that. */
static void list_settings(TrainRun *r, long long log_size)
{
    const BertConfig *c = &r->s->model.config;
    const Options *o = &r->s->options;
    const AdamWOptions *a = &r->options;
    r->setting_count = 0;
    setting(r, "model", "the model", "%dL/%dH/%dA/%dF V %d P %d S %d %s eps %g%s", c->L, c->H, c->A, c->F, c->V, c->P, c->S,
            c->gelu == GELU_TANH ? "gelu_new" : "gelu", c->eps, c->untied ? " untied" : "");
    setting(r, "data", o->inputs ? "--inputs: its data" : "-f: its data", "%s", r->data_hash);
    setting(r, "task", NULL, "%s%s%s%s", task_name(r), o->no_nsp ? ", no nsp" : "", o->truncate ? ", truncate" : "",
            o->plain ? ", no special" : "");
    setting(r, "rules", NULL, "%s", o->rules ? "google" : "huggingface");
    setting(r, "seed", NULL, "%d", o->seed);
    setting(r, "steps", NULL, "%lld", (long long)a->steps);
    r->settings[r->setting_count - 1].may_differ = a->constant;
    setting(r, "batch", NULL, "%d", r->batch);
    setting(r, "max_length", NULL, "%d", r->max_length);
    setting(r, "learning_rate", NULL, "%.17g", a->learning_rate);
    setting(r, "warmup", NULL, "%lld", (long long)a->warmup);
    setting(r, "schedule", NULL, "%s", a->constant ? "constant" : "linear");
    setting(r, "weight_decay", NULL, "%.17g", a->weight_decay);
    setting(r, "clip", NULL, "%.17g", a->clip);
    char head[32] = "";
    if (r->training.head_dropout > 0) snprintf(head, sizeof head, " %.17g", r->training.head_dropout);
    setting(r, "dropout", NULL, "%.17g %.17g%s", r->training.dropout, r->training.probs_dropout, head);
    setting(r, "mask", NULL, "%.17g", r->mask);
    setting(r, "teacher", NULL, "%s", r->teacher.path ? r->teacher.hash : "none");
    setting(r, "numbers", "the program's numbers", "%s", sizeof(real) == sizeof(double) ? "float64" : "float32");
    setting(r, "log_size", NULL, "%lld", log_size);
    r->settings[r->setting_count - 1].may_differ = true;
}

/* =====================================================================================================================
 * The text
 * ================================================================================================================== */
static bool is_blank(Text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] != ' ' && text.bytes[i] != '\t') return false;
    return true;
}

/* A line: a sentence's tokens, or the end of a document. */
static Status add_line(TrainRun *r, Corpus *corpus, Input *input, Error *e)
{
    const Options *o = &r->s->options;
    const EncodeOptions options = {.plain = o->plain, .no_add_special = true};
    const int room = r->max_length - (o->no_nsp ? 2 : 3);
    if (is_blank(input->whole)) {
        corpus_end_document(corpus);
        return BERT_OK;
    }
    Status s = encode(&r->s->tokenizer, input->whole, NULL, &options, &input->encoding, e);
    if (s == BERT_OK && input->encoding.T > room && !o->truncate)
        s = fail(e, BERT_TEXT, "a sentence of %d tokens, of which %d fit into --max-length %d: --truncate cuts it",
                 input->encoding.T, room, r->max_length);
    if (s != BERT_OK) return at_input(r->s, input, e);
    return corpus_add(corpus, input->encoding.input_ids, (size_t)input->encoding.T, input->number, e);
}

/* All lines; their SHA-256 is that of the file, if each ends with LF. */
static Status read_text(TrainRun *r, TrainData *data, char hex[65], Error *e)
{
    Input input = {0};
    Sha256 hash;
    bool more = true;
    Status s;
    if (r->s->options.task) return train_task_read(r, data, hex, e);
    sha256_start(&hash);
    while ((s = next_text(r->s, &input, &more, e)) == BERT_OK && more) {
        sha256_add(&hash, input.whole.bytes, input.whole.length);
        sha256_add(&hash, "\n", 1);
        if ((s = add_line(r, &data->corpus, &input, e)) != BERT_OK) break;
    }
    input_free(&input);
    sha256_end(&hash, hex);
    data->name = r->s->source.name;
    if (s == BERT_OK && !data->corpus.sentences)
        s = fail(e, BERT_TEXT, "%s: line %zu: the end, and no sentence before it", data->name, r->s->taken);
    return s;
}

/* The pieces that masks need. */
static Status check_pieces(const Tokenizer *t, Error *e)
{
    if (t->cls_id >= 0 && t->sep_id >= 0 && t->mask_id >= 0) return BERT_OK;
    return fail(e, BERT_FILE, "the vocabulary lacks %s, which sequences are made with",
                t->cls_id < 0 ? "[CLS]" : t->sep_id < 0 ? "[SEP]" : "[MASK]");
}

static Status open_text(TrainRun *r, Error *e)
{
    const Options *o = &r->s->options;
    const Tokenizer *t = &r->s->tokenizer;
    const BertConfig *c = &r->s->model.config;
    if (r->max_length > c->P)
        return fail(e, BERT_USAGE, "--max-length %d: the model has %d positions", r->max_length, c->P);
    if (r->max_length < 5) return fail(e, BERT_FILE, "the model has %d positions, 5 are the least", c->P);
    if (!o->no_nsp && c->S < 2)
        return fail(e, BERT_USAGE, "the model has one token type: --no-nsp learns without pairs");
    r->data.pair_rules = (PairRules){r->max_length, !o->no_nsp, (uint32_t)o->seed};
    r->data.mask_rules = (MaskRules){(Rules)o->rules, r->mask, r->max_length, tokenizer_rows(t), t->cls_id, t->sep_id,
                                     t->pad_id, t->unk_id, t->mask_id};
    Status s = check_pieces(t, e);
    return s == BERT_OK ? read_text(r, &r->data, r->data_hash, e) : s;
}

/* The file of --dev, by the same rules; its seed is its own, so that no pair or mask of it is one of the steps'. */
static Status read_dev_text(TrainRun *r, Error *e)
{
    Session *s = r->s;
    const Source source = s->source;
    const char *file = s->options.file;
    char hex[65];
    r->dev.pair_rules = r->data.pair_rules;
    r->dev.mask_rules = r->data.mask_rules;
    r->dev.pair_rules.seed = ~r->data.pair_rules.seed;
    s->source = (Source){0};
    s->options.file = s->options.dev;
    s->taken = 0;
    Status status = read_text(r, &r->dev, hex, e);
    if (s->source.lines && s->source.fd != STDIN_FILENO) close(s->source.fd);
    free(s->source.buffer);
    s->source = source;
    s->options.file = file;
    return status;
}

static Status open_dev(TrainRun *r, Error *e)
{
    const Options *o = &r->s->options;
    if (!o->dev) return BERT_OK;
    if (!o->inputs) return read_dev_text(r, e);
    Status s = train_inputs_open(&r->dev, o->dev, &r->s->model.config, e);
    if (!r->data.labels) r->dev.labels = NULL;
    if (!r->data.next_sentence) r->dev.next_sentence = NULL;
    return s;
}

/* --inputs: the file's own SHA-256. */
static Status open_inputs(TrainRun *r, Error *e)
{
    Sha256 hash;
    Status s = train_inputs_open(&r->data, r->s->options.inputs, &r->s->model.config, e);
    if (s != BERT_OK) return s;
    if (r->s->options.no_nsp) r->data.next_sentence = NULL;
    if (!r->data.labels && !r->data.next_sentence)
        return fail(e, BERT_FILE, "%s: has no labels, and --no-nsp leaves nothing to learn", r->data.name);
    if (r->data.next_sentence && !(r->s->model.has_nsp && r->s->model.has_pooler))
        return fail(e, BERT_HEAD, "%s: next_sentence_label is for the NSP head, which the weights lack", r->data.name);
    sha256_start(&hash);
    sha256_add(&hash, r->data.inputs.file.data, r->data.inputs.file.size);
    sha256_end(&hash, r->data_hash);
    r->max_length = (int)r->data.columns;
    return BERT_OK;
}

static Status open_data(TrainRun *r, Error *e)
{
    const Options *o = &r->s->options;
    const int P = r->s->model.config.P;
    size_t tokens;
    r->max_length = o->max_length ? o->max_length : P < 128 ? P : 128;
    Status s = o->task ? BERT_OK : o->inputs ? open_inputs(r, e) : open_text(r, e);
    if (s == BERT_OK) s = open_dev(r, e);
    if (s == BERT_OK) s = exercise_new(&r->exercise, r->batch, r->max_length, e);
    if (s == BERT_OK && size_mul((size_t)r->batch, (size_t)r->max_length, &tokens))
        r->part_rows = calloc(tokens, sizeof *r->part_rows);
    if (s == BERT_OK && !r->part_rows) s = fail(e, BERT_SYSTEM, "out of memory for a step of %d sequences", r->batch);
    return s;
}

/* =====================================================================================================================
 * One step
 * ================================================================================================================== */
/* What is computed of an exercise: MLM for M rows, NSP, or the head of its task. */
Request train_request(const Exercise *x, const int *rows, int M, Keep keep)
{
    return (Request){.keep = keep, .pooler = x->has_next, .nsp = x->has_next, .mlm_rows = rows, .M = M,
                     .classifier = x->has_task && x->kind == LABELS_OF_TEXTS,
                     .token_classifier = x->has_task && x->kind == LABELS_OF_TOKENS,
                     .qa = x->has_task && x->kind == LABELS_OF_SPANS};
}

/* How many labels of a task the step has. */
static double task_labels(const Exercise *x)
{
    if (x->kind == LABELS_OF_TOKENS) return labels_that_count(x->task_labels, x->token[x->B]);
    return x->kind == LABELS_OF_SPANS ? 2 * x->B : x->B;
}

/* Forward and back through the sequences from `begin` to `end` - 1. */
static Status learn_part(TrainRun *r, int begin, int end, Targets targets, Error *e)
{
    const Exercise *x = &r->exercise;
    Bert *m = &r->s->model;
    const size_t first = x->token[begin], row = x->row[begin], rows = x->row[end] - row;
    const Batch batch = {end - begin, x->T + begin, x->ids + first, x->types + first, x->mask + first};
    const Dropout dropout = {.rate = r->training.dropout, .probs_rate = r->training.probs_dropout,
                             .seed = (uint32_t)r->s->options.seed, .step = (uint32_t)r->adamw.step,
                             .first_sequence = (uint32_t)begin, .head_rate = r->training.head_dropout};
    Activations *a = &r->a;
    for (size_t i = 0; i < rows; i++) r->part_rows[i] = x->rows[row + i] - (int)first;
    const Request request = train_request(x, r->part_rows, (int)rows, KEEP_EVERYTHING);
    if (r->teacher.path && teacher_scores(r, begin, end, e) != BERT_OK) return e->status;
    targets.soft = r->teacher.soft;
    targets.labels = x->has_labels ? x->labels + row : NULL;
    targets.next_sentence = x->next_sentence + begin;
    targets.task_labels = x->task_labels + (x->kind == LABELS_OF_TOKENS ? first : x->kind == LABELS_OF_SPANS
                                                                       ? 2 * (size_t)begin : (size_t)begin);
    Status s = batch_check(&batch, &m->config, e);
    if (s == BERT_OK) s = activations_renew(a, m, &batch, &request, e);
    if (s == BERT_OK) s = gradients_room(&r->g, m, a, KEEP_NOTHING, e);
    if (s != BERT_OK) return s;
    if (dropout.rate > 0 || dropout.probs_rate > 0 || dropout.head_rate > 0) a->dropout = &dropout;
    forward(m, a);
    backward(m, a, &r->g, &targets);
    a->dropout = NULL;
    return s;
}

static double loss_of(const Losses *l)
{
    return l->mlm + l->nsp + l->task + l->soft;
}

/* The loss of a step must be a number, and so must the length of its gradient: or the weights would be spoilt, and the
 * next state with them. */
static Status check_numbers(const TrainRun *r, double norm, Error *e)
{
    const double loss = loss_of(&r->g.losses);
    const char *what = isfinite(loss) ? "the gradient's length" : "the loss";
    if (isfinite(loss) && isfinite(norm)) return BERT_OK;
    return fail(e, BERT_TEXT,
                "%s: %s %zu and others: step %lld: %s is %s: the weights before it are not finite, or too "
                "large: try a smaller --learning-rate; the last saved state stays", r->data.name,
                r->data.input_ids ? "row" : "line", r->exercise.line[0], (long long)r->adamw.step + 1, what,
                isnan(isfinite(loss) ? norm : loss) ? "nan" : "inf");
}

/* A step from its exercises to the new weights. */
static Status learn_step(TrainRun *r, double *norm, Error *e)
{
    Exercise *x = &r->exercise;
    Status s = exercise_fill(x, &r->data, r->adamw.step, e);
    if (s != BERT_OK) return s;
    const double chosen = labels_that_count(x->labels, x->row[x->B]);
    const double judged = labels_that_count(x->next_sentence, (size_t)x->B), tasks = task_labels(x);
    const Targets targets = {.mlm_divisor = chosen > 0 ? chosen : 1, .nsp_divisor = judged > 0 ? judged : 1,
                             .task_divisor = tasks > 0 ? tasks : 1, .soft_count = r->teacher.soft_count,
                             .soft_share = TEACHER_SHARE};
    gradients_zero(&r->g);
    for (int b = 0; s == BERT_OK && b < x->B; b += r->micro_batch)
        s = learn_part(r, b, b + r->micro_batch < x->B ? b + r->micro_batch : x->B, targets, e);
    if (s != BERT_OK) return s;
    gradients_finish(&r->s->model, &r->g, &r->p);
    *norm = gradient_norm(&r->g, &r->p);
    if (check_numbers(r, *norm, e) != BERT_OK) return e->status;
    adamw_step(&r->adamw, &r->g, &r->p, *norm);
    r->tokens += (double)x->token[x->B];
    return BERT_OK;
}

/* =====================================================================================================================
 * What is said and saved
 * ================================================================================================================== */
static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double part_right(size_t right, double of)
{
    return of > 0 ? (double)right / of : 0;
}

/* A line of log.jsonl. Why the speed has a fixed width: the length of the log is in the state, whose bytes shall not
 * depend on how fast the machine is. */
static void log_step(TrainRun *r, double norm)
{
    const Exercise *x = &r->exercise;
    const Losses *l = &r->g.losses;
    const double seconds = seconds_now() - r->started;
    FILE *f = r->log_file;
    fprintf(f, "{\"step\": %lld, \"loss\": %.9g", (long long)r->adamw.step, loss_of(l));
    if (x->has_labels)
        fprintf(f, ", \"mlm_loss\": %.9g, \"mlm_accuracy\": %.9g", l->mlm,
                part_right(l->mlm_right, labels_that_count(x->labels, x->row[x->B])));
    if (r->teacher.path) fprintf(f, ", \"teacher_loss\": %.9g", l->mlm + l->soft / TEACHER_SHARE);
    if (x->has_next)
        fprintf(f, ", \"nsp_loss\": %.9g, \"nsp_accuracy\": %.9g", l->nsp,
                part_right(l->nsp_right, labels_that_count(x->next_sentence, (size_t)x->B)));
    if (x->has_task)
        fprintf(f, ", \"%s_accuracy\": %.9g", task_name(r), part_right(l->task_right, task_labels(x)));
    fprintf(f, ", \"learning_rate\": %.9g, \"gradient_norm\": %.9g, \"tokens_per_second\": %10.1f}\n",
            learning_rate_at(&r->options, r->adamw.step - 1), norm, seconds > 0 ? r->tokens / seconds : 0);
}

/* Hours, minutes and seconds. */
static void put_time(char text[32], double seconds)
{
    const long long n = seconds < 0 || !isfinite(seconds) ? 0 : (long long)(seconds + 0.5);
    if (n >= 3600) snprintf(text, 32, "%lld:%02lld:%02lld", n / 3600, n / 60 % 60, n % 60);
    else snprintf(text, 32, "%lld:%02lld", n / 60, n % 60);
}

/* The line of progress: once a second on a terminal, where each replaces the last one, else every ten seconds. The
 * first step and the last one are always shown. */
static void show_step(TrainRun *r)
{
    const Exercise *x = &r->exercise;
    const Losses *l = &r->g.losses;
    const bool terminal = isatty(STDERR_FILENO);
    const double now = seconds_now(), seconds = now - r->started;
    const int64_t done = r->adamw.step - r->first_step, left = r->options.steps - r->adamw.step;
    char rate[32], time_left[32];
    if (r->s->options.quiet || (left && done > 1 && now - r->shown < (terminal ? 1 : 10))) return;
    r->shown = now;
    put_thousands(rate, seconds > 0 ? (long long)(r->tokens / seconds) : 0);
    put_time(time_left, seconds / (double)done * (double)left);
    fprintf(stderr, "%sstep %lld/%lld  loss %.4f", terminal ? "\r" : "bert: ", (long long)r->adamw.step,
            (long long)r->options.steps, loss_of(l));
    if (x->has_labels && x->has_next) fprintf(stderr, " (MLM %.4f, NSP %.4f)", l->mlm, l->nsp);
    if (r->teacher.path) fprintf(stderr, "  teacher %.4f", l->mlm + l->soft / TEACHER_SHARE);
    if (x->has_labels)
        fprintf(stderr, "  words %.1f%%", 100 * part_right(l->mlm_right, labels_that_count(x->labels, x->row[x->B])));
    if (x->has_next)
        fprintf(stderr, "  pairs %.1f%%",
                100 * part_right(l->nsp_right, labels_that_count(x->next_sentence, (size_t)x->B)));
    if (x->has_task)
        fprintf(stderr, "  %s %.1f%%", x->kind == LABELS_OF_TEXTS ? "texts" : x->kind == LABELS_OF_TOKENS ? "words"
                : "starts and ends", 100 * part_right(l->task_right, task_labels(x)));
    fprintf(stderr, "  %s tokens/s  %s left%s", rate, time_left, terminal && left ? " \033[K" : "\n");
}

/* State first, then the model: see weights/training.c. The log is on the disk as far as the state says it is. */
static Status save(TrainRun *r, Error *e)
{
    if (fflush(r->log_file) != 0 || ferror(r->log_file))
        return fail(e, BERT_SYSTEM, "%s: cannot be written: %s", r->log, strerror(errno));
    list_settings(r, (long long)ftello(r->log_file));
    Status s = state_write(r->state, &r->p, &r->adamw, r->settings, r->setting_count, e);
    if (s == BERT_OK) r->saved = true;
    return s == BERT_OK ? model_write(r->model, &r->p, e) : s;
}

/* The log, for more lines; those after the saved state are cut off. It is locked as long as the process lives: two runs
 * in one directory would write over each other. */
static Status open_log(TrainRun *r, size_t size, Error *e)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat now;
    r->log_file = fopen(r->log, "ab");
    if (!r->log_file) return fail(e, BERT_SYSTEM, "%s: cannot be opened: %s", r->log, strerror(errno));
    setvbuf(r->log_file, NULL, _IOLBF, BUFSIZ);             /* whole lines, for those who watch it grow */
    const int fd = fileno(r->log_file);
    if (fcntl(fd, F_SETLK, &lock) != 0 && (errno == EACCES || errno == EAGAIN))
        return fail(e, BERT_SYSTEM, "%s: is in use: another process is training in this directory", r->log);
    if (fstat(fd, &now) != 0 || (now.st_size > (off_t)size && ftruncate(fd, (off_t)size) != 0))
        return fail(e, BERT_SYSTEM, "%s: cannot be shortened: %s", r->log, strerror(errno));
    return train_remove_leftovers(r, e);
}

/* About how many bytes a run needs: weights, gradients and two means; twice the activations of a micro-batch. */
static double memory_needed(const TrainRun *r)
{
    const BertConfig *c = &r->s->model.config;
    const double tokens = (double)r->micro_batch * r->max_length, chosen = tokens * r->mask;
    const double layer = 8.0 * c->H + 2.0 * c->F + 2.0 * c->A * r->max_length;
    return sizeof(real) * (4.0 * (double)r->p.numbers + tokens * (c->L * layer + 8.0 * c->H) + 2 * chosen * c->V);
}

/* The texts of a task. */
static Status announce_texts(const TrainRun *r, Error *e)
{
    const Examples *x = &r->data.examples;
    const Classes *c = &r->classes;
    if (x->kind == LABELS_OF_SPANS) {
        note(r->s, "%s: %zu questions in %zu sequences%s", r->data.name, x->line[x->count - 1], x->count,
             r->data.questions.impossible ? "; some have no answer" : "");
        return BERT_OK;
    }
    const size_t labels = x->kind == LABELS_OF_TEXTS ? x->count : x->start[x->count];
    const double entropy = unigram_entropy(x->label, labels, c->count, e);
    char words[64] = "";
    if (e->status != BERT_OK) return e->status;
    if (x->kind == LABELS_OF_TOKENS)
        snprintf(words, sizeof words, " of %.0f words", labels_that_count(x->label, labels));
    note(r->s, "%s: %zu %s%s, %d labels; loss of a model that knows nothing: ln %d = %.3f; that knows how frequent each "
         "label is: %.3f", r->data.name, x->count, *words ? "sentences" : "texts", words, c->count, c->count,
         log(c->count), entropy);
    return BERT_OK;
}

/* What is allowed, and most likely a slip. */
static void note_doubts(const TrainRun *r)
{
    const Options *o = &r->s->options;
    const Corpus *text = &r->data.corpus;
    const int32_t unknown = r->s->tokenizer.unk_id;
    size_t unknowns = 0;
    if (r->options.warmup >= r->options.steps)
        note(r->s, "--warmup %lld: the learning rate only rises in %lld steps, and never reaches its largest",
             (long long)r->options.warmup, (long long)r->options.steps);
    if (o->mask && r->mask == 0 && !r->data.input_ids)
        note(r->s, o->rules ? "--mask 0: one token of each sequence is hidden, the least by Google's rules"
                            : "--mask 0: no word is hidden, so none is learned");
    for (size_t i = 0; i < text->tokens; i++) unknowns += text->ids[i] == unknown;
    if (text->tokens && 10 * unknowns >= text->tokens)
        note(r->s, "%s: %.1f%% of the tokens are [UNK]: is it the text that the vocabulary was made for?", r->data.name,
             100 * (double)unknowns / (double)text->tokens);
}

/* What the run is, what it will take, and what to hold its loss against. */
static Status announce(TrainRun *r, Error *e)
{
    const BertConfig *c = &r->s->model.config;
    const Corpus *text = &r->data.corpus;
    char weights[32], tokens[32];
    put_thousands(weights, (long long)r->p.numbers);
    note(r->s, "%dL/%dH/%dA, %s weights, %s; steps of %d sequences of up to %d tokens; about %.0f MB of memory", c->L,
         c->H, c->A, weights, r->resumed ? "saved" : r->s->options.model ? "of the model" : "random", r->batch,
         r->max_length, memory_needed(r) / 1e6 + 1);
    if (r->data.input_ids) {
        note(r->s, "%s: %zu rows; a model that knows nothing has the MLM loss ln V = %.3f", r->data.name, r->data.rows,
             log(c->V));
        return BERT_OK;
    }
    if (r->data.examples.count) return announce_texts(r, e);
    const double entropy = unigram_entropy(text->ids, text->tokens, c->V, e);
    if (e->status != BERT_OK) return e->status;
    put_thousands(tokens, (long long)text->tokens);
    note(r->s, "%s: %zu documents, %zu sentences, %s tokens; MLM loss of a model that knows nothing: ln V = %.3f; that "
         "knows how frequent each piece is: %.3f", r->data.name, text->documents, text->sentences, tokens, log(c->V),
         entropy);
    if (text->documents == 1 && r->data.pair_rules.nsp)
        note(r->s, "the text has no blank line: it is one document, and wrong next sentences come from itself");
    return BERT_OK;
}

/* =====================================================================================================================
 * The run
 * ================================================================================================================== */
/* Is the held-out text judged after this step? */
static bool is_judged(const TrainRun *r)
{
    const Options *o = &r->s->options;
    return o->dev && (r->adamw.step == r->options.steps || (o->evaluate_every &&
                                                            r->adamw.step % o->evaluate_every == 0));
}

/* Ctrl-C, SIGTERM: the step is done, and its state is saved; then the program ends as such a signal ends it. */
static Status end_by_signal(TrainRun *r, Error *e)
{
    const int number = program_ending();
    const char *name = number == SIGINT ? "SIGINT (Ctrl-C)" : number == SIGTERM ? "SIGTERM" : "SIGHUP";
    if (save(r, e) != BERT_OK) return e->status;
    note(r->s, "%s: ended by %s after step %lld, which is saved: --resume goes on from there", r->directory, name,
         (long long)r->adamw.step);
    program_ends(number);
    return BERT_OK;
}

static Status learn(TrainRun *r, Error *e)
{
    Status s = BERT_OK;
    program_ends_gently();
    r->started = seconds_now();
    r->first_step = r->adamw.step;
    while (s == BERT_OK && r->adamw.step < r->options.steps) {
        double norm = 0;
        s = learn_step(r, &norm, e);
        if (s != BERT_OK) break;
        log_step(r, norm);
        show_step(r);
        if (is_judged(r)) s = train_judge(r, e);
        if (s == BERT_OK && program_ending() && r->adamw.step < r->options.steps) s = end_by_signal(r, e);
        if (s == BERT_OK && r->adamw.step % r->save_every == 0 && r->adamw.step < r->options.steps) s = save(r, e);
    }
    return s == BERT_OK ? save(r, e) : s;
}

/* Where the run stands, if it goes on; then its steps. */
static Status run_training(TrainRun *r, Error *e)
{
    size_t log_size = 0;
    Status s = train_model_open(r, e);
    if (s == BERT_OK) s = settle_dropout(r, e);
    if (s == BERT_OK) s = open_data(r, e);
    if (s == BERT_OK) s = teacher_open(r, e);
    if (s == BERT_OK) list_settings(r, 0);
    if (s == BERT_OK && r->resumed)
        s = state_read(r->state, &r->p, &r->adamw, r->settings, r->setting_count, &log_size, e);
    if (s == BERT_OK) s = announce(r, e);
    if (s == BERT_OK) teacher_announce(r);
    if (s == BERT_OK) note_doubts(r);
    if (s == BERT_OK && r->resumed) note(r->s, "goes on after step %lld", (long long)r->adamw.step);
    if (s == BERT_OK && r->resumed && r->adamw.step > r->options.steps)
        s = fail(e, BERT_USAGE, "%s: has %lld steps already, more than --steps %lld", r->state,
                 (long long)r->adamw.step,
                 (long long)r->options.steps);
    if (s == BERT_OK) s = open_log(r, log_size, e);
    return s == BERT_OK ? learn(r, e) : s;
}

static Status verb_train(Session *s, Error *e)
{
    TrainRun *r = calloc(1, sizeof *r);
    if (!r) return fail(e, BERT_SYSTEM, "out of memory");
    r->s = s;
    r->directory = s->options.output;
    Status status = read_settings(r, e);
    if (status == BERT_OK) status = path_join(&r->state, r->directory, "training/state.safetensors", e);
    if (status == BERT_OK) status = path_join(&r->model, r->directory, "model.safetensors", e);
    if (status == BERT_OK) status = path_join(&r->log, r->directory, "training/log.jsonl", e);
    if (status == BERT_OK) status = run_training(r, e);
    if (r->log_file && fclose(r->log_file) != 0 && status == BERT_OK)
        status = fail(e, BERT_SYSTEM, "%s: cannot be written: %s", r->log, strerror(errno));
    if (status != BERT_OK) train_undo(r);
    teacher_free(r);
    train_data_free(&r->data);
    train_data_free(&r->dev);
    classes_free(&r->classes);
    exercise_free(&r->exercise);
    adamw_free(&r->adamw);
    gradients_free(&r->g);
    activations_free(&r->a);
    parameters_free(&r->p);
    free(r->part_rows);
    free(r->state);
    free(r->model);
    free(r->log);
    free(r);
    return status;
}

const Verb train_verb = {
    .name = "train", .run = verb_train, .settle = train_settle, .needs = NEEDS_NOTHING, .opens_output = true,
    .own = "--config --vocab --task --no-nsp --steps --batch --micro-batch --learning-rate --warmup --schedule "
           "--weight-decay --clip --dropout --mask --rules --seed --save-every --dev --evaluate-every --resume --teacher",
    .formats = "", .arguments = "", .summary = "from text, or a model from a model: all gradients in C",
    .help = train_help, .examples = train_examples,
};
