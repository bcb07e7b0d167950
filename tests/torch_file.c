/* torch_file.c - writes what torch.save writes, opcode by opcode and record by record, after Python's pickletools and
 * the published description of zip. */
#include "torch_file.h"

#include <stdlib.h>
#include <string.h>

void bytes_add(Bytes *b, const void *data, size_t size)
{
    if (b->size + size >= b->capacity) {
        b->capacity = 2 * (b->size + size) + 64;
        b->data = realloc(b->data, b->capacity);
        if (!b->data) abort();
    }
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
}

void bytes_text(Bytes *b, const char *text)
{
    bytes_add(b, text, strlen(text));
}

void bytes_number(Bytes *b, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) bytes_add(b, &(unsigned char){(unsigned char)(value >> 8 * i)}, 1);
}

void bytes_free(Bytes *b)
{
    free(b->data);
    *b = (Bytes){0};
}

/* ---------------------------------------------------------------------------------------------------------------------
 * zip
 * ------------------------------------------------------------------------------------------------------------------ */

/* A header whose sizes are 0 and follow the data, padding called FB, as torch writes it; and the directory's entry. */
void archive_add(Archive *a, const char *name, const void *data, size_t size)
{
    const size_t at = a->file.size, length = strlen(name);
    bytes_text(&a->file, "PK\3\4");
    bytes_number(&a->file, 0, 2), bytes_number(&a->file, 0x808, 2), bytes_number(&a->file, 0, 2);
    bytes_number(&a->file, 0, 4), bytes_number(&a->file, 0, 4), bytes_number(&a->file, 0, 8);
    bytes_number(&a->file, length, 2), bytes_number(&a->file, 6, 2);
    bytes_text(&a->file, name);
    bytes_text(&a->file, "FB");
    bytes_number(&a->file, 2, 2), bytes_text(&a->file, "ZZ");
    bytes_add(&a->file, data, size);
    bytes_text(&a->file, "PK\7\10");
    bytes_number(&a->file, crc32_zip(data, size), 4), bytes_number(&a->file, size, 4), bytes_number(&a->file, size, 4);

    bytes_text(&a->directory, "PK\1\2");
    bytes_number(&a->directory, 0, 4), bytes_number(&a->directory, 0x808, 2), bytes_number(&a->directory, 0, 2);
    bytes_number(&a->directory, 0, 4), bytes_number(&a->directory, crc32_zip(data, size), 4);
    bytes_number(&a->directory, a->wide & WIDE_STORED ? UINT32_MAX : size, 4);
    bytes_number(&a->directory, a->wide & WIDE_SIZE ? UINT32_MAX : size, 4);
    const size_t extra = 8 * ((a->wide & 1) + (a->wide >> 1 & 1) + (a->wide >> 2 & 1));
    bytes_number(&a->directory, length, 2), bytes_number(&a->directory, a->wide ? 4 + extra : 0, 4);
    bytes_number(&a->directory, 0, 8), bytes_number(&a->directory, a->wide & WIDE_OFFSET ? UINT32_MAX : at, 4);
    bytes_text(&a->directory, name);
    if (a->wide) bytes_number(&a->directory, 1, 2), bytes_number(&a->directory, extra, 2);
    if (a->wide & WIDE_SIZE) bytes_number(&a->directory, size, 8);
    if (a->wide & WIDE_STORED) bytes_number(&a->directory, size, 8);
    if (a->wide & WIDE_OFFSET) bytes_number(&a->directory, at, 8);
    a->count++;
}

