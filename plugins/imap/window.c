/*
 * Windows of a fetch: gathered from the feed, sent as one UID FETCH each.
 *
 * A new window goes out when no more than one window's worth is in flight, so
 * that the server never waits for us to ask and never has more than two to
 * hold.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch.h"

#define WINDOWS_CAP 16u /* commands in flight */

static struct window *window_new(size_t capacity)
{
    struct window *window =
        calloc(1, sizeof(*window) + capacity * sizeof(struct wanted));

    if (window == NULL)
        (void)pr_fail(PR_NOMEM, "out of memory");
    return window;
}

static void append(struct window **list, struct window *window)
{
    while (*list != NULL)
        list = &(*list)->next;
    window->next = NULL;
    *list = window;
}

void window_free(struct window *window)
{
    free(window);
}

static void window_add(struct window *window, struct pr_request request,
                       uint64_t owed)
{
    window->wanted[window->count++] = (struct wanted){.window = window,
                                                      .item = request.item,
                                                      .want = request.want,
                                                      .part = request.part,
                                                      .most = request.most,
                                                      .owed = owed};
    window->left++;
}

bool fetch_has_room(const struct fetch *fetch)
{
    const struct imap_options *options = fetch->options;

    if (fetch->uids_come_late)
        return fetch->windows == 0;
    return fetch->windows < WINDOWS_CAP &&
           fetch->messages <= (size_t)options->window &&
           fetch->octets <= options->window_octets;
}

/* ---- From the feed ------------------------------------------------------ */

static void end_of_feed(struct fetch *fetch, pr_status status)
{
    fetch->is_at_end = true;
    fetch->held.item = NULL;
    if (status == PR_EOF)
        return;
    fetch->feed_status = status;
    snprintf(fetch->feed_words, sizeof(fetch->feed_words), "%s",
             pr_last_failure()->text);
}

static void hold_request(struct fetch *fetch, bool wait)
{
    if (fetch->held.item != NULL || fetch->is_at_end)
        return;
    pr_status status = fetch->feed->ops->next(fetch->feed, wait, &fetch->held);
    if (status != PR_OK)
        end_of_feed(fetch, status);
}

void fetch_await_request(struct fetch *fetch)
{
    hold_request(fetch, true);
}

/* What is known to come: the whole size, or a guess. */
static uint64_t octets_owed(const struct pr_request *request)
{
    uint64_t guess = 4096; /* a header, a structure, a text */
    uint64_t size = request->item->size;

    if (request->want == PR_WANT_ALL ||
        (request->want == PR_WANT_PART && request->most == 0))
        return size;
    return size < guess ? size : guess;
}

/* Can both be asked for in one command? */
static bool is_same_kind(const struct wanted *wanted,
                         const struct pr_request *request)
{
    return wanted->want == request->want && wanted->most == request->most &&
           (wanted->want != PR_WANT_PART ||
            strcmp(wanted->part, request->part) == 0);
}

static bool fits(const struct fetch *fetch, const struct window *window,
                 uint64_t octets)
{
    const struct imap_options *options = fetch->options;
    size_t most = fetch->uids_come_late ? 1 : (size_t)options->window;

    if (window->count == 0)
        return true;
    return window->count < most &&
           is_same_kind(&window->wanted[0], &fetch->held) &&
           octets + octets_owed(&fetch->held) <= options->window_octets;
}

/* *ret NULL: the feed has nothing at hand. */
static pr_status gather(struct fetch *fetch, struct window **ret)
{
    struct window *window;
    uint64_t octets = 0;

    *ret = NULL;
    hold_request(fetch, false);
    if (fetch->held.item == NULL)
        return PR_OK;
    window = window_new((size_t)fetch->options->window);
    if (window == NULL)
        return PR_NOMEM;
    while (fetch->held.item != NULL && fits(fetch, window, octets)) {
        uint64_t owed = octets_owed(&fetch->held);
        window_add(window, fetch->held, owed);
        octets += owed;
        fetch->held.item = NULL;
        hold_request(fetch, false);
    }
    fetch->messages += window->count;
    fetch->octets += octets;
    *ret = window;
    return PR_OK;
}

