/*
 * Reports of messages and accounts as lines of the socket, and back.
 */
#include "config.h"

#include "control/event.h"

#include <string.h>

#include "base/text.h"

enum { TARGETS_MOST = 200, TEXT_MOST = 2000 };

json_t *event_text(const char *text)
{
    char shown[TEXT_MOST];
    if (text == NULL) {
        return json_null();
    }
    return json_string(text_printable(pr_bytes_of(text), shown, sizeof(shown)));
}

static json_t *texts_of(const char *const *texts)
{
    json_t *list = json_array();
    for (; texts != NULL && *texts != NULL; texts++) {
        json_array_append_new(list, event_text(*texts));
    }
    return list;
}

static json_t *outcomes_of(const struct message_report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; report->outcomes != NULL && report->targets[i] != NULL;
         i++) {
        json_array_append_new(
            list,
            json_pack("{s:o,s:s,s:o}", "target", event_text(report->targets[i]),
                      "status", report->outcomes[i].status, "error",
                      event_text(report->outcomes[i].error)));
    }
    return list;
}

json_t *event_of_message(const struct message_report *report)
{
    return json_pack(
        "{s:s,s:o,s:o,s:I,s:o,s:o,s:o,s:I,s:I,s:s,s:o,s:o,s:o,s:o,s:i,s:s,s:o}",
        "event", "message", "account", event_text(report->account), "folder",
        event_text(report->folder), "uid", (json_int_t)report->uid,
        "message_id", event_text(report->message_id), "from",
        event_text(report->sender), "subject", event_text(report->subject),
        "size", (json_int_t)report->size, "received",
        (json_int_t)report->received, "action", report->action, "targets",
        texts_of(report->targets), "outcomes", outcomes_of(report), "rule",
        event_text(report->rule), "file", event_text(report->file), "line",
        report->line, "status", report->status, "error",
        event_text(report->error));
}

json_t *event_of_hook(const struct event_report *report)
{
    return json_pack(
        "{s:s,s:o,s:o,s:I,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:i,s:s,s:o}", "event",
        "hook", "account", event_text(report->account), "folder",
        event_text(report->folder), "uid", (json_int_t)report->uid, "what",
        report->event, "moved_from", event_text(report->from), "message_id",
        event_text(report->message_id), "from", event_text(report->sender),
        "subject", event_text(report->subject), "hook",
        event_text(report->hook), "file", event_text(report->file), "line",
        report->line, "status", report->status, "error",
        event_text(report->error));
}

json_t *event_of_undo(const struct undo_report *report)
{
    return json_pack(
        "{s:s,s:o,s:o,s:I,s:I,s:s,s:o,s:I,s:o,s:I,s:o,s:o,s:o,s:o,s:s,s:o}",
        "event", "undo", "account", event_text(report->account), "folder",
        event_text(report->folder), "uid", (json_int_t)report->uid, "time",
        (json_int_t)report->time, "action", report->action, "target",
        event_text(report->target), "set", (json_int_t)report->set.system,
        "set_keywords", event_text(report->set.keywords), "cleared",
        (json_int_t)report->clear.system, "cleared_keywords",
        event_text(report->clear.keywords), "message_id",
        event_text(report->message_id), "from", event_text(report->sender),
        "subject", event_text(report->subject), "status", report->status,
        "reason", event_text(report->reason));
}

json_t *event_of_sweep(const struct sweep_report *report)
{
    return json_pack(
        "{s:s,s:o,s:o,s:o,s:o,s:i,s:s,s:o,s:o,s:I,s:s,s:s,s:o}", "event",
        "sweep", "account", event_text(report->account), "folder",
        event_text(report->folder), "sweep", event_text(report->sweep), "file",
        event_text(report->file), "line", report->line, "action",
        report->action, "text", event_text(report->text), "to",
        event_text(report->to), "messages", (json_int_t)report->messages,
        "uids", report->uids, "status", report->status, "error",
        event_text(report->error));
}

json_t *event_of_account(const struct account_report *report)
{
    return json_pack(
        "{s:s,s:o,s:s,s:I,s:I,s:I,s:I,s:o}", "event", "account", "account",
        event_text(report->account), "status", pr_status_name(report->status),
        "messages", (json_int_t)report->messages, "octets",
        (json_int_t)report->octets, "put_off", (json_int_t)report->put_off,
        "ms", (json_int_t)report->ms, "error", event_text(report->error));
}

/* ---- Back ---------------------------------------------------------------- */

pr_status status_of_name(const char *name)
{
    for (int status = PR_OK; status <= PR_BUG; status++) {
        if (strcmp(name, pr_status_name((pr_status)status)) == 0) {
            return (pr_status)status;
        }
    }
    return PR_BUG;
}

static const char *text_at(const json_t *event, const char *name)
{
    return json_string_value(json_object_get(event, name));
}

static const char *text_or_empty(const json_t *event, const char *name)
{
    const char *text = text_at(event, name);
    return text != NULL ? text : "";
}

static uint64_t number_at(const json_t *event, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(event, name));
    return number > 0 ? (uint64_t)number : 0;
}

