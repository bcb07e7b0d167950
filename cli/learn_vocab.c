/* learn_vocab.c - `bert vocab --learn N`: a vocabulary for WordPiece (tokenizer.c, step 3), learned from text.
 *
 *     words with their counts      hug 10   pug 5   pun 12   bun 4   hugs 5
 *     as characters                h ##u ##g   p ##u ##g   p ##u ##n   b ##u ##n   h ##u ##g ##s
 *     the most frequent pair       ##u ##g: 10 + 5 + 5 = 20, which becomes a piece, ##ug, in all words
 *     again                        ##u ##n: 16, ##un;   then h ##ug: 15, hug;   then p ##un: 12, pun ...
 *
 * WHAT IS KNOWN. Google never released the program that made BERT's vocabulary. Its paper (Schuster, Nakajima: Japanese
 * and Korean Voice Search, 2012) says that WordPiece joins the pair that raises the likelihood of the text most, which
 * is often written count(ab) / (count(a) count(b)). Hugging Face's WordPieceTrainer counts pairs, as byte pair encoding
 * does (Sennrich et al.: Neural Machine Translation of Rare Words with Subword Units, 2016), and writes ## before what
 * continues a word.
 * Differs: here it is the same, by counts: with the quotient a letter that comes once in the text is joined first.
 * Trap: Hugging Face's trainer gives other pieces from run to run, because pairs that are equally frequent come in the
 *       order of a hash table. Here the pair of the earlier pieces comes first, and the characters are in the order of
 *       Unicode: the same text gives the same vocabulary, in whatever order its lines are.
 *
 * The time grows with the text, then with the number of different words: only words that hold a pair are looked at when
 * it is joined.
 */
#include "cli/cli.h"
#include "weights/unicode.h"
#include <stdlib.h>
#include <string.h>

enum { CODES = 0x110000, MOST_LETTERS = 100 };
static const char *const special_pieces[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
enum { SPECIALS = sizeof special_pieces / sizeof *special_pieces };

/* ---------------------------------------------------------------------------------------------------------------------
 * Strings with a number each: words, and pieces
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    char *bytes;                    /* all of them, one after another */
    size_t used, room;
    size_t *start;                  /* (count+1) */
    size_t count, start_room;
    uint32_t *slots;                /* (slot_count) number + 1, or 0 */
    size_t slot_count;              /* a power of two */
} Strings;

static uint64_t hash_bytes(const char *bytes, size_t n)
{
    uint64_t hash = 0xCBF29CE484222325u;                                /* FNV-1a */
    for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    return hash ^ hash >> 32;
}

/* The slot of a string, or the empty one where it belongs. */
static uint32_t *string_slot(const Strings *s, const char *bytes, size_t n)
{
    size_t at = hash_bytes(bytes, n) & (s->slot_count - 1);
    for (; s->slots[at]; at = (at + 1) & (s->slot_count - 1)) {
        const size_t begin = s->start[s->slots[at] - 1], end = s->start[s->slots[at]];
        if (end - begin == n && !memcmp(s->bytes + begin, bytes, n)) break;
    }
    return &s->slots[at];
}

/* Twice as many slots; each string finds its new one. */
static bool more_slots(Strings *s)
{
    size_t wanted;
    if (!size_mul(s->slot_count ? s->slot_count : 512, 2, &wanted) || wanted > UINT32_MAX) return false;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (!slots) return false;
    free(s->slots);
    s->slots = slots;
    s->slot_count = wanted;
    for (size_t i = 0; i < s->count; i++)
        *string_slot(s, s->bytes + s->start[i], s->start[i + 1] - s->start[i]) = (uint32_t)i + 1;
    return true;
}

/* The number of a string, which is added if it is new; -1: out of memory. */
static int64_t string_number(Strings *s, const char *bytes, size_t n)
{
    size_t end;
    if (s->count >= s->slot_count / 2 && !more_slots(s)) return -1;
    uint32_t *slot = string_slot(s, bytes, n);
    if (*slot) return *slot - 1;
    if (!size_add(s->used, n, &end) || !lengthen_array(&s->bytes, 1, &s->room, end) ||
        !lengthen_array(&s->start, sizeof *s->start, &s->start_room, s->count + 2)) return -1;
    memcpy(s->bytes + s->used, bytes, n);
    s->start[0] = 0;
    s->used = s->start[++s->count] = end;
    *slot = (uint32_t)s->count;
    return (int64_t)s->count - 1;
}

