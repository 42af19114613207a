/*
 * Words about a message, for the observer and for the history.
 */
#include <string.h>
#include <time.h>

#include "engine/parts.h"

/* The action that decided, as users call it. */
static const char *action_of(const struct letter *letter)
{
    if (letter->final == NULL || letter->final->action == PLAN_STOP) {
        return "deliver";
    }
    return plan_action_name(letter->final->action);
}

static const char *place_of(struct letter *letter, const struct target *target)
{
    const char *place =
        target->folder[0] == '\0'
            ? target->sink->name
            : pr_arena_printf(letter->message->arena, "%s/%s",
                              target->sink->name, target->folder);
    return place != NULL ? place : target->sink->name;
}

static const struct target_try *try_of(const struct letter *letter,
                                       size_t index)
{
    return letter->target_tries != NULL && index < letter->target_count
               ? &letter->target_tries[index]
               : NULL;
}

static const char *word_of(pr_status status)
{
    return status == PR_OK ? "done" : status == PR_REFUSED ? "failed" : "later";
}

/* What was not tried fares as the whole message, and for the same reason. */
static struct target_outcome outcome_of(const struct letter *letter,
                                        size_t index, const char *outcome)
{
    const struct target_try *one = try_of(letter, index);
    struct target_outcome ret = {outcome, letter->trouble};
    if (one != NULL && one->result != PR_OK) {
        ret.status = word_of(one->result);
        ret.error = one->words != NULL ? one->words : "out of memory";
    } else if (one != NULL && (one->was_there || one->delivery != NULL)) {
        ret = (struct target_outcome){word_of(PR_OK), NULL};
    }
    return ret;
}

/* The places it goes to here, or the folder it goes to on the server, and how
 * it fared there. */
static void fill_targets(struct letter *letter, const char *outcome,
                         struct message_report *report)
{
    static const char *const none[] = {NULL};
    struct pr_arena *arena = letter->message->arena;
    size_t count = letter->target_count;
    const char **places = pr_arena_array(arena, count + 2, sizeof(*places));
    struct target_outcome *outcomes =
        pr_arena_array(arena, count + 1, sizeof(*outcomes));
    report->targets = none;
    if (places == NULL || outcomes == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        places[i] = place_of(letter, &letter->targets[i]);
    }
    if (letter->final != NULL && letter->final->action == PLAN_MOVE) {
        places[count] = letter->final->text;
    }
    for (size_t i = 0; i < count + 1; i++) {
        outcomes[i] = outcome_of(letter, i, outcome);
    }
    report->targets = places;
    report->outcomes = outcomes;
}

static const char *field_of(struct view *view, const char *name)
{
    size_t index = 0;
    struct view_field field;
    return view != NULL && view_find_field(view, name, &index, &field)
               ? field.value
               : "";
}

/* Why it fared so there, or what the far side calls it. */
static const char *reason_of(const struct letter *letter, size_t index,
                             const struct target_outcome *outcome)
{
    const struct target_try *one = try_of(letter, index);
    if (outcome->error != NULL || one == NULL) {
        return outcome->error;
    }
    if (one->was_there) {
        return "by an earlier try";
    }
    return one->delivery != NULL && one->delivery->note[0] != '\0'
               ? one->delivery->note
               : NULL;
}

/* What an earlier try delivered was noted then. It is told of again when all is
 * done, since a crash may have come between. */
static bool is_old_news(const struct letter *letter, size_t index)
{
    const struct target_try *one = try_of(letter, index);
    return letter->trouble != NULL && one != NULL && one->was_there;
}

static void note_history(struct letter *letter, struct state_changes *changes,
                         const struct message_report *report)
{
    struct state_event event = {
        .time = time(NULL),
        .account = report->account,
        .folder = report->folder,
        .uid = report->uid,
        .message_id = report->message_id,
        .sender = report->sender,
        .subject = report->subject,
        .action = report->action,
        .rule = report->rule,
        .file = report->file,
        .line = report->line,
        .outcome = report->status,
        .reason = report->error,
    };
    if (report->error == NULL && letter->final != NULL) {
        event.reason =
            letter->final->action == PLAN_DISCARD ? letter->final->text : NULL;
    }
    if (report->targets[0] == NULL) {
        state_history(changes, &event);
    }
    for (size_t i = 0; report->targets[i] != NULL; i++) {
        struct state_event one = event;
        const char *reason = reason_of(letter, i, &report->outcomes[i]);
        if (is_old_news(letter, i)) {
            continue;
        }
        one.target = report->targets[i];
        one.outcome = report->outcomes[i].status;
        if (reason != NULL || report->error != NULL) {
            one.reason = reason;
        }
        state_history(changes, &one);
    }
}

void report_letter(struct letter *letter, struct state_changes *changes,
                   const char *outcome)
{
    struct engine *engine = letter->session->engine;
    struct view *view = NULL;
    if (message_view(letter->message, &view) != PR_OK) {
        view = NULL;
    }
    struct message_report report = {
        .account = letter->session->account->name,
        .folder = letter->session->folder,
        .uid = letter->entry->item.uid,
        .message_id = view != NULL ? view_message_id(view) : "",
        .sender = field_of(view, "From"),
        .subject = field_of(view, "Subject"),
        .size = letter->message->is_header_only
                    ? letter->entry->item.size
                    : pr_spool_wire_size(letter->message->spool),
        .received = letter->entry->item.received,
        .rules_us = letter->message->rules_us,
        .action = action_of(letter),
        .rule = letter->final != NULL ? letter->final->rule : NULL,
        .file = letter->final != NULL ? letter->final->file : NULL,
        .line = letter->final != NULL ? letter->final->line : 0,
        .status = outcome,
        .error = letter->trouble,
        .plan = &letter->message->plan,
        .cost = &letter->message->cost,
        .to_fetch = letter->message->is_header_only && letter->target_count > 0
                        ? letter->entry->item.size
                        : 0,
    };
    fill_targets(letter, outcome, &report);
    if (changes != NULL) {
        note_history(letter, changes, &report);
    }
    if (engine->observer.message != NULL) {
        engine->observer.message(engine->observer.user, &report);
    }
}
