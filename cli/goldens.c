/* goldens.c - the numbers that the documents print, beside ours: `bert goldens`.
 *
 * Every phrase is quoted as it is printed, under its heading; then come its numbers, one a line: printed, computed,
 * difference and verdict. The printed numbers are kept as text, so that the number of their decimals is known:
 *
 *     at most 4 decimals      met within half a unit of the last one: 0.94 is met by 0.935 to 0.945
 *     more (float32 values)   met within 5e-6 * max(1, |x|)
 *     whole numbers, words    met if equal
 *
 * Two things are not in the documents' words but in their numbers:
 *
 * Trap: the tutorials fill segments_ids with 1 and call model(tokens, segments). In Hugging Face's library the second
 * positional argument is the attention mask; it was the segments only in the older pytorch_pretrained_bert. So the
 * printed numbers belong to segment 0, and those of the tutorial's 2019 edition to segment 1. Both are judged here.
 * Trap: the TF-Hub model computes GELU by tanh, Hugging Face's by erf. The notebook's numbers are met with tanh only.
 */
#include "cli/goldens.h"
#include "cli/cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char bank_sentence[] = "After stealing money from the bank vault, the bank robber was seen "
                             "fishing on the Mississippi river bank.";

/* The documents, by author and title where they have them. */
static const char blog[] = "The blog post \"BERT Embeddings\"";
static const char notebook[] = "The TF-Hub notebook \"BERT Model for Text Embeddings\"";
static const char encyclopedia[] = "Wikipedia, \"BERT (language model)\"";
static const char tutorial[] = "McCormick and Ryan, \"BERT Word Embeddings Tutorial\"";
static const char edition_2019[] = "McCormick and Ryan, \"BERT Word Embeddings Tutorial\", edition of May 2019";
static const char snippets[] = "The page of snippets \"Bert embeddings explained\"";
static const char transformers[] = "Choudhary, \"Creating BERT Embeddings with Hugging Face Transformers\"";

/* =====================================================================================================================
 * The ledger: what was printed, what was computed, what follows
 *
 * One function per kind of number; each prints one line and counts its verdict. Nothing is judged by eye.
 * ================================================================================================================== */
typedef struct {
    Bert erf, tanh;                 /* the same weights, with either GELU */
    const Tokenizer *tokenizer;
    FILE *out;
    Error *e;
    bool every;                     /* the rows that are met are printed as well: -v */
    const char *document, *heading, *quote;     /* of the phrase that the next rows belong to */
    bool quoted;                    /* it has been printed: a row of it has */
    int met, missed, shown, errata;
} Ledger;

static const char met[] = "met", missed[] = "MISSED";

/* What is printed, what is computed, and so on, in columns; the name is the first one. */
#define ROW "    %-30s %14s %16s %10s  %s\n"

/* A text as lines of at most 120 columns, each behind two blanks, broken at blanks. */
static void put_quote(FILE *out, const char *text)
{
    enum { WIDTH = 118 };
    while (*text) {
        size_t n = strlen(text);
        if (n > WIDTH)
            for (n = WIDTH; n > 1 && text[n] != ' ';) n--;
        fprintf(out, "  %.*s\n", (int)n, text);
        text += n;
        text += strspn(text, " ");
    }
}

/* The document, the heading, and what is printed there. */
static void put_phrase(Ledger *l)
{
    fprintf(l->out, "\n%s, under \"%s\":\n", l->document, l->heading);
    put_quote(l->out, l->quote);
    l->quoted = true;
}

/* Opens the numbers of one printed phrase. It is printed together with its first row, if one is. The three strings
 * live until the phrase's last row. */
static void phrase(Ledger *l, const char *document, const char *heading, const char *quote)
{
    l->document = document;
    l->heading = heading;
    l->quote = quote;
    l->quoted = false;
    if (l->every) put_phrase(l);
}

/* One row, unless it is met and only the others are wanted. The verdict has been decided and counted. */
static void line(Ledger *l, const char *what, const char *printed, const char *computed, const char *difference,
                 const char *verdict)
{
    if (verdict == met && !l->every) return;
    if (!l->quoted) put_phrase(l);
    fprintf(l->out, ROW, what, printed, computed, difference, verdict);
}

/* Counts, and says it in capitals if the number is missed: that is the line to find in 250. */
static const char *verdict(Ledger *l, bool is_met)
{
    l->met += is_met;
    l->missed += !is_met;
    return is_met ? met : missed;
}

