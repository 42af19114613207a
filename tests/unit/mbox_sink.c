/*
 * The mbox sink: what is delivered is there, whole, and nobody is disturbed.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "mail/spool.h"
#include "mbox_fixture.h"

static const char *const ours[] = {"mail", ".mail.postrider", NULL};

/* ---- What is written ----------------------------------------------------- */

static void a_message_lands_in_the_file(void **unused)
{
    struct stat found;

    (void)unused;
    OK(deliver("", "k"));
    assert_string_equal(content("mail"), HELLO);
    assert_int_equal(stat(root, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0600);
    OK(deliver("", "k2"));
    assert_string_equal(content("mail"), HELLO HELLO);
    assert_int_equal(others_in("", ours), 0);
}

static void the_sender_is_that_of_the_envelope(void **unused)
{
    (void)unused;
    OK(deliver_text("", "k",
                    "Return-Path: <a@example.org>\r\nFrom: b\r\n\r\nx"));
    assert_string_equal(content("mail"),
                        "From a@example.org Tue Nov 14 22:13:20 2023\n"
                        "Return-Path: <a@example.org>\nFrom: b\n\nx\n\n");
    write_file("mail", "");
    OK(deliver_text("", "k2", "Return-Path: <>\r\n\r\nx\r\n"));
    assert_string_equal(content("mail"), FROM "Return-Path: <>\n\nx\n\n");
    write_file("mail", "");
    OK(deliver_text("", "k3", "Return-Path: <a@b>\r\n (c) x\r\n\r\nx\r\n"));
    assert_memory_equal(content("mail"), FROM, sizeof(FROM) - 1);
}

static void what_others_have_left_is_ended_first(void **unused)
{
    static const char *const left[] = {"From x\n\nno end", "From x\n\nend\n",
                                       "From x\n\ngap\n\n", "\n"};
    static const char *const gaps[] = {"\n\n", "\n", "", ""};
    char expected[200];

    (void)unused;
    for (size_t i = 0; i < 4; i++) {
        write_file("mail", left[i]);
        OK(deliver("", "k"));
        snprintf(expected, sizeof(expected), "%s%s" HELLO, left[i], gaps[i]);
        assert_string_equal(content("mail"), expected);
    }
}

static void flags_become_headers(void **unused)
{
    struct pr_spool *spool = spool_of("A: b\r\n\r\nc\r\n", 1);
    struct pr_delivery delivery = delivery_of(spool, "", "k");

    (void)unused;
    delivery.flags = (struct pr_flags){
        PR_FLAG_SEEN | PR_FLAG_FLAGGED | PR_FLAG_ANSWERED, "$Junk todo"};
    OK(commit_one(&delivery));
    assert_string_equal(content("mail"),
                        FROM "A: b\nStatus: RO\nX-Status: AF\n"
                             "X-Keywords: $Junk todo\n\nc\n\n");
    write_file("mail", "");
    delivery.flags =
        (struct pr_flags){PR_FLAG_DRAFT | PR_FLAG_DELETED, "a\nX-Evil: b"};
    OK(commit_one(&delivery));
    assert_string_equal(content("mail"), FROM "A: b\nX-Status: TD\n\nc\n\n");
    write_file("mail", "");
    options.flags = false;
    OK(commit_one(&delivery));
    assert_string_equal(content("mail"), FROM "A: b\n\nc\n\n");
    spool_free(spool);
}

static void a_message_in_a_file_comes_out_whole(void **unused)
{
    struct pr_spool *spool = spool_of("From 0123456789\r\n", 200000);
    struct pr_delivery delivery = delivery_of(spool, "", "k");
    char line[100];
    size_t lines = 0;

    (void)unused;
    assert_int_not_equal(pr_spool_file(spool), -1);
    OK(commit_one(&delivery));
    FILE *file = fopen(root, "r");
    assert_non_null(fgets(line, sizeof(line), file));
    assert_string_equal(line, FROM);
    while (fgets(line, sizeof(line), file) != NULL && line[0] != '\n') {
        assert_string_equal(line, ">From 0123456789\n");
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 200000);
    spool_free(spool);
}

/* ---- Places -------------------------------------------------------------- */

static void folders_are_files_of_a_directory(void **unused)
{
    struct stat found;

    (void)unused;
    OK(deliver("lists/dev", "k"));
    assert_string_equal(content("mail/lists/dev"), HELLO);
    assert_int_equal(stat(below("mail/lists"), &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    OK(deliver("", "k"));
    assert_string_equal(content("mail/inbox"), HELLO);
    assert_int_not_equal(deliver("lists", "k"), PR_OK);
    assert_int_not_equal(deliver("lists/dev/sub", "k"), PR_OK);
}

static void a_path_with_a_slash_at_its_end_is_a_directory(void **unused)
{
    (void)unused;
    strcat(root, "/");
    OK(deliver("", "k"));
    assert_string_equal(content("mail/inbox"), HELLO);
}

static void a_file_has_no_folders(void **unused)
{
    (void)unused;
    OK(deliver("", "k"));
    assert_int_equal(deliver("lists", "k"), PR_REFUSED);
}

static void bad_folder_names_are_refused(void **unused)
{
    static const char *const bad[] = {
        "..",        ".",    "../x",         "a/../b",    "/etc",
        "a//b",      "a/",   "a\nb",         "a\x1b[2J",  "a\x7f",
        ".hidden",   "a/.b", ".x.postrider", "mail.lock", "mail.lock/sub",
        "mail/.lock"};
    char name[400];

    (void)unused;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(deliver(bad[i], "k"), PR_REFUSED);
        assert_non_null(strstr(pr_last_failure()->text, "folder name"));
    }
    memset(name, 'a', 201);
    name[201] = '\0';
    assert_int_equal(deliver(name, "k"), PR_REFUSED);
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 2 == 0 ? 'a' : '/';
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(deliver(name, "k"), PR_REFUSED);
    assert_false(exists("mail"));
    OK(deliver("Entwürfe & Co/🐎 x", "k"));
    assert_string_equal(content("mail/Entwürfe & Co/🐎 x"), HELLO);
}

static void only_plain_files_are_written_to(void **unused)
{
    (void)unused;
    write_file("target", "");
    assert_int_equal(symlink("target", root), 0);
    assert_int_equal(deliver("", "k"), PR_REFUSED);
    assert_non_null(strstr(pr_last_failure()->text, "symbolic link"));
    assert_string_equal(content("target"), "");
    assert_int_equal(unlink(root), 0);
    assert_int_equal(mkfifo(root, 0600), 0);
    assert_int_equal(deliver("", "k"), PR_REFUSED);
    assert_int_equal(unlink(root), 0);
    assert_int_equal(link(below("target"), root), 0);
    assert_int_equal(deliver("", "k"), PR_REFUSED);
    assert_string_equal(content("target"), "");
    assert_int_equal(unlink(root), 0);
    assert_int_equal(symlink("target", below(".mail.postrider")), 0);
    assert_int_not_equal(deliver("", "k"), PR_OK);
    assert_string_equal(content("target"), "");
    assert_string_equal(content("mail"), "");
}

/* ---- Locks --------------------------------------------------------------- */

static void set_lock(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
}

static void a_locked_mbox_is_left_alone(void **unused)
{
    (void)unused;
    write_file("mail", "");
    int fd = open(root, O_RDWR);
    set_lock(fd, F_WRLCK);
    assert_int_equal(deliver("", "k"), PR_BUSY);
    assert_string_equal(content("mail"), "");
    options.set.locks = LOCKS_FCNTL;
    assert_int_equal(deliver("", "k"), PR_BUSY);
    options.set.locks = LOCKS_DOT;
    OK(deliver("", "k"));
    options.set.locks = LOCKS_AUTO;
    set_lock(fd, F_RDLCK);
    assert_int_equal(deliver("", "k"), PR_BUSY);
    close(fd);
    OK(deliver("", "k"));
    assert_int_equal(others_in("", ours), 0);
}

static void a_dot_lock_holds_as_long_as_its_process_lives(void **unused)
{
    char owner[200], host[100];

    (void)unused;
    gethostname(host, sizeof(host));
    snprintf(owner, sizeof(owner), "%ld:%s", (long)getppid(), host);
    write_file("mail.lock", owner);
    assert_int_equal(deliver("", "k"), PR_BUSY);
    assert_non_null(strstr(pr_last_failure()->text, "is held by process"));
    assert_string_equal(content("mail.lock"), owner);
    options.set.locks = LOCKS_FCNTL;
    OK(deliver("", "k"));
    assert_string_equal(content("mail.lock"), owner);
}

static void set_age(const char *name, time_t seconds)
{
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds},
                                {.tv_sec = time(NULL) - seconds}};

    assert_int_equal(utimensat(AT_FDCWD, below(name), times, 0), 0);
}

