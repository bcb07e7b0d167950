/* pooling.c - what a sentence-transformers directory says about its vectors: 1_Pooling/config.json and modules.json. */
#include "weights/weights.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* One member of 1_Pooling/config.json. Sets the bit 1 << Pooling in *modes if it names one: as a flag,
 * "pooling_mode_cls_token": true, or in newer files as "pooling_mode": "cls". */
static Status read_pooling_key(JsonReader *j, const char *key, unsigned *modes, Error *e)
{
    static const struct { const char *name, *flag; Pooling pooling; } known[] = {
        {"cls", "pooling_mode_cls_token", POOL_CLS}, {"mean", "pooling_mode_mean_tokens", POOL_MEAN},
        {"max", "pooling_mode_max_tokens", POOL_MAX}};
    const bool named = !strcmp(key, "pooling_mode");
    char name[64] = "";
    bool yes = true;
    if (!named && strncmp(key, "pooling_mode_", 13)) return json_skip(j, e);
    Status status = named ? json_string(j, name, sizeof name, e) : json_bool(j, &yes, e);
    if (status != BERT_OK || !yes) return status;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(named ? name : key, named ? known[i].name : known[i].flag)) continue;
        *modes |= 1u << known[i].pooling;
        return BERT_OK;
    }
    return fail(e, BERT_FILE, "%s: %s is not supported: use --pooling", j->path, named ? name : key);
}

/* The pooling that a sentence-transformers directory was trained with; with another one its vectors are worth less. It
 * must be exactly one: to guess would give vectors that look right. */
Status pooling_read(const char *directory, Pooling *pooling, Error *e)
{
    char path[4400], key[64];
    FileView file;
    JsonReader j;
    bool more;
    unsigned modes = 0;
    snprintf(path, sizeof path, "%.4096s/1_Pooling/config.json", directory);
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    Status status = json_open(&j, path, file.data, file.size, 0, e);
    while (status == BERT_OK && (status = json_next_key(&j, key, sizeof key, &more, e)) == BERT_OK && more)
        status = read_pooling_key(&j, key, &modes, e);
    if (status == BERT_OK) status = json_end(&j, e);
    if (status == BERT_OK && (modes == 0 || (modes & (modes - 1))))
        status = fail(e, BERT_FILE, "%s: found %s pooling mode, expected exactly one of cls, mean, max: use --pooling",
                      path, modes ? "more than one" : "no");
    for (int p = 0; status == BERT_OK && p < 32; p++)
        if (modes == 1u << p) *pooling = (Pooling)p;
    file_close(&file);
    return status;
}

/* One object of modules.json: is its type sentence_transformers.models.Normalize, or ends so? */
static Status read_module(JsonReader *j, bool *normalize, Error *e)
{
    char key[64], type[256];
    bool more;
    Status status = json_begin(j, '{', e);
    while (status == BERT_OK && (status = json_next_key(j, key, sizeof key, &more, e)) == BERT_OK && more) {
        if (strcmp(key, "type")) {
            status = json_skip(j, e);
        } else if ((status = json_string(j, type, sizeof type, e)) == BERT_OK) {
            const size_t n = strlen(type);
            if (n >= 9 && !strcmp(type + n - 9, "Normalize")) *normalize = true;
        }
    }
    return status;
}

/* Whether a sentence-transformers directory makes its vectors' length 1. modules.json lists what comes after the model;
 * without it, a directory 2_Normalize says so.
 * Trap: that directory is empty, and git does not keep empty directories: in most copies only the list is left. */
Status normalize_read(const char *directory, bool *normalize, Error *e)
{
    char path[4400];
    FileView file;
    bool more;
    *normalize = false;
    if (!file_exists(directory, "modules.json")) {
        struct stat info;                                               /* nothing in it is read: no failure may pass */
        snprintf(path, sizeof path, "%.4096s/2_Normalize", directory);
        *normalize = stat(path, &info) == 0;
        if (*normalize || errno == ENOENT || errno == ENOTDIR) return BERT_OK;
        return fail(e, BERT_FILE, "%s: %s", path, strerror(errno));
    }
    snprintf(path, sizeof path, "%.4096s/modules.json", directory);
    if (file_open(&file, path, e) != BERT_OK) return e->status;
    JsonReader j = {.path = path, .text = file.data, .size = file.size};    /* json_open would expect an object */
    Status status = json_begin(&j, '[', e);
    while (status == BERT_OK && (status = json_next_element(&j, &more, e)) == BERT_OK && more)
        status = read_module(&j, normalize, e);
    if (status == BERT_OK) status = json_end(&j, e);
    file_close(&file);
    return status;
}