static void strings_free(Strings *s)
{
    free(s->bytes);
    free(s->start);
    free(s->slots);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What is learned
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* two pieces that stand side by side */
    uint32_t left, right;
    int64_t count;                  /* in all of the text */
    size_t last;                    /* where: places, linked, from the last; 0: none */
    bool touched;                   /* its count grew: it must be queued anew */
} PiecePair;
typedef struct {
    uint32_t word;
    size_t before;                  /* the place before it, or 0 */
} PairPlace;
typedef struct {                    /* a pair, and how frequent it was when it was queued */
    int64_t count;
    uint32_t pair;
} Queued;

typedef struct {
    Tokenizer t;
    Strings words, pieces;
    int64_t *counts;                /* (words.count) */
    size_t counts_room;
    uint32_t *symbols;              /* the words as pieces, each where it begins */
    size_t *first;                  /* (words.count) */
    uint32_t *length;               /* (words.count) pieces; 0: a word that is left out */
    PiecePair *pairs;
    size_t pair_count, pair_room;
    uint32_t *pair_slots;           /* by left and right: number + 1, or 0 */
    size_t pair_slot_count;
    PairPlace *places;
    size_t place_count, place_room;
    Queued *queue;                  /* a heap: the most frequent first */
    size_t queue_count, queue_room;
    uint32_t *touched;
    size_t touched_count, touched_room;
    size_t left_out;                /* characters that the alphabet has no room for */
} PieceLearner;

/* A word of the text: a WordSink. */
static Status count_word(void *context, const char *word, size_t n, Error *e)
{
    PieceLearner *l = context;
    const size_t before = l->words.count;
    const int64_t number = string_number(&l->words, word, n);
    if (number < 0 || !lengthen_array(&l->counts, sizeof *l->counts, &l->counts_room, l->words.count))
        return fail(e, BERT_SYSTEM, "out of memory for %zu different words", before);
    if (l->words.count > before) l->counts[number] = 0;
    l->counts[number]++;
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Characters
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    uint32_t code;                  /* twice the character's, and 1 if it continues a word */
    int64_t count;
} Letter;

static int more_frequent(const void *a, const void *b)
{
    const Letter *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x->code < y->code ? -1 : x->code > y->code;
}

/* All that begin a word before all that continue one; each in the order of Unicode. */
static int in_order(const void *a, const void *b)
{
    const Letter *x = a, *y = b;
    const uint32_t p = (x->code & 1) << 31 | x->code >> 1, q = (y->code & 1) << 31 | y->code >> 1;
    return p < q ? -1 : p > q;
}

/* The characters of a word as Letter codes; returns how many. */
static size_t letters_of(const PieceLearner *l, size_t word, uint32_t codes[MOST_LETTERS])
{
    size_t count = 0;
    for (size_t at = l->words.start[word], n; at < l->words.start[word + 1] && count < MOST_LETTERS; at += n) {
        uint32_t code = 0;
        n = utf8_decode(l->words.bytes + at, l->words.start[word + 1] - at, &code);
        codes[count] = 2 * code + (count > 0);
        count++;
    }
    return count;
}

/* A piece of one character, by its Letter code. */
static int64_t letter_piece(PieceLearner *l, uint32_t code)
{
    char bytes[8] = "##";
    const size_t prefix = code & 1 ? 2 : 0, n = utf8_encode(code >> 1, bytes + prefix);
    return string_number(&l->pieces, bytes, prefix + n);
}

/* The special pieces, then the characters: at most half of N, the most frequent of them. A word that has another one is
 * left out: the tokenizer will make [UNK] of it. */
