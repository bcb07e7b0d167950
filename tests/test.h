/* test.h - the whole test harness, with run.c. A test is a function; its name is a sentence of the specification. */
#ifndef TEST_H
#define TEST_H
#include "verify/verify.h"

typedef struct {
    const char *name;
    void (*run)(void);
} Test;

/* One list per file, each ended by {NULL, NULL}; run.c runs them in the order of the data. */
extern const Test weights_tests[], tokenizer_tests[], tensor_tests[], model_tests[], bits_tests[], golden_tests[],
                  value_tests[], verify_tests[], cli_tests[], explain_tests[], output_tests[],
                  mistake_tests[], habit_tests[], measure_tests[], sentence_tests[], compare_tests[], files_tests[],
                  readme_tests[], bring_tests[],
                  torch_tests[], report_tests[], head_tests[], span_tests[], tag_answer_tests[],
                  learn_tests[], gradients_tests[], train_tests[], train_task_tests[], train_care_tests[],
                  teacher_tests[], transcript_tests[];

/* Fails the running test unless `ok`; the sentence (printf rules) says what was expected. Returns ok. */
bool check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* All n elements: |got - want| <= tolerance; NaN on either side fails; the largest difference and its place are
 * printed. */
bool check_close(const char *what, const real *got, const double *want, size_t n, double tolerance);
bool check_value(const char *what, double got, double want, double tolerance);
bool check_text(const char *what, const char *got, const char *want);
/* Ends the running test as skipped (return right after it), with the reason; SKIPS_FAIL=1 counts it as failed. */
extern bool ties_turned;            /* qsort turns the order of equal ones round; a test may want both orders */
void skip(const char *why);
/* Whether weights/NAME can be used: it is there, and FORMULA=1 (make check) does not leave it out. If not, the running
 * test ends as skipped. */
bool real_weights(const char *name);
/* A record of what many runs say, each under its title, held against a committed file by check_record;
 * NEW_TRANSCRIPT=1 writes the file anew. `directory` stands there as @; a level of -100 dB or less, which is rounding, and
 * which other libraries' exp and tanh have otherwise, as -1xx dB. */
void record(const char *title, const char *text, const char *directory);
void check_record(const char *path);
void end_record(const char *test);  /* what a test has recorded and not checked: its section of golden/refusals.txt */
/* Whether there is a test of that name. */
bool test_exists(const char *name);
/* For the first line of a test of more than half a second: true if FORMULA=1 leaves it out; the test then returns. */
bool too_slow(void);
#endif
