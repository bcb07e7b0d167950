/* inputs.c - what a verb works on: the model, the session, the inputs, and a run of the model on them, in the order in
 * which a command meets them.
 */
#include "cli/cli.h"
#include "weights/vocabulary.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* =====================================================================================================================
 * The model
 *
 * A directory with config.json, vocab.txt and weights, as Hugging Face's library saves them, or one file of weights in
 * such a directory. Without --model it is looked for in a fixed order, and found by what the command needs: tokenize is
 * content with a vocabulary.
 * ================================================================================================================== */

/* Does the directory hold what the command needs? A default place that lacks it is passed over; a directory that the
 * user named is not: there the loader says what is missing. */
static bool serves(const char *directory, Needs needs)
{
    Error ignored;
    char *path = NULL;
    if (needs == NEEDS_VOCABULARY)
        return file_exists(directory, "vocab.txt") || file_exists(directory, "tokenizer.json");
    if (!file_exists(directory, "config.json")) return false;
    if (needs == NEEDS_CONFIG) return true;
    bool found = model_file(&path, directory, &ignored) == BERT_OK;
    free(path);
    return found;
}

/* The directory of the running program: /proc knows on Linux, argv[0] elsewhere. "" if neither does. */
static void beside_program(const char *program, char directory[4096])
{
    ssize_t n = readlink("/proc/self/exe", directory, 4095);
    if (n > 0) directory[n] = 0;
    else snprintf(directory, 4096, "%s", strchr(program, '/') ? program : "");
    char *slash = strrchr(directory, '/');
    if (slash) *slash = 0;
}

/* The model directory of that place, from here, else from beside the program; NULL if neither has what is needed. */
static Status find_place(Session *s, const char *place, Error *e)
{
    char roots[2][4096] = {"."};                        /* here; beside the program, "" if that is not known */
    beside_program(s->program, roots[1]);
    for (int root = 0; root < 2; root++) {
        if (!*roots[root]) continue;
        if (root) path_join(&s->directory, roots[root], place, e);
        else s->directory = strdup(place);
        if (!s->directory) return fail(e, BERT_SYSTEM, "out of memory");
        if (serves(s->directory, s->verb->needs)) return BERT_OK;
        free(s->directory);
        s->directory = NULL;
    }
    return BERT_OK;
}

/* -m, else $BERT_MODEL, else the default model, else the pocket model, which needs no fetching. The repository keeps
 * the vocabulary of the default, so that `bert tokenize` works before anything is fetched.
 * Why it is said: its answers are not those that the documents print. */
static Status find_model(Session *s, Error *e)
{
    const char *given = s->options.model ? s->options.model : getenv("BERT_MODEL");
    if (given && *given) return model_place(given, &s->directory, &s->weights, e);
    if (find_place(s, "weights/bert-base-uncased", e) != BERT_OK) return e->status;
    if (s->directory) return BERT_OK;
    if (find_place(s, "weights/pocket", e) != BERT_OK) return e->status;
    if (!s->directory)
        return fail(e, BERT_FILE, "no model in weights/bert-base-uncased, here or beside the program: "
                    "fetch one with `make weights`, or name a directory with --model or BERT_MODEL");
    note(s, "no weights in weights/bert-base-uncased: %s answers, a small model; `make weights` fetches the other",
         s->directory);
    return BERT_OK;
}

/* -v: what loading found out that the files do not say by themselves. */
static void note_weights(Session *s)
{
    char sizes[400];
    if (!s->options.verbose) return;
    note(s, "weights %s", s->model.file->file.path);
    if (!prefix_is_usual(s->model.file)) note(s, "the weights' names begin with '%s'", s->model.file->prefix);
    if (config_filled_in(&s->model.config, sizes, sizeof sizes))
        note(s, "config.json leaves out sizes, which are then those of BERT-Base: %s", sizes);
}

/* -m (or BERT_MODEL) names a file: said before the loader looks for DIRECTORY/config.json below it. */
Status refuse_file(const char *path, Error *e)
{
    struct stat kind;
    if (stat(path, &kind) != 0 || S_ISDIR(kind.st_mode)) return BERT_OK;
    return fail(e, BERT_FILE, "%s: is a file: -m wants the directory that has config.json, vocab.txt and "
                "*.safetensors, or one file of weights", path);
}

enum { PLACE = 4096 };

/* DIRECTORY/NAME, a place that someone may have meant: is it a model directory? */
static bool is_model_in(const char *directory, const char *name, char place[PLACE])
{
    const size_t end = strlen(directory);
    const char *slash = end && directory[end - 1] == '/' ? "" : "/";
    const int length = snprintf(place, PLACE, "%s%s%s", directory, slash, name);
    return length < PLACE && file_exists(place, "config.json");
}

