/*
 * What the daemon answers to each request.
 */
#include "config.h"

#include "control/answer.h"

#include "control/event.h"
#include "control/openmetrics.h"
#include "control/report.h"
#include "state/guard.h"

enum {
    FOLLOW_PAUSE = 100, /* ms between two lines of status at the least */
    FOLLOW_BEAT = 1000  /* and at the most */
};

static json_t *done(void)
{
    return json_pack("{s:b}", "ok", 1);
}

static json_t *failed(pr_status status)
{
    const struct pr_failure *failure = pr_last_failure();
    const char *text = failure->status == status && failure->text[0] != '\0'
                           ? failure->text
                       : status == PR_CANCELLED ? "the daemon stops"
                                                : pr_status_name(status);
    return json_pack("{s:b,s:s,s:o}", "ok", 0, "error", pr_status_name(status),
                     "text", event_text(text));
}

static json_t *outcome(pr_status status)
{
    return status == PR_OK ? done() : failed(status);
}

/* ---- Status -------------------------------------------------------------- */

/* The next thing that changes a status, or the beat. */
static pr_status wait_for_change(struct control *control)
{
    pr_status status = pr_sleep(FOLLOW_PAUSE);
    return status == PR_OK ? pr_event_wait(daemon_changes(control->daemon),
                                           pr_in(FOLLOW_BEAT - FOLLOW_PAUSE))
                           : status;
}

static json_t *answer_status(struct control *control,
                             const struct request *request,
                             struct client *client)
{
    json_t *status;
    pr_status result = report_status(control, &status);
    while (result == PR_OK && request->follow && !client_is_gone(client)) {
        json_object_set_new(status, "event", json_string("status"));
        client_send(client, status);
        result = wait_for_change(control);
        if (result == PR_OK || result == PR_TIMEOUT) {
            result = report_status(control, &status);
        }
    }
    if (result != PR_OK) {
        return failed(result);
    }
    json_object_set_new(status, "ok", json_true());
    return status;
}

static json_t *answer_metrics(struct control *control)
{
    struct pr_buffer text;
    pr_buffer_init(&text, METRICS_MAX);
    pr_status status = report_metrics(control, &text);
    json_t *line = status == PR_OK ? json_pack("{s:b,s:s}", "ok", 1, "metrics",
                                               pr_buffer_text(&text))
                                   : failed(status);
    pr_buffer_done(&text);
    return line;
}

/* ---- Work ---------------------------------------------------------------- */

static void tell_message(void *user, const struct message_report *report)
{
    client_send(user, event_of_message(report));
}

static void tell_hook(void *user, const struct event_report *report)
{
    client_send(user, event_of_hook(report));
}

static void tell_sweep(void *user, const struct sweep_report *report)
{
    client_send(user, event_of_sweep(report));
}

static void tell_account(void *user, const struct account_report *report)
{
    client_send(user, event_of_account(report));
}

static void tell_paused(void *user, const char *account)
{
    client_send(user, json_pack("{s:s,s:o}", "event", "paused", "account",
                                event_text(account)));
}

static json_t *answer_poll(struct control *control,
                           const struct request *request, struct client *client)
{
    const struct engine_observer observer = {
        .user = client,
        .message = request->report ? tell_message : NULL,
        .account = tell_account,
        .event = request->report ? tell_hook : NULL,
        .sweep = request->report ? tell_sweep : NULL,
        .paused = tell_paused,
    };
    return outcome(daemon_poll(control->daemon, request->accounts,
                               (request->retry ? ENGINE_RETRY : 0) |
                                   (request->sweep ? ENGINE_SWEEP : 0),
                               &observer));
}

static json_t *answer_reload(struct control *control)
{
    struct pr_buffer problems;
    pr_buffer_init(&problems, 65536);
    pr_status status = control_reload(control, &problems);
    json_t *line = outcome(status);
    if (status != PR_OK && problems.size > 0) {
        json_object_set_new(line, "problems",
                            json_string(pr_buffer_text(&problems)));
    }
    if (status != PR_OK && status != PR_CANCELLED && control->reload_is_used) {
        json_object_set_new(line, "used", json_true());
    }
    pr_buffer_done(&problems);
    return line;
}

