/*
 * Messages of a Maildir, on their way into spools.
 *
 * Small ones are read many in one job, next to each other into one block: a job
 * of its own for each would cost more than the reading. A large one, or one of
 * which only the header is wanted, is read alone, block by block.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source.h"

#define BLOCK ((size_t)256 * 1024)
/* Messages that are read in one job at most. */
#define TOGETHER 32

/* A message that is read together with others. */
struct piece {
    struct pr_request request;
    size_t at;  /* where in the block */
    char *path; /* owned; NULL: not known */
    struct stat found;
    bool is_read; /* all of it, of the size it was listed with */
    bool is_ended;
    struct pr_failure failure;
};

struct fetch {
    struct maildir_source *maildir;
    char *block;
    struct piece pieces[TOGETHER];
    size_t count;
    struct pr_request next; /* the one behind them, to be read alone */
    /* Of the one that is read alone: */
    struct pr_request request;
    int fd;
    struct stat found;
    char *path;  /* owned */
    uint64_t at; /* read so far */
    size_t got;  /* octets in the block */
};

/* ---- In jobs ------------------------------------------------------------- */

static char *path_of(const struct maildir_source *maildir,
                     const struct entry *entry)
{
    const char *directory = maildir->directory;
    char *path;

    if (asprintf(&path, "%s%s%s/%s/%s", maildir->options.path,
                 directory[0] != '\0' ? "/" : "", directory,
                 entry->in_cur ? "cur" : "new", entry->file) < 0)
        return NULL;
    return path;
}

/* It may be renamed between the look and the opening. A path that cannot be
 * told is none. */
static pr_status open_message(struct maildir_source *maildir,
                              const struct pr_item *item, int *ret_fd,
                              struct stat *ret, char **ret_path)
{
    const struct folder *folder = &maildir->folder;
    struct entry *entry;
    int fd = -1;

    for (int tries = 0; tries < 3; tries++) {
        pr_status status = source_locate(maildir, item, tries > 0, &entry);
        if (status != PR_OK)
            return status;
        fd = openat(entry->in_cur ? folder->cur : folder->new, entry->file,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT)
            break;
    }
    if (fd < 0)
        return errno == ENOENT
                   ? pr_fail(PR_GONE, "the message is gone")
                   : folder_fail(folder, errno, "open a message in");
    if (fstat(fd, ret) != 0 || !S_ISREG(ret->st_mode)) {
        close(fd);
        return pr_fail(PR_GONE, "the message is no plain file any more");
    }
    *ret_fd = fd;
    *ret_path = path_of(maildir, entry);
    return PR_OK;
}

static pr_status read_some(const struct fetch *fetch, int fd, char *to,
                           size_t most, size_t *ret)
{
    size_t got = 0;

    while (got < most) {
        ssize_t count = read(fd, to + got, most - got);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return folder_fail(&fetch->maildir->folder, errno,
                               "read a message in");
        if (count == 0)
            break;
        got += (size_t)count;
    }
    *ret = got;
    return PR_OK;
}

static pr_status read_block(void *argument)
{
    struct fetch *fetch = argument;
    pr_status status =
        read_some(fetch, fetch->fd, fetch->block, BLOCK, &fetch->got);

    fetch->at += status == PR_OK ? fetch->got : 0;
    return status;
}

static pr_status begin_job(void *argument)
{
    struct fetch *fetch = argument;
    pr_status status = open_message(fetch->maildir, fetch->request.item,
                                    &fetch->fd, &fetch->found, &fetch->path);

    return status == PR_OK ? read_block(fetch) : status;
}

static pr_status read_piece(const struct fetch *fetch, struct piece *piece)
{
    size_t size = (size_t)piece->request.item->size, got = 0;
    int fd = -1;
    pr_status status = open_message(fetch->maildir, piece->request.item, &fd,
                                    &piece->found, &piece->path);

    if (status != PR_OK)
        return status;
    if ((uint64_t)piece->found.st_size == size)
        status = read_some(fetch, fd, fetch->block + piece->at, size, &got);
    piece->is_read = got == size && (uint64_t)piece->found.st_size == size;
    close(fd);
    return status;
}

static pr_status read_pieces(void *argument)
{
    struct fetch *fetch = argument;

    for (size_t i = 0; i < fetch->count; i++) {
        struct piece *piece = &fetch->pieces[i];
        if (read_piece(fetch, piece) != PR_OK)
            piece->failure = *pr_last_failure();
    }
    return PR_OK;
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
    uint64_t size = (uint64_t)fetch->found.st_size;
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
    if (status == PR_OK && !is_whole && fetch->at < size)
        return pr_fail(PR_IO, "the message became shorter while it was read");
    if (status == PR_OK && fetch->path != NULL)
        pr_spool_found_in(spool, fetch->path, &fetch->found);
    return status;
}

