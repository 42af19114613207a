/*
 * What the files of this folder share about a fiber.
 */
#ifndef FIBER_FIBER_H
#define FIBER_FIBER_H

#include <uv.h>

#include "fiber/context.h"
#include "fiber/loop.h"
#include "fiber/stack.h"

enum fiber_state {
    FIBER_READY,   /* in the ready queue */
    FIBER_RUNNING, /* the one whose stack is in use */
    FIBER_PARKED,  /* fiber_wake, its timer or cancellation makes it ready */
    FIBER_ENDED    /* its function returned; without a stack */
};

struct pr_fiber {
    enum fiber_state state;
    pr_status parked_for; /* why it became ready: what the wait returns */
    bool cancelled;
    bool given_up; /* shields count for nothing */
    bool firm;     /* parked so that cancellation does not wake it */
    unsigned shields;

    struct context context;
    struct stack *stack;
    struct pr_failure *failure; /* on the stack: its slot for words */
    const char *name;           /* lent */
    pr_fiber_fn *run;
    void *argument;

    struct pr_scope *scope;
    struct pr_fiber *previous, *next; /* in the scope */
    struct pr_fiber *next_ready;
    struct pr_fiber *next_ended; /* in the list of those to use again */
    struct pr_fiber *next_known; /* in the list of all */
    uv_timer_t timer;            /* its deadline while parked */
};

/* Runs ready fibers for a while. True if some are left: the loop must not
 * block. */
bool fiber_run_ready(void);
/* Closes what fibers keep on the loop; the loop must run once more after it. */
void fiber_close_all(void);

/* fiber_park (firm: fiber_park_firmly) without words for the status. A deadline
 * in the past still lets the others run. */
pr_status fiber_wait(pr_time deadline, bool firm);
/* Gives the end of a wait its words. */
pr_status fiber_wait_words(pr_status status);
/* Asks one fiber to stop. */
void fiber_cancel(struct pr_fiber *fiber);
/* The same in spite of its shields. */
void fiber_give_up(struct pr_fiber *fiber);
/* To the end of the ready queue; returns when the fiber's turn comes. */
void fiber_step_back(void);

void scope_add(struct pr_scope *scope, struct pr_fiber *fiber);
/* For a child that returned `status`; wakes the joiner after the last one. */
void scope_remove(struct pr_scope *scope, struct pr_fiber *fiber,
                  pr_status status);

/* From now on a fiber that runs over the end of its stack says so before the
 * process ends with SIGSEGV; overflow_unwatch() takes that back. */
void overflow_watch(void);
void overflow_unwatch(void);

#endif
