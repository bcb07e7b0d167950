/* cli.c - what the verbs of main.c share: options, finding the model, reading inputs, running the model, writing
 * numbers.
 *
 * main.c is the part to read first; this file is the plumbing behind it, in the order in which a command meets it:
 *
 *     options -> model -> inputs -> one run -> answers on paper -> exit code
 */
#include "cli/cli.h"
#include "weights/nsp_refit.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* =====================================================================================================================
 * Options
 *
 * A command line is read by one loop over one table. The rules are those of most programs: `--name value` or
 * `--name=value`, `-m value` or `-mvalue`, options and texts in any order, the last of two equal options counts, `--`
 * ends the options, and the value of an option is the next argument whatever it begins with (so that `--layers -2`
 * needs no special care).
 * ================================================================================================================== */
typedef enum {
    OPTION_FLAG,                    /* --pad                stores `value`                                      */
    OPTION_STRING,                  /* --file FILE          stores a pointer to the argument                    */
    OPTION_NUMBER,                  /* --top-k N            stores an int that is at least `value`              */
    OPTION_CHOICE                   /* --gelu erf|tanh      stores the place of the word in `words`, from 0     */
} OptionKind;

typedef struct {
    const char *name;
    char letter;                    /* -m, or 0 */
    bool common;                    /* every command understands it */
    OptionKind kind;
    size_t field;                   /* where in Options */
    int value;
    const char *words;              /* of a choice */
    const char *help;
} Option;

#define AT(field) offsetof(Options, field)

/* The one list of options: parsing and help both come from it. */
static const Option option_table[] = {
    {"--model", 'm', true, OPTION_STRING, AT(model), 0, NULL, "PATH: config.json, vocab.txt and one *.safetensors"},
    {"--file", 'f', true, OPTION_STRING, AT(file), 0, NULL, "FILE: each line is an input; - is stdin"},
    {"--pair", 0, true, OPTION_STRING, AT(pair), 0, NULL, "TEXT: the second segment of the one TEXT"},
    {"--pairs", 0, true, OPTION_FLAG, AT(pairs), 1, NULL, "inputs hold two segments: A ||| B"},
    {"--segments", 0, true, OPTION_CHOICE, AT(segments), 0, "auto 0 1", "token types: 0 for A and 1 for B, or all the "
                                                                        "same"},
    {"--inputs", 0, true, OPTION_STRING, AT(inputs), 0, NULL, "FILE.safetensors: int64 input_ids instead of text"},
    {"--cased", 0, true, OPTION_FLAG, AT(case_choice), CASE_CASED, NULL, "keep capitals and accents"},
    {"--uncased", 0, true, OPTION_FLAG, AT(case_choice), CASE_UNCASED, NULL, "lower case, no accents"},
    {"--gelu", 0, true, OPTION_CHOICE, AT(gelu), 0, "erf tanh", "instead of the configuration's hidden_act"},
    {"--truncate", 0, true, OPTION_FLAG, AT(truncate), 1, NULL, "shorten what is too long"},
    {"--max-length", 0, true, OPTION_NUMBER, AT(max_length), 1, NULL, "N: tokens at most"},
    {"--pad", 0, true, OPTION_FLAG, AT(pad), 1, NULL, "lengthen to N tokens, with attention mask 0"},
    {"--no-special", 0, true, OPTION_FLAG, AT(plain), 1, NULL, "[MASK] and friends in the text are plain text"},
    {"--output", 'o', true, OPTION_STRING, AT(output), 0, NULL, "FILE: instead of stdout; appears whole or not at all"},
    {"--verbose", 'v', true, OPTION_FLAG, AT(verbose), 1, NULL, "more on stderr"},
    {"--quiet", 'q', true, OPTION_FLAG, AT(quiet), 1, NULL, "less on stderr"},
    {"--format", 0, false, OPTION_STRING, AT(format), 0, NULL, "how the answer is written"},
    {"--trace", 0, false, OPTION_FLAG, AT(trace), 1, NULL, "show the text after every stage"},
    {"--no-add-special", 0, false, OPTION_FLAG, AT(no_add_special), 1, NULL, "leave [CLS] and [SEP] out"},
    {"--layers", 0, false, OPTION_STRING, AT(layers), 0, NULL,
     "hidden states: a list -1,-2 or a range -4..-1; 0 is the embedding output, L the last, negative from the end"},
    {"--combine", 0, false, OPTION_CHOICE, AT(combine), 0, "cat sum mean", "several hidden states into one vector"},
    {"--pooling", 0, false, OPTION_CHOICE, AT(pooling), 0, "none cls mean max pooler", "the tokens' vectors into one"},
    {"--normalize", 0, false, OPTION_FLAG, AT(normalize), 1, NULL, "vectors of length 1"},
    {"--word", 0, false, OPTION_STRING, AT(word), 0, NULL, "WORD: compare its occurrences, not whole inputs"},
    {"--by-layer", 0, false, OPTION_FLAG, AT(by_layer), 1, NULL, "the same for every hidden state, 0..L"},
    {"--top-k", 0, false, OPTION_NUMBER, AT(top_k), 1, NULL, "N: the best N only"},
    {"--targets", 0, false, OPTION_STRING, AT(targets), 0, NULL, "A,B: only these pieces"},
    {"--layer", 0, false, OPTION_NUMBER, AT(layer), 0, NULL, "N: block, from 0"},
    {"--head", 0, false, OPTION_NUMBER, AT(head), 0, NULL, "N: attention head, from 0"},
    {"--step", 0, false, OPTION_NUMBER, AT(step), 1, NULL, "N: one of the sixteen steps, from 1"},
    {"--isolate", 0, false, OPTION_FLAG, AT(isolate), 1, NULL, "feed each step OTHER's own inputs"},
    {"--tolerance", 0, false, OPTION_STRING, AT(tolerance), 0, NULL, "exact, or the NMSE in dB (default -80)"},
    {"--atol", 0, false, OPTION_STRING, AT(atol), 0, NULL, "X: every |ref - other| <= atol + rtol |ref|"},
    {"--rtol", 0, false, OPTION_STRING, AT(rtol), 0, NULL, "X: see --atol"},
};
enum { OPTIONS = sizeof option_table / sizeof *option_table };

/* Is `word` (of that length) one of the blank-separated words of `list`? Its place, from 0, or -1. Lists of words as
 * one string keep the tables of options and verbs readable: "erf tanh", "--top-k --targets". */
static int place_in(const char *list, const char *word, size_t length)
{
    for (int place = 0; *list; place++) {
        size_t n = strcspn(list, " ");
        if (n == length && !memcmp(list, word, n)) return place;
        list += n;
        while (*list == ' ') list++;
    }
    return -1;
}

