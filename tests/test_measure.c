/* test_measure.c - the parts of compare and verify by themselves, each beside its definition written naively: in which
 * order numbers lie, how far two tensors are apart, what half precision makes of a number, whose positions differ. */
#include "formula.h"
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
                check(l.misplaced == !same_shape(&other.tensor, &of_order), "%zu, %s: misplaced %d", k, words,
                      l.misplaced);
            }
            check(found < 24, "an end");
        }
    }
}

/* What is not the right numbers, or not for certain, is in no order: other numbers under any shape, heads where there
 * are none, too few numbers. */
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
        check(layout_by_numbers(&l, &few, &other, &criteria) == (rows != 4 && 4 * rows >= 32) || rows == 4, "%zu rows",
              rows);
    }
}

/* A square of numbers of which the odd part is `odd`, and its transposed one, each number of which is off by the part
 * `noise`. Is the order found? *fits: its level, in decibels; *gains: how much better it is than as it stands. */
static bool found_square(double odd, double noise, double *fits, double *gains)
{
    enum { N = 9 };
    float x[N * N], y[N * N];
    double squares = 0, turned = 0, standing = 0;
    Layout l;
    seed = 3;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j <= i; j++) {
            const double even = next(), part = odd * next();
            x[i * N + j] = (float)(even + part), x[j * N + i] = (float)(even - part);
        }
    for (size_t i = 0; i < N * N; i++)
        y[i % N * N + i / N] = (float)((double)x[i] * (1 + noise * (i % 2 ? 1 : -1)));
    for (size_t i = 0; i < N * N; i++) {
        const double a = (double)x[i], b = (double)y[i % N * N + i / N], c = (double)y[i];
        squares += a * a, turned += (a - b) * (a - b), standing += (a - c) * (a - c);
    }
    *fits = 10 * log10(turned / squares);
    *gains = 10 * log10(standing / squares) - *fits;
    const TraceEntry ref = entry(TRACE_ATTENTION_DENSE, 1, 1, N, N, x);
    TraceEntry other = ref;
    other.tensor.data = y;
    return layout_by_numbers(&l, &ref, &other, &(Criteria){.tolerance = TOLERANCE_DEFAULT});
}

