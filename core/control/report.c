/*
 * How the daemon and its accounts do: as JSON, and as metrics.
 */
#include "config.h"

#include "control/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/advice.h"
#include "control/costs.h"
#include "control/event.h"
#include "control/openmetrics.h"
#include "fiber/offload.h"
#include "lua/sweep.h"
#include "state/guard.h"
#include "state/sweeps.h"

static const char *state_name(enum account_state state)
{
    static const char *const names[] = {
        [ACCOUNT_WAITING] = "waiting",   [ACCOUNT_QUEUED] = "queued",
        [ACCOUNT_FETCHING] = "fetching", [ACCOUNT_WATCHING] = "watching",
        [ACCOUNT_TROUBLED] = "troubled", [ACCOUNT_PAUSED] = "paused",
    };
    return (size_t)state < sizeof(names) / sizeof(*names) ? names[state]
                                                          : "unknown";
}

/* ---- Pieces -------------------------------------------------------------- */

/* null for what is not known. */
static json_t *time_or_null(int64_t seconds)
{
    return seconds > 0 ? json_integer(seconds) : json_null();
}

static json_t *seconds_or_null(double seconds)
{
    return seconds < 0 ? json_null() : json_real(round(seconds * 1000) / 1000);
}

static json_t *latency_of(const struct tally_account *numbers)
{
    return json_pack("{s:o,s:o,s:I}", "last",
                     seconds_or_null(tally_last_latency(numbers)), "median",
                     seconds_or_null(tally_median(numbers)), "messages",
                     (json_int_t)numbers->latency_count);
}

static json_t *trouble_of(const struct control *control,
                          const struct account_status *status)
{
    const struct config *config = daemon_config(control->daemon);
    const struct account *account = config_account(config, status->account);
    struct pr_buffer advice;
    if (status->trouble == PR_OK) {
        return json_null();
    }
    pr_buffer_init(&advice, 2000);
    (void)!advice_add(status->trouble, status->account, config->file,
                      account != NULL ? account->line : 0, &advice);
    json_t *trouble = json_pack(
        "{s:s,s:o,s:o,s:i,s:o}", "kind", pr_status_name(status->trouble),
        "text", event_text(status->trouble_text), "since",
        time_or_null(status->trouble_since), "failures", (int)status->failures,
        "advice", event_text(pr_buffer_text(&advice)));
    pr_buffer_done(&advice);
    return trouble;
}

static json_t *aside_of(const struct state_aside *aside)
{
    char id[600];
    snprintf(id, sizeof(id), "%s/%s/%u", aside->account, aside->folder,
             aside->uid);
    return json_pack(
        "{s:o,s:o,s:o,s:I,s:I,s:I,s:i,s:o,s:o,s:o,s:o}", "id", event_text(id),
        "account", event_text(aside->account), "folder",
        event_text(aside->folder), "uid", (json_int_t)aside->uid, "size",
        (json_int_t)aside->size, "received", (json_int_t)aside->received,
        "tries", (int)aside->tries, "due", time_or_null(aside->due), "reason",
        event_text(aside->reason), "from", event_text(aside->sender), "subject",
        event_text(aside->subject));
}

/* Puts "put_aside" and "put_aside_total" into the status. */
static pr_status add_asides(struct state *state, json_t *status)
{
    struct state_aside *asides = NULL;
    size_t count = 0;
    uint64_t total = 0;
    struct pr_arena *arena = pr_arena_new();
    json_t *list = json_array();
    pr_status result = arena == NULL ? PR_NOMEM
                                     : state_asides(state, ASIDES_SHOWN, arena,
                                                    &asides, &count, &total);
    for (size_t i = 0; result == PR_OK && i < count; i++) {
        json_array_append_new(list, aside_of(&asides[i]));
    }
    json_object_set_new(status, "put_aside", list);
    json_object_set_new(status, "put_aside_total",
                        json_integer((json_int_t)total));
    pr_arena_free(arena);
    return result;
}

/* Puts "held" into the status: deletions that wait to be confirmed. */
static pr_status add_held(struct state *state, json_t *status)
{
    struct state_held *held = NULL;
    size_t count = 0;
    struct pr_arena *arena = pr_arena_new();
    json_t *list = json_array();
    pr_status result =
        arena == NULL ? PR_NOMEM : state_held(state, arena, &held, &count);
    for (size_t i = 0; result == PR_OK && i < count; i++) {
        json_array_append_new(
            list,
            json_pack("{s:o,s:o,s:I,s:b,s:o,s:o,s:i}", "account",
                      event_text(held[i].account), "folder",
                      event_text(held[i].folder), "messages",
                      (json_int_t)held[i].messages, "whole_folder",
                      (int)held[i].is_folder, "rule", event_text(held[i].rule),
                      "file", event_text(held[i].file), "line", held[i].line));
    }
    json_object_set_new(status, "held", list);
    pr_arena_free(arena);
    return result;
}

