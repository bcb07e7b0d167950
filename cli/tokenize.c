/* tokenize.c - the verbs about pieces: tokenize (steps 1 to 4) and vocab. They need a vocabulary and no weights. */
#include "cli/cli.h"
#include "weights/unicode.h"
#include <string.h>

/* =====================================================================================================================
 * tokenize: steps 1 to 4
 *
 * The model knows no letters. It knows V pieces (30,522 for bert-base-uncased), each by its number, and the tokenizer
 * turns a text into such numbers:
 *
 *     "My dog is cute"  ->  [CLS] my dog is cute [SEP]  ->  101 2026 3899 2003 10140 102
 *
 * [CLS] begins every input: its vector stands for the whole text (step 14). [SEP] ends every segment. A word that is no
 * piece is cut into pieces, the later ones marked with ##: embeddings -> em ##bed ##ding ##s.
 * Verify: tests/test_tokenizer.c; HF's BertTokenizerFast gives the same ids.
 * ================================================================================================================== */
static const char tokenize_help[] =
    "Prints each piece and its id, as the word-embedding tutorial does; an empty line\n"
    "between two inputs.\n"
    "\n"
    "Formats:\n"
    "  table    piece and id, a line each\n"
    "  ids      one line per input, ids separated by single spaces\n"
    "  pieces   the same with pieces\n"
    "  json     one object per line: pieces, ids, type_ids, attention_mask, offsets;\n"
    "           an offset is the bytes [begin, end) of the piece in A or in B, and\n"
    "           [0, 0] for [CLS], [SEP] and [PAD]\n";
static const char tokenize_examples[] =
    "  bert tokenize 'Here is the sentence I want embeddings for.'\n"
    "  bert tokenize --trace 'Héllo, embeddings'\n"
    "  bert tokenize --format ids --pair 'he likes playing' 'my dog is cute'\n"
    "  bert tokenize --format json -f lines.txt\n";

/* The word-embedding tutorial's table, print('{:<12} {:>6,}'.format(piece, id)), for instance
 *
 *     stealing     11,065
 *     money         2,769
 *
 * Python's format counts characters, and printf's %-12s counts bytes: a piece with an accent or a CJK character would
 * push its id out of the column. So the gap is computed from the characters and printed as that many blanks. */
static void print_table(const Session *s, const Encoding *x)
{
    for (int t = 0; t < x->T; t++) {
        char id[32];
        put_thousands(id, x->input_ids[t]);
        int width = put_safely(s->out, piece_of(s, x->input_ids[t]));
        fprintf(s->out, "%*s %6s\n", width < 12 ? 12 - width : 0, "", id);
    }
}

/* "name": [101, 2026, 3899], one of the three rows of numbers that the model sees: input_ids say which piece,
 * token_type_ids which segment (0 for A, 1 for B), attention_mask whether it is a token (1) or padding that nobody
 * may look at (0).
 */
static void json_put_ids(FILE *out, const char *name, const int32_t *ids, int T)
{
    fprintf(out, "\"%s\": [", name);
    for (int t = 0; t < T; t++) put_count(out, t ? ", " : "", (size_t)ids[t]);
    fputc(']', out);
}

/* One object per input, with everything that the model and a reader of the answer need. The offsets lead back from a
 * piece to the bytes of the text: with them a notebook can colour the words that a piece came from, however the
 * tokenizer changed them (Café becomes cafe, but its offsets still cover five bytes). */
static void print_encoding_json(const Session *s, const Encoding *x)
{
    fputc('{', s->out);
    json_put_pieces(s, "pieces", x);
    fputs(", ", s->out);
    json_put_ids(s->out, "ids", x->input_ids, x->T);
    fputs(", ", s->out);
    json_put_ids(s->out, "type_ids", x->token_type_ids, x->T);
    fputs(", ", s->out);
    json_put_ids(s->out, "attention_mask", x->attention_mask, x->T);
    fputs(", \"offsets\": [", s->out);
    for (int t = 0; t < x->T; t++) {
        put_count(s->out, t ? ", [" : "[", x->offsets[t][0]);
        put_count(s->out, ", ", x->offsets[t][1]);
        fputc(']', s->out);
    }
    fputs("]}\n", s->out);
}

/* Ids or pieces on one line, separated by single spaces: what a test or another implementation compares first. If the
 * ids differ, nothing after them can be right. */
static void print_encoding_line(const Session *s, const Encoding *x, bool pieces)
{
    for (int t = 0; t < x->T; t++) {
        if (pieces && t) fputc(' ', s->out);
        if (pieces) put_safely(s->out, piece_of(s, x->input_ids[t]));
        else put_count(s->out, t ? " " : "", (size_t)x->input_ids[t]);
    }
    fputc('\n', s->out);
}

/* Steps 1 to 4 and nothing else: no weights are loaded, a vocabulary is enough. The loop is the pattern of all verbs:
 * take an input, answer it, have the answer out before the next one is read. */
