/*
 * Parts that become files: whole, durable, and only where they may.
 */
#include "config.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail_help.h"

#define OK(call) assert_int_equal((call), PR_OK)

static char root[64];
static struct pr_spool *spool;
static struct view *view;

static int set_up(void **unused)
{
    (void)unused;
    snprintf(root, sizeof root, "/tmp/postrider-save-XXXXXX");
    assert_non_null(mkdtemp(root));
    spool = spool_of("Content-Type: multipart/mixed; boundary=B\n\n"
                     "--B\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n"
                     "--B\n\nother\n--B--\n");
    OK(view_new(spool, &view));
    return 0;
}

static int tear_down(void **unused)
{
    char command[100];

    (void)unused;
    view_free(view);
    spool_free(spool);
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static const char *in_root(const char *path)
{
    static char joined[400];

    snprintf(joined, sizeof joined, "%s/%s", root, path);
    return joined;
}

static void assert_file(const char *path, const char *content)
{
    char octets[100] = "";
    FILE *file = fopen(in_root(path), "r");
    struct stat about;

    assert_non_null(file);
    assert_int_equal(fread(octets, 1, sizeof octets - 1, file),
                     strlen(content));
    assert_int_equal(fstat(fileno(file), &about), 0);
    fclose(file);
    assert_string_equal(octets, content);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static int count_files(const char *folder)
{
    DIR *list = opendir(in_root(folder));
    int count = 0;

    assert_non_null(list);
    while (readdir(list) != NULL)
        count++;
    closedir(list);
    return count - 2;
}

static void a_part_becomes_a_file_in_folders_that_are_made(void **unused)
{
    (void)unused;
    OK(view_part_save(view, 1, in_root("below"), "a/b/c.txt"));
    assert_file("below/a/b/c.txt", "hello");
    assert_int_equal(count_files("below/a/b"), 1);
    assert_int_equal(view_part_save(view, 9, root, "x"), PR_GONE);
    assert_int_equal(count_files("."), 1);
}

static void saved_again_it_is_left_alone(void **unused)
{
    (void)unused;
    OK(view_part_save(view, 1, root, "c.txt"));
    OK(view_part_save(view, 1, root, "c.txt"));
    assert_int_equal(count_files("."), 1);
}

static void no_other_file_is_replaced(void **unused)
{
    (void)unused;
    OK(view_part_save(view, 1, root, "c.tar.gz"));
    OK(view_part_save(view, 2, root, "c.tar.gz"));
    OK(view_part_save(view, 2, root, "c.tar.gz"));
    assert_int_equal(count_files("."), 2);
    assert_file("c.tar.gz", "hello");
    assert_file("c.tar-2.gz", "other");
    /* Whatever has the name: it is not followed and not opened. */
    assert_int_equal(symlink("/etc/passwd", in_root("link")), 0);
    assert_int_equal(mkfifo(in_root("pipe"), 0600), 0);
    assert_int_equal(mkdir(in_root("folder"), 0700), 0);
    OK(view_part_save(view, 1, root, "link"));
    OK(view_part_save(view, 1, root, "pipe"));
    OK(view_part_save(view, 1, root, "folder"));
    assert_file("link-2", "hello");
    assert_file("pipe-2", "hello");
    assert_file("folder-2", "hello");
}

static void nothing_leads_out_of_the_folder(void **unused)
{
    static const char *const paths[] = {
        "",    "/",    "..",     "../x", "a/../../x", "a/..",  ".",
        "./x", "a//b", "/etc/x", "a/",   "a\nb",      "a\x7f",
    };
    char target[100];

    (void)unused;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_false(view_path_is_inside(paths[i]));
        assert_int_equal(view_part_save(view, 1, root, paths[i]), PR_CONFIG);
    }
    snprintf(target, sizeof target, "%s-outside", root);
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(symlink(target, in_root("way")), 0);
    assert_int_equal(view_part_save(view, 1, root, "way/x"), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "symbolic link"));
    assert_int_equal(rmdir(target), 0); /* it is empty still */
    OK(view_part_save(view, 1, root, "file"));
    assert_int_equal(view_part_save(view, 1, root, "file/x"), PR_CONFIG);
}

