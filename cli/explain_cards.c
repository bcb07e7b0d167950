/* explain_cards.c - what `bert explain` says first: the answer, and a card of three lines for each of the sixteen
 * steps: what the step is for, its formula, and one telling number of this text.
 *
 *      9 softmax           Each row becomes weights with sum 1: where token i looks.
 *                          p_ij = e^score_ij / sum over k of e^score_ik
 *                          'it' looks at 'cat' with 0.83 (layer 8, head 10)
 *
 * All numbers are read from one run's Activations, or are lengths, means and cosines of its rows.
 */
#include "cli/explain.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { BEST = 5, MOST_MASKS = 4, QUOTED = 12 };

/* =====================================================================================================================
 * Lines that are put together
 * ================================================================================================================== */

bool append(LineText line, int most, const char *format, ...)
{
    char cell[512];
    LineText longer;
    va_list args;
    const int used = snprintf(longer, sizeof longer, "%s", line);
    va_start(args, format);
    vsnprintf(longer + used, sizeof longer - (size_t)used, format, args);
    va_end(args);
    if (fit_with_dots(cell, longer, LINE + 1) > most) return false;
    strcpy(line, longer);
    return true;
}

const char *quoted(const char *word, char text[80])
{
    char cell[512];
    fit_with_dots(cell, word, QUOTED);
    snprintf(text, 80, "'%.76s'", cell);
    return text;
}

static const char *quoted_token(const View *v, int t, char text[80])
{
    return quoted(piece_of(v->s, v->x->input_ids[t]), text);
}

static const real *row(const View *v, const real *x, int t)                 /* of a matrix (T,H) */
{
    return x + (size_t)t * (size_t)v->c->H;
}

static double row_length(const View *v, const real *x, int t)
{
    return unsigned_nan(length_of(row(v, x, t), (size_t)v->c->H));
}

/* =====================================================================================================================
 * Which layer and head are worth showing
 *
 * The rule, for the cards and for the steps in full: the first [MASK], or else the longest word of four letters or more
 * that stands there more than once, or else any word, looks at another word, three or more places away. The layer and
 * head are shown in which it does so most, and the token is followed that does.
 * Why: the greatest probabilities of all, near 1, belong to heads that look at the next token or at the one before,
 * whatever it is. Looks that go farther are about the words. A word that comes back is what the first line tells of.
 * ================================================================================================================== */
enum { LONG = 4 };                              /* bytes of a word that is asked for: the, of, and are shorter */

static bool is_seen_word(const View *v, int t)
{
    const int id = v->x->input_ids[t];
    return v->x->attention_mask[t] && !is_special(v->s, id) && is_word(piece_of(v->s, id));
}

/* The id of the longest word that occurs more than once and has at least so many bytes; -1: there is none. */
static int repeated_word(const View *v, size_t least)
{
    int best = -1;
    for (int i = 0; i < v->x->T; i++) {
        const int id = v->x->input_ids[i];
        const size_t length = strlen(piece_of(v->s, id));
        if (!is_seen_word(v, i) || length < least) continue;
        for (int j = i + 1; j < v->x->T; j++) {
            if (v->x->input_ids[j] != id || !v->x->attention_mask[j]) continue;
            best = id;
            least = length + 1;
        }
    }
    return best;
}

/* Is it token i's business to look, for this rule? `repeated` is an id, or -1. */
static bool may_look(const View *v, int i, int repeated)
{
    const int mask = v->s->tokenizer.mask_id;
    if (v->x->input_ids[v->subject] == mask) return i == v->subject;
    return is_seen_word(v, i) && (repeated < 0 || v->x->input_ids[i] == repeated);
}

/* The strongest look in one head that is farther than `distance`, if it is stronger than *best. */
static void look_in_head(const View *v, int distance, int repeated, Look *best)
{
    for (int i = 0; i < v->x->T; i++) {
        if (!may_look(v, i, repeated)) continue;
        for (int j = 0; j < v->x->T; j++) {
            const int apart = i < j ? j - i : i - j;
            const double p = prob_at(v, i, j);
            if (apart < distance || !(p > best->p) || !is_seen_word(v, j)) continue;
            if (v->x->input_ids[i] == v->x->input_ids[j]) continue;
            *best = (Look){.layer = v->layer, .head = v->head, .i = i, .j = j, .distance = distance, .p = p};
        }
    }
}

/* Over all layers and heads, but for those that --layer and --head leave out. Without two words: the followed token and
 * the one that it looks at most, in the first of these heads. */
