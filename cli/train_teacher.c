/* train_teacher.c - `bert train --teacher MODEL`: distillation. Another model, most often a larger one, sees the same
 * sequences with the same words hidden, and what it thinks of them is learned beside the words themselves.
 *
 *     sequences --pieces by their text--> the teacher's ids --forward--> logits (M,V') --best 64 of the pieces that both
 *     have, softmax--> SoftLabel (M,64) --soften (learn.c)--> the student's loss
 *
 * THE RULE. For a hidden word whose label both models have as a piece:
 *
 *     loss = 0.3 -ln p_label + 0.7 (-sum of r_j ln p_j)          p: the student's probabilities
 *     r    = softmax of the teacher's logits, of the 64 best among the pieces that both have; 0 for all others
 *
 * and for one that only the student has the label's alone. The mean over the hidden words, NSP and AdamW stay as they
 * are.
 *
 * Why 0.7: DistilBERT weighs teacher and label 5 to 2. Why a mean of both and not their sum: the loss stays as large as
 * without a teacher, and with it what --clip and --learning-rate mean.
 * Why temperature 1: what is learned are the probabilities that fill-mask will print. A higher one helps where a teacher
 * is nearly always sure. Of a hidden word it is not; and the thousands of pieces that it thinks nothing of soon weigh
 * more than those that it means. (bert-base-uncased, 284 hidden words of prose: at temperature 1 the 64 best pieces have
 * 87 % of the probability, at temperature 2 they have 26 %.)
 * Why 64: little is left, and a row takes 512 bytes instead of a vocabulary.
 * Why only hidden words: there the logits are computed anyway; with all tokens the decoder has 6.7 times the work.
 *
 * The teacher may have other sizes, another vocabulary, other positions of its pieces, no token types (DistilBERT): a
 * piece is found by its text, [CLS] and the like by what they are for. A piece that it does not have is its [UNK].
 * It runs without dropout, so its scores depend on the sequence alone, and the bits of a run neither on --micro-batch
 * nor on a resume. Texts are streamed: masks change from epoch to epoch. The rows of --inputs do not, and their scores
 * are kept from the first round on.
 * Source: Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network. 2015; Sanh, Debut, Chaumond, Wolf:
 * DistilBERT. 2019, and its distiller.py (--restrict_ce_to_mask, --alpha_ce 5, --alpha_mlm 2).
 */
#include "cli/train_run.h"
#include <stdlib.h>
#include <string.h>

enum { GROUP_TOKENS = 512 };            /* of sequences that run together: enough that the weights are not waited for */

/* ---------------------------------------------------------------------------------------------------------------------
 * Pieces
 * ------------------------------------------------------------------------------------------------------------------ */

