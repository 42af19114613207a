/*
 * Contexts: what a call must preserve is preserved by a switch.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fiber/context.h"

enum { CONTEXTS = 3, ROUNDS = 1000, STACK = 256 * 1024 };

static struct context home;

struct worker {
    struct context context;
    void *stack;
    uint64_t seed, sum;
    double real;
    bool aligned, done;
};

static void leave(struct worker *worker)
{
    context_switch(&worker->context, &home);
}

/* Keeps more values alive over each switch than there are registers. */
static void mix(struct worker *worker)
{
    uint64_t a = worker->seed, b = a * 3, c = a * 5, d = a * 7, e = a * 11;
    uint64_t f = a * 13, g = a * 17, h = a * 19, i = a * 23, j = a * 29;
    double p = (double)a, q = p / 3, r = p / 5, s = p / 7, t = p / 9;
    double u = p / 11, v = p / 13, w = p / 15, x = p / 17;

    for (int round = 0; round < ROUNDS; round++) {
        a += b ^ j;
        c += d ^ a;
        e += f ^ c;
        g += h ^ e;
        i += j ^ g;
        b += i;
        p += q * 0.5;
        r += s * 0.25 + p;
        t += u * 0.125 + r;
        v += w * 0.5 + x + t;
        if (worker->stack != NULL)
            leave(worker);
    }
    worker->sum = a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j;
    worker->real = p + q + r + s + t + u + v + w + x;
}

static void work(void *argument)
{
    struct worker *worker = argument;
    _Alignas(16) char here[16];
    char text[32];

    context_entered(&home);
    worker->aligned = (uintptr_t)here % 16 == 0;
    /* Libraries trust the alignment of the stack when they move vectors. */
    snprintf(text, sizeof text, "%.3f", 2.5);
    if (strcmp(text, "2.500") != 0)
        worker->aligned = false;
    mix(worker);
    worker->done = true;
    context_leave(&worker->context, &home);
}

static void values_survive_switches(void **state)
{
    struct worker workers[CONTEXTS];
    unsigned left = CONTEXTS;

    (void)state;
    memset(workers, 0, sizeof workers);
    for (unsigned i = 0; i < CONTEXTS; i++) {
        workers[i].seed = 12345 + i;
        workers[i].stack = malloc(STACK);
        assert_non_null(workers[i].stack);
        context_make(&workers[i].context, workers[i].stack, STACK - i * 8, work,
                     &workers[i]);
    }
    while (left > 0)
        for (unsigned i = 0; i < CONTEXTS; i++)
            if (!workers[i].done) {
                context_switch(&home, &workers[i].context);
                left -= workers[i].done ? 1 : 0;
            }
    for (unsigned i = 0; i < CONTEXTS; i++) {
        struct worker alone = {.seed = 12345 + i};

        mix(&alone);
        assert_true(workers[i].aligned);
        assert_true(workers[i].sum == alone.sum);
        assert_memory_equal(&workers[i].real, &alone.real, sizeof alone.real);
        free(workers[i].stack);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_survive_switches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
