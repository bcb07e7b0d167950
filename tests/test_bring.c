/* test_bring.c - weights as people have them: shards, variants beside the model, float64, names behind a prefix, other
 * spellings of the configuration, a decoder with a matrix and a bias of its own. Each is the tiny formula model in
 * another dress, and computes the same bits, or is refused in a sentence that names what is wrong. */
#include "formula.h"
#include "test.h"
#include "torch_file.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * The tiny model, and what it computes
 * ------------------------------------------------------------------------------------------------------------------ */
enum { TOKENS = 7, HIDDEN = 24, PIECES = 101, MOST = 64 };
typedef struct {
    real hidden[TOKENS * HIDDEN], pooler[HIDDEN], logits[PIECES], nsp[2];
    bool has_mlm, has_nsp, has_pooler;
} Answer;

static char directory[256];
static SafeTensor tensors[MOST];        /* of the model as it was made; their data are in `base` */
static size_t tensor_count;
static Safetensors base;
static Answer usual;

static const char *in_directory(const char *name)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static bool answer(const char *path, Answer *a, Error *e)
{
    static const int32_t ids[TOKENS] = {2, 61, 17, 4, 99, 5, 3}, types[TOKENS] = {0, 0, 0, 0, 1, 1, 2};
    static const int32_t mask[TOKENS] = {1, 1, 1, 1, 1, 1, 0};
    static const int T = TOKENS, rows[] = {3};
    Bert m;
    Activations act;
    *e = (Error){0};
    memset(a, 0, sizeof *a);
    if (bert_load(&m, path, e) != BERT_OK) return false;
    const Batch batch = {1, &T, ids, types, mask};
    const Request request = {.pooler = m.has_pooler, .nsp = m.has_nsp, .mlm_rows = rows, .M = m.has_mlm};
    bool ok = activations_new(&act, &m, &batch, &request, e) == BERT_OK;
    if (ok) {
        forward(&m, &act);
        a->has_mlm = m.has_mlm, a->has_nsp = m.has_nsp, a->has_pooler = m.has_pooler;
        memcpy(a->hidden, hidden_state(&act, m.config.L), sizeof a->hidden);
        if (m.has_pooler) memcpy(a->pooler, act.pooler, sizeof a->pooler);
        if (m.has_mlm) memcpy(a->logits, act.logits, sizeof a->logits);
        if (m.has_nsp) memcpy(a->nsp, act.nsp_logits, sizeof a->nsp);
        activations_free(&act);
    }
    bert_free(&m);
    return ok;
}

/* Makes the model and remembers its tensors and answers. */
static bool begin(void)
{
    Error e = {0};
    bool ok = formula_directory(directory) && formula_model(directory, "tiny", &e) == BERT_OK &&
              safetensors_open(&base, in_directory("model.safetensors"), &e) == BERT_OK && base.count <= MOST &&
              answer(directory, &usual, &e);
    tensor_count = ok ? base.count : 0;
    for (size_t i = 0; i < tensor_count; i++) tensors[i] = base.tensors[i];
    return check(ok && usual.has_mlm && usual.has_nsp && usual.has_pooler, "the tiny model answers: %s", e.message);
}

/* Removes the directory with whatever the test left in it. */
static void end(void)
{
    DIR *d = opendir(directory);
    for (struct dirent *entry; d && (entry = readdir(d)); )
        if (entry->d_name[0] != '.') unlink(in_directory(entry->d_name));
    if (d) closedir(d);
    formula_remove(directory);
    safetensors_close(&base);
}

static void put_text(const char *name, const char *text)
{
    FILE *f = fopen(in_directory(name), "wb");
    if (check(f != NULL, "%s can be written", name)) fputs(text, f), fclose(f);
}

static void put_weights(const char *name, const SafeTensor *t, size_t count)
{
    Error e;
    check(safetensors_write(in_directory(name), t, count, NULL, 0, &e) == BERT_OK, "%s is written: %s", name,
          e.message);
}

/* The path computes what the model as it was made does, bit for bit. */
static void expect_usual(const char *what, const char *path)
{
    Answer a;
    Error e;
    if (!check(answer(path, &a, &e), "%s loads: %s", what, e.message)) return;
    check(!memcmp(&a, &usual, sizeof a), "%s computes the same bits", what);
}

static void expect_refused(const char *what, const char *path, const char *part)
{
    Answer a;
    Error e;
    if (!check(!answer(path, &a, &e), "%s is refused", what)) return;
    record(what, e.message, directory);
    check(e.status == BERT_FILE && strstr(e.message, part), "%s: \"%s\" says \"%s\"", what, e.message, part);
}

static SafeTensor *named(const char *name)
{
    for (size_t i = 0; i < tensor_count; i++)
        if (!strcmp(tensors[i].name, name)) return &tensors[i];
    check(false, "the tiny model has %s", name);
    return &tensors[0];
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What stands before the names
 * ------------------------------------------------------------------------------------------------------------------ */
static char names[3 * MOST][600];

/* "bert.X" becomes encoder + X, "cls.X" becomes heads + cls.X; appended to `to`. */
static size_t rename_all(SafeTensor *to, size_t at, const char *encoder, const char *heads)
{
    for (size_t i = 0; i < tensor_count; i++, at++) {
        const char *name = tensors[i].name;
        bool inside = !strncmp(name, "bert.", 5);
        snprintf(names[at], sizeof names[at], "%s%s", inside ? encoder : heads, inside ? name + 5 : name);
        to[at] = tensors[i];
        to[at].name = names[at];
    }
    return at;
}

static void prefixes_are_found_by_what_is_there(void)
{
    static const char *const cases[][2] = {
        {"", ""}, {"bert.", ""}, {"module.bert.", "module."}, {"module.", "module."}, {"_orig_mod.bert.", "_orig_mod."},
        {"module._orig_mod.bert.", "module._orig_mod."}, {"model.bert.", "model."}, {"model.", "model."},
        {"0.auto_model.", "0.auto_model."}, {"question_encoder.bert_model.", "question_encoder.bert_model."},
        {"ctx_encoder.bert_model.", "ctx_encoder.bert_model."}, {"a.b.c.d.bert.", "a.b.c.d."}, {"xbert.", "xbert."},
        {"\x1b[2J.", "\x1b[2J."}};
    SafeTensor t[2 * MOST];
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Safetensors st;
        Error e;
        put_weights("model.safetensors", t, rename_all(t, 0, cases[i][0], cases[i][1]));
        expect_usual(cases[i][0], directory);
        if (!check(weights_open(&st, in_directory("model.safetensors"), &e) == BERT_OK, "%s", e.message)) continue;
        check_text("the prefix", st.prefix, cases[i][0]);
        check(prefix_is_usual(&st) == (i < 2), "'%s' is said with -v, or is usual", cases[i][0]);
        safetensors_close(&st);
    }
    end();
}

/* Heads elsewhere than beside the encoder are not this model's. */
static void heads_stand_beside_the_encoder(void)
{
    static const char *const cases[][2] = {{"module.bert.", ""}, {"module.bert.", "module.bert."}, {"bert.", "bert."},
                                           {"", "bert."}};
    SafeTensor t[2 * MOST];
    Answer a;
    Error e;
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_weights("model.safetensors", t, rename_all(t, 0, cases[i][0], cases[i][1]));
        if (!check(answer(directory, &a, &e), "it loads: %s", e.message)) continue;
        check(!a.has_mlm && !a.has_nsp && a.has_pooler, "'%s' and '%s': no heads", cases[i][0], cases[i][1]);
        check(!memcmp(a.hidden, usual.hidden, sizeof a.hidden), "and the same hidden states");
    }
    end();
}

