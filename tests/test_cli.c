/* test_cli.c - the command line from outside: ./bert is started by a shell, as users start it, and what it prints and
 * its exit code are checked. What needs the real weights is skipped without them; the rest uses a tiny model made by
 * formula.c. */
#include "shell.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* =====================================================================================================================
 * What a command printed
 * ================================================================================================================== */
static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++) n += *text == '\n';
    return n;
}

/* The command fails with this code, prints nothing on stdout, and one line on stderr that begins with `bert: ` and
 * holds `sentence`. */
static void fails(int code, const char *sentence, const char *command)
{
    int got = run("%s 2>/dev/null", command);
    check(got == code, "%s: exit code %d, expected %d", command, got, code);
    check(output_length == 0, "%s: nothing on stdout, but: %s", command, output);
    run("%s 2>&1 >/dev/null", command);
    check(lines(output) == 1 && !strncmp(output, "bert: ", 6), "%s: one line of message, but: %s", command, output);
    check(strstr(output, sentence) != NULL, "%s: \"%s\" in the message, which is: %s", command, sentence, output);
}

/* The command does what it always does, and says one line on stderr, with this sentence; with -q it does not. */
static void notes(const char *sentence, const char *command)
{
    int got = run("%s 2>&1 >/dev/null", command);
    check(got == 0, "%s: exit code %d, expected 0", command, got);
    check(lines(output) == 1 && !strncmp(output, "bert: ", 6) && strstr(output, sentence), "%s: \"%s\" on stderr: %s",
          command, sentence, output);
    run("%s -q 2>&1 >/dev/null", command);
    check(!*output, "%s: nothing with -q: %s", command, output);
}

static void notes_nothing(const char *command)
{
    int got = run("%s 2>&1 >/dev/null", command);
    check(got == 0 && !*output, "%s: exit code %d, nothing on stderr: %s", command, got, output);
}

/* The command succeeds and prints exactly this. */
static void prints(const char *expected, const char *command)
{
    int got = run("%s", command);
    check(got == 0, "%s: exit code %d, expected 0", command, got);
    check_text(command, output, expected);
}

/* A command with the tiny model's directory in place of its %s. */
static const char *with_tiny(const char *format, const char *directory)
{
    static char command[2048];
    const char *place = strstr(format, "%s");
    if (!place) return format;
    snprintf(command, sizeof command, "%.*s%s%s", (int)(place - format), format, directory, place + 2);
    return command;
}

/* The tutorial's sentence, as a word of the shell. */
#define BANK "'After stealing money from the bank vault, the bank robber was seen fishing " \
             "on the Mississippi river bank.'"

/* =====================================================================================================================
 * Options and help
 * ================================================================================================================== */
/* Help that was asked for is an answer: stdout, exit code 0, nothing on stderr. */
static void every_command_has_help_on_stdout(void)
{
    static const char *const commands[] = {"tokenize", "vocab", "embed", "similarity", "rank", "fill-mask",
                                           "next-sentence",
                                           "attention", "explain", "goldens", "trace", "compare", "verify", "info",
                                           "demo"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        check(run("./bert %s --help 2>&1 >/dev/null", commands[i]) == 0 && !*output, "%s: stderr is silent",
              commands[i]);
        run("./bert %s --help", commands[i]);
        check(strstr(output, commands[i]) && lines(output) > 10, "%s --help explains: %s", commands[i], output);
        run("./bert --help");
        check(strstr(output, commands[i]) != NULL, "bert --help lists %s", commands[i]);
    }
    prints("bert " BERT_VERSION "\n", "./bert --version");
    check(run("[ \"$(./bert help)\" = \"$(./bert --help)\" ]") == 0, "bert help is bert --help");
    check(run("./bert help embed | head -1 | grep -q '^bert embed'") == 0, "bert help embed is bert embed --help");
    check(run("./bert embed --nonsense --help >/dev/null 2>&1") == 0, "--help wins over a mistake before it");
    fails(2, "--nonsense", "./bert embed --nonsense -- --help");
}

/* The verbs in the order of `bert --help`, and how many. */
static int verbs_of_the_help(char verb[32][32])
{
    int count = 0;
    run("./bert --help | sed '/^Examples/,$d'");
    for (const char *at = output; (at = strstr(at, "\n  ")); at++)
        if (count < 32 && sscanf(at, "%31s", verb[count]) == 1) count++;
    return count;
}

/* No line that a terminal of 80 columns would break; the same parts in the same order; options with the place of their
 * value; and the two ways to ask for it. */
static void help_has_one_form(void)
{
    char verb[32][32];
    const int count = verbs_of_the_help(verb);
    check(count == 20 && !strcmp(verb[0], "demo"), "%d verbs, demo first: %s", count, verb[0]);
    for (int i = 0; i < count; i++) {
        const char *v = verb[i];
        check(run("./bert %s --help", v) == 0, "%s --help exits 0", v);
        char usage[1100];
        snprintf(usage, sizeof usage, "\n\nUsage: bert %s [options]", v);
        const char *a = strstr(output, usage), *b = strstr(output, "\n\nExamples:\n  bert ");
        check(!strncmp(output, "bert ", 5) && a && b && a < b && strstr(b, "\n\nOptions of every command ("),
              "%s: name, usage, examples, the other options: %s", v, output);
        run("./bert %s --help | awk 'length > 80 || /^  -/ && !/^  (-[a-z], )?--[a-z-]+( [A-Za-z0-9,|]+)?  +[^ ]/'", v);
        check(!*output, "%s: lines that are too long, or options of another form: %s", v, output);
        check(run("[ \"$(./bert help %s)\" = \"$(./bert %s --help)\" ]", v, v) == 0, "bert help %s", v);
        check(run("./bert %s --help | grep -E '^  (-|--)(model|file|pair|pairs|quiet)'", v) == 1,
              "%s: common options are not listed: %s", v, output);
    }
    run("{ ./bert --help; ./bert help options; } | awk 'length > 80'");
    check(!*output, "lines that are too long: %s", output);
    run("./bert --help");
    check(strstr(output, "6 out of memory, or a file could not be read or\nwritten.\n") != NULL, "exit codes: %s",
          output);
    run("sh cli/man.sh ./bert | sed -n '/EXIT STATUS/,/ENVIRONMENT/p' | sed '1d;$d'");
    check(strstr(output, "6 out of memory, or a file could not be read or written\n") != NULL,
          "the page for man lists exit codes: %s", output);
    run("./bert help options | grep -c '^  -'");
    check_text("common options", output, "16\n");
    run("./bert help options");
    check(strstr(output, "\n  -m, --model PATH     a directory with config.json") &&
          strstr(output, "\n  --segments auto|0|1 "),
          "placeholders: %s", output);
    run("./bert embed --help");
    check(strstr(output, "\n  --pooling none|cls|mean|max|pooler  ") && strstr(output, "\n  --layers LIST  "),
          "placeholders: %s", output);
    fails(2, "did you mean tokenize", "./bert help tokenise");
}

/* fill-mask without a mask: why there is none. */
static void a_mask_is_missing(void)
{
    fails(4, "text 1: there is no [MASK] to fill (3 texts were given: put one text in quotes)",
          with_tiny("./bert fill-mask -m %s the cat [MASK].", tiny));
    fails(4, "text 1: there is no [MASK] to fill: [MASK] is written in capitals",
          with_tiny("./bert fill-mask -m %s 'the [mask]'", tiny));
    fails(4, "written in capitals", with_tiny("./bert fill-mask -m %s --pair 'a [Mask]' 'the cat'", tiny));
    fails(4, "BERT's mask is written [MASK]", with_tiny("./bert fill-mask -m %s 'the <mask>'", tiny));
    fails(4, "--no-special makes [MASK] plain text", with_tiny("./bert fill-mask -m %s --no-special '[MASK]'", tiny));
    fails(4, "--truncate cut it off",
          with_tiny("./bert fill-mask -m %s --truncate --max-length 3 'the cat [MASK]'", tiny));
    run("echo '{\"mask_token\": null}' > %s/tokenizer_config.json", tiny);
    fails(3, "/tokenizer_config.json: the key \"mask_token\" is missing or null",
          with_tiny("./bert fill-mask -m %s 'the [MASK]'", tiny));
    run("echo '{\"mask_token\": \"cat\"}' > %s/tokenizer_config.json", tiny);
    fails(4, "there is no [MASK] to fill: this model's mask is written cat",
          with_tiny("./bert fill-mask -m %s 'the [MASK]'", tiny));
    run("rm %s/tokenizer_config.json && cp %s/vocab.txt %s/whole && sed -i 's/^\\[MASK\\]$/[NONE]/' %s/vocab.txt", tiny,
        tiny, tiny, tiny);
    fails(3, "the vocabulary lacks [MASK], which fill-mask needs",
          with_tiny("./bert fill-mask -m %s 'the [MASK]'", tiny));
    run("mv %s/whole %s/vocab.txt", tiny, tiny);
    fails(4, "text 1: there is no [MASK] to fill\n", with_tiny("./bert fill-mask -m %s 'the cat'", tiny));
}

/* What someone types who has not read the help, and the sentence that gets them on. */
static void the_mistakes_of_newcomers_get_the_sentence_that_helps(void)
{
    fails(2, "embed has no option --layer: did you mean --layers?", "./bert embed --layer -2 x");
    fails(2, "attention has no option --layers: did you mean --layer?", "./bert attention --layers 2 x");
    fails(2, "unknown option --max: did you mean --max-length?", "./bert embed --max 3 x");
    fails(2, "unknown option --weights: did you mean --model (-m)?", "./bert embed --weights x y");
    fails(2, "unknown option -k: did you mean --top-k?", "./bert fill-mask -k 3 x");
    fails(2, "unknown option -k: see", "./bert tokenize -k 3 x");
    fails(2, "--layer hello: a whole number is expected, 0 or more\n", "./bert attention --layer hello x");
    fails(2, "unknown command token: did you mean tokenize?", "./bert token x");
    fails(2, "unknown command ner: it is called tag here. See `bert tag --help`", "./bert ner x");
    fails(2, "unknown command question-answering: it is called answer here", "./bert question-answering x y");
    fails(2, "did you mean --aggregate?", "./bert tag --aggregation_strategy first x");
    fails(2, "did you mean --stride?", "./bert answer --doc-stride=64 x y");
    fails(2, "did you mean --impossible?", "./bert answer --handle_impossible_answer x y");
    fails(2, "did you mean --labels?", "./bert classify --candidate-labels a,b x");
    fails(2, "the command comes first, texts follow", "./bert 'The cat sat on the [MASK].'");
    fails(2, "not 5 (put each in quotes)", "./bert next-sentence my dog is very cute");
    fails(2, "put the QUERY in quotes", "./bert rank how do I get it back -f /dev/null");
    if (!tiny_model()) return;
    a_mask_is_missing();
    fails(3, "/config.json: is a file: -m wants the directory", with_tiny("./bert embed -m %s/config.json x", tiny));
    fails(3, "/vocab.txt: is a file: -m wants", with_tiny("./bert tokenize -m %s/vocab.txt x", tiny));
    fails(3, "is a file: -m wants", with_tiny("./bert info -m %s/vocab.txt", tiny));
    fails(3, "is a file: -m wants", with_tiny("BERT_MODEL=%s/vocab.txt ./bert tokenize x", tiny));
    notes("no capital letters", with_tiny("./bert tokenize -m %s --cased 'The cat'", tiny));
    notes_nothing(with_tiny("./bert tokenize -m %s --uncased 'The cat'", tiny));
    notes("'banker' is not one piece", with_tiny("./bert vocab -m %s cat banker 3:5", tiny));
    notes_nothing(with_tiny("./bert vocab -m %s cat '[UNK]'", tiny));
    notes_nothing(with_tiny("echo banker | ./bert vocab -m %s", tiny));
    notes("one text is compared with itself", with_tiny("./bert similarity -m %s 'the cat'", tiny));
    notes("the word stands there once", with_tiny("./bert similarity -m %s --word cat 'the cat'", tiny));
    notes_nothing(with_tiny("./bert similarity -m %s --format json the cat", tiny));
    fails(2, "--word takes the mean",
          with_tiny("./bert similarity -m %s --word cat --pooling cls 'the cat' 'a cat'", tiny));
    notes("raw BERT was not trained to compare", with_tiny("./bert rank -m %s 'the cat' 'a dog'", tiny));
    notes("3 texts were given, each of one word", with_tiny("./bert attention -m %s --layer 0 the cat sat", tiny));
    notes_nothing(with_tiny("./bert attention -m %s --layer 0 'the cat' sat mat", tiny));
    notes_nothing(with_tiny("./bert attention -m %s --head 1 'the cat'", tiny));
    notes_nothing(with_tiny("./bert attention -m %s --format json 'the cat'", tiny));
    notes("layer 0, head 0 of 2 layers with 3 heads each: --layer N and", with_tiny("./bert attention -m %s x", tiny));
    formula_remove(tiny);
}

