/* explain_learn.c - `bert explain --learn`: one word of the text is hidden, the model guesses, is told, and learns: one
 * step of AdamW. Cards of three lines, in the order of the way back: what it is for, its formula, one telling number.
 *
 * The numbers are those of backward (learn.c), read from one Gradients; the weights that change are a copy.
 */
#include "cli/explain.h"
#include <stdlib.h>
#include <string.h>

typedef struct {                    /* one exercise */
    View *v;
    Bert m;                         /* with weights of its own, which change */
    Parameters parameters;
    Batch batch;
    Activations a;
    Gradients g;
    AdamW optimizer;
    int hidden;                     /* the token in whose place [MASK] stands */
    int32_t label, *ids;            /* what stood there; (T) ids with [MASK] */
    double length, loss[2];         /* of all gradients; before and after the step */
    real *p[2];                     /* (V) probabilities of all pieces, before and after */
} Exercise;

static const char *piece(const Exercise *x, int id, char text[80])
{
    return quoted(piece_of(x->v->s, id), text);
}

/* What to hide: the last word. A [MASK] in the text has no right answer. */
static Status choose_hidden(Exercise *x, Error *e)
{
    const View *v = x->v;
    const int t = v->asked[0], id = v->x->input_ids[t];
    if (id == v->s->tokenizer.mask_id)
        return fail(e, BERT_TEXT, "nobody knows what [MASK] stands for: write the word, and the last one is hidden");
    if (is_special(v->s, id)) return fail(e, BERT_TEXT, "there is no word to hide");
    x->hidden = t;
    x->label = id;
    return BERT_OK;
}

/* The model's weights once more, and memory. */
static Status exercise_new(Exercise *x, Error *e)
{
    const Bert *m = &x->v->s->model;
    const size_t T = (size_t)x->v->x->T, L = (size_t)m->config.L, V = (size_t)m->config.V;
    AdamWOptions options = adamw_defaults(RULES_HUGGINGFACE);
    options.constant = true;
    x->m = *m;
    x->m.layers = calloc(L, sizeof *x->m.layers);
    x->ids = calloc(T, sizeof *x->ids);
    x->p[0] = calloc(V, sizeof(real));
    x->p[1] = calloc(V, sizeof(real));
    if (!x->m.layers || !x->ids || !x->p[0] || !x->p[1]) return fail(e, BERT_SYSTEM, "out of memory");
    memcpy(x->m.layers, m->layers, L * sizeof *m->layers);
    memcpy(x->ids, x->v->x->input_ids, T * sizeof *x->ids);
    x->ids[x->hidden] = x->v->s->tokenizer.mask_id;
    x->batch = (Batch){1, &x->v->x->T, x->ids, x->v->x->token_type_ids, x->v->x->attention_mask};
    const Request request = {.keep = KEEP_EVERYTHING, .mlm_rows = &x->hidden, .M = 1};
    Status status = batch_check(&x->batch, &m->config, e);
    if (status == BERT_OK) status = parameters_new(&x->parameters, &x->m, e);
    if (status == BERT_OK) status = activations_new(&x->a, &x->m, &x->batch, &request, e);
    if (status == BERT_OK) status = gradients_new(&x->g, &x->m, &x->parameters, e);
    if (status == BERT_OK) status = gradients_room(&x->g, &x->m, &x->a, KEEP_EVERYTHING, e);
    if (status == BERT_OK) status = adamw_new(&x->optimizer, &x->parameters, &options, e);
    return status;
}

static void exercise_free(Exercise *x)
{
    adamw_free(&x->optimizer);
    gradients_free(&x->g);
    activations_free(&x->a);
    parameters_free(&x->parameters);
    free(x->m.layers);
    free(x->ids);
    free(x->p[0]);
    free(x->p[1]);
}

/* Guess, be told, learn; what the model says then is kept in p[1], and its loss: the intermediates are those before. */
static Status do_exercise(Exercise *x, Error *e)
{
    const size_t V = (size_t)x->m.config.V;
    const Targets targets = {.labels = &x->label, .mlm_divisor = 1};
    Activations after;
    forward(&x->m, &x->a);
    softmax(x->p[0], x->a.logits, 1, V);
    backward(&x->m, &x->a, &x->g, &targets);
    gradients_finish(&x->m, &x->g, &x->parameters);
    x->loss[0] = x->g.losses.mlm;
    x->length = gradient_norm(&x->g, &x->parameters);
    adamw_step(&x->optimizer, &x->g, &x->parameters, x->length);
    Request request = x->a.request;
    request.keep = KEEP_NOTHING;
    if (activations_new(&after, &x->m, &x->batch, &request, e) != BERT_OK) return e->status;
    forward(&x->m, &after);
    softmax(x->p[1], after.logits, 1, V);
    activations_free(&after);
    x->loss[1] = -log((double)x->p[1][x->label]);
    return BERT_OK;
}