static void two_models_in_one_file_are_refused(void)
{
    static const struct { const char *one, *other, *says; } cases[] = {
        {"question_encoder.bert_model.", "ctx_encoder.bert_model.",
         "holds two models, one with 'ctx_encoder.bert_model.' before its names and one with "
         "'question_encoder.bert_model.'"},
        {"", "bert.", "holds two models, one with 'bert.' before its names and one with ''"},
        /* the library takes the usual */
        {"bert.", "teacher.", NULL}, {"teacher.", "", NULL}, {"a.", "bert.", NULL}};
    SafeTensor t[3 * MOST];
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* the usual one is the second */
        bool second = cases[i].says == NULL && strcmp(cases[i].one, "bert.");
        size_t n = rename_all(t, 0, cases[i].one, second ? "other." : "");
        n = rename_all(t, n, cases[i].other, second ? "" : "other.");
        put_weights("model.safetensors", t, n);
        if (cases[i].says) expect_refused(cases[i].one, directory, cases[i].says);
        else expect_usual(cases[i].one, directory);
    }
    end();
}

/* No prefix ends inside of a word, and what is missing is said without it. */
static void a_prefix_ends_with_a_dot(void)
{
    char longer[520];
    SafeTensor t[2 * MOST];
    if (!begin()) return;
    put_weights("model.safetensors", t, rename_all(t, 0, "my_", ""));
    expect_refused("my_embeddings", directory, "the encoder's tensors are missing: embeddings.word_embeddings.weight, "
                   "");
    memset(longer, 'p', sizeof longer);
    memcpy(longer + PREFIX_LIMIT, ".", 2);
    put_weights("model.safetensors", t, rename_all(t, 0, longer, ""));
    expect_refused("a longer prefix than is looked for", directory, "tensors are missing");
    memcpy(longer + PREFIX_LIMIT - 1, ".", 2);
    put_weights("model.safetensors", t, rename_all(t, 0, longer, longer));
    expect_usual("the longest prefix", directory);
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Shards
 * ------------------------------------------------------------------------------------------------------------------ */
static const char *const shard_names[] = {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                          "model-00003-of-00003.safetensors"};

/* Cuts the model into `shards` files, tensor i to file number `to(i)`; `more` stands before the map in the index. */
static void put_shards(int shards, size_t factor, const char *more)
{
    SafeTensor part[MOST];
    FILE *f = fopen(in_directory("model.safetensors.index.json"), "wb");
    unlink(in_directory("model.safetensors"));
    if (!check(f != NULL, "the index can be written")) return;
    fprintf(f, "{%s\"weight_map\": {", more);
    for (int k = 0, first = 1; k < shards; k++) {
        size_t count = 0;
        for (size_t i = 0; i < tensor_count; i++) {
            if ((int)(i * factor % (size_t)shards) != k) continue;
            part[count++] = tensors[i];
            fprintf(f, "%s\n  \"%s\": \"%s\"", first ? "" : ",", tensors[i].name, shard_names[k]);
            first = 0;
        }
        put_weights(shard_names[k], part, count);
    }
    fputs("}}\n", f);
    fclose(f);
}

static void shards_are_one_model(void)
{
    static const char *const more[] = {"", "\"metadata\": {\"total_size\": 12345}, ",
                                       "\"metadata\": {\"total_size\": 1.0, \"x\": [{}]}, \"y\": null, "};
    if (!begin()) return;
    for (int shards = 1; shards <= 3; shards++)
        for (size_t factor = 1; factor < 6; factor++) {
            put_shards(shards, factor, more[factor % 3]);
            expect_usual("the directory", directory);
            expect_usual("its index", in_directory("model.safetensors.index.json"));
        }
    Safetensors st;
    Error e;
    if (check(weights_open(&st, in_directory("model.safetensors.index.json"), &e) == BERT_OK, "%s", e.message)) {
        size_t size = 0;
        for (int k = 0; k < 3; k++) {
            FileView f;
            if (file_open(&f, in_directory(shard_names[k]), &e) == BERT_OK) size += f.size, file_close(&f);
        }
        check(st.count == tensor_count && st.shard_count == 3 && weights_size(&st) == size, "3 shards, all tensors");
        for (size_t i = 0; i < st.count; i++) {
            bool found = safetensors_find(&st, st.tensors[i].name) == &st.tensors[i];
            check(found && strstr(tensor_path(&st, &st.tensors[i]), "-of-00003.safetensors"), "%s", st.tensors[i].name);
        }
        safetensors_close(&st);
    }
    end();
}

/* A message about a tensor names the shard that has it. */
static void a_bad_tensor_of_a_shard_is_found_there(void)
{
    if (!begin()) return;
    SafeTensor *t = named("bert.pooler.dense.weight");
    size_t which = (size_t)(t - tensors) % 3;
    t->rank = 1, t->shape[0] = t->count;
    put_shards(3, 1, "");
    expect_refused("a misshapen one", directory, shard_names[which]);
    expect_refused("a misshapen one", directory, "'bert.pooler.dense.weight' has shape (576)");
    t->name = base.tensors[0].name;
    end();
}

static void bad_indexes_are_refused_by_name(void)
{
    static const struct { const char *text, *part; } cases[] = {
        {"{}", "found no \"weight_map\""}, {"{\"weight_map\": {}}", "found no \"weight_map\""}, {"[]",
                                                                                                 "index.json: JSON, "
                                                                                                 "byte"},
        {"{\"weight_map\": [\"a\"]}", "index.json: JSON, byte"}, {"{\"weight_map\": {\"a\": 1}}",
                                                                  "index.json: JSON, byte"},
        {"{\"weight_map\": {\"a\": \"model-00001-of-00003.safetensors\"}, \"weight_map\": {}}", "\"weight_map\" twice"},
        {"{\"weight_map\": {\"a\": \"model-00001-of-00003.safetensors\", \"a\": \"model-00002-of-00003.safetensors\"}}",
         "tensor 'a': found it twice"},
        {"{\"weight_map\": {\"a\": \"../model.safetensors\"}}", "shard '../model.safetensors', expected the name of a "
         "file"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "shard '/etc/passwd'"},
        {"{\"weight_map\": {\"a\": \"sub/model.safetensors\"}}", "shard 'sub/model"},
        {"{\"weight_map\": {\"a\": \"sub\\\\model.safetensors\"}}", "shard 'sub\\model"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "shard '..'"}, {"{\"weight_map\": {\"a\": \".\"}}", "shard '.'"},
        {"{\"weight_map\": {\"a\": \"\"}}", "shard ''"}, {"{\"weight_map\": {\"a\": \".hidden\"}}", "shard '.hidden'"},
        {"{\"weight_map\": {\"a\": \"a\\u0000b\"}}", "index.json: JSON, byte"},
        {"{\"weight_map\": {\"a\": \"none.safetensors\"}}", "none.safetensors: cannot be opened"},
        {"{\"weight_map\": {\"a\": \"model.safetensors.index.json\"}}", "index.json is not a safetensors file"},
        {"{\"weight_map\": {\"a\": \"model-00001-of-00003.safetensors\"}}", "is not in "},
        {"{\"weight_map\": {\"a\": \"model-00001-of-00003.safetensors\"}", "index.json: JSON, byte"}};
    if (!begin()) return;
    put_shards(3, 1, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text("model.safetensors.index.json", cases[i].text);
        expect_refused(cases[i].text, directory, cases[i].part);
    }
    char *many = malloc(300 * 60);
    size_t used = 0;
    if (!many) abort();
    used += (size_t)sprintf(many, "{\"weight_map\": {");
    for (int i = 0; i < 300; i++)
        used += (size_t)sprintf(many + used, "%s\"t%d\": \"s%d.safetensors\"", i ? ", " : "", i, i);
    sprintf(many + used, "}}");
    put_text("model.safetensors.index.json", many);
    expect_refused("300 shards", directory, "names more than 256 shards");
    free(many);
    end();
}

/* Every tensor in the other shard, missing, or in two of them: each once. */
static void shards_are_held_against_the_index(void)
{
    static const char *const says[] = {"index.json ", "index.json names", "index.json expects in model-0000"};
    if (!begin()) return;
    for (size_t which = 0; which < tensor_count; which += 5)
        for (int wrong = 0; wrong < 3; wrong++) {
            SafeTensor part[2][MOST];
            size_t count[2] = {0};
            put_shards(2, 1, "");
            for (size_t i = 0; i < tensor_count; i++) {
                size_t k = i % 2;
                if (i == which && wrong == 1) continue;                                     /* missing */
                if (i == which && wrong == 0) k = 1 - k;                                    /* in the other one */
                part[k][count[k]++] = tensors[i];
                if (i == which && wrong == 2) part[1 - k][count[1 - k]++] = tensors[i];     /* in both */
            }
            put_weights(shard_names[0], part[0], count[0]);
            put_weights(shard_names[1], part[1], count[1]);
            expect_refused(tensors[which].name, directory, says[wrong]);
        }
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Which file
 * ------------------------------------------------------------------------------------------------------------------ */
#define SIZES "\"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, \"intermediate_size\": 56, " \
              "\"vocab_size\": 101, \"max_position_embeddings\": 32, \"layer_norm_eps\": 0.01"

static void the_model_is_chosen_as_the_contract_says(void)
{
    static const char variant[] = "model.fp16.safetensors", named_file[] = "mine.safetensors";
    SafeTensor t[MOST];
    if (!begin()) return;
    memcpy(t, tensors, sizeof t);
    static float zeros[101 * 24];
    for (size_t i = 0; i < tensor_count; i++) t[i].data = zeros;
    put_weights(variant, t, tensor_count);
    expect_usual("model.safetensors beside a variant", directory);
    put_shards(2, 1, "");
    expect_usual("an index beside a variant", directory);
    check(rename(in_directory("model.safetensors.index.json"), in_directory("model.safetensors.index.fp16.json")) == 0,
          "the index is called a variant's");
    expect_usual("the index of a variant", in_directory("model.safetensors.index.fp16.json"));
    unlink(in_directory("model.safetensors.index.fp16.json"));
    put_weights("model.safetensors", tensors, tensor_count);
    put_text("model.safetensors.index.json", "{}");
    expect_usual("model.safetensors beside an index", directory);
    unlink(in_directory("model.safetensors")), unlink(in_directory("model.safetensors.index.json"));
    unlink(in_directory(shard_names[0])), unlink(in_directory(shard_names[1]));
    put_weights(named_file, tensors, tensor_count);
    expect_refused("two files of other names", directory, "name the file with --model");
    expect_usual("the one that is named", in_directory(named_file));
    unlink(in_directory(variant));
    expect_usual("the only one", directory);
    end();
}

/* config.json may name the file: transformers takes that, whatever else is there. */
static void config_may_name_the_file_of_weights(void)
{
    static const char *const bad[][2] = {
        {"\"../mine.safetensors\"", "transformers_weights is \"../mine.safetensors\", expected the name of a *.safetensors"},
        {"\"mine.bin\"", "config.json: transformers_weights is \"mine.bin\""},
        {"\"none.safetensors\"", "config.json: transformers_weights is \"none.safetensors\", but there is no such file"}};
    SafeTensor t[MOST];
    char text[300];
    static float zeros[101 * 24];
    if (!begin()) return;
    memcpy(t, tensors, sizeof t);
    for (size_t i = 0; i < tensor_count; i++) t[i].data = zeros;
    put_weights("model.safetensors", t, tensor_count);
    put_weights("mine.safetensors", tensors, tensor_count);
    put_text("config.json", "{\"transformers_weights\": \"mine.safetensors\", " SIZES ", \"type_vocab_size\": 3}");
    expect_usual("the file that config.json names", directory);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{\"transformers_weights\": %s, " SIZES ", \"type_vocab_size\": 3}", bad[i][0]);
        put_text("config.json", text);
        expect_refused(bad[i][0], directory, bad[i][1]);
        expect_usual("-m names a file", in_directory("mine.safetensors"));
    }
    put_weights("model.safetensors", tensors, tensor_count);
    put_text("config.json", "{\"transformers_weights\": null, " SIZES ", \"type_vocab_size\": 3}");
    expect_usual("null", directory);
    end();
}

/* Without model_type the classes and the names of the tensors say whose they are. */
static void another_architecture_without_a_type_is_refused(void)
{
    static const char *const classes[][2] = {
        {"\"BertForMaskedLM\"", NULL}, {"\"TFBertModel\"", NULL}, {"\"FlaxBertModel\", \"BertModel\"", NULL}, {"", NULL},
        {"null", NULL}, {"\"RobertaForMaskedLM\"", "has no model_type, and architectures has \"RobertaForMaskedLM\""},
        {"\"BertModel\", \"LayoutLMModel\"", "architectures has \"LayoutLMModel\", expected a class of BERT or DistilBERT"},
        {"\"TFElectraModel\"", "architectures has \"TFElectraModel\""}};
    static const char *const families[] = {"roberta.", "module.electra.", "layoutlm.", "albert.",
                                           "esm."};
    SafeTensor t[2 * MOST];
    char text[400];
    if (!begin()) return;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        snprintf(text, sizeof text, "{\"architectures\": [%s], " SIZES ", \"type_vocab_size\": 3}", classes[i][0]);
        put_text("config.json", text);
        if (classes[i][1]) expect_refused(classes[i][0], directory, classes[i][1]);
        else expect_usual(classes[i][0], directory);
        snprintf(text, sizeof text, "{\"architectures\": [%s], \"model_type\": \"bert\", " SIZES ", \"type_vocab_size\": 3}", classes[i][0]);
        put_text("config.json", text);
        expect_usual("with a type the classes say nothing", directory);
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        put_weights("model.safetensors", t, rename_all(t, 0, families[i], ""));
        snprintf(text, sizeof text, "its tensors begin with '%s'", families[i]);
        expect_refused(families[i], directory, text);
    }
    end();
}

