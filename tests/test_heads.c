/* test_heads.c - heads of fine-tuned models, and DistilBERT: the tiny formula model with heads of its own, and once more
 * under DistilBERT's names. That the numbers are PyTorch's and the scores the pipelines': tests/conformance/test_heads.py.
 */
#include "shell.h"
#include <math.h>
#include <stdarg.h>

enum { H = 24, MOST = 200 };

/* =====================================================================================================================
 * Models
 * ================================================================================================================== */
static char names[MOST][128];
static float numbers[16 * H * H];
static size_t used;

/* A tensor of a head, of the formula: rows 0 for a vector. */
static SafeTensor head_tensor(const char *name, size_t rows, size_t cols)
{
    SafeTensor t = {.dtype = DTYPE_F32, .rank = rows ? 2 : 1, .shape = {rows ? rows : cols, rows ? cols : 0},
                    .count = (rows ? rows : 1) * cols, .data = numbers + used};
    t.name = (char *)(uintptr_t)name;
    for (size_t i = 0; i < t.count; i++) numbers[used + i] = formula_value(name, i);
    used += t.count;
    return t;
}

/* The tensors of the tiny model under DistilBERT's names: those that have one. */
static size_t rename_all(SafeTensor *to, const Safetensors *from)
{
    size_t count = 0;
    for (size_t i = 0; i < tensor_table_size; i++)
        for (int l = 0; l < (spec_per_layer(&tensor_table[i]) ? 2 : 1); l++) {
            const TensorSpec *spec = &tensor_table[i];
            const SafeTensor *t = spec_find(spec, l, from);
            if (!t || !spec->distilbert) continue;
            char name[100];
            spec_name(spec->distilbert, l, name, sizeof name);
            snprintf(names[count], sizeof names[0], "%s%s", spec->group == GROUP_ENCODER ? "distilbert." : "", name);
            to[count] = *t;
            to[count].name = names[count];
            count++;
        }
    return count;
}

static void write_config(const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/config.json", tiny);
    FILE *f = fopen(path, "w");
    if (!check(f != NULL, "%s is written", path)) return;
    fputs(text, f);
    fclose(f);
}

/* The configuration of the tiny model, with keys of one's own in front. */
static void configure(bool distilbert, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void configure(bool distilbert, const char *format, ...)
{
    char extra[2000], text[3000];
    va_list args;
    va_start(args, format);
    vsnprintf(extra, sizeof extra, format, args);
    va_end(args);
    snprintf(text, sizeof text, distilbert ? "{%s \"model_type\": \"distilbert\", \"n_layers\": 2, \"dim\": 24, "
             "\"n_heads\": 3, \"hidden_dim\": 56, \"vocab_size\": 101, \"max_position_embeddings\": 32}" :
             "{%s \"model_type\": \"bert\", \"num_hidden_layers\": 2, \"hidden_size\": 24, \"num_attention_heads\": 3, "
             "\"intermediate_size\": 56, \"vocab_size\": 101, \"max_position_embeddings\": 32, \"type_vocab_size\": 3, "
             "\"layer_norm_eps\": 0.01}", extra);
    write_config(text);
}

/* The tiny model with a classifier of K labels, a question answering head, and in a DistilBERT the classifier's first
 * layer. `without`: a name that is left out, or "". */
static bool headed_model(bool distilbert, size_t K, const char *without)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    char path[300];
    Safetensors st;
    SafeTensor all[MOST];
    Error e = {0};
    used = 0;
    const SafeTensor heads[] = {
        head_tensor("classifier.weight", K, H), head_tensor("classifier.bias", 0, K), head_tensor("qa_outputs.weight", 2, H),
        head_tensor("qa_outputs.bias", 0, 2), head_tensor("pre_classifier.weight", H, H),
        head_tensor("pre_classifier.bias", 0, H)};
    if (!tiny_model()) return false;
    snprintf(path, sizeof path, "%s/model.safetensors", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return false;
    size_t count = distilbert ? rename_all(all, &st) : st.count;
    if (!distilbert) memcpy(all, st.tensors, count * sizeof *all);
    for (int i = 0; i < (distilbert ? 6 : 4); i++) all[count++] = heads[i];
    for (size_t i = 0; i < count; i++)
        while (i < count && *without && strstr(all[i].name, without)) all[i] = all[--count];
    const Status s = safetensors_write(path, all, count, metadata, 1, &e);
    safetensors_close(&st);
    return check(s == BERT_OK, "%s", e.message);
}

/* Two sequences, run with everything that the model has. */
static const int lengths[] = {4, 4};
static const int32_t ids[] = {2, 61, 62, 3, 2, 63, 64, 3}, types[8], mask[] = {1, 1, 1, 1, 1, 1, 1, 1};
static const int rows[] = {0, 1, 2, 3, 4, 5, 6, 7};
static const Batch both = {2, lengths, ids, types, mask};

typedef struct {
    Bert m;
    Activations a;
} Run;

static bool run_all(Run *r, const Batch *batch)
{
    Error e = {0};
    *r = (Run){0};
    bool ok = bert_load(&r->m, tiny, &e) == BERT_OK;
    Request request = trace_request(&r->m, rows, batch->B == 2 ? 8 : batch->T[0]);
    ok = ok && activations_new(&r->a, &r->m, batch, &request, &e) == BERT_OK;
    if (ok) forward(&r->m, &r->a);
    return check(ok, "%s", e.message);
}

static void end_run(Run *r)
{
    activations_free(&r->a);
    bert_free(&r->m);
}

/* =====================================================================================================================
 * The steps
 * ================================================================================================================== */

/* Its hidden states and its MLM head have the bits of a BERT with the same weights whose token types are all 0. */
static void a_distilbert_is_a_bert_with_other_names(void)
{
    Run distil, bert;
    if (!headed_model(true, 3, "")) return;
    configure(true, " ");
    if (!run_all(&distil, &both)) return;
    formula_remove(tiny);
    if (!headed_model(false, 3, "")) return;
    configure(false, " ");
    if (!run_all(&bert, &both)) return;
    static const float zeros[3 * H];
    bert.m.token_type_embeddings.data = zeros;
    bert.m.config.eps = 1e-12;
    forward(&bert.m, &bert.a);
    check(distil.m.config.S == 0 && !distil.m.has_pooler && !distil.m.has_nsp && distil.m.has_mlm, "what it does not have");
    for (int l = 0; l <= 2; l++)
        check(!memcmp(hidden_state(&distil.a, l), hidden_state(&bert.a, l), 8 * H * sizeof(real)), "hidden state %d", l);
    check(!memcmp(distil.a.logits, bert.a.logits, 8 * 101 * sizeof(real)), "the MLM head");
    end_run(&distil);
    end_run(&bert);
    formula_remove(tiny);
}

/* By the definitions, number by number. */
static void check_linear(const char *what, const real *got, const real *x, const Tensor *W, const real *b, size_t N)
{
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < W->rows; o++) {
            double sum = (double)b[o];
            for (size_t k = 0; k < H; k++) sum += (double)x[n * H + k] * (double)((const float *)W->data)[o * H + k];
            check_value(what, (double)got[n * W->rows + o], sum, 1e-5);         /* float32: measured 1e-6 */
        }
}

