/* main.c - the command line: one verb per question that a reader of the documents asks.
 *
 *     bert COMMAND [options] [TEXT ...]
 *
 * A verb is a short function: read an input, run the model, print. Above each verb stands its help text, which is also
 * its specification; at the end of the file stand the table of verbs and main. The plumbing (options, finding the
 * model, inputs, output) is in cli.c, the documents' numbers are in goldens.c, the model is in bert.c.
 */
#include "cli/cli.h"
#include "cli/goldens.h"
#include "weights/unicode.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * tokenize: steps 1 to 4
 *
 * The model knows no letters. It knows V pieces (30,522 for bert-base-uncased), each by its number, and the tokenizer
 * turns a text into such numbers:
 *
 *     "My dog is cute"  ->  [CLS] my dog is cute [SEP]  ->  101 2026 3899 2003 10140 102
 *
 * [CLS] begins every input: its vector stands for the whole text (step 14). [SEP] ends every segment. A word that is no
 * piece is cut into pieces, the later ones marked with ##: embeddings -> em ##bed ##ding ##s.
 * Verify: tests/test_tokenizer.c; HF's BertTokenizerFast gives the same ids.
 * ================================================================================================================== */
static const char tokenize_help[] =
    "Prints each piece and its id, as the word-embedding tutorial does; an empty line between two inputs.\n"
    "  --format ids      one line per input, ids separated by single spaces\n"
    "  --format pieces   the same with pieces\n"
    "  --format json     one object per line: pieces, ids, type_ids, attention_mask, offsets; an offset is the bytes\n"
    "                    [begin, end) of the piece in A or in B, and [0, 0] for [CLS], [SEP] and [PAD]\n"
    "  --trace           the text after every stage instead\n"
    "\n"
    "  bert tokenize 'Here is the sentence I want embeddings for.'\n"
    "  bert tokenize --format ids --pair 'he likes playing' 'my dog is cute'\n"
    "  bert tokenize --format json -f lines.txt\n";

/* Document 001's table, print('{:<12} {:>6,}'.format(piece, id)), for instance
 *
 *     stealing     11,065
 *     money         2,769
 *
 * Python's format counts characters, and printf's %-12s counts bytes: a piece with an accent or a CJK character would
 * push its id out of the column. So the gap is computed from the characters and printed as that many blanks. */
static void print_table(const Session *s, const Encoding *x)
{
    for (int t = 0; t < x->T; t++) {
        char id[32];
        put_thousands(id, x->input_ids[t]);
        int width = put_safely(s->out, piece_of(s, x->input_ids[t]));
        fprintf(s->out, "%*s %6s\n", width < 12 ? 12 - width : 0, "", id);
    }
}

/* "name": [101, 2026, 3899], one of the three rows of numbers that the model sees: input_ids say which piece,
 * token_type_ids which segment (0 for A, 1 for B), attention_mask whether it is a token (1) or padding that nobody
 * may look at (0).
 */
static void json_put_ids(FILE *out, const char *name, const int32_t *ids, int T)
{
    fprintf(out, "\"%s\": [", name);
    for (int t = 0; t < T; t++) put_count(out, t ? ", " : "", (size_t)ids[t]);
    fputc(']', out);
}

/* One object per input, with everything that the model and a reader of the answer need. The offsets lead back from a
 * piece to the bytes of the text: with them a notebook can colour the words that a piece came from, however the
 * tokenizer changed them (Café becomes cafe, but its offsets still cover five bytes). */
static void print_encoding_json(const Session *s, const Encoding *x)
{
    fputc('{', s->out);
    json_put_pieces(s, "pieces", x);
    fputs(", ", s->out);
    json_put_ids(s->out, "ids", x->input_ids, x->T);
    fputs(", ", s->out);
    json_put_ids(s->out, "type_ids", x->token_type_ids, x->T);
    fputs(", ", s->out);
    json_put_ids(s->out, "attention_mask", x->attention_mask, x->T);
    fputs(", \"offsets\": [", s->out);
    for (int t = 0; t < x->T; t++) {
        put_count(s->out, t ? ", [" : "[", x->offsets[t][0]);
        put_count(s->out, ", ", x->offsets[t][1]);
        fputc(']', s->out);
    }
    fputs("]}\n", s->out);
}