Look find_look(const View *view)
{
    const Options *o = &view->s->options;
    const int repeated = repeated_word(view, LONG);
    View v = *view;
    Look best = {.i = v.subject, .layer = v.layer, .head = v.head};
    int among = 0;
    for (int distance = 3; distance > 0 && !best.distance; distance--) {
        among = 0;
        for (int head = 0; head < v.c->L * v.c->A; head++) {
            v.layer = head / v.c->A;
            v.head = head % v.c->A;
            if ((o->layer != UNSET && o->layer != v.layer) || (o->head != UNSET && o->head != v.head)) continue;
            v.block = &v.a->block[v.layer];
            look_in_head(&v, distance, repeated, &best);
            among++;
        }
    }
    best.among = among;
    for (int j = 1; !best.distance && j < view->x->T; j++)
        if (prob_at(view, best.i, j) > prob_at(view, best.i, best.j)) best.j = j;
    return best;
}

/* Says which layer and head the cards show, and the rule. */
static void put_look(const View *v, const Look *look)
{
    static const char *const far[] = {"", "another word", "a word two or more places away",
                                      "a word three or more places away"};
    const bool mask = v->x->input_ids[look->i] == v->s->tokenizer.mask_id;
    char word[80] = "[MASK]";
    if (!mask && repeated_word(v, LONG) >= 0) quoted_token(v, look->i, word);
    else if (!mask) strcpy(word, "a word");
    if (!look->distance)
        put_formatted(v, NULL, "Steps 7 to 13 are of layer %d and head %d: there are no two words to choose by.",
                      look->layer, look->head);
    else if (look->among == 1)
        put_formatted(v, NULL, "Steps 7 to 13 are of layer %d and head %d, as asked.", look->layer, look->head);
    else
        put_formatted(v, NULL, "Steps 7 to 13 are of layer %d and head %d (both count from 0): of %d heads the one in "
                      "which %s looks most at %s.", look->layer, look->head, look->among, word,
                      far[look->distance]);
}

/* =====================================================================================================================
 * How alike words are: one word at several places, or else the words nearest to the followed one
 * ================================================================================================================== */

/* "'bank' at 6 and 10: cosine 0.9386; at 6 and 19: 0.6851": the two places where it is most alike, and least. */
static void say_repeated(const View *v, int id, LineText text)
{
    int most[2] = {-1, -1}, least[2] = {-1, -1};
    char word[80];
    for (int i = 0; i < v->x->T; i++)
        for (int j = i + 1; j < v->x->T; j++) {
            if (v->x->input_ids[i] != id || v->x->input_ids[j] != id) continue;
            if (!v->x->attention_mask[i] || !v->x->attention_mask[j]) continue;
            const double x = cosine_at(v, i, j);
            if (most[0] < 0 || x > cosine_at(v, most[0], most[1])) memcpy(most, (int[]){i, j}, sizeof most);
            if (least[0] < 0 || x < cosine_at(v, least[0], least[1])) memcpy(least, (int[]){i, j}, sizeof least);
        }
    append(text, TEXT, "%s at %d and %d: cosine %.4f", quoted(piece_of(v->s, id), word), most[0], most[1],
           unsigned_nan(cosine_at(v, most[0], most[1])));
    if (memcmp(most, least, sizeof most))
        append(text, TEXT, "; at %d and %d: %.4f", least[0], least[1],
               unsigned_nan(cosine_at(v, least[0], least[1])));
}

/* "'tired' is most like 'was' 0.6312, 'it' 0.6012": cosines with other words. False: there is no other word. */
static bool say_nearest(const View *v, LineText text)
{
    const int id = v->x->input_ids[v->subject];
    int named[3], n = 0;
    char word[80];
    for (int j = 0; j < v->x->T; j++)
        v->space[j] = is_seen_word(v, j) && v->x->input_ids[j] != id ? (real)cosine_at(v, v->subject, j) : -2;
    for (int j; n < 3 && (j = next_largest(v->space, v->x->T, named, n)) >= 0 && v->space[j] > -2; named[n++] = j) {
        if (!n) append(text, TEXT, "%s is most like ", quoted_token(v, v->subject, word));
        append(text, TEXT, "%s%s %.4f", n ? ", " : "", quoted_token(v, j, word), (double)v->space[j]);
    }
    return n > 0;
}

/* One of the two, whichever there is. */
static bool say_alike(const View *v, size_t least, LineText text)
{
    const int id = repeated_word(v, least);
    if (id < 0) return say_nearest(v, text);
    say_repeated(v, id, text);
    return true;
}

