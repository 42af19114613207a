/*
 * Mailbox names in modified UTF-7 (RFC 3501, 5.1.3), both ways.
 *
 * Strict: one name has one encoding, so that a name decoded and encoded again
 * is the name that the server gave. Pure.
 */
#ifndef IMAP_UTF7_H
#define IMAP_UTF7_H

#include <postrider/buffer.h>

/* Appends `name`, well-formed modified UTF-7, to `ret` as UTF-8. PR_PROTOCOL if
 * it is not (bare octets, wrong or needless shifts, half a surrogate, wrong
 * padding bits, a NUL), with `ret` as it was. PR_NOMEM, PR_LIMIT. */
PR_CHECKED pr_status imap_utf7_decode(struct pr_bytes name,
                                      struct pr_buffer *ret);

/* Appends `name`, UTF-8, to `ret` as modified UTF-7. PR_CONFIG if it is not
 * UTF-8 or has control characters, with `ret` as it was. PR_NOMEM, PR_LIMIT. */
PR_CHECKED pr_status imap_utf7_encode(struct pr_bytes name,
                                      struct pr_buffer *ret);

#endif
