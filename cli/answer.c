/* answer.c - the verb that asks a fine-tuned model where a text answers a question. The rules by which starts and ends
 * become answers are in spans.c. */
#include "cli/cli.h"
#include "cli/spans.h"
#include <stdlib.h>
#include <string.h>

/* =====================================================================================================================
 * answer: step 15
 *
 * One layer on the last hidden state of every token, without a pooler; its two rows are the paper's vectors S and E:
 *
 *     [CLS] question [SEP] context [SEP]        segments 0 and 1
 *     logits (N,2) = h W^T + b                  column 0: the answer starts here; column 1: it ends here
 *
 * Trap: nothing but their order says which column is which. Swapped, they give short answers with low scores, and no
 *       error.
 * See [paper] sections 4.2, 4.3; [hf] BertForQuestionAnswering (qa_outputs), QuestionAnsweringPipeline, which left
 * transformers with 5.3.
 * ================================================================================================================== */
static const char answer_help[] =
    "Where the context answers the question: lines\n"
    "`score<TAB>begin<TAB>end<TAB>answer`, best first (default: one). Two TEXTs are\n"
    "QUESTION and CONTEXT; else each line holds QUESTION ||| CONTEXT. begin and end\n"
    "are bytes of the context, from 0, not characters. This is pipeline\n"
    "question-answering of transformers 5.2, the last that had it. An answer is whole\n"
    "words. --impossible: it may be that there is none, which is an answer without\n"
    "text, at 0 to 0. Where there are fewer answers than --top-k asks for, fewer are\n"
    "printed; the pipeline fills up with answers of score 0.\n"
    "\n"
    "A long context is read in parts of --max-length tokens (default: 384; question\n"
    "and special tokens among them), which share --stride N (default: 128, or half\n"
    "of the length if that is less). Equal answers of several parts are one, whose\n"
    "score is the sum: it may be above 1.\n"
    "\n"
    "Formats:\n"
    "  text     a line each; an empty line between two inputs\n"
    "  json     one object per input: input (from 0), and answers [{answer, score,\n"
    "           start, end}]\n";
static const char answer_examples[] =
    "  bert answer -m MODEL 'Where is the cat?' 'The cat sat on the mat.'\n"
    "  bert answer -m MODEL --top-k 3 --impossible --format json -f questions.txt\n";

enum { USUAL_LENGTH = 384, USUAL_STRIDE = 128 };

typedef struct {                    /* what is used again for every input */
    Encoding question, whole, window;
    bool *continues;                /* (T) of the window */
    size_t room;
    size_t before;                  /* [CLS] question [SEP] */
    Answers answers;
    bool broken;                    /* a logit was no number */
} Answering;

/* Gives everything back. */
static void answering_free(Answering *g)
{
    encoding_free(&g->question);
    encoding_free(&g->whole);
    encoding_free(&g->window);
    free(g->continues);
    answers_free(&g->answers);
}

/* --max-length, else 384, but never more than the model takes. */
static size_t window_length(const Session *s)
{
    const int limit = encode_options(s).max_length;
    return (size_t)(!s->options.max_length && limit > USUAL_LENGTH ? USUAL_LENGTH : limit);
}

/* Question and context as one sequence of any length.
 *
 * Trap: a question without a character, or a context, is refused, as by Hugging Face; one of blanks alone is not, and
 *       has no answers.
 * Differs: the question comes first whatever the tokenizer's padding_side is. Where it is "left", the pipeline of [hf]
 *          puts the context first, and then lets any token be an answer. */
static Status encode_question(const Session *s, const Input *input, Answering *g, Error *e)
{
    EncodeOptions options = encode_options(s), bare = {.plain = s->options.plain, .no_add_special = true};
    options.max_length = 0;
    if (!input->has_pair) return fail(e, BERT_TEXT, "there is no ' ||| ' between question and context");
    if (!input->a.length) return fail(e, BERT_TEXT, "the question is empty");
    if (!input->b.length) return fail(e, BERT_TEXT, "the context is empty");
    if (encode(&s->tokenizer, input->a, NULL, &bare, &g->question, e) != BERT_OK) return e->status;
    g->before = (size_t)g->question.T + 2;
    return encode(&s->tokenizer, input->a, &input->b, &options, &g->whole, e);
}

/* One run of the model, and the best answers of its window. */
static Status answer_window(const Session *s, const Input *input, Answering *g, const Encoding *x, Error *e)
{
    const Request request = {.qa = true};
    const int max_answer = s->options.max_answer ? s->options.max_answer : 15;
    const size_t T = (size_t)x->T;
    ModelRun run = {0};
    Status status = BERT_OK;
    if (T > g->room) {
        free(g->continues);
        g->continues = calloc(T, sizeof *g->continues);
        g->room = g->continues ? T : 0;
        if (!g->room) return fail(e, BERT_SYSTEM, "out of memory for %zu tokens", T);
    }
    for (size_t t = g->before; t + 1 < T; t++)
        g->continues[t] = continues_word(&s->tokenizer, x->input_ids[t], input->b, x->offsets[t][0]);
    status = run_model(&run, &s->model, x, &request, e);
    if (status == BERT_OK) {
        g->broken |= !all_finite(run.a.qa_logits, 2 * T);
        const AnswerWindow window = {run.a.qa_logits, g->before, T - g->before - 1, (const size_t (*)[2])x->offsets,
                                     g->continues, input->b};
        status = answers_add(&g->answers, &window, s->options.top_k == UNSET ? 1 : s->options.top_k, max_answer, e);
    }
    run_free(&run);
    return status;
}

/* The context in windows, each behind the whole question.
 *
 * Trap: a long question leaves little room. What Hugging Face's library does then is a panic of its tokenizer. */