/* A cosine says nothing without what was compared. */
static void similarity_says_what_was_compared(void)
{
    static const struct { const char *options, *said; } recipes[] = {
        {"", "compared: hidden state 1, mean over the tokens\n"},
        {"--layers -1 --pooling max --normalize", "compared: hidden state 2, maximum over the tokens, length 1\n"},
        {"--layers 0..2 --pooling cls", "compared: hidden states 0 to 2 side by side, row of [CLS]\n"},
        {"--layers 2,1 --combine sum", "compared: sum of hidden states 2, 1, mean over the tokens\n"},
        {"--layers 2,0,1 --combine mean", "compared: mean of hidden states 2, 0, 1, mean over the tokens\n"},
        {"--pooling pooler", "compared: the pooler's output\n"},
        {"--word cat", "compared: sum of hidden states 0 to 2, mean over the word's pieces; 1:2 is input 1, token 2 "}};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        char command[300];
        snprintf(command, sizeof command, "./bert similarity -m %%s %s 'the cat' 'my cat'", recipes[i].options);
        notes(recipes[i].said, with_tiny(command, tiny));
    }
    run("mkdir %s/1_Pooling; echo '{\"pooling_mode\": \"lasttoken\"}' > %s/1_Pooling/config.json", tiny, tiny);
    run("echo '[{\"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}, "
        "{\"name\": \"1\", \"path\": \"1_Pooling\", "
        "\"type\": \"sentence_transformers.models.Pooling\"}]' > %s/modules.json", tiny);
    notes("compared: vectors as the model's modules.json makes them\n",
          with_tiny("./bert similarity -m %s 'the cat' 'my cat'", tiny));
    run("rm -r %s/1_Pooling %s/modules.json", tiny, tiny);
    formula_remove(tiny);
}

/* The place that was meant, or how what is missing is fetched; for every command that needs a model. */
static void a_model_directory_that_was_not_meant_names_the_one_that_was(void)
{
    static const char *const commands[] = {"embed -m %s x", "tokenize -m %s x", "info -m %s", "verify -m %s x"};
    static const char *const fetched[] = {"bert-base-uncased", "bert-base-cased", "bert-base-multilingual-cased",
                                          "all-MiniLM-L6-v2"};
    char command[300], said[200];
    if (!tiny_model()) return;
    run("mkdir -p %s/all/b-model %s/all/c-model %s/all/empty; cp %s/config.json %s/all/b-model; "
        "cp %s/config.json %s/all/c-model", tiny, tiny, tiny, tiny, tiny, tiny, tiny);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *place = strstr(commands[i], "%s") + 2;
        const int before = (int)(place - commands[i]) - 2;
        snprintf(command, sizeof command, "./bert %.*s%%s/all%s", before, commands[i], place);
        fails(3, "/all: holds model directories, and is none itself: did you mean /", with_tiny(command, tiny));
        fails(3, "/all/b-model?\n", with_tiny(command, tiny));
        snprintf(command, sizeof command, "./bert %.*s%%s/all/empty%s", before, commands[i], place);
        run("%s 2>&1", with_tiny(command, tiny));
        check(!strstr(output, "did you mean"), "%s: an empty directory: %s", command, output);
        for (int m = 0; m < 4; m++) {
            snprintf(command, sizeof command, "cd %%s && \"$OLDPWD/bert\" %.*ssome/%s/%s", before, commands[i],
                     fetched[m], place);
            snprintf(said, sizeof said, "; `make weights MODEL=%s` fetches weights/%s\n", fetched[m], fetched[m]);
            fails(3, said, with_tiny(command, tiny));
        }
    }
    run("mkdir -p %s/weights/bert-base-cased; cp %s/config.json %s/weights/bert-base-cased", tiny, tiny, tiny);
    fails(3, "bert-base-cased: no such model directory; did you mean weights/bert-base-cased?\n",
          with_tiny("cd %s && \"$OLDPWD/bert\" embed -m bert-base-cased x", tiny));
    run("cp -r %s/weights/bert-base-cased %s/all/bert-base-uncased", tiny, tiny);
    fails(3, "did you mean all/bert-base-uncased?\n", with_tiny("cd %s && \"$OLDPWD/bert\" embed -m all/ x", tiny));
    run("rm -r %s/all %s/weights", tiny, tiny);
    formula_remove(tiny);
}

/* bert-base-uncased with capitals kept, or with the other GELU, would put wrong numbers beside the tutorial's. And the
 * notes about these weights. */
static void the_demonstration_refuses_what_would_change_its_numbers(void)
{
    if (!real_weights("bert-base-uncased")) return;
    fails(3, "uncased", "./bert demo --cased -q");
    fails(3, "keeps capitals (--cased)", "./bert goldens -q --cased");
    fails(2, "leave --gelu out", "./bert demo --gelu tanh");
    notes("a head which this project fitted to them", "./bert next-sentence 'my dog is cute' 'he likes playing'");
    notes("'characteristically' is not one piece", "./bert vocab characteristically");
}

/* Lines done and lines per second: once a second, where someone looks. Three at a time: the one that is watched; one
 * that is told to be quiet; one whose answers go to the terminal. */
static void lines_that_are_slow_show_their_progress(void)
{
    if (!tiny_model()) return;
    if (!have_terminal()) return;
    run_on_terminal("slow() { echo; sleep 1.1; echo; sleep 1.1; echo; }; ids='-m %s --format ids --no-add-special'; "
                    "slow | ./bert tokenize $ids -q 2>&1 >/dev/null & slow | ./bert tokenize $ids 2>&1 & "
                    "slow | ./bert tokenize $ids 2>&1 >/dev/null; wait", tiny);
    int ends = 0, ends_at = 0;
    for (const char *c = output; *c; c++) ends += *c == '\n';
    int lines = 0, shown = 0, used = 0, n;
    double rate;
    for (; sscanf(output + used, "%d lines, %lf lines/s %n", &n, &rate, &ends_at) == 2; used += ends_at, shown++) {
        bool whole = false;                                 /* seconds are counted whole */
        for (int seconds = 1; seconds < 9; seconds++) whole |= fabs(rate - (double)n / seconds) < 0.051;
        check(whole && n > lines && n <= 3, "%d lines after %d, %g a second", n, lines, rate);
        lines = n;
    }
    check(lines == 3 && (shown == 2 || shown == 3) && !output[used], "lines of progress: %s", output);
    check(ends == 4, "three empty answers and the end of the line, not %d: %s", ends, output);
    formula_remove(tiny);
}

/* Four decimals where someone reads, all digits where a program does; the same numbers. */
static void a_terminal_gets_four_decimals(void)
{
    static char piped[sizeof output];
    if (!tiny_model()) return;
    if (!have_terminal()) {
        formula_remove(tiny);
        return;
    }
    static const struct { const char *command, *rule; } cases[] = {
        {"fill-mask 'the [MASK] sat [MASK]'", "s/^\\([0-9.e-]*\\)\t\\(.*\\)/\\1 \\2/"},
        {"rank 'the cat' -f lines", "s/^\\([0-9.e-]*\\)\t\\(.*\\)/\\1 \\2/"},
        {"embed --format text 'the cat' sat", ""},
        {"fill-mask --format json '[MASK]'", ""}, {"similarity --format json the cat", ""},
        {"tokenize 'the cat'", ""}, {"attention --format json 'the cat'", ""}};
    run("printf 'a dog\\nthe cat\\n' > %s/lines", tiny);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool exact = !*cases[i].rule;             /* formats that programs read are the same everywhere */
        run("b=$PWD/bert; cd %s && $b %s -q -m . | sed '%s' | awk -v exact=%d "
            "'!exact && NF > 1 {$1 = sprintf(\"%%.4f\", $1)} {print}'", tiny, cases[i].command, cases[i].rule, exact);
        strcpy(piped, output);
        check(run_on_terminal("b=$PWD/bert; cd %s && $b %s -q -m .", tiny, cases[i].command) == 0, "%s",
              cases[i].command);
        for (char *at = output; !exact && *at; at++) if (*at == '\t') *at = ' ';
        check(*piped, "%s: something is printed", cases[i].command);
        check_text(cases[i].command, output, piped);
    }
    run("rm %s/lines", tiny);
    run_on_terminal("./bert similarity -m %s --by-layer the cat", tiny);
    check(strstr(output, "\n    1.0000 ") && !strstr(output, "1.000000"), "a matrix: %s", output);
    run("./bert similarity -m %s the cat", tiny);
    check(strstr(output, "\n  1.000000 ") != NULL, "a pipe gets six decimals: %s", output);
    run_on_terminal("./bert next-sentence -m %s the cat", tiny);
    char is_next[32] = "", logit[32] = "";
    check(sscanf(output, "label 0  P(IsNext) %31s logit %31s", is_next, logit) == 2 && strlen(is_next) == 6 &&
          strlen(strchr(logit, '.')) == 5, "next-sentence: %s", output);
    formula_remove(tiny);
}

/* Nobody reads 24 numbers, let alone 768: eight, and how to get them all. With a format, all of them. */
static void a_vector_on_a_terminal_is_its_beginning(void)
{
    double x[8], y[8];
    if (!tiny_model()) return;
    if (run_on_terminal("./bert embed -m %s 'the cat' sat", tiny) != 0) {
        skip("the system gives no pseudo-terminal");
    } else {
        check(lines(output) == 2 && strstr(output, " ... (24 numbers)\n"), "two vectors: %s", output);
        static const char eight[] = "%lf %lf %lf %lf %lf %lf %lf %lf";
        check(sscanf(output, eight, x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7) == 8, "%s", output);
        run("./bert embed -m %s 'the cat'", tiny);
        check(sscanf(output, eight, y, y + 1, y + 2, y + 3, y + 4, y + 5, y + 6, y + 7) == 8, "%s", output);
        for (int i = 0; i < 8; i++) check_value("as a pipe gets it", x[i], y[i], 0.00005001);
        run("script=1; ./bert embed -m %s -o %s/v 'the cat' && cat %s/v; rm %s/v", tiny, tiny, tiny, tiny);
        check(!strstr(output, "...") && lines(output) == 1, "a file gets all: %s", output);
    }
    formula_remove(tiny);
}

