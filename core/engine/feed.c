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
#include "plugin/registry.h"

static struct session *session_of(struct pr_feed *feed)
{
    return (struct session *)((char *)feed - offsetof(struct session, feed));
}

/* ---- Asking -------------------------------------------------------------- */

static bool is_over(const struct session *session)
{
    return account_is_stopping(session->run) || session->failure != PR_OK;
}

static bool has_many_debts(const struct session *session)
{
    return session->has_uids && session->debt_count >= DEBTS_MOST;
}

static bool may_ask_for_more(const struct session *session)
{
    uint64_t most = session->account->limit_messages;
    return most == 0 || session->asked + session->large_count < most;
}

bool feed_has_more(const struct session *session)
{
    return session->ledger.next < session->ledger.count ||
           session->large_count > 0;
}

/* What of it the source can fetch by itself. What failed before is fetched in
 * the plainest way: it may be the cause. */
static unsigned source_wants(const struct session *session,
                             const struct entry *entry)
{
    const struct pr_source_ops *ops = session->account->source->source;
    return REGISTRY_COVERS(ops, wants) && entry->tries == 0 ? ops->wants : 0;
}

/* Rules may do without the body of a large message: it is left where it is
 * until they ask for it, or until it is to be delivered. */
static enum pr_want what_to_want(const struct session *session,
                                 const struct entry *entry)
{
    const struct account *account = session->account;
    bool is_large = entry->item.size > account->whole_below;
    bool may_do = session->has_rules && is_large &&
                  !session->mailbox.has_no_headers && entry->suspect == NULL;
    if (!may_do) {
        return PR_WANT_ALL;
    }
    return session->looks_at_parts &&
                   (source_wants(session, entry) & PR_WANT_STRUCTURE) != 0
               ? PR_WANT_OUTLINE
               : PR_WANT_HEADER;
}

static void put_large(struct session *session, struct entry *entry)
{
    entry->next_large = NULL;
    *session->large_end = entry;
    session->large_end = &entry->next_large;
    session->large_count++;
}

/* Headers are asked for many at a time, each such burst in one command, and
 * again when half of those before are decided. */
static struct entry *take_large(struct session *session, bool is_last)
{
    if (session->header_burst == 0) {
        size_t room = UNDECIDED_MOST - session->undecided;
        if (room < HEADERS_MERGED ||
            (!is_last && session->large_count < HEADERS_MERGED)) {
            return NULL;
        }
        session->header_burst = room;
    }
    struct entry *entry = session->large;
    if (entry == NULL) {
        session->header_burst = 0;
        return NULL;
    }
    session->header_burst--;
    session->large_count--;
    session->large = entry->next_large;
    if (session->large == NULL) {
        session->large_end = &session->large;
    }
    return entry;
}

/* The next that comes whole; large ones on the way are put in a queue of their
 * own, so that their headers are asked for together. */
static struct entry *take_small(struct session *session)
{
    struct ledger *ledger = &session->ledger;
    while (may_ask_for_more(session) && ledger->next < ledger->count &&
           session->large_count < UNDECIDED_MOST) {
        struct entry *entry = ledger->entries[ledger->next++];
        if (entry->fate != FATE_NEW) {
            continue;
        }
        if (what_to_want(session, entry) == PR_WANT_ALL) {
            return entry;
        }
        put_large(session, entry);
    }
    return NULL;
}

static struct entry *next_new(struct session *session)
{
    struct entry *entry = NULL;
    if (has_many_debts(session)) {
        return NULL;
    }
    if (session->large_count >= HEADERS_MERGED || session->header_burst > 0) {
        entry = take_large(session, false);
    }
    if (entry == NULL) {
        entry = take_small(session);
    }
    if (entry == NULL && session->large_count > 0) {
        entry = take_large(session, true);
    }
    return entry;
}

static bool take_request(struct session *session, bool wait,
                         struct pr_request *ret)
{
    if (more_take(session, wait, ret)) {
        return true;
    }
    struct entry *entry = next_new(session);
    if (entry == NULL) {
        return false;
    }
    entry->fate = FATE_ASKED;
    entry->want = what_to_want(session, entry);
    session->asked++;
    *ret = (struct pr_request){.item = &entry->item, .want = entry->want};
    if (entry->want != PR_WANT_ALL) {
        session->undecided++;
        session->stages_coming++;
    }
    return true;
}