/* =====================================================================================================================
 * The cards
 * ================================================================================================================== */
typedef void LearnCard(const Exercise *x, LineText text);

static void card_loss(const Exercise *x, LineText text)
{
    char word[80];
    append(text, ANY, "%s p %.4f: loss %.4f", piece(x, x->label, word),
           unsigned_nan((double)x->p[0][x->label]), unsigned_nan(x->loss[0]));
    append(text, TEXT, "; blind guess: ln V = %.2f", log((double)x->m.config.V));
}

/* The label's, and of the wrong pieces those that were most likely. */
static void card_logits(const Exercise *x, LineText text)
{
    const size_t V = (size_t)x->m.config.V;
    int named[4] = {x->label}, n = 1;
    char word[80];
    append(text, ANY, "%s %+.4f", piece(x, x->label, word), unsigned_nan((double)x->g.a.logits[x->label]));
    for (int id; n < 4 && (id = next_largest(x->p[0], (int)V, named, n)) >= 0; named[n++] = id)
        if (!append(text, TEXT, ", %s %+.4f", piece(x, id, word), unsigned_nan((double)x->g.a.logits[id]))) break;
}

/* Lengths of the rows of dE: as long as dlogits says, and the word that is not guessed hardly moves. */
static void card_decoder(const Exercise *x, LineText text)
{
    const size_t H = (size_t)x->m.config.H;
    const double t = length_of(x->a.transform_norm, H);
    const int wrong = next_largest(x->p[0], x->m.config.V, &x->label, 1);
    char word[80];
    append(text, ANY, "|t| %.2f; rows of dE: %s %.2f", unsigned_nan(t), piece(x, x->label, word),
           unsigned_nan(fabs((double)x->g.a.logits[x->label]) * t));
    if (wrong >= 0)
        append(text, TEXT, ", %s %.2f", piece(x, wrong, word),
               unsigned_nan(fabs((double)x->g.a.logits[wrong]) * t));
}

/* The length of the gradient of hidden state l, all tokens: the residuals carry it to the embeddings. */
static double gradient_at(const Exercise *x, int l)
{
    return unsigned_nan(length_of(hidden_state(&x->g.a, l), (size_t)x->a.N * (size_t)x->m.config.H));
}

static void card_blocks(const Exercise *x, LineText text)
{
    const int L = x->m.config.L;
    append(text, ANY, "|dx| of hidden state %d: %.2f", L, gradient_at(x, L));
    for (int third = 2, last = L; third >= 0; third--)
        if (L * third / 3 < last) append(text, TEXT, ", %d: %.2f", last = L * third / 3, gradient_at(x, L * third / 3));
}

/* The score of the hidden place's row that the loss depends on most, over all layers and heads. Where the gradient is
 * negative, a larger score makes the loss smaller. */
static void card_scores_back(const Exercise *x, LineText text)
{
    const int T = x->a.N;
    int layer = 0, head = 0, at = 0;
    real largest = 0;
    char word[80];
    for (int i = 0; i < x->m.config.L * x->m.config.A; i++) {
        const int l = i / x->m.config.A, h = i % x->m.config.A;
        const real *row = head_map(&x->g.a, x->g.a.block[l].scores, 0, h) + (size_t)x->hidden * (size_t)T;
        for (int j = 0; j < T; j++)
            if (fabs((double)row[j]) > fabs((double)largest)) largest = row[j], layer = l, head = h, at = j;
    }
    append(text, ANY, "[MASK]: %s at %s, %+.4f", largest < 0 ? "more" : "less", piece(x, x->ids[at], word),
           unsigned_nan((double)largest));
    append(text, TEXT, " (layer %d, head %d)", layer, head);
}

/* The tokens whose vectors the loss depends on most. */
static void card_words(const Exercise *x, LineText text)
{
    const size_t H = (size_t)x->m.config.H;
    const int T = x->a.N;
    int named[4], n = 0;
    real *lengths = x->v->space;
    char word[80];
    for (int i = 0; i < T; i++) lengths[i] = (real)length_of(x->g.a.word + (size_t)i * H, H);
    append(text, ANY, "|dx|: ");
    for (int i; n < 4 && (i = next_largest(lengths, T, named, n)) >= 0; named[n++] = i)
        if (!append(text, TEXT, "%s%s %.4f", n ? ", " : "", piece(x, x->ids[i], word),
                    unsigned_nan((double)lengths[i]))) break;
}

