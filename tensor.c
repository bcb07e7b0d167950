/* tensor.c - the arithmetic of BERT: sums of products, LayerNorm, softmax, four curves, cosine.
 *
 * YOU ARE HERE   text --tokenizer.c--> ids --bert.c--> answer. bert.c says what is computed, this file says how.
 *
 * THE PROMISE. Every function gives the same bits on every machine: whatever the compiler, the optimisation level, the
 * processor, the number of sentences in the batch. Three rules are enough for that; every function below obeys them:
 *
 *   1. The order of every sum is written down. It does not depend on the machine, on the other sentences of the batch,
 *      or on how many terms follow. (Floating-point addition is not associative: (1e8 + 1) - 1e8 is 0 in float, but
 *      (1e8 - 1e8) + 1 is 1. Another order, other bits.)
 *   2. Only + - * / sqrt and fused multiply-add are used, which IEEE 754 defines to the last bit. exp, tanh and erf of
 *      a C library are not defined that way; ours are built from those operations. (bert64 uses the library's. It is
 *      the oracle that measures our error, and needs digits rather than equal bits.)
 *   3. The compiler may not rearrange any of it: -ffp-contract=off, never -ffast-math. (A NaN's sign and payload are
 *      not promised; and denormal numbers must be on, as they are unless a program turns them off.)
 *
 * PADDING adds terms to the sums of steps 9 and 10, and the bits of the real tokens stay the same, for four reasons.
 *
 *   1. A masked score is -FLT_MAX, which never raises the maximum of a row.
 *   2. The probability of a masked token is exactly +0, because e^x of a masked score is +0. (Unless the whole row is
 *      masked: then every place gets 1/cols. With a real token in the sequence no row is.)
 *   3. A term of +0 changes no sum: s + 0 is s, and fma(0, v, s) is s for every finite v. (Where s is -0, it may become
 *      +0. But only a chunk's sum can be -0; a total starts at +0, so it never is, and gets the same bits from both.)
 *   4. Padding comes last, and a term's index alone says where it is added: softmax's sum deals its terms in turn to
 *      eight sums, a product has chunks of 128. So every real term keeps its place, however many terms follow.
 *
 * THE ORDER OF THE FILE is from the definition to the fast. First each operation as a plain loop: dot_in_chunks is the
 * definition of every product in BERT, and the functions whose names end in _ref are the definitions of the rest. Then
 * the curves. Then the same operations on vectors, and last the one kernel that is written for speed. The fast forms
 * must give the bits of the plain ones: tests compare the two, and `make plain` builds the whole program from the
 * definitions alone. A reader who wants to know what BERT computes can stop at "CURVES OF OUR OWN", after the two
 * GELUs, and go on to bert.c.
 */
#include "bert.h"
#include "weights/weights.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "bert.c promises exact bits: build without -ffast-math and -Ofast"
#endif
#if FLT_EVAL_METHOD != 0
#error "float must be computed as float: on 32-bit x86 add -msse2 -mfpmath=sse, on s390x -fexcess-precision=fast"
#endif

static const bool is_double = sizeof(real) == sizeof(double);

/* =====================================================================================================================
 * THE DEFINITIONS
 * ================================================================================================================== */

/* Fused multiply-add, a*b + c: one rounding instead of two. FP_FAST_FMAF is the C standard's way of saying that the
 * processor has an instruction for it on floats; clang says __FMA__ on x86. Without the instruction the same number is
 * made from double arithmetic (fma_by_double, at the end of "THE CURVES"). */
#if defined FP_FAST_FMAF || defined __FMA__
static const bool has_fma = true;
#else
static const bool has_fma = false;
#endif
static inline float fma_by_double(float a, float b, float c);

/* On floats, whatever the build. The compiler knows has_fma, and keeps one of the two calls. */
static inline float fma_float(float a, float b, float c)
{
    return has_fma ? fmaf(a, b, c) : fma_by_double(a, b, c);
}

/* On the numbers of this build: floats, or doubles in bert64. */
static inline real fma_once(real a, real b, real c)
{
    return is_double ? (real)fma((double)a, (double)b, (double)c) : (real)fma_float((float)a, (float)b, (float)c);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Products
 * ------------------------------------------------------------------------------------------------------------------ */

/* total + x . w, K products: every sum over k in BERT is this one. The numbers of x and w are x_step and w_step apart:
 * 1 in a row, the distance between rows in a column. total is +0, but where learn.c adds up gradients.
 *
 * The sum is cut every 128 products. Each chunk is one chain of fused multiply-adds that starts at +0; the chunks are
 * added in order. Why: rounding errors grow with the length of a chain. One chain of 768 or 3,072 random terms has (in
 * the root mean square) 2.4 or 4.5 times the error of six or 24 short ones. And a fast kernel can keep a chunk's sum in
 * a register.
 * Why 128: the aim is an error at or below PyTorch's. Of 12 inputs that were measured against float64, chunks of 128
 * reach it on 11, chunks of 256 on 9, one chain of 768 on 5; and against one long chain they add less than 3 % to the
 * time. */
real dot_in_chunks(real total, const real *x, size_t x_step, const real *w, size_t w_step, size_t K)
{
    for (size_t begin = 0; begin < K; begin += SUM_CHUNK) {
        size_t end = K - begin < SUM_CHUNK ? K : begin + SUM_CHUNK;
        real chunk = 0;
        for (size_t k = begin; k < end; k++) chunk = fma_once(x[k * x_step], w[k * w_step], chunk);
        total += chunk;
    }
    return total;
}

/* n half-precision numbers, F16 or BF16, as reals: the definition. widen_halves gives the same. */
static void widen_halves_ref(real *out, const unsigned char *halves, size_t n, DType dtype)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, halves + i * sizeof half, sizeof half);           /* from any address */
        out[i] = (real)(dtype == DTYPE_F16 ? half_to_float(half) : bfloat16_to_float(half));
    }
}
static void widen_halves(real *out, const unsigned char *halves, size_t n, DType dtype);

/* Rows first .. first+count-1 of a weight as reals: see bert.h. In place where they are reals already: float32 in
 * the float program, float64 in bert64 (a misaligned tensor was copied when it was loaded). Otherwise they are
 * converted into `rows`, exactly: every half-precision number is a float, and every float a double. */
const real *tensor_rows(const Tensor *W, size_t first, size_t count, real *rows)
{
    size_t begin = first * W->cols, n = count * W->cols;
    const float *singles = W->data;
    const unsigned char *halves = (const unsigned char *)W->data + begin * sizeof(uint16_t);
    if (W->dtype == (is_double ? DTYPE_F64 : DTYPE_F32)) return (const real *)W->data + begin;
    if (W->dtype == DTYPE_F32)
        for (size_t i = 0; i < n; i++) rows[i] = (real)singles[begin + i];
    else widen_halves(rows, halves, n, W->dtype);
    return rows;
}

/* The linear layer: four short loops, two here and two in dot_in_chunks.     [hf] nn.Linear
 *
 *     out = x W^T + b            out (N,O) <- x (N,K), W (O,K), b (O)            the bias is added last
 *
 * Trap: W is stored as (out, in), PyTorch's way. TensorFlow stores (in, out); weights/convert.c transposes. */
void linear_ref(real *out, const real *x, const Tensor *W, const real *b, size_t N, const Scratch *scratch)
{
    size_t O = W->rows, K = W->cols;
    for (size_t o = 0; o < O; o++) {
        const real *w = tensor_rows(W, o, 1, scratch->rows);
        for (size_t n = 0; n < N; n++) out[n * O + o] = dot_in_chunks(0, x + n * K, 1, w, 1, K) + b[o];
    }
}

/* out += the product of two activations, each chunk added to what stands there:
 *
 *     BY_ROWS           x w^T      out (N,O) <- x (N,K), w (O,K)      step 8: queries with the keys
 *     BY_COLUMNS        x w        out (N,O) <- x (N,K), w (K,O)      step 10: probabilities with the values
 *     BY_COLUMNS_OF_X   x^T w      out (N,O) <- x (K,N), w (K,O)      learning: what goes back with what came in */
void product_add_ref(real *out, size_t out_stride, Matrix x, Matrix w, Along along)
{
    const bool turned = along == BY_COLUMNS_OF_X;
    const size_t N = turned ? x.cols : x.rows, K = turned ? x.rows : x.cols, O = along == BY_ROWS ? w.rows : w.cols;
    const size_t x_row = turned ? 1 : x.stride, x_step = turned ? x.stride : 1;
    const size_t w_row = along == BY_ROWS ? w.stride : 1, w_step = along == BY_ROWS ? 1 : w.stride;
    assert(K == (along == BY_ROWS ? w.cols : w.rows));
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++) {
            real *sum = &out[n * out_stride + o];
            *sum = dot_in_chunks(*sum, x.data + n * x_row, x_step, w.data + o * w_row, w_step, K);
        }
}

