/* demo.c - the verb demo: the tutorial's example, one word with three vectors. */
#include "cli/cli.h"
#include "cli/goldens.h"
#include <stdlib.h>
#include <string.h>

static const char demo_help[] =
    "The word `bank` stands three times in the word-embedding tutorial's sentence:\n"
    "how alike its three vectors are, as the tutorial prints it and as it is computed\n"
    "here, and how that comes about layer by layer. Another model with the same\n"
    "pieces, as the pocket model, shows its own.\n";
static const char demo_examples[] =
    "  bert demo\n";

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
static Status bank_cosines(const Session *s, const ModelRun *run, const int *layers, int count, double cosines[2],
                           Error *e)
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

/* The two cosines, beside what the tutorial prints. Another model's own are not to be taken for the tutorial's: what it
 * is stands above them. */
static void print_cosines(const Session *s, bool documents, const double c[2])
{
    const BertConfig *m = &s->model.config;
    const char *printed = documents ? "the tutorial prints" : "bert-base-uncased's:";
    const char *computed = documents ? "computed" : "this model's:";
    if (!documents)
        fprintf(s->out, "%s, a model of %d layers of %d (the tutorial's has 12 of 768):\n", s->directory, m->L, m->H);
    fprintf(s->out, "Cosines of two `bank`s; the vector of each is the sum of its last four hidden states:\n");
    fprintf(s->out, "  similar    bank robber, bank vault   %s 0.94   %s %.8f\n", printed, computed, c[0]);
    fprintf(s->out, "  different  bank robber, river bank   %s 0.69   %s %.8f\n\n", printed, computed, c[1]);
}

/* At most 24 lines, a terminal's height. The table is the point of it: hidden state 0 is the embedding output, where
 * the three banks have the same word, differ in their position only, and are alike. Layer by layer the context comes
 * in, and the river bank moves away from the other two. (The tutorial: "as the embeddings move deeper into the
 * network, they pick up more and more contextual information with each layer".) */
static Status print_demo(const Session *s, const ModelRun *run, bool documents, Error *e)
{
    const int L = s->model.config.L, last_four[] = {L - 3, L - 2, L - 1, L};
    double c[2];
    if (bank_cosines(s, run, last_four, 4, c, e) != BERT_OK) return e->status;
    fprintf(s->out, "%s\n", bank_sentence);
    print_cosines(s, documents, c);
    fprintf(s->out, "One hidden state at a time, not summed:\n");
    fprintf(s->out, "hidden state   similar                       different\n");
    for (int l = 0; l <= L; l++) {
        if (bank_cosines(s, run, &l, 1, c, e) != BERT_OK) return e->status;
        fprintf(s->out, "%12d   %5.3f  %-20s   %5.3f  %s%s\n", l, c[0], bar(c[0]), c[1], bar(c[1]),
                l == 0 ? "    before context: only positions differ" : "");
    }
    fprintf(s->out, "\nTry next:  ./bert fill-mask 'The cat sat on the [MASK].'    what BERT was trained for\n"
            "           ./bert explain 'The cat sat on the [MASK].'      how it gets there, in sixteen steps\n"
            "%s",
            documents ? "           ./bert goldens                                   all numbers that the tutorials print\n"
                      : "           make weights && ./bert demo                      the tutorial's model\n");
    return BERT_OK;
}

/* Another model than the tutorial's shows its own three banks, if it sees what the tutorial sees: the same pieces at the
 * same places, and four layers to be summed. */
static bool shows_banks(const Session *s, const Encoding *x)
{
    static const char *const pieces[] = {"[CLS]", "after", "stealing", "money", "from", "the", "bank", "vault", ",", "the",
                                         "bank", "robber", "was", "seen", "fishing", "on", "the", "mississippi", "river",
                                         "bank", ".", "[SEP]"};
    if (s->model.config.L < 4 || x->T != sizeof pieces / sizeof *pieces) return false;
    for (int t = 0; t < x->T; t++)
        if (strcmp(tokenizer_piece(&s->tokenizer, x->input_ids[t]), pieces[t]) != 0) return false;
    return true;
}

/* One run with all hidden states kept. The tutorial's numbers are those of its model, with the GELU with erf. */
static Status verb_demo(Session *s, Error *e)
{
    const Request request = {.keep = KEEP_HIDDEN};
    const EncodeOptions options = {.max_length = s->P};
    const Text text = {bank_sentence, strlen(bank_sentence)};
    Encoding x = {0};
    ModelRun run = {0};
    Error other;
    const bool documents = documents_model(&s->model.config, &s->tokenizer, &other) == BERT_OK;
    if (documents && s->model.config.gelu != GELU_ERF)
        return fail(e, BERT_USAGE, "the tutorial's numbers are those of the GELU with erf: leave --gelu out");
    Status status = encode(&s->tokenizer, text, NULL, &options, &x, e);
    const bool shows = status == BERT_OK && shows_banks(s, &x);
    if (!shows && !documents) *e = other, status = other.status;
    else if (!shows && status == BERT_OK)
        status = fail(e, BERT_FILE, "%s: the demonstration is for bert-base-uncased's pieces", s->directory);
    if (status == BERT_OK) status = run_model(&run, &s->model, &x, &request, e);
    if (status == BERT_OK) status = print_demo(s, &run, documents, e);
    run_free(&run);
    encoding_free(&x);
    return status;
}

const Verb demo_verb = {
    .name = "demo", .run = verb_demo, .needs = NEEDS_MODEL, .without = ABOUT_TEXTS | ABOUT_FILE,
    .own = "", .formats = "", .arguments = "", .summary = "the three banks: one word, three vectors",
    .help = demo_help, .examples = demo_examples,
};