static void a_dot_lock_of_a_dead_process_is_broken(void **unused)
{
    char owner[200], host[100];
    pid_t child = fork();

    (void)unused;
    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    gethostname(host, sizeof(host));
    snprintf(owner, sizeof(owner), "%ld:%s", (long)child, host);
    write_file("mail.lock", owner);
    OK(deliver("", "k"));
    /* Its number is that of a process that began later: ours. */
    snprintf(owner, sizeof(owner), "%ld:%s\n", (long)getpid(), host);
    write_file("mail.lock", owner);
    assert_int_equal(deliver("", "k"), PR_BUSY);
    set_age("mail.lock", 800);
    OK(deliver("", "k2"));
    assert_string_equal(content("mail"), HELLO HELLO);
    assert_int_equal(others_in("", ours), 0);
}

static void other_dot_locks_are_broken_by_age_only(void **unused)
{
    static const char *const owners[] = {
        "", "0", "12", "1:elsewhere.example", "\x1b[2J", "-1:x"};

    (void)unused;
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        write_file("mail.lock", owners[i]);
        assert_int_equal(deliver("", "k"), PR_BUSY);
        set_age("mail.lock", 800);
        assert_int_equal(deliver("", "k"), PR_BUSY);
        options.set.stale = 0;
        set_age("mail.lock", 2000);
        assert_int_equal(deliver("", "k"), PR_BUSY);
        options.set.stale = 900000;
        OK(deliver("", "k"));
        assert_false(exists("mail.lock"));
    }
}

