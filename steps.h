/* steps.h - where each step stands, for `bert explain`. Written by `make tour`; tests/test_explain.c checks it. */
#ifndef STEPS_H
#define STEPS_H
static const struct { const char *file; int line; } step_places[] = {
    {"tokenizer.c", 87},  /* 1 */
    {"tokenizer.c", 266},  /* 2 */
    {"tokenizer.c", 306},  /* 3 */
    {"tokenizer.c", 402},  /* 4 */
    {"bert.c", 729},  /* 5 */
    {"bert.c", 753},  /* 6 */
    {"bert.c", 769},  /* 7 */
    {"bert.c", 790},  /* 8 */
    {"bert.c", 822},  /* 9 */
    {"bert.c", 838},  /* 10 */
    {"bert.c", 862},  /* 11 */
    {"bert.c", 889},  /* 12 */
    {"bert.c", 905},  /* 13 */
    {"bert.c", 938},  /* 14 */
    {"bert.c", 969},  /* 15 */
    {"bert.c", 992},  /* 16 */
};
#endif
