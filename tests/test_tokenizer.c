/* test_tokenizer.c - steps 1 to 4 against the documents' ids, Hugging Face's ids and offsets, and their own rules.
 * Every Unicode character and random lines: compare_tokenizer.py, which needs Python. */
#include "test.h"
#include "golden/tokenizer_cases.h"
#include "weights/unicode.h"
#include "weights/vocabulary.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNCASED "weights/bert-base-uncased"
#define CASED "weights/bert-base-cased"
#define SPECIALS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static const EncodeOptions plain_options = {.segments = -1};

/* ---------------------------------------------------------------------------------------------------------------------
 * Helpers
 * ------------------------------------------------------------------------------------------------------------------ */
static Text text_of(const char *s)
{
    return (Text){s, strlen(s)};
}

/* Loads a model's tokenizer; without its vocabulary the test is skipped. */
static bool load(Tokenizer *t, const char *directory, CaseChoice choice)
{
    Error e;
    if (!file_exists(directory, "vocab.txt")) {
        skip("no vocab.txt of this model");
        return false;
    }
    return check(tokenizer_load(t, directory, choice, &e) == BERT_OK, "%s loads: %s", directory, e.message);
}

/* Appends printf text to a buffer that never overflows. */
static void append(char *buffer, size_t capacity, const char *piece)
{
    size_t used = strlen(buffer);
    if (used + strlen(piece) < capacity) strcpy(buffer + used, piece);
}

/* "101 2054 102": one row of an encoding as text. */
static void row_text(const int32_t *row, int T, char *out, size_t capacity)
{
    char number[16];
    out[0] = 0;
    for (int i = 0; i < T; i++) {
        snprintf(number, sizeof number, "%s%d", i ? " " : "", (int)row[i]);
        append(out, capacity, number);
    }
}

/* The ids that the texts give, checked against `want`; b may be NULL. */
static void check_ids(const Tokenizer *t, const char *a, const char *b, const EncodeOptions *o, const char *want)
{
    Encoding x = {0};
    Error e;
    char got[8192];
    Text second = b ? text_of(b) : (Text){NULL, 0};
    if (check(encode(t, text_of(a), b ? &second : NULL, o, &x, &e) == BERT_OK, "'%s': %s", a, e.message)) {
        row_text(x.input_ids, x.T, got, sizeof got);
        check_text(a, got, want);
    }
    encoding_free(&x);
}

/* `n` times the text, malloc'ed. */
static Text repeated(const char *s, size_t length, size_t n)
{
    char *bytes = malloc(length * n + 1);
    for (size_t i = 0; i < n; i++) memcpy(bytes + i * length, s, length);
    return (Text){bytes, length * n};
}

/* A directory of its own with the given vocabulary and, unless NULL, tokenizer_config.json. */
static void make_model(char *directory, size_t capacity, const char *vocab, size_t size, const char *config)
{
    const char *base = getenv("TMPDIR");
    char path[4096];
    snprintf(directory, capacity, "%s/bert-test-XXXXXX", base ? base : "/tmp");
    check(mkdtemp(directory) != NULL, "a directory can be made in %s", base ? base : "/tmp");
    snprintf(path, sizeof path, "%s/vocab.txt", directory);
    FILE *f = fopen(path, "wb");
    if (f) fwrite(vocab, 1, size, f), fclose(f);
    if (!config) return;
    snprintf(path, sizeof path, "%s/tokenizer_config.json", directory);
    f = fopen(path, "wb");
    if (f) fputs(config, f), fclose(f);
}

static void remove_model(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/vocab.txt", directory);
    unlink(path);
    snprintf(path, sizeof path, "%s/tokenizer_config.json", directory);
    unlink(path);
    rmdir(directory);
}

/* Loads such a model, removes its files, and returns what tokenizer_load said. */
static char made_in[2048];          /* the directory of the last one, which is gone */

static Status load_made(Tokenizer *t, const char *vocab, size_t size, const char *config, CaseChoice choice, Error *e)
{
    char directory[2048];
    make_model(directory, sizeof directory, vocab, size, config);
    snprintf(made_in, sizeof made_in, "%s", directory);
    Status s = tokenizer_load(t, directory, choice, e);
    remove_model(directory);
    return s;
}

/* The files of a directory that are not NULL, in this order. */
static const char *const file_names[] = {"vocab.txt", "tokenizer.json", "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "added_tokens.json"};
enum { TXT, JSON, CONFIG, MAP, ADDED, FILES };

static Status load_files(Tokenizer *t, const char *const files[FILES], CaseChoice choice, Error *e)
{
    const char *base = getenv("TMPDIR");
    char directory[2048], path[4096];
    snprintf(directory, sizeof directory, "%s/bert-test-XXXXXX", base ? base : "/tmp");
    check(mkdtemp(directory) != NULL, "a directory can be made");
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, file_names[i]);
        FILE *f = files[i] ? fopen(path, "wb") : NULL;
        if (f) {
            fputs(files[i], f);
            fclose(f);
        }
    }
    snprintf(made_in, sizeof made_in, "%s", directory);
    Status s = tokenizer_load(t, directory, choice, e);
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, file_names[i]);
        unlink(path);
    }
    rmdir(directory);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The documents
 * ------------------------------------------------------------------------------------------------------------------ */
static const struct { const char *a, *b, *ids; } documents[] = {
    {"This blog post explains pre trained word embeddings", NULL,
     "101 2023 9927 2695 7607 3653 4738 2773 7861 8270 4667 2015 102"},
    {"Example sentence 1", NULL, "101 2742 6251 1015 102"},
    {"Example sentence 2", NULL, "101 2742 6251 1016 102"},
    {"Here is the sentence I want embeddings for.", NULL,
     "101 2182 2003 1996 6251 1045 2215 7861 8270 4667 2015 2005 1012 102"},
    {"After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank.", NULL,
     "101 2044 11065 2769 2013 1996 2924 11632 1010 1996 2924 27307 2001 2464 5645 2006 1996 5900 2314 2924 1012 102"},
    {"The cat sat on the [MASK].", NULL, "101 1996 4937 2938 2006 1996 103 1012 102"},
    {"The cat sat on the mat", "It was a sunny day",
     "101 1996 4937 2938 2006 1996 13523 102 2009 2001 1037 11559 2154 102"},
    {"my dog is cute", NULL, "101 2026 3899 2003 10140 102"},
    {"my dog is [MASK]", NULL, "101 2026 3899 2003 103 102"},
    {"my dog is happy", NULL, "101 2026 3899 2003 3407 102"},
    {"my dog is cute", "he likes playing", "101 2026 3899 2003 10140 102 2002 7777 2652 102"},
    {"my dog is cute", "how do magnets work", "101 2026 3899 2003 10140 102 2129 2079 16853 2015 2147 102"},
    {"I feel fine today", NULL, "101 1045 2514 2986 2651 102"},
    {"She has fine blond hair", NULL, "101 2016 2038 2986 8855 2606 102"},
    {"Today, I went to [MASK] [MASK] [MASK] .", NULL, "101 2651 1010 1045 2253 2000 103 103 103 1012 102"},
    {"He is running a company", NULL, "101 2002 2003 2770 1037 2194 102"},
    {"He is running a marathon", NULL, "101 2002 2003 2770 1037 8589 102"},
    {"The man went to the store.", NULL, "101 1996 2158 2253 2000 1996 3573 1012 102"},
    {"The man went to the store.", "He bought a gallon of milk.",
     "101 1996 2158 2253 2000 1996 3573 1012 102 2002 4149 1037 25234 1997 6501 1012 102"},
    {"What's your name?", NULL, "101 2054 1005 1055 2115 2171 1029 102"},
    {"What is my place of residence?", NULL, "101 2054 2003 2026 2173 1997 5039 1029 102"},
    {"You are welcome to utilize any text of your choice.", NULL,
     "101 2017 2024 6160 2000 16462 2151 3793 1997 2115 3601 1012 102"},
    {"characteristically", NULL, "101 8281 3973 102"},
    {"crane in the sky", NULL, "101 11308 1999 1996 3712 102"},
    {"crane to lift heavy objects", NULL, "101 11308 2000 6336 3082 5200 102"},
    {"bank of a river", NULL, "101 2924 1997 1037 2314 102"},
    {"savings bank", NULL, "101 10995 2924 102"},
    {"river bank", NULL, "101 2314 2924 102"},
    {"bank robber", NULL, "101 2924 27307 102"},
    {"This is a wooden stick.", NULL, "101 2023 2003 1037 4799 6293 1012 102"},
    {"Stick to your work.", NULL, "101 6293 2000 2115 2147 1012 102"},
    {"I want to talk", NULL, "101 1045 2215 2000 2831 102"},
    {"I will attend a talk", NULL, "101 1045 2097 5463 1037 2831 102"},
};

static void texts_of_the_documents_have_their_ids(void)
{
    Tokenizer t;
    if (!load(&t, UNCASED, CASE_AUTO)) return;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        check_ids(&t, documents[i].a, documents[i].b, &plain_options, documents[i].ids);
    tokenizer_free(&t);
}

static void ids_5000_to_5019_are_those_that_document_001_prints(void)
{
    static const char *const pieces[] = {
        "knight", "lap", "survey", "ma", "##ow", "noise", "billy", "##ium", "shooting", "guide",
        "bedroom", "priest", "resistance", "motor", "homes", "sounded", "giant", "##mer", "150", "scenes"};
    Tokenizer t;
    if (!load(&t, UNCASED, CASE_AUTO)) return;
    check(t.V == 30522, "30,522 pieces, not %d", t.V);
    for (int i = 0; i < 20; i++) {
        check_text("piece", tokenizer_piece(&t, 5000 + i), pieces[i]);
        check(tokenizer_id(&t, pieces[i], strlen(pieces[i])) == 5000 + i, "the id of %s is %d", pieces[i], 5000 + i);
    }
    check(t.pad_id == 0 && t.unk_id == 100 && t.cls_id == 101 && t.sep_id == 102 && t.mask_id == 103, "special ids");
    tokenizer_free(&t);
}

