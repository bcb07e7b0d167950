/* test_tensor.c - tensor.c: the order of sums, the four curves, the fast kernel against the definition. */
#include "test.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const bool is_double = sizeof(real) == sizeof(double);

/* A small generator of our own (xorshift), so that every machine tests the same numbers. */
static uint32_t random_state = 2463534242u;
static uint32_t random_bits(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

static real random_real(void)                   /* in [-1, 1), 24 bits */
{
    return (real)((double)(random_bits() >> 8) / 8388608.0 - 1);
}

static real *random_reals(size_t n)
{
    real *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = random_real();
    return x;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ------------------------------------------------------- sums ---------------------------------------------------- */

/* 1, then 127 products of 2^-24: one long chain loses them all, as does pairwise rounding; and 2^-24 in a chunk of its
 * own survives only when chunks are summed before they are added. The expected value is worked out by hand:
 * chunk 0 = 1 (each fma rounds 1 + 2^-24 back to 1, ties to even), chunk 1 = 128 * 2^-24 = 2^-17, sum = 1 + 2^-17. */
static void sums_are_cut_every_128_products(void)
{
    real x[256], w[256], out;
    for (int k = 0; k < 256; k++) x[k] = k ? (real)ldexp(1, -24) : 1, w[k] = 1;
    product_ref(&out, 1, (Matrix){x, 1, 256, 256}, (Matrix){w, 1, 256, 256}, BY_ROWS);
    double chunk0 = is_double ? 1 + 127 * ldexp(1, -24) : 1;
    check_value("sum", (double)out, chunk0 + ldexp(1, -17), 0);
}

/* (1 + 2^-12)^2 - 1 = 2^-11 + 2^-24: a product rounded before it is added would lose the 2^-24. */
static void products_are_fused_with_their_sum(void)
{
    real x[2] = {-1, 1 + (real)ldexp(1, -12)}, w[2] = {1, 1 + (real)ldexp(1, -12)}, out;
    product_ref(&out, 1, (Matrix){x, 1, 2, 2}, (Matrix){w, 1, 2, 2}, BY_ROWS);
    check_value("sum", (double)out, ldexp(1, -11) + ldexp(1, -24), 0);
}

static void fma_by_double_equals_the_instruction(void)
{
    for (int i = 0; i < 2000000; i++) {
        float a = float_of(random_bits()), b = float_of(random_bits()), c = float_of(random_bits());
        if (i & 1) c = -a * b * (1 + (float)random_real() * 1e-6f);         /* cancellation */
        if (i % 5 == 0) a = float_of(random_bits() & 0x80ffffffu);          /* subnormal products */
        float got = fma_without_instruction(a, b, c), want = fmaf(a, b, c);
        if (isnan(got) && isnan(want)) continue;
        if (!check(!memcmp(&got, &want, sizeof got), "fma(%a, %a, %a) = %a, expected %a", (double)a, (double)b,
                   (double)c, (double)got, (double)want)) return;
    }
}

/* (NaN is NaN: a processor that converts a signalling one makes it quiet, and payloads are outside the promise.) */
static bool same_bits(const char *what, const real *got, const real *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) && !(isnan(got[i]) && isnan(want[i])))
            return check(false, "%s: element %zu is %a, expected %a", what, i, (double)got[i], (double)want[i]);
    return true;
}

/* One size of a linear layer, fast and by definition, with weights of a dtype. */
static bool compare_linear(size_t N, size_t K, size_t O, DType dtype)
{
    real *x = random_reals(N * K), *b = random_reals(O);
    real *fast = malloc(N * O * sizeof(real)), *slow = malloc(N * O * sizeof(real));
    unsigned char *w = malloc(O * K * 4);
    for (size_t i = 0; i < O * K; i++) {
        float value = (float)random_real();
        uint16_t half = (uint16_t)(random_bits() & 0xbbff);                 /* finite halves of both kinds */
        if (dtype == DTYPE_F32) memcpy(w + i * 4, &value, 4);
        else memcpy(w + i * 2, &half, 2);
    }
    Scratch s = {malloc(scratch_rows(N) * K * sizeof(real)), malloc(ROW_GROUP * K * sizeof(real))};
    Tensor W = {w, dtype, O, K};
    linear(fast, x, &W, b, N, &s);
    linear_ref(slow, x, &W, b, N, &s);
    char what[80];
    snprintf(what, sizeof what, "N=%zu K=%zu O=%zu %s", N, K, O, dtype_name(dtype));
    bool same = same_bits(what, fast, slow, N * O);
    free(x), free(b), free(fast), free(slow), free(w), free(s.packed), free(s.rows);
    return same;
}

