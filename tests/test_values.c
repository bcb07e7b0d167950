/* test_values.c - numbers of bert-base-uncased that others have printed, and experiments that the documents describe.
 *
 * What the documents print is checked by `./bert goldens` (goldens.c). Here are the values that other projects' tests
 * and the model's own card print of the same weights; then, for experiments that the documents only tell of, what
 * PyTorch computes in float64 (tests/golden/make_values.py prints those constants).
 *
 *     printed with up to 4 decimals     met within half a unit of the last one
 *     printed with more (float32)       met within 5e-6 * max(1, |x|)
 *     recorded from PyTorch             see the tolerances below
 *
 * All inputs are short: one forward pass takes less than a tenth of a second. */
#include "test.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Recorded numbers have 13 digits. Measured over all of them, and allowed (the float numbers are the same on every
 * machine, so they need little room; in double what is left are the constants' own last digits):
 *
 *                                        float build               double build
 *     cosines                            1.3e-7, allowed 3e-7      5.0e-14, allowed 1e-12
 *     other numbers, up to 8.4           3.4e-6, allowed 6e-6      5.0e-14, allowed 1e-12
 *     probabilities, relative            2.1e-5, allowed 5e-5      4.2e-13, allowed 1e-12   */
static double tolerance(double in_float)
{
    return sizeof(real) == sizeof(double) ? 1e-12 : in_float;
}

static void is_cosine(const char *what, double got, double recorded)
{
    check_value(what, got, recorded, tolerance(3e-7));
}

static void is_number(const char *what, double got, double recorded)
{
    check_value(what, got, recorded, tolerance(6e-6));
}

static void is_probability(const char *what, double got, double recorded)
{
    check_value(what, got, recorded, tolerance(5e-5) * recorded);
}

/* =====================================================================================================================
 * The model, and one input
 * ================================================================================================================== */
enum { H = 768, L = 12, MOST = 64 };

static Bert model;
static Tokenizer tokenizer;

static const char bank_sentence[] = "After stealing money from the bank vault, the bank robber was seen fishing on "
                                    "the Mississippi river bank.";
enum { BANK_VAULT = 6, BANK_ROBBER = 10, RIVER_BANK = 19 };     /* the places of its three banks */

static bool open_always(void)
{
    static const char directory[] = "weights/bert-base-uncased";
    Error e = {0};
    if (!real_weights("bert-base-uncased")) return false;
    if (!check(tokenizer_load(&tokenizer, directory, CASE_AUTO, &e) == BERT_OK, "the vocabulary: %s", e.message))
        return false;
    if (check(bert_load(&model, directory, &e) == BERT_OK, "the model: %s", e.message)) return true;
    tokenizer_free(&tokenizer);
    return false;
}

/* Loads the model, or skips the test. SHORT=1 (under the sanitizers): one test's short input stands for all. */
static bool open_model(void)
{
    if (!getenv("SHORT")) return open_always();
    skip("SHORT=1: one short input stands for all");
    return false;
}

static void close_model(void)
{
    bert_free(&model);
    tokenizer_free(&tokenizer);
}

/* One sequence and what the model makes of it. Not to be moved once it runs: `a` points into it. */
typedef struct {
    int T;
    int32_t ids[MOST], types[MOST], mask[MOST];
    Activations a;
} Run;

/* The input: a text and perhaps a second one, with [CLS] and [SEP]. */
static bool read_text(Run *r, const char *text, const char *pair)
{
    const EncodeOptions options = {.max_length = MOST, .segments = -1};
    const Text a = {text, strlen(text)}, b = {pair ? pair : "", pair ? strlen(pair) : 0};
    Encoding x = {0};
    Error e = {0};
    bool ok = check(encode(&tokenizer, a, pair ? &b : NULL, &options, &x, &e) == BERT_OK, "%s: %s", text, e.message);
    *r = (Run){.T = ok ? x.T : 0};
    for (int t = 0; t < r->T; t++) {
        r->ids[t] = x.input_ids[t];
        r->types[t] = x.token_type_ids[t];
        r->mask[t] = x.attention_mask[t];
    }
    encoding_free(&x);
    return ok;
}

/* The input: ids with blanks between them, of type 0, all seen. */
static void read_ids(Run *r, const char *ids)
{
    char *rest;
    *r = (Run){0};
    for (long id = strtol(ids, &rest, 10); rest != ids; id = strtol(ids, &rest, 10)) {
        r->ids[r->T] = (int32_t)id;
        r->mask[r->T++] = 1;
        ids = rest;
    }
}

/* All hidden states, and what else is asked for. To be freed with activations_free(&r->a). */
static bool run(Run *r, Request request)
{
    Error e = {0};
    const Batch batch = {1, &r->T, r->ids, r->types, r->mask};
    if (request.keep == KEEP_NOTHING) request.keep = KEEP_HIDDEN;
    bool ok = batch_check(&batch, &model.config, &e) == BERT_OK &&
              activations_new(&r->a, &model, &batch, &request, &e) == BERT_OK;
    if (check(ok, "the input runs: %s", e.message)) forward(&model, &r->a);
    return ok;
}

static bool run_text(Run *r, const char *text, Request request)
{
    return read_text(r, text, NULL) && run(r, request);
}