static Status make_alphabet(PieceLearner *l, int N, Letter *letters, uint32_t *number, Error *e)
{
    uint32_t codes[MOST_LETTERS];
    size_t count = 0;
    bool ok = true;
    for (uint32_t c = 0; c < 2 * CODES; c++) letters[c] = (Letter){c, 0};
    for (size_t w = 0; w < l->words.count; w++)
        for (size_t i = 0, n = letters_of(l, w, codes); i < n; i++) letters[codes[i]].count += l->counts[w];
    for (uint32_t c = 0; c < 2 * CODES; c++)
        if (letters[c].count) letters[count++] = letters[c];
    qsort(letters, count, sizeof *letters, more_frequent);
    if (count > (size_t)N / 2) l->left_out = count - (size_t)N / 2, count = (size_t)N / 2;
    qsort(letters, count, sizeof *letters, in_order);
    for (int i = 0; i < SPECIALS && ok; i++)
        ok = string_number(&l->pieces, special_pieces[i], strlen(special_pieces[i])) >= 0;
    for (size_t i = 0; i < count && ok; i++) {
        const int64_t piece = letter_piece(l, letters[i].code);
        number[letters[i].code] = (uint32_t)piece + 1;
        ok = piece >= 0;
    }
    return ok ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory for the characters");
}