static void fast_linear_has_the_bits_of_the_definition(void)
{
    const size_t K[] = {1, 7, 64, 127, 128, 129, 300}, O[] = {1, 5, 12, 96, 97, 131};
    for (size_t N = 1; N <= 90; N += N < 34 ? 1 : 6)
        for (int k = 0; k < 7; k++)
            for (int o = 0; o < 6; o++)
                if (!compare_linear(N, K[k], O[o], DTYPE_F32)) return;
    for (size_t N = 5; N <= 100; N += 19) compare_linear(N, 1157, 53, DTYPE_F32);      /* long rows: smaller groups */
    compare_linear(7, 400, 70, DTYPE_F32);                                  /* one panel, the next group asked for */
    for (size_t N = 1; N <= 110; N += N < 50 ? 7 : 19)                      /* halves: one panel, and several */
        for (int k = 0; k < 7; k++)
            for (int o = 0; o < 6; o++)
                if (!compare_linear(N, K[k], O[o], (k + o) % 2 ? DTYPE_F16 : DTYPE_BF16)) return;
    compare_linear(8, 400, 70, DTYPE_F16);                                  /* the next group asked for */
    compare_linear(22, 400, 100, DTYPE_BF16);
    compare_linear(100, 400, 200, DTYPE_BF16);
    compare_linear(100, 1157, 53, DTYPE_F16);
}

/* All 65,536 values of both formats, from addresses of every kind, in one row and in many (whole vectors and a rest). */
static void halves_are_converted_as_by_the_definition(void)
{
    enum { COUNT = 65536 };
    unsigned char *bytes = malloc(2 * COUNT + 3);
    real *rows = malloc(COUNT * sizeof *rows), *want = malloc(COUNT * sizeof *want);
    const DType dtypes[] = {DTYPE_F16, DTYPE_BF16};
    for (size_t at = 0; at < 4; at++)
        for (int d = 0; d < 2; d++)
            for (size_t cols = COUNT; cols > 0; cols = cols == COUNT ? 300 : cols == 300 ? 7 : 0) {
                for (unsigned i = 0; i < COUNT; i++) {
                    uint16_t half = (uint16_t)i;
                    memcpy(bytes + at + 2 * i, &half, 2);
                    want[i] = (real)(d ? bfloat16_to_float(half) : half_to_float(half));
                }
                const Tensor W = {bytes + at, dtypes[d], COUNT / cols, cols};
                const size_t count = W.rows * cols, first = W.rows / 3;
                memset(rows, 0, COUNT * sizeof *rows);
                const real *got = tensor_rows(&W, 0, W.rows, rows);
                if (!same_bits(dtype_name(dtypes[d]), got, want, count)) return;
                got = tensor_rows(&W, first, W.rows - first, rows);
                if (!same_bits("from a later row", got, want + first * cols, count - first * cols)) return;
            }
    free(bytes);
    free(rows);
    free(want);
}

/* Two layers, the first one's result left packed for the second. */
static void a_result_that_stays_packed_has_the_same_bits(void)
{
    /* three chunks; 16 weights at a time, so that the next group is asked for */
    enum { K = 272, F = 150, O = 13 };
    for (size_t N = 1; N <= 100; N += N < 34 ? 1 : 11) {
        const size_t room = scratch_rows(N);
        real *x = random_reals(N * K), *up = malloc(N * F * sizeof(real)), *fast = malloc(N * O * sizeof(real));
        real *slow = malloc(N * O * sizeof(real)), *panels = malloc(room * F * sizeof(real)), *b = random_reals(F);
        float *w = malloc(2 * F * K * sizeof *w);
        for (size_t i = 0; i < 2 * F * K; i++) w[i] = (float)random_real();
        const Tensor first = {w, DTYPE_F32, F, K}, second = {w + 17, DTYPE_F32, O, F};
        Scratch s = {malloc(room * K * sizeof(real)), malloc(ROW_GROUP * K * sizeof(real))};
        linear_ref(up, x, &first, b, N, &s);
        linear_ref(slow, up, &second, b, N, &s);
        pack_rows(s.packed, x, N, K);
        linear_packed(panels, AS_PANELS, s.packed, &first, b, N, &s);
        linear_packed(fast, AS_ROWS, panels, &second, b, N, &s);
        bool same = same_bits("second layer", fast, slow, N * O);
        free(x), free(up), free(fast), free(slow), free(panels), free(b), free(w), free(s.packed), free(s.rows);
        if (!same) return;
    }
}

