/* name_habits.c - for each line of a text: does another tokenizer give it our ids, and if not, which habit explains it?
 *
 *     name_habits DIRECTORY cased|uncased LINES IDS
 *
 * IDS has a line for each of LINES: ids without [CLS] and [SEP]. Prints a line for each: `same`, what verify says of
 * the difference, or `unknown`. tests/peers/run.py counts them. */
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>

/* A line without its newline, or NULL at the end. */
static char *next_line(FILE *f, char **buffer, size_t *room)
{
    const ssize_t n = getline(buffer, room, f);
    if (n < 0) return NULL;
    if (n > 0 && (*buffer)[n - 1] == '\n') (*buffer)[n - 1] = 0;
    return *buffer;
}

/* "101 7592 102" -> ids; returns how many there are, room for length / 2 + 1 of them. */
static size_t read_ids(const char *text, int32_t *ids)
{
    size_t count = 0;
    char *end;
    for (long id = strtol(text, &end, 10); end != text; id = strtol(text, &end, 10)) {
        ids[count++] = (int32_t)id;
        text = end;
    }
    return count;
}

/* What verify says, without its first words and its last. */
static void print_habit(const TextGiven *given, const int32_t *ids, size_t count)
{
    static const char begins[] = "best explanation: input_ids: ";
    char *said = NULL;
    size_t length = 0;
    Error e;
    FILE *out = open_memstream(&said, &length);
    if (!out || explain_ids(given, ids, count, out, &e) != BERT_OK) exit(BERT_SYSTEM);
    fclose(out);
    for (char *c = said; *c; c++) {             /* a long sentence goes on in the next line, indented */
        if (strncmp(c, "\n    ", 5)) continue;
        memmove(c + 1, c + 5, strlen(c + 5) + 1);
        *c = ' ';
    }
    said[strcspn(said, "\n")] = 0;
    if (strncmp(said, begins, strlen(begins))) puts("unknown");
    else puts(said + strlen(begins));
    free(said);
}

/* One line's answer. `failed` stands where the other program had no ids. */
static void answer(const Tokenizer *t, Text text, const char *row, Encoding *x)
{
    const EncodeOptions options = {.segments = -1, .no_add_special = true};
    TextGiven given = {.tokenizer = t, .encoding = x, .a = text};
    Error e;
    int32_t *ids = calloc(strlen(row) / 2 + 4, sizeof *ids);
    if (!ids || encode(t, text, NULL, &options, x, &e) != BERT_OK) exit(BERT_SYSTEM);
    size_t count = read_ids(row, ids + 1);
    if (strcmp(row, "failed") && count == (size_t)x->T && !memcmp(ids + 1, x->input_ids, count * sizeof *ids)) {
        puts("same");
    } else if (!strcmp(row, "failed")) {
        puts("failed");
    } else {
        const EncodeOptions framed = {.segments = -1};
        ids[0] = t->cls_id, ids[count + 1] = t->sep_id;
        if (encode(t, text, NULL, &framed, x, &e) != BERT_OK) exit(BERT_SYSTEM);
        print_habit(&given, ids, count + 2);
    }
    free(ids);
}

int main(int argc, char **argv)
{
    Tokenizer t;
    Error e;
    Encoding x = {0};
    char *line = NULL, *row = NULL;
    size_t line_room = 0, row_room = 0;
    if (argc != 5) return BERT_USAGE;
    FILE *lines = fopen(argv[3], "r"), *ids = fopen(argv[4], "r");
    if (!lines || !ids) return BERT_SYSTEM;
    if (tokenizer_load(&t, argv[1], strcmp(argv[2], "cased") ? CASE_UNCASED : CASE_CASED, &e) != BERT_OK) {
        fprintf(stderr, "name_habits: %s\n", e.message);
        return e.status;
    }
    while (next_line(lines, &line, &line_room)) {
        if (!next_line(ids, &row, &row_room)) return BERT_FILE;
        answer(&t, (Text){line, strlen(line)}, row, &x);
    }
    fclose(lines);
    fclose(ids);
    free(line);
    free(row);
    encoding_free(&x);
    tokenizer_free(&t);
    return BERT_OK;
}
