/*
 * Deletions that rules ask for: a runaway rule is stopped before anything is
 * deleted.
 *
 * What a rule deletes on the server is noted as counted (struct state_debt,
 * guard) and waits for the end of the folder's run. Then all that is counted is
 * judged together, with what an earlier run left so when it broke off: it is
 * done, or all of it is held until a person confirms it. What is done on the
 * server after a delivery (`after = delete`) is no rule's deletion: the message
 * is safe here.
 */
#include "config.h"

#include "state/guard.h"

#include <inttypes.h>
#include <time.h>

#include "base/crash.h"
#include "engine/parts.h"

bool deletions_are_allowed(const struct account *account, uint64_t count,
                           uint64_t before, uint64_t exists)
{
    uint64_t messages = (uint64_t)account->deletions.messages;
    uint64_t percent = (uint64_t)account->deletions.percent;
    if (messages > 0 && (count > messages || before > messages - count)) {
        return false;
    }
    return percent == 0 || count < DELETIONS_FEW || exists == 0 ||
           count * 100 <= exists * percent;
}

static pr_status hold(struct session *session, uint64_t count)
{
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_hold(changes, session->record.id);
    crash_point("guard: before deletions are held");
    status = state_commit(changes);
    if (status == PR_OK) {
        pr_log(&session->log, PR_LOG_WARNING,
               "rules want %" PRIu64 " of the %" PRIu32
               " messages deleted on the server, more than limit_deletions "
               "allows: none of them is deleted before you say so; see "
               "postrider status, then: postrider confirm \"%s/%s\", or: "
               "postrider refuse \"%s/%s\"",
               count, session->mailbox.exists, session->account->name,
               session->folder, session->account->name, session->folder);
    }
    return status;
}

/* What is not due yet, or was refused, is not judged again. */
static pr_status allow(struct session *session)
{
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_allow(changes, session->record.id);
    return state_commit(changes);
}

static pr_status owe_rows(struct session *session, struct state_row *rows,
                          size_t count)
{
    int64_t now = time(NULL);
    for (size_t i = 0; i < count; i++) {
        struct pr_item item = {.uid = rows[i].uid, .uidl = rows[i].uidl};
        if (!session->has_uids) {
            const struct listed *listed = session_listed(session, item.uid);
            if (listed == NULL) {
                continue;
            }
            item = listed->item;
        }
        rows[i].debt.guard = GUARD_CONFIRMED;
        if (!is_owing_at(&rows[i].debt, now)) {
            continue;
        }
        pr_status status = session_owe(session, &item, &rows[i].debt);
        if (status != PR_OK) {
            return status;
        }
    }
    return PR_OK;
}

/* A source without UIDs is asked once, at the end; of another the debts are
 * paid piece by piece. */
static pr_status carry_out(struct session *session)
{
    uint32_t after = 0;
    size_t count;
    pr_status status;
    do {
        struct pr_arena *arena = pr_arena_new();
        struct state_row *rows = NULL;
        if (arena == NULL) {
            return PR_NOMEM;
        }
        count = 0;
        status = state_counted_rows(session->engine->state, session->record.id,
                                    after, DEBTS_MOST, arena, &rows, &count);
        if (status == PR_OK) {
            status = owe_rows(session, rows, count);
        }
        if (count > 0) {
            after = rows[count - 1].uid;
        }
        if (status == PR_OK && session->has_uids) {
            status = session_settle(session);
        }
        pr_arena_free(arena);
    } while (status == PR_OK && count == DEBTS_MOST);
    return status == PR_OK ? allow(session) : status;
}

static void tell_of_hold(const struct session *session)
{
    if (!deletions_are_allowed(session->account, session->deletions,
                               session->run->deleted,
                               session->mailbox.exists)) {
        pr_log(&session->log, PR_LOG_WARNING,
               "rules want %" PRIu64 " of the %" PRIu32
               " messages deleted on the server, more than limit_deletions "
               "allows: a fetch would hold them until they are confirmed",
               session->deletions, session->mailbox.exists);
    }
}

pr_status session_judge(struct session *session)
{
    uint64_t count;
    if (session->engine->dry_run) {
        tell_of_hold(session);
        return PR_OK;
    }
    if (session->source->read_only) {
        return PR_OK;
    }
    pr_status status =
        state_counted(session->engine->state, session->record.id, &count);
    if (status != PR_OK || count == 0) {
        return status;
    }
    uint64_t *deleted = &session->run->deleted;
    if (!deletions_are_allowed(session->account, count, *deleted,
                               session->mailbox.exists)) {
        return hold(session, count);
    }
    *deleted += count;
    return carry_out(session);
}
