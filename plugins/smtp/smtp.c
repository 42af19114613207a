/*
 * The descriptor of the SMTP plugin.
 */
#include "config.h"

#include "smtp.h"

static const struct pr_class smtp_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SINK,
    .name = "smtp",
    .summary = "hand on to an SMTP server",
    .options = smtp_option_table,
    .options_size = sizeof(struct smtp_options),
    .sink = &smtp_sink_ops,
    .check_options = smtp_options_check,
};

static const struct pr_class lmtp_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SINK,
    .name = "lmtp",
    .summary = "deliver by LMTP to a mail store",
    .options = lmtp_option_table,
    .options_size = sizeof(struct smtp_options),
    .sink = &lmtp_sink_ops,
    .check_options = lmtp_options_check,
};

static const struct pr_class *const classes[] = {&smtp_class, &lmtp_class,
                                                 NULL};

PR_PLUGIN(smtp) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "smtp",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "SMTP (RFC 5321) and LMTP (RFC 2033)",
    .classes = classes,
};
