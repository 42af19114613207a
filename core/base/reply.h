/*
 * Answers of services, as octets: written by pr_reply_*, read back one token at
 * a time. Such octets can be kept and read again.
 */
#ifndef BASE_REPLY_H
#define BASE_REPLY_H

#include <postrider/service.h>

/* Levels of tables in an answer; what is deeper fails it. */
#define REPLY_DEPTH_MOST 32

/* {0} is an empty answer. */
struct pr_reply {
    struct pr_buffer octets;
    unsigned depth;
    pr_status status; /* of all that was written */
};

void reply_done(struct pr_reply *reply);
/* PR_OK if all of it is there; else why not, with words. */
PR_CHECKED pr_status reply_status(const struct pr_reply *reply);

struct reply_token {
    enum {
        REPLY_TEXT = 1,
        REPLY_NUMBER,
        REPLY_BOOLEAN,
        REPLY_BEGIN,
        REPLY_END
    } kind;

    struct pr_bytes name; /* .data NULL: the next item of a list */
    struct pr_bytes text;
    double number;
    bool boolean;
};

/* Takes the next token off the front. False at the end. `octets` are those of
 * an answer; lent for the token. */
bool reply_next(struct pr_bytes *octets, struct reply_token *ret);

#endif