static void heads_are_what_their_formulas_say(void)
{
    for (int distilbert = 0; distilbert < 2; distilbert++)
        for (int tokens = 0; tokens < 2; tokens++) {
            Run r;
            if (!headed_model(distilbert, 4, "")) return;
            configure(distilbert, "\"architectures\": [\"XFor%sClassification\"],", tokens ? "Token" : "Sequence");
            if (!run_all(&r, &both)) return;
            const real *last = hidden_state(&r.a, 2);
            check(r.m.config.K == 4 && r.m.config.head == (tokens ? HEAD_TOKENS : HEAD_SEQUENCE), "K and the kind of head");
            check(r.a.request.classifier == !tokens && r.a.request.token_classifier == tokens, "one of the two runs");
            check_linear("qa_outputs", r.a.qa_logits, last, &r.m.Wqa, r.m.bqa, 8);
            if (tokens) check_linear("tokens", r.a.token_logits, last, &r.m.Wclassifier, r.m.bclassifier, 8);
            else if (!distilbert) check_linear("texts", r.a.classifier_logits, r.a.pooler, &r.m.Wclassifier,
                                               r.m.bclassifier, 2);
            else {
                real cls[2 * H];
                memcpy(cls, last, H * sizeof *cls);
                memcpy(cls + H, last + 4 * H, H * sizeof *cls);
                check_linear("pre_classifier", r.a.pre_classifier_dense, cls, &r.m.Wpre, r.m.bpre, 2);
                for (int i = 0; i < 2 * H; i++)
                    check(r.a.pre_classifier[i] == (r.a.pre_classifier_dense[i] > 0 ? r.a.pre_classifier_dense[i] : 0), "ReLU");
                check_linear("texts", r.a.classifier_logits, r.a.pre_classifier, &r.m.Wclassifier, r.m.bclassifier, 2);
            }
            end_run(&r);
            formula_remove(tiny);
        }
}

/* In a batch, alone, with nothing kept, and step by step as verify runs them: the same bits. */
static void heads_have_the_same_bits_however_they_are_run(void)
{
    for (int kind = 0; kind < 4; kind++) {
        Run two, one;
        Trial t;
        Error e = {0};
        if (!headed_model(kind & 1, 3, "")) return;
        configure(kind & 1, "\"architectures\": [\"XFor%sClassification\"],", kind & 2 ? "Token" : "Sequence");
        if (!run_all(&two, &both)) return;
        const Batch alone = {1, lengths + 1, ids + 4, types, mask};
        if (!run_all(&one, &alone)) return;
        if (kind & 2) check(!memcmp(one.a.token_logits, two.a.token_logits + 4 * 3, 12 * sizeof(real)), "tokens alone");
        else check(!memcmp(one.a.classifier_logits, two.a.classifier_logits + 3, 3 * sizeof(real)), "a text alone");
        check(!memcmp(one.a.qa_logits, two.a.qa_logits + 8, 8 * sizeof(real)), "answers alone");
        Request request = two.a.request;
        if (!check(trial_new(&t, &two.m, &both, &request, &e) == BERT_OK, "%s", e.message)) return;
        trial_reset(&t);
        TraceTensor *x = NULL, *y = NULL;
        size_t count, again;
        bool ok = trace_list(&two.m, &two.a, &x, &count, &e) == BERT_OK && trace_list(&two.m, &t.a, &y, &again, &e) == BERT_OK;
        TraceView view = {0};
        SafeTensor *tensors = calloc(count, sizeof *tensors);
        for (size_t i = 0; ok && i < count; i++) tensors[i] = as_file_tensor(&y[i], 2);
        ok = ok && view_make(&view, "x", tensors, count, (Known){.last = 1, .V = 101}, &e) == BERT_OK && view.count == count;
        check(ok, "every tensor has a name of its own");
        for (size_t i = 0; ok && i < count; i++) trial_step(&t, view.entries[i].row, view.entries[i].layer);
        for (size_t i = 0; ok && i < count; i++)
            check(!memcmp(x[i].data, y[i].data, tensors[i].count * sizeof(real)), "kind %d: %s", kind, x[i].name);
        check(!strcmp(x[count - 2].name, "classifier") && x[count - 2].rank == (kind & 2 ? 2 : 1), "the classifier is there");
        free(tensors), view_free(&view), free(x), free(y);
        trial_free(&t);
        request.keep = KEEP_NOTHING;
        activations_free(&one.a);
        if (!check(activations_new(&one.a, &two.m, &both, &request, &e) == BERT_OK, "%s", e.message)) return;
        forward(&two.m, &one.a);
        check(!memcmp(one.a.qa_logits, two.a.qa_logits, 16 * sizeof(real)), "answers with nothing kept");
        if (kind & 2) check(!memcmp(one.a.token_logits, two.a.token_logits, 24 * sizeof(real)), "tokens, nothing kept");
        else check(!memcmp(one.a.classifier_logits, two.a.classifier_logits, 6 * sizeof(real)), "texts, nothing kept");
        end_run(&one);
        end_run(&two);
        formula_remove(tiny);
    }
}