static void tell_message(const json_t *event,
                         const struct engine_observer *observer)
{
    const char *targets[TARGETS_MOST + 1] = {NULL};
    struct target_outcome outcomes[TARGETS_MOST];
    const json_t *list = json_object_get(event, "outcomes");
    for (size_t i = 0, count = 0;
         i < json_array_size(list) && count < TARGETS_MOST; i++) {
        const json_t *one = json_array_get(list, i);
        const char *target = text_at(one, "target");
        if (target != NULL) {
            outcomes[count] = (struct target_outcome){
                text_or_empty(one, "status"), text_at(one, "error")};
            targets[count++] = target;
        }
    }
    struct message_report report = {
        .account = text_or_empty(event, "account"),
        .folder = text_or_empty(event, "folder"),
        .uid = (uint32_t)number_at(event, "uid"),
        .message_id = text_or_empty(event, "message_id"),
        .sender = text_or_empty(event, "from"),
        .subject = text_or_empty(event, "subject"),
        .size = number_at(event, "size"),
        .received = (int64_t)number_at(event, "received"),
        .action = text_or_empty(event, "action"),
        .targets = targets,
        .outcomes = outcomes,
        .rule = text_at(event, "rule"),
        .file = text_at(event, "file"),
        .line = (int)number_at(event, "line"),
        .status = text_or_empty(event, "status"),
        .error = text_at(event, "error"),
    };
    observer->message(observer->user, &report);
}

static void tell_hook(const json_t *event,
                      const struct engine_observer *observer)
{
    const struct event_report report = {
        .account = text_or_empty(event, "account"),
        .folder = text_or_empty(event, "folder"),
        .uid = (uint32_t)number_at(event, "uid"),
        .event = text_or_empty(event, "what"),
        .from = text_at(event, "moved_from"),
        .message_id = text_or_empty(event, "message_id"),
        .sender = text_or_empty(event, "from"),
        .subject = text_or_empty(event, "subject"),
        .hook = text_or_empty(event, "hook"),
        .file = text_or_empty(event, "file"),
        .line = (int)number_at(event, "line"),
        .status = text_or_empty(event, "status"),
        .error = text_at(event, "error"),
    };
    observer->event(observer->user, &report);
}

static void tell_sweep(const json_t *event,
                       const struct engine_observer *observer)
{
    const struct sweep_report report = {
        .account = text_or_empty(event, "account"),
        .folder = text_or_empty(event, "folder"),
        .sweep = text_or_empty(event, "sweep"),
        .file = text_or_empty(event, "file"),
        .line = (int)number_at(event, "line"),
        .action = text_or_empty(event, "action"),
        .text = text_at(event, "text"),
        .to = text_at(event, "to"),
        .messages = number_at(event, "messages"),
        .uids = text_or_empty(event, "uids"),
        .status = text_or_empty(event, "status"),
        .error = text_at(event, "error"),
    };
    observer->sweep(observer->user, &report);
}

static void tell_account(const json_t *event,
                         const struct engine_observer *observer)
{
    struct account_report report = {
        .account = text_or_empty(event, "account"),
        .status = status_of_name(text_or_empty(event, "status")),
        .error = text_at(event, "error"),
        .messages = number_at(event, "messages"),
        .octets = number_at(event, "octets"),
        .put_off = number_at(event, "put_off"),
        .ms = number_at(event, "ms"),
    };
    observer->account(observer->user, &report);
}

static void tell_undone(const json_t *event,
                        const struct engine_observer *observer)
{
    const struct undo_report report = {
        .account = text_or_empty(event, "account"),
        .folder = text_or_empty(event, "folder"),
        .uid = (uint32_t)number_at(event, "uid"),
        .time = (int64_t)number_at(event, "time"),
        .action = text_or_empty(event, "action"),
        .target = text_at(event, "target"),
        .set = {(unsigned)number_at(event, "set"),
                text_at(event, "set_keywords")},
        .clear = {(unsigned)number_at(event, "cleared"),
                  text_at(event, "cleared_keywords")},
        .message_id = text_or_empty(event, "message_id"),
        .sender = text_or_empty(event, "from"),
        .subject = text_or_empty(event, "subject"),
        .status = text_or_empty(event, "status"),
        .reason = text_at(event, "reason"),
    };
    observer->undone(observer->user, &report);
}

void event_tell(const json_t *event, const struct engine_observer *observer)
{
    const char *kind = text_or_empty(event, "event");
    if (strcmp(kind, "message") == 0 && observer->message != NULL) {
        tell_message(event, observer);
    } else if (strcmp(kind, "hook") == 0 && observer->event != NULL) {
        tell_hook(event, observer);
    } else if (strcmp(kind, "sweep") == 0 && observer->sweep != NULL) {
        tell_sweep(event, observer);
    } else if (strcmp(kind, "account") == 0 && observer->account != NULL) {
        tell_account(event, observer);
    } else if (strcmp(kind, "undo") == 0 && observer->undone != NULL) {
        tell_undone(event, observer);
    } else if (strcmp(kind, "paused") == 0 && observer->paused != NULL) {
        observer->paused(observer->user, text_or_empty(event, "account"));
    }
}
