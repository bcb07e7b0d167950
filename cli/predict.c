/* predict.c - the verbs that ask what BERT was trained to answer: fill-mask (step 15) and next-sentence (step 14). */
#include "cli/cli.h"
#include "weights/vocabulary.h"
#include "weights/nsp_refit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* =====================================================================================================================
 * fill-mask: step 15
 *
 * What BERT was trained to do: 15 % of the tokens of a text were chosen, most of them replaced by [MASK], and the
 * model had to say what had stood there. Its answer is a number for each piece of the vocabulary (a logit), made into
 * probabilities:
 *
 *     p(v) = exp(logit_v) / sum over all pieces w of exp(logit_w)
 *
 * The encyclopedia article says that BERT "would need to predict mat" in `The cat sat on the [MASK]`. It says floor
 * (0.31), bed, couch, sofa, ground; mat comes 34th. The prediction is about what is usual, and cats are usually
 * elsewhere. See [paper] section 3.1, task 1; [hf] BertForMaskedLM.
 * ================================================================================================================== */
static const char fill_mask_help[] =
    "The pieces that fit each [MASK]: lines `probability<TAB>piece`, best first\n"
    "(default: five); an empty line between two [MASK]s. On a terminal four decimals,\n"
    "else all digits. --targets asks for these pieces only, all of them unless\n"
    "--top-k says less; each must be one piece. Their probabilities are still among\n"
    "the whole vocabulary.\n"
    "\n"
    "Formats:\n"
    "  text     probability and piece, a line each\n"
    "  json     one object per [MASK]: input and position (both from 0), and\n"
    "           predictions [{score, token, token_str}]\n";
static const char fill_mask_examples[] =
    "  bert fill-mask 'The cat sat on the [MASK].'\n"
    "  bert fill-mask --targets mat,floor 'The cat sat on the [MASK].'\n";

typedef struct {
    double score;
    int id;
} Prediction;

/* The larger probability first; of equal ones the smaller id, so that the order does not depend on qsort. */
static int by_probability(const void *a, const void *b)
{
    const Prediction *x = a, *y = b;
    const int order = higher_first(x->score, y->score);
    return order ? order : x->id - y->id;
}

/* Which pieces it is instead, the first eight of them. */
static Status not_one_piece(const Session *s, const char *word, size_t length, const Encoding *x, Error *e)
{
    char pieces[8 * 24] = "";
    for (int i = 0; i < x->T && i < 8; i++) {
        char piece[23];
        escape(piece, sizeof piece, tokenizer_piece(&s->tokenizer, x->input_ids[i]));
        snprintf(pieces + strlen(pieces), sizeof pieces - strlen(pieces), " %s", piece);
    }
    return fail(e, BERT_USAGE, "--targets: '%.*s' is not one piece of the vocabulary but %d%s%s%s", (int)length, word, x->T,
                x->T ? ":" : "", pieces, x->T > 8 ? " ..." : "");
}

/* The id of one target: a piece as it stands (`##s` too), or a word that the tokenizer makes into exactly one piece,
 * so that `Mat` finds `mat` in an uncased model. A word of several pieces has no probability at one [MASK]:
 * Differs: Hugging Face then takes the first piece, with a warning. Here it is an error, because `em` is not
 * `embeddings`.
 */
static Status target_id(const Session *s, const char *word, size_t length, int *id, Error *e)
{
    const EncodeOptions bare = {.no_add_special = true};
    Encoding x = {0};
    *id = tokenizer_id(&s->tokenizer, word, length);
    if (*id >= 0) return BERT_OK;
    Status status = encode(&s->tokenizer, (Text){word, length}, NULL, &bare, &x, e);
    if (status != BERT_OK) fail(e, status, "--targets: %.900s", e->message);
    if (status == BERT_OK && x.T == 1 && x.input_ids[0] == s->tokenizer.unk_id)
        status = fail(e, BERT_USAGE, "--targets: '%.*s' is not in the vocabulary: the tokenizer makes %s of it",
                      (int)length, word, tokenizer_piece(&s->tokenizer, x.input_ids[0]));
    if (status == BERT_OK && x.T != 1)
        status = not_one_piece(s, word, length, &x, e);
    if (status == BERT_OK) *id = x.input_ids[0];
    encoding_free(&x);
    return status;
}

