/* files.c - bytes in and out. Everything here is plumbing: nothing in this file knows what
 * a BERT is.
 *
 *     1 errors           one sentence, safe to print on a terminal
 *     2 sizes            products and sums that cannot wrap
 *     3 input files      mapped into memory, or read where mapping does not work
 *     4 output files     whole or not at all
 *
 * Files are taken as hostile: a length that a file states is a claim, and is compared with
 * what is really there before it is used for anything.
 */
#define _DEFAULT_SOURCE                 /* madvise, which POSIX has not */
#include "weights/weights.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * 1 errors
 * ------------------------------------------------------------------------------------------------------------------ */

/* Length of the UTF-8 character at p (n bytes left), or 0 if there is none: the table of
 * RFC 3629, section 4.
 *
 *     1 byte    00..7F
 *     2 bytes   C2..DF 80..BF
 *     3 bytes   E0 A0..BF 80..BF    E1..EF 80..BF 80..BF    (but ED 80..9F: no surrogates)
 *     4 bytes   F0 90..BF ...       F1..F3 80..BF ...       F4 80..8F ...
 *
 * Trap: a decoder that only looks at the leading bits accepts C0 80 as U+0000 and ED A0 80
 * as a surrogate. */
int utf8_character(const unsigned char *p, size_t n)
{
    if (n == 0) return 0;
    unsigned char lead = p[0], low = 0x80, high = 0xBF;
    int length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || n < (size_t)length) return 0;
    if (lead == 0xE0) low = 0xA0;       /* overlong */
    if (lead == 0xED) high = 0x9F;      /* surrogates */
    if (lead == 0xF0) low = 0x90;       /* overlong */
    if (lead == 0xF4) high = 0x8F;      /* above U+10FFFF */
    /* The narrowed range is that of the second byte only; all further ones are 80..BF. */
    for (int i = 1; i < length; i++, low = 0x80, high = 0xBF)
        if (p[i] < low || p[i] > high) return 0;
    return length;
}

/* True for what a terminal may act upon: C0 controls, DEL, and the C1 controls
 * U+0080..U+009F. */
static bool is_control(const unsigned char *p, int length)
{
    return (length == 1 && (p[0] < 0x20 || p[0] == 0x7F)) || (length == 2 && p[0] == 0xC2 && p[1] < 0xA0);
}

/* Copies `from` to `to`, with \xNN for control characters and for bytes that are no UTF-8; cuts what does not fit.
 *
 * Why: names come from files. A tensor called ESC [ 2 J must not clear the screen of whoever reads the message.
 * Why strnlen: a byte becomes at least one byte, so that more than `capacity` of them are never looked at. */
size_t escape(char *to, size_t capacity, const char *from)
{
    const unsigned char *p = (const unsigned char *)from;
    size_t left = strnlen(from, capacity), used = 0;
    while (left > 0) {
        int length = utf8_character(p, left);
        bool plain = length > 0 && !is_control(p, length);
        if (used + 5 > capacity) break;             /* 4 bytes at most, and the NUL */
        if (plain) memcpy(to + used, p, (size_t)length);
        else snprintf(to + used, 5, "\\x%02x", p[0]);
        used += plain ? (size_t)length : 4;
        p += plain ? length : 1;
        left -= plain ? (size_t)length : 1;
    }
    to[used] = 0;
    return (size_t)(p - (const unsigned char *)from);
}

/* The place and the sentence, made safe to print, into an Error that is empty otherwise. */
static void put_sentence(Error *e, const char *place, const char *format, va_list arguments)
{
    char text[sizeof e->message];
    const size_t used = strlen(place);
    memcpy(text, place, used);
    int wanted = vsnprintf(text + used, sizeof text - used, format, arguments);
    if (wanted < 0) text[used] = 0;
    if (wanted >= (int)(sizeof text - used)) memcpy(text + sizeof text - 4, "...", 4);
    *e = (Error){0};
    escape(e->message, sizeof e->message, text);
}

/* Writes the sentence and returns the status, so that a check and its failure are one line:
 *
 *     if (size < 8) return fail(e, BERT_FILE, "%s: found %zu bytes, expected at least 8", path, size);
 *
 * The sentence first goes to a buffer of its own, so that e->message itself may be one of
 * the arguments. What does not fit is cut, and three dots say so.
 *
 * Why a Status and a sentence, and neither exit nor a print: this is a library; only main.c
 * knows whether there is a terminal, and whether the caller would rather go on. */