static void a_path_is_a_directory_or_a_file_of_weights(void)
{
    static const struct { const char *path, *directory; bool file; } cases[] = {
        {"mine.safetensors", ".", true}, {"./mine.safetensors", ".", true}, {"../x", "../x", false}, {"", "", false},
        {"none.safetensors", "none.safetensors", false}, {"/", "/", false}};
    char here[1024];
    if (!begin()) return;
    put_weights("mine.safetensors", tensors, tensor_count);
    if (check(getcwd(here, sizeof here) && chdir(directory) == 0, "there")) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char *place, *weights;
            Error e;
            if (!check(model_place(cases[i].path, &place, &weights, &e) == BERT_OK, "%s", e.message)) continue;
            check_text(cases[i].path, place, cases[i].directory);
            check(!weights == !cases[i].file && (!weights || !strcmp(weights, cases[i].path)), "%s: a file",
                  cases[i].path);
            free(place), free(weights);
        }
        unlink(in_directory("model.safetensors"));
        expect_usual("a file of this directory", "mine.safetensors");
        check(chdir(here) == 0, "and back");
    }
    expect_refused("no such file", in_directory("none.safetensors"), "none.safetensors: no such model directory");
    end();
}

/* What a directory without safetensors has instead, and what to do with it. */
static void put_bytes(const char *name, const char *bytes, size_t count)
{
    FILE *f = fopen(in_directory(name), "wb");
    if (!f || fwrite(bytes, 1, count, f) != count || fclose(f)) abort();
}

