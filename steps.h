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
    {"bert.c", 802, 816},  /* 8 */
    {"bert.c", 829, 837},  /* 9 */
    {"bert.c", 845, 852},  /* 10 */
    {"bert.c", 861, 871},  /* 11 */
    {"bert.c", 888, 896},  /* 12 */
    {"bert.c", 907, 913},  /* 13 */
    {"bert.c", 944, 954},  /* 14 */
    {"bert.c", 975, 986},  /* 15 */
    {"bert.c", 998, 1005},  /* 16 */
};
#endif