/* Commands that are about a model or about files: everyone's options that change nothing for them. */
#define ABOUT_TEXTS "--pair --pairs --segments --inputs --truncate --max-length --pad --no-special"
static const struct { const char *verb, *options; } without[] = {
    {"vocab", ABOUT_TEXTS " --gelu"},
    {"goldens", ABOUT_TEXTS " --file --gelu"},
    {"demo", ABOUT_TEXTS " --file"},
    {"compare", ABOUT_TEXTS " --file --gelu"},
    {"info", ABOUT_TEXTS " --file"},
};

/* Does this command understand this option? Common options are everyone's; others are named by the verb. */
static bool understands(const Verb *verb, const Option *option)
{
    return option->common || place_in(verb->own, option->name, strlen(option->name)) >= 0;
}

/* Does it change anything? If not it is understood all the same, but left out of the help, and said on stderr: an
 * option that is ignored silently would be worse than an error. */
static bool has_effect(const Verb *verb, const Option *option)
{
    if (!understands(verb, option)) return false;
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (!strcmp(without[i].verb, verb->name))
            return place_in(without[i].options, option->name, strlen(option->name)) < 0 || !option->common;
    return true;
}

/* Edits (insert, delete, replace a character) that turn a into b: Levenshtein's distance, for words of up to 31
 * bytes. The table of all prefixes of a against all prefixes of b is walked row by row; only the last row is kept,
 * and the number to the upper left, `diagonal`.
 *
 *     layrs -> layers: one insertion, distance 1 */
static int distance(const char *a, const char *b, size_t length)
{
    int row[32];
    if (length > 31) return 99;
    for (size_t j = 0; j <= length; j++) row[j] = (int)j;
    for (int i = 1; *a; a++, i++) {
        int diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            int replace = diagonal + (*a != b[j - 1]);
            int edit = (row[j - 1] < row[j] ? row[j - 1] : row[j]) + 1;
            diagonal = row[j];
            row[j] = replace < edit ? replace : edit;
        }
    }
    return row[length];
}

/* Of equally near words the first one wins. */
bool nearest_word(const char *typed, const char *list, char *found, size_t capacity)
{
    int best = 3;                                       /* three edits are another word */
    for (size_t n; *list; list += n + (list[n] == ' ')) {
        n = strcspn(list, " ");
        int d = distance(typed, list, n);
        if (d >= best || n >= capacity) continue;
        best = d;
        snprintf(found, capacity, "%.*s", (int)n, list);
    }
    return best < 3;
}

/* Three cases, three sentences: another command has this option; this command has a similar one; nobody has it. */
static Status unknown_option(const Verb *verb, const char *typed, Error *e)
{
    char name[64], near[64], all[1024] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    for (int i = 0; i < OPTIONS; i++) {
        if (!strcmp(option_table[i].name, name))
            return fail(e, BERT_USAGE, "%s has no option %s: see `bert %s --help`", verb->name, name, verb->name);
        if (!has_effect(verb, &option_table[i])) continue;
        strcat(strcat(all, option_table[i].name), " ");
    }
    if (nearest_word(name, all, near, sizeof near))
        return fail(e, BERT_USAGE, "unknown option %s: did you mean %s? See `bert %s --help`", name, near, verb->name);
    return fail(e, BERT_USAGE, "unknown option %s: see `bert %s --help`", name, verb->name);
}

/* The option that an argument names, and the value that is attached to it (--layers=-2, -mPATH), or NULL. A letter that
 * takes no value must stand alone: -vq is not -v -q. */
static const Option *find_option(const Verb *verb, const char *arg, const char **attached)
{
    size_t length = strcspn(arg, "=");
    for (int i = 0; i < OPTIONS; i++) {
        const Option *o = &option_table[i];
        bool is_long = strlen(o->name) == length && !memcmp(o->name, arg, length);
        bool is_short = arg[1] == o->letter && o->letter && (o->kind != OPTION_FLAG || !arg[2]);
        if (!understands(verb, o) || !(is_long || is_short)) continue;
        *attached = is_long ? (arg[length] ? arg + length + 1 : NULL) : (arg[2] ? arg + 2 : NULL);
        return o;
    }
    return NULL;
}

/* Digits only: no sign, no blank, no 1e3. A billion is more than enough for anything counted here, and far below
 * INT_MAX. */
enum { LARGEST_NUMBER = 1000000000 };
static Status parse_number(const char *name, const char *text, int least, int *out, Error *e)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || *text < '0' || *text > '9' || n > LARGEST_NUMBER || n < least)
        return fail(e, BERT_USAGE, "%s %s: a whole number from %d to %d is expected", name, text, least,
                    LARGEST_NUMBER);
    *out = (int)n;
    return BERT_OK;
}

/* Writes what one option says into *options, where the table says: `field` is the offset of an int or a string. */
static Status store_option(Options *options, const Verb *verb, const Option *o, const char *value, Error *e)
{
    void *field = (char *)options + o->field;
    int place;
    switch (o->kind) {
    case OPTION_FLAG:
        *(int *)field = o->value;
        return BERT_OK;
    case OPTION_STRING:
        if (!strcmp(o->name, "--format") && place_in(verb->formats, value, strlen(value)) < 0)
            return fail(e, BERT_USAGE, "%s --format %s: one of these is expected: %s", verb->name, value,
                        verb->formats);
        *(const char **)field = value;
        return BERT_OK;
    case OPTION_NUMBER:
        return parse_number(o->name, value, o->value, field, e);
    case OPTION_CHOICE:
        place = place_in(o->words, value, strlen(value));
        if (place < 0) return fail(e, BERT_USAGE, "%s %s: one of these is expected: %s", o->name, value, o->words);
        *(int *)field = place;
    }
    return BERT_OK;
}

/* argv[*i] begins with a dash: the option, and its value from the same or the next argument; then *i moves past it. */
static Status parse_option(Options *options, const Verb *verb, int argc, char **argv, int *i, Error *e)
{
    const char *value = NULL, *typed = argv[*i];
    const Option *o = find_option(verb, typed, &value);
    if (!o) return unknown_option(verb, typed, e);
    if (o->kind == OPTION_FLAG) {
        if (value) return fail(e, BERT_USAGE, "%s takes no value", o->name);
    } else if (!value) {
        if (*i + 1 >= argc) return fail(e, BERT_USAGE, "%s needs a value: see `bert %s --help`", o->name, verb->name);
        value = argv[++*i];
    }
    if (!has_effect(verb, o)) options->vain = o->name;
    return store_option(options, verb, o, value, e);
}

/* --inputs brings ids that are ready for the model: what makes ids from texts has nothing to do. (The QUERY of rank and
 * the --word of similarity are texts even then, and may hold special pieces.) */
