/* test_compare.c - compare and verify on small files made by hand: what the columns of the table say, which layer is
 * the last, which ids count, and what becomes of numbers that are none. */
#include "shell.h"
#include "verify/verify.h"
#include <float.h>
#include <math.h>

enum { MOST_TENSORS = 40 };

/* A file that is being made: tensors of float32 or int64, all data copied. */
typedef struct {
    SafeTensor tensors[MOST_TENSORS];
    size_t count;
} Made;

/* Adds a tensor of that shape, which a zero ends, from doubles. */
static void add_tensor(Made *m, const char *name, DType dtype, const size_t *shape, const double *values)
{
    SafeTensor *t = &m->tensors[m->count++];
    *t = (SafeTensor){.dtype = dtype, .count = 1};
    for (; shape[t->rank]; t->rank++) t->shape[t->rank] = shape[t->rank], t->count *= shape[t->rank];
    char *copy = malloc(strlen(name) + 1);
    void *data = malloc(t->count * 8);
    if (!copy || !data) abort();
    t->name = strcpy(copy, name);
    t->data = data;
    for (size_t i = 0; i < t->count; i++)
        if (dtype == DTYPE_I64) ((int64_t *)data)[i] = (int64_t)values[i];
        else ((float *)data)[i] = (float)values[i];
}

/* Writes it into the tiny model's directory and forgets it. */
static void write_made(Made *m, const char *name)
{
    char file[300];
    Error e = {0};
    snprintf(file, sizeof file, "%s/%s", tiny, name);
    check(safetensors_write(file, m->tensors, m->count, NULL, 0, &e) == BERT_OK, "%s", e.message);
    for (size_t i = 0; i < m->count; i++) free(m->tensors[i].name), free((void *)(uintptr_t)m->tensors[i].data);
    *m = (Made){0};
}

static void remove_made(void)
{
    run("rm -f %s/ref %s/other %s/trace", tiny, tiny, tiny);
    formula_remove(tiny);
}

/* bert compare, with the table; its exit code. */
static int compare(void)
{
    return run("./bert compare -v %s/ref %s/other 2>&1", tiny, tiny);
}

/* The row of the table that begins with this name, up to its end, into row[]. */
static bool find_row(const char *name, char row[400])
{
    char beginning[120];
    snprintf(beginning, sizeof beginning, "\n%s ", name);
    const char *at = strstr(output, beginning);
    if (!check(at != NULL, "%s has a row: %s", name, output)) return false;
    snprintf(row, 400, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
    return true;
}

/* =====================================================================================================================
 * The columns
 * ================================================================================================================== */

static bool is_near(double shown, double x)
{
    return fabs(shown - x) <= 1e-7 * fabs(x);                           /* x was rounded to float32 */
}

/* What should stand in the row of a tensor: the sums over the numbers that count, in float32. */
static void check_columns(const char *name, const char *shape, const double *x, const double *y, const bool *counts,
                          size_t n, const char *place)
{
    double largest = -1, differences = 0, squares = 0, other_squares = 0, product = 0, ulp = 0;
    char row[400];
    size_t counted = 0;
    for (size_t i = 0; i < n; i++) {
        const double u = (double)(float)x[i], v = (double)(float)y[i], d = fabs(u - v);
        if (!counts[i]) continue;
        largest = fmax(largest, d);
        ulp = fmax(ulp, d / ((double)nextafterf((float)fabs(u), INFINITY) - fabs(u)));
        differences += d * d, squares += u * u, other_squares += v * v, product += u * v;
        counted++;
    }
    if (!find_row(name, row)) return;
    const char *at = strstr(row, shape);
    double shown[5] = {0};
    char where[40] = "";
    const int read = at ? sscanf(at + strlen(shape), "%lf %39s %lf %lf dB %lf %lf", &shown[0], where, &shown[1],
                                 &shown[2],
                                 &shown[3], &shown[4]) : 0;
    if (!check(read == 6, "six figures behind %s: %s", shape, row)) return;
    check_text(name, where, place);
    check(fabs(shown[0] / largest - 1) < 0.06, "%s: largest %g: %s", name, largest, row);
    check(fabs(shown[1] / sqrt(differences / (double)counted) - 1) < 0.06, "%s: rms %g: %s", name,
          sqrt(differences / (double)counted), row);
    check(fabs(shown[2] - 10 * log10(differences / squares)) <= 0.51, "%s: NMSE %g dB: %s", name,
          10 * log10(differences / squares), row);
    check(fabs(shown[3] - product / sqrt(squares * other_squares)) < 1e-6, "%s: cosine %.9f: %s", name,
          product / sqrt(squares * other_squares), row);
    check(shown[4] / ulp > 0.6 && shown[4] / ulp < 1.6, "%s: ulp %g: %s", name, ulp, row);     /* one digit */
}

/* Two inputs of three tokens, the third token of the first one masked. */
static void the_columns_of_compare_say_what_they_are_called(void)
{
    static const size_t ids[] = {2, 3, 0}, tokens[] = {2, 3, 4, 0}, scores[] = {2, 2, 3, 3, 0}, whole[] = {2, 4, 0};
    static const double mask[] = {1, 1, 0, 1, 1, 1}, zeros[6];
    double x[3][36], y[3][36];
    bool counts[3][36];
    Made ref = {0}, other = {0};
    if (!tiny_model()) return;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 36; i++) {
            x[k][i] = sin(1 + i + 40 * k) * (k + 1);
            y[k][i] = x[k][i] * (1 + 1e-6 * ((i * 7 + k) % 5));
            const int b = k == 1 ? i / 18 : i / 12 % 2, query = k == 1 ? i / 3 % 3 : i / 4 % 3, key = i % 3;
            counts[k][i] = k == 2 || (mask[b * 3 + query] && (k == 0 || mask[b * 3 + key]));
        }
    y[0][21] += 0.25, y[0][9] += 3;                             /* input 1 token 2 feature 1; a masked one */
    y[1][34] -= 0.5;                                            /* input 1 head 1 query 2 key 1 */
    y[2][6] += 0.125;                                           /* input 1 feature 2 */
    for (int k = 0; k < 2; k++) {
        Made *m = k ? &other : &ref;
        add_tensor(m, "input_ids", DTYPE_I64, ids, zeros);
        add_tensor(m, "attention_mask", DTYPE_I64, ids, mask);
        add_tensor(m, "embeddings.LayerNorm", DTYPE_F32, tokens, k ? y[0] : x[0]);
        add_tensor(m, "encoder.layer.0.attention.self.scores", DTYPE_F32, scores, k ? y[1] : x[1]);
        add_tensor(m, "pooler", DTYPE_F32, whole, k ? y[2] : x[2]);
    }
    write_made(&ref, "ref"), write_made(&other, "other");
    check(compare() == 1, "they differ: %s", output);
    check_columns("embeddings.LayerNorm", "(2, 3, 4)", x[0], y[0], counts[0], 24, "(1,2,1)");
    check_columns("encoder.layer.0.attention.self.scores", "(2, 2, 3, 3)", x[1], y[1], counts[1], 36,
                  "(1,1,2,1)");
    check_columns("pooler", "(2, 4)", x[2], y[2], counts[2], 8, "(1,2)");
    check(strstr(output, "masked tokens differ by up to 3, which does not count") != NULL,
          "what is masked is shown: %s",
          output);
    check(strstr(output, "3 of 3 tensors differ, the first is embeddings.LayerNorm\nits largest difference: "
                         "input 1 token 2 feature 1 is ") &&
          strstr(output, "\nfirst difference: embeddings.LayerNorm: NMSE ") &&
          strstr(output, " dB, up to 0.25 at input 1 token 2 feature 1\n"), "and said first and last: %s", output);
    for (int k = 0; k < 2; k++) {                                       /* the two numbers themselves */
        static const char *const before[] = {"feature 1 is ", ", expected "};
        const char *number = strstr(output, before[k]);
        check(number && is_near(strtod(number + strlen(before[k]), NULL), k ? x[0][21] : y[0][21]), "%s: %s", before[k],
              output);
    }
    remove_made();
}

/* =====================================================================================================================
 * Which layer, which ids
 * ================================================================================================================== */

