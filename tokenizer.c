/* tokenizer.c - steps 1 to 4: from text to the numbers that the model reads.
 *
 *     "Café, embeddings!"   1 clean        "cafe, embeddings!"
 *                           2 split        cafe   ,   embeddings   !
 *                           3 WordPiece    cafe   ,   em ##bed ##ding ##s   !
 *                           4 ids          101 7668 1010 7861 8270 4667 2015 999 102
 *
 * YOU ARE HERE   before everything else. Nothing in this file is learned, and there are no floats. But the model knows
 * its 30,522 pieces only as row numbers of its embedding table: a wrong id gives a wrong vector, and no error.
 *
 * The definition is Hugging Face's "fast" BERT tokenizer (`tokenizers` 0.23.3): ids and offsets are equal to its own on
 * every Unicode character and on random lines (tests/compare_tokenizer.py). Google's code [tf] and Hugging Face's older
 * one in Python differ from it for rare characters: see the notes that begin with `Differs:`.
 *
 * Text is bytes with a length: NUL is a character like any other, and no function asks for the locale. A stage reads an
 * array of characters and writes another. Each character carries the bytes [begin, end) of the text that it came from,
 * so in the end every token knows its place: the offsets.
 *
 * Why: the stages run on chunks of about TEXT_CHUNK characters, so that memory stays small and in the cache however
 *      long the line. The result is the same: a chunk ends only where no stage looks across (`starts_afresh`), and
 *      the one thing that goes on from chunk to chunk, the word that is being read, has its own place in `Pipeline`.
 *
 * Reading the vocabulary is in weights/vocabulary.c, what is known about characters in weights/unicode.h.
 */
#include "bert.h"
#include "weights/unicode.h"
#include "weights/vocabulary.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Characters in a chunk. As `Char`s they take 24 KB, so that the array before a stage and the one after it stay in the
 * L2 cache. */
enum { TEXT_CHUNK = 1024 };

/* A character on its way. The text "x\u00E9" (bytes 78 C3 A9) is three of them when it has been decomposed:
 *
 *     {'x', first, 0, 1}     {'e', first, 1, 3}     {U+0301, not first, 1, 3} */
typedef struct {
    uint32_t code;                  /* what the character is now: an e that was an E with accent */
    bool first;                     /* the first of those that one character of the text became: see sort_by_class */
    size_t begin, end;              /* the bytes of the text that it stands for: those of that E with accent */
} Char;

/* An array of characters that grows; it keeps its memory from chunk to chunk. */
typedef struct {
    Char *items;
    size_t count, capacity;
} CharList;

/* What each stage gave, for tokenize_trace: see "ALL STAGES, SHOWN". */
typedef struct {
    char *bytes;
    size_t length, capacity;
    size_t count;                   /* words of step 2, pieces of step 3 */
    bool failed;                    /* out of memory */
} StageText;
enum { AS_IT_CAME, CLEAN, IDEOGRAPHS, DECOMPOSE, SORT_MARKS, DROP_MARKS, LOWER_CASE, SPLIT, WORDPIECE, STAGES };

/* What one text's way through the steps needs. */
typedef struct {
    const Tokenizer *t;
    bool plain;                     /* special tokens in the text are plain text */
    CharList chars, next;           /* step 1: the chunk now, and after the next stage */
    Char word[LONGEST_WORD + 1];    /* step 2: the word being read; its last place stands for all letters behind */
    int letters;                    /* places of `word` that are taken; 0: between two words */
    size_t taken;                   /* bytes of the text that added tokens have taken: to the end of the last one */
    size_t barred;                  /* no added token is looked for before this byte */
    size_t run_end;                 /* the last run of marks that is_alone looked at: its end, */
    bool all_dropped;               /* and whether step 1 drops all of it */
    Encoding *out;                  /* step 3 appends here, step 4 puts it in order */
    StageText *stages;              /* (STAGES), or NULL where nothing is to be shown */
    WordSink *sink;                 /* split_text: takes the words, which step 3 then does not see; else NULL */
    void *context;
    Error *e;
} Pipeline;

/* With p->stages: notes what a stage gave. */
static void show(Pipeline *p, int stage, const Char *chars, size_t n);
static void show_piece(Pipeline *p, int stage, int id);

/* Makes room for n characters and keeps those that are there. (As everywhere, sizes are multiplied by size_mul: a
 * product that does not fit must not become a small block of memory.) */
static Status reserve(CharList *list, size_t n, Error *e)
{
    if (n <= list->capacity) return BERT_OK;
    size_t bytes;
    Char *items = size_mul(n, sizeof *items, &bytes) ? realloc(list->items, bytes) : NULL;
    if (!items) return fail(e, BERT_SYSTEM, "out of memory for %zu characters of text", n);
    list->items = items;
    list->capacity = n;
    return BERT_OK;
}

/* =====================================================================================================================
 * STEP 1 - clean: the many ways to write a word become one. [tf] BasicTokenizer, [hf] BertNormalizer.
 *
 *     "Caf\u00E9\tAU  lait\0"   ->   "cafe au  lait"
 *
 * Six stages, each a function from one array of characters to another; `normalize_text` lists them. An uncased model
 * has them all, a cased one keeps accents and capitals. `out` is empty and has room for whatever the stage can give.
 *
 * Why: the model has one vector for "cafe" and none for "Caf\u00E9". Spellings that are folded together share what was
 *      learned; others end as small pieces or as [UNK]. The folding must be that of the model's training.
 * Trap: the order counts. Deleting comes before white space, and all of it before the split: U+2260 (not equal) is no
 *       punctuation, but the "=" that it decomposes into is.
 * ================================================================================================================== */

/* Deletes NUL, U+FFFD and characters that cannot be seen; every white space becomes a space.
 *
 * Trap: TAB, LF and CR are control characters by category but white space by rule. VT, FF and U+0085 are white
 *       space, too (the property White_Space), but are deleted as control characters: "a\vb" is the one word "ab".
 *       A program that asks for white space first makes two words of it.
 * Trap: characters that Unicode 8.0 has not assigned stay, so that a new emoji is an [UNK] and does not vanish.
 * Differs: today's [tf] keeps characters for private use, U+E000 to U+F8FF; its first version deleted them, as here. */
static void clean(const CharList *in, CharList *out)
{
    for (size_t i = 0; i < in->count; i++) {
        Char c = in->items[i];
        bool kept = c.code == '\t' || c.code == '\n' || c.code == '\r';
        if (c.code == 0xFFFD || (unicode_is_other(c.code) && !kept)) continue;
        if (unicode_is_white(c.code)) c.code = ' ';
        out->items[out->count++] = c;
    }
}

/* The ideographs of Chinese, Japanese and Korean.
 *
 * Differs: the range that begins with 2B920 begins with 2B820 in Unicode and in [tf]. It is a slip in Hugging Face's
 *          code; we follow it, because ids are the contract. It concerns 256 rare ideographs.
 * Trap: kana, Hangul and U+3005 (which repeats an ideograph) are no ideographs: they join their neighbours. */
static const UnicodeRange ideographs[] = {
    {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0x20000, 0x2A6DF},
    {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F},
};
bool is_ideograph(uint32_t code)
{
    return unicode_in(ideographs, UNICODE_COUNT(ideographs), code);
}

