/* fuzz.c - what the fuzz targets share. See fuzz.h. */
#define _XOPEN_SOURCE 700               /* nftw */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static void too_slow(int number)
{
    (void)number;
    fuzz_expect(false, "20 seconds of the processor for one input");
}

void fuzz_begin(void)
{
    static bool ready;
    const struct itimerval limit = {.it_value = {.tv_sec = 20}};
    if (!ready) signal(SIGPROF, too_slow);
    ready = true;
    setitimer(ITIMER_PROF, &limit, NULL);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Files
 * ------------------------------------------------------------------------------------------------------------------ */
static char directory[200];

static struct {                         /* files that stay open: overwriting one costs two system calls */
    char name[64];
    int fd;
} files[16];
static size_t file_count;

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static void remove_directory(void)
{
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* $FUZZ_DIRECTORY is run.sh's, which removes it even if a finding ends this process. */
static void make_directory(void)
{
    const char *parent = getenv("FUZZ_DIRECTORY");
    if (!parent || !*parent) parent = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
    snprintf(directory, sizeof directory, "%s/bert-fuzz-XXXXXX", parent);
    fuzz_expect(mkdtemp(directory) != NULL, "%s: no directory could be made", directory);
    atexit(remove_directory);
}

const char *fuzz_path(const char *name)
{
    static char paths[8][300];
    static size_t next;
    if (!directory[0]) make_directory();
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s%s%s", directory, *name ? "/" : "", name);
    return path;
}

/* The descriptor of a file that is made when it is first asked for, and its directory with it. */
static int descriptor(const char *name)
{
    for (size_t i = 0; i < file_count; i++)
        if (!strcmp(files[i].name, name)) return files[i].fd;
    fuzz_expect(file_count < sizeof files / sizeof *files, "%s: one file too many", name);
    char parent[300];
    snprintf(parent, sizeof parent, "%s", fuzz_path(name));
    *strrchr(parent, '/') = 0;
    mkdir(parent, 0700);
    int fd = open(fuzz_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_expect(fd >= 0, "%s: cannot be made", name);
    snprintf(files[file_count].name, sizeof files[0].name, "%s", name);
    files[file_count++].fd = fd;
    return fd;
}

void fuzz_put(const char *name, const uint8_t *bytes, size_t size)
{
    int fd = descriptor(name);
    bool good = (size == 0 || pwrite(fd, bytes, size, 0) == (ssize_t)size) && ftruncate(fd, (off_t)size) == 0;
    fuzz_expect(good, "%s: %zu bytes cannot be written", name, size);
}

void fuzz_remove(const char *name)
{
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i].name, name)) continue;
        close(files[i].fd);
        files[i] = files[--file_count];
        unlink(fuzz_path(name));
        return;
    }
}

uint8_t *fuzz_copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    fuzz_expect(copy != NULL, "out of memory (%zu bytes)", size);
    if (size) memcpy(copy, bytes, size);
    return copy;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Verdicts
 * ------------------------------------------------------------------------------------------------------------------ */
void fuzz_expect(bool ok, const char *format, ...)
{
    if (ok) return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "NOT SO: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

/* A long double is exact up to 2^64 at least on x86, and far off where a product wraps everywhere. */
size_t fuzz_product(const size_t *shape, int rank)
{
    size_t product = 1;
    long double real_product = 1;
    for (int k = 0; k < rank; k++) product *= shape[k], real_product *= (long double)shape[k];
    fuzz_expect(real_product < 18446744073709551616.0L, "a shape of %Lg elements", real_product);
    return product;
}

/* Decodes each character, and asks of the number whether it may be written so: the other way round than a table of
 * allowed bytes. */
size_t fuzz_valid_utf8(const uint8_t *bytes, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t at = 0;
    while (at < size) {
        uint8_t lead = bytes[at];
        size_t length = lead < 0x80 ? 1 : (lead & 0xE0) == 0xC0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 :
                        (lead & 0xF8) == 0xF0 ? 4 : 0;
        if (length == 0 || length > size - at) return at;
        uint32_t code = length == 1 ? lead : lead & (0x7Fu >> length);
        for (size_t i = 1; i < length; i++) {
            if ((bytes[at + i] & 0xC0) != 0x80) return at;
            code = code << 6 | (bytes[at + i] & 0x3F);
        }
        if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return at;
        at += length;
    }
    return at;
}

bool fuzz_is_tame(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] == 0x7F) return false;
        if (bytes[i] == 0xC2 && i + 1 < size && bytes[i + 1] >= 0x80 && bytes[i + 1] < 0xA0) return false;
    }
    return true;
}

void fuzz_expect_status(Status status, const Error *e, const char *allowed)
{
    if (status == BERT_OK) return;
    const uint8_t *text = (const uint8_t *)e->message;
    size_t length = strlen(e->message);
    fuzz_expect(strchr(allowed, '0' + (int)status) != NULL, "status %d is one of %s: %s", (int)status, allowed,
                e->message);
    fuzz_expect(e->status == status, "status %d, but the error has %d", (int)status, (int)e->status);
    fuzz_expect(length > 0 && fuzz_valid_utf8(text, length) == length && fuzz_is_tame(text, length) &&
                !strpbrk(e->message, "\n\t"), "the message is one line for a terminal");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Parts
 * ------------------------------------------------------------------------------------------------------------------ */
uint8_t fuzz_split(FuzzPart *parts, size_t count, const uint8_t *data, size_t size)
{
    uint8_t options = size ? data[0] : 0;
    size_t at = size ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        if (size - at >= 2) length = data[at] | (size_t)data[at + 1] << 8, at += 2;
        if (length > size - at) length = size - at;
        parts[i] = (FuzzPart){data + at, length};
        at += length;
    }
    return options;
}