static void add_sweeps_of(const char *account, const struct state_sweep *sweeps,
                          size_t count, json_t *list)
{
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(
            list,
            json_pack("{s:o,s:o,s:I,s:I,s:o,s:o}", "account",
                      event_text(account), "sweep", event_text(sweeps[i].name),
                      "last", (json_int_t)sweeps[i].last, "messages",
                      (json_int_t)sweeps[i].messages, "error",
                      event_text(sweeps[i].reason), "failed_since",
                      time_or_null(sweeps[i].since)));
    }
}

/* Puts "sweeps" into the status: those that ever ran. */
static pr_status add_sweeps(struct state *state, const struct config *config,
                            json_t *status)
{
    struct pr_arena *arena = pr_arena_new();
    json_t *list = json_array();
    pr_status result = arena == NULL ? PR_NOMEM : PR_OK;
    const char **names = NULL;
    size_t accounts = config->account_count;
    /* The configuration may be another after a wait. */
    if (result == PR_OK) {
        names = pr_arena_array(arena, accounts + 1, sizeof(*names));
        result = names == NULL ? PR_NOMEM : PR_OK;
    }
    bool has_any = config->sweep_count > 0;
    for (size_t i = 0; result == PR_OK && i < accounts; i++) {
        names[i] = pr_arena_text(arena, config->accounts[i].name);
        result = names[i] == NULL ? PR_NOMEM : PR_OK;
    }
    for (size_t i = 0; has_any && result == PR_OK && i < accounts; i++) {
        struct state_sweep *sweeps = NULL;
        size_t count = 0;
        result = state_sweeps(state, names[i], arena, &sweeps, &count);
        if (result == PR_OK) {
            add_sweeps_of(names[i], sweeps, count, list);
        }
    }
    json_object_set_new(status, "sweeps", list);
    pr_arena_free(arena);
    return result;
}

static pr_status add_waiting(struct state *state, json_t *status)
{
    pr_status result = add_asides(state, status);
    return result == PR_OK ? add_held(state, status) : result;
}

/* Jobs of plugins that do not end: who waits, for what. */
static json_t *hung_jobs(void)
{
    struct overdue_job jobs[HUNG_JOBS_SHOWN];
    json_t *list = json_array();
    size_t count = offload_overdue(jobs, HUNG_JOBS_SHOWN);
    for (size_t i = 0; i < count && i < HUNG_JOBS_SHOWN; i++) {
        json_array_append_new(list,
                              json_pack("{s:o,s:o,s:I,s:b}", "for",
                                        event_text(jobs[i].fiber), "code",
                                        event_text(jobs[i].code), "seconds",
                                        (json_int_t)(jobs[i].ms / 1000), "runs",
                                        (int)jobs[i].runs));
    }
    return list;
}

static json_t *account_of(const struct control *control, size_t index)
{
    const struct account_status account =
        daemon_account(control->daemon, index);
    const struct account_status *status = &account;
    const struct tally_account *numbers =
        tally_account(control->tally, status->account, (int64_t)time(NULL));
    return json_pack(
        "{s:o,s:s,s:o,s:o,s:o,s:o,s:I,s:{s:I,s:I},s:o,s:o,s:i,s:o,s:i,s:i,s:o}",
        "account", event_text(status->account), "state",
        state_name(status->state), "since", time_or_null(status->since),
        "last_poll", time_or_null(status->last_poll), "next_poll",
        time_or_null(status->next_poll), "last_delivery",
        time_or_null(numbers->last_message), "waiting",
        (json_int_t)daemon_account_waiting(control->daemon, index), "today",
        "messages", (json_int_t)numbers->today, "octets",
        (json_int_t)numbers->today_octets, "latency", latency_of(numbers),
        "trouble", trouble_of(control, status), "connections",
        (int)status->connections, "shortage", event_text(status->shortage),
        "folders", (int)status->folders, "watched", (int)status->watched,
        "folder", event_text(status->folder));
}

/* ---- The whole ----------------------------------------------------------- */

static json_t *reload_of(const struct control *control)
{
    return control->reload_error[0] == '\0'
               ? json_null()
               : json_pack("{s:o,s:I,s:b}", "text",
                           event_text(control->reload_error), "time",
                           (json_int_t)control->reload_failed, "used",
                           (int)control->reload_is_used);
}

pr_status report_status(struct control *control, json_t **ret)
{
    const struct config *config = daemon_config(control->daemon);
    json_t *accounts = json_array();
    for (size_t i = 0; i < daemon_account_count(control->daemon); i++) {
        json_array_append_new(accounts, account_of(control, i));
    }
    json_t *status = json_pack(
        "{s:I,s:{s:I,s:s,s:I,s:o,s:o,s:o,s:b},s:o}", "time",
        (json_int_t)time(NULL), "daemon", "pid", (json_int_t)getpid(),
        "version", PACKAGE_VERSION, "started", (json_int_t)control->started,
        "config", event_text(config->file), "state",
        event_text(config->state_dir), "reload_error", reload_of(control),
        "stopping", (int)control->is_stopping, "accounts", accounts);
    if (status == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    json_object_set_new(status, "hung_jobs", hung_jobs());
    json_object_set_new(status, "rules", costs_of_rules(config));
    json_object_set_new(status, "services", health_of_services(config));
    pr_status result = add_sweeps(control->state, config, status);
    if (result == PR_OK) {
        result = add_waiting(control->state, status);
    }
    if (result != PR_OK) {
        json_decref(status);
        return result;
    }
    *ret = status;
    return PR_OK;
}

/* ---- Without a daemon ---------------------------------------------------- */

static json_t *account_at_rest(const struct account *account,
                               const struct state_account *known, size_t count)
{
    const struct state_account *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(known[i].account, account->name) == 0) {
            found = &known[i];
        }
    }
    return json_pack(
        "{s:o,s:s,s:o,s:{s:I},s:o}", "account", event_text(account->name),
        "state", "stopped", "last_delivery",
        time_or_null(found != NULL ? found->last_message : 0), "today",
        "messages", (json_int_t)(found != NULL ? found->messages : 0),
        "trouble", json_null());
}

