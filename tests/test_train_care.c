/* test_train_care.c - what `bert train` says before it goes wrong, and what it leaves when it has: sizes that were filled
 * in, files that are somebody's, settings that differ, signals, doubts. */
#include "shell.h"

#define TEXT " -f tests/golden/train.txt --batch 4"
#define NEW "./bert train --config %s/config.json --vocab %s/vocab.txt" TEXT

/* A configuration that leaves sizes out is a model of other sizes than its writer thinks. */
static void sizes_that_are_filled_in_are_said(void)
{
    if (!make_work()) return;
    run("sed '/num_hidden_layers/d' %s/config.json | sed 's/intermediate_size/intermediate_sise/;/\"vocab_size\"/d' > %s/c.json",
        tiny, work);
    check(run("./bert train --config %s/c.json --vocab %s/vocab.txt" TEXT " --steps 1 --batch 1 -o %s/a 2>&1", work, tiny,
              work) == 0, "%s", output);
    check(strstr(output, "c.json: leaves out, and so has the usual: num_hidden_layers 12, intermediate_size 3072\n"), "%s",
          output);
    check(strstr(output, "c.json: leaves out vocab_size, which is 101 then, the pieces of "), "%s", output);
    check(run("grep -c '\"vocab_size\": 101' %s/a/config.json", work) == 0, "the size of the vocabulary");
    check(run("./bert train --resume" TEXT " --steps 1 --batch 1 -o %s/a 2>&1", work) == 0 && !strstr(output, "leaves out"),
          "once is enough: %s", output);
    remove_work();
}

/* Every line of a vocabulary is a piece, an empty one, too, but for empty ones at the end. */
static void pieces_are_counted_by_lines(void)
{
    static const struct { const char *make; int pieces; } cases[] = {
        {"cat %s/vocab.txt", 101}, {"echo; cat %s/vocab.txt", 102}, {"sed 's/^the$//' %s/vocab.txt", 101},
        {"cat %s/vocab.txt; echo; echo", 101}, {"cat %s/vocab.txt; printf 'a\\n\\nb'", 104}, {"sed 's/$/\r/' %s/vocab.txt", 101}};
    if (!make_work()) return;
    run("sed '/\"vocab_size\"/d' %s/config.json > %s/c.json", tiny, work);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char make[400], said[100];
        snprintf(make, sizeof make, cases[i].make, tiny);
        snprintf(said, sizeof said, "vocab_size, which is %d then", cases[i].pieces);
        check(run("{ %s; } > %s/v.txt; ./bert train --config %s/c.json --vocab %s/v.txt" TEXT " --steps 1 --batch 1 -o %s/a%zu 2>&1",
                  make, work, work, work, work, i) == 0 && strstr(output, said), "%s: expected %s: %s", make, said, output);
    }
    remove_work();
}

/* What stood in the directory before stays, byte for byte; a run that failed before its first state leaves nothing. */
static void files_of_others_are_not_written_over(void)
{
    static const char *const own[] = {"config.json", "vocab.txt", "tokenizer_config.json"};
    if (!make_work()) return;
    for (int i = 0; i < 3; i++) {
        run("rm -rf %s/d; mkdir %s/d; echo mine > %s/d/%s", work, work, work, own[i]);
        check(run(NEW " --steps 1 -o %s/d 2>&1", tiny, tiny, work) == 2 && strstr(output, "which would be written over") &&
              strstr(output, own[i]), "%s", output);
        check(run("ls %s/d; cat %s/d/*", work, work) == 0 && strstr(output, "mine"), "it stays: %s", output);
    }
    run("rm -rf %s/d; mkdir %s/d; cp %s/vocab.txt %s/d; echo notes > %s/d/notes", work, work, tiny, work, work);
    check(run("./bert train --config %s/config.json --vocab %s/d/vocab.txt" TEXT " --steps 1 -o %s/d --max-length 4000 2>&1",
              tiny, work, work) == 2, "%s", output);
    check(run("ls %s/d", work) == 0 && !strcmp(output, "notes\nvocab.txt\n"), "only what was there: %s", output);
    check(run("./bert train --config %s/config.json --vocab %s/d/vocab.txt" TEXT " --steps 1 -o %s/d 2>&1", tiny, work, work)
          == 0, "its own vocab.txt: %s", output);
    remove_work();
}

