/* checksum.h - one number for everything that a run computed: what equal bits are compared by. */
#ifndef CHECKSUM_H
#define CHECKSUM_H
#include "verify/verify.h"

/* SHA-256 over name, shape and bytes of every tensor of a trace, in the order of the data: for each tensor the line
 * "pooler.dense 768\n" (shapes as trace_list has them, of one sequence), then its numbers, of all B sequences. */
Status trace_checksum(const Bert *m, const Activations *a, char hex[65], Error *e);

/* The same for the bank sentence on the model of a directory: every intermediate, and every head that the model has,
 * the MLM head at every token. The NSP head is left out, since some sources of the real weights lack it. */
Status bank_checksum(const char *directory, char hex[65], Error *e);

/* Runs the same batch with nothing kept, as most commands do: then step 12 leaves its numbers packed for step 13. An
 * error unless the last hidden state and the heads come out with the same bits. */
Status same_with_nothing_kept(const Bert *m, const Activations *kept, Error *e);
#endif
