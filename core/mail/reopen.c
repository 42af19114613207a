/*
 * A message as a file of its own, for a program to read.
 *
 * What is in memory goes into a sealed memory file. A file is opened once more,
 * for reading only: a descriptor has a place in the file, and others read the
 * same message.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "mail/spool.h"

static const char what[] = "the copy of a message for a program";

static pr_status seal(int fd)
{
    if (lseek(fd, 0, SEEK_SET) != 0 ||
        fcntl(fd, F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        return pr_fail_errno(PR_IO, errno, "cannot finish %s", what);
    return PR_OK;
}

static pr_status from_memory(struct pr_bytes before, struct pr_bytes octets,
                             int *ret)
{
    int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "cannot make %s", what);
    pr_status status = file_write_all(fd, before.data, before.size, what);
    if (status == PR_OK)
        status = file_write_all(fd, octets.data, octets.size, what);
    if (status == PR_OK)
        status = seal(fd);
    if (status != PR_OK) {
        close(fd);
        return status;
    }
    *ret = fd;
    return PR_OK;
}

/* Without the right to write to it, it cannot be opened for writing by way of
 * /proc either. */
static pr_status open_to_read(int file, int *ret)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (fchmod(file, 0400) != 0)
        return pr_fail_errno(PR_IO, errno, "cannot close off %s", what);
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    return *ret >= 0 ? PR_OK
                     : pr_fail_errno(PR_IO, errno, "cannot open %s", what);
}

static pr_status copy(const struct pr_spool *spool, int to)
{
    char block[16 * 1024];
    uint64_t offset = 0;

    for (;;) {
        size_t got = 0;
        pr_status status =
            pr_spool_read(spool, offset, block, sizeof(block), &got);
        if (status != PR_OK || got == 0)
            return status;
        status = file_write_all(to, block, got, what);
        if (status != PR_OK)
            return status;
        offset += got;
    }
}

static pr_status with_octets_before(const struct pr_spool *spool,
                                    struct pr_bytes before, int *ret)
{
    int file;
    pr_status status = file_open_unnamed(spool_directory(spool), &file);

    if (status != PR_OK)
        return status;
    status = file_write_all(file, before.data, before.size, what);
    if (status == PR_OK)
        status = copy(spool, file);
    if (status == PR_OK)
        status = open_to_read(file, ret);
    close(file);
    return status;
}

pr_status pr_spool_open(const struct pr_spool *spool, struct pr_bytes before,
                        int *ret)
{
    struct pr_bytes octets = pr_spool_memory(spool);

    if (octets.data != NULL)
        return from_memory(before, octets, ret);
    if (pr_spool_file(spool) < 0)
        return pr_fail(PR_BUG, "a message was opened before it was whole");
    if (before.size > 0)
        return with_octets_before(spool, before, ret);
    spool_lend(spool);
    return open_to_read(pr_spool_file(spool), ret);
}
