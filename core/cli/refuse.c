/*
 * `postrider refuse`: deletions that were held are not made.
 */
#include "cli/held.h"

static int run(const struct invocation *invocation)
{
    return held_run(invocation, invocation->retry ? HELD_RETRY : HELD_REFUSE);
}

const struct command command_refuse = {
    .name = "refuse",
    .arguments = "ACCOUNT[/FOLDER]...",
    .summary = "Keep messages on the server whose deletion was held",
    .help = "They stay as they are and are not fetched again. With --retry the "
            "rules, mended by now,\nrun over them once more, as if they had "
            "just come; what they want deleted is counted\nanew.\n",
    .options = "rv",
    .run = run,
};
