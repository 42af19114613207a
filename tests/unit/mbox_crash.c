/*
 * What a crash leaves of a write into an mbox is mended, and what other
 * programs have appended meanwhile is kept.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/loop.h"
#include "mail/spool.h"
#include "mbox_fixture.h"

#define THEIRS "From x@example.org Wed Nov 15 00:00:00 2023\nA: b\n\ntheirs\n\n"

static const char *const ours[] = {"mail", ".mail.postrider", NULL};

/* ---- Made by hand: a record that is not done ----------------------------- */

/* Delivers three messages in a batch; leaves the octets of the journal as they
 * were when it was sealed in `journal`, and the mbox as it was before. */
static void interrupt(const char *before)
{
    static struct pr_delivery deliveries[3];
    struct pr_delivery *batch[3];
    static const char *const keys[] = {"a", "b", "c"};
    struct pr_spool *spool = spool_of("Subject: hello\r\n\r\nworld\r\n", 1);
    char command[400];

    write_file("mail", before);
    for (size_t i = 0; i < 3; i++) {
        deliveries[i] = delivery_of(spool, "", keys[i]);
        batch[i] = &deliveries[i];
        OK(ops->stage(&sink, batch[i]));
    }
    OK(ops->commit(&sink, batch, 3));
    spool_free(spool);
    /* The state goes back to "begun", the payload comes back. */
    size_t size = strlen(before);
    snprintf(command, sizeof(command),
             "cd %s && tail -c +%zu mail >>.mail.postrider", base, size + 1);
    assert_int_equal(system(command), 0);
    FILE *file = fopen(below(".mail.postrider"), "r+");
    assert_non_null(file);
    char line[200];
    long at = 0, last = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "batch ", 6) == 0)
            last = at;
        at = ftell(file);
    }
    assert_int_equal(fseek(file, last + 6, SEEK_SET), 0);
    fputc('b', file);
    fclose(file);
    reopen_sink();
}

static void check_keys(pr_status a, pr_status b, pr_status c)
{
    assert_int_equal(recover("a", ""), a);
    assert_int_equal(recover("b", ""), b);
    assert_int_equal(recover("c", ""), c);
    assert_int_equal(recover("d", ""), PR_GONE);
}

#define BATCH (3 * (sizeof(HELLO) - 1))

/* `cut` octets of the batch are there, then `behind`. */
static void leave(const char *before, size_t cut, const char *behind)
{
    char text[4096];

    interrupt(before);
    snprintf(text, sizeof(text), "%s%.*s%s", before, (int)cut,
             HELLO HELLO HELLO, behind);
    write_file("mail", text);
}

static void expect(const char *before, size_t whole, const char *behind)
{
    char text[4096];
    const char *found = content("mail");
    int size = snprintf(text, sizeof(text), "%s%.*s", before,
                        (int)(whole * (sizeof(HELLO) - 1)), HELLO HELLO HELLO);

    assert_memory_equal(found, text, (size_t)size);
    /* Line ends before the first message of others may be taken for ours. */
    while (strcmp(found + size, behind) != 0 && *behind == '\n')
        behind++;
    assert_string_equal(found + size, behind);
    assert_int_equal(others_in("", ours), 0);
}

static void a_cut_message_is_cut_back(void **unused)
{
    (void)unused;
    for (size_t cut = 0; cut <= BATCH; cut++) {
        size_t whole = cut / (sizeof(HELLO) - 1);
        leave(THEIRS, cut, "");
        check_keys(whole >= 1 ? PR_OK : PR_GONE, whole >= 2 ? PR_OK : PR_GONE,
                   whole >= 3 ? PR_OK : PR_GONE);
        expect(THEIRS, whole, "");
        assert_int_equal(unlink(below(".mail.postrider")), 0);
    }
}

/* Line ends of others that are as ours would have been. */
static size_t ended_by(size_t cut, const char *behind)
{
    size_t count = 0;

    while (behind[count] == '\n' && (HELLO HELLO HELLO)[cut + count] == '\n')
        count++;
    return count;
}

static void what_others_have_appended_behind_it_stays(void **unused)
{
    static const char *const behind[] = {
        THEIRS,
        THEIRS THEIRS,
        "\n" THEIRS,
        "\n\n" THEIRS,
        FROM "Subject: another\n\nx\n\n",
        "From MAILER-DAEMON Tue Nov 14 22:13:21 2023\nSubject: c\n\n"};

    (void)unused;
    for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++)
        for (size_t cut = 0; cut <= BATCH; cut++) {
            size_t whole =
                (cut + ended_by(cut, behind[i])) / (sizeof(HELLO) - 1);
            leave(THEIRS, cut, behind[i]);
            check_keys(whole >= 1 ? PR_OK : PR_GONE,
                       whole >= 2 ? PR_OK : PR_GONE,
                       whole >= 3 ? PR_OK : PR_GONE);
            expect(THEIRS, whole, behind[i]);
            assert_int_equal(unlink(below(".mail.postrider")), 0);
        }
}

