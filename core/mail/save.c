/*
 * Writes a part of a message into a file below a folder, and nowhere else.
 *
 * Every name on the way is opened in the folder before it and never through a
 * symbolic link, so what a message says or what somebody else makes in the
 * folder meanwhile leads nowhere outside of it. The octets go into a new file
 * that gets its name, without taking another's place, when they are durable.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postrider/fiber.h>

#include "io/file.h"
#include "mail/view.h"

#define NUMBERS_MOST 1000
#define NAME_ROOM 256
#define PIECE (16 * 1024)

struct save {
    const char *root, *path;
    char name[NAME_ROOM];  /* the last of the path */
    char draft[NAME_ROOM]; /* the file in the making; "" if it has no name */
    int folder, file;      /* -1: not open */
};

/* ---- Paths --------------------------------------------------------------- */

static bool is_name(const char *name, size_t size)
{
    if (size == 0 || size > 200 || (size == 1 && name[0] == '.') ||
        (size == 2 && memcmp(name, "..", 2) == 0))
        return false;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return true;
}

bool view_path_is_inside(const char *path)
{
    for (;;) {
        size_t size = strcspn(path, "/");

        if (!is_name(path, size))
            return false;
        if (path[size] == '\0')
            return true;
        path += size + 1;
    }
}

static pr_status cannot(const struct save *save, const char *what)
{
    return pr_fail_errno(errno == ENOSPC || errno == EDQUOT ? PR_FULL : PR_IO,
                         errno, "cannot %s %s/%s", what, save->root,
                         save->path);
}