static void a_word_that_is_no_piece_has_no_id_of_its_own(void)
{
    Tokenizer t;
    if (!load(&t, UNCASED, CASE_AUTO)) return;
    check(tokenizer_id(&t, "characteristically", 18) == -1, "characteristically is no piece");
    check(tokenizer_id(&t, "##ally", 6) == 3973 && tokenizer_id(&t, "characteristic", 14) == 8281, "but its parts are");
    check(tokenizer_id(&t, "bankx", 4) == 2924, "a piece is its bytes and its length");
    check(tokenizer_id(&t, "", 0) == -1, "nothing is no piece");
    tokenizer_free(&t);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Hugging Face's answers
 * ------------------------------------------------------------------------------------------------------------------ */

/* Compares ids and offsets of one case with "id:begin-end id:begin-end ...". */
static void check_case(const Tokenizer *t, size_t i, const char *want)
{
    Text text = repeated(tokenizer_cases[i].text, tokenizer_cases[i].length, (size_t)tokenizer_cases[i].times);
    EncodeOptions o = {.no_add_special = true, .segments = -1};
    Encoding x = {0};
    Error e;
    char got[16384] = "", token[64];
    check(encode(t, text, NULL, &o, &x, &e) == BERT_OK, "%s: %s", tokenizer_cases[i].name, e.message);
    for (int k = 0; k < x.T; k++) {
        const size_t *place = x.offsets[k];
        snprintf(token, sizeof token, "%s%d:%zu-%zu", k ? " " : "", (int)x.input_ids[k], place[0], place[1]);
        append(got, sizeof got, token);
    }
    check_text(tokenizer_cases[i].name, got, want);
    encoding_free(&x);
    free((char *)text.bytes);
}

static void difficult_texts_give_hugging_faces_ids_and_offsets(void)
{
    Tokenizer t;
    if (!load(&t, UNCASED, CASE_UNCASED)) return;
    for (size_t i = 0; i < sizeof tokenizer_cases / sizeof *tokenizer_cases; i++)
        check_case(&t, i, tokenizer_cases[i].uncased);
    tokenizer_free(&t);
}

static void difficult_texts_give_hugging_faces_ids_in_a_cased_model(void)
{
    Tokenizer t;
    if (!load(&t, CASED, CASE_CASED)) return;
    for (size_t i = 0; i < sizeof tokenizer_cases / sizeof *tokenizer_cases; i++)
        check_case(&t, i, tokenizer_cases[i].cased);
    tokenizer_free(&t);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Steps 1 to 3, rule by rule, with a vocabulary that fits on a line
 * ------------------------------------------------------------------------------------------------------------------ */
static const char tiny[] =
    SPECIALS "a\nb\nab\n##b\n##c\n"                             /* ids 0 to 4, and 5 to 9 */
    "cafe\nCafé\n.\n=\n\xE4\xB8\xAD\nσ\n"                       /* 10 to 15 */
    "[\n]\n##a\nmask\nMASK\n"                                   /* 16 to 20 */
    "a\xF0\x9E\xA5\x8A\xF0\x9E\xA5\x84\n";               /* 21: a, U+1E94A (class 7), U+1E944 (class 230): marks */
                                                                /* that are newer than Unicode 8.0, so not dropped  */

static bool load_tiny(Tokenizer *t, CaseChoice choice)
{
    Error e;
    Status s = load_made(t, tiny, sizeof tiny - 1, NULL, choice, &e);
    return check(s == BERT_OK, "the tiny vocabulary loads: %s", e.message);
}

static void nfd_then_marks_are_dropped(void)
{
    Tokenizer t;
    if (!load_tiny(&t, CASE_UNCASED)) return;
    check_ids(&t, "Café", NULL, &plain_options, "2 10 3");
    check_ids(&t, "Cafe\xCC\x81", NULL, &plain_options, "2 10 3");          /* e, U+0301 */
    check_ids(&t, "a\xE2\x89\xA0" "b", NULL, &plain_options, "2 5 13 6 3"); /* U+2260, not equal: = and a mark */
    check_ids(&t, "Σ", NULL, &plain_options, "2 15 3");
    tokenizer_free(&t);
}

static void a_cased_model_keeps_accents_and_capitals(void)
{
    Tokenizer t;
    if (!load_tiny(&t, CASE_CASED)) return;
    check_ids(&t, "Café", NULL, &plain_options, "2 11 3");
    check_ids(&t, "Cafe\xCC\x81", NULL, &plain_options, "2 1 3");
    check_ids(&t, "cafe", NULL, &plain_options, "2 10 3");
    check_ids(&t, "a\xE2\x89\xA0" "b", NULL, &plain_options, "2 1 3");
    check_ids(&t, "AB", NULL, &plain_options, "2 1 3");
    tokenizer_free(&t);
}

static void the_turkish_capital_i_becomes_two_characters(void)
{
    static const char vocab[] = SPECIALS "i\nii\xCC\x87\n";
    Tokenizer t;
    Error e;
    Status s = load_made(&t, vocab, sizeof vocab - 1, "{\"strip_accents\": false}", CASE_AUTO, &e);
    if (!check(s == BERT_OK, "%s", e.message)) return;
    check_ids(&t, "I\xC4\xB0", NULL, &plain_options, "2 6 3");              /* i, i, U+0307: lower, but accents stay */
    tokenizer_free(&t);
}

static void a_word_is_cut_into_the_longest_pieces_or_is_one_unk(void)
{
    Tokenizer t;
    if (!load_tiny(&t, CASE_UNCASED)) return;
    check_ids(&t, "ab abb abc abcb b", NULL, &plain_options, "2 7 7 8 7 9 7 9 8 6 3");
    check_ids(&t, "abz", NULL, &plain_options, "2 1 3");                    /* not "ab [UNK]" */
    check_ids(&t, "a.b", NULL, &plain_options, "2 5 12 6 3");
    check_ids(&t, "a\xE4\xB8\xAD" "b", NULL, &plain_options, "2 5 14 6 3");
    tokenizer_free(&t);
}

static void a_word_of_100_characters_is_cut_and_one_of_101_is_unk(void)
{
    Tokenizer t;
    Error e;
    Encoding x = {0};
    EncodeOptions o = {.no_add_special = true, .segments = -1};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    for (size_t n = 99; n <= 102; n++) {
        Text text = repeated("A", 1, n);
        check(encode(&t, text, NULL, &o, &x, &e) == BERT_OK, "%zu letters", n);
        check(x.T == (n <= 100 ? (int)n : 1), "%zu letters: %d tokens", n, x.T);
        check(x.input_ids[x.T - 1] == (n <= 100 ? 18 : 1), "%zu letters: the last is ##a or [UNK]", n);
        check(x.offsets[x.T - 1][1] == n && x.offsets[0][0] == 0, "offsets cover the word");
        free((char *)text.bytes);
    }
    encoding_free(&x);
    tokenizer_free(&t);
}

/* What Google's tokenization.py makes of the same text is on the right. */
static void where_googles_code_gives_other_tokens_hugging_face_is_followed(void)
{
    static const char greek[] = SPECIALS "οσ\nος\n";                      /* 5, and 6 with the final form */
    static const EncodeOptions eight = {.max_length = 8, .truncate = true, .segments = -1};
    Tokenizer t;
    Error e;
    char word[102] = "";
    if (!load_tiny(&t, CASE_UNCASED)) return;
    check_ids(&t, "a\xEE\x80\x80" "b", NULL, &plain_options, "2 7 3");      /* U+E000, private use: a [UNK] of three */
    check_ids(&t, "a\xEF\xA3\xBF" "b", NULL, &plain_options, "2 7 3");      /* U+F8FF, the last of them */
    check_ids(&t, "a\xF0\xAB\xA0\xA0" "b", NULL, &plain_options, "2 1 3");  /* U+2B820, an ideograph: a [UNK] b */
    check_ids(&t, "a\xF0\xAB\xA4\xA0" "b", NULL, &plain_options, "2 5 1 6 3");     /* U+2B920, the same in both */
    memset(word, 'a', 101);
    check_ids(&t, word, NULL, &plain_options, "2 1 3");                     /* a ##a ##a ...: its limit is 200 */
    check_ids(&t, "[MASK]", NULL, &plain_options, "2 4 3");                 /* [ mask ] */
    check_ids(&t, "a a a a", "b b b b", &eight, "2 5 5 3 6 6 6 3");         /* [CLS] a a a [SEP] b b [SEP] */
    tokenizer_free(&t);
    if (!check(load_made(&t, greek, sizeof greek - 1, NULL, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    check_ids(&t, "ΟΣ", NULL, &plain_options, "2 5 3");                     /* 6: a sigma that ends a word */
    check_ids(&t, "Ο\xCC\x81Σ\xCC\x81", NULL, &plain_options, "2 5 3");   /* 6: the case first, then accents */
    tokenizer_free(&t);
}

static void a_nul_never_ends_a_text(void)
{
    static const char words[] = "ab a.b cafe";
    Tokenizer t;
    Error e;
    Encoding x = {0};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    for (size_t at = 0; at < sizeof words; at++) {                          /* a NUL before each byte, and at the end */
        char text[sizeof words];
        memcpy(text, words, at);
        text[at] = 0;
        memcpy(text + at + 1, words + at, sizeof words - 1 - at);
        check(encode(&t, (Text){text, sizeof words}, NULL, &plain_options, &x, &e) == BERT_OK, "NUL at %zu", at);
        check(x.T == 7 && x.input_ids[1] == 7 && x.input_ids[5] == 10, "NUL at %zu: %d tokens", at, x.T);
    }
    encoding_free(&x);
    tokenizer_free(&t);
}

static void chunks_do_not_change_the_tokens(void)
{
    static const char *const ends[] = {"Cafe\xCC\x81 ab", "b a\xF0\x9E\xA5\x84\xF0\x9E\xA5\x8A",
                                       "b a\xF0\x9E\xA5\x84\xE2\x80\x8B\xF0\x9E\xA5\x8A", "b[MASK]b", "a\344\270\255b"};
    Tokenizer t;
    Error e;
    Encoding alone = {0}, x = {0};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
        encode(&t, text_of(ends[k]), NULL, &plain_options, &alone, &e);
        check((k != 1 && k != 2) || alone.input_ids[2] == 21, "'%s': the marks are sorted", ends[k]);
        for (size_t blanks = 1010; blanks < 1030; blanks++) {               /* so that a chunk ends inside of `ends` */
            Text text = repeated(" ", 1, blanks + strlen(ends[k]));
            memcpy((char *)text.bytes + blanks, ends[k], strlen(ends[k]));
            bool same = encode(&t, text, NULL, &plain_options, &x, &e) == BERT_OK && x.T == alone.T &&
                        !memcmp(x.input_ids, alone.input_ids, sizeof(int32_t) * (size_t)x.T);
            check(same, "'%s' after %zu blanks", ends[k], blanks);
            check(x.offsets[1][0] == alone.offsets[1][0] + blanks, "and its offsets");
            free((char *)text.bytes);
        }
    }
    encoding_free(&alone);
    encoding_free(&x);
    tokenizer_free(&t);
}

static void a_megabyte_without_a_space_is_one_text_like_any_other(void)
{
    if (too_slow()) return;
    static const struct { const char *text; int T, last; } cases[] = {
        {"a", 1, 1}, {".", 1 << 20, 12}, {"a.", 2 << 20, 12},
        {"\xCC\x81", 0, 0},                                                 /* marks that vanish */
        {"\xF0\x9E\xA5\x8A\xCC\x81\xF0\x9E\xA5\x84", 1, 1},               /* marks that must be sorted */
    };
    Tokenizer t;
    Error e;
    Encoding x = {0};
    EncodeOptions o = {.no_add_special = true, .segments = -1};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Text text = repeated(cases[i].text, strlen(cases[i].text), 1 << 20);
        check(encode(&t, text, NULL, &o, &x, &e) == BERT_OK, "a million times '%s': %s", cases[i].text, e.message);
        check(x.T == cases[i].T, "a million times '%s': %d tokens", cases[i].text, x.T);
        check(x.T == 0 || x.input_ids[x.T - 1] == cases[i].last, "a million times '%s': the last id", cases[i].text);
        free((char *)text.bytes);
    }
    encoding_free(&x);
    tokenizer_free(&t);
}

/* The next whole number of a row of them; *p moves behind it. */
static size_t next_number(const char **p)
{
    char *end;
    size_t n = strtoul(*p, &end, 10);
    *p = end;
    return n;
}

static int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* One line of tokenizer_lines.txt: mode, bytes in hexadecimal, ids, offsets. Returns what stands behind it, or NULL
 * after a difference. `text` has room for the bytes. */
static const char *check_random_line(const Tokenizer *modes, const char *line, char *text, Encoding *x)
{
    const EncodeOptions o = {.segments = -1};
    Error e = {0};
    size_t n = 0;
    const char *p = line + 2;
    for (; *p != '\t'; p += 2) text[n++] = (char)(hex_digit(p[0]) * 16 + hex_digit(p[1]));
    Status s = encode(&modes[*line == 'c'], (Text){text, n}, NULL, &o, x, &e);
    if (!check(s == BERT_OK, "%.60s: %s", line, e.message)) return NULL;
    for (int i = 0; i < x->T; i++) {
        int want = (int)next_number(&p);
        if (!check(x->input_ids[i] == want, "%.60s: id %d is %d, expected %d", line, i, (int)x->input_ids[i], want))
            return NULL;
    }
    if (!check(*p == '\t', "%.60s: %d tokens, expected more", line, x->T)) return NULL;
    for (int i = 0; i < 2 * x->T; i++) {
        size_t want = next_number(&p), got = x->offsets[i / 2][i % 2];
        if (!check(got == want, "%.60s: offset of token %d is %zu, expected %zu", line, i / 2, got, want)) return NULL;
    }
    return check(*p == '\n', "%.60s: ends after %d tokens", line, x->T) ? p + 1 : NULL;
}

/* 2,000 lines in lower case and 2,000 cased, in which every rule meets every other: what `tokenizers` 0.23.3 makes of
 * them is in the file (tests/golden/make_tokenizer_lines.py). */
static void four_thousand_random_lines_give_hugging_faces_ids_and_offsets(void)
{
    Tokenizer modes[2];
    FileView file;
    Error e = {0};
    Encoding x = {0};
    if (!load(&modes[0], UNCASED, CASE_UNCASED) || !load(&modes[1], UNCASED, CASE_CASED)) return;
    if (!check(file_open(&file, "tests/golden/tokenizer_lines.txt", &e) == BERT_OK, "%s", e.message)) return;
    char *lines = malloc(file.size + 1), *text = malloc(file.size);
    memcpy(lines, file.data, file.size);
    lines[file.size] = 0;
    int count = 0;
    for (const char *p = lines; p && *p; count++) p = check_random_line(modes, p, text, &x);
    check(count == 4000, "%d lines were compared, expected 4000", count);
    free(lines), free(text);
    encoding_free(&x);
    file_close(&file);
    tokenizer_free(&modes[0]), tokenizer_free(&modes[1]);
}

/* The fast search against its definition for every rest of a word, as a first piece and as one with ##; counts them. */
static bool compare_searches(const Tokenizer *t, const char *word, size_t size, size_t *compared)
{
    char buffer[2 + 400] = "##";
    if (size > sizeof buffer - 2) size = sizeof buffer - 2;
    memcpy(buffer + 2, word, size);
    for (size_t at = 0; at < size; at++)
        for (size_t prefix = 0; prefix <= 2; prefix += 2, ++*compared) {
            char *bytes = buffer + 2 + at - prefix, kept[2];
            size_t n = 0, n_ref = 0;
            memcpy(kept, bytes, prefix);
            memcpy(bytes, "##", prefix);
            int id = longest_piece(t, bytes, prefix, size - at + prefix, &n);
            int id_ref = longest_piece_ref(t, bytes, prefix, size - at + prefix, &n_ref);
            memcpy(bytes, kept, prefix);
            if (!check(id == id_ref && (id < 0 || n == n_ref), "%.*s from byte %zu: id %d, %zu bytes, expected %d, %zu",
                       (int)size, word, at, id, n, id_ref, n_ref)) return false;
        }
    return true;
}

/* Words of the golden lines; then words made of pieces and of halves of pieces. */
static void the_fast_search_finds_the_longest_piece(void)
{
    if (too_slow()) return;
    Tokenizer t;
    FileView file;
    Error e = {0};
    char word[400];
    size_t size = 0, compared = 0;
    uint32_t random = 2463534242u;
    bool same = true;
    if (!load(&t, UNCASED, CASE_UNCASED)) return;
    if (!check(file_open(&file, "tests/golden/tokenizer_lines.txt", &e) == BERT_OK, "%s", e.message)) return;
    const char *p = (const char *)file.data, *end = p + file.size;
    for (; same && p && p + 2 < end; p = (p = memchr(p, '\n', (size_t)(end - p))) ? p + 1 : NULL)
        for (p += 2; same && p + 1 < end && *p != '\t'; p += 2) {
            word[size++] = (char)(hex_digit(p[0]) * 16 + hex_digit(p[1]));
            if (word[size - 1] != ' ' && size < sizeof word && p[2] != '\t') continue;
            same = compare_searches(&t, word, size, &compared);
            size = 0;
        }
    for (int i = 0; same && i < 2000; i++) {
        for (int part = size = 0; part < 5; part++) {
            random ^= random << 13, random ^= random >> 17, random ^= random << 5;
            const char *piece = tokenizer_piece(&t, (int)(random % (uint32_t)t.V));
            if (part && !strncmp(piece, "##", 2)) piece += 2;
            size_t n = random & (1u << 20) ? strlen(piece) : (strlen(piece) + 1) / 2;
            if (size + n > 100) break;
            memcpy(word + size, piece, n);
            size += n;
        }
        same = compare_searches(&t, word, size, &compared);
    }
    check(!same || compared > 300000, "%zu searches were compared", compared);
    file_close(&file);
    tokenizer_free(&t);
}

static void white_space_separates_and_is_otherwise_nothing(void)
{
    Tokenizer t;
    if (!load_tiny(&t, CASE_UNCASED)) return;
    check_ids(&t, "a b", NULL, &plain_options, "2 5 6 3");
    check_ids(&t, "  a \t\r\n\xE3\x80\x80 b \xC2\xA0 ", NULL, &plain_options, "2 5 6 3");
    check_ids(&t, "a\vb", NULL, &plain_options, "2 7 3");                   /* VT and U+0085 are deleted before that */
    check_ids(&t, "a\xC2\x85" "b", NULL, &plain_options, "2 7 3");
    check_ids(&t, "a\xE2\x80\x8B" "b", NULL, &plain_options, "2 7 3");      /* zero width space */
    tokenizer_free(&t);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Step 4
 * ------------------------------------------------------------------------------------------------------------------ */
static void segments_are_0_for_a_and_1_for_b_or_all_alike(void)
{
    Tokenizer t;
    Error e;
    Encoding x = {0};
    char got[256];
    static const char *const want[] = {"0 0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1", "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
                                       "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"};
    Text b = text_of("He bought a gallon of milk.");
    if (!load(&t, UNCASED, CASE_AUTO)) return;
    for (int segments = -1; segments <= 1; segments++) {
        EncodeOptions o = {.segments = segments};
        check(encode(&t, text_of("The man went to the store."), &b, &o, &x, &e) == BERT_OK, "%s", e.message);
        row_text(x.token_type_ids, x.T, got, sizeof got);
        check_text("segments", got, want[segments + 1]);
    }
    encoding_free(&x);
    tokenizer_free(&t);
}

static void special_tokens_in_the_text_are_text_when_asked(void)
{
    EncodeOptions o = {.plain = true, .segments = -1}, bare = {.no_add_special = true, .segments = -1};
    Tokenizer t;
    if (!load_tiny(&t, CASE_UNCASED)) return;
    check_ids(&t, "a[MASK]b", NULL, &plain_options, "2 5 4 6 3");
    check_ids(&t, "a[mask]b", NULL, &plain_options, "2 5 16 19 17 6 3");
    check_ids(&t, "[[MASK]]", NULL, &plain_options, "2 16 4 17 3");
    check_ids(&t, "a[MASK]b", NULL, &o, "2 5 16 19 17 6 3");
    check_ids(&t, "[SEP] a", "b", &bare, "3 5 6");
    check_ids(&t, "", "", &plain_options, "2 3 3");
    check_ids(&t, "", NULL, &bare, "");
    tokenizer_free(&t);
}

static void padding_has_mask_0_and_a_pad_in_the_text_mask_1(void)
{
    EncodeOptions o = {.max_length = 8, .pad = true, .segments = -1};
    Tokenizer t;
    Error e;
    Encoding x = {0};
    char got[256];
    Text b = text_of("b");
    if (!load_tiny(&t, CASE_UNCASED)) return;
    check(encode(&t, text_of("[PAD] a"), &b, &o, &x, &e) == BERT_OK, "%s", e.message);
    row_text(x.input_ids, x.T, got, sizeof got), check_text("ids", got, "2 0 5 3 6 3 0 0");
    row_text(x.attention_mask, x.T, got, sizeof got), check_text("mask", got, "1 1 1 1 1 1 0 0");
    row_text(x.token_type_ids, x.T, got, sizeof got), check_text("segments", got, "0 0 0 0 1 1 0 0");
    check(x.offsets[1][1] == 5 && x.offsets[2][0] == 6 && x.offsets[4][1] == 1, "offsets into A and B");
    check(x.offsets[0][1] == 0 && x.offsets[5][1] == 0 && x.offsets[7][1] == 0, "special tokens and padding have 0, 0");
    encoding_free(&x);
    tokenizer_free(&t);
}

static void too_long_is_an_error_unless_it_may_be_cut(void)
{
    EncodeOptions o = {.max_length = 512, .segments = -1};
    Tokenizer t;
    Error e;
    Encoding x = {0};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    Text text = repeated("a ", 2, 511);
    check(encode(&t, (Text){text.bytes, 1020}, NULL, &o, &x, &e) == BERT_OK && x.T == 512, "510 words fit");
    check(encode(&t, text, NULL, &o, &x, &e) == BERT_TEXT, "511 words do not");
    check_text("message", e.message, "513 tokens, at most 512: use --truncate");
    o.truncate = true;
    check(encode(&t, text, NULL, &o, &x, &e) == BERT_OK && x.T == 512, "cut to 512: %d", x.T);
    check(x.input_ids[511] == 3, "with [SEP] at the end");
    o.max_length = 1;
    check(encode(&t, text, NULL, &o, &x, &e) == BERT_USAGE, "no room for [CLS] and [SEP]");
    free((char *)text.bytes);
    encoding_free(&x);
    tokenizer_free(&t);
}

/* Hugging Face's longest_first, checked against it by compare_tokenizer.py. */
static void the_longer_text_is_cut_first_and_keeps_the_odd_token(void)
{
    static const int cases[][4] = {{300, 400, 254, 255}, {400, 300, 255, 254}, {300, 300, 254, 255}, {1, 600, 1, 508},
                                   {600, 1, 508, 1}, {254, 255, 254, 255}, {255, 255, 254, 255}, {0, 600, 0, 509}};
    EncodeOptions o = {.max_length = 512, .truncate = true, .segments = -1};
    Tokenizer t;
    Error e;
    Encoding x = {0};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    Text a = repeated("a ", 2, 600), b = repeated("b ", 2, 600);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int *c = cases[i];
        Text second = {b.bytes, 2 * (size_t)c[1]};
        Status s = encode(&t, (Text){a.bytes, 2 * (size_t)c[0]}, &second, &o, &x, &e);
        check(s == BERT_OK && x.T == 512, "%d + %d are cut to 512: %d", c[0], c[1], x.T);
        const int32_t *sep = x.input_ids + c[2] + 1;
        check(sep[0] == 3 && (c[2] == 0 || sep[-1] == 5), "%d + %d: A keeps %d", c[0], c[1], c[2]);
        check(sep[1] == 6 && x.offsets[c[2] + 2][0] == 0 && sep[c[3] + 1] == 3, "B keeps its first %d", c[3]);
    }
    free((char *)a.bytes), free((char *)b.bytes);
    encoding_free(&x);
    tokenizer_free(&t);
}

static void invalid_utf8_is_refused_with_its_byte(void)
{
    static const struct { const char *text, *message; } cases[] = {
        {"a \xC0\x80", "byte 3: 0xC0 is not valid UTF-8"}, {"\xE0\x80\x80", "byte 1: 0xE0 is not valid UTF-8"},
        {"\xED\xA0\x80", "byte 1: 0xED is not valid UTF-8"}, {"\xF4\x90\x80\x80", "byte 1: 0xF4 is not valid UTF-8"},
        {"é\xF8", "byte 3: 0xF8 is not valid UTF-8"}, {"abc\x80", "byte 4: 0x80 is not valid UTF-8"},
        {"ab\xE2\x82", "byte 3: 0xE2 is not valid UTF-8"}, {"\xE2\x82 x", "byte 1: 0xE2 is not valid UTF-8"},
        {"\xFF\xFEh", "byte 1: 0xFF is not valid UTF-8"}, {"[MASK]\xF0\x9F\x98", "byte 7: 0xF0 is not valid UTF-8"},
    };
    Tokenizer t;
    Error e;
    Encoding x = {0};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(encode(&t, text_of(cases[i].text), NULL, &plain_options, &x, &e) == BERT_TEXT, "case %zu is refused", i);
        check_text("message", e.message, cases[i].message);
    }
    Text b = text_of("b\xFF");
    check(encode(&t, text_of("a"), &b, &plain_options, &x, &e) == BERT_TEXT, "in B as well");
    check_text("message", e.message, "byte 2 of the second text: 0xFF is not valid UTF-8");
    encoding_free(&x);
    tokenizer_free(&t);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Vocabulary and case
 * ------------------------------------------------------------------------------------------------------------------ */
static void the_id_is_the_line_and_the_last_duplicate_wins(void)
{
    static const char vocab[] = SPECIALS "a\r\nb \t\n\na\nx\xE2\x80\xA8y\nz\0z\nlast";
    Tokenizer t;
    Error e;
    if (!check(load_made(&t, vocab, sizeof vocab - 1, NULL, CASE_AUTO, &e) == BERT_OK, "loads: %s", e.message)) return;
    check(t.V == 12, "12 lines, not %d", t.V);
    check_text("line 5, CR", tokenizer_piece(&t, 5), "a");
    check_text("line 6, white space at its end", tokenizer_piece(&t, 6), "b");
    check_text("line 7, empty", tokenizer_piece(&t, 7), "");
    check(tokenizer_id(&t, "a", 1) == 8, "the last a");
    check(tokenizer_id(&t, "x\xE2\x80\xA8y", 5) == 9, "U+2028 does not end a line");
    check(tokenizer_id(&t, "z\0z", 3) == 10, "a NUL is a character");
    check(tokenizer_id(&t, "last", 4) == 11, "the last line needs no LF");
    tokenizer_free(&t);
}

static void a_file_that_is_no_vocabulary_is_refused_with_the_reason(void)
{
    static const struct { const char *vocab, *why; } cases[] = {
        {"", "0 pieces, but none is [UNK], [CLS] or [SEP]: not a BERT vocabulary"},
        {"the\nquick\nfox\n", "3 pieces, but none is [UNK], [CLS] or [SEP]: not a BERT vocabulary"},
        {"\xEF\xBB\xBF" SPECIALS, "byte order mark"}, {SPECIALS "\xFF\n", "byte 32: 0xFF is not valid UTF-8"},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Status s = load_made(&t, cases[i].vocab, strlen(cases[i].vocab), NULL, CASE_AUTO, &e);
        record(cases[i].why, e.message, made_in);
        check(s == BERT_FILE && strstr(e.message, cases[i].why), "case %zu says '%s': %s", i, cases[i].why, e.message);
        check(t.vocabulary == NULL, "nothing is left over");
    }
    Status s = tokenizer_load(&t, "no/such/model", CASE_AUTO, &e);
    check(s == BERT_FILE && strstr(e.message, "no/such/model: found neither vocab.txt nor tokenizer.json"), "a missing file is named: %s", e.message);
}

static void the_case_comes_from_the_caller_then_the_file_then_the_pieces(void)
{
    static const struct {
        const char *vocab, *config;
        CaseChoice choice;
        bool lower, strip, chinese;
        const char *source;
    } cases[] = {
        {SPECIALS "a\n", NULL, CASE_AUTO, true, true, true, "vocab.txt has no capital letters"},
        {SPECIALS "a\nA\n", NULL, CASE_AUTO, false, false, true, "vocab.txt has capital letters"},
        {SPECIALS "É\n", NULL, CASE_AUTO, false, false, true, "vocab.txt has capital letters"},
        {SPECIALS "A\n", "{\"do_lower_case\": true}", CASE_AUTO, true, true, true, "tokenizer_config.json"},
        {SPECIALS "a\n", "{\"do_lower_case\": false}", CASE_AUTO, false, false, true, "tokenizer_config.json"},
        {SPECIALS "a\n", "{\"do_lower_case\": false, \"x\": [1, {\"do_lower_case\": true}]}", CASE_UNCASED,
         true, true, true, "--uncased"},
        {SPECIALS "a\n", "{}", CASE_CASED, false, false, true, "--cased"},
        {SPECIALS "a\n", "{\"strip_accents\": false, \"tokenize_chinese_chars\": false}", CASE_AUTO,
         true, false, false, "vocab.txt has no capital letters"},
        {SPECIALS "a\n", "{\"strip_accents\": null}", CASE_AUTO,
         true, true, true, "vocab.txt has no capital letters"},
        {SPECIALS "a\n", "{\"strip_accents\": true}", CASE_CASED, false, true, true, "--cased"},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].vocab);
        Status s = load_made(&t, cases[i].vocab, size, cases[i].config, cases[i].choice, &e);
        if (!check(s == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check(t.lower_case == cases[i].lower && t.strip_accents == cases[i].strip, "case %zu: lower, strip", i);
        check(t.chinese_chars == cases[i].chinese, "case %zu: ideographs", i);
        check_text("source", t.case_source, cases[i].source);
        tokenizer_free(&t);
    }
    check(load_made(&t, tiny, sizeof tiny - 1, "{\"do_lower_case\": 1}", CASE_AUTO, &e) == BERT_FILE, "1 is not true");
    check(load_made(&t, tiny, sizeof tiny - 1, "{\"do_lower_case\": null}", CASE_AUTO, &e) == BERT_FILE &&
          strstr(e.message, "do_lower_case is null, expected true or false"), "null: %s", e.message);
    check(load_made(&t, tiny, sizeof tiny - 1, "{\"do_lower_case\": true", CASE_AUTO, &e) == BERT_FILE, "half a file");
}

static void the_published_vocabularies_are_recognised(void)
{
    Tokenizer t;
    if (!load(&t, UNCASED, CASE_AUTO)) return;
    check(t.lower_case && t.strip_accents, "bert-base-uncased is uncased: %s", t.case_source);
    tokenizer_free(&t);
    if (!load(&t, CASED, CASE_AUTO)) return;
    check(!t.lower_case && !t.strip_accents, "bert-base-cased is cased: %s", t.case_source);
    tokenizer_free(&t);
}

/* The same Encoding with, without and again with offsets. */
static void offsets_can_be_left_out(void)
{
    Tokenizer t;
    Encoding x = {0}, whole = {0};
    Error e = {0};
    if (!load_tiny(&t, CASE_UNCASED)) return;
    const Text a = text_of("Cafe, abz. [MASK] cafe"), b = text_of("abz");
    EncodeOptions o = {.segments = -1, .max_length = 30, .pad = true};
    check(encode(&t, a, &b, &o, &whole, &e) == BERT_OK && whole.offsets, "with offsets: %s", e.message);
    for (int i = 0; i < 3; i++) {
        o.no_offsets = i != 1;
        check(encode(&t, a, &b, &o, &x, &e) == BERT_OK && x.T == whole.T, "time %d: %s", i, e.message);
        check(!x.offsets == o.no_offsets, "time %d: offsets are there or not", i);
        const size_t ints = (size_t)x.T * sizeof(int32_t);
        check(!memcmp(x.input_ids, whole.input_ids, ints) && !memcmp(x.token_type_ids, whole.token_type_ids, ints) &&
              !memcmp(x.attention_mask, whole.attention_mask, ints), "time %d: the same ids, segments and mask", i);
        check(o.no_offsets || !memcmp(x.offsets, whole.offsets, (size_t)x.T * sizeof *x.offsets), "the same offsets");
    }
    encoding_free(&x);
    encoding_free(&whole);
    tokenizer_free(&t);
}

/* The words of a text, each with a blank behind it. */
typedef struct {
    char bytes[4096];
    size_t length;
} Words;

static Status take_word(void *context, const char *word, size_t length, Error *e)
{
    Words *words = context;
    if (words->length + length + 1 > sizeof words->bytes) return fail(e, BERT_SYSTEM, "the test's words are too long");
    memcpy(words->bytes + words->length, word, length);
    words->length += length;
    words->bytes[words->length++] = ' ';
    return BERT_OK;
}

/* Do both tokenizers find the same words in the text, and tokens at the same places? */
static bool same_tokens(const Tokenizer t[2], Text text)
{
    static Words words[2];
    Encoding x[2] = {0};
    Error e = {0};
    bool same = true;
    for (int i = 0; i < 2; i++) {
        words[i].length = 0;
        same = same && split_text(&t[i], text, take_word, &words[i], &e) == BERT_OK;
        same = same && encode(&t[i], text, NULL, &plain_options, &x[i], &e) == BERT_OK;
    }
    same = same && words[0].length == words[1].length && !memcmp(words[0].bytes, words[1].bytes, words[0].length);
    same = same && x[0].T == x[1].T && !memcmp(x[0].input_ids, x[1].input_ids, (size_t)x[0].T * sizeof(int32_t));
    same = same && !memcmp(x[0].offsets, x[1].offsets, (size_t)x[0].T * sizeof *x[0].offsets);
    encoding_free(&x[0]);
    encoding_free(&x[1]);
    return same;
}

/* Every character below `all`, and one of 97 beyond: between letters; in a run of dropped marks; in one with U+08D3,
 * which stays. Then random runs. */
static int texts_that_differ(const Tokenizer t[2], uint32_t all)
{
    static const uint32_t around[] = {'e', 'f', ' ', 0x301, 0x323, 0x8D3, 0x1DFA, 0x344, 0x200B, 0xFFFD, 0xE9, 0x1E69,
                                      0x5B0, 0x94D, 0xAD, 0xAC01, 0x4E2D, 0xF900, 0x130, 0x1F600, 0x3099, 0x11446};
    enum { MANY = sizeof around / sizeof *around };
    uint32_t random = 1;
    int different = 0;
    for (uint32_t c = 0; c < 0x110000 + 20000; c += c < all || c >= 0x110000 ? 1 : 97) {
        char bytes[64];
        size_t n = 0;
        const uint32_t forms[] = {'e', c, 0x301, c, 'f', ' ', c, 0x8D3, c, 0x323, 'g'};
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            random = random * 1664525 + 1013904223;
            n += utf8_encode(c < 0x110000 ? forms[i] : around[(random >> 16) % MANY], bytes + n);
        }
        different += !same_tokens(t, (Text){bytes, n});
    }
    return different;
}

/* Where an added token is `normalized`, all text goes through the stages; elsewhere most of it goes the short way. */
static void the_short_way_gives_the_tokens_of_the_stages(void)
{
    static const char txt[] = SPECIALS "e\n##e\n##f\nf\ni\n##i\n";
    static const char *const configs[] = {"", ", \"strip_accents\": false", ", \"tokenize_chinese_chars\": false",
                                          ", \"strip_accents\": true, \"do_lower_case\": false"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char plain[128], staged[256];
        Tokenizer t[2] = {0};
        Error e = {0};
        snprintf(plain, sizeof plain, "{\"model_max_length\": 512%s}", configs[i]);
        snprintf(staged, sizeof staged, "{\"added_tokens_decoder\": {\"11\": {\"content\": \"never seen\", "
                 "\"normalized\": true}}%s}", configs[i]);
        const Status s = load_files(&t[0], (const char *const[FILES]){[TXT] = txt, [CONFIG] = plain}, CASE_AUTO, &e);
        if (!check(s == BERT_OK, "%s", e.message)) return;
        const Status s2 = load_files(&t[1], (const char *const[FILES]){[TXT] = txt, [CONFIG] = staged}, CASE_AUTO, &e);
        if (check(s2 == BERT_OK, "%s", e.message)) {
            check(t[1].vocabulary->patterns[1].count == 1, "the second one searches what the stages left");
            const int different = texts_that_differ(t, i == 0 ? 0x30000 : 0x3400);
            check(different == 0, "case %zu: %d texts have other words, tokens or places", i, different);
        }
        tokenizer_free(&t[0]);
        tokenizer_free(&t[1]);
    }
}

/* What tokenize_trace prints of a text, or of a pair. */
static void check_trace(const char *a, const char *b, const char *want)
{
    Tokenizer t;
    Error e = {0};
    char got[2048] = "";
    FILE *out = tmpfile();
    if (!out || !load_tiny(&t, CASE_UNCASED)) return;
    const Text second = text_of(b ? b : "");
    Status s = tokenize_trace(&t, text_of(a), b ? &second : NULL, &plain_options, print_stage, out, &e);
    check(s == BERT_OK, "%s", e.message);
    rewind(out);
    size_t n = fread(got, 1, sizeof got - 1, out);
    got[n] = 0;
    check_text("trace", got, want);
    fclose(out);
    tokenizer_free(&t);
}

static void the_trace_shows_a_line_for_every_stage(void)
{
    static const char want[] =
        "  text         Ca<U+00AD>fe<U+0301>\xE4\xB8\xAD[MASK]Abz.\n"
        "1 clean        Cafe<U+0301>\xE4\xB8\xAD[MASK]Abz.\n"
        "1 ideographs   Cafe<U+0301> \xE4\xB8\xAD [MASK]Abz.\n"
        "1 decompose    Cafe<U+0301> \xE4\xB8\xAD [MASK]Abz.\n"
        "1 sort marks   Cafe<U+0301> \xE4\xB8\xAD [MASK]Abz.\n"
        "1 drop marks   Cafe \xE4\xB8\xAD [MASK]Abz.\n"
        "1 lower case   cafe \xE4\xB8\xAD [MASK]abz.\n"
        "2 split        cafe \xE4\xB8\xAD [MASK] abz . \n"
        "3 WordPiece    cafe \xE4\xB8\xAD [MASK] [UNK] . \n"
        "4 ids          2 10 14 4 1 12 3\n"
        "4 segments     0 0 0 0 0 0 0\n"
        "4 mask         1 1 1 1 1 1 1\n";
    check_trace("Ca\xC2\xAD" "fe\xCC\x81\xE4\xB8\xAD[MASK]Abz.", NULL, want);
}

/* The second text has its own stages, and step 4 is about both: [CLS] A [SEP] B [SEP], segments 0 and 1. */
static void the_trace_of_a_pair_ends_with_one_sequence(void)
{
    static const char stages[] =
        "1 clean        cafe\n1 ideographs   cafe\n1 decompose    cafe\n1 sort marks   cafe\n1 drop marks   cafe\n"
        "1 lower case   cafe\n2 split        cafe \n3 WordPiece    cafe \n";
    char want[2048];
    snprintf(want, sizeof want, "  text A       cafe\n%s  text B       cafe\n%s4 ids          2 10 3 10 3\n"
             "4 segments     0 0 0 1 1\n4 mask         1 1 1 1 1\n", stages, stages);
    check_trace("cafe", "cafe", want);
}

/* FNV-1a as in vocabulary.c: 450 pieces that all want one of the 1,024 slots, and 450 that do not. */
static void a_vocabulary_that_was_made_to_collide_is_refused(void)
{
    for (int collide = 0; collide < 2; collide++) {
        char text[8000] = SPECIALS, piece[16];
        size_t used = strlen(text), found = 0;
        Tokenizer t;
        Error e;
        for (unsigned n = 0; found < 450; n++) {
            uint64_t hash = 0xCBF29CE484222325u;
            int length = snprintf(piece, sizeof piece, "%u", n);
            for (int i = 0; i < length; i++) hash = (hash ^ (unsigned char)piece[i]) * 0x100000001B3u;
            if (collide && (hash & 1023) != 5) continue;
            used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", piece);
            found++;
        }
        Status s = load_made(&t, text, used, NULL, CASE_AUTO, &e);
        if (collide) check(s == BERT_FILE && strstr(e.message, "chosen to have one hash"), "refused: %s", e.message);
        else if (check(s == BERT_OK, "450 numbers are a vocabulary: %s", e.message)) tokenizer_free(&t);
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The files that others bring: tokenizer.json, tokenizer_config.json, special_tokens_map.json, added_tokens.json.
 * Random ones are compared with the library by tests/conformance/test_tokenizers.py.
 * ------------------------------------------------------------------------------------------------------------------ */
#define SPECIAL(id, name) \
    "{\"id\": " #id ", \"content\": \"" name "\", \"lstrip\": false, \"rstrip\": false, \"single_word\": false, " \
    "\"normalized\": false, \"special\": true}"
#define FIVE SPECIAL(0, "[PAD]") ", " SPECIAL(1, "[UNK]") ", " SPECIAL(2, "[CLS]") ", " SPECIAL(3, "[SEP]") ", " \
    SPECIAL(4, "[MASK]")
#define NORMALIZER "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, " \
                   "\"strip_accents\": null, \"lowercase\": true}"
#define PIECES "\"[PAD]\": 0, \"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3, \"[MASK]\": 4, \"the\": 5, \"cat\": 6, " \
    "\"##s\": 7, \"e\": 8"
#define MODEL "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", " \
              "\"max_input_chars_per_word\": 100, \"vocab\": {" PIECES "}}"
#define PLACE(kind, id, segment) "{\"" kind "\": {\"id\": \"" id "\", \"type_id\": " #segment "}}"
#define SINGLE "[" PLACE("SpecialToken", "[CLS]", 0) ", " PLACE("Sequence", "A", 0) ", " \
    PLACE("SpecialToken", "[SEP]", 0) "]"
#define PAIR(segment) "[" PLACE("SpecialToken", "[CLS]", 0) ", " PLACE("Sequence", "A", 0) ", " \
    PLACE("SpecialToken", "[SEP]", 0) ", " \
             PLACE("Sequence", "B", segment) ", " PLACE("SpecialToken", "[SEP]", segment) "]"
#define IDS "{\"[CLS]\": {\"id\": \"[CLS]\", \"ids\": [2], \"tokens\": [\"[CLS]\"]}, " \
            "\"[SEP]\": {\"id\": \"[SEP]\", \"ids\": [3], \"tokens\": [\"[SEP]\"]}}"
#define TEMPLATE "{\"type\": \"TemplateProcessing\", \"single\": " SINGLE ", \"pair\": " PAIR(1) \
    ", \"special_tokens\": " IDS "}"
#define WHOLE(added, normalizer, splitter, processor, model) \
    "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": [" added "], \"normalizer\": " \
    normalizer \
    ", \"pre_tokenizer\": " splitter ", \"post_processor\": " processor ", \"decoder\": null, \"model\": " model "}"
#define SIX_PLACES "{}, {}, {}, {}, {}, {}"
#define SIX_NAMES(x) "\"" #x "1\": {}, \"" #x "2\": {}, \"" #x "3\": {}, \"" #x "4\": {}, \"" #x "5\": {}, \"" #x \
    "6\": {}"
#define SPLITTER "{\"type\": \"BertPreTokenizer\"}"
#define USUAL WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, MODEL)
#define FAST "{\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"pad_token\": \"[PAD]\", \"mask_token\": \"[MASK]\"}"

static void tokenizer_json_is_enough(void)
{
#define OF(class) "{\"tokenizer_class\": \"" class "\", \"do_lower_case\": true}"
    static const char *const configs[] = {NULL, "{}", OF("BertTokenizer"), OF("BertTokenizerFast"),
                                          OF("ElectraTokenizer"), OF("ElectraTokenizerFast"), OF("LxmertTokenizer"),
                                          OF("MobileBertTokenizer"), OF("SqueezeBertTokenizerFast"),
                                          OF("LayoutLMTokenizer"), OF("ConvBertTokenizer"),
                                          OF("DPRContextEncoderTokenizer"), OF("DPRQuestionEncoderTokenizerFast"), FAST};
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        const char *const files[FILES] = {[JSON] = USUAL, [CONFIG] = configs[i]};
        if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check(t.V == 9 && t.lower_case && t.chinese_chars && t.mask_id == 4, "case %zu: %d pieces", i, t.V);
        check_ids(&t, "The cats [MASK]", NULL, &plain_options, "2 5 6 7 4 3");
        check_ids(&t, "the", "dog", &plain_options, "2 5 3 1 3");
        tokenizer_free(&t);
    }
}

/* As in the library: it is passed over, and the one behind it has its number. */
static void an_added_token_without_text_takes_no_number(void)
{
    static const char *const added[] = {
        WHOLE(FIVE ", " SPECIAL(10, "") ", " SPECIAL(9, "[NEW]"), NORMALIZER, SPLITTER, TEMPLATE, MODEL),
        WHOLE(FIVE ", " SPECIAL(9, "[NEW]") ", " SPECIAL(10, ""), NORMALIZER, SPLITTER, TEMPLATE, MODEL)};
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof added / sizeof *added; i++) {
        const char *const files[FILES] = {[JSON] = added[i]};
        if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check_ids(&t, "the [NEW]cat", NULL, &plain_options, "2 5 9 6 3");
        tokenizer_free(&t);
    }
}

/* A Sequence of one step is that step, whether its type stands before it or behind; one of two is another text. */
static void a_sequence_of_one_step_is_that_step(void)
{
#define SEQUENCE(name, steps) "{\"type\": \"Sequence\", \"" name "\": [" steps "]}"
    static const char *const read[] = {
        WHOLE(FIVE, SEQUENCE("normalizers", NORMALIZER), SPLITTER, TEMPLATE, MODEL),
        WHOLE(FIVE, NORMALIZER, SEQUENCE("pretokenizers", SPLITTER), TEMPLATE, MODEL),
        WHOLE(FIVE, "{\"normalizers\": [" NORMALIZER "], \"type\": \"Sequence\"}",
              "{\"pretokenizers\": [" SPLITTER "], \"type\": \"Sequence\"}", TEMPLATE, MODEL)};
    static const char *const not_read[] = {
        WHOLE(FIVE, SEQUENCE("normalizers", NORMALIZER ", " NORMALIZER), SPLITTER, TEMPLATE, MODEL),
        WHOLE(FIVE, SEQUENCE("normalizers", "{\"type\": \"NFKC\"}, " NORMALIZER), SPLITTER, TEMPLATE, MODEL),
        WHOLE(FIVE, SEQUENCE("normalizers", SEQUENCE("normalizers", NORMALIZER)), SPLITTER, TEMPLATE, MODEL),
        WHOLE(FIVE, SEQUENCE("normalizers", ""), SPLITTER, TEMPLATE, MODEL),
        WHOLE(FIVE, NORMALIZER, SEQUENCE("pretokenizers", "{\"type\": \"Digits\"}, " SPLITTER), TEMPLATE, MODEL)};
    static const char *const configs[] = {"{}", FAST};
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < 2 * sizeof read / sizeof *read; i++) {
        const char *const files[FILES] = {[JSON] = read[i / 2], [CONFIG] = configs[i % 2]};
        if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check_ids(&t, "The cats [MASK]", NULL, &plain_options, "2 5 6 7 4 3");
        tokenizer_free(&t);
    }
    for (size_t i = 0; i < sizeof not_read / sizeof *not_read; i++) {
        const char *const files[FILES] = {[JSON] = not_read[i]};
        check(load_files(&t, files, CASE_AUTO, &e) == BERT_FILE && strstr(e.message, ".type: found 'Sequence'"),
              "case %zu is refused: %s", i, e.message);
    }
}

/* PreTrainedTokenizerFast knows of its special tokens only what is named; a BertTokenizer has names of its own. */
static void a_file_may_name_the_sep(void)
{
#define FAST_WITH(more) "{\"tokenizer_class\": \"TokenizersBackend\", \"pad_token\": \"[PAD]\"" more "}"
    static const struct { const char *config; bool named; } cases[] = {
        {"{}", true}, {"{\"tokenizer_class\": \"BertTokenizer\"}", true}, {FAST_WITH(""), false},
        {FAST_WITH(", \"sep_token\": \"[SEP]\""), true}, {FAST_WITH(", \"eos_token\": \"[SEP]\""), true},
        {FAST_WITH(", \"extra_special_tokens\": [\"[SEP]\"]"), true},
        {FAST_WITH(", \"additional_special_tokens\": [\"the\", \"[SEP]\"]"), true},
        {FAST_WITH(", \"end_token\": \"[SEP]\""), true}, {FAST_WITH(", \"extra_special_tokens\": [\"the\"]"), false}};
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const files[FILES] = {[JSON] = USUAL, [CONFIG] = cases[i].config};
        if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check(t.sep_id == 3 && t.sep_named == cases[i].named, "%s: named %d", cases[i].config, t.sep_named);
        tokenizer_free(&t);
    }
}

