/* classify.c - the verbs of fine-tuned classifiers of texts: classify (with labels of its own, or zero-shot), choose;
 * and what rank needs of a cross-encoder. Step 14, with a head that someone trained for a question of theirs.
 */
#include "cli/cli.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * Which head is there, and is it the one that was asked for?
 * ================================================================================================================== */

/* What a kind of classifier scores, and the command that runs it. */
static const struct {
    const char *what, *verb;
} kinds[] = {
    [HEAD_UNKNOWN] = {"nobody knows what", "classify"},
    [HEAD_SEQUENCE] = {"whole texts", "classify"},
    [HEAD_CHOICE] = {"the choices of a question", "choose"},
    [HEAD_TOKENS] = {"every token", "tag"},
};

/* There is no classifier at all. Trap: Hugging Face's library makes one up in that case, of random numbers, with a
 * warning; its answers look like answers. */
static Status no_classifier(const Session *s, Error *e)
{
    const Bert *m = &s->model;
    if (m->has_qa)
        return fail(e, BERT_HEAD, "the weights have no classifier (classifier.weight), but a head that finds answers "
                    "in a text (qa_outputs): see `bert answer`");
    return fail(e, BERT_HEAD, "the weights have no classifier (classifier.weight): they are not fine-tuned for this, "
                "and a random one would answer at random; the model is %s, -m names another", s->directory);
}

/* A classifier of texts that lacks the layer before it. */
static Status no_layer_before(const Session *s, Error *e)
{
    const Bert *m = &s->model;
    if (m->config.distilbert ? m->has_pre_classifier : m->has_pooler) return BERT_OK;
    return fail(e, BERT_HEAD, "the weights have a classifier, but not the layer before it (%s): it cannot score texts",
                m->config.distilbert ? "pre_classifier" : "pooler.dense");
}

/* Rows without names, LABEL_0 ...: label2id may have some, which is all that the file says of them. They are shown, not
 * taken: Hugging Face's pipelines print LABEL_0 all the same. */
static void note_unnamed(const Session *s, const Labels *l)
{
    char text[400] = "", name[80];
    if (!l->id_count || l->named) {
        note(s, "config.json does not name the labels: LABEL_0 is the first row of the classifier, and what it means "
                "is not written anywhere");
        return;
    }
    for (int i = 0; i < l->id_count && strlen(text) < 250; i++) {
        const size_t n = strlen(text);
        escape(name, sizeof name, l->ids[i].name);
        snprintf(text + n, sizeof text - n, "%sLABEL_%d is %s", i ? ", " : "", l->ids[i].id, name);
    }
    note(s, "config.json has no id2label, whose names are printed; by its label2id %s", text);
}

/* What the labels leave open: nothing that keeps the model from answering, but what its reader should know. */
static void note_labels(const Session *s, const Labels *l)
{
    const char *twice = labels_equal(l);
    char name[200];
    bool numbered = l->count > 1;
    for (int i = 0; i < l->count; i++) numbered &= !strncmp(l->names[i], "LABEL_", 6);
    if (numbered) note_unnamed(s, l);
    if (!twice) return;
    escape(name, sizeof name, twice);
    note(s, "two labels have the same name: %s", name);
}

Status open_head(const Session *s, HeadKind wanted, Labels *labels, Error *e)
{
    const Bert *m = &s->model;
    const HeadKind head = m->config.head;
    *labels = (Labels){0};
    if (!m->has_classifier) return no_classifier(s, e);
    if (head != HEAD_UNKNOWN && head != wanted)
        return fail(e, BERT_HEAD, "the classifier of these weights scores %s, not %s: see `bert %s`", kinds[head].what,
                    kinds[wanted].what, kinds[head].verb);
    if (wanted != HEAD_TOKENS && no_layer_before(s, e) != BERT_OK) return e->status;
    if (wanted == HEAD_CHOICE && m->config.K != 1)
        return fail(e, BERT_HEAD, "the classifier has %d labels, expected one: it gives a choice no single score",
                    m->config.K);
    Status status = labels_load(labels, s->directory, &m->config, e);
    if (status != BERT_OK) return status;
    if (head == HEAD_UNKNOWN)
        note(s, "config.json does not say (architectures) what the classifier scores; taken as one of %s",
             kinds[wanted].what);
    if (wanted != HEAD_CHOICE && !s->options.labels) note_labels(s, labels);
    return BERT_OK;
}