/* With one layer named, last_hidden_state is that one's; with none, it is nobody's. */
static void last_hidden_state_belongs_to_the_last_layer_that_is_named(void)
{
    static const size_t shape[] = {2, 3, 0};
    static const double a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 2, 3, 4, 5, 7};
    static const char *const named[] = {"encoder.layer.0.output.LayerNorm", "encoder.layer.1.output.LayerNorm"};
    Made m = {0};
    if (!tiny_model()) return;
    for (int layer = 0; layer < 2; layer++)
        for (int wrong = 0; wrong < 2; wrong++) {
            char first[120];
            if (layer) add_tensor(&m, "encoder.layer.0.output.LayerNorm", DTYPE_F32, shape, a);
            add_tensor(&m, named[layer], DTYPE_F32, shape, a), write_made(&m, "ref");
            if (layer) add_tensor(&m, "hidden_states.1", DTYPE_F32, shape, a);
            add_tensor(&m, "last_hidden_state", DTYPE_F32, shape, wrong ? b : a), write_made(&m, "other");
            snprintf(first, sizeof first, "first difference: %s: ", named[layer]);
            check(compare() == wrong && (strstr(output, first) != NULL) == wrong && !strstr(output, "not in "),
                  "%d layers, wrong %d: %s", layer + 1, wrong, output);
        }
    add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, shape, a);
    add_tensor(&m, "last_hidden_state", DTYPE_F32, shape, a), write_made(&m, "ref");
    add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, shape, a);
    add_tensor(&m, "last_hidden_state", DTYPE_F32, shape, b), write_made(&m, "other");
    check(compare() == 0 || strstr(output, "last_hidden_state") || strstr(output, "encoder.layer.0.output"),
          "without a layer it is unknown, or compared, and never passes unsaid: %s", output);
    check(strstr(output, "unknown names in OTHER: last_hidden_state") || strstr(output, "first difference: "),
          "and that is said: %s", output);
    remove_made();
}

/* Each of the three ids by itself, where the other two are missing. */
static void each_of_the_ids_is_compared_where_others_are_missing(void)
{
    static const char *const names[] = {"input_ids", "token_type_ids", "attention_mask"};
    static const size_t three[] = {3, 0}, four[] = {4, 0}, shape[] = {3, 2, 0};
    static const double a[] = {1, 0, 1, 0, 0, 0}, b[] = {1, 0, 0, 0, 0, 0};
    Made m = {0};
    char expected[100];
    if (!tiny_model()) return;
    for (int k = 0; k < 3; k++)
        for (int other = 0; other < 3; other++) {                       /* the same, another number, another length */
            add_tensor(&m, names[k], DTYPE_I64, three, a), add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, shape, a);
            write_made(&m, "ref");
            add_tensor(&m, names[k], DTYPE_I64, other == 2 ? four : three, other ? b : a);
            add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, shape, a), write_made(&m, "other");
            snprintf(expected, sizeof expected, other == 2 ? "first difference: %s: 4 tokens, expected 3\n" :
                     other ? "first difference: %s: token 2 is 0, expected 1\n" : "no difference\n", names[k]);
            check(compare() == (other > 0) && strstr(output, expected), "%s, %d: %s", names[k], other, output);
        }
    remove_made();
}

/* (3,4) has as many numbers as (6,2), and is something else, whatever the numbers are. */
static void as_many_numbers_in_another_shape_differ(void)
{
    static const size_t three[] = {3, 0}, shapes[][3] = {{3, 4, 0}, {6, 2, 0}, {2, 6, 0}};
    static const double ids[] = {1, 0, 1}, ones[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    Made m = {0};
    if (!tiny_model()) return;
    for (int shape = 0; shape < 3; shape++) {
        for (int side = 0; side < 2; side++) {
            add_tensor(&m, "input_ids", DTYPE_I64, three, ids);
            add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, shapes[side ? shape : 0], ones);
            write_made(&m, side ? "other" : "ref");
        }
        check(compare() == (shape > 0) && strstr(output, shape ? " another shape  DIFFERENT\n" : "no difference\n"),
              "shape %d: %s", shape, output);
    }
    remove_made();
}

/* Ids and masks of shape (0) or (3,0): nothing to compare, and nothing to divide by. */
static void ids_that_are_empty_are_compared(void)
{
    static const char *const names[] = {"input_ids", "token_type_ids", "attention_mask"};
    static const size_t shapes[][3] = {{1, 0}, {3, 1, 0}}, shape[] = {3, 2, 0};
    static const double a[] = {1, 0, 1, 0, 0, 0};
    Made m = {0};
    if (!tiny_model()) return;
    for (int i = 0; i < 3 * 2 * 2; i++) {
        for (int side = 0; side < 2; side++) {
            add_tensor(&m, names[i / 4], i & 1 ? DTYPE_F32 : DTYPE_I64, shapes[i >> 1 & 1], a);
            m.tensors[0].shape[m.tensors[0].rank - 1] = m.tensors[0].count = 0;
            add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, shape, a);
            write_made(&m, side ? "other" : "ref");
        }
        const int code = compare();
        check(code == 0 || code == 3, "%s, %d: exit %d: %s", names[i / 4], i, code, output);
    }
    remove_made();
}

/* The output with its wrapped lines made whole. */
static const char *unwrapped(void)
{
    static char text[sizeof output];
    char *to = text;
    for (const char *from = output; *from; from++)
        if (!strncmp(from, "\n    ", 5)) from += 4, *to++ = ' ';
        else *to++ = *from;
    *to = 0;
    return text;
}

/* Padding that differs by more than ten times of what counts is said, and of tensors without a token that counts that
 * there is none; of numbers in another order than their shape says the first, and how many more. */
static void what_is_odd_is_counted(void)
{
    static const size_t row[] = {1, 4, 0}, tokens[] = {4, 9, 0}, whole[] = {9, 0};
    static const double ids[] = {0, 5, 6, 7}, mask[] = {0, 1, 1, 1};
    char name[60], line[200];
    if (!tiny_model()) return;
    for (int k = 0; k < 5 * 3 * 4; k++) {
        const int large = k % 5, unseen = k / 5 % 3, moved = k / 15;
        double x[36], y[36];
        Made m[2] = {{.count = 0}, {.count = 0}};
        for (int side = 0; side < 2; side++) {
            add_tensor(&m[side], "input_ids", DTYPE_I64, row, ids), add_tensor(&m[side], "attention_mask", DTYPE_I64, row, mask);
            for (int n = 0; n < 4 + moved + unseen; n++) {
                const bool turned = side && n >= 4 && n < 4 + moved;
                for (int i = 0; i < 36; i++) x[i] = 1000 * sin(i * i + n);
                for (int i = 0; i < 36; i++) y[i] = x[i];
                if (side && n < 4) y[20] += 0.0625, y[2] += 0.0625 * (n < large ? 10.5 + n : 10);
                for (int i = 0; turned && i < 36; i++) y[i % 9 * 4 + i / 9] = x[i];
                snprintf(name, sizeof name, n < 4 + moved ? "encoder.layer.%d.output.dense" : n == 4 + moved ? "pooler.dense" :
                         "pooler", n);
                add_tensor(&m[side], name, DTYPE_F32, n < 4 + moved ? tokens : whole, y);
            }
            write_made(&m[side], side ? "other" : "ref");
        }
        check(run("./bert compare --tolerance -60 %s/ref %s/other 2>&1", tiny, tiny) == 0, "%d: it passes: %s", k, output);
        snprintf(line, sizeof line, "\nmasked tokens differ by up to %.2g in %d tensors, which does not count (see -v)\n",
                 0.0625 * (9.5 + large), large);
        check(large ? strstr(output, line) != NULL : !strstr(output, "masked tokens"), "%d:%s: %s", k, line, output);
        snprintf(line, sizeof line, "\nall masked, so that nothing counts: %d tensors (see -v)\n", unseen);
        check(unseen ? strstr(output, line) != NULL : !strstr(output, "all masked"), "%d:%s: %s", k, line, output);
        snprintf(line, sizeof line, moved > 1 ? "(features, tokens) (and so are %d more). An array" : "(features, tokens). An "
                 "array", moved - 1);
        check(moved ? strstr(unwrapped(), line) && strstr(output, "\nencoder.layer.4.output.dense: the right numbers") :
              !strstr(output, "the right numbers"), "%d: %s: %s", k, line, output);
        compare();
        int notes = 0;
        for (const char *at = output; (at = strstr(at, "\n    masked tokens differ by up to ")); at++) notes++;
        check(notes == large, "%d: %d rows of -v say so: %s", k, notes, output);
    }
    remove_made();
}

