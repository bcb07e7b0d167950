/* config.c - config.json: the seven sizes of a BERT (D = H/A is the eighth), its GELU and its epsilon; DistilBERT's,
 * under other names; and what kind of head was trained. */
#include "weights/weights.h"

#include <string.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * config.json: the sizes.
 *
 *     {"model_type": "bert", "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12,
 *      "intermediate_size": 3072, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2,
 *      "hidden_act": "gelu", "layer_norm_eps": 1e-12}
 *
 * These ten keys are the whole difference between BERT-Tiny (4 million parameters) and BERT-Large (335 million): the
 * code below has no other notion of a model's size. Everything else that such a file holds (dropout, initializer_range,
 * the versions of libraries) concerns training or bookkeeping, and is skipped. (The names of labels: labels.c.)
 *
 * Differs: the encyclopedia's article on BERT says that there are always H/64 heads and that the feed-forward size is
 * always 4H. That holds for the models that Google released. all-MiniLM-L6-v2 has H/32 heads; so both numbers are read,
 * never derived.
 *
 * DistilBERT's file has other names for most of them, and none for token types, which it does not have:
 *
 *     {"model_type": "distilbert", "n_layers": 6, "dim": 768, "n_heads": 12, "hidden_dim": 3072,
 *      "activation": "gelu", "vocab_size": 30522, "max_position_embeddings": 512}
 *
 * `sinusoidal_pos_embds` says how its positions began; what became of them is in the weights.
 * ------------------------------------------------------------------------------------------------------------------ */

/* The largest sizes that are believed. No BERT has 16 million pieces or positions, or more than a thousand layers: a
 * file that says so asks for absurd memory or time. With both limits a model has less than 2^61 parameters, so that a
 * 64-bit number can count them. */
enum { MAX_SIZE = 1 << 24, MAX_LAYERS = 1024 };

/* Hugging Face's name of a size, the paper's letter for it, as the place of an int in BertConfig, and what a file
 * without the key means: the size of BERT-Base, as in Hugging Face's library. Then DistilBERT's name (NULL: it has no
 * such size), whether its library takes BERT's name for it as well, and its usual size. */
typedef struct {
    const char *key;
    size_t field;               /* offset of the int */
    int largest, usual;
    const char *distilbert;
    bool either;
    int usual_distilbert;
} ConfigKey;

static const ConfigKey config_keys[] = {
    {"num_hidden_layers", offsetof(BertConfig, L), MAX_LAYERS, 12, "n_layers", true, 6},
    {"hidden_size", offsetof(BertConfig, H), MAX_SIZE, 768, "dim", true, 768},
    {"num_attention_heads", offsetof(BertConfig, A), MAX_SIZE, 12, "n_heads", true, 12},
    {"intermediate_size", offsetof(BertConfig, F), MAX_SIZE, 3072, "hidden_dim", false, 3072},
    {"vocab_size", offsetof(BertConfig, V), MAX_SIZE, 30522, "vocab_size", true, 30522},
    {"max_position_embeddings", offsetof(BertConfig, P), MAX_SIZE, 512, "max_position_embeddings", true, 512},
    {"type_vocab_size", offsetof(BertConfig, S), MAX_SIZE, 2, NULL, false, 0},
};
enum { CONFIG_KEYS = sizeof config_keys / sizeof *config_keys };

/* The size that a key of the file is, as its place in the table; -1 if it is none. */
static int key_place(const BertConfig *config, const char *key)
{
    for (int i = 0; i < CONFIG_KEYS; i++) {
        const ConfigKey *k = &config_keys[i];
        if (config->distilbert && k->distilbert && !strcmp(key, k->distilbert)) return i;
        if ((!config->distilbert || k->either) && !strcmp(key, k->key)) return i;
    }
    return -1;
}

/* The name of a size in a model of that kind; NULL if it has none. */
static const char *key_name(const BertConfig *config, int place)
{
    return config->distilbert ? config_keys[place].distilbert : config_keys[place].key;
}

