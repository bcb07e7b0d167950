/* test_bits.c - equal bits, whatever a sentence is computed with: alone, in a batch in any order, at any place, padded.
 * And the committed checksums of the bank sentence on the real weights: the same on every machine, for every build.
 * (tests/bits.sh compares compilers, optimisation levels and processors.) */
#include "checksum.h"
#include "formula.h"
#include "test.h"
#include "weights/convert.h"
#include <stdlib.h>
#include <string.h>

enum { SENTENCES = 4, MOST_TOKENS = 640 };
static const int lengths[SENTENCES] = {9, 1, 40, 23};

/* ---------------------------------------------------------------------------------------------------------------------
 * Runs
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {                    /* a batch, its request, and all that came out */
    int B, N, T[64], first[64];     /* first[b]: the row of each sequence's [CLS], for the MLM head */
    int32_t ids[MOST_TOKENS], types[MOST_TOKENS], mask[MOST_TOKENS];
    Batch batch;
    Activations a;
} Together;

static bool open_model(Bert *m, const char *kind, char directory[256])
{
    Error e = {0};
    bool ok = formula_directory(directory) && formula_model(directory, kind, &e) == BERT_OK &&
              bert_load(m, directory, &e) == BERT_OK;
    return check(ok, "the %s model loads: %s", kind, e.message);
}

/* Appends sentence number `seed` of T tokens, and padding to `padded` tokens: ids that would show if they counted. */
static void append(Together *x, int T, int seed, int padded)
{
    x->first[x->B] = x->N;
    x->T[x->B++] = padded > T ? padded : T;
    for (int t = 0; t < T; t++, x->N++) {
        x->ids[x->N] = (seed * 31 + t * 17 + 5) % 60;
        x->types[x->N] = t * 2 >= T;
        x->mask[x->N] = 1;
    }
    for (int t = T; t < padded; t++, x->N++) x->ids[x->N] = 7 + t % 20, x->types[x->N] = x->mask[x->N] = 0;
}

/* Everything is kept, and every head computed, the MLM head at each [CLS]. */
static bool run(Together *x, const Bert *m)
{
    Error e = {0};
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = true, .nsp = true, .mlm_rows = x->first, .M = x->B};
    x->batch = (Batch){x->B, x->T, x->ids, x->types, x->mask};
    bool ok = batch_check(&x->batch, &m->config, &e) == BERT_OK &&
              activations_new(&x->a, m, &x->batch, &request, &e) == BERT_OK;
    if (!check(ok, "the batch runs: %s", e.message)) return false;
    forward(m, &x->a);
    return true;
}

static void alone_runs(Together alone[SENTENCES], const Bert *m)
{
    for (int s = 0; s < SENTENCES; s++) {
        alone[s] = (Together){0};
        append(&alone[s], lengths[s], s, 0);
        run(&alone[s], m);
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Comparing one sequence of a batch with the same sequence alone: every intermediate of every layer and head
 * ------------------------------------------------------------------------------------------------------------------ */
static bool same(const char *what, int l, const real *got, const real *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&got[i], &want[i], sizeof *got))
            return check(false, "%s, layer %d: number %zu of the sequence is %.9g, alone it is %.9g", what, l, i,
                         (double)got[i], (double)want[i]);
    return true;
}

/* Scores and probabilities of one sequence, (A,T,T): the real tokens' part of each (T,T). */
static bool same_scores(const char *what, int l, const real *got, int got_T, const real *want, int T, int A)
{
    for (int row = 0; row < A * T; row++)
        if (!same(what, l, got + (size_t)(row / T * got_T + row % T) * (size_t)got_T, want + row * T, (size_t)T))
            return false;
    return true;
}

static bool same_block(const Bert *m, const Together *x, int b, const Together *alone, int l)
{
    const BlockActivations *got = &x->a.block[l], *want = &alone->a.block[l];
    const size_t at = x->a.start[b], T = (size_t)alone->T[0], H = (size_t)m->config.H, F = (size_t)m->config.F;
    const size_t scores = x->a.score_start[b];
    const int A = m->config.A;
    return same("query", l, got->query + at * H, want->query, T * H) &&
           same("key", l, got->key + at * H, want->key, T * H) &&
           same("value", l, got->value + at * H, want->value, T * H) &&
           same_scores("scores", l, got->scores + scores, x->T[b], want->scores, (int)T, A) &&
           same_scores("probs", l, got->probs + scores, x->T[b], want->probs, (int)T, A) &&
           same("context", l, got->context + at * H, want->context, T * H) &&
           same("attention.output.dense", l, got->attention_dense + at * H, want->attention_dense, T * H) &&
           same("attention.output.LayerNorm", l, got->attention_norm + at * H, want->attention_norm, T * H) &&
           same("intermediate.dense", l, got->intermediate_dense + at * F, want->intermediate_dense, T * F) &&
           same("intermediate", l, got->intermediate + at * F, want->intermediate, T * F) &&
           same("output.dense", l, got->output_dense + at * H, want->output_dense, T * H) &&
           same("output.LayerNorm", l, got->output_norm + at * H, want->output_norm, T * H);
}

