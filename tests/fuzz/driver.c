/*
 * Runs a fuzz target over its seeds and over damaged copies of each: what
 * `make check` does with it. The damage is the same at each run. Built for
 * libFuzzer (FUZZ_LIBFUZZER), which brings a main of its own, it is empty.
 *
 * Usage: TARGET [FILE or FOLDER...]; default: the folder SEEDS of the sources.
 * FUZZ_ROUNDS says how many damaged copies of each seed there are.
 */
#include "config.h"

#include "driver.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef FUZZ_LIBFUZZER

#ifndef SEEDS
#define SEEDS "tests/data"
#endif

#define ROUNDS 100
#define SEED_MAX (256 * 1024)

static uint64_t random_state;

/* xorshift64: a number below `end`, which is not 0. */
static size_t draw(size_t end)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % end);
}

/* One octet changed, or a run of octets dropped, doubled or moved. */
static size_t damage(uint8_t *data, size_t size, size_t room)
{
    static const char marks[] = "\r\n\t \"\\()<>[]{}=?;:,-/*%\0\x7f\x80\xff";
    if (size == 0)
        return 0;
    size_t from = draw(size), length = 1 + draw(size - from);
    switch (draw(5)) {
    case 0:
        data[from] = (uint8_t)draw(256);
        return size;
    case 1:
        data[from] = (uint8_t)marks[draw(sizeof marks)];
        return size;
    case 2:
        memmove(data + from, data + from + length, size - from - length);
        return size - length;
    case 3:
        if (length > room - size)
            return size;
        memmove(data + from + length, data + from, size - from);
        return size + length;
    default:
        memmove(data + draw(size - length + 1), data + from, length);
        return size;
    }
}

/* A copy of exactly the size, so that a sanitizer sees each step beyond. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_damaged(const uint8_t *seed, size_t size)
{
    static uint8_t data[2 * SEED_MAX];
    const char *wanted = getenv("FUZZ_ROUNDS");
    long rounds = wanted != NULL ? strtol(wanted, NULL, 10) : ROUNDS;

    random_state = 88172645463325252u;
    for (long i = 0; i < rounds; i++) {
        size_t now = size;
        memcpy(data, seed, size);
        for (size_t n = 1 + draw(4); n > 0; n--)
            now = damage(data, now, sizeof data);
        run(data, now);
    }
}

static int run_file(const char *path)
{
    static uint8_t data[SEED_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, size);
    run_damaged(data, size);
    return 0;
}

static int run_folder(const char *path)
{
    struct dirent **entries;
    int failures = 0, count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        perror(path);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            failures += run_file(name);
        free(entries[i]);
    }
    free(entries);
    return failures;
}

static int run_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return run_folder(path);
    return run_file(path);
}

int main(int argc, char **argv)
{
    char seeds[4096];
    const char *source = getenv("abs_srcdir");
    int failures = 0;

    for (int i = 1; i < argc; i++)
        failures += run_path(argv[i]);
    if (argc > 1)
        return failures != 0;
    snprintf(seeds, sizeof seeds, "%s/%s", source != NULL ? source : ".",
             SEEDS);
    return run_path(seeds) != 0;
}

#endif
