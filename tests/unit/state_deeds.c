/*
 * Deletions counted, held and answered; deeds noted and taken back; a database
 * of the version before that had neither.
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
#include "state/deeds.h"
#include "state/guard.h"
#include "state/private.h"
#include "state_fixture.h"

static void owe(const char *name, uint32_t uid, enum state_guard guard)
{
    struct state_row row = {.uid = uid,
                            .stage = STAGE_OWED,
                            .size = 900,
                            .received = 77,
                            .print = {1, 2, 3},
                            .debt = {.remove = true,
                                     .guard = guard,
                                     .rule = "too eager",
                                     .file = "config.lua",
                                     .line = 12}};
    struct state_changes *changes = begin();

    state_safe(changes, folder_id(name), &row);
    state_history(changes, &(struct state_event){.time = 1000,
                                                 .account = "work",
                                                 .folder = name,
                                                 .uid = uid,
                                                 .message_id = "<a@b>",
                                                 .sender = "x@example.org",
                                                 .subject = "Odd one",
                                                 .outcome = "done"});
    OK(state_commit(changes));
}

static struct state_row row_of(const char *name, uint32_t uid)
{
    struct state_row *rows;
    size_t count;

    OK(state_all_rows(state, folder_id(name), arena, &rows, &count));
    for (size_t i = 0; i < count; i++)
        if (rows[i].uid == uid)
            return rows[i];
    fail_msg("no row %u", uid);
    return (struct state_row){0};
}

static void change_guards(void (*how)(struct state_changes *, int64_t),
                          const char *name)
{
    struct state_changes *changes = begin();

    how(changes, folder_id(name));
    OK(state_commit(changes));
}

static uint64_t answer(const char *name, enum held_answer what)
{
    const char *account;
    uint64_t count;

    OK(state_held_answer(state, name, what, arena, &account, &count));
    assert_string_equal(account, "work");
    return count;
}

/* ---- Held ---------------------------------------------------------------- */

static void a_deletion_keeps_who_asked_for_it(void **unused)
{
    (void)unused;
    owe("INBOX", 7, GUARD_COUNTED);
    reopen();
    struct state_row row = row_of("INBOX", 7);
    assert_int_equal(row.debt.guard, GUARD_COUNTED);
    assert_string_equal(row.debt.rule, "too eager");
    assert_string_equal(row.debt.file, "config.lua");
    assert_int_equal(row.debt.line, 12);
}

static void what_is_counted_is_listed_piece_by_piece(void **unused)
{
    struct state_row *rows;
    uint64_t total;
    size_t count;
    int64_t inbox = folder_id("INBOX");

    (void)unused;
    for (uint32_t uid = 1; uid <= 5; uid++)
        owe("INBOX", uid, GUARD_COUNTED);
    owe("INBOX", 6, GUARD_NONE);
    owe("Lists", 1, GUARD_COUNTED);
    OK(state_counted(state, inbox, &total));
    assert_int_equal(total, 5);
    OK(state_counted_rows(state, inbox, 0, 3, arena, &rows, &count));
    assert_int_equal(count, 3);
    OK(state_counted_rows(state, inbox, rows[2].uid, 3, arena, &rows, &count));
    assert_int_equal(count, 2);
    assert_int_equal(rows[1].uid, 5);
    change_guards(state_allow, "INBOX");
    OK(state_counted(state, inbox, &total));
    assert_int_equal(total, 0);
    assert_int_equal(row_of("INBOX", 5).debt.guard, GUARD_CONFIRMED);
    assert_int_equal(row_of("INBOX", 6).debt.guard, GUARD_NONE);
    assert_int_equal(row_of("Lists", 1).debt.guard, GUARD_COUNTED);
}

static void what_is_held_is_told_by_rule(void **unused)
{
    struct state_held *held;
    struct state_standing *standings;
    struct state_row *rows;
    struct state_event *events;
    size_t count;

    (void)unused;
    owe("INBOX", 7, GUARD_COUNTED);
    owe("INBOX", 8, GUARD_COUNTED);
    change_guards(state_hold, "INBOX");
    OK(state_held(state, arena, &held, &count));
    assert_int_equal(count, 1);
    assert_string_equal(held[0].account, "work");
    assert_string_equal(held[0].folder, "INBOX");
    assert_int_equal(held[0].messages, 2);
    assert_string_equal(held[0].rule, "too eager");
    assert_int_equal(held[0].line, 12);
    /* It is nothing that has to be done, and nothing that is read each time. */
    OK(state_standings(state, "work", 5000, arena, &standings, &count));
    assert_int_equal(standings[0].due_now, 0);
    OK(state_rows(state, folder_id("INBOX"), 100, arena, &rows, &count));
    assert_int_equal(count, 0);
    OK(state_why(state, "work/INBOX/7", arena, &events, &count));
    assert_int_equal(count, 2);
    assert_string_equal(events[1].outcome, "later");
}