static Status answer_windows(const Session *s, const Input *input, Answering *g, Error *e)
{
    const size_t length = window_length(s), tokens = (size_t)g->whole.T - g->before - 1;
    const size_t room = length > g->before + 1 ? length - g->before - 1 : 0, half = length / 2;
    const size_t overlap = s->options.stride != UNSET ? (size_t)s->options.stride
                                                      : half < USUAL_STRIDE ? half : USUAL_STRIDE;
    Status status = BERT_OK;
    if ((size_t)g->whole.T <= length) return answer_window(s, input, g, &g->whole, e);
    if (!room)
        return fail(e, BERT_TEXT, "the question is too long: with the special tokens it takes %zu of %zu, and leaves no "
                    "room for the context (--max-length)", g->before + 1, length);
    if (overlap >= room)
        return fail(e, BERT_TEXT, "question and special tokens take %zu of %zu: parts of the context, of %zu tokens, "
                    "cannot share %zu (--stride, --max-length)", g->before + 1, length, room, overlap);
    Window w = {0};
    for (size_t k = 0; status == BERT_OK && !w.last; k++) {
        w = window_at(k, tokens, room, overlap, s->tokenizer.truncate_left);
        status = window_encoding(&g->window, &g->whole, g->before, 1, w, e);
        if (status == BERT_OK) status = answer_window(s, input, g, &g->window, e);
    }
    return status;
}

/* The answers to one input, in either format. */
static void print_answers(const Session *s, const Input *input, const Answers *all)
{
    const bool json = format_is(s, "json");
    if (json) fprintf(s->out, "{\"input\": %zu, \"answers\": [", input->number - 1);
    else if (input->number > 1) fputc('\n', s->out);
    for (size_t i = 0; i < all->count; i++) {
        const Answer *answer = &all->items[i];
        const size_t begin = answer->begin, end = begin + answer->text.length;
        if (json) {
            fputs(i ? ", {\"answer\": " : "{\"answer\": ", s->out);
            json_put_text(s->out, answer->text.bytes, answer->text.length);
            fputs(", \"score\": ", s->out);
            json_put_number(s->out, answer->score);
            fprintf(s->out, ", \"start\": %zu, \"end\": %zu}", begin, end);
        } else {
            put_score(s, answer->score);
            fprintf(s->out, "\t%zu\t%zu\t", begin, end);
            put_text_safely(s->out, answer->text.bytes, answer->text.length);
            fputc('\n', s->out);
        }
    }
    if (json) fputs("]}\n", s->out);
}

/* Two TEXTs are question and context, which is what `--pair CONTEXT QUESTION` says; everything else must hold pairs. */
static Status answer_settle(Options *o, Error *e)
{
    if (o->inputs) return fail(e, BERT_USAGE, "answer answers with places in a text: --inputs has none");
    if (o->truncate) o->without_effect = "--truncate";                      /* a long context is read in parts */
    if (o->pad) o->without_effect = "--pad";
    if (o->text_count == 2 && !o->pair && !o->pairs) {
        o->pair = o->texts[1];
        o->text_count = 1;
    } else if (o->text_count && !o->pair && !o->pairs) {
        return fail(e, BERT_USAGE, "answer needs two texts, QUESTION and CONTEXT, not %d%s: see `bert answer --help`",
                    o->text_count, o->text_count > 2 ? " (put each in quotes)" : "");
    } else if (!o->pair) {
        o->pairs = 1;
    }
    return BERT_OK;
}

/* Is there a head that answers? If not, what the weights have. */
static Status answer_head(const Session *s, Error *e)
{
    const Bert *m = &s->model;
    static const char *const verbs[] = {[HEAD_UNKNOWN] = "info", [HEAD_SEQUENCE] = "classify", [HEAD_CHOICE] = "choose",
                                        [HEAD_TOKENS] = "tag"};
    if (m->has_qa) return BERT_OK;
    if (m->has_classifier)
        return fail(e, BERT_HEAD, "the weights have no question answering head (qa_outputs), but a classifier: "
                    "see `bert %s`", verbs[m->config.head]);
    return fail(e, BERT_HEAD, "the weights have no question answering head (qa_outputs): they are not fine-tuned for "
                "this, and a random one would answer at random; the model is %s, -m names another", s->directory);
}

/* One question, from its text to its answers. */
static Status answer_one(Session *s, const Input *input, Answering *g, Error *e)
{
    const int top_k = s->options.top_k == UNSET ? 1 : s->options.top_k;
    g->answers.count = g->answers.windows = 0;
    Status status = encode_question(s, input, g, e);
    if (status == BERT_OK) status = answer_windows(s, input, g, e);
    if (status == BERT_OK) status = answers_rank(&g->answers, top_k, s->options.impossible, e);
    if (status != BERT_OK) return at_input(s, input, e);
    print_answers(s, input, &g->answers);
    return answer_done(s, e);
}

/* The head is asked for before any text is read. */
static Status verb_answer(Session *s, Error *e)
{
    Answering g = {0};
    Input input = {0};
    bool more = true;
    Status status = answer_head(s, e);
    while (status == BERT_OK && (status = next_text(s, &input, &more, e)) == BERT_OK && more) {
        split_pair(s, &input);
        status = answer_one(s, &input, &g, e);
    }
    if (g.broken) note_not_finite(s);
    input_free(&input);
    answering_free(&g);
    return status;
}

const Verb answer_verb = {
    .name = "answer", .run = verb_answer, .settle = answer_settle, .needs = NEEDS_MODEL,
    .own = "--top-k --max-answer --stride --impossible --format", .formats = "text json",
    .arguments = " [QUESTION CONTEXT]", .summary = "where does a text answer a question?", .help = answer_help,
    .examples = answer_examples,
};
