/*
 * Encoded words (RFC 2047).
 */
#ifndef MAIL_WORDS_H
#define MAIL_WORDS_H

#include <postrider/buffer.h>

/* Appends unfolded `text` as UTF-8, its encoded words decoded; other octets
 * beyond ASCII are UTF-8 if they look so, else windows-1252. PR_NOMEM. */
PR_CHECKED pr_status words_decode(struct pr_bytes text,
                                  struct pr_buffer *buffer);

/* Appends unfolded `text` with each run of encoded words as one word in UTF-8
 * and base64, all else as it is: for fields whose grammar GMime knows. GMime
 * itself decodes the words of a run as one, and loses what follows the padding
 * of the first. PR_NOMEM. */
PR_CHECKED pr_status words_join(struct pr_bytes text, struct pr_buffer *buffer);

#endif
