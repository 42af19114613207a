/*
 * Debts to the server: queued when a message is safe here, paid merged.
 *
 * A debt stays in the state until the server has said yes; what fails or is
 * lost is paid by the next run. Copies are paid and noted before the rest: so a
 * message goes only when all its copies are made, and none is made again
 * because something else failed.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "engine/parts.h"

static bool has_flags(const struct state_debt *debt)
{
    return debt->set.system != 0 || debt->set.keywords != NULL ||
           debt->clear.system != 0 || debt->clear.keywords != NULL ||
           debt->label != NULL || debt->unlabel != NULL;
}

bool is_owing(const struct state_debt *debt)
{
    return has_flags(debt) || debt->copy_to != NULL || debt->move_to != NULL ||
           debt->remove;
}

/* `due` is about the removal. */
bool is_owing_at(const struct state_debt *debt, int64_t now)
{
    if (debt->guard == GUARD_COUNTED || debt->guard == GUARD_HELD) {
        return false; /* see guard.c */
    }
    return debt->due <= now ? is_owing(debt)
                            : has_flags(debt) || debt->copy_to != NULL;
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
    debtor->item.labels = NULL;
    debtor->debt = *debt;
    if (copy_text(arena, item->uidl, &debtor->item.uidl) != PR_OK ||
        copy_text(arena, debt->set.keywords, &debtor->debt.set.keywords) !=
            PR_OK ||
        copy_text(arena, debt->clear.keywords, &debtor->debt.clear.keywords) !=
            PR_OK ||
        copy_text(arena, debt->label, &debtor->debt.label) != PR_OK ||
        copy_text(arena, debt->unlabel, &debtor->debt.unlabel) != PR_OK ||
        copy_text(arena, debt->copy_to, &debtor->debt.copy_to) != PR_OK ||
        copy_text(arena, debt->move_to, &debtor->debt.move_to) != PR_OK) {
        return PR_NOMEM;
    }
    debtor->next = session->debts;
    session->debts = debtor;
    session->debt_count++;
    return PR_OK;
}

/* ---- Paying -------------------------------------------------------------- */

