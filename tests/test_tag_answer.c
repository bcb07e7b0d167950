/* test_tag_answer.c - `bert tag` and `bert answer` from outside: the tiny model with a head. What they print is held
 * against the library's own run of the model, and against heads that give every token the same logits, whose answers
 * can be written down. That the rules are Hugging Face's: tests/conformance/test_tag_answer.py. */
#include "shell.h"
#include <stdarg.h>

enum { LABELS = 5 };

/* =====================================================================================================================
 * The tiny model with a head
 * ================================================================================================================== */
/* Writes weights and config.json anew: `head`.weight (K,H) and .bias (K). `bias` NULL: both are a formula, with 4 more
 * for row 0; else the matrix is 0, and every token has these logits. `config` goes before config.json's other keys. */
static bool fine_tuned(const char *head, int K, const float *bias, const char *config)
{
    static float W[8 * 24], b[8];
    static const char *const metadata[][2] = {{"format", "pt"}};
    char path[300], weight[64], vector[64];
    Safetensors st;
    Error e = {0};
    if (!tiny_model()) return false;
    snprintf(path, sizeof path, "%s/model.safetensors", tiny);
    snprintf(weight, sizeof weight, "%s.weight", head);
    snprintf(vector, sizeof vector, "%s.bias", head);
    for (int i = 0; i < K * 24; i++) W[i] = bias ? 0 : 4 * formula_value(weight, (size_t)i);
    for (int i = 0; i < K; i++) b[i] = bias ? bias[i] : formula_value(vector, (size_t)i) + 4 * (i == 0);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return false;
    SafeTensor *all = calloc(st.count + 2, sizeof *all);
    if (!check(all != NULL, "memory")) return false;
    memcpy(all, st.tensors, st.count * sizeof *all);
    all[st.count] = (SafeTensor){weight, DTYPE_F32, 2, {(size_t)K, 24}, (size_t)K * 24, W};
    all[st.count + 1] = (SafeTensor){vector, DTYPE_F32, 1, {(size_t)K}, (size_t)K, b};
    const Status s = safetensors_write(path, all, st.count + 2, metadata, 1, &e);
    free(all);
    safetensors_close(&st);
    run("sed -i 's|BertForPreTraining|%s|; 1s|{|{ %s|' %s/config.json", strcmp(head, "qa_outputs") ?
        "BertForTokenClassification" : "BertForQuestionAnswering", config, tiny);
    return check(s == BERT_OK, "%s", e.message);
}

static const char five_labels[] =
    "\"id2label\": {\"0\": \"O\", \"1\": \"B-PER\", \"2\": \"I-PER\", \"3\": \"B-LOC\", \"4\": \"I-LOC\"},";
static const char *const five_names[] = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"};

/* All tokens are I-PER, with this probability. */
static bool everything_is_a_person(void)
{
    static const float bias[LABELS] = {0, 0, 1.7917595f, 0, 0};                 /* ln 6: 6 / 10 */
    return fine_tuned("classifier", LABELS, bias, five_labels);
}