/* What a caller of the library needs is in fields, not in the sentence. */
static void an_error_says_its_place_in_fields(void)
{
    const EncodeOptions options = {.segments = -1};
    const Text good = {"the cat", 7}, bad = {"ab\300", 3};
    Tokenizer t;
    Encoding x = {0};
    Error e = {0};
    char path[512];
    BertConfig config;
    if (!tiny_model() || !check(tokenizer_load(&t, tiny, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    check(encode(&t, bad, &good, &options, &x, &e) == BERT_TEXT && e.byte == 3 && e.text == 1, "byte 3 of A: %zu, %d",
          e.byte, e.text);
    check_text("the sentence", e.message, "byte 3: 0xC0 is not valid UTF-8");
    check(encode(&t, good, &bad, &options, &x, &e) == BERT_TEXT && e.byte == 3 && e.text == 2, "byte 3 of B: %zu, %d",
          e.byte, e.text);
    check_text("the sentence", e.message, "byte 3 of the second text: 0xC0 is not valid UTF-8");
    check_text("without the place", e.message + e.reason, "0xC0 is not valid UTF-8");
    fail(&e, BERT_FILE, "another error");
    check(e.byte == 0 && e.text == 0 && e.reason == 0 && e.line == 0, "the next error has none of it");
    encoding_free(&x);
    tokenizer_free(&t);
    snprintf(path, sizeof path, "%s/hidden_size", tiny);       /* a path that holds the key's name hides nothing */
    run("printf '{\"hidden_size\": no}' > %s", path);
    check(config_load(&config, path, &e) == BERT_FILE && e.byte == 17, "byte 17: %zu", e.byte);
    check(strstr(e.message, ", for the key \"hidden_size\"") != NULL, "the key is named: %s", e.message);
    run("printf '{\"hidden_size\": 0}' > %s", path);
    check(config_load(&config, path, &e) == BERT_FILE && e.byte == 0 && !strstr(e.message, "for the key"),
          "and not twice: %s", e.message);
    run("printf '{\"eps\": NaN, \"model_type\": \"bert\", \"hidden_size\": 24, \"num_attention_heads\": 4}' > %s", path);
    check(config_load(&config, path, &e) == BERT_OK && config.H == 24, "Python's NaN is passed over: %s", e.message);
    run("printf '{\"layer_norm_eps\": NaN}' > %s", path);
    check(config_load(&config, path, &e) == BERT_FILE && strstr(e.message, "expected a number"), "%s", e.message);
    run("rm %s", path);
    formula_remove(tiny);
}

/* One example of each way to get a command line wrong, and the word that must help. */
static void wrong_usage_exits_2_with_one_line(void)
{
    fails(2, "unknown command", "./bert nonsense");
    fails(2, "did you mean tokenize", "./bert tokenise x");
    fails(2, "did you mean --layers", "./bert embed --layrs -1 x");
    fails(2, "no option --layers", "./bert tokenize --layers -1 x");
    fails(2, "needs a value", "./bert embed --layers");
    fails(2, "takes no value", "./bert embed --truncate=1 x");
    fails(2, "expected", "./bert embed --format nonsense x");
    fails(2, "expected", "./bert tokenize --max-length -3 x");
    fails(2, "exactly one TEXT", "./bert tokenize --pair b a c");
    fails(2, "exclude", "./bert tokenize -f - x");
    fails(2, "A and B", "./bert next-sentence alone");
    fails(2, "QUERY", "./bert rank");
    fails(2, "no TEXT", "./bert goldens x");
    fails(2, "two files", "./bert compare one");
    fails(2, "needs a file", "./bert verify");
    fails(2, "a number is expected", "./bert compare --atol x a b");
    fails(2, "exclude", "./bert compare --tolerance exact --atol 1 a b");
    fails(2, "leave --inputs out", "./bert vocab --inputs x.safetensors");
    check(run("./bert vocab --pairs 0:1 2>&1") == 0 && strstr(output, "--pairs has no effect on vocab") &&
          strstr(output, "0\t[PAD]\n"), "an option of everyone's is understood by everyone: %s", output);
    fails(2, "leave --pairs out", "./bert embed --inputs x.safetensors --pairs");
    fails(2, "leave --segments out", "./bert embed --inputs x.safetensors --segments 1");
    fails(2, "leave --truncate out", "./bert trace --inputs x.safetensors --truncate");
    fails(2, "leave --max-length out", "./bert rank q --inputs x.safetensors --max-length 9");
    fails(2, "leave --pad out", "./bert embed --inputs x.safetensors --pad");
    fails(2, "leave --combine out", "./bert embed --pooling pooler --combine sum x");
    fails(2, "exclude", "./bert tokenize --trace --format ids x");
    fails(2, "--model needs a directory", "./bert tokenize -m '' x");
    fails(2, "from 1 to 1000000000", "./bert rank --top-k 1000000001 x");
    fails(2, "no option --isolate", "./bert compare --isolate a b");
    check(run("./bert 2>/dev/null") == 2, "no command at all is wrong usage");
}

/* --name value, --name=value, -mvalue, options after texts, and a TEXT that begins with a dash. */
static void option_values_may_be_attached_and_dashes_end_options(void)
{
    if (!tiny_model()) return;
    prints("[CLS] the bank [SEP]\n", with_tiny("./bert tokenize --model=%s --format=pieces 'the bank'", tiny));
    prints("[CLS] the bank [SEP]\n", with_tiny("./bert tokenize 'the bank' --format pieces -m%s", tiny));
    prints("2 1 10 3\n", with_tiny("./bert tokenize -m %s --format ids -- -b", tiny));
    formula_remove(tiny);
}

/* =====================================================================================================================
 * Inputs and streams
 * ================================================================================================================== */
/* Four lines: CR LF, a CR inside, an empty one, one without a line's end. The ids are those of the tiny vocabulary:
 * [CLS] 2, [SEP] 3, letters from 9 on. */
static void a_line_ends_at_lf_only_and_nul_is_a_character(void)
{
    if (!tiny_model()) return;
    prints("2 12 3\n2 9 11 3\n2 3\n2 13 3\n",                           /* d; a c (CR is white space); empty; e */
           with_tiny("printf 'd\\r\\na\\rc\\n\\ne' | ./bert tokenize -m %s --format ids", tiny));
    run("printf 'a\\000c\\n' | ./bert tokenize -m %s --format json", tiny);
    check(strstr(output, "[[0, 0], [0, 1], [2, 3], [0, 0]]") != NULL, "the NUL is inside the word and is deleted: %s",
          output);
    prints("2 3\n2 9 3\n2 9 37 3\n",             /* NUL alone; around a letter; in a word: a ##c */
           with_tiny("printf '\\000\\n\\000a\\000\\na\\000c' | ./bert tokenize -m %s --format ids", tiny));
    prints("2 9 3 10 37 3\n",
           with_tiny("printf 'a\\000 ||| b\\000c\\n' | ./bert tokenize -m %s --format ids --pairs", tiny));
    formula_remove(tiny);
}

/* Octal 300 is the byte C0, which never occurs in UTF-8. Bytes count from 1. */
static void the_first_bad_line_is_named_by_number_and_byte(void)
{
    if (!tiny_model()) return;
    int code = run("printf 'a\\nb\\nc\\300\\nd\\n' | ./bert tokenize -m %s --format ids 2>&1", tiny);
    check(code == 4, "exit code %d, expected 4", code);
    check(strstr(output, "2 9 3\n2 10 3\nbert: ") == output, "the lines before it are answered: %s", output);
    check(strstr(output, "line 3, byte 2") != NULL, "line 3, byte 2: %s", output);
    run("printf 'a ||| b\\300\\n' | ./bert tokenize -m %s --pairs 2>&1", tiny);
    check(strstr(output, "line 1, byte 8") != NULL, "bytes of a pair count from the line's beginning: %s", output);
    code = run("printf 'a\\nb\\n\\000\\342\\202' > %s/lines; ./bert tokenize -m %s --format ids -f %s/lines 2>&1; "
               "s=$?; rm %s/lines; exit $s", tiny, tiny, tiny, tiny);
    check(code == 4 && strstr(output, "2 9 3\n2 10 3\nbert: ") == output, "and so with a file: %s", output);
    check(strstr(output, "line 3, byte 2: 0xE2") != NULL, "a NUL is a byte, the file ends in a character: %s", output);
    code = run("./bert tokenize -m %s a \"$(printf 'bc\\200')\" 2>&1 >/dev/null", tiny);
    check(code == 4 && strstr(output, "text 2, byte 3: 0x80") != NULL, "a TEXT is named by its number: %s", output);
    formula_remove(tiny);
}

/* Every command that answers its inputs one by one; those with other heads are in test_tag_answer.c. */
static void a_line_is_answered_before_the_next_is_read(void)
{
    static const char *const commands[] = {"tokenize", "tokenize --trace", "vocab", "embed", "embed --format json", "fill-mask",
        "fill-mask --format json", "attention", "attention --format json", "explain"};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) answers_each_line(commands[i], "the [MASK] sat");
    answers_each_line("next-sentence", "the cat ||| my dog");
    answers_each_line("next-sentence --format json", "the cat ||| my dog");
    formula_remove(tiny);
}

/* Forty lines of 2 to 32 tokens into DIRECTORY/lines, with empty ones and pairs among them: 616 tokens, so that they
 * fill several batches and the last one only in part. */
static void write_lines(const char *directory)
{
    run("cd %s && for i in 1 2 3 4 5 6 7 8; do echo the cat sat; echo; "
        "echo \"on the ||| bank $(seq -s ' ' $((21 + i %% 4)))\"; "
        "seq -s ' ' $((i * 2)); seq -s ' ' $((31 - i)); done > lines; wc -l < lines", directory);
    check_text("lines", output, "40\n");
}

/* The same command on the whole file, on a pipe, and on each line by itself: the same bytes behind `filter`, which
 * takes away what answers have once and not per line. */
static void same_bytes(const char *directory, const char *command, const char *filter)
{
    int code = run("cd %s && bert=$OLDPWD/bert; $bert %s -m . -f lines | %s > file; "
                   "cat lines | $bert %s -m . | %s > pipe; "
                   "while IFS= read -r line; do echo \"$line\" | $bert %s -m . | %s; done < lines > single; "
                   "cmp file pipe && cmp file single && test -s file; s=$?; rm file pipe single; exit $s",
                   directory, command, filter, command, filter, command, filter);
    check(code == 0, "%s: a file, a pipe and single lines give the same bytes: %s", command, output);
}

/* tail leaves npy's header out: 128 bytes. */
static void lines_of_a_batch_get_the_bytes_of_single_ones(void)
{
    if (too_slow()) return;
    static const char *const poolings[] = {"mean", "cls", "max", "pooler", "none"};
    char command[128];
    if (!tiny_model()) return;
    write_lines(tiny);
    for (size_t i = 0; i < 5; i++) {
        snprintf(command, sizeof command, "embed --pooling %s", poolings[i]);
        same_bytes(tiny, command, "cat");
        snprintf(command, sizeof command, "embed --pooling %s --format json", poolings[i]);
        same_bytes(tiny, command, "cat");
        if (i == 4) continue;                                           /* npy with none takes one input only */
        snprintf(command, sizeof command, "embed --pooling %s --format npy", poolings[i]);
        same_bytes(tiny, command, "tail -c +129");
    }
    same_bytes(tiny, "embed --pairs", "cat");
    same_bytes(tiny, "embed --layers -1 --pad --max-length 32", "cat");
    same_bytes(tiny, "embed --layers 0,2 --truncate --max-length 7 --format json", "cat");
    run("cd %s && $OLDPWD/bert rank cat -m . -f lines | sort > whole; "
        "while IFS= read -r line; do $OLDPWD/bert rank cat -m . -- \"$line\"; done < lines | sort | cmp - whole && "
        "wc -l < whole", tiny);
    check_text("rank", output, "40\n");
    run("cd %s && rm lines whole; "
        "for text in 'a b' c 'the cat'; do echo \"$text\" | $OLDPWD/bert embed -m .; done > single; "
        "$OLDPWD/bert embed -m . 'a b' c 'the cat' | cmp - single && wc -l < single; rm single", tiny);
    check_text("TEXTs", output, "3\n");
    formula_remove(tiny);
}

/* With one of --layers the blocks share their memory, and those above it do not run; with several each keeps its hidden
 * state: they are the same in both cases. And --by-layer finds all of them, which the tiny model's two blocks make
 * different, with --layers -1, too. */
static void a_hidden_state_is_the_same_when_no_other_is_kept(void)
{
    if (!tiny_model()) return;
    int code = run("cd %s && "
                   "for l in -3 -2 -1 -3,-2,-1; do "
                   "$OLDPWD/bert embed -m . --layers $l 'the cat' 'on a bank' > got$l; done; "
                   "paste -d ' ' got-3 got-2 got-1 | cmp - got-3,-2,-1 && "
                   "! cmp -s got-3 got-2 && ! cmp -s got-2 got-1; s=$?; rm got*; exit $s", tiny);
    check(code == 0, "--layers -3,-2,-1 is all one after the other: %s", output);
    run("./bert similarity -m %s --layers -1 --by-layer 'the cat' 'on a bank' | sed '1,/hidden state/d' | "
        "sort -u -k2 | wc -l", tiny);
    check_text("three different rows", output, "3\n");
    formula_remove(tiny);
}

/* Thirty rows of ten ids, in one file and in thirty. */
static void rows_of_a_batch_get_the_bytes_of_single_ones(void)
{
    int64_t ids[30][10];
    char path[512];
    bool ok = true;
    Error e = {0};
    if (!tiny_model()) return;
    for (int i = 0; i < 300; i++) ids[i / 10][i % 10] = 2 + i * 7 % 90;
    for (int row = -1; row < 30; row++) {                               /* -1: all of them */
        SafeTensor t = {.name = "input_ids", .dtype = DTYPE_I64, .rank = 2, .shape = {row < 0 ? 30 : 1, 10},
                        .count = row < 0 ? 300 : 10, .data = row < 0 ? ids[0] : ids[row]};
        snprintf(path, sizeof path, "%s/row%d", tiny, row);
        ok = ok && safetensors_write(path, &t, 1, NULL, 0, &e) == BERT_OK;
    }
    check(ok, "the rows are written: %s", e.message);
    run("cd %s && i=0; while [ $i -lt 30 ]; do $OLDPWD/bert embed -m . --inputs row$i; i=$((i+1)); done > single; "
        "$OLDPWD/bert embed -m . --inputs row-1 | cmp - single && wc -l < single; rm row* single", tiny);
    check_text("rows", output, "30\n");
    formula_remove(tiny);
}

/* The 36th line is bad in one of two ways. It runs with nobody, and those before it are answered as if it were not. */
static void lines_before_a_bad_one_are_answered_first(void)
{
    static const char *const bad[] = {"printf 'b\\300\\n'", "seq -s ' ' 1 60"};
    static const char *const says[] = {": line 36, byte 2: 0xC0", ": line 36: "};
    if (!tiny_model()) return;
    write_lines(tiny);
    run("cd %s && head -35 lines | $OLDPWD/bert embed -m . > expected", tiny);
    for (int i = 0; i < 4; i++) {                                       /* from a file, then through a pipe */
        run("cd %s && { head -35 lines; %s; tail -5 lines; } > all; %s $OLDPWD/bert embed -m . %s 2> said > answers; "
            "echo $?; cmp answers expected && wc -l < said; cat said", tiny, bad[i % 2], i < 2 ? "" : "cat all |",
            i < 2 ? "-f all" : "");
        check(!strncmp(output, "4\n1\n", 4), "exit code 4, 35 answers, one line of message: %s", output);
        check(strstr(output, says[i % 2]) != NULL, "%s in the message: %s", says[i % 2], output);
    }
    run("cd %s && echo old > answers; $OLDPWD/bert embed -m . -f all -o answers 2>/dev/null; echo $?; cat answers; "
        "rm lines all said answers expected", tiny);
    check_text("with -o all or nothing", output, "4\nold\n");
    formula_remove(tiny);
}

/* A program at both ends of embed: it writes a line and waits for the answer before it writes the next; then two lines
 * at once; then a line and a half, whose first line is answered while the other half is still to come. */
static void embed_answers_before_it_waits_for_more(void)
{
    if (!tiny_model()) return;
    run("cd %s && mkfifo lines; : > answers; $OLDPWD/bert embed -m . < lines > answers & exec 9> lines; "
        "answered() { i=0; while [ $(wc -l < answers) -lt $1 ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; "
        "wc -l < answers; }; "
        "echo the >&9; answered 1; echo cat >&9; answered 2; printf 'a\\nb\\n' >&9; answered 4; "
        "printf 'c\\nba' >&9; answered 5; printf 'nk' >&9; exec 9>&-; wait; wc -l < answers; "
        "$OLDPWD/bert embed -m . the cat a b c bank | cmp - answers && echo same; rm lines answers", tiny);
    check_text("after each line", output, "1\n2\n4\n5\n6\nsame\n");
    formula_remove(tiny);
}

/* Every common option that changes the ids, once. */
static void pairs_segments_and_special_tokens(void)
{
    if (!tiny_model()) return;
    run("./bert tokenize -m %s --format json --pairs 'the cat ||| sat ||| on'", tiny);
    check(strstr(output, "\"type_ids\": [0, 0, 0, 0, 1") != NULL, "B follows the first |||: %s", output);
    run("./bert tokenize -m %s --format json --segments 1 'the cat'", tiny);
    check(strstr(output, "\"type_ids\": [1, 1, 1, 1]") != NULL, "--segments 1: %s", output);
    prints("[CLS] the [MASK] [SEP]\n", with_tiny("./bert tokenize -m %s --format pieces 'the [MASK]'", tiny));
    run("./bert tokenize -m %s --format pieces --no-special 'the [MASK]'", tiny);
    check(!strstr(output, "[MASK]"), "--no-special makes it plain text: %s", output);
    prints("the cat\n", with_tiny("./bert tokenize -m %s --format pieces --no-add-special 'the cat'", tiny));
    prints("2 61 62 3 0 0\n", with_tiny("./bert tokenize -m %s --format ids --max-length 6 --pad 'the cat'", tiny));
    prints("2 61 3\n", with_tiny("./bert tokenize -m %s --format ids --max-length 3 --truncate 'the cat'", tiny));
    formula_remove(tiny);
}

/* What a trace writes, --inputs reads: the way of a foreign tokenizer into this program. */
static void ids_from_a_file_give_the_same_bits_as_text(void)
{
    static char text[sizeof output];
    if (!tiny_model()) return;
    check(run("./bert trace -m %s -o %s/ids.tmp-x 'the cat sat'", tiny, tiny) == 0 && !*output,
          "trace -o prints no table");
    run("./bert embed -m %s 'the cat sat'", tiny);
    strcpy(text, output);
    check(run("./bert embed -m %s --inputs %s/ids.tmp-x", tiny, tiny) == 0, "--inputs reads the ids of a trace");
    check_text("vectors from ids", output, text);
    run("LC_ALL=C sed 's/\\x02\\(\\x00\\{7\\}\\)/\\xff\\1/' %s/ids.tmp-x > %s/bad", tiny, tiny);
    check(run("./bert embed -m %s --inputs %s/bad 2>&1", tiny, tiny) == 4, "an id beyond the vocabulary");
    check(strstr(output, "token 0: input_ids has 255, expected 0 to 100") != NULL, "which id, what is expected: %s",
          output);
    run("rm -f %s/ids.tmp-x %s/bad", tiny, tiny);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * Bad models, bad texts, bad disks
 * ================================================================================================================== */

/* Copies the tiny weights without the tensors of the heads, cls.* and pooler.*, or without the pooler's only. */
static bool behead(const char *directory, bool all)
{
    char path[512];
    Error e = {0};
    Safetensors st;
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    if (safetensors_open(&st, path, &e) != BERT_OK) return check(false, "%s", e.message);
    SafeTensor *kept = calloc(st.count, sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; kept && i < st.count; i++)
        if ((!all || strncmp(st.tensors[i].name, "cls.", 4)) && !strstr(st.tensors[i].name, "pooler."))
            kept[n++] = st.tensors[i];
    bool ok = kept && safetensors_write(path, kept, n, NULL, 0, &e) == BERT_OK;
    free(kept);
    safetensors_close(&st);
    return check(ok, "weights without heads are written: %s", e.message);
}

/* A model that is missing, of another type, of another shape, impossible, cut short, or without weights: each is one
 * sentence that names what is wrong. */
static void bad_models_exit_3_with_one_line(void)
{
    if (!tiny_model()) return;
    fails(3, "/nonexistent: no such model directory; expected one with config.json", "./bert embed -m /nonexistent x");
    fails(3, "vocab.txt", "./bert tokenize -m /nonexistent x");
    run("cp %s/config.json %s/keep", tiny, tiny);
    run("sed 's/\"bert\"/\"roberta\"/' %s/keep > %s/config.json", tiny, tiny);
    fails(3, "roberta", with_tiny("./bert embed -m %s x", tiny));
    run("sed 's/: 56/: 57/' %s/keep > %s/config.json", tiny, tiny);
    fails(3, "shape", with_tiny("./bert embed -m %s x", tiny));
    run("sed 's/: 24/: 25/' %s/keep > %s/config.json", tiny, tiny);
    fails(3, "hidden_size", with_tiny("./bert embed -m %s x", tiny));
    run("{ printf '\\357\\273\\277'; cat %s/keep; } > %s/config.json", tiny, tiny);
    fails(3, "byte order mark", with_tiny("./bert embed -m %s x", tiny));
    run("mv %s/vocab.txt %s/words; { printf '\\357\\273\\277'; cat %s/words; } > %s/vocab.txt", tiny, tiny, tiny, tiny);
    fails(3, "vocab.txt: byte 1: begins with a byte order mark", with_tiny("./bert tokenize -m %s x", tiny));
    run("mv %s/words %s/vocab.txt", tiny, tiny);
    run("mv %s/keep %s/config.json; head -c 5000 %s/model.safetensors > %s/cut; mv %s/cut %s/model.safetensors",
        tiny, tiny, tiny, tiny, tiny, tiny);
    fails(3, "model.safetensors", with_tiny("./bert embed -m %s x", tiny));
    run("rm %s/model.safetensors", tiny);
    fails(3, "make weights", with_tiny("./bert embed -m %s x", tiny));
    fails(3, "make weights", with_tiny("cd %s && env -u BERT_MODEL \"$OLDPWD/bert\" rank x -f /dev/null -m .", tiny));
    formula_remove(tiny);
}

/* Where nothing was fetched, weights/pocket answers, here or beside the program, and says so once; where there is none,
 * the message says what to do. With a model given, or with bert-base-uncased, it is not looked for. */
static void the_pocket_model_answers_where_nothing_was_fetched(void)
{
    static const char begin[] = "cd %s && env -u BERT_MODEL ./program";
    char command[300];
    if (!tiny_model()) return;
    run("mkdir -p %s/weights/pocket %s/elsewhere && cp bert %s/program", tiny, tiny, tiny);
    snprintf(command, sizeof command, "%s embed a", begin);
    fails(3, "make weights", with_tiny(command, tiny));
    run("cp %s/config.json %s/vocab.txt %s/model.safetensors %s/weights/pocket", tiny, tiny, tiny, tiny);
    notes("weights/pocket answers, a small model; `make weights` fetches", with_tiny(command, tiny));
    snprintf(command, sizeof command, "%s tokenize a", begin);
    notes("weights/pocket answers", with_tiny(command, tiny));
    notes("weights/pocket answers", with_tiny("cd %s/elsewhere && env -u BERT_MODEL ../program embed a", tiny));
    snprintf(command, sizeof command, "%s embed -m . a", begin);
    notes_nothing(with_tiny(command, tiny));
    run("mv %s/weights/pocket %s/weights/bert-base-uncased", tiny, tiny);
    notes_nothing(with_tiny("cd %s && env -u BERT_MODEL ./program embed a", tiny));
    run("rm -r %s/weights %s/elsewhere %s/program", tiny, tiny, tiny);
    formula_remove(tiny);
}

/* Names come from files and from the command line: none of them may act upon the terminal. Octal 33 is ESC, 302 233
 * is the control character U+009B, which does the same. */
static void control_characters_in_names_are_shown_not_sent(void)
{
    if (!tiny_model()) return;
    run("mkdir \"%s/$(printf 'x\\033[2J')\"", tiny);
    run("cp %s/config.json %s/x*/; cp %s/vocab.txt %s/keep; sed 's/^a$/\x1b[2J/;s/^b$/\xc2\x9b/' %s/keep > "
        "%s/vocab.txt", tiny, tiny, tiny, tiny, tiny, tiny);
    run("./bert info -m %s/x* 2>&1", tiny);
    check(strstr(output, "/x\\x1b[2J\n") && !strchr(output, 033), "a directory's name: %s", output);
    run("./bert tokenize -v -m %s/x* 2>&1 a", tiny);
    check(!strchr(output, 033), "and in a message: %s", output);
    prints("9\t\\x1b[2J\n10\t\\xc2\\x9b\n", with_tiny("./bert vocab -m %s 9:11", tiny));
    run("./bert similarity -m %s --format json \"$(printf 'c\\177\\302\\233d')\"", tiny);
    check(strstr(output, "[\"1  c  d\"]") != NULL, "a label: %s", output);
    run("rm -r %s/x*; mv %s/keep %s/vocab.txt", tiny, tiny, tiny);
    formula_remove(tiny);
}

/* The tiny model has 32 positions: 31 words, [CLS] and [SEP] are one token too many. */
static void bad_texts_exit_4_with_one_line(void)
{
    if (!tiny_model()) return;
    fails(4, "byte 2", with_tiny("./bert embed -m %s \"$(printf 'a\\300')\"", tiny));
    fails(4, "text 1, byte 2: 0xC0", with_tiny("./bert vocab -m %s \"$(printf 'q\\300')\"", tiny));
    fails(4, "33", with_tiny("./bert embed -m %s 'a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a'",
                             tiny));
    fails(4, "[MASK]", with_tiny("./bert fill-mask -m %s 'the cat'", tiny));
    fails(4, "none of the inputs", with_tiny("./bert similarity -m %s --word bank 'the cat'", tiny));
    fails(3, "bert-base-uncased", with_tiny("./bert demo -m %s", tiny));
    fails(4, "QUERY: byte 2", with_tiny("./bert rank -m %s \"$(printf 'a\300')\" a", tiny));
    fails(4, "--word: byte 2", with_tiny("./bert similarity -m %s --word \"$(printf 'a\300')\" a", tiny));
    fails(4, "--targets: byte 2", with_tiny("./bert fill-mask -m %s --targets \"$(printf 'a\300')\" '[MASK]'", tiny));
    fails(2, "--by-layer", with_tiny("./bert similarity -m %s --pooling pooler --by-layer a the", tiny));
    fails(3, "cannot be opened", with_tiny("./bert embed -m %s -f /nonexistent", tiny));
    check(run("./bert embed -m %s --truncate 'a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a'",
              tiny) == 0,
          "--truncate makes it fit");
    formula_remove(tiny);
}

/* An encoder alone embeds, and refuses what needs a head; it never makes one up. */
static void missing_heads_exit_5_with_one_line(void)
{
    if (!tiny_model() || !behead(tiny, false)) return;
    fails(5, "but no pooler", with_tiny("./bert next-sentence -m %s the cat", tiny));
    if (!behead(tiny, true)) return;
    fails(5, "masked-language-model", with_tiny("./bert fill-mask -m %s '[MASK]'", tiny));
    fails(5, "next-sentence", with_tiny("./bert next-sentence -m %s the cat", tiny));
    fails(5, "pooler", with_tiny("./bert embed -m %s --pooling pooler the", tiny));
    check(run("./bert trace -m %s the | grep -c -e pooler -e cls", tiny) == 1, "a trace leaves them out: %s", output);
    formula_remove(tiny);
}

/* A NaN has a sign, and some machines show it. All weights become NaN here: every bit is 1. */
static void a_nan_is_printed_without_its_sign(void)
{
    if (!tiny_model()) return;
    run("size=$(wc -c < %s/model.safetensors); head -c $((size/2)) /dev/zero | tr '\\000' '\\377' | "
        "dd of=%s/model.safetensors bs=64k conv=notrunc oflag=seek_bytes seek=$((size-size/2)) 2>/dev/null",
        tiny, tiny);
    run("./bert embed -m %s the; ./bert similarity -m %s the cat; ./bert rank -m %s the cat; "
        "./bert fill-mask -m %s '[MASK]'; ./bert next-sentence -m %s the cat", tiny, tiny, tiny, tiny, tiny);
    check(strstr(output, "nan") && !strstr(output, "-nan"), "nan, and not -nan: %s", output);
    formula_remove(tiny);
}

/* An answer that did not arrive is a failure, whatever was computed. */
static void a_full_disk_or_closed_stdout_exits_6(void)
{
    if (access("/dev/full", W_OK) != 0) {
        skip("/dev/full is missing");
        return;
    }
    if (!tiny_model()) return;
    check(run("./bert tokenize -m %s the > /dev/full 2>/dev/null", tiny) == 6, "a full disk");
    check(run("./bert embed -m %s --format npy the > /dev/full 2>/dev/null", tiny) == 6, "a full disk, npy");
    check(run("./bert --help > /dev/full 2>/dev/null") == 6, "a full disk, --help");
    check(run("./bert tokenize -m %s the >&- 2>/dev/null", tiny) == 6, "stdout closed");
    check(run("./bert tokenize -m %s the <&- >/dev/null 2>&-", tiny) == 0, "stdin and stderr closed do not matter");
    formula_remove(tiny);
}

/* Whole or not at all: -o writes beside the file and renames at the end. */
static void a_failed_run_leaves_the_old_output_file(void)
{
    if (!tiny_model()) return;
    run("echo old > %s/answer", tiny);
    check(run("printf 'a\\n\\300\\n' | ./bert tokenize -m %s -o %s/answer 2>/dev/null", tiny, tiny) == 4,
          "the run fails");
    run("cat %s/answer; ls %s | wc -l", tiny, tiny);
    check(!strncmp(output, "old\n4", 5), "the old file stands and no other file is left: %s", output);
    check(run("printf 'a\\n' | ./bert tokenize -m %s -o %s/answer --format ids", tiny, tiny) == 0 && !*output,
          "a run succeeds");
    run("cat %s/answer; rm %s/answer", tiny, tiny);
    check_text("the new file", output, "2 9 3\n");
    run("touch %s/p; chmod 600 %s/p; ./bert tokenize -m %s -o %s/p a; ls -l %s/p | cut -c1-10; rm %s/p", tiny, tiny,
        tiny, tiny, tiny, tiny);
    check_text("a private file stays private", output, "-rw-------\n");
    run("b=$PWD/bert; cd %s && $b tokenize -m . -o - --format ids a; ls | wc -l", tiny);
    check_text("-o - is standard output", output, "2 9 3\n3\n");
    formula_remove(tiny);
}

/* =====================================================================================================================
 * Answers
 * ================================================================================================================== */

/* The last output is an npy file of that shape. */
static void check_npy(const char *shape, size_t numbers)
{
    size_t header = 10 + (unsigned char)output[8] + 256 * (size_t)(unsigned char)output[9];
    check(!memcmp(output, "\x93NUMPY\x01", 8), "it begins with NumPy's magic and version 1.0");
    check(header % 64 == 0 && output[header - 1] == '\n', "header of %zu bytes, a multiple of 64", header);
    check(strstr(output + 10, "'descr': '<f4', 'fortran_order': False") != NULL, "float32: %.80s", output + 10);
    check(strstr(output + 10, shape) != NULL, "shape %s: %.100s", shape, output + 10);
    check(output_length == header + 4 * numbers, "%zu bytes, expected %zu", output_length, header + 4 * numbers);
}

/* The five shapes that the contract names, bit by bit up to the number of bytes. */
static void npy_holds_what_the_contract_says(void)
{
    if (!tiny_model()) return;
    run("./bert embed -m %s --format npy the 'the cat' sat | cat", tiny);
    check_npy("'shape': (3, 24), ", 3 * 24);
    run("./bert embed -m %s --format npy --layers -1,-2 --pooling none 'the cat' | cat", tiny);
    check_npy("'shape': (4, 48), ", 4 * 48);
    run("./bert attention -m %s --format npy 'the cat' | cat", tiny);
    check_npy("'shape': (2, 3, 4, 4), ", 2 * 3 * 16);
    run("./bert attention -m %s --format npy --head 1 'the cat' | cat", tiny);
    check_npy("'shape': (2, 4, 4), ", 2 * 16);
    run("./bert attention -m %s --format npy --layer 1 --head 1 'the cat' | cat", tiny);
    check_npy("'shape': (4, 4), ", 16);
    formula_remove(tiny);
}

/* A whole array before an error would be taken for the answer. */
static void npy_is_all_or_nothing(void)
{
    if (!tiny_model()) return;
    fails(4, "line 2", with_tiny("printf 'a\\n\\300\\n' | ./bert attention -m %s --format npy", tiny));
    fails(2, "one input", with_tiny("./bert attention -m %s --format npy a the", tiny));
    fails(4, "no input", with_tiny("./bert attention -m %s --format npy < /dev/null", tiny));
    fails(4, "line 2", with_tiny("printf 'a\\n\\300\\n' | ./bert embed -m %s --format npy", tiny));
    fails(2, "one input", with_tiny("./bert embed -m %s --format npy --pooling none a the", tiny));
    formula_remove(tiny);
}

/* Puts a text into 1_Pooling/config.json of the tiny model. */
static void put_pooling(const char *json)
{
    run("mkdir -p %s/1_Pooling; printf '%%s' '%s' > %s/1_Pooling/config.json", tiny, json, tiny);
}

/* A pooling that nobody can have meant is refused: the mean instead would give vectors that look right. */
static void a_sentence_transformers_directory_brings_its_recipe(void)
{
    static const char *const wrong[] = {"{}", "{\"pooling_mode_mean_tokens\": \"true\"}",
        "{\"pooling_mode_mean_tokens\": 1}", "{\"pooling_mode_mean_tokens\": false}",
        "{\"pooling_mode_mean_tokens\": true} x", "{\"pooling_mode\": \"median\"}",
        "{\"pooling_mode\": []}", "{\"pooling_mode_median_tokens\": true}", "{\"mode\": \"mean\"}"};
    static char expected[sizeof output];
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put_pooling(wrong[i]);
        fails(3, "1_Pooling/config.json", with_tiny("./bert embed -m %s the", tiny));
        check(run("./bert embed -m %s --pooling max the", tiny) == 0, "--pooling overrides %s", wrong[i]);
    }
    run("./bert embed -m %s --layers -1 --pooling cls 'the cat'", tiny);
    strcpy(expected, output);
    put_pooling("{\"pooling_mode\": \"cls\"}");
    prints(expected, with_tiny("./bert embed -m %s 'the cat'", tiny));
    put_pooling("{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}");
    prints(expected, with_tiny("./bert embed -m %s 'the cat'", tiny));
    run("./bert embed -m %s --layers -1 --pooling max --normalize 'the cat'", tiny);
    strcpy(expected, output);
    run("printf '[{\"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}, "
        "{\"name\": \"1\", "
        "\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}, {\"name\": \"2\", \"path\": "
        "\"2_Normalize\", \"type\": \"sentence_transformers.models.Normalize\"}]' > %s/modules.json", tiny);
    prints(expected, with_tiny("./bert embed -m %s --pooling max 'the cat'", tiny));
    run("rm %s/modules.json; mkdir %s/2_Normalize", tiny, tiny);
    prints(expected, with_tiny("./bert embed -m %s --pooling max 'the cat'", tiny));
    run("rm -r %s/1_Pooling %s/2_Normalize", tiny, tiny);
    formula_remove(tiny);
}

/* Names, shapes and types of a trace of 4 tokens, as the contract lists them. */
static void a_trace_file_names_every_intermediate(void)
{
    static const struct { const char *name; int rank; size_t shape[3]; } expected[] = {
        {"input_ids", 1, {4}}, {"token_type_ids", 1, {4}}, {"attention_mask", 1, {4}},
        {"embeddings.word_embeddings", 2, {4, 24}}, {"embeddings.token_type_embeddings", 2, {4, 24}},
        {"embeddings.position_embeddings", 2, {4, 24}}, {"embeddings.LayerNorm", 2, {4, 24}},
        {"encoder.layer.0.attention.self.query", 2, {4, 24}}, {"encoder.layer.0.attention.self.key", 2, {4, 24}},
        {"encoder.layer.0.attention.self.value", 2, {4, 24}}, {"encoder.layer.0.attention.self.scores", 3, {3, 4, 4}},
        {"encoder.layer.0.attention.self.probs", 3, {3, 4, 4}}, {"encoder.layer.0.attention.self.context", 2, {4, 24}},
        {"encoder.layer.0.attention.output.dense", 2, {4, 24}}, {"encoder.layer.0.attention.output.LayerNorm", 2, {4,
                                                                                                                   24}},
        {"encoder.layer.0.intermediate.dense", 2, {4, 56}}, {"encoder.layer.0.intermediate", 2, {4, 56}},
        {"encoder.layer.0.output.dense", 2, {4, 24}}, {"encoder.layer.1.output.LayerNorm", 2, {4, 24}},
        {"pooler.dense", 1, {24}}, {"pooler", 1, {24}}, {"cls.predictions.transform.dense", 2, {4, 24}},
        {"cls.predictions.transform.transform_act_fn", 2, {4, 24}}, {"cls.predictions.transform.LayerNorm", 2, {4, 24}},
        {"cls.predictions.decoder", 2, {4, 101}}, {"cls.seq_relationship", 1, {2}}};
    char path[512];
    Error e = {0};
    Safetensors st;
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s 'the cat'", tiny, path);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "the file opens: %s", e.message)) return;
    check(st.count == 3 + 4 + 2 * 12 + 7, "%zu tensors", st.count);
    check(st.metadata && strstr(st.metadata, "\"the cat\"") && strstr(st.metadata, BERT_VERSION),
          "text and version in metadata");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const SafeTensor *t = safetensors_find(&st, expected[i].name);
        if (!check(t != NULL, "there is %s", expected[i].name)) continue;
        check(t->rank == expected[i].rank && !memcmp(t->shape, expected[i].shape, (size_t)t->rank * sizeof(size_t)),
              "%s has its shape", t->name);
        check(t->dtype == (i < 3 ? DTYPE_I64 : DTYPE_F32), "%s is %s", t->name, dtype_name(t->dtype));
    }
    safetensors_close(&st);
    remove(path);
    formula_remove(tiny);
}

/* However the directory is spelled; and a file that cannot be written is known before anything is read. */
static void a_trace_names_its_model_and_opens_its_file_first(void)
{
    if (!tiny_model()) return;
    const char *base = strrchr(tiny, '/') + 1;
    char expected[300];
    snprintf(expected, sizeof expected, "\"model\":\"%s\"", base);
    run("./bert trace -m %s// -o %s/a the && head -c 600 %s/a | tr -d '\\000'", tiny, tiny, tiny);
    check(strstr(output, expected) != NULL, "-m DIR//: %.200s", output);
    run("b=$PWD/bert; cd %s && $b trace -m . -o a the && head -c 600 a | tr -d '\\000'; rm a", tiny);
    check(strstr(output, expected) != NULL, "-m .: %.200s", output);
    fails(6, "nowhere/x", with_tiny("printf '\\300' | ./bert trace -m %s -o nowhere/x", tiny));
    check(run("printf '\\300' | ./bert trace -m %s -o %s/a 2>/dev/null", tiny, tiny) == 4, "a bad text");
    run("ls %s | wc -l", tiny);
    check_text("and no file is left", output, "3\n");
    formula_remove(tiny);
}

/* In the tiny vocabulary banker is `bank ##er`: it holds the piece bank, but not the word. */
static void similarity_looks_for_the_word_not_for_parts_of_longer_words(void)
{
    if (!tiny_model()) return;
    run("./bert similarity -m %s --word bank 'the river bank' 'the banker' 'bank'", tiny);
    check(lines(output) == 3 && strstr(output, "1:3 ") && strstr(output, "3:1 ") && strstr(output, "[bank]"),
          "two occurrences, labelled: %s", output);
    run("./bert similarity -m %s --word banker 'the bank' 'the banker went'", tiny);
    check(lines(output) == 2 && strstr(output, "[bank ##er] went"), "a word of two pieces: %s", output);
    run("./bert similarity -m %s --by-layer 'the cat' 'the cat' | tail -3", tiny);
    check(!strncmp(output, "           0  1.000000\n", 23), "hidden states 0 to L: %s", output);
    formula_remove(tiny);
}

/* With weights from a formula the answers mean nothing, but their form and their sums are right. */
static void rank_fill_mask_and_next_sentence_answer(void)
{
    if (!tiny_model()) return;
    run("printf 'dog\\nthe cat\\nmat\\n' | ./bert rank -m %s 'the cat' --top-k 2", tiny);
    check(lines(output) == 2 && strstr(output, "\tthe cat\n") == strchr(output, '\t'),
          "the same text comes first: %s", output);
    run("./bert fill-mask -m %s --targets cat,dog 'the [MASK] sat [MASK]'", tiny);
    check(lines(output) == 5 && strstr(output, "\n\n"), "two masks, two targets each: %s", output);
    run("./bert fill-mask -m %s --top-k 1 --format json 'the [MASK]'", tiny);
    check(!strncmp(output, "{\"input\": 0, \"position\": 2, \"predictions\": [{\"score\": ", 52), "json: %s", output);
    run("./bert fill-mask -m %s --top-k 1000 'the [MASK]' | awk '{s += $1} END {print NR, (s > 0.99999 && s < "
        "1.00001)}'", tiny);
    check_text("the whole vocabulary, adding up to 1", output, "101 1\n");
    run("./bert next-sentence -m %s --format json the cat", tiny);
    check(strstr(output, "\"is_next\": ") && strstr(output, "\"head\": \"checkpoint\""), "json: %s", output);
    check(run("echo alone | ./bert next-sentence -m %s 2>/dev/null", tiny) == 4, "a line without ||| is rejected");
    fails(2, "one piece", with_tiny("./bert fill-mask -m %s --targets banker '[MASK]'", tiny));
    formula_remove(tiny);
}

/* One NaN in the embedding of `dog`: the other lines keep their order, and those with a dog come last. */
static void scores_that_are_no_numbers_come_last(void)
{
    char path[512];
    Error e = {0};
    Safetensors st;
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/model.safetensors", tiny);
    int dog = run("./bert vocab -m %s dog", tiny) == 0 ? atoi(output) : 0;
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    const SafeTensor *words = spec_find(&tensor_table[0], 0, &st);
    size_t row = 24 * dtype_size(words->dtype);
    size_t at = (size_t)((const unsigned char *)words->data - st.file.data) + (size_t)dog * row;
    safetensors_close(&st);
    run("printf '\\000\\000\\300\\177' | dd of=%s bs=1 seek=%zu conv=notrunc 2>/dev/null", path, at);
    run("printf 'mat\\ndog\\nthe cat\\nthe dog\\nsat\\n' | ./bert rank -m %s 'the cat' | cut -f2", tiny);
    check(!strncmp(output, "the cat\n", 8) && strstr(output, "\ndog\nthe dog\n") == output + strlen(output) - 13,
          "the cat first, dogs last: %s", output);
    formula_remove(tiny);
}

/* The tiny configuration is edited into BERT-Base's: 109,482,240 without a single weight. */
static void info_counts_parameters_from_a_configuration_alone(void)
{
    if (!tiny_model()) return;
    run("./bert info -m %s", tiny);
    check(strstr(output, "2L/24H/3A") && strstr(output, "next sentence: yes") && strstr(output, "0 missing"),
          "tiny: %s", output);
    run("rm %s/model.safetensors; sed -e 's/: 24,/: 768,/' -e 's/: 3,/: 12,/' -e 's/: 101/: 30522/' -e 's/_layers\": "
        "2/_layers\": 12/'"
        " -e 's/: 56/: 3072/' -e 's/: 32/: 512/' -e 's/_size\": 12,/_size\": 2,/' %s/config.json > %s/x; mv %s/x "
        "%s/config.json",
        tiny, tiny, tiny, tiny, tiny);
    check(run("./bert info -m %s", tiny) == 0, "a configuration is enough");
    check(strstr(output, "12L/768H/12A") && strstr(output, "109,482,240") && strstr(output, "110,106,428"),
          "base: %s", output);
    formula_remove(tiny);
}

/* A configuration of 200 bytes must cost neither minutes nor a wrong number. */
static void info_stands_absurd_configurations(void)
{
    if (!tiny_model()) return;
    run("cp %s/config.json %s/keep; sed 's/_layers\": 2/_layers\": 16777216/' %s/keep > %s/config.json", tiny, tiny,
        tiny, tiny);
    fails(3, "expected 1 to 1024", with_tiny("./bert info -m %s", tiny));
    fails(3, "expected 1 to 1024", with_tiny("./bert embed -m %s the", tiny));
    run("sed 's/_layers\": 2/_layers\": 1000/' %s/keep > %s/config.json", tiny, tiny);
    check(run("./bert info -m %s 2>/dev/null", tiny) == 3, "15,968 tensors are missing");
    check(lines(output) < 40 && strstr(output, "missing     ... and 15948 more\n"), "some are listed: %s", output);
    run("sed -e 's/heads\": [0-9]*/heads\": 1/' -e 's/_layers\": 2/_layers\": 1024/' -e 's/_size\": [0-9]*/_size\": "
        "16777216/' -e 's/_embeddings\": [0-9]*/_embeddings\": 16777216/' %s/keep > %s/config.json", tiny, tiny);
    check(run("./bert info -m %s/config.json", tiny) == 0, "as large as it may be");
    check(strstr(output, "1,730,508,328,666,136,576 (encoder and pooler)") != NULL, "no overflow: %s",
          output);
    run("rm %s/keep", tiny);
    formula_remove(tiny);
}

/* What info says of a directory, the other commands must agree with. */
static void info_is_as_strict_as_loading(void)
{
    char twin[512];
    Error e = {0};
    Safetensors st;
    if (!tiny_model()) return;
    run("cp %s/model.safetensors %s/two.safetensors; mv %s/model.safetensors %s/one.safetensors", tiny, tiny, tiny,
        tiny);
    check(run("./bert info -m %s 2>/dev/null", tiny) == 3, "two files");
    check(run("./bert info -m %s/one.safetensors 2>/dev/null", tiny) == 0 && strstr(output, "/one.safetensors: "),
          "named");
    check(run("./bert fill-mask -v -m %s/two.safetensors 'the [MASK]' 2>&1", tiny) == 0 &&
          strstr(output, "/two.safetensors\n"), "named: %s", output);
    run("mv %s/two.safetensors %s/model.safetensors; rm %s/one.safetensors", tiny, tiny, tiny);
    snprintf(twin, sizeof twin, "%s/model.safetensors", tiny);
    if (!check(safetensors_open(&st, twin, &e) == BERT_OK, "%s", e.message)) return;
    SafeTensor *t = malloc((st.count + 1) * sizeof *t);
    for (size_t i = 0; t && i < st.count; i++) {
        t[i] = t[st.count] = st.tensors[i];
        if (!strcmp(t[i].name, "bert.pooler.dense.bias") || !strcmp(t[i].name, "pooler.dense.bias")) twin[0] = (char)i;
    }
    if (t) t[st.count] = t[(size_t)twin[0]], t[st.count].name = strncmp(t[st.count].name, "bert.", 5)
                         ? "bert.pooler.dense.bias" : "pooler.dense.bias";
    snprintf(twin, sizeof twin, "%s/new", tiny);
    check(t && safetensors_write(twin, t, st.count + 1, NULL, 0, &e) == BERT_OK, "a file with both names");
    safetensors_close(&st);
    free(t);
    run("mv %s %s/model.safetensors; ./bert info -m %s | grep unexpected", twin, tiny, tiny);
    check(!strncmp(output, "unexpected  pooler.dense.bias (not used)\n", 41), "bert.X is in use: %s", output);
    formula_remove(tiny);
}

/* Keys and nesting of bertviz, and the heading of the heat map. */
static void bertviz_json_has_its_three_keys(void)
{
    if (!tiny_model()) return;
    run("./bert attention -m %s --format json 'the cat'", tiny);
    check(!strncmp(output, "{\"attn\": [[[[", 13) && strstr(output, "\"left_text\": [\"[CLS]\", \"the\", \"cat\", "
                                                                    "\"[SEP]\"]") &&
          strstr(output, "\"right_text\": ["), "bertviz: %.60s", output);
    run("./bert attention -m %s --layer 1 --head 2 'the cat'", tiny);
    check(!strncmp(output, "encoder.layer.1 (makes hidden state 2), head 2\n", 47), "heading: %.60s", output);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * The documents, with the real weights
 * ================================================================================================================== */
/* Lines that end with a word, and the columns of the longest line. */
static int ending(const char *text, const char *word)
{
    int count = 0;
    char line_end[32];
    snprintf(line_end, sizeof line_end, " %s\n", word);
    for (const char *at = text; (at = strstr(at, line_end)); at++) count++;
    return count;
}

static int widest(const char *text)
{
    size_t most = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line != 0)
        if (strcspn(line, "\n") > most) most = strcspn(line, "\n");
    return (int)most;
}

/* All that goldens.c judges, with its exit code. */
static void all_numbers_of_the_documents_are_met(void)
{
    if (!real_weights("bert-base-uncased")) return;
    int code = run("./bert goldens -v 2>/dev/null");
    check(code == 0, "exit code %d", code);
    check(strstr(output, "\n211 met, 0 missed, 4 shown, 3 errata\n") && !strstr(output, "MISSED"), "none is missed");
    check(strstr(output, "Vector similarity for *similar* meanings: 0.94") != NULL, "the phrases are quoted");
    check(ending(output, "met") == 211 && ending(output, "shown") == 4 && ending(output, "erratum") == 3, "218 rows");
    check(widest(output) <= 120, "a line of %d columns", widest(output));
}

/* Without -v only what is odd, each under its phrase, and the same last line. */
static void what_is_not_as_printed_stands_alone(void)
{
    if (!real_weights("bert-base-uncased")) return;
    check(run("./bert goldens") == 0 && lines(output) <= 30, "%d lines", lines(output));
    check(ending(output, "met") == 0 && ending(output, "shown") == 4 && ending(output, "erratum") == 3, "%s", output);
    check(strstr(output, "They are at 6, 10, and 19.\n    \"two instances of the word\" ") != NULL, "%s", output);
    check(strstr(output, "\n\n211 met, 0 missed, 4 shown, 3 errata\n") != NULL, "%s", output);
}

/* The same weights with one other piece at the end of the tutorial's list, which begins with id 5000. */
static void a_number_that_is_missed_is_shown_with_its_phrase(void)
{
    char directory[256];
    if (!real_weights("bert-base-uncased") || !check(formula_directory(directory), "a directory")) return;
    run("cd weights/bert-base-uncased && ln -s \"$PWD\"/config.json \"$PWD\"/model.safetensors %s && "
        "sed 's/^scenes$/scenez/' vocab.txt > %s/vocab.txt", directory, directory);
    check(run("./bert goldens -m %s 2>/dev/null", directory) == 1, "exit code 1");
    check(strstr(output, "list(tokenizer.vocab.keys())[5000:5020]\n    id 5019 ") && ending(output, "MISSED") == 1,
          "one is missed: %s", output);
    check(strstr(output, "\n210 met, 1 missed, 4 shown, 3 errata\n") != NULL, "%s", output);
    formula_remove(directory);
}

/* One row of `goldens -v` by the rules that the top of cli/goldens.c has, from what it prints; `units` of the last
 * printed decimal are allowed. Adds to the counts; false: it is no row. */
typedef struct {
    int met, missed, shown, errata, near;
} Judged;

static bool judge_row(const char *line, double units, Judged *sum)
{
    char row[200], printed[64], computed[64], difference[64], verdict[64];
    snprintf(row, sizeof row, "%.*s", (int)strcspn(line, "\n"), line);
    if (strncmp(row, "    ", 4) || strlen(row) < 40 || strstr(row, "  verdict")) return false;
    sum->shown += !strcmp(row + strlen(row) - 6, " shown"), sum->errata += strstr(row, " erratum") != NULL;
    if (strstr(row, " shown") || strstr(row, " erratum")) return true;
    if (strchr(row, '%') || strstr(row, "same  met"))                   /* a claim, words */
        return sum->met += check(strstr(row, "  met") != NULL, "it is met: %s", row), true;
    if (!check(sscanf(row + 34, "%63s %63s %63s %63s", printed, computed, difference, verdict) == 4, "four columns: %s",
               row))
        return false;
    const char *point = strchr(printed, '.');
    bool right = !strcmp(printed, computed);
    if (strchr(difference, 'e') && strchr(difference, '.')) {
        const double x = strtod(printed, NULL), by = fabs(strtod(computed, NULL) - x);
        const int decimals = point ? (int)strlen(point + 1) : 0;
        const double allowed = decimals <= 4 ? units * pow(10, -decimals) : 5e-6 * fmax(1, fabs(x));
        if (fabs(by / allowed - 1) < 1e-3) return true;                 /* closer than what is printed of it tells */
        right = by < allowed;
        sum->near += by > allowed / 2 && by < 2 * allowed;
    }
    check(!strcmp(verdict, right ? "met" : "MISSED"), "by the rules %s: %s", right ? "met" : "missed", row);
    sum->met += !strcmp(verdict, "met"), sum->missed += !strcmp(verdict, "MISSED");
    return true;
}

/* Weights that are nearly right: another layer_norm_eps moves every number by a little, and some of them beyond what is
 * allowed. */
static void each_number_is_judged_by_its_decimals(void)
{
    static const char *const eps[] = {"1e-9", "3e-7", "1e-6", "1e-5", "1e-4"};
    static const char edition[] = "McCormick and Ryan, \"BERT Word Embeddings Tutorial\", edition of May 2019, under";
    char directory[256], last[80];
    int near = 0, missed = 0;
    if (!real_weights("bert-base-uncased") || !check(formula_directory(directory), "a directory")) return;
    for (size_t k = 0; k < sizeof eps / sizeof *eps; k++) {
        Judged sum = {0};
        double units = 0.5;
        run("cd weights/bert-base-uncased && ln -sf \"$PWD\"/vocab.txt \"$PWD\"/model.safetensors %s && "
            "sed 's/1e-12/%s/' config.json > %s/config.json", directory, eps[k], directory);
        const int code = run("./bert goldens -v -m %s 2>/dev/null", directory);
        for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
            if (!strncmp(line, edition, strlen(edition))) units = 1;
            if (!strncmp(line, "  Vector similarity", 19)) units = 0.5;
            judge_row(line, units, &sum);
        }
        snprintf(last, sizeof last, "\n%d met, %d missed, %d shown, %d errata\n", sum.met, sum.missed, sum.shown,
                 sum.errata);
        check(strstr(output, last) != NULL, "%s: %s: %.300s", eps[k], last, output + strlen(output) - 100);
        check(code == (sum.missed > 0) && sum.met + sum.missed == 211, "%s: exit %d, %d missed", eps[k], code,
              sum.missed);
        near += sum.near, missed += sum.missed;
    }
    check(near > 40 && missed > 40, "%d are near what is allowed, %d are missed", near, missed);
    formula_remove(directory);
}