static void vocab_txt_beside_tokenizer_json_must_agree(void)
{
    static const struct { const char *txt, *why; } cases[] = {
        {SPECIALS "the\ncat\n##s\ne\n", NULL}, {SPECIALS "the\ncat\n##s\ne", NULL},
        {SPECIALS "the\ncat\n##s\ne\n\n", NULL},
        {SPECIALS "cat\nthe\n##s\ne\n", "vocab.txt, line 6: found 'cat', but tokenizer.json has 'the'"},
        {SPECIALS "the\ncat\n##s\n", "vocab.txt, line 9: found '', but tokenizer.json has 'e'"},
        {SPECIALS "the\ncat\n##s\ne\nx\n", "vocab.txt, line 10: found 'x', but tokenizer.json has ''"},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const files[FILES] = {[TXT] = cases[i].txt, [JSON] = USUAL};
        Status s = load_files(&t, files, CASE_AUTO, &e);
        if (cases[i].why) record(cases[i].why, e.message, made_in);
        if (cases[i].why) check(s == BERT_FILE && strstr(e.message, cases[i].why), "case %zu: %s", i, e.message);
        else if (check(s == BERT_OK, "case %zu: %s", i, e.message)) tokenizer_free(&t);
    }
}

#define CLASS(name) "{\"tokenizer_class\": \"" name "\"}"
static const struct { const char *json, *config, *why; } refused[] = {
    {NULL, CLASS("BertJapaneseTokenizer"), "tokenizer_config.json: tokenizer_class: found 'BertJapaneseTokenizer'"},
    {NULL, CLASS("BertTokenizerFaster"), "tokenizer_class: found 'BertTokenizerFaster'"},
    {NULL, CLASS("DPRReaderTokenizer"), "tokenizer_class: found 'DPRReaderTokenizer'"},
    {NULL, CLASS("TokenizersBackend"), "tokenizer_config.json: tokenizer_class: found 'TokenizersBackend', which takes its pieces from tokenizer.json"},
    {NULL, "{\"auto_map\": {\"AutoTokenizer\": [\"x.Y\", null]}}", "auto_map"},
    {NULL, "{\"truncation_side\": \"middle\"}", "truncation_side: found 'middle'"},
    {NULL, "{\"model_max_length\": -1}", "model_max_length: found -1"},
    {NULL, "{\"added_tokens_decoder\": {\"x\": {\"content\": \"y\"}}}", "added_tokens_decoder: found 'x'"},
    {WHOLE(FIVE, "{\"type\": \"Lowercase\"}", SPLITTER, TEMPLATE, MODEL), NULL,
     "normalizer.type: found 'Lowercase'"},
    {WHOLE(FIVE, "null", SPLITTER, TEMPLATE, MODEL), NULL, "tokenizer.json: normalizer: found nothing"},
    {WHOLE(FIVE, "{\"type\": \"BertNormalizer\", \"clean_text\": false}", SPLITTER, TEMPLATE, MODEL), NULL,
     "clean_text"},
    {WHOLE(FIVE, NORMALIZER, "{\"type\": \"Whitespace\"}", TEMPLATE, MODEL), NULL,
     "pre_tokenizer.type: found 'Whitespace'"},
    {WHOLE(FIVE, NORMALIZER, "null", TEMPLATE, MODEL), NULL, "pre_tokenizer: found nothing"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"type\": \"RobertaProcessing\"}", MODEL), NULL,
     "post_processor.type: found 'Roberta"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "null", MODEL), FAST, "post_processor: found nothing"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"type\": \"TemplateProcessing\", \"single\": " SINGLE ", \"pair\": "
           PAIR(0)
           ", \"special_tokens\": " IDS "}", MODEL), NULL, "post_processor: found another template"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"type\": \"TemplateProcessing\", \"single\": " SINGLE ", \"pair\": "
           PAIR(1)
           ", \"special_tokens\": {}}", MODEL), NULL, "post_processor: found another template"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 9], \"cls\": "
           "[\"[CLS]\", 2]}", MODEL), FAST,
     "post_processor: found the ids 2 and 9, expected 0 to 8"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"type\": \"BPE\", \"vocab\": {}}"), NULL,
     "model.type: found 'BPE'"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"vocab\": {" PIECES "}, \"merges\": []}"), NULL,
     "model.merges"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"type\": \"Unigram\", \"vocab\": []}"), NULL,
     "model.type: found 'Unigram'"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"continuing_subword_prefix\": \"@@\"}"), NULL,
     "found '@@', expected '##'"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"max_input_chars_per_word\": 201}"), NULL,
     "max_input_chars_per_word: found 201"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"max_input_chars_per_word\": 50, \"vocab\": {" PIECES "}}"),
     NULL,
     "max_input_chars_per_word: found 50, but a BertTokenizer has 100"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{}"), NULL, "model.vocab: found nothing"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"vocab\": {\"a\": 0, \"b\": 0}}"), NULL,
     "'b', id 0: found twice"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"vocab\": {\"a\": 0, \"a\": 1}}"), NULL,
     "'a', id 1: found twice"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"vocab\": {\"a\": -1}}"), NULL, "'a' has id -1"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"vocab\": {\"a\": 16000000}}"), NULL, "'a' has id 16000000"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"vocab\": {}, \"vocab\": {}}"), NULL,
     "model.vocab: found twice"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"type\": \"BertProcessing\", \"trim\": true, \"sep\": [\"[SEP]\", 3, "
           "4]}", MODEL), NULL,
     "post_processor: expected a token and its id"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"single\": [" SIX_PLACES ", " SIX_PLACES ", " SIX_PLACES "]}", MODEL),
     NULL,
     "post_processor: found more than"},
    {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"special_tokens\": {" SIX_NAMES(a) ", " SIX_NAMES(b) ", " SIX_NAMES(c)
           "}}", MODEL),
     NULL, "post_processor.special_tokens: found more than"},
    {WHOLE(SPECIAL(7, "[E1]"), NORMALIZER, SPLITTER, TEMPLATE, MODEL), NULL,
     "tokenizer.json: the added token '[E1]' has id 7, but by its place it is 9"},
    {WHOLE(FIVE, "{\"type\": \"BertNormalizer\", \"lowercase\": false, \"handle_chinese_chars\": true}", SPLITTER,
           TEMPLATE, MODEL),
     NULL, "normalizer.lowercase: found false, but tokenizer_config.json, which decides for a BertTokenizer, has "
     "no do_lower_case"},
};

