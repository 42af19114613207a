/*
 * Fibers: their life, cancellation, waits, events, semaphores and jobs.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "fiber/loop.h"

/* What the fibers of a test did, in order: one letter each. */
static char trail[256];

/* An argument that the fiber only reads. */
static void *lent(const void *thing)
{
    return (void *)(uintptr_t)thing;
}

static void step(char letter)
{
    size_t length = strlen(trail);

    assert_true(length < sizeof trail - 1);
    trail[length] = letter;
    trail[length + 1] = '\0';
}

/* Runs `body` as the main fiber and wants it to return PR_OK. */
static void run(pr_fiber_fn *body)
{
    trail[0] = '\0';
    assert_int_equal(loop_run(4, body, NULL), PR_OK);
}

/* Spawning and joining. */

static pr_status write_letter(void *argument)
{
    step(*(const char *)argument);
    return PR_OK;
}

static pr_status spawn_three(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pr_spawn(&scope, "letter", PR_STACK_SESSION,
                                  write_letter, lent(&"abc"[i])),
                         PR_OK);
    step('-');
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    step('.');
    assert_int_equal(scope.count, 0);
    return PR_OK;
}

static void children_run_in_order_once_their_parent_waits(void **state)
{
    (void)state;
    run(spawn_three);
    assert_string_equal(trail, "-abc.");
}

static pr_status fail_with_words(void *argument)
{
    return pr_fail(PR_AUTH, "main says %s", (const char *)argument);
}

static void loop_returns_the_words_of_the_main_fiber(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(loop_run(4, fail_with_words, lent("no")), PR_AUTH);
        assert_string_equal(pr_last_failure()->text, "main says no");
    }
}

static pr_status fail_later(void *argument)
{
    pr_status status = pr_sleep(2);

    if (status != PR_OK)
        return status;
    return pr_fail(PR_NETWORK, "%s", (const char *)argument);
}

static pr_status wait_for_cancel(void *argument)
{
    (void)argument;
    return pr_sleep(60000);
}

static pr_status no_words(void *argument)
{
    (void)argument;
    return PR_GONE;
}

static pr_status join_failures(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "idle", PR_STACK_SESSION, wait_for_cancel, NULL),
        PR_OK);
    assert_int_equal(pr_sleep(1), PR_OK);
    pr_fail(PR_AUTH, "our own");
    pr_scope_cancel(&scope);
    assert_string_equal(pr_last_failure()->text, "our own");
    assert_int_equal(pr_scope_join(&scope), PR_CANCELLED);

    assert_int_equal(pr_spawn(&scope, "late", PR_STACK_SESSION, fail_later,
                              lent("the line broke")),
                     PR_OK);
    assert_int_equal(
        pr_spawn(&scope, "late", PR_STACK_SESSION, fail_later, lent("second")),
        PR_OK);
    assert_int_equal(pr_scope_join(&scope), PR_NETWORK);
    assert_string_equal(pr_last_failure()->text, "the line broke");

    assert_int_equal(pr_spawn(&scope, "gone", PR_STACK_SESSION, no_words, NULL),
                     PR_OK);
    assert_int_equal(pr_scope_join(&scope), PR_GONE);
    assert_string_equal(pr_last_failure()->text, "gone");
    return PR_OK;
}

static void join_returns_the_first_failure_with_its_words(void **state)
{
    (void)state;
    run(join_failures);
}

static pr_status cancelled_then_fails(void *argument)
{
    pr_status status = pr_sleep(60000);

    (void)argument;
    assert_int_equal(status, PR_CANCELLED);
    return pr_fail(PR_IO, "the disk");
}

static pr_status hide_no_failure(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            pr_spawn(&scope, "child", PR_STACK_SESSION,
                     i == 0 ? cancelled_then_fails : wait_for_cancel, NULL),
            PR_OK);
    assert_int_equal(pr_sleep(1), PR_OK);
    pr_scope_cancel(&scope);
    assert_int_equal(pr_scope_join(&scope), PR_IO);
    assert_string_equal(pr_last_failure()->text, "the disk");
    return PR_OK;
}

