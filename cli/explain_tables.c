/* explain_tables.c - tables for a terminal of 80 columns: cells of a fixed width, numbers under headings, paragraphs.
 *
 * What is shown of BERT stands in explain.c; here a text or a number only gets its place. A table has a label of 18
 * columns, and then six numbers of ten; its rows are tokens (with --step up to 24), or what became of one token.
 */
#include "cli/explain.h"
#include "weights/unicode.h"
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { STRONGEST = 3 };

/* =====================================================================================================================
 * Lines of at most 80 columns
 * ================================================================================================================== */

/* Columns of a terminal that a character takes: East Asian ones and pictures take two. An estimate that is good enough
 * for a table; marks that take none are counted as one, so a line can only come out shorter. */
static int columns_of(uint32_t c)
{
    static const UnicodeRange wide[] = {
        {0x1100, 0x115F}, {0x231A, 0x231B}, {0x23E9, 0x23F3}, {0x25FD, 0x25FE}, {0x2614, 0x2615}, {0x2648, 0x2653},
        {0x26AA, 0x26FF}, {0x2705, 0x27BF}, {0x2B1B, 0x2B55}, {0x2E80, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3},
        {0xF900, 0xFAFF}, {0xFE10, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x16FE0, 0x18CFF}, {0x1AFF0, 0x1B2FF},
        {0x1F000, 0x1FAFF}, {0x20000, 0x3FFFD}};
    return unicode_in(wide, UNICODE_COUNT(wide), c) ? 2 : 1;
}

/* As many characters of `text` as fit into `width` columns, escaped, into to[]; returns their columns; *rest is what
 * comes after them. */
static int fit(char to[512], const char *text, int width, const char **rest)
{
    int used = 0;
    size_t n = 0;
    while (*text) {
        char one[5] = {0}, safe[24];
        uint32_t code = 0;
        size_t bytes = utf8_decode(text, strnlen(text, 4), &code);
        memcpy(one, text, bytes ? bytes : 1);
        size_t length = escape(safe, sizeof safe, one) ? strlen(safe) : 0;
        int columns = bytes && length == bytes ? columns_of(code) : (int)length;
        if (used + columns > width || n + length >= 512) break;
        memcpy(to + n, safe, length);
        n += length;
        used += columns;
        text += bytes ? bytes : 1;
    }
    to[n] = 0;
    *rest = text;
    return used;
}

/* The same; what is too long ends with two dots, so that nobody takes a part for the whole. */
int fit_with_dots(char to[512], const char *text, int width)
{
    const char *rest;
    int used = fit(to, text, width, &rest);
    if (!*rest) return used;
    used = fit(to, text, width - 2, &rest);
    strcat(to, "..");
    return used + 2;
}

/* A cell of exactly `width` columns, its text at the left. */
void put_cell(FILE *out, const char *text, int width)
{
    char cell[516];
    const int used = fit_with_dots(cell, text, width);
    fprintf(out, "%s%*s", cell, width - used, "");
}

/* At the right, as numbers are: for the heads of their columns. */
static void put_cell_right(FILE *out, const char *text, int width)
{
    char cell[516];
    const int used = fit_with_dots(cell, text, width);
    fprintf(out, "%*s%s", width - used, "", cell);
}

/* The last cell of a line, of at most `width` columns: no blanks behind it. */
void put_last(FILE *out, const char *text, int width)
{
    char cell[516];
    fit_with_dots(cell, text, width);
    size_t n = strlen(cell);
    while (n && cell[n - 1] == ' ') n--;
    fprintf(out, "%.*s\n", (int)n, cell);
}

/* A text broken at blanks into lines of 80 columns, from column `indent` on; the first line is there already. Three
 * blanks stand between formulas, which are kept whole if that is possible. */
static void put_wrapped(FILE *out, const char *text, int indent)
{
    int at = indent, gap = indent > 0;
    while (*text) {
        const char *end = strstr(text, "   ");
        const int n = (int)strcspn(text, " "), whole = end ? (int)(end - text) : (int)strlen(text);
        const bool fresh = gap == 3 && at + gap + whole > LINE;             /* this formula goes to the next line */
        if (fresh || at + gap + n > LINE) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
            gap = indent > 0;
        }
        fprintf(out, "%*s%.*s", gap, "", n, text);
        at += gap + n;
        gap = (int)strspn(text + n, " ");
        text += n + gap;
    }
    fputc('\n', out);
}

/* "  formula  " and the text behind it; without a label the text alone. */
void put_paragraph(const View *v, const char *label, const char *text)
{
    if (label) fprintf(v->out, v->colour ? "  \033[36m%-8s\033[0m" : "  %-8s", label);
    put_wrapped(v->out, text, label ? 10 : 0);
}

/* The same for a text with numbers in it (printf rules). */
void put_formatted(const View *v, const char *label, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_paragraph(v, label, text);
}

