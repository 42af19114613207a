/*
 * A fetch under way: for fetch.c, which reads the answers, and window.c, which
 * asks.
 */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "imap.h"

struct window;

/* A request taken from the feed. */
struct wanted {
    struct window *window;
    struct pr_item *item;
    enum pr_want want;
    const char *part; /* of PR_WANT_PART; lent */
    uint64_t most;    /* octets of it; 0: all */
    uint64_t owed;    /* octets still to come, by the item's size */
    bool is_ended;
    bool has_empty_answer; /* a FETCH came, without the body */
};

/* How a request whose window is done is asked for again. */
enum again {
    AGAIN_NOT,
    AGAIN_ALONE,   /* in a window of its own */
    AGAIN_IS_THERE /* only whether the message is there */
};

/* What one UID FETCH asks for. */
struct window {
    struct window *next;
    enum again again; /* why it was made, if not from the feed */
    struct imap_command command;
    size_t count, left; /* in all; not ended */
    size_t first;       /* those before it are ended */
    bool is_alone;      /* one request, sent while no other was in flight */
    struct wanted wanted[];
};

/* The body that is being read. */
struct arriving {
    struct wanted *wanted;     /* NULL: nobody asked, dropped */
    struct pr_spool *spool;    /* NULL: dropped */
    struct pr_failure failure; /* why it is dropped although asked for */
};

struct fetch {
    struct imap *imap;
    const struct imap_options *options;
    struct pr_feed *feed;
    struct window *oldest;  /* in flight */
    struct window *again;   /* to be sent, of one request each */
    size_t windows;         /* in flight */
    size_t messages;        /* asked for and not ended, those in `again` too */
    uint64_t octets;        /* what they owe */
    struct pr_request held; /* taken but in no window yet; item NULL: none */
    struct arriving arriving;
    bool is_at_end;        /* the feed has no more */
    bool uids_come_late;   /* bodies come before their UIDs: one at a time */
    pr_status feed_status; /* why the feed broke off */
    char feed_words[PR_FAILURE_MAX];
};

/* ---- window.c ----------------------------------------------------------- */

void window_free(struct window *window);
/* Is there room for another window in flight? */
bool fetch_has_room(const struct fetch *fetch);
/* Sends windows while there is room and the feed has requests at hand. */
PR_CHECKED pr_status fetch_top_up(struct fetch *fetch);
/* Waits for the feed's next request, which is then held. */
void fetch_await_request(struct fetch *fetch);
/* Puts a request that stays open into another window, for later. */
PR_CHECKED pr_status fetch_ask_again(struct fetch *fetch, struct wanted *wanted,
                                     enum again again);

/* ---- fetch.c ------------------------------------------------------------ */

/* Ends a request; pr_fail() has said why, if it is not PR_OK. */
void fetch_end(struct fetch *fetch, struct wanted *wanted, pr_status result);

#endif