/* The product of two activations, with rows further apart than they are long: as it is, and added to what stands
 * there. Nothing is written between the rows. */
static bool compare_product(size_t N, size_t K, size_t O, Along along)
{
    static const char *const names[] = {"rows", "columns", "columns of x"};
    const size_t x_rows = along == BY_COLUMNS_OF_X ? K : N, x_cols = N + K - x_rows;
    const size_t w_rows = along == BY_ROWS ? O : K, w_cols = O + K - w_rows;
    const size_t x_stride = x_cols + 3, w_stride = w_cols + 5, out_stride = O + 2, size = N * out_stride * sizeof(real);
    real *x = random_reals(x_rows * x_stride), *w = random_reals(w_rows * w_stride);
    real *slow = random_reals(N * out_stride), *fast = malloc(size);
    const Scratch s = {malloc(scratch_rows(O) * K * sizeof(real)), malloc(ROW_GROUP * K * sizeof(real))};
    const Matrix X = {x, x_rows, x_cols, x_stride}, W = {w, w_rows, w_cols, w_stride};
    char what[80];
    snprintf(what, sizeof what, "N=%zu K=%zu O=%zu by %s", N, K, O, names[along]);
    memcpy(fast, slow, size);
    product_add(fast, out_stride, X, W, along, &s);
    product_add_ref(slow, out_stride, X, W, along);
    bool same = same_bits(what, fast, slow, N * out_stride);
    product(fast, out_stride, X, W, along, &s);
    product_ref(slow, out_stride, X, W, along);
    same = same && same_bits(what, fast, slow, N * out_stride);
    free(x), free(w), free(fast), free(slow), free(s.packed), free(s.rows);
    return same;
}

/* A sum that is cut at a multiple of 128 and continued is the same sum. */
static void a_sum_that_is_continued_after_a_chunk_has_the_same_bits(void)
{
    enum { N = 5, K = 300, O = 20 };
    real *x = random_reals(N * K), *w = random_reals(K * O), whole[N * O] = {0}, parts[N * O] = {0};
    Scratch s = {malloc(scratch_rows(O) * K * sizeof(real)), NULL};
    product(whole, O, (Matrix){x, N, K, K}, (Matrix){w, K, O, O}, BY_COLUMNS, &s);
    product_add(parts, O, (Matrix){x, N, 256, K}, (Matrix){w, 256, O, O}, BY_COLUMNS, &s);
    product_add(parts, O, (Matrix){x + 256, N, K - 256, K}, (Matrix){w + 256 * O, K - 256, O, O}, BY_COLUMNS, &s);
    same_bits("in two parts", parts, whole, N * O);
    free(x), free(w), free(s.packed);
}

static void fast_product_has_the_bits_of_the_definition(void)
{
    const size_t sizes[] = {1, 5, 8, 9, 16, 17, 24, 25, 32, 40, 45, 61, 64, 130};
    for (int n = 0; n < 14; n++)
        for (int o = 0; o < 14; o++)
            for (Along along = BY_ROWS; along <= BY_COLUMNS_OF_X; along++)
                if (!compare_product(sizes[n], 64, sizes[o], along) || !compare_product(sizes[n], sizes[o], 64, along))
                    return;
    for (Along along = BY_ROWS; along <= BY_COLUMNS_OF_X; along++)
        for (int o = 0; o < 4; o++) compare_product(60, 1100, (const size_t[]){70, 45, 8, 5}[o], along);
}