/* The command's message begins with this, on one line, with that exit code, and nothing is on stdout. */
static void fails(int code, const char *sentence, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fails(int code, const char *sentence, const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    int got = run("%s 2>/dev/null", command);
    check(got == code && !output_length, "%s: exit code %d, expected %d; stdout: %s", command, got, code, output);
    run("%s 2>&1 >/dev/null", command);
    check(strstr(output, sentence) && strchr(output, '\n') == output + output_length - 1,
          "%s: \"%s\" in the message: %s", command, sentence, output);
}

static void prints(const char *want, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void prints(const char *want, const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    const int got = run("%s", command);
    check(got == 0, "%s: exit code %d", command, got);
    check_text(command, output, want);
}

/* One line on stderr says that the option has no effect, -q keeps it back, and it has none: the answer is the same. */
static void no_effect(const char *verb, const char *option, const char *rest)
{
    char sentence[100], *without = NULL;
    snprintf(sentence, sizeof sentence, "%s has no effect on %s", option, verb);
    run("./bert %s %s %s -m %s 2>&1 >/dev/null", verb, option, rest, tiny);
    check(strstr(output, sentence) && strchr(output, '\n') == output + output_length - 1, "%s on stderr: %s", sentence,
          output);
    check(run("./bert %s %s %s -m %s -q 2>&1 >/dev/null", verb, option, rest, tiny) == 0 && !*output,
          "%s: nothing with -q: %s", verb, output);
    check(run("./bert %s %s -m %s -q", verb, rest, tiny) == 0 && *output && (without = strdup(output)) != NULL,
          "%s %s", verb, rest);
    if (!without) return;
    run("./bert %s %s %s -m %s -q", verb, option, rest, tiny);
    check_text(sentence, output, without);
    free(without);
}

/* The library's run of a text or a pair; false fails the test. */
typedef struct {
    Tokenizer t;
    Bert m;
    Encoding x;
    Activations a;
    Batch batch;
} Run;

static bool run_library(Run *r, const char *a, const char *b, bool qa)
{
    const EncodeOptions options = {.segments = -1};
    const Request request = {.token_classifier = !qa, .qa = qa};
    const Text second = {b, b ? strlen(b) : 0};
    Error e = {0};
    *r = (Run){0};
    bool ok = tokenizer_load(&r->t, tiny, CASE_AUTO, &e) == BERT_OK && bert_load(&r->m, tiny, &e) == BERT_OK &&
              encode(&r->t, (Text){a, strlen(a)}, b ? &second : NULL, &options, &r->x, &e) == BERT_OK;
    r->batch = (Batch){1, &r->x.T, r->x.input_ids, r->x.token_type_ids, r->x.attention_mask};
    ok = ok && activations_new(&r->a, &r->m, &r->batch, &request, &e) == BERT_OK;
    if (ok) forward(&r->m, &r->a);
    return check(ok, "%s", e.message);
}

static void end_library(Run *r)
{
    activations_free(&r->a);
    encoding_free(&r->x);
    tokenizer_free(&r->t);
    bert_free(&r->m);
}

/* =====================================================================================================================
 * tag
 * ================================================================================================================== */
/* Every token has the largest of its own logits; [CLS] and [SEP] are left out, and what is O. */
static void tag_prints_the_best_label_of_each_token(void)
{
    const char *text = "The cats sat on my river mat, playing!";
    char want[4096] = "";
    Run r;
    int found = 0;
    if (!fine_tuned("classifier", LABELS, NULL, five_labels) || !run_library(&r, text, NULL, false)) return;
    for (int t = 1; t + 1 < r.x.T; t++) {
        real p[LABELS];
        int best = 0;
        softmax_ref(p, r.a.token_logits + t * LABELS, 1, LABELS);
        for (int k = 1; k < LABELS; k++)
            if (p[k] > p[best]) best = k;
        const size_t begin = r.x.offsets[t][0], end = r.x.offsets[t][1];
        if (best) snprintf(want + strlen(want), sizeof want - strlen(want), "%zu\t%zu\t%s\t%.9g\t%.*s\n", begin, end,
                           five_names[best], (double)p[best], (int)(end - begin), text + begin);
        found += best > 0;
    }
    check(found > 3 && found < r.x.T - 2, "%d of %d tokens have a label", found, r.x.T - 2);
    strcat(want, "\n");
    prints(want, "./bert tag -m %s --aggregate none '%s'", tiny, text);
    end_library(&r);
    formula_remove(tiny);
}

static void tag_answers_each_input_with_places_in_bytes(void)
{
    if (!everything_is_a_person()) return;
    prints("0\t11\tPER\t0.600000024\tThe cat sat\n\n\n3\t6\tPER\t0.600000024\t\xC3\xA9!\n\n",
           "printf 'The cat sat\\n\\n   \\303\\251!' | ./bert tag -m %s", tiny);
    prints("{\"input\": 0, \"entities\": [{\"label\": \"PER\", \"score\": 0.600000024, \"start\": 0, \"end\": 7, "
           "\"text\": \"the cat\"}]}\n{\"input\": 1, \"entities\": []}\n",
           "./bert tag -m %s --format json 'the cat' ''", tiny);
    prints("{\"input\": 0, \"entities\": [{\"label\": \"I-PER\", \"score\": 0.600000024, \"start\": 0, \"end\": 4, "
           "\"text\": \"play\"}, {\"label\": \"I-PER\", \"score\": 0.600000024, \"start\": 4, \"end\": 7, "
           "\"text\": \"ing\"}]}\n",
           "./bert tag -m %s --format json --aggregate none playing", tiny);
    for (const char *how = "first\0average\0max\0"; *how; how += strlen(how) + 1)
        prints("0\t11\tPER\t0.600000024\tplaying cat\n\n", "./bert tag -m %s --aggregate %s 'playing cat'", tiny, how);
    prints("0\t8\tPER\t0.600000024\tcat\\x09\\x00dog\n\n", "printf 'cat\\t\\000dog' | ./bert tag -m %s", tiny);
    prints("0\t15\tPER\t0.600000024\t[SEP] a [CLS] b\n\n", "./bert tag -m %s '[SEP] a [CLS] b'", tiny);
    formula_remove(tiny);
}

/* 60 tokens, of which the model takes 30 with [CLS] and [SEP]: an error, cut, or in parts. Tokens 0 to 29 and 22 to 51
 * are two spans of equal length that overlap: the first stays. From the end: 30 to 59, 8 to 37, 0 to 15. */
static void a_text_longer_than_the_model_is_an_error_or_cut_or_read_in_parts(void)
{
    char text[121];
    if (!everything_is_a_person()) return;
    for (int i = 0; i < 60; i++) memcpy(text + 2 * i, "a ", 3);
    text[119] = 0;
    fails(4, "text 1: 62 tokens, at most 32: use --truncate", "./bert tag -m %s '%s'", tiny, text);
    prints("0 59\n", "./bert tag -m %s --truncate '%s' | awk '{print $1, $2}' | head -1", tiny, text);
    prints("0 59\n88 119\n", "./bert tag -m %s --stride 8 '%s' | awk 'NF {print $1, $2}'", tiny, text);
    prints("0 59\n60 119\n", "./bert tag -m %s --stride 0 '%s' | awk 'NF {print $1, $2}'", tiny, text);
    prints("0 19\n20 39\n40 59\n60 79\n80 99\n100 119\n",
           "./bert tag -m %s --max-length 12 --stride 0 '%s' | awk 'NF {print $1, $2}'", tiny, text);
    run("echo '{\"truncation_side\": \"left\"}' > %s/tokenizer_config.json", tiny);
    prints("16 75\n", "./bert tag -m %s --stride 8 '%s' | awk 'NF {print $1, $2}'", tiny, text);
    run("rm %s/tokenizer_config.json", tiny);
    fails(4, "text 1: special tokens take 2 of 32: parts of the text, of 30 tokens, cannot share 30",
          "./bert tag -m %s --stride 30 '%s'", tiny, text);
    fails(4, "take 2 of 2: parts of the text, of 0 tokens, cannot share 5",
          "./bert tag -m %s --max-length 2 --stride 5 a", tiny);
    prints("0 1\n", "./bert tag -m %s --stride 29 a | awk 'NF {print $1, $2}'", tiny);
    formula_remove(tiny);
}

static void tag_says_which_head_is_missing_and_what_it_cannot_take(void)
{
    if (!tiny_model()) return;
    fails(5, "the weights have no classifier (classifier.weight)", "./bert tag -m %s x", tiny);
    formula_remove(tiny);
    if (!fine_tuned("qa_outputs", 2, NULL, "")) return;
    fails(5, "see `bert answer`", "./bert tag -m %s x", tiny);
    formula_remove(tiny);
    if (!everything_is_a_person()) return;
    fails(2, "leave --pair out", "./bert tag -m %s --pair x y", tiny);
    fails(2, "leave --pairs out", "./bert tag -m %s --pairs x", tiny);
    fails(2, "--inputs has none", "./bert tag -m %s --inputs x", tiny);
    fails(2, "--stride goes with an aggregation", "./bert tag -m %s --aggregate none --stride 3 x", tiny);
    fails(2, "one of these is expected: none simple first average max", "./bert tag -m %s --aggregate mean x", tiny);
    no_effect("tag", "--pad", "--max-length 9 x");
    no_effect("tag", "--truncate", "--max-length 9 --stride 2 'the cat sat on the mat, the cat sat on the mat'");
    fails(4, "text 1, byte 3: 0xFF is not valid UTF-8", "./bert tag -m %s \"$(printf 'ab\\377')\"", tiny);
    fails(6, "/dev/full", "./bert tag -m %s x -o /dev/full", tiny);
    run("sed -i 's/BertForTokenClassification/BertForSequenceClassification/' %s/config.json", tiny);
    fails(5, "see `bert classify`", "./bert tag -m %s x", tiny);
    formula_remove(tiny);
    if (!fine_tuned("classifier", 2, NULL, "\"id2label\": {\"0\": \"O\", \"1\": \"B-\\\\u001b[31m\"},")) return;
    check(run("./bert tag -m %s 'the cat sat on a mat' --aggregate none", tiny) == 0 && strstr(output, "B-\\x1b[31m\t"),
          "a label is escaped: %s", output);
    formula_remove(tiny);
}

/* =====================================================================================================================
 * answer
 * ================================================================================================================== */
/* The best span by trying all: of whole words, since the context has no others. */
static void answer_prints_the_span_with_the_best_start_and_end(void)
{
    const char *question = "was it the cat ?", *context = "the man went to the store , not to my river bank !";
    char want[256];
    real start[32], end[32];
    Run r;
    int from = 0, to = 0, n = 1;
    if (!fine_tuned("qa_outputs", 2, NULL, "") || !run_library(&r, question, context, true)) return;
    const int first = 7, last = r.x.T - 2;                              /* [CLS] was it the cat ? [SEP] */
    check(r.x.input_ids[first - 1] == r.t.sep_id && last - first == 12, "the context has 13 tokens");
    start[0] = r.a.qa_logits[0], end[0] = r.a.qa_logits[1];
    for (int t = first; t <= last; t++, n++) start[n] = r.a.qa_logits[2 * t], end[n] = r.a.qa_logits[2 * t + 1];
    softmax_ref(start, start, 1, (size_t)n);
    softmax_ref(end, end, 1, (size_t)n);
    for (int i = 1; i < n; i++)
        for (int j = i; j < n && j < i + 15; j++)
            if (!from || (double)start[i] * (double)end[j] > (double)start[from] * (double)end[to]) from = i, to = j;
    const size_t begin = r.x.offsets[first + from - 1][0], stop = r.x.offsets[first + to - 1][1];
    snprintf(want, sizeof want, "%.9g\t%zu\t%zu\t%.*s\n", (double)start[from] * (double)end[to], begin, stop,
             (int)(stop - begin), context + begin);
    prints(want, "./bert answer -m %s '%s' '%s'", tiny, question, context);
    prints(want, "./bert answer -m %s '%s' --pair '%s'", tiny, question, context);
    prints(want, "echo '%s ||| %s' | ./bert answer -m %s -f -", question, context, tiny);
    end_library(&r);
    formula_remove(tiny);
}

/* Logits of 0: with [CLS] and n tokens each start and end is 1 / (n + 1); of equal scores the first counts. */
static void equal_logits_give_the_first_words_and_scores_that_add_up(void)
{
    static const float bias[2] = {0, 0};
    if (!fine_tuned("qa_outputs", 2, bias, "")) return;
    prints("0.25\t0\t3\tcat\n", "./bert answer -m %s a cat", tiny);
    prints("0.111111118\t0\t3\tcat\n0.111111118\t0\t7\tcat dog\n0.111111118\t4\t7\tdog\n",
           "./bert answer -m %s --top-k 9 a 'cat dog'", tiny);
    prints("0.222222235\t0\t3\tcat\n", "./bert answer -m %s --top-k 9 --max-answer 1 a 'cat Cat'", tiny);
    prints("0.111111118\t0\t3\tcat\n0.111111118\t4\t7\tdog\n0.111111118\t0\t0\t\n",
           "./bert answer -m %s --top-k 9 --max-answer 1 --impossible a 'cat dog'", tiny);
    prints("0.333333353\t0\t7\tplaying\n", "./bert answer -m %s a playing", tiny);
    prints("{\"input\": 0, \"answers\": [{\"answer\": \"cat\", \"score\": 0.25, \"start\": 1, \"end\": 4}]}\n"
           "{\"input\": 1, \"answers\": []}\n",
           "printf 'a |||  cat\\na |||  \\n' | ./bert answer -m %s --format json", tiny);
    prints("1\t0\t0\t\n", "./bert answer -m %s --impossible a ' '", tiny);
    prints("0.25\t0\t3\tcat\n\n0.25\t0\t3\tdog\n", "printf 'a ||| cat\\na ||| dog\\n' | ./bert answer -m %s", tiny);
    prints("0.1875\t1\t10\t\xC3\xA9" "cat\\x07dog\n",
           "printf 'a ||| \\000\\303\\251cat\\007dog' | ./bert answer -m %s", tiny);
    formula_remove(tiny);
}

/* [CLS] a [SEP] and [SEP] leave 4 of 8 tokens to the context, which has 10: 0-3 2-5 4-7 6-9, each with 5 candidates of
 * equal logits. Every token but the outer ones is in two windows. */
static void a_long_context_is_read_in_parts_that_share_tokens(void)
{
    static const float bias[2] = {0, 0};
    char text[90];
    if (!fine_tuned("qa_outputs", 2, bias, "")) return;
    prints("0.0800000024\t4\t5\tc\n0.0800000024\t6\t7\td\n0.0400000012\t0\t1\ta\n",
           "./bert answer -m %s --max-length 8 --stride 2 --max-answer 1 --top-k 20 x 'a b c d e f g h i j' | "
           "sort -k1,1nr -k2,2n | sed -n '1,2p;7p'", tiny);
    prints("10\n", "./bert answer -m %s --max-length 8 --stride 2 --max-answer 1 --top-k 20 x "
           "'a b c d e f g h i j' | wc -l", tiny);
    prints("0.542222245\t0\t1\ta\n",                       /* 8 / 5^2 and 2 / 3^2 */
           "./bert answer -m %s --max-length 8 --stride 0 --max-answer 1 x 'a a a a a a a a a a'", tiny);
    prints("0.0400000012\t0\t0\t\n",
           "./bert answer -m %s --max-length 8 --stride 2 --impossible --max-answer 1 --top-k 20 x "
           "'a b c d e f g h i j' | grep -P '\\t0\\t0\\t'", tiny);
    for (int i = 0; i < 40; i++) memcpy(text + 2 * i, "a ", 3);
    fails(4, "text 1: the question is too long: with the special tokens it takes 43 of 32, and leaves no room",
          "./bert answer -m %s '%s' cat", tiny, text);
    fails(4, "question and special tokens take 4 of 8: parts of the context, of 4 tokens, cannot share 4",
          "./bert answer -m %s --max-length 8 --stride 4 x 'a b c d e f'", tiny);
    prints("0.0400000012\t0\t1\ta\n", "./bert answer -m %s --max-length 8 --stride 4 x 'a b c d'", tiny);
    formula_remove(tiny);
}

static void answer_says_what_is_missing(void)
{
    if (!tiny_model()) return;
    fails(5, "the weights have no question answering head (qa_outputs): they are not fine-tuned",
          "./bert answer -m %s a b", tiny);
    formula_remove(tiny);
    if (!everything_is_a_person()) return;
    fails(5, "but a classifier: see `bert tag`", "./bert answer -m %s a b", tiny);
    formula_remove(tiny);
    if (!fine_tuned("qa_outputs", 2, NULL, "")) return;
    fails(2, "answer needs two texts, QUESTION and CONTEXT, not 1", "./bert answer -m %s a", tiny);
    fails(2, "not 3 (put each in quotes)", "./bert answer -m %s a b c", tiny);
    fails(2, "--inputs has none", "./bert answer -m %s --inputs x", tiny);
    no_effect("answer", "--truncate", "--max-length 12 --stride 2 a 'the cat sat on the mat, the cat sat on the mat'");
    no_effect("answer", "--pad", "--max-length 12 a 'the cat'");
    fails(2, "--max-answer 0: a whole number is expected, 1 or more", "./bert answer -m %s --max-answer 0 a b", tiny);
    fails(4, "stdin: line 1: there is no ' ||| ' between question and context", "echo a | ./bert answer -m %s", tiny);
    fails(4, "stdin: line 1: the question is empty", "echo ' ||| a' | ./bert answer -m %s", tiny);
    fails(4, "text 1: the context is empty", "./bert answer -m %s a ''", tiny);
    fails(4, "byte 2 of the second text: 0xFF is not valid UTF-8",
          "./bert answer -m %s a \"$(printf 'b\\377')\"", tiny);
    fails(4, "stdin: line 1, byte 8: 0xFF is not valid", "printf 'a ||| b\\377' | ./bert answer -m %s", tiny);
    formula_remove(tiny);
}

static void heads_answer_a_line_before_the_next_is_read(void)
{
    if (!everything_is_a_person()) return;
    answers_each_line("tag", "the cat");
    answers_each_line("tag --stride 2", "the cat");
    answers_each_line("tag --format json", "the cat");
    formula_remove(tiny);
    if (!fine_tuned("qa_outputs", 2, NULL, "")) return;
    answers_each_line("answer", "who ? ||| the cat");
    answers_each_line("answer --format json", "who ? ||| the cat");
    formula_remove(tiny);
    if (!fine_tuned("classifier", 3, NULL, "\"problem_type\": null,")) return;
    run("sed -i 's/ForTokenClassification/ForSequenceClassification/' %s/config.json", tiny);
    answers_each_line("classify", "the cat");
    answers_each_line("classify --format json", "the cat ||| my dog");
    formula_remove(tiny);
}

const Test tag_answer_tests[] = {
    {"tag_prints_the_best_label_of_each_token", tag_prints_the_best_label_of_each_token},
    {"tag_answers_each_input_with_places_in_bytes", tag_answers_each_input_with_places_in_bytes},
    {"a_text_longer_than_the_model_is_an_error_or_cut_or_read_in_parts",
     a_text_longer_than_the_model_is_an_error_or_cut_or_read_in_parts},
    {"tag_says_which_head_is_missing_and_what_it_cannot_take", tag_says_which_head_is_missing_and_what_it_cannot_take},
    {"answer_prints_the_span_with_the_best_start_and_end", answer_prints_the_span_with_the_best_start_and_end},
    {"equal_logits_give_the_first_words_and_scores_that_add_up",
     equal_logits_give_the_first_words_and_scores_that_add_up},
    {"a_long_context_is_read_in_parts_that_share_tokens", a_long_context_is_read_in_parts_that_share_tokens},
    {"answer_says_what_is_missing", answer_says_what_is_missing},
    {"heads_answer_a_line_before_the_next_is_read", heads_answer_a_line_before_the_next_is_read},
    {NULL, NULL},
};
