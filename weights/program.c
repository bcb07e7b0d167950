/* program.c - what `bert` and `convert` do before anything else: the standard streams and the signals. A program may be
 * started in a strange place, and ended at any moment; neither may cost anybody a file.
 */
#define _XOPEN_SOURCE 700           /* for SA_SIGINFO */
#include "weights/weights.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The name of the program, as its messages begin: "bert: ". */
static char prefix[32];

/* Whoever starts us with a standard stream closed must not find the model file open under its number: take the three
 * places, each opened the wrong way round, so that using it still fails.
 *
 * Trap: a program that is started with `2>&-` gets number 2 for the first file that it opens. If that is the file it
 * writes, its next message goes into the middle of it. */
static void reserve_standard_streams(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0) {
            int opened = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
            if (opened >= 0 && opened != fd) close(opened);
        }
}

/* The program is being ended: no half-written file stays behind, and then the signal acts as it does by default. (The
 * kernel holds it back until this function returns.) */
static void interrupted(int number)
{
    output_interrupted();
    signal(number, SIG_DFL);
    raise(number);
}

/* The first signal that asked for the end, or 0. */
static volatile sig_atomic_t ending;
static const int askings[] = {SIGHUP, SIGINT, SIGTERM};

/* `handler` for each of them that is not ignored. */
static void handle_askings(void (*handler)(int))
{
    struct sigaction now, wanted = {.sa_handler = handler};
    for (size_t i = 0; i < sizeof askings / sizeof *askings; i++)
        if (sigaction(askings[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) sigaction(askings[i], &wanted, NULL);
}

static void ends_soon(int number)
{
    if (!ending) ending = number;
    handle_askings(interrupted);
}

void program_ends_gently(void)
{
    ending = 0;
    handle_askings(ends_soon);
}

int program_ending(void)
{
    return ending;
}

void program_ends(int number)
{
    handle_askings(interrupted);
    raise(number);
}

/* All of it, to standard error: a pipe may take a part at a time. */
static void say(const char *text)
{
    for (size_t left = strlen(text); left > 0; ) {
        ssize_t written = write(STDERR_FILENO, text, left);
        if (written <= 0) return;
        text += written, left -= (size_t)written;
    }
}

/* A file that is mapped into memory was shortened by somebody while we read it, and its last pages are gone. That is a
 * broken input file, and gets a message like any other, with its name. write and _exit are allowed here; printf and
 * exit are not (POSIX, 2.4.3). */
static void file_was_cut(int number, siginfo_t *info, void *context)
{
    const char *path = file_mapped_at(info->si_addr);
    (void)number, (void)context;
    output_interrupted();
    say(prefix);
    say(path ? path : "an input file");
    say(": was shortened while it was read: make sure that nobody writes it, and start again\n");
    _exit(BERT_FILE);
}

/* What the caller told us to ignore (nohup ignores SIGHUP) stays ignored. */
static void handle_signals(void)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGXFSZ};
    struct sigaction now, wanted = {.sa_handler = interrupted}, cut = {.sa_flags = SA_SIGINFO};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) sigaction(ends[i], &wanted, NULL);
    cut.sa_sigaction = file_was_cut;
    sigaction(SIGBUS, &cut, NULL);
}

void program_start(const char *name)
{
    snprintf(prefix, sizeof prefix, "%s: ", name);
    reserve_standard_streams();
    handle_signals();
}