Status fail(Error *e, Status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_sentence(e, "", format, arguments);
    va_end(arguments);
    e->status = status;
    return status;
}

/* Whoever knows more than the byte (which line, which file) puts that in its place: see Error's `reason`. */
Status fail_text(Error *e, int text, size_t byte, const char *format, ...)
{
    char place[64];
    va_list arguments;
    snprintf(place, sizeof place, "byte %zu%s: ", byte, text == 2 ? " of the second text" : "");
    va_start(arguments, format);
    put_sentence(e, place, format, arguments);
    va_end(arguments);
    e->status = BERT_TEXT;
    e->byte = byte;
    e->text = text;
    e->reason = strlen(place);
    return BERT_TEXT;
}

/* Memory can run out anywhere, and always says the same. A size that nobody can have meant
 * shows here, too: a file that claims to be an exabyte is refused by the checks long
 * before, so that this is really about the machine. */
static Status out_of_memory(Error *e, const char *path, size_t size)
{
    return fail(e, BERT_SYSTEM, "%s: out of memory (%zu bytes)", path, size);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * 2 sizes
 * ------------------------------------------------------------------------------------------------------------------ */

/* Trap: in C, 4194305 * 4194305 * 211106198978564 is 4, modulo 2^64. A file with that shape
 * and 4 elements of data passes every check that uses a bare `*`, and is then read far
 * beyond its end. Loaders have shipped with exactly this. */
bool size_mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

/* a + b would exceed SIZE_MAX exactly if a exceeds SIZE_MAX - b, which cannot wrap itself.
 * Comparing a + b with a afterwards would do for unsigned numbers, too, but is a bug as
 * soon as somebody makes them signed. */
bool size_add(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

bool lengthen_array(void *array, size_t size, size_t *room, size_t wanted)
{
    void *memory;                   /* the pointer that `array` points to, of whatever type */
    size_t more, bytes;
    if (wanted <= *room) return true;
    if (!size_mul(wanted, 2, &more) || !size_mul(more, size, &bytes)) return false;
    memcpy(&memory, array, sizeof memory);
    void *larger = realloc(memory, bytes);
    if (!larger) return false;
    memcpy(array, &larger, sizeof larger);
    *room = more;
    return true;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * 3 input files
 * ------------------------------------------------------------------------------------------------------------------ */

/* Asks the system for pages of 2 MB for this memory. Why: a processor remembers where some two thousand pages are, and
 * the intermediates of a long text are more pages of 4 KB than that. With pages of 2 MB, 512 tokens take 1 to 5 % less
 * time. Less than 4 MB is not worth it: the system would fill whole pages with zeros of which little is used. For a
 * mapped file it is the way to read it: Linux brings what it does not have in memory yet in such pages, where the file
 * system can. With the weights in them, 8 tokens take a seventh less. It is a wish: other systems ignore it. */
void wish_large_pages(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = (uintptr_t)memory + size;
    const uintptr_t begin = ((uintptr_t)memory + page - 1) / page * page;
    if (size >= (size_t)4 << 20) (void)madvise((void *)begin, (end - begin) / page * page, MADV_HUGEPAGE);
#else
    (void)memory, (void)size;
#endif
}

/* The one place that knows mmap: `size` bytes of an open file as memory, or NULL if that
 * does not work here.
 *
 * Why: 440 MB of weights are there at once, without reading them; the system fetches each
 * page when it is first used, and two programs that use one model share its memory. NULL is
 * no error: the caller reads the file instead. */
static void *map_file(int fd, size_t size)
{
#ifdef NO_MMAP
    (void)fd, (void)size;
    return NULL;
#else
    if (size == 0) return NULL;         /* POSIX: a mapping has at least one byte */
    void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED) return NULL;
    wish_large_pages(memory, size);
    return memory;
#endif
}

/* The files that are mapped now, for the one message that must not ask anything of the system: which of them was cut.
 * Why the name is made safe to print here: a signal handler may not call printf's family. */
enum { MAPPED_LIMIT = 8 };
static struct {
    const unsigned char *data;
    size_t size;
    char shown[256];
} mapped_files[MAPPED_LIMIT];

/* Notes a mapping in a free place, if there is one. */
static void note_mapping(const FileView *file)
{
    for (int i = 0; i < MAPPED_LIMIT; i++) {
        if (mapped_files[i].data) continue;
        escape(mapped_files[i].shown, sizeof mapped_files[i].shown, file->path);
        mapped_files[i].size = file->size;
        mapped_files[i].data = file->data;
        return;
    }
}

/* Before it is unmapped. */
static void forget_mapping(const FileView *file)
{
    for (int i = 0; i < MAPPED_LIMIT; i++)
        if (mapped_files[i].data == file->data) mapped_files[i].data = NULL;
}

const char *file_mapped_at(const void *address)
{
    const uintptr_t at = (uintptr_t)address;
    for (int i = 0; i < MAPPED_LIMIT; i++) {
        const uintptr_t begin = (uintptr_t)mapped_files[i].data;
        if (begin && at >= begin && at - begin < mapped_files[i].size) return mapped_files[i].shown;
    }
    return NULL;
}

/* Reads all of the file into memory of exactly its size, so that a tool which watches
 * memory sees any step beyond.
 *
 *     read() may return fewer bytes than asked for: then it is asked again
 *     -1 with EINTR: a signal came; nothing is lost, again
 *     0 before the end: somebody shortened the file while we read it */
static Status read_all(FileView *file, int fd, Error *e)
{
    unsigned char *memory = malloc(file->size ? file->size : 1);
    if (!memory) return out_of_memory(e, file->path, file->size);
    file->data = memory;
    for (size_t at = 0; at < file->size; ) {
        size_t wanted = file->size - at < 1 << 20 ? file->size - at : 1 << 20;
        ssize_t got = read(fd, memory + at, wanted);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(e, BERT_FILE, "%s: cannot be read: %s", file->path, strerror(errno));
        if (got == 0)
            return fail(e, BERT_FILE, "%s: ended at byte %zu, expected %zu bytes: it changed while it was read",
                        file->path, at, file->size);
        at += (size_t)got;
    }
    return BERT_OK;
}

/* Why special files are refused: a FIFO never says how long it is, /dev/zero never ends,
 * and a directory opens like a file and then fails to read with a message that helps
 * nobody. */
/* What a path that is no regular file is, in words; NULL if it is one. */
static const char *special_file(mode_t mode)
{
    return S_ISREG(mode) ? NULL : S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO (named pipe)" :
           S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : S_ISSOCK(mode) ? "a socket" : "a special file";
}

/* The size of an open file, which must be a regular one. */
static Status regular_size(FileView *file, int fd, Error *e)
{
    struct stat info;
    if (fstat(fd, &info)) return fail(e, BERT_FILE, "%s: %s", file->path, strerror(errno));
    const char *special = special_file(info.st_mode);
    if (special) return fail(e, BERT_FILE, "%s: is %s, expected a file", file->path, special);
    if (info.st_size < 0 || (uintmax_t)info.st_size > SIZE_MAX)
        return fail(e, BERT_FILE, "%s: has %jd bytes, too many for this machine", file->path, (intmax_t)info.st_size);
    file->size = (size_t)info.st_size;
    return BERT_OK;
}

/* A copy of a repository that was made without git-lfs has a text of three lines in the place of each large file:
 * which kind of pointer it is, the SHA-256 and the size of what it stands for. */
static Status refuse_pointer(const FileView *file, Error *e)
{
    static const char first[] = "version https://git-lfs.github.com/spec/";
    if (file->size < sizeof first - 1 || file->size > 1024 || memcmp(file->data, first, sizeof first - 1))
        return BERT_OK;
    return fail(e, BERT_FILE, "%s: is a Git LFS pointer, not the file itself: `git lfs pull` fetches it", file->path);
}

/* path -> file->data, file->size. Every stage either succeeds or leaves a sentence; what
 * was acquired by then is released at the end, in one place.
 *
 *     1 open      may fail: no such file, no permission
 *     2 size      may fail: no regular file
 *     3 map       may fail without harm: then
 *     4 read      may fail: an error of the disk
 *
 * Trap: a mapped file that somebody else shortens loses its last pages, and touching them
 * ends the program by a signal (SIGBUS). Replacing a file by renaming, as OutputFile does,
 * is harmless: the mapping keeps the old one. */
Status file_open(FileView *file, const char *path, Error *e)
{
    *file = (FileView){0};
    file->path = malloc(strlen(path) + 1);
    if (!file->path) return out_of_memory(e, path, strlen(path) + 1);
    strcpy(file->path, path);

    /* O_NONBLOCK: opening a FIFO must not wait for a writer */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    Status status = fd < 0 ? fail(e, BERT_FILE, "%s: cannot be opened: %s", path, strerror(errno)) : BERT_OK;
    if (status == BERT_OK) status = regular_size(file, fd, e);
    if (status == BERT_OK) {
        file->data = map_file(fd, file->size);
        file->mapped = file->data != NULL;
        if (file->mapped) note_mapping(file);
        else status = read_all(file, fd, e);
    }
    if (status == BERT_OK) status = refuse_pointer(file, e);
    if (fd >= 0) close(fd);                                     /* a mapping stays when its file is closed */
    if (status != BERT_OK) file_close(file);
    return status;
}

/* Releases what file_open took; safe on a zeroed FileView and after a failed file_open. The
 * casts take the `const` away, which says that nobody writes through this pointer, and is
 * true. */
void file_close(FileView *file)
{
    if (file->mapped) {
        forget_mapping(file);
        munmap((void *)(uintptr_t)file->data, file->size);
    } else free((void *)(uintptr_t)file->data);
    free(file->path);
    *file = (FileView){0};
}

Status path_join(char **path, const char *directory, const char *name, Error *e)
{
    size_t size;
    if (!size_add(strlen(directory), strlen(name), &size) || !size_add(size, 2, &size) || !(*path = malloc(size)))
        return fail(e, BERT_SYSTEM, "%s: out of memory", directory);
    snprintf(*path, size, "%s/%s", directory, name);
    return BERT_OK;
}

/* Whether directory/name is there, of any kind. For choosing between files; to read one, file_open has the last word.
 *
 * Trap: stat also fails for a file that is there: in a directory that may not be searched, on a disk that does not
 * answer. A tokenizer_config.json that is taken for missing changes the answers and nobody knows why. So only those
 * reasons that say "not there" mean no; after any other one file_open fails, too, and gives the reason.
 * Why no malloc: it might fail, and there is no way here to say so. A longer path is none for the system either. */
bool file_exists(const char *directory, const char *name)
{
    char path[4096];
    struct stat info;
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path) return false;
    return stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG && errno != ELOOP);
}