static void a_failed_run_leaves_no_directory(void)
{
    static const char *const fails[] = {"-f /dev/null", "--max-length 64", "--learning-rate 1e5 --clip 0 --steps 9",
                                        "--teacher no-such-model", "--dev /dev/null"};
    if (!make_work()) return;
    for (size_t i = 0; i < sizeof fails / sizeof *fails; i++) {
        check(run(NEW " --steps 2 -o %s/d %s 2>&1", tiny, tiny, work, fails[i]) != 0, "%s: %s", fails[i], output);
        check(run("test -e %s/d", work) != 0, "%s: nothing is left", fails[i]);
        check(run("./bert train -m %s" TEXT " --steps 2 -o %s/d %s 2>&1", tiny, work, fails[i]) != 0, "%s: %s", fails[i],
              output);
        check(run("test -e %s/d", work) != 0, "-m, %s: nothing is left", fails[i]);
    }
    check(run(NEW " --save-every 1 --learning-rate 1e5 --clip 0 --steps 9 -o %s/d 2>&1", tiny, tiny, work) == 4, "%s",
          output);
    check(run("test -s %s/d/training/state.safetensors", work) == 0, "a saved state stays");
    remove_work();
}

static void settings_that_differ_are_said_all_at_once(void)
{
    if (!make_work()) return;
    check(run(NEW " --learning-rate 0.005 --steps 2 -o %s/a 2>&1", tiny, tiny, work) == 0, "%s", output);
    check(run("./bert train" TEXT " --learning-rate 1e-3 --steps 3 --seed 2 --mask 0.3 --max-length 24 --rules google --resume "
              "-o %s/a 2>&1", work) == 2, "%s", output);
    static const char *const says[] = {"--rules was huggingface, and is google", "--seed was 0, and is 2",
                                       "--steps was 2, and is 3", "--max-length was 32, and is 24",
                                       "--learning-rate was 0.005, and is 0.001", "--mask was 0.15, and is 0.3"};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) check(strstr(output, says[i]) != NULL, "%s: %s", says[i], output);
    check(strchr(output, '\n') == output + output_length - 1, "one line: %s", output);
    remove_work();
}

/* SIGTERM, SIGINT and SIGHUP when some steps are done: a line says what is saved, the state is that of that step, and
 * the run that goes on ends with the bytes of one that nobody disturbed. */
static void a_signal_saves_a_whole_state_and_says_so(void)
{
    static const struct { const char *signal, *says; int code; } cases[] = {
        {"TERM", "ended by SIGTERM after step ", 143}, {"INT", "ended by SIGINT (Ctrl-C) after step ", 130},
        {"HUP", "ended by SIGHUP after step ", 129}};
    if (!make_work()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run("rm -rf %s/*", work);
        /* (A shell's background jobs ignore SIGINT; env --default-signal undoes that.) */
        const int code = run("env --default-signal=INT,HUP " NEW " --schedule constant --steps 100000 -o %s/a "
                             "> %s/said 2>&1 & pid=$!; i=0; while [ $(wc -l < %s/a/training/log.jsonl || echo 0) -lt 3 "
                             "] && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done 2> /dev/null; kill -%s $pid; "
                             "wait $pid", tiny, tiny, work,
                             work, work, cases[i].signal);
        check(code == cases[i].code, "%s: code %d", cases[i].signal, code);
        run("cat %s/said", work);
        const char *line = strstr(output, cases[i].says);
        const int step = line ? atoi(line + strlen(cases[i].says)) : -1;
        check(step >= 3 && strstr(output, ", which is saved: --resume goes on from there"), "%s", output);
        check(run("wc -l < %s/a/training/log.jsonl", work) == 0 && atoi(output) == step, "%d lines of log: %s", step, output);
        check(run(NEW " -q --schedule constant --steps %d --resume -o %s/a 2>&1", tiny, tiny, step + 2, work) == 0, "%s",
              output);
        check(run(NEW " -q --schedule constant --steps %d -o %s/b 2>&1", tiny, tiny, step + 2, work) == 0, "%s", output);
        check(run("cmp %s/a/model.safetensors %s/b/model.safetensors 2>&1", work, work) == 0, "%s", output);
    }
    remove_work();
}

/* What a run says that it needs, held against the same sum in words: the weights four times; for each token of a
 * micro-batch what a layer keeps, twice, and what stands around the layers; the logits of hidden words, twice. A limit
 * on memory ends the run before it takes that much. */