/* =====================================================================================================================
 * Lists: of what is unknown, of what differs, of what one side lacks
 * ================================================================================================================== */

/* Of up to twenty unknown names all are said, and how many more there are; where none is known, of up to five. */
static void unknown_names_are_counted(void)
{
    static const size_t shape[] = {2, 4, 0};
    static const double x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    char line[1024], name[40];
    if (!tiny_model()) return;
    for (size_t k = 0; k < 48; k++) {
        const size_t n = k / 2, most = k % 2 ? 5 : 20;
        for (size_t side = 0; side < 2; side++) {
            Made m = {0};
            if (!side || k % 2 == 0) add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, shape, x);
            for (size_t i = 0; side && i < n; i++)
                snprintf(name, sizeof name, "mine.%02zu", i), add_tensor(&m, name, DTYPE_F32, shape, x);
            write_made(&m, side ? "other" : "ref");
        }
        snprintf(line, sizeof line, k % 2 ? " (found: %s" : "\nunknown names in OTHER: %s", k % 2 && !n ?
                 "nothing but ids" : "");
        for (size_t i = 0; i < n && i < most; i++)
            snprintf(line + strlen(line), 1024 - strlen(line), "%smine.%02zu", i ? ", " : "", i);
        if (n > most) snprintf(line + strlen(line), 1024 - strlen(line), "%s %zu more", k % 2 ? " and" : ", ... and",
                               n - most);
        strcat(line, k % 2 ? ");" : "\n");
        const int code = compare();
        check(code == (k % 2 ? 3 : 0) && (n || k % 2 ? strstr(unwrapped(), line) != NULL : !strstr(output, "unknown")),
              "%zu: exit %d, \"%s\": %s", n, code, line, output);
    }
    remove_made();
}

/* Of the layers' outputs those whose bit is set differ, and a second name of the one that `twin` says. Five rows, and
 * how many more there are; with -v all. */
static void check_rows(unsigned differ, int twin, bool alike, bool table)
{
    enum { LAYERS = 8 };
    static const size_t shape[] = {2, 4, 0};
    double x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8] = {1, 2, 3, 4, 5, 6, 7, 9};
    char wanted[1024] = "", line[200], name[60];
    size_t rows = 0, different = 0;
    for (int side = 0; side < 2; side++) {
        Made m = {0};
        for (int i = 0; i < LAYERS; i++) {
            snprintf(name, sizeof name, "encoder.layer.%d.output.LayerNorm", i);
            add_tensor(&m, name, DTYPE_F32, shape, side && differ >> i & 1 ? y : x);
        }
        snprintf(name, sizeof name, "encoder.layer.%d.output", twin);
        if (side && twin >= 0) add_tensor(&m, name, DTYPE_F32, shape, (differ >> twin & 1) == alike ? y : x);
        write_made(&m, side ? "other" : "ref");
    }
    for (int i = 0; i < 2 * LAYERS; i++) {                              /* each name, and its second one behind it */
        const bool second = i % 2, first_wrong = differ >> i / 2 & 1;
        const bool wrong = second ? i / 2 == twin && !alike && !first_wrong : first_wrong;
        different += wrong;
        if (!(table ? !second || (i / 2 == twin && !alike) : wrong && rows < 5)) continue;
        snprintf(line, sizeof line, "encoder.layer.%d.output%s%s;", i / 2, second ? "" : ".LayerNorm", wrong ? "!" :
                 "");
        strcat(wanted, line);
        rows++;
    }
    run("./bert compare %s %s/ref %s/other 2>/dev/null", table ? "-v" : "", tiny, tiny);
    char found[1024] = "";
    for (const char *at = output; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        int length = (int)strcspn(at, "\n"), word = (int)strcspn(at, " ");
        if (strncmp(at, "encoder.layer.", 14) || !memchr(at, '(', (size_t)length) || at[word + 1] != ' ') continue;
        const bool wrong = !strncmp(at + length - 9, "DIFFERENT", 9);
        snprintf(found + strlen(found), sizeof found - strlen(found), "%.*s%s;", word, at, wrong ? "!" : "");
    }
    check_text("the rows", found, wanted);
    snprintf(line, sizeof line, "\n... and %zu more that differ%s: -v shows all\n", different - rows,
             different - rows == 1 ? "s" : "");
    check(!table && different > rows ? strstr(output, line) != NULL : !strstr(output, "-v shows all"), "%x, %d: %s",
          differ,
          twin, output);
    snprintf(line, sizeof line, " of %d tensors differ", 8 + (twin >= 0));
    check(!strstr(output, line) == !different, "%x, %d: %s", differ, twin, output);
}

static void as_many_rows_as_differ_are_shown(void)
{
    static const unsigned differ[] = {0, 1, 0x80, 0x11, 0x1f, 0x3e, 0x3f, 0x7f, 0xff, 0x55};
    if (!tiny_model()) return;
    for (size_t k = 0; k < sizeof differ / sizeof *differ; k++)
        for (int twin = -1; twin < 8; twin += twin < 0 ? 1 : k % 2 ? 3 : 7)
            for (int table = 0; table < 2; table++)
                for (int alike = 0; alike < 2; alike++) check_rows(differ[k], twin, alike, table);
    remove_made();
}

/* Parts of a trace that REF has in layers 0 and 1, and what they are called where OTHER lacks them. */
static const struct { const char *name, *pattern; } pieces[] = {
    {"encoder.layer.%d.output.dense", "encoder.layer.*.output.dense"},
    {"grad.encoder.layer.%d.output.dense", "grad.encoder.layer.*.output.dense"},
    {"grad.encoder.layer.%d.output.dense.weight", "grad.encoder.layer.*.output.dense.weight"},
    {"grad.encoder.layer.%d.output.dense.bias", "grad.encoder.layer.*.output.dense.bias"}};

