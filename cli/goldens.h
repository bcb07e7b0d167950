/* goldens.h - the numbers that the documents print, beside ours. */
#ifndef GOLDENS_H
#define GOLDENS_H
#include "weights/weights.h"

/* The documents' example sentence, three times the word `bank`, and where its tokens are. */
extern const char bank_sentence[];
enum { BANK_VAULT = 6, BANK_ROBBER = 10, BANK_RIVER = 19 };

/* BERT_FILE if the sizes say that the model is not bert-base-uncased: the documents' numbers are that one's. */
Status documents_model(const BertConfig *c, const Tokenizer *tokenizer, Error *e);

/* Computes every number that the documents print. Prints those that are not met, or with `every` all of them: the
 * phrase and its heading, printed, computed, difference, verdict; then how many of each verdict. *all_met = false if
 * one is missed. The model must be bert-base-uncased: BERT_FILE if its sizes say that it is not. */
Status goldens(const Bert *model, const Tokenizer *tokenizer, FILE *out, bool every, bool *all_met, Error *e);
#endif
