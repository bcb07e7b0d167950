/* test_torch.c - pytorch_model.bin: a zip, a pickle, numbers. What torch.save writes becomes the same tensors; what
 * else a zip or a pickle may hold is refused in a sentence that names it. All files are made here, and nothing in them
 * would do anything if it were run. (tests/conformance/test_weights.py does the same with files that torch itself has
 * written.) */
#include "formula.h"
#include "test.h"
#include "torch_file.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool is_torch_file(const unsigned char *data, size_t size);
Status convert_torch(const char *source, const char *to, FILE *log, Error *e);

/* ---------------------------------------------------------------------------------------------------------------------
 * A directory, files, verdicts
 * ------------------------------------------------------------------------------------------------------------------ */
static char directory[256];
static FILE *nowhere;

static const char *in_directory(const char *name)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static bool begin(void)
{
    if (!nowhere) nowhere = fopen("/dev/null", "w");
    return check(formula_directory(directory) && nowhere, "a directory");
}

static void empty(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d)); ) {
        char name[900];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') unlink(name);
    }
    if (d) closedir(d);
}

static void end(void)
{
    empty(in_directory("out"));
    rmdir(in_directory("out"));
    empty(directory);
    formula_remove(directory);
}

/* Why unlink: see put_file in test_weights.c. */
static void put(const char *name, const void *bytes, size_t size)
{
    unlink(in_directory(name));
    FILE *f = fopen(in_directory(name), "wb");
    if (!check(f != NULL, "%s can be written", name)) return;
    if (size) fwrite(bytes, 1, size, f);
    fclose(f);
}

static void put_archive(const char *name, Archive *a)
{
    archive_finish(a);
    put(name, a->file.data, a->file.size);
    bytes_free(&a->file);
    *a = (Archive){0};
}

/* The file t.bin, opened, is refused with this part of a sentence. */
static void expect_refused(const char *what, const char *part)
{
    TorchFile t;
    Error e = {0};
    Status s = torch_open(&t, in_directory("t.bin"), &e);
    if (strcmp(what, "cut") != 0) record(what, e.message, directory);
    check(s == BERT_FILE && strstr(e.message, part), "%s: status %d, \"%s\" says \"%s\"", what, (int)s, e.message,
          part);
    if (s == BERT_OK) torch_close(&t);
}

