/*
 * `postrider check`: is the configuration right, could each sink deliver, are
 * the services there that rules ask, and can each account be logged in to?
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "engine/engine.h"
#include "fiber/loop.h"

/* What a sink is waited for, in milliseconds. */
#define TIMEOUT 30000u

struct check {
    struct config *config;
    struct pr_scope work;
    int exit_status; /* the gravest */
};

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- The sinks ----------------------------------------------------------- */

/* Words may begin with the name already. */
static const char *without_name(const char *words, const char *name)
{
    size_t size = strlen(name);
    bool has_it = strncmp(words, name, size) == 0 && words[size] == ':' &&
                  words[size + 1] == ' ';
    return has_it ? words + size + 2 : words;
}

/* A line for each. */
static void on_sink(void *user, const struct sink_report *report)
{
    struct check *check = user;
    const char *name = report->sink;
    if (report->is_account) {
        terminal_add("account ");
    }
    if (report->status == PR_OK && report->folders > 0) {
        terminal_line("%s: ok, %zu folder%s", name, report->folders,
                      plural(report->folders));
    } else if (report->status == PR_OK) {
        terminal_line("%s: ok", name);
    } else if (report->status == PR_UNSUPPORTED) {
        terminal_line("%s: not tried: %s", name, report->error);
    } else {
        terminal_line("%s: %s", name, without_name(report->error, name));
        check->exit_status =
            graver_of(check->exit_status, exit_status_of(report->status));
    }
    fflush(stdout);
}

static pr_status try_sinks(void *argument)
{
    struct check *check = argument;
    return engine_check(check->config, TIMEOUT, on_sink, check);
}

/* A signal ends it. */
static pr_status try_all(void *argument)
{
    struct check *check = argument;
    pr_scope_init(&check->work);
    pr_status status = loop_cancel_on_signals(&check->work);
    if (status == PR_OK) {
        status =
            pr_spawn(&check->work, "check", PR_STACK_SESSION, try_sinks, check);
    }
    pr_status joined = pr_scope_join(&check->work);
    (void)!loop_cancel_on_signals(NULL);
    return status != PR_OK ? status : joined;
}

/* ---- The command --------------------------------------------------------- */

static int run(const struct invocation *invocation)
{
    struct check check = {.exit_status = EX_OK};
    int failed = load_config(invocation, &check.config);
    if (failed != 0) {
        return failed;
    }
    const struct config *config = check.config;
    terminal_line(
        "%s: no problem found (%zu account%s, %zu rule%s, %zu place%s to "
        "deliver to)",
        config->file, config->account_count, plural(config->account_count),
        config->rule_count, plural(config->rule_count), config->sink_count,
        plural(config->sink_count));
    fflush(stdout);
    pr_status status = PR_OK;
    if (!invocation->offline) {
        status = loop_run(4, try_all, &check);
    }
    config_free(check.config);
    return status != PR_OK ? complain(status) : check.exit_status;
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "Check the configuration, and try all that it names",
    .help =
        "Every problem of the configuration is shown with its file and line. "
        "Then each sink is\ntried, and nothing delivered: is there a folder "
        "that can be written to, is the program\nthere, does the server "
        "answer? Services that rules ask are asked whether they are "
        "there,\nand "
        "each account is logged in to; nothing is fetched.\n"
        "A line for each says so. Exit status: 0 all is well, 78 the "
        "configuration or what it\nnames is wrong, 75 it may be well later; "
        "others as in sysexits.h.\n",
    .options = "ov",
    .run = run,
};
