/*
 * Offloaded jobs that take too long are told of.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "fiber/offload.h"
#include "trail.h"

static char lines[4096];

static void keep_line(void *user, enum pr_level level, const char *who,
                      const char *text)
{
    size_t size = strlen(lines);

    (void)user;
    assert_int_equal(level, PR_LOG_WARNING);
    snprintf(lines + size, sizeof(lines) - size, "%s: %s\n", who, text);
}

/* Lasts until something is written to the pipe. */
static pr_status hang(void *argument)
{
    char octet;

    return read(*(const int *)argument, &octet, 1) == 1 ? PR_OK : PR_IO;
}

static pr_status hang_in_fiber(void *argument)
{
    return pr_offload(hang, argument);
}

static pr_status nothing(void *argument)
{
    (void)argument;
    return PR_OK;
}

static pr_status wait_for(const char *words, size_t overdue)
{
    struct overdue_job jobs[8];
    pr_time end = pr_in(20000);

    while (offload_overdue(jobs, 8) != overdue || strstr(lines, words) == NULL)
        if (pr_now() > end || pr_sleep(5) != PR_OK)
            return pr_fail(PR_TIMEOUT, "%s", lines);
    return PR_OK;
}

static pr_status job_that_hangs(void *argument)
{
    struct pr_scope scope;
    struct overdue_job job;
    int ends[2];

    (void)argument;
    assert_int_equal(pipe(ends), 0);
    pr_scope_init(&scope);
    assert_int_equal(pr_offload(nothing, NULL), PR_OK);
    assert_int_equal(
        pr_spawn(&scope, "work", PR_STACK_SESSION, hang_in_fiber, &ends[0]),
        PR_OK);
    assert_int_equal(wait_for("work: a job of", 1), PR_OK);
    assert_int_equal(offload_overdue(&job, 1), 1);
    assert_string_equal(job.fiber, "work");
    assert_true(job.runs && job.ms >= 40);
    assert_int_equal(pr_sleep(100), PR_OK); /* and is not told of twice */
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(offload_overdue(&job, 1), 0);
    close(ends[0]);
    close(ends[1]);
    return PR_OK;
}

static void a_job_that_hangs_is_told_of_once_and_when_it_ends(void **state)
{
    (void)state;
    run(job_that_hangs);
    const char *first = strstr(lines, "has not ended for");
    assert_non_null(first);
    assert_null(strstr(first + 1, "has not ended for"));
    assert_non_null(strstr(lines, "has ended after"));
}

static pr_status all_threads_hang(void *argument)
{
    struct pr_scope scope;
    int ends[2];

    (void)argument;
    assert_int_equal(pipe(ends), 0);
    pr_scope_init(&scope);
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            pr_spawn(&scope, "work", PR_STACK_SESSION, hang_in_fiber, &ends[0]),
            PR_OK);
    assert_int_equal(wait_for("waits for a thread", 5), PR_OK);
    assert_int_equal(write(ends[1], "12345", 5), 5);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    close(ends[0]);
    close(ends[1]);
    return PR_OK;
}

static void a_job_that_gets_no_thread_is_told_of(void **state)
{
    (void)state;
    run(all_threads_hang);
}

static pr_status quick_jobs(void *argument)
{
    (void)argument;
    for (int i = 0; i < 50; i++)
        if (pr_offload(nothing, NULL) != PR_OK || pr_sleep(2) != PR_OK)
            return PR_BUG;
    return PR_OK;
}

static void jobs_that_end_are_not_told_of(void **state)
{
    (void)state;
    offload_set_overdue(10000);
    run(quick_jobs);
    assert_string_equal(lines, "");
}

/* ---- Leaving what hangs -------------------------------------------------- */

static void write_line(void *user, enum pr_level level, const char *who,
                       const char *text)
{
    (void)user;
    if (level == PR_LOG_ERROR)
        dprintf(STDERR_FILENO, "%s: %s\n", who != NULL ? who : "", text);
}

static pr_status leave_soon(void *argument)
{
    int ends[2];
    struct pr_scope scope;

    if (pipe(ends) != 0)
        return PR_IO;
    loop_leave_at(pr_in(50), 75);
    loop_leave_at(pr_in(60000), 75); /* is no later for that */
    pr_scope_init(&scope);
    if (argument == NULL)
        return PR_OK; /* in time: the process lives on */
    if (pr_spawn(&scope, "stuck", PR_STACK_SESSION, hang_in_fiber, &ends[0]) !=
        PR_OK)
        return PR_NOMEM;
    return pr_scope_join(&scope);
}

/* What a process of its own says and how it ends. */
static int leave(void *argument, char *said, size_t size)
{
    int ends[2], status;
    size_t got = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        log_set(PR_LOG_WARNING, write_line, NULL);
        _exit(loop_run(2, leave_soon, argument) == PR_OK ? 0 : 1);
    }
    assert_true(child > 0);
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], said + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    said[got] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_process_leaves_a_job_that_hangs(void **state)
{
    char said[4096];

    (void)state;
    assert_int_equal(leave(said, said, sizeof(said)), 75);
    assert_non_null(strstr(said, "stuck: given up: a job of "));
    assert_non_null(strstr(said, "leaving as it stands"));
    assert_int_equal(leave(NULL, said, sizeof(said)), 0);
    assert_string_equal(said, "");
}

static int before(void **state)
{
    (void)state;
    lines[0] = '\0';
    log_set(PR_LOG_WARNING, keep_line, NULL);
    offload_set_overdue(40);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            a_job_that_hangs_is_told_of_once_and_when_it_ends, before),
        cmocka_unit_test_setup(a_job_that_gets_no_thread_is_told_of, before),
        cmocka_unit_test_setup(jobs_that_end_are_not_told_of, before),
        cmocka_unit_test(the_process_leaves_a_job_that_hangs),
    };
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
