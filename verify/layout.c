/* layout.c - in which order the numbers of somebody's tensor lie, under the shape that REF has for it.
 *
 *     REF (tokens, features)        OTHER (tokens, heads, D)     the same numbers in the same places
 *                                   (features, tokens)           transposed
 *                                   (heads, tokens, D)           the heads split off, as attention wants them
 *                                   (1, tokens, features)        of two sequences: shared by both
 *
 * OTHER's shape usually says which. Where the numbers differ under it, they may still be the right ones in another
 * order, because the file was written wrongly: then the numbers themselves say it.
 */
#include "verify/verify.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* =====================================================================================================================
 * Places
 * ================================================================================================================== */

/* Sequence, head, row (token or query), column (feature or key) of element i of REF. In C's order the last index runs
 * fastest. */
Place place_at(const TraceEntry *t, size_t i)
{
    const size_t row = i / t->cols, head = row / t->rows;
    return (Place){head / t->heads, head % t->heads, row % t->rows, i % t->cols};
}

size_t index_at(const TraceEntry *t, Place p)
{
    return ((p.b * t->heads + p.head) * t->rows + p.row) * t->cols + p.col;
}

/* The index of that place in OTHER's data. */
size_t layout_index(const Layout *l, Place p)
{
    const size_t group = p.col / l->width, col = p.col % l->width;
    return p.b * l->sequence + p.head * l->head + p.row * l->row + group * l->group + col * l->col;
}

/* One dimension of REF: what it counts, how large it is, and where a layout keeps its stride. */
typedef struct {
    const char *name;
    size_t size, *stride;
} Axis;
enum { MOST_AXES = 4 };

/* REF's dimensions in its order. With `heads` (not 0) the columns are two of them, (heads, D). Returns how many. */
static int axes_of(Axis axes[MOST_AXES], Layout *l, const TraceEntry *ref, size_t heads)
{
    int n = 0;
    const bool scores = ref->form == FORM_SCORES;
    *l = (Layout){.width = heads ? ref->cols / heads : ref->cols};
    axes[n++] = (Axis){"inputs", ref->B, &l->sequence};
    if (scores) axes[n++] = (Axis){"heads", ref->heads, &l->head};
    if (ref->form != FORM_WHOLE) axes[n++] = (Axis){scores ? "queries" : "tokens", ref->rows, &l->row};
    if (heads) {
        axes[n++] = (Axis){"heads", heads, &l->group};
        axes[n++] = (Axis){"D", l->width, &l->col};
    } else {
        axes[n++] = (Axis){scores ? "keys" : "features", ref->cols, &l->col};
    }
    return n;
}

/* Gives the axes their strides as they lie in memory in this order, and says the order in words. */
static void lay_out(Layout *l, const Axis *axes, int n)
{
    size_t stride = 1, used = 0;
    for (int i = n - 1; i >= 0; i--) {
        *axes[i].stride = stride;
        stride *= axes[i].size;
    }
    l->order[0] = 0;
    for (int i = 0; i < n; i++)
        if (axes[i].size > 1)
            used += (size_t)snprintf(l->order + used, sizeof l->order - used, "%s%s", used ? ", " : "(", axes[i].name);
    snprintf(l->order + used, sizeof l->order - used, used ? ")" : "(1)");
}

/* REF's own order. */
static void lay_out_plainly(Layout *l, const TraceEntry *ref)
{
    Axis axes[MOST_AXES];
    lay_out(l, axes, axes_of(axes, l, ref, 0));
    l->order[0] = 0;
}

/* =====================================================================================================================
 * What the shape says
 * ================================================================================================================== */

/* Do the last dimensions from *n backwards multiply to exactly `size`? Then *n moves before them, so that the next
 * call goes on from there. (22, 12, 64) gives 768 in two steps, 64 and 12. Dimensions of 1 are no obstacle. */
