/*
 * An mbox, opened and locked.
 */
#include "config.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

#define FIRST_PAUSE 20 /* ms between tries */
#define LAST_PAUSE 500

pr_status file_fail(const struct mbox_file *file, int error, const char *what)
{
    return pr_fail_errno(PR_IO, error, "cannot %s %s", what, file->path);
}

/* ---- Opening ------------------------------------------------------------- */

static int open_directory(const struct mbox_file *file)
{
    char path[MBOX_PATH_MAX];
    size_t size = (size_t)(file->name - file->path);

    if (size == 0)
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof(path), "%.*s", (int)size, file->path);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* O_NONBLOCK: a FIFO would hold us up until somebody opens its other end. */
static int open_it(struct mbox_file *file)
{
    int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

    file->fd = openat(file->directory, file->name, O_RDWR | flags);
    if (file->fd < 0 && errno == ENOENT && file->access == FILE_MAKE) {
        file->fd = openat(file->directory, file->name,
                          O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (file->fd < 0 && errno == EEXIST)
            file->fd = openat(file->directory, file->name, O_RDWR | flags);
    }
    if (file->fd < 0 && (errno == EACCES || errno == EROFS) &&
        file->access == FILE_READ)
        file->fd = openat(file->directory, file->name, O_RDONLY | flags);
    return file->fd >= 0 ? 0 : errno;
}

static pr_status say_unopened(const struct mbox_file *file, int error)
{
    if (error == ENOENT || error == ENOTDIR)
        return pr_fail(PR_GONE, "there is no %s", file->path);
    if (error == ELOOP)
        return pr_fail(PR_REFUSED,
                       "%s is a symbolic link, which is not followed: name the "
                       "file itself",
                       file->path);
    if (error == EISDIR || error == ENXIO)
        return pr_fail(PR_REFUSED, "%s is no plain file", file->path);
    return file_fail(file, error, "open");
}

/* Another name could be that of any file of ours, made by who may write to the
 * directory. */
static pr_status check_kind(const struct mbox_file *file,
                            const struct stat *found)
{
    if (!S_ISREG(found->st_mode))
        return pr_fail(PR_REFUSED, "%s is no plain file", file->path);
    if (found->st_nlink > 1)
        return pr_fail(PR_REFUSED,
                       "%s has another name too (a hard link): it is not "
                       "touched",
                       file->path);
    return PR_OK;
}

/* ---- Locking ------------------------------------------------------------- */

static pr_status lock_whole(const struct mbox_file *file)
{
    int mode = fcntl(file->fd, F_GETFL);
    bool may_write = (mode & O_ACCMODE) == O_RDWR;
    struct flock lock = {
        .l_type = file->access == FILE_READ || !may_write ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET};

    if (file->owner->set->locks == LOCKS_DOT)
        return PR_OK;
    if (fcntl(file->fd, F_OFD_SETLK, &lock) == 0)
        return PR_OK;
    if (errno == EAGAIN || errno == EACCES)
        return pr_fail(PR_BUSY, "another program has locked %s", file->path);
    return file_fail(file, errno, "lock");
}

static pr_status lock_dot(struct mbox_file *file)
{
    const struct mbox_set *set = file->owner->set;

    if (set->locks == LOCKS_FCNTL)
        return PR_OK;
    file->dot = (struct dot){.directory = file->directory, .name = file->name};
    pr_status status = dot_take(&file->dot, set->stale);
    if (status != PR_UNSUPPORTED)
        return status;
    file->lacks_dot = true;
    if (set->locks == LOCKS_AUTO)
        return PR_OK;
    return pr_context(PR_IO, "%s needs a dot lock (option `locks`)",
                      file->path);
}

/* Has it been replaced while we waited? */
static pr_status check_name(struct mbox_file *file)
{
    struct stat ours, named;

    if (fstat(file->fd, &ours) != 0)
        return file_fail(file, errno, "look at");
    pr_status status = check_kind(file, &ours);
    if (status != PR_OK)
        return status;
    if (fstatat(file->directory, file->name, &named, AT_SYMLINK_NOFOLLOW) !=
            0 ||
        named.st_dev != ours.st_dev || named.st_ino != ours.st_ino)
        return pr_fail(PR_BUSY, "another program has replaced %s", file->path);
    file->size = (uint64_t)ours.st_size;
    file->was_made = file->size == 0;
    return PR_OK;
}

static pr_status open_and_lock(struct mbox_file *file)
{
    struct stat found;
    pr_status status = PR_OK;

    if (file->access == FILE_MAKE)
        status = place_make(file->path);
    if (status != PR_OK)
        return status;
    file->directory = open_directory(file);
    int error = file->directory >= 0 ? open_it(file) : errno;
    if (error != 0)
        return say_unopened(file, error);
    if (fstat(file->fd, &found) != 0)
        return file_fail(file, errno, "look at");
    status = check_kind(file, &found);
    if (status == PR_OK)
        status = lock_whole(file);
    if (status == PR_OK)
        status = lock_dot(file);
    return status == PR_OK ? check_name(file) : status;
}

pr_status file_try(struct mbox_file *file, struct mbox_owner *owner,
                   const char *path, enum file_access access)
{
    const char *slash = strrchr(path, '/');

    *file = (struct mbox_file){.owner = owner,
                               .path = path,
                               .name = slash != NULL ? slash + 1 : path,
                               .access = access,
                               .directory = -1,
                               .fd = -1};
    pr_status status = open_and_lock(file);
    if (status != PR_OK)
        file_close(file);
    return status;
}

void file_close(struct mbox_file *file)
{
    if (file->path == NULL)
        return;
    if (file->dot.is_held)
        dot_drop(&file->dot);
    if (file->fd >= 0)
        close(file->fd);
    if (file->directory >= 0)
        close(file->directory);
    file->fd = file->directory = -1;
}

/* ---- Waiting ------------------------------------------------------------- */

struct opening {
    struct mbox_file *file;
    struct mbox_owner *owner;
    const char *path;
    enum file_access access;
};

static pr_status try_job(void *argument)
{
    const struct opening *opening = argument;

    return file_try(opening->file, opening->owner, opening->path,
                    opening->access);
}

static void warn_once(struct mbox_owner *owner, const char *path)
{
    if (!owner->has_warned)
        pr_log(owner->log, PR_LOG_WARNING,
               "no file can be made beside %s, so it is locked by fcntl alone; "
               "locks = \"fcntl\" says that this is right",
               path);
    owner->has_warned = true;
}

pr_status file_open(struct mbox_file *file, struct mbox_owner *owner,
                    const char *path, enum file_access access)
{
    struct opening opening = {file, owner, path, access};
    pr_time deadline = pr_in(owner->set->wait);
    uint64_t pause = FIRST_PAUSE;

    for (;;) {
        pr_status status = pr_offload(try_job, &opening);
        if (status == PR_OK && file->lacks_dot)
            warn_once(owner, path);
        if (status != PR_BUSY)
            return status;
        if (pr_now() >= deadline)
            return pr_context(PR_BUSY, "%s is locked", path);
        struct pr_failure why = *pr_last_failure();
        status = pr_sleep(pause);
        if (status != PR_OK)
            return pr_fail(status, "%s", why.text);
        pause = pause * 2 < LAST_PAUSE ? pause * 2 : LAST_PAUSE;
    }
}
