/*
 * What the source pulls requests from and pushes messages to.
 *
 * A message gets its place in the house before its octets are read: when the
 * house is full the source stops reading, and so the server stops sending.
 */
#include <stddef.h>

#include "base/memory.h"
#include "engine/parts.h"
#include "mail/spool.h"

static struct session *session_of(struct pr_feed *feed)
{
    return (struct session *)((char *)feed - offsetof(struct session, feed));
}

/* ---- Asking -------------------------------------------------------------- */

static bool is_over(const struct session *session)
{
    return account_is_stopping(session->run) || session->failure != PR_OK;
}

static bool may_ask_for_more(const struct session *session)
{
    uint64_t most = session->account->limit_messages;
    bool has_many_debts =
        session->has_uids && session->debt_count >= DEBTS_MOST;
    return !has_many_debts && (most == 0 || session->asked < most);
}

/* Rules may do without the body of a large message: it is left where it is
 * until they ask for it, or until it is to be delivered. */
static enum pr_want what_to_want(const struct session *session,
                                 const struct entry *entry)
{
    bool is_large = entry->item.size > SPOOL_MEMORY;
    bool may_do = session->engine->config->rule_count > 0 && is_large &&
                  !session->mailbox.has_no_headers && entry->suspect == NULL;
    return may_do ? PR_WANT_HEADER : PR_WANT_ALL;
}

static struct entry *next_new(struct session *session)
{
    struct ledger *ledger = &session->ledger;
    while (may_ask_for_more(session) && ledger->next < ledger->count) {
        struct entry *entry = ledger->entries[ledger->next];
        if (entry->fate == FATE_NEW && session->undecided >= UNDECIDED_MOST &&
            what_to_want(session, entry) == PR_WANT_HEADER) {
            return NULL;
        }
        ledger->next++;
        if (entry->fate == FATE_NEW) {
            entry->fate = FATE_ASKED;
            session->asked++;
            return entry;
        }
    }
    return NULL;
}

static bool take_request(struct session *session, struct pr_request *ret)
{
    struct letter *letter = session->wholes;
    if (letter != NULL) {
        session->wholes = letter->next_whole;
        *ret = (struct pr_request){&letter->entry->item, PR_WANT_ALL};
        return true;
    }
    struct entry *entry = next_new(session);
    if (entry == NULL) {
        return false;
    }
    *ret = (struct pr_request){&entry->item, what_to_want(session, entry)};
    entry->asks_header = ret->want == PR_WANT_HEADER;
    session->undecided += entry->asks_header;
    return true;
}

static pr_status feed_next(struct pr_feed *feed, bool wait,
                           struct pr_request *ret)
{
    struct session *session = session_of(feed);
    *ret = (struct pr_request){0};
    while (!is_over(session)) {
        if (take_request(session, ret)) {
            session_step(session);
            return PR_OK;
        }
        if (session->undecided == 0) {
            return PR_EOF;
        }
        if (!wait) {
            return PR_OK;
        }
        pr_status status = pr_event_wait(&session->feed_moves, pr_in(1000));
        if (status != PR_OK && status != PR_TIMEOUT) {
            return status;
        }
    }
    return PR_EOF;
}

/* ---- All of a message whose header is here ------------------------------- */

static void decided(struct letter *letter)
{
    struct session *session = letter->session;
    if (letter->is_undecided) {
        letter->is_undecided = false;
        session->undecided--;
        pr_event_wake_all(&session->feed_moves);
    }
}

static void ask_for_whole(struct letter *letter)
{
    struct session *session = letter->session;
    struct letter **end = &session->wholes;
    while (*end != NULL) {
        end = &(*end)->next_whole;
    }
    *end = letter;
    letter->entry->awaiting = letter;
    pr_event_wake_all(&session->feed_moves);
}

static void ask_no_more(struct letter *letter)
{
    struct letter **at = &letter->session->wholes;
    while (*at != NULL && *at != letter) {
        at = &(*at)->next_whole;
    }
    if (*at == letter) {
        *at = letter->next_whole;
    }
    letter->entry->awaiting = NULL;
    letter->whole_result = PR_CANCELLED;
}