/* A directory of model directories, and none itself: one of them, bert-base-uncased or else the first by its name. */
static bool holds_models(const char *directory, char place[PLACE])
{
    static const char *const own[] = {"config.json", "vocab.txt", "tokenizer.json", "modules.json"};
    char first[PLACE] = "";
    for (int i = 0; i < 4; i++)
        if (file_exists(directory, own[i])) return false;
    if (is_model_in(directory, "bert-base-uncased", place)) return true;
    DIR *d = opendir(directory);
    for (struct dirent *entry; d && (entry = readdir(d)); ) {
        if (entry->d_name[0] == '.' || !is_model_in(directory, entry->d_name, place)) continue;
        if (!*first || strcmp(place, first) < 0) strcpy(first, place);
    }
    if (d) closedir(d);
    strcpy(place, first);
    return *first != 0;
}

/* A directory that is not there: which one was meant, or how it is fetched, if its name says so. */
static Status missing_model(const Session *s, Error *e)
{
    char place[PLACE];
    const char *name = fetched_model(s->directory);
    if (name && is_model_in("weights", name, place))
        return fail(e, BERT_FILE, "%s: no such model directory; did you mean %s?", s->directory, place);
    if (name)
        return fail(e, BERT_FILE, "%s: no such model directory; `make weights MODEL=%s` fetches weights/%s",
                    s->directory, name, name);
    if (s->verb->needs != NEEDS_MODEL) return BERT_OK;                  /* the loader names the file that it misses */
    return fail(e, BERT_FILE, "%s: no such model directory; expected one with config.json, vocab.txt and *.safetensors",
                s->directory);
}

/* What is wrong with the place itself is said before its first file is missed. */
static Status check_place(const Session *s, Error *e)
{
    char place[PLACE];
    struct stat kind;
    if (stat(s->directory, &kind) == 0 && !S_ISDIR(kind.st_mode)) return BERT_OK;       /* info reads a config.json */
    if (!file_exists(s->directory, ".")) return missing_model(s, e);
    if (!holds_models(s->directory, place)) return BERT_OK;
    return fail(e, BERT_FILE, "%s: holds model directories, and is none itself: did you mean %s?", s->directory, place);
}

/* With --cased, or without it, a word with a capital letter must have a chance to be in the vocabulary. */
static void note_about_case(const Session *s)
{
    const Tokenizer *t = &s->tokenizer;
    if (s->options.verbose) note(s, "%s (%s)", t->lower_case ? "uncased" : "cased", t->case_source);
    if (s->options.case_choice == CASE_CASED && !vocabulary_has_capitals(t))
        note(s, "--cased: this vocabulary has no capital letters, so a word that has one becomes [UNK]");
}

/* do_lower_case of a sentence-transformers directory: small letters before anything else is done, accents as they are.
 * It makes an uncased vocabulary no more so; `false`, which stands in most files, says nothing. */
static void obey_lower_case(Session *s)
{
    Tokenizer *t = &s->tokenizer;
    if (!s->sentence_text.lower_case || t->lower_case || s->options.case_choice != CASE_AUTO) return;
    t->lower_case = true;
    snprintf(t->case_source, sizeof t->case_source, "do_lower_case of sentence-transformers");
}

/* The vocabulary, and the model unless it is not needed. Both must belong together: an id of the vocabulary is a row
 * of the word embeddings, and one that is too large would be read from beyond them. */
static Status load_model(Session *s, Error *e)
{
    const Options *o = &s->options;
    if (s->verb->needs != NEEDS_CONFIG && refuse_file(s->directory, e) != BERT_OK) return e->status;
    if (check_place(s, e) != BERT_OK) return e->status;
    if (s->verb->needs == NEEDS_CONFIG) return BERT_OK;                 /* the verb looks at the parts itself */
    Status status = tokenizer_load(&s->tokenizer, s->directory, (CaseChoice)o->case_choice, e);
    if (status != BERT_OK) return status;
    obey_lower_case(s);
    if (o->verbose) note(s, "model %s", s->directory);
    note_about_case(s);
    if (s->verb->needs == NEEDS_VOCABULARY) return BERT_OK;
    if (!fma_is_fast() && sizeof(real) == sizeof(float))
        note(s, "this build has no fused multiply-add instruction and computes it in double: the same bits, slower "
                "(the default CFLAGS have -march=native)");
    status = bert_load(&s->model, s->weights ? s->weights : s->directory, e);
    if (status != BERT_OK) return status;
    note_weights(s);
    if (tokenizer_rows(&s->tokenizer) > s->model.config.V)
        return fail(e, BERT_FILE, "%s/config.json: vocab_size is %d, but the vocabulary has %d pieces: they do not "
                                  "belong together",
                    s->directory, s->model.config.V, tokenizer_rows(&s->tokenizer));
    if (o->gelu != UNSET) s->model.config.gelu = (GeluKind)o->gelu;
    s->P = s->model.config.P;
    if (o->pad && o->max_length > s->P)
        return fail(e, BERT_USAGE, "--max-length %d: the model has %d positions", o->max_length, s->P);
    return BERT_OK;
}

