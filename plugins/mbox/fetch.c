/*
 * Messages of an mbox, on their way into spools.
 *
 * The mbox is locked for one message at a time: while the house has no room,
 * others may write. If they did, it is read anew and the message looked for.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "octets.h"
#include "source.h"

#define FETCH_BLOCK (4 * OCTETS_BLOCK)

struct fetch {
    struct mbox_source *mbox;
    struct pr_request request;
    struct pr_spool *spool;
    struct mbox_file file;
    const struct scan_message *message;
    uint64_t at; /* in the file, of what is read next */
    char *block;
    size_t size; /* octets in it */
    bool is_in_body;
    bool has_header;
};

/* ---- What the splitter tells --------------------------------------------- */

static pr_status begin(void *user, uint64_t at, struct pr_bytes line)
{
    (void)user, (void)at, (void)line;
    return PR_OK;
}

static pr_status field(void *user, struct pr_bytes name, struct pr_bytes value)
{
    (void)user, (void)name, (void)value;
    return PR_OK;
}

static pr_status header(void *user)
{
    struct fetch *fetch = user;

    fetch->is_in_body = true;
    return PR_OK;
}

/* PR_EOF: all that is wanted is there. */
static pr_status octets(void *user, const char *data, size_t size)
{
    struct fetch *fetch = user;

    if (fetch->has_header)
        return PR_EOF;
    fetch->has_header =
        fetch->is_in_body && fetch->request.want == PR_WANT_HEADER;
    return pr_spool_append(fetch->spool, data, size);
}

static pr_status end(void *user, uint64_t at)
{
    (void)user, (void)at;
    return PR_OK;
}

static const struct split_calls calls = {begin, field, header, octets, end};

/* ---- In jobs ------------------------------------------------------------- */

static pr_status find_job(void *argument)
{
    struct fetch *fetch = argument;
    pr_status status = source_rescan(fetch->mbox, &fetch->file);

    if (status != PR_OK)
        return status;
    fetch->message = source_find(fetch->mbox, fetch->request.item);
    if (fetch->message == NULL)
        return pr_fail(PR_GONE, "the message is gone from %s",
                       fetch->file.path);
    fetch->at = fetch->message->at;
    return PR_OK;
}

static pr_status read_job(void *argument)
{
    struct fetch *fetch = argument;
    uint64_t rest = fetch->message->end - fetch->at;

    fetch->size = rest < FETCH_BLOCK ? (size_t)rest : FETCH_BLOCK;
    int error =
        octets_read(fetch->file.fd, fetch->at, fetch->block, fetch->size);
    if (error != 0)
        return file_fail(&fetch->file, error, "read");
    fetch->at += fetch->size;
    /* Others need not wait until the last octets are in the spool. */
    if (fetch->at == fetch->message->end)
        file_close(&fetch->file);
    return PR_OK;
}

static pr_status close_job(void *argument)
{
    file_close(&((struct fetch *)argument)->file);
    return PR_OK;
}

/* ---- One message --------------------------------------------------------- */

static pr_status stream(struct fetch *fetch, struct split *split)
{
    pr_status status = pr_offload(find_job, fetch);

    if (status != PR_OK)
        return status;
    split_init(split, &calls, fetch, SPLIT_MESSAGE,
               (enum unquote_format)fetch->mbox->options->format, fetch->at);
    while (status == PR_OK && fetch->at < fetch->message->end) {
        status = pr_offload(read_job, fetch);
        if (status == PR_OK)
            status = split_add(split, fetch->block, fetch->size);
    }
    if (status == PR_OK)
        status = split_end(split);
    return status == PR_EOF ? PR_OK : status;
}

static pr_status fetch_locked(struct fetch *fetch)
{
    struct split *split = malloc(sizeof(*split));
    pr_status status = PR_OK;

    fetch->is_in_body = fetch->has_header = false;
    if (split == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    status = file_open(&fetch->file, &fetch->mbox->owner, fetch->mbox->path,
                       FILE_READ);
    if (status == PR_OK) {
        struct pr_failure why = {.status = PR_OK};
        status = stream(fetch, split);
        if (status != PR_OK)
            why = *pr_last_failure();
        (void)pr_offload(close_job, fetch);
        if (status != PR_OK)
            (void)pr_fail(status, "%s", why.text);
    }
    free(split);
    return status;
}

static pr_status fetch_one(struct fetch *fetch, struct pr_feed *feed)
{
    const struct pr_request *request = &fetch->request;
    const struct scan_message *message =
        source_find(fetch->mbox, request->item);

    if (message == NULL)
        return pr_fail(PR_GONE, "the message is gone");
    uint64_t size =
        request->want == PR_WANT_ALL ? message->size : message->header;
    pr_status status = feed->ops->begin(feed, request->item, request->want,
                                        size, &fetch->spool);
    return status == PR_OK ? fetch_locked(fetch) : status;
}

pr_status source_fetch(struct pr_source *source, struct pr_feed *feed)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    pr_status status = PR_OK;

    if (fetch != NULL)
        fetch->block = malloc(FETCH_BLOCK);
    if (fetch == NULL || fetch->block == NULL) {
        free(fetch);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    fetch->mbox = source->state;
    while (status == PR_OK) {
        status = feed->ops->next(feed, true, &fetch->request);
        if (status != PR_OK)
            break;
        pr_status result = fetch_one(fetch, feed);
        feed->ops->end(feed, fetch->request.item, result);
        /* A lock that is not to be had now is not for the next one either. */
        if (result == PR_CANCELLED || result == PR_BUSY)
            status = result;
    }
    free(fetch->block);
    free(fetch);
    return status == PR_EOF ? PR_OK : status;
}
