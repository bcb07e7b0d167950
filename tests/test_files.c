/* test_files.c - bytes from a disk and from the edge of memory: files read without mmap, reads that give less than was
 * asked for, reads that a signal interrupts; and readers of text that must not look at the byte behind it.
 *
 * files.c is compiled here once more, under names of its own and without mmap, so that its read() can be made to behave
 * as systems do now and then. (A function that files.c gives to everyone needs a line in the two lists below.) */
#define _DEFAULT_SOURCE
#include "formula.h"
#include "test.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* =====================================================================================================================
 * A system that reads as it likes
 * ================================================================================================================== */
static size_t most;                 /* bytes that a read gives at most; 0: what was asked for */
static long interrupt_every;        /* every so many reads a signal comes first; 0: never */
static long end_after, fail_after;  /* the file ends, or the disk fails, after so many reads; 0: never */
static long reads;

static ssize_t read_somehow(int fd, void *memory, size_t size)
{
    reads++;
    if (interrupt_every && reads % interrupt_every == 0) return errno = EINTR, -1;
    if (fail_after && reads > fail_after) return errno = EIO, -1;
    if (end_after && reads > end_after) return 0;
    return read(fd, memory, most && most < size ? most : size);
}

static void read_as(size_t pieces, long interrupts, long end, long failure)
{
    most = pieces, interrupt_every = interrupts, end_after = end, fail_after = failure, reads = 0;
}

Status plain_fail(Error *e, Status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void plain_file_close(FileView *file);
#undef _DEFAULT_SOURCE
#define NO_MMAP
#define read               read_somehow
#define utf8_character     plain_utf8_character
#define escape             plain_escape
#define fail               plain_fail
#define fail_text          plain_fail_text
#define size_mul           plain_size_mul
#define size_add           plain_size_add
#define lengthen_array     plain_lengthen_array
#define ends_with          plain_ends_with
#define wish_large_pages   plain_wish_large_pages
#define file_mapped_at     plain_file_mapped_at
#define file_open          plain_file_open
#define file_close         plain_file_close
#define path_join          plain_path_join
#define file_exists        plain_file_exists
#define refuse_bom         plain_refuse_bom
#define output_interrupted plain_output_interrupted
#define output_open        plain_output_open
#define output_commit      plain_output_commit
#define output_abort       plain_output_abort
#include "weights/files.c"
#undef read
#undef utf8_character
#undef escape
#undef fail
#undef fail_text
#undef size_mul
#undef size_add
#undef lengthen_array
#undef ends_with
#undef wish_large_pages
#undef file_mapped_at
#undef file_open
#undef file_close
#undef path_join
#undef file_exists
#undef refuse_bom
#undef output_interrupted
#undef output_open
#undef output_commit
#undef output_abort

/* =====================================================================================================================
 * Files
 * ================================================================================================================== */
static char directory[256], path[300];

/* A file of so many bytes that follow no short pattern. */
static bool make_file(size_t size)
{
    if (!check(formula_directory(directory), "a directory")) return false;
    snprintf(path, sizeof path, "%s/bytes", directory);
    FILE *f = fopen(path, "wb");
    if (!check(f != NULL, "%s can be written", path)) return false;
    for (uint32_t i = 0; i < size; i++) putc((int)(i * 2654435761u >> 24), f);
    return check(fclose(f) == 0, "%s is written", path);
}

static void remove_file(void)
{
    remove(path);
    formula_remove(directory);
}

/* The file as it is mapped, and as it is read in that manner: the same bytes. */
static void check_same(const char *what)
{
    FileView mapped, plain;
    Error e = {0};
    if (!check(file_open(&mapped, path, &e) == BERT_OK && mapped.mapped, "it is mapped: %s", e.message)) return;
    const bool opened = plain_file_open(&plain, path, &e) == BERT_OK;
    if (check(opened && !plain.mapped, "%s: it is read: %s", what, e.message))
        check(plain.size == mapped.size && !memcmp(plain.data, mapped.data, mapped.size), "%s: the same %zu bytes",
              what,
              mapped.size);
    if (opened) plain_file_close(&plain);
    file_close(&mapped);
}

/* Which file an address belongs to, as the handler of a file that was cut asks: from its first byte to its last. */
static void a_mapping_is_found_by_its_bytes(void)
{
    FileView f;
    Error e;
    if (!make_file(5000) || !check(file_open(&f, path, &e) == BERT_OK && f.mapped, "it is mapped: %s", e.message)) return;
    for (int i = -1; i <= 5000; i++) {
        const char *said = file_mapped_at(f.data + i);
        check((said && !strcmp(said, path)) == (i >= 0 && i < 5000), "byte %d: %s", i, said ? said : "no file");
    }
    FileView other;
    char second[300];
    snprintf(second, sizeof second, "%s/./bytes", directory);                   /* the same file by another name */
    if (check(file_open(&other, second, &e) == BERT_OK && other.mapped, "twice: %s", e.message)) {
        const char *said = file_mapped_at(f.data), *others = file_mapped_at(other.data);
        check(said && !strcmp(said, path), "the first is found beside the second: %s", said ? said : "no file");
        check(others && !strcmp(others, second), "and the second: %s", others ? others : "no file");
        file_close(&other);
        check(file_mapped_at(f.data) != NULL, "and after it is closed");
    }
    const unsigned char *was = f.data;
    file_close(&f);
    check(!file_mapped_at(was) && !file_mapped_at(NULL), "a closed file is none");
    remove_file();
}

static void files_that_are_not_mapped_are_read_to_their_end(void)
{
    if (!make_file(3000003)) return;
    read_as(0, 0, 0, 0), check_same("3 MB at once");
    check(reads == 3, "in %ld pieces of a megabyte", reads);
    read_as(0, 2, 0, 0), check_same("3 MB, every other read interrupted");
    read_as(65521, 3, 0, 0), check_same("3 MB in pieces of 65,521 bytes, every third read interrupted");
    remove_file();
    if (!make_file(300001)) return;
    read_as(7, 0, 0, 0), check_same("7 bytes at a time");
    read_as(7, 100, 0, 0), check_same("7 bytes at a time, interrupted now and then");
    remove_file();
}

static void files_that_fail_while_they_are_read_are_refused(void)
{
    FileView file;
    Error e;
    char expected[100];
    if (!make_file(3000003)) return;
    for (long after = 1; after <= 2; after++) {
        read_as(0, 0, 0, after);
        check(plain_file_open(&file, path, &e) == BERT_FILE && strstr(e.message, "/bytes: cannot be read: "),
              "a disk that fails: %s", e.message);
        read_as(0, 0, after, 0);
        snprintf(expected, sizeof expected, "/bytes: ended at byte %ld, expected 3000003 bytes", after << 20);
        check(plain_file_open(&file, path, &e) == BERT_FILE && strstr(e.message, expected), "it was cut: %s",
              e.message);
    }
    remove_file();
    if (!make_file(0)) return;
    read_as(0, 0, 0, 0);
    if (check(plain_file_open(&file, path, &e) == BERT_OK && file.size == 0 && file.data, "an empty file"))
        plain_file_close(&file);
    remove_file();
}

/* =====================================================================================================================
 * Text at the edge
 * ================================================================================================================== */

/* Two pages, of which the second may not be touched: a reader that looks one byte too far ends the test. */
static unsigned char *pages;
static size_t page;

static bool begin_edge(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) pages = NULL;
    return check(pages && mprotect(pages + page, page, PROT_NONE) == 0, "two pages");
}

