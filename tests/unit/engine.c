/*
 * The engine between a source and sinks in memory, with a real state.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/parts.h"
#include "engine_bench.h"
#include "fiber/loop.h"

/* ---- Tests
 * --------------------------------------------------------------------- */

static void everything_comes_once(void **state)
{
    (void)state;
    add_many(250);
    fake_server.messages[3].flags = PR_FLAG_SEEN | PR_FLAG_FLAGGED;
    run();
    assert_int_equal(bench.report.status, PR_OK);
    assert_int_equal(bench.done, 250);
    assert_int_equal(fake_mailbox.count, 250);
    assert_string_equal(fake_mailbox.deliveries[0].folder, "in");
    assert_string_equal(fake_mailbox.deliveries[0].text,
                        "Message-ID: <m1@fake.example>\nSubject: m1\n\nbody "
                        "of m1\n");
    assert_int_equal(fake_mailbox.deliveries[3].flags,
                     PR_FLAG_SEEN | PR_FLAG_FLAGGED);
    run();
    assert_int_equal(bench.done, 0);
    assert_int_equal(fake_mailbox.count, 250);
    assert_int_equal(fake_server.bodies, 250);
}

static void a_poll_that_finds_nothing_lists_nothing(void **state)
{
    (void)state;
    add_many(5);
    run();
    fake_server.lists = 0;
    run();
    assert_int_equal(fake_server.lists, 0);
    assert_int_equal(fake_server.settled, 0);
}

static void only_the_new_ones_come(void **state)
{
    (void)state;
    add_many(20);
    run();
    add_many(10);
    run();
    assert_int_equal(bench.done, 10);
    assert_int_equal(fake_server.bodies, 30);
    assert_int_equal(fake_mailbox.count, 30);
}

static void deletion_follows_delivery(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    add_many(700);
    run();
    assert_int_equal(bench.report.status, PR_OK);
    assert_int_equal(fake_mailbox.count, 700);
    assert_int_equal(fake_server.count, 0);
    assert_int_equal(fake_server.unsafe_deeds, 0);
    run();
    assert_int_equal(fake_mailbox.count, 700);
}

static void deletion_can_come_later(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE_LATER;
    bench.account.after_delay = 3600 * 1000;
    add_many(3);
    run();
    run();
    assert_int_equal(fake_server.count, 3);
    bench.account.after_delay = 0;
    add_many(1);
    run();
    run();
    assert_int_equal(fake_server.count, 3);
    assert_int_equal(fake_mailbox.count, 4);
}

static void
what_waits_to_be_deleted_stays_if_that_is_no_longer_wanted(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE_LATER;
    bench.account.after_delay = 0;
    add_many(2);
    fake_server.refuses_all = true;
    run();
    fake_server.refuses_all = false;
    bench.account.after = AFTER_KEEP;
    run();
    assert_int_equal(fake_server.count, 2);
    bench.account.after = AFTER_DELETE_LATER;
    run();
    assert_int_equal(fake_server.count, 0);
}

/* As a rule with two m:copy_to leaves it, on an account that deletes. */
static pr_status leave_debts(void *argument)
{
    (void)argument;
    struct state *store;
    struct state_folder folder;
    struct state_changes *changes;
    assert_int_equal(state_open(bench.directory, &store), PR_OK);
    assert_int_equal(state_folder(store, "a", "INBOX", &folder), PR_OK);
    assert_int_equal(state_begin(store, &changes), PR_OK);
    state_new_validity(changes, folder.id, fake_server.uidvalidity);
    state_watermark(changes, folder.id, 2);
    struct state_row row = {.uid = 1,
                            .stage = STAGE_OWED,
                            .debt = {.set = {.system = PR_FLAG_FLAGGED},
                                     .copy_to = "One\nTwo",
                                     .remove = true,
                                     .due = fake_server.due}};
    state_safe(changes, folder.id, &row);
    assert_int_equal(state_commit(changes), PR_OK);
    state_close(store);
    return PR_OK;
}

static void a_message_goes_when_all_its_copies_are_made(void **state)
{
    (void)state;
    add_many(1);
    assert_int_equal(loop_run(1, leave_debts, NULL), PR_OK);
    fake_server.refused_copy = "One";
    run();
    run();
    assert_int_equal(fake_server.count, 1);
    assert_int_equal(fake_server.copies, 1);
    fake_server.refused_copy = NULL;
    run();
    assert_int_equal(fake_server.count, 0);
    assert_int_equal(fake_server.copies, 2);
}

