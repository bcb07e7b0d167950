/* kernel.h - the kernel of tensor.c in WebAssembly: group_with_panel, with the bits of dot_in_chunks.
 *
 * Every sum is a chain of fused multiply-adds on floats, and WebAssembly has none (lanes.h). One product and one sum in
 * double, rounded to a float after each step, give the same number nearly always and cost six operations for two lanes:
 *
 *     s = x w + c           the product of two floats is exact in double, the sum is rounded to 53 bits
 *     r = (bits(s) + 2^28) without its last 29 bits: s rounded to the 24 bits of a float, halves upward
 *
 * That is wrong only where s lies on the middle between two floats: exactly (a tie goes to the even one) or because the
 * first rounding put it there. Then the last 29 bits of the sum are 0 before they are taken away, which a comparison
 * sees; those steps are made again, rounded to odd (fma_floats_as_doubles). About one step in a thousand is.
 *
 * It is also wrong where a float's exponent ends: results that overflow, or that are subnormal. Before a chunk is
 * begun, the largest and the least numbers on both sides say whether that can happen at all (is_tame); if so the whole
 * chunk is rounded to odd. Each product is a multiple of 2^-46 times the least product, so is every sum, and none but 0
 * is smaller.
 *
 * A tile is 2 weight rows with 4 tokens: 4 sums, 4 new sums and what they are made of are as many vectors as x86 has
 * registers. Weights and tokens are widened to doubles once for each tile and each chunk.
 */
#ifndef KERNEL_H
#define KERNEL_H

enum { ROWS_8 = 8 };                /* weight rows in a group for 8 tokens or fewer */
enum { TAKES_COLUMNS = false };     /* rows are never turned */

/* A group's rows as reals: half-precision ones are converted. */
static Matrix group_weights(const RowGroup *g)
{
    if (g->halves) widen_halves(g->room, g->halves, g->w.rows * g->w.cols, g->dtype);
    return g->w;
}

#ifdef __wasm_relaxed_simd__
/* total[r][0 .. 4 vecs-1] (rows r) <- k_count products; `rows` and `vecs` are constants at each call. */
static inline __attribute__((always_inline)) void
tile(real *total, size_t total_stride, bool fresh, Matrix w, const real *x, size_t width, int rows, int vecs)
{
    v128_t sum[8];
    UNROLL
    for (int i = 0; i < rows * vecs; i++) sum[i] = wasm_f32x4_splat(0);
    for (size_t k = 0; k < w.cols; k++, x += width)
        UNROLL
        for (int i = 0; i < rows * vecs; i++)
            sum[i] = fma_four(wasm_v128_load(x + i % vecs * 4),
                              wasm_v128_load32_splat(w.data + (size_t)(i / vecs) * w.stride + k), sum[i]);
    UNROLL
    for (int i = 0; i < rows * vecs; i++) {
        real *t = total + (size_t)(i / vecs) * total_stride + i % vecs * 4;
        wasm_v128_store(t, wasm_f32x4_add(fresh ? wasm_f32x4_splat(0) : wasm_v128_load(t), sum[i]));
    }
}

/* total (rows, width) <- a group with one panel: chunk by chunk, tile by tile; unless `fresh`, the
 * chunks are added to what stands in total. */
static void group_with_panel(real *total, size_t total_stride, bool fresh, const RowGroup *g, const real *panel,
                             size_t width, Ahead next)
{
    const Matrix w = group_weights(g);
    (void)next;
    for (size_t k = 0; k < w.cols; k += SUM_CHUNK) {
        const size_t count = w.cols - k < SUM_CHUNK ? w.cols - k : SUM_CHUNK;
        const bool first = fresh && k == 0;
        for (size_t r = 0, step; r < w.rows; r += step) {
            const Matrix rows = {w.data + r * w.stride + k, w.rows - r, count, w.stride};
            step = rows.rows < 4 ? 1 : 4;
            for (size_t n = 0; n < width; n += 8) {
                real *to = total + r * total_stride + n;
                if (step == 4) tile(to, total_stride, first, rows, panel + k * width + n, width, 4, 2);
                else tile(to, total_stride, first, rows, panel + k * width + n, width, 1, 2);
            }
        }
    }
}

#else

typedef struct {                    /* of some floats: the largest magnitude, and the least that is not 0 */
    v128_t largest, least;
} Range;
enum { FLT_MAX_BITS = 0x7f7fffff };
static const Range range_of_nothing = {{0, 0, 0, 0}, {FLT_MAX_BITS, FLT_MAX_BITS, FLT_MAX_BITS, FLT_MAX_BITS}};

/* Widens n floats (a multiple of 4) and looks at their range. NaN stays in `largest`. */
static inline Range widen_floats(double *out, const real *x, size_t n, Range range)
{
    const v128_t zero = wasm_f32x4_splat(0), most = wasm_f32x4_splat(FLT_MAX);
    for (size_t i = 0; i < n; i += 4) {
        const v128_t v = wasm_v128_load(x + i), a = wasm_f32x4_abs(v);
        range.largest = wasm_f32x4_max(range.largest, a);
        range.least = wasm_f32x4_pmin(range.least, wasm_v128_bitselect(a, most, wasm_f32x4_gt(a, zero)));
        wasm_v128_store(out + i, wasm_f64x2_promote_low_f32x4(v));
        wasm_v128_store(out + i + 2, wasm_f64x2_promote_low_f32x4(wasm_i32x4_shuffle(v, v, 2, 3, 2, 3)));
    }
    return range;
}