static int *config_size(BertConfig *config, int key)
{
    return (int *)((char *)config + config_keys[key].field);
}

/* What a file without the key means. */
static int usual_size(const BertConfig *config, int place)
{
    return config->distilbert ? config_keys[place].usual_distilbert : config_keys[place].usual;
}

/* The value of a key that is one of the seven sizes: an integer, at least 1. 768.0 is refused, as is "768". A
 * DistilBERT may have two names for a size, which must not disagree. */
static Status read_size(JsonReader *j, BertConfig *config, const char *name, int place, Error *e)
{
    int64_t value;
    const int before = *config_size(config, place);
    Status s = json_integer(j, &value, e);
    if (s) return s;
    if (value < 1 || value > config_keys[place].largest)
        return fail(e, BERT_FILE, "%s: %s is %lld, expected 1 to %d", j->path, name, (long long)value,
                    config_keys[place].largest);
    if (config->distilbert && before && before != value)
        return fail(e, BERT_FILE, "%s: %s is %lld, but %d was found for %s before", j->path, name, (long long)value,
                    before, config_keys[place].distilbert);
    *config_size(config, place) = (int)value;
    return BERT_OK;
}

/* Hugging Face's names for the two GELUs. gelu_python is the erf form as Python code. The others are the tanh form:
 *
 *     gelu_new, gelu_accurate, gelu_python_tanh     x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
 *     gelu_fast                                     x/2 (1 + tanh(0.7978845608 x (1 + 0.044715 x^2)))
 *     gelu_pytorch_tanh                             the first, by PyTorch's own function
 *
 * 0.7978845608 is sqrt(2/pi) to ten digits, and the same float. Functions of another shape (gelu_10 is cut off at -10
 * and 10, quick_gelu is x sigmoid(1.702 x), relu, silu ...) are not in the list, and are refused by name. */
static const struct {
    const char *name;
    GeluKind gelu;
} activations[] = {
    {"gelu", GELU_ERF}, {"gelu_python", GELU_ERF}, {"gelu_new", GELU_TANH}, {"gelu_fast", GELU_TANH},
    {"gelu_accurate", GELU_TANH}, {"gelu_pytorch_tanh", GELU_TANH}, {"gelu_python_tanh", GELU_TANH},
};

/* hidden_act (DistilBERT's activation): which GELU.
 * Differs: Hugging Face's "gelu" is the one with erf. Google's code, whose bert_config.json also says "gelu", computed
 * erf in 2018 and the tanh approximation since February 2019. The name decides here, as for Hugging Face; --gelu
 * overrides it. */
static Status read_activation(JsonReader *j, const char *key, BertConfig *config, Error *e)
{
    char name[64];
    Status s = json_string(j, name, sizeof name, e);
    if (s) return s;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (strcmp(name, activations[i].name)) continue;
        config->gelu = activations[i].gelu;
        return BERT_OK;
    }
    return fail(e, BERT_FILE, "%s: %s is \"%s\", expected \"gelu\" or \"gelu_new\" (or another name of these "
                "two: gelu_python; gelu_fast, gelu_accurate, gelu_pytorch_tanh, gelu_python_tanh)", j->path, key, name);
}

/* A key with one legal value, whose other values mean another architecture.
 *
 * Why so strict: RoBERTa or ALBERT have tensors of the same shapes, often under the same names. Run as BERT they give
 * vectors that look right and are wrong; a refusal that says why is the better answer. */
static Status expect_text(JsonReader *j, const char *key, const char *expected, const char *why, Error *e)
{
    char text[64];
    Status s = json_string(j, text, sizeof text, e);
    if (s) return s;
    if (strcmp(text, expected))
        return fail(e, BERT_FILE, "%s: %s is \"%s\", expected \"%s\": %s", j->path, key, text, expected, why);
    return BERT_OK;
}