/* Some editors, most of them on Windows, put U+FEFF in front of a text and do not show it. */
Status refuse_bom(const char *path, const unsigned char *text, size_t size, Error *e)
{
    if (size < 3 || memcmp(text, "\xEF\xBB\xBF", 3) != 0) return BERT_OK;
    return fail(e, BERT_FILE, "%s: byte 1: begins with a byte order mark (EF BB BF): save the file without it "
                "(\"UTF-8\", not \"UTF-8 with BOM\")", path);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * 4 output files
 * ------------------------------------------------------------------------------------------------------------------ */

/* Opens `path.tmp-XXXXXX`, X chosen by mkstemp, with the permissions of the file that it
 * will replace, or those that a new file would have: what was private stays private.
 *
 * Why: writing to `path` itself would destroy the old file before the new one is known to
 * be good. It would even destroy the input, if input and output are one file: the input is
 * mapped, and truncating it takes its pages away. */
static Status open_temporary(OutputFile *out, Error *e)
{
    int fd = mkstemp(out->temporary);                           /* creates with mode 0600: only for us */
    if (fd < 0) return fail(e, BERT_SYSTEM, "%s: cannot be created: %s", out->path, strerror(errno));
    mode_t mask = umask(0);                                     /* the only way to ask for it is to set it */
    umask(mask);
    struct stat old;
    mode_t mode = stat(out->path, &old) == 0 ? old.st_mode & 0777 : 0666 & ~mask;
    if (fchmod(fd, mode) == 0) out->stream = fdopen(fd, "wb");
    if (out->stream) return BERT_OK;
    int reason = errno;
    close(fd);
    unlink(out->temporary);
    return fail(e, BERT_SYSTEM, "%s: cannot be created: %s", out->path, strerror(reason));
}

/* The temporary file that is being written, for a program that is interrupted: the latest one, if there are several.
 * It is set before the file is made, and forgotten before its memory is freed. */
static char *volatile unfinished;

/* Why so little: a signal comes between any two instructions, and then only a few functions may be called. unlink is
 * one of them; free and fclose are not (POSIX, 2.4.3). */
void output_interrupted(void)
{
    char *path = unfinished;
    if (path) unlink(path);
}

/* A directory is refused; a device or FIFO (/dev/null, /dev/stdout) is written in place,
 * since renaming would replace it. "-" is standard output, by a second descriptor: output_commit
 * closes that one. */
static Status open_any(OutputFile *out, Error *e)
{
    struct stat info;
    const bool standard = !strcmp(out->path, "-");
    if (!standard && (stat(out->path, &info) != 0 || S_ISREG(info.st_mode))) return open_temporary(out, e);
    if (!standard && S_ISDIR(info.st_mode))
        return fail(e, BERT_SYSTEM, "%s: is a directory, expected a file name", out->path);
    unfinished = NULL;
    free(out->temporary);
    out->temporary = NULL;
    int fd = standard ? dup(STDOUT_FILENO) : -1;
    out->stream = !standard ? fopen(out->path, "wb") : fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!out->stream && fd >= 0) close(fd);
    return out->stream ? BERT_OK : fail(e, BERT_SYSTEM, "%s: cannot be opened: %s", out->path, strerror(errno));
}

