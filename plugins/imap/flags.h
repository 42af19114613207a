/*
 * Flags as IMAP writes them, and dates.
 */
#ifndef IMAP_FLAGS_H
#define IMAP_FLAGS_H

#include <postrider/message.h>

/* The bit (enum pr_flag) of "\Seen" and its like, 0 for a keyword. */
unsigned imap_flag(struct pr_bytes name);

/* May it stand in a list of keywords: an atom (RFC 3501, 9) in ASCII? */
bool imap_is_keyword(struct pr_bytes name);

/* Appends "\Seen $Work" to `ret`. \Recent is left out, as no client may set it.
 * PR_CONFIG for a keyword that is no atom. */
PR_CHECKED pr_status imap_flags_format(const struct pr_flags *flags,
                                       struct pr_buffer *ret);

/* "17-Jul-1996 02:44:25 -0700" (RFC 3501, 9: date-time) to seconds since 1970;
 * 0 if it is none. */
int64_t imap_date_parse(struct pr_bytes text);

#endif