static void a_tokenizer_that_is_not_berts_is_refused_by_file_and_key(void)
{
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const char *const files[FILES] = {[TXT] = refused[i].json ? NULL : SPECIALS "a\n", [JSON] = refused[i].json,
                                          [CONFIG] = refused[i].config};
        Status s = load_files(&t, files, CASE_AUTO, &e);
        record(refused[i].why, e.message, made_in);
        check(s == BERT_FILE && strstr(e.message, refused[i].why), "case %zu says '%s': %s", i, refused[i].why,
              s ? e.message : "nothing");
        check(t.vocabulary == NULL, "case %zu: nothing is left over", i);
        if (!s) tokenizer_free(&t);
    }
}

/* Strings of a tokenizer's files have 512 bytes at most: 511 and 512 are read, whatever they are for, 513 are refused. */
static void strings_have_512_bytes_at_most(void)
{
    static const struct { const char *json, *read; } places[] = {
        {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"continuing_subword_prefix\": \"%s\"}"), "expected '##'"},
        {WHOLE(FIVE, NORMALIZER, SPLITTER, TEMPLATE, "{\"type\": \"WordPiece\", \"unk_token\": \"%s\", \"vocab\": {}}"),
         ""},
        {WHOLE(SPECIAL(9, "%s"), NORMALIZER, SPLITTER, TEMPLATE, "{}"), "model.vocab: found nothing"},
        {WHOLE(FIVE, NORMALIZER, SPLITTER, "{\"type\": \"TemplateProcessing\", \"special_tokens\": {\"%s\": {}}}", MODEL),
         ""},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (int n = 511; n <= 513; n++) {
            char text[514], json[4000];
            memset(text, 'x', sizeof text);
            text[n] = 0;
            snprintf(json, sizeof json, places[i].json, text);
            const char *const files[FILES] = {[JSON] = json};
            Status s = load_files(&t, files, CASE_AUTO, &e);
            if (!s) tokenizer_free(&t);
            const bool refused_it = s && strstr(e.message, "a shorter string");
            check(refused_it == (n > 512), "place %zu, %d bytes: %s", i, n, s ? e.message : "read");
            if (n <= 512) check(!s || strstr(e.message, places[i].read), "place %zu, %d bytes: %s", i, n, e.message);
        }
}

