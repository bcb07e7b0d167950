/* test_habits.c - the known habits of tokenizers, row by row. The pieces that each makes of a text are written here by
 * hand: nothing of verify/habits.c has a part in them. And with no habit at all, its short steps 1 to 4 must give the
 * ids of tokenizer.c, on lines in which everything that can be hard about a text is mixed. */
#include "shell.h"
#include "verify/verify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first piece, whose id is 0, is a word. */
static const char vocabulary[] =
    "the\n[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nThe\ncat\nsat\ncafe\ncaf\nCaf\n##\u00e9\n\u00e9\n"
    "##\u0301\na\nb\ne\n##a\n##b\n##e\n##t\n,\n.\n[\n]\nmask\n\u2014\n\u4e2d\n\u6587\n\u4e2d\u6587\n"
    "\u03b1\n##\u03c2\n##\u03c3\n\u03c3\nss\n\u00df\n\u1100\n##\u1161\n##1\n1\n#\n"
    "a\U0001d165\U0001d16d\na\U0001d16d\U0001d165\na\U0001d165\n";

static Tokenizer uncased, cased, joined, stripped;      /* settings in which the steps differ */
static Tokenizer marked;                                /* uncased, with tokens that were added */

/* A directory with that vocabulary and that tokenizer_config.json, loaded; it is removed again. */
static bool load(Tokenizer *t, const char *config)
{
    char directory[256], path[300];
    Error e = {0};
    if (!check(formula_directory(directory), "a directory can be made")) return false;
    const char *const names[] = {"vocab.txt", "tokenizer_config.json"}, *const texts[] = {vocabulary, config};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        FILE *f = fopen(path, "w");
        if (f) fputs(texts[i], f), fclose(f);
    }
    const bool ok = check(tokenizer_load(t, directory, CASE_AUTO, &e) == BERT_OK, "it loads: %s", e.message);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        remove(path);
    }
    formula_remove(directory);
    return ok;
}

static bool begin(void)
{
    return load(&uncased, "{\"do_lower_case\": true}") && load(&cased, "{\"do_lower_case\": false}") &&
           load(&joined, "{\"do_lower_case\": true, \"strip_accents\": false, \"tokenize_chinese_chars\": false}") &&
           load(&stripped, "{\"do_lower_case\": false, \"strip_accents\": true}") &&
           load(&marked, "{\"do_lower_case\": true, \"extra_special_tokens\": [\"[E1]\", \"[PAD]\", \"cat1\"]}");
}

static void end(void)
{
    tokenizer_free(&uncased);
    tokenizer_free(&cased);
    tokenizer_free(&joined);
    tokenizer_free(&stripped);
    tokenizer_free(&marked);
}

static Text text_of(const char *s)
{
    return (Text){s, strlen(s)};
}

/* The text's true ids; b may be NULL. */
static bool give(TextGiven *given, Encoding *x, const Tokenizer *t, Text a, Text b)
{
    const EncodeOptions options = {.segments = -1, .plain = given->plain};
    Error e = {0};
    *given = (TextGiven){.tokenizer = t, .encoding = x, .a = a, .b = b, .has_b = b.bytes, .plain = given->plain};
    return check(encode(t, a, b.bytes ? &b : NULL, &options, x, &e) == BERT_OK, "%s", e.message);
}

/* What is said of OTHER's ids. */
static char said[1 << 14];
static void ask(const TextGiven *given, const int32_t *ids, size_t count)
{
    Error e = {0};
    FILE *out = tmpfile();
    check(out && explain_ids(given, ids, count, out, &e) == BERT_OK, "it is explained: %s", e.message);
    rewind(out);
    said[fread(said, 1, sizeof said - 1, out)] = 0;
    fclose(out);
}

/* =====================================================================================================================
 * Each row of the table
 * ================================================================================================================== */
enum { MOST = 600 };

