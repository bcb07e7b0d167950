/* demo.c - the verb demo: the tutorial's example, one word with three vectors. */
#include "cli/cli.h"
#include "cli/goldens.h"
#include <stdlib.h>
#include <string.h>

static const char demo_help[] =
    "The word `bank` stands three times in the word-embedding tutorial's sentence:\n"
    "how alike its three vectors are, as the tutorial prints it and as it is computed\n"
    "here, and how that comes about layer by layer.\n";
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

/* At most 24 lines, a terminal's height. The table is the point of it: hidden state 0 is the embedding output, where
 * the three banks have the same word, differ in their position only, and are alike. Layer by layer the context comes
 * in, and the river bank moves away from the other two. (The tutorial: "as the embeddings move deeper into the
 * network, they pick up more and more contextual information with each layer".) */
static Status print_demo(const Session *s, const ModelRun *run, Error *e)
{
    const int L = s->model.config.L, last_four[] = {L - 3, L - 2, L - 1, L};
    double c[2];
    if (bank_cosines(s, run, last_four, 4, c, e) != BERT_OK) return e->status;
    fprintf(s->out, "%s\n", bank_sentence);
    fprintf(s->out, "Cosines of two `bank`s; the vector of each is the sum of its last four hidden states:\n");
    fprintf(s->out, "  similar    bank robber, bank vault   the tutorial prints 0.94   computed %.8f\n", c[0]);
    fprintf(s->out, "  different  bank robber, river bank   the tutorial prints 0.69   computed %.8f\n\n", c[1]);
    fprintf(s->out, "One hidden state at a time, not summed:\n");
    fprintf(s->out, "hidden state   similar                       different\n");
    for (int l = 0; l <= L; l++) {
        if (bank_cosines(s, run, &l, 1, c, e) != BERT_OK) return e->status;
        fprintf(s->out, "%12d   %5.3f  %-20s   %5.3f  %s%s\n", l, c[0], bar(c[0]), c[1], bar(c[1]),
                l == 0 ? "    before context: only positions differ" : "");
    }
    fprintf(s->out, "\nTry next:  ./bert fill-mask 'The cat sat on the [MASK].'    what BERT was trained for\n"
            "           ./bert explain 'The cat sat on the [MASK].'      how it gets there, in sixteen steps\n"
            "           ./bert goldens                                   all numbers that the tutorials print\n");
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
    ModelRun run = {0};
    Status status = documents_model(&s->model.config, &s->tokenizer, e);
    if (status == BERT_OK && s->model.config.gelu != GELU_ERF)
        status = fail(e, BERT_USAGE, "the tutorial's numbers are those of the GELU with erf: leave --gelu out");
    if (status == BERT_OK) status = encode(&s->tokenizer, text, NULL, &options, &x, e);
    if (status == BERT_OK && x.T != 22)
        status = fail(e, BERT_FILE, "%s: the demonstration is for bert-base-uncased", s->directory);
    if (status == BERT_OK) status = run_model(&run, &s->model, &x, &request, e);
    if (status == BERT_OK) status = print_demo(s, &run, e);
    run_free(&run);
    encoding_free(&x);
    return status;
}

const Verb demo_verb = {
    .name = "demo", .run = verb_demo, .needs = NEEDS_MODEL, .without = ABOUT_TEXTS | ABOUT_FILE,
    .own = "", .formats = "", .arguments = "", .summary = "the three banks: one word, three vectors",
    .help = demo_help, .examples = demo_examples,
};