static bool same_heads(const Bert *m, const Activations *got, int b, const Activations *want)
{
    const size_t H = (size_t)m->config.H, V = (size_t)m->config.V, i = (size_t)b;
    const int L = m->config.L;
    return same("pooler.dense", L, got->pooler_dense + i * H, want->pooler_dense, H) &&
           same("pooler", L, got->pooler + i * H, want->pooler, H) &&
           same("NSP logits", L, got->nsp_logits + i * 2, want->nsp_logits, 2) &&
           same("transform.dense", L, got->transform_dense + i * H, want->transform_dense, H) &&
           same("transform.LayerNorm", L, got->transform_norm + i * H, want->transform_norm, H) &&
           same("MLM logits", L, got->logits + i * V, want->logits, V);
}

static bool same_sequence(const Bert *m, const Together *x, int b, const Together *alone)
{
    const size_t H = (size_t)m->config.H, n = (size_t)alone->T[0] * H, at = x->a.start[b] * H;
    bool ok = same("word embeddings", 0, x->a.word + at, alone->a.word, n) &&
              same("token types", 0, x->a.token_type + at, alone->a.token_type, n) &&
              same("positions", 0, x->a.position + at, alone->a.position, n) &&
              same("embeddings", 0, x->a.embedding_norm + at, alone->a.embedding_norm, n);
    for (int l = 0; ok && l < m->config.L; l++) ok = same_block(m, x, b, alone, l);
    return ok && same_heads(m, &x->a, b, &alone->a);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The tests
 * ------------------------------------------------------------------------------------------------------------------ */

/* All 24 orders of four sentences of 9, 1, 40 and 23 tokens; with `padded`, each padded to so many tokens. Order number
 * p puts at each place the (p mod what is left)-th of the sentences that are left. */
static void every_order(const char *kind, int padded)
{
    Bert m;
    char directory[256];
    Together *alone = calloc(SENTENCES, sizeof *alone), *x = calloc(1, sizeof *x);
    if (!check(alone && x, "memory") || !open_model(&m, kind, directory)) return;
    alone_runs(alone, &m);
    for (int p = 0; p < 24; p++) {
        int left[SENTENCES] = {0, 1, 2, 3}, order[SENTENCES], rest = p;
        *x = (Together){0};
        for (int b = 0; b < SENTENCES; b++) {
            int pick = rest % (SENTENCES - b);
            rest /= SENTENCES - b;
            order[b] = left[pick];
            memmove(left + pick, left + pick + 1, (size_t)(SENTENCES - 1 - pick) * sizeof *left);
            append(x, lengths[order[b]], order[b], padded);
        }
        bool ok = run(x, &m);
        for (int b = 0; ok && b < SENTENCES; b++)
            ok = check(same_sequence(&m, x, b, &alone[order[b]]), "order %d: sentence %d at place %d", p, order[b], b);
        activations_free(&x->a);
        if (!ok) break;
    }
    for (int s = 0; s < SENTENCES; s++) activations_free(&alone[s].a);
    free(alone), free(x);
    bert_free(&m);
    formula_remove(directory);
}

static void any_order(void) { every_order("odd", 0); }
static void any_order_padded(void) { every_order("odd", 40); }
static void more_padding(void) { every_order("odd", 131); }     /* beyond 128: one more chunk in the sums of step 10 */

/* A sentence behind others of 1 .. 99 tokens in all: it then lies at many places of panels of every width. */
static void any_place(void)
{
    Bert m;
    char directory[256];
    Together *alone = calloc(1, sizeof *alone), *x = calloc(1, sizeof *x);
    if (!check(alone && x, "memory") || !open_model(&m, "tiny", directory)) return;
    append(alone, 11, 1, 0);
    bool ok = run(alone, &m);
    for (int before = 1; ok && before < 100; before++) {
        *x = (Together){0};
        for (int n = before; n > 0; n -= 7) append(x, n < 7 ? n : 7, n, 0);
        append(x, 11, 1, 0);
        append(x, before % 5 + 1, 3, 0);
        ok = run(x, &m) && check(same_sequence(&m, x, x->B - 2, alone), "behind %d tokens", before);
        activations_free(&x->a);
    }
    activations_free(&alone->a);
    free(alone), free(x);
    bert_free(&m);
    formula_remove(directory);
}

/* Two checksums of one run are equal; of a run with one other id they are not. */
static void checksum_notices(void)
{
    Bert m;
    char directory[256], hex[3][65] = {"", "", ""};
    Error e = {0};
    Together *x = calloc(1, sizeof *x);
    if (!check(x, "memory") || !open_model(&m, "tiny", directory)) return;
    for (int i = 0; i < 3; i++) {
        *x = (Together){0};
        append(x, 5, 1, 0);
        if (i == 2) x->ids[4]++;
        if (run(x, &m)) check(trace_checksum(&m, &x->a, hex[i], &e) == BERT_OK, "%s", e.message);
        activations_free(&x->a);
    }
    check_text("again", hex[1], hex[0]);
    check(strcmp(hex[2], hex[0]) != 0, "another id has another checksum");
    free(x);
    bert_free(&m);
    formula_remove(directory);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The real weights. `build/convert --fingerprint` says which weights they are (whatever file they came in), and
 * `build/bits/1 weights/NAME` (tests/bits.sh builds it) prints the checksum.
 * ------------------------------------------------------------------------------------------------------------------ */
static const struct { const char *name, *fingerprint, *checksum; } real_traces[] = {
    {"bert-base-uncased", "54095662b5eb40d9faba4c5db27f2ac2e32fef9569b16463aafc633f1de9f1ec",
     "b34f26ef66ffcf39e8c86d8cb0ae45ecbbe6ba60d53494bffeb0ae5e534e311c"},
    {"bert-base-cased", "a3a23ac965a2385052ececa0b7ce39939157d7fb094181c22d7f07854830a082",
     "40625555e844ac385797caec053eba6e9d4a3323605103f6856cf06cfc7ce1b7"},
    {"bert-base-multilingual-cased", "59fe2d5cf07fd3967d1631a21834139555d2e4403c8ffd455b060f5345cff287",
     "37533c8455dc0004c6ac1eb003662f3f02106c58cde98a1d232b3998d8959e23"},
    {"all-MiniLM-L6-v2", "695ab7d306ab2a9655b69fa3523f9067cde87247c8a99f9bd8f6fe728c6692ea",
     "dd7276a31858b6c04ebf778f55a24c91810d0d27e0b8e0f7ef2ec77a00b35ab3"},
};

static void real_trace(size_t i)
{
    char directory[256], path[300], hex[65] = "", found[65] = "";
    Error e = {0};
    snprintf(directory, sizeof directory, "weights/%s", real_traces[i].name);
    snprintf(path, sizeof path, "%s/model.safetensors", directory);
    if (sizeof(real) != sizeof(float)) {
        skip("the checksums are those of float32");
    } else if (getenv("SHORT")) {
        skip("SHORT=1: hashing the weights under a sanitizer takes long");
    } else if (real_weights(real_traces[i].name)) {
        check(fingerprint(path, found, &e) == BERT_OK && bank_checksum(directory, hex, &e) == BERT_OK, "%s", e.message);
        check_text("the fingerprint of the weights", found, real_traces[i].fingerprint);
        check_text("the checksum of the trace", hex, real_traces[i].checksum);
    }
}

/* The model that is always there. */
static void pocket_trace(void)
{
    char hex[65] = "";
    Error e = {0};
    if (sizeof(real) != sizeof(float)) {
        skip("the checksum is that of float32");
        return;
    }
    check(bank_checksum("weights/pocket", hex, &e) == BERT_OK, "%s", e.message);
    check_text("the checksum of the trace", hex, "97d6b662364928ebc592a0aebfc80bb0e05e97b6ca4c506f95b98bd1c5a7a7f0");
}

static void real_uncased(void) { real_trace(0); }
static void real_cased(void) { real_trace(1); }
static void real_multilingual(void) { real_trace(2); }
static void real_minilm(void) { real_trace(3); }

const Test bits_tests[] = {
    {"a_sentence_gets_the_same_bits_alone_and_in_a_batch_of_any_order", any_order},
    {"a_sentence_gets_the_same_bits_padded_and_masked_in_a_batch_of_any_order", any_order_padded},
    {"a_sentence_gets_the_same_bits_with_more_padding_than_a_chunk_of_sums", more_padding},
    {"a_sentence_gets_the_same_bits_behind_any_number_of_tokens", any_place},
    {"a_checksum_of_a_trace_notices_one_other_id", checksum_notices},
    {"the_pocket_model_has_the_committed_bits", pocket_trace},
    {"bert_base_uncased_has_the_committed_bits", real_uncased},
    {"bert_base_cased_has_the_committed_bits", real_cased},
    {"bert_base_multilingual_cased_has_the_committed_bits", real_multilingual},
    {"all_minilm_l6_v2_has_the_committed_bits", real_minilm},
    {NULL, NULL},
};
