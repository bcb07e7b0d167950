/* explain.c - the sixteen steps on the reader's own sentence: formula, shapes, first values, why, and the source line.
 *
 * One run of the model with everything kept, as for `bert trace`, and then sixteen short functions that print what they
 * find in the Activations. Nothing of BERT is computed here a second time, with three exceptions that no array holds:
 * the sum before a LayerNorm (a->sum is overwritten), softmax over logits, and cosines.
 *
 * Every step follows one token, the first [MASK] or else the last word, and shows the beginnings of a few others. Steps
 * 7 to 13 exist L times and their heads A times: --layer and --head choose. --step shows one step with more numbers.
 */
#include "cli/cli.h"
#include "steps.h"
#include "weights/unicode.h"
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 16, LINE = 80, LABEL = 18, FEATURES = 6, MANY = 24, STRONGEST = 3, MOST_ROWS = 4, MOST_STAGES = 32 };

typedef struct {                    /* one input, and how it is looked at */
    const Session *s;
    const Input *input;
    const Encoding *x;
    const BertConfig *c;
    const Activations *a;
    const BlockActivations *block;  /* of the layer that is shown */
    FILE *out;
    int layer, head;
    bool zoom, colour;
    bool has_nsp, refitted;
    struct StageCopy {
        int step;
        const char *name;
        char *text;
        size_t count;
    } stage[MOST_STAGES];           /* what tokenize_trace told of steps 0 to 3 */
    int stages;                     /* 0 if the ids came from a file */
    const Recipe *recipe;           /* of the sentence vector in step 16, as `bert embed` makes it */
    const Error *no_recipe;         /* why there is none, if its status is not BERT_OK */
    int subject;                    /* the token that is followed */
    int rows[MOST_ROWS], count;      /* the tokens of which the first values are shown */
    const int *asked;               /* tokens that went through the MLM head, M of them */
    int M;
    real *vectors;                  /* for step 16: word vectors (T,H), and the sentence's (H) */
    real *space;                    /* for steps 15 and 16: V numbers or T, whichever is more */
} View;

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
        n += length, used += columns, text += bytes ? bytes : 1;
    }
    to[n] = 0;
    *rest = text;
    return used;
}

/* The same; what is too long ends with two dots, so that nobody takes a part for the whole. */
static int fit_with_dots(char to[512], const char *text, int width)
{
    const char *rest;
    int used = fit(to, text, width, &rest);
    if (*rest) used = fit(to, text, width - 2, &rest) + 2, strcat(to, "..");
    return used;
}

/* A cell of exactly `width` columns, its text at the left. */
static void put_cell(FILE *out, const char *text, int width)
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
static void put_last(FILE *out, const char *text, int width)
{
    char cell[516];
    fit_with_dots(cell, text, width);
    size_t n = strlen(cell);
    while (n && cell[n - 1] == ' ') n--;
    fprintf(out, "%.*s\n", (int)n, cell);
}

/* "  formula  " and the text behind it, broken at blanks into lines of 80 columns. Three blanks stand between formulas,
 * which are kept whole if that is possible. */
static void put_paragraph(const View *v, const char *label, const char *text)
{
    enum { INDENT = 10 };
    int at = INDENT, gap = 1;
    fprintf(v->out, v->colour ? "  \033[36m%-8s\033[0m" : "  %-8s", label);
    while (*text) {
        const char *end = strstr(text, "   ");
        const int n = (int)strcspn(text, " "), whole = end ? (int)(end - text) : (int)strlen(text);
        const bool fresh = gap == 3 && at + gap + whole > LINE;             /* this formula goes to the next line */
        if (fresh || at + gap + n > LINE) fprintf(v->out, "\n%*s", INDENT, ""), at = INDENT, gap = 1;
        fprintf(v->out, "%*s%.*s", gap, "", n, text);
        at += gap + n;
        gap = (int)strspn(text + n, " ");
        text += n + gap;
    }
    fputc('\n', v->out);
}

/* The same for a text with numbers in it (printf rules). */
static void put_formatted(const View *v, const char *label, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
static void put_formatted(const View *v, const char *label, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_paragraph(v, label, text);
}

/* One number in `width` columns, never touching its neighbour. */
static void put_number(FILE *out, double x, int width, int decimals)
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
static void put_label(const View *v, const char *label)
{
    fputs("  ", v->out);
    put_cell(v->out, label, LABEL);
}

/* "  6 bank" */
static void put_token(const View *v, int t, int width)
{
    char text[300];
    snprintf(text, sizeof text, "%3d %.280s", t, piece_of(v->s, v->x->input_ids[t]));
    put_cell(v->out, text, width);
}

/* The same into a label, for a table about one token. */
static void token_label(const View *v, int t, char label[300])
{
    snprintf(label, 300, "%3d %.280s", t, piece_of(v->s, v->x->input_ids[t]));
}

/* Of n features the first six are shown. */
static int few(size_t n)
{
    return n < FEATURES ? (int)n : FEATURES;
}

/* The heading of a table: which columns of a row of `n` are shown, from `first` on, what they are, and two dots if
 * there are more. "feature 704" is wider than its column: the label gives way. */
static void put_numbered(const View *v, const char *label, const char *kind, size_t first, size_t n)
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

static void put_features(const View *v, const char *label, size_t first, size_t n)
{
    put_numbered(v, label, "feature", first, n);
}

/* The first of n numbers behind a label. */
static void put_numbers(const View *v, const char *label, const real *x, size_t n)
{
    put_label(v, label);
    for (int i = 0; i < few(n); i++) put_number(v->out, (double)x[i], 10, 4);
    fputc('\n', v->out);
}

/* a + b, as bert.c adds them, behind a label: the sum that no array keeps. */
static void put_sum(const View *v, const char *label, const real *a, const real *b)
{
    real sum[FEATURES];
    const size_t n = (size_t)few((size_t)v->c->H);
    add(sum, a, b, n);
    put_numbers(v, label, sum, n);
}

/* The tokens of a table: the chosen few, or with --step the first 24 and the one that is followed. The i-th, or -1
 * after the last. */
static int row_at(const View *v, int i)
{
    if (!v->zoom) return i < v->count ? v->rows[i] : -1;
    if (i == MANY && v->subject >= MANY) return v->subject;
    return i < v->x->T && i < MANY ? i : -1;
}

/* A table ends where there are more tokens than it shows: this says so. */
static void put_left_out(const View *v, const char *where)
{
    char followed[48] = "";
    if (!v->zoom || v->x->T <= MANY) return;
    if (v->subject >= MANY) snprintf(followed, sizeof followed, ", and token %d", v->subject);
    put_formatted(v, "", "(the first %d of %d tokens%s; %s)", MANY, v->x->T, followed, where);
}

/* Rows of a matrix (N,width), columns from `first` on, under a heading of its own. */
static void put_matrix(const View *v, const char *label, const real *x, size_t width, size_t first)
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

static bool is_special(const Session *s, int id)            /* [CLS], [SEP], [PAD] */
{
    return id == s->tokenizer.cls_id || id == s->tokenizer.sep_id || id == s->tokenizer.pad_id;
}

static const real *row_of(const View *v, const real *x)     /* the followed token's row of a matrix (N,H) */
{
    return x + (size_t)v->subject * (size_t)v->c->H;
}

/* The largest of n numbers whose place is not among those named already; -1 if none is left. NaN is never the largest,
 * unless all are. */
static int largest(const real *x, int n, const int *named, int count)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        bool taken = false;
        for (int k = 0; k < count; k++) taken |= named[k] == i;
        if (!taken && (best < 0 || x[i] > x[best] || isnan((double)x[best]))) best = i;
    }
    return best;
}

