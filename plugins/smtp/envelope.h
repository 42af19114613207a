/*
 * Who a message is from and for, by its header and the options.
 */
#ifndef SMTP_ENVELOPE_H
#define SMTP_ENVELOPE_H

#include "letter.h"

/* Sets from, recipients and original of `letter`, as its delivery wants them;
 * without a folder the recipients are those of the options and the header.
 * PR_REFUSED if there is none.
 */
PR_CHECKED pr_status smtp_envelope_find(const struct smtp_options *set,
                                        struct pr_bytes header,
                                        struct smtp_letter *letter);

/* A loop: more Received fields (RFC 5321, 6.3) than allowed, or one that has
 * `mark` in it. PR_REFUSED. */
PR_CHECKED pr_status smtp_envelope_check_loop(const struct smtp_options *set,
                                              struct pr_bytes header,
                                              const char *mark);

#define SMTP_MARK_SIZE 32

/* The mark that the sink called `sink` on the machine `host` leaves in what
 * passes through it. */
void smtp_envelope_mark(const char *sink, const char *host,
                        char ret[SMTP_MARK_SIZE]);

/* The Received field (RFC 5321, 4.4) with that mark, line ends as LF. `now`:
 * seconds since 1970. NULL: out of memory. */
char *smtp_envelope_trace(struct pr_arena *arena, const char *host,
                          const char *mark, const char *key, int64_t now);

#endif
