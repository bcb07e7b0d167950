/* options.c - the command line's options: one table, the parser that reads it, and the help that is printed from it. */
#include "cli/cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Options
 *
 * A command line is read by one loop over one table. The rules are those of most programs: `--name value` or
 * `--name=value`, `-m value` or `-mvalue`, options and texts in any order, the last of two equal options counts, `--`
 * ends the options, and the value of an option is the next argument whatever it begins with (so that `--layers -2`
 * needs no special care).
 * ================================================================================================================== */
typedef enum {
    OPTION_FLAG,                    /* --pad                stores `number`                                     */
    OPTION_STRING,                  /* --file FILE          stores a pointer to the argument                    */
    OPTION_FORMAT,                  /* --format json        the same, if it is one of the verb's formats        */
    OPTION_NUMBER,                  /* --top-k N            stores an int that is at least `number`             */
    OPTION_CHOICE                   /* --gelu erf|tanh      stores the place of the word in `value`, from 0     */
} OptionKind;

typedef struct {
    const char *name;
    char letter;                    /* -m, or 0 */
    unsigned groups;                /* with COMMON every verb has it, else those that name it */
    OptionKind kind;
    size_t field;                   /* where in Options */
    int number;
    const char *value;              /* what stands for the value in the help; the words of a choice */
    const char *help;
} Option;

#define AT(field) offsetof(Options, field)

/* Beside the groups of cli.h: where one name is two options, which verbs have this one. */
enum { OF_SENTENCES = 16, OF_VOCABULARIES = 32 };

