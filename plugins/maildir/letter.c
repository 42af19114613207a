/*
 * One message on its way from its spool to its name in a folder.
 */
#include "config.h"

#include "letter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postrider/crash.h>

/* Octets copied at a time where the kernel cannot copy by itself. */
#define BLOCK ((size_t)64 * 1024)

void letter_fail(struct letter *letter, pr_status status)
{
    if (status != PR_OK && letter->failure.status == PR_OK)
        letter->failure = *pr_last_failure();
}

static bool is_to_do(const struct letter *letter)
{
    return letter->failure.status == PR_OK && !letter->is_there &&
           letter->same == NULL;
}

static pr_status fail_file(const struct letter *letter, int error,
                           const char *what)
{
    const struct folder *folder = &letter->in->folder;
    const char *directory = folder->directory;

    return pr_fail_errno(PR_IO, error, "cannot %s %s%s%s/tmp/%s", what,
                         folder->maildir->options->path,
                         directory[0] != '\0' ? "/" : "", directory,
                         letter->place.name);
}

/* ---- Writing ------------------------------------------------------------- */

static pr_status write_all(const struct letter *letter, const char *data,
                           size_t size)
{
    while (size > 0) {
        ssize_t put = write(letter->fd, data, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail_file(letter, put < 0 ? errno : EIO, "write");
        data += put;
        size -= (size_t)put;
    }
    return PR_OK;
}

static pr_status copy_by_blocks(const struct letter *letter, uint64_t offset)
{
    const struct pr_spool *spool = letter->delivery->spool;
    char *block = malloc(BLOCK);
    size_t got = 1;
    pr_status status =
        block != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");

    while (status == PR_OK && got > 0) {
        status = pr_spool_read(spool, offset, block, BLOCK, &got);
        if (status == PR_OK)
            status = write_all(letter, block, got);
        offset += got;
    }
    free(block);
    return status;
}

/* In the kernel, where file systems allow it: with shared blocks even. */
static pr_status copy_file(const struct letter *letter, int from)
{
    uint64_t size = pr_spool_size(letter->delivery->spool);
    off_t offset = 0;

    while ((uint64_t)offset < size) {
        size_t rest = (size_t)(size - (uint64_t)offset);
        ssize_t put = copy_file_range(from, &offset, letter->fd, NULL, rest, 0);
        if (put > 0 || (put < 0 && errno == EINTR))
            continue;
        if (put == 0)
            return fail_file(letter, EIO, "write");
        if (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
            errno == EOPNOTSUPP || errno == EPERM)
            return copy_by_blocks(letter, (uint64_t)offset);
        return fail_file(letter, errno, "write");
    }
    return PR_OK;
}

static pr_status write_octets(const struct letter *letter)
{
    const struct pr_spool *spool = letter->delivery->spool;
    struct pr_bytes memory = pr_spool_memory(spool);
    int file = pr_spool_file(spool);

    if (memory.data != NULL)
        return write_all(letter, memory.data, memory.size);
    return file >= 0 ? copy_file(letter, file) : copy_by_blocks(letter, 0);
}

static pr_status set_date(const struct letter *letter)
{
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)letter->delivery->received}};

    if (letter->delivery->received > 0 && futimens(letter->fd, times) != 0)
        return fail_file(letter, errno, "set the date of");
    return PR_OK;
}

static pr_status check_size(const struct letter *letter)
{
    struct stat found;

    if (fstat(letter->fd, &found) != 0)
        return fail_file(letter, errno, "look at");
    if ((uint64_t)found.st_size != pr_spool_size(letter->delivery->spool))
        return fail_file(letter, EIO, "write all of");
    return PR_OK;
}

/* A file of this name is what an earlier run, killed, has left: the name is
 * this message's alone. */
static int make_file(const struct letter *letter)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int tmp = letter->in->folder.tmp;
    const char *name = letter->place.name;
    int fd = openat(tmp, name, flags, 0600);

    if (fd < 0 && errno == EEXIST && unlinkat(tmp, name, 0) == 0)
        fd = openat(tmp, name, flags, 0600);
    return fd;
}

/* A message that is in a file already gets its name there, where it can. */
static int link_spool(const struct letter *letter)
{
    const struct pr_spool *spool = letter->delivery->spool;
    int tmp = letter->in->folder.tmp;
    const char *name = letter->place.name;
    int file = pr_spool_file(spool);

    if (file < 0)
        return -1;
    pr_status status = pr_spool_link(spool, tmp, name);
    if (status == PR_BUSY && unlinkat(tmp, name, 0) == 0)
        status = pr_spool_link(spool, tmp, name);
    return status == PR_OK ? fcntl(file, F_DUPFD_CLOEXEC, 0) : -1;
}