/* A row's result may not depend on which rows are beside it: here of the last 1, 2, 3, ... of 100, and each alone. */
static void a_row_gets_the_same_bits_in_every_batch(void)
{
    enum { N = 100, K = 150, O = 30 };
    real *x = random_reals(N * K), *w = random_reals(O * K), *b = random_reals(O);
    real together[N * O], some[N * O], alone[O];
    Scratch s = {malloc(scratch_rows(N) * K * sizeof(real)), malloc(ROW_GROUP * K * sizeof(real))};
    float *weights = malloc(O * K * sizeof *weights);
    for (size_t i = 0; i < O * K; i++) weights[i] = (float)w[i];
    const Tensor W = {weights, DTYPE_F32, O, K};
    linear(together, x, &W, b, N, &s);
    for (size_t n = 1; n < N; n++) {
        linear(some, x + (N - n) * K, &W, b, n, &s);
        if (!same_bits("linear", some, together + (N - n) * O, n * O)) break;
    }
    product(together, O, (Matrix){x, N, K, K}, (Matrix){w, O, K, K}, BY_ROWS, &s);
    for (size_t n = 0; n < N; n++) {
        product(alone, O, (Matrix){x + n * K, 1, K, K}, (Matrix){w, O, K, K}, BY_ROWS, &s);
        if (!same_bits("row", alone, together + n * O, O)) break;
    }
    free(x), free(w), free(b), free(weights), free(s.packed), free(s.rows);
}

/* ------------------------------------------------------ curves --------------------------------------------------- */
typedef struct {
    const char *name;
    void (*curve)(real *, const real *, size_t);
    double (*oracle)(double);
    double low, high;               /* |x| outside of which the oracle need not be asked: see `plain` */
    double (*plain)(double x, bool small);
    double ulps;                    /* the bound: a little more than was measured, see below */
    double floor;                   /* error is in ulps of max(|result|, floor * |x|) */
} Curve;

static double gelu_erf_oracle(double x) { return 0.5 * x * erfc(-x * 0.70710678118654752440); }
static double gelu_tanh_oracle(double x)
{
    double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x);
    return x / (1 + exp(-2 * u));
}
static double exp_plain(double x, bool small) { return small ? 1 + x : x > 0 ? INFINITY : 0; }
static double tanh_plain(double x, bool small) { return small ? x : x > 0 ? 1 : -1; }
static double gelu_plain(double x, bool small) { return small ? x / 2 : x > 0 ? x : 0; }

static double gelu_erf_slope(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
}
static double gelu_tanh_slope(double x)
{
    double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x), s = 1 / (1 + exp(-2 * u));
    return s + 2 * x * s / (1 + exp(2 * u)) * 0.79788456080286535588 * (1 + 0.134145 * x * x);
}
static double slope_plain(double x, bool small) { return small ? 0.5 : x > 0; }
static void log_of_size(real *out, const real *x, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = fabsf((float)x[i]);
    log_all(out, out, n);
}
static double log_oracle(double x) { return log(fabs(x)); }
static double log_plain(double x, bool small) { return small ? -INFINITY : x; }

/* Why these bounds: exp is computed in float, and its worst over all floats is 1.0192 ulp. The others are computed in
 * double with an error far below half an ulp of a float and rounded once, so that their error is half an ulp and a
 * little: 0.501 (tanh, gelu_tanh), 0.514 (gelu_erf). The derivatives of GELU cross zero near -0.75: there the
 * error, which is that of e^x, is measured in ulps of |x|/256. log is rounded as libm's double
 * rounds, for all floats. */
static const Curve curves[] = {
    {"exp", exp_all, exp, 1e-12, 110, exp_plain, 1.02, 0},
    {"tanh", tanh_all, tanh, 1e-6, 12, tanh_plain, 0.505, 0},
    {"gelu_erf", gelu_erf, gelu_erf_oracle, 1e-12, 16, gelu_plain, 0.52, 5.9604644775390625e-08},
    {"gelu_tanh", gelu_tanh, gelu_tanh_oracle, 1e-12, 16, gelu_plain, 0.52, 5.9604644775390625e-08},
    {"gelu_erf'", gelu_erf_derivative, gelu_erf_slope, 1e-12, 16, slope_plain, 0.7, 0.00390625},
    {"gelu_tanh'", gelu_tanh_derivative, gelu_tanh_slope, 1e-12, 16, slope_plain, 0.7, 0.00390625},
    {"log", log_of_size, log_oracle, 0, 1e39, log_plain, 0.500001, 0},
};