static void cancellation_hides_no_failure_of_a_sibling(void **state)
{
    (void)state;
    run(hide_no_failure);
}

/* Words belong to their fiber. */

static pr_status keep_words(void *argument)
{
    const char *word = argument;

    for (int i = 0; i < 10; i++) {
        pr_fail(PR_AUTH, "%s %d", word, i);
        assert_int_equal(pr_yield(), PR_OK);
        assert_memory_equal(pr_last_failure()->text, word, strlen(word));
        assert_int_equal(pr_last_failure()->text[strlen(word) + 1], '0' + i);
    }
    return PR_OK;
}

static pr_status spawn_talkers(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "one", PR_STACK_SESSION, keep_words, lent("one")),
        PR_OK);
    assert_int_equal(
        pr_spawn(&scope, "other", PR_STACK_SESSION, keep_words, lent("other")),
        PR_OK);
    return pr_scope_join(&scope);
}

static void each_fiber_keeps_its_own_words(void **state)
{
    (void)state;
    pr_fail(PR_TLS, "of the thread");
    run(spawn_talkers);
    assert_string_equal(pr_last_failure()->text, "of the thread");
}

/* Cancellation. */

static pr_status parent_of_sleeper(void *argument)
{
    struct pr_scope scope;
    pr_status status;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "sleeper", PR_STACK_SESSION, wait_for_cancel, NULL),
        PR_OK);
    step('j');
    status = pr_scope_join(&scope);
    step('J');
    assert_true(pr_is_cancelled());
    /* Every later wait ends at once. */
    assert_int_equal(pr_yield(), PR_CANCELLED);
    assert_int_equal(pr_sleep(1000), PR_CANCELLED);
    assert_int_equal(fiber_park(PR_NEVER), PR_CANCELLED);
    return status;
}

static pr_status cancel_a_family(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "parent", PR_STACK_SESSION, parent_of_sleeper, NULL),
        PR_OK);
    assert_int_equal(pr_sleep(1), PR_OK);
    step('c');
    pr_scope_cancel(&scope);
    assert_int_equal(
        pr_spawn(&scope, "unborn", PR_STACK_SESSION, wait_for_cancel, NULL),
        PR_OK);
    assert_int_equal(pr_scope_join(&scope), PR_CANCELLED);
    assert_string_equal(pr_last_failure()->text, "asked to stop");
    assert_false(pr_is_cancelled());
    return PR_OK;
}

static void cancellation_reaches_children_of_a_joiner(void **state)
{
    (void)state;
    run(cancel_a_family);
    assert_string_equal(trail, "jcJ");
}

static pr_status finish_under_shield(void *argument)
{
    pr_time start = pr_now();

    (void)argument;
    assert_int_equal(pr_sleep(60000), PR_CANCELLED);
    pr_shield_begin();
    assert_false(pr_is_cancelled());
    pr_shield_begin();
    assert_int_equal(pr_sleep(3), PR_OK);
    pr_shield_end();
    assert_int_equal(fiber_park(pr_in(2)), PR_TIMEOUT);
    assert_int_equal(pr_yield(), PR_OK);
    pr_shield_end();
    assert_true(pr_is_cancelled());
    assert_int_equal(pr_sleep(60000), PR_CANCELLED);
    assert_true(pr_now() - start >= 5);
    return PR_OK;
}

static pr_status cancelled_in_shield(void *argument)
{
    (void)argument;
    pr_shield_begin();
    step('s');
    assert_int_equal(pr_sleep(20), PR_OK);
    step('S');
    pr_shield_end();
    return pr_sleep(60000);
}