/* =====================================================================================================================
 * Scores from logits
 * ================================================================================================================== */

/* As text-classification of Hugging Face's library, but where sentence-transformers has left its own setting, that one.
 * Trap: the same cross-encoder gives sigmoids in one library and raw logits in the other, if its config.json says
 * Identity: thresholds for one are meaningless for the other. */
static Status default_scores(const Session *s, const Labels *l, bool cross_encoder, Scores *scores, Error *e)
{
    const int K = s->model.config.K;
    char name[300];
    escape(name, sizeof name, l->activation_name);
    if (l->activation == ACTIVATION_UNKNOWN)
        return fail(e, BERT_FILE, "%s/%s is \"%s\", expected torch's Identity or Sigmoid: --activation overrides it",
                    s->directory, l->activation_place, name);
    if (l->activation == ACTIVATION_FOREIGN)
        note(s, "the activation function %s is none of torch's and is passed over, as in sentence-transformers", name);
    if (l->activation == ACTIVATION_NONE) *scores = SCORES_NONE;
    else if (l->activation == ACTIVATION_SIGMOID) *scores = SCORES_SIGMOID;
    else if (cross_encoder) *scores = K == 1 ? SCORES_SIGMOID : SCORES_NONE;
    else if (l->problem == PROBLEM_REGRESSION) *scores = SCORES_NONE;
    else *scores = l->problem == PROBLEM_MULTI_LABEL || K == 1 ? SCORES_SIGMOID : SCORES_SOFTMAX;
    return BERT_OK;
}

/* A cross-encoder's own setting is not what a classifier's user expects: said, with where it stands. */
static void note_scores(const Session *s, const Labels *l, Scores scores)
{
    const bool own = l->activation == ACTIVATION_NONE || l->activation == ACTIVATION_SIGMOID;
    if (own && s->options.activation == UNSET)
        note(s, "scores: %s, which the model's files set for a cross-encoder (activation_fn); --activation overrides "
                "it", scores == SCORES_NONE ? "raw logits" : "sigmoid");
}

Status choose_scores(const Session *s, const Labels *l, bool cross_encoder, Scores *scores, Error *e)
{
    *scores = (Scores)s->options.activation;
    return s->options.activation != UNSET ? BERT_OK : default_scores(s, l, cross_encoder, scores, e);
}

/* out (K) <- logits (K); sigmoid(x) = 1 / (1 + e^-x), each by itself. Trap: softmax of one label is always 1; and
 * labels that do not exclude each other (toxic, obscene, insult) were trained with sigmoid: softmax makes them compete.
 */
void scores_of(real *out, const real *logits, size_t K, Scores scores)
{
    if (scores == SCORES_SOFTMAX) softmax(out, logits, 1, K);
    if (scores == SCORES_NONE) memcpy(out, logits, K * sizeof *out);
    if (scores != SCORES_SIGMOID) return;
    for (size_t k = 0; k < K; k++) out[k] = -logits[k];
    exp_all(out, out, K);
    for (size_t k = 0; k < K; k++) out[k] = 1 / (1 + out[k]);
}