/* The error of y in ulps of the exact value. */
static double ulps_off(float y, double exact, double floor)
{
    int exponent;
    if (isinf(y) && fabs(exact) > (double)FLT_MAX) return (y > 0) == (exact > 0) ? 0 : INFINITY;
    double size = fmax(fabs(exact), floor);
    frexp(size, &exponent);
    return fabs((double)y - exact) / ldexp(1, exponent - 24 > -149 ? exponent - 24 : -149);
}

/* The largest error over 0 and every `step`-th float of both signs. */
static double worst_error(const Curve *c, uint32_t step, float *place)
{
    enum { MANY = 4096 };
    real x[MANY], y[MANY];
    double worst = 0;
    for (uint64_t bits = 0; bits < 0x7f800000u;) {
        int n = 0;
        for (; n < MANY && bits < 0x7f800000u; bits += bits ? step : 1 + random_bits() % step) {
            x[n++] = float_of((uint32_t)bits);
            x[n++] = float_of((uint32_t)bits | 0x80000000u);
        }
        c->curve(y, x, (size_t)n);
        for (int i = 0; i < n; i++) {
            double size = fabs((double)x[i]);
            const bool inside = size > c->low && size < c->high;
            double exact = inside ? c->oracle((double)x[i]) : c->plain((double)x[i], size <= c->low);
            double error = ulps_off((float)y[i], exact, c->floor * size);
            if (!(error <= worst)) worst = error, *place = (float)x[i];
        }
    }
    return worst;
}

/* Every 1,009th float here; every float with CURVES=1 (`make curves`, some minutes). */
static void curves_are_within_their_bounds_for_all_floats(void)
{
    if (too_slow()) return;
    const char *all = getenv("CURVES");
    if (is_double) return;                      /* bert64 calls the oracle itself */
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        float place = 0;
        double worst = worst_error(&curves[i], all && *all == '1' ? 1 : 1009, &place);
        printf("    %-10s largest error %.4f ulp, at %.9g\n", curves[i].name, worst, (double)place);
        check(worst <= curves[i].ulps, "%s is %.4f ulp off at %.9g, at most %.3f allowed", curves[i].name, worst,
              (double)place, curves[i].ulps);
    }
}

static void curves_pass_on_infinity_and_nan(void)
{
    real x[3] = {INFINITY, -INFINITY, NAN}, y[3];
    exp_all(y, x, 3);
    check(isinf(y[0]) && y[1] == 0 && isnan(y[2]), "exp(inf, -inf, nan) = %g %g %g", (double)y[0], (double)y[1],
          (double)y[2]);
    tanh_all(y, x, 3);
    check(y[0] == 1 && y[1] == -1 && isnan(y[2]), "tanh(inf, -inf, nan) = %g %g %g", (double)y[0], (double)y[1],
          (double)y[2]);
    gelu_erf(y, x, 3);
    check(isinf(y[0]) && isnan(y[2]), "gelu(inf, nan) = %g %g", (double)y[0], (double)y[2]);
    log_all(y, x + 2, 1);
    gelu_erf_derivative(y + 1, x + 2, 1);
    gelu_tanh_derivative(y + 2, x + 2, 1);
    check(isnan(y[0]) && isnan(y[1]) && isnan(y[2]), "log(nan), gelu'(nan) = %g %g %g", (double)y[0], (double)y[1],
          (double)y[2]);
}

/* The example in the comment, and the largest distance between the two GELUs, at -2.699: 0.000473. */
static void the_two_gelus_are_two(void)
{
    real x[3] = {-1, 1, (real)-2.699}, erf_form[3], tanh_form[3];
    const double want[2] = {-0.15865525393145707, 0.84134474606854293};
    gelu_erf(erf_form, x, 3);
    gelu_tanh(tanh_form, x, 3);
    check_close("gelu_erf(-1), gelu_erf(1)", erf_form, want, 2, 6e-8);          /* one rounding to float */
    check_value("distance", fabs((double)(erf_form[2] - tanh_form[2])), 0.000473, 5e-7);
}

