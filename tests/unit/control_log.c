/*
 * Log lines: their forms, what repeats itself, the ring and its followers.
 */
#include "config.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/line.h"
#include "control/logs.h"
#include "control/repeats.h"

#define OK(call) assert_int_equal((call), PR_OK)

static struct line line_of(const char *who, const char *text)
{
    return (struct line){.time = 1769847302123,
                         .level = PR_LOG_WARNING,
                         .who = who,
                         .account = "",
                         .folder = "",
                         .text = text};
}

static void account_and_folder_are_found(void **unused)
{
    static const char *const accounts[] = {"work", "work/old", NULL};
    struct line line = line_of("work/Lists/dev", "x");
    char room[64];

    (void)unused;
    line_place(&line, accounts, room, sizeof(room));
    assert_string_equal(line.account, "work");
    assert_string_equal(line.folder, "Lists/dev");
    line = line_of("work/old/INBOX", "x");
    line_place(&line, accounts, room, sizeof(room));
    assert_string_equal(line.account, "work/old");
    assert_string_equal(line.folder, "INBOX");
    line = line_of("worker", "x");
    line_place(&line, accounts, room, sizeof(room));
    assert_string_equal(line.account, "");
    line = line_of("work", "x");
    line_place(&line, accounts, room, sizeof(room));
    assert_string_equal(line.account, "work");
    assert_string_equal(line.folder, "");
    line_place(&line, NULL, room, sizeof(room));
    assert_string_equal(line.account, "");
}

static void json_has_fields_of_its_own(void **unused)
{
    struct pr_buffer out = {.cap = 4096};
    struct line line = line_of("work/INBOX", "a \"quoted\" word");

    (void)unused;
    line.account = "work";
    line.folder = "INBOX";
    OK(line_add_json(&line, &out));
    json_t *json = json_loads(out.data, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "time")),
                        "2026-01-31T08:15:02.123Z");
    assert_string_equal(json_string_value(json_object_get(json, "level")),
                        "warning");
    assert_string_equal(json_string_value(json_object_get(json, "account")),
                        "work");
    assert_string_equal(json_string_value(json_object_get(json, "folder")),
                        "INBOX");
    assert_string_equal(json_string_value(json_object_get(json, "text")),
                        "a \"quoted\" word");
    json_decref(json);
    pr_buffer_done(&out);
}

static void the_journal_gets_fields(void **unused)
{
    struct pr_buffer out = {.cap = 4096};
    struct line line = line_of("work/INBOX", "refused");

    (void)unused;
    line.account = "work";
    line.folder = "INBOX";
    OK(line_add_journal(&line, &out));
    assert_string_equal(pr_buffer_text(&out),
                        "MESSAGE=work/INBOX: refused\nPRIORITY=4\n"
                        "SYSLOG_IDENTIFIER=postrider\n"
                        "POSTRIDER_ACCOUNT=work\nPOSTRIDER_FOLDER=INBOX\n");
    pr_buffer_done(&out);
}

static void text_has_colours_on_request(void **unused)
{
    struct pr_buffer out = {.cap = 4096};
    struct line line = line_of("work", "refused");

    (void)unused;
    OK(line_add_text(&line, false, &out));
    assert_non_null(strstr(out.data, " work: warning: refused\n"));
    assert_null(strchr(out.data, '\033'));
    pr_buffer_clear(&out);
    OK(line_add_text(&line, true, &out));
    assert_non_null(strchr(out.data, '\033'));
    pr_buffer_clear(&out);
    line.level = PR_LOG_INFO;
    OK(line_add_text(&line, true, &out));
    assert_null(strchr(out.data, '\033'));
    pr_buffer_done(&out);
}

/* ---- Repeats ------------------------------------------------------------- */

static void a_line_that_repeats_itself_is_counted(void **unused)
{
    static struct repeats repeats;
    struct repeat repeat;
    int written = 0;

    (void)unused;
    for (int i = 0; i < 60; i++)
        written += repeats_pass(&repeats, PR_LOG_ERROR, "work", "down",
                                (uint64_t)i * 100);
    assert_int_equal(written, REPEATS_FREE);
    /* Other lines are not held back. */
    assert_true(repeats_pass(&repeats, PR_LOG_ERROR, "home", "down", 6000));
    assert_true(repeats_pass(&repeats, PR_LOG_WARNING, "work", "down", 6000));
    assert_false(repeats_take(&repeats, 6000, false, &repeat));
    assert_true(repeats_take(&repeats, REPEATS_WINDOW, false, &repeat));
    assert_string_equal(repeat.text, "down");
    assert_string_equal(repeat.who, "work");
    assert_int_equal(repeat.held, 60 - REPEATS_FREE);
    assert_false(repeats_take(&repeats, REPEATS_WINDOW, true, &repeat));
    /* The next window begins with what is counted at once. */
    assert_false(repeats_pass(&repeats, PR_LOG_ERROR, "work", "down",
                              REPEATS_WINDOW + 1));
    assert_true(repeats_take(&repeats, REPEATS_WINDOW + 2, true, &repeat));
    assert_int_equal(repeat.held, 1);
}

