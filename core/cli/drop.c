/*
 * `postrider drop`: messages that were put aside are left on the server.
 */
#include "config.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/ask.h"
#include "cli/terminal.h"
#include "lua/config.h"
#include "state/state.h"

struct dropping {
    const struct config *config;
    const char *id;
};

/* Who fetches for the account may be trying the message again just now. What is
 * no name, or of an account that is not there, has no lock. */
static pr_status lock_account(const struct dropping *dropping,
                              struct state *state, struct pr_arena *arena,
                              struct state_lock **ret)
{
    struct state_place place;
    pr_status status = state_place_parse(dropping->id, arena, &place);
    if (status != PR_OK) {
        return status == PR_GONE ? PR_OK : status;
    }
    return config_account(dropping->config, place.account) != NULL
               ? state_lock_account(state, place.account, ret)
               : PR_OK;
}

static pr_status drop_in_state(void *user, struct state *state)
{
    const struct dropping *dropping = user;
    struct state_lock *lock = NULL;
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL ? PR_NOMEM : lock_account(dropping, state, arena, &lock);
    if (status == PR_OK) {
        status = state_aside_drop(state, dropping->id, arena);
    }
    state_unlock_account(lock);
    pr_arena_free(arena);
    return status;
}

static int drop(struct call *call, const struct config *config, char *id)
{
    struct dropping dropping = {config, id};
    int result = call == NULL
                     ? ask_state(config, drop_in_state, &dropping)
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