/* ------------------------------------------------------- rows ---------------------------------------------------- */
static void layer_norm_divides_by_H_and_has_eps_in_the_root(void)
{
    real x[4] = {1, 2, 3, 4}, gamma[4] = {1, 1, 1, 1}, beta[4] = {0, 0, 0, 10}, out[4];
    const double d = sqrt(1.25 + 0.5), want[4] = {-1.5 / d, -0.5 / d, 0.5 / d, 1.5 / d + 10};
    layer_norm(out, x, gamma, beta, (real)0.5, 1, 4);
    check_close("layer_norm(1 2 3 4), eps 0.5", out, want, 4, 1e-6);            /* float: 10 has an ulp of 9.5e-7 */
}

/* A row far from 0: a one-pass variance (E[x^2] - mean^2) would have no digit left. */
static void layer_norm_survives_a_large_offset(void)
{
    enum { H = 768 };
    real x[H], gamma[H], beta[H], out[H];
    for (int h = 0; h < H; h++) x[h] = 10000 + (real)(h % 8), gamma[h] = 1, beta[h] = 0;
    layer_norm(out, x, gamma, beta, 0, 1, H);
    const double want[2] = {-3.5 / sqrt(5.25), -2.5 / sqrt(5.25)};
    check_close("first two", out, want, 2, is_double ? 1e-12 : 1e-3);           /* the mean itself has an ulp of 1e-3 */
}

/* A row for the test below: random; of numbers that are nearly equal; masked here and there, or everywhere; tiny ones
 * and zeros; small numbers between large ones that cancel, whose mean tells in which order they were added. */
enum { CANCELLING = 5, KINDS };
static real element(int kind, size_t i)
{
    const real x = random_real();
    switch (kind) {
    case 0: return x * 30;
    case 1: return 1000 + x;
    case 2: return i % 3 ? x : -FLT_MAX;
    case 3: return -FLT_MAX;
    case 4: return i % 5 ? x * (real)1e-38 : i % 2 ? -(real)0.0 : (real)0.0;
    default: return i % 4 == 1 ? (real)1e17 : i % 4 == 3 ? -(real)1e17 : x;
    }
}

/* Rows of every length around 8 and 16, where vectors end, and some long ones; also with the result over the input. */
static void fast_rows_have_the_bits_of_the_definition(void)
{
    enum { ROWS = 3, MOST = 800 };
    static const real zeros[MOST];
    static real x[ROWS * MOST], fast[ROWS * MOST], slow[ROWS * MOST];
    real *gamma = random_reals(MOST), *shifts = random_reals(MOST);
    bool same = true;
    for (size_t n = 1; same && n <= MOST; n += n < 70 ? 1 : 73)
        for (int kind = 0; same && kind < KINDS; kind++) {
            const size_t bytes = ROWS * n * sizeof *x;
            /* small numbers beside it would not be seen */
            const real *beta = kind == CANCELLING ? zeros : shifts;
            char what[80];
            for (size_t i = 0; i < ROWS * n; i++) x[i] = element(kind, i % n);
            snprintf(what, sizeof what, "layer_norm, %zu numbers, kind %d", n, kind);
            layer_norm(fast, x, gamma, beta, (real)1e-12, ROWS, n);
            layer_norm_ref(slow, x, gamma, beta, (real)1e-12, ROWS, n);
            same = same_bits(what, fast, slow, ROWS * n);
            memcpy(fast, x, bytes);
            layer_norm(fast, fast, gamma, beta, (real)1e-12, ROWS, n);
            same = same && same_bits("layer_norm in place", fast, slow, ROWS * n);
            snprintf(what, sizeof what, "softmax, %zu numbers, kind %d", n, kind);
            softmax(fast, x, ROWS, n);
            softmax_ref(slow, x, ROWS, n);
            same = same && same_bits(what, fast, slow, ROWS * n);
            memcpy(fast, x, bytes);
            softmax(fast, fast, ROWS, n);
            same = same && same_bits("softmax in place", fast, slow, ROWS * n);
        }
    free(gamma), free(shifts);
}

static void softmax_rows_sum_to_one(void)
{
    enum { ROWS = 3, COLS = 77 };
    real *x = random_reals(ROWS * COLS), out[ROWS * COLS];
    for (int i = 0; i < ROWS * COLS; i++) x[i] *= 30;
    softmax(out, x, ROWS, COLS);
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int j = 0; j < COLS; j++) sum += (double)out[i * COLS + j];
        check_value("row sum", sum, 1, 2 * 6e-8);       /* half an ulp each, of the product and its factor */
    }
    free(x);
}

