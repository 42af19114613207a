/*
 * The octets of one message: in memory while it is small, else in a file.
 *
 * Octets go into one block of memory that doubles up to SPOOL_MEMORY. When one
 * more octet would not fit, an unnamed file takes over: the block is written
 * out and from then on gathers what is not written yet. So the cost in memory
 * does not depend on the size of the message. A spool that failed once stays
 * failed: it can never be sealed and delivered as a stump.
 */
#include "config.h"

#include "mail/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <postrider/fiber.h>

#include "base/memory.h"
#include "mail/origin.h"
#include "mail/spare.h"

#define SMALLEST_BLOCK 1024

struct pr_spool {
    const char *directory; /* lent */
    uint64_t cap;          /* of octets on the wire; 0: none */
    char *block; /* the message, or with a file what is not yet in it */
    size_t used, allocated;
    size_t expected;       /* octets it will have at most; 0: not known */
    int fd;                /* -1: in memory */
    atomic_bool is_linked; /* the file has a name: it is another's now */
    uint64_t written;      /* octets in the file */
    uint64_t wire_size;
    uint64_t header_size; /* octets of header so far, or in all */
    bool header_ended;
    bool is_at_line_start; /* the next octet, of those in the block */
    bool holds_cr;         /* the last octet was CR: the next one decides */
    bool is_sealed;
    atomic_bool is_lent; /* others may have its file open */
    pr_status failed;
    struct origin *origin; /* owned; NULL: none is known */
};

pr_status spool_new(const char *directory, uint64_t cap, struct pr_spool **ret)
{
    struct pr_spool *spool = memory_zeroed(1, sizeof *spool);
    if (spool == NULL)
        return pr_fail(PR_NOMEM, "out of memory for a message");
    spool->directory = directory;
    spool->cap = cap;
    spool->fd = -1;
    spool->is_at_line_start = true;
    *ret = spool;
    return PR_OK;
}

void spool_free(struct pr_spool *spool)
{
    if (spool == NULL)
        return;
    if (spool->fd >= 0 && (spool->is_lent || spool->is_linked))
        close(spool->fd);
    else if (spool->fd >= 0)
        spare_give(spool->directory, spool->fd);
    origin_free(spool->origin);
    memory_free(spool->block);
    memory_free(spool);
}

void spool_expect(struct pr_spool *spool, uint64_t octets)
{
    spool->expected = octets < SPOOL_MEMORY ? (size_t)octets : SPOOL_MEMORY;
}

/* ---- Room -------------------------------------------------------------- */

static pr_status grow_block(struct pr_spool *spool)
{
    size_t size = spool->allocated * 2;
    if (size < SMALLEST_BLOCK)
        size = SMALLEST_BLOCK;
    if (spool->allocated < spool->expected)
        size = spool->expected;
    if (size > SPOOL_MEMORY)
        size = SPOOL_MEMORY;
    char *block = memory_realloc(spool->block, size);
    if (block == NULL)
        return pr_fail(PR_NOMEM, "out of memory for a message");
    spool->block = block;
    spool->allocated = size;
    return PR_OK;
}

