/*
 * The Maildir sink: what is delivered is there, whole, once, and durable.
 */
#include "config.h"

#include "../../plugins/maildir/maildir.h"

#include <dirent.h>
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include <cmocka.h>

#include <postrider/plugin.h>

#include "../../plugins/maildir/sync.h"
#include "base/memory.h"
#include "fiber/loop.h"
#include "mail/spool.h"

#define OK(call) assert_int_equal((call), PR_OK)
#define RECEIVED 1700000000

static char base[64];
static char root[128]; /* base/Mail */
static struct maildir_options options;
static struct pr_sink sink;
static const struct pr_sink_ops *ops;

static void open_sink(void)
{
    ops = maildir_class.sink;
    options.path = root;
    sink = (struct pr_sink){.class = &maildir_class, .options = &options};
    OK(ops->open(&sink));
}

static int set_up(void **unused)
{
    (void)unused;
    strcpy(base, "/tmp/postrider-maildir-XXXXXX");
    assert_non_null(mkdtemp(base));
    snprintf(root, sizeof(root), "%s/a/Mail", base);
    options = (struct maildir_options){.flags = true};
    open_sink();
    return 0;
}

static int tear_down(void **unused)
{
    char command[100];

    (void)unused;
    ops->close(&sink);
    snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command);
}

static struct pr_spool *spool_of(const char *text, size_t repeat)
{
    struct pr_spool *spool;

    OK(spool_new(base, 0, &spool));
    for (size_t i = 0; i < repeat; i++)
        OK(pr_spool_append(spool, text, strlen(text)));
    OK(pr_spool_seal(spool));
    return spool;
}

static struct pr_spool *hello(void)
{
    return spool_of("Subject: hello\r\n\r\nworld\r\n", 1);
}

static struct pr_delivery delivery_of(const struct pr_spool *spool,
                                      const char *folder, const char *key)
{
    return (struct pr_delivery){
        .spool = spool, .folder = folder, .key = key, .received = RECEIVED};
}

static pr_status commit_one(struct pr_delivery *delivery)
{
    struct pr_delivery *batch[] = {delivery};

    delivery->result = PR_BUG;
    pr_status status = ops->stage(&sink, delivery);
    if (status != PR_OK)
        return status;
    OK(ops->commit(&sink, batch, 1));
    return delivery->result;
}

static pr_status deliver(const char *folder, const char *key, unsigned flags)
{
    struct pr_spool *spool = hello();
    struct pr_delivery delivery = delivery_of(spool, folder, key);

    delivery.flags.system = flags;
    pr_status status = commit_one(&delivery);
    spool_free(spool);
    return status;
}

/* How many entries a directory below the root has; -1 if it is not there. The
 * name of the last one goes to `name`. */
static int entries(const char *directory, char *name)
{
    char path[512];
    int count = 0;

    snprintf(path, sizeof(path), "%s/%s", root, directory);
    DIR *stream = opendir(path);
    if (stream == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (entry->d_name[0] != '.') {
            count++;
            if (name != NULL)
                strcpy(name, entry->d_name);
        }
    closedir(stream);
    return count;
}

static bool exists(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    return access(path, F_OK) == 0;
}

static mode_t mode_of(const char *name)
{
    char path[512];
    struct stat found;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_int_equal(stat(path, &found), 0);
    return found.st_mode & 0777;
}

/* ---- Names --------------------------------------------------------------- */

static void a_message_lands_in_new_with_its_date(void **unused)
{
    char name[256], path[600], text[100] = "";
    struct stat found;

    (void)unused;
    OK(deliver("", "abc-1", 0));
    assert_int_equal(entries("new", name), 1);
    assert_string_equal(name, "1700000000.abc-1.postrider,S=22");
    assert_int_equal(entries("tmp", NULL), 0);
    snprintf(path, sizeof(path), "%s/new/%s", root, name);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mtime, RECEIVED);
    assert_int_equal(found.st_mode & 0777, 0600);
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(text, 1, sizeof(text), file), 22);
    fclose(file);
    assert_string_equal(text, "Subject: hello\n\nworld\n");
    assert_int_equal(mode_of(""), 0700);
    assert_int_equal(mode_of("cur"), 0700);
}

