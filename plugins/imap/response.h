/*
 * Responses: from tokens to structs.
 *
 * One struct holds one response at a time; its texts live in its own buffer and
 * are spoilt by the next. The octets of message bodies pass through to a
 * receiver as they come and are never kept here. RFC 3501, 7.
 */
#ifndef IMAP_RESPONSE_H
#define IMAP_RESPONSE_H

#include <postrider/plugin.h>

#include "reader.h"
#include "structure.h"

/* Octets of UID sets in one response, as ranges. */
#define IMAP_RANGES_CAP (4u * 1024 * 1024)

enum imap_kind {
    IMAP_TAGGED,
    IMAP_CONTINUE,   /* "+" */
    IMAP_CONDITION,  /* "* OK", NO, BAD, PREAUTH, BYE */
    IMAP_CAPABILITY, /* .capabilities */
    IMAP_ENABLED,    /* .capabilities */
    IMAP_LIST,       /* .mailbox */
    IMAP_SEARCH,     /* .ranges; also ESEARCH's ALL */
    IMAP_FETCH,      /* .number, .message */
    IMAP_STATUS,     /* .status */
    IMAP_EXISTS,     /* .number */
    IMAP_EXPUNGE,    /* .number */
    IMAP_VANISHED,   /* .ranges, .is_earlier; RFC 7162, 3.2.10 */
    IMAP_NAMESPACE,  /* .mailbox: the first personal one */
    IMAP_OTHER       /* valid, and of no interest */
};

enum imap_condition { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_PREAUTH, IMAP_BYE };

/* Response codes (RFC 3501, 7.1; RFC 4315, 3; RFC 4469, 5; RFC 5465, 5.8 and 8;
 * RFC 5530). */
enum imap_code {
    IMAP_CODE_NONE,
    IMAP_CODE_OTHER,
    IMAP_CODE_ALERT,
    IMAP_CODE_ALREADYEXISTS,
    IMAP_CODE_APPENDUID,
    IMAP_CODE_AUTHENTICATIONFAILED,
    IMAP_CODE_AUTHORIZATIONFAILED,
    IMAP_CODE_BADEVENT,
    IMAP_CODE_CANNOT,
    IMAP_CODE_CAPABILITY,
    IMAP_CODE_CLOSED,
    IMAP_CODE_CONTACTADMIN,
    IMAP_CODE_COPYUID,
    IMAP_CODE_EXPIRED,
    IMAP_CODE_EXPUNGEISSUED,
    IMAP_CODE_HIGHESTMODSEQ,
    IMAP_CODE_INUSE,
    IMAP_CODE_LIMIT,
    IMAP_CODE_NONEXISTENT,
    IMAP_CODE_NOPERM,
    IMAP_CODE_NOTIFICATIONOVERFLOW,
    IMAP_CODE_OVERQUOTA,
    IMAP_CODE_PERMANENTFLAGS,
    IMAP_CODE_PRIVACYREQUIRED,
    IMAP_CODE_READ_ONLY,
    IMAP_CODE_READ_WRITE,
    IMAP_CODE_SERVERBUG,
    IMAP_CODE_THROTTLED,
    IMAP_CODE_TOOBIG,
    IMAP_CODE_TRYCREATE,
    IMAP_CODE_UIDNEXT,
    IMAP_CODE_UIDVALIDITY,
    IMAP_CODE_UNAVAILABLE
};

/* A run of octets in the response's buffer. */
struct imap_span {
    size_t at, size;
};

struct imap_mailbox {
    struct imap_span name; /* as on the wire */
    char separator;        /* '\0': flat */
    bool cannot_select;    /* \Noselect or \NonExistent */
};

/* Of the folder that STATUS asked about; 0: not told. */
struct imap_status {
    uint32_t uidvalidity, uidnext, exists;
    bool has_exists;
    uint64_t append_limit, modseq;
};

/* What of a message was asked for and given back: BODY[], BODY[HEADER], a part
 * or BODY[]<0>. */