/* =====================================================================================================================
 * Files
 * ================================================================================================================== */

/* What is not there as a whole, is of another kind, or contradicts itself is refused by name. */
static void models_with_wrong_heads_are_refused_by_name(void)
{
    static const struct { bool distilbert; const char *without, *config, *part; } cases[] = {
        {false, "classifier.bias", "", "1 of the classifier's tensors are missing: classifier.bias"},
        {false, "qa_outputs.bias", "", "1 of the question answering head's tensors are missing: qa_outputs.bias"},
        {true, "pre_classifier.bias", "", "1 of the classifier's first layer's tensors are missing: pre_classifier.bias"},
        {true, "q_lin", "", "transformer.layer.0.attention.q_lin.weight"},
        {true, "vocab_layer_norm.bias", "", "1 of the MLM head's tensors are missing: vocab_layer_norm.bias"},
        {true, "", "\"hidden_size\": 48,", "dim is 24, but 48 was found for dim before"},
        {true, "", "\"activation\": \"relu\",", "activation is \"relu\""},
        {true, "", "\"n_heads\": 5,", "n_heads is 3, but 5 was found for n_heads before"},
        {true, "", "\"tie_word_embeddings\": false,", "'vocab_projector.weight' is missing"},
        {true, "", "\"model_type\": \"distilbert\", \"model_type\": \"bert\",", "model_type is \"bert\", expected \"distilbert\""},
        {true, "", "\"architectures\": 5,", NULL}, {true, "", "\"hidden_size\": 24, \"layer_norm_eps\": \"x\",", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bert m;
        Error e = {0};
        if (!headed_model(cases[i].distilbert, 3, cases[i].without)) return;
        configure(cases[i].distilbert, "%s", cases[i].config);
        const Status s = bert_load(&m, tiny, &e);
        if (cases[i].part) record(cases[i].part, e.message, tiny);
        if (cases[i].part)
            check(s == BERT_FILE && strstr(e.message, cases[i].part), "case %zu: \"%s\" holds \"%s\"", i, e.message, cases[i].part);
        else check(s == BERT_OK, "case %zu: %s", i, e.message);
        if (s == BERT_OK) bert_free(&m);
        formula_remove(tiny);
    }
    Bert m;
    Error e = {0};
    if (!headed_model(true, 3, "")) return;
    configure(false, " ");
    check(bert_load(&m, tiny, &e) == BERT_FILE && strstr(e.message, "has DistilBERT's tensors"), "%s", e.message);
    formula_remove(tiny);
}

/* architectures decides; else what stands before the classifier. */
static void the_kind_of_a_classifier_is_told_or_guessed(void)
{
    static const struct { bool distilbert; const char *without, *architectures; HeadKind head; } cases[] = {
        {false, "", "\"architectures\": [\"BertForSequenceClassification\"],", HEAD_SEQUENCE},
        {false, "", "\"architectures\": [\"BertModel\", 5, \"TFBertForMultipleChoice\"],", HEAD_CHOICE},
        {false, "", "\"architectures\": [\"BertForTokenClassification\"],", HEAD_TOKENS},
        {false, "", "\"architectures\": [\"BertForPreTraining\"],", HEAD_UNKNOWN}, {false, "", "", HEAD_UNKNOWN},
        {false, "pooler", "", HEAD_TOKENS}, {true, "", "", HEAD_SEQUENCE}, {true, "pre_classifier", "", HEAD_TOKENS},
        {true, "pre_classifier", "\"architectures\": [\"DistilBertForSequenceClassification\"],", HEAD_SEQUENCE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Bert m;
        Error e = {0};
        if (!headed_model(cases[i].distilbert, 1, cases[i].without)) return;
        configure(cases[i].distilbert, "%s", cases[i].architectures);
        if (!check(bert_load(&m, tiny, &e) == BERT_OK, "%s", e.message)) return;
        check(m.config.head == cases[i].head, "case %zu: kind %d, expected %d", i, m.config.head, cases[i].head);
        const Request r = trace_request(&m, rows, 8);
        const bool before = cases[i].distilbert ? m.has_pre_classifier : m.has_pooler;
        check(r.token_classifier == (m.config.head == HEAD_TOKENS) && r.classifier == (m.config.head != HEAD_TOKENS && before),
              "case %zu: what a trace runs", i);
        bert_free(&m);
        formula_remove(tiny);
    }
}

/* The labels of a config.json: BERT_OK with these names, or a refusal that says this. */
static void labels_are_read_or_refused(void)
{
    static const struct { const char *config, *part; const char *names[3]; } cases[] = {
        {"\"id2label\": {\"2\": \"c\", \"0\": \"a\", \"1\": \"b\"},", NULL, {"a", "b", "c"}},
        {"\"id2label\": {\"0\": 7, \"1\": \"\", \"2\": \"x\"},", NULL, {"7", "", "x"}},
        {"\"id2label\": null, \"label2id\": null, \"problem_type\": null,", NULL, {"LABEL_0", "LABEL_1", "LABEL_2"}},
        {"\"num_labels\": 3,", NULL, {"LABEL_0", "LABEL_1", "LABEL_2"}},
        {"\"_num_labels\": 3, \"sentence_transformers\": [],", NULL, {"LABEL_0", "LABEL_1", "LABEL_2"}},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\"},", "id2label has 2 labels, but classifier.weight has 3 rows", {0}},
        {"\"num_labels\": 2,", "num_labels is 2, but classifier.weight has 3 rows", {0}},
        {"\"num_labels\": 3, \"id2label\": {\"0\": \"a\"},", "id2label has 1 labels, but num_labels is 3", {0}},
        {"\"num_labels\": 0,", "num_labels is 0, expected 1 to", {0}},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"3\": \"c\"},", "id2label has 3 labels, but none for 2", {0}},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"1\": \"c\"},", "id2label has the id 1 twice", {0}},
        {"\"id2label\": {\"0\": \"a\", \"01\": \"b\", \"2\": \"c\"},", "id2label has the key '01'", {0}},
        {"\"id2label\": {\"-1\": \"a\"},", "id2label has the key '-1'", {0}},
        {"\"id2label\": {\"99999999999999999999\": \"a\"},", "id2label has the key '9999", {0}},
        {"\"id2label\": {}, \"id2label\": {},", "found id2label twice", {0}},
        {"\"id2label\": [\"a\"],", "expected an object", {0}},
        {"\"id2label\": {\"0\": null},", "expected a string", {0}},
        {"\"id2label\": {\"0\": \"a\\u0000b\"},", "U+0000", {0}},
        {"\"label2id\": {\"a\": \"x\"},", "label2id gives 'a' an id that is no number", {0}},
        {"\"label2id\": {\"a\": -1},", "label2id gives 'a' an id that is no number", {0}},
        {"\"problem_type\": \"guessing\",", "problem_type is \"guessing\"", {0}},
        {"\"problem_type\": \"single_label_classification\", \"id2label\": {\"0\": \"a\"},", "but there is one label", {0}},
        {"\"problem_type\": \"single_label_classification\", \"num_labels\": 1,", "but there is one label", {0}},
        {"\"label2id\": {\"\\u001b[31m\": 1.5},", "expected an integer", {0}},
    };
    BertConfig config = {.K = 3, .head = HEAD_SEQUENCE};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Labels l;
        Error e = {0};
        configure(false, "%s", cases[i].config);
        const Status s = labels_load(&l, tiny, &config, &e);
        if (cases[i].part) record(cases[i].part, e.message, tiny);
        if (cases[i].part)
            check(s == BERT_FILE && strstr(e.message, cases[i].part), "case %zu: \"%s\" holds \"%s\"", i, e.message, cases[i].part);
        else if (check(s == BERT_OK && l.count == 3, "case %zu: %s", i, e.message))
            for (int k = 0; k < 3; k++) check_text("a label", l.names[k], cases[i].names[k]);
        labels_free(&l);
    }
    char text[4096], name[1200];
    memset(name, 'x', sizeof name);
    for (int length = 999; length <= 1000; length++) {                  /* the longest name that is taken */
        Labels l;
        Error e = {0};
        snprintf(text, sizeof text, "{\"id2label\": {\"0\": \"%.*s\", \"1\": \"\", \"2\": \"z\"}}", length, name);
        write_config(text);
        check(labels_load(&l, tiny, &config, &e) == (length == 999 ? BERT_OK : BERT_FILE), "%d bytes: %s", length, e.message);
        labels_free(&l);
    }
    formula_remove(tiny);
}