typedef double Relation(const View *v, int i, int j);       /* of two tokens: a score, a probability, a cosine */

/* The columns of such a table, at most `most` of them, ascending: those in which the followed token has its three
 * largest numbers, and then the first ones. How many. */
static int choose_columns(const View *v, Relation *value, int most, int columns[MANY])
{
    int count = 0, strongest[STRONGEST];
    const int T = v->x->T, best = T > most ? STRONGEST : 0;
    for (int j = 0; j < T; j++) v->space[j] = (real)value(v, v->subject, j);
    for (int k = 0; k < best; k++) strongest[k] = largest(v->space, T, strongest, k);
    for (int j = 0, first = 0; j < T && count < most; j++) {
        bool strong = false;
        for (int k = 0; k < best; k++) strong |= strongest[k] == j;
        if (strong || first < most - best) columns[count++] = j, first += !strong;
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
static void put_square(const View *v, Relation *value, const char *corner, const char *more)
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

/* =====================================================================================================================
 * Tokenizer: steps 1 to 4, from what `tokenize --trace` prints
 * ================================================================================================================== */

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
static void put_stage(const View *v, const char *name, const char *text)
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

/* The stages of a step; the texts themselves open step 1. Of step 1 those that changed nothing are left out, unless
 * --step asks for them. Returns how many words or pieces they have. */
static size_t put_stages(const View *v, int step)
{
    size_t words = 0;
    for (int i = 0; i < v->stages; i++) {
        const struct StageCopy *stage = &v->stage[i];
        const bool opens = stage->step == 0 && step == 1;
        const bool same = !opens && i && !strcmp(stage->text, v->stage[i - 1].text);
        if (stage->step != step && !opens) continue;
        if (v->zoom || step != 1 || !same) put_stage(v, stage->name, stage->text);
        words += stage->count;
    }
    if (!v->stages) put_paragraph(v, "", "(the ids came from a file: this step was done by whoever wrote it)");
    return words;
}

/* Step 1: the text, and after each stage that changed it; with --step after each of the six. */
static void show_clean(const View *v)
{
    put_stages(v, 1);
}

/* Step 2: words with blanks between. A [MASK] in the text is a word that the stages let pass. */
static void show_split(const View *v)
{
    const size_t words = put_stages(v, 2);
    if (v->stages) put_formatted(v, "", "(%zu word%s)", words, words == 1 ? "" : "s");
}

/* Step 3: the pieces; with --step the offsets, too: which bytes of the text each piece stands for. A piece of a word
 * with an accent covers the accent's bytes as well, although its letters have lost it. */
static void show_wordpiece(const View *v)
{
    put_stages(v, 3);
    if (!v->zoom) return;
    put_label(v, "token");
    fprintf(v->out, "%10s  %s\n", "id", "bytes of the text it stands for, end excluded");
    for (int i = 0, t; (t = row_at(v, i)) >= 0; i++) {
        const size_t *place = v->x->offsets[t];
        fputs("  ", v->out);
        put_token(v, t, LABEL);
        fprintf(v->out, "%10d  ", v->x->input_ids[t]);
        if (place[1] > place[0]) fprintf(v->out, "%zu to %zu\n", place[0], place[1]);
        else fputs("none\n", v->out);
    }
    put_left_out(v, "bert tokenize shows all");
}

/* How many columns the token t needs where its piece and its numbers stand one below the other. */
static int token_width(const View *v, int t)
{
    char id[16], cell[512];
    const char *rest;
    int width = fit(cell, piece_of(v->s, v->x->input_ids[t]), 12, &rest);
    if (*rest) width = 12;
    const int digits = snprintf(id, sizeof id, "%d", v->x->input_ids[t] > t ? v->x->input_ids[t] : t);
    return 1 + (width > digits ? width : digits);
}

/* One of the rows of step 4, tokens from .. to-1: their pieces, or numbers, or without either their positions. */
static void put_token_row(const View *v, const char *label, bool pieces, const int32_t *values, int from, int to)
{
    fprintf(v->out, "  %-9s", label);
    for (int t = from; t < to; t++) {
        char number[16];
        snprintf(number, sizeof number, "%d", values ? values[t] : t);
        const char *cell = pieces ? piece_of(v->s, v->x->input_ids[t]) : number;
        if (t + 1 < to) put_cell(v->out, cell, token_width(v, t) - 1), fputc(' ', v->out);
        else put_last(v->out, cell, token_width(v, t) - 1);
    }
}

/* The three rows of numbers that the model sees, below their tokens; as many tokens as fit, with --step all. */
static void show_ids(const View *v)
{
    const Encoding *x = v->x;
    int from = 0, to;
    do {
        int width = 10;
        for (to = from; to < x->T && (to == from || width + token_width(v, to) <= LINE); to++)
            width += token_width(v, to);
        if (from) fputc('\n', v->out);
        put_token_row(v, "token", true, NULL, from, to);
        put_token_row(v, "id", false, x->input_ids, from, to);
        put_token_row(v, "segment", false, x->token_type_ids, from, to);
        put_token_row(v, "mask", false, x->attention_mask, from, to);
        put_token_row(v, "position", false, NULL, from, to);
        from = to;
    } while (v->zoom && from < x->T);
    if (from < x->T) put_formatted(v, "", "(and %d more tokens: --step 4 shows them)", x->T - from);
}

/* =====================================================================================================================
 * Embedding: steps 5 and 6
 * ================================================================================================================== */
/* Step 5 for one token: the row of each table that it looks up, and the sum of the three, in the order in which bert.c
 * adds them: (word + segment) + position. */
static void put_three_embeddings(const View *v, int t)
{
    const size_t H = (size_t)v->c->H, n = (size_t)few(H), at = (size_t)t * H;
    char row[40];
    real sum[FEATURES];
    snprintf(row, sizeof row, "word %d", v->x->input_ids[t]);
    put_numbers(v, row, v->a->word + at, H);
    snprintf(row, sizeof row, "segment %d", v->x->token_type_ids[t]);
    put_numbers(v, row, v->a->token_type + at, H);
    snprintf(row, sizeof row, "position %d", t);
    put_numbers(v, row, v->a->position + at, H);
    add(sum, v->a->word + at, v->a->token_type + at, n);
    put_sum(v, "sum", sum, v->a->position + at);
}

/* The followed token alone, or with --step all; the same in steps 11 to 13. */
static void show_embeddings(const View *v)
{
    for (int i = 0, t; (t = v->zoom ? row_at(v, i) : i ? -1 : v->subject) >= 0; i++) {
        char label[300];
        token_label(v, t, label);
        put_features(v, label, 0, (size_t)v->c->H);
        put_three_embeddings(v, t);
    }
    put_left_out(v, "bert trace -o writes all");
}

/* Mean and standard deviation of a row of the sum, in double, for the eye: what LayerNorm takes away. */
static void moments(const View *v, int t, double *mean, double *deviation)
{
    const size_t H = (size_t)v->c->H, at = (size_t)t * H;
    double sum = 0, squares = 0;
    for (size_t h = at; h < at + H; h++) {
        double x = (double)v->a->word[h] + (double)v->a->token_type[h] + (double)v->a->position[h];
        sum += x, squares += x * x;
    }
    *mean = sum / (double)H;
    *deviation = sqrt(squares / (double)H - *mean * *mean);
}

/* Step 6: hidden state 0, and with --step what it was made of: before LayerNorm the rows have means of about -0.02 and
 * deviations of about 0.05, [CLS] 0.14; after it all are of one size. */
static void show_embedding_norm(const View *v)
{
    put_matrix(v, "hidden state 0", v->a->embedding_norm, (size_t)v->c->H, 0);
    if (!v->zoom) return;
    fprintf(v->out, "\n  %-*s%12s%20s\n", LABEL, "the sum had", "mean", "standard deviation");
    for (int i = 0, t; (t = row_at(v, i)) >= 0; i++) {
        double mean, deviation;
        moments(v, t, &mean, &deviation);
        fputs("  ", v->out);
        put_token(v, t, LABEL);
        put_number(v->out, mean, 12, 5), put_number(v->out, deviation, 20, 5);
        fputc('\n', v->out);
    }
}

/* =====================================================================================================================
 * Encoder: steps 7 to 13, in one block and one head
 * ================================================================================================================== */
static size_t head_column(const View *v)                    /* the first of the head's D columns */
{
    return (size_t)v->head * (size_t)v->c->D;
}

/* Step 7: of 3 H numbers for each token the first few that belong to the head. */
static void show_query_key_value(const View *v)
{
    const size_t H = (size_t)v->c->H, D = (size_t)v->c->D, first = head_column(v);
    const real *parts[] = {v->block->query, v->block->key, v->block->value};
    static const char *const names[] = {"query", "key", "value"};
    char label[300];
    token_label(v, v->subject, label);
    if (!v->zoom) put_features(v, label, first, D);
    for (int i = 0; i < 3; i++) {
        if (v->zoom) put_matrix(v, names[i], parts[i], H, first);
        else put_numbers(v, names[i], row_of(v, parts[i]) + first, D);
    }
}

/* The place of (i,j) in the head's (T,T) among scores and probs (A,T,T). */
static size_t square_index(const View *v, int i, int j)
{
    const size_t T = (size_t)v->x->T;
    return ((size_t)v->head * T + (size_t)i) * T + (size_t)j;
}

/* What put_square shows in steps 8, 9 and 16. */
static double score_at(const View *v, int i, int j)
{
    return (double)v->block->scores[square_index(v, i, j)];
}

static double prob_at(const View *v, int i, int j)
{
    return (double)v->block->probs[square_index(v, i, j)];
}

/* Step 8. Scores of one row can be compared, those of different rows cannot: softmax only sees differences in a row. */
static void show_scores(const View *v)
{
    put_square(v, score_at, "i looks at j:", v->zoom ? "bert trace -o writes all" : "--step 8 shows more");
}

/* "   0.36   6 [MASK]": a number, and the token that it is about. */
static void put_near(const View *v, double x, int t)
{
    char cell[516], label[300];
    token_label(v, t, label);
    fit_with_dots(cell, label, 12);
    put_number(v->out, x, 7, 2);
    fprintf(v->out, " %s;", cell);
}

/* The table of the head, and of each of its rows the three tokens that get most. Many heads look at [SEP] most of the
 * time: that is what a head does that has nothing to say about a token. */
static void show_probs(const View *v)
{
    put_square(v, prob_at, "i looks at j:", v->zoom ? "bert attention shows all" : "--step 9 shows more");
    fputs("  i looks most at\n", v->out);
    for (int k = 0, i; (i = row_at(v, k)) >= 0; k++) {
        int named[3], n = 0;
        fputs("  ", v->out);
        put_token(v, i, LABEL);
        const real *row = v->block->probs + square_index(v, i, 0);
        for (int j; n < 3 && (j = largest(row, v->x->T, named, n)) >= 0; named[n++] = j)
            put_near(v, prob_at(v, i, j), j);
        fputc('\n', v->out);
    }
}

/* Step 10; with --step the followed token's weighted mean term by term, p_ij v_j: what each token j hands on to it. The
 * terms are multiplied here, for the eye; the sum is bert.c's. */
static void show_context(const View *v)
{
    const size_t H = (size_t)v->c->H, D = (size_t)v->c->D, first = head_column(v);
    put_matrix(v, "context", v->block->context, H, first);
    if (!v->zoom) return;
    char label[300];
    snprintf(label, sizeof label, "p v_j, %d %.200s", v->subject, piece_of(v->s, v->x->input_ids[v->subject]));
    fputc('\n', v->out);
    put_features(v, label, first, D);
    for (int j = 0; j < v->x->T && j < MANY; j++) {
        real term[FEATURES];
        const real p = v->block->probs[square_index(v, v->subject, j)];
        for (int d = 0; d < few(D); d++) term[d] = p * v->block->value[(size_t)j * H + first + (size_t)d];
        char row[300];
        snprintf(row, sizeof row, "%3d %.2f %.200s", j, (double)p, piece_of(v->s, v->x->input_ids[j]));
        put_numbers(v, row, term, (size_t)few(D));
    }
    put_numbers(v, v->x->T > MANY ? "the sum of all" : "their sum", row_of(v, v->block->context) + first, D);
    if (v->x->T > MANY) put_formatted(v, "", "(the first %d of %d terms)", MANY, v->x->T);
}

/* Dense, residual, LayerNorm: the same four rows in steps 11 and 13, for the followed token, with --step for all. */
static void put_residual(const View *v, const char *input, const real *x, const real *dense, const real *norm)
{
    const size_t H = (size_t)v->c->H;
    for (int i = 0, t; (t = v->zoom ? row_at(v, i) : i ? -1 : v->subject) >= 0; i++) {
        const size_t at = (size_t)t * H;
        char label[300];
        token_label(v, t, label);
        put_features(v, label, 0, H);
        put_numbers(v, input, x + at, H);
        put_numbers(v, "dense", dense + at, H);
        put_sum(v, "their sum", dense + at, x + at);
        put_numbers(v, "LayerNorm", norm + at, H);
    }
    put_left_out(v, "bert trace -o writes all");
}

/* Step 11: x is the block's input, hidden state l. */
static void show_attention_output(const View *v)
{
    put_residual(v, "x (residual)", hidden_state(v->a, v->layer), v->block->attention_dense, v->block->attention_norm);
}

/* Step 12: before and after the curve, and how many of the F features it lets through: in a trained model a few in a
 * hundred. What is below -5 is 0 to four decimals, what is above 5 stays as it is, and between them lies the curve. */
static void show_feed_forward_up(const View *v)
{
    const size_t F = (size_t)v->c->F;
    for (int i = 0, t; (t = v->zoom ? row_at(v, i) : i ? -1 : v->subject) >= 0; i++) {
        const real *before = v->block->intermediate_dense + (size_t)t * F;
        const real *after = v->block->intermediate + (size_t)t * F;
        size_t positive = 0, largest = 0;
        for (size_t f = 0; f < F; f++) {
            positive += before[f] > 0;
            if (after[f] > after[largest]) largest = f;
        }
        char label[300];
        token_label(v, t, label);
        put_features(v, label, 0, F);
        put_numbers(v, "dense", before, F);
        put_numbers(v, "GELU", after, F);
        put_label(v, "");
        fprintf(v->out, "    %zu of %zu are above 0; the largest is %zu: %.4g\n", positive, F, largest,
                unsigned_nan((double)after[largest]));
    }
    put_left_out(v, "bert trace -o writes all");
}

/* Step 13: y is the output of step 11. The last row is the token's row of hidden state l+1. */
static void show_feed_forward_down(const View *v)
{
    put_residual(v, "y (residual)", v->block->attention_norm, v->block->output_dense, v->block->output_norm);
}

/* =====================================================================================================================
 * Task head: steps 14 to 16
 * ================================================================================================================== */

/* The judgement, and whose head it is: as `bert next-sentence`. */
static void put_next_sentence(const View *v)
{
    real logits[2], p[2];
    bool pair = false;
    if (!v->has_nsp) {
        put_paragraph(v, "NSP", "these weights have no next-sentence head (cls.seq_relationship)");
        return;
    }
    next_sentence_logits(logits, v->a, v->refitted);
    softmax(p, logits, 1, 2);
    for (int t = 0; t < v->x->T; t++)
        pair |= v->x->token_type_ids[t] != v->x->token_type_ids[0] && v->x->attention_mask[t];
    put_formatted(v, "NSP", "logits %.4f %.4f, P(IsNext) %.4f, P(NotNext) %.4f; head: %s",
                  unsigned_nan((double)logits[0]), unsigned_nan((double)logits[1]), unsigned_nan((double)p[0]),
                  unsigned_nan((double)p[1]),
                  v->refitted ? "refitted to these weights, which come without their own" : "checkpoint");
    if (!pair) put_paragraph(v, "", "(this is one text, and the head was trained on pairs; --pair TEXT gives a pair)");
}

/* Step 14: the row of [CLS] on its way to the answer. */
static void show_pooler(const View *v)
{
    const size_t H = (size_t)v->c->H;
    if (v->s->model.has_pooler) {
        put_features(v, piece_of(v->s, v->x->input_ids[0]), 0, H);
        put_numbers(v, "last hidden state", hidden_state(v->a, v->c->L), H);
        put_numbers(v, "dense", v->a->pooler_dense, H);
        put_numbers(v, "tanh: the pooled", v->a->pooler, H);
        put_next_sentence(v);
    } else {
        put_paragraph(v, "", "(these weights have no pooler)");
    }
}

/* The k best pieces of a row of logits (V), with their probabilities among all of them: as `bert fill-mask`. */
static void put_best(const View *v, const real *logits, int k)
{
    int named[10], n = 0;
    real *p = v->space;
    softmax(p, logits, 1, (size_t)v->c->V);
    for (int id; n < k && (id = largest(p, v->c->V, named, n)) >= 0; named[n++] = id) {
        put_label(v, n ? "" : "softmax: the best");
        put_number(v->out, (double)p[id], 10, 4);
        fputs("  ", v->out);
        put_cell(v->out, piece_of(v->s, id), 24);
        fputs(" logit", v->out);
        put_number(v->out, (double)logits[id], 10, 4);
        fputc('\n', v->out);
    }
}

/* The rows that were asked for: the first one, or with --step all. The hidden state, three stations of the transform,
 * the first logits, and what softmax makes of them.
 * Trap: a token that is no [MASK] sees itself, and often is its own best guess. In training 10 % of the chosen
 * tokens stood there unchanged, so that the head had to look at every word with suspicion. */
static void show_mlm(const View *v)
{
    const size_t H = (size_t)v->c->H, V = (size_t)v->c->V;
    if (!v->M) put_paragraph(v, "", "(these weights have no masked-language-model head)");
    else if (is_special(v->s, v->x->input_ids[v->asked[0]]))
        put_formatted(v, "", "(there is no [MASK], and no word: the head is asked about %s)",
                      piece_of(v->s, v->x->input_ids[v->asked[0]]));
    else if (v->x->input_ids[v->asked[0]] != v->s->tokenizer.mask_id)
        put_paragraph(v, "", "(there is no [MASK]: the head is asked about the last word, which it can see and "
                      "often, but not always, answers with)");
    for (int m = 0; m < v->M && (v->zoom || m == 0); m++) {
        char label[300];
        token_label(v, v->asked[m], label);
        put_features(v, label, 0, H);
        put_numbers(v, "last hidden state", v->a->masked + (size_t)m * H, H);
        put_numbers(v, "dense", v->a->transform_dense + (size_t)m * H, H);
        put_numbers(v, "GELU", v->a->transform_act + (size_t)m * H, H);
        put_numbers(v, "LayerNorm", v->a->transform_norm + (size_t)m * H, H);
        put_numbered(v, "", "id", 0, V);                                    /* one logit for each piece */
        put_numbers(v, "logits", v->a->logits + (size_t)m * V, V);
        put_best(v, v->a->logits + (size_t)m * V, v->zoom ? 10 : 5);
    }
    if (v->M > 1 && !v->zoom) put_formatted(v, "", "(and %d more: --step 15 shows them)", v->M - 1);
}

/* Step 16, of the word vectors. */
static double cosine_at(const View *v, int i, int j)
{
    const size_t H = (size_t)v->c->H;
    return cosine(v->vectors + (size_t)i * H, v->vectors + (size_t)j * H, H);
}

/* Words that occur more than once, two by two: the same piece, the same row of the table, other vectors. */
static void put_repetitions(const View *v)
{
    int shown = 0;
    for (int i = 1; i < v->x->T; i++)
        for (int j = i + 1; j < v->x->T && shown < 6; j++) {
            const int id = v->x->input_ids[i], sep = v->s->tokenizer.sep_id, pad = v->s->tokenizer.pad_id;
            if (id != v->x->input_ids[j] || id == sep || id == pad) continue;
            char label[300];
            snprintf(label, sizeof label, "%d and %d %.200s", i, j, piece_of(v->s, id));
            if (!shown++) fputs("  cosines of one word at two places\n", v->out);
            put_label(v, label);
            put_number(v->out, cosine_at(v, i, j), 10, 4);
            fputc('\n', v->out);
        }
}

/* The three tokens nearest to the one that is followed; padding and itself do not count. */
static void put_nearest(const View *v)
{
    char label[32];
    int named[3], n = 0;
    real *cosines = v->space;
    for (int j = 0; j < v->x->T; j++)
        cosines[j] = j == v->subject || !v->x->attention_mask[j] ? -2 : (real)cosine_at(v, v->subject, j);
    snprintf(label, sizeof label, "nearest to %d", v->subject);
    put_label(v, label);
    for (int j; n < 3 && (j = largest(cosines, v->x->T, named, n)) >= 0 && cosines[j] > -2; named[n++] = j)
        put_near(v, (double)cosines[j], j);
    fputc('\n', v->out);
}

/* The vector of `bert embed`: the mean over the tokens of the last hidden state but one, as in document 001, or what
 * the directory of a sentence-transformers model says. It reads one hidden state, so that it has H numbers. The word
 * vectors are overwritten. */
static void put_sentence(const View *v)
{
    const size_t H = (size_t)v->c->H, T = (size_t)v->x->T;
    const Recipe *r = v->recipe;
    real *const words = v->vectors, *const sentence = words + T * H;
    if (v->no_recipe->status != BERT_OK) {
        char reason[800];
        escape(reason, sizeof reason, v->no_recipe->message);
        put_formatted(v, "", "(bert embed makes no sentence vector here: %s)", reason);
        return;
    }
    token_vectors(words, &v->s->model, v->a, 0, r->layers, r->count, r->combine);
    pool_tokens(sentence, words, v->x->attention_mask, T, H, r->pooling);
    if (r->normalize) normalize(sentence, H);
    put_numbers(v, "sentence vector", sentence, H);
}

/* Word vectors as document 001 makes them, the sum of the last four hidden states, and the sentence vector. */
static void show_vectors(const View *v)
{
    const size_t H = (size_t)v->c->H;
    const int L = v->c->L, count = L < 4 ? L : 4, last[] = {L, L - 1, L - 2, L - 3};
    real *const words = v->vectors;
    token_vectors(words, &v->s->model, v->a, 0, last, count, COMBINE_SUM);
    put_matrix(v, "word vectors", words, H, 0);
    put_sentence(v);
    token_vectors(words, &v->s->model, v->a, 0, last, count, COMBINE_SUM);
    put_repetitions(v);
    put_nearest(v);
    if (v->zoom) fputc('\n', v->out), put_square(v, cosine_at, "cosine of i and j", "bert embed writes all vectors");
}

/* =====================================================================================================================
 * The sixteen
 * ================================================================================================================== */
typedef struct {
    const char *module;             /* the heading before the step, where one begins */
    const char *name, *function;
    const char *formula, *why, *trap;
    const char *traced;             /* its names in a trace; `*` is the layer */
    void (*show)(const View *v);
} Step;

static const Step steps[STEPS] = {
    {"TOKENIZER", "clean", "normalize_text",
     "delete what cannot be seen, give each ideograph a space; uncased: no accents, no capitals",
     "The model has one vector for \"cafe\" and none for \"Caf\u00e9\": what can be written in many ways becomes one.",
     "The order counts; and a cased model keeps accents and capitals.", NULL, show_clean},
    {NULL, "split", "split", "a space ends a word and vanishes; a punctuation mark is a word by itself",
     "Pieces never reach across words. How many spaces there were is lost; only the offsets remember.",
     "$, + and ~ split a word, the euro and the degree sign do not.", NULL, show_split},
    {NULL, "WordPiece", "cut_word",
     "the longest piece that begins the word, then the longest ##piece that goes on, ...",
     "A fixed vocabulary is enough for any word, since rare words are made of pieces of common ones.",
     "One part without a piece makes the whole word [UNK].", NULL, show_wordpiece},
    {NULL, "ids, segments, mask", "encode", "[CLS] A [SEP]   or   [CLS] A [SEP] B [SEP]",
     "These rows of numbers are all that the model sees of the text.",
     "A single text is segment 0. Padding comes last, with mask 0.",
     "input_ids, token_type_ids, attention_mask", show_ids},
    {"EMBEDDING", "three embeddings summed", "embeddings_sum", "x_t = word[id_t] + segment[type_t] + position[t]",
     "What the token is, which text it is in, where it stands. All three tables are learned; without the third the "
     "order of the words would be lost.",
     "Positions count from 0 in every sequence, and are a learned table, not sinusoids.",
     "embeddings.word_embeddings, embeddings.token_type_embeddings, embeddings.position_embeddings", show_embeddings},
    {NULL, "LayerNorm", "embeddings_norm", "h = (x - mean) / sqrt(variance + eps) * gamma + beta",
     "Each row is brought to mean 0 and variance 1, then scaled and shifted as learned. This is hidden state 0: no "
     "token knows of any other yet.",
     "The variance is divided by H, not H - 1; eps is inside the root.", "embeddings.LayerNorm", show_embedding_norm},
    {"ENCODER", "query, key, value", "attention_query_key_value",
     "q = x Wq^T + bq   k = x Wk^T + bk   v = x Wv^T + bv",
     "The query says what a token looks for, the key what it offers, the value what it hands on. Each head has its "
     "own slice of the columns.",
     "Heads are slices: reshape to (N,A,D), never to (N,D,A).",
     "encoder.layer.*.attention.self.query, .key, .value", show_query_key_value},
    {NULL, "scores", "attention_scores", "score_ij = q_i . k_j / sqrt(D)   (very low where mask_j is 0)",
     "How much token i wants to look at token j. Without the division softmax would give nearly all to one token.",
     "The mask belongs to the keys, the columns; BERT has no causal mask.",
     "encoder.layer.*.attention.self.scores", show_scores},
    {NULL, "softmax", "attention_probs", "p_ij = e^score_ij / sum over k of e^score_ik",
     "Each row becomes weights that sum to 1: where token i looks, in this head.",
     "Rows sum to 1, columns do not.", "encoder.layer.*.attention.self.probs", show_probs},
    {NULL, "context", "attention_context", "context_i = sum over j of p_ij v_j",
     "The weighted mean of the values of all tokens. Here, and nowhere else, does one token's content reach another.",
     "The heads stand side by side again, each in its own columns.",
     "encoder.layer.*.attention.self.context", show_context},
    {NULL, "dense, residual, LayerNorm", "attention_output", "y = LayerNorm(x + context Wo^T + bo)",
     "The heads are mixed, and what the token was before, x, is added: a block only has to learn what to change.",
     "Post-LN: first the sum, then LayerNorm. Many later models do it the other way round.",
     "encoder.layer.*.attention.output.dense, .attention.output.LayerNorm", show_attention_output},
    {NULL, "feed-forward up, GELU", "feed_forward_up", NULL,
     "Each token by itself: here its features act on each other. The curve lets large numbers through and turns "
     "negative ones to almost 0.",
     "There are two GELUs, by erf and by tanh; they part by up to 0.0005 (see --gelu).",
     "encoder.layer.*.intermediate.dense, .intermediate", show_feed_forward_up},
    {NULL, "feed-forward down, residual, LayerNorm", "feed_forward_down", "out = LayerNorm(y + z W2^T + b2)",
     "Back to the width of a hidden state, added to y and normalized.",
     "The residual is y, the output of step 11, not the block's input.",
     "encoder.layer.*.output.dense, .output.LayerNorm", show_feed_forward_down},
    {"TASK HEAD", "pooler, NSP", "pooler", "pooled = tanh(h_0 Wp^T + bp)   logits = pooled W^T + b",
     "One vector for one question: does B follow A? It is not the row of [CLS] itself; a dense layer and tanh come "
     "in between.",
     "Label 0 is IsNext; nothing in the weights says so.", "pooler.dense, pooler, cls.seq_relationship", show_pooler},
    {NULL, "MLM transform, decoder, softmax", "mlm_head",
     "t = LayerNorm(GELU(h W^T + b))   logits = t E^T + c   p = softmax(logits)",
     "A score for every piece of the vocabulary: what fits here? E is the table of word embeddings, used a second "
     "time.",
     "A dense layer, GELU and LayerNorm come before the decoder; E is usually not stored twice.",
     "cls.predictions.transform.dense, .transform_act_fn, .LayerNorm, cls.predictions.decoder", show_mlm},
    {NULL, "word and sentence vectors, cosine", "token_vectors", NULL,
     "The same word gets another vector in another context: that is what all of this was for.",
     "There are L+1 hidden states. -2 in Python is the output of the last block but one.", NULL, show_vectors},
};

/* Shapes of steps 1 to 6, with this sentence's numbers. */
static void put_input_shapes(const View *v, int n)
{
    const int T = v->x->T, H = v->c->H;
    const size_t bytes = v->input->a.length + (v->input->has_pair ? v->input->b.length : 0);
    switch (n) {
    case 1: put_formatted(v, "shapes", "text <- text of %zu bytes", bytes); break;
    case 2: put_formatted(v, "shapes", "words <- text"); break;
    case 3: put_formatted(v, "shapes", "pieces <- words, vocabulary (%d)", v->s->tokenizer.V); break;
    case 4: put_formatted(v, "shapes", "ids, segments, mask (%d each) <- pieces", T); break;
    case 5:
        put_formatted(v, "shapes", "(%d,%d) <- ids, segments, positions (%d); tables (%d,%d), (%d,%d), (%d,%d)",
                      T, H, T, v->c->V, H, v->c->S, H, v->c->P, H);
        break;
    default:
        put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), gamma (%d), beta (%d); eps %g", T, H, T, H, H, H,
                      v->c->eps);
    }
}

