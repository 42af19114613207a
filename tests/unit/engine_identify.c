/*
 * Sources without UIDs: each message is known again, whatever the server names
 * it, and no two are taken for one.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine_bench.h"

static int set_up(void **state)
{
    int failed = bench_set_up(state);
    fake_server.has_no_uids = true;
    return failed;
}

static struct fake_message *message(size_t number)
{
    return &fake_server.messages[number - 1];
}

static void rename_all(const char *prefix)
{
    for (size_t i = 0; i < fake_server.count; i++) {
        snprintf(fake_server.messages[i].name,
                 sizeof(fake_server.messages[i].name), "%s%zu", prefix, i);
    }
}

static void take_away(size_t number)
{
    memmove(message(number), message(number + 1),
            (fake_server.count - number) * sizeof(*message(number)));
    fake_server.count--;
}

/* A run that goes well, and what the mailbox holds after it. */
static void run_to(size_t delivered)
{
    run();
    assert_int_equal(bench.report.status, PR_OK);
    assert_int_equal(fake_mailbox.count, delivered);
}

static void each_comes_once(void **state)
{
    (void)state;
    add_many(250);
    run_to(250);
    fake_server.bodies = fake_server.headers = 0;
    run_to(250);
    add_many(2);
    run_to(252);
    assert_int_equal(fake_server.bodies, 2);
    assert_int_equal(fake_server.headers, 0);
    assert_int_equal(fake_server.settles, 0);
}

static void deletion_is_asked_for_once_at_the_end(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    add_many(900);
    run_to(900);
    assert_int_equal(fake_server.count, 0);
    assert_int_equal(fake_server.settles, 1);
    assert_int_equal(fake_server.unsafe_deeds, 0);
    add_many(1);
    run_to(901);
}

static void what_was_not_deleted_is_deleted_later(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    add_many(3);
    fake_server.refuses_all = true;
    run_to(3);
    assert_int_equal(fake_server.count, 3);
    fake_server.refuses_all = false;
    take_away(1);
    add_many(1);
    run_to(4);
    assert_int_equal(fake_server.count, 0);
}

static void deletion_waits_for_its_day(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE_LATER;
    bench.account.after_delay = 1000ull * 3600;
    add_many(2);
    run_to(2);
    run_to(2);
    assert_int_equal(fake_server.count, 2);
    bench.account.after = AFTER_DELETE;
    bench.account.after_delay = 0;
    add_many(1);
    run_to(3);
    assert_int_equal(fake_server.count, 2);
}

static void new_names_for_all_deliver_nothing_again(void **state)
{
    (void)state;
    add_many(20);
    run_to(20);
    rename_all("other");
    add_many(1);
    fake_server.bodies = 0;
    run_to(21);
    assert_int_equal(fake_server.bodies, 1);
    fake_server.headers = 0;
    run_to(21);
    assert_int_equal(fake_server.headers, 0);
}

static void two_of_one_name_are_two(void **state)
{
    (void)state;
    add_many(4);
    strcpy(message(1)->name, "same");
    strcpy(message(2)->name, "same");
    run_to(4);
    run_to(4);
    fake_add("fifth");
    strcpy(message(5)->name, "same");
    run_to(5);
    assert_int_equal(fake_count(&fake_mailbox, "fifth"), 1);
    run_to(5);
}

static void a_name_given_to_another_message_is_not_believed(void **state)
{
    (void)state;
    add_many(2);
    run_to(2);
    fake_server.count = 1;
    fake_add("another that is longer");
    strcpy(message(2)->name, "name2");
    run_to(3);
    run_to(3);
}

static void without_names_headers_tell(void **state)
{
    (void)state;
    fake_server.has_no_names = true;
    add_many(9);
    fake_add("twin");
    fake_add("twin");
    run_to(11);
    run_to(11);
    take_away(3);
    fake_add("twin");
    run_to(12);
    assert_int_equal(fake_count(&fake_mailbox, "twin"), 3);
    run_to(12);
}

static void without_headers_too_bodies_tell(void **state)
{
    (void)state;
    fake_server.has_no_names = true;
    fake_server.has_no_headers = true;
    add_many(9);
    run_to(9);
    run_to(9);
    fake_add("m0");
    run_to(10);
    run_to(10);
}

/* The server of old: neither names nor headers, but LAST. */
static void use_last(void)
{
    fake_server.has_no_names = true;
    fake_server.has_no_headers = true;
}

/* What came over the line in a run that delivers nothing twice. */
static size_t bodies_of_run_to(size_t delivered)
{
    fake_server.bodies = 0;
    run_to(delivered);
    return fake_server.bodies;
}

static void last_spares_all_bodies_but_one(void **state)
{
    (void)state;
    use_last();
    add_many(9);
    run_to(9);
    fake_server.last = 9;
    assert_int_equal(bodies_of_run_to(9), 1);
    add_many(1);
    assert_int_equal(bodies_of_run_to(10), 2);
    fake_server.last = 10;
    assert_int_equal(bodies_of_run_to(10), 1);
}

static void last_spares_all_headers_but_one(void **state)
{
    (void)state;
    fake_server.has_no_names = true;
    add_many(9);
    run_to(9);
    fake_server.last = 9;
    run_to(9);
    assert_int_equal(fake_server.headers, 1);
}

