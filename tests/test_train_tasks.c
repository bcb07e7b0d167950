/* test_train_tasks.c - `bert train --task tag` and `--task answer`: labels of words, answers in a text, what they are scored
 * by, bad data. Steps and scores against PyTorch: tests/conformance/test_train_tasks.py. */
#include "cli/train_score.h"
#include "shell.h"

/* ---------------------------------------------------------------------------------------------------------------------
 * Scores
 * ------------------------------------------------------------------------------------------------------------------ */

/* By hand, by the rule of conlleval. */
static void entities_are_counted_whole(void)
{
    static const struct { const char *said[4], *truly[4]; size_t n, right, said_count, true_count; } cases[] = {
        {{"B-PER", "I-PER", "O", "B-LOC"}, {"B-PER", "I-PER", "O", "B-LOC"}, 4, 2, 2, 2},
        {{"B-PER", "O", "O", "B-LOC"}, {"B-PER", "I-PER", "O", "B-LOC"}, 4, 1, 2, 2},
        {{"B-PER", "B-PER", "O", "O"}, {"B-PER", "I-PER", "O", "O"}, 4, 0, 2, 1},
        {{"I-PER", "I-PER", "I-LOC", "O"}, {"B-PER", "I-PER", "B-LOC", "O"}, 4, 2, 2, 2},      /* I- begins one, too */
        {{"B-PER", "I-LOC", "O", "O"}, {"B-PER", "I-PER", "O", "O"}, 4, 0, 2, 1},
        {{"O", "O", "O", "O"}, {"B-PER", "O", "I-PER", "I-PER"}, 4, 0, 0, 2},
        {{"S-PER", "S-PER", "B-LOC", "E-LOC"}, {"S-PER", "O", "B-LOC", "E-LOC"}, 4, 2, 3, 2},
        {{"E-PER", "E-PER", "O", "I-LOC"}, {"E-PER", "E-PER", "O", "I-LOC"}, 4, 3, 3, 3},      /* so does E- behind E- */
        {{"E-PER", "E-PER", "I-PER", "O"}, {"O", "E-PER", "O", "O"}, 4, 1, 3, 1},
        {{"B-A", "I-B", "O", "B-CAT"}, {"B-B", "I-B", "O", "B-HAT"}, 4, 0, 3, 2},  /* kinds alike but for one letter */
        {{"B-A-C", "I-B-C", "O", "O"}, {"B-A-C", "I-A-C", "O", "O"}, 4, 0, 2, 1},  /* A-C and B-C: behind the first - */
        {{"O"}, {"O"}, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EntityCounts c = {0};
        entities_count(&c, cases[i].said, cases[i].truly, cases[i].n);
        check(c.right == cases[i].right && c.said == cases[i].said_count && c.truly == cases[i].true_count,
              "case %zu: %zu right, %zu said, %zu true", i, c.right, c.said, c.truly);
    }
    check_value("F1", entities_f1(&(EntityCounts){1, 3, 2}), 0.4, 1e-15);
    check_value("F1 of nothing", entities_f1(&(EntityCounts){0, 0, 0}), 0, 0);
    check(labels_are_entities((const char *const[]){"O", "B-X", "S-Y"}, 3), "O, B-, S-");
    check(!labels_are_entities((const char *const[]){"O", "NOUN"}, 2), "parts of speech are no entities");
}

/* By hand, by the rule of SQuAD's script. */
static void answers_are_scored_by_their_words(void)
{
    static const struct { const char *said, *right[3]; double f1; bool exact; } cases[] = {
        {"The Denver Broncos!", {"denver broncos"}, 1, true},
        {"Denver Broncos team", {"Denver Broncos"}, 0.8, false},
        {"Broncos", {"Panthers", "the Denver Broncos"}, 2.0 / 3, false},
        {"in 1999", {"1999", "year 1999", "In 1999."}, 1, true},
        {"", {NULL}, 1, true},
        {"the", {NULL}, 1, true},                       /* nothing but an article */
        {"cat", {NULL}, 0, false},
        {"", {"cat"}, 0, false},
        {"cat cat dog", {"cat dog dog"}, 2.0 / 3, false},
        {"CAF\303\211", {"caf\303\251"}, 1, true},
        {"dog cat", {"cat dog"}, 1, false},
        {"a\302\240cat", {"cat"}, 1, true},             /* a blank that is none of ASCII */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char right[3][64];
        char *list[3] = {right[0], right[1], right[2]};
        size_t count = 0;
        double f1 = -1;
        bool exact = false;
        Error e = {0};
        for (; count < 3 && cases[i].right[count]; count++) strcpy(right[count], cases[i].right[count]);
        check(answer_score(&f1, &exact, (Text){cases[i].said, strlen(cases[i].said)}, list, count, &e) == BERT_OK, "%s",
              e.message);
        check_value(cases[i].said, f1, cases[i].f1, 1e-15);
        check(exact == cases[i].exact, "case %zu: exact", i);
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * --task tag
 * ------------------------------------------------------------------------------------------------------------------ */
#define TAG "./bert train -q -m %s --task tag -f %s/text --batch 4 --learning-rate 3e-3 --schedule constant --seed 2 " \
            "--dropout 0.05"

/* Three kinds of sentences, six times. */
static void write_words(void)
{
    run("for i in 1 2 3 4 5 6; do printf 'the\\tO\\nbig\\tB-PET\\ncat\\tI-PET\\nsat\\tO\\n\\nmy\\tO\\ndog\\tB-PET\\nlikes\\tO\\n"
        "embeddings\\tB-THING\\n \\nthe\\tO\\nriver\\tB-THING\\nbank\\tI-THING\\n'; [ $i = 6 ] || echo; done > %s/text",
        work);
}

static void words_with_labels_are_learned(void)
{
    if (!make_work()) return;
    write_words();
    check(run(TAG " --dev %s/text --steps 120 -o %s/t 2>&1", tiny, work, work, work) == 0, "%s", output);
    check_value("accuracy", logged("t", "dev_tag_accuracy"), 1, 0);
    check_value("macro F1", logged("t", "dev_tag_macro_f1"), 1, 0);
    check_value("F1 of entities", logged("t", "dev_tag_span_f1"), 1, 0);
    check(run("./bert tag -q -m %s/t --aggregate first 'my dog likes embeddings' | cut -f 3,5 | tr '\\n' ' '", work) == 0, "%s", output);
    check_text("tags", output, "PET\tdog THING\tembeddings  ");
    check(run("grep -c pooler %s/t/model.safetensors", work) == 1, "Hugging Face's class has no pooler");
    check(run("sed -i 's/[BI]-//' %s/text; " TAG " --dev %s/text --steps 2 -o %s/u 2>&1", work, tiny, work, work, work) ==
          0 && logged("u", "dev_tag_macro_f1") >= 0, "%s", output);
    check(logged("u", "dev_tag_span_f1") < 0, "labels that are no entities have no F1 of entities");
    remove_work();
}

static void words_are_learned_with_the_same_bits(void)
{
    if (!make_work()) return;
    write_words();
    check(run(TAG " --steps 9 -o %s/a 2>&1", tiny, work, work) == 0, "%s", output);
    check(run(TAG " --steps 9 --micro-batch 1 -o %s/b 2>&1", tiny, work, work) == 0, "%s", output);
    same_model("a", "b");
    check(run(TAG " --steps 4 -o %s/d 2>&1", tiny, work, work) == 0, "%s", output);
    check(run(TAG " --steps 9 --resume -o %s/d 2>&1", tiny, work, work) == 0, "%s", output);
    same_model("a", "d");
    remove_work();
}

/* Only the first piece of a word has a label, and a sentence that is cut loses its last words. */
static void a_word_counts_once(void)
{
    if (!make_work()) return;
    run("printf 'embeddings\\tX\\ncat\\tY\\n' > %s/text", work);            /* em ##bed ##ding ##s; cat */
    check(run(TAG " --dev %s/text --steps 1 --learning-rate 0 -o %s/a 2>&1", tiny, work, work, work) == 0, "%s", output);
    const double accuracy = logged("a", "dev_tag_accuracy");
    check(accuracy == 0 || accuracy == 0.5 || accuracy == 1, "two labels, not five: %g", accuracy);
    check(run(TAG " --steps 1 --max-length 6 -o %s/b 2>&1", tiny, work, work) == 4 &&
          strstr(output, "line 2: the sentence that begins in line 1 has more than 6 tokens: --truncate cuts it"), "%s",
          output);
    check(run(TAG " --steps 1 --max-length 6 --truncate --dev %s/text -o %s/b 2>&1", tiny, work, work, work) == 0, "%s",
          output);
    check(logged("b", "dev_tag_accuracy") == 0 || logged("b", "dev_tag_accuracy") == 1, "one label is left");
    remove_work();
}

static void bad_words_end_in_one_line(void)
{
    static const struct { const char *text, *dev, *says; } cases[] = {
        {"", "x", "line 1: the end, and no word with a label before it"},
        {"\\n\\n", "x", "line 3: the end, and no word with a label before it"},
        {"a\\tX\\ncat\\n", "x", "line 2: there is no tab: WORD<TAB>LABEL is expected"},
        {"a\\tX\\n\\tY\\n", "x", "line 2: there is no word before the tab"},
        {"a\\tX\\nb\\t\\n", "x", "line 2: a label of 0 bytes, expected 1 to 200"},
        {"a\\tX\\nb\\tNN\\tY\\n", "x", "line 2: byte 3 of the label is a control character"},
        {"a\\tX\\n\\377\\tY\\n", "x", "line 2, byte 1: 0xFF is not valid UTF-8"},
        {"a\\tX\\nb\\tX\\n", "x", "all words have the same label"},
        {"a\\tX\\nb\\tY\\n", "a\\tX\\n\\nb\\tZ\\n", "dev: line 3: the label is none of those"},
        {"a\\tX\\nb\\tY\\n", "", "dev: line 1: the end"},
    };
    if (!make_work()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run("printf '%s' > %s/text; printf '%s' > %s/dev", cases[i].text, work, cases[i].dev, work);
        const int code = run(TAG " --dev %s/dev --steps 2 -o %s/new 2>&1", tiny, work, work, work);
        check(code == 4 && strstr(output, cases[i].says), "case %zu: code %d: %s", i, code, output);
        check(strchr(output, '\n') == output + output_length - 1, "case %zu: one line: %s", i, output);
        check(run("test -e %s/new/model.safetensors", work) != 0, "case %zu leaves no model", i);
    }
    remove_work();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * --task answer
 * ------------------------------------------------------------------------------------------------------------------ */
#define ANSWER "./bert train -q -m %s --task answer -f %s/q.json --batch 4 --learning-rate 3e-3 --schedule constant " \
               "--seed 2 --dropout 0"

/* A question with its answer at that character (of Python's), or none. */
#define QUESTION(question, answer, start) "{\"id\": \"" question "\", \"question\": \"" question "\", \"answers\": [" \
    "{\"text\": \"" answer "\", \"answer_start\": " #start "}]}"
#define ONE(context, qas) "{\"data\": [{\"paragraphs\": [{\"context\": \"" context "\", \"qas\": [" qas "]}]}]}"
#define CONTEXT1 "the caf\303\251 cat sat on the mat ."
#define CONTEXT2 "my dog went to the river . he likes money . the robber was in the bank , and not in the store ."
static const char questions[] =
    "{\"version\": \"1.1\", \"data\": [{\"title\": \"t\", \"paragraphs\": [{\"context\": \"" CONTEXT1 "\", \"qas\": ["
    QUESTION("cat on ?", "the mat", 20) ", " QUESTION("sat ?", "caf\303\251 cat", 4) "]}]}, {\"paragraphs\": [{\"qas\": ["
    QUESTION("dog went ?", "the river", 15) ", " QUESTION("robber in ?", "the bank", 62)
    "], \"context\": \"" CONTEXT2 "\"}]}]}";

static bool write_json(const char *json)
{
    char path[300];
    snprintf(path, sizeof path, "%s/q.json", work);
    FILE *f = fopen(path, "wb");
    if (!check(f != NULL, "%s", path)) return false;
    fputs(json, f);
    return check(fclose(f) == 0, "%s", path);
}

/* In windows of 20 tokens; both orders of context and qas; a character that is two bytes. */
static void answers_are_learned(void)
{
    if (!make_work() || !write_json(questions)) return;
    check(run(ANSWER " --max-length 20 --dev %s/q.json --steps 150 -o %s/a 2>&1", tiny, work, work, work) == 0, "%s", output);
    check_value("exact", logged("a", "dev_answer_exact"), 1, 0);
    check_value("F1", logged("a", "dev_answer_f1"), 1, 0);
    check(run("./bert answer -q -m %s/a 'sat ?' '" CONTEXT1 "' | cut -f 2-", work) == 0, "%s", output);
    check_text("the answer and its bytes", output, "4\t13\tcaf\303\251 cat\n");
    check(run("./bert train -m %s --task answer -f %s/q.json --max-length 20 --steps 1 -o %s/b 2>&1 | "
              "grep -c '4 questions in [1-9][0-9]* sequences'", tiny, work, work) == 0, "%s", output);
    remove_work();
}

/* Nothing stands behind it but [SEP]. */
static void an_answer_at_the_end_of_a_context_is_whole(void)
{
    if (!make_work() || !write_json(ONE("the cat sat on the mat", QUESTION("on ?", "the mat", 15)))) return;
    check(run(ANSWER " --dev %s/q.json --steps 40 -o %s/a 2>&1", tiny, work, work, work) == 0, "%s", output);
    check_value("exact", logged("a", "dev_answer_exact"), 1, 0);
    check_value("F1", logged("a", "dev_answer_f1"), 1, 0);
    check(run("./bert answer -q -m %s/a 'on ?' 'the cat sat on the mat' | cut -f 2-", work) == 0, "%s", output);
    check_text("the answer and its bytes", output, "15\t22\tthe mat\n");
    remove_work();
}

/* What is held out is answered with at most 30 tokens: an answer of 30 is found, one of 31 cannot be. */
static void held_out_answers_have_at_most_30_tokens(void)
{
#define FIVE "the cat sat on the "
#define THIRTY FIVE FIVE FIVE FIVE FIVE "dog was my mat ,"
    static const char *const answers[] = {THIRTY, THIRTY " he"};
    char json[2000];
    if (!make_work()) return;
    run("sed 's/_embeddings\": 32/_embeddings\": 64/' %s/config.json > %s/c.json", tiny, work);
    for (int i = 0; i < 2; i++) {
        snprintf(json, sizeof json, ONE(THIRTY " he", "{\"question\": \"who ?\", \"answers\": [{\"text\": \"%s\", "
                                        "\"answer_start\": 0}]}"), answers[i]);
        if (!write_json(json)) return;
        check(run("./bert train -q --config %s/c.json --vocab %s/vocab.txt --task answer -f %s/q.json --dev %s/q.json "
                  "--batch 2 --learning-rate 1e-2 --schedule constant --dropout 0 --steps 40 -o %s/a%d 2>&1", work,
                  tiny, work, work, work, i) == 0, "%s", output);
        snprintf(json, sizeof json, "a%d", i);
        check_value("starts and ends", logged(json, "dev_answer_accuracy"), 1, 0);
        check_value("exact", logged(json, "dev_answer_exact"), i == 0, 0);
    }
    remove_work();
}

static void answers_are_learned_with_the_same_bits(void)
{
    if (!make_work() || !write_json(questions)) return;
    check(run(ANSWER " --steps 9 -o %s/a 2>&1", tiny, work, work) == 0, "%s", output);
    check(run(ANSWER " --steps 9 --micro-batch 3 -o %s/b 2>&1", tiny, work, work) == 0, "%s", output);
    same_model("a", "b");
    check(run(ANSWER " --steps 5 -o %s/d 2>&1", tiny, work, work) == 0, "%s", output);
    check(run(ANSWER " --steps 9 --resume -o %s/d 2>&1", tiny, work, work) == 0, "%s", output);
    same_model("a", "d");
    remove_work();
}

/* Members that SQuAD's files do not have, of every type, before and behind each object's own, change nothing. */
static void unknown_members_of_questions_are_skipped(void)
{
#define ODD(name) "\"" name "1\": \"my dog\", \"" name "2\": 7, \"" name "3\": [{\"text\": \"he\"}], \"" name "4\": null"
#define PLAIN "{\"text\": \"the mat\", \"answer_start\": 15}"
    static const char plain[] = "{\"data\": [{\"paragraphs\": [{\"context\": \"the cat sat on the mat\", \"qas\": ["
        "{\"question\": \"on ?\", \"answers\": [" PLAIN "]}]}]}]}";
    static const char odd[] = "{" ODD("a") ", \"data\": [{" ODD("b") ", \"paragraphs\": [{" ODD("c")
        ", \"context\": \"the cat sat on the mat\", " ODD("d") ", \"qas\": [{" ODD("e") ", \"question\": \"on ?\", " ODD("f")
        ", \"plausible_answers\": [" PLAIN "], \"answers\": [{" ODD("g") ", \"text\": \"the mat\", " ODD("h")
        ", \"answer_start\": 15, " ODD("i") "}], " ODD("j") "}], " ODD("k") "}], " ODD("l") "}], " ODD("m") "}";
    static const char *const files[] = {plain, odd};
    if (!make_work()) return;
    for (int i = 0; i < 2; i++) {
        if (!write_json(files[i])) return;
        check(run(ANSWER " --dev %s/q.json --steps 2 -o %s/a%d 2>&1", tiny, work, work, work, i) == 0, "%s", output);
        check(logged(i ? "a1" : "a0", "dev_answer_loss") == logged("a0", "dev_answer_loss") && logged("a0", "dev_answer_loss") > 0,
              "the same is held out");
    }
    check(run("cmp %s/a0/model.safetensors %s/a1/model.safetensors 2>&1", work, work) == 0, "%s", output);
    remove_work();
}

/* Of several right answers the first one is learned, wherever it stands. */
static void the_first_answer_is_learned(void)
{
    static const char *const answers[] = {"{\"text\": \"the cat\", \"answer_start\": 0}",
        "{\"text\": \"the cat\", \"answer_start\": 0}, {\"text\": \"the mat\", \"answer_start\": 15}",
        "{\"text\": \"the mat\", \"answer_start\": 15}, {\"text\": \"the cat\", \"answer_start\": 0}"};
    char json[1000];
    if (!make_work()) return;
    for (int i = 0; i < 3; i++) {
        snprintf(json, sizeof json, ONE("the cat sat on the mat", "{\"question\": \"who ?\", \"answers\": [%s]}"), answers[i]);
        if (!write_json(json)) return;
        check(run(ANSWER " --steps 2 -o %s/a%d 2>&1", tiny, work, work, i) == 0, "%s", output);
    }
    check(run("cmp %s/a0/model.safetensors %s/a1/model.safetensors 2>&1", work, work) == 0, "%s", output);
    check(run("cmp -s %s/a0/model.safetensors %s/a2/model.safetensors", work, work) == 1, "another answer, another model");
    remove_work();
}

/* Two of three say that there is no answer: so says the model, though the answer of the third has a positive score, too.
 * Each held-out question is judged by itself, the first as well as the second. */
static void a_question_without_an_answer_is_judged_by_itself(void)
{
#define NONE "{\"question\": \"on ?\", \"is_impossible\": true, \"answers\": []}"
#define SAT "the cat sat on the mat"
    static const char *const held_out[] = {ONE(SAT, NONE), ONE(SAT, NONE ", " NONE)};
    char dev[600];
    if (!make_work()) return;
    snprintf(dev, sizeof dev, "mv %s/q.json %s/dev.json", work, work);
    for (int i = 0; i < 2; i++) {
        if (!write_json(held_out[i]) || run("%s", dev) != 0 || !write_json(ONE(SAT, NONE ", " NONE ", " QUESTION("on ?", "the mat", 15))))
            return;
        check(run(ANSWER " --batch 3 --dev %s/dev.json --steps 60 -o %s/a%d 2>&1", tiny, work, work, work, i) == 0, "%s", output);
        check_value("exact", logged(i ? "a1" : "a0", "dev_answer_exact"), 1, 0);
    }
    check(run("./bert answer -q --impossible -m %s/a0 --top-k 1 'on ?' '" SAT "' | cut -f 2-", work) == 0, "%s", output);
    check_text("none", output, "0\t0\t\n");
    check(run("./bert answer -q -m %s/a0 --top-k 1 'on ?' '" SAT "' | cut -f 2-", work) == 0, "%s", output);
    check_text("the answer that it has", output, "15\t22\tthe mat\n");
    remove_work();
}

/* Each with the file, and the question where there is one. */
static void bad_questions_end_in_one_line(void)
{
    static const struct { const char *json, *options, *says; int code; } cases[] = {
        {"", "", "q.json", 3},
        {"{}", "", "there is no question in data[].paragraphs[].qas[]", 4},
        {"{\"data\": []} x", "", "q.json: JSON, byte 13: found 'x'", 3},
        {"{\"data\": {}}", "", "q.json: JSON, byte 9: found '{', expected an array", 3},
        {"{\"data\": [{\"paragraphs\": [{\"qas\": []}]}]}", "", "a paragraph without \"context\", before question 1", 3},
        {ONE("the cat", "{\"id\": \"x\"}"), "", "question 1 (id x): there is no \"question\"", 4},
        {ONE("the cat", QUESTION("on ?", "dog", 4)), "", "question 1 (id on ?): the answer is not at character 4", 4},
        {ONE("the cat", QUESTION("on ?", "cat", 5)), "", "the answer is not at character 5 of the context", 4},
        {ONE("the cat", QUESTION("on ?", "cat", -1)), "", "the answer is not at character -1 of the context", 4},
        {ONE("the cat", QUESTION("on ?", "cat", 99)), "", "the answer is not at character 99 of the context", 4},
        {ONE("the cat", QUESTION("on ?", "", 0)), "", "an answer without text", 4},
        {ONE("the cat", QUESTION("on ?", "cat", 4) ", {\"question\": 3}"), "", "found '3', expected a string", 3},
        {ONE("the cat", "{\"question\": \"on\", \"is_impossible\": true, \"answers\": [{\"text\": \"cat\", \"answer_start\": "
             "4}]}"), "", "is_impossible is true, but there is an answer", 4},
        {ONE("the cat sat on the mat", QUESTION("the dog sat on the cat and the man", "cat", 4)), "--max-length 13",
         "question 1 (id the dog sat on the cat and the man): the question and special tokens take 12 of --max-length 13", 4},
        {ONE("the cat", QUESTION("on ?", "cat", 4)), "--max-length 64", "--max-length 64: the model has 32 positions", 2},
    };
    if (!make_work()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!write_json(cases[i].json)) return;
        const int code = run(ANSWER " --steps 2 -o %s/new %s 2>&1", tiny, work, work, cases[i].options);
        check(code == cases[i].code && strstr(output, cases[i].says), "case %zu: code %d: %s", i, code, output);
        check(strchr(output, '\n') == output + output_length - 1, "case %zu: one line: %s", i, output);
        check(run("test -e %s/new/model.safetensors", work) != 0, "case %zu leaves no model", i);
    }
    check(run("./bert train -m %s --task answer --steps 2 -o %s/new 2>&1 < /dev/null", tiny, work) == 2 &&
          strstr(output, "--task answer needs -f FILE"), "%s", output);
    remove_work();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Dropout before the heads
 * ------------------------------------------------------------------------------------------------------------------ */

/* The loss of one step with that line in config.json; the other dropouts are 0. */
static double loss_with(const char *line, const char *task)
{
    check(run("sed 's/^{/{ %s/' %s/kept.json > %s/m/config.json && ./bert train -q -m %s/m --task %s -f %s/%s "
              "--steps 1 -o %s/o 2>&1", line, work, work, work, task, work, task, work) == 0, "%s", output);
    const double loss = logged("o", "loss");
    run("rm -r %s/o", work);
    return loss;
}

/* A loss that is no number is said with the line of the step's first example, or the place of its question. */
static void a_loss_that_is_no_number_names_a_line(void)
{
    static const struct { const char *task, *text, *says; } cases[] = {
        {"classify", "a\tthe cat sat\nb\tmy dog\n", "/data: line 1 and others: step"},
        {"tag", "\n\n\nthe\tO\ncat\tX\n", "/data: line 4 and others: step"},
        {"answer", ONE("the cat", QUESTION("on ?", "cat", 4)), "/data: line 1 and others: step"}};
    if (!make_work()) return;
    for (int i = 0; i < 3; i++) {
        const int code = run("printf '%s' > %s/data; ./bert train -q -m %s --task %s -f %s/data --learning-rate 9e5 --clip 0 "
                             "--steps 9 --batch 1 --schedule constant -o %s/a%d 2>&1", cases[i].text, work, tiny, cases[i].task,
                             work, work, i);
        check(code == 4 && strstr(output, cases[i].says), "%s: code %d: %s", cases[i].task, code, output);
    }
    remove_work();
}

/* [CLS] A [SEP] B [SEP] are five: a model that has fewer positions learns neither from texts nor a task. */
static void a_model_of_four_positions_is_refused(void)
{
    static const char *const tasks[] = {"", "--task classify", "--task tag"};
    if (!make_work()) return;
    run("sed 's/\"max_position_embeddings\": 32/\"max_position_embeddings\": 4/' %s/config.json > %s/config.json", tiny, work);
    run("printf 'a\tthe\nb\tcat\n' > %s/text", work);
    for (int i = 0; i < 3; i++) {
        const int code = run("./bert train -q --config %s/config.json --vocab %s/vocab.txt %s -f %s/text --steps 1 -o %s/x 2>&1",
                             work, tiny, tasks[i], work, work);
        check(code == 3 && strstr(output, "the model has 4 positions, 5 are the least"), "%s: code %d: %s", tasks[i], code,
              output);
    }
    check(run("test -e %s/x", work) != 0, "nothing is written");
    remove_work();
}

/* Which key of config.json says how much of what a head reads is dropped, for BERT and for DistilBERT: Hugging Face's
 * classifier_dropout is for texts and words; seq_classif_dropout for texts, qa_dropout for answers, and words have
 * `dropout`. Only its own key changes the loss. */
static void each_head_has_its_own_dropout(void)
{
    static const char *const tasks[] = {"classify", "tag", "answer"};
    static const char *const keys[] = {"classifier_dropout", "seq_classif_dropout", "qa_dropout"};
    static const bool counts[2][3][3] = {{{1, 0, 0}, {1, 0, 0}, {0, 0, 0}}, {{0, 1, 0}, {0, 0, 0}, {0, 0, 1}}};
    if (!make_work()) return;
    run("printf 'a\\tthe cat sat\\nb\\tmy dog on the mat\\n' > %s/classify; printf 'the\\tO\\ncat\\tB-X\\n' > %s/tag",
        work, work);
    check(write_json(ONE("the cat sat on the mat", QUESTION("on ?", "the mat", 15))), "the question");
    run("mv %s/q.json %s/answer", work, work);
    for (int distil = 0; distil < 2; distil++) {
        run("printf '{\\n\"vocab_size\": 101, \"max_position_embeddings\": 32, \"initializer_range\": 0.3, %s}' > %s/kept.json",
            distil ? "\"model_type\": \"distilbert\", \"n_layers\": 2, \"dim\": 24, \"n_heads\": 3, \"hidden_dim\": 56, "
                     "\"dropout\": 0, \"attention_dropout\": 0" :
                     "\"model_type\": \"bert\", \"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, "
                     "\"intermediate_size\": 56, \"hidden_dropout_prob\": 0, \"attention_probs_dropout_prob\": 0", work);
        check(run("rm -rf %s/m; ./bert train -q --config %s/kept.json --vocab %s/vocab.txt -f tests/golden/train.txt "
                  "--truncate --no-nsp --max-length 32 --steps 1 --warmup 1 -o %s/m 2>&1", work, work, tiny, work) == 0,
              "%s", output);
        for (int task = 0; task < 3; task++) {
            const double plain = loss_with("\"seq_classif_dropout\": 0, \"qa_dropout\": 0,", tasks[task]);
            for (int key = 0; key < 3; key++) {
                char line[160];
                snprintf(line, sizeof line, "%s%s\"%s\": 0.5,", key == 1 ? "" : "\"seq_classif_dropout\": 0,",
                         key == 2 ? "" : "\"qa_dropout\": 0,", keys[key]);
                const double loss = loss_with(line, tasks[task]);
                check(plain >= 0 && (loss != plain) == counts[distil][task][key], "%s, %s, %s: loss %g, without %g",
                      distil ? "distilbert" : "bert", tasks[task], keys[key], loss, plain);
            }
        }
    }
    remove_work();
}

const Test train_task_tests[] = {
    {"a_loss_that_is_no_number_names_a_line", a_loss_that_is_no_number_names_a_line},
    {"a_model_of_four_positions_is_refused", a_model_of_four_positions_is_refused},
    {"each_head_has_its_own_dropout", each_head_has_its_own_dropout},
    {"entities_are_counted_whole", entities_are_counted_whole},
    {"answers_are_scored_by_their_words", answers_are_scored_by_their_words},
    {"words_with_labels_are_learned", words_with_labels_are_learned},
    {"words_are_learned_with_the_same_bits", words_are_learned_with_the_same_bits},
    {"a_word_counts_once", a_word_counts_once},
    {"bad_words_end_in_one_line", bad_words_end_in_one_line},
    {"answers_are_learned", answers_are_learned},
    {"an_answer_at_the_end_of_a_context_is_whole", an_answer_at_the_end_of_a_context_is_whole},
    {"held_out_answers_have_at_most_30_tokens", held_out_answers_have_at_most_30_tokens},
    {"the_first_answer_is_learned", the_first_answer_is_learned},
    {"a_question_without_an_answer_is_judged_by_itself", a_question_without_an_answer_is_judged_by_itself},
    {"unknown_members_of_questions_are_skipped", unknown_members_of_questions_are_skipped},
    {"answers_are_learned_with_the_same_bits", answers_are_learned_with_the_same_bits},
    {"bad_questions_end_in_one_line", bad_questions_end_in_one_line},
    {NULL, NULL}
};