/* Every subset of these eight, and of what stands in no layer. */
static void what_one_side_lacks_is_said_once_for_all_layers(void)
{
    static const size_t matrix[] = {4, 4, 0}, vector[] = {4, 0};
    static const double x[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    char line[600], name[80];
    if (!tiny_model()) return;
    for (unsigned k = 0; k < 512; k += k % 16 == 15 ? 19 : 1) {         /* bit 2 p + l: piece p of layer l; 8: pooler */
        const bool swapped = k % 3 == 1;                                /* it is REF that lacks them */
        for (int side = 0; side < 2; side++) {
            Made m = {0};
            add_tensor(&m, "embeddings.LayerNorm", DTYPE_F32, matrix, x);
            for (int i = 0; i < 8; i++) {
                snprintf(name, sizeof name, pieces[i / 2].name, i % 2);
                if (!side || !(k >> i & 1)) add_tensor(&m, name, DTYPE_F32, i / 2 == 3 ? vector : matrix, x);
            }
            if (!side || !(k & 256)) add_tensor(&m, "pooler", DTYPE_F32, vector, x);
            write_made(&m, side == swapped ? "ref" : "other");
        }
        static const int order[] = {0, 1, 8, 3, 5, 7, 2, 4, 6};         /* of the data: gradients go backwards */
        size_t items = 0, named = 0;
        bool once[5] = {false};
        for (int p = 0; p < 5; p++) items += (k >> 2 * p & (p < 4 ? 3 : 1)) != 0;
        snprintf(line, sizeof line, "\nnot in %s:", swapped ? "REF" : "OTHER");
        for (int i = 0; i < 9; i++) {
            const int p = order[i] / 2;
            if (!(k >> order[i] & 1) || once[p]) continue;
            once[p] = true;
            snprintf(line + strlen(line), 600 - strlen(line), " %s%s%s", p == 4 ? "pooler" : pieces[p].pattern,
                     p < 4 && (k >> 2 * p & 3) != 3 ? " (1 of 2)" : "", ++named < items ? "," : "\n");
        }
        check(compare() == 0 && (items ? strstr(unwrapped(), line) != NULL : !strstr(output, "not in")),
              "%x: \"%s\": %s", k, line, output);
        check(!strstr(output, swapped ? "not in OTHER" : "not in REF"), "%x: and no more: %s", k, output);
    }
    remove_made();
}

/* =====================================================================================================================
 * Numbers that are none
 * ================================================================================================================== */

/* OTHER's hidden state 0 has a NaN, and its scores are not divided by sqrt(D). Queries and keys are missing, so that
 * they are computed from hidden state 0: from our number where OTHER has none, whatever was tried before. */
static void a_nan_in_a_hidden_state_does_not_hide_the_mistake_behind_it(void)
{
    static char first[sizeof output];
    char path[300];
    Error e = {0};
    Safetensors st;
    double x[4 * 24], scores[3 * 16];
    Made m = {0};
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s -o %s 'the cat'", tiny, path);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    const SafeTensor *ids = safetensors_find(&st, "input_ids"), *norm = safetensors_find(&st, "embeddings.LayerNorm");
    const SafeTensor *scaled = safetensors_find(&st, "encoder.layer.0.attention.self.scores");
    for (int nan = 0; nan < 2 && check(ids && norm && scaled, "the trace is whole"); nan++) {
        const size_t one[] = {4, 0}, hidden[] = {4, 24, 0}, square[] = {3, 4, 4, 0};
        for (size_t i = 0; i < 4 * 24; i++) x[i] = nan && i == 29 ? NAN : tensor_element(norm, i);
        for (size_t i = 0; i < 3 * 16; i++) scores[i] = tensor_element(scaled, i) * sqrt(8);
        double wide[4];
        for (size_t i = 0; i < 4; i++) wide[i] = (double)integer_element(ids, i);
        add_tensor(&m, "input_ids", DTYPE_I64, one, wide), add_tensor(&m, "hidden_states.0", DTYPE_F32, hidden, x);
        add_tensor(&m, "encoder.layer.0.attention.self.scores", DTYPE_F32, square, scores), write_made(&m, "other");
        check(run("./bert verify -m %s --isolate %s/other 2>&1", tiny, tiny) == 1, "it differs: %s", output);
        check(strstr(output, "\nbest explanation: encoder.layer.0.attention.self.scores: "
                             "scores are not divided by sqrt(D)")
              != NULL, "NaN %d: the mistake is found: %s", nan, output);
        check(!nan || strstr(output, "first difference: embeddings.LayerNorm: NaN at token 1 feature 5"),
              "the NaN comes first: %s", output);
        check(!strstr(output, "cannot be told apart"), "and nothing else: %s", output);
    }
    strcpy(first, output);
    run("./bert verify -m %s --isolate %s/other 2>&1", tiny, tiny);
    check_text("the same answer twice", output, first);
    safetensors_close(&st);
    remove_made();
}

/* Isolated and padded: OTHER's wrong scores are taken over behind a masked key as well, and their probabilities are
 * right for what they are made of. */
static void wrong_scores_are_taken_over_behind_masked_keys(void)
{
    char path[300];
    Error e = {0};
    Safetensors st;
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/trace", tiny);
    run("./bert trace -m %s --max-length 9 --pad -o %s 'the cat sat'", tiny, path);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    SafeTensor *kept = calloc(st.count, sizeof *kept);
    float *scores = NULL, *probs = NULL;
    for (size_t i = 0; kept && i < st.count; i++) {
        kept[i] = st.tensors[i];
        const bool is_scores = !strcmp(kept[i].name, "encoder.layer.0.attention.self.scores");
        if (!is_scores && strcmp(kept[i].name, "encoder.layer.0.attention.self.probs")) continue;
        float *x = malloc(kept[i].count * sizeof *x);
        if (!x) abort();
        for (size_t k = 0; k < kept[i].count; k++) x[k] = (float)tensor_element(&st.tensors[i], k);
        kept[i].data = x, kept[i].dtype = DTYPE_F32;
        if (is_scores) scores = x; else probs = x;
    }
    if (check(scores && probs, "scores and probabilities")) {
        for (size_t row = 0; row < 3 * 9; row++) {              /* head 0 .. 2, query 0 .. 8; keys 5 .. 8 masked */
            double sum = 0;
            for (size_t k = 0; k < 5; k++) scores[row * 9 + k] *= 1.5f, sum += exp((double)scores[row * 9 + k]);
            for (size_t k = 0; k < 5; k++) probs[row * 9 + k] = (float)(exp((double)scores[row * 9 + k]) / sum);
        }
        snprintf(path, sizeof path, "%s/other", tiny);
        check(safetensors_write(path, kept, st.count, NULL, 0, &e) == BERT_OK, "%s", e.message);
        run("./bert verify -v -m %s --isolate %s/other 2>&1 | grep DIFFERENT", tiny, tiny);
        check(strstr(output, "encoder.layer.0.attention.self.scores ") && !strstr(output, "self.probs "),
              "the scores are wrong, the probabilities not: %s", output);
    }
    free(scores), free(probs), free(kept);
    safetensors_close(&st);
    remove_made();
}

/* Whatever the order in which a file has its tensors: the table, the first difference and verify's explanation are in
 * the order of the data, and each tensor is found. */
static void the_order_of_a_file_does_not_matter(void)
{
    static char expected[sizeof output];
    char path[300];
    Error e = {0};
    Safetensors st;
    if (!tiny_model()) return;
    run("./bert trace -m %s -o %s/ref 'the cat'; ./bert trace -m %s --gelu tanh -o %s/trace 'the cat'", tiny, tiny,
        tiny, tiny);
    snprintf(path, sizeof path, "%s/trace", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    SafeTensor *kept = calloc(st.count, sizeof *kept);
    for (int order = 0; kept && order < 3; order++) {                   /* as it is, backwards, every seventh */
        for (size_t i = 0; i < st.count; i++)
            kept[i] = st.tensors[order == 0 ? i : order == 1 ? st.count - 1 - i : i * 7 % st.count];
        snprintf(path, sizeof path, "%s/other", tiny);
        check(safetensors_write(path, kept, st.count, NULL, 0, &e) == BERT_OK, "%s", e.message);
        run("{ ./bert compare -v %s/ref %s/other; ./bert compare -v %s/other %s/ref; "
            "./bert verify -v -m %s %s/other; } 2>/dev/null", tiny, tiny, tiny, tiny, tiny, tiny);
        if (order == 0) strcpy(expected, output);
        check(!strcmp(output, expected) && strstr(output, "best explanation: encoder.layer.0.intermediate: GELU"),
              "order %d: %s", order, output);
    }
    check(st.count % 7 != 0, "every seventh is each once");
    free(kept);
    safetensors_close(&st);
    remove_made();
}

/* =====================================================================================================================
 * Several names of one tensor
 * ================================================================================================================== */
typedef enum { COPIED, ZEROS, FIRST_WRONG, ONE_WRONG, ONE_NAN, PADDING_WRONG, SECOND_KINDS, TURNED } SecondKind;

/* The tiny model's trace with one of its tensors a second time, under another name, spoiled in that way; `before`: in
 * front of all others. False: it cannot be made. */
static bool write_second(const char *to, const char *first, const char *second, SecondKind kind, bool before)
{
    char path[300];
    Error e = {0};
    Safetensors st;
    snprintf(path, sizeof path, "%s/ref", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return false;
    const SafeTensor *found = safetensors_find(&st, first);
    SafeTensor *all = calloc(st.count + 1, sizeof *all);
    float *numbers = found ? calloc(found->count + 1, sizeof *numbers) : NULL;
    char name[100];
    bool ok = check(all && numbers, "%s is there", first);
    if (ok) {
        const size_t width = found->shape[found->rank - 1];
        for (size_t i = 0; i < found->count; i++)
            numbers[i] = kind == ZEROS ? 0 : (float)tensor_element(found, i);
        if (kind == FIRST_WRONG || kind == ONE_WRONG) numbers[kind == ONE_WRONG] += 3;
        if (kind == ONE_NAN) numbers[2] = NAN;
        if (kind == PADDING_WRONG) numbers[found->count - width] = 77;
        const size_t rows = found->rank > 1 ? found->shape[found->rank - 2] : 1, each = rows * width;
        for (size_t i = 0; kind == TURNED && i < found->count; i++)         /* the last two dimensions, transposed */
            numbers[i / each * each + i % width * rows + i % each / width] = (float)tensor_element(found, i);
        snprintf(name, sizeof name, "%s", second);
        memcpy(all + before, st.tensors, st.count * sizeof *all);
        all[before ? 0 : st.count] = *found;
        all[before ? 0 : st.count].name = name;
        all[before ? 0 : st.count].dtype = DTYPE_F32;
        all[before ? 0 : st.count].data = numbers;
        snprintf(path, sizeof path, "%s/%s", tiny, to);
        ok = check(safetensors_write(path, all, st.count + 1, NULL, 0, &e) == BERT_OK, "%s", e.message);
    }
    free(all);
    free(numbers);
    safetensors_close(&st);
    return ok;
}

/* What one command says of it: of a right one nothing, of a wrong one its own name, and that the two disagree. */
static void check_second(const char *command, const char *first, const char *second, bool right)
{
    char line[200], both[300];
    const int code = run(command, tiny, tiny);
    snprintf(line, sizeof line, "\nfirst difference: %s: ", second);
    snprintf(both, sizeof both, "%s and %s are two names of the same numbers in ", first, second);
    check(code == !right, "%s, %s: exit %d: %s", command, second, code, output);
    if (right) check(strstr(output, "\nno difference\n") && !strstr(output, "contradict"), "%s: %s", command, output);
    else check(strstr(output, line) && strstr(output, both) && strstr(output, "1 of "), "%s: %s", command, output);
}

/* A trace by hooks has one tensor under two names, that of the module that makes it and that of the module around it.
 * Each is compared, in OTHER and in REF, whichever stands first. */
static void each_name_of_a_tensor_is_compared(void)
{
    static const struct { const char *first, *second; } names[] = {
        {"encoder.layer.0.output.LayerNorm", "encoder.layer.0.output"},
        {"encoder.layer.0.output.LayerNorm", "hidden_states.1"},
        {"encoder.layer.1.output.LayerNorm", "last_hidden_state"},
        {"embeddings.LayerNorm", "embeddings"},
        {"encoder.layer.1.attention.self.context", "encoder.layer.1.attention.self"},
        {"cls.predictions.decoder", "logits"}, {"pooler", "pooler_output"}};
    static const char *const commands[] = {
        "./bert verify -m %s %s/other 2>&1", "./bert verify --isolate -m %s %s/other 2>&1",
        "./bert compare %s/ref %s/other 2>&1", "./bert compare %s/other %s/ref 2>&1"};
    if (!tiny_model()) return;
    check(run("./bert trace -m %s -o %s/ref --pad --max-length 9 'the cat'", tiny, tiny) == 0, "a trace: %s", output);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (SecondKind kind = COPIED; kind < SECOND_KINDS; kind++) {
            const bool whole = !strcmp(names[n].first, "pooler"), right = kind == COPIED || kind == PADDING_WRONG;
            if (kind == PADDING_WRONG && whole) continue;
            if (!write_second("other", names[n].first, names[n].second, kind, (n + (size_t)kind) % 2)) break;
            for (size_t c = 0; c < sizeof commands / sizeof *commands; c++)
                check_second(commands[c], names[n].first, names[n].second, right);
        }
    remove_made();
}

/* The right numbers in another order than the shape of a second name says: a note, as of a first name. An attention map
 * that is square says another order, too. */
static void the_order_of_a_second_name_is_said(void)
{
    static const char turned[] = "in another order in OTHER, (heads, keys, queries): 1 tensors (see -v)\n";
    static const char misplaced[] = ": the right numbers, written in another order than its shape (9, ";
    static const struct { const char *first, *second; bool square; } names[] = {
        {"encoder.layer.0.output.LayerNorm", "hidden_states.1", false},
        {"encoder.layer.1.output.LayerNorm", "last_hidden_state", false}, {"cls.predictions.decoder", "logits", false},
        {"encoder.layer.1.attention.self.context", "encoder.layer.1.attention.self", false},
        {"encoder.layer.1.attention.self.probs", "attentions.1", true}};
    static const char *const commands[] = {
        "./bert verify -m %s %s/other 2>&1", "./bert verify --isolate -m %s %s/other 2>&1",
        "./bert compare %s/ref %s/other 2>&1"};
    char line[200];
    if (!tiny_model()) return;
    check(run("./bert trace -m %s -o %s/ref --pad --max-length 9 'the cat'", tiny, tiny) == 0, "a trace: %s", output);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        if (!write_second("other", names[n].first, names[n].second, TURNED, n % 2)) break;
        snprintf(line, sizeof line, "\n%s%s", names[n].square ? "" : names[n].second,
                 names[n].square ? turned : misplaced);
        for (size_t c = 0; c < sizeof commands / sizeof *commands; c++) {
            const int code = run(commands[c], tiny, tiny);
            check(code == 0 && strstr(output, line) && strstr(output, "\nno difference\n"), "%s, %s: exit %d: %s",
                  commands[c], names[n].second, code, output);
        }
        check(run("./bert verify -v -m %s %s/other 2>&1", tiny, tiny) == 0 && strstr(output, names[n].second),
              "-v shows %s: %s", names[n].second, output);
    }
    remove_made();
}

/* Of 2 inputs of 3 tokens, in 2 heads of 4 features: what of OTHER's query and scores is spoiled. */
typedef enum { ONE_INPUT, ONE_HEAD, ONE_TOKEN, ONE_FEATURE, HEAD_OF_SCORES, HEADS_SWAPPED, INPUTS_SWAPPED,
               SCORE_HEADS_SWAPPED, FEATURES_SWAPPED, EVERYTHING } Part;

static void spoil_part(Part part, double query[48], double scores[36])
{
    double old[48], old_scores[36];
    memcpy(old, query, sizeof old);
    memcpy(old_scores, scores, sizeof old_scores);
    for (int i = 0; i < 48; i++) {
        const int input = i / 24, token = i / 8 % 3, feature = i % 8, head = feature / 4;
        const bool spoiled = (part == ONE_INPUT && input == 1) || (part == ONE_HEAD && head == 1) ||
                             (part == ONE_TOKEN && token == 2) || (part == ONE_FEATURE && feature == 6) ||
                             part == EVERYTHING;
        if (spoiled) query[i] = old[i] * 1.25 + 1;
        if (part == HEADS_SWAPPED) query[i] = old[i - feature + (feature + 4) % 8];
        if (part == INPUTS_SWAPPED) query[i] = old[(i + 24) % 48];
        if (part == FEATURES_SWAPPED && (feature == 3 || feature == 4)) query[i] = old[feature == 3 ? i + 1 : i - 1];
    }
    for (int i = 0; i < 36; i++) {
        if (part == HEAD_OF_SCORES && i / 9 % 2 == 0) scores[i] = -old_scores[i];
        if (part == SCORE_HEADS_SWAPPED) scores[i] = old_scores[i / 18 * 18 + (i + 9) % 18];
    }
}

/* A difference that lies in one part of a tensor is said to, and so are two parts that are swapped; of one that lies
 * everywhere, or is no exchange of inputs or heads, nothing is said. */
static void a_difference_in_one_part_is_said(void)
{
    static const size_t tokens[] = {2, 3, 8, 0}, heads[] = {2, 2, 3, 3, 0};
    static const struct { Part part; const char *said; } parts[] = {
        {ONE_INPUT, "only input 1"}, {ONE_HEAD, "only head 1"}, {ONE_TOKEN, "only token 2"},
        {ONE_FEATURE, "only feature 6"}, {HEAD_OF_SCORES, "only head 0"}, {HEADS_SWAPPED, "heads 0 and 1 are swapped"},
        {INPUTS_SWAPPED, "inputs 0 and 1 are swapped"}, {SCORE_HEADS_SWAPPED, "heads 0 and 1 are swapped"},
        {FEATURES_SWAPPED, NULL}, {EVERYTHING, NULL}};
    double query[48], scores[36];
    char line[100];
    if (!tiny_model()) return;
    for (size_t n = 0; n < sizeof parts / sizeof *parts; n++) {
        Made ref = {0}, other = {0};
        for (int i = 0; i < 48; i++) query[i] = sin(i * i + 1.0) * 2;
        for (int i = 0; i < 36; i++) scores[i] = cos(i * i + 2.0);
        add_tensor(&ref, "encoder.layer.0.attention.self.query", DTYPE_F32, tokens, query);
        add_tensor(&ref, "encoder.layer.0.attention.self.scores", DTYPE_F32, heads, scores);
        spoil_part(parts[n].part, query, scores);
        add_tensor(&other, "encoder.layer.0.attention.self.query", DTYPE_F32, tokens, query);
        add_tensor(&other, "encoder.layer.0.attention.self.scores", DTYPE_F32, heads, scores);
        write_made(&ref, "ref");
        write_made(&other, "other");
        snprintf(line, sizeof line, "\nits difference: %s\n", parts[n].said ? parts[n].said : "");
        check(compare() == 1 && (parts[n].said ? strstr(output, line) != NULL : !strstr(output, "its difference:")),
              "part %zu, \"%s\": %s", n, parts[n].said ? parts[n].said : "nothing", output);
    }
    remove_made();
}

/* One token whose dimension somebody dropped, in OTHER or in REF: the same numbers, and others. */
static void one_token_may_have_no_dimension(void)
{
    static const size_t flat[] = {8, 0}, row[] = {1, 8, 0}, batch[] = {1, 1, 8, 0};
    static const size_t *const shapes[] = {flat, row, batch};
    double x[8];
    if (!tiny_model()) return;
    for (int i = 0; i < 18; i++) {
        Made ref = {0}, other = {0};
        for (int k = 0; k < 8; k++) x[k] = sin(k * k + 1.0);
        add_tensor(&ref, "encoder.layer.0.output.LayerNorm", DTYPE_F32, shapes[i / 2 / 3], x);
        x[7] += i % 2;
        add_tensor(&other, "encoder.layer.0.output.LayerNorm", DTYPE_F32, shapes[i / 2 % 3], x);
        write_made(&ref, "ref");
        write_made(&other, "other");
        check(compare() == i % 2 && strstr(output, i % 2 ? " 1 at token 0 feature 7\n" : "\nno difference\n"),
              "shapes %d and %d: %s", i / 2 / 3, i / 2 % 3, output);
    }
    remove_made();
}

/* Two of four heads are swapped; the last token is padding, or each token sees only those before it, and the two sides
 * hide the others by other numbers. */
static void hidden_scores_do_not_say_which_heads_are_swapped(void)
{
    static const size_t row[] = {1, 3, 0}, heads[] = {1, 4, 3, 3, 0};
    static const double ids[] = {5, 6, 0}, mask[] = {1, 1, 0};
    static const int places[] = {0, 3, 2, 1};
    double scores[36], swapped[36];
    if (!tiny_model()) return;
    for (int kind = 0; kind < 4; kind++) {
        Made ref = {0}, other = {0};
        for (int i = 0; i < 72; i++) {
            const int k = i % 36;
            const bool hidden = kind ? k % 3 > k / 3 % 3 : k % 3 == 2;
            if (i < 36) scores[k] = hidden ? (kind == 3 ? -3e38 : -1e9 - 64 * (k % 5)) : cos(k * k + 2.0);
            else if (!hidden) swapped[k] = scores[places[k / 9] * 9 + k % 9];
            else swapped[k] = kind == 2 ? -(double)INFINITY : kind == 3 ? -1e4 - k : -3e38 * (1 - 0.1 * (k % 7));
        }
        for (int k = 0; k < 2; k++) {
            add_tensor(k ? &other : &ref, "input_ids", DTYPE_I64, row, ids);
            if (!kind) add_tensor(k ? &other : &ref, "attention_mask", DTYPE_I64, row, mask);
            add_tensor(k ? &other : &ref, "encoder.layer.0.attention.self.scores", DTYPE_F32, heads, k ? swapped :
                       scores);
        }
        write_made(&ref, "ref");
        write_made(&other, "other");
        check(compare() == 1 && strstr(output, "\nits difference: heads 1 and 3 are swapped\n"), "%d: %s", kind,
              output);
    }
    remove_made();
}

/* The gradient of a key's bias is 0 but for rounding: it is measured by that of the key's weights, and passes where REF
 * has none of them. */
static void a_keys_bias_is_held_against_its_weights(void)
{
    static const size_t matrix[] = {4, 4, 0}, vector[] = {4, 0};
    static const char *const weights[] = {"key.weight", "query.weight", NULL};
    static const char start[] = "grad.encoder.layer.1.attention.self.";
    char name[80], row[400], level[40];
    if (!tiny_model()) return;
    for (int k = 0; k < 3 * 4 * 8; k++) {
        double w[16], b[2][4] = {{0}}, squares = 0, differences = 0;
        const double error = pow(10, -(double)(k / 12)) * (1 + k % 5);
        for (int i = 0; i < 16; i++) w[i] = i == k / 3 % 4 * 5 ? 40 : sin(i + 1.0), squares += w[i] * w[i] / 16;
        for (int i = 0; i < 4; i++) {
            b[0][i] = 1e-9 * i, b[1][i] = b[0][i] + error * (i % 2 ? 1 : -0.5);
            differences += pow((double)(float)b[1][i] - (double)(float)b[0][i], 2) / 4;
        }
        for (int side = 0; side < 2; side++) {
            Made m = {0};
            snprintf(name, sizeof name, "%s%s", start, weights[k % 3] ? weights[k % 3] : "");
            if (weights[k % 3]) add_tensor(&m, name, DTYPE_F32, matrix, w);
            snprintf(name, sizeof name, "%skey.bias", start);
            add_tensor(&m, name, DTYPE_F32, vector, b[side]);
            write_made(&m, side ? "other" : "ref");
        }
        const double decibels = 10 * log10(differences / squares);
        if (fabs(decibels + 80) < 0.1 || fabs(fabs(decibels - trunc(decibels)) - 0.5) < 0.01) continue;
        check(compare() == (k % 3 == 0 && decibels > -80), "case %d: %g dB: %s", k, decibels, output);
        if (!find_row(name, row)) break;
        snprintf(level, sizeof level, k % 3 ? " equal " : " %.0f dB ", decibels);
        check(strstr(row, level) != NULL, "case %d: %s: %s", k, level, row);
    }
    remove_made();
}

/* Of gradients no part is named, however alone it differs. */
static void no_part_of_a_gradient_is_named(void)
{
    static const size_t shape[] = {2, 3, 8, 0}, matrix[] = {24, 8, 0};
    static const struct { const char *name; const size_t *shape; size_t count; } all[] = {
        {"encoder.layer.0.output.dense", shape, 48}, {"grad.encoder.layer.0.output.dense", shape, 48},
        {"grad.encoder.layer.0.output.dense.weight", matrix, 192}};
    double x[192];
    if (!tiny_model()) return;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        for (int side = 0; side < 2; side++) {
            Made m = {0};
            for (size_t i = 0; i < all[k].count; i++) x[i] = sin((double)i) + (side && i % 8 == 5);
            add_tensor(&m, all[k].name, DTYPE_F32, all[k].shape, x);
            write_made(&m, side ? "other" : "ref");
        }
        check(compare() == 1 && !strstr(output, "its difference: only feature 5") == (k > 0), "%s: %s", all[k].name,
              output);
    }
    remove_made();
}

/* OTHER has a number that is none under its first name, and the same or another under its second one: two names of the
 * same are wrong alike, whatever that is. */
static void numbers_that_are_none_contradict_as_others_do(void)
{
    static const double numbers[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 4};
    const size_t shape[] = {4, 8, 0};
    double x[32], y[2][32];
    if (!tiny_model()) return;
    for (int k = 0; k < 4 * 4 * 2; k++) {
        const int one = k % 4, two = k / 4 % 4, same = k < 16;          /* in the same place, or beside it */
        Made ref = {0}, other = {0};
        for (int i = 0; i < 32; i++) x[i] = y[0][i] = y[1][i] = i % 7 - 3;
        y[0][11] = numbers[one], y[1][same ? 11 : 12] = numbers[two];
        add_tensor(&ref, "encoder.layer.0.output.LayerNorm", DTYPE_F32, shape, x);
        for (int i = 0; i < 2; i++)
            add_tensor(&other, i ? "encoder.layer.0.output" : "encoder.layer.0.output.LayerNorm", DTYPE_F32, shape,
                       y[i]);
        write_made(&ref, "ref");
        write_made(&other, "other");
        static const char *const rows[] = {" NaN (1,3) ", " infinite (1,3) ", " infinite (1,3) ", " 3.0e+00 (1,3) "};
        const bool contradict = compare() == 1 && strstr(output, " are two names of the same numbers in OTHER");
        check(strstr(output, rows[one]) != NULL, "the row of %g: %s", numbers[one], output);
        check(contradict == !(same && one == two), "%g and %g, in the same place %d: %s", numbers[one], numbers[two],
              same,
              output);
    }
    remove_made();
}

/* Both sides have the same second names, and the same wrong numbers under each: that is no contradiction. */
static void second_names_that_are_wrong_alike_are_no_contradiction(void)
{
    const size_t shape[] = {4, 8, 0};
    double x[32], y[32];
    Made ref = {0}, other = {0};
    for (int i = 0; i < 32; i++) x[i] = i % 7 - 3, y[i] = x[i] * 1.5;
    if (!tiny_model()) return;
    for (int k = 0; k < 2; k++) {
        const char *const name = k ? "encoder.layer.0.output" : "encoder.layer.0.output.LayerNorm";
        add_tensor(&ref, name, DTYPE_F32, shape, x);
        add_tensor(&other, name, DTYPE_F32, shape, y);
    }
    write_made(&ref, "ref");
    write_made(&other, "other");
    check(compare() == 1 && !strstr(output, "contradict") &&
          strstr(output, "\nfirst difference: encoder.layer.0.output.LayerNorm: "), "wrong alike: %s", output);
    remove_made();
}

/* The trace in tiny/ref with that tensor, instead of its own of that name or besides, as tiny/other. A zero ends the
 * shape. */
static void write_with(const char *name, DType dtype, const size_t *shape, const double *values)
{
    Made made = {0};
    char path[300];
    Error e = {0};
    Safetensors st;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/ref", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    add_tensor(&made, name, dtype, shape, values);
    SafeTensor *all = calloc(st.count + 1, sizeof *all);
    if (!all) abort();
    for (size_t i = 0; i < st.count; i++)
        if (strcmp(st.tensors[i].name, name) != 0) all[count++] = st.tensors[i];
    all[count++] = made.tensors[0];
    snprintf(path, sizeof path, "%s/other", tiny);
    check(safetensors_write(path, all, count, NULL, 0, &e) == BERT_OK, "%s", e.message);
    free(all);
    free(made.tensors[0].name), free((void *)(uintptr_t)made.tensors[0].data);
    safetensors_close(&st);
}

/* The encoder is right; in the MLM head alone GELU is something else, and all that follows is as it was. */
static void another_activation_in_the_mlm_head_is_named(void)
{
    static const char *const sentences[] = {"ReLU instead of GELU", "GELU by erf without the division by sqrt 2",
                                            "SiLU (swish) instead of GELU", "there is no activation"};
    static const size_t shape[] = {4, 24, 0};
    char path[300], line[200];
    Error e = {0};
    Safetensors st;
    double dense[96], spoiled[96];
    if (!tiny_model()) return;
    check(run("./bert trace -q -m %s -o %s/ref 'the cat'", tiny, tiny) == 0, "a trace: %s", output);
    snprintf(path, sizeof path, "%s/ref", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    const SafeTensor *t = safetensors_find(&st, "cls.predictions.transform.dense");
    for (size_t i = 0; t && i < 96; i++) dense[i] = tensor_element(t, i);
    safetensors_close(&st);
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 96; i++) {
            const double x = dense[i], all[] = {x > 0 ? x : 0, x * (1 + erf(x)) / 2, x / (1 + exp(-x)), x};
            spoiled[i] = all[k];
        }
        write_with("cls.predictions.transform.transform_act_fn", DTYPE_F32, shape, spoiled);
        snprintf(line, sizeof line, "best explanation: cls.predictions.transform.transform_act_fn: %s", sentences[k]);
        check(run("./bert verify -m %s %s/other", tiny, tiny) == 1 && strstr(output, line), "%s: %s", line, output);
    }
    remove_made();
}