/* Is every number one? A NaN or an infinity in the weights makes scores that are none. */
bool all_finite(const real *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

/* The first tensor of the weights that has such a value, as `bert info` lists them all. */
void note_not_finite(const Session *s)
{
    const Safetensors *file = s->model.file;
    for (size_t k = 0; k < file->count; k++) {
        const SafeTensor *t = &file->tensors[k];
        size_t i = 0;
        while (t->dtype <= DTYPE_BF16 && i < t->count && isfinite(tensor_element(t, i))) i++;
        if (t->dtype > DTYPE_BF16 || i == t->count) continue;
        note(s, "scores are not numbers: value %zu of tensor '%.200s' is not finite (bert info lists all such tensors)",
             i, t->name);
        return;
    }
    note(s, "scores are not numbers, though all weights are: they are too large to compute with, or a row has no "
         "token");
}

/* One line of an answer. */
typedef struct {
    const char *name;
    double score, logit;
    int place;                      /* which row, label or choice it is, from 0 */
} Answer;

/* The higher score first, what is no number last. Of equal scores the first place, as Python's stable sort has them. */
static int by_answer(const void *a, const void *b)
{
    const Answer *x = a, *y = b;
    const int order = higher_first(x->score, y->score);
    return order ? order : x->place - y->place;
}

/* Of equal scores the last place: zero-shot takes the reverse of NumPy's argsort. */
static int by_reversed(const void *a, const void *b)
{
    const Answer *x = a, *y = b;
    return x->score == y->score ? y->place - x->place : by_answer(a, b);
}

/* The answers to input `number`, sorted: lines `score<TAB>name` with a blank line between inputs, or one JSON object.
 * Names may be anybody's: escaped. */
static void put_answers(const Session *s, size_t number, const Answer *answer, int count, const char *list,
                        const char *key)
{
    const bool json = format_is(s, "json");
    if (s->options.top_k != UNSET && s->options.top_k < count) count = s->options.top_k;
    if (json) fprintf(s->out, "{\"input\": %zu, \"%s\": [", number - 1, list);
    else if (number > 1) fputc('\n', s->out);
    for (int i = 0; i < count; i++) {
        if (json) {
            fprintf(s->out, "%s{\"%s\": ", i ? ", " : "", key);
            json_put_text(s->out, answer[i].name, strlen(answer[i].name));
            fputs(", \"score\": ", s->out);
            json_put_number(s->out, answer[i].score);
            fputs(", \"logit\": ", s->out);
            json_put_number(s->out, answer[i].logit);
            fputc('}', s->out);
        } else {
            put_score(s, answer[i].score);
            fputc('\t', s->out);
            put_safely(s->out, answer[i].name);
            fputc('\n', s->out);
        }
    }
    if (json) fputs("]}\n", s->out);
}

/* =====================================================================================================================
 * classify: a fine-tuned classifier of texts
 *
 * Pre-training makes a model that knows the language; fine-tuning adds one small layer, and trains all of it on a few
 * thousand examples of a question: is this review positive, does B follow from A?
 *
 *     logits = pooled W^T + b          (K)       one for each label
 *
 * See [paper] 4.1; [hf] TextClassificationPipeline.
 * ================================================================================================================== */
static const char classify_help[] =
    "The labels of each input with their scores: lines `score<TAB>label`, best\n"
    "first, a blank line between inputs. Needs a model that was fine-tuned to\n"
    "classify texts; the names of its labels are those of its config.json. Texts or\n"
    "pairs (--pair, --pairs), whatever it was trained on. This is transformers'\n"
    "pipeline text-classification: softmax; sigmoid for one label, or where labels\n"
    "do not exclude each other (problem_type); the logits themselves for regression.\n"
    "A cross-encoder's own activation function comes first: activation_fn of its\n"
    "config_sentence_transformers.json or config.json. That is said on stderr.\n"
    "\n"
    "--labels a,b,c asks a model of entailment (NLI) for labels of your own, as\n"
    "pipeline zero-shot-classification: is `This example is a.` entailed by the text?\n"
    "Their scores add up to 1; with --multi each is judged by itself. A label has no\n"
    "comma. A text that is too long is cut without a word, a label's sentence never.\n"
    "\n"
    "Formats:\n"
    "  text     score and label, a line each\n"
    "  json     one object per input: input (from 0), labels [{label, score, logit}];\n"
    "           with --labels the logit is that of entailment\n";
static const char classify_examples[] =
    "  bert classify -m sst2 'a film that is well worth seeing'\n"
    "  bert classify -m mnli --pair 'A cat sleeps.' 'A cat sleeps on the mat.'\n"
    "  bert classify -m mnli --labels sports,politics 'The match ended in a draw.'\n";

/* Rules between the options that no option knows. */
static Status classify_settle(Options *o, Error *e)
{
    if (!o->labels && (o->template_text || o->multi))
        return fail(e, BERT_USAGE, "%s goes with --labels", o->multi ? "--multi" : "--template");
    if (!o->labels) return BERT_OK;
    if (o->activation != UNSET)
        return fail(e, BERT_USAGE, "--labels has scores of its own: leave --activation out (--multi judges each label "
                    "by itself)");
    if (o->pair || o->pairs)
        return fail(e, BERT_USAGE, "--labels makes a pair of every text and label: leave %s out",
                    o->pair ? "--pair" : "--pairs");
    return o->inputs ? fail(e, BERT_USAGE, "--labels needs texts, which --inputs does not have") : BERT_OK;
}

/* One sequence of a run: K logits to K answers. `scores` (K) is working memory. */
static void classify_one(const Session *s, const Labels *l, Scores kind, const Input *input, const real *logits,
                         Answer *answer, real *scores)
{
    const int K = s->model.config.K;
    scores_of(scores, logits, (size_t)K, kind);
    for (int k = 0; k < K; k++) answer[k] = (Answer){l->names[k], (double)scores[k], (double)logits[k], k};
    qsort(answer, (size_t)K, sizeof *answer, by_answer);
    put_answers(s, input->number, answer, K, "labels", "label");
}

/* All inputs, many in one run. */
static Status classify_inputs(Session *s, const Labels *l, Scores kind, Error *e)
{
    const Request request = {.classifier = true};
    const size_t K = (size_t)s->model.config.K;
    Inputs inputs = {0};
    Answer *answer = calloc(K, sizeof *answer);
    real *scores = calloc(K, sizeof *scores);
    bool finite = true;
    Status status = answer && scores ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory");
    while (status == BERT_OK && (status = next_inputs(s, &inputs, e)) == BERT_OK && inputs.count > 0) {
        ModelRun run;
        status = run_inputs(&run, &s->model, &inputs, &request, e);
        if (status == BERT_OK) finite &= all_finite(run.a.classifier_logits, inputs.count * K);
        for (size_t i = 0; status == BERT_OK && i < inputs.count; i++) {
            classify_one(s, l, kind, &inputs.input[i], run.a.classifier_logits + i * K, answer, scores);
            status = answer_done(s, e);
        }
        run_free(&run);
    }
    if (!finite) note_not_finite(s);
    free(answer);
    free(scores);
    inputs_free(&inputs);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Zero-shot: labels that the model was never trained on, by one that knows what follows from what
 *
 *     premise     The match ended in a draw.
 *     hypothesis  This example is sports.            its entailment logit is the label's
 *
 * Source: [hf] ZeroShotClassificationPipeline, transformers 5.23.
 * Trap: which row is entailment differs from model to model, even within a family (0, 1 or 2); label2id says it.
 * ------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    const Session *s;
    int entailment, contradiction;  /* rows of the classifier */
    char **names;                   /* (count) the labels, trimmed */
    char **sentences;               /* (count) the hypotheses */
    Encoding *hypothesis;           /* (count) their pieces, without [CLS] and [SEP] */
    Answer *answer;                 /* (count) */
    real *logits;                   /* (count) of entailment */
    real *against;                  /* (count) of contradiction */
    int count;
    bool broken;                    /* a logit was no number */
} ZeroShot;

/* The template with the label for {}: malloc'ed, NULL if memory runs out. */
static char *fill_template(const char *template, const char *label)
{
    const char *hole = strstr(template, "{}");
    const size_t size = strlen(template) + strlen(label) + 1;
    char *text = malloc(size);
    if (text) snprintf(text, size, "%.*s%s%s", (int)(hole - template), template, label, hole + 2);
    return text;
}

/* One label of the list, n bytes: blanks around it go; an empty one is none. */
static Status add_label(ZeroShot *z, const char *at, size_t n, const char *template, Error *e)
{
    const EncodeOptions bare = {.plain = z->s->options.plain, .no_add_special = true};
    for (; n && (*at == ' ' || *at == '\t'); n--) at++;
    while (n && (at[n - 1] == ' ' || at[n - 1] == '\t')) n--;
    if (!n) return BERT_OK;
    char *name = z->names[z->count] = malloc(n + 1);
    if (!name) return fail(e, BERT_SYSTEM, "out of memory");
    memcpy(name, at, n);
    name[n] = 0;
    char *sentence = z->sentences[z->count] = fill_template(template, name);
    Encoding *x = &z->hypothesis[z->count++];
    if (!sentence) return fail(e, BERT_SYSTEM, "out of memory");
    Status status = encode(&z->s->tokenizer, (Text){sentence, strlen(sentence)}, NULL, &bare, x, e);
    return status == BERT_OK ? status : fail(e, status, "--labels: %.900s", e->message);
}

/* "a, b, c" with the template. There are no more labels than commas and one. */
static Status read_labels(ZeroShot *z, Error *e)
{
    const char *at = z->s->options.labels, *given = z->s->options.template_text;
    const char *template = given ? given : "This example is {}.";
    const size_t room = strlen(at) + 1;
    Status status = BERT_OK;
    if (!strstr(template, "{}")) return fail(e, BERT_USAGE, "--template needs {} where the label goes");
    z->names = calloc(room, sizeof *z->names);
    z->sentences = calloc(room, sizeof *z->sentences);
    z->hypothesis = calloc(room, sizeof *z->hypothesis);
    z->answer = calloc(room, sizeof *z->answer);
    z->logits = calloc(room, sizeof *z->logits);
    z->against = calloc(room, sizeof *z->against);
    if (!z->names || !z->sentences || !z->hypothesis || !z->answer || !z->logits || !z->against)
        return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t n; status == BERT_OK; at += n + 1) {
        n = strcspn(at, ",");
        status = add_label(z, at, n, template, e);
        if (!at[n]) break;
    }
    return status == BERT_OK && !z->count ? fail(e, BERT_USAGE, "--labels holds no label") : status;
}