static Status check_inputs(const Options *o, Error *e)
{
    const bool only_ids = !o->query && !o->word;
    const char *vain = o->pairs ? "--pairs" : o->segments ? "--segments" : o->truncate ? "--truncate" :
                       o->max_length ? "--max-length" : o->pad ? "--pad" : o->plain && only_ids ? "--no-special" :
                       o->no_add_special ? "--no-add-special" : NULL;
    if (!o->inputs || !vain) return BERT_OK;
    return fail(e, BERT_USAGE, "--inputs holds ids that are taken as they are: leave %s out", vain);
}

/* What no single option can know: which of them exclude each other, and which need another one. */
static Status check_options(const Options *o, const Verb *verb, Error *e)
{
    int sources = (o->text_count > 0) + (o->file != NULL) + (o->inputs != NULL);
    if (o->text_count && !*verb->arguments) return fail(e, BERT_USAGE, "%s takes no TEXT: %s", verb->name, o->texts[0]);
    if (o->inputs && o->vain && !strcmp(o->vain, "--inputs"))
        return fail(e, BERT_USAGE, "%s runs on no input: leave --inputs out", verb->name);
    if (sources > 1) return fail(e, BERT_USAGE, "TEXT, --file and --inputs exclude each other");
    if (o->pair && o->text_count != 1)
        return fail(e, BERT_USAGE, "--pair goes with exactly one TEXT, not %d", o->text_count);
    if (o->pair && o->pairs) return fail(e, BERT_USAGE, "--pair and --pairs exclude each other");
    if (o->model && !*o->model) return fail(e, BERT_USAGE, "--model needs a directory: its name is empty");
    if (o->trace && o->format) return fail(e, BERT_USAGE, "--trace and --format exclude each other");
    if (o->pooling == POOL_POOLER && o->combine != UNSET)
        return fail(e, BERT_USAGE, "--pooling pooler always uses the last hidden state: leave --combine out");
    if (o->output && !*o->output) return fail(e, BERT_USAGE, "--output needs a file name");
    if (verb->needs == NEEDS_VOCABULARY && (o->pad || o->truncate) && !o->max_length)
        return fail(e, BERT_USAGE, "%s has no limit of its own: %s needs --max-length N", verb->name,
                    o->pad ? "--pad" : "--truncate");
    return check_inputs(o, e);
}

/* Is --help among these arguments, before a -- ? */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

/* The loop. --help is answered whatever else is wrong with the line. */
Status parse_options(Options *o, const Verb *verb, int argc, char **argv, bool *help, Error *e)
{
    bool only_texts = false;                                            /* after -- */
    *o = (Options){.gelu = UNSET, .combine = UNSET, .pooling = UNSET, .top_k = UNSET, .layer = UNSET, .head = UNSET,
                     .step = UNSET};
    o->texts = calloc((size_t)argc + 1, sizeof *o->texts);
    if (!o->texts) return fail(e, BERT_SYSTEM, "out of memory");
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        bool is_option = !only_texts && arg[0] == '-' && arg[1];        /* a lone - is a TEXT */
        if (is_option && (!strcmp(arg, "--help") || !strcmp(arg, "-h"))) *help = true;
        else if (is_option && !strcmp(arg, "--")) only_texts = true;
        else if (!is_option) o->texts[o->text_count++] = arg;
        else if (parse_option(o, verb, argc, argv, &i, e) != BERT_OK) *help = asks_for_help(argc - i, argv + i);
        if (*help) return BERT_OK;
        if (e->status != BERT_OK) return e->status;
    }
    Status status = verb->settle ? verb->settle(o, e) : BERT_OK;
    return status == BERT_OK ? check_options(o, verb, e) : status;
}

/*   -m, --model        PATH: config.json, vocab.txt and one *.safetensors */
static void print_option(const Option *o, FILE *out)
{
    char name[48];
    char letter[8] = "";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(name, sizeof name, "%s%s", letter, o->name);
    if (o->words) fprintf(out, "  %-18s %s (%s)\n", name, o->help, o->words);
    else fprintf(out, "  %-18s %s\n", name, o->help);
}

/* Usage line, what the verb prints, examples (all from the verb's own text), then its options, then everyone's. */
void print_verb_help(const Verb *verb, FILE *out)
{
    fprintf(out, "bert %s%s [options]: %s\n\n%s", verb->name, verb->arguments, verb->summary, verb->help);
    if (*verb->own) fprintf(out, "\nOptions of this command\n");
    for (int i = 0; i < OPTIONS; i++)
        if (!option_table[i].common && has_effect(verb, &option_table[i])) {
            print_option(&option_table[i], out);
            if (!strcmp(option_table[i].name, "--format"))
                fprintf(out, "  %-18s (%s; the first is the default)\n", "", verb->formats);
        }
    fprintf(out, "\nOptions of every command\n");
    for (int i = 0; i < OPTIONS; i++)
        if (option_table[i].common && has_effect(verb, &option_table[i])) print_option(&option_table[i], out);
}

/* =====================================================================================================================
 * The model
 *
 * A directory with config.json, vocab.txt and one *.safetensors, as Hugging Face publishes them. It is looked for in
 * a fixed order, and found by what the command needs: tokenize is content with a vocabulary.
 * ================================================================================================================== */

/* a/b, malloc'ed; NULL if memory runs out. */
static char *join(const char *a, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s", a, b);
    return path;
}

/* Does the directory hold what the command needs? A default place that lacks it is passed over; a directory that the
 * user named is not: there the loader says what is missing. */
static bool serves(const char *directory, Needs needs)
{
    Error ignored;
    char *path = NULL;
    if (needs == NEEDS_VOCABULARY) return file_exists(directory, "vocab.txt");
    if (!file_exists(directory, "config.json")) return false;
    if (needs == NEEDS_CONFIG) return true;
    bool found = model_file(&path, directory, &ignored) == BERT_OK;
    free(path);
    return found;
}

/* The directory of the running program: /proc knows on Linux, argv[0] elsewhere. "" if neither does. */
static void beside_program(const char *program, char directory[4096])
{
    ssize_t n = readlink("/proc/self/exe", directory, 4095);
    if (n > 0) directory[n] = 0;
    else snprintf(directory, 4096, "%s", strchr(program, '/') ? program : "");
    char *slash = strrchr(directory, '/');
    if (slash) *slash = 0;
}

/* -m, else $BERT_MODEL, else the default model from here, else from beside the program. The repository keeps the
 * vocabulary there, so that `bert tokenize` works before anything is fetched. */