/* position_ids of that shape. */
static void write_positions(const size_t *shape, const double *values)
{
    write_with("position_ids", DTYPE_I64, shape, values);
}

/* position_ids in a trace are BERT's own, or refused with the first place; those of padding are nobody's. */
static void other_positions_are_refused_by_name(void)
{
    static const size_t row[] = {9, 0}, batch[] = {1, 9, 0}, short_row[] = {5, 0};
    static const double own[] = {0, 1, 2, 3, 4, 5, 6, 7, 8}, padded[] = {0, 1, 2, 3, 0, 0, 0, 0, 0},
                        from_1[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, twice[] = {0, 1, 1, 3, 4, 5, 6, 7, 8};
    static const struct { const size_t *shape; const double *values; const char *said; } cases[] = {
        {row, own, NULL}, {batch, own, NULL}, {batch, padded, NULL},
        {batch, from_1, "position_ids: input 0 token 0 is 1, expected 0: only BERT's own"},
        {row, twice, "position_ids: input 0 token 2 is 1, expected 2: only"},
        {short_row, own, "position_ids has 5 numbers, input_ids 9"}};
    if (!tiny_model()) return;
    check(run("./bert trace -m %s -o %s/ref --pad --max-length 9 'the cat'", tiny, tiny) == 0, "a trace: %s", output);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_positions(cases[i].shape, cases[i].values);
        const int code = run("./bert verify -m %s %s/other 2>&1", tiny, tiny);
        check(code == (cases[i].said ? 3 : 0), "case %zu: exit %d: %s", i, code, output);
        check(cases[i].said ? strstr(output, cases[i].said) != NULL : !strstr(output, "unknown"), "case %zu: %s", i,
              output);
    }
    write_positions(row, own), run("cp %s/other %s/trace", tiny, tiny), write_positions(row, twice);
    check(run("./bert compare %s/trace %s/other 2>&1", tiny, tiny) == 1 &&
          strstr(output, "first difference: position_ids: token 2 is 1, expected 2\n"), "compare: %s", output);
    check(run("./bert compare %s/ref %s/other 2>&1", tiny, tiny) == 1 &&
          strstr(output, "position_ids: token 2 is 1, expected 2 (REF has none: BERT's own)\n"), "one of two: %s", output);
    check(run("./bert compare %s/other %s/ref 2>&1", tiny, tiny) == 1 &&
          strstr(output, "position_ids: token 2 is 2, expected 1 (OTHER has none: BERT's own)\n"), "the other: %s", output);
    write_positions(batch, padded);
    check(run("./bert compare %s/ref %s/other 2>&1", tiny, tiny) == 0, "padding: %s", output);
    remove_made();
}