/* Of steps 7 to 13. */
static void put_block_shapes(const View *v, int n)
{
    const int T = v->x->T, H = v->c->H, A = v->c->A, D = v->c->D, F = v->c->F, h = v->head;
    switch (n) {
    case 7:
        put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), W (%d,%d), b (%d), three times; head %d has columns %d to %d",
                      T, H, T, H, H, H, H, h, h * D, h * D + D - 1);
        break;
    case 8:
        put_formatted(v, "shapes", "(%d,%d,%d) <- query, key (%d,%d) as %d heads of D = %d columns; sqrt(D) = %.4g",
                      A, T, T, T, H, A, D, sqrt((double)D));
        break;
    case 9: put_formatted(v, "shapes", "(%d,%d,%d) <- (%d,%d,%d), each row by itself", A, T, T, A, T, T); break;
    case 10: put_formatted(v, "shapes", "(%d,%d) <- probs (%d,%d,%d), value (%d,%d)", T, H, A, T, T, T, H); break;
    case 11:
        put_formatted(v, "shapes", "(%d,%d) <- context (%d,%d), Wo (%d,%d), bo (%d), x (%d,%d)", T, H, T, H, H, H, H, T,
                      H);
        break;
    case 12: put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), W1 (%d,%d), b1 (%d)", T, F, T, H, F, H, F); break;
    default:
        put_formatted(v, "shapes", "(%d,%d) <- (%d,%d), W2 (%d,%d), b2 (%d), y (%d,%d)", T, H, T, F, H, F, H, T, H);
    }
}