/* Ids or pieces on one line, separated by single spaces: what a test or another implementation compares first. If the
 * ids differ, nothing after them can be right. */
static void print_encoding_line(const Session *s, const Encoding *x, bool pieces)
{
    for (int t = 0; t < x->T; t++) {
        if (pieces && t) fputc(' ', s->out);
        if (pieces) put_safely(s->out, piece_of(s, x->input_ids[t]));
        else put_count(s->out, t ? " " : "", (size_t)x->input_ids[t]);
    }
    fputc('\n', s->out);
}

/* Steps 1 to 4 and nothing else: no weights are loaded, a vocabulary is enough. The loop is the pattern of all verbs:
 * take an input, answer it, have the answer out before the next one is read. */
static Status verb_tokenize(Session *s, Error *e)
{
    Input input = {0};
    EncodeOptions options = encode_options(s);
    bool more = true;
    while (next_input(s, &input, &more, e) == BERT_OK && more) {
        bool blocks = s->options.trace || format_is(s, "table");
        if (blocks && input.number > 1) fputc('\n', s->out);
        if (s->options.trace && input.has_text) {
            const Text *b = input.has_pair ? &input.b : NULL;
            if (tokenize_trace(&s->tokenizer, input.a, b, &options, s->out, e) != BERT_OK) break;
        } else if (format_is(s, "json")) print_encoding_json(s, &input.encoding);
        else if (format_is(s, "table")) print_table(s, &input.encoding);
        else print_encoding_line(s, &input.encoding, format_is(s, "pieces"));
        if (answer_done(s, e) != BERT_OK) break;
    }
    input_free(&input);
    return e->status;
}

static const Verb tokenize_verb = {"tokenize", verb_tokenize, NULL, NEEDS_VOCABULARY,
                                   "--format --trace --no-add-special",
                                   "table ids pieces json", " [TEXT ...]", "text into pieces and ids", tokenize_help};

/* =====================================================================================================================
 * vocab: what the ids mean
 *
 * An id is the number of a line in vocab.txt, counted from 0. Lines 0 to 999 are mostly [unused] places and the special
 * pieces ([PAD] 0, [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103); then letters, then words, roughly from frequent to
 * rare.
 * ================================================================================================================== */
static const char vocab_help[] =
    "Prints lines `id<TAB>piece`. A:B stands for the ids A to B-1, as in Python; every other argument is a word,\n"
    "looked up as it is as one piece: the id of [UNK], and [UNK], if it is none.\n"
    "\n"
    "  bert vocab 5000:5020\n"
    "  bert vocab characteristically characteristic '##ally'\n";

/* "5000:5020", ":20", "30000:"? Then the ids from .. to-1, cut at the vocabulary's end as a Python slice is.
 * A lone ":" is a word like any other (and a piece of the vocabulary): a slice has at least one digit. */
static bool parse_slice(Text text, int V, int *from, int *to)
{
    int numbers[2] = {0, V}, side = 0;
    bool digits = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.bytes[i];
        if (c == ':' && side == 0) {
            side = 1;
        } else if (c >= '0' && c <= '9') {
            bool starts = i == 0 || text.bytes[i - 1] == ':';
            long n = (starts ? 0 : numbers[side]) * 10L + (c - '0');
            numbers[side] = n < V ? (int)n : V;
            digits = true;
        } else {
            return false;
        }
    }
    *from = numbers[0], *to = numbers[1];
    return side == 1 && digits;
}