static Status verb_tokenize(Session *s, Error *e)
{
    Input input = {0};
    EncodeOptions options = encode_options(s);
    bool more = true;
    while (next_input(s, &input, &more, e) == BERT_OK && more) {
        bool blocks = s->options.trace || format_is(s, "table");
        if (blocks && input.number > 1) fputc('\n', s->out);
        if (s->options.trace && input.has_text) {
            const Text *b = input.has_pair ? &input.b : NULL;
            if (tokenize_trace(&s->tokenizer, input.a, b, &options, print_stage, s->out, e) != BERT_OK) break;
        } else if (format_is(s, "json")) print_encoding_json(s, &input.encoding);
        else if (format_is(s, "table")) print_table(s, &input.encoding);
        else print_encoding_line(s, &input.encoding, format_is(s, "pieces"));
        if (answer_done(s, e) != BERT_OK) break;
    }
    input_free(&input);
    return e->status;
}

const Verb tokenize_verb = {
    .name = "tokenize", .run = verb_tokenize, .needs = NEEDS_VOCABULARY, .lone = true,
    .own = "--format --trace --no-add-special", .formats = "table ids pieces json", .arguments = " [TEXT ...]",
    .summary = "text into pieces and ids",
    .help = tokenize_help, .examples = tokenize_examples,
};

/* =====================================================================================================================
 * vocab: what the ids mean
 *
 * An id is the number of a line in vocab.txt, counted from 0. Lines 0 to 999 are mostly [unused] places and the special
 * pieces ([PAD] 0, [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103); then letters, then words, roughly from frequent to
 * rare.
 * ================================================================================================================== */
static const char vocab_help[] =
    "Prints lines `id<TAB>piece`. A:B stands for the ids A to B-1, as in Python;\n"
    "every other argument is a word, looked up as it is as one piece: the id of\n"
    "[UNK], and [UNK], if it is none.\n\n"
    "With --learn N it learns a vocabulary of N pieces from the lines of a text, and\n"
    "prints it as vocab.txt has it: the special pieces, all characters, then what\n"
    "joining the most frequent pair, again and again, gives. The same text, in\n"
    "whatever order of lines, gives the same pieces. --cased keeps capital letters\n"
    "and accents.\n";
static const char vocab_examples[] =
    "  bert vocab 5000:5020\n"
    "  bert vocab characteristically characteristic '##ally'\n"
    "  bert vocab --learn 8000 -f text.txt -o vocab.txt\n";

/* "5000:5020", ":20", "30000:"? Then the ids from .. to-1, cut at the vocabulary's end as a Python slice is.
 * A lone ":" is a word like any other (and a piece of the vocabulary): a slice has at least one digit. */
static bool parse_slice(Text text, int V, int *from, int *to)
{
    int numbers[2] = {0, V}, side = 0;
    bool digits = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.bytes[i];
        if (c == ':' && side == 0) {
            side = 1;
        } else if (c >= '0' && c <= '9') {
            bool starts = i == 0 || text.bytes[i - 1] == ':';
            long n = (starts ? 0 : numbers[side]) * 10L + (c - '0');
            numbers[side] = n < V ? (int)n : V;
            digits = true;
        } else {
            return false;
        }
    }
    *from = numbers[0];
    *to = numbers[1];
    return side == 1 && digits;
}

/* The tokenizer refuses what is no UTF-8, and so does a look-up, rather than to say [UNK]. */
static Status check_utf8(const Session *s, const Input *input, Error *e)
{
    uint32_t code;
    for (size_t n, i = 0; i < input->whole.length; i += n) {
        n = utf8_decode(input->whole.bytes + i, input->whole.length - i, &code);
        if (n) continue;
        fail_text(e, 1, i + 1, "0x%02X is not valid UTF-8", (unsigned char)input->whole.bytes[i]);
        return at_input(s, input, e);
    }
    return BERT_OK;
}

/* A word of the command line that is no piece: the id of [UNK], and a line about it. (A file may have a million.) */
static int no_piece(const Session *s, const Input *input)
{
    if (!s->source.lines)
        note(s, "'%.*s' is not one piece of this vocabulary: `bert tokenize` cuts it into pieces",
             (int)input->whole.length, input->whole.bytes);
    return s->tokenizer.unk_id;
}

/* Looking up is not tokenizing: "characteristically" is no piece, so its id is [UNK]'s, 100. The tokenizer is what
 * turns it into `characteristic ##ally` first. One of the documents makes exactly this point. */
static Status verb_vocab(Session *s, Error *e)
{
    Input input = {0};
    bool more = true;
    if (s->options.learn) return learn_vocabulary(s, e);
    while (next_text(s, &input, &more, e) == BERT_OK && more) {
        int from, to;
        if (check_utf8(s, &input, e) != BERT_OK) break;
        if (!parse_slice(input.whole, s->tokenizer.V, &from, &to)) {
            from = tokenizer_id(&s->tokenizer, input.whole.bytes, input.whole.length);
            if (from < 0) from = no_piece(s, &input);
            to = from + 1;
        }
        for (int id = from; id < to; id++) {
            fprintf(s->out, "%d\t", id);
            put_safely(s->out, piece_of(s, id));
            fputc('\n', s->out);
        }
        if (answer_done(s, e) != BERT_OK) break;
    }
    input_free(&input);
    return e->status;
}

const Verb vocab_verb = {
    .name = "vocab", .run = verb_vocab, .needs = NEEDS_VOCABULARY, .without = ABOUT_TEXTS | ABOUT_GELU,
    .own = "--learn", .formats = "", .arguments = " [A:B | WORD ...]",
    .summary = "which piece has which id; or learn the pieces",
    .help = vocab_help, .examples = vocab_examples,
};
