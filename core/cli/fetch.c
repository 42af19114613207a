/*
 * `postrider fetch`: one pass over the accounts; and `postrider deliver`, which
 * is that for the account that reads standard input.
 */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/pass.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "fiber/loop.h"

/* How long an orderly end may take after a signal, and after a second one, in
 * milliseconds; and how long after it we leave what cannot be ended. */
#define GRACE 5000u
#define SHORT_GRACE 1000u
#define LEAVE 5000u

struct pass {
    const struct invocation *invocation;
    unsigned mode; /* of enum engine_mode */
    struct config *config;
    struct engine *engine;
    const struct undo_order *undo;          /* NULL: a fetch */
    const struct engine_observer *observer; /* NULL: the report's */
    struct fetch_report report;
    struct pr_scope work; /* the fiber that fetches */
    bool is_done;
    bool is_cut_short; /* by a signal */
};

static pr_status fetch(void *argument)
{
    struct pass *pass = argument;
    const char *const *accounts =
        (const char *const *)pass->invocation->arguments;
    pr_status status = pass->undo != NULL
                           ? engine_undo(pass->engine, accounts, pass->undo)
                           : engine_fetch(pass->engine, accounts);
    pass->is_done = true;
    return status;
}

/* The grace, shorter after a second signal. */
static void await_end(const struct pass *pass, uint64_t grace)
{
    pr_time end = pr_in(grace);
    unsigned signals = loop_signal_count();
    while (!pass->is_done && pr_now() < end) {
        (void)!pr_sleep(20);
        if (loop_signal_count() > signals && pr_in(SHORT_GRACE) < end) {
            end = pr_in(SHORT_GRACE);
            loop_leave_at(pr_in(SHORT_GRACE + LEAVE), EX_TEMPFAIL);
        }
    }
}

/* At a signal this fiber's scope is cancelled. It asks for an orderly end, cuts
 * the work off when that takes too long, and gives up what hangs even then. */
static pr_status keep_watch(void *argument)
{
    struct pass *pass = argument;
    while (pr_sleep(3600 * 1000) == PR_OK) {
    }
    if (loop_caught_signal() == 0) {
        return PR_OK;
    }
    pass->is_cut_short = true;
    engine_stop(pass->engine);
    static const struct pr_log log = {NULL, "fetch"};
    pr_log(&log, PR_LOG_WARNING,
           "stopping when what is in hand is safe, in at most %u s",
           GRACE / 1000);
    loop_leave_at(pr_in(GRACE + LEAVE), EX_TEMPFAIL);
    pr_shield_begin();
    await_end(pass, GRACE);
    pr_scope_cancel(&pass->work);
    await_end(pass, ENGINE_GIVE_UP_MS);
    pr_shield_end();
    if (!pass->is_done) {
        pr_log(&log, PR_LOG_WARNING,
               "what hangs is given up; the next run takes it up");
        pr_scope_give_up(&pass->work);
    }
    return PR_OK;
}

static pr_status show_progress(void *argument)
{
    struct pass *pass = argument;
    while (pr_sleep(100) == PR_OK) {
        report_progress(&pass->report, engine_progress(pass->engine));
    }
    terminal_progress("");
    return PR_OK;
}

/* The work, with the fibers that go along with it. */
static pr_status accompany(struct pass *pass)
{
    struct pr_scope watch, progress;
    pr_scope_init(&pass->work);
    pr_scope_init(&watch);
    pr_scope_init(&progress);
    pr_status status =
        pr_spawn(&watch, "watch", PR_STACK_SESSION, keep_watch, pass);
    if (status == PR_OK) {
        status = loop_cancel_on_signals(&watch);
    }
    if (status == PR_OK && terminal_is_live() && !pass->invocation->json) {
        status = pr_spawn(&progress, "progress", PR_STACK_SESSION,
                          show_progress, pass);
    }
    if (status == PR_OK) {
        status = pr_spawn(&pass->work, "fetch", PR_STACK_SESSION, fetch, pass);
    }
    pr_status worked = pr_scope_join(&pass->work);
    pr_scope_cancel(&progress);
    (void)pr_scope_join(&progress);
    pr_scope_cancel(&watch);
    (void)pr_scope_join(&watch);
    (void)!loop_cancel_on_signals(NULL);
    return status != PR_OK ? status : worked;
}

