/*
 * Programs run for us: what they get, what they leave, how they end.
 */
#include "config.h"

#include "io/program.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"

#define SH(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static struct program_run job;

static void run(pr_fiber_fn *body)
{
    assert_int_equal(loop_run(2, body, NULL), PR_OK);
}

static pr_status start(const char *const *argv)
{
    pr_buffer_done(&job.output);
    pr_buffer_done(&job.complaint);
    job = (struct program_run){
        .argv = argv,
        .input_file = -1,
        .output_cap = 64 * 1024,
        .deadline = pr_in(20000),
    };
    return PR_OK;
}

static pr_status run_shell(const char *script)
{
    (void)!start(SH(script));
    return program_run(&job);
}

static int drop_job(void **state)
{
    (void)state;
    pr_buffer_done(&job.output);
    pr_buffer_done(&job.complaint);
    return 0;
}

static void assert_output(const char *text)
{
    assert_string_equal(pr_buffer_text(&job.output), text);
}

static pr_status outcomes(void *unused)
{
    (void)unused;
    assert_int_equal(run_shell("echo out; echo err >&2; exit 75"), PR_OK);
    assert_output("out\n");
    assert_string_equal(pr_buffer_text(&job.complaint), "err\n");
    assert_int_equal(job.exit_status, 75);
    assert_int_equal(run_shell("kill -TERM $$"), PR_OK);
    assert_int_equal(job.exit_status, 128 + SIGTERM);
    (void)!start((const char *const[]){"true", NULL});
    assert_int_equal(program_run(&job), PR_OK);
    assert_int_equal(job.exit_status, 0);
    (void)!start((const char *const[]){"/nonexistent/x", NULL});
    assert_int_equal(program_run(&job), PR_IO);
    assert_non_null(strstr(pr_last_failure()->text,
                           "cannot start /nonexistent/x: no such file"));
    (void)!start((const char *const[]){NULL});
    assert_int_equal(program_run(&job), PR_CONFIG);
    return PR_OK;
}

static void output_complaint_and_status_are_told(void **state)
{
    (void)state;
    run(outcomes);
}

static pr_status inputs(void *unused)
{
    static char big[3 * 1024 * 1024];

    (void)unused;
    assert_int_equal(run_shell("cat"), PR_OK); /* /dev/null */
    assert_output("");
    (void)!start(SH("cat"));
    job.input = PR_BYTES("some\0input");
    assert_int_equal(program_run(&job), PR_OK);
    assert_int_equal(job.output.size, 10);
    assert_memory_equal(job.output.data, "some\0input", 10);

    memset(big, 'x', sizeof(big));
    (void)!start(SH("wc -c"));
    job.input = (struct pr_bytes){big, sizeof(big)};
    assert_int_equal(program_run(&job), PR_OK);
    assert_int_equal(strtol(job.output.data, NULL, 10), sizeof(big));
    (void)!start(SH("exit 0")); /* reads nothing of it */
    job.input = (struct pr_bytes){big, sizeof(big)};
    assert_int_equal(program_run(&job), PR_OK);

    char path[] = "/tmp/postrider-program-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    assert_int_equal(write(fd, "from a file", 11), 11);
    assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
    (void)!start(SH("cat"));
    job.input_file = fd;
    assert_int_equal(program_run(&job), PR_OK);
    assert_output("a file");
    close(fd);
    unlink(path);
    return PR_OK;
}

static void input_comes_from_octets_or_a_file(void **state)
{
    (void)state;
    run(inputs);
}

static pr_status environment(void *unused)
{
    (void)unused;
    setenv("PR_TEST_OURS", "ours", 1);
    setenv("PR_TEST_SHARED", "old", 1);
    (void)!start(SH("echo $PR_TEST_OURS $PR_TEST_SHARED $PR_TEST_ADDED"));
    job.env = (const char *const[]){"PR_TEST_SHARED=new", "PR_TEST_ADDED=added",
                                    NULL};
    assert_int_equal(program_run(&job), PR_OK);
    assert_output("ours new added\n");
    unsetenv("PR_TEST_OURS");
    unsetenv("PR_TEST_SHARED");
    return PR_OK;
}