static void zero_shot_free(ZeroShot *z)
{
    for (int i = 0; i < z->count; i++) {
        free(z->names[i]);
        free(z->sentences[i]);
        encoding_free(&z->hypothesis[i]);
    }
    free(z->names);
    free(z->sentences);
    free(z->hypothesis);
    free(z->answer);
    free(z->logits);
    free(z->against);
}

/* The rows that count. Trap: the library takes row 0 for contradiction unless that is entailment, then the last one.
 * With the order entailment, neutral, contradiction or contradiction, neutral, entailment that is right; where neutral
 * comes first it is not, and the library is followed. Without any label of entailment it takes the last row. */
static Status find_entailment(ZeroShot *z, const Labels *l, Error *e)
{
    const int K = z->s->model.config.K, id = labels_entailment(l);
    if (K < 2)
        return fail(e, BERT_HEAD, "--labels needs a classifier of entailment, neutral and contradiction; this one has "
                    "one label");
    if (id >= K)
        return fail(e, BERT_FILE, "%s/config.json: label2id gives entailment the id %d, but the classifier has %d rows",
                    z->s->directory, id, K);
    if (id < 0)
        note(z->s, "no label of this model begins with `entail`: was it trained for entailment (NLI)? The last row is "
                   "taken, as transformers does");
    z->entailment = id < 0 ? K - 1 : id;
    z->contradiction = id == 0 ? K - 1 : 0;
    if (id > 0 && l->named && l->names[0] && (l->names[0][0] | 0x20) == 'n')
        note(z->s, "row 0 of this classifier is %.40s: transformers takes it for contradiction, which --multi shows",
             l->names[0]);
    return BERT_OK;
}

