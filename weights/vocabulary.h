/* vocabulary.h - the pieces of a vocabulary, by id and by text, and the tokens that were added to it. vocabulary.c,
 * tokenizer_json.c and added.c fill it, tokenizer.c looks pieces up. */
#ifndef VOCABULARY_H
#define VOCABULARY_H
#include "weights/weights.h"

/* A token that is found in the text before WordPiece sees it: [CLS], [MASK], and what people add to a vocabulary. */
enum { LONGEST_ADDED = 512 };       /* bytes, so that no text takes long to search */
typedef struct {
    char *content;                  /* malloc'ed */
    size_t length;
    char *pattern;                  /* what is searched for: the content, for `normalized` ones after step 1 (owned) */
    size_t pattern_length;
    const char *file;               /* that speaks of it: "tokenizer.json" ... */
    int64_t declared;               /* the id that its file gives it, or -1 */
    size_t place;                   /* in its list, from 0: of two that are equal otherwise the earlier one comes first */
    int id;                         /* -1: no file gives it one, and the vocabulary has none */
    bool special;                   /* --no-special makes plain text of these only */
    bool lstrip, rstrip;            /* the white space before it, behind it, belongs to it */
    bool single_word;               /* only where no letter or digit stands beside it */
    bool normalized;                /* searched in the text after step 1 */
} AddedToken;
typedef struct {
    AddedToken *items;
    size_t count, capacity;
} AddedList;

enum { KINDS = 0x10000 };
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
    size_t ids;                     /* room in `pieces` */
    size_t used;                    /* bytes of `text`, where pieces are added one by one */
    size_t detours;                 /* slots that were passed because another piece was there, over all pieces */
    size_t longest[2][256];         /* bytes of the longest piece by first byte; [1]: of those with ##, by the next */
    int distinct;                   /* different pieces: fewer than V where lines repeat */
    unsigned char kinds[KINDS];     /* kinds_fill: what step 1 does with each character below U+10000 */
    AddedList added;                /* in the order in which they were added */
    struct Patterns {
        AddedToken **sorted;        /* by pattern */
        size_t count;
        bool first[256];            /* a pattern begins with this byte */
    } patterns[2];                  /* [0]: searched in the text as it came, [1]: in the text after step 1 */
};

/* WordPiece's search: the longest piece with which the `size` bytes begin, its id, or -1, and its length, which is more
 * than `prefix`: 2 if the bytes begin with ##, else 0. The definition is in tokenizer.c; the fast one that runs, for at
 * most LONGEST_TEXT bytes, in vocabulary.c. */
enum { LONGEST_TEXT = 1024, LONGEST_WORD = 200 };     /* bytes; characters of a word that is cut, at most */
int longest_piece_ref(const Tokenizer *t, const char *bytes, size_t prefix, size_t size, size_t *length);
int longest_piece(const Tokenizer *t, const char *bytes, size_t prefix, size_t size, size_t *length);

/* The id of a piece for WordPiece, which knows nothing of added tokens; -1 if there is none. */
int vocabulary_id(const Vocabulary *v, const char *piece, size_t length);

/* Searches the patterns of v->patterns[list] for the longest one that the bytes to come begin with: added_begin, then
 * added_byte for one byte after the other. It says whether to go on; `found` is the longest so far, or NULL. */
typedef struct {
    const struct Patterns *patterns;
    size_t low, high, depth;        /* patterns[low] to [high - 1] begin with the `depth` bytes that were given */
    AddedToken *found;
} AddedSearch;
void added_begin(AddedSearch *s, const Vocabulary *v, int list);
bool added_byte(AddedSearch *s, char byte);
bool is_word_character(uint32_t code);      /* \w: see single_word */

/* Steps 1 and 2 of tokenizer.c: does the character become a word of its own? */
bool is_ideograph(uint32_t code);
bool is_punctuation(uint32_t code);
void kinds_fill(unsigned char kinds[KINDS]);

