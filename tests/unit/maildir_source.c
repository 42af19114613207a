/*
 * The Maildir source: what other programs have put there comes out, whatever
 * they do to it meanwhile.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../plugins/maildir/maildir.h"
#include "../../plugins/maildir/source.h"
#include "fiber/loop.h"
#include "local_feed.h"

#define OK(call) assert_int_equal((call), PR_OK)

/* As the class stores them. */
static struct {
    const char *path;
    unsigned layout;
} options;

static char root[64];
static struct local *local;

static const char *below(const char *name)
{
    static char path[2][600];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", root, name);
    return path[turn];
}

static void make_maildir(const char *name)
{
    static const char *const parts[] = {"", "/cur", "/new", "/tmp"};
    char path[500];

    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s%s", name, parts[i]);
        (void)mkdir(below(path), 0700);
    }
}

static void put(const char *name, const char *text, time_t when)
{
    const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    FILE *file = fopen(below(name), "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(utimensat(AT_FDCWD, below(name), times, 0), 0);
}

static bool exists(const char *name)
{
    return access(below(name), F_OK) == 0;
}

static int set_up(void **unused)
{
    (void)unused;
    strcpy(root, "/tmp/postrider-source-XXXXXX");
    assert_non_null(mkdtemp(root));
    make_maildir(".");
    options.path = root;
    options.layout = LAYOUT_FS;
    local = calloc(1, sizeof(*local));
    return local == NULL ? -1 : 0;
}

static int tear_down(void **unused)
{
    char command[100];

    (void)unused;
    if (local->source.state != NULL)
        local_end(local);
    free(local);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

static void start(void)
{
    OK(local_start(local, &maildir_source_class, &options));
}

static void check_text(size_t index, const char *text)
{
    OK(local->messages[index].result);
    assert_string_equal(local->messages[index].text, text);
}

/* ---- Reading ------------------------------------------------------------- */

static void messages_come_in_order_of_date(void **unused)
{
    (void)unused;
    put("cur/9.b.host:2,FS", "B: b\r\n\r\nsecond\r\n", 2000);
    put("new/8.c.host", "C: c\n\nthird", 3000);
    put("cur/7.a.host:2,", "A: a\n", 1000);
    put("tmp/6.d.host", "half", 1);
    put("new/.hidden", "", 1);
    assert_int_equal(mkdir(below("new/directory"), 0700), 0);
    assert_int_equal(symlink("8.c.host", below("new/link")), 0);
    start();
    assert_int_equal(local->count, 3);
    assert_int_equal(local->mailbox.uidvalidity, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(local->messages[i].item.number, i + 1);
        assert_int_equal(local->messages[i].item.received, 1000 * (i + 1));
    }
    assert_string_equal(local->messages[0].uidl, "7.a.host");
    assert_string_equal(local->messages[1].uidl, "9.b.host");
    assert_int_equal(local->messages[1].item.size, 16);
    assert_int_equal(local->messages[1].item.flags.system,
                     PR_FLAG_SEEN | PR_FLAG_FLAGGED);
    OK(local_fetch(local, PR_WANT_ALL));
    check_text(0, "A: a\n");
    check_text(1, "B: b\n\nsecond\n");
    check_text(2, "C: c\n\nthird");
    OK(local_fetch(local, PR_WANT_HEADER));
    check_text(0, "A: a\n");
    check_text(1, "B: b\n\n");
    assert_int_equal(local->messages[1].announced, 8);
    check_text(2, "C: c\n\n");
}

static void large_messages_and_headers_come_whole(void **unused)
{
    size_t size = 700000;
    char *text = malloc(size + 1);

    (void)unused;
    for (size_t i = 0; i < size; i++)
        text[i] = i % 71 == 70 ? '\n' : 'x';
    memcpy(text + size - 10, "\n\nbody\n\nx\n", 11);
    put("new/1.x", text, 1);
    start();
    OK(local_fetch(local, PR_WANT_ALL));
    check_text(0, text);
    OK(local_fetch(local, PR_WANT_HEADER));
    text[size - 8] = '\0';
    check_text(0, text);
    free(text);
}

/* More than are read at a time, of all sizes, and some that are not any more
 * what they were when they were listed. */
static void many_messages_come_each_with_its_own_octets(void **unused)
{
    enum { COUNT = 120, LARGEST = 300000 };

    char *text = malloc(LARGEST + 10), name[40];

    (void)unused;
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 40 == 7 ? LARGEST : i * 97 % 20000;
        memset(text, 'a' + (char)(i % 26), size);
        text[size] = '\0';
        snprintf(name, sizeof(name), "new/%03zu.x", i);
        put(name, text, (time_t)i);
    }
    start();
    put("new/000.x", "it grew", 0);
    put("new/050.x", "shorter", 50);
    assert_int_equal(unlink(below("new/051.x")), 0);
    assert_int_equal(rename(below("new/052.x"), below("cur/052.x:2,S")), 0);
    OK(local_fetch(local, PR_WANT_ALL));
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 40 == 7 ? LARGEST : i * 97 % 20000;
        memset(text, 'a' + (char)(i % 26), size);
        text[size] = '\0';
        if (i == 51)
            assert_int_equal(local->messages[i].result, PR_GONE);
        else if (i == 0)
            check_text(i, "it grew");
        else
            check_text(i, i == 50 ? "shorter" : text);
    }
    free(text);
}