/* -25 dB, and 20 more than as they stand. */
static void an_order_must_fit_and_gain(void)
{
    size_t found = 0, near = 0;
    for (double odd = 1; odd > 0.002; odd *= 0.96)
        for (double noise = 0.2; noise > 0.002; noise *= 0.97) {
            double fits, gains;
            const bool said = found_square(odd, noise, &fits, &gains);
            check(said == (fits <= -25 && gains >= 20), "%.2f dB, gained %.2f: %d", fits, gains, said);
            found += said;
            near += (fits > -25.5 && fits < -24.5) || (gains > 19.5 && gains < 20.5);
        }
    check(found > 100 && near > 100, "%zu orders are found, %zu are near the limits", found, near);
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
    {TRACE_QUERY, 1, 1, 5, 24, {24, 5}, "(features, tokens)"},
    {TRACE_QUERY, 1, 1, 5, 24, {1, 24, 5}, "(features, tokens)"},
    {TRACE_QUERY, 1, 1, 5, 24, {24, 1, 5}, "(features, tokens)"},
    {TRACE_QUERY, 1, 1, 5, 24, {24, 5, 1}, "(features, tokens)"},
    {TRACE_QUERY, 1, 1, 5, 24, {3, 5, 8}, "(heads, tokens, D)"},
    {TRACE_QUERY, 1, 1, 5, 24, {1, 3, 5, 8}, "(heads, tokens, D)"},
    {TRACE_QUERY, 1, 1, 5, 24, {8, 5, 3}, "(heads, tokens, D)"}, {TRACE_QUERY, 1, 1, 5, 24, {10, 12}, "no"},
    {TRACE_QUERY, 1, 1, 5, 24, {120}, "no"}, {TRACE_QUERY, 1, 1, 5, 24, {12, 10}, "no"},
    {TRACE_QUERY, 1, 1, 5, 24, {4, 6, 5}, "no"}, {TRACE_QUERY, 1, 1, 5, 24, {5, 23}, "no"},
    {TRACE_QUERY, 1, 1, 5, 24, {5, 25}, "no"}, {TRACE_QUERY, 1, 1, 5, 24, {24}, "no"},
    {TRACE_QUERY, 1, 1, 24, 24, {24, 24}, ""},
    {TRACE_QUERY, 1, 1, 24, 24, {1, 24, 24}, ""}, {TRACE_QUERY, 1, 1, 3, 24, {3, 3, 8}, ""},
    {TRACE_QUERY, 3, 1, 3, 24, {1, 3, 3, 24}, ""}, {TRACE_QUERY, 1, 1, 1, 24, {24}, ""},
    {TRACE_QUERY, 1, 1, 1, 24, {24, 1}, ""},
    {TRACE_QUERY, 1, 1, 8, 24, {8, 3, 8}, ""}, {TRACE_QUERY, 1, 1, 8, 24, {3, 8, 8}, "(heads, tokens, D)"},
    {TRACE_QUERY, 3, 1, 5, 24, {3, 5, 24}, ""}, {TRACE_QUERY, 3, 1, 5, 24, {15, 24}, ""},
    {TRACE_QUERY, 3, 1, 5, 24, {1, 3, 5, 24}, ""}, {TRACE_QUERY, 3, 1, 5, 24, {3, 5, 3, 8}, ""},
    {TRACE_QUERY, 3, 1, 5, 24, {5, 3, 24}, "(tokens, inputs, features)"},
    {TRACE_QUERY, 3, 1, 5, 24, {3, 2, 5, 12}, "(inputs, heads, tokens, D)"},
    {TRACE_QUERY, 3, 1, 5, 24, {3, 24, 5}, "no"},
    {TRACE_QUERY, 3, 1, 5, 24, {24, 15}, "no"}, {TRACE_QUERY, 3, 1, 5, 24, {5, 24}, "no"},
    {TRACE_SCORES, 1, 3, 4, 4, {3, 4, 4}, ""}, {TRACE_SCORES, 1, 3, 4, 4, {1, 3, 4, 4}, ""},
    {TRACE_SCORES, 2, 3, 4, 4, {2, 3, 4, 4}, ""}, {TRACE_SCORES, 2, 3, 4, 4, {6, 4, 4}, ""},
    {TRACE_SCORES, 2, 3, 4, 4, {24, 4}, "no"}, {TRACE_SCORES, 2, 3, 4, 4, {2, 3, 16}, "no"},
    {TRACE_SCORES, 2, 3, 4, 4, {3, 2, 8, 2}, "no"}, {TRACE_POOLER, 2, 1, 1, 24, {2, 24}, ""},
    {TRACE_POOLER, 1, 1, 1, 24, {24}, ""}, {TRACE_POOLER, 2, 1, 1, 24, {2, 3, 8}, ""},
    {TRACE_POOLER, 2, 1, 1, 24, {48}, "no"},
    {TRACE_POSITION, 3, 1, 5, 24, {5, 24}, "shared"}, {TRACE_POSITION, 3, 1, 5, 24, {1, 5, 24}, "shared"},
    {TRACE_POSITION, 3, 1, 5, 24, {24, 5}, "no"}, {TRACE_POSITION, 3, 1, 5, 24, {24}, "no"},
    {TRACE_POSITION, 3, 1, 5, 24, {10, 24}, "no"}, {TRACE_POSITION, 1, 1, 5, 24, {4, 24}, "no"},
    {TRACE_POSITION, 1, 1, 5, 24, {24}, "no"}, {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {5, 24}, "shared"},
    {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {24}, "one"}, {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {1, 1, 24}, "one"},
    {TRACE_TOKEN_TYPE, 1, 1, 5, 24, {24}, "one"}, {TRACE_TOKEN_TYPE, 1, 1, 5, 24, {1, 24}, "one"},
    {TRACE_TOKEN_TYPE, 3, 1, 5, 24, {2, 24}, "no"}, {TRACE_WORD, 3, 1, 5, 24, {5, 24}, "no"},
    {TRACE_TOKEN_TYPE, 3, 1, 0, 24, {24}, "no"},
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
        const bool fits = layout_by_shape(&l, &ref, &other), shared = !strcmp(s->says, "shared") ||
            !strcmp(s->says, "one");
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

/* =====================================================================================================================
 * How far apart
 * ================================================================================================================== */

/* What comparing two tensors should give, from the definitions, in the order of the numbers. */
typedef struct {
    size_t counted, where;
    double expected, found, max_abs, differences, squares, other_squares, product, all_differences, all_squares, ulp,
           masked_max;
    const char *word;
    bool close;
} Measured;

/* 2 to the number of bits of a fraction below x's leading one: the distance to its neighbour in that type. */
static double ulp_of(double x, int bits)
{
    double ulp = 1;
    while (fabs(x) >= 2 * ulp) ulp *= 2;
    while (fabs(x) < ulp) ulp /= 2;
    return ldexp(ulp, 1 - bits);
}

static bool hides(double x, double y, bool scores, bool exact)
{
    return scores && !exact && x < -1000 && y < -1000 && (x < -1e30 || y < -1e30);
}

static void measure_pair(Measured *m, size_t i, double x, double y, bool counts, bool scores, const Tolerance *t,
                         int bits)
{
    if (scores && x == -INFINITY) x = -(double)FLT_MAX;
    if (scores && y == -INFINITY) y = -(double)FLT_MAX;
    if (hides(x, y, scores, t->kind == TOLERANCE_EXACT)) x = y = 0;
    const double d = fabs(x - y);
    const bool finite = isfinite(x) && isfinite(y);
    if (finite) m->all_differences += d * d, m->all_squares += x * x;
    if (!counts) {
        const double shown = isnan(d) ? INFINITY : d;
        if (!(scores && (x < -1000 || y < -1000)) && !(x == y) && !(shown <= m->masked_max)) m->masked_max = shown;
        return;
    }
    m->counted++;
    if (m->word || (!finite && x == y)) return;
    if (!finite) {
        m->word = isnan(x) || isnan(y) ? "NaN" : "infinite";
        m->where = i, m->expected = x, m->found = y;
        return;
    }
    if (d > m->max_abs || m->counted == 1) m->where = i, m->expected = x, m->found = y, m->max_abs = d;
    m->differences += d * d, m->squares += x * x, m->other_squares += y * y, m->product += x * y;
    if (d > 0) m->ulp = fmax(m->ulp, d / ulp_of(x != 0 ? x : y, bits));
    if (t->kind == TOLERANCE_EXACT) m->close &= x == y && !signbit(x) == !signbit(y);
    if (t->kind == TOLERANCE_CLOSE) m->close &= d <= t->atol + t->rtol * fabs(x);
}

static bool about(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-9 * fabs(b);
}

/* All figures of a result. */
static void check_measured(size_t k, const Result *r, const Measured *m, const Tolerance *t)
{
    const double n = m->counted ? (double)m->counted : 1;
    check(r->comparable && r->counted == m->counted, "%zu: %zu count, expected %zu", k, r->counted, m->counted);
    check(!r->word == !m->word && (!m->word || !strcmp(r->word, m->word)), "%zu: %s, expected %s", k,
          r->word ? r->word : "-", m->word ? m->word : "-");
    check(about(r->masked_max, m->masked_max), "%zu: masked %g, expected %g", k, r->masked_max, m->masked_max);
    if (m->counted) check(r->where == m->where && about(r->expected, m->expected) && about(r->found, m->found),
                          "%zu: %g at %zu, expected %g at %zu", k, r->found, r->where, m->found, m->where);
    check(about(r->nmse_all, m->all_differences == 0 ? 0 : m->all_squares > 0 ? m->all_differences / m->all_squares :
                INFINITY), "%zu: NMSE of all %g", k, r->nmse_all);
    if (m->word) {
        check(!r->passes, "%zu: no NaN passes", k);
        return;
    }
    const double nmse = m->differences == 0 ? 0 : m->squares > 0 ? m->differences / m->squares : INFINITY;
    const double lengths = sqrt(m->squares * m->other_squares);
    check(about(r->nmse, nmse), "%zu: NMSE %g, expected %g", k, r->nmse, nmse);
    check(about(r->rms, sqrt(m->differences / n)) && about(r->max_abs, m->max_abs), "%zu: rms %g, largest %g", k,
          r->rms,
          r->max_abs);
    check(about(r->cosine, lengths > 0 ? m->product / lengths : m->squares == m->other_squares), "%zu: cosine %g", k,
          r->cosine);
    check(about(r->ulp, m->ulp), "%zu: %g ulp, expected %g", k, r->ulp, m->ulp);
    check(r->passes == (t->kind == TOLERANCE_NMSE ? 10 * log10(nmse) <= t->decibel : m->close), "%zu: passes", k);
}

/* A number, or now and then one that is none, or that hides a key. */
static double some_number(double x, unsigned k)
{
    static const double odd[] = {0, -0.0, 1, -1e4, -(double)FLT_MAX, -1e31, -999, -1e9};
    static const double none[] = {(double)INFINITY, -(double)INFINITY, (double)NAN};
    const unsigned u = (unsigned)((next() + 1) * 512);
    if (k % 4 == 1 && u < 60) return odd[u % 8];
    if (k % 4 == 2 && u < 12) return none[u % 3];
    return k % 4 == 3 && u < 900 ? x : x + next() * pow(10, -(double)(k / 4 % 9));
}

/* Does number i count? Of what belongs to the whole sequence the first token decides. */
static bool counts(const TraceEntry *t, const int32_t *mask, size_t T, size_t i)
{
    const Place p = place_at(t, i);
    if (!mask) return true;
    if (t->form == FORM_WHOLE) return mask[p.b * T];
    return mask[p.b * T + p.row] && (t->form != FORM_SCORES || mask[p.b * T + p.col]);
}

static const TraceName forms[] = {TRACE_OUTPUT_NORM, TRACE_SCORES, TRACE_POOLER};

/* Two tensors of every form and type, masked and not, by every kind of tolerance. */
static void every_figure_is_what_its_name_says(void)
{
    enum { T = 5, CASES = 3000 };
    static const Tolerance tolerances[] = {
        {.kind = TOLERANCE_NMSE, .decibel = -80}, {.kind = TOLERANCE_NMSE, .decibel = -20}, {.kind = TOLERANCE_EXACT},
        {.kind = TOLERANCE_CLOSE, .atol = 1e-3}, {.kind = TOLERANCE_CLOSE, .rtol = 1e-3},
        {.kind = TOLERANCE_CLOSE, .atol = 1e-4, .rtol = 1e-2}};
    float x[MOST], y[MOST];
    double wide[MOST];
    seed = 5;
    for (unsigned k = 0; k < CASES; k++) {
        const TraceName row = forms[k % 3];
        const size_t B = 1 + k / 3 % 2, heads = row == TRACE_SCORES ? 2 : 1, cols = row == TRACE_SCORES ? T : 4;
        TraceEntry ref = entry(row, B, heads, row == TRACE_POOLER ? 1 : T, cols, x), other = ref;
        const Tolerance *t = &tolerances[k / 6 % 6];
        int32_t mask[2 * T];
        for (size_t i = 0; i < 2 * T; i++) mask[i] = next() > -0.4;
        const Criteria criteria = {.tolerance = *t, .B = B, .T = T, .mask = k % 5 ? mask : NULL};
        const bool float64 = k % 7 == 0;
        Measured m = {.close = true};
        for (size_t i = 0; i < ref.tensor.count; i++) {
            x[i] = (float)some_number(next(), k / 3);
            y[i] = (float)some_number((double)x[i], k / 3);
            wide[i] = (double)y[i];
            measure_pair(&m, i, (double)x[i], (double)y[i], counts(&ref, criteria.mask, T, i), row == TRACE_SCORES, t,
                         24);
        }
        other.tensor.data = float64 ? (void *)wide : (void *)y;
        other.tensor.dtype = float64 ? DTYPE_F64 : DTYPE_F32;
        Result r;
        compare_entries(&r, &ref, &other, &criteria);
        check_measured(k, &r, &m, t);
    }
}

/* 0 and -0 are equal, but not exactly. */
static void a_zero_has_a_sign_where_everything_must_be_exact(void)
{
    static const float x[8] = {1, 2, 0, 4, 5, 6, 7, 8}, y[8] = {1, 2, -0.0f, 4, 5, 6, 7, 8};
    static const ToleranceKind kinds[] = {TOLERANCE_NMSE, TOLERANCE_CLOSE, TOLERANCE_EXACT};
    for (int k = 0; k < 3 * 4; k++) {
        const TraceEntry ref = entry(TRACE_POOLER, 1, 1, 1, 8, k & 1 ? x : y);
        const TraceEntry other = entry(TRACE_POOLER, 1, 1, 1, 8, k & 2 ? x : y);
        const bool same = !(k & 1) == !(k & 2);
        Result r;
        compare_entries(&r, &ref, &other, &(Criteria){.tolerance = {.kind = kinds[k / 4], .decibel = -80}});
        check(r.passes == (same || k / 4 < 2) && r.nmse == 0, "%d: passes %d", k, r.passes);
    }
}

/* Numbers that are compared by themselves: whole tensors of integers are not. */
static void integers_are_not_compared_as_numbers(void)
{
    static const DType types[] = {DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_I64, DTYPE_I32, DTYPE_I16,
                                  DTYPE_I8,
                                  DTYPE_U8, DTYPE_BOOL};
    static const double numbers[MOST];
    for (size_t i = 0; i < 10; i++)
        for (size_t k = 0; k < 10; k++) {
            TraceEntry ref = entry(TRACE_POOLER, 1, 1, 1, 8, (const float *)(const void *)numbers), other = ref;
            Result r;
            ref.tensor.dtype = types[i], other.tensor.dtype = types[k];
            compare_entries(&r, &ref, &other, &(Criteria){.tolerance = TOLERANCE_DEFAULT});
            check(r.comparable == (i < 4 && k < 4) && r.passes == r.comparable, "%s and %s: %d", dtype_name(types[i]),
                  dtype_name(types[k]), r.comparable);
            check(r.comparable || !strcmp(r.word, "dtype"), "and that is said");
        }
}

/* An integer of any width, from bytes that are not aligned. */
static void integers_of_every_width_are_read(void)
{
    static const struct { DType type; int size; bool sign; } types[] = {
        {DTYPE_I64, 8, true}, {DTYPE_I32, 4, true}, {DTYPE_I16, 2, true}, {DTYPE_I8, 1, true}, {DTYPE_U8, 1, false},
        {DTYPE_BOOL, 1, false}};
    unsigned char bytes[65];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37 + 129);
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        const int size = types[k].size;
        const SafeTensor t = {.dtype = types[k].type, .count = 64 / (size_t)size, .data = bytes + 1};
        for (size_t i = 0; i < t.count; i++) {
            uint64_t x = 0;
            for (int b = size; b-- > 0; ) x = x << 8 | bytes[1 + i * (size_t)size + (size_t)b];      /* little-endian */
            const int rest = 64 - 8 * size;
            const int64_t wanted = types[k].sign ? (int64_t)(x << rest) / ((int64_t)1 << rest) : (int64_t)x;
            check(integer_element(&t, i) == wanted, "%s %zu: %lld", dtype_name(t.dtype), i,
                  (long long)integer_element(&t, i));
        }
    }
}