/* A number with decimals. `units` of the last printed one are allowed: half a one, or one where the document's own
 * float noise needs it. Worked example: printed 0.94 has 2 decimals, so 0.5 * 10^-2 = 0.005 is allowed; computed
 * 0.93863915 differs by 0.00136: met. */
static void judge(Ledger *l, const char *what, const char *printed, double computed, double units)
{
    const char *point = strchr(printed, '.');
    int decimals = point ? (int)strlen(point + 1) : 0;
    double value = strtod(printed, NULL), difference = computed - value;
    double allowed = decimals <= 4 ? units * pow(10, -decimals) : 5e-6 * fmax(1, fabs(value));
    char ours[64], by[32];
    snprintf(ours, sizeof ours, "%.*f", decimals < 5 ? decimals + 4 : 9, computed);
    snprintf(by, sizeof by, "%+.1e", difference);
    line(l, what, printed, ours, by, verdict(l, fabs(difference) <= allowed));
}

/* A whole number, printed with or without commas; ours is printed the same way. It is met if it is equal. */
static void judge_count(Ledger *l, const char *what, const char *printed, long long computed)
{
    long long value = 0;
    char ours[32], by[32];
    for (const char *c = printed; *c; c++)
        if (*c != ',') value = value * 10 + (*c - '0');
    if (strchr(printed, ',')) put_thousands(ours, computed);
    else snprintf(ours, sizeof ours, "%lld", computed);
    snprintf(by, sizeof by, "%lld", computed - value);
    line(l, what, printed, ours, by, verdict(l, computed == value));
}

/* A word or a piece. */
static void judge_text(Ledger *l, const char *what, const char *printed, const char *computed)
{
    bool same = !strcmp(printed, computed);
    line(l, what, printed, computed, same ? "same" : "different", verdict(l, same));
}

/* "110 million parameters": met if our exact count rounds to it, at the precision in which it is printed. */
static void judge_claim(Ledger *l, const char *what, const char *printed, double claim, double precision,
                        long long count)
{
    char ours[32], by[32];
    put_thousands(ours, count);
    snprintf(by, sizeof by, "%+.1f%%", 100 * ((double)count - claim) / claim);
    line(l, what, printed, ours, by, verdict(l, fabs((double)count - claim) <= precision / 2));
}

/* Not judged: what depends on more than the weights, or where the document is wrong. Both are counted apart from the
 * met.
 */
static void show(Ledger *l, const char *what, const char *printed, const char *computed, bool erratum)
{
    l->errata += erratum;
    l->shown += !erratum;
    line(l, what, printed, computed, "", erratum ? "erratum" : "shown");
}

/* =====================================================================================================================
 * Running the model
 *
 * Every check runs the model anew on its own sentence: 0.1 seconds each, and no check depends on another.
 * ================================================================================================================== */

/* Ids of a sentence and perhaps a second one; segments -1 as usual (0 for A, 1 for B), 0 or 1 throughout. Where it
 * fails there is nothing to free. */
static bool encode_text(Ledger *l, const char *a, const char *b, int segments, Encoding *x)
{
    const EncodeOptions options = {.segments = segments, .max_length = 512};
    const Text first = {a, strlen(a)}, second = {b ? b : "", b ? strlen(b) : 0};
    if (encode(l->tokenizer, first, b ? &second : NULL, &options, x, l->e) == BERT_OK) return true;
    encoding_free(x);
    return false;
}

/* One sentence through the model, with all hidden states kept. False: l->e says why. The caller frees x and run. */
static bool run_sentence(Ledger *l, const Bert *model, const char *text, int segments, Encoding *x, ModelRun *run)
{
    const Request request = {.keep = KEEP_HIDDEN, .pooler = model->has_pooler};
    *x = (Encoding){0};
    *run = (ModelRun){0};
    return encode_text(l, text, NULL, segments, x) && run_model(run, model, x, &request, l->e) == BERT_OK;
}

/* (T, count*H) or (T,H): hidden states of a run combined; malloc'ed, NULL if memory runs out. */
static real *combined(Ledger *l, const ModelRun *run, const int *layers, int count, Combine combine)
{
    const size_t H = (size_t)l->erf.config.H, T = (size_t)run->T;
    real *v = malloc(T * H * (combine == COMBINE_CAT ? (size_t)count : 1) * sizeof *v);
    if (!v) fail(l->e, BERT_SYSTEM, "out of memory");
    else token_vectors(v, &l->erf, &run->a, 0, layers, count, combine);
    return v;
}

