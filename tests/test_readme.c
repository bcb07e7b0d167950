/* test_readme.c - README.md says nothing that cannot be seen: every number in it is compared with what a command prints
 * or a file holds, every command in it runs, every link of every page leads somewhere, and the functions that it names
 * head their steps. A number that no check has claimed fails. Nothing here depends on line numbers. */
#include "shell.h"
#include <ctype.h>
#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BANK "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."

static char readme[1 << 15];        /* README.md */
static bool claimed[1 << 15];       /* which of its bytes a claim has read */

/* =====================================================================================================================
 * Running commands, reading files
 * ================================================================================================================== */

/* A file as a string that the caller frees; NULL if it cannot be read. */
static char *text_of(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat s;
    char *text = NULL;
    if (f && !fstat(fileno(f), &s) && S_ISREG(s.st_mode)) text = calloc(1, (size_t)s.st_size + 1);
    if (text) text[fread(text, 1, (size_t)s.st_size, f)] = 0;
    if (f) fclose(f);
    return text;
}

/* Is all of the repository here, and README.md in readme[]? A copy of the sources alone (tests/mutants,
 * tests/coverage.py) has no pages to check: then the running test is skipped. */
static bool pages(void)
{
    char *text = access("notebooks/README.md", R_OK) ? NULL : text_of("README.md");
    if (!text) {
        skip("a copy of the sources without the pages");
        return false;
    }
    bool fits = check(strlen(text) < sizeof readme, "README.md is short: %zu bytes", strlen(text));
    if (fits) strcpy(readme, text);
    free(text);
    return fits;
}

/* The commands of README need the real weights; `make demo` has built bert64. */
static bool weights(void)
{
    if (!real_weights("bert-base-uncased")) return false;
    if (!access("bert64", X_OK)) return true;
    skip("needs bert64: make demo");
    return false;
}

/* The line after this one, or the end of the text. */
static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

static bool begins(const char *text, const char *start)
{
    return !strncmp(text, start, strlen(start));
}

/* The first line at or after `from` that begins with `start`; NULL if there is none. */
static const char *line_beginning(const char *from, const char *start)
{
    for (const char *line = from; line && *line; line = next_line(line))
        if (begins(line, start)) return line;
    return NULL;
}

/* How many files a pattern of the shell stands for. */
static size_t files(const char *pattern)
{
    glob_t g;
    size_t count = glob(pattern, 0, NULL, &g) ? 0 : g.gl_pathc;
    globfree(&g);
    return count;
}

/* =====================================================================================================================
 * Numbers in README.md
 * ================================================================================================================== */

typedef char Number[32];            /* a number as README prints it: "0.94", "1,017", "1.31.1", "sixteen" */