static void softmax_of_a_masked_score_is_zero_and_of_a_masked_row_is_uniform(void)
{
    real x[8] = {1, -FLT_MAX, 3, 2, -FLT_MAX, -FLT_MAX, -FLT_MAX, -FLT_MAX}, out[8];
    softmax(out, x, 2, 4);
    check(out[1] == 0, "a masked score gets %g", (double)out[1]);
    for (int j = 4; j < 8; j++) check(out[j] == (real)0.25, "a wholly masked row has %g", (double)out[j]);
}

/* Padding a row with masked scores may not change a bit of the rest, whatever the lengths. */
static void softmax_is_unchanged_by_masked_columns(void)
{
    real *x = random_reals(64), longer[64], short_out[64], long_out[64];
    for (size_t cols = 1; cols < 40; cols++) {
        for (size_t j = 0; j < 64; j++) longer[j] = j < cols ? x[j] : -FLT_MAX;
        softmax(short_out, x, 1, cols);
        softmax(long_out, longer, 1, 64);
        if (!same_bits("padded softmax", long_out, short_out, cols)) break;
    }
    free(x);
}

static void softmax_does_not_overflow(void)
{
    real x[3] = {10000, 10000, -10000}, out[3];
    softmax(out, x, 1, 3);
    check(out[0] == (real)0.5 && out[2] == 0, "softmax(10000, 10000, -10000) = %g, %g", (double)out[0], (double)out[2]);
}

static void cosine_is_one_zero_and_minus_one_where_it_should_be(void)
{
    const real a[3] = {1, 2, 2}, b[3] = {2, 4, 4}, c[3] = {2, -1, 0}, zero[3] = {0, 0, 0};
    check_value("same direction", cosine(a, b, 3), 1, 1e-15);
    check_value("right angle", cosine(a, c, 3), 0, 0);
    check(isnan(cosine(a, zero, 3)), "the cosine with a zero vector is no number");
}

const Test tensor_tests[] = {
    {"sums_are_cut_every_128_products", sums_are_cut_every_128_products},
    {"products_are_fused_with_their_sum", products_are_fused_with_their_sum},
    {"fma_by_double_equals_the_instruction", fma_by_double_equals_the_instruction},
    {"fast_linear_has_the_bits_of_the_definition", fast_linear_has_the_bits_of_the_definition},
    {"halves_are_converted_as_by_the_definition", halves_are_converted_as_by_the_definition},
    {"a_result_that_stays_packed_has_the_same_bits", a_result_that_stays_packed_has_the_same_bits},
    {"fast_product_has_the_bits_of_the_definition", fast_product_has_the_bits_of_the_definition},
    {"a_row_gets_the_same_bits_in_every_batch", a_row_gets_the_same_bits_in_every_batch},
    {"a_sum_that_is_continued_after_a_chunk_has_the_same_bits",
     a_sum_that_is_continued_after_a_chunk_has_the_same_bits},
    {"curves_are_within_their_bounds_for_all_floats", curves_are_within_their_bounds_for_all_floats},
    {"curves_pass_on_infinity_and_nan", curves_pass_on_infinity_and_nan},
    {"the_two_gelus_are_two", the_two_gelus_are_two},
    {"layer_norm_divides_by_H_and_has_eps_in_the_root", layer_norm_divides_by_H_and_has_eps_in_the_root},
    {"layer_norm_survives_a_large_offset", layer_norm_survives_a_large_offset},
    {"fast_rows_have_the_bits_of_the_definition", fast_rows_have_the_bits_of_the_definition},
    {"softmax_rows_sum_to_one", softmax_rows_sum_to_one},
    {"softmax_of_a_masked_score_is_zero_and_of_a_masked_row_is_uniform",
     softmax_of_a_masked_score_is_zero_and_of_a_masked_row_is_uniform},
    {"softmax_is_unchanged_by_masked_columns", softmax_is_unchanged_by_masked_columns},
    {"softmax_does_not_overflow", softmax_does_not_overflow},
    {"cosine_is_one_zero_and_minus_one_where_it_should_be", cosine_is_one_zero_and_minus_one_where_it_should_be},
    {NULL, NULL},
};