/* Chinese is written without spaces: each ideograph gets one on both sides and so becomes a word of its own.
 *
 *     x U+4E2D U+6587 y  ->  x U+0020 U+4E2D U+0020 U+0020 U+6587 U+0020 y
 *
 * Two spaces in a row do no harm: step 2 makes no empty words. They have the bytes of their ideograph, and no token
 * ever gets these, since step 2 drops spaces. */
static void space_ideographs(const CharList *in, CharList *out)
{
    for (size_t i = 0; i < in->count; i++) {
        Char c = in->items[i], space = c;
        bool alone = is_ideograph(c.code);
        space.code = ' ';
        if (alone) out->items[out->count++] = space;
        out->items[out->count++] = c;
        if (alone) out->items[out->count++] = space;
    }
}

/* NFD (Unicode Standard Annex 15), first half: a letter with accents becomes the letter and its accents.
 *
 *     U+00E9 (e acute) -> e U+0301        U+1E69 (s with two dots) -> s U+0323 U+0307
 *     U+AC01 (a Korean syllable) -> U+1100 U+1161 U+11A8: the three sounds, which stay apart from here on
 *
 * All parts stand for the bytes of the whole. unicode_decompose gives the last parts at once (the s above in one step,
 * and not first its dot below); four of them are the most that a character has. */
static void decompose(const CharList *in, CharList *out)
{
    for (size_t i = 0; i < in->count; i++) {
        uint32_t to[4];
        size_t n = unicode_decompose(in->items[i].code, to);
        for (size_t k = 0; k < n; k++) {
            Char c = in->items[i];
            c.code = to[k];
            c.first = k == 0;
            out->items[out->count++] = c;
        }
    }
}

static void sort_by_class(const Char *in, Char *out, size_t n);     /* see "WHAT UNICODE DEMANDS" */

/* NFD, second half: the marks after a letter are put in order, so that the order of typing them makes no difference.
 *
 *     a U+0301 (class 230: above) U+0323 (class 220: below)   ->   a U+0323 U+0301
 *
 * Why: nearly all marks are dropped next, whatever their order; but not those that are newer than Unicode 8.0. */
static void sort_marks(const CharList *in, CharList *out)
{
    for (size_t i = 0; i < in->count; i++) {
        size_t n = 0;                               /* nearly always 0 or 1: only then is there nothing to sort */
        while (i + n < in->count && unicode_combining_class(in->items[i + n].code) > 0) n++;    /* length of a run */
        if (n > 1) sort_by_class(in->items + i, out->items + i, n);
        else if (n == 1) out->items[i] = in->items[i];
        i += n;
        if (i < in->count) out->items[i] = in->items[i];            /* class 0: where the next run can begin */
    }
    out->count = in->count;
}

/* Drops the marks: "resume" and "r\u00E9sum\u00E9" are one word to an uncased model.
 *
 * Trap: marks are category Mn of Unicode 8.0: more than U+0300 to U+036F, and less than in the newest Unicode.
 *       Hebrew points go; the keycap U+20E3 (enclosing, Me) and the vowels of Hindi that take room (Mc) stay.
 * Trap: a cased model skips the two halves of NFD as well. Its e with U+0301 and its U+00E9 are different words. */
static void drop_marks(const CharList *in, CharList *out)
{
    for (size_t i = 0; i < in->count; i++)
        if (!unicode_is_nonspacing(in->items[i].code)) out->items[out->count++] = in->items[i];
}

/* Lower case, one character at a time.
 *
 * Differs: Python's lower(), and with it [tf], writes the sigma that ends a Greek word as U+03C2. Here it is U+03C3.
 * Trap: the C library's tolower() knows bytes, and asks the locale. Neither is of use here. */
static void lower(const CharList *in, CharList *out)
{
    for (size_t i = 0; i < in->count; i++) {
        Char c = in->items[i];
        c.code = unicode_lower(c.code);
        out->items[out->count++] = c;
        if (in->items[i].code != 0x130) continue;
        c.code = 0x307;                             /* U+0130, the Turkish capital i, is the only one to become two */
        out->items[out->count++] = c;
    }
}

/* Takes the chunk through one stage, in which one character becomes at most `growth` characters. Then the two arrays
 * change places: the next stage reads what this one wrote. */
static Status stage(Pipeline *p, void (*f)(const CharList *in, CharList *out), size_t growth, int name)
{
    size_t room;
    if (!size_mul(p->chars.count, growth, &room)) return fail(p->e, BERT_SYSTEM, "the text is too long");
    Status s = reserve(&p->next, room, p->e);
    if (s) return s;
    CharList in = p->chars, out = p->next;          /* copies of the two structs, not of the characters */
    out.count = 0;
    f(&in, &out);
    p->chars = out;
    p->next = in;
    if (p->stages) show(p, name, out.items, out.count);
    return BERT_OK;
}

/* Step 1 as a whole, for one chunk. The names are those that `tokenize --trace` prints.
 *
 * Differs: [tf] lowers the case before it strips accents. The tokens are the same: for every character both orders give
 *          the same letters. (Only the sigma that ends a word makes a difference: see `lower`.)
 * Verify: test `where_googles_code_gives_other_tokens_hugging_face_is_followed` has an example for each `Differs:`. */
static Status normalize_text(Pipeline *p)
{
    const Tokenizer *t = p->t;
    if (p->stages) show(p, AS_IT_CAME, p->chars.items, p->chars.count);
    Status s = stage(p, clean, 1, CLEAN);
    if (!s && t->chinese_chars) s = stage(p, space_ideographs, 3, IDEOGRAPHS);
    if (!s && t->strip_accents) s = stage(p, decompose, 4, DECOMPOSE);
    if (!s && t->strip_accents) s = stage(p, sort_marks, 1, SORT_MARKS);
    if (!s && t->strip_accents) s = stage(p, drop_marks, 1, DROP_MARKS);
    if (!s && t->lower_case) s = stage(p, lower, 2, LOWER_CASE);
    return s;
}

/* =====================================================================================================================
 * STEP 2 - split: a space ends a word and vanishes; a punctuation mark is a word by itself.
 *
 *     "don't  stop!"   ->   don   '   t   stop   !
 *
 * The text cannot be put together again from this: how many spaces there were, and whether one stood before the "!", is
 * lost. Only the offsets remember.
 * ================================================================================================================== */
static Status end_word(Pipeline *p);                /* step 3 */

/* In ASCII, every character that is not a letter, digit, space or control character; beyond, the categories P* of
 * Unicode 8.0.
 *
 * Trap: "$", "+" and "~" split a word, although Unicode calls them symbols; the euro and the degree sign do not.
 *       "5$" is two words, "5\u20AC" is one.
 * The four ASCII ranges are ! to /, : to @, [ to ` and { to ~: what stands around the digits and the two alphabets. */
bool is_punctuation(uint32_t c)
{
    if (c < 0x80) return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7F);
    return unicode_is_punctuation(c);
}

/* A word of more than 100 characters (or what the files say, at most LONGEST_WORD) will be one [UNK]. Of its letters
 * behind LONGEST_WORD only the last one is remembered.
 * Why the last one: the [UNK] stands for all bytes of the word, and so needs to know where the word ends. */
static void add_letter(Pipeline *p, Char c)
{
    if (p->letters <= LONGEST_WORD) p->letters++;
    p->word[p->letters - 1] = c;
    if (p->stages) show(p, SPLIT, &p->word[p->letters - 1], 1);
}

