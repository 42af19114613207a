/*
 * Octets of files: written, copied, compared, digested.
 */
#include "config.h"

#include "octets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t digest_add(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *octet = data;

    for (size_t i = 0; i < size; i++)
        digest = (digest ^ octet[i]) * UINT64_C(1099511628211);
    return digest;
}

int octets_write(int fd, uint64_t at, const void *data, size_t size)
{
    const char *from = data;

    while (size > 0) {
        ssize_t put = pwrite(fd, from, size, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        from += put;
        at += (uint64_t)put;
        size -= (size_t)put;
    }
    return 0;
}

/* Fewer than `size` at the end of the file only. */
static int read_some(int fd, uint64_t at, char *to, size_t size, size_t *ret)
{
    *ret = 0;
    while (*ret < size) {
        ssize_t got = pread(fd, to + *ret, size - *ret, (off_t)(at + *ret));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        *ret += (size_t)got;
    }
    return 0;
}

int octets_read(int fd, uint64_t at, void *data, size_t size)
{
    size_t got;
    int error = read_some(fd, at, data, size, &got);

    return error == 0 && got < size ? EBADMSG : error;
}

static size_t block_of(uint64_t rest)
{
    return rest < OCTETS_BLOCK ? (size_t)rest : OCTETS_BLOCK;
}

static int copy_blocks(int from, uint64_t from_at, int to, uint64_t to_at,
                       uint64_t size)
{
    char *block = malloc(OCTETS_BLOCK);
    int error = block != NULL ? 0 : ENOMEM;

    while (error == 0 && size > 0) {
        size_t part = block_of(size);
        error = octets_read(from, from_at, block, part);
        if (error == 0)
            error = octets_write(to, to_at, block, part);
        from_at += part;
        to_at += part;
        size -= part;
    }
    free(block);
    return error;
}

int octets_copy(int from, uint64_t from_at, int to, uint64_t to_at,
                uint64_t size)
{
    off_t in = (off_t)from_at, out = (off_t)to_at;

    while (size > 0) {
        ssize_t put = copy_file_range(from, &in, to, &out, (size_t)size, 0);
        if (put < 0 && errno == EINTR)
            continue;
        if (put == 0)
            return EBADMSG;
        if (put < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                        errno == EOPNOTSUPP || errno == EPERM))
            return copy_blocks(from, (uint64_t)in, to, (uint64_t)out, size);
        if (put < 0)
            return errno;
        size -= (uint64_t)put;
    }
    return 0;
}

int octets_digest(int fd, uint64_t at, uint64_t size, uint64_t *digest)
{
    char *block = malloc(OCTETS_BLOCK);
    int error = block != NULL ? 0 : ENOMEM;

    while (error == 0 && size > 0) {
        size_t part = block_of(size);
        error = octets_read(fd, at, block, part);
        if (error == 0)
            *digest = digest_add(*digest, block, part);
        at += part;
        size -= part;
    }
    free(block);
    return error;
}

static size_t count_same(const char *a, const char *b, size_t size)
{
    size_t same = 0;

    while (same < size && a[same] == b[same])
        same++;
    return same;
}

int octets_same(int a, uint64_t a_at, int b, uint64_t b_at, uint64_t most,
                uint64_t *ret)
{
    char *block = malloc(2 * OCTETS_BLOCK);
    int error = block != NULL ? 0 : ENOMEM;

    *ret = 0;
    while (error == 0 && *ret < most) {
        size_t part = block_of(most - *ret), got_a, got_b = 0;
        error = read_some(a, a_at + *ret, block, part, &got_a);
        if (error == 0)
            error =
                read_some(b, b_at + *ret, block + OCTETS_BLOCK, got_a, &got_b);
        size_t same = count_same(block, block + OCTETS_BLOCK, got_b);
        *ret += same;
        if (same < part)
            break;
    }
    free(block);
    return error;
}

/* A file system that knows no fsync of directories says EINVAL: it keeps what
 * it can. */
int octets_sync_directory(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
}
