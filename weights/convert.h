/* convert.h - what the converter's files (and tests/test_weights.c) share, and `bert` itself does not need. */
#ifndef CONVERT_H
#define CONVERT_H
#include "weights/weights.h"

/* The first half of safetensors_write: length, header and padding, for a writer that makes the data while it writes them.
 * Of the tensors, `data` is not looked at. Write errors stay in `out`. */
void safetensors_write_header(FILE *out, const SafeTensor *tensors, size_t count,
                              const char *const (*metadata)[2], size_t pairs);

/* =====================================================================================================================
 * tensorbundle.c - TensorFlow's checkpoint format, version 2
 * ================================================================================================================== */
typedef enum { TF_FLOAT = 1, TF_DOUBLE = 2, TF_INT32 = 3, TF_STRING = 7, TF_INT64 = 9, TF_BFLOAT16 = 14, TF_HALF = 19 } TfType;

typedef struct {                    /* one variable */
    char *name;
    int64_t type;                   /* a TfType, or a number that we have no name for */
    int rank;
    size_t shape[MAX_RANK];
    size_t count;                   /* elements: the product of the shape */
    size_t shard, offset, size;     /* `size` bytes at `offset` of the data file number `shard` */
    uint32_t crc;                   /* masked CRC32C of these bytes, as the index has it */
} BundleEntry;

typedef struct {
    char *path;                     /* of the index, for messages */
    size_t shard_count;
    FileView *shards;               /* the data files, mapped */
    size_t count;
    BundleEntry *entries;           /* sorted by name */
} Bundle;

/* Reads PREFIX.index and maps PREFIX.data-*. All of the index is checked (checksums, bounds, types), none of the data. */
Status bundle_open(Bundle *bundle, const char *prefix, Error *e);
void bundle_close(Bundle *bundle);
const BundleEntry *bundle_find(const Bundle *bundle, const char *name);
/* The variable's bytes, in the mapped file and perhaps misaligned, after their checksum was verified; NULL if it is wrong. */
const unsigned char *bundle_data(const Bundle *bundle, const BundleEntry *entry, Error *e);

/* CRC-32C (Castagnoli), and the form in which files store it: a checksum over data that hold checksums is a weak one,
 * so it is rotated and a constant is added. */
uint32_t crc32c(const void *data, size_t size);
uint32_t crc32c_masked(const void *data, size_t size);

/* =====================================================================================================================
 * zip.c - a zip archive whose entries are stored as they are
 * ================================================================================================================== */
typedef struct {
    const char *name;               /* in the mapped file; no NUL behind it */
    size_t name_length;
    size_t header, begin, size;     /* where its header is, where its bytes begin, how many they are */
    uint32_t crc;
    bool verified;                  /* its bytes have this checksum */
} ZipEntry;

typedef struct {
    FileView file;
    ZipEntry *entries;              /* sorted by name */
    size_t count;
} Zip;

/* Opens the archive and checks all of it but the checksums. */
Status zip_open(Zip *zip, const char *path, Error *e);
void zip_close(Zip *zip);
ZipEntry *zip_find(const Zip *zip, const char *name);     /* NULL if there is none */
/* The entry's bytes, in the mapped file and perhaps misaligned, after their checksum was verified; NULL if it
 * is wrong. */
const unsigned char *zip_data(const Zip *zip, ZipEntry *entry, Error *e);
uint32_t crc32_zip(const void *data, size_t size);

/* =====================================================================================================================
 * torch.c - a dictionary of tensors as torch.save writes it: a zip with a pickle and the tensors' numbers
 * ================================================================================================================== */
typedef struct {
    Zip zip;
    char *names;                    /* the one allocation behind all names */
    SafeTensor *tensors;            /* (count) in the order of the dictionary; data are in the mapped file, or copies */
    size_t count, left_out;         /* left_out: values of the dictionary that are no tensors */
    void **copies;                  /* (copy_count) tensors that the file does not have row by row */
    size_t copy_count;
} TorchFile;

/* Reads the whole dictionary and verifies the checksums of what it names. Nothing in the file is run; what is not a
 * dictionary of tensors is refused by name. */
Status torch_open(TorchFile *t, const char *path, Error *e);
void torch_close(TorchFile *t);
bool is_torch_file(const unsigned char *data, size_t size);     /* by its first bytes: a zip or a pickle */

/* =====================================================================================================================
 * convert.c - a checkpoint as a model directory
 * ================================================================================================================== */

/* Writes directory/model.safetensors and directory/config.json; says what it found and left out on `log`. */
Status convert(const char *prefix, const char *directory, FILE *log, Error *e);

/* The same of torch.save's pytorch_model.bin or of its index (`source`: the file, or the directory that has one).
 * Writes directory/model.safetensors, and a copy of the config.json beside the source unless it is the same directory,
 * which it is if `directory` is NULL. */
Status convert_torch(const char *source, const char *directory, FILE *log, Error *e);

/* SHA-256 over name, shape and bytes of every float32 tensor of encoder, pooler and MLM head, in the order of
 * tensor_table: equal for two files that hold the same weights, whatever their order, prefixes or older names. */
Status fingerprint(const char *path, char hex[65], Error *e);

#endif