static pr_status open_root(struct save *save)
{
    pr_status status = file_make_dirs(save->root);

    if (status != PR_OK)
        return status;
    save->folder = open(save->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return save->folder >= 0 ? PR_OK : cannot(save, "open the folder of");
}

/* Goes into the folder `name`, made if it is missing. */
static pr_status enter(struct save *save, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int next = openat(save->folder, name, flags);

    if (next < 0 && errno == ENOENT) {
        if (mkdirat(save->folder, name, 0700) == 0 && fsync(save->folder) != 0)
            return cannot(save, "make the folder of");
        next = openat(save->folder, name, flags);
    }
    if (next < 0 && (errno == ELOOP || errno == ENOTDIR))
        return pr_fail(PR_CONFIG,
                       "%s/%s is not written: \"%s\" on its way is a symbolic "
                       "link or no folder",
                       save->root, save->path, name);
    if (next < 0)
        return cannot(save, "open the folder of");
    close(save->folder);
    save->folder = next;
    return PR_OK;
}

/* Opens the folder the file lies in; its own name is then in save->name. */
static pr_status open_folder(struct save *save)
{
    const char *at = save->path;
    pr_status status = open_root(save);

    while (status == PR_OK) {
        size_t size = strcspn(at, "/");

        memcpy(save->name, at, size);
        save->name[size] = '\0';
        if (at[size] == '\0')
            break;
        status = enter(save, save->name);
        at += size + 1;
    }
    return status;
}

/* ---- The file ------------------------------------------------------------ */

static pr_status open_draft(struct save *save)
{
    save->file =
        openat(save->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (save->file >= 0)
        return PR_OK; /* it has no name, and none is left by a crash */
    for (unsigned i = 0; i < NUMBERS_MOST; i++) {
        snprintf(save->draft, sizeof save->draft, ".postrider-%ld-%u",
                 (long)getpid(), i);
        save->file =
            openat(save->folder, save->draft,
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (save->file >= 0)
            return PR_OK;
        if (errno != EEXIST)
            break;
    }
    save->draft[0] = '\0';
    return cannot(save, "make");
}

static pr_status begin(void *argument)
{
    struct save *save = argument;
    pr_status status = open_folder(save);

    return status == PR_OK ? open_draft(save) : status;
}

static pr_status write_piece(void *user, struct pr_bytes octets)
{
    const struct save *save = user;

    return file_write_all(save->file, octets.data, octets.size, save->path);
}

/* The n-th name: "a.pdf", "a-2.pdf", "a-3.pdf". */
static void number_name(const struct save *save, unsigned n, char *name)
{
    const char *dot = strrchr(save->name, '.');
    int before = dot != NULL && dot != save->name ? (int)(dot - save->name)
                                                  : (int)strlen(save->name);

    if (n == 1)
        snprintf(name, NAME_ROOM, "%s", save->name);
    else
        snprintf(name, NAME_ROOM, "%.*s-%u%s", before, save->name, n,
                 save->name + before);
}

static bool is_same_piece(int a, int b, off_t at, bool *ret_is_end)
{
    char left[PIECE], right[PIECE];
    ssize_t got = pread(a, left, sizeof left, at);

    *ret_is_end = got <= 0;
    return got >= 0 && pread(b, right, sizeof right, at) == got &&
           memcmp(left, right, (size_t)got) == 0;
}

/* Are the octets of the file `name` those of the draft? */
static bool is_same(const struct save *save, const char *name)
{
    int other = openat(save->folder, name,
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat about;
    bool is_end = false, is_equal = other >= 0 && fstat(other, &about) == 0 &&
                                    S_ISREG(about.st_mode);

    for (off_t at = 0; is_equal && !is_end; at += PIECE)
        is_equal = is_same_piece(save->file, other, at, &is_end);
    if (other >= 0)
        close(other);
    return is_equal;
}

static int link_draft(const struct save *save, const char *name)
{
    char own[40];

    if (save->draft[0] != '\0')
        return linkat(save->folder, save->draft, save->folder, name, 0);
    snprintf(own, sizeof own, "/proc/self/fd/%d", save->file);
    return linkat(AT_FDCWD, own, save->folder, name, AT_SYMLINK_FOLLOW);
}

/* Gives the draft a name that is free, unless the file is there already. */
static pr_status give_name(struct save *save)
{
    char name[NAME_ROOM];

    if (fsync(save->file) != 0)
        return cannot(save, "write");
    for (unsigned n = 1; n <= NUMBERS_MOST; n++) {
        number_name(save, n, name);
        if (link_draft(save, name) == 0)
            return PR_OK;
        if (errno != EEXIST)
            return cannot(save, "name");
        if (is_same(save, name))
            return PR_OK;
    }
    return pr_fail(PR_IO, "%s/%s: too many files of that name", save->root,
                   save->path);
}

static pr_status finish(void *argument)
{
    struct save *save = argument;
    pr_status status = give_name(save);

    if (save->draft[0] != '\0' && unlinkat(save->folder, save->draft, 0) == 0)
        save->draft[0] = '\0';
    if (status == PR_OK && fsync(save->folder) != 0)
        status = cannot(save, "write");
    return status;
}

static pr_status clean_up(void *argument)
{
    struct save *save = argument;

    if (save->draft[0] != '\0' && save->folder >= 0)
        (void)unlinkat(save->folder, save->draft, 0);
    if (save->file >= 0)
        close(save->file);
    if (save->folder >= 0)
        close(save->folder);
    return PR_OK;
}

pr_status view_part_save(struct view *view, size_t part, const char *root,
                         const char *path)
{
    struct save save = {.root = root, .path = path, .folder = -1, .file = -1};
    struct pr_failure failure;
    pr_status status;

    if (!view_path_is_inside(path))
        return pr_fail(PR_CONFIG, "\"%s\" cannot be the name of a file in %s",
                       path, root);
    status = pr_offload(begin, &save);
    if (status == PR_OK)
        status = view_part_each(view, part, write_piece, &save);
    if (status == PR_OK)
        status = pr_offload(finish, &save);
    failure = *pr_last_failure();
    (void)pr_offload(clean_up, &save);
    return status == PR_OK ? PR_OK : pr_fail(status, "%s", failure.text);
}
