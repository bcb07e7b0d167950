/* checksum.h - one number for everything that a run computed: what equal bits are compared by. */
#ifndef CHECKSUM_H
#define CHECKSUM_H
#include "verify/verify.h"

/* trace_checksum (verify.h) for the bank sentence on the model of a directory: every intermediate, and every head that
 * the model has, the MLM head at every token. The NSP head is left out, since some sources of the real weights lack it. */
Status bank_checksum(const char *directory, char hex[65], Error *e);

/* Runs the same batch with nothing kept, as most commands do: then step 12 leaves its numbers packed for step 13. An
 * error unless the last hidden state and the heads come out with the same bits. */
Status same_with_nothing_kept(const Bert *m, const Activations *kept, Error *e);
#endif
