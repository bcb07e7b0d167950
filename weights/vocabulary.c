/* vocabulary.c - reads vocab.txt and tokenizer_config.json: what the tokenizer must know about a model.
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
int tokenizer_id(const Tokenizer *t, const char *piece, size_t length)
{
    return find_slot(t->vocabulary, piece, length, hash_of(piece, length))->next_id - 1;
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

/* Five comparisons: no token of the five begins with another one, so that the first that fits is the one.
 * Their text is taken from the vocabulary, as it stands there. */
int vocabulary_special(const Tokenizer *t, const char *bytes, size_t size, size_t *length)
{
    const int ids[] = {t->pad_id, t->unk_id, t->cls_id, t->sep_id, t->mask_id};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        const struct Piece *p = &t->vocabulary->pieces[ids[i]];
        *length = p->length;
        if (p->length <= size && memcmp(bytes, p->bytes, p->length) == 0) return ids[i];
    }
    return -1;
}

/* Room for as many pieces as the file has lines, and for at least twice as many slots.
 * Why: size_mul and size_add, here as everywhere: a size that came from a file may not wrap around to a small one. */
static Status vocabulary_new(Vocabulary *v, const FileView *file, Error *e)
{
    size_t lines = 1, slots = 2, bytes = 0, text = 0;
    for (size_t i = 0; i < file->size; i++) lines += file->data[i] == '\n';     /* the last line may lack its LF */
    if (lines > LINES_LIMIT)
        return fail(e, BERT_FILE, "%s: found more than %d lines, expected a vocabulary", file->path, LINES_LIMIT);
    while (slots < 2 * lines) slots *= 2;                           /* a power of two, so that `& mask` cuts a number */
    if (size_mul(lines, sizeof *v->pieces, &bytes)) v->pieces = malloc(bytes);
    if (size_add(file->size, 1, &text)) v->text = malloc(text);
    v->slots = calloc(slots, sizeof *v->slots);
    v->mask = slots - 1;
    if (!v->pieces || !v->text || !v->slots) return fail(e, BERT_SYSTEM, "%s: out of memory", file->path);
    if (file->size) memcpy(v->text, file->data, file->size);
    return BERT_OK;
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

/* Puts the last piece into its slot.
 * Trap: whoever knows the hash can write pieces that all want one slot: a million of them would take minutes to read,
 *       since each goes past all before it. In Google's vocabularies a piece passes 0.4 slots; 32 for each, and
 *       65,536 to begin with, happen by intention only. */
static Status put_piece(Vocabulary *v, const char *path, Error *e)
{
    const struct Piece *p = &v->pieces[v->count - 1];
    uint64_t hash = hash_of(p->bytes, p->length);
    struct Slot *slot = find_slot(v, p->bytes, p->length, hash);
    v->detours += ((size_t)(slot - v->slots) - (size_t)hash) & v->mask;
    if (v->detours > 65536 + 32 * (size_t)v->count)
        return fail(e, BERT_FILE, "%s: line %d: found pieces that were chosen to have one hash, expected a vocabulary",
                    path, v->count);
    *slot = (struct Slot){v->count, (uint32_t)(hash >> 32)};        /* of two equal pieces the last one wins */
    return BERT_OK;
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
    note_length(v, v->text + at, end - at);
    *next = i + 1;
    return put_piece(v, path, e);
}

/* The id of a piece that no BERT vocabulary lacks.
 * Trap: [CLS] is 101 in Google's vocabularies and something else in others. It is looked up, never assumed. */
static Status need(const Tokenizer *t, const char *path, const char *piece, int *id, Error *e)
{
    *id = tokenizer_id(t, piece, strlen(piece));
    if (*id >= 0) return BERT_OK;
    return fail(e, BERT_FILE, "%s: %d lines, but none is %s: not a BERT vocabulary", path, t->V, piece);
}

/* All of vocab.txt. What was allocated when something failed is given back by tokenizer_load. */
static Status vocabulary_load(Tokenizer *t, const char *path, Error *e)
{
    FileView file;
    Status s = file_open(&file, path, e);
    if (s) return s;
    s = refuse_bom(path, file.data, file.size, e);      /* it would be a part of the first piece, which is [PAD] */
    if (!s) t->vocabulary = calloc(1, sizeof *t->vocabulary);
    if (!s && !t->vocabulary) s = fail(e, BERT_SYSTEM, "%s: out of memory", path);
    if (!s) s = vocabulary_new(t->vocabulary, &file, e);
    for (size_t at = 0; !s && at < file.size;) s = add_line(t->vocabulary, path, at, file.size, &at, e);
    file_close(&file);
    if (s) return s;
    t->V = t->vocabulary->count;                                    /* bert.c compares it with the embedding table */
    if ((s = need(t, path, "[PAD]", &t->pad_id, e)) || (s = need(t, path, "[UNK]", &t->unk_id, e)) ||
        (s = need(t, path, "[CLS]", &t->cls_id, e)) || (s = need(t, path, "[SEP]", &t->sep_id, e)))
        return s;
    return need(t, path, "[MASK]", &t->mask_id, e);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Cased or uncased? The weights do not say, and the wrong answer gives plausible nonsense: the commonest silent error.
 * ------------------------------------------------------------------------------------------------------------------ */

/* A piece with a capital letter was learned from text that kept them. [CLS], [unused0] and the like do not count. */
bool vocabulary_has_capitals(const Tokenizer *t)
{
    const Vocabulary *v = t->vocabulary;
    for (int id = 0; id < v->count; id++) {
        const struct Piece *p = &v->pieces[id];
        if (p->length > 1 && p->bytes[0] == '[' && p->bytes[p->length - 1] == ']') continue;
        uint32_t code = 0;
        for (size_t i = 0; i < p->length; i += utf8_decode(p->bytes + i, p->length - i, &code))
            if (utf8_decode(p->bytes + i, p->length - i, &code) && unicode_lower(code) != code) return true;
    }
    return false;
}

/* A value that is true, false or null; null leaves *value alone and *given false. Anything else, 1 or "true", is an
 * error rather than a guess. */
static Status read_flag(JsonReader *j, bool *value, bool *given, Error *e)
{
    if (json_peek(j) == 'n') return json_skip(j, e);
    *given = true;
    return json_bool(j, value, e);
}

/* tokenizer_config.json: do_lower_case, strip_accents (null: as do_lower_case) and tokenize_chinese_chars; every other
 * key is passed over.
 * Trap: sentence-transformers directories have a second do_lower_case, in sentence_bert_config.json, which is often
 *       false for an uncased model. It is about something else, and not read. */
static Status read_config(Tokenizer *t, const char *path, bool *case_given, bool *accents_given, Error *e)
{
    FileView file;
    JsonReader j;
    char key[256];
    bool more, given = false;
    Status s = file_open(&file, path, e);
    if (s) return s;
    s = json_open(&j, path, file.data, file.size, 0, e);
    while (!s && !(s = json_next_key(&j, key, sizeof key, &more, e)) && more) {
        if (!strcmp(key, "do_lower_case")) s = read_flag(&j, &t->lower_case, case_given, e);
        else if (!strcmp(key, "strip_accents")) s = read_flag(&j, &t->strip_accents, accents_given, e);
        else if (!strcmp(key, "tokenize_chinese_chars")) s = read_flag(&j, &t->chinese_chars, &given, e);
        else s = json_skip(&j, e);
    }
    if (!s) s = json_end(&j, e);
    file_close(&file);
    return s;
}

/* Settles the case: the caller first, then the file, then the vocabulary.
 * Differs: Hugging Face takes a missing do_lower_case for true. A cased vocabulary without that file would then never
 *          see a capital letter again. */
static void decide_case(Tokenizer *t, CaseChoice choice, bool file_says)
{
    const char *source = "tokenizer_config.json";                   /* kept for -v: the user must be able to ask */
    if (choice != CASE_AUTO) {
        t->lower_case = choice == CASE_UNCASED;
        source = t->lower_case ? "--uncased" : "--cased";
    } else if (!file_says) {
        t->lower_case = !vocabulary_has_capitals(t);
        source = t->lower_case ? "vocab.txt has no capital letters" : "vocab.txt has capital letters";
    }
    memcpy(t->case_source, source, strlen(source) + 1);
}

/* vocab.txt, then tokenizer_config.json if there is one, then the case. `t` is empty again after a failure. */
Status tokenizer_load(Tokenizer *t, const char *directory, CaseChoice choice, Error *e)
{
    bool case_given = false, accents_given = false;
    size_t capacity;
    *t = (Tokenizer){.chinese_chars = true};                        /* all models have it, unless their file says no */
    char *path = size_add(strlen(directory), sizeof "/tokenizer_config.json", &capacity) ? malloc(capacity) : NULL;
    if (!path) return fail(e, BERT_SYSTEM, "out of memory");
    snprintf(path, capacity, "%s/vocab.txt", directory);
    Status s = vocabulary_load(t, path, e);
    snprintf(path, capacity, "%s/tokenizer_config.json", directory);
    if (!s && file_exists(directory, "tokenizer_config.json")) s = read_config(t, path, &case_given, &accents_given, e);
    free(path);
    if (s) {
        tokenizer_free(t);
        return s;
    }
    decide_case(t, choice, case_given);
    if (!accents_given) t->strip_accents = t->lower_case;           /* as in the original: the two go together */
    return BERT_OK;
}

/* Also for a tokenizer that was loaded in part, or not at all but zeroed. */
void tokenizer_free(Tokenizer *t)
{
    if (t->vocabulary) {
        free(t->vocabulary->text);
        free(t->vocabulary->pieces);
        free(t->vocabulary->slots);
    }
    free(t->vocabulary);
    *t = (Tokenizer){0};
}