/* "a,b" into ids, each once, in the order given. The array has room for as many as the text has characters, and one.
 */
static Status read_targets(const Session *s, Prediction **targets, int *count, Error *e)
{
    const char *at = s->options.targets;
    *targets = calloc(strlen(at) + 1, sizeof **targets);
    if (!*targets) return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t n; ; at += n + 1) {
        int id, i = 0;
        n = strcspn(at, ",");
        if (target_id(s, at, n, &id, e) != BERT_OK) return e->status;
        while (i < *count && (*targets)[i].id != id) i++;
        (*targets)[i].id = id;
        if (i == *count) ++*count;
        if (!at[n]) return BERT_OK;
    }
}

/* Token positions of [MASK] in x, into places (T of them is enough); how many. These rows alone go through the MLM
 * head: a row costs V*H = 23 million products, so that all rows of a sentence would add a quarter to the encoder's
 * work. */
static int find_masks(const Session *s, const Encoding *x, int *places)
{
    int M = 0;
    for (int t = 0; t < x->T; t++)
        if (x->input_ids[t] == s->tokenizer.mask_id) places[M++] = t;
    return M;
}

/* The first k predictions of one [MASK]. As text, tab-separated, so that cut and sort work on it; as JSON, the fields
 * that Hugging Face's fill-mask pipeline returns, with the input and the position in front. */
static void print_predictions(const Session *s, const Input *input, int position, const Prediction *p, int k)
{
    const bool json = format_is(s, "json");
    if (json) fprintf(s->out, "{\"input\": %zu, \"position\": %d, \"predictions\": [", input->number - 1, position);
    for (int i = 0; i < k; i++) {
        const char *piece = piece_of(s, p[i].id);
        if (json) {
            fprintf(s->out, "%s{\"score\": ", i ? ", " : "");
            json_put_number(s->out, p[i].score);
            fprintf(s->out, ", \"token\": %d, \"token_str\": ", p[i].id);
            json_put_text(s->out, piece, strlen(piece));
            fputc('}', s->out);
        } else {
            put_score(s, p[i].score);
            fputc('\t', s->out);
            put_safely(s->out, piece);
            fputc('\n', s->out);
        }
    }
    if (json) fputs("]}\n", s->out);
}

/* One row of logits (V): softmax over the whole vocabulary, then the best of the candidates (all pieces, or the
 * targets). The probabilities of targets are not scaled up to 1: they say how likely the word is, not how it compares
 * to the others. Trap: pieces with ## are candidates too. BERT never saw which words were whole. */
static void predict(const Session *s, const Input *input, int position, real *logits, Prediction *p, int candidates)
{
    const bool targets = s->options.targets != NULL;
    int k = s->options.top_k != UNSET ? s->options.top_k : targets ? candidates : 5;
    softmax(logits, logits, 1, (size_t)s->model.config.V);
    for (int i = 0; i < candidates; i++) {
        if (!targets) p[i].id = i;
        p[i].score = (double)logits[p[i].id];
    }
    qsort(p, (size_t)candidates, sizeof *p, by_probability);
    print_predictions(s, input, position, p, k < candidates ? k : candidates);
}

/* Does one of the input's two segments hold this word? */
static bool has_word(const Input *input, const char *word, bool any_case)
{
    const Text segments[] = {input->a, input->b};
    const size_t n = strlen(word);
    for (int k = 0; k < (input->has_pair ? 2 : 1); k++)
        for (size_t i = 0; i + n <= segments[k].length; i++) {
            const char *at = segments[k].bytes + i;
            if (any_case ? !strncasecmp(at, word, n) : !memcmp(at, word, n)) return true;
        }
    return false;
}

