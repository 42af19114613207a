/*
 * Files and directories, with errors in words.
 *
 * Every descriptor made here is close-on-exec.
 */
#include "config.h"

#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pr_status make_dir(const char *path)
{
    struct stat status;

    if (mkdir(path, 0700) == 0)
        return PR_OK;
    int error = errno;
    if (error == EEXIST || error == EROFS || error == EACCES) {
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
            return PR_OK;
        if (error == EEXIST)
            error = ENOTDIR;
    }
    return pr_fail_errno(PR_IO, error, "cannot make the folder %s", path);
}

pr_status file_make_dirs(const char *path)
{
    if (mkdir(path, 0700) == 0)
        return PR_OK;
    if (errno != ENOENT)
        return make_dir(path);

    char *copy = strdup(path);
    if (copy == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    pr_status status = PR_OK;
    for (char *slash = copy + 1; status == PR_OK && *slash != '\0'; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        status = make_dir(copy);
        *slash = '/';
    }
    free(copy);
    return status == PR_OK ? make_dir(path) : status;
}

static pr_status read_all(int fd, const char *path, struct pr_buffer *buffer)
{
    for (;;) {
        char block[4096];
        ssize_t got = read(fd, block, sizeof(block));
        if (got == 0)
            return PR_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pr_fail_errno(PR_IO, errno, "cannot read %s", path);
        pr_status status = pr_buffer_add(buffer, block, (size_t)got);
        explicit_bzero(block, (size_t)got); /* it may be a password */
        if (status == PR_LIMIT)
            return pr_fail(PR_LIMIT, "%s is larger than %zu octets", path,
                           buffer->cap);
        if (status != PR_OK)
            return status;
    }
}

pr_status file_read(const char *path, struct pr_buffer *buffer)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "cannot open %s", path);
    pr_status status = read_all(fd, path, buffer);
    close(fd);
    return status;
}

pr_status file_write_all(int fd, const void *data, size_t size,
                         const char *what)
{
    const char *rest = data;

    while (size > 0) {
        ssize_t put = write(fd, rest, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return pr_fail_errno(PR_IO, put < 0 ? errno : EIO,
                                 "cannot write %s", what);
        rest += put;
        size -= (size_t)put;
    }
    return PR_OK;
}

pr_status file_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "cannot open the folder %s", path);
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    /* File systems that know no fsync of a folder say EINVAL: nothing is
     * lost that they could have kept. */
    if (error != 0 && error != EINVAL)
        return pr_fail_errno(PR_IO, error, "cannot sync the folder %s", path);
    return PR_OK;
}

static pr_status make_and_unlink(const char *directory, int *ret_fd)
{
    char *path = NULL;

    if (asprintf(&path, "%s/.postrider-XXXXXX", directory) < 0)
        return pr_fail(PR_NOMEM, "out of memory");
    int fd = mkostemp(path, O_CLOEXEC);
    int error = errno;
    if (fd >= 0)
        unlink(path);
    free(path);
    if (fd < 0)
        return pr_fail_errno(PR_IO, error, "cannot make a temporary file in %s",
                             directory);
    *ret_fd = fd;
    return PR_OK;
}

pr_status file_open_unnamed(const char *directory, int *ret_fd)
{
#ifdef O_TMPFILE
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
        *ret_fd = fd;
        return PR_OK;
    }
    /* EISDIR: the kernel knows no O_TMPFILE. EOPNOTSUPP: the file system. */
    if (errno != EISDIR && errno != EOPNOTSUPP && errno != EINVAL)
        return pr_fail_errno(PR_IO, errno, "cannot make a temporary file in %s",
                             directory);
#endif
    return make_and_unlink(directory, ret_fd);
}

static const char *home_dir(void)
{
    const char *home = getenv("HOME");
    if (home != NULL && home[0] == '/')
        return home;
    const struct passwd *user = getpwuid(getuid());
    return user != NULL ? user->pw_dir : NULL;
}

pr_status file_absolute(struct pr_arena *arena, const char *path, char **ret)
{
    char *absolute;

    if (path[0] == '\0')
        return pr_fail(PR_CONFIG, "the path is empty");
    if (path[0] == '/') {
        absolute = pr_arena_text(arena, path);
    } else if (path[0] == '~' && (path[1] == '/' || path[1] == '\0')) {
        const char *home = home_dir();
        if (home == NULL)
            return pr_fail(PR_CONFIG, "%s: your home folder is not known",
                           path);
        absolute = pr_arena_printf(arena, "%s%s", home, path + 1);
    } else {
        char *here = getcwd(NULL, 0);
        if (here == NULL)
            return pr_fail_errno(PR_IO, errno,
                                 "cannot find the working folder");
        absolute = pr_arena_printf(arena, "%s/%s", here, path);
        free(here);
    }
    if (absolute == NULL)
        return PR_NOMEM;
    *ret = absolute;
    return PR_OK;
}

bool file_is_open_to_others(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 &&
           (status.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

static pr_status lock_is_held(int fd, const char *path)
{
    char text[24];
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
    long pid = 0;

    if (got > 0) {
        text[got] = '\0';
        pid = strtol(text, NULL, 10);
    }
    if (pid > 0)
        return pr_fail(PR_BUSY, "%s is locked by process %ld", path, pid);
    return pr_fail(PR_BUSY, "%s is locked by another process", path);
}

pr_status file_lock(const char *path, int *ret_fd)
{
    char pid[24];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "cannot open the lock file %s",
                             path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        pr_status status =
            errno == EWOULDBLOCK
                ? lock_is_held(fd, path)
                : pr_fail_errno(PR_IO, errno, "cannot lock %s", path);
        close(fd);
        return status;
    }
    /* The lock holds without the process id, which is only for the words. */
    int size = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, pid, (size_t)size, 0);
    *ret_fd = fd;
    return PR_OK;
}

void file_unlock(int fd)
{
    /* The file stays: unlinking it would let two processes lock two files of
     * one name. */
    if (fd >= 0)
        close(fd);
}