static void hostile_names_are_taken_as_they_are(void **unused)
{
    static const char *const names[] = {
        "new/a b", "new/\x1b[2J", "new/x\ny",     "new/\xff\xfe", "new/$(id)",
        "new/..x", "cur/-rf:2,S", "cur/%n:1,odd", "cur/:2,S"};
    const size_t count = sizeof(names) / sizeof(names[0]);

    (void)unused;
    for (size_t i = 0; i < count; i++)
        put(names[i], "A: b\n\n", (time_t)i);
    start();
    assert_int_equal(local->count, count - 1); /* "..x" is hidden */
    OK(local_fetch(local, PR_WANT_ALL));
    for (size_t i = 0; i < local->count; i++) {
        check_text(i, "A: b\n\n");
        for (const char *c = local->messages[i].uidl; *c != '\0'; c++)
            assert_in_range(*c, '!', '~');
        for (size_t other = 0; other < i; other++)
            assert_string_not_equal(local->messages[i].uidl,
                                    local->messages[other].uidl);
    }
    for (size_t i = 0; i < local->count; i++)
        OK(local_settle(local, i, (struct pr_deed){.remove = true}));
    OK(local_select(local, "INBOX"));
    assert_int_equal(local->count, 0);
}

static void an_empty_folder_is_empty(void **unused)
{
    (void)unused;
    start();
    assert_int_equal(local->count, 0);
    OK(local_fetch(local, PR_WANT_ALL));
    assert_int_equal(local_select(local, "none"), PR_GONE);
    assert_int_equal(local_select(local, "../x"), PR_REFUSED);
}

/* ---- Others are at work -------------------------------------------------- */

static void readers_may_move_and_flag_what_is_fetched(void **unused)
{
    (void)unused;
    put("new/1.x", "A: a\n\n", 1);
    put("new/2.y", "B: b\n\n", 2);
    put("new/3.z", "C: c\n\n", 3);
    start();
    assert_int_equal(rename(below("new/1.x"), below("cur/1.x:2,S")), 0);
    assert_int_equal(unlink(below("new/2.y")), 0);
    OK(local_fetch(local, PR_WANT_ALL));
    check_text(0, "A: a\n\n");
    assert_int_equal(local->messages[1].result, PR_GONE);
    check_text(2, "C: c\n\n");
    assert_int_equal(rename(below("cur/1.x:2,S"), below("cur/1.x:2,FS")), 0);
    OK(local_settle(local, 0, (struct pr_deed){.remove = true}));
    assert_false(exists("cur/1.x:2,FS"));
    OK(local_settle(local, 1, (struct pr_deed){.remove = true}));
    assert_int_equal(
        local_settle(local, 1, (struct pr_deed){.set = {PR_FLAG_SEEN, NULL}}),
        PR_GONE);
}

/* ---- Settling ------------------------------------------------------------ */

static void flags_become_letters(void **unused)
{
    (void)unused;
    put("new/1.x", "A: a\n\n", 1);
    put("cur/2.y:2,FPa", "A: a\n\n", 2);
    start();
    OK(local_settle(
        local, 0,
        (struct pr_deed){.set = {PR_FLAG_SEEN | PR_FLAG_FLAGGED, NULL}}));
    assert_true(exists("cur/1.x:2,FS"));
    OK(local_settle(local, 1,
                    (struct pr_deed){.set = {PR_FLAG_ANSWERED, "keyword"},
                                     .clear = {PR_FLAG_FLAGGED, NULL}}));
    assert_true(exists("cur/2.y:2,PRa"));
    OK(local_settle(
        local, 1,
        (struct pr_deed){.set = {PR_FLAG_SEEN, NULL}, .remove = true}));
    assert_false(exists("cur/2.y:2,PRSa"));
}

