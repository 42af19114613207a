/*
 * One message over a line: its envelope, its content, what the server says.
 *
 * With PIPELINING (RFC 2920) the envelope of the next message travels with the
 * end of the one before, so that a message costs one round trip. The end of a
 * message is sent only when every earlier one has had its reply: at most one is
 * ever in doubt.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include "letter.h"
#include "line.h"

/* Carries `letter` to its pending recipients, once. Sets their fates, and the
 * letter's failure for what the server refused. `next`, or NULL, may have its
 * envelope sent ahead; it must be the letter of the next call on this line, if
 * the line still stands then. Waits.
 *
 * PR_OK: the server has answered, whatever it said. Else the line is broken, or
 * nothing could be sent; who was not told of is pending, and with PR_DOUBT may
 * have the message or not. */
PR_CHECKED pr_status smtp_transact(struct smtp_line *line,
                                   struct smtp_letter *letter,
                                   const struct smtp_letter *next);

#endif