/* Of steps 14 to 16. */
static void put_head_shapes(const View *v, int n)
{
    const int T = v->x->T, H = v->c->H, V = v->c->V, M = v->M ? v->M : 1;
    switch (n) {
    case 14:
        put_formatted(v, "shapes", "pooled (%d) <- (%d), Wp (%d,%d), bp (%d); logits (2) <- (%d), W (2,%d), b (2)",
                      H, H, H, H, H, H, H);
        break;
    case 15:
        put_formatted(v, "shapes", "t (%d,%d) <- (%d,%d), W (%d,%d); logits (%d,%d) <- t, E (%d,%d), c (%d)",
                      M, H, M, H, H, H, M, V, V, H, V);
        break;
    default: put_formatted(v, "shapes", "words (%d,%d), sentence (%d) <- hidden states (%d,%d)", T, H, H, T, H);
    }
}

/* "mean over tokens of hidden state 11": how the sentence vector is made. */
static void sentence_formula(const View *v, char text[128])
{
    const Recipe *r = v->recipe;
    const char *of = r->pooling == POOL_CLS ? "row of [CLS] in" : r->pooling == POOL_MAX ? "maximum over tokens of"
                                                                                         : "mean over tokens of";
    if (v->no_recipe->status != BERT_OK) *text = 0;
    else snprintf(text, 128, "   sentence = %s hidden state %d%s", of, r->layers[0], r->normalize ? ", length 1" : "");
}

