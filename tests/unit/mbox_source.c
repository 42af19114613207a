/*
 * The mbox source: what is in an mbox comes out, and is removed or flagged in
 * it without a loss.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../plugins/mbox/source.h"
#include "fiber/loop.h"
#include "local_feed.h"
#include "mail/spool.h"
#include "mbox_fixture.h"

#define A "From a@example.org Tue Nov 14 22:13:20 2023\nSubject: a\n\none\n\n"
#define B "From b@example.org Tue Nov 14 22:13:21 2023\nSubject: b\n\ntwo\n\n"
#define C "From c@example.org Tue Nov 14 22:13:22 2023\nSubject: c\n\nsix\n\n"

static struct source_options from;
static struct local *local;

static int set_up_source(void **unused)
{
    int result = set_up(unused);

    from = (struct source_options){
        .set = {.path = root, .wait = 100, .stale = 900000}};
    local = calloc(1, sizeof(*local));
    return local == NULL ? -1 : result;
}

static int tear_down_source(void **unused)
{
    if (local->source.state != NULL)
        local_end(local);
    free(local);
    local = NULL;
    return tear_down(unused);
}

static void start(const char *text)
{
    write_file("mail", text);
    OK(local_start(local, &mbox_source_class, &from));
}

static void check_text(size_t index, const char *text)
{
    OK(local->messages[index].result);
    assert_string_equal(local->messages[index].text, text);
    assert_int_equal(local->messages[index].announced, strlen(text));
}

/* ---- Reading ------------------------------------------------------------- */

static void messages_come_out_as_they_went_in(void **unused)
{
    (void)unused;
    start(A
          "From x Tue Nov 14 22:13:20 2023\nS: b\n\n>From x\n>>From y\n\n\n" B);
    assert_int_equal(local->count, 3);
    assert_int_equal(local->mailbox.uidvalidity, 0);
    assert_int_equal(local->mailbox.exists, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(local->messages[i].item.number, i + 1);
    assert_int_equal(local->messages[0].item.received, 1700000000);
    OK(local_fetch(local, PR_WANT_ALL));
    check_text(0, "Subject: a\n\none\n");
    check_text(1, "S: b\n\nFrom x\n>From y\n\n");
    check_text(2, "Subject: b\n\ntwo\n");
    OK(local_fetch(local, PR_WANT_HEADER));
    check_text(0, "Subject: a\n\n");
    check_text(1, "S: b\n\n");
    assert_int_equal(local->messages[1].item.size, 22);
}

static void what_was_delivered_comes_out_again(void **unused)
{
    static const char *const texts[] = {"A: b\n\nFrom me\n>From you\n\n\n",
                                        "A: b\n\n",
                                        "A: b\n",
                                        "\nbody\n",
                                        "A: b\n\nlast line\n",
                                        "A: b\n\n>\n>>\n>F\nFrom",
                                        "\n",
                                        ""};
    char key[10];

    (void)unused;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        OK(deliver_text("", key, texts[i]));
    }
    OK(local_start(local, &mbox_source_class, &from));
    assert_int_equal(local->count, sizeof(texts) / sizeof(texts[0]));
    OK(local_fetch(local, PR_WANT_ALL));
    for (size_t i = 0; i < local->count; i++) {
        char expected[100];
        size_t size = strlen(texts[i]);
        bool lacks_end = size > 0 && texts[i][size - 1] != '\n';
        snprintf(expected, sizeof(expected), "%s%s", texts[i],
                 lacks_end ? "\n" : "");
        check_text(i, expected);
    }
}

static void what_readers_keep_in_the_header_is_no_part_of_it(void **unused)
{
    (void)unused;
    start("From x Tue Nov 14 22:13:20 2023\nA: b\nStatus: RO\nX-UID: 4\n"
          "X-Status: AF\nX-Keywords: $Junk\n todo $Junk\nC: d\n\nbody\n\n");
    assert_int_equal(local->messages[0].item.flags.system,
                     PR_FLAG_SEEN | PR_FLAG_ANSWERED | PR_FLAG_FLAGGED);
    assert_string_equal(local->messages[0].keywords, "$Junk");
    OK(local_fetch(local, PR_WANT_ALL));
    check_text(0, "A: b\nC: d\n\nbody\n");
    char name[100];
    strcpy(name, local->messages[0].uidl);
    local_end(local);
    start("From y Tue Nov 14 22:13:20 2023\nA: b\nC: d\n\nbody\n\n");
    assert_string_equal(local->messages[0].uidl, name);
}