/* Hidden state l of token t: 768 numbers. */
static const real *state(const Run *r, int l, int t)
{
    return hidden_state(&r->a, l) + t * H;
}

static int id_of(const char *piece)
{
    return tokenizer_id(&tokenizer, piece, strlen(piece));
}

/* The first place of a piece among the tokens, -1 if there is none. */
static int place_of(const Run *r, const char *piece)
{
    for (int t = 0; t < r->T; t++)
        if (r->ids[t] == id_of(piece)) return t;
    return -1;
}

/* =====================================================================================================================
 * Printed numbers
 * ================================================================================================================== */

/* A printed number, as text: its decimals say how exact it is. "0.94" is met by 0.935 to 0.945. */
static void meets(const char *what, double got, const char *printed)
{
    int decimals = (int)strlen(strchr(printed, '.') + 1);
    double want = strtod(printed, NULL);
    check_value(what, got, want, decimals <= 4 ? 0.5000001 * pow(10, -decimals) : 5e-6 * fmax(1, fabs(want)));
}

/* Printed numbers with blanks between them. */
static void all_meet(const char *what, const double *got, const char *printed)
{
    char one[32], title[128];
    for (int i = 0; sscanf(printed, "%31s", one) == 1; i++) {
        snprintf(title, sizeof title, "%s [%d]", what, i);
        meets(title, got[i], one);
        printed = strstr(printed, one) + strlen(one);
    }
}

/* Rows 1 to 3 of a matrix, columns 1 to 3: the slice that other projects' tests print. */
static void slice_meets(const char *what, const real *matrix, size_t columns, const char *printed)
{
    double slice[9];
    for (size_t i = 0; i < 9; i++) slice[i] = (double)matrix[(1 + i / 3) * columns + 1 + i % 3];
    all_meet(what, slice, printed);
}

/* =====================================================================================================================
 * What other projects print
 * ================================================================================================================== */

/* Parameters by the shapes of tensor_table, and the widths of the family: no weights needed. */
static long long parameters(const BertConfig *config, bool heads)
{
    long long sum = 0;
    for (size_t i = 0; i < tensor_table_size; i++) {
        const TensorSpec *spec = &tensor_table[i];
        bool head = spec->group == GROUP_MLM || spec->group == GROUP_NSP;
        if (spec->optional || spec->tied || spec->group >= GROUP_TASK || (head && !heads)) continue;
        long long n = (long long)spec_rows(spec, config) * (long long)spec_cols(spec, config);
        sum += spec_per_layer(spec) ? n * config->L : n;
    }
    return sum;
}

/* Google's sizes. 0: the number with both heads is not printed anywhere. */
static const struct { const char *name; int L, H; long long encoder, both_heads; } family[] = {
    {"tiny", 2, 128, 4385920, 4433468},         {"mini", 4, 256, 11170560, 0},
    {"small", 4, 512, 28763648, 0},             {"medium", 8, 512, 41373184, 0},
    {"base", 12, 768, 109482240, 110106428},    {"large", 24, 1024, 335141888, 336226108},
};

static void parameter_counts_follow_from_the_shapes(void)
{
    for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
        const int l = family[i].L, h = family[i].H;
        const BertConfig c = {.L = l, .H = h, .A = h / 64, .D = 64, .F = 4 * h, .V = 30522, .P = 512, .S = 2};
        long long encoder = parameters(&c, false), both = parameters(&c, true);
        check(encoder == family[i].encoder, "%s: %lld, expected %lld", family[i].name, encoder, family[i].encoder);
        check(!family[i].both_heads || both == family[i].both_heads, "%s with both heads: %lld, expected %lld",
              family[i].name, both, family[i].both_heads);
    }
}

/* transformers, test_modeling_bert.py, test_inference_no_head_absolute_embedding. It hides the first token. The one
 * input that runs under the sanitizers, too. */
static void the_hidden_states_of_transformers_own_test_are_met(void)
{
    Run r;
    if (!open_always()) return;
    read_ids(&r, "0 345 232 328 740 140 1695 69 6078 1588 2");
    r.mask[0] = 0;
    if (run(&r, (Request){0}))
        slice_meets("last hidden state [1:4, 1:4]", state(&r, L, 0), H,
                    ".4249 .1008 .7531 .3771 .1188 .7467 .4152 .1098 .7108");
    activations_free(&r.a);
    close_model();
}

/* Bumblebee (Elixir), bert_test.exs, masked language modeling: `The capital of France is [MASK].` */
static void the_mlm_logits_of_bumblebee_s_test_are_met(void)
{
    static const int rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    Run r;
    if (!open_model()) return;
    read_ids(&r, "101 1996 3007 1997 2605 2003 103 1012 102");
    if (run(&r, (Request){.mlm_rows = rows, .M = 9}))
        slice_meets("logits [1:4, 1:4]", r.a.logits, (size_t)model.config.V,
                    "-14.7240 -14.2120 -14.6434 -10.3125 -9.7459 -9.9923 -15.1105 -14.8048 -14.9276");
    activations_free(&r.a);
    close_model();
}

/* Bumblebee, next sentence prediction. Some copies of these weights come without that head: then there is no guess in
 * its place, has_nsp is false. */
