/*
 * `postrider retry`: messages that were put aside are tried again now.
 */
#include "config.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/ask.h"
#include "cli/terminal.h"
#include "state/state.h"

static pr_status retry_in_state(void *user, struct state *state)
{
    const char *account;
    struct pr_arena *arena = pr_arena_new();
    pr_status status = arena == NULL
                           ? PR_NOMEM
                           : state_aside_retry(state, user, arena, &account);
    pr_arena_free(arena);
    return status;
}

static int retry(struct call *call, const struct config *config, char *id)
{
    if (call == NULL) {
        int result = ask_state(config, retry_in_state, id);
        if (result == EX_OK) {
            terminal_line("%s: the next `postrider fetch` tries it again", id);
        }
        return result;
    }
    int result = ask(call, json_pack("{s:s,s:s}", "do", "retry", "id", id), 0,
                     NULL, NULL);
    if (result == EX_OK) {
        terminal_line("%s: tried again; see: postrider why %s", id, id);
    }
    return result;
}

static int run(const struct invocation *invocation)
{
    return ask_each(invocation, retry);
}

const struct command command_retry = {
    .name = "retry",
    .arguments = "ID...",
    .summary = "Try messages again that were put aside",
    .help = "ID is ACCOUNT/FOLDER/UID, as `postrider status` shows it. Without "
            "a daemon the next fetch\ntries them.\n",
    .options = "v",
    .run = run,
};
