/* learn_steps.c - steps of AdamW from a file of inputs, for tests/conformance/test_learn.py.
 *
 *     build/learn_steps64 MODEL_DIRECTORY INPUTS OUT RULES STEPS BATCH MICRO_BATCH WARMUP RATE DECAY CLIP
 *
 * INPUTS has int64 input_ids, token_type_ids, attention_mask, labels (R,T) and next_sentence_label (R); step k takes
 * the next BATCH rows, round and round. RULES is huggingface or google. OUT gets every parameter, and loss, norm and
 * rate of every step. */
#include "weights/weights.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 100 };
typedef struct {                    /* what one step looks at */
    int *T, *rows;
    int32_t *ids, *types, *mask, *labels, *chosen, *next;
    size_t width;                   /* tokens of a row */
} StepInputs;

/* Row `row` of an int64 tensor behind the n-th of `to`. */
static void copy_row(int32_t *to, size_t n, const SafeTensor *t, size_t row, size_t width)
{
    const int64_t *from = (const int64_t *)t->data + row * width;
    for (size_t i = 0; i < width; i++) to[n * width + i] = (int32_t)from[i];
}

static const char *const names[] = {"input_ids", "token_type_ids", "attention_mask", "labels", "next_sentence_label"};
enum { NAMES = 5 };

static bool gather(StepInputs *in, const Safetensors *file, size_t first, size_t batch)
{
    const SafeTensor *t[NAMES];
    for (int k = 0; k < NAMES; k++)
        if (!(t[k] = safetensors_find(file, names[k])) || t[k]->dtype != DTYPE_I64) return false;
    const size_t rows = t[0]->shape[0], width = in->width = t[0]->shape[1], count = batch * width;
    int32_t **arrays[] = {&in->ids, &in->types, &in->mask, &in->labels};
    for (int k = 0; k < 4; k++) *arrays[k] = malloc(count * sizeof **arrays[k]);
    in->next = malloc(batch * sizeof *in->next);
    in->T = malloc(batch * sizeof *in->T);
    in->rows = malloc(count * sizeof *in->rows);
    in->chosen = malloc(count * sizeof *in->chosen);
    for (size_t b = 0; b < batch; b++) {
        for (int k = 0; k < 4; k++) copy_row(*arrays[k], b, t[k], (first + b) % rows, width);
        copy_row(in->next, b, t[4], (first + b) % rows, 1);
        in->T[b] = (int)width;
    }
    return true;
}

/* Sequences `begin` to `end` of the step, forward and back. */
static Status micro_batch(const Bert *m, Gradients *g, StepInputs *in, size_t begin, size_t end, Targets targets,
                          Error *e)
{
    const size_t n = begin * in->width;
    int M = 0;
    Activations a;
    for (size_t i = n; i < end * in->width; i++)
        if (in->labels[i] >= 0) in->chosen[M] = in->labels[i], in->rows[M++] = (int)(i - n);
    const Batch batch = {(int)(end - begin), in->T, in->ids + n, in->types + n, in->mask + n};
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = in->rows, .M = M};
    Status status = activations_new(&a, m, &batch, &request, e);
    if (status == BERT_OK) status = gradients_room(g, m, &a, KEEP_NOTHING, e);
    if (status == BERT_OK) {
        targets.labels = in->chosen;
        targets.next_sentence = in->next + begin;
        forward(m, &a);
        backward(m, &a, g, &targets);
    }
    activations_free(&a);
    return status;
}

static void free_inputs(StepInputs *in)
{
    free(in->T), free(in->rows), free(in->ids), free(in->types), free(in->mask), free(in->labels);
    free(in->chosen), free(in->next);
}

static Status one_step(const Bert *m, Gradients *g, Parameters *p, const Safetensors *file, const size_t sizes[3],
                       Error *e)
{
    StepInputs in = {0};
    if (!gather(&in, file, sizes[0] * sizes[1], sizes[1])) return fail(e, BERT_FILE, "the inputs are not complete");
    Targets targets = {.nsp_divisor = (double)sizes[1]};
    for (size_t i = 0; i < sizes[1] * in.width; i++) targets.mlm_divisor += in.labels[i] >= 0;
    gradients_zero(g);
    Status status = BERT_OK;
    for (size_t b = 0; b < sizes[1] && status == BERT_OK; b += sizes[2])
        status = micro_batch(m, g, &in, b, b + sizes[2] < sizes[1] ? b + sizes[2] : sizes[1], targets, e);
    gradients_finish(m, g, p);
    free_inputs(&in);
    return status;
}

/* All parameters, and three rows of numbers. */
static Status write_parameters(const char *path, const Parameters *p, real *series[3], size_t steps, Error *e)
{
    static const char *const series_names[] = {"loss", "norm", "rate"};
    const DType dtype = sizeof(real) == sizeof(double) ? DTYPE_F64 : DTYPE_F32;
    SafeTensor *tensors = calloc(p->count + 3, sizeof *tensors);
    if (!tensors) return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t i = 0; i < p->count + 3; i++) {
        SafeTensor *t = &tensors[i];
        *t = (SafeTensor){.dtype = dtype, .rank = 1, .count = steps, .shape = {steps}};
        if (i < 3) t->name = (char *)series_names[i], t->data = series[i];
        else {
            const Parameter *x = &p->list[i - 3];
            t->name = (char *)x->name, t->data = x->value, t->count = x->count;
            t->rank = x->rows ? 2 : 1, t->shape[0] = x->rows ? x->rows : x->cols, t->shape[1] = x->cols;
        }
    }
    Status status = safetensors_write(path, tensors, p->count + 3, NULL, 0, e);
    free(tensors);
    return status;
}

int main(int argc, char **argv)
{
    static real loss[MOST_STEPS], norm[MOST_STEPS], rate[MOST_STEPS];
    Error e = {0};
    Bert m;
    Parameters p;
    Gradients g;
    AdamW adamw;
    Safetensors file;
    if (argc != 12 || atoi(argv[5]) < 1 || atoi(argv[5]) > MOST_STEPS) return BERT_USAGE;
    AdamWOptions options = adamw_defaults(strcmp(argv[4], "google") ? RULES_HUGGINGFACE : RULES_GOOGLE);
    options.steps = atoi(argv[5]);
    options.warmup = atoi(argv[8]);
    options.learning_rate = atof(argv[9]);
    options.weight_decay = atof(argv[10]);
    options.clip = atof(argv[11]);
    Status status = bert_load(&m, argv[1], &e);
    if (status == BERT_OK) status = safetensors_open(&file, argv[2], &e);
    if (status == BERT_OK) status = parameters_new(&p, &m, &e);
    if (status == BERT_OK) status = gradients_new(&g, &m, &p, &e);
    if (status == BERT_OK) status = adamw_new(&adamw, &p, &options, &e);
    for (size_t k = 0; k < (size_t)options.steps && status == BERT_OK; k++) {
        const size_t sizes[3] = {k, (size_t)atoi(argv[6]), (size_t)atoi(argv[7])};
        status = one_step(&m, &g, &p, &file, sizes, &e);
        const double length = gradient_norm(&g, &p);
        loss[k] = (real)(g.losses.mlm + g.losses.nsp);
        norm[k] = (real)length;
        rate[k] = (real)learning_rate_at(&options, adamw.step);
        adamw_step(&adamw, &g, &p, length);
    }
    real *series[3] = {loss, norm, rate};
    if (status == BERT_OK) status = write_parameters(argv[3], &p, series, (size_t)options.steps, &e);
    if (status != BERT_OK) fprintf(stderr, "learn_steps: %s\n", e.message);
    return status;
}
