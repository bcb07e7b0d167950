/* test_measure.c - the parts of compare and verify by themselves, each beside its definition written naively: in which
 * order numbers lie, how far two tensors are apart, what half precision makes of a number, whose positions differ. */
#include "test.h"
#include "verify/verify.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t seed;

/* From -1 to 1, the same in every run. */
static double next(void)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) / 8388608.0 - 1;
}

/* A tensor of the reference: (B, rows, cols), (B, heads, rows, cols) or (B, cols); one sequence has no B in front. */
static TraceEntry entry(TraceName row, size_t B, size_t heads, size_t rows, size_t cols, const float *data)
{
    static char name[] = "x";
    TraceEntry t = {.kind = ENTRY_VALUE, .row = row, .form = trace_table[row].form, .B = B, .heads = heads,
                    .rows = rows, .cols = cols};
    t.tensor = (SafeTensor){.name = name, .dtype = DTYPE_F32, .count = B * heads * rows * cols, .data = data};
    size_t *shape = t.tensor.shape;
    if (B > 1) shape[t.tensor.rank++] = B;
    if (t.form == FORM_SCORES) shape[t.tensor.rank++] = heads;
    if (t.form != FORM_WHOLE) shape[t.tensor.rank++] = rows;
    shape[t.tensor.rank++] = cols;
    return t;
}

/* =====================================================================================================================
 * The order of the numbers
 * ================================================================================================================== */
enum { AXES = 4, MOST = 1024 };

/* What the dimensions of a reference are called and how large they are. */
typedef struct {
    const char *names[AXES];
    size_t sizes[AXES];
    int n;
} Axes;

static void add_axis(Axes *a, const char *name, size_t size)
{
    a->names[a->n] = name;
    a->sizes[a->n++] = size;
}

static Axes axes_of(const TraceEntry *t, size_t heads)
{
    Axes a = {.n = 0};
    const bool scores = t->form == FORM_SCORES;
    add_axis(&a, "inputs", t->B);
    if (scores) add_axis(&a, "heads", t->heads);
    if (t->form != FORM_WHOLE) add_axis(&a, scores ? "queries" : "tokens", t->rows);
    if (heads) add_axis(&a, "heads", heads), add_axis(&a, "D", t->cols / heads);
    else add_axis(&a, scores ? "keys" : "features", t->cols);
    return a;
}

/* Writes x in that order of its dimensions, `order` of a.n of them; its shape and its name in words, too. */
static void write_in_order(const Axes *a, const int *order, const float *x, float *y, SafeTensor *t, char words[64])
{
    size_t index[AXES] = {0}, from;
    t->rank = 0;
    words[0] = 0;
    for (int k = 0; k < a->n; k++) {
        if (a->sizes[order[k]] == 1) continue;
        t->shape[t->rank++] = a->sizes[order[k]];
        snprintf(words + strlen(words), 64 - strlen(words), "%s%s", *words ? ", " : "(", a->names[order[k]]);
    }
    snprintf(words + strlen(words), 64 - strlen(words), ")");
    for (size_t i = 0; i < t->count; i++) {
        size_t rest = i;
        for (int k = a->n - 1; k >= 0; k--) index[order[k]] = rest % a->sizes[order[k]], rest /= a->sizes[order[k]];
        from = 0;
        for (int k = 0; k < a->n; k++) from = from * a->sizes[k] + index[k];
        y[i] = x[from];
    }
}

/* Every order of n things, by counting: false after the last. */
static bool next_order(int *order, int n)
{
    for (;;) {
        int k = n - 1, seen = 0;
        while (k >= 0 && ++order[k] == n) order[k--] = 0;
        if (k < 0) return false;
        for (int i = 0; i < n; i++) seen |= 1 << order[i];
        if (seen == (1 << n) - 1) return true;
    }
}

/* Does the layout find each number of x in y? */
static bool reads(const TraceEntry *ref, const Layout *l, const float *x, const float *y)
{
    for (size_t i = 0; i < ref->tensor.count; i++)
        if (x[i] != y[layout_index(l, place_at(ref, i))]) return false;
    return true;
}

static bool same_shape(const SafeTensor *a, const SafeTensor *b)
{
    return a->rank == b->rank && !memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape);
}

