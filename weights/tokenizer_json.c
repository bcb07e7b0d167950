/* tokenizer_json.c - what a directory's JSON files say about its tokenizer: tokenizer.json, tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json. What is not BERT's is refused by file, key and what was found;
 * vocabulary.c makes a tokenizer of the rest.
 *
 *     tokenizer.json   {"added_tokens": [{"id": 2, "content": "[CLS]", "special": true, ...}, ...],
 *                       "normalizer": {"type": "BertNormalizer", "lowercase": true, ...},
 *                       "pre_tokenizer": {"type": "BertPreTokenizer"},
 *                       "post_processor": {"type": "TemplateProcessing", ...},
 *                       "model": {"type": "WordPiece", "vocab": {"[PAD]": 0, ...}, ...}}
 *
 * The rules are those of `transformers` 5.23.0, whose classes take different parts of these files.
 */
#include "weights/vocabulary.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Reads the members of the object that comes next, each by `f`. */
typedef Status Member(JsonReader *j, const char *key, void *context, Error *e);
static Status read_members(JsonReader *j, Member *f, void *context, Error *e)
{
    char key[LONGEST_ADDED + 1];
    bool more;
    Status s;
    while (!(s = json_next_key(j, key, sizeof key, &more, e)) && more)
        if ((s = f(j, key, context, e))) return s;
    return s;
}

static Status read_object(JsonReader *j, Member *f, void *context, Error *e)
{
    Status s = json_begin(j, '{', e);
    return s ? s : read_members(j, f, context, e);
}

/* All of a file, which is one object. */
static Status read_file(const char *path, Member *f, void *context, Error *e)
{
    FileView file;
    JsonReader j;
    Status s = file_open(&file, path, e);
    if (s) return s;
    s = json_open(&j, path, file.data, file.size, 0, e);
    j.of_python = true;
    if (!s) s = read_members(&j, f, context, e);
    if (!s) s = json_end(&j, e);
    file_close(&file);
    return s;
}

/* A value that is true, false or null; null says nothing. Anything else, 1 or "true", is an error, not a guess. */
static Status read_saying(JsonReader *j, Saying *saying, Error *e)
{
    bool yes;
    *saying = UNSAID;
    if (json_peek(j) == 'n') return json_skip(j, e);
    Status s = json_bool(j, &yes, e);
    if (!s) *saying = yes ? SAID_YES : SAID_NO;
    return s;
}

/* A string that must be `wanted`. */
static Status expect_string(JsonReader *j, const char *key, const char *wanted, Error *e)
{
    char text[LONGEST_ADDED + 1];
    Status s = json_string(j, text, sizeof text, e);
    if (s || !strcmp(text, wanted)) return s;
    return fail(e, BERT_FILE, "%s: %s: found '%s', expected '%s': not supported", j->path, key, text, wanted);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Added tokens
 * ------------------------------------------------------------------------------------------------------------------ */

/* The name of a file, without its directory, as a constant. */
static const char *name_of(const char *path)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"};
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; slash && i < sizeof names / sizeof *names; i++)
        if (!strcmp(slash + 1, names[i])) return names[i];
    return "added_tokens.json";
}

typedef struct {
    AddedToken token;               /* content points to text */
    char text[LONGEST_ADDED + 1];
    bool normalized_said;
} TokenReader;

static Status token_member(JsonReader *j, const char *key, void *context, Error *e)
{
    TokenReader *r = context;
    AddedToken *t = &r->token;
    if (!strcmp(key, "content")) return json_string(j, r->text, sizeof r->text, e);
    if (!strcmp(key, "id")) return json_integer(j, &t->declared, e);
    if (!strcmp(key, "special")) return json_bool(j, &t->special, e);
    if (!strcmp(key, "lstrip")) return json_bool(j, &t->lstrip, e);
    if (!strcmp(key, "rstrip")) return json_bool(j, &t->rstrip, e);
    if (!strcmp(key, "single_word")) return json_bool(j, &t->single_word, e);
    if (strcmp(key, "normalized")) return json_skip(j, e);
    r->normalized_said = true;
    return json_bool(j, &t->normalized, e);
}

