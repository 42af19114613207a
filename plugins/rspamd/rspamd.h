/*
 * The rspamd plugin: what its files share.
 */
#ifndef RSPAMD_RSPAMD_H
#define RSPAMD_RSPAMD_H

#include <postrider/plugin.h>

/* Reads the JSON of rspamd's reply to /checkv2 into an answer: score, required,
 * action, spam, symbols by their names, and subject if rspamd wants another.
 * PR_PROTOCOL; PR_LATER for what rspamd calls an error. */
PR_CHECKED pr_status rspamd_read_verdict(struct pr_bytes json,
                                         struct pr_reply *reply);
/* The same of a lesson's reply: changed. */
PR_CHECKED pr_status rspamd_read_lesson(struct pr_bytes json,
                                        struct pr_reply *reply);

#endif
