/* fuzz_vocab.c - any bytes as vocab.txt: refused with a sentence, or each line is a piece, found by its id and its id
 * by it, and texts can be encoded with it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Length of the white space (the property White_Space) that ends the n bytes. A list of its own, for the check. */
static size_t white_at_end(const uint8_t *line, size_t n)
{
    static const char *const white[] = {
        "\t", "\v", "\f", "\r", " ", "\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9",
        "\xE2\x80\xAF", "\xE2\x81\x9F",
        "\xE3\x80\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84",
        "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A"};
    size_t left = n;
    for (size_t i = 0; i < sizeof white / sizeof *white; ) {
        size_t length = strlen(white[i]);
        bool there = length <= left && !memcmp(line + left - length, white[i], length);
        if (there) left -= length;
        i = there ? 0 : i + 1;
    }
    return n - left;
}

/* The file once more, read in the plainest way: line by line. An id that a piece is found by is its last line. */
static void check_pieces(const Tokenizer *t, const uint8_t *bytes, size_t size)
{
    int id = 0;
    for (size_t at = 0; at < size; id++) {
        const uint8_t *end = memchr(bytes + at, '\n', size - at);
        size_t line = end ? (size_t)(end - bytes) - at : size - at, n = line - white_at_end(bytes + at, line);
        fuzz_expect(id < t->V, "%d pieces, but a line more", t->V);
        const char *piece = tokenizer_piece(t, id);
        int found = tokenizer_id(t, piece, n);
        fuzz_expect(!memcmp(piece, bytes + at, n) && piece[n] == 0, "piece %d is line %d", id, id + 1);
        fuzz_expect(found >= id && found < t->V, "piece %d is found as %d", id, found);
        fuzz_expect(!memcmp(tokenizer_piece(t, found), piece, n + 1), "pieces %d and %d are the same", id, found);
        at += line + 1;
    }
    fuzz_expect(id == t->V, "%d lines, %d pieces", id, t->V);
}

static void check_text(const Tokenizer *t, const char *bytes, size_t size)
{
    const EncodeOptions options = {.segments = -1};
    char *copy = (char *)fuzz_copy((const uint8_t *)bytes, size);
    Encoding x = {0};
    Error e = {0};
    Status s = encode(t, (Text){copy, size}, NULL, &options, &x, &e);
    fuzz_expect_status(s, &e, "34");
    for (int i = 0; s == BERT_OK && i < x.T; i++)
        fuzz_expect(x.input_ids[i] >= 0 && x.input_ids[i] < t->V && x.offsets[i][0] <= x.offsets[i][1] &&
                    x.offsets[i][1] <= size, "token %d: id %d, bytes %zu to %zu", i, (int)x.input_ids[i],
                    x.offsets[i][0], x.offsets[i][1]);
    encoding_free(&x);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] =
        "The caf\xC3\xA9's x[MASK]y, ##ing \xE4\xB8\xAD\xE6\x96\x87 unaffable a\xCC\x81 \xEA\xB0\x81.";
    Tokenizer t;
    Error e = {0};
    fuzz_begin();
    fuzz_put("vocab.txt", data, size);
    Status s = tokenizer_load(&t, fuzz_path(""), CASE_AUTO, &e);
    fuzz_expect_status(s, &e, "3");
    if (s != BERT_OK) {
        fuzz_expect(!t.vocabulary && t.V == 0, "nothing is left of what was refused");
        return 0;
    }
    fuzz_expect(fuzz_valid_utf8(data, size) == size, "only UTF-8 is accepted");
    check_pieces(&t, data, size);
    check_text(&t, text, sizeof text - 1);
    t.lower_case = t.strip_accents = !t.lower_case;
    check_text(&t, text, sizeof text - 1);
    check_text(&t, (const char *)data, size < 256 ? size : 256);
    tokenizer_free(&t);
    return 0;
}

/* Mostly puts back the five pieces without which nothing else is looked at. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static const char *const special[] = {"[PAD]\n", "[UNK]\n", "[CLS]\n", "[SEP]\n", "\n[MASK]\n"};
    size = LLVMFuzzerMutate(data, size, max_size);
    if (fuzz_pick(&seed, 4) == 0) return size;
    for (size_t i = 0; i < 5; i++) {
        size_t length = strlen(special[i]);
        bool there = false;
        for (size_t at = 0; at + length <= size && !there; at++) there = !memcmp(data + at, special[i], length);
        if (there || length > max_size - size) continue;
        memmove(data + length, data, size);
        memcpy(data, special[i], length);
        size += length;
    }
    return size;
}
