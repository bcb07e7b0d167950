/* files.c - bytes in and out. Everything here is plumbing: nothing in this file knows what
 * a BERT is.
 *
 *     1 errors           one sentence, safe to print on a terminal
 *     2 sizes            products and sums that cannot wrap
 *     3 input files      mapped into memory, or read where mapping does not work
 *     4 output files     whole or not at all
 *     5 JSON             a reader that is pulled value by value: no recursion, no allocation
 *     6 SHA-256          the name of a file's contents
 *
 * Files are taken as hostile: a length that a file states is a claim, and is compared with
 * what is really there before it is used for anything.
 */
#define _DEFAULT_SOURCE                 /* madvise, which POSIX has not */
#include "../bert.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
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
static int utf8_character(const unsigned char *p, size_t n)
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
    char text[sizeof e->message];
    /* 1. the sentence */
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (wanted < 0) text[0] = 0;
    if (wanted >= (int)sizeof text) memcpy(text + sizeof text - 4, "...", 4);
    /* 2. made safe to print */
    escape(e->message, sizeof e->message, text);
    e->status = status;
    return status;
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

/* ---------------------------------------------------------------------------------------------------------------------
 * 5 JSON (RFC 8259)
 *
 * The reader keeps its own small stack: the kind of every open object and array. Text can be nested as deep as it
 * likes, it only reaches the limit and is refused.
 *
 * Trap: a parser in which a value calls itself for the values inside has its stack on the machine's stack, and a file
 * of 100 MB of `[` overflows that.
 * ------------------------------------------------------------------------------------------------------------------ */

/* "path: JSON, byte 17: found 'x', expected a number". The byte counts from the start of
 * the file. */
static Status json_fail(const JsonReader *j, Error *e, size_t at, const char *expected)
{
    char found[32] = "the end of the text";
    int length = at < j->size ? utf8_character(j->text + at, j->size - at) : 0;
    if (at < j->size) snprintf(found, sizeof found, "'%.*s'", length, (const char *)j->text + at);
    return fail(e, BERT_FILE, "%s: JSON, byte %zu: found %s, expected %s", j->path, j->base + at, found, expected);
}

/* White space of JSON is these four characters. U+00A0 and the others of Unicode are no
 * white space here. */
static void skip_space(JsonReader *j)
{
    while (j->at < j->size) {
        unsigned char c = j->text[j->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') break;
        j->at++;
    }
}

/* The next byte that is not white space, without taking it; 0 at the end, which is no
 * character that JSON has a use for. */
static unsigned char next_byte(JsonReader *j)
{
    skip_space(j);
    return j->at < j->size ? j->text[j->at] : 0;
}

/* Takes `wanted`, after white space, if it is what comes next. The second condition tells a
 * byte 0 in the text from its end. */
static bool take(JsonReader *j, unsigned char wanted)
{
    if (next_byte(j) != wanted || j->at >= j->size) return false;
    j->at++;
    return true;
}

/* Starts reading: the whole text is checked to be UTF-8 here, once, so that nothing below
 * needs to care, and the outermost object is entered. `base` is where the text begins in
 * its file; offsets in messages then are those of the file.
 *
 * Differs: JSON allows any value at the outermost level. All files that a BERT comes with
 * are objects. */
Status json_open(JsonReader *j, const char *path, const unsigned char *text, size_t size, size_t base, Error *e)
{
    *j = (JsonReader){.path = path, .text = text, .size = size, .base = base};
    if (base == 0 && refuse_bom(path, text, size, e) != BERT_OK) return e->status;
    for (size_t at = 0; at < size; ) {
        int length = utf8_character(text + at, size - at);
        if (length == 0)
            return fail(e, BERT_FILE, "%s: JSON, byte %zu: found 0x%02x, expected UTF-8", path, base + at, text[at]);
        at += (size_t)length;
    }
    return json_begin(j, '{', e);
}

/* Enters an object or array: its kind goes onto the stack, and no member of it has been
 * seen yet. */
Status json_begin(JsonReader *j, char kind, Error *e)
{
    assert(kind == '{' || kind == '[');
    if (next_byte(j) != (unsigned char)kind) return json_fail(j, e, j->at, kind == '{' ? "an object" : "an array");
    if (j->depth == JSON_DEPTH) return json_fail(j, e, j->at, "at most 32 objects and arrays inside each other");
    j->at++;
    j->kind[j->depth] = kind;
    j->first[j->depth] = true;
    j->depth++;
    return BERT_OK;
}

/* Before a member: takes the comma (none before the first), or the bracket that ends it
 * all.
 *
 *     { "a" : 1 , "b" : 2 }        more: true (first, no comma)  true (comma)  false (bracket, the stack is popped)
 *
 * The assert is for callers that ask an object for its next element, or go on after more
 * was false. */
static Status next_member(JsonReader *j, char kind, bool *more, Error *e)
{
    assert(j->depth > 0 && j->kind[j->depth - 1] == kind);
    unsigned char end = kind == '{' ? '}' : ']';
    bool first = j->first[j->depth - 1];
    j->first[j->depth - 1] = false;
    *more = !take(j, end);
    if (!*more) {
        j->depth--;
        return BERT_OK;
    }
    if (!first && !take(j, ',')) return json_fail(j, e, j->at, kind == '{' ? "',' or '}'" : "',' or ']'");
    return BERT_OK;
}

/* Arrays:  while ((s = json_next_element(&j, &more, e)) == BERT_OK && more) s =
 * json_integer(&j, &x, e);
 *
 * A comma is taken by the call after the element, so that [1,] fails where the element is
 * missing: at the bracket. */
Status json_next_element(JsonReader *j, bool *more, Error *e)
{
    return next_member(j, '[', more, e);
}

/* Four hexadecimal digits at j->at, taken; -1 if there are none. */
static long hex4(JsonReader *j)
{
    if (j->size - j->at < 4) return -1;
    long value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = j->text[j->at + (size_t)i];
        int digit = c >= '0' && c <= '9' ? c - '0' :
                    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
                    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    j->at += 4;
    return value;
}

/* The code point of \uXXXX, `\u` taken already. Characters above U+FFFF are written as two
 * of them, a surrogate pair: \ud83d\ude00 is U+1F600. Half a pair is no character: -1. */
static long unicode_escape(JsonReader *j)
{
    long high = hex4(j);
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || j->size - j->at < 2 || memcmp(j->text + j->at, "\\u", 2)) return -1;
    j->at += 2;
    long low = hex4(j);
    if (low < 0xDC00 || low > 0xDFFF) return -1;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* The bytes of a code point, by the table at utf8_character: 6 bits a byte from the last
 * one to the second, the rest in the first, below the bits that tell the length.
 *
 *     U+00E9 = 00011 101001      ->  110|00011 10|101001       =  C3 A9
 *     U+1F600 = 000 011111 011000 000000  ->  F0 9F 98 80 */
static size_t utf8_encode(long c, unsigned char out[4])
{
    static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, c >>= 6) out[i] = (unsigned char)(0x80 | (c & 0x3F));
    out[0] = (unsigned char)(lead[length] | c);
    return length;
}