/* =====================================================================================================================
 * The answer
 * ================================================================================================================== */

/* Does the model say how its sentence vectors are made? Then they are what it is for. */
static bool is_sentence_model(const View *v)
{
    return v->no_recipe->status == BERT_OK && v->recipe->layers[0] == v->c->L;
}

static bool has_guesses(const View *v)                                      /* there is a [MASK], and a head for it */
{
    return v->M > 0 && v->x->input_ids[v->asked[0]] == v->s->tokenizer.mask_id;
}

/* "[MASK] -> floor 0.3145, bed 0.1190, ...": what fits, with its probability; of several each with its place. */
static void put_guesses(const View *v, int m)
{
    const size_t V = (size_t)v->c->V;
    int named[BEST], n = 0;
    char piece[512];
    LineText text = "";
    if (v->M > 1) append(text, LINE, "[MASK] %d -> ", v->asked[m]);
    else append(text, LINE, "[MASK] -> ");
    softmax(v->space, v->a->logits + (size_t)m * V, 1, V);
    for (int id; n < BEST && (id = next_largest(v->space, (int)V, named, n)) >= 0; named[n++] = id) {
        fit_with_dots(piece, piece_of(v->s, id), 2 * QUOTED);
        if (!append(text, LINE, "%s%.120s %.4f", n ? ", " : "", piece, unsigned_nan((double)v->space[id]))) break;
    }
    put_last(v->out, text, LINE);
}

static void put_judgement(const View *v)
{
    real logits[2], p[2];
    next_sentence(v, logits, p);
    const bool follows = !(p[1] > p[0]);
    fprintf(v->out, "the second text %s the first: %s %.4f\n", follows ? "follows" : "does not follow",
            follows ? "P(IsNext)" : "P(NotNext)", unsigned_nan((double)p[!follows]));
    if (v->refitted)
        fputs("(by a head which this project fitted: these weights come without their own)\n", v->out);
}

/* A vector, where there is nothing better to say, or nothing else that the model was made for. */
static void put_vector(const View *v)
{
    const int H = v->c->H;
    LineText text = "";
    if (v->no_recipe->status != BERT_OK) {
        fprintf(v->out, "%d tokens -> %d numbers each\n", v->x->T, H);
        return;
    }
    append(text, LINE, "the sentence -> %d numbers:", H);
    for (int h = 0; h < H && h < FEATURES; h++) {
        const double x = unsigned_nan((double)v->sentence[h]);
        if (!append(text, LINE - 5, "%s %.4f", h ? "," : "", x)) break;
    }
    append(text, LINE, H > FEATURES ? ", ..." : "");
    put_last(v->out, text, LINE);
}

/* What someone asks who types this text: the word in the place of [MASK]; whether B follows A; from a model that is for
 * sentence vectors the vector; else which words are alike; and of one text who looks at whom. */
static void put_answer(const View *v, const Look *look)
{
    const bool judged = is_pair(v) && v->has_nsp, guessed = has_guesses(v);
    char i[80], j[80];
    LineText text = "";
    for (int m = 0; guessed && m < v->M && m < MOST_MASKS; m++) put_guesses(v, m);
    if (guessed && v->M > MOST_MASKS)
        fprintf(v->out, "(%d more: bert fill-mask shows all)\n", v->M - MOST_MASKS);
    if (judged) put_judgement(v);
    if (guessed || judged) return;
    if (!is_sentence_model(v) && say_alike(v, LONG, text)) put_last(v->out, text, LINE);
    else put_vector(v);
    if (look->distance)
        fprintf(v->out, "%s looks at %s with %.2f (layer %d, head %d)\n", quoted_token(v, look->i, i),
                quoted_token(v, look->j, j), unsigned_nan(look->p), look->layer, look->head);
}

/* =====================================================================================================================
 * The cards' third lines: one function a step
 * ================================================================================================================== */
typedef void Card(const View *v, const Look *look, LineText text);

/* The last text that a step made of A (nth = 0) or B (nth = 1); NULL: there is none. */
static const char *text_after(const View *v, int step, int nth)
{
    const char *last = NULL;
    int text = -1;
    for (int i = 0; i < v->stages; i++) {
        if (v->stage[i].step == 0) text++;
        if (text == nth && v->stage[i].step == step && !v->stage[i].absent) last = v->stage[i].text;
    }
    return last;
}