/* Entailment by label2id, in the order of the file, else by id2label; equal names; settings of cross-encoders. */
static void what_labels_mean_is_found(void)
{
    static const struct { const char *config; int entailment; CrossActivation activation; const char *equal; } cases[] = {
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"a\"},", -1, ACTIVATION_UNSAID, "a"},
        {"\"id2label\": {\"0\": \"x\", \"1\": \"Entailment\", \"2\": \"y\"},", 1, ACTIVATION_UNSAID, NULL},
        {"\"label2id\": {\"neutral\": 0, \"ENTAIL\": \"2\", \"entailment\": 1},", 2, ACTIVATION_UNSAID, NULL},
        {"\"label2id\": {\"entai\": 1},", -1, ACTIVATION_UNSAID, NULL},
        {"\"sbert_ce_default_activation_function\": \"torch.nn.modules.linear.Identity\",", -1, ACTIVATION_NONE, NULL},
        {"\"sbert_ce_default_activation_function\": \"torch.x.Sigmoid\", \"sentence_transformers\": {\"activation_fn\": "
         "\"torch.Identity\"},", -1, ACTIVATION_NONE, NULL},
        {"\"sentence_transformers\": {\"activation_fn\": null}, \"sbert_ce_default_activation_function\": \"torch.Identity\",",
         -1, ACTIVATION_UNSAID, NULL},
        {"\"sbert_ce_default_activation_function\": \"mine.Identity\",", -1, ACTIVATION_FOREIGN, NULL},
        {"\"sbert_ce_default_activation_function\": \"torch.Tanh\",", -1, ACTIVATION_UNKNOWN, NULL},
    };
    const BertConfig config = {.K = 3, .head = HEAD_SEQUENCE};
    if (!tiny_model()) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Labels l;
        Error e = {0};
        configure(false, "%s", cases[i].config);
        if (!check(labels_load(&l, tiny, &config, &e) == BERT_OK, "%s", e.message)) continue;
        const char *equal = labels_equal(&l);
        check(labels_entailment(&l) == cases[i].entailment, "case %zu: entailment %d", i, labels_entailment(&l));
        check(l.activation == cases[i].activation, "case %zu: activation %d", i, (int)l.activation);
        check(l.activation == ACTIVATION_UNSAID || strstr(cases[i].config, strrchr(l.activation_place, '.') + 1) ||
              strstr(cases[i].config, strrchr(l.activation_place, ' ') + 1), "case %zu: %s", i, l.activation_place);
        check(!equal == !cases[i].equal && (!equal || !strcmp(equal, cases[i].equal)), "case %zu: equal names", i);
        labels_free(&l);
    }
    formula_remove(tiny);
}

