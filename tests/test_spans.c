/* test_spans.c - the rules of `tag` and `answer` (cli/spans.c) on tables small enough to follow by hand. That they are
 * Hugging Face's rules is tested by tests/conformance/test_tag_answer.py, against the pipelines themselves. */
#include "cli/spans.h"
#include "shell.h"
#include <math.h>

/* =====================================================================================================================
 * Windows
 * ================================================================================================================== */
/* "0-5 3-8 6-11 9-12": all windows of a text. */
static void windows(size_t length, size_t room, size_t overlap, bool from_end, char text[256])
{
    Window w = {0};
    size_t used = 0;
    for (size_t k = 0; !w.last && used < 200; k++) {
        w = window_at(k, length, room, overlap, from_end);
        used += (size_t)snprintf(text + used, 256 - used, "%s%zu-%zu", k ? " " : "", w.begin, w.end);
    }
}

static void windows_overlap_and_end_with_the_text(void)
{
    static const struct { size_t length, room, overlap; bool from_end; const char *want; } cases[] = {
        {12, 5, 2, false, "0-5 3-8 6-11 9-12"}, {12, 5, 2, true, "7-12 4-9 1-6 0-3"}, {11, 5, 2, false, "0-5 3-8 6-11"},
        {11, 5, 2, true, "6-11 3-8 0-5"}, {10, 5, 0, false, "0-5 5-10"}, {5, 5, 4, false, "0-5"},
        {6, 5, 4, false, "0-5 1-6"}, {5, 5, 4, true, "0-5"}, {0, 5, 2, false, "0-0"}, {1, 5, 2, true, "0-1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256] = "";
        windows(cases[i].length, cases[i].room, cases[i].overlap, cases[i].from_end, text);
        check_text("windows", text, cases[i].want);
    }
}

static void a_window_keeps_what_frames_it_and_the_places_in_the_text(void)
{
    int32_t ids[] = {101, 7, 102, 10, 11, 12, 13, 14, 102}, types[] = {0, 0, 0, 1, 1, 1, 1, 1, 1}, mask[9];
    size_t offsets[9][2];
    Encoding whole = {.T = 9, .capacity = 9, .input_ids = ids, .token_type_ids = types, .attention_mask = mask,
                      .offsets = offsets}, out = {0};
    Error e = {0};
    for (int i = 0; i < 9; i++) mask[i] = 1, offsets[i][0] = (size_t)i, offsets[i][1] = (size_t)i + 1;
    check(window_encoding(&out, &whole, 3, 1, (Window){2, 4, false}, &e) == BERT_OK && out.T == 6, "%d tokens", out.T);
    const int32_t want[] = {101, 7, 102, 12, 13, 102};
    for (int i = 0; i < 6; i++) check(out.input_ids[i] == want[i], "token %d is %d", i, (int)out.input_ids[i]);
    check(out.offsets[3][0] == 5 && out.token_type_ids[2] == 0 && out.token_type_ids[3] == 1, "offsets, segments");
    check(window_encoding(&out, &whole, 3, 1, (Window){0, 5, true}, &e) == BERT_OK && out.T == 9, "%d tokens", out.T);
    check(!memcmp(out.input_ids, ids, sizeof ids), "the window of the whole text is the text");
    encoding_free(&out);
}

/* For each token of the text: 1 if `rule` says that it continues a word. */
static void continuations(const Tokenizer *t, const char *bytes, bool by_length, char found[64])
{
    const EncodeOptions bare = {.no_add_special = true};
    const Text text = {bytes, strlen(bytes)};
    Encoding x = {0};
    Error e = {0};
    check(encode(t, text, NULL, &bare, &x, &e) == BERT_OK && x.T < 63, "%s", e.message);
    for (int i = 0; i < x.T; i++)
        found[i] = (by_length ? tag_continues(t, x.input_ids[i], text, x.offsets[i])
                              : continues_word(t, x.input_ids[i], text, x.offsets[i][0])) ? '1' : '0';
    found[x.T] = 0;
    encoding_free(&x);
}

static void words_begin_where_the_split_made_them_and_for_tag_where_lengths_agree(void)
{
    char found[64];
    Tokenizer t;
    Error e = {0};
    if (!tiny_model() || !check(tokenizer_load(&t, tiny, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    /* em ##bed ##ding ##s , cat ! e ##a x [UNK] */
    const char *text = "embeddings, cat! \xC3\xA9" "a x\xE6\x97\xA5";
    continuations(&t, text, false, found);
    check_text("words", found, "01110000100");
    continuations(&t, text, true, found);
    check_text("words of tag", found, "01110000100");
    continuations(&t, "the ca\xCC\x81t", false, found);       /* four characters, of which the piece has three */
    check_text("words", found, "00");
    continuations(&t, "the ca\xCC\x81t", true, found);
    check_text("words of tag", found, "01");
    tokenizer_free(&t);
    formula_remove(tiny);
}

/* A piece that begins with ## may be an added token: it begins a word. */
static void an_added_token_begins_a_word_however_it_is_spelled(void)
{
    char found[64];
    Tokenizer t;
    Error e = {0};
    if (!tiny_model()) return;
    run("echo '{\"added_tokens_decoder\": {\"90\": {\"content\": \"##ing\", \"lstrip\": true}}}' "
        "> %s/tokenizer_config.json; grep -n '^##ing$' %s/vocab.txt", tiny, tiny);
    const int line = atoi(output);
    run("sed -i s/90/%d/ %s/tokenizer_config.json", line - 1, tiny);
    if (check(tokenizer_load(&t, tiny, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) {
        continuations(&t, "playing ##ing play##ing", false, found);         /* play ##ing, then added tokens */
        check_text("words", found, "01000");
        tokenizer_free(&t);
    }
    run("rm %s/tokenizer_config.json", tiny);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * tag
 * ================================================================================================================== */
static const char *const labels[] = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "NOUN", "B-O", "E-well-known"};
enum { LABELS = sizeof labels / sizeof *labels, MOST = 16 };

/* Tokens as "B-PER 0.6 I-PER 0.9c": each has this probability for this label, the rest of 1 goes to O (or, where it is
 * O, to B-PER), c continues a word. Token t has the bytes 10 t to 10 t + 5. The answer: "PER 0-15 0.75; ...". */
static void tag(const char *tokens, Aggregation how, char text[512])
{
    static real probs[MOST * LABELS];
    static size_t offsets[MOST][2];
    bool continues[MOST] = {false};
    TaggedSpan spans[MOST];
    size_t T = 0, used = 0;
    char label[32], value[16];
    memset(probs, 0, sizeof probs);
    for (int n; sscanf(tokens, " %31s %15s%n", label, value, &n) == 2; tokens += n, T++) {
        const double p = atof(value);
        for (int k = 0; k < LABELS; k++)
            if (!strcmp(label, labels[k])) probs[T * LABELS + (size_t)k] += (real)p;
        probs[T * LABELS + !strcmp(label, "O")] += (real)(1 - p);
        continues[T] = strchr(value, 'c') != NULL;
        offsets[T][0] = 10 * T;
        offsets[T][1] = 10 * T + 5;
    }
    const TokenLabels x = {T, LABELS, probs, (const size_t (*)[2])offsets, continues, labels};
    const size_t count = tag_spans(spans, &x, how);
    text[0] = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, 512 - used, "%s%s %zu-%zu %.3f", i ? "; " : "",
                                 tag_name(labels[spans[i].label], how), spans[i].begin, spans[i].end, spans[i].score);
}

static void check_tags(const char *tokens, Aggregation how, const char *want)
{
    char found[512];
    tag(tokens, how, found);
    check_text(tokens, found, want);
}

static void neighbours_with_one_label_are_grouped_and_a_B_begins_anew(void)
{
    const Aggregation how = AGGREGATE_SIMPLE;
    check_tags("B-PER .9 I-PER .6 O .9 I-PER .8 B-PER .7", how, "PER 0-15 0.750; PER 30-35 0.800; PER 40-45 0.700");
    check_tags("B-PER .9 I-LOC .8 I-LOC .6", how, "PER 0-5 0.900; LOC 10-25 0.700");
    check_tags("NOUN .9 NOUN .8 NOUN .7", how, "NOUN 0-25 0.800");
    check_tags("B-PER .9 B-PER .8", how, "PER 0-5 0.900; PER 10-15 0.800");
    check_tags("O .9 O .9", how, "");
    check_tags("B-O .9 I-PER .8", how, "PER 10-15 0.800");
    check_tags("E-well-known .9 E-well-known .7", how, "well-known 0-15 0.800");
    check_tags("", how, "");
}

static void without_aggregation_every_token_has_its_whole_label(void)
{
    check_tags("B-PER .9 I-PER .6c O .9 B-O .7", AGGREGATE_NONE, "B-PER 0-5 0.900; I-PER 10-15 0.600; B-O 30-35 0.700");
}

/* The middle piece is the surest, the last label is the mean's. */
static void a_word_has_one_label_by_its_first_its_surest_or_its_mean_token(void)
{
    const char *word = "B-PER .6 B-LOC .9c I-LOC .8c O .9";
    check_tags(word, AGGREGATE_SIMPLE, "PER 0-5 0.600; LOC 10-25 0.850");
    check_tags(word, AGGREGATE_FIRST, "PER 0-25 0.600");
    check_tags(word, AGGREGATE_MAX, "LOC 0-25 0.900");
    check_tags(word, AGGREGATE_AVERAGE, "LOC 0-25 0.300");
    check_tags("B-PER .6 B-LOC .6c", AGGREGATE_MAX, "PER 0-15 0.600");           /* of equal ones the first */
    check_tags("B-PER .7 O .6c", AGGREGATE_AVERAGE, "PER 0-15 0.550");
    check_tags("O .7 B-PER .6c", AGGREGATE_FIRST, "");
    check_tags("B-PER .7c I-PER .9 I-PER .5c", AGGREGATE_FIRST, "PER 0-25 0.800");   /* two words, one entity */
}

/* Spans as "0-5 0.9" ... of a text whose bytes 0 to 7 are four characters; those that stay. */
static void check_merge(const char *spans, const char *want)
{
    const Text text = {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9 the cat sat on a mat", 29};
    TaggedSpan items[MOST];
    size_t count = 0, used = 0;
    char found[256] = "";
    for (int n; sscanf(spans, " %zu-%zu %lf%n", &items[count].begin, &items[count].end, &items[count].score, &n) == 3;
         spans += n) count++;
    count = tag_merge(items, count, text);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(found + used, 256 - used, "%s%zu-%zu %.1f", i ? " " : "", items[i].begin, items[i].end,
                                 items[i].score);
    check_text("spans that stay", found, want);
}

static void of_spans_that_overlap_the_longest_stays_then_the_surest(void)
{
    check_merge("8-13 0.9 16-20 0.8 8-17 0.1", "8-17 0.1");
    check_merge("8-13 0.9 13-17 0.8", "8-13 0.9 13-17 0.8");
    check_merge("0-8 0.9 6-11 0.9", "0-8 0.9");                 /* four characters, and four */
    check_merge("0-8 0.9 6-12 0.1", "6-12 0.1");                /* and five */
    check_merge("8-13 0.7 8-13 0.9", "8-13 0.9");
    check_merge("8-13 0.9 8-13 0.7", "8-13 0.9");
    check_merge("20-25 0.9 8-13 0.7", "8-13 0.7 20-25 0.9");
    check_merge("8-12 0.9 11-16 0.7 15-22 0.5 21-23 0.9", "15-22 0.5");
    check_merge("", "");
}

/* =====================================================================================================================
 * answer
 * ================================================================================================================== */
/* Logits whose softmax is what is wanted. */
static void put_logits(real *logits, size_t t, double start, double end)
{
    logits[2 * t] = (real)log(start);
    logits[2 * t + 1] = (real)log(end);
}

/* "[CLS] q [SEP] it is on the mat [SEP]", as the table in spans.c has it; the question's own logits are high. */
static const char context[] = "it is on the mat";
static void window_of_mat(AnswerWindow *x, real logits[18], size_t offsets[9][2], bool continues[9])
{
    static const double start[] = {.1, 9, 9, .01, .09, .6, .12, .08, 9}, end[] = {.1, 9, 9, .01, .01, .1, .08, .7, 9};
    static const size_t begins[] = {0, 0, 0, 0, 3, 6, 9, 13, 0}, ends[] = {0, 1, 0, 2, 5, 8, 12, 16, 0};
    for (size_t t = 0; t < 9; t++) {
        put_logits(logits, t, start[t], end[t]);
        offsets[t][0] = begins[t];
        offsets[t][1] = ends[t];
        continues[t] = false;
    }
    *x = (AnswerWindow){logits, 3, 5, (const size_t (*)[2])offsets, continues, {context, sizeof context - 1}};
}

/* "on the mat 6 0.420; ..." */
static void list_answers(const Answers *all, char text[512])
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < all->count && used < 400; i++)
        used += (size_t)snprintf(text + used, 512 - used, "%s%.*s %zu %.3f", i ? "; " : "",
                                 (int)all->items[i].text.length, all->items[i].text.bytes, all->items[i].begin,
                                 all->items[i].score);
}

/* The answers of that many windows, all alike, into `found`. */
static void list_ranked(const AnswerWindow *x, int windows, int top_k, int max_answer, bool impossible, char found[512])
{
    Answers all = {0};
    Error e = {0};
    for (int i = 0; i < windows; i++)
        check(answers_add(&all, x, top_k, max_answer, &e) == BERT_OK, "%s", e.message);
    check(answers_rank(&all, top_k, impossible, &e) == BERT_OK, "%s", e.message);
    list_answers(&all, found);
    answers_free(&all);
}

static void check_answers(int windows, int top_k, int max_answer, bool impossible, const char *want)
{
    real logits[18];
    size_t offsets[9][2];
    bool continues[9];
    AnswerWindow x;
    char found[512];
    window_of_mat(&x, logits, offsets, continues);
    list_ranked(&x, windows, top_k, max_answer, impossible, found);
    check_text("answers", found, want);
}

static void the_best_span_is_start_times_end_and_no_longer_than_asked(void)
{
    check_answers(1, 1, 15, false, "on the mat 6 0.420");
    check_answers(1, 3, 15, false, "on the mat 6 0.420; the mat 9 0.084; is on the mat 3 0.063");
    check_answers(1, 2, 2, false, "the mat 9 0.084; on 6 0.060");
    check_answers(1, 1, 1, false, "on 6 0.060");
    check_answers(1, 100, 1, false, "on 6 0.060; mat 13 0.056; the 9 0.010; is 3 0.001; it 0 0.000");
}

/* Nine spans of one score: the one that begins first, then the one that ends first; whatever their texts are. */
static void equal_answers_stand_in_the_order_of_the_context(void)
{
    real logits[18];
    size_t offsets[9][2];
    bool continues[9];
    AnswerWindow x;
    char found[512];
    window_of_mat(&x, logits, offsets, continues);
    memset(logits, 0, sizeof logits);
    for (int turned = 0; turned < 2; turned++) {
        ties_turned = turned;
        list_ranked(&x, 1, 100, 2, false, found);
        for (char *p = found; (p = strpbrk(p, ".")) != NULL; ) memset(p, '_', 4), p += 4;   /* the scores are equal */
        check_text("answers", found, "it 0 0____; it is 0 0____; is 3 0____; is on 3 0____; on 6 0____; on the 6 0____; "
                   "the 9 0____; the mat 9 0____; mat 13 0____");
    }
}

static void no_answer_is_the_span_of_CLS_and_scores_of_windows_add_up(void)
{
    check_answers(1, 1, 1, true, "on 6 0.060");
    check_answers(1, 6, 1, true, "on 6 0.060; mat 13 0.056;  0 0.010; the 9 0.010; is 3 0.001; it 0 0.000");
    check_answers(3, 1, 15, true, "on the mat 6 1.260");
    check_answers(0, 1, 15, false, "");
}

/* "##mat" would be half a word: the answer is the whole one, and takes the scores of its parts. */
static void answers_are_whole_words_and_equal_ones_are_one(void)
{
    real logits[18];
    size_t offsets[9][2];
    bool continues[9];
    AnswerWindow x;
    char found[512];
    window_of_mat(&x, logits, offsets, continues);
    x.context = (Text){"ON Is on the mat", 16};
    offsets[3][1] = 1, offsets[4][0] = 1, offsets[4][1] = 2;        /* O ##N; then on the mat */
    continues[4] = true;
    list_ranked(&x, 1, 100, 1, false, found);
    check_text("answers", found, "on 6 0.061; mat 13 0.056; the 9 0.010");
}

/* A word that the window cuts is answered as far as the window has it. */
static void a_word_ends_with_its_window(void)
{
    real logits[18];
    size_t offsets[9][2];
    bool continues[9];
    AnswerWindow x;
    char found[512];
    window_of_mat(&x, logits, offsets, continues);
    continues[3] = continues[8] = true;
    list_ranked(&x, 1, 1, 1, false, found);
    check_text("answers", found, "on 6 0.060");
}

/* The candidates of a window are 2 top_k + 10: with 12 of them the last of 15 spans is not added. Two windows that have
 * no answer in common: the weaker "no answer" counts. */
static void only_the_first_candidates_count_and_the_least_no_answer(void)
{
    real logits[18];
    size_t offsets[9][2];
    bool continues[9];
    AnswerWindow x;
    Answers all = {0};
    Error e = {0};
    window_of_mat(&x, logits, offsets, continues);
    check(answers_add(&all, &x, 1, 15, &e) == BERT_OK && all.count == 12, "%zu candidates", all.count);
    put_logits(logits, 0, .5, .5);
    check(answers_add(&all, &x, 1, 15, &e) == BERT_OK && all.count == 24, "%zu candidates", all.count);
    check_value("no answer", all.null_score, 0.01, 1e-6);
    put_logits(logits, 0, .01, .01);
    check(answers_add(&all, &x, 3, 15, &e) == BERT_OK && all.count == 39, "%zu candidates", all.count);
    check(all.null_score < 0.001, "the least counts, not %g", all.null_score);
    answers_free(&all);
}

static void capitals_are_equal_to_small_letters_and_nothing_else_is(void)
{
    static const struct { const char *a, *b; bool equal; } cases[] = {
        {"Paris", "PARIS", true}, {"\xC3\x89t\xC3\xA9", "\xC3\xA9T\xC3\x89", true}, {"Paris", "Pari", false},
        {"a", "b", false},
        {"\xC4\xB0", "i", false}, {"\xC4\xB0", "\xC4\xB0", true}, {"", "a", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Answers all = {0};
        Error e = {0};
        all.items = calloc(2, sizeof *all.items);
        all.capacity = all.items ? 2 : 0;
        if (!check(all.items != NULL, "memory")) return;
        all.items[0] = (Answer){{cases[i].a, strlen(cases[i].a)}, 3, 0.25, 0};
        all.items[1] = (Answer){{cases[i].b, strlen(cases[i].b)}, 9, 0.5, 1};
        all.count = 2;
        check(answers_rank(&all, 5, false, &e) == BERT_OK, "%s", e.message);
        check(all.count == (cases[i].equal ? 1 : 2), "%s and %s: %zu answers", cases[i].a, cases[i].b, all.count);
        check_value("score", all.items[0].score, cases[i].equal ? 0.75 : 0.5, 0);
        check(all.items[0].begin == (cases[i].equal ? 3 : 9), "it stands where it was found first");
        answers_free(&all);
    }
}

const Test span_tests[] = {
    {"windows_overlap_and_end_with_the_text", windows_overlap_and_end_with_the_text},
    {"a_window_keeps_what_frames_it_and_the_places_in_the_text",
     a_window_keeps_what_frames_it_and_the_places_in_the_text},
    {"words_begin_where_the_split_made_them_and_for_tag_where_lengths_agree",
     words_begin_where_the_split_made_them_and_for_tag_where_lengths_agree},
    {"an_added_token_begins_a_word_however_it_is_spelled", an_added_token_begins_a_word_however_it_is_spelled},
    {"neighbours_with_one_label_are_grouped_and_a_B_begins_anew",
     neighbours_with_one_label_are_grouped_and_a_B_begins_anew},
    {"without_aggregation_every_token_has_its_whole_label", without_aggregation_every_token_has_its_whole_label},
    {"a_word_has_one_label_by_its_first_its_surest_or_its_mean_token",
     a_word_has_one_label_by_its_first_its_surest_or_its_mean_token},
    {"of_spans_that_overlap_the_longest_stays_then_the_surest",
     of_spans_that_overlap_the_longest_stays_then_the_surest},
    {"the_best_span_is_start_times_end_and_no_longer_than_asked",
     the_best_span_is_start_times_end_and_no_longer_than_asked},
    {"equal_answers_stand_in_the_order_of_the_context", equal_answers_stand_in_the_order_of_the_context},
    {"no_answer_is_the_span_of_CLS_and_scores_of_windows_add_up",
     no_answer_is_the_span_of_CLS_and_scores_of_windows_add_up},
    {"answers_are_whole_words_and_equal_ones_are_one", answers_are_whole_words_and_equal_ones_are_one},
    {"a_word_ends_with_its_window", a_word_ends_with_its_window},
    {"only_the_first_candidates_count_and_the_least_no_answer",
     only_the_first_candidates_count_and_the_least_no_answer},
    {"capitals_are_equal_to_small_letters_and_nothing_else_is",
     capitals_are_equal_to_small_letters_and_nothing_else_is},
    {NULL, NULL},
};
