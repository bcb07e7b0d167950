/* wasi.h - what POSIX has and wasi-libc lacks, for tests/bits.sh, which builds print_bits for WebAssembly with this
 * header before everything else. print_bits writes the formula models into a directory of its own, so it needs the first
 * three; nothing calls the others. */
#ifndef BITS_WASI_H
#define BITS_WASI_H
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The Xs at the end become a number that is in use by nobody; `make_it` says whether it is. */
static inline int first_free_name(char *path, int (*make_it)(const char *path))
{
    const size_t length = strlen(path);
    for (unsigned number = 0; number < 1000000; number++) {
        unsigned rest = number;
        for (size_t i = 1; i <= 6 && i <= length; i++, rest /= 10) path[length - i] = (char)('0' + rest % 10);
        const int made = make_it(path);
        if (made >= 0 || errno != EEXIST) return made;
    }
    return -1;
}

static inline int new_directory(const char *path) { return mkdir(path, 0700); }
static inline int new_file(const char *path) { return open(path, O_RDWR | O_CREAT | O_EXCL, 0600); }
static inline char *mkdtemp(char *path) { return first_free_name(path, new_directory) >= 0 ? path : NULL; }
static inline int mkstemp(char *path) { return first_free_name(path, new_file); }
static inline mode_t umask(mode_t mask) { return mask; }
static inline int fchmod(int fd, mode_t mode) { return (void)fd, (void)mode, 0; }     /* WASI knows no modes */
static inline int dup(int fd) { return (void)fd, errno = ENOSYS, -1; }
#endif
