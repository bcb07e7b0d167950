/* run.c - runs every test (or those whose names contain the first argument) and counts. FIRST_ONLY=1 stops at the first
 * that fails. See test.h. */
#include "formula.h"
#include "test.h"
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool failed, skipped;        /* of the running test */

/* Takes the place of libc's in this program, and turns the order of equal ones round: a comparison that leaves a tie to
 * the library makes another result here than in ./bert, and maybe on another system. (C does not say that qsort keeps
 * the order; glibc's does not always. Merge sort, from the right run first.) */
bool ties_turned = true;
void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    if (n < 2) return;
    const int ties_from = ties_turned ? 0 : 1;
    const size_t half = n / 2;
    char *const left = base, *const right = left + half * size, *const merged = malloc(n * size);
    if (!merged) abort();
    qsort(left, half, size, compare);
    qsort(right, n - half, size, compare);
    for (size_t i = 0, j = 0, k = 0; k < n; k++) {
        const bool from_right = i == half || (j < n - half && compare(left + i * size, right + j * size) >= ties_from);
        memcpy(merged + k * size, from_right ? right + j++ * size : left + i++ * size, size);
    }
    memcpy(base, merged, n * size);
    free(merged);
}

bool check(bool ok, const char *format, ...)
{
    if (ok) return true;
    failed = true;
    va_list args;
    va_start(args, format);
    printf("    not so: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    return false;
}

bool check_close(const char *what, const real *got, const double *want, size_t n, double tolerance)
{
    double largest = -1;
    size_t place = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (isnan(d)) d = INFINITY;                                     /* NaN fails, whatever the tolerance */
        if (d > largest) largest = d, place = i;
    }
    return check(n > 0 && largest <= tolerance, "%s: |%.9g - %.9g| = %.3g at element %zu of %zu, at most %.3g allowed",
                 what, n ? (double)got[place] : 0, n ? want[place] : 0, largest, place, n, tolerance);
}

bool check_value(const char *what, double got, double want, double tolerance)
{
    return check(fabs(got - want) <= tolerance, "%s: %.17g, expected %.17g, at most %.3g off", what, got, want,
                 tolerance);
}

bool check_text(const char *what, const char *got, const char *want)
{
    return check(!strcmp(got, want), "%s: \"%s\", expected \"%s\"", what, got, want);
}

void skip(const char *why)
{
    printf("    SKIPPED: %s\n", why);
    skipped = true;
}

bool real_weights(const char *name)
{
    static char why[512];
    char path[256];
    const char *formula = getenv("FORMULA");
    snprintf(path, sizeof path, "weights/%.100s", name);
    if (formula && *formula == '1') snprintf(why, sizeof why, "FORMULA=1 leaves %s out", path);
    else if (file_exists(path, "model.safetensors")) return true;
    else snprintf(why, sizeof why, "%s is not there: make weights MODEL=%.100s", path, name);
    skip(why);
    return false;
}

bool too_slow(void)
{
    const char *formula = getenv("FORMULA");
    if (!formula || *formula != '1') return false;
    skip("FORMULA=1 leaves out what takes more than half a second");
    return true;
}

static const Test *const suites[] = {
    files_tests, weights_tests, tokenizer_tests, tensor_tests, model_tests, bits_tests, golden_tests, value_tests,
    verify_tests, measure_tests, mistake_tests, habit_tests, cli_tests, sentence_tests, explain_tests, output_tests,
    compare_tests, readme_tests, bring_tests, torch_tests, report_tests, head_tests, span_tests, tag_answer_tests,
    learn_tests, gradients_tests, train_tests, train_task_tests, train_care_tests, teacher_tests, transcript_tests
};
enum { SUITES = sizeof suites / sizeof *suites };

