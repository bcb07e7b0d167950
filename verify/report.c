/* report.c - what compare and verify print: the verdict, then what is odd, then the last line for scripts.
 *
 *     111 of 199 tensors differ, the first is encoder.layer.3.output.dense
 *     its largest difference: token 5 feature 308 is -0.894001842, expected -1.50235963
 *     (the first rows that differ, or with -v the whole table)
 *     not in OTHER: ...
 *     first difference: encoder.layer.3.output.dense: NMSE -22 dB, up to 0.608 at token 5 feature 308
 *
 * A line that would be longer than 120 columns goes on in the next line, indented by four; the last one never does.
 */
#include "verify/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 120, INDENT = 4, NAME = 43, SHAPE = 12, SHOWN = 5 };

/* =====================================================================================================================
 * Lines
 * ================================================================================================================== */

/* A line that is being written, and how much of it there is. */
typedef struct {
    FILE *out;
    size_t column;
} Line;

/* The next word, in a new line if this one is full. */
static void put_word(Line *line, const char *word)
{
    const size_t length = strlen(word);
    if (line->column > 0 && line->column + 1 + length > COLUMNS) {
        fprintf(line->out, "\n%*s", INDENT, "");
        line->column = INDENT;
    } else if (line->column > 0) {
        fputc(' ', line->out);
        line->column++;
    }
    fputs(word, line->out);
    line->column += length;
}