/* A token as a string, which is a special one, or as an object, which is one if it says so, or if `special`. Where an
 * object does not say `normalized`, special tokens are not and others are. */
static Status read_token(JsonReader *j, bool special, TokenReader *r, Error *e)
{
    *r = (TokenReader){.token = {.declared = -1, .special = special, .file = name_of(j->path)}};
    Status s;
    if (json_peek(j) == '"') {
        r->token.special = true;
        s = json_string(j, r->text, sizeof r->text, e);
    } else {
        s = read_object(j, token_member, r, e);
        if (!r->normalized_said) r->token.normalized = !r->token.special;
    }
    r->token.content = r->text;
    r->token.length = strlen(r->text);
    return s;
}

static Status append_token(JsonReader *j, AddedList *list, bool special, Error *e)
{
    TokenReader r;
    Status s = read_token(j, special, &r, e);
    return s ? s : added_append(list, &r.token, e);
}

static Status read_tokens(JsonReader *j, AddedList *list, bool special, Error *e)
{
    bool more;
    Status s = json_begin(j, '[', e);
    while (!s && !(s = json_next_element(j, &more, e)) && more) s = append_token(j, list, special, e);
    return s;
}

/* "pad_token": a string, an object, or null, which says that there is none. */
static Status read_named(JsonReader *j, TokenizerFiles *f, int which, Error *e)
{
    TokenReader r;
    AddedList one = {0};
    added_token_free(&f->named[which]);
    f->none[which] = json_peek(j) == 'n';
    f->none_by[which] = !f->none[which] ? NULL : f->in_map ? "special_tokens_map.json" : "tokenizer_config.json";
    if (f->none[which]) return json_skip(j, e);
    Status s = read_token(j, f->in_map, &r, e);
    if (!s) s = added_append(&one, &r.token, e);
    if (!s) f->named[which] = one.items[0];
    free(one.items);
    return s;
}

/* {"46": {"content": "[E1]", ...}, ...} */
static Status decoder_member(JsonReader *j, const char *key, void *context, Error *e)
{
    TokenizerFiles *f = context;
    TokenReader r;
    char *end;
    long long id = strtoll(key, &end, 10);
    if (*end || end == key || id < 0 || id > INT_MAX)
        return fail(e, BERT_FILE, "%s: added_tokens_decoder: found '%s', expected an id", j->path, key);
    Status s = read_token(j, false, &r, e);
    r.token.declared = id;
    return s ? s : added_append(&f->decoder, &r.token, e);
}

/* {"[E1]": 46, ...}. Those that are named elsewhere are special, but not by special_tokens_map.json's
 * additional_special_tokens: so it is in the library. */
static Status added_member(JsonReader *j, const char *key, void *context, Error *e)
{
    TokenizerFiles *f = context;
    AddedToken token = {.content = (char *)key, .length = strlen(key), .normalized = true, .file = name_of(j->path)};
    Status s = json_integer(j, &token.declared, e);
    token.special = added_find(f->extra.count ? &f->extra : &f->additional, key, token.length) != NULL;
    for (int i = 0; i < NAMED_TOKENS; i++)
        if (f->named[i].content && !strcmp(f->named[i].content, key)) token.special = true;
    if (token.special) token.normalized = false;
    return s ? s : added_append(&f->decoder, &token, e);
}