/* The one list of options: parsing and help both come from it. */
static const Option option_table[] = {
    {"--model", 'm', COMMON, OPTION_STRING, AT(model), 0, "PATH",
     "a directory with config.json, vocab.txt or tokenizer.json, and weights, or one file of weights (default: "
     "$BERT_MODEL, else weights/bert-base-uncased, else weights/pocket)"},
    {"--file", 'f', COMMON | ABOUT_FILE, OPTION_STRING, AT(file), 0, "FILE",
     "each line is an input; - is stdin, which is also the default without TEXT"},
    {"--pair", 0, COMMON | ABOUT_TEXTS, OPTION_STRING, AT(pair), 0, "TEXT", "the second segment of the one TEXT"},
    {"--pairs", 0, COMMON | ABOUT_TEXTS, OPTION_FLAG, AT(pairs), 1, NULL, "each input holds two segments: A ||| B"},
    {"--segments", 0, COMMON | ABOUT_TEXTS, OPTION_CHOICE, AT(segments), 0, "auto 0 1",
     "token types: 0 for A and 1 for B (auto), or all the same"},
    {"--inputs", 0, COMMON | ABOUT_TEXTS, OPTION_STRING, AT(inputs), 0, "FILE",
     "instead of text: a safetensors file with int64 input_ids, token_type_ids, attention_mask"},
    {"--cased", 0, COMMON, OPTION_FLAG, AT(case_choice), CASE_CASED, NULL, "keep capitals and accents"},
    {"--uncased", 0, COMMON, OPTION_FLAG, AT(case_choice), CASE_UNCASED, NULL, "lower case, no accents"},
    {"--gelu", 0, COMMON | ABOUT_GELU, OPTION_CHOICE, AT(gelu), 0, "erf tanh",
     "instead of the configuration's hidden_act"},
    {"--truncate", 0, COMMON | ABOUT_TEXTS, OPTION_FLAG, AT(truncate), 1, NULL, "shorten what is too long"},
    {"--max-length", 0, COMMON | ABOUT_TEXTS, OPTION_NUMBER, AT(max_length), 1, "N",
     "at most N tokens (default: the model's positions)"},
    {"--pad", 0, COMMON | ABOUT_TEXTS, OPTION_FLAG, AT(pad), 1, NULL,
     "lengthen to --max-length, with attention mask 0"},
    {"--no-special", 0, COMMON | ABOUT_TEXTS, OPTION_FLAG, AT(plain), 1, NULL,
     "[MASK] and the like in the text are plain text"},
    {"--output", 'o', COMMON, OPTION_STRING, AT(output), 0, "FILE", "instead of stdout; appears whole or not at all"},
    {"--verbose", 'v', COMMON, OPTION_FLAG, AT(verbose), 1, NULL, "more on stderr"},
    {"--quiet", 'q', COMMON, OPTION_FLAG, AT(quiet), 1, NULL, "less on stderr"},
    {"--format", 0, 0, OPTION_FORMAT, AT(format), 0, NULL, "how the answer is written (default: the first)"},
    {"--trace", 0, 0, OPTION_FLAG, AT(trace), 1, NULL, "show the text after every stage instead"},
    {"--no-add-special", 0, 0, OPTION_FLAG, AT(no_add_special), 1, NULL, "leave [CLS] and [SEP] out"},
    {"--layers", 0, 0, OPTION_STRING, AT(layers), 0, "LIST",
     "hidden states: a list -1,-2 or a range -4..-1; 0 is the embedding output, L the last, negative from the end"},
    {"--combine", 0, 0, OPTION_CHOICE, AT(combine), 0, "cat sum mean", "several hidden states into one vector"},
    {"--pooling", 0, 0, OPTION_CHOICE, AT(pooling), 0, "none cls mean max pooler",
     "the tokens' vectors into one"},
    {"--normalize", 0, 0, OPTION_FLAG, AT(normalize), 1, NULL, "vectors of length 1"},
    {"--prompt", 0, 0, OPTION_STRING, AT(prompt), 0, "NAME",
     "put this prompt of config_sentence_transformers.json before every text (default: default_prompt_name)"},
    {"--word", 0, 0, OPTION_STRING, AT(word), 0, "WORD", "compare its occurrences, not whole inputs"},
    {"--by-layer", 0, 0, OPTION_FLAG, AT(by_layer), 1, NULL, "the same for every hidden state, 0 to L"},
    {"--top-k", 0, 0, OPTION_NUMBER, AT(top_k), 1, "N", "the best N only"},
    {"--aggregate", 0, 0, OPTION_CHOICE, AT(aggregate), 0, "none simple first average max",
     "how labels of tokens become labels of words and entities (default: simple)"},
    {"--max-answer", 0, 0, OPTION_NUMBER, AT(max_answer), 1, "N", "answers of at most N tokens (default: 15)"},
    {"--stride", 0, 0, OPTION_NUMBER, AT(stride), 0, "N", "two parts of a long text share N tokens"},
    {"--impossible", 0, 0, OPTION_FLAG, AT(impossible), 1, NULL, "that there is no answer is one of the answers"},
    {"--targets", 0, 0, OPTION_STRING, AT(targets), 0, "A,B", "only these pieces"},
    {"--activation", 0, 0, OPTION_CHOICE, AT(activation), 0, "softmax sigmoid none",
     "logits into scores (default: what the model's config.json means)"},
    {"--labels", 0, 0, OPTION_STRING, AT(labels), 0, "A,B,C",
     "zero-shot: labels of your own, for a model of entailment"},
    {"--template", 0, 0, OPTION_STRING, AT(template_text), 0, "TEXT",
     "the sentence that a label makes, with {} for it (default: \"This example is {}.\")"},
    {"--multi", 0, 0, OPTION_FLAG, AT(multi), 1, NULL, "zero-shot: several labels may be true"},
    {"--all", 0, 0, OPTION_FLAG, AT(all), 1, NULL, "every step in full"},
    {"--layer", 0, 0, OPTION_NUMBER, AT(layer), 0, "N", "block, from 0"},
    {"--head", 0, 0, OPTION_NUMBER, AT(head), 0, "N", "attention head, from 0"},
    {"--step", 0, 0, OPTION_NUMBER, AT(step), 1, "N", "one of the sixteen steps, from 1"},
    {"--checksum", 0, 0, OPTION_FLAG, AT(checksum), 1, NULL,
     "only one number: the sha256 of every intermediate, its name and shape"},
    {"--gradients", 0, 0, OPTION_FLAG, AT(gradients), 1, NULL,
     "also the losses and all gradients; --inputs has labels or next_sentence_label"},
    {"--isolate", 0, 0, OPTION_FLAG, AT(isolate), 1, NULL, "feed each step OTHER's own inputs"},
    {"--tolerance", 0, 0, OPTION_STRING, AT(tolerance), 0, "DB", "exact, or the largest NMSE in dB (default -80)"},
    {"--atol", 0, 0, OPTION_STRING, AT(atol), 0, "X", "every |ref - other| <= atol + rtol |ref|"},
    {"--rtol", 0, 0, OPTION_STRING, AT(rtol), 0, "X", "see --atol"},
    {"--learn", 0, OF_SENTENCES, OPTION_FLAG, AT(one_step), 1, NULL, "hide the last word, and learn it in one step"},
    {"--learn", 0, OF_VOCABULARIES, OPTION_NUMBER, AT(learn), 10, "N",
     "learn N pieces from the text, one a line as in vocab.txt"},
    {"--task", 0, 0, OPTION_CHOICE, AT(task), 0, "mlm classify tag answer",
     "hidden words and next sentences; labels of texts; of words; answers in a text"},
    {"--config", 0, 0, OPTION_STRING, AT(config), 0, "FILE",
     "the sizes of a model that begins with random weights; goes with --vocab"},
    {"--vocab", 0, 0, OPTION_STRING, AT(vocabulary), 0, "FILE", "its pieces, as vocab.txt has them"},
    {"--teacher", 0, 0, OPTION_STRING, AT(teacher), 0, "PATH",
     "a model whose probabilities for the hidden words are learned, too: 7 parts of 10 of their loss"},
    {"--no-nsp", 0, 0, OPTION_FLAG, AT(no_nsp), 1, NULL, "hidden words only, no next sentences"},
    {"--steps", 0, 0, OPTION_NUMBER, AT(steps), 1, "N", "how often the weights change"},
    {"--batch", 0, 0, OPTION_NUMBER, AT(batch), 1, "N", "sequences of a step (default 32)"},
    {"--micro-batch", 0, 0, OPTION_NUMBER, AT(micro_batch), 1, "N",
     "sequences that are computed at once: less memory, the same bits (default: all of the step)"},
    {"--learning-rate", 0, 0, OPTION_STRING, AT(learning_rate), 0, "X", "the largest of the run (default 5e-5)"},
    {"--warmup", 0, 0, OPTION_NUMBER, AT(warmup), 0, "N", "steps in which it rises to that (default 0)"},
    {"--schedule", 0, 0, OPTION_CHOICE, AT(schedule), 0, "linear constant",
     "then it falls in a line to 0 at --steps, or stays"},
    {"--weight-decay", 0, 0, OPTION_STRING, AT(weight_decay), 0, "X", "of matrices and embeddings (default 0.01)"},
    {"--clip", 0, 0, OPTION_STRING, AT(clip), 0, "X", "the longest gradient; 0: any (default 1)"},
    {"--dropout", 0, 0, OPTION_STRING, AT(dropout), 0, "X", "instead of the configuration's two"},
    {"--mask", 0, 0, OPTION_STRING, AT(mask), 0, "X", "which part of the tokens is to be guessed (default 0.15)"},
    {"--rules", 0, 0, OPTION_CHOICE, AT(rules), 0, "huggingface google",
     "whose masks, first weights and AdamW: they differ in details"},
    {"--seed", 0, 0, OPTION_NUMBER, AT(seed), 0, "N", "of all random numbers (default 0)"},
    {"--save-every", 0, 0, OPTION_NUMBER, AT(save_every), 1, "N", "steps (default 500; and at the end)"},
    {"--dev", 0, 0, OPTION_STRING, AT(dev), 0, "FILE",
     "held out: judged, not learned from; of the same kind as the text"},
    {"--evaluate-every", 0, 0, OPTION_NUMBER, AT(evaluate_every), 1, "N", "steps (default: at the end only)"},
    {"--resume", 0, 0, OPTION_FLAG, AT(resume), 1, NULL,
     "go on from the last saved state in DIR; from the start if there is none"},
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

/* Does this command understand this option? Common options are everyone's; others are named by the verb. */
static bool understands(const Verb *verb, const Option *option)
{
    if (option->groups & (verb->sentences ? OF_VOCABULARIES : OF_SENTENCES)) return false;
    return option->groups & COMMON || place_in(verb->own, option->name, strlen(option->name)) >= 0;
}

/* Does it change anything? If not it is understood all the same, and said on stderr: an option that is ignored silently
 * would be worse than an error. */
static bool has_effect(const Verb *verb, const Option *option)
{
    return understands(verb, option) && !(option->groups & verb->without);
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

/* The beginning of a word is near to it, too: --max for --max-length. Of equally near words the first one wins. */
bool nearest_word(const char *typed, const char *list, char *found, size_t capacity)
{
    const size_t length = strlen(typed);
    int best = 3;                                       /* three edits are another word */
    for (size_t n; *list; list += n + (list[n] == ' ')) {
        n = strcspn(list, " ");
        int d = distance(typed, list, n);
        if (d > 2 && length >= 4 && n > length && !memcmp(list, typed, length)) d = 2;
        if (d >= best || n >= capacity) continue;
        best = d;
        snprintf(found, capacity, "%.*s", (int)n, list);
    }
    return best < 3;
}

/* What other programs call an option of these; from --aggregation-strategy on, the parameters of Hugging Face's
 * pipelines. */
static const char *other_name(const char *name)
{
    static const char *const names[][2] = {
        {"--weights", "--model"}, {"--model-path", "--model"}, {"-k", "--top-k"}, {"-n", "--top-k"},
        {"--input", "--file"}, {"-l", "--layer"}, {"--aggregation-strategy", "--aggregate"},
        {"--doc-stride", "--stride"}, {"--max-answer-len", "--max-answer"}, {"--max-seq-len", "--max-length"},
        {"--handle-impossible-answer", "--impossible"}, {"--text-pair", "--pair"}, {"--context", "--pair"},
        {"--candidate-labels", "--labels"}, {"--hypothesis-template", "--template"}, {"--multi-label", "--multi"},
        {"--function-to-apply", "--activation"}, {"--truncation", "--truncate"}, {"--padding", "--pad"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i][0])) return names[i][1];
    return name;
}

/* Nobody has this option, or another command has it; and perhaps this one has a similar one. */
static Status unknown_option(const Verb *verb, const char *typed, Error *e)
{
    char name[64], as_typed[64], near[64], own[2048] = "", what[160];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed, "="), typed);
    snprintf(as_typed, sizeof as_typed, "%s", name);
    snprintf(what, sizeof what, "unknown option %s", as_typed);
    for (char *c = name; *c; c++)
        if (*c == '_') *c = '-';                        /* as Python spells them */
    for (int i = 0; i < OPTIONS; i++) {
        if (!strcmp(option_table[i].name, name))
            snprintf(what, sizeof what, "%s has no option %s", verb->name, as_typed);
        if (has_effect(verb, &option_table[i])) strcat(strcat(own, option_table[i].name), " ");
    }
    if (!nearest_word(other_name(name), own, near, sizeof near))
        return fail(e, BERT_USAGE, "%s: see `bert %s --help`", what, verb->name);
    if (!strcmp(near, "--model")) strcpy(near, "--model (-m)");
    return fail(e, BERT_USAGE, "%s: did you mean %s? See `bert %s --help`", what, near, verb->name);
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
 * INT_MAX; it is spoken of where it is passed only. */
