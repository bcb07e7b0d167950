/* checksum.c - see checksum.h. */
#include "checksum.h"
#include <stdlib.h>
#include <string.h>

Status same_with_nothing_kept(const Bert *m, const Activations *kept, Error *e)
{
    const size_t H = (size_t)m->config.H, B = (size_t)kept->batch.B;
    const size_t logits = (size_t)kept->request.M * (size_t)m->config.V;
    Activations a;
    Request request = kept->request;
    request.keep = KEEP_NOTHING;
    Status status = activations_new(&a, m, &kept->batch, &request, e);
    if (status != BERT_OK) return status;
    forward(m, &a);
    const real *got = hidden_state(&a, m->config.L), *want = hidden_state(kept, m->config.L);
    bool same = memcmp(got, want, (size_t)a.N * H * sizeof(real)) == 0;
    if (request.M && memcmp(a.logits, kept->logits, logits * sizeof(real)) != 0) same = false;
    if (request.pooler && memcmp(a.pooler, kept->pooler, B * H * sizeof(real)) != 0) same = false;
    if (request.nsp && memcmp(a.nsp_logits, kept->nsp_logits, B * 2 * sizeof(real)) != 0) same = false;
    activations_free(&a);
    return same ? BERT_OK : fail(e, BERT_SYSTEM, "with nothing kept, the result has other bits");
}

/* The sentence's ids as one batch through the model, everything kept. */
static Status checksum_of_ids(const Bert *m, const Encoding *x, char hex[65], Error *e)
{
    enum { MOST = 64 };
    Activations a;
    int rows[MOST];
    const Batch batch = {1, &x->T, x->input_ids, x->token_type_ids, x->attention_mask};
    const Request request = {.keep = KEEP_EVERYTHING, .pooler = m->has_pooler, .mlm_rows = rows,
                             .M = m->has_mlm ? x->T : 0};
    if (x->T > MOST) return fail(e, BERT_TEXT, "the bank sentence has %d tokens, expected %d at most", x->T, MOST);
    for (int i = 0; i < x->T; i++) rows[i] = i;
    Status status = activations_new(&a, m, &batch, &request, e);
    if (status != BERT_OK) return status;
    forward(m, &a);
    status = trace_checksum(m, &a, hex, e);
    if (status == BERT_OK) status = same_with_nothing_kept(m, &a, e);
    activations_free(&a);
    return status;
}

Status bank_checksum(const char *directory, char hex[65], Error *e)
{
    static const char sentence[] = "After stealing money from the bank vault, the bank robber was seen fishing on the "
                                   "Mississippi river bank.";
    const EncodeOptions options = {.segments = -1};
    Tokenizer t;
    Bert m;
    Encoding x = {0};
    Status status = tokenizer_load(&t, directory, CASE_AUTO, e);
    if (status != BERT_OK) return status;
    status = encode(&t, (Text){sentence, sizeof sentence - 1}, NULL, &options, &x, e);
    tokenizer_free(&t);
    if (status == BERT_OK && (status = bert_load(&m, directory, e)) == BERT_OK) {
        status = checksum_of_ids(&m, &x, hex, e);
        bert_free(&m);
    }
    encoding_free(&x);
    return status;
}
