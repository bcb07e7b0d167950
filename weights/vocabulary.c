/* vocabulary.c - reads vocab.txt, and makes a tokenizer of what a directory's files say: the pieces, the case, the
 * added tokens. (The JSON files are read by tokenizer_json.c, the added tokens are found by added.c.)
 *
 *     vocab.txt, one piece a line; its id is the number of its line, from 0:   0 [PAD] ... 101 [CLS] ... 2924 bank ...
 *
 * Ids by text: a hash table with open addressing. A piece is turned into a number (FNV-1a); that number, cut to the
 * size of the table, is the slot where its id belongs. If another piece sits there, it takes the next free slot. To
 * look a piece up, start at its slot and go on until it is found or an empty slot says that it is not there:
 *
 *     slot     ...  17    18     19     20        "bank" hashes to 17, which "the" has taken: it went to 18.
 *              ...  the   bank   ----   river     "bonk" hashes to 18: that is "bank", 19 is empty, so: not there.
 *
 * At least half of the slots stay empty, so this takes one or two steps.
 *
 * The file is taken as hostile: checked sizes, checked UTF-8, nothing assumed about what its lines hold.
 */
#include "weights/vocabulary.h"
#include "weights/unicode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* As many as config.json may name: so the memory is bounded, at some 50 bytes a line, before any is asked for. */
enum { LINES_LIMIT = 1 << 24 };

/* FNV-1a, 64 bits (Fowler, Noll, Vo): for each byte an exclusive or, and a product with a prime that spreads its bits.
 * Nothing depends on its value but how often two pieces want the same slot. */
#define HASH_OF_NOTHING 0xCBF29CE484222325u
static uint64_t hash_add(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001B3u;
}

static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = HASH_OF_NOTHING;
    for (size_t i = 0; i < length; i++) hash = hash_add(hash, bytes[i]);
    return hash;
}

/* The slot that holds the piece, or the empty one where it belongs. It ends, because there are empty slots.
 *
 * Why: a slot keeps the other half of its piece's hash. The piece itself, elsewhere in memory, is looked at only if the
 *      halves agree, which is hardly ever in vain. */
static struct Slot *find_slot(const Vocabulary *v, const char *bytes, size_t length, uint64_t hash)
{
    size_t place = hash & v->mask;
    for (struct Slot *slot = &v->slots[place]; slot->next_id; slot = &v->slots[place]) {
        const struct Piece *p = &v->pieces[slot->next_id - 1];
        if (slot->half == hash >> 32 && p->length == length && memcmp(p->bytes, bytes, length) == 0) break;
        place = (place + 1) & v->mask;                              /* after the last slot comes the first */
    }
    return &v->slots[place];
}

/* An empty slot is all zero, and a taken one holds the id + 1: so the answer is the id, or -1. */
int vocabulary_id(const Vocabulary *v, const char *piece, size_t length)
{
    return find_slot(v, piece, length, hash_of(piece, length))->next_id - 1;
}

/* A piece, or else a token that was added. */
int tokenizer_id(const Tokenizer *t, const char *piece, size_t length)
{
    int id = vocabulary_id(t->vocabulary, piece, length);
    const AddedToken *token = id < 0 ? added_find(&t->vocabulary->added, piece, length) : NULL;
    return token ? token->id : id;
}

/* longest_piece_ref's search (tokenizer.c), with the same result.
 *
 * Why: it starts at the length of the longest piece with that first byte: at most 18 in Google's vocabularies, and few
 *      for most scripts. So the time per character is bounded, however long the word.
 * Why: a hash grows byte by byte, so that those of all beginnings of a word cost one pass over it. Most words are a
 *      piece and are found at the first look-up. */