/* model_type, which config_load has looked for already. */
static Status read_model_type(JsonReader *j, const BertConfig *config, Error *e)
{
    char text[64];
    Status s = json_string(j, text, sizeof text, e);
    if (s || !strcmp(text, config->distilbert ? "distilbert" : "bert")) return s;
    return fail(e, BERT_FILE, "%s: model_type is \"%s\", expected %s\"distilbert\": another architecture, which would "
                "give wrong numbers if run as BERT", j->path, text, config->distilbert ? "" : "\"bert\" or ");
}

/* layer_norm_eps, the number under LayerNorm's root. Trap: BERT has 1e-12, most later models 1e-5. */
static Status read_eps(JsonReader *j, BertConfig *config, Error *e)
{
    Status s = json_number(j, &config->eps, e);
    if (s) return s;
    if (!(config->eps >= 0 && config->eps <= 1))
        return fail(e, BERT_FILE, "%s: layer_norm_eps is %g, expected 0 to 1", j->path, config->eps);
    return BERT_OK;
}

/* A key that says true where the model would compute something else, in the words of `why`. */
static Status expect_false(JsonReader *j, const char *key, const char *why, Error *e)
{
    bool found;
    Status s = json_bool(j, &found, e);
    if (s == BERT_OK && found)
        return fail(e, BERT_FILE, "%s: %s is true, expected false: %s, BERT sees all", j->path, key, why);
    return s;
}

/* is_decoder: the same weights run with a causal mask, each token blind to those after it. That is not BERT. A
 * DistilBERT's library has no such mask and passes over the key. */
static Status read_decoder_flag(JsonReader *j, const char *key, Error *e)
{
    return expect_false(j, key, "a decoder hides later tokens", e);
}

/* is_causal: the library (transformers 5.23) hides later tokens by it wherever it makes no mask for padding: another
 * computation, and one that depends on the texts beside. */
static Status read_causal_flag(JsonReader *j, const char *key, Error *e)
{
    if (json_peek(j) == 'n') return json_skip(j, e);
    return expect_false(j, key, "the library hides later tokens by it", e);
}

/* add_cross_attention: a decoder's look at another text. The library refuses it of an encoder. */
static Status read_cross_flag(JsonReader *j, const char *key, Error *e)
{
    bool found;
    Status s = json_bool(j, &found, e);
    if (s || !found) return s;
    return fail(e, BERT_FILE, "%s: %s is true, expected false: only a decoder looks at another text", j->path, key);
}

/* quantization_config: the library changes the weights by it when it loads them, float32 weights, too; null does not.
 * Run as they stand they give other numbers. */
static Status refuse_quantization(JsonReader *j, Error *e)
{
    if (json_peek(j) == 'n') return json_skip(j, e);
    return fail(e, BERT_FILE, "%s: quantization_config is there, expected none: the library quantizes the weights by "
                "it, which is not supported", j->path);
}

/* position_embedding_type: null is the same as no key. */
static Status read_positions(JsonReader *j, const char *key, Error *e)
{
    if (json_peek(j) == 'n') return json_skip(j, e);
    return expect_text(j, key, "absolute", "only BERT's own learned, absolute positions are computed", e);
}

/* tie_word_embeddings false: the MLM decoder has weights of its own. Whether they are there, model.c looks. */
static Status read_tie(JsonReader *j, BertConfig *config, Error *e)
{
    bool tied;
    Status s = json_bool(j, &tied, e);
    if (s == BERT_OK) config->untied = !tied;
    return s;
}

/* architectures: the classes that the weights were saved from, as a list of names; the first that has a classifier says
 * what it scores. Trap: all of them call it `classifier`, with matrices of the same shape: run as another's, it gives
 * numbers that look right. */
