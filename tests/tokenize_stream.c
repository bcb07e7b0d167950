/* tokenize_stream.c - texts in, ids and offsets out, in binary: what the scripts that compare tokenizers talk to.
 * A line of text cannot hold a newline and a NUL; a length followed by bytes can hold everything.
 *
 *     tokenize_stream DIRECTORY cased|uncased|auto
 *
 * All numbers are 32-bit integers of the machine. A request: flags (1 a second text follows, 2 --no-special, 4 no [CLS]
 * and [SEP], 8 pad, 16 trace), max_length (0 none), then length and bytes of each text. The answer: T, or minus the
 * Status; then for each token id, type, mask, begin, end. With 16 the answer goes on: length and bytes of what
 * `tokenize --trace` prints of each text; length and bytes of the message, if the status is not 0. */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>

/* Exactly n bytes of stdin into a block of exactly that size, so that a sanitizer sees a read beyond it. */
static char *read_bytes(size_t n)
{
    char *bytes = malloc(n ? n : 1);
    if (bytes && fread(bytes, 1, n, stdin) == n) return bytes;
    fprintf(stderr, "tokenize_stream: the input ends inside a text\n");
    exit(BERT_SYSTEM);
}

static Text read_text(void)
{
    uint32_t length;
    char *head = read_bytes(sizeof length);
    memcpy(&length, head, sizeof length);
    free(head);
    return (Text){read_bytes(length), length};
}

static void write_answer(const Encoding *x, Status s)
{
    int32_t T = s ? -(int32_t)s : x->T;
    fwrite(&T, sizeof T, 1, stdout);
    for (int i = 0; i < T; i++) {
        int32_t row[5] = {x->input_ids[i], x->token_type_ids[i], x->attention_mask[i],
                          (int32_t)x->offsets[i][0], (int32_t)x->offsets[i][1]};
        fwrite(row, sizeof row, 1, stdout);
    }
}

static void write_bytes(const char *bytes, size_t length)
{
    uint32_t head = (uint32_t)length;
    fwrite(&head, sizeof head, 1, stdout);
    fwrite(bytes, 1, length, stdout);
}

static void write_trace(const Tokenizer *t, Text text, const EncodeOptions *o, Error *e)
{
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    if (!out) exit(BERT_SYSTEM);
    tokenize_trace(t, text, NULL, o, print_stage, out, e);
    fclose(out);
    write_bytes(bytes, length);
    free(bytes);
}

int main(int argc, char **argv)
{
    Tokenizer t;
    Error e;
    Encoding x = {0};
    if (argc != 3) return BERT_USAGE;
    CaseChoice choice = !strcmp(argv[2], "cased") ? CASE_CASED : !strcmp(argv[2], "uncased") ? CASE_UNCASED : CASE_AUTO;
    if (tokenizer_load(&t, argv[1], choice, &e)) {
        fprintf(stderr, "tokenize_stream: %s\n", e.message);
        return e.status;
    }
    for (uint32_t head[2]; fread(head, sizeof head, 1, stdin) == 1;) {
        bool pair = head[0] & 1;
        EncodeOptions o = {.plain = head[0] & 2, .no_add_special = head[0] & 4, .pad = head[0] & 8,
                           .max_length = (int)head[1], .truncate = head[1] > 0, .segments = -1};
        Text a = read_text(), b = pair ? read_text() : (Text){NULL, 0};
        Status s = encode(&t, a, pair ? &b : NULL, &o, &x, &e);
        write_answer(&x, s);
        if (head[0] & 16 && s) write_bytes(e.message, strlen(e.message));
        if (head[0] & 16 && !s) write_trace(&t, a, &o, &e);
        if (head[0] & 16 && !s && pair) write_trace(&t, b, &o, &e);
        free((char *)a.bytes);
        free((char *)b.bytes);
    }
    encoding_free(&x);
    tokenizer_free(&t);
    return fflush(stdout) ? BERT_SYSTEM : BERT_OK;
}