static void folders_lie_below_each_other_in_layout_fs(void **unused)
{
    (void)unused;
    OK(deliver("lists/dev", "k", 0));
    assert_int_equal(entries("lists/dev/new", NULL), 1);
    assert_int_equal(entries("lists/dev/cur", NULL), 0);
    assert_int_equal(mode_of("lists"), 0700);
    assert_int_equal(entries("new", NULL), -1);
    OK(deliver("lists", "k", 0));
    assert_int_equal(entries("lists/new", NULL), 1);
}

static void folders_lie_side_by_side_in_layout_maildirpp(void **unused)
{
    (void)unused;
    options.layout = LAYOUT_MAILDIRPP;
    OK(deliver("lists/dev", "k", 0));
    assert_int_equal(entries(".lists.dev/new", NULL), 1);
    assert_true(exists(".lists.dev/maildirfolder"));
    OK(deliver("", "k", 0));
    assert_int_equal(entries("new", NULL), 1);
    assert_false(exists("maildirfolder"));
    assert_int_equal(deliver("lists/gnu.org", "k", 0), PR_REFUSED);
}

static void flags_become_letters_in_cur(void **unused)
{
    char name[256];

    (void)unused;
    OK(deliver("f", "k",
               PR_FLAG_SEEN | PR_FLAG_DELETED | PR_FLAG_ANSWERED |
                   PR_FLAG_FLAGGED | PR_FLAG_DRAFT));
    assert_int_equal(entries("f/cur", name), 1);
    assert_string_equal(name, "1700000000.k.postrider,S=22:2,DFRST");
    OK(deliver("g", "k", PR_FLAG_SEEN));
    assert_int_equal(entries("g/cur", name), 1);
    assert_string_equal(name, "1700000000.k.postrider,S=22:2,S");
    OK(deliver("h", "k", PR_FLAG_RECENT));
    assert_int_equal(entries("h/new", NULL), 1);
    options.flags = false;
    OK(deliver("i", "k", PR_FLAG_SEEN));
    assert_int_equal(entries("i/new", NULL), 1);
}

static void bad_folder_names_are_refused(void **unused)
{
    static const char *const bad[] = {
        "..",       ".",     "../x",    "a/../b",  "a/./b",  "/etc",
        "a//b",     "a/",    "cur",     "a/new/b", "tmp",    "a\nb",
        "a\x1b[2J", "a\x7f", ".hidden", "a/.b",    "new/cur"};
    char long_part[400], long_name[400];

    (void)unused;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(deliver(bad[i], "k", 0), PR_REFUSED);
        assert_non_null(strstr(pr_last_failure()->text, "folder name"));
    }
    memset(long_part, 'a', 256);
    long_part[256] = '\0';
    assert_int_equal(deliver(long_part, "k", 0), PR_REFUSED);
    for (size_t i = 0; i < sizeof(long_name); i++)
        long_name[i] = i % 2 == 0 ? 'a' : '/';
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(deliver(long_name, "k", 0), PR_REFUSED);
    assert_int_equal(access(root, F_OK), -1);
    OK(deliver("Entwürfe & Co/🐎 x", "k", 0));
    assert_int_equal(entries("Entwürfe & Co/🐎 x/new", NULL), 1);
}

static void bad_keys_are_refused(void **unused)
{
    (void)unused;
    assert_int_equal(deliver("a", "", 0), PR_BUG);
    assert_int_equal(deliver("a", "x/y", 0), PR_BUG);
    assert_int_equal(deliver("a", "x:2,S", 0), PR_BUG);
}

/* ---- Once ---------------------------------------------------------------- */

static void move(const char *from, const char *to)
{
    char a[512], b[512];

    snprintf(a, sizeof(a), "%s/%s", root, from);
    snprintf(b, sizeof(b), "%s/%s", root, to);
    assert_int_equal(rename(a, b), 0);
}