/* Takes the next character that step 1 left. A word goes to step 3 as soon as its end is seen; the last one of a chunk
 * may go on in the next. All white space is U+0020 by now: step 1 has seen to that.
 *
 *     "it's "      i, t    letters: the word "it" grows
 *                  '       ends the word "it", and is a word that ends at once
 *                  s       a letter: the word "s"
 *                  space   ends the word "s", and is no letter of any word */
static inline Status split_as(Pipeline *p, Char c, bool punctuation)
{
    Status s = BERT_OK;
    if (punctuation || c.code == ' ') s = end_word(p);              /* the word before it */
    if (c.code != ' ') add_letter(p, c);
    if (!s && punctuation) s = end_word(p);                         /* the punctuation mark itself */
    return s;
}

static inline Status split(Pipeline *p, Char c)
{
    return split_as(p, c, is_punctuation(c.code));
}

/* =====================================================================================================================
 * STEP 3 - WordPiece: a word that is no piece of the vocabulary is cut into the longest pieces, from left to right.
 *
 *     a piece?   embeddings no, embedding no ... em yes     ##beddings no ... ##bed yes     ##dings no ... ##ding yes
 *                ##s yes     -> em ##bed ##ding ##s
 *
 * `##` marks a piece that continues a word: bed (2793) and ##bed (8270) are two rows of the embedding table.
 * Why pieces: 30,522 rows are enough for any word, because rare words are made of the pieces of common ones.
 * Taking the longest piece first is greedy: there may be a cut into fewer pieces. But the model was trained with it.
 * [paper] section 3; [tf] WordpieceTokenizer.
 *
 * Trap: a piece is looked up as it is. "characteristically" has no id of its own, only its pieces have: characteristic
 *       (8281) and ##ally (3973). Looking up the whole word gives -1 here; in Python it gives the id of [UNK], 100.
 * ================================================================================================================== */

/* Makes room for n tokens. The room is doubled each time, so that a million tokens cost 14 copies and not a million. */
static Status reserve_tokens(Encoding *out, size_t n, Error *e)
{
    int32_t **arrays[] = {&out->input_ids, &out->token_type_ids, &out->attention_mask};
    size_t twice = 2 * (size_t)out->capacity + 64, bytes;
    if (n > INT_MAX) return fail(e, BERT_TEXT, "%zu tokens, at most %d", n, INT_MAX);
    if (n <= (size_t)out->capacity && out->capacity > 0) return BERT_OK;
    if (n < twice) n = twice < INT_MAX ? twice : INT_MAX;
    /* realloc leaves the old block alone when it fails: each array is valid at any time, and freed by encoding_free. */
    bool enough = size_mul(n, sizeof *out->offsets, &bytes);
    void *p = enough && !out->no_offsets ? realloc(out->offsets, bytes) : NULL;
    if (p) out->offsets = p;
    enough = enough && (p || out->no_offsets);
    for (int k = 0; enough && k < 3; k++)
        if ((enough = (p = realloc(*arrays[k], n * sizeof **arrays[k])) != NULL)) *arrays[k] = p;
    if (!enough) return fail(e, BERT_SYSTEM, "out of memory for %zu tokens", n);
    out->capacity = (int)n;
    return BERT_OK;
}

/* Appends a token: its id and the bytes of the text that it stands for. Segment and mask come in step 4. */
static Status add_token(Pipeline *p, int id, size_t begin, size_t end)
{
    Encoding *out = p->out;
    Status s = reserve_tokens(out, (size_t)out->T + 1, p->e);
    if (s) return s;
    out->input_ids[out->T++] = id;
    if (!out->no_offsets) {
        out->offsets[out->T - 1][0] = begin;
        out->offsets[out->T - 1][1] = end;
    }
    if (p->stages) show_piece(p, WORDPIECE, id);
    return BERT_OK;
}

/* The search of WordPiece: the longest piece with which the `size` bytes begin. Its id, or -1 if not even the first
 * character is a piece; *length is its length in bytes, and more than `prefix`, which is 2 if the bytes begin with ##,
 * else 0. One character after the other is taken away from the end until what is left is a piece.
 *
 *     "##dings", prefix 2:   ##dings no, ##ding yes: its id, and *length = 6 */
int longest_piece_ref(const Tokenizer *t, const char *bytes, size_t prefix, size_t size, size_t *length)
{
    for (size_t n = size; n > prefix; n--) {
        if (n < size && (bytes[n] & 0xC0) == 0x80) continue;        /* the next byte belongs to the last character */
        int id = vocabulary_id(t->vocabulary, bytes, n);
        *length = n;
        if (id >= 0) return id;
    }
    return -1;
}

/* What runs is a faster search with the same result, longest_piece in weights/vocabulary.c: it begins at the length of
 * the longest piece that there is, and hashes all beginnings of the word in one pass. */
#ifdef PLAIN
#define longest_piece longest_piece_ref
#endif

/* Cuts the word: ids of the pieces, first and last letter of each; returns how many, or 0 if it cannot be cut.
 *
 *     buffer   . . e m b e d d i n g s       "em" is the longest piece that it begins with,
 *              . . # # b e d d i n g s       then "##beddings", shortened until "##bed" is found,
 *              . . # # b # # d i n g s       then "##dings", and so on
 *
 * ends[k] holds the first and the last letter of piece k, counted in characters from 0 ("em": 0 and 1, "##bed": 2 and
 * 4), because the offsets are kept for characters, and a character of UTF-8 has one to four bytes.
 * Why: ## is written over the two bytes before the rest, which have been used: no copy for each look-up. As the first
 *      piece may be a single byte, spare ones come before the word. */
static int cut_word(const Pipeline *p, int *ids, int (*ends)[2])
{
    char buffer[2 + 4 * LONGEST_WORD];
    size_t size = 2, n = 0;
    int count = 0, letter = 0;
    for (int i = 0; i < p->letters; i++) size += utf8_encode(p->word[i].code, buffer + size);      /* 4 bytes at most */
    for (size_t at = 2; at < size; count++) {
        size_t prefix = at == 2 ? 0 : 2;            /* the length of ##, which the first piece does not have */
        char *bytes = buffer + at - prefix;
        memcpy(bytes, "##", prefix);
        ids[count] = longest_piece(p->t, bytes, prefix, size - at + prefix, &n);
        if (ids[count] < 0) return 0;               /* the whole word is lost */
        ends[count][0] = letter;
        for (size_t i = prefix; i < n; i++) letter += (bytes[i] & 0xC0) != 0x80;    /* a byte that begins a character */
        ends[count][1] = letter - 1;
        at += n - prefix;               /* at least one character further: pieces are UTF-8, and longer than their ## */
    }
    return count;
}

/* The word that was read goes to split_text's caller. */
static Status give_word(Pipeline *p)
{
    char bytes[4 * LONGEST_WORD];
    size_t size = 0;
    const int letters = p->letters;
    p->letters = 0;
    if (letters > p->t->longest_word) return BERT_OK;
    for (int i = 0; i < letters; i++) size += utf8_encode(p->word[i].code, bytes + size);
    return p->sink(p->context, bytes, size, p->e);
}

/* The word that was read becomes tokens, and a new, empty word begins. A token's offsets go from the first byte of its
 * first letter to the last byte of its last one; an [UNK] has those of the whole word.
 *
 * Trap: if any part of the word has no piece, the whole word is one [UNK]; pieces found before that part are dropped.
 * Trap: a word of over 100 characters is one [UNK], too, and they are counted after step 1. 100 times "e with U+0301"
 *       is short enough for an uncased model, and 200 characters long for a cased one.
 * Differs: [tf] later raised the limit to 200 characters; here it is 100, as when the weights were made, unless
 *          tokenizer.json says otherwise. */