static void memory_is_told_before_it_is_taken(void)
{
    static const struct { int L, H, A, F, P, batch, micro; double mask; } cases[] = {
        {2, 24, 3, 56, 32, 200000, 0, 0.15}, {5, 24, 3, 56, 32, 200000, 90000, 0.15}, {2, 24, 3, 56, 64, 70000, 0, 0.6},
        {2, 48, 3, 56, 32, 200000, 0, 0.15}, {2, 24, 8, 56, 32, 200000, 0, 0.15}, {2, 24, 3, 999, 32, 200000, 0, 0.15},
    };
    if (too_slow() || !make_work()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double L = cases[i].L, H = cases[i].H, A = cases[i].A, F = cases[i].F, P = cases[i].P, V = 101;
        const double tokens = (cases[i].micro ? cases[i].micro : cases[i].batch) * P;
        const double weights = (V + P + 3) * H + 2 * H + L * (4 * H * H + 2 * H * F + 9 * H + F) + H * H + H +
                               H * H + 3 * H + V + 2 * H + 2;
        const double floats = 4 * weights + tokens * (L * (8 * H + 2 * F + 2 * A * P) + 8 * H) +
                              2 * tokens * cases[i].mask * V;
        char says[80], micro[40] = "";
        if (cases[i].micro) snprintf(micro, sizeof micro, "--micro-batch %d", cases[i].micro);
        run("sed -E 's/(num_hidden_layers.: )[0-9]+/\\1%d/; s/(hidden_size.: )[0-9]+/\\1%d/; s/(heads.: )[0-9]+/\\1%d/;"
            " s/(intermediate_size.: )[0-9]+/\\1%d/; s/(position_embeddings.: )[0-9]+/\\1%d/' %s/config.json > "
            "%s/c.json", cases[i].L, cases[i].H, cases[i].A, cases[i].F, cases[i].P, tiny, work);
        snprintf(says, sizeof says, "; about %.0f MB of memory\n", 4 * floats / 1e6 + 1);
        const int code = run("(ulimit -v 1500000; ./bert train --config %s/c.json --vocab %s/vocab.txt --truncate "
                             "-f tests/golden/train.txt --steps 1 --batch %d %s --mask %g --max-length %d -o %s/m 2>&1)"
                             "; code=$?; rm -rf %s/m; exit $code", work, tiny, cases[i].batch, micro,
                             cases[i].mask, cases[i].P, work, work);
        check(code == 6 && strstr(output, says), "code %d, expected%s    and not: %s", code, says, output);
    }
    remove_work();
}

/* Without --save-every: what a run that was killed after more than 500 steps has left is the state of step 500, or of
 * one of its multiples. */
static void a_state_is_saved_every_500_steps(void)
{
    if (too_slow() || !make_work()) return;
    run("./bert train -q --config %s/config.json --vocab %s/vocab.txt -f tests/golden/train.txt --batch 1 "
        "--steps 100000 -o %s/a 2> /dev/null & pid=$!; i=0; while [ $(wc -l < %s/a/training/log.jsonl || echo 0) "
        "-lt 520 ] && [ $i -lt 400 ]; do sleep 0.05; i=$((i + 1)); done 2> /dev/null; kill -9 $pid; wait $pid 2> "
        "/dev/null", tiny, tiny, work, work);
    const char *state = "training/state.safetensors";
    check(run("head -c 20000 %s/a/%s | grep -ao '\"step\":\"[0-9]*\"' | tr -dc '0-9'", work, state) == 0, "%s", output);
    check(atoi(output) > 0 && atoi(output) % 500 == 0, "it is that of step %s", output);
    remove_work();
}

static void doubtful_settings_are_said(void)
{
    if (!make_work()) return;
    check(run(NEW " --steps 2 --warmup 5 --mask 0 -o %s/a 2>&1", tiny, tiny, work) == 0, "%s", output);
    check(strstr(output, "--warmup 5: the learning rate only rises in 2 steps") != NULL, "%s", output);
    check(strstr(output, "--mask 0: no word is hidden, so none is learned") != NULL, "%s", output);
    check(run(NEW " --rules google --steps 2 --mask 0 -o %s/g 2>&1", tiny, tiny, work) == 0 &&
          strstr(output, "--mask 0: one token of each sequence is hidden"), "%s", output);
    run("printf 'the \\316\\273\\316\\277\\316\\263\\n\\316\\277\\317\\202\\n' > %s/greek", work);
    check(run(NEW " -f %s/greek --no-nsp --steps 1 -o %s/u 2>&1", tiny, tiny, work, work) == 0 &&
          strstr(output, "66.7% of the tokens are [UNK]"), "%s", output);
    check(run(NEW " --steps 2 -o %s/n 2>&1", tiny, tiny, work) == 0 && !strstr(output, "[UNK]"), "%s", output);
    check(run("./bert vocab --learn 20 -f tests/golden/train.txt 2>&1 > /dev/null") == 0 &&
          strstr(output, "--learn 20 has room for 10 characters, half of it: the "), "%s", output);
    remove_work();
}

const Test train_care_tests[] = {
    {"sizes_that_are_filled_in_are_said", sizes_that_are_filled_in_are_said},
    {"pieces_are_counted_by_lines", pieces_are_counted_by_lines},
    {"files_of_others_are_not_written_over", files_of_others_are_not_written_over},
    {"a_failed_run_leaves_no_directory", a_failed_run_leaves_no_directory},
    {"settings_that_differ_are_said_all_at_once", settings_that_differ_are_said_all_at_once},
    {"a_signal_saves_a_whole_state_and_says_so", a_signal_saves_a_whole_state_and_says_so},
    {"a_state_is_saved_every_500_steps", a_state_is_saved_every_500_steps},
    {"memory_is_told_before_it_is_taken", memory_is_told_before_it_is_taken},
    {"doubtful_settings_are_said", doubtful_settings_are_said},
    {NULL, NULL}
};
