/*
 * The octets of a multi-line response: where it ends, and what the message was
 * before its dots were stuffed (RFC 1939, 3).
 *
 * Pure and incremental. A line ends with CRLF: a bare CR or LF is text, and a
 * dot behind it is text too. The end is CRLF.CRLF and nothing else; the first
 * CRLF belongs to the message, or is that of the response's first line.
 */
#ifndef POP3_MULTILINE_H
#define POP3_MULTILINE_H

#include <stdbool.h>
#include <stddef.h>

#include <postrider/buffer.h>

enum pop3_place {
    POP3_LINE_START,
    POP3_AFTER_DOT, /* one at the start of a line, not yet passed on */
    POP3_AFTER_DOT_CR,
    POP3_IN_TEXT,
    POP3_AFTER_CR
};

/* Zeroed: at the beginning. */
struct pop3_multiline {
    enum pop3_place place;
    bool is_ended; /* nothing behind it was looked at */
};

/* Looks at `input` and says how many octets of it are done with; those of them
 * that are text of the message are *ret_text, in one piece, which may be empty
 * and is lent as `input` is. Call again with what is left and what has come
 * since, until is_ended. */
size_t pop3_multiline_take(struct pop3_multiline *multiline,
                           struct pr_bytes input, struct pr_bytes *ret_text);

/* Where a header ends: at its first empty line, ended by CRLF or LF. Zeroed: at
 * the beginning. */
struct pop3_header {
    bool is_in_line; /* the line so far has octets other than CR */
    bool is_ended;
};

/* How many octets of `text` belong to the header, the empty line with it. */
size_t pop3_header_take(struct pop3_header *header, struct pr_bytes text);

#endif