static Status end_word(Pipeline *p)
{
    int ids[LONGEST_WORD], ends[LONGEST_WORD][2];
    int letters = p->letters;
    assert(p->t->longest_word <= LONGEST_WORD);
    if (letters == 0) return BERT_OK;
    if (p->sink) return give_word(p);
    if (p->stages) {
        show(p, SPLIT, &(Char){.code = ' '}, 1);
        p->stages[SPLIT].count++;
    }
    int count = letters > p->t->longest_word ? 0 : cut_word(p, ids, ends);
    p->letters = 0;                                 /* `word` keeps its letters until the next one is added */
    if (count == 0 && p->t->unk_id < 0) return fail(p->e, BERT_FILE, "a word needs [UNK], which the vocabulary lacks");
    if (count == 0) return add_token(p, p->t->unk_id, p->word[0].begin, p->word[letters - 1].end);
    Status s = BERT_OK;
    for (int i = 0; i < count && !s; i++)
        s = add_token(p, ids[i], p->word[ends[i][0]].begin, p->word[ends[i][1]].end);
    return s;
}

/* =====================================================================================================================
 * THE TEXT, CHUNK BY CHUNK: what calls steps 1 to 3.
 *
 * Characters are collected until a chunk is full and the next character starts afresh; then the chunk goes through step
 * 1 as a whole, and its characters through step 2 one by one. Step 3 comes whenever a word ends.
 * ================================================================================================================== */

/* May a chunk end before this character? Yes, if it stays and neither is a mark nor decomposes into marks only (a
 * control character never, to be safe). Then a run of marks ends there, and `sort_marks`, the only stage that looks at
 * neighbours, does not look across.
 *
 *     e | U+0301   no: the mark belongs to the run that its letter begins
 *     e | f        yes
 *     U+0301 | f   yes: the run of marks is complete */
static bool starts_afresh(uint32_t code)
{
    uint32_t to[4];
    unicode_decompose(code, to);
    return code != 0xFFFD && !unicode_is_other(code) && unicode_combining_class(to[0]) == 0;
}

/* The chunk grows by a character; its room is doubled, so that a long line, which may be one chunk where added tokens
 * are `normalized`, is copied a few times only. */
static Status add_char(Pipeline *p, Char c)
{
    CharList *chars = &p->chars;
    Status s = chars->count < chars->capacity ? BERT_OK : reserve(chars, 2 * chars->capacity + TEXT_CHUNK, p->e);
    if (!s) chars->items[chars->count++] = c;
    return s;
}

static Status split_normalized(Pipeline *p);        /* see "ADDED TOKENS" */