static void where_no_lock_can_be_made_fcntl_does(void **unused)
{
    char journal[200];

    (void)unused;
    if (geteuid() == 0)
        skip();
    snprintf(journal, sizeof(journal), "%s/journals", base);
    strcat(root, "/box");
    assert_int_equal(mkdir(below("mail"), 0700), 0);
    write_file("mail/box", "");
    assert_int_equal(chmod(below("mail"), 0500), 0);
    options.set.journal = journal;
    OK(deliver("", "k"));
    assert_string_equal(content("mail/box"), HELLO);
    OK(recover("k", ""));
    options.set.locks = LOCKS_BOTH;
    assert_int_equal(deliver("", "k"), PR_IO);
    assert_int_equal(chmod(below("mail"), 0700), 0);
}

/* ---- No room ------------------------------------------------------------- */

static void with_file_limit(size_t limit, struct pr_delivery *const *batch,
                            size_t count)
{
    struct rlimit before, small = {limit, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    OK(ops->commit(&sink, batch, count));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static void what_does_not_fit_leaves_nothing(void **unused)
{
    struct pr_spool *large = spool_of("0123456789\r\n", 20000);
    struct pr_spool *fits = spool_of("Subject: hello\r\n\r\nworld\r\n", 1);
    struct pr_delivery two[2] = {delivery_of(large, "", "large"),
                                 delivery_of(fits, "", "fits")};
    struct pr_delivery *batch[] = {&two[0], &two[1]};

    (void)unused;
    OK(ops->stage(&sink, &two[0]));
    OK(ops->stage(&sink, &two[1]));
    with_file_limit(100 * 1024, batch, 2);
    assert_int_equal(two[0].result, PR_IO);
    OK(two[1].result);
    assert_string_equal(content("mail"), HELLO);
    assert_int_equal(recover("large", ""), PR_GONE);
    OK(recover("fits", ""));
    /* And once there is room again, it goes through. */
    OK(ops->commit(&sink, batch, 1));
    OK(two[0].result);
    OK(recover("large", ""));
    spool_free(large);
    spool_free(fits);
}

/* The journal has room, the mbox has not. */
static void nor_does_what_the_mbox_has_no_room_for(void **unused)
{
    struct pr_spool *spool = spool_of("0123456789\r\n", 6000);
    struct pr_delivery delivery = delivery_of(spool, "", "k");
    struct pr_delivery *batch[] = {&delivery};
    size_t size = 60000;
    char *old = malloc(size + 1);

    (void)unused;
    memset(old, 'x', size);
    memcpy(old, FROM, sizeof(FROM) - 1);
    memcpy(old + size - 2, "\n\n", 3);
    write_file("mail", old);
    OK(ops->stage(&sink, &delivery));
    with_file_limit(100 * 1024, batch, 1);
    assert_int_equal(delivery.result, PR_IO);
    assert_string_equal(content("mail"), old);
    assert_int_equal(recover("k", ""), PR_GONE);
    OK(ops->commit(&sink, batch, 1));
    OK(delivery.result);
    assert_int_equal(strlen(content("mail")), size + 44 + 66000 + 1);
    free(old);
    spool_free(spool);
}

static void each_allocation_may_fail(void **unused)
{
    bool is_over = false;
    struct pr_spool *spool = spool_of("Subject: hello\r\n\r\nworld\r\n", 1);

    (void)unused;
    for (unsigned long n = 1; !is_over; n++) {
        struct pr_delivery delivery = delivery_of(spool, "", "k");
        struct pr_delivery *batch[] = {&delivery};
        OK(ops->stage(&sink, &delivery));
        memory_fail_at(n);
        OK(ops->commit(&sink, batch, 1));
        is_over = memory_fail_pending();
        memory_fail_at(0);
        if (delivery.result == PR_OK)
            break;
        assert_int_equal(delivery.result, PR_NOMEM);
        assert_true(!exists("mail") || content("mail")[0] == '\0');
        assert_true(n < 1000);
    }
    assert_string_equal(content("mail"), HELLO);
    spool_free(spool);
}

/* ---- Batches ------------------------------------------------------------- */

#define MANY 300

static void a_large_batch_goes_into_several_folders(void **unused)
{
    static struct pr_delivery deliveries[MANY];
    static struct pr_delivery *batch[MANY];
    static char keys[MANY][16];
    static const char *const folders[] = {"a", "b/c", "d"};
    struct pr_spool *spool = spool_of("Subject: hello\r\n\r\nworld\r\n", 1);

    (void)unused;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%zu", i / 2);
        deliveries[i] = delivery_of(spool, folders[i % 3], keys[i]);
        batch[i] = &deliveries[i];
        OK(ops->stage(&sink, batch[i]));
    }
    OK(ops->commit(&sink, batch, MANY));
    for (size_t i = 0; i < MANY; i++) {
        OK(deliveries[i].result);
        OK(recover(keys[i], folders[i % 3]));
    }
    assert_int_equal(strlen(content("mail/a")), 100 * (sizeof(HELLO) - 1));
    assert_int_equal(strlen(content("mail/b/c")), 100 * (sizeof(HELLO) - 1));
    assert_int_equal(strlen(content("mail/d")), 100 * (sizeof(HELLO) - 1));
    spool_free(spool);
}

static void
one_folder_that_cannot_be_made_does_not_hit_the_others(void **unused)
{
    struct pr_spool *spool = spool_of("Subject: hello\r\n\r\nworld\r\n", 1);
    struct pr_delivery two[2] = {delivery_of(spool, "f/sub", "k"),
                                 delivery_of(spool, "g", "k")};
    struct pr_delivery *batch[] = {&two[0], &two[1]};

    (void)unused;
    OK(deliver("f", "k"));
    OK(ops->stage(&sink, &two[0]));
    OK(ops->stage(&sink, &two[1]));
    OK(ops->commit(&sink, batch, 2));
    assert_int_equal(two[0].result, PR_IO);
    assert_non_null(strstr(two[0].failure, "mail/f"));
    OK(two[1].result);
    assert_string_equal(content("mail/g"), HELLO);
    spool_free(spool);
}

static void the_same_key_twice_in_a_batch_is_one_message(void **unused)
{
    struct pr_spool *spool = spool_of("Subject: hello\r\n\r\nworld\r\n", 1);
    struct pr_delivery two[2] = {delivery_of(spool, "", "k"),
                                 delivery_of(spool, "", "k")};
    struct pr_delivery *batch[] = {&two[0], &two[1]};

    (void)unused;
    OK(ops->stage(&sink, &two[0]));
    OK(ops->stage(&sink, &two[1]));
    OK(ops->commit(&sink, batch, 2));
    OK(two[0].result);
    OK(two[1].result);
    assert_string_equal(content("mail"), HELLO);
    spool_free(spool);
}

struct side {
    const char *key;
    pr_status result;
};

static pr_status deliver_beside(void *argument)
{
    struct side *side = argument;

    side->result = deliver("", side->key);
    return PR_OK;
}

static void batches_of_one_file_come_after_each_other(void **unused)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct side sides[8];
    struct pr_scope scope;

    (void)unused;
    pr_scope_init(&scope);
    for (size_t i = 0; i < 8; i++) {
        sides[i].key = keys[i];
        OK(pr_spawn(&scope, "side", PR_STACK_SESSION, deliver_beside,
                    &sides[i]));
    }
    OK(pr_scope_join(&scope));
    for (size_t i = 0; i < 8; i++)
        OK(sides[i].result);
    assert_string_equal(content("mail"),
                        HELLO HELLO HELLO HELLO HELLO HELLO HELLO HELLO);
}

