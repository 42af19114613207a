/*
 * What a server says it can do, as far as it matters here.
 */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H

#include <postrider/buffer.h>

/* Bits of a set. */
enum imap_capability {
    IMAP_CAN_REV1 = 1 << 0,
    IMAP_CAN_REV2 = 1 << 1,
    IMAP_CAN_STARTTLS = 1 << 2,
    IMAP_CAN_NOT_LOGIN = 1 << 3,     /* LOGINDISABLED */
    IMAP_CAN_AUTH_PLAIN = 1 << 4,    /* AUTH=PLAIN */
    IMAP_CAN_SASL_IR = 1 << 5,       /* RFC 4959 */
    IMAP_CAN_LITERAL_PLUS = 1 << 6,  /* RFC 7888 */
    IMAP_CAN_LITERAL_MINUS = 1 << 7, /* RFC 7888 */
    IMAP_CAN_ENABLE = 1 << 8,        /* RFC 5161 */
    IMAP_CAN_UTF8 = 1 << 9,          /* UTF8=ACCEPT or UTF8=ONLY, RFC 6855 */
    IMAP_CAN_ID = 1 << 10,           /* RFC 2971 */
    IMAP_CAN_NAMESPACE = 1 << 11,    /* RFC 2342 */
    IMAP_CAN_UIDPLUS = 1 << 12,      /* RFC 4315 */
    IMAP_CAN_MOVE = 1 << 13,         /* RFC 6851 */
    IMAP_CAN_ESEARCH = 1 << 14,      /* RFC 4731 */
    IMAP_CAN_MULTIAPPEND = 1 << 15,  /* RFC 3502 */
    IMAP_CAN_APPENDLIMIT = 1 << 16,  /* RFC 7889 */
    IMAP_CAN_BINARY = 1 << 17,       /* RFC 3516 */
    IMAP_CAN_ONLY_UTF8 = 1 << 18,    /* UTF8=ONLY, RFC 6855 */
    IMAP_CAN_CONDSTORE = 1 << 19,    /* RFC 7162 */
    IMAP_CAN_QRESYNC = 1 << 20,      /* RFC 7162 */
    IMAP_CAN_IDLE = 1 << 21,         /* RFC 2177 */
    IMAP_CAN_NOTIFY = 1 << 22,       /* RFC 5465 */
    IMAP_CAN_LIST_STATUS = 1 << 23,  /* RFC 5819 */
    IMAP_CAN_WITHIN = 1 << 24,       /* RFC 5032 */
    IMAP_CAN_GMAIL = 1 << 25         /* X-GM-EXT-1 */
};

/* The bit of a capability's name, 0 if it does not matter here. */
unsigned imap_capability(struct pr_bytes name);

/* The set of a list of names with spaces between (RFC 3501, 7.2.1), with what
 * IMAP4rev2 includes (RFC 9051, appendix E). */
unsigned imap_capabilities(struct pr_bytes names);

/* The number in "APPENDLIMIT=35651584", 0 if there is none: then each folder
 * has its own, if there is a limit at all (RFC 7889, 2). */
uint64_t imap_append_limit(struct pr_bytes names);

/* Option `disable`: PR_CONFIG with words if it has a name that is none of
 * these. */
PR_CHECKED pr_status imap_capabilities_check(const char *const *names);
/* The set of names that the user does not want used; NULL: none. */
unsigned imap_capabilities_disabled(const char *const *names);

#endif
