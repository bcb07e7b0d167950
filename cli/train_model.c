/* train_model.c - the model that `bert train` begins with: another model's weights, random ones, or those of a saved
 * state; and the directory that it is left in.
 */
#include "cli/train_run.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------------------------------
 * Files of the directory
 * ------------------------------------------------------------------------------------------------------------------ */

/* What a run begins with, beside the model and its state. */
static const char *const first_files[] = {"config.json", "vocab.txt", "tokenizer_config.json", "tokenizer.json",
                                          "special_tokens_map.json", "added_tokens.json", "training/log.jsonl"};
enum { FIRST_FILES = sizeof first_files / sizeof *first_files };

/* This run has written the file of that name, or is about to. */
static void note_written(TrainRun *r, const char *name)
{
    for (int i = 0; i < FIRST_FILES; i++)
        if (!strcmp(name, first_files[i])) r->written |= 1u << i;
}

/* Of a directory that was there before only what this run wrote; the log goes with its directory. */
void train_undo(const TrainRun *r)
{
    char *path = NULL;
    Error ignored = {0};
    if (r->resumed || r->saved || !r->written) return;
    for (int i = 0; i < FIRST_FILES; i++) {
        if (!(r->written >> i & 1) || path_join(&path, r->directory, first_files[i], &ignored) != BERT_OK) continue;
        unlink(path);
        free(path);
    }
    if (path_join(&path, r->directory, "training", &ignored) == BERT_OK) {
        rmdir(path);                                    /* only if it is empty */
        free(path);
    }
    if (r->made_directory) rmdir(r->directory);
}

/* What is there already is no error; *made: it was not. */
static Status make_directory(const char *path, bool *made, Error *e)
{
    *made = mkdir(path, 0777) == 0;
    if (*made || errno == EEXIST) return BERT_OK;
    return fail(e, BERT_SYSTEM, "%s: cannot be created: %s", path, strerror(errno));
}

/* The directory of -o, training/ in it, and an empty log.
 * Why the log comes first: wherever the run is killed from here on, it tells that the files beside it are the run's own
 * (refuse_files), and --resume can begin. */
static Status make_directories(TrainRun *r, Error *e)
{
    char *training = NULL;
    bool made;
    Status s = make_directory(r->directory, &r->made_directory, e);
    if (s == BERT_OK) s = path_join(&training, r->directory, "training", e);
    if (s == BERT_OK) s = make_directory(training, &made, e);
    free(training);
    if (s != BERT_OK) return s;
    note_written(r, "training/log.jsonl");
    FILE *log = fopen(r->log, "ab");
    if (log && fclose(log) == 0) return BERT_OK;
    return fail(e, BERT_SYSTEM, "%s: cannot be opened: %s", r->log, strerror(errno));
}

/* Are both files there, with the same bytes? */
static bool same_bytes(const char *a, const char *b)
{
    FileView x, y;
    Error ignored = {0};
    bool same = false;
    if (file_open(&x, a, &ignored) != BERT_OK) return false;
    if (file_open(&y, b, &ignored) == BERT_OK) {
        same = x.size == y.size && (!x.size || !memcmp(x.data, y.data, x.size));
        file_close(&y);
    }
    file_close(&x);
    return same;
}

/* The file `from` as `name` of the directory, byte for byte. */
static Status copy_file(TrainRun *r, const char *from, const char *name, Error *e)
{
    FileView file;
    OutputFile out = {0};
    char *to = NULL;
    Status s = file_open(&file, from, e);
    if (s != BERT_OK) return s;
    s = path_join(&to, r->directory, name, e);
    const bool there = s == BERT_OK && same_bytes(from, to);
    if (!there) note_written(r, name);
    if (s == BERT_OK && !there) s = output_open(&out, to, e);
    if (s == BERT_OK && !there) {
        if (file.size) fwrite(file.data, 1, file.size, out.stream);
        s = output_commit(&out, e);
    }
    free(to);
    file_close(&file);
    return s;
}

