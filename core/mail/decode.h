/*
 * From the octets of mail to UTF-8 text: encoded words, charsets.
 *
 * What comes out is always valid UTF-8 without NUL; what cannot be read is
 * U+FFFD. What does not fit into a buffer is cut between two characters.
 */
#ifndef MAIL_DECODE_H
#define MAIL_DECODE_H

#include <gmime/gmime.h>

#include <postrider/buffer.h>

/* Readies GMime at the first call. Call it on the main thread before anything
 * of GMime runs in the pool. */
void decode_ready(void);
/* How GMime is to read fields: leniently, 8-bit text as UTF-8, else as
 * windows-1252. Lent. */
GMimeParserOptions *decode_options(void);
/* Frees what GMime holds, at the end of the program. */
void decode_shutdown(void);

/* Appends `bytes` as valid UTF-8. PR_NOMEM. */
PR_CHECKED pr_status decode_utf8(struct pr_bytes bytes,
                                 struct pr_buffer *buffer);
/* Appends a field's value unfolded, without white space at its ends, its
 * encoded words (RFC 2047) decoded. PR_NOMEM. */
PR_CHECKED pr_status decode_header(struct pr_bytes raw,
                                   struct pr_buffer *buffer);
/* Appends a field's value unfolded, its encoded words in a form that GMime
 * reads rightly. PR_NOMEM. */
PR_CHECKED pr_status decode_structured(struct pr_bytes raw,
                                       struct pr_buffer *buffer);

/* Text in some charset on its way to UTF-8, in pieces. */
struct decoder;
/* `charset` as mail declares it. An unknown one gives ASCII and U+FFFD; none,
 * or ASCII, that of the first octets that are not ASCII: UTF-8 or
 * windows-1252. PR_NOMEM. */
PR_CHECKED pr_status decoder_new(const char *charset, struct decoder **ret);
void decoder_free(struct decoder *decoder); /* NULL is fine */
/* Appends a piece; CRLF becomes LF. PR_NOMEM. */
PR_CHECKED pr_status decoder_add(struct decoder *decoder, struct pr_bytes piece,
                                 struct pr_buffer *buffer);
/* Appends what the last piece left open. */
PR_CHECKED pr_status decoder_end(struct decoder *decoder,
                                 struct pr_buffer *buffer);

#endif
