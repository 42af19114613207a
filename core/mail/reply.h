/*
 * A message of a rule's own, written out.
 */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include <postrider/message.h>

#include "mail/plan.h"

/* A reply has at most so many octets of text, or of MIME. */
#define REPLY_MOST ((size_t)1024 * 1024)

/* Can it be written? PR_CONFIG with words. Does not wait. */
PR_CHECKED pr_status reply_check(const struct reply *reply);

/* Is it one address, with a name or without? PR_CONFIG with words that begin
 * with `what`. Does not wait. */
PR_CHECKED pr_status reply_check_address(const char *what, const char *text);

/* The message into a new sealed spool: marked as an automatic reply (RFC 3834,
 * 5), its header encoded and folded (RFC 2047, RFC 5322), its text in 7 bits.
 * `key`: of its delivery, so that each try has the same Message-ID. `now`:
 * seconds since 1970. PR_CONFIG, PR_NOMEM, PR_IO, PR_FULL. */
PR_CHECKED pr_status reply_write(const struct reply *reply, const char *key,
                                 int64_t now, const char *directory,
                                 struct pr_spool **ret);

#endif