/* =====================================================================================================================
 * Half precision
 * ================================================================================================================== */

/* All finite numbers of that type from 0 up, by the reader of weights, which other tests hold against PyTorch's. */
static size_t all_halves(DType dtype, double *values)
{
    size_t n = 0;
    for (uint32_t bits = 0; bits < 0x8000; bits++) {
        const uint16_t half = (uint16_t)bits;
        const SafeTensor t = {.dtype = dtype, .count = 1, .data = &half};
        const double x = tensor_element(&t, 0);
        if (isfinite(x)) values[n++] = x;
    }
    return n;
}

/* The nearest of them, of two that are as near the one whose bits are even; infinity half a step beyond the largest. */
static double nearest(double x, const double *values, size_t n)
{
    size_t low = 0, high = n - 1;
    const double size = fabs(x);
    if (size >= values[n - 1] + (values[n - 1] - values[n - 2]) / 2) return copysign(INFINITY, x);
    if (size >= values[n - 1]) return copysign(values[n - 1], x);
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (values[middle] <= size) low = middle;
        else high = middle;
    }
    const double below = size - values[low], above = values[high] - size;
    return copysign(values[below < above || (below == above && low % 2 == 0) ? low : high], x);
}

/* Numbers in every place: those of the type, the middle of two, and beside the middle. (Below 2^-126 bfloat16 loses
 * bits one by one, and float32 as well: nobody's numbers are there.) */
static void a_number_is_rounded_to_the_nearest_of_its_type(void)
{
    static const DType dtypes[] = {DTYPE_F16, DTYPE_BF16};
    static double values[0x8000];
    for (int k = 0; k < 2; k++) {
        const size_t n = all_halves(dtypes[k], values);
        size_t wrong = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            if (dtypes[k] == DTYPE_BF16 && values[i] < 0x1p-126) continue;
            const double step = values[i + 1] - values[i];
            const double tried[] = {values[i], values[i] + step / 2, values[i] + step * 0.49, values[i] + step * 0.51};
            for (int j = 0; j < 8; j++) {
                const double x = j % 2 ? -tried[j / 2] : tried[j / 2];
                wrong += round_to(x, dtypes[k]) != nearest(x, values, n);
            }
            wrong += half_step_at(values[i], dtypes[k]) != step / 2 && values[i] != 0;
            wrong += half_step_at(-values[i], dtypes[k]) != step / 2 && values[i] != 0;
        }
        check(n > 30000 && wrong == 0, "%s: %zu of %zu are wrong", dtype_word(dtypes[k]), wrong, n);
        for (int sign = -1; sign < 2; sign += 2) {
            const double beyond = nearest(sign * FLT_MAX * 4.0, values, n);
            check(round_to(sign * FLT_MAX * 4.0, dtypes[k]) == beyond && isinf(beyond), "infinity");
            check(round_to(sign * (double)INFINITY, dtypes[k]) == sign * (double)INFINITY, "stays");
        }
        check(isnan(round_to((double)NAN, dtypes[k])) && round_to(0, dtypes[k]) == 0, "a NaN, a zero");
    }
    check(round_to(65504, DTYPE_F16) == 65504 && isinf(round_to(65520, DTYPE_F16)) && round_to(65519, DTYPE_F16) ==
          65504,
          "float16 ends at 65504");
    check(round_to(0.1, DTYPE_F64) == 0.1 && round_to(0.1, DTYPE_F32) == (double)0.1f &&
          isinf(round_to(1e39, DTYPE_F32)),
          "float64 stays, float32 is C's");
}

/* Of what is written as y: every number that may have been meant. Ours, the nearest of them, or y, by the distance in
 * half steps. */
static void what_was_computed_is_ours_if_it_may_be(void)
{
    static const double ys[] = {1, -1.5, 0.09375, 300, -7.75};
    static const DType dtypes[] = {DTYPE_F16, DTYPE_BF16};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof ys / sizeof *ys; i++)
            for (int quarters = -16; quarters <= 16; quarters++) {
                const double y = ys[i], half = half_step_at(y, dtypes[k]), d = quarters * half / 4;
                const double expected = abs(quarters) <= 4 ? y + d : abs(quarters) > 8 ? y : quarters > 0 ? y + half : y - half;
                check(as_computed(y + d, y, dtypes[k]) == expected, "%s of %g, %d quarters of half a step beside it: %.17g, "
                      "expected %.17g", dtype_word(dtypes[k]), y, quarters, as_computed(y + d, y, dtypes[k]), expected);
            }
}

