/*
 * Strings as commands carry them (RFC 3501, 9: string).
 *
 * Nothing that could end a line early is ever written.
 */
#ifndef IMAP_QUOTE_H
#define IMAP_QUOTE_H

#include <postrider/buffer.h>

enum imap_form {
    IMAP_FORM_QUOTED,
    IMAP_FORM_LITERAL,
    IMAP_FORM_NONE /* has a NUL, CR or LF: no command may carry it */
};

/* How `text` must be sent. `utf8`: quoted strings may hold UTF-8 (RFC 6855, 3).
 */
enum imap_form imap_form_of(struct pr_bytes text, bool utf8);

/* Appends `text` in quotes, with what needs it escaped. */
PR_CHECKED pr_status imap_quote(struct pr_bytes text, struct pr_buffer *ret);

#endif
