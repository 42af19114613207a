/*
 * `postrider resume`: accounts that were paused go on.
 */
#include "config.h"

#include "cli/ask.h"

static int run(const struct invocation *invocation)
{
    return ask_once(invocation, ask_request("resume", invocation, true),
                    ASK_SOON, "resumed");
}

const struct command command_resume = {
    .name = "resume",
    .arguments = "[ACCOUNT...]",
    .summary = "Go on with the accounts that were paused",
    .help = "Without a name: with all of them.\n",
    .options = "v",
    .run = run,
};
