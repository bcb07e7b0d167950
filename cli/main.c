/* main.c - the command line: the table of verbs, and main.
 *
 *     bert COMMAND [options] [TEXT ...]
 *
 * A verb is a short function: read an input, run the model, print. Each family of verbs has a file of its own, and above
 * each verb stands its help text, which is also its specification.
 */
#include "cli/cli.h"
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * The program
 *
 * The table of verbs, help, and main. Each verb brings a Verb: its name, its function, what it needs loaded, the
 * options and formats that it has beside the common ones, and its help. Adding a command means adding one of those to
 * this table.
 * ================================================================================================================== */
static const Verb *const verbs[] = {
    &tokenize_verb, &vocab_verb, &embed_verb, &similarity_verb, &rank_verb, &fill_mask_verb, &next_sentence_verb,
    &attention_verb, &explain_verb, &goldens_verb, &trace_verb, &compare_verb, &verify_verb, &info_verb, &demo_verb,
};
enum { VERBS = sizeof verbs / sizeof *verbs };

/* The first thing that a new user sees: one line per question that can be asked. */
static void print_help(FILE *out)
{
    fprintf(out, "bert COMMAND [options] [TEXT ...]: BERT in C\n\n");
    for (int i = 0; i < VERBS; i++) fprintf(out, "  %-14s %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(out, "\nbert COMMAND --help says more and gives examples. Without TEXT, lines are read from -f FILE or "
                 "stdin.\n"
            "Exit codes: 0 done or equal, 1 compared and different, 2 usage, 3 a model or other input file is missing "
            "or\n"
            "corrupt, 4 the input text is rejected, 5 the weights lack the head asked for, 6 the system failed us.\n");
}

/* The command of that name. NULL, with a message, if there is no such command: the nearest one is offered, if it is
 * near.
 */
static const Verb *find_verb(const char *name, Error *e)
{
    char all[256] = "", near[32];
    for (int i = 0; i < VERBS; i++) {
        if (!strcmp(verbs[i]->name, name)) return verbs[i];
        strcat(strcat(all, verbs[i]->name), " ");
    }
    if (name[0] == '-') fail(e, BERT_USAGE, "the command comes first, options follow: see `bert --help`");
    else if (nearest_word(name, all, near, sizeof near))
        fail(e, BERT_USAGE, "unknown command %s: did you mean %s? See `bert --help`", name, near);
    else fail(e, BERT_USAGE, "unknown command %s: see `bert --help`", name);
    return NULL;
}

/* --help and --version, alone or after a command, go to stdout like any other answer. */
static Status print_answer(const Verb *verb, bool version, Error *e)
{
    Session s = {0};
    if (version) printf("bert %s%s\n", BERT_VERSION, sizeof(real) == 8 ? " (float64)" : "");
    else if (verb) print_verb_help(verb, stdout);
    else print_help(stdout);
    return session_close(&s, BERT_OK, e);
}

/* A command from its first word to its status, in order: find the verb, read the options, open the model, run the verb,
 * close. Whatever fails leaves one sentence in *e, and everything after it is skipped, except closing. */
static Status run_command(int argc, char **argv, Error *e)
{
    Session s = {.program = argv[0]};
    bool help = false;
    if (argc < 2) {
        print_help(stderr);
        return fail(e, BERT_USAGE, "a command is missing");
    }
    if (!strcmp(argv[1], "--version")) return print_answer(NULL, true, e);
    const bool asked = !strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h");
    if (asked && argc == 2) return print_answer(NULL, false, e);
    s.verb = find_verb(argv[asked ? 2 : 1], e);                         /* `bert help embed` is `bert embed --help` */
    if (!s.verb) return e->status;
    if (asked) return print_answer(s.verb, false, e);
    Status status = parse_options(&s.options, s.verb, argc - 2, argv + 2, &help, e);
    if (help) {
        free(s.options.texts);
        return print_answer(s.verb, false, e);
    }
    if (status == BERT_OK) status = session_open(&s, e);
    if (status == BERT_OK) status = s.verb->run(&s, e);
    return session_close(&s, status, e);
}

/* Only here does the program end: the library returns a Status, and its values are the exit codes. */
int main(int argc, char **argv)
{
    Error e = {0};
    program_start("bert");
    Status status = run_command(argc, argv, &e);
    if (status != BERT_OK) fprintf(stderr, "bert: %s\n", e.message);
    return (int)status;
}
