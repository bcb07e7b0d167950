/* fuzz_tokenizer.c - any bytes as a text for the tokenizer, with Google's uncased vocabulary: rejected only for what
 * must be rejected, and else tokens that keep all promises.
 *
 * The first byte chooses options (the bits below), the second is the length limit, the third says where a second text
 * begins, in 256ths of what follows. What is promised:
 *
 *     - rejected are invalid UTF-8, and what is too long without --truncate; nothing else
 *     - ids are ids, offsets stay inside the text and never run backward
 *     - the same text gives the same tokens: again, in a used Encoding, and by the slow way of --trace
 *     - the bytes of a token are its piece, where both are ASCII
 *     - the tokens of "a b" are those of a and those of b
 *     - where the tokenizer's chunks end makes no difference
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { CASED = 1, PLAIN = 2, BARE = 4, TRUNCATE = 8, PAD = 16, PAIR = 32, LIMIT = 64, TRACE = 128 };
static const char model[] = "weights/bert-base-uncased";        /* from the repository's root, where make is run */

static const Tokenizer *tokenizer(bool cased)
{
    static Tokenizer both[2];
    Error e;
    Tokenizer *t = &both[cased];
    if (!t->vocabulary && tokenizer_load(t, model, cased ? CASE_CASED : CASE_UNCASED, &e))
        fuzz_expect(false, "%s", e.message);
    return t;
}

/* A piece that continues a word, without its ##. */
static const char *body(const char *piece, bool *continues)
{
    *continues = !strncmp(piece, "##", 2) && piece[2];
    return piece + (*continues ? 2 : 0);
}

/* Between `begin` and `end` stand exactly this piece's characters, and characters that are deleted. Only said where
 * all is ASCII: elsewhere a character may become others. */