static Status read_architectures(JsonReader *j, BertConfig *config, Error *e)
{
    static const struct { const char *end; HeadKind head; } kinds[] = {
        {"ForSequenceClassification", HEAD_SEQUENCE}, {"ForMultipleChoice", HEAD_CHOICE},
        {"ForTokenClassification", HEAD_TOKENS}};
    char name[256];
    bool more;
    if (json_peek(j) != '[') return json_skip(j, e);
    Status s = json_begin(j, '[', e);
    while (s == BERT_OK && (s = json_next_element(j, &more, e)) == BERT_OK && more) {
        if (json_peek(j) != '"') s = json_skip(j, e);
        else s = json_string(j, name, sizeof name, e);
        for (int i = 0; s == BERT_OK && config->head == HEAD_UNKNOWN && i < 3; i++)
            if (ends_with(name, kinds[i].end)) config->head = kinds[i].head;
    }
    return s;
}

/* One member of the configuration; keys that do not change the computation are skipped.
 * Trap: a DistilBERT has the LayerNorm eps 1e-12, whatever a layer_norm_eps in its file may say. */
static Status read_config_value(JsonReader *j, const char *key, BertConfig *config, Error *e)
{
    const int place = key_place(config, key);
    if (place >= 0) return read_size(j, config, key, place, e);
    if (!strcmp(key, config->distilbert ? "activation" : "hidden_act")) return read_activation(j, key, config, e);
    if (!strcmp(key, "layer_norm_eps") && !config->distilbert) return read_eps(j, config, e);
    if (!strcmp(key, "is_decoder") && !config->distilbert) return read_decoder_flag(j, key, e);
    if (!strcmp(key, "add_cross_attention") && !config->distilbert) return read_cross_flag(j, key, e);
    if (!strcmp(key, "is_causal")) return read_causal_flag(j, key, e);
    if (!strcmp(key, "quantization_config")) return refuse_quantization(j, e);
    if (!strcmp(key, "tie_word_embeddings")) return read_tie(j, config, e);
    if (!strcmp(key, "architectures")) return read_architectures(j, config, e);
    if (!strcmp(key, "model_type")) return read_model_type(j, config, e);
    if (!strcmp(key, "position_embedding_type")) return read_positions(j, key, e);
    return json_skip(j, e);
}

/* Sizes that the file leaves out are those of BERT-Base (or of DistilBERT), as in Hugging Face's library; the shapes of
 * the weights show whether that is so. Trap: the number of heads leaves no trace in the shapes. So each such key is
 * noted, and -v says it. A file without any of the seven is not this model's. */
static Status fill_in(BertConfig *config, const char *path, Error *e)
{
    int missing = 0, sizes = 0;
    for (int i = 0; i < CONFIG_KEYS; i++) {
        if (!key_name(config, i)) continue;
        sizes++;
        if (*config_size(config, i)) continue;
        *config_size(config, i) = usual_size(config, i);
        config->filled_in |= 1u << i;
        missing++;
    }
    if (missing == sizes)
        return fail(e, BERT_FILE, "%s: has none of a BERT's sizes (num_hidden_layers, hidden_size, ...): is it the "
                    "model's configuration?", path);
    return BERT_OK;
}

bool config_filled_in(const BertConfig *config, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (config->filled_in >> i & 1 && used < capacity)
            used += (size_t)snprintf(text + used, capacity - used, "%s%s %d", used ? ", " : "", key_name(config, i),
                                     usual_size(config, i));
    return used > 0;
}

bool config_take_vocabulary(BertConfig *config, int pieces)
{
    const int place = key_place(config, "vocab_size");
    if (!(config->filled_in >> place & 1)) return false;
    *config_size(config, place) = pieces;
    config->filled_in &= ~(1u << place);
    return true;
}

/* What must hold between the sizes; and the one that is derived, D = H/A. */
static Status config_check(BertConfig *config, const char *path, Error *e)
{
    Status s = fill_in(config, path, e);
    if (s) return s;
    if (config->H % config->A != 0)         /* the heads share the columns of a vector evenly: see step 7 */
        return fail(e, BERT_FILE, "%s: %s is %d, expected a multiple of %s %d", path, key_name(config, 1), config->H,
                    key_name(config, 2), config->A);
    config->D = config->H / config->A;
    return BERT_OK;
}