static pr_status cancel_shielded(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "finish", PR_STACK_SESSION, finish_under_shield, NULL),
        PR_OK);
    assert_int_equal(pr_spawn(&scope, "shielded", PR_STACK_SESSION,
                              cancelled_in_shield, NULL),
                     PR_OK);
    assert_int_equal(pr_yield(), PR_OK);
    step('c');
    pr_scope_cancel(&scope);
    assert_int_equal(pr_scope_join(&scope), PR_CANCELLED);
    return PR_OK;
}

static void a_shield_lets_a_cancelled_fiber_finish(void **state)
{
    (void)state;
    run(cancel_shielded);
    assert_string_equal(trail, "scS");
}

/* Time. */

struct alarm {
    pr_time deadline;
    uint64_t after;
    char letter;
};

static pr_status park_and_write(void *argument)
{
    const struct alarm *alarm = argument;

    assert_int_equal(fiber_park(alarm->deadline), PR_TIMEOUT);
    assert_true(pr_now() >= alarm->deadline);
    step(alarm->letter);
    return PR_OK;
}

static pr_status park_in_turn(void *argument)
{
    struct alarm alarms[] = {{0, 230, 'd'},
                             {0, 205, 'b'},
                             {0, 220, 'c'},
                             {0, 201, 'a'},
                             {0, 240, 'e'}};
    struct pr_scope scope;
    pr_time now = pr_now();

    (void)argument;
    pr_scope_init(&scope);
    for (size_t i = 0; i < sizeof alarms / sizeof *alarms; i++) {
        alarms[i].deadline = now + alarms[i].after;
        assert_int_equal(pr_spawn(&scope, "alarm", PR_STACK_SESSION,
                                  park_and_write, &alarms[i]),
                         PR_OK);
    }
    return pr_scope_join(&scope);
}

static void deadlines_end_waits_in_order_and_never_early(void **state)
{
    (void)state;
    run(park_in_turn);
    assert_string_equal(trail, "abcde");
}

static pr_status short_waits(void *argument)
{
    pr_time start = pr_now();

    (void)argument;
    assert_int_equal(fiber_park(start), PR_TIMEOUT);
    assert_int_equal(fiber_park(0), PR_TIMEOUT);
    assert_string_equal(pr_last_failure()->text, "timed out");
    assert_int_equal(pr_sleep(0), PR_OK);
    assert_int_equal(fiber_park(pr_in(10)), PR_TIMEOUT);
    assert_true(pr_now() >= start + 10);
    return PR_OK;
}

static void a_past_deadline_ends_a_wait_at_once(void **state)
{
    (void)state;
    run(short_waits);
}

static void time_works_outside_the_loop(void **state)
{
    pr_time now = pr_now();

    (void)state;
    assert_true(now > 0);
    assert_true(pr_in(5) >= now + 5 && pr_in(5) < now + 60000);
    assert_true(pr_in(UINT64_MAX) == PR_NEVER);
    assert_true(pr_in(UINT64_MAX - 1) == PR_NEVER);
}

/* Events. */

struct waiting {
    struct pr_event *event;
    pr_time deadline;
    char letter;
    pr_status status;
};

static pr_status wait_for_event(void *argument)
{
    struct waiting *waiting = argument;

    waiting->status = pr_event_wait(waiting->event, waiting->deadline);
    step(waiting->letter);
    return PR_OK;
}

static void spawn_waiting(struct pr_scope *scope, struct waiting *waiting)
{
    assert_int_equal(
        pr_spawn(scope, "waiting", PR_STACK_SESSION, wait_for_event, waiting),
        PR_OK);
}