int longest_piece(const Tokenizer *t, const char *bytes, size_t prefix, size_t size, size_t *length)
{
    const Vocabulary *v = t->vocabulary;
    uint64_t hashes[LONGEST_TEXT + 1];                              /* [n]: of the first n bytes */
    assert(prefix < size && size <= LONGEST_TEXT);
    hashes[0] = HASH_OF_NOTHING;
    size_t n = v->longest[prefix > 0][(unsigned char)bytes[prefix]];
    if (n > size) n = size;
    for (size_t i = 0; i < n; i++) hashes[i + 1] = hash_add(hashes[i], bytes[i]);
    for (; n > prefix; n--) {
        if (n < size && (bytes[n] & 0xC0) == 0x80) continue;        /* the next byte belongs to the last character */
        int id = find_slot(v, bytes, n, hashes[n])->next_id - 1;
        *length = n;
        if (id >= 0) return id;
    }
    return -1;
}

/* The other direction needs no search: ids are 0 to V-1, so they are indices. */
const char *tokenizer_piece(const Tokenizer *t, int id)
{
    assert(id >= 0 && id < t->V);
    return t->vocabulary->pieces[id].bytes;
}

/* Empty pieces at the end, as an empty last line of vocab.txt makes one, and tokens that were added need no row until
 * they are used. */
int tokenizer_rows(const Tokenizer *t)
{
    int rows = t->vocabulary->count;
    while (rows > 0 && t->vocabulary->pieces[rows - 1].length == 0) rows--;
    return rows;
}

/* At least twice as many slots as pieces.
 * Why: size_mul and size_add, here as everywhere: a size that came from a file may not wrap around to a small one. */
Status vocabulary_start(Vocabulary *v, const char *path, size_t count, size_t ids, size_t bytes, Error *e)
{
    size_t slots = 2, size = 0;
    if (count > LINES_LIMIT)
        return fail(e, BERT_FILE, "%s: found more than %d lines, expected a vocabulary", path, LINES_LIMIT);
    while (slots < 2 * count) slots *= 2;                           /* a power of two, so that `& mask` cuts a number */
    v->pieces = calloc(ids, sizeof *v->pieces);
    if (size_add(bytes, 1, &size)) v->text = malloc(size);
    v->slots = calloc(slots, sizeof *v->slots);
    v->mask = slots - 1;
    v->ids = ids;
    if (!v->pieces || !v->text || !v->slots) return fail(e, BERT_SYSTEM, "%s: out of memory", path);
    return BERT_OK;
}

/* Room for as many pieces as the file has lines. */
static Status start_lines(Vocabulary *v, const FileView *file, Error *e)
{
    size_t lines = 1;
    for (size_t i = 0; i < file->size; i++) lines += file->data[i] == '\n';     /* the last line may lack its LF */
    Status s = vocabulary_start(v, file->path, lines, lines, file->size, e);
    if (!s && file->size) memcpy(v->text, file->data, file->size);
    return s;
}

/* "##bed" is noted under "#" for those who look for a piece, and under "b" for those who look for one with ##. */
static void note_length(Vocabulary *v, const char *piece, size_t length)
{
    for (size_t prefix = 0; prefix <= 2 && prefix < length; prefix += 2) {
        size_t *longest = &v->longest[prefix > 0][(unsigned char)piece[prefix]];
        if (prefix && memcmp(piece, "##", prefix)) continue;
        if (length > *longest) *longest = length;
    }
}

/* Puts the piece into its slot.
 * Trap: whoever knows the hash can write pieces that all want one slot: a million of them would take minutes to read,
 *       since each goes past all before it. In Google's vocabularies a piece passes 0.4 slots; 32 for each, and
 *       65,536 to begin with, happen by intention only. */
static Status put_piece(Vocabulary *v, const char *path, int id, Error *e)
{
    const struct Piece *p = &v->pieces[id];
    uint64_t hash = hash_of(p->bytes, p->length);
    struct Slot *slot = find_slot(v, p->bytes, p->length, hash);
    v->detours += ((size_t)(slot - v->slots) - (size_t)hash) & v->mask;
    if (v->detours > 65536 + 32 * (size_t)v->count)
        return fail(e, BERT_FILE, "%s: line %d: found pieces that were chosen to have one hash, expected a vocabulary",
                    path, id + 1);
    v->distinct += slot->next_id == 0;
    *slot = (struct Slot){id + 1, (uint32_t)(hash >> 32)};          /* of two equal pieces the last one wins */
    note_length(v, p->bytes, p->length);
    return BERT_OK;
}