static void a_line_that_comes_seldom_is_written(void **unused)
{
    static struct repeats repeats;

    (void)unused;
    for (int i = 0; i < 20; i++)
        assert_true(repeats_pass(&repeats, PR_LOG_ERROR, "work", "down",
                                 (uint64_t)i * REPEATS_WINDOW));
}

static void no_line_is_lost_among_many(void **unused)
{
    static struct repeats repeats;
    char text[32];

    (void)unused;
    for (int i = 0; i < 10 * REPEATS_KEPT; i++) {
        snprintf(text, sizeof(text), "line %d", i);
        assert_true(
            repeats_pass(&repeats, PR_LOG_ERROR, "work", text, (uint64_t)i));
    }
}

/* ---- The ring ------------------------------------------------------------ */

static int saved;

static void open_logs(enum pr_level level)
{
    int null = open("/dev/null", O_WRONLY);

    saved = dup(STDERR_FILENO);
    dup2(null, STDERR_FILENO);
    close(null);
    OK(logs_open(LOG_JSON, level));
}

static void close_logs(void)
{
    logs_close();
    dup2(saved, STDERR_FILENO);
    close(saved);
}

static const char *next(struct logs_cursor *cursor, uint64_t *missed)
{
    static char text[300];
    struct pr_buffer out = {.cap = 4096};
    pr_status status = logs_next(cursor, &out, missed);

    snprintf(text, sizeof(text), "%s", pr_buffer_text(&out));
    pr_buffer_done(&out);
    return status == PR_OK ? text : NULL;
}

static void a_follower_reads_from_his_own_place(void **unused)
{
    const struct pr_log log = {NULL, "work"};
    uint64_t missed;

    (void)unused;
    open_logs(PR_LOG_INFO);
    for (int i = 0; i < 10; i++)
        pr_log(&log, PR_LOG_INFO, "line %d", i);
    struct logs_cursor one = logs_follow(PR_LOG_INFO, 2);
    struct logs_cursor other = logs_follow(PR_LOG_INFO, 0);
    assert_null(next(&other, &missed));
    assert_non_null(strstr(next(&one, &missed), "line 8"));
    assert_non_null(strstr(next(&one, &missed), "line 9"));
    assert_null(next(&one, &missed));
    pr_log(&log, PR_LOG_INFO, "line 10");
    assert_non_null(strstr(next(&one, &missed), "line 10"));
    assert_non_null(strstr(next(&other, &missed), "line 10"));
    logs_unfollow(&one);
    logs_unfollow(&other);
    close_logs();
}

static void who_follows_closely_makes_lines_appear(void **unused)
{
    uint64_t missed;

    (void)unused;
    open_logs(PR_LOG_INFO);
    assert_false(pr_log_wants(PR_LOG_DEBUG));
    struct logs_cursor close_by = logs_follow(PR_LOG_DEBUG, 0);
    struct logs_cursor usual = logs_follow(PR_LOG_INFO, 0);
    assert_true(pr_log_wants(PR_LOG_DEBUG));
    pr_log(NULL, PR_LOG_DEBUG, "a detail");
    assert_non_null(strstr(next(&close_by, &missed), "a detail"));
    assert_null(next(&usual, &missed));
    logs_unfollow(&close_by);
    assert_false(pr_log_wants(PR_LOG_DEBUG));
    logs_unfollow(&usual);
    close_logs();
}

static void a_slow_follower_is_told_what_he_missed(void **unused)
{
    uint64_t missed = 0;

    (void)unused;
    open_logs(PR_LOG_INFO);
    struct logs_cursor cursor = logs_follow(PR_LOG_INFO, 0);
    for (int i = 0; i < 3000; i++)
        pr_log(NULL, PR_LOG_INFO, "line %d", i);
    assert_non_null(strstr(next(&cursor, &missed), "line 1000"));
    assert_int_equal(missed, 1000);
    assert_non_null(strstr(next(&cursor, &missed), "line 1001"));
    assert_int_equal(missed, 0);
    logs_unfollow(&cursor);
    close_logs();
}

static void what_a_thread_complains_of_can_be_captured(void **unused)
{
    struct pr_buffer lines = {.cap = 4096};
    const struct pr_log log = {NULL, "configuration"};

    (void)unused;
    open_logs(PR_LOG_INFO);
    logs_capture(&lines);
    pr_log(&log, PR_LOG_ERROR, "config.lua:3: no");
    pr_log(&log, PR_LOG_INFO, "fine");
    logs_capture(NULL);
    pr_log(&log, PR_LOG_ERROR, "later");
    assert_string_equal(pr_buffer_text(&lines),
                        "configuration: config.lua:3: no\n");
    pr_buffer_done(&lines);
    close_logs();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(account_and_folder_are_found),
        cmocka_unit_test(json_has_fields_of_its_own),
        cmocka_unit_test(the_journal_gets_fields),
        cmocka_unit_test(text_has_colours_on_request),
        cmocka_unit_test(a_line_that_repeats_itself_is_counted),
        cmocka_unit_test(a_line_that_comes_seldom_is_written),
        cmocka_unit_test(no_line_is_lost_among_many),
        cmocka_unit_test(a_follower_reads_from_his_own_place),
        cmocka_unit_test(who_follows_closely_makes_lines_appear),
        cmocka_unit_test(a_slow_follower_is_told_what_he_missed),
        cmocka_unit_test(what_a_thread_complains_of_can_be_captured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
