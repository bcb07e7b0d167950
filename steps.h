/* steps.h - where each step stands, for `bert explain`. Written by `make tour`; tests/test_explain.c checks it. */
#ifndef STEPS_H
#define STEPS_H
static const struct { const char *file; int line, function_line; } step_places[] = {
    {"tokenizer.c", 87, 252},  /* 1 */
    {"tokenizer.c", 266, 295},  /* 2 */
    {"tokenizer.c", 306, 360},  /* 3 */
    {"tokenizer.c", 402, 559},  /* 4 */
    {"bert.c", 731, 740},  /* 5 */
    {"bert.c", 755, 761},  /* 6 */
    {"bert.c", 771, 782},  /* 7 */
    {"bert.c", 800, 814},  /* 8 */
    {"bert.c", 827, 835},  /* 9 */
    {"bert.c", 843, 850},  /* 10 */
    {"bert.c", 859, 869},  /* 11 */
    {"bert.c", 886, 894},  /* 12 */
    {"bert.c", 902, 908},  /* 13 */
    {"bert.c", 938, 948},  /* 14 */
    {"bert.c", 969, 980},  /* 15 */
    {"bert.c", 992, 999},  /* 16 */
};
#endif