static bool take_dimension(const size_t *shape, int *n, size_t size)
{
    size_t product = 1;
    while (*n > 0 && product < size)
        if (!size_mul(product, shape[--*n], &product)) return false;
    return product == size;
}

/* Are the dimensions of OTHER those of the axes, those of 1 put aside on both sides? */
static bool same_dimensions(const SafeTensor *other, const Axis *axes, int n)
{
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (axes[i].size == 1) continue;
        while (k < other->rank && other->shape[k] == 1) k++;
        if (k == other->rank || other->shape[k++] != axes[i].size) return false;
    }
    while (k < other->rank && other->shape[k] == 1) k++;
    return k == other->rank;
}

/* The first two axes of REF that are no numbers of sequences change places: (tokens, features) transposed, or
 * (tokens, heads, D) as (heads, tokens, D). Or the sequences and the tokens do, as torch.nn.Transformer has them. */
static bool swapped_by_shape(Layout *l, const TraceEntry *ref, const SafeTensor *other, size_t heads, int first)
{
    Axis axes[MOST_AXES];
    const int n = axes_of(axes, l, ref, heads);
    if (axes[first].size == axes[first + 1].size || axes[first].size == 1) return false;
    const Axis axis = axes[first];
    axes[first] = axes[first + 1];
    axes[first + 1] = axis;
    if (!same_dimensions(other, axes, n)) return false;
    lay_out(l, axes, n);
    return true;
}

/* The number of heads that OTHER's last dimension, D, says; 0 if there is none. */
static size_t heads_of(const TraceEntry *ref, const SafeTensor *other)
{
    const size_t D = other->rank > 2 ? other->shape[other->rank - 1] : 0;
    return D && D < ref->cols && ref->cols % D == 0 ? ref->cols / D : 0;
}

/* Numbers that do not depend on the sequence are often computed once: positions (1,T,H) beside words (B,T,H), which
 * PyTorch adds all the same. Token types may be one row for all tokens, (H).
 * Trap: taken for another shape, the position embeddings of every right batch of two were wrong. */
static bool shared_by_shape(Layout *l, const TraceEntry *ref, const SafeTensor *other)
{
    int n = other->rank;
    if (ref->row != TRACE_POSITION && ref->row != TRACE_TOKEN_TYPE) return false;
    if (!ref->tensor.count || !other->count) return false;
    if (!take_dimension(other->shape, &n, ref->cols)) return false;
    const bool one_token = ref->row == TRACE_TOKEN_TYPE && other->count == ref->cols;
    if (!one_token && other->count != ref->tensor.count / ref->B) return false;
    lay_out_plainly(l, ref);
    l->shared = true;
    l->sequence = 0;
    if (one_token) l->row = 0;
    return true;
}

/* Dimensions of 1 do not matter, and dimensions may be merged where they meet: (1, 22, 12, 64), (22, 768) and (22*768)
 * in C's order are the same numbers in the same places. The boundaries of features (and of queries) must be where REF
 * has them: (44, 384) has as many numbers as (22, 768), and is something else. Another order is only said where the
 * shape leaves no doubt: a square tensor is read as it stands. (One shape is one layout, also where it has no elements,
 * and boundaries cannot be found by multiplying.) */
bool layout_by_shape(Layout *l, const TraceEntry *ref, const SafeTensor *other)
{
    int n = other->rank;
    const size_t bytes = (size_t)n * sizeof *other->shape, heads = heads_of(ref, other);
    if (ref->tensor.count != other->count) return shared_by_shape(l, ref, other);
    const bool same = n == ref->tensor.rank && !memcmp(other->shape, ref->tensor.shape, bytes);
    if (!same && ref->form == FORM_TOKENS) {
        if (swapped_by_shape(l, ref, other, 0, ref->B == 1 ? 1 : 0)) return true;
        if (heads && swapped_by_shape(l, ref, other, heads, 1)) return true;
    }
    lay_out_plainly(l, ref);
    if (same) return true;
    if (!take_dimension(other->shape, &n, ref->cols)) return false;
    return ref->form != FORM_SCORES || take_dimension(other->shape, &n, ref->rows);
}