/* The two formulas that depend on the model. */
static void put_formula(const View *v, int n)
{
    const int L = v->c->L, count = L < 4 ? L : 4;
    char sentence[128];
    sentence_formula(v, sentence);
    if (n == 12)
        put_formatted(v, "formula", "z = GELU(y W1^T + b1)   GELU(u) = %s",
                      v->c->gelu == GELU_ERF ? "u (1 + erf(u / sqrt 2)) / 2"
                                             : "u (1 + tanh(0.7979 (u + 0.044715 u^3))) / 2");
    else if (n == 16)
        put_formatted(v, "formula", "word = sum of hidden states %d to %d%s   cos(a, b) = a.b / (|a| |b|)",
                      L - count + 1, L, sentence);
    else
        put_paragraph(v, "formula", steps[n - 1].formula);
}

static bool in_block(int n)                                 /* steps 7 to 13 exist in every layer */
{
    return n >= 7 && n <= 13;
}

static bool in_head(int n)                                  /* steps 7 to 10 in every head, too */
{
    return n >= 7 && n <= 10;
}

/* "STEP 8  scores, layer 0, head 0"; below it where the step is told, a comment, and where its function begins. */
static void put_heading(const View *v, int n)
{
    const Step *step = &steps[n - 1];
    fprintf(v->out, v->colour ? "\033[1mSTEP %d  %s" : "STEP %d  %s", n, step->name);
    if (in_block(n)) fprintf(v->out, ", layer %d", v->layer);
    if (in_head(n)) fprintf(v->out, ", head %d", v->head);
    fputs(v->colour ? "\033[0m\n" : "\n", v->out);
    put_formatted(v, "source", "%s:%d   function %s at %s:%d", step_places[n - 1].file, step_places[n - 1].line,
                  step->function, step_places[n - 1].file, step_places[n - 1].function_line);
}