static void a_repeated_delivery_is_not_doubled(void **unused)
{
    (void)unused;
    OK(deliver("f", "k", 0));
    OK(deliver("f", "k", 0));
    assert_int_equal(entries("f/new", NULL), 1);
    assert_int_equal(entries("f/tmp", NULL), 0);
    ops->close(&sink);
    open_sink();
    OK(deliver("f", "k", 0));
    assert_int_equal(entries("f/new", NULL), 1);
    assert_int_equal(entries("f/tmp", NULL), 0);
}

static void nor_is_one_that_a_reader_has_flagged(void **unused)
{
    (void)unused;
    OK(deliver("f", "k", 0));
    move("f/new/1700000000.k.postrider,S=22",
         "f/cur/1700000000.k.postrider,S=22:2,RS");
    OK(deliver("f", "k", 0));
    assert_int_equal(entries("f/new", NULL), 0);
    ops->close(&sink);
    open_sink();
    OK(deliver("f", "k", 0));
    OK(deliver("f", "k", PR_FLAG_FLAGGED));
    assert_int_equal(entries("f/new", NULL), 0);
    assert_int_equal(entries("f/cur", NULL), 1);
}

static void one_that_the_reader_removed_is_delivered_again(void **unused)
{
    char path[512];

    (void)unused;
    OK(deliver("f", "k", 0));
    snprintf(path, sizeof(path), "%s/f/new/1700000000.k.postrider,S=22", root);
    assert_int_equal(unlink(path), 0);
    OK(deliver("f", "k", 0));
    assert_int_equal(entries("f/new", NULL), 1);
}

static void the_same_place_twice_in_a_batch_is_one_file(void **unused)
{
    struct pr_spool *spool = hello();
    struct pr_delivery twice[2] = {delivery_of(spool, "f", "k"),
                                   delivery_of(spool, "f", "k")};
    struct pr_delivery *batch[] = {&twice[0], &twice[1]};

    (void)unused;
    OK(ops->stage(&sink, &twice[0]));
    OK(ops->stage(&sink, &twice[1]));
    OK(ops->commit(&sink, batch, 2));
    OK(twice[0].result);
    OK(twice[1].result);
    assert_int_equal(entries("f/new", NULL), 1);
    assert_int_equal(entries("f/tmp", NULL), 0);
    spool_free(spool);
}

static void another_file_of_the_name_is_never_overwritten(void **unused)
{
    char path[512];
    struct pr_spool *spool = hello();
    struct pr_delivery delivery = delivery_of(spool, "f", "k");
    struct stat found;

    (void)unused;
    OK(deliver("f", "other", 0));
    snprintf(path, sizeof(path), "%s/f/new/1700000000.k.postrider,S=22", root);
    FILE *file = fopen(path, "w");
    fputs("cut", file);
    fclose(file);
    assert_int_equal(commit_one(&delivery), PR_IO);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_size, 3);
    assert_int_equal(entries("f/tmp", NULL), 0);
    spool_free(spool);
}

/* ---- Batches ------------------------------------------------------------- */

#define MANY 500

static void a_large_batch_goes_into_several_folders(void **unused)
{
    static struct pr_delivery deliveries[MANY];
    static struct pr_delivery *batch[MANY];
    static char keys[MANY][16];
    struct pr_spool *spools[MANY];
    static const char *const folders[] = {"", "a", "a/b", "c d", "e"};

    (void)unused;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%zu", i);
        spools[i] = spool_of("Subject: x\r\n\r\n0123456789\r\n", 1 + i * 7);
        deliveries[i] = delivery_of(spools[i], folders[i % 5], keys[i]);
        batch[i] = &deliveries[i];
        if (i == 100)
            deliveries[i].folder = "a/..";
        pr_status status = ops->stage(&sink, batch[i]);
        assert_int_equal(status, i == 100 ? PR_REFUSED : PR_OK);
    }
    batch[100] = batch[MANY - 1];
    OK(ops->commit(&sink, batch, MANY - 1));
    for (size_t i = 0; i < MANY; i++) {
        if (i != 100)
            OK(deliveries[i].result);
        spool_free(spools[i]);
    }
    assert_int_equal(entries("new", NULL), MANY / 5 - 1);
    assert_int_equal(entries("a/new", NULL), MANY / 5);
    assert_int_equal(entries("a/b/new", NULL), MANY / 5);
    assert_int_equal(entries("c d/new", NULL), MANY / 5);
    assert_int_equal(entries("e/new", NULL), MANY / 5);
    assert_int_equal(entries("e/tmp", NULL), 0);
}

