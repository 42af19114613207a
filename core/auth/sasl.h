/*
 * SASL messages and their base64. None of these waits.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include <postrider/buffer.h>

/* Adds the base64 of `bytes` (RFC 4648, 4) without line ends. */
PR_CHECKED pr_status base64_encode(struct pr_bytes bytes,
                                   struct pr_buffer *buffer);
/* Adds what the base64 `text` stands for; PR_PROTOCOL if it is malformed, as
 * with any octet outside the alphabet or missing padding. */
PR_CHECKED pr_status base64_decode(struct pr_bytes text,
                                   struct pr_buffer *buffer);

/* RFC 4616: adds the base64 of NUL user NUL password, the whole of what PLAIN
 * sends; wipe the buffer with pr_secret_wipe. PR_CONFIG if one of them is empty
 * or the password has a NUL in it. */
PR_CHECKED pr_status sasl_plain(const char *user, struct pr_bytes password,
                                struct pr_buffer *buffer);

#endif