/* The segment of the hypothesis. */
static int second_segment(const Session *s)
{
    return s->model.config.distilbert || s->tokenizer.no_segments ? 0 : 1;
}

/* [CLS] premise [SEP] hypothesis [SEP], of which only the premise is cut if it is too long: the hypothesis must stay
 * whole. `premise` was encoded without [CLS] and [SEP]; `pair` has room for both and three more. */
static Status join_pair(const ZeroShot *z, const Encoding *premise, const Encoding *hypothesis, Encoding *pair,
                        Error *e)
{
    const Tokenizer *t = &z->s->tokenizer;
    const int limit = encode_options(z->s).max_length, rest = hypothesis->T + 3;
    int kept = premise->T, n = 0;
    if (limit && kept + rest > limit) kept = limit - rest;
    if (kept < 0 || (kept == 0 && premise->T > 0))
        return fail(e, BERT_TEXT, "--labels: a hypothesis has %d tokens, and the model no room for it (%d)",
                    hypothesis->T, limit);
    const int first = t->truncate_left ? premise->T - kept : 0;
    pair->input_ids[n++] = t->cls_id;
    for (int i = 0; i < kept; i++) pair->input_ids[n++] = premise->input_ids[first + i];
    pair->input_ids[n++] = t->sep_id;
    for (int i = 0; i < n; i++) pair->token_type_ids[i] = 0;
    for (int i = 0; i < hypothesis->T; i++, n++) {
        pair->input_ids[n] = hypothesis->input_ids[i];
        pair->token_type_ids[n] = second_segment(z->s);
    }
    pair->input_ids[n] = t->sep_id;
    pair->token_type_ids[n++] = second_segment(z->s);
    for (int i = 0; i < n; i++) pair->attention_mask[i] = 1;
    pair->T = n;
    return BERT_OK;
}

