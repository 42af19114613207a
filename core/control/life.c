/*
 * The life of the daemon: from the lock to the last goodbye.
 *
 * Order: lock, log, state, socket, configuration, READY. While the accounts are
 * looked after, helpers run beside: the socket, the log, signals, the heart
 * beat. The beat is a fiber like all others, so the service manager's watchdog
 * hears it only as long as the loop turns.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "control/control.h"
#include "control/listener.h"
#include "control/notify.h"
#include "control/report.h"
#include "control/server.h"
#include "fiber/loop.h"

enum {
    THREADS = 4,
    GRACE = 10000,      /* ms for an orderly end */
    SHORT_GRACE = 1000, /* at the second signal */
    LEAVE = 5000,       /* ms after it to leave what cannot be ended */
    BEAT = 15000,       /* ms between looks at what the sentence says */
    SENTENCE_MAX = 500,
    SENTENCE_PAUSE = 250 /* ms that changes gather */
};

static const struct pr_log daemon_log = {NULL, "daemon"};

struct life {
    const struct control_setup *setup;
    struct control control;
    struct pr_scope helpers;
};

/* ---- What the engine tells ----------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What was put off is logged where it happens. */
static void log_message(const struct message_report *report)
{
    const struct pr_log account = {NULL, report->account};
    const struct pr_log folder = {&account, report->folder};
    if (strcmp(report->status, "done") != 0) {
        return;
    }
    pr_log(&folder, PR_LOG_INFO, "%u: %s%s%s%s%s%s%s", report->uid,
           report->action, report->targets[0] != NULL ? " to " : "",
           report->targets[0] != NULL ? report->targets[0] : "",
           report->targets[0] != NULL && report->targets[1] != NULL
               ? " and others"
               : "",
           report->rule != NULL ? " by rule \"" : "",
           report->rule != NULL ? report->rule : "",
           report->rule != NULL ? "\"" : "");
}

static void on_message(void *user, const struct message_report *report)
{
    struct control *control = user;
    tally_message(control->tally, report, now_ms());
    log_message(report);
    pr_event_wake_all(&control->messages);
}

/* What failed is logged where it happens. */
static void on_event(void *user, const struct event_report *report)
{
    const struct pr_log account = {NULL, report->account};
    const struct pr_log folder = {&account, report->folder};
    (void)user;
    if (strcmp(report->status, "done") == 0) {
        pr_log(&folder, PR_LOG_INFO, "%u: %s%s%s told to the hook at line %d",
               report->uid, report->event, report->from != NULL ? " from " : "",
               report->from != NULL ? report->from : "", report->line);
    }
}

/* So is what failed of a sweep. */
static void on_sweep(void *user, const struct sweep_report *report)
{
    const struct pr_log account = {NULL, report->account};
    const struct pr_log folder = {&account, report->folder};
    (void)user;
    if (strcmp(report->status, "done") == 0) {
        pr_log(&folder, PR_LOG_INFO,
               "sweep \"%s\" (line %d): %s%s%s: %llu message%s", report->sweep,
               report->line, report->action, report->text != NULL ? " " : "",
               report->text != NULL ? report->text : "",
               (unsigned long long)report->messages,
               report->messages == 1 ? "" : "s");
    }
}

static void on_account(void *user, const struct account_report *report)
{
    struct control *control = user;
    tally_pass(control->tally, report);
}

/* ---- Configurations ------------------------------------------------------ */

static pr_status check_listener(const struct config *config)
{
    struct sockaddr_storage address;
    return config->metrics == NULL
               ? PR_OK
               : listener_address(config->metrics, config->metrics_remote,
                                  &address);
}

static void name_accounts(const struct config *config)
{
    const char **names =
        memory_zeroed(config->account_count + 1, sizeof(*names));
    for (size_t i = 0; names != NULL && i < config->account_count; i++) {
        names[i] = config->accounts[i].name;
    }
    logs_set_accounts(names);
    memory_free(names);
}

/* Takes a configuration over, the first or another; frees it on failure. */
static pr_status take_over(struct control *control, struct config *config)
{
    const struct config *old = daemon_config(control->daemon);
    pr_status status = check_listener(config);
    if (status == PR_OK && old != NULL &&
        strcmp(old->state_dir, config->state_dir) != 0) {
        status = pr_fail(PR_CONFIG,
                         "options: state cannot change while the daemon runs; "
                         "restart it");
    }
    if (status == PR_OK) {
        status = daemon_configure(control->daemon, config);
    }
    if (status != PR_OK) {
        config_free(config);
        return status;
    }
    name_accounts(config);
    status = listener_configure(control);
    if (status != PR_OK && old != NULL) {
        return pr_context(status, "the new configuration is in use, but "
                                  "without metrics until the next reload");
    }
    return status;
}

struct load {
    const char *file;
    struct pr_buffer *problems;
    struct config *config;
};