enum { LARGEST_NUMBER = 1000000000 };
static Status parse_number(const char *name, const char *text, int least, int *out, Error *e)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    const bool digits = end != text && !*end && *text >= '0' && *text <= '9';
    if (digits && (errno || n > LARGEST_NUMBER))
        return fail(e, BERT_USAGE, "%s %s: a whole number from %d to %d is expected", name, text, least,
                    LARGEST_NUMBER);
    if (!digits || n < least)
        return fail(e, BERT_USAGE, "%s %s: a whole number is expected, %d or more", name, text, least);
    *out = (int)n;
    return BERT_OK;
}

/* The word's place in a choice, from 0. */
static Status store_choice(const Option *o, const char *value, int *field, Error *e)
{
    int place = place_in(o->value, value, strlen(value));
    if (place < 0) return fail(e, BERT_USAGE, "%s %s: one of these is expected: %s", o->name, value, o->value);
    *field = place;
    return BERT_OK;
}

/* Writes what one option says into *options, where the table says: `field` is the offset of an int or a string. */
static Status store_option(Options *options, const Verb *verb, const Option *o, const char *value, Error *e)
{
    void *field = (char *)options + o->field;
    if (o->kind == OPTION_NUMBER) return parse_number(o->name, value, o->number, field, e);
    if (o->kind == OPTION_CHOICE) return store_choice(o, value, field, e);
    if (o->kind == OPTION_FORMAT && place_in(verb->formats, value, strlen(value)) < 0)
        return fail(e, BERT_USAGE, "%s --format %s: one of these is expected: %s", verb->name, value, verb->formats);
    if (o->kind == OPTION_FLAG) *(int *)field = o->number;
    else *(const char **)field = value;
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
    if (!has_effect(verb, o)) options->without_effect = o->name;
    return store_option(options, verb, o, value, e);
}