/* The text before and after, if there is room for both. */
static void card_clean(const View *v, const Look *look, LineText text)
{
    const char *before = text_after(v, 0, 0), *after = text_after(v, 1, 0);
    (void)look;
    if (!strcmp(before, after)) append(text, ANY, "unchanged: %.400s", after);
    else if (!append(text, TEXT, "%.300s -> %.300s", before, after)) append(text, ANY, "-> %.400s", after);
}

/* Of both texts, if there are two. */
static void card_split(const View *v, const Look *look, LineText text)
{
    size_t words = 0;
    (void)look;
    for (int i = 0; i < v->stages; i++)
        if (v->stage[i].step == 2) words += v->stage[i].count;
    append(text, ANY, "%zu word%s", words, words == 1 ? "" : "s");
    if (words) append(text, ANY, ": %.400s", text_after(v, 2, 0));
}

/* How many tokens from t on are pieces of one word. */
static int pieces_of_word(const View *v, int t)
{
    int n = 1;
    while (t + n < v->x->T && !strncmp(piece_of(v->s, v->x->input_ids[t + n]), "##", 2)
           && v->x->offsets[t + n][0] >= v->x->offsets[t + n - 1][1] && v->x->offsets[t + n][1] > 0)
        n++;
    return n;
}

/* The text of tokens t to t+n-1 as it was typed. B begins behind a [SEP] that stands for no text. */
static void typed_word(const View *v, int t, int n, char word[80])
{
    bool second = false;
    for (int k = 1; k < t; k++)
        second |= v->x->input_ids[k] == v->s->tokenizer.sep_id && v->x->offsets[k][1] == 0;
    const Text text = second ? v->input->b : v->input->a;
    const size_t begin = v->x->offsets[t][0], end = v->x->offsets[t + n - 1][1];
    char copy[128];
    snprintf(copy, sizeof copy, "%.*s", (int)(end - begin < 100 ? end - begin : 100), text.bytes + begin);
    quoted(copy, word);
}

/* The word that was cut into most pieces; or one that has none; or how many are whole. */
static void card_wordpiece(const View *v, const Look *look, LineText text)
{
    int best = -1, most = 1, words = 0;
    char word[80];
    (void)look;
    for (int t = 0, n; t < v->x->T; t += n) {
        n = pieces_of_word(v, t);
        const int id = v->x->input_ids[t];
        if (v->x->offsets[t][1] == 0) continue;
        words++;
        if (n > most || (best < 0 && id == v->s->tokenizer.unk_id)) {
            best = t;
            most = n;
        }
    }
    if (best < 0) {
        if (words > 1) append(text, ANY, "each of the %d words is a piece of the vocabulary", words);
        else append(text, ANY, words ? "the word is a piece of the vocabulary" : "no words");
        return;
    }
    typed_word(v, best, most, word);
    append(text, ANY, "%s ->", word);
    for (int t = best; t < best + most; t++)
        if (!append(text, TEXT - 3, " %s", piece_of(v->s, v->x->input_ids[t]))) {
            append(text, ANY, " ..");
            break;
        }
}

static void card_ids(const View *v, const Look *look, LineText text)
{
    const int t = v->subject;
    char word[80];
    (void)look;
    append(text, ANY, "token %d of %d, %s: id %ld, segment %ld, mask %ld", t, v->x->T, quoted_token(v, t, word),
           (long)v->x->input_ids[t], (long)v->x->token_type_ids[t], (long)v->x->attention_mask[t]);
}

/* Which of the three tables says most about it. */
static void card_embeddings(const View *v, const Look *look, LineText text)
{
    const int t = v->subject;
    (void)look;
    append(text, ANY, "lengths: word %.2f", row_length(v, v->a->word, t));
    if (v->c->S) append(text, ANY, ", segment %.2f", row_length(v, v->a->token_type, t));
    append(text, ANY, ", position %.2f", row_length(v, v->a->position, t));
}

/* The mean is small on both sides; the deviation is what changes. */
static void card_embedding_norm(const View *v, const Look *look, LineText text)
{
    const size_t H = (size_t)v->c->H, at = (size_t)v->subject * H;
    double mean, before, after;
    char word[80];
    (void)look;
    sum_moments(v, v->subject, &mean, &before);
    moments(v->a->embedding_norm + at, H, &mean, &after);
    append(text, ANY, "%s: standard deviation %.4f, then %.4f", quoted_token(v, v->subject, word),
           unsigned_nan(before), unsigned_nan(after));
}

