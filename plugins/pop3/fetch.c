/*
 * Fetching messages: which are asked for when.
 *
 * Where the server can pipeline, a window of requests is in flight, bounded by
 * their count and by the octets that are to come; else one. Commands are short:
 * the largest window of them is less than any socket's buffers hold, so writing
 * them never has to wait for the server to read, while the server may wait for
 * us to read as long as we like. Answers come in the order of the requests.
 * Every request taken from the feed is ended exactly once, whatever happens.
 */
#include "fetch.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Asking ------------------------------------------------------------- */

static bool has_room(const struct fetch *fetch)
{
    return fetch->count < fetch->size &&
           (fetch->count == 0 ||
            fetch->octets <= fetch->pop3->options->window_octets);
}

static struct wanted *place(struct fetch *fetch, size_t i)
{
    size_t at = fetch->first + i;

    return &fetch->ring[at < fetch->size ? at : at - fetch->size];
}

/* What is known to come: the whole size, or a guess at a header's. */
static uint64_t octets_owed(const struct wanted *wanted)
{
    uint64_t header = 4096;
    uint64_t size = wanted->item->size;

    return wanted->is_top && size > header ? header : size;
}

static pr_status send(struct fetch *fetch, struct wanted wanted)
{
    wanted.owed = octets_owed(&wanted);
    fetch->octets += wanted.owed;
    *place(fetch, fetch->count++) = wanted;
    return pop3_send_number(fetch->pop3, wanted.is_top ? "TOP" : "RETR",
                            wanted.item->number, wanted.is_top ? " 0" : "");
}

static void end_of_feed(struct fetch *fetch, pr_status status)
{
    fetch->is_at_end = true;
    if (status == PR_EOF)
        return;
    fetch->feed_status = status;
    snprintf(fetch->feed_words, sizeof(fetch->feed_words), "%s",
             pr_last_failure()->text);
}

/* *ret_item NULL: nothing was at hand. */
static pr_status take_one(struct fetch *fetch, bool wait,
                          struct pr_item **ret_item)
{
    struct pr_request request = {.item = NULL};
    pr_status status = fetch->feed->ops->next(fetch->feed, wait, &request);

    *ret_item = NULL;
    if (status != PR_OK) {
        end_of_feed(fetch, status);
        return PR_OK;
    }
    *ret_item = request.item;
    if (request.item == NULL)
        return PR_OK;
    const struct wanted wanted = {.item = request.item,
                                  .want = request.want,
                                  .is_top = request.want == PR_WANT_HEADER &&
                                            !fetch->pop3->has_no_top};
    return send(fetch, wanted);
}

bool fetch_would_ask(const struct fetch *fetch)
{
    uint64_t octets = fetch->pop3->options->window_octets;

    return fetch->count == 0 ||
           (fetch->count <= fetch->size - fetch->size / 4 &&
            fetch->octets <= octets - octets / 4);
}

/* Requests go out in groups, when a quarter of the window is free: one by one
 * each would be a packet, and a TLS record, of its own. */
pr_status fetch_top_up(struct fetch *fetch)
{
    struct pr_item *item = NULL;
    pr_status status = PR_OK;

    if (!fetch_would_ask(fetch))
        return PR_OK;
    do {
        if (fetch->is_at_end || !has_room(fetch))
            break;
        status = take_one(fetch, false, &item);
    } while (status == PR_OK && item != NULL);
    return status;
}

/* ---- Answers ------------------------------------------------------------ */

void fetch_note_octets(struct fetch *fetch, uint64_t octets)
{
    uint64_t *owed = &fetch->ring[fetch->first].owed;
    uint64_t paid = octets < *owed ? octets : *owed;

    *owed -= paid;
    fetch->octets -= paid;
}

static struct wanted drop_first(struct fetch *fetch)
{
    struct wanted wanted = fetch->ring[fetch->first];

    fetch->octets -= wanted.owed;
    fetch->first = fetch->first + 1 < fetch->size ? fetch->first + 1 : 0;
    fetch->count--;
    return wanted;
}

/* A header that TOP does not give is taken from the whole message. */
static pr_status take_refusal(struct fetch *fetch,
                              const struct pop3_reply *reply)
{
    struct wanted wanted = drop_first(fetch);

    if (wanted.is_top && reply->code == POP3_CODE_NONE) {
        fetch->pop3->has_no_top |= !pop3_can(fetch->pop3, POP3_CAN_TOP);
        wanted.is_top = false;
        return send(fetch, wanted);
    }
    fetch->feed->ops->end(
        fetch->feed, wanted.item,
        pop3_verdict(reply, wanted.is_top ? "TOP" : "RETR", PR_REFUSED));
    return PR_OK;
}

static pr_status take_answer(struct fetch *fetch)
{
    struct pop3_reply reply;
    pr_status result, status = pop3_await(fetch->pop3, &reply);

    if (status != PR_OK)
        return status;
    if (reply.indicator == POP3_CONTINUE)
        return pop3_break(fetch->pop3,
                          pr_fail(PR_PROTOCOL, "the server asks for more of a "
                                               "command that is whole"));
    if (reply.indicator == POP3_ERR)
        return take_refusal(fetch, &reply);
    status = fetch_read_body(fetch, &result);
    if (status != PR_OK)
        return status;
    struct wanted wanted = drop_first(fetch);
    if (!wanted.is_top)
        pop3_note_fetched(fetch->pop3, wanted.item->number, true);
    fetch->feed->ops->end(fetch->feed, wanted.item, result);
    return PR_OK;
}

static pr_status run(struct fetch *fetch)
{
    struct pr_item *item;
    pr_status status = PR_OK;

    for (;;) {
        status = fetch_top_up(fetch);
        if (status == PR_OK && fetch->count > 0)
            status = take_answer(fetch);
        else if (status == PR_OK && fetch->is_at_end)
            return PR_OK;
        else if (status == PR_OK)
            status = take_one(fetch, true, &item);
        if (status != PR_OK)
            return status;
    }
}

/* ---- The operation ------------------------------------------------------ */

static pr_status end_all(struct fetch *fetch, pr_status status)
{
    const char *words = fetch->pop3->broken.text;

    while (fetch->count > 0) {
        struct wanted wanted = drop_first(fetch);
        fetch->feed->ops->end(fetch->feed, wanted.item,
                              pr_fail(status, "%s", words));
    }
    return pr_fail(status, "%s", words);
}

pr_status pop3_op_fetch(struct pr_source *source, struct pr_feed *feed)
{
    struct pop3 *pop3 = source->state;
    struct fetch fetch = {.pop3 = pop3,
                          .feed = feed,
                          .feed_status = PR_OK,
                          .size = pop3_window(pop3)};
    pr_status status = pop3_check(pop3);

    if (status == PR_OK && pop3->maildrop.arena == NULL)
        status = pr_fail(PR_BUG, "no folder is selected");
    if (status != PR_OK)
        return status;
    fetch.ring = calloc(fetch.size, sizeof(*fetch.ring));
    if (fetch.ring == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    status = run(&fetch);
    if (status != PR_OK)
        status = end_all(&fetch, pop3_break(pop3, status));
    else if (fetch.feed_status != PR_OK)
        status = pr_fail(fetch.feed_status, "%s", fetch.feed_words);
    free(fetch.ring);
    return status;
}