static void last_that_goes_back_doubles_nothing(void **state)
{
    (void)state;
    use_last();
    add_many(5);
    run_to(5);
    fake_server.last = 2;
    assert_int_equal(bodies_of_run_to(5), 4); /* one proves two; the others */
    fake_server.last = 0;
    assert_int_equal(bodies_of_run_to(5), 5);
    add_many(1);
    assert_int_equal(bodies_of_run_to(6), 6);
}

static void last_alone_makes_nothing_known(void **state)
{
    (void)state;
    fake_server.has_no_names = true;
    add_many(3);
    fake_server.last = 3;
    run_to(3);
}

static void add_report(char day)
{
    char subject[] = "report of day ?";
    subject[sizeof(subject) - 2] = day;
    fake_add(subject);
}

/* All is of one size; another program reads before us and deletes what is old,
 * so that LAST and the sizes never change. */
static void last_hides_nothing_that_others_fetched(void **state)
{
    (void)state;
    use_last();
    for (char day = 'a'; day < 'e'; day++) {
        add_report(day);
    }
    run_to(4);
    fake_server.last = 4;
    for (char day = 'e'; day < 'i'; day++) {
        take_away(1);
        add_report(day);
        run_to((size_t)(day - 'a' + 1));
    }
    assert_int_equal(bodies_of_run_to(8), 1);
}

static void last_is_of_use_again_after_a_deletion(void **state)
{
    (void)state;
    use_last();
    add_many(5);
    run_to(5);
    take_away(3);
    fake_server.last = 4;
    run_to(5);
    assert_int_equal(bodies_of_run_to(5), 1);
}

static void what_last_vouches_for_is_deleted_in_its_time(void **state)
{
    (void)state;
    use_last();
    bench.account.after = AFTER_DELETE;
    add_many(4);
    fake_server.refuses_all = true;
    run_to(4);
    fake_server.refuses_all = false;
    fake_server.last = 4;
    add_many(1);
    assert_int_equal(bodies_of_run_to(5), 2);
    assert_int_equal(fake_server.count, 0);
    assert_int_equal(fake_server.unsafe_deeds, 0);
}

static void a_header_that_cannot_be_had_loses_and_doubles_nothing(void **state)
{
    (void)state;
    add_many(3);
    run_to(3);
    rename_all("other");
    message(2)->trouble = PR_LATER;
    run_to(3);
    message(2)->trouble = PR_OK;
    run_to(3);
    fake_server.headers = 0;
    run_to(3);
    assert_int_equal(fake_server.headers, 0);
}

static void a_mailbox_that_was_empty_for_a_day_is_known_again(void **state)
{
    (void)state;
    add_many(30);
    run_to(30);
    fake_server.count = 0;
    run_to(30);
    fake_server.count = 30;
    run_to(30);
    fake_server.headers = 0;
    run_to(30);
    assert_int_equal(fake_server.headers, 0);
}

static void a_first_run_can_leave_what_is_there(void **state)
{
    (void)state;
    bench.account.start = START_NOW;
    add_many(5);
    run_to(0);
    fake_add("new");
    run_to(1);
    rename_all("other");
    run_to(1);
}

static void a_message_put_off_comes_later(void **state)
{
    (void)state;
    add_many(5);
    fake_mailbox.fail_next = 2;
    fake_mailbox.failure = PR_FULL;
    run();
    assert_int_equal(fake_mailbox.count, 3);
    rename_all("other");
    add_many(1);
    run_to(6);
    run_to(6);
}

static void a_broken_line_is_gone_on_with(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    add_many(300);
    fake_server.lose_line_after = 120;
    run();
    assert_int_equal(bench.report.status, PR_NETWORK);
    assert_int_equal(fake_mailbox.count, 120);
    assert_int_equal(fake_server.count, 300);
    fake_server.lose_line_after = 0;
    run_to(300);
    assert_int_equal(fake_server.count, 0);
    assert_int_equal(fake_server.bodies, 300);
}

static void a_dry_run_changes_nothing(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    bench.mode = ENGINE_DRY_RUN;
    add_many(3);
    run_to(0);
    assert_int_equal(bench.planned, 3);
    bench.mode = 0;
    run_to(3);
    assert_int_equal(fake_server.count, 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_comes_once),
        TEST(deletion_is_asked_for_once_at_the_end),
        TEST(what_was_not_deleted_is_deleted_later),
        TEST(deletion_waits_for_its_day),
        TEST(new_names_for_all_deliver_nothing_again),
        TEST(two_of_one_name_are_two),
        TEST(a_name_given_to_another_message_is_not_believed),
        TEST(without_names_headers_tell),
        TEST(without_headers_too_bodies_tell),
        TEST(last_spares_all_bodies_but_one),
        TEST(last_spares_all_headers_but_one),
        TEST(last_that_goes_back_doubles_nothing),
        TEST(last_alone_makes_nothing_known),
        TEST(last_hides_nothing_that_others_fetched),
        TEST(last_is_of_use_again_after_a_deletion),
        TEST(what_last_vouches_for_is_deleted_in_its_time),
        TEST(a_header_that_cannot_be_had_loses_and_doubles_nothing),
        TEST(a_mailbox_that_was_empty_for_a_day_is_known_again),
        TEST(a_first_run_can_leave_what_is_there),
        TEST(a_message_put_off_comes_later),
        TEST(a_broken_line_is_gone_on_with),
        TEST(a_dry_run_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
