/*
 * A step of a sweep over a folder: made, renamed, deleted, subscribed to.
 */
#include "config.h"

#include <string.h>

#include "engine/sweeps.h"
#include "state/guard.h"
#include "state/sweeps.h"

static pr_status note_glance(void *user, const struct pr_glance *glance)
{
    struct pr_glance *ret = user;
    *ret = *glance;
    ret->folder = NULL;
    return PR_OK;
}

static pr_status glance_at(struct visit *visit, const char *folder,
                           struct pr_glance *ret)
{
    const char *const folders[] = {folder, NULL};
    *ret = (struct pr_glance){.is_there = false};
    return visit_note(visit,
                      visit_source(visit)->glance(visit->session.source,
                                                  folders, note_glance, ret));
}

static pr_status manage(struct visit *visit, enum pr_folder_change change,
                        const char *folder, const char *to)
{
    return visit_note(visit, visit_source(visit)->manage(visit->session.source,
                                                         change, folder, to));
}

/* Not every server says that it is there already. */
static pr_status create(struct visit *visit, const char *folder)
{
    pr_status status = manage(visit, PR_FOLDER_CREATE, folder, NULL);
    struct pr_failure failure = *pr_last_failure();
    struct pr_glance glance;
    if (status != PR_REFUSED) {
        return status;
    }
    status = glance_at(visit, folder, &glance);
    return status == PR_OK && glance.is_there
               ? PR_OK
               : pr_fail(failure.status, "%s", failure.text);
}

/* What is known of a folder, and of those below it, goes along. */
static pr_status rename_folder(struct visit *visit, const char *from,
                               const char *to)
{
    struct session *session = &visit->session;
    const char **names = NULL;
    size_t count = 0, size = strlen(from);
    struct state_changes *changes;
    pr_status status = manage(visit, PR_FOLDER_RENAME, from, to);
    if (status == PR_OK) {
        status =
            state_folders_below(session->engine->state, session->account->name,
                                from, visit->arena, &names, &count);
    }
    if (status == PR_OK) {
        status = state_begin(session->engine->state, &changes);
    }
    if (status != PR_OK) {
        return status;
    }
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        struct pr_glance glance = {.is_there = false};
        if (names[i][size] != '\0' && strchr("/.\\", names[i][size]) == NULL) {
            continue;
        }
        if (names[i][size] != '\0') {
            status = glance_at(visit, names[i], &glance);
        }
        const char *name =
            pr_arena_printf(visit->arena, "%s%s", to, names[i] + size);
        if (status == PR_OK && name == NULL) {
            status = PR_NOMEM;
        }
        if (status == PR_OK && !glance.is_there) {
            state_renamed(changes, session->account->name, names[i], name);
        }
    }
    if (status != PR_OK) {
        state_drop(changes);
        return status;
    }
    return state_commit(changes);
}

static pr_status hold_folder(struct visit *visit, const struct sweep_step *step,
                             uint64_t messages)
{
    struct state_changes *changes;
    const struct state_held_folder held = {
        .account = visit->session.account->name,
        .folder = step->text,
        .guard = GUARD_HELD,
        .messages = messages,
        .rule = visit->sweep->name,
        .file = step->file,
        .line = step->line,
    };
    pr_status status = state_begin(visit->session.engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_hold_folder(changes, &held);
    pr_log(&visit->session.log, PR_LOG_WARNING,
           "sweep \"%s\" wants the folder \"%s\" deleted, with more messages "
           "than limit_deletions allows: see postrider status",
           visit->sweep->name, step->text);
    return state_commit(changes);
}

/* *ret_held: it waits to be confirmed. */
static pr_status drop(struct visit *visit, const struct sweep_step *step,
                      bool *ret_held)
{
    struct session *session = &visit->session;
    struct pr_glance glance;
    pr_status status = glance_at(visit, step->text, &glance);
    if (status != PR_OK) {
        return status;
    }
    if (!glance.is_there) {
        return pr_fail(PR_GONE, "there is no folder \"%s\"", step->text);
    }
    if (glance.exists > 0 && !step->with_messages) {
        return pr_fail(PR_REFUSED,
                       "\"%s\" has %u message%s: folders.delete(\"%s\", { "
                       "with_messages = true }) deletes them, too",
                       step->text, glance.exists, glance.exists == 1 ? "" : "s",
                       step->text);
    }
    *ret_held = glance.exists > 0 &&
                !deletions_are_allowed(session->account, glance.exists,
                                       session->run->deleted, 0);
    if (session->engine->dry_run) {
        return PR_OK;
    }
    if (*ret_held) {
        return hold_folder(visit, step, glance.exists);
    }
    status = manage(visit, PR_FOLDER_DELETE, step->text, NULL);
    if (status == PR_OK) {
        session->run->deleted += glance.exists;
    }
    return status;
}

static pr_status change_folder(struct visit *visit,
                               const struct sweep_step *step, bool *ret_held)
{
    if (step->action == SWEEP_DROP) {
        return drop(visit, step, ret_held);
    }
    if (visit->session.engine->dry_run) {
        return PR_OK;
    }
    switch (step->action) {
    case SWEEP_CREATE:
        return create(visit, step->text);
    case SWEEP_RENAME:
        return rename_folder(visit, step->text, step->value);
    case SWEEP_SUBSCRIBE:
        return manage(visit, PR_FOLDER_SUBSCRIBE, step->text, NULL);
    default:
        return manage(visit, PR_FOLDER_UNSUBSCRIBE, step->text, NULL);
    }
}

pr_status visit_act_on_folder(struct visit *visit,
                              const struct sweep_step *step)
{
    bool is_held = false;
    pr_shield_begin();
    pr_status status = change_folder(visit, step, &is_held);
    pr_shield_end();
    if (status != PR_OK) {
        visit_fail_step(visit, step, NULL, 0, status);
        return visit->broken.status != PR_OK ? status : PR_OK;
    }
    visit_report(visit, step, NULL, 0, 0,
                 visit->session.engine->dry_run ? "planned"
                 : is_held                      ? "held"
                                                : "done",
                 is_held ? visit_held_words : NULL);
    return PR_OK;
}

pr_status visit_pay_folder(struct visit *visit,
                           const struct state_held_folder *held)
{
    struct state_held_folder over = *held;
    struct state_changes *changes;
    pr_status status = manage(visit, PR_FOLDER_DELETE, held->folder, NULL);
    if (status != PR_OK && status != PR_GONE) {
        pr_log(&visit->session.log, PR_LOG_WARNING,
               "the folder \"%s\" is not deleted: %s", held->folder,
               pr_last_failure()->text);
        return visit->broken.status != PR_OK ? status : PR_OK;
    }
    over.guard = GUARD_NONE;
    status = state_begin(visit->session.engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_hold_folder(changes, &over);
    return state_commit(changes);
}