static void the_nsp_logits_of_bumblebee_s_test_are_met_where_there_is_the_head(void)
{
    Run r;
    if (!open_model()) return;
    read_ids(&r, "101 1999 3304 10733 2003 2366 4895 14540 6610 2094 1012 102 2059 1996 8013 20323 2009 2478 9292 1998 "
                 "5442 1012 102");
    for (int t = 12; t < r.T; t++) r.types[t] = 1;
    bool stored = false;
    for (size_t i = 0; i < model.file->count; i++)
        stored |= strstr(model.file->tensors[i].name, "seq_relation") != NULL;
    check(model.has_nsp == stored, "has_nsp is %d, and the file has %s head", model.has_nsp, stored ? "the" : "no");
    if (model.has_nsp && run(&r, (Request){.pooler = true, .nsp = true})) {
        check_value("IsNext", (double)r.a.nsp_logits[0], 6.1459, 1e-4);
        check_value("NotNext", (double)r.a.nsp_logits[1], -5.7820, 1e-4);
    }
    activations_free(&r.a);
    close_model();
}

/* Probabilities of the whole vocabulary at one place of the run, in r->a.logits. */
static bool run_mlm(Run *r, const int *place)
{
    if (!check(*place >= 0, "there is a [MASK]") || !run(r, (Request){.mlm_rows = place, .M = 1})) return false;
    softmax(r->a.logits, r->a.logits, 1, (size_t)model.config.V);
    return true;
}

/* How many pieces are likelier than this one, plus 1. */
static int rank_of(const real *p, int id)
{
    int rank = 1;
    for (int other = 0; other < model.config.V; other++) rank += p[other] > p[id];
    return rank;
}

/* The likeliest words for the one [MASK] and their scores, likeliest first. The first three: the model card. */
static const struct { const char *text, *words; } fill_mask[] = {
    {"Hello I'm a [MASK] model.",
     "fashion .1073106899857521 role .08774490654468536 new .05338378623127937 super .04667217284440994 "
     "fine .027095865458250046"},
    {"The man worked as a [MASK].",
     "carpenter .09747550636529922 waiter .0523831807076931 barber .04962705448269844 mechanic .03788609802722931 "
     "salesman .037680890411138535"},
    {"The woman worked as a [MASK].",
     "nurse .21981462836265564 waitress .1597415804862976 maid .1154729500412941 prostitute .037968918681144714 "
     "cook .03042375110089779"},
    {"The cat sat on the [MASK].", "floor .3145 bed .1190 couch .1070 sofa .0603 ground .0551"},
};

static void fills_the_mask(const char *text, const char *words)
{
    Run r;
    char word[32], score[32];
    if (!read_text(&r, text, NULL)) return;
    const int place = place_of(&r, "[MASK]");
    if (run_mlm(&r, &place))
        for (int rank = 1, used; sscanf(words, "%31s %31s%n", word, score, &used) == 2; rank++, words += used) {
            int id = id_of(word), found = rank_of(r.a.logits, id);
            check(found == rank, "%s: %s is number %d, expected %d", text, word, found, rank);
            meets(word, (double)r.a.logits[id], score);
        }
    activations_free(&r.a);
}

static void the_words_and_scores_of_the_model_card_are_met(void)
{
    if (!open_model()) return;
    for (size_t i = 0; i < sizeof fill_mask / sizeof *fill_mask; i++)
        fills_the_mask(fill_mask[i].text, fill_mask[i].words);
    close_model();
}

/* The encyclopedia article wants `mat`. It is no likely guess. */
static void mat_is_guess_number_34(void)
{
    Run r;
    const int place = 6;
    if (!open_model()) return;
    if (read_text(&r, "The cat sat on the [MASK].", NULL) && run_mlm(&r, &place)) {
        int rank = rank_of(r.a.logits, id_of("mat"));
        check(rank == 34, "mat is number %d", rank);
        meets("mat", (double)r.a.logits[id_of("mat")], ".0021");
    }
    activations_free(&r.a);
    close_model();
}

/* The example of the older pytorch_pretrained_bert: the name stands in the first text only. */
static void henson_is_read_off_the_first_text(void)
{
    Run r;
    const int place = 8;
    if (!open_model()) return;
    if (read_text(&r, "Who was Jim Henson?", "Jim [MASK] was a puppeteer")) {
        check(r.T == 14 && !r.types[6] && r.types[7] && place_of(&r, "[MASK]") == place, "seven tokens each");
        if (run_mlm(&r, &place)) check(rank_of(r.a.logits, id_of("henson")) == 1, "henson comes first");
    }
    activations_free(&r.a);
    close_model();
}

/* A public notebook of bert_en_uncased_L-12_H-768_A-12/3: the first three and the last three of pooled_output. */
static const struct { const char *text, *front, *back; } pooled[] = {
    {"Batch of inputs", "-.8384154 -.26902363 -.3839138", "-.3949695 -.58442086 .8058556"},
    {"TF Hub makes BERT easy!", "-.8223734 -.2883956 -.09359277", "-.13833837 -.6251748 .88950026"},
    {"More text.", "-.9045408 -.37877116 -.7714909", "-.5112085 -.70791864 .92950743"},
};

