/*
 * What rules keep: values, their steps, their end.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "state/kept.h"
#include "state_fixture.h"

static struct kept_step set_text(const char *text, int64_t expires)
{
    return (struct kept_step){
        .what = KEPT_SET,
        .value = {
            .kind = KEPT_TEXT,
            .expires = expires,
            .octets = {.data = (char *)(uintptr_t)text, .size = strlen(text)}}};
}

static struct kept_step add_integer(int64_t value, int64_t expires)
{
    return (struct kept_step){
        .what = KEPT_ADD,
        .value = {.kind = KEPT_INTEGER, .integer = value, .expires = expires}};
}

static void keep(const char *key, struct kept_step step, int64_t now)
{
    struct state_changes *changes;

    OK(state_begin(state, &changes));
    state_keep(changes, KEPT_STORE, pr_bytes_of(key), &step, now);
    OK(state_commit(changes));
}

static struct kept ask(const char *key)
{
    struct kept kept = {0};

    OK(state_kept(state, KEPT_STORE, pr_bytes_of(key), &kept));
    return kept;
}

static void assert_text(const char *key, const char *text)
{
    struct kept kept = ask(key);

    assert_int_equal(kept.kind, KEPT_TEXT);
    assert_string_equal(pr_buffer_text(&kept.octets), text);
    kept_done(&kept);
}

static void assert_nothing(const char *key)
{
    struct kept kept = ask(key);

    assert_int_equal(kept.kind, KEPT_NOTHING);
}

static void values_are_there_after_a_restart(void **unused)
{
    struct kept kept;

    (void)unused;
    assert_nothing("a");
    keep("a", set_text("one", 0), 1);
    keep("b", add_integer(5, 0), 1);
    keep("b", add_integer(-7, 0), 1);
    keep("", set_text("", 0), 1);
    state_close(state);
    OK(state_open(directory, &state));
    assert_text("a", "one");
    assert_text("", "");
    kept = ask("b");
    assert_int_equal(kept.kind, KEPT_INTEGER);
    assert_int_equal(kept.integer, -2);
    keep("a", (struct kept_step){.what = KEPT_DROP}, 1);
    assert_nothing("a");
    keep("n",
         (struct kept_step){.what = KEPT_SET,
                            .value = {.kind = KEPT_NUMBER, .number = 0.5}},
         1);
    keep("n", add_integer(1, 0), 1);
    kept = ask("n");
    assert_int_equal(kept.kind, KEPT_NUMBER);
    assert_true(kept.number > 1.49 && kept.number < 1.51);
}

static void sums_too_large_become_numbers(void **unused)
{
    struct kept kept;

    (void)unused;
    keep("a", add_integer(INT64_MAX, 0), 1);
    keep("a", add_integer(1, 0), 1);
    kept = ask("a");
    assert_int_equal(kept.kind, KEPT_NUMBER);
    assert_true(kept.number > 9e18);
    /* A text is no number to add to. */
    keep("t", set_text("x", 0), 1);
    keep("t", add_integer(2, 0), 1);
    kept = ask("t");
    assert_int_equal(kept.integer, 2);
    kept_done(&kept);
}

static void what_is_over_counts_as_nothing(void **unused)
{
    struct kept kept;

    (void)unused;
    keep("a", add_integer(5, 100), 1);
    keep("a", add_integer(5, 0), 99);
    kept = ask("a");
    assert_int_equal(kept.integer, 10);
    assert_int_equal(kept.expires, 100);
    keep("a", add_integer(3, 300), 100);
    kept = ask("a");
    assert_int_equal(kept.integer, 3);
    kept_expire(&kept, 299);
    assert_int_equal(kept.kind, KEPT_INTEGER);
    kept_expire(&kept, 300);
    assert_int_equal(kept.kind, KEPT_NOTHING);
}

