/*
 * Debts to the server: queued when a message is safe here, paid merged.
 *
 * A debt stays in the state until the server has said yes; what fails or is
 * lost is paid by the next run.
 */
#include <string.h>

#include "base/crash.h"
#include "engine/parts.h"

bool is_owing(const struct state_debt *debt)
{
    return debt->set.system != 0 || debt->set.keywords != NULL ||
           debt->clear.system != 0 || debt->clear.keywords != NULL ||
           debt->copy_to != NULL || debt->move_to != NULL || debt->remove;
}

static pr_status copy_text(struct pr_arena *arena, const char *text,
                           const char **ret)
{
    *ret = text == NULL ? NULL : pr_arena_text(arena, text);
    return text != NULL && *ret == NULL ? PR_NOMEM : PR_OK;
}

pr_status session_owe(struct session *session, const struct pr_item *item,
                      const struct state_debt *debt)
{
    struct pr_arena *arena =
        session->slice != NULL ? session->slice : session->arena;
    struct debtor *debtor = pr_arena_alloc(arena, sizeof(*debtor));
    if (debtor == NULL) {
        return PR_NOMEM;
    }
    debtor->item = *item;
    debtor->item.flags = (struct pr_flags){0};
    debtor->debt = *debt;
    if (copy_text(arena, item->uidl, &debtor->item.uidl) != PR_OK ||
        copy_text(arena, debt->set.keywords, &debtor->debt.set.keywords) !=
            PR_OK ||
        copy_text(arena, debt->clear.keywords, &debtor->debt.clear.keywords) !=
            PR_OK ||
        copy_text(arena, debt->copy_to, &debtor->debt.copy_to) != PR_OK ||
        copy_text(arena, debt->move_to, &debtor->debt.move_to) != PR_OK) {
        return PR_NOMEM;
    }
    debtor->next = session->debts;
    session->debts = debtor;
    session->debt_count++;
    return PR_OK;
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (; text != NULL && *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

/* One deed for each message, and one more for each further copy. */
static size_t add_deeds(struct pr_arena *arena, const struct debtor *debtor,
                        struct pr_deed *deeds)
{
    const struct state_debt *debt = &debtor->debt;
    size_t count = 0;
    const char *copies = debt->copy_to;
    const char *end;
    while (copies != NULL && (end = strchr(copies, '\n')) != NULL) {
        struct pr_bytes name = {copies, (size_t)(end - copies)};
        deeds[count++] = (struct pr_deed){
            .item = &debtor->item, .copy_to = pr_arena_bytes(arena, name)};
        copies = end + 1;
    }
    deeds[count++] = (struct pr_deed){.item = &debtor->item,
                                      .set = debt->set,
                                      .clear = debt->clear,
                                      .copy_to = copies,
                                      .move_to = debt->move_to,
                                      .remove = debt->remove};
    return count;
}

static pr_status make_deeds(struct pr_arena *arena, const struct debtor *debts,
                            struct pr_deed **ret, size_t *ret_count)
{
    size_t count = 0;
    for (const struct debtor *debtor = debts; debtor != NULL;
         debtor = debtor->next) {
        count += count_lines(debtor->debt.copy_to);
    }
    struct pr_deed *deeds = pr_arena_array(arena, count, sizeof(*deeds));
    if (deeds == NULL) {
        return PR_NOMEM;
    }
    *ret_count = 0;
    for (const struct debtor *debtor = debts; debtor != NULL;
         debtor = debtor->next) {
        *ret_count += add_deeds(arena, debtor, deeds + *ret_count);
    }
    *ret = deeds;
    return PR_OK;
}

/* Notes what the server has done. A message whose copies come in several deeds
 * is settled when the last of them is, and only if all went well. */
static pr_status note_settled(struct session *session,
                              const struct pr_deed *deeds, size_t count)
{
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    bool is_well = true;
    for (size_t i = 0; i < count; i++) {
        const struct pr_deed *deed = &deeds[i];
        is_well = is_well && deed->result == PR_OK;
        if (i + 1 < count && deeds[i + 1].item == deed->item) {
            continue;
        }
        if (is_well) {
            state_settled(changes, session->record.id, deed->item->uid,
                          deed->remove || deed->move_to != NULL);
        } else {
            session->run->report.put_off++;
            pr_log(&session->log, PR_LOG_WARNING,
                   "message %u is delivered, but the server did not do what "
                   "is owed (%s); it is asked again at the next run",
                   deed->item->uid, pr_status_name(deed->result));
        }
        is_well = true;
    }
    return state_commit(changes);
}

pr_status session_settle(struct session *session)
{
    struct debtor *debts = session->debts;
    if (debts == NULL || session->engine->dry_run) {
        return PR_OK;
    }
    session->debts = NULL;
    session->debt_count = 0;
    struct pr_arena *arena = pr_arena_new();
    struct pr_deed *deeds = NULL;
    size_t count = 0;
    pr_status status =
        arena == NULL ? PR_NOMEM : make_deeds(arena, debts, &deeds, &count);
    if (status == PR_OK) {
        for (size_t i = 0; i < count; i++) {
            deeds[i].result = PR_CANCELLED;
        }
        crash_point("settle: before the server is asked");
        status = session->account->source->source->settle(session->source,
                                                          deeds, count);
        crash_point("settle: before it is noted");
        struct pr_failure failure = *pr_last_failure();
        pr_status noted = note_settled(session, deeds, count);
        if (status == PR_OK) {
            status = noted;
        } else {
            status = pr_fail(status, "%s", failure.text);
        }
    }
    pr_arena_free(arena);
    return status;
}