static void copies_are_counted(void **unused)
{
    (void)unused;
    start(A B A A);
    assert_string_not_equal(local->messages[0].uidl, local->messages[1].uidl);
    assert_string_not_equal(local->messages[0].uidl, local->messages[2].uidl);
    assert_string_not_equal(local->messages[2].uidl, local->messages[3].uidl);
    assert_memory_equal(local->messages[0].uidl, local->messages[2].uidl, 24);
    assert_non_null(strstr(local->messages[3].uidl, ".3"));
}

static void lines_within_a_message_do_not_divide_it(void **unused)
{
    (void)unused;
    start(A "From the start it was clear:\n\nFrom 12:30 on\n" B);
    assert_int_equal(local->count, 2);
    OK(local_fetch(local, PR_WANT_ALL));
    check_text(0, "Subject: a\n\none\n\nFrom the start it was clear:\n\n"
                  "From 12:30 on\n");
}

static void odd_files_are_read(void **unused)
{
    static const char *const odd[] = {
        "",
        "\n\n" A,
        "From a Tue Nov 14 22:13:20 2023\r\nA: b\r\n\r\nc\r\n\r\n",
        "From a Tue Nov 14 22:13:20 2023",
        "From a Tue Nov 14 22:13:20 2023\n",
        "From a Tue Nov 14 22:13:20 2023\n"
        "From a Tue Nov 14 22:13:20 2023\nx: y"};
    static const size_t counts[] = {0, 1, 1, 1, 1, 2};

    (void)unused;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        start(odd[i]);
        assert_int_equal(local->count, counts[i]);
        OK(local_fetch(local, PR_WANT_ALL));
        for (size_t n = 0; n < local->count; n++)
            OK(local->messages[n].result);
        if (i == 2)
            assert_string_equal(local->messages[0].text, "A: b\n\nc\n");
        if (i == 5)
            assert_string_equal(local->messages[1].text, "x: y");
        local_end(local);
    }
    write_file("mail", "Subject: no mbox\n\nFrom x\n");
    assert_int_equal(local_start(local, &mbox_source_class, &from),
                     PR_PROTOCOL);
}

static void mail_of_the_imap_server_itself_is_left_out(void **unused)
{
    (void)unused;
    start("From MAILER-DAEMON Tue Nov 14 22:13:20 2023\n"
          "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
          "X-IMAP: 1 2\n\nThis text is part of the internal format.\n\n" A);
    assert_int_equal(local->count, 1);
    OK(local_settle(local, 0, (struct pr_deed){.remove = true}));
    OK(local_select(local, "INBOX"));
    assert_int_equal(local->count, 0);
    assert_non_null(strstr(content("mail"), "FOLDER INTERNAL DATA"));
}

static void a_large_message_comes_out_whole(void **unused)
{
    struct pr_spool *spool = spool_of("From 0123456789\r\n", 100000);
    struct pr_delivery delivery = delivery_of(spool, "", "k");

    (void)unused;
    OK(commit_one(&delivery));
    spool_free(spool);
    OK(local_start(local, &mbox_source_class, &from));
    OK(local_fetch(local, PR_WANT_ALL));
    const char *text = local->messages[0].text;
    assert_int_equal(strlen(text), 1600000);
    for (size_t i = 0; i < 100000; i++)
        assert_memory_equal(text + i * 16, "From 0123456789\n", 16);
}

/* ---- Others are at work -------------------------------------------------- */

static void remove_first(void)
{
    write_file("mail", B C);
}

static void one_that_vanished_is_gone_and_the_others_are_found(void **unused)
{
    (void)unused;
    start(A B);
    local->on_begin = remove_first;
    OK(local_fetch(local, PR_WANT_ALL));
    assert_int_equal(local->messages[0].result, PR_GONE);
    check_text(1, "Subject: b\n\ntwo\n");
}

static void a_locked_mbox_is_waited_for(void **unused)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    (void)unused;
    start(A B);
    int fd = open(root, O_RDWR);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_int_equal(local_fetch(local, PR_WANT_ALL), PR_BUSY);
    assert_int_equal(local_settle(local, 0, (struct pr_deed){.remove = true}),
                     PR_BUSY);
    assert_int_equal(local_select(local, "INBOX"), PR_BUSY);
    close(fd);
    OK(local_select(local, "INBOX"));
}

