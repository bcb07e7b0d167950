/* shell.h - a command, what it prints, its exit code: for tests of the program from outside. Included by the test files
 * that start ./bert; each has buffers of its own. */
#ifndef SHELL_H
#define SHELL_H
#include "formula.h"
#include "test.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char tiny[256];              /* a directory that holds the model "tiny": V 101, P 32, L 2, H 24, A 3, F 56 */
static char output[1 << 20];        /* what the last command printed, NUL-terminated */

/* Runs a shell command (printf rules); its stdout goes to `output`. Returns its exit code, -1 if it did not exit. */
static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    output[0] = 0;
    fflush(stdout);
    FILE *pipe = popen(command, "r");
    if (!pipe) return -1;
    output[fread(output, 1, sizeof output - 1, pipe)] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool tiny_model(void)
{
    Error e = {0};
    bool ok = formula_directory(tiny) && formula_model(tiny, "tiny", &e) == BERT_OK;
    return check(ok, "the tiny model is written: %s", e.message);
}
#endif