/* Steps 1 and 2 for the characters read so far; step 3 comes with the end of each word. The chunk is then empty. */
static Status end_chunk(Pipeline *p)
{
    Status s = p->chars.count ? normalize_text(p) : BERT_OK;
    if (!s && p->t->vocabulary->patterns[1].count) s = split_normalized(p);
    else for (size_t i = 0; !s && i < p->chars.count; i++) s = split(p, p->chars.items[i]);
    p->chars.count = 0;
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * THE SHORT WAY: steps 1 and 2 for one character, when no chunk is open and its neighbours make no difference.
 *
 * Why: most characters need one of the six stages, or none. This makes English, Russian and Chinese more than three
 *      times as fast. The tokens are the same: `make plain` and `tokenize --trace` do not use it, so tests can compare
 *      the two.
 * ------------------------------------------------------------------------------------------------------------------ */

/* A character below U+0080: none is an ideograph, decomposes or is a mark. */
static Status ascii(Pipeline *p, Char c)
{
    if (c.code == '\t' || c.code == '\n' || c.code == '\r') c.code = ' ';
    if (c.code < ' ' || c.code == 0x7F) return BERT_OK;             /* a control character: deleted */
    if (c.code >= 'A' && c.code <= 'Z' && p->t->lower_case) c.code += 'a' - 'A';
    return split(p, c);
}

/* What the stages do with a character, as a set:
 *
 *     U+0430 (Cyrillic a)  nothing                  U+0410 (its capital)      CAPITAL
 *     U+4E2D               IDEOGRAPH                U+AC01 (Korean)           DECOMPOSES
 *     U+00E9 (e acute)     DECOMPOSES, IN_RUN       U+0301 (the accent)       MARK, IN_RUN */
enum { DELETED = 1, WHITE = 2, IDEOGRAPH = 4, DECOMPOSES = 8, MARK = 16, CAPITAL = 32, PUNCTUATION = 64, IN_RUN = 128 };

/* The set, asked of each stage's own function: the definition, and the way for characters beyond the table.
 * IN_RUN: there is a mark in it that sort_marks may move. */
static unsigned kind_of(uint32_t code)
{
    uint32_t to[4];
    const size_t n = unicode_decompose(code, to);
    const bool kept = code == '\t' || code == '\n' || code == '\r';
    unsigned set = 0;
    if (code == 0xFFFD || (unicode_is_other(code) && !kept)) set |= DELETED;
    if (unicode_is_white(code)) set |= WHITE;
    if (is_ideograph(code)) set |= IDEOGRAPH;
    if (n > 1 || to[0] != code) set |= DECOMPOSES;
    if (unicode_is_nonspacing(code)) set |= MARK;
    if (unicode_lower(code) != code) set |= CAPITAL;
    if (is_punctuation(code)) set |= PUNCTUATION;
    if (unicode_combining_class(to[0]) > 0 || unicode_combining_class(to[n - 1]) > 0) set |= IN_RUN;
    return set;
}

/* Adds a bit to the sets of the characters first, first + step ... last; then the same for the ranges of a table. */
static void add_kind(unsigned char *kinds, uint32_t first, uint32_t last, uint32_t step, unsigned bit)
{
    for (uint32_t code = first; code <= last && code < KINDS; code += step) kinds[code] |= (unsigned char)bit;
}

static void add_kinds(unsigned char *kinds, const UnicodeRange *table, size_t count, unsigned bit)
{
    for (size_t i = 0; i < count; i++) add_kind(kinds, table[i].first, table[i].last, 1, bit);
}

/* kinds[code] = kind_of(code) for the characters below U+10000, made from the tables range by range.
 * Why not by kind_of: it would take 10 ms at each start of the program, this takes a hundredth of that.
 * Verify: the_short_way_gives_the_tokens_of_the_stages (tests/test_tokenizer.c) */
void kinds_fill(unsigned char kinds[KINDS])
{
    memset(kinds, 0, KINDS);
    add_kinds(kinds, unicode_other, UNICODE_COUNT(unicode_other), DELETED);
    add_kinds(kinds, unicode_white, UNICODE_COUNT(unicode_white), WHITE);
    add_kinds(kinds, ideographs, UNICODE_COUNT(ideographs), IDEOGRAPH);
    add_kinds(kinds, unicode_nonspacing, UNICODE_COUNT(unicode_nonspacing), MARK);
    add_kinds(kinds, unicode_punctuation, UNICODE_COUNT(unicode_punctuation), PUNCTUATION);
    add_kind(kinds, 0xAC00, 0xD7A3, 1, DECOMPOSES);                 /* the syllables of Korean */
    for (size_t i = 0; i < UNICODE_COUNT(unicode_shifts); i++)
        add_kind(kinds, unicode_shifts[i].first, unicode_shifts[i].last, unicode_shifts[i].step, CAPITAL);
    for (size_t i = 0; i < UNICODE_COUNT(unicode_combining); i++)
        add_kind(kinds, unicode_combining[i].first, unicode_combining[i].last, 1, IN_RUN);
    for (size_t i = 0; i < UNICODE_COUNT(unicode_decompositions); i++)
        if (unicode_decompositions[i].code < KINDS)
            kinds[unicode_decompositions[i].code] = (unsigned char)kind_of(unicode_decompositions[i].code);
    for (uint32_t code = 0; code < 0x80; code++) kinds[code] = (unsigned char)kind_of(code);
    kinds[0xFFFD] = DELETED;
}

/* The set, by that table where it can be. */
static inline unsigned kind(const Pipeline *p, uint32_t code)
{
    return code < KINDS ? p->t->vocabulary->kinds[code] : kind_of(code);
}

/* Does step 1 drop the whole run of marks that goes on, or begins, at `at`? Only sort_marks looks at neighbours, and if
 * so it makes no difference. A mark that is newer than Unicode 8.0 stays, and sorting may move it.
 *
 *     e U+0301 U+0323 f     yes, from both marks
 *     e U+0301 U+08D3       no: U+08D3 stays
 *
 * A run is looked at once: its end is remembered, so that the time is linear in its length. */
static bool run_is_dropped(Pipeline *p, Text text, size_t at)
{
    uint32_t code, to[4];
    if (at < p->run_end) return p->all_dropped;
    p->all_dropped = true;
    for (size_t i = at, n; i < text.length && (n = utf8_decode(text.bytes + i, text.length - i, &code)); i += n) {
        const size_t parts = unicode_decompose(code, to);
        const bool goes_on = kind(p, code) & DELETED || unicode_combining_class(to[0]) > 0;
        if (i > at && !goes_on) break;                              /* the next letter */
        for (size_t k = 0; k < parts; k++)
            if (unicode_combining_class(to[k]) > 0 && !unicode_is_nonspacing(to[k])) p->all_dropped = false;
        p->run_end = i + n;
    }
    return p->all_dropped;
}

/* May the character at `at` go the short way? (U+0130 becomes two characters: see `lower`.) */
static inline bool is_alone(Pipeline *p, Text text, size_t at, uint32_t code)
{
    if (code < 0x80) return true;
    if (!p->t->strip_accents) return code != 0x130;
    return !(kind(p, code) & IN_RUN) || run_is_dropped(p, text, at);
}

/* Steps 1 and 2 for it, in the order of the stages: deleted, or a space; an ideograph is alone on both sides; each part
 * of a decomposed letter is dropped as a mark or goes on to step 2, in lower case.
 *
 * Trap: only the whole character is asked whether it is deleted, white or an ideograph. Those stages come before
 *       decomposition, and do not see the parts. */
static inline Status short_way(Pipeline *p, Char c)
{
    const Tokenizer *t = p->t;
    if (c.code < 0x80) return ascii(p, c);
    const unsigned set = kind(p, c.code);
    uint32_t parts[4] = {c.code};
    const bool ideograph = set & IDEOGRAPH && t->chinese_chars;
    const size_t n = set & DECOMPOSES && t->strip_accents ? unicode_decompose(c.code, parts) : 1;
    if (set & DELETED) return BERT_OK;
    if (set & WHITE) return end_word(p);
    Status s = ideograph ? end_word(p) : BERT_OK;
    for (size_t i = 0; !s && i < n; i++) {
        unsigned part = kind(p, parts[i]);
        if (part & MARK && t->strip_accents) continue;
        c.code = parts[i];
        if (part & CAPITAL && t->lower_case) {
            c.code = unicode_lower(c.code);
            part = kind(p, c.code);
        }
        s = split_as(p, c, part & PUNCTUATION);
    }
    return !s && ideograph ? end_word(p) : s;
}

/* The definition of the tokens is the six stages, and nothing else is in `make plain`. */
#ifdef PLAIN
static const bool has_short_way = false;
#else
static const bool has_short_way = true;
#endif

/* ---------------------------------------------------------------------------------------------------------------------
 * ADDED TOKENS: [MASK] and friends, and what people add to a vocabulary. They go past WordPiece.
 *
 *     "x[MASK]y"  ->  x [MASK] y        "[mask]"  ->  [ mask ]: only as it stands in the vocabulary
 *
 * Most are looked for in the text as it came. Those that are `normalized` are looked for behind step 1, between the
 * others: "covid" is found in "COVID". At each place the longest one counts.
 *
 * Differs: [tf] splits them like any text. Tutorials that write "[CLS] " and " [SEP]" into the text need this.
 * Trap: a text from outside can contain a [SEP], and so pretend to be two. For such text there is --no-special.
 * ------------------------------------------------------------------------------------------------------------------ */

/* The character that ends before that byte: its code, and where it begins. In UTF-8 a byte of the form 10xxxxxx goes on
 * with a character, and every other byte begins one; so the way back is at most three bytes long. */
static size_t before(Text text, size_t at, uint32_t *code)
{
    size_t begin = at - 1;
    while (begin > 0 && (text.bytes[begin] & 0xC0) == 0x80) begin--;
    return utf8_decode(text.bytes + begin, at - begin, code) ? begin : at;
}

/* Is it to be taken? Not if special tokens are plain text, nor if it must stand alone and letters stand beside it
 * (code 0: nothing does).
 *
 *     cat, single_word:   in "a cat." yes     in "cats" no     in "concat" no */
static bool may_take(const Pipeline *p, const AddedToken *token, uint32_t left, uint32_t right)
{
    if (p->plain && token->special) return false;
    return !token->single_word || !((left && is_word_character(left)) || (right && is_word_character(right)));
}

/* Ends the word before the token, which becomes its id. `from` is the first stage that does not show it yet. */
static Status take(Pipeline *p, const AddedToken *token, int from, size_t begin, size_t end)
{
    Status s = end_word(p);
    if (!s && token->id < 0)
        s = fail(p->e, BERT_FILE, "the text has %s, but the vocabulary has no such token", token->content);
    for (int stage = from; !s && p->stages && stage <= SPLIT; stage++) show_piece(p, stage, token->id);
    return s ? s : add_token(p, token->id, begin, end);
}

/* The token that the text has at `at`; *n bytes are taken, or 0.
 *
 *     1 the longest added token that begins here, if there is one
 *     2 may it be taken, with these two neighbours? If not, none is looked for inside of it
 *     3 with `lstrip` and `rstrip` it takes the white space beside it, too
 *     4 white space before it has been read already, and is taken out of the chunk
 *     5 the chunk and its last word end here; then comes the token */
static Status take_added(Pipeline *p, Text text, size_t at, size_t *n)
{
    AddedSearch search;
    uint32_t left = 0, right = 0, code = ' ';
    size_t begin = at, length;
    added_begin(&search, p->t->vocabulary, 0);
    for (size_t i = at; i < text.length && added_byte(&search, text.bytes[i]); i++) {}
    const AddedToken *token = search.found;
    *n = 0;
    if (!token) return BERT_OK;
    size_t end = at + token->pattern_length;
    if (at > 0) before(text, at, &left);
    if (end < text.length && !utf8_decode(text.bytes + end, text.length - end, &right)) right = 0;
    if (!may_take(p, token, left, right)) {
        p->barred = end;
        return BERT_OK;
    }
    while (token->lstrip && begin > p->taken && before(text, begin, &code) < begin && unicode_is_white(code))
        begin = before(text, begin, &code);
    while (token->rstrip && end < text.length && (length = utf8_decode(text.bytes + end, text.length - end, &code)) &&
           unicode_is_white(code))
        end += length;
    while (p->chars.count && p->chars.items[p->chars.count - 1].begin >= begin) p->chars.count--;
    Status s = end_chunk(p);
    p->taken = end;
    *n = end - at;
    return s ? s : take(p, token, AS_IT_CAME, begin, end);
}

/* The longest token that the characters of step 1 have at i; *end: the character behind it. The search is fed byte by
 * byte, since patterns are UTF-8; a token can only end where a character does. */
static const AddedToken *find_normalized(const Pipeline *p, size_t i, size_t *end)
{
    AddedSearch search;
    const AddedToken *found = NULL;
    bool more = true;
    char bytes[4];
    added_begin(&search, p->t->vocabulary, 1);
    for (; more && i < p->chars.count; i++) {
        size_t n = utf8_encode(p->chars.items[i].code, bytes);
        for (size_t k = 0; more && k < n; k++) more = added_byte(&search, bytes[k]);
        if (search.found != found) *end = i + 1;
        found = search.found;
    }
    return found;
}

/* Step 2 for what step 1 left, where tokens are looked for in it. As take_added, but on characters and not on bytes:
 * here the white space before a token is still at hand, and need not be taken back. */
static Status split_normalized(Pipeline *p)
{
    const Char *c = p->chars.items;
    const size_t n = p->chars.count;
    size_t taken = 0, barred = 0, i = 0;
    Status s = BERT_OK;
    while (!s && i < n) {
        size_t begin = i, end = i;
        const AddedToken *token = i >= barred ? find_normalized(p, i, &end) : NULL;
        if (token && !may_take(p, token, i ? c[i - 1].code : 0, end < n ? c[end].code : 0)) {
            barred = end;
            token = NULL;
        }
        if (!token) {
            s = split(p, c[i++]);
            continue;
        }
        while (token->lstrip && begin > taken && c[begin - 1].code == ' ') begin--;
        while (token->rstrip && end < n && c[end].code == ' ') end++;
        s = take(p, token, SPLIT, c[begin].begin, c[end - 1].end);
        i = taken = end;
    }
    return s;
}

/* The text as step 1 leaves it, malloc'ed into *out: what a `normalized` token is searched by. UTF-8 needs at most
 * four bytes for a character. */
static Status normalized_text(const Tokenizer *t, Text text, char **out, size_t *length, Error *e)
{
    Pipeline p = {.t = t, .e = e};
    Status s = BERT_OK;
    size_t size = 0;
    for (size_t at = 0, n = 1; !s && n && at < text.length; at += n) {
        Char c = {.first = true};
        n = utf8_decode(text.bytes + at, text.length - at, &c.code);
        if (n) s = add_char(&p, c);
    }
    if (!s && p.chars.count) s = normalize_text(&p);
    if (!s && (!size_mul(p.chars.count, 4, &size) || !(*out = malloc(size ? size : 1))))
        s = fail(e, BERT_SYSTEM, "out of memory for added tokens");
    *length = 0;
    for (size_t i = 0; !s && i < p.chars.count; i++) *length += utf8_encode(p.chars.items[i].code, *out + *length);
    free(p.chars.items);
    free(p.next.items);
    return s;
}

/* weights/vocabulary.c reads the files. What a `normalized` added token is searched by, only step 1 can say: "COVID" in
 * the file is looked for as "covid", in text that has been lowered, too. `t` is empty again after a failure. */
Status tokenizer_load(Tokenizer *t, const char *directory, CaseChoice choice, Error *e)
{
    Status s = pieces_load(t, directory, choice, e);
    AddedList *added = t->vocabulary ? &t->vocabulary->added : NULL;
    for (size_t i = 0; !s && i < added->count; i++) {
        AddedToken *token = &added->items[i];
        if (!token->normalized) continue;
        s = normalized_text(t, (Text){token->content, token->length}, &token->pattern, &token->pattern_length, e);
    }
    if (!s) s = added_prepare(t, directory, e);
    if (s) tokenizer_free(t);
    return s;
}

/* Steps 1 to 3 for one text; its tokens are appended to p->out.
 *
 * For each character:
 *
 *     1 an added token that begins here is taken as a whole
 *     2 else the character is read; bytes that are not UTF-8 end it all
 *     3 a chunk that is long enough ends, if this character starts afresh
 *     4 the character goes the short way, or joins the chunk
 *
 * Why: bytes that are not UTF-8 are an error and not a U+FFFD, which step 1 would delete without a word.
 *      In the message the first byte is byte 1, as the first line is line 1. Offsets count from 0. */
static Status text_tokens(Pipeline *p, Text text, int number)
{
    const Vocabulary *v = p->t->vocabulary;
    const bool whole = v->patterns[1].count > 0;    /* a token can be of any length: no end of a chunk may cut it */
    const bool may_be_short = has_short_way && !p->stages && !whole;
    Status s = BERT_OK;
    p->taken = p->barred = p->run_end = 0;
    for (size_t at = 0, n = 0; !s && at < text.length; at += n) {
        uint32_t code;
        if (v->patterns[0].first[(unsigned char)text.bytes[at]] && at >= p->barred) {
            s = take_added(p, text, at, &n);        /* before everything else: these bytes never see step 1 */
            if (s || n) continue;
        }
        n = utf8_decode(text.bytes + at, text.length - at, &code);
        if (n == 0) return fail_text(p->e, number, at + 1, "0x%02X is not valid UTF-8",
                                     (unsigned)(unsigned char)text.bytes[at]);
        /* A chunk grows to TEXT_CHUNK characters; one that is open ends (at 1) for the short way. */
        const Char c = {code, true, at, at + n};
        const bool alone = may_be_short && is_alone(p, text, at, code);
        if (!whole && p->chars.count >= (alone ? 1 : TEXT_CHUNK) && starts_afresh(code)) s = end_chunk(p);
        if (s) break;
        s = alone && p->chars.count == 0 ? short_way(p, c) : add_char(p, c);
    }
    if (!s) s = end_chunk(p);
    return s ? s : end_word(p);                   /* the end of the text ends its last word */
}

/* =====================================================================================================================
 * STEP 4 - ids, segments, mask: special tokens, two texts as one sequence, the length.
 *
 *     tokens     [CLS]  my   dog  is   cute  [SEP]  he   likes playing [SEP]  [PAD]
 *     ids        101    2026 3899 2003 10140 102    2002 7777  2652    102    0
 *     segments   0      0    0    0    0     0      1    1     1       1      0
 *     mask       1      1    1    1    1     1      1    1     1       1      0
 *
 * [paper] figure 2 (where "playing" is still play ##ing; the released vocabulary has the whole word);
 * [hf] TemplateProcessing. The positions 0, 1, 2 ... need no array.
 * ================================================================================================================== */

/* Cuts A and B at their ends until they have `room` tokens together: first the longer one, then both alike.
 *
 *     room 509:   300 + 400 -> 254 + 255      400 + 300 -> 255 + 254      10 + 600 -> 10 + 499
 *
 * The shorter text gives up tokens only if it is longer than half of the room itself.
 *
 * Differs: the odd token is the longer text's, or B's if both are equal; in [tf] it is always A's. */
static void truncate_longest(size_t *a, size_t *b, size_t room)
{
    if (*a + *b <= room) return;
    size_t *shorter = *a > *b ? b : a, *longer = *a > *b ? a : b;
    if (*shorter > room / 2) *shorter = room / 2;
    *longer = room - *shorter;
}

/* Moves n tokens to another place in the sequence. */
static void move_tokens(Encoding *out, size_t to, size_t from, size_t n)
{
    memmove(out->input_ids + to, out->input_ids + from, n * sizeof *out->input_ids);        /* they may overlap */
    if (!out->no_offsets) memmove(out->offsets + to, out->offsets + from, n * sizeof *out->offsets);
}

/* A token that stands for no bytes of the text: offsets 0, 0. */
static void put_special(Encoding *out, size_t at, int id)
{
    out->input_ids[at] = id;
    if (!out->no_offsets) out->offsets[at][0] = out->offsets[at][1] = 0;
}

/* The special tokens that are needed must be there. */
static Status expect_tokens(const Tokenizer *t, bool specials, bool padding, Error *e)
{
    const char *missing = specials && t->cls_id < 0 ? "[CLS]" : specials && t->sep_id < 0 ? "[SEP]" :
                          padding && t->pad_id < 0 ? "[PAD]" : NULL;
    if (!missing) return BERT_OK;
    const bool cls = missing[1] == 'C', sep = missing[1] == 'S';
    const char *null_by = cls ? t->cls_null : sep ? t->sep_null : NULL;
    if (null_by)
        return fail(e, BERT_FILE, "%s: %s is null, but %s is needed", null_by, cls ? "cls_token" : "sep_token", missing);
    return fail(e, BERT_FILE, "%s is needed, which the vocabulary lacks", missing);
}

/* Moves the padding, which is behind `total` tokens, to the front, where a directory asks for it ("padding_side").
 *
 *     [CLS] the cat [SEP] [PAD] [PAD]   ->   [PAD] [PAD] [CLS] the cat [SEP]      mask 0 0 1 1 1 1
 *
 * The positions go on counting from the left, over the padding, as in Hugging Face's library: here [CLS] has position
 * 2. So its vectors are others than those of the same text without padding. */
static void pad_left(Encoding *out, size_t total, int pad_id, int type)
{
    const size_t T = (size_t)out->T, padding = T - total;
    move_tokens(out, padding, 0, total);
    memmove(out->token_type_ids + padding, out->token_type_ids, total * sizeof *out->token_type_ids);
    memmove(out->attention_mask + padding, out->attention_mask, total * sizeof *out->attention_mask);
    for (size_t i = 0; i < padding; i++) {
        put_special(out, i, pad_id);
        out->token_type_ids[i] = type;
        out->attention_mask[i] = 0;
    }
}

/* Before, `out` holds nA tokens of A, then nB of B. They are cut, moved to their places, and framed by special tokens:
 *
 *     A A A A B B   ->   [CLS] A A A A [SEP] B B [SEP]
 *
 * Trap: padding comes last, because positions count from the left: in front, it would move every word.
 * Trap: the mask says what is padding, the id does not: a [PAD] that stands in the text is a token with mask 1.
 * Trap: the first [SEP] belongs to segment 0, the second to segment 1; an empty B still brings its [SEP].
 * Differs: Hugging Face's library (transformers 5.23) takes an empty B for none in a single call, tokenizer("x", ""):
 * [CLS] x [SEP]. In a batch, tokenizer(["x"], [""]), it has the [SEP] as here. */
static Status frame(const Tokenizer *t, const EncodeOptions *o, size_t nA, size_t nB, bool pair,
                    Encoding *out, Error *e)
{
    size_t one = o->no_add_special ? 0 : 1, specials = one * (pair ? 3 : 2);    /* [CLS] and a [SEP] for each text */
    size_t total = nA + nB + specials, most = o->max_length ? (size_t)o->max_length : SIZE_MAX, oldB = nA, oldnB = nB;
    if (total > most && !o->truncate) return fail(e, BERT_TEXT, "%zu tokens, at most %zu: use --truncate", total, most);
    if (specials > most) return fail(e, BERT_USAGE, "%zu special tokens, but at most %zu tokens", specials, most);
    truncate_longest(&nA, &nB, most - specials);
    total = nA + nB + specials;
    size_t T = o->pad && o->max_length ? most : total, newB = nA + 2 * one;     /* B stands behind [CLS] A [SEP] */
    Status s = expect_tokens(t, one, T > total, e);
    if (!s) s = reserve_tokens(out, T, e);
    if (s) return s;
    size_t cutA = t->truncate_left ? oldB - nA : 0, cutB = t->truncate_left ? oldnB - nB : 0;
    if (nA < oldB) move_tokens(out, one, cutA, nA); /* a cut A leaves room for its [CLS]; a whole one needs B's, */
    move_tokens(out, newB, oldB + cutB, nB);        /* and then B goes first, to the right of it all */
    if (nA == oldB) move_tokens(out, one, 0, nA);
    if (one) put_special(out, 0, t->cls_id);
    if (one) put_special(out, newB - 1, t->sep_id);
    if (one && pair) put_special(out, total - 1, t->sep_id);
    for (size_t i = total; i < T; i++) put_special(out, i, t->pad_id);
    const int segment_b = t->no_segments ? 0 : 1;
    for (size_t i = 0; i < T; i++) {
        const bool in_b = i >= newB && i < total;       /* padding: segment 0 */
        out->token_type_ids[i] = o->segments >= 0 ? o->segments : in_b ? segment_b : 0;
        out->attention_mask[i] = i < total;
    }
    out->T = (int)T;
    if (t->pad_left) pad_left(out, total, t->pad_id, o->segments >= 0 ? o->segments : 0);
    return BERT_OK;
}

/* Steps 1 to 4; stages, unless NULL, gets what the stages give, of A and then of B. */
static Status encode_texts(const Tokenizer *t, Text a, const Text *b, const EncodeOptions *options, Encoding *out,
                           StageText (*stages)[STAGES], Error *e)
{
    assert(options->max_length >= 0 && options->segments >= -1);
    Pipeline p = {.t = t, .plain = options->plain || t->plain, .out = out, .stages = stages ? stages[0] : NULL, .e = e};
    if (out->no_offsets != options->no_offsets) encoding_free(out);         /* reused with another option */
    out->no_offsets = options->no_offsets;
    out->T = 0;
    Status s = text_tokens(&p, a, 1);
    size_t nA = (size_t)out->T;
    if (stages) p.stages = stages[1];
    if (!s && b) s = text_tokens(&p, *b, 2);
    free(p.chars.items);
    free(p.next.items);                             /* the tokens of A and B now stand in `out`, one after the other */
    return s ? s : frame(t, options, nA, (size_t)out->T - nA, b != NULL, out, e);
}

/* Steps 1 to 4.
 *
 * Verify: `bert tokenize --trace`; tests/test_tokenizer.c; tests/compare_tokenizer.py. */
Status encode(const Tokenizer *t, Text a, const Text *b, const EncodeOptions *options, Encoding *out, Error *e)
{
    return encode_texts(t, a, b, options, out, NULL, e);
}

/* Verify: a_learned_vocabulary_is_the_same_each_time (tests/test_train.c) */
Status split_text(const Tokenizer *t, Text text, WordSink *sink, void *context, Error *e)
{
    Pipeline p = {.t = t, .plain = true, .sink = sink, .context = context, .e = e};
    Status s = text_tokens(&p, text, 1);
    free(p.chars.items);
    free(p.next.items);
    return s;
}

/* Gives everything back; the struct can be used again, or freed once more. */
void encoding_free(Encoding *encoding)
{
    free(encoding->input_ids);
    free(encoding->token_type_ids);
    free(encoding->attention_mask);
    free(encoding->offsets);
    *encoding = (Encoding){0};
}

/* =====================================================================================================================
 * ALL STAGES, SHOWN: for `tokenize --trace` and `explain`.
 * ================================================================================================================== */
static const struct { int step; const char *name; } stage_names[STAGES] = {
    {0, "text"}, {1, "clean"}, {1, "ideographs"}, {1, "decompose"}, {1, "sort marks"}, {1, "drop marks"},
    {1, "lower case"}, {2, "split"}, {3, "WordPiece"}};

/* Appends n bytes to what the stage gave; if there is no memory for them, that is noted, and said when all is done: the
 * steps themselves need not ask after each character. The room is doubled, as in reserve_tokens. */
static void show_bytes(StageText *text, const char *bytes, size_t n)
{
    size_t need;
    if (!size_add(text->length, n, &need) || !size_add(need, need, &need)) text->failed = true;
    if (!text->failed && (!text->bytes || text->length + n > text->capacity)) {
        char *grown = realloc(text->bytes, need + 64);
        if (grown) text->bytes = grown;
        if (grown) text->capacity = need + 64;
        text->failed = !grown;
    }
    if (text->failed) return;
    memcpy(text->bytes + text->length, bytes, n);
    text->length += n;
}

/* Characters as text for people; those that cannot be seen by themselves become <U+0301>. */
static void show(Pipeline *p, int stage, const Char *chars, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t c = chars[i].code;
        char bytes[16];
        bool hidden = unicode_is_other(c) || unicode_is_nonspacing(c) || (unicode_is_white(c) && c != ' ');
        size_t length = hidden ? (size_t)snprintf(bytes, sizeof bytes, "<U+%04lX>", (unsigned long)c)
                               : utf8_encode(c, bytes);
        show_bytes(&p->stages[stage], bytes, length);
    }
}