static void flags_and_copies_do_not_wait_for_the_deletion(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE_LATER;
    add_many(1);
    fake_server.due = INT64_MAX;
    assert_int_equal(loop_run(1, leave_debts, NULL), PR_OK);
    run();
    run();
    assert_int_equal(fake_server.copies, 2);
    assert_int_equal(fake_server.messages[0].flags, PR_FLAG_FLAGGED);
    assert_int_equal(fake_server.count, 1);
}

static void seen_is_set_on_the_server_alone(void **state)
{
    (void)state;
    bench.account.after = AFTER_SEEN;
    add_many(2);
    run();
    assert_int_equal(fake_server.messages[0].flags, PR_FLAG_SEEN);
    assert_int_equal(fake_mailbox.deliveries[0].flags, 0);
}

static void read_only_accounts_change_nothing(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    bench.account.read_only = true;
    add_many(2);
    run();
    assert_int_equal(fake_server.count, 2);
    assert_int_equal(fake_server.settled, 0);
    assert_int_equal(fake_mailbox.count, 2);
}

static void a_full_disk_puts_off_and_loses_nothing(void **state)
{
    (void)state;
    add_many(10);
    fake_mailbox.fail_next = 4;
    fake_mailbox.failure = PR_FULL;
    run();
    assert_int_equal(bench.done, 6);
    assert_int_equal(bench.later, 4);
    assert_int_equal(bench.report.put_off, 4);
    run();
    assert_int_equal(bench.done, 4);
    assert_int_equal(fake_mailbox.count, 10);
    for (size_t i = 1; i <= 10; i++) {
        char subject[30];
        snprintf(subject, sizeof(subject), "m%zu", i);
        assert_int_equal(fake_count(&fake_mailbox, subject), 1);
    }
}

static void a_retry_goes_only_to_the_sink_that_lacks_it(void **state)
{
    (void)state;
    bench.account.deliver_count = 2;
    bench.account.after = AFTER_DELETE;
    add_many(3);
    fake_other.fail_next = 2;
    fake_other.failure = PR_FULL;
    run();
    assert_int_equal(fake_mailbox.count, 3);
    assert_int_equal(fake_other.count, 1);
    assert_int_equal(fake_server.count, 2);
    run();
    assert_int_equal(fake_mailbox.count, 3);
    assert_int_equal(fake_other.count, 3);
    assert_int_equal(fake_server.count, 0);
    assert_int_equal(fake_server.unsafe_deeds, 0);
}

static void a_refused_message_holds_up_no_other(void **state)
{
    (void)state;
    bench.targets[0].folder = "refused";
    add_many(1);
    run();
    assert_int_equal(bench.failed, 1);
    run();
    assert_int_equal(fake_server.bodies, 1);
    bench.targets[0].folder = "in";
    bench.mode = ENGINE_RETRY;
    add_many(5);
    fake_server.messages[2].trouble = PR_REFUSED;
    run();
    assert_int_equal(fake_mailbox.count, 5);
    assert_int_equal(bench.report.put_off, 1);
    fake_server.messages[2].trouble = PR_OK;
    run();
    assert_int_equal(fake_mailbox.count, 6);
}

static void a_broken_line_is_gone_on_with(void **state)
{
    (void)state;
    add_many(300);
    fake_server.lose_line_after = 120;
    run();
    assert_int_equal(bench.report.status, PR_NETWORK);
    assert_string_equal(bench.error, "the line broke");
    assert_int_equal(fake_mailbox.count, 120);
    fake_server.lose_line_after = 0;
    run();
    assert_int_equal(bench.report.status, PR_OK);
    assert_int_equal(fake_mailbox.count, 300);
    assert_int_equal(fake_server.bodies, 300);
}

