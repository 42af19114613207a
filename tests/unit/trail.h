/*
 * What the tests of fibers share: a loop to run in, a trail to leave.
 */
#ifndef UNIT_TRAIL_H
#define UNIT_TRAIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fiber/loop.h"

/* What the fibers of a test did, in order: one letter each. */
static char trail[256];

/* An argument that the fiber only reads. */
static inline void *lent(const void *thing)
{
    return (void *)(uintptr_t)thing;
}

static inline void step(char letter)
{
    size_t length = strlen(trail);

    assert_true(length < sizeof trail - 1);
    trail[length] = letter;
    trail[length + 1] = '\0';
}

/* Runs `body` as the main fiber and wants it to return PR_OK. */
static inline void run(pr_fiber_fn *body)
{
    trail[0] = '\0';
    assert_int_equal(loop_run(4, body, NULL), PR_OK);
}

#endif