/* Token t's D numbers of the head that is shown. */
static double head_length(const View *v, const real *x, int t)
{
    const size_t D = (size_t)v->c->D;
    return unsigned_nan(length_of(row(v, x, t) + (size_t)v->head * D, D));
}

static void card_query_key_value(const View *v, const Look *look, LineText text)
{
    char i[80], j[80];
    append(text, ANY, "|q| of %s %.2f, |k| of %s %.2f", quoted_token(v, look->i, i),
           head_length(v, v->block->query, look->i), quoted_token(v, look->j, j),
           head_length(v, v->block->key, look->j));
}

/* Only differences within a row matter: so the mean of the row is told as well. */
static void card_scores(const View *v, const Look *look, LineText text)
{
    double sum = 0;
    int n = 0;
    char i[80], j[80];
    for (int k = 0; k < v->x->T; k++) {
        if (!v->x->attention_mask[k]) continue;
        sum += score_at(v, look->i, k);
        n++;
    }
    append(text, ANY, "%s at %s: %.2f, on average %.2f", quoted_token(v, look->i, i),
           quoted_token(v, look->j, j), unsigned_nan(score_at(v, look->i, look->j)), unsigned_nan(sum / n));
}

static void card_probs(const View *v, const Look *look, LineText text)
{
    char i[80], j[80];
    append(text, ANY, "%s looks at %s with %.2f", quoted_token(v, look->i, i), quoted_token(v, look->j, j),
           unsigned_nan(prob_at(v, look->i, look->j)));
    append(text, TEXT, " (layer %d, head %d)", v->layer, v->head);
}

/* The term p_ij v_j and the sum of all terms, by their lengths. */
static void card_context(const View *v, const Look *look, LineText text)
{
    char j[80];
    append(text, ANY, "lengths: from %s %.2f, from all tokens %.2f", quoted_token(v, look->j, j),
           unsigned_nan(prob_at(v, look->i, look->j)) * head_length(v, v->block->value, look->j),
           head_length(v, v->block->context, look->i));
}

static void card_attention_output(const View *v, const Look *look, LineText text)
{
    char word[80];
    append(text, ANY, "%s: length of x %.2f, of its change %.2f", quoted_token(v, look->i, word),
           row_length(v, hidden_state(v->a, v->layer), look->i), row_length(v, v->block->attention_dense, look->i));
}

static void card_feed_forward_up(const View *v, const Look *look, LineText text)
{
    const size_t F = (size_t)v->c->F;
    const real *before = v->block->intermediate_dense + (size_t)look->i * F;
    size_t positive = 0;
    char word[80];
    for (size_t f = 0; f < F; f++) positive += before[f] > 0;
    append(text, ANY, "%s: %zu of %zu features are above 0", quoted_token(v, look->i, word), positive, F);
}

/* What the whole block did to the token. */
static void card_feed_forward_down(const View *v, const Look *look, LineText text)
{
    const size_t H = (size_t)v->c->H;
    const real *in = row(v, hidden_state(v->a, v->layer), look->i), *out = row(v, v->block->output_norm, look->i);
    char word[80];
    append(text, ANY, "%s: hidden states %d and %d have cosine %.4f", quoted_token(v, look->i, word), v->layer,
           v->layer + 1, unsigned_nan(cosine(in, out, H)));
}

/* The best label of a classifier that makes K logits. */
static void put_best_label(const View *v, const real *logits, LineText text)
{
    const int best = best_label(v, logits);
    char name[80];
    append(text, ANY, "%s, logit %.4f: the largest of %d",
           quoted(best < v->labels.count ? v->labels.names[best] : "?", name), unsigned_nan((double)logits[best]),
           v->c->K);
}

/* The answer of a fine-tuned classifier; the judgement on a pair; of one text what tanh left of it. */
static void card_pooler(const View *v, const Look *look, LineText text)
{
    const int H = v->c->H;
    int extreme = 0;
    (void)look;
    if (scores_texts(v)) {
        put_best_label(v, v->a->classifier_logits, text);
    } else if (!v->s->model.has_pooler) {
        append(text, ANY, v->c->distilbert ? "(a DistilBERT has no pooler)" : "(these weights have no pooler)");
    } else if (v->has_nsp && is_pair(v)) {
        real logits[2], p[2];
        next_sentence(v, logits, p);
        append(text, ANY, v->refitted ? "P(IsNext) %.4f (refitted head); logits %.2f and %.2f"
                                      : "P(IsNext) %.4f; logits %.4f and %.4f", unsigned_nan((double)p[0]),
               unsigned_nan((double)logits[0]), unsigned_nan((double)logits[1]));
    } else {
        for (int h = 0; h < H; h++) extreme += fabs((double)v->a->pooler[h]) > 0.9;
        append(text, ANY, "%d of the %d pooled numbers are beyond 0.9 or -0.9", extreme, H);
    }
}