/* The ids of pieces with a blank between them; "a*100" is a hundred times a. Returns how many. */
static size_t ids_of(const char *pieces, int32_t *ids)
{
    size_t count = 0;
    char piece[64];
    for (int n; sscanf(pieces, "%63s%n", piece, &n) == 1; pieces += n) {
        char *star = strchr(piece, '*');
        int times = star ? atoi(star + 1) : 1;
        if (star) *star = 0;
        const int id = tokenizer_id(&uncased, piece, strlen(piece));
        check(id >= 0, "%s is a piece", piece);
        while (times-- > 0 && count < MOST) ids[count++] = id;
    }
    return count;
}

/* The same for a text: "a*101" is a word of 101 letters. */
static void spell(const char *words, char *text)
{
    for (const char *c = words; *c; c++) {
        const int times = c[1] == '*' ? atoi(c + 2) : 1;
        for (int i = 0; i < times; i++) *text++ = *c;
        if (c[1] == '*') c += 1 + strspn(c + 2, "0123456789");
    }
    *text = 0;
}

/* 50 letters of two bytes. */
#define SIGMAS_10 "\u03c3\u03c3\u03c3\u03c3\u03c3\u03c3\u03c3\u03c3\u03c3\u03c3"
#define SIGMAS SIGMAS_10 SIGMAS_10 SIGMAS_10 SIGMAS_10 SIGMAS_10

static const struct {
    const char *name;
    const Tokenizer *t;
    const char *a, *b, *pieces;     /* b NULL: one text */
    int add;                        /* to every id */
} expected[] = {
    {"case-kept", &uncased, "The cat", NULL, "[CLS] The cat [SEP]", 0},
    {"case-lowered", &cased, "The cat", NULL, "[CLS] the cat [SEP]", 0},
    {"accents-kept", &uncased, "cafe\u0301", NULL, "[CLS] cafe ##\u0301 [SEP]", 0},
    {"accents-stripped", &cased, "The caf\u00e9", NULL, "[CLS] The cafe [SEP]", 0},
    {"accents-composed-kept", &uncased, "caf\u00e9 e\u0301", NULL, "[CLS] caf ##\u00e9 e [SEP]", 0},
    {"sigma-final", &uncased, "\u0391\u03a3.", NULL, "[CLS] \u03b1 ##\u03c2 . [SEP]", 0},
    {"case-folded", &uncased, "\u03b1\u03c2 \u00df", NULL, "[CLS] \u03b1 ##\u03c3 ss [SEP]", 0},
    {"marks-newer", &uncased, "a\u1dfb zcat", NULL, "[CLS] a [UNK] [SEP]", 0},
    {"first-part-only", &uncased, "\uac00", NULL, "[CLS] \u1100 [SEP]", 0},
    {"ideographs-joined", &uncased, "\u4e2d\u6587", NULL, "[CLS] \u4e2d\u6587 [SEP]", 0},
    {"controls-kept", &uncased, "a\u200b", NULL, "[CLS] [UNK] [SEP]", 0},
    {"controls-to-spaces", &uncased, "a\u200bb catb", NULL, "[CLS] a b cat ##b [SEP]", 0},
    {"private-kept", &uncased, "a\ue000 a\u200b", NULL, "[CLS] [UNK] a [SEP]", 0},
    {"white-space-first", &uncased, "a\vb a\u200bb", NULL, "[CLS] a b a ##b [SEP]", 0},
    {"white-space-ascii", &uncased, "a\u00a0b a\tb", NULL, "[CLS] [UNK] a b [SEP]", 0},
    {"space-only", &uncased, "a\tb a b", NULL, "[CLS] [UNK] a b [SEP]", 0},
    {"line-ends-kept", &uncased, "a\u2028b a\u00a0b", NULL, "[CLS] [UNK] a b [SEP]", 0},
    {"punctuation-ascii", &uncased, "a\u2014b a,b", NULL, "[CLS] [UNK] a , b [SEP]", 0},
    {"punctuation-joined", &uncased, "a,b", NULL, "[CLS] [UNK] [SEP]", 0},
    {"unknown-rest", &uncased, "ayb, b", NULL, "[CLS] a [UNK] , b [SEP]", 0},
    {"unknown-letter", &uncased, "ayb, b", NULL, "[CLS] a [UNK] ##b , b [SEP]", 0},
    {"unknown-lost", &uncased, "the zcat ayb sat", NULL, "[CLS] the a sat [SEP]", 0},
    {"letters-lost", &uncased, "a\u2603b \u2603 b", NULL, "[CLS] a ##b b [SEP]", 0},
    {"whole-words", &uncased, "catb cat", NULL, "[CLS] [UNK] cat [SEP]", 0},
    {"prefix-missing", &uncased, "catb", NULL, "[CLS] cat b [SEP]", 0},
    {"longest-word-200", &uncased, "a*101 b*201", NULL, "[CLS] a ##a*100 [UNK] [SEP]", 0},
    {"longest-word-none", &uncased, "a*101 b*201", NULL, "[CLS] a ##a*100 b ##b*200 [SEP]", 0},
    {"longest-word-bytes", &uncased, SIGMAS " \u03b1" SIGMAS " catb", NULL,
     "[CLS] \u03c3 ##\u03c3*49 [UNK] cat ##b [SEP]", 0},
    {"special-as-text", &uncased, "a [MASK]", NULL, "[CLS] a [ mask ] [SEP]", 0},
    {"added-cut", &marked, "a [MASK] [E1] [PAD] cat1", NULL, "[CLS] a [MASK] [UNK] [PAD] cat ##1 [SEP]", 0},
    {"frame-missing", &uncased, "the cat", NULL, "the cat", 0},
    {"frame-twice", &uncased, "the cat", NULL, "[CLS] [CLS] the cat [SEP] [SEP]", 0},
    {"pair-two-sep", &uncased, "the cat", "sat", "[CLS] the cat [SEP] [SEP] sat [SEP]", 0},
    {"pair-swapped", &uncased, "the cat", "sat", "[CLS] sat [SEP] the cat [SEP]", 0},
    {"ids-plus-one", &uncased, "the cat", NULL, "[CLS] the cat [SEP]", 1},
    {"ids-minus-one", &uncased, "the cat", NULL, "[CLS] the cat [SEP]", -1},
};
enum { EXPECTED = sizeof expected / sizeof *expected };