static Status find_model(Session *s, Error *e)
{
    static const char place[] = "weights/bert-base-uncased";
    char roots[2][4096] = {"."};
    const char *given = s->options.model ? s->options.model : getenv("BERT_MODEL");
    if (given && *given) return model_place(given, &s->directory, &s->weights, e);
    beside_program(s->program, roots[1]);
    for (int root = 0; root < 2; root++) {
        s->directory = root ? join(roots[root], place) : strdup(place);
        if (!s->directory) return fail(e, BERT_SYSTEM, "out of memory");
        if (*roots[root] && serves(s->directory, s->verb->needs)) return BERT_OK;
        free(s->directory);
        s->directory = NULL;
    }
    return fail(e, BERT_FILE, "no model in weights/bert-base-uncased, here or beside the program: "
                "fetch one with `make weights`, or name a directory with --model or BERT_MODEL");
}

/* -v: what loading found out that the files do not say by themselves. */
static void note_weights(Session *s)
{
    char sizes[400];
    if (!s->options.verbose) return;
    note(s, "weights %s", s->model.file->file.path);
    if (!prefix_is_usual(s->model.file)) note(s, "the weights' names begin with '%s'", s->model.file->prefix);
    if (config_filled_in(&s->model.config, sizes, sizeof sizes))
        note(s, "config.json leaves out sizes, which are then those of BERT-Base: %s", sizes);
}

/* The vocabulary, and the model unless it is not needed. Both must belong together: an id of the vocabulary is a row
 * of the word embeddings, and one that is too large would be read from beyond them. */
static Status load_model(Session *s, Error *e)
{
    const Options *o = &s->options;
    if (s->verb->needs == NEEDS_CONFIG) return BERT_OK;                 /* the verb looks at the parts itself */
    if (s->verb->needs == NEEDS_MODEL && !file_exists(s->directory, "."))   /* before its first file is missed */
        return fail(e, BERT_FILE, "%s: no such model directory; `make weights` fetches one", s->directory);
    Status status = tokenizer_load(&s->tokenizer, s->directory, (CaseChoice)o->case_choice, e);
    if (status != BERT_OK) return status;
    if (o->verbose) note(s, "model %s", s->directory);
    if (o->verbose) note(s, "%s (%s)", s->tokenizer.lower_case ? "uncased" : "cased", s->tokenizer.case_source);
    if (s->verb->needs == NEEDS_VOCABULARY) return BERT_OK;
    if (!fma_is_fast() && sizeof(real) == sizeof(float))
        note(s, "this build has no fused multiply-add instruction and computes it in double: the same bits, slower "
                "(the default CFLAGS have -march=native)");
    status = bert_load(&s->model, s->weights ? s->weights : s->directory, e);
    if (status != BERT_OK) return status;
    note_weights(s);
    if (s->tokenizer.V > s->model.config.V)
        return fail(e, BERT_FILE, "%s: vocab.txt has %d pieces, but config.json says vocab_size %d: they do not "
                                  "belong together",
                    s->directory, s->tokenizer.V, s->model.config.V);
    if (o->gelu != UNSET) s->model.config.gelu = (GeluKind)o->gelu;
    s->P = s->model.config.P;
    if (o->pad && o->max_length > s->P)
        return fail(e, BERT_USAGE, "--max-length %d: the model has %d positions", o->max_length, s->P);
    return BERT_OK;
}

/* =====================================================================================================================
 * The session
 *
 * What lives from the first option to the exit code. It begins as zeros; session_open fills it, session_close gives
 * back whatever has been filled, however far that went.
 * ================================================================================================================== */
/* Is this the format of the answer? Without --format it is the first one of the verb's list. */
bool format_is(const Session *s, const char *format)
{
    size_t first = strcspn(s->verb->formats, " ");                      /* the default */
    if (s->options.format) return !strcmp(s->options.format, format);
    return strlen(format) == first && !memcmp(s->verb->formats, format, first);
}

bool may_colour(const Session *s)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    const bool able = terminal && strcmp(terminal, "dumb") != 0;        /* a dumb one shows the codes as they are */
    return able && s->out == stdout && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

Status check_layer_and_head(const Session *s, Error *e)
{
    const BertConfig *c = &s->model.config;
    const Options *o = &s->options;
    if (o->layer >= c->L) return fail(e, BERT_USAGE, "--layer %d: the model has layers 0 to %d", o->layer, c->L - 1);
    if (o->head >= c->A) return fail(e, BERT_USAGE, "--head %d: the model has heads 0 to %d", o->head, c->A - 1);
    return BERT_OK;
}

/* A line on stderr for those who look there; -q is for those who do not. Errors do not go through here: they are
 * returned.
 */
void note(const Session *s, const char *format, ...)
{
    char text[8192];
    if (s->options.quiet) return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fputs("bert: ", stderr);
    put_safely(stderr, text);
    fputc('\n', stderr);
}

/* Everything that can fail before the first input is read: the model, then the output file. The order matters to the
 * user: nobody should wait for an answer that cannot be written. */
Status session_open(Session *s, Error *e)
{
    s->out = stdout;
    if (s->options.vain) note(s, "%s has no effect on %s", s->options.vain, s->verb->name);
    if (s->options.format && format_is(s, "npy") && !s->options.output && isatty(STDOUT_FILENO))
        return fail(e, BERT_USAGE, "--format npy is binary: send it to a file (-o FILE, or > FILE)");
    Status status = s->verb->needs == NEEDS_NOTHING ? BERT_OK : find_model(s, e);
    if (status == BERT_OK && s->verb->needs != NEEDS_NOTHING) status = load_model(s, e);
    if (status != BERT_OK || !s->options.output || !strcmp(s->verb->name, "trace")) return status;
    status = output_open(&s->file, s->options.output, e);
    if (status == BERT_OK) s->out = s->file.stream;
    return status;
}

/* Standard output, to the last byte. printf only fills a buffer: a full disk or a closed stream shows when the buffer
 * is written, and a program that does not look would report success for half an answer. */
static Status finish_stdout(Status status, Error *e)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (!failed || status == BERT_SYSTEM) return status;
    return fail(e, BERT_SYSTEM, "standard output: %s", errno ? strerror(errno) : "write error");
}

/* Lines done and lines per second, once a second, where someone looks: on a terminal that neither the answers go to
 * nor the lines come from. (Answers that wait for the last line, as those of rank do, may go to a terminal: nothing is
 * there yet.) */
static void show_progress(Session *s)
{
    time_t now = time(NULL);
    if (!s->started) s->started = s->looked = s->shown = now;
    if (now == s->looked || s->options.quiet) return;
    s->looked = now;                                    /* isatty asks the system, and lines may come by the million */
    if (!isatty(STDERR_FILENO) || (s->streams && s->out == stdout && isatty(STDOUT_FILENO))) return;
    if (s->source.lines && isatty(s->source.fd)) return;
    s->shown = now;
    const size_t done = s->taken - s->waiting;
    fprintf(stderr, "\r%zu lines, %.1f lines/s ", done, (double)done / (double)(now - s->started));
}

