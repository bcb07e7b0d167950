/* vocabulary.h - the pieces of vocab.txt, by id and by text. vocabulary.c fills it, tokenizer.c looks pieces up. */
#ifndef VOCABULARY_H
#define VOCABULARY_H
#include "../bert.h"

struct Vocabulary {
    char *text;                     /* the file's bytes, with a NUL put after each piece */
    struct Piece {
        const char *bytes;
        size_t length;              /* a piece may hold a NUL itself */
    } *pieces;                      /* (V) by id */
    int count;                      /* V */
    int32_t *slots;                 /* by text: id + 1, or 0 for an empty slot */
    size_t mask;                    /* number of slots, a power of two, minus 1 */
    size_t longest;                 /* bytes of the longest piece */
};

/* The id of the special token ([PAD] [UNK] [CLS] [SEP] [MASK]) with which these bytes, at least one, begin, and its
 * length; -1 if there is none. */
int vocabulary_special(const Tokenizer *t, const char *bytes, size_t size, size_t *length);

#endif