/* --inputs brings ids that are ready for the model: what makes ids from texts has nothing to do. (The QUERY of rank and
 * the --word of similarity are texts even then, and may hold special pieces.) */
static Status check_inputs(const Options *o, Error *e)
{
    const bool only_ids = !o->query && !o->word;
    const char *unused = o->pairs ? "--pairs" : o->segments ? "--segments" : o->truncate ? "--truncate" :
                         o->max_length ? "--max-length" : o->pad ? "--pad" : o->plain && only_ids ? "--no-special" :
                         o->no_add_special ? "--no-add-special" : o->prompt && !o->query ? "--prompt" : NULL;
    if (!o->inputs || !unused) return BERT_OK;
    return fail(e, BERT_USAGE, "--inputs holds ids that are taken as they are: leave %s out", unused);
}

/* What no single option can know: which of them exclude each other, and which need another one. */
static Status check_options(const Options *o, const Verb *verb, Error *e)
{
    int sources = (o->text_count > 0) + (o->file != NULL) + (o->inputs != NULL);
    if (o->text_count && !*verb->arguments) return fail(e, BERT_USAGE, "%s takes no TEXT: %s", verb->name, o->texts[0]);
    if (o->inputs && verb->without & ABOUT_TEXTS)
        return fail(e, BERT_USAGE, "%s runs on no input: leave --inputs out", verb->name);
    if (sources > 1) return fail(e, BERT_USAGE, "TEXT, --file and --inputs exclude each other");
    if (o->pair && o->text_count != 1)
        return fail(e, BERT_USAGE, "--pair goes with exactly one TEXT, not %d", o->text_count);
    if (o->pair && o->pairs) return fail(e, BERT_USAGE, "--pair and --pairs exclude each other");
    if (o->model && !*o->model) return fail(e, BERT_USAGE, "--model needs a directory: its name is empty");
    if (o->trace && o->format) return fail(e, BERT_USAGE, "--trace and --format exclude each other");
    if (o->pooling == POOL_POOLER && o->combine != UNSET)
        return fail(e, BERT_USAGE, "--pooling pooler always uses the last hidden state: leave --combine out");
    if (o->prompt && o->word) return fail(e, BERT_USAGE, "--word compares words, not sentences: leave --prompt out");
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
                   .step = UNSET, .activation = UNSET, .aggregate = UNSET, .stride = UNSET};
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