/* All pointers of a finished OutputFile are NULL again, which is what makes output_abort
 * safe to call twice. */
static void output_free(OutputFile *out)
{
    if (unfinished == out->temporary) unfinished = NULL;
    free(out->path);
    free(out->temporary);
    *out = (OutputFile){0};
}

/* How an output file comes into being:
 *
 *     output_open      weights/model.safetensors.tmp-a8Fq2x     is written, beside its final place: on the same disk
 *     output_commit    weights/model.safetensors                by rename, which is one indivisible step for everybody
 *     output_abort     nothing                                  the old file, if there was one, was never touched
 *
 * Differs: an output path that is a symbolic link is replaced by the file, as by most
 * programs that rename. */
Status output_open(OutputFile *out, const char *path, Error *e)
{
    *out = (OutputFile){0};
    size_t size = strlen(path) + sizeof ".tmp-XXXXXX";
    out->path = malloc(size);
    out->temporary = malloc(size);
    Status status = BERT_OK;
    if (!out->path || !out->temporary) status = out_of_memory(e, path, size);
    if (status == BERT_OK) {
        strcpy(out->path, path);
        snprintf(out->temporary, size, "%s.tmp-XXXXXX", path);
        unfinished = out->temporary;
        status = open_any(out, e);
    }
    if (status != BERT_OK) output_free(out);
    return status;
}