/* The same weights, but the pooler's names are others: no numbers are judged that need it, and its rows say so. */
static void without_a_pooler_its_numbers_are_not_judged(void)
{
    static char header[1 << 16];
    char directory[256], path[300];
    if (!real_weights("bert-base-uncased") || !check(formula_directory(directory), "a directory")) return;
    run("cd weights/bert-base-uncased && ln -s \"$PWD\"/config.json \"$PWD\"/vocab.txt %s && "
        "cp model.safetensors %s && chmod u+w %s/model.safetensors", directory, directory, directory);
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    FILE *f = fopen(path, "r+b");
    int renamed = 0;
    if (check(f && fread(header, 1, sizeof header, f) == sizeof header, "the header is read")) {
        for (size_t i = 0; i + 12 < sizeof header; i++)
            if (!memcmp(header + i, "bert.pooler.", 12)) header[i + 10] = 'x', renamed++;
        rewind(f);
        check(renamed == 2 && fwrite(header, 1, sizeof header, f) == sizeof header, "%d names", renamed);
    }
    if (f) fclose(f);
    check(run("./bert goldens -v -m %s 2>/dev/null", directory) == 0, "exit code 0: %s", output);
    check(strstr(output, "\n198 met, 0 missed, 4 shown, 3 errata\n") && !strstr(output, "Print the embeddings"), "%s",
          output + strlen(output) - 100);
    check(strstr(output, "\n    he likes playing                     [IsNext]          no head             shown\n") &&
          strstr(output, "\n    how do magnets work                 [NotNext]          no head             shown\n"),
          "%s", strstr(output, "he likes"));
    formula_remove(directory);
}