/* One number in `width` columns, never touching its neighbour. */
void put_number(FILE *out, double x, int width, int decimals)
{
    char text[64];
    const double most = width >= 10 ? 999.9 : 99.9;
    if (x <= -(double)FLT_MAX) snprintf(text, sizeof text, "masked");
    else if (isnan(x)) snprintf(text, sizeof text, "nan");
    else if (fabs(x) < most) snprintf(text, sizeof text, "%.*f", decimals, x);
    else snprintf(text, sizeof text, "%.*e", width >= 10 ? 2 : 0, x);
    fprintf(out, " %*s", width - 1, text);
}

/* =====================================================================================================================
 * Tables: a label of 18 columns, then numbers
 * ================================================================================================================== */
/* The first 20 columns of a line. */
void put_label(const View *v, const char *label)
{
    fputs("  ", v->out);
    put_cell(v->out, label, LABEL);
}

/* "  6 bank" */
void put_token(const View *v, int t, int width)
{
    char text[300];
    snprintf(text, sizeof text, "%3d %.280s", t, piece_of(v->s, v->x->input_ids[t]));
    put_cell(v->out, text, width);
}

/* The same into a label, for a table about one token. */
void token_label(const View *v, int t, char label[300])
{
    snprintf(label, 300, "%3d %.280s", t, piece_of(v->s, v->x->input_ids[t]));
}

/* Of n features the first six are shown. */
int few(size_t n)
{
    return n < FEATURES ? (int)n : FEATURES;
}

/* The heading of a table: which columns of a row of `n` are shown, from `first` on, what they are, and two dots if
 * there are more. "feature 704" is wider than its column: the label gives way. */
void put_numbered(const View *v, const char *label, const char *kind, size_t first, size_t n)
{
    char name[48];
    const int length = snprintf(name, sizeof name, "%s %zu", kind, first), room = LABEL + 10 - 1 - length;
    const int width = room < LABEL ? room : LABEL, shown = few(n);
    fputs("  ", v->out);
    put_cell(v->out, label, width);
    fprintf(v->out, "%*s", LABEL + 10 - width, name);
    for (int i = 1; i < shown; i++) {
        const bool more = i + 1 == shown && n > (size_t)shown;
        fprintf(v->out, more ? "%7zu .." : "%10zu", first + (size_t)i);
    }
    fputc('\n', v->out);
}

void put_features(const View *v, const char *label, size_t first, size_t n)
{
    put_numbered(v, label, "feature", first, n);
}

/* The first of n numbers behind a label. */
void put_numbers(const View *v, const char *label, const real *x, size_t n)
{
    put_label(v, label);
    for (int i = 0; i < few(n); i++) put_number(v->out, (double)x[i], 10, 4);
    fputc('\n', v->out);
}

/* a + b, as bert.c adds them, behind a label: the sum that no array keeps. */
void put_sum(const View *v, const char *label, const real *a, const real *b)
{
    real sum[FEATURES];
    const size_t n = (size_t)few((size_t)v->c->H);
    add(sum, a, b, n);
    put_numbers(v, label, sum, n);
}

/* The tokens of a table: the chosen few, or with --step the first 24 and the one that is followed. The i-th, or -1
 * after the last. */
int row_at(const View *v, int i)
{
    if (!v->zoom) return i < v->count ? v->rows[i] : -1;
    if (i == MANY && v->subject >= MANY) return v->subject;
    return i < v->x->T && i < MANY ? i : -1;
}

/* A table ends where there are more tokens than it shows: this says so. */
void put_left_out(const View *v, const char *where)
{
    char followed[48] = "";
    if (!v->zoom || v->x->T <= MANY) return;
    if (v->subject >= MANY) snprintf(followed, sizeof followed, ", and token %d", v->subject);
    put_formatted(v, "", "(the first %d of %d tokens%s; %s)", MANY, v->x->T, followed, where);
}

/* Rows of a matrix (N,width), columns from `first` on, under a heading of its own. */
void put_matrix(const View *v, const char *label, const real *x, size_t width, size_t first)
{
    put_features(v, label, first, width - first);
    for (int i = 0, t; (t = row_at(v, i)) >= 0; i++) {
        fputs("  ", v->out);
        put_token(v, t, LABEL);
        for (int k = 0; k < few(width - first); k++)
            put_number(v->out, (double)x[(size_t)t * width + first + (size_t)k], 10, 4);
        fputc('\n', v->out);
    }
    put_left_out(v, "bert trace -o writes all");
}

/* The largest of n numbers whose place is not among those named already; -1 if none is left. NaN is never the largest,
 * unless all are. */
int next_largest(const real *x, int n, const int *named, int count)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        bool taken = false;
        for (int k = 0; k < count; k++) taken |= named[k] == i;
        if (!taken && (best < 0 || x[i] > x[best] || isnan((double)x[best]))) best = i;
    }
    return best;
}

/* The columns of such a table, at most `most` of them, ascending: those in which the followed token has its three
 * largest numbers, and then the first ones. How many. */
