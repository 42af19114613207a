/*
 * The journal of sinks that cannot be asked: what was said is there after a
 * crash, and what may be missing is not taken for unsaid.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/state.h"

#define OK(call) assert_int_equal((call), PR_OK)

static char directory[64];
static char path[128];
static struct state *state;
static struct pr_journal *journal;

static int set_up(void **unused)
{
    (void)unused;
    strcpy(directory, "/tmp/postrider-journal-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/journal/work.journal", directory);
    OK(state_open(directory, &state));
    OK(state_journal_open(state, "work", &journal));
    return 0;
}

static int tear_down(void **unused)
{
    char command[100];

    (void)unused;
    state_journal_close(journal);
    state_close(state);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static void reopen(void)
{
    state_journal_close(journal);
    OK(state_journal_open(state, "work", &journal));
}

static struct pr_delivery delivery(const char *key)
{
    return (struct pr_delivery){
        .sink = "smtp:a", .folder = "", .key = key, .journal = journal};
}

static enum state_word ask(const char *key)
{
    return state_journal_ask(journal, "smtp:a", "", key);
}

static void words_are_there_after_a_crash(void **unused)
{
    struct pr_delivery begun = delivery("begun"), done = delivery("done"),
                       failed = delivery("failed"), lost = delivery("lost");

    (void)unused;
    OK(pr_delivery_begin(&done));
    pr_delivery_end(&done, PR_OK);
    OK(pr_delivery_begin(&failed));
    pr_delivery_end(&failed, pr_fail(PR_LATER, "451 not now"));
    OK(pr_delivery_begin(&lost));
    pr_delivery_end(&lost, pr_fail(PR_DOUBT, "no reply"));
    OK(pr_delivery_begin(&begun));
    assert_int_equal(done.result, PR_OK);
    assert_int_equal(failed.result, PR_LATER);
    assert_string_equal(failed.failure, "451 not now");
    reopen();
    assert_int_equal(ask("done"), WORD_DONE);
    assert_int_equal(ask("failed"), WORD_NONE);
    assert_int_equal(ask("lost"), WORD_BEGUN);
    assert_int_equal(ask("begun"), WORD_BEGUN);
    assert_int_equal(ask("never"), WORD_NONE);
    assert_int_equal(state_journal_ask(journal, "smtp:b", "", "done"),
                     WORD_NONE);
    assert_int_equal(state_journal_ask(journal, "smtp:a", "f", "done"),
                     WORD_NONE);
}

static void the_last_word_counts(void **unused)
{
    struct pr_delivery twice = delivery("twice");

    (void)unused;
    OK(pr_delivery_begin(&twice));
    pr_delivery_end(&twice, pr_fail(PR_LATER, "451 not now"));
    OK(pr_delivery_begin(&twice));
    reopen();
    assert_int_equal(ask("twice"), WORD_BEGUN);
}

/* A folder may go from one line to another within a run. */
static void words_of_the_same_run_are_heard(void **unused)
{
    struct pr_delivery done = delivery("done"), begun = delivery("begun");

    (void)unused;
    reopen(); /* now its first line is of this boot */
    done.journal = begun.journal = journal;
    assert_int_equal(ask("done"), WORD_NONE);
    OK(pr_delivery_begin(&done));
    assert_int_equal(ask("done"), WORD_BEGUN);
    pr_delivery_end(&done, PR_OK);
    OK(pr_delivery_begin(&begun));
    assert_int_equal(ask("done"), WORD_DONE);
    assert_int_equal(ask("begun"), WORD_BEGUN);
    assert_int_equal(ask("never"), WORD_NONE);
    OK(state_journal_clear(journal));
    assert_int_equal(ask("done"), WORD_NONE);
    OK(pr_delivery_begin(&begun));
    assert_int_equal(ask("begun"), WORD_BEGUN);
    assert_int_equal(ask("done"), WORD_NONE);
}

/* The first line names the boot. */
static void pretend_another_boot(void)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "00000000", 8, 0), 8);
    close(fd);
}

static void after_a_power_cut_a_missing_word_is_no_no(void **unused)
{
    struct pr_delivery done = delivery("done");

    (void)unused;
    OK(pr_delivery_begin(&done));
    pr_delivery_end(&done, PR_OK);
    pretend_another_boot();
    reopen();
    assert_int_equal(ask("done"), WORD_DONE);
    assert_int_equal(ask("never"), WORD_UNKNOWN);
    OK(state_journal_clear(journal));
    reopen();
    assert_int_equal(ask("never"), WORD_NONE);
    assert_int_equal(ask("done"), WORD_NONE);
}

static void a_file_that_the_power_cut_ate_is_no_no(void **unused)
{
    (void)unused;
    assert_int_equal(truncate(path, 0), 0);
    reopen();
    assert_int_equal(ask("never"), WORD_UNKNOWN);
}

static void a_torn_word_spoils_none_after_it(void **unused)
{
    struct stat info;
    struct pr_delivery one = delivery("one"), two = delivery("two");

    (void)unused;
    OK(pr_delivery_begin(&one));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 7), 0);
    reopen();
    assert_int_equal(ask("one"), WORD_NONE);
    two.journal = journal;
    OK(pr_delivery_begin(&two));
    pr_delivery_end(&two, PR_OK);
    reopen();
    assert_int_equal(ask("two"), WORD_DONE);
}

/* As when a disk is full for a moment: it takes the first octets. */
static pr_status begin_without_room(struct pr_delivery *torn)
{
    struct stat info;
    struct rlimit limit;

    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)info.st_size + 30;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    pr_status status = pr_delivery_begin(torn);
    (void)signal(SIGXFSZ, SIG_DFL);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return status;
}

static void a_word_without_room_spoils_none_after_it(void **unused)
{
    (void)unused;
    reopen();
    struct pr_delivery torn = delivery("torn"), two = delivery("two");
    assert_int_equal(begin_without_room(&torn), PR_IO);
    OK(pr_delivery_begin(&two));
    pr_delivery_end(&two, PR_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask("torn"), WORD_NONE);
        assert_int_equal(ask("two"), WORD_DONE);
        reopen();
    }
}

static void without_a_journal_nothing_is_written(void **unused)
{
    struct pr_delivery none = {.key = "none"};

    (void)unused;
    OK(pr_delivery_begin(&none));
    pr_delivery_end(&none, PR_OK);
    assert_int_equal(none.result, PR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_are_there_after_a_crash),
        TEST(the_last_word_counts),
        TEST(words_of_the_same_run_are_heard),
        TEST(after_a_power_cut_a_missing_word_is_no_no),
        TEST(a_file_that_the_power_cut_ate_is_no_no),
        TEST(a_torn_word_spoils_none_after_it),
        TEST(a_word_without_room_spoils_none_after_it),
        TEST(without_a_journal_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