/* Everything that can still go wrong with a file goes wrong here, and is looked at in this
 * order: an earlier write (the stream remembers), the buffer's last bytes, the close, the
 * rename.
 *
 * Trap: a full disk shows only when the buffer is flushed. fclose's answer counts as much
 * as that of any fwrite; a program that ignores it reports success and leaves half a file.
 *
 * Why no fsync: it protects against a power failure within seconds, and costs seconds. What
 * is lost then can be made again. */
Status output_commit(OutputFile *out, Error *e)
{
    assert(out->stream);
    errno = 0;
    bool good = !ferror(out->stream) && fflush(out->stream) == 0;
    if (fclose(out->stream) != 0) good = false;
    out->stream = NULL;
    if (good && out->temporary) good = rename(out->temporary, out->path) == 0;
    Status status = BERT_OK;
    if (!good) {
        status = fail(e, BERT_SYSTEM, "%s: cannot be written: %s", out->path, errno ? strerror(errno) : "write error");
        if (out->temporary) unlink(out->temporary);
    }
    output_free(out);
    return status;
}

/* The end of a failed run. What is half written is of no use to anybody: a cut-off file
 * that looks whole is worse. */
void output_abort(OutputFile *out)
{
    if (out->stream) {
        fclose(out->stream);
        if (out->temporary) unlink(out->temporary);
    }
    output_free(out);
}