bool test_exists(const char *name)
{
    for (int s = 0; s < SUITES; s++)
        for (const Test *t = suites[s]; t->name; t++)
            if (!strcmp(t->name, name)) return true;
    return false;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Records
 * ------------------------------------------------------------------------------------------------------------------ */
static char recorded[1 << 19];
static size_t recorded_length;

void record(const char *title, const char *text, const char *directory)
{
    const size_t n = strlen(directory), start = recorded_length;
    char *to = recorded + start;
    if (!check(start + strlen(title) + strlen(text) + 8 < sizeof recorded, "%s: the record is full", title)) return;
    to += sprintf(to, "== %s\n", title);
    for (const char *from = text; *from; ) {
        if (n && !strncmp(from, directory, n)) {
            *to++ = '@';
            from += n;
        } else if (!strncmp(from, "-1", 2) && strspn(from + 2, "0123456789") == 2 && !strncmp(from + 4, " dB", 3)) {
            memcpy(to, "-1xx", 4);
            to += 4;
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    if (to[-1] != '\n') *to++ = '\n';
    *to = 0;
    recorded_length = (size_t)(to - recorded);
}

/* The first line that is another one is shown, under its title. */
static void show_difference(const char *path, const char *want, const char *got)
{
    const char *title = got, *line = got;
    for (; *want && *got == *want; got++, want++) {
        if (*got == '\n') line = got + 1;
        if (*got == '\n' && !strncmp(got + 1, "== ", 3)) title = got + 1;
    }
    check(*got == *want, "%s: %.*s:\n      %.*s\n    expected\n      %.*s", path, (int)strcspn(title, "\n"), title,
          (int)strcspn(line, "\n"), line, (int)strcspn(want - (got - line), "\n"), want - (got - line));
}

/* A whole file as a string, "" if there is none; the caller's to free. */
static char *read_text(const char *path)
{
    size_t size = 0;
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    for (size_t n = 1; n > 0; size += n) {
        char *larger = realloc(text, size + (1 << 16) + 1);
        if (!larger) abort();
        text = larger;
        n = f ? fread(text + size, 1, 1 << 16, f) : 0;
        text[size + n] = 0;
    }
    if (f) fclose(f);
    return text;
}

void check_record(const char *path)
{
    char *committed = read_text(path);
    show_difference(path, committed, recorded);
    FILE *f = getenv("NEW_TRANSCRIPT") ? fopen(path, "wb") : NULL;
    if (f) fputs(recorded, f), fclose(f);
    free(committed);
    recorded_length = 0;
    *recorded = 0;
}

void end_record(const char *test)
{
    static const char path[] = "tests/golden/refusals.txt";
    char heading[120];
    if (!recorded_length) return;
    char *committed = read_text(path);
    snprintf(heading, sizeof heading, "# %.100s\n", test);
    char *begin = strstr(committed, heading);
    if (!begin) begin = committed + strlen(committed);
    char *section = *begin ? begin + strlen(heading) : begin, *next = strstr(section, "\n# ");
    next = next ? next + 1 : section + strlen(section);
    const char after = *next;
    *next = 0;
    show_difference(path, section, recorded);
    *next = after;
    FILE *f = getenv("NEW_TRANSCRIPT") ? fopen(path, "wb") : NULL;
    if (f) fprintf(f, "%.*s%s%s%s", (int)(begin - committed), committed, heading, recorded, next), fclose(f);
    free(committed);
    recorded_length = 0;
    *recorded = 0;
}

/* Is the test one of those that LEAVE_OUT names? For tests/check.sh. */
static bool left_out(const char *name)
{
    const char *names = getenv("LEAVE_OUT");
    const size_t n = strlen(name);
    for (const char *at = names; at && (at = strstr(at, name)) != NULL; at += n)
        if ((at == names || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

/* Every name of LEAVE_OUT is that of a test, or the list is out of date. */
static bool all_exist(const char *names)
{
    char name[200];
    int n;
    for (; sscanf(names, "%199s%n", name, &n) == 1; names += n)
        if (!test_exists(name)) {
            printf("LEAVE_OUT names %s, which is no test\n", name);
            return false;
        }
    return true;
}

int main(int argc, char **argv)
{
    const char *skips_fail = getenv("SKIPS_FAIL"), *names = getenv("LEAVE_OUT");
    if (names && !all_exist(names)) return 1;
    const bool first_only = getenv("FIRST_ONLY") != NULL;
    int passes = 0, fails = 0, skips = 0;
    signal(SIGHUP, SIG_DFL);                            /* under nohup, tests of signals would be about nothing */
    for (int s = 0; s < SUITES; s++)
        for (const Test *t = suites[s]; t->name; t++) {
            if ((argc > 1 && !strstr(t->name, argv[1])) || (fails && first_only)) continue;
            failed = skipped = false;
            printf("%s\n", t->name);
            fflush(stdout);
            const int left = formula_directories();
            if (left_out(t->name)) skip("LEAVE_OUT names it");
            else t->run();
            end_record(t->name);
            if (!failed) check(formula_directories() == left, "it leaves no directory behind");
            if (skipped && skips_fail && *skips_fail == '1') failed = true;
            if (failed) printf("    FAILED: %s\n", t->name), fails++;
            else if (skipped) skips++;
            else passes++;
        }
    printf("%d passed, %d failed, %d skipped\n", passes, fails, skips);
    return fails || passes + skips == 0;
}