static void
one_folder_that_cannot_be_made_does_not_hit_the_others(void **unused)
{
    struct pr_spool *spool = hello();
    struct pr_delivery two[2] = {delivery_of(spool, "f/sub", "k"),
                                 delivery_of(spool, "g", "k")};
    struct pr_delivery *batch[] = {&two[0], &two[1]};
    char path[512];

    (void)unused;
    OK(deliver("", "k", 0));
    snprintf(path, sizeof(path), "%s/f", root);
    fclose(fopen(path, "w"));
    OK(ops->stage(&sink, &two[0]));
    OK(ops->stage(&sink, &two[1]));
    OK(ops->commit(&sink, batch, 2));
    assert_int_equal(two[0].result, PR_IO);
    assert_non_null(strstr(two[0].failure, "f/sub"));
    OK(two[1].result);
    assert_int_equal(entries("g/new", NULL), 1);
    spool_free(spool);
}

static void a_message_in_a_file_comes_out_whole(void **unused)
{
    struct pr_spool *spool = spool_of("0123456789abcde\r\n", 200000);
    struct pr_delivery delivery = delivery_of(spool, "big", "k");
    char name[256], path[600], line[32];
    struct stat found;
    size_t lines = 0;

    (void)unused;
    assert_int_not_equal(pr_spool_file(spool), -1);
    OK(commit_one(&delivery));
    assert_int_equal(entries("big/new", name), 1);
    snprintf(path, sizeof(path), "%s/big/new/%s", root, name);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_size, 16 * 200000);
    assert_int_equal(found.st_mtime, RECEIVED);
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof(line), file) != NULL) {
        assert_string_equal(line, "0123456789abcde\n");
        lines++;
    }
    fclose(file);
    assert_int_equal(lines, 200000);
    spool_free(spool);
}

/* The one file of a folder. */
static struct stat only_file(const char *folder)
{
    char name[256], path[600];
    struct stat found;

    assert_int_equal(entries(folder, name), 1);
    snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name);
    assert_int_equal(stat(path, &found), 0);
    return found;
}

static void a_message_in_a_file_is_copied_only_for_a_second_place(void **unused)
{
    struct pr_spool *spool = spool_of("0123456789abcde\r\n", 20000);
    struct pr_delivery one = delivery_of(spool, "one", "k");
    struct pr_delivery two = delivery_of(spool, "two", "k");
    struct stat own;
    char text[16];
    size_t size;

    (void)unused;
    assert_int_equal(fstat(pr_spool_file(spool), &own), 0);
    OK(commit_one(&one));
    OK(commit_one(&two));
    assert_true(only_file("one/new").st_ino == own.st_ino);
    assert_true(only_file("two/new").st_ino != own.st_ino);
    assert_int_equal(only_file("one/new").st_nlink, 1);
    OK(pr_spool_read(spool, 16, text, sizeof(text), &size));
    assert_memory_equal(text, "0123456789abcde\n", 16);
    spool_free(spool);
    /* What was handed on is not cut off for the next message. */
    spool = spool_of("0123456789abcde\r\n", 20000);
    spool_free(spool);
    assert_int_equal(only_file("one/new").st_size, 16 * 20000);
    assert_int_equal(only_file("two/new").st_size, 16 * 20000);
}

static void large_batches_are_synced_in_the_cheaper_way(void **unused)
{
    struct maildir *maildir = sink.state;
    unsigned chosen[2] = {0, 0};

    (void)unused;
    options.sync = SYNC_AUTO;
    maildir->measured.may_sync_all = true;
    for (int i = 0; i < 100; i++) {
        enum maildir_sync way = sync_choose(maildir, 100);
        sync_learn(maildir, way, 100, 1000000,
                   way == SYNC_FILES ? 0.020 : 0.010);
        chosen[way]++;
    }
    assert_in_range(chosen[SYNC_FILES], 2, 6); /* tried again at times */
    for (int i = 0; i < 400; i++) {
        enum maildir_sync way = sync_choose(maildir, 100);
        sync_learn(maildir, way, 100, 1000000, way == SYNC_FILES ? 0.020 : 5.0);
        chosen[way]++;
    }
    assert_in_range(chosen[SYNC_FILESYSTEM], 90, 110); /* not any more */
    assert_int_equal(sync_choose(maildir, SYNC_LARGE_BATCH - 1), SYNC_FILES);
    maildir->measured.may_sync_all = false;
    assert_int_equal(sync_choose(maildir, 100), SYNC_FILES);
}

