/*
 * Allocation that a test can make fail.
 *
 * Code that promises PR_NOMEM allocates through these, so that a sweep can fail
 * its first, second, third ... allocation and see that each is survived. Any
 * thread may call them.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* As malloc, realloc and free; memory_zeroed is calloc's work: `count` things
 * of `size` octets, NULL when that overflows. NULL means out of memory; the
 * caller says so with pr_fail(). */
void *memory_alloc(size_t size);
void *memory_zeroed(size_t count, size_t size);
void *memory_realloc(void *memory, size_t size);
char *memory_text(const char *text); /* as strdup */
void memory_free(void *memory);

/* For a process with many threads that do little: they share a few heaps. To be
 * called before there are threads. */
void memory_share_heaps(void);
/* Gives what is free back to the system. The allocator looks at all it has,
 * some ms for a hundred MB: to be called seldom. */
void memory_trim(void);

/* Makes the n-th allocation from now fail, once; 0 takes that back. */
void memory_fail_at(unsigned long n);
/* Is the failure asked for still to come? A sweep ends when it is. */
bool memory_fail_pending(void);

#endif