/* ---- The rest ------------------------------------------------------------ */

static void check_changes_nothing(void **unused)
{
    (void)unused;
    OK(ops->check(&sink));
    assert_false(exists("mail"));
    write_file("mail", "");
    OK(ops->check(&sink));
    assert_string_equal(content("mail"), "");
    strcat(root, "/x");
    assert_int_not_equal(ops->check(&sink), PR_OK);
    snprintf(root, sizeof(root), "%s/link", base);
    assert_int_equal(symlink("mail", root), 0);
    assert_int_equal(ops->check(&sink), PR_CONFIG);
}

static void it_says_its_name(void **unused)
{
    char name[64];
    const struct mbox_options home = {.set = {.path = "/home/a/mbox"}};

    (void)unused;
    ops->describe(&home, name, sizeof(name));
    assert_string_equal(name, "mbox:/home/a/mbox");
}

static void receipts_of_others_are_refused(void **unused)
{
    (void)unused;
    assert_int_equal(ops->recover(&sink, "k", ""), PR_BUG);
    assert_int_equal(ops->recover(&sink, "k", "new/1"), PR_BUG);
    assert_int_equal(ops->recover(&sink, "k", "mbox:../x"), PR_BUG);
    assert_int_equal(deliver("", "x/y"), PR_BUG);
    assert_int_equal(deliver("", ""), PR_BUG);
}