static void check_piece(const Tokenizer *t, int id, const char *text, size_t begin, size_t end, bool special)
{
    char clean[512];
    size_t n = 0;
    bool continues;
    const char *piece = tokenizer_piece(t, id), *expected = body(piece, &continues);
    if (id == t->unk_id && !special) return;
    for (size_t i = begin; i < end; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80) return;
        if (c < 0x20 || c == 0x7F) continue;
        fuzz_expect(n < sizeof clean - 1, "token of %zu bytes", end - begin);
        clean[n++] = (char)(t->lower_case && !special && c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    clean[n] = 0;
    if (special || !strcmp(clean, piece)) expected = piece;     /* "##" itself is a piece of two words */
    for (const char *p = expected; *p; p++) if ((unsigned char)*p >= 0x80) return;
    fuzz_expect(!strcmp(clean, expected), "bytes %zu to %zu are '%s', the piece is '%s'", begin, end, clean, piece);
}

/* Whether the token is one of the five, taken from the text as it stands. */
static bool is_special(const Tokenizer *t, int id, const char *text, size_t begin, size_t end, bool plain)
{
    const char *piece = tokenizer_piece(t, id);
    if (plain || (id != t->pad_id && id != t->unk_id && id != t->cls_id && id != t->sep_id && id != t->mask_id))
        return false;
    return end - begin == strlen(piece) && !memcmp(text + begin, piece, end - begin);
}

/* Tokens first .. last-1 of an Encoding, which are those of one text. */
static void check_tokens(const Tokenizer *t, const Encoding *x, int first, int last, Text text, bool plain)
{
    size_t begin = 0, end = 0;
    for (int i = first; i < last; i++) {
        const size_t *o = x->offsets[i];
        int id = x->input_ids[i];
        fuzz_expect(id >= 0 && id < t->V, "id %d", id);
        fuzz_expect(begin <= o[0] && end <= o[1] && o[0] < o[1] && o[1] <= text.length,
                    "token %d: bytes %zu to %zu after %zu to %zu, of %zu", i, o[0], o[1], begin, end, text.length);
        begin = o[0], end = o[1];
        check_piece(t, id, text.bytes, begin, end, is_special(t, id, text.bytes, begin, end, plain));
    }
}

static void expect_same(const Encoding *x, const Encoding *y, const char *what)
{
    size_t n = (size_t)x->T;
    fuzz_expect(x->T == y->T, "%s: %d tokens and %d", what, x->T, y->T);
    fuzz_expect(!n || (!memcmp(x->input_ids, y->input_ids, n * sizeof *x->input_ids) &&
                       !memcmp(x->token_type_ids, y->token_type_ids, n * sizeof *x->token_type_ids) &&
                       !memcmp(x->attention_mask, y->attention_mask, n * sizeof *x->attention_mask) &&
                       !memcmp(x->offsets, y->offsets, n * sizeof *x->offsets)), "%s: the same tokens", what);
}

/* `--trace` goes through all stages for every character; its line of ids must be the same. */
static void check_trace(const Tokenizer *t, Text a, const Text *b, const EncodeOptions *options, const Encoding *x)
{
    char *text = NULL;
    size_t size = 0;
    Error e;
    FILE *out = open_memstream(&text, &size);
    fuzz_expect(out != NULL, "no memory stream");
    Status s = tokenize_trace(t, a, b, options, print_stage, out, &e);
    fuzz_expect(s == BERT_OK, "what is encoded can be traced: %s", e.message);
    fclose(out);
    fuzz_expect(fuzz_valid_utf8((uint8_t *)text, size) == size, "a trace is UTF-8");
    if (!b && !options->max_length) {                           /* the pieces of step 3, between [CLS] and [SEP] */
        const char *at = strstr(text, "\n3 WordPiece");
        fuzz_expect(at != NULL, "a trace has step 3");
        for (at += strlen("\n3 WordPiece    "); *at == ' '; at++) ;
        int one = options->no_add_special ? 0 : 1;
        for (int i = one; i < x->T - one; i++) {
            const char *piece = tokenizer_piece(t, x->input_ids[i]);
            size_t n = strlen(piece);
            fuzz_expect(!strncmp(at, piece, n) && at[n] == ' ', "token %d of the trace is %s", i, piece);
            at += n + 1;
        }
        fuzz_expect(*at == '\n', "the trace has as many tokens");
    }
    free(text);
}

/* The tokens of "a b", cut at a character's beginning, are those of a and those of b. */
static void check_halves(const Tokenizer *t, Text text, size_t cut, bool plain)
{
    const EncodeOptions options = {.plain = plain, .no_add_special = true, .segments = -1};
    Encoding x = {0}, y = {0}, z = {0};
    Error e;
    while (cut < text.length && (text.bytes[cut] & 0xC0) == 0x80) cut++;
    uint8_t *joined = malloc(text.length + 1);
    fuzz_expect(joined != NULL, "out of memory");
    if (cut) memcpy(joined, text.bytes, cut);
    joined[cut] = ' ';
    if (cut < text.length) memcpy(joined + cut + 1, text.bytes + cut, text.length - cut);
    Text whole = {(char *)joined, text.length + 1}, a = {text.bytes, cut}, b = {text.bytes + cut, text.length - cut};
    bool good = encode(t, whole, NULL, &options, &x, &e) == BERT_OK &&
                encode(t, a, NULL, &options, &y, &e) == BERT_OK && encode(t, b, NULL, &options, &z, &e) == BERT_OK;
    fuzz_expect(good, "a half is valid: %s", e.message);
    fuzz_expect(x.T == y.T + z.T, "%d tokens, in halves %d and %d", x.T, y.T, z.T);
    for (int i = 0; i < x.T; i++) {
        const Encoding *half = i < y.T ? &y : &z;
        int k = i < y.T ? i : i - y.T;
        size_t shift = i < y.T ? 0 : cut + 1;
        fuzz_expect(x.input_ids[i] == half->input_ids[k] && x.offsets[i][0] == half->offsets[k][0] + shift &&
                    x.offsets[i][1] == half->offsets[k][1] + shift, "token %d is that of its half", i);
    }
    encoding_free(&x), encoding_free(&y), encoding_free(&z);
    free(joined);
}

/* The tokenizer works on chunks of 1,024 characters. With so many white characters before the text that a chunk ends in
 * its middle the tokens are the same. (Not blanks: before ASCII a chunk ends anyway, as it does in the text.) */
static void check_chunks(const Tokenizer *t, Text text, const Encoding *expected, bool plain)
{
    enum { CHUNK = 1024, WHITE = 2 };                           /* U+00A0 has two bytes */
    const EncodeOptions options = {.plain = plain, .no_add_special = true, .segments = -1};
    Encoding x = {0};
    Error e;
    size_t characters = 0, first = 0;
    for (size_t i = 0; i < text.length; i++) characters += (text.bytes[i] & 0xC0) != 0x80;
    const size_t shift = WHITE * (CHUNK - characters / 2 % CHUNK);
    while (first < (size_t)expected->T && expected->offsets[first][1] == 0) first++;            /* [CLS] */
    char *longer = malloc(shift + text.length + 1);
    fuzz_expect(longer != NULL, "out of memory");
    for (size_t i = 0; i < shift; i += WHITE) memcpy(longer + i, "\xC2\xA0", WHITE);
    if (text.length) memcpy(longer + shift, text.bytes, text.length);
    Status s = encode(t, (Text){longer, shift + text.length}, NULL, &options, &x, &e);
    fuzz_expect(s == BERT_OK, "white space before it: %s", e.message);
    for (int i = 0; i < x.T; i++) {
        const size_t k = first + (size_t)i, *o = expected->offsets[k];
        fuzz_expect(k < (size_t)expected->T && x.input_ids[i] == expected->input_ids[k] &&
                    x.offsets[i][0] == o[0] + shift && x.offsets[i][1] == o[1] + shift, "token %d, %zu bytes later", i,
                    shift);
    }
    encoding_free(&x);
    free(longer);
}

/* [CLS] A [SEP] B [SEP] and padding: types, masks, lengths, and the tokens of each text. */
static void check_frame(const Tokenizer *t, const Encoding *x, Text a, const Text *b, const EncodeOptions *o)
{
    int one = o->no_add_special ? 0 : 1, T = x->T, second = T, end = 0;
    while (end < T && x->attention_mask[end] == 1) end++;
    for (int i = end; i < T; i++)
        fuzz_expect(x->attention_mask[i] == 0 && x->input_ids[i] == t->pad_id && x->token_type_ids[i] == 0, "padding");
    fuzz_expect(!o->max_length || T <= o->max_length, "%d tokens, at most %d", T, o->max_length);
    fuzz_expect(!o->pad || !o->max_length || T == o->max_length, "%d tokens, padded to %d", T, o->max_length);
    for (int i = end - 1; b && i >= 0 && x->token_type_ids[i] == 1; i--) second = i;
    if (second > end) second = end;
    if (!b) check_tokens(t, x, one, end - one, a, o->plain);
    else {
        check_tokens(t, x, one, second - one, a, o->plain);
        check_tokens(t, x, second, second < end ? end - one : end, *b, o->plain);
    }
}

/* Everything that is said of a text that was encoded. */
static void check_text(const Tokenizer *t, Text a, const Text *b, const EncodeOptions *o, Encoding *used, uint8_t how,
                       uint8_t third)
{
    Encoding fresh = {0};
    Error e = {0};
    check_frame(t, used, a, b, o);
    fuzz_expect(encode(t, a, b, o, &fresh, &e) == BERT_OK, "again: %s", e.message);
    expect_same(used, &fresh, "again");
    if (how & TRACE && a.length < 128) check_trace(t, a, b, o, &fresh);
    encoding_free(&fresh);
    if (!b && !o->max_length) check_halves(t, a, a.length / 2, o->plain);
    if (!b && !o->max_length && third % 8 == 0) check_chunks(t, a, used, o->plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Encoding used;                                       /* reused from text to text, as the command line does */
    if (size < 3) return 0;
    const uint8_t how = data[0];
    const Tokenizer *t = tokenizer(how & CASED);
    size_t n = size - 3, cut = how & PAIR ? n * data[2] / 256 : n;
    uint8_t *first = fuzz_copy(data + 3, cut), *rest = fuzz_copy(data + 3 + cut, n - cut);
    const Text a = {(char *)first, cut}, b = {(char *)rest, n - cut}, *second = how & PAIR ? &b : NULL;
    const EncodeOptions o = {.plain = how & PLAIN, .no_add_special = how & BARE, .truncate = how & TRUNCATE,
                             .pad = how & PAD, .max_length = how & LIMIT ? 1 + data[1] : 0, .segments = -1};
    Error e = {0};
    fuzz_begin();
    Status s = encode(t, a, second, &o, &used, &e);
    fuzz_expect_status(s, &e, "24");
    bool valid = fuzz_valid_utf8(first, cut) == cut && fuzz_valid_utf8(rest, n - cut) == n - cut;
    if (s == BERT_OK) {
        fuzz_expect(valid, "only UTF-8 is accepted");
        check_text(t, a, second, &o, &used, how, data[2]);
    } else if (s == BERT_USAGE) {
        fuzz_expect(o.max_length > 0 && o.max_length < 3, "usage: %s", e.message);
    } else {
        bool too_long = strstr(e.message, "use --truncate") != NULL;
        fuzz_expect(too_long ? o.max_length > 0 && !o.truncate : !valid, "rejected for nothing: %s", e.message);
    }
    free(first), free(rest);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The mutator: mostly characters, not bytes
 * ------------------------------------------------------------------------------------------------------------------ */

/* A character from one of the ranges in which the stages make a difference. */
static uint32_t interesting(unsigned *seed)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x7F}, {0x80, 0x17F}, {0x2B0, 0x36F}, {0x370, 0x5FF}, {0x600, 0x6FF}, {0x900, 0x97F}, {0xE30, 0xE4F},
        {0x1100, 0x11FF}, {0x1E00, 0x1FFF}, {0x2000, 0x206F}, {0x20D0, 0x214F}, {0x3000, 0x30FF}, {0x4DB0, 0x4E10},
        {0x9FF0, 0xA010}, {0xAC00, 0xAC40}, {0xD790, 0xD7FF}, {0xF8F0, 0xFB10}, {0xFE00, 0xFE2F}, {0xFEF0, 0xFFFF},
        {0x1D150, 0x1D1AD}, {0x1E940, 0x1E94B}, {0x1F460, 0x1F4FF}, {0x2A6D0, 0x2A710}, {0x2B810, 0x2B930},
        {0x2CEA0, 0x2CEB1}, {0x2F800, 0x2FA20}, {0xE0000, 0xE007F}, {0x10FFF0, 0x10FFFF}};
    size_t i = fuzz_pick(seed, sizeof ranges / sizeof *ranges);
    uint32_t code = ranges[i][0] + fuzz_pick(seed, ranges[i][1] - ranges[i][0] + 1);
    return code >= 0xD800 && code < 0xE000 ? 0x301 : code;
}