/* The weights of a trial in half precision: every matrix's bits, as many times as the type has kinds of numbers. */
static void weights_are_rounded_to_the_nearest_of_their_type(void)
{
    static const DType dtypes[] = {DTYPE_F16, DTYPE_BF16};
    static float numbers[56 * 24];
    char directory[256];
    Bert m;
    Error e = {0};
    bool ok = formula_directory(directory) && formula_model(directory, "tiny", &e) == BERT_OK &&
              bert_load(&m, directory, &e) == BERT_OK;
    if (!check(ok, "the model tiny is there: %s", e.message)) return;
    seed = 6;
    for (int i = 0; i < 56 * 24; i++) {
        const double x = ldexp(1 + (next() + 1) / 2, i % 50 - 32), half = round_to(x, i % 3 ? DTYPE_F16 : DTYPE_BF16);
        const double middle = half + half_step_at(half, i % 3 ? DTYPE_F16 : DTYPE_BF16);
        numbers[i] = (float)((i % 2 ? -1 : 1) * (i % 7 == 0 ? 0 : i % 5 == 0 ? middle : i % 5 == 1 ? half : x));
    }
    m.layers[0].W1.data = numbers;
    for (int k = 0; k < 2; k++) {
        Rounding q = {0};
        if (!check(rounding_new(&q, &m, dtypes[k], NULL, &e) == BERT_OK, "%s", e.message)) break;
        const Tensor *W = &q.model.layers[0].W1;
        const SafeTensor t = {.dtype = W->dtype, .count = W->rows * W->cols, .data = W->data};
        check(t.dtype == dtypes[k] && t.count == 56 * 24, "in half precision");
        for (size_t i = 0; i < 56 * 24; i++) {
            const double wanted = round_to((double)numbers[i], dtypes[k]), got = tensor_element(&t, i);
            if (!check(got == wanted, "%s: %a becomes %a, expected %a", dtype_word(dtypes[k]), (double)numbers[i], got,
                       wanted)) break;
        }
        rounding_free(&q);
    }
    bert_free(&m);
    formula_remove(directory);
}

/* =====================================================================================================================
 * Where alone they differ
 * ================================================================================================================== */
enum { INPUT, TOKEN, FEATURE, HEAD, DIMENSIONS };
static const char *const slice_words[DIMENSIONS] = {"input", "token", "feature", "head"};

/* How many slices the tensor has in that dimension, with A heads; and which one number i is in. */
static size_t slices_of(const TraceEntry *t, int dimension, size_t A)
{
    const bool cut = t->row == TRACE_QUERY && t->cols % A == 0, scores = t->form == FORM_SCORES;
    if (dimension == INPUT) return t->B;
    if (dimension == TOKEN) return t->form == FORM_TOKENS ? t->rows : 0;
    if (dimension == FEATURE) return scores ? 0 : t->cols;
    return scores ? t->heads : cut ? A : 0;
}

static size_t slice_of(const TraceEntry *t, int dimension, size_t A, size_t i)
{
    const Place p = place_at(t, i);
    const size_t heads[] = {t->form == FORM_SCORES ? p.head : p.col / (t->cols / A)};
    return dimension == INPUT ? p.b : dimension == TOKEN ? p.row : dimension == FEATURE ? p.col : heads[0];
}

/* Where number i is when slices m and n change places. */
static size_t exchanged(const TraceEntry *t, int dimension, size_t A, size_t i, size_t m, size_t n)
{
    Place p = place_at(t, i);
    const size_t at = slice_of(t, dimension, A, i), to = at == m ? n : at == n ? m : at, D = t->cols / A;
    if (dimension == INPUT) p.b = to;
    else if (t->form == FORM_SCORES) p.head = to;
    else p.col = to * D + p.col % D;
    return index_at(t, p);
}

/* Are the numbers that count near enough, but for one slice (exchange false), or with two of them exchanged? */
static bool near_but_for(const TraceEntry *t, const float *x, const float *y, const Criteria *c, int dimension,
                         size_t m,
                         size_t n, bool exchange)
{
    double squares = 0, differences = 0;
    size_t counted = 0;
    for (size_t i = 0; i < t->tensor.count; i++) {
        if (!counts(t, c->mask, c->T, i) || (!exchange && slice_of(t, dimension, c->A, i) == m)) continue;
        const double u = (double)x[i], v = (double)y[exchange ? exchanged(t, dimension, c->A, i, m, n) : i];
        squares += u * u, differences += (u - v) * (u - v);
        counted++;
    }
    return counted && (differences == 0 || 10 * log10(differences / squares) <= -80);
}

/* The words, tried one by one. */
static void slices_sentence(char text[160], const TraceEntry *t, const float *x, const float *y, const Criteria *c)
{
    size_t where = 0, most;
    double largest = -1;
    bool feature = false;
    text[0] = 0;
    for (size_t i = 0; i < t->tensor.count; i++) {
        const double d = counts(t, c->mask, c->T, i) ? fabs((double)x[i] - (double)y[i]) : -1;
        if (d > largest) largest = d, where = i;
    }
    for (int k = 0; k < DIMENSIONS; k++) {
        const size_t m = (most = slices_of(t, k, c->A)) > 1 ? slice_of(t, k, c->A, where) : 0;
        if (most < 2 || (k == HEAD && feature) || !near_but_for(t, x, y, c, k, m, m, false)) continue;
        feature = k == FEATURE;
        snprintf(text + strlen(text), 160 - strlen(text), "%s%s %zu", *text ? ", " : "only ", slice_words[k], m);
    }
    for (int k = 0; k < DIMENSIONS && !*text; k += HEAD) {
        const size_t m = (most = slices_of(t, k, c->A)) > 1 ? slice_of(t, k, c->A, where) : 0;
        for (size_t n = 0; n < most && most <= 64 && !*text; n++)
            if (n != m && near_but_for(t, x, y, c, k, m, n, true))
                snprintf(text, 160, "%ss %zu and %zu are swapped", slice_words[k], m < n ? m : n, m < n ? n : m);
    }
}

/* Spoils one slice, the place where several of them cross, two that change places, or all. (What would be a head is
 * spoiled also where there are none.) */
static void spoil(const TraceEntry *t, size_t A, float *y, const float *x, unsigned k)
{
    const unsigned which = k % 32;
    size_t at[DIMENSIONS], m = 0, n = 0;
    const int swapped = which % 2 ? INPUT : HEAD;
    for (int d = 0; d < DIMENSIONS; d++) at[d] = slices_of(t, d, A) ? (size_t)(k / 32) * 7 % slices_of(t, d, A) : 0;
    const size_t most = slices_of(t, swapped, A);
    if (most > 1) m = (k / 32) % most, n = (m + 1 + (k / 64) % (most - 1)) % most;
    for (size_t i = 0; i < t->tensor.count; i++) {
        bool inside = true;
        for (int d = 0; d < DIMENSIONS; d++)
            if (which >> d & 1 && (slices_of(t, d, A) || (d == HEAD && t->cols % A == 0)))
                inside &= slice_of(t, d, A, i) == at[d];
        y[i] = which < 16 && inside ? x[i] * 1.5f + 1 : x[i];
        if (which >= 16 && most > 1) y[i] = x[exchanged(t, swapped, A, i, m, n)];
    }
}

static void a_part_that_differs_alone_is_named(void)
{
    enum { LARGE = 70 * 12 * 2 };
    static const struct { TraceName row; size_t B, heads, rows, cols; } shapes[] = {
    {TRACE_QUERY, 1, 1, 4, 12}, {TRACE_QUERY, 3, 1, 4, 12}, {TRACE_QUERY, 2, 1, 1, 12},
            {TRACE_OUTPUT_NORM, 2, 1, 4, 12},
    {TRACE_SCORES, 1, 3, 4, 4}, {TRACE_SCORES, 4, 3, 4, 4}, {TRACE_SCORES, 2, 1, 4, 4}, {TRACE_POOLER, 1, 1, 1, 12},
    {TRACE_POOLER, 3, 1, 1, 12}, {TRACE_QUERY, 2, 1, 4, 11}, {TRACE_POOLER, 64, 1, 1, 12},
            {TRACE_POOLER, 65, 1, 1, 12}};
    float x[LARGE], y[LARGE];
    int32_t mask[70 * 4];
    size_t named = 0;
    seed = 9;
    for (unsigned k = 0; k < 12 * 2 * 32 * 12; k++) {
        const unsigned shape = k % 12;
        const TraceEntry ref = entry(shapes[shape].row, shapes[shape].B, shapes[shape].heads, shapes[shape].rows,
                                     shapes[shape].cols, x);
        TraceEntry other = ref;
        for (size_t i = 0; i < ref.tensor.count; i++) x[i] = (float)(next() + 2);
        for (size_t i = 0; i < 70 * 4; i++)                             /* each input has a token */
            mask[i] = ref.form == FORM_WHOLE || i % ref.rows == 0 || (k / 24 % 3 && next() > -0.3);
        other.tensor.data = y;
        spoil(&ref, 3, y, x, k / 24);
        const Criteria criteria = {.tolerance = TOLERANCE_DEFAULT, .B = ref.B, .T = ref.rows > 1 ? ref.rows : 1, .A = 3,
                                   .mask = k / 12 % 2 ? mask : NULL};
        char found[160], wanted[160];
        Result r;
        compare_entries(&r, &ref, &other, &criteria);
        if (r.passes) continue;
        put_slices(found, &ref, &other, &r, &criteria);
        slices_sentence(wanted, &ref, x, y, &criteria);
        check(!strcmp(found, wanted), "case %u, shape %u: \"%s\", expected \"%s\"", k, shape, found, wanted);
        named += *wanted != 0;
    }
    check(named > 2000, "%zu are named", named);
}