/* A file may name no mask: then [MASK] in a text is five pieces like any others. */
static Status expect_mask(const Session *s, Error *e)
{
    const Tokenizer *t = &s->tokenizer;
    if (t->mask_id >= 0) return BERT_OK;
    if (vocabulary_id(t->vocabulary, "[MASK]", 6) < 0)
        return fail(e, BERT_FILE, "%s: the vocabulary lacks [MASK], which fill-mask needs", s->directory);
    return fail(e, BERT_FILE, "%s/tokenizer_config.json: the key \"mask_token\" is missing or null: [MASK] is plain "
                "text then, and there is nothing to fill", s->directory);
}

/* There is nothing to fill in, and most likely why. */
static Status no_mask(const Session *s, const Input *input, Error *e)
{
    static const char *const others[] = {"[MASK]", "<mask>"};
    char why[400] = "";
    const char *mask = piece_of(s, s->tokenizer.mask_id);
    const bool there = input->has_text && has_word(input, mask, false), usual = !strcmp(mask, "[MASK]");
    bool other = input->has_text && has_word(input, mask, true);
    if (there && s->options.plain) snprintf(why, sizeof why, ": --no-special makes %.300s plain text", mask);
    else if (there && (s->options.truncate || s->cuts)) snprintf(why, sizeof why, ": --truncate cut it off");
    else if (other && usual && !there) snprintf(why, sizeof why, ": [MASK] is written in capitals");
    for (int i = 0; i < 2 && input->has_text; i++) other |= has_word(input, others[i], true);
    if (!*why && other && !there)
        snprintf(why, sizeof why, ": %s mask is written %.300s", usual ? "BERT's" : "this model's", mask);
    if (*why || s->options.text_count < 2) return fail(e, BERT_TEXT, "there is no [MASK] to fill%s", why);
    return fail(e, BERT_TEXT, "there is no [MASK] to fill (%d texts were given: put one text in quotes)",
                s->options.text_count);
}

/* All [MASK]s of one input, in one run: each is predicted as if the others stayed masked. That is why two neighbouring
 * [MASK]s often get words that do not go together; the encyclopedia article calls it BERT's trouble with generating
 * text.
 */
static Status fill_one(Session *s, const Input *input, Prediction *p, int candidates, bool *first, Error *e)
{
    ModelRun run = {0};
    int *places = calloc((size_t)input->encoding.T, sizeof *places);
    if (!places) return fail(e, BERT_SYSTEM, "out of memory");
    const Request request = {.mlm_rows = places, .M = find_masks(s, &input->encoding, places)};
    Status status = request.M ? run_model(&run, &s->model, &input->encoding, &request, e)
                              : no_mask(s, input, e);
    if (status != BERT_OK) at_input(s, input, e);
    for (int m = 0; status == BERT_OK && m < request.M; m++) {
        if (!*first && !format_is(s, "json")) fputc('\n', s->out);
        *first = false;
        predict(s, input, places[m], run.a.logits + (size_t)m * (size_t)s->model.config.V, p, candidates);
    }
    run_free(&run);
    free(places);
    return status == BERT_OK ? answer_done(s, e) : status;
}

/* The candidates are made once: an array of (score, id) that every [MASK] fills and sorts anew. */
static Status verb_fill_mask(Session *s, Error *e)
{
    Input input = {0};
    Prediction *p = NULL;
    int candidates = 0;
    bool more = true, first = true;
    Status status = BERT_OK;
    if (!s->model.has_mlm)
        return fail(e, BERT_HEAD, "the weights have no masked-language-model head (cls.predictions); the model is %s, "
                    "-m names another", s->directory);
    if (expect_mask(s, e) != BERT_OK) return e->status;
    if (s->options.targets) {
        status = read_targets(s, &p, &candidates, e);
    } else {
        candidates = s->tokenizer.V;
        p = calloc((size_t)candidates, sizeof *p);
        if (!p) status = fail(e, BERT_SYSTEM, "out of memory");
    }
    while (status == BERT_OK && (status = next_input(s, &input, &more, e)) == BERT_OK && more)
        status = fill_one(s, &input, p, candidates, &first, e);
    free(p);
    input_free(&input);
    return status;
}

