/*
 * What a slice of a folder lists, fetched: the source at work, the rules and
 * batches beside it, until all that came in is dealt with.
 *
 * However it ends, the fibers it started have ended before it returns.
 */
#include <time.h>

#include "engine/parts.h"

/* Messages that could not be fetched though the session went well: each is put
 * aside with its reason, so that it holds up no other. */
static pr_status defer_unfetched(struct session *session)
{
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    size_t noted = 0;
    for (size_t i = 0; i < session->ledger.count; i++) {
        struct entry *entry = session->ledger.entries[i];
        if (entry->trouble == PR_OK || entry->fate == FATE_DEALT) {
            continue;
        }
        noted++;
        entry->fate = FATE_DEALT;
        if (entry->trouble == PR_GONE) {
            state_forget(changes, session->record.id, entry->item.uid);
            continue;
        }
        struct state_row row = {.uid = entry->item.uid,
                                .uidl = entry->item.uidl,
                                .size = entry->item.size,
                                .received = entry->item.received,
                                .tries = entry->tries + 1,
                                .rule_tries = entry->rule_tries,
                                .reason = entry->trouble_text};
        state_deferred(changes, session->record.id, &row);
        session->run->report.put_off++;
        pr_log(&session->log, PR_LOG_ERROR, "message %u: %s", entry->item.uid,
               entry->trouble_text);
    }
    if (noted == 0 || session->engine->dry_run) {
        state_drop(changes);
        return PR_OK;
    }
    return state_commit(changes);
}

/* A message in the midst of which the line breaks may be what breaks it, each
 * time: from the second time on it waits while others are fetched. In seconds.
 */
#define CUT_WAIT ((int64_t)10 * 60)

static void defer_cut(struct session *session)
{
    struct entry *entry = session->cut;
    struct state_changes *changes;
    if (entry == NULL || session->engine->dry_run ||
        state_begin(session->engine->state, &changes) != PR_OK) {
        return;
    }
    struct state_row row = {.uid = entry->item.uid,
                            .uidl = entry->item.uidl,
                            .size = entry->item.size,
                            .received = entry->item.received,
                            .tries = entry->tries + 1,
                            .rule_tries = entry->rule_tries,
                            .reason = "the line broke while it came in"};
    unsigned shift = entry->tries < 8 ? entry->tries : 8;
    if (entry->tries > 0) {
        row.due = time(NULL) + (CUT_WAIT << (shift - 1));
    }
    state_deferred(changes, session->record.id, &row);
    if (state_commit(changes) != PR_OK) {
        pr_log(&session->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    }
}

static bool has_more_to_ask(const struct session *session)
{
    return feed_has_more(session) && !account_is_stopping(session->run) &&
           session->failure == PR_OK;
}

/* Sends off what waits in a batch that no longer fills. */
static pr_status linger(void *argument)
{
    struct session *session = argument;
    while (pr_sleep(250) == PR_OK) {
        if (session->batches_running == 0) {
            batch_flush(session);
        }
    }
    return PR_OK;
}

/* Until there is room for more: what is in the house becomes debts while the
 * server is busy with those before. */
static pr_status settle_enough(struct session *session)
{
    pr_status status;
    do {
        status = session_settle(session);
    } while (status == PR_OK && session->debt_count >= DEBTS_MOST);
    return status;
}

/* Fetches the slice; debts are paid between rounds, so that a long fetch with
 * deletion is not all owed at its end. */
static pr_status fetch_rounds(struct session *session)
{
    const struct pr_source_ops *ops = session->account->source->source;
    pr_status status = PR_OK;
    uint64_t before;
    do {
        before = session->ledger.next + session->asked;
        status = ops->fetch(session->source, &session->feed);
        if (status == PR_OK && session->has_uids && has_more_to_ask(session)) {
            status = settle_enough(session);
        }
    } while (status == PR_OK && has_more_to_ask(session) &&
             session->ledger.next + session->asked > before);
    return status;
}

/* A server may end a session in which nothing is said: POP3's after ten minutes
 * (RFC 1939, 3), some sooner. */
#define KEEP_MS (60u * 1000)

static pr_status keep_line(void *argument)
{
    struct session *session = argument;
    const struct pr_source_ops *ops = session->account->source->source;
    pr_status status = PR_OK;
    while (status == PR_OK && pr_sleep(KEEP_MS) == PR_OK) {
        pr_shield_begin(); /* cut off halfway it would spoil the session */
        status = ops->keep(session->source);
        pr_shield_end();
    }
    return PR_OK; /* what became of the line, settle finds out */
}

/* Until all that came in is dealt with. */
static void finish_batches(struct session *session)
{
    struct pr_scope keeping;
    pr_scope_init(&keeping);
    if (session->failure == PR_OK &&
        session->account->source->source->keep != NULL) {
        (void)!pr_spawn(&keeping, "keep", PR_STACK_SESSION, keep_line, session);
    }
    (void)pr_scope_join(&session->rules);
    batch_flush(session);
    (void)pr_scope_join(&session->batches);
    pr_scope_cancel(&keeping);
    (void)pr_scope_join(&keeping);
}

/* A source without UIDs is asked once for all that is owed. */
static pr_status settle_slice(struct session *session)
{
    pr_status status = session->has_uids ? PR_OK : session_judge(session);
    return status == PR_OK ? session_settle(session) : status;
}

pr_status session_fetch(struct session *session)
{
    if (session->ledger.count == 0) {
        return settle_slice(session);
    }
    account_wants_help(session->run);
    feed_reset(session);
    pr_scope_init(&session->rules);
    pr_scope_init(&session->batches);
    struct pr_scope lingering;
    pr_scope_init(&lingering);
    pr_status status =
        pr_spawn(&lingering, "linger", PR_STACK_SESSION, linger, session);
    if (status == PR_OK) {
        status = fetch_rounds(session);
    }
    session_fail(session, status);
    feed_end_waits(session);
    pr_scope_cancel(&lingering);
    (void)pr_scope_join(&lingering);
    finish_batches(session);
    if (session->failure != PR_OK) {
        defer_cut(session);
        return pr_fail(session->failure, "%s", session->failure_text);
    }
    status = defer_unfetched(session);
    return status == PR_OK ? settle_slice(session) : status;
}