static void weights_of_other_formats_are_named(void)
{
    static const char *const cases[][2] = {
        {"tf_model.h5", "holds tf_model.h5, but no *.safetensors; this format is not read"},
        {"flax_model.msgpack", "holds flax_model.msgpack"}, {"bert_model.ckpt.index", "/bert_model.ckpt DIRECTORY`"},
        {"a.onnx", "holds a.onnx, but no *.safetensors; this format is not read: take the model"},
        {"b.gguf", "holds b.gguf"}, {"openvino_model.xml", "holds openvino_model.xml"}, {"rust_model.ot", "holds rust_model.ot"},
        {"saved_model.pb", "holds saved_model.pb, but no *.safetensors; this format is not read: `make weights FROM=`"},
        {"other.ckpt.index", "holds other.ckpt.index, but no *.safetensors; `make weights MODEL=NAME FROM=FILE`"},
        {"weights.npz", "holds weights.npz"},
        {"pytorch_model.fp16.bin", "holds pytorch_model.fp16.bin"}, {"a.pt", "holds a.pt"}, {"a.h5", "holds a.h5"},
        {"training_args.bin", "holds no *.safetensors"}, {"optimizer.pt", "holds no *.safetensors"},
        {"pytorch_model.bin.index.json", "of its shards"}, {"pytorch_model.bin", "`build/convert "}};
    const size_t left = sizeof cases / sizeof *cases - 2;
    if (!begin()) return;
    unlink(in_directory("model.safetensors"));
    expect_refused("nothing", directory, "holds no *.safetensors; `make weights MODEL=NAME FROM=FILE`");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text(cases[i][0], "PK\3\4");
        expect_refused(cases[i][0], directory, cases[i][1]);
        if (i < left) unlink(in_directory(cases[i][0]));
    }
    unlink(in_directory("pytorch_model.bin.index.json")), unlink(in_directory("pytorch_model.bin"));
    put_text("b.onnx", ""), put_text("a.onnx", ""), put_text("a.bin", "");
    expect_refused("of several the first", directory, "holds a.onnx,");
    unlink(in_directory("a.onnx")), unlink(in_directory("b.onnx")), unlink(in_directory("a.bin"));
    put_text("pytorch_model.bin", "PK\3\4");
    expect_refused("a file of torch.save by itself", in_directory("pytorch_model.bin"),
                   "but one of torch.save: `build/convert");
    put_bytes("old.pt", "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15);
    expect_refused("a pickle", in_directory("old.pt"), "but one of torch.save");
    put_bytes("cut.safetensors", "\x80\2\0\0\0\0\0\0{\"a\":", 13);
    expect_refused("a header of 640 bytes", in_directory("cut.safetensors"), "header length at byte 0: found 640");
    unlink(in_directory("cut.safetensors"));
    put_weights("model.safetensors", tensors, tensor_count);
    expect_usual("safetensors beside them", directory);
    put_text("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"
             "oid sha256:436e687e3c20ed15d005464a6f3393e41e6c008881aa35cff3d1bbd2bd0d230e\nsize 440443480\n");
    expect_refused("a pointer", directory, "/model.safetensors: is a Git LFS pointer, not the file itself: `git lfs "
                   "pull` fetches it");
    put_weights("model.safetensors", tensors, tensor_count);
    put_text("adapter_config.json", "{}");
    expect_refused("an adapter", directory, "an adapter of another model's weights");
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Numbers
 * ------------------------------------------------------------------------------------------------------------------ */

/* Float64 weights: in the float program those of a float32 file with each number rounded once; in bert64 each as it is,
 * at aligned addresses and at others. */
static void float64_weights_are_read(void)
{
    static double wide[40000];
    static float narrow[40000];
    Answer a, b;
    Error e;
    if (!begin()) return;
    SafeTensor doubles[MOST], floats[MOST];
    size_t used = 0;
    for (size_t i = 0; i < tensor_count; i++) {
        doubles[i] = floats[i] = tensors[i];
        for (size_t k = 0; k < tensors[i].count; k++) {
            wide[used + k] = tensor_element(&tensors[i], k) * (1 + 0x1p-30 * (double)(k % 13)) + 0x1p-40;
            narrow[used + k] = (float)wide[used + k];
        }
        doubles[i].data = wide + used, doubles[i].dtype = DTYPE_F64;
        floats[i].data = narrow + used;
        used += tensors[i].count;
    }
    put_weights("model.safetensors", doubles, tensor_count);
    check(answer(directory, &a, &e), "float64: %s", e.message);
    put_weights("model.safetensors", floats, tensor_count);
    check(answer(directory, &b, &e), "float32: %s", e.message);
    const bool equal = !memcmp(&a, &b, sizeof a);
    check(equal == (sizeof(real) == sizeof(float)), "each number is rounded once to a float, or not at all in bert64");
    double largest = 0;
    for (size_t i = 0; i < sizeof a.logits / sizeof *a.logits; i++)
        largest = fmax(largest, fabs((double)(a.logits[i] - b.logits[i])));
    check(largest < 1e-4, "the rounding is small: %g", largest);

    FILE *f = fopen(in_directory("odd.safetensors"), "wb");             /* a header of odd length, for odd addresses */
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!f || !memory) abort();
    safetensors_put(memory, doubles, tensor_count, NULL, 0);
    fclose(memory);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) header = header << 8 | (unsigned char)text[i];
    for (int i = 0; i < 8; i++) putc((int)((header + 1) >> 8 * i & 255), f);
    fwrite(text + 8, 1, header, f), putc(' ', f), fwrite(text + 8 + header, 1, size - 8 - header, f);
    fclose(f), free(text);
    if (check(answer(in_directory("odd.safetensors"), &b, &e), "misaligned float64: %s", e.message))
        check(!memcmp(&a, &b, sizeof a), "misaligned float64 numbers are the same numbers");
    end();
}