/* What comes after the line of progress begins on a line of its own. */
static void end_progress(Session *s)
{
    if (s->shown != s->started) fputc('\n', stderr);
    s->shown = s->started;
}

/* The file of -o gets its name only now, and only if all went well: a failed run leaves the old file as it was. */
Status session_close(Session *s, Status status, Error *e)
{
    bool done = status == BERT_OK || status == BERT_DIFFERENT;
    end_progress(s);
    if (s->file.stream && done) {
        Status committed = output_commit(&s->file, e);
        if (committed != BERT_OK) status = committed;
    } else {
        output_abort(&s->file);
    }
    if (done) status = finish_stdout(status, e);
    else fflush(stdout);                                                /* the answers so far, then the message */
    if (s->source.lines && s->source.fd != STDIN_FILENO) close(s->source.fd);
    if (s->source.tensors.tensors) safetensors_close(&s->source.tensors);
    free(s->source.buffer);
    bert_free(&s->model);
    tokenizer_free(&s->tokenizer);
    free(s->directory);
    free(s->weights);
    free(s->options.texts);
    return status;
}

/* =====================================================================================================================
 * Inputs
 *
 * Three sources, one loop: `while (next_input(...) == BERT_OK && more)`. An error in an input says where it stands,
 * so that the one bad line of a million can be found:
 *
 *     bert: texts.txt: line 3, byte 17: 0xC0 is not valid UTF-8
 * ================================================================================================================== */

/* --inputs: int64 tensors of one shape, (T) or (B,T), as a trace has them, or as PyTorch's tokenizers return them.
 * All three are checked before a single id is used. */
static Status open_tensors(Source *source, const char *path, Error *e)
{
    static const char *const names[] = {"input_ids", "token_type_ids", "attention_mask"};
    const SafeTensor *found[3];
    Status status = safetensors_open(&source->tensors, path, e);
    if (status != BERT_OK) return status;
    for (int i = 0; i < 3; i++) {
        const SafeTensor *t = found[i] = safetensors_find(&source->tensors, names[i]);
        if (!t && i) continue;
        if (!t) return fail(e, BERT_FILE, "%s: there is no tensor input_ids", path);
        if (t->dtype != DTYPE_I64 || t->rank < 1 || t->rank > 2)
            return fail(e, BERT_FILE, "%s: %s is %s of rank %d, expected I64 (T) or (B,T)", path, names[i],
                        dtype_name(t->dtype), t->rank);
        if (t->rank != found[0]->rank || memcmp(t->shape, found[0]->shape, (size_t)t->rank * sizeof *t->shape))
            return fail(e, BERT_FILE, "%s: %s has another shape than input_ids", path, names[i]);
    }
    source->ids = found[0], source->types = found[1], source->mask = found[2];
    source->rows = found[0]->rank == 2 ? found[0]->shape[0] : 1;
    source->columns = found[0]->shape[found[0]->rank - 1];
    if (source->columns < 1 || source->columns > INT32_MAX)
        return fail(e, BERT_FILE, "%s: input_ids has %zu tokens in a row", path, source->columns);
    return BERT_OK;
}

enum { READ_AHEAD = 1 << 16 };

/* Where the inputs come from: --inputs, a file, stdin (- or nothing at all), or the TEXTs, which need no opening. */
static Status open_source(Session *s, Error *e)
{
    Source *source = &s->source;
    const char *path = s->options.file;
    struct stat status;
    source->opened = true;
    if (s->options.inputs) return open_tensors(source, s->options.inputs, e);
    if (!path && s->options.text_count) return BERT_OK;
    source->name = path && strcmp(path, "-") ? path : "stdin";
    source->fd = source->name == path ? open(path, O_RDONLY) : STDIN_FILENO;
    if (source->fd < 0) return fail(e, BERT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    source->lines = true;
    if (source->name != path && isatty(source->fd)) note(s, "reading lines from the terminal; Ctrl-D ends them");
    source->regular = fstat(source->fd, &status) == 0 && S_ISREG(status.st_mode);
    source->buffer = malloc(READ_AHEAD);
    return source->buffer ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory");
}

/* A descriptor that does not block, left so by whoever had it before: waits until there is something to read. */
static bool wait_for(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, -1) > 0 || errno == EINTR;
}

/* One read() into the buffer, behind what is there.
 * Why not stdio: it cannot say whether a whole line is in its buffer, and whoever holds answers back must know. */
static void read_more(Source *source)
{
    ssize_t n;
    memmove(source->buffer, source->buffer + source->begin, source->end - source->begin);
    source->end -= source->begin, source->begin = 0;
    do n = read(source->fd, source->buffer + source->end, READ_AHEAD - source->end);
    while (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(source->fd))));
    if (n > 0) source->end += (size_t)n;
    else source->ended = true, source->error = n < 0 ? errno : 0;
}

/* TEXTs, rows and ordinary files are always at hand. Of a pipe or a terminal it is what has been read already, or can
 * be without waiting: poll with a timeout of 0 says so. A line longer than the buffer is not waited for here. */
bool input_at_hand(Session *s)
{
    Source *source = &s->source;
    if (!source->lines || source->regular) return true;
    while (!source->ended && !memchr(source->buffer + source->begin, '\n', source->end - source->begin)) {
        struct pollfd ready = {.fd = source->fd, .events = POLLIN};
        if (source->end - source->begin == READ_AHEAD || poll(&ready, 1, 0) <= 0) return false;
        if (!(ready.revents & (POLLIN | POLLHUP))) return false;
        read_more(source);
    }
    return true;
}

/* Bytes [0, length) of the input's line are there; n more are put behind them. The room doubles. */
static bool append_bytes(Input *input, size_t length, const char *bytes, size_t n)
{
    if (length + n > input->capacity) {
        size_t wanted = input->capacity * 2 > length + n ? input->capacity * 2 : length + n;
        char *line = realloc(input->line, wanted);
        if (!line) return false;
        input->line = line, input->capacity = wanted;
    }
    if (n) memcpy(input->line + length, bytes, n);
    return true;
}

/* Bytes of a line, at most: 256 MiB. Why: a stream without LF, such as /dev/zero, would take all memory there is. */
enum { LINE_LIMIT = 1 << 28 };

/* A line ends at LF, and at nothing else; a CR before it is dropped (files from Windows). A NUL is a character: the
 * length counts, not the first zero.
 * Trap: other line-reading functions also end lines at VT, FF, NEL or U+2028 (Python's splitlines does). The
 * tokenizer would then see other texts, and a file would have other line numbers. */