static void messages_are_copied_and_moved(void **unused)
{
    (void)unused;
    put("new/1.x", "A: a\n\n", 1);
    put("cur/2.y:2,S", "B: b\n\n", 2);
    start();
    OK(local_settle(local, 0, (struct pr_deed){.copy_to = "lists/dev"}));
    assert_true(exists("new/1.x"));
    assert_true(exists("lists/dev/new/1.x"));
    /* Once more: a copy that is there is not made again. */
    OK(local_settle(local, 0, (struct pr_deed){.copy_to = "lists/dev"}));
    OK(local_settle(
        local, 1,
        (struct pr_deed){.set = {PR_FLAG_FLAGGED, NULL}, .move_to = "done"}));
    assert_false(exists("cur/2.y:2,S"));
    assert_true(exists("done/cur/2.y:2,FS"));
    /* And a move that was done before is. */
    OK(local_settle(local, 1, (struct pr_deed){.move_to = "done"}));
    assert_int_equal(local_settle(local, 1, (struct pr_deed){.move_to = "x"}),
                     PR_GONE);
    assert_int_equal(local_settle(local, 0, (struct pr_deed){.move_to = ".."}),
                     PR_REFUSED);
    put("other", "", 1);
    make_maildir("taken");
    put("taken/new/1.x", "something else", 9);
    assert_int_equal(
        local_settle(local, 0, (struct pr_deed){.move_to = "taken"}), PR_IO);
    assert_true(exists("new/1.x"));
}

static void a_move_to_where_it_is_does_nothing(void **unused)
{
    (void)unused;
    put("new/1.x", "A: a\n\n", 1);
    assert_int_equal(symlink(".", below("self")), 0);
    start();
    OK(local_settle(local, 0, (struct pr_deed){.move_to = "INBOX"}));
    assert_true(exists("new/1.x"));
    OK(local_settle(local, 0, (struct pr_deed){.move_to = "self"}));
    OK(local_settle(local, 0, (struct pr_deed){.copy_to = "self"}));
    assert_true(exists("new/1.x"));
}

static void a_read_only_source_changes_nothing(void **unused)
{
    (void)unused;
    put("new/1.x", "A: a\n\n", 1);
    start();
    local->source.read_only = true;
    assert_int_equal(local_settle(local, 0, (struct pr_deed){.remove = true}),
                     PR_REFUSED);
    assert_true(exists("new/1.x"));
}

/* ---- Folders ------------------------------------------------------------- */

static void folders_are_found_in_both_layouts(void **unused)
{
    static const char *const all[] = {"*", NULL};
    static const char *const some[] = {"INBOX", "lists/%", "!lists/b", NULL};

    (void)unused;
    make_maildir("lists");
    make_maildir("lists/a");
    make_maildir("lists/b");
    make_maildir(".flat");
    make_maildir(".flat.sub");
    (void)mkdir(below("plain"), 0700);
    start();
    OK(local_folders(local, all));
    assert_int_equal(local->folder_count, 4);
    assert_string_equal(local->folders[0], "INBOX");
    assert_string_equal(local->folders[3], "lists/b");
    OK(local_folders(local, some));
    assert_int_equal(local->folder_count, 2);
    assert_string_equal(local->folders[1], "lists/a");
    local_end(local);
    options.layout = LAYOUT_MAILDIRPP;
    put(".flat.sub/new/1.x", "A: a\n\n", 1);
    start();
    OK(local_folders(local, all));
    assert_int_equal(local->folder_count, 3);
    assert_string_equal(local->folders[2], "flat/sub");
    OK(local_select(local, "flat/sub"));
    assert_int_equal(local->count, 1);
}

static pr_status all_tests(void *failed)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(messages_come_in_order_of_date),
        TEST(large_messages_and_headers_come_whole),
        TEST(many_messages_come_each_with_its_own_octets),
        TEST(hostile_names_are_taken_as_they_are),
        TEST(an_empty_folder_is_empty),
        TEST(readers_may_move_and_flag_what_is_fetched),
        TEST(flags_become_letters),
        TEST(messages_are_copied_and_moved),
        TEST(a_move_to_where_it_is_does_nothing),
        TEST(a_read_only_source_changes_nothing),
        TEST(folders_are_found_in_both_layouts),
    };

    *(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

int main(void)
{
    int failed = 1;

    return loop_run(4, all_tests, &failed) != PR_OK || failed != 0;
}
