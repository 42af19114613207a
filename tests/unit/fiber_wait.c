/*
 * What fibers wait for: events, semaphores, offloaded jobs.
 */
#include "config.h"

#include <unistd.h>

#include "trail.h"

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
    pr_event_wake_all(&event);           /* nobody waits yet: no effect */
    assert_int_equal(pr_yield(), PR_OK); /* now all four do */
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
    pr_event_wake_all(&event);
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
        cmocka_unit_test(events_wake_in_order_of_arrival),
        cmocka_unit_test(no_wake_up_is_lost_on_one_who_gives_up),
        cmocka_unit_test(semaphore_serves_first_come_first),
        cmocka_unit_test(semaphore_leaks_no_place_when_a_taker_gives_up),
        cmocka_unit_test(a_job_hands_back_its_status_and_words),
        cmocka_unit_test(a_job_is_waited_for_even_if_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