/* The pieces of `text`, judged one by one against the printed list, whose pieces are separated by blanks. */
static bool judge_pieces(Ledger *l, const char *text, const char *printed)
{
    Encoding x = {0};
    char what[32], piece[64];
    if (!encode_text(l, text, NULL, -1, &x)) return false;
    int count = 0;
    for (const char *at = printed; *at; count++) {
        size_t n = strcspn(at, " ");
        snprintf(what, sizeof what, "piece %d", count);
        snprintf(piece, sizeof piece, "%.*s", (int)n, at);
        judge_text(l, what, piece, count < x.T ? tokenizer_piece(l->tokenizer, x.input_ids[count]) : "(none)");
        at += n + (at[n] == ' ');
    }
    if (x.T > count) judge_text(l, "one piece more", "(none)", tokenizer_piece(l->tokenizer, x.input_ids[count]));
    encoding_free(&x);
    return true;
}

/* The blank-separated printed numbers, judged one by one against values. */
static void judge_values(Ledger *l, const char *name, const char *printed, const real *values, double units)
{
    char what[96], number[32];
    for (int i = 0; *printed; i++) {
        size_t n = strcspn(printed, " ");
        snprintf(what, sizeof what, "%s [%d]", name, i);
        snprintf(number, sizeof number, "%.*s", (int)n, printed);
        judge(l, what, number, (double)values[i], units);
        printed += n + (printed[n] == ' ');
    }
}

/* =====================================================================================================================
 * The "BERT Embeddings" blog
 *
 * It tokenizes one sentence and prints the concatenation of the last four hidden states: (1, 13, 3072). The first three
 * columns of a printed row are from hidden state 12, the last three from hidden state 9.
 * ================================================================================================================== */

/* One row of the printed tensor: three numbers from the front, three from the back of the 3072. */
typedef struct {
    int token;
    const char *front, *back;
} TensorRow;

/* The blog prints six rows and forgets the ... between the third and the fourth: they are the tokens 0-2 and 10-12. */
static const TensorRow tensor_rows_printed[] = {
    {0, "0.1508 -0.0126 -0.0503", "0.0346 0.4191 0.2692"},    {1, "-0.2833 -0.4473 -0.1290", "0.1606 0.5159 0.2478"},
    {2, "0.6687 -0.4654 0.3076", "0.2321 -0.0784 -0.7501"},   {10, "-0.1049 0.6510 -0.3414", "0.0136 0.3559 0.0941"},
    {11, "-0.2663 -0.0465 -0.2842", "-0.4947 0.0606 0.1420"}, {12, "0.8174 0.2086 -0.4486", "-0.0698 -0.0547 -0.0229"},
};

/* Row r of the tensor is 3072 numbers: hidden states 12, 11, 10 and 9 of token r, one after another. So its front is
 * hidden state 12 [0..2], and its back hidden state 9 [765..767]. */
static bool check_blog(Ledger *l)
{
    static const char text[] = "This blog post explains pre trained word embeddings";
    static const int last_four[] = {12, 11, 10, 9};                     /* in the order -1, -2, -3, -4 */
    Encoding x;
    ModelRun run;
    real *v = NULL;
    phrase(l, blog, "print (tokenized_text)",
           "['[CLS]', 'this', 'blog', 'post', 'explains', 'pre', 'trained', 'word', 'em', '##bed', '##ding', '##s', "
           "'[SEP]']");
    if (!judge_pieces(l, text, "[CLS] this blog post explains pre trained word em ##bed ##ding ##s [SEP]"))
        return false;
    phrase(l, blog, "concatenating the last four layers of the output to get the embeddings",
           "tensor([[[ 0.1508, -0.0126, -0.0503, ..., 0.0346, 0.4191, 0.2692], ...   (segment 0; back: hidden state "
           "9)");
    bool ok = run_sentence(l, &l->erf, text, 0, &x, &run) && (v = combined(l, &run, last_four, 4, COMBINE_CAT));
    for (size_t i = 0; ok && i < sizeof tensor_rows_printed / sizeof *tensor_rows_printed; i++) {
        const TensorRow *row = &tensor_rows_printed[i];
        char what[32];
        snprintf(what, sizeof what, "token %d, front", row->token);
        judge_values(l, what, row->front, v + row->token * 3072, 0.5);
        snprintf(what, sizeof what, "token %d, back", row->token);
        judge_values(l, what, row->back, v + row->token * 3072 + 3069, 0.5);
    }
    free(v);
    run_free(&run);
    encoding_free(&x);
    return ok;
}