/* Debts that are being paid. */
struct payment {
    struct session *session;
    struct pr_arena *arena;
    struct debtor *debts;
    int64_t now;
    struct pr_deed *deeds;
    struct debtor **debtors; /* beside the deeds */
    size_t count;
    /* what the server did not do */
    size_t failed;
    uint32_t failed_uid;
    pr_status failed_for;
};

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (; text != NULL && *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static pr_status make_room(struct payment *payment)
{
    size_t most = 0;
    for (const struct debtor *debtor = payment->debts; debtor != NULL;
         debtor = debtor->next) {
        most += count_lines(debtor->debt.copy_to);
    }
    payment->deeds =
        pr_arena_array(payment->arena, most, sizeof(*payment->deeds));
    payment->debtors =
        pr_arena_array(payment->arena, most, sizeof(struct debtor *));
    return payment->deeds == NULL || payment->debtors == NULL ? PR_NOMEM
                                                              : PR_OK;
}

static struct pr_deed *add_deed(struct payment *payment, struct debtor *debtor)
{
    struct pr_deed *deed = &payment->deeds[payment->count];
    payment->debtors[payment->count++] = debtor;
    *deed = (struct pr_deed){.item = &debtor->item,
                             .set = debtor->debt.set,
                             .clear = debtor->debt.clear,
                             .label = debtor->debt.label,
                             .unlabel = debtor->debt.unlabel,
                             .result = PR_CANCELLED};
    return deed;
}

pr_status session_ask(struct session *session, struct pr_deed *deeds,
                      size_t count)
{
    struct line *line = session->line;
    line->is_settling = true;
    pr_status status =
        session->account->source->source->settle(session->source, deeds, count);
    line->is_settling = false;
    session_step(session);
    return status;
}

static pr_status ask_server(struct payment *payment)
{
    struct session *session = payment->session;
    if (payment->count == 0) {
        return PR_OK;
    }
    crash_point("settle: before the server is asked");
    pr_status status = session_ask(session, payment->deeds, payment->count);
    crash_point("settle: before it is noted");
    return status;
}

static void note_failed(struct payment *payment, struct debtor *debtor,
                        pr_status result)
{
    if (payment->failed++ == 0) {
        payment->failed_uid = debtor->item.uid;
        payment->failed_for = result;
    }
    debtor->has_failed = true;
}

/* Notes what has been done with `note`; the words of `status` stay the last. */
static pr_status note_all(struct payment *payment, pr_status status,
                          void (*note)(struct payment *,
                                       struct state_changes *))
{
    struct pr_failure failure = *pr_last_failure();
    struct state_changes *changes;
    pr_status noted = state_begin(payment->session->engine->state, &changes);
    if (noted == PR_OK) {
        note(payment, changes);
        noted = state_commit(changes);
    }
    return status == PR_OK ? noted : pr_fail(status, "%s", failure.text);
}

/* What goes because it is safe here is no deed that anybody would undo. */
static void note_deed(struct payment *payment, struct state_changes *changes,
                      const struct pr_deed *deed, const struct state_debt *debt)
{
    if (!deed->remove || debt->guard != GUARD_NONE) {
        session_note_deed(payment->session, changes, deed, NULL);
    }
}

/* ---- Copies, and flags of what goes later -------------------------------- */

static pr_status add_copies(struct payment *payment, struct debtor *debtor)
{
    const char *copies = debtor->debt.copy_to;
    while (copies != NULL) {
        const char *end = strchrnul(copies, '\n');
        struct pr_bytes name = {copies, (size_t)(end - copies)};
        struct pr_deed *deed = add_deed(payment, debtor);
        deed->copy_to = pr_arena_bytes(payment->arena, name);
        if (deed->copy_to == NULL) {
            return PR_NOMEM;
        }
        copies = *end == '\n' ? end + 1 : NULL;
    }
    return PR_OK;
}

/* What is still owed of `debtor`, whose deeds are first..end. */
static void reduce_debt(struct payment *payment, struct debtor *debtor,
                        size_t first, size_t end)
{
    struct state_debt *debt = &debtor->debt;
    const char *left = NULL;
    for (size_t i = first; i < end; i++) {
        const struct pr_deed *deed = &payment->deeds[i];
        if (deed->result == PR_OK) {
            continue;
        }
        if (!debtor->has_failed) {
            note_failed(payment, debtor, deed->result);
        }
        left = left == NULL ? deed->copy_to
                            : pr_arena_printf(payment->arena, "%s\n%s", left,
                                              deed->copy_to);
        if (left == NULL && deed->copy_to != NULL) {
            return; /* out of memory: all of it stays owed */
        }
    }
    debt->copy_to = left;
    if (!debtor->has_failed) {
        debt->set = debt->clear = (struct pr_flags){0};
        debt->label = debt->unlabel = NULL;
    }
}

static void note_copies(struct payment *payment, struct state_changes *changes)
{
    struct session *session = payment->session;
    for (size_t first = 0, end; first < payment->count; first = end) {
        struct debtor *debtor = payment->debtors[first];
        for (end = first;
             end < payment->count && payment->debtors[end] == debtor;) {
            end++;
        }
        bool sets_flags = has_flags(&debtor->debt);
        for (size_t i = first; i < end; i++) {
            const struct pr_deed *deed = &payment->deeds[i];
            session_note_own(session, changes, deed);
            if (deed->result == PR_OK && deed->copy_to != NULL) {
                note_deed(payment, changes, deed, &debtor->debt);
            }
            if (deed->result == PR_OK && sets_flags) {
                struct pr_deed flags = *deed;
                flags.copy_to = NULL;
                note_deed(payment, changes, &flags, &debtor->debt);
                sets_flags = false;
            }
        }
        reduce_debt(payment, debtor, first, end);
        state_owe(changes, session->record.id, debtor->item.uid, &debtor->debt);
    }
}

static pr_status pay_copies(struct payment *payment)
{
    pr_status status = PR_OK;
    payment->count = 0;
    for (struct debtor *debtor = payment->debts;
         status == PR_OK && debtor != NULL; debtor = debtor->next) {
        if (debtor->debt.copy_to != NULL) {
            status = add_copies(payment, debtor);
        } else if (debtor->debt.due > payment->now) {
            (void)add_deed(payment, debtor);
        }
    }
    if (status != PR_OK || payment->count == 0) {
        return status;
    }
    return note_all(payment, ask_server(payment), note_copies);
}

/* ---- All else ------------------------------------------------------------ */

static void note_settled(struct payment *payment, struct state_changes *changes)
{
    struct session *session = payment->session;
    for (size_t i = 0; i < payment->count; i++) {
        const struct pr_deed *deed = &payment->deeds[i];
        session_note_own(session, changes, deed);
        if (deed->result == PR_OK) {
            note_deed(payment, changes, deed, &payment->debtors[i]->debt);
            state_settled(changes, session->record.id, deed->item->uid,
                          deed->remove || deed->move_to != NULL);
        } else {
            note_failed(payment, payment->debtors[i], deed->result);
        }
    }
}

static pr_status pay_rest(struct payment *payment)
{
    payment->count = 0;
    for (struct debtor *debtor = payment->debts; debtor != NULL;
         debtor = debtor->next) {
        if (debtor->has_failed || debtor->debt.due > payment->now) {
            continue;
        }
        struct pr_deed *deed = add_deed(payment, debtor);
        deed->move_to = debtor->debt.move_to;
        deed->remove = debtor->debt.remove;
    }
    if (payment->count == 0) {
        return PR_OK;
    }
    return note_all(payment, ask_server(payment), note_settled);
}

static void log_failed(const struct payment *payment)
{
    const struct pr_log *log = &payment->session->log;
    const char *why = pr_status_name(payment->failed_for);
    payment->session->run->report.put_off += payment->failed;
    if (payment->failed == 1) {
        pr_log(log, PR_LOG_WARNING,
               "message %u is delivered, but the server did not do what is "
               "owed (%s); it is asked again at the next run",
               payment->failed_uid, why);
    } else if (payment->failed > 1) {
        pr_log(log, PR_LOG_WARNING,
               "message %u and %zu more are delivered, but the server did not "
               "do what is owed (%s); it is asked again at the next run",
               payment->failed_uid, payment->failed - 1, why);
    }
}

pr_status session_settle(struct session *session)
{
    struct payment payment = {
        .session = session, .debts = session->debts, .now = time(NULL)};
    if (payment.debts == NULL || session->engine->dry_run) {
        return PR_OK;
    }
    session->debts = NULL;
    session->debt_count = 0;
    session->is_paying = true;
    payment.arena = pr_arena_new();
    pr_status status = payment.arena == NULL ? PR_NOMEM : make_room(&payment);
    if (status == PR_OK) {
        status = pay_copies(&payment);
    }
    if (status == PR_OK) {
        status = pay_rest(&payment);
    }
    session->is_paying = false;
    log_failed(&payment);
    pr_arena_free(payment.arena);
    return status;
}