static void the_environment_is_ours_and_the_added(void **state)
{
    (void)state;
    run(environment);
}

static pr_status descriptors(void *unused)
{
    /* Carelessly opened, one far up. */
    int low = open("/dev/null", O_RDONLY);
    int high = fcntl(low, F_DUPFD, 500);

    (void)unused;
    assert_int_equal(run_shell("ls /proc/$$/fd; true"), PR_OK);
    assert_output("0\n1\n2\n");
    close(low);
    close(high);
    return PR_OK;
}

static void no_other_descriptor_reaches_a_program(void **state)
{
    (void)state;
    run(descriptors);
}

static pr_status defaults(void *unused)
{
    (void)unused;
    /* SIGPIPE is ignored here, and must not be there. */
    (void)!start((const char *const[]){"grep", "-E", "Sig(Blk|Ign)",
                                       "/proc/self/status", NULL});
    assert_int_equal(program_run(&job), PR_OK);
    const char *text = pr_buffer_text(&job.output);
    assert_memory_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t", 33);
    /* glibc's own two, 32 and 33, may be ignored since make started us. */
    assert_int_equal(strtoull(text + 33, NULL, 16) & 0x7fffffff, 0);
    return PR_OK;
}

static void signals_are_as_a_program_expects(void **state)
{
    (void)state;
    run(defaults);
}

/* Is a process of this number there, and no zombie? */
static bool is_alive(long pid)
{
    char path[40], text[200] = "";

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *state = strrchr(text, ')');
    return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

static void assert_dies(long pid)
{
    assert_true(pid > 1);
    for (int i = 0; i < 500 && is_alive(pid); i++)
        assert_int_equal(pr_sleep(10), PR_OK);
    assert_false(is_alive(pid));
}

static pr_status deadline(void *unused)
{
    char *end;

    (void)unused;
    (void)!start(SH("sleep 100 & echo $! $$; wait"));
    job.deadline = pr_in(300);
    pr_time begin = pr_now();
    assert_int_equal(program_run(&job), PR_TIMEOUT);
    assert_true(pr_now() - begin >= 300);
    assert_string_equal(pr_last_failure()->text,
                        "/bin/sh did not end in time and was killed");
    assert_dies(strtol(job.output.data, &end, 10));
    assert_dies(strtol(end, NULL, 10));
    return PR_OK;
}

static void the_whole_group_is_killed_at_the_deadline(void **state)
{
    (void)state;
    run(deadline);
}

static pr_status sleeper(void *ret_status)
{
    *(pr_status *)ret_status = run_shell("echo $$; sleep 100");
    return PR_OK;
}

static pr_status cancelled(void *unused)
{
    struct pr_scope scope;
    pr_status status = PR_OK;

    (void)unused;
    pr_buffer_done(&job.output);
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "sleeper", PR_STACK_SESSION, sleeper, &status), PR_OK);
    while (job.output.size == 0)
        assert_int_equal(pr_sleep(10), PR_OK);
    pr_scope_cancel(&scope);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(status, PR_CANCELLED);
    assert_dies(strtol(job.output.data, NULL, 10));
    return PR_OK;
}

static void a_cancelled_run_kills_the_program(void **state)
{
    (void)state;
    run(cancelled);
}

static pr_status big_output(void *unused)
{
    (void)unused;
    assert_int_equal(run_shell("echo $$; exec yes"), PR_LIMIT);
    assert_string_equal(pr_last_failure()->text,
                        "/bin/sh: it wrote more than 65536 octets");
    assert_int_equal(
        run_shell("head -c 65536 /dev/zero; head -c 1000000 /dev/zero >&2"),
        PR_OK);
    assert_int_equal(job.output.size, 65536);
    assert_int_equal(job.complaint.size, 4096);
    return PR_OK;
}