static Status next_line(Session *s, Input *input, bool *more, Error *e)
{
    Source *source = &s->source;
    size_t length = 0;
    bool whole = false;
    for (;;) {
        const char *at = source->buffer + source->begin, *lf = memchr(at, '\n', source->end - source->begin);
        size_t n = lf ? (size_t)(lf - at) + 1 : source->end - source->begin;
        if (length + n - (lf != NULL) > LINE_LIMIT)
            return fail(e, BERT_TEXT, "%s: line %zu: more than %d bytes", source->name, input->number, LINE_LIMIT);
        if (!append_bytes(input, length, at, n))
            return fail(e, BERT_SYSTEM, "%s: line %zu: out of memory", source->name, input->number);
        length += n, source->begin += n;
        whole = lf != NULL;
        if (whole || source->ended) break;
        read_more(source);
    }
    if (!whole && source->error)
        return fail(e, BERT_FILE, "%s: line %zu: cannot be read: %s", source->name, input->number,
                    strerror(source->error));
    *more = length > 0;                                     /* without a LF it is what stands before the end */
    if (whole) length--;
    if (whole && length > 0 && input->line[length - 1] == '\r') length--;
    input->whole = (Text){input->line, length};
    return BERT_OK;
}

/* One element of an --inputs tensor. The format allows any alignment, so the bytes are copied and not pointed at. */
static int64_t id_at(const SafeTensor *t, size_t i)
{
    int64_t id;
    memcpy(&id, (const char *)t->data + i * sizeof id, sizeof id);
    return id;
}

/* "FILE: row 1, token 3: input_ids has 30522, expected 0 to 30521" */
static Status check_id(const Session *s, const Input *input, size_t token, const char *name, int64_t id, int last,
                       Error *e)
{
    if (id >= 0 && id <= last) return BERT_OK;
    return fail(e, BERT_TEXT, "%s: row %zu, token %zu: %s has %lld, expected 0 to %d", s->options.inputs,
                input->number, token, name, (long long)id, last);
}

/* Row `input->number` of --inputs as an Encoding, its memory kept for the next row: all have the same length. Ids are
 * checked against the vocabulary and the segments here; batch_check checks the rest against the model. */
static Status next_row(Session *s, Input *input, bool *more, Error *e)
{
    const Source *source = &s->source;
    Encoding *x = &input->encoding;
    size_t T = source->columns, first = (input->number - 1) * T;
    *more = input->number <= source->rows;
    if (!*more) return BERT_OK;
    if (!x->input_ids) {
        x->input_ids = calloc(T, sizeof *x->input_ids);
        x->token_type_ids = calloc(T, sizeof *x->token_type_ids);
        x->attention_mask = calloc(T, sizeof *x->attention_mask);
        x->offsets = calloc(T, sizeof *x->offsets);
        x->T = x->capacity = (int)T;
        if (!x->input_ids || !x->token_type_ids || !x->attention_mask || !x->offsets)
            return fail(e, BERT_SYSTEM, "out of memory");
    }
    const int segments = s->model.config.S ? s->model.config.S : 2;
    for (size_t i = 0; i < T; i++) {
        int64_t id = id_at(source->ids, first + i);
        int64_t type = source->types ? id_at(source->types, first + i) : 0;
        int64_t mask = source->mask ? id_at(source->mask, first + i) : 1;
        if (check_id(s, input, i, "input_ids", id, s->tokenizer.V - 1, e) != BERT_OK ||
            check_id(s, input, i, "token_type_ids", type, segments - 1, e) != BERT_OK ||
            check_id(s, input, i, "attention_mask", mask, 1, e) != BERT_OK)
            return e->status;
        x->input_ids[i] = (int32_t)id, x->token_type_ids[i] = (int32_t)type, x->attention_mask[i] = (int32_t)mask;
    }
    return BERT_OK;
}

/* The next TEXT of the command line. */
static Status next_argument(const Session *s, Input *input, bool *more)
{
    *more = input->number <= (size_t)s->options.text_count;
    if (!*more) return BERT_OK;
    const char *text = s->options.texts[input->number - 1];
    input->whole = (Text){text, strlen(text)};
    return BERT_OK;
}

/* The next input as it stands. `taken` counts for all three sources, so `number` is a line's, a TEXT's or a row's,
 * from 1.
 */
Status next_text(Session *s, Input *input, bool *more, Error *e)
{
    if (!s->source.opened && open_source(s, e) != BERT_OK) return e->status;
    show_progress(s);
    input->number = ++s->taken;
    input->has_pair = false;
    input->has_text = !s->options.inputs;
    Status status = s->options.inputs ? next_row(s, input, more, e) :
                    s->source.lines ? next_line(s, input, more, e) : next_argument(s, input, more);
    if (status == BERT_OK && !*more) end_progress(s);
    return status;
}

/* A and B: the whole text and --pair, or what stands before and after the first ` ||| ` with --pairs; a line without
 * one is A alone, as in Google's extract_features.py. */
static void split_pair(const Session *s, Input *input)
{
    static const char bar[] = " ||| ";
    const size_t width = sizeof bar - 1;
    const char *bytes = input->whole.bytes;
    input->a = input->whole;
    if (s->options.pair) {
        input->b = (Text){s->options.pair, strlen(s->options.pair)};
        input->has_pair = true;
        return;
    }
    for (size_t i = 0; s->options.pairs && i + width <= input->whole.length; i++)
        if (!memcmp(bytes + i, bar, width)) {
            input->a.length = i;
            input->b = (Text){bytes + i + width, input->whole.length - i - width};
            input->has_pair = true;
            return;
        }
}

/* The tokenizer's options from the command line's. The limit is --max-length or the model's positions, whichever is
 * less: position 512 has no row in the table of position embeddings, so token 513 cannot be computed. */
EncodeOptions encode_options(const Session *s)
{
    const Options *o = &s->options;
    int limit = o->max_length;
    if (s->P && (!limit || limit > s->P)) limit = s->P;
    return (EncodeOptions){.plain = o->plain, .no_add_special = o->no_add_special, .max_length = limit,
                           .truncate = o->truncate, .pad = o->pad, .segments = o->segments - 1};
}

/* encode counts the bytes of B from B's beginning; whoever looks for one in a file of pairs counts from the line's. */
static void count_from_line(const Input *input, char *message, size_t size, const char *original)
{
    static const char second[] = " of the second text";
    const char *where = strstr(original, second);
    snprintf(message, size, "%s", original);
    if (!where || strncmp(original, "byte ", 5)) return;
    size_t byte = strtoul(original + 5, NULL, 10) + (size_t)(input->b.bytes - input->whole.bytes);
    snprintf(message, size, "byte %zu%s", byte, where + sizeof second - 1);
}