static pr_status feed_next(struct pr_feed *feed, bool wait,
                           struct pr_request *ret)
{
    struct session *session = session_of(feed);
    *ret = (struct pr_request){0};
    while (!is_over(session)) {
        if (take_request(session, wait, ret)) {
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

static void decided(struct letter *letter)
{
    struct session *session = letter->session;
    if (letter->is_undecided) {
        letter->is_undecided = false;
        session->undecided--;
        pr_event_wake_all(&session->feed_moves);
    }
}

void feed_reset(struct session *session)
{
    session->is_feed_over = false;
    session->large = NULL;
    session->large_end = &session->large;
    session->large_count = session->header_burst = 0;
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
           session->rules_running == session->more_waits;
}

pr_status feed_wait_for_room(struct session *session, size_t messages,
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
        letter->message->has_labels = source_has_labels(session->source);
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
    spool_free(letter->reply_spool);
    spool_free(letter->ask.spool);
    message_free(letter->message);
    leave_house(letter->session, letter->room);
    memory_free(letter);
}

/* Of a letter that has the header, its rules may have more fetched. */
static void let_ask(struct letter *letter)
{
    struct message *message = letter->message;
    message->is_header_only = true;
    message->wants = source_wants(letter->session, letter->entry);
    message->fetch = more_fetch;
    message->owner = letter;
}

static pr_status feed_begin(struct pr_feed *feed, struct pr_item *item,
                            enum pr_want want, uint64_t octets,
                            struct pr_spool **ret)
{
    struct session *session = session_of(feed);
    struct entry *entry = item->user;
    size_t room = octets < SPOOL_MEMORY ? (size_t)octets : SPOOL_MEMORY;
    if (entry->awaiting != NULL) {
        return more_begin(session, entry, want, room, ret);
    }
    if (entry->letter != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    if (entry->fate != FATE_ASKED) {
        return pr_fail(PR_LIMIT, "the message is not wanted any more");
    }
    pr_status status = feed_wait_for_room(session, 1, room);
    if (status != PR_OK) {
        return status;
    }
    status = letter_new(session, entry, room, &entry->letter);
    if (status != PR_OK) {
        leave_house(session, room);
        return status;
    }
    if (want != PR_WANT_ALL) {
        let_ask(entry->letter);
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

/* Of all that were on their way when the line broke, the one whose octets had
 * begun is the one to suspect, else the first. */
static void suspect_of_cut(struct session *session, struct entry *entry)
{
    bool has_begun =
        entry->letter != NULL ||
        (entry->awaiting != NULL && entry->awaiting->ask.spool != NULL);
    if (has_begun || (entry->awaiting != NULL && session->cut == NULL)) {
        session->cut = entry;
    }
}

void feed_note_trouble(struct session *session, struct entry *entry,
                       pr_status status)
{
    if (is_of_the_line(status)) {
        suspect_of_cut(session, entry);
    }
    entry->fate = FATE_DROPPED;
    entry->trouble = status;
    entry->trouble_text =
        pr_arena_text(session->slice, pr_last_failure()->text);
    letter_free(entry->letter);
    entry->letter = NULL;
}

static pr_status feed_structure(struct pr_feed *feed, struct pr_item *item,
                                const struct pr_part *parts, size_t count,
                                uint64_t octets)
{
    struct session *session = session_of(feed);
    struct entry *entry = item->user;
    struct tree tree = {.parts = {.cap = 0}};
    session_progress(session, 0, octets);
    pr_status status = message_read_structure(parts, count, &tree);
    if (status != PR_OK) {
        return status == PR_UNSUPPORTED ? PR_OK : status;
    }
    /* Only now: the letter may have left while we waited. */
    struct letter *letter =
        entry->awaiting != NULL ? entry->awaiting : entry->letter;
    if (letter == NULL) {
        tree_done(&tree);
        return PR_OK;
    }
    letter->message->cost.structure += octets;
    message_take_structure(letter->message, &tree);
    return PR_OK;
}

/* The first that was asked of a message is here: its rules run. */
static void take_letter(struct session *session, struct entry *entry)
{
    struct letter *letter = entry->letter;
    uint64_t octets = pr_spool_wire_size(letter->message->spool);
    bool is_header = letter->message->is_header_only;
    letter->is_undecided = is_header;
    *(is_header ? &letter->message->cost.header
                : &letter->message->cost.whole) = octets;
    entry->letter = NULL;
    session_progress(session, 0, octets);
    start_rules(session, letter);
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
        more_end(session, entry, result);
        return;
    }
    if (letter == NULL && entry->fate != FATE_ASKED) {
        return; /* more of one that has left */
    }
    bool is_stage = entry->want != PR_WANT_ALL;
    entry->want = PR_WANT_ALL;
    session->stages_coming -= is_stage;
    if (result == PR_OK && letter == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    if (result == PR_OK) {
        result = pr_spool_seal(letter->message->spool);
    }
    if (result == PR_OK) {
        take_letter(session, entry);
        return;
    }
    feed_note_trouble(session, entry, result);
    if (is_stage) {
        session->undecided--;
        pr_event_wake_all(&session->feed_moves);
    }
}

static const struct pr_feed_ops feed_ops = {
    .size = sizeof(feed_ops),
    .next = feed_next,
    .begin = feed_begin,
    .end = feed_end,
    .structure = feed_structure,
};

void feed_init(struct session *session)
{
    session->feed.ops = &feed_ops;
}
