/* json.c - a JSON reader that is pulled value by value: no recursion, no allocation. All of RFC 8259 is read, but
 * for one thing: the outermost value must be an object.
 */
#include "weights/weights.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * JSON (RFC 8259)
 *
 * The reader keeps its own small stack: the kind of every open object and array. Text can be nested as deep as it
 * likes, it only reaches the limit and is refused.
 *
 * Trap: a parser in which a value calls itself for the values inside has its stack on the machine's stack, and a file
 * of 100 MB of `[` overflows that.
 * ------------------------------------------------------------------------------------------------------------------ */

/* The key whose value is read, for messages: `, for the key "0" of "id2label"`; the inner one
 * and the outermost, or one of them, or nothing. */
static void name_key(const JsonReader *j, char *text, size_t capacity)
{
    const char *key = *j->key ? j->key : j->outer_key;
    const bool both = *j->key && *j->outer_key && j->key_depth > 1;
    snprintf(text, capacity, "%s%s%s%s%s%s", *key ? ", for the key \"" : "", key, *key ? "\"" : "",
             both ? " of \"" : "", both ? j->outer_key : "", both ? "\"" : "");
}

/* "path: JSON, byte 17: found 'x', expected a number, for the key "layer_norm_eps"". The byte
 * counts from the start of the file. A text that ends too early is not the key's fault. */
static Status json_fail(const JsonReader *j, Error *e, size_t at, const char *expected)
{
    char found[32] = "the end of the text", key[2 * sizeof j->key + 32] = "";
    int length = at < j->size ? utf8_character(j->text + at, j->size - at) : 0;
    if (at < j->size) snprintf(found, sizeof found, "'%.*s'", length, (const char *)j->text + at);
    if (at < j->size) name_key(j, key, sizeof key);
    fail(e, BERT_FILE, "%s: JSON, byte %zu: found %s, expected %s%s", j->path, j->base + at, found, expected, key);
    e->byte = j->base + at + 1;
    return BERT_FILE;
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
    if (kind == '{') j->key[0] = 0;
    if (kind == '{' && j->depth == 1) j->outer_key[0] = 0;
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

/* Remembers the key for messages about its value; of a long one the first characters. */
static void keep_key(JsonReader *j, const char *key)
{
    size_t n = strlen(key);
    if (n >= sizeof j->key) {
        n = sizeof j->key - 1;
        while (n > 0 && ((unsigned char)key[n] & 0xC0) == 0x80) n--;    /* not inside of a character */
    }
    memcpy(j->key, key, n);
    j->key[n] = 0;
    j->key_depth = j->depth;
    if (j->depth == 1) memcpy(j->outer_key, j->key, n + 1);
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
    if (!take(j, ':')) return json_fail(j, e, j->at, "':'");
    if (key) keep_key(j, key);
    return BERT_OK;
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
 * closely as a value that is read: what nobody asked for must be JSON as well.
 * Differs: Python's json writes three words for numbers that JSON does not have, into a
 * config.json, too. A value that is read must be a number; one that is passed over may be
 * such a word. */
static Status skip_one(JsonReader *j, Error *e)
{
    char kind = json_peek(j);
    bool integer;
    size_t start = j->at;
    if (kind == '{' || kind == '[') return json_begin(j, kind, e);
    if (kind == '"') return read_string(j, NULL, 0, "a string", e);
    if (kind == '0' && take_number(j, NULL, &integer)) return BERT_OK;
    j->at = start;
    if (take_word(j, "true") || take_word(j, "false") || take_word(j, "null")) return BERT_OK;
    if (j->of_python && (take_word(j, "NaN") || take_word(j, "Infinity") || take_word(j, "-Infinity"))) return BERT_OK;
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