unsigned fuzz_pick(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

size_t fuzz_mutate_parts(uint8_t *data, size_t size, size_t max_size, unsigned seed, size_t count,
                         FuzzMutator *mutate)
{
    FuzzPart parts[FUZZ_PARTS];
    uint8_t *copy = fuzz_copy(data, size), options = fuzz_split(parts, count, copy, size);
    size_t head = 1 + 2 * count, used = head, which = fuzz_pick(&seed, (unsigned)count + 1);
    if (max_size < head || which == count || max_size > head + count * 0xFFFF) {
        free(copy);
        return LLVMFuzzerMutate(data, size, max_size);      /* the options, the lengths, or whatever it likes */
    }
    for (size_t i = 0; i < count; i++) used += parts[i].size;
    size_t room = max_size > used ? parts[which].size + max_size - used : parts[which].size;
    uint8_t *part = calloc(room + 1, 1);
    fuzz_expect(part != NULL, "out of memory");
    if (parts[which].size) memcpy(part, parts[which].bytes, parts[which].size);
    size_t length = mutate(which, part, parts[which].size, room, fuzz_pick(&seed, 1u << 24));
    parts[which] = (FuzzPart){part, length};

    size_t at = 1;
    data[0] = options;
    for (size_t i = 0; i < count && at + 2 <= max_size; i++) {
        size_t n = parts[i].size < max_size - at - 2 ? parts[i].size : max_size - at - 2;
        if (n > 0xFFFF) n = 0xFFFF;
        data[at] = (uint8_t)n, data[at + 1] = (uint8_t)(n >> 8);
        if (n) memcpy(data + at + 2, parts[i].bytes, n);
        at += 2 + n;
    }
    free(part);
    free(copy);
    return at;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Repairs of a safetensors file
 * ------------------------------------------------------------------------------------------------------------------ */

/* Where `word` stands in text[n], or n. */
static size_t find(const char *text, size_t n, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= n; i++)
        if (!memcmp(text + i, word, length)) return i;
    return n;
}

/* What the dtype and shape in these braces make together; 0 for what is absurd, or not to be understood. */
static size_t bytes_of_entry(const char *text, size_t n)
{
    size_t dtype = find(text, n, "\"dtype\":\""), shape = find(text, n, "\"shape\":["), bytes = 4;
    for (DType d = DTYPE_F32; d <= DTYPE_BOOL; d++) {
        size_t length = strlen(dtype_name(d));
        if (dtype + 9 + length < n && !memcmp(text + dtype + 9, dtype_name(d), length) &&
            text[dtype + 9 + length] == '"') bytes = dtype_size(d);
    }
    size_t value = 0;
    bool digits = false;
    for (size_t i = shape + 9; i < n; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            value = value * 10 + (size_t)(text[i] - '0'), digits = true;
            if (value > 4096) return 0;
            continue;
        }
        if (digits && (bytes *= value) > 4096) return 0;
        value = 0, digits = false;
        if (text[i] == ']') break;
    }
    return bytes;
}

/* Copies a header and writes each data_offsets anew, one after the other; *total is where the last one ends. */
static size_t lay_out(const char *text, size_t n, char *out, size_t room, size_t *total)
{
    static const char key[] = "\"data_offsets\":[";
    size_t used = 0;
    *total = 0;
    for (size_t at = 0; at < n && used + 64 < room; ) {
        if (n - at < sizeof key || memcmp(text + at, key, sizeof key - 1)) {
            out[used++] = text[at++];
            continue;
        }
        size_t begin = at, end = at + find(text + at, n - at, "}");
        while (begin > 0 && text[begin] != '{') begin--;
        size_t bytes = bytes_of_entry(text + begin, end - begin);
        used += (size_t)snprintf(out + used, room - used, "%s%zu,%zu]", key, *total, *total + bytes);
        *total += bytes;
        at += find(text + at, n - at, "]") + 1;
    }
    return used;
}

/* One time in eight anything may change, and nothing is repaired; one time in eight only the data. Else the header's
 * text is changed and its length set right, and mostly the offsets, too. */
size_t fuzz_mutate_safetensors(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    unsigned how = fuzz_pick(&seed, 8);
    if (size < 8 || max_size < 128 || how == 0) return LLVMFuzzerMutate(data, size, max_size);
    uint64_t claimed = 0;
    for (int i = 7; i >= 0; i--) claimed = claimed << 8 | data[i];
    size_t header = claimed < size - 8 ? (size_t)claimed : size - 8, rest = size - 8 - header;
    if (how == 1) return 8 + header + LLVMFuzzerMutate(data + 8 + header, rest, max_size - 8 - header);

    size_t room = max_size - 8, total = rest;
    char *text = calloc(1, room), *fresh = calloc(1, room);
    uint8_t *numbers = fuzz_copy(data + 8 + header, rest);
    fuzz_expect(text && fresh, "out of memory");
    memcpy(text, data + 8, header);
    size_t n = LLVMFuzzerMutate((uint8_t *)text, header, room);
    if (how > 3) n = lay_out(text, n, fresh, room, &total);
    else memcpy(fresh, text, n);
    for (size_t i = 0; i < 8; i++) data[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memcpy(data + 8, fresh, n);
    if (total > room - n) total = room - n;
    for (size_t i = 0; i < total; i++) data[8 + n + i] = i < rest ? numbers[i] : (uint8_t)(i % 4 == 3 ? 0x3F : i);
    free(text), free(fresh), free(numbers);
    return 8 + n + total;
}