/* =====================================================================================================================
 * The session
 *
 * What lives from the first option to the exit code. It begins as zeros; session_open fills it, session_close gives
 * back whatever has been filled, however far that went.
 * ================================================================================================================== */
/* Is this the format of the answer? Without --format it is the first one of the verb's list. */
bool format_is(const Session *s, const char *format)
{
    size_t first = strcspn(s->verb->formats, " ");                      /* the default */
    if (s->options.format) return !strcmp(s->options.format, format);
    return strlen(format) == first && !memcmp(s->verb->formats, format, first);
}

bool may_colour(const Session *s)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    const bool able = terminal && strcmp(terminal, "dumb") != 0;        /* a dumb one shows the codes as they are */
    return able && s->out == stdout && isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

Status check_layer_and_head(const Session *s, Error *e)
{
    const BertConfig *c = &s->model.config;
    const Options *o = &s->options;
    if (o->layer >= c->L) return fail(e, BERT_USAGE, "--layer %d: the model has layers 0 to %d", o->layer, c->L - 1);
    if (o->head >= c->A) return fail(e, BERT_USAGE, "--head %d: the model has heads 0 to %d", o->head, c->A - 1);
    return BERT_OK;
}

/* A line on stderr for those who look there; -q is for those who do not. Errors do not go through here: they are
 * returned.
 */
void note(const Session *s, const char *format, ...)
{
    char text[8192];
    if (s->options.quiet) return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fputs("bert: ", stderr);
    put_safely(stderr, text);
    fputc('\n', stderr);
}

/* A sentence without quotes is one TEXT per word to the shell. */
static void note_about_quotes(const Session *s)
{
    const int count = s->options.text_count;
    if (!s->verb->sentences || count < 3) return;
    for (int i = 0; i < count; i++)
        if (strchr(s->options.texts[i], ' ')) return;
    note(s, "%d texts were given, each of one word: put one text in quotes", count);
}

/* Everything that can fail before the first input is read: the model, then the output file. The order matters to the
 * user: nobody should wait for an answer that cannot be written. */
Status session_open(Session *s, Error *e)
{
    const bool nothing = s->verb->needs == NEEDS_NOTHING || s->options.learn;   /* vocab --learn reads no vocabulary */
    s->out = stdout;
    if (s->options.without_effect) note(s, "%s has no effect on %s", s->options.without_effect, s->verb->name);
    note_about_quotes(s);
    if (s->options.format && format_is(s, "npy") && !s->options.output && isatty(STDOUT_FILENO))
        return fail(e, BERT_USAGE, "--format npy is binary: send it to a file (-o FILE, or > FILE)");
    Status status = nothing ? BERT_OK : find_model(s, e);
    if (status == BERT_OK && !nothing) status = enter_sentence_directory(s, e);
    if (status == BERT_OK && !nothing) status = load_model(s, e);
    if (status == BERT_OK && s->options.segments && s->model.config.distilbert)
        note(s, "a DistilBERT has no segments: --segments has no effect");
    if (status == BERT_OK && s->options.output && !s->verb->opens_output) {
        status = output_open(&s->file, s->options.output, e);
        if (status == BERT_OK) s->out = s->file.stream;
    }
    s->for_eyes = s->out == stdout && isatty(STDOUT_FILENO);
    return status;
}

/* Standard output, to the last byte. printf only fills a buffer: a full disk or a closed stream shows when the buffer
 * is written, and a program that does not look would report success for half an answer. */
static Status finish_stdout(Status status, Error *e)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout);
    if (!failed || status == BERT_SYSTEM) return status;
    return fail(e, BERT_SYSTEM, "standard output: %s", errno ? strerror(errno) : "write error");
}

/* Lines done and lines per second, once a second, where someone looks: on a terminal that neither the answers go to
 * nor the lines come from. (Answers that wait for the last line, as those of rank do, may go to a terminal: nothing is
 * there yet.) */
static void show_progress(Session *s)
{
    time_t now = time(NULL);
    if (!s->started) s->started = s->looked = s->shown = now;
    if (now == s->looked || s->options.quiet) return;
    s->looked = now;                                    /* isatty asks the system, and lines may come by the million */
    if (!isatty(STDERR_FILENO) || (s->streams && s->out == stdout && isatty(STDOUT_FILENO))) return;
    if (s->source.lines && isatty(s->source.fd)) return;
    s->shown = now;
    const size_t done = s->taken - s->waiting;
    fprintf(stderr, "\r%zu lines, %.1f lines/s ", done, (double)done / (double)(now - s->started));
}

