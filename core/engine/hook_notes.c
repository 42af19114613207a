/*
 * What has been told to hooks: noted, reported, or to be told again.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "engine/events.h"
#include "mail/flags.h"

/* So long a message that is gone is known again where it arrives, and one that
 * we sent to a folder is expected there; in seconds. */
#define GONE_AGE ((int64_t)7 * 24 * 60 * 60)
#define EXPECTED_AGE ((int64_t)10 * 60)

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static const char *view_field_of(struct message *message, const char *name)
{
    size_t index = 0;
    struct view_field field;
    return message != NULL && message->view != NULL &&
                   view_find_field(message->view, name, &index, &field)
               ? field.value
               : NULL;
}

void hooks_report(struct lookout *lookout, struct happening *happening,
                  struct state_changes *changes, const char *outcome)
{
    struct session *session = lookout->session;
    const struct state_sighting *sighting = &happening->sighting;
    struct message *message = happening->message;
    bool has_view = message != NULL && message->view != NULL;
    struct event_report report = {
        .account = session->account->name,
        .folder = session->folder,
        .uid = happening->item.uid,
        .event = hook_kind_name(happening->kind),
        .from = happening->from,
        .message_id = or_empty(has_view ? view_message_id(message->view)
                                        : sighting->message_id),
        .sender = or_empty(has_view ? view_field_of(message, "From")
                                    : sighting->sender),
        .subject = or_empty(has_view ? view_field_of(message, "Subject")
                                     : sighting->subject),
        .hook = happening->hook.name,
        .file = happening->hook.file,
        .line = happening->hook.line,
        .status = outcome,
        .error = happening->error,
        .plan = message != NULL ? &message->plan : NULL,
    };
    if (changes != NULL) {
        const struct state_event event = {
            .time = time(NULL),
            .account = report.account,
            .folder = report.folder,
            .uid = report.uid,
            .message_id = *report.message_id != '\0' ? report.message_id : NULL,
            .sender = report.sender,
            .subject = report.subject,
            .action = report.event,
            .target = happening->deed.move_to,
            .rule = report.hook,
            .file = report.file,
            .line = report.line,
            .outcome = outcome,
            .reason = report.error};
        state_history(changes, &event);
    }
    if (session->engine->observer.event != NULL) {
        session->engine->observer.event(session->engine->observer.user,
                                        &report);
    }
}

/* It is as the hooks left it. */
static pr_status note_seen(struct lookout *lookout, struct happening *happening,
                           struct state_changes *changes)
{
    struct state_sighting *sighting = &happening->sighting;
    bool is_done =
        happening_is_run(happening) && !lookout->session->source->read_only;
    sighting->tries = 0;
    sighting->is_new = false;
    sighting->is_ours = false;
    if (is_done && happening_removes(happening)) {
        state_unsee(changes, lookout->session->record.id, sighting->uid);
        return PR_OK;
    }
    if (is_done) {
        pr_status status =
            flags_change(lookout->arena, &sighting->flags, &happening->deed.set,
                         &happening->deed.clear, &sighting->flags);
        if (status != PR_OK) {
            return status;
        }
    }
    state_see(changes, lookout->session->record.id, sighting);
    return PR_OK;
}

static void log_failure(struct lookout *lookout,
                        const struct happening *happening, bool is_last)
{
    pr_log(&lookout->session->log, is_last ? PR_LOG_ERROR : PR_LOG_WARNING,
           "message %u: %s%s", happening->item.uid, or_empty(happening->error),
           is_last ? "; given up, it is not told to the hook again"
                   : "; the hook hears of it again at the next visit");
}

/* It is told once more at the next visit, which finds it as it was. */
static void note_again(struct lookout *lookout, struct happening *happening,
                       struct state_changes *changes)
{
    struct state_sighting again = happening->sighting;
    again.tries++;
    again.gone = 0;
    again.is_ours = false;
    if (happening->was_known) {
        again.flags = happening->old;
    }
    state_see(changes, lookout->session->record.id, &again);
    lookout->is_pending = true;
    lookout->session->run->report.put_off++;
}

static pr_status note_one(struct lookout *lookout, struct happening *happening,
                          struct state_changes *changes)
{
    if (happening->expected != 0) {
        state_arrived(changes, happening->expected);
    }
    if (happening->kind == 0 || happening->result == PR_OK) {
        if (happening->message != NULL && happening->hook.name != NULL) {
            rules_note(happening->message, changes);
            hooks_report(lookout, happening, changes, "done");
        }
        return note_seen(lookout, happening, changes);
    }
    bool is_last = happening->sighting.tries + 1 >= HOOK_TRIES;
    log_failure(lookout, happening, is_last);
    hooks_report(lookout, happening, changes, is_last ? "failed" : "later");
    if (!is_last) {
        note_again(lookout, happening, changes);
        return PR_OK;
    }
    return note_seen(lookout, happening, changes);
}

static void leave(struct happening *happening)
{
    if (happening->message != NULL && happening->result == PR_OK) {
        rules_noted(happening->message);
    }
    message_free(happening->message);
    happening->message = NULL;
}

/* The words of what failed before stay. */
pr_status hooks_note(struct lookout *lookout, size_t first, size_t end,
                     const struct state_lookout *position)
{
    struct session *session = lookout->session;
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    for (size_t i = first; status == PR_OK && i < end; i++) {
        status = note_one(lookout, lookout->happenings[i], changes);
    }
    if (status != PR_OK) {
        state_drop(changes);
        return status;
    }
    if (position != NULL && !lookout->is_pending) {
        state_look(changes, session->record.id, position);
    }
    if (position != NULL && lookout->count > 0) {
        int64_t now = time(NULL);
        state_prune_sightings(changes, session->record.id,
                              session->account->name, session->folder,
                              now - GONE_AGE, now - EXPECTED_AGE);
    }
    crash_point("hooks: before they are noted");
    status = state_commit(changes);
    for (size_t i = first; status == PR_OK && i < end; i++) {
        leave(lookout->happenings[i]);
    }
    return status;
}
