/*
 * A fetch under way: for fetch.c, which asks, and body.c, which reads the
 * answers.
 */
#ifndef POP3_FETCH_H
#define POP3_FETCH_H

#include "pop3.h"

/* A request taken from the feed, and sent. */
struct wanted {
    struct pr_item *item;
    enum pr_want want;
    bool is_top;   /* TOP; else RETR, also for a header where TOP is refused */
    uint64_t owed; /* octets still to come, by the item's size */
};

struct fetch {
    struct pop3 *pop3;
    struct pr_feed *feed;
    struct wanted *ring; /* `size` places; `count` in flight from `first` on */
    size_t size, first, count;
    uint64_t octets;       /* what those in flight owe */
    bool is_at_end;        /* the feed has no more */
    pr_status feed_status; /* why the feed broke off */
    char feed_words[PR_FAILURE_MAX];
};

/* Sends requests while there is room and the feed has some at hand. */
PR_CHECKED pr_status fetch_top_up(struct fetch *fetch);
/* Is so much room free that requests would go out? */
bool fetch_would_ask(const struct fetch *fetch);
/* `octets` more of the oldest request have come. */
void fetch_note_octets(struct fetch *fetch, uint64_t octets);

/* Reads the text of the oldest request, whose +OK was read, into its spool;
 * PR_OK with its result in *ret, and pr_fail() has said why. Else the session
 * is broken. */
PR_CHECKED pr_status fetch_read_body(struct fetch *fetch, pr_status *ret);

#endif