/* A piece, and a blank behind it in steps 2 and 3, where words stand apart. */
static void show_piece(Pipeline *p, int stage, int id)
{
    const char *piece = tokenizer_piece(p->t, id);
    show_bytes(&p->stages[stage], piece, strlen(piece));
    if (stage < SPLIT) return;
    show_bytes(&p->stages[stage], " ", 1);
    p->stages[stage].count++;
}

/* Hands the stages of one text to the caller; `label` is the name of the first: "text". */
static Status trace_text(const Tokenizer *t, const StageText *texts, const char *label, TokenizeTrace *trace,
                         void *context, Error *e)
{
    const bool exists[STAGES] = {true, true, t->chinese_chars, t->strip_accents, t->strip_accents,
                                 t->strip_accents, t->lower_case, true, true};
    Status s = BERT_OK;
    for (int i = 0; !s && i < STAGES; i++) {
        const StageText *text = &texts[i];
        if (text->failed) return fail(e, BERT_SYSTEM, "out of memory for the stages of the text");
        TokenizeStage stage = {.step = stage_names[i].step, .name = i ? stage_names[i].name : label,
                               .text = {text->bytes ? text->bytes : "", text->length}, .count = text->count};
        if (!exists[i]) stage.text = (Text){NULL, 0};
        s = trace(context, &stage, e);
    }
    return s;
}

