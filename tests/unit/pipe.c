/*
 * The pipe sink: its names, its environment, what a lack of memory does.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "mail/spool.h"
#include "pipe/facts.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct pr_sink_ops *ops(void)
{
    return pipe_class.sink;
}

/* ---- Names --------------------------------------------------------------- */

static const char *name_of(const char *const *command, const char *const *env)
{
    static char names[4][512];
    static size_t next;
    struct pipe_options set = {.command = command, .env = env};
    char *name = names[next++ % 4];

    ops()->describe(&set, name, sizeof(names[0]));
    return name;
}

static void two_sinks_that_differ_have_two_names(void **state)
{
    static char a[900], b[900];
    (void)state;
    assert_string_equal(name_of(WORDS("procmail", "-f-"), NULL),
                        "pipe:procmail -f-");
    assert_string_not_equal(name_of(WORDS("a", "b c"), NULL),
                            name_of(WORDS("a", "b", "c"), NULL));
    assert_string_not_equal(name_of(WORDS("a", ""), NULL),
                            name_of(WORDS("a"), NULL));
    assert_string_not_equal(name_of(WORDS("a"), WORDS("X=1")),
                            name_of(WORDS("a"), WORDS("X=2")));
    assert_string_not_equal(name_of(WORDS("a"), WORDS("X=1")),
                            name_of(WORDS("a"), NULL));
    assert_string_equal(name_of(WORDS("a b"), NULL),
                        name_of(WORDS("a b"), NULL));
    memset(a, 'x', sizeof(a) - 1);
    memset(b, 'x', sizeof(b) - 1);
    b[sizeof(b) - 2] = 'y';
    assert_string_not_equal(name_of(WORDS("p", a), NULL),
                            name_of(WORDS("p", b), NULL));
    assert_true(strlen(name_of(WORDS("p", a), NULL)) < 512);
}

/* A value of the environment does not show in the log. */
static void a_name_tells_no_variable(void **state)
{
    (void)state;
    assert_null(strstr(name_of(WORDS("a"), WORDS("TOKEN=abc")), "abc"));
}

/* ---- The environment ----------------------------------------------------- */

static void names_of_variables_are_checked(void **state)
{
    (void)state;
    assert_true(facts_is_variable("A=b"));
    assert_true(facts_is_variable("A_1="));
    assert_true(facts_is_variable("A"));
    assert_false(facts_is_variable(""));
    assert_false(facts_is_variable("=b"));
    assert_false(facts_is_variable("1A=b"));
    assert_false(facts_is_variable("A B=c"));
    assert_false(facts_is_variable("A-B=c"));
}

static void the_users_own_words_win_over_the_usual(void **state)
{
    struct pr_arena *arena = pr_arena_new();
    const char *const *env, *home;
    (void)state;
    setenv("HOME", "/home/alice", 1);
    setenv("PASSED", "on", 1);
    setenv("SECRET", "no", 1);
    unsetenv("NOT_THERE");
    assert_int_equal(
        facts_base(arena,
                   WORDS("LANG=C", "LANG=D", "PASSED", "NOT_THERE", "A=b=c"),
                   &env, &home),
        PR_OK);
    assert_string_equal(home, "/home/alice");
    assert_string_equal(facts_get(env, "LANG"), "D");
    assert_string_equal(facts_get(env, "PASSED"), "on");
    assert_string_equal(facts_get(env, "A"), "b=c");
    assert_null(facts_get(env, "SECRET"));
    assert_null(facts_get(env, "NOT_THERE"));
    pr_arena_free(arena);
}

static struct pr_spool *spool_of(const char *text)
{
    struct pr_spool *spool = NULL;
    assert_int_equal(spool_new("/tmp", 0, &spool), PR_OK);
    assert_int_equal(pr_spool_append(spool, text, strlen(text)), PR_OK);
    assert_int_equal(pr_spool_seal(spool), PR_OK);
    return spool;
}

static struct pr_delivery delivery_of(const struct pr_spool *spool)
{
    return (struct pr_delivery){
        .spool = spool,
        .folder = "a\nb",
        .key = "key",
        .account = "work",
        .source_folder = "IN\x1b[31mBOX",
        .uid = 7,
        .sink = "pipe:x",
    };
}

