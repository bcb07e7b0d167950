/* lanes.h - fused multiply-add on the lanes of WebAssembly's vectors, for tensor.c in a browser.
 *
 * WebAssembly has vectors of 16 bytes (SIMD128), but no a*b + c with one rounding. Two builds of the page make it in
 * two ways, with the same bits:
 *
 *     exact      + - * and operations on bits, which the standard defines to the last bit. Runs everywhere
 *     relaxed    f32x4.relaxed_madd, f64x2.relaxed_madd (-mrelaxed-simd). One instruction, five to ten times faster.
 *                The standard lets an engine round once or twice; so page.c asks it first (page_madd_is_fused), and the
 *                page takes this build only where every one of some thousand hard cases is rounded once.
 *
 * Verify: tests/page/test_core.mjs holds both against the definition (dot_in_chunks, libm's fma) and the whole model
 * against ./bert.
 */
#ifndef LANES_H
#define LANES_H
#include <wasm_simd128.h>

enum { ONE_LANES = 16 };            /* bytes of a v128_t */

/* v "rounded to odd", where `lost` is what the rounding of v lost: if anything was lost and v's last bit is even, v
 * moves one step towards the exact value. A later rounding to fewer bits is then the rounding of the exact value.
 * (Boldo, Melquiond 2008; the scalar form is fma_by_double in tensor.c.) NaN in `lost` counts as nothing. */
static inline v128_t odd_two(v128_t v, v128_t lost)
{
    const v128_t one = wasm_i64x2_splat(1);
    const v128_t inexact = wasm_f64x2_gt(wasm_f64x2_abs(lost), wasm_f64x2_splat(0));
    const v128_t even = wasm_i64x2_sub(wasm_v128_and(v, one), one);                         /* all ones, or 0 */
    const v128_t away = wasm_u64x2_shr(wasm_v128_xor(v, lost), 63);                         /* 1: other signs */
    const v128_t step = wasm_i64x2_sub(one, wasm_i64x2_add(away, away));                    /* 1 or -1 */
    return wasm_i64x2_add(v, wasm_v128_and(step, wasm_v128_and(inexact, even)));
}

/* x + y, and what its rounding lost, exactly (Knuth's two-sum). */
static inline v128_t sum_two(v128_t x, v128_t y, v128_t *lost)
{
    const v128_t s = wasm_f64x2_add(x, y), y_part = wasm_f64x2_sub(s, x);
    *lost = wasm_f64x2_add(wasm_f64x2_sub(x, wasm_f64x2_sub(s, y_part)), wasm_f64x2_sub(y, y_part));
    return s;
}

/* The upper 26 bits of x's fraction; x less them is the lower 26, exactly (Veltkamp). |x| < 2^996. */
static inline v128_t upper_two(v128_t x)
{
    const v128_t t = wasm_f64x2_mul(x, wasm_f64x2_splat(134217729.0));                      /* 2^27 + 1 */
    return wasm_f64x2_sub(t, wasm_f64x2_sub(t, x));
}

/* a*b + c on two doubles, rounded once.
 *
 *     a b = p + q         exactly (Dekker), from halves whose products are exact
 *     c + q = u + u'      exactly
 *     p + u = t + t'      exactly
 *     t + odd(t' + u')    rounded once is the exact sum rounded once
 *
 * Where that is 0 or no number, a*b + c in two roundings is right and has the right sign: the exact result is 0, or
 * something is infinite. Not for products beyond 2^996 or below 2^-969, which no curve of tensor.c forms. */
