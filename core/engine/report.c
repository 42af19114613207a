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

/* The places it goes to here, or the folder it goes to on the server. */
static const char *const *places_of(struct letter *letter)
{
    static const char *const none[] = {NULL};
    const char **places = pr_arena_array(
        letter->message->arena, letter->target_count + 2, sizeof(*places));
    if (places == NULL) {
        return none;
    }
    for (size_t i = 0; i < letter->target_count; i++) {
        places[i] = place_of(letter, &letter->targets[i]);
    }
    if (letter->final != NULL && letter->final->action == PLAN_MOVE) {
        places[letter->target_count] = letter->final->text;
    }
    return places;
}

static const char *field_of(struct view *view, const char *name)
{
    size_t index = 0;
    struct view_field field;
    return view != NULL && view_find_field(view, name, &index, &field)
               ? field.value
               : "";
}

/* What the far side calls it there. */
static const char *note_of(const struct letter *letter, size_t index)
{
    if (index >= letter->target_count) {
        return NULL;
    }
    const struct target *target = &letter->targets[index];
    if (letter->reply_trouble != NULL && letter_is_reply(letter, target)) {
        return letter->reply_trouble;
    }
    for (size_t i = 0; i < letter->delivery_count; i++) {
        const struct pr_delivery *delivery = &letter->deliveries[i];
        if (letter->sinks[i] == target->sink && delivery->note[0] != '\0' &&
            strcmp(delivery->place, target->folder) == 0) {
            return delivery->note;
        }
    }
    return NULL;
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
        one.target = report->targets[i];
        if (one.reason == NULL) {
            one.reason = note_of(letter, i);
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
        .targets = places_of(letter),
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
    if (changes != NULL) {
        note_history(letter, changes, &report);
    }
    if (engine->observer.message != NULL) {
        engine->observer.message(engine->observer.user, &report);
    }
}