static pr_status wake_in_order(void *argument)
{
    struct pr_event event = {NULL, NULL};
    struct waiting waiting[4];
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    for (int i = 0; i < 4; i++) {
        waiting[i] = (struct waiting){&event, PR_NEVER, "abcd"[i], PR_BUG};
        spawn_waiting(&scope, &waiting[i]);
    }
    pr_event_wake_all(&event); /* nobody waits yet: no effect */
    assert_int_equal(pr_sleep(1), PR_OK);
    assert_string_equal(trail, "");
    pr_event_wake_one(&event);
    assert_int_equal(pr_yield(), PR_OK);
    assert_string_equal(trail, "a");
    pr_event_wake_one(&event);
    pr_event_wake_one(&event);
    assert_int_equal(pr_yield(), PR_OK);
    assert_string_equal(trail, "abc");
    pr_event_wake_all(&event);
    return pr_scope_join(&scope);
}

static void events_wake_in_order_of_arrival(void **state)
{
    (void)state;
    run(wake_in_order);
    assert_string_equal(trail, "abcd");
}

/* The deadlines of the first waiter and of its waker come in one turn, the
 * waker's first. False if the machine was too slow for that. */
static bool wake_at_deadline(uint64_t ms)
{
    struct pr_event event = {NULL, NULL};
    struct waiting first = {&event, pr_in(ms), 'a', PR_BUG};
    struct waiting second = {&event, PR_NEVER, 'b', PR_BUG};
    struct pr_scope scope;
    bool in_time;

    pr_scope_init(&scope);
    spawn_waiting(&scope, &first);
    spawn_waiting(&scope, &second);
    in_time = fiber_park(first.deadline) == PR_TIMEOUT &&
              first.status == PR_BUG && event.first != event.last;
    pr_event_wake_one(&event);
    assert_int_equal(pr_yield(), PR_OK);
    if (in_time) {
        assert_int_equal(first.status, PR_OK);
        assert_int_equal(second.status, PR_BUG);
    }
    pr_event_wake_one(&event);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    return in_time;
}

static pr_status wake_beside_a_deadline(void *argument)
{
    uint64_t ms = 2;

    (void)argument;
    while (!wake_at_deadline(ms))
        ms *= 2;
    return PR_OK;
}

static pr_status cancelled_and_woken(void *argument)
{
    struct pr_event event = {NULL, NULL};
    struct waiting first = {&event, PR_NEVER, 'a', PR_BUG};
    struct waiting second = {&event, PR_NEVER, 'b', PR_BUG};
    struct pr_scope scope, other;

    (void)argument;
    pr_scope_init(&scope);
    pr_scope_init(&other);
    spawn_waiting(&scope, &first);
    spawn_waiting(&other, &second);
    assert_int_equal(pr_yield(), PR_OK);
    /* Made ready by the cancellation, then met by the wake-up. */
    pr_scope_cancel(&scope);
    pr_event_wake_one(&event);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(first.status, PR_OK);
    assert_int_equal(second.status, PR_BUG);
    pr_event_wake_one(&event);
    assert_int_equal(pr_scope_join(&other), PR_OK);
    assert_int_equal(second.status, PR_OK);
    return PR_OK;
}

static pr_status give_up_waiting(void *argument)
{
    struct pr_event event = {NULL, NULL};
    struct waiting waiting[3];
    struct pr_scope scope, other;

    (void)argument;
    pr_scope_init(&scope);
    pr_scope_init(&other);
    for (int i = 0; i < 3; i++)
        waiting[i] = (struct waiting){&event, PR_NEVER, "abc"[i], PR_BUG};
    waiting[0].deadline = pr_in(2);
    spawn_waiting(&scope, &waiting[0]);
    spawn_waiting(&other, &waiting[1]);
    spawn_waiting(&scope, &waiting[2]);
    assert_int_equal(pr_sleep(10), PR_OK);
    assert_int_equal(waiting[0].status, PR_TIMEOUT);
    pr_scope_cancel(&other);
    assert_int_equal(pr_scope_join(&other), PR_OK);
    assert_int_equal(waiting[1].status, PR_CANCELLED);
    assert_ptr_equal(event.first, event.last);
    pr_event_wake_all(&event);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(waiting[2].status, PR_OK);
    assert_null(event.first);
    assert_null(event.last);
    return PR_OK;
}