void archive_finish(Archive *a)
{
    const size_t at = a->file.size, size = a->directory.size;
    bytes_add(&a->file, a->directory.data, size);
    bytes_free(&a->directory);
    if (!a->no_zip64) {
        const size_t end64 = a->file.size;
        bytes_text(&a->file, "PK\6\6");
        bytes_number(&a->file, 44, 8), bytes_number(&a->file, 0, 4), bytes_number(&a->file, 0, 8);
        bytes_number(&a->file, a->count, 8), bytes_number(&a->file, a->count, 8);
        bytes_number(&a->file, size, 8), bytes_number(&a->file, at, 8);
        bytes_text(&a->file, "PK\6\7");
        bytes_number(&a->file, 0, 4), bytes_number(&a->file, end64, 8), bytes_number(&a->file, 1, 4);
    }
    bytes_text(&a->file, "PK\5\6");
    bytes_number(&a->file, 0, 4), bytes_number(&a->file, a->count, 2), bytes_number(&a->file, a->count, 2);
    bytes_number(&a->file, size, 4), bytes_number(&a->file, at, 4), bytes_number(&a->file, 0, 2);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * pickle
 * ------------------------------------------------------------------------------------------------------------------ */
static void add_text(Bytes *p, const char *text)
{
    bytes_text(p, "X");
    bytes_number(p, strlen(text), 4);
    bytes_text(p, text);
}

/* BININT1 where it fits, else BININT. */
static void add_number(Bytes *p, size_t value)
{
    bytes_text(p, value < 256 ? "K" : "J");
    bytes_number(p, value, value < 256 ? 1 : 4);
}

static void add_tuple(Bytes *p, int rank, const size_t *values)
{
    bytes_text(p, "(");
    for (int i = 0; i < rank; i++) add_number(p, values[i]);
    bytes_text(p, "t");
}

void pickle_begin(Bytes *p)
{
    bytes_text(p, "\x80\2ccollections\nOrderedDict\nq");
    bytes_number(p, 0, 1);
    bytes_text(p, ")R(");
}

void pickle_tensor(Bytes *p, const char *name, const char *storage, const char *key, size_t count, size_t offset,
                   int rank,
                   const size_t *shape, const size_t *stride)
{
    add_text(p, name);
    bytes_text(p, "ctorch._utils\n_rebuild_tensor_v2\n((");
    add_text(p, "storage");
    bytes_text(p, "ctorch\n"), bytes_text(p, storage), bytes_text(p, "\n");
    add_text(p, key);
    add_text(p, "cpu");
    add_number(p, count);
    bytes_text(p, "tQ");
    add_number(p, offset);
    add_tuple(p, rank, shape);
    add_tuple(p, rank, stride);
    bytes_text(p, "\x89h");
    bytes_number(p, 0, 1);
    bytes_text(p, ")RtR");
}

/* The attribute _metadata, as a module's state dict has it. */
void pickle_end(Bytes *p)
{
    bytes_text(p, "u}");
    add_text(p, "_metadata");
    bytes_text(p, "h");
    bytes_number(p, 0, 1);
    bytes_text(p, ")R(");
    add_text(p, "");
    bytes_text(p, "}");
    add_text(p, "version");
    bytes_text(p, "K\1susb.");
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Both
 * ------------------------------------------------------------------------------------------------------------------ */
Archive torch_archive(const SafeTensor *tensors, size_t count)
{
    static const char *const storages[] = {"FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage",
                                           "LongStorage",
                                           "IntStorage", "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage"};
    Archive a = {0};
    Bytes p = {0};
    char key[32], path[64];
    pickle_begin(&p);
    for (size_t i = 0; i < count; i++) {
        const SafeTensor *t = &tensors[i];
        size_t stride[MAX_RANK], step = 1;
        for (int k = t->rank - 1; k >= 0; k--) {
            stride[k] = step;
            step *= t->shape[k];
        }
        snprintf(key, sizeof key, "%zu", i);
        pickle_tensor(&p, t->name, storages[t->dtype], key, t->count, 0, t->rank, t->shape, stride);
    }
    pickle_end(&p);
    archive_add(&a, "m/data.pkl", p.data, p.size);
    archive_add(&a, "m/byteorder", "little", 6);
    for (size_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "m/data/%zu", i);
        archive_add(&a, path, tensors[i].data, tensors[i].count * dtype_size(tensors[i].dtype));
    }
    archive_add(&a, "m/version", "3\n", 2);
    archive_finish(&a);
    bytes_free(&p);
    return a;
}

Status torch_write(const char *path, const SafeTensor *tensors, size_t count, Error *e)
{
    OutputFile out;
    Archive a = torch_archive(tensors, count);
    Status s = output_open(&out, path, e);
    if (s == BERT_OK) {
        fwrite(a.file.data, 1, a.file.size, out.stream);
        s = output_commit(&out, e);
    }
    bytes_free(&a.file);
    return s;
}
