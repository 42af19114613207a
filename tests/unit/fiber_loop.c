/*
 * The loop: turns, many fibers, stacks, signals.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "base/memory.h"
#include "fiber/context.h"
#include "trail.h"

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* Turns of the loop. */

static bool stop_spinning;
static unsigned long spins;

static pr_status spin(void *argument)
{
    (void)argument;
    while (!stop_spinning) {
        spins++;
        if (pr_yield() != PR_OK)
            break;
    }
    return PR_OK;
}

static pr_status nothing_to_do(void *argument)
{
    (void)argument;
    return PR_OK;
}

static pr_status spin_beside_io(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    stop_spinning = false;
    spins = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            pr_spawn(&scope, "spinner", PR_STACK_SESSION, spin, NULL), PR_OK);
    assert_int_equal(pr_sleep(3), PR_OK);
    assert_int_equal(pr_offload(nothing_to_do, NULL), PR_OK);
    stop_spinning = true;
    assert_true(spins > 0);
    return pr_scope_join(&scope);
}

static void busy_fibers_leave_timers_and_jobs_their_turn(void **state)
{
    (void)state;
    run(spin_beside_io);
}

static pr_status many_yields(void *argument)
{
    int left = *(const int *)argument;

    while (left-- > 0)
        if (pr_yield() != PR_OK)
            return PR_BUG;
    return PR_OK;
}

static pr_status time_switches(void *argument)
{
    int yields = 200000;
    struct pr_scope scope;
    uint64_t start, taken;

    (void)argument;
    pr_scope_init(&scope);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            pr_spawn(&scope, "switch", PR_STACK_SESSION, many_yields, &yields),
            PR_OK);
    start = uv_hrtime();
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    taken = uv_hrtime() - start;
    /* A yield goes to the loop's stack and back. */
    print_message("a switch takes %.1f ns\n",
                  (double)taken / (4.0 * (double)yields));
    return PR_OK;
}

static void switches_are_timed(void **state)
{
    (void)state;
    run(time_switches);
}

/* Many fibers. */

static size_t resident_octets(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char line[128] = "", *resident = line;

    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) != NULL)
        strtoul(line, &resident, 10); /* the first number is the whole size */
    fclose(file);
    return strtoul(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static pr_status wait_for_all(void *argument)
{
    struct pr_event *event = argument;

    return pr_event_wait(event, pr_in(600000));
}

static pr_status park_many(void *argument)
{
    size_t count = RUNNING_ON_VALGRIND ? 300 : 10000;
    struct pr_event event = {NULL, NULL};
    struct pr_scope scope;
    size_t before = resident_octets();

    (void)argument;
    pr_scope_init(&scope);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pr_spawn(&scope, "one of many", PR_STACK_SESSION,
                                  wait_for_all, &event),
                         PR_OK);
    assert_int_equal(pr_sleep(1), PR_OK);
    print_message("%zu parked fibers take %zu octets each\n", count,
                  (resident_octets() - before) / count);
    /* Half are woken, half are cancelled. */
    for (size_t i = 0; i < count / 2; i++)
        pr_event_wake_one(&event);
    assert_int_equal(pr_yield(), PR_OK);
    pr_scope_cancel(&scope);
    assert_int_equal(pr_scope_join(&scope), PR_CANCELLED);
    assert_null(event.first);
    return PR_OK;
}

static void thousands_of_fibers_park_and_go(void **state)
{
    (void)state;
    run(park_many);
}

static pr_status reuse_stacks(void *argument)
{
    struct pr_scope scope;
    size_t sizes[] = {PR_STACK_SESSION, PR_STACK_RULE, 1, 20000};

    (void)argument;
    pr_scope_init(&scope);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(pr_spawn(&scope, "short",
                                      sizes[i] < 16384 ? 16384 : sizes[i],
                                      nothing_to_do, NULL),
                             PR_OK);
        assert_int_equal(pr_scope_join(&scope), PR_OK);
    }
    assert_int_equal(
        pr_spawn(&scope, "absurd", SIZE_MAX / 2, nothing_to_do, NULL),
        PR_NOMEM);
    assert_int_equal(pr_last_failure()->status, PR_NOMEM);
    return pr_scope_join(&scope);
}

static void stacks_of_several_sizes_are_used_again(void **state)
{
    (void)state;
    run(reuse_stacks);
}