/* Other models are not judged by these numbers: each is refused with its own sizes. */
static void the_documents_are_not_held_against_other_models(void)
{
    static const struct { const char *model, *sizes; } models[] = {
        {"bert-base-cased", "12L/768H with 28996 pieces"},
        {"bert-base-multilingual-cased", "12L/768H with 119547 pieces"},
        {"all-MiniLM-L6-v2", "6L/384H with 30522 pieces"}};
    char line[100];
    if (!tiny_model()) return;
    check(run("./bert goldens -m %s 2>&1", tiny) == 3 && strstr(output, "; this model is 2L/24H with 101 pieces\n"),
          "%s",
          output);
    formula_remove(tiny);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (!real_weights(models[i].model)) return;
        snprintf(line, sizeof line, "bert-base-uncased (12L/768H, 30522 pieces); this model is %s\n", models[i].sizes);
        check(run("./bert goldens -m weights/%s 2>&1", models[i].model) == 3 && strstr(output, line), "%s: %s", line,
              output);
    }
}

/* make demo is the first thing that is typed: it must fit a terminal. */
static void the_demonstration_fits_24_lines(void)
{
    if (!real_weights("bert-base-uncased")) return;
    check(run("./bert demo") == 0 && lines(output) <= 24, "%d lines", lines(output));
    check(strstr(output, "the tutorial prints 0.94   computed 0.938639") &&
          strstr(output, "the tutorial prints 0.69   computed 0.693236"), "printed and computed: %s", output);
    check(strstr(output, "sum of its last four hidden states") && strstr(output, "One hidden state at a time"),
          "which vectors: %s", output);
    check(strstr(output, "before context: only positions differ") != NULL, "hidden state 0 is explained");
}

