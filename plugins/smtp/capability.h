/*
 * What a server says it can do, in its reply to EHLO or LHLO (RFC 5321,
 * 4.1.1.1).
 */
#ifndef SMTP_CAPABILITY_H
#define SMTP_CAPABILITY_H

#include <postrider/buffer.h>

enum smtp_capability {
    SMTP_CAN_STARTTLS = 1,     /* RFC 3207 */
    SMTP_CAN_AUTH_PLAIN = 2,   /* RFC 4954 */
    SMTP_CAN_AUTH_LOGIN = 4,   /* never an RFC */
    SMTP_CAN_PIPELINING = 8,   /* RFC 2920 */
    SMTP_CAN_8BITMIME = 16,    /* RFC 6152 */
    SMTP_CAN_UTF8 = 32,        /* RFC 6531 */
    SMTP_CAN_SIZE = 64,        /* RFC 1870 */
    SMTP_CAN_CHUNKING = 128,   /* RFC 3030 */
    SMTP_CAN_BINARYMIME = 256, /* RFC 3030 */
    SMTP_CAN_DSN = 512         /* RFC 3461 */
};

struct smtp_capabilities {
    unsigned set;        /* of enum smtp_capability */
    uint64_t size_limit; /* octets; 0: none is told */
};

/* Takes one line of the reply, without its code. */
void smtp_capability_add(struct smtp_capabilities *all, struct pr_bytes line);

/* The set that a list of keywords (ended by NULL, or NULL) names; "AUTH" is all
 * mechanisms. */
unsigned smtp_capabilities_named(const char *const *names);
/* Of the same list: PR_CONFIG if one is no keyword of the set. */
PR_CHECKED pr_status smtp_capabilities_check(const char *const *names);

#endif
