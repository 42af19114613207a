/*
 * Writing header fields: encoding and folding.
 */
#ifndef MAIL_FOLD_H
#define MAIL_FOLD_H

#include <postrider/buffer.h>

/* A field we write has at most so many octets. */
#define FOLD_MAX (1024 * 1024)

/* Appends "name: value" and LF. A value that is not ASCII becomes encoded words
 * (RFC 2047; in address fields only the names do); lines longer than 78 octets
 * are folded where there is white space (RFC 5322, 2.2.3). PR_NOMEM, PR_LIMIT.
 */
PR_CHECKED pr_status fold_field(const char *name, const char *value,
                                struct pr_buffer *buffer);

#endif
