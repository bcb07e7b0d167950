/* habits.c - the habits that tokenizers are known for: the text's ids once more, as a tokenizer with that habit makes
 * them.
 *
 *     TEXT + habit  ->  ids  ==  OTHER's ids?   Then that is it.
 *
 * Each one has been met in a library that calls itself a BERT tokenizer: tests/PEERS.md says which. tokenizer.c knows
 * nothing of them. Here stand steps 1 to 4 once more, short and slow, with a switch for each habit: with all switches
 * off they must give tokenizer.c's ids, and where they do not (a prompt, an added token that takes the blanks beside
 * it), nothing is guessed.
 *
 * Why: ids are the only trace that a tokenizer leaves. One wrong id says little; that ALL ids of a text come out with
 *      one habit, and with no other, says what to mend. So nothing but equality counts.
 *
 * To add one: a switch, a line where it acts, and a row in the table at the end of this file.
 */
#include "verify/verify.h"
#include "weights/unicode.h"
#include "weights/vocabulary.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One bit for each habit. */
enum {
    CASE_STAYS = 1 << 0, CASE_LOWERED = 1 << 1, ACCENTS_STAY = 1 << 2, ACCENTS_STRIPPED = 1 << 3,
    COMPOSED_STAY = 1 << 4, SIGMA_FINAL = 1 << 5, IDEOGRAPHS_STAY = 1 << 6, CONTROLS_STAY = 1 << 7,
    CONTROLS_SPACE = 1 << 8, PRIVATE_STAYS = 1 << 9, WHITE_FIRST = 1 << 10, WHITE_ASCII = 1 << 11,
    MARKS_ASCII = 1 << 12, MARKS_STAY = 1 << 13, UNKNOWN_REST = 1 << 14, UNKNOWN_LETTER = 1 << 15,
    WHOLE_WORDS = 1 << 16, NO_PREFIX = 1 << 17, LIMIT_200 = 1 << 18, LIMIT_NONE = 1 << 19,
    SPECIAL_PLAIN = 1 << 20, NO_FRAME = 1 << 21, FRAME_TWICE = 1 << 22, SECOND_SEP = 1 << 23, TEXTS_SWAPPED = 1 << 24,
    IDS_UP = 1 << 25, IDS_DOWN = 1 << 26, CASE_FOLDED = 1 << 27, FIRST_PART = 1 << 28,
    NEWER_MARKS = 1 << 29, LINES_STAY = 1 << 30
};
/* An enum's constants are ints, which have no more of them. */
#define UNKNOWN_LOST (UINT64_C(1) << 31)
#define LIMIT_BYTES (UINT64_C(1) << 32)
#define ADDED_CUT (UINT64_C(1) << 33)
#define SPACE_ONLY (UINT64_C(1) << 34)
#define LETTERS_LOST (UINT64_C(1) << 35)

/* Characters or ids. */
typedef struct {
    uint32_t *items;
    size_t count, room;
    bool failed;                    /* out of memory: what follows is not to be used */
} List;

/* One more item; the list grows by doubling. */
static void push(List *list, uint32_t item)
{
    size_t bytes;
    if (list->failed) return;
    if (list->count == list->room) {
        const size_t room = list->room < 64 ? 64 : 2 * list->room;
        uint32_t *items = size_mul(room, sizeof *items, &bytes) ? realloc(list->items, bytes) : NULL;
        list->failed = !items;
        if (!items) return;
        list->items = items, list->room = room;
    }
    list->items[list->count++] = item;
}

/* One text on its way. */
typedef struct {
    const Tokenizer *t;
    bool plain;                     /* special tokens in the text are plain text */
    uint64_t habit;
    List chars, next, word;         /* step 1: the text now, after the next stage; step 2: the word that is read */
    List ids;                       /* step 3 */
} Run;

/* Does a switch turn the tokenizer's setting off or on? */
static bool setting(const Run *r, bool usual, uint64_t off, uint64_t on)
{
    return (usual || (r->habit & on)) && !(r->habit & off);
}

