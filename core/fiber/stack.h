/*
 * Stacks for fibers: mapped memory above a guard, pooled.
 *
 * Running over the end of a stack meets the guard and ends the process with
 * SIGSEGV rather than damage another fiber.
 */
#ifndef FIBER_STACK_H
#define FIBER_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct stack {
    struct stack *next; /* in the pool */
    char *memory;       /* the lowest octet above the guard */
    size_t size;
    unsigned valgrind_id;
};

/* A stack of at least `size` octets; NULL is PR_NOMEM, already said. Lives at
 * the top of its own memory: `size` is what is below that. */
struct stack *stack_take(size_t size);
/* Back to the pool, or to the system if the pool is full. */
void stack_give(struct stack *stack);
/* Gives the pages below `limit`, an address in the stack, to the system. */
void stack_trim(struct stack *stack, const void *limit);
/* Is `address` in the guard, where running over the end leads? */
bool stack_guards(const struct stack *stack, const void *address);
/* Gives all of the pool to the system. */
void stack_empty_pool(void);

#endif