/* =====================================================================================================================
 * Help
 * ================================================================================================================== */
enum { HELP_WIDTH = 80, NAME_WIDTH = 35 };              /* columns: of a line, and of an option with its value */

/* "-m, --model DIRECTORY", "--gelu erf|tanh": an option as it is typed. */
static void option_name(const Option *o, const Verb *verb, char *name, size_t capacity)
{
    const char *value = o->kind == OPTION_FORMAT ? verb->formats : o->value;
    char letter[8] = "";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    size_t n = (size_t)snprintf(name, capacity, "%s%s%s", letter, o->name, value ? " " : "");
    for (size_t i = 0; value && value[i] && n + 1 < capacity; i++) name[n++] = value[i] == ' ' ? '|' : value[i];
    name[n < capacity ? n : capacity - 1] = 0;
}

/* Words from column `indent` on, the first line of which has been begun. A line ends before the word that is too long
 * for it. */
static void put_wrapped(FILE *out, int indent, const char *text)
{
    for (int column = indent; *text; ) {
        const int n = (int)strcspn(text, " ");
        if (column > indent && column + 1 + n > HELP_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        if (column > indent) column += fprintf(out, " ");
        column += fprintf(out, "%.*s", n, text);
        text += n;
        while (*text == ' ') text++;
    }
    fputc('\n', out);
}

/* The common options (verb NULL), or those that only some commands have and this verb is one of:
 *
 *     --pooling none|cls|mean|max|pooler  the tokens' vectors into one */
static void print_options(const Verb *verb, FILE *out)
{
    char name[128];
    int width = 0;
    for (int pass = 0; pass < 2; pass++)                /* first how wide the names are */
        for (int i = 0; i < OPTIONS; i++) {
            const Option *o = &option_table[i];
            if (verb ? o->groups & COMMON || !understands(verb, o) : !(o->groups & COMMON)) continue;
            option_name(o, verb, name, sizeof name);
            const int n = (int)strlen(name);
            if (pass == 0 && n > width && n <= NAME_WIDTH) width = n;
            if (pass == 0) continue;
            fprintf(out, "  %-*s  ", width, name);
            put_wrapped(out, 4 + (n > width ? n : width), o->help);
        }
}

/* What it answers, how it is called, what it prints (the verb's own text), its options, examples. */
void print_verb_help(const Verb *verb, FILE *out)
{
    fprintf(out, "bert %s: %s\n\nUsage: bert %s [options]%s\n\n%s", verb->name, verb->summary, verb->name,
            verb->arguments, verb->help);
    if (*verb->own) {
        fprintf(out, "\nOptions:\n");
        print_options(verb, out);
    }
    if (verb->examples) fprintf(out, "\nExamples:\n%s", verb->examples);
    fprintf(out, "\nOptions of every command (-m PATH, -f FILE, -o FILE, ...): bert help options\n");
}

void print_common_options(FILE *out)
{
    fprintf(out, "bert help options: the options that every command understands\n\n"
            "Usage: bert COMMAND [options] [TEXT ...]\n\n"
            "Options and texts may stand in any order; -- ends the options. Where an option\n"
            "changes nothing, a line on stderr says so.\n\nOptions:\n");
    print_options(NULL, out);
    fprintf(out, "\nExamples:\n"
            "  bert embed -m weights/all-MiniLM-L6-v2 -f lines.txt -o vectors.txt\n"
            "  bert tokenize --pair 'he likes playing' 'my dog is cute'\n");
}
