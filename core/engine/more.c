/*
 * More of messages whose header is here: what their rules ask for, merged.
 *
 * A rule that asks waits, and so do the others of a batch, until each has asked
 * or is done. Then all that ask for the same kind of thing (the structure, one
 * part, all) are handed to the source one after the other, which makes one
 * command of them. A letter waits for one thing at a time.
 */
#include <string.h>

#include "engine/parts.h"
#include "fiber/loop.h"
#include "mail/spool.h"

/* ---- Asking, in a fiber of the rules ------------------------------------- */

static void append(struct letter **list, struct letter *letter)
{
    while (*list != NULL) {
        list = &(*list)->next_ask;
    }
    letter->next_ask = NULL;
    *list = letter;
}

static bool take_out(struct letter **list, const struct letter *letter)
{
    while (*list != NULL && *list != letter) {
        list = &(*list)->next_ask;
    }
    if (*list == NULL) {
        return false;
    }
    *list = letter->next_ask;
    return true;
}

static pr_status ask(struct letter *letter, enum pr_want want, const char *part,
                     uint64_t most)
{
    struct session *session = letter->session;
    letter->ask = (struct ask){.want = want, .most = most, .is_open = true};
    if (part != NULL) {
        letter->ask.part = pr_arena_text(session->slice, part);
        if (letter->ask.part == NULL) {
            letter->ask.is_open = false;
            return PR_NOMEM;
        }
    }
    if (want == PR_WANT_STRUCTURE) {
        session->looks_at_parts = true;
    }
    append(&session->asks, letter);
    session->ask_count++;
    letter->message->cost.requests++;
    letter->entry->awaiting = letter;
    pr_event_wake_all(&session->feed_moves);
    /* The source may wait for room that nobody will free. */
    pr_event_wake_all(&session->engine->house_has_room);
    return PR_OK;
}

static void ask_no_more(struct letter *letter)
{
    struct session *session = letter->session;
    if (take_out(&session->asks, letter)) {
        session->ask_count--;
    } else if (!take_out(&session->group, letter) &&
               letter->ask.want == PR_WANT_STRUCTURE) {
        session->stages_coming--;
    }
    letter->entry->awaiting = NULL;
    letter->ask.is_open = false;
    letter->ask.result = PR_CANCELLED;
}

static pr_status await(struct letter *letter)
{
    struct session *session = letter->session;
    pr_status status = PR_OK;
    while (letter->ask.is_open && !session->is_feed_over &&
           (status == PR_OK || status == PR_TIMEOUT)) {
        status = pr_event_wait(&session->feed_moves, pr_in(1000));
    }
    return status == PR_TIMEOUT ? PR_OK : status;
}

/* The source writes into the letter's spool: until it ends that, also if we are
 * asked to stop, as it is, too. */
static void await_end(const struct letter *letter)
{
    while (letter->ask.is_open && letter->ask.spool != NULL) {
        (void)!event_wait_firmly(&letter->session->feed_moves, pr_in(1000));
    }
}

/* A message is not spoilt by what it can be read without. */
static bool is_dispensable(const struct ask *ask, pr_status result)
{
    return ask->want != PR_WANT_ALL &&
           (result == PR_UNSUPPORTED || result == PR_REFUSED);
}

pr_status more_fetch(struct message *message, enum pr_want want,
                     const char *part, uint64_t most)
{
    struct letter *letter = message->owner;
    struct session *session = letter->session;
    if (letter->ask.is_open) { /* of another fiber of these rules */
        pr_status status = await(letter);
        return status != PR_OK || !session->is_feed_over
                   ? status
                   : pr_fail(PR_CANCELLED, "the message did not come");
    }
    if (letter->fetch_result == PR_OK) {
        pr_status status = ask(letter, want, part, most);
        if (status != PR_OK) {
            return status;
        }
        session->more_waits++;
        (void)!await(letter); /* why not, the result says */
        await_end(letter);
        session->more_waits--;
        if (letter->ask.is_open) {
            ask_no_more(letter);
        }
        if (is_dispensable(&letter->ask, letter->ask.result)) {
            return PR_UNSUPPORTED;
        }
        letter->fetch_result = letter->ask.result;
        letter->message->is_lost = letter->fetch_result != PR_OK;
    }
    return letter->fetch_result == PR_OK
               ? PR_OK
               : pr_fail(letter->fetch_result, "the message did not come");
}

/* ---- Handing out --------------------------------------------------------- */

