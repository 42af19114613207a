/*
 * Allocation that a test can make fail.
 *
 * `countdown` is 0 except in a test that has asked for a failure.
 */
#include "config.h"

#include "base/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

static atomic_ulong countdown;

/* No object is larger than PTRDIFF_MAX, whatever the allocator may think. */
static bool must_fail(size_t size)
{
    unsigned long left = atomic_load_explicit(&countdown, memory_order_relaxed);

    if (size > PTRDIFF_MAX)
        return true;
    while (left != 0)
        if (atomic_compare_exchange_weak(&countdown, &left, left - 1))
            return left == 1;
    return false;
}

void *memory_alloc(size_t size)
{
    return must_fail(size) ? NULL : malloc(size != 0 ? size : 1);
}

void *memory_zeroed(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    if (must_fail(count * size))
        return NULL;
    return count != 0 && size != 0 ? calloc(count, size) : calloc(1, 1);
}

void *memory_realloc(void *memory, size_t size)
{
    return must_fail(size) ? NULL : realloc(memory, size != 0 ? size : 1);
}

char *memory_text(const char *text)
{
    return must_fail(0) ? NULL : strdup(text);
}

void memory_free(void *memory)
{
    free(memory);
}

void memory_fail_at(unsigned long n)
{
    atomic_store(&countdown, n);
}

bool memory_fail_pending(void)
{
    return atomic_load(&countdown) != 0;
}

/* ---- The whole of it ----------------------------------------------------- */

/* Else each lookup of a name has one of its own, and keeps its pages. */
#define HEAPS_MOST 2

void memory_share_heaps(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, HEAPS_MOST);
#endif
}

void memory_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