static pr_status fail_for_sure(void *argument)
{
    (void)argument;
    return pr_fail(PR_IO, "for sure");
}

static pr_status spawn_until_no_memory(void *argument)
{
    struct pr_scope scope;
    pr_status status = PR_OK;

    (void)argument;
    pr_scope_init(&scope);
    for (int i = 0; i < 5 && status == PR_OK; i++)
        status = pr_spawn(&scope, "child", PR_STACK_SESSION,
                          i == 0 ? fail_for_sure : nothing_to_do, NULL);
    if (pr_scope_join(&scope) != PR_IO && status == PR_OK)
        return PR_BUG;
    return status;
}

static void each_failed_allocation_is_a_status(void **state)
{
    pr_status status;

    (void)state;
    for (unsigned long n = 1; n < 20; n++) {
        bool failed;

        memory_fail_at(n);
        status = loop_run(4, spawn_until_no_memory, NULL);
        failed = !memory_fail_pending();
        memory_fail_at(0);
        assert_true(status == PR_OK || (failed && status == PR_NOMEM));
        if (!failed)
            return;
    }
    fail();
}

static void nothing_is_spawned_without_a_loop(void **state)
{
    struct pr_scope scope;

    (void)state;
    pr_scope_init(&scope);
    assert_null(loop_uv());
    assert_null(fiber_self());
    assert_false(pr_is_cancelled());
    assert_int_equal(
        pr_spawn(&scope, "none", PR_STACK_SESSION, nothing_to_do, NULL),
        PR_BUG);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
}

/* Late wake-ups. */

static struct pr_fiber *gone;

static pr_status leave_a_name(void *argument)
{
    (void)argument;
    gone = fiber_self();
    assert_string_equal(fiber_name(gone), "gone");
    return PR_OK;
}

static pr_status sleep_a_while(void *argument)
{
    pr_time start = pr_now();

    assert_int_equal(pr_sleep(*(const uint64_t *)argument), PR_OK);
    assert_true(pr_now() - start >= *(const uint64_t *)argument);
    return PR_OK;
}

static pr_status wake_the_gone(void *argument)
{
    uint64_t ms = 10;
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "gone", PR_STACK_SESSION, leave_a_name, NULL), PR_OK);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    fiber_wake(gone);
    assert_int_equal(pr_yield(), PR_OK);
    /* Another fiber in the same place sleeps as long as it wants. */
    assert_int_equal(
        pr_spawn(&scope, "sleeper", PR_STACK_SESSION, sleep_a_while, &ms),
        PR_OK);
    assert_int_equal(pr_yield(), PR_OK);
    fiber_wake(gone);
    fiber_wake(gone);
    fiber_wake(fiber_self());
    return pr_scope_join(&scope);
}

static void a_late_wake_up_does_no_harm(void **state)
{
    (void)state;
    run(wake_the_gone);
}

/* Giving stack back. */

__attribute__((noinline)) static int go_deep(int levels)
{
    volatile char room[1024];

    room[0] = (char)levels;
    room[1023] = levels > 0 ? (char)go_deep(levels - 1) : (char)0;
    return room[0] + room[1023];
}

static bool is_resident(uintptr_t address)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char resident = 0;

    assert_int_equal(mincore((void *)(address / page * page), page, &resident),
                     0);
    return (resident & 1) != 0;
}

static pr_status trim_after_depth(void *argument)
{
    uintptr_t deep = (uintptr_t)__builtin_frame_address(0) - 60 * 1024;

    (void)argument;
    go_deep(80);
    assert_true(is_resident(deep));
    fiber_trim_stack();
    assert_false(is_resident(deep));
    assert_int_equal(pr_yield(), PR_OK);
    fiber_trim_stack();
    go_deep(80);
    assert_true(is_resident(deep));
    return PR_OK;
}

static void a_trimmed_stack_takes_no_memory_below(void **state)
{
    (void)state;
    run(trim_after_depth);
    fiber_trim_stack(); /* outside a fiber: nothing */
}

/* Running over the end. */

static pr_status go_too_deep(void *argument)
{
    (void)argument;
    return go_deep(1 << 20) == 0 ? PR_OK : PR_BUG;
}

static pr_status spawn_too_deep(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    if (pr_spawn(&scope, "deep", PR_STACK_SESSION, go_too_deep, NULL) != PR_OK)
        return PR_BUG;
    return pr_scope_join(&scope);
}