/* The class TokenizersBackend reads settings from tokenizer.json, and BertTokenizer from tokenizer_config.json. */
static void the_class_says_which_file_has_the_settings(void)
{
    static const char keeps[] = WHOLE(FIVE, "{\"type\": \"BertNormalizer\", \"lowercase\": false, "
        "\"strip_accents\": true, "
        "\"handle_chinese_chars\": false}", SPLITTER,
        "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2]}",
        "{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"max_input_chars_per_word\": 3, \"vocab\": {" PIECES
        "}}");
    static const char config[] = "{\"do_lower_case\": true, \"strip_accents\": false, "
        "\"tokenize_chinese_chars\": true, "
                                 "\"tokenizer_class\": \"TokenizersBackend\"}";
    const char *const files[FILES] = {[JSON] = keeps, [CONFIG] = config};
    Tokenizer t;
    Error e;
    if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    check(!t.lower_case && t.strip_accents && !t.chinese_chars && t.longest_word == 3, "settings of tokenizer.json");
    check(t.cls_id == 2 && t.sep_id == 3 && t.pad_id == -1 && t.mask_id == -1, "no file names [PAD] or [MASK]");
    check_text("source", t.case_source, "tokenizer.json");
    check_ids(&t, "the cats The \xC3\xA9", NULL, &plain_options, "2 5 1 1 8 3");
    tokenizer_free(&t);
    if (!check(load_files(&t, files, CASE_UNCASED, &e) == BERT_OK, "%s", e.message)) return;
    check_ids(&t, "The", NULL, &plain_options, "2 5 3");
    tokenizer_free(&t);
}

