/* added.c - the tokens that were added to a vocabulary, beside its pieces: [CLS] and [MASK], markers such as [E1],
 * words of a field. They are found in the text before WordPiece sees it; here is which ones there are, their ids, and
 * the search.
 *
 *     "the [E1]cat"  ->  the   [E1]   cat        [E1]: id 46, the row after the pieces 0 to 45
 *
 * The definition is the class AddedVocabulary of Hugging Face's `tokenizers` 0.23.3, and the order in which
 * `transformers` 5.23.0 adds: ids depend on it.
 */
#include "weights/vocabulary.h"
#include "weights/unicode_word.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Each new one is compared with all before it: a limit keeps that to a second. */
enum { ADDED_LIMIT = 1 << 15 };

void added_token_free(AddedToken *token)
{
    if (token->pattern != token->content) free(token->pattern);
    free(token->content);
    *token = (AddedToken){0};
}

void added_list_free(AddedList *list)
{
    for (size_t i = 0; i < list->count; i++) added_token_free(&list->items[i]);
    free(list->items);
    *list = (AddedList){0};
}

AddedToken *added_find(const AddedList *list, const char *content, size_t length)
{
    for (size_t i = 0; i < list->count; i++) {
        AddedToken *token = &list->items[i];
        if (token->length == length && memcmp(token->content, content, length) == 0) return token;
    }
    return NULL;
}

/* A copy of the bytes with a NUL behind them. */
static char *copy_of(const char *bytes, size_t length)
{
    size_t size;
    char *copy = size_add(length, 1, &size) ? malloc(size) : NULL;
    if (!copy) return NULL;
    memcpy(copy, bytes, length);
    copy[length] = 0;
    return copy;
}

