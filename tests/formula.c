/* formula.c - tiny BERT models whose weights are a formula, so that the tests need no downloads. The formula, its
 * reasons and the models are explained in tests/golden/formula.py, which gives the same values bit for bit. */
#include "formula.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *kind, *hidden_act;
    BertConfig config;
    float scale;                    /* of matrices and embeddings: a power of two, so that nothing is rounded */
} Formula;

/*                                   L    H  A   D    F    V    P  S                          */
static const Formula formulas[] = {
    {"tiny", "gelu",     {.L = 2, .H = 24, .A = 3, .D = 8, .F = 56, .V = 101, .P = 32, .S = 3, .eps = 0.01}, 1.0f},
    {"odd", "gelu_new",  {.L = 3, .H = 150, .A = 5, .D = 30, .F = 260, .V = 67, .P = 160, .S = 2, .eps = 0.01}, 0.5f},
    {"small", "gelu",    {.L = 1, .H = 4, .A = 2, .D = 2, .F = 5, .V = 12, .P = 6, .S = 2, .eps = 0.01}, 1.0f},
};

/* ---------------------------------------------------------------------------------------------------------------------
 * The formula
 * ------------------------------------------------------------------------------------------------------------------ */

/* lowbias32: a bijection of 32-bit integers in which every input bit changes about half of the output bits. */
static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

