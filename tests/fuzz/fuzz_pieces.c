/* fuzz_pieces.c - any bytes as the files of a tokenizer: refused with a sentence that names one of them, or texts can
 * be encoded, and the tokens say what they stand for.
 *
 * Parts: tokenizer.json, vocab.txt, tokenizer_config.json, special_tokens_map.json, added_tokens.json, text. A part
 * without bytes is a file that is missing. Options: bit 0: --uncased, 1: --no-special.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json",
                                    "added_tokens.json"};
enum { NAMES = sizeof names / sizeof *names };

static bool names_a_file(const char *message)
{
    for (size_t i = 0; i < NAMES; i++)
        if (strstr(message, names[i])) return true;
    return false;
}

/* Ids are those of the tokenizer, offsets lie in the text and ascend; with --trace the tokens are the same. */
static void check_text(const Tokenizer *t, Text text, bool plain)
{
    const EncodeOptions options = {.segments = -1, .plain = plain};
    Encoding x = {0};
    Error e = {0};
    FILE *nowhere = fopen("/dev/null", "w");
    Status s = encode(t, text, NULL, &options, &x, &e);
    fuzz_expect_status(s, &e, "34");
    for (int i = 1; s == BERT_OK && i + 1 < x.T; i++)
        fuzz_expect(x.input_ids[i] >= 0 && x.input_ids[i] < t->V && x.offsets[i][0] <= x.offsets[i][1] &&
                    x.offsets[i][1] <= text.length && (i == 1 || x.offsets[i - 1][0] <= x.offsets[i][0]),
                    "token %d: id %d, bytes %zu to %zu", i, (int)x.input_ids[i], x.offsets[i][0], x.offsets[i][1]);
    if (nowhere) {
        Status traced = tokenize_trace(t, text, NULL, &options, print_stage, nowhere, &e);
        /* of two faults either is named */
        fuzz_expect((traced == BERT_OK) == (s == BERT_OK), "--trace: %s", e.message);
        fclose(nowhere);
    }
    encoding_free(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzPart parts[NAMES + 1];
    Tokenizer t;
    Error e = {0};
    fuzz_begin();
    const uint8_t options = fuzz_split(parts, NAMES + 1, data, size);
    for (size_t i = 0; i < NAMES; i++) {
        if (parts[i].size) fuzz_put(names[i], parts[i].bytes, parts[i].size);
        else fuzz_remove(names[i]);
    }
    Status s = tokenizer_load(&t, fuzz_path(""), options & 1 ? CASE_UNCASED : CASE_AUTO, &e);
    fuzz_expect_status(s, &e, "3");
    if (s != BERT_OK) {
        fuzz_expect(!t.vocabulary && t.V == 0, "nothing is left of what was refused");
        fuzz_expect(names_a_file(e.message), "the message names no file: %s", e.message);
        return 0;
    }
    uint8_t *copy = fuzz_copy(parts[NAMES].bytes, parts[NAMES].size);
    check_text(&t, (Text){(char *)copy, parts[NAMES].size}, options & 2);
    free(copy);
    for (int id = 0; id < t.V; id++) {
        const char *piece = tokenizer_piece(&t, id);
        check_text(&t, (Text){piece, strlen(piece) < 600 ? strlen(piece) : 0}, false);
        if (id > 40) break;
    }
    fuzz_expect(tokenizer_rows(&t) <= t.V, "%d rows, %d ids", tokenizer_rows(&t), t.V);
    tokenizer_free(&t);
    return 0;
}

static size_t any_part(size_t part, uint8_t *bytes, size_t size, size_t max_size, unsigned seed)
{
    (void)part;
    (void)seed;
    return LLVMFuzzerMutate(bytes, size, max_size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, NAMES + 1, any_part);
}