static pr_status write_block(struct pr_spool *spool)
{
    size_t done = 0;
    while (done < spool->used) {
        ssize_t n = pwrite(spool->fd, spool->block + done, spool->used - done,
                           (off_t)(spool->written + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pr_fail_errno(errno == EFBIG ? PR_FULL : PR_IO, errno,
                                 "cannot keep a message in %s",
                                 spool->directory);
        done += (size_t)n;
    }
    spool->written += done;
    spool->used = 0;
    return PR_OK;
}

/* Offloaded. */
static pr_status move_block_to_file(void *argument)
{
    struct pr_spool *spool = argument;
    if (spool->fd < 0) {
        pr_status status = spare_take(spool->directory, &spool->fd);
        if (status != PR_OK)
            return status;
    }
    return write_block(spool);
}

/* Makes room for at least one octet in the block. */
static pr_status make_room(struct pr_spool *spool)
{
    if (spool->used < spool->allocated)
        return PR_OK;
    if (spool->allocated < SPOOL_MEMORY)
        return grow_block(spool);
    return pr_offload(move_block_to_file, spool);
}

/* ---- Writing ----------------------------------------------------------- */

/* Looks in what was added to the block from `begin` on for the empty line that
 * ends the header. */
static void look_for_header_end(struct pr_spool *spool, size_t begin)
{
    const char *at = spool->block + begin;
    const char *end = spool->block + spool->used;
    while (at < end) {
        if (spool->is_at_line_start && *at == '\n') {
            spool->header_size += (uint64_t)(at + 1 - spool->block) - begin;
            spool->header_ended = true;
            return;
        }
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        spool->is_at_line_start = line_end != NULL;
        at = line_end != NULL ? line_end + 1 : end;
    }
    spool->header_size += spool->used - begin;
}

/* Adds as many of `size` octets as there is room for in the block. */
static pr_status add_exact(struct pr_spool *spool, const char *data,
                           size_t size, size_t *ret_taken)
{
    pr_status status = make_room(spool);
    if (status != PR_OK)
        return status;
    size_t begin = spool->used;
    size_t room = spool->allocated - begin;
    *ret_taken = size < room ? size : room;
    memcpy(spool->block + begin, data, *ret_taken);
    spool->used += *ret_taken;
    if (!spool->header_ended)
        look_for_header_end(spool, begin);
    return PR_OK;
}

/* Copies `size` octets to `to`, each CRLF as LF. A CR at the very end is left
 * out and told in *ret_holds_cr. Returns how many it wrote. */
static size_t copy_as_lf(char *to, const char *from, size_t size,
                         bool *ret_holds_cr)
{
    char *out = to;
    const char *end = from + size;
    *ret_holds_cr = false;
    while (from < end) {
        const char *cr = memchr(from, '\r', (size_t)(end - from));
        size_t length = (size_t)((cr != NULL ? cr : end) - from);
        memcpy(out, from, length);
        out += length;
        if (cr == NULL)
            break;
        from = cr + 1;
        if (from == end)
            *ret_holds_cr = true;
        else if (*from != '\n')
            *out++ = '\r';
    }
    return (size_t)(out - to);
}

/* The same as add_exact for octets from the wire. */
static pr_status add_from_wire(struct pr_spool *spool, const char *data,
                               size_t size, size_t *ret_taken)
{
    if (spool->holds_cr && *data != '\n') {
        size_t one;
        pr_status status = add_exact(spool, "\r", 1, &one);
        if (status != PR_OK)
            return status;
    }
    spool->holds_cr = false;
    pr_status status = make_room(spool);
    if (status != PR_OK)
        return status;
    size_t begin = spool->used;
    size_t room = spool->allocated - begin;
    *ret_taken = size < room ? size : room;
    spool->used +=
        copy_as_lf(spool->block + begin, data, *ret_taken, &spool->holds_cr);
    if (!spool->header_ended)
        look_for_header_end(spool, begin);
    return PR_OK;
}

typedef pr_status add_fn(struct pr_spool *spool, const char *data, size_t size,
                         size_t *ret_taken);

static pr_status append(struct pr_spool *spool, const char *data, size_t size,
                        add_fn *add)
{
    if (spool->is_sealed)
        return pr_fail(PR_BUG, "a sealed message was written to");
    if (spool->failed != PR_OK)
        return pr_fail(spool->failed, "the message could not be kept");
    if (spool->cap != 0 && size > spool->cap - spool->wire_size)
        return spool->failed =
                   pr_fail(PR_LIMIT, "the message has more than %llu octets",
                           (unsigned long long)spool->cap);
    while (size > 0) {
        size_t taken = 0;
        pr_status status = add(spool, data, size, &taken);
        if (status != PR_OK)
            return spool->failed = status;
        spool->wire_size += taken;
        data += taken;
        size -= taken;
    }
    return PR_OK;
}

pr_status pr_spool_append(struct pr_spool *spool, const char *data, size_t size)
{
    return append(spool, data, size, add_from_wire);
}

pr_status spool_append_exact(struct pr_spool *spool, const char *data,
                             size_t size)
{
    return append(spool, data, size, add_exact);
}

static pr_status add_held_cr(struct pr_spool *spool)
{
    size_t one;
    if (!spool->holds_cr)
        return PR_OK;
    spool->holds_cr = false;
    return add_exact(spool, "\r", 1, &one);
}

/* Gives back what the block has too much; a failure to do so is none. */
static void shrink_block(struct pr_spool *spool)
{
    if (spool->used == 0 || spool->allocated - spool->used < SMALLEST_BLOCK)
        return;
    char *block = memory_realloc(spool->block, spool->used);
    if (block == NULL)
        return;
    spool->block = block;
    spool->allocated = spool->used;
}

pr_status pr_spool_seal(struct pr_spool *spool)
{
    if (spool->is_sealed)
        return PR_OK;
    if (spool->failed != PR_OK)
        return pr_fail(spool->failed, "the message could not be kept");
    pr_status status = add_held_cr(spool);
    if (status == PR_OK && spool->fd >= 0)
        status = pr_offload(move_block_to_file, spool);
    if (status != PR_OK)
        return spool->failed = status;
    if (spool->fd >= 0) {
        memory_free(spool->block);
        spool->block = NULL;
        spool->allocated = 0;
    } else {
        shrink_block(spool);
    }
    spool->is_sealed = true;
    return PR_OK;
}

/* ---- Handing the file on ------------------------------------------------- */

pr_status pr_spool_link(const struct pr_spool *spool, int directory,
                        const char *name)
{
    atomic_bool *is_linked = &((struct pr_spool *)(uintptr_t)spool)->is_linked;
    char path[40];

    if (!spool->is_sealed || spool->fd < 0 || atomic_exchange(is_linked, true))
        return pr_fail(PR_UNSUPPORTED, "no file to link");
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", spool->fd);
    if (linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) == 0)
        return PR_OK;
    atomic_store(is_linked, false);
    if (errno == EEXIST)
        return pr_fail(PR_BUSY, "the name %s is taken", name);
    return pr_fail_errno(PR_UNSUPPORTED, errno, "cannot link a message");
}

void pr_spool_found_in(struct pr_spool *spool, const char *path,
                       const struct stat *found)
{
    origin_free(spool->origin);
    spool->origin = origin_new(path, found);
}

pr_status pr_spool_link_origin(const struct pr_spool *spool, int64_t date,
                               int directory, const char *name)
{
    uint64_t size = pr_spool_size(spool);

    /* No line end was converted, and nothing is lacking. */
    if (!spool->is_sealed || spool->origin == NULL ||
        size != spool->wire_size || size != origin_size(spool->origin))
        return pr_fail(PR_UNSUPPORTED, "no file to link");
    return origin_link(spool->origin, date, directory, name);
}

/* ---- Reading ----------------------------------------------------------- */

uint64_t pr_spool_size(const struct pr_spool *spool)
{
    return spool->written + spool->used;
}

uint64_t pr_spool_wire_size(const struct pr_spool *spool)
{
    return spool->wire_size;
}

struct pr_bytes pr_spool_memory(const struct pr_spool *spool)
{
    if (!spool->is_sealed || spool->fd >= 0)
        return (struct pr_bytes){NULL, 0};
    return (struct pr_bytes){spool->block != NULL ? spool->block : "",
                             spool->used};
}

int pr_spool_file(const struct pr_spool *spool)
{
    return spool->fd;
}

const char *spool_directory(const struct pr_spool *spool)
{
    return spool->directory;
}

void spool_lend(const struct pr_spool *spool)
{
    ((struct pr_spool *)(uintptr_t)spool)->is_lent = true;
}

static pr_status read_file(const struct pr_spool *spool, uint64_t offset,
                           char *data, size_t size, size_t *ret_size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n =
            pread(spool->fd, data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pr_fail_errno(PR_IO, errno,
                                 "cannot read a message back from %s",
                                 spool->directory);
        if (n == 0)
            return pr_fail(PR_IO, "a message kept in %s was cut short",
                           spool->directory);
        done += (size_t)n;
    }
    *ret_size = done;
    return PR_OK;
}

pr_status pr_spool_read(const struct pr_spool *spool, uint64_t offset,
                        char *data, size_t size, size_t *ret_size)
{
    uint64_t end = pr_spool_size(spool);
    if (!spool->is_sealed)
        return pr_fail(PR_BUG, "a message was read before it was whole");
    if (offset >= end || size == 0) {
        *ret_size = 0;
        return PR_OK;
    }
    if (size > end - offset)
        size = (size_t)(end - offset);
    if (spool->fd >= 0)
        return read_file(spool, offset, data, size, ret_size);
    memcpy(data, spool->block + offset, size);
    *ret_size = size;
    return PR_OK;
}

uint64_t spool_header_size(const struct pr_spool *spool)
{
    return spool->header_size;
}

bool spool_header_is_ended(const struct pr_spool *spool)
{
    return spool->header_ended;
}

pr_status spool_read_header(const struct pr_spool *spool, size_t cap,
                            struct pr_buffer *ret)
{
    size_t size = cap;
    if (spool->header_size < size)
        size = (size_t)spool->header_size;
    if (size == 0)
        return PR_OK;
    char *room = pr_buffer_reserve(ret, size);
    if (room == NULL)
        return pr_last_failure()->status;
    size_t got = 0;
    pr_status status = pr_spool_read(spool, 0, room, size, &got);
    if (status == PR_OK)
        pr_buffer_grew(ret, got);
    return status;
}
