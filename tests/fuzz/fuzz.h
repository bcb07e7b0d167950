/* fuzz.h - what the fuzz targets share: files to read from, verdicts, inputs of several parts, mutators.
 *
 * A target is a function that takes any bytes and must come back: no crash, no step out of bounds (AddressSanitizer),
 * nothing undefined (UBSan), no leak, no false claim (fuzz_expect). libFuzzer calls it with inputs that it changes
 * again and again, and keeps those that reach new code. tests/fuzz/README.md says how to run them.
 */
#ifndef FUZZ_H
#define FUZZ_H
#include "verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* libFuzzer's own mutation: changes `size` bytes at random, returns the new size, at most max_size. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* An input begins: it has 20 seconds of the processor, and what takes longer is a finding. (libFuzzer's own -timeout
 * counts the time on the wall, in which a busy machine may do nothing for us.) */
void fuzz_begin(void);

/* ---------------------------------------------------------------------------------------------------------------------
 * Files. The readers want paths: they get files in a directory of this process, in memory (/dev/shm) where there is
 * one. The library is built with NO_MMAP: a file's bytes end where its memory ends, and ASan sees a step beyond.
 * ------------------------------------------------------------------------------------------------------------------ */
const char *fuzz_path(const char *name);    /* of the file `name` ("": the directory); eight may be in use at a time */
void fuzz_put(const char *name, const uint8_t *bytes, size_t size);
void fuzz_remove(const char *name);
uint8_t *fuzz_copy(const uint8_t *bytes, size_t size);      /* on the heap, of exactly that size; free it */

/* ---------------------------------------------------------------------------------------------------------------------
 * Verdicts
 * ------------------------------------------------------------------------------------------------------------------ */
/* Ends the program with the sentence (printf rules), which libFuzzer takes for a finding, unless `ok`. */
void fuzz_expect(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The product of a shape, which must fit a size: made by another way than the library's. */
size_t fuzz_product(const size_t *shape, int rank);
/* The status is OK or one of the digits of `allowed`; if it is not OK, the message is one line that a terminal can
 * show: not empty, UTF-8, without control characters. */
void fuzz_expect_status(Status status, const Error *e, const char *allowed);
/* Length of the valid UTF-8 at the front. Written differently from the library's two, which are held against it. */
size_t fuzz_valid_utf8(const uint8_t *bytes, size_t size);
/* No byte that a terminal acts upon, except for line ends and tabs. */
bool fuzz_is_tame(const uint8_t *bytes, size_t size);

/* ---------------------------------------------------------------------------------------------------------------------
 * Inputs of several parts: a byte of options, then for each part its length (two bytes, the lower one first) and its
 * bytes. A length that says too much gets what is there, so that any bytes are an input.
 * ------------------------------------------------------------------------------------------------------------------ */
enum { FUZZ_PARTS = 8 };
typedef struct {
    const uint8_t *bytes;
    size_t size;
} FuzzPart;
uint8_t fuzz_split(FuzzPart *parts, size_t count, const uint8_t *data, size_t size);        /* the options */

/* Changes one part by `mutate`, or the options, and puts all together again. */
typedef size_t FuzzMutator(size_t part, uint8_t *bytes, size_t size, size_t max_size, unsigned seed);
size_t fuzz_mutate_parts(uint8_t *data, size_t size, size_t max_size, unsigned seed, size_t count,
                         FuzzMutator *mutate);

/* Changes a safetensors file and mostly repairs what would else stop the reader at once: the header's length, and
 * data_offsets that follow from dtypes and shapes. */
size_t fuzz_mutate_safetensors(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* 0 .. below-1, and the next state. */
unsigned fuzz_pick(unsigned *state, unsigned below);
#endif