/* What a model's directory says about its pieces. *config: tokenizer_config.json was among it. */
static Status copy_pieces(TrainRun *r, const char *from, bool *config, Error *e)
{
    static const char *const names[] = {"tokenizer_config.json", "vocab.txt", "tokenizer.json",
                                        "special_tokens_map.json", "added_tokens.json"};
    Status s = BERT_OK;
    for (size_t i = 0; s == BERT_OK && i < sizeof names / sizeof *names; i++) {
        char *path = NULL;
        if (!file_exists(from, names[i])) continue;
        s = path_join(&path, from, names[i], e);
        if (s == BERT_OK) s = copy_file(r, path, names[i], e);
        if (i == 0) *config = true;
        free(path);
    }
    return s;
}

/* config.json; and tokenizer_config.json, unless one was copied. */
static Status write_configs(TrainRun *r, bool copied, Error *e)
{
    const Session *s = r->s;
    char *path = NULL;
    Status status = path_join(&path, r->directory, "config.json", e);
    note_written(r, "config.json");
    note_written(r, "tokenizer_config.json");
    if (status == BERT_OK)
        status = training_config_write(path, &s->model.config, &r->training, s->tokenizer.pad_id, e);
    free(path);
    path = NULL;
    if (status != BERT_OK || copied) return status;
    status = path_join(&path, r->directory, "tokenizer_config.json", e);
    if (status == BERT_OK) status = tokenizer_config_write(path, &s->tokenizer, &s->model.config, e);
    free(path);
    return status;
}

/* Is it NAME.tmp-XXXXXX, where NAME is a file that a run writes? */
static bool is_leftover(const char *name)
{
    static const char *const names[] = {"model.safetensors", "state.safetensors", "config.json", "vocab.txt",
                                        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                        "added_tokens.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t length = strlen(names[i]);
        if (!strncmp(name, names[i], length) && !strncmp(name + length, ".tmp-", 5)) return true;
    }
    return false;
}

static Status remove_temporaries(const char *directory, Error *e)
{
    DIR *d = opendir(directory);
    Status s = BERT_OK;
    if (!d) return fail(e, BERT_FILE, "%s: cannot be read: %s", directory, strerror(errno));
    for (struct dirent *entry; s == BERT_OK && (entry = readdir(d)); ) {
        char *path = NULL;
        if (!is_leftover(entry->d_name)) continue;
        s = path_join(&path, directory, entry->d_name, e);
        if (s == BERT_OK) unlink(path);                     /* one that stays only takes room */
        free(path);
    }
    closedir(d);
    return s;
}