/* What comes after the line of progress begins on a line of its own. */
static void end_progress(Session *s)
{
    if (s->shown != s->started) fputc('\n', stderr);
    s->shown = s->started;
}

/* The file of -o gets its name only now, and only if all went well: a failed run leaves the old file as it was. */
Status session_close(Session *s, Status status, Error *e)
{
    bool done = status == BERT_OK || status == BERT_DIFFERENT;
    end_progress(s);
    if (s->file.stream && done) {
        Status committed = output_commit(&s->file, e);
        if (committed != BERT_OK) status = committed;
    } else {
        output_abort(&s->file);
    }
    if (done) status = finish_stdout(status, e);
    else fflush(stdout);                                                /* the answers so far, then the message */
    if (s->source.lines && s->source.fd != STDIN_FILENO) close(s->source.fd);
    if (s->source.tensors.tensors) safetensors_close(&s->source.tensors);
    free(s->source.buffer);
    bert_free(&s->model);
    tokenizer_free(&s->tokenizer);
    free(s->directory);
    free(s->weights);
    free(s->sentence_directory);
    sentence_model_free(&s->sentence);
    free(s->prompt);
    free(s->options.texts);
    return status;
}

/* =====================================================================================================================
 * Inputs
 *
 * Three sources, one loop: `while (next_input(...) == BERT_OK && more)`. An error in an input says where it stands,
 * so that the one bad line of a million can be found:
 *
 *     bert: texts.txt: line 3, byte 17: 0xC0 is not valid UTF-8
 * ================================================================================================================== */

/* --inputs: int64 tensors of one shape, (T) or (B,T), as a trace has them, or as PyTorch's tokenizers return them.
 * All three are checked before a single id is used. */
static Status open_tensors(Source *source, const char *path, Error *e)
{
    static const char *const names[] = {"input_ids", "token_type_ids", "attention_mask"};
    const SafeTensor *found[3];
    Status status = safetensors_open(&source->tensors, path, e);
    if (status != BERT_OK) return status;
    for (int i = 0; i < 3; i++) {
        const SafeTensor *t = found[i] = safetensors_find(&source->tensors, names[i]);
        if (!t && i) continue;
        if (!t) return fail(e, BERT_FILE, "%s: there is no tensor input_ids", path);
        if (t->dtype != DTYPE_I64 || t->rank < 1 || t->rank > 2)
            return fail(e, BERT_FILE, "%s: %s is %s of rank %d, expected I64 (T) or (B,T)", path, names[i],
                        dtype_name(t->dtype), t->rank);
        if (t->rank != found[0]->rank || memcmp(t->shape, found[0]->shape, (size_t)t->rank * sizeof *t->shape))
            return fail(e, BERT_FILE, "%s: %s has another shape than input_ids", path, names[i]);
    }
    source->ids = found[0];
    source->types = found[1];
    source->mask = found[2];
    source->rows = found[0]->rank == 2 ? found[0]->shape[0] : 1;
    source->columns = found[0]->shape[found[0]->rank - 1];
    if (source->columns < 1 || source->columns > INT32_MAX)
        return fail(e, BERT_FILE, "%s: input_ids has %zu tokens in a row", path, source->columns);
    return BERT_OK;
}

enum { READ_AHEAD = 1 << 16 };

/* Where the inputs come from: --inputs, a file, stdin (- or nothing at all), or the TEXTs, which need no opening. */
static Status open_source(Session *s, Error *e)
{
    Source *source = &s->source;
    const char *path = s->options.file;
    struct stat status;
    source->opened = true;
    if (s->options.inputs) return open_tensors(source, s->options.inputs, e);
    if (!path && s->options.text_count) return BERT_OK;
    source->name = path && strcmp(path, "-") ? path : "stdin";
    source->fd = source->name == path ? open(path, O_RDONLY) : STDIN_FILENO;
    if (source->fd < 0) return fail(e, BERT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    source->lines = true;
    if (source->name != path && isatty(source->fd)) note(s, "reading lines from the terminal; Ctrl-D ends them");
    source->regular = fstat(source->fd, &status) == 0 && S_ISREG(status.st_mode);
    source->buffer = malloc(READ_AHEAD);
    return source->buffer ? BERT_OK : fail(e, BERT_SYSTEM, "out of memory");
}

/* A descriptor that does not block, left so by whoever had it before: waits until there is something to read. */
static bool wait_for(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, -1) > 0 || errno == EINTR;
}

