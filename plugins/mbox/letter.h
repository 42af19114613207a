/*
 * One message as it will stand in an mbox.
 */
#ifndef MBOX_LETTER_H
#define MBOX_LETTER_H

#include <postrider/plugin.h>

#include "quote.h"

/* Puts the From_ line, the message, quoted, and the empty line behind it. With
 * `flags`, those of the delivery become Status headers, if it has any. Blocks.
 * Fails as `put` does, or with PR_IO or PR_NOMEM. */
PR_CHECKED pr_status letter_write(const struct pr_delivery *delivery,
                                  bool flags, quote_put *put, void *user);

/* Adds Status, X-Status and X-Keywords for what is set; nothing if nothing
 * is. */
PR_CHECKED pr_status letter_flags(const struct pr_flags *flags,
                                  struct pr_buffer *ret);

#endif