/* Ids that hide a whole text, that contradict each other under two names, or are no whole numbers: refused by name and
 * place, by verify and by compare. With them agreeing, whatever their type, nothing is said. The trace is
 * [CLS] the cat [SEP] and five of padding. */
static void ids_that_say_two_things_are_refused(void)
{
    static const size_t row[] = {9, 0}, one[] = {1, 9, 0};
    static double none[9], mask[9] = {1, 1, 1, 1}, shorter[9] = {1, 1, 1}, types[9] = {0, 0, 1}, half[9] = {0, 0.5},
                  own[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8}, from_1[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                  added[9] = {-1e9, -1e9, -1e9, -1e9, -1e9, -1e9, -1e9, -1e9, -1e9};
    static const struct {
        const char *name;
        DType dtype;
        const double *values;
        const char *verify, *compare;       /* what is said; NULL: nothing */
    } cases[] = {
        {"attention_mask", DTYPE_I64, none, "attention_mask: input 0 is 0 for each of its 9 tokens", "is 0 for each"},
        {"attention_mask", DTYPE_F32, added, "attention_mask: input 0 is 0 for each of its 9 tokens", "is 0 for each"},
        {"input_mask", DTYPE_I64, shorter, "attention_mask and input_mask are two names of the same ids, and "
         "contradict each other: input 0 token 3 is 1 and 0", "attention_mask and input_mask"},
        {"bert.attention_mask", DTYPE_F32, shorter, "contradict each other: input 0 token 3 is ",
         "contradict each other"},
        {"input_mask", DTYPE_F32, mask, NULL, NULL}, {"bert.attention_mask", DTYPE_I64, mask, NULL, NULL},
        {"tokens", DTYPE_I64, own, "input_ids and tokens are two names of the same ids, and contradict each other: "
         "input 0 token 0 is 2 and 0", "input_ids and tokens"},
        {"segment_ids", DTYPE_I64, types, "token_type_ids and segment_ids are two names of the same ids, and "
         "contradict each other: input 0 token 2 is 0 and 1", "token_type_ids and segment_ids"},
        {"segment_ids", DTYPE_F32, none, NULL, NULL},
        {"token_type_ids", DTYPE_F32, half, "token_type_ids: number 1 is 0.5, expected a whole number",
         "number 1 is 0.5"},
        {"position_ids", DTYPE_F32, from_1, "position_ids: input 0 token 0 is 1, expected 0",
         "position_ids: token 0 is 1"},
        {"bert.position_ids", DTYPE_I64, from_1, "bert.position_ids: input 0 token 0 is 1, expected 0", "token 0 is 1"},
        {"position_ids", DTYPE_F32, half, "position_ids: number 1 is 0.5, expected a whole number", "number 1 is 0.5"},
        {"position_ids", DTYPE_F32, own, NULL, NULL}, {"bert.position_ids", DTYPE_F32, own, NULL, NULL}};
    if (!tiny_model()) return;
    check(run("./bert trace -m %s -o %s/ref --pad --max-length 9 'the cat'", tiny, tiny) == 0, "a trace: %s", output);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_with(cases[i].name, cases[i].dtype, i % 2 ? row : one, cases[i].values);
        const bool differs = cases[i].compare && strstr(cases[i].compare, "token 0");       /* from REF's positions */
        int code = run("./bert verify -m %s %s/other 2>&1", tiny, tiny);
        check(code == (cases[i].verify ? 3 : 0) && (cases[i].verify ? strstr(output, cases[i].verify) != NULL :
              !strstr(output, "unknown")), "verify, case %zu: exit %d: %s", i, code, output);
        code = run("./bert compare %s/ref %s/other 2>&1", tiny, tiny);
        check(code == (differs ? 1 : cases[i].compare ? 3 : 0) &&
              (cases[i].compare ? strstr(output, cases[i].compare) != NULL : !strstr(output, "unknown")),
              "compare, case %zu: exit %d: %s", i, code, output);
    }
    remove_made();
}