/* One read() into the buffer, behind what is there.
 * Why not stdio: it cannot say whether a whole line is in its buffer, and whoever holds answers back must know. */
static void read_more(Source *source)
{
    ssize_t n;
    memmove(source->buffer, source->buffer + source->begin, source->end - source->begin);
    source->end -= source->begin;
    source->begin = 0;
    do n = read(source->fd, source->buffer + source->end, READ_AHEAD - source->end);
    while (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(source->fd))));
    if (n < 0) source->error = errno;
    if (n > 0) source->end += (size_t)n;
    else source->ended = true;
}

/* TEXTs, rows and ordinary files are always at hand. Of a pipe or a terminal it is what has been read already, or can
 * be without waiting: poll with a timeout of 0 says so. A line longer than the buffer is not waited for here. */
bool input_at_hand(Session *s)
{
    Source *source = &s->source;
    if (!source->lines || source->regular) return true;
    while (!source->ended && !memchr(source->buffer + source->begin, '\n', source->end - source->begin)) {
        struct pollfd ready = {.fd = source->fd, .events = POLLIN};
        if (source->end - source->begin == READ_AHEAD || poll(&ready, 1, 0) <= 0) return false;
        if (!(ready.revents & (POLLIN | POLLHUP))) return false;
        read_more(source);
    }
    return true;
}

/* Bytes [0, length) of the input's line are there; n more are put behind them. The room doubles. */
static bool append_bytes(Input *input, size_t length, const char *bytes, size_t n)
{
    if (length + n > input->capacity) {
        size_t wanted = input->capacity * 2 > length + n ? input->capacity * 2 : length + n;
        char *line = realloc(input->line, wanted);
        if (!line) return false;
        input->line = line;
        input->capacity = wanted;
    }
    if (n) memcpy(input->line + length, bytes, n);
    return true;
}

/* Bytes of a line, at most: 256 MiB. Why: a stream without LF, such as /dev/zero, would take all memory there is. */
enum { LINE_LIMIT = 1 << 28 };

/* A line ends at LF, and at nothing else; a CR before it is dropped (files from Windows). A NUL is a character: the
 * length counts, not the first zero.
 * Trap: other line-reading functions also end lines at VT, FF, NEL or U+2028 (Python's splitlines does). The
 * tokenizer would then see other texts, and a file would have other line numbers. */
static Status next_line(Session *s, Input *input, bool *more, Error *e)
{
    Source *source = &s->source;
    size_t length = 0;
    bool whole = false;
    for (;;) {
        const char *at = source->buffer + source->begin, *lf = memchr(at, '\n', source->end - source->begin);
        size_t n = lf ? (size_t)(lf - at) + 1 : source->end - source->begin;
        if (length + n - (lf != NULL) > LINE_LIMIT)
            return fail(e, BERT_TEXT, "%s: line %zu: more than %d bytes", source->name, input->number, LINE_LIMIT);
        if (!append_bytes(input, length, at, n))
            return fail(e, BERT_SYSTEM, "%s: line %zu: out of memory", source->name, input->number);
        length += n;
        source->begin += n;
        whole = lf != NULL;
        if (whole || source->ended) break;
        read_more(source);
    }
    if (!whole && source->error)
        return fail(e, BERT_FILE, "%s: line %zu: cannot be read: %s", source->name, input->number,
                    strerror(source->error));
    *more = length > 0;                                     /* without a LF it is what stands before the end */
    if (whole) length--;
    if (whole && length > 0 && input->line[length - 1] == '\r') length--;
    input->whole = (Text){input->line, length};
    return BERT_OK;
}

/* One element of an --inputs tensor. The format allows any alignment, so the bytes are copied and not pointed at. */
static int64_t id_at(const SafeTensor *t, size_t i)
{
    int64_t id;
    memcpy(&id, (const char *)t->data + i * sizeof id, sizeof id);
    return id;
}

/* "FILE: row 1, token 3: input_ids has 30522, expected 0 to 30521" */
static Status check_id(const Session *s, const Input *input, size_t token, const char *name, int64_t id, int last,
                       Error *e)
{
    if (id >= 0 && id <= last) return BERT_OK;
    return fail(e, BERT_TEXT, "%s: row %zu, token %zu: %s has %lld, expected 0 to %d", s->options.inputs,
                input->number, token, name, (long long)id, last);
}

/* Row `input->number` of --inputs as an Encoding, its memory kept for the next row: all have the same length. Ids are
 * checked against the vocabulary and the segments here; batch_check checks the rest against the model. */