/* A sentence, wrapped between its words; what stands in brackets is not torn apart. */
void print_wrapped(FILE *out, const char *text)
{
    Line line = {.out = out};
    char word[COLUMNS + 1];
    while (*text) {
        size_t length = *text == '(' ? strcspn(text, ")") : 0;
        length += strcspn(text + length, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        put_word(&line, word);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* (22, 768), as Python writes it: what the user will compare it with. snprintf returns what it would have written,
 * which may be more than there is room for: 8 dimensions of 20 digits would go beyond the end. */
static void put_shape(char text[96], const SafeTensor *t)
{
    int n = snprintf(text, 96, "(");
    int i = 0;
    for (; i < t->rank && n < 66; i++)                                  /* 22 more, ", ...)" and the NUL fit */
        n += snprintf(text + n, 96 - (size_t)n, "%s%zu", i ? ", " : "", t->shape[i]);
    snprintf(text + n, 96 - (size_t)n, i < t->rank ? ", ...)" : t->rank == 1 ? ",)" : ")");
}

/* An ulp in five columns: 3, 0.5, 4e+04. */
static void put_ulp(char text[24], double ulp)
{
    snprintf(text, 24, ulp >= 1000 ? "%.0e" : ulp >= 1 ? "%.3g" : "%.2g", ulp);
}

/* =====================================================================================================================
 * The table
 *
 * max abs, at, and rms are of the differences x - y; ulp is the largest difference in units of the last digit of the
 * coarser of the two types. Near zero it is large and means little: NMSE decides.
 * ================================================================================================================== */
static void print_head(FILE *out)
{
    fprintf(out, "%-*s %*s %7s %-12s %7s %7s %9s %5s\n", NAME, "name", SHAPE, "shape", "max abs", "at", "rms", "NMSE",
            "cosine", "ulp");
}

/* One line of the table, and a second one for what else is remarkable. A short name leaves room for a long shape. */
static void print_row(const char *named, const TraceEntry *ref, const Result *r, FILE *out)
{
    char name[100], shape[96], where[96] = "-", nmse[24], ulp[24];
    escape(name, sizeof name, named);
    const int used = (int)strlen(name), room = NAME + 1 + SHAPE - used;
    put_shape(shape, &ref->tensor);
    fprintf(out, "%s %*s", name, room > 1 ? room - 1 : 0, shape);
    if (!r->comparable) {
        fprintf(out, " another %s  DIFFERENT\n", r->word);
        return;
    }
    if (r->max_abs > 0 || r->word) put_place_index(where, ref, r->where);
    put_decibel(nmse, r->nmse);
    put_ulp(ulp, r->ulp);
    if (r->word) fprintf(out, " %7s %-12s %7s %7s %9s %5s", r->word, where, "-", "-", "-", "-");
    else fprintf(out, " %7.1e %-12s %7.1e %7s %9.6f %5s", r->max_abs, where, r->rms, nmse, r->cosine, ulp);
    fprintf(out, r->passes ? "\n" : "  DIFFERENT\n");
    if (r->layout.shared) fprintf(out, "%*sOTHER has the numbers of one sequence for all of them\n", INDENT, "");
    if (*r->layout.order)
        fprintf(out, "%*sOTHER has %s%s\n", INDENT, "", r->layout.order,
                r->layout.misplaced ? ", whatever its shape says" : "");
    if (r->masked_max > 10 * r->max_abs)
        fprintf(out, "%*smasked tokens differ by up to %.2g, which does not count\n", INDENT, "", r->masked_max);
    if (!r->counted) fprintf(out, "%*sall masked: nothing counts\n", INDENT, "");
}

/* The whole table, or its first rows that differ. A second name has a row where it contradicts the first, and in the
 * whole table where its numbers have another order. */
static void print_rows(const TraceComparison *c, bool table, FILE *out)
{
    size_t different = c->different, shown = 0, k = 0;
    for (size_t i = 0; i < c->twin_count; i++)
        different += !c->twins[i].result.passes && twin_contradicts(c, &c->twins[i]);
    if (table || different) print_head(out);
    for (size_t i = 0; i < c->ref->count; i++) {
        if (c->pairs[i] && (table || (!c->results[i].passes && shown < SHOWN))) {
            print_row(c->ref->entries[i].name, &c->ref->entries[i], &c->results[i], out);
            shown++;
        }
        for (; k < c->twin_count && c->twins[k].row == i; k++) {
            const Twin *t = &c->twins[k];
            const bool odd = table && t->result.comparable && *t->result.layout.order;
            if (!odd && !twin_contradicts(c, t)) continue;
            if (!table && (t->result.passes || shown == SHOWN)) continue;
            print_row(twin_name(t), t->ref, &t->result, out);
            shown++;
        }
    }
    if (!table && different > shown)
        fprintf(out, "... and %zu more that %s: -v shows all\n", different - shown,
                different - shown == 1 ? "differs" : "differ");
}

/* =====================================================================================================================
 * The verdict
 * ================================================================================================================== */

/* How well all tensors agree, in the measure that was asked for. The largest NMSE is worth a look even if it passes. */
static void put_agreement(char text[256], const TraceComparison *c)
{
    const Tolerance *t = &c->criteria.tolerance;
    size_t worst = c->ref->count;
    char nmse[24];
    for (size_t i = 0; i < c->ref->count; i++)
        if (c->pairs[i] && (worst == c->ref->count || c->results[i].nmse > c->results[worst].nmse)) worst = i;
    put_decibel(nmse, c->results[worst].nmse);
    if (c->rounded)
        snprintf(text, 256, "NMSE at most %s (%s), which is rounding", nmse, c->ref->entries[worst].name);
    else if (t->kind == TOLERANCE_EXACT) snprintf(text, 256, "equal number by number");
    else if (t->kind == TOLERANCE_CLOSE)
        snprintf(text, 256, "every number within %g + %g |x|", t->atol, t->rtol);
    else if (c->results[worst].nmse == 0) snprintf(text, 256, "all equal");
    else
        snprintf(text, 256, "NMSE at most %s (%s), allowed are %g dB", nmse, c->ref->entries[worst].name, t->decibel);
}

/* The two numbers that are farthest apart in the first tensor that differs. */
static void print_largest(const TraceComparison *c, FILE *out)
{
    const Twin *twin = first_twin(c);
    const Result *r = twin ? &twin->result : &c->results[c->first];
    char where[96];
    if (!r->comparable || r->word) return;
    put_place(where, twin ? twin->ref : &c->ref->entries[c->first], r->where);
    fprintf(out, "its largest difference: %s is %.9g, expected %.9g\n", where, r->found, r->expected);
}

/* The name of the first that differs: of a pair ours, of a second name the file's; "" if none does. */
static void put_first(char name[100], const TraceComparison *c)
{
    const Twin *twin = first_twin(c);
    name[0] = 0;
    if (twin) escape(name, 100, twin_name(twin));
    else if (c->different) snprintf(name, 100, "%s", c->ref->entries[c->first].name);
}

/* The answer in one line. */
static void print_verdict(const TraceComparison *c, FILE *out)
{
    const size_t compared = c->compared + c->twin_count, different = c->different + c->twins_different;
    char text[512], agreement[256], name[100];
    put_agreement(agreement, c);
    put_first(name, c);
    if (!different) snprintf(text, sizeof text, "no tensor differs: %zu compared, %s", compared, agreement);
    else if (different == 1) snprintf(text, sizeof text, "1 of %zu tensors differs: %s", compared, name);
    else
        snprintf(text, sizeof text, "%zu of %zu tensors differ, the first is %s", different, compared, name);
    print_wrapped(out, text);
    if (different) print_largest(c, out);
}

/* Result n of all, first and second names, that was compared with somebody's numbers; *named: the file's tensor. NULL:
 * it was not. There are ref->count + twin_count of them. */
static const Result *result_at(const TraceComparison *c, size_t n, const TraceEntry **named)
{
    const Twin *twin = n < c->ref->count ? NULL : &c->twins[n - c->ref->count];
    const Result *r = twin ? &twin->result : &c->results[n];
    *named = twin ? (twin->of_ref ? twin->ref : twin->other) : c->pairs[n];
    return *named && r->comparable ? r : NULL;
}

/* Tensors whose numbers are right and stand in the wrong order: the first by name, and what to do. */
static void print_misplaced(const TraceComparison *c, FILE *out)
{
    const TraceEntry *first = NULL, *named;
    const Result *of_first = NULL;
    size_t more = 0;
    bool second = false;
    char line[640], name[100], shape[96], others[48] = "";
    for (size_t n = 0; n < c->ref->count + c->twin_count; n++) {
        const Result *r = result_at(c, n, &named);
        if (!r || !r->layout.misplaced) continue;
        if (first) more++;
        else first = named, of_first = r, second = n >= c->ref->count;
    }
    if (!first) return;
    escape(name, sizeof name, second ? first->tensor.name : first->name);
    put_shape(shape, &first->tensor);
    if (more) snprintf(others, sizeof others, " (and so are %zu more)", more);
    snprintf(line, sizeof line, "%s: the right numbers, written in another order than its shape %s says: in that of "
             "%s%s. An array that is not contiguous has to be copied before it is written: np.ascontiguousarray(x), "
             "x.contiguous()", name, shape, of_first->layout.order, others);
    print_wrapped(out, line);
}

/* What is odd about tensors that pass, where the table does not show it. */
static void print_oddities(const TraceComparison *c, FILE *out)
{
    size_t turned = 0, masked = 0, unseen = 0;
    double largest = 0;
    const char *order = NULL;
    const TraceEntry *named;
    for (size_t n = 0; n < c->ref->count + c->twin_count; n++) {
        const Result *r = result_at(c, n, &named);
        if (!r) continue;
        if (*r->layout.order && !r->layout.misplaced && !turned++) order = r->layout.order;
        if (n >= c->ref->count) continue;
        unseen += r->counted == 0;
        if (r->masked_max <= 10 * r->max_abs) continue;
        masked++;
        if (r->masked_max > largest) largest = r->masked_max;
    }
    if (turned) fprintf(out, "in another order in OTHER, %s: %zu tensors (see -v)\n", order, turned);
    if (masked)
        fprintf(out, "masked tokens differ by up to %.2g in %zu tensors, which does not count (see -v)\n", largest,
                masked);
    if (unseen) fprintf(out, "all masked, so that nothing counts: %zu tensors (see -v)\n", unseen);
}

/* encoder.layer.* for a layer's name, so that a part that all layers lack is said once. */
static const char *pattern_of(const TraceEntry *t, char text[96])
{
    const char *ends[] = {[ENTRY_WEIGHT] = ".weight", [ENTRY_BIAS] = ".bias"};
    if (t->layer < 0) return t->name;
    const bool parameter = t->kind == ENTRY_WEIGHT || t->kind == ENTRY_BIAS;
    snprintf(text, 96, "%s%s%s", t->kind == ENTRY_VALUE ? "" : "grad.", trace_table[t->row].name,
             parameter ? ends[t->kind] : "");
    return text;
}

/* A number for each row of each kind. */
static size_t slot_of(const TraceEntry *t)
{
    return (size_t)t->kind * TRACE_COUNT + t->row;
}

/* What only one side has. A user's trace of hidden states alone would otherwise get a hundred names:
 *
 *     not in OTHER: embeddings.LayerNorm, encoder.layer.*.attention.self.query, encoder.layer.*.output.dense (2 of 12)
 */
static void print_missing(const TraceView *has, const TraceView *lacks, const char *whose, FILE *out)
{
    enum { SLOTS = ENTRY_KINDS * TRACE_COUNT };
    size_t all[SLOTS][2] = {{0}}, missing[SLOTS][2] = {{0}};            /* of each row; [1]: those of a layer */
    size_t items = 0;
    Line line = {.out = out};
    for (size_t i = 0; i < has->count; i++) {
        const TraceEntry *t = &has->entries[i];
        all[slot_of(t)][t->layer >= 0]++;
        if (view_find(lacks, t)) continue;
        if (!missing[slot_of(t)][t->layer >= 0]++) items++;
    }
    for (size_t i = 0; i < has->count && items; i++) {
        const TraceEntry *t = &has->entries[i];
        const size_t of = all[slot_of(t)][t->layer >= 0], lost = missing[slot_of(t)][t->layer >= 0];
        char item[160], pattern[96];
        if (!lost || view_find(lacks, t)) continue;
        missing[slot_of(t)][t->layer >= 0] = 0;                             /* said once */
        items--;
        if (line.column == 0) {
            snprintf(item, sizeof item, "not in %s:", whose);
            put_word(&line, item);
        }
        int n = snprintf(item, sizeof item, "%s", pattern_of(t, pattern));
        if (lost < of) n += snprintf(item + n, sizeof item - (size_t)n, " (%zu of %zu)", lost, of);
        if (items) snprintf(item + n, sizeof item - (size_t)n, ",");
        put_word(&line, item);
    }
    if (line.column) fputc('\n', out);
}

/* What was left out because nobody here knows the name, so that a misspelled one is not missed in silence:
 *
 *     unknown names in OTHER: enc0.out, layer3_out
 */
static void print_unknown(const TraceView *view, FILE *out)
{
    enum { MOST = 20 };
    Line line = {.out = out};
    char name[100], item[128];
    if (!view->unknown_count) return;
    put_word(&line, "unknown names in OTHER:");
    for (size_t i = 0; i < view->unknown_count && i < MOST; i++) {
        escape(name, sizeof name, view->unknown[i]);
        snprintf(item, sizeof item, "%s%s", name, i + 1 < view->unknown_count ? "," : "");
        put_word(&line, item);
    }
    snprintf(item, sizeof item, "... and %zu more", view->unknown_count - MOST);
    if (view->unknown_count > MOST) put_word(&line, item);
    fputc('\n', out);
}

/* The verdict and what is odd; with `table` every tensor. REF is called by that name. */
void print_comparison(const TraceComparison *c, const char *ref_name, bool table, FILE *out)
{
    print_verdict(c, out);
    print_rows(c, table, out);
    if (!table) print_oddities(c, out);
    print_misplaced(c, out);
    print_contradiction(c, ref_name, out);
    print_missing(c->ref, c->other, "OTHER", out);
    print_missing(c->other, c->ref, ref_name, out);
    print_unknown(c->other, out);
}

/* =====================================================================================================================
 * The first difference
 * ================================================================================================================== */
/* The last line, after `first difference: `. The name comes first, so that scripts can cut it out at the colon. */
static void put_difference(char sentence[512], const char *name, const TraceEntry *ref, const TraceEntry *other,
                           const Result *r)
{
    char where[96], nmse[24], theirs[96], ours[96];
    if (!r->comparable) {
        put_shape(ours, &ref->tensor);
        put_shape(theirs, &other->tensor);
        snprintf(sentence, 512, "%s: %s %s %s, expected %s %s", name, r->word, dtype_name(other->tensor.dtype),
                 theirs, dtype_name(ref->tensor.dtype), ours);
        return;
    }
    put_place(where, ref, r->where);
    put_decibel(nmse, r->nmse);
    if (r->word)
        snprintf(sentence, 512, "%s: %s at %s: %.9g, expected %.9g", name, r->word, where, r->found, r->expected);
    else
        snprintf(sentence, 512, "%s: NMSE %s, up to %.3g at %s", name, nmse, r->max_abs, where);
}

/* no difference, or first difference: NAME ... */
void print_last_line(const TraceComparison *c, FILE *out)
{
    const Twin *twin = first_twin(c);
    char sentence[512], name[100];
    if (!c->different && !twin) {
        fprintf(out, "no difference\n");
        return;
    }
    put_first(name, c);
    if (twin) put_difference(sentence, name, twin->ref, twin->other, &twin->result);
    else put_difference(sentence, name, &c->ref->entries[c->first], c->pairs[c->first], &c->results[c->first]);
    fprintf(out, "first difference: %s\n", sentence);
}

/*  (is), the piece behind an id, if there is a vocabulary; safe on a terminal, and cut between characters. */
static void put_piece(char text[64], const Tokenizer *tokenizer, int64_t id)
{
    char piece[50];
    text[0] = 0;
    if (!tokenizer || id < 0 || id >= tokenizer->V) return;
    escape(piece, sizeof piece, tokenizer_piece(tokenizer, (int)id));
    snprintf(text, 64, " (%s)", piece);
}

/* position_ids; who has none has BERT's own, 0, 1, 2, ... in each sequence. Those of padding do not count. */
static void compare_positions(char sentence[256], const TraceView *ref, const TraceView *other)
{
    const SafeTensor *x = &ref->positions, *y = &other->positions, *ids = &ref->ids[0], *mask = &ref->ids[2];
    const char *const name = x->data ? x->name : y->name;
    if (!ids->data) ids = &other->ids[0];
    if (!mask->data) mask = &other->ids[2];
    if ((!x->data && !y->data) || (x->data && !x->count) || (y->data && !y->count)) return;
    const size_t T = ids->data && ids->rank ? ids->shape[ids->rank - 1] : x->data ? x->count : y->count;
    size_t most = x->data && x->count > T ? x->count : T;
    most = y->data && y->count > most ? y->count : most;
    if (!T || (x->data && most % x->count) || (y->data && most % y->count)) {
        snprintf(sentence, 256, "%s: %zu numbers, expected %zu", name, y->data ? y->count : T, x->data ? x->count : T);
        return;
    }
    for (size_t i = 0; i < most; i++) {
        const int64_t expected = x->data ? integer_element(x, i % x->count) : (int64_t)(i % T);
        const int64_t found = y->data ? integer_element(y, i % y->count) : (int64_t)(i % T);
        if (expected == found || (mask->data && mask->count == most && !integer_element(mask, i))) continue;
        snprintf(sentence, 256, "%s: token %zu is %lld, expected %lld%s", name, i, (long long)found, (long long)expected,
                 !x->data ? " (REF has none: BERT's own)" : !y->data ? " (OTHER has none: BERT's own)" : "");
        return;
    }
}

/* Tokens before anything else: if they differ, no number after them can be right, and the mistake is in the tokenizer
 * or in the inputs, not in the model. What only one side has is not compared. Exact, of course. */
void compare_ids(char sentence[256], const TraceView *ref, const TraceView *other, const Tokenizer *tokenizer)
{
    sentence[0] = 0;
    for (int k = 0; k < 3; k++) {
        const SafeTensor *x = &ref->ids[k], *y = &other->ids[k];
        if (!x->data || !y->data) continue;
        if (x->count != y->count) {
            snprintf(sentence, 256, "%s: %zu tokens, expected %zu", id_names[k][0], y->count, x->count);
            return;
        }
        for (size_t i = 0; i < x->count; i++) {
            const int64_t expected = integer_element(x, i), found = integer_element(y, i);
            char piece[64], wanted[64];
            if (expected == found) continue;
            put_piece(piece, k ? NULL : tokenizer, found);
            put_piece(wanted, k ? NULL : tokenizer, expected);
            snprintf(sentence, 256, "%s: token %zu is %lld%s, expected %lld%s", id_names[k][0], i, (long long)found,
                     piece, (long long)expected, wanted);
            return;
        }
    }
    compare_positions(sentence, ref, other);
}


/* Nothing can be compared: which names there are, and where to see which there should be. */
Status fail_unknown(const TraceView *view, Error *e)
{
    enum { MOST = 5 };
    char found[MOST * 130 + 64] = "", name[128];
    size_t n = 0, i = 0;
    for (; i < view->unknown_count && i < MOST; i++) {
        escape(name, sizeof name, view->unknown[i]);
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%s", i ? ", " : "", name);
    }
    if (i < view->unknown_count) snprintf(found + n, sizeof found - n, " and %zu more", view->unknown_count - i);
    return fail(e, BERT_FILE, "%.200s: none of its tensors has a name that is known here (found: %s); `bert trace "
                              "TEXT` lists the names, `bert compare --help` their aliases", view->path,
                *found ? found : "nothing but ids");
}