/* A piece of tokenizer.json, where ids may come in any order. Some may be missing (as where lines of a vocab.txt were
 * equal), but not so many that a small file asks for much memory. */
Status vocabulary_add(Vocabulary *v, const char *path, const char *bytes, size_t length, int64_t id, Error *e)
{
    if (id < 0 || (uint64_t)id >= v->ids)
        return fail(e, BERT_FILE, "%s: model.vocab: '%.64s' has id %lld, expected 0 to %zu", path, bytes, (long long)id,
                    v->ids - 1);
    if (v->pieces[id].bytes || vocabulary_id(v, bytes, length) >= 0)
        return fail(e, BERT_FILE, "%s: model.vocab: '%.64s', id %lld: found twice", path, bytes, (long long)id);
    memcpy(v->text + v->used, bytes, length + 1);                   /* with its NUL: the file has quotation marks */
    v->pieces[id] = (struct Piece){v->text + v->used, length};
    v->used += length + 1;
    if (id >= v->count) v->count = (int)id + 1;
    return put_piece(v, path, (int)id, e);
}

/* Adds the piece that starts at `at` and ends before the next LF, without white space at its end; *next: the next line.
 * Trap: only LF ends a line. Readers that also cut at U+0085 or U+2028 shift the ids of all later pieces. */
static Status add_line(Vocabulary *v, const char *path, size_t at, size_t size, size_t *next, Error *e)
{
    size_t i = at, end = at;
    for (uint32_t code; i < size && v->text[i] != '\n';) {
        size_t n = utf8_decode(v->text + i, size - i, &code);
        if (n == 0) return fail(e, BERT_FILE, "%s: byte %zu: 0x%02X is not valid UTF-8",
                                path, i + 1, (unsigned)(unsigned char)v->text[i]);
        i += n;
        if (!unicode_is_white(code)) end = i;                       /* also leaves the CR of a CRLF out */
    }
    v->text[end] = '\0';                                            /* over the LF, or in the one byte more */
    v->pieces[v->count++] = (struct Piece){v->text + at, end - at};
    *next = i + 1;
    return put_piece(v, path, v->count - 1, e);
}

/* All of vocab.txt. What was allocated when something failed is given back by tokenizer_load. */
static Status read_vocab_txt(Vocabulary *v, const char *path, Error *e)
{
    FileView file;
    Status s = file_open(&file, path, e);
    if (s) return s;
    s = refuse_bom(path, file.data, file.size, e);      /* it would be a part of the first piece, which is [PAD] */
    if (!s) s = start_lines(v, &file, e);
    for (size_t at = 0; !s && at < file.size;) s = add_line(v, path, at, file.size, &at, e);
    file_close(&file);
    return s;
}

static bool is_white(const struct Piece *p)
{
    uint32_t code = ' ';
    size_t n = 1;
    for (size_t i = 0; n && i < p->length && unicode_is_white(code); i += n)
        n = utf8_decode(p->bytes + i, p->length - i, &code);
    return unicode_is_white(code);
}

/* vocab.txt beside tokenizer.json: each line must be the piece with its number. An empty one, and one that comes again,
 * are not in tokenizer.json. */
