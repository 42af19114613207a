/*
 * `postrider poll`: the daemon polls now, ahead of what is merely due.
 */
#include "config.h"

#include <string.h>
#include <sysexits.h>

#include "cli/ask.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "control/event.h"

/* What went wrong, in the words of a fetch of our own. */
static void tell_error(const json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const char *account = json_string_value(json_object_get(line, "account"));
    const char *folder = json_string_value(json_object_get(line, "folder"));
    const char *error = json_string_value(json_object_get(line, "error"));
    const struct pr_log above = {NULL, account};
    const struct pr_log place = {&above, folder};
    if (event == NULL || error == NULL) {
        return;
    }
    if (strcmp(event, "account") == 0) {
        pr_log(&place, PR_LOG_ERROR, "%s", error);
    } else {
        pr_log(&place, PR_LOG_WARNING, "message %lld is put off: %s",
               (long long)json_integer_value(json_object_get(line, "uid")),
               error);
    }
}

/* Nobody is to think that all of the mail is here. */
static void on_paused(void *user, const char *account)
{
    const struct pr_log log = {NULL, account};
    (void)user;
    pr_log(&log, PR_LOG_WARNING,
           "is paused; postrider poll %s takes its mail all the same", account);
}

static void tell(void *user, const json_t *line)
{
    tell_error(line);
    event_tell(line, user);
    report_live(((struct engine_observer *)user)->user);
}

int poll_by_daemon(struct call *call, const struct invocation *invocation,
                   bool is_poll)
{
    struct fetch_report report;
    report_init(&report, invocation);
    report.shows_summary =
        report.shows_summary || (is_poll && !invocation->json);
    struct engine_observer observer = report_observer(&report);
    observer.paused = on_paused;
    json_t *request = ask_request("poll", invocation, true);
    json_object_set_new(request, "report", json_true());
    if (invocation->retry) {
        json_object_set_new(request, "retry", json_true());
    }
    if (invocation->sweep) {
        json_object_set_new(request, "sweep", json_true());
    }
    int result = ask(call, request, 0, tell, &observer);
    terminal_progress("");
    return graver_of(result, report_exit_status(&report));
}

static int run(const struct invocation *invocation)
{
    struct call *call;
    int result = ask_open(invocation, &call);
    if (result != EX_OK) {
        return result;
    }
    result = poll_by_daemon(call, invocation, true);
    call_close(call);
    return result;
}

const struct command command_poll = {
    .name = "poll",
    .arguments = "[ACCOUNT...]",
    .summary = "Let the daemon poll now: the accounts named, or all",
    .help = "Ahead of what is merely due; also an account that waits because "
            "of trouble. One that is\npaused is polled if it is named; else it "
            "is left out, and a line says so. Ends when they\nare done, with "
            "the exit status of `postrider fetch`.\n",
    .options = "jrvs",
    .run = run,
};
