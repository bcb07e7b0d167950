/* twins.c - tensors that a trace holds under a second name.
 *
 *     encoder.layer.1.output.LayerNorm         the module that makes the numbers
 *     encoder.layer.1.output                   the module around it, which hands them on
 *     hidden_states.2                          what the model says that they are
 *
 * A program may compute the first rightly and hand on something else. So each name is compared, and not one for all:
 * pairs in compare.c are of the first name, the others are here.
 * Trap: a check that takes one of several names passes whatever stands under the others, zeros as well.
 */
#include "verify/verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The view's tensor of exactly this name among its second names, or NULL. */
static const TraceEntry *find_twin(const TraceView *view, const TraceEntry *like)
{
    if (!view->twin_count) return NULL;
    return bsearch(like, view->twins, view->twin_count, sizeof *view->twins, by_order);
}

/* Compares in the layout of the shape, or else in the one that the numbers say, by the rule that pairs have: of the
 * attention another order is believed where its first name, or what is made from it, is right. */
static void compare_twin(const TraceComparison *c, Twin *twin)
{
    Result *r = &twin->result;
    Layout layout;
    compare_entries(r, twin->ref, twin->other, &c->criteria);
    if (r->passes || (r->word && strcmp(r->word, "shape") != 0)) return;
    if (is_attention(twin->ref->row) && !c->results[twin->row].passes && !used_rightly(c, twin->row)) return;
    if (layout_by_numbers(&layout, twin->ref, twin->other, &c->criteria))
        compare_laid_out(r, twin->ref, twin->other, &layout, &c->criteria);
}

/* Has REF the same numbers under its second name, in the same places? */
static bool same_in_ref(const TraceEntry *x, const TraceEntry *y)
{
    if (x == y) return true;
    if (x->tensor.count != y->tensor.count || x->B != y->B || x->heads != y->heads || x->cols != y->cols) return false;
    for (size_t i = 0; i < x->tensor.count; i++) {
        const double u = tensor_element(&x->tensor, i), v = tensor_element(&y->tensor, i);
        if (u != v && !(isnan(u) && isnan(v))) return false;
    }
    return true;
}

/* Does the second name hold the numbers of the first, as far as both types go? Then what holds for one holds for the
 * other: a step in half precision is not as near to ours as the tolerance wants, and passes all the same. */
static bool same_numbers(const TraceComparison *c, const Twin *twin)
{
    const TraceEntry *ref = &c->ref->entries[twin->row], *first = c->pairs[twin->row];
    const Result *r = &c->results[twin->row];
    const DType a = first->tensor.dtype, b = twin->other->tensor.dtype;
    double squares = 0, differences = 0;
    if (!r->comparable || !twin->result.comparable || !same_in_ref(ref, twin->ref)) return false;
    for (size_t i = 0; i < ref->tensor.count; i++) {
        const double x = round_to(other_element(ref, first, r, &c->criteria, i), b);
        const double y = round_to(other_element(ref, twin->other, &twin->result, &c->criteria, i), a);
        if (!element_counts(ref, &c->criteria, i) || (isnan(x) && isnan(y)) || (isinf(x) && x == y)) continue;
        if (!isfinite(x) || !isfinite(y)) return false;
        squares += x * x;
        differences += (x - y) * (x - y);
    }
    if (differences == 0) return true;
    if (c->criteria.tolerance.kind != TOLERANCE_NMSE || !(squares > 0)) return false;
    return decibel(differences / squares) <= c->criteria.tolerance.decibel;
}

/* One more name of a tensor that both sides have. */
static void add_twin(TraceComparison *c, const TraceEntry *ref, const TraceEntry *other)
{
    const TraceEntry *first = view_find(c->ref, ref);
    if (!first || !c->pairs[first - c->ref->entries]) return;
    Twin *twin = &c->twins[c->twin_count++];
    *twin = (Twin){.row = (size_t)(first - c->ref->entries), .ref = ref, .other = other, .of_ref = ref != first};
    compare_twin(c, twin);
    if (twin->result.passes || !same_numbers(c, twin)) return;
    twin->result = c->results[twin->row];
    twin->same = true;
}

static int by_row(const void *a, const void *b)
{
    const Twin *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return strcmp(twin_name(x), twin_name(y));
}

const char *twin_name(const Twin *twin)
{
    return twin->of_ref ? twin->ref->tensor.name : twin->other->tensor.name;
}

/* OTHER's second names against REF's same name, or against REF's first one; then REF's, where OTHER has them not. */
Status comparison_twins(TraceComparison *c, Error *e)
{
    const TraceView *ref = c->ref, *other = c->other;
    size_t most;
    if (!size_add(ref->twin_count, other->twin_count + 1, &most))
        return fail(e, BERT_SYSTEM, "%s: too many names", other->path);
    c->twins = calloc(most, sizeof *c->twins);
    if (!c->twins) return fail(e, BERT_SYSTEM, "%s: out of memory for its names", other->path);
    for (size_t i = 0; i < other->twin_count; i++) {
        const TraceEntry *t = &other->twins[i], *same = find_twin(ref, t), *first = view_find(ref, t);
        if (same || first) add_twin(c, same ? same : first, t);
    }
    for (size_t i = 0; i < ref->twin_count; i++) {
        const TraceEntry *t = &ref->twins[i], *first = view_find(other, t);
        if (first && !find_twin(other, t)) add_twin(c, t, first);
    }
    qsort(c->twins, c->twin_count, sizeof *c->twins, by_row);
    for (size_t i = 0; i < c->twin_count; i++) c->twins_different += !c->twins[i].result.passes;
    return BERT_OK;
}

/* The first second name that differs where all before it are right, the first names too; NULL: there is none. */
const Twin *first_twin(const TraceComparison *c)
{
    for (size_t i = 0; i < c->twin_count; i++)
        if (!c->twins[i].result.passes) return c->twins[i].row < c->first ? &c->twins[i] : NULL;
    return NULL;
}

/* Do the two names say different things? Two that are wrong by the same numbers do not. */
bool twin_contradicts(const TraceComparison *c, const Twin *twin)
{
    if (twin->result.passes != c->results[twin->row].passes) return true;
    return !twin->result.passes && !twin->same;
}

/* The first pair of names that contradict each other, and how many more there are. */
void print_contradiction(const TraceComparison *c, const char *ref_name, FILE *out)
{
    const Twin *first = NULL;
    size_t more = 0;
    char line[640], one[100], two[100], others[48] = "";
    for (size_t i = 0; i < c->twin_count; i++) {
        if (!twin_contradicts(c, &c->twins[i])) continue;
        if (first) more++;
        else first = &c->twins[i];
    }
    if (!first) return;
    const TraceEntry *ref = &c->ref->entries[first->row], *other = c->pairs[first->row];
    const bool first_right = c->results[first->row].passes, right = first->result.passes;
    escape(one, sizeof one, first->of_ref ? ref->tensor.name : other->tensor.name);
    escape(two, sizeof two, twin_name(first));
    if (more) snprintf(others, sizeof others, " (and so do %zu more)", more);
    snprintf(line, sizeof line, "%s and %s are two names of the same numbers in %s, and contradict each other: "
             "%s agrees%s", one, two, first->of_ref ? ref_name : "OTHER",
             first_right ? "only the first" : right ? "only the second" : "neither", others);
    print_wrapped(out, line);
}
