/* shell.c - see shell.h. */
#define _XOPEN_SOURCE 700           /* posix_openpt */
#include "shell.h"
#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>

char tiny[256];
char output[1 << 20];
size_t output_length;

int run(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    output_length = 0;
    output[0] = 0;
    fflush(stdout);
    FILE *pipe = popen(command, "r");
    if (!pipe) return -1;
    output_length = fread(output, 1, sizeof output - 1, pipe);
    output[output_length] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The same with a terminal as its stdout, as a pseudo-terminal is one. It writes CR LF for LF; the CRs go. stderr is
 * not heard. -1 if the system has no terminal to give. */
int run_on_terminal(const char *format, ...)
{
    char command[4096];
    int status = -1;
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    output_length = 0;
    output[0] = 0;
    fflush(stdout);
    const int ours = posix_openpt(O_RDWR | O_NOCTTY);
    const int theirs = ours >= 0 && !grantpt(ours) && !unlockpt(ours) ? open(ptsname(ours), O_RDWR | O_NOCTTY) : -1;
    const pid_t child = theirs < 0 ? -1 : fork();
    if (child == 0) {
        dup2(theirs, STDOUT_FILENO);
        freopen("/dev/null", "w", stderr);
        close(ours);
        close(theirs);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (theirs >= 0) close(theirs);
    for (ssize_t n; child > 0 && (n = read(ours, output + output_length, sizeof output - 1 - output_length)) > 0; )
        output_length += (size_t)n;
    output[output_length] = 0;
    if (child > 0) waitpid(child, &status, 0);
    if (ours >= 0) close(ours);
    char *to = output;
    for (const char *from = output; *from; from++)
        if (*from != '\r') *to++ = *from;
    *to = 0;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool tiny_model(void)
{
    Error e = {0};
    bool ok = formula_directory(tiny) && formula_model(tiny, "tiny", &e) == BERT_OK;
    return check(ok, "the tiny model is written: %s", e.message);
}

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

void check_record(const char *path)
{
    static char committed[sizeof recorded];
    FILE *f = fopen(path, "rb");
    committed[f ? fread(committed, 1, sizeof committed - 1, f) : 0] = 0;
    if (f) fclose(f);
    show_difference(path, committed, recorded);
    f = getenv("NEW_TRANSCRIPT") ? fopen(path, "wb") : NULL;
    if (f) fputs(recorded, f), fclose(f);
    recorded_length = 0;
    *recorded = 0;
}