/* Only what ended without a word, by a kill or a power failure, leaves any: they may be as large as the model. */
Status train_remove_leftovers(const TrainRun *r, Error *e)
{
    char *training = NULL;
    Status s = path_join(&training, r->directory, "training", e);
    if (s == BERT_OK) s = remove_temporaries(training, e);
    if (s == BERT_OK) s = remove_temporaries(r->directory, e);
    free(training);
    return s;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Three beginnings
 * ------------------------------------------------------------------------------------------------------------------ */

/* What is not learned here is said before the first step. */
static Status check_model(const TrainRun *r, Error *e)
{
    const Bert *m = &r->s->model;
    const Options *o = &r->s->options;
    const char *from = r->resumed ? r->directory : o->model ? o->model : o->config;
    const char *said = r->resumed ? r->directory : o->config ? o->config : r->s->directory;
    const char *file = o->config && !r->resumed ? "" : "/config.json";
    if (o->task == TASK_MLM && !m->has_mlm)
        return fail(e, BERT_HEAD, "%s: the weights lack the MLM head, which is what is learned", from);
    if (o->task == TASK_MLM && !o->no_nsp && !o->inputs && !(m->has_nsp && m->has_pooler))
        return fail(e, BERT_HEAD, "%s: the weights lack the NSP head: --no-nsp learns without it", from);
    if (tokenizer_rows(&r->s->tokenizer) > m->config.V)
        return fail(e, BERT_FILE, "%s%s: vocab_size is %d, but the vocabulary has %d pieces: they do not belong together",
                    said, file, m->config.V, tokenizer_rows(&r->s->tokenizer));
    return BERT_OK;
}

/* Tokenizer and sizes are known: do they suit; with a task, its texts, and a head for them. */
static Status settle_model(TrainRun *r, Error *e)
{
    Status s = check_model(r, e);
    return s == BERT_OK && r->s->options.task ? train_task_open(r, e) : s;
}

enum { MOST_PIECES = 1 << 24 };         /* as in weights/config.c */

/* Sizes that --config leaves out, or spells otherwise, are said, before a model of 12 layers is trained by mistake. */
static void note_filled_in(const TrainRun *r, const BertConfig *config, const char *path)
{
    char text[256];
    if (config_filled_in(config, text, sizeof text) && !r->resumed)
        note(r->s, "%s: leaves out, and so has the usual: %s", path, text);
}

/* config.json of a file into the session's model, and its numbers for training. pieces: of --vocab, or 0; so many has a
 * model whose file does not say. */
static Status read_config(TrainRun *r, const char *path, int pieces, Error *e)
{
    BertConfig config;
    Status s = config_load(&config, path, e);
    if (s == BERT_OK && pieces && pieces <= MOST_PIECES && config_take_vocabulary(&config, pieces))
        note(r->s, "%s: leaves out vocab_size, which is %d then, the pieces of %s", path, pieces, r->s->options.vocabulary);
    if (s == BERT_OK) note_filled_in(r, &config, path);
    if (s == BERT_OK) s = training_config_load(&r->training, path, config.distilbert, e);
    return s == BERT_OK ? bert_blank(&r->s->model, &config, e) : s;
}

/* -m: everything is read and checked before the directory is made. */
static Status begin_with_model(TrainRun *r, Error *e)
{
    Session *s = r->s;
    char *config = NULL;
    bool copied = false;
    Status status = model_place(s->options.model, &s->directory, &s->weights, e);
    if (status == BERT_OK) status = tokenizer_load(&s->tokenizer, s->directory, CASE_AUTO, e);
    if (status == BERT_OK) status = bert_load(&s->model, s->options.model, e);
    if (status == BERT_OK) status = path_join(&config, s->directory, "config.json", e);
    if (status == BERT_OK) status = training_config_load(&r->training, config, s->model.config.distilbert, e);
    if (status == BERT_OK) status = settle_model(r, e);
    if (status == BERT_OK && s->options.gelu != UNSET) s->model.config.gelu = (GeluKind)s->options.gelu;
    if (status == BERT_OK) status = make_directories(r, e);
    if (status == BERT_OK) status = copy_pieces(r, s->directory, &copied, e);
    if (status == BERT_OK) status = write_configs(r, copied, e);
    free(config);
    return status;
}

/* Lines of a vocab.txt, without empty ones at its end. */
static Status count_pieces(const char *path, int *pieces, Error *e)
{
    FileView file;
    size_t lines = 0, at = 0;
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    for (size_t i = 0; i < file.size; i++) {
        at += file.data[i] == '\n';
        if (file.data[i] != '\n' && file.data[i] != '\r') lines = at + 1;
    }
    file_close(&file);
    *pieces = lines < INT32_MAX ? (int)lines : INT32_MAX;
    return BERT_OK;
}

/* --config and --vocab. The pieces are read where they are left: so they are read as they will be. */
static Status begin_with_config(TrainRun *r, Error *e)
{
    Session *s = r->s;
    int pieces = 0;
    Status status = count_pieces(s->options.vocabulary, &pieces, e);
    if (status == BERT_OK) status = read_config(r, s->options.config, pieces, e);
    if (status == BERT_OK && s->options.gelu != UNSET) s->model.config.gelu = (GeluKind)s->options.gelu;
    if (status == BERT_OK) status = make_directories(r, e);
    if (status == BERT_OK) status = copy_file(r, s->options.vocabulary, "vocab.txt", e);
    if (status == BERT_OK)
        status = tokenizer_load(&s->tokenizer, r->directory, (CaseChoice)s->options.case_choice, e);
    if (status == BERT_OK) status = settle_model(r, e);
    return status == BERT_OK ? write_configs(r, false, e) : status;
}

/* --resume: sizes and pieces as they were left. */
static Status begin_with_state(TrainRun *r, Error *e)
{
    Session *s = r->s;
    char *config = NULL;
    Status status = path_join(&config, r->directory, "config.json", e);
    if (status == BERT_OK) status = read_config(r, config, 0, e);
    if (status == BERT_OK) status = tokenizer_load(&s->tokenizer, r->directory, CASE_AUTO, e);
    free(config);
    return status == BERT_OK ? settle_model(r, e) : status;
}

/* Somebody's own configuration or pieces are not written over; those of a run that was killed before its first saved
 * state are, which the log beside them tells. */
static Status refuse_files(const TrainRun *r, Error *e)
{
    char *path = NULL;
    FileView file;
    Status s = BERT_OK;
    if (file_exists(r->directory, "training/log.jsonl")) return BERT_OK;
    for (int i = 0; s == BERT_OK && i < FIRST_FILES; i++) {
        const char *name = first_files[i], *vocabulary = r->s->options.vocabulary;
        if (!file_exists(r->directory, name)) continue;
        s = path_join(&path, r->directory, name, e);
        if (s == BERT_OK) s = file_open(&file, path, e);        /* or the reason why nobody can tell */
        if (s == BERT_OK) file_close(&file);
        const bool same = s == BERT_OK && vocabulary && !strcmp(name, "vocab.txt") && same_bytes(vocabulary, path);
        free(path);
        if (s == BERT_OK && !same)
            s = fail(e, BERT_USAGE, "%s: holds %s, which would be written over: a new run needs another directory",
                     r->directory, name);
    }
    return s;
}

/* A directory that holds a model is not written over. */
static Status refuse_model(const TrainRun *r, Error *e)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "training/state.safetensors"};
    struct stat kind;
    Status s = BERT_OK;
    for (size_t i = 0; s == BERT_OK && i < sizeof names / sizeof *names; i++) {
        char *path = NULL;
        s = path_join(&path, r->directory, names[i], e);
        if (s == BERT_OK && stat(path, &kind) == 0)
            s = fail(e, BERT_USAGE, "%s: holds %s: --resume goes on with a run; a new one needs another directory",
                     r->directory, names[i]);
        else if (s == BERT_OK && errno != ENOENT && errno != ENOTDIR)
            s = fail(e, BERT_SYSTEM, "%s: %s", path, strerror(errno));
        free(path);
    }
    return s == BERT_OK ? refuse_files(r, e) : s;
}

