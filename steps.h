/* steps.h - where each step stands, for `bert explain`. Written by `make tour`; tests/test_explain.c checks it. */
#ifndef STEPS_H
#define STEPS_H
static const struct { const char *file; int line, function_line; } step_places[] = {
    {"tokenizer.c", 87, 252},  /* 1 */
    {"tokenizer.c", 266, 295},  /* 2 */
    {"tokenizer.c", 306, 360},  /* 3 */
    {"tokenizer.c", 402, 559},  /* 4 */
    {"bert.c", 730, 739},  /* 5 */
    {"bert.c", 754, 760},  /* 6 */
    {"bert.c", 770, 781},  /* 7 */
    {"bert.c", 799, 813},  /* 8 */
    {"bert.c", 826, 834},  /* 9 */
    {"bert.c", 842, 849},  /* 10 */
    {"bert.c", 858, 868},  /* 11 */
    {"bert.c", 885, 893},  /* 12 */
    {"bert.c", 901, 907},  /* 13 */
    {"bert.c", 937, 947},  /* 14 */
    {"bert.c", 968, 979},  /* 15 */
    {"bert.c", 991, 998},  /* 16 */
};
#endif
