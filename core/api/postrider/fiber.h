/*
 * Fibers: straight-line code that waits without blocking.
 *
 * All fibers run on one thread, one at a time, and change over only inside a
 * call that says it waits. Data shared by fibers needs no lock, but may have
 * changed after every wait. A wait ends with PR_OK, with PR_TIMEOUT at its
 * deadline, or with PR_CANCELLED once the fiber was asked to stop: the fiber
 * then unwinds by returning.
 *
 * Children belong to a scope and are joined when it ends: no fiber outlives
 * what started it.
 */
#ifndef POSTRIDER_FIBER_H
#define POSTRIDER_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postrider/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Milliseconds of a clock that never jumps and stands still in suspend. */
typedef uint64_t pr_time;
#define PR_NEVER UINT64_MAX

PR_API pr_time pr_now(void);
/* pr_now() + ms, without overflow. */
PR_API pr_time pr_in(uint64_t ms);

typedef pr_status pr_fiber_fn(void *argument);

/* Stack sizes, in octets, for sessions (a TLS handshake takes 12 KiB) and for
 * rules (Lua's own limit on recursion through C lets it take 404 KiB; a C
 * function that calls back into Lua keeps its frame below 2 KiB). Only touched
 * pages take memory. Running over the end of a stack ends the process: put
 * large arrays elsewhere, and bound recursion over what the network sends. */
#define PR_STACK_SESSION (64 * 1024)
#define PR_STACK_RULE (1024 * 1024)

/* A family of fibers. Initialise with pr_scope_init, end with pr_scope_join.
 * Lives on the stack or inside the object of the fiber that made it. */
struct pr_scope {
    struct pr_fiber *children;
    struct pr_fiber *joiner;
    size_t count;
    bool cancelled, given_up;
    /* Of the first child that did not return PR_OK; PR_CANCELLED gives way to
     * what another child says. */
    pr_status first_failure;
    struct pr_failure *words; /* its words, freed by pr_scope_join */
};

PR_API void pr_scope_init(struct pr_scope *scope);
/* Starts a fiber; it first runs when the caller waits. `name` is lent for the
 * fiber's life. A child of a cancelled scope is cancelled from its start.
 * PR_NOMEM. */
PR_API PR_CHECKED pr_status pr_spawn(struct pr_scope *scope, const char *name,
                                     size_t stack, pr_fiber_fn *run,
                                     void *argument);
/* Waits for every child, even if the caller is cancelled (which it passes on to
 * the children). Returns the first failure of a child, with the child's words.
 * The scope is then as after pr_scope_init. */
PR_API pr_status pr_scope_join(struct pr_scope *scope);
/* Asks every child to stop, and those spawned until the scope was joined; does
 * not wait. From then on every wait of such a child returns PR_CANCELLED at
 * once, save inside a shield. */
PR_API void pr_scope_cancel(struct pr_scope *scope);
/* The same, and shields protect these fibers no longer: for what hangs in one
 * beyond all the time it was given. A child passes it on to its own children
 * when it joins them. Jobs of pr_offload are waited for all the same. */
PR_API void pr_scope_give_up(struct pr_scope *scope);

/* Lets the others run, however short it is. */
PR_API PR_CHECKED pr_status pr_sleep(uint64_t ms);
/* Lets the others run; PR_CANCELLED if asked to stop. */
PR_API PR_CHECKED pr_status pr_yield(void);
/* Has this fiber been asked to stop? Inside a shield: was it given up? Never
 * waits. */
PR_API bool pr_is_cancelled(void);

/* Between these two calls the fiber does not see that it was asked to stop: for
 * what must be brought to its end (finish a commit, log out). Deadlines count
 * as ever: give each wait one. Else only pr_scope_give_up ends a wait here,
 * with PR_CANCELLED, and so every wait after it: what loops over a wait looks
 * at its status here, too. Shields nest. Children have no part in the shield of
 * who spawned them. */
PR_API void pr_shield_begin(void);
PR_API void pr_shield_end(void);

/* Runs `job(argument)` on the thread pool and waits for its end. The wait
 * cannot be cancelled: the job may use the caller's memory. The job touches
 * only what it was handed, may call pr_fail(), and must not wait. */
PR_API pr_status pr_offload(pr_fiber_fn *job, void *argument);

/* Something fibers wait for: a condition of theirs may have changed.
 * Zeroed memory is an event without waiters. */
struct pr_event {
    struct pr_waiter *first, *last;
};

/* Waits for the next pr_event_wake*. Look at the condition again after it. A
 * wake-up is never lost on a waiter whose deadline passes, or that is
 * cancelled, at the same time: that one returns PR_OK. */
PR_API PR_CHECKED pr_status pr_event_wait(struct pr_event *event,
                                          pr_time deadline);
PR_API void pr_event_wake_one(struct pr_event *event);
PR_API void pr_event_wake_all(struct pr_event *event);

/* A count of free places, first come first served.
 * {.free = n} is a semaphore with n places. */
struct pr_semaphore {
    size_t free;
    struct pr_event queue;
};

/* What was taken is the caller's to give back; nothing is held if this fails. A
 * taker waits behind those that came first, even if what it wants is free. */
PR_API PR_CHECKED pr_status pr_semaphore_take(struct pr_semaphore *semaphore,
                                              size_t places, pr_time deadline);
PR_API void pr_semaphore_give(struct pr_semaphore *semaphore, size_t places);

#ifdef __cplusplus
}
#endif
#endif