static const unsigned char *at_the_edge(const void *bytes, size_t size)
{
    return memcpy(pages + page - size, bytes, size);
}

/* Reads an object with everything in it, value by value. */
static Status read_json(const unsigned char *text, size_t size, Error *e)
{
    JsonReader j;
    char key[64], string[64];
    bool more, flag;
    int64_t integer;
    double number;
    Status s = json_open(&j, "edge", text, size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (*key == 's') s = json_string(&j, string, sizeof string, e);
        else if (*key == 'i') s = json_integer(&j, &integer, e);
        else if (*key == 'n') s = json_number(&j, &number, e);
        else if (*key == 'b') s = json_bool(&j, &flag, e);
        else s = json_skip(&j, e);
    }
    return s == BERT_OK ? json_end(&j, e) : s;
}

/* Every beginning of a text is refused, whatever comes behind it in memory: nothing, or just what it lacks. */
static void no_beginning_of_json_is_read_beyond_its_end(void)
{
    static const char *const texts[] = {
        "{\"s\":\"a\\ud83d\\ude00b\\u00e9\\\\ \xc3\xa9\xf0\x9f\x98\x80\",\"i\":-768}",
        "{\"i\":[],\"s\\ud83d\\ude00\":\"\\ud83d\\udeff\",\"n\":-1.5e-3}", "{\"n\":0.25E+11,\"b\":true,\"b\":false}",
        "{\"x\":[{\"a\":[1,2.5e1,\"\\ud83d\\ude00\"]},null,true,false,{}],\"n\":1}"};
    Error e;
    if (!begin_edge()) return;
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        const size_t size = strlen(texts[t]);
        for (size_t n = 0; n <= size; n++) {
            const Status edge = read_json(at_the_edge(texts[t], n), n, &e);
            const Status behind = read_json((const unsigned char *)texts[t], n, &e);
            check((edge == BERT_OK) == (n == size && t != 1), "%.*s at the edge: %s", (int)n, texts[t], e.message);
            check(edge == behind, "%.*s: what stands behind it does not count: %s", (int)n, texts[t], e.message);
        }
    }
    munmap(pages, 2 * page);
}

