/* shell.c - see shell.h. */
#define _XOPEN_SOURCE 700           /* posix_openpt */
#include "shell.h"
#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>

char tiny[256], work[256];
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

bool have_terminal(void)
{
    const bool given = run_on_terminal("[ -t 1 ] && echo yes") == 0 && !strcmp(output, "yes\n");
    if (!given) skip("the system gives no pseudo-terminal");
    return given;
}

bool tiny_model(void)
{
    Error e = {0};
    bool ok = formula_directory(tiny) && formula_model(tiny, "tiny", &e) == BERT_OK;
    return check(ok, "the tiny model is written: %s", e.message);
}

bool make_work(void)
{
    return tiny_model() && check(formula_directory(work), "a directory");
}

void remove_work(void)
{
    run("rm -rf '%s'/*", work);
    formula_remove(work);
    formula_remove(tiny);
}

/* The writer of the pipe waits until something was answered before it goes on: were answers held back, it would give up
 * after ten seconds. */
void answers_each_line(const char *command, const char *line)
{
    run("cd %s && { echo '%s'; i=0; while [ ! -s answer ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; wc -c < answer > "
        "first; echo '%s'; } | \"$OLDPWD/bert\" %s -q -m . > answer; echo $? $(cat first) $(wc -c < answer); rm -f answer first",
        tiny, line, line, command);
    int code = -1, first = 0, all = 0;
    sscanf(output, "%d %d %d", &code, &first, &all);
    check(code == 0 && first > 0 && all > first, "%s: %d bytes of %d before the second line is read; exit code %d", command,
          first, all, code);
}

bool same_model(const char *a, const char *b)
{
    static const char *const files[] = {"model.safetensors", "training/state.safetensors"};
    bool same = true;
    for (int i = 0; same && i < 2; i++)
        same = check(run("cmp %s/%s/%s %s/%s/%s 2>&1", work, a, files[i], work, b, files[i]) == 0, "%s", output);
    return same;
}

double logged(const char *directory, const char *key)
{
    if (run("grep -o '\"%s\": [0-9.]*' %s/%s/training/log.jsonl | tail -n 1", key, work, directory) != 0) return -1;
    const char *colon = strchr(output, ':');
    return colon ? atof(colon + 1) : -1;
}

void read_report(FILE *report, char *said, size_t capacity)
{
    rewind(report);
    said[fread(said, 1, capacity - 1, report)] = 0;
    fclose(report);
    for (char *at = said; (at = strstr(at, "\n    ")) != NULL; at++)
        memmove(at, at + 4, strlen(at + 4) + 1), *at = ' ';
}