/* =====================================================================================================================
 * Whose positions differ
 * ================================================================================================================== */
enum { MOST_IDS = 12 };

/* count integers of a row of ids, or no tensor for count < 0. */
static SafeTensor ids_of(char *name, int count, int T, const int64_t *values)
{
    if (count < 0) return (SafeTensor){.name = name};
    return (SafeTensor){.name = name, .dtype = DTYPE_I64, .rank = 2, .shape = {T ? (size_t)(count / T) : 0, (size_t)T},
                        .count = (size_t)count, .data = values};
}

/* Position i of a side that has `count` of them, or none. */
static int64_t position(int count, const int64_t *values, int T, int i)
{
    return count < 0 ? i % T : values[i % count];
}

/* The sentence, from the definition: a side without positions has 0 .. T-1 in each row, one with fewer than the other
 * has the same for all rows. `mask` NULL: all count. */
static void positions_sentence(char text[256], int n, const int64_t *x, int m, const int64_t *y, int T,
                               const int64_t *mask, int masked)
{
    const char *const name = n >= 0 ? "ours" : "theirs";
    int most = T;
    text[0] = 0;
    if ((n < 0 && m < 0) || n == 0 || m == 0) return;
    if (!T) T = most = n > 0 ? n : m;
    if (n > most) most = n;
    if (m > most) most = m;
    if ((n > 0 && most % n) || (m > 0 && most % m)) {
        snprintf(text, 256, "%s: %d numbers, expected %d", name, m > 0 ? m : T, n > 0 ? n : T);
        return;
    }
    for (int i = most - 1; i >= 0; i--) {                               /* the last that is written is the first */
        const int64_t expected = position(n, x, T, i), found = position(m, y, T, i);
        if (expected == found || (mask && masked == most && !mask[i])) continue;
        snprintf(text, 256, "%s: token %d is %lld, expected %lld%s", name, i, (long long)found, (long long)expected,
                 n < 0 ? " (REF has none: BERT's own)" : m < 0 ? " (OTHER has none: BERT's own)" : "");
    }
}

/* Every number of positions on both sides, with ids and masks on one of them, both or none. */
static void positions_are_compared_as_they_are_counted(void)
{
    static const int numbers[] = {-1, 0, 1, 2, 3, 4, 6, 12};
    static const int rows[][2] = {{6, 6}, {12, 6}, {12, 3}, {12, 12}, {3, 3}};
    static char names[4][20] = {"ours", "theirs", "input_ids", "attention_mask"};
    static const int64_t zeros[MOST_IDS];
    size_t different = 0;
    seed = 7;
    for (int k = 0; k < 5 * 8 * 8 * 4 * 3 * 4; k++) {
        const int *row = rows[k % 5], n = numbers[k / 5 % 8], m = numbers[k / 40 % 8], at = k / 320 % 4, masked =
            k / 1280 % 3;
        const int odd = k / 3840 % 4;                                   /* a number that is not BERT's own, on a side */
        int64_t x[MOST_IDS], y[MOST_IDS], mask[MOST_IDS];
        char found[256], wanted[256];
        TraceView ref = {.path = "REF"}, other = {.path = "OTHER"};
        const int T = at ? row[1] : 0;
        for (int i = 0; i < MOST_IDS; i++) {
            mask[i] = next() > -0.5;
            x[i] = i % row[1] + (odd == 1 && next() > 0.5), y[i] = i % row[1] + (odd == 2 && next() > 0.5);
        }
        ref.positions = ids_of(names[0], n, row[1], x), other.positions = ids_of(names[1], m, row[1], y);
        if (at & 1) ref.ids[0] = ids_of(names[2], row[0], row[1], zeros);
        if (at & 2) other.ids[0] = ids_of(names[2], row[0], row[1], zeros);
        if (masked) (masked == 1 ? &ref : &other)->ids[2] = ids_of(names[3], row[0], row[1], mask);
        compare_ids(found, &ref, &other, NULL);
        positions_sentence(wanted, n, x, m, y, T, masked ? mask : NULL, row[0]);
        check(!strcmp(found, wanted), "case %d, %d and %d of %d: \"%s\", expected \"%s\"", k, n, m, T, found, wanted);
        different += *wanted != 0;
    }
    check(different > 1000, "%zu differ", different);
}

/* x (n) as numbers of that type, whose bits go into `bits`. */
static void store_as(SafeTensor *t, DType dtype, const float *x, uint16_t *bits)
{
    static double values[2][0x8000];
    static size_t n[2];
    const int k = dtype == DTYPE_BF16;
    if (!n[k]) n[k] = all_halves(dtype, values[k]);
    for (size_t i = 0; i < t->count; i++) {
        const double half = fabs(nearest((double)x[i], values[k], n[k]));
        size_t low = 0, high = n[k];
        while (high - low > 1) {
            const size_t middle = (low + high) / 2;
            if (values[k][middle] <= half) low = middle;
            else high = middle;
        }
        bits[i] = (uint16_t)(low | (x[i] < 0 ? 0x8000 : 0));
    }
    t->dtype = dtype, t->data = bits;
}

/* The sum of the squared differences of two sides of which one or both are written in half precision, from what
 * verify/compare.c says of it: `apart` and `add_steps`. */
static double differences_through(const SafeTensor *x, const SafeTensor *y, bool computed_so, double *squares)
{
    const bool both = is_half(x->dtype) && is_half(y->dtype) && !computed_so;
    const bool x_written = is_half(x->dtype) && !is_half(y->dtype) && !computed_so;
    const bool y_written = is_half(y->dtype) && !is_half(x->dtype) && !computed_so;
    const DType coarse = x->dtype == DTYPE_BF16 || y->dtype == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F16;
    double size = 0, apart = 0, steps = 0, weights = 0, counted = 0;
    *squares = 0;
    for (size_t i = 0; i < x->count; i++) {
        if (tensor_element(x, i) < -1e30) continue;                     /* a hidden score */
        size += tensor_element(x, i) * tensor_element(x, i);
        counted++;
    }
    const double ordinary = 2 * half_step_at(sqrt(size / counted), coarse);
    for (size_t i = 0; i < x->count; i++) {
        const double u = tensor_element(x, i), v = tensor_element(y, i), a = round_to(u, coarse), b =
            round_to(v, coarse);
        if (hides(u, v, true, false)) continue;
        const double half = half_step_at(x_written ? u : v, coarse), d = fabs(u - v);
        const double step = 2 * half_step_at(fmax(fabs(a), fabs(b)), coarse), weight = 1 / fmax(step, ordinary);
        *squares += a * a;
        if (both) weights += weight * weight;
        if (both && fabs(a - b) <= step) steps += weight * fabs(a - b);
        else if (x_written || y_written) apart += a == b || d <= half ? 0 : d * d - half * half;
        else apart += (a - b) * (a - b);
    }
    return apart + (weights > 0 ? steps * steps / weights : 0);
}