static size_t utf8(uint32_t c, uint8_t out[4])
{
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, c >>= 6) out[i] = (uint8_t)(0x80 | (c & 0x3F));
    out[0] = (uint8_t)(length == 1 ? c : (0xF0u << (4 - length) & 0xFF) | c);
    return length;
}

/* Half the time characters are put in, one of them up to some hundred times. Then, mostly, what is no UTF-8 is made
 * some, for else the first bad byte ends it all. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t at = size > 3 ? 3 + fuzz_pick(&seed, (unsigned)(size - 3)) : size;
    if (size < 3 || fuzz_pick(&seed, 2)) {
        size = LLVMFuzzerMutate(data, size, max_size);
    } else {
        uint32_t c = interesting(&seed);
        unsigned times = 1 + fuzz_pick(&seed, 4), each = fuzz_pick(&seed, 16) ? 1 : 100 + fuzz_pick(&seed, 4);
        for (unsigned i = 0; i < times * each; i++) {
            uint8_t bytes[4];
            size_t n = utf8(c, bytes);
            if (size + n > max_size) break;
            memmove(data + at + n, data + at, size - at);
            memcpy(data + at, bytes, n);
            at += n, size += n;
            if (i % each == each - 1) c = interesting(&seed);
        }
    }
    if (size > 3 && fuzz_pick(&seed, 8))
        for (size_t good; (good = fuzz_valid_utf8(data + 3, size - 3)) < size - 3; ) data[3 + good] = 'a' + good % 26;
    return size;
}