static void no_fact_changes_what_the_user_said(void **state)
{
    struct pr_arena *arena = pr_arena_new();
    struct pr_spool *spool = spool_of(
        "Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\n\r\n");
    struct pr_delivery delivery = delivery_of(spool);
    const char *const *env, *sender;
    (void)state;
    assert_int_equal(facts_of(&delivery, WORDS("SENDER=mine", "PATH=/bin"),
                              arena, &env, &sender),
                     PR_OK);
    assert_string_equal(facts_get(env, "SENDER"), "mine");
    assert_string_equal(facts_get(env, "PATH"), "/bin");
    assert_string_equal(facts_get(env, "RECIPIENT"), "b@example.org");
    assert_string_equal(facts_get(env, "ORIGINAL_RECIPIENT"), "b@example.org");
    assert_string_equal(facts_get(env, "POSTRIDER_SUBFOLDER"), "a?b");
    assert_string_equal(facts_get(env, "POSTRIDER_FOLDER"), "IN?[31mBOX");
    assert_string_equal(sender, "a@example.org");
    pr_arena_free(arena);
    spool_free(spool);
}

/* ---- Asked to end ----------------------------------------------------------
 */

#define HANG "while :; do sleep 0.05; done"

static const struct pr_log quiet = {.name = "pipe"};

struct job {
    struct pipe_options options;
    struct pr_delivery delivery;
};

static pr_status run_job(void *argument)
{
    struct job *job = argument;
    struct pr_sink sink = {
        .class = &pipe_class, .options = &job->options, .log = &quiet};
    struct pr_delivery *batch[] = {&job->delivery};

    assert_int_equal(ops()->open(&sink), PR_OK);
    assert_int_equal(ops()->commit(&sink, batch, 1), PR_OK);
    ops()->close(&sink);
    return PR_OK;
}

static struct job job_for(const struct pr_spool *spool,
                          const char *const *command, uint64_t timeout)
{
    struct job job = {
        .options = {.command = command, .timeout = timeout, .jobs = 1},
        .delivery = delivery_of(spool)};

    job.delivery.result = PR_BUG;
    return job;
}

/* Ends when its time is over, which on a busy machine may be before the program
 * has begun to listen. */
static pr_status result_at_the_deadline(const struct pr_spool *spool,
                                        const char *script, uint64_t most)
{
    pr_status result = PR_TIMEOUT;

    for (uint64_t timeout = 250; result == PR_TIMEOUT && timeout <= most;
         timeout *= 2) {
        struct job job = job_for(spool, WORDS("sh", "-c", script), timeout);
        assert_int_equal(run_job(&job), PR_OK);
        result = job.delivery.result;
    }
    return result;
}

static pr_status deadlines(void *unused)
{
    struct pr_spool *spool = spool_of("Subject: x\r\n\r\nbody\r\n");

    (void)unused;
    assert_int_equal(
        result_at_the_deadline(spool, "trap 'exit 0' TERM; " HANG, 8000),
        PR_DOUBT);
    assert_int_equal(
        result_at_the_deadline(spool, "trap 'exit 67' TERM; " HANG, 500),
        PR_TIMEOUT);
    assert_int_equal(result_at_the_deadline(spool, HANG, 250), PR_TIMEOUT);
    spool_free(spool);
    return PR_OK;
}

static void one_that_finishes_after_the_deadline_is_in_doubt(void **state)
{
    (void)state;
    assert_int_equal(loop_run(2, deadlines, NULL), PR_OK);
}

/* ---- Lack of memory ------------------------------------------------------ */

static pr_status deliver_in_need(void *unused)
{
    static const struct pr_log log = {.name = "pipe"};
    struct pipe_options set = {.command = WORDS("cat"),
                               .env = WORDS("A=b"),
                               .timeout = 20000,
                               .jobs = 2,
                               .from_line = true};
    struct pr_spool *spool = spool_of("Subject: x\r\n\r\nbody\r\n");
    bool is_over = false;

    (void)unused;
    for (unsigned long n = 1; !is_over; n++) {
        struct pr_sink sink = {
            .class = &pipe_class, .options = &set, .log = &log};
        struct pr_delivery delivery = delivery_of(spool);
        struct pr_delivery *batch[] = {&delivery};
        delivery.result = PR_BUG;
        memory_fail_at(n);
        pr_status status = ops()->open(&sink);
        if (status == PR_OK)
            status = ops()->commit(&sink, batch, 1);
        is_over = memory_fail_pending();
        memory_fail_at(0);
        ops()->close(&sink);
        assert_true(status == PR_OK || status == PR_NOMEM);
        if (status == PR_OK)
            assert_true(delivery.result == PR_OK ||
                        delivery.result == PR_NOMEM);
        assert_true(!is_over || delivery.result == PR_OK);
        assert_true(n < 1000);
    }
    spool_free(spool);
    return PR_OK;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(loop_run(2, deliver_in_need, NULL), PR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sinks_that_differ_have_two_names),
        cmocka_unit_test(a_name_tells_no_variable),
        cmocka_unit_test(names_of_variables_are_checked),
        cmocka_unit_test(the_users_own_words_win_over_the_usual),
        cmocka_unit_test(no_fact_changes_what_the_user_said),
        cmocka_unit_test(one_that_finishes_after_the_deadline_is_in_doubt),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