static void confirmed_deletions_are_debts_again(void **unused)
{
    struct state_standing *standings;
    const char *account;
    uint64_t answered;
    size_t count;

    (void)unused;
    owe("INBOX", 7, GUARD_HELD);
    owe("Lists/a", 8, GUARD_HELD);
    owe("INBOX", 9, GUARD_COUNTED);
    assert_int_equal(answer("work/Lists/a", HELD_CONFIRM), 1);
    assert_int_equal(row_of("Lists/a", 8).debt.guard, GUARD_CONFIRMED);
    assert_int_equal(row_of("INBOX", 7).debt.guard, GUARD_HELD);
    assert_int_equal(answer("work", HELD_CONFIRM), 1);
    assert_int_equal(row_of("INBOX", 7).debt.guard, GUARD_CONFIRMED);
    assert_int_equal(row_of("INBOX", 9).debt.guard, GUARD_COUNTED);
    OK(state_standings(state, "work", 5000, arena, &standings, &count));
    assert_true(standings[0].due_now > 0);
    assert_int_equal(state_held_answer(state, "work", HELD_CONFIRM, arena,
                                       &account, &answered),
                     PR_GONE);
    assert_int_equal(state_held_answer(state, "home", HELD_CONFIRM, arena,
                                       &account, &answered),
                     PR_GONE);
    assert_int_equal(
        state_held_answer(state, "", HELD_CONFIRM, arena, &account, &answered),
        PR_GONE);
}

static void refused_deletions_are_none(void **unused)
{
    (void)unused;
    owe("INBOX", 7, GUARD_HELD);
    assert_int_equal(answer("work/INBOX", HELD_REFUSE), 1);
    struct state_row row = row_of("INBOX", 7);
    assert_int_equal(row.stage, STAGE_SETTLED);
    assert_false(row.debt.remove);
    assert_int_equal(row.debt.guard, GUARD_NONE);
    assert_null(row.debt.rule);
    assert_int_equal(row.size, 900);
}

static void refused_deletions_may_be_judged_by_rules_again(void **unused)
{
    (void)unused;
    owe("INBOX", 7, GUARD_HELD);
    assert_int_equal(answer("work", HELD_RETRY), 1);
    struct state_row row = row_of("INBOX", 7);
    assert_int_equal(row.stage, STAGE_DEFERRED);
    assert_false(row.debt.remove);
    assert_int_equal(row.due, 0);
    assert_int_equal(row.tries, 0);
}

static void a_whole_folder_is_held_and_answered(void **unused)
{
    struct state_held_folder held = {.account = "work",
                                     .folder = "Old",
                                     .guard = GUARD_HELD,
                                     .messages = 900,
                                     .rule = "tidy",
                                     .file = "config.lua",
                                     .line = 3};
    struct state_held_folder *folders;
    struct state_held *all;
    size_t count;

    (void)unused;
    struct state_changes *changes = begin();
    state_hold_folder(changes, &held);
    OK(state_commit(changes));
    OK(state_held(state, arena, &all, &count));
    assert_int_equal(count, 1);
    assert_true(all[0].is_folder);
    assert_int_equal(all[0].messages, 900);
    OK(state_held_folders(state, "work", GUARD_CONFIRMED, arena, &folders,
                          &count));
    assert_int_equal(count, 0);
    assert_int_equal(answer("work/Old", HELD_CONFIRM), 1);
    OK(state_held_folders(state, "work", GUARD_CONFIRMED, arena, &folders,
                          &count));
    assert_int_equal(count, 1);
    assert_string_equal(folders[0].folder, "Old");
    assert_int_equal(folders[0].line, 3);
    held.guard = GUARD_NONE;
    changes = begin();
    state_hold_folder(changes, &held);
    OK(state_commit(changes));
    OK(state_held_folders(state, "work", GUARD_CONFIRMED, arena, &folders,
                          &count));
    assert_int_equal(count, 0);
}