/* ---- Settling ------------------------------------------------------------ */

static void messages_are_removed(void **unused)
{
    ino_t inode;
    struct stat found;

    (void)unused;
    start(A B C);
    assert_int_equal(stat(root, &found), 0);
    inode = found.st_ino;
    struct pr_deed deeds[2] = {
        {.item = &local->messages[2].item, .remove = true},
        {.item = &local->messages[0].item, .remove = true}};
    OK(mbox_source_class.source->settle(&local->source, deeds, 2));
    OK(deeds[0].result);
    OK(deeds[1].result);
    assert_string_equal(content("mail"), B);
    assert_int_equal(stat(root, &found), 0);
    assert_int_equal(found.st_ino, inode);
    /* Once more: what is gone is removed. */
    OK(local_settle(local, 0, (struct pr_deed){.remove = true}));
    assert_string_equal(content("mail"), B);
    assert_int_equal(
        local_settle(local, 0, (struct pr_deed){.set = {PR_FLAG_SEEN, NULL}}),
        PR_GONE);
}

static void what_was_appended_meanwhile_stays(void **unused)
{
    (void)unused;
    start(A B);
    append_file("mail", C);
    OK(local_settle(local, 0, (struct pr_deed){.remove = true}));
    assert_string_equal(content("mail"), B C);
}

static void flags_are_set_and_cleared(void **unused)
{
    (void)unused;
    start(A "From x Tue Nov 14 22:13:20 2023\nA: b\nStatus: RO\nX-UID: 4\n"
            "X-Status: A\nX-Keywords: one two\n\n>From b\n\n" C);
    OK(local_settle(
        local, 0,
        (struct pr_deed){.set = {PR_FLAG_SEEN | PR_FLAG_FLAGGED, "todo"}}));
    OK(local_settle(local, 1,
                    (struct pr_deed){.set = {PR_FLAG_FLAGGED, "three"},
                                     .clear = {PR_FLAG_SEEN, "two"}}));
    assert_string_equal(
        content("mail"),
        "From a@example.org Tue Nov 14 22:13:20 2023\nSubject: a\n"
        "Status: RO\nX-Status: F\nX-Keywords: todo\n\none\n\n"
        "From x Tue Nov 14 22:13:20 2023\nA: b\nX-UID: 4\n"
        "X-Status: AF\nX-Keywords: one three\n\n>From b\n\n" C);
    OK(local_select(local, "INBOX"));
    assert_int_equal(local->messages[0].item.flags.system,
                     PR_FLAG_SEEN | PR_FLAG_FLAGGED);
    assert_string_equal(local->messages[1].keywords, "one three");
}

static void what_it_cannot_do_it_refuses(void **unused)
{
    (void)unused;
    start(A);
    assert_int_equal(local_settle(local, 0, (struct pr_deed){.move_to = "x"}),
                     PR_UNSUPPORTED);
    local->source.read_only = true;
    assert_int_equal(local_settle(local, 0, (struct pr_deed){.remove = true}),
                     PR_REFUSED);
    assert_string_equal(content("mail"), A);
}

/* ---- Folders ------------------------------------------------------------- */

static void a_folder_of_mboxes_is_walked(void **unused)
{
    static const char *const all[] = {"*", NULL};
    static const char *const some[] = {"INBOX", "lists/%", "!lists/b", NULL};

    (void)unused;
    OK(deliver("lists/a", "k"));
    OK(deliver("lists/b", "k"));
    OK(deliver("lists/c/d", "k"));
    OK(deliver("", "k"));
    write_file("mail/other.lock", "");
    assert_int_equal(symlink("inbox", below("mail/link")), 0);
    OK(local_start(local, &mbox_source_class, &from));
    assert_int_equal(local->count, 1);
    OK(local_folders(local, all));
    assert_int_equal(local->folder_count, 4);
    assert_string_equal(local->folders[0], "INBOX");
    assert_string_equal(local->folders[3], "lists/c/d");
    OK(local_folders(local, some));
    assert_int_equal(local->folder_count, 2);
    assert_string_equal(local->folders[1], "lists/a");
    OK(local_select(local, "lists/c/d"));
    assert_int_equal(local->count, 1);
    assert_int_equal(local_select(local, "none"), PR_GONE);
    assert_int_equal(local_select(local, "../x"), PR_REFUSED);
}

/* ---- Killed -------------------------------------------------------------- */