#define ADD(id, name, flags, normalized) "{\"id\": " #id ", \"content\": \"" name "\", " flags ", \"normalized\": " \
    normalized "}"
static void added_tokens_take_what_their_flags_say(void)
{
    static const char json[] = WHOLE(FIVE ", " ADD(9, "[E1]", "\"special\": true", "false") ", "
        ADD(10, "Covid", "\"single_word\": true", "true") ", " ADD(11, "<l>", "\"lstrip\": true", "false") ", "
        ADD(12, "<r>", "\"rstrip\": true", "false") ", "
        ADD(13, "LR", "\"lstrip\": true, \"rstrip\": true", "true") ", "
        ADD(14, "[E1]x", "\"special\": false", "false"), NORMALIZER, SPLITTER, TEMPLATE, MODEL);
    static const struct { const char *text, *ids, *plain; } cases[] = {
        {"the[E1]cat", "2 5 9 6 3", "2 5 1 1 1 6 3"}, {"[e1]", "2 1 1 1 3", "2 1 1 1 3"},
        /* the longest one; --no-special is about special ones */
        {"[E1]x [E1]", "2 14 9 3", "2 14 1 1 1 3"},
        {"COVID the co\xCC\x81vid", "2 10 5 10 3", "2 10 5 10 3"},     /* after step 1 */
        {"covids xcovid covid-", "2 1 1 10 1 3", "2 1 1 10 1 3"}, {"covid\xC3\x9F", "2 1 3", "2 1 3"},
        {"the <l> cat<r>  the", "2 5 11 6 12 5 3", "2 5 11 6 12 5 3"},
        {"cat  lr  cats", "2 6 13 6 7 3", "2 6 13 6 7 3"},
        {"[MASK]", "2 4 3", "2 1 1 1 3"},
    };
    const char *const files[FILES] = {[JSON] = json};
    const EncodeOptions plain = {.segments = -1, .plain = true};
    Tokenizer t;
    Error e;
    Encoding x = {0};
    if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    check(t.V == 15 && tokenizer_rows(&t) == 9, "%d ids, %d rows", t.V, tokenizer_rows(&t));
    check(tokenizer_id(&t, "[E1]", 4) == 9 && !strcmp(tokenizer_piece(&t, 10), "Covid"), "they have ids and texts");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_ids(&t, cases[i].text, NULL, &plain_options, cases[i].ids);
        check_ids(&t, cases[i].text, NULL, &plain, cases[i].plain);
    }
    Status s = encode(&t, text_of("the \xC2\xA0<l> cat<r>  the \t lr  "), NULL, &plain_options, &x, &e);
    check(s == BERT_OK && x.T == 8, "%d tokens", x.T);
    static const size_t offsets[8][2] = {{0, 0}, {0, 3}, {3, 9}, {10, 13}, {13, 18}, {18, 21}, {21, 28}, {0, 0}};
    for (int i = 0; i < x.T && i < 8; i++)
        check(x.offsets[i][0] == offsets[i][0] && x.offsets[i][1] == offsets[i][1],
              "token %d: %zu to %zu", i, x.offsets[i][0],
              x.offsets[i][1]);
    encoding_free(&x);
    tokenizer_free(&t);
}