/* ---- Deeds --------------------------------------------------------------- */

static void note(const struct state_deed *deed)
{
    struct state_changes *changes = begin();

    state_deed(changes, folder_id(deed->folder), deed);
    OK(state_commit(changes));
}

static size_t deeds_since(int64_t since, struct state_deed **ret)
{
    size_t count;

    OK(state_deeds(state, "work", since, arena, ret, &count));
    return count;
}

static struct state_deed moved(uint32_t uid, int64_t time)
{
    return (struct state_deed){.time = time,
                               .account = "work",
                               .folder = "INBOX",
                               .uidvalidity = 5,
                               .uid = uid,
                               .kind = DEED_MOVED,
                               .target = "Lists",
                               .target_validity = 6,
                               .target_uid = uid + 100,
                               .set = {PR_FLAG_SEEN, "$a"},
                               .clear = {PR_FLAG_FLAGGED, NULL}};
}

static void a_deed_knows_its_message(void **unused)
{
    struct state_deed *deeds, deed = moved(7, 2000);

    (void)unused;
    owe("INBOX", 7, GUARD_NONE);
    note(&deed);
    reopen();
    assert_int_equal(deeds_since(0, &deeds), 1);
    assert_int_equal(deeds->uid, 7);
    assert_int_equal(deeds->target_uid, 107);
    assert_int_equal(deeds->target_validity, 6);
    assert_int_equal(deeds->size, 900);
    assert_int_equal(deeds->received, 77);
    assert_int_equal(deeds->print[1], 2);
    assert_string_equal(deeds->subject, "Odd one");
    assert_string_equal(deeds->message_id, "a@b");
    assert_string_equal(deeds->set.keywords, "$a");
    assert_int_equal(deeds->clear.system, PR_FLAG_FLAGGED);
    /* One of a message that the state does not know. */
    deed.uid = 8;
    deed.size = 4;
    deed.subject = "Given";
    note(&deed);
    assert_int_equal(deeds_since(0, &deeds), 2);
    assert_int_equal(deeds->size, 4);
    assert_string_equal(deeds->subject, "Given");
}

static void deeds_are_listed_from_a_time_on(void **unused)
{
    struct state_deed *deeds, first = moved(1, 1000), second = moved(2, 2000);

    (void)unused;
    note(&first);
    note(&second);
    assert_int_equal(deeds_since(0, &deeds), 2);
    assert_int_equal(deeds[0].uid, 2); /* the newest first */
    assert_int_equal(deeds_since(2000, &deeds), 1);
    assert_int_equal(deeds_since(2001, &deeds), 0);
    OK(state_prune_deeds(state, 2000));
    assert_int_equal(deeds_since(0, &deeds), 1);
    assert_int_equal(deeds[0].uid, 2);
}

static void a_deed_that_returns_is_remembered_until_it_is_undone(void **unused)
{
    struct state_deed *deeds, deed = moved(7, 2000);
    size_t count;

    (void)unused;
    note(&deed);
    assert_int_equal(deeds_since(0, &deeds), 1);
    deeds->size = 33;
    deeds->print[0] = 9;
    struct state_changes *changes = begin();
    state_deed_returns(changes, deeds);
    OK(state_commit(changes));
    reopen();
    assert_int_equal(deeds_since(0, &deeds), 0);
    OK(state_deeds_returning(state, "work", "Lists", arena, &deeds, &count));
    assert_int_equal(count, 0);
    OK(state_deeds_returning(state, "work", "INBOX", arena, &deeds, &count));
    assert_int_equal(count, 1);
    assert_int_equal(deeds->size, 33);
    assert_int_equal(deeds->print[0], 9);
    changes = begin();
    state_deed_stays(changes, deeds->id);
    OK(state_commit(changes));
    assert_int_equal(deeds_since(0, &deeds), 1);
    changes = begin();
    state_deed_undone(changes, deeds, 20);
    OK(state_commit(changes));
    assert_int_equal(deeds_since(0, &deeds), 0);
}