#ifdef ENABLE_CRASH_POINTS
static char program[4096];
static const char *child_does;

/* Removes B, and flags C or not, killed at that step; false: it was not. */
static bool dies_at(unsigned at, const char *what)
{
    char step[16];
    int result;
    pid_t child = fork();

    assert_int_not_equal(child, -1);
    if (child == 0) {
        snprintf(step, sizeof(step), "%u", at);
        setenv("POSTRIDER_CRASH_AT", step, 1);
        execl(program, program, base, root, what, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    if (!WIFSIGNALED(result))
        assert_int_equal(WEXITSTATUS(result), 0);
    return WIFSIGNALED(result);
}

#define C_FLAGGED                                                         \
    "From c@example.org Tue Nov 14 22:13:22 2023\nSubject: c\nX-Status: " \
    "F\n\nsix\n\n"

/* What it may be: the old or the new, with what another program appended while
 * nobody held the lock. */
static void check_either(const char *new, const char *behind)
{
    char old[1000], changed[1000];

    snprintf(old, sizeof(old), A B C A "%s", behind);
    snprintf(changed, sizeof(changed), "%s%s", new, behind);
    const char *found = content("mail");
    if (strcmp(found, old) != 0)
        assert_string_equal(found, changed);
}

static void kill_at_any_step(const char *what, const char *new,
                             const char *behind)
{
    bool is_over = false;

    for (unsigned at = 1; !is_over; at++) {
        write_file("mail", A B C A);
        (void)unlink(below(".mail.postrider"));
        is_over = !dies_at(at, what);
        append_file("mail", behind);
        OK(local_start(local, &mbox_source_class, &from));
        check_either(new, behind);
        local_end(local);
        local->source.state = NULL;
        assert_false(exists("mail.lock"));
        assert_true(at < 40);
    }
}

static void a_kill_while_it_is_rewritten_loses_nothing(void **unused)
{
    (void)unused;
    kill_at_any_step("remove", A C A, "");
    kill_at_any_step("remove", A C A, B B);
    kill_at_any_step("flag", A B C_FLAGGED A, "");
    kill_at_any_step("flag", A B C_FLAGGED A, B A);
}

static pr_status run_in_child(void *result)
{
    bool removes = strcmp(child_does, "remove") == 0;
    struct pr_deed deed = {.remove = removes};

    if (!removes)
        deed.set.system = PR_FLAG_FLAGGED;
    from = (struct source_options){.set = {.path = root, .wait = 1000}};
    local = calloc(1, sizeof(*local));
    OK(local_start(local, &mbox_source_class, &from));
    *(int *)result = local_settle(local, removes ? 1 : 2, deed) != PR_OK;
    local_end(local);
    free(local);
    return PR_OK;
}
#endif

static pr_status all_tests(void *failed)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, set_up_source, tear_down_source)
        TEST(messages_come_out_as_they_went_in),
        TEST(what_was_delivered_comes_out_again),
        TEST(what_readers_keep_in_the_header_is_no_part_of_it),
        TEST(copies_are_counted),
        TEST(lines_within_a_message_do_not_divide_it),
        TEST(odd_files_are_read),
        TEST(mail_of_the_imap_server_itself_is_left_out),
        TEST(a_large_message_comes_out_whole),
        TEST(one_that_vanished_is_gone_and_the_others_are_found),
        TEST(a_locked_mbox_is_waited_for),
        TEST(messages_are_removed),
        TEST(what_was_appended_meanwhile_stays),
        TEST(flags_are_set_and_cleared),
        TEST(what_it_cannot_do_it_refuses),
        TEST(a_folder_of_mboxes_is_walked),
#ifdef ENABLE_CRASH_POINTS
        TEST(a_kill_while_it_is_rewritten_loses_nothing),
#endif
    };

    *(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

int main(int argc, char **argv)
{
    int failed = 1;
    pr_fiber_fn *run = all_tests;

#ifdef ENABLE_CRASH_POINTS
    if (argc > 3) {
        snprintf(base, sizeof(base), "%s", argv[1]);
        snprintf(root, sizeof(root), "%s", argv[2]);
        child_does = argv[3];
        run = run_in_child;
    }
    if (readlink("/proc/self/exe", program, sizeof(program) - 1) <= 0)
        return 1;
#endif
    (void)argc, (void)argv;
    return loop_run(4, run, &failed) != PR_OK || failed != 0;
}