/* The tutorial, command by command. */
static void the_bank_sentence_by_hand(void)
{
    if (!real_weights("bert-base-uncased")) return;
    prints("101 2044 11065 2769 2013 1996 2924 11632 1010 1996 2924 27307 2001 2464 5645 2006 1996 5900 2314 2924 "
           "1012 102\n",
           "./bert tokenize --format ids " BANK);
    run("./bert tokenize " BANK);
    check(lines(output) == 22 && strstr(output, "stealing     11,065\n") && strstr(output, "[SEP]           102\n"),
          "the tutorial's table: %s", output);
    run("./bert embed --layers -4..-1 --combine sum --pooling none --format npy " BANK " | cat");
    check_npy("'shape': (22, 768), ", 22 * 768);
    run("./bert similarity --word bank " BANK);
    check(strstr(output, "0.938639") && strstr(output, "0.693236"), "the two cosines: %s", output);
    prints("100\t[UNK]\n8281\tcharacteristic\n", "./bert vocab characteristically characteristic");
    prints("5000\tknight\n5001\tlap\n", "./bert vocab 5000:5002");
}

/* Not on the mat. And one token more than there are positions is refused. */
static void the_cat_sat_on_the_floor(void)
{
    if (!real_weights("bert-base-uncased")) return;
    run("./bert fill-mask --top-k 2 'The cat sat on the [MASK].' | cut -c1-5,12-");
    check(strstr(output, "0.314") == output && strstr(output, "floor") && strstr(output, "0.119"), "floor, bed: %s",
          output);
    char words[2400] = "";
    for (int i = 0; i < 511; i++) strcat(words, "a ");
    fails(4, "513", with_tiny("./bert embed '%s'", words));
    run("./bert attention --layer 8 --head 10 'The cat sat on the mat because it was tired.'");
    check(strstr(output, "head 10\n                                       1 1 1\n"
                         "                   0 1 2 3 4 5 6 7 8 9 0 1 2\n") != NULL, "tens above ones: %s", output);
}

