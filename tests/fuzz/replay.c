/* replay.c - runs a fuzz target on the files that are named, or on all files of the directories that are named, once
 * each: the corpus as a test, for compilers without libFuzzer and for valgrind. */
#include "fuzz.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Only a mutator calls it, and here nothing is mutated. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data, (void)max_size;
    return size;
}

/* A target may have it. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

static int count;

static void replay_file(const char *path)
{
    FileView file;
    Error e;
    if (file_open(&file, path, &e)) {
        fprintf(stderr, "replay: %s\n", e.message);
        exit(BERT_FILE);
    }
    uint8_t *exact = fuzz_copy(file.data, file.size);
    size_t size = file.size;
    file_close(&file);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    count++;
}

/* In the order of their names, so that two runs are the same. */
static void replay(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        replay_file(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') replay_file(file);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) replay(argv[i]);
    fprintf(stderr, "%s: %d inputs\n", strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], count);
    return count == 0;
}