/* The same for the tokenizer, whose texts are no C strings either: every beginning, at the edge and with the rest
 * behind it, gives the same ids or the same refusal. */
static void no_beginning_of_a_text_is_read_beyond_its_end(void)
{
static const char text[] = "the [MASK] caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 a\xcc\x88\xcc\xa7 [SEP]x\xf0\x9f\x98\x80"
                               " "
                               "\xef\xac\x81 bank-er\xe2\x80\xa6 [CL";
    const EncodeOptions options = {.segments = -1};
    Tokenizer tokenizer;
    Encoding x[2] = {{0}, {0}};
    Error e = {0};
    if (!begin_edge() || !check(formula_directory(directory), "a directory")) return;
    bool ok = formula_model(directory, "tiny", &e) == BERT_OK &&
              tokenizer_load(&tokenizer, directory, CASE_AUTO, &e) == BERT_OK;
    for (size_t n = 0; check(ok, "the tokenizer is there: %s", e.message) && n < sizeof text; n++) {
        const Text edge = {(const char *)at_the_edge(text, n), n}, behind = {text, n};
        const Status s = encode(&tokenizer, edge, &edge, &options, &x[0], &e);
        const Status t = encode(&tokenizer, behind, &behind, &options, &x[1], &e);
        check(s == t, "%zu bytes: %d and %d: %s", n, (int)s, (int)t, e.message);
        check(s != BERT_OK || (x[0].T == x[1].T && !memcmp(x[0].input_ids, x[1].input_ids, (size_t)x[0].T * 4)),
              "%zu bytes: the same ids", n);
    }
    if (ok) tokenizer_free(&tokenizer);
    encoding_free(&x[0]), encoding_free(&x[1]);
    formula_remove(directory);
    munmap(pages, 2 * page);
}

/* Half a million pieces in no order: as many as large honest vocabularies have, of which none is refused as one that
 * was made to collide. */
static void a_vocabulary_of_half_a_million_pieces_is_read(void)
{
    enum { PIECES = 520000 };
    Tokenizer tokenizer;
    Error e = {0};
    uint64_t state = 1;
    char piece[16] = "", sample[3][16];
    if (!check(formula_directory(directory), "a directory")) return;
    snprintf(path, sizeof path, "%s/vocab.txt", directory);
    FILE *f = fopen(path, "w");
    if (!check(f != NULL, "vocab.txt can be written")) return;
    fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", f);
    for (int i = 0; i < PIECES; i++) {
        for (int k = 0; k < 9; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            piece[k] = (char)('a' + (state >> 33) % 26);
        }
        fprintf(f, "%s\n", piece);
        if (i % 200000 == 100000) strcpy(sample[i / 200000], piece);
    }
    fclose(f);
    if (check(tokenizer_load(&tokenizer, directory, CASE_AUTO, &e) == BERT_OK, "it is read: %s", e.message)) {
        check(tokenizer.V == PIECES + 5, "%d pieces", tokenizer.V);
        for (int i = 0; i < 3; i++)
            check(tokenizer_id(&tokenizer, sample[i], 9) == 5 + 100000 + 200000 * i, "%s is found", sample[i]);
        tokenizer_free(&tokenizer);
    }
    remove_file();
}

const Test files_tests[] = {
    {"a_mapping_is_found_by_its_bytes", a_mapping_is_found_by_its_bytes},
    {"files_that_are_not_mapped_are_read_to_their_end", files_that_are_not_mapped_are_read_to_their_end},
    {"files_that_fail_while_they_are_read_are_refused", files_that_fail_while_they_are_read_are_refused},
    {"no_beginning_of_json_is_read_beyond_its_end", no_beginning_of_json_is_read_beyond_its_end},
    {"no_beginning_of_a_text_is_read_beyond_its_end", no_beginning_of_a_text_is_read_beyond_its_end},
    {"a_vocabulary_of_half_a_million_pieces_is_read", a_vocabulary_of_half_a_million_pieces_is_read},
    {NULL, NULL},
};