pr_status report_without_daemon(struct state *state,
                                const struct config *config, json_t **ret)
{
    struct state_account *known = NULL;
    size_t count = 0;
    int64_t now = (int64_t)time(NULL);
    struct pr_arena *arena = pr_arena_new();
    pr_status result =
        arena == NULL
            ? PR_NOMEM
            : state_accounts(state, tally_midnight(now), arena, &known, &count);
    json_t *accounts = json_array();
    for (size_t i = 0; result == PR_OK && i < config->account_count; i++) {
        json_array_append_new(
            accounts, account_at_rest(&config->accounts[i], known, count));
    }
    json_t *status = json_pack("{s:I,s:n,s:o}", "time", (json_int_t)now,
                               "daemon", "accounts", accounts);
    if (result == PR_OK) {
        result = status != NULL ? add_waiting(state, status)
                                : pr_fail(PR_NOMEM, "out of memory");
    }
    if (result == PR_OK) {
        result = add_sweeps(state, config, status);
    }
    pr_arena_free(arena);
    if (result != PR_OK) {
        json_decref(status);
        return result;
    }
    *ret = status;
    return PR_OK;
}

/* ---- Metrics ------------------------------------------------------------- */

/* The numbers of each account, copied out so that nothing changes while the
 * state is asked. */
static pr_status take_metrics(struct control *control, struct pr_arena *arena,
                              struct metrics *ret)
{
    size_t count = daemon_account_count(control->daemon);
    struct metrics_account *accounts =
        pr_arena_array(arena, count + 1, sizeof(*accounts));
    if (accounts == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct account_status status = daemon_account(control->daemon, i);
        accounts[i].name = pr_arena_text(arena, status.account);
        accounts[i].state = state_name(status.state);
        accounts[i].numbers =
            tally_account(control->tally, status.account, (int64_t)time(NULL));
        accounts[i].waiting = daemon_account_waiting(control->daemon, i);
        accounts[i].connections = status.connections;
        accounts[i].folders = status.folders;
        accounts[i].watched = status.watched;
        accounts[i].failures = status.failures;
        if (accounts[i].name == NULL) {
            return PR_NOMEM;
        }
        ret->queued += status.state == ACCOUNT_QUEUED;
    }
    ret->accounts = accounts;
    ret->account_count = count;
    return costs_add_metrics(daemon_config(control->daemon), arena, ret);
}

pr_status report_metrics(struct control *control, struct pr_buffer *out)
{
    struct metrics metrics = {.version = PACKAGE_VERSION,
                              .started = control->started,
                              .is_reload_bad =
                                  control->reload_error[0] != '\0'};
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL ? PR_NOMEM : take_metrics(control, arena, &metrics);
    for (size_t i = 0; status == PR_OK && i < metrics.account_count; i++) {
        struct metrics_account *account = &metrics.accounts[i];
        status = state_aside_count(control->state, account->name,
                                   &account->put_aside);
    }
    if (status == PR_OK) {
        status = openmetrics_add(&metrics, out);
    }
    pr_arena_free(arena);
    return status;
}

/* ---- A sentence ---------------------------------------------------------- */

void report_sentence(const struct control *control, char *out, size_t size)
{
    size_t count = daemon_account_count(control->daemon), troubled = 0,
           watched = 0, paused = 0;
    struct account_status first = {0};
    for (size_t i = 0; i < count; i++) {
        struct account_status status = daemon_account(control->daemon, i);
        watched += status.watched;
        paused += status.state == ACCOUNT_PAUSED;
        if (status.trouble != PR_OK && troubled++ == 0) {
            first = status;
        }
    }
    int length =
        snprintf(out, size, "%zu account%s", count, count == 1 ? "" : "s");
    if (watched > 0) {
        length += snprintf(out + length, size - (size_t)length,
                           ", %zu folder%s watched", watched,
                           watched == 1 ? "" : "s");
    }
    if (paused > 0) {
        length += snprintf(out + length, size - (size_t)length, ", %zu paused",
                           paused);
    }
    if (troubled > 0) {
        (void)snprintf(out + length, size - (size_t)length,
                       ", %zu in trouble (%.60s: %.200s)", troubled,
                       first.account,
                       first.trouble_text != NULL ? first.trouble_text : "");
    }
}