static void a_fiber_that_runs_over_its_stack_says_so(void **state)
{
    char text[100] = "";
    int ends[2], status = 0;
    pid_t child;

    (void)state;
#ifdef CONTEXT_ASAN
    skip(); /* it has words of its own */
#endif
    if (RUNNING_ON_VALGRIND)
        skip();
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGSEGV, SIG_DFL); /* not cmocka's */
        _exit(loop_run(4, spawn_too_deep, NULL) == PR_OK ? 0 : 1);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(
        text, "postrider: the fiber \"deep\" ran over the end of its stack\n");
    close(ends[0]);
}

/* Signals. */

static pr_status wait_for_stop(void *argument)
{
    (void)argument;
    return pr_sleep(600000);
}

static pr_status stop_by_signal(void *argument)
{
    struct pr_scope scope;
    pr_status status;

    pr_scope_init(&scope);
    assert_int_equal(loop_caught_signal(), 0);
    assert_int_equal(loop_cancel_on_signals(&scope), PR_OK);
    assert_int_equal(
        pr_spawn(&scope, "server", PR_STACK_SESSION, wait_for_stop, NULL),
        PR_OK);
    assert_int_equal(pr_yield(), PR_OK);
    assert_int_equal(kill(getpid(), *(const int *)argument), 0);
    status = pr_scope_join(&scope);
    assert_int_equal(loop_cancel_on_signals(NULL), PR_OK);
    return status;
}

static void a_signal_cancels_the_scope(void **state)
{
    int numbers[] = {SIGTERM, SIGINT};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(loop_run(4, stop_by_signal, &numbers[i]),
                         PR_CANCELLED);
        assert_int_equal(loop_caught_signal(), numbers[i]);
    }
}

static pr_status hear_signals(void *argument)
{
    int number = 0;

    (void)argument;
    assert_int_equal(loop_hear_signals(), PR_OK);
    assert_int_equal(loop_await_signal(pr_in(10), &number), PR_TIMEOUT);
    kill(getpid(), SIGHUP);
    assert_int_equal(loop_await_signal(pr_in(20000), &number), PR_OK);
    assert_int_equal(number, SIGHUP);
    kill(getpid(), SIGTERM);
    assert_int_equal(loop_await_signal(pr_in(20000), &number), PR_OK);
    assert_int_equal(number, SIGTERM);
    assert_int_equal(loop_await_signal(pr_in(10), &number), PR_TIMEOUT);
    return PR_OK;
}

static void a_daemon_hears_signals(void **state)
{
    (void)state;
    assert_int_equal(loop_run(4, hear_signals, NULL), PR_OK);
    assert_int_equal(loop_caught_signal(), SIGTERM);
    /* Those of the next run are heard anew. */
    assert_int_equal(loop_run(4, hear_signals, NULL), PR_OK);
}

static pr_status ignore_signals(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    if (loop_cancel_on_signals(&scope) != PR_OK)
        return PR_BUG;
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGINT);
        if (pr_sleep(1) != PR_OK)
            return PR_BUG;
    }
    return pr_sleep(10000);
}

static void the_third_signal_ends_the_process(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(loop_run(4, ignore_signals, NULL) == PR_OK ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGINT);
}

static pr_status write_to_closed_pipe(void *argument)
{
    int ends[2];

    (void)argument;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
    return PR_OK;
}

static void a_closed_pipe_sends_no_signal(void **state)
{
    (void)state;
    run(write_to_closed_pipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_fibers_leave_timers_and_jobs_their_turn),
        cmocka_unit_test(switches_are_timed),
        cmocka_unit_test(thousands_of_fibers_park_and_go),
        cmocka_unit_test(stacks_of_several_sizes_are_used_again),
        cmocka_unit_test(each_failed_allocation_is_a_status),
        cmocka_unit_test(nothing_is_spawned_without_a_loop),
        cmocka_unit_test(a_late_wake_up_does_no_harm),
        cmocka_unit_test(a_trimmed_stack_takes_no_memory_below),
        cmocka_unit_test(a_fiber_that_runs_over_its_stack_says_so),
        cmocka_unit_test(a_signal_cancels_the_scope),
        cmocka_unit_test(a_daemon_hears_signals),
        cmocka_unit_test(the_third_signal_ends_the_process),
        cmocka_unit_test(a_closed_pipe_sends_no_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