/* out = the product. */
void product_ref(real *out, size_t out_stride, Matrix x, Matrix w, Along along)
{
    const size_t N = along == BY_COLUMNS_OF_X ? x.cols : x.rows, O = along == BY_ROWS ? w.rows : w.cols;
    for (size_t n = 0; n < N; n++) memset(out + n * out_stride, 0, O * sizeof *out);
    product_add_ref(out, out_stride, x, w, along);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Rows: LayerNorm, softmax, the residual, cosine
 * ------------------------------------------------------------------------------------------------------------------ */

/* Adds up eight sums as a tree: the last step of the two sums below. */
static inline double sum_of_eight(const double *sum)
{
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

/* The sum of n numbers minus `shift`, or of the squares of those differences, in double. Eight sums run side by side:
 * sum i takes the terms i, i+8, i+16, ...
 * Why eight: vectors of 4 or 8 doubles can do the same. Why double: these sums are a thousandth of the work and decide
 * on every number of a row. */
static double sum_of_differences_ref(const real *x, size_t n, double shift, bool squared)
{
    double sum[8] = {0};
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - shift;
        sum[i % 8] += squared ? d * d : d;
    }
    return sum_of_eight(sum);
}

/* LayerNorm: each row to mean 0 and variance 1, then a learned scale and shift.     [ln], [hf] nn.LayerNorm
 *
 *     out = (x - mean) / sqrt(variance + eps) * gamma + beta            out (N,H) <- x (N,H), gamma (H), beta (H)
 *
 * Why: it keeps the numbers in one range, however many blocks follow. Why eps: a row of equal numbers has the variance
 * 0, and would be 0/0 without it.
 * Trap: the variance is divided by H, not by H - 1 (torch.var's default).
 * Trap: eps stands inside the root, and is 1e-12 in BERT where most other models have 1e-5.
 * out may be x. Computed in double, rounded once.
 * Example: x = 1 2 3 4, gamma 1, beta 0: mean 2.5, variance 1.25, out = -1.342 -0.447 0.447 1.342 */
void layer_norm_ref(real *out, const real *x, const real *gamma, const real *beta, real eps, size_t N, size_t H)
{
    for (size_t n = 0; n < N; n++, x += H, out += H) {
        double mean = sum_of_differences_ref(x, H, 0, false) / (double)H;
        double variance = sum_of_differences_ref(x, H, mean, true) / (double)H;
        double scale = 1 / sqrt(variance + (double)eps);
        for (size_t h = 0; h < H; h++)
            out[h] = (real)(((double)x[h] - mean) * scale * (double)gamma[h] + (double)beta[h]);
    }
}

/* Softmax of each row: numbers from 0 to 1 that add up to 1.     [attn] 3.2.1
 *
 *     out_j = e^(x_j - m) / sum over k of e^(x_k - m)            out (rows,cols) <- x (rows,cols); out may be x
 *
 * m is the row's maximum: the quotient is the same for every m, and with this one no e^x can overflow.
 * A masked score, -FLT_MAX, gives exactly +0, unless the whole row is masked: then every place gets 1/cols.
 * Example: 1 2 3 -> 0.0900 0.2447 0.6652 */
void softmax_ref(real *out, const real *x, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++, x += cols, out += cols) {
        real maximum = x[0];
        for (size_t j = 1; j < cols; j++) maximum = x[j] > maximum ? x[j] : maximum;
        for (size_t j = 0; j < cols; j++) out[j] = x[j] - maximum;
        exp_all(out, out, cols);
        real scale = (real)(1 / sum_of_differences_ref(out, cols, 0, false));   /* one division in place of `cols` */
        for (size_t j = 0; j < cols; j++) out[j] *= scale;
    }
}