/* Ids that OTHER does not have are those of the text, if there is one; else they are assumed, and that is said. */
static void ids_that_are_missing_are_those_of_the_text(void)
{
    static const char *const names[] = {"input_ids", "token_type_ids", "attention_mask"};
    char path[300], assumed[120];
    Error e = {0};
    Safetensors st;
    if (!tiny_model()) return;
    check(run("./bert trace -m %s -o %s/ref --pair 'the dog' 'my cat'", tiny, tiny) == 0, "a trace: %s", output);
    snprintf(path, sizeof path, "%s/ref", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return;
    SafeTensor *kept = calloc(st.count, sizeof *kept);
    for (int k = 0; kept && k < 16; k++) {                              /* bits 0 to 2: it is missing; 3: a text */
        const bool text = k & 8, types = k & 2, mask = k & 4;
        size_t count = 0;
        for (size_t i = 0; i < st.count; i++) {
            bool missing = false;
            for (int n = 0; n < 3; n++) missing |= k >> n & 1 && !strcmp(st.tensors[i].name, names[n]);
            if (!missing) kept[count++] = st.tensors[i];
        }
        snprintf(path, sizeof path, "%s/other", tiny);
        check(safetensors_write(path, kept, count, NULL, 0, &e) == BERT_OK, "%s", e.message);
        const int with_text = run("./bert verify -m %s %s/other %s 2>&1", tiny, tiny,
                                  text ? "--pair 'the dog' 'my cat'" : "");
        if ((k & 1) && !text) {
            check(with_text == 3 && strstr(output, "there are no input_ids"), "%d: exit %d: %s", k, with_text, output);
            continue;
        }
        snprintf(assumed, sizeof assumed, "assumed, since OTHER has no such integers: %s%s%s\n", types ?
                 "token_type_ids 0" : "",
                 types && mask ? ", " : "", mask ? "attention_mask 1" : "");
        check(with_text == (types && !text), "%d: exit %d: %s", k, with_text, output);
        check(!text && (types || mask) ? strstr(output, assumed) != NULL : !strstr(output, "assumed"), "%d: %s: %s", k,
              assumed, output);
    }
    free(kept);
    safetensors_close(&st);
    remove_made();
}

/* Ids and nothing else: with a TEXT they are what is compared, and that is said. */
static void ids_alone_are_enough_for_a_text(void)
{
    static const size_t four[] = {1, 4, 0}, five[] = {5, 0};
    double ids[5] = {0}, mask[5] = {1, 1, 1, 1, 0};
    Made m = {0};
    if (!tiny_model()) return;
    check(run("./bert tokenize --format ids -m %s 'the cat' 2>&1", tiny) == 0 &&
          sscanf(output, "%lf %lf %lf %lf", &ids[0], &ids[1], &ids[2], &ids[3]) == 4, "four ids: %s", output);
    add_tensor(&m, "input_ids", DTYPE_I64, four, ids), write_made(&m, "other");
    check(run("./bert verify -m %s %s/other 'the cat' 2>&1", tiny, tiny) == 0 &&
          !strcmp(output, "only ids in OTHER: input_ids are those of the text, 4 tokens; no tensor was there to compare\n"
                  "no difference\n"), "right ids: %s", output);
    check(run("./bert verify -m %s %s/other 'the the' 2>&1", tiny, tiny) == 1 &&
          strstr(output, "first difference: input_ids: token 2 is "), "another text: %s", output);
    check(run("./bert verify -m %s %s/other 2>&1", tiny, tiny) == 3, "no text: nothing to compare: %s", output);
    add_tensor(&m, "input_ids", DTYPE_I64, five, ids), add_tensor(&m, "attention_mask", DTYPE_I64, five, mask);
    write_made(&m, "other");
    check(run("./bert verify -m %s %s/other 'the cat' 2>&1", tiny, tiny) == 0 &&
          strstr(output, "input_ids, attention_mask are those of the text, 4 tokens"), "padding: %s", output);
    add_tensor(&m, "input_ids", DTYPE_I64, four, ids), add_tensor(&m, "mine", DTYPE_F32, five, mask);
    write_made(&m, "other");
    check(run("./bert verify -m %s %s/other 'the cat' 2>&1", tiny, tiny) == 3 && strstr(output, "found: mine"),
          "a tensor that nobody knows is no comparison: %s", output);
    remove_made();
}

const Test compare_tests[] = {
    {"the_columns_of_compare_say_what_they_are_called", the_columns_of_compare_say_what_they_are_called},
    {"last_hidden_state_belongs_to_the_last_layer_that_is_named",
     last_hidden_state_belongs_to_the_last_layer_that_is_named},
    {"each_of_the_ids_is_compared_where_others_are_missing", each_of_the_ids_is_compared_where_others_are_missing},
    {"as_many_numbers_in_another_shape_differ", as_many_numbers_in_another_shape_differ},
    {"what_is_odd_is_counted", what_is_odd_is_counted},
    {"unknown_names_are_counted", unknown_names_are_counted},
    {"as_many_rows_as_differ_are_shown", as_many_rows_as_differ_are_shown},
    {"what_one_side_lacks_is_said_once_for_all_layers", what_one_side_lacks_is_said_once_for_all_layers},
    {"ids_that_are_empty_are_compared", ids_that_are_empty_are_compared},
    {"each_name_of_a_tensor_is_compared", each_name_of_a_tensor_is_compared},
    {"another_activation_in_the_mlm_head_is_named", another_activation_in_the_mlm_head_is_named},
    {"one_token_may_have_no_dimension", one_token_may_have_no_dimension},
    {"hidden_scores_do_not_say_which_heads_are_swapped", hidden_scores_do_not_say_which_heads_are_swapped},
    {"a_keys_bias_is_held_against_its_weights", a_keys_bias_is_held_against_its_weights},
    {"no_part_of_a_gradient_is_named", no_part_of_a_gradient_is_named},
    {"a_difference_in_one_part_is_said", a_difference_in_one_part_is_said},
    {"ids_that_say_two_things_are_refused", ids_that_say_two_things_are_refused},
    {"the_order_of_a_second_name_is_said", the_order_of_a_second_name_is_said},
    {"numbers_that_are_none_contradict_as_others_do", numbers_that_are_none_contradict_as_others_do},
    {"second_names_that_are_wrong_alike_are_no_contradiction", second_names_that_are_wrong_alike_are_no_contradiction},
    {"other_positions_are_refused_by_name", other_positions_are_refused_by_name},
    {"ids_that_are_missing_are_those_of_the_text", ids_that_are_missing_are_those_of_the_text},
    {"ids_alone_are_enough_for_a_text", ids_alone_are_enough_for_a_text},
    {"the_order_of_a_file_does_not_matter", the_order_of_a_file_does_not_matter},
    {"a_nan_in_a_hidden_state_does_not_hide_the_mistake_behind_it",
     a_nan_in_a_hidden_state_does_not_hide_the_mistake_behind_it},
    {"wrong_scores_are_taken_over_behind_masked_keys", wrong_scores_are_taken_over_behind_masked_keys},
    {NULL, NULL},
};