/* =====================================================================================================================
 * The TF-Hub notebook
 *
 * It feeds two sentences to TensorFlow Hub's bert_en_uncased_L-12_H-768_A-12 and prints pooled_output (2, 768): the
 * same weights as Hugging Face's, with the tanh approximation of GELU. With erf the third number is 0.1395, not 0.1462.
 * ================================================================================================================== */

/* Pooled output of one sentence with GELU by tanh: three numbers from the front, three from the back of the 768. */
static bool check_pooled(Ledger *l, const char *text, const char *front, const char *back)
{
    char what[64];
    Encoding x;
    ModelRun run;
    bool ok = run_sentence(l, &l->tanh, text, -1, &x, &run);
    if (ok) {
        snprintf(what, sizeof what, "%s, front", text);
        judge_values(l, what, front, run.a.pooler, 0.5);
        snprintf(what, sizeof what, "%s, back", text);
        judge_values(l, what, back, run.a.pooler + 765, 0.5);
    }
    run_free(&run);
    encoding_free(&x);
    return ok;
}

static bool check_notebook(Ledger *l)
{
    if (!l->erf.has_pooler) return true;
    phrase(l, notebook, "11| Print the embeddings", "tf.Tensor( [[-0.88612574 -0.2960122 0.14618956 ... -0.37177786 "
           "-0.5755337 0.89689547] ... shape=(2, 768), dtype=float32)   (GELU by tanh)");
    judge_count(l, "hidden units of pooled_output", "768", l->tanh.config.H);
    return check_pooled(l, "Example sentence 1", "-0.88612574 -0.2960122 0.14618956", "-0.37177786 -0.5755337 "
                                                                                      "0.89689547") &&
           check_pooled(l, "Example sentence 2", "-0.90233845 -0.36567798 -0.14331412", "-0.5138187 -0.62246144 "
                                                                                        "0.9048834");
}

/* =====================================================================================================================
 * The encyclopedia article
 *
 * Sizes, and two examples that were never computed. Its counts of parameters are rounded; "30,000" is the size that the
 * paper names for WordPiece, the published vocabulary has 30,522 lines.
 * ================================================================================================================== */

/* Parameters of encoder and pooler for a configuration: the products of the shapes in the tensor table. The documents'
 * counts leave the heads of pre-training out, as every user of the model does. */
static long long parameters(const BertConfig *config)
{
    long long sum = 0;
    for (size_t i = 0; i < tensor_table_size; i++) {
        const TensorSpec *spec = &tensor_table[i];
        if (spec->optional || spec->tied || (spec->group != GROUP_ENCODER && spec->group != GROUP_POOLER)) continue;
        long long n = (long long)spec_rows(spec, config) * (long long)spec_cols(spec, config);
        sum += spec_per_layer(spec) ? n * config->L : n;
    }
    return sum;
}

/* Counts by calculation, for sizes whose weights nobody has loaded here as well. H/64 heads is what the article
 * claims; it is true of Google's models and not a law: H/A is whatever the configuration says. */
static void check_sizes(Ledger *l)
{
    const BertConfig *base = &l->erf.config;
    const BertConfig large = {.L = 24, .H = 1024, .A = 16, .D = 64, .F = 4096, .V = base->V, .P = 512, .S = 2};
    const BertConfig tiny = {.L = 2, .H = 128, .A = 2, .D = 64, .F = 512, .V = base->V, .P = 512, .S = 2};
    phrase(l, encyclopedia, "the introduction", "BERTBASE (110 million parameters) and BERTLARGE (340 million "
                                                "parameters) ... "
           "BERTTINY with just 4 million parameters   (encoder and pooler; to the printed precision)");
    judge_claim(l, "BERTBASE, 12L/768H", "110 million", 110e6, 10e6, parameters(base));
    judge_claim(l, "BERTLARGE, 24L/1024H", "340 million", 340e6, 10e6, parameters(&large));
    judge_claim(l, "BERTTINY, 2L/128H", "4 million", 4e6, 1e6, parameters(&tiny));
    phrase(l, encyclopedia, "Embedding", "Its vocabulary size is 30,000 ... a 768-dimensional vector for each input "
                                         "token ... "
           "12 Transformer encoder blocks");
    char pieces[32];
    put_thousands(pieces, base->V);
    show(l, "vocabulary size", "30,000", pieces, true);
    judge_count(l, "hidden size", "768", base->H);
    judge_count(l, "encoder blocks", "12", base->L);
    phrase(l, encyclopedia, "Architectural family", "There are always H/64 self-attention heads, and the "
                                                    "feed-forward/filter "
           "size is always 4H   (of this model; all-MiniLM-L6-v2 has H/32 heads)");
    judge_count(l, "H/64", "12", base->A);
    judge_count(l, "4H", "3072", base->F);
}

