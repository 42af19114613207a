/*
 * `postrider pause`: accounts do nothing of themselves.
 */
#include "config.h"

#include "cli/ask.h"

static int run(const struct invocation *invocation)
{
    return ask_once(invocation, ask_request("pause", invocation, true),
                    ASK_SOON, "paused; `postrider resume` ends that");
}

const struct command command_pause = {
    .name = "pause",
    .arguments = "[ACCOUNT...]",
    .summary = "Let the accounts named, or all, rest",
    .help = "What is in hand is finished. `postrider poll ACCOUNT` polls one "
            "all the same.\n",
    .options = "v",
    .run = run,
};
