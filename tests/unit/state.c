/*
 * The state: what was noted is there again, whatever happened in between.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "state/private.h"
#include "state_fixture.h"

static struct state_row *rows(int64_t folder, uint32_t from, size_t expected)
{
    struct state_row *found;
    size_t count;

    OK(state_rows(state, folder, from, arena, &found, &count));
    assert_int_equal(count, expected);
    return found;
}

static size_t deliveries(int64_t folder, uint32_t uid,
                         struct state_delivery **ret)
{
    size_t count;

    OK(state_deliveries(state, folder, uid, arena, ret, &count));
    return count;
}

static struct state_row row_of(uint32_t uid, enum state_stage stage)
{
    return (struct state_row){
        .uid = uid,
        .stage = stage,
        .size = 1000 + uid,
        .received = 1700000000 + uid,
        .print = {1, 2, 3, (unsigned char)uid},
    };
}

static void put_safe(int64_t folder, uint32_t uid, enum state_stage stage)
{
    struct state_changes *changes = begin();
    struct state_row row = row_of(uid, stage);

    state_safe(changes, folder, &row);
    OK(state_commit(changes));
}

/* What the database itself says to `sql`, asked by another connection. */
static int64_t ask(const char *sql)
{
    char path[100];
    sqlite3 *db;
    sqlite3_stmt *statement;

    snprintf(path, sizeof(path), "%s/state.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(statement, 0);
    if (strcmp(sql, "PRAGMA integrity_check") == 0)
        assert_string_equal(sqlite3_column_text(statement, 0), "ok");
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

/* ---- Opening ------------------------------------------------------------- */

static void files_are_private(void **unused)
{
    char path[100];
    struct stat found;

    (void)unused;
    snprintf(path, sizeof(path), "%s/state.db", directory);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    (void)folder_id("INBOX");
    strcat(path, "-wal");
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
}

static void a_missing_directory_is_made(void **unused)
{
    char path[100];
    struct state *other;

    (void)unused;
    snprintf(path, sizeof(path), "%s/a/b/c", directory);
    OK(state_open(path, &other));
    state_close(other);
    assert_int_equal(access(path, W_OK), 0);
}

static void a_folder_is_made_once_and_stays(void **unused)
{
    struct state_folder first, again, other;
    int64_t now = (int64_t)time(NULL);

    (void)unused;
    OK(state_folder(state, "work", "Böx/ü", &first));
    assert_int_equal(first.uidvalidity, 0);
    assert_int_equal(first.watermark, 1);
    assert_true(first.since >= now && first.since <= now + 60);
    reopen();
    OK(state_folder(state, "work", "Böx/ü", &again));
    assert_int_equal(again.id, first.id);
    assert_int_equal(again.since, first.since);
    OK(state_folder(state, "home", "Böx/ü", &other));
    assert_int_not_equal(other.id, first.id);
}

static void a_newer_version_is_refused(void **unused)
{
    struct state *other = NULL;

    (void)unused;
    (void)folder_id("INBOX");
    assert_int_equal(
        sqlite3_exec(state->db, "PRAGMA user_version = 99", 0, 0, 0),
        SQLITE_OK);
    assert_int_equal(state_open(directory, &other), PR_CONFIG);
    assert_null(other);
    assert_non_null(strstr(pr_last_failure()->text, "newer version"));
    assert_int_equal(ask("SELECT count(*) FROM folder"), 1);
}

static void a_database_of_another_program_is_left_alone(void **unused)
{
    struct state *other = NULL;
    char path[100], command[200];

    (void)unused;
    snprintf(path, sizeof(path), "%s/foreign", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(command, sizeof(command), "%s/state.db", path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(command, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE folder (x)", 0, 0, 0),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(state_open(path, &other), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "another program"));
}

static void write_file(const char *path, const char *mode, long at,
                       const char *text, size_t size)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void a_damaged_database_is_kept_and_told(void **unused)
{
    char path[100];
    struct stat before, after;
    static const char junk[4000] = "this was a database once";

    (void)unused;
    for (uint32_t uid = 1; uid < 50; uid++)
        put_safe(folder_id("INBOX"), uid, STAGE_SETTLED);
    state_close(state);
    state = NULL;
    snprintf(path, sizeof(path), "%s/state.db", directory);
    write_file(path, "r+", 0, junk, sizeof(junk));
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(state_open(directory, &state), PR_IO);
    assert_non_null(strstr(pr_last_failure()->text, "damaged"));
    assert_non_null(strstr(pr_last_failure()->text, "move it away"));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

/* A step that ends at the n-th version after the present one. */
static const char *step_to(int n, const char *sql)
{
    static char text[8][200];

    snprintf(text[n], sizeof text[n], "%s; PRAGMA user_version = %d;", sql,
             schema_version + n);
    return text[n];
}

static void missing_steps_are_taken_together(void **unused)
{
    const char *steps[40] = {0};
    int have = schema_version;

    (void)unused;
    assert_true(have + 4 < 40);
    for (int i = 0; i < have; i++)
        steps[i] = schema_steps[i];
    steps[have] = step_to(1, "CREATE TABLE extra (a)");
    steps[have + 1] = step_to(2, "INSERT INTO extra VALUES (7)");
    steps[have + 2] = step_to(3, "CREATE TABLE more (a)");
    steps[have + 3] = step_to(4, "INSERT INTO nowhere VALUES (7)");
    put_safe(folder_id("INBOX"), 5, STAGE_SETTLED);
    OK(schema_migrate(state, steps, have + 2));
    assert_int_equal(ask("SELECT a FROM extra"), 7);
    assert_int_equal(ask("PRAGMA user_version"), have + 2);
    assert_int_not_equal(schema_migrate(state, steps, have + 4), PR_OK);
    assert_int_equal(ask("PRAGMA user_version"), have + 2);
    assert_int_equal(
        ask("SELECT count(*) FROM sqlite_schema WHERE name = 'more'"), 0);
    assert_int_equal(ask("SELECT count(*) FROM message"), 1);
}

static void every_older_database_is_brought_up(void **unused)
{
    (void)unused;
    for (int steps = 1; steps < schema_version; steps++) {
        reopen_older(
            steps,
            "INSERT INTO folder (id, account, name, uidvalidity, watermark, "
            "since) VALUES (3, 'work', 'INBOX', 5, 9, 1);"
            "INSERT INTO message (folder, uid, stage, size, received) "
            "VALUES (3, 12, 3, 901, 78)");
        assert_int_equal(folder("INBOX").watermark, 9);
        assert_int_equal(rows(folder_id("INBOX"), 1, 1)->size, 901);
        put_safe(folder_id("INBOX"), 13, STAGE_SETTLED);
        (void)rows(folder_id("INBOX"), 1, 2);
        assert_int_equal(ask("PRAGMA user_version"), schema_version);
    }
}

/* ---- A message's way ----------------------------------------------------- */

static void a_message_goes_from_intent_to_settled(void **unused)
{
    int64_t folder = folder_id("INBOX");
    struct state_row row = row_of(7, STAGE_SETTLED);
    const struct state_delivery two[] = {
        {"maildir:/m", "lists/dev", "key7", "lists/dev/new/x", false},
        {"pipe:x", "", "key7", "", false},
    };
    struct state_delivery *found;
    struct state_changes *changes = begin();

    (void)unused;
    row.debt.set = (struct pr_flags){PR_FLAG_SEEN, "$A $B"};
    row.debt.move_to = "Archive/2026";
    row.debt.due = 5;
    state_intend(changes, folder, &row, two, 2);
    OK(state_commit(changes));
    reopen();
    struct state_row *read = rows(folder, 1, 1);
    assert_int_equal(read->stage, STAGE_INTENT);
    assert_int_equal(read->size, 1007);
    assert_memory_equal(read->print, row.print, STATE_PRINT_SIZE);
    assert_string_equal(read->debt.set.keywords, "$A $B");
    assert_int_equal(deliveries(folder, 7, &found), 2);
    assert_string_equal(found[0].receipt, "lists/dev/new/x");

    changes = begin();
    state_delivered(changes, folder, &row, "maildir:/m", "lists/dev");
    OK(state_commit(changes));
    assert_int_equal(deliveries(folder, 7, &found), 2);
    assert_true(found[0].is_done);
    assert_false(found[1].is_done);

    row.stage = STAGE_OWED;
    changes = begin();
    state_safe(changes, folder, &row);
    OK(state_commit(changes));
    assert_int_equal(deliveries(folder, 7, &found), 0);
    read = rows(folder, 100, 1);
    assert_int_equal(read->stage, STAGE_OWED);
    assert_int_equal(read->debt.set.system, PR_FLAG_SEEN);
    assert_string_equal(read->debt.move_to, "Archive/2026");
    assert_null(read->debt.copy_to);
    assert_int_equal(read->debt.due, 5);

    changes = begin();
    state_settled(changes, folder, 7, false);
    OK(state_commit(changes));
    (void)rows(folder, 100, 0);
    read = rows(folder, 1, 1);
    assert_int_equal(read->stage, STAGE_SETTLED);
    assert_null(read->debt.move_to);
    assert_int_equal(read->debt.set.system, 0);
}

static void a_deferred_message_keeps_what_was_delivered(void **unused)
{
    int64_t folder = folder_id("INBOX");
    struct state_row row = row_of(9, STAGE_DEFERRED);
    const struct state_delivery first[] = {{"a", "x", "k", "x/new/k", false},
                                           {"b", "y", "k", "y/new/k", false}};
    const struct state_delivery again[] = {{"a", "x", "k", "other", false},
                                           {"c", "z", "k", "z/new/k", false}};
    struct state_delivery *found;
    struct state_changes *changes = begin();

    (void)unused;
    state_intend(changes, folder, &row, first, 2);
    state_delivered(changes, folder, &row, "a", "x");
    row.tries = 3;
    row.due = 1800000000;
    row.reason = "the disk is full";
    state_deferred(changes, folder, &row);
    OK(state_commit(changes));
    struct state_row *read = rows(folder, 1000, 1);
    assert_int_equal(read->stage, STAGE_DEFERRED);
    assert_int_equal(read->tries, 3);
    assert_int_equal(read->due, 1800000000);
    assert_string_equal(read->reason, "the disk is full");
    assert_int_equal(deliveries(folder, 9, &found), 2);

    /* Another plan replaces what was not done, and only that. */
    changes = begin();
    state_intend(changes, folder, &row, again, 2);
    OK(state_commit(changes));
    assert_int_equal(deliveries(folder, 9, &found), 2);
    assert_true(found[0].is_done);
    assert_string_equal(found[0].receipt, "x/new/k");
    assert_string_equal(found[1].sink, "c");
}

static void what_is_known_of_an_empty_message_is_kept(void **unused)
{
    int64_t folder = folder_id("INBOX");
    struct state_row row = row_of(4, STAGE_SETTLED);
    struct state_changes *changes;

    (void)unused;
    put_safe(folder, 4, STAGE_SETTLED);
    row.size = 0;
    row.uidl = "empty";
    changes = begin();
    state_known(changes, folder, &row);
    OK(state_commit(changes));
    struct state_row *read = rows(folder, 4, 1);
    assert_string_equal(read->uidl, "empty");
    assert_int_equal(read->size, 0);
}

static void forgotten_rows_are_gone(void **unused)
{
    int64_t folder = folder_id("INBOX");
    struct state_changes *changes;

    (void)unused;
    put_safe(folder, 1, STAGE_OWED);
    put_safe(folder, 2, STAGE_SETTLED);
    put_safe(folder, 3, STAGE_SETTLED);
    changes = begin();
    state_settled(changes, folder, 1, true);
    state_forget(changes, folder, 2);
    OK(state_commit(changes));
    assert_int_equal(rows(folder, 1, 1)->uid, 3);
}

static void rows_come_by_uid_from_the_watermark_and_open_ones(void **unused)
{
    int64_t folder = folder_id("INBOX"), other = folder_id("Other");
    struct state_row *found;
    size_t count;

    (void)unused;
    put_safe(folder, 4294967295, STAGE_SETTLED);
    put_safe(folder, 30, STAGE_SETTLED);
    put_safe(folder, 20, STAGE_OWED);
    put_safe(folder, 10, STAGE_SETTLED);
    put_safe(other, 15, STAGE_OWED);
    found = rows(folder, 30, 3);
    assert_int_equal(found[0].uid, 20);
    assert_int_equal(found[1].uid, 30);
    assert_int_equal(found[2].uid, 4294967295);
    OK(state_all_rows(state, folder, arena, &found, &count));
    assert_int_equal(count, 4);
    assert_int_equal(found[0].uid, 10);
}

static void a_new_validity_forgets_the_folder_and_only_that(void **unused)
{
    int64_t folder = folder_id("INBOX"), other = folder_id("Other");
    struct state_folder read;
    struct state_row row = row_of(3, STAGE_SETTLED);
    struct state_changes *changes = begin();

    (void)unused;
    put_safe(folder, 1, STAGE_SETTLED);
    put_safe(other, 1, STAGE_SETTLED);
    state_watermark(changes, folder, 2);
    OK(state_commit(changes));
    OK(state_folder(state, "work", "INBOX", &read));
    assert_int_equal(read.watermark, 2);
    changes = begin();
    state_new_validity(changes, folder, 777);
    state_safe(changes, folder, &row);
    OK(state_commit(changes));
    OK(state_folder(state, "work", "INBOX", &read));
    assert_int_equal(read.watermark, 1);
    assert_int_equal(read.uidvalidity, 777);
    assert_int_equal(rows(folder, 1, 1)->uid, 3);
    (void)rows(other, 1, 1);
}

static void dropped_changes_leave_no_trace(void **unused)
{
    int64_t folder = folder_id("INBOX");
    struct state_row row = row_of(3, STAGE_SETTLED);
    struct state_changes *changes = begin();

    (void)unused;
    state_safe(changes, folder, &row);
    state_drop(changes);
    state_drop(NULL);
    OK(state_commit(begin()));
    (void)rows(folder, 1, 0);
}

/* ---- Commits together ---------------------------------------------------- */

#define FIBERS 200

static int transactions;

static int count_transaction(void *unused)
{
    (void)unused;
    transactions++;
    return 0;
}

static int64_t shared_folder;

static pr_status commit_one(void *argument)
{
    struct state_changes *changes;
    uint32_t uid = (uint32_t)(uintptr_t)argument;
    struct state_row row = row_of(uid, STAGE_SETTLED);

    pr_status status = state_begin(state, &changes);
    if (status != PR_OK)
        return status;
    state_safe(changes, shared_folder, &row);
    return state_commit(changes);
}

static void commits_at_the_same_time_share_a_transaction(void **unused)
{
    struct pr_scope scope;

    (void)unused;
    shared_folder = folder_id("INBOX");
    transactions = 0;
    sqlite3_commit_hook(state->db, count_transaction, NULL);
    pr_scope_init(&scope);
    for (uintptr_t uid = 1; uid <= FIBERS; uid++)
        OK(pr_spawn(&scope, "commit", PR_STACK_SESSION, commit_one,
                    (void *)uid));
    OK(pr_scope_join(&scope));
    sqlite3_commit_hook(state->db, NULL, NULL);
    (void)rows(shared_folder, 1, FIBERS);
    assert_in_range(transactions, 1, 3);
}

static void a_cancelled_fiber_still_commits(void **unused)
{
    struct pr_scope scope;

    (void)unused;
    shared_folder = folder_id("INBOX");
    pr_scope_init(&scope);
    for (uintptr_t uid = 1; uid <= 10; uid++)
        OK(pr_spawn(&scope, "commit", PR_STACK_SESSION, commit_one,
                    (void *)uid));
    OK(pr_yield());
    pr_scope_cancel(&scope);
    OK(pr_scope_join(&scope));
    (void)rows(shared_folder, 1, 10);
}

static pr_status apply_bad(struct state *it, const struct change *change)
{
    (void)it, (void)change;
    return pr_fail(PR_BUG, "bad data");
}

static pr_status commit_bad(void *argument)
{
    struct state_changes *changes;
    struct state_row row = row_of(1000, STAGE_SETTLED);

    (void)argument;
    pr_status status = state_begin(state, &changes);
    if (status != PR_OK)
        return status;
    state_safe(changes, shared_folder, &row);
    (void)change_add(changes, sizeof(struct change), 0, 0, apply_bad);
    status = state_commit(changes);
    assert_string_equal(pr_last_failure()->text, "bad data");
    return status == PR_BUG ? PR_OK : PR_PROTOCOL;
}

static void what_is_wrong_with_one_does_not_hit_the_others(void **unused)
{
    struct pr_scope scope;

    (void)unused;
    shared_folder = folder_id("INBOX");
    pr_scope_init(&scope);
    for (uintptr_t uid = 1; uid <= 20; uid++)
        OK(pr_spawn(&scope, "commit", PR_STACK_SESSION,
                    uid == 7 ? commit_bad : commit_one, (void *)uid));
    OK(pr_scope_join(&scope));
    (void)rows(shared_folder, 1, 19);
}

static void a_full_disk_is_said_and_leaves_the_state_whole(void **unused)
{
    int64_t folder = folder_id("INBOX");
    struct state_row row = row_of(1, STAGE_SETTLED);
    struct state_changes *changes;
    char reason[500];

    (void)unused;
    put_safe(folder, 1, STAGE_SETTLED);
    assert_int_equal(
        sqlite3_exec(state->db, "PRAGMA max_page_count = 20", 0, 0, 0),
        SQLITE_OK);
    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    row.reason = reason;
    changes = begin();
    for (row.uid = 2; row.uid < 500; row.uid++)
        state_deferred(changes, folder, &row);
    assert_int_equal(state_commit(changes), PR_FULL);
    assert_non_null(strstr(pr_last_failure()->text, "no room"));
    (void)rows(folder, 1, 1);
    put_safe(folder, 2, STAGE_SETTLED);
    (void)rows(folder, 1, 2);
    (void)ask("PRAGMA integrity_check");
}

/* ---- History ------------------------------------------------------------- */

static void tell(uint32_t uid, const char *id, int64_t when, const char *action)
{
    struct state_changes *changes = begin();
    const struct state_event event = {
        .time = when,
        .account = "work",
        .folder = "lists/dev",
        .uid = uid,
        .message_id = id,
        .sender = "a@example.org",
        .subject = "Grüße",
        .action = action,
        .target = "maildir:~/Mail/lists",
        .rule = "lists",
        .file = "config.lua",
        .line = 12,
        .outcome = "done",
    };

    state_history(changes, &event);
    OK(state_commit(changes));
}

static size_t why(const char *id, struct state_event **ret)
{
    size_t count;

    OK(state_why(state, id, arena, ret, &count));
    return count;
}

static void history_is_found_by_message_id_and_by_place(void **unused)
{
    struct state_event *found;

    (void)unused;
    tell(5, "<a/b/7@example.org>", 100, "deliver");
    tell(5, " <a/b/7@example.org> ", 101, "flag");
    tell(6, NULL, 102, "delete");
    assert_int_equal(why("a/b/7@example.org", &found), 2);
    assert_int_equal(why("<a/b/7@example.org>", &found), 2);
    assert_string_equal(found[0].action, "deliver");
    assert_string_equal(found[1].action, "flag");
    assert_string_equal(found[0].subject, "Grüße");
    assert_string_equal(found[0].rule, "lists");
    assert_int_equal(found[0].line, 12);
    assert_null(found[0].reason);
    assert_int_equal(why("work/lists/dev/6", &found), 1);
    assert_null(found[0].message_id);
    assert_int_equal(why("work/lists/dev/5", &found), 2);
    assert_int_equal(why("work/lists/5", &found), 0);
    assert_int_equal(why("work/lists/dev/99999999999999999999", &found), 0);
    assert_int_equal(why("' OR 1=1 --", &found), 0);
    assert_int_equal(why("", &found), 0);
    assert_int_equal(why("/", &found), 0);
}

static void long_texts_are_cut_between_characters(void **unused)
{
    struct state_event *found;
    char long_id[1000];

    (void)unused;
    for (size_t i = 0; i < sizeof(long_id) - 1; i += 3)
        memcpy(long_id + i, "€", 3);
    long_id[999] = '\0';
    tell(5, "<x@y>", 100, long_id);
    assert_int_equal(why("x@y", &found), 1);
    assert_in_range(strlen(found[0].action), 290, 300);
    assert_int_equal(strlen(found[0].action) % 3, 0);
    tell(6, long_id, 100, "x");
    assert_int_equal(why(long_id, &found), 1);
}

static void old_history_is_pruned(void **unused)
{
    struct state_event *found;

    (void)unused;
    for (uint32_t i = 1; i <= 20; i++)
        tell(i, "<same@id>", 1000 + i, "deliver");
    OK(state_prune_history(state, 1011));
    assert_int_equal(why("same@id", &found), 10);
    assert_int_equal(found[0].time, 1011);
    OK(state_prune_history(state, 99999));
    assert_int_equal(why("same@id", &found), 0);
}

/* ---- No memory ----------------------------------------------------------- */

/* All that one message needs, until something fails. */
static pr_status live_through_a_message(struct pr_arena *place)
{
    struct state_folder folder;
    struct state_changes *changes;
    struct state_row row = row_of(7, STAGE_SETTLED), *found;
    const struct state_delivery one[] = {{"a", "x", "k", "x/new/k", false}};
    const struct state_event event = {.message_id = "<m@x>", .action = "keep"};
    struct state_event *events;
    size_t count;
    pr_status status = state_folder(state, "work", "INBOX", &folder);

    if (status == PR_OK)
        status = state_begin(state, &changes);
    if (status != PR_OK)
        return status;
    row.debt.move_to = "Archive";
    state_intend(changes, folder.id, &row, one, 1);
    state_delivered(changes, folder.id, &row, "a", "x");
    state_safe(changes, folder.id, &row);
    state_history(changes, &event);
    status = state_commit(changes);
    if (status == PR_OK)
        status = state_rows(state, folder.id, 1, place, &found, &count);
    if (status == PR_OK)
        status = state_why(state, "m@x", place, &events, &count);
    return status;
}

static void each_allocation_may_fail(void **unused)
{
    bool is_over = false;

    (void)unused;
    for (unsigned long n = 1; !is_over; n++) {
        memory_fail_at(n);
        struct pr_arena *place = pr_arena_new();
        pr_status status =
            place != NULL ? live_through_a_message(place) : PR_NOMEM;
        is_over = memory_fail_pending();
        memory_fail_at(0);
        pr_arena_free(place);
        assert_int_equal(status, is_over ? PR_OK : PR_NOMEM);
        assert_true(n < 1000);
    }
    assert_int_equal(ask("SELECT count(*) FROM message"), 1);
    for (unsigned long n = 1;; n++) {
        struct state *other = NULL;
        memory_fail_at(n);
        pr_status status = state_open(directory, &other);
        is_over = memory_fail_pending();
        memory_fail_at(0);
        state_close(other);
        assert_int_equal(status, is_over ? PR_OK : PR_NOMEM);
        if (is_over)
            break;
    }
}

/* ---- Locks --------------------------------------------------------------- */

static void an_account_is_locked_against_another_process(void **unused)
{
    struct state_lock *lock, *other;
    int result;

    (void)unused;
    OK(state_lock_account(state, "../work/ü", &lock));
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0)
        _exit(state_lock_account(state, "../work/ü", &other) == PR_BUSY &&
                      strstr(pr_last_failure()->text, "process") != NULL
                  ? 42
                  : 1);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 42);
    OK(state_lock_account(state, "home", &other));
    state_unlock_account(other);
    state_unlock_account(lock);
    OK(state_lock_account(state, "../work/ü", &lock));
    state_unlock_account(lock);
    state_unlock_account(NULL);
}

static void an_endless_account_name_is_refused(void **unused)
{
    char name[400];
    struct state_lock *lock;

    (void)unused;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(state_lock_account(state, name, &lock), PR_CONFIG);
}

/* ---- Kills --------------------------------------------------------------- */

#ifdef ENABLE_CRASH_POINTS
/* Outside any loop, jobs run at once in the caller. */
static pr_status commit_until_killed(void)
{
    for (uintptr_t uid = 1; uid < 50; uid++)
        if (commit_one((void *)uid) != PR_OK)
            return PR_BUG;
    return PR_OK;
}

static int crash_at(const char *program, const char *step)
{
    int result;
    pid_t child = fork();

    assert_int_not_equal(child, -1);
    if (child == 0) {
        setenv("POSTRIDER_CRASH_AT", step, 1);
        execl(program, program, directory, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    return WIFSIGNALED(result) ? WTERMSIG(result) : 0;
}

static char program[4096];

static void a_kill_around_a_commit_leaves_all_or_nothing(void **unused)
{
    char step[8];

    (void)unused;
    shared_folder = folder_id("INBOX");
    state_close(state);
    state = NULL;
    /* Steps 1 and 2 are around the commit of uid 1, and so on. */
    for (unsigned at = 1; at <= 12; at++) {
        snprintf(step, sizeof(step), "%u", at);
        assert_int_equal(crash_at(program, step), SIGKILL);
        (void)ask("PRAGMA integrity_check");
        assert_int_equal(ask("SELECT count(*) FROM message"), at / 2);
    }
}
#endif

/* ---- A large mailbox ----------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fill(int64_t folder, uint32_t count)
{
    for (uint32_t uid = 1; uid <= count;) {
        struct state_changes *changes = begin();
        for (int i = 0; i < 10000 && uid <= count; i++, uid++) {
            struct state_row row = row_of(uid, STAGE_SETTLED);
            state_safe(changes, folder, &row);
        }
        state_watermark(changes, folder, uid);
        OK(state_commit(changes));
    }
}

static void a_large_mailbox_opens_and_answers_fast(void **unused)
{
    bool is_long = getenv("POSTRIDER_LONG") != NULL;
    uint32_t count = is_long ? 1000000 : 20000;
    int64_t folder = folder_id("INBOX");

    (void)unused;
    fill(folder, count);
    put_safe(folder, 77, STAGE_OWED);
    double start = seconds();
    reopen();
    assert_int_equal(rows(folder, count + 1, 1)->uid, 77);
    assert_int_equal(rows(folder, count, 2)[1].uid, count);
    double took = seconds() - start;
    if (is_long)
        print_message("open and two ranges of %u rows: %.1f ms\n",
                      (unsigned)count, took * 1000);
    assert_true(took < 1);
}

/* ---- --------------------------------------------------------------------- */

static pr_status all_tests(void *failed)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(files_are_private),
        TEST(a_missing_directory_is_made),
        TEST(a_folder_is_made_once_and_stays),
        TEST(a_newer_version_is_refused),
        TEST(a_database_of_another_program_is_left_alone),
        TEST(a_damaged_database_is_kept_and_told),
        TEST(missing_steps_are_taken_together),
        TEST(every_older_database_is_brought_up),
        TEST(a_message_goes_from_intent_to_settled),
        TEST(a_deferred_message_keeps_what_was_delivered),
        TEST(what_is_known_of_an_empty_message_is_kept),
        TEST(forgotten_rows_are_gone),
        TEST(rows_come_by_uid_from_the_watermark_and_open_ones),
        TEST(a_new_validity_forgets_the_folder_and_only_that),
        TEST(dropped_changes_leave_no_trace),
        TEST(commits_at_the_same_time_share_a_transaction),
        TEST(a_cancelled_fiber_still_commits),
        TEST(what_is_wrong_with_one_does_not_hit_the_others),
        TEST(a_full_disk_is_said_and_leaves_the_state_whole),
        TEST(history_is_found_by_message_id_and_by_place),
        TEST(long_texts_are_cut_between_characters),
        TEST(old_history_is_pruned),
        TEST(each_allocation_may_fail),
        TEST(an_account_is_locked_against_another_process),
        TEST(an_endless_account_name_is_refused),
        TEST(a_large_mailbox_opens_and_answers_fast),
#ifdef ENABLE_CRASH_POINTS
        TEST(a_kill_around_a_commit_leaves_all_or_nothing),
#endif
    };

    *(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

int main(int argc, char **argv)
{
    int failed = 1;

#ifdef ENABLE_CRASH_POINTS
    if (argc > 1) {
        if (state_open(argv[1], &state) != PR_OK)
            return 1;
        shared_folder = folder_id("INBOX");
        return commit_until_killed() == PR_OK ? 0 : 1;
    }
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (size <= 0)
        return 1;
#endif
    (void)argc, (void)argv;
    if (loop_run(4, all_tests, &failed) != PR_OK)
        return 1;
    return failed != 0;
}