/* One line about it, and no other. A sentence of the table may be wrapped: its first words are looked for. */
static void check_row(size_t i)
{
    char text[2 * MOST], wanted[64];
    int32_t ids[MOST];
    Encoding x = {0};
    TextGiven given = {0};
    const Text b = expected[i].b ? text_of(expected[i].b) : (Text){0};
    size_t count = ids_of(expected[i].pieces, ids);
    for (size_t k = 0; k < count; k++) ids[k] += expected[i].add;
    spell(expected[i].a, text);
    if (give(&given, &x, expected[i].t, text_of(text), b)) {
        ask(&given, ids, count);
        snprintf(wanted, sizeof wanted, "best explanation: input_ids: %.30s", habits[i].sentence);
        check(!strncmp(said, wanted, strlen(wanted)) && strstr(said, "(with it equal)\n"), "%s: '%s', expected '%s'",
              expected[i].name, said, wanted);
        check(!strstr(said, "told apart"), "%s and no other: '%s'", expected[i].name, said);
        ask(&given, x.input_ids, 3);
        check(!strstr(said, "best"), "%s: of ids that nothing explains nothing is said: '%s'", expected[i].name, said);
    }
    encoding_free(&x);
}

static void each_habit_is_named_by_the_ids_that_it_makes(void)
{
    if (begin() && check(EXPECTED == habits_count, "%d rows here, %zu in habits.c", EXPECTED, habits_count))
        for (size_t i = 0; i < habits_count; i++) {
            check_text("the order of the table", habits[i].name, expected[i].name);
            check_row(i);
        }
    end();
}

/* =====================================================================================================================
 * None, two, a cut
 * ================================================================================================================== */