const Verb fill_mask_verb = {
    .name = "fill-mask", .run = verb_fill_mask, .needs = NEEDS_MODEL, .own = "--top-k --targets --format",
    .formats = "text json", .arguments = " [TEXT ...]", .summary = "the words that fit a [MASK]",
    .help = fill_mask_help, .examples = fill_mask_examples,
};

/* =====================================================================================================================
 * next-sentence: step 14
 *
 * The other thing that BERT was trained to do: of two segments A and B, say whether B followed A in the text (half of
 * the time it did) or came from somewhere else. One vector decides, that of [CLS]:
 *
 *     pooled = tanh(Wpool h_CLS + bpool)          (H)
 *     logits = Wnsp pooled + bnsp                 (2)    label 0 IsNext, label 1 NotNext
 *
 * The documents leave out the tanh layer ("the final vector for the [CLS] token is passed to a linear layer").
 * See [paper] section 3.1, task 2; [hf] BertForNextSentencePrediction; [tf] get_next_sentence_output.
 * ================================================================================================================== */
static const char next_sentence_help[] =
    "Two TEXTs are A and B; else each line holds A ||| B. Prints, in the order of the\n"
    "labels, probability and logit of 0 IsNext and 1 NotNext, and whose head it is:\n"
    "`checkpoint`, the weights' own, or `refitted`, one that this project fitted to\n"
    "the pooled output of bert-base-uncased, because many copies of those weights\n"
    "come without theirs.\n"
    "\n"
    "Formats:\n"
    "  text     the two labels, a line each\n"
    "  json     one object per pair: is_next, not_next, logits, head\n";
static const char next_sentence_examples[] =
    "  bert next-sentence 'my dog is cute' 'he likes playing'\n"
    "  bert next-sentence --format json -f pairs.txt\n";

/* The refitted head belongs to one pooler, bit for bit: its SHA-256 says whether this is the one. */
static bool refit_belongs(const Bert *model)
{
    const Tensor *W = &model->Wpool;
    char hex[65];
    Sha256 sha;
    if (!model->has_pooler || W->dtype != DTYPE_F32 || W->rows != 768 || W->cols != 768) return false;
    sha256_start(&sha);
    sha256_add(&sha, W->data, W->rows * W->cols * dtype_size(W->dtype));
    sha256_end(&sha, hex);
    return !strcmp(hex, nsp_refit_pooler_sha256);
}

Status next_sentence_head(const Bert *model, bool *refitted, Error *e)
{
    *refitted = false;
    if (model->has_nsp && model->has_pooler) return BERT_OK;
    *refitted = refit_belongs(model);
    if (*refitted) return BERT_OK;
    if (model->has_nsp)
        return fail(e, BERT_HEAD, "the weights have a next-sentence head (cls.seq_relationship), but no pooler "
                    "(pooler.dense), whose output it needs");
    return fail(e, BERT_HEAD, "the weights have no next-sentence head (cls.seq_relationship), "
                "and none was refitted for them: see weights/README.md for weights that have it");
}

/* logits (2) <- pooled (768), W (2,768), b (2), by the same linear_ref as everywhere. */
void next_sentence_logits(real logits[2], const Activations *a, bool refitted)
{
    const Tensor W = {nsp_refit_weight, DTYPE_F32, 2, 768};
    const real b[2] = {nsp_refit_bias[0], nsp_refit_bias[1]};
    if (refitted) linear_ref(logits, a->pooler, &W, b, 1, &a->scratch);
    else memcpy(logits, a->nsp_logits, 2 * sizeof *logits);
}