/* References whose dimensions are all different, and whether their columns are those of heads. */
static const struct { TraceName row; size_t B, heads, rows, cols, split; } orders[] = {
    {TRACE_QUERY, 1, 1, 7, 15, 3}, {TRACE_KEY, 2, 1, 7, 15, 3}, {TRACE_VALUE, 4, 1, 5, 18, 3},
    {TRACE_CONTEXT, 2, 1, 9, 20, 4}, {TRACE_ATTENTION_DENSE, 1, 1, 7, 15, 0}, {TRACE_OUTPUT_NORM, 3, 1, 7, 15, 0},
    {TRACE_SCORES, 1, 3, 6, 6, 0}, {TRACE_PROBS, 2, 3, 5, 5, 0}, {TRACE_POOLER, 3, 1, 1, 24, 0}};
enum { ORDERS = sizeof orders / sizeof *orders };

/* The numbers in every order of their dimensions: under the shape of that order, and under the reference's own. The
 * words and the reading are those of the order; `misplaced` where the shape says something else. */
static void right_numbers_are_found_in_every_order(void)
{
    float x[MOST], y[MOST];
    char words[64];
    seed = 1;
    for (size_t k = 0; k < ORDERS; k++) {
        for (size_t i = 0; i < MOST; i++) x[i] = (float)next();
        const TraceEntry ref = entry(orders[k].row, orders[k].B, orders[k].heads, orders[k].rows, orders[k].cols, x);
        const Criteria criteria = {.tolerance = TOLERANCE_DEFAULT, .A = orders[k].split ? orders[k].split : 3};
        const Axes axes = axes_of(&ref, orders[k].split);
        int order[AXES] = {0};
        for (size_t found = 0; next_order(order, axes.n); found++) {
            for (int own = 0; own < 2; own++) {
                TraceEntry other = ref;
                Layout l;
                other.tensor.data = y;
                write_in_order(&axes, order, x, y, &other.tensor, words);
                SafeTensor of_order = other.tensor;
                if (own) other.tensor = ref.tensor, other.tensor.data = y;
                const bool by_shape = layout_by_shape(&l, &ref, &other.tensor) && reads(&ref, &l, x, y);
                const bool named = layout_by_numbers(&l, &ref, &other, &criteria);
                if (!check(named == !by_shape, "%zu, %s, shape %d: %d", k, words, own, named) || !named) continue;
                check(reads(&ref, &l, x, y), "%zu: %s is read", k, words);
                check_text("the order", l.order, words);
                check(l.misplaced == !same_shape(&other.tensor, &of_order), "%zu, %s: misplaced %d", k, words, l.misplaced);
            }
            check(found < 24, "an end");
        }
    }
}

/* What is not the right numbers, or not for certain, is in no order: other numbers under any shape, too few of them, too
 * far off, or hardly better than as they stand. */
static void other_numbers_are_in_no_order(void)
{
    static const size_t shapes[][3] = {{7, 15, 0}, {15, 7, 0}, {5, 21, 0}, {105, 0}, {3, 5, 7}};
    float x[MOST], y[MOST];
    Layout l;
    seed = 2;
    for (size_t i = 0; i < MOST; i++) x[i] = (float)next();
    const TraceEntry ref = entry(TRACE_QUERY, 1, 1, 7, 15, x);
    const Criteria criteria = {.tolerance = TOLERANCE_DEFAULT, .A = 3};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        TraceEntry other = ref;
        other.tensor.data = y;
        other.tensor.rank = shapes[k][1] ? shapes[k][2] ? 3 : 2 : 1;
        memcpy(other.tensor.shape, shapes[k], sizeof shapes[k]);
        for (int times = 0; times < 20; times++) {
            for (size_t i = 0; i < 105; i++) y[i] = (float)next();
            check(!layout_by_numbers(&l, &ref, &other, &criteria), "shape %zu: other numbers are in no order", k);
        }
        for (size_t i = 0; i < 105; i++) y[i % 15 * 7 + i / 15] = x[i];
        const bool fits = layout_by_shape(&l, &ref, &other.tensor) && reads(&ref, &l, x, y);
        check(layout_by_numbers(&l, &ref, &other, &criteria) == !fits, "shape %zu: transposed ones are", k);
    }
    TraceEntry less = ref;
    less.tensor.count--;
    check(!layout_by_numbers(&l, &ref, &less, &criteria), "of another count there is no order");
    for (int k = 0; k < 3; k++) {                                       /* heads: only where there are some */
        const TraceEntry whole = entry(k == 1 ? TRACE_ATTENTION_DENSE : TRACE_QUERY, 1, 1, 7, 15, x);
        TraceEntry other = whole;
        other.tensor.data = y;
        for (size_t i = 0; i < 105; i++) y[(i % 15 / 5 * 7 + i / 15) * 5 + i % 5] = x[i];
        check(layout_by_numbers(&l, &whole, &other, &(Criteria){.A = k == 2 ? 4 : 3}) == (k == 0), "heads, %d", k);
    }
    for (size_t rows = 2; rows < 12; rows++) {                          /* of fewer than 32 numbers nothing is said */
        const TraceEntry few = entry(TRACE_ATTENTION_DENSE, 1, 1, rows, 4, x);
        TraceEntry other = few;
        for (size_t i = 0; i < 4 * rows; i++) y[i % 4 * rows + i / 4] = x[i];
        other.tensor.data = y;
        check(layout_by_numbers(&l, &few, &other, &criteria) == (rows != 4 && 4 * rows >= 32) || rows == 4, "%zu rows", rows);
    }
}

