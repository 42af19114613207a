/*
 * A stack and the place to go on at: what a fiber is to the processor.
 *
 * On x86-64 and aarch64 a switch is a few instructions (switch.S) and makes no
 * system call; elsewhere ucontext does it, with two. AddressSanitizer is told
 * of each switch. Knows nothing of fibers.
 */
#ifndef FIBER_CONTEXT_H
#define FIBER_CONTEXT_H

#include <stddef.h>

#if (defined __x86_64__ && !defined __ILP32__) || defined __aarch64__
#ifndef CONTEXT_UCONTEXT
#define CONTEXT_ASSEMBLY 1
#endif
#endif
#ifndef CONTEXT_ASSEMBLY
#include <ucontext.h>
#endif

#if defined __SANITIZE_ADDRESS__
#define CONTEXT_ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define CONTEXT_ASAN 1
#endif
#endif

struct context {
#ifdef CONTEXT_ASSEMBLY
    void *stack_pointer;
#else
    ucontext_t machine;
#endif
    const void *stack; /* its lowest octet */
    size_t stack_size;
    void *fake_stack; /* of AddressSanitizer */
};

typedef void context_entry(void *argument);

/* Makes `context` one that calls `entry(argument)` on the stack given when
 * first switched to. `entry` calls context_entered() first and never returns.
 */
void context_make(struct context *context, void *stack, size_t size,
                  context_entry *entry, void *argument);
/* To be called first in an entry: `from` is where the switch came from. */
void context_entered(struct context *from);

/* Leaves `from` and goes on where `to` was left. Returns when something
 * switches back to `from`. */
void context_switch(struct context *from, struct context *to);
/* The same for the last time: nothing will switch back to `from`. */
_Noreturn void context_leave(struct context *from, struct context *to);

#endif
