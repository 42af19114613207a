/*
 * The loop: libuv's, with the ready queue of fibers run around its poll.
 *
 * Fibers run in the prepare handle (those that timers woke) and in the check
 * handle (those that I/O woke). While some are left the idle handle is active,
 * and the poll between does not block.
 */
#include "config.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postrider/log.h>

#include "fiber/fiber.h"
#include "fiber/offload.h"

enum { SIGNALS = 3, SIGNALS_TO_LEAVE = 3 };

/* SIGHUP is the last: it is watched only by who hears signals. */
static const int signal_numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static struct {
    bool running;
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    struct pr_scope root; /* of the main fiber alone */
    uv_timer_t leaving;
    pr_time leave_at; /* PR_NEVER: nobody has asked for it */
    int leave_with;
} loop;

static struct {
    int watched; /* handles, the first ones */
    uv_signal_t handles[SIGNALS];
    struct pr_scope *scope;
    bool pending[SIGNALS]; /* for loop_await_signal */
    struct pr_event arrival;
    int caught;
    unsigned count;
} signals;

uv_loop_t *loop_uv(void)
{
    return loop.running ? &loop.uv : NULL;
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle;
}

static void run_fibers(void)
{
    if (fiber_run_ready())
        uv_idle_start(&loop.idle, on_idle);
    else
        uv_idle_stop(&loop.idle);
    if (loop.root.count == 0)
        uv_stop(&loop.uv);
}

static void on_prepare(uv_prepare_t *handle)
{
    (void)handle;
    run_fibers();
}

static void on_check(uv_check_t *handle)
{
    (void)handle;
    run_fibers();
}

/* Not by exit(): what that would wait for may be what hangs. */
static void on_leave(uv_timer_t *timer)
{
    (void)timer;
    if (offload_leave() == 0)
        pr_log(NULL, PR_LOG_ERROR, "not all that runs comes to its end");
    pr_log(NULL, PR_LOG_ERROR,
           "leaving as it stands; the next run takes up what is left");
    _exit(loop.leave_with);
}

void loop_leave_at(pr_time deadline, int exit_status)
{
    uint64_t now = uv_now(&loop.uv);

    assert(loop.running);
    loop.leave_with = exit_status;
    if (deadline >= loop.leave_at)
        return;
    loop.leave_at = deadline;
    uv_timer_start(&loop.leaving, on_leave, deadline > now ? deadline - now : 0,
                   0);
    uv_unref((uv_handle_t *)&loop.leaving);
}

static pr_status loop_open(unsigned threads)
{
    char text[16];
    int error;

    signal(SIGPIPE, SIG_IGN);
    snprintf(text, sizeof text, "%u", threads);
    if (threads > 0)
        setenv("UV_THREADPOOL_SIZE", text, 0);
    error = uv_loop_init(&loop.uv);
    if (error != 0)
        return pr_fail(PR_NOMEM, "cannot make an event loop: %s",
                       uv_strerror(error));
    uv_prepare_init(&loop.uv, &loop.prepare);
    uv_check_init(&loop.uv, &loop.check);
    uv_idle_init(&loop.uv, &loop.idle);
    uv_timer_init(&loop.uv, &loop.leaving);
    loop.leave_at = PR_NEVER;
    uv_prepare_start(&loop.prepare, on_prepare);
    uv_check_start(&loop.check, on_check);
    loop.running = true;
    offload_open();
    overflow_watch();
    memset(&signals, 0, sizeof signals);
    return PR_OK;
}

static void report_open(uv_handle_t *handle, void *argument)
{
    bool *all_closing = argument;

    if (uv_is_closing(handle) || handle == (uv_handle_t *)&loop.leaving)
        return;
    pr_log(NULL, PR_LOG_ERROR, "the loop ends with a %s handle open",
           uv_handle_type_name(uv_handle_get_type(handle)));
    *all_closing = false;
}

static void loop_close(void)
{
    bool all_closing = true;
    int error;

    fiber_close_all();
    for (int i = 0; i < signals.watched; i++)
        uv_close((uv_handle_t *)&signals.handles[i], NULL);
    signals.watched = 0;
    offload_close();
    uv_close((uv_handle_t *)&loop.prepare, NULL);
    uv_close((uv_handle_t *)&loop.check, NULL);
    uv_close((uv_handle_t *)&loop.idle, NULL);
    uv_walk(&loop.uv, report_open, &all_closing);
    assert(all_closing);
    uv_run(&loop.uv, UV_RUN_DEFAULT); /* jobs may hang even now */
    uv_close((uv_handle_t *)&loop.leaving, NULL);
    uv_run(&loop.uv, UV_RUN_DEFAULT);
    error = uv_loop_close(&loop.uv);
    assert(error == 0);
    (void)error;
    overflow_unwatch();
    stack_empty_pool();
    loop.running = false;
}

pr_status loop_run(unsigned threads, pr_fiber_fn *main_fiber, void *argument)
{
    pr_status status;

    assert(!loop.running);
    status = loop_open(threads);
    if (status != PR_OK)
        return status;
    pr_scope_init(&loop.root);
    status = pr_spawn(&loop.root, "main", PR_STACK_RULE, main_fiber, argument);
    if (status == PR_OK) {
        uv_run(&loop.uv, UV_RUN_DEFAULT);
        status = pr_scope_join(&loop.root);
    }
    loop_close();
    return status;
}

static void keep_signal(int number)
{
    for (int i = 0; i < SIGNALS; i++)
        if (signal_numbers[i] == number)
            signals.pending[i] = true;
    pr_event_wake_all(&signals.arrival);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)handle;
    keep_signal(number);
    if (number == SIGHUP)
        return;
    if (signals.caught == 0)
        signals.caught = number;
    signals.count++;
    if (signals.count >= SIGNALS_TO_LEAVE)
        _exit(128 + number);
    if (signals.count == 1 && signals.scope != NULL)
        pr_scope_cancel(signals.scope);
}

/* Watches the first `count` of the signals; those watched already stay so. */
static pr_status watch_signals(int count)
{
    int error = 0;

    assert(loop.running);
    while (signals.watched < count && error == 0) {
        int i = signals.watched;
        error = uv_signal_init(&loop.uv, &signals.handles[i]);
        if (error != 0)
            break;
        signals.watched++;
        error =
            uv_signal_start(&signals.handles[i], on_signal, signal_numbers[i]);
    }
    if (error != 0)
        return pr_fail(PR_IO, "cannot watch for signals: %s",
                       uv_strerror(error));
    return PR_OK;
}

pr_status loop_cancel_on_signals(struct pr_scope *scope)
{
    signals.scope = scope;
    return watch_signals(SIGNALS - 1);
}

pr_status loop_hear_signals(void)
{
    return watch_signals(SIGNALS);
}

pr_status loop_await_signal(pr_time deadline, int *ret_number)
{
    for (;;) {
        for (int i = 0; i < SIGNALS; i++) {
            if (signals.pending[i]) {
                signals.pending[i] = false;
                *ret_number = signal_numbers[i];
                return PR_OK;
            }
        }
        pr_status status = pr_event_wait(&signals.arrival, deadline);
        if (status != PR_OK)
            return status;
    }
}

int loop_caught_signal(void)
{
    return signals.caught;
}

unsigned loop_signal_count(void)
{
    return signals.count;
}
