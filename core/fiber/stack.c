/*
 * Stacks for fibers: mapped memory above a guard, pooled.
 *
 * From low to high: guard, stack, struct stack. The guard is 64 KiB wide, so
 * that a function with large arrays does not step over it. The pool is a list
 * of POOL_MAX stacks at most, the last used first; a pooled stack keeps the
 * pages that a fiber surely needs and gives back what a deeper one touched.
 *
 * Two mappings go with each stack: beyond some 30,000 fibers the system's
 * vm.max_map_count is what ends.
 */
#include "config.h"

#include "fiber/stack.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <postrider/status.h>

#include "fiber/context.h"

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif
#ifdef CONTEXT_ASAN
#include <sanitizer/asan_interface.h>
#endif

#ifndef MAP_STACK
#define MAP_STACK 0
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

enum {
    GUARD = 64 * 1024,
    POOL_MAX = 64,
    POOLED_KEEPS = 32 * 1024,
    FIRST_FRAMES = 2048,
#ifdef CONTEXT_ASAN
    GROWTH = 4 /* red zones make frames larger */
#else
    GROWTH = 1
#endif
};

static struct stack *pool;
static size_t pooled;

static size_t page_size(void)
{
    static size_t size;

    if (size == 0)
        size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
}

/* Octets to map above the guard for a stack of `size`; 0 if that is absurd. */
static size_t mapped_size(size_t size)
{
    size_t page = page_size();

    if (size > SIZE_MAX / 16)
        return 0;
    return (size * GROWTH + page - 1) / page * page;
}

static struct stack *stack_map(size_t size)
{
    char *all =
        mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    struct stack *stack;

    if (all == MAP_FAILED)
        return NULL;
    if (mprotect(all, GUARD, PROT_NONE) != 0) {
        munmap(all, GUARD + size);
        return NULL;
    }
    stack = (struct stack *)(all + GUARD + size) - 1;
    stack->next = NULL;
    stack->memory = all + GUARD;
    stack->size = (size_t)((char *)stack - stack->memory);
    stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->memory, stack);
    return stack;
}

static void stack_unmap(struct stack *stack)
{
    size_t size = stack->size + sizeof *stack;

    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
    munmap(stack->memory - GUARD, GUARD + size);
}

static struct stack *stack_from_pool(size_t mapped)
{
    struct stack **link = &pool;

    for (; *link != NULL; link = &(*link)->next) {
        struct stack *stack = *link;

        if (stack->size + sizeof *stack != mapped)
            continue;
        *link = stack->next;
        stack->next = NULL;
        pooled--;
        return stack;
    }
    return NULL;
}

struct stack *stack_take(size_t size)
{
    size_t mapped = mapped_size(size);
    struct stack *stack = NULL;

    if (mapped != 0)
        stack = stack_from_pool(mapped);
    if (stack == NULL && mapped != 0)
        stack = stack_map(mapped);
    if (stack == NULL)
        pr_fail(PR_NOMEM, "no memory for a stack of %zu octets", size);
    return stack;
}

void stack_give(struct stack *stack)
{
#ifdef CONTEXT_ASAN
    /* The frame left behind, the outermost, never returned. */
    __asan_unpoison_memory_region((char *)stack - FIRST_FRAMES, FIRST_FRAMES);
#endif
    if (pooled == POOL_MAX) {
        stack_unmap(stack);
        return;
    }
    if (stack->size > POOLED_KEEPS)
        stack_trim(stack, (char *)stack - POOLED_KEEPS);
    stack->next = pool;
    pool = stack;
    pooled++;
}

void stack_trim(struct stack *stack, const void *limit)
{
    size_t below = (size_t)((const char *)limit - stack->memory);
    size_t whole = below / page_size() * page_size();

    if (whole > 0)
        madvise(stack->memory, whole, MADV_DONTNEED);
}

bool stack_guards(const struct stack *stack, const void *address)
{
    const char *at = address;

    return at < stack->memory && stack->memory - at <= GUARD;
}

void stack_empty_pool(void)
{
    struct stack *stack;

    while ((stack = pool) != NULL) {
        pool = stack->next;
        stack_unmap(stack);
    }
    pooled = 0;
}