/* The 32-bit FNV-1a hash of a name's bytes. */
static uint32_t fnv1a(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

float formula_value(const char *name, size_t i)
{
    uint32_t bits = mix(fnv1a(name) ^ mix((uint32_t)i));
    return (float)(bits >> 9) / 8388608.0f - 0.5f;      /* 23 bits over 2^23: exact, and so is the difference */
}

/* values (rows, cols) of one tensor: scaled, as a LayerNorm's weight, or as they are. */
static void fill(float *values, const TensorSpec *spec, const char *name, size_t count, float scale)
{
    static const char weight[] = "LayerNorm.weight";
    size_t length = strlen(name);
    bool gamma = length >= sizeof weight - 1 && !strcmp(name + length - (sizeof weight - 1), weight);
    bool wide = spec->kind == KIND_MATRIX || spec->kind == KIND_EMBEDDING;
    for (size_t i = 0; i < count; i++) {
        float v = formula_value(name, i);
        values[i] = gamma ? 1.0f + v : wide ? scale * v : v;
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * config.json and vocab.txt
 * ------------------------------------------------------------------------------------------------------------------ */
static Status open_text(OutputFile *out, const char *directory, const char *name, Error *e)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return output_open(out, path, e);
}

static Status write_config(const Formula *f, const char *directory, Error *e)
{
    const BertConfig *c = &f->config;
    OutputFile out = {0};
    Status s = open_text(&out, directory, "config.json", e);
    if (s != BERT_OK) return s;
    fprintf(out.stream,
            "{\n  \"architectures\": [\n    \"BertForPreTraining\"\n  ],\n  \"model_type\": \"bert\",\n"
            "  \"num_hidden_layers\": %d,\n  \"hidden_size\": %d,\n  \"num_attention_heads\": %d,\n"
            "  \"intermediate_size\": %d,\n  \"vocab_size\": %d,\n  \"max_position_embeddings\": %d,\n"
            "  \"type_vocab_size\": %d,\n  \"hidden_act\": \"%s\",\n  \"layer_norm_eps\": 0.01,\n  \"pad_token_id\": "
            "0\n}\n",
            c->L, c->H, c->A, c->F, c->V, c->P, c->S, f->hidden_act);
    return output_commit(&out, e);
}

/* Special tokens, four marks, the letters alone and as ## pieces (so that every word has pieces), then words: V
 * lines. */
static Status write_vocabulary(const Formula *f, const char *directory, Error *e)
{
    static const char *const first[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "?", "!"};
    static const char *const words[] = {
        "the", "cat", "dog", "sat", "on", "mat", "man", "went", "to", "store", "river", "bank", "money", "robber",
        "vault", "he", "she", "it", "was", "is", "my", "cute", "likes", "play", "##ing", "##ed", "##er", "##ly",
        "sunny",
        "day", "from", "of", "and", "not", "word", "em", "##bed", "##ding", "big", "in"};
    const int firsts = sizeof first / sizeof *first, letters = 26;
    OutputFile out = {0};
    Status s = open_text(&out, directory, "vocab.txt", e);
    if (s != BERT_OK) return s;
    for (int id = 0; id < f->config.V; id++) {
        int letter = id - firsts, word = letter - 2 * letters;
        if (letter < 0) fprintf(out.stream, "%s\n", first[id]);
        else if (word < 0) fprintf(out.stream, "%s%c\n", letter < letters ? "" : "##", 'a' + letter % letters);
        else fprintf(out.stream, "%s\n", words[word]);
    }
    return output_commit(&out, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * model.safetensors: every row of the tensor table that is neither tied nor of a fine-tuned head
 * ------------------------------------------------------------------------------------------------------------------ */
static bool belongs(const TensorSpec *spec)
{
    return !spec->tied && !spec->optional && spec->group < GROUP_TASK;
}

/* One tensor into *t, with its name in the file (`bert.` before all but the heads'). False: out of memory. */
static bool make_tensor(SafeTensor *t, const Formula *f, const TensorSpec *spec, int layer)
{
    char name[128];
    spec_name(spec->name, layer, name, sizeof name);
    size_t rows = spec_rows(spec, &f->config), cols = spec_cols(spec, &f->config);
    *t = (SafeTensor){.dtype = DTYPE_F32, .rank = spec->rows ? 2 : 1, .count = rows * cols};
    t->shape[0] = spec->rows ? rows : cols;
    t->shape[1] = spec->rows ? cols : 0;
    char *stored = malloc(strlen(name) + sizeof "bert.");
    float *values = malloc(t->count * sizeof *values);
    t->name = stored;
    t->data = values;
    if (!stored || !values) return false;
    sprintf(stored, "%s%s", strncmp(name, "cls.", 4) ? "bert." : "", name);
    fill(values, spec, name, t->count, f->scale);
    return true;
}

static Status write_weights(const Formula *f, const char *directory, Error *e)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    size_t most = tensor_table_size * (size_t)f->config.L, count = 0;
    SafeTensor *tensors = calloc(most, sizeof *tensors);
    bool ok = tensors != NULL;
    for (size_t i = 0; ok && i < tensor_table_size; i++) {
        const TensorSpec *spec = &tensor_table[i];
        int layers = spec_per_layer(spec) ? f->config.L : 1;
        for (int l = 0; ok && belongs(spec) && l < layers; l++) ok = make_tensor(&tensors[count++], f, spec, l);
    }
    char path[512];
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    Status s = ok ? safetensors_write(path, tensors, count, metadata, 1, e)
                  : fail(e, BERT_SYSTEM, "%s: out of memory", path);
    for (size_t i = 0; i < count; i++) free(tensors[i].name), free((void *)tensors[i].data);
    free(tensors);
    return s;
}

Status formula_model(const char *directory, const char *kind, Error *e)
{
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
        const Formula *f = &formulas[i];
        if (strcmp(f->kind, kind)) continue;
        Status s = write_config(f, directory, e);
        if (s == BERT_OK) s = write_vocabulary(f, directory, e);
        return s == BERT_OK ? write_weights(f, directory, e) : s;
    }
    return fail(e, BERT_USAGE, "formula model \"%s\": there are tiny, odd and small", kind);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A place to put one
 * ------------------------------------------------------------------------------------------------------------------ */
static int directories;             /* made and not removed */

bool formula_directory(char path[256])
{
    const char *parent = getenv("TMPDIR");
    int n = snprintf(path, 256, "%s/bert-test-XXXXXX", parent && *parent ? parent : "/tmp");
    const bool made = n > 0 && n < 256 && mkdtemp(path);
    directories += made;
    return made;
}

int formula_directories(void)
{
    return directories;
}

void formula_remove(const char *path)
{
    static const char *const names[] = {"config.json", "vocab.txt", "model.safetensors"};
    char file[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        remove(file);
    }
    directories -= !rmdir(path);
}
