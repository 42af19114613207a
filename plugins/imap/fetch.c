/*
 * Fetching messages: which are asked for when, and where their octets go.
 *
 * Requests are gathered into windows, each one UID FETCH, and two windows'
 * worth are kept in flight. An answer belongs to a request by its UID and
 * section; what was not asked for is read and dropped. Every request taken from
 * the feed is ended exactly once (fetch_end), whatever happens. window.c makes
 * and sends the windows.
 */
#include "fetch.h"

#include <inttypes.h>
#include <stdlib.h>

void fetch_end(struct fetch *fetch, struct wanted *wanted, pr_status result)
{
    wanted->is_ended = true;
    wanted->window->left--;
    fetch->messages--;
    fetch->octets -= wanted->owed;
    wanted->owed = 0;
    fetch->feed->ops->end(fetch->feed, wanted->item, result);
}

static struct wanted *find_in(struct window *window, uint32_t uid,
                              unsigned section)
{
    while (window->first < window->count &&
           window->wanted[window->first].is_ended)
        window->first++;
    for (size_t i = window->first; i < window->count; i++) {
        struct wanted *wanted = &window->wanted[i];
        if (!wanted->is_ended && (wanted->want & section) != 0 &&
            (wanted->item->uid == uid || uid == 0))
            return wanted;
    }
    return NULL;
}

/* The open request for this UID; UID 0: the only one there is, if one is. */
static struct wanted *find_wanted(struct fetch *fetch, uint32_t uid,
                                  unsigned section)
{
    struct wanted *wanted = NULL;

    if (uid == 0 && (fetch->windows != 1 || fetch->oldest->left != 1))
        return NULL;
    for (struct window *window = fetch->oldest;
         window != NULL && wanted == NULL; window = window->next)
        wanted = find_in(window, uid, section);
    return wanted;
}

static bool is_part_of(const struct wanted *wanted,
                       const struct imap_response *told)
{
    return wanted->want != PR_WANT_PART ||
           pr_bytes_equal_nocase(
               pr_bytes_of(wanted->part),
               pr_bytes_of(imap_text(told, told->message.part)));
}

/* ---- The octets of one answer ------------------------------------------- */

static void spoil(struct arriving *arriving, pr_status status)
{
    arriving->failure = *pr_last_failure();
    arriving->failure.status = status;
    arriving->spool = NULL;
}

static pr_status begin_body(void *user, const struct imap_response *told,
                            uint64_t octets)
{
    struct fetch *fetch = user;
    const struct imap_message *message = &told->message;
    struct arriving *arriving = &fetch->arriving;
    struct wanted *wanted = find_wanted(fetch, message->uid, message->section);

    if (message->uid == 0 && wanted == NULL)
        fetch->uids_come_late = true; /* from now on one at a time */
    if (wanted != NULL && !is_part_of(wanted, told))
        wanted = NULL;
    *arriving = (struct arriving){.wanted = wanted};
    if (wanted == NULL)
        return PR_OK;
    if (octets == 0 && wanted->item->size > 0 && wanted->want == PR_WANT_ALL) {
        spoil(arriving,
              pr_fail(PR_PROTOCOL,
                      "the server sent UID %" PRIu32 " without a single octet",
                      wanted->item->uid));
        return PR_OK;
    }
    enum pr_want want = (enum pr_want)message->section;
    if (want == PR_WANT_HEADER)
        want = wanted->want; /* the structure may come with it */
    pr_status status = fetch->feed->ops->begin(fetch->feed, wanted->item, want,
                                               octets, &arriving->spool);
    if (status == PR_CANCELLED)
        return status;
    if (status != PR_OK)
        spoil(arriving, status);
    return PR_OK;
}

static pr_status take_chunk(void *user, struct pr_bytes octets)
{
    struct fetch *fetch = user;
    struct arriving *arriving = &fetch->arriving;

    if (arriving->wanted == NULL)
        return PR_OK;
    bool had_room = fetch_has_room(fetch);
    uint64_t *owed = &arriving->wanted->owed;
    uint64_t paid = octets.size < *owed ? octets.size : *owed;
    *owed -= paid;
    fetch->octets -= paid;
    if (arriving->spool != NULL) {
        pr_status status =
            pr_spool_append(arriving->spool, octets.data, octets.size);
        if (status == PR_CANCELLED)
            return status;
        if (status != PR_OK)
            spoil(arriving, status);
    }
    if (had_room || !fetch_has_room(fetch))
        return PR_OK;
    pr_status status = fetch_top_up(fetch);
    return status != PR_OK ? status : imap_flush(fetch->imap);
}