static const char *const parts[] = {
    "the", "The", "cat", "catb", "caf\u00e9", "CAF\u00c9", "e\u0301", "e\u0323\u0301", "a\u0301\u0323\u0345", "\u0344",
    "\u1e69", "\u0391\u03a3", "\u03c2", "\u00df", "\u1e9e", "\u0130", "\uac01", "\u1100\u1161", "\u4e2d\u6587",
    "\u4e2da", "\U0002b820", "\U0002b920", "\u3005", "\u200b", "\u00ad", "\ue000", "\ufffd", "\v", "\f", "\xc2\x85",
    "\u00a0", "\u3000", "\u2028", "\t", " ", "  ", ",", "\u2014", "$", "\u20ac", "\u2260", "\u2e43", "\u1dfb",
    "\u20e3", "\U0001f600", "\u0378", "[MASK]", "[SEP]", "[mask]", "[MASK", "##a", "#", "1", "ay", "\u0f73", "\u1c90",
    "\x01", "a\U0001d16d\U0001d165", "a\U0001d165", "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbb"};

/* A line of such parts, the same for the same seed; some of its words are longer than any limit. */
static size_t mix(char *line, size_t capacity, uint32_t *seed)
{
    size_t used = 0;
    int count = 1 + (int)((*seed = *seed * 1664525u + 1013904223u) >> 28);
    for (int i = 0; i < count; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        const char *part = parts[(*seed >> 8) % (sizeof parts / sizeof *parts)];
        const int times = *seed >> 28 == 0 ? 6 : 1;
        for (int k = 0; k < times && used + strlen(part) + 2 < capacity; k++)
            used += (size_t)snprintf(line + used, capacity - used, "%s%s", part, *seed >> 27 & 1 ? "" : " ");
    }
    return used;
}

static void check_none(TextGiven *given, Encoding *x, const char *line)
{
    int32_t *ids = NULL;
    size_t count = 0;
    Error e = {0};
    if (!check(habit_ids(given, habits_count, &ids, &count, &e) == BERT_OK, "%s", e.message)) return;
    check(count == (size_t)x->T && !memcmp(ids, x->input_ids, count * sizeof *ids),
          "%zu ids, expected those of the tokenizer, %d: %s", count, x->T, line);
    free(ids);
}

/* Verify: that the two are not the same code shows in every row above, whose ids are written by hand. */
static void without_a_habit_the_ids_are_those_of_the_tokenizer(void)
{
    static const Tokenizer *const all[] = {&uncased, &cased, &joined, &stripped};
    char a[2048], b[2048];
    uint32_t seed = 1;
    if (begin())
        for (int i = 0; i < 8000; i++) {
            Encoding x = {0};
            TextGiven given = {.plain = i % 16 > 11};
            const size_t length = mix(a, sizeof a, &seed), other = mix(b, sizeof b, &seed);
            const Text second = i % 8 > 5 ? (Text){b, other} : (Text){0};
            if (give(&given, &x, all[i % 4], (Text){a, length}, second)) check_none(&given, &x, a);
            encoding_free(&x);
        }
    end();
}

/* Every text of five such characters: with the habit it has the ids of the text in which the sigmas that end a word
 * were written as Python's lower() writes them. */
static void a_sigma_ends_a_word_wherever_it_stands(void)
{
    static const char *const letters[] = {"\u03b1", "\u03a3", ".", " ", "a"};
    char text[64], written[64];
    int characters[5];
    size_t habit = 0, sigmas = 0;
    if (!begin()) return;
    while (habit < habits_count && strcmp(habits[habit].name, "sigma-final") != 0) habit++;
    for (int k = 0; k < 3125; k++) {
        TextGiven given = {0}, other = {0};
        Encoding x = {0}, y = {0};
        int32_t *ids = NULL;
        size_t count = 0;
        Error e = {0};
        *text = *written = 0;
        for (int i = 0, rest = k; i < 5; i++, rest /= 5) characters[i] = rest % 5;
        for (int i = 0; i < 5; i++) {
            const bool begins = i == 0 || characters[i - 1] == 2 || characters[i - 1] == 3;
            const bool ends = i == 4 || characters[i + 1] == 2 || characters[i + 1] == 3;
            const bool final = characters[i] == 1 && !begins && ends;
            strcat(text, letters[characters[i]]);
            strcat(written, final ? "\u03c2" : letters[characters[i]]);
            sigmas += final;
        }
        if (give(&given, &x, &uncased, text_of(text), (Text){0}) &&
            give(&other, &y, &uncased, text_of(written), (Text){0}) &&
            check(habit_ids(&given, habit, &ids, &count, &e) == BERT_OK, "%s", e.message))
            check(count == (size_t)y.T && !memcmp(ids, y.input_ids, count * sizeof *ids), "'%s': %zu ids", text, count);
        free(ids);
        encoding_free(&x), encoding_free(&y);
    }
    check(sigmas == 825, "%zu sigmas end a word", sigmas);
    end();
}