static void a_message_that_breaks_the_line_stops_no_other(void **state)
{
    (void)state;
    add_many(30);
    fake_server.poison = "Subject: m11\r\n";
    run();
    assert_int_equal(bench.report.status, PR_NETWORK);
    assert_int_equal(fake_mailbox.count, 10);
    run();
    assert_int_equal(fake_mailbox.count, 10);
    run();
    assert_int_equal(bench.report.status, PR_OK);
    assert_int_equal(fake_mailbox.count, 29);
    fake_server.poison = NULL;
    bench.mode = ENGINE_RETRY;
    run();
    assert_int_equal(fake_mailbox.count, 30);
}

static void a_new_validity_delivers_nothing_again(void **state)
{
    (void)state;
    add_many(40);
    fake_add("twin");
    fake_add("twin");
    run();
    fake_renumber(8, 500);
    fake_add("new");
    fake_server.bodies = 0;
    run();
    assert_int_equal(bench.report.status, PR_OK);
    assert_int_equal(fake_server.bodies, 1);
    assert_int_equal(fake_mailbox.count, 43);
    assert_int_equal(fake_count(&fake_mailbox, "twin"), 2);
    assert_int_equal(fake_count(&fake_mailbox, "new"), 1);
    run();
    assert_int_equal(fake_mailbox.count, 43);
}

static void a_new_validity_keeps_what_one_sink_has(void **state)
{
    (void)state;
    bench.account.deliver_count = 2;
    add_many(3);
    fake_other.fail_next = 2;
    fake_other.failure = PR_FULL;
    run();
    assert_int_equal(bench.later, 2);
    fake_renumber(8, 500);
    run();
    assert_int_equal(bench.report.status, PR_OK);
    assert_int_equal(fake_mailbox.count, 3);
    assert_int_equal(fake_other.count, 3);
}

static void a_third_twin_after_a_new_validity_is_new(void **state)
{
    (void)state;
    fake_add("twin");
    fake_add("twin");
    run();
    fake_add("twin");
    fake_renumber(8, 10);
    run();
    assert_int_equal(fake_count(&fake_mailbox, "twin"), 3);
}

static void a_folder_put_back_from_a_copy_loses_no_new_message(void **state)
{
    (void)state;
    add_many(20);
    run();
    fake_server.count = 10;
    fake_server.uidnext = 11;
    fake_add("new");
    run();
    assert_int_equal(fake_count(&fake_mailbox, "new"), 1);
    assert_int_equal(fake_mailbox.count, 21);
    run();
    assert_int_equal(fake_mailbox.count, 21);
}

static void a_folder_that_is_refused_stops_no_other(void **state)
{
    (void)state;
    add_many(3);
    fake_server.has_refused_folder = true;
    run();
    assert_int_equal(bench.report.status, PR_REFUSED);
    assert_int_equal(fake_mailbox.count, 3);
}

static void debts_that_come_while_others_are_paid_end_no_run(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    fake_server.settles_slowly = true;
    add_many(1000);
    run();
    assert_int_equal(fake_mailbox.count, 1000);
    assert_int_equal(fake_server.count, 0);
}

static void a_first_run_can_leave_what_is_there(void **state)
{
    (void)state;
    bench.account.start = START_NOW;
    add_many(5);
    run();
    assert_int_equal(fake_mailbox.count, 0);
    add_many(2);
    run();
    assert_int_equal(fake_mailbox.count, 2);
    fake_renumber(9, 100);
    run();
    assert_int_equal(fake_mailbox.count, 2);
}

static void limits_leave_messages_on_the_server(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    bench.account.limit_messages = 4;
    bench.account.limit_size = 150;
    add_many(6);
    memset(fake_server.messages[0].text + 70, 'x', 100);
    run();
    assert_int_equal(fake_mailbox.count, 4);
    assert_int_equal(fake_server.count, 2);
    assert_int_equal(bench.report.put_off, 0);
    bench.account.limit_size = 0;
    run();
    assert_int_equal(fake_mailbox.count, 6);
    assert_int_equal(fake_server.count, 0);
}

static void a_dry_run_changes_nothing(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    bench.mode = ENGINE_DRY_RUN;
    add_many(4);
    run();
    assert_int_equal(bench.planned, 4);
    assert_int_equal(fake_mailbox.count, 0);
    assert_int_equal(fake_server.count, 4);
    bench.mode = 0;
    run();
    assert_int_equal(fake_mailbox.count, 4);
    assert_int_equal(fake_server.count, 0);
}

/* ---- After a crash
 * ---------------------------------------------------------------- */