/* The transposed numbers, each off by `part` of itself, of which as they stand a part is right: the level of what is
 * found, and what it gains. */
static bool found_at(double found_db, double as_it_stands_db)
{
    enum { N = 9 };
    float x[N * N], y[N * N];
    double both = 0, turned = 0;
    Layout l;
    seed = 3;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j <= i; j++) x[i * N + j] = x[j * N + i] = (float)next();
    for (size_t i = 0; i < N * N; i++) both += x[i] * x[i];
    const double share = pow(10, as_it_stands_db / 20), u = sqrt(1 / (1 - share * share / 4));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i; j++) {                                /* an odd part of the size that is asked for */
            const double a = next();
            y[i * N + j] = (float)a, y[j * N + i] = (float)-a;
            turned += 2 * a * a;
        }
    for (size_t i = 0; i < N; i++) y[i * N + i] = 0;
    for (size_t i = 0; i < N * N; i++) x[i] = (float)(x[i] + y[i] * u * share / 2 * sqrt(both / turned));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            y[j * N + i] = (float)(x[i * N + j] * (1 + pow(10, found_db / 20) * ((i + j) % 2 ? 1 : -1)));
    const TraceEntry ref = entry(TRACE_ATTENTION_DENSE, 1, 1, N, N, x);
    TraceEntry other = ref;
    other.tensor.data = y;
    return layout_by_numbers(&l, &ref, &other, &(Criteria){.tolerance = TOLERANCE_DEFAULT});
}

static void an_order_must_fit_and_gain(void)
{
    check(found_at(-27, 0) && !found_at(-23, 0), "-25 dB is near enough");
    check(found_at(-40, 0) && found_at(-40, -18) && !found_at(-40, -22), "20 dB are gained");
    check(found_at(-27, -5) && !found_at(-27, -9), "of a worse one, too");
}

/* Numbers that are none, and those of padding, do not say in which order the others are. */
static void what_does_not_count_has_no_order(void)
{
    float x[MOST], y[MOST];
    int32_t mask[7] = {1, 1, 1, 1, 1, 0, 0};
    Layout l;
    for (int k = 0; k < 6; k++) {
        seed = 4;
        for (size_t i = 0; i < 105; i++) x[i] = (float)next(), y[i % 15 * 7 + i / 15] = x[i];
        const TraceEntry ref = entry(TRACE_ATTENTION_DENSE, 1, 1, 7, 15, x);
        TraceEntry other = ref;
        other.tensor.data = y;
        for (size_t i = 75; k == 0 && i < 105; i++) y[i % 15 * 7 + i / 15] = 77;
        if (k == 1) x[33] = NAN;
        if (k == 2) x[33] = INFINITY;
        if (k == 3) y[33] = NAN;
        if (k == 4) y[33] = -INFINITY;
        for (size_t i = 0; k == 5 && i < 105; i++) x[i] = 0;            /* nothing to be right about */
        const Criteria criteria = {.tolerance = TOLERANCE_DEFAULT, .B = 1, .T = 7, .mask = k ? NULL : mask};
        check(layout_by_numbers(&l, &ref, &other, &criteria) == (k < 5), "case %d", k);
    }
}

