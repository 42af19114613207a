/*
 * The lines of a server, taken apart.
 *
 * Pure: octets in, meaning out. Whatever is returned is lent as the line is.
 */
#ifndef POP3_REPLY_H
#define POP3_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postrider/buffer.h>

enum pop3_indicator {
    POP3_OK,      /* +OK */
    POP3_ERR,     /* -ERR */
    POP3_CONTINUE /* "+", of AUTH only (RFC 5034, 4) */
};

/* Response codes (RFC 2449, 8; RFC 3206; RFC 6856, 7). */
enum pop3_code {
    POP3_CODE_NONE, /* or one that does not matter here */
    POP3_CODE_LOGIN_DELAY,
    POP3_CODE_IN_USE,
    POP3_CODE_SYS_TEMP,
    POP3_CODE_SYS_PERM,
    POP3_CODE_AUTH,
    POP3_CODE_UTF8
};

struct pop3_reply {
    enum pop3_indicator indicator;
    enum pop3_code code;
    struct pr_bytes text; /* what comes after the indicator, with the code */
};

/* Takes the first line of a response apart; false if it is none. */
bool pop3_reply_parse(struct pr_bytes line, struct pop3_reply *ret);

/* Do the words of an -ERR without a code say that it may work another time?
 * Servers older than RFC 2449 have no other way. */
bool pop3_words_say_later(struct pr_bytes text);

/* A decimal number at the beginning of `rest`, ended by spaces or the end, and
 * moves `rest` past it and them. False if there is none, or it is 2^64 or more.
 */
bool pop3_number(struct pr_bytes *rest, uint64_t *ret);

/* A line of LIST or UIDL, or the answer of STAT: a number and what follows. */
bool pop3_entry_parse(struct pr_bytes line, uint64_t *ret_number,
                      struct pr_bytes *ret_rest);

/* The challenge for APOP in a greeting, with its angle brackets; empty if there
 * is none, or if it is no message id. The form is held to strictly (RFC 5322,
 * 3.6.4, without comments, quoted strings and obsolete forms): a server that
 * may choose any octets learns the password from a few digests. */
struct pr_bytes pop3_challenge(struct pr_bytes greeting);

#endif