/* One that lies in a Maildir already needs no octet written: its file gets one
 * more name. It stays what the source has: nothing of it is to be changed. */
static bool link_origin(const struct letter *letter)
{
    const struct pr_delivery *delivery = letter->delivery;
    int tmp = letter->in->folder.tmp;
    const char *name = letter->place.name;

    if (!letter->in->folder.maildir->options->link)
        return false;
    pr_status status =
        pr_spool_link_origin(delivery->spool, delivery->received, tmp, name);
    if (status == PR_BUSY && unlinkat(tmp, name, 0) == 0)
        status = pr_spool_link_origin(delivery->spool, delivery->received, tmp,
                                      name);
    return status == PR_OK;
}

static void remove_file(struct letter *letter)
{
    if (letter->fd >= 0)
        close(letter->fd);
    letter->fd = -1;
    (void)unlinkat(letter->in->folder.tmp, letter->place.name, 0);
}

void letter_write(struct letter *letter)
{
    if (!is_to_do(letter))
        return;
    letter->is_linked = link_origin(letter);
    if (letter->is_linked) {
        pr_crash_point("maildir linked");
        return;
    }
    letter->fd = link_spool(letter);
    bool is_written = letter->fd >= 0;
    if (!is_written)
        letter->fd = make_file(letter);
    if (letter->fd < 0) {
        letter_fail(letter, fail_file(letter, errno, "make"));
        return;
    }
    pr_crash_point("maildir made");
    pr_status status = is_written ? PR_OK : write_octets(letter);
    if (status == PR_OK)
        status = check_size(letter);
    if (status == PR_OK)
        status = set_date(letter);
    pr_crash_point("maildir written");
    if (status != PR_OK) {
        letter_fail(letter, status);
        remove_file(letter);
    }
}

/* Whoever wrote it may not have synced it. */
static void open_linked(struct letter *letter)
{
    letter->fd = openat(letter->in->folder.tmp, letter->place.name,
                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (letter->fd < 0) {
        letter_fail(letter, fail_file(letter, errno, "open"));
        remove_file(letter);
    }
}

void letter_finish(struct letter *letter, bool sync)
{
    pr_status status = PR_OK;

    if (letter->is_linked && sync)
        open_linked(letter);
    if (letter->fd < 0)
        return;
    if (sync &&
        (letter->is_linked ? fdatasync(letter->fd) : fsync(letter->fd)) != 0)
        status = fail_file(letter, errno, "sync");
    int fd = letter->fd;
    letter->fd = -1;
    /* Network file systems tell of a full disk here. */
    if (close(fd) != 0 && errno != EINTR && status == PR_OK)
        status = fail_file(letter, errno, "close");
    if (sync)
        pr_crash_point("maildir synced");
    if (status != PR_OK) {
        letter_fail(letter, status);
        remove_file(letter);
    }
}

/* ---- Publishing ---------------------------------------------------------- */

/* Never overwrites: 0, or an errno value. */
static int rename_file(int from, const char *name, int to, const char *file)
{
    struct stat found;

    if (renameat2(from, name, to, file, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    /* The file system knows no such rename. */
    if (linkat(from, name, to, file, 0) == 0)
        return unlinkat(from, name, 0) == 0 ? 0 : errno;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
        return errno;
    /* Nor links; nobody else makes a file of this name. */
    if (fstatat(to, file, &found, AT_SYMLINK_NOFOLLOW) == 0)
        return EEXIST;
    return renameat(from, name, to, file) == 0 ? 0 : errno;
}

static pr_status accept_earlier(const struct letter *letter, int to)
{
    struct stat found;

    if (fstatat(to, letter->place.file, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(found.st_mode) &&
        (uint64_t)found.st_size == pr_spool_size(letter->delivery->spool))
        return PR_OK;
    return fail_file(letter, EEXIST,
                     "deliver, under its name is another file:");
}

void letter_publish(struct letter *letter)
{
    struct letter_folder *in = letter->in;

    if (!is_to_do(letter))
        return;
    int to = letter->place.in_cur ? in->folder.cur : in->folder.new;
    int error =
        rename_file(in->folder.tmp, letter->place.name, to, letter->place.file);
    pr_status status = PR_OK;
    if (error == EEXIST)
        status = accept_earlier(letter, to);
    else if (error != 0)
        status = fail_file(letter, error, "deliver");
    pr_crash_point("maildir published");
    if (error != 0)
        remove_file(letter);
    letter_fail(letter, status);
    if (status == PR_OK) {
        letter->is_there = true;
        in->touched[letter->place.in_cur] = true;
    }
}