/* The tokenizer refuses what is no UTF-8, and so does a look-up, rather than to say [UNK]. */
static Status check_utf8(const Session *s, const Input *input, Error *e)
{
    uint32_t code;
    for (size_t n, i = 0; i < input->whole.length; i += n) {
        n = utf8_decode(input->whole.bytes + i, input->whole.length - i, &code);
        if (n) continue;
        fail(e, BERT_TEXT, "byte %zu: 0x%02X is not valid UTF-8", i + 1, (unsigned char)input->whole.bytes[i]);
        return at_input(s, input, e);
    }
    return BERT_OK;
}

/* Looking up is not tokenizing: "characteristically" is no piece, so its id is [UNK]'s, 100. The tokenizer is what
 * turns it into `characteristic ##ally` first. One of the documents makes exactly this point. */
static Status verb_vocab(Session *s, Error *e)
{
    Input input = {0};
    bool more = true;
    while (next_text(s, &input, &more, e) == BERT_OK && more) {
        int from, to;
        if (check_utf8(s, &input, e) != BERT_OK) break;
        if (!parse_slice(input.whole, s->tokenizer.V, &from, &to)) {
            from = tokenizer_id(&s->tokenizer, input.whole.bytes, input.whole.length);
            if (from < 0) from = s->tokenizer.unk_id;
            to = from + 1;
        }
        for (int id = from; id < to; id++) {
            fprintf(s->out, "%d\t", id);
            put_safely(s->out, piece_of(s, id));
            fputc('\n', s->out);
        }
        if (answer_done(s, e) != BERT_OK) break;
    }
    input_free(&input);
    return e->status;
}