/* One label alone, or --multi: each is judged by itself, entailment against contradiction. */
static bool each_alone(const ZeroShot *z)
{
    return z->s->options.multi || z->count == 1;
}

/* Both logits of every label for one premise. */
static Status ask_labels(ZeroShot *z, const Encoding *premise, Encoding *pair, Error *e)
{
    const Request request = {.classifier = true};
    Status status = BERT_OK;
    for (int i = 0; i < z->count && status == BERT_OK; i++) {
        ModelRun run = {0};
        status = join_pair(z, premise, &z->hypothesis[i], pair, e);
        if (status == BERT_OK) status = run_model(&run, &z->s->model, pair, &request, e);
        if (status == BERT_OK) {
            z->logits[i] = run.a.classifier_logits[z->entailment];
            z->against[i] = run.a.classifier_logits[z->contradiction];
            z->broken |= !isfinite(z->logits[i]) || (each_alone(z) && !isfinite(z->against[i]));
        }
        run_free(&run);
    }
    return status;
}

/* Softmax over both logits of each label, or over the labels' entailment. */
static void score_labels(ZeroShot *z)
{
    const bool alone = each_alone(z);
    real pair[2];
    for (int i = 0; i < z->count; i++) {
        z->answer[i] = (Answer){z->names[i], 0, (double)z->logits[i], i};
        pair[0] = z->against[i];
        pair[1] = z->logits[i];
        if (alone) softmax(pair, pair, 1, 2), z->answer[i].score = (double)pair[1];
    }
    if (alone) return;
    softmax(z->logits, z->logits, 1, (size_t)z->count);
    for (int i = 0; i < z->count; i++) z->answer[i].score = (double)z->logits[i];
}

/* One input: its pieces once, then a pair with each label. */
static Status zero_shot_one(ZeroShot *z, Session *s, const Input *input, Error *e)
{
    const EncodeOptions bare = {.plain = s->options.plain, .no_add_special = true};
    Encoding premise = {0}, pair = {0};
    int longest = 0;
    for (int i = 0; i < z->count; i++)
        if (z->hypothesis[i].T > longest) longest = z->hypothesis[i].T;
    Status status = encode(&s->tokenizer, input->whole, NULL, &bare, &premise, e);
    const size_t room = (size_t)premise.T + (size_t)longest + 3;
    pair.input_ids = calloc(room, sizeof *pair.input_ids);
    pair.token_type_ids = calloc(room, sizeof *pair.token_type_ids);
    pair.attention_mask = calloc(room, sizeof *pair.attention_mask);
    if (status == BERT_OK && (!pair.input_ids || !pair.token_type_ids || !pair.attention_mask))
        status = fail(e, BERT_SYSTEM, "out of memory");
    if (status == BERT_OK) status = ask_labels(z, &premise, &pair, e);
    if (status != BERT_OK) at_input(s, input, e);
    if (status == BERT_OK) {
        score_labels(z);
        qsort(z->answer, (size_t)z->count, sizeof *z->answer, by_reversed);
        put_answers(s, input->number, z->answer, z->count, "labels", "label");
    }
    encoding_free(&premise);
    encoding_free(&pair);
    return status == BERT_OK ? answer_done(s, e) : status;
}