/* The pickle alone in an archive. */
static void put_pickle(const void *bytes, size_t size)
{
    Archive a = {0};
    archive_add(&a, "m/data.pkl", bytes, size);
    archive_add(&a, "m/data/0", "\0\0\200\77\0\0\0\100", 8);            /* 1, 2 */
    put_archive("t.bin", &a);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What is read
 * ------------------------------------------------------------------------------------------------------------------ */
static void crc32_matches_the_published_vectors(void)
{
    check(crc32_zip("123456789", 9) == 0xCBF43926, "123456789");
    check(crc32_zip("", 0) == 0, "nothing");
    check(crc32_zip("\0\0\0\0", 4) == 0x2144DF1C, "four zeros");
}

static bool same_tensors(const SafeTensor *a, size_t a_count, const SafeTensor *b, size_t b_count)
{
    bool same = check(a_count == b_count, "%zu tensors, expected %zu", a_count, b_count);
    for (size_t i = 0; same && i < a_count; i++) {
        same = !strcmp(a[i].name, b[i].name) && a[i].dtype == b[i].dtype && a[i].rank == b[i].rank &&
               a[i].count == b[i].count && !memcmp(a[i].shape, b[i].shape, (size_t)a[i].rank * sizeof *a[i].shape) &&
               !memcmp(a[i].data, b[i].data, a[i].count * dtype_size(a[i].dtype));
        check(same, "%s is %s", a[i].name, b[i].name);
    }
    return same;
}

/* All dtypes and ranks; with the zip64 records, and without. */
static void a_state_dict_is_read_as_it_was_saved(void)
{
    static const unsigned char bytes[4096];
    static char names[80][32];
    SafeTensor t[80];
    size_t count = 0;
    if (!begin()) return;
    for (int dtype = DTYPE_F32; dtype <= DTYPE_BOOL; dtype++)
        for (int rank = 0; rank <= 4; rank++, count++) {
            t[count] = (SafeTensor){names[count], (DType)dtype, rank, {0}, 1, bytes + 8 * count};
            snprintf(names[count], sizeof names[0], "layer.%zu.weight", count);
            for (int i = 0; i < rank; i++) {
                t[count].shape[i] = (count + (size_t)i * 3) % 4;        /* now and then 0 */
                t[count].count *= t[count].shape[i];
            }
        }
    for (int without = 0; without < 2; without++) {
        TorchFile file;
        Error e = {0};
        Archive a = torch_archive(t, count);
        if (without) {
            a.file.size -= 22;
            memmove(a.file.data + a.file.size - 76, a.file.data + a.file.size, 22);
            a.file.size += 22 - 76;
        }
        put("t.bin", a.file.data, a.file.size);
        bytes_free(&a.file);
        if (!check(torch_open(&file, in_directory("t.bin"), &e) == BERT_OK, "it opens: %s", e.message)) continue;
        same_tensors(file.tensors, file.count, t, count);
        torch_close(&file);
    }
    end();
}

typedef struct {
    size_t offset;
    int rank;
    size_t shape[4], stride[4];
    const char *expected;           /* element numbers, NULL: refused as `part` says */
    const char *part;
} Strided;

/* Views of a storage of 24 floats 0 .. 23. */
static void views_are_gathered_row_by_row(void)
{
    const Strided cases[] = {
        {0, 2, {4, 6}, {6, 1}, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23", NULL},
        /* transposed */
        {0, 2, {6, 4}, {1, 6}, "0 6 12 18 1 7 13 19 2 8 14 20 3 9 15 21 4 10 16 22 5 11 17 23", NULL},
        {7, 2, {2, 2}, {6, 2}, "7 9 13 15", NULL}, {5, 1, {3}, {4}, "5 9 13", NULL}, {23, 0, {0}, {0}, "23", NULL},
        {0, 3, {2, 3, 4}, {1, 2, 6}, "0 6 12 18 2 8 14 20 4 10 16 22 1 7 13 19 3 9 15 21 5 11 17 23", NULL},
        {20, 2, {1, 4}, {99, 1}, "20 21 22 23", NULL}, {0, 2, {2, 2}, {0, 1}, "0 1 0 1", NULL},
        {3, 1, {5}, {0}, "3 3 3 3 3", NULL}, {99, 1, {0}, {1}, "", NULL}, {0, 2, {3, 0}, {1, 1}, "", NULL},
        {0, 3, {1, 1, 2}, {99, 77, 23}, "0 23", NULL},
        {1, 2, {4, 6}, {6, 1}, NULL, "beyond its storage"}, {24, 0, {0}, {0}, NULL, "beyond its storage"},
        {0, 1, {2}, {24}, NULL, "beyond its storage"}, {23, 2, {2, 1}, {1, 1}, NULL, "beyond its storage"},
        {0, 1, {25}, {0}, NULL, "an expanded tensor"}, {0, 2, {5, 5}, {1, 1}, NULL, "an expanded tensor"},
        {0, 2, {2, 2}, {1, 23}, NULL, "beyond its storage"}};
    float numbers[24];
    if (!begin()) return;
    for (int i = 0; i < 24; i++) numbers[i] = (float)i;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const Strided *c = &cases[k];
        TorchFile t;
        Error e = {0};
        Archive a = {0};
        Bytes p = {0};
        char text[200] = "";
        pickle_begin(&p);
        bytes_text(&p, "X\1"), bytes_number(&p, 0, 3), bytes_text(&p, "x");
        bytes_text(&p, "ctorch._utils\n_rebuild_tensor_v2\n((X\7"), bytes_number(&p, 0, 3), bytes_text(&p, "storage");
        bytes_text(&p, "ctorch\nFloatStorage\nX\1"), bytes_number(&p, 0, 3), bytes_text(&p, "0X\3"), bytes_number(&p, 0,
                                                                                                                  3);
        bytes_text(&p, "cpuK\30tQ");
        bytes_text(&p, "\x8a\10"), bytes_number(&p, c->offset, 8);
        bytes_text(&p, "(");
        for (int i = 0; i < c->rank; i++) bytes_text(&p, "\x8a\10"), bytes_number(&p, c->shape[i], 8);
        bytes_text(&p, "t(");
        for (int i = 0; i < c->rank; i++) bytes_text(&p, "\x8a\10"), bytes_number(&p, c->stride[i], 8);
        bytes_text(&p, "t\x89}tRu.");
        archive_add(&a, "m/data.pkl", p.data, p.size);
        archive_add(&a, "m/data/0", numbers, sizeof numbers);
        put_archive("t.bin", &a);
        bytes_free(&p);
        if (!c->expected) {
            expect_refused("a view", c->part);
            continue;
        }
        Status s = torch_open(&t, in_directory("t.bin"), &e);
        if (!check(s == BERT_OK, "view %zu: %s", k, e.message)) continue;
        for (size_t i = 0; i < t.tensors[0].count; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%g", i ? " " : "",
                     tensor_element(&t.tensors[0], i));
        check_text("elements", text, c->expected);
        torch_close(&t);
    }
    end();
}

/* Strides and sizes near 2^63, where products and sums of sizes would wrap. */
static void no_product_of_a_view_wraps(void)
{
    static const uint64_t most = INT64_MAX;
    const uint64_t cases[][3] = {                                       /* offset, shape, stride */
        {0, most, 1}, {0, 2, most}, {0, 3, most}, {most, 1, 0}, {most, 2, most}, {0, most, most}, {0, most, 0},
        {0, (uint64_t)1 << 32, (uint64_t)1 << 32}, {0, 5, ((uint64_t)1 << 62) + 1}, {0, 3, (uint64_t)1 << 62}};
    if (!begin()) return;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Bytes p = {0};
        pickle_begin(&p);
        bytes_text(&p, "X\1"), bytes_number(&p, 0, 3), bytes_text(&p, "x");
        bytes_text(&p, "ctorch._utils\n_rebuild_tensor_v2\n((X\7"), bytes_number(&p, 0, 3), bytes_text(&p, "storage");
        bytes_text(&p, "ctorch\nFloatStorage\nX\1"), bytes_number(&p, 0, 3), bytes_text(&p, "0X\3"), bytes_number(&p, 0,
                                                                                                                  3);
        bytes_text(&p, "cpuK\2tQ\x8a\10"), bytes_number(&p, cases[k][0], 8);
        bytes_text(&p, "\x8a\10"), bytes_number(&p, cases[k][1], 8), bytes_text(&p, "\x85\x8a\10");
        bytes_number(&p, cases[k][2], 8), bytes_text(&p, "\x85\x89}tRu.");
        put_pickle(p.data, p.size);
        bytes_free(&p);
        expect_refused("near 2^63", "tensor 'x': found ");
    }
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * What is refused
 * ------------------------------------------------------------------------------------------------------------------ */
#define TENSOR "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" \
    "0X\3\0\0\0cpuK\2tQK\0K\2\x85K\1\x85\x89}tR"
#define NAMED(name) "X\1\0\0\0" name
#define CASE(bytes, part) {bytes, sizeof bytes - 1, part}
#define DICT(bytes, count, left_out) {bytes, sizeof bytes - 1, count, left_out}

static const struct { const char *bytes; size_t size; const char *part; } refused_pickles[] = {
    CASE("", "no protocol number"), CASE("\x80", "no protocol number"), CASE("(.", "no protocol number"),
    CASE("\x80\2", "found no end"), CASE("\x80\2.", "too few values"), CASE("\x80\2N.",
                                                                            "something else than one dictionary"),
    CASE("\x80\2}}.", "something else than one dictionary"), CASE("\x80\2(}.",
                                                                  "something else than one dictionary"),
    CASE("\x80\2}.", "found no tensors in the dictionary"), CASE("\x80\2}.N", "bytes behind the pickle's end"),
    CASE("\x80\2cos\ngetcwd\n.", "found the name 'os.getcwd'"), CASE("\x80\2cbuiltins\nlen\n.", "'builtins.len'"),
    CASE("\x80\2ccollections\nordereddict\n.", "'collections.ordereddict'"),
    CASE("\x80\2ctorch._utils\n_rebuild_tensor\n.", "_rebuild_tensor'"), CASE("\x80\2c\n\n.", "found the name '.'"),
    CASE("\x80\2ctorch\nFloatStorage", "a name without an end"), CASE("\x80\2ctorch", "a name without an end"),
    CASE("\x80\2ctorch\nFloatStorage.\n.", "'torch.FloatStorage.'"),
    CASE("\x80\2c\x1b[2J\nx\n.", "found the name '\\x1b[2J.x'"),
    CASE("\x80\4\x8c\2os\x8c\6getcwd\x93.", "found the name 'os.getcwd'"), CASE("\x80\4K\1K\1\x93.",
                                                                                "a name that is no text"),
    CASE("\x80\2i", "opcode 69"), CASE("\x80\2o", "opcode 6f"), CASE("\x80\2\x81", "opcode 81"),
    CASE("\x80\2\x82\1", "opcode 82"),
    CASE("\x80\2P", "opcode 50"), CASE("\x80\2\x97", "opcode 97"), CASE("\x80\2" "0", "opcode 30"),
    CASE("\x80\2\xff", "opcode ff"),
    CASE("\x80\2)R.", "too few values"), CASE("\x80\2N)R.", "a call of something else"),
    CASE("\x80\2ctorch\nFloatStorage\n)R.", "a call of a storage's type"),
    CASE("\x80\2ccollections\nOrderedDict\n}R.", "a call of something else"),
    CASE("\x80\2ccollections\nOrderedDict\nN\x85R.", "an OrderedDict with arguments"),
    CASE("\x80\2ctorch._utils\n_rebuild_tensor_v2\n)R.", "a tensor with other arguments"),
    CASE("\x80\2ctorch._utils\n_rebuild_parameter\n)R.", "a parameter with other arguments"),
    CASE("\x80\2ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR.", "a tensor with other arguments"),
    CASE("\x80\2NQ.", "a persistent id that is no storage"), CASE("\x80\2(NNNNNtQ.",
                                                                  "a persistent id that is no storage"),
    CASE("\x80\2h\0.", "memory that is empty"), CASE("\x80\2j\0\0\0\0.", "memory that is empty"),
    CASE("\x80\2Nq\1.", "not the next one"), CASE("\x80\2Nr\0\0\0\1.", "not the next one"), CASE("\x80\2q\0.",
                                                                                                 "not the next "
                                                                                                 "one"),
    CASE("\x80\2(q\0.", "a mark to be remembered"), CASE("\x80\2t.", "found no mark"), CASE("\x80\2u.",
                                                                                            "found no mark"),
    CASE("\x80\2" "e.", "found no mark"), CASE("\x80\2\x85.", "too few values"), CASE("\x80\2(\x85.",
                                                                                      "a mark inside"),
    CASE("\x80\2s.", "too few values"), CASE("\x80\2NNNs.", "members without a dictionary"), CASE("\x80\2}(Nu.",
                                                                                                  "members "
                                                                                                  "without"),
    CASE("\x80\2(NNu.", "members without"), CASE("\x80\2}(Ns.", "mark as a member"), CASE("\x80\2Na.",
                                                                                          "without a list"),
    CASE("\x80\2" "NNa.", "without a list"), CASE("\x80\2N(Ne.", "without a list"), CASE("\x80\2N}b.",
                                                                                         "attributes of something"),
    CASE("\x80\2}Nb.", "attributes of something"), CASE("\x80\2X\5\0\0\0abc", "longer than the pickle"),
    CASE("\x80\2X\377\377\377\377abc", "longer than the pickle"), CASE("\x80\2X\1\0\0\0\377.",
                                                                       "not UTF-8, or with a NUL"),
    CASE("\x80\2X\1\0\0\0\0.", "not UTF-8, or with a NUL"), CASE("\x80\2X\2\0\0\0\303.",
                                                                 "not UTF-8, or with a NUL"),
    CASE("\x80\2J\1", "the end of the pickle"), CASE("\x80\2G\0", "the end of the pickle"),
    CASE("\x80\2\x8a\t123456789.", "64 bits"),
    CASE("\x80\4\x95\0\0", "the end of the pickle"), CASE("\x80\2K", "the end of the pickle"),
    CASE("\x80\2}(K\1" TENSOR "u.", "whose name is no text"),
    CASE("\x80\2}(" NAMED("x") TENSOR NAMED("x") TENSOR "u.", "tensor 'x': found it twice"),
    CASE("\x80\2}(X\14\0\0\0__metadata__" TENSOR "u.", "safetensors has for something else"),
    CASE("\x80\2]}(" NAMED("x") TENSOR "ua.", "something else than one dictionary")
};

static void every_other_opcode_and_name_is_refused(void)
{
    if (!begin()) return;
    for (size_t i = 0; i < sizeof refused_pickles / sizeof *refused_pickles; i++) {
        put_pickle(refused_pickles[i].bytes, refused_pickles[i].size);
        expect_refused(refused_pickles[i].part, refused_pickles[i].part);
    }
    end();
}

/* Every one of the 256 opcodes alone, behind some values: a verdict; those that are not in the list, by number. */
static void all_opcodes_have_a_verdict(void)
{
    static const char known[] = "(NGKMJX)t}su]aecqrhjQRb.\x80\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95";
    if (!begin()) return;
    for (int opcode = 0; opcode < 256; opcode++) {
        char bytes[] = "\x80\2}}NN.", part[32];
        TorchFile t;
        Error e = {0};
        bytes[6] = (char)opcode;
        put_pickle(bytes, sizeof bytes);                                /* a NUL at the end */
        check(torch_open(&t, in_directory("t.bin"), &e) == BERT_FILE, "opcode %02x: refused", opcode);
        snprintf(part, sizeof part, "found the opcode %02x", opcode);
        bool in_list = opcode && strchr(known, opcode);
        check(!strstr(e.message, part) == in_list || (!in_list && opcode == 0), "opcode %02x: %s", opcode, e.message);
    }
    end();
}

/* Values that are no tensors, parameters, training checkpoints; tensors beside the dictionary that has the word
 * embeddings. */
#define WORDS "X\50\0\0\0module.embeddings.word_embeddings.weight"
static void dictionaries_are_chosen_by_name(void)
{
    static const struct { const char *bytes; size_t size, count, left_out; } cases[] = {
        DICT("\x80\2}(" NAMED("x") TENSOR NAMED("y") "N" NAMED("z") "]" NAMED("w") "]K\1au.", 1, 3),
        DICT("\x80\2}(X\5\0\0\0epochK\3X\n\0\0\0state_dict}(" NAMED("x") TENSOR NAMED("y") TENSOR "uu.", 2, 0),
        DICT("\x80\2}X\5\0\0\0model}" NAMED("x") TENSOR "ss.", 1, 0),
        DICT("\x80\2}X\x10\0\0\0model_state_dict}" NAMED("x") TENSOR "ss.", 1, 0),
        DICT("\x80\2}X\6\0\0\0module}" NAMED("x") TENSOR "ss.", 1, 0),
        DICT("\x80\2}" NAMED("x") "ctorch._utils\n_rebuild_parameter\n" TENSOR "\x88}\x87Rs.", 1, 0),
        DICT("\x80\2}(" NAMED("x") TENSOR "X\5\0\0\0model}" NAMED("y") TENSOR "su.", 1, 1),
        DICT("\x80\2}(X\5\0\0\0model}(" WORDS TENSOR NAMED("x") TENSOR "uX\4\0\0\0step" TENSOR "u.", 2, 0),
        DICT("\x80\2}(" NAMED("r") TENSOR "X\5\0\0\0model}(" WORDS TENSOR NAMED("x") TENSOR "uu.", 2, 0),
        DICT("\x80\2}(" NAMED("r") TENSOR "X\5\0\0\0model}" NAMED("x") TENSOR "sX\6\0\0\0module}(" WORDS TENSOR
             NAMED("x") TENSOR NAMED("y") TENSOR "uu.", 3, 0),
        DICT("\x80\2}(" WORDS TENSOR "X\5\0\0\0model}(" WORDS TENSOR NAMED("x") TENSOR "uu.", 1, 1),
        DICT("\x80\2}(" NAMED("x") TENSOR NAMED("y") "](K\1K\2eu.", 1, 1),
        DICT("\x80\2}q\0q\1q\0" NAMED("x") TENSOR "s.", 1, 0),
        DICT("\x80\2}X\5\0\0\0other}" NAMED("x") TENSOR "ss.", 0, 0)};
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TorchFile t;
        Error e = {0};
        put_pickle(cases[i].bytes, cases[i].size);
        if (!cases[i].count) {
            expect_refused("a dictionary of another name", "found no tensors in the dictionary, nor in one called");
            continue;
        }
        if (!check(torch_open(&t, in_directory("t.bin"), &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check(t.count == cases[i].count && t.left_out == cases[i].left_out, "case %zu: %zu tensors, %zu left out", i,
              t.count,
              t.left_out);
        check(tensor_element(&t.tensors[0], 0) == 1 && tensor_element(&t.tensors[0], 1) == 2, "its numbers");
        torch_close(&t);
    }
    end();
}

/* Storages against the zip. */
static void storages_are_held_against_the_zip(void)
{
    static const char pickle[] = "\x80\2}" NAMED("x") TENSOR "s.";
    static const struct { const char *entry, *part; size_t size; } cases[] = {
        {"m/data/1", "found no entry of the zip", 8}, {"n/data/0", "found no entry of the zip", 8},
        {"m/data/0", "another size of its storage", 7}, {"m/data/0", "another size of its storage", 9},
        {"m/data/0", "another size of its storage", 0}, {"m/data/00", "found no entry of the zip", 8}};
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Archive a = {0};
        archive_add(&a, "m/data.pkl", pickle, sizeof pickle - 1);
        archive_add(&a, cases[i].entry, "123456789", cases[i].size);
        put_archive("t.bin", &a);
        expect_refused(cases[i].entry, cases[i].part);
    }
    end();
}

/* A thousand tensors that are all one storage: more than twice the file. Ten slices of one: fine. */
static void shared_storages_are_bounded(void)
{
    float numbers[2000] = {0};
    const size_t shape[] = {2000}, one[] = {1}, slice[] = {200};
    if (!begin()) return;
    for (int many = 0; many < 2; many++) {
        Archive a = {0};
        Bytes p = {0};
        TorchFile t;
        Error e = {0};
        char name[16];
        pickle_begin(&p);
        for (size_t i = 0; i < (many ? 1000 : 10); i++) {
            snprintf(name, sizeof name, "t%zu", i);
            pickle_tensor(&p, name, "FloatStorage", "0", 2000, many ? 0 : 200 * i, 1, many ? shape : slice, one);
        }
        pickle_end(&p);
        archive_add(&a, "m/data.pkl", p.data, p.size);
        archive_add(&a, "m/data/0", numbers, sizeof numbers);
        put_archive("t.bin", &a);
        bytes_free(&p);
        if (many) expect_refused("a thousand times", "more than twice the file");
        else if (check(torch_open(&t, in_directory("t.bin"), &e) == BERT_OK && t.count == 10, "ten slices: %s",
                       e.message))
            torch_close(&t);
    }
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The archive
 * ------------------------------------------------------------------------------------------------------------------ */
static void other_files_are_refused_by_name(void)
{
    if (!begin()) return;
    put("t.bin", "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15);
    expect_refused("before 1.6", "before version 1.6");
    put("t.bin", "PK\3\4", 4);
    expect_refused("cut", "found no end record");
    put("t.bin", "", 0);
    expect_refused("nothing", "found no end record");
    Archive a = {0};
    archive_add(&a, "m/data.json", "{}", 2);
    put_archive("t.bin", &a);
    expect_refused("another zip", "a zip without data.pkl");
    archive_add(&a, "m/data.pkl", "\x80\2}.", 4), archive_add(&a, "n/data.pkl", "\x80\2}.", 4);
    put_archive("t.bin", &a);
    expect_refused("two of them", "two entries data.pkl");
    archive_add(&a, "m/data.pkl", "\x80\2}.", 4), archive_add(&a, "m/data.pkl", "\x80\2}.", 4);
    put_archive("t.bin", &a);
    expect_refused("a name twice", "'m/data.pkl' twice");
    archive_add(&a, "m/data.pkl", "\x80\2}.", 4), archive_add(&a, "m/byteorder", "big", 3);
    put_archive("t.bin", &a);
    expect_refused("big-endian", "another one than \"little\"");
    archive_add(&a, "m/data.pkl", "\x80\2}.", 4), archive_add(&a, "m/constants.pkl", "\x80\2).", 4);
    put_archive("t.bin", &a);
    expect_refused("TorchScript", "a program of TorchScript");
    archive_finish(&a);
    put("t.bin", a.file.data, a.file.size);
    bytes_free(&a.file);
    expect_refused("an empty zip", "a zip without data.pkl");
    end();
}

/* One field of the archive changed: where, from its beginning or its end, by how much, and what is said. */
static void fields_of_a_zip_are_checked(void)
{
    static const float numbers[2] = {1, 2};
    static char name[] = "x";
    const SafeTensor t = {name, DTYPE_F32, 1, {2}, 2, numbers};
    const Archive a = torch_archive(&t, 1);
    const size_t size = a.file.size, central = size - 98 - (4 * 46 + strlen("m/data.pklm/byteorderm/data/0m/version"));
    const struct { size_t at; unsigned char value; const char *part; } cases[] = {
        {size - 2, 1, "found a comment"}, {size - 18, 1, "in several files"}, {size - 14, 9, "in several files"},
        {size - 22, 'Q', "no end record"}, {size - 10, 1, "two end records"}, {size - 6, 1, "two end records"},
        {size - 42, 'Q', "directory that ends elsewhere"}, {size - 34, 9, "where the zip64 end record is"},
        {size - 38, 1, "in several files"}, {size - 26, 2, "in several files"}, {size - 98, 'Q',
                                                                                 "where the zip64 end record is"},
        {size - 94, 45, "of another length"}, {size - 82, 1, "in several files"}, {size - 74, 9, "two end records"},
        {size - 66, 9, "two end records"}, {size - 58, 1, "two end records"}, {size - 50, 1, "two end records"},
        {central, 'Q', "no entry of the directory"}, {central + 8, 9, "an encrypted entry"},
        {central + 10, 8, "a compressed entry"}, {central + 20, 1, "a compressed entry"},
        {central + 16, 1, "checksum"}, {central + 28, 255, "longer than the directory"},
        {central + 30, 3, "do not fill their room"}, {central + 34, 1, "in several files"},
        {central + 42, 1, "found no header"}, {central + 46, 'n', "says something else than the directory"},
        {0, 'Q', "found no header"}, {8, 8, "says something else"}, {6, 9, "says something else"},
        {26, 9, "says something else"}, {28, 255, "reaches into the directory"}, {30, 'n', "says something else"}};
    if (!begin()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char before = a.file.data[cases[i].at];
        a.file.data[cases[i].at] = cases[i].value;
        put("t.bin", a.file.data, size);
        a.file.data[cases[i].at] = before;
        expect_refused(cases[i].part, cases[i].part);
    }
    put("t.bin", a.file.data, size);
    TorchFile file;
    Error e = {0};
    if (check(torch_open(&file, in_directory("t.bin"), &e) == BERT_OK, "unchanged it opens: %s", e.message))
        torch_close(&file);
    free(a.file.data);
    end();
}

/* Sizes and offsets of the directory in 64 bits, behind other extra fields or not; and extra fields that lack them. */
static void zip64_fields_are_read(void)
{
    static const float numbers[2] = {1, 2};
    static const char pickle[] = "\x80\2}" NAMED("x") TENSOR "s.";
    TorchFile t;
    Error e = {0};
    if (!begin()) return;
    for (int kind = 0; kind < 4; kind++) {
        Archive a = {.wide = WIDE_ALL, .no_zip64 = kind == 1};
        archive_add(&a, "m/data.pkl", pickle, sizeof pickle - 1);
        archive_add(&a, "m/data/0", numbers, sizeof numbers);
        unsigned char *extra = a.directory.data + a.directory.size - 28;
        if (kind == 2)
            extra[2] = 16, extra[20] = 'F', extra[21] = 'B', extra[22] = 4, extra[23] = 0;  /* two numbers of three */
        if (kind == 3)
            memset(extra + 4 + 16, 255, 8);                                              /* an offset of 2^64-1 */
        put_archive("t.bin", &a);
        if (kind == 2) expect_refused("too few numbers", "do not fill their room");
        else if (kind == 3) expect_refused("an offset beyond", "found no header");
        else if (check(torch_open(&t, in_directory("t.bin"), &e) == BERT_OK && t.count == 1, "zip64: %s", e.message))
            torch_close(&t);
    }
    for (unsigned wide = 0; wide <= WIDE_ALL; wide++) {                 /* those that need it, and no others */
        Archive a = {.wide = wide};
        archive_add(&a, "m/data.pkl", pickle, sizeof pickle - 1);
        archive_add(&a, "m/data/0", numbers, sizeof numbers);
        put_archive("t.bin", &a);
        if (!check(torch_open(&t, in_directory("t.bin"), &e) == BERT_OK && t.count == 1, "zip64 of %u: %s", wide, e.message))
            continue;
        check(tensor_element(&t.tensors[0], 1) == 2, "zip64 of %u: its numbers", wide);
        torch_close(&t);
    }
    Archive a = {0};
    archive_add(&a, "m/data.pkl", pickle, sizeof pickle - 1);
    a.count = 9;
    put_archive("t.bin", &a);
    expect_refused("nine entries in the room of one", "more entries than the directory has room for");
    end();
}

/* Every bit of a small file flipped, and the file cut at every length: refused, or the same tensor with the same
 * numbers (a time stamp, the padding, a version). */
static void damaged_archives_do_no_harm(void)
{
    static const float numbers[3] = {1, 2, 3};
    static char name[] = "weight";
    const SafeTensor t = {name, DTYPE_F32, 1, {3}, 3, numbers};
    Archive a = torch_archive(&t, 1);
    size_t refused = 0, accepted = 0;
    if (!begin()) return;
    for (size_t cut = 0; cut < a.file.size; cut++) {
        put("t.bin", a.file.data, cut);
        expect_refused("cut", "t.bin");
    }
    for (size_t bit = 0; bit < 8 * a.file.size; bit += bit % 3 ? 5 : 2) {
        TorchFile file;
        Error e = {0};
        a.file.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        put("t.bin", a.file.data, a.file.size);
        a.file.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        Status s = torch_open(&file, in_directory("t.bin"), &e);
        check(s == BERT_OK || s == BERT_FILE, "bit %zu: status %d", bit, (int)s);
        if (s == BERT_FILE) refused++;
        if (s != BERT_OK) continue;
        accepted++;
        same_tensors(file.tensors, file.count, &t, 1);
        torch_close(&file);
    }
    check(refused > accepted && accepted > 0, "%zu refused, %zu accepted", refused, accepted);
    bytes_free(&a.file);
    end();
}

/* 100,000 marks, memory places, members of one name: a verdict in time that grows with the file. */
static void long_pickles_take_linear_time(void)
{
    if (!begin()) return;
    for (int kind = 0; kind < 4; kind++) {
        Bytes p = {0};
        bytes_text(&p, "\x80\4}");
        if (kind == 3) bytes_text(&p, "(");
        for (int i = 0; i < 100000; i++) {
            if (kind == 0) bytes_text(&p, "(");
            if (kind == 1) bytes_text(&p, "N\x94");
            if (kind == 2) bytes_text(&p, "}}");
            if (kind == 3) bytes_text(&p, "\x8c\5model}");
        }
        if (kind == 3) bytes_text(&p, "u");
        bytes_text(&p, ".");
        put_pickle(p.data, p.size);
        bytes_free(&p);
        expect_refused("a long pickle", kind == 0 ? "too few values" : kind == 3 ? "found no tensors" : "something "
                       "else than one");
    }
    end();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Conversion
 * ------------------------------------------------------------------------------------------------------------------ */

/* The tiny model as pytorch_model.bin: the same model afterwards, in place and into another directory. */
static void a_model_is_converted_bit_for_bit(void)
{
    Safetensors st, made;
    Error e = {0};
    if (!begin()) return;
    if (!check(formula_model(directory, "tiny", &e) == BERT_OK &&
               safetensors_open(&st, in_directory("model.safetensors"), &e) == BERT_OK, "%s", e.message)) return;
    SafeTensor t[64], *words = NULL;
    size_t count = st.count;
    memcpy(t, st.tensors, count * sizeof *t);
    for (size_t i = 0; i < count; i++)
        if (strstr(t[i].name, "word_embeddings")) words = &t[i];
    check(torch_write(in_directory("pytorch_model.bin"), t, count, &e) == BERT_OK, "%s", e.message);
    check(convert_torch(directory, NULL, nowhere, &e) == BERT_FILE && strstr(e.message, "is there already"), "%s",
          e.message);
    unlink(in_directory("model.safetensors"));
    const char *const sources[] = {directory, in_directory("pytorch_model.bin")};
    const char *const places[] = {NULL, in_directory("out")};
    for (int i = 0; i < 2; i++) {
        if (!check(convert_torch(sources[i], places[i], nowhere, &e) == BERT_OK, "%s", e.message)) continue;
        const char *where = i ? "out/model.safetensors" : "model.safetensors";
        if (!check(safetensors_open(&made, in_directory(where), &e) == BERT_OK, "%s", e.message)) continue;
        same_tensors(made.tensors, made.count, st.tensors, st.count);
        safetensors_close(&made);
    }
    check(file_exists(in_directory("out"), "config.json") && words, "with its configuration");
    check(convert_torch(in_directory("none"), NULL, nowhere, &e) == BERT_FILE, "no such file");
    unlink(in_directory("pytorch_model.bin"));
    check(convert_torch(directory, NULL, nowhere, &e) == BERT_FILE && strstr(e.message, "holds no pytorch_model.bin"),
          "%s",
          e.message);
    unlink(in_directory("config.json")), unlink(in_directory("model.safetensors"));
    check(torch_write(in_directory("x.pt"), t, count, &e) == BERT_OK, "%s", e.message);
    check(convert_torch(in_directory("x.pt"), NULL, nowhere, &e) == BERT_OK, "without a configuration: %s", e.message);
    put("config.json", "{\"model_type\": \"roberta\"}", 25);
    check(convert_torch(in_directory("x.pt"), in_directory("out"), nowhere, &e) == BERT_FILE && strstr(e.message,
                                                                                                       "roberta"),
          "another architecture: %s", e.message);
    safetensors_close(&st);
    end();
}

/* A tied decoder shares its storage with the word embeddings: one of them is written. With a storage of its own
 * both are. */
static void a_tied_decoder_is_written_once(void)
{
    static const float numbers[4] = {1, 2, 3, 4};
    static const char *const names[] = {"module.bert.embeddings.word_embeddings.weight",
                                        "module.cls.predictions.decoder.weight"};
    const size_t shape[] = {2, 2}, stride[] = {2, 1}, across[] = {1, 2};
    if (!begin()) return;
    for (int kind = 0; kind < 3; kind++) {                              /* shared; its own; shared, but transposed */
        Archive a = {0};
        Bytes p = {0};
        Safetensors st;
        Error e = {0};
        pickle_begin(&p);
        pickle_tensor(&p, names[1], "FloatStorage", kind == 1 ? "1" : "0", 4, 0, 2, shape, kind == 2 ? across : stride);
        pickle_tensor(&p, names[0], "FloatStorage", "0", 4, 0, 2, shape, stride);
        pickle_end(&p);
        archive_add(&a, "m/data.pkl", p.data, p.size);
        archive_add(&a, "m/data/0", numbers, sizeof numbers);
        archive_add(&a, "m/data/1", numbers, sizeof numbers);
        put_archive("pytorch_model.bin", &a);
        bytes_free(&p);
        unlink(in_directory("model.safetensors"));
        if (!check(convert_torch(directory, NULL, nowhere, &e) == BERT_OK, "%s", e.message)) continue;
        if (!check(safetensors_open(&st, in_directory("model.safetensors"), &e) == BERT_OK, "%s", e.message)) continue;
        check(st.count == (kind ? 2 : 1) && safetensors_find(&st, names[0]), "%zu tensors", st.count);
        safetensors_close(&st);
    }
    end();
}

static void shards_of_torch_are_converted_together(void)
{
    Safetensors st, made;
    Error e = {0};
    SafeTensor part[2][64];
    size_t count[2] = {0};
    if (!begin()) return;
    if (!check(formula_model(directory, "tiny", &e) == BERT_OK &&
               safetensors_open(&st, in_directory("model.safetensors"), &e) == BERT_OK, "%s", e.message)) return;
    unlink(in_directory("model.safetensors"));
    FILE *f = fopen(in_directory("pytorch_model.bin.index.json"), "wb");
    if (!f) abort();
    fputs("{\"weight_map\": {", f);
    for (size_t i = 0; i < st.count; i++) {
        part[i % 2][count[i % 2]++] = st.tensors[i];
        fprintf(f, "%s\"%s\": \"part-%zu.bin\"", i ? ", " : "", st.tensors[i].name, i % 2);
    }
    fputs("}}", f), fclose(f);
    check(torch_write(in_directory("part-0.bin"), part[0], count[0], &e) == BERT_OK &&
          torch_write(in_directory("part-1.bin"), part[1], count[1], &e) == BERT_OK, "%s", e.message);
    if (check(convert_torch(directory, NULL, nowhere, &e) == BERT_OK, "%s", e.message) &&
        check(safetensors_open(&made, in_directory("model.safetensors"), &e) == BERT_OK, "%s", e.message)) {
        for (size_t i = 0; i < st.count; i++) {
            const SafeTensor *t = safetensors_find(&made, st.tensors[i].name);
            check(t && t->count == st.tensors[i].count && !memcmp(t->data, st.tensors[i].data, t->count * 4), "%s",
                  st.tensors[i].name);
        }
        safetensors_close(&made);
        unlink(in_directory("model.safetensors"));
    }
    check(torch_write(in_directory("part-1.bin"), part[0], count[0], &e) == BERT_OK, "%s", e.message);
    check(convert_torch(directory, NULL, nowhere, &e) == BERT_FILE && strstr(e.message, "expects in part-0.bin"), "%s",
          e.message);
    check(torch_write(in_directory("part-1.bin"), part[1], count[1] - 1, &e) == BERT_OK, "%s", e.message);
    check(convert_torch(in_directory("pytorch_model.bin.index.json"), NULL, nowhere, &e) == BERT_FILE &&
          strstr(e.message, "tensors, but "), "%s", e.message);
    unlink(in_directory("part-1.bin"));
    check(convert_torch(directory, NULL, nowhere, &e) == BERT_FILE && strstr(e.message, "part-1.bin: cannot be opened"),
          "%s",
          e.message);
    safetensors_close(&st);
    end();
}

/* A zip or a pickle is told by its first four bytes, or one; what is shorter is neither. */
static void a_torch_file_is_known_by_its_first_bytes(void)
{
    static const struct { const char *bytes; size_t size; bool torch; } cases[] = {
        {"PK\3\4", 4, true}, {"PK\3\4 and more", 13, true}, {"PK\3", 3, false}, {"PK\3\5", 4, false},
        {"\x80\2}q", 4, true}, {"\x80\2}", 3, false}, {"text", 4, false}, {"a longer text", 13, false}, {"", 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char *exact = malloc(cases[i].size + !cases[i].size);      /* a read beyond it is seen */
        if (!exact) return;
        memcpy(exact, cases[i].bytes, cases[i].size);
        check(is_torch_file(exact, cases[i].size) == cases[i].torch, "case %zu", i);
        free(exact);
    }
}

const Test torch_tests[] = {
    {"a_torch_file_is_known_by_its_first_bytes", a_torch_file_is_known_by_its_first_bytes},
    {"crc32_matches_the_published_vectors", crc32_matches_the_published_vectors},
    {"a_state_dict_is_read_as_it_was_saved", a_state_dict_is_read_as_it_was_saved},
    {"views_are_gathered_row_by_row", views_are_gathered_row_by_row},
    {"no_product_of_a_view_wraps", no_product_of_a_view_wraps},
    {"every_other_opcode_and_name_is_refused", every_other_opcode_and_name_is_refused},
    {"all_opcodes_have_a_verdict", all_opcodes_have_a_verdict},
    {"dictionaries_are_chosen_by_name", dictionaries_are_chosen_by_name},
    {"storages_are_held_against_the_zip", storages_are_held_against_the_zip},
    {"shared_storages_are_bounded", shared_storages_are_bounded},
    {"other_files_are_refused_by_name", other_files_are_refused_by_name},
    {"fields_of_a_zip_are_checked", fields_of_a_zip_are_checked},
    {"zip64_fields_are_read", zip64_fields_are_read},
    {"damaged_archives_do_no_harm", damaged_archives_do_no_harm},
    {"long_pickles_take_linear_time", long_pickles_take_linear_time},
    {"a_model_is_converted_bit_for_bit", a_model_is_converted_bit_for_bit},
    {"a_tied_decoder_is_written_once", a_tied_decoder_is_written_once},
    {"shards_of_torch_are_converted_together", shards_of_torch_are_converted_together},
    {NULL, NULL}};