static void no_wake_up_is_lost_on_one_who_gives_up(void **state)
{
    (void)state;
    run(wake_beside_a_deadline);
    run(cancelled_and_woken);
    run(give_up_waiting);
}

/* Semaphores. */

struct taking {
    struct pr_semaphore *semaphore;
    size_t places;
    pr_time deadline;
    char letter;
    pr_status status;
};

static pr_status take_places(void *argument)
{
    struct taking *taking = argument;

    taking->status =
        pr_semaphore_take(taking->semaphore, taking->places, taking->deadline);
    if (taking->status == PR_OK)
        step(taking->letter);
    return PR_OK;
}

static void spawn_taking(struct pr_scope *scope, struct taking *taking)
{
    assert_int_equal(
        pr_spawn(scope, "taking", PR_STACK_SESSION, take_places, taking),
        PR_OK);
}

static pr_status take_in_order(void *argument)
{
    struct pr_semaphore semaphore = {.free = 3};
    struct taking taking[] = {
        {&semaphore, 2, PR_NEVER, 'a', PR_BUG},
        {&semaphore, 3, PR_NEVER, 'b', PR_BUG}, /* must wait */
        {&semaphore, 1, PR_NEVER, 'c', PR_BUG}, /* fits, but comes after b */
        {&semaphore, 0, PR_NEVER, 'd', PR_BUG},
    };
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    for (size_t i = 0; i < 4; i++)
        spawn_taking(&scope, &taking[i]);
    assert_int_equal(pr_yield(), PR_OK);
    assert_string_equal(trail, "a");
    pr_semaphore_give(&semaphore, 1);
    assert_int_equal(pr_yield(), PR_OK);
    assert_string_equal(trail, "a");
    pr_semaphore_give(&semaphore, 1);
    assert_int_equal(pr_yield(), PR_OK);
    assert_string_equal(trail, "ab");
    pr_semaphore_give(&semaphore, 3);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_string_equal(trail, "abcd");
    assert_int_equal(semaphore.free, 2);
    return PR_OK;
}

static void semaphore_serves_first_come_first(void **state)
{
    (void)state;
    run(take_in_order);
}

static pr_status give_up_taking(void *argument)
{
    struct pr_semaphore semaphore = {.free = 1};
    struct taking large = {&semaphore, 5, PR_NEVER, 'l', PR_BUG};
    struct taking small = {&semaphore, 1, PR_NEVER, 's', PR_BUG};
    struct taking late = {&semaphore, 5, PR_NEVER, 't', PR_BUG};
    struct pr_scope scope, other;

    (void)argument;
    pr_scope_init(&scope);
    pr_scope_init(&other);
    spawn_taking(&scope, &large);
    spawn_taking(&other, &small);
    assert_int_equal(pr_yield(), PR_OK);
    assert_string_equal(trail, "");
    pr_scope_cancel(&scope); /* who stood behind can go on now */
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(large.status, PR_CANCELLED);
    assert_int_equal(pr_scope_join(&other), PR_OK);
    assert_int_equal(small.status, PR_OK);
    assert_int_equal(semaphore.free, 0);

    late.deadline = pr_in(2);
    spawn_taking(&scope, &late);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(late.status, PR_TIMEOUT);
    pr_semaphore_give(&semaphore, 1);
    assert_int_equal(semaphore.free, 1);
    return PR_OK;
}

static pr_status cancel_what_was_granted(void *argument)
{
    struct pr_semaphore semaphore = {.free = 0};
    struct taking taking = {&semaphore, 1, PR_NEVER, 'a', PR_BUG};
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    for (int round = 0; round < 2; round++) {
        spawn_taking(&scope, &taking);
        assert_int_equal(pr_yield(), PR_OK);
        if (round == 0)
            pr_scope_cancel(&scope);
        pr_semaphore_give(&semaphore, 1);
        if (round == 1)
            pr_scope_cancel(&scope);
        assert_int_equal(pr_scope_join(&scope), PR_OK);
        assert_int_equal(semaphore.free, taking.status == PR_OK ? 0 : 1);
        semaphore.free = 0;
    }
    return PR_OK;
}

