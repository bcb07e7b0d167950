/* test_train.c - what is learned from: pairs of sentences and hidden words, counted; and `bert train` from outside: the
 * same bits in micro-batches of any size, killed and resumed; bad data; what it leaves. */
#include "cli/train.h"
#include "shell.h"
#include <math.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * Texts
 * ------------------------------------------------------------------------------------------------------------------ */

/* Documents of numbered tokens, token i being i: so every token says where it is from. Lengths by a formula. */
static bool numbered_corpus(Corpus *c, int documents, int sentences, int longest)
{
    Error e = {0};
    int32_t ids[512];
    bool ok = true;
    *c = (Corpus){0};
    for (int d = 0; ok && d < documents; d++) {
        for (int s = 0; ok && s < sentences; s++) {
            const int n = 1 + (d * 7 + s * 13) % longest;
            for (int i = 0; i < n; i++) ids[i] = (int32_t)c->tokens + i;
            ok = corpus_add(c, ids, (size_t)n, (size_t)(d * (sentences + 1) + s + 1), &e) == BERT_OK;
        }
        corpus_end_document(c);
    }
    return check(ok, "a text of %d documents: %s", documents, e.message);
}

static size_t document_of(const Corpus *c, size_t token)
{
    size_t d = 0;
    while (c->sentence[c->document[d + 1]] <= token) d++;
    return d;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Pairs
 * ------------------------------------------------------------------------------------------------------------------ */
static int by_place(const void *a, const void *b)
{
    const Pair *p = a, *q = b;
    return p->a < q->a ? -1 : p->a > q->a;
}

/* 400 documents of 12 sentences of up to 30 tokens. What must hold for every pair, and how often what is random
 * happens: within five standard deviations of the binomial distribution, sqrt(p (1 - p) / n). */
static void pairs_are_cut_by_the_rules_of_google(void)
{
    Corpus c;
    Pairs pairs = {0};
    Error e = {0};
    const PairRules rules = {64, true, 3};
    const size_t room = 61;
    if (!numbered_corpus(&c, 400, 12, 30)) return;
    if (!check(make_pairs(&pairs, &c, &rules, 0, &e) == BERT_OK, "%s", e.message)) return;
    size_t foreign = 0, random = 0, cut_in_front = 0, cut_behind = 0, full = 0, follows = 0;
    for (size_t i = 0; i < pairs.count; i++) {
        const Pair *p = &pairs.list[i];
        const size_t length = p->a_end - p->a + p->b_end - p->b;
        check(p->a < p->a_end && p->b < p->b_end && length <= room, "pair %zu has two parts, %zu tokens", i, length);
        check(document_of(&c, p->a) == document_of(&c, p->a_end - 1), "A is of one document");
        check(document_of(&c, p->b) == document_of(&c, p->b_end - 1), "B is of one document");
        full += length == room;
        random += p->random;
        foreign += document_of(&c, p->a) != document_of(&c, p->b);
        follows += p->b == p->a_end;
        if (!p->random) check(p->b >= p->a_end && document_of(&c, p->a) == document_of(&c, p->b), "B comes after A");
        bool at_sentence = false;
        for (size_t s = 0; s < c.sentences; s++) at_sentence |= c.sentence[s] == p->b;
        cut_in_front += !at_sentence;
        at_sentence = false;
        for (size_t s = 1; s <= c.sentences; s++) at_sentence |= c.sentence[s] == p->b_end;
        cut_behind += !at_sentence;
    }
    const double n = (double)pairs.count;
    printf("    %zu pairs: %.1f%% random, %.1f%% full, B cut in front %zu, behind %zu\n", pairs.count,
           100 * (double)random / n, 100 * (double)full / n, cut_in_front, cut_behind);
    check((double)random / n > 0.5 && (double)random / n < 0.65,
          "half of the pairs, and those of one sentence, are random");
    check(foreign == random, "ten tries find another one of 400 documents: %zu of %zu", foreign, random);
    check(cut_in_front > 50 && cut_behind > 50, "what is too long is cut at both ends");
    check(follows > 200, "without a cut B begins where A ends");
    free(pairs.list);
    corpus_free(&c);
}

/* Sentences that stood behind A and were not used, because B came from elsewhere, begin the next pair. Nothing is too
 * long here, so nothing is cut: A and a true B together are the whole text, each token once, in its order. */
static void sentences_that_a_random_pair_did_not_use_are_put_back(void)
{
    Corpus c;
    Pairs pairs = {0};
    Error e = {0};
    const PairRules rules = {256, true, 5};
    if (!numbered_corpus(&c, 60, 9, 4)) return;
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        if (!check(make_pairs(&pairs, &c, &rules, epoch, &e) == BERT_OK, "%s", e.message)) return;
        qsort(pairs.list, pairs.count, sizeof *pairs.list, by_place);
        size_t next = 0;
        for (size_t i = 0; i < pairs.count; i++) {
            const Pair *p = &pairs.list[i];
            check(p->a == next, "epoch %u, pair %zu begins at token %zu, expected %zu", epoch, i, p->a, next);
            next = p->random ? p->a_end : p->b_end;
        }
        check(next == c.tokens, "epoch %u ends at token %zu of %zu", epoch, next, c.tokens);
    }
    free(pairs.list);
    corpus_free(&c);
}

/* One document in ten aims at a shorter length: of 10,000 documents, each long enough for one full pair, so many of the
 * first pairs are shorter than the room, within five standard deviations, sqrt(0.1 * 0.9 / 10000) = 0.003. (All
 * sentences have one token: a pair is exactly as long as it aims at, unless B is random and its document ends.) */
