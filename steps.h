/* steps.h - where each step stands, for `bert explain`. Written by `make tour`; tests/test_explain.c checks it. */
#ifndef STEPS_H
#define STEPS_H
static const struct { const char *file; int line, function_line; } step_places[] = {
    {"tokenizer.c", 87, 252},  /* 1 */
    {"tokenizer.c", 266, 295},  /* 2 */
    {"tokenizer.c", 306, 360},  /* 3 */
    {"tokenizer.c", 402, 559},  /* 4 */
    {"bert.c", 729, 738},  /* 5 */
    {"bert.c", 753, 759},  /* 6 */
    {"bert.c", 769, 780},  /* 7 */
    {"bert.c", 790, 804},  /* 8 */
    {"bert.c", 822, 829},  /* 9 */
    {"bert.c", 838, 846},  /* 10 */
    {"bert.c", 862, 872},  /* 11 */
    {"bert.c", 889, 897},  /* 12 */
    {"bert.c", 905, 911},  /* 13 */
    {"bert.c", 938, 948},  /* 14 */
    {"bert.c", 969, 980},  /* 15 */
    {"bert.c", 992, 999},  /* 16 */
};
#endif