static Status next_row(Session *s, Input *input, bool *more, Error *e)
{
    const Source *source = &s->source;
    Encoding *x = &input->encoding;
    size_t T = source->columns, first = (input->number - 1) * T;
    *more = input->number <= source->rows;
    if (!*more) return BERT_OK;
    if (!x->input_ids) {
        x->input_ids = calloc(T, sizeof *x->input_ids);
        x->token_type_ids = calloc(T, sizeof *x->token_type_ids);
        x->attention_mask = calloc(T, sizeof *x->attention_mask);
        x->offsets = calloc(T, sizeof *x->offsets);
        x->T = x->capacity = (int)T;
        if (!x->input_ids || !x->token_type_ids || !x->attention_mask || !x->offsets)
            return fail(e, BERT_SYSTEM, "out of memory");
    }
    const int segments = s->model.config.S ? s->model.config.S : 2;
    const bool no_types = s->model.config.distilbert;       /* whatever the file says of them */
    for (size_t i = 0; i < T; i++) {
        int64_t id = id_at(source->ids, first + i);
        int64_t type = source->types && !no_types ? id_at(source->types, first + i) : 0;
        int64_t mask = source->mask ? id_at(source->mask, first + i) : 1;
        if (check_id(s, input, i, "input_ids", id, (s->P ? s->model.config.V : s->tokenizer.V) - 1, e) != BERT_OK ||
            check_id(s, input, i, "token_type_ids", type, segments - 1, e) != BERT_OK ||
            check_id(s, input, i, "attention_mask", mask, 1, e) != BERT_OK)
            return e->status;
        x->input_ids[i] = (int32_t)id;
        x->token_type_ids[i] = (int32_t)type;
        x->attention_mask[i] = (int32_t)mask;
    }
    return BERT_OK;
}

/* The next TEXT of the command line. */
static Status next_argument(const Session *s, Input *input, bool *more)
{
    *more = input->number <= (size_t)s->options.text_count;
    if (!*more) return BERT_OK;
    const char *text = s->options.texts[input->number - 1];
    input->whole = (Text){text, strlen(text)};
    return BERT_OK;
}

/* The next input as it stands. `taken` counts for all three sources, so `number` is a line's, a TEXT's or a row's,
 * from 1.
 */
Status next_text(Session *s, Input *input, bool *more, Error *e)
{
    if (!s->source.opened && open_source(s, e) != BERT_OK) return e->status;
    show_progress(s);
    input->number = ++s->taken;
    input->has_pair = false;
    input->has_text = !s->options.inputs;
    Status status = s->options.inputs ? next_row(s, input, more, e) :
                    s->source.lines ? next_line(s, input, more, e) : next_argument(s, input, more);
    if (status == BERT_OK && !*more) end_progress(s);
    return status;
}

/* A and B: the whole text and --pair, or what stands before and after the first ` ||| ` with --pairs; without one there
 * is A alone. */
void split_pair(const Session *s, Input *input)
{
    static const char bar[] = " ||| ";
    const size_t width = sizeof bar - 1;
    const char *bytes = input->whole.bytes;
    input->a = input->whole;
    if (s->options.pair) {
        input->b = (Text){s->options.pair, strlen(s->options.pair)};
        input->has_pair = true;
        return;
    }
    for (size_t i = 0; s->options.pairs && i + width <= input->whole.length; i++)
        if (!memcmp(bytes + i, bar, width)) {
            input->a.length = i;
            input->b = (Text){bytes + i + width, input->whole.length - i - width};
            input->has_pair = true;
            return;
        }
}

/* The tokenizer's options from the command line's. The limit is --max-length, else what a sentence-transformers
 * directory cuts to, else model_max_length, but never more than the model's positions: position 512 has no row in the
 * table of position embeddings, so token 513 cannot be computed. A max_seq_length beyond that does not cut there: a
 * text that is too long is an error, as it is to sentence-transformers. */
EncodeOptions encode_options(const Session *s)
{
    const Options *o = &s->options;
    const bool beyond = s->cuts && !o->max_length && s->sentence_text.own_length && s->P &&
                        s->sentence_text.max_length > s->P;
    int limit = o->max_length;
    if (!limit && s->cuts) limit = s->sentence_text.max_length;
    if (!limit && s->P) limit = s->tokenizer.max_length;
    if (s->P && (!limit || limit > s->P)) limit = s->P;
    return (EncodeOptions){.plain = o->plain, .no_add_special = o->no_add_special, .max_length = limit,
                           .truncate = o->truncate || (s->cuts && !beyond), .pad = o->pad,
                           .segments = s->model.config.distilbert ? 0 : o->segments - 1,
                           .no_offsets = s->verb == &tokenize_verb && !format_is(s, "json")};
}