/* message->fetch_whole: in the fiber of the letter's rules. */
static pr_status fetch_whole(struct message *message)
{
    struct letter *letter = message->owner;
    struct session *session = letter->session;
    pr_status status = PR_OK;
    ask_for_whole(letter);
    session->whole_waits++;
    pr_event_wake_all(
        &session->engine->house_has_room); /* if none will free any */
    while (!letter->is_whole_here && !session->is_feed_over &&
           (status == PR_OK || status == PR_TIMEOUT)) {
        status = pr_event_wait(&session->feed_moves, pr_in(1000));
    }
    session->whole_waits--;
    if (!letter->is_whole_here) {
        ask_no_more(letter);
    }
    return letter->whole_result == PR_OK
               ? PR_OK
               : pr_fail(letter->whole_result, "the message did not come");
}

void feed_end_waits(struct session *session)
{
    session->is_feed_over = true;
    pr_event_wake_all(&session->feed_moves);
}

/* ---- Arriving ------------------------------------------------------------ */

/* Each session may have one message in, so that others which get nowhere with
 * theirs never hold it up. */
static bool has_room(const struct session *session, size_t octets)
{
    const struct engine *engine = session->engine;
    return session->in_house == 0 ||
           (engine->house_messages < HOUSE_MESSAGES &&
            engine->house_octets + octets <= HOUSE_OCTETS);
}

/* Will nobody of this session give room back? All that are here may be headers
 * that wait for what the source, which waits for room, is to fetch. */
static bool is_stuck(const struct session *session)
{
    return session->batches_running == 0 &&
           session->rules_running == session->whole_waits;
}

/* `messages`: 1 for one that comes in, 0 for more of one that is here. */
static pr_status wait_for_room(struct session *session, size_t messages,
                               size_t octets)
{
    struct engine *engine = session->engine;
    pr_status status = PR_OK;
    while (!has_room(session, octets)) {
        if (session->batches_running == 0) {
            batch_flush(session);
        }
        if (is_stuck(session)) {
            break;
        }
        session->waits_for_room = true;
        status = pr_event_wait(&engine->house_has_room, pr_in(1000));
        session->waits_for_room = false;
        if (status != PR_OK && status != PR_TIMEOUT) {
            return status;
        }
    }
    session->in_house += messages;
    engine->house_messages += messages;
    engine->house_octets += octets;
    return PR_OK;
}

static pr_status letter_new(struct session *session, struct entry *entry,
                            size_t room, struct letter **ret)
{
    struct letter *letter = memory_alloc(sizeof(*letter));
    if (letter == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    *letter = (struct letter){.session = session, .entry = entry, .room = room};
    pr_status status = message_new(session->account->name, session->folder,
                                   &entry->item, &letter->message);
    if (status == PR_OK) {
        status = spool_new(session->engine->config->state_dir, 0,
                           &letter->message->spool);
    }
    if (status == PR_OK) {
        spool_expect(letter->message->spool, room);
    }
    if (status != PR_OK) {
        message_free(letter->message);
        memory_free(letter);
        return status;
    }
    *ret = letter;
    return PR_OK;
}

static void leave_house(struct session *session, size_t octets)
{
    struct engine *engine = session->engine;
    session->in_house--;
    engine->house_messages--;
    engine->house_octets -= octets;
    pr_event_wake_all(&engine->house_has_room);
}

void letter_free(struct letter *letter)
{
    if (letter == NULL) {
        return;
    }
    decided(letter);
    spool_free(letter->edited);
    spool_free(letter->whole);
    message_free(letter->message);
    leave_house(letter->session, letter->room);
    memory_free(letter);
}

static pr_status begin_whole(struct letter *letter, size_t room,
                             struct pr_spool **ret)
{
    struct session *session = letter->session;
    if (letter->whole != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       letter->entry->item.uid);
    }
    pr_status status = wait_for_room(session, 0, room);
    if (status != PR_OK) {
        return status;
    }
    letter->room += room;
    status = spool_new(session->engine->config->state_dir, 0, &letter->whole);
    if (status == PR_OK) {
        spool_expect(letter->whole, room);
        session->incoming = letter->whole;
        *ret = letter->whole;
    }
    return status;
}

