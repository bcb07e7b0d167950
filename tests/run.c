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
    verify_tests, mistake_tests, habit_tests, cli_tests, sentence_tests, explain_tests, output_tests, compare_tests,
    readme_tests, bring_tests, torch_tests, report_tests, head_tests, span_tests, tag_answer_tests, learn_tests,
    gradients_tests, train_tests, train_task_tests, teacher_tests, transcript_tests
};
enum { SUITES = sizeof suites / sizeof *suites };

bool test_exists(const char *name)
{
    for (int s = 0; s < SUITES; s++)
        for (const Test *t = suites[s]; t->name; t++)
            if (!strcmp(t->name, name)) return true;
    return false;
}

int main(int argc, char **argv)
{
    const char *skips_fail = getenv("SKIPS_FAIL");
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
            t->run();
            if (!failed) check(formula_directories() == left, "it leaves no directory behind");
            if (skipped && skips_fail && *skips_fail == '1') failed = true;
            if (failed) printf("    FAILED: %s\n", t->name), fails++;
            else if (skipped) skips++;
            else passes++;
        }
    printf("%d passed, %d failed, %d skipped\n", passes, fails, skips);
    return fails || passes + skips == 0;
}
