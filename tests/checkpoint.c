/* checkpoint.c - the small TensorFlow checkpoint of test_weights.c, written to a directory, for tests/faults.c. */
#define weights_tests tests_that_are_not_run_here
#include "test_weights.c"
#include <stdarg.h>

void write_checkpoint(const char *directory);

/* The tests in there complain to run.c, which is not here: a complaint about the making of a file ends it all. */
bool check(bool ok, const char *format, ...)
{
    if (!ok) abort();
    return format != NULL;
}

bool check_text(const char *what, const char *got, const char *want)
{
    return check(!strcmp(got, want), "%s", what);
}

void skip(const char *why)
{
    check(false, "%s", why);
}

bool too_slow(void)
{
    return true;
}

void write_checkpoint(const char *to)
{
    snprintf(scratch, sizeof scratch, "%s", to);
    put_checkpoint(SOUND);
}