static void the_latest_times_stay(void **unused)
{
    struct kept kept;

    (void)unused;
    for (int i = 1; i <= 5; i++)
        keep("r",
             (struct kept_step){.what = KEPT_HIT,
                                .most = 3,
                                .value = {.integer = i * 10, .expires = 1000}},
             i);
    kept = ask("r");
    assert_int_equal(kept.kind, KEPT_TIMES);
    assert_int_equal(kept_times_after(&kept, 0), 3);
    assert_int_equal(kept_times_after(&kept, 29), 3);
    assert_int_equal(kept_times_after(&kept, 40), 1);
    kept_done(&kept);
}

static void tables_do_not_meet(void **unused)
{
    struct state_changes *changes;
    struct kept_step step = set_text("", 0);
    struct kept kept = {0};

    (void)unused;
    OK(state_begin(state, &changes));
    state_keep(changes, KEPT_SEEN, PR_BYTES("a"), &step, 1);
    state_drop(changes);
    OK(state_begin(state, &changes));
    state_keep(changes, KEPT_RATE, PR_BYTES("a"), &step, 1);
    OK(state_commit(changes));
    assert_nothing("a");
    OK(state_kept(state, KEPT_SEEN, PR_BYTES("a"), &kept));
    assert_int_equal(kept.kind, KEPT_NOTHING);
    OK(state_kept(state, KEPT_RATE, PR_BYTES("a"), &kept));
    assert_int_equal(kept.kind, KEPT_TEXT);
    kept_done(&kept);
}

static void what_is_over_is_forgotten(void **unused)
{
    char key[20];

    (void)unused;
    for (int i = 1; i <= 20; i++) {
        snprintf(key, sizeof key, "k%d", i);
        keep(key, set_text("v", i), 0);
    }
    keep("stays", set_text("v", 0), 0);
    OK(state_prune_kept(state, 10, 1000));
    assert_nothing("k10");
    assert_text("k11", "v");
    /* 11 are left: those that would be over first go. */
    OK(state_prune_kept(state, 10, 4));
    assert_nothing("k17");
    assert_text("k18", "v");
    assert_text("stays", "v");
    /* What never ends is not taken. */
    OK(state_prune_kept(state, 10, 0));
    assert_nothing("k20");
    assert_text("stays", "v");
}

/* ---- Side by side -------------------------------------------------------- */

static pr_status read_one(void *argument)
{
    struct kept kept = ask(argument);
    bool is_right = kept.kind == KEPT_TEXT;

    kept_done(&kept);
    return is_right ? PR_OK : PR_BUG;
}

static pr_status read_many(void *argument)
{
    static char keys[100][20];
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    for (int i = 0; i < 100; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        OK(pr_spawn(&scope, "reader", PR_STACK_RULE, read_one, keys[i]));
    }
    return pr_scope_join(&scope);
}

static void many_read_at_the_same_time(void **unused)
{
    char key[20];

    (void)unused;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "k%d", i);
        keep(key, set_text(key, 0), 0);
    }
    OK(loop_run(2, read_many, NULL));
}

static void each_allocation_may_fail(void **unused)
{
    bool is_over = false;

    (void)unused;
    keep("a", set_text("before", 0), 1);
    for (unsigned long n = 1; !is_over; n++) {
        struct state_changes *changes;
        struct kept_step step = set_text("after", 0);
        struct kept kept = {0};
        pr_status status;

        memory_fail_at(n);
        status = state_begin(state, &changes);
        if (status == PR_OK) {
            state_keep(changes, KEPT_STORE, PR_BYTES("a"), &step, 1);
            status = state_commit(changes);
        }
        if (status == PR_OK)
            status = state_kept(state, KEPT_STORE, PR_BYTES("a"), &kept);
        is_over = memory_fail_pending();
        memory_fail_at(0);
        assert_true(status == PR_NOMEM || (is_over && status == PR_OK));
        kept_done(&kept);
    }
    assert_text("a", "after");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_there_after_a_restart,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(sums_too_large_become_numbers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_over_counts_as_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_latest_times_stay, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tables_do_not_meet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_over_is_forgotten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_read_at_the_same_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_allocation_may_fail, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
