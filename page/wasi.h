/* wasi.h - what POSIX has and wasi-libc lacks, declared for the page's build, which includes this first; page.c has the
 * bodies. Only writing files and making directories need them. */
#ifndef WASI_H
#define WASI_H
#include <sys/types.h>
int mkstemp(char *path);
char *mkdtemp(char *path);
mode_t umask(mode_t mask);
int fchmod(int fd, mode_t mode);
int dup(int fd);
#endif