/* Where `mat` stands among the guesses. The article's example was never computed, so nothing is judged. */
static bool show_mat(Ledger *l)
{
    Encoding x = {0};
    ModelRun run = {0};
    const int row = 6, mat = tokenizer_id(l->tokenizer, "mat", 3);      /* [CLS] the cat sat on the [MASK] . [SEP] */
    const Request request = {.mlm_rows = &row, .M = 1};
    phrase(l, encyclopedia, "Pre-training", "in the sentence \"The cat sat on the [MASK],\" BERT would need to "
                                            "predict \"mat.\"");
    bool ok = encode_text(l, "The cat sat on the [MASK].", NULL, -1, &x) &&
              run_model(&run, &l->erf, &x, &request, l->e) == BERT_OK;
    if (ok && mat >= 0) {
        const int V = l->erf.config.V;
        real *p = run.a.logits;
        int rank = 1, best = 0;
        char first[64], place[64];
        softmax(p, p, 1, (size_t)V);
        for (int id = 0; id < V; id++) {
            rank += p[id] > p[mat];
            if (p[id] > p[best]) best = id;
        }
        snprintf(first, sizeof first, "%s %.4f", tokenizer_piece(l->tokenizer, best), (double)p[best]);
        snprintf(place, sizeof place, "rank %d %.4f", rank, (double)p[mat]);
        show(l, "first guess", "mat", first, false);
        show(l, "mat", "", place, false);
    }
    run_free(&run);
    encoding_free(&x);
    return ok;
}

/* One pair: the label. Judged only with the weights' own head. */
static bool check_pair(Ledger *l, const char *b, const char *printed, bool refitted)
{
    const Request request = {.pooler = true, .nsp = !refitted};
    Encoding x = {0};
    ModelRun run = {0};
    real logits[2];
    char ours[64], what[64];
    bool ok = encode_text(l, "my dog is cute", b, -1, &x) && run_model(&run, &l->erf, &x, &request, l->e) == BERT_OK;
    if (ok) {
        next_sentence_logits(logits, &run.a, refitted);
        const char *label = logits[0] >= logits[1] ? "[IsNext]" : "[NotNext]";
        double p = 1 / (1 + exp(-fabs((double)logits[0] - (double)logits[1])));
        snprintf(what, sizeof what, "%s%s", b, refitted ? " (refitted)" : "");
        snprintf(ours, sizeof ours, "%s %.3f", label, p);
        if (refitted) show(l, what, printed, ours, false);
        else judge_text(l, what, printed, label);
    }
    run_free(&run);
    encoding_free(&x);
    return ok;
}

/* The article's two pairs. Only weights with their own head are judged by them. */
static bool check_next_sentence(Ledger *l)
{
    bool refitted;
    Error none;
    phrase(l, encyclopedia, "Next sentence prediction", "Given \"[CLS]my dog is cute[SEP]he likes playing[SEP]\", the "
                                                        "model "
           "should predict [IsNext]. Given \"[CLS]my dog is cute[SEP]how do magnets work[SEP]\", ... [NotNext].");
    if (next_sentence_head(&l->erf, &refitted, &none) != BERT_OK) {
        show(l, "he likes playing", "[IsNext]", "no head", false);
        show(l, "how do magnets work", "[NotNext]", "no head", false);
        return true;
    }
    return check_pair(l, "he likes playing", "[IsNext]", refitted) &&
           check_pair(l, "how do magnets work", "[NotNext]", refitted);
}

/* =====================================================================================================================
 * The word-embedding tutorial
 *
 * The heart of it: one sentence, three banks, five numbers each, two cosines. Before that its ids and shapes.
 * ================================================================================================================== */
/* The vocabulary is a list of lines: a slice of it says that it is the right list, in the right order, counted from 0.
 */
static bool check_tutorial_vocabulary(Ledger *l)
{
    static const char *const slice[] = {
        "knight", "lap", "survey", "ma", "##ow", "noise", "billy", "##ium", "shooting", "guide", "bedroom", "priest",
        "resistance", "motor", "homes", "sounded", "giant", "##mer", "150", "scenes"};
    char what[32];
    phrase(l, tutorial, "Tokenization and Word Embedding", "['[CLS]', 'here', 'is', 'the', 'sentence', 'i', 'want', "
                                                           "'em', "
           "'##bed', '##ding', '##s', 'for', '.', '[SEP]']");
    if (!judge_pieces(l, "Here is the sentence I want embeddings for.",
                      "[CLS] here is the sentence i want em ##bed ##ding ##s for . [SEP]")) return false;
    phrase(l, tutorial, "Tokenization and Word Embedding", "list(tokenizer.vocab.keys())[5000:5020]");
    for (int i = 0; i < 20; i++) {
        snprintf(what, sizeof what, "id %d", 5000 + i);
        judge_text(l, what, slice[i], tokenizer_piece(l->tokenizer, 5000 + i));
    }
    return true;
}