static void the_whole_file_system_can_be_synced_instead(void **unused)
{
    (void)unused;
    options.sync = SYNC_FILESYSTEM;
    OK(deliver("f", "k", 0));
    OK(deliver("f", "k2", PR_FLAG_SEEN));
    assert_int_equal(entries("f/new", NULL), 1);
    assert_int_equal(entries("f/cur", NULL), 1);
    assert_int_equal(entries("f/tmp", NULL), 0);
}

/* ---- From a Maildir ------------------------------------------------------ */

static const char *elsewhere(void)
{
    static char path[100];

    snprintf(path, sizeof(path), "%s/elsewhere", base);
    return path;
}

static const char *found_path(void)
{
    static char path[100];

    snprintf(path, sizeof(path), "%s/found", base);
    return path;
}

/* A file that holds `text`, as a source finds it. */
static struct stat found_file(const char *text, mode_t mode, time_t date)
{
    const struct utimbuf times = {date, date};
    struct stat found;
    FILE *file = fopen(found_path(), "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(found_path(), mode), 0);
    assert_int_equal(utime(found_path(), &times), 0);
    assert_int_equal(stat(found_path(), &found), 0);
    return found;
}

static struct pr_spool *spool_from(const char *text, const struct stat *found)
{
    struct pr_spool *spool;

    OK(spool_new(base, 0, &spool));
    OK(pr_spool_append(spool, text, strlen(text)));
    pr_spool_found_in(spool, found_path(), found);
    OK(pr_spool_seal(spool));
    return spool;
}

static struct stat delivered_file(const char *folder)
{
    char name[256], path[700], directory[100];
    struct stat found;