/* One character of a string, decoded into out[4]; its length, or 0 if it is malformed.
 *
 *     A        41        as it stands: any character but controls, the quote and the backslash
 *     \n       0A        one of eight short escapes; `names` and `values` are parallel
 *     \u00e9   C3 A9     by code point */
static size_t string_character(JsonReader *j, unsigned char out[4])
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    unsigned char c = j->text[j->at];
    if (c < 0x20) return 0;                                     /* control characters must be escaped */
    if (c != '\\') {
        size_t length = (size_t)utf8_character(j->text + j->at, j->size - j->at);
        memcpy(out, j->text + j->at, length);
        j->at += length;
        return length;
    }
    if (++j->at == j->size) return 0;
    c = j->text[j->at++];
    if (c == 'u') {
        long code = unicode_escape(j);
        return code < 0 ? 0 : utf8_encode(code, out);
    }
    const char *name = c ? strchr(names, c) : NULL;
    if (!name) return 0;
    out[0] = (unsigned char)values[name - names];
    return 1;
}

/* A string into text[capacity], NUL-terminated; with text = NULL it is only passed over,
 * whatever its length. `used` never reaches capacity: at least one byte is left for the
 * NUL. */
static Status read_string(JsonReader *j, char *text, size_t capacity, const char *expected, Error *e)
{
    if (!take(j, '"')) return json_fail(j, e, j->at, expected);
    for (size_t used = 0; j->at < j->size; ) {
        if (j->text[j->at] == '"') {
            if (text) text[used] = 0;
            j->at++;
            return BERT_OK;
        }
        unsigned char character[4];
        size_t start = j->at, length = string_character(j, character);
        if (length == 0) return json_fail(j, e, start, "a valid character or escape in a string");
        if (!text) continue;
        /* Trap: a C string ends at U+0000: "a" and "a\u0000b" would be one name. */
        if (character[0] == 0) return json_fail(j, e, start, "a string without U+0000");
        if (length >= capacity - used) return json_fail(j, e, start, "a shorter string");
        memcpy(text + used, character, length);
        used += length;
    }
    return json_fail(j, e, j->at, "'\"' at the end of a string");
}

/* Objects: the next key and its colon; the value is the caller's to read or to skip. With
 * key = NULL the key is skipped. Whether a key may come twice is for the caller to say:
 * JSON itself does not. */