/* The table of the bank sentence: piece and id, a line per token, whose number is the token's place: the tutorial's
 * second list. `bank` stands at 6, 10 and 19, three times and not the two that the text announces. */
static bool check_tutorial_ids(Ledger *l)
{
    static const struct { const char *piece, *id; } table[] = {
        {"[CLS]", "101"}, {"after", "2,044"}, {"stealing", "11,065"}, {"money", "2,769"}, {"from", "2,013"}, {"the",
                                                                                                              "1,996"},
        {"bank", "2,924"}, {"vault", "11,632"}, {",", "1,010"}, {"the", "1,996"}, {"bank", "2,924"}, {"robber",
                                                                                                      "27,307"},
        {"was", "2,001"}, {"seen", "2,464"}, {"fishing", "5,645"}, {"on", "2,006"}, {"the", "1,996"}, {"mississippi",
                                                                                                       "5,900"},
        {"river", "2,314"}, {"bank", "2,924"}, {".", "1,012"}, {"[SEP]", "102"}};
    Encoding x = {0};
    char what[48], banks[64] = "";
    int count = 0;
    phrase(l, tutorial, "Tokenization and Word Embedding", "print('{:<12} {:>6,}'.format(tup[0], tup[1]))");
    if (!encode_text(l, bank_sentence, NULL, 1, &x)) return false;
    for (int i = 0; i < 22; i++) {
        const char *piece = i < x.T ? tokenizer_piece(l->tokenizer, x.input_ids[i]) : "(none)";
        snprintf(what, sizeof what, "%d %s", i, table[i].piece);
        if (strcmp(piece, table[i].piece)) judge_text(l, what, table[i].piece, piece);
        else judge_count(l, what, table[i].id, x.input_ids[i]);
        if (strcmp(piece, "bank")) continue;
        snprintf(banks + strlen(banks), sizeof banks - strlen(banks), "%s%d", count++ ? " " : "", i);
    }
    phrase(l, tutorial, "Segment ID", "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]");
    int ones = 0;
    for (int i = 0; i < x.T; i++) ones += x.token_type_ids[i] == 1;
    judge_count(l, "ones", "22", ones);
    phrase(l, tutorial, "Contextually dependent vectors", "They are at 6, 10, and 19.");
    judge_text(l, "places of bank", "6 10 19", banks);
    snprintf(what, sizeof what, "%d", count);
    show(l, "\"two instances of the word\"", "2", what, true);
    encoding_free(&x);
    return true;
}

/* Shapes: 12 blocks make 13 hidden states, since the embeddings count as the first. The tutorial says so in one place
 * and writes [22 x 12 x 768] in another. */
static void check_tutorial_shapes(Ledger *l, const ModelRun *run)
{
    const BertConfig *c = &l->erf.config;
    const long long states = c->L + 1, T = run->T, H = c->H;
    phrase(l, tutorial, "Understanding the Output", "Number of layers: 13 (initial embeddings + 12 BERT layers) ... "
                                                    "Number of "
           "batches: 1 ... tokens: 22 ... hidden units: 768 ... That's 219,648 unique values");
    judge_count(l, "layers", "13", states);
    judge_count(l, "batches", "1", run->batch.B);
    judge_count(l, "tokens", "22", T);
    judge_count(l, "hidden units", "768", H);
    judge_count(l, "values", "219,648", states * T * H);
    phrase(l, tutorial, "Creating word and sentence vectors", "Shape is: 22 x 3072 ... Shape is: 22 x 768");
    judge_count(l, "last four concatenated", "3072", 4 * H);
    judge_count(l, "last four summed", "768", H);
    show(l, "layers in \"[22 x 12 x 768]\"", "12", "13", true);
    phrase(l, tutorial, "Sentence Vectors", "Our final sentence embedding vector of shape: torch.Size([768])");
    judge_count(l, "mean of hidden state -2", "768", H);
}

/* The three banks' vectors, last four hidden states summed, and two cosines. The current edition has segment 0, the one
 * of 2019 segment 1, whose last digits need one unit instead of half a one. */