/* Heading, formula, shapes, why; with --step the usual mistake and the names in a trace; then the numbers. */
static void explain_step(const View *v, int n)
{
    const Step *step = &steps[n - 1];
    put_heading(v, n);
    put_formula(v, n);
    if (n <= 6) put_input_shapes(v, n);
    else if (n <= 13) put_block_shapes(v, n);
    else put_head_shapes(v, n);
    put_paragraph(v, "why", step->why);
    if (v->zoom) put_paragraph(v, "trap", step->trap);
    if (v->zoom && step->traced) {
        char names[256];
        spec_name(step->traced, v->layer, names, sizeof names);             /* the layer for `*` */
        put_paragraph(v, "trace", names);
    }
    step->show(v);
}

/* "22 tokens, 12L/768H/12A; layer 0 of 0 to 11, head 0 of 0 to 11; token 19 bank": what is looked at; layer and head
 * only if a step that is shown has them. Two lines if one is not enough. */
static void put_summary(const View *v, int only)
{
    const BertConfig *c = v->c;
    const bool all = only == UNSET;
    char token[516], number[16];
    const char *piece = piece_of(v->s, v->x->input_ids[v->subject]);
    int used = fprintf(v->out, "%d tokens, %dL/%dH/%dA;", v->x->T, c->L, c->H, c->A);
    if (all || in_block(only)) used += fprintf(v->out, " layer %d of 0 to %d", v->layer, c->L - 1);
    if (all || in_head(only)) used += fprintf(v->out, ", head %d of 0 to %d", v->head, c->A - 1);
    if (all || in_block(only)) fputc(';', v->out), used++;
    used += snprintf(number, sizeof number, "%d", v->subject) + fit_with_dots(token, piece, 12);
    used += (int)strlen(" token  ");
    fprintf(v->out, "%stoken %s ", used > LINE ? "\n" : " ", number);
    put_last(v->out, piece, 12);
}