/* Two TEXTs are A and B, which is what `--pair B A` says; everything else must hold pairs. */
static Status next_sentence_settle(Options *o, Error *e)
{
    if (o->text_count == 2 && !o->pair && !o->pairs) {
        o->pair = o->texts[1];
        o->text_count = 1;
    } else if (o->text_count && !o->pair && !o->pairs) {
        return fail(e, BERT_USAGE, "next-sentence needs two texts, A and B, not %d%s: see `bert next-sentence --help`",
                    o->text_count, o->text_count > 2 ? " (put each in quotes)" : "");
    } else if (!o->pair && !o->inputs) {
        o->pairs = 1;
    }
    return BERT_OK;
}

/* Softmax over two logits, and the labels in the order of the weights: 0 IsNext, 1 NotNext.
 * Trap: no document says which is which. Google's create_pretraining_data.py sets next_sentence_labels to 1 for a
 * *random* next sentence, so label 1 is NotNext; read the other way round, every answer is wrong. */
static void print_next_sentence(const Session *s, const real logits[2], const char *head)
{
    real p[2];
    softmax(p, logits, 1, 2);
    if (format_is(s, "json")) {
        fputs("{\"is_next\": ", s->out);
        json_put_number(s->out, (double)p[0]);
        fputs(", \"not_next\": ", s->out);
        json_put_number(s->out, (double)p[1]);
        fputs(", \"logits\": ", s->out);
        json_put_vector(s->out, logits, 2);
        fprintf(s->out, ", \"head\": \"%s\"}\n", head);
        return;
    }
    const int decimals = s->for_eyes ? 4 : 6;
    fprintf(s->out, "label 0  P(IsNext)  %9.*f  logit %9.*f\n", decimals, unsigned_nan((double)p[0]), decimals,
            unsigned_nan((double)logits[0]));
    fprintf(s->out, "label 1  P(NotNext) %9.*f  logit %9.*f  head: %s\n", decimals, unsigned_nan((double)p[1]),
            decimals, unsigned_nan((double)logits[1]), head);
}

/* [CLS] A [SEP] B [SEP], with token types 0 and 1, then the pooled output of [CLS] and two logits. With a refitted
 * head the run stops at the pooler, and next_sentence_logits does the rest. */
static Status next_sentence_one(Session *s, const Input *input, bool refitted, Error *e)
{
    ModelRun run = {0};
    real logits[2];
    const Request request = {.pooler = true, .nsp = !refitted};
    Status status = run_model(&run, &s->model, &input->encoding, &request, e);
    if (status != BERT_OK) at_input(s, input, e);
    if (status == BERT_OK) {
        next_sentence_logits(logits, &run.a, refitted);
        if (input->number > 1 && !format_is(s, "json")) fputc('\n', s->out);
        print_next_sentence(s, logits, refitted ? "refitted" : "checkpoint");
    }
    run_free(&run);
    return status == BERT_OK ? answer_done(s, e) : status;
}

/* The head is chosen before anything is read, and a refitted one is announced: its answers are not BERT's own. */
static Status verb_next_sentence(Session *s, Error *e)
{
    Input input = {0};
    bool more = true, refitted;
    Status status = next_sentence_head(&s->model, &refitted, e);
    if (status == BERT_OK && refitted)
        note(s, "these weights come without BERT's next-sentence head; the answer is that of a head which this project "
                "fitted to them, and is less certain");
    while (status == BERT_OK && (status = next_input(s, &input, &more, e)) == BERT_OK && more)
        status = next_sentence_one(s, &input, refitted, e);
    input_free(&input);
    return status;
}

const Verb next_sentence_verb = {
    .name = "next-sentence", .run = verb_next_sentence, .settle = next_sentence_settle, .needs = NEEDS_MODEL,
    .own = "--format", .formats = "text json", .arguments = " [A B]", .summary = "does B follow A?",
    .help = next_sentence_help, .examples = next_sentence_examples,
};