/* Can no sum of 128 products of the two overflow, and none but 0 be subnormal? NaN: no. */
static inline bool is_tame(Range x, Range w)
{
    float x_most[4], x_least[4], w_most[4], w_least[4];
    double most_x = 0, most_w = 0, least_x = FLT_MAX, least_w = FLT_MAX;
    wasm_v128_store(x_most, x.largest);
    wasm_v128_store(w_most, w.largest);
    wasm_v128_store(x_least, x.least);
    wasm_v128_store(w_least, w.least);
    for (int l = 0; l < 4; l++) {
        if (!(most_x >= (double)x_most[l])) most_x = (double)x_most[l];
        if (!(most_w >= (double)w_most[l])) most_w = (double)w_most[l];
        if (least_x > (double)x_least[l]) least_x = (double)x_least[l];
        if (least_w > (double)w_least[l]) least_w = (double)w_least[l];
    }
    return most_x * most_w <= 0x1p119 && least_x * least_w >= 0x1p-79;
}

/* total[r][0 .. 3] (rows r) += or = one chunk of `rows` weight rows with 4 tokens, all widened. */
static inline __attribute__((always_inline)) void
tile(real *total, size_t total_stride, bool fresh, const double *w, const double *x, size_t width, size_t k_count,
     bool tame, int rows)
{
    const v128_t half = wasm_i64x2_splat(0x10000000), upper = wasm_i64x2_splat(-0x20000000ll);
    v128_t sum[4];
    UNROLL
    for (int i = 0; i < rows * 2; i++) sum[i] = wasm_f64x2_splat(0);
    for (size_t k = 0; k < k_count; k++, x += width) {
        v128_t rounded[4], middle = wasm_i64x2_splat(0);
        UNROLL
        for (int i = 0; i < rows * 2; i++) {
            const v128_t weight = wasm_v128_load64_splat(w + (size_t)(i / 2) * SUM_CHUNK + k);
            const v128_t s = wasm_f64x2_add(wasm_f64x2_mul(wasm_v128_load(x + i % 2 * 2), weight), sum[i]);
            const v128_t up = wasm_i64x2_add(s, half);
            rounded[i] = wasm_v128_and(up, upper);
            middle = wasm_v128_or(middle, wasm_i64x2_eq(up, rounded[i]));
        }
        if (__builtin_expect(!tame || wasm_v128_any_true(middle), 0))
            for (int i = 0; i < rows * 2; i++)
                rounded[i] = fma_floats_as_doubles(wasm_v128_load(x + i % 2 * 2),
                                                   wasm_v128_load64_splat(w + (size_t)(i / 2) * SUM_CHUNK + k), sum[i]);
        UNROLL
        for (int i = 0; i < rows * 2; i++) sum[i] = rounded[i];
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        real *t = total + (size_t)r * total_stride;
        const v128_t chunk = wasm_i32x4_shuffle(wasm_f32x4_demote_f64x2_zero(sum[2 * r]),
                                                wasm_f32x4_demote_f64x2_zero(sum[2 * r + 1]), 0, 1, 4, 5);
        wasm_v128_store(t, wasm_f32x4_add(fresh ? wasm_f32x4_splat(0) : wasm_v128_load(t), chunk));
    }
}

/* One chunk of up to two weight rows with a widened panel. */
static void rows_with_panel(real *total, size_t total_stride, bool fresh, Matrix w, const double *x, size_t width,
                            Range x_range)
{
    double wide[2 * SUM_CHUNK + 4];
    Range range = range_of_nothing;
    for (size_t r = 0; r < w.rows; r++) {
        real row[SUM_CHUNK] = {0};                          /* zeros behind it are in no range */
        const bool whole = w.cols % 4 == 0;
        if (!whole) memcpy(row, w.data + r * w.stride, w.cols * sizeof *row);
        range = widen_floats(wide + r * SUM_CHUNK, whole ? w.data + r * w.stride : row, (w.cols + 3) / 4 * 4, range);
    }
    const bool tame = is_tame(x_range, range);
    for (size_t n = 0; n < width; n += 4)
        if (w.rows == 2) tile(total + n, total_stride, fresh, wide, x + n, width, w.cols, tame, 2);
        else tile(total + n, total_stride, fresh, wide, x + n, width, w.cols, tame, 1);
}

/* total (rows, width) <- a group with one panel: chunk by chunk, tile by tile; unless `fresh`, the
 * chunks are added to what stands in total. */
static void group_with_panel(real *total, size_t total_stride, bool fresh, const RowGroup *g, const real *panel,
                             size_t width, Ahead next)
{
    const Matrix w = group_weights(g);
    static double wide[SUM_CHUNK * PANEL];                  /* a page has one thread */
    (void)next;
    for (size_t k = 0; k < w.cols; k += SUM_CHUNK) {
        const size_t count = w.cols - k < SUM_CHUNK ? w.cols - k : SUM_CHUNK;
        const Range range = widen_floats(wide, panel + k * width, count * width, range_of_nothing);
        for (size_t r = 0, step; r < w.rows; r += step) {
            step = w.rows - r < 2 ? 1 : 2;
            const Matrix rows = {w.data + r * w.stride + k, step, count, w.stride};
            rows_with_panel(total + r * total_stride, total_stride, fresh && k == 0, rows, wide, width, range);
        }
    }
}
#endif
#endif