/* With the class BertTokenizer they are sorted by their ids; without a class they come in the order of the file. */
static void of_an_added_token_that_stands_twice_the_last_counts(void)
{
    static const char strict[] = WHOLE(FIVE ", " ADD(9, "<r>", "\"single_word\": false", "false") ", "
        ADD(9, "<r>", "\"single_word\": true", "false"), NORMALIZER, SPLITTER, TEMPLATE, MODEL);
    static const char loose[] = WHOLE(FIVE ", " ADD(9, "<r>", "\"single_word\": true", "false") ", "
        ADD(9, "<r>", "\"single_word\": false", "false"), NORMALIZER, SPLITTER, TEMPLATE, MODEL);
    static const struct { const char *json, *config, *ids; } cases[] = {
        {strict, NULL, "2 6 1 1 1 9 3"}, {strict, "{\"tokenizer_class\": \"BertTokenizer\"}", "2 6 1 1 1 9 3"},
        {loose, NULL, "2 6 9 9 3"}, {loose, "{\"tokenizer_class\": \"BertTokenizer\"}", "2 6 9 9 3"},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const files[FILES] = {[JSON] = cases[i].json, [CONFIG] = cases[i].config};
        if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check_ids(&t, "cat<r> <r>", NULL, &plain_options, cases[i].ids);
        tokenizer_free(&t);
    }
}

static void added_tokens_that_cannot_be_told_apart_are_refused(void)
{
    static const struct { const char *json, *why; } cases[] = {
        {WHOLE(FIVE ", " ADD(9, "AB", "\"special\": false", "true") ", " ADD(10, "ab", "\"special\": false", "true"),
               NORMALIZER,
               SPLITTER, TEMPLATE, MODEL), "'AB' and 'ab' are the same after normalization"},
        {WHOLE(FIVE ", " ADD(9, "\\u00ad", "\"special\": false", "true"), NORMALIZER, SPLITTER, TEMPLATE, MODEL),
         "nothing is left"},
        {WHOLE(FIVE ", " ADD(9, " x", "\"special\": false", "false") ", " ADD(10, "y", "\"rstrip\": true", "false"),
               NORMALIZER,
               SPLITTER, TEMPLATE, MODEL), "' x' begins with white space"},
        {WHOLE(FIVE ", " ADD(9, "x", "\"special\": true", "false") ", " ADD(9, "y", "\"special\": true", "false"),
               NORMALIZER,
               SPLITTER, TEMPLATE, MODEL), "have one id, 9"},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const files[FILES] = {[JSON] = cases[i].json};
        Status s = load_files(&t, files, CASE_AUTO, &e);
        record(cases[i].why, e.message, made_in);
        check(s == BERT_FILE && strstr(e.message, cases[i].why), "case %zu says '%s': %s", i, cases[i].why,
              s ? e.message : "nothing");
        if (!s) tokenizer_free(&t);
    }
}