Status read_added_tokens(TokenizerFiles *f, const char *path, Error *e)
{
    return read_file(path, added_member, f, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * tokenizer_config.json, special_tokens_map.json
 * ------------------------------------------------------------------------------------------------------------------ */

/* Which of the named tokens the key means, or -1. */
static int named_key(const char *key)
{
    static const char *const keys[NAMED_TOKENS] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                                                   "cls_token", "mask_token"};
    for (int i = 0; i < NAMED_TOKENS; i++)
        if (!strcmp(key, keys[i])) return i;
    return -1;
}

static bool ends_in_token(const char *key)
{
    size_t n = strlen(key);
    return n > 6 && !strcmp(key + n - 6, "_token");
}

static Status own_member(JsonReader *j, const char *key, void *context, Error *e)
{
    (void)key;
    return append_token(j, context, false, e);
}

/* extra_special_tokens: a list, or an object of tokens with names of their own. Formerly additional_special_tokens,
 * which counts where there is no extra_special_tokens, first that of tokenizer_config.json. */
static Status read_extra(JsonReader *j, TokenizerFiles *f, bool formerly, Error *e)
{
    const char kind = json_peek(j);
    if (kind == '{') return read_object(j, own_member, &f->own, e);
    if (kind == 'n') return json_skip(j, e);
    return read_tokens(j, !formerly ? &f->extra : f->in_map ? &f->map_additional : &f->additional, f->in_map, e);
}

/* Keys that both files have: tokens. *taken is false for any other key. */
static Status special_member(JsonReader *j, const char *key, TokenizerFiles *f, bool *taken, Error *e)
{
    const char kind = json_peek(j);
    const int which = named_key(key);
    *taken = true;
    if (which >= 0) return read_named(j, f, which, e);
    if (!strcmp(key, "extra_special_tokens")) return read_extra(j, f, false, e);
    if (!strcmp(key, "additional_special_tokens")) return read_extra(j, f, true, e);
    if (!strcmp(key, "model_specific_special_tokens")) return read_object(j, own_member, &f->own, e);
    *taken = ends_in_token(key) && (kind == '"' || kind == '{');
    return *taken ? append_token(j, &f->own, f->in_map, e) : BERT_OK;
}

static Status map_member(JsonReader *j, const char *key, void *context, Error *e)
{
    bool taken;
    Status s = special_member(j, key, context, &taken, e);
    return s || taken ? s : json_skip(j, e);
}

Status read_special_tokens_map(TokenizerFiles *f, const char *path, Error *e)
{
    f->in_map = true;
    return read_file(path, map_member, f, e);
}

/* A tokenizer_class, or its name in Rust, which has Fast at the end. */
static bool is_class(const char *name, const char *class)
{
    const size_t n = strlen(class);
    return !strncmp(name, class, n) && (!name[n] || !strcmp(name + n, "Fast"));
}

/* The classes that split words as BERT does. For most the settings stand in tokenizer_config.json; the last ones are
 * whatever tokenizer.json says. ElectraTokenizer and those behind it are BertTokenizer under the name of another model,
 * which trained pieces of BERT's kind. */
static Status read_class(JsonReader *j, TokenizerFiles *f, Error *e)
{
    static const char *const known[] = {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "LxmertTokenizer",
                                        "MobileBertTokenizer", "SqueezeBertTokenizer", "LayoutLMTokenizer",
                                        "ConvBertTokenizer", "DPRQuestionEncoderTokenizer",
                                        "DPRContextEncoderTokenizer"};
    if (json_peek(j) == 'n') return json_skip(j, e);
    Status s = json_string(j, f->class_name, sizeof f->class_name, e);
    if (s) return s;
    f->whole = !strcmp(f->class_name, "PreTrainedTokenizerFast") || !strcmp(f->class_name, "TokenizersBackend");
    if (f->whole) return BERT_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_class(f->class_name, known[i])) return BERT_OK;
    return fail(e, BERT_FILE, "%s: tokenizer_class: found '%s', expected 'BertTokenizer': another way to split words "
                "is not supported", j->path, f->class_name);
}

/* model_input_names: what the tokenizer makes for the model. Without "token_type_ids" the model takes segment 0 for all
 * tokens, of both texts of a pair. */
static Status read_input_names(JsonReader *j, TokenizerFiles *f, Error *e)
{
    char name[64];
    bool more;
    if (json_peek(j) == 'n') return json_skip(j, e);
    f->segments = SAID_NO;
    Status s = json_begin(j, '[', e);
    while (s == BERT_OK && (s = json_next_element(j, &more, e)) == BERT_OK && more) {
        s = json_string(j, name, sizeof name, e);
        if (s == BERT_OK && !strcmp(name, "token_type_ids")) f->segments = SAID_YES;
    }
    return s;
}

