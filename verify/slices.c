/* slices.c - does the difference of a tensor lie in one place of it alone?
 *
 *     only head 2, only input 1, only feature 7        the rest of the tensor is right
 *     heads 0 and 1 are swapped                        each has the other's numbers, the rest is right
 *
 * A slice is what stands at one number of a dimension. The largest difference says which slice it may be; the tensor is
 * then compared once more without it.
 */
#include "verify/verify.h"

#include <math.h>
#include <string.h>

/* What the slices are called in put_place, and in plural. */
static const char *const words[SLICE_DIMENSIONS][2] = {
    [SLICE_INPUT] = {"input", "inputs"}, [SLICE_HEAD] = {"head", "heads"}, [SLICE_TOKEN] = {"token", "tokens"},
    [SLICE_FEATURE] = {"feature", "features"}};

/* The number of the slice that a place is in. A head of (tokens, features) is a group of features. */
size_t slice_at(const TraceEntry *t, const Slicing *s, Place p)
{
    switch (s->dimension) {
    case SLICE_INPUT: return p.b;
    case SLICE_HEAD: return t->form == FORM_SCORES ? p.head : p.col / s->width;
    case SLICE_TOKEN: return p.row;
    default: return p.col;
    }
}

/* The same place in the other slice of the two, if it is in one of them. */
Place place_exchanged(const TraceEntry *t, const Slicing *s, Place p)
{
    const size_t at = slice_at(t, s, p), to = at == s->first ? s->second : at == s->second ? s->first : at;
    if (s->dimension == SLICE_INPUT) p.b = to;
    else if (t->form == FORM_SCORES) p.head = to;
    else p.col = to * s->width + p.col % s->width;
    return p;
}

/* How many slices a tensor has in that dimension; 0: it does not have it. *width: how many features a head has. */
static size_t count_of(const TraceEntry *t, SliceDimension dimension, const Criteria *criteria, size_t *width)
{
    const bool cut = t->row == TRACE_QUERY || t->row == TRACE_KEY || t->row == TRACE_VALUE || t->row == TRACE_CONTEXT;
    const size_t A = cut && criteria->A && t->cols % criteria->A == 0 ? criteria->A : 0;
    *width = A ? t->cols / A : 1;
    switch (dimension) {
    case SLICE_INPUT: return t->B;
    case SLICE_HEAD: return t->form == FORM_SCORES ? t->heads : A;
    case SLICE_TOKEN: return t->form == FORM_TOKENS ? t->rows : 0;
    default: return t->form == FORM_SCORES ? 0 : t->cols;
    }
}

/* Does the tensor pass without that slice, or with two of them exchanged? A rest of which nothing counts does not. */
static bool passes_so(const TraceEntry *ref, const TraceEntry *other, const Result *r, const Criteria *criteria,
                      const Slicing *slicing)
{
    Criteria so = *criteria;
    Result rest;
    so.slicing = slicing;
    compare_laid_out(&rest, ref, other, &r->layout, &so);
    return rest.passes && rest.counted > 0;
}

/* The slice whose numbers in REF are nearest to those that OTHER has in `first`; some of them are looked at. */
static size_t nearest_slice(const TraceEntry *ref, const TraceEntry *other, const Result *r, const Criteria *criteria,
                            Slicing s, size_t count)
{
    const size_t step = ref->tensor.count / 4096 + 1;
    size_t nearest = s.first;
    double least = INFINITY;
    for (size_t n = 0; n < count; n++) {
        double squares = 0;
        s.second = n;
        for (size_t i = 0; i < ref->tensor.count; i += step) {
            const Place p = place_at(ref, i);
            if (slice_at(ref, &s, p) != s.first) continue;
            const size_t k = index_at(ref, place_exchanged(ref, &s, p));
            const double d = tensor_element(&ref->tensor, k) - other_element(ref, other, r, criteria, i);
            if (fabs(d) < 1e30 && element_counts(ref, criteria, k)) squares += d * d;
        }
        if (n != s.first && squares < least) least = squares, nearest = n;
    }
    return nearest;
}

/* Are two inputs, or two heads, each in the other's place? */
static bool find_swapped(Slicing *s, const TraceEntry *ref, const TraceEntry *other, const Result *r,
                         const Criteria *criteria)
{
    enum { MOST = 64 };             /* inputs, or heads, that are tried */
    for (s->dimension = SLICE_INPUT; s->dimension <= SLICE_HEAD; s->dimension++) {
        const size_t count = count_of(ref, s->dimension, criteria, &s->width);
        if (count < 2 || count > MOST) continue;
        s->first = slice_at(ref, s, place_at(ref, r->where));
        s->second = nearest_slice(ref, other, r, criteria, *s, count);
        s->exchanged = true;
        if (s->second != s->first && passes_so(ref, other, r, criteria, s)) return true;
    }
    return false;
}

/* "only input 1", "only head 2", "heads 0 and 1 are swapped" into text; "" where it is neither, or the tensor is a
 * gradient. A slice that is the whole tensor is not worth a word; of a head and a feature in it the smaller is said.
 * Only for numbers that could be compared. */
void put_slices(char text[160], const TraceEntry *ref, const TraceEntry *other, const Result *r,
                const Criteria *criteria)
{
    static const SliceDimension order[] = {SLICE_INPUT, SLICE_TOKEN, SLICE_FEATURE, SLICE_HEAD};
    const Place where = place_at(ref, r->where);
    Slicing s = {0};
    size_t used = 0;
    bool feature = false;
    text[0] = 0;
    if (ref->kind != ENTRY_VALUE) return;
    for (int i = 0; i < SLICE_DIMENSIONS; i++) {
        s.dimension = order[i];
        const size_t count = count_of(ref, s.dimension, criteria, &s.width);
        s.first = slice_at(ref, &s, where);
        if (count < 2 || (feature && s.dimension == SLICE_HEAD)) continue;
        if (!passes_so(ref, other, r, criteria, &s)) continue;
        feature = s.dimension == SLICE_FEATURE;
        used += (size_t)snprintf(text + used, 160 - used, "%s%s %zu", used ? ", " : "only ", words[s.dimension][0],
                                 s.first);
    }
    if (!used && find_swapped(&s, ref, other, r, criteria))
        snprintf(text, 160, "%s %zu and %zu are swapped", words[s.dimension][1],
                 s.first < s.second ? s.first : s.second, s.first < s.second ? s.second : s.first);
}