static const Verb vocab_verb = {"vocab", verb_vocab, NULL, NEEDS_VOCABULARY, "", "", " [A:B | WORD ...]",
                                "what the ids mean", vocab_help};

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
    "The pieces that fit each [MASK]: lines `probability<TAB>piece`, best first; an empty line between two [MASK]s.\n"
    "  --top-k N         how many (default 5)\n"
    "  --targets A,B     only these, all of them unless --top-k says less; each must be one piece. Their\n"
    "                    probabilities are still among the whole vocabulary\n"
    "  --format json     one object per [MASK]: input and position (both from 0), and\n"
    "                    predictions [{score, token, token_str}]\n"
    "\n"
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
    const bool x_nan = isnan(x->score), y_nan = isnan(y->score);        /* these come last */
    if (x_nan != y_nan) return x_nan ? 1 : -1;
    if (!x_nan && x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->id - y->id;
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
    if (status == BERT_OK && (x.T != 1 || x.input_ids[0] == s->tokenizer.unk_id))
        status = fail(e, BERT_USAGE, "--targets: '%.*s' is not one piece of the vocabulary but %d: see `bert tokenize`",
                      (int)length, word, x.T);
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
            fprintf(s->out, MACHINE, unsigned_nan(p[i].score));
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

/* All [MASK]s of one input, in one run: each is predicted as if the others stayed masked. That is why two neighbouring
 * [MASK]s often get words that do not go together; the encyclopedia article calls it BERT's trouble with generating
 * text.
 */
static Status fill_one(Session *s, const Input *input, Prediction *p, int candidates, bool *first, Error *e)
{
    Run run = {0};
    int *places = calloc((size_t)input->encoding.T, sizeof *places);
    if (!places) return fail(e, BERT_SYSTEM, "out of memory");
    const Request request = {.mlm_rows = places, .M = find_masks(s, &input->encoding, places)};
    Status status = request.M ? run_model(&run, &s->model, &input->encoding, &request, e)
                              : fail(e, BERT_TEXT, "there is no [MASK] to fill");
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
    if (!s->model.has_mlm) return fail(e, BERT_HEAD, "the weights have no masked-language-model head "
                                                     "(cls.predictions)");
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

static const Verb fill_mask_verb = {"fill-mask", verb_fill_mask, NULL, NEEDS_MODEL, "--top-k --targets --format",
                                    "text json",
                                    " [TEXT ...]", "the words that fit a [MASK]", fill_mask_help};

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
    "Does B follow A? Two TEXTs are A and B; else lines hold A ||| B. Prints, in the order of the labels, probability\n"
    "and logit of 0 IsNext and 1 NotNext, and whose head it is: `checkpoint`, the weights' own, or `refitted`, one\n"
    "that was fitted to the pooled output of bert-base-uncased, because many copies of it come without theirs.\n"
    "  --format json     one object per pair: is_next, not_next, logits, head\n"
    "\n"
    "  bert next-sentence 'my dog is cute' 'he likes playing'\n"
    "  bert next-sentence --format json -f pairs.txt\n";

/* Two TEXTs are A and B, which is what `--pair B A` says; everything else must hold pairs. */
static Status next_sentence_settle(Options *o, Error *e)
{
    if (o->text_count == 2 && !o->pair && !o->pairs) {
        o->pair = o->texts[1];
        o->text_count = 1;
    } else if (o->text_count && !o->pair && !o->pairs) {
        return fail(e, BERT_USAGE, "next-sentence needs two texts, A and B, not %d: see `bert next-sentence --help`",
                    o->text_count);
    } else if (!o->pair) {
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
    fprintf(s->out, "label 0  P(IsNext)  %9.6f  logit %9.6f\n", unsigned_nan((double)p[0]),
            unsigned_nan((double)logits[0]));
    fprintf(s->out, "label 1  P(NotNext) %9.6f  logit %9.6f  head: %s\n", unsigned_nan((double)p[1]),
            unsigned_nan((double)logits[1]), head);
}

/* [CLS] A [SEP] B [SEP], with token types 0 and 1, then the pooled output of [CLS] and two logits. With a refitted
 * head the run stops at the pooler, and next_sentence_logits does the rest. */
static Status next_sentence_one(Session *s, const Input *input, bool refitted, Error *e)
{
    Run run = {0};
    real logits[2];
    const Request request = {.pooler = true, .nsp = !refitted};
    Status status = input->has_text && !input->has_pair ? fail(e, BERT_TEXT, "there is no ' ||| ' between A and B")
                                                        : run_model(&run, &s->model, &input->encoding, &request, e);
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
        note(s, "these weights come without their next-sentence head: this one was refitted to them and is less sure");
    while (status == BERT_OK && (status = next_input(s, &input, &more, e)) == BERT_OK && more)
        status = next_sentence_one(s, &input, refitted, e);
    input_free(&input);
    return status;
}

static const Verb next_sentence_verb = {"next-sentence", verb_next_sentence, next_sentence_settle, NEEDS_MODEL,
                                        "--format",
                                        "text json", " [A B]", "does B follow A?", next_sentence_help};

/* =====================================================================================================================
 * goldens and demo: the documents' numbers
 *
 * The documents print numbers. Whoever reads them wants to know whether they are true, and whoever reads this program
 * wants to know whether it computes BERT or something like it. Both are answered by computing the same numbers again.
 * ================================================================================================================== */
static const char goldens_help[] =
    "Every number that the documents print: the printed phrase under its heading; printed, computed, difference,\n"
    "verdict: `met` or `MISSED`; `shown` is not judged, and `erratum` is where the document is wrong. Exit 1 if one\n"
    "is missed.\n"
    "\n"
    "  bert goldens\n";

/* The work is done in goldens.c; the exit code is that of a comparison: 1 if a number is missed. */
static Status verb_goldens(Session *s, Error *e)
{
    bool all_met = false;
    Status status = goldens(&s->model, &s->tokenizer, s->out, &all_met, e);
    return status == BERT_OK && !all_met ? fail(e, BERT_DIFFERENT,
                                                "some of the documents' numbers are missed") : status;
}

static const Verb goldens_verb = {"goldens", verb_goldens, NULL, NEEDS_MODEL, "", "", "",
                                  "the documents' numbers, recomputed and judged", goldens_help};

static const char demo_help[] =
    "The word `bank` in the word-embedding tutorial's sentence: how alike its three vectors are, printed and\n"
    "computed, and how that comes about layer by layer.\n";

/* A bar of at most 20 columns, 20 of them for 1. It is the end of one string of 20 signs: no memory, nothing to free.
 */
static const char *bar(double x)
{
    static const char stars[] = "####################";
    int n = (int)(x * 20 + 0.5);
    return stars + 20 - (n < 0 ? 0 : n > 20 ? 20 : n);
}

/* The cosines of bank (robber) with bank (vault) and with bank (river), from hidden states `layers` summed.
 *     cos(a, b) = a . b / (|a| |b|)        1: the same direction, 0: nothing in common */
static Status bank_cosines(const Session *s, const Run *run, const int *layers, int count, double cosines[2], Error *e)
{
    const size_t H = (size_t)s->model.config.H;
    real *v = malloc((size_t)run->T * H * sizeof *v);
    if (!v) return fail(e, BERT_SYSTEM, "out of memory");
    token_vectors(v, &s->model, &run->a, 0, layers, count, COMBINE_SUM);
    cosines[0] = cosine(v + BANK_ROBBER * H, v + BANK_VAULT * H, H);
    cosines[1] = cosine(v + BANK_ROBBER * H, v + BANK_RIVER * H, H);
    free(v);
    return BERT_OK;
}

/* At most 24 lines, a terminal's height. The table is the point of it: hidden state 0 is the embedding output, where
 * the three banks have the same word, differ in their position only, and are alike. Layer by layer the context comes
 * in, and the river bank moves away from the other two. (The tutorial: "as the embeddings move deeper into the
 * network, they pick up more and more contextual information with each layer".) */
static Status print_demo(const Session *s, const Run *run, Error *e)
{
    const int L = s->model.config.L, last_four[] = {L - 3, L - 2, L - 1, L};
    double c[2];
    if (bank_cosines(s, run, last_four, 4, c, e) != BERT_OK) return e->status;
    fprintf(s->out, "%s\n", bank_sentence);
    fprintf(s->out, "similar    bank robber, bank vault   printed 0.94   computed %.8f\n", c[0]);
    fprintf(s->out, "different  bank robber, river bank   printed 0.69   computed %.8f\n\n", c[1]);
    fprintf(s->out, "hidden state   similar                       different\n");
    for (int l = 0; l <= L; l++) {
        if (bank_cosines(s, run, &l, 1, c, e) != BERT_OK) return e->status;
        fprintf(s->out, "%12d   %5.3f  %-20s   %5.3f  %s%s\n", l, c[0], bar(c[0]), c[1], bar(c[1]),
                l == 0 ? "    before context: only positions differ" : "");
    }
    fprintf(s->out, "\nTry next:  ./bert explain 'The cat sat on the [MASK].'\n"
            "           ./bert fill-mask 'The cat sat on the [MASK].'\n"
            "           ./bert attention --layer 8 --head 10 'The cat sat on the mat because it was tired.'\n"
            "           ./bert goldens\n");
    return BERT_OK;
}

/* One run with all hidden states kept. Another model would give other numbers beside the printed ones, and the places
 * of the three banks hold for the uncased vocabulary only: both are checked. */
static Status verb_demo(Session *s, Error *e)
{
    const Request request = {.keep = KEEP_HIDDEN};
    const EncodeOptions options = {.max_length = s->P};
    const Text text = {bank_sentence, strlen(bank_sentence)};
    Encoding x = {0};
    Run run = {0};
    Status status = documents_model(&s->model.config, &s->tokenizer, e);
    if (status == BERT_OK) status = encode(&s->tokenizer, text, NULL, &options, &x, e);
    if (status == BERT_OK && x.T != 22)
        status = fail(e, BERT_FILE, "%s: the demonstration is for bert-base-uncased", s->directory);
    if (status == BERT_OK) status = run_model(&run, &s->model, &x, &request, e);
    if (status == BERT_OK) status = print_demo(s, &run, e);
    run_free(&run);
    encoding_free(&x);
    return status;
}

static const Verb demo_verb = {"demo", verb_demo, NULL, NEEDS_MODEL, "", "", "",
                               "the three banks: one word, three vectors", demo_help};

/* =====================================================================================================================
 * The program
 *
 * The table of verbs, help, and main. Each verb brings a Verb: its name, its function, what it needs loaded, the
 * options and formats that it has beside the common ones, and its help. Adding a command means adding one of those to
 * this table.
 * ================================================================================================================== */
static const Verb *const verbs[] = {
    &tokenize_verb, &vocab_verb, &embed_verb, &similarity_verb, &rank_verb, &fill_mask_verb, &next_sentence_verb,
    &attention_verb, &explain_verb, &goldens_verb, &trace_verb, &compare_verb, &verify_verb, &info_verb, &demo_verb,
};
enum { VERBS = sizeof verbs / sizeof *verbs };

/* The first thing that a new user sees: one line per question that can be asked. */
static void print_help(FILE *out)
{
    fprintf(out, "bert COMMAND [options] [TEXT ...]: BERT in C\n\n");
    for (int i = 0; i < VERBS; i++) fprintf(out, "  %-14s %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(out, "\nbert COMMAND --help says more and gives examples. Without TEXT, lines are read from -f FILE or "
                 "stdin.\n"
            "Exit codes: 0 done or equal, 1 compared and different, 2 usage, 3 a model or other input file is missing "
            "or\n"
            "corrupt, 4 the input text is rejected, 5 the weights lack the head asked for, 6 the system failed us.\n");
}

/* The command of that name. NULL, with a message, if there is no such command: the nearest one is offered, if it is
 * near.
 */
static const Verb *find_verb(const char *name, Error *e)
{
    char all[256] = "", near[32];
    for (int i = 0; i < VERBS; i++) {
        if (!strcmp(verbs[i]->name, name)) return verbs[i];
        strcat(strcat(all, verbs[i]->name), " ");
    }
    if (name[0] == '-') fail(e, BERT_USAGE, "the command comes first, options follow: see `bert --help`");
    else if (nearest_word(name, all, near, sizeof near))
        fail(e, BERT_USAGE, "unknown command %s: did you mean %s? See `bert --help`", name, near);
    else fail(e, BERT_USAGE, "unknown command %s: see `bert --help`", name);
    return NULL;
}

/* --help and --version, alone or after a command, go to stdout like any other answer. */
static Status print_answer(const Verb *verb, bool version, Error *e)
{
    Session s = {0};
    if (version) printf("bert %s%s\n", BERT_VERSION, sizeof(real) == 8 ? " (float64)" : "");
    else if (verb) print_verb_help(verb, stdout);
    else print_help(stdout);
    return session_close(&s, BERT_OK, e);
}

/* A command from its first word to its status, in order: find the verb, read the options, open the model, run the verb,
 * close. Whatever fails leaves one sentence in *e, and everything after it is skipped, except closing. */
static Status run_command(int argc, char **argv, Error *e)
{
    Session s = {.program = argv[0]};
    bool help = false;
    if (argc < 2) {
        print_help(stderr);
        return fail(e, BERT_USAGE, "a command is missing");
    }
    if (!strcmp(argv[1], "--version")) return print_answer(NULL, true, e);
    const bool asked = !strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h");
    if (asked && argc == 2) return print_answer(NULL, false, e);
    s.verb = find_verb(argv[asked ? 2 : 1], e);                         /* `bert help embed` is `bert embed --help` */
    if (!s.verb) return e->status;
    if (asked) return print_answer(s.verb, false, e);
    Status status = parse_options(&s.options, s.verb, argc - 2, argv + 2, &help, e);
    if (help) {
        free(s.options.texts);
        return print_answer(s.verb, false, e);
    }
    if (status == BERT_OK) status = session_open(&s, e);
    if (status == BERT_OK) status = s.verb->run(&s, e);
    return session_close(&s, status, e);
}

/* Only here does the program end: the library returns a Status, and its values are the exit codes. */
int main(int argc, char **argv)
{
    Error e = {0};
    program_start("bert");
    Status status = run_command(argc, argv, &e);
    if (status != BERT_OK) fprintf(stderr, "bert: %s\n", e.message);
    return (int)status;
}