Status added_append(AddedList *list, const AddedToken *token, Error *e)
{
    if (list->count >= ADDED_LIMIT)
        return fail(e, BERT_FILE, "%s: found more than %d added tokens", token->file, ADDED_LIMIT);
    if (list->count == list->capacity) {
        size_t capacity = 2 * list->capacity + 8, bytes;
        AddedToken *items = size_mul(capacity, sizeof *items, &bytes) ? realloc(list->items, bytes) : NULL;
        if (!items) return fail(e, BERT_SYSTEM, "out of memory for added tokens");
        list->items = items;
        list->capacity = capacity;
    }
    AddedToken copy = *token;
    copy.pattern = NULL;
    copy.place = list->count;
    copy.content = copy_of(token->content, token->length);
    if (!copy.content) return fail(e, BERT_SYSTEM, "out of memory for added tokens");
    list->items[list->count++] = copy;
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Which tokens, with which ids
 * ------------------------------------------------------------------------------------------------------------------ */
static const struct { const char *key, *content; } names[NAMED_TOKENS] = {
    {"bos_token", NULL}, {"eos_token", NULL}, {"unk_token", "[UNK]"}, {"sep_token", "[SEP]"},
    {"pad_token", "[PAD]"}, {"cls_token", "[CLS]"}, {"mask_token", "[MASK]"},
};

/* What tokens are added to, and the id that the next one gets that is no piece. */
typedef struct {
    Vocabulary *v;
    const TokenizerFiles *files;
    int64_t next;
    Error *e;
} Adding;

/* The first id behind the pieces and behind all tokens so far. The pieces are counted, not numbered: where lines repeat
 * there are fewer. */
static void begin_adding(Adding *a)
{
    a->next = a->v->distinct;
    for (size_t i = 0; i < a->v->added.count; i++)
        if (a->v->added.items[i].id >= a->next) a->next = a->v->added.items[i].id + 1;
}

/* Once special, always special; the rest is as it was said last. */
static void take_flags(AddedToken *to, const AddedToken *from)
{
    to->file = from->file;
    to->special = to->special || from->special;
    to->lstrip = from->lstrip;
    to->rstrip = from->rstrip;
    to->single_word = from->single_word;
    to->normalized = from->normalized;
}

/* Adds a token, or, if it is there, lets it replace the one of the same text. One that no file speaks of has no id
 * unless it is a piece: what would it mean to the model? It still takes its number, as in the library.
 *
 * Trap: the id that a file gives is not what the library uses. Where they differ, one of the two is wrong. */
static Status add_one(Adding *a, const AddedToken *token, bool implied)
{
    if (token->length == 0) return BERT_OK;
    AddedToken *there = added_find(&a->v->added, token->content, token->length);
    int id = there ? there->id : vocabulary_id(a->v, token->content, token->length);
    if (!there && id < 0) {
        id = implied ? -1 : (int)a->next;
        a->next++;
    }
    if (token->declared >= 0 && token->declared != id)
        return fail(a->e, BERT_FILE, "%s/%s: the added token '%s' has id %lld, but by its place it is %d: "
                    "Hugging Face's library would use the second", a->files->directory, token->file, token->content,
                    (long long)token->declared, id);
    if (!there) {
        Status s = added_append(&a->v->added, token, a->e);
        if (s) return s;
        there = &a->v->added.items[a->v->added.count - 1];
    }
    there->id = id;
    take_flags(there, token);
    return BERT_OK;
}

static int by_declared(const void *a, const void *b)
{
    const AddedToken *x = a, *y = b;
    if (x->declared != y->declared) return x->declared < y->declared ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Is the text one of the named special tokens? Then it is special whatever its own entry says. */
static bool is_named(const TokenizerFiles *f, const AddedToken *token)
{
    for (int i = 0; i < NAMED_TOKENS; i++)
        if (f->named[i].content && f->named[i].length == token->length &&
            memcmp(f->named[i].content, token->content, token->length) == 0) return true;
    return added_find(&f->own, token->content, token->length) != NULL;
}

/* The tokens of added_tokens_decoder (or added_tokens.json and, for the class BertTokenizer, tokenizer.json) in the
 * order of their ids. Of two with one id the last one counts. */
static Status add_decoder(Adding *a, AddedList *list)
{
    if (list->count) qsort(list->items, list->count, sizeof *list->items, by_declared);
    for (size_t i = 0; i < list->count; i++) {
        AddedToken *token = &list->items[i];
        if (i + 1 < list->count && list->items[i + 1].declared == token->declared &&
            strcmp(list->items[i + 1].content, token->content))
            return fail(a->e, BERT_FILE, "%s/%s: the added tokens '%s' and '%s' have one id, %lld",
                        a->files->directory, token->file, token->content, list->items[i + 1].content,
                        (long long)token->declared);
        token->special = token->special || is_named(a->files, token);
        Status s = add_one(a, token, false);
        if (s) return s;
    }
    return BERT_OK;
}

/* Those that are only there if no other file has brought them. */
static Status add_missing(Adding *a, const AddedToken *token, bool named, bool implied)
{
    if (!token->content || added_find(&a->v->added, token->content, token->length)) return BERT_OK;
    AddedToken copy = *token;
    copy.special = copy.special || named;
    return add_one(a, &copy, implied);
}

/* The class BertTokenizer calls its tokens [UNK] [SEP] [PAD] [CLS] [MASK] unless told otherwise. */
static Status add_named(Adding *a, TokenizerFiles *f)
{
    for (int i = 0; i < NAMED_TOKENS; i++) {
        AddedToken *token = &f->named[i];
        bool implied = !token->content && !f->none[i] && names[i].content && !f->whole;
        if (implied) {
            *token = (AddedToken){.declared = -1, .special = true, .length = strlen(names[i].content),
                                  .file = "vocab.txt"};
            token->content = copy_of(names[i].content, token->length);
            if (!token->content) return fail(a->e, BERT_SYSTEM, "out of memory for added tokens");
        }
        Status s = add_missing(a, token, true, implied);
        if (s) return s;
    }
    return BERT_OK;
}

static Status add_list(Adding *a, const AddedList *list, bool named)
{
    for (size_t i = 0; i < list->count; i++) {
        Status s = add_missing(a, &list->items[i], named, false);
        if (s) return s;
    }
    return BERT_OK;
}

/* The id of a named token, or -1. */
static int named_id(const Tokenizer *t, const TokenizerFiles *f, int which)
{
    const AddedToken *name = &f->named[which];
    const AddedToken *token = name->content ? added_find(&t->vocabulary->added, name->content, name->length) : NULL;
    return token ? token->id : -1;
}

/* Is [SEP] one of the tokens that the files name (sep_token, eos_token, extra_special_tokens ...)? A tokenizer.json alone
 * has it in its template only. */
static bool names_sep(const Tokenizer *t, const TokenizerFiles *f)
{
    const AddedList *formerly = f->additional.count ? &f->additional : &f->map_additional;
    const AddedList *const lists[] = {&f->own, f->extra.count ? &f->extra : formerly};
    if (t->sep_id < 0) return false;
    for (int i = 0; i < NAMED_TOKENS; i++)
        if (named_id(t, f, i) == t->sep_id) return true;
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->count; i++) {
            const AddedToken *token = &lists[l]->items[i];
            const AddedToken *there = added_find(&t->vocabulary->added, token->content, token->length);
            if (there && there->id == t->sep_id) return true;
        }
    return false;
}

/* WordPiece's [UNK] is a piece: an added token would not do. [CLS] and [SEP] come from the template where the class
 * takes everything from tokenizer.json. */
static void take_named(Tokenizer *t, const TokenizerFiles *f)
{
    const AddedToken *unk = &f->named[TOKEN_UNK];
    t->pad_id = named_id(t, f, TOKEN_PAD);
    t->mask_id = named_id(t, f, TOKEN_MASK);
    t->cls_id = f->whole ? f->cls_id : named_id(t, f, TOKEN_CLS);
    t->sep_id = f->whole ? f->sep_id : named_id(t, f, TOKEN_SEP);
    t->sep_named = names_sep(t, f);
    t->cls_null = f->none_by[TOKEN_CLS];
    t->sep_null = f->none_by[TOKEN_SEP];
    if (f->whole) t->unk_id = vocabulary_id(t->vocabulary, f->unk, strlen(f->unk));
    else t->unk_id = unk->content ? vocabulary_id(t->vocabulary, unk->content, unk->length) : -1;
}

/* Ids behind the last piece get a piece of their own: their text, and none where no token has the id. */
static Status extend_pieces(Tokenizer *t, Error *e)
{
    Vocabulary *v = t->vocabulary;
    size_t count = (size_t)v->count, bytes;
    for (size_t i = 0; i < v->added.count; i++) {
        const int id = v->added.items[i].id;
        if (id >= 0 && (size_t)id >= count) count = (size_t)id + 1;
    }
    if (count > (size_t)v->count) {
        struct Piece *pieces = size_mul(count, sizeof *pieces, &bytes) ? realloc(v->pieces, bytes) : NULL;
        if (!pieces) return fail(e, BERT_SYSTEM, "out of memory for added tokens");
        v->pieces = pieces;
        for (size_t i = (size_t)v->count; i < count; i++) pieces[i] = (struct Piece){"", 0};
    }
    for (size_t i = 0; i < v->added.count; i++) {
        const AddedToken *token = &v->added.items[i];
        if (token->id >= 0 && v->pieces[token->id].length == 0)
            v->pieces[token->id] = (struct Piece){token->content, token->length};
    }
    t->V = (int)count;
    return BERT_OK;
}

Status added_resolve(Tokenizer *t, TokenizerFiles *f, Error *e)
{
    Adding a = {t->vocabulary, f, 0, e};
    Status s = BERT_OK;
    if (f->whole) {                                                 /* tokenizer.json's own come first, as they stand */
        begin_adding(&a);
        for (size_t i = 0; !s && i < f->added.count; i++) s = add_one(&a, &f->added.items[i], false);
    }
    for (size_t i = 0; !s && !f->whole && !f->has_decoder && i < f->added.count; i++) {
        AddedToken *there = added_find(&f->decoder, f->added.items[i].content, f->added.items[i].length);
        if (there && there->declared == f->added.items[i].declared) take_flags(there, &f->added.items[i]);
        else s = added_append(&f->decoder, &f->added.items[i], e);
    }
    begin_adding(&a);
    if (!s) s = add_decoder(&a, &f->decoder);
    if (!s) s = add_named(&a, f);
    if (!s) s = add_list(&a, &f->own, true);
    const AddedList *formerly = f->additional.count ? &f->additional : &f->map_additional;
    if (!s) s = add_list(&a, f->extra.count ? &f->extra : formerly, false);
    if (s) return s;
    take_named(t, f);
    s = extend_pieces(t, e);
    if (s || (t->cls_id < t->V && t->sep_id < t->V)) return s;
    return fail(e, BERT_FILE, "%s/tokenizer.json: post_processor: found the ids %d and %d, expected 0 to %d",
                f->directory, t->cls_id, t->sep_id, t->V - 1);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The search
 * ------------------------------------------------------------------------------------------------------------------ */
bool is_word_character(uint32_t code)
{
    return unicode_in(unicode_word, UNICODE_COUNT(unicode_word), code);
}

/* Byte by byte, the shorter of two with a common beginning first. */
static int pattern_order(const AddedToken *x, const AddedToken *y)
{
    size_t n = x->pattern_length < y->pattern_length ? x->pattern_length : y->pattern_length;
    int order = memcmp(x->pattern, y->pattern, n);
    return order ? order : (x->pattern_length > y->pattern_length) - (x->pattern_length < y->pattern_length);
}

static int by_pattern(const void *a, const void *b)
{
    const AddedToken *x = *(AddedToken *const *)a, *y = *(AddedToken *const *)b;
    const int order = pattern_order(x, y);
    return order ? order : x->place < y->place ? -1 : x->place > y->place;
}

/* White space at the front, which a token with rstrip before it may have taken already. */
static bool begins_white(const AddedToken *token)
{
    uint32_t code;
    return utf8_decode(token->pattern, token->pattern_length, &code) && unicode_is_white(code);
}

/* A list of patterns, sorted. Two that are equal, or an empty one, could be found in more than one way. */
static Status sort_patterns(struct Patterns *p, const char *directory, Error *e)
{
    bool strips = false;
    if (p->count) qsort(p->sorted, p->count, sizeof *p->sorted, by_pattern);
    for (size_t i = 0; i < p->count; i++) strips = strips || p->sorted[i]->rstrip;
    for (size_t i = 0; i < p->count; i++) {
        const AddedToken *token = p->sorted[i];
        if (token->pattern_length == 0)
            return fail(e, BERT_FILE, "%s/%s: nothing is left of the added token '%s' after normalization", directory,
                        token->file, token->content);
        if (i && pattern_order(p->sorted[i - 1], token) == 0)
            return fail(e, BERT_FILE, "%s/%s: the added tokens '%s' and '%s' are the same after normalization",
                        directory, token->file, p->sorted[i - 1]->content, token->content);
        if (strips && begins_white(token))
            return fail(e, BERT_FILE, "%s/%s: the added token '%s' begins with white space, and another one has "
                        "rstrip: not supported", directory, token->file, token->content);
        p->first[(unsigned char)token->pattern[0]] = true;
    }
    return BERT_OK;
}

Status added_prepare(Tokenizer *t, const char *directory, Error *e)
{
    Vocabulary *v = t->vocabulary;
    for (int list = 0; list < 2; list++) {
        if (v->added.count) v->patterns[list].sorted = calloc(v->added.count, sizeof *v->patterns[list].sorted);
        if (v->added.count && !v->patterns[list].sorted) return fail(e, BERT_SYSTEM, "out of memory for added tokens");
    }
    for (size_t i = 0; i < v->added.count; i++) {
        AddedToken *token = &v->added.items[i];
        if (!token->normalized) {
            token->pattern = token->content;
            token->pattern_length = token->length;
        }
        struct Patterns *p = &v->patterns[token->normalized];
        p->sorted[p->count++] = token;
    }
    Status s = sort_patterns(&v->patterns[0], directory, e);
    return s ? s : sort_patterns(&v->patterns[1], directory, e);
}

void added_begin(AddedSearch *s, const Vocabulary *v, int list)
{
    *s = (AddedSearch){&v->patterns[list], 0, v->patterns[list].count, 0, NULL};
}

/* The first pattern of [low, high) whose byte at `depth` is at least `byte`; one that ends there is less. */
static size_t lower_bound(const AddedSearch *s, int byte)
{
    size_t low = s->low, high = s->high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const AddedToken *token = s->patterns->sorted[middle];
        int there = token->pattern_length > s->depth ? (unsigned char)token->pattern[s->depth] : -1;
        if (there < byte) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Each byte leaves fewer patterns, which stand side by side. The one that is complete is the first of them. */
bool added_byte(AddedSearch *s, char byte)
{
    size_t low = lower_bound(s, (unsigned char)byte), high = lower_bound(s, (unsigned char)byte + 1);
    s->low = low;
    s->high = high;
    s->depth++;
    if (low < high && s->patterns->sorted[low]->pattern_length == s->depth) s->found = s->patterns->sorted[low];
    return low < high;
}