/* On the pool: Lua may take its time, and fetching goes on meanwhile. */
static pr_status load_job(void *argument)
{
    struct load *load = argument;
    logs_capture(load->problems);
    pr_status status = config_load(load->file, &load->config);
    logs_capture(NULL);
    return status;
}

static pr_status reload(struct control *control, struct pr_buffer *problems)
{
    struct pr_arena *arena = pr_arena_new();
    if (arena == NULL) {
        return PR_NOMEM;
    }
    /* The configuration in use goes away while its successor is taken over. */
    struct load load = {
        pr_arena_text(arena, daemon_config(control->daemon)->file), problems,
        NULL};
    pr_status status =
        load.file != NULL ? pr_offload(load_job, &load) : PR_NOMEM;
    if (status == PR_OK && control->is_stopping) {
        config_free(load.config);
        status = pr_fail(PR_CANCELLED, "the daemon stops");
    } else if (status == PR_OK) {
        status = take_over(control, load.config);
    }
    pr_arena_free(arena);
    return status;
}

/* Keeps and logs how it went. */
static void note_reload(struct control *control, pr_status status, bool is_used)
{
    control->reload_is_used = is_used;
    control->reload_error[0] = '\0';
    if (status == PR_OK) {
        pr_log(&daemon_log, PR_LOG_INFO, "the new configuration is in use");
        return;
    }
    snprintf(control->reload_error, sizeof(control->reload_error), "%s",
             pr_last_failure()->text);
    control->reload_failed = (int64_t)time(NULL);
    pr_log(&daemon_log, PR_LOG_ERROR, "%s%s",
           is_used ? ""
                   : "the new configuration is not used, the old one stays: ",
           control->reload_error);
}

pr_status control_reload(struct control *control, struct pr_buffer *problems)
{
    pr_status status = pr_semaphore_take(&control->reload_turn, 1, PR_NEVER);
    if (status != PR_OK) {
        return status;
    }
    if (control->is_stopping) {
        pr_semaphore_give(&control->reload_turn, 1);
        return pr_fail(PR_CANCELLED, "the daemon stops");
    }
    const struct config *before = daemon_config(control->daemon);
    pr_log(&daemon_log, PR_LOG_INFO, "reading the configuration anew");
    notify_reloading();
    status = reload(control, problems);
    note_reload(control, status, daemon_config(control->daemon) != before);
    if (!control->is_stopping) {
        notify("READY=1");
    }
    pr_event_wake_all(&control->reloads);
    pr_semaphore_give(&control->reload_turn, 1);
    return status == PR_OK ? PR_OK
                           : pr_fail(status, "%s", control->reload_error);
}

/* ---- Helpers ------------------------------------------------------------- */

static void stop(struct control *control, int number)
{
    uint64_t grace = control->is_stopping ? SHORT_GRACE : GRACE;
    control->is_stopping = true;
    notify("STOPPING=1\nSTATUS=Stopping when what is in hand is safe");
    pr_log(&daemon_log, PR_LOG_INFO,
           "%s, stopping when what is in hand is safe, in at most %llu s",
           number == SIGINT    ? "SIGINT"
           : number == SIGTERM ? "SIGTERM"
                               : "the terminal is closed",
           (unsigned long long)grace / 1000);
    daemon_stop(control->daemon, grace);
    loop_leave_at(pr_in(grace + LEAVE), EX_TEMPFAIL);
}

/* Closing its window ends what was started in one. */
static bool terminal_is_gone(const struct control *control)
{
    return control->has_terminal && isatty(STDERR_FILENO) == 0;
}

/* A reload may wait for a pool that hangs, and then the next signal is to be
 * heard all the same. */
static pr_status hear_signals(void *argument)
{
    struct control *control = argument;
    int number;
    pr_status status;
    while ((status = loop_await_signal(PR_NEVER, &number)) == PR_OK) {
        if (number != SIGHUP || terminal_is_gone(control)) {
            stop(control, number);
        } else if (!control->is_stopping) {
            control->reload_is_due = true;
            pr_event_wake_all(&control->hangups);
        }
    }
    return status;
}

/* At SIGHUP; several during one reload make one more. */
static pr_status reload_at_hangups(void *argument)
{
    struct control *control = argument;
    struct pr_buffer problems;
    pr_status status = PR_OK;
    while (status == PR_OK) {
        if (!control->reload_is_due) {
            status = pr_event_wait(&control->hangups, PR_NEVER);
            continue;
        }
        control->reload_is_due = false;
        pr_buffer_init(&problems, 65536);
        (void)!control_reload(control, &problems);
        pr_buffer_done(&problems);
    }
    return status;
}