/* Beyond a float's range: infinity, as the library's conversion has it. */
static void float64_beyond_floats_is_infinite(void)
{
    double *wide = calloc(101 * 24, sizeof *wide);
    Bert m;
    Error e;
    if (!wide) abort();
    if (!begin()) return;
    SafeTensor *words = named("bert.embeddings.word_embeddings.weight");
    wide[0] = 1e300, wide[1] = -1e300, wide[2] = 1e-300;
    words->data = wide, words->dtype = DTYPE_F64;
    put_weights("model.safetensors", tensors, tensor_count);
    if (check(bert_load(&m, directory, &e) == BERT_OK, "%s", e.message)) {
        real row[24];
        const real *r = tensor_rows(&m.word_embeddings, 0, 1, row);
        if (sizeof(real) == sizeof(float))
            check(isinf(r[0]) && r[0] > 0 && isinf(r[1]) && r[1] < 0 && r[2] == 0, "rounded");
        else check((double)r[0] == 1e300 && (double)r[1] == -1e300 && (double)r[2] == 1e-300, "kept");
        bert_free(&m);
    }
    free(wide);
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The configuration
 * ------------------------------------------------------------------------------------------------------------------ */
static void every_name_of_a_gelu_is_known(void)
{
    static const struct { const char *name; int gelu; } cases[] = {
        {"gelu", GELU_ERF}, {"gelu_python", GELU_ERF}, {"gelu_new", GELU_TANH}, {"gelu_fast", GELU_TANH},
        {"gelu_accurate", GELU_TANH}, {"gelu_pytorch_tanh", GELU_TANH}, {"gelu_python_tanh", GELU_TANH}, {"gelu_10",
                                                                                                          -1},
        {"quick_gelu", -1}, {"relu", -1}, {"silu", -1}, {"swish", -1}, {"relu6", -1}, {"mish", -1}, {"GELU", -1}, {"",
                                                                                                                   -1},
        {"gelu ", -1}, {"tanh", -1}, {"gelu_", -1}};
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[500];
        BertConfig config;
        Error e;
        snprintf(text, sizeof text, "{" SIZES ", \"type_vocab_size\": 3, \"hidden_act\": \"%s\"}", cases[i].name);
        put_text("config.json", text);
        Status s = config_load(&config, in_directory("config.json"), &e);
        if (cases[i].gelu >= 0) check(s == BERT_OK && (int)config.gelu == cases[i].gelu, "%s", cases[i].name);
        else {
            snprintf(text, sizeof text, "hidden_act is \"%s\", expected", cases[i].name);
            check(s == BERT_FILE && strstr(e.message, text), "%s is refused: %s", cases[i].name, e.message);
        }
    }
    end();
}

typedef struct { const char *key; int here, usual; } Size;

/* config.json with that member and these sizes, but for number `left` (`count`: with all of them): it is read, the usual
 * size is filled in, and noted. `may_fail` is what else may be said of it. */
static void load_without(const char *member, const Size *sizes, size_t count, size_t left, const char *may_fail)
{
    char text[600], filled[400], wanted[64] = "";
    BertConfig config;
    Error e = {0};
    snprintf(text, sizeof text, "{%s", member);
    for (size_t i = 0; i < count; i++)
        if (i != left)
            snprintf(text + strlen(text), sizeof text - strlen(text), ", \"%s\": %d", sizes[i].key, sizes[i].here);
    put_text("config.json", strcat(text, "}"));
    const Status s = config_load(&config, in_directory("config.json"), &e);
    if (left < count) snprintf(wanted, sizeof wanted, "%s %d", sizes[left].key, sizes[left].usual);
    if (may_fail) check(s == BERT_OK || strstr(e.message, may_fail), "%s", e.message);
    else if (check(s == BERT_OK, "without %s: %s", wanted, e.message)) {
        check(config_filled_in(&config, filled, sizeof filled) == (left < count), "filled in, and said");
        check_text("what -v says", filled, wanted);
    }
}

/* Each size left out in turn: BERT-Base's is filled in and noted, and where the weights have another shape
 * they say so. */
static void sizes_that_are_left_out_are_those_of_bert_base(void)
{
    static const Size keys[] = {
        {"num_hidden_layers", 2, 12}, {"hidden_size", 24, 768}, {"num_attention_heads", 3, 12},
        {"intermediate_size", 56, 3072}, {"vocab_size", 101, 30522}, {"max_position_embeddings", 32, 512},
        {"type_vocab_size", 3, 2}};
    if (!begin()) return;
    for (size_t left = 0; left < 8; left++) {                           /* 7: none */
        load_without("\"layer_norm_eps\": 0.01", keys, 7, left, left == 1 ? "hidden_size is 768" : NULL);
        if (left == 7) expect_usual("all sizes", directory);
        else if (left == 2) {                                           /* no shape knows the heads */
            Answer a;
            Error e;
            check(answer(directory, &a, &e) && memcmp(a.hidden, usual.hidden, sizeof a.hidden),
                  "12 heads: other numbers");
        } else expect_refused(keys[left].key, directory, left == 0 ? "encoder.layer.2." : "config.json makes it");
    }
    end();
}

/* The same of a DistilBERT, under its names: 6 layers, and nothing about token types, which it does not have. */
static void sizes_that_a_distilbert_leaves_out_are_its_own(void)
{
    static const Size keys[] = {
        {"n_layers", 24, 6}, {"dim", 24, 768}, {"n_heads", 24, 12}, {"hidden_dim", 24, 3072}, {"vocab_size", 24, 30522},
        {"max_position_embeddings", 24, 512}};
    BertConfig config;
    Error e = {0};
    if (!begin()) return;
    for (size_t left = 0; left < 7; left++)                             /* 6: none */
        load_without("\"model_type\": \"distilbert\"", keys, 6, left, NULL);
    put_text("config.json", "{\"model_type\": \"distilbert\"}");
    check(config_load(&config, in_directory("config.json"), &e) == BERT_FILE, "without any size it is refused");
    end();
}

/* Keys that change the numbers in the library are refused; those that say nothing, or that a DistilBERT's library
 * passes over, are not. */
static void keys_that_change_the_numbers_are_refused(void)
{
    static const struct { bool distilbert; const char *member, *part; } cases[] = {
        {false, "\"quantization_config\": {\"quant_method\": \"torchao\"}", "quantization_config is there"},
        {true, "\"quantization_config\": {}", "quantization_config is there"},
        {false, "\"quantization_config\": null", NULL}, {false, "\"is_decoder\": true", "is_decoder is true"},
        {false, "\"is_causal\": true", "is_causal is true"}, {true, "\"is_causal\": true", "is_causal is true"},
        {false, "\"add_cross_attention\": true", "add_cross_attention is true"},
        {false, "\"add_cross_attention\": false", NULL}, {true, "\"add_cross_attention\": true", NULL},
        {false, "\"is_causal\": false", NULL}, {true, "\"is_causal\": null", NULL},
        {true, "\"is_decoder\": true", NULL}, {false, "\"position_embedding_type\": null", NULL},
        {false, "\"position_embedding_type\": 3", "found '3', expected a string"}, {false, "\"model_type\": 3", "found '3', expected"},
        {false, "\"hidden_act\": 3", "found '3', expected"},
        {false, "\"layer_norm_eps\": \"a\"", "expected a number"}, {false, "\"is_decoder\": 3", "found '3', expected"},
        {false, "\"is_causal\": 3", "found '3', expected"}, {false, "\"tie_word_embeddings\": 3", "found '3', expected"},
        {false, "\"position_embedding_type\": \"relative_key\"", "position_embedding_type is \"relative_key\""}};
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        BertConfig config;
        Error e = {0};
        if (cases[i].distilbert)
            snprintf(text, sizeof text, "{\"model_type\": \"distilbert\", %s, \"dim\": 24}", cases[i].member);
        else snprintf(text, sizeof text, "{" SIZES ", \"type_vocab_size\": 3, %s}", cases[i].member);
        put_text("config.json", text);
        const Status s = config_load(&config, in_directory("config.json"), &e);
        if (cases[i].part) record(cases[i].member, e.message, directory);
        if (!cases[i].part) check(s == BERT_OK, "%s: %s", cases[i].member, e.message);
        else check(s == BERT_FILE && strstr(e.message, "config.json: ") && strstr(e.message, cases[i].part),
                   "%s is refused: %s", cases[i].member, e.message);
    }
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The decoder's own matrix and bias
 * ------------------------------------------------------------------------------------------------------------------ */
static float more_weights[101 * 24], more_bias[101];

