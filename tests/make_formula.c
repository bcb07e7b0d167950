/* make_formula.c - writes a formula model (formula.c) into a directory:  build/formula tiny DIRECTORY */
#include "formula.h"
#include <sys/stat.h>

int main(int argc, char **argv)
{
    Error e;
    if (argc != 3) return fprintf(stderr, "usage: formula tiny|odd|small DIRECTORY\n"), BERT_USAGE;
    mkdir(argv[2], 0777);
    Status s = formula_model(argv[2], argv[1], &e);
    if (s) fprintf(stderr, "formula: %s\n", e.message);
    return s;
}