/* The text, or with a prompt the prompt and the text in one. Bytes in messages are the text's own. */
Status encode_prompted(const Session *s, Text a, const Text *b, Encoding *x, Error *e)
{
    const EncodeOptions options = encode_options(s);
    if (!s->prompt) return encode(&s->tokenizer, a, b, &options, x, e);
    const size_t before = strlen(s->prompt);
    char *whole = malloc(before + a.length + 1);
    if (!whole) return fail(e, BERT_SYSTEM, "out of memory");
    memcpy(whole, s->prompt, before);
    if (a.length) memcpy(whole + before, a.bytes, a.length);
    const Status status = encode(&s->tokenizer, (Text){whole, before + a.length}, b, &options, x, e);
    if (status != BERT_OK && e->text != 2 && e->byte > before) e->byte -= before;
    free(whole);
    return status;
}

/* "FILE: line 3, byte 17: 0xC0 is not valid UTF-8", "text 1: 600 tokens, ...". The tokenizer counts the bytes of B from
 * B's beginning; whoever looks for one in a file of pairs counts from the line's. */
Status at_input(const Session *s, const Input *input, Error *e)
{
    const Error inner = *e;
    const bool one_line = s->options.pairs && input->has_pair;
    const bool in_b = inner.text == 2;
    const size_t byte = inner.byte + (in_b && one_line ? (size_t)(input->b.bytes - input->whole.bytes) : 0);
    const char *reason = inner.message + inner.reason;
    char at[64] = "";
    if (inner.status == BERT_SYSTEM) return inner.status;
    if (inner.byte) snprintf(at, sizeof at, ", byte %zu%s", byte, in_b && !one_line ? " of the second text" : "");
    if (s->options.inputs)
        fail(e, inner.status, "%s: row %zu: %s", s->options.inputs, input->number, inner.message);
    else if (s->source.lines)
        fail(e, inner.status, "%s: line %zu%s: %s", s->source.name, input->number, at, reason);
    else
        fail(e, inner.status, "text %zu%s: %s", input->number, at, reason);
    e->line = input->number;
    e->byte = inner.byte ? byte : 0;
    e->text = inner.text;
    return e->status;
}

/* By itself and cut, so that what is wrong is not blamed on the first input that is paired with it. */
Status check_first(const Session *s, const char *name, Error *e)
{
    EncodeOptions options = encode_options(s);
    Encoding x = {0};
    options.truncate = true;
    Status status = encode(&s->tokenizer, *s->first, NULL, &options, &x, e);
    encoding_free(&x);
    return status == BERT_OK ? status : fail(e, status, "%s: %.900s", name, e->message);
}

/* Read, split, encode: what comes out is ready for the model.
 * Why a line of --pairs must be a pair: to a model of pairs a single text is another question, and its answer looks as
 *     sure as any. tokenize and embed take it, as Google's extract_features.py does. */
Status next_input(Session *s, Input *input, bool *more, Error *e)
{
    Status status = next_text(s, input, more, e);
    if (status != BERT_OK || !*more || !input->has_text) return status;
    split_pair(s, input);
    if (s->options.pairs && !input->has_pair && !s->verb->lone)
        status = fail(e, BERT_TEXT, "there is no ' ||| ' between A and B");
    else if (s->first) status = encode_prompted(s, *s->first, &input->a, &input->encoding, e);
    else status = encode_prompted(s, input->a, input->has_pair ? &input->b : NULL, &input->encoding, e);
    return status == BERT_OK ? BERT_OK : at_input(s, input, e);
}

void input_free(Input *input)
{
    free(input->line);
    encoding_free(&input->encoding);
}

/* Flushes unless nobody can be waiting: an ordinary file in, and answers so quick that a flush for each would be felt.
 */
Status answer_done(Session *s, Error *e)
{
    bool somebody_waits = !s->source.regular || s->verb->needs == NEEDS_MODEL;
    s->streams = true;
    errno = 0;
    if (somebody_waits && s->out == stdout) fflush(s->out);
    if (!ferror(s->out)) return BERT_OK;
    const char *reason = errno ? strerror(errno) : "write error";
    return fail(e, BERT_SYSTEM, "%s: %s", s->out == stdout ? "standard output" : s->options.output, reason);
}

/* =====================================================================================================================
 * Inputs that run together
 *
 * Every weight is read once per run of the model, whether it meets 10 tokens or 200. Short inputs therefore run as one
 * batch, one after another without padding; each gets the bits that it gets alone:
 *
 *     13 + 40 + 22 + ... tokens  --next_inputs--> at most 456 tokens, or one longer input  --run_inputs--> one batch
 *
 * Why 456: full panels of the kernel, 19 of 24 tokens or 9 of 48 and one of 24. With panels of 24, 200 sentences of 25
 *     tokens on average took 0.83 of the time that they took one by one, with 240 tokens 0.85; 720 gain no more than
 *     456, and memory grows with every token.
 *
 * Only what is at hand runs together: nobody holds answers back to wait for more input. A program that writes a line and
 * reads its answer before it writes the next gets batches of one.
 * ================================================================================================================== */
