/*
 * `postrider drop`: messages that were put aside are left on the server.
 */
#include "config.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/ask.h"
#include "cli/terminal.h"
#include "state/state.h"

static pr_status drop_in_state(void *user, struct state *state)
{
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL ? PR_NOMEM : state_aside_drop(state, user, arena);
    pr_arena_free(arena);
    return status;
}

static int drop(struct call *call, const struct config *config, char *id)
{
    int result = call == NULL
                     ? ask_state(config, drop_in_state, id)
                     : ask(call, json_pack("{s:s,s:s}", "do", "drop", "id", id),
                           ASK_SOON, NULL, NULL);
    if (result == EX_OK) {
        terminal_line("%s: it stays on the server and is not fetched again",
                      id);
    }
    return result;
}

static int run(const struct invocation *invocation)
{
    return ask_each(invocation, drop);
}

const struct command command_drop = {
    .name = "drop",
    .arguments = "ID...",
    .summary = "Leave messages on the server that were put aside",
    .help = "ID is ACCOUNT/FOLDER/UID, as `postrider status` shows it. The "
            "message stays on the server\nas it is, and is not fetched "
            "again.\n",
    .options = "v",
    .run = run,
};