/* config_sentence_transformers.json counts before config.json, unless it says nothing; or is refused by name. */
static void the_newest_setting_of_a_cross_encoder_counts(void)
{
    static const struct { const char *text; CrossActivation activation; } cases[] = {
        {"{\"a\": 1, \"activation_fn\": \"torch.nn.modules.activation.Sigmoid\"}", ACTIVATION_SIGMOID},
        {"{\"activation_fn\": null}", ACTIVATION_NONE}, {"{}", ACTIVATION_NONE},
        {"{\"activation_fn\": 1}", -1}, {"{\"activation_fn\": \"x\"", -1}, {"", -1}};
    const BertConfig config = {.K = 1, .head = HEAD_SEQUENCE};
    char path[300];
    if (!tiny_model()) return;
    configure(false, "\"sentence_transformers\": {\"activation_fn\": \"torch.Identity\"},");
    snprintf(path, sizeof path, "%s/config_sentence_transformers.json", tiny);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Labels l;
        Error e = {0};
        FILE *f = fopen(path, "w");
        if (!check(f != NULL, "%s is written", path)) return;
        fputs(cases[i].text, f);
        fclose(f);
        const Status s = labels_load(&l, tiny, &config, &e);
        if ((int)cases[i].activation >= 0)
            check(s == BERT_OK && l.activation == cases[i].activation, "case %zu: %d %s", i, (int)l.activation, e.message);
        else check(s == BERT_FILE && strstr(e.message, "config_sentence_transformers.json"), "case %zu: %s", i, e.message);
        if ((int)cases[i].activation < 0) record(cases[i].text, e.message, tiny);
        labels_free(&l);
    }
    remove(path);
    formula_remove(tiny);
}

/* A file of the tiny model. */
static void write_file(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", tiny, name);
    FILE *f = fopen(path, "w");
    if (!check(f != NULL, "%s is written", path)) return;
    fputs(text, f);
    fclose(f);
}

/* A cross-encoder with modules.json: its settings for texts count as an encoder's do, and what cannot be obeyed is
 * refused by file and key. */
static void a_cross_encoder_obeys_its_modules(void)
{
#define MODULE(type) "{\"name\": \"" type "\", \"type\": \"" type "\", \"path\": \"\"}"
#define ITSELF MODULE("sentence_transformers.base.modules.transformer.Transformer")
    static const struct { const char *modules, *settings, *part; } cases[] = {
        {"[" ITSELF "]", "{\"max_seq_length\": 7}", NULL},
        {"[" ITSELF "]", "{\"processor_kwargs\": {\"model_max_length\": 7}, \"transformer_task\": "
         "\"sequence-classification\", \"module_output_name\": \"scores\", \"modality_config\": {\"text\": "
         "{\"method\": \"forward\", \"method_output_name\": \"logits\"}}}", NULL},
        {"[" ITSELF "]", "{\"config_kwargs\": {\"hidden_act\": \"relu\"}}",
         "sentence_bert_config.json: \"hidden_act\""},
        {"[" ITSELF "]", "{\"transformer_task\": \"text-generation\"}", "sentence_bert_config.json: transformer_task"},
        {"[" ITSELF "]", "{\"other\": 1}", "sentence_bert_config.json: the key \"other\""},
        {"[" MODULE("my.own.Thing") "]", "{}", "modules.json: \"type\" of module 0 is \"my.own.Thing\""},
        {"[" ITSELF ", " MODULE("sentence_transformers.cross_encoder.modules.LogitScore") "]", "{}",
         "modules.json: \"type\" of module 1"},
        {"[]", "{}", "modules.json: 0 modules"}};
    static char whole[4000];
    if (!headed_model(false, 1, "")) return;
    configure(false, "\"architectures\": [\"BertForSequenceClassification\"],");
    check(run("./bert rank -q -m %s 'the cat' 'sat'", tiny) == 0, "a pair of 6 tokens: %s", output);
    check(run("./bert rank -q -m %s 'the cat' 'sat on'", tiny) == 0, "a pair of 7 tokens: %s", output);
    snprintf(whole, sizeof whole, "%.*s", (int)strcspn(output, "\t"), output);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("modules.json", cases[i].modules);
        write_file("sentence_bert_config.json", cases[i].settings);
        const int code = run("./bert rank -q -m %s 'the cat' 'sat on the mat' 2>&1", tiny);
        if (cases[i].part) check(code == 3 && strstr(output, cases[i].part), "case %zu: exit %d, %s", i, code, output);
        else check(code == 0 && !strncmp(output, whole, strlen(whole)) && output[strlen(whole)] == '\t',
                   "case %zu: cut to 7 tokens, exit %d: %s, expected %s", i, code, output, whole);
    }
    run("rm %s/modules.json %s/sentence_bert_config.json", tiny, tiny);
    formula_remove(tiny);
}

