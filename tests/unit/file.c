/*
 * Files, locks and digests.
 */
#include "config.h"

#include "io/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/digest.h"

static char folder[] = "/tmp/postrider-file-XXXXXX";
static char path[128];

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int drop_entry(const char *name, const struct stat *status, int type,
                      struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(name);
}

static int drop_folder(void **state)
{
    (void)state;
    return nftw(folder, drop_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const char *text)
{
    int fd =
        open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, text, strlen(text), name), PR_OK);
    close(fd);
}

static void folders_are_made_private_with_those_above(void **state)
{
    struct stat made;

    (void)state;
    assert_int_equal(file_make_dirs(in_folder("a/b//c")), PR_OK);
    assert_int_equal(stat(in_folder("a/b"), &made), 0);
    assert_int_equal(made.st_mode & 0777, 0700);
    assert_int_equal(file_make_dirs(in_folder("a/b/c")), PR_OK);
    write_file("a/file", "");
    assert_int_equal(file_make_dirs(in_folder("a/file")), PR_IO);
    assert_int_equal(file_make_dirs(in_folder("a/file/x")), PR_IO);
    assert_int_equal(file_make_dirs("/"), PR_OK);
}

static void a_file_is_read_up_to_a_cap(void **state)
{
    struct pr_buffer buffer;

    (void)state;
    write_file("ten", "0123456789");
    pr_buffer_init(&buffer, 10);
    assert_int_equal(file_read(in_folder("ten"), &buffer), PR_OK);
    assert_string_equal(pr_buffer_text(&buffer), "0123456789");
    pr_buffer_done(&buffer);
    pr_buffer_init(&buffer, 9);
    assert_int_equal(file_read(in_folder("ten"), &buffer), PR_LIMIT);
    pr_buffer_done(&buffer);
    assert_int_equal(file_read(in_folder("missing"), &buffer), PR_IO);
    assert_non_null(strstr(pr_last_failure()->text, "missing"));
}

static void a_full_disk_is_told_as_such(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, "x", 1, "the message"), PR_FULL);
    assert_non_null(
        strstr(pr_last_failure()->text, "cannot write the message"));
    close(fd);
}

static void an_unnamed_file_leaves_no_name(void **state)
{
    struct stat file;
    int fd;

    (void)state;
    assert_int_equal(file_open_unnamed(folder, &fd), PR_OK);
    assert_int_equal(file_write_all(fd, "text", 4, "it"), PR_OK);
    assert_int_equal(fstat(fd, &file), 0);
    assert_int_equal(file.st_nlink, 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_int_equal(file_open_unnamed("/nonexistent", &fd), PR_IO);
    assert_int_equal(file_sync_dir(folder), PR_OK);
    assert_int_equal(file_sync_dir("/nonexistent"), PR_IO);
}

static void paths_become_absolute(void **state)
{
    struct pr_arena *arena = pr_arena_new();
    char *absolute, expected[4200], here[4096];

    (void)state;
    setenv("HOME", "/home/alice", 1);
    assert_int_equal(file_absolute(arena, "~/Mail", &absolute), PR_OK);
    assert_string_equal(absolute, "/home/alice/Mail");
    assert_int_equal(file_absolute(arena, "~", &absolute), PR_OK);
    assert_string_equal(absolute, "/home/alice");
    assert_int_equal(file_absolute(arena, "/var/mail", &absolute), PR_OK);
    assert_string_equal(absolute, "/var/mail");
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(expected, sizeof(expected), "%s/~x", here);
    assert_int_equal(file_absolute(arena, "~x", &absolute), PR_OK);
    assert_string_equal(absolute, expected);
    assert_int_equal(file_absolute(arena, "", &absolute), PR_CONFIG);
    pr_arena_free(arena);
}

static void a_file_open_to_others_is_noticed(void **state)
{
    (void)state;
    write_file("secret", "x");
    assert_false(file_is_open_to_others(in_folder("secret")));
    chmod(path, 0640);
    assert_true(file_is_open_to_others(path));
    chmod(path, 0604);
    assert_true(file_is_open_to_others(path));
}

/* Another process locks it and dies when told. */
static pid_t hold_lock(int *ret_tell)
{
    int told[2], tell[2], fd;
    char octet;

    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(tell[1]);
        if (file_lock(path, &fd) != PR_OK)
            _exit(1);
        (void)!write(told[1], "x", 1);
        (void)!read(tell[0], &octet, 1);
        _exit(0);
    }
    close(told[1]);
    close(tell[0]);
    assert_int_equal(read(told[0], &octet, 1), 1);
    close(told[0]);
    *ret_tell = tell[1];
    return pid;
}

static void a_lock_keeps_another_process_out(void **state)
{
    char words[64];
    int fd, second, tell;

    (void)state;
    in_folder("account.lock");
    pid_t pid = hold_lock(&tell);
    assert_int_equal(file_lock(path, &fd), PR_BUSY);
    snprintf(words, sizeof(words), "is locked by process %ld", (long)pid);
    assert_non_null(strstr(pr_last_failure()->text, words));
    close(tell);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    /* The file stayed, the lock did not. */
    assert_int_equal(file_lock(path, &fd), PR_OK);
    assert_int_equal(file_lock(path, &second), PR_BUSY);
    file_unlock(fd);
    assert_int_equal(file_lock(path, &second), PR_OK);
    file_unlock(second);
    file_unlock(-1);
}

static void a_lock_is_not_taken_through_a_link(void **state)
{
    int fd;

    (void)state;
    write_file("precious", "text");
    assert_int_equal(symlink("precious", in_folder("link.lock")), 0);
    assert_int_equal(file_lock(path, &fd), PR_IO);
}

static void a_digest_is_sha_256(void **state)
{
    static const unsigned char abc[DIGEST_SIZE] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
        0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
        0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    unsigned char digest[DIGEST_SIZE];
    struct digest *parts;

    (void)state;
    assert_int_equal(pr_digest(PR_BYTES("abc"), digest), PR_OK);
    assert_memory_equal(digest, abc, DIGEST_SIZE);
    assert_int_equal(digest_new(&parts), PR_OK);
    assert_int_equal(digest_add(parts, "a", 1), PR_OK);
    assert_int_equal(digest_add(parts, "", 0), PR_OK);
    assert_int_equal(digest_add(parts, "bc", 2), PR_OK);
    digest_end(parts, digest);
    assert_memory_equal(digest, abc, DIGEST_SIZE);
    assert_int_equal(digest_new(&parts), PR_OK);
    digest_end(parts, NULL);
    digest_end(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_made_private_with_those_above),
        cmocka_unit_test(a_file_is_read_up_to_a_cap),
        cmocka_unit_test(a_full_disk_is_told_as_such),
        cmocka_unit_test(an_unnamed_file_leaves_no_name),
        cmocka_unit_test(paths_become_absolute),
        cmocka_unit_test(a_file_open_to_others_is_noticed),
        cmocka_unit_test(a_lock_keeps_another_process_out),
        cmocka_unit_test(a_lock_is_not_taken_through_a_link),
        cmocka_unit_test(a_digest_is_sha_256),
    };

    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