static void end_body(struct fetch *fetch, const struct imap_message *message)
{
    struct arriving arriving = fetch->arriving;
    pr_status result = arriving.failure.status;

    fetch->arriving = (struct arriving){.wanted = NULL};
    if (arriving.wanted == NULL)
        return;
    if (result != PR_OK)
        result = pr_fail(result, "%s", arriving.failure.text);
    else if (message->uid != arriving.wanted->item->uid)
        result = pr_fail(PR_PROTOCOL,
                         "the server sent another message for UID %" PRIu32,
                         arriving.wanted->item->uid);
    fetch_end(fetch, arriving.wanted, result);
}

/* ---- The parts that an answer tells of ---------------------------------- */

/* Ends what asked for nothing else. An odd structure is as good as none. */
static pr_status take_structure(struct fetch *fetch,
                                const struct imap_response *told)
{
    struct wanted *wanted =
        find_wanted(fetch, told->message.uid, PR_WANT_STRUCTURE);
    struct pr_part *parts = NULL;
    size_t count = 0;
    pr_status status = PR_OK;

    if (!told->structure.is_told || wanted == NULL)
        return PR_OK;
    if (!told->structure.is_odd) {
        status = imap_structure_parts(&told->structure, &parts, &count);
        if (status == PR_OK)
            status =
                fetch->feed->ops->structure(fetch->feed, wanted->item, parts,
                                            count, told->structure.octets);
        free(parts);
    }
    if (status == PR_CANCELLED)
        return status;
    if (status == PR_OK && told->structure.is_odd)
        status = pr_fail(PR_UNSUPPORTED,
                         "the server tells of UID %" PRIu32
                         " in a way that cannot be understood",
                         wanted->item->uid);
    if (wanted->want == PR_WANT_STRUCTURE)
        fetch_end(fetch, wanted, status);
    return PR_OK;
}

/* A FETCH without body may tell of new flags, or be a bad answer: it is known
 * only when the window is done. */
static pr_status take_untagged(void *user, const struct imap_response *told)
{
    struct fetch *fetch = user;
    const struct imap_message *message = &told->message;

    if (told->kind != IMAP_FETCH)
        return PR_OK;
    pr_status status = take_structure(fetch, told);
    if (status != PR_OK)
        return status;
    if (message->body == IMAP_BODY_GIVEN) {
        end_body(fetch, message);
        return PR_OK;
    }
    if (message->uid == 0 && message->body == IMAP_BODY_NONE)
        return PR_OK;
    for (unsigned want = PR_WANT_HEADER; want <= PR_WANT_PART; want *= 2) {
        struct wanted *wanted = find_wanted(fetch, message->uid, want);
        if (wanted != NULL)
            wanted->has_empty_answer = true;
    }
    return PR_OK;
}

/* ---- Whole windows ------------------------------------------------------ */

/* Something that can be read from the whole message as well. */
static bool is_by_itself(const struct wanted *wanted)
{
    return wanted->want == PR_WANT_STRUCTURE || wanted->want == PR_WANT_PART;
}

static pr_status verdict_on_missing(const struct window *window,
                                    const struct wanted *wanted)
{
    uint32_t uid = wanted->item->uid;
    bool was_refused =
        window->command.condition != IMAP_OK || wanted->has_empty_answer;

    if (is_by_itself(wanted) && was_refused &&
        window->command.code != IMAP_CODE_EXPUNGEISSUED)
        return pr_fail(PR_UNSUPPORTED,
                       "the server does not give that of UID %" PRIu32, uid);
    if (window->command.condition != IMAP_OK)
        return window->command.code == IMAP_CODE_EXPUNGEISSUED
                   ? pr_fail(PR_GONE, "UID %" PRIu32 " is gone", uid)
                   : imap_verdict(&window->command, PR_REFUSED);
    if (wanted->has_empty_answer)
        return pr_fail(PR_PROTOCOL,
                       "the server sent UID %" PRIu32 " without its text", uid);
    return pr_fail(PR_GONE, "UID %" PRIu32 " is gone", uid);
}

