/*
 * What is new in a folder: its header, by which it is known, and where in the
 * account it was before.
 */
#include <string.h>

#include "engine/events.h"
#include "mail/print.h"
#include "mail/spool.h"

static bool has_print(const struct state_sighting *sighting)
{
    static const unsigned char zero[STATE_PRINT_SIZE];
    return memcmp(sighting->print, zero, sizeof(zero)) != 0;
}

static struct happening *find(const struct lookout *lookout, uint32_t uid)
{
    size_t low = 0, high = lookout->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lookout->happenings[middle]->item.uid < uid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there =
        low < lookout->count && lookout->happenings[low]->item.uid == uid;
    return is_there ? lookout->happenings[low] : NULL;
}

/* ---- What is listed of it ------------------------------------------------ */

static pr_status note_item(void *user, const struct pr_item *item)
{
    struct happening *happening = find(user, item->uid);
    if (happening != NULL && happening->sighting.is_new) {
        happening->item.size = happening->sighting.size = item->size;
        happening->item.received = happening->sighting.received =
            item->received;
    }
    return PR_OK;
}

static pr_status list_new(struct lookout *lookout, size_t *ret_count)
{
    struct session *session = lookout->session;
    struct pr_range *ranges =
        pr_arena_array(lookout->arena, lookout->count + 1, sizeof(*ranges));
    size_t count = 0;
    if (ranges == NULL) {
        return PR_NOMEM;
    }
    *ret_count = 0;
    for (size_t i = 0; i < lookout->count; i++) {
        uint32_t uid = lookout->happenings[i]->item.uid;
        if (!lookout->happenings[i]->sighting.is_new) {
            continue;
        }
        ++*ret_count;
        if (count > 0 && ranges[count - 1].last + 1 == uid) {
            ranges[count - 1].last = uid;
        } else {
            ranges[count++] = (struct pr_range){uid, uid};
        }
    }
    return count == 0 ? PR_OK
                      : session->account->source->source->list(
                            session->source, ranges, count, note_item, lookout);
}

/* ---- What the state knows of it ------------------------------------------ */

/* A message that was fetched is known by its header. */
static pr_status take_rows(struct lookout *lookout)
{
    struct session *session = lookout->session;
    struct state_row *rows;
    size_t count;
    if (session->record.uidvalidity != session->mailbox.uidvalidity) {
        return PR_OK;
    }
    uint32_t first = UINT32_MAX;
    for (size_t i = 0; i < lookout->count && first == UINT32_MAX; i++) {
        if (lookout->happenings[i]->sighting.is_new) {
            first = lookout->happenings[i]->item.uid;
        }
    }
    pr_status status = state_rows(session->engine->state, session->record.id,
                                  first, lookout->arena, &rows, &count);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        struct happening *happening = find(lookout, rows[i].uid);
        if (happening != NULL && happening->sighting.is_new) {
            memcpy(happening->sighting.print, rows[i].print, STATE_PRINT_SIZE);
        }
    }
    return status;
}

/* ---- Headers ------------------------------------------------------------- */

struct header_feed {
    struct pr_feed feed; /* first: found again with a cast */
    struct lookout *lookout;
    size_t next;
};

static pr_status next_header(struct pr_feed *base, bool wait,
                             struct pr_request *ret)
{
    (void)wait;
    struct header_feed *feed = (struct header_feed *)base;
    *ret = (struct pr_request){0};
    if (account_is_stopping(feed->lookout->session->run)) {
        return PR_EOF;
    }
    while (feed->next < feed->lookout->count) {
        struct happening *happening = feed->lookout->happenings[feed->next++];
        if (happening->sighting.is_new && !has_print(&happening->sighting)) {
            happening->item.user = happening;
            *ret = (struct pr_request){.item = &happening->item,
                                       .want = PR_WANT_HEADER};
            return PR_OK;
        }
    }
    return PR_EOF;
}

