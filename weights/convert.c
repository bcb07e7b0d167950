/* convert.c - a program of its own: a TensorFlow checkpoint, or a file of torch.save,
 * becomes a model directory that `bert` can read.
 *
 *     build/convert CHECKPOINT_PREFIX OUTPUT_DIRECTORY
 *     build/convert DIRECTORY_OR_FILE [OUTPUT_DIRECTORY]      pytorch_model.bin: see torch.c, and the end of this file
 *
 *     checkpoint    uncased_L-12_H-768_A-12/bert_model.ckpt   + .index, .data-00000-of-00001
 *     out           model.safetensors, config.json            (vocab.txt is copied by hand or by fetch.sh)
 *
 * What it does to the numbers: nothing. What it does to their order: TensorFlow computes y
 * = x K with a kernel K of shape (in, out), PyTorch, Hugging Face and we y = x W^T with
 * (out, in), so each kernel is transposed, and only these: word, position and type
 * embeddings are tables of rows in both, and the NSP head's (2,H) is stored as we want it
 * already.
 *
 *     TensorFlow                                    Hugging Face
 *     bert/encoder/layer_0/output/dense/kernel      bert.encoder.layer.0.output.dense.weight     transposed
 *     bert/encoder/layer_0/output/LayerNorm/gamma   bert.encoder.layer.0.output.LayerNorm.weight
 *     cls/predictions/output_bias                   cls.predictions.bias
 *
 * All of that stands in one place, tensor_table of weights/model.c; this file only walks it. The
 * same checkpoint gives the same bytes wherever it is converted, so that weights/README.md
 * can list their checksums.
 */
#include "weights/convert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_LIMIT = 4096, NAME_SIZE = 1200, MAX_LAYERS = 1024 };     /* layers: as config_load believes */

/* ---------------------------------------------------------------------------------------------------------------------
 * The rows of tensor_table for a model of L layers, layer by layer
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const TensorSpec *spec;
    int layer;                          /* 0 for what is no part of a layer */
    const BundleEntry *entry;           /* the variable in the checkpoint, or NULL */
    char name[160];                     /* Hugging Face's, with `bert.` where it has one */
} Row;

/* Heads are beside the encoder, everything else is inside:
 * bert.pooler.dense.weight, but cls.predictions.bias. */
