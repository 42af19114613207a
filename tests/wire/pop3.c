/*
 * Transcripts of POP3.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/pop3/descriptor.h"
#include "protocol.h"

static struct pr_net_options *new_options(void)
{
    static struct pop3_options options;

    options = (struct pop3_options){.window = 100, .window_octets = 1 << 20};
    return &options.net;
}

static bool set_option(struct pr_net_options *net, const char *option)
{
    struct pop3_options *options = (struct pop3_options *)net;

    if (strncmp(option, "window=", 7) == 0)
        options->window = atoi(option + 7);
    else if (strncmp(option, "window_octets=", 14) == 0)
        options->window_octets = strtoul(option + 14, NULL, 10);
    else
        return false;
    return true;
}

const struct wire_protocol wire_protocol = {
    .source = &pop3_source_ops,
    .new_options = new_options,
    .set_option = set_option,
};