static pr_status fetch_one(struct fetch *fetch, struct pr_feed *feed,
                           const struct pr_request *request)
{
    struct pr_spool *spool;

    fetch->request = *request;
    fetch->fd = -1;
    fetch->path = NULL;
    fetch->at = 0;
    pr_status status = pr_offload(begin_job, fetch);
    uint64_t octets = (uint64_t)fetch->found.st_size;
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
    free(fetch->path);
    feed->ops->end(feed, request->item, status);
    return status == PR_CANCELLED ? status : PR_OK;
}

/* ---- Many together ------------------------------------------------------- */

/* Takes requests until the block is full, or one is to be read alone: that is
 * then fetch->next. PR_EOF: there are no more. */
static pr_status gather(struct fetch *fetch, struct pr_feed *feed)
{
    size_t used = 0;

    fetch->count = 0;
    fetch->next.item = NULL;
    while (fetch->count < TOGETHER) {
        struct pr_request request;
        pr_status status = feed->ops->next(feed, fetch->count == 0, &request);
        if (status != PR_OK || request.item == NULL)
            return status;
        if (request.want != PR_WANT_ALL || request.item->size > BLOCK - used) {
            fetch->next = request;
            return PR_OK;
        }
        fetch->pieces[fetch->count++] =
            (struct piece){.request = request, .at = used};
        used += (size_t)request.item->size;
    }
    return PR_OK;
}

static pr_status deliver_piece(const struct fetch *fetch, struct pr_feed *feed,
                               const struct piece *piece)
{
    const struct pr_item *item = piece->request.item;
    struct pr_spool *spool;

    if (piece->failure.status != PR_OK)
        return pr_fail(piece->failure.status, "%s", piece->failure.text);
    pr_status status = feed->ops->begin(feed, piece->request.item, PR_WANT_ALL,
                                        item->size, &spool);
    if (status == PR_OK)
        status = pr_spool_append(spool, fetch->block + piece->at,
                                 (size_t)item->size);
    if (status == PR_OK && piece->path != NULL)
        pr_spool_found_in(spool, piece->path, &piece->found);
    return status;
}

/* One that has not the size it was listed with is read again, alone. The block
 * is in use: afterwards. */
static pr_status deliver_odd(struct fetch *fetch, struct pr_feed *feed,
                             pr_status status)
{
    for (size_t i = 0; i < fetch->count; i++) {
        const struct piece *piece = &fetch->pieces[i];
        if (piece->is_ended)
            continue;
        if (status == PR_OK)
            status = fetch_one(fetch, feed, &piece->request);
        else
            feed->ops->end(feed, piece->request.item, status);
    }
    return status;
}

/* Each request that was taken is ended, whatever happens. */
static pr_status deliver_pieces(struct fetch *fetch, struct pr_feed *feed,
                                pr_status status)
{
    for (size_t i = 0; i < fetch->count; i++) {
        struct piece *piece = &fetch->pieces[i];
        pr_status result = status;
        piece->is_ended = piece->is_read || piece->failure.status != PR_OK;
        if (status == PR_OK && piece->is_ended)
            result = deliver_piece(fetch, feed, piece);
        if (piece->is_ended)
            feed->ops->end(feed, piece->request.item, result);
        free(piece->path);
        if (result == PR_CANCELLED)
            status = result;
    }
    return deliver_odd(fetch, feed, status);
}

/* Those together that are small; then the one that ended them. */
static pr_status fetch_some(struct fetch *fetch, struct pr_feed *feed)
{
    pr_status over = gather(fetch, feed);
    pr_status status = over == PR_EOF ? PR_OK : over;

    if (status == PR_OK && fetch->count > 0)
        status = pr_offload(read_pieces, fetch);
    status = deliver_pieces(fetch, feed, status);
    if (fetch->next.item != NULL && status == PR_OK)
        status = fetch_one(fetch, feed, &fetch->next);
    else if (fetch->next.item != NULL)
        feed->ops->end(feed, fetch->next.item, status);
    return status == PR_OK ? over : status;
}

pr_status source_fetch(struct pr_source *source, struct pr_feed *feed)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    pr_status status = PR_OK;

    if (fetch != NULL)
        fetch->block = malloc(BLOCK);
    if (fetch == NULL || fetch->block == NULL)
        status = pr_fail(PR_NOMEM, "out of memory");
    else
        fetch->maildir = source->state;
    while (status == PR_OK)
        status = fetch_some(fetch, feed);
    if (fetch != NULL)
        free(fetch->block);
    free(fetch);
    return status == PR_EOF ? PR_OK : status;
}