/* What is done about a message whose window is done without it. After a NO, and
 * when UIDs come too late to tell bodies apart, it is asked for alone, so that
 * one bad message spoils no other. One the server passed over in silence is
 * called gone only if it is silent about its UID too: the state forgets what is
 * gone. So is one that came empty in an answer of which the server says that
 * some of its messages are expunged (RFC 5530, 3). */
static enum again what_next(const struct fetch *fetch,
                            const struct window *window,
                            const struct wanted *wanted)
{
    if (window->again == AGAIN_IS_THERE)
        return AGAIN_NOT;
    if (window->command.condition != IMAP_OK)
        return window->count > 1 || wanted->want == PR_WANT_OUTLINE
                   ? AGAIN_ALONE
                   : AGAIN_NOT;
    if (fetch->uids_come_late && !window->is_alone)
        return AGAIN_ALONE;
    return wanted->has_empty_answer &&
                   window->command.code != IMAP_CODE_EXPUNGEISSUED
               ? AGAIN_NOT
               : AGAIN_IS_THERE;
}

static pr_status close_window(struct fetch *fetch, struct window *window)
{
    for (size_t i = 0; i < window->count; i++) {
        struct wanted *wanted = &window->wanted[i];
        if (wanted->is_ended)
            continue;
        enum again again = what_next(fetch, window, wanted);
        pr_status status = PR_OK;
        if (again == AGAIN_ALONE && wanted->want == PR_WANT_OUTLINE)
            wanted->want = PR_WANT_HEADER;
        if (again == AGAIN_NOT)
            fetch_end(fetch, wanted, verdict_on_missing(window, wanted));
        else
            status = fetch_ask_again(fetch, wanted, again);
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

static pr_status close_done_windows(struct fetch *fetch)
{
    struct window **at = &fetch->oldest;

    while (*at != NULL) {
        struct window *window = *at;
        if (!window->command.is_done) {
            at = &window->next;
            continue;
        }
        pr_status status = close_window(fetch, window);
        if (status != PR_OK)
            return status;
        *at = window->next;
        fetch->windows--;
        window_free(window);
    }
    return PR_OK;
}

static pr_status run(struct fetch *fetch)
{
    for (;;) {
        pr_status status = fetch_top_up(fetch);
        if (status != PR_OK)
            return status;
        if (fetch->oldest == NULL) {
            if (fetch->is_at_end)
                return PR_OK;
            fetch_await_request(fetch);
            continue;
        }
        status = imap_step(fetch->imap);
        if (status == PR_OK && fetch->imap->response.kind == IMAP_TAGGED)
            status = close_done_windows(fetch);
        if (status != PR_OK)
            return status;
    }
}

static void end_windows(struct fetch *fetch, struct window *window,
                        pr_status status)
{
    const char *words = fetch->imap->broken.text;

    while (window != NULL) {
        struct window *next = window->next;
        for (size_t i = 0; i < window->count; i++)
            if (!window->wanted[i].is_ended)
                fetch_end(fetch, &window->wanted[i],
                          pr_fail(status, "%s", words));
        window_free(window);
        window = next;
    }
}

pr_status imap_op_fetch(struct pr_source *source, struct pr_feed *feed)
{
    struct imap *imap = source->state;
    struct fetch fetch = {.imap = imap,
                          .options = source->options,
                          .feed = feed,
                          .feed_status = PR_OK};
    const struct imap_receiver receiver = {begin_body, take_chunk, &fetch};
    pr_status status = imap_check(imap);

    if (status != PR_OK)
        return status;
    if (imap->folder.arena == NULL)
        return pr_fail(PR_BUG, "no folder is selected");
    imap_listen(imap, take_untagged, &receiver, &fetch);
    status = run(&fetch);
    imap_listen(imap, NULL, NULL, NULL);
    if (status == PR_OK)
        return fetch.feed_status == PR_OK
                   ? PR_OK
                   : pr_fail(fetch.feed_status, "%s", fetch.feed_words);
    imap_break(imap, status); /* answers still on their way find nobody */
    end_windows(&fetch, fetch.oldest, status);
    end_windows(&fetch, fetch.again, status);
    if (fetch.held.item != NULL)
        feed->ops->end(feed, fetch.held.item,
                       pr_fail(status, "%s", imap->broken.text));
    return pr_fail(status, "%s", imap->broken.text);
}