/* Every pair of types, with errors of less than a step and of many. */
static void what_half_precision_hides_is_taken_out(void)
{
    enum { N = 96 };
    static const DType types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    float x[N], y[N];
    uint16_t bits[2][N];
    size_t apart = 0;
    seed = 8;
    for (int k = 0; k < 9 * 2 * 40; k++) {
        const bool scores = k / 360;
        TraceEntry ref = scores ? entry(TRACE_SCORES, 1, 6, 4, 4, x) : entry(TRACE_OUTPUT_NORM, 1, 1, 12, 8, x), other =
            ref;
        other.tensor.data = y;
        const bool computed_so = k / 9 % 2;
        const double error = pow(2, -(double)(k / 18 % 20));
        for (int i = 0; i < N; i++) {
            x[i] = (float)(next() * (i % 8 == 3 ? 60 : 1));
            y[i] = (float)((double)x[i] * (1 + error * next()));
            if (scores && i % 11 == 5) x[i] = y[i] = -3e38f;
        }
        if (k % 3) store_as(&ref.tensor, types[k % 3], x, bits[0]);
        if (k / 3 % 3) store_as(&other.tensor, types[k / 3 % 3], y, bits[1]);
        if (k % 9 == 0) continue;                                       /* two in float32 */
        Result r;
        double squares;
        compare_entries(&r, &ref, &other, &(Criteria){.tolerance = TOLERANCE_DEFAULT, .computed_so = computed_so});
        const double differences = differences_through(&ref.tensor, &other.tensor, computed_so, &squares);
        check(about(r.nmse, differences / squares), "case %d: NMSE %g, expected %g", k, r.nmse, differences / squares);
        check(about(r.rms, sqrt(differences / N)), "case %d: rms %g", k, r.rms);
        apart += differences > 0;
    }
    check(apart > 300, "%zu of them are apart", apart);
}

/* A mask says nothing of sequences and tokens that it does not have: they count. (Its memory ends with it.) */
static void what_is_beyond_the_mask_counts(void)
{
    static const float x[MOST];
    for (size_t B = 1; B < 4; B++)
        for (size_t T = 1; T < 8; T++)
            for (int k = 0; k < 3; k++) {
                int32_t *mask = calloc(B * T, sizeof *mask);
                if (!check(mask != NULL, "memory")) return;
                const TraceEntry t = entry(forms[k], 2, k == 1 ? 3 : 1, k == 2 ? 1 : 5, k == 1 ? 5 : 4, x);
                const Criteria criteria = {.B = B, .T = T, .mask = mask};
                for (size_t i = 0; i < t.tensor.count; i++) {
                    const bool beyond = place_at(&t, i).b >= B || (k != 2 && T < 5);
                    check(element_counts(&t, &criteria, i) == beyond, "form %d, mask (%zu,%zu): number %zu", k, B, T,
                          i);
                }
                free(mask);
            }
}

/* =====================================================================================================================
 * Second names
 * ================================================================================================================== */
enum { NAMES = 4, NUMBERS = 32, ABSENT = 3 };
static char second_names[NAMES][40] = {"encoder.layer.0.output.LayerNorm", "encoder.layer.0", "encoder.layer.0.output",
                                       "hidden_states.1"};      /* as they are sorted: the module's own name is first */

/* A view of those names that are there, each with one of three contents. */
static bool second_view(TraceView *view, SafeTensor tensors[NAMES], const int content[NAMES],
                        float data[ABSENT][NUMBERS])
{
    Error e = {0};
    size_t count = 0;
    for (int i = NAMES; i-- > 0; )
        if (content[i] != ABSENT)
            tensors[count++] = (SafeTensor){.name = second_names[i], .dtype = DTYPE_F32, .rank = 2, .shape = {4, 8},
                                            .count = NUMBERS, .data = data[content[i]]};
    return check(view_make(view, "x", tensors, count, (Known){.last = 1}, &e) == BERT_OK, "%s", e.message);
}

/* One trace against another, each with some of the names: every twin that there should be, in the order of the names,
 * and what it says. */
static void check_seconds(const int ref[NAMES], const int other[NAMES], float data[ABSENT][NUMBERS])
{
    TraceView views[2];
    SafeTensor tensors[2][NAMES];
    TraceComparison c = {0};
    Error e = {0};
    int first[2] = {0, 0};
    size_t n = 0, different = 0;
    while (first[0] < NAMES && ref[first[0]] == ABSENT) first[0]++;
    while (first[1] < NAMES && other[first[1]] == ABSENT) first[1]++;
    if (first[0] == NAMES || first[1] == NAMES) return;
    if (!second_view(&views[0], tensors[0], ref, data) || !second_view(&views[1], tensors[1], other, data)) return;
    const Criteria criteria = {.tolerance = TOLERANCE_DEFAULT};
    const bool ok = comparison_new(&c, &views[0], &views[1], &criteria, &e) == BERT_OK && comparison_twins(&c, &e) ==
        BERT_OK;
    if (!check(ok, "%s", e.message)) return;
    const int a = ref[first[0]], b = other[first[1]];
    const Twin *wanted = NULL;
    for (int i = 0; i < NAMES; i++) {
        const bool of_ref = ref[i] != ABSENT && i > first[0], of_other = other[i] != ABSENT && i > first[1];
        if (!of_ref && !of_other) continue;
        const int x = of_ref ? ref[i] : a, y = of_other ? other[i] : b;
        const bool passes = x == y, same = !passes && x == a && y == b;
        if (!check(n < c.twin_count, "%zu twins", c.twin_count)) break;
        const Twin *t = &c.twins[n++];
        check_text("its name", twin_name(t), second_names[i]);
        check(t->of_ref == of_ref && t->result.passes == passes && t->same == same, "%s: %d %d", second_names[i],
              t->result.passes, t->same);
        check(twin_contradicts(&c, t) == (passes != (a == b) || (!passes && !same)), "%s contradicts", second_names[i]);
        if (!passes && a == b && !wanted) wanted = t;
        different += !passes;
    }
    check(n == c.twin_count && different == c.twins_different, "%zu twins, %zu different", c.twin_count,
          c.twins_different);
    check(first_twin(&c) == wanted, "the first that differs, where the pair does not");
    comparison_free(&c);
    view_free(&views[0]), view_free(&views[1]);
}

static void every_second_name_is_compared_with_what_it_is_called(void)
{
    float data[ABSENT][NUMBERS];
    seed = 10;
    for (int i = 0; i < ABSENT * NUMBERS; i++) data[i / NUMBERS][i % NUMBERS] = (float)next();
    for (int k = 0; k < 65536; k += 5) {
        int ref[NAMES], other[NAMES];
        for (int i = 0; i < NAMES; i++) ref[i] = k >> 2 * i & 3, other[i] = k >> (8 + 2 * i) & 3;
        check_seconds(ref, other, data);
    }
}

/* A wrong tensor under two names, the second as somebody wrote it, against `right`: are the two called the same? The
 * token `hidden` is padding. */
static bool called_the_same(const SafeTensor *first, const SafeTensor *second, const SafeTensor *right, Tolerance t,
                            int hidden)
{
    const int64_t mask[4] = {hidden != 0, 1, 1, hidden != 3};
    TraceView views[2];
    SafeTensor ref[2] = {*right, {.name = "attention_mask", .dtype = DTYPE_I64, .rank = 1, .shape = {4}, .count = 4,
                                  .data = mask}}, other[2] = {*first, *second};
    const int32_t narrow[4] = {hidden != 0, 1, 1, hidden != 3};
    const Criteria criteria = {.tolerance = t, .B = 1, .T = 4, .mask = narrow};
    TraceComparison c = {0};
    Error e = {0};
    bool same = false;
    ref[0].name = other[0].name = second_names[0], other[1].name = second_names[2];
    check(view_make(&views[0], "x", ref, 2, (Known){.last = 1}, &e) == BERT_OK &&
          view_make(&views[1], "y", other, 2, (Known){.last = 1}, &e) == BERT_OK &&
          comparison_new(&c, &views[0], &views[1], &criteria, &e) == BERT_OK && comparison_twins(&c, &e) == BERT_OK &&
          c.twin_count == 1 && !c.twins[0].result.passes, "%s", e.message);
    if (c.twin_count == 1) same = c.twins[0].same;
    comparison_free(&c);
    view_free(&views[0]), view_free(&views[1]);
    return same;
}

/* As far as both types go, and the tolerance: but exactly where everything must be exact. Padding does not count,
 * whether it comes first or last. */