typedef struct {
    const char *document;
    int segments;
    double units;
    const char *vault, *robber, *river, *similar, *different;
} Edition;

static const Edition editions[] = {
    {tutorial, 0, 0.5, "3.3596 -2.9805 -1.5421 0.7065 2.0031", "2.7359 -2.5577 -1.3094 0.6797 1.6633",
     "1.5266 -0.8895 -0.5152 -0.9298 2.8334", "0.94", "0.69"},
    {edition_2019, 1, 1.0,
     "2.1319 -2.1413 -1.6260 0.8638 3.3173 0.1796 -4.4853 3.1215 -0.9740 -3.1780 0.1046 -1.5481 0.4758 1.1703 -4.4859",
     "1.1868 -1.5298 -1.3770 1.0648 3.1446 1.4003 -4.2407 1.3946 -0.1170 -1.8777 0.1091 -0.3862 0.6744 2.1924 -4.5306",
     "1.1295 -1.4725 -0.7296 -0.0901 2.4970 0.5330 0.9742 5.1834 -1.0692 -1.5941 1.9261 0.7119 -0.9809 1.2127 -2.9812",
     "0.94567525", "0.6797334"},
};

static void check_banks(Ledger *l, const Edition *d, const real *v)
{
    static const char heading[] = "Contextually dependent vectors";
    const size_t H = (size_t)l->erf.config.H;
    phrase(l, d->document, heading, d->segments ? "First 15 vector values for each instance of \"bank\".   (segment "
                                                  "1; one "
           "unit of the last digit is allowed: the document's own float noise)"
           : "First 5 vector values for each instance of \"bank\".   (segment 0)");
    judge_values(l, "bank vault", d->vault, v + BANK_VAULT * H, d->units);
    judge_values(l, "bank robber", d->robber, v + BANK_ROBBER * H, d->units);
    judge_values(l, "river bank", d->river, v + BANK_RIVER * H, d->units);
    char quote[160];
    snprintf(quote, sizeof quote, "Vector similarity for *similar* meanings: %s ... for *different* meanings: %s",
             d->similar, d->different);
    phrase(l, d->document, heading, quote);
    judge(l, "similar: robber, vault", d->similar, cosine(v + BANK_ROBBER * H, v + BANK_VAULT * H, H), 0.5);
    judge(l, "different: robber, river", d->different, cosine(v + BANK_ROBBER * H, v + BANK_RIVER * H, H), 0.5);
}

/* One edition: its run, with its segments, and the sums of hidden states 9 to 12. */
static bool check_edition(Ledger *l, const Edition *d)
{
    static const int last_four[] = {9, 10, 11, 12};
    Encoding x;
    ModelRun run;
    real *v = NULL;
    bool ok = run_sentence(l, &l->erf, bank_sentence, d->segments, &x, &run) && run.T == 22 &&
              (v = combined(l, &run, last_four, 4, COMBINE_SUM));
    if (ok && d->segments == 0) check_tutorial_shapes(l, &run);
    if (ok) check_banks(l, d, v);
    free(v);
    run_free(&run);
    encoding_free(&x);
    return ok;
}

/* =====================================================================================================================
 * The page of snippets and the Hugging Face tutorial
 *
 * Few numbers that these weights can answer for. (The tutorial's 0.953 for the answer `India` is from a DistilBERT
 * that was trained for question answering: other weights, another architecture.)
 * ================================================================================================================== */
/* 100 is not an unknown word's id by nature but [UNK]'s: what a word gets that is looked up whole without being
 * tokenized.
 */
static bool check_others(Ledger *l)
{
    static const char word[] = "characteristically";
    const EncodeOptions padded = {.max_length = 64, .pad = true, .segments = -1};
    const BertConfig *c = &l->erf.config;
    Encoding x = {0};
    phrase(l, snippets, "characteristically", "the word characteristically will be converted to the ID 100, which is "
                                              "the ID of "
           "the token [UNK] ... the tokenization function first breaks the word into characteristic and ##ally");
    int id = tokenizer_id(l->tokenizer, word, strlen(word));
    judge_count(l, "id of the whole word", "100", id < 0 ? l->tokenizer->unk_id : id);
    if (!judge_pieces(l, word, "[CLS] characteristic ##ally [SEP]")) return false;
    judge_count(l, "id of characteristic", "8281", tokenizer_id(l->tokenizer, "characteristic", 14));
    judge_count(l, "id of ##ally", "3973", tokenizer_id(l->tokenizer, "##ally", 6));
    phrase(l, snippets, "the size of queries", "weights each with a size of (768,64) ... 12 query vector matrices, "
                                               "one for each head");
    judge_count(l, "rows", "768", c->H);
    judge_count(l, "columns: head size", "64", c->D);
    judge_count(l, "heads", "12", c->A);
    phrase(l, transformers, "BERT layers", "BERT has 12 layers ... max_length=64, pad_to_max_length=True");
    judge_count(l, "layers", "12", c->L);
    const Text text = {"What is my place of residence?", 30};
    bool ok = encode(l->tokenizer, text, NULL, &padded, &x, l->e) == BERT_OK;
    if (ok) judge_count(l, "tokens of a padded input", "64", x.T);
    encoding_free(&x);
    return ok;
}

