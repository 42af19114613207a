/*
 * What the descriptor of the plugin is made of.
 */
#ifndef IMAP_DESCRIPTOR_H
#define IMAP_DESCRIPTOR_H

#include "imap.h"

extern const struct pr_option imap_option_table[];
/* What no single option shows. PR_CONFIG. */
pr_status imap_options_check(const void *options);

extern const struct pr_source_ops imap_source_ops;

extern const struct pr_option append_option_table[];
pr_status append_options_check(const void *options);
extern const struct pr_sink_ops append_sink_ops;

/* What any session must be told; `class` names who asks. PR_CONFIG. */
pr_status imap_net_check(const char *class, const struct pr_net_options *net);

#endif