Status json_next_key(JsonReader *j, char *key, size_t capacity, bool *more, Error *e)
{
    Status status = next_member(j, '{', more, e);
    if (status != BERT_OK || !*more) return status;
    status = read_string(j, key, capacity, "a key in '\"'", e);
    if (status != BERT_OK) return status;
    return take(j, ':') ? BERT_OK : json_fail(j, e, j->at, "':'");
}

/* What comes next, by its first byte: enough to tell all seven kinds of values apart. Takes
 * nothing but white space. */
char json_peek(JsonReader *j)
{
    unsigned char c = next_byte(j);
    if (c == '-' || (c >= '0' && c <= '9')) return '0';
    return c && strchr("{[\"tfn", c) ? (char)c : 0;
}

/* A string value. It must fit: a cut-off name would be another name. */
Status json_string(JsonReader *j, char *text, size_t capacity, Error *e)
{
    assert(capacity > 0);
    return read_string(j, text, capacity, "a string", e);
}

/* Passes over [0-9]*. Not isdigit: that asks the locale. */
static void skip_digits(JsonReader *j)
{
    while (j->at < j->size && j->text[j->at] >= '0' && j->text[j->at] <= '9') j->at++;
}

/* Takes a number of JSON's grammar:  -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
 * Its text goes to number[64], unless that is NULL; *integer tells whether it has neither fraction nor exponent. */
static bool take_number(JsonReader *j, char *number, bool *integer)
{
    const unsigned char *t = j->text;
    skip_space(j);
    size_t start = j->at, digits;
    if (j->at < j->size && t[j->at] == '-') j->at++;
    digits = j->at;
    skip_digits(j);
    if (j->at == digits || (t[digits] == '0' && j->at > digits + 1)) return false;  /* none, or 007 */
    *integer = true;
    if (j->at < j->size && t[j->at] == '.') {
        *integer = false;
        digits = ++j->at;
        skip_digits(j);
        if (j->at == digits) return false;
    }
    if (j->at < j->size && (t[j->at] == 'e' || t[j->at] == 'E')) {
        *integer = false;
        j->at++;
        if (j->at < j->size && (t[j->at] == '+' || t[j->at] == '-')) j->at++;
        digits = j->at;
        skip_digits(j);
        if (j->at == digits) return false;
    }
    if (!number) return true;
    if (j->at - start > 63) return false;
    memcpy(number, t + start, j->at - start);
    number[j->at - start] = 0;
    return true;
}

/* A size, an offset, an id. 768.0 and 1e3 are integers to a mathematician, but no program
 * that writes integers writes them so: whoever sends them tests how far readers disagree. */
Status json_integer(JsonReader *j, int64_t *value, Error *e)
{
    char number[64];
    bool integer = false;
    skip_space(j);
    size_t start = j->at;
    bool good = take_number(j, number, &integer) && integer && strcmp(number, "-0") != 0;
    if (good) {
        errno = 0;
        long long v = strtoll(number, NULL, 10);
        good = errno == 0;
        *value = v;
    }
    return good ? BERT_OK : json_fail(j, e, start, "an integer (such as 768, not 768.0 or 1e3)");
}

/* Trap: strtod reads the decimal point of the locale: in a program that has set a German
 * one, "0.5" would be 0. */
Status json_number(JsonReader *j, double *value, Error *e)
{
    char number[64], local[80];
    bool integer;
    skip_space(j);
    size_t start = j->at;
    if (!take_number(j, number, &integer)) return json_fail(j, e, start, "a number");
    char *point = strchr(number, '.');
    const char *separator = localeconv()->decimal_point;
    if (point) snprintf(local, sizeof local, "%.*s%s%s", (int)(point - number), number, separator, point + 1);
    else snprintf(local, sizeof local, "%s", number);
    *value = strtod(local, NULL);
    return isfinite(*value) ? BERT_OK : json_fail(j, e, start, "a number that a double can hold");
}

/* The word that comes next, if it is `word`. */
static bool take_word(JsonReader *j, const char *word)
{
    size_t length = strlen(word);
    skip_space(j);
    if (j->size - j->at < length || memcmp(j->text + j->at, word, length)) return false;
    j->at += length;
    return true;
}

/* true or false; not 1, 0, "true" or null. */
Status json_bool(JsonReader *j, bool *value, Error *e)
{
    *value = take_word(j, "true");
    return *value || take_word(j, "false") ? BERT_OK : json_fail(j, e, j->at, "true or false");
}

/* Passes over one value; of an object or array only the opening bracket. It is checked as
 * closely as a value that is read: what nobody asked for must be JSON as well. */