static bool is_head(const char *name)
{
    static const char *const heads[] = {"cls", "pre_classifier", "classifier", "qa_outputs"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (!strncmp(name, heads[i], strlen(heads[i]))) return true;
    return false;
}

/* All rows for L layers, malloc'ed, their number into *count; NULL if memory runs out.
 *
 * The table has the layers' tensors together, so each run of them is gone through once for
 * every layer. */
static Row *list_rows(int L, size_t *count)
{
    Row *rows = calloc((size_t)L + 1, tensor_table_size * sizeof *rows);
    *count = 0;
    for (size_t i = 0, run; rows && i < tensor_table_size; i += run) {
        for (run = 1; spec_per_layer(&tensor_table[i]) && i + run < tensor_table_size
                      && spec_per_layer(&tensor_table[i + run]); ) run++;
        int layers = spec_per_layer(&tensor_table[i]) ? L : 1;
        for (int l = 0; l < layers; l++)
            for (size_t k = 0; k < run; k++) {
                Row *row = &rows[(*count)++];
                row->spec = &tensor_table[i + k];
                row->layer = l;
                char name[128];
                spec_name(row->spec->name, l, name, sizeof name);
                snprintf(row->name, sizeof row->name, "%s%s", is_head(name) ? "" : "bert.", name);
            }
    }
    return rows;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What is in the checkpoint
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const char *prefix;
    Bundle bundle;
    char encoder[NAME_SIZE], head[NAME_SIZE];   /* what stands before the table's names: "module/bert/", "module/" */
    BertConfig config;
    Row *rows;
    size_t row_count;
    FILE *log;
    Error *e;
} Conversion;

/* The variable of a pattern such as "encoder/layer_N/output/dense/kernel", or NULL. */
static const BundleEntry *find_variable(const Conversion *c, const char *pattern, int layer)
{
    char name[NAME_SIZE + 160], local[160];
    spec_name(pattern, layer, local, sizeof local);
    snprintf(name, sizeof name, "%s%s", is_head(local) ? c->head : c->encoder, local);
    return bundle_find(&c->bundle, name);
}

/* The names' common beginning, once for the encoder and once for the heads, which stand
 * beside it:
 *
 *     module/bert/embeddings/word_embeddings     encoder "module/bert/", heads "module/"
 *     bert/embeddings/word_embeddings            encoder "bert/",        heads ""
 *
 * It is none in Google's files, `module/` in those from TF-Hub. The word embeddings show
 * it. */
static Status find_scope(Conversion *c)
{
    static const char last[] = "embeddings/word_embeddings";
    for (size_t i = 0; i < c->bundle.count; i++) {
        const char *name = c->bundle.entries[i].name;
        size_t length = strlen(name);
        if (!ends_with(name, last)) continue;
        length -= sizeof last - 1;
        if (length >= NAME_SIZE || (length > 0 && name[length - 1] != '/')) continue;
        snprintf(c->encoder, sizeof c->encoder, "%.*s", (int)length, name);
        if (is_other_family(c->encoder, '/'))
            return fail(c->e, BERT_FILE, "%s: its variables begin with '%s', expected those of BERT: another "
                        "architecture, which would give wrong numbers if run as BERT", c->bundle.path, c->encoder);
        bool inside = ends_with(c->encoder, "bert/") && (length == 5 || c->encoder[length - 6] == '/');
        snprintf(c->head, sizeof c->head, "%.*s", (int)(inside ? length - 5 : length), name);
        return BERT_OK;
    }
    return fail(c->e, BERT_FILE, "%s: found no variable '...%s', expected one: no checkpoint of a BERT",
                c->bundle.path, last);
}

/* A size that is read off a shape: dimension `axis` of a variable of rank 2, as a number
 * that fits a BertConfig. */
static Status dimension(const Conversion *c, const char *pattern, int axis, int *value)
{
    const BundleEntry *entry = find_variable(c, pattern, 0);
    if (!entry)
        return fail(c->e, BERT_FILE, "%s: found no variable '%s%s', expected one", c->bundle.path, c->encoder, pattern);
    if (entry->rank != 2 || entry->shape[axis] < 1 || entry->shape[axis] > 1 << 24)
        return fail(c->e, BERT_FILE, "%s: variable '%s': found another shape, expected two dimensions of at most 2^24",
                    c->bundle.path, entry->name);
    *value = (int)entry->shape[axis];
    return BERT_OK;
}

/* Without a configuration: every size can be read off a shape, but for one.
 *
 * Trap: the number of heads leaves no trace in the shapes, since the heads' matrices lie
 * side by side in one of (H,H). Google's models all have heads of 64 numbers, so A = H/64;
 * a distilled model such as MiniLM (12 heads of 32) does not. */
static Status infer_config(Conversion *c)
{
    BertConfig *k = &c->config;
    *k = (BertConfig){.gelu = GELU_ERF, .eps = 1e-12};
    Status status = dimension(c, "embeddings/word_embeddings", 0, &k->V);
    if (status == BERT_OK) status = dimension(c, "embeddings/word_embeddings", 1, &k->H);
    if (status == BERT_OK) status = dimension(c, "embeddings/position_embeddings", 0, &k->P);
    if (status == BERT_OK) status = dimension(c, "embeddings/token_type_embeddings", 0, &k->S);
    if (status == BERT_OK) status = dimension(c, "encoder/layer_*/intermediate/dense/kernel", 1, &k->F);
    if (status != BERT_OK) return status;
    while (k->L <= MAX_LAYERS && find_variable(c, "encoder/layer_*/attention/self/query/kernel", k->L)) k->L++;
    if (k->L < 1 || k->L > MAX_LAYERS)
        return fail(c->e, BERT_FILE, "%s: found %s layers, expected 1 to %d", c->bundle.path, k->L ? "more" : "no",
                    (int)MAX_LAYERS);
    k->D = 64;
    k->A = k->H / k->D;
    if (k->H % k->D)
        return fail(c->e, BERT_FILE,
                    "%s: hidden size: found %d, expected a multiple of 64, since no bert_config.json says how "
                    "many heads there are", c->bundle.path, k->H);
    fprintf(c->log,
            "convert: no bert_config.json beside the checkpoint: sizes are taken from the shapes, %d heads from "
            "hidden size / 64\n", k->A);
    return BERT_OK;
}

/* bert_config.json beside the checkpoint, if there is one. Its sizes are compared with all
 * shapes later. */
static Status find_config(Conversion *c)
{
    char directory[PATH_LIMIT] = ".", *path;
    const char *slash = strrchr(c->prefix, '/');
    if (slash) snprintf(directory, sizeof directory, "%.*s", (int)(slash - c->prefix), c->prefix);
    if (!file_exists(directory, "bert_config.json")) return infer_config(c);
    Status status = path_join(&path, directory, "bert_config.json", c->e);
    if (status != BERT_OK) return status;
    status = config_load(&c->config, path, c->e);
    free(path);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Rows against variables
 * ------------------------------------------------------------------------------------------------------------------ */

/* KIND_MATRIX is what TensorFlow calls a kernel: (in, out), the other way round. */
static bool is_transposed(const Row *row)
{
    return row->spec->kind == KIND_MATRIX;
}

/* Type and shape of a variable against its row of the table, as the checkpoint has it: for
 * a kernel the other way round. */
static Status check_shape(const Conversion *c, const Row *row)
{
    const BundleEntry *entry = row->entry;
    size_t rows = spec_rows(row->spec, &c->config), cols = spec_cols(row->spec, &c->config);
    int rank = row->spec->rows ? 2 : 1;
    size_t first = is_transposed(row) ? cols : rows, second = is_transposed(row) ? rows : cols;
    if (entry->type != TF_FLOAT)
        return fail(c->e, BERT_FILE, "%s: variable '%s': found type number %lld, expected 1 (float32)", c->bundle.path,
                    entry->name, (long long)entry->type);
    if (entry->rank == rank && entry->shape[rank - 1] == (rank == 2 ? second : cols)
        && (rank == 1 || entry->shape[0] == first))
        return BERT_OK;
    char found[MAX_RANK * 24] = "", expected[64];
    for (int i = 0; i < entry->rank; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%zu", i ? "," : "", entry->shape[i]);
    if (rank == 2) snprintf(expected, sizeof expected, "%zu,%zu", first, second);
    else snprintf(expected, sizeof expected, "%zu", cols);
    return fail(c->e, BERT_FILE, "%s: variable '%s': found shape [%s], expected [%s]", c->bundle.path, entry->name,
                found, expected);
}

/* How many tensors of a group are missing and how many are there, and the names of the
 * first four missing ones. A name has less than 160 bytes, so that four of them fit. */
static size_t count_missing(const Conversion *c, Group group, size_t *present, char *names, size_t capacity)
{
    size_t missing = 0;
    *present = 0;
    names[0] = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const Row *row = &c->rows[i];
        if (row->spec->group != group || row->spec->optional) continue;
        if (row->entry) ++*present;
        else if (missing++ < 4) snprintf(names + strlen(names), capacity - strlen(names), " %s", row->name);
    }
    return missing;
}

/* The encoder must be whole. A head is there as a whole or not at all. */
static Status check_groups(const Conversion *c)
{
    static const char *const names[] = {"encoder", "pooler", "MLM head", "NSP head"};
    for (int group = GROUP_ENCODER; group <= GROUP_NSP; group++) {
        char list[700];
        size_t present, missing = count_missing(c, (Group)group, &present, list, sizeof list);
        if (missing > 0 && (present > 0 || group == GROUP_ENCODER))
            return fail(c->e, BERT_FILE, "%s: %s: found %zu tensors, expected %zu; missing:%s%s", c->bundle.path,
                        names[group],
                        present, present + missing, list, missing > 4 ? " ..." : "");
        if (missing > 0) fprintf(c->log, "convert: the checkpoint has no %s\n", names[group]);
    }
    return BERT_OK;
}

/* Finds the variable of every row and checks its shape, so that a mistake shows before
 * anything is written. Rows without one are dropped when it is certain that they may be. */
static Status match_rows(Conversion *c)
{
    /* so that a number in a file asks for no more memory */
    if ((size_t)c->config.L > c->bundle.count)
        return fail(c->e, BERT_FILE, "%s: found %zu variables, expected those of %d layers", c->bundle.path,
                    c->bundle.count, c->config.L);
    c->rows = list_rows(c->config.L, &c->row_count);
    if (!c->rows) return fail(c->e, BERT_SYSTEM, "%s: out of memory (%d layers)", c->bundle.path, c->config.L);
    for (size_t i = 0; i < c->row_count; i++) {
        Row *row = &c->rows[i];
        if (row->spec->tf) row->entry = find_variable(c, row->spec->tf, row->layer);
        Status status = row->entry ? check_shape(c, row) : BERT_OK;
        if (status != BERT_OK) return status;
    }
    Status status = check_groups(c);
    size_t kept = 0;
    for (size_t i = 0; i < c->row_count; i++)
        if (c->rows[i].entry) c->rows[kept++] = c->rows[i];
    c->row_count = kept;
    return status;
}

/* Whether a variable became a tensor. 200 comparisons for each of 200 variables: nothing
 * worth a second index. */
static bool is_used(const Conversion *c, const BundleEntry *entry)
{
    for (size_t i = 0; i < c->row_count; i++)
        if (c->rows[i].entry == entry) return true;
    return false;
}

/* A training checkpoint holds three numbers per weight: itself and Adam's two moments, and
 * the step count. */
static bool is_optimizer(const char *name)
{
    return ends_with(name, "/adam_m") || ends_with(name, "/adam_v") || ends_with(name, "global_step");
}

/* What was left out, so that nobody needs to wonder where a tensor went. */
static void report_rest(const Conversion *c)
{
    size_t optimizer = 0, others = 0;
    const char *example = "";
    for (size_t i = 0; i < c->bundle.count; i++) {
        const BundleEntry *entry = &c->bundle.entries[i];
        if (is_optimizer(entry->name)) optimizer++;
        else if (!is_used(c, entry) && others++ == 0) example = entry->name;
    }
    if (optimizer) fprintf(c->log, "convert: left out %zu variables of the optimizer\n", optimizer);
    Error shown;                                                    /* its message has control characters escaped */
    fail(&shown, BERT_OK, "left out %zu other variables, the first of them '%.200s'", others, example);
    if (others) fprintf(c->log, "convert: %s\n", shown.message);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Writing
 * ------------------------------------------------------------------------------------------------------------------ */

/* W (rows, cols) <- K (cols, rows), a block of rows at a time: W[r][k] = K[k][r].
 *
 *     K (3,2)   1 2        W (2,3)   1 3 5
 *               3 4                  2 4 6
 *               5 6
 *
 * Why blocks: a whole matrix need not be held twice, and 16 neighbours of a row of K are
 * one cache line. Why memcpy: the data file does not align its variables. */
static Status write_transposed(FILE *out, const unsigned char *K, size_t rows, size_t cols, Error *e)
{
    enum { BLOCK = 16 };
    float *W = calloc(cols, BLOCK * sizeof *W);
    if (!W) return fail(e, BERT_SYSTEM, "out of memory for a transposed kernel (%zu columns)", cols);
    for (size_t first = 0; first < rows; first += BLOCK) {
        size_t count = rows - first < BLOCK ? rows - first : BLOCK;
        for (size_t k = 0; k < cols; k++)
            for (size_t r = 0; r < count; r++)
                memcpy(&W[r * cols + k], K + (k * rows + first + r) * sizeof *W, sizeof *W);
        fwrite(W, sizeof *W, count * cols, out);
    }
    free(W);
    return BERT_OK;
}

/* The data of one tensor: checked, then copied or transposed. */
static Status write_row(const Conversion *c, const Row *row, FILE *out)
{
    const BundleEntry *entry = row->entry;
    const unsigned char *data = bundle_data(&c->bundle, entry, c->e);           /* verifies the checksum */
    if (!data) return c->e->status;
    if (is_transposed(row)) return write_transposed(out, data, entry->shape[1], entry->shape[0], c->e);
    fwrite(data, 1, entry->size, out);
    return BERT_OK;
}

/* The tensor as the header of the new file describes it. */
static SafeTensor describe(const Row *row)
{
    const BundleEntry *entry = row->entry;
    SafeTensor t = {.name = (char *)(uintptr_t)row->name, .dtype = DTYPE_F32, .rank = entry->rank,
                    .count = entry->count};
    memcpy(t.shape, entry->shape, sizeof t.shape);
    if (is_transposed(row)) t.shape[0] = entry->shape[1], t.shape[1] = entry->shape[0];
    return t;
}

/* model.safetensors, written while the checkpoint is read: at no time is more than a block
 * of a matrix in memory twice.
 *
 * All tensors are float32, so the order of the rows is the order of the data. */
static Status write_weights(const Conversion *c, const char *path)
{
    /* other readers ask for it: (out, in) */
    static const char *const metadata[][2] = {{"format", "pt"}};
    OutputFile out = {0};
    SafeTensor *tensors = calloc(c->row_count, sizeof *tensors);
    Status status = tensors ? output_open(&out, path, c->e) : fail(c->e, BERT_SYSTEM, "%s: out of memory", path);
    if (status == BERT_OK) {
        for (size_t i = 0; i < c->row_count; i++) tensors[i] = describe(&c->rows[i]);
        safetensors_write_header(out.stream, tensors, c->row_count, metadata, 1);
    }
    for (size_t i = 0; i < c->row_count && status == BERT_OK; i++) status = write_row(c, &c->rows[i], out.stream);
    free(tensors);
    if (status == BERT_OK) return output_commit(&out, c->e);
    output_abort(&out);
    return status;
}

/* Whether a head was there. */
static bool has_group(const Conversion *c, Group group)
{
    for (size_t i = 0; i < c->row_count; i++)
        if (c->rows[i].spec->group == group) return true;
    return false;
}

/* config.json with Hugging Face's keys. Dropout and initializer_range matter for training
 * only: the paper's values. */
static Status write_config(const Conversion *c, const char *path)
{
    const BertConfig *k = &c->config;
    OutputFile out;
    Status status = output_open(&out, path, c->e);
    if (status != BERT_OK) return status;
    fprintf(out.stream, "{\n  \"architectures\": [\n    \"%s\"\n  ],\n",
            has_group(c, GROUP_MLM) ? "BertForMaskedLM" : "BertModel");
    fprintf(out.stream, "  \"attention_probs_dropout_prob\": 0.1,\n");
    fprintf(out.stream, "  \"hidden_act\": \"%s\",\n", k->gelu == GELU_TANH ? "gelu_new" : "gelu");
    fprintf(out.stream, "  \"hidden_dropout_prob\": 0.1,\n  \"hidden_size\": %d,\n", k->H);
    fprintf(out.stream, "  \"initializer_range\": 0.02,\n  \"intermediate_size\": %d,\n", k->F);
    fprintf(out.stream, "  \"layer_norm_eps\": %g,\n  \"max_position_embeddings\": %d,\n", k->eps, k->P);
    fprintf(out.stream, "  \"model_type\": \"bert\",\n  \"num_attention_heads\": %d,\n", k->A);
    fprintf(out.stream, "  \"num_hidden_layers\": %d,\n  \"pad_token_id\": 0,\n", k->L);
    fprintf(out.stream, "  \"type_vocab_size\": %d,\n  \"vocab_size\": %d\n}\n", k->S, k->V);
    return output_commit(&out, c->e);
}

/* The directory, if it is not there; its parents must be. */
static Status make_directory(const char *directory, Error *e)
{
    if (!mkdir(directory, 0777) || errno == EEXIST) return BERT_OK;
    return fail(e, BERT_SYSTEM, "%s: cannot be created: %s", directory, strerror(errno));
}

/* Both files, in a directory that is made for them. */
static Status write_directory(const Conversion *c, const char *directory)
{
    char *weights = NULL, *config = NULL;
    Status status = path_join(&weights, directory, "model.safetensors", c->e);
    if (status == BERT_OK) status = path_join(&config, directory, "config.json", c->e);
    if (status == BERT_OK) status = make_directory(directory, c->e);
    if (status == BERT_OK) status = write_weights(c, weights);
    if (status == BERT_OK) status = write_config(c, config);
    free(weights);
    free(config);
    return status;
}

/* The whole way, a step a line:
 *
 *     1 the checkpoint's list of variables      tensorbundle.c
 *     2 what stands before their names          find_scope
 *     3 the sizes of the model                  find_config
 *     4 a variable for every row of the table   match_rows
 *     5 the two files                           write_directory
 */
Status convert(const char *prefix, const char *directory, FILE *log, Error *e)
{
    char trimmed[PATH_LIMIT];
    Conversion c = {.prefix = trimmed, .log = log, .e = e};
    size_t length = strlen(prefix);
    if (length >= sizeof trimmed) return fail(e, BERT_FILE, "%s: the path is too long", prefix);
    strcpy(trimmed, prefix);
    if (ends_with(trimmed, ".index")) trimmed[length - 6] = 0;      /* what completion by the shell makes of a prefix */
    Status status = bundle_open(&c.bundle, trimmed, e);
    if (status == BERT_OK) status = find_scope(&c);
    if (status == BERT_OK) status = find_config(&c);
    if (status == BERT_OK) status = match_rows(&c);
    if (status == BERT_OK) report_rest(&c);
    if (status == BERT_OK) status = write_directory(&c, directory);
    if (status == BERT_OK)
        fprintf(log, "convert: %s: %zu tensors, %dL/%dH/%dA\n", directory, c.row_count, c.config.L, c.config.H,
                c.config.A);
    free(c.rows);
    bundle_close(&c.bundle);
    return status;
}

static const char wrong_use[] = "expected CHECKPOINT_PREFIX OUTPUT_DIRECTORY, or DIRECTORY_OR_FILE; see convert --help";

/* ---------------------------------------------------------------------------------------------------------------------
 * torch.save's files: the same tensors under the same names, in the other format
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    char *source;                       /* the file, or the index of several */
    char *directory;                    /* that it is in */
    TorchFile *files;                   /* (file_count) */
    size_t file_count;
    SafeTensor *tensors;                /* (count) of all files */
    size_t count;
    Error *e;
} TorchConversion;

/* What is meant by a path: the file, or in a directory the one with the usual name, or its index. */
static Status find_source(TorchConversion *c, const char *path)
{
    static const char *const usual[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
    struct stat kind;
    const bool directory = stat(path, &kind) == 0 && S_ISDIR(kind.st_mode);
    const char *slash = strrchr(path, '/');
    c->directory = strdup(directory ? path : slash ? path : ".");
    if (!c->directory) return fail(c->e, BERT_SYSTEM, "%s: out of memory", path);
    if (!directory && slash) c->directory[slash == path ? 1 : slash - path] = 0;
    if (directory) {
        const char *name = file_exists(path, usual[0]) ? usual[0] : file_exists(path, usual[1]) ? usual[1] : NULL;
        if (!name) return fail(c->e, BERT_FILE, "%s: holds no pytorch_model.bin, expected one", path);
        return path_join(&c->source, path, name, c->e);
    }
    c->source = strdup(path);
    return c->source ? BERT_OK : fail(c->e, BERT_SYSTEM, "%s: out of memory", path);
}

/* One file of several, held against their index. */
static Status open_part(TorchConversion *c, const ShardList *list, size_t shard)
{
    char *path = NULL;
    TorchFile *file = &c->files[shard];
    Status s = shard_path(list, shard, &path, c->e);
    if (s == BERT_OK) s = torch_open(file, path, c->e);
    const char **names = s == BERT_OK ? calloc(file->count, sizeof *names) : NULL;
    if (s == BERT_OK && !names) s = fail(c->e, BERT_SYSTEM, "%s: out of memory", path);
    for (size_t i = 0; s == BERT_OK && i < file->count; i++) names[i] = file->tensors[i].name;
    if (s == BERT_OK) s = shard_check(list, shard, path, names, file->count, c->e);
    free(names);
    free(path);
    return s;
}

/* The file, or all files of the index. */
static Status open_source(TorchConversion *c)
{
    ShardList list = {.shard_count = 1};
    const bool several = is_shard_index(c->source);
    Status s = several ? shard_list_open(&list, c->source, c->e) : BERT_OK;
    if (s) return s;
    c->files = calloc(list.shard_count, sizeof *c->files);
    if (!c->files) s = fail(c->e, BERT_SYSTEM, "%s: out of memory", c->source);
    for (size_t i = 0; s == BERT_OK && i < list.shard_count; i++) {
        c->file_count++;
        s = several ? open_part(c, &list, i) : torch_open(&c->files[i], c->source, c->e);
    }
    if (several) shard_list_close(&list);
    return s;
}

/* A tied decoder is the word embeddings once more: the same bytes under a second name. safetensors has no second names,
 * and without it the model is tied all the same. */
static bool is_tied_copy(const SafeTensor *t, const SafeTensor *words)
{
    return words && t != words && ends_with(t->name, "cls.predictions.decoder.weight") && t->data == words->data &&
           t->dtype == words->dtype && t->rank == words->rank && !memcmp(t->shape, words->shape, sizeof t->shape);
}

/* The tensors of all files in one list. */
static Status list_tensors(TorchConversion *c, FILE *log)
{
    const SafeTensor *words = NULL;
    size_t count = 0, left_out = 0;
    for (size_t i = 0; i < c->file_count; i++) {
        for (size_t k = 0; !words && k < c->files[i].count; k++) {
            const SafeTensor *t = &c->files[i].tensors[k];
            if (ends_with(t->name, "embeddings.word_embeddings.weight")) words = t;
        }
        count += c->files[i].count;
        left_out += c->files[i].left_out;
    }
    c->tensors = calloc(count, sizeof *c->tensors);
    if (!c->tensors) return fail(c->e, BERT_SYSTEM, "%s: out of memory (%zu tensors)", c->source, count);
    for (size_t i = 0; i < c->file_count; i++)
        for (size_t k = 0; k < c->files[i].count; k++)
            if (!is_tied_copy(&c->files[i].tensors[k], words)) c->tensors[c->count++] = c->files[i].tensors[k];
    if (left_out) fprintf(log, "convert: left out %zu values that are no tensors\n", left_out);
    if (c->count < count) fprintf(log, "convert: the MLM decoder is the word embeddings (tied): stored once\n");
    return BERT_OK;
}

/* A copy of the configuration that lies beside the source. */
static Status copy_config(const char *from, const char *to, Error *e)
{
    FileView file;
    OutputFile out;
    Status s = file_open(&file, from, e);
    if (s) return s;
    s = output_open(&out, to, e);
    if (s == BERT_OK) {
        fwrite(file.data, 1, file.size, out.stream);
        s = output_commit(&out, e);
    }
    file_close(&file);
    return s;
}

/* Is the result a model? Without a configuration nobody can say. */
static Status check_result(const TorchConversion *c, const char *directory, FILE *log)
{
    Bert model;
    if (!file_exists(directory, "config.json")) {
        fprintf(log, "convert: %zu tensors; there is no config.json, which a model needs beside them\n", c->count);
        return BERT_OK;
    }
    Status s = bert_load(&model, directory, c->e);
    if (s) return s;
    fprintf(log, "convert: %zu tensors, %dL/%dH/%dA\n", c->count, model.config.L, model.config.H, model.config.A);
    bert_free(&model);
    return BERT_OK;
}

/* model.safetensors and config.json; what is wrong with the configuration shows before anything is written. */
static Status write_torch(TorchConversion *c, const char *directory)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    char *weights = NULL, *config = NULL, *copy = NULL;
    BertConfig sizes;
    const char *to = directory ? directory : c->directory;
    const bool has_config = file_exists(c->directory, "config.json");
    Status s = path_join(&weights, to, "model.safetensors", c->e);
    if (s == BERT_OK) s = path_join(&config, c->directory, "config.json", c->e);
    if (s == BERT_OK) s = path_join(&copy, to, "config.json", c->e);
    if (s == BERT_OK && !directory && file_exists(to, "model.safetensors"))
        s = fail(c->e, BERT_FILE, "%s: is there already: name another directory", weights);
    if (s == BERT_OK && has_config) s = config_load(&sizes, config, c->e);
    if (s == BERT_OK && directory) s = make_directory(directory, c->e);
    if (s == BERT_OK) s = safetensors_write(weights, c->tensors, c->count, metadata, 1, c->e);
    if (s == BERT_OK && has_config && directory) s = copy_config(config, copy, c->e);
    free(weights);
    free(config);
    free(copy);
    return s;
}

Status convert_torch(const char *source, const char *directory, FILE *log, Error *e)
{
    TorchConversion c = {.e = e};
    Status s = find_source(&c, source);
    if (s == BERT_OK) s = open_source(&c);
    if (s == BERT_OK) s = list_tensors(&c, log);
    if (s == BERT_OK) s = write_torch(&c, directory);
    if (s == BERT_OK) s = check_result(&c, directory ? directory : c.directory, log);
    for (size_t i = 0; i < c.file_count; i++) torch_close(&c.files[i]);
    free(c.files);
    free(c.tensors);
    free(c.source);
    free(c.directory);
    return s;
}

/* Whether convert_torch is meant: a directory, torch's index, or a file that begins as one of torch's does. */
static Status is_torch_source(const char *path, bool *torch, Error *e)
{
    FileView file;
    struct stat kind;
    *torch = false;
    if (stat(path, &kind)) return BERT_OK;                          /* the prefix of a checkpoint is no file */
    *torch = S_ISDIR(kind.st_mode) || ends_with(path, ".bin.index.json");
    if (*torch) return BERT_OK;
    Status s = file_open(&file, path, e);
    if (s) return s;
    *torch = is_torch_file(file.data, file.size);
    file_close(&file);
    return BERT_OK;
}

/* A model directory from whatever `from` is; `to` is NULL where none was given. */
static Status convert_any(const char *from, const char *to, Error *e)
{
    bool torch;
    Status s = is_torch_source(from, &torch, e);
    if (s) return s;
    if (torch) return convert_torch(from, to, stderr, e);
    return to ? convert(from, to, stderr, e) : fail(e, BERT_USAGE, "%s", wrong_use);
}

/* The shards of a safetensors index as one file. */
static Status join_shards(const char *index, const char *path, Error *e)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    Safetensors st;
    if (!is_shard_index(index)) return fail(e, BERT_USAGE, "%s: expected a file that ends with .index.json", index);
    Status s = weights_open(&st, index, e);
    if (s) return s;
    s = safetensors_write(path, st.tensors, st.count, metadata, 1, e);
    safetensors_close(&st);
    return s;
}

/* A model directory as the commands open it: the configuration, the pieces, all weights. */
static Status check_model(const char *directory, char text[200], Error *e)
{
    Tokenizer tokenizer;
    Bert model;
    Status s = tokenizer_load(&tokenizer, directory, CASE_AUTO, e);
    if (s) return s;
    const int pieces = tokenizer.V;
    tokenizer_free(&tokenizer);
    s = bert_load(&model, directory, e);
    if (s) return s;
    const BertConfig *k = &model.config;
    if (pieces > k->V)
        s = fail(e, BERT_FILE, "%s/config.json: vocab_size is %d, but the vocabulary has %d pieces: they do not belong "
                               "together", directory, k->V, pieces);
    snprintf(text, 200, "%dL/%dH/%dA, %d pieces, %zu tensors%s%s%s", k->L, k->H, k->A, pieces, model.file->count,
             model.has_pooler ? ", pooler" : "", model.has_mlm ? ", MLM head" : "", model.has_nsp ? ", NSP head" : "");
    bert_free(&model);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Are these the weights? Two files may hold the same numbers under other names, in another order, with or without the
 * NSP head; their SHA-256 then differs. The fingerprint does not.
 * ------------------------------------------------------------------------------------------------------------------ */
/* Layers in the file: as many as there are first tensors of one, and no more than one too many. */
static int count_layers(const Safetensors *st)
{
    const TensorSpec *spec = tensor_table;
    while (!spec_per_layer(spec)) spec++;
    int L = 0;
    while (L <= MAX_LAYERS && spec_find(spec, L, st)) L++;
    return L;
}

/* What goes into the fingerprint: the line "pooler.dense.weight 768,768\n" (without
 * `bert.`), then the bytes. The shape is in it, since the same bytes may be (2,3) or (3,2). */
static void add_tensor(Sha256 *sha, const Row *row, const SafeTensor *t)
{
    char line[256];
    const char *name = is_head(row->name) ? row->name : row->name + 5;
    snprintf(line, sizeof line, t->rank == 2 ? "%s %zu,%zu\n" : "%s %zu\n", name, t->shape[0], t->shape[1]);
    sha256_add(sha, line, strlen(line));
    sha256_add(sha, t->data, t->count * dtype_size(t->dtype));
}

/* Only float32 files have one: the same weights rounded to float16 are other weights. The
 * NSP head and tied copies of the word embeddings are left out, since some sources have
 * them and some do not. */
Status fingerprint(const char *path, char hex[65], Error *e)
{
    Safetensors st;
    Sha256 sha;
    size_t count, used = 0;
    Status status = weights_open(&st, path, e);
    if (status != BERT_OK) return status;
    const int L = count_layers(&st);
    Row *rows = L <= MAX_LAYERS ? list_rows(L, &count) : NULL;
    if (L > MAX_LAYERS)
        status = fail(e, BERT_FILE, "%s: found more layers, expected at most %d", path, (int)MAX_LAYERS);
    else if (!rows) status = fail(e, BERT_SYSTEM, "%s: out of memory", path);
    sha256_start(&sha);
    for (size_t i = 0; rows && i < count && status == BERT_OK; i++) {
        if (rows[i].spec->group > GROUP_MLM || rows[i].spec->optional) continue;
        const SafeTensor *t = spec_find(rows[i].spec, rows[i].layer, &st);
        if (!t) continue;
        if (t->dtype != DTYPE_F32 || t->rank < 1 || t->rank > 2)
            status = fail(e, BERT_FILE, "%s: tensor '%.200s': found %s of rank %d, expected F32 of rank 1 or 2", path,
                          t->name, dtype_name(t->dtype), t->rank);
        else add_tensor(&sha, &rows[i], t), used++;
    }
    sha256_end(&sha, hex);
    if (status == BERT_OK && used == 0)
        status = fail(e, BERT_FILE, "%s: found no tensor of a BERT, expected some", path);
    free(rows);
    safetensors_close(&st);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The program
 * ------------------------------------------------------------------------------------------------------------------ */
static const char usage[] =
    "convert CHECKPOINT_PREFIX OUTPUT_DIRECTORY     a TensorFlow checkpoint to model.safetensors and config.json\n"
    "convert DIRECTORY_OR_FILE [OUTPUT_DIRECTORY]   torch's pytorch_model.bin, or its shards, to model.safetensors\n"
    "convert --join FILE.index.json FILE            the shards of a safetensors index as one file\n"
    "convert --check DIRECTORY                      opens a model as `bert` does, and says what it is\n"
    "convert --fingerprint FILE.safetensors         SHA-256 of its weights, whatever their names and order\n"
    "convert --sha256 FILE                          SHA-256 of a file\n"
    "\n"
    "CHECKPOINT_PREFIX is what the files .index and .data-00000-of-00001 have in common. bert_config.json is used\n"
    "if it is beside them; if not, all sizes are taken from the shapes, and the number of heads is hidden size / 64.\n"
    "A file of torch.save is read without running anything in it; config.json must be beside it, or be put there.\n"
    "Exit codes: 0 done, 2 usage, 3 a file is missing or damaged, 6 out of memory or write error.\n";

/* So that fetch.sh needs no tool that only some systems have. */
static Status sha256_of_file(const char *path, char hex[65], Error *e)
{
    FileView file;
    Sha256 sha;
    Status status = file_open(&file, path, e);
    if (status != BERT_OK) return status;
    sha256_start(&sha);
    sha256_add(&sha, file.data, file.size);
    sha256_end(&sha, hex);
    file_close(&file);
    return BERT_OK;
}

/* Prints an answer; what is not written is an error as well. */
static Status print(const char *text, Error *e)
{
    bool good = printf("%s\n", text) >= 0 && fflush(stdout) == 0;
    return good ? BERT_OK : fail(e, BERT_SYSTEM, "standard output: cannot be written: %s", strerror(errno));
}

/* One line a mode; all of them end in a Status, which is the exit code. */
int main(int argc, char **argv)
{
    Error e = {0};
    char hex[65], text[200];
    Status status;
    program_start("convert");
    if (argc == 2 && !strcmp(argv[1], "--help")) status = print(usage, &e);
    else if (argc == 3 && !strcmp(argv[1], "--fingerprint")) {
        status = fingerprint(argv[2], hex, &e);
        if (status == BERT_OK) status = print(hex, &e);
    } else if (argc == 3 && !strcmp(argv[1], "--sha256")) {
        status = sha256_of_file(argv[2], hex, &e);
        if (status == BERT_OK) status = print(hex, &e);
    } else if (argc == 4 && !strcmp(argv[1], "--join")) {
        status = join_shards(argv[2], argv[3], &e);
    } else if (argc == 3 && !strcmp(argv[1], "--check")) {
        status = check_model(argv[2], text, &e);
        if (status == BERT_OK) status = print(text, &e);
    } else if ((argc == 2 || argc == 3) && argv[1][0] != '-') {
        status = convert_any(argv[1], argc == 3 ? argv[2] : NULL, &e);
    } else status = fail(&e, BERT_USAGE, "%s", wrong_use);
    if (status != BERT_OK) fprintf(stderr, "convert: %s\n", e.message);
    return (int)status;
}
