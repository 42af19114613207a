/*
 * What a sweep decided, step by step.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/sweeps.h"
#include "mail/ranges.h"
#include "state/guard.h"

const struct pr_source_ops *visit_source(const struct visit *visit)
{
    return visit->session.account->source->source;
}

const char visit_held_words[] =
    "more than limit_deletions allows: held until postrider confirm";

/* ---- Words --------------------------------------------------------------- */

void visit_report(struct visit *visit, const struct sweep_step *step,
                  const struct pr_range *uids, size_t count, uint64_t messages,
                  const char *outcome, const char *error)
{
    char text[200];
    const struct engine_observer *observer = &visit->session.engine->observer;
    const struct sweep_report told = {
        .account = visit->session.account->name,
        .folder = visit->session.folder,
        .sweep = visit->sweep->name,
        .file = step->file,
        .line = step->line,
        .action = sweep_action_name(step->action),
        .text = step->text,
        .to = step->value,
        .messages = messages,
        .uids = ranges_text(uids, count, text, sizeof(text)),
        .status = outcome,
        .error = error,
    };
    if (observer->sweep != NULL) {
        observer->sweep(observer->user, &told);
    }
}

/* Keeps the words of the first failure for the sweep's record. */
static void note_failure(struct visit *visit, const struct sweep_step *step,
                         pr_status status)
{
    const char *words = pr_last_failure()->text;
    pr_log(&visit->session.log, PR_LOG_ERROR, "sweep \"%s\" (%s:%d): %s: %s",
           visit->sweep->name, step->file, step->line,
           sweep_action_name(step->action), words);
    if (visit->result == PR_OK) {
        visit->result = status;
        snprintf(visit->words, sizeof(visit->words), "%.100s:%d: %s: %.350s",
                 step->file, step->line, sweep_action_name(step->action),
                 words);
    }
}

void visit_fail_step(struct visit *visit, const struct sweep_step *step,
                     const struct pr_range *uids, size_t count,
                     pr_status status)
{
    struct pr_failure failure = *pr_last_failure();
    note_failure(visit, step, status);
    visit_report(visit, step, uids, count, ranges_size(uids, count), "failed",
                 failure.text);
}

/* ---- All of it ----------------------------------------------------------- */

static void note_text(struct visit *visit, const struct sweep_step *step)
{
    char uids[100];
    pr_log(&visit->session.log, PR_LOG_INFO, "sweep \"%s\": message %s: %s",
           visit->sweep->name,
           ranges_text(step->uids, step->uid_count, uids, sizeof(uids)),
           step->text);
    visit_report(visit, step, step->uids, step->uid_count,
                 ranges_size(step->uids, step->uid_count),
                 visit->session.engine->dry_run ? "planned" : "done", NULL);
}

static pr_status take_step(struct visit *visit, const struct sweep_step *step)
{
    switch (step->action) {
    case SWEEP_NOTE:
        note_text(visit, step);
        return PR_OK;
    case SWEEP_CREATE:
    case SWEEP_RENAME:
    case SWEEP_DROP:
    case SWEEP_SUBSCRIBE:
    case SWEEP_UNSUBSCRIBE:
        return visit_act_on_folder(visit, step);
    default:
        return visit_act_on_messages(visit, step);
    }
}

/* Is the folder still the one that was searched? */
static pr_status select_again(struct visit *visit)
{
    struct session *session = &visit->session;
    uint32_t validity = session->mailbox.uidvalidity;
    pr_status status = visit_note(
        visit, visit_source(visit)->select(session->source, session->folder,
                                           &session->mailbox));
    if (status == PR_OK && session->mailbox.uidvalidity != validity) {
        return pr_fail(PR_GONE,
                       "the folder was numbered anew since it was searched: "
                       "nothing was done; the sweep runs again at its time");
    }
    return status;
}

pr_status visit_carry_out(struct visit *visit)
{
    const struct sweep_plan *plan = &visit->box.plan;
    pr_status status = plan->count > 0 ? select_again(visit) : PR_OK;
    for (size_t i = 0; status == PR_OK && i < plan->count; i++) {
        if (account_is_stopping(visit->session.run)) {
            return pr_fail(PR_CANCELLED, "asked to stop");
        }
        status = take_step(visit, &plan->steps[i]);
    }
    return status;
}

/* ---- What was confirmed -------------------------------------------------- */

pr_status visit_pay(struct visit *visit)
{
    struct session *session = &visit->session;
    struct state_held_folder *held = NULL;
    size_t count = 0;
    pr_status status =
        state_held_folders(session->engine->state, session->account->name,
                           GUARD_CONFIRMED, visit->arena, &held, &count);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        if (strcmp(held[i].folder, session->folder) != 0) {
            status = visit_pay_folder(visit, &held[i]);
        }
    }
    if (status != PR_OK || visit->is_fetched ||
        session->record.uidvalidity != session->mailbox.uidvalidity) {
        return status;
    }
    status = state_rows(session->engine->state, session->record.id, 1,
                        session->arena, &session->rows, &session->row_count);
    for (size_t i = 0; status == PR_OK && i < session->row_count; i++) {
        const struct state_row *row = &session->rows[i];
        struct pr_item item = {.uid = row->uid};
        if (row->stage == STAGE_OWED && is_owing_at(&row->debt, time(NULL))) {
            status = session_owe(session, &item, &row->debt);
        }
    }
    return status == PR_OK ? visit_note(visit, session_settle(session))
                           : status;
}