/* The value of one key of the file, looked for by itself, since other keys may stand before it; false if it has none.
 * What is wrong with the text is not said here: it is read once more. */
static bool find_key(JsonReader *j, const FileView *file, const char *wanted)
{
    Error ignored;
    char key[256];
    bool more = true;
    Status s = json_open(j, file->path, file->data, file->size, 0, &ignored);
    j->of_python = true;
    while (s == BERT_OK && (s = json_next_key(j, key, sizeof key, &more, &ignored)) == BERT_OK && more) {
        if (!strcmp(key, wanted)) return true;
        s = json_skip(j, &ignored);
    }
    return false;
}

/* The text that is a key's value; empty if the file has none. */
static void find_text(char *text, size_t capacity, const FileView *file, const char *wanted)
{
    JsonReader j;
    Error ignored;
    text[0] = 0;
    if (!find_key(&j, file, wanted) || json_peek(&j) != '"' || json_string(&j, text, capacity, &ignored) != BERT_OK)
        text[0] = 0;
}

/* A class of `architectures` where no model_type says what it is: BertForMaskedLM, TFBertModel, DistilBertModel.
 * Trap: RoBERTa's tensors have BERT's names and shapes. Its first files have no model_type; run as BERT, which counts
 * positions otherwise, they give vectors that look right. */
static Status check_class(const char *path, const char *name, Error *e)
{
    static const char *const ports[] = {"TF", "Flax"}, *const kinds[] = {"Bert", "DistilBert"};
    const char *class = name;
    for (int i = 0; i < 2; i++)
        if (!strncmp(name, ports[i], strlen(ports[i]))) class = name + strlen(ports[i]);
    for (int i = 0; i < 2; i++)
        if (!strncmp(class, kinds[i], strlen(kinds[i]))) return BERT_OK;
    return fail(e, BERT_FILE, "%s: has no model_type, and architectures has \"%s\", expected a class of BERT or "
                "DistilBERT: another architecture would give wrong numbers if run as BERT (if it is one, say "
                "model_type)", path, name);
}

/* The same for all classes of a file without model_type. */
static Status check_classes(const FileView *file, Error *e)
{
    JsonReader j;
    char name[256];
    bool more = true;
    if (!find_key(&j, file, "architectures") || json_peek(&j) != '[') return BERT_OK;
    Status s = json_begin(&j, '[', e);
    while (s == BERT_OK && (s = json_next_element(&j, &more, e)) == BERT_OK && more) {
        if (json_peek(&j) != '"') return BERT_OK;
        s = json_string(&j, name, sizeof name, e);
        if (s == BERT_OK) s = check_class(file->path, name, e);
    }
    return s;
}

Status config_names_weights(char *name, size_t capacity, const char *path, Error *e)
{
    FileView file;
    name[0] = 0;
    Status s = file_open(&file, path, e);
    if (s) return s;
    find_text(name, capacity, &file, "transformers_weights");
    file_close(&file);
    return BERT_OK;
}

/* Reads the file key by key; see the example of a JsonReader in weights.h. */
Status config_load(BertConfig *config, const char *path, Error *e)
{
    FileView file;
    JsonReader j;
    char key[256], type[64];
    bool more = true;
    *config = (BertConfig){.gelu = GELU_ERF, .eps = 1e-12};     /* what a config.json without these keys means */
    Status s = file_open(&file, path, e);
    if (s) return s;
    find_text(type, sizeof type, &file, "model_type");
    config->distilbert = !strcmp(type, "distilbert");
    s = json_open(&j, path, file.data, file.size, 0, e);
    j.of_python = true;
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
        s = read_config_value(&j, key, config, e);
    if (s == BERT_OK) s = json_end(&j, e);
    if (s == BERT_OK && !*type) s = check_classes(&file, e);
    if (s == BERT_OK) s = config_check(config, path, e);
    file_close(&file);
    return s;
}
