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

/* Appends those of the keywords (struct pr_flags) that IMAP can carry to `ret`,
 * spaces between. *ret_dropped: how many it cannot. */
PR_CHECKED pr_status imap_keywords_keep(const char *keywords,
                                        struct pr_buffer *ret,
                                        unsigned *ret_dropped);

#define IMAP_DATE_SIZE 29 /* of a date-time in quotes, with its NUL */

/* Writes seconds since 1970 as "17-Jul-1996 02:44:25 +0000", in quotes. False,
 * and nothing written, for what no four digits of a year can tell. */
bool imap_date_format(int64_t time, char ret[IMAP_DATE_SIZE]);

/* "17-Jul-1996 02:44:25 -0700" (RFC 3501, 9: date-time) to seconds since 1970;
 * 0 if it is none. */
int64_t imap_date_parse(struct pr_bytes text);

#endif
