/*
 * Messages of a Maildir, on their way into spools.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

#define BLOCK ((size_t)256 * 1024)

struct fetch {
    struct maildir_source *maildir;
    struct pr_request request;
    int fd;
    uint64_t size, at; /* of the file; read so far */
    char *block;
    size_t got; /* octets in it */
};

/* ---- In jobs ------------------------------------------------------------- */

static int open_entry(const struct fetch *fetch, const struct entry *entry)
{
    const struct folder *folder = &fetch->maildir->folder;

    return openat(entry->in_cur ? folder->cur : folder->new, entry->file,
                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* It may be renamed between the look and the opening. */
static pr_status open_message(struct fetch *fetch)
{
    struct entry *entry;
    struct stat found;
    pr_status status = PR_OK;

    for (int tries = 0; tries < 3; tries++) {
        status = source_locate(fetch->maildir, fetch->request.item, &entry);
        if (status != PR_OK)
            return status;
        fetch->fd = open_entry(fetch, entry);
        if (fetch->fd >= 0 || errno != ENOENT)
            break;
    }
    if (fetch->fd < 0)
        return errno == ENOENT ? pr_fail(PR_GONE, "the message is gone")
                               : folder_fail(&fetch->maildir->folder, errno,
                                             "open a message in");
    if (fstat(fetch->fd, &found) != 0 || !S_ISREG(found.st_mode))
        return pr_fail(PR_GONE, "the message is no plain file any more");
    fetch->size = (uint64_t)found.st_size;
    return PR_OK;
}

static pr_status read_block(void *argument)
{
    struct fetch *fetch = argument;

    fetch->got = 0;
    while (fetch->got < BLOCK) {
        ssize_t got =
            read(fetch->fd, fetch->block + fetch->got, BLOCK - fetch->got);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return folder_fail(&fetch->maildir->folder, errno,
                               "read a message in");
        if (got == 0)
            break;
        fetch->got += (size_t)got;
    }
    fetch->at += fetch->got;
    return PR_OK;
}

static pr_status begin_job(void *argument)
{
    struct fetch *fetch = argument;
    pr_status status = open_message(fetch);

    return status == PR_OK ? read_block(fetch) : status;
}

/* ---- One message --------------------------------------------------------- */

/* Finds the end of the header, over cuts: two line ends behind each other, or
 * one at the very beginning. How much of the block belongs to it. */
static size_t header_part(const char *block, size_t size, bool *at_line_start,
                          bool *ret_is_whole)
{
    for (size_t i = 0; i < size; i++) {
        if (block[i] == '\r' && *at_line_start)
            continue;
        *ret_is_whole = block[i] == '\n' && *at_line_start;
        if (*ret_is_whole)
            return i + 1;
        *at_line_start = block[i] == '\n';
    }
    return size;
}

static pr_status take(struct fetch *fetch, struct pr_spool *spool)
{
    bool wants_header = fetch->request.want == PR_WANT_HEADER;
    bool at_line_start = true, is_whole = false;
    pr_status status = PR_OK;

    while (status == PR_OK && fetch->got > 0 && !is_whole) {
        size_t part = fetch->got;
        if (wants_header)
            part = header_part(fetch->block, part, &at_line_start, &is_whole);
        status = pr_spool_append(spool, fetch->block, part);
        if (status == PR_OK && !is_whole)
            status = pr_offload(read_block, fetch);
    }
    if (status == PR_OK && !is_whole && fetch->at < fetch->size)
        return pr_fail(PR_IO, "the message became shorter while it was read");
    return status;
}

static pr_status fetch_one(struct fetch *fetch, struct pr_feed *feed)
{
    const struct pr_request *request = &fetch->request;
    struct pr_spool *spool;

    fetch->fd = -1;
    fetch->at = 0;
    pr_status status = pr_offload(begin_job, fetch);
    uint64_t octets = fetch->size;
    if (status == PR_OK && request->want == PR_WANT_HEADER) {
        bool at_line_start = true, is_whole = false;
        octets =
            header_part(fetch->block, fetch->got, &at_line_start, &is_whole);
    }
    if (status == PR_OK)
        status = feed->ops->begin(feed, request->item, request->want, octets,
                                  &spool);
    if (status == PR_OK)
        status = take(fetch, spool);
    if (fetch->fd >= 0)
        close(fetch->fd);
    return status;
}

pr_status source_fetch(struct pr_source *source, struct pr_feed *feed)
{
    struct fetch fetch = {.maildir = source->state, .block = malloc(BLOCK)};
    pr_status status = PR_OK;

    if (fetch.block == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    while (status == PR_OK) {
        status = feed->ops->next(feed, true, &fetch.request);
        if (status != PR_OK)
            break;
        pr_status result = fetch_one(&fetch, feed);
        feed->ops->end(feed, fetch.request.item, result);
        if (result == PR_CANCELLED)
            status = result;
    }
    free(fetch.block);
    return status == PR_EOF ? PR_OK : status;
}