enum imap_body {
    IMAP_BODY_NONE, /* not in this response */
    IMAP_BODY_NIL,  /* NIL */
    IMAP_BODY_GIVEN /* passed through to the receiver */
};

struct imap_message {
    uint32_t uid; /* 0: not told */
    bool has_flags, has_size, has_date;
    unsigned system_flags;
    struct imap_span keywords;
    bool has_labels;
    struct imap_span labels; /* X-GM-LABELS as on the wire, LF between */
    uint64_t size;
    int64_t received;
    enum imap_body body;
    unsigned section; /* of the body: an enum pr_want, or the next */
#define IMAP_SECTION_BEGINNING 0x100u
    struct imap_span part; /* its number, of PR_WANT_PART */
    uint64_t octets;       /* of the body */
    uint64_t modseq;       /* RFC 7162, 3.1.4; 0: not told */
};

struct imap_response {
    enum imap_kind kind;
    char tag[16];
    enum imap_condition condition;
    enum imap_code code;
    uint64_t number;           /* of the message, or of the code */
    unsigned capabilities;     /* also of a CAPABILITY code */
    uint64_t append_limit;     /* among them; 0: none */
    struct imap_span text;     /* for people, after the code */
    struct imap_span argument; /* of the code */
    struct imap_mailbox mailbox;
    struct imap_status status;
    struct imap_message message;
    struct imap_structure structure; /* of the message */
    bool is_earlier; /* VANISHED: messages that EXISTS counts no more */
    struct pr_buffer
        ranges; /* of struct pr_range; also of APPENDUID and COPYUID */
    struct pr_buffer targets; /* of struct pr_range: where those of a COPYUID
                                 are now; number is the UIDVALIDITY there */
    struct pr_buffer octets;  /* what the spans point into */
};

/* Gets the octets of message bodies. What it returns ends the reading. */
struct imap_receiver {
    /* A body of so many octets begins; `response` is what is known by now, and
     * its message.uid may still be 0. */
    pr_status (*begin)(void *user, const struct imap_response *response,
                       uint64_t octets);
    pr_status (*chunk)(void *user, struct pr_bytes octets);
    void *user;
};

void imap_response_init(struct imap_response *response);
void imap_response_done(struct imap_response *response);

/* Reads one response. Without a receiver, bodies are read and dropped. Waits
 * for octets. PR_PROTOCOL if it is not IMAP, PR_NOMEM, or what the octets'
 * source or the receiver returned. */
PR_CHECKED pr_status imap_response_read(struct imap_reader *reader,
                                        const struct imap_receiver *receiver,
                                        struct imap_response *ret);

/* NUL-terminated; lent until the next response. */
const char *imap_text(const struct imap_response *response,
                      struct imap_span span);

/* For the files of the grammar. ------------------------------------------ */

/* Ends a text begun at `at` in the response's buffer. */
PR_CHECKED pr_status imap_span_end(struct imap_response *response, size_t at,
                                   struct imap_span *ret);
/* OK, NO, BAD, PREAUTH or BYE and what follows it, without the line's end. */
PR_CHECKED pr_status imap_condition_read(struct imap_reader *reader,
                                         enum imap_condition condition,
                                         struct imap_response *ret);
bool imap_condition_named(struct pr_bytes name, enum imap_condition *ret);
/* What follows "* 5 FETCH", without the line's end. */
PR_CHECKED pr_status imap_message_read(struct imap_reader *reader,
                                       const struct imap_receiver *receiver,
                                       struct imap_response *ret);
/* Adds ranges of a UID set to ret->ranges. */
PR_CHECKED pr_status imap_ranges_add(struct imap_response *ret,
                                     struct pr_bytes set);
/* The same, to a buffer of struct pr_range. */
PR_CHECKED pr_status imap_ranges_put(struct pr_buffer *ranges,
                                     struct pr_bytes set);

#endif