/* Whoever ends a run finds no half-written file, and the shell sees that a signal did it. The tokenizer waits for a
 * second line that never comes. (SIGINT cannot be tried so: a shell lets its background jobs ignore it.) */
static void an_interrupted_run_leaves_no_temporary_file(void)
{
    static const int numbers[] = {1, 15};                               /* SIGHUP, SIGTERM */
    if (!tiny_model()) return;
    for (int i = 0; i < 2; i++) {
        char expected[32];
        run("exec 2>/dev/null; cd %s; mkfifo lines; { echo a; sleep 5; } > lines & writer=$!; "
            "\"$OLDPWD/bert\" tokenize -m . -o answer -f lines & ours=$!; "
            "n=0; while [ $n -lt 50 ] && ! ls | grep -q tmp; do sleep 0.1; n=$((n+1)); done; "
            "ls | grep -c tmp; kill -%d $ours; wait $ours; echo $?; kill $writer; ls | grep -c answer; rm lines",
            tiny, numbers[i]);
        snprintf(expected, sizeof expected, "1\n%d\n0\n", 128 + numbers[i]);
        check_text("the temporary file is there; the signal's code; no file", output, expected);
    }
    formula_remove(tiny);
}

/* The weights lose their end while they are in use: one line and exit code 3, not a crash. */
static void weights_that_are_cut_while_in_use_are_reported(void)
{
    if (!tiny_model()) return;
    run("mkfifo %s/lines", tiny);
    int code = run("./bert embed -m %s -f %s/lines 2>&1 >/dev/null & ours=$!; "
                   "{ sleep 0.5; : > %s/model.safetensors; echo a; } > %s/lines; "
                   "wait $ours; s=$?; rm %s/lines; exit $s", tiny, tiny, tiny, tiny, tiny);
    check(code == 3 && lines(output) == 1 && !strncmp(output, "bert: ", 6) &&
          strstr(output, "/model.safetensors: was shortened while"),
          "exit code %d: %s", code, output);
    formula_remove(tiny);
}