/* vocab.txt with the files of transformers 4, each of which can bring tokens; and names that are not [PAD] ... */
static void special_and_added_tokens_come_from_all_four_files(void)
{
    static const char names[] = "<pad>\n<unk>\n<s>\n</s>\n<mask>\nthe\ncat\n";
    static const struct { const char *txt, *config, *map, *added, *text, *ids; } cases[] = {
        {names, "{\"pad_token\": \"<pad>\", \"unk_token\": \"<unk>\", \"cls_token\": \"<s>\", \"sep_token\": \"</s>\", "
                "\"mask_token\": {\"__type\": \"AddedToken\", \"content\": \"<mask>\", \"lstrip\": true, \"special\": "
                "true}}",
         NULL, NULL, "the <mask> [x", "2 5 4 1 1 3"},
        {names, NULL, "{\"pad_token\": \"<pad>\", \"unk_token\": \"<unk>\", \"cls_token\": {\"content\": \"<s>\", "
         "\"lstrip\": false}, "
                      "\"sep_token\": \"</s>\", \"mask_token\": \"<mask>\"}", NULL, "the <mask>", "2 5 4 3"},
        {SPECIALS "the\n", "{\"extra_special_tokens\": [\"[E1]\", \"[E2]\"]}", NULL, NULL, "[E2] the[E1]", "2 7 5 6 3"},
        {SPECIALS "the\n", "{\"additional_special_tokens\": [\"[E1]\"], \"my_token\": \"[M]\"}", NULL, NULL, "[E1][M]",
         "2 7 6 3"},
        {SPECIALS "the\n", "{\"extra_special_tokens\": {\"a_token\": \"[A]\"}}", NULL, NULL, "[A]", "2 6 3"},
        {SPECIALS "the\n", NULL, "{\"additional_special_tokens\": [\"[E1]\"]}", "{\"[E1]\": 7, \"Covid\": 6}",
         "[E1] COVID", "2 7 6 3"},
        {SPECIALS "the\n", "{\"added_tokens_decoder\": {\"7\": {\"content\": \"b\", \"normalized\": false}, \"6\": "
         "{\"content\": \"a\"}}}",
         "{\"mask_token\": \"no\"}", "{\"no\": 99}", "ba[MASK]", "2 7 6 4 3"},
        {SPECIALS "[unused1]\nthe\n", "{\"extra_special_tokens\": [\"[unused1]\"]}", NULL, NULL, "the [unused1]",
         "2 6 5 3"},
        {SPECIALS "the\n\n", "{\"extra_special_tokens\": [\"[E1]\"]}", NULL, NULL, "[E1]", "2 7 3"},
        {SPECIALS "the\n", "{\"split_special_tokens\": true}", NULL, NULL, "the [MASK]", "2 5 1 1 1 3"},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const files[FILES] = {[TXT] = cases[i].txt, [CONFIG] = cases[i].config, [MAP] = cases[i].map,
                                          [ADDED] = cases[i].added};
        if (!check(load_files(&t, files, CASE_UNCASED, &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check_ids(&t, cases[i].text, NULL, &plain_options, cases[i].ids);
        tokenizer_free(&t);
    }
}

/* --no-special makes plain text of special tokens: of those whose entry says so, and of those that have a name. A text
 * that is as long as a named one is none. */
static void a_token_with_a_name_is_special_whatever_its_entry_says(void)
{
    static const char config[] = "{\"pad_token\": \"[PAD]\", \"mask_token\": \"[MASK]\", \"added_tokens_decoder\": {"
        "\"4\": {\"content\": \"[MASK]\", \"special\": false}, \"5\": {\"content\": \"<abc>\", \"special\": false}, "
        "\"6\": {\"content\": \"<abcd>\", \"special\": false}, \"7\": {\"content\": \"<ab>\", \"special\": true}}}";
    const char *const files[FILES] = {[TXT] = SPECIALS, [CONFIG] = config};
    const EncodeOptions plain = {.segments = -1, .plain = true};
    Tokenizer t;
    Error e;
    if (!check(load_files(&t, files, CASE_UNCASED, &e) == BERT_OK, "%s", e.message)) return;
    check_ids(&t, "[MASK] <abc> <abcd> <ab>", NULL, &plain_options, "2 4 5 6 7 3");
    check_ids(&t, "[MASK] <abc> <abcd> <ab>", NULL, &plain, "2 1 1 1 5 6 1 1 1 3");
    tokenizer_free(&t);
}

/* Only who needs a special token misses it. */
static void a_missing_special_token_matters_where_it_is_needed(void)
{
    static const struct { const char *vocab, *text, *why; EncodeOptions options; } cases[] = {
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", "a", NULL, {.segments = -1}},
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", "a [MASK]", "the text has [MASK], but the vocabulary has no such token",
         {.segments = -1}},
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", "a [MASK]", NULL, {.segments = -1, .plain = true}},
        {"[UNK]\n[CLS]\n[SEP]\na\n", "a", NULL, {.segments = -1}},
        {"[UNK]\n[CLS]\n[SEP]\na\n", "a", "[PAD] is needed", {.segments = -1, .pad = true, .max_length = 9}},
        {"[CLS]\n[SEP]\na\n", "a", NULL, {.segments = -1}},
        {"[CLS]\n[SEP]\na\n", "a b", "a word needs [UNK]", {.segments = -1}},
        {"[UNK]\n[SEP]\na\n", "a", "[CLS] is needed", {.segments = -1}},
        {"[UNK]\n[CLS]\na\n", "a", "[SEP] is needed", {.segments = -1}},
        {"[UNK]\n[CLS]\na\n", "a", NULL, {.segments = -1, .no_add_special = true}},
    };
    Tokenizer t;
    Error e;
    Encoding x = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Status s = load_made(&t, cases[i].vocab, strlen(cases[i].vocab), NULL, CASE_UNCASED, &e);
        if (!check(s == BERT_OK, "case %zu: %s", i, e.message)) continue;
        s = encode(&t, text_of(cases[i].text), NULL, &cases[i].options, &x, &e);
        if (cases[i].why)
            check(s == BERT_FILE && strstr(e.message, cases[i].why), "case %zu: %s", i, s ? e.message : "nothing");
        else check(s == BERT_OK, "case %zu: %s", i, e.message);
        tokenizer_free(&t);
    }
    encoding_free(&x);
}

/* null takes a token away; the message names the file that says so. */
static void a_token_that_is_said_to_be_none_is_named_with_its_file(void)
{
    static const char vocab[] = SPECIALS "a\n";
    static const char *const keys[] = {"cls_token", "sep_token"};
    const EncodeOptions usual = {.segments = -1};
    for (int i = 0; i < 2; i++) {
        char config[100], why[100];
        Encoding x = {0};
        Tokenizer t;
        Error e = {0};
        snprintf(config, sizeof config, "{\"%s\": null}", keys[i]);
        snprintf(why, sizeof why, "tokenizer_config.json: %s is null, but [%s] is needed", keys[i], i ? "SEP" : "CLS");
        if (!check(load_made(&t, vocab, sizeof vocab - 1, config, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) continue;
        check(encode(&t, text_of("a"), NULL, &usual, &x, &e) == BERT_FILE && strstr(e.message, why), "%s", e.message);
        encoding_free(&x);
        tokenizer_free(&t);
    }
}

static void a_few_stray_capitals_do_not_make_a_vocabulary_cased(void)
{
    static const struct { const char *vocab; bool lower; const char *source; } cases[] = {
        {SPECIALS "apple\niphone\n\xE5\x85\xAC\nI\nK\nT\nM\n\xE2\x85\xAB\n<S>\n", true,
         "vocab.txt has hardly any capital letters"},
        {SPECIALS "the\ncat\n<URL>\n[USER]\n", true, "vocab.txt has no capital letters"},
        {SPECIALS "L\nA\nG\nV\n", false, "vocab.txt has capital letters"},
        {SPECIALS "the\nThe\n##ing\n", false, "vocab.txt has capital letters"},
        {SPECIALS "a\nb\nc\n1\n.\n", true, "vocab.txt has no capital letters"},
    };
    Tokenizer t;
    Error e;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!check(load_made(&t, cases[i].vocab, strlen(cases[i].vocab), NULL, CASE_AUTO, &e) == BERT_OK, "%s",
                   e.message)) continue;
        check(t.lower_case == cases[i].lower, "case %zu: lower case %d", i, t.lower_case);
        check_text("source", t.case_source, cases[i].source);
        tokenizer_free(&t);
    }
}

static void the_directory_says_where_to_cut_and_to_fill(void)
{
    static const char left[] = "{\"truncation_side\": \"left\", \"padding_side\": \"Left\", \"model_max_length\": 6}";
    static const char vocab[] = SPECIALS "a\nb\nc\nd\n";
    EncodeOptions o = {.segments = -1, .truncate = true, .pad = true, .max_length = 5};
    Tokenizer t;
    Error e;
    if (!check(load_made(&t, vocab, sizeof vocab - 1, left, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    check(t.max_length == 6, "model_max_length: %d", t.max_length);
    check_ids(&t, "a b c d", NULL, &o, "2 6 7 8 3");
    check_ids(&t, "a", NULL, &o, "0 0 2 5 3");
    o.max_length = 7;
    check_ids(&t, "a b c d", "b c d", &o, "2 7 8 3 7 8 3");
    check_ids(&t, "a", "a b c d", &o, "2 5 3 6 7 8 3");
    check_ids(&t, "a b c d", "a", &o, "2 6 7 8 3 5 3");
    tokenizer_free(&t);
    if (!check(load_made(&t, vocab, sizeof vocab - 1, "{\"model_max_length\": 1000000000000000019884624838656}",
                         CASE_AUTO, &e) == BERT_OK,
               "%s", e.message)) return;
    check(t.max_length == 0 && !t.truncate_left, "a number that means none");
    tokenizer_free(&t);
}

/* Which tokenizers give the model no segments: the ids of a pair are the same, its segments are all 0. */
static void some_tokenizers_give_no_segments(void)
{
#define CLASS_AND(name, more) "{\"tokenizer_class\": \"" name "\", \"pad_token\": \"[PAD]\"" more "}"
#define NAMES(list) ", \"model_input_names\": [\"input_ids\"" list "]"
    static const struct { const char *config; int second; } cases[] = {
        {NULL, 1}, {"{}", 1}, {CLASS("BertTokenizer"), 1}, {CLASS("BertTokenizerFast"), 1},
        {CLASS("DistilBertTokenizer"), 0}, {CLASS("DistilBertTokenizerFast"), 0},
        {CLASS_AND("PreTrainedTokenizerFast", ""), 0}, {CLASS_AND("TokenizersBackend", ""), 0},
        {CLASS_AND("TokenizersBackend", NAMES(", \"token_type_ids\"")), 1},
        {CLASS_AND("BertTokenizer", NAMES("")), 0}, {CLASS_AND("BertTokenizer", ", \"model_input_names\": null"), 1},
        {CLASS_AND("DistilBertTokenizer", NAMES(", \"token_type_ids\", \"attention_mask\"")), 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const files[FILES] = {[JSON] = USUAL, [CONFIG] = cases[i].config};
        const EncodeOptions usual = {.segments = -1}, ones = {.segments = 1};
        const Text a = {"the", 3}, b = {"cat", 3};
        Encoding x = {0};
        Tokenizer t;
        Error e;
        if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "case %zu: %s", i, e.message)) continue;
        check(encode(&t, a, &b, &usual, &x, &e) == BERT_OK && x.token_type_ids[0] == 0 &&
              x.token_type_ids[x.T - 1] == cases[i].second, "case %zu: segment %d", i,
              x.T ? x.token_type_ids[x.T - 1] : -1);
        encoding_free(&x);
        check(encode(&t, a, &b, &ones, &x, &e) == BERT_OK && x.token_type_ids[0] == 1, "case %zu: all 1", i);
        encoding_free(&x);
        tokenizer_free(&t);
    }
}

/* tokenizer.json's own "truncation" and "padding" have sides, too; tokenizer_config.json's come first. The length beside
 * them is no limit: transformers 5 leaves that of its last call there. */
static void the_sides_of_tokenizer_json_count_where_nothing_else_says_one(void)
{
    static const char json[] = "{\"truncation\": {\"direction\": \"Left\", \"max_length\": 8, \"stride\": 0}, "
        "\"padding\": {\"direction\": \"Left\", \"pad_id\": 0}, \"added_tokens\": [" FIVE "], \"normalizer\": "
        NORMALIZER
        ", \"pre_tokenizer\": " SPLITTER ", \"post_processor\": " TEMPLATE ", \"model\": " MODEL "}";
    const char *const files[FILES] = {[JSON] = json, [CONFIG] = "{}"};
    const char *const both[FILES] = {[JSON] = json,
                                     [CONFIG] = "{\"truncation_side\": \"right\", \"padding_side\": \"right\"}"};
    Tokenizer t;
    Error e;
    if (!check(load_files(&t, files, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    check(t.truncate_left && t.pad_left, "both on the left: %d %d", t.truncate_left, t.pad_left);
    check(t.max_length == 0, "no limit: %d", t.max_length);
    tokenizer_free(&t);
    if (!check(load_files(&t, both, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    check(!t.truncate_left && !t.pad_left, "tokenizer_config.json comes first: %d %d", t.truncate_left, t.pad_left);
    tokenizer_free(&t);
}

const Test tokenizer_tests[] = {
    {"texts_of_the_documents_have_their_ids", texts_of_the_documents_have_their_ids},
    {"ids_5000_to_5019_are_those_that_document_001_prints", ids_5000_to_5019_are_those_that_document_001_prints},
    {"a_word_that_is_no_piece_has_no_id_of_its_own", a_word_that_is_no_piece_has_no_id_of_its_own},
    {"nfd_then_marks_are_dropped", nfd_then_marks_are_dropped},
    {"a_cased_model_keeps_accents_and_capitals", a_cased_model_keeps_accents_and_capitals},
    {"the_turkish_capital_i_becomes_two_characters", the_turkish_capital_i_becomes_two_characters},
    {"the_fast_search_finds_the_longest_piece", the_fast_search_finds_the_longest_piece},
    {"white_space_separates_and_is_otherwise_nothing", white_space_separates_and_is_otherwise_nothing},
    {"where_googles_code_gives_other_tokens_hugging_face_is_followed",
     where_googles_code_gives_other_tokens_hugging_face_is_followed},
    {"a_nul_never_ends_a_text", a_nul_never_ends_a_text},
    {"a_word_is_cut_into_the_longest_pieces_or_is_one_unk", a_word_is_cut_into_the_longest_pieces_or_is_one_unk},
    {"a_word_of_100_characters_is_cut_and_one_of_101_is_unk", a_word_of_100_characters_is_cut_and_one_of_101_is_unk},
    {"chunks_do_not_change_the_tokens", chunks_do_not_change_the_tokens},
    {"a_megabyte_without_a_space_is_one_text_like_any_other", a_megabyte_without_a_space_is_one_text_like_any_other},
    {"difficult_texts_give_hugging_faces_ids_and_offsets", difficult_texts_give_hugging_faces_ids_and_offsets},
    {"difficult_texts_give_hugging_faces_ids_in_a_cased_model",
     difficult_texts_give_hugging_faces_ids_in_a_cased_model},
    {"four_thousand_random_lines_give_hugging_faces_ids_and_offsets",
     four_thousand_random_lines_give_hugging_faces_ids_and_offsets},
    {"segments_are_0_for_a_and_1_for_b_or_all_alike", segments_are_0_for_a_and_1_for_b_or_all_alike},
    {"special_tokens_in_the_text_are_text_when_asked", special_tokens_in_the_text_are_text_when_asked},
    {"padding_has_mask_0_and_a_pad_in_the_text_mask_1", padding_has_mask_0_and_a_pad_in_the_text_mask_1},
    {"too_long_is_an_error_unless_it_may_be_cut", too_long_is_an_error_unless_it_may_be_cut},
    {"the_longer_text_is_cut_first_and_keeps_the_odd_token", the_longer_text_is_cut_first_and_keeps_the_odd_token},
    {"invalid_utf8_is_refused_with_its_byte", invalid_utf8_is_refused_with_its_byte},
    {"the_id_is_the_line_and_the_last_duplicate_wins", the_id_is_the_line_and_the_last_duplicate_wins},
    {"a_file_that_is_no_vocabulary_is_refused_with_the_reason",
     a_file_that_is_no_vocabulary_is_refused_with_the_reason},
    {"a_vocabulary_that_was_made_to_collide_is_refused", a_vocabulary_that_was_made_to_collide_is_refused},
    {"an_added_token_without_text_takes_no_number", an_added_token_without_text_takes_no_number},
    {"tokenizer_json_is_enough", tokenizer_json_is_enough},
    {"a_sequence_of_one_step_is_that_step", a_sequence_of_one_step_is_that_step},
    {"a_file_may_name_the_sep", a_file_may_name_the_sep},
    {"vocab_txt_beside_tokenizer_json_must_agree", vocab_txt_beside_tokenizer_json_must_agree},
    {"strings_have_512_bytes_at_most", strings_have_512_bytes_at_most},
    {"a_tokenizer_that_is_not_berts_is_refused_by_file_and_key",
     a_tokenizer_that_is_not_berts_is_refused_by_file_and_key},
    {"the_class_says_which_file_has_the_settings", the_class_says_which_file_has_the_settings},
    {"added_tokens_take_what_their_flags_say", added_tokens_take_what_their_flags_say},
    {"of_an_added_token_that_stands_twice_the_last_counts", of_an_added_token_that_stands_twice_the_last_counts},
    {"added_tokens_that_cannot_be_told_apart_are_refused", added_tokens_that_cannot_be_told_apart_are_refused},
    {"special_and_added_tokens_come_from_all_four_files", special_and_added_tokens_come_from_all_four_files},
    {"a_token_with_a_name_is_special_whatever_its_entry_says", a_token_with_a_name_is_special_whatever_its_entry_says},
    {"a_missing_special_token_matters_where_it_is_needed", a_missing_special_token_matters_where_it_is_needed},
    {"a_few_stray_capitals_do_not_make_a_vocabulary_cased", a_few_stray_capitals_do_not_make_a_vocabulary_cased},
    {"a_token_that_is_said_to_be_none_is_named_with_its_file", a_token_that_is_said_to_be_none_is_named_with_its_file},
    {"some_tokenizers_give_no_segments", some_tokenizers_give_no_segments},
    {"the_directory_says_where_to_cut_and_to_fill", the_directory_says_where_to_cut_and_to_fill},
    {"the_case_comes_from_the_caller_then_the_file_then_the_pieces",
     the_case_comes_from_the_caller_then_the_file_then_the_pieces},
    {"the_published_vocabularies_are_recognised", the_published_vocabularies_are_recognised},
    {"offsets_can_be_left_out", offsets_can_be_left_out},
    {"the_short_way_gives_the_tokens_of_the_stages", the_short_way_gives_the_tokens_of_the_stages},
    {"the_trace_shows_a_line_for_every_stage", the_trace_shows_a_line_for_every_stage},
    {"the_trace_of_a_pair_ends_with_one_sequence", the_trace_of_a_pair_ends_with_one_sequence},
    {"the_sides_of_tokenizer_json_count_where_nothing_else_says_one",
     the_sides_of_tokenizer_json_count_where_nothing_else_says_one},
    {NULL, NULL},
};
