/*
 * The text of one message, from the line into its spool.
 */
#include <inttypes.h>

#include "fetch.h"

/* LIST may count line ends as one octet and leave out fields that the server
 * adds. A server that goes far beyond that does not stop at all. */
#define SURPLUS_FACTOR 4u
#define SURPLUS_MOST (UINT64_C(16) << 20)
#define UNTOLD_MOST (UINT64_C(4) << 30)

struct body {
    struct fetch *fetch;
    struct wanted wanted;
    struct pr_spool *spool;    /* NULL: dropped */
    struct pr_failure failure; /* why it is dropped */
    struct pop3_header header;
    uint64_t octets; /* of the text so far */
};

static void spoil(struct body *body, pr_status status)
{
    body->failure = *pr_last_failure();
    body->failure.status = status;
    body->spool = NULL;
}

static uint64_t octets_most(const struct pr_item *item)
{
    if (item->size == 0)
        return UNTOLD_MOST;
    if (item->size > (UINT64_MAX - SURPLUS_MOST) / SURPLUS_FACTOR)
        return UINT64_MAX;
    return item->size * SURPLUS_FACTOR + SURPLUS_MOST;
}

static pr_status begin(struct body *body)
{
    struct fetch *fetch = body->fetch;
    const struct wanted *wanted = &body->wanted;
    uint64_t octets = wanted->want == PR_WANT_ALL ? wanted->item->size : 0;
    pr_status status = fetch->feed->ops->begin(
        fetch->feed, wanted->item, wanted->want, octets, &body->spool);

    if (status == PR_CANCELLED)
        return pop3_break(fetch->pop3, status);
    if (status != PR_OK)
        spoil(body, status);
    return PR_OK;
}

static pr_status keep(struct body *body, struct pr_bytes text)
{
    if (body->wanted.want == PR_WANT_HEADER)
        text.size = pop3_header_take(&body->header, text);
    if (body->spool == NULL || text.size == 0)
        return PR_OK;
    pr_status status = pr_spool_append(body->spool, text.data, text.size);
    if (status == PR_CANCELLED)
        return pop3_break(body->fetch->pop3, status);
    if (status != PR_OK)
        spoil(body, status);
    return PR_OK;
}

/* The next requests go out as soon as there is room for them, in the middle of
 * a large message too. */
static pr_status count(struct body *body, size_t size)
{
    struct fetch *fetch = body->fetch;
    bool would_ask = fetch_would_ask(fetch);

    body->octets += size;
    if (body->octets > octets_most(body->wanted.item))
        return pop3_break(
            fetch->pop3,
            pr_fail(PR_PROTOCOL,
                    "the server does not stop sending message %" PRIu32
                    ", of %" PRIu64 " octets by LIST",
                    body->wanted.item->number, body->wanted.item->size));
    fetch_note_octets(fetch, size);
    if (would_ask || !fetch_would_ask(fetch))
        return PR_OK;
    pr_status status = fetch_top_up(fetch);
    if (status == PR_OK)
        status = pr_stream_flush(fetch->pop3->stream);
    return status == PR_OK ? PR_OK : pop3_break(fetch->pop3, status);
}

/* A header that has no empty line at its end gets one. */
static pr_status end(struct body *body)
{
    const struct pr_item *item = body->wanted.item;

    if (body->octets == 0 && item->size > 0)
        return pr_fail(PR_PROTOCOL,
                       "the server sent message %" PRIu32
                       " without a single octet",
                       item->number);
    if (body->wanted.want == PR_WANT_HEADER && !body->header.is_ended)
        return pr_spool_append(body->spool, "\r\n", 2);
    if (body->wanted.want == PR_WANT_ALL && body->octets < item->size / 2)
        pr_log(body->fetch->pop3->log, PR_LOG_WARNING,
               "message %" PRIu32 " has %" PRIu64
               " octets, though LIST says %" PRIu64,
               item->number, body->octets, item->size);
    return PR_OK;
}

pr_status fetch_read_body(struct fetch *fetch, pr_status *ret)
{
    struct body body = {.fetch = fetch, .wanted = fetch->ring[fetch->first]};
    bool is_end = false;

    pop3_text_begin(fetch->pop3);
    pr_status status = begin(&body);
    while (status == PR_OK && !is_end) {
        struct pr_bytes text;
        status = pop3_text(fetch->pop3, &text, &is_end);
        if (status == PR_OK)
            status = keep(&body, text);
        if (status == PR_OK && text.size > 0)
            status = count(&body, text.size);
    }
    if (status != PR_OK)
        return status;
    *ret = body.spool != NULL
               ? end(&body)
               : pr_fail(body.failure.status, "%s", body.failure.text);
    return PR_OK;
}
