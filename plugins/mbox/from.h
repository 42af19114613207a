/*
 * From_ lines: what stands before each message of an mbox (RFC 4155).
 */
#ifndef MBOX_FROM_H
#define MBOX_FROM_H

#include <postrider/buffer.h>

/* Octets of a From_ line at most, with its line end; longer lines are none. */
#define FROM_MAX 1000

/* Adds "From SENDER Sun Nov 22 04:20:50 2026\n", in UTC. A sender that is
 * empty or does not fit in such a line becomes MAILER-DAEMON. */
PR_CHECKED pr_status from_format(struct pr_bytes sender, int64_t when,
                                 struct pr_buffer *ret);

/* Does a message begin with this line (without its line end)? Mere "From " is
 * not enough: programs that quote nothing write it within messages. A line that
 * has a month's name, a time and a year behind it does. */
bool from_is_line(struct pr_bytes line);

/* The date of such a line in seconds since 1970, taken for UTC unless the line
 * has an offset; 0: none that can be read. */
int64_t from_date(struct pr_bytes line);

#endif
