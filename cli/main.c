/* main.c - the command line: the table of verbs, and main.
 *
 *     bert COMMAND [options] [TEXT ...]
 *
 * A verb is a short function: read an input, run the model, print. Each family of verbs has a file of its own, in which
 * the help text above a verb is also its specification.
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
static const struct {
    const char *question;           /* a heading of the help, which the verb is the first under; or NULL */
    const Verb *verb;
} verbs[] = {
    {"To begin with", &demo_verb}, {NULL, &explain_verb},
    {"What does BERT see?", &tokenize_verb}, {NULL, &vocab_verb},
    {"What was it trained to answer?", &fill_mask_verb}, {NULL, &next_sentence_verb},
    {"What was it fine-tuned to answer?", &classify_verb}, {NULL, &tag_verb}, {NULL, &answer_verb},
    {NULL, &choose_verb},
    {"How near are two texts?", &embed_verb}, {NULL, &similarity_verb}, {NULL, &rank_verb},
    {"What happens inside?", &attention_verb}, {NULL, &trace_verb}, {NULL, &info_verb},
    {"How does it learn?", &train_verb},
    {"Are the numbers right?", &goldens_verb}, {NULL, &verify_verb}, {NULL, &compare_verb},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

/* The first thing that a new user sees: one line per command, under the question that it answers. */
static void print_help(FILE *out)
{
    fprintf(out, "bert: BERT from scratch in C\n\nUsage: bert COMMAND [options] [TEXT ...]\n");
    for (int i = 0; i < VERBS; i++) {
        if (verbs[i].question) fprintf(out, "\n%s\n", verbs[i].question);
        fprintf(out, "  %-14s %s\n", verbs[i].verb->name, verbs[i].verb->summary);
    }
    fprintf(out, "\nExamples:\n"
            "  bert fill-mask 'The cat sat on the [MASK].'\n"
            "  bert similarity 'How old are you?' 'What is your age?' 'The cat sat on a mat.'\n"
            "\n"
            "A TEXT stands in quotes. Without TEXT, lines are read from -f FILE or stdin.\n"
            "bert COMMAND --help says more; bert help options lists what every command takes.\n"
            "\n"
            "Exit codes: 0 done, or equal; 1 compared and different; 2 wrong usage; 3 a model\n"
            "or other input file is missing or corrupt; 4 the input text is rejected; 5 the\n"
            "weights lack the head asked for; 6 out of memory, or a file could not be read or\n"
            "written.\n");
}

/* The command that does what Hugging Face's libraries call a task, or NULL. */
static const char *command_of_task(const char *task)
{
    static const char *const names[][2] = {
        {"text-classification", "classify"}, {"sentiment-analysis", "classify"}, {"sentiment", "classify"},
        {"zero-shot-classification", "classify"}, {"zero-shot", "classify"}, {"qa", "answer"},
        {"token-classification", "tag"}, {"ner", "tag"},
        {"question-answering", "answer"}, {"multiple-choice", "choose"}, {"feature-extraction", "embed"},
        {"sentence-similarity", "similarity"}, {"text-ranking", "rank"}, {"cross-encoder", "rank"}, {"reranker", "rank"},
        {"rerank", "rank"}, {"next-sentence-prediction", "next-sentence"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(task, names[i][0])) return names[i][1];
    return NULL;
}

/* The command of that name. NULL, with a message, if there is no such command: the nearest one is offered, if it is
 * near.
 */
static const Verb *find_verb(const char *name, Error *e)
{
    char all[256] = "", near[32];
    for (int i = 0; i < VERBS; i++) {
        if (!strcmp(verbs[i].verb->name, name)) return verbs[i].verb;
        strcat(strcat(all, verbs[i].verb->name), " ");
    }
    if (name[0] == '-') fail(e, BERT_USAGE, "the command comes first, options follow: see `bert --help`");
    else if (strchr(name, ' ')) fail(e, BERT_USAGE, "the command comes first, texts follow: see `bert --help`");
    else if (command_of_task(name))
        fail(e, BERT_USAGE, "unknown command %s: it is called %s here. See `bert %s --help`", name,
             command_of_task(name), command_of_task(name));
    else if (nearest_word(name, all, near, sizeof near))
        fail(e, BERT_USAGE, "unknown command %s: did you mean %s? See `bert --help`", name, near);
    else fail(e, BERT_USAGE, "unknown command %s: see `bert --help`", name);
    return NULL;
}

/* --help and --version, alone or after a command, go to stdout like any other answer. */
static Status print_answer(void (*print)(FILE *out), const Verb *verb, Error *e)
{
    Session s = {0};
    if (print) print(stdout);
    else print_verb_help(verb, stdout);
    return session_close(&s, BERT_OK, e);
}

static void print_version(FILE *out)
{
    fprintf(out, "bert %s%s\n", BERT_VERSION, sizeof(real) == 8 ? " (float64)" : "");
}

/* A first word that is answered at once: --version, help, help COMMAND, help options. *answered = false: it must be a
 * command. */
static Status answer_question(int argc, char **argv, bool *answered, Error *e)
{
    const bool help = !strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h");
    const bool version = !strcmp(argv[1], "--version");
    *answered = help || version;
    if (version) return print_answer(print_version, NULL, e);
    if (!help) return BERT_OK;
    if (argc == 2) return print_answer(print_help, NULL, e);
    if (!strcmp(argv[2], "options")) return print_answer(print_common_options, NULL, e);
    const Verb *verb = find_verb(argv[2], e);
    return verb ? print_answer(NULL, verb, e) : e->status;
}

/* A command from its first word to its status, in order: find the verb, read the options, open the model, run the verb,
 * close. Whatever fails leaves one sentence in *e, and everything after it is skipped, except closing. */
static Status run_command(int argc, char **argv, Error *e)
{
    Session s = {.program = argv[0]};
    bool help = false, answered;
    if (argc < 2) {
        print_help(stderr);
        return fail(e, BERT_USAGE, "a command is missing");
    }
    Status status = answer_question(argc, argv, &answered, e);
    if (answered) return status;
    s.verb = find_verb(argv[1], e);
    if (!s.verb) return e->status;
    status = parse_options(&s.options, s.verb, argc - 2, argv + 2, &help, e);
    if (help) {
        free(s.options.texts);
        return print_answer(NULL, s.verb, e);
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
