/*
 * The loop that all fibers run on: one for each process, on the main thread.
 *
 * With io/ this is the only place that knows libuv. A callback of libuv runs on
 * the loop's stack and does one thing: it wakes a fiber with fiber_wake().
 */
#ifndef FIBER_LOOP_H
#define FIBER_LOOP_H

#include <uv.h>

#include <postrider/fiber.h>

/* Sets the loop up, runs `main_fiber(argument)` in a first fiber (stack: 256
 * KiB), drives the loop until it returns, tears all down and returns its
 * status. `threads`: size of the thread pool. May be called again later. */
pr_status loop_run(unsigned threads, pr_fiber_fn *main_fiber, void *argument);

/* The libuv loop; only core/fiber and core/io may ask. */
uv_loop_t *loop_uv(void);

/* The running fiber; NULL on the loop's own stack. */
struct pr_fiber *fiber_self(void);
const char *fiber_name(const struct pr_fiber *fiber);

/* Parks the running fiber until fiber_wake, the deadline or cancellation:
 * PR_OK, PR_TIMEOUT, PR_CANCELLED (also at once if it was cancelled before).
 * The caller then undoes what it had armed. */
PR_CHECKED pr_status fiber_park(pr_time deadline);
/* The same, but cancellation does not end it: for what cannot be undone. */
void fiber_park_firmly(void);
/* Makes a parked fiber ready; no effect on one that is not parked, so a late
 * wake-up is harmless but may end a later park early: loops look again. */
void fiber_wake(struct pr_fiber *fiber);

/* Gives the pages below the running fiber's stack pointer back to the system;
 * for fibers about to park for minutes. */
void fiber_trim_stack(void);

/* SIGINT and SIGTERM: cancels `scope` at the first, leaves at once (128 + n) at
 * the third. Until loop_run returns. */
pr_status loop_cancel_on_signals(struct pr_scope *scope);
/* Was one of them caught? Its number, 0 if none. */
int loop_caught_signal(void);

#endif