static Status zero_shot(Session *s, const Labels *l, Error *e)
{
    ZeroShot z = {.s = s};
    Input input = {0};
    bool more = true;
    Status status = find_entailment(&z, l, e);
    if (status == BERT_OK) status = read_labels(&z, e);
    while (status == BERT_OK && (status = next_text(s, &input, &more, e)) == BERT_OK && more)
        status = zero_shot_one(&z, s, &input, e);
    if (z.broken) note_not_finite(s);
    zero_shot_free(&z);
    input_free(&input);
    return status;
}

static Status verb_classify(Session *s, Error *e)
{
    Labels labels;
    Scores scores;
    Status status = open_head(s, HEAD_SEQUENCE, &labels, e);
    if (status == BERT_OK && s->options.labels) status = zero_shot(s, &labels, e);
    else if (status == BERT_OK) {
        status = choose_scores(s, &labels, false, &scores, e);
        if (status == BERT_OK) status = classify_inputs(s, &labels, scores, e);
        if (status == BERT_OK) note_scores(s, &labels, scores);
    }
    labels_free(&labels);
    return status;
}

const Verb classify_verb = {
    .name = "classify", .run = verb_classify, .settle = classify_settle, .needs = NEEDS_MODEL, .sentences = true,
    .own = "--top-k --activation --labels --template --multi --format", .formats = "text json",
    .arguments = " [TEXT ...]", .summary = "labels of a fine-tuned classifier, or your own (zero-shot)",
    .help = classify_help, .examples = classify_examples,
};

/* =====================================================================================================================
 * choose: multiple choice
 *
 * The text and each choice are a pair, and the classifier gives each pair one logit; softmax runs over the choices. See
 * [paper] 4.4 (SWAG); [hf] BertForMultipleChoice.
 * ================================================================================================================== */
static const char choose_help[] =
    "Which CHOICE goes with TEXT: lines `score<TAB>choice`, best first; the scores\n"
    "add up to 1. With -f FILE its lines are the choices. There is one TEXT in a run.\n"
    "Needs a model that was fine-tuned for multiple choice. This is softmax over the\n"
    "logits of transformers' AutoModelForMultipleChoice.\n"
    "\n"
    "Formats:\n"
    "  text     score and choice, a line each\n"
    "  json     one object: input (0), choices [{text, score, logit}]\n";
static const char choose_examples[] =
    "  bert choose -m swag 'She opens the door and' 'walks in.' 'is a bicycle.'\n";

/* The first TEXT is the question, the others are its choices. */
static Status choose_settle(Options *o, Error *e)
{
    if (!o->text_count || (o->text_count == 1 && !o->file))
        return fail(e, BERT_USAGE, "choose needs a TEXT and its CHOICEs: see `bert choose --help`");
    if (o->text_count > 1 && o->file)
        return fail(e, BERT_USAGE, "choose takes TEXT and --file, or TEXT and CHOICEs, not %d texts and --file: put "
                    "the TEXT in quotes", o->text_count);
    const char *not_here = o->pair ? "--pair" : o->pairs ? "--pairs" : o->inputs ? "--inputs" : NULL;
    if (not_here) return fail(e, BERT_USAGE, "choose makes a pair of TEXT and each CHOICE: leave %s out", not_here);
    o->query = o->texts[0];
    o->text_count--;
    memmove(o->texts, o->texts + 1, (size_t)o->text_count * sizeof *o->texts);
    return BERT_OK;
}