/* =====================================================================================================================
 * What a shape says
 * ================================================================================================================== */

/* A shape of OTHER, and the order of the reference's dimensions that it says: "" for its own, "no" where it fits in
 * none, "shared" and "one" where all sequences, or all tokens, have the same. */
typedef struct {
    TraceName row;
    size_t B, heads, rows, cols;
    size_t shape[6];
    const char *says;
} Said;

static const Said said[] = {
    {TRACE_QUERY, 1, 1, 5, 24, {5, 24}, ""}, {TRACE_QUERY, 1, 1, 5, 24, {1, 5, 24}, ""},
    {TRACE_QUERY, 1, 1, 5, 24, {5, 1, 24, 1}, ""}, {TRACE_QUERY, 1, 1, 5, 24, {5, 3, 8}, ""},
    {TRACE_QUERY, 1, 1, 5, 24, {1, 5, 3, 8}, ""}, {TRACE_QUERY, 1, 1, 5, 24, {5, 2, 3, 4}, ""},
    {TRACE_QUERY, 1, 1, 5, 24, {24, 5}, "(features, tokens)"}, {TRACE_QUERY, 1, 1, 5, 24, {1, 24, 5}, "(features, tokens)"},
    {TRACE_QUERY, 1, 1, 5, 24, {24, 1, 5}, "(features, tokens)"}, {TRACE_QUERY, 1, 1, 5, 24, {24, 5, 1}, "(features, tokens)"},
    {TRACE_QUERY, 1, 1, 5, 24, {3, 5, 8}, "(heads, tokens, D)"}, {TRACE_QUERY, 1, 1, 5, 24, {1, 3, 5, 8}, "(heads, tokens, D)"},
    {TRACE_QUERY, 1, 1, 5, 24, {8, 5, 3}, "(heads, tokens, D)"}, {TRACE_QUERY, 1, 1, 5, 24, {10, 12}, "no"},
    {TRACE_QUERY, 1, 1, 5, 24, {120}, "no"}, {TRACE_QUERY, 1, 1, 5, 24, {12, 10}, "no"},
    {TRACE_QUERY, 1, 1, 5, 24, {4, 6, 5}, "no"}, {TRACE_QUERY, 1, 1, 5, 24, {5, 23}, "no"},
    {TRACE_QUERY, 1, 1, 5, 24, {5, 25}, "no"}, {TRACE_QUERY, 1, 1, 5, 24, {24}, "no"},
    {TRACE_QUERY, 1, 1, 24, 24, {24, 24}, ""}, {TRACE_QUERY, 1, 1, 1, 24, {24}, ""}, {TRACE_QUERY, 1, 1, 1, 24, {24, 1}, ""},
    {TRACE_QUERY, 1, 1, 8, 24, {8, 3, 8}, ""}, {TRACE_QUERY, 1, 1, 8, 24, {3, 8, 8}, "(heads, tokens, D)"},
    {TRACE_QUERY, 3, 1, 5, 24, {3, 5, 24}, ""}, {TRACE_QUERY, 3, 1, 5, 24, {15, 24}, ""},
    {TRACE_QUERY, 3, 1, 5, 24, {1, 3, 5, 24}, ""}, {TRACE_QUERY, 3, 1, 5, 24, {3, 5, 3, 8}, ""},
    {TRACE_QUERY, 3, 1, 5, 24, {5, 3, 24}, "(tokens, inputs, features)"},
    {TRACE_QUERY, 3, 1, 5, 24, {3, 2, 5, 12}, "(inputs, heads, tokens, D)"}, {TRACE_QUERY, 3, 1, 5, 24, {3, 24, 5}, "no"},
    {TRACE_QUERY, 3, 1, 5, 24, {24, 15}, "no"}, {TRACE_QUERY, 3, 1, 5, 24, {5, 24}, "no"},
    {TRACE_SCORES, 1, 3, 4, 4, {3, 4, 4}, ""}, {TRACE_SCORES, 1, 3, 4, 4, {1, 3, 4, 4}, ""},
    {TRACE_SCORES, 2, 3, 4, 4, {2, 3, 4, 4}, ""}, {TRACE_SCORES, 2, 3, 4, 4, {6, 4, 4}, ""},
    {TRACE_SCORES, 2, 3, 4, 4, {24, 4}, "no"}, {TRACE_SCORES, 2, 3, 4, 4, {2, 3, 16}, "no"},
    {TRACE_SCORES, 2, 3, 4, 4, {3, 2, 8, 2}, "no"}, {TRACE_POOLER, 2, 1, 1, 24, {2, 24}, ""},
    {TRACE_POOLER, 1, 1, 1, 24, {24}, ""}, {TRACE_POOLER, 2, 1, 1, 24, {2, 3, 8}, ""}, {TRACE_POOLER, 2, 1, 1, 24, {48}, "no"},
    {TRACE_POSITION, 3, 1, 5, 24, {5, 24}, "shared"}, {TRACE_POSITION, 3, 1, 5, 24, {1, 5, 24}, "shared"},
    {TRACE_POSITION, 3, 1, 5, 24, {24, 5}, "no"}, {TRACE_POSITION, 3, 1, 5, 24, {24}, "no"},
    {TRACE_POSITION, 3, 1, 5, 24, {10, 24}, "no"}, {TRACE_POSITION, 1, 1, 5, 24, {4, 24}, "no"},
    {TRACE_POSITION, 1, 1, 5, 24, {24}, "no"}, {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {5, 24}, "shared"},
    {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {24}, "one"}, {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {1, 1, 24}, "one"},
    {TRACE_TOKEN_TYPE, 1, 1, 5, 24, {24}, "one"}, {TRACE_TOKEN_TYPE, 1, 1, 5, 24, {1, 24}, "one"},
    {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {2, 24}, "no"}, {TRACE_WORD, 3, 1, 5, 24, {5, 24}, "no"},
    {TRACE_EMBEDDING_NORM, 3, 1, 5, 24, {24}, "no"},
};