static bool is_same(const struct ask *one, const struct ask *other)
{
    return one->want == other->want && one->most == other->most &&
           (one->part == other->part ||
            (one->part != NULL && other->part != NULL &&
             strcmp(one->part, other->part) == 0));
}

/* Those that ask for the same as the first, in their order. */
static void form_group(struct session *session)
{
    struct letter **at = &session->asks;
    const struct ask first = session->asks->ask;
    while (*at != NULL) {
        struct letter *letter = *at;
        if (is_same(&letter->ask, &first)) {
            *at = letter->next_ask;
            session->ask_count--;
            append(&session->group, letter);
        } else {
            at = &letter->next_ask;
        }
    }
}

/* Rules that have all they need to run will have asked for what they lack once
 * each had its turn. */
static bool are_ripe(struct session *session, bool wait)
{
    if (session->asks == NULL) {
        return false;
    }
    if (!wait && session->stages_coming > 0 &&
        session->ask_count < ASKS_MERGED) {
        return false;
    }
    (void)!pr_yield();
    return session->asks != NULL;
}

bool more_take(struct session *session, bool wait, struct pr_request *ret)
{
    if (session->group == NULL && are_ripe(session, wait)) {
        form_group(session);
    }
    struct letter *letter = session->group;
    if (letter == NULL) {
        return false;
    }
    session->group = letter->next_ask;
    *ret = (struct pr_request){.item = &letter->entry->item,
                               .want = letter->ask.want,
                               .part = letter->ask.part,
                               .most = letter->ask.most};
    session->stages_coming += letter->ask.want == PR_WANT_STRUCTURE;
    return true;
}

/* ---- Arriving, in the source's fiber ------------------------------------- */

static void give_back(struct engine *engine, size_t octets)
{
    engine->house_octets -= octets;
    pr_event_wake_all(&engine->house_has_room);
}

pr_status more_begin(struct session *session, struct entry *entry,
                     enum pr_want want, size_t room, struct pr_spool **ret)
{
    struct letter *letter = entry->awaiting;
    if (letter->ask.want != want || letter->ask.spool != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       entry->item.uid);
    }
    pr_status status = feed_wait_for_room(session, 0, room);
    if (status != PR_OK) {
        return status;
    }
    if (entry->awaiting != letter) { /* it left while we waited */
        give_back(session->engine, room);
        return pr_fail(PR_LIMIT, "the message is not wanted any more");
    }
    letter->room += room;
    status =
        spool_new(session->engine->config->state_dir, 0, &letter->ask.spool);
    if (status == PR_OK) {
        spool_expect(letter->ask.spool, room);
        session->incoming = letter->ask.spool;
        *ret = letter->ask.spool;
    }
    return status;
}

static pr_status take_spool(struct letter *letter)
{
    struct message *message = letter->message;
    struct pr_spool *spool = letter->ask.spool;
    pr_status status = pr_spool_seal(spool);
    if (status != PR_OK) {
        return status;
    }
    uint64_t octets = pr_spool_wire_size(spool);
    session_progress(letter->session, 0, octets);
    letter->ask.spool = NULL;
    if (letter->ask.want == PR_WANT_ALL) {
        message->cost.whole += octets;
        message_take_whole(message, spool);
        return PR_OK;
    }
    message->cost.parts += octets;
    return message_take_part(message, letter->ask.part, letter->ask.most,
                             spool);
}

static pr_status take(struct letter *letter)
{
    if (letter->ask.want == PR_WANT_STRUCTURE) {
        return letter->message->is_told ? PR_OK : PR_UNSUPPORTED;
    }
    if (letter->ask.spool != NULL) {
        return take_spool(letter);
    }
    return letter->ask.want == PR_WANT_ALL
               ? pr_fail(PR_PROTOCOL, "the server sent no content")
               : PR_UNSUPPORTED;
}

void more_end(struct session *session, struct entry *entry, pr_status result)
{
    struct letter *letter = entry->awaiting;
    session->stages_coming -= letter->ask.want == PR_WANT_STRUCTURE;
    if (result == PR_OK) {
        result = take(letter);
    }
    if (result != PR_OK && !is_dispensable(&letter->ask, result)) {
        feed_note_trouble(session, entry, result);
    }
    spool_free(letter->ask.spool);
    letter->ask.spool = NULL;
    entry->awaiting = NULL;
    letter->ask.result = result;
    letter->ask.is_open = false;
    pr_event_wake_all(&session->feed_moves);
}
