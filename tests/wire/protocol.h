/*
 * The protocol whose transcripts are replayed.
 */
#ifndef WIRE_PROTOCOL_H
#define WIRE_PROTOCOL_H

#include <postrider/plugin.h>

struct wire_protocol {
    const struct pr_source_ops *source; /* or... */
    const struct pr_sink_ops *sink;
    /* The plugin's options, which begin with struct pr_net_options, anew. */
    struct pr_net_options *(*new_options)(void);
    /* Sets one of the plugin's own, "name=value"; false if it is none. */
    bool (*set_option)(struct pr_net_options *options, const char *option);
};

extern const struct wire_protocol wire_protocol;

#endif