/* Where tokenizer_config.json names no class, config.json does. */
static void the_class_of_the_tokenizer_may_stand_in_config_json(void)
{
    if (!tiny_model()) return;
    configure(false, "\"tokenizer_class\": \"BertJapaneseTokenizer\",");
    check(run("./bert embed -m %s x 2>&1", tiny) == 3 &&
          strstr(output, "/config.json: tokenizer_class: found 'BertJapaneseTokenizer'"), "refused: %s", output);
    configure(false, "\"tokenizer_class\": \"DistilBertTokenizer\",");
    check(run("./bert tokenize -m %s --format json --pair b a 2>&1", tiny) == 0 &&
          strstr(output, "\"type_ids\": [0, 0, 0, 0, 0]"), "a pair without segments: %s", output);
    check(run("./bert tokenize -m %s --segments 1 --format json --pair b a 2>&1", tiny) == 0 &&
          strstr(output, "\"type_ids\": [1, 1, 1, 1, 1]"), "--segments says another: %s", output);
    write_file("tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": true}");
    configure(false, "\"tokenizer_class\": \"BertJapaneseTokenizer\",");
    check(run("./bert tokenize -m %s --format json --pair b a 2>&1", tiny) == 0 &&
          strstr(output, "\"type_ids\": [0, 0, 0, 1, 1]"), "tokenizer_config.json comes first: %s", output);
    run("rm %s/tokenizer_config.json", tiny);
    formula_remove(tiny);
}

/* A million labels are believed, and no more. */
static void labels_are_at_most_a_million(void)
{
    const BertConfig config = {.head = HEAD_UNKNOWN};
    char path[300];
    if (!tiny_model()) return;
    snprintf(path, sizeof path, "%s/config.json", tiny);
    for (int more = 0; more < 2; more++) {
        Labels l;
        Error e = {0};
        FILE *f = fopen(path, "w");
        if (!check(f != NULL, "%s is written", path)) return;
        fputs("{\"label2id\": {\"\":0", f);
        for (int i = 1; i < MAX_LABELS + more; i++) fputs(",\"\":0", f);
        fputs("}}", f);
        fclose(f);
        const Status s = labels_load(&l, tiny, &config, &e);
        check(s == (more ? BERT_FILE : BERT_OK), "%d more: %s", more, e.message);
        check(!more || strstr(e.message, "more than 1048576 labels"), "%s", e.message);
        labels_free(&l);
    }
    formula_remove(tiny);
}

/* =====================================================================================================================
 * The commands
 * ================================================================================================================== */

/* Logits that are known: classifier.weight 0, these biases. */
static bool known_logits(const float *bias, size_t K, const char *config)
{
    if (!headed_model(false, K, "")) return false;
    configure(false, "\"architectures\": [\"BertForSequenceClassification\"], %s", config);
    char path[300];
    Safetensors st;
    Error e = {0};
    snprintf(path, sizeof path, "%s/model.safetensors", tiny);
    if (!check(safetensors_open(&st, path, &e) == BERT_OK, "%s", e.message)) return false;
    static float zeros[8 * H];
    for (size_t i = 0; i < st.count; i++) {
        if (!strcmp(st.tensors[i].name, "classifier.weight")) st.tensors[i].data = zeros;
        if (!strcmp(st.tensors[i].name, "classifier.bias")) st.tensors[i].data = bias;
    }
    const Status s = safetensors_write(path, st.tensors, st.count, NULL, 0, &e);
    safetensors_close(&st);
    return check(s == BERT_OK, "%s", e.message);
}

