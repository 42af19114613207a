/*
 * What a server says it can do (RFC 2449), as far as it matters here.
 */
#ifndef POP3_CAPABILITY_H
#define POP3_CAPABILITY_H

#include <postrider/buffer.h>

/* Bits of a set. */
enum pop3_capability {
    POP3_CAN_TOP = 1 << 0,
    POP3_CAN_USER = 1 << 1,
    POP3_CAN_UIDL = 1 << 2,
    POP3_CAN_PIPELINE = 1 << 3,   /* PIPELINING */
    POP3_CAN_STLS = 1 << 4,       /* RFC 2595 */
    POP3_CAN_UTF8 = 1 << 5,       /* RFC 6856 */
    POP3_CAN_AUTH_PLAIN = 1 << 6, /* SASL PLAIN, RFC 5034 */
    POP3_CAN_AUTH_LOGIN = 1 << 7, /* SASL LOGIN */
    POP3_CAN_SASL = 1 << 8,       /* any mechanism */
    POP3_CAN_EXPIRE_0 = 1 << 9,   /* what was fetched goes at QUIT */
    POP3_CAN_SASL_IR = 1 << 10,   /* comes with SASL; can be disabled */
    POP3_CAN_LAST = 1 << 11       /* RFC 1460; never announced, as CAPA is
                                     younger; can be disabled */
};

/* The bits of one line of CAPA's answer: a name, and its arguments with spaces
 * between. 0 if it does not matter here. */
unsigned pop3_capability(struct pr_bytes line);

/* Option `disable`: PR_CONFIG with words if it has a name that is none of
 * these. */
PR_CHECKED pr_status pop3_capabilities_check(const char *const *names);
/* The set of names that the user does not want used; NULL: none. */
unsigned pop3_capabilities_disabled(const char *const *names);

#endif