/* ---- Archives ------------------------------------------------------------ */

static void put_two(char *to, unsigned value)
{
    to[0] = (char)(value & 0xff);
    to[1] = (char)(value >> 8);
}

/* A header of an archive's file with this name. */
static size_t put_local(char *to, const char *name, unsigned size,
                        unsigned flags)
{
    memset(to, 0, 30);
    memcpy(to, "PK\3\4", 4);
    put_two(to + 6, flags);
    put_two(to + 18, size);
    put_two(to + 26, (unsigned)strlen(name));
    memcpy(to + 30, name, strlen(name));
    return 30 + strlen(name);
}

static const char *names_in(const char *octets, size_t size, bool *ret)
{
    static char text[4000];
    char *whole = malloc(size + 100);
    struct pr_buffer names = {.cap = 1 << 22};
    struct pr_spool *letter;
    struct view *of_letter;

    assert_non_null(whole);
    memcpy(whole, "A: b\n\n", 6);
    memcpy(whole + 6, octets, size);
    letter = spool_of_bytes(whole, size + 6);
    OK(view_new(letter, &of_letter));
    OK(view_part_archive(of_letter, 0, ret, &names));
    text[0] = '\0';
    for (size_t at = 0; at < names.size && strlen(text) < 3000;
         at += strlen(names.data + at) + 1)
        snprintf(text + strlen(text), 600, "%.500s|", names.data + at);
    pr_buffer_done(&names);
    view_free(of_letter);
    spool_free(letter);
    free(whole);
    return text;
}

static void names_are_found_in_damaged_archives(void **unused)
{
    char octets[2000];
    bool is_archive;
    size_t size = put_local(octets, "one", 60000, 0);

    (void)unused;
    /* The size would lead past all that follows. */
    size += put_local(octets + size, "two", 5, 8);
    size += put_local(octets + size, "two", 5, 8);
    size += put_local(octets + size, "b\x81se\1", 5, 0); /* code page 437 */
    size += put_local(octets + size, "\xc3\xa9", 5, 0);
    assert_string_equal(names_in(octets, size, &is_archive),
                        "one|two|b\u00fcse\ufffd|\u00e9|");
    assert_true(is_archive);
    /* Cut in the middle of a name. */
    assert_string_equal(names_in(octets, 32, &is_archive), "on|");
    assert_string_equal(names_in(octets, 20, &is_archive), "");
    assert_false(is_archive);
    assert_string_equal(names_in("PK", 2, &is_archive), "");
    assert_string_equal(names_in("plain text with PK in it", 24, &is_archive),
                        "");
    assert_false(is_archive);
    names_in("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, &is_archive);
    assert_true(is_archive); /* an empty one */
}

static void hostile_archives_take_bounded_time(void **unused)
{
    size_t size = 8 * 1000 * 1000, used = 0;
    char *octets = malloc(size + 100);
    char name[20];
    clock_t begun = clock();
    bool is_archive;

    (void)unused;
    assert_non_null(octets);
    for (unsigned i = 0; used < size; i++) {
        snprintf(name, sizeof name, "n%u", i);
        used += put_local(octets + used, name, 5, 0);
        put_two(octets + used - strlen(name) - 4, 65535);
    }
    names_in(octets, size, &is_archive);
    assert_true(is_archive);
    for (size_t i = 0; i < size; i++)
        octets[i] = "PK\3\4"[i % 4];
    names_in(octets, size, &is_archive);
    free(octets);
    assert_true(clock() - begun < 20 * CLOCKS_PER_SEC);
}

static int end(void **unused)
{
    (void)unused;
    view_shutdown();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_part_becomes_a_file_in_folders_that_are_made),
        TEST(saved_again_it_is_left_alone),
        TEST(no_other_file_is_replaced),
        TEST(nothing_leads_out_of_the_folder),
        TEST(names_are_found_in_damaged_archives),
        TEST(hostile_archives_take_bounded_time),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