static const char *const words[] = {
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"};

/* The value of a spelled number, -1 if it is none. */
static int spelled(const char *word, size_t length)
{
    char lower[16] = "";
    if (length >= sizeof lower) return -1;
    for (size_t i = 0; i < length; i++) lower[i] = (char)tolower((unsigned char)word[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i], lower)) return (int)i;
    return strcmp(lower, "dozen") ? -1 : 12;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How many bytes of text are a number: digits, with points and commas between them; or a spelled number. */
static size_t number_length(const char *text)
{
    size_t n = 0;
    while (digit(text[n]) || (n && (text[n] == '.' || text[n] == ',') && digit(text[n + 1]))) n++;
    if (n) return n;
    while (isalpha((unsigned char)text[n])) n++;
    return n && spelled(text, n) >= 0 ? n : 0;
}

static double value_of(const char *number)
{
    char digits[sizeof(Number)];
    size_t n = 0;
    if (isalpha((unsigned char)*number)) return spelled(number, strlen(number));
    for (; *number && n + 1 < sizeof digits; number++)
        if (*number != ',') digits[n++] = *number;
    digits[n] = 0;
    return atof(digits);
}

/* Does text begin with pattern? A # of the pattern stands for a number, a blank for any white space. Puts the numbers
 * into numbers[] and, with `claim`, marks them as claimed. */
static bool matches(const char *pattern, const char *text, Number *numbers, bool claim)
{
    int count = 0;
    for (; *pattern; pattern++) {
        size_t length = 1;
        if (*pattern == '#') {
            length = number_length(text);
            if (!length || length >= sizeof(Number) || count == 8) return false;
            snprintf(numbers[count++], sizeof(Number), "%.*s", (int)length, text);
            if (claim) memset(claimed + (text - readme), true, length);
        } else if (*pattern == ' ') {
            length = strspn(text, " \n");
            if (!length) return false;
        } else if (*pattern != *text) {
            return false;
        }
        text += length;
    }
    return true;
}

/* Finds the one place of README.md that matches, and claims its numbers. */
static bool find_claim(const char *pattern, Number *numbers)
{
    const char *found = NULL;
    for (const char *at = readme; *at; at++)
        if (matches(pattern, at, numbers, false)) {
            if (found) return check(false, "README.md says only once: %s", pattern);
            found = at;
        }
    return check(found && matches(pattern, found, numbers, true), "README.md says: %s", pattern);
}

/* =====================================================================================================================
 * What the numbers are compared with
 * ================================================================================================================== */

/* Counts the lines of a C file: all, and those on which something stands besides comments. Needs no more C than a
 * compiler's first pass: comments, strings, characters. */
static void count_lines(const char *text, int *all, int *code)
{
    bool something = false, comment = false;
    char quote = 0;
    for (const char *c = text; *c; c++) {
        if (*c == '\n') {
            ++*all;
            *code += something;
            something = false;
        } else if (comment) {
            if (c[0] == '*' && c[1] == '/') {
                comment = false;
                c++;
            }
        } else if (!quote && c[0] == '/' && c[1] == '*') {
            comment = true;
            c++;
        } else if (!isspace((unsigned char)*c)) {
            something = true;
            if (quote && *c == '\\') c++;
            else if (quote && *c == quote) quote = 0;
            else if (!quote && (*c == '"' || *c == '\'')) quote = *c;
        }
    }
}

/* "about 1,400 lines of C (2,400 with the comments)": README rounds to hundreds, and may be 100 off, so that a comment
 * more breaks no test. */
static void check_lines(Number *n)
{
    int all = 0, code = 0;
    glob_t book;
    if (!check(!glob("*.[ch]", 0, NULL, &book), "the book's files")) return;
    check(value_of(n[0]) == (double)book.gl_pathc, "README.md: %s files, %zu here", n[0], book.gl_pathc);
    for (size_t i = 0; i < book.gl_pathc; i++) {
        char *text = text_of(book.gl_pathv[i]);
        if (text) count_lines(text, &all, &code);
        free(text);
    }
    globfree(&book);
    check_value("README.md: lines of C", value_of(n[1]), code, 100);
    check_value("README.md: lines with the comments", value_of(n[2]), all, 100);
}

static void check_size_of_weights(Number *n)
{
    struct stat s;
    if (!check(!stat("weights/bert-base-uncased/model.safetensors", &s), "the weights")) return;
    check_value("README.md: MB of weights", value_of(n[0]), (double)s.st_size / 1e6, 0.5);
}

static void check_size_of_pocket(Number *n)
{
    struct stat s;
    if (!check(!stat("weights/pocket/model.safetensors", &s), "the pocket model")) return;
    check_value("README.md: MB of the pocket model", value_of(n[0]), (double)s.st_size / 1e6, 0.5);
}

static void check_layers_of_pocket(Number *n)
{
    check(run("./bert attention -q -m weights/pocket --head 0 --layer %.0f cat", value_of(n[0])) == 0 &&
          run("./bert attention -q -m weights/pocket --head 0 --layer %.0f cat", value_of(n[1])) == 0 &&
          run("./bert attention -q -m weights/pocket --head 0 --layer %.0f cat 2>&1", value_of(n[1]) + 1) == 2,
          "README.md: layers of the pocket model: %s", output);
}

/* `similarity` between two of the three banks, eight decimals, from its json: "cosines": [[...], [...], [...]]. */
static void check_cosine(const char *program, int segments, int a, int b, const char *printed)
{
    char want[32];
    double cosine[9] = {0};
    run("%s similarity -q --segments %d --layers -4..-1 --combine sum --format json --word bank '%s'", program,
        segments, BANK);
    char *at = strstr(output, "\"cosines\": ");
    for (int i = 0; at && i < 9; i++) cosine[i] = strtod(at + strcspn(at, "-0123456789"), &at);
    snprintf(want, sizeof want, "%.8f", cosine[3 * a + b]);
    check(at && !strcmp(printed, want), "README.md: %s, segments %d: %s is printed, %s computed", program, segments,
          printed, want);
}

/* What `./bert goldens -v` prints; it is run once. */
static const char *goldens(void)
{
    static char printed[sizeof output];
    if (!*printed) {
        check(run("./bert goldens -q -v") == 0, "goldens: exit code 0");
        memcpy(printed, output, sizeof output);
    }
    return printed;
}

/* What the tutorial prints, as `goldens` knows it: the printed column of the row `name`, in its later edition (0) or
 * its first (1). */
static void check_printed(const char *name, int edition, const char *printed)
{
    char want[32] = "";
    const char *row = goldens();
    for (int i = 0; row && i <= edition; i++)
        if ((row = strstr(row, name)) != NULL) row += strlen(name);
    if (row) sscanf(row, " %31[0-9.]", want);
    check(!strcmp(printed, want), "README.md: %s: the tutorial prints %s, README says %s", name, want, printed);
}

/* One row of the bank table. The banks are numbered as they stand in the sentence: vault 0, robber 1, river 2. */
static void check_bank(int segments, int other, Number *n)
{
    check_printed(other == 0 ? "similar: robber, vault" : "different: robber, river", segments, n[0]);
    check_cosine("./bert64", segments, 1, other, n[1]);
    check_cosine("./bert", segments, 1, other, n[2]);
}

static void check_similar(Number *n) { check_bank(0, 0, n); }
static void check_different(Number *n) { check_bank(0, 2, n); }

/* The first edition has segment 1; its year is that of the tutorial's address. */
static void check_first_edition(int other, Number *n)
{
    char address[80];
    snprintf(address, sizeof address, "https://mccormickml.com/%s/05/", n[0]);
    check(strstr(readme, address) != NULL, "README.md: the edition of May %s is at %s", n[0], address);
    check_bank(1, other, n + 1);
}

static void check_first_similar(Number *n) { check_first_edition(0, n); }
static void check_first_different(Number *n) { check_first_edition(2, n); }

/* What stands under the picture. */
static void check_picture(Number *n)
{
    check_printed("similar: robber, vault", 0, n[0]);
    check_printed("different: robber, river", 0, n[1]);
}

/* The segments that check_bank computes with: the text's, which were the first edition's, and the later numbers'. */
static void check_segments(Number *n)
{
    check(value_of(n[0]) == 1 && value_of(n[1]) == 0, "README.md: segments %s and %s", n[0], n[1]);
}

/* "the sum of the last four hidden states ... at tokens 6, 10 and 19": the default of `similarity --word`. */
static void check_tokens(Number *n)
{
    char label[32];
    static char chosen[sizeof output];
    check(value_of(n[0]) == 4, "README.md: the last %s, --layers -4..-1", n[0]);
    run("./bert similarity -q --word bank '%s'", BANK);
    memcpy(chosen, output, sizeof output);
    for (int i = 0; i < 3; i++) {
        snprintf(label, sizeof label, "   1:%s ", n[i + 1]);
        check(strstr(output, label) != NULL, "README.md: a bank is token %s: %s", n[i + 1], output);
    }
    run("./bert similarity -q --layers -4..-1 --combine sum --word bank '%s'", BANK);
    check_text("what --word does by default", chosen, output);
}

/* The last line of `goldens`: 211 met, 0 missed, 4 shown, 3 errata. */
static void check_goldens(Number *n)
{
    double met = -1, missed = -1, shown = -1, errata = -1;
    const char *last = goldens();
    while (*last && *next_line(last)) last = next_line(last);
    sscanf(last, "%lf met, %lf missed, %lf shown, %lf errata", &met, &missed, &shown, &errata);
    check(missed == 0, "no number is missed: %s", last);
    check(met == value_of(n[0]) && errata == value_of(n[1]) && shown == value_of(n[2]),
          "README.md: %s come out, %s errata, %s shown: %s", n[0], n[1], n[2], last);
}

/* The rows of tests/mutants/list, and those of the table under "Break it yourself" in tests/mutants/README.md. */
static void check_mutants(Number *n)
{
    int planted = 0, told = 0;
    char *list = text_of("tests/mutants/list"), *page = text_of("tests/mutants/README.md");
    if (check(list && page, "tests/mutants/list and README.md")) {
        for (const char *line = list; *line; line = next_line(line)) planted += *line != '#' && *line != '\n';
        const char *row = line_beginning(page, "## Break it yourself");
        while (row && *(row = next_line(row)) && !begins(row, "## ")) told += begins(row, "| `");
        check(value_of(n[0]) == told, "README.md: %s mistakes are told, %d in tests/mutants/README.md", n[0], told);
        check(value_of(n[1]) == planted, "README.md: %s known mistakes, %d in tests/mutants/list", n[1], planted);
    }
    free(list);
    free(page);
}

static void check_notebooks(Number *n)
{
    check(value_of(n[0]) == (double)files("notebooks/*.ipynb"), "README.md: %s notebooks, %zu here", n[0],
          files("notebooks/*.ipynb"));
}

/* bert.c begins with STEP 5. */
static void check_first_step(Number *n)
{
    char *text = text_of("bert.c");
    const char *step = text ? strstr(text, "STEP ") : NULL;
    check(step && atoi(step + 5) == (int)value_of(n[0]), "README.md: bert.c begins with STEP %s", n[0]);
    free(text);
}

/* Sixteen STEPs head their places in the code. */
static void check_steps(Number *n)
{
    run("cat tokenizer.c tensor.c bert.c | grep -c 'STEP [0-9]* - '");
    check(value_of(n[0]) == atof(output), "README.md: %s steps, %s in the code", n[0], output);
}

/* "In step 8 ...: sed ... scale = 1": the command changes one line of bert.c, between STEP 8 and STEP 9. */
static void check_break(Number *n)
{
    char *text = text_of("bert.c");
    char heading[24], after[24];
    snprintf(heading, sizeof heading, "STEP %s - ", n[0]);
    snprintf(after, sizeof after, "STEP %d - ", (int)value_of(n[0]) + 1);
    const char *step = text ? strstr(text, heading) : NULL, *end = step ? strstr(step, after) : NULL;
    const char *line = step ? strstr(step, "const real scale = ") : NULL;
    check(line && end && line < end && !strstr(next_line(line), "const real scale = "), "README.md: step %s scales",
          n[0]);
    check(value_of(n[1]) == 1, "README.md: 1 divides nothing");
    free(text);
}

/* A row of the speed table: the cells of the first table of tests/SPEED.md, a copy of what `make bench` wrote. */
static void check_speed(const char *name, Number *cells)
{
    char row[256];
    char *page = text_of("tests/SPEED.md");
    snprintf(row, sizeof row, "| %s | %s | %s | %s | %s |\n", name, cells[0], cells[1], cells[2], cells[3]);
    const char *table = page ? line_beginning(page, "| milliseconds, by tokens |") : NULL;
    const char *found = table ? strstr(table, row) : NULL, *end = table ? strstr(table, "\n\n") : NULL;
    check(found && end && found < end, "README.md: the first table of tests/SPEED.md does not have %s", row);
    free(page);
}

static void check_speed_head(Number *n) { check_speed("milliseconds, by tokens", n); }
static void check_speed_bert(Number *n) { check_speed("bert.c (gcc)", n); }

static void check_speed_onnx(Number *n)
{
    char name[64];
    snprintf(name, sizeof name, "ONNX Runtime %s", n[0]);
    check_speed(name, n + 1);
}

static void check_speed_torch(Number *n)
{
    char name[64];
    snprintf(name, sizeof name, "PyTorch %s", n[0]);
    check_speed(name, n + 1);
}

/* "in twenty lines of C": without its comments, and rounded. */
static void check_example(Number *n)
{
    int all = 0, code = 0;
    char *text = text_of("tests/example.c");
    if (check(text != NULL, "tests/example.c")) count_lines(text, &all, &code);
    check_value("README.md: lines of tests/example.c", code, value_of(n[0]), 5);
    free(text);
}

/* =====================================================================================================================
 * The list of all numbers in README.md, and who reads them
 * ================================================================================================================== */

typedef struct {
    const char *words;              /* a # stands for a number; these words are in README.md once */
    void (*check)(Number *numbers);
    bool weights;                   /* the check needs weights */
} Claim;

static const Claim claims[] = {
    {"All of BERT is in # files, about # lines of C (# with the comments)", check_lines, false},
    {"fetches bert-base-uncased once (# MB", check_size_of_weights, true},
    {"[pocket model](weights/pocket/README.md), # MB", check_size_of_pocket, false},
    {"the pocket model has layers # to #", check_layers_of_pocket, false},
    {"the sum of the last # hidden states (the outputs of the last four layers) at tokens #, # and #", check_tokens,
     true},
    {"puts the sentence in segment #, as its first edition did. Its later numbers are those of segment #",
     check_segments, false},
    {"*bank vault*: the same sense | # | # | # |", check_similar, true},
    {"*river bank*: another sense | # | # | # |", check_different, true},
    {"the first two in the edition of May # | # | # | # |", check_first_similar, true},
    {"the last two in the edition of May # | # | # | # |", check_first_different, true},
    {"the cosine is # for the same sense and # for another one", check_picture, true},
    {"letters, words, the # steps", check_steps, false},
    {"**bert.c** from STEP #:", check_first_step, false},
    {"**With pictures:** # [notebooks]", check_notebooks, false},
    {"In step #, do not divide by the square root of the head size: "
     "sed -i 's/const real scale = .*/const real scale = #;/' bert.c", check_break, false},
    {"[A # such mistakes](tests/mutants/README.md), with what each teaches; "
     "`make mutants` plants all # known mistakes", check_mutants, false},
    {"public texts print: # come out, # are the texts' own errors, # are shown", check_goldens, true},
    {"| tokens | # | # | # | # |", check_speed_head, false},
    {"| bert.c (gcc) | # | # | # | # |", check_speed_bert, false},
    {"| ONNX Runtime # | # | # | # | # |", check_speed_onnx, false},
    {"| PyTorch # | # | # | # | # |", check_speed_torch, false},
    {"behind a [MASK], in # lines of C", check_example, false},
};
enum { CLAIMS = sizeof claims / sizeof *claims };

static void check_claims(bool with_weights)
{
    Number numbers[8];
    for (const Claim *c = claims; c < claims + CLAIMS; c++)
        if (c->weights == with_weights && find_claim(c->words, numbers)) c->check(numbers);
}

static void numbers_of_the_readme_are_those_of_the_files(void)
{
    if (pages()) check_claims(false);
}

static void numbers_of_the_readme_are_what_the_commands_print(void)
{
    if (pages() && weights()) check_claims(true);
}

/* Not text: marks as claimed what stands in `...` and begins with ./bert or make (the_commands_of_the_readme_run), in
 * ](...), at the beginning of a line as the number of a list, or as a step's number in a table (functions_that_...);
 * indented commands and a hash (the_hash_of_the_readme_...). */
static void claim_what_is_not_text(void)
{
    for (const char *at = readme; *at; at++) {
        size_t length = 0;
        if (begins(at, "](")) length = strcspn(at, ")");
        if (begins(at, "`./bert ") || begins(at, "`make ")) length = 1 + strcspn(at + 1, "`");
        if ((at == readme || at[-1] == '\n') && begins(at, "| ")) length = 2 + strspn(at + 2, "0123456789");
        if (at == readme || at[-1] == '\n') length = isdigit((unsigned char)*at) && at[1] == '.' ? 1 : length;
        if (begins(at, "\n    ./bert ") || begins(at, "\n    sha256sum ")) length = 1 + strcspn(at + 1, "\n");
        if (*at == '`' && strspn(at + 1, "0123456789abcdef") == 64) length = 65;
        memset(claimed + (at - readme), true, length);
    }
}

/* Blocks between ```: those of kind `console` are run (what_the_readme_shows_is_printed); others print nothing. */
static void claim_console_blocks(void)
{
    const char *open = NULL;
    for (const char *line = readme; *line; line = next_line(line)) {
        if (!begins(line, "```")) continue;
        if (open && begins(open, "```console")) memset(claimed + (open - readme), true, (size_t)(line - open));
        open = open ? NULL : line;
    }
    check(!open, "README.md: a block has no end");
}

/* Is this the beginning of a number, or of a count that is spelled (from five up)? Not within a word, such as float32,
 * or behind the hyphen of one, such as Apache-2.0. */
static bool number_begins(const char *at)
{
    char before = at > readme ? at[-1] : ' ';
    size_t length = number_length(at);
    if (!length || isalnum((unsigned char)before) || before == '_' || before == '.') return false;
    if (before == '-' && at - readme > 1 && isalpha((unsigned char)at[-2])) return false;
    return isdigit((unsigned char)*at) ? true : spelled(at, length) >= 5;
}

static void no_number_of_the_readme_is_without_a_check(void)
{
    Number numbers[8];
    if (!pages()) return;
    memset(claimed, 0, sizeof claimed);
    for (const Claim *c = claims; c < claims + CLAIMS; c++) find_claim(c->words, numbers);
    claim_what_is_not_text();
    claim_console_blocks();
    for (const char *at = readme; *at; at++)
        if (number_begins(at) && !claimed[at - readme]) {
            const char *from = at - readme < 40 ? readme : at - 40;
            check(false, "README.md: no check reads %.*s in: %.80s", (int)number_length(at), at, from);
        }
}

static void the_readme_is_short(void)
{
    if (pages()) check(strlen(readme) <= 12288, "README.md has %zu bytes, at most 12 kB", strlen(readme));
}

/* =====================================================================================================================
 * Commands
 * ================================================================================================================== */

/* Runs one command of a console block. The file that README makes is made in `folder`; `make demo` is ./bert64 demo. */
static void run_shown(const char *line, const char *folder)
{
    char command[1024];
    const int length = (int)strcspn(line, "\n");
    const char *file = strstr(line, "mine.safetensors");
    if (file && file < line + length)
        snprintf(command, sizeof command, "%.*s%s/%.*s", (int)(file - line), line, folder, (int)(line + length - file),
                 file);
    else
        snprintf(command, sizeof command, "%.*s", length, line);
    run("{ %s; } 2>/dev/null", strcmp(command, "make demo") ? command : "./bert64 demo");
}

/* Do two lines say the same? */
static bool same_line(const char *a, const char *b)
{
    const size_t n = strcspn(a, "\n");
    return strcspn(b, "\n") == n && !strncmp(a, b, n);
}

/* Runs the command and compares what it prints with the lines below it; a line "..." stands for any lines. Returns what
 * is behind them. */
static const char *check_command(const char *line, const char *folder)
{
    const char *shown = next_line(line), *printed = output;
    bool anywhere = false, same = true;
    run_shown(line + 2, folder);
    for (; *shown && !begins(shown, "$ ") && !begins(shown, "```"); shown = next_line(shown)) {
        if (same_line(shown, "...")) {
            anywhere = true;
            continue;
        }
        while (anywhere && *printed && !same_line(printed, shown)) printed = next_line(printed);
        if (same && !same_line(printed, shown))
            same = check(false, "README.md: %.*s does not print \"%.*s\"", (int)strcspn(line, "\n"), line,
                         (int)strcspn(shown, "\n"), shown);
        printed = next_line(printed);
        anywhere = false;
    }
    check(!same || anywhere || !*printed, "README.md: %.*s prints more: %s", (int)strcspn(line, "\n"), line, printed);
    return shown;
}

static void what_the_readme_shows_is_printed(void)
{
    char folder[256];
    int commands = 0;
    if (!pages() || !weights() || !check(formula_directory(folder), "a directory")) return;
    for (const char *block = readme; (block = strstr(block, "```console\n")) != NULL;)
        for (block = next_line(block); *block && !begins(block, "```"); commands++) {
            if (!check(begins(block, "$ "), "README.md: a command begins with $: %.40s", block)) break;
            block = check_command(block, folder);
        }
    check(commands >= 3, "README.md shows what %d commands print", commands);
    run("rm %s/mine.safetensors", folder);
    formula_remove(folder);
}

/* `./bert ...` with all that it needs: not COMMAND, TEXT or FILE. */
static void the_commands_of_the_readme_run(void)
{
    int commands = 0;
    if (!pages() || !weights()) return;
    for (const char *at = readme; (at = strstr(at, "`./bert ")) != NULL; at++) {
        char command[512];
        snprintf(command, sizeof command, "%.*s", (int)strcspn(at + 1, "`"), at + 1);
        if (strstr(command, "COMMAND") || strstr(command, "TEXT") || strstr(command, "FILE")) continue;
        commands++;
        if (!strcmp(command, "./bert goldens")) goldens();
        else check(run("%s 2>/dev/null", command) == 0 && *output, "README.md: %s: it answers, exit code 0", command);
    }
    check(commands >= 10, "README.md has %d commands to try", commands);
}

/* The indented commands that begin with `vocab --learn`, in a folder of their own: the last one prints README's hash. */
static void the_hash_of_the_readme_is_what_its_commands_print(void)
{
    char folder[256], commands[1024], hash[65] = "";
    if (!pages() || !check(formula_directory(folder), "a directory")) return;
    const char *begin = strstr(readme, "    ./bert vocab --learn "), *end = begin ? strstr(begin, "\n\n") : NULL;
    if (check(begin && end && end - begin < (int)sizeof commands, "README.md teaches a model")) {
        snprintf(commands, sizeof commands, "%.*s", (int)(end - begin), begin);
        run("here=$PWD && cd %s && mkdir build && ln -s \"$here/bert\" \"$here/tests\" . && { %s; } 2>/dev/null", folder,
            commands);
        check(sscanf(output, "%*[^\n] %64[0-9a-f]", hash) == 1 || sscanf(output, "%64[0-9a-f]", hash) == 1, "%s", output);
        check(strlen(hash) == 64 && strstr(readme, hash), "README.md: the hash is %s", hash);
    }
    run("rm -r %s/*", folder);
    formula_remove(folder);
}

/* Is this `make` a command, or a word of a sentence? */
static bool is_command(const char *make)
{
    return make == readme || strchr("`\n", make[-1]) || (make - readme > 1 && strchr("$&\n ", make[-2]));
}

static void the_targets_of_the_readme_are_in_the_makefile(void)
{
    int targets = 0;
    char *makefile = text_of("Makefile");
    if (pages() && check(makefile != NULL, "Makefile")) {
        for (const char *at = readme; (at = strstr(at, "make ")) != NULL; at += 5) {
            char target[32] = "", rule[40];
            if (!is_command(at) || sscanf(at + 5, "%30[a-z]", target) != 1) continue;
            snprintf(rule, sizeof rule, "\n%s:", target);
            check(strstr(makefile, rule) != NULL, "README.md: make %s: no such target", target);
            targets++;
        }
        check(targets >= 8, "README.md has %d targets", targets);
    }
    free(makefile);
}

/* =====================================================================================================================
 * Functions
 * ================================================================================================================== */

/* Does a function's definition begin here? It begins in column 1, with the name before the first parenthesis, and has
 * no semicolon. */
static bool defines(const char *line, const char *name)
{
    size_t length = strcspn(line, "\n"), open = strcspn(line, "("), n = strlen(name);
    if (!isalpha((unsigned char)*line) || open >= length || memchr(line, ';', length)) return false;
    return open > n && !strncmp(line + open - n, name, n) && strchr(" *", line[open - n - 1]);
}

/* Is `name` defined in that file between the heading of `step` and the next heading? */
static bool heads_step(const char *file, int step, const char *name)
{
    char heading[24];
    char *text = text_of(file);
    bool found = false;
    snprintf(heading, sizeof heading, "STEP %d - ", step);
    const char *at = text ? strstr(text, heading) : NULL, *end = at ? strstr(at + 1, "STEP ") : NULL;
    while (end && !isdigit((unsigned char)end[5])) end = strstr(end + 1, "STEP ");
    for (const char *line = at; line && *line && (!end || line < end) && !found; line = next_line(line))
        found = defines(line, name);
    free(text);
    return found;
}

/* All `functions` in a line of a page, each against its step. Returns how many. */
static int check_functions(const char *page, const char *line, int step)
{
    int count = 0;
    const char *end = next_line(line), *file = step < 5 ? "tokenizer.c" : "bert.c";
    for (const char *at = line; (at = memchr(at, '`', (size_t)(end - at))) != NULL; at++) {
        char name[64];
        const size_t length = strcspn(at + 1, "`\n");
        snprintf(name, sizeof name, "%.*s", (int)length, at + 1);
        if (strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == length) {
            check(heads_step(file, step, name), "%s: %s is defined under STEP %d of %s", page, name, step, file);
            count++;
        }
        at += 1 + length;
        if (at >= end) break;
    }
    return count;
}

/* The step of a line that begins with its number, "| 7 | " or "**7. "; 0 if it begins otherwise. */
static int step_of(const char *line)
{
    if (!begins(line, "| ") && !begins(line, "**")) return 0;
    const char *behind = line + 2 + strspn(line + 2, "0123456789");
    return *behind == (*line == '|' ? ' ' : '.') ? atoi(line + 2) : 0;
}

/* Steps 1 to 16 in order, `times` times. */
static void check_page(const char *page, int times)
{
    int seen = 0;
    char *text = text_of(page);
    for (const char *line = text ? text : ""; *line; line = next_line(line)) {
        const int step = step_of(line);
        if (!step) continue;
        check(step == seen++ % 16 + 1, "%s: step %d has its place: %.40s", page, step, line);
        check(check_functions(page, line, step) >= 1, "%s: step %d names its function", page, step);
    }
    check(seen == 16 * times, "%s has %d steps", page, seen);
    free(text);
}

static void functions_that_readme_and_tour_name_head_their_steps(void)
{
    if (!pages()) return;
    check_page("README.md", 1);
    for (const char *line = readme; *line; line = next_line(line)) {
        const char *file = step_of(line) < 5 ? " tokenizer.c " : " bert.c ", *named = strstr(line, file);
        if (step_of(line)) check(named && named < next_line(line), "README.md: step %d is in%s", step_of(line), file);
    }
    check_page("notebooks/TOUR.md", 2);
}

/* =====================================================================================================================
 * Links
 * ================================================================================================================== */

/* A heading as the web site makes an anchor of it: small letters and digits, hyphens for blanks, the rest left out. */
static void anchor_of(const char *heading, char anchor[256])
{
    size_t n = 0;
    for (const unsigned char *c = (const unsigned char *)heading; *c && *c != '\n' && n < 255; c++)
        if (isalnum(*c) || *c == '-' || *c == '_' || *c >= 0x80) anchor[n++] = (char)tolower(*c);
        else if (*c == ' ') anchor[n++] = '-';
    anchor[n] = 0;
}

static bool has_anchor(const char *path, const char *anchor)
{
    char *text = text_of(path), made[256];
    bool found = false, block = false;
    for (const char *line = text ? text : ""; *line && !found; line = next_line(line)) {
        if (begins(line, "```")) block = !block;
        if (block || *line != '#') continue;
        anchor_of(line + strspn(line, "#") + 1, made);
        found = !strcmp(made, anchor);
    }
    free(text);
    return found;
}

/* One link of a page, without its parentheses. What leads into the web is not followed. */
static void check_link(const char *page, const char *link)
{
    char path[1024];
    const char *slash = strrchr(page, '/'), *anchor = strchr(link, '#');
    if (begins(link, "https://") || begins(link, "http://")) return;
    const int folder = slash ? (int)(slash - page) + 1 : 0;
    const int length = anchor ? (int)(anchor - link) : (int)strlen(link);
    if (length) snprintf(path, sizeof path, "%.*s%.*s", folder, page, length, link);
    else snprintf(path, sizeof path, "%s", page);
    if (!check(!access(path, R_OK), "%s: a link leads to %s, which is not there", page, path)) return;
    check(!anchor || has_anchor(path, anchor + 1), "%s: %s has no heading for %s", page, path, anchor ? anchor : "");
}

static int check_links(const char *page)
{
    int links = 0;
    bool block = false;
    char *text = text_of(page);
    for (const char *line = text ? text : ""; *line; line = next_line(line)) {
        const char *end = next_line(line);
        if (begins(line, "```")) block = !block;
        for (const char *at = line; !block && (at = strstr(at, "](")) != NULL && at < end; at++) {
            char link[512];
            snprintf(link, sizeof link, "%.*s", (int)strcspn(at + 2, ")\n"), at + 2);
            check_link(page, link);
            links++;
        }
    }
    free(text);
    return links;
}

static void links_of_every_page_lead_to_files_and_headings(void)
{
    int links = 0, found = 0;
    char page[512];
    if (!pages()) return;
    run("find . -name .git -prune -o -name build -prune -o -name '*.md' -print | sort");
    static char list[sizeof output];
    memcpy(list, output, sizeof list);
    for (const char *line = list; *line; line = next_line(line), found++) {
        snprintf(page, sizeof page, "%.*s", (int)strcspn(line, "\n") - 2, line + 2);
        links += check_links(page);
    }
    check(found >= 15 && links >= 100, "%d pages with %d links", found, links);
}

const Test readme_tests[] = {
    {"the_readme_is_short", the_readme_is_short},
    {"numbers_of_the_readme_are_those_of_the_files", numbers_of_the_readme_are_those_of_the_files},
    {"numbers_of_the_readme_are_what_the_commands_print", numbers_of_the_readme_are_what_the_commands_print},
    {"no_number_of_the_readme_is_without_a_check", no_number_of_the_readme_is_without_a_check},
    {"what_the_readme_shows_is_printed", what_the_readme_shows_is_printed},
    {"the_hash_of_the_readme_is_what_its_commands_print", the_hash_of_the_readme_is_what_its_commands_print},
    {"the_commands_of_the_readme_run", the_commands_of_the_readme_run},
    {"the_targets_of_the_readme_are_in_the_makefile", the_targets_of_the_readme_are_in_the_makefile},
    {"functions_that_readme_and_tour_name_head_their_steps", functions_that_readme_and_tour_name_head_their_steps},
    {"links_of_every_page_lead_to_files_and_headings", links_of_every_page_lead_to_files_and_headings},
    {NULL, NULL},
};
