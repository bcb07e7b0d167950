/* formula.h - tiny BERT models whose weights are a formula: the C twin of tests/golden/formula.py, which
 * explains it. */
#ifndef FORMULA_H
#define FORMULA_H
#include "weights/weights.h"

/* Writes config.json, vocab.txt and model.safetensors of the model `kind` into an existing directory: "tiny" or "odd",
 * or "small" (280 numbers), for the fuzz targets. BERT_USAGE if there is no such kind. */
Status formula_model(const char *directory, const char *kind, Error *e);

/* Element i of the tensor of that name (Hugging Face's, without `bert.`) before scaling: uniform in [-0.5, 0.5),
 * exact. */
float formula_value(const char *name, size_t i);

/* Makes a new empty directory for a test and writes its path; removes the one that holds a formula model, and nothing
 * else; how many were made and are still there: run.c asks that after every test. */
bool formula_directory(char path[256]);
void formula_remove(const char *path);
int formula_directories(void);
#endif
