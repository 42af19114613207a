/*
 * The loop that all fibers run on: one for each process, on the main thread.
 *
 * With io/ this is the only place that knows libuv. A callback of libuv runs on
 * the loop's stack and does one thing: it wakes a fiber with fiber_wake().
 */
#ifndef FIBER_LOOP_H
#define FIBER_LOOP_H

#include <postrider/fiber.h>

struct uv_loop_s;

/* Sets the loop up, runs `main_fiber(argument)` in a first fiber
 * (PR_STACK_RULE), drives the loop until it returns, tears all down and returns
 * its status. `threads`: size of the thread pool, unless $UV_THREADPOOL_SIZE
 * says it or the pool was used before. SIGPIPE is ignored from then on.
 * Whatever was opened on the loop must be closed when main_fiber returns
 * (uv_close() called). May be called again later. */
pr_status loop_run(unsigned threads, pr_fiber_fn *main_fiber, void *argument);

/* The libuv loop, NULL when none runs; only core/fiber and core/io may ask. */
struct uv_loop_s *loop_uv(void);

/* The running fiber; NULL on the loop's own stack. */
struct pr_fiber *fiber_self(void);
const char *fiber_name(const struct pr_fiber *fiber);

/* Parks the running fiber until fiber_wake, the deadline or cancellation:
 * PR_OK, PR_TIMEOUT, PR_CANCELLED (also at once if it was cancelled before, or
 * the deadline is past: PR_CANCELLED goes first). The caller then undoes what
 * it had armed, and looks at what it waited for before it believes a
 * PR_TIMEOUT: both may have come in one turn of the loop. */
PR_CHECKED pr_status fiber_park(pr_time deadline);
/* The same, but cancellation does not end it: for what cannot be undone. */
void fiber_park_firmly(void);
/* The same, but the deadline ends it: PR_OK or PR_TIMEOUT. */
PR_CHECKED pr_status fiber_park_firmly_until(pr_time deadline);
/* pr_event_wait for memory that another fiber is about to let go of: neither
 * cancellation nor pr_scope_give_up ends it. PR_OK or PR_TIMEOUT. */
PR_CHECKED pr_status event_wait_firmly(struct pr_event *event,
                                       pr_time deadline);
/* Makes a parked fiber ready; it runs after the caller waits or returns to the
 * loop. No effect on one that is not parked or has ended (until loop_run
 * returns), so a late wake-up is harmless but may end a later park early: loops
 * look again. Only on the loop's thread. */
void fiber_wake(struct pr_fiber *fiber);

/* Gives the pages below the running fiber's stack pointer back to the system;
 * for fibers about to park for minutes. */
void fiber_trim_stack(void);

/* SIGINT and SIGTERM: cancels `scope` at the first, leaves at once (128 + n) at
 * the third. Until loop_run returns, or another scope or NULL takes its place:
 * to be done before the scope goes away. */
PR_CHECKED pr_status loop_cancel_on_signals(struct pr_scope *scope);
/* Was one of them caught since loop_run began? Its number, 0 if none. */
int loop_caught_signal(void);
/* How many of them were. */
unsigned loop_signal_count(void);

/* For an end that was promised: a job on the pool may hang on a disk, and
 * nothing ends that. If loop_run has not returned at `deadline`, what is left
 * is logged, a line for each job, and the process leaves by _exit(exit_status).
 * Of several calls the first deadline counts. */
void loop_leave_at(pr_time deadline, int exit_status);

/* For what runs until told to stop: from now on SIGINT, SIGTERM and SIGHUP are
 * kept for loop_await_signal, until loop_run returns. A third SIGINT or SIGTERM
 * still leaves at once (128 + n). */
PR_CHECKED pr_status loop_hear_signals(void);
/* The next of them, SIGINT and SIGTERM first; two of a kind that come before
 * they are asked for count once. For one fiber. PR_TIMEOUT, PR_CANCELLED. */
PR_CHECKED pr_status loop_await_signal(pr_time deadline, int *ret_number);

#endif