Status at_input(const Session *s, const Input *input, Error *e)
{
    char message[sizeof e->message], original[sizeof e->message];
    memcpy(original, e->message, sizeof original);
    memcpy(message, original, sizeof message);
    if (s->options.pairs && input->has_pair) count_from_line(input, message, sizeof message, original);
    const char *comma = strncmp(message, "byte ", 5) ? ":" : ",";       /* "line 3, byte 17: ...", "line 3: ..." */
    if (e->status == BERT_SYSTEM) return e->status;
    if (s->options.inputs) return fail(e, e->status, "%s: row %zu: %s", s->options.inputs, input->number, message);
    if (s->source.lines)
        return fail(e, e->status, "%s: line %zu%s %s", s->source.name, input->number, comma, message);
    return fail(e, e->status, "text %zu%s %s", input->number, comma, message);
}

/* Read, split, encode: what comes out is ready for the model. */
Status next_input(Session *s, Input *input, bool *more, Error *e)
{
    Status status = next_text(s, input, more, e);
    if (status != BERT_OK || !*more || !input->has_text) return status;
    EncodeOptions options = encode_options(s);
    split_pair(s, input);
    status = encode(&s->tokenizer, input->a, input->has_pair ? &input->b : NULL, &options, &input->encoding, e);
    return status == BERT_OK ? BERT_OK : at_input(s, input, e);
}

void input_free(Input *input)
{
    free(input->line);
    encoding_free(&input->encoding);
}

/* Flushes unless nobody can be waiting: an ordinary file in, and answers so quick that a flush for each would be felt.
 */
Status answer_done(Session *s, Error *e)
{
    bool somebody_waits = !s->source.regular || s->verb->needs == NEEDS_MODEL;
    s->streams = true;
    errno = 0;
    if (somebody_waits && s->out == stdout) fflush(s->out);
    if (!ferror(s->out)) return BERT_OK;
    const char *reason = errno ? strerror(errno) : "write error";
    return fail(e, BERT_SYSTEM, "%s: %s", s->out == stdout ? "standard output" : s->options.output, reason);
}

/* =====================================================================================================================
 * Inputs that run together
 *
 * Every weight is read once per run of the model, whether it meets 10 tokens or 200. Short inputs are therefore
 * packed, one after another without padding, and run as one batch; each gets the bits that it gets alone:
 *
 *     13 + 40 + 22 + ... tokens  --next_inputs--> at most 456 tokens, or one longer input  --run_inputs--> one batch
 *
 * Why 456: full panels of the kernel, 19 of 24 tokens or 9 of 48 and one of 24. With panels of 24, 200 sentences of 25
 *     tokens on average took 0.83 of the time that they took one by one, with 240 tokens 0.85; 720 gain no more than 456,
 *     and memory grows with every token.
 *
 * Only what is at hand is packed: nobody holds answers back to wait for more input. A program that writes a line and
 * reads its answer before it writes the next gets batches of one.
 * ================================================================================================================== */
static Batch batch_of(const Encoding *x, const int *T)
{
    return (Batch){.B = 1, .T = T, .input_ids = x->input_ids, .token_type_ids = x->token_type_ids,
                   .attention_mask = x->attention_mask};
}

/* Reads the input after those that run together, if there is one and it can be had without waiting. It is checked by
 * itself, so that the message names the right one. */
static bool look_ahead(Session *s, Inputs *in)
{
    Input *next = &in->input[in->count];
    if (in->looked) return true;
    if (in->count == PACKED_INPUTS || (in->count > 0 && !input_at_hand(s))) return false;
    s->waiting = in->count;
    in->looked = true;
    if (next_input(s, next, &in->more, &in->error) != BERT_OK || !in->more) return true;
    const Batch alone = batch_of(&next->encoding, &next->encoding.T);
    if (batch_check(&alone, &s->model.config, &in->error) != BERT_OK) at_input(s, next, &in->error);
    return true;
}

/* A line that is answered does not keep its room if that is large, for there are 65 of them. (Blanks and text that is
 * cut off make a line long without a token; so bytes are counted as well, in next_inputs.) */
static void forget_long_line(Input *input)
{
    if (input->capacity <= READ_AHEAD) return;
    input_free(input);
    *input = (Input){0};
}

/* An error is reported by the call that finds nothing before it: the inputs before the bad one are answered first. */
Status next_inputs(Session *s, Inputs *in, Error *e)
{
    size_t bytes = 0;
    for (size_t i = 0; i < in->count; i++) forget_long_line(&in->input[i]);
    Input first = in->input[in->count];                     /* it was one too many for the last batch; or is unused */
    in->input[in->count] = in->input[0];
    in->input[0] = first;
    in->count = 0;
    for (int tokens = 0; bytes < READ_AHEAD && look_ahead(s, in) && !in->error.status && in->more; in->count++) {
        tokens += in->input[in->count].encoding.T;
        if (in->count > 0 && tokens > PACKED_TOKENS) break;
        bytes += in->input[in->count].whole.length;
        in->looked = false;
    }
    if (in->count == 0 && in->error.status != BERT_OK) *e = in->error;
    return e->status;
}

void inputs_free(Inputs *in)
{
    for (size_t i = 0; i <= PACKED_INPUTS; i++) input_free(&in->input[i]);
}

/* =====================================================================================================================
 * One run of the model
 * ================================================================================================================== */
/* The batch points into the Encoding and into *run: neither may move or change until run_free. */
Status run_model(Run *run, const Bert *model, const Encoding *x, const Request *request, Error *e)
{
    *run = (Run){.T = x->T};
    run->batch = batch_of(x, &run->T);
    Status status = batch_check(&run->batch, &model->config, e);
    if (status == BERT_OK) status = activations_new(&run->a, model, &run->batch, request, e);
    if (status == BERT_OK) forward(model, &run->a);
    return status;
}

/* Sequence b of the batch is input b. The ids of all of them are copied one after another: (N), and so the token types
 * and the masks. *run may not move until run_free. */
Status run_inputs(Run *run, const Bert *model, const Inputs *in, const Request *request, Error *e)
{
    size_t N = 0, n = 0;
    *run = (Run){0};
    for (size_t b = 0; b < in->count; b++) N += (size_t)(run->lengths[b] = in->input[b].encoding.T);
    int32_t *ids = run->ids = malloc(3 * N * sizeof *ids);
    if (!ids) return fail(e, BERT_SYSTEM, "out of memory");
    int32_t *types = ids + N, *mask = types + N;
    for (size_t b = 0; b < in->count; n += (size_t)run->lengths[b++]) {
        const Encoding *x = &in->input[b].encoding;
        const size_t bytes = (size_t)x->T * sizeof *ids;
        memcpy(ids + n, x->input_ids, bytes);
        memcpy(types + n, x->token_type_ids, bytes);
        memcpy(mask + n, x->attention_mask, bytes);
    }
    run->batch = (Batch){.B = (int)in->count, .T = run->lengths, .input_ids = ids, .token_type_ids = types,
                         .attention_mask = mask};
    Status status = activations_new(&run->a, model, &run->batch, request, e);
    if (status == BERT_OK) forward(model, &run->a);
    return status;
}