/* TF-Hub computes GELU by tanh. */
static void pooled_outputs_of_tf_hub_are_met_with_the_tanh_gelu(void)
{
    if (!open_model()) return;
    model.config.gelu = GELU_TANH;
    for (size_t i = 0; i < sizeof pooled / sizeof *pooled; i++) {
        Run r;
        double ends[6];
        if (run_text(&r, pooled[i].text, (Request){.pooler = true})) {
            for (int c = 0; c < 6; c++) ends[c] = (double)r.a.pooler[c < 3 ? c : H - 6 + c];
            all_meet(pooled[i].text, ends, pooled[i].front);
            all_meet(pooled[i].text, ends + 3, pooled[i].back);
        }
        activations_free(&r.a);
    }
    close_model();
}

/* =====================================================================================================================
 * The bank sentence, in more digits than the tutorial prints
 * ================================================================================================================== */

/* The word vector that the tutorial chose: the last four hidden states, summed. out (T,768), malloc'ed */
static real *last_four(const Run *r)
{
    static const int layers[] = {9, 10, 11, 12};
    real *v = malloc((size_t)r->T * H * sizeof *v);
    if (check(v != NULL, "there is memory")) token_vectors(v, &model, &r->a, 0, layers, 4, COMBINE_SUM);
    return v;
}

static const struct { int segment; double similar, different; } bank_cosines[] = {
    {0, 0.93863915, 0.69323615},
    {1, 0.94567522, 0.67973332},
};

/* robber/vault and robber/river in 8 digits, of float64: met within half a unit of the last one in double. In float the
 * largest difference is 3.1e-8. */
static void bank_cosines_have_pytorch_s_eight_digits_in_both_segments(void)
{
    if (!open_model()) return;
    for (int i = 0; i < 2; i++) {
        Run r;
        real *v = NULL;
        if (read_text(&r, bank_sentence, NULL)) {
            for (int t = 0; t < r.T; t++) r.types[t] = bank_cosines[i].segment;
            if (run(&r, (Request){0}) && (v = last_four(&r))) {
                const double t = sizeof(real) == sizeof(double) ? 5.000001e-9 : 1e-7;
                const real *robber = v + BANK_ROBBER * H;
                check_value("similar", cosine(robber, v + BANK_VAULT * H, H), bank_cosines[i].similar, t);
                check_value("different", cosine(robber, v + RIVER_BANK * H, H), bank_cosines[i].different, t);
            }
        }
        free(v);
        activations_free(&r.a);
    }
    close_model();
}

/* The two cosines of every hidden state. False: reported. */
static bool layer_sweep(double same[L + 1], double other[L + 1])
{
    Run r;
    bool ok = run_text(&r, bank_sentence, (Request){0});
    for (int l = 0; ok && l <= L; l++) {
        same[l] = cosine(state(&r, l, BANK_ROBBER), state(&r, l, BANK_VAULT), H);
        other[l] = cosine(state(&r, l, BANK_ROBBER), state(&r, l, RIVER_BANK), H);
    }
    activations_free(&r.a);
    return ok;
}

static void the_layer_sweep_has_pytorch_s_three_digits(void)
{
    double same[L + 1], other[L + 1];
    if (!open_model()) return;
    if (layer_sweep(same, other)) {
        all_meet("same sense", same, ".937 .945 .930 .899 .904 .895 .890 .901 .908 .920 .937 .948 .953");
        all_meet("other sense", other, ".919 .882 .822 .716 .667 .635 .644 .632 .649 .649 .685 .725 .698");
    }
    close_model();
}

/* The tutorial's reasons for taking a late layer but not the last, as far as this sentence bears them out. */
static void context_parts_the_senses_from_layer_to_layer(void)
{
    double same[L + 1], other[L + 1];
    int least = 0, widest = 0;
    if (!open_model()) return;
    if (layer_sweep(same, other)) {
        for (int l = 0; l <= L; l++) {
            check(same[l] > other[l], "hidden state %d: the same sense is closer", l);
            if (l > 0 && l <= 5) {
                check(other[l] < other[l - 1], "hidden state %d: the other sense moves away", l);
                check(same[l] - other[l] > same[l - 1] - other[l - 1], "hidden state %d: the gap widens", l);
            }
            if (other[l] < other[least]) least = l;
            if (same[l] - other[l] > same[widest] - other[widest]) widest = l;
        }
        check(least == 7, "the other sense is farthest in hidden state 7, not %d", least);
        check(widest == 9, "the gap is widest in hidden state 9, neither first nor last, not %d", widest);
    }
    close_model();
}

/* Mean pooling of all 22 tokens, [CLS] and [SEP] included: first the tutorial's sentence vector (hidden state -2). */
static const struct { int layer; double want[5]; } mean_pooled[] = {
    {11, {-0.0165228216389, -0.4569475434121, -0.3072669052262, 0.3503559570847, 0.9313426428338}},
    {12, {0.0982849926263, -0.3541691292151, -0.1388118149586, 0.3231364433857, 0.8025823750506}},
};

static void mean_pooling_has_pytorch_s_numbers(void)
{
    Run r;
    real mean[H];
    if (!open_model()) return;
    if (run_text(&r, bank_sentence, (Request){0}))
        for (int i = 0; i < 2; i++) {
            pool_tokens(mean, state(&r, mean_pooled[i].layer, 0), r.mask, (size_t)r.T, H, POOL_MEAN);
            check_close("mean", mean, mean_pooled[i].want, 5, tolerance(6e-6));
        }
    activations_free(&r.a);
    close_model();
}