static void the_next_delivery_mends_as_well(void **unused)
{
    (void)unused;
    leave(THEIRS, 100, THEIRS);
    OK(deliver("", "d"));
    expect(THEIRS, 1, THEIRS HELLO);
    OK(recover("a", ""));
    assert_int_equal(recover("b", ""), PR_GONE);
    OK(recover("d", ""));
}

static void zeros_of_a_power_cut_are_cut_back(void **unused)
{
    (void)unused;
    leave(THEIRS, 100, "");
    assert_int_equal(truncate(root, (off_t)(sizeof(THEIRS) - 1 + 150)), 0);
    check_keys(PR_OK, PR_GONE, PR_GONE);
    expect(THEIRS, 1, "");
}

static void a_journal_that_was_not_written_whole_does_not_count(void **unused)
{
    struct stat found;

    (void)unused;
    leave(THEIRS, 0, THEIRS);
    assert_int_equal(stat(below(".mail.postrider"), &found), 0);
    for (off_t size = found.st_size - 1; size > 0; size -= 7) {
        assert_int_equal(truncate(below(".mail.postrider"), size), 0);
        reopen_sink();
        check_keys(PR_GONE, PR_GONE, PR_GONE);
        assert_string_equal(content("mail"), THEIRS THEIRS);
    }
    OK(deliver("", "d"));
    OK(recover("d", ""));
}

static void one_whose_mark_was_lost_is_found_in_the_mbox(void **unused)
{
    (void)unused;
    leave(THEIRS, BATCH, THEIRS);
    /* The payload is cut off, the mark not written. */
    struct stat found;
    assert_int_equal(stat(below(".mail.postrider"), &found), 0);
    assert_int_equal(
        truncate(below(".mail.postrider"), found.st_size - (off_t)BATCH), 0);
    check_keys(PR_OK, PR_OK, PR_OK);
    expect(THEIRS, 3, THEIRS);
}

static void what_was_delivered_may_be_removed_by_its_reader(void **unused)
{
    (void)unused;
    OK(deliver("", "a"));
    write_file("mail", "");
    reopen_sink();
    OK(recover("a", ""));
    assert_int_equal(unlink(root), 0);
    OK(recover("a", ""));
    assert_int_equal(recover("b", ""), PR_GONE);
}

static void a_rewritten_mbox_is_left_as_it_is(void **unused)
{
    (void)unused;
    leave(THEIRS, 100, "X-UID: 3\n\nchanged\n");
    check_keys(PR_OK, PR_GONE, PR_GONE);
    assert_int_equal(strlen(content("mail")),
                     sizeof(THEIRS) - 1 + 100 +
                         strlen("X-UID: 3\n\nchanged\n"));
    /* Shorter than what was there. */
    leave(THEIRS, 0, "");
    write_file("mail", HELLO);
    check_keys(PR_GONE, PR_GONE, PR_GONE);
    assert_string_equal(content("mail"), HELLO);
}

static void a_journal_of_others_is_not_believed(void **unused)
{
    (void)unused;
    write_file(".mail.postrider", "hello\n");
    assert_int_equal(recover("a", ""), PR_GONE);
    OK(deliver("", "a"));
    OK(recover("a", ""));
    write_file(".mail.postrider", "");
    OK(deliver("", "b"));
    OK(recover("b", ""));
}

static void keys_stay_when_the_journal_is_shortened(void **unused)
{
    char key[20], receipt[] = "mbox:";
    struct stat found;

    (void)unused;
    OK(deliver("", "first"));
    OK(deliver("", "last"));
    /* As if there had been many between: the same two again and again. */
    char command[600];
    snprintf(command, sizeof(command),
             "cd %s && tail -c +26 .mail.postrider >r && "
             "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do "
             "cat r r >s; mv s r; done; cat r >>.mail.postrider; rm r",
             base);
    assert_int_equal(system(command), 0);
    assert_int_equal(stat(below(".mail.postrider"), &found), 0);
    assert_true(found.st_size > 16 * 1024 * 1024);
    reopen_sink();
    snprintf(key, sizeof(key), "%s", "new");
    OK(deliver("", key));
    assert_int_equal(stat(below(".mail.postrider"), &found), 0);
    assert_true(found.st_size < 14 * 1024 * 1024);
    OK(ops->recover(&sink, "last", receipt));
    OK(ops->recover(&sink, "new", receipt));
    assert_int_equal(ops->recover(&sink, "none", receipt), PR_GONE);
    assert_int_equal(others_in("", ours), 0);
}

/* ---- Killed -------------------------------------------------------------- */

#define FEW 6

static void few(struct pr_delivery deliveries[FEW], char keys[FEW][16],
                const struct pr_spool *spool)
{
    for (size_t i = 0; i < FEW; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%zu", i);
        deliveries[i] = delivery_of(spool, i % 3 == 0 ? "x" : "a/b", keys[i]);
        OK(ops->stage(&sink, &deliveries[i]));
    }
}