static void second_names_are_the_same_as_far_as_their_types_go(void)
{
    static const Tolerance tolerances[] = {{.kind = TOLERANCE_NMSE, .decibel = -80}, {.kind = TOLERANCE_NMSE, .decibel =
                                                            -40},
                                           {.kind = TOLERANCE_EXACT}, {.kind = TOLERANCE_CLOSE, .atol = 1e-6}};
    static const DType types[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    float right[NUMBERS], x[NUMBERS], y[NUMBERS];
    uint16_t bits[2][NUMBERS];
    seed = 11;
    for (int k = 0; k < 4 * 9 * 24; k++) {
        const double error = k / 36 % 8 ? pow(10, -(double)(k / 36 % 8)) : 0;
        const int hidden = k / 36 % 2 ? 0 : 3;
        double squares = 0, differences = 0;
        for (int i = 0; i < NUMBERS; i++) {
            right[i] = (float)next();
            x[i] = k / 288 == 1 ? 0 : (float)next();
            y[i] = (float)((double)x[i] * (1 + error * next()) + (k / 288 == 1 ? error : 0));
            if (i / 8 == hidden && k / 288 == 2) y[i] = i % 8 == 7 ? NAN : 7;                   /* padding */
        }
        SafeTensor first = {.name = "", .dtype = DTYPE_F32, .rank = 2, .shape = {4, 8}, .count = NUMBERS, .data = x};
        SafeTensor second = first, expected = first;
        second.data = y, expected.data = right;
        if (k / 4 % 3) store_as(&first, types[k / 4 % 3], x, bits[0]);
        if (k / 12 % 3) store_as(&second, types[k / 12 % 3], y, bits[1]);
        for (size_t i = 0; i < NUMBERS; i++) {
            if ((int)i / 8 == hidden) continue;
            const double u = round_to(tensor_element(&first, i), second.dtype);
            const double v = round_to(tensor_element(&second, i), first.dtype);
            squares += u * u, differences += (u - v) * (u - v);
        }
        const Tolerance *t = &tolerances[k % 4];
        const bool near = t->kind == TOLERANCE_NMSE && squares > 0 && 10 * log10(differences / squares) <= t->decibel;
        const bool same = called_the_same(&first, &second, &expected, *t, hidden);
        check(same == (differences == 0 || near), "case %d: %g of %g: %d", k, differences, squares, same);
    }
}

/* =====================================================================================================================
 * What a view makes of a file's tensors
 * ================================================================================================================== */

/* How a mask is recorded: a row for all sequences, one for each, one for each query, or for each head and query. */
typedef enum { ONE_ROW, ROWS, ROWS_OF_HEADS, SQUARES, SQUARES_OF_HEADS, ONE_SQUARE, MASK_SHAPES } MaskShape;
typedef enum { MASK_I64, MASK_BOOL, MASK_FLOAT, MASK_ADDED, MASK_TYPES } MaskType;
enum { MASK_HEADS = 3, MOST_MASK = 4 * MASK_HEADS * 5 * 5 };

static void mask_shape(SafeTensor *t, MaskShape shape, size_t B, size_t T)
{
    const size_t shapes[MASK_SHAPES][4] = {{1, 1, 1, T}, {1, 1, B, T}, {B, 1, 1, T}, {B, 1, T, T},
                                           {B, MASK_HEADS, T, T},
                                           {1, 1, T, T}};
    const int rank = shape == ONE_ROW || shape == ROWS || shape == ONE_SQUARE ? 2 : 4;
    t->rank = shape == ONE_ROW && T % 2 ? 1 : rank;
    t->count = 1;
    for (int i = 0; i < t->rank; i++) t->shape[i] = shapes[shape][4 - t->rank + i], t->count *= t->shape[i];
}

/* Every shape and type, of any mask that leaves a token in each text: the view has the mask of the keys, (B,T). */
static void a_mask_is_read_in_every_shape_and_type(void)
{
    static const DType dtypes[MASK_TYPES] = {DTYPE_I64, DTYPE_BOOL, DTYPE_F32, DTYPE_F32};
    static int64_t zeros[20];
    int64_t wide[MOST_MASK];
    float floats[MOST_MASK];
    unsigned char bytes[MOST_MASK];
    const void *const data[MASK_TYPES] = {wide, bytes, floats, floats};
    char ids_name[] = "input_ids", mask_name[] = "attention_mask";
    Error e = {0};
    seed = 12;
    for (int k = 0; k < MASK_SHAPES * MASK_TYPES * 4 * 5 * 6; k++) {
        const MaskShape shape = (MaskShape)(k % MASK_SHAPES);
        const MaskType type = (MaskType)(k / MASK_SHAPES % MASK_TYPES);
        const size_t B = 1 + (size_t)(k / 24 % 4), T = 1 + (size_t)(k / 96 % 5);
        const bool shared = shape == ONE_ROW || (shape == ONE_SQUARE && B != T);
        bool real[20];
        for (size_t i = 0; i < 20; i++) real[i] = i % T == (size_t)k % T || next() > 0;
        for (size_t i = T; shared && i < B * T; i++) real[i] = real[i % T];
        SafeTensor mask = {.name = mask_name, .dtype = dtypes[type], .data = data[type]};
        mask_shape(&mask, shape, B, T);
        const bool as_rows = shape == ONE_SQUARE && B == T;
            /* as many numbers as tokens: a row for each text */
        for (size_t i = 0; i < mask.count; i++) {
            const size_t each = mask.count / (shared ? 1 : B), b = i / each;
            const bool one = as_rows ? real[i] : real[b * T + i % T];
            wide[i] = bytes[i] = one, floats[i] = type == MASK_ADDED ? (one ? 0 : -1e4f) : one;
        }
        const SafeTensor tensors[2] = {mask, {.name = ids_name, .dtype = DTYPE_I64, .rank = 2, .shape = {B, T}, .count =
                                              B * T,
                                              .data = zeros}};
        TraceView view;
        if (!check(view_make(&view, "x", tensors, 2, (Known){.last = 1}, &e) == BERT_OK, "%d: %s", k, e.message)) break;
        const SafeTensor *made = &view.ids[2];
        bool right = made->count == B * T;
        for (size_t i = 0; right && i < B * T; i++) right = (integer_element(made, i) != 0) == real[i];
        check(right, "mask %d of type %d, %zu texts of %zu tokens: %zu numbers", (int)shape, (int)type, B, T,
              made->count);
        view_free(&view);
    }
}

/* Dropout is noted in the tensors that it goes over and in their gradients, if they have numbers enough and more than a
 * fiftieth of them is 0; rows of nothing but zeros are padding. */
static void dropout_is_noted_where_it_goes(void)
{
    static const struct { char name[60]; bool over; } all[] = {
        {"embeddings.LayerNorm", true}, {"encoder.layer.0.attention.output.dense", true},
        {"encoder.layer.1.output.dense", true}, {"grad.encoder.layer.1.output.dense", true},
        {"encoder.layer.0.intermediate", false}, {"embeddings.word_embeddings", false}, {"pooler", false},
        {"encoder.layer.0.attention.output.LayerNorm", false}, {"grad.encoder.layer.1.output.dense.weight", false},
        {"encoder.layer.0.attention.self.query", false}};
    float x[6 * 51];
    Error e = {0};
    for (size_t k = 0; k < 10 * 7 * 12; k++) {
        const size_t rows = k / 10 % 7, zeros = k / 70, width = rows == 5 ? 51 : rows == 4 ? 64 : 50;
        const size_t n = rows * width;                                  /* 255 and 256, too */
        char name[60];
        strcpy(name, all[k % 10].name);
        for (size_t i = 0; i < n; i++) x[i] = i / width == 2 ||
            (i / width != 2 && i % width == 7 && i / width < zeros) ? 0 : 1;
        for (size_t i = 0; zeros > 6 && i < zeros; i++) x[i] = 0;       /* more of them, in the first row */
        size_t none = 0, counted = 0;
        for (size_t r = 0; r < rows; r++) {
            size_t here = 0;
            for (size_t i = 0; i < width; i++) here += x[r * width + i] == 0;
            if (here < width) none += here, counted += width;
        }
        const double share = counted ? (double)none / (double)counted : 0;
        const bool whole = !strcmp(name, "pooler");
        const SafeTensor t = {.name = name, .dtype = DTYPE_F32, .rank = 2, .shape =
                              {whole ? 1 : rows, whole ? n : width},
                              .count = n, .data = x};
        TraceView view;
        if (!check(view_make(&view, "x", &t, 1, (Known){.last = 1}, &e) == BERT_OK, "%s", e.message)) break;
        const bool noted = all[k % 10].over && n >= 256 && share > 0.02;
        const double found = view.count ? zeroed_share(&view.entries[0]) : 0;
        check(found == (noted ? share : 0), "%s, %zu numbers, %zu of %zu are 0: %g", name, n, none, counted, found);
        view_free(&view);
    }
}

/* Names as they are read: the prefix of a whole model, the number of an output, up to six digits of a layer. */
static void names_are_read_with_their_layer(void)
{
    static const struct { const char *name, *ours; int layer; bool split, unscaled; } names[] = {
        {"encoder.layer.3.output.dense", "encoder.layer.3.output.dense", 3, false, false},
        {"bert.encoder.layer.12.output.dense", "encoder.layer.12.output.dense", 12, false, false},
        {"bert/encoder/layer_3/output/dense/BiasAdd:0", "encoder.layer.3.output.dense", 3, false, false},
        {"bert/encoder/layer_3/output/dense/BiasAdd:1", NULL, 0, false, false},
        {"distilbert.transformer.layer.5.ffn.lin1", "encoder.layer.5.intermediate.dense", 5, false, false},
        {"encoder.layer.999999.output.dense", "encoder.layer.999999.output.dense", 999999, false, false},
        {"encoder.layer.1000000.output.dense", NULL, 0, false, false}, {"encoder.layer..output.dense", NULL, 0, false,
                                                            false},
        {"encoder.layer.3.output.dense.", NULL, 0, false, false}, {"encoder.layer.3.output.dens", NULL, 0, false,
                                                            false},
        {"encoder.layer.-3.output.dense", NULL, 0, false, false}, {"bert.bert.pooler", NULL, 0, false, false},
        {"pooler:0", "pooler", -1, false, false}, {":0", NULL, 0, false, false}, {"", NULL, 0, false, false},
        {"hidden_states.0", "embeddings.LayerNorm", -1, false, false},
        {"hidden_states.1", "encoder.layer.0.output.LayerNorm", 0, false, false},
        {"hidden_states.13", "encoder.layer.12.output.LayerNorm", 12, false, false},
        {"blocks.0.hook_resid_pre", "embeddings.LayerNorm", -1, false, false},
        {"blocks.4.hook_resid_pre", "encoder.layer.3.output.LayerNorm", 3, false, false},
        {"attentions.0", "encoder.layer.0.attention.self.probs", 0, false, false},
        {"blocks.2.attn.hook_q", "encoder.layer.2.attention.self.query", 2, true, false},
        {"kq-7", "encoder.layer.7.attention.self.scores", 7, false, true},
            {"Vcur-0", "encoder.layer.0.attention.self.value", 0,
        true, false}, {"last_hidden_state", "encoder.layer.8.output.LayerNorm", 8, false, false},
        {"result_embd", "encoder.layer.8.output.LayerNorm", 8, false, false}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TraceEntry t = {.layer = -1};
        const bool known = resolve_name(&t, names[i].name, 8);
        if (!check(known == (names[i].ours != NULL), "'%s' is known: %d", names[i].name, known) || !known) continue;
        check_text(names[i].name, t.name, names[i].ours);
        check(t.layer == names[i].layer && t.split_heads == names[i].split && t.unscaled == names[i].unscaled,
              "%s: layer %d", names[i].name, t.layer);
    }
    for (TraceName row = 0; row < TRACE_COUNT; row++)                   /* the order of the data, layer by layer */
        for (int layer = 0; layer < 3; layer++) {
            char name[96], before[96];
            TraceEntry t, earlier;
            spec_name(trace_table[row].name, layer, name, sizeof name);
            const bool head = row > TRACE_OUTPUT_NORM, first = row == TRACE_QUERY;
            const TraceName last = first && layer ? TRACE_OUTPUT_NORM : row - 1;
            if (row == 0 || (!trace_per_layer(&trace_table[row]) && layer) || row == TRACE_TOKEN_CLASSIFIER) continue;
            spec_name(trace_table[last].name, head ? 700000 : first ? layer - 1 : layer, before, sizeof before);
            check(resolve_name(&t, name, -1) && resolve_name(&earlier, before, -1) && t.order > earlier.order,
                  "%s after %s",
                  name, before);
        }
}

/* Lines of at most 120 columns, each as full as it can be, indented by four but for the first; what stands in brackets
 * is one word. */
static void sentences_are_wrapped_between_their_words(void)
{
    char text[600], wanted[900], word[130], printed[900];
    seed = 13;
    for (int k = 0; k < 2000; k++) {
        size_t column = 0;
        *text = *wanted = 0;
        while (strlen(text) < 400) {
            const int length = 1 + (int)((next() + 1) * (k % 7 ? 9 : 55)), brackets = next() > 0.7;
            snprintf(word, sizeof word, "%.*s", length, brackets ?
                     "(two words in brackets that may be long, and more of it"
                     " than there is room for at the end of a line)" :
                         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
                     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh");
            if (brackets) word[length - (length > 1)] = ')', word[length] = 0;
            if (brackets && length == 1) strcpy(word, "()");
            const size_t n = strlen(word);
            const bool new_line = column > 0 && column + 1 + n > 120;
            snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s%s", new_line ? "\n    " : column ?
                     " " : "",
                     word);
            column = (new_line ? 4 : column ? column + 1 : 0) + n;
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? k % 3 ? " " : "  " : "", word);
        }
        strcat(wanted, "\n");
        FILE *out = tmpfile();
        if (!check(out != NULL, "a file")) return;
        print_wrapped(out, text);
        rewind(out);
        printed[fread(printed, 1, sizeof printed - 1, out)] = 0;
        fclose(out);
        if (!check(!strcmp(printed, wanted), "%d: \"%s\", expected \"%s\"", k, printed, wanted)) break;
    }
}