static void output_beyond_its_cap_ends_the_program(void **state)
{
    (void)state;
    run(big_output);
}

static pr_status background(void *unused)
{
    (void)unused;
    pr_time begin = pr_now();
    assert_int_equal(run_shell("sleep 30 & echo $!"), PR_OK);
    assert_true(pr_now() - begin < 10000);
    kill((pid_t)strtol(job.output.data, NULL, 10), SIGKILL);
    return PR_OK;
}

static void what_stays_in_the_background_does_not_hold_us(void **state)
{
    (void)state;
    run(background);
}

static pr_status one_of_many(void *argument)
{
    struct program_run mine = {
        .argv = SH("sleep 0.05; echo done; exit 3"),
        .input_file = -1,
        .output_cap = 100,
        .deadline = pr_in(20000),
    };

    (void)argument;
    pr_status status = program_run(&mine);
    if (status == PR_OK && (mine.exit_status != 3 || mine.output.size != 5))
        status = pr_fail(PR_BUG, "not as it should be");
    pr_buffer_done(&mine.output);
    pr_buffer_done(&mine.complaint);
    return status;
}

static pr_status many(void *unused)
{
    struct pr_scope scope;

    (void)unused;
    pr_scope_init(&scope);
    for (int i = 0; i < 30; i++)
        assert_int_equal(
            pr_spawn(&scope, "program", PR_STACK_SESSION, one_of_many, NULL),
            PR_OK);
    return pr_scope_join(&scope);
}

static void many_programs_run_side_by_side(void **state)
{
    (void)state;
    run(many);
}

static pr_status sweep(void *unused)
{
    (void)unused;
    for (unsigned long n = 1;; n++) {
        (void)!start(SH("echo out; echo err >&2"));
        job.env = (const char *const[]){"A=B", NULL};
        memory_fail_at(n);
        pr_status status = program_run(&job);
        bool over = memory_fail_pending();
        memory_fail_at(0);
        if (over) {
            assert_int_equal(status, PR_OK);
            return PR_OK;
        }
        assert_int_equal(status, PR_NOMEM);
    }
}

static void running_survives_every_lack_of_memory(void **state)
{
    (void)state;
    run(sweep);
}

/* ---- As plugins run them ------------------------------------------------- */

static const char *const small[] = {"PATH=/usr/bin:/bin", "ONE=1 2", NULL};

static pr_status run_for_plugin(struct pr_program *program, const char *script,
                                size_t cap)
{
    const char *const argv[] = {"sh", "-c", script, NULL};

    *program = (struct pr_program){
        .argv = argv,
        .env = small,
        .directory = "/",
        .input = -1,
        .deadline = pr_in(20000),
        .said = {.cap = cap},
    };
    pr_status status = pr_program_run(program);
    program->argv = NULL;
    return status;
}

static pr_status plugin_programs(void *unused)
{
    struct pr_program program;

    (void)unused;
    assert_int_equal(
        run_for_plugin(&program, "echo $ONE; echo err >&2; pwd; exit 3", 100),
        PR_OK);
    assert_string_equal(pr_buffer_text(&program.said), "1 2\nerr\n/\n");
    assert_int_equal(program.exit_status, 3);
    pr_buffer_done(&program.said);

    assert_int_equal(run_for_plugin(&program, "env | grep -c =", 100), PR_OK);
    assert_string_equal(pr_buffer_text(&program.said), "3\n"); /* and PWD */
    pr_buffer_done(&program.said);

    assert_int_equal(run_for_plugin(&program, "seq 1 20000; echo the end", 15),
                     PR_OK);
    assert_string_equal(pr_buffer_text(&program.said), "\n20000\nthe end\n");
    assert_true(program.said_octets > 100000);
    pr_buffer_done(&program.said);
    return PR_OK;
}