/* Leaves the state as a crash between intent and safe would: message 1 was
 * delivered, message 2 was not. */
static pr_status leave_intents(void *argument)
{
    (void)argument;
    struct state *store;
    struct state_folder folder;
    struct state_changes *changes;
    assert_int_equal(state_open(bench.directory, &store), PR_OK);
    assert_int_equal(state_folder(store, "a", "INBOX", &folder), PR_OK);
    assert_int_equal(state_begin(store, &changes), PR_OK);
    state_new_validity(changes, folder.id, fake_server.uidvalidity);
    for (uint32_t uid = 1; uid <= 2; uid++) {
        char key[20];
        snprintf(key, sizeof(key), "key%u", uid);
        struct state_row row = {.uid = uid, .stage = STAGE_INTENT};
        struct state_delivery delivery = {
            .sink = "memory:one", .folder = "in", .key = key, .receipt = "in"};
        row.debt.remove = true;
        state_intend(changes, folder.id, &row, &delivery, 1);
    }
    assert_int_equal(state_commit(changes), PR_OK);
    state_close(store);
    return PR_OK;
}

static void what_a_crash_left_is_looked_up(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    add_many(3);
    strcpy(fake_mailbox.deliveries[0].key, "key1");
    strcpy(fake_mailbox.deliveries[0].text, "Subject: m1\n");
    fake_mailbox.count = 1;
    assert_int_equal(loop_run(1, leave_intents, NULL), PR_OK);
    run();
    assert_int_equal(fake_mailbox.count, 3);
    assert_int_equal(fake_server.bodies, 2);
    assert_int_equal(fake_server.count, 0);
    assert_int_equal(fake_count(&fake_mailbox, "m1"), 1);
}

static void what_cannot_be_told_is_delivered_again(void **state)
{
    (void)state;
    add_many(2);
    fake_mailbox.recover_says = PR_DOUBT;
    assert_int_equal(loop_run(1, leave_intents, NULL), PR_OK);
    run();
    assert_int_equal(fake_mailbox.count, 2);
    run();
    assert_int_equal(fake_mailbox.count, 2);
}

static void what_cannot_be_asked_now_waits(void **state)
{
    (void)state;
    add_many(2);
    fake_mailbox.recover_says = PR_NETWORK;
    assert_int_equal(loop_run(1, leave_intents, NULL), PR_OK);
    run();
    assert_int_equal(fake_mailbox.count, 0);
    assert_int_equal(bench.report.put_off, 2);
    fake_mailbox.recover_says = PR_OK;
    run();
    assert_int_equal(fake_mailbox.count, 2);
}

static void one_in_doubt_is_asked_about_before_it_is_repeated(void **state)
{
    (void)state;
    add_many(2);
    fake_mailbox.fail_next = 1;
    fake_mailbox.failure = PR_DOUBT;
    run();
    assert_int_equal(fake_mailbox.count, 1);
    assert_int_equal(bench.report.put_off, 1);
    fake_mailbox.recover_says = PR_NETWORK;
    run();
    assert_int_equal(fake_mailbox.count, 1);
    fake_mailbox.recover_says = PR_OK;
    run();
    assert_int_equal(fake_mailbox.count, 2);
}

/* That it could not be asked about is of one run, whatever else becomes known
 * of the message in it. */
static void one_that_is_renumbered_while_it_waits_comes_in_the_end(void **state)
{
    (void)state;
    add_many(2);
    fake_mailbox.fail_next = 1;
    fake_mailbox.failure = PR_DOUBT;
    run();
    fake_mailbox.recover_says = PR_NETWORK;
    fake_renumber(8, 500);
    run();
    assert_int_equal(fake_mailbox.count, 1);
    assert_true(bench.report.put_off > 0);
    fake_mailbox.recover_says = PR_OK;
    run();
    assert_int_equal(fake_mailbox.count, 2);
}

/* What the disk would have if the machine stopped now. */
static void keep_state(void)
{
    char command[300];
    snprintf(command, sizeof(command), "rm -rf '%s.kept'; cp -r '%s' '%s.kept'",
             bench.directory, bench.directory, bench.directory);
    assert_int_equal(system(command), 0);
}