const Test measure_tests[] = {
    {"sentences_are_wrapped_between_their_words", sentences_are_wrapped_between_their_words},
    {"a_mask_is_read_in_every_shape_and_type", a_mask_is_read_in_every_shape_and_type},
    {"dropout_is_noted_where_it_goes", dropout_is_noted_where_it_goes},
    {"names_are_read_with_their_layer", names_are_read_with_their_layer},
    {"every_second_name_is_compared_with_what_it_is_called", every_second_name_is_compared_with_what_it_is_called},
    {"second_names_are_the_same_as_far_as_their_types_go", second_names_are_the_same_as_far_as_their_types_go},
    {"a_part_that_differs_alone_is_named", a_part_that_differs_alone_is_named},
    {"what_half_precision_hides_is_taken_out", what_half_precision_hides_is_taken_out},
    {"what_is_beyond_the_mask_counts", what_is_beyond_the_mask_counts},
    {"positions_are_compared_as_they_are_counted", positions_are_compared_as_they_are_counted},
    {"what_was_computed_is_ours_if_it_may_be", what_was_computed_is_ours_if_it_may_be},
    {"weights_are_rounded_to_the_nearest_of_their_type", weights_are_rounded_to_the_nearest_of_their_type},
    {"every_figure_is_what_its_name_says", every_figure_is_what_its_name_says},
    {"a_zero_has_a_sign_where_everything_must_be_exact", a_zero_has_a_sign_where_everything_must_be_exact},
    {"integers_are_not_compared_as_numbers", integers_are_not_compared_as_numbers},
    {"integers_of_every_width_are_read", integers_of_every_width_are_read},
    {"a_number_is_rounded_to_the_nearest_of_its_type", a_number_is_rounded_to_the_nearest_of_its_type},
    {"right_numbers_are_found_in_every_order", right_numbers_are_found_in_every_order},
    {"other_numbers_are_in_no_order", other_numbers_are_in_no_order},
    {"an_order_must_fit_and_gain", an_order_must_fit_and_gain},
    {"what_does_not_count_has_no_order", what_does_not_count_has_no_order},
    {"a_shape_says_the_order", a_shape_says_the_order},
    {NULL, NULL},
};