/* A sweep may move what was never fetched. */
static void a_message_not_dealt_with_yet_is_new_when_it_returns(void **unused)
{
    struct state_deed *deeds, below = moved(4, 1), above = moved(9, 2),
                              known = moved(10, 3), aside = moved(11, 4);
    struct state_row row = {.uid = 11, .reason = "too odd"};

    (void)unused;
    struct state_changes *changes = begin();
    state_watermark(changes, folder_id("INBOX"), 5);
    state_deferred(changes, folder_id("INBOX"), &row);
    OK(state_commit(changes));
    owe("INBOX", 10, GUARD_NONE);
    note(&below);
    note(&above);
    note(&known);
    note(&aside);
    assert_int_equal(deeds_since(0, &deeds), 4);
    assert_true(deeds[0].is_new);
    assert_false(deeds[1].is_new);
    assert_true(deeds[2].is_new);
    assert_false(deeds[3].is_new);
}

/* Flags set in INBOX, then moved; the move is undone, and the message has
 * another UID there. */
static void older_deeds_follow_the_message(void **unused)
{
    struct state_deed *deeds, in = moved(3, 1000), flags = moved(7, 2000),
                              out = moved(7, 3000), other = moved(7, 1500);

    (void)unused;
    in.folder = "Drafts";
    in.target = "INBOX";
    in.target_validity = 5;
    in.target_uid = 7;
    note(&in);
    other.uidvalidity = 4; /* of another life of the folder */
    note(&other);
    flags.kind = DEED_FLAGGED;
    flags.target = NULL;
    flags.target_uid = 0;
    note(&flags);
    note(&out);
    assert_int_equal(deeds_since(3000, &deeds), 1);
    struct state_changes *changes = begin();
    state_deed_undone(changes, &deeds[0], 20);
    OK(state_commit(changes));
    assert_int_equal(deeds_since(0, &deeds), 3);
    assert_int_equal(deeds[0].kind, DEED_FLAGGED);
    assert_int_equal(deeds[0].uid, 20);
    assert_int_equal(deeds[1].uid, 7);
    assert_int_equal(deeds[2].target_uid, 20);
    assert_int_equal(deeds[2].uid, 3);
}

/* ---- From the version before --------------------------------------------- */

static void a_database_of_schema_3_is_brought_up(void **unused)
{
    struct state_deed *deeds, deed = moved(7, 2000);

    (void)unused;
    reopen_older(
        3, "INSERT INTO folder (id, account, name, uidvalidity, watermark, "
           "since) VALUES (3, 'work', 'INBOX', 5, 9, 1);"
           "INSERT INTO message (folder, uid, stage, size, received, move_to, "
           "remove) VALUES (3, 7, 2, 900, 77, 'Old', 1);"
           "INSERT INTO message (folder, uid, stage, size, received) "
           "VALUES (3, 8, 3, 901, 78)");
    assert_int_equal(folder("INBOX").watermark, 9);
    struct state_row row = row_of("INBOX", 7);
    assert_int_equal(row.stage, STAGE_OWED);
    assert_true(row.debt.remove);
    assert_string_equal(row.debt.move_to, "Old");
    assert_int_equal(row.debt.guard, GUARD_NONE);
    assert_int_equal(row_of("INBOX", 8).stage, STAGE_SETTLED);
    owe("INBOX", 9, GUARD_HELD);
    assert_int_equal(answer("work", HELD_REFUSE), 1);
    note(&deed);
    assert_int_equal(deeds_since(0, &deeds), 1);
    assert_int_equal(deeds->size, 900);
}

static pr_status all_tests(void *argument)
{
    int *failed = argument;

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_deletion_keeps_who_asked_for_it),
        TEST(what_is_counted_is_listed_piece_by_piece),
        TEST(what_is_held_is_told_by_rule),
        TEST(confirmed_deletions_are_debts_again),
        TEST(refused_deletions_are_none),
        TEST(refused_deletions_may_be_judged_by_rules_again),
        TEST(a_whole_folder_is_held_and_answered),
        TEST(a_deed_knows_its_message),
        TEST(deeds_are_listed_from_a_time_on),
        TEST(a_deed_that_returns_is_remembered_until_it_is_undone),
        TEST(a_message_not_dealt_with_yet_is_new_when_it_returns),
        TEST(older_deeds_follow_the_message),
        TEST(a_database_of_schema_3_is_brought_up),
    };
    *failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

int main(void)
{
    int failed = 1;

    if (loop_run(1, all_tests, &failed) != PR_OK)
        return 1;
    return failed;
}