/* Weights in memory, as `begin` found them. */
Status train_model_open(TrainRun *r, Error *e)
{
    Session *s = r->s;
    const Options *o = &s->options;
    r->resumed = o->resume && file_exists(r->directory, "training/state.safetensors");
    Status status = r->resumed ? BERT_OK : refuse_model(r, e);
    if (status == BERT_OK && !r->resumed && !o->model && !o->config)
        status = fail(e, BERT_USAGE, "%s: has no saved state: -m MODEL, or --config FILE and --vocab FILE, say what to "
                      "begin with", r->directory);
    if (status == BERT_OK)
        status = r->resumed ? begin_with_state(r, e) : o->model ? begin_with_model(r, e) : begin_with_config(r, e);
    if (status == BERT_OK && r->resumed && o->gelu != UNSET) s->model.config.gelu = (GeluKind)o->gelu;
    if (status == BERT_OK) status = parameters_new(&r->p, &s->model, e);
    if (status == BERT_OK && !r->resumed && !o->model)
        random_weights(&r->p, (Rules)o->rules, r->training.initializer_range, (uint32_t)o->seed, s->tokenizer.pad_id);
    if (status == BERT_OK && !r->resumed && o->task && o->model) train_task_begin(r);
    if (status == BERT_OK) status = gradients_new(&r->g, &s->model, &r->p, e);
    if (status == BERT_OK) status = adamw_new(&r->adamw, &r->p, &r->options, e);
    return status;
}
