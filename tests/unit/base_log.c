/*
 * Log lines, and the steps at which a test kills the program.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/crash.h"
#include "base/log.h"

struct line {
    int count;
    enum pr_level level;
    char who[300];
    char text[3000];
};

static void keep_line(void *user, enum pr_level level, const char *who,
                      const char *text)
{
    struct line *line = user;

    line->count++;
    line->level = level;
    snprintf(line->who, sizeof line->who, "%s", who);
    snprintf(line->text, sizeof line->text, "%s", text);
}

static void a_line_says_who_speaks(void **state)
{
    struct pr_log account = {NULL, "work"};
    struct pr_log none = {&account, ""};
    struct pr_log folder = {&none, "IN\nBOX"};
    struct line line = {0};

    (void)state;
    log_set(PR_LOG_INFO, keep_line, &line);
    pr_log(&folder, PR_LOG_WARNING, "%d messages", 3);
    assert_string_equal(line.who, "work/IN\\x0ABOX");
    assert_string_equal(line.text, "3 messages");
    assert_int_equal(line.level, PR_LOG_WARNING);
    pr_log(NULL, PR_LOG_INFO, "no one");
    assert_string_equal(line.who, "");
    assert_int_equal(line.count, 2);
    log_set(PR_LOG_INFO, NULL, NULL);
}

static void levels_above_the_wanted_are_dropped(void **state)
{
    struct line line = {0};

    (void)state;
    log_set(PR_LOG_WARNING, keep_line, &line);
    assert_true(pr_log_wants(PR_LOG_ERROR));
    assert_true(pr_log_wants(PR_LOG_WARNING));
    assert_false(pr_log_wants(PR_LOG_INFO));
    pr_log(NULL, PR_LOG_INFO, "dropped");
    assert_int_equal(line.count, 0);
    assert_string_equal(log_level_name(PR_LOG_ERROR), "error");
    assert_string_equal(log_level_name(PR_LOG_TRACE), "trace");
    log_set(PR_LOG_INFO, NULL, NULL);
}

static void text_from_the_network_stays_one_line(void **state)
{
    struct line line = {0};
    char text[5000];

    (void)state;
    log_set(PR_LOG_TRACE, keep_line, &line);
    pr_log(NULL, PR_LOG_TRACE, "%s", "* OK\r\nerror: forged \x1b[31m\xff");
    assert_string_equal(line.text,
                        "* OK\\x0D\\x0Aerror: forged \\x1B[31m\\xFF");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    for (size_t length = 2040; length < 2056; length++) {
        text[length] = '\0';
        pr_log(NULL, PR_LOG_TRACE, "%s", text);
        if (length < 2048)
            assert_int_equal(strlen(line.text), length);
        else
            assert_string_equal(line.text + strlen(line.text) - 3, "...");
        text[length] = 'x';
    }
    log_set(PR_LOG_INFO, NULL, NULL);
}

static void without_a_receiver_lines_go_to_standard_error(void **state)
{
    struct pr_log account = {NULL, "work"};
    char text[200] = "";
    int ends[2], kept = dup(STDERR_FILENO);

    (void)state;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    pr_log(&account, PR_LOG_ERROR, "no");
    pr_log(NULL, PR_LOG_INFO, "yes");
    dup2(kept, STDERR_FILENO);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "error: work: no\nyes\n");
    close(kept);
    close(ends[0]);
    close(ends[1]);
}

#ifdef ENABLE_CRASH_POINTS

/* Meets three steps in a process of its own; returns how it ended. */
static int meet_three(const char *at, const char *log_path)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        setenv("POSTRIDER_CRASH_AT", at, 1);
        setenv("POSTRIDER_CRASH_LOG", log_path, 1);
        crash_point("one");
        crash_point("two");
        crash_point("three");
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void the_nth_step_kills_the_program(void **state)
{
    char path[] = "/tmp/base_log.XXXXXX", text[100] = "";
    int file = mkstemp(path), status;

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(meet_three("0", path), 0);
    assert_true(read(file, text, sizeof text - 1) > 0);
    assert_string_equal(text, "one\ntwo\nthree\n");
    memset(text, 0, sizeof text);
    status = meet_three("2", path);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(read(file, text, sizeof text - 1) > 0);
    assert_string_equal(text, "one\ntwo\n");
    close(file);
    unlink(path);
}

#else

static void the_nth_step_kills_the_program(void **state)
{
    (void)state;
    crash_point("nothing");
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_who_speaks),
        cmocka_unit_test(levels_above_the_wanted_are_dropped),
        cmocka_unit_test(text_from_the_network_stays_one_line),
        cmocka_unit_test(without_a_receiver_lines_go_to_standard_error),
        cmocka_unit_test(the_nth_step_kills_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