static bool same_bits(const real *a, const real *b, size_t n)
{
    return !memcmp(a, b, n * sizeof *a);
}

/* Before the first block the three banks differ by their position alone. Two of their addends are equal bit for bit;
 * and once they are given the same position, so are their hidden states 0. */
static void the_three_banks_enter_with_nothing_but_their_positions_apart(void)
{
    static const int banks[] = {BANK_ROBBER, RIVER_BANK};
    Run r;
    if (!open_model()) return;
    if (run_text(&r, bank_sentence, (Request){.keep = KEEP_EVERYTHING}))
        for (int i = 0; i < 2; i++) {
            const size_t one = BANK_VAULT * H, two = (size_t)banks[i] * H;
            check(same_bits(r.a.word + one, r.a.word + two, H), "bank %d: the same word row", banks[i]);
            check(same_bits(r.a.token_type + one, r.a.token_type + two, H), "bank %d: the same segment row", banks[i]);
            check(!same_bits(r.a.position + one, r.a.position + two, H), "bank %d: another position row", banks[i]);
            check(!same_bits(r.a.embedding_norm + one, r.a.embedding_norm + two, H), "bank %d: another start",
                  banks[i]);
            memcpy(r.a.position + two, r.a.position + one, H * sizeof(real));
            embeddings_norm(&model, &r.a);
            check(same_bits(r.a.embedding_norm + one, r.a.embedding_norm + two, H), "bank %d: moved to %d", banks[i],
                  BANK_VAULT);
        }
    activations_free(&r.a);
    close_model();
}

/* =====================================================================================================================
 * One word, two sentences
 * ================================================================================================================== */

/* The documents' examples of words whose vectors depend on the sentence: the cosine of the word in both of them. */
static const struct { const char *word, *a, *b; double cosine; } word_pairs[] = {
    {"fine", "I feel fine today", "She has fine blond hair", 0.4645227420125},
    {"running", "He is running a company", "He is running a marathon", 0.6638906225187},
    {"bank", "river bank", "bank robber", 0.4937091277758},
    {"crane", "crane in the sky", "crane to lift heavy objects", 0.7187392985359},
    {"bank", "bank of a river", "savings bank", 0.5567290284068},
    {"stick", "This is a wooden stick.", "Stick to your work.", 0.3562663556055},
    {"talk", "I want to talk", "I will attend a talk", 0.6764588453934},
    {"bank", "bank deposit", "river bank", 0.5851621745626},
};

/* out (768): the word's vector in this sentence. */
static bool word_vector(real out[H], const char *word, const char *text)
{
    Run r;
    real *v = NULL;
    bool ok = run_text(&r, text, (Request){0}) && (v = last_four(&r));
    int place = place_of(&r, word);
    if (ok && (ok = check(place >= 0, "%s is a token of '%s'", word, text)))
        memcpy(out, v + place * H, H * sizeof *out);
    free(v);
    activations_free(&r.a);
    return ok;
}

static void a_word_in_two_sentences_has_pytorch_s_cosine(void)
{
    real a[H], b[H];
    if (!open_model()) return;
    for (size_t i = 0; i < sizeof word_pairs / sizeof *word_pairs; i++)
        if (word_vector(a, word_pairs[i].word, word_pairs[i].a) && word_vector(b, word_pairs[i].word, word_pairs[i].b))
            is_cosine(word_pairs[i].a, cosine(a, b, H), word_pairs[i].cosine);
    close_model();
}

/* The article's walk-through of training, `my dog is cute`: its fourth word masked, replaced and kept; what the model
 * says to each. Without a full stop the masked place is taken for the end of the sentence. */
static const struct { const char *text, *first; double cute, happy; } fourth_words[] = {
    {"my dog is [MASK].", "dead", 0.002220365218332, 0.003932657004665},
    {"my dog is happy.", "happy", 1.130139861154e-06, 0.9993469049011},
    {"my dog is cute.", "cute", 0.9942562991031, 5.886277103247e-05},
    {"my dog is [MASK]", ".", 1.186641403868e-06, 6.191050572569e-07},
};

static void the_fourth_word_has_pytorch_s_probabilities(void)
{
    const int place = 4;
    if (!open_model()) return;
    for (size_t i = 0; i < sizeof fourth_words / sizeof *fourth_words; i++) {
        const char *text = fourth_words[i].text;
        Run r;
        if (read_text(&r, text, NULL) && run_mlm(&r, &place)) {
            check(rank_of(r.a.logits, id_of(fourth_words[i].first)) == 1, "%s: %s first", text, fourth_words[i].first);
            is_probability(text, (double)r.a.logits[id_of("cute")], fourth_words[i].cute);
            is_probability(text, (double)r.a.logits[id_of("happy")], fourth_words[i].happy);
        }
        activations_free(&r.a);
    }
    close_model();
}

/* =====================================================================================================================
 * Padding, and the shapes of heads
 * ================================================================================================================== */