static Batch batch_of(const Encoding *x, const int *T)
{
    return (Batch){.B = 1, .T = T, .input_ids = x->input_ids, .token_type_ids = x->token_type_ids,
                   .attention_mask = x->attention_mask};
}

/* Reads the input after those that run together, if there is one and it can be had without waiting. It is checked by
 * itself, so that the message names the right one. */
static bool look_ahead(Session *s, Inputs *in)
{
    Input *next = &in->input[in->count];
    if (in->looked) return true;
    if (in->count == BATCH_INPUTS || (in->count > 0 && !input_at_hand(s))) return false;
    s->waiting = in->count;
    in->looked = true;
    if (next_input(s, next, &in->more, &in->error) != BERT_OK || !in->more) return true;
    const Batch alone = batch_of(&next->encoding, &next->encoding.T);
    if (batch_check(&alone, &s->model.config, &in->error) != BERT_OK) at_input(s, next, &in->error);
    return true;
}

/* A line that is answered does not keep its room if that is large, for there are 65 of them. (Blanks and text that is
 * cut off make a line long without a token; so bytes are counted as well, in next_inputs.) */
static void forget_long_line(Input *input)
{
    if (input->capacity <= READ_AHEAD) return;
    input_free(input);
    *input = (Input){0};
}

/* The inputs before a bad one are answered first: its error waits in in->error, and is returned, and copied to *e, by
 * the call that finds nothing before it. Every other call leaves *e alone. */
Status next_inputs(Session *s, Inputs *in, Error *e)
{
    size_t bytes = 0;
    for (size_t i = 0; i < in->count; i++) forget_long_line(&in->input[i]);
    Input first = in->input[in->count];                     /* it was one too many for the last batch; or is unused */
    in->input[in->count] = in->input[0];
    in->input[0] = first;
    in->count = 0;
    for (int tokens = 0; bytes < READ_AHEAD && look_ahead(s, in) && !in->error.status && in->more; in->count++) {
        tokens += in->input[in->count].encoding.T;
        if (in->count > 0 && tokens > BATCH_TOKENS) break;
        bytes += in->input[in->count].whole.length;
        in->looked = false;
    }
    if (in->count > 0 || in->error.status == BERT_OK) return BERT_OK;
    *e = in->error;
    return in->error.status;
}

void inputs_free(Inputs *in)
{
    for (size_t i = 0; i <= BATCH_INPUTS; i++) input_free(&in->input[i]);
}

/* =====================================================================================================================
 * One run of the model
 * ================================================================================================================== */
/* The batch points into the Encoding and into *run: neither may move or change until run_free. */
Status run_model(ModelRun *run, const Bert *model, const Encoding *x, const Request *request, Error *e)
{
    *run = (ModelRun){.T = x->T};
    run->batch = batch_of(x, &run->T);
    Status status = batch_check(&run->batch, &model->config, e);
    if (status == BERT_OK) status = activations_new(&run->a, model, &run->batch, request, e);
    if (status == BERT_OK) forward(model, &run->a);
    return status;
}

/* Sequence b of the batch is input b. The ids of all of them are copied one after another: (N), and so the token types
 * and the masks. *run may not move until run_free. */
Status run_inputs(ModelRun *run, const Bert *model, const Inputs *in, const Request *request, Error *e)
{
    size_t N = 0, n = 0;
    *run = (ModelRun){0};
    for (size_t b = 0; b < in->count; b++) N += (size_t)(run->lengths[b] = in->input[b].encoding.T);
    int32_t *ids = run->ids = malloc(3 * N * sizeof *ids);
    if (!ids) return fail(e, BERT_SYSTEM, "out of memory");
    int32_t *types = ids + N, *mask = types + N;
    for (size_t b = 0; b < in->count; n += (size_t)run->lengths[b++]) {
        const Encoding *x = &in->input[b].encoding;
        const size_t bytes = (size_t)x->T * sizeof *ids;
        memcpy(ids + n, x->input_ids, bytes);
        memcpy(types + n, x->token_type_ids, bytes);
        memcpy(mask + n, x->attention_mask, bytes);
    }
    run->batch = (Batch){.B = (int)in->count, .T = run->lengths, .input_ids = ids, .token_type_ids = types,
                         .attention_mask = mask};
    Status status = activations_new(&run->a, model, &run->batch, request, e);
    if (status == BERT_OK) forward(model, &run->a);
    return status;
}

void run_free(ModelRun *run)
{
    activations_free(&run->a);
    free(run->ids);
}