static void semaphore_leaks_no_place_when_a_taker_gives_up(void **state)
{
    (void)state;
    run(give_up_taking);
    run(cancel_what_was_granted);
}

/* Offloaded jobs. */

static pr_status job_fails(void *argument)
{
    assert_null(fiber_self());
    return pr_fail(PR_IO, "job %s", (const char *)argument);
}

static pr_status job_works(void *argument)
{
    int *number = argument;

    *number *= 2;
    return PR_OK;
}

static pr_status offload_jobs(void *argument)
{
    int number = 21;

    (void)argument;
    pr_fail(PR_AUTH, "before");
    assert_int_equal(pr_offload(job_works, &number), PR_OK);
    assert_int_equal(number, 42);
    assert_string_equal(pr_last_failure()->text, "before");
    assert_int_equal(pr_offload(job_fails, lent("seven")), PR_IO);
    assert_int_equal(pr_last_failure()->status, PR_IO);
    assert_string_equal(pr_last_failure()->text, "job seven");
    return PR_OK;
}

static void a_job_hands_back_its_status_and_words(void **state)
{
    int number = 4;

    (void)state;
    run(offload_jobs);
    assert_int_equal(pr_offload(job_works, &number), PR_OK);
    assert_int_equal(number, 8);
}

static pr_status job_waits_for_pipe(void *argument)
{
    char octet;

    return read(*(int *)argument, &octet, 1) == 1 ? PR_OK : PR_IO;
}

static pr_status offload_pipe(void *argument)
{
    pr_status status = pr_offload(job_waits_for_pipe, argument);

    step('o');
    assert_int_equal(pr_sleep(1), PR_CANCELLED);
    return status;
}

static pr_status cancel_a_job(void *argument)
{
    struct pr_scope scope;
    int ends[2];

    (void)argument;
    assert_int_equal(pipe(ends), 0);
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "job", PR_STACK_SESSION, offload_pipe, &ends[0]),
        PR_OK);
    assert_int_equal(pr_sleep(5), PR_OK);
    pr_scope_cancel(&scope);
    assert_int_equal(pr_sleep(5), PR_OK);
    assert_string_equal(trail, "");
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_string_equal(trail, "o");
    close(ends[0]);
    close(ends[1]);
    return PR_OK;
}

static void a_job_is_waited_for_even_if_cancelled(void **state)
{
    (void)state;
    run(cancel_a_job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_run_in_order_once_their_parent_waits),
        cmocka_unit_test(loop_returns_the_words_of_the_main_fiber),
        cmocka_unit_test(join_returns_the_first_failure_with_its_words),
        cmocka_unit_test(cancellation_hides_no_failure_of_a_sibling),
        cmocka_unit_test(each_fiber_keeps_its_own_words),
        cmocka_unit_test(cancellation_reaches_children_of_a_joiner),
        cmocka_unit_test(a_shield_lets_a_cancelled_fiber_finish),
        cmocka_unit_test(deadlines_end_waits_in_order_and_never_early),
        cmocka_unit_test(a_past_deadline_ends_a_wait_at_once),
        cmocka_unit_test(time_works_outside_the_loop),
        cmocka_unit_test(events_wake_in_order_of_arrival),
        cmocka_unit_test(no_wake_up_is_lost_on_one_who_gives_up),
        cmocka_unit_test(semaphore_serves_first_come_first),
        cmocka_unit_test(semaphore_leaks_no_place_when_a_taker_gives_up),
        cmocka_unit_test(a_job_hands_back_its_status_and_words),
        cmocka_unit_test(a_job_is_waited_for_even_if_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