static pr_status feed_begin(struct pr_feed *feed, struct pr_item *item,
                            enum pr_want want, uint64_t octets,
                            struct pr_spool **ret)
{
    struct session *session = session_of(feed);
    struct entry *entry = item->user;
    size_t room = octets < SPOOL_MEMORY ? (size_t)octets : SPOOL_MEMORY;
    if (entry->awaiting != NULL && want == PR_WANT_ALL) {
        return begin_whole(entry->awaiting, room, ret);
    }
    if (entry->letter != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    pr_status status = wait_for_room(session, 1, room);
    if (status != PR_OK) {
        return status;
    }
    status = letter_new(session, entry, room, &entry->letter);
    if (status != PR_OK) {
        leave_house(session, room);
        return status;
    }
    if (want == PR_WANT_HEADER) {
        struct letter *letter = entry->letter;
        letter->message->is_header_only = true;
        letter->message->fetch_whole = fetch_whole;
        letter->message->owner = letter;
    }
    entry->fate = FATE_HERE;
    session->incoming = entry->letter->message->spool;
    *ret = entry->letter->message->spool;
    return PR_OK;
}

static pr_status run_rules(void *argument)
{
    struct letter *letter = argument;
    struct session *session = letter->session;
    pr_status status = decide(letter);
    decided(letter);
    if (status == PR_OK && letter->is_known) {
        letter->entry->fate = FATE_DEALT;
        letter_free(letter);
    } else if (status == PR_OK) {
        batch_take(session, letter);
    } else {
        letter->entry->fate = FATE_DROPPED;
        letter_free(letter);
    }
    session->rules_running--;
    return PR_OK;
}

/* Rules in a row on one fiber each: when some are waiting to run, let them, so
 * that few stacks are in use at a time. */
#define RULES_READY_MOST 8

static void start_rules(struct session *session, struct letter *letter)
{
    session->rules_running++;
    pr_status status = pr_spawn(&session->rules, session->folder, PR_STACK_RULE,
                                run_rules, letter);
    if (status != PR_OK) {
        session->rules_running--;
        session_fail(session, status);
        letter->entry->fate = FATE_DROPPED;
        letter_free(letter);
        return;
    }
    if (session->rules_running >= RULES_READY_MOST) {
        (void)!pr_yield();
    }
}

static bool is_of_the_line(pr_status status)
{
    return status == PR_NETWORK || status == PR_EOF || status == PR_TIMEOUT ||
           status == PR_PROTOCOL;
}

static void note_trouble(struct session *session, struct entry *entry,
                         pr_status status)
{
    bool was_coming = entry->letter != NULL || entry->awaiting != NULL;
    if (was_coming && is_of_the_line(status)) {
        session->cut = entry;
    }
    entry->fate = FATE_DROPPED;
    entry->trouble = status;
    entry->trouble_text =
        pr_arena_text(session->slice, pr_last_failure()->text);
    letter_free(entry->letter);
    entry->letter = NULL;
}

/* The letter itself belongs to the fiber of its rules. */
static void end_whole(struct session *session, struct entry *entry,
                      pr_status result)
{
    struct letter *letter = entry->awaiting;
    if (result == PR_OK && letter->whole == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    if (result == PR_OK) {
        result = pr_spool_seal(letter->whole);
    }
    if (result == PR_OK) {
        session->engine->progress.octets += pr_spool_wire_size(letter->whole);
        message_take_whole(letter->message, letter->whole);
        letter->whole = NULL;
    } else {
        note_trouble(session, entry, result);
    }
    entry->awaiting = NULL;
    letter->whole_result = result;
    letter->is_whole_here = true;
    pr_event_wake_all(&session->feed_moves);
}

static void feed_end(struct pr_feed *feed, struct pr_item *item,
                     pr_status result)
{
    struct session *session = session_of(feed);
    struct entry *entry = item->user;
    struct letter *letter = entry->letter;
    session->incoming = NULL;
    session_step(session);
    if (entry->awaiting != NULL) {
        end_whole(session, entry, result);
        return;
    }
    bool is_header = entry->asks_header;
    entry->asks_header = false;
    if (result == PR_OK && letter == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    if (result == PR_OK) {
        result = pr_spool_seal(letter->message->spool);
    }
    if (result != PR_OK) {
        note_trouble(session, entry, result);
        if (is_header) {
            session->undecided--;
            pr_event_wake_all(&session->feed_moves);
        }
        return;
    }
    letter->is_undecided = is_header;
    entry->letter = NULL;
    session->engine->progress.octets +=
        pr_spool_wire_size(letter->message->spool);
    start_rules(session, letter);
}

static const struct pr_feed_ops feed_ops = {
    .size = sizeof(feed_ops),
    .next = feed_next,
    .begin = feed_begin,
    .end = feed_end,
};

void feed_init(struct session *session)
{
    session->feed.ops = &feed_ops;
}