static void two_habits_at_once_are_both_named(void)
{
    int32_t ids[MOST];
    Encoding x = {0};
    TextGiven given = {0};
    if (begin() && give(&given, &x, &uncased, text_of("The Caf\u00e9 \u4e2d\u6587, a [MASK]"), (Text){0})) {
        ask(&given, ids, ids_of("[CLS] the cafe \u4e2d\u6587 , a [ mask ] [SEP]", ids));
        check(strstr(said, "Chinese characters are not split, and special tokens in the text are taken for text") &&
              strstr(said, "(with both equal)"), "both: %s", said);
        ask(&given, ids, ids_of("[CLS] The Caf ##\u00e9 \u4e2d\u6587 , a [MASK] [SEP]", ids));
        check_text("of three nothing is said", said, "");
        ask(&given, ids, ids_of("[CLS] The Caf ##\u00e9 \u4e2d\u6587 , a [ mask ] [SEP]", ids));
        check_text("of four nothing is said", said, "");
    }
    encoding_free(&x);
    end();
}

/* Two habits that make the same ids of a text: both are named. */
static void habits_that_cannot_be_told_apart_are_both_named(void)
{
    int32_t ids[MOST];
    Encoding x = {0};
    TextGiven given = {0};
    if (begin() && give(&given, &x, &uncased, text_of("a\ue000"), (Text){0})) {
        ask(&given, ids, ids_of("[CLS] [UNK] [SEP]", ids));
        check(strstr(said, "best explanation: input_ids: control and format") &&
              strstr(said, "cannot be told apart from: input_ids: characters for private use stay"), "both: %s", said);
    }
    encoding_free(&x);
    end();
}

static void padding_is_named(void)
{
    static const struct {
        const char *other, *how;
    } cases[] = {
        {"[CLS] a b [SEP] [PAD]", "1 [PAD] behind the text that no attention_mask hides"},
        {"[PAD] [PAD] [CLS] a b [SEP]", "2 [PAD] in front of the text, whose tokens have other positions then"},
        {"[PAD] [CLS] a b [SEP] [PAD] [PAD]", "1 [PAD] in front of the text, whose tokens have other positions then, and "
                                              "2 [PAD] behind the text that no attention_mask hides"},
        {"[CLS] a b [SEP] [PAD] a", NULL}, {"[PAD] [CLS] a a [SEP]", NULL}, {"[PAD] [PAD] [PAD] [PAD] [PAD]", NULL},
        {"[PAD]", NULL}, {"[CLS] a [SEP] [PAD]", NULL}};
    char sentence[256];
    int32_t ids[MOST];
    Encoding x = {0};
    TextGiven given = {0};
    if (begin() && give(&given, &x, &uncased, text_of("a b"), (Text){0}))
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            ask(&given, ids, ids_of(cases[i].other, ids));
            for (char *wrapped; (wrapped = strstr(said, "\n    ")) != NULL; *wrapped = ' ')
                memmove(wrapped, wrapped + 4, strlen(wrapped + 4) + 1);
            snprintf(sentence, sizeof sentence, "best explanation: input_ids: %s (with it equal)\n", cases[i].how ? cases[i].how : "");
            check_text(cases[i].other, said, cases[i].how ? sentence : "");
        }
    encoding_free(&x);
    end();
}