/* One step, or all of them under the names of their four modules. */
static void explain(const View *v, int only)
{
    put_summary(v, only);
    for (int n = 1; n <= STEPS; n++) {
        if (only != UNSET && n != only) continue;
        fputc('\n', v->out);
        if (steps[n - 1].module && only == UNSET)
            fprintf(v->out, v->colour ? "\033[1;36m%s\033[0m\n\n" : "%s\n\n", steps[n - 1].module);
        explain_step(v, n);
    }
}

/* =====================================================================================================================
 * The verb
 * ================================================================================================================== */
static const char explain_help[] =
    "What happens to this text, step by step: the sixteen steps under their four modules, each with its formula,\n"
    "the shapes, the first numbers, why it is there, and where it stands in the source. One token is followed: the\n"
    "first [MASK], or else the last word.\n"
    "  --step N          one step (1 to 16) with more numbers, the usual mistake, and its names in `bert trace`\n"
    "  --layer N         which block steps 7 to 13 are shown of, from 0 (default 0)\n"
    "  --head N          which attention head, from 0 (default 0)\n"
    "\n"
    "  bert explain 'The cat sat on the [MASK].'\n"
    "  bert explain --step 9 --layer 8 --head 10 'The cat sat on the mat because it was tired.'\n"
    "  bert explain --step 14 --pair 'he likes playing' 'my dog is cute'\n";