    snprintf(directory, sizeof(directory), "%s/tmp", folder);
    assert_int_equal(entries(directory, NULL), 0);
    snprintf(directory, sizeof(directory), "%s/new", folder);
    assert_int_equal(entries(directory, name), 1);
    snprintf(path, sizeof(path), "%s/%s/%s", root, directory, name);
    assert_int_equal(stat(path, &found), 0);
    return found;
}

#define LETTER "Subject: a\n\nb\n"

static void a_message_of_a_maildir_gets_one_more_name(void **unused)
{
    static const char *const folders[] = {"f", "g", "h"};

    (void)unused;
    options.link = true;
    struct stat found = found_file(LETTER, 0600, RECEIVED);
    struct pr_spool *spool = spool_from(LETTER, &found);
    for (int i = 0; i < 3; i++) {
        struct pr_delivery delivery = delivery_of(spool, folders[i], "k");
        options.sync = i == 0 ? SYNC_FILES : SYNC_FILESYSTEM;
        OK(commit_one(&delivery));
        struct stat is = delivered_file(folders[i]);
        assert_int_equal(is.st_ino, found.st_ino);
        assert_int_equal(is.st_nlink, 2 + i);
    }
    spool_free(spool);
}

static void a_half_one_is_replaced_by_a_link(void **unused)
{
    char path[512];

    (void)unused;
    options.link = true;
    OK(deliver("f", "other", PR_FLAG_SEEN));
    snprintf(path, sizeof(path), "%s/f/tmp/1700000000.k.postrider,S=14", root);
    fclose(fopen(path, "w"));
    struct stat found = found_file(LETTER, 0600, RECEIVED);
    struct pr_spool *spool = spool_from(LETTER, &found);
    struct pr_delivery delivery = delivery_of(spool, "f", "k");
    OK(commit_one(&delivery));
    assert_int_equal(delivered_file("f").st_ino, found.st_ino);
    spool_free(spool);
}

/* It is delivered as if no file were known: as a file of its own. */
static void is_copied(const char *folder, struct pr_spool *spool)
{
    struct pr_delivery delivery = delivery_of(spool, folder, "k");
    struct stat before, after;
    bool is_there = stat(found_path(), &before) == 0;

    OK(commit_one(&delivery));
    struct stat is = delivered_file(folder);
    assert_int_equal(is.st_nlink, 1);
    assert_int_equal(is.st_size, strlen(LETTER));
    assert_int_equal(is.st_mtime, RECEIVED);
    assert_int_equal(is.st_mode & 0777, 0600);
    if (is_there) {
        assert_int_equal(stat(found_path(), &after), 0);
        assert_int_equal(after.st_nlink, 1);
        assert_int_equal(after.st_mtime, before.st_mtime);
        assert_int_equal(after.st_size, before.st_size);
    }
    spool_free(spool);
}

static void what_is_not_just_that_file_is_copied(void **unused)
{
    const char *crlf = "Subject: a\r\n\r\nb\r\n";
    struct stat found;

    (void)unused;
    options.link = true;
    found = found_file(crlf, 0600, RECEIVED);
    is_copied("line ends", spool_from(crlf, &found));
    found = found_file(LETTER, 0644, RECEIVED);
    is_copied("others may read it", spool_from(LETTER, &found));
    found = found_file(LETTER, 0600, RECEIVED - 1);
    is_copied("another date", spool_from(LETTER, &found));
    found = found_file(LETTER "more\n", 0600, RECEIVED);
    is_copied("not all of it", spool_from(LETTER, &found));
    options.link = false;
    found = found_file(LETTER, 0600, RECEIVED);
    is_copied("not wanted", spool_from(LETTER, &found));
}

static void a_file_that_has_changed_is_not_delivered(void **unused)
{
    struct pr_spool *spool;
    struct stat found;

    (void)unused;
    options.link = true;
    found = found_file(LETTER, 0600, RECEIVED);
    spool = spool_from(LETTER, &found);
    assert_int_equal(rename(found_path(), elsewhere()), 0);
    (void)found_file("Subject: x\n\ny\n", 0600, RECEIVED);
    is_copied("another file", spool);
    assert_int_equal(unlink(found_path()), 0);
    found = found_file(LETTER, 0600, RECEIVED);
    spool = spool_from(LETTER, &found);
    assert_int_equal(chmod(found_path(), 0660), 0);
    is_copied("others may write to it", spool);
    assert_int_equal(unlink(found_path()), 0);
    found = found_file(LETTER, 0600, RECEIVED);
    spool = spool_from(LETTER, &found);
    assert_int_equal(unlink(found_path()), 0);
    is_copied("gone", spool);
}

/* ---- No room ------------------------------------------------------------- */

static void what_does_not_fit_leaves_nothing(void **unused)
{
    struct rlimit before, small = {100 * 1024, RLIM_INFINITY};
    struct pr_spool *large = spool_of("0123456789\r\n", 20000);
    struct pr_spool *fits = hello();
    struct pr_delivery two[2] = {delivery_of(large, "f", "large"),
                                 delivery_of(fits, "f", "fits")};
    struct pr_delivery *batch[] = {&two[0], &two[1]};

    (void)unused;
    /* So that it cannot be had without writing. */
    OK(pr_spool_link(large, AT_FDCWD, elsewhere()));
    OK(ops->stage(&sink, &two[0]));
    OK(ops->stage(&sink, &two[1]));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    OK(ops->commit(&sink, batch, 2));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(two[0].result, PR_IO);
    assert_non_null(strstr(two[0].failure, "cannot write"));
    OK(two[1].result);
    assert_int_equal(entries("f/new", NULL), 1);
    assert_int_equal(entries("f/tmp", NULL), 0);
    /* And once there is room again, it goes through. */
    OK(ops->commit(&sink, batch, 2));
    OK(two[0].result);
    OK(two[1].result);
    assert_int_equal(entries("f/new", NULL), 2);
    spool_free(large);
    spool_free(fits);
}

static void each_allocation_may_fail(void **unused)
{
    bool is_over = false;
    struct pr_spool *spool = hello();

    (void)unused;
    for (unsigned long n = 1; !is_over; n++) {
        struct pr_delivery delivery = delivery_of(spool, "f", "k");
        struct pr_delivery *batch[] = {&delivery};
        OK(ops->stage(&sink, &delivery));
        memory_fail_at(n);
        pr_status status = ops->commit(&sink, batch, 1);
        is_over = memory_fail_pending();
        memory_fail_at(0);
        assert_int_equal(delivery.result, is_over ? PR_OK : PR_NOMEM);
        assert_true(status == PR_OK || status == PR_NOMEM);
        assert_true(entries("f/new", NULL) <= (is_over ? 1 : 0));
        assert_true(entries("f/tmp", NULL) <= 0);
        assert_true(n < 1000);
    }
    assert_int_equal(entries("f/new", NULL), 1);
    spool_free(spool);
}

/* ---- After a crash ------------------------------------------------------- */

static pr_status recover(const char *key, const char *receipt)
{
    return ops->recover(&sink, key, receipt);
}

static void recovery_finds_what_was_delivered(void **unused)
{
    const char *receipt = "f/new/1700000000.k.postrider,S=22";

    (void)unused;
    assert_int_equal(recover("k", receipt), PR_GONE);
    OK(deliver("f", "k", 0));
    OK(recover("k", receipt));
    assert_int_equal(recover("j", "f/new/1700000000.j.postrider,S=22"),
                     PR_GONE);
    move(receipt, "f/cur/1700000000.k.postrider,S=22:2,S");
    OK(recover("k", receipt));
    OK(recover("k", "f/cur/1700000000.k.postrider,S=22:2,F"));
    OK(deliver("", "k", 0));
    OK(recover("k", "new/1700000000.k.postrider,S=22"));
    /* A name that only begins alike is another message. */
    assert_int_equal(recover("k", "new/1700000000.k.postrider,S=2"), PR_GONE);
    assert_int_equal(recover("k", "nonsense"), PR_BUG);
    assert_int_equal(recover("k", ""), PR_BUG);
    assert_int_equal(recover("k", "/x"), PR_BUG);
    assert_int_equal(recover("k", "annew/1.k.postrider,S=2"), PR_BUG);
}

static void leftovers_are_removed(void **unused)
{
    char path[512];

    (void)unused;
    OK(deliver("f", "a", 0));
    snprintf(path, sizeof(path), "%s/f/tmp/1700000000.k.postrider,S=22", root);
    fclose(fopen(path, "w"));
    /* Too young to be removed at the first use. */
    ops->close(&sink);
    open_sink();
    OK(deliver("f", "b", 0));
    assert_int_equal(entries("f/tmp", NULL), 1);
    assert_int_equal(recover("k", "f/new/1700000000.k.postrider,S=22"),
                     PR_GONE);
    assert_int_equal(entries("f/tmp", NULL), 0);
    /* A half one is replaced. */
    fclose(fopen(path, "w"));
    OK(deliver("f", "k", 0));
    assert_int_equal(entries("f/tmp", NULL), 0);
    assert_int_equal(entries("f/new", NULL), 3);
}

#define FEW 12

static int deliver_few(void)
{
    static struct pr_delivery deliveries[FEW];
    struct pr_delivery *batch[FEW];
    static char keys[FEW][16];
    struct pr_spool *spool = hello();
    int failed = 0;

    for (size_t i = 0; i < FEW; i++) {
        snprintf(keys[i], sizeof(keys[i]), "key%zu", i);
        deliveries[i] = delivery_of(spool, i % 3 == 0 ? "" : "a/b", keys[i]);
        deliveries[i].flags.system = i % 2 == 0 ? PR_FLAG_SEEN : 0;
        batch[i] = &deliveries[i];
        if (ops->stage(&sink, batch[i]) != PR_OK)
            return 100;
    }
    if (ops->commit(&sink, batch, FEW) != PR_OK)
        return 101;
    for (size_t i = 0; i < FEW; i++)
        failed += deliveries[i].result != PR_OK;
    spool_free(spool);
    return failed;
}

static void check_few(void)
{
    assert_int_equal(entries("new", NULL), 2);
    assert_int_equal(entries("cur", NULL), 2);
    assert_int_equal(entries("a/b/new", NULL), 4);
    assert_int_equal(entries("a/b/cur", NULL), 4);
    assert_int_equal(entries("tmp", NULL), 0);
    assert_int_equal(entries("a/b/tmp", NULL), 0);
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

static void a_kill_at_any_step_neither_loses_nor_doubles(void **unused)
{
    char command[200];
    unsigned at = 1;

    (void)unused;
    while (dies_at(at)) {
        ops->close(&sink);
        open_sink();
        assert_int_equal(deliver_few(), 0);
        check_few();
        snprintf(command, sizeof(command), "rm -rf %s/a", base);
        assert_int_equal(system(command), 0);
        at++;
    }
    check_few();
    assert_in_range(at, FEW * 3, FEW * 10);
}
#endif

/* ---- The rest ------------------------------------------------------------ */

static void check_changes_nothing(void **unused)
{
    char path[512];

    (void)unused;
    OK(ops->check(&sink));
    assert_int_equal(access(root, F_OK), -1);
    assert_int_equal(deliver_few(), 0);
    OK(ops->check(&sink));
    check_few();
    options.path = path;
    snprintf(path, sizeof(path), "%s/file", base);
    fclose(fopen(path, "w"));
    assert_int_equal(ops->check(&sink), PR_CONFIG);
    snprintf(path, sizeof(path), "%s/file/below", base);
    assert_int_not_equal(ops->check(&sink), PR_OK);
    options.path = root;
}

static void it_says_its_name(void **unused)
{
    char name[64];
    const struct maildir_options home = {.path = "/home/a/Mail"};

    (void)unused;
    ops->describe(&home, name, sizeof(name));
    assert_string_equal(name, "maildir:/home/a/Mail");
}

static pr_status all_tests(void *failed)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_message_lands_in_new_with_its_date),
        TEST(folders_lie_below_each_other_in_layout_fs),
        TEST(folders_lie_side_by_side_in_layout_maildirpp),
        TEST(flags_become_letters_in_cur),
        TEST(bad_folder_names_are_refused),
        TEST(bad_keys_are_refused),
        TEST(a_repeated_delivery_is_not_doubled),
        TEST(nor_is_one_that_a_reader_has_flagged),
        TEST(one_that_the_reader_removed_is_delivered_again),
        TEST(the_same_place_twice_in_a_batch_is_one_file),
        TEST(another_file_of_the_name_is_never_overwritten),
        TEST(a_large_batch_goes_into_several_folders),
        TEST(one_folder_that_cannot_be_made_does_not_hit_the_others),
        TEST(a_message_in_a_file_comes_out_whole),
        TEST(the_whole_file_system_can_be_synced_instead),
        TEST(a_message_in_a_file_is_copied_only_for_a_second_place),
        TEST(large_batches_are_synced_in_the_cheaper_way),
        TEST(a_message_of_a_maildir_gets_one_more_name),
        TEST(a_half_one_is_replaced_by_a_link),
        TEST(what_is_not_just_that_file_is_copied),
        TEST(a_file_that_has_changed_is_not_delivered),
        TEST(what_does_not_fit_leaves_nothing),
        TEST(each_allocation_may_fail),
        TEST(recovery_finds_what_was_delivered),
        TEST(leftovers_are_removed),
#ifdef ENABLE_CRASH_POINTS
        TEST(a_kill_at_any_step_neither_loses_nor_doubles),
#endif
        TEST(check_changes_nothing),
        TEST(it_says_its_name),
    };

    *(int *)failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

#ifdef ENABLE_CRASH_POINTS
/* What the killed process does. */
static pr_status deliver_in_child(void *result)
{
    options.flags = true;
    open_sink();
    *(int *)result = deliver_few();
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
        run = deliver_in_child;
    }
    if (readlink("/proc/self/exe", program, sizeof(program) - 1) <= 0)
        return 1;
#endif
    (void)argc, (void)argv;
    return loop_run(4, run, &failed) != PR_OK || failed != 0;
}
