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
    uint64_t most = session->account->limit_messages;
    return session->engine->is_stopping || session->failure != PR_OK ||
           (session->has_uids && session->debt_count >= DEBTS_MOST) ||
           (most > 0 && session->asked >= most);
}

static pr_status feed_next(struct pr_feed *feed, bool wait,
                           struct pr_request *ret)
{
    (void)wait;
    struct session *session = session_of(feed);
    struct ledger *ledger = &session->ledger;
    *ret = (struct pr_request){0};
    if (is_over(session)) {
        return PR_EOF;
    }
    while (ledger->next < ledger->count) {
        struct entry *entry = ledger->entries[ledger->next++];
        if (entry->fate != FATE_NEW) {
            continue;
        }
        entry->fate = FATE_ASKED;
        session->asked++;
        *ret = (struct pr_request){&entry->item, PR_WANT_ALL};
        return PR_OK;
    }
    return PR_EOF;
}

/* ---- Arriving ------------------------------------------------------------ */

static bool has_room(const struct engine *engine, size_t octets)
{
    return engine->house_messages == 0 ||
           (engine->house_messages < HOUSE_MESSAGES &&
            engine->house_octets + octets <= HOUSE_OCTETS);
}

static pr_status wait_for_room(struct session *session, size_t octets)
{
    struct engine *engine = session->engine;
    while (!has_room(engine, octets)) {
        if (session->batches_running == 0) {
            batch_flush(session);
        }
        pr_status status = pr_event_wait(&engine->house_has_room, pr_in(1000));
        if (status != PR_OK && status != PR_TIMEOUT) {
            return status;
        }
    }
    engine->house_messages++;
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

static void leave_house(struct engine *engine, size_t octets)
{
    engine->house_messages--;
    engine->house_octets -= octets;
    pr_event_wake_all(&engine->house_has_room);
}

void letter_free(struct letter *letter)
{
    if (letter == NULL) {
        return;
    }
    spool_free(letter->edited);
    message_free(letter->message);
    leave_house(letter->session->engine, letter->room);
    memory_free(letter);
}

static pr_status feed_begin(struct pr_feed *feed, struct pr_item *item,
                            enum pr_want want, uint64_t octets,
                            struct pr_spool **ret)
{
    (void)want;
    struct session *session = session_of(feed);
    struct entry *entry = item->user;
    if (entry->letter != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    size_t room = octets < SPOOL_MEMORY ? (size_t)octets : SPOOL_MEMORY;
    pr_status status = wait_for_room(session, room);
    if (status != PR_OK) {
        return status;
    }
    status = letter_new(session, entry, room, &entry->letter);
    if (status != PR_OK) {
        leave_house(session->engine, room);
        return status;
    }
    entry->fate = FATE_HERE;
    *ret = entry->letter->message->spool;
    return PR_OK;
}

static pr_status run_rules(void *argument)
{
    struct letter *letter = argument;
    struct session *session = letter->session;
    pr_status status = decide(letter);
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
    if (entry->letter != NULL && is_of_the_line(status)) {
        session->cut = entry;
    }
    entry->fate = FATE_DROPPED;
    entry->trouble = status;
    entry->trouble_text =
        pr_arena_text(session->slice, pr_last_failure()->text);
    letter_free(entry->letter);
    entry->letter = NULL;
}

static void feed_end(struct pr_feed *feed, struct pr_item *item,
                     pr_status result)
{
    struct session *session = session_of(feed);
    struct entry *entry = item->user;
    struct letter *letter = entry->letter;
    if (result == PR_OK && letter == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    if (result == PR_OK) {
        result = pr_spool_seal(letter->message->spool);
    }
    if (result != PR_OK) {
        note_trouble(session, entry, result);
        return;
    }
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