/* --layer and --head are checked once the model is known, --step at once. */
static Status explain_settle(Options *o, Error *e)
{
    if (o->step > STEPS) return fail(e, BERT_USAGE, "--step %d: the steps are 1 to %d", o->step, STEPS);
    return BERT_OK;
}

/* Does a piece look like a word, or a part of one? Whatever begins with a letter, a digit, or no ASCII. */
static bool is_word(const char *piece)
{
    const unsigned char c = (unsigned char)(strncmp(piece, "##", 2) || !piece[2] ? piece[0] : piece[2]);
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

/* The tokens that the MLM head is asked for: every [MASK], or else the last word, or else the last punctuation mark, or
 * else, in an empty text, the first token, [CLS]. Into places[], which has room for T; how many. */
static int find_asked(const Session *s, const Encoding *x, int *places)
{
    int M = 0, word = -1, mark = 0;
    for (int t = 0; t < x->T; t++) {
        const int id = x->input_ids[t];
        if (id == s->tokenizer.mask_id) places[M++] = t;
        if (is_special(s, id) || !x->attention_mask[t]) continue;
        mark = t;
        if (is_word(piece_of(s, id))) word = t;
    }
    if (M == 0) places[M++] = word >= 0 ? word : mark;
    return M;
}

/* The rows that are shown: the first two tokens, the one that is followed, and its neighbour to the left. */
static void choose_rows(View *v)
{
    const int wanted[] = {0, 1, v->subject - 1, v->subject};
    v->count = 0;
    for (int i = 0; i < MOST_ROWS; i++)
        if (wanted[i] >= 0 && wanted[i] < v->x->T && (!v->count || wanted[i] > v->rows[v->count - 1]))
            v->rows[v->count++] = wanted[i];
}

/* A TokenizeTrace: copies the stages of steps 0 to 3, without the blanks at their ends. */
static Status copy_stage(void *context, const TokenizeStage *stage, Error *e)
{
    static const Text absent = {"(not in this model)", sizeof "(not in this model)" - 1};
    View *v = context;
    Text text = stage->text.bytes ? stage->text : absent;
    if (stage->step == 4 || v->stages == MOST_STAGES) return BERT_OK;
    while (text.length && text.bytes[text.length - 1] == ' ') text.length--;
    char *copy = malloc(text.length + 1);
    if (!copy) return fail(e, BERT_SYSTEM, "out of memory");
    memcpy(copy, text.bytes, text.length);
    copy[text.length] = 0;
    v->stage[v->stages++] = (struct StageCopy){stage->step, stage->name, copy, stage->count};
    return BERT_OK;
}

/* The stages of steps 1 to 3: free_stages gives them back. */
static Status read_stages(View *v, Error *e)
{
    if (!v->input->has_text) return BERT_OK;
    EncodeOptions options = encode_options(v->s);
    options.max_length = 0, options.pad = false;                        /* what is cut off was in the text, too */
    const Text *b = v->input->has_pair ? &v->input->b : NULL;
    return tokenize_trace(&v->s->tokenizer, v->input->a, b, &options, copy_stage, v, e);
}

static void free_stages(View *v)
{
    while (v->stages > 0) free(v->stage[--v->stages].text);
}

/* One input: everything kept by one run, then the steps. */
static Status explain_one(Session *s, const Input *input, View *v, Error *e)
{
    const Options *o = &s->options;
    const Bert *m = &s->model;
    const Encoding *x = &input->encoding;
    Run run = {0};
    const size_t T = (size_t)x->T, H = (size_t)m->config.H, V = (size_t)m->config.V;
    int *asked = calloc(T + 1, sizeof *asked);
    v->vectors = calloc((T + 1) * H, sizeof *v->vectors);
    v->space = calloc(V > T ? V : T, sizeof *v->space);
    const int M = asked ? find_asked(s, x, asked) : 0;
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = m->has_pooler, .nsp = v->has_nsp && !v->refitted,
                             .mlm_rows = asked, .M = m->has_mlm ? M : 0};
    Status status = asked && v->vectors && v->space ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory");
    if (status == BERT_OK) {
        v->input = input, v->x = x, v->subject = asked[0], v->asked = asked, v->M = request.M, v->stages = 0;
        choose_rows(v);
        status = read_stages(v, e);
    }
    if (status == BERT_OK) status = run_model(&run, m, x, &request, e);
    if (status != BERT_OK) at_input(s, input, e);
    if (status == BERT_OK) {
        v->a = &run.a, v->block = &run.a.block[v->layer];
        if (input->number > 1) fputc('\n', s->out);
        explain(v, o->step);
    }
    run_free(&run);
    free_stages(v), free(asked), free(v->vectors), free(v->space);
    return status == BERT_OK ? answer_done(s, e) : status;
}

/* Whether the model has a next-sentence head is found out once: for a refitted one the pooler is hashed. A recipe that
 * cannot be read spoils one line of step 16, and nothing else. */
static Status verb_explain(Session *s, Error *e)
{
    const Options *o = &s->options;
    Input input = {0};
    Recipe recipe = {0};
    Error no_head = {0}, no_recipe = {0};
    bool more = true;
    View v = {.s = s, .c = &s->model.config, .out = s->out, .zoom = o->step != UNSET, .colour = may_colour(s),
              .layer = o->layer == UNSET ? 0 : o->layer, .head = o->head == UNSET ? 0 : o->head,
              .recipe = &recipe, .no_recipe = &no_recipe};
    Status status = check_layer_and_head(s, e);
    if (read_recipe(s, &recipe, NULL, COMBINE_CAT, &no_recipe) == BERT_SYSTEM && status == BERT_OK)
        *e = no_recipe, status = BERT_SYSTEM;
    v.has_nsp = next_sentence_head(&s->model, &v.refitted, &no_head) == BERT_OK;
    while (status == BERT_OK && (status = next_input(s, &input, &more, e)) == BERT_OK && more)
        status = explain_one(s, &input, &v, e);
    input_free(&input);
    return status;
}

const Verb explain_verb = {"explain", verb_explain, explain_settle, NEEDS_MODEL, "--step --layer --head", "",
                           " [TEXT ...]", "the sixteen steps on your own sentence", explain_help};
