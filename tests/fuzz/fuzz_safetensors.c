/* fuzz_safetensors.c - any bytes as a safetensors file: refused with a sentence, or everything in it can be used. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static volatile unsigned char sink;     /* so that no read is left out */

/* All bytes of a tensor, and where it is floating all its numbers. ASan sees what lies beyond the file. */
static void read_tensor(const SafeTensor *t)
{
    const unsigned char *p = t->data;
    double sum = 0;
    for (size_t i = 0; i < t->count * dtype_size(t->dtype); i++) sink ^= p[i];
    for (size_t i = 0; i < t->count && t->dtype <= DTYPE_BF16; i++) sum += tensor_element(t, i);
    sink ^= sum > 0;
}

/* What safetensors_open promises: shapes are sizes, the data lie one after another up to the end of the file. */
static void check_layout(const Safetensors *st)
{
    const unsigned char *at = st->count ? st->tensors[0].data : st->file.data + st->file.size;
    for (size_t i = 0; i < st->count; i++) {
        const SafeTensor *t = &st->tensors[i];
        fuzz_expect(t->rank >= 0 && t->rank <= MAX_RANK, "rank %d", t->rank);
        fuzz_expect(fuzz_product(t->shape, t->rank) == t->count, "tensor %zu has as many elements as its shape", i);
        fuzz_expect(t->data == at, "tensor %zu begins where the one before ends", i);
        at += t->count * dtype_size(t->dtype);
        fuzz_expect(safetensors_find(st, t->name) == t, "tensor %zu is found by its name", i);
        read_tensor(t);
    }
    fuzz_expect(at == st->file.data + st->file.size, "the last tensor ends with the file");
}

/* The metadata are an object of strings, as text. */
static void check_metadata(const char *text)
{
    JsonReader j;
    Error e;
    bool more;
    Status s = json_open(&j, "metadata", (const unsigned char *)text, strlen(text), 8, &e);
    while (s == BERT_OK && (s = json_next_key(&j, NULL, 0, &more, &e)) == BERT_OK && more) {
        fuzz_expect(json_peek(&j) == '"', "a value of the metadata is a string");
        s = json_skip(&j, &e);
    }
    if (s == BERT_OK) s = json_end(&j, &e);
    fuzz_expect(s == BERT_OK, "the metadata are JSON: %s", e.message);
}

/* Written and read again it is the same, whatever the names hold. */
static void check_round_trip(const Safetensors *st)
{
    Safetensors again;
    Error e;
    Status s = safetensors_write(fuzz_path("again.safetensors"), st->tensors, st->count, NULL, 0, &e);
    fuzz_expect(s == BERT_OK, "it can be written: %s", e.message);
    s = safetensors_open(&again, fuzz_path("again.safetensors"), &e);
    fuzz_expect(s == BERT_OK && again.count == st->count, "and read: %s", e.message);
    for (size_t i = 0; i < st->count; i++) {
        const SafeTensor *t = &st->tensors[i], *u = safetensors_find(&again, t->name);
        size_t bytes = t->count * dtype_size(t->dtype);
        fuzz_expect(u && u->dtype == t->dtype && u->rank == t->rank && !memcmp(u->shape, t->shape, sizeof t->shape) &&
                    (!bytes || !memcmp(u->data, t->data, bytes)), "tensor %zu is the same again", i);
        fuzz_expect((uintptr_t)u->data % dtype_size(u->dtype) == 0, "tensor %zu is aligned", i);
    }
    safetensors_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Safetensors st;
    Error e = {0};
    fuzz_begin();
    fuzz_put("t.safetensors", data, size);
    Status s = safetensors_open(&st, fuzz_path("t.safetensors"), &e);
    fuzz_expect_status(s, &e, "3");
    if (s != BERT_OK) {
        fuzz_expect(!st.tensors && !st.names && !st.file.data, "nothing is left of what was refused");
        return 0;
    }
    check_layout(&st);
    if (st.metadata) check_metadata(st.metadata);
    check_round_trip(&st);
    safetensors_close(&st);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_safetensors(data, size, max_size, seed);
}
