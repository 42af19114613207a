/*
 * An mbox taken apart, streaming: where messages begin and end, and their
 * octets.
 *
 * Pure: octets in, calls out; cuts may be anywhere. What mail readers keep in a
 * header for themselves (Status, X-Status, X-Keywords, X-UID, X-IMAP,
 * X-IMAPbase, Content-Length, Lines) is no part of a message: it changes while
 * the message stays the same.
 */
#ifndef MBOX_SPLIT_H
#define MBOX_SPLIT_H

#include "from.h"
#include "quote.h"

struct split_calls {
    /* A message begins with this From_ line (without its end), which is at
     * `at`. */
    pr_status (*begin)(void *user, uint64_t at, struct pr_bytes line);
    /* A field that is left out. */
    pr_status (*field)(void *user, struct pr_bytes name, struct pr_bytes value);
    /* The empty line at the end of the header comes next, if there is one. */
    pr_status (*header)(void *user);
    pr_status (*octets)(void *user, const char *data, size_t size);
    /* It is over; what is at `at` is no part of it. */
    pr_status (*end)(void *user, uint64_t at);
};

enum split_keep {
    SPLIT_MESSAGE, /* without the readers' fields, unquoted */
    SPLIT_RAW      /* as it stands, without the fields of flags */
};

struct split {
    const struct split_calls *calls;
    void *user;
    enum split_keep keep;
    struct unquote unquote;
    uint64_t at; /* of the next octet to come in */

    enum {
        SPLIT_BEFORE, /* no message has begun */
        SPLIT_HEADER,
        SPLIT_BODY
    } place;

    bool has_garbage; /* before the first message */
    bool passes;      /* the rest of a line goes through */
    bool drops;       /* or nowhere; in a header also the lines that go on */
    size_t held;      /* octets of the line so far */
    size_t gap;       /* octets of an empty line that may be the last */
    char gap_octets[2];
    char line[FROM_MAX + 2];
};

/* `at`: where in the file the octets begin; a message begins there, or
 * nothing. */
void split_init(struct split *split, const struct split_calls *calls,
                void *user, enum split_keep keep, enum unquote_format format,
                uint64_t at);
PR_CHECKED pr_status split_add(struct split *split, const char *data,
                               size_t size);
PR_CHECKED pr_status split_end(struct split *split);

#endif