/* A command with the tiny model after -m: its exit code, and what it must print, whole. */
static void prints(int code, const char *want, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void prints(int code, const char *want, const char *format, ...)
{
    char command[2000];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    const int got = run("%s", command);
    check(got == code, "%s: exit code %d, expected %d", command, got, code);
    check_text(command, output, want);
}

/* Softmax, sigmoid or none, by problem_type, by the number of labels, by a cross-encoder's setting, by --activation.
 * ln 2 and 0: 2/3 and 1/3, or 2/3 and 1/2. */
static void scores_follow_the_configuration(void)
{
    static const float two[] = {0, 0.69314718f}, one[] = {0.69314718f};
    static const char softmaxed[] = "0.666666687\tb\n0.333333343\ta\n", sigmoids[] = "0.666666687\tb\n0.5\ta\n",
                      logits[] = "0.693147182\tb\n0\ta\n";
    static const struct { const char *config, *options, *want; } cases[] = {
        {"", "", softmaxed}, {"\"problem_type\": \"single_label_classification\",", "", softmaxed},
        {"\"problem_type\": \"multi_label_classification\",", "", sigmoids}, {"\"problem_type\": \"regression\",", "", logits},
        {"\"problem_type\": \"regression\",", "--activation softmax", softmaxed}, {"", "--activation none", logits},
        {"", "--activation sigmoid --top-k 1", "0.666666687\tb\n"},
        {"\"sentence_transformers\": {\"activation_fn\": \"torch.nn.modules.linear.Identity\"},", "", logits},
        {"\"sbert_ce_default_activation_function\": \"torch.nn.Sigmoid\",", "", sigmoids},
        {"", "--format json", "{\"input\": 0, \"labels\": [{\"label\": \"b\", \"score\": 0.666666687, \"logit\": 0.693147182}, "
         "{\"label\": \"a\", \"score\": 0.333333343, \"logit\": 0}]}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[300];
        snprintf(config, sizeof config, "\"id2label\": {\"0\": \"a\", \"1\": \"b\"}, %s", cases[i].config);
        if (!known_logits(two, 2, config)) return;
        prints(0, cases[i].want, "./bert classify -q -m %s %s 'the cat'", tiny, cases[i].options);
        formula_remove(tiny);
    }
    if (!known_logits(one, 1, "")) return;
    prints(0, "0.666666687\tLABEL_0\n\n0.666666687\tLABEL_0\n", "./bert classify -q -m %s the cat", tiny);
    prints(0, "0.666666687\tcat\n0.666666687\tdog\n", "./bert rank -q -m %s the cat dog", tiny);
    prints(0, "0.693147182\tcat\n", "./bert rank -q -m %s the --activation none cat dog --top-k 1", tiny);
    check(run("./bert rank -m %s the cat 2>&1 >/dev/null | grep -q 'cross-encoder.*(sigmoid)'", tiny) == 0, "rank says it");
    check(run("./bert rank -q -m %s --pooling mean cat cat dog | grep -q '^1\tcat'", tiny) == 0, "--pooling asks for cosines");
    formula_remove(tiny);
}

/* What a directory asks for and is not done here is refused by the file and the key that ask for it. */
static void settings_that_cannot_be_obeyed_are_refused_by_file_and_key(void)
{
    static const float two[] = {0, 0};
    static const struct { const char *config, *settings, *command, *part; } cases[] = {
        {"\"sentence_transformers\": {\"activation_fn\": \"torch.nn.Tanh\"},", NULL, "classify",
         "/config.json: sentence_transformers.activation_fn is \"torch.nn.Tanh\", expected torch's Identity or Sigmoid"},
        {"\"sbert_ce_default_activation_function\": \"torch.nn.Tanh\",", NULL, "classify",
         "/config.json: sbert_ce_default_activation_function is \"torch.nn.Tanh\""},
        {"", "{\"activation_fn\": \"torch.nn.Tanh\"}", "classify",
         "/config_sentence_transformers.json: activation_fn is \"torch.nn.Tanh\""},
        {"\"id2label\": {\"0\": \"a\", \"1\": \"b\"}, \"label2id\": {\"a\": 0, \"entailment\": 7},", NULL,
         "classify --labels x", "/config.json: label2id gives entailment the id 7, but the classifier has 2 rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!known_logits(two, 2, cases[i].config)) return;
        if (cases[i].settings) write_file("config_sentence_transformers.json", cases[i].settings);
        const int code = run("./bert %s -q -m %s 'the cat' 2>&1", cases[i].command, tiny);
        check(code == 3 && strstr(output, cases[i].part), "case %zu: exit %d, %s", i, code, output);
        run("rm -f %s/config_sentence_transformers.json", tiny);
        formula_remove(tiny);
    }
    if (!headed_model(false, 1, "")) return;
    configure(false, "\"architectures\": [\"BertForSequenceClassification\"],");
    write_file("modules.json", "[" ITSELF "]");
    write_file("config_sentence_transformers.json",
               "{\"prompts\": {\"query\": \"the big \"}, \"default_prompt_name\": \"query\"}");
    check(run("./bert rank -q -m %s 'the cat' 'sat on' 2>&1", tiny) == 3 &&
          strstr(output, "/config_sentence_transformers.json: the key \"default_prompt_name\" cannot be obeyed"),
          "a prompt of a cross-encoder: %s", output);
    run("rm %s/modules.json %s/config_sentence_transformers.json", tiny, tiny);
    formula_remove(tiny);
}

/* What an answer cannot be given for, and in which words. */
static void commands_say_which_head_is_there(void)
{
    static const struct { const char *without, *config, *command; int code; const char *part; } cases[] = {
        {"", "Token", "classify", 5, "scores every token, not whole texts: see `bert tag`"},
        {"", "Sequence", "choose x", 5, "scores whole texts, not the choices of a question: see `bert classify`"},
        {"classifier.", "Sequence", "classify", 5, "but a head that finds answers in a text"},
        {"pooler", "Sequence", "classify", 5, "but not the layer before it (pooler.dense)"},
        {"", "Sequence", "classify --template {}", 2, "--template goes with --labels"},
        {"", "Sequence", "classify --labels a --activation none", 2, "leave --activation out"},
        {"", "Sequence", "classify --labels ' , '", 2, "--labels holds no label"},
        {"", "Sequence", "classify --labels a --template 'no hole'", 2, "--template needs {}"},
        {"", "Sequence", "classify --pair y --labels a", 2, "leave --pair out"},
        {"", "Sequence", "classify --labels \"$(printf 'word %.0s' $(seq 40))\"", 4, "the model no room for it"},
        {"", "Sequence", "choose --pair y x", 2, "leave --pair out"}, {"", "Sequence", "choose", 2, "choose needs a TEXT"},
        {"", "Sequence", "rank --activation none x", 2, "--activation is for a cross-encoder"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!headed_model(false, 3, cases[i].without)) return;
        configure(false, "\"architectures\": [\"BertFor%sClassification\"],", cases[i].config);
        const int code = run("./bert %s -m %s x 2>&1 >/dev/null", cases[i].command, tiny);
        check(code == cases[i].code && strstr(output, cases[i].part),
              "%s: exit code %d, expected %d; \"%s\" in: %s", cases[i].command, code, cases[i].code, cases[i].part, output);
        formula_remove(tiny);
    }
    if (!headed_model(true, 3, "")) return;
    configure(true, " ");
    check(run("./bert embed -m %s --segments 1 cat 2>&1 >/dev/null", tiny) == 0 && strstr(output, "has no segments"),
          "an option without effect is said: %s", output);
    formula_remove(tiny);
    if (!tiny_model()) return;
    check(run("./bert classify -m %s x 2>&1", tiny) == 5 && strstr(output, "would answer at random"), "no head: %s", output);
    formula_remove(tiny);
}

/* Names of labels come from a file: printed escaped, one line each; equal ones are said. */
static void labels_are_printed_safely(void)
{
    static const float two[] = {0, 0};
    if (!known_logits(two, 2, "\"id2label\": {\"0\": \"a\\tb\\u001b[31m\", \"1\": \"\\n\\u0085\"},")) return;
    prints(0, "0.5\ta\\x09b\\x1b[31m\n0.5\t\\x0a\\xc2\\x85\n", "./bert classify -q -m %s x", tiny);
    check(run("./bert info -m %s | grep -c '0 a\\\\x09b\\\\x1b\\[31m, 1 '", tiny) == 0, "info: %s", output);
    check(run("./bert explain -m %s --step 14 x | grep -c 'a\\\\x09b'", tiny) == 0, "explain: %s", output);
    formula_remove(tiny);
    if (!known_logits(two, 2, "\"id2label\": {\"0\": \"same\", \"1\": \"same\"},")) return;
    check(run("./bert classify -m %s x 2>&1 | grep -q 'two labels have the same name: same'", tiny) == 0, "equal labels");
    formula_remove(tiny);
}

/* Zero-shot by known logits: contradiction 0, neutral 0, entailment ln 2; one label is 2/3, two are 1/2 each, the last
 * first. */
static void zero_shot_follows_the_labels(void)
{
    static const float three[] = {0, 0, 0.69314718f};
    if (!known_logits(three, 3, "\"label2id\": {\"c\": 0, \"n\": 1, \"entailment\": 2},")) return;
    prints(0, "0.5\tbig dog\n0.5\tcat\n", "./bert classify -q -m %s --labels ' cat,, big dog ' the", tiny);
    prints(0, "0.666666687\tdog\n0.666666687\tcat\n", "./bert classify -q -m %s --multi --labels cat,dog the", tiny);
    prints(0, "{\"input\": 0, \"labels\": [{\"label\": \"cat\", \"score\": 0.666666687, \"logit\": 0.693147182}]}\n",
           "./bert classify -q -m %s --format json --labels cat the", tiny);
    configure(false, "\"architectures\": [\"BertForSequenceClassification\"], \"label2id\": {\"entail\": 0, \"c\": 2},");
    prints(0, "0.333333343\tcat\n", "./bert classify -q -m %s --labels cat the", tiny);     /* against the last row */
    configure(false, "\"architectures\": [\"BertForSequenceClassification\"], \"label2id\": {\"entail\": 7},");
    check(run("./bert classify -m %s --labels cat the 2>&1", tiny) == 3 && strstr(output, "the id 7, but the classifier has 3"),
          "an id beyond the rows: %s", output);
    formula_remove(tiny);
}

/* In a trace the two classifiers have one name; its shape tells them apart, and a file of either is compared. */
static void classifiers_of_texts_and_of_tokens_are_told_apart(void)
{
    for (int tokens = 0; tokens < 2; tokens++) {
        if (!headed_model(tokens, 3, "")) return;
        configure(tokens, "\"architectures\": [\"XFor%sClassification\"],", tokens ? "Token" : "Sequence");
        check(run("./bert trace -q -m %s -o %s/t 'the cat' 'the dog'", tiny, tiny) == 0, "a trace is written");
        check(run("./bert compare -v %s/t %s/t | grep -q '^classifier  *(2, %s3) '", tiny, tiny, tokens ? "4, " : "") == 0,
              "compare: %s", output);
        check(run("./bert verify -q -v -m %s %s/t | grep -q '^classifier  *(2, %s3) '", tiny, tiny, tokens ? "4, " : "") == 0,
              "verify");
        check(run("./bert verify -q -m %s %s/t | tail -n 1", tiny, tiny) == 0, "verify exits 0");
        check_text("the last line", output, "no difference\n");
        run("sed -i 's/\"classifier\":/\"logits\":    /' %s/t", tiny);         /* as Hugging Face's outputs call them */
        check(run("./bert verify -q -v -m %s %s/t | grep -q '^classifier  *(2, %s3) .* equal'", tiny, tiny,
                  tokens ? "4, " : "") == 0, "logits are the classifier's");
        run("rm -f %s/t", tiny);
        formula_remove(tiny);
    }
}

const Test head_tests[] = {
    {"a_distilbert_is_a_bert_with_other_names", a_distilbert_is_a_bert_with_other_names},
    {"heads_are_what_their_formulas_say", heads_are_what_their_formulas_say},
    {"heads_have_the_same_bits_however_they_are_run", heads_have_the_same_bits_however_they_are_run},
    {"models_with_wrong_heads_are_refused_by_name", models_with_wrong_heads_are_refused_by_name},
    {"the_kind_of_a_classifier_is_told_or_guessed", the_kind_of_a_classifier_is_told_or_guessed},
    {"labels_are_read_or_refused", labels_are_read_or_refused},
    {"what_labels_mean_is_found", what_labels_mean_is_found},
    {"the_newest_setting_of_a_cross_encoder_counts", the_newest_setting_of_a_cross_encoder_counts},
    {"a_cross_encoder_obeys_its_modules", a_cross_encoder_obeys_its_modules},
    {"settings_that_cannot_be_obeyed_are_refused_by_file_and_key",
     settings_that_cannot_be_obeyed_are_refused_by_file_and_key},
    {"the_class_of_the_tokenizer_may_stand_in_config_json", the_class_of_the_tokenizer_may_stand_in_config_json},
    {"labels_are_at_most_a_million", labels_are_at_most_a_million},
    {"scores_follow_the_configuration", scores_follow_the_configuration},
    {"commands_say_which_head_is_there", commands_say_which_head_is_there},
    {"labels_are_printed_safely", labels_are_printed_safely},
    {"zero_shot_follows_the_labels", zero_shot_follows_the_labels},
    {"classifiers_of_texts_and_of_tokens_are_told_apart", classifiers_of_texts_and_of_tokens_are_told_apart},
    {NULL, NULL},
};
