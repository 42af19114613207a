/*
 * The descriptor of the POP3 plugin.
 */
#include "config.h"

#include "descriptor.h"

static const struct pr_class pop3_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SOURCE,
    .name = "pop3",
    .summary = "fetches from a POP3 server",
    .options = pop3_option_table,
    .options_size = sizeof(struct pop3_options),
    .source = &pop3_source_ops,
    .check_options = pop3_options_check,
};

static const struct pr_class *const classes[] = {&pop3_class, NULL};

PR_PLUGIN(pop3) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "pop3",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "POP3 (RFC 1939)",
    .classes = classes,
};
