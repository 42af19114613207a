/*
 * `postrider undo`: what was done on the server is taken back.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/pass.h"
#include "cli/terminal.h"
#include "control/event.h"
#include "mail/flags.h"

struct undoing {
    const struct invocation *invocation;
    size_t undone, planned, kept, failed;
    int exit_status; /* of accounts */
};

/* ---- What is printed ----------------------------------------------------- */

static void add_flags(char *text, size_t size, const struct pr_flags *flags,
                      char sign)
{
    size_t length = strlen(text);
    for (const struct flag_name *one = flag_names; one->name != NULL; one++) {
        if (one->flag != PR_FLAG_RECENT && (flags->system & one->flag) != 0 &&
            length < size) {
            length += (size_t)snprintf(text + length, size - length, " %c%s",
                                       sign, one->name);
        }
    }
    if (flags->keywords != NULL && flags->keywords[0] != '\0' &&
        length < size) {
        (void)snprintf(text + length, size - length, " %c%.100s", sign,
                       flags->keywords);
    }
}

/* "moved to Lists +\Seen" */
static const char *deed_text(const struct undo_report *report, char *text,
                             size_t size)
{
    const char *verb = strcmp(report->action, "move") == 0     ? "moved to "
                       : strcmp(report->action, "copy") == 0   ? "copied to "
                       : strcmp(report->action, "delete") == 0 ? "deleted"
                                                               : "flags";
    snprintf(text, size, "%s%.200s", verb,
             report->target != NULL ? report->target : "");
    add_flags(text, size, &report->set, '+');
    add_flags(text, size, &report->clear, '-');
    return text;
}

static const char *status_word(const char *status)
{
    return strcmp(status, "planned") == 0 ? "would be undone" : status;
}

static void print_line(const struct undo_report *report)
{
    char line[2000], when[20] = "", deed[400];
    struct tm local;
    time_t time = (time_t)report->time;
    if (localtime_r(&time, &local) != NULL) {
        (void)strftime(when, sizeof(when), "%m-%d %H:%M:%S", &local);
    }
    int length = snprintf(
        line, sizeof(line), "%s  %s/%s/%u  %s: %s", when, report->account,
        report->folder, (unsigned)report->uid,
        deed_text(report, deed, sizeof(deed)), status_word(report->status));
    if (report->reason != NULL && (size_t)length < sizeof(line)) {
        length += snprintf(line + length, sizeof(line) - (size_t)length, ", %s",
                           report->reason);
    }
    if (report->subject[0] != '\0' && (size_t)length < sizeof(line)) {
        (void)snprintf(line + length, sizeof(line) - (size_t)length,
                       "  \"%.200s\"", report->subject);
    }
    terminal_print(line);
}

static void on_undone(void *user, const struct undo_report *report)
{
    struct undoing *undoing = user;
    undoing->undone += strcmp(report->status, "undone") == 0;
    undoing->planned += strcmp(report->status, "planned") == 0;
    undoing->kept += strcmp(report->status, "kept") == 0;
    undoing->failed += strcmp(report->status, "failed") == 0;
    if (undoing->invocation->json) {
        json_t *line = event_of_undo(report);
        json_object_del(line, "event");
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    } else {
        print_line(report);
    }
}

static void on_account(void *user, const struct account_report *report)
{
    struct undoing *undoing = user;
    if (report->status != PR_OK) {
        terminal_complain("%s: %s", report->account,
                          report->error != NULL
                              ? report->error
                              : pr_status_name(report->status));
        undoing->exit_status =
            graver_of(undoing->exit_status, exit_status_of(report->status));
    }
}

/* Where somebody has an account rest because of what it did, "nothing was done"
 * would be the wrong answer. */
static void on_paused(void *user, const char *account)
{
    (void)user;
    terminal_complain(
        "%s: is paused; what was done there is undone if it is named", account);
}

static void print_sum(const struct undoing *undoing)
{
    if (undoing->invocation->json) {
        return;
    }
    size_t total =
        undoing->undone + undoing->planned + undoing->kept + undoing->failed;
    if (total == 0) {
        puts("nothing was done on a server in that time");
        return;
    }
    if (undoing->invocation->dry_run) {
        terminal_add("%zu would be undone", undoing->planned);
    } else {
        terminal_add("%zu undone", undoing->undone);
    }
    if (undoing->failed > 0) {
        terminal_add(", %zu cannot be undone", undoing->failed);
    }
    if (undoing->kept > 0) {
        terminal_add(", %zu left as they are (copies, deletions)",
                     undoing->kept);
    }
    terminal_print("");
}