/* The best piece at the first token that was asked for. A token that is no [MASK] is seen by the model. */
static void card_mlm(const View *v, const Look *look, LineText text)
{
    char best[80], asked[80];
    (void)look;
    if (scores_tokens(v)) {
        append(text, ANY, "%s: ", quoted_token(v, v->subject, asked));
        put_best_label(v, v->a->token_logits + (size_t)v->subject * (size_t)v->c->K, text);
        return;
    }
    if (v->a->request.qa) {
        append(text, ANY, "%s: logits as start %.4f, as end %.4f", quoted_token(v, v->subject, asked),
               unsigned_nan((double)v->a->qa_logits[2 * v->subject]),
               unsigned_nan((double)v->a->qa_logits[2 * v->subject + 1]));
        return;
    }
    if (!v->M) {
        append(text, ANY, "(these weights have no masked-language-model head)");
        return;
    }
    softmax(v->space, v->a->logits, 1, (size_t)v->c->V);
    const int id = next_largest(v->space, v->c->V, NULL, 0);
    append(text, ANY, "at %s: %s, logit %.4f, p %.4f", quoted_token(v, v->asked[0], asked),
           quoted(piece_of(v->s, id), best), unsigned_nan((double)v->a->logits[id]),
           unsigned_nan((double)v->space[id]));
}

static void card_vectors(const View *v, const Look *look, LineText text)
{
    (void)look;
    if (!say_alike(v, 1, text)) append(text, ANY, "(there are no two words to compare)");
}

/* =====================================================================================================================
 * The cards, and all of it
 * ================================================================================================================== */
static Card *const cards[STEPS] = {
    card_clean, card_split, card_wordpiece, card_ids, card_embeddings, card_embedding_norm, card_query_key_value,
    card_scores, card_probs, card_context, card_attention_output, card_feed_forward_up, card_feed_forward_down,
    card_pooler, card_mlm, card_vectors};

/* As many formulas as fit into the line, the first one always. Three blanks stand between them. */
static void first_formulas(const char *all, LineText text)
{
    const char *end = strstr(all, "   ");
    snprintf(text, sizeof(LineText), "%.*s", (int)(end ? end - all : (long)strlen(all)), all);
    while (end) {
        const char *next = end + 3;
        end = strstr(next, "   ");
        if (!append(text, TEXT, "   %.*s", (int)(end ? end - next : (long)strlen(next)), next)) return;
    }
}

/* As many words of the name as fit; the others are for the next line. */
void put_card_line(const View *v, int number, const char **name, const char *text)
{
    int n = (int)strlen(*name);
    if (n > NAME)
        for (n = NAME; n > 0 && (*name)[n] != ' ';) n--;
    if (number) fprintf(v->out, "%2d ", number);
    else fputs("   ", v->out);
    fprintf(v->out, v->colour ? "\033[1m%-*.*s\033[0m  " : "%-*.*s  ", NAME, n, *name);
    put_last(v->out, text, TEXT);
    *name += n;
    *name += strspn(*name, " ");
}

static void put_card(const View *v, int n, const Look *look)
{
    const Step *step = step_of(v, n);
    const char *name = step->name;
    char all[512];
    LineText text = "";
    put_card_line(v, n, &name, step->what);
    step_formula(v, n, all);
    first_formulas(all, text);
    put_card_line(v, 0, &name, text);
    *text = 0;
    if (n <= 3 && !v->stages) append(text, TEXT, "(the ids came from a file)");
    else cards[n - 1](v, look, text);
    put_card_line(v, 0, &name, text);
}

/* The answer; what is followed, and where; the sixteen cards under their four modules. */
void put_overview(const View *v, const Look *look)
{
    char word[80];
    put_answer(v, look);
    fprintf(v->out, "%d tokens; token %d, %s, is followed. In full: --all, or --step N\n", v->x->T, v->subject,
            quoted_token(v, v->subject, word));
    put_look(v, look);
    for (int n = 1; n <= STEPS; n++) {
        if (explain_steps[n - 1].module)
            fprintf(v->out, v->colour ? "\n\033[1;36m%s\033[0m\n" : "\n%s\n", explain_steps[n - 1].module);
        put_card(v, n, look);
    }
}
