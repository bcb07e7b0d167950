/* output.c - answers on paper: numbers, JSON, NumPy's format, columns. */
#include "cli/cli.h"
#include <math.h>
#include <string.h>

/* =====================================================================================================================
 * Numbers and texts on paper
 *
 * JSON by hand: objects are printed key by key, and only texts and numbers need care. NumPy's format likewise: a
 * short header that is a Python dictionary, then the numbers.
 * ================================================================================================================== */

void put_score(const Session *s, double x)
{
    fprintf(s->out, s->for_eyes ? "%.4f" : ALL_DIGITS, unsigned_nan(x));
}

/* Valid UTF-8 as a JSON string: quotes and backslashes escaped, control characters as \u00XX: C0, DEL and C1, which
 * is C2 80 to C2 9F in UTF-8. */
void json_put_text(FILE *out, const char *bytes, size_t length)
{
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f) fprintf(out, "\\u%04x", c);
        else if (c == 0xC2 && i + 1 < length && (unsigned char)bytes[i + 1] < 0xA0)
            fprintf(out, "\\u%04x", (unsigned char)bytes[++i]);
        else fputc(c, out);
    }
    fputc('"', out);
}

void json_put_number(FILE *out, double x)
{
    if (isfinite(x)) fprintf(out, ALL_DIGITS, x);
    else fputs("null", out);
}

/* [0.1, -2, 3e-05]: whatever %g prints is a JSON number, but for nan and inf, which become null. */
void json_put_vector(FILE *out, const real *x, size_t n)
{
    fputc('[', out);
    for (size_t i = 0; i < n; i++) {
        if (i) fputs(", ", out);
        json_put_number(out, (double)x[i]);
    }
    fputc(']', out);
}

/* A piece may be missing for an id: some models have more rows than their vocabulary has lines. */
const char *piece_of(const Session *s, int id)
{
    return id >= 0 && id < s->tokenizer.V ? tokenizer_piece(&s->tokenizer, id) : "?";
}

/* "name": ["[CLS]", "after"] */
void json_put_pieces(const Session *s, const char *name, const Encoding *x)
{
    fprintf(s->out, "\"%s\": [", name);
    for (int t = 0; t < x->T; t++) {
        const char *piece = piece_of(s, x->input_ids[t]);
        if (t) fputs(", ", s->out);
        json_put_text(s->out, piece, strlen(piece));
    }
    fputc(']', s->out);
}

/* The digits come out from the last one to the first.
 * Why: fprintf reads its format anew and locks the stream each time; for ids by the million that took as long as to
 *      find them. There is one thread here. */
void put_count(FILE *out, const char *before, size_t n)
{
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + n % 10);
    while (n /= 10);
    while (*before) putc_unlocked(*before++, out);
    while (count) putc_unlocked(digits[--count], out);
}

/* 219648 -> 219,648: a comma before every third digit from the end. Not printf's %'d, which asks the locale. */
void put_thousands(char text[32], long long n)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", n < 0 ? -n : n), at = 0;
    if (n < 0) text[at++] = '-';
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
}

/* Every byte but the continuation bytes 10xxxxxx begins a character. */
int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* Piece by piece, so that nothing is cut however long the text is. */
int put_safely(FILE *out, const char *text)
{
    char part[256];
    int width = 0;
    for (size_t n; *text; text += n) {
        n = escape(part, sizeof part, text);
        fputs(part, out);
        width += width_of(part);
    }
    return width;
}

/* Some bytes at a time, whole characters, as the text goes on behind its end; a NUL by itself. */
void put_text_safely(FILE *out, const char *bytes, size_t length)
{
    enum { SOME = 64, LONGEST_CHARACTER = 4 };
    char part[SOME + 1];
    while (length > 0) {
        size_t n = length < SOME ? length : SOME;
        while (n < length && n > SOME - LONGEST_CHARACTER && ((unsigned char)bytes[n] & 0xC0) == 0x80) n--;
        memcpy(part, bytes, n);
        part[n] = 0;
        const size_t before = strlen(part);
        put_safely(out, part);
        if (before < n) fputs("\\x00", out);
        n = before < n ? before + 1 : n;
        bytes += n;
        length -= n;
    }
}

/* NumPy's format, version 1.0: magic, length, a Python dictionary, blanks up to a multiple of 64, newline. */
void npy_put_header(FILE *out, const size_t *shape, int rank)
{
    char text[256];
    int n = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%zu", i ? ", " : "", shape[i]);
    n += snprintf(text + n, sizeof text - (size_t)n, "%s), }", rank == 1 ? "," : "");
    int length = (10 + n + 1 + 63) / 64 * 64 - 10;                      /* of the dictionary with blanks and newline */
    fwrite("\x93NUMPY\x01\x00", 1, 8, out);
    fputc(length & 0xFF, out);
    fputc(length >> 8, out);
    fprintf(out, "%s%*s\n", text, length - n - 1, "");
}

/* Little-endian bytes whatever the machine is, since the header promises '<f4'. */
void npy_put_data(FILE *out, const real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value = (float)x[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        const unsigned char bytes[4] = {bits & 0xFF, bits >> 8 & 0xFF, bits >> 16 & 0xFF, bits >> 24};
        fwrite(bytes, 1, sizeof bytes, out);
    }
}
