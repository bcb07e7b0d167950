/* steps.h - where each step stands, for `bert explain`. Written by `make tour`; tests/test_explain.c checks it. */
#ifndef STEPS_H
#define STEPS_H
static const struct { const char *file; int line; } step_places[] = {
    {"tokenizer.c", 87},  /* 1 */
    {"tokenizer.c", 266},  /* 2 */
    {"tokenizer.c", 306},  /* 3 */
    {"tokenizer.c", 401},  /* 4 */
    {"bert.c", 723},  /* 5 */
    {"bert.c", 747},  /* 6 */
    {"bert.c", 763},  /* 7 */
    {"bert.c", 784},  /* 8 */
    {"bert.c", 816},  /* 9 */
    {"bert.c", 832},  /* 10 */
    {"bert.c", 856},  /* 11 */
    {"bert.c", 883},  /* 12 */
    {"bert.c", 899},  /* 13 */
    {"bert.c", 932},  /* 14 */
    {"bert.c", 963},  /* 15 */
    {"bert.c", 986},  /* 16 */
};
#endif