/* The decoder's logits, from the model as it was made: bias `from` replaced by `by`. */
static void expect_bias(const char *what, const float *bias)
{
    const SafeTensor *tied = named("cls.predictions.bias");
    Answer a;
    Error e;
    if (!check(answer(directory, &a, &e), "%s loads: %s", what, e.message)) return;
    for (int v = 0; v < PIECES; v++) {
        double usual_bias = tensor_element(tied, (size_t)v),
        expected = (double)usual.logits[v] - usual_bias + (double)bias[v];
        if (!check(fabs((double)a.logits[v] - expected) < 1e-5, "%s, piece %d: %g, expected %g", what, v,
                   (double)a.logits[v],
                   expected)) break;
    }
}

static void the_decoders_own_bias_counts(void)
{
    static char decoder_bias[] = "cls.predictions.decoder.bias", both[] = "bert.embeddings.LayerNorm.gamma";
    if (!begin()) return;
    SafeTensor t[MOST], *bias = named("cls.predictions.bias");
    memcpy(t, tensors, sizeof t);
    for (int v = 0; v < PIECES; v++) more_bias[v] = 0.25f * (float)(v % 7) - 1;
    t[tensor_count] = *bias, t[tensor_count].name = decoder_bias, t[tensor_count].data = more_bias;
    put_weights("model.safetensors", t, tensor_count + 1);
    expect_bias("two biases", more_bias);
    t[bias - tensors] = t[tensor_count];
    put_weights("model.safetensors", t, tensor_count);
    expect_bias("decoder.bias alone", more_bias);
    memcpy(t, tensors, sizeof t);
    t[tensor_count] = *named("bert.embeddings.LayerNorm.weight"), t[tensor_count].name = both;
    put_weights("model.safetensors", t, tensor_count + 1);
    expect_refused("gamma and weight", directory, "has both 'bert.embeddings.LayerNorm.weight' and "
                   "'bert.embeddings.LayerNorm.g");
    end();
}

/* One tensor under two names, with `bert.` and without: the same numbers do no harm, others are two models. */
static void a_tensor_with_and_without_bert_before_it_is_refused(void)
{
    static char bare[] = "encoder.layer.0.attention.self.query.bias";
    static float zeros[24];
    if (!begin()) return;
    SafeTensor t[MOST];
    Answer a;
    Error e;
    memcpy(t, tensors, sizeof t);
    t[tensor_count] = *named("bert.encoder.layer.0.attention.self.query.bias"), t[tensor_count].name = bare;
    put_weights("model.safetensors", t, tensor_count + 1);
    check(answer(directory, &a, &e), "twice the same loads: %s", e.message);
    t[tensor_count].data = zeros;
    put_weights("model.safetensors", t, tensor_count + 1);
    expect_refused("a twin", directory, "has both 'bert.encoder.layer.0.attention.self.query.bias' and "
                   "'encoder.layer.0.attention.self.query.bias', with different numbers");
    end();
}

