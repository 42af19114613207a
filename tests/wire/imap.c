/*
 * Transcripts of IMAP.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/imap/descriptor.h"
#include "protocol.h"

static struct pr_net_options *new_options(void)
{
    static struct imap_options options;

    options = (struct imap_options){.window = 100,
                                    .window_octets = 1 << 20,
                                    .idle_renew = 29 * 60 * 1000,
                                    .final_timeout = 10 * 60 * 1000};
    return &options.net;
}

static bool set_option(struct pr_net_options *net, const char *option)
{
    struct imap_options *options = (struct imap_options *)net;

    if (strncmp(option, "id=", 3) == 0)
        options->id = strcmp(option + 3, "true") == 0;
    else if (strncmp(option, "window=", 7) == 0)
        options->window = atoi(option + 7);
    else if (strncmp(option, "idle_renew=", 11) == 0)
        options->idle_renew = strtoul(option + 11, NULL, 10);
    else if (strncmp(option, "window_octets=", 14) == 0)
        options->window_octets = strtoul(option + 14, NULL, 10);
    else
        return false;
    return true;
}

const struct wire_protocol wire_protocol = {
    .source = &imap_source_ops,
    .new_options = new_options,
    .set_option = set_option,
};
