/* torch_file.h - files of torch.save, made by hand, byte by byte: for the tests of their reader. */
#ifndef TORCH_FILE_H
#define TORCH_FILE_H
#include "weights/convert.h"

typedef struct {                    /* bytes that grow */
    unsigned char *data;
    size_t size, capacity;
} Bytes;
void bytes_add(Bytes *b, const void *data, size_t size);
void bytes_text(Bytes *b, const char *text);
void bytes_number(Bytes *b, uint64_t value, int bytes);         /* little-endian */
void bytes_free(Bytes *b);

enum { WIDE_SIZE = 1, WIDE_STORED = 2, WIDE_OFFSET = 4, WIDE_ALL = 7 };
typedef struct {
    Bytes file, directory;
    size_t count;
    bool no_zip64;                  /* leave out the zip64 end record and its locator, as other writers do */
    unsigned wide;                  /* which numbers of the directory have 64 bits, as in files of more than 4 GB: WIDE_... */
} Archive;
void archive_add(Archive *a, const char *name, const void *data, size_t size);
void archive_finish(Archive *a);    /* directory and end records: a->file is the archive */

/* A pickle of a state dict: begin, tensors, end. Shapes and strides of `rank` numbers below 2^31. */
void pickle_begin(Bytes *p);
void pickle_tensor(Bytes *p, const char *name, const char *storage, const char *key, size_t count, size_t offset,
                   int rank,
                   const size_t *shape, const size_t *stride);
void pickle_end(Bytes *p);

/* The tensors as pytorch_model.bin: an archive of data.pkl, byteorder, and one storage for each. */
Archive torch_archive(const SafeTensor *tensors, size_t count);
Status torch_write(const char *path, const SafeTensor *tensors, size_t count, Error *e);
#endif
