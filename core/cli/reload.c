/*
 * `postrider reload`: the daemon reads its configuration anew.
 */
#include "config.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/ask.h"

/* All that is wrong, of which the answer's own text is the first; and whether
 * the new configuration is in use although something failed. */
static void show_problems(void *user, const json_t *line)
{
    const char *text = json_string_value(json_object_get(line, "problems"));
    bool *is_used = user;
    *is_used = json_is_true(json_object_get(line, "used"));
    if (text != NULL) {
        fputs(text, stderr);
    }
}

static int run(const struct invocation *invocation)
{
    struct call *call;
    bool is_used = false;
    int result = ask_open(invocation, &call);
    if (result != EX_OK) {
        return result;
    }
    result = ask(call, ask_request("reload", invocation, false), 0,
                 show_problems, &is_used);
    call_close(call);
    if (result == EX_OK) {
        puts("the new configuration is in use");
    } else if (!is_used) {
        fputs("postrider: the daemon goes on with the configuration it had\n",
              stderr);
    }
    return result;
}

const struct command command_reload = {
    .name = "reload",
    .arguments = "",
    .summary = "Let the daemon read its configuration anew",
    .help = "It is checked whole before anything changes; if it is wrong, all "
            "stays as it was, and the\nexit status is 78. Accounts that did "
            "not change keep their connections.\n",
    .options = "v",
    .run = run,
};