static void a_text_that_was_cut_is_named(void)
{
    int32_t ids[MOST];
    Encoding x = {0};
    TextGiven given = {0};
    if (begin() && give(&given, &x, &uncased, text_of("a b a b a b a b a b a b a b a b a b a b a b"), (Text){0})) {
        size_t count = ids_of("[CLS] a b a b a b a b a b a b a b a b [SEP]", ids);
        ask(&given, ids, count);
        check_text("cut", said, "best explanation: input_ids: the text is cut at 18 tokens (with it equal)\n");
        ask(&given, ids, count - 1);
        check_text("without its end", said,
                   "best explanation: input_ids: the text is cut at 17 tokens, and [SEP] with it (with it equal)\n");
        ids[9] = ids[8];
        ask(&given, ids, count);
        check_text("not cut", said, "");
        ask(&given, ids, 0);
        check_text("nothing", said, "");
    }
    encoding_free(&x);
    if (give(&given, &x, &uncased, text_of("a b a b a b a b a b"), text_of("the cat sat the cat sat the"))) {
        size_t count = ids_of("[CLS] a b a b a b a b a b [SEP] the cat sat the cat", ids);
        ask(&given, ids, count);
        check_text("a pair", said,
                   "best explanation: input_ids: the text is cut at 17 tokens, and [SEP] with it (with it equal)\n");
    }
    encoding_free(&x);
    end();
}

/* A prompt before the text, a text of any length: where the steps here cannot know how the ids came about, they are
 * silent, and quick. */
static void nothing_is_guessed_about_ids_that_are_not_the_texts(void)
{
    int32_t ids[MOST];
    static char longest[3 << 13];
    Encoding x = {0};
    TextGiven given = {0};
    if (begin() && give(&given, &x, &uncased, text_of("the cat"), (Text){0})) {
        const size_t count = ids_of("[CLS] a the cat [SEP]", ids);
        given.a = text_of("cat");
        ask(&given, ids + 1, 2);
        check_text("another text", said, "");
        memset(longest, 'a', sizeof longest - 1);
        if (give(&given, &x, &uncased, text_of(longest), (Text){0})) ask(&given, ids, count);
        check_text("a long text", said, "");
    }
    encoding_free(&x);
    end();
}

/* =====================================================================================================================
 * By the command
 * ================================================================================================================== */
static void verify_names_the_habit_of_a_tokenizer(void)
{
    if (!tiny_model()) return;
    run("./bert trace -m %s --no-special -o %s/trace 'the [MASK]'", tiny, tiny);
    check(run("./bert verify -m %s %s/trace 'the [MASK]' 2>&1", tiny, tiny) == 1 &&
          strstr(output, "best explanation: input_ids: special tokens in the text are taken for text (with it equal)\n"
                         "first difference: input_ids: "), "special tokens: %s", output);
    check(run("./bert verify -m %s %s/trace --no-special 'the [MASK]' 2>&1", tiny, tiny) == 0, "both: %s", output);
    run("./bert trace -m %s --pad --max-length 8 --cased -o %s/trace 'THE cat'", tiny, tiny);
    check(run("./bert verify -m %s %s/trace 'THE cat' 2>&1", tiny, tiny) == 1 && strstr(output, "capitals stay"),
          "its padding is not the text's: %s", output);
    check(run("./bert verify -m %s %s/trace 'the dog' 2>&1", tiny, tiny) == 1 && !strstr(output, "explanation"),
          "another text: %s", output);
    run("rm %s/trace", tiny);
    formula_remove(tiny);
}

const Test habit_tests[] = {
    {"each_habit_is_named_by_the_ids_that_it_makes", each_habit_is_named_by_the_ids_that_it_makes},
    {"without_a_habit_the_ids_are_those_of_the_tokenizer", without_a_habit_the_ids_are_those_of_the_tokenizer},
    {"a_sigma_ends_a_word_wherever_it_stands", a_sigma_ends_a_word_wherever_it_stands},
    {"two_habits_at_once_are_both_named", two_habits_at_once_are_both_named},
    {"habits_that_cannot_be_told_apart_are_both_named", habits_that_cannot_be_told_apart_are_both_named},
    {"padding_is_named", padding_is_named},
    {"a_text_that_was_cut_is_named", a_text_that_was_cut_is_named},
    {"nothing_is_guessed_about_ids_that_are_not_the_texts", nothing_is_guessed_about_ids_that_are_not_the_texts},
    {"verify_names_the_habit_of_a_tokenizer", verify_names_the_habit_of_a_tokenizer},
    {NULL, NULL},
};
