/* info.c - the verb info: what a model is made of, without running it. */
#include "cli/cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* =====================================================================================================================
 * info: what a model is made of
 *
 * A model is a configuration (a few numbers) and its weights (many). The configuration alone says how many parameters
 * there must be, and under which names and shapes; the file of weights says what is there.
 * ================================================================================================================== */
static const char info_help[] =
    "Configuration, exact parameter counts (from a config.json alone, too), the heads\n"
    "that are there, and the tensors that are missing, unexpected, or hold values\n"
    "that are not finite; the labels of a fine-tuned head. -v: every tensor with\n"
    "dtype, shape, rms, min, max and first three values. Exit 3 if a tensor that is\n"
    "needed is missing.\n";
static const char info_examples[] =
    "  bert info\n"
    "  bert info -v -m weights/bert-base-cased\n";

typedef struct {                    /* what info finds out about a file of weights */
    const Session *s;
    BertConfig config;
    Safetensors file;
    bool *known;                    /* of each tensor in the file: the table has it */
    int missing[GROUPS], found[GROUPS];     /* tensors by group */
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
        if (!spec_pattern(spec, config->distilbert)) continue;
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
    fprintf(s->out, "inputs      %s pieces, %d positions, ", V, c->P);
    if (c->S) fprintf(s->out, "%d segments\n", c->S);
    else fputs("no segments (a DistilBERT)\n", s->out);
    fprintf(s->out, "numbers     GELU %s, LayerNorm eps %g, computed in float%d\n",
            c->gelu == GELU_ERF ? "erf" : "tanh", c->eps, (int)sizeof(real) * 8);
    if (config_filled_in(c, sizes, sizeof sizes)) fprintf(s->out, "filled in   %s (not in config.json)\n", sizes);
    fprintf(s->out, c->distilbert ? "parameters  %s (encoder); %s with the masked-language-model head\n" :
            "parameters  %s (encoder and pooler); %s with both pre-training heads\n", base, all);
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
        const char *pattern = spec_pattern(spec, in->config.distilbert);
        const int count = !pattern ? 0 : spec_per_layer(spec) ? in->config.L : 1;
        for (int l = 0; l < count; l++) {
            const SafeTensor *t = spec_find(spec, l, &in->file);
            if (t) in->known[t - in->file.tensors] = true;
            if (t) in->found[spec->group]++;
            if (t || spec->optional || spec->tied) continue;
            in->missing[spec->group]++;
            spec_name(pattern, l, name, sizeof name);
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

/* heads       pooler: yes, masked language model: yes, next sentence: no
 * A DistilBERT has the second one alone. */
static void print_heads(const Inspection *in)
{
    static const struct { Group group; const char *name; } heads[] = {
        {GROUP_POOLER, "pooler"}, {GROUP_MLM, "masked language model"}, {GROUP_NSP, "next sentence"}};
    const char *before = "heads       ";
    for (int i = 0; i < 3; i++) {
        int missing = in->missing[heads[i].group], found = in->found[heads[i].group];
        if (!missing && !found) continue;
        fprintf(in->s->out, "%s%s: %s", before, heads[i].name, !missing ? "yes" : found ? "only a part" : "no");
        before = ", ";
    }
    fputc('\n', in->s->out);
}

/* classifier  scores whole texts, 3 labels: 0 negative, 1 neutral, 2 positive
 * problem     multi_label_classification: each label by itself
 * The head of a fine-tuned model, and what its labels are called; the first ones, where there are thousands. */
static Status print_fine_tuned(const Session *s, const Bert *m, Error *e)
{
    static const char *const scored[] = {"texts or tokens (config.json does not say which)", "whole texts",
                                         "the choices of a question", "every token"};
    static const char *const problems[] = {"", "regression: the scores are the logits",
                                           "single_label_classification: softmax",
                                           "multi_label_classification: each label by itself, sigmoid"};
    enum { SHOWN = 40 };
    Labels l;
    if (m->has_qa) fputs("answers     found in a text: qa_outputs\n", s->out);
    if (!m->has_classifier) return BERT_OK;
    Status status = labels_load(&l, s->directory, &m->config, e);
    if (status != BERT_OK) return status;
    fprintf(s->out, "classifier  scores %s", scored[m->config.head]);
    if (m->config.head != HEAD_CHOICE) fprintf(s->out, ", %d label%s:", m->config.K, m->config.K > 1 ? "s" : "");
    for (int i = 0; i < l.count && i < SHOWN && m->config.head != HEAD_CHOICE; i++) {
        fprintf(s->out, "%s%d ", i ? ", " : " ", i);
        put_safely(s->out, l.names[i]);
    }
    const bool unnamed = !l.named && m->config.head != HEAD_CHOICE;
    fputs(l.count > SHOWN ? ", ...\n" : unnamed ? " (not named in config.json)\n" : "\n", s->out);
    if (l.problem != PROBLEM_UNSAID) fprintf(s->out, "problem     %s\n", problems[l.problem]);
    if (l.activation != ACTIVATION_UNSAID) {
        fputs("activation  ", s->out);
        put_safely(s->out, l.activation_name);
        fputs(" (as a cross-encoder)\n", s->out);
    }
    labels_free(&l);
    return BERT_OK;
}

/* The file of weights beside the configuration: what is there, what is missing, what nobody asked for. */
static Status inspect_weights(Inspection *in, const char *path, Error *e)
{
    FILE *out = in->s->out;
    char bytes[32];
    size_t unexpected = 0;
    if (weights_open(&in->file, path, e) != BERT_OK) return e->status;
    in->file.distilbert = in->config.distilbert;
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
    const char *dot = strrchr(s->directory, '.');
    bool alone = stat(s->directory, &kind) == 0 && S_ISREG(kind.st_mode);       /* -m path/config.json */
    if (alone && (!dot || strcmp(dot, ".json"))) return refuse_file(s->directory, e);
    snprintf(path, sizeof path, alone ? "%.4096s" : "%.4096s/config.json", s->directory);
    Status status = config_load(&in.config, path, e);
    if (status != BERT_OK) return status;
    if (s->options.gelu != UNSET) in.config.gelu = (GeluKind)s->options.gelu;
    print_configuration(s, &in.config);
    if (s->weights && !(weights = strdup(s->weights))) return fail(e, BERT_SYSTEM, "out of memory");
    if (!alone && !weights)
        status = model_file_if_any(&weights, s->directory, e);  /* two, or none readable: an error */
    if (status == BERT_OK && !weights) {
        fprintf(s->out, "weights     %s\n", alone ? "not looked for" : "none: the directory holds no *.safetensors");
    } else if (status == BERT_OK) {
        Bert model = {0};                                   /* loading checks what is not listed: shapes, ... */
        status = inspect_weights(&in, weights, e);
        if (status == BERT_OK) status = bert_load(&model, s->weights ? s->weights : s->directory, e);
        if (status == BERT_OK) status = print_fine_tuned(s, &model, e);
        bert_free(&model);
    }
    free(weights);
    free(in.known);
    safetensors_close(&in.file);
    return status;
}

const Verb info_verb = {
    .name = "info", .run = verb_info, .needs = NEEDS_CONFIG, .without = ABOUT_TEXTS | ABOUT_FILE,
    .own = "", .formats = "", .arguments = "", .summary = "configuration, parameters, tensors of a model",
    .help = info_help, .examples = info_examples,
};
