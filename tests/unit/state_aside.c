/*
 * Messages put aside: seen, asked for again, dropped.
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

#include "fiber/loop.h"
#include "state/state.h"
#include "state_fixture.h"

static void put_aside(const char *name, uint32_t uid, int64_t due)
{
    struct state_row row = {
        .uid = uid, .size = 900, .tries = 2, .due = due, .reason = "too odd"};
    struct state_delivery half = {"maildir", "", "key", "receipt", true};
    struct state_changes *changes;

    OK(state_begin(state, &changes));
    state_intend(changes, folder(name).id, &row, &half, 1);
    state_deferred(changes, folder(name).id, &row);
    state_history(changes, &(struct state_event){.time = 1000,
                                                 .account = "work",
                                                 .folder = name,
                                                 .uid = uid,
                                                 .subject = "Odd one",
                                                 .outcome = "failed"});
    OK(state_commit(changes));
}

static size_t asides(struct state_aside **ret, size_t most)
{
    size_t count = 0;
    uint64_t total = 0;

    OK(state_asides(state, most, arena, ret, &count, &total));
    assert_true(count <= most && total >= count);
    return (size_t)total;
}

static struct state_row row_of(const char *name, uint32_t uid)
{
    struct state_row *rows;
    size_t count;

    OK(state_all_rows(state, folder(name).id, arena, &rows, &count));
    for (size_t i = 0; i < count; i++)
        if (rows[i].uid == uid)
            return rows[i];
    fail_msg("no row %u", uid);
    return (struct state_row){0};
}

static pr_status see(void *unused)
{
    struct state_aside *found;
    uint64_t count;

    (void)unused;
    assert_int_equal(asides(&found, 10), 0);
    put_aside("INBOX", 7, 5000);
    put_aside("Lists/dev", 3, 6000);
    put_aside("INBOX", 9, 5000);
    assert_int_equal(asides(&found, 10), 3);
    assert_string_equal(found[0].folder, "INBOX");
    assert_int_equal(found[0].uid, 7);
    assert_int_equal(found[1].uid, 9);
    assert_string_equal(found[2].folder, "Lists/dev");
    assert_string_equal(found[2].account, "work");
    assert_string_equal(found[2].reason, "too odd");
    assert_string_equal(found[2].subject, "Odd one");
    assert_int_equal(found[2].due, 6000);
    assert_int_equal(found[2].tries, 2);
    assert_int_equal(asides(&found, 1), 3);
    OK(state_aside_count(state, "work", &count));
    assert_int_equal(count, 3);
    OK(state_aside_count(state, "home", &count));
    assert_int_equal(count, 0);
    return PR_OK;
}

static pr_status retry(void *unused)
{
    const char *account = NULL;

    (void)unused;
    put_aside("Lists/dev", 3, 6000);
    OK(state_aside_retry(state, "work/Lists/dev/3", arena, &account));
    assert_string_equal(account, "work");
    struct state_row row = row_of("Lists/dev", 3);
    assert_int_equal(row.stage, STAGE_DEFERRED);
    assert_int_equal(row.due, 0);
    assert_int_equal(row.tries, 2);
    return PR_OK;
}

static pr_status drop(void *unused)
{
    struct state_aside *found;
    struct state_delivery *deliveries;
    struct state_event *events;
    size_t count;

    (void)unused;
    put_aside("INBOX", 7, 5000);
    put_aside("INBOX", 8, 5000);
    OK(state_aside_drop(state, "work/INBOX/7", arena));
    assert_int_equal(row_of("INBOX", 7).stage, STAGE_SETTLED);
    assert_null(row_of("INBOX", 7).reason);
    OK(state_deliveries(state, folder("INBOX").id, 7, arena, &deliveries,
                        &count));
    assert_int_equal(count, 0);
    assert_int_equal(asides(&found, 10), 1);
    assert_int_equal(found[0].uid, 8);
    OK(state_why(state, "work/INBOX/7", arena, &events, &count));
    assert_int_equal(count, 2);
    assert_string_equal(events[1].action, "drop");
    return PR_OK;
}

static pr_status unknown(void *unused)
{
    static const char *const ids[] = {"work/INBOX/8",
                                      "work/8",
                                      "",
                                      "/",
                                      "work",
                                      "work/INBOX/x",
                                      "home/INBOX/7",
                                      "work/INBOX/99999999999999999999"};
    const char *account;

    (void)unused;
    put_aside("INBOX", 7, 5000);
    OK(state_aside_drop(state, "work/INBOX/7", arena));
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        assert_int_equal(state_aside_drop(state, ids[i], arena), PR_GONE);
        assert_int_equal(state_aside_retry(state, ids[i], arena, &account),
                         PR_GONE);
    }
    /* It is dealt with now. */
    assert_int_equal(state_aside_drop(state, "work/INBOX/7", arena), PR_GONE);
    return PR_OK;
}

/* A message with two targets has two events and counts once. */
static pr_status count(void *unused)
{
    static const struct {
        int64_t time;
        uint32_t uid;
        const char *outcome;
    } all[] = {{100, 1, "done"}, {200, 2, "done"},   {200, 2, "done"},
               {300, 3, "done"}, {400, 4, "failed"}, {500, 3, "failed"}};
    struct state_changes *changes;
    struct state_account *accounts;
    size_t found;

    (void)unused;
    (void)folder("INBOX");
    OK(state_begin(state, &changes));
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        state_history(changes,
                      &(struct state_event){.time = all[i].time,
                                            .account = "work",
                                            .folder = "INBOX",
                                            .uid = all[i].uid,
                                            .outcome = all[i].outcome});
    OK(state_commit(changes));
    OK(state_accounts(state, 200, arena, &accounts, &found));
    assert_int_equal(found, 1);
    assert_string_equal(accounts[0].account, "work");
    assert_int_equal(accounts[0].messages, 2);
    assert_int_equal(accounts[0].last_message, 300);
    OK(state_accounts(state, 0, arena, &accounts, &found));
    assert_int_equal(accounts[0].messages, 3);
    OK(state_accounts(state, 9999, arena, &accounts, &found));
    assert_int_equal(accounts[0].messages, 0);
    return PR_OK;
}

static void run(pr_fiber_fn *test)
{
    OK(loop_run(1, test, NULL));
}

static void what_is_put_aside_can_be_seen(void **unused)
{
    (void)unused;
    run(see);
}

static void a_retry_is_due_at_once(void **unused)
{
    (void)unused;
    run(retry);
}

static void what_is_dropped_is_not_fetched_again(void **unused)
{
    (void)unused;
    run(drop);
}

static void what_is_not_put_aside_is_left_alone(void **unused)
{
    (void)unused;
    run(unknown);
}

static void messages_of_today_are_counted(void **unused)
{
    (void)unused;
    run(count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_aside_can_be_seen),
        TEST(a_retry_is_due_at_once),
        TEST(what_is_dropped_is_not_fetched_again),
        TEST(what_is_not_put_aside_is_left_alone),
        TEST(messages_of_today_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