static int deliver_few(void)
{
    static struct pr_delivery deliveries[FEW];
    struct pr_delivery *batch[FEW];
    static char keys[FEW][16];
    struct pr_spool *spool = spool_of("Subject: hello\r\n\r\nworld\r\n", 1);
    size_t count = 0;
    int failed = 0;

    few(deliveries, keys, spool);
    for (size_t i = 0; i < FEW; i++)
        if (ops->recover(&sink, keys[i], deliveries[i].receipt) != PR_OK)
            batch[count++] = &deliveries[i];
    if (ops->commit(&sink, batch, count) != PR_OK)
        return 101;
    for (size_t i = 0; i < count; i++)
        if (batch[i]->result != PR_OK) {
            print_error("%s\n", batch[i]->failure);
            failed++;
        }
    spool_free(spool);
    return failed;
}

static void check_few(const char *behind)
{
    static const char *const x[] = {"x", ".x.postrider", "a", NULL};
    static const char *const b[] = {"b", ".b.postrider", NULL};
    char text[1000];

    snprintf(text, sizeof(text), HELLO HELLO "%s", behind);
    assert_int_equal(strlen(content("mail/x")), strlen(text));
    snprintf(text, sizeof(text), HELLO HELLO HELLO HELLO "%s", behind);
    assert_int_equal(strlen(content("mail/a/b")), strlen(text));
    assert_int_equal(others_in("mail", x), 0);
    assert_int_equal(others_in("mail/a", b), 0);
}

#ifdef ENABLE_CRASH_POINTS
static char program[4096];

static bool dies_at(unsigned at)
{
    char step[16];
    int result;
    pid_t child = fork();

    assert_int_not_equal(child, -1);
    if (child == 0) {
        snprintf(step, sizeof(step), "%u", at);
        setenv("POSTRIDER_CRASH_AT", step, 1);
        execl(program, program, base, root, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    if (!WIFSIGNALED(result))
        assert_int_equal(WEXITSTATUS(result), 0);
    return WIFSIGNALED(result);
}

static void start_over(void)
{
    char command[200];

    snprintf(command, sizeof(command), "rm -rf %s/mail", base);
    assert_int_equal(system(command), 0);
}

static void a_kill_at_any_step_neither_loses_nor_doubles(void **unused)
{
    unsigned at = 1;

    (void)unused;
    while (dies_at(at)) {
        reopen_sink();
        assert_int_equal(deliver_few(), 0);
        check_few("");
        start_over();
        at++;
    }
    check_few("");
    assert_in_range(at, 10, 40);
}

/* Another program appends to what it finds, and then the mending is killed at
 * any step, once. */
static void nor_does_one_while_it_is_mended(void **unused)
{
    bool is_over = false;

    (void)unused;
    for (unsigned at = 1; !is_over; at++) {
        leave("", 100, THEIRS);
        snprintf(root, sizeof(root), "%s/mail", base);
        int result;
        pid_t child = fork();
        if (child == 0) {
            char step[16];
            snprintf(step, sizeof(step), "%u", at);
            setenv("POSTRIDER_CRASH_AT", step, 1);
            execl(program, program, base, root, "mend", (char *)NULL);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &result, 0), child);
        is_over = !WIFSIGNALED(result);
        reopen_sink();
        check_keys(PR_OK, PR_GONE, PR_GONE);
        expect("", 1, THEIRS);
        assert_int_equal(unlink(below(".mail.postrider")), 0);
        assert_true(at < 40);
    }
}
#endif

static pr_status all_tests(void *failed)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_cut_message_is_cut_back),
        TEST(what_others_have_appended_behind_it_stays),
        TEST(the_next_delivery_mends_as_well),
        TEST(zeros_of_a_power_cut_are_cut_back),
        TEST(a_journal_that_was_not_written_whole_does_not_count),
        TEST(one_whose_mark_was_lost_is_found_in_the_mbox),
        TEST(what_was_delivered_may_be_removed_by_its_reader),
        TEST(a_rewritten_mbox_is_left_as_it_is),
        TEST(a_journal_of_others_is_not_believed),
        TEST(keys_stay_when_the_journal_is_shortened),
#ifdef ENABLE_CRASH_POINTS
        TEST(a_kill_at_any_step_neither_loses_nor_doubles),
        TEST(nor_does_one_while_it_is_mended),
#endif
    };

    (void)check_few, (void)deliver_few;
    *(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

#ifdef ENABLE_CRASH_POINTS
static bool only_mends;

/* What the killed process does. */
static pr_status run_in_child(void *result)
{
    options.flags = true;
    options.set.wait = 1000;
    open_sink();
    *(int *)result = only_mends ? recover("a", "") != PR_OK : deliver_few();
    ops->close(&sink);
    return PR_OK;
}
#endif

int main(int argc, char **argv)
{
    int failed = 1;
    pr_fiber_fn *run = all_tests;

#ifdef ENABLE_CRASH_POINTS
    if (argc > 2) {
        snprintf(base, sizeof(base), "%s", argv[1]);
        snprintf(root, sizeof(root), "%s", argv[2]);
        only_mends = argc > 3;
        run = run_in_child;
    }
    if (readlink("/proc/self/exe", program, sizeof(program) - 1) <= 0)
        return 1;
#endif
    (void)argc, (void)argv;
    return loop_run(4, run, &failed) != PR_OK || failed != 0;
}
