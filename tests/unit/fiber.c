/*
 * Fibers: their life, their words, cancellation and deadlines.
 */
#include "config.h"

#include <unistd.h>

#include "trail.h"

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

/* Given up. */

static pr_status hang_under_shield(void *argument)
{
    (void)argument;
    pr_shield_begin();
    step('s');
    assert_false(pr_is_cancelled());
    assert_int_equal(pr_sleep(60000), PR_CANCELLED);
    step('S');
    assert_true(pr_is_cancelled());
    /* Every later wait ends at once, in this shield and in others. */
    pr_shield_begin();
    assert_int_equal(pr_yield(), PR_CANCELLED);
    assert_int_equal(fiber_park(PR_NEVER), PR_CANCELLED);
    pr_shield_end();
    pr_shield_end();
    return pr_sleep(60000);
}

static pr_status shielded_parent(void *argument)
{
    struct pr_scope scope;

    pr_scope_init(&scope);
    pr_shield_begin();
    for (int i = 0; i < 2; i++)
        assert_int_equal(pr_spawn(&scope, "hangs", PR_STACK_SESSION,
                                  hang_under_shield, NULL),
                         PR_OK);
    if (argument != NULL)
        pr_shield_end();
    pr_status status = pr_scope_join(&scope);
    if (argument == NULL)
        pr_shield_end();
    step('J');
    return status;
}

static pr_status shielded_late(void *argument)
{
    (void)argument;
    pr_shield_begin();
    assert_int_equal(pr_sleep(60000), PR_CANCELLED);
    pr_shield_end();
    step('u');
    return PR_CANCELLED;
}

/* `parent` joins inside its shield, or after it. */
static pr_status give_up_a_family(void *parent)
{
    struct pr_scope scope;

    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "parent", PR_STACK_SESSION, shielded_parent, parent),
        PR_OK);
    assert_int_equal(pr_sleep(1), PR_OK);
    step('c');
    pr_scope_cancel(&scope);
    assert_int_equal(pr_sleep(20), PR_OK);
    step('g');
    pr_scope_give_up(&scope);
    assert_int_equal(
        pr_spawn(&scope, "unborn", PR_STACK_SESSION, shielded_late, NULL),
        PR_OK);
    assert_int_equal(pr_scope_join(&scope), PR_CANCELLED);
    assert_false(scope.given_up);
    assert_false(pr_is_cancelled());
    return PR_OK;
}

static void what_is_given_up_hangs_in_no_shield(void **state)
{
    (void)state;
    trail[0] = '\0';
    assert_int_equal(loop_run(4, give_up_a_family, NULL), PR_OK);
    assert_string_equal(trail, "sscguSSJ");
    trail[0] = '\0';
    assert_int_equal(loop_run(4, give_up_a_family, trail), PR_OK);
    assert_string_equal(trail, "sscguSSJ");
}

static pr_status last_long(void *argument)
{
    (void)argument;
    usleep(50000);
    step('d');
    return PR_OK;
}

static struct pr_event letting_go;

static pr_status wait_firmly(void *argument)
{
    (void)argument;
    assert_int_equal(event_wait_firmly(&letting_go, pr_in(1)), PR_TIMEOUT);
    assert_int_equal(event_wait_firmly(&letting_go, PR_NEVER), PR_OK);
    step('e');
    pr_time end = pr_in(5);
    while (fiber_park_firmly_until(end) == PR_OK)
        continue;
    assert_true(pr_now() >= end);
    return pr_offload(last_long, NULL);
}

static pr_status give_up_the_firm(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "firm", PR_STACK_SESSION, wait_firmly, NULL), PR_OK);
    assert_int_equal(pr_sleep(20), PR_OK);
    pr_scope_give_up(&scope);
    assert_int_equal(pr_sleep(20), PR_OK);
    step('w');
    pr_event_wake_all(&letting_go);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    return PR_OK;
}

static void what_waits_firmly_is_not_given_up(void **state)
{
    (void)state;
    run(give_up_the_firm);
    assert_string_equal(trail, "wed");
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
        cmocka_unit_test(what_is_given_up_hangs_in_no_shield),
        cmocka_unit_test(what_waits_firmly_is_not_given_up),
        cmocka_unit_test(deadlines_end_waits_in_order_and_never_early),
        cmocka_unit_test(a_past_deadline_ends_a_wait_at_once),
        cmocka_unit_test(time_works_outside_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
