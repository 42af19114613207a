/*
 * Transcripts of IMAP as a sink.
 */
#include "config.h"

#include "../../plugins/imap/append.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/imap/descriptor.h"
#include "protocol.h"

static struct pr_net_options *new_options(void)
{
    static struct append_options options;

    options = (struct append_options){.folder = "INBOX",
                                      .create = true,
                                      .flags = true,
                                      .final_timeout = 10 * 60 * 1000};
    return &options.net;
}

static bool set_option(struct pr_net_options *net, const char *option)
{
    struct append_options *options = (struct append_options *)net;

    if (strncmp(option, "folder=", 7) == 0)
        options->folder = option + 7;
    else if (strcmp(option, "create=false") == 0)
        options->create = false;
    else if (strcmp(option, "flags=false") == 0)
        options->flags = false;
    else if (strncmp(option, "grace=", 6) == 0)
        options->grace = strtoul(option + 6, NULL, 10);
    else
        return false;
    return true;
}

const struct wire_protocol wire_protocol = {
    .sink = &append_sink_ops,
    .new_options = new_options,
    .set_option = set_option,
};