static void one_document_in_ten_is_cut_short(void)
{
    enum { DOCUMENTS = 10000, SENTENCES = 14 };
    Corpus c;
    Pairs pairs = {0};
    Error e = {0};
    const PairRules rules = {12, false, 9};                 /* no B: ten tokens */
    size_t shorter = 0, lengths[11] = {0};
    if (!numbered_corpus(&c, DOCUMENTS, SENTENCES, 1)) return;
    if (!check(make_pairs(&pairs, &c, &rules, 0, &e) == BERT_OK, "%s", e.message)) return;
    for (size_t i = 0; i < pairs.count; i++) {
        const Pair *p = &pairs.list[i];
        if (p->a % SENTENCES) continue;                     /* not the first of its document */
        shorter += p->a_end - p->a < 10;
        lengths[p->a_end - p->a]++;
    }
    /* The shorter length is one of 2 .. 10, each as likely: so 8 of 9 of them are seen to be shorter. */
    const double want = 0.1 * 8 / 9, part = (double)shorter / DOCUMENTS;
    check(fabs(part - want) < 5 * sqrt(want * (1 - want) / DOCUMENTS), "%.4f of the documents are short, expected %.4f",
          part, want);
    for (int n = 2; n < 10; n++) check(lengths[n] > 60, "length %d came %zu times, expected about 111", n, lengths[n]);
    free(pairs.list);
    corpus_free(&c);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Masks
 * ------------------------------------------------------------------------------------------------------------------ */
enum { VOCABULARY = 1000, CLS = 2, SEP = 3, MASK = 4 };
static MaskRules mask_rules(Rules rules)
{
    return (MaskRules){rules, 0.15, 128, VOCABULARY, CLS, SEP, 0, 1, MASK};
}

static bool near(const char *what, double part, double want, double n)
{
    const double allowed = 5 * sqrt(want * (1 - want) / n);
    return check(fabs(part - want) < allowed, "%s: %.5f, expected %.5f, at most %.5f off", what, part, want, allowed);
}

/* 10,000 sequences of 128 tokens, 1.25 million that may be chosen. Of them 15 % are (by Google's rules exactly 19 of
 * each sequence, by Hugging Face's one by one); of these 80 % become [MASK], 10 % a random piece, 10 % stay. A random
 * piece is the same one by chance once in 1,000. Tolerances: five standard deviations. */
static void of_15_percent_80_are_masked_10_replaced_10_kept(void)
{
    enum { T = 128, SEQUENCES = 10000 };
    for (int google = 0; google < 2; google++) {
        const MaskRules rules = mask_rules(google ? RULES_GOOGLE : RULES_HUGGINGFACE);
        int32_t ids[T], labels[T], old[T];
        int rows[T];
        size_t chosen = 0, masked = 0, kept = 0, special = 0, seen[2] = {0};
        bool pieces[VOCABULARY] = {false};
        for (int s = 0; s < SEQUENCES; s++) {
            for (int t = 0; t < T; t++) ids[t] = 5 + (s * 131 + t * 7) % (VOCABULARY - 5);
            ids[0] = CLS, ids[60] = ids[T - 1] = SEP;
            memcpy(old, ids, sizeof ids);
            Draws d = draws_at(1, PURPOSE_MASKS, (uint32_t)s, 0, 0);
            const int count = mask_tokens(ids, T, &rules, &d, rows, labels);
            if (google) check(count == 19, "19 of 128 tokens, not %d", count);
            chosen += (size_t)count;
            for (int i = 0; i < count; i++) {
                const int32_t now = ids[rows[i]];
                check(labels[i] == old[rows[i]] && (!i || rows[i] > rows[i - 1]),
                      "labels are what stood there, in order");
                check(old[rows[i]] != CLS && old[rows[i]] != SEP, "no [CLS] and no [SEP] is chosen");
                if (now == MASK) masked++;
                else if (now == labels[i]) kept++;
                else pieces[now] = true, special += now < 5, seen[now >= VOCABULARY / 2]++;
                old[rows[i]] = now;
            }
            check(!memcmp(old, ids, sizeof ids), "no other token changes");
        }
        const double n = (double)chosen, all = (double)SEQUENCES * (T - 3), replaced = n - (double)(masked + kept);
        printf("    %s: of %.0f tokens %.4f are chosen; of these %.4f masked, %.4f replaced, %.4f kept\n",
               google ? "google" : "huggingface", all, n / all, (double)masked / n, replaced / n, (double)kept / n);
        if (!google) near("chosen", n / all, 0.15, all);
        near("[MASK]", (double)masked / n, 0.8 + 0.1 / VOCABULARY, n);
        near("kept", (double)kept / n, 0.1 + 0.1 / VOCABULARY, n);
        near("of the replaced the upper half", (double)seen[1] / replaced, 0.5, replaced);
        size_t kinds = 0;
        for (int id = 0; id < VOCABULARY; id++) kinds += pieces[id];
        check(kinds == VOCABULARY - 1 && special > 0, "any piece but [MASK] was seen, special ones too: %zu", kinds);
    }
}

/* 15 % of all tokens, [CLS] and [SEP] counted, a half to the even neighbour, at least one, at most 20, in proportion.
 */
static void number_of_masks_by_the_rules_of_google(void)
{
    static const struct { int T, max_length, want; } cases[] = {
        {3, 128, 1}, {4, 128, 1}, {10, 128, 2}, {30, 128, 4}, {50, 128, 8}, {128, 128, 19}, {512, 512, 77},
        {16, 16, 2}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        MaskRules rules = mask_rules(RULES_GOOGLE);
        int32_t ids[512], labels[512];
        int rows[512];
        for (int t = 0; t < cases[k].T; t++) ids[t] = t == 0 ? CLS : t == 1 ? SEP : 10;
        rules.max_length = cases[k].max_length;
        Draws d = draws_at(0, PURPOSE_MASKS, 0, 0, 0);
        const int count = mask_tokens(ids, cases[k].T, &rules, &d, rows, labels);
        check(count == cases[k].want, "%d tokens: %d chosen, expected %d", cases[k].T, count, cases[k].want);
    }
    MaskRules rules = mask_rules(RULES_GOOGLE);
    int32_t ids[128], labels[128];
    int rows[128];
    rules.probability = 0.5;
    for (int t = 0; t < 128; t++) ids[t] = 10;
    Draws d = draws_at(0, PURPOSE_MASKS, 0, 0, 0);
    check(mask_tokens(ids, 128, &rules, &d, rows, labels) == 20, "20 of 128 tokens are the most");
}

/* The sentence of the paper, A.1, and of the documents: my dog is cute. he likes playing. From text to what the model
 * is to guess, step by step. */
static void my_dog_is_cute_step_by_step(void)
{
    TrainData data = {.pair_rules = {16, true, 0}};
    Exercise x;
    Tokenizer t;
    Error e = {0};
    char directory[256], line[400];
    static const char *const sentences[] = {"my dog is cute", "he likes playing"};
    Encoding encoding = {0};
    const EncodeOptions plain = {.no_add_special = true};
    size_t hidden[3] = {0};
    if (!formula_directory(directory) || formula_model(directory, "tiny", &e) != BERT_OK ||
        !check(tokenizer_load(&t, directory, CASE_AUTO, &e) == BERT_OK, "%s", e.message)) return;
    for (int i = 0; i < 2; i++) {                           /* 1. sentences into tokens; one document */
        const Text text = {sentences[i], strlen(sentences[i])};
        check(encode(&t, text, NULL, &plain, &encoding, &e) == BERT_OK, "%s", e.message);
        corpus_add(&data.corpus, encoding.input_ids, (size_t)encoding.T, (size_t)i + 1, &e);
    }
    data.mask_rules = (MaskRules){RULES_GOOGLE, 0.15, 16, t.V, t.cls_id, t.sep_id, t.pad_id, t.unk_id, t.mask_id};
    if (!check(exercise_new(&x, 1, 16, &e) == BERT_OK, "%s", e.message)) return;
    const int32_t cute = tokenizer_id(&t, "cute", 4);
    for (int64_t step = 0; step < 4000; step++) {
        check(exercise_fill(&x, &data, step, &e) == BERT_OK, "%s", e.message);
        if (x.next_sentence[0] || x.T[0] != 11 || x.row[1] < 1 || x.labels[0] != cute) continue;
        line[0] = 0;                                        /* 2. a pair, 3. framed; 4. `cute` is hidden */
        for (int n = 0; n < x.T[0]; n++) strcat(strcat(line, n ? " " : ""), tokenizer_piece(&t, x.ids[n]));
        const int32_t now = x.ids[4];
        const int kind = now == t.mask_id ? 0 : now == cute ? 1 : 2;
        if (!hidden[kind]++) printf("    %s\n", line);
        check(x.rows[0] == 4 && x.labels[0] == cute, "the label of place 4 is cute");
        for (int n = 0; n < x.T[0]; n++) check(x.types[n] == (n >= 6) && x.mask[n] == 1, "segment of token %d", n);
        x.ids[4] = cute;
        if (x.row[1] == 2) x.ids[x.rows[1]] = x.labels[1];
        line[0] = 0;
        for (int n = 0; n < x.T[0]; n++) strcat(strcat(line, n ? " " : ""), tokenizer_piece(&t, x.ids[n]));
        check_text("with the labels put back", line, "[CLS] my dog is cute [SEP] he likes play ##ing [SEP]");
    }
    const double n = (double)(hidden[0] + hidden[1] + hidden[2]);
    check(n > 100, "cute was hidden %.0f times", n);
    near("cute becomes [MASK]", (double)hidden[0] / n, 0.8, n);
    near("cute stays", (double)hidden[1] / n, 0.1, n);
    exercise_free(&x);
    train_data_free(&data);
    encoding_free(&encoding);
    tokenizer_free(&t);
    formula_remove(directory);
}

/* The exercises of a step depend on its number alone: forwards, backwards, in jumps. */
static void exercises_depend_on_the_step_alone(void)
{
    enum { STEPS = 40, B = 7, LENGTH = 24 };
    TrainData data = {.pair_rules = {LENGTH, true, 11}, .mask_rules = mask_rules(RULES_HUGGINGFACE)};
    Exercise x;
    Error e = {0};
    int32_t *all = calloc(STEPS * B * LENGTH, sizeof *all);
    if (!numbered_corpus(&data.corpus, 5, 6, 9) || exercise_new(&x, B, LENGTH, &e) != BERT_OK ||
        !check(all != NULL, "memory")) return;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < STEPS; i++) {
            const int step = round == 0 ? i : round == 1 ? STEPS - 1 - i : i * 17 % STEPS;
            int32_t *want = all + step * B * LENGTH;
            check(exercise_fill(&x, &data, step, &e) == BERT_OK, "%s", e.message);
            const size_t bytes = x.token[B] * sizeof *want;
            if (!round) memcpy(want, x.ids, bytes);
            else check(!memcmp(want, x.ids, bytes), "step %d, in another order", step);
        }
    check(data.epoch > 0, "some passes through the text");
    free(all);
    exercise_free(&x);
    train_data_free(&data);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * First weights
 * ------------------------------------------------------------------------------------------------------------------ */

/* Of 20,000 numbers: mean, deviation, and how many are beyond two deviations (4.55 % of the normal distribution, none
 * of Google's, whose deviation the cut makes 0.8796 times as large). Five standard deviations of each. */
static void random_weights_are_normal(void)
{
    enum { COUNT = 20000 };
    for (int google = 0; google < 2; google++) {
        static real matrix[COUNT], gamma[8], bias[8], words[64];
        Parameter list[] = {
            {.name = "pooler.dense.weight", .rows = 100, .cols = 200, .count = COUNT, .decays = true, .value = matrix},
            {.name = "embeddings.LayerNorm.weight", .cols = 8, .count = 8, .norm = true, .value = gamma},
            {.name = "pooler.dense.bias", .cols = 8, .count = 8, .value = bias},
            {.name = "embeddings.word_embeddings.weight", .rows = 8, .cols = 8, .count = 64, .decays = true,
             .value = words},
        };
        const Parameters p = {.list = list, .count = 4};
        double sum = 0, squares = 0, beyond = 0;
        random_weights(&p, google ? RULES_GOOGLE : RULES_HUGGINGFACE, 0.02, 5, 1);
        for (int i = 0; i < COUNT; i++) {
            const double z = (double)matrix[i] / 0.02;
            sum += z, squares += z * z, beyond += fabs(z) > 2.000001;
        }
        const double deviation = google ? 0.8796 : 1;
        check_value("mean", sum / COUNT, 0, 5 * deviation / sqrt(COUNT));
        check_value("deviation", sqrt(squares / COUNT), deviation, 5 * deviation / sqrt(2 * COUNT));
        if (google) check(beyond == 0, "none is beyond two deviations");
        else near("beyond two deviations", beyond / COUNT, 0.0455, COUNT);
        for (int i = 0; i < 8; i++) {
            check(gamma[i] == 1 && bias[i] == 0, "LayerNorm's weights are 1, biases 0");
            check((words[8 + i] == 0) == !google, "the row of [PAD]");
            check(words[i] != 0, "other rows");
        }
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * bert train, from outside
 * ------------------------------------------------------------------------------------------------------------------ */
#define TRAIN "./bert train -q --config %s/config.json --vocab %s/vocab.txt --steps 20 --batch 11 --warmup 4 " \
              "--learning-rate 1e-2 --save-every 3 -f tests/golden/train.txt"
/* The first 64 characters of what sha256sum prints for a file of the work directory. */
static void hash_of(const char *file, char hex[65])
{
    hex[0] = 0;
    if (run("sha256sum %s/%s", work, file) == 0) snprintf(hex, 65, "%.64s", output);
}

/* 20 steps from random weights: the committed bits, of float32. */
static const char twenty_steps[] = 
    "9f05b1fcfa498c0ef8ae9320db3736dff7dfe9b27140d064dad4e7a2289b20e5";

/* 120 pieces of the same text. */
static const char learned_vocabulary[] =
    "604d0f3e91709b8ff2288831243d3f3975c8e8a76d67d1a31bf72b1b65e5e156";

static void twenty_steps_have_the_same_bits_in_any_micro_batches(void)
{
    char hex[65], state[65] = "", other[65];
    if (!make_work()) return;
    for (int size = 1; size <= 11; size += size < 3 ? 1 : 8) {
        check(run(TRAIN " -o %s/m%d --micro-batch %d 2>&1", tiny, tiny, work, size, size) == 0, "%s", output);
        char file[64];
        snprintf(file, sizeof file, "m%d/model.safetensors", size);
        hash_of(file, hex);
        check_text("the model after 20 steps", hex, twenty_steps);
        snprintf(file, sizeof file, "m%d/training/state.safetensors", size);
        hash_of(file, other);
        if (size == 1) strcpy(state, other);
        check_text("the state after 20 steps", other, state);
    }
    remove_work();
}

/* A file of tensors of the work directory is not there, or opens: its header, its length, every offset. */
static bool whole_if_there(const char *file)
{
    Safetensors st;
    Error e = {0};
    char path[400];
    snprintf(path, sizeof path, "%s/%s", work, file);
    if (access(path, F_OK) != 0) return true;
    if (safetensors_open(&st, path, &e) != BERT_OK) return check(false, "%s", e.message);
    safetensors_close(&st);
    return true;
}

/* Killed without warning at twelve moments, and resumed each time: every time that it is killed, the model on the disk
 * is whole; in the end the bytes are those of a run that nobody disturbed. */
static void killed_and_resumed_it_ends_with_the_same_bits(void)
{
    char hex[65], state[65];
    if (!make_work()) return;
    check(run(TRAIN " -o %s/whole 2>&1", tiny, tiny, work) == 0, "%s", output);
    hash_of("whole/training/state.safetensors", state);
    for (int i = 0; i < 12; i++) {
        run(TRAIN " -o %s/k --resume 2>&1 & sleep 0.0%d; kill -9 $! 2>&1; wait $! 2>&1; true", tiny, tiny, work,
            (i * 7 + 1) % 10);
        if (run("test -f %s/k/model.safetensors", work) == 0)
            check(run("./bert info -q -m %s/k 2>&1", work) == 0, "the model is whole after kill %d: %s", i, output);
        check(whole_if_there("k/training/state.safetensors"), "the state after kill %d", i);
    }
    check(run(TRAIN " -o %s/k --resume 2>&1", tiny, tiny, work) == 0, "%s", output);
    hash_of("k/model.safetensors", hex);
    check_text("the model", hex, twenty_steps);
    hash_of("k/training/state.safetensors", hex);
    check_text("the state", hex, state);
    check(run("wc -l < %s/k/training/log.jsonl", work) == 0 && atoi(output) == 20, "one line for each step: %s",
          output);
    check(run("ls %s/k %s/k/training | grep -c '\\.tmp-'", work, work) == 1, "no temporary file is left");
    remove_work();
}

/* What README tells everyone to try: pieces from a text, 100 steps from random weights, one hash. */
static const char hundred_steps[] =
    "57e3195d81df3d1121cf410e4e6f3ede97b1bcf69439c23ef42bd99330698413";

static void a_hundred_steps_end_in_the_printed_hash(void)
{
    char hex[65];
    if (!make_work()) return;
    check(run("./bert vocab -q --learn 200 -f tests/golden/train.txt -o %s/vocab.txt 2>&1", work) == 0, "%s", output);
    check(run("./bert train -q -o %s/new --config tests/golden/train-config.json --vocab %s/vocab.txt "
              "-f tests/golden/train.txt --steps 100 --learning-rate 1e-3 --warmup 10 2>&1", work, work) == 0, "%s",
          output);
    hash_of("new/model.safetensors", hex);
    check_text("the model after 100 steps", hex, hundred_steps);
    remove_work();
}

/* The limit on a file's size is a full disk, seen from inside: exit code 6, and the state saved before is there, byte
 * for byte; with room again the run goes on. */
static void a_full_disk_leaves_the_last_saved_state(void)
{
    char before[65], after[65];
    if (!make_work()) return;
    check(run(TRAIN " --schedule constant -o %s/k 2>&1", tiny, tiny, work) == 0, "%s", output);
    hash_of("k/training/state.safetensors", before);
    for (int blocks = 1; blocks < 512; blocks *= 4) {       /* of 512 bytes: less than the state has */
        const int code = run("(trap '' XFSZ; ulimit -f %d; " TRAIN " --schedule constant --steps 40 -o %s/k --resume) 2>&1",
                             blocks, tiny, tiny, work);
        check(code == 6 && strstr(output, "cannot be written"), "%d blocks: code %d: %s", blocks, code, output);
        hash_of("k/training/state.safetensors", after);
        check_text("the state", after, before);
        check(run("ls %s/k %s/k/training | grep -c '\\.tmp-'", work, work) == 1, "no temporary file is left");
    }
    check(run(TRAIN " --schedule constant --steps 40 -o %s/k --resume 2>&1", tiny, tiny, work) == 0, "%s", output);
    check(run(TRAIN " --schedule constant --steps 40 -o %s/whole 2>&1", tiny, tiny, work) == 0, "%s", output);
    check(run("cmp %s/k/model.safetensors %s/whole/model.safetensors 2>&1", work, work) == 0, "%s", output);
    remove_work();
}

/* SIGTERM: the temporary file goes, the state stays; resumed, the same bits. */
static void a_signal_leaves_the_last_saved_state(void)
{
    char hex[65];
    if (!make_work()) return;
    for (int i = 1; i < 6; i++)
        run(TRAIN " -o %s/k --resume 2>&1 & sleep 0.0%d; kill $! 2>&1; wait $! 2>&1; true", tiny, tiny, work, i + 3);
    check(run("ls %s/k %s/k/training | grep -c '\\.tmp-'", work, work) == 1, "no temporary file is left");
    check(run(TRAIN " -o %s/k --resume 2>&1", tiny, tiny, work) == 0, "%s", output);
    hash_of("k/model.safetensors", hex);
    check_text("the model", hex, twenty_steps);
    remove_work();
}

/* A model goes on to learn from rows of ids, and what it has learned is there for the other verbs. */
static void what_is_left_is_a_model(void)
{
    if (!make_work()) return;
    check(run("./bert train -q -m %s -f tests/golden/train.txt --steps 60 --batch 8 --learning-rate 1e-3 "
              "--rules google -o %s/a 2>&1", tiny, work) == 0, "%s", output);
    check(run("./bert info -m %s/a 2>&1", work) == 0 && strstr(output, "0 missing, 0 unexpected"), "%s", output);
    check(run("./bert fill-mask -m %s/a 'the cat sat on the [MASK] .' 2>&1", work) == 0, "%s", output);
    check(run("./bert next-sentence -m %s/a 'the cat sat' 'it was big' 2>&1", work) == 0, "%s", output);
    check(run("cmp %s/vocab.txt %s/a/vocab.txt 2>&1", tiny, work) == 0, "%s", output);
    check(run("head -n 1 %s/a/training/log.jsonl | cut -c 1-40", work) == 0 &&
          strstr(output, "{\"step\": 1, \"loss\": "), "%s", output);
    remove_work();
}

/* What the options say that do not go together, or are no number. */
static void options_are_checked_before_anything_is_written(void)
{
    static const struct { const char *options, *says; } cases[] = {
        {"--steps 3", "train needs -o DIR"},
        {"-o D", "train needs --steps N"},
        {"-o D --steps 3", "train needs weights to begin with"},
        {"-o D --steps 3 --config X", "--config and --vocab go together"},
        {"-o D --steps 3 -m X --config X --vocab Y", "exclude each other"},
        {"-o D --steps 3 -m X --cased", "--cased and --uncased go with --vocab"},
        {"-o D --steps 3 -m X --pairs", "leave --pair out"},
        {"-o D --steps 3 -m X --pad", "train has no --pad"},
        {"-o D --steps 3 -m X --segments 1", "train has no --segments"},
        {"-o D --steps 3 -m X --max-length 4", "5 is the least"},
        {"-o D --steps 3 -m X --micro-batch 33", "more than --batch 32"},
        {"-o D --steps 3 -m X --learning-rate fast", "--learning-rate fast: a number"},
        {"-o D --steps 3 -m X --mask 1", "--mask 1: a number from 0 to below 1"},
        {"-o D --steps 3 -m X --dropout -1", "--dropout -1: a number"},
        {"-o D --steps 3 -m X --clip nan", "--clip nan: a number"},
        {"-o D --steps 3 -m X --weight-decay 1x", "--weight-decay 1x: a number"},
        {"-o D --steps 3 -m X --evaluate-every 3", "--evaluate-every needs --dev"},
        {"-o D --steps 3 -m X --dev -", "a file is expected"},
        {"-o D --steps 3 -m X --task pos", "--task pos: one of these is expected: mlm classify tag answer"},
        {"-o D --steps 3 -m X --task tag --no-nsp", "--task tag learns from a text, and not with --no-nsp"},
        {"-o D --steps 3 -m X --task answer -f -", "--task answer needs -f FILE"},
        {"-o D --steps 3 -m X --task classify --no-nsp", "--task classify learns from a text, and not with --no-nsp"},
        {"-o D --steps 3 -m X --task classify --mask 0.2", "and not with --mask"},
        {"-o D --steps 3 -m X --task classify --inputs F", "and not with --inputs"},
        {"-o D --steps 3 -m X --rules mine", "huggingface google"},
        {"-o D --steps 3 -m X TEXT", "train takes no TEXT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int code = run("./bert train %s 2>&1 < /dev/null", cases[i].options);
        check(code == 2 && strstr(output, cases[i].says), "%s: code %d: %s", cases[i].options, code, output);
    }
    check(run("test -e D") != 0, "nothing is written");
}

/* Bad data: one line, with file and line, and nothing spoilt. */
static void bad_data_ends_in_one_line(void)
{
    static const struct { const char *make, *options, *says; int code; } cases[] = {
        {"printf ''", "", "line 1: the end, and no sentence before it", 4},
        {"printf '\\n \\n\\n'", "", "line 4: the end, and no sentence before it", 4},
        {"printf 'the cat\\nthe \\377 cat\\n'", "", "line 2, byte 5: 0xFF is not valid UTF-8", 4},
        {"printf 'the cat\\n\\nthe cat sat on the mat the cat sat\\n'", "--max-length 8",
         "line 3: a sentence of 9 tokens, of which 5 fit into --max-length 8: --truncate cuts it", 4},
        {"printf 'the cat\\nthe dog sat\\n'", "--max-length 64", "--max-length 64: the model has 32 positions", 2},
        {"printf 'the cat\\nthe dog sat\\n'", "--learning-rate 1e5 --steps 9 --clip 0", "the last saved state stays",
         4},
        {"printf '\\n\\nthe cat\\nthe dog sat\\n'", "--learning-rate 1e5 --steps 9 --clip 0", "/text: line 3 and others: step", 4},
    };
    if (!make_work()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run("%s > %s/text", cases[i].make, work);
        const int code = run("./bert train -q --config %s/config.json --vocab %s/vocab.txt --steps 2 --save-every 1 "
                             "-f %s/text -o %s/b%zu %s 2>&1", tiny, tiny, work, work, i, cases[i].options);
        check(code == cases[i].code && strstr(output, cases[i].says), "case %zu: code %d: %s", i, code, output);
        check(strchr(output, '\n') == output + output_length - 1, "case %zu: one line: %s", i, output);
    }
    check(run("./bert info -m %s/b5 2>&1", work) == 0 && strstr(output, "0 with values that are not finite"),
          "the state before the loss was no number: %s", output);
    remove_work();
}

/* A directory that holds a model, other settings, another process. */
static void a_directory_is_not_written_over(void)
{
    if (!make_work()) return;
    check(run(TRAIN " -o %s/a 2>&1", tiny, tiny, work) == 0, "%s", output);
    check(run(TRAIN " -o %s/a 2>&1", tiny, tiny, work) == 2 && strstr(output, "holds model.safetensors"), "%s", output);
    check(run(TRAIN " -o %s/a --resume --seed 1 2>&1", tiny, tiny, work) == 2 && strstr(output, "seed was 0, and is 1"),
          "%s", output);
    check(run(TRAIN " -o %s/a --resume --rules google 2>&1", tiny, tiny, work) == 2 &&
          strstr(output, "rules was huggingface, and is google"), "%s", output);
    check(run("./bert train -o %s/none --resume --steps 2 2>&1 < /dev/null", work) == 2 &&
          strstr(output, "has no saved state"), "%s", output);
    run("cp tests/golden/train.txt %s/text; echo 'the cat .' >> %s/text", work, work);
    check(run(TRAIN " -o %s/a --resume -f %s/text 2>&1", tiny, tiny, work, work) == 2 && strstr(output, "data was "),
          "%s", output);
    check(run(TRAIN " -o %s/a --resume 2>&1", tiny, tiny, work) == 0, "a finished run has nothing to do: %s", output);
    run(TRAIN " --steps 100000 -o %s/b > /dev/null 2>&1 & echo $! > %s/pid; i=0; "
        "while [ ! -s %s/b/training/log.jsonl ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done", tiny, tiny, work,
        work, work);
    check(run(TRAIN " --steps 100000 -o %s/b --resume 2>&1", tiny, tiny, work) == 6 && strstr(output, "is in use"),
          "%s",
          output);
    run("kill $(cat %s/pid); while kill -0 $(cat %s/pid) 2> /dev/null; do sleep 0.1; done", work, work);
    remove_work();
}

/* States that are no states of this run. */
static void a_broken_state_is_refused(void)
{
    static const struct { const char *spoil, *says; int code; } cases[] = {
        {"head -c 1000 %s/a/training/state.safetensors > %s/x", "state.safetensors: ", 3},
        {"cp %s/a/model.safetensors %s/x", "__metadata__ has no step", 3},
        {"sed 's/\"step\":\"20\"/\"step\":\"2x\"/' %s/a/training/state.safetensors > %s/x", "step is \"2x\"", 3},
        {"sed 's/\"seed\"/\"sead\"/' %s/a/training/state.safetensors > %s/x", "__metadata__ has no seed", 3},
        {"sed 's/\"mean.bert.pooler.dense.bias\"/\"mean.bert.pooler.dense.bios\"/' %s/a/training/state.safetensors "
         "> %s/x",
         "there is no tensor 'mean.bert.pooler.dense.bias'", 3},
        {"sed 's/\"mean.bert.pooler.dense.bias\":{\"dtype\":\"F32\"/\"mean.bert.pooler.dense.bias\":{\"dtype\":\"I32\"/' "
         "%s/a/training/state.safetensors > %s/x",
         "tensor 'mean.bert.pooler.dense.bias' has 24 numbers of I32, expected 24 of F32", 3},
        {"sed 's/\"square.bert.pooler.dense.bias\":{\"dtype\":\"F32\",\"shape\":.24/\"square.bert.pooler.dense.bias\":{"
         "\"dtype\":\"F16\",\"shape\":[48/' %s/a/training/state.safetensors > %s/x",
         "tensor 'square.bert.pooler.dense.bias' has 48 numbers of F16, expected 24 of F32", 3},
    };
    if (!make_work()) return;
    check(run(TRAIN " -o %s/a 2>&1", tiny, tiny, work) == 0, "%s", output);
    run("cp -r %s/a %s/c", work, work);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(cases[i].spoil, work, work);
        run("mv %s/x %s/c/training/state.safetensors", work, work);
        const int code = run(TRAIN " -o %s/c --resume 2>&1", tiny, tiny, work);
        check(code == cases[i].code && strstr(output, cases[i].says), "case %zu: code %d: %s", i, code, output);
    }
    remove_work();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * --inputs
 * ------------------------------------------------------------------------------------------------------------------ */
enum { ROWS = 5, COLUMNS = 7 };
typedef struct {                    /* what is written into a file of --inputs; changed by each case */
    int64_t ids[ROWS * COLUMNS], types[ROWS * COLUMNS], mask[ROWS * COLUMNS], labels[ROWS * COLUMNS], next[ROWS];
    SafeTensor tensors[5];
} RowsFile;

static void fill_rows(RowsFile *f)
{
    static char names[5][20] = {"input_ids", "token_type_ids", "attention_mask", "labels", "next_sentence_label"};
    const void *const data[5] = {f->ids, f->types, f->mask, f->labels, f->next};
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        f->ids[i] = 5 + i * 7 % 90;
        f->types[i] = i % COLUMNS > 3;
        f->mask[i] = i / COLUMNS != 2 || i % COLUMNS < 5;
        f->labels[i] = i % 3 == 1 && f->mask[i] ? i % 90 : -100;
    }
    for (int r = 0; r < ROWS; r++) f->next[r] = r % 2;
    for (int k = 0; k < 5; k++)
        f->tensors[k] = (SafeTensor){names[k], DTYPE_I64, k < 4 ? 2 : 1, {ROWS, k < 4 ? COLUMNS : 0},
                                     k < 4 ? ROWS * COLUMNS : ROWS, data[k]};
}

/* `bert train --inputs` on what was filled in, without the tensors of `without`; three steps. */
static int train_rows(const RowsFile *f, const char *without, const char *options)
{
    SafeTensor list[5];
    Error e = {0};
    char path[300];
    size_t count = 0;
    for (int k = 0; k < 5; k++)
        if (!strstr(without, f->tensors[k].name)) list[count++] = f->tensors[k];
    snprintf(path, sizeof path, "%s/rows", work);
    if (!check(safetensors_write(path, list, count, NULL, 0, &e) == BERT_OK, "%s", e.message)) return -1;
    run("rm -rf %s/r", work);
    return run("./bert train -q -m %s --inputs %s -o %s/r --steps 3 --batch 4 --learning-rate 1e-2 %s 2>&1", tiny, path,
               work, options);
}

/* Rows in micro-batches; padding that is left away or not; one kind of labels, or both. */
static void rows_of_ids_are_learned_from(void)
{
    RowsFile f;
    char whole[65], other[65];
    if (!make_work()) return;
    fill_rows(&f);
    check(train_rows(&f, "none", "") == 0, "%s", output);
    hash_of("r/model.safetensors", whole);
    check(train_rows(&f, "none", "--micro-batch 1") == 0, "%s", output);
    hash_of("r/model.safetensors", other);
    check_text("in micro-batches", other, whole);
    f.ids[2 * COLUMNS + 6] = 77;                            /* what stands at a masked place at the end */
    check(train_rows(&f, "none", "") == 0, "%s", output);
    hash_of("r/model.safetensors", other);
    check_text("with another padding", other, whole);
    check(train_rows(&f, "next_sentence_label", "") == 0, "%s", output);
    check(run("grep -c nsp %s/r/training/log.jsonl", work) == 1, "no next sentences are judged");
    check(train_rows(&f, "none", "--no-nsp") == 0 && run("grep -c nsp %s/r/training/log.jsonl", work) == 1, "%s",
          output);
    check(train_rows(&f, "labels", "") == 0 && run("grep -c mlm %s/r/training/log.jsonl", work) == 1, "%s", output);
    check(train_rows(&f, "token_type_ids attention_mask", "") == 0, "%s", output);
    for (int i = 0; i < ROWS * COLUMNS; i++) f.labels[i] = -100;
    check(train_rows(&f, "none", "") == 0, "no label that counts: %s", output);
    remove_work();
}

/* Held out: judging changes nothing; of the same rows, with a rate of 0 and without dropout, it finds the loss and the
 * accuracy of the step itself, to the six decimals of the log (the loss is a float's sum, with 7 digits). */
static void what_is_held_out_is_judged_and_not_learned(void)
{
    RowsFile f;
    char hex[65], options[400];
    if (!make_work()) return;
    check(run(TRAIN " -o %s/d --dev tests/golden/train.txt --evaluate-every 8 2>&1", tiny, tiny, work) == 0, "%s",
          output);
    hash_of("d/model.safetensors", hex);
    check_text("the model is the same", hex, twenty_steps);
    check(run("grep -c dev_nsp_accuracy %s/d/training/log.jsonl", work) == 0 && atoi(output) == 3,
          "steps 8, 16, 20: %s",
          output);
    fill_rows(&f);
    check(train_rows(&f, "none", "") == 0, "%s", output);
    snprintf(options, sizeof options, "--learning-rate 0 --dropout 0 --batch 5 --dev %s/rows", work);
    check(train_rows(&f, "none", options) == 0, "%s", output);
    check_value("loss of words", logged("r", "dev_mlm_loss"), logged("r", "mlm_loss"), 3e-6);
    check_value("loss of pairs", logged("r", "dev_nsp_loss"), logged("r", "nsp_loss"), 3e-6);
    check_value("words", logged("r", "dev_mlm_accuracy"), logged("r", "mlm_accuracy"), 1e-6);
    check_value("pairs", logged("r", "dev_nsp_accuracy"), logged("r", "nsp_accuracy"), 1e-6);
    check(logged("r", "dev_mlm_loss") > 1, "there is a loss");
    check(train_rows(&f, "none", "--dev no-such-file") == 3 && strstr(output, "no-such-file"), "%s", output);
    check(run(TRAIN " -o %s/e --dev /dev/null 2>&1", tiny, tiny, work) == 4 && strstr(output,
                                                                                      "/dev/null: line 1: the end"),
          "%s", output);
    remove_work();
}

/* Seconds of "1:02:03 left" or "2:03 left"; -1: it is neither, or a part has 60 or more. */
static double seconds_left(const char *text)
{
    int part[3] = {0}, used = 0;
    const int parts = sscanf(text, "%d:%2d:%2d", &part[0], &part[1], &part[2]);
    sscanf(text, parts == 3 ? "%*d:%*2d:%*2d%n" : "%*d:%*2d%n", &used);
    const int digits = (int)strcspn(text, " "), places = parts == 3 ? 6 : 3;
    if (strncmp(text + used, " left", 5) || digits < places + 1) return -1;
    if (parts == 3) return part[1] < 60 && part[2] < 60 && part[0] ? part[0] * 3600.0 + part[1] * 60 + part[2] : -1;
    return part[0] < 60 && part[1] < 60 ? part[0] * 60.0 + part[1] : -1;
}

/* The first step's speed and the time that is left belong together: 8 tokens a step. */
static void progress_tells_speed_and_time_left(void)
{
    static const int steps[] = {2000, 90000, 60000000};     /* seconds, minutes, hours, where a step takes 1 ms */
    RowsFile f;
    if (!make_work()) return;
    fill_rows(&f);
    for (int i = 0; i < ROWS * COLUMNS; i++) f.mask[i] = i % COLUMNS < 4, f.labels[i] = i % COLUMNS == 2 ? 9 : -100;
    check(train_rows(&f, "none", "--batch 2") == 0, "%s", output);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        run("rm -rf %s/r %s/said; ./bert train -m %s --inputs %s/rows -o %s/r --steps %d --batch 2 --schedule constant "
            "--learning-rate 0 2>%s/said & for i in $(seq 400); do grep -q ' left' %s/said 2>/dev/null && break; sleep 0.02; done; "
            "kill -9 $!; wait $! 2>/dev/null; cat %s/said", work, work, tiny, work, work, steps[i], work, work, work);
        const char *line = strstr(output, "bert: step 1/"), *speed = line ? strstr(line, " tokens/s  ") : NULL;
        if (!check(speed != NULL, "a line for the first step: %s", output)) break;
        double rate = 0;
        const char *digits = speed;
        while (digits[-1] == ',' || (digits[-1] >= '0' && digits[-1] <= '9')) digits--;
        for (; digits < speed; digits++)
            if (*digits != ',') rate = 10 * rate + (*digits - '0');
        const double left = seconds_left(speed + 11), want = 8 / rate * (steps[i] - 1);
        check(left >= 0 && rate > 0 && fabs(left - want) <= 0.51 + 2 * want / rate, "%g seconds, expected %g: %s", left, want, line);
    }
    remove_work();
}

/* On a terminal each line replaces the last one; the last one stays. */
static void progress_on_a_terminal_is_one_line(void)
{
    if (!make_work()) return;
    if (have_terminal()) {
        check(run_on_terminal("./bert train --config %s/config.json --vocab %s/vocab.txt --steps 3 --batch 2 -f "
                              "tests/golden/train.txt -o %s/t 2>&1 >/dev/null", tiny, tiny, work) == 0, "%s", output);
        const char *first = strstr(output, "\nstep 1/3  loss "), *last = strstr(output, " left \033[Kstep 3/3  loss ");
        check(first && last > first && !strchr(first + 1, '\n')[1], "two steps in one line: %s", output);
    }
    remove_work();
}

static void bad_rows_end_in_one_line(void)
{
    RowsFile f;
    if (!make_work()) return;
    static const struct { int what; const char *without, *options, *says; int code; } cases[] = {
        {0, "input_ids", "", "there is no tensor input_ids", 3},
        {0, "labels next_sentence_label", "", "there is nothing to learn", 3},
        {0, "labels", "--no-nsp", "leaves nothing to learn", 3},
        {1, "none", "", "row 2: number 9 of input_ids is 101, expected 0 to 100\n", 4},
        {2, "none", "", "row 1: number 4 of labels is -1, expected 0 to 100, or -100 for none\n", 4},
        {3, "none", "", "row 3: number 3 of next_sentence_label is 2, expected 0 to 1, or -100 for none\n", 4},
        {4, "none", "", "attention_mask has another shape than input_ids", 3},
        {5, "none", "", "labels is F32 of rank 2, expected I64 of rank 2", 3},
        {6, "none", "", "row 1: number 1 of token_type_ids is 3, expected 0 to 2\n", 4},
        {8, "none", "", "row 1: number 2 of attention_mask is 2, expected 0 to 1\n", 4},
        {7, "none", "", "input_ids is empty", 3},
        {0, "none", "--max-length 9", "leave --max-length out", 2},
        {0, "none", "-f x", "exclude each other", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fill_rows(&f);
        if (cases[i].what == 1) f.ids[8] = 101;
        if (cases[i].what == 2) f.labels[3] = -1;
        if (cases[i].what == 3) f.next[2] = 2;
        if (cases[i].what == 4) f.tensors[2].shape[0] = COLUMNS, f.tensors[2].shape[1] = ROWS;
        if (cases[i].what == 5) f.tensors[3].dtype = DTYPE_F32;
        if (cases[i].what == 6) f.types[0] = 3;
        if (cases[i].what == 8) f.mask[1] = 2;
        for (int k = 0; cases[i].what == 7 && k < 5; k++) f.tensors[k].shape[0] = f.tensors[k].count = 0;
        const int code = train_rows(&f, cases[i].without, cases[i].options);
        check(code == cases[i].code && strstr(output, cases[i].says), "case %zu: code %d: %s", i, code, output);
        check(strchr(output, '\n') == output + output_length - 1, "case %zu: one line: %s", i, output);
    }
    remove_work();
}

/* ---------------------------------------------------------------------------------------------------------------------
 * vocab --learn
 * ------------------------------------------------------------------------------------------------------------------ */

/* The example of the comment in cli/learn_vocab.c, counted by hand: ##ug 20, ##un 16, hug 15, pun 12; of pug and hugs,
 * 5 each, the pair of the earlier pieces first: p comes before hug; bun 4. */
static void pieces_are_joined_by_counts(void)
{
    static const char text[] = "hug hug hug hug hug hug hug hug hug hug pug pug pug pug pug pun pun pun pun pun pun pun "
                               "pun pun pun pun pun bun bun bun bun hugs hugs hugs hugs hugs";
    static const char want[] = "[PAD] [UNK] [CLS] [SEP] [MASK] b h p ##g ##n ##s ##u ##ug ##un hug pun pug hugs bun ";
    check(run("./bert vocab -q --learn 19 '%s' | tr '\n' ' '", text) == 0, "%s", output);
    check_text("19 pieces", output, want);
    check(run("./bert vocab --learn 40 '%s' 2>&1 > /dev/null", text) == 0 &&
          strstr(output, "no other pair comes twice"), "%s", output);
    check(run("./bert vocab -q --learn 15 '%s' | tail -n 1", text) == 0 && !strcmp(output, "hug\n"), "%s", output);
}

/* In whatever order the lines are, and however often it is asked; and the text itself is cut without [UNK]. */
static void a_learned_vocabulary_is_the_same_each_time(void)
{
    char first[65];
    if (!make_work()) return;
    check(run("./bert vocab -q --learn 120 -f tests/golden/train.txt -o %s/vocab.txt 2>&1", work) == 0, "%s", output);
    hash_of("vocab.txt", first);
    check_text("the committed pieces", first, learned_vocabulary);
    check(run("sort -r tests/golden/train.txt | ./bert vocab -q --learn 120 | cmp - %s/vocab.txt 2>&1", work) == 0,
          "%s",
          output);
    check(run("./bert tokenize -q -m %s --format pieces -f tests/golden/train.txt 2>&1", work) == 0, "%s", output);
    check(!strstr(output, "[UNK]") && strstr(output, "the bank"), "all words have pieces: %s", output);
    check(run("./bert vocab -q --cased --learn 120 -f tests/golden/train.txt | grep -c '[A-Z]'") == 0 &&
          atoi(output) > 5 + 6, "capital letters with --cased: %s", output);
    remove_work();
}

/* WordPiece learned by its definition: all pairs are counted anew for each piece. Pieces are texts, [n] is their number. */
enum { WORDS = 4000, PIECES = 300, LONGEST_PIECE = 16, LETTERS = 5 + 52 };
typedef struct {
    char pieces[PIECES][LONGEST_PIECE];
    int count, word_count, words[WORDS][8], length[WORDS], pairs[PIECES][PIECES];
    int distinct;                   /* pairs that came up at any time, at least */
    bool used[LETTERS];             /* a word has this piece of one letter */
} ByDefinition;

static int piece_number(ByDefinition *d, const char *piece)
{
    int i = 0;
    while (i < d->count && strcmp(d->pieces[i], piece)) i++;
    if (i == d->count) snprintf(d->pieces[d->count++], LONGEST_PIECE, "%s", piece);
    return i;
}

/* The most frequent pair, of equal ones the first, becomes a piece; false: none comes twice. */
static bool join_one(ByDefinition *d)
{
    int left = 0, right = 0, distinct = 0;
    char piece[LONGEST_PIECE];      /* a word has at most 6 letters */
    memset(d->pairs, 0, sizeof d->pairs);
    for (int w = 0; w < d->word_count; w++)
        for (int i = 0; i + 1 < d->length[w]; i++) distinct += !d->pairs[d->words[w][i]][d->words[w][i + 1]]++;
    if (distinct > d->distinct) d->distinct = distinct;
    for (int i = 0; i < d->count; i++)
        for (int k = 0; k < d->count; k++)
            if (d->pairs[i][k] > d->pairs[left][right]) left = i, right = k;
    if (d->pairs[left][right] < 2) return false;
    snprintf(piece, sizeof piece, "%.7s%.5s", d->pieces[left], d->pieces[right] + 2);
    const int number = piece_number(d, piece);
    for (int w = 0; w < d->word_count; w++) {
        int to = 0, *x = d->words[w];
        for (int i = 0; i < d->length[w]; i++) {
            const bool here = i + 1 < d->length[w] && x[i] == left && x[i + 1] == right;
            x[to++] = here ? number : x[i];
            i += here;
        }
        d->length[w] = to;
    }
    return true;
}

/* Words of 2 to 6 letters, the first letters of the alphabet more often than the last; they go into the file, too. */
static void make_words(ByDefinition *d, FILE *f)
{
    uint32_t seed = 7;
    for (int c = 0; c < LETTERS; c++) {
        static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
        char piece[8];
        snprintf(piece, sizeof piece, c < 5 + 26 ? "%c" : "##%c", c < 5 ? '?' : 'a' + (c - 5) % 26);
        piece_number(d, c < 5 ? special[c] : piece);
    }
    for (int w = 0; w < d->word_count; w++) {
        seed = seed * 1664525u + 1013904223u;
        d->length[w] = 2 + (int)(seed >> 16) % 5;
        for (int i = 0; i < d->length[w]; i++) {
            seed = seed * 1664525u + 1013904223u;
            const int letter = (int)((seed >> 24) * (seed >> 16 & 255) * 26 >> 16);
            d->words[w][i] = 5 + (i ? 26 : 0) + letter;
            d->used[d->words[w][i]] = true;
            fputc('a' + letter, f);
        }
        fputc(w % 10 == 9 ? '\n' : ' ', f);
    }
}

/* Pieces of that many words: all that there is room for, or as long as a pair comes twice. Letters that no word has are
 * no pieces. */
static void check_pieces_of(ByDefinition *d, int words, const char *path)
{
    FILE *f = fopen(path, "w");
    *d = (ByDefinition){.word_count = words};
    if (!check(f != NULL, "%s", path)) return;
    make_words(d, f);
    fclose(f);
    while (d->count < PIECES && join_one(d)) {}
    check(run("./bert vocab -q --learn %d -f %s", PIECES, path) == 0, "%s", output);
    char *at = output;
    for (int i = 0; i < d->count; i++) {
        if (i >= 5 && i < LETTERS && !d->used[i]) continue;
        check(!strncmp(at, d->pieces[i], strcspn(at, "\n")) && at[strlen(d->pieces[i])] == '\n',
              "%d words: piece %d: %.20s, expected %s", words, i, at, d->pieces[i]);
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    check(!*at, "%d words: %d pieces", words, d->count);
}

static void a_learned_vocabulary_is_that_of_the_definition(void)
{
    ByDefinition *d = calloc(1, sizeof *d);
    char path[300];
    if (!make_work()) return;
    snprintf(path, sizeof path, "%s/text", work);
    if (check(d != NULL, "memory")) {
        check_pieces_of(d, WORDS, path);
        check(d->count == PIECES && d->distinct > 1024, "%d pieces of %d pairs", d->count, d->distinct);
        for (int words = 30; words <= 150; words += 30) {
            check_pieces_of(d, words, path);
            check(d->count > LETTERS && d->count < PIECES, "of %d words no pair is left: %d pieces", words, d->count);
        }
    }
    free(d);
    remove_work();
}

/* Of equally frequent characters, for which there is no room, the first in Unicode stay; of one, what begins a word. */
static void equally_frequent_characters_stay_in_their_order(void)
{
    static const struct { const char *text, *pieces; int N; } cases[] = {
        {"l k j i h g f e d c b a", "a b c d e f g h i j ", 20}, {"ef cd ab", "a c e ##b ##d ", 10},
        {"ba ab", "a b ##a ##b ", 10}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[200];
        snprintf(expected, sizeof expected, "[PAD] [UNK] [CLS] [SEP] [MASK] %s", cases[i].pieces);
        check(run("echo %s | ./bert vocab -q --learn %d | tr '\n' ' '", cases[i].text, cases[i].N) == 0, "%s", output);
        check(!strncmp(output, expected, strlen(expected)), "%s: %s", cases[i].text, output);
    }
}

static void a_vocabulary_needs_words(void)
{
    check(run("printf '' | ./bert vocab --learn 50 2>&1") == 4 && strstr(output, "no word to learn from"), "%s",
          output);
    check(run("printf 'a b\n\377\n' | ./bert vocab --learn 50 2>&1") == 4 &&
          strstr(output, "stdin: line 2, byte 1: 0xFF is not valid UTF-8"), "%s", output);
    check(run("./bert vocab --learn 9 a 2>&1") == 2 && strstr(output, "10 or more"), "%s", output);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * --task classify
 * ------------------------------------------------------------------------------------------------------------------ */

/* 40 texts: a cat is "small \"pet\"", a dog "large"; some are pairs. The same once more, to be judged by, with one
 * wrong label among 40. */
static void write_classes(void)
{
    run("for i in 1 2 3 4 5 6 7 8 9 10; do printf 'small \"pet\"\\tthe cat sat\\nlarge\\tthe dog sat on the mat\\n"
        "large\\tthe dog ||| sat on the dog\\nsmall \"pet\"\\ta cat ||| on the mat\\n'; done > %s/text", work);
    run("sed '40s/.*/large\\tthe cat sat/' %s/text > %s/dev", work, work);
}

#define CLASSIFY "./bert train -q -m %s --task classify -f %s/text --batch 8 --learning-rate 3e-3 --max-length 12 " \
                 "--schedule constant --dropout 0.05 --seed 5"

/* It learns; the scores of what is held out are those of 39 of 40; what it leaves is a classifier with these names. */
static void texts_with_labels_are_learned(void)
{
    if (!make_work()) return;
    write_classes();
    check(run(CLASSIFY " --dev %s/dev --steps 60 -o %s/c 2>&1", tiny, work, work, work) == 0, "%s", output);
    check(run("tail -n 1 %s/c/training/log.jsonl", work) == 0, "the log");
    check(strstr(output, "\"step\": 60") && strstr(output, "\"dev_classify_accuracy\": 0.975000"), "%s", output);
    check(strstr(output, "\"dev_classify_macro_f1\": 0.974984") != NULL, "two F1 of 38/39 and 40/41: %s", output);
    check(run("./bert classify -q -m %s/c 'the cat sat' 'the dog sat on the mat' 2>&1", work) == 0, "%s", output);
    const char *second = strstr(output, "\n\n");
    check(second && strstr(output, "small \"pet\"") < strstr(output, "large"), "the cat is small: %s", output);
    check(second && strstr(second, "large") < strstr(second, "small"), "the dog is large: %s", output);
    check(run("./bert classify -q -m %s/c --pairs 'the dog ||| sat on the dog' 2>&1", work) == 0 &&
          strstr(output, "large") < strstr(output, "small"), "the pair: %s", output);
    check(run("./bert info -m %s/c 2>&1", work) == 0, "%s", output);
    check(run("./bert fill-mask -q -m %s/c 'the [MASK]' 2>&1", work) != 0 &&
          strstr(output, "no masked-language-model head"), "no head of pre-training is left: %s", output);
    remove_work();
}

/* Micro-batches, and a run that stops and goes on, end with the same bytes. */
static void labels_are_learned_with_the_same_bits(void)
{
    char model[65], state[65], other[65];
    if (!make_work()) return;
    write_classes();
    check(run(CLASSIFY " --steps 12 -o %s/a 2>&1", tiny, work, work) == 0, "%s", output);
    hash_of("a/model.safetensors", model);
    hash_of("a/training/state.safetensors", state);
    check(run(CLASSIFY " --steps 12 --micro-batch 3 -o %s/b 2>&1", tiny, work, work) == 0, "%s", output);
    hash_of("b/model.safetensors", other);
    check_text("in micro-batches", other, model);
    check(run(CLASSIFY " --steps 7 -o %s/d 2>&1", tiny, work, work) == 0, "%s", output);
    hash_of("d/model.safetensors", other);
    check(strcmp(other, model) != 0, "five steps change the model");
    check(run(CLASSIFY " --steps 12 --resume -o %s/d 2>&1", tiny, work, work) == 0, "%s", output);
    hash_of("d/model.safetensors", other);
    check_text("resumed", other, model);
    hash_of("d/training/state.safetensors", other);
    check_text("its state", other, state);
    check(run("echo 'large\ta dog' >> %s/text; " CLASSIFY " --steps 20 --resume -o %s/d 2>&1", work, tiny, work, work) ==
          2 && strstr(output, "data was"), "another text: %s", output);
    remove_work();
}

static void bad_labels_end_in_one_line(void)
{
    static const struct { const char *text, *dev, *says; } cases[] = {
        {"", "x", "line 1: the end, and no text before it"},
        {"a\\tcat\\ncat\\n", "x", "line 2: there is no tab: LABEL<TAB>TEXT is expected"},
        {"a\\tcat\\nb\\t\\n", "x", "line 2: there is no text behind the label"},
        {"a\\tcat\\n\\tcat\\n", "x", "line 2: a label of 0 bytes, expected 1 to 200"},
        {"a\\tcat\\nb\\001\\tcat\\n", "x", "line 2: byte 2 of the label is a control character"},
        {"a\\tcat\\n\\377\\tcat\\n", "x", "line 2, byte 1: 0xFF is not valid UTF-8"},
        {"a\\tcat\\nb\\tthe \\377\\n", "x", "0xFF is not valid UTF-8"},
        {"a\\tcat\\na\\tdog\\n", "x", "all texts have the same label"},
        {"a\\tcat\\nb\\tthe cat sat on the mat the cat sat on the mat\\n", "x", "line 2: "},
        {"a\\tcat\\nb\\tdog\\n", "a\\tcat\\nc\\tdog\\n", "dev: line 2: the label is none of those"},
    };
    if (!make_work()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run("printf '%s' > %s/text; printf '%s' > %s/dev", cases[i].text, work, cases[i].dev, work);
        const int code = run(CLASSIFY " --dev %s/dev --steps 2 -o %s/new 2>&1", tiny, work, work, work);
        check(code == 4 && strstr(output, cases[i].says), "case %zu: code %d: %s", i, code, output);
        check(run("test -e %s/new/model.safetensors", work) != 0, "case %zu leaves no model", i);
    }
    remove_work();
}

const Test train_tests[] = {
    {"texts_with_labels_are_learned", texts_with_labels_are_learned},
    {"labels_are_learned_with_the_same_bits", labels_are_learned_with_the_same_bits},
    {"bad_labels_end_in_one_line", bad_labels_end_in_one_line},
    {"pairs_are_cut_by_the_rules_of_google", pairs_are_cut_by_the_rules_of_google},
    {"sentences_that_a_random_pair_did_not_use_are_put_back", sentences_that_a_random_pair_did_not_use_are_put_back},
    {"one_document_in_ten_is_cut_short", one_document_in_ten_is_cut_short},
    {"of_15_percent_80_are_masked_10_replaced_10_kept", of_15_percent_80_are_masked_10_replaced_10_kept},
    {"number_of_masks_by_the_rules_of_google", number_of_masks_by_the_rules_of_google},
    {"my_dog_is_cute_step_by_step", my_dog_is_cute_step_by_step},
    {"exercises_depend_on_the_step_alone", exercises_depend_on_the_step_alone},
    {"random_weights_are_normal", random_weights_are_normal},
    {"twenty_steps_have_the_same_bits_in_any_micro_batches", twenty_steps_have_the_same_bits_in_any_micro_batches},
    {"killed_and_resumed_it_ends_with_the_same_bits", killed_and_resumed_it_ends_with_the_same_bits},
    {"a_hundred_steps_end_in_the_printed_hash", a_hundred_steps_end_in_the_printed_hash},
    {"a_full_disk_leaves_the_last_saved_state", a_full_disk_leaves_the_last_saved_state},
    {"a_signal_leaves_the_last_saved_state", a_signal_leaves_the_last_saved_state},
    {"what_is_left_is_a_model", what_is_left_is_a_model},
    {"options_are_checked_before_anything_is_written", options_are_checked_before_anything_is_written},
    {"bad_data_ends_in_one_line", bad_data_ends_in_one_line},
    {"a_directory_is_not_written_over", a_directory_is_not_written_over},
    {"a_broken_state_is_refused", a_broken_state_is_refused},
    {"rows_of_ids_are_learned_from", rows_of_ids_are_learned_from},
    {"what_is_held_out_is_judged_and_not_learned", what_is_held_out_is_judged_and_not_learned},
    {"progress_tells_speed_and_time_left", progress_tells_speed_and_time_left},
    {"progress_on_a_terminal_is_one_line", progress_on_a_terminal_is_one_line},
    {"bad_rows_end_in_one_line", bad_rows_end_in_one_line},
    {"pieces_are_joined_by_counts", pieces_are_joined_by_counts},
    {"a_learned_vocabulary_is_the_same_each_time", a_learned_vocabulary_is_the_same_each_time},
    {"equally_frequent_characters_stay_in_their_order", equally_frequent_characters_stay_in_their_order},
    {"a_learned_vocabulary_is_that_of_the_definition", a_learned_vocabulary_is_that_of_the_definition},
    {"a_vocabulary_needs_words", a_vocabulary_needs_words},
    {NULL, NULL}
};