/* In the first step a weight moves by rate * dw / (|dw| + eps): by the rate, unless its gradient is 0 or nearly so. */
static void card_step(const Exercise *x, LineText text)
{
    const AdamWOptions *o = &x->optimizer.options;
    const double clip = x->length > o->clip ? o->clip / x->length : 1;
    size_t moved = 0;
    for (const Parameter *p = x->parameters.list; p < x->parameters.list + x->parameters.count; p++)
        for (size_t i = 0; is_learned(&x->g, p) && i < p->count; i++)
            moved += fabs((double)p->gradient[i]) * clip > o->eps;
    append(text, ANY, "length %.2f, clipped to %g; %.0f %% of weights move by %g", unsigned_nan(x->length),
           o->clip, 100 * (double)moved / (double)x->parameters.numbers, o->learning_rate);
}

/* The loss, and the right piece. */
static void card_after(const Exercise *x, LineText text)
{
    char word[80];
    append(text, ANY, "loss %.4f -> %.4f", unsigned_nan(x->loss[0]), unsigned_nan(x->loss[1]));
    append(text, TEXT, "; %s %.4f -> %.4f", piece(x, x->label, word), unsigned_nan((double)x->p[0][x->label]),
           unsigned_nan((double)x->p[1][x->label]));
}

typedef struct {
    const char *module;             /* the heading before the card, where one begins */
    int step;                       /* 0: none of the sixteen */
    const char *name, *what, *formula;
    LearnCard *card;
} LearnStep;

/* `what` and `formula` have 59 columns each. */
static const LearnStep learn_steps[] = {
    {"THE LOSS", 0, "cross-entropy", "How surprised the model is by the right piece.",
     "loss = -ln p_label", card_loss},
    {"BACKWARDS", 15, "softmax, logits", "The right logit is to rise, the others are to fall.",
     "dlogits_j = p_j - [j is the label]", card_logits},
    {NULL, 15, "decoder", "What the rows of E, pieces, get; and t, the guess.",
     "dE = dlogits^T t   dt = dlogits E", card_decoder},
    {NULL, 13, "blocks", "Through every block; the residuals let the gradient pass.",
     "dx = dsum + what the block's layers give", card_blocks},
    {NULL, 8, "scores", "Where the hidden place should have looked.",
     "dscore_ij = p_ij (dp_ij - sum over k of p_ik dp_ik)", card_scores_back},
    {NULL, 5, "embeddings", "How much the loss depends on each token's vector.",
     "dword[id_t] += dx_t", card_words},
    {"THE STEP", 0, "AdamW", "Each weight moves by the rate, against its gradient.",
     "w -= rate (mean / (sqrt square + eps) + decay w)", card_step},
    {NULL, 0, "the same guess", "Steps 5 to 15 again, with the new weights.",
     "loss and probabilities, before -> after", card_after},
};

static void put_learning(const Exercise *x)
{
    const View *v = x->v;
    char word[80];
    fprintf(v->out, "%s is hidden: p %.4f, and after one step of learning %.4f\n", piece(x, x->label, word),
            unsigned_nan((double)x->p[0][x->label]), unsigned_nan((double)x->p[1][x->label]));
    fprintf(v->out, "%d tokens; token %d is [MASK]. Gradients in full: bert trace --gradients\n", x->a.N, x->hidden);
    for (size_t i = 0; i < sizeof learn_steps / sizeof *learn_steps; i++) {
        const LearnStep *step = &learn_steps[i];
        const char *name = step->name;
        LineText text = "";
        if (step->module) fprintf(v->out, v->colour ? "\n\033[1;36m%s\033[0m\n" : "\n%s\n", step->module);
        put_card_line(v, step->step, &name, step->what);
        put_card_line(v, 0, &name, step->formula);
        step->card(x, text);
        put_card_line(v, 0, &name, text);
    }
}

Status explain_learning(View *v, Error *e)
{
    Exercise x = {.v = v};
    if (!v->s->model.has_mlm)
        return fail(e, BERT_HEAD, "--learn hides a word, and these weights have no masked-language-model head");
    Status status = choose_hidden(&x, e);
    if (status == BERT_OK) status = exercise_new(&x, e);
    if (status == BERT_OK) status = do_exercise(&x, e);
    if (status == BERT_OK && v->input->number > 1) fputc('\n', v->out);
    if (status == BERT_OK) put_learning(&x);
    exercise_free(&x);
    return status;
}
