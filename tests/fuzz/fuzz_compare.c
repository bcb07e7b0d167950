/* fuzz_compare.c - any two files as traces, for compare and for verify: refused with a sentence, or a table whose last
 * line and status agree.
 *
 * Parts: REF, OTHER. Options: bits 0 and 1 the tolerance; bit 2: verify OTHER, too, against a model of one layer
 * (formula.c); bit 3: isolated.
 */
#include "fuzz.h"
#include "tests/formula.h"
#include "verify/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The model against which traces are verified. */
static const Bert *model(void)
{
    static Bert m;
    Error e = {0};
    if (m.layers) return &m;
    Status s = formula_model(fuzz_path(""), "small", &e);
    if (s == BERT_OK) s = bert_load(&m, fuzz_path(""), &e);
    fuzz_expect(s == BERT_OK, "the model of one layer: %s", e.message);
    return &m;
}

/* The last line says what the status says. */
static void check_output(const char *text, size_t size, Status s)
{
    static const char same[] = "no difference\n", other[] = "first difference: ";
    size_t last = size ? size - 1 : 0;
    fuzz_expect(fuzz_valid_utf8((const uint8_t *)text, size) == size && fuzz_is_tame((const uint8_t *)text, size),
                "the report can be shown");
    while (last > 0 && text[last - 1] != '\n') last--;
    bool ok = size - last >= sizeof same - 1 && !memcmp(text + last, same, sizeof same - 1);
    bool different = size - last >= sizeof other - 1 && !memcmp(text + last, other, sizeof other - 1);
    fuzz_expect(ok == (s == BERT_OK) && different == (s == BERT_DIFFERENT), "status %d, last line: %s", (int)s,
                text + last);
}

/* One comparison of two files, or of a file with the model. `isolate` counts for verify only; it prints the table,
 * too. */
static Status run(const char *ref, const char *other, const Tolerance *tolerance, bool isolate)
{
    char *text = NULL;
    size_t size = 0;
    Error e = {0};
    const VerifyOptions options = {.tolerance = *tolerance, .isolate = isolate, .table = isolate};
    FILE *out = open_memstream(&text, &size);
    fuzz_expect(out != NULL, "no memory stream");
    Status s = ref ? compare_traces(ref, other, tolerance, isolate, out, &e)
                   : verify_trace(model(), other, &options, out, &e);
    fclose(out);
    fuzz_expect_status(s, &e, ref ? "13" : "134");
    if (s == BERT_OK || s == BERT_DIFFERENT) check_output(text, size, s);
    free(text);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A tensor that passes is near, by sums that are made anew
 * ------------------------------------------------------------------------------------------------------------------ */
static bool floating(const SafeTensor *t)
{
    return t->dtype == DTYPE_F32 || t->dtype == DTYPE_F64;
}

/* NMSE <= -80 dB: the differences' squares are at most 10^-8 of REF's. In long double, and scaled, so that no square
 * is too large for it. Only said of two tensors of one shape, without a mask. */
static void check_pass(const TraceEntry *x, const TraceEntry *y)
{
    const SafeTensor *a = &x->tensor, *b = &y->tensor;
    long double squares = 0, differences = 0;
    double largest = 0;
    if (!floating(a) || a->dtype != b->dtype || a->rank != b->rank || memcmp(a->shape, b->shape, sizeof a->shape) ||
        x->unscaled || y->unscaled) return;
    for (size_t i = 0; i < a->count; i++) {
        double u = tensor_element(a, i), v = tensor_element(b, i);
        fuzz_expect(u == v || (isfinite(u) && isfinite(v)), "%s passes with %g for %g", x->name, v, u);
        if (isfinite(u)) largest = fmax(largest, fmax(fabs(u), fabs(v)));
    }
    for (size_t i = 0; i < a->count && largest > 0; i++) {
        double u = tensor_element(a, i), v = tensor_element(b, i);
        if (!isfinite(u)) continue;
        long double p = (long double)u / largest, q = (long double)v / largest;
        squares += p * p, differences += (p - q) * (p - q);
    }
    fuzz_expect(differences <= 1.001e-8L * squares + 1e-300L, "%s passes, but NMSE is %Lg", x->name,
                differences / squares);
}

static void check_views(const TraceView *ref, const TraceView *other)
{
    const Criteria judge = {.tolerance = TOLERANCE_DEFAULT};
    for (size_t i = 0; i < ref->count; i++) {
        const TraceEntry *x = &ref->entries[i], *y = view_find(other, x);
        Result r;
        fuzz_expect(view_find(ref, x) == x, "%s is found", x->name);
        fuzz_expect(i == 0 || ref->entries[i - 1].order < x->order, "the order of the data");
        if (!y) continue;
        compare_entries(&r, x, y, &judge);
        if (r.passes) check_pass(x, y);
        if (x != y) continue;
        fuzz_expect(r.comparable || x->B == 0 || x->tensor.dtype > DTYPE_BF16, "%s has its own shape", x->name);
        fuzz_expect(!r.comparable || r.word || (r.passes && r.max_abs == 0), "%s equals itself", x->name);
    }
}

/* Both files as views, against each other and against themselves. */
static void check_files(const char *ref, const char *other)
{
    Safetensors files[2];
    TraceView views[2];
    Error e;
    const char *const paths[] = {ref, other};
    int last = -1;
    for (int i = 0; i < 2; i++) {
        fuzz_expect(safetensors_open(&files[i], paths[i], &e) == BERT_OK, "opened before: %s", e.message);
        int own = last_layer(files[i].tensors, files[i].count);
        last = own > last ? own : last;
    }
    for (int i = 0; i < 2; i++)
        fuzz_expect(view_make(&views[i], paths[i], files[i].tensors, files[i].count, (Known){.last = last}, &e) == BERT_OK, "view");
    check_views(&views[0], &views[1]);
    check_views(&views[1], &views[1]);
    for (int i = 0; i < 2; i++) view_free(&views[i]), safetensors_close(&files[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const Tolerance tolerances[] = {{.kind = TOLERANCE_NMSE, .decibel = -80}, {.kind = TOLERANCE_EXACT},
                                           {.kind = TOLERANCE_CLOSE, .atol = 1e-3, .rtol = 1e-3},
                                           {.kind = TOLERANCE_NMSE, .decibel = 20}};
    FuzzPart parts[2];
    const uint8_t options = fuzz_split(parts, 2, data, size);
    const Tolerance *tolerance = &tolerances[options & 3];
    fuzz_begin();
    fuzz_put("ref", parts[0].bytes, parts[0].size);
    fuzz_put("other", parts[1].bytes, parts[1].size);
    const char *ref = fuzz_path("ref"), *other = fuzz_path("other");
    Status s = run(ref, other, tolerance, options & 8);
    if (s == BERT_OK || s == BERT_DIFFERENT) check_files(ref, other);
    if (options & 4) run(NULL, other, tolerance, options & 8);
    return 0;
}

static size_t mutate_part(size_t part, uint8_t *bytes, size_t size, size_t max_size, unsigned seed)
{
    (void)part;
    return fuzz_mutate_safetensors(bytes, size, max_size, seed);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, 2, mutate_part);
}