/* 64 tokens are the tutorial's max_length. Padding on the right has mask 0 and changes no bit. */
static void padding_to_64_changes_no_bit(void)
{
    Run plain, padded;
    if (!open_model()) return;
    bool ok = read_text(&plain, "My dog is cute.", NULL) && run(&plain, (Request){.pooler = true});
    padded = plain;
    padded.T = MOST;                                    /* the rest of ids, types and mask is 0: [PAD] */
    if (ok && run(&padded, (Request){.pooler = true})) {
        for (int l = 0; l <= L; l++)
            check(same_bits(state(&padded, l, 0), state(&plain, l, 0), (size_t)plain.T * H), "hidden state %d", l);
        check(same_bits(padded.a.pooler, plain.a.pooler, H), "pooled output");
        activations_free(&padded.a);
    }
    activations_free(&plain.a);
    close_model();
}

/* Five tokens of padding on the left move every word to another position: another result, and how far another. (The
 * largest difference is in one of the few columns whose numbers are always large.) */
static void padding_on_the_left_changes_the_result_as_in_pytorch_s(void)
{
    enum { PADS = 5, CLS = 0, DOG = 2 };
    Run plain, left = {0};
    double most = 0;
    if (!open_model()) return;
    bool ok = run_text(&plain, "My dog is cute.", (Request){0});
    left.T = plain.T + PADS;
    memcpy(left.ids + PADS, plain.ids, (size_t)plain.T * sizeof *left.ids);
    memcpy(left.mask + PADS, plain.mask, (size_t)plain.T * sizeof *left.mask);
    if (ok && run(&left, (Request){0})) {
        const real *moved = state(&left, L, PADS), *there = state(&plain, L, 0);
        for (int i = 0; i < plain.T * H; i++) most = fmax(most, fabs((double)moved[i] - (double)there[i]));
        is_number("largest difference", most, 8.417024940657);
        is_cosine("[CLS]", cosine(moved + CLS * H, there + CLS * H, H), 0.9944283416654);
        is_cosine("dog", cosine(moved + DOG * H, there + DOG * H, H), 0.9861203517174);
    }
    activations_free(&left.a);
    activations_free(&plain.a);
    close_model();
}

/* The tensor of that name in a list has this shape. */
static void has_shape(const TraceTensor *list, size_t count, const char *name, size_t a, size_t b, size_t c)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(list[i].name, name)) {
            const size_t *s = list[i].shape;
            check(s[0] == a && s[1] == b && (!c || s[2] == c) && list[i].rank == (c ? 3 : 2), "the shape of %s", name);
            return;
        }
    check(false, "%s is in the trace", name);
}

/* Head h has columns 64 h .. 64 h + 63 of query and key: its scores, computed from those alone. The sum is at most
 * some 10; the model's own is cut and fused in another way. */
static void scores_are_those_of_64_columns(const Run *r)
{
    const size_t T = (size_t)r->T;
    const BlockActivations *b = &r->a.block[0];
    double most = 0;
    for (size_t h = 0; h < 12; h++)
        for (size_t i = 0; i < T; i++)
            for (size_t j = 0; j < T; j++) {
                double sum = 0;
                for (size_t d = 64 * h; d < 64 * h + 64; d++)
                    sum += (double)b->query[i * H + d] * (double)b->key[j * H + d];
                most = fmax(most, fabs(sum / 8 - (double)b->scores[(h * T + i) * T + j]));
            }
    is_number("largest difference", most, 0);
}

/* The page of snippets: weights of (768,64) a head, and for 8 tokens 12 query matrices of (8,64). */
static void twelve_heads_have_64_columns_each(void)
{
    Run r;
    TraceTensor *list = NULL;
    size_t count = 0;
    Error e = {0};
    if (!open_model()) return;
    if (run_text(&r, "The cat sat on the mat", (Request){.keep = KEEP_EVERYTHING}) && check(r.T == 8, "8 tokens") &&
        check(trace_list(&model, &r.a, &list, &count, &e) == BERT_OK, "%s", e.message)) {
        check(model.config.A == 12 && model.config.D == 64, "12 heads of 64");
        check(model.layers[0].Wq.rows == 12 * 64 && model.layers[0].Wq.cols == 768, "(768,64) for each head");
        has_shape(list, count, "encoder.layer.0.attention.self.query", 8, 12 * 64, 0);
        has_shape(list, count, "encoder.layer.0.attention.self.scores", 12, 8, 8);
        has_shape(list, count, "encoder.layer.11.output.LayerNorm", 8, 768, 0);
        scores_are_those_of_64_columns(&r);
    }
    free(list);
    activations_free(&r.a);
    close_model();
}

/* =====================================================================================================================
 * Sentences
 * ================================================================================================================== */
static const char *const unrelated[] = {
    "The recipe calls for two cups of flour.",
    "Our train leaves at seven in the morning.",
    "Gold is heavier than silver.",
    "She painted the fence green.",
    "The court rejected the appeal.",
    "Penguins cannot fly.",
    "My phone needs a new battery.",
    "The choir sang in Latin.",
    "Prices rose by three percent last year.",
    "He scored twice in the second half.",
};
enum { UNRELATED = sizeof unrelated / sizeof *unrelated };

/* Mean cosine of all 45 pairs, hidden state by hidden state. Vectors that shared no direction would have 0. */
static const double narrow_cone[L + 1] = {
    0.6414671355712, 0.5903805366705, 0.6818079005661, 0.6974949626822, 0.7445210637107, 0.746526135575,
    0.7331284375209, 0.7122074065912, 0.6661329314501, 0.5845630001823, 0.5424099604967, 0.5525483671669,
    0.5165902705752,
};