static Status compare_pieces(const Vocabulary *v, const Vocabulary *lines, const char *directory, Error *e)
{
    for (int id = 0; id < lines->count || id < v->count; id++) {
        const struct Piece none = {"", 0};
        const struct Piece *a = id < lines->count ? &lines->pieces[id] : &none;
        const struct Piece *b = id < v->count && v->pieces[id].bytes ? &v->pieces[id] : &none;
        bool same = a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
        if (same || (b->length == 0 && vocabulary_id(lines, a->bytes, a->length) != id)) continue;
        if (a->length == 0 && is_white(b)) continue;                /* a line is read without white space at its end */
        return fail(e, BERT_FILE, "%s/vocab.txt, line %d: found '%.64s', but tokenizer.json has '%.64s': they do not "
                    "belong together", directory, id + 1, a->bytes, b->bytes);
    }
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Cased or uncased? The weights do not say, and the wrong answer gives plausible nonsense: the commonest silent error.
 * ------------------------------------------------------------------------------------------------------------------ */

/* [CLS], <URL> and the like are names, and say nothing of the text. */
static bool is_bracketed(const struct Piece *p)
{
    const char first = p->length > 1 ? p->bytes[0] : 0, last = p->length > 1 ? p->bytes[p->length - 1] : 0;
    return (first == '[' && last == ']') || (first == '<' && last == '>');
}

static bool has_capital(const struct Piece *p)
{
    uint32_t code = 0;
    for (size_t i = 0; i < p->length; i += utf8_decode(p->bytes + i, p->length - i, &code))
        if (utf8_decode(p->bytes + i, p->length - i, &code) && unicode_lower(code) != code) return true;
    return false;
}

/* Is the first character none of ASCII's digits and marks? */
static bool is_letter(const struct Piece *p)
{
    const unsigned char c = (unsigned char)p->bytes[0];
    return c >= 0x80 || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* A piece with a capital letter was learned from text that kept them. */
bool vocabulary_has_capitals(const Tokenizer *t)
{
    const Vocabulary *v = t->vocabulary;
    for (int id = 0; id < v->count; id++)
        if (!is_bracketed(&v->pieces[id]) && has_capital(&v->pieces[id])) return true;
    return false;
}

/* Are capital letters a habit of the vocabulary, or a few strays? Of the pieces with two characters or more, at least
 * one in fifty has one in a cased vocabulary (a third has, in Google's); where there are only single letters, as for
 * amino acids, one in ten.
 *
 * Trap: Google's Chinese vocabulary has ten stray capitals among 21,128 pieces, and is lower case. */
static bool has_many_capitals(const Tokenizer *t)
{
    const Vocabulary *v = t->vocabulary;
    size_t pieces[2] = {0}, capitals[2] = {0};                      /* [0]: of one character, [1]: of more */
    for (int id = 0; id < v->count; id++) {
        struct Piece p = v->pieces[id];
        if (p.length > 2 && p.bytes[0] == '#' && p.bytes[1] == '#') p = (struct Piece){p.bytes + 2, p.length - 2};
        size_t characters = 0;
        bool capital = false;
        for (size_t i = 0; i < p.length; i++) characters += (p.bytes[i] & 0xC0) != 0x80;
        if (characters == 0 || is_bracketed(&p) || !is_letter(&p)) continue;
        capital = has_capital(&p);
        pieces[characters > 1]++;
        capitals[characters > 1] += capital;
    }
    return pieces[1] ? 50 * capitals[1] >= pieces[1] : capitals[0] && 10 * capitals[0] >= pieces[0];
}

/* Settles the case: the caller first, then the files, then the pieces.
 * Differs: Hugging Face takes a missing do_lower_case for true. A cased vocabulary without tokenizer_config.json would
 *          then never see a capital letter again. */
static void decide_case(Tokenizer *t, const TokenizerFiles *f, CaseChoice choice)
{
    const Saying said = f->whole ? f->json_lower : f->lower_case;
    const char *source = f->whole ? "tokenizer.json" : "tokenizer_config.json";     /* kept for -v: users may ask */
    if (choice != CASE_AUTO) {
        t->lower_case = choice == CASE_UNCASED;
        source = t->lower_case ? "--uncased" : "--cased";
    } else if (said != UNSAID || f->has_json) {
        t->lower_case = said != SAID_NO;
        if (said == UNSAID) source = "tokenizer.json";
    } else {
        t->lower_case = !has_many_capitals(t);
        source = !t->lower_case ? "vocab.txt has capital letters" :
                 vocabulary_has_capitals(t) ? "vocab.txt has hardly any capital letters" :
                 "vocab.txt has no capital letters";
    }
    memcpy(t->case_source, source, strlen(source) + 1);
}

/* Refuses where the class takes a setting from tokenizer_config.json, which does not say it, and tokenizer.json says
 * something else than the class does by itself.
 * Differs: Hugging Face's library passes over what tokenizer.json says. */
static Status settle_setting(const TokenizerFiles *f, const char *key, const char *name, Saying config, Saying json,
                             Saying usual, Error *e)
{
    static const char *const words[] = {"null", "false", "true"};
    if (f->whole || !f->has_json || config != UNSAID || json == usual) return BERT_OK;
    return fail(e, BERT_FILE, "%s/tokenizer.json: normalizer.%s: found %s, but tokenizer_config.json, which decides "
                "for a BertTokenizer, has no %s", f->directory, key, words[json], name);
}

/* Does the tokenizer give the model no segments? model_input_names says so, else the class: a BertTokenizer gives them,
 * a DistilBertTokenizer and the classes that take all from tokenizer.json do not.
 * Source: model_input_names of the classes in transformers 5. */
static bool lacks_segments(const TokenizerFiles *f)
{
    if (f->segments != UNSAID) return f->segments == SAID_NO;
    return f->whole || !strncmp(f->class_name, "DistilBert", 10);
}

/* The settings: from tokenizer.json as a whole, or from tokenizer_config.json. */
static Status settle(Tokenizer *t, const TokenizerFiles *f, CaseChoice choice, Error *e)
{
    Status s = BERT_OK;
    if (choice == CASE_AUTO)
        s = settle_setting(f, "lowercase", "do_lower_case", f->lower_case, f->json_lower, SAID_YES, e);
    if (!s) s = settle_setting(f, "strip_accents", "strip_accents", f->strip_accents, f->json_strip, UNSAID, e);
    if (!s) s = settle_setting(f, "handle_chinese_chars", "tokenize_chinese_chars", f->chinese_chars, f->json_chinese,
                               SAID_YES, e);
    if (s) return s;
    const Saying strip = f->whole ? f->json_strip : f->strip_accents;
    const Saying chinese = f->whole ? f->json_chinese : f->chinese_chars;
    decide_case(t, f, choice);
    t->strip_accents = strip == UNSAID ? t->lower_case : strip == SAID_YES;     /* they go together in the original */
    t->chinese_chars = chinese != SAID_NO;                          /* all models have it, unless their file says no */
    t->truncate_left = f->truncate_left == SAID_YES;
    t->pad_left = f->pad_left == SAID_YES;
    t->plain = f->plain;
    t->no_segments = lacks_segments(f);
    t->max_length = f->max_length;
    t->longest_word = f->whole ? f->longest_word : 100;
    if (f->whole || f->longest_word == 100) return BERT_OK;
    return fail(e, BERT_FILE, "%s/tokenizer.json: model.max_input_chars_per_word: found %d, but a BertTokenizer has "
                "100", f->directory, f->longest_word);
}

/* A vocabulary without any of these is another kind of file. */
static Status expect_specials(const Tokenizer *t, const TokenizerFiles *f, Error *e)
{
    if (t->unk_id >= 0 || t->cls_id >= 0 || t->sep_id >= 0) return BERT_OK;
    return fail(e, BERT_FILE, "%s/%s: %d pieces, but none is [UNK], [CLS] or [SEP]: not a BERT vocabulary",
                f->directory, f->has_json ? "tokenizer.json" : "vocab.txt", t->vocabulary->count);
}

/* Reads directory/name by `f` if it is there. */
static Status read_if_any(TokenizerFiles *f, const char *name, char *path, size_t capacity,
                          Status (*read)(TokenizerFiles *f, const char *path, Error *e), Error *e)
{
    if (!file_exists(f->directory, name)) return BERT_OK;
    snprintf(path, capacity, "%s/%s", f->directory, name);
    return read(f, path, e);
}

/* The pieces: from tokenizer.json if it is there, else from vocab.txt. */
static Status read_pieces(Vocabulary *v, TokenizerFiles *f, char *path, size_t capacity, Error *e)
{
    const bool json = file_exists(f->directory, "tokenizer.json"), txt = file_exists(f->directory, "vocab.txt");
    if (f->whole && !json)
        return fail(e, BERT_FILE, "%s/%s: tokenizer_class: found '%s', which takes its pieces from tokenizer.json: "
                    "that is missing", f->directory, f->class_file, f->class_name);
    if (!json && !txt)
        return fail(e, BERT_FILE, "%s: found neither vocab.txt nor tokenizer.json, expected one of them: the pieces",
                    f->directory);
    snprintf(path, capacity, "%s/vocab.txt", f->directory);
    if (!json) return read_vocab_txt(v, path, e);
    Vocabulary *lines = calloc(1, sizeof *lines);           /* its table is larger than some stacks */
    if (!lines) return fail(e, BERT_SYSTEM, "out of memory for the pieces");
    Status s = txt ? read_vocab_txt(lines, path, e) : BERT_OK;
    snprintf(path, capacity, "%s/tokenizer.json", f->directory);
    if (!s) s = read_tokenizer_json(f, v, path, e);
    if (!s && txt) s = compare_pieces(v, lines, f->directory, e);
    for (int id = 0; !s && id < v->count; id++)
        if (!v->pieces[id].bytes) v->pieces[id].bytes = "";
    free(lines->text);
    free(lines->pieces);
    free(lines->slots);
    free(lines);
    return s;
}

/* Everything, in the order in which one thing depends on another. */
static Status load(Tokenizer *t, TokenizerFiles *f, CaseChoice choice, char *path, size_t capacity, Error *e)
{
    Status s = read_if_any(f, "tokenizer_config.json", path, capacity, read_tokenizer_config, e);
    if (!s && !*f->class_name) s = read_if_any(f, "config.json", path, capacity, read_class_of_config, e);
    if (!s) s = read_pieces(t->vocabulary, f, path, capacity, e);
    if (!s && !f->has_decoder)
        s = read_if_any(f, "special_tokens_map.json", path, capacity, read_special_tokens_map, e);
    if (!s && !f->has_decoder) s = read_if_any(f, "added_tokens.json", path, capacity, read_added_tokens, e);
    if (!s) s = settle(t, f, choice, e);
    if (!s) s = added_resolve(t, f, e);
    return s ? s : expect_specials(t, f, e);
}

Status pieces_load(Tokenizer *t, const char *directory, CaseChoice choice, Error *e)
{
    TokenizerFiles f = {.directory = directory, .cls_id = -1, .sep_id = -1, .longest_word = 100};
    size_t capacity;
    *t = (Tokenizer){.vocabulary = calloc(1, sizeof *t->vocabulary)};
    char *path = size_add(strlen(directory), sizeof "/special_tokens_map.json", &capacity) ? malloc(capacity) : NULL;
    Status s = path && t->vocabulary ? load(t, &f, choice, path, capacity, e) : fail(e, BERT_SYSTEM, "out of memory");
    if (!s) kinds_fill(t->vocabulary->kinds);
    free(path);
    tokenizer_files_free(&f);
    return s;
}

/* BERT's rules of steps 1 and 2, and no pieces. */
Status tokenizer_blank(Tokenizer *t, bool lower_case, Error *e)
{
    *t = (Tokenizer){.vocabulary = calloc(1, sizeof *t->vocabulary), .pad_id = -1, .unk_id = -1, .cls_id = -1,
                     .sep_id = -1, .mask_id = -1, .lower_case = lower_case, .strip_accents = lower_case,
                     .chinese_chars = true, .plain = true, .longest_word = 100};
    if (!t->vocabulary) return fail(e, BERT_SYSTEM, "out of memory");
    kinds_fill(t->vocabulary->kinds);
    return BERT_OK;
}

/* Also for a tokenizer that was loaded in part, or not at all but zeroed. */
void tokenizer_free(Tokenizer *t)
{
    if (t->vocabulary) {
        free(t->vocabulary->text);
        free(t->vocabulary->pieces);
        free(t->vocabulary->slots);
        free(t->vocabulary->patterns[0].sorted);
        free(t->vocabulary->patterns[1].sorted);
        added_list_free(&t->vocabulary->added);
    }
    free(t->vocabulary);
    *t = (Tokenizer){0};
}