typedef struct {
    Answer *answer;
    real *logits;
    int count;
} Choices;

/* Room for more choices, whose names are copies. */
static Status add_choices(Choices *c, const Inputs *inputs, const real *logits, Error *e)
{
    const size_t all = (size_t)c->count + inputs->count;
    Answer *answer = realloc(c->answer, all * sizeof *answer);
    if (answer) c->answer = answer;
    real *longer = realloc(c->logits, all * sizeof *longer);
    if (longer) c->logits = longer;
    if (!answer || !longer || all > INT32_MAX) return fail(e, BERT_SYSTEM, "out of memory");
    for (size_t i = 0; i < inputs->count; i++) {
        const Text text = inputs->input[i].whole;
        char *name = malloc(text.length + 1);
        if (!name) return fail(e, BERT_SYSTEM, "out of memory");
        if (text.length) memcpy(name, text.bytes, text.length);
        name[text.length] = 0;
        c->logits[c->count] = logits[i];
        c->answer[c->count] = (Answer){name, 0, (double)logits[i], c->count};
        c->count++;
    }
    return BERT_OK;
}

/* All choices, then softmax over them. */
static Status choose_among(Session *s, Choices *c, Error *e)
{
    const Request request = {.classifier = true};
    Inputs inputs = {0};
    Status status = BERT_OK;
    while (status == BERT_OK && (status = next_inputs(s, &inputs, e)) == BERT_OK && inputs.count > 0) {
        ModelRun run;
        status = run_inputs(&run, &s->model, &inputs, &request, e);
        if (status == BERT_OK) status = add_choices(c, &inputs, run.a.classifier_logits, e);
        run_free(&run);
    }
    inputs_free(&inputs);
    if (status == BERT_OK && !c->count) return fail(e, BERT_TEXT, "there are no choices");
    if (status != BERT_OK) return status;
    if (!all_finite(c->logits, (size_t)c->count)) note_not_finite(s);
    softmax(c->logits, c->logits, 1, (size_t)c->count);
    for (int i = 0; i < c->count; i++) c->answer[i].score = (double)c->logits[i];
    qsort(c->answer, (size_t)c->count, sizeof *c->answer, by_answer);
    put_answers(s, 1, c->answer, c->count, "choices", "text");
    return answer_done(s, e);
}

static Status verb_choose(Session *s, Error *e)
{
    Choices c = {0};
    Labels labels;
    const Text question = {s->options.query, strlen(s->options.query)};
    Status status = open_head(s, HEAD_CHOICE, &labels, e);
    s->first = &question;
    if (status == BERT_OK) status = check_first(s, "TEXT", e);
    if (status == BERT_OK) status = choose_among(s, &c, e);
    if (status == BERT_OK && c.count == 1) note(s, "one choice always gets the score 1: give two or more");
    for (int i = 0; i < c.count; i++) free((char *)(uintptr_t)c.answer[i].name);
    free(c.answer);
    free(c.logits);
    s->first = NULL;
    labels_free(&labels);
    return status;
}

const Verb choose_verb = {
    .name = "choose", .run = verb_choose, .settle = choose_settle, .needs = NEEDS_MODEL,
    .own = "--top-k --format", .formats = "text json", .arguments = " TEXT CHOICE ...",
    .summary = "which of several choices goes with a text", .help = choose_help, .examples = choose_examples,
};

/* =====================================================================================================================
 * A cross-encoder, for rank
 * ================================================================================================================== */

/* A classifier of texts with one label. What was asked for of vectors (--layers, --pooling ...) is not one's work. */
bool is_cross_encoder(const Session *s)
{
    const Bert *m = &s->model;
    const Options *o = &s->options;
    const bool vectors = o->layers || o->combine != UNSET || o->pooling != UNSET || o->normalize || o->prompt;
    return m->has_classifier && m->config.K == 1 && !vectors &&
           (m->config.head == HEAD_SEQUENCE || (m->config.head == HEAD_UNKNOWN && m->has_pooler));
}