static pr_status begin_header(struct pr_feed *base, struct pr_item *item,
                              enum pr_want want, uint64_t octets,
                              struct pr_spool **ret)
{
    (void)want;
    (void)octets;
    struct header_feed *feed = (struct header_feed *)base;
    struct happening *happening = item->user;
    if (happening->spool != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    pr_status status =
        spool_new(feed->lookout->session->engine->config->state_dir, 0,
                  &happening->spool);
    *ret = happening->spool;
    return status;
}

static const char *field(struct lookout *lookout, struct view *view,
                         const char *name)
{
    size_t index = 0;
    struct view_field found;
    return view_find_field(view, name, &index, &found)
               ? pr_arena_text(lookout->arena, found.value)
               : NULL;
}

static pr_status read_header(struct lookout *lookout,
                             struct happening *happening)
{
    struct state_sighting *sighting = &happening->sighting;
    struct view *view = NULL;
    pr_status status = pr_spool_seal(happening->spool);
    if (status == PR_OK) {
        status = mail_fingerprint(happening->spool, sighting->print);
    }
    if (status == PR_OK) {
        status = view_new(happening->spool, &view);
    }
    if (status == PR_OK) {
        sighting->message_id =
            pr_arena_text(lookout->arena, view_message_id(view));
        sighting->sender = field(lookout, view, "From");
        sighting->subject = field(lookout, view, "Subject");
    }
    view_free(view);
    return status;
}

static void end_header(struct pr_feed *base, struct pr_item *item,
                       pr_status result)
{
    struct header_feed *feed = (struct header_feed *)base;
    struct happening *happening = item->user;
    if (result == PR_OK && happening->spool == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    if (result == PR_OK) {
        result = read_header(feed->lookout, happening);
    }
    happening->trouble = result;
    session_step(feed->lookout->session);
    spool_free(happening->spool);
    happening->spool = NULL;
}

static const struct pr_feed_ops header_feed = {
    .size = sizeof(header_feed),
    .next = next_header,
    .begin = begin_header,
    .end = end_header,
};

/* A message without a header that could be had is known by its flags alone. */
static pr_status fetch_headers(struct lookout *lookout)
{
    struct session *session = lookout->session;
    struct header_feed feed = {{&header_feed}, lookout, 0};
    pr_status status =
        session->account->source->source->fetch(session->source, &feed.feed);
    if (status == PR_OK && account_is_stopping(session->run)) {
        return pr_fail(PR_CANCELLED, "asked to stop");
    }
    return status;
}

pr_status arrivals_learn(struct lookout *lookout)
{
    size_t count = 0;
    pr_status status = list_new(lookout, &count);
    if (status != PR_OK || count == 0 || !lookout->wants_prints) {
        return status;
    }
    status = take_rows(lookout);
    return status == PR_OK ? fetch_headers(lookout) : status;
}

/* ---- Where it was before ------------------------------------------------- */

static void take_answer(const struct state_stray *stray)
{
    struct happening *happening = stray->user;
    happening->expected = stray->expected;
    if (stray->from != NULL && !stray->is_ours) {
        happening->kind = HOOK_MOVED_IN;
        happening->from = stray->from;
    }
}

pr_status arrivals_trace(struct lookout *lookout)
{
    struct session *session = lookout->session;
    if ((lookout->kinds & HOOK_MOVED_IN) == 0 || lookout->count == 0) {
        return PR_OK;
    }
    struct state_stray *strays =
        pr_arena_array(lookout->arena, lookout->count, sizeof(*strays));
    size_t count = 0;
    if (strays == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < lookout->count; i++) {
        struct happening *happening = lookout->happenings[i];
        if (happening->sighting.is_new && has_print(&happening->sighting)) {
            strays[count] = (struct state_stray){.size = happening->item.size,
                                                 .user = happening};
            memcpy(strays[count++].print, happening->sighting.print,
                   STATE_PRINT_SIZE);
        }
    }
    pr_status status = state_whereabouts(
        session->engine->state, session->account->name, &session->record,
        session->folder, lookout->arena, strays, count);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        take_answer(&strays[i]);
    }
    return status;
}

/* ---- One message --------------------------------------------------------- */

struct single_feed {
    struct pr_feed feed; /* first: found again with a cast */
    struct session *session;
    struct pr_item *item;
    enum pr_want want;
    struct pr_spool *spool;
    pr_status result;
};

static pr_status next_single(struct pr_feed *base, bool wait,
                             struct pr_request *ret)
{
    (void)wait;
    struct single_feed *feed = (struct single_feed *)base;
    *ret = (struct pr_request){.item = feed->item, .want = feed->want};
    if (feed->item == NULL) {
        return PR_EOF;
    }
    feed->item = NULL;
    return PR_OK;
}

static pr_status begin_single(struct pr_feed *base, struct pr_item *item,
                              enum pr_want want, uint64_t octets,
                              struct pr_spool **ret)
{
    (void)want;
    (void)octets;
    struct single_feed *feed = (struct single_feed *)base;
    if (feed->spool != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    pr_status status =
        spool_new(feed->session->engine->config->state_dir, 0, &feed->spool);
    *ret = feed->spool;
    return status;
}

static void end_single(struct pr_feed *base, struct pr_item *item,
                       pr_status result)
{
    (void)item;
    struct single_feed *feed = (struct single_feed *)base;
    if (result == PR_OK && feed->spool == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    feed->result = result == PR_OK ? pr_spool_seal(feed->spool) : result;
}

static const struct pr_feed_ops single_feed = {
    .size = sizeof(single_feed),
    .next = next_single,
    .begin = begin_single,
    .end = end_single,
};

pr_status fetch_one(struct session *session, struct pr_item *item,
                    enum pr_want want, struct pr_spool **ret)
{
    struct single_feed feed = {.feed = {&single_feed},
                               .session = session,
                               .item = item,
                               .want = want,
                               .result = PR_GONE};
    pr_status status =
        session->account->source->source->fetch(session->source, &feed.feed);
    if (status == PR_OK && feed.result != PR_OK) {
        status = feed.result == PR_GONE
                     ? pr_fail(PR_GONE, "the message is no longer there")
                     : feed.result;
    }
    if (status != PR_OK) {
        spool_free(feed.spool);
        return status;
    }
    *ret = feed.spool;
    return PR_OK;
}