/* tokenizer_load's part that reads the files of the directory: all of *t but the patterns that added tokens are searched
 * by. BERT_FILE with file and key; tokenizer_free gives back what was loaded, after a failure, too. */
Status pieces_load(Tokenizer *t, const char *directory, CaseChoice choice, Error *e);

/* Is there a piece with a capital letter, other than [CLS] and the like? */
bool vocabulary_has_capitals(const Tokenizer *t);

/* ---------------------------------------------------------------------------------------------------------------------
 * What the files of a directory say about its tokenizer: weights/tokenizer_json.c reads, vocabulary.c decides.
 * ------------------------------------------------------------------------------------------------------------------ */
typedef enum { UNSAID, SAID_NO, SAID_YES } Saying;
enum { TOKEN_BOS, TOKEN_EOS, TOKEN_UNK, TOKEN_SEP, TOKEN_PAD, TOKEN_CLS, TOKEN_MASK, NAMED_TOKENS };
typedef struct {
    const char *directory;
    /* tokenizer_config.json; special_tokens_map.json and added_tokens.json, where it has no added_tokens_decoder */
    bool whole;                     /* the class takes everything from tokenizer.json: PreTrainedTokenizerFast */
    char class_name[64];
    const char *class_file;         /* that says so */
    Saying segments;                /* model_input_names has token_type_ids, or a list without them */
    Saying lower_case, strip_accents, chinese_chars;
    AddedToken named[NAMED_TOKENS]; /* content NULL: not said */
    bool none[NAMED_TOKENS];        /* said to be null */
    const char *none_by[NAMED_TOKENS];      /* by this file */
    AddedList own, extra;           /* other keys that end in _token; extra_special_tokens */
    AddedList additional, map_additional;   /* additional_special_tokens: where there are no extra ones */
    bool in_map;                    /* special_tokens_map.json is being read, where all tokens are special */
    AddedList decoder;              /* added_tokens_decoder, or added_tokens.json */
    bool has_decoder;
    int max_length;
    Saying truncate_left, pad_left;
    bool plain;                     /* split_special_tokens */
    /* tokenizer.json */
    bool has_json;
    AddedList added;
    Saying json_lower, json_strip, json_chinese;
    int cls_id, sep_id;             /* of the template; -1: none */
    int longest_word;
    char unk[LONGEST_ADDED + 1];
} TokenizerFiles;

Status read_tokenizer_config(TokenizerFiles *f, const char *path, Error *e);
/* tokenizer_class of config.json, and nothing else. */
Status read_class_of_config(TokenizerFiles *f, const char *path, Error *e);
Status read_special_tokens_map(TokenizerFiles *f, const char *path, Error *e);
Status read_added_tokens(TokenizerFiles *f, const char *path, Error *e);
/* All of tokenizer.json, its pieces by vocabulary_start and vocabulary_add. */
Status read_tokenizer_json(TokenizerFiles *f, Vocabulary *v, const char *path, Error *e);
void tokenizer_files_free(TokenizerFiles *f);

/* Room for `count` pieces with `bytes` bytes together, whose ids are below `ids`. */
Status vocabulary_start(Vocabulary *v, const char *path, size_t count, size_t ids, size_t bytes, Error *e);
Status vocabulary_add(Vocabulary *v, const char *path, const char *bytes, size_t length, int64_t id, Error *e);

/* added.c */
Status added_append(AddedList *list, const AddedToken *token, Error *e);    /* a copy, with its own content */
AddedToken *added_find(const AddedList *list, const char *content, size_t length);
void added_list_free(AddedList *list);
void added_token_free(AddedToken *token);
/* All tokens into t's vocabulary, with their ids, in the order in which Hugging Face's library adds them. */
Status added_resolve(Tokenizer *t, TokenizerFiles *f, Error *e);
/* The patterns of both lists, sorted. A `normalized` token has its pattern already; another one's is its content. */
Status added_prepare(Tokenizer *t, const char *directory, Error *e);

#endif