static int choose_columns(const View *v, Relation *value, int most, int columns[MANY])
{
    int count = 0, strongest[STRONGEST];
    const int T = v->x->T, best = T > most ? STRONGEST : 0;
    for (int j = 0; j < T; j++) v->space[j] = (real)value(v, v->subject, j);
    for (int k = 0; k < best; k++) strongest[k] = next_largest(v->space, T, strongest, k);
    for (int j = 0, first = 0; j < T && count < most; j++) {
        bool strong = false;
        for (int k = 0; k < best; k++) strong |= strongest[k] == j;
        if (!strong && first >= most - best) continue;
        columns[count++] = j;
        first += !strong;
    }
    return count;
}

/* The heading: where the tokens of the columns stand, and below that their pieces. */
static void put_columns(const View *v, const char *corner, const int *columns, int count, int width)
{
    put_label(v, corner);
    for (int k = 0; k < count; k++) fprintf(v->out, "%*d", width, columns[k]);
    fputc('\n', v->out);
    put_label(v, "");
    for (int k = 0; k < count; k++) {
        fputc(' ', v->out);
        put_cell_right(v->out, piece_of(v->s, v->x->input_ids[columns[k]]), width - 1);
    }
    fputc('\n', v->out);
}

/* Who looks at whom, (T,T): a row is the token that looks, a column the token that is looked at. Six keys with four
 * decimals, or with --step 24, eight at a time. `more` is where the others are. */
void put_square(const View *v, Relation *value, const char *corner, const char *more)
{
    int columns[MANY];
    const int count = choose_columns(v, value, v->zoom ? MANY : FEATURES, columns);
    const int block = v->zoom ? 8 : FEATURES, width = v->zoom ? 7 : 10;
    for (int from = 0; from < count; from += block) {
        const int n = from + block < count ? block : count - from;
        if (from) fputc('\n', v->out);
        put_columns(v, corner, columns + from, n, width);
        for (int k = 0, i; (i = row_at(v, k)) >= 0; k++) {
            fputs("  ", v->out);
            put_token(v, i, LABEL);
            for (int j = 0; j < n; j++)
                put_number(v->out, value(v, i, columns[from + j]), width, v->zoom ? 2 : 4);
            fputc('\n', v->out);
        }
    }
    put_left_out(v, more);
    if (count < v->x->T)
        put_formatted(v, "", "(%d of %d columns: where token %d has its three largest, and the first ones; %s)", count,
                      v->x->T, v->subject, more);
}


/* Where a line of `width` columns ends that begins with text: at the last blank that fits; in a word that is longer
 * than that, where the line is full, but not within a code, <U+0308>. */
static const char *line_end(const char *text, int width)
{
    char part[512];
    const char *full, *end;
    fit(part, text, width, &full);
    if (!*full || *full == ' ') return full;
    for (end = full; end > text && end[-1] != ' ';) end--;
    if (end > text) return end;
    for (end = full; end > text && full - end < (int)strlen("<U+10FFFF");)
        if (*--end == '<' && !strncmp(end, "<U+", 3) && end > text) return memchr(end, '>', full - end) ? full : end;
    return full;
}

/* What one stage left, in lines of 65 columns; without --step one line of it. */
void put_stage(const View *v, const char *name, const char *text)
{
    for (int n = 0; n == 0 || (*text && n < MANY); n++) {
        const char *end = v->zoom ? line_end(text, LINE - 15) : text + strlen(text);
        char part[512];
        snprintf(part, sizeof part, "%.*s", (int)(end - text), text);
        fprintf(v->out, part[strspn(part, " ")] ? "  %-13s" : "  %s", n ? "" : name);
        put_last(v->out, v->zoom ? part : text, LINE - 15);
        text = end + (*end == ' ');                                         /* a blank at the break vanishes */
    }
    if (*text) put_paragraph(v, "", "...");
}

/* =====================================================================================================================
 * Rows of numbers below their tokens
 * ================================================================================================================== */

/* How many columns the token t needs where its piece and its numbers stand one below the other. */
int token_width(const View *v, int t)
{
    char id[16], cell[512];
    const char *rest;
    int width = fit(cell, piece_of(v->s, v->x->input_ids[t]), 12, &rest);
    if (*rest) width = 12;
    const int digits = snprintf(id, sizeof id, "%d", v->x->input_ids[t] > t ? v->x->input_ids[t] : t);
    return 1 + (width > digits ? width : digits);
}

/* One of the rows of step 4, tokens from .. to-1: their pieces, or numbers, or without either their positions. */
void put_token_row(const View *v, const char *label, bool pieces, const int32_t *values, int from, int to)
{
    fprintf(v->out, "  %-9s", label);
    for (int t = from; t < to; t++) {
        char number[16];
        snprintf(number, sizeof number, "%d", values ? values[t] : t);
        const char *cell = pieces ? piece_of(v->s, v->x->input_ids[t]) : number;
        if (t + 1 == to) {
            put_last(v->out, cell, token_width(v, t) - 1);
        } else {
            put_cell(v->out, cell, token_width(v, t) - 1);
            fputc(' ', v->out);
        }
    }
}