/* =====================================================================================================================
 * What the numbers say
 *
 * An array that is not contiguous (x.T, x.swapaxes(0, 1)) has its numbers in another order than its shape. Some writers
 * copy the memory and forget about that: safetensors.numpy 0.8.0 does. The numbers in the file are then the right ones,
 * and every reader finds them in the wrong places.
 * ================================================================================================================== */
enum {
    SAMPLE = 512,                   /* numbers that are looked at: enough, for a wrong order is wrong everywhere */
    FEWEST = 32,                    /* of fewer numbers some order may fit by chance */
    FITS_DB = -25,                  /* a wrong order is at 0 to 3 dB, a right one in bfloat16 below -30 dB ... */
    GAINS_DB = 20                   /* ... and this much better than the order of the shape */
};

/* How far OTHER is from REF in that layout: the NMSE of a sample. */
static double sampled(const TraceEntry *ref, const TraceEntry *other, const Layout *l, const Criteria *criteria)
{
    const size_t step = ref->tensor.count / SAMPLE + 1;
    double squares = 0, differences = 0;
    for (size_t i = 0; i < ref->tensor.count; i += step) {
        const double x = tensor_element(&ref->tensor, i);
        const double y = tensor_element(&other->tensor, layout_index(l, place_at(ref, i)));
        if (!element_counts(ref, criteria, i) || !isfinite(x) || !isfinite(y)) continue;
        squares += x * x;
        differences += (x - y) * (x - y);
    }
    return squares > 0 ? differences / squares : INFINITY;
}

/* The permutation of n things with that number, 0 .. n!-1: each digit takes one of those that are left. */
static void permute(Axis to[MOST_AXES], const Axis *from, int n, int number)
{
    bool taken[MOST_AXES] = {false};
    for (int i = 0; i < n; i++) {
        int nth = number % (n - i), k = 0;
        number /= n - i;
        while (taken[k] || nth-- > 0) k++;
        taken[k] = true;
        to[i] = from[k];
    }
}

/* The best order of REF's dimensions, of all that there are; its NMSE is returned. */
static double best_order(Layout *best, const TraceEntry *ref, const TraceEntry *other, size_t heads,
                         const Criteria *criteria)
{
    static const int factorial[MOST_AXES + 1] = {1, 1, 2, 6, 24};
    double least = INFINITY;
    Layout l;
    Axis axes[MOST_AXES], order[MOST_AXES];
    const int n = axes_of(axes, &l, ref, heads);
    for (int number = 0; number < factorial[n]; number++) {
        permute(order, axes, n, number);
        lay_out(&l, order, n);
        const double nmse = sampled(ref, other, &l, criteria);
        if (!(nmse < least)) continue;
        least = nmse;
        l.misplaced = !same_dimensions(&other->tensor, order, n);
        *best = l;
    }
    return least;
}

/* Only what a head is cut from is tried with the heads as a dimension. */
bool layout_by_numbers(Layout *l, const TraceEntry *ref, const TraceEntry *other, const Criteria *criteria)
{
    Layout shape;
    const bool split = ref->row == TRACE_QUERY || ref->row == TRACE_KEY || ref->row == TRACE_VALUE ||
                       ref->row == TRACE_CONTEXT;
    const size_t heads = split && criteria->A && ref->cols % criteria->A == 0 ? criteria->A : 0;
    if (!ref->B || ref->tensor.count != other->tensor.count || ref->tensor.count < FEWEST) return false;
    const bool fits = layout_by_shape(&shape, ref, &other->tensor);
    const double least = best_order(l, ref, other, heads, criteria);
    if (!(decibel(least) <= FITS_DB)) return false;
    return !fits || decibel(sampled(ref, other, &shape, criteria)) - decibel(least) >= GAINS_DB;
}
