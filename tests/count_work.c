/* count_work.c - is the tokenizer's work linear? Counts it, for texts of 1, 2, 4 ... MB.
 *
 * tokenizer.c and vocabulary.c are compiled with -fsanitize-coverage=trace-pc: before each run of instructions without
 * a jump, the compiler calls __sanitizer_cov_trace_pc, which counts here. So the numbers are the same on each run and
 * on a busy machine. What libc does is not seen: copies of arrays that double, which are linear by themselves.
 *
 *     count_work DIRECTORY                exit 1 if twice the text takes 2.3 times the work somewhere */
#include "weights/weights.h"

#include <stdlib.h>
#include <string.h>

static unsigned long long work;
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    work++;
}

/* Lines without an end, words without an end, and the worst that is known for each step. */
static const struct { const char *name, *unit; size_t smallest, largest; } texts[] = {
    {"a line of words", "The embeddings of a river bank, and characteristically more. ", 1 << 20, 64 << 20},
    {"a line of Greek and Hindi", "\316\237\316\224\316\237\316\243 \340\244\250\340\244\256 ", 1 << 16, 4 << 20},
    {"one word", "a", 1 << 16, 16 << 20},
    {"one word with accents", "\303\251", 1 << 16, 4 << 20},
    {"words of 99 characters", "qzjxkvbwmqzjxkvbwmqzjxkvbwmqzjxkvbwmqzjxkvbwmqzjxkvbwmqzjxkvbwm"
     "qzjxkvbwmqzjxkvbwmqzjxkvbwmqzjxkvbwm ",
     1 << 16, 2 << 20},
    {"one run of marks to sort", "\360\236\245\212\314\201\360\236\245\204", 1 << 16, 4 << 20},
    {"punctuation", ".", 1 << 16, 4 << 20},
    {"what begins as [MASK]", "[MASK", 1 << 16, 4 << 20},
    {"special tokens", "[MASK]", 1 << 16, 4 << 20},
    {"ideographs", "\344\270\255", 1 << 16, 4 << 20},
    {"what is deleted", "\342\200\213", 1 << 16, 4 << 20},
};

/* The work that the first `size` bytes of unit, unit, ... take, cut after the last whole unit. */
static unsigned long long work_for(const Tokenizer *t, const char *unit, size_t size)
{
    const EncodeOptions options = {.segments = -1};
    size_t length = strlen(unit), n = size / length;
    char *bytes = malloc(size);
    Encoding x = {0};
    Error e;
    if (!bytes) exit(BERT_SYSTEM);
    for (size_t i = 0; i < n; i++) memcpy(bytes + i * length, unit, length);
    work = 0;
    if (encode(t, (Text){bytes, n * length}, NULL, &options, &x, &e)) {
        fprintf(stderr, "count_work: %s\n", e.message);
        exit(e.status);
    }
    unsigned long long counted = work;
    encoding_free(&x);
    free(bytes);
    return counted;
}

/* One text, doubled again and again: the largest ratio of two neighbours. */
static double largest_ratio(const Tokenizer *t, size_t i)
{
    double largest = 0, first = 0, last = 0;
    unsigned long long before = 0;
    for (size_t size = texts[i].smallest; size <= texts[i].largest; size *= 2) {
        unsigned long long now = work_for(t, texts[i].unit, size);
        double ratio = before ? (double)now / (double)before : 0;
        if (ratio > largest) largest = ratio;
        if (!before) first = (double)now / (double)size;
        last = (double)now / (double)size;
        before = now;
    }
    printf("%-28s%9zu KB%9.2f%11zu KB%9.2f%14.3f\n", texts[i].name, texts[i].smallest >> 10, first,
           texts[i].largest >> 10, last, largest);
    return largest;
}

int main(int argc, char **argv)
{
    Tokenizer t;
    Error e;
    double worst = 0;
    if (argc != 2) return BERT_USAGE;
    if (tokenizer_load(&t, argv[1], CASE_UNCASED, &e)) {
        fprintf(stderr, "count_work: %s\n", e.message);
        return e.status;
    }
    printf("%-28s%12s%9s%14s%9s%14s\n", "work per byte", "from", "", "to", "", "when doubled");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double ratio = largest_ratio(&t, i);
        if (ratio > worst) worst = ratio;
    }
    tokenizer_free(&t);
    printf("twice the text takes at most %.3f times the work (2.3 is allowed)\n", worst);
    return worst < 2.3 && worst > 0 ? BERT_OK : BERT_DIFFERENT;
}