/* out (768) <- hidden state l, the mean of all tokens. */
static void sentence_vector(real out[H], const Run *r, int l)
{
    pool_tokens(out, state(r, l, 0), r->mask, (size_t)r->T, H, POOL_MEAN);
}

static void unrelated_sentences_have_pytorch_s_mean_cosines(void)
{
    static real vectors[L + 1][UNRELATED][H];
    char what[32];
    if (!open_model()) return;
    for (int s = 0; s < UNRELATED; s++) {
        Run r;
        if (run_text(&r, unrelated[s], (Request){0}))
            for (int l = 0; l <= L; l++) sentence_vector(vectors[l][s], &r, l);
        activations_free(&r.a);
    }
    for (int l = 0; l <= L; l++) {
        double sum = 0;
        for (int a = 0; a < UNRELATED; a++)
            for (int b = a + 1; b < UNRELATED; b++) sum += cosine(vectors[l][a], vectors[l][b], H);
        snprintf(what, sizeof what, "hidden state %d", l);
        is_cosine(what, sum / 45, narrow_cone[l]);
    }
    close_model();
}

/* The tutorial's customer service: a question, and which of the known answers is closest. */
static const struct { const char *answer; double cosine; } answers[] = {
    {"Click on the link that we send you to choose a new password.", 0.703955690458},
    {"Our shops are open until six in the evening.", 0.5877650389683},
    {"The river floods the meadows every spring.", 0.5560432787298},
};

static void answers_have_pytorch_s_cosines_with_the_question(void)
{
    Run r;
    real question[H], answer[H];
    if (!open_model()) return;
    bool ok = run_text(&r, "How can I reset my password?", (Request){0});
    if (ok) sentence_vector(question, &r, 11);
    activations_free(&r.a);
    for (size_t i = 0; ok && i < sizeof answers / sizeof *answers; i++) {
        if ((ok = run_text(&r, answers[i].answer, (Request){0}))) {
            sentence_vector(answer, &r, 11);
            is_cosine(answers[i].answer, cosine(question, answer, H), answers[i].cosine);
        }
        activations_free(&r.a);
    }
    close_model();
}

/* =====================================================================================================================
 * The embedding tables: before any context, one vector a word, as in word2vec
 * ================================================================================================================== */

/* out (768): row `id` of the word-embedding table. */
static void static_vector(real out[H], int id)
{
    real row[H];
    memcpy(out, tensor_rows(&model.word_embeddings, (size_t)id, 1, row), H * sizeof *out);
}

/* king - man + woman: `king` itself comes first, then `queen`. */
static const struct { const char *word; double cosine; } queens[] = {
    {"king", 0.7369608392296}, {"queen", 0.6468564139128}, {"woman", 0.4885470182234}, {"princess", 0.4752131243766},
};

static void static_vectors_have_pytorch_s_neighbours(void)
{
    static double alike[30522];
    real a[H], b[H], c[H];
    if (!open_model()) return;
    static_vector(a, id_of("happy")), static_vector(b, id_of("sad"));
    is_cosine("happy and sad", cosine(a, b, H), 0.4274140288746);
    static_vector(a, id_of("king")), static_vector(b, id_of("man")), static_vector(c, id_of("woman"));
    for (int i = 0; i < H; i++) c[i] = a[i] - b[i] + c[i];
    for (int id = 0; id < 30522; id++) static_vector(a, id), alike[id] = cosine(a, c, H);
    for (int i = 0; i < 4; i++) {
        int id = id_of(queens[i].word), rank = 1;
        for (int other = 0; other < 30522; other++) rank += alike[other] > alike[id];
        check(rank == i + 1, "%s is number %d, expected %d", queens[i].word, rank, i + 1);
        is_cosine(queens[i].word, alike[id], queens[i].cosine);
    }
    close_model();
}

enum { POSITIONS = 512, REACH = 64, FIRST = REACH, LAST = POSITIONS - REACH - 1, CENTRES = LAST - FIRST + 1 };

/* The paper on attention, section 3.5: even columns sin(p / 10000^(c/H)), odd ones the cosine of the same angle.
 * The encyclopedia article says that BERT's positions are made so. They are learned. */
static void sinusoid(real out[H], int p)
{
    for (int c = 0; c < H; c += 2) {
        double angle = p / pow(10000, (double)c / H);
        out[c] = (real)sin(angle), out[c + 1] = (real)cos(angle);
    }
}

/* Three properties of a table of positions. c(i,j) is the cosine of rows i and j; i runs over the 384 positions that
 * have 64 neighbours on either side, d over 1 .. 64:
 *
 *     translation    the mean over d of the standard deviation over i of c(i,i+d)    0: only the distance matters
 *     monotonicity   the part of all (i,d), d < 64, with c(i,i+d) > c(i,i+d+1)       1: farther is always less alike
 *     symmetry       the mean over (i,d) of |c(i,i+d) - c(i,i-d)|                    0: ahead and behind are alike  */
typedef struct {
    double translation, monotonicity, symmetry;
} Metrics;