/* out = a + b, n numbers: the residual connections. */
void add(real *out, const real *a, const real *b, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

/* The cosine of the angle between two vectors of n numbers (step 16): 1 same direction, 0 unrelated, -1 opposite.
 *
 *     cos(a, b) = a.b / (|a| |b|)
 *
 * Summed in double, so that the digits shown are those of the vectors. A zero vector has no direction: the result is
 * NaN, as 0/0 is. */
double cosine(const real *a, const real *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / (sqrt(aa) * sqrt(bb));
}

/* =====================================================================================================================
 * THE CURVES: exp, tanh and the two GELUs.
 *
 * Why a curve at all: two dense layers in a row are one dense layer (a matrix times a matrix is a matrix). GELU between
 * them lets large numbers through, turns negative ones to almost 0, and so lets the pair compute more than a product.
 * ================================================================================================================== */

/* GELU, the exact one: x times the probability that a standard normal number is below x.     [gelu], [hf] "gelu"
 *
 *     gelu(x) = x Phi(x) = x (1 + erf(x / sqrt 2)) / 2 = x erfc(-x / sqrt 2) / 2
 *
 * Trap: 1 + erf(...) cancels for negative x, and in float has lost every digit at x = -6. The form with erfc has not.
 * Example: gelu(-1) = -0.15865525, gelu(1) = 0.84134475 */
static double gelu_erf_libm(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

/* GELU as Google's code has it since 2019, an approximation by tanh.     [gelu], [hf] "gelu_new", [tf] gelu
 *
 *     gelu(x) = x (1 + tanh u) / 2 = x / (1 + e^-2u)   with u = sqrt(2/pi) (x + 0.044715 x^3)
 *
 * Which of the two a model has, its config.json says: see read_activation in weights/config.c.
 * Differs: the two GELUs part by up to 0.000473 (at x = -2.699), enough to change the third digit of a BERT vector. */
static double gelu_tanh_libm(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

/* What learning needs: the derivatives of the two GELUs. With the density phi(x) = e^(-x^2 / 2) / sqrt(2 pi):
 *
 *     erf     gelu'(x) = Phi(x) + x phi(x)
 *     tanh    gelu'(x) = s + 2 x s (1 - s) u'    with s = (1 + tanh u) / 2, u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2)
 *
 * Trap: neither lies between 0 and 1: they reach 1.129 and -0.129. */
static double gelu_erf_derivative_libm(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440) + x * exp(-0.5 * x * x) * 0.39894228040143267794;
}

static double gelu_tanh_derivative_libm(double x)
{
    double u = 0.79788456080286535588 * (x + 0.044715 * x * x * x), s = 1 / (1 + exp(-2 * u));
    return s + 2 * x * s * (1 - s) * 0.79788456080286535588 * (1 + 0.134145 * x * x);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * CURVES OF OUR OWN. So far the definitions, which bert64 uses as they stand, with the C library's exp, tanh and erfc.
 * The float program has curves of its own, by rule 2.
 *
 * Why double: a float result needs 24 good bits. Computed in double with an error below 2^-29 and rounded once, it is
 * the correctly rounded one in all but a few cases in a hundred, and then off by one bit. No compensation tricks are
 * needed, and + - * / in double are as exactly defined as in float, so the bits are the same everywhere. (Softmax has
 * its own exp in float: exp_floats.) `make curves` holds each curve against libm for all 2^32 floats.
 *
 * VECTORS. A vector is 32 or 64 bytes of numbers, its lanes, processed by one or two instructions. GCC and clang give
 * arithmetic on such types, and turn it into whatever the machine has: one AVX register, two SSE or NEON registers, or
 * plain scalar code. Curves work on all lanes without a branch: where there are two formulas, both are computed and the
 * bits of one are selected.
 *
 * VECTOR_BYTES is 64 where the machine has AVX-512: GCC says so by __BIGGEST_ALIGNMENT__, clang by __AVX512F__.
 * -DVECTOR_BYTES=32 or 64 is possible on any machine, and gives the same bits.
 * ------------------------------------------------------------------------------------------------------------------ */
#ifndef VECTOR_BYTES
#if __BIGGEST_ALIGNMENT__ >= 64 || defined __AVX512F__
#define VECTOR_BYTES 64
#else
#define VECTOR_BYTES 32
#endif
#endif
_Static_assert(VECTOR_BYTES == 32 || VECTOR_BYTES == 64, "-DVECTOR_BYTES=32 or 64");
enum { DOUBLES = VECTOR_BYTES / 8, FLOATS = VECTOR_BYTES / 4 };             /* lanes of a vector of that length */
typedef double dvec __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t uvec __attribute__((vector_size(VECTOR_BYTES)));
typedef float fvec __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t fbits __attribute__((vector_size(VECTOR_BYTES)));

/* The same number in all lanes. */
static inline dvec all(double x) { return (dvec){0} + x; }

#ifdef __wasm_simd128__                 /* in a browser: the two functions that follow, by exact operations */
#include "page/lanes.h"
#else
/* a*b + c in all lanes, each rounded once: the processor's instruction, or libm's function, which is as exact. */
static inline dvec fma_lanes(dvec a, dvec b, dvec c)
{
    dvec r;
    for (int l = 0; l < DOUBLES; l++) r[l] = fma(a[l], b[l], c[l]);
    return r;
}

/* The same on floats. */
static inline fvec fma_floats(fvec a, fvec b, fvec c)
{
    fvec r;
    for (int l = 0; l < FLOATS; l++) r[l] = fma_float(a[l], b[l], c[l]);
    return r;
}
#endif

/* condition ? a : b, lane by lane; the condition is all ones or all zeros, as a comparison gives it. */
static inline dvec choose(uvec condition, dvec a, dvec b)
{
    return (dvec)(((uvec)a & condition) | ((uvec)b & ~condition));
}

/* Before a short loop: it is fully unrolled, so that what it indexes can live in registers. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* The value of a polynomial, by Horner's rule: coefficients from the constant upward. */
static inline dvec polynomial(dvec x, const double *c, int degree)
{
    dvec sum = all(c[degree]);
    UNROLL
    for (int i = degree - 1; i >= 0; i--) sum = fma_lanes(sum, x, all(c[i]));
    return sum;
}

/* e^x for |x| <= 700, relative error below 2^-33.
 *
 * 1. x = n ln 2 + r with integer n and |r| <= (ln 2)/2, so that e^x = 2^n e^r.
 *    Adding 1.5 * 2^52 to a number rounds it to an integer, which then stands in the low bits of the sum.
 * 2. e^r by a polynomial of degree 7.
 * 3. 2^n is built as bits: a double's exponent field starts at bit 52, and 0x3ff in it is the exponent of 1, so that
 *    adding n to it gives 2^n. */
static inline dvec exp_bounded(dvec x)
{
    static const double c[] = {0.9999999999616764,    1.0000000002431346,   0.5000000104547732,
                               0.16666665121972024,   0.04166622539300347,  0.008333561106582461,
                               0.0013948185514933863, 0.00019775169487064363};
    const double round_to_integer = 6755399441055744.0, one_over_ln2 = 1.4426950408889634, ln2 = 0.6931471805599453;
    dvec shifted = fma_lanes(x, all(one_over_ln2), all(round_to_integer));
    dvec n = shifted - round_to_integer;
    dvec r = fma_lanes(n, all(-ln2), x);
    dvec power = (dvec)(((uvec)shifted << 52) + 0x3ff0000000000000u);
    return polynomial(r, c, 7) * power;
}

/* e^x in double. Outside of [-700, 700] it is 0 or infinity as a float anyway; NaN fails both comparisons and stays. */
static inline dvec exp_curve(dvec x)
{
    for (int l = 0; l < DOUBLES; l++) x[l] = x[l] < -700.0 ? -700.0 : x[l];
    for (int l = 0; l < DOUBLES; l++) x[l] = x[l] > 700.0 ? 700.0 : x[l];
    return exp_bounded(x);
}

/* tanh x = (e^2x - 1) / (e^2x + 1). Near 0 the numerator would cancel, so there x + x^3 p(x^2) is taken. */
static inline dvec tanh_curve(dvec x)
{
    static const double c[] = {-0.3333333321848638, 0.13333325680062638, -0.05396652370535908, 0.021850827489301113,
                               -0.008754308040855053, 0.0032339487269917432, -0.0008069303262694506};
    dvec square = x * x;
    dvec near_zero = x + x * square * polynomial(square, c, 6);
    dvec elsewhere = 1.0 - 2.0 / (exp_curve(x * 2.0) + 1.0);
    return choose((uvec)(square < 0.390625), near_zero, elsewhere);     /* |x| < 0.625 */
}

/* The tail of the normal distribution, Q(a) = erfc(a / sqrt 2) / 2 = 1 - Phi(a), for a from 0 to 37. It is computed as
 * e^(-a^2/2) t p(t), t = 1 / (1 + a/4). *bell becomes e^(-a^2/2). */
static inline dvec normal_tail(dvec a, dvec *bell)
{
    static const double c[] = {0.10003795147224903, 0.0951809232757098,  0.12365147280008963,
                               -0.03373226374442824, 0.3387253015239837,  -0.382556562347749,
                               0.43608548419198995, -0.21498919226342686, 0.037596884709682574};
    dvec t = 1.0 / fma_lanes(a, all(0.25), all(1.0));
    *bell = exp_bounded(a * a * -0.5);
    return *bell * t * polynomial(t, c, 8);
}

/* The exact GELU from that tail of a = |x|. For negative x, gelu is x Q(a) = -a Q(a); for positive x it is
 * x (1 - Q(a)) = x - a Q(a): max(x, 0) - a Q(a) for both.
 * a is cut at 37, for exp_bounded's range; from there on Q is below 1e-299. */
static inline dvec gelu_erf_curve(dvec x)
{
    dvec a = (dvec)((uvec)x & 0x7fffffffffffffffu), positive = x, bell;     /* x without its sign */
    for (int l = 0; l < DOUBLES; l++) a[l] = a[l] < 37.0 ? a[l] : 37.0;
    for (int l = 0; l < DOUBLES; l++) positive[l] = positive[l] < 0.0 ? 0.0 : positive[l];      /* NaN stays */
    dvec tail = normal_tail(a, &bell);
    return fma_lanes(-a, tail, positive);
}

/* Its derivative is q = Q(a) - a phi(a) for negative x, and 1 - q for positive x. NaN stays. */
static inline dvec gelu_erf_derivative_curve(dvec x)
{
    dvec a = (dvec)((uvec)x & 0x7fffffffffffffffu), bell;
    for (int l = 0; l < DOUBLES; l++) a[l] = a[l] > 37.0 ? 37.0 : a[l];
    dvec tail = normal_tail(a, &bell);
    dvec q = fma_lanes(bell * -0.3989422804014327, a, tail);
    return choose((uvec)(x < 0.0), q, 1.0 - q);
}

/* The other GELU, x / (1 + e^-2u). For large x, e^-2u is almost 0 and the result x. Far below 0, exp_curve cuts e^-2u
 * at e^700, and the quotient is 0 as a float. */
static inline dvec gelu_tanh_curve(dvec x)
{
    dvec u = 0.7978845608028654 * (x + 0.044715 * x * x * x);
    return x / (1.0 + exp_curve(u * -2.0));
}

/* s + 2 x s (1 - s) u', where 1 - s is s e^-2u. (x is cut: beyond 100 nothing changes any more.) */
static inline dvec gelu_tanh_derivative_curve(dvec x)
{
    for (int l = 0; l < DOUBLES; l++) x[l] = x[l] < -100.0 ? -100.0 : x[l];
    for (int l = 0; l < DOUBLES; l++) x[l] = x[l] > 100.0 ? 100.0 : x[l];
    dvec square = x * x, slope = 0.7978845608028654 * (1.0 + 0.134145 * square);
    dvec power = exp_curve(-1.5957691216057308 * (x + 0.044715 * x * square)), s = 1.0 / (1.0 + power);
    return s + 2.0 * x * slope * (s * power * s);
}

/* ln x for positive x, error below 2^-50.
 *
 * 1. x = 2^n f with f from sqrt(1/2) to sqrt(2). Taken as integers, the bits of x less those of sqrt(1/2) have n in
 *    their upper 12 bits. n becomes a double as in exp_bounded, the other way round: added to the bits of 1.5 * 2^52.
 * 2. ln f = 2 atanh s with s = (f - 1) / (f + 1), by atanh's series s + s^3/3 + s^5/5 + ... up to s^21/21.
 * 3. n ln 2 is added in two parts; the first is so short that n times it is exact.
 * 0 gives minus infinity. Infinity, and NaN, give NaN: x - x is 0 for all other x. */
static inline dvec log_curve(dvec x)
{
    static const double c[] = {1 / 3.0,  1 / 5.0,  1 / 7.0,  1 / 9.0,  1 / 11.0,
                               1 / 13.0, 1 / 15.0, 1 / 17.0, 1 / 19.0, 1 / 21.0};
    const double ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
    const double integer = 6755399441055744.0;                 /* 1.5 * 2^52 */
    uvec field = ((uvec)x - 0x3fe6a09e667f3bcdu) & 0xfff0000000000000u;
    dvec f = (dvec)((uvec)x - field);
    dvec n = (dvec)(((field >> 52 ^ 2048) - 2048) + (uvec)all(integer)) - integer;
    dvec s = (f - 1.0) / (f + 1.0), square = s * s;
    dvec tail = fma_lanes(n, all(ln2_low), 2.0 * s * square * polynomial(square, c, 9));
    dvec sum = n * ln2_high + (2.0 * s + tail) + (x - x);
    return choose((uvec)(x == 0.0), all(-INFINITY), sum);
}

/* e^x on floats: the same three steps as exp_bounded in float, at most 1.02 ulp off.
 * Why not in double, as the others: softmax asks for A T^2 of them in each block, 38 million in a pass of BERT-Base
 * over 512 tokens. In float it takes 40 % of the time, and a context, the mean of many values, forgives a last bit.
 *
 * ln 2 is taken away in two parts, because a float's ln 2 is 2e-9 off, and n times that would show. The first part,
 * 355/512, is so short that x - n 355/512 is exact; only the second step rounds. The polynomial gives e^r - 1, of
 * degree 6.
 * 2^n is made as a product p q, since a normal float's exponent field, from bit 23 on, holds 1 to 254, and n is -150 to
 * 128: `shifted` has n + 254 in its low bits, and the two halves of that sum are the fields of p and q, with 127 in
 * each. e^r p = (e^r - 1) p + p is one fused multiply-add; times q is exact, unless the result is denormal.
 * Beyond -104 and 89 the result is 0 or infinity; NaN fails both comparisons and stays NaN. */
static inline fvec exp_floats(fvec x)
{
    static const float c[] = {0.49999993f, 0.1666652f, 0.04166839f, 0.008368751f, 0.0013814529f};     /* from r^2 on */
    const float round_to_integer = 12582912 + 254, one_over_ln2 = 1.442695f;        /* 1.5 * 2^23 + 254 */
    const float ln2_high = 355 / 512.0f, ln2_low = -2.1219444e-4f;
    for (int l = 0; l < FLOATS; l++) x[l] = x[l] < -104.0f ? -104.0f : x[l];
    for (int l = 0; l < FLOATS; l++) x[l] = x[l] > 89.0f ? 89.0f : x[l];
    fvec shifted = fma_floats(x, (fvec){0} + one_over_ln2, (fvec){0} + round_to_integer);
    fvec n = shifted - round_to_integer;
    fvec r = fma_floats(n, (fvec){0} - ln2_high, x);
    r = fma_floats(n, (fvec){0} - ln2_low, r);
    fvec sum = (fvec){0} + c[4];
    UNROLL
    for (int i = 3; i >= 0; i--) sum = fma_floats(sum, r, (fvec){0} + c[i]);
    fvec below_1 = fma_floats(r * r, sum, r);                              /* e^r - 1 */
    fbits half = (fbits)shifted >> 1;                           /* bits above the field are shifted out of it */
    fvec power = (fvec)(half << 23), other_power = (fvec)(((fbits)shifted - half) << 23);
    return fma_floats(below_1, power, power) * other_power;
}

/* DOUBLES numbers as doubles, and back with one rounding. */
static inline dvec load_doubles(const real *p)
{
    dvec v = {0};
    for (int l = 0; l < DOUBLES; l++) v[l] = (double)p[l];
    return v;
}

static inline void store_doubles(real *p, dvec v)
{
    for (int l = 0; l < DOUBLES; l++) p[l] = (real)v[l];
}

/* A curve on one vector of numbers: DOUBLES of them, computed in double, or FLOATS. out may be x. */
static inline void tanh_lanes(real *out, const real *x) { store_doubles(out, tanh_curve(load_doubles(x))); }
static inline void gelu_erf_lanes(real *out, const real *x) { store_doubles(out, gelu_erf_curve(load_doubles(x))); }
static inline void gelu_tanh_lanes(real *out, const real *x) { store_doubles(out, gelu_tanh_curve(load_doubles(x))); }
static inline void log_lanes(real *out, const real *x) { store_doubles(out, log_curve(load_doubles(x))); }
static inline void gelu_erf_derivative_lanes(real *out, const real *x)
{
    store_doubles(out, gelu_erf_derivative_curve(load_doubles(x)));
}
static inline void gelu_tanh_derivative_lanes(real *out, const real *x)
{
    store_doubles(out, gelu_tanh_derivative_curve(load_doubles(x)));
}
static inline void exp_lanes(real *out, const real *x)
{
    fvec v;
    memcpy(&v, x, sizeof v);
    v = exp_floats(v);
    memcpy(out, &v, sizeof v);
}

/* out[i] = curve(x[i]) for n numbers, `width` at a time; the last vector is padded with zeros. bert64 asks `oracle`. */
static inline void map(real *out, const real *x, size_t n, void (*curve)(real *, const real *), size_t width,
                       double (*oracle)(double))
{
    size_t i = 0;
    for (; is_double && i < n; i++) out[i] = (real)oracle((double)x[i]);
    for (; i + width <= n; i += width) curve(out + i, x + i);
    if (i == n) return;
    real last[FLOATS] = {0};
    memcpy(last, x + i, (n - i) * sizeof *x);
    curve(last, last);
    memcpy(out + i, last, (n - i) * sizeof *x);
}

void exp_all(real *out, const real *x, size_t n) { map(out, x, n, exp_lanes, FLOATS, exp); }
void tanh_all(real *out, const real *x, size_t n) { map(out, x, n, tanh_lanes, DOUBLES, tanh); }
void gelu_erf(real *out, const real *x, size_t n) { map(out, x, n, gelu_erf_lanes, DOUBLES, gelu_erf_libm); }
void gelu_tanh(real *out, const real *x, size_t n) { map(out, x, n, gelu_tanh_lanes, DOUBLES, gelu_tanh_libm); }
void log_all(real *out, const real *x, size_t n) { map(out, x, n, log_lanes, DOUBLES, log); }
void gelu_erf_derivative(real *out, const real *x, size_t n)
{
    map(out, x, n, gelu_erf_derivative_lanes, DOUBLES, gelu_erf_derivative_libm);
}
void gelu_tanh_derivative(real *out, const real *x, size_t n)
{
    map(out, x, n, gelu_tanh_derivative_lanes, DOUBLES, gelu_tanh_derivative_libm);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * float fma for machines without the instruction, in double arithmetic: ten lines instead of libm's slow general form.
 *
 * a*b is exact in double (24 + 24 bits fit in 53). The sum with c may not be: s is its rounding and `lost` is what the
 * rounding lost, exactly (Knuth's two-sum). Rounding s once more to float could go wrong where s lies, by the first
 * rounding, just on the middle between two floats. So s is first "rounded to odd": if anything was lost and the last
 * bit of s is even, s moves one step towards the exact value. A number with an odd last bit is never a middle, and says
 * on which side of it the exact value lies. (Boldo, Melquiond: Emulation of FMA and correctly rounded sums, 2008.)
 * Verify: fma_by_double_equals_the_instruction (tests/test_tensor.c)
 * ------------------------------------------------------------------------------------------------------------------ */
static inline float fma_by_double(float a, float b, float c)
{
    double product = (double)a * b, s = product + c, c_part = s - product;
    double lost = (product - (s - c_part)) + (c - c_part);
    uint64_t bits;
    memcpy(&bits, &s, sizeof bits);
    if ((lost > 0 || lost < 0) && !(bits & 1)) bits += (lost > 0) == (s > 0) ? 1 : (uint64_t)-1;
    memcpy(&s, &bits, sizeof s);
    return (float)s;
}

/* For the tests, which hold it against the instruction. */
float fma_without_instruction(float a, float b, float c) { return fma_by_double(a, b, c); }
bool fma_is_fast(void) { return has_fma; }

#ifdef PLAIN
static void widen_halves(real *out, const unsigned char *halves, size_t n, DType dtype)
{
    widen_halves_ref(out, halves, n, dtype);
}

/* =====================================================================================================================
 * `make plain`: the definitions alone. Packed rows are then rows like any others.
 * ================================================================================================================== */
void layer_norm(real *out, const real *x, const real *gamma, const real *beta, real eps, size_t N, size_t H)
{
    layer_norm_ref(out, x, gamma, beta, eps, N, H);
}

void softmax(real *out, const real *x, size_t rows, size_t cols) { softmax_ref(out, x, rows, cols); }

void product(real *out, size_t out_stride, Matrix x, Matrix w, Along along, const Scratch *scratch)
{
    (void)scratch;
    product_ref(out, out_stride, x, w, along);
}

void product_add(real *out, size_t out_stride, Matrix x, Matrix w, Along along, const Scratch *scratch)
{
    (void)scratch;
    product_add_ref(out, out_stride, x, w, along);
}

real row_maximum(const real *x, size_t n)
{
    real maximum = x[0];
    for (size_t j = 1; j < n; j++) maximum = x[j] > maximum ? x[j] : maximum;
    return maximum;
}

static double sum_of_differences(const real *x, size_t n, double shift, bool squared)
{
    return sum_of_differences_ref(x, n, shift, squared);
}

size_t scratch_rows(size_t N) { return N; }
bool packs_weights(const Tensor *W, size_t N) { return !W && !N; }
void pack_rows(real *panels, const real *x, size_t N, size_t K) { memcpy(panels, x, N * K * sizeof *x); }

void linear_packed(real *out, Packing packing, const real *panels, const Tensor *W, const real *b, size_t N,
                   const Scratch *scratch)
{
    (void)packing;
    linear_ref(out, panels, W, b, N, scratch);
}

void linear(real *out, const real *x, const Tensor *W, const real *b, size_t N, const Scratch *scratch)
{
    linear_ref(out, x, W, b, N, scratch);
}

#else
/* =====================================================================================================================
 * THE FAST FORMS, with the bits of the definitions. Rows first, on vectors; then the kernel.
 * ================================================================================================================== */

/* Eight numbers side by side: rows are processed eight at a time, the last ones by themselves. */
typedef real eight __attribute__((vector_size(8 * sizeof(real))));
typedef __typeof__((eight){0} > (eight){0}) eight_bits;     /* what a comparison gives: integers of the same size */

/* From any address, and to any: a memcpy of constant size is one instruction, or two. */
static inline eight load_eight(const real *p) { eight v; memcpy(&v, p, sizeof v); return v; }
static inline void store_eight(real *p, eight v) { memcpy(p, &v, sizeof v); }

/* sum_of_differences_ref's eight sums in the lanes of vectors. */
static double sum_of_differences(const real *x, size_t n, double shift, bool squared)
{
    double sum[8];
    dvec sums[8 / DOUBLES] = {{0}};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t v = 0; v < 8 / DOUBLES; v++) {
            dvec d = load_doubles(x + i + v * DOUBLES) - shift;
            sums[v] += squared ? d * d : d;
        }
    memcpy(sum, sums, sizeof sum);
    for (size_t l = 0; i + l < n; l++) {
        double d = (double)x[i + l] - shift;
        sum[l] += squared ? d * d : d;
    }
    return sum_of_eight(sum);
}

/* layer_norm_ref's bits. The two sums have its order; after them each number is computed by itself, so that it makes no
 * difference how many are computed at once. The terms must stay as they are written: (x - mean) * scale * gamma is
 * rounded after each operation, and scale * gamma computed beforehand would be another number. */
void layer_norm(real *out, const real *x, const real *gamma, const real *beta, real eps, size_t N, size_t H)
{
    for (size_t n = 0; n < N; n++, x += H, out += H) {
        double mean = sum_of_differences(x, H, 0, false) / (double)H;
        double variance = sum_of_differences(x, H, mean, true) / (double)H;
        double scale = 1 / sqrt(variance + (double)eps);
        size_t h = 0;
        for (; h + DOUBLES <= H; h += DOUBLES)
            store_doubles(out + h,
                          (load_doubles(x + h) - mean) * scale * load_doubles(gamma + h) + load_doubles(beta + h));
        for (; h < H; h++) out[h] = (real)(((double)x[h] - mean) * scale * (double)gamma[h] + (double)beta[h]);
    }
}

/* The largest of n numbers, n >= 1, by eight maxima side by side. (The order of comparisons makes no difference; a NaN
 * makes the whole row of the softmax NaN, whichever maximum is found.) */
real row_maximum(const real *x, size_t n)
{
    real maximum = x[0];
    size_t j = 0;
    if (n >= 8) {
        eight most = load_eight(x);
        for (j = 8; j + 8 <= n; j += 8) {
            eight v = load_eight(x + j);
            eight_bits more = v > most;                     /* all ones in the lanes where it is so, else zeros */
            most = (eight)(((eight_bits)v & more) | ((eight_bits)most & ~more));
        }
        for (int l = 0; l < 8; l++) maximum = most[l] > maximum ? most[l] : maximum;
    }
    for (; j < n; j++) maximum = x[j] > maximum ? x[j] : maximum;
    return maximum;
}

/* softmax_ref's bits: the maximum is the same in any order, the sum has the definition's, the rest is number by number.
 * The last loop is left to the compiler, which makes vectors of it without help. */
void softmax(real *out, const real *x, size_t rows, size_t cols)
{
    for (size_t i = 0; i < rows; i++, x += cols, out += cols) {
        real maximum = row_maximum(x, cols);
        size_t j = 0;
        for (; j + 8 <= cols; j += 8) store_eight(out + j, load_eight(x + j) - maximum);
        for (; j < cols; j++) out[j] = x[j] - maximum;
        exp_all(out, out, cols);
        real scale = (real)(1 / sum_of_differences(out, cols, 0, false));
        for (j = 0; j < cols; j++) out[j] *= scale;
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Half precision: widen_halves_ref's numbers, a vector at a time
 * ------------------------------------------------------------------------------------------------------------------ */

/* FLOATS halves, from any address, to floats by a function of bits: a lane of `half` holds a half in its lower 16 bits,
 * and copies of its sign above. */
static inline void widen(real *out, const unsigned char *halves, fbits (*to_float)(fbits))
{
    int16_t half[FLOATS];
    fbits v = {0};
    memcpy(half, halves, sizeof half);
    for (int l = 0; l < FLOATS; l++) v[l] = (uint32_t)half[l];
    v = to_float(v);
    memcpy(out, &v, sizeof v);
}

static inline fbits bfloat16_lanes(fbits half) { return half << 16; }
static inline void widen_bf16(real *out, const unsigned char *halves) { widen(out, halves, bfloat16_lanes); }

/* F16: the processor's one instruction, where it has it and the compiler makes it of a loop over numbers of 16 bits:
 * clang wherever it is there, gcc 12 with AVX512FP16 only. (-DNO_HALF_TYPE: without.) */
#ifdef NO_HALF_TYPE
#elif defined __clang__ && defined __F16C__
#define HALF_TYPE __fp16
#elif !defined __clang__ && defined __AVX512FP16__
#define HALF_TYPE __extension__ _Float16
#endif

#ifdef HALF_TYPE
static inline void widen_f16(real *out, const unsigned char *halves)
{
    HALF_TYPE half[FLOATS];
    fvec f = {0};
    memcpy(half, halves, sizeof half);
    for (int l = 0; l < FLOATS; l++) f[l] = (float)half[l];
    memcpy(out, &f, sizeof f);
}
#else
/* half_to_float in all lanes. The exponent and the fraction go to where a float has them, and 224 is added to the
 * exponent: 112, because it stands for itself minus 15 in a half and minus 127 in a float, and 112 more. So f is 2^112
 * times the half, and the largest exponent, which means infinity or NaN, is a float's largest, too.
 * A subnormal half has the exponent 0 and is fraction * 2^-14, without a leading 1. Read as a normal number it is
 * f = (1 + fraction) * 2^97 here, and right is 2f - 2^98. That is below f for the subnormals only: the smaller one of
 * the two is right for all, and exact. (The bits of positive floats have the order of the floats.)
 * Why not a float with the exponent as it is, times 2^112: then subnormal halves are subnormal floats, and some
 * processors take a hundred cycles for each. */
static inline fbits half_lanes(fbits half)
{
    const fvec f = (fvec)((half << 13 & 0x0fffe000u) + (224u << 23));
    fbits bits = (fbits)f, other = (fbits)(f + f - 0x1p98f);
    for (int l = 0; l < FLOATS; l++) bits[l] = other[l] < bits[l] ? other[l] : bits[l];
    return (fbits)((fvec)bits * 0x1p-112f) | (half << 16 & 0x80000000u);
}
static inline void widen_f16(real *out, const unsigned char *halves) { widen(out, halves, half_lanes); }
#endif

static void widen_halves(real *out, const unsigned char *halves, size_t n, DType dtype)
{
    const size_t vectors = is_double ? 0 : n / FLOATS * FLOATS;
    for (size_t i = 0; dtype == DTYPE_F16 && i < vectors; i += FLOATS) widen_f16(out + i, halves + i * 2);
    for (size_t i = 0; dtype == DTYPE_BF16 && i < vectors; i += FLOATS) widen_bf16(out + i, halves + i * 2);
    widen_halves_ref(out + vectors, halves + vectors * 2, n - vectors, dtype);
}

/* =====================================================================================================================
 * THE KERNEL: how a processor is kept busy with matrix products.
 *
 * Vectors run over tokens, not over k: lanes are tokens, and each lane adds up its own dot product in the order of
 * dot_in_chunks. So no sum runs across lanes, and the weights are used straight from the mapped file, one number at a
 * time for all tokens:
 *
 *                       packed x: a panel of 24 tokens, feature by feature
 *                       k=0  [ t0 .. t7 | t8 .. t15 | t16 .. t23 ]
 *                       k=1  [ ...                               ]
 *      w, row o    ->    *          *           *
 *      w, row o+1  ->    *          *           *         a tile of 4 rows x 24 tokens: 12 sums in 12 registers,
 *      w, row o+2  ->    *          *           *         each * is 8 lanes
 *      w, row o+3  ->    *          *           *
 *
 * A PANEL is the rows of up to 24 tokens (48 with vectors of 64 bytes), laid side by side feature by feature, so that
 * panel[k][token] fills a vector from one place. N rows are packed as panels, one after another. The places behind the
 * last token, up to a multiple of 8, are zero when packed; after a layer they hold numbers that nobody reads. So N
 * packed rows take as much room as scratch_rows(N) rows, which is N rounded up to a multiple of 8. In bert.c two must
 * know: the code that allocates packed rows (layout_steps, layout_scratch), and feed_forward_gelu, which runs over the
 * places behind the last token, too. Steps 7, 12 and 13 (attention_query, _key, _value, feed_forward_up and _down) hand
 * packed rows on without looking into them. Everybody else sees rows.
 *
 * Why 12 sums: with so many in flight, a processor that starts two multiply-adds per cycle and needs 4 or 5 cycles for
 * each never waits; and with the loaded x and the weight, they are what 16 registers hold. Fewer tokens make narrower
 * panels: 6 rows x 16 tokens, or 8 rows x 8 tokens (8 sums: memory delivers weights no faster). Where a register has 16
 * lanes, panels of 48 tokens come first, 4 rows x 48 tokens being 12 sums again, and of 32 tokens. (bert64, with half
 * the lanes, takes half the rows.)
 *
 * The order of the work is chosen for the caches. Without its details, linear_packed() is these loops:
 *
 *     for each group of 48 weight rows (24 long ones): they stay in the L2 cache
 *         for each panel of 24 tokens, or 48
 *             for each chunk of 128 k: 12 KB of packed x, or 24, which stay in the L1 cache
 *                 for each tile of 4 rows: its 12 sums begin at 0, take 128 products, are added to total[row][token]
 *             out[token][row] = total[row][token] + b[row]
 *
 * So the chunks of a sum are added in the definition's order, whatever the tile. While a group's last panel is at work,
 * the next group is prefetched, from beginning to end as it lies in the file, which is how memory is fastest. And since
 * total is itself a panel, with the rows as the next layer's k, the result can stay packed: from step 12 to step 13.
 * In product() the roles change: both sides are activations, w is packed, and lanes run over its rows (in step 8, the
 * keys j) or columns (in step 10, the features d). Read "weight rows" as rows of x there.
 *
 * LONG_TILES: where a processor starts two multiply-adds of 64 bytes in a cycle, as many as of 32, panels of 16 and 24
 * tokens use vectors of 64 bytes, too: 12 rows x 16 tokens, and 6 rows x 24, whose second vector begins at token 8, so
 * that tokens 8 to 15 are computed twice, to the same bits. (Where it starts one only, that would be slower by a third
 * at 24.) No compiler says which; but AVX512FP16, of which they know, is on Intel's processors for servers, with two.
 * ================================================================================================================== */
enum { PANEL = VECTOR_BYTES == 64 ? 48 : 24 };                              /* tokens in the widest panel */
#ifndef LONG_TILES
#ifdef __AVX512FP16__
#define LONG_TILES 1
#else
#define LONG_TILES 0
#endif
#endif

/* ---------------------------------------------------------------------------------------------------------------------
 * Packing
 * ------------------------------------------------------------------------------------------------------------------ */

size_t scratch_rows(size_t N) { return (N + 7) / 8 * 8; }

/* The width of the next panel when `left` tokens are left. Indexed by ceil(left / 8); the last entry means that many or
 * more. The widths of all panels add up to scratch_rows(N). Narrow panels are slower: 64 tokens are 32 + 32 rather than
 * 48 + 16. */
static size_t panel_width(size_t left)
{
    static const unsigned char up_to_24[] = {0, 8, 16, 24, 16, 24}, up_to_48[] = {0, 8, 16, 24, 32, 24, 48, 32, 32, 48};
    size_t eights = (left + 7) / 8;
    return PANEL == 24 ? up_to_24[eights < 5 ? eights : 5] : up_to_48[eights < 9 ? eights : 9];
}

/* Transposes a square of 8 x 8. Each round interleaves row i with row i + 4, as a deck of cards is shuffled: a0 b0 a1
 * b1 ...; after the third, every number is in its place. */
static inline void transpose_square(eight row[8])
{
    for (int round = 0; round < 3; round++) {
        eight shuffled[8];
        UNROLL
        for (int i = 0; i < 4; i++) {
            eight a = row[i], b = row[i + 4];
            shuffled[2 * i] = (eight){a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]};
            shuffled[2 * i + 1] = (eight){a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7]};
        }
        memcpy(row, shuffled, sizeof shuffled);
    }
}

/* out (cols,rows) <- in (rows,cols), and b (rows) added unless NULL:   out[c][r] = in[r][c] + b[r]. */
static void transpose(real *out, size_t out_stride, Matrix in, const real *b)
{
    size_t square_rows = in.rows / 8 * 8, square_cols = in.cols / 8 * 8;
    for (size_t c = 0; c < square_cols; c += 8)
        for (size_t r = 0; r < square_rows; r += 8) {
            eight square[8];
            for (size_t i = 0; i < 8; i++) square[i] = load_eight(in.data + (r + i) * in.stride + c);
            transpose_square(square);
            for (size_t i = 0; i < 8; i++)
                store_eight(out + (c + i) * out_stride + r, b ? square[i] + load_eight(b + r) : square[i]);
        }
    for (size_t r = 0; r < in.rows; r++)
        for (size_t c = r < square_rows ? square_cols : 0; c < in.cols; c++)
            out[c * out_stride + r] = b ? in.data[r * in.stride + c] + b[r] : in.data[r * in.stride + c];
}

/* out (rows,cols) <- in, row by row. Why not memcpy: gcc may make `rep movs` of it, which takes longer to begin than to
 * copy 48 numbers. */
static void copy_rows(real *out, size_t out_stride, Matrix in)
{
    const size_t eights = in.cols / 8 * 8;
    for (size_t r = 0; r < in.rows; r++, out += out_stride, in.data += in.stride) {
        for (size_t c = 0; c < eights; c += 8) store_eight(out + c, load_eight(in.data + c));
        for (size_t c = eights; c < in.cols; c++) out[c] = in.data[c];
    }
}

/* The rows of x as panels, or its columns. By columns, row k of x is what packed[k] wants, and is copied. Places behind
 * the last token are computed like the others; a result as rows leaves them out. */
static void pack(real *packed, Matrix x, Along along)
{
    size_t N = along == BY_ROWS ? x.rows : x.cols, K = along == BY_ROWS ? x.cols : x.rows, n = 0;
    for (size_t width; n < N; n += width, packed += width * K) {
        width = panel_width(N - n);
        size_t count = N - n < width ? N - n : width;
        if (count < width) memset(packed, 0, width * K * sizeof *packed);
        if (along == BY_ROWS) transpose(packed, width, (Matrix){x.data + n * x.stride, count, K, x.stride}, NULL);
        else copy_rows(packed, width, (Matrix){x.data + n, K, count, x.stride});
    }
    assert(n == scratch_rows(N));                           /* the room that was allocated, and no more */
}

void pack_rows(real *panels, const real *x, size_t N, size_t K) { pack(panels, (Matrix){x, N, K, K}, BY_ROWS); }

/* What is to be prefetched: weights, or a panel, of numbers of `size` bytes; or NULL. */
typedef struct {
    const char *rows;
    size_t size;
    bool panel;
} Ahead;

/* A group of weight rows, or of rows of x. Half-precision weights become reals when the first panel comes to them, tile
 * by tile, so that a tile finds them in the L1 cache; for the panels behind it they stay in `room`. */
typedef struct {
    Matrix w;                       /* the rows as reals; or where they will be: room */
    const unsigned char *halves;    /* the rows in the file, of type dtype; NULL: w is there */
    DType dtype;
    real *room;
    bool once;                      /* no other panel follows: all tiles' rows may have the place of the first tile's */
    bool turned;                    /* w.data has them as columns: row r's number k at k * ROW_GROUP + r */
} RowGroup;

#ifdef __wasm_simd128__                 /* in a browser: tiles that need no fma; see "The two products" for its use */
#include "page/kernel.h"
#else
/* ---------------------------------------------------------------------------------------------------------------------
 * Tiles
 * ------------------------------------------------------------------------------------------------------------------ */

enum { LANES = 32 / sizeof(real), LONG_LANES = 64 / sizeof(real) };         /* 8 and 16 floats; 4 and 8 doubles */
typedef real vec __attribute__((vector_size(32)));
typedef real long_vec __attribute__((vector_size(64)));
static inline vec load_vec(const real *p) { vec v; memcpy(&v, p, sizeof v); return v; }
static inline long_vec load_long(const real *p) { long_vec v; memcpy(&v, p, sizeof v); return v; }
static inline void store_vec(real *p, vec v) { memcpy(p, &v, sizeof v); }
static inline void store_long(real *p, long_vec v) { memcpy(p, &v, sizeof v); }

/* a b + c in all lanes, rounded once. A loop is all it takes: compilers make one instruction of it, or a few. */
static inline vec fma_vec(vec a, real b, vec c)
{
    const vec in_all = b - (vec){0};                        /* x - 0 is x; x + 0 is not, for -0 */
    for (int l = 0; l < LANES; l++) c[l] = fma_once(a[l], in_all[l], c[l]);
    return c;
}

static inline long_vec fma_long(long_vec a, real b, long_vec c)
{
    const long_vec in_all = b - (long_vec){0};
    for (int l = 0; l < LONG_LANES; l++) c[l] = fma_once(a[l], in_all[l], c[l]);
    return c;
}

/* What is the same for all tiles of a chunk. */
typedef struct {
    const real *x;                  /* the chunk of a panel: x[k][token] */
    size_t k_count;                 /* products in the chunk: 128, or what is left of K */
    size_t w_stride, total_stride;  /* numbers between two weight rows, two rows of total[row][token] */
    bool fresh;                     /* the first chunk of the sum: total begins at 0 */
    size_t ahead_size;              /* bytes of a number in what is prefetched: */
    bool panel_ahead;               /* the next panel, or weights */
} Chunk;

/* Prefetches a cache line: 64 bytes, 16 floats. A narrow panel waits for the memory more than it computes. Then the
 * line goes to the L2 cache only, which is faster (8 tokens: by a third where it was measured), because more lines can
 * be under way. So does the next panel: in the L1 cache it would be in the way of this one. */
static inline void prefetch(const char *line, int width, bool panel)
{
    if (width <= (LONG_TILES ? 24 : 16) || panel) __builtin_prefetch(line, 0, 2);
    else __builtin_prefetch(line);
}

/* Where a tile's vector number v begins: one behind the other, but the last one ends at the panel's last token. */
static inline int first_token(int v, int lanes, int width)
{
    return v * lanes + lanes <= width ? v * lanes : width - lanes;
}

/* One tile: one chunk of `rows` weight rows with a panel of `width` tokens. Its sums are added to total[row][token].
 *
 * `rows`, `width` and `turned` (see RowGroup) are constants at every call; the first two make at most 12 vectors of
 * sums. Panels of 32 and 48 tokens, with LONG_TILES of 16 and 24, too, use long_sum, vectors of 64 bytes, the others
 * sum, vectors of 32; the compiler drops the one that is not used, unrolls the loops and keeps the sums in registers.
 * `ahead`, unless NULL, points into the next group of rows; for every 16 k one cache line per row is prefetched, as
 * much as is consumed. */
static inline __attribute__((always_inline)) void
tile(real *total, const real *w, const char *ahead, const Chunk *chunk, int rows, int width, bool turned)
{
    const bool wide = width >= (LONG_TILES ? 16 : 32);
    const int lanes = wide ? LONG_LANES : LANES, vecs = (width + lanes - 1) / lanes;
    const size_t w_stride = chunk->w_stride, k_count = chunk->k_count;
    const bool fresh = chunk->fresh;
    const real *x = chunk->x;
    vec sum[12] = {{0}};                                    /* sum[row * vecs + vector] */
    long_vec long_sum[12] = {{0}};
    for (size_t k = 0; k < k_count;) {
        size_t end = k_count - k < 16 ? k_count : k + 16;
        for (int r = 0; ahead && r < rows; r++)
            prefetch(ahead + (k * (size_t)rows + (size_t)r * 16) * chunk->ahead_size, width, chunk->panel_ahead);
        for (; k < end; k++, x += width)
            UNROLL
            for (int i = 0; i < rows * vecs; i++) {
                const size_t row = (size_t)(i / vecs);
                const real weight = w[turned ? k * ROW_GROUP + row : row * w_stride + k];
                const real *tokens = x + first_token(i % vecs, lanes, width);
                if (wide) long_sum[i] = fma_long(load_long(tokens), weight, long_sum[i]);
                else sum[i] = fma_vec(load_vec(tokens), weight, sum[i]);
            }
    }
    UNROLL
    for (int i = 0; i < rows * vecs; i++) {                 /* all of total is read before any of it is written */
        const real *t = total + (size_t)(i / vecs) * chunk->total_stride + first_token(i % vecs, lanes, width);
        if (wide) long_sum[i] = (fresh ? (long_vec){0} : load_long(t)) + long_sum[i];
        else sum[i] = (fresh ? (vec){0} : load_vec(t)) + sum[i];
    }
    UNROLL
    for (int i = 0; i < rows * vecs; i++) {
        real *t = total + (size_t)(i / vecs) * chunk->total_stride + first_token(i % vecs, lanes, width);
        if (wide) store_long(t, long_sum[i]);
        else store_vec(t, sum[i]);
    }
}

/* The tiles that there are, by width: full ones, and single rows for those left over. Each is a function of its own: in
 * one together, the registers for addresses would not suffice. */
typedef void Tile(real *total, const real *w, const char *ahead, const Chunk *chunk);
#define ONE_TILE(name, rows, width, turned) \
    static void name(real *total, const real *w, const char *ahead, const Chunk *chunk) \
    { tile(total, w, ahead, chunk, rows, width, turned); }
#define TILE(rows, width) \
    ONE_TILE(tile_##width, rows, width, false) ONE_TILE(turned_tile_##width, rows, width, true) \
    ONE_TILE(row_##width, 1, width, false) ONE_TILE(turned_row_##width, 1, width, true)
#define TILES(rows, width) {{tile_##width, turned_tile_##width}, {row_##width, turned_row_##width}, rows}
enum { TAKES_COLUMNS = true };      /* there are tiles for RowGroup.turned */
enum {                              /* weight rows in a tile */
    SIZE = sizeof(real) / sizeof(float),
    ROWS = 4 / SIZE,
    ROWS_24 = (LONG_TILES ? 6 : 4) / SIZE,
    ROWS_16 = (LONG_TILES ? 12 : 6) / SIZE,
    ROWS_8 = 8 / SIZE
};
TILE(ROWS, 48)
TILE(ROWS, 32)
TILE(ROWS_24, 24)
TILE(ROWS_16, 16)
TILE(ROWS_8, 8)
static const struct {
    Tile *full[2], *single_row[2];  /* of rows, and of rows that lie as columns */
    size_t rows;                    /* in a full one */
} tiles[] = {{{0}, {0}, 0}, TILES(ROWS_8, 8), TILES(ROWS_16, 16), TILES(ROWS_24, 24),         /* by width / 8 */
             TILES(ROWS, 32), {{0}, {0}, 0}, TILES(ROWS, 48)};

/* Numbers between two rows of a tile. */
static size_t row_stride(const RowGroup *g)
{
    return g->halves && g->once && g->w.cols > SUM_CHUNK ? SUM_CHUNK : g->w.stride;
}

/* The weights of a tile: k_count numbers from k on of `count` rows from row r on, as reals, row_stride apart. */
static const real *tile_weights(const RowGroup *g, size_t r, size_t count, size_t k, size_t k_count)
{
    const size_t K = g->w.cols, at = r * K + k;
    if (g->turned) return g->w.data + k * ROW_GROUP + r;
    if (!g->halves) return g->w.data + r * g->w.stride + k;
    real *to = g->once ? g->room : g->room + at;
    for (size_t i = 0; i < count; i++)
        widen_halves(to + i * row_stride(g), g->halves + (at + i * K) * sizeof(uint16_t), k_count, g->dtype);
    return to;
}

/* total (rows, width) <- a group with one panel: chunk by chunk, tile by tile; unless `fresh`, the chunks are added to
 * what stands in total. `next` has as many numbers as the group, or more: as many are prefetched, from its beginning
 * on, as much at a time as is used of the group. */
static void group_with_panel(real *total, size_t total_stride, bool fresh, const RowGroup *g, const real *panel,
                             size_t width, Ahead next)
{
    const size_t rows = g->w.rows, K = g->w.cols, step = tiles[width / 8].rows;
    Tile *full = tiles[width / 8].full[g->turned], *single_row = tiles[width / 8].single_row[g->turned];
    for (size_t k = 0; k < K; k += SUM_CHUNK) {
        const Chunk chunk = {panel + k * width, K - k < SUM_CHUNK ? K - k : SUM_CHUNK, row_stride(g), total_stride,
                             fresh && k == 0, next.size, next.panel};
        for (size_t r = 0, count; r < rows; r += count) {
            count = rows - r < step ? 1 : step;
            (count == step ? full : single_row)(total + r * total_stride, tile_weights(g, r, count, k, chunk.k_count),
                                                next.rows ? next.rows + (k * rows + r * chunk.k_count) * next.size
                                                          : NULL, &chunk);
        }
    }
}
#endif

/* ---------------------------------------------------------------------------------------------------------------------
 * The two products
 * ------------------------------------------------------------------------------------------------------------------ */

/* Weight rows in a group, for N packed rows: fewer where they are long, so that the group stays in the cache; and fewer
 * for few tokens, which use them once or twice, so that the next group is prefetched shortly before its turn. */
static size_t rows_per_group(size_t N, size_t K)
{
    if (N <= 8) return ROWS_8;
    return N <= PANEL || (K > 1024 && N < 1024) ? ROW_GROUP / 2 : ROW_GROUP;
}

/* The group behind the one of `rows` rows from row o, to be prefetched; NULL if it is not as large. (A line is 16
 * floats: rows that are no multiple of it would make the prefetch pass the end.) */
static const char *group_behind(const Tensor *W, size_t o, size_t rows)
{
    bool whole = W->rows - o >= 2 * rows && W->cols % 16 == 0;
    return whole ? (const char *)W->data + (o + rows) * W->cols * dtype_size(W->dtype) : NULL;
}

/* The panel behind the one that is worked on, of which `left` rows are left, for a group of so many weight rows: a full
 * panel has as many numbers as the group, or more. Many tokens' panels are more than the L2 cache holds: without this
 * their first tile waits for each, with 1,024 tokens of BERT-Base for a fifth of the time. */
static Ahead panel_behind(const real *panel, size_t left, size_t rows)
{
    return (Ahead){left >= PANEL && rows <= PANEL ? (const char *)panel : NULL, sizeof(real), true};
}

/* `rows` rows of W from row o on, for N packed rows. `room` has room for them. */
static RowGroup group_of(const Tensor *W, size_t o, size_t rows, size_t N, real *room)
{
    const bool half = W->dtype == DTYPE_F16 || W->dtype == DTYPE_BF16;
    const unsigned char *halves = half ? (const unsigned char *)W->data + o * W->cols * sizeof(uint16_t) : NULL;
    const real *data = half ? room : tensor_rows(W, o, rows, room);
    return (RowGroup){{data, rows, W->cols, W->cols}, halves, W->dtype, room, panel_width(N) >= N, false};
}

/* b[r] is added to all of row r. */
static void add_to_rows(real *x, const real *b, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) x[r * width + i] += b[r];
}

/* linear_ref's bits, fast, for packed x: nearly all of BERT's time goes to this function. scratch->rows holds
 * ROW_GROUP rows, for weights that are not used in place. AS_PANELS: the sums are made where `out` wants them. */
void linear_packed(real *out, Packing packing, const real *panels, const Tensor *W, const real *b, size_t N,
                   const Scratch *scratch)
{
    size_t O = W->rows, K = W->cols, rows = rows_per_group(N, K);
    real total[ROW_GROUP * PANEL];
    for (size_t o = 0; o < O; o += rows) {
        if (O - o < rows) rows = O - o;
        RowGroup group = group_of(W, o, rows, N, scratch->rows);
        const char *next = group_behind(W, o, rows);
        for (size_t n = 0, width; n < N; n += width) {
            width = panel_width(N - n);
            bool last = n + width >= N;
            real *sums = packing == AS_PANELS ? out + n * O + o * width : total;
            const Ahead weights = {next, dtype_size(W->dtype), false};
            group_with_panel(sums, width, true, &group, panels + n * K, width,
                             last ? weights : panel_behind(panels + (n + width) * K, N - n - width, rows));
            group.halves = NULL;                            /* they are reals by this panel's work */
            if (packing == AS_PANELS) add_to_rows(sums, b + o, rows, width);
            else transpose(out + n * O + o, O, (Matrix){sums, rows, last ? N - n : width, width}, b + o);
        }
    }
}

/* Where a product goes. */
typedef struct {
    real *data;
    size_t stride;
    bool fresh;                     /* or is it added to what stands there? */
    const real *b;                  /* a bias, added last, or NULL */
} Destination;

/* The bits of product_ref, product_add_ref or linear_ref, fast. Here w is packed rather than x: then a tile's sums lie
 * as `out` wants them. Columns of x are copied to scratch->rows, a group at a time, where a tile's lie side by side. */
static void multiply(Destination out, Matrix x, Matrix w, Along along, const Scratch *scratch)
{
    const bool turned = along == BY_COLUMNS_OF_X;
    const size_t N = turned ? x.cols : x.rows, K = turned ? x.rows : x.cols, O = along == BY_ROWS ? w.rows : w.cols;
    size_t rows = rows_per_group(O, K);
    real total[ROW_GROUP * PANEL];
    pack(scratch->packed, w, along);
    for (size_t n = 0; n < N; n += rows) {
        if (N - n < rows) rows = N - n;
        const Matrix columns = {x.data + n, K, rows, x.stride};
        if (turned && TAKES_COLUMNS) copy_rows(scratch->rows, ROW_GROUP, columns);
        else if (turned) transpose(scratch->rows, K, columns, NULL);
        const RowGroup group = {.w = {turned ? scratch->rows : x.data + n * x.stride, rows, K, turned ? K : x.stride},
                                .turned = turned && TAKES_COLUMNS};
        for (size_t o = 0, width; o < O; o += width) {
            width = panel_width(O - o);
            size_t count = O - o < width ? O - o : width;
            real *to = out.data + n * out.stride + o;
            bool last = o + width >= O;
            bool full = count == width;                     /* then the sums can be made where they are wanted */
            for (size_t r = 0; !full && !out.fresh && r < rows; r++)
                memcpy(total + r * PANEL, to + r * out.stride, count * sizeof *to);
            group_with_panel(full ? to : total, full ? out.stride : PANEL, out.fresh, &group, scratch->packed + o * K,
                             width, last ? (Ahead){NULL, 0, false}
                                         : panel_behind(scratch->packed + (o + width) * K, O - o - width, rows));
            for (size_t r = 0; !full && r < rows; r++)
                memcpy(to + r * out.stride, total + r * PANEL, count * sizeof *to);
            for (size_t r = 0; out.b && r < rows; r++) add(to + r * out.stride, to + r * out.stride, out.b + o, count);
        }
    }
}

void product(real *out, size_t out_stride, Matrix x, Matrix w, Along along, const Scratch *scratch)
{
    multiply((Destination){out, out_stride, true, NULL}, x, w, along, scratch);
}

void product_add(real *out, size_t out_stride, Matrix x, Matrix w, Along along, const Scratch *scratch)
{
    multiply((Destination){out, out_stride, false, NULL}, x, w, along, scratch);
}

bool packs_weights(const Tensor *W, size_t N)
{
    return N >= 2 * PANEL && N * (W->cols + W->rows) >= 2 * W->rows * W->cols && tensor_rows(W, 0, 0, NULL) != NULL;
}

/* linear_ref's bits, from rows to rows. scratch->packed holds scratch_rows(N) * K numbers.
 * For many tokens W is packed rather than x, as many of its rows at a time as there are tokens: that is less to lay out
 * anew, and the result lies as it is wanted. 616 tokens with 30,522 rows of 128 numbers take half the time. */
void linear(real *out, const real *x, const Tensor *W, const real *b, size_t N, const Scratch *scratch)
{
    const size_t O = W->rows, K = W->cols, most = N / PANEL * PANEL;
    if (!packs_weights(W, N)) {
        pack_rows(scratch->packed, x, N, K);
        linear_packed(out, AS_ROWS, scratch->packed, W, b, N, scratch);
        return;
    }
    for (size_t o = 0; o < O; o += most)
        multiply((Destination){out + o, O, true, b + o}, (Matrix){x, N, K, K},
                 (Matrix){tensor_rows(W, o, 0, NULL), O - o < most ? O - o : most, K, K}, BY_ROWS, scratch);
}

#endif

double sum_of_squares(const real *x, size_t n) { return sum_of_differences(x, n, 0, true); }

/* =====================================================================================================================
 * ROWS, BACKWARDS: LayerNorm and softmax for learn.c, whose head explains the names. In double, rounded once.
 * ================================================================================================================== */

/* One row: dx (H) <- dy, x (H); the row's part of dgamma and dbeta is added to the sums. */
static void norm_row_backward(real *dx, const real *dy, const real *x, const NormBackward *norm)
{
    const size_t H = norm->H, even = H / 8 * 8;
    const double mean = sum_of_differences(x, H, 0, false) / (double)H;
    const double scale = 1 / sqrt(sum_of_differences(x, H, mean, true) / (double)H + (double)norm->eps);
    double of_d[8] = {0}, of_du[8] = {0};                   /* eight sums side by side, as in the forward pass */
    for (size_t h = 0; h < H; h += 8)
        for (size_t i = 0; i < (h < even ? 8 : H - even); i++) {
            const double u = ((double)x[h + i] - mean) * scale, dy_i = (double)dy[h + i];
            const double d = dy_i * (double)norm->gamma[h + i];
            of_d[i] += d;
            of_du[i] += d * u;
            norm->dgamma[h + i] += dy_i * u;
            norm->dbeta[h + i] += dy_i;
        }
    const double mean_d = sum_of_eight(of_d) / (double)H, mean_du = sum_of_eight(of_du) / (double)H;
    for (size_t h = 0; h < H; h++) {
        const double u = ((double)x[h] - mean) * scale, d = (double)dy[h] * (double)norm->gamma[h];
        dx[h] = (real)(scale * (d - mean_d - u * mean_du));
    }
}

/* Forward: y = u gamma + beta with u = (x - mean) / r, r = sqrt(variance + eps), each row by itself. Backward, with
 * d = dy gamma, the gradient of u:
 *
 *     dx = (d - mean of d - u * mean of (u times d)) / r                       means over the row
 *     dgamma = sum over rows of dy u          dbeta = sum over rows of dy
 *
 * Why two means are taken away: every x_k of the row moves the mean by 1/H and r by u_k/H, and so every u_j by
 * ([j is k] - 1/H - u_j u_k/H) / r; the sum over j of d_j times that is the formula. So shifting the whole row, or
 * stretching it, which changes no y (but for eps), has no gradient.
 * Trap: with mean and variance taken as constants, dx is d / r: wrong in size and direction.
 * Source: [ln]; [hf] nn.LayerNorm */
void layer_norm_backward(real *dx, const real *dy, const real *x, const NormBackward *norm, size_t N)
{
    for (size_t n = 0; n < N; n++)
        norm_row_backward(dx + n * norm->H, dy + n * norm->H, x + n * norm->H, norm);
}

/* Forward: p = softmax(s), each row by itself. Backward:
 *
 *     ds_j = p_j (dp_j - sum over k of p_k dp_k)          ds (rows,cols) <- dp, p
 *
 * Why: p_j grows with s_j by p_j (1 - p_j), and shrinks with every other s_k by p_j p_k.
 * A masked place has p = +0, so its ds is 0: padding learns nothing and teaches nothing. (Unless the whole row is
 * masked, where every p is 1/cols.) */
void softmax_backward(real *ds, const real *dp, const real *p, size_t rows, size_t cols)
{
    const size_t even = cols / 8 * 8;
    for (size_t i = 0; i < rows; i++, ds += cols, dp += cols, p += cols) {
        double sums[8] = {0};
        for (size_t j = 0; j < even; j += 8)
            for (size_t l = 0; l < 8; l++) sums[l] += (double)p[j + l] * (double)dp[j + l];
        for (size_t j = even; j < cols; j++) sums[j - even] += (double)p[j] * (double)dp[j];
        const double sum = sum_of_eight(sums);
        for (size_t j = 0; j < cols; j++) ds[j] = (real)((double)p[j] * ((double)dp[j] - sum));
    }
}

/* =====================================================================================================================
 * RANDOM NUMBERS, for learn.c
 * ================================================================================================================== */

/* Philox 4x32 with ten rounds: a scrambler. A counter of 128 bits and a key of 64 go in, 128 random bits come out.
 *
 *     a round:   (c0 c1 c2 c3) -> (high(c2 M1) ^ c1 ^ k0,  low(c2 M1),  high(c0 M0) ^ c3 ^ k1,  low(c0 M0))
 *
 * where high and low are the halves of a product of 64 bits, and the key grows by a constant after each round.
 * Why not rand() or a Mersenne Twister: these are streams; a number depends on how many were taken before. A run that
 * is interrupted, or that takes its sequences in other portions, would go on with other numbers. Here the number for
 * (step, sequence, layer, position) is the same whenever it is asked for, in any order.
 * Source: Salmon et al.: Parallel Random Numbers: As Easy as 1, 2, 3. 2011. PyTorch and JAX have it on GPUs.
 * Verify: philox_gives_the_published_numbers (tests/test_learn.c) */
void philox(uint32_t out[4], const uint32_t counter[4], uint32_t seed, Purpose purpose)
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k0 = seed, k1 = (uint32_t)purpose;
    for (int round = 0; round < 10; round++) {
        const uint64_t even = (uint64_t)c[0] * 0xD2511F53u, odd = (uint64_t)c[2] * 0xCD9E8D57u;
        c[0] = (uint32_t)(odd >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)odd;
        c[2] = (uint32_t)(even >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)even;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

/* philox for many counters side by side, so that vectors can do it: of counter 0 + i the four numbers are at 4 i. The
 * halves of a product are written as two products, of 64 bits and of 32: processors have vectors of both. */
void philox_many(uint32_t out[4 * PHILOX_MANY], const uint32_t counter[4], uint32_t seed, Purpose purpose)
{
    uint32_t c0[PHILOX_MANY], c1[PHILOX_MANY], c2[PHILOX_MANY], c3[PHILOX_MANY], k0 = seed, k1 = (uint32_t)purpose;
    for (uint32_t i = 0; i < PHILOX_MANY; i++) {
        c0[i] = counter[0] + i;
        c1[i] = counter[1];
        c2[i] = counter[2];
        c3[i] = counter[3];
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < PHILOX_MANY; i++) {
            const uint32_t even_high = (uint32_t)((uint64_t)c0[i] * 0xD2511F53u >> 32), even_low = c0[i] * 0xD2511F53u;
            const uint32_t odd_high = (uint32_t)((uint64_t)c2[i] * 0xCD9E8D57u >> 32), odd_low = c2[i] * 0xCD9E8D57u;
            c0[i] = odd_high ^ c1[i] ^ k0;
            c1[i] = odd_low;
            c2[i] = even_high ^ c3[i] ^ k1;
            c3[i] = even_low;
        }
    for (int i = 0; i < PHILOX_MANY; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

/* Dropout: in training, each number is set to 0 with probability `rate`, and the others are divided by 1 - rate, so
 * that the mean stays. No number can then be relied upon alone.     [paper] A.2; [hf] nn.Dropout
 *
 *     y_i = 0 or x_i / (1 - rate)            backwards: dx_i = 0 or dy_i / (1 - rate), the same i: the same function
 *
 * BERT has it in three places: after the embeddings' LayerNorm, on the attention's probabilities, and on the output of
 * a block's two sub-layers before the residual is added.
 * Trap: not after the residual; and the scale belongs to training: in use nothing is dropped and nothing scaled.
 * out (cols) <- x (cols), row number `row` of sequence number `sequence` of the step; out may be x. */
void drop_row(real *out, const real *x, size_t cols, const Dropout *d, Purpose place, uint32_t row, uint32_t sequence)
{
    const double rate = place == PURPOSE_DROP_PROBS  ? d->probs_rate
                        : place == PURPOSE_DROP_HEAD ? d->head_rate : d->rate;
    const uint32_t limit = (uint32_t)(rate * 4294967296.0);                 /* so many of 2^32 are dropped */
    const real scale = (real)(1 / (1 - rate));
    for (size_t c = 0; c < cols; c += 4 * PHILOX_MANY) {
        uint32_t random[4 * PHILOX_MANY];
        const uint32_t counter[4] = {(uint32_t)(c / 4), row, sequence, d->step};    /* four columns share one */
        const size_t count = cols - c < 4 * PHILOX_MANY ? cols - c : 4 * PHILOX_MANY;
        philox_many(random, counter, d->seed, place);
        for (size_t i = 0; i < count; i++) out[c + i] = random[i] < limit ? 0 : x[c + i] * scale;
    }
}
