/*
 * `postrider check`: is the configuration right?
 */
#include <stdio.h>

#include "cli/cli.h"
#include "lua/config.h"

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static int run(const struct invocation *invocation)
{
    struct config *config;
    int failed = load_config(invocation, &config);
    if (failed != 0) {
        return failed;
    }
    printf("%s: no problem found (%zu account%s, %zu rule%s, %zu place%s to "
           "deliver to)\n",
           config->file, config->account_count, plural(config->account_count),
           config->rule_count, plural(config->rule_count), config->sink_count,
           plural(config->sink_count));
    config_free(config);
    return 0;
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "Check the configuration",
    .help = "Every problem is shown with its file and line. No server is "
            "asked.\n",
    .options = "v",
    .run = run,
};
