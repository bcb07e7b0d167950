/* test_weights.c - files, JSON, checksums, safetensors, checkpoints and their conversion.
 *
 * Most tests make a bad file by hand and demand two things: that it is refused, and that the message names
 * what is wrong,
 * so that a check which refuses for the wrong reason fails, too. Everything lives in one temporary directory.
 */
#include "test.h"

#define main convert_main       /* the converter's own functions are tested from the inside */
#include "weights/convert.c"
#undef main

#include <dirent.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * Helpers: a temporary directory, bytes that grow, files
 * ------------------------------------------------------------------------------------------------------------------ */
static char scratch[64];

static void remove_scratch(void)
{
    DIR *d = opendir(scratch);
    if (!d) return;
    for (struct dirent *entry; (entry = readdir(d)); ) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", scratch, entry->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(scratch);
}

/* The path of a file in the temporary directory; four of them may be in use at a time. */
static const char *in_scratch(const char *name)
{
    static char paths[4][256];
    static int next;
    if (!scratch[0]) {
        strcpy(scratch, "/tmp/bert-test-XXXXXX");
        if (mkdtemp(scratch)) atexit(remove_scratch);
    }
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

typedef struct {
    unsigned char *data;
    size_t size, capacity;
} Buffer;

static void append(Buffer *b, const void *bytes, size_t size)
{
    if (b->size + size >= b->capacity) {
        b->capacity = 2 * (b->size + size) + 64;
        b->data = realloc(b->data, b->capacity);
        if (!b->data) abort();
    }
    if (size) memcpy(b->data + b->size, bytes, size);
    b->size += size;
}

static void append_text(Buffer *b, const char *text)
{
    append(b, text, strlen(text));
}

static void append_little(Buffer *b, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) append(b, &(unsigned char){(unsigned char)(value >> 8 * i)}, 1);
}

static void clear(Buffer *b)
{
    free(b->data);
    *b = (Buffer){0};
}

/* Why unlink: overwriting a file makes some file systems wait for the disk when it is closed, 5 ms each time. */
static void put_file(const char *name, const void *bytes, size_t size)
{
    unlink(in_scratch(name));
    FILE *f = fopen(in_scratch(name), "wb");
    if (!check(f != NULL, "%s can be written", name)) return;
    if (size) fwrite(bytes, 1, size, f);
    fclose(f);
}

/* Files whose names begin like this in the temporary directory. */
static int count_files(const char *beginning)
{
    int count = 0;
    in_scratch("");
    DIR *d = opendir(scratch);
    for (struct dirent *entry; d && (entry = readdir(d)); )
        count += !strncmp(entry->d_name, beginning, strlen(beginning));
    if (d) closedir(d);
    return count;
}

