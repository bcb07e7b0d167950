/* test_transcript.c - what the commands print, word for word: tests/golden/commands.txt and messages.txt on the model
 * "tiny", and tests/golden/documents.txt on bert-base-uncased. The numbers are the same on every machine, and so is the
 * text.
 *
 * A transcript says that something is another text than it was; whether it is right is said by the tests that compare
 * it with numbers of other origin (test_output.c, test_explain.c). Where a change is meant:
 *
 *     NEW_TRANSCRIPT=1 build/tests transcript        writes all files anew; then read the difference
 *
 * In the files, `$ ` begins a command without its `bert`, `% ` one for the shell, which makes the next one's files. @ is
 * the model's directory (and stands for `-m @`, unless the command names another model), N the number of a line of the
 * sources. What went to stderr comes behind the answer, with `! ` before each line; the last line is the exit code. */
#include "shell.h"
#include <stdlib.h>
#include <string.h>

static char notes[256];             /* a directory: what goes to stderr */

/* Appends to a text that grows. */
typedef struct {
    char *text;
    size_t used, room;
} Growing;

static void grow(Growing *g, const char *text, size_t n)
{
    if (g->used + n + 1 > g->room) {
        g->room = 2 * (g->used + n) + 4096;
        g->text = realloc(g->text, g->room);
        if (!g->text) abort();
    }
    memcpy(g->text + g->used, text, n);
    g->text[g->used += n] = 0;
}

/* The same with every occurrence of `from` replaced. */
static void grow_replaced(Growing *g, const char *text, const char *from, const char *to)
{
    for (const char *at; *from && (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        grow(g, text, (size_t)(at - text));
        grow(g, to, strlen(to));
    }
    grow(g, text, strlen(text));
}

/* "bert.c:183" -> "bert.c:N": a line of a source moves with every comment above it. */
static void without_line_numbers(char *text)
{
    char *to = text;
    for (const char *from = text; *from; ) {
        const size_t digits = to - text >= 3 && !strncmp(to - 3, ".c:", 3) ? strspn(from, "0123456789") : 0;
        *to++ = digits ? 'N' : *from;
        from += digits ? digits : 1;
    }
    *to = 0;
}

/* Runs a command of a transcript, of the kind '$' or '%', and appends it with its answer. */
static void play(Growing *g, char kind, const char *command)
{
    Growing shell = {0};
    char verb[64], code[32];
    const char *rest = command + (kind == '$' ? strcspn(command, " ") : 0);
    snprintf(verb, sizeof verb, "%.*s", (int)(rest - command), command);
    grow_replaced(&shell, rest, "@", tiny);
    const bool model = kind == '$' && strcmp(verb, "compare") && *tiny && !strstr(command, "-m ");  /* compare needs none */
    const int exit_code = run("{ %s%s %s%s %s; } </dev/null 2>%s/stderr; code=$?; sed 's/^/! /' %s/stderr; exit $code",
                              kind == '$' ? "./bert " : "", verb, model ? "-m " : "", model ? tiny : "", shell.text,
                              notes, notes);
    snprintf(code, sizeof code, "[%d]\n", exit_code);
    grow(g, (char[]){kind, ' '}, 2), grow(g, command, strlen(command)), grow(g, "\n", 1);
    without_line_numbers(output);
    grow_replaced(g, output, tiny, "@");
    grow(g, code, strlen(code));
    free(shell.text);
}

/* The next command of a transcript, or its end. */
static const char *next_command(const char *at)
{
    while ((at = strchr(at, '\n')) != NULL && *++at)
        if ((*at == '$' || *at == '%') && at[1] == ' ') return at;
    return NULL;
}

/* The whole file, malloc'ed. */
static char *read_transcript(const char *path)
{
    Growing g = {0};
    char piece[4096];
    FILE *f = fopen(path, "rb");
    if (!check(f != NULL, "%s can be read", path)) return NULL;
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0; ) grow(&g, piece, n);
    fclose(f);
    return g.text;
}

/* Plays the commands of a transcript again; shows the first line of each answer that is another one. */
static void check_transcript(const char *path)
{
    char *expected = read_transcript(path), command[2000];
    Growing all = {0};
    int commands = 0;
    if (!check(formula_directory(notes), "there is a directory")) return;
    for (const char *at = expected; at && *at; ) {
        const char *next = next_command(at), *end = next ? next : at + strlen(at);
        const size_t before = all.used;
        snprintf(command, sizeof command, "%.*s", (int)strcspn(at + 2, "\n"), at + 2);
        play(&all, *at, command);
        const char *got = all.text + before, *want = at;
        while (want < end && *got == *want) got++, want++;
        while (want > at && want[-1] != '\n') got--, want--;
        check(*got == 0 && want == end, "%s prints\n      %.*s\n    expected\n      %.*s", command,
              (int)strcspn(got, "\n"), got,
              want < end ? (int)strcspn(want, "\n") : 0, want);
        at = end, commands++;
    }
    FILE *f = getenv("NEW_TRANSCRIPT") && all.text ? fopen(path, "wb") : NULL;
    if (f) fputs(all.text, f), fclose(f);
    check(commands > 2, "%s: %d commands", path, commands);
    run("rm %s/stderr", notes);
    formula_remove(notes);
    free(expected), free(all.text);
}

/* a and b: a trace, and the same with the other GELU; c: of another text; ids: two rows of ids and nothing else. */
static void the_transcript_of_the_commands_is_the_same(void)
{
    int64_t ids[2][4] = {{2, 61, 62, 3}, {2, 9, 63, 3}};
    SafeTensor t = {.name = (char[]){"input_ids"}, .dtype = DTYPE_I64, .rank = 2, .shape = {2, 4}, .count = 8,
                    .data = ids};
    char path[300];
    Error e = {0};
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/ids", tiny);
    check(safetensors_write(path, &t, 1, NULL, 0, &e) == BERT_OK, "%s", e.message);
    run("for t in 'a erf cat' 'b tanh cat' 'c erf dog'; do set -- $t; "
        "./bert trace -m %s --gelu $2 -o %s/$1 \"the $3\"; done", tiny, tiny);
    check_transcript("tests/golden/commands.txt");
    run("rm %s/a %s/b %s/c %s/ids", tiny, tiny, tiny, tiny);
    formula_remove(tiny);
}

/* What goes wrong, and what is said then: wrong usage, wrong models, wrong texts. */
static void the_transcript_of_the_messages_is_the_same(void)
{
    if (!tiny_model()) return;
    check_transcript("tests/golden/messages.txt");
    formula_remove(tiny);
}

static void the_transcript_of_the_documents_is_the_same(void)
{
    if (too_slow() || !real_weights("bert-base-uncased")) return;
    *tiny = 0;                                                          /* the default model */
    check_transcript("tests/golden/documents.txt");
}

const Test transcript_tests[] = {
    {"the_transcript_of_the_commands_is_the_same", the_transcript_of_the_commands_is_the_same},
    {"the_transcript_of_the_messages_is_the_same", the_transcript_of_the_messages_is_the_same},
    {"the_transcript_of_the_documents_is_the_same", the_transcript_of_the_documents_is_the_same},
    {NULL, NULL},
};