/* Where the place p is in OTHER, by the words. */
static size_t said_index(const Said *s, const SafeTensor *t, Place p)
{
    const size_t D = t->shape[t->rank - 1];
    if (!strcmp(s->says, "one")) return p.col;
    if (!strcmp(s->says, "shared")) return p.row * s->cols + p.col;
    if (!strcmp(s->says, "(features, tokens)")) return p.col * s->rows + p.row;
    if (!strcmp(s->says, "(tokens, inputs, features)")) return (p.row * s->B + p.b) * s->cols + p.col;
    if (strstr(s->says, "heads")) return ((p.b * (s->cols / D) + p.col / D) * s->rows + p.row) * D + p.col % D;
    return ((p.b * s->heads + p.head) * s->rows + p.row) * s->cols + p.col;
}

static void a_shape_says_the_order(void)
{
    static const float numbers[MOST];
    for (size_t k = 0; k < sizeof said / sizeof *said; k++) {
        const Said *s = &said[k];
        const TraceEntry ref = entry(s->row, s->B, s->heads, s->rows, s->cols, numbers);
        SafeTensor other = {.dtype = DTYPE_F32, .count = 1, .data = numbers};
        Layout l;
        for (; s->shape[other.rank]; other.rank++)
            other.shape[other.rank] = s->shape[other.rank], other.count *= s->shape[other.rank];
        const bool fits = layout_by_shape(&l, &ref, &other), shared = !strcmp(s->says, "shared") || !strcmp(s->says, "one");
        if (!check(fits == (strcmp(s->says, "no") != 0), "case %zu: %d", k, fits) || !fits) continue;
        check_text("the order", l.order, shared ? "" : s->says);
        check(l.shared == shared && !l.misplaced, "case %zu: shared %d", k, l.shared);
        for (size_t i = 0; i < ref.tensor.count; i++) {
            const Place p = place_at(&ref, i);
            check(index_at(&ref, p) == i, "case %zu: element %zu is where it is", k, i);
            if (!check(layout_index(&l, p) == said_index(s, &other, p), "case %zu: element %zu", k, i)) break;
        }
    }
}

const Test measure_tests[] = {
    {"right_numbers_are_found_in_every_order", right_numbers_are_found_in_every_order},
    {"other_numbers_are_in_no_order", other_numbers_are_in_no_order},
    {"an_order_must_fit_and_gain", an_order_must_fit_and_gain},
    {"what_does_not_count_has_no_order", what_does_not_count_has_no_order},
    {"a_shape_says_the_order", a_shape_says_the_order},
    {NULL, NULL},
};
