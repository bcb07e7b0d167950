/* vocabulary.h - the pieces of vocab.txt, by id and by text. vocabulary.c fills it, tokenizer.c looks pieces up. */
#ifndef VOCABULARY_H
#define VOCABULARY_H
#include "weights/weights.h"

struct Vocabulary {
    char *text;                     /* the file's bytes, with a NUL put after each piece */
    struct Piece {
        const char *bytes;
        size_t length;              /* a piece may hold a NUL itself */
    } *pieces;                      /* (V) by id */
    int count;                      /* V */
    struct Slot {
        int32_t next_id;            /* id + 1, or 0 for an empty slot */
        uint32_t half;              /* the upper half of the piece's hash */
    } *slots;                       /* by text */
    size_t mask;                    /* number of slots, a power of two, minus 1 */
    size_t detours;                 /* slots that were passed because another piece was there, over all pieces */
    size_t longest[2][256];         /* bytes of the longest piece by first byte; [1]: of those with ##, by the next */
};

/* WordPiece's search: the longest piece with which the `size` bytes begin, its id, or -1, and its length, which is more
 * than `prefix`: 2 if the bytes begin with ##, else 0. The definition is in tokenizer.c; the fast one that runs, for at
 * most LONGEST_TEXT bytes, in vocabulary.c. */
enum { LONGEST_TEXT = 512 };
int longest_piece_ref(const Tokenizer *t, const char *bytes, size_t prefix, size_t size, size_t *length);
int longest_piece(const Tokenizer *t, const char *bytes, size_t prefix, size_t size, size_t *length);

/* The id of the special token ([PAD] [UNK] [CLS] [SEP] [MASK]) with which these bytes begin, and its length; -1 if
 * there is none. All five begin with a "[": that is worth a look before the call. */
int vocabulary_special(const Tokenizer *t, const char *bytes, size_t size, size_t *length);

/* Is there a piece with a capital letter, other than [CLS] and the like? */
bool vocabulary_has_capitals(const Tokenizer *t);

#endif
