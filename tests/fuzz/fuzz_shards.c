/* fuzz_shards.c - any bytes as the index of a model in shards, and as its shards; or as one file of weights whose names have
 * something in front: refused with a sentence, or one list of tensors that all lie in the files that the index names.
 *
 * Parts: the index, s-1.safetensors, s-2.safetensors. Options: bit 0: the second part alone, as one file.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 3 };
static const char *const names[PARTS] = {"m.index.json", "s-1.safetensors", "s-2.safetensors"};
static volatile unsigned char sink;     /* so that no read is left out */

/* All bytes of a tensor; it is found by its name, and in the file that is said. */
static void check_tensor(const Safetensors *st, size_t i)
{
    const SafeTensor *t = &st->tensors[i];
    const unsigned char *p = t->data;
    const size_t bytes = t->count * dtype_size(t->dtype);
    for (size_t k = 0; k < bytes; k++) sink ^= p[k];
    fuzz_expect(fuzz_product(t->shape, t->rank) == t->count, "tensor %zu has as many elements as its shape", i);
    fuzz_expect(safetensors_find(st, t->name) == t, "tensor %zu is found", i);
    const char *path = tensor_path(st, t), *name = strrchr(path, '/');
    fuzz_expect(name && (!strcmp(name + 1, names[1]) || !strcmp(name + 1, names[2])), "it is in a shard: %s", path);
}

/* The names ascend, so that there is no name twice; what stands before them is the beginning of one. */
static void check_names(const Safetensors *st)
{
    for (size_t i = 1; i < st->count; i++)
        fuzz_expect(strcmp(st->by_name[i - 1]->name, st->by_name[i]->name) < 0, "names ascend at %zu", i);
    if (!st->prefix) return;
    bool begins = false;
    for (size_t i = 0; i < st->count; i++) begins |= !strncmp(st->tensors[i].name, st->prefix, strlen(st->prefix));
    fuzz_expect(begins, "a name begins with the prefix %s", st->prefix);
    fuzz_expect(st->head_prefix <= strlen(st->prefix) && strlen(st->prefix) <= PREFIX_LIMIT, "the heads' part of it");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzPart parts[PARTS];
    Safetensors st;
    Error e = {0};
    const uint8_t options = fuzz_split(parts, PARTS, data, size);
    fuzz_begin();
    for (int i = 0; i < PARTS; i++) fuzz_put(names[i], parts[i].bytes, parts[i].size);
    const Status s = weights_open(&st, fuzz_path(names[options & 1]), &e);
    fuzz_expect_status(s, &e, "3");
    if (s != BERT_OK) return 0;
    fuzz_expect(options & 1 ? st.shard_count == 0 : st.shard_count <= 2, "%zu shards", st.shard_count);
    fuzz_expect(weights_size(&st) <= parts[1].size + parts[2].size, "no more bytes than there are");
    for (size_t i = 0; i < st.count; i++) check_tensor(&st, i);
    check_names(&st);
    safetensors_close(&st);
    return 0;
}

static size_t mutate_part(size_t part, uint8_t *bytes, size_t size, size_t max_size, unsigned seed)
{
    return part == 0 ? LLVMFuzzerMutate(bytes, size, max_size) : fuzz_mutate_safetensors(bytes, size, max_size, seed);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, PARTS, mutate_part);
}