static void go_back_to_kept_state(void)
{
    char command[300];
    fake_on_commit = NULL;
    snprintf(command, sizeof(command), "rm -rf '%s'; mv '%s.kept' '%s'",
             bench.directory, bench.directory, bench.directory);
    assert_int_equal(system(command), 0);
}

static void a_crash_makes_no_delivery_of_one_not_staged(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    bench.account.deliver_count = 2;
    bench.targets[1].folder = "refused";
    add_many(1);
    fake_on_commit = keep_state;
    run();
    assert_int_equal(fake_mailbox.count, 1);
    go_back_to_kept_state();
    run();
    assert_int_equal(fake_server.count, 1);
    bench.mode = ENGINE_RETRY;
    bench.targets[1].folder = "in";
    run();
    assert_int_equal(fake_mailbox.count, 1);
    assert_int_equal(fake_other.count, 1);
    assert_int_equal(fake_server.count, 0);
}

static void a_crash_after_the_commit_doubles_nothing(void **state)
{
    (void)state;
    bench.account.after = AFTER_DELETE;
    add_many(3);
    fake_on_commit = keep_state;
    run();
    assert_int_equal(fake_mailbox.count, 3);
    go_back_to_kept_state();
    run();
    assert_int_equal(fake_mailbox.count, 3);
    assert_int_equal(fake_server.count, 0);
}

/* ---- The ledger
 * -------------------------------------------------------------------- */

static void the_watermark_stops_at_the_first_open_message(void **state)
{
    (void)state;
    struct ledger ledger = {
        .arena = pr_arena_new(), .watermark = 5, .next_uid = 20};
    struct entry *entries[4];
    uint32_t uids[] = {3, 7, 9, 12};
    for (size_t i = 0; i < 4; i++) {
        struct pr_item item = {.uid = uids[i]};
        assert_int_equal(ledger_add(&ledger, &item, &entries[i]), PR_OK);
    }
    assert_int_equal(ledger_watermark(&ledger), 7);
    entries[2]->fate = FATE_DEALT;
    assert_int_equal(ledger_watermark(&ledger), 7);
    entries[1]->fate = FATE_DEALT;
    assert_int_equal(ledger_watermark(&ledger), 12);
    entries[3]->fate = FATE_DEALT;
    assert_int_equal(ledger_watermark(&ledger), 20);
    pr_arena_free(ledger.arena);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_comes_once),
        TEST(a_poll_that_finds_nothing_lists_nothing),
        TEST(only_the_new_ones_come),
        TEST(deletion_follows_delivery),
        TEST(deletion_can_come_later),
        TEST(what_waits_to_be_deleted_stays_if_that_is_no_longer_wanted),
        TEST(a_message_goes_when_all_its_copies_are_made),
        TEST(flags_and_copies_do_not_wait_for_the_deletion),
        TEST(seen_is_set_on_the_server_alone),
        TEST(read_only_accounts_change_nothing),
        TEST(a_full_disk_puts_off_and_loses_nothing),
        TEST(a_retry_goes_only_to_the_sink_that_lacks_it),
        TEST(a_refused_message_holds_up_no_other),
        TEST(a_broken_line_is_gone_on_with),
        TEST(a_message_that_breaks_the_line_stops_no_other),
        TEST(a_new_validity_delivers_nothing_again),
        TEST(a_new_validity_keeps_what_one_sink_has),
        TEST(a_third_twin_after_a_new_validity_is_new),
        TEST(a_folder_put_back_from_a_copy_loses_no_new_message),
        TEST(a_folder_that_is_refused_stops_no_other),
        TEST(debts_that_come_while_others_are_paid_end_no_run),
        TEST(a_first_run_can_leave_what_is_there),
        TEST(limits_leave_messages_on_the_server),
        TEST(a_dry_run_changes_nothing),
        TEST(what_a_crash_left_is_looked_up),
        TEST(what_cannot_be_told_is_delivered_again),
        TEST(what_cannot_be_asked_now_waits),
        TEST(one_in_doubt_is_asked_about_before_it_is_repeated),
        TEST(one_that_is_renumbered_while_it_waits_comes_in_the_end),
        TEST(a_crash_makes_no_delivery_of_one_not_staged),
        TEST(a_crash_after_the_commit_doubles_nothing),
        cmocka_unit_test(the_watermark_stops_at_the_first_open_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