/* The teacher's piece with the text of ours, or -1. */
static int32_t same_piece(const Teacher *t, const Tokenizer *ours, int id)
{
    const int roles[][2] = {{ours->pad_id, t->tokenizer.pad_id}, {ours->unk_id, t->tokenizer.unk_id},
                            {ours->cls_id, t->tokenizer.cls_id}, {ours->sep_id, t->tokenizer.sep_id},
                            {ours->mask_id, t->tokenizer.mask_id}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (id == roles[i][0]) return roles[i][1];
    const char *piece = id < ours->V ? tokenizer_piece(ours, id) : "";
    const int theirs = *piece ? tokenizer_id(&t->tokenizer, piece, strlen(piece)) : -1;
    return theirs < t->model.config.V ? theirs : -1;
}

/* to_theirs (V) and the list of pieces that both have. */
static Status match_pieces(Teacher *t, const Tokenizer *ours, int V, Error *e)
{
    const Tokenizer *theirs = &t->tokenizer;
    if (theirs->cls_id < 0 || theirs->sep_id < 0 || theirs->mask_id < 0 || theirs->unk_id < 0)
        return fail(e, BERT_FILE, "%s: the teacher's vocabulary lacks [CLS], [SEP], [MASK] or [UNK]", t->path);
    t->to_theirs = calloc((size_t)V, sizeof *t->to_theirs);
    t->common = calloc((size_t)V, sizeof *t->common);
    if (!t->to_theirs || !t->common) return fail(e, BERT_SYSTEM, "out of memory for the pieces of the teacher");
    for (int id = 0; id < V; id++) {
        t->to_theirs[id] = same_piece(t, ours, id);
        if (t->to_theirs[id] >= 0) t->common[t->common_count++] = id;
    }
    const int pieces = tokenizer_rows(ours);
    if (2 * t->common_count < pieces)
        return fail(e, BERT_FILE, "%s: the teacher's vocabulary has %d of the %d pieces: fewer than half, so it would "
                    "not understand the text", t->path, t->common_count, pieces);
    t->soft_count = t->common_count < TEACHER_PIECES ? t->common_count : TEACHER_PIECES;
    return BERT_OK;
}

/* Which teacher it was, for a run that goes on: the SHA-256 of its weights and of how pieces are matched. */
static void hash_teacher(Teacher *t, int V)
{
    const Safetensors *file = t->model.file;
    Sha256 hash;
    sha256_start(&hash);
    for (size_t i = 0; i < file->count; i++) {
        const SafeTensor *x = &file->tensors[i];
        sha256_add(&hash, x->name, strlen(x->name) + 1);
        sha256_add(&hash, x->data, x->count * dtype_size(x->dtype));
    }
    for (int id = 0; id < V; id++) {
        const uint32_t n = (uint32_t)t->to_theirs[id];
        const unsigned char bytes[4] = {n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24};
        sha256_add(&hash, bytes, sizeof bytes);
    }
    sha256_end(&hash, t->hash);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The teacher
 * ------------------------------------------------------------------------------------------------------------------ */

/* Room for what a step hands to it. */
static Status teacher_room(TrainRun *r, Error *e)
{
    Teacher *t = &r->teacher;
    size_t tokens;
    if (!size_mul((size_t)r->micro_batch, (size_t)r->max_length, &tokens))
        return fail(e, BERT_SYSTEM, "out of memory for the teacher");
    t->ids = calloc(tokens, sizeof *t->ids);
    t->types = calloc(tokens, sizeof *t->types);
    t->rows = calloc(tokens, sizeof *t->rows);
    if (r->data.input_ids) t->kept = calloc(r->data.rows, sizeof *t->kept);
    if (t->ids && t->types && t->rows && (t->kept || !r->data.input_ids)) return BERT_OK;
    return fail(e, BERT_SYSTEM, "out of memory for the teacher");
}

/* How many of the text's tokens are pieces of the teacher. */
void teacher_announce(const TrainRun *r)
{
    const Teacher *t = &r->teacher;
    const BertConfig *c = &t->model.config;
    const Corpus *text = &r->data.corpus;
    size_t known = 0;
    if (!t->path) return;
    for (size_t i = 0; i < text->tokens; i++) known += t->to_theirs[text->ids[i]] >= 0;
    note(r->s, "%s: the teacher, %dL/%dH/%dA; %d of the %d pieces are its pieces, too%s", t->path, c->L, c->H, c->A,
         t->common_count, tokenizer_rows(&r->s->tokenizer), text->tokens ? "" : "; scores are kept from round to round");
    if (text->tokens)
        note(r->s, "%.1f%% of the text's tokens are pieces of the teacher; the others are [UNK] to it",
             100 * (double)known / (double)text->tokens);
}

Status teacher_open(TrainRun *r, Error *e)
{
    Teacher *t = &r->teacher;
    const int V = r->s->model.config.V;
    t->path = r->s->options.teacher;
    if (!t->path) return BERT_OK;
    Status s = model_place(t->path, &t->directory, &t->weights, e);
    if (s == BERT_OK) s = tokenizer_load(&t->tokenizer, t->directory, CASE_AUTO, e);
    if (s == BERT_OK) s = bert_load(&t->model, t->path, e);
    if (s == BERT_OK && !t->model.has_mlm)
        s = fail(e, BERT_HEAD, "%s: the weights lack the MLM head, which a teacher guesses words with", t->path);
    if (s == BERT_OK && r->max_length > t->model.config.P)
        s = fail(e, BERT_FILE, "%s: the teacher has %d positions, fewer than the %d tokens of a sequence: "
                 "--max-length %d", t->path, t->model.config.P, r->max_length, t->model.config.P);
    if (s == BERT_OK) s = match_pieces(t, &r->s->tokenizer, V, e);
    if (s == BERT_OK) s = teacher_room(r, e);
    if (s != BERT_OK) return s;
    hash_teacher(t, V);
    return BERT_OK;
}

void teacher_free(TrainRun *r)
{
    Teacher *t = &r->teacher;
    for (size_t i = 0; t->kept && i < r->data.rows; i++) free(t->kept[i]);
    free(t->kept);
    free(t->to_theirs);
    free(t->common);
    free(t->ids);
    free(t->types);
    free(t->rows);
    free(t->soft);
    free(t->directory);
    free(t->weights);
    activations_free(&t->a);
    tokenizer_free(&t->tokenizer);
    bert_free(&t->model);
    *t = (Teacher){0};
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Its scores
 * ------------------------------------------------------------------------------------------------------------------ */

/* soft (count) <- one row of the teacher's logits (V'): the best pieces that both have, and the softmax of their
 * logits. The best one first; of equal ones the smaller id of ours. NaN is never among them. Returns how many there
 * are. */
static int best_pieces(const Teacher *t, const real *logits, SoftLabel *soft)
{
    const int most = t->soft_count;
    real scores[TEACHER_PIECES];
    int count = 0;
    for (int i = 0; i < t->common_count; i++) {
        const int32_t id = t->common[i];
        const real z = logits[t->to_theirs[id]];
        if (count == most ? !(z > soft[most - 1].p) : isnan(z)) continue;
        int at = count < most ? count++ : most - 1;
        for (; at > 0 && z > soft[at - 1].p; at--) soft[at] = soft[at - 1];
        soft[at] = (SoftLabel){id, z};
    }
    for (int k = 0; k < count; k++) scores[k] = soft[k].p;
    if (count) softmax(scores, scores, 1, (size_t)count);
    for (int k = 0; k < count; k++) soft[k].p = scores[k];
    return count;
}

/* soft (M,soft_count) <- sequences `begin` to `end` - 1 of the step. */
static Status run_teacher(TrainRun *r, int begin, int end, SoftLabel *soft, Error *e)
{
    Teacher *t = &r->teacher;
    const Exercise *x = &r->exercise;
    const size_t first = x->token[begin], row = x->row[begin], N = x->token[end] - first, M = x->row[end] - row;
    const int S = t->model.config.S;
    for (size_t n = 0; n < N; n++) {
        const int32_t id = t->to_theirs[x->ids[first + n]], type = x->types[first + n];
        t->ids[n] = id < 0 ? t->tokenizer.unk_id : id;
        t->types[n] = type < S ? type : 0;
    }
    for (size_t i = 0; i < M; i++) t->rows[i] = x->rows[row + i] - (int)first;
    const Batch batch = {end - begin, x->T + begin, t->ids, t->types, x->mask + first};
    const Request request = {.mlm_rows = t->rows, .M = (int)M};
    Status s = batch_check(&batch, &t->model.config, e);
    if (s == BERT_OK) s = activations_renew(&t->a, &t->model, &batch, &request, e);
    if (s != BERT_OK || !M) return s;
    forward(&t->model, &t->a);
    for (size_t i = 0; i < M; i++, soft += t->soft_count) {
        const bool known = x->labels[row + i] >= 0 && t->to_theirs[x->labels[row + i]] >= 0;
        const int count = best_pieces(t, t->a.logits + i * (size_t)t->model.config.V, soft);
        if (count < t->soft_count || !isfinite(soft->p))
            return fail(e, BERT_FILE, "%s: the teacher's scores are not finite, in %s %zu or after it", t->path,
                        r->data.input_ids ? "row" : "line", x->line[begin]);
        if (!known) memset(soft, 0, (size_t)t->soft_count * sizeof *soft);
    }
    return BERT_OK;
}

/* The scores of sequence b, a row of --inputs, are kept, if they are not yet. */
static Status keep_scores(TrainRun *r, int b, const SoftLabel *soft, Error *e)
{
    const Exercise *x = &r->exercise;
    SoftLabel **kept = r->teacher.kept ? &r->teacher.kept[x->line[b] - 1] : NULL;
    const size_t bytes = (x->row[b + 1] - x->row[b]) * (size_t)r->teacher.soft_count * sizeof *soft;
    if (!kept || *kept || !bytes) return BERT_OK;
    *kept = malloc(bytes);
    if (!*kept) return fail(e, BERT_SYSTEM, "out of memory for the teacher's scores of row %zu", x->line[b]);
    memcpy(*kept, soft, bytes);
    return BERT_OK;
}

static const SoftLabel *kept_scores(const TrainRun *r, int b)
{
    return r->teacher.kept ? r->teacher.kept[r->exercise.line[b] - 1] : NULL;
}

Status teacher_scores(TrainRun *r, int begin, int end, Error *e)
{
    Teacher *t = &r->teacher;
    const Exercise *x = &r->exercise;
    const size_t first = x->row[begin], count = (size_t)t->soft_count;
    if (!lengthen_array(&t->soft, count * sizeof *t->soft, &t->soft_room, x->row[end] - first + 1))
        return fail(e, BERT_SYSTEM, "out of memory for the teacher's scores");
    for (int b = begin, next; b < end; b = next) {
        const SoftLabel *kept = kept_scores(r, b);
        SoftLabel *soft = t->soft + (x->row[b] - first) * count;
        next = b + 1;
        if (kept) {
            memcpy(soft, kept, (x->row[next] - x->row[b]) * count * sizeof *soft);
            continue;
        }
        while (next < end && x->token[next + 1] - x->token[b] <= GROUP_TOKENS && !kept_scores(r, next)) next++;
        if (run_teacher(r, b, next, soft, e) != BERT_OK) return e->status;
        for (int i = b; i < next; i++)
            if (keep_scores(r, i, t->soft + (x->row[i] - first) * count, e) != BERT_OK) return e->status;
    }
    return BERT_OK;
}