static pr_status all_tests(void *failed)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_message_lands_in_the_file),
        TEST(the_sender_is_that_of_the_envelope),
        TEST(what_others_have_left_is_ended_first),
        TEST(flags_become_headers),
        TEST(a_message_in_a_file_comes_out_whole),
        TEST(folders_are_files_of_a_directory),
        TEST(a_path_with_a_slash_at_its_end_is_a_directory),
        TEST(a_file_has_no_folders),
        TEST(bad_folder_names_are_refused),
        TEST(only_plain_files_are_written_to),
        TEST(a_locked_mbox_is_left_alone),
        TEST(a_dot_lock_holds_as_long_as_its_process_lives),
        TEST(a_dot_lock_of_a_dead_process_is_broken),
        TEST(other_dot_locks_are_broken_by_age_only),
        TEST(where_no_lock_can_be_made_fcntl_does),
        TEST(what_does_not_fit_leaves_nothing),
        TEST(nor_does_what_the_mbox_has_no_room_for),
        TEST(each_allocation_may_fail),
        TEST(a_large_batch_goes_into_several_folders),
        TEST(one_folder_that_cannot_be_made_does_not_hit_the_others),
        TEST(the_same_key_twice_in_a_batch_is_one_message),
        TEST(batches_of_one_file_come_after_each_other),
        TEST(check_changes_nothing),
        TEST(it_says_its_name),
        TEST(receipts_of_others_are_refused),
    };

    *(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

int main(void)
{
    int failed = 1;

    return loop_run(4, all_tests, &failed) != PR_OK || failed != 0;
}
