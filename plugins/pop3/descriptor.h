/*
 * What the descriptor of the plugin is made of.
 */
#ifndef POP3_DESCRIPTOR_H
#define POP3_DESCRIPTOR_H

#include "pop3.h"

extern const struct pr_option pop3_option_table[];
/* What no single option shows. PR_CONFIG. */
pr_status pop3_options_check(const void *options);

extern const struct pr_source_ops pop3_source_ops;

#endif