/* The last window made for the same reason, if it has room; else a new one. */
static struct window *window_again(struct fetch *fetch, enum again again)
{
    size_t most = (size_t)fetch->options->window;
    struct window *window = fetch->again;

    while (window != NULL && window->next != NULL)
        window = window->next;
    if (window != NULL && again == AGAIN_IS_THERE && window->again == again &&
        window->count < most)
        return window;
    window = window_new(again == AGAIN_ALONE ? 1 : most);
    if (window != NULL) {
        window->again = again;
        append(&fetch->again, window);
    }
    return window;
}

pr_status fetch_ask_again(struct fetch *fetch, struct wanted *wanted,
                          enum again again)
{
    struct window *window = window_again(fetch, again);

    if (window == NULL)
        return PR_NOMEM;
    window_add(window,
               (struct pr_request){.item = wanted->item,
                                   .want = wanted->want,
                                   .part = wanted->part,
                                   .most = wanted->most},
               wanted->owed);
    wanted->is_ended = true; /* here; it lives on over there */
    wanted->window->left--;
    return PR_OK;
}

/* ---- To the server ------------------------------------------------------ */

static pr_status put_uids(struct fetch *fetch, const struct window *window)
{
    struct imap_uidset set;
    struct pr_bytes text;
    pr_status status = PR_OK;

    imap_uidset_init(&set);
    for (size_t i = 0; i < window->count && status == PR_OK; i++) {
        uint32_t uid = window->wanted[i].item->uid;
        status = imap_uidset_add(&set, uid, uid);
    }
    if (status == PR_OK)
        status = imap_uidset_finish(&set, &text);
    if (status == PR_OK)
        status = imap_put_bytes(fetch->imap, text);
    imap_uidset_done(&set);
    return status;
}

static pr_status put_part(struct imap *imap, const struct wanted *wanted)
{
    char most[32] = "])";
    pr_status status = imap_put(imap, " (UID BODY.PEEK[");

    if (wanted->most > 0)
        snprintf(most, sizeof(most), "]<0.%" PRIu64 ">)", wanted->most);
    if (status == PR_OK)
        status = imap_put(imap, wanted->part);
    return status != PR_OK ? status : imap_put(imap, most);
}

/* UID is asked for by name so that servers put it before the body. */
static pr_status put_what(struct imap *imap, const struct window *window)
{
    if (window->again == AGAIN_IS_THERE)
        return imap_put(imap, " (UID)");
    switch (window->wanted[0].want) {
    case PR_WANT_HEADER:
        return imap_put(imap, " (UID BODY.PEEK[HEADER])");
    case PR_WANT_STRUCTURE:
        return imap_put(imap, " (UID BODYSTRUCTURE)");
    case PR_WANT_OUTLINE:
        return imap_put(imap, " (UID BODYSTRUCTURE BODY.PEEK[HEADER])");
    case PR_WANT_PART:
        return put_part(imap, &window->wanted[0]);
    case PR_WANT_ALL:
        break;
    }
    return imap_put(imap, " (UID BODY.PEEK[])");
}

static pr_status send_window(struct fetch *fetch, struct window *window)
{
    pr_status status = imap_begin(fetch->imap, &window->command, "FETCH");

    if (status == PR_OK)
        status = imap_put(fetch->imap, "UID FETCH ");
    if (status == PR_OK)
        status = put_uids(fetch, window);
    if (status == PR_OK)
        status = put_what(fetch->imap, window);
    return status != PR_OK ? status : imap_end(fetch->imap);
}

static bool may_send_again(const struct fetch *fetch)
{
    return fetch->again != NULL && fetch->windows < WINDOWS_CAP &&
           (!fetch->uids_come_late || fetch->windows == 0);
}

pr_status fetch_top_up(struct fetch *fetch)
{
    pr_status status = PR_OK;

    while (status == PR_OK) {
        struct window *window = NULL;
        if (may_send_again(fetch)) {
            window = fetch->again;
            fetch->again = window->next;
        } else if (fetch_has_room(fetch)) {
            status = gather(fetch, &window);
        }
        if (window == NULL)
            break;
        window->is_alone = window->count == 1 && fetch->windows == 0;
        append(&fetch->oldest, window);
        fetch->windows++;
        status = send_window(fetch, window);
    }
    return status;
}