/* Encodes, and hands every stage to the caller. Of a pair each text has stages 1 to 3 for itself; step 4 makes one
 * sequence of them. A text that is refused is not shown at all.
 *
 *     1 clean        Caf\u00E9 au lait
 *     1 decompose    Cafe<U+0301> au lait
 *     1 drop marks   Cafe au lait
 *     2 split        cafe au lait */
Status tokenize_trace(const Tokenizer *t, Text a, const Text *b, const EncodeOptions *options, TokenizeTrace *trace,
                      void *context, Error *e)
{
    Encoding x = {0};
    StageText stages[2][STAGES] = {0};
    Status s = encode_texts(t, a, b, options, &x, stages, e);
    size_t n = (size_t)x.T;
    if (!s) s = trace_text(t, stages[0], b ? "text A" : "text", trace, context, e);
    if (!s && b) s = trace_text(t, stages[1], "text B", trace, context, e);
    if (!s) s = trace(context, &(TokenizeStage){4, "ids", {NULL, 0}, x.input_ids, n}, e);
    if (!s) s = trace(context, &(TokenizeStage){4, "segments", {NULL, 0}, x.token_type_ids, n}, e);
    if (!s) s = trace(context, &(TokenizeStage){4, "mask", {NULL, 0}, x.attention_mask, n}, e);
    for (int i = 0; i < STAGES; i++) {
        free(stages[0][i].bytes);
        free(stages[1][i].bytes);
    }
    encoding_free(&x);
    return s;
}