static pr_status run_pass(void *argument)
{
    struct pass *pass = argument;
    struct state *state;
    pr_status status = state_open(pass->config->state_dir, &state);
    if (status != PR_OK) {
        return status;
    }
    struct engine_observer observer = pass->observer != NULL
                                          ? *pass->observer
                                          : report_observer(&pass->report);
    unsigned mode = pass->mode |
                    (pass->invocation->dry_run ? ENGINE_DRY_RUN : 0) |
                    (pass->invocation->retry ? ENGINE_RETRY : 0) |
                    (pass->invocation->sweep ? ENGINE_SWEEP : 0);
    status = engine_new(pass->config, state, mode, &observer, &pass->engine);
    if (status == PR_OK) {
        status = accompany(pass);
        if (pass->invocation->dry_run) {
            report_costs(&pass->report, pass->config);
        }
        engine_free(pass->engine);
    }
    state_close(state);
    return status;
}

/* Does a daemon look after these accounts? Then it is asked to do it: what is
 * fetched is one's business at a time. */
static bool find_daemon(const struct config *config, struct call **ret)
{
    pr_status status = call_open(config->state_dir, NULL, ret);
    if (status != PR_OK && status != PR_GONE) {
        static const struct pr_log fetch_log = {NULL, "fetch"};
        pr_log(&fetch_log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    }
    return status == PR_OK;
}

static int run_by_daemon(struct call *call, const struct invocation *invocation)
{
    int result = poll_by_daemon(call, invocation, false);
    call_close(call);
    return result;
}

static int run_with(const struct invocation *invocation, unsigned mode)
{
    struct pass pass = {.invocation = invocation, .mode = mode};
    int failed = load_config(invocation, &pass.config);
    if (failed != 0) {
        return failed;
    }
    struct call *call;
    if (mode == 0 && !invocation->dry_run && find_daemon(pass.config, &call)) {
        config_free(pass.config);
        return run_by_daemon(call, invocation);
    }
    report_init(&pass.report, invocation);
    pass.report.is_handed_back = (mode & ENGINE_DELIVER) != 0;
    pr_status status = loop_run(4, run_pass, &pass);
    config_free(pass.config);
    if (status != PR_OK && status != PR_CANCELLED) {
        return complain(status);
    }
    int result = report_exit_status(&pass.report);
    bool is_short = pass.is_cut_short ||
                    ((mode & ENGINE_DELIVER) != 0 &&
                     pass.report.safe_messages == 0 && !invocation->dry_run);
    return result == EX_OK && is_short ? EX_TEMPFAIL : result;
}

static int run(const struct invocation *invocation)
{
    return run_with(invocation, 0);
}

int pass_undo(const struct invocation *invocation, struct config *config,
              const struct undo_order *order,
              const struct engine_observer *observer)
{
    struct pass pass = {.invocation = invocation,
                        .config = config,
                        .undo = order,
                        .observer = observer};
    report_init(&pass.report, invocation);
    pr_status status = loop_run(4, run_pass, &pass);
    config_free(config);
    if (status != PR_OK && status != PR_CANCELLED) {
        return complain(status);
    }
    return pass.is_cut_short ? EX_TEMPFAIL : EX_OK;
}

/* Whoever calls it as a delivery agent keeps the message and tries again at 75;
 * any other failure might make it bounce the message for a mistake of ours. */
static int run_deliver(const struct invocation *invocation)
{
    if (isatty(STDIN_FILENO) == 1) {
        fputs("postrider: reading a message from the terminal; ^D ends it\n",
              stderr);
    }
    int result = run_with(invocation, ENGINE_DELIVER);
    return result == EX_OK ? EX_OK : EX_TEMPFAIL;
}

const struct command command_fetch = {
    .name = "fetch",
    .arguments = "[ACCOUNT...]",
    .summary = "Fetch once from the accounts named, or from all",
    .help = "What was delivered before is not fetched again. Exit status: 0 "
            "done, 75 something is to be\ntried again later, 77 a server "
            "refuses the login, 78 the configuration is wrong;\nothers as in "
            "sysexits.h. While a daemon runs it is asked to do it, as by "
            "`postrider poll`;\nbut not with -n: a dry run looks for itself.\n",
    .options = "jnvrs",
    .run = run,
};

const struct command command_deliver = {
    .name = "deliver",
    .arguments = "[ACCOUNT]",
    .summary = "Deliver one message from standard input",
    .help = "For an account with source = stdin {}. Exit status: 0 the message "
            "is safe, 75 it is not and\nis to be tried again, whatever went "
            "wrong.\n",
    .options = "jnv",
    .run = run_deliver,
};
