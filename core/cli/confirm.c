/*
 * `postrider confirm`: deletions that were held are made.
 */
#include "cli/held.h"

static int run(const struct invocation *invocation)
{
    return held_run(invocation, HELD_CONFIRM);
}

const struct command command_confirm = {
    .name = "confirm",
    .arguments = "ACCOUNT[/FOLDER]...",
    .summary = "Let deletions happen that were held as too many",
    .help = "What rules want deleted on the server in one run is held when it "
            "is more than\n`limit_deletions` of the configuration allows; "
            "`postrider status` shows it. Confirmed, it\nis deleted at once "
            "by the daemon, else by the next fetch. The other answer:\n"
            "postrider refuse.\n",
    .options = "v",
    .run = run,
};