/* A TokenizeTrace: a line for each stage, to the FILE that `context` is. */
Status print_stage(void *context, const TokenizeStage *stage, Error *e)
{
    FILE *out = context;
    (void)e;
    fprintf(out, "%c %-12s", stage->step ? '0' + stage->step : ' ', stage->name);
    if (stage->step == 4) {
        for (size_t i = 0; i < stage->count; i++) fprintf(out, " %ld", (long)stage->values[i]);
    } else {
        fputc(' ', out);
        if (stage->text.bytes) fwrite(stage->text.bytes, 1, stage->text.length, out);
        else fputs("(not in this model)", out);
    }
    fputc('\n', out);
    return BERT_OK;
}

/* =====================================================================================================================
 * WHAT UNICODE DEMANDS: marks in canonical order (Unicode Standard, section 3.11).
 * ================================================================================================================== */

/* Sorts the n marks of `in` by combining class into `out`; marks of one class keep their order. A counting sort: count
 * each class, add up where each begins, put each mark there. A hostile line can hold a million marks in a row, and the
 * time must not grow with the square of that.
 *
 * Why: the marks move, but their places in the text do not, or the offsets would run backward. The k-th original
 *      character in sorted order gets the place of the k-th in the text:
 *          above (bytes 1-3), below (bytes 3-5)   ->   below (bytes 1-3), above (bytes 3-5)
 *      Marks that came out of one character share its place: only a `first` takes the next one. */
static void sort_by_class(const Char *in, Char *out, size_t n)
{
    size_t start[257] = {0};                        /* classes are 0 to 254 */
    for (size_t i = 0; i < n; i++) start[unicode_combining_class(in[i].code) + 1]++;
    for (size_t k = 1; k < 257; k++) start[k] += start[k - 1];      /* marks of lower classes = where class k begins */
    for (size_t i = 0; i < n; i++) out[start[unicode_combining_class(in[i].code)]++] = in[i];
    const Char *place = in, *next = in;
    for (size_t i = 0; i < n; i++) {
        if (out[i].first) {                         /* there are as many in `out` as in `in` */
            while (!next->first) next++;
            place = next++;
        }
        out[i].begin = place->begin;
        out[i].end = place->end;
    }
}
