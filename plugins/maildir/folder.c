/*
 * One Maildir on disk, opened for a batch: made when missing.
 *
 * A directory that is made is synced into the one above it before anything is
 * put in it: a message cannot be more durable than the way to it.
 */
#include "config.h"

#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"

pr_status folder_fail(const struct folder *folder, int error, const char *what)
{
    const char *directory = folder->directory;

    return pr_fail_errno(PR_IO, error, "cannot %s the folder %s%s%s", what,
                         folder->maildir->options->path,
                         directory[0] != '\0' ? "/" : "", directory);
}

static int open_dir(int at, const char *path)
{
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A file system that knows no fsync of directories says EINVAL: it keeps what
 * it can. */
static int sync_dir(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

/* ---- Making -------------------------------------------------------------- */

static int sync_parent(int at, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));

    if (parent == NULL)
        return -1;
    int fd = open_dir(at, parent);
    free(parent);
    if (fd < 0)
        return -1;
    int result = sync_dir(fd);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

/* mkdir -p, each new name durable. */
static int make_dirs(int at, char *path)
{
    if (mkdirat(at, path, 0700) == 0)
        return sync_parent(at, path);
    if (errno == EEXIST)
        return 0;
    char *slash = strrchr(path, '/');
    if (errno != ENOENT || slash == NULL || slash == path)
        return -1;
    *slash = '\0';
    int result = make_dirs(at, path);
    *slash = '/';
    if (result != 0)
        return -1;
    if (mkdirat(at, path, 0700) == 0)
        return sync_parent(at, path);
    return errno == EEXIST ? 0 : -1;
}

static int open_root(const struct maildir *maildir, bool make)
{
    const char *path = maildir->options->path;
    int fd = open_dir(AT_FDCWD, path);

    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    char *copy = strdup(path);
    int result = copy != NULL ? make_dirs(AT_FDCWD, copy) : -1;
    free(copy);
    return result == 0 ? open_dir(AT_FDCWD, path) : -1;
}

/* Maildir++ wants an empty file of this name in each folder but the root. */
static int mark_subfolder(int fd)
{
    int mark = openat(fd, "maildirfolder",
                      O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return mark >= 0 ? close(mark) : -1;
}

static int make_one(const struct folder *folder, int fd)
{
    static const char *const names[] = {"cur", "new", "tmp"};

    for (int i = 0; i < 3; i++)
        if (mkdirat(fd, names[i], 0700) != 0 && errno != EEXIST)
            return -1;
    if (folder->maildir->options->layout == LAYOUT_MAILDIRPP &&
        folder->directory[0] != '\0' && mark_subfolder(fd) != 0)
        return -1;
    return sync_dir(fd);
}

/* ---- Opening ------------------------------------------------------------- */

static int open_three(struct folder *folder, int fd)
{
    folder->tmp = open_dir(fd, "tmp");
    folder->new = folder->tmp >= 0 ? open_dir(fd, "new") : -1;
    folder->cur = folder->new >= 0 ? open_dir(fd, "cur") : -1;
    return folder->cur >= 0 ? 0 : -1;
}

static int open_below(struct folder *folder, int root, bool make)
{
    char path[512];
    const char *directory =
        folder->directory[0] != '\0' ? folder->directory : ".";
    int fd = open_dir(root, directory);

    if (fd < 0 && errno == ENOENT && make) {
        snprintf(path, sizeof(path), "%s", directory);
        if (make_dirs(root, path) == 0)
            fd = open_dir(root, directory);
    }
    if (fd < 0)
        return -1;
    int result = open_three(folder, fd);
    if (result != 0 && errno == ENOENT && make) {
        folder_close(folder);
        result = make_one(folder, fd) == 0 ? open_three(folder, fd) : -1;
    }
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

pr_status folder_open(struct folder *folder, const struct maildir *maildir,
                      const char *directory, bool make)
{
    *folder = (struct folder){maildir, directory, -1, -1, -1};
    int root = open_root(maildir, make);
    int result = root >= 0 ? open_below(folder, root, make) : -1;
    int error = errno;

    if (root >= 0)
        close(root);
    if (result == 0)
        return PR_OK;
    pr_status status = folder_fail(folder, error, make ? "make" : "open");
    return !make && (error == ENOENT || error == ENOTDIR) ? PR_GONE : status;
}

void folder_close(struct folder *folder)
{
    int *const all[] = {&folder->tmp, &folder->new, &folder->cur};

    for (int i = 0; i < 3; i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
}

/* ---- Looking ------------------------------------------------------------- */

pr_status folder_each(const struct folder *folder, int fd,
                      folder_visitor *visit, void *user)
{
    pr_status status = PR_OK;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;

    if (stream == NULL) {
        status = folder_fail(folder, errno, "read");
        if (copy >= 0)
            close(copy);
        return status;
    }
    while (status == PR_OK) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL)
            break;
        status = visit(user, fd, entry->d_name);
    }
    if (status == PR_OK && errno != 0)
        status = folder_fail(folder, errno, "read");
    closedir(stream);
    return status;
}

struct search {
    const char *name;
};

static pr_status is_sought(void *user, int fd, const char *name)
{
    const struct search *search = user;

    (void)fd;
    return name_is_of(name, search->name) ? PR_EOF : PR_OK;
}

static bool has_entry(int fd, const char *name)
{
    return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

pr_status folder_find(const struct folder *folder, const struct place *place)
{
    struct search search = {place->name};

    /* A reader moves messages from new/ to cur/, so look in this order. Names
     * in new/ have no flags. */
    if (has_entry(folder->new, place->name) ||
        has_entry(folder->cur, place->file))
        return PR_OK;
    pr_status status = folder_each(folder, folder->cur, is_sought, &search);
    if (status == PR_OK)
        return PR_GONE;
    return status == PR_EOF ? PR_OK : status;
}

pr_status folder_sync(const struct folder *folder, bool is_cur)
{
    if (sync_dir(is_cur ? folder->cur : folder->new) != 0)
        return folder_fail(folder, errno, "sync");
    return PR_OK;
}