/* The call failed with this status, and its message holds `part`. */
static void expect_failure(const char *what, Status status, const Error *e, Status expected, const char *part)
{
    check(status == expected && e->status == expected, "%s: status %d, expected %d", what, (int)status, (int)expected);
    if (status != BERT_OK) check(strstr(e->message, part) != NULL, "%s: \"%s\" says \"%s\"", what, e->message, part);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * files.c: errors, sizes, files
 * ------------------------------------------------------------------------------------------------------------------ */
static void messages_cannot_control_the_terminal(void)
{
    Error e;
    fail(&e, BERT_FILE, "%s", "\x1b[2J\n\x7f \xc2\x9b \xff \xc3\xa9 \xed\xa0\x80");
    char text[16];
    check(escape(text, sizeof text, "\xc2\xa0\xc2\x9f") == 4 && !strcmp(text, "\xc2\xa0\\xc2\\x9f"),
          "U+009F is the last control character, U+00A0 is none: %s", text);
    check_text("escaped", e.message, "\\x1b[2J\\x0a\\x7f \\xc2\\x9b \\xff \xc3\xa9 \\xed\\xa0\\x80");
    fail(&e, BERT_FILE, "again: %s", e.message);
    check(!strncmp(e.message, "again: \\x1b", 11), "a message may quote itself");
    char all[2000];
    memset(all, 1, sizeof all - 1);
    all[sizeof all - 1] = 0;
    fail(&e, BERT_FILE, "%s", all);
    check(strlen(e.message) < sizeof e.message, "a long message is cut");
}

static void sizes_do_not_wrap(void)
{
    size_t r = 7;
    check(size_mul(3, 5, &r) && r == 15, "3 * 5 is 15");
    check(size_mul(SIZE_MAX, 1, &r) && size_mul(0, SIZE_MAX, &r) && r == 0, "the largest products fit");
    r = 7;
    check(!size_mul(SIZE_MAX / 2 + 1, 2, &r) && r == 7, "2^63 * 2 is refused and leaves the result alone");
    check(!size_add(SIZE_MAX, 1, &r) && r == 7, "2^64 - 1 + 1 is refused and leaves the result alone");
    check(size_add(SIZE_MAX, 0, &r) && r == SIZE_MAX, "the largest sum fits");
}

static void only_regular_files_are_opened(void)
{
    FileView f;
    Error e;
    expect_failure("directory", file_open(&f, "/tmp", &e), &e, BERT_FILE, "is a directory");
    expect_failure("device", file_open(&f, "/dev/null", &e), &e, BERT_FILE, "is a device");
    expect_failure("missing", file_open(&f, in_scratch("none"), &e), &e, BERT_FILE, "No such file");
    if (mkfifo(in_scratch("fifo"), 0600) == 0)
        expect_failure("FIFO", file_open(&f, in_scratch("fifo"), &e), &e, BERT_FILE, "is a FIFO");
    put_file("empty", "", 0);
    check(file_open(&f, in_scratch("empty"), &e) == BERT_OK && f.size == 0, "an empty file is a file");
    file_close(&f);
    put_file("three", "abc", 3);
    check(file_open(&f, in_scratch("three"), &e) == BERT_OK && f.size == 3 && !memcmp(f.data, "abc", 3), "abc is read");
    file_close(&f);
    check(file_exists(scratch, "three") && !file_exists(scratch, "four"), "file_exists tells them apart");
}

static void output_appears_whole_or_not_at_all(void)
{
    OutputFile out;
    FileView f;
    Error e;
    put_file("out", "old", 3);
    check(output_open(&out, in_scratch("out"), &e) == BERT_OK, "opens");
    fputs("half of the new", out.stream);
    output_abort(&out);
    output_abort(&out);                                             /* safe a second time */
    check(file_open(&f, in_scratch("out"), &e) == BERT_OK && f.size == 3 && !memcmp(f.data, "old", 3),
          "the old one is left");

    check(chmod(in_scratch("out"), 0600) == 0, "the old one is private");
    check(output_open(&out, in_scratch("out"), &e) == BERT_OK, "opens again, while the old one is mapped");
    fputs("new file", out.stream);
    check(output_commit(&out, &e) == BERT_OK, "commits");
    check(!memcmp(f.data, "old", 3), "a mapping of the old one still holds it");
    file_close(&f);
    struct stat info;
    check(stat(in_scratch("out"), &info) == 0 && info.st_size == 8 && (info.st_mode & 0777) == 0600,
          "new, and as private as the old one");
    mode_t mask = umask(027);
    check(output_open(&out, in_scratch("fresh"), &e) == BERT_OK, "opens where there was none");
    umask(mask);
    check(output_commit(&out, &e) == BERT_OK && stat(in_scratch("fresh"), &info) == 0 && (info.st_mode & 0777) == 0640,
          "permissions as umask says");
    check(count_files("out.tmp-") == 0, "no temporary file is left");
}

static void output_errors_are_reported(void)
{
    OutputFile out;
    Error e;
    expect_failure("no directory", output_open(&out, in_scratch("no/file"), &e), &e, BERT_SYSTEM, "cannot be created");
    expect_failure("directory", output_open(&out, "/tmp", &e), &e, BERT_SYSTEM, "is a directory");
    check(output_open(&out, in_scratch("late"), &e) == BERT_OK, "%s", e.message);
    check(mkdir(in_scratch("late"), 0777) == 0, "now it is a directory");
    expect_failure("a directory by now", output_commit(&out, &e), &e, BERT_SYSTEM, "/late: cannot be written: ");
    check(count_files("late.tmp-") == 0 && rmdir(in_scratch("late")) == 0, "no temporary file is left");
    if (access("/dev/full", W_OK)) return;                          /* Linux only */
    check(output_open(&out, "/dev/full", &e) == BERT_OK, "a device is written in place");
    fputs("x", out.stream);
    expect_failure("full disk", output_commit(&out, &e), &e, BERT_SYSTEM, "No space left");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * files.c: JSON
 * ------------------------------------------------------------------------------------------------------------------ */
static Status json_walk(const char *text, size_t size, Error *e)
{
    JsonReader j;
    char key[16];
    bool more;
    unsigned char *exact = malloc(size ? size : 1);                 /* of exactly that size: a step beyond is seen */
    if (!exact) abort();
    memcpy(exact, text, size);
    Status s = json_open(&j, "t.json", exact, size, 0, e);
    while (s == BERT_OK && (s = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more) s = json_skip(&j, e);
    if (s == BERT_OK) s = json_end(&j, e);
    free(exact);
    return s;
}

static void json_is_read_as_the_rfc_says(void)
{
    static const char *const good[] = {"{}", " {\t\r\n} ", "{\"a\":1}", "{\"a\":[],\"b\":{}}",
                                       "{\"a\":[1,[2,{\"c\":null}],true,false]}",
        "{\"a\":-0.5e+10}", "{\"a\":0}", "{\"\":\"\\u0041\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
         "{\"a\":\"\xc3\xa9\"}",
        "{\"a\":\"\\u0000\"}", "{\"a\":0.12345678901234567890123456789012345678901234567890123456789012345678901}"};
    static const char *const bad[] = {"", " ", "[]", "1", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{,}",
                                      "{\"a\":[1,]}",
        "{\"a\":[,1]}", "{\"a\":[1 2]}", "{\"a\":1 \"b\":2}", "{\"a\" 1}", "{'a':1}", "{a:1}", "{\"a\":01}",
         "{\"a\":+1}", "{\"a\":.5}",
        "{\"a\":1.}", "{\"a\":1e}", "{\"a\":-}", "{\"a\":NaN}", "{\"a\":tru}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}",
         "{\"a\":\"x",
        "{\"a\":\"\\ud800\"}", "{\"a\":\"\\ud800\\u0041\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\n\"}",
         "{\"a\":\"\xc0\x80\"}",
        "{\"a\":\"\xed\xa0\x80\"}", "{} x", "{}{}", "{\"a\":[}", "{\"a\":{]}", "{1:2}", "{\"0123456789abcdef\":1}",
         "{\"\\u0000\":1}"};
    Error e;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check(json_walk(good[i], strlen(good[i]), &e) == BERT_OK, "%s is read (%s)", good[i], e.message);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check(json_walk(bad[i], strlen(bad[i]), &e) == BERT_FILE, "%s is refused", bad[i]);
        check(strstr(e.message, "t.json: JSON, byte ") && strstr(e.message, "expected"), "its message: %s", e.message);
    }
}

/* Python's json writes three words that JSON does not have: into a config.json, where they are passed over. */
static void words_of_python_are_passed_over(void)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"}, *const others[] = {"nan", "-NaN", "inf", "-Inf"};
    char text[200];
    JsonReader j;
    Error e;
    for (int i = 0; i < 7; i++) {
        snprintf(text, sizeof text, "{\"a\": [1, %s, {\"b\": 2}]}", i < 3 ? words[i] : others[i - 3]);
        for (int python = 0; python < 2; python++) {
            char key[16];
            bool more;
            Status s = json_open(&j, "t.json", (const unsigned char *)text, strlen(text), 0, &e);
            j.of_python = python;
            if (s == BERT_OK) s = json_next_key(&j, key, sizeof key, &more, &e);
            if (s == BERT_OK) s = json_skip(&j, &e);
            if (s == BERT_OK) s = json_next_key(&j, key, sizeof key, &more, &e);
            check((s == BERT_OK) == (python && i < 3), "%s, python %d: %s", text, python, e.message);
        }
    }
}

/* A message names the key whose value is wrong, and the outermost one; between values none. A long one is cut, and not
 * inside of a character. */
static void a_message_names_the_key_of_its_value(void)
{
    static const struct { const char *text, *end; } cases[] = {
        {"{\"a\": x}", "expected a value, for the key \"a\""},
        {"{\"a\": [1, x]}", "expected a value, for the key \"a\""},
        {"{\"a\": {\"b\": x}}", "expected a value, for the key \"a\""}, {"{\"a\": 1 x}", "expected ',' or '}'"},
        {"{\"a\" x}", "expected ':'"}, {"{\"a\": ", "expected a value"}};
    JsonReader j;
    Error e;
    char text[400] = "", key[300], wanted[200];
    int64_t number;
    bool more;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(json_walk(cases[i].text, strlen(cases[i].text), &e) == BERT_FILE && ends_with(e.message, cases[i].end),
              "%s: %s", cases[i].text, e.message);
    for (int n = 120; n < 128; n++) {                                   /* n bytes, and two characters of 2 bytes each */
        snprintf(wanted, sizeof wanted, "%0*d", n, 0);
        snprintf(text, sizeof text, "{\"%s\xc3\xa9\xc3\xa9\": {\"b\": null}}", wanted);
        for (int used = n + 2; used <= 127 && used <= n + 4; used += 2) strcat(wanted, "\xc3\xa9");
        Status s = json_open(&j, "t.json", (const unsigned char *)text, strlen(text), 0, &e);
        if (s == BERT_OK) s = json_next_key(&j, key, sizeof key, &more, &e);
        if (s == BERT_OK) s = json_begin(&j, '{', &e);
        if (s == BERT_OK) s = json_next_key(&j, key, sizeof key, &more, &e);
        check(s == BERT_OK && json_integer(&j, &number, &e) == BERT_FILE, "%s", e.message);
        snprintf(key, sizeof key, ", for the key \"b\" of \"%s\"", wanted);
        check(ends_with(e.message, key), "%d: %s", n, e.message);
    }
}

static void json_depth_is_bounded(void)
{
    Buffer b = {0};
    Error e;
    append_text(&b, "{\"a\":");
    for (int i = 0; i < 100000; i++) append(&b, "[", 1);
    expect_failure("100,000 deep", json_walk((char *)b.data, b.size, &e), &e, BERT_FILE, "at most 32");
    clear(&b);
    /* 31 and the object */
    append_text(&b, "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}");
    check(json_walk((char *)b.data, b.size, &e) == BERT_OK, "32 are read: %s", e.message);
    clear(&b);
}

/* One value, read by a function of the reader. */
static JsonReader json_value(const char *text, Error *e)
{
    static char object[200];
    JsonReader j;
    char key[4];
    bool more;
    snprintf(object, sizeof object, "{\"a\":%s}", text);
    json_open(&j, "t.json", (unsigned char *)object, strlen(object), 100, e);
    json_next_key(&j, key, sizeof key, &more, e);
    return j;
}

static void json_values_are_exact(void)
{
    static const char *const no_integers[] = {"768.0", "1e3", "007", "-0", "9223372036854775808", "\"1\"", "true", "-"};
    Error e;
    int64_t n;
    double d;
    bool flag;
    char text[8];
    JsonReader j = json_value("-9223372036854775808", &e);
    check(json_integer(&j, &n, &e) == BERT_OK && n == INT64_MIN, "the smallest integer");
    for (size_t i = 0; i < sizeof no_integers / sizeof *no_integers; i++) {
        j = json_value(no_integers[i], &e);
        expect_failure(no_integers[i], json_integer(&j, &n, &e), &e, BERT_FILE, "byte 105: found");
    }
    j = json_value("1e-12", &e);
    check(json_number(&j, &d, &e) == BERT_OK && d == 1e-12, "1e-12");
    j = json_value("1e999", &e);
    expect_failure("1e999", json_number(&j, &d, &e), &e, BERT_FILE, "a number that a double can hold");
    j = json_value("false", &e);
    check(json_peek(&j) == 'f' && json_bool(&j, &flag, &e) == BERT_OK && !flag, "false");
    j = json_value("\"\\u00e9\\ud83d\\ude00x\"", &e);
    check(json_peek(&j) == '"' && json_string(&j, text, sizeof text, &e) == BERT_OK, "a string that just fits");
    check_text("decoded", text, "\xc3\xa9\xf0\x9f\x98\x80x");
    j = json_value("\"12345678\"", &e);
    expect_failure("too long", json_string(&j, text, sizeof text, &e), &e, BERT_FILE, "a shorter string");
    j = json_value("\"a\\u0000b\"", &e);
    expect_failure("U+0000", json_string(&j, text, sizeof text, &e), &e, BERT_FILE, "without U+0000");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Checksums
 * ------------------------------------------------------------------------------------------------------------------ */
static void sha256_matches_the_published_vectors(void)
{
    static const char *const cases[][2] = {     /* FIPS 180-4, examples */
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    Sha256 s;
    char hex[65];
    for (int i = 0; i < 3; i++) {
        sha256_start(&s);
        sha256_add(&s, cases[i][0], strlen(cases[i][0]));
        sha256_end(&s, hex);
        check_text(cases[i][0], hex, cases[i][1]);
    }
    sha256_start(&s);                           /* a million times a, in pieces of all sizes */
    char a[997];
    memset(a, 'a', sizeof a);
    for (size_t left = 1000000, n = 0; left > 0; left -= n) {
        n = n % sizeof a + 1;
        if (n > left) n = left;
        sha256_add(&s, a, n);
    }
    sha256_end(&s, hex);
    check_text("a million a", hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void crc32c_matches_the_published_vectors(void)
{
    unsigned char bytes[32] = {0};
    check(crc32c("123456789", 9) == 0xE3069283, "123456789");
    check(crc32c(bytes, 32) == 0x8A9136AA, "32 bytes 00 (RFC 3720)");
    memset(bytes, 0xFF, 32);
    check(crc32c(bytes, 32) == 0x62A8AB43, "32 bytes ff (RFC 3720)");
    uint32_t rotated = crc32c_masked("123456789", 9) - 0xA282EAD8u;
    check((rotated >> 17 | rotated << 15) == 0xE3069283, "the mask can be undone");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Half precision: every one of the 65,536 values against the definition of IEEE 754
 * ------------------------------------------------------------------------------------------------------------------ */
static bool is_value_of(float f, unsigned bits, int fraction_bits, int exponent_bits)
{
    unsigned fraction = bits & ((1u << fraction_bits) - 1), top = (1u << exponent_bits) - 1;
    unsigned exponent = bits >> fraction_bits & top;
    bool negative = bits >> 15;
    int bias = (int)(top / 2);
    if (!signbit(f) != !negative) return false;
    if (exponent == top) return fraction ? isnan(f) : isinf(f);
    double significand = ldexp(fraction, -fraction_bits) + (exponent > 0);
    return fabs((double)f) == ldexp(significand, (int)(exponent ? exponent : 1) - bias);
}

static void half_precision_is_exact(void)
{
    int wrong = 0;
    for (unsigned bits = 0; bits < 65536; bits++) {
        wrong += !is_value_of(half_to_float((uint16_t)bits), bits, 10, 5);
        wrong += !is_value_of(bfloat16_to_float((uint16_t)bits), bits, 7, 8);
    }
    check(wrong == 0, "%d of 131,072 values are wrong", wrong);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * safetensors
 * ------------------------------------------------------------------------------------------------------------------ */

/* Opens length, header and `data` zero bytes. */
static Status open_header(Safetensors *st, const char *header, size_t length, size_t data, Error *e)
{
    Buffer b = {0};
    append_little(&b, length, 8);
    append(&b, header, length);
    for (size_t i = 0; i < data; i++) append(&b, "", 1);
    put_file("t.safetensors", b.data, b.size);
    clear(&b);
    Status s = safetensors_open(st, in_scratch("t.safetensors"), e);
    return s;
}

static const struct {
    const char *header;
    size_t data;
    const char *message;                /* NULL: it must be accepted */
} headers[] = {
    {"{}", 0, NULL},
    {"{}      ", 0, NULL},
    {"{\"__metadata__\":{\"a\":\"b\"}}", 0, NULL},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, NULL},
    {"{\"x\":{\"data_offsets\":[0,4],\"more\":[{}],\"shape\":[],\"dtype\":\"F32\"}}", 4, NULL},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"y\":{\"dtype\":\"U8\",\"shape\":[3,0],\"data_offsets\":[0,0]}}", 0, NULL},
    {"{\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]},"
     "\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 5, NULL},
    {" {}", 0, "begin with '{'"},
    {"", 0, "found nothing"},
    {"[]", 0, "begin with '{'"},
    {"{\"a\":1}", 0, "expected an object"},
    {"{\"\xff\":1}", 0, "expected UTF-8"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "expected a string"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' twice"},
    {"{\"x\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "found no 'dtype'"},
    {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "found no 'shape'"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "found no 'data_offsets'"},
    {"{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "'dtype' twice"},
    {"{\"x\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, "tensor 'x': dtype: found 'F4'"},
    {"{\"x\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype: found 'f32'"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape: found -1"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "expected an integer"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1e0],\"data_offsets\":[0,4]}}", 4, "expected an integer"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}", 4, "expected an integer"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "more than 8"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "fewer than 2"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, "more than 2"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
     "[0,4] do not match dtype and shape: found 4 bytes, expected 8"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "hole or overlap"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"z\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,3]}}", 4, "run backwards"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
     "hole or overlap: found begin 4, expected 0"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
     "\"y\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", 6,
     "tensor 'y': data_offsets [2,6] leave a hole or overlap: found begin 2, expected 4"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7,
     "run beyond the file: found 7 bytes of data, expected at least 8"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5,
     "found 5 bytes, expected 4, where the last tensor ends: trailing"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "'x': found it twice"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
     "\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "'x': found it twice"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4194305,4194305,211106198978564],\"data_offsets\":[0,4]}}", 4,
     "more elements than a size can count"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4,
     "more elements than a size can count"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,9223372036854775808]}}", 1, "expected an integer"},
    {"{\"\\u001b[2J\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, "tensor '\\x1b[2J'"},
    {"{\"\\ud800\":{}}", 0, "expected a valid character or escape"},
    {"{\"a\\u0000b\":{}}", 0, "without U+0000"},
    {"{} x", 0, "expected the end of the text"},
};

static void bad_safetensors_are_refused_by_the_right_rule(void)
{
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        Safetensors st;
        Error e = {0};
        Status s = open_header(&st, headers[i].header, strlen(headers[i].header), headers[i].data, &e);
        if (headers[i].message) expect_failure(headers[i].header, s, &e, BERT_FILE, headers[i].message);
        else check(s == BERT_OK, "%s is accepted: %s", headers[i].header, e.message);
        safetensors_close(&st);
    }
}

static void lengths_of_headers_are_claims(void)
{
    static const struct { uint64_t length; size_t rest; const char *message; } cases[] = {
        {0, 0, "found nothing"}, {1, 0, "expected at most 0"}, {3, 2, "expected at most 2"},
        {100000000, 2, "expected at most 2"},
        {100000001, 2, "at most 100000000"}, {0x7FFFFFFF, 2, "at most 100000000"}, {0xFFFFFFFF, 2, "at most 100000000"},
        {0x100000002, 2, "at most 100000000"}, {1ull << 63, 2, "at most 100000000"},
        {UINT64_MAX, 2, "at most 100000000"},
        {UINT64_MAX - 7, 2, "at most 100000000"}};
    Safetensors st;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buffer b = {0};
        append_little(&b, cases[i].length, 8);
        append(&b, "{}", cases[i].rest);
        put_file("t.safetensors", b.data, b.size);
        clear(&b);
        expect_failure("length", safetensors_open(&st, in_scratch("t.safetensors"), &e), &e, BERT_FILE,
                       cases[i].message);
    }
    put_file("t.safetensors", "# A text, as it is\n", 19);
    expect_failure("a text", safetensors_open(&st, in_scratch("t.safetensors"), &e), &e, BERT_FILE,
                   "t.safetensors is not a safetensors file: found no header, expected its length at byte 0");
    put_file("t.safetensors", "1234567", 7);
    expect_failure("7 bytes", safetensors_open(&st, in_scratch("t.safetensors"), &e), &e, BERT_FILE,
                   "found 7 bytes, expected at least 8");
}

static void misaligned_tensors_can_be_read(void)
{
    Safetensors st;
    Error e;
    check(open_header(&st, headers[6].header, strlen(headers[6].header), 5, &e) == BERT_OK, "opens");
    const SafeTensor *y = safetensors_find(&st, "y");
    check(y && (uintptr_t)y->data % 4 != 0 && tensor_element(y, 0) == 0, "y is at an odd address, and is read");
    check(st.count == 2 && !strcmp(st.tensors[0].name, "x") && !safetensors_find(&st, "z"),
          "x comes first, z is not there");
    safetensors_close(&st);
}

/* One tensor of each kind, in an order that would misalign them all. */
static size_t sample_tensors(SafeTensor t[7])
{
    static const float f[6] = {1, -2, 3.5f, 0, 1e-40f, INFINITY};
    static const double d[1] = {0.1};
    static const int64_t n[2] = {101, -102};
    static const uint16_t h[3] = {0x3C00, 1, 0xFC00};
    static const unsigned char u[3] = {1, 2, 3};
    t[0] = (SafeTensor){(char[]){"bytes"}, DTYPE_U8, 1, {3}, 3, u};
    t[1] = (SafeTensor){.name = "half", .dtype = DTYPE_F16, .rank = 1, .shape = {3}, .count = 3, .data = h};
    t[2] = (SafeTensor){.name = "a \"quoted\"\n\xc3\xa9", .dtype = DTYPE_F32, .rank = 2, .shape = {2, 3}, .count = 6,
                        .data = f};
    t[3] = (SafeTensor){.name = "ids", .dtype = DTYPE_I64, .rank = 1, .shape = {2}, .count = 2, .data = n};
    t[4] = (SafeTensor){.name = "scalar", .dtype = DTYPE_F64, .rank = 0, .count = 1, .data = d};
    t[5] = (SafeTensor){.name = "nothing", .dtype = DTYPE_F32, .rank = 2, .shape = {0, 3}, .count = 0, .data = NULL};
    t[6] = (SafeTensor){.name = "upper half", .dtype = DTYPE_BF16, .rank = 1, .shape = {3}, .count = 3, .data = h};
    t[0].name = "bytes";
    return 7;
}

static void what_is_written_is_read_back(void)
{
    static const char *const metadata[][2] = {{"text", "a \"b\"\\\n"}, {"model", "x"}};
    SafeTensor t[7];
    Safetensors st;
    Error e = {0};
    size_t n = sample_tensors(t);
    check(safetensors_write(in_scratch("t.safetensors"), t, n, metadata, 2, &e) == BERT_OK, "writes: %s", e.message);
    if (!check(safetensors_open(&st, in_scratch("t.safetensors"), &e) == BERT_OK, "reads: %s", e.message)) return;
    check(st.count == n && !strcmp(st.tensors[0].name, "ids") && !strcmp(st.tensors[1].name, "scalar"),
          "I64 first, then F64");
    check_text("metadata", st.metadata, "{\"text\":\"a \\\"b\\\"\\\\\\u000a\",\"model\":\"x\"}");
    for (size_t i = 0; i < n; i++) {
        const SafeTensor *got = safetensors_find(&st, t[i].name);
        if (!check(got != NULL, "'%s' is found", t[i].name)) continue;
        size_t bytes = t[i].count * dtype_size(t[i].dtype);
        check(got->rank == t[i].rank && !memcmp(got->shape, t[i].shape, sizeof t[i].shape) && got->dtype == t[i].dtype
              && got->count == t[i].count && (!bytes || !memcmp(got->data, t[i].data, bytes)),
              "'%s' is the same", t[i].name);
        check((uintptr_t)got->data % dtype_size(got->dtype) == 0, "'%s' is aligned", t[i].name);
    }
    check(tensor_element(safetensors_find(&st, "half"), 1) == ldexp(1, -24), "the smallest half");
    check(tensor_element(safetensors_find(&st, "scalar"), 0) == 0.1, "a double");
    check(tensor_element(safetensors_find(&st, "upper half"), 1) == ldexp(1, -133), "a subnormal bfloat16");
    safetensors_close(&st);
}

/* Cut anywhere, the file is refused; with any bit of its header flipped, it is read or refused, but nothing breaks. */
static void damaged_safetensors_do_no_harm(void)
{
    SafeTensor t[7];
    Safetensors st;
    FileView f;
    Error e;
    int accepted = 0;
    size_t n = sample_tensors(t);
    safetensors_write(in_scratch("whole"), t, n, NULL, 0, &e);
    if (!check(file_open(&f, in_scratch("whole"), &e) == BERT_OK, "is there")) return;
    for (size_t size = 0; size < f.size; size++) {
        put_file("cut", f.data, size);
        Status s = safetensors_open(&st, in_scratch("cut"), &e);
        if (!check(s == BERT_FILE, "cut at %zu is refused", size)) safetensors_close(&st);
    }
    unsigned char *copy = malloc(f.size);
    for (size_t bit = 0; copy && bit < 8 * 700 && bit < 8 * f.size; bit++) {
        memcpy(copy, f.data, f.size);
        copy[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put_file("flipped", copy, f.size);
        Status s = safetensors_open(&st, in_scratch("flipped"), &e);
        check(s == BERT_OK || s == BERT_FILE, "bit %zu: status %d", bit, (int)s);
        accepted += s == BERT_OK;
        if (s == BERT_OK) safetensors_close(&st);
    }
    check(accepted > 0, "a changed letter in a name is a name");
    free(copy);
    file_close(&f);
}

static void many_tensors_take_linear_time(void)
{
    enum { MANY = 100000 };
    Buffer b = {0};
    Safetensors st;
    Error e = {0};
    char entry[100];
    append_text(&b, "{");
    for (int i = 0; i < MANY; i++) {
        snprintf(entry, sizeof entry, "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[%d,%d]}",
                 i ? "," : "", i, i, i + 1);
        append_text(&b, entry);
    }
    append_text(&b, "}");
    check(open_header(&st, (char *)b.data, b.size, MANY, &e) == BERT_OK && st.count == MANY, "100,000 tensors: %s",
          e.message);
    check(safetensors_find(&st, "0") && safetensors_find(&st, "99999") && !safetensors_find(&st, "100000"),
          "are found");
    safetensors_close(&st);
    clear(&b);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A checkpoint made by hand: tiny BERT, names and shapes from tensor_table, all numbers different
 * ------------------------------------------------------------------------------------------------------------------ */
static const BertConfig tiny = {.L = 2, .H = 64, .A = 1, .D = 64, .F = 3, .V = 7, .P = 5, .S = 2};

/* What is done wrong on purpose. */
typedef enum { SOUND, SNAPPY, BIG_ENDIAN, NEWER, NO_SHARDS, SLICES, NEGATIVE, BAD_SHARD, BAD_SIZE, BAD_OFFSET,
              DOUBLE_TYPE, MISSING, HALF_A_HEAD,
    NO_HEADER, NO_WORDS, NO_POSITIONS, FLAT_WORDS, WIDE_WORDS, LONG_BIAS, BARE, ELECTRA, BITS_65,
    ZERO_BEHIND } Fault;

static void append_varint(Buffer *b, uint64_t value)
{
    for (; value > 127; value >>= 7) append_little(b, value | 128, 1);
    append_little(b, value, 1);
}

static void append_field(Buffer *b, int number, uint64_t value)         /* a varint field */
{
    append_varint(b, (uint64_t)number << 3);
    append_varint(b, value);
}

static void append_bytes_field(Buffer *b, int number, Buffer *value)    /* takes the value */
{
    append_varint(b, (uint64_t)number << 3 | 2);
    append_varint(b, value->size);
    append(b, value->data, value->size);
    clear(value);
}

/* An entry of a block whose key shares as much as possible with the one before. */
static void append_entry(Buffer *block, const char *before, const char *key, Buffer *value)
{
    size_t shared = 0;
    while (before[shared] && before[shared] == key[shared]) shared++;
    append_varint(block, shared);
    append_varint(block, strlen(key) - shared);
    append_varint(block, value->size);
    append_text(block, key + shared);
    append(block, value->data, value->size);
    clear(value);
}

/* Restarts, type and checksum; the block goes to the end of the file, its handle into *handle. Takes the block. */
static void append_block(Buffer *file, Buffer *block, int type, Buffer *handle)
{
    append_little(block, 0, 4);
    append_little(block, 1, 4);
    append_varint(handle, file->size);
    append_varint(handle, block->size);
    append_little(block, (uint64_t)type, 1);
    append(file, block->data, block->size);
    append_little(file, crc32c_masked(block->data, block->size), 4);
    clear(block);
}

/* Metaindex, index and footer around data blocks whose handles are known. */
static void finish_index(Buffer *file, Buffer *index)
{
    Buffer footer = {0}, empty = {0};
    append_block(file, &empty, 0, &footer);
    append_block(file, index, 0, &footer);
    while (footer.size < 40) append(&footer, "", 1);
    append(&footer, "\x57\xFB\x80\x8B\x24\x75\x47\xDB", 8);
    append(file, footer.data, footer.size);
    put_file("c.index", file->data, file->size);
    clear(&footer);
    clear(file);
}

/* An index of one data block with these contents. */
static void put_index(Buffer *block, int type)
{
    Buffer file = {0}, index = {0}, handle = {0};
    append_block(&file, block, type, &handle);
    append_entry(&index, "", "zz", &handle);
    finish_index(&file, &index);
}

static Buffer bundle_header(Fault fault)
{
    Buffer b = {0}, version = {0};
    if (fault != NO_SHARDS) append_field(&b, 1, 2);
    if (fault == BIG_ENDIAN) append_field(&b, 2, 1);
    append_field(&version, 1, 1);
    if (fault != BARE) append_field(&version, 2, fault == NEWER ? 2 : 1);   /* 1 may be asked for, or nothing */
    append_bytes_field(&b, 3, &version);
    return b;
}

typedef struct {
    char name[160];
    size_t shape[2];
    int rank, type;
} Variable;

static int by_variable(const void *a, const void *b)
{
    return strcmp(((const Variable *)a)->name, ((const Variable *)b)->name);
}

/* The checkpoint's variables, sorted: those of the table, one optimizer slot and the step count. */
static size_t list_variables(Variable v[100], Fault fault)
{
    size_t count = 0, rows;
    Row *row = list_rows(tiny.L, &rows);
    for (size_t i = 0; row && i < rows; i++) {
        const TensorSpec *spec = row[i].spec;
        if (!spec->tf || spec->group == GROUP_NSP || (fault == BARE && spec->group != GROUP_ENCODER)) continue;
        if (fault == MISSING && !strcmp(row[i].name, "bert.encoder.layer.1.output.dense.bias")) continue;
        if (fault == HALF_A_HEAD && !strcmp(spec->name, "cls.predictions.bias")) continue;
        char name[128];
        spec_name(spec->tf, row[i].layer, name, sizeof name);
        Variable *x = &v[count++];
        *x = (Variable){.rank = spec->rows ? 2 : 1, .type = TF_FLOAT};
        snprintf(x->name, sizeof x->name, "module/%s%s", is_head(name) ? "" : fault == ELECTRA ? "electra/" : "bert/",
                 name);
        x->shape[0] = spec_rows(spec, &tiny), x->shape[1] = spec_cols(spec, &tiny);
        if (x->rank == 1) x->shape[0] = x->shape[1];
        if (spec->kind == KIND_MATRIX) x->shape[0] = spec_cols(spec, &tiny), x->shape[1] = spec_rows(spec, &tiny);
        const bool words = ends_with(name, "word_embeddings");
        if ((words && fault == NO_WORDS) || (ends_with(name, "position_embeddings") && fault == NO_POSITIONS)) count--;
        if (words && fault == FLAT_WORDS) x->rank = 1;
        if (words && fault == WIDE_WORDS) x->shape[1]++;
        if (!strcmp(name, "pooler/dense/bias") && fault == LONG_BIAS) x->shape[0]++;
    }
    free(row);
    if (fault == BARE) v[count++] = (Variable){"module/somebody's", {2}, 1, TF_FLOAT};
    v[count++] = (Variable){"module/bert/pooler/dense/bias/adam_m", {64}, 1, TF_FLOAT};
    v[count++] = (Variable){"module/global_step", {0}, 0, TF_INT64};
    qsort(v, count, sizeof *v, by_variable);
    return count;
}

/* BundleEntryProto of one variable. The fault goes into the pooler's bias. */
static Buffer bundle_entry(const Variable *v, size_t shard, size_t offset, size_t size, uint32_t crc, Fault fault)
{
    Buffer b = {0}, shape = {0};
    bool here = !strcmp(v->name, "module/bert/pooler/dense/bias");
    append_field(&b, 1, here && fault == DOUBLE_TYPE ? TF_INT32 : (uint64_t)v->type);
    for (int i = 0; i < v->rank; i++) {
        Buffer dim = {0};
        append_field(&dim, 1, here && fault == NEGATIVE ? UINT64_MAX : v->shape[i]);
        append_bytes_field(&shape, 2, &dim);
    }
    append_bytes_field(&b, 2, &shape);
    append_field(&b, 3, here && fault == BAD_SHARD ? 2 : shard);
    append_field(&b, 4, here && fault == BAD_OFFSET ? (1ull << 62) : offset);
    append_field(&b, 5, here && fault == BAD_SIZE ? size - 4 : size);
    append_varint(&b, 6 << 3 | 5);
    append_little(&b, crc, 4);
    if (here && fault == SLICES) append_bytes_field(&b, 7, &shape);
    if (here && fault == ZERO_BEHIND) append_varint(&b, 99 << 3), append(&b, "\x80", 2);    /* 0, longer than it need be */
    else append_field(&b, 99, UINT64_MAX);                          /* unknown fields are passed over */
    if (here && fault == BITS_65) b.data[b.size - 1] = 2;           /* instead of 1, the 64th bit */
    return b;
}

/* Writes c.index and two data files, ten entries to a block. The numbers are 0, 1, 2, ... in the order of the names. */
static void put_checkpoint(Fault fault)
{
    static Variable v[100];
    size_t count = list_variables(v, fault);
    Buffer file = {0}, index = {0}, block = {0}, data[2] = {{0}}, value = bundle_header(fault);
    float number = 0;
    if (fault == NO_HEADER) clear(&value);
    else append_entry(&block, "", "", &value);
    append(&data[0], "x", 1);                                       /* so that nothing is aligned */
    for (size_t i = 0; i < count; i++) {
        Buffer *d = &data[i % 2];
        size_t offset = d->size, n = 1, width = v[i].type == TF_FLOAT ? 4 : 8;
        for (int k = 0; k < v[i].rank; k++) n *= v[i].shape[k];
        for (size_t k = 0; k < n; k++, number++)
            append(d, width == 4 ? (void *)&number : (void *)&(int64_t){1000}, width);
        value = bundle_entry(&v[i], i % 2, offset, n * width, crc32c_masked(d->data + offset, n * width), fault);
        append_entry(&block, i % 10 && block.size ? v[i - 1].name : "", v[i].name, &value);
        if (i % 10 != 9 && i + 1 != count) continue;
        append_block(&file, &block, fault == SNAPPY, &value);
        append_entry(&index, "", v[i].name, &value);
    }
    finish_index(&file, &index);
    put_file("c.data-00000-of-00002", data[0].data, data[0].size);
    put_file("c.data-00001-of-00002", data[1].data, data[1].size);
    clear(&data[0]);
    clear(&data[1]);
}

static Status convert_quietly(Error *e)
{
    char log[4] = "";
    FILE *f = fmemopen(log, sizeof log, "w");
    Status s = convert(in_scratch("c"), scratch, f, e);
    fclose(f);
    return s;
}

/* Every element of a converted tensor against the variable's, found by counting through the sorted list once more. */
static void compare_variable(const Safetensors *st, const char *name, const char *variable, bool transposed)
{
    static Variable v[100];
    size_t count = list_variables(v, SOUND), wrong = 0;
    float number = 0;
    const SafeTensor *t = safetensors_find(st, name);
    if (!check(t != NULL, "%s is there", name)) return;
    for (size_t i = 0; i < count; i++) {
        size_t n = 1;
        for (int k = 0; k < v[i].rank; k++) n *= v[i].shape[k];
        for (size_t k = 0; k < n; k++, number++) {
            if (strcmp(v[i].name, variable)) continue;
            size_t cols = v[i].shape[1], rows = v[i].shape[0], place = transposed ? k % cols * rows + k / cols : k;
            float got = (float)tensor_element(t, place);
            wrong += memcmp(&got, &number, sizeof got) != 0;
        }
        if (strcmp(v[i].name, variable)) continue;
        check(t->count == n && t->shape[0] == v[i].shape[transposed], "%s has the right shape", name);
    }
    check(wrong == 0, "%s: %zu elements differ", name, wrong);
}

static void checkpoint_is_converted_bit_for_bit(void)
{
    Safetensors st;
    BertConfig config;
    Error e = {0};
    FILE *log = tmpfile();
    char text[2000] = "";
    put_checkpoint(SOUND);
    if (!check(log && convert(in_scratch("c"), scratch, log, &e) == BERT_OK, "converts: %s", e.message)) return;
    rewind(log);
    text[fread(text, 1, sizeof text - 1, log)] = 0;
    fclose(log);
    check(strstr(text, "left out 2 variables of the optimizer") && strstr(text, "no NSP head")
          && strstr(text, "1 heads from") && strstr(text, "44 tensors, 2L/64H/1A"), "it says what it did: %s", text);
    if (!check(safetensors_open(&st, in_scratch("model.safetensors"), &e) == BERT_OK, "opens: %s", e.message)) return;
    check(st.count == 44, "44 tensors, not %zu", st.count);
    compare_variable(&st, "bert.embeddings.word_embeddings.weight", "module/bert/embeddings/word_embeddings", false);
    compare_variable(&st, "bert.embeddings.LayerNorm.weight", "module/bert/embeddings/LayerNorm/gamma", false);
    compare_variable(&st, "bert.encoder.layer.0.attention.self.query.weight",
                     "module/bert/encoder/layer_0/attention/self/query/kernel", true);
    compare_variable(&st, "bert.encoder.layer.1.intermediate.dense.weight",
                     "module/bert/encoder/layer_1/intermediate/dense/kernel", true);
    compare_variable(&st, "bert.encoder.layer.1.output.dense.weight",
                     "module/bert/encoder/layer_1/output/dense/kernel", true);
    compare_variable(&st, "bert.pooler.dense.bias", "module/bert/pooler/dense/bias", false);
    compare_variable(&st, "cls.predictions.transform.dense.weight", "module/cls/predictions/transform/dense/kernel",
                     true);
    compare_variable(&st, "cls.predictions.bias", "module/cls/predictions/output_bias", false);
    safetensors_close(&st);
    check(config_load(&config, in_scratch("config.json"), &e) == BERT_OK, "config.json: %s", e.message);
    check(config.L == 2 && config.H == 64 && config.A == 1 && config.F == 3 && config.V == 7
          && config.P == 5 && config.S == 2 && config.eps == 1e-12 && config.gelu == GELU_ERF,
          "its sizes are those of the shapes");
}

/* An encoder alone, and a variable that is nobody's: it is said that it is left out. */
static void an_encoder_alone_is_converted(void)
{
    char text[2000] = "";
    Error e = {0};
    FILE *log = tmpfile();
    put_checkpoint(BARE);
    if (!check(log && convert(in_scratch("c"), scratch, log, &e) == BERT_OK, "converts: %s", e.message)) return;
    rewind(log);
    text[fread(text, 1, sizeof text - 1, log)] = 0;
    fclose(log);
    check(strstr(text, "no MLM head") && strstr(text, "1 other variables, the first of them 'module/somebody's'"),
          "%s", text);
    FileView config;
    if (!check(file_open(&config, in_scratch("config.json"), &e) == BERT_OK, "%s", e.message)) return;
    snprintf(text, sizeof text, "%.*s", (int)config.size, (const char *)config.data);
    check(strstr(text, "\"BertModel\"") != NULL, "its architecture: %s", text);
    file_close(&config);
}

static void bert_config_beside_a_checkpoint_is_used(void)
{
    static const char text[] = "{\"hidden_act\":\"gelu\",\"hidden_size\":64,\"intermediate_size\":3,"
     "\"max_position_embeddings\":5,"
        "\"num_attention_heads\":%d,\"num_hidden_layers\":%d,\"type_vocab_size\":2,\"vocab_size\":7}";
    char json[300];
    BertConfig config;
    Error e = {0};
    put_checkpoint(SOUND);
    snprintf(json, sizeof json, text, 4, 2);
    put_file("bert_config.json", json, strlen(json));
    check(convert_quietly(&e) == BERT_OK, "converts: %s", e.message);
    check(config_load(&config, in_scratch("config.json"), &e) == BERT_OK && config.A == 4, "4 heads, as it says");
    snprintf(json, sizeof json, text, 4, 3);
    put_file("bert_config.json", json, strlen(json));
    expect_failure("3 layers", convert_quietly(&e), &e, BERT_FILE,
                   "missing: bert.encoder.layer.2.attention.self.query.weight");
    snprintf(json, sizeof json, text, 4, 1 << 20);
    put_file("bert_config.json", json, strlen(json));
    expect_failure("a million layers", convert_quietly(&e), &e, BERT_FILE, "");
    snprintf(json, sizeof json, text, 4, 1000);
    put_file("bert_config.json", json, strlen(json));
    expect_failure("a thousand layers", convert_quietly(&e), &e, BERT_FILE, "expected those of 1000 layers");
    unlink(in_scratch("bert_config.json"));
}

static void bad_checkpoints_are_refused_by_name(void)
{
    static const struct { Fault fault; const char *message; } cases[] = {
        {SNAPPY, "snappy"}, {BIG_ENDIAN, "big-endian"}, {NEWER, "min_consumer 2"}, {NO_SHARDS, "found 0 data files"},
        {SLICES, "'module/bert/pooler/dense/bias': found a partitioned variable"}, {NEGATIVE, "negative dimension"},
        {BAD_SHARD, "shard: found 2, expected less than 2"}, {BAD_SIZE,
                                                              "size: found 252 bytes, expected 64 elements of 4"},
        {BAD_OFFSET, "cut off"}, {DOUBLE_TYPE, "found type number 3, expected 1 (float32)"},
        {MISSING, "missing: bert.encoder.layer.1.output.dense.bias"}, {HALF_A_HEAD,
                                                                       "MLM head: found 4 tensors,"
                                                                        " expected 5; missing: cls.predictions.bias"},
        {NO_HEADER, "expected the bundle's header"}, {NO_WORDS, "found no variable '...embeddings/word_embeddings'"},
        {NO_POSITIONS, "found no variable 'module/bert/embeddings/position_embeddings', expected one"},
        {FLAT_WORDS, "found another shape, expected two dimensions"},
        {WIDE_WORDS, "hidden size: found 65, expected a multiple of 64"},
        {ELECTRA, "its variables begin with 'module/electra/', expected those of BERT: another architecture"},
        {BITS_65, "pooler/dense/bias': malformed entry"}, {ZERO_BEHIND, "bias': malformed entry"},
        {LONG_BIAS, "'module/bert/pooler/dense/bias': found shape [65], expected [64]"}};
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_checkpoint(cases[i].fault);
        expect_failure(cases[i].message, convert_quietly(&e), &e, BERT_FILE, cases[i].message);
    }
    put_checkpoint(SOUND);
    unlink(in_scratch("c.data-00001-of-00002"));
    expect_failure("a data file is missing", convert_quietly(&e), &e, BERT_FILE,
                   "c.data-00001-of-00002: cannot be opened");
    unlink(in_scratch("c.index"));
    put_file("c", "one file", 8);
    expect_failure("version 1", convert_quietly(&e), &e, BERT_FILE, "version 1 is not supported");
    unlink(in_scratch("c"));
}

/* Contents of the one data block of an index, after a sound header. */
static void malformed_entries_are_refused(void)
{
    static const struct { const char *bytes; size_t size; const char *message; } cases[] = {
        {"\x01\x01\x00" "a", 4, "malformed entry"},                                     /* shares more than there is */
        {"\x00\xff\xff\xff\xff\x0f\x04" "a", 8, "malformed entry"},                     /* the sum is 2^32 + 3 */
        {"\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "a", 13, "malformed entry"},/* a value of 2^64 - 1 bytes */
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, "malformed entry"},        /* a varint of 11 bytes */
        {"\x00\x00\x00", 3, "out of order"},                                            /* a second header */
        {"\x00\x01\x01" "a\x00", 5, "variable 'a': malformed entry"},                   /* field 0 */
        {"\x00\x01\x01" "a\x0b", 5, "variable 'a': malformed entry"},                   /* a group */
        {"\x00\x01\x02" "a\x12\x09", 6, "variable 'a': malformed entry"},               /* 9 bytes that are not there */
        {"\x00\x01\x02" "a\x08\x80", 6, "variable 'a': malformed entry"},               /* a varint cut off */
        {"\x00\x02\x00\x00" "a", 5, "slices"},                                          /* a name with a zero byte */
        {"\x00\x01\x00" "b\x00\x01\x00" "a", 8, "out of order"},
        {"\x00\x01\x00" "b\x01\x00\x00", 7, "out of order"},                            /* the same name again */
        {"\x00\x01\x04" "a\x12\x02\x18\x01", 8, "unknown rank"},
        {"\x00\x01\x05" "a\x12\x03\x12\x01\x08", 9, "shape: malformed"},              /* a dimension without its size */
        {"\x00\x01\x07" "a\x12\x05\x12\x03\x08\x02\x08", 11, "shape: malformed"},      /* and a byte behind it */
        {"\x00\x01\x05" "a\x12\x03\x12\x00\x18", 9, "shape: malformed"},              /* behind the dimensions */
        {"\x00\x01\x14" "a\x12\x12\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00", 24,
         "more than 8 dimensions"},
        /* offset */
        {"\x00\x01\x0b" "a\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 15, "found a negative number"},
        {"\x00\x01\x1a" "a\x12\x18\x12\x0a\x08\x80\x80\x80\x80\x80\x80\x80\x80\x40\x12\x0a\x08\x80\x80\x80\x80\x80\x80"
         "\x80\x80\x40", 30, "more elements than a size can count"},                     /* 2^62 times 2^62 */
        {"\x00\x01\x0b" "a\x09........\x00\x00", 15, "malformed entry"},               /* eight bytes, then field 0 */
        /* 1, written longer than it is */
        {"\x00\x01\x03" "a\x08\x81\x00", 7, "malformed entry"},
        {"\x00\x01", 2, "malformed entry"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bundle bundle;
        Error e;
        Buffer block = {0}, header = bundle_header(SOUND);
        append_entry(&block, "", "", &header);
        append(&block, cases[i].bytes, cases[i].size);
        put_index(&block, 0);
        expect_failure(cases[i].message, bundle_open(&bundle, in_scratch("c"), &e), &e, BERT_FILE, cases[i].message);
    }
}

/* The index from its end: what is wrong with its last blocks. */
static void ends_of_an_index_are_checked(void)
{
    static const char *const messages[] = {"more restarts than bytes", "found no handle of a block", "found no entries",
                                           "belong to no block", "expected at most 16777216"};
    static const char megabyte[1 << 20];
    for (int wrong = 0; wrong < 5; wrong++) {
        Bundle bundle;
        Error e = {0};
        Buffer file = {0}, index = {0}, footer = {0}, empty = {0}, none = {0};
        for (int i = 0; wrong == 4 && i <= 16; i++) append(&file, megabyte, sizeof megabyte);
        append_block(&file, &empty, 0, &footer);
        if (wrong == 1) append_entry(&index, "", "a", &none);
        if (wrong == 0) append_little(&index, 1 << 30, 4);
        append_varint(&footer, file.size);
        append_varint(&footer, index.size + (wrong == 0 ? 0 : 8));
        if (wrong != 0) append_little(&index, 0, 4), append_little(&index, 1, 4);
        append_little(&index, 0, 1);
        append(&file, index.data, index.size);
        append_little(&file, crc32c_masked(index.data, index.size), 4);
        if (wrong == 3) append(&file, "x", 1);
        while (footer.size < 40) append(&footer, "", 1);
        append(&file, footer.data, 40);
        append(&file, "\x57\xFB\x80\x8B\x24\x75\x47\xDB", 8);
        put_file("c.index", file.data, file.size);
        expect_failure(messages[wrong], bundle_open(&bundle, in_scratch("c"), &e), &e, BERT_FILE, messages[wrong]);
        clear(&file), clear(&index), clear(&footer);
    }
}

/* A data block of 40 bytes: nine restarts fill it, and are refused for want of entries; ten do not fit, nor does any
 * number whose bytes, counted modulo 2^32 or 2^64, would. */
static void restarts_must_fit_into_their_block(void)
{
    static const uint32_t too_many[] = {10, 11, 40, 160, (1u << 30) + 9, (1u << 30) - 1, (1u << 31) + 1, UINT32_MAX};
    for (size_t i = 0; i <= sizeof too_many / sizeof *too_many; i++) {
        const uint32_t restarts = i ? too_many[i - 1] : 9;
        Bundle bundle;
        Error e = {0};
        Buffer file = {0}, index = {0}, handle = {0}, block = {0};
        append(&block, (char[36]){0}, 36);
        append_little(&block, restarts, 4);
        append_varint(&handle, 0), append_varint(&handle, 40);
        append_little(&block, 0, 1);                                    /* stored as it is */
        append(&file, block.data, block.size);
        append_little(&file, crc32c_masked(block.data, block.size), 4);
        append_entry(&index, "", "a", &handle);
        finish_index(&file, &index);
        Status s = bundle_open(&bundle, in_scratch("c"), &e);
        expect_failure(i ? "too many restarts" : "nine restarts", s, &e, BERT_FILE,
                       i ? "found more restarts than bytes" : "header");
        clear(&block);
    }
}

/* What lies between two blocks is under no checksum; and a block that is named again and again would be checked again
 * and again. An empty block, since others are refused for the order of their names already. */
static void blocks_of_an_index_follow_each_other(void)
{
    for (int gap = 0; gap < 3; gap++) {
        Bundle bundle;
        Error e = {0};
        Buffer file = {0}, index = {0}, handle = {0}, again = {0}, block = {0}, empty = {0};
        Buffer header = bundle_header(SOUND);
        append_entry(&block, "", "", &header);
        append_block(&file, &block, 0, &handle);
        append_entry(&index, "", "a", &handle);
        if (gap == 1) append(&file, "x", 1);
        append_block(&file, &empty, 0, &handle);
        append(&again, handle.data, handle.size);
        append_entry(&index, "", "b", &handle);
        if (gap == 2) append_entry(&index, "", "c", &again);
        clear(&again);
        finish_index(&file, &index);
        put_file("c.data-00000-of-00002", "", 0);
        put_file("c.data-00001-of-00002", "", 0);
        Status s = bundle_open(&bundle, in_scratch("c"), &e);
        if (gap) expect_failure(gap == 1 ? "a gap" : "a block twice", s, &e, BERT_FILE, "behind the block before it");
        else if (check(s == BERT_OK, "without a gap it opens: %s", e.message)) bundle_close(&bundle);
    }
}

/* Blocks that are read twice, or that other readers take for empty. */
static void blocks_follow_one_another(void)
{
    static const unsigned char no_restarts[4] = {0};
    Bundle bundle;
    Error e;
    for (int twice = 0; twice < 2; twice++) {
        Buffer file = {0}, index = {0}, handle = {0}, block = {0}, header = bundle_header(SOUND);
        append_entry(&block, "", "", &header);
        append_block(&file, &block, 0, &handle);
        append_entry(&index, "", "a", &handle);
        if (twice) {                                                    /* an empty block, named twice */
            size_t at = file.size;
            append_block(&file, &block, 0, &handle);
            append_entry(&index, "a", "b", &handle);
            append_varint(&handle, at), append_varint(&handle, 8);
            append_entry(&index, "b", "c", &handle);
        } else {
            append(&block, no_restarts, sizeof no_restarts);
            append_varint(&handle, file.size), append_varint(&handle, block.size);
            append_little(&block, 0, 1);
            append(&file, block.data, block.size);
            append_little(&file, crc32c_masked(block.data, block.size), 4);
            clear(&block);
            append_entry(&index, "a", "b", &handle);
        }
        finish_index(&file, &index);
        expect_failure(twice ? "a block twice" : "no restarts", bundle_open(&bundle, in_scratch("c"), &e), &e,
                       BERT_FILE, twice ? "behind the block before it" : "found no restarts");
    }
}

/* An index of one block with the sizes that infer_config reads, and the query kernels of L layers. */
static Status convert_layers(int L, Error *e)
{
    static const size_t shapes[4][2] = {{7, 64}, {5, 64}, {2, 64}, {64, 3}};
    static const char *const names[] = {
        "embeddings/word_embeddings", "embeddings/position_embeddings", "embeddings/token_type_embeddings",
        "encoder/layer_0/intermediate/dense/kernel"};
    static Variable v[1100];
    size_t count = 0;
    for (; count < 4; count++) {
        v[count] = (Variable){.rank = 2, .type = TF_FLOAT, .shape = {shapes[count][0], shapes[count][1]}};
        snprintf(v[count].name, sizeof v[count].name, "bert/%s", names[count]);
    }
    for (int l = 0; l < L; l++) {
        v[count] = (Variable){.rank = 0};
        snprintf(v[count++].name, sizeof v[0].name, "bert/encoder/layer_%d/attention/self/query/kernel", l);
    }
    qsort(v, count, sizeof *v, by_variable);
    Buffer block = {0}, value = bundle_header(SOUND), data = {0};
    append_entry(&block, "", "", &value);
    for (size_t i = 0; i < count; i++) {
        size_t size = v[i].rank ? v[i].shape[0] * v[i].shape[1] * 4 : 0;
        if (size) value = bundle_entry(&v[i], 0, 0, size, 0, SOUND);
        append_entry(&block, i ? v[i - 1].name : "", v[i].name, &value);
    }
    put_index(&block, 0);
    while (data.size < 7 * 64 * 4) append_little(&data, 0, 4);
    put_file("c.data-00000-of-00002", data.data, data.size);
    put_file("c.data-00001-of-00002", "", 0);
    clear(&data);
    return convert_quietly(e);
}

/* 1,025 layers in an index of 60 KB: each would ask for 16 rows of the table, whatever the file has. And none at all:
 * that was converted to a model that cannot be loaded. */
static void layers_are_counted(void)
{
    Buffer block = {0}, data = {0};
    char hex[65], tensor[100];
    Error e;
    expect_failure("1,025 layers", convert_layers(1025, &e), &e, BERT_FILE, "found more layers, expected 1 to 1024");
    expect_failure("1,024 layers", convert_layers(1024, &e), &e, BERT_FILE, "query/kernel': found type number 0");
    expect_failure("no layers", convert_layers(0, &e), &e, BERT_FILE, "found no layers, expected 1 to 1024");

    append_text(&block, "{");
    for (int l = 0; l < 1025; l++) {
        snprintf(tensor, sizeof tensor, "%s\"encoder.layer.%d.attention.self.query.weight\":{\"dtype\":\"F32\","
                 "\"shape\":[0],", l ? "," : "", l);
        append_text(&block, tensor);
        append_text(&block, "\"data_offsets\":[0,0]}");
    }
    append_text(&block, "}");
    append_little(&data, block.size, 8);
    append(&data, block.data, block.size);
    put_file("t.safetensors", data.data, data.size);
    clear(&data), clear(&block);
    expect_failure("fingerprint of 1,025 layers", fingerprint(in_scratch("t.safetensors"), hex, &e), &e, BERT_FILE,
                   "found more layers, expected at most 1024");
}

/* A bit of every byte of the index, all bits of its footer, which has no checksum, and one of each variable. */
static void flipped_bits_in_a_checkpoint_are_noticed(void)
{
    static const char *const names[] = {"c.index", "c.data-00000-of-00002", "c.data-00001-of-00002"};
    Error e;
    put_checkpoint(SOUND);
    for (int k = 0; k < 3; k++) {
        FileView f;
        if (!check(file_open(&f, in_scratch(names[k]), &e) == BERT_OK, "is there")) return;
        unsigned char *whole = malloc(f.size);
        if (!whole) abort();
        size_t size = f.size, used = 0;
        memcpy(whole, f.data, size);
        file_close(&f);
        for (size_t i = 0; i < size; i += k ? size / 20 : 1) {
            whole[i] ^= (unsigned char)(1 << i % 8);
            put_file(names[k], whole, size);
            whole[i] ^= (unsigned char)(1 << i % 8);
            Status s = convert_quietly(&e);
            used += s == BERT_FILE;
            check(s == BERT_FILE || (k && s == BERT_OK), "%s, byte %zu: status %d", names[k], i, (int)s);
        }
        check(k ? used >= 15 : used == size, "%s: %zu of them noticed", names[k], used);    /* the slots are not read */
        for (size_t bit = 8 * (size - 48); k == 0 && bit < 8 * size; bit++) {
            whole[bit / 8] ^= (unsigned char)(1 << bit % 8);
            put_file(names[k], whole, size);
            whole[bit / 8] ^= (unsigned char)(1 << bit % 8);
            check(convert_quietly(&e) == BERT_FILE, "%s, bit %zu is noticed", names[k], bit);
        }
        put_file(names[k], whole, size);
        free(whole);
    }
    check(convert_quietly(&e) == BERT_OK, "restored, it converts: %s", e.message);
}

static void checkpoints_cut_off_are_refused(void)
{
    FileView f;
    Error e;
    Bundle bundle;
    put_checkpoint(SOUND);
    if (!check(file_open(&f, in_scratch("c.index"), &e) == BERT_OK, "is there")) return;
    unsigned char *whole = malloc(f.size);
    size_t size = f.size;
    if (!whole) abort();
    memcpy(whole, f.data, size);
    file_close(&f);
    for (size_t i = 0; i < size; i++) {
        put_file("c.index", whole, i);
        if (!check(bundle_open(&bundle, in_scratch("c"), &e) == BERT_FILE, "cut at %zu is refused",
            i)) bundle_close(&bundle);
    }
    free(whole);
}

/* The same weights without `bert.`, under the older names and in another order. */
static void fingerprint_is_that_of_the_weights(void)
{
    char one[65], other[65], names[100][160];
    SafeTensor t[100];
    Safetensors st;
    Error e = {0};
    put_checkpoint(SOUND);
    if (!check(convert_quietly(&e) == BERT_OK && fingerprint(in_scratch("model.safetensors"), one, &e) == BERT_OK,
        "%s", e.message)) return;
    if (!check(safetensors_open(&st, in_scratch("model.safetensors"), &e) == BERT_OK && st.count < 100,
        "opens")) return;
    for (size_t i = 0; i < st.count; i++) {
        const SafeTensor *from = &st.tensors[st.count - 1 - i];
        const char *name = from->name + (is_head(from->name) ? 0 : 5);
        snprintf(names[i], sizeof names[i], "%s", name);
        if (ends_with(name, "LayerNorm.weight")) snprintf(names[i], sizeof names[i], "%.*sgamma",
                                                          (int)strlen(name) - 6, name);
        if (ends_with(name, "LayerNorm.bias")) snprintf(names[i], sizeof names[i], "%.*sbeta", (int)strlen(name) - 4,
                                                        name);
        t[i] = *from;
        t[i].name = names[i];
    }
    check(safetensors_write(in_scratch("other"), t, st.count, NULL, 0, &e) == BERT_OK, "writes");
    check(fingerprint(in_scratch("other"), other, &e) == BERT_OK, "reads: %s", e.message);
    check_text("fingerprint", other, one);
    t[0].data = t[1].data;
    check(safetensors_write(in_scratch("other"), t, 1, NULL, 0, &e) == BERT_OK && fingerprint(in_scratch("other"),
          other, &e) == BERT_OK
          && strcmp(one, other), "other weights have another");
    t[0].name = "pooler.dense.bias", t[0].dtype = DTYPE_BF16;
    check(safetensors_write(in_scratch("other"), t, 1, NULL, 0, &e) == BERT_OK, "writes half precision");
    expect_failure("half precision", fingerprint(in_scratch("other"), other, &e), &e, BERT_FILE, "expected F32");
    t[0].name = "nobody's";
    check(safetensors_write(in_scratch("other"), t, 1, NULL, 0, &e) == BERT_OK, "writes something else");
    expect_failure("nothing of a BERT", fingerprint(in_scratch("other"), other, &e), &e, BERT_FILE,
                   "found no tensor of a BERT");
    safetensors_close(&st);
}

/* FROM=DIRECTORY with several states of a training: the one that TensorFlow's file `checkpoint` names. */
static void the_checkpoint_that_is_named_is_taken(void)
{
    static const struct { const char *text; int code; const char *says; } cases[] = {
        {"model_checkpoint_path: \"model.ckpt-343\"\nall_model_checkpoint_paths: \"model.ckpt-0\"\n", 0,
         "is complete: "},
        {"model_checkpoint_path: \"/elsewhere/model.ckpt-343\"\n", 0, "is complete: "},
        {"model_checkpoint_path: \"model.ckpt-9\"\n", 3, "names 'model.ckpt-9', which is not there"},
        {"", 3, "names '', which is not there"},
        {NULL, 3, "holds model.ckpt-0.index and model.ckpt-343.index: name one"}};
    char command[1000], said[4096];
    if (too_slow()) return;
    if (access("build/convert", X_OK) || access("weights/fetch.sh", R_OK)) {
        skip("build/convert is missing: make build/convert");
        return;
    }
    put_checkpoint(SOUND);
    const char *place = scratch;
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "cd %s && mkdir -p tf && for f in index data-00000-of-00002 "
                 "data-00001-of-00002; do "
                 "cp c.$f tf/model.ckpt-%s.$f; done", place, i ? "343" : "0");
        check(system(command) == 0, "copies");
    }
    /* the other one is broken, so that taking it would show */
    snprintf(command, sizeof command, "cd %s/tf && : > model.ckpt-0.data-00000-of-00002 && printf "
             "'[PAD]\\n[UNK]\\n[CLS]\\n[SEP]\\n"
             "[MASK]\\n' > vocab.txt", place);
    check(system(command) == 0, "breaks");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].text) put_file("tf/checkpoint", cases[i].text, strlen(cases[i].text));
        else unlink(in_scratch("tf/checkpoint"));
        snprintf(command, sizeof command, "rm -rf %s/w; WEIGHTS=%s/w MODEL=mine FROM=%s/tf sh weights/fetch.sh 2>&1",
                 place,
                 place, place);
        FILE *f = popen(command, "r");
        if (!f) abort();
        said[fread(said, 1, sizeof said - 1, f)] = 0;
        int closed = pclose(f), code = WIFEXITED(closed) ? WEXITSTATUS(closed) : -1;
        check(code == cases[i].code && strstr(said, cases[i].says), "%s: exit %d: %s", cases[i].says, code, said);
    }
    snprintf(command, sizeof command, "rm -rf %s/w %s/tf", place, place);
    check(system(command) == 0, "removes");
}

/* What the converter's program prints, and its exit code. */
static int run_convert(char answer[4000], const char *format, const char *path)
{
    char command[600], rest[1000];
    snprintf(rest, sizeof rest, format, path);
    snprintf(command, sizeof command, "build/convert %.500s 2>&1", rest);
    fflush(stdout);
    FILE *pipe = popen(command, "r");
    if (!pipe) return -1;
    answer[fread(answer, 1, 3999, pipe)] = 0;
    const int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Each of its modes once, and each way to call it wrongly. */
static void the_converter_is_a_program(void)
{
    static const char *const wrong[] = {"", "one", "--nonsense x", "--fingerprint", "--sha256 a b", "--fingerprint a b",
                                        "a b c"};
    char answer[4000], expected[80];
    Error e = {0};
    if (access("build/convert", X_OK)) {
        skip("build/convert is missing: make build/convert");
        return;
    }
    check(run_convert(answer, "--help", "") == 0 &&
          !strncmp(answer, "convert CHECKPOINT_PREFIX OUTPUT_DIRECTORY ", 43) &&
          strstr(answer, "--fingerprint FILE") && strstr(answer, "Exit codes: 0 done, 2 usage"), "help: %s", answer);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check(run_convert(answer, wrong[i], "") == 2 && !strncmp(answer, "convert: expected CHECKPOINT_PREFIX", 35) &&
              strchr(answer, '\n') == answer + strlen(answer) - 1, "\"%s\": one line, exit code 2: %s", wrong[i],
              answer);
    put_file("abc", "abc", 3);
    check(run_convert(answer, "--sha256 %s", in_scratch("abc")) == 0, "a checksum");
    check_text("of abc", answer, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
    put_checkpoint(SOUND);
    unlink(in_scratch("model.safetensors"));
    check(run_convert(answer, "%s ", in_scratch("c")) == 2, "a prefix alone is not enough: %s", answer);
    snprintf(answer, sizeof answer, "%s %s", in_scratch("c"), scratch);
    check(run_convert(answer, "%s", strcpy((char[600]){0}, answer)) == 0 && strstr(answer, "44 tensors, 2L/64H/1A"),
          "converted: %s", answer);
    check(fingerprint(in_scratch("model.safetensors"), expected, &e) == BERT_OK, "%s", e.message);
    strcat(expected, "\n");
    check(run_convert(answer, "--fingerprint %s", in_scratch("model.safetensors")) == 0, "a fingerprint: %s", answer);
    check_text("fingerprint", answer, expected);
    check(run_convert(answer, "--fingerprint %s", in_scratch("abc")) == 3 && !strncmp(answer, "convert: ", 9),
          "no weights: %s", answer);
    snprintf(answer, sizeof answer, "%s %s/x", in_scratch("c"), in_scratch("abc"));
    check(run_convert(answer, "%s", strcpy((char[600]){0}, answer)) == 6 &&
          strstr(answer, "/abc/x: cannot be created: Not a "),
          "a directory below a file: %s", answer);
    check(run_convert(answer, "--sha256 %s", in_scratch("nowhere")) == 3 && strstr(answer, "cannot be opened"),
          "no file: %s", answer);
    check(run_convert(answer, "/dev/null %s", scratch) == 3 && strstr(answer, "null: is a device, expected a file"),
          "a device: %s", answer);
    put_file("bert_config.json", "{\"hidden_size\": 0}", 18);
    snprintf(answer, sizeof answer, "%s %s", in_scratch("c"), scratch);
    check(run_convert(answer, "%s", strcpy((char[600]){0}, answer)) == 3 &&
          strstr(answer, "/bert_config.json: hidden_size is 0, expected 1 to "), "a wrong configuration: %s", answer);
    unlink(in_scratch("bert_config.json"));
}

const Test weights_tests[] = {
    {"the_checkpoint_that_is_named_is_taken", the_checkpoint_that_is_named_is_taken},
    {"messages_cannot_control_the_terminal", messages_cannot_control_the_terminal},
    {"sizes_do_not_wrap", sizes_do_not_wrap},
    {"only_regular_files_are_opened", only_regular_files_are_opened},
    {"output_appears_whole_or_not_at_all", output_appears_whole_or_not_at_all},
    {"output_errors_are_reported", output_errors_are_reported},
    {"json_is_read_as_the_rfc_says", json_is_read_as_the_rfc_says},
    {"words_of_python_are_passed_over", words_of_python_are_passed_over},
    {"a_message_names_the_key_of_its_value", a_message_names_the_key_of_its_value},
    {"json_depth_is_bounded", json_depth_is_bounded},
    {"json_values_are_exact", json_values_are_exact},
    {"sha256_matches_the_published_vectors", sha256_matches_the_published_vectors},
    {"crc32c_matches_the_published_vectors", crc32c_matches_the_published_vectors},
    {"half_precision_is_exact", half_precision_is_exact},
    {"bad_safetensors_are_refused_by_the_right_rule", bad_safetensors_are_refused_by_the_right_rule},
    {"lengths_of_headers_are_claims", lengths_of_headers_are_claims},
    {"misaligned_tensors_can_be_read", misaligned_tensors_can_be_read},
    {"what_is_written_is_read_back", what_is_written_is_read_back},
    {"damaged_safetensors_do_no_harm", damaged_safetensors_do_no_harm},
    {"many_tensors_take_linear_time", many_tensors_take_linear_time},
    {"checkpoint_is_converted_bit_for_bit", checkpoint_is_converted_bit_for_bit},
    {"an_encoder_alone_is_converted", an_encoder_alone_is_converted},
    {"bert_config_beside_a_checkpoint_is_used", bert_config_beside_a_checkpoint_is_used},
    {"bad_checkpoints_are_refused_by_name", bad_checkpoints_are_refused_by_name},
    {"malformed_entries_are_refused", malformed_entries_are_refused},
    {"ends_of_an_index_are_checked", ends_of_an_index_are_checked},
    {"restarts_must_fit_into_their_block", restarts_must_fit_into_their_block},
    {"blocks_of_an_index_follow_each_other", blocks_of_an_index_follow_each_other},
    {"blocks_follow_one_another", blocks_follow_one_another},
    {"layers_are_counted", layers_are_counted},
    {"flipped_bits_in_a_checkpoint_are_noticed", flipped_bits_in_a_checkpoint_are_noticed},
    {"checkpoints_cut_off_are_refused", checkpoints_cut_off_are_refused},
    {"fingerprint_is_that_of_the_weights", fingerprint_is_that_of_the_weights},
    {"the_converter_is_a_program", the_converter_is_a_program},
    {NULL, NULL}};