void run_free(Run *run)
{
    activations_free(&run->a);
    free(run->ids);
}

/* The refitted head belongs to one pooler, bit for bit: its SHA-256 says whether this is the one. */
static bool refit_belongs(const Bert *model)
{
    const Tensor *W = &model->Wpool;
    char hex[65];
    Sha256 sha;
    if (!model->has_pooler || W->dtype != DTYPE_F32 || W->rows != 768 || W->cols != 768) return false;
    sha256_start(&sha);
    sha256_add(&sha, W->data, W->rows * W->cols * dtype_size(W->dtype));
    sha256_end(&sha, hex);
    return !strcmp(hex, nsp_refit_pooler_sha256);
}

Status next_sentence_head(const Bert *model, bool *refitted, Error *e)
{
    *refitted = false;
    if (model->has_nsp && model->has_pooler) return BERT_OK;
    *refitted = refit_belongs(model);
    if (*refitted) return BERT_OK;
    if (model->has_nsp)
        return fail(e, BERT_HEAD, "the weights have a next-sentence head (cls.seq_relationship), but no pooler "
                    "(pooler.dense), whose output it needs");
    return fail(e, BERT_HEAD, "the weights have no next-sentence head (cls.seq_relationship), "
                "and none was refitted for them: see weights/README.md for weights that have it");
}

/* logits (2) <- pooled (768), W (2,768), b (2), by the same linear_ref as everywhere. */
void next_sentence_logits(real logits[2], const Activations *a, bool refitted)
{
    const Tensor W = {nsp_refit_weight, DTYPE_F32, 2, 768};
    const real b[2] = {nsp_refit_bias[0], nsp_refit_bias[1]};
    if (refitted) linear_ref(logits, a->pooler, &W, b, 1, &a->scratch);
    else memcpy(logits, a->nsp_logits, 2 * sizeof *logits);
}

/* =====================================================================================================================
 * Numbers and texts on paper
 *
 * JSON by hand: objects are printed key by key, and only texts and numbers need care. NumPy's format likewise: a
 * short header that is a Python dictionary, then the numbers.
 * ================================================================================================================== */

/* A NaN has a sign that means nothing, and depends on the machine; some printfs show it, as -nan. */
double unsigned_nan(double x)
{
    return isnan(x) ? (double)NAN : x;
}

/* Valid UTF-8 as a JSON string: quotes and backslashes escaped, control characters as \u00XX: C0, DEL and C1, which
 * is C2 80 to C2 9F in UTF-8. */
void json_put_text(FILE *out, const char *bytes, size_t length)
{
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f) fprintf(out, "\\u%04x", c);
        else if (c == 0xC2 && i + 1 < length && (unsigned char)bytes[i + 1] < 0xA0)
            fprintf(out, "\\u%04x", (unsigned char)bytes[++i]);
        else fputc(c, out);
    }
    fputc('"', out);
}

void json_put_number(FILE *out, double x)
{
    if (isfinite(x)) fprintf(out, MACHINE, x);
    else fputs("null", out);
}

/* [0.1, -2, 3e-05]: whatever %g prints is a JSON number, but for nan and inf, which become null. */
void json_put_vector(FILE *out, const real *x, size_t n)
{
    fputc('[', out);
    for (size_t i = 0; i < n; i++) {
        if (i) fputs(", ", out);
        json_put_number(out, (double)x[i]);
    }
    fputc(']', out);
}

/* A piece may be missing for an id: some models have more rows than their vocabulary has lines. */
const char *piece_of(const Session *s, int id)
{
    return id >= 0 && id < s->tokenizer.V ? tokenizer_piece(&s->tokenizer, id) : "?";
}

/* "name": ["[CLS]", "after"] */
void json_put_pieces(const Session *s, const char *name, const Encoding *x)
{
    fprintf(s->out, "\"%s\": [", name);
    for (int t = 0; t < x->T; t++) {
        const char *piece = piece_of(s, x->input_ids[t]);
        if (t) fputs(", ", s->out);
        json_put_text(s->out, piece, strlen(piece));
    }
    fputc(']', s->out);
}

/* The digits come out from the last one to the first.
 * Why: fprintf reads its format anew and locks the stream each time; for ids by the million that took as long as to
 *      find them. There is one thread here. */
void put_count(FILE *out, const char *before, size_t n)
{
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + n % 10);
    while (n /= 10);
    while (*before) putc_unlocked(*before++, out);
    while (count) putc_unlocked(digits[--count], out);
}

/* 219648 -> 219,648: a comma before every third digit from the end. Not printf's %'d, which asks the locale. */
void put_thousands(char text[32], long long n)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", n < 0 ? -n : n), at = 0;
    if (n < 0) text[at++] = '-';
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
}

/* Every byte but the continuation bytes 10xxxxxx begins a character. */
int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* Piece by piece, so that nothing is cut however long the text is. */
int put_safely(FILE *out, const char *text)
{
    char part[256];
    int width = 0;
    for (size_t n; *text; text += n) {
        n = escape(part, sizeof part, text);
        fputs(part, out);
        width += width_of(part);
    }
    return width;
}

/* NumPy's format, version 1.0: magic, length, a Python dictionary, blanks up to a multiple of 64, newline. */
void npy_put_header(FILE *out, const size_t *shape, int rank)
{
    char text[256];
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%zu", i ? ", " : "", shape[i]);
    n += snprintf(text + n, sizeof text - (size_t)n, "%s), }", rank == 1 ? "," : "");
    int length = (10 + n + 1 + 63) / 64 * 64 - 10;                      /* of the dictionary with blanks and newline */
    fwrite("\x93NUMPY\x01\x00", 1, 8, out);
    fputc(length & 0xFF, out);
    fputc(length >> 8, out);
    fprintf(out, "%s%*s\n", text, length - n - 1, "");
}

/* Little-endian bytes whatever the machine is, since the header promises '<f4'. */
void npy_put_data(FILE *out, const real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value = (float)x[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        const unsigned char bytes[4] = {bits & 0xFF, bits >> 8 & 0xFF, bits >> 16 & 0xFF, bits >> 24};
        fwrite(bytes, 1, sizeof bytes, out);
    }
}