static Status skip_one(JsonReader *j, Error *e)
{
    char kind = json_peek(j);
    bool integer;
    size_t start = j->at;
    if (kind == '{' || kind == '[') return json_begin(j, kind, e);
    if (kind == '"') return read_string(j, NULL, 0, "a string", e);
    if (kind == '0' && take_number(j, NULL, &integer)) return BERT_OK;
    if (take_word(j, "true") || take_word(j, "false") || take_word(j, "null")) return BERT_OK;
    return json_fail(j, e, start, "a value");
}

/* Steps from value to value, in and out of what is open, until it is as deep as it was at
 * the start.
 *
 *     {"a": [1, {"b": 2}]}   at [        depth    outside, outside+1 at [, outside+2 at {, back to outside at ]
 *
 * A loop, where a recursive function would be two lines shorter: see the trap at the head
 * of this section. */
Status json_skip(JsonReader *j, Error *e)
{
    int outside = j->depth;
    Status status;
    do {
        bool more = true;
        if (j->depth > outside) {
            bool object = j->kind[j->depth - 1] == '{';
            status = object ? json_next_key(j, NULL, 0, &more, e) : json_next_element(j, &more, e);
            if (status != BERT_OK) return status;
        }
        if (more && (status = skip_one(j, e)) != BERT_OK) return status;
    } while (j->depth > outside);
    return BERT_OK;
}

/* After the last bracket nothing may follow: a file that goes on was read wrong, or is two
 * files. */
Status json_end(JsonReader *j, Error *e)
{
    skip_space(j);
    return j->depth == 0 && j->at == j->size ? BERT_OK : json_fail(j, e, j->at, "the end of the text");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * 6 SHA-256 (FIPS 180-4): 64 bytes at a time are mixed into eight 32-bit words, in 64 rounds
 * ------------------------------------------------------------------------------------------------------------------ */

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/* ROTR^n(x) of the standard, 0 < n < 32. Compilers make one instruction of it. */
static uint32_t rotate_right(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* Section 6.2.2, in its letters: W is the message schedule, a..h the working variables. */
static void sha256_block(Sha256 *s, const unsigned char *block)
{
    /* The 16 words of the block, then 48 more, each made of four before it. */
    uint32_t W[64];
    for (int t = 0; t < 16; t++, block += 4)                    /* big-endian, by bytes: the same on every machine */
        W[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotate_right(W[t - 15], 7) ^ rotate_right(W[t - 15], 18) ^ W[t - 15] >> 3;
        uint32_t s1 = rotate_right(W[t - 2], 17) ^ rotate_right(W[t - 2], 19) ^ W[t - 2] >> 10;
        W[t] = W[t - 16] + s0 + W[t - 7] + s1;
    }
    uint32_t a = s->state[0], b = s->state[1], c = s->state[2], d = s->state[3];
    uint32_t e = s->state[4], f = s->state[5], g = s->state[6], h = s->state[7];
    /* 64 rounds: a..h move on by one place; the new a depends on all eight, the new e on
     * five. */
    for (int t = 0; t < 64; t++) {
        uint32_t S1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
        uint32_t T1 = h + S1 + ((e & f) ^ (~e & g)) + sha256_constants[t] + W[t];
        uint32_t S0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
        uint32_t T2 = S0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + T1;
        d = c, c = b, b = a, a = T1 + T2;
    }
    s->state[0] += a, s->state[1] += b, s->state[2] += c, s->state[3] += d;
    s->state[4] += e, s->state[5] += f, s->state[6] += g, s->state[7] += h;
}

/* The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
void sha256_start(Sha256 *s)
{
    *s = (Sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

/* Takes bytes in pieces of any size: whole blocks are mixed in from where they are, the
 * rest waits in s->block. The state after "ab" and "c" is that after "abc". */
void sha256_add(Sha256 *s, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t held = (size_t)(s->length % 64);                     /* bytes that wait in s->block */
    s->length += size;
    while (size > 0) {
        if (held == 0 && size >= 64) {                          /* whole blocks need no copy */
            sha256_block(s, p);
            p += 64, size -= 64;
            continue;
        }
        size_t part = size < 64 - held ? size : 64 - held;
        memcpy(s->block + held, p, part);
        held += part, p += part, size -= part;
        if (held == 64) sha256_block(s, s->block), held = 0;
    }
}

/* The padding: a bit 1, zeros up to 8 bytes before the end of a block, and the length in
 * bits, big-endian. */
void sha256_end(Sha256 *s, char hex[65])
{
    static const unsigned char padding[64] = {0x80};
    uint64_t bits = s->length * 8;
    size_t held = (size_t)(s->length % 64);
    sha256_add(s, padding, held < 56 ? 56 - held : 120 - held);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(s, length, 8);
    for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08" PRIx32, s->state[i]);
}