static inline v128_t exact_fma_two(v128_t a, v128_t b, v128_t c)
{
    const v128_t a1 = upper_two(a), a2 = wasm_f64x2_sub(a, a1), b1 = upper_two(b), b2 = wasm_f64x2_sub(b, b1);
    const v128_t p = wasm_f64x2_mul(a, b);
    v128_t q = wasm_f64x2_sub(wasm_f64x2_mul(a1, b1), p), u_lost, t_lost, v_lost;
    q = wasm_f64x2_add(q, wasm_f64x2_mul(a1, b2));
    q = wasm_f64x2_add(q, wasm_f64x2_mul(a2, b1));
    q = wasm_f64x2_add(q, wasm_f64x2_mul(a2, b2));
    const v128_t u = sum_two(c, q, &u_lost), t = sum_two(p, u, &t_lost), v = sum_two(t_lost, u_lost, &v_lost);
    const v128_t result = wasm_f64x2_add(t, odd_two(v, v_lost));
    const v128_t is_number = wasm_f64x2_gt(wasm_f64x2_abs(result), wasm_f64x2_splat(0));
    return wasm_v128_bitselect(result, wasm_f64x2_add(p, c), is_number);
}

/* x w + c on two doubles that are floats, rounded to a float once; the result as doubles: any floats. */
static inline v128_t fma_floats_as_doubles(v128_t x, v128_t w, v128_t c)
{
    v128_t lost;
    const v128_t s = sum_two(wasm_f64x2_mul(x, w), c, &lost);                               /* the product is exact */
    return wasm_f64x2_promote_low_f32x4(wasm_f32x4_demote_f64x2_zero(odd_two(s, lost)));
}

/* a*b + c on four floats, rounded once. */
static inline v128_t exact_fma_four(v128_t a, v128_t b, v128_t c)
{
    const v128_t a_high = wasm_i32x4_shuffle(a, a, 2, 3, 2, 3), b_high = wasm_i32x4_shuffle(b, b, 2, 3, 2, 3);
    const v128_t c_high = wasm_i32x4_shuffle(c, c, 2, 3, 2, 3);
    v128_t low_lost, high_lost;
    const v128_t low = sum_two(wasm_f64x2_mul(wasm_f64x2_promote_low_f32x4(a), wasm_f64x2_promote_low_f32x4(b)),
                               wasm_f64x2_promote_low_f32x4(c), &low_lost);
    const v128_t high = sum_two(wasm_f64x2_mul(wasm_f64x2_promote_low_f32x4(a_high),
                                               wasm_f64x2_promote_low_f32x4(b_high)),
                                wasm_f64x2_promote_low_f32x4(c_high), &high_lost);
    return wasm_i32x4_shuffle(wasm_f32x4_demote_f64x2_zero(odd_two(low, low_lost)),
                              wasm_f32x4_demote_f64x2_zero(odd_two(high, high_lost)), 0, 1, 4, 5);
}
#ifdef __wasm_relaxed_simd__
static inline v128_t fma_two(v128_t a, v128_t b, v128_t c) { return wasm_f64x2_relaxed_madd(a, b, c); }
static inline v128_t fma_four(v128_t a, v128_t b, v128_t c) { return wasm_f32x4_relaxed_madd(a, b, c); }
#else
static inline v128_t fma_two(v128_t a, v128_t b, v128_t c) { return exact_fma_two(a, b, c); }
static inline v128_t fma_four(v128_t a, v128_t b, v128_t c) { return exact_fma_four(a, b, c); }
#endif

#ifdef VECTOR_BYTES
/* tensor.c's two functions: the same on vectors of VECTOR_BYTES. */
static inline dvec fma_lanes(dvec a, dvec b, dvec c)
{
    dvec r;
    for (size_t i = 0; i < VECTOR_BYTES; i += ONE_LANES) {
        const v128_t x = wasm_v128_load((const char *)&a + i), y = wasm_v128_load((const char *)&b + i);
        wasm_v128_store((char *)&r + i, fma_two(x, y, wasm_v128_load((const char *)&c + i)));
    }
    return r;
}

static inline fvec fma_floats(fvec a, fvec b, fvec c)
{
    fvec r;
    for (size_t i = 0; i < VECTOR_BYTES; i += ONE_LANES) {
        const v128_t x = wasm_v128_load((const char *)&a + i), y = wasm_v128_load((const char *)&b + i);
        wasm_v128_store((char *)&r + i, fma_four(x, y, wasm_v128_load((const char *)&c + i)));
    }
    return r;
}
#endif
#endif