static void a_plugin_gets_the_end_of_what_was_said(void **state)
{
    (void)state;
    run(plugin_programs);
}

static int status_at_the_deadline(const char *script, uint64_t timeout,
                                  uint64_t grace)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct pr_program program = {
        .argv = argv,
        .env = small,
        .input = -1,
        .deadline = pr_in(timeout),
        .grace = grace,
        .said = {.cap = 4096},
    };

    assert_int_equal(pr_program_run(&program), PR_TIMEOUT);
    pr_buffer_done(&program.said);
    return program.exit_status;
}

/* On a busy machine it may not listen yet when its time is over. */
static pr_status in_order(void *unused)
{
    int exit_status = 128 + SIGTERM;

    (void)unused;
    for (uint64_t timeout = 300; exit_status == 128 + SIGTERM && timeout < 9000;
         timeout *= 2) {
        pr_time start = pr_now();
        exit_status = status_at_the_deadline(
            "trap 'echo ended in order; exit 7' TERM; yes >&2 & "
            "while :; do sleep 0.05; done",
            timeout, 10000);
        assert_true(pr_now() - start < timeout + 8000);
    }
    assert_int_equal(exit_status, 7);
    return PR_OK;
}

/* Zero would be taken for its word. */
static pr_status without_a_status(void *unused)
{
    const char *const argv[] = {"/nonexistent/x", NULL};
    struct pr_program program = {
        .argv = argv, .env = small, .input = -1, .deadline = pr_in(20000)};

    (void)unused;
    assert_int_equal(status_at_the_deadline("exec sleep 600", 100, 0), -1);
    assert_int_equal(pr_program_run(&program), PR_IO);
    assert_int_equal(program.exit_status, -1);
    pr_buffer_done(&program.said);
    return PR_OK;
}

static void one_that_is_killed_has_no_exit_status(void **state)
{
    (void)state;
    run(without_a_status);
}

/* Also one that writes without end. */
static void at_the_deadline_it_may_end_in_order(void **state)
{
    (void)state;
    run(in_order);
}

static void programs_are_found_without_running_them(void **state)
{
    (void)state;
    assert_int_equal(pr_program_find("sh", "/nonexistent:/usr/bin:/bin"),
                     PR_OK);
    assert_int_equal(pr_program_find("/bin/sh", ""), PR_OK);
    assert_int_equal(pr_program_find("no-such-program", "/usr/bin:/bin"),
                     PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "no-such-program"));
    assert_int_equal(pr_program_find("/etc/passwd", ""), PR_CONFIG);
    assert_int_equal(pr_program_find("/etc", ""), PR_CONFIG);
    assert_int_equal(pr_program_find("passwd", "/etc"), PR_CONFIG);
    assert_int_equal(pr_program_find("/nonexistent/x", ""), PR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_gets_the_end_of_what_was_said),
        cmocka_unit_test(at_the_deadline_it_may_end_in_order),
        cmocka_unit_test(one_that_is_killed_has_no_exit_status),
        cmocka_unit_test(programs_are_found_without_running_them),
        cmocka_unit_test(output_complaint_and_status_are_told),
        cmocka_unit_test(input_comes_from_octets_or_a_file),
        cmocka_unit_test(the_environment_is_ours_and_the_added),
        cmocka_unit_test(no_other_descriptor_reaches_a_program),
        cmocka_unit_test(signals_are_as_a_program_expects),
        cmocka_unit_test(the_whole_group_is_killed_at_the_deadline),
        cmocka_unit_test(a_cancelled_run_kills_the_program),
        cmocka_unit_test(output_beyond_its_cap_ends_the_program),
        cmocka_unit_test(what_stays_in_the_background_does_not_hold_us),
        cmocka_unit_test(many_programs_run_side_by_side),
        cmocka_unit_test(running_survives_every_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, drop_job);
}