/* Every word as pieces of one character. */
static Status spell_words(PieceLearner *l, const uint32_t *number, Error *e)
{
    uint32_t codes[MOST_LETTERS];
    size_t used = 0;
    l->first = calloc(l->words.count, sizeof *l->first);
    l->length = calloc(l->words.count, sizeof *l->length);
    /* a character has a byte at least */
    l->symbols = calloc(l->words.used ? l->words.used : 1, sizeof *l->symbols);
    if (!l->first || !l->length || !l->symbols)
        return fail(e, BERT_SYSTEM, "out of memory for %zu different words", l->words.count);
    for (size_t w = 0; w < l->words.count; w++) {
        const size_t n = letters_of(l, w, codes);
        bool known = true;
        for (size_t i = 0; i < n; i++) known &= number[codes[i]] > 0;
        for (size_t i = 0; i < n && known; i++) l->symbols[used + i] = number[codes[i]] - 1;
        l->first[w] = used;
        l->length[w] = known ? (uint32_t)n : 0;
        used += known ? n : 0;
    }
    return BERT_OK;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Pairs
 * ------------------------------------------------------------------------------------------------------------------ */
static uint32_t *pair_slot(const PieceLearner *l, uint32_t left, uint32_t right)
{
    const uint64_t key = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
    size_t at = (key ^ key >> 32) & (l->pair_slot_count - 1);
    for (; l->pair_slots[at]; at = (at + 1) & (l->pair_slot_count - 1)) {
        const PiecePair *p = &l->pairs[l->pair_slots[at] - 1];
        if (p->left == left && p->right == right) break;
    }
    return &l->pair_slots[at];
}

static bool more_pair_slots(PieceLearner *l)
{
    size_t wanted;
    if (!size_mul(l->pair_slot_count ? l->pair_slot_count : 512, 2, &wanted) || wanted > UINT32_MAX) return false;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (!slots) return false;
    free(l->pair_slots);
    l->pair_slots = slots;
    l->pair_slot_count = wanted;
    for (size_t i = 0; i < l->pair_count; i++) *pair_slot(l, l->pairs[i].left, l->pairs[i].right) = (uint32_t)i + 1;
    return true;
}

/* The pair, which is added if it is new; NULL: out of memory. */
static PiecePair *find_pair(PieceLearner *l, uint32_t left, uint32_t right)
{
    if (l->pair_count >= l->pair_slot_count / 2 && !more_pair_slots(l)) return NULL;
    uint32_t *slot = pair_slot(l, left, right);
    if (!*slot) {
        if (!lengthen_array(&l->pairs, sizeof *l->pairs, &l->pair_room, l->pair_count + 1)) return NULL;
        l->pairs[l->pair_count] = (PiecePair){.left = left, .right = right};
        *slot = (uint32_t)++l->pair_count;
    }
    return &l->pairs[*slot - 1];
}

/* Counts a pair of one word; notes where it is if `place`. */
static bool count_pair(PieceLearner *l, uint32_t left, uint32_t right, size_t word, bool place)
{
    PiecePair *p = find_pair(l, left, right);
    if (!p) return false;
    p->count += l->counts[word];
    if (!place) return true;
    if (!lengthen_array(&l->places, sizeof *l->places, &l->place_room, l->place_count + 2)) return false;
    if (!l->place_count) l->place_count = 1;                            /* place 0 is none */
    l->places[l->place_count] = (PairPlace){(uint32_t)word, p->last};
    p->last = l->place_count++;
    if (p->touched) return true;
    if (!lengthen_array(&l->touched, sizeof *l->touched, &l->touched_room, l->touched_count + 1)) return false;
    p->touched = true;
    l->touched[l->touched_count++] = (uint32_t)(p - l->pairs);
    return true;
}

/* Does a pair come before another one? The more frequent; of equal ones that of the earlier pieces. */
static bool comes_first(const PieceLearner *l, const Queued *a, const Queued *b)
{
    const PiecePair *p = &l->pairs[a->pair], *q = &l->pairs[b->pair];
    if (a->count != b->count) return a->count > b->count;
    return p->left != q->left ? p->left < q->left : p->right < q->right;
}

/* Into the heap: up from its end, as long as it comes before the one above it. */
static bool enqueue(PieceLearner *l, Queued x)
{
    if (!lengthen_array(&l->queue, sizeof *l->queue, &l->queue_room, l->queue_count + 1)) return false;
    size_t at = l->queue_count++;
    while (at > 0 && comes_first(l, &x, &l->queue[(at - 1) / 2])) {
        l->queue[at] = l->queue[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    l->queue[at] = x;
    return true;
}

/* The first of the heap; the last one takes its place, and goes down. */
static Queued dequeue(PieceLearner *l)
{
    const Queued first = l->queue[0], x = l->queue[--l->queue_count];
    size_t at = 0;
    for (;;) {
        size_t below = 2 * at + 1;
        if (below + 1 < l->queue_count && comes_first(l, &l->queue[below + 1], &l->queue[below])) below++;
        if (below >= l->queue_count || !comes_first(l, &l->queue[below], &x)) break;
        l->queue[at] = l->queue[below];
        at = below;
    }
    l->queue[at] = x;
    return first;
}

/* Pairs whose counts grew are queued anew; what stands in the queue with an old count is passed over later. */
static bool queue_touched(PieceLearner *l)
{
    bool ok = true;
    for (size_t i = 0; i < l->touched_count; i++) {
        PiecePair *p = &l->pairs[l->touched[i]];
        p->touched = false;
        ok = ok && enqueue(l, (Queued){p->count, l->touched[i]});
    }
    l->touched_count = 0;
    return ok;
}

/* The pair that is joined next; false: none comes twice. */
static bool next_pair(PieceLearner *l, PiecePair *pair)
{
    while (l->queue_count) {
        const Queued x = dequeue(l);
        const PiecePair *p = &l->pairs[x.pair];
        /* there is room: one left */
        if (p->count != x.count && p->count > 1) enqueue(l, (Queued){p->count, x.pair});
        if (p->count != x.count || x.count < 2) continue;
        *pair = *p;
        return true;
    }
    return false;
}

/* One word, in which the pair becomes one piece: its pairs are taken away, and counted anew. */
static bool join_in_word(PieceLearner *l, size_t word, const PiecePair *pair, uint32_t piece)
{
    uint32_t *x = l->symbols + l->first[word], n = l->length[word], to = 0;
    bool ok = true, found = false;
    for (uint32_t i = 0; i + 1 < n; i++) found |= x[i] == pair->left && x[i + 1] == pair->right;
    if (!found) return true;                                /* it was joined when this word was met before */
    for (uint32_t i = 0; i + 1 < n; i++) find_pair(l, x[i], x[i + 1])->count -= l->counts[word];     /* all are there */
    for (uint32_t i = 0; i < n; i++) {
        const bool here = i + 1 < n && x[i] == pair->left && x[i + 1] == pair->right;
        x[to++] = here ? piece : x[i];
        i += here;
    }
    l->length[word] = to;
    for (uint32_t i = 0; i + 1 < to && ok; i++)
        ok = count_pair(l, x[i], x[i + 1], word, x[i] == piece || x[i + 1] == piece);
    return ok;
}

/* left and right as one piece: the ## of the right one goes. */
static int64_t joined_piece(PieceLearner *l, const PiecePair *p)
{
    char bytes[2 * (2 + 4 * MOST_LETTERS)];
    const Strings *s = &l->pieces;
    const size_t left = s->start[p->left + 1] - s->start[p->left];
    const size_t right = s->start[p->right + 1] - s->start[p->right] - 2;
    memcpy(bytes, s->bytes + s->start[p->left], left);
    memcpy(bytes + left, s->bytes + s->start[p->right] + 2, right);
    return string_number(&l->pieces, bytes, left + right);
}

/* Joins pairs until there are N pieces, or no pair that comes twice. */
static Status join_pairs(PieceLearner *l, int N, Error *e)
{
    PiecePair pair;
    bool ok = true;
    for (size_t w = 0; w < l->words.count && ok; w++)
        for (uint32_t i = 0; i + 1 < l->length[w] && ok; i++)
            ok = count_pair(l, l->symbols[l->first[w] + i], l->symbols[l->first[w] + i + 1], w, true);
    ok = ok && queue_touched(l);
    while (ok && l->pieces.count < (size_t)N && next_pair(l, &pair)) {
        const int64_t piece = joined_piece(l, &pair);
        ok = piece >= 0;
        for (size_t place = pair.last; place && ok; place = l->places[place].before)
            ok = join_in_word(l, l->places[place].word, &pair, (uint32_t)piece);
        ok = ok && queue_touched(l);
    }
    return ok ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory for the pairs of %zu different words", l->words.count);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The verb
 * ------------------------------------------------------------------------------------------------------------------ */
static Status read_words(Session *s, PieceLearner *l, Error *e)
{
    Input input = {0};
    bool more = true;
    Status status;
    while ((status = next_text(s, &input, &more, e)) == BERT_OK && more) {
        status = split_text(&l->t, input.whole, count_word, l, e);
        if (status != BERT_OK) status = at_input(s, &input, e);
        if (status != BERT_OK) break;
    }
    input_free(&input);
    if (status == BERT_OK && !l->words.count) status = fail(e, BERT_TEXT, "there is no word to learn from");
    return status;
}

static Status learn_pieces(Session *s, PieceLearner *l, Error *e)
{
    Letter *letters = calloc(2 * CODES, sizeof *letters);
    uint32_t *number = calloc(2 * CODES, sizeof *number);
    Status status = letters && number ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory for the characters");
    if (status == BERT_OK) status = make_alphabet(l, s->options.learn, letters, number, e);
    if (status == BERT_OK) status = spell_words(l, number, e);
    free(letters);
    free(number);
    return status == BERT_OK ? join_pairs(l, s->options.learn, e) : status;
}

Status learn_vocabulary(Session *s, Error *e)
{
    PieceLearner *l = calloc(1, sizeof *l);
    if (!l) return fail(e, BERT_SYSTEM, "out of memory");
    Status status = tokenizer_blank(&l->t, s->options.case_choice != CASE_CASED, e);
    if (status == BERT_OK) status = read_words(s, l, e);
    if (status == BERT_OK) status = learn_pieces(s, l, e);
    for (size_t i = 0; status == BERT_OK && i < l->pieces.count; i++) {
        fwrite(l->pieces.bytes + l->pieces.start[i], 1, l->pieces.start[i + 1] - l->pieces.start[i], s->out);
        fputc('\n', s->out);
    }
    if (status == BERT_OK)
        note(s, "%zu pieces of %zu different words%s", l->pieces.count, l->words.count,
             l->pieces.count >= (size_t)s->options.learn ? "" : !l->left_out ? ": no other pair comes twice" :
             ": no other pair of the characters that are left comes twice");
    if (status == BERT_OK && l->left_out)
        note(s, "--learn %d has room for %d characters, half of it: the %zu rarest of the text are left out, and words "
             "with them are [UNK]", s->options.learn, s->options.learn / 2, l->left_out);
    tokenizer_free(&l->t);
    strings_free(&l->words);
    strings_free(&l->pieces);
    void *const memory[] = {l->counts, l->symbols, l->first, l->length, l->pairs, l->pair_slots, l->places, l->queue,
                            l->touched, l};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) free(memory[i]);
    return status;
}