/* =====================================================================================================================
 * All of them
 * ================================================================================================================== */
Status documents_model(const BertConfig *c, const Tokenizer *tokenizer, Error *e)
{
    const bool sizes = c->L == 12 && c->H == 768 && c->V == 30522 && c->P == 512 && tokenizer->V == c->V;
    if (sizes && tokenizer->lower_case) return BERT_OK;
    if (sizes)
        return fail(e, BERT_FILE, "the documents' numbers are those of an uncased model, and this one keeps "
                    "capitals (%s)", tokenizer->case_source);
    return fail(e, BERT_FILE, "the documents' numbers are those of bert-base-uncased (12L/768H, 30522 pieces); "
                "this model is %dL/%dH with %d pieces", c->L, c->H, c->V);
}

Status goldens(const Bert *model, const Tokenizer *tokenizer, FILE *out, bool every, bool *all_met, Error *e)
{
    Ledger l = {.erf = *model, .tanh = *model, .tokenizer = tokenizer, .out = out, .e = e, .every = every};
    if (documents_model(&model->config, tokenizer, e) != BERT_OK) return e->status;
    l.erf.config.gelu = GELU_ERF;
    l.tanh.config.gelu = GELU_TANH;
    if (!every) fputs("What is not as the documents print it; with -v every number that they print.\n\n", out);
    fprintf(out, ROW, "", "printed", "computed", "difference", "verdict");
    bool ok = check_blog(&l) && check_notebook(&l);
    if (ok) check_sizes(&l);
    ok = ok && (!model->has_mlm || show_mat(&l)) && check_next_sentence(&l);
    ok = ok && check_tutorial_vocabulary(&l) && check_tutorial_ids(&l);
    ok = ok && check_edition(&l, &editions[0]) && check_edition(&l, &editions[1]) && check_others(&l);
    if (!ok) return e->status != BERT_OK ? e->status
                                         : fail(e, BERT_DIFFERENT, "the bank sentence has not 22 tokens: another "
                                                                   "vocabulary?");
    fprintf(out, "\n%d met, %d missed, %d shown, %d errata\n", l.met, l.missed, l.shown, l.errata);
    *all_met = l.missed == 0;
    return BERT_OK;
}

/* =====================================================================================================================
 * The verb
 *
 * The documents print numbers. Whoever reads them wants to know whether they are true, and whoever reads this program
 * wants to know whether it computes BERT or something like it. Both are answered by computing the same numbers again.
 * ================================================================================================================== */
static const char goldens_help[] =
    "Goldens are the numbers that the tutorials print. Each is computed again and\n"
    "judged. What is not as printed is shown, and how many are; with -v every number:\n"
    "the printed phrase under its heading; printed, computed, difference, verdict:\n"
    "`met` or `MISSED`; `shown` is not judged, and `erratum` is where the document is\n"
    "wrong. Exit 1 if one is missed.\n";
static const char goldens_examples[] =
    "  bert goldens\n"
    "  bert goldens -v | grep bank\n";

/* The exit code is that of a comparison: 1 if a number is missed. */
static Status verb_goldens(Session *s, Error *e)
{
    bool all_met = false;
    Status status = goldens(&s->model, &s->tokenizer, s->out, s->options.verbose, &all_met, e);
    return status == BERT_OK && !all_met ? fail(e, BERT_DIFFERENT,
                                                "some of the documents' numbers are missed") : status;
}

const Verb goldens_verb = {
    .name = "goldens", .run = verb_goldens, .needs = NEEDS_MODEL,
    .without = ABOUT_TEXTS | ABOUT_FILE | ABOUT_GELU,
    .own = "", .formats = "", .arguments = "",
    .summary = "the numbers that the tutorials print, computed again and judged",
    .help = goldens_help, .examples = goldens_examples,
};