static json_t *answer_retry(struct control *control,
                            const struct request *request)
{
    const char *account;
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL
            ? PR_NOMEM
            : state_aside_retry(control->state, request->id, arena, &account);
    if (status == PR_OK) {
        const char *const accounts[] = {account, NULL};
        const struct engine_observer nobody = {0};
        status = daemon_poll(control->daemon, accounts, 0, &nobody);
    }
    json_t *line = outcome(status);
    pr_arena_free(arena);
    return line;
}

/* What is confirmed is done at once, what rules run over again too. */
static json_t *answer_held(struct control *control,
                           const struct request *request, enum held_answer what)
{
    const char *account;
    uint64_t messages = 0;
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL ? PR_NOMEM
                      : state_held_answer(control->state, request->id, what,
                                          arena, &account, &messages);
    if (status == PR_OK && what != HELD_REFUSE) {
        const char *const accounts[] = {account, NULL};
        const struct engine_observer nobody = {0};
        status = daemon_poll(control->daemon, accounts, 0, &nobody);
    }
    json_t *line = outcome(status);
    json_object_set_new(line, "messages", json_integer((json_int_t)messages));
    pr_arena_free(arena);
    return line;
}

static void tell_undone(void *user, const struct undo_report *report)
{
    client_send(user, event_of_undo(report));
}

static json_t *answer_undo(struct control *control,
                           const struct request *request, struct client *client)
{
    const struct engine_observer observer = {.user = client,
                                             .account = tell_account,
                                             .undone = tell_undone,
                                             .paused = tell_paused};
    const struct undo_order order = {request->since, request->dry_run};
    if (request->since == 0) {
        return failed(pr_fail(PR_CONFIG, "\"since\" is missing: a time in "
                                         "seconds since 1970"));
    }
    return outcome(
        daemon_undo(control->daemon, request->accounts, &order, &observer));
}

/* ---- The log ------------------------------------------------------------- */

static void tell_missed(struct client *client, uint64_t missed)
{
    if (missed > 0) {
        client_send(client, json_pack("{s:s,s:I}", "event", "missed", "lines",
                                      (json_int_t)missed));
    }
}

/* The lines there are now. */
static pr_status tell_lines(struct client *client, struct logs_cursor *cursor)
{
    struct pr_buffer text;
    pr_status status = PR_OK;
    pr_buffer_init(&text, 65536);
    while (status == PR_OK && !client_is_gone(client)) {
        uint64_t missed;
        pr_buffer_clear(&text);
        status = logs_next(cursor, &text, &missed);
        tell_missed(client, missed);
        if (status == PR_OK) {
            json_t *line = json_loadb(text.data, text.size, 0, NULL);
            if (line != NULL) {
                json_object_set_new(line, "event", json_string("log"));
            }
            client_send(client, line);
        }
    }
    pr_buffer_done(&text);
    return status == PR_EOF ? PR_OK : status;
}

static json_t *answer_log(const struct request *request, struct client *client)
{
    struct logs_cursor cursor = logs_follow(request->level, request->lines);
    pr_status status = tell_lines(client, &cursor);
    while (status == PR_OK && request->follow && !client_is_gone(client)) {
        status = pr_event_wait(logs_news(), PR_NEVER);
        if (status == PR_OK) {
            status = tell_lines(client, &cursor);
        }
    }
    logs_unfollow(&cursor);
    return outcome(status);
}

json_t *answer(struct control *control, const struct request *request,
               struct client *client)
{
    switch (request->kind) {
    case REQUEST_STATUS:
        return answer_status(control, request, client);
    case REQUEST_METRICS:
        return answer_metrics(control);
    case REQUEST_POLL:
        return answer_poll(control, request, client);
    case REQUEST_PAUSE:
        return outcome(daemon_pause(control->daemon, request->accounts));
    case REQUEST_RESUME:
        return outcome(daemon_resume(control->daemon, request->accounts));
    case REQUEST_RELOAD:
        return answer_reload(control);
    case REQUEST_LOG:
        return answer_log(request, client);
    case REQUEST_RETRY:
        return answer_retry(control, request);
    case REQUEST_DROP:
        return outcome(daemon_drop(control->daemon, request->id));
    case REQUEST_CONFIRM:
        return answer_held(control, request, HELD_CONFIRM);
    case REQUEST_REFUSE:
        return answer_held(control, request,
                           request->retry ? HELD_RETRY : HELD_REFUSE);
    case REQUEST_UNDO:
        return answer_undo(control, request, client);
    }
    return failed(pr_fail(PR_BUG, "a request without an answer"));
}
