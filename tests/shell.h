/* shell.h - a command, what it prints, its exit code: for tests of the program from outside. */
#ifndef SHELL_H
#define SHELL_H
#include "formula.h"
#include "test.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char tiny[256];              /* a directory that holds the model "tiny": V 101, P 32, L 2, H 24, A 3, F 56 */
extern char output[1 << 20];        /* what the last command printed, NUL-terminated */
extern size_t output_length;        /* bytes of it: it may hold NULs */

/* Runs a shell command (printf rules); its stdout goes to `output`. Returns its exit code, -1 if it did not exit. */
int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with a pseudo-terminal as its stdout; its CRs are dropped, stderr is not heard. */
int run_on_terminal(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool have_terminal(void);           /* false, and the running test is skipped: the system gives none */
bool tiny_model(void);              /* makes it; false fails the running test */

/* Checks that a command on `tiny`, without its `bert` and `-m`, answers a line of a pipe before it reads the next. */
void answers_each_line(const char *command, const char *line);

/* For tests of `bert train`. */
extern char work[256];              /* a directory for what is trained */
bool make_work(void);               /* makes it, and `tiny`; false fails the running test */
void remove_work(void);             /* removes both, with all that is in them */
/* Checks that model and state in two directories of `work` are equal. */
bool same_model(const char *a, const char *b);
/* The number behind a key of the log's last line that has it; -1 if none has. */
double logged(const char *directory, const char *key);

/* What verify wrote to a temporary file, which is closed; lines that were wrapped are whole. */
void read_report(FILE *report, char *said, size_t capacity);
#endif