/* =====================================================================================================================
 * Step 1, clean: a stage reads r->chars and writes r->next; then the two change places
 * ================================================================================================================== */
/* What the stage wrote is the text now. */
static void swap(Run *r)
{
    const List done = r->next;
    r->next = r->chars;
    r->chars = done;
    r->chars.failed |= r->next.failed;
}

/* A stage that looks at one character at a time. */
static void stage(Run *r, void (*f)(Run *r, uint32_t c))
{
    r->next.count = 0;
    for (size_t i = 0; i < r->chars.count; i++) f(r, r->chars.items[i]);
    swap(r);
}

/* Unicode leaves these to whoever wants them: category Co. */
static bool is_private(uint32_t c)
{
    return (c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000;
}

/* The line and paragraph separators: white space, but of categories of their own, Zl and Zp. */
static bool is_line_end(uint32_t c)
{
    return c == 0x2028 || c == 0x2029;
}

/* Who asks for white space first ends a word at VT, FF and U+0085; who does not delete control characters, too. */
static void clean(Run *r, uint32_t c)
{
    const bool white = unicode_is_white(c), usual = c == '\t' || c == '\n' || c == '\r';
    if ((c == 0xFFFD || unicode_is_other(c)) && !usual) {
        if (white && !(r->habit & SPACE_ONLY) && (r->habit & (WHITE_FIRST | CONTROLS_STAY | CONTROLS_SPACE)))
            push(&r->next, ' ');
        else if (is_private(c) && (r->habit & PRIVATE_STAYS)) push(&r->next, c);
        else if (r->habit & CONTROLS_STAY) push(&r->next, c);
        else if (r->habit & CONTROLS_SPACE) push(&r->next, ' ');
        return;
    }
    const bool stays = (c >= 0x80 && (r->habit & WHITE_ASCII)) || (is_line_end(c) && (r->habit & LINES_STAY)) ||
                       (r->habit & SPACE_ONLY);
    push(&r->next, white && !stays ? ' ' : c);
}

/* A space on both sides of each ideograph. */
static void space_ideographs(Run *r, uint32_t c)
{
    const bool alone = is_ideograph(c);
    if (alone) push(&r->next, ' ');
    push(&r->next, c);
    if (alone) push(&r->next, ' ');
}

/* NFD, first half: a letter with accents becomes the letter and its accents. */
static void decompose(Run *r, uint32_t c)
{
    uint32_t to[4];
    const size_t all = unicode_decompose(c, to), n = r->habit & FIRST_PART ? 1 : all;
    for (size_t i = 0; i < n; i++) push(&r->next, to[i]);
}

/* Each run of marks in the order of their classes, one class after the other: NFD's order. */
static void sort_marks(Run *r)
{
    enum { CLASSES = 255 };
    const List *x = &r->chars;
    r->next.count = 0;
    for (size_t i = 0, end; i < x->count; i = end) {
        for (end = i; end < x->count && unicode_combining_class(x->items[end]) > 0; end++) {}
        for (int class = 1; end - i > 1 && class < CLASSES; class++)
            for (size_t k = i; k < end; k++)
                if (unicode_combining_class(x->items[k]) == class) push(&r->next, x->items[k]);
        if (end - i == 1) push(&r->next, x->items[i]);
        if (end < x->count) push(&r->next, x->items[end++]);
    }
    swap(r);
}

/* Category Mn of Unicode 8.0; what has a combining class in Unicode 9.0, and is no Mn yet, is newer. */
static void drop_marks(Run *r, uint32_t c)
{
    const bool newer = (r->habit & NEWER_MARKS) && unicode_combining_class(c) > 0;
    if (!unicode_is_nonspacing(c) && !newer) push(&r->next, c);
}

/* Case folding makes two letters equal for a search: the sharp s becomes ss, the sigma that ends a word any sigma. */
static void fold(Run *r, uint32_t c)
{
    if (c == 0xDF || c == 0x1E9E) push(&r->next, 's');
    push(&r->next, c == 0xDF || c == 0x1E9E ? 's' : c == 0x3C2 ? 0x3C3 : c);
}

/* Letter by letter, as tokenizer.c has it; U+0130 becomes two. */
static void lower(Run *r, uint32_t c)
{
    push(&r->next, unicode_lower(c));
    if (c == 0x130) push(&r->next, 0x307);
}

/* Python's lower() writes the sigma that ends a word as U+03C2. A word ends, here, where no letter follows. */
static void end_sigmas(Run *r)
{
    List *x = &r->chars;
    for (size_t i = 1; i < x->count; i++) {
        const bool ends = i + 1 == x->count || !is_word_character(x->items[i + 1]);
        if (x->items[i] == 0x3A3 && ends && is_word_character(x->items[i - 1])) x->items[i] = 0x3C2;
    }
}

/* Is it a piece, at the beginning of a word or inside? White space counts as known. */
static void drop_unknown(Run *r, uint32_t c)
{
    char piece[8] = "##";
    const size_t size = utf8_encode(c, piece + 2);
    const Vocabulary *v = r->t->vocabulary;
    if (c == ' ' || vocabulary_id(v, piece + 2, size) >= 0 || vocabulary_id(v, piece, size + 2) >= 0) push(&r->next, c);
}

/* All of step 1, in tokenizer.c's order. */
static void clean_all(Run *r)
{
    const Tokenizer *t = r->t;
    const bool lowered = setting(r, t->lower_case, CASE_STAYS, CASE_LOWERED);
    const bool stripped = setting(r, t->strip_accents, ACCENTS_STAY, ACCENTS_STRIPPED);
    stage(r, clean);
    if (setting(r, t->chinese_chars, IDEOGRAPHS_STAY, 0)) stage(r, space_ideographs);
    if (lowered && (r->habit & SIGMA_FINAL)) end_sigmas(r);
    if (stripped && !(r->habit & COMPOSED_STAY)) stage(r, decompose);
    if (stripped && !(r->habit & COMPOSED_STAY)) sort_marks(r);
    if (stripped) stage(r, drop_marks);
    if (lowered) stage(r, lower);
    if (lowered && (r->habit & CASE_FOLDED)) stage(r, fold);
    if (r->habit & LETTERS_LOST) stage(r, drop_unknown);
}

/* =====================================================================================================================
 * Steps 2 and 3: words, and their pieces
 * ================================================================================================================== */

/* The piece with which the bytes begin: its id, its length into *n, or -1. Pieces are no longer than the longest word
 * that tokenizer.c cuts, and longest_piece reads no more than that. */
static int find_piece(const Run *r, const char *bytes, size_t prefix, size_t size, size_t *n)
{
    const size_t most = 4 * LONGEST_WORD;
    *n = size;
    if (r->habit & WHOLE_WORDS) return prefix ? -1 : vocabulary_id(r->t->vocabulary, bytes, size);
    if (size > most) {
        size = most;
        while (size > prefix && (bytes[size] & 0xC0) == 0x80) size--;
    }
    return longest_piece(r->t, bytes, prefix, size, n);
}

/* The letters [0, size) of `word` as pieces, as cut_word has it: ## is written over the two bytes before the rest.
 * `word` has two spare bytes in front. */
static void cut_word(Run *r, char *word, size_t size)
{
    const size_t before = r->ids.count;
    for (size_t at = 2, n; at < size + 2;) {
        const size_t prefix = at == 2 || (r->habit & NO_PREFIX) ? 0 : 2;
        memcpy(word + at - prefix, "##", prefix);
        const int id = find_piece(r, word + at - prefix, prefix, size + 2 - at + prefix, &n);
        if (id >= 0) {
            push(&r->ids, (uint32_t)id);
            at += n - prefix;
            continue;
        }
        if (r->habit & UNKNOWN_LOST) return;
        if (!(r->habit & (UNKNOWN_REST | UNKNOWN_LETTER))) r->ids.count = before;
        push(&r->ids, (uint32_t)r->t->unk_id);
        if (!(r->habit & UNKNOWN_LETTER)) return;
        for (at++; at < size + 2 && (word[at] & 0xC0) == 0x80; at++) {}
    }
}

/* The word that was read becomes ids. */
static void end_word(Run *r)
{
    const size_t letters = r->word.count;
    const size_t most = r->habit & LIMIT_200 ? 200 : (size_t)r->t->longest_word;
    size_t room, size = 0;
    r->word.count = 0;
    if (!letters) return;
    if (letters > most && !(r->habit & LIMIT_NONE)) {
        push(&r->ids, (uint32_t)r->t->unk_id);
        return;
    }
    char *bytes = size_mul(letters + 1, 4, &room) ? malloc(room) : NULL;
    if (!bytes) {
        r->ids.failed = true;
        return;
    }
    for (size_t i = 0; i < letters; i++) size += utf8_encode(r->word.items[i], bytes + 2 + size);
    if ((r->habit & LIMIT_BYTES) && size > most) push(&r->ids, (uint32_t)r->t->unk_id);
    else cut_word(r, bytes, size);
    free(bytes);
}

/* An added token without an id of its own: its text is cut like a word, marks and all. */
static void cut_added(Run *r, const AddedToken *token)
{
    size_t room;
    char *bytes = size_add(token->length, 2, &room) ? malloc(room) : NULL;
    if (!bytes) {
        r->ids.failed = true;
        return;
    }
    memcpy(bytes + 2, token->content, token->length);
    cut_word(r, bytes, token->length);
    free(bytes);
}

/* Does a mark stand alone? */
static bool stands_alone(const Run *r, uint32_t c)
{
    if (r->habit & MARKS_STAY) return false;
    return is_punctuation(c) && !(c >= 0x80 && (r->habit & MARKS_ASCII));
}

/* Steps 1 to 3 for a text without special tokens. */
static void plain_text(Run *r, Text text)
{
    uint32_t c;
    r->chars.count = 0;
    for (size_t at = 0, n; at < text.length && (n = utf8_decode(text.bytes + at, text.length - at, &c)) > 0; at += n)
        push(&r->chars, c);
    clean_all(r);
    if (r->chars.failed) r->ids.failed = true;
    for (size_t i = 0; i < r->chars.count && !r->ids.failed; i++) {
        c = r->chars.items[i];
        const bool alone = stands_alone(r, c);
        if (alone || c == ' ') end_word(r);
        if (c != ' ') push(&r->word, c);
        if (alone) end_word(r);
    }
    end_word(r);
    r->ids.failed |= r->word.failed;
}

/* The longest added token with which the text begins, or NULL. */
static const AddedToken *find_added(const Run *r, Text text)
{
    AddedSearch search;
    if ((r->habit & SPECIAL_PLAIN) || r->plain) return NULL;
    added_begin(&search, r->t->vocabulary, 0);
    for (size_t i = 0; i < text.length && added_byte(&search, text.bytes[i]); i++) {}
    return search.found;
}

/* Steps 1 to 3: special tokens go past step 1, what stands between them does not. */
static void whole_text(Run *r, Text text)
{
    size_t from = 0, at = 0;
    while (at < text.length) {
        const AddedToken *token = find_added(r, (Text){text.bytes + at, text.length - at});
        if (!token) {
            at++;
            continue;
        }
        plain_text(r, (Text){text.bytes + from, at - from});
        if (r->habit & ADDED_CUT) cut_added(r, token);
        else push(&r->ids, (uint32_t)token->id);
        from = at += token->pattern_length;
    }
    plain_text(r, (Text){text.bytes + from, text.length - from});
}

/* =====================================================================================================================
 * Step 4, and the search
 * ================================================================================================================== */

/* The ids of TEXT as a tokenizer with these habits makes them, into r->ids. */
static void make_ids(Run *r, const TextGiven *given)
{
    const bool swapped = given->has_b && (r->habit & TEXTS_SWAPPED);
    const int times = r->habit & NO_FRAME ? 0 : r->habit & FRAME_TWICE ? 2 : 1;
    const uint32_t cls = (uint32_t)r->t->cls_id, sep = (uint32_t)r->t->sep_id;
    r->ids.count = 0;
    for (int i = 0; i < times; i++) push(&r->ids, cls);
    whole_text(r, swapped ? given->b : given->a);
    for (int i = 0; i < times; i++) push(&r->ids, sep);
    if (given->has_b) {
        if (r->habit & SECOND_SEP) push(&r->ids, sep);
        whole_text(r, swapped ? given->a : given->b);
        for (int i = 0; i < times; i++) push(&r->ids, sep);
    }
    const uint32_t step = r->habit & IDS_UP ? 1 : r->habit & IDS_DOWN ? UINT32_MAX : 0;
    for (size_t i = 0; step && i < r->ids.count; i++) r->ids.items[i] += step;
}

/* Are the ids OTHER's, all of them? */
static bool same_ids(const List *ids, const int32_t *other, size_t count)
{
    if (ids->failed || ids->count != count) return false;
    for (size_t i = 0; i < count; i++)
        if ((int32_t)ids->items[i] != other[i]) return false;
    return true;
}

/* Is OTHER the beginning of what it should be, with or without its [SEP]? (Of a few tokens that says nothing: the last
 * word may be another.) Who cuts both texts of a pair, each a little, is not found. */
static bool is_cut(const TextGiven *given, const int32_t *other, size_t count, bool *sep)
{
    enum { FEW = 16 };
    const Encoding *x = given->encoding;
    *sep = count > 0 && other[count - 1] == given->tokenizer->sep_id;
    if (count < FEW || count >= (size_t)x->T) return false;
    return !memcmp(x->input_ids, other, (count - *sep) * sizeof *other);
}

/* Are OTHER's ids what they should be, with [PAD] before or behind them? (Of those behind, only what no mask hides is asked
 * about.) Then a sentence about them. */
static bool say_padding(const TextGiven *given, const int32_t *other, size_t count, FILE *out)
{
    const size_t T = (size_t)given->encoding->T;
    const int32_t pad = given->tokenizer->pad_id;
    size_t before = 0;
    while (before < count && other[before] == pad) before++;
    if (count <= T || count - T < before) return false;
    const size_t behind = count - T - before;
    if (memcmp(other + before, given->encoding->input_ids, T * sizeof *other)) return false;
    for (size_t i = before + T; i < count; i++)
        if (other[i] != pad) return false;
    char front[96] = "", back[96] = "", line[256];
    if (before) snprintf(front, sizeof front, "%zu [PAD] in front of the text, whose tokens have other positions then", before);
    if (behind) snprintf(back, sizeof back, "%zu [PAD] behind the text that no attention_mask hides", behind);
    snprintf(line, sizeof line, "best explanation: input_ids: %s%s%s (with it equal)", front, before && behind ? ", and " : "", back);
    print_wrapped(out, line);
    return true;
}

/* Two habits at once, of those that change something here. */
static int try_pairs(Run *r, const TextGiven *given, const int32_t *other, size_t count, const size_t *changing)
{
    for (size_t i = 0; changing[i] < habits_count; i++)
        for (size_t k = i + 1; changing[k] < habits_count; k++) {
            r->habit = habits[changing[i]].change | habits[changing[k]].change;
            make_ids(r, given);
            if (same_ids(&r->ids, other, count)) return (int)(changing[i] * habits_count + changing[k]);
        }
    return -1;
}

/* Each habit by itself: those that give OTHER's ids into `found`, those that change anything into `changing`; both end
 * with habits_count. */
static void try_each(Run *r, const TextGiven *given, const int32_t *other, size_t count, size_t *found,
                     size_t *changing)
{
    const Encoding *x = given->encoding;
    size_t hits = 0, changes = 0;
    for (size_t i = 0; i < habits_count; i++) {
        r->habit = habits[i].change;
        make_ids(r, given);
        if (same_ids(&r->ids, x->input_ids, (size_t)x->T)) continue;
        changing[changes++] = i;
        if (same_ids(&r->ids, other, count)) found[hits++] = i;
    }
    found[hits] = changing[changes] = habits_count;
}

/* The sentences. */
static void print_habits(const size_t *found, int pair, FILE *out)
{
    char line[512];
    for (size_t i = 0; found[i] < habits_count; i++) {
        snprintf(line, sizeof line, "%s: input_ids: %s (with it equal)",
                 i ? "cannot be told apart from" : "best explanation", habits[found[i]].sentence);
        print_wrapped(out, line);
    }
    if (pair < 0) return;
    snprintf(line, sizeof line, "best explanation: input_ids: %s, and %s (with both equal)",
             habits[(size_t)pair / habits_count].sentence, habits[(size_t)pair % habits_count].sentence);
    print_wrapped(out, line);
}

/* Gives the lists back. */
static void run_free(Run *r)
{
    free(r->chars.items);
    free(r->next.items);
    free(r->word.items);
    free(r->ids.items);
}

/* OTHER's ids are not TEXT's: prints the habit that makes TEXT's ids OTHER's, or the two, or nothing.
 * Of a text of more than 16 kB, which no BERT reads to its end, nothing is said: hundreds of runs would take long.
 * BERT_SYSTEM: out of memory. */
Status explain_ids(const TextGiven *given, const int32_t *other, size_t count, FILE *out, Error *e)
{
    enum { MOST = 64, LONGEST = 1 << 14 };
    const Encoding *x = given->encoding;
    Run r = {.t = given->tokenizer, .plain = given->plain || given->tokenizer->plain};
    size_t found[MOST], changing[MOST];
    int pair = -1;
    bool sep;
    assert(habits_count < MOST);
    if (given->a.length + given->b.length > LONGEST || say_padding(given, other, count, out)) return BERT_OK;
    make_ids(&r, given);
    if (same_ids(&r.ids, x->input_ids, (size_t)x->T)) {
        try_each(&r, given, other, count, found, changing);
        if (found[0] == habits_count) pair = try_pairs(&r, given, other, count, changing);
        print_habits(found, pair, out);
        if (found[0] == habits_count && pair < 0 && is_cut(given, other, count, &sep))
            fprintf(out, "best explanation: input_ids: the text is cut at %zu tokens%s (with it equal)\n", count,
                    sep ? "" : ", and [SEP] with it");
    }
    const bool failed = r.chars.failed || r.ids.failed;
    run_free(&r);
    return failed ? fail(e, BERT_SYSTEM, "out of memory for the known habits of tokenizers") : BERT_OK;
}

/* TEXT's ids with that habit, or with none for habits_count: malloc'ed. */
Status habit_ids(const TextGiven *given, size_t habit, int32_t **ids, size_t *count, Error *e)
{
    Run r = {.t = given->tokenizer, .plain = given->plain || given->tokenizer->plain,
             .habit = habit < habits_count ? habits[habit].change : 0};
    make_ids(&r, given);
    const bool failed = r.chars.failed || r.ids.failed;
    *count = r.ids.count;
    *ids = (int32_t *)r.ids.items;
    r.ids.items = NULL;
    run_free(&r);
    if (!failed) return BERT_OK;
    free(*ids);
    *ids = NULL;
    return fail(e, BERT_SYSTEM, "out of memory for the known habits of tokenizers");
}

/* =====================================================================================================================
 * The table
 * ================================================================================================================== */
const Habit habits[] = {
    /* step 1: clean */
    {"case-kept", "capitals stay: the text is not put into lower case", CASE_STAYS},
    {"case-lowered", "the text is put into lower case, but the model is cased", CASE_LOWERED},
    {"accents-kept", "accents stay: lower case alone does not strip them", ACCENTS_STAY},
    {"accents-stripped", "accents are stripped, but the model keeps them", ACCENTS_STRIPPED},
    {"accents-composed-kept", "marks are dropped, but letters are not decomposed: U+00E9 stays", COMPOSED_STAY},
    {"sigma-final", "a sigma that ends a word is U+03C2, as Python's lower() has it", SIGMA_FINAL},
    {"case-folded", "case is folded, not lowered: the sharp s becomes ss, every sigma U+03C3", CASE_FOLDED},
    {"marks-newer", "marks that are newer than Unicode 8 are dropped, too", NEWER_MARKS},
    {"first-part-only", "of a letter that is decomposed the first part stays: Korean loses its vowels", FIRST_PART},
    {"ideographs-joined", "Chinese characters are not split", IDEOGRAPHS_STAY},
    {"controls-kept", "control and format characters stay: the text is not cleaned", CONTROLS_STAY},
    {"controls-to-spaces", "control and format characters become spaces", CONTROLS_SPACE},
    {"private-kept", "characters for private use stay", PRIVATE_STAYS},
    {"white-space-first", "VT, FF and U+0085 end a word: white space is asked for before control characters",
     WHITE_FIRST},
    {"white-space-ascii", "only ASCII white space ends a word: U+00A0 and U+3000 do not", WHITE_ASCII},
    {"space-only", "only the space ends a word: tabs and ends of lines do not", SPACE_ONLY},
    {"line-ends-kept", "U+2028 and U+2029 are not taken for white space", LINES_STAY},

    /* step 2: split */
    {"punctuation-ascii", "only ASCII punctuation is split off", MARKS_ASCII},
    {"punctuation-joined", "punctuation is not split off: words end at white space", MARKS_STAY},

    /* step 3: WordPiece */
    {"unknown-rest", "[UNK] stands for the rest of a word, not for all of it", UNKNOWN_REST},
    {"unknown-letter", "[UNK] stands for each unknown letter, not for the word", UNKNOWN_LETTER},
    {"unknown-lost", "what is unknown is left out: no [UNK] stands for it", UNKNOWN_LOST},
    {"letters-lost", "letters that are no piece are left out: the rest of the word stays", LETTERS_LOST},
    {"whole-words", "a word that is no piece is [UNK]: words are not cut", WHOLE_WORDS},
    {"prefix-missing", "pieces inside a word are looked up without ##", NO_PREFIX},
    {"longest-word-200", "words of up to 200 characters are cut, not of 100", LIMIT_200},
    {"longest-word-none", "words of any length are cut", LIMIT_NONE},
    {"longest-word-bytes", "a word of more than 100 bytes is [UNK], not one of more than 100 characters", LIMIT_BYTES},
    {"special-as-text", "special tokens in the text are taken for text", SPECIAL_PLAIN},
    {"added-cut", "an added token is cut into pieces like a word, or is [UNK]: it has lost its id", ADDED_CUT},

    /* step 4: ids */
    {"frame-missing", "[CLS] and [SEP] are missing", NO_FRAME},
    {"frame-twice", "[CLS] and [SEP] are there twice", FRAME_TWICE},
    {"pair-two-sep", "two [SEP] stand between the texts, as RoBERTa has it", SECOND_SEP},
    {"pair-swapped", "the second text comes first", TEXTS_SWAPPED},
    {"ids-plus-one", "every id is one too high: are pieces counted from 1?", IDS_UP},
    {"ids-minus-one", "every id is one too low: was the vocabulary's first line lost?", IDS_DOWN},
};
const size_t habits_count = sizeof habits / sizeof *habits;