/* ---- Since when ---------------------------------------------------------- */

/* A local time; the formats of a date with and without a time, and a time of
 * today. */
static bool read_date(const char *text, int64_t *ret)
{
    static const char *const formats[] = {"%Y-%m-%d %H:%M:%S",
                                          "%Y-%m-%dT%H:%M:%S",
                                          "%Y-%m-%d %H:%M",
                                          "%Y-%m-%dT%H:%M",
                                          "%Y-%m-%d",
                                          "%H:%M:%S",
                                          "%H:%M"};
    time_t now = time(NULL);
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        struct tm local;
        if (localtime_r(&now, &local) == NULL) {
            return false;
        }
        local.tm_hour = local.tm_min = local.tm_sec = 0;
        const char *end = strptime(text, formats[i], &local);
        if (end != NULL && *end == '\0') {
            local.tm_isdst = -1;
            *ret = (int64_t)mktime(&local);
            return *ret > 0;
        }
    }
    return false;
}

static int read_since(const struct invocation *invocation, int64_t *ret)
{
    uint64_t age;
    if ((invocation->last == NULL) == (invocation->since == NULL)) {
        fputs("postrider: how far back? postrider undo --last 10m, or --since "
              "\"2026-01-31 10:00\"\n",
              stderr);
        return EX_USAGE;
    }
    if (invocation->since != NULL && read_date(invocation->since, ret)) {
        return EX_OK;
    }
    if (invocation->since != NULL) {
        fputs("postrider: --since: expects a time such as \"2026-01-31 "
              "10:00\", \"2026-01-31\" or \"10:00\"\n",
              stderr);
        return EX_USAGE;
    }
    if (text_to_duration(invocation->last, &age) != PR_OK) {
        terminal_complain("--last: %s", pr_last_failure()->text);
        return EX_USAGE;
    }
    int64_t now = (int64_t)time(NULL), seconds = (int64_t)(age / 1000);
    *ret = seconds < now ? now - seconds : 1;
    return EX_OK;
}

/* ---- The command --------------------------------------------------------- */

static void tell(void *user, const json_t *line)
{
    event_tell(line, user);
}

static int undo_by_daemon(struct call *call,
                          const struct invocation *invocation, int64_t since,
                          const struct engine_observer *observer)
{
    struct engine_observer copy = *observer;
    json_t *request = ask_request("undo", invocation, true);
    json_object_set_new(request, "since", json_integer(since));
    if (invocation->dry_run) {
        json_object_set_new(request, "dry_run", json_true());
    }
    return ask(call, request, 0, tell, &copy);
}

static int run(const struct invocation *invocation)
{
    struct undoing undoing = {.invocation = invocation};
    const struct engine_observer observer = {.user = &undoing,
                                             .account = on_account,
                                             .undone = on_undone,
                                             .paused = on_paused};
    struct call *call;
    struct config *config;
    int64_t since;
    int result = read_since(invocation, &since);
    if (result != EX_OK) {
        return result;
    }
    result = ask_reach(invocation, &call, &config);
    if (result != EX_OK) {
        return result;
    }
    if (call != NULL) {
        result = undo_by_daemon(call, invocation, since, &observer);
        call_close(call);
        config_free(config);
    } else {
        const struct undo_order order = {since, invocation->dry_run};
        result = pass_undo(invocation, config, &order, &observer);
    }
    print_sum(&undoing);
    result = graver_of(result, undoing.exit_status);
    return result == EX_OK && undoing.failed > 0 ? EX_UNAVAILABLE : result;
}

const struct command command_undo = {
    .name = "undo",
    .arguments = "--last TIME [ACCOUNT...]",
    .summary = "Take back what was done on the server: moves and flags",
    .help = "Messages go back to the folders they were moved from, flags are "
            "as before; what comes\nback is known and is not delivered again. "
            "Nothing is deleted: copies stay where they\nare, and what was "
            "deleted for good cannot be brought back. It is remembered for 30\n"
            "days. Exit status: 0 done, 69 something could not be undone.\n",
    .options = "jnStv",
    .run = run,
};