/* tie_word_embeddings false asks for both; true, or nothing, takes what is there. */
static void an_untied_decoder_must_be_whole(void)
{
    static char names_of_two[2][40] = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"};
    if (!begin()) return;
    SafeTensor t[MOST], *words = named("bert.embeddings.word_embeddings.weight"), *bias = named("cls.predictions.bias");
    for (size_t i = 0; i < words->count; i++) more_weights[i] = (float)tensor_element(words, i) * 2;
    for (int v = 0; v < PIECES; v++) more_bias[v] = (float)tensor_element(bias, (size_t)v) * 2;
    for (int tie = 0; tie < 3; tie++)
        for (int have = 0; have < 4; have++) {
            static const char *const says[] = {"", ", \"tie_word_embeddings\": true",
                                               ", \"tie_word_embeddings\": false"};
            char text[500], what[64];
            size_t n = tensor_count;
            memcpy(t, tensors, sizeof t);
            if (have & 1) t[n] = *words, t[n].name = names_of_two[0], t[n].data = more_weights, n++;
            if (have & 2) t[n] = *bias, t[n].name = names_of_two[1], t[n].data = more_bias, n++;
            snprintf(text, sizeof text, "{" SIZES ", \"type_vocab_size\": 3%s}", says[tie]);
            snprintf(what, sizeof what, "tie %d, matrix %d, bias %d", tie, have & 1, have >> 1);
            put_text("config.json", text);
            put_weights("model.safetensors", t, n);
            if (tie == 2 && have < 3) {
                expect_refused(what, directory, have & 1 ? "'cls.predictions.decoder.bias' is missing"
                                                         : "'cls.predictions.decoder.weight' is missing");
                continue;
            }
            Answer a;
            Error e;
            if (!check(answer(directory, &a, &e), "%s loads: %s", what, e.message)) continue;
            for (int v = 0; v < PIECES; v++) {
                double b = tensor_element(bias, (size_t)v), product = (double)usual.logits[v] - b;
                double expected = product * (have & 1 ? 2 : 1) + b * (have & 2 ? 2 : 1);
                if (!check(fabs((double)a.logits[v] - expected) < 1e-5, "%s: %g, expected %g", what,
                           (double)a.logits[v],
                           expected)) break;
            }
        }
    put_text("config.json", "{" SIZES ", \"type_vocab_size\": 3, \"tie_word_embeddings\": \"no\"}");
    expect_refused("a word", directory, "tie_word_embeddings");
    size_t n = 0;
    for (size_t i = 0; i < tensor_count; i++)
        if (strncmp(tensors[i].name, "cls.predictions", 15)) t[n++] = tensors[i];
    put_text("config.json", "{" SIZES ", \"type_vocab_size\": 3, \"tie_word_embeddings\": false}");
    put_weights("model.safetensors", t, n);
    Answer a;
    Error e;
    check(answer(directory, &a, &e) && !a.has_mlm, "without the head nothing is asked of it: %s", e.message);
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * make weights FROM=: weights/fetch.sh on copies at hand
 * ------------------------------------------------------------------------------------------------------------------ */
static char said[8192];

/* Whether the script and the converter are there; if not, the running test ends as skipped. The script starts some
 * thirty processes, which takes more than half a second. */
static bool can_take(void)
{
    if (too_slow()) return false;
    if (!access("build/convert", X_OK) && !access("weights/fetch.sh", R_OK)) return true;
    skip("build/convert is missing: make build/convert");
    return false;
}

/* Runs the script with MODEL=mine and this FROM, relative to the directory; the exit code, and what it said. */
static int take(const char *from)
{
    char command[1500];
    snprintf(command, sizeof command, "rm -rf %s/w; WEIGHTS=%s/w MODEL=mine FROM=%s/%s sh weights/fetch.sh 2>&1 < "
             "/dev/null",
             directory, directory, directory, from);
    FILE *f = popen(command, "r");
    if (!f) return -1;
    said[fread(said, 1, sizeof said - 1, f)] = 0;
    return WEXITSTATUS(pclose(f));
}

static void shell(const char *format, const char *a, const char *b)
{
    char command[2000], line[1300];
    snprintf(line, sizeof line, format, a, b);
    snprintf(command, sizeof command, "cd %s && %s", directory, line);
    check(system(command) == 0, "%s", line);
}

/* A second model, with zeros for word embeddings, in the subdirectory `name`. */
static void put_other(const char *name)
{
    static float zeros[101 * 24];
    SafeTensor t[MOST];
    char path[300];
    memcpy(t, tensors, sizeof t);
    for (size_t i = 0; i < tensor_count; i++)
        if (strstr(t[i].name, "word_embeddings")) t[i].data = zeros;
    shell("mkdir -p %s && cp config.json vocab.txt %s", name, name);
    snprintf(path, sizeof path, "%s/model.safetensors", name);
    put_weights(path, t, tensor_count);
}

static void expect_taken(const char *what, const char *from)
{
    const int code = take(from);
    if (!check(code == 0, "%s: exit %d: %s", what, code, said)) return;
    check(strstr(said, "w/mine is complete: 2L/24H/3A, 101 pieces, ") != NULL, "%s says what was opened: %s", what,
          said);
    expect_usual(what, in_directory("w/mine"));
}

static void expect_not_taken(const char *what, const char *from, const char *part)
{
    const int code = take(from);
    check(code == 3 && strstr(said, part), "%s: exit %d: %s; expected \"%s\"", what, code, said, part);
    check(!file_exists(in_directory("w"), "mine/model.safetensors") && !strstr(said, "is complete"),
          "%s: nothing is left", what);
}

/* The output directory of a training has the model, and two states of it on the way. */
static void the_directorys_own_model_is_taken(void)
{
    if (!can_take() || !begin()) return;
    shell("mkdir -p out %s%s", "", "");
    put_other("out/checkpoint-1000"), put_other("out/checkpoint-500");
    expect_not_taken("two models below", "out", "checkpoint-500/model.safetensors: name one");
    shell("cp model.safetensors config.json vocab.txt out%s%s", "", "");
    expect_taken("the directory's own", "out");
    expect_taken("a file", "out/model.safetensors");
    shell("mkdir -p deep/er && mv out/*.safetensors out/config.json out/vocab.txt deep/er%s%s", "", "");
    expect_taken("the one below", "deep");
    put_other("deep/a");
    expect_not_taken("two below", "deep", "name one, FROM=FILE or FROM=DIRECTORY");
    shell("rm -r deep/a && cp deep/er/model.safetensors deep/er/model.fp16.safetensors%s%s", "", "");
    expect_taken("beside a variant", "deep/er");
    shell("mv deep/er/model.safetensors deep/er/x.safetensors%s%s", "", "");
    expect_not_taken("two of other names", "deep/er", "holds model.fp16.safetensors and x.safetensors: name one");
    expect_taken("one of them", "deep/er/x.safetensors");
    shell("rm -rf out deep w%s%s", "", "");
    end();
}

static void shards_and_torch_are_taken(void)
{
    Error e;
    if (!can_take() || !begin()) return;
    put_shards(3, 1, "");
    expect_taken("shards", ".");
    shell("rm %s w -r%s", shard_names[1], "");
    expect_not_taken("a shard is missing", ".", shard_names[1]);
    shell("rm *.safetensors *.index.json%s%s", "", "");
    check(torch_write(in_directory("pytorch_model.bin"), tensors, tensor_count, &e) == BERT_OK, "%s", e.message);
    expect_taken("pytorch_model.bin", ".");
    expect_taken("the file itself", "pytorch_model.bin");
    put_text("pytorch_model.bin", "\x80\2}.");
    expect_not_taken("an old one", ".", "before version 1.6");
    shell("rm -rf w%s%s", "", "");
    end();
}

/* "complete" is said of what was opened. */
static void what_cannot_be_opened_is_not_complete(void)
{
    if (!can_take() || !begin()) return;
    put_text("vocab.txt", "a\nb\n");
    expect_not_taken("no vocabulary of BERT", ".", "vocab.txt");
    shell("rm vocab.txt%s%s", "", "");
    expect_not_taken("no vocabulary", ".", "found no vocab.txt");
    put_text("config.json", "{\"model_type\": \"roberta\"}"), put_text("vocab.txt",
                                                                       "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    expect_not_taken("another architecture", ".", "roberta");
    put_text("config.json", "{" SIZES ", \"type_vocab_size\": 3}"), put_text("model.safetensors", "");
    expect_not_taken("an empty file", ".", "model.safetensors: found 0 bytes");
    shell("rm -rf w%s%s", "", "");
    end();
}

/* What says how the vectors are made comes along; an older layout's model goes on top, and the list of
 * modules says so. */
static void files_that_say_what_the_vectors_are_come_along(void)
{
    static const char *const names[] = {"modules.json", "sentence_bert_config.json", "sentence_xlm-roberta_config.json",
                                        "config_sentence_transformers.json",
        "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "tokenizer_config.json",
        "special_tokens_map.json", "added_tokens.json"};
    static const char modules[] = "[\n  {\"idx\": 0, \"name\": \"0\", \"path\": \"%s\", \"type\": \"t.Transformer\"},\n"
        "  {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": \"t.Pooling\"},\n"
        "  {\"idx\": 2, \"name\": \"2\", \"path\": \"%s\", \"type\": \"t.Dense\"}\n]\n";
    char text[500];
    if (!can_take() || !begin()) return;
    shell("mkdir 1_Pooling 2_Dense 0_Transformer%s%s", "", "");
    for (size_t i = 1; i < sizeof names / sizeof *names; i++) put_text(names[i], "{}");
    put_text("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": true}");
    put_text("2_Dense/model.safetensors", "of the layer");
    put_text("README.md", "a page");
    for (int old = 0; old < 2; old++) {
        snprintf(text, sizeof text, modules, old ? "0_Transformer" : "", "2_Dense");
        put_text("modules.json", text);
        if (old) shell("mv model.safetensors config.json vocab.txt 0_Transformer%s%s", "", "");
        expect_taken(old ? "the older layout" : "a module's directory", ".");
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            check(file_exists(in_directory("w/mine"), names[i]), "%s comes along", names[i]);
        check(!file_exists(in_directory("w/mine"), "README.md") && !file_exists(in_directory("w/mine"),
                                                                                "0_Transformer"),
              "and nothing else");
        FileView f;
        Error e;
        snprintf(text, sizeof text, modules, "", "2_Dense");
        if (check(file_open(&f, in_directory("w/mine/modules.json"), &e) == BERT_OK, "%s", e.message)) {
            check(f.size == strlen(text) && !memcmp(f.data, text, f.size), "the list says that the model is on top");
            file_close(&f);
        }
    }
    shell("mkdir -p up/down && cp -r *.json 0_Transformer 1_Pooling 2_Dense up/down%s%s", "", "");
    expect_taken("the older layout below another directory", "up");
    check(file_exists(in_directory("w/mine"), "2_Dense/model.safetensors"), "with its modules");
    shell("mv up/down/0_Transformer/* up/down%s%s", "", "");
    snprintf(text, sizeof text, modules, "", "2_Dense");
    put_text("up/down/modules.json", text);
    expect_taken("a module's weights are no second model", "up");
    shell("rm -r up%s%s", "", "");
    static const char *const bad[] = {"../up", "/etc", "a/../..", "a b", "$(x)"};
    shell("mv 0_Transformer/* .%s%s", "", "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, modules, "", bad[i]);
        put_text("modules.json", text);
        expect_not_taken(bad[i], ".", "expected one below the directory");
    }
    shell("rm -rf w 1_Pooling 2_Dense 0_Transformer%s%s", "", "");
    end();
}

/* Runs the script for all-MiniLM-L6-v2, without a network; `from` is "" or "FROM=DIRECTORY". The exit code, and what it
 * said. */
static int take_minilm(const char *from)
{
    char command[1000];
    snprintf(command, sizeof command, "HF_ENDPOINT=http://127.0.0.1:9 PIP_NO_INDEX=1 PIP_FIND_LINKS= WEIGHTS=%s/w "
             "MODEL=all-MiniLM-L6-v2 %s sh weights/fetch.sh 2>&1 < /dev/null", directory, from);
    FILE *f = popen(command, "r");
    if (!f) return -1;
    said[fread(said, 1, sizeof said - 1, f)] = 0;
    return WEXITSTATUS(pclose(f));
}

/* The length of the vector that the directory gives for a text. */
static double length_of_vector(const char *model)
{
    char command[600];
    double x, squares = 0;
    snprintf(command, sizeof command, "./bert embed -m %s 'a lake in winter'", model);
    FILE *f = popen(command, "r");
    if (!f) return -1;
    while (fscanf(f, "%lf", &x) == 1) squares += x * x;
    return pclose(f) == 0 ? sqrt(squares) : -1;
}

/* A directory of all-MiniLM-L6-v2 that does not say what its vectors are (Normalize) and where texts are cut (256
 * tokens) gets both, from what is there already; a copy that says something else is not that model. */
static void minilm_is_complete_with_its_modules(void)
{
    static const char old[] = "mkdir -p w && cp -rL %s/weights/all-MiniLM-L6-v2 w/ && "
                              "rm -f w/all-MiniLM-L6-v2/modules.json w/all-MiniLM-L6-v2/sentence_bert_config.json%s";
    static const char *const names[] = {"modules.json", "sentence_bert_config.json"};
    char here[500], model[300], from[320];
    if (!real_weights("all-MiniLM-L6-v2") || !can_take() || !begin()) return;
    check(getcwd(here, sizeof here) != NULL, "where we are");
    shell(old, here, "");
    snprintf(model, sizeof model, "%s", in_directory("w/all-MiniLM-L6-v2"));
    check(length_of_vector(model) > 5, "without its modules: no unit vectors");
    check(take_minilm("") == 0 && strstr(said, ": nothing to do") && !strstr(said, "trying"), "added: %s", said);
    check_value("the length", length_of_vector(model), 1, 1e-6);        /* measured: 4e-9 */
    check(take_minilm("") == 0 && !strstr(said, "adds"), "once: %s", said);
    shell("mv w/all-MiniLM-L6-v2 copy && rm copy/modules.json && echo '{\"max_seq_length\": 512}' > "
          "copy/sentence_bert_config.json%s%s", "", "");
    snprintf(from, sizeof from, "FROM=%s", in_directory("copy"));
    check(take_minilm(from) == 3 && strstr(said, "sentence_bert_config.json: SHA-256: found "), "refused: %s", said);
    shell("rm copy/sentence_bert_config.json%s%s", "", "");
    check(take_minilm(from) == 0 && strstr(said, "is complete: 6L/384H/12A, "), "a copy without: %s", said);
    for (size_t i = 0; i < 2; i++) {
        check(file_exists(model, names[i]), "%s is there", names[i]);
        snprintf(from, sizeof from, "w/all-MiniLM-L6-v2/%s", names[i]);
        put_text(from, "{}");
        snprintf(from, sizeof from, "%s: SHA-256: found ", names[i]);
        check(take_minilm("") == 3 && strstr(said, from), "another %s is seen: %s", names[i], said);
        unlink(in_directory(i ? "w/all-MiniLM-L6-v2/sentence_bert_config.json" : "w/all-MiniLM-L6-v2/modules.json"));
    }
    shell("rm -rf w copy%s%s", "", "");
    end();
}

/* What loading found out is said: by info, and by every command with -v. */
static void what_was_found_out_is_said(void)
{
    static const char *const commands[] = {"info -m %s", "embed -v -m %s 'a' 2>&1", "embed -m %s 'a' 2>&1"};
    static const char *const lines[3][2] = {
        {"\nprefix      module.bert.\n", "\nfilled in   type_vocab_size 2 (not in config.json)\n"},
        {"bert: the weights' names begin with 'module.bert.'\n", "those of BERT-Base: type_vocab_size 2\n"}, {"", ""}};
    static float two[2 * 24];
    SafeTensor t[2 * MOST];
    if (!begin()) return;
    const size_t count = rename_all(t, 0, "module.bert.", "module.");
    for (size_t i = 0; i < count; i++)
        if (strstr(t[i].name, "token_type")) t[i].shape[0] = 2, t[i].count = 2 * 24, t[i].data = two;
    put_weights("model.safetensors", t, count);
    put_text("config.json", "{" SIZES "}");
    for (int i = 0; i < 3; i++) {
        char arguments[400], command[500];
        snprintf(arguments, sizeof arguments, commands[i], directory);
        snprintf(command, sizeof command, "./bert %s", arguments);
        FILE *f = popen(command, "r");
        if (!f) abort();
        said[fread(said, 1, sizeof said - 1, f)] = 0;
        check(pclose(f) == 0 && strstr(said, lines[i][0]) && strstr(said, lines[i][1]), "%s: %s", commands[i], said);
        if (i == 2) check(!strstr(said, "module") && !strstr(said, "BERT-Base"), "without -v nothing: %s", said);
    }
    end();
}

const Test bring_tests[] = {
    {"what_was_found_out_is_said", what_was_found_out_is_said},
    {"the_directorys_own_model_is_taken", the_directorys_own_model_is_taken},
    {"shards_and_torch_are_taken", shards_and_torch_are_taken},
    {"what_cannot_be_opened_is_not_complete", what_cannot_be_opened_is_not_complete},
    {"minilm_is_complete_with_its_modules", minilm_is_complete_with_its_modules},
    {"files_that_say_what_the_vectors_are_come_along", files_that_say_what_the_vectors_are_come_along},
    {"prefixes_are_found_by_what_is_there", prefixes_are_found_by_what_is_there},
    {"heads_stand_beside_the_encoder", heads_stand_beside_the_encoder},
    {"two_models_in_one_file_are_refused", two_models_in_one_file_are_refused},
    {"a_prefix_ends_with_a_dot", a_prefix_ends_with_a_dot},
    {"shards_are_one_model", shards_are_one_model},
    {"a_bad_tensor_of_a_shard_is_found_there", a_bad_tensor_of_a_shard_is_found_there},
    {"bad_indexes_are_refused_by_name", bad_indexes_are_refused_by_name},
    {"shards_are_held_against_the_index", shards_are_held_against_the_index},
    {"the_model_is_chosen_as_the_contract_says", the_model_is_chosen_as_the_contract_says},
    {"config_may_name_the_file_of_weights", config_may_name_the_file_of_weights},
    {"another_architecture_without_a_type_is_refused", another_architecture_without_a_type_is_refused},
    {"a_path_is_a_directory_or_a_file_of_weights", a_path_is_a_directory_or_a_file_of_weights},
    {"weights_of_other_formats_are_named", weights_of_other_formats_are_named},
    {"float64_weights_are_read", float64_weights_are_read},
    {"float64_beyond_floats_is_infinite", float64_beyond_floats_is_infinite},
    {"every_name_of_a_gelu_is_known", every_name_of_a_gelu_is_known},
    {"keys_that_change_the_numbers_are_refused", keys_that_change_the_numbers_are_refused},
    {"sizes_that_are_left_out_are_those_of_bert_base", sizes_that_are_left_out_are_those_of_bert_base},
    {"sizes_that_a_distilbert_leaves_out_are_its_own", sizes_that_a_distilbert_leaves_out_are_its_own},
    {"a_tensor_with_and_without_bert_before_it_is_refused", a_tensor_with_and_without_bert_before_it_is_refused},
    {"the_decoders_own_bias_counts", the_decoders_own_bias_counts},
    {"an_untied_decoder_must_be_whole", an_untied_decoder_must_be_whole},
    {NULL, NULL}};