/* Tells the service manager how things are, whenever that changes. */
static pr_status keep_status(void *argument)
{
    struct control *control = argument;
    char said[SENTENCE_MAX] = "", sentence[SENTENCE_MAX];
    pr_status status = PR_OK;
    while (status == PR_OK || status == PR_TIMEOUT) {
        report_sentence(control, sentence, sizeof(sentence));
        if (!control->is_stopping && strcmp(said, sentence) != 0) {
            notify_status(sentence);
            memcpy(said, sentence, sizeof(said));
        }
        status = pr_sleep(SENTENCE_PAUSE);
        if (status == PR_OK) {
            status =
                pr_event_wait(daemon_changes(control->daemon), pr_in(BEAT));
        }
    }
    return status;
}

static pr_status beat(void *argument)
{
    uint64_t period = notify_watchdog();
    (void)argument;
    if (period == 0) {
        return PR_OK;
    }
    pr_status status;
    do {
        notify("WATCHDOG=1");
        status = pr_sleep(period / 2);
    } while (status == PR_OK);
    return status;
}

static pr_status start_helpers(struct life *life)
{
    static const struct {
        const char *name;
        pr_fiber_fn *run;
        size_t stack;
    } helpers[] = {
        {"log", logs_run, PR_STACK_SESSION},
        {"control", server_run, PR_STACK_SESSION},
        {"signals", hear_signals, PR_STACK_SESSION},
        {"reload", reload_at_hangups, PR_STACK_RULE},
        {"status", keep_status, PR_STACK_SESSION},
        {"beat", beat, PR_STACK_SESSION},
    };

    pr_status status = loop_hear_signals();
    for (size_t i = 0;
         status == PR_OK && i < sizeof(helpers) / sizeof(*helpers); i++) {
        status = pr_spawn(&life->helpers, helpers[i].name, helpers[i].stack,
                          helpers[i].run, &life->control);
    }
    return status;
}

/* ---- Life ---------------------------------------------------------------- */

/* What was done earlier today counts. */
static pr_status begin_tally(struct control *control)
{
    struct state_account *accounts = NULL;
    size_t count = 0;
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL ? PR_NOMEM : tally_new(control->started, &control->tally);
    if (status == PR_OK) {
        status =
            state_accounts(control->state, tally_midnight(control->started),
                           arena, &accounts, &count);
    }
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        tally_begin(control->tally, accounts[i].account, accounts[i].messages,
                    accounts[i].last_message);
    }
    pr_arena_free(arena);
    return status;
}

static pr_status begin(struct life *life)
{
    struct control *control = &life->control;
    struct config *config = life->setup->config;
    const struct engine_observer observer = {.user = control,
                                             .message = on_message,
                                             .account = on_account,
                                             .event = on_event,
                                             .sweep = on_sweep};
    control->started = (int64_t)time(NULL);
    control->has_terminal = isatty(STDERR_FILENO) == 1;
    pr_status status = state_open(config->state_dir, &control->state);
    if (status == PR_OK) {
        status = begin_tally(control);
    }
    if (status == PR_OK) {
        status = daemon_new(control->state, &observer, &control->daemon);
    }
    if (status == PR_OK) {
        status =
            control_listen(config->state_dir, config->file, &control->socket);
    }
    if (status != PR_OK) {
        config_free(config);
        return status;
    }
    status = take_over(control, config);
    return status == PR_OK ? start_helpers(life) : status;
}

static void end(struct life *life)
{
    struct control *control = &life->control;
    pr_scope_cancel(&life->helpers);
    (void)pr_scope_join(&life->helpers);
    listener_close(control);
    daemon_free(control->daemon);
    tally_free(control->tally);
    state_close(control->state);
}

static pr_status live(void *argument)
{
    struct life *life = argument;
    struct control *control = &life->control;
    pr_scope_init(&life->helpers);
    pr_status status = begin(life);
    if (status == PR_OK) {
        char sentence[SENTENCE_MAX];
        report_sentence(control, sentence, sizeof(sentence));
        notify("READY=1");
        pr_log(&daemon_log, PR_LOG_INFO,
               "postrider " PACKAGE_VERSION " looks after %s (pid %ld)",
               sentence, (long)getpid());
        status = daemon_run(control->daemon);
    }
    if (status == PR_CANCELLED && control->is_stopping) {
        status = PR_OK;
    }
    struct pr_failure failure = *pr_last_failure();
    if (status == PR_OK) {
        pr_log(&daemon_log, PR_LOG_INFO, "good-bye");
    }
    end(life);
    return status == PR_OK ? PR_OK : pr_fail(status, "%s", failure.text);
}

pr_status control_run(const struct control_setup *setup)
{
    struct life life = {.setup = setup,
                        .control = {.reload_turn = {.free = 1}}};
    memory_share_heaps();
    pr_status status =
        control_lock(setup->config->state_dir, &life.control.socket);
    if (status == PR_OK) {
        status = logs_open(setup->format, setup->level);
    }
    if (status != PR_OK) {
        control_close(&life.control.socket);
        config_free(setup->config);
        return status;
    }
    status = loop_run(THREADS, live, &life);
    logs_close();
    control_close(&life.control.socket);
    return status;
}