const Test cli_tests[] = {
    {"every_command_has_help_on_stdout", every_command_has_help_on_stdout},
    {"help_has_one_form", help_has_one_form},
    {"wrong_usage_exits_2_with_one_line", wrong_usage_exits_2_with_one_line},
    {"the_mistakes_of_newcomers_get_the_sentence_that_helps", the_mistakes_of_newcomers_get_the_sentence_that_helps},
    {"similarity_says_what_was_compared", similarity_says_what_was_compared},
    {"a_model_directory_that_was_not_meant_names_the_one_that_was",
     a_model_directory_that_was_not_meant_names_the_one_that_was},
    {"lines_that_are_slow_show_their_progress", lines_that_are_slow_show_their_progress},
    {"the_demonstration_refuses_what_would_change_its_numbers",
     the_demonstration_refuses_what_would_change_its_numbers},
    {"a_terminal_gets_four_decimals", a_terminal_gets_four_decimals},
    {"a_vector_on_a_terminal_is_its_beginning", a_vector_on_a_terminal_is_its_beginning},
    {"an_error_says_its_place_in_fields", an_error_says_its_place_in_fields},
    {"option_values_may_be_attached_and_dashes_end_options", option_values_may_be_attached_and_dashes_end_options},
    {"a_line_ends_at_lf_only_and_nul_is_a_character", a_line_ends_at_lf_only_and_nul_is_a_character},
    {"the_first_bad_line_is_named_by_number_and_byte", the_first_bad_line_is_named_by_number_and_byte},
    {"a_line_is_answered_before_the_next_is_read", a_line_is_answered_before_the_next_is_read},
    {"lines_of_a_batch_get_the_bytes_of_single_ones", lines_of_a_batch_get_the_bytes_of_single_ones},
    {"a_hidden_state_is_the_same_when_no_other_is_kept",
     a_hidden_state_is_the_same_when_no_other_is_kept},
    {"rows_of_a_batch_get_the_bytes_of_single_ones", rows_of_a_batch_get_the_bytes_of_single_ones},
    {"lines_before_a_bad_one_are_answered_first", lines_before_a_bad_one_are_answered_first},
    {"embed_answers_before_it_waits_for_more", embed_answers_before_it_waits_for_more},
    {"pairs_segments_and_special_tokens", pairs_segments_and_special_tokens},
    {"ids_from_a_file_give_the_same_bits_as_text", ids_from_a_file_give_the_same_bits_as_text},
    {"bad_models_exit_3_with_one_line", bad_models_exit_3_with_one_line},
    {"the_pocket_model_answers_where_nothing_was_fetched", the_pocket_model_answers_where_nothing_was_fetched},
    {"control_characters_in_names_are_shown_not_sent", control_characters_in_names_are_shown_not_sent},
    {"bad_texts_exit_4_with_one_line", bad_texts_exit_4_with_one_line},
    {"missing_heads_exit_5_with_one_line", missing_heads_exit_5_with_one_line},
    {"a_nan_is_printed_without_its_sign", a_nan_is_printed_without_its_sign},
    {"a_full_disk_or_closed_stdout_exits_6", a_full_disk_or_closed_stdout_exits_6},
    {"a_failed_run_leaves_the_old_output_file", a_failed_run_leaves_the_old_output_file},
    {"an_interrupted_run_leaves_no_temporary_file", an_interrupted_run_leaves_no_temporary_file},
    {"weights_that_are_cut_while_in_use_are_reported", weights_that_are_cut_while_in_use_are_reported},
    {"npy_holds_what_the_contract_says", npy_holds_what_the_contract_says},
    {"npy_is_all_or_nothing", npy_is_all_or_nothing},
    {"a_sentence_transformers_directory_brings_its_recipe", a_sentence_transformers_directory_brings_its_recipe},
    {"a_trace_file_names_every_intermediate", a_trace_file_names_every_intermediate},
    {"a_trace_names_its_model_and_opens_its_file_first", a_trace_names_its_model_and_opens_its_file_first},
    {"similarity_looks_for_the_word_not_for_parts_of_longer_words",
     similarity_looks_for_the_word_not_for_parts_of_longer_words},
    {"rank_fill_mask_and_next_sentence_answer", rank_fill_mask_and_next_sentence_answer},
    {"scores_that_are_no_numbers_come_last", scores_that_are_no_numbers_come_last},
    {"info_counts_parameters_from_a_configuration_alone", info_counts_parameters_from_a_configuration_alone},
    {"info_stands_absurd_configurations", info_stands_absurd_configurations},
    {"info_is_as_strict_as_loading", info_is_as_strict_as_loading},
    {"bertviz_json_has_its_three_keys", bertviz_json_has_its_three_keys},
    {"all_numbers_of_the_documents_are_met", all_numbers_of_the_documents_are_met},
    {"what_is_not_as_printed_stands_alone", what_is_not_as_printed_stands_alone},
    {"each_number_is_judged_by_its_decimals", each_number_is_judged_by_its_decimals},
    {"without_a_pooler_its_numbers_are_not_judged", without_a_pooler_its_numbers_are_not_judged},
    {"the_documents_are_not_held_against_other_models", the_documents_are_not_held_against_other_models},
    {"a_number_that_is_missed_is_shown_with_its_phrase", a_number_that_is_missed_is_shown_with_its_phrase},
    {"the_demonstration_fits_24_lines", the_demonstration_fits_24_lines},
    {"the_bank_sentence_by_hand", the_bank_sentence_by_hand},
    {"the_cat_sat_on_the_floor", the_cat_sat_on_the_floor},
    {NULL, NULL},
};