/* "left" or "right"; tokenizer.json's "direction" is "Left" or "Right", and the library takes those for padding_side, too,
 * but not for truncation_side. */
static Status read_side(JsonReader *j, const char *key, Saying *left, Error *e)
{
    char side[64];
    Status s = json_string(j, side, sizeof side, e);
    if (s) return s;
    for (char *c = side; *c && strcmp(key, "truncation_side"); c++) *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    *left = strcmp(side, "left") ? SAID_NO : SAID_YES;
    if (*left == SAID_YES || !strcmp(side, "right")) return BERT_OK;
    return fail(e, BERT_FILE, "%s: %s: found '%s', expected left or right", j->path, key, side);
}

/* A number of tokens, or one so large that it means none (1e30). */
static Status read_length(JsonReader *j, const char *key, TokenizerFiles *f, Error *e)
{
    double length;
    if (json_peek(j) == 'n') return json_skip(j, e);
    Status s = json_number(j, &length, e);
    if (s) return s;
    if (length >= 1 && length < INT_MAX) f->max_length = (int)length;
    if (length >= INT_MAX) f->max_length = 0;
    if (length >= 1 && (length >= INT_MAX || (double)f->max_length == length)) return BERT_OK;
    return fail(e, BERT_FILE, "%s: %s: found %g, expected a number of tokens", j->path, key, length);
}

/* Code that comes with a model can split words in any way, and is not run. */
static Status auto_map_member(JsonReader *j, const char *key, void *context, Error *e)
{
    (void)context;
    if (strcmp(key, "AutoTokenizer")) return json_skip(j, e);
    return fail(e, BERT_FILE, "%s: auto_map: found a tokenizer of its own (AutoTokenizer), which is code: not "
                "supported", j->path);
}

/* Trap: sentence-transformers directories have a second do_lower_case, in sentence_bert_config.json, which is often
 *       false for an uncased model. It is about something else, and not read here. */
static Status config_member(JsonReader *j, const char *key, void *context, Error *e)
{
    TokenizerFiles *f = context;
    bool taken;
    if (!strcmp(key, "do_lower_case") && json_peek(j) == 'n')                     /* where the library raises an error */
        return fail(e, BERT_FILE, "%s: do_lower_case is null, expected true or false", j->path);
    if (!strcmp(key, "do_lower_case")) return read_saying(j, &f->lower_case, e);
    if (!strcmp(key, "strip_accents")) return read_saying(j, &f->strip_accents, e);
    if (!strcmp(key, "tokenize_chinese_chars")) return read_saying(j, &f->chinese_chars, e);
    if (!strcmp(key, "tokenizer_class")) return read_class(j, f, e);
    if (!strcmp(key, "model_input_names")) return read_input_names(j, f, e);
    if (!strcmp(key, "truncation_side")) return read_side(j, key, &f->truncate_left, e);
    if (!strcmp(key, "padding_side")) return read_side(j, key, &f->pad_left, e);
    if (!strcmp(key, "model_max_length") || !strcmp(key, "max_len")) return read_length(j, key, f, e);
    if (!strcmp(key, "split_special_tokens")) return json_bool(j, &f->plain, e);
    if (!strcmp(key, "auto_map") && json_peek(j) == '{') return read_object(j, auto_map_member, NULL, e);
    if (!strcmp(key, "added_tokens_decoder")) {
        f->has_decoder = true;
        return read_object(j, decoder_member, f, e);
    }
    Status s = special_member(j, key, f, &taken, e);
    return s || taken ? s : json_skip(j, e);
}

Status read_tokenizer_config(TokenizerFiles *f, const char *path, Error *e)
{
    f->class_file = "tokenizer_config.json";
    return read_file(path, config_member, f, e);
}

