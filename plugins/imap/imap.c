/*
 * The descriptor of the IMAP plugin.
 */
#include "append.h"
#include "descriptor.h"

static const struct pr_class imap_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SOURCE,
    .name = "imap",
    .summary = "fetches from an IMAP server",
    .options = imap_option_table,
    .options_size = sizeof(struct imap_options),
    .source = &imap_source_ops,
    .check_options = imap_options_check,
};

static const struct pr_class append_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SINK,
    .name = "append",
    .summary = "delivers into folders of an IMAP server",
    .options = append_option_table,
    .options_size = sizeof(struct append_options),
    .sink = &append_sink_ops,
    .check_options = append_options_check,
};

static const struct pr_class *const classes[] = {&imap_class, &append_class,
                                                 NULL};

PR_PLUGIN(imap) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "imap",
    .version = IMAP_VERSION,
    .license = "MIT",
    .summary = "IMAP (RFC 3501, RFC 9051)",
    .classes = classes,
};
