/*
 * `postrider daemon`: looks after all accounts until told to stop.
 */
#include "config.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "control/control.h"

static int run(const struct invocation *invocation)
{
    struct control_setup setup = {
        .format = LOG_AUTO,
        .level = invocation->verbosity == 0   ? PR_LOG_INFO
                 : invocation->verbosity == 1 ? PR_LOG_DEBUG
                                              : PR_LOG_TRACE,
    };
    if (invocation->argument_count > 0) {
        fputs("postrider: `daemon` looks after all accounts; `postrider pause` "
              "leaves some out\n",
              stderr);
        return EX_USAGE;
    }
    if (invocation->log_format != NULL &&
        !log_format_of_name(invocation->log_format, &setup.format)) {
        terminal_complain(
            "--log-format is auto, text, json or journal, not \"%s\"",
            invocation->log_format);
        return EX_USAGE;
    }
    int failed = load_config(invocation, &setup.config);
    if (failed != 0) {
        return failed;
    }
    pr_status status = control_run(&setup);
    return status == PR_OK ? EX_OK : complain(status);
}

const struct command command_daemon = {
    .name = "daemon",
    .arguments = "",
    .summary = "Look after all accounts until told to stop",
    .help = "Stays in the foreground. SIGTERM and SIGINT: what is in hand is "
            "made safe, within 10 s;\na second one: sooner. SIGHUP: the "
            "configuration is read anew. `postrider status` shows how\n"
            "the accounts do.\n",
    .options = "lv",
    .run = run,
};