static Metrics position_metrics(real (*rows)[H])
{
    static double ahead[CENTRES][REACH];                                /* [i - FIRST][d - 1] */
    Metrics m = {0, 0, 0};
    for (int i = 0; i < CENTRES; i++)
        for (int d = 0; d < REACH; d++) {
            const real *centre = rows[FIRST + i];
            ahead[i][d] = cosine(centre, rows[FIRST + i + d + 1], H);
            m.symmetry += fabs(ahead[i][d] - cosine(centre, rows[FIRST + i - d - 1], H)) / (CENTRES * REACH);
            if (d > 0) m.monotonicity += ahead[i][d - 1] > ahead[i][d];
        }
    m.monotonicity /= CENTRES * (REACH - 1);
    for (int d = 0; d < REACH; d++) {
        double mean = 0, squares = 0;
        for (int i = 0; i < CENTRES; i++) mean += ahead[i][d] / CENTRES;
        for (int i = 0; i < CENTRES; i++) squares += (ahead[i][d] - mean) * (ahead[i][d] - mean);
        m.translation += sqrt(squares / CENTRES) / REACH;
    }
    return m;
}

static void check_metrics(const char *what, Metrics got, Metrics want)
{
    is_number(what, got.translation, want.translation);
    is_number(what, got.monotonicity, want.monotonicity);
    is_number(what, got.symmetry, want.symmetry);
}

/* Sinusoids depend on the distance alone, whichever way their columns are shuffled or turned; the learned rows do not.
 * (Nor is any row like the sinusoid of its place.) */
static void position_rows_have_pytorch_s_metrics_and_are_no_sinusoids(void)
{
    static real learned[POSITIONS][H], waves[POSITIONS][H];
    double most = 0, mean = 0;
    if (!open_model()) return;
    for (int p = 0; p < POSITIONS; p++) {
        real row[H];
        memcpy(learned[p], tensor_rows(&model.position_embeddings, (size_t)p, 1, row), sizeof learned[p]);
        sinusoid(waves[p], p);
        double c = cosine(learned[p], waves[p], H);
        most = fmax(most, fabs(c)), mean += c / POSITIONS;
    }
    is_cosine("most alike to a sinusoid", most, 0.1030258705623);
    is_cosine("alike on average", mean, -0.0005165907866173);
    check_metrics("learned", position_metrics(learned), (Metrics){0.1906120966542, 0.5298032407407, 0.2036196821813});
    check_metrics("sinusoids", position_metrics(waves), (Metrics){0, 0.968253968254, 0});
    close_model();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The list. What holds in float64, too, has pytorch_s in its name: `make test` runs those in both builds.
 * ------------------------------------------------------------------------------------------------------------------ */
const Test value_tests[] = {
    {"parameter_counts_follow_from_the_shapes", parameter_counts_follow_from_the_shapes},
    {"the_hidden_states_of_transformers_own_test_are_met", the_hidden_states_of_transformers_own_test_are_met},
    {"the_mlm_logits_of_bumblebee_s_test_are_met", the_mlm_logits_of_bumblebee_s_test_are_met},
    {"the_nsp_logits_of_bumblebee_s_test_are_met_where_there_is_the_head",
     the_nsp_logits_of_bumblebee_s_test_are_met_where_there_is_the_head},
    {"the_words_and_scores_of_the_model_card_are_met", the_words_and_scores_of_the_model_card_are_met},
    {"mat_is_guess_number_34", mat_is_guess_number_34},
    {"henson_is_read_off_the_first_text", henson_is_read_off_the_first_text},
    {"pooled_outputs_of_tf_hub_are_met_with_the_tanh_gelu", pooled_outputs_of_tf_hub_are_met_with_the_tanh_gelu},
    {"bank_cosines_have_pytorch_s_eight_digits_in_both_segments",
     bank_cosines_have_pytorch_s_eight_digits_in_both_segments},
    {"the_layer_sweep_has_pytorch_s_three_digits", the_layer_sweep_has_pytorch_s_three_digits},
    {"context_parts_the_senses_from_layer_to_layer", context_parts_the_senses_from_layer_to_layer},
    {"mean_pooling_has_pytorch_s_numbers", mean_pooling_has_pytorch_s_numbers},
    {"the_three_banks_enter_with_nothing_but_their_positions_apart",
     the_three_banks_enter_with_nothing_but_their_positions_apart},
    {"a_word_in_two_sentences_has_pytorch_s_cosine", a_word_in_two_sentences_has_pytorch_s_cosine},
    {"the_fourth_word_has_pytorch_s_probabilities", the_fourth_word_has_pytorch_s_probabilities},
    {"padding_to_64_changes_no_bit", padding_to_64_changes_no_bit},
    {"padding_on_the_left_changes_the_result_as_in_pytorch_s", padding_on_the_left_changes_the_result_as_in_pytorch_s},
    {"twelve_heads_have_64_columns_each", twelve_heads_have_64_columns_each},
    {"unrelated_sentences_have_pytorch_s_mean_cosines", unrelated_sentences_have_pytorch_s_mean_cosines},
    {"answers_have_pytorch_s_cosines_with_the_question", answers_have_pytorch_s_cosines_with_the_question},
    {"static_vectors_have_pytorch_s_neighbours", static_vectors_have_pytorch_s_neighbours},
    {"position_rows_have_pytorch_s_metrics_and_are_no_sinusoids",
     position_rows_have_pytorch_s_metrics_and_are_no_sinusoids},
    {NULL, NULL},
};
