/* fuzz_torch.c - any bytes as a file of torch.save: refused with a sentence, or a list of tensors all of whose numbers
 * can be read, and which is the same list when it was written as safetensors.
 *
 * Options: bit 0: the first part is the whole file, else the pickle of an archive whose storages are the other parts
 * and whose checksums are right, so that the machine behind them is reached; bit 1: the archive has no zip64 records.
 */
#include "fuzz.h"
#include "tests/torch_file.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 4 };
static volatile unsigned char sink;     /* so that no read is left out */

/* The archive around a pickle. */
static void put_archive(const FuzzPart parts[PARTS], bool no_zip64)
{
    static const char *const names[] = {"m/data.pkl", "m/data/0", "m/data/1", "m/data/2"};
    Archive a = {.no_zip64 = no_zip64};
    for (int i = 0; i < PARTS; i++) archive_add(&a, names[i], parts[i].bytes, parts[i].size);
    archive_finish(&a);
    fuzz_put("t.bin", a.file.data, a.file.size);
    bytes_free(&a.file);
}

/* What torch_open promises of each tensor. */
static void check_tensor(const TorchFile *file, size_t i)
{
    const SafeTensor *t = &file->tensors[i];
    const unsigned char *p = t->data;
    const size_t bytes = t->count * dtype_size(t->dtype);
    fuzz_expect(t->rank >= 0 && t->rank <= MAX_RANK, "rank %d", t->rank);
    fuzz_expect(fuzz_product(t->shape, t->rank) == t->count, "tensor %zu has as many elements as its shape", i);
    fuzz_expect(bytes <= file->zip.file.size, "tensor %zu is no larger than the file", i);
    fuzz_expect(fuzz_valid_utf8((const uint8_t *)t->name, strlen(t->name)) == strlen(t->name), "a name is UTF-8");
    for (size_t k = 0; k < bytes; k++) sink ^= p[k];
}

/* Written as safetensors it has the same tensors: names differ, so that none is lost. */
static void check_written(const TorchFile *file)
{
    Safetensors st;
    Error e;
    Status s = safetensors_write(fuzz_path("again.safetensors"), file->tensors, file->count, NULL, 0, &e);
    fuzz_expect(s == BERT_OK, "it can be written: %s", e.message);
    s = safetensors_open(&st, fuzz_path("again.safetensors"), &e);
    fuzz_expect(s == BERT_OK && st.count == file->count, "and read: %s", e.message);
    for (size_t i = 0; i < file->count; i++) {
        const SafeTensor *t = &file->tensors[i], *u = safetensors_find(&st, t->name);
        fuzz_expect(u && u->count == t->count && u->dtype == t->dtype, "tensor %zu is there", i);
        fuzz_expect(!u->count || !memcmp(u->data, t->data, t->count * dtype_size(t->dtype)), "with its numbers");
    }
    safetensors_close(&st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzPart parts[PARTS];
    TorchFile file;
    Error e = {0};
    const uint8_t options = fuzz_split(parts, PARTS, data, size);
    fuzz_begin();
    if (options & 1) fuzz_put("t.bin", parts[0].bytes, parts[0].size);
    else put_archive(parts, options & 2);
    Status s = torch_open(&file, fuzz_path("t.bin"), &e);
    fuzz_expect_status(s, &e, "3");
    if (s != BERT_OK) return 0;
    for (size_t i = 0; i < file.count; i++) check_tensor(&file, i);
    check_written(&file);
    torch_close(&file);
    return 0;
}

static size_t mutate_part(size_t part, uint8_t *bytes, size_t size, size_t max_size, unsigned seed)
{
    (void)part, (void)seed;
    return LLVMFuzzerMutate(bytes, size, max_size);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, PARTS, mutate_part);
}