static Status class_member(JsonReader *j, const char *key, void *context, Error *e)
{
    return strcmp(key, "tokenizer_class") ? json_skip(j, e) : read_class(j, context, e);
}

/* What else is wrong with the file is not said here: commands that need the model read it once more. */
Status read_class_of_config(TokenizerFiles *f, const char *path, Error *e)
{
    f->class_file = "config.json";
    const Status s = read_file(path, class_member, f, e);
    return s == BERT_FILE && !*f->class_name ? BERT_OK : s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * tokenizer.json
 * ------------------------------------------------------------------------------------------------------------------ */
enum { TEMPLATE_LIMIT = 8, TEMPLATE_NAMES = 16 };
typedef struct {
    struct Place {
        bool special;               /* a special token, or one of the two texts */
        char id[LONGEST_ADDED + 1];
        int64_t type;
    } places[TEMPLATE_LIMIT];
    int count;
} Template;

typedef struct {
    TokenizerFiles *files;
    Vocabulary *v;
    size_t size;                    /* of the file */
    char type[64];                  /* of the object that is being read */
    char only[64];                  /* of a Sequence: the type of its one step; "" if it has more or none */
    bool model, normalizer, pre_tokenizer, post_processor;      /* were there, and not null */
    Template single, pair;
    struct { char token[LONGEST_ADDED + 1]; int64_t id; int ids; } names[TEMPLATE_NAMES];
    int named;
} JsonFile;

/* What is required of an object with a type: which. A Sequence of one step is that step. */
static Status expect_type(const JsonFile *r, const char *path, const char *key, const char *wanted, Error *e)
{
    const char *type = strcmp(r->type, "Sequence") || !*r->only ? r->type : r->only;
    if (!strcmp(type, wanted)) return BERT_OK;
    return fail(e, BERT_FILE, "%s: %s.type: found '%s', expected '%s': not supported", path, key, r->type, wanted);
}

static Status read_type(JsonReader *j, JsonFile *r, Error *e)
{
    return json_string(j, r->type, sizeof r->type, e);
}

/* The steps of a Sequence, each an object with a type. That of the Sequence itself may stand before or behind them. */
static Status read_sequence(JsonReader *j, JsonFile *r, Member *f, Error *e)
{
    char own[sizeof r->type];
    int steps = 0;
    bool more;
    strcpy(own, r->type);
    Status s = json_begin(j, '[', e);
    while (!s && !(s = json_next_element(j, &more, e)) && more) {
        r->type[0] = 0;
        s = read_object(j, f, r, e);
        strcpy(r->only, steps++ ? "" : r->type);
    }
    strcpy(r->type, own);
    return s;
}

static Status normalizer_step(JsonReader *j, const char *key, void *context, Error *e)
{
    JsonFile *r = context;
    Saying clean = SAID_YES;
    if (!strcmp(key, "type")) return read_type(j, r, e);
    if (!strcmp(key, "lowercase")) return read_saying(j, &r->files->json_lower, e);
    if (!strcmp(key, "strip_accents")) return read_saying(j, &r->files->json_strip, e);
    if (!strcmp(key, "handle_chinese_chars")) return read_saying(j, &r->files->json_chinese, e);
    if (strcmp(key, "clean_text")) return json_skip(j, e);
    Status s = read_saying(j, &clean, e);
    if (s || clean == SAID_YES) return s;
    return fail(e, BERT_FILE, "%s: normalizer.clean_text: found false, expected true: not supported", j->path);
}

static Status normalizer_member(JsonReader *j, const char *key, void *context, Error *e)
{
    if (!strcmp(key, "normalizers")) return read_sequence(j, context, normalizer_step, e);
    return normalizer_step(j, key, context, e);
}

static Status type_member(JsonReader *j, const char *key, void *context, Error *e)
{
    return strcmp(key, "type") ? json_skip(j, e) : read_type(j, context, e);
}

static Status splitter_member(JsonReader *j, const char *key, void *context, Error *e)
{
    if (!strcmp(key, "pretokenizers")) return read_sequence(j, context, type_member, e);
    return type_member(j, key, context, e);
}

/* {"id": "[CLS]", "type_id": 0} */
static Status place_member(JsonReader *j, const char *key, void *context, Error *e)
{
    struct Place *place = context;
    if (!strcmp(key, "id")) return json_string(j, place->id, sizeof place->id, e);
    return strcmp(key, "type_id") ? json_skip(j, e) : json_integer(j, &place->type, e);
}

/* {"SpecialToken": {...}} or {"Sequence": {...}} */
static Status part_member(JsonReader *j, const char *key, void *context, Error *e)
{
    struct Place *place = context;
    place->special = !strcmp(key, "SpecialToken");
    return read_object(j, place_member, place, e);
}

static Status read_template(JsonReader *j, Template *t, Error *e)
{
    bool more;
    t->count = 0;
    Status s = json_begin(j, '[', e);
    while (!s && !(s = json_next_element(j, &more, e)) && more) {
        if (t->count == TEMPLATE_LIMIT)
            return fail(e, BERT_FILE, "%s: post_processor: found more than %d places, expected [CLS] A [SEP] B [SEP]: "
                        "not supported", j->path, TEMPLATE_LIMIT);
        t->places[t->count] = (struct Place){0};
        s = read_object(j, part_member, &t->places[t->count++], e);
    }
    return s;
}

/* {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]} */
static Status name_member(JsonReader *j, const char *key, void *context, Error *e)
{
    JsonFile *r = context;
    bool more;
    if (strcmp(key, "ids")) return json_skip(j, e);
    Status s = json_begin(j, '[', e);
    while (!s && !(s = json_next_element(j, &more, e)) && more) {
        s = json_integer(j, &r->names[r->named - 1].id, e);
        r->names[r->named - 1].ids++;
    }
    return s;
}

static Status names_member(JsonReader *j, const char *key, void *context, Error *e)
{
    JsonFile *r = context;
    if (r->named == TEMPLATE_NAMES)
        return fail(e, BERT_FILE, "%s: post_processor.special_tokens: found more than %d tokens: not supported",
                    j->path, TEMPLATE_NAMES);
    r->names[r->named].id = -1;
    r->names[r->named].ids = 0;
    snprintf(r->names[r->named++].token, sizeof r->names->token, "%s", key);
    return read_object(j, name_member, r, e);
}

/* BertProcessing's "sep": ["[SEP]", 3]. Its template is BERT's: it is put as a TemplateProcessing would have it. */
static Status read_pair(JsonReader *j, int *id, Error *e)
{
    char token[LONGEST_ADDED + 1];
    int64_t value = -1;
    bool more = false;
    Status s = json_begin(j, '[', e);
    if (!s) s = json_next_element(j, &more, e);
    if (!s && more) s = json_string(j, token, sizeof token, e);
    if (!s && more) s = json_next_element(j, &more, e);
    if (!s && more) s = json_integer(j, &value, e);
    if (!s && more) s = json_next_element(j, &more, e);
    if (!s && (more || value < 0 || value > INT_MAX))
        s = fail(e, BERT_FILE, "%s: post_processor: expected a token and its id", j->path);
    *id = (int)value;
    return s;
}

static Status processor_member(JsonReader *j, const char *key, void *context, Error *e)
{
    JsonFile *r = context;
    if (!strcmp(key, "type")) return read_type(j, r, e);
    if (!strcmp(key, "single") && json_peek(j) == '[') return read_template(j, &r->single, e);
    if (!strcmp(key, "pair") && json_peek(j) == '[') return read_template(j, &r->pair, e);
    if (!strcmp(key, "special_tokens") && json_peek(j) == '{') return read_object(j, names_member, r, e);
    if (!strcmp(key, "sep") && json_peek(j) == '[') return read_pair(j, &r->files->sep_id, e);
    if (!strcmp(key, "cls") && json_peek(j) == '[') return read_pair(j, &r->files->cls_id, e);
    return json_skip(j, e);
}

/* Is place i of the template that text ("A", "B"), or, with text NULL, a special token, with that segment? */
static bool is_place(const Template *t, int i, const char *text, int64_t segment)
{
    const struct Place *p = &t->places[i];
    return p->type == segment && p->special == !text && (!text || !strcmp(p->id, text));
}

/* The one id of a special token of the template, or -1. */
static int template_id(const JsonFile *r, const char *token)
{
    for (int i = 0; i < r->named; i++)
        if (!strcmp(r->names[i].token, token))
            return r->names[i].ids == 1 && r->names[i].id >= 0 && r->names[i].id <= INT_MAX ? (int)r->names[i].id : -1;
    return -1;
}

/* [CLS] A [SEP], segment 0; [CLS] A [SEP] of segment 0 and B [SEP] of segment 1. */
static bool is_bert_template(const JsonFile *r)
{
    const Template *one = &r->single, *two = &r->pair;
    return one->count == 3 && is_place(one, 0, NULL, 0) && is_place(one, 1, "A", 0) && is_place(one, 2, NULL, 0) &&
           two->count == 5 && is_place(two, 0, NULL, 0) && is_place(two, 1, "A", 0) && is_place(two, 2, NULL, 0) &&
           is_place(two, 3, "B", 1) && is_place(two, 4, NULL, 1) && !strcmp(one->places[0].id, two->places[0].id) &&
           !strcmp(one->places[2].id, two->places[2].id) && !strcmp(one->places[2].id, two->places[4].id);
}

static Status settle_processor(JsonFile *r, const char *path, Error *e)
{
    TokenizerFiles *f = r->files;
    if (!strcmp(r->type, "BertProcessing")) return BERT_OK;
    Status s = expect_type(r, path, "post_processor", "TemplateProcessing", e);
    if (s) return s;
    if (is_bert_template(r)) {
        f->cls_id = template_id(r, r->single.places[0].id);
        f->sep_id = template_id(r, r->single.places[2].id);
        if (f->cls_id >= 0 && f->sep_id >= 0) return BERT_OK;
    }
    return fail(e, BERT_FILE, "%s: post_processor: found another template, expected [CLS] A [SEP] B [SEP] with "
                "segments 0 0 0 1 1: not supported", path);
}

/* {"the": 5, ...}: as many keys as there are quotation marks, at most. */
static Status read_vocabulary(JsonReader *j, JsonFile *r, Error *e)
{
    size_t quotes = 0, capacity;
    for (size_t i = 0; i < j->size; i++) quotes += j->text[i] == '"';
    char *piece = size_add(j->size, 1, &capacity) ? malloc(capacity) : NULL;
    bool more;
    int64_t id = 0;
    if (!piece) return fail(e, BERT_SYSTEM, "%s: out of memory", j->path);
    Status s = vocabulary_start(r->v, j->path, quotes / 2, quotes / 2 + 4096, j->size, e);
    if (!s) s = json_begin(j, '{', e);
    while (!s && !(s = json_next_key(j, piece, capacity, &more, e)) && more)
        if (!(s = json_integer(j, &id, e))) s = vocabulary_add(r->v, j->path, piece, strlen(piece), id, e);
    free(piece);
    return s;
}

static Status model_member(JsonReader *j, const char *key, void *context, Error *e)
{
    JsonFile *r = context;
    int64_t limit;
    if (!strcmp(key, "type")) {
        Status s = read_type(j, r, e);
        return s ? s : expect_type(r, j->path, "model", "WordPiece", e);
    }
    if (!strcmp(key, "unk_token")) return json_string(j, r->files->unk, sizeof r->files->unk, e);
    if (!strcmp(key, "continuing_subword_prefix")) return expect_string(j, "model.continuing_subword_prefix", "##", e);
    if (!strcmp(key, "vocab")) {
        if (r->v->pieces) return fail(e, BERT_FILE, "%s: model.vocab: found twice", j->path);
        return read_vocabulary(j, r, e);
    }
    if (!strcmp(key, "merges")) return fail(e, BERT_FILE, "%s: model.merges: found a BPE, expected WordPiece: not "
                                            "supported", j->path);
    if (strcmp(key, "max_input_chars_per_word")) return json_skip(j, e);
    Status s = json_integer(j, &limit, e);
    if (s) return s;
    if (limit < 1 || limit > LONGEST_WORD)
        return fail(e, BERT_FILE, "%s: model.max_input_chars_per_word: found %lld, expected 1 to %d: not supported",
                    j->path, (long long)limit, LONGEST_WORD);
    r->files->longest_word = (int)limit;
    return BERT_OK;
}

/* "truncation", "padding": their side counts where tokenizer_config.json says none. */
static Status side_member(JsonReader *j, const char *key, void *context, Error *e)
{
    Saying left;
    if (strcmp(key, "direction")) return json_skip(j, e);
    Status s = read_side(j, key, &left, e);
    if (!s && *(Saying *)context == UNSAID) *(Saying *)context = left;
    return s;
}

/* An object with a type, or null: then *there stays false. */
static Status read_part(JsonReader *j, JsonFile *r, bool *there, Member *f, Error *e)
{
    r->type[0] = r->only[0] = 0;
    if (json_peek(j) == 'n') return json_skip(j, e);
    *there = true;
    return read_object(j, f, r, e);
}

static Status json_member(JsonReader *j, const char *key, void *context, Error *e)
{
    JsonFile *r = context;
    TokenizerFiles *f = r->files;
    Status s;
    if (!strcmp(key, "added_tokens") && json_peek(j) == '[') return read_tokens(j, &f->added, false, e);
    if (!strcmp(key, "model")) return read_part(j, r, &r->model, model_member, e);
    if (!strcmp(key, "normalizer")) {
        s = read_part(j, r, &r->normalizer, normalizer_member, e);
        return s || !r->normalizer ? s : expect_type(r, j->path, key, "BertNormalizer", e);
    }
    if (!strcmp(key, "pre_tokenizer")) {
        s = read_part(j, r, &r->pre_tokenizer, splitter_member, e);
        return s || !r->pre_tokenizer ? s : expect_type(r, j->path, key, "BertPreTokenizer", e);
    }
    if (!strcmp(key, "post_processor")) {
        s = read_part(j, r, &r->post_processor, processor_member, e);
        return s || !r->post_processor ? s : settle_processor(r, j->path, e);
    }
    if (!strcmp(key, "truncation") && json_peek(j) == '{') return read_object(j, side_member, &f->truncate_left, e);
    if (!strcmp(key, "padding") && json_peek(j) == '{') return read_object(j, side_member, &f->pad_left, e);
    return json_skip(j, e);
}

/* All parts that BERT's tokenizer has must be there: without one it would be another tokenizer. */
Status read_tokenizer_json(TokenizerFiles *f, Vocabulary *v, const char *path, Error *e)
{
    JsonFile *r = calloc(1, sizeof *r);
    if (!r) return fail(e, BERT_SYSTEM, "%s: out of memory", path);
    *r = (JsonFile){.files = f, .v = v};
    f->has_json = true;
    Status s = read_file(path, json_member, r, e);
    const char *missing = !r->model || !v->pieces ? "model.vocab" : !r->normalizer ? "normalizer" :
                          !r->pre_tokenizer ? "pre_tokenizer" :
                          f->whole && !r->post_processor ? "post_processor" : NULL;
    if (!s && missing)
        s = fail(e, BERT_FILE, "%s: %s: found nothing, expected that of BERT: not supported", path, missing);
    free(r);
    return s;
}

void tokenizer_files_free(TokenizerFiles *f)
{
    for (int i = 0; i < NAMED_TOKENS; i++) added_token_free(&f->named[i]);
    added_list_free(&f->own);
    added_list_free(&f->extra);
    added_list_free(&f->additional);
    added_list_free(&f->map_additional);
    added_list_free(&f->decoder);
    added_list_free(&f->added);
}
