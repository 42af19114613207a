/*
 * Making and switching contexts, with what AddressSanitizer must be told.
 *
 * The context of the loop's own stack learns its bounds at its first switch
 * away (context_entered): nobody else knows them.
 */
#include "config.h"

#include "fiber/context.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef CONTEXT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

static void announce(void **ret_fake_stack, const struct context *to)
{
#ifdef CONTEXT_ASAN
    __sanitizer_start_switch_fiber(ret_fake_stack, to->stack, to->stack_size);
#else
    (void)ret_fake_stack;
    (void)to;
#endif
}

/* We are on a stack again: `mine` is its fake stack; `left` learns its bounds.
 */
static void arrived(void *mine, struct context *left)
{
#ifdef CONTEXT_ASAN
    const void *stack;
    size_t size;

    __sanitizer_finish_switch_fiber(mine, &stack, &size);
    if (left != NULL) {
        left->stack = stack;
        left->stack_size = size;
    }
#else
    (void)mine;
    (void)left;
#endif
}

void context_entered(struct context *from)
{
    arrived(NULL, from);
}

#ifdef CONTEXT_ASSEMBLY

/* switch.S */
__attribute__((visibility("hidden"))) void
context_swap(void **ret_stack_pointer, void *stack_pointer);
__attribute__((visibility("hidden"))) void context_begin(void);

#if defined __x86_64__
/* As context_swap leaves a stack: control words, six registers, return. */
enum {
    WORDS = 8,
    ARGUMENT = 4, /* r12 */
    ENTRY = 3,    /* r13 */
    RETURN = 7
};
#else
/* x19 to x30, d8 to d15. */
enum {
    WORDS = 20,
    ARGUMENT = 0, /* x19 */
    ENTRY = 1,    /* x20 */
    RETURN = 11   /* x30 */
};
#endif

void context_make(struct context *context, void *stack, size_t size,
                  context_entry *entry, void *argument)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    uintptr_t *frame = (uintptr_t *)(top - 16) - WORDS;

    memset(frame, 0, (WORDS + 2) * sizeof *frame);
#if defined __x86_64__
    /* MXCSR and the x87 control word, as the ABI has them at a start. */
    frame[0] = 0x1f80u | (uintptr_t)0x037f << 32;
#endif
    frame[ARGUMENT] = (uintptr_t)argument;
    frame[ENTRY] = (uintptr_t)entry;
    frame[RETURN] = (uintptr_t)context_begin;
    *context = (struct context){frame, stack, size, NULL};
}

void context_switch(struct context *from, struct context *to)
{
    announce(&from->fake_stack, to);
    context_swap(&from->stack_pointer, to->stack_pointer);
    arrived(from->fake_stack, NULL);
}

_Noreturn void context_leave(struct context *from, struct context *to)
{
    announce(NULL, to); /* frees the fake stack */
    context_swap(&from->stack_pointer, to->stack_pointer);
    abort();
}

#else

/* makecontext() hands over ints only: a pointer goes in two. */
static void begin(unsigned entry_high, unsigned entry_low,
                  unsigned argument_high, unsigned argument_low)
{
    uint64_t entry = (uint64_t)entry_high << 32 | entry_low;
    uint64_t argument = (uint64_t)argument_high << 32 | argument_low;

    ((context_entry *)(uintptr_t)entry)((void *)(uintptr_t)argument);
    abort();
}

void context_make(struct context *context, void *stack, size_t size,
                  context_entry *entry, void *argument)
{
    uint64_t e = (uintptr_t)entry, a = (uintptr_t)argument;

    memset(context, 0, sizeof *context);
    context->stack = stack;
    context->stack_size = size;
    getcontext(&context->machine);
    context->machine.uc_stack.ss_sp = stack;
    context->machine.uc_stack.ss_size = size;
    context->machine.uc_link = NULL;
    makecontext(&context->machine, (void (*)(void))begin, 4,
                (unsigned)(e >> 32), (unsigned)e, (unsigned)(a >> 32),
                (unsigned)a);
}

void context_switch(struct context *from, struct context *to)
{
    announce(&from->fake_stack, to);
    if (swapcontext(&from->machine, &to->machine) != 0)
        abort();
    arrived(from->fake_stack, NULL);
}

_Noreturn void context_leave(struct context *from, struct context *to)
{
    (void)from;
    announce(NULL, to);
    setcontext(&to->machine);
    abort();
}

#endif
