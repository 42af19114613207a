/*
 * What is heard of folders: where each stands, and the news not yet told.
 *
 * News may come with any answer of the server (RFC 3501, 5.2), so it is noted
 * from the first select on, not only while somebody watches. What a folder's
 * entry holds is what the core knows of it: a difference is news.
 */
#ifndef IMAP_WATCH_H
#define IMAP_WATCH_H

#include <postrider/plugin.h>

struct imap;
struct imap_response;

#define IMAP_NONE SIZE_MAX
#define IMAP_PROVE_MS 10000u /* for an answer to a probe of our own */

/* A folder that was selected, glanced at or watched. */
struct imap_known {
    const char *name;              /* of the session's arena */
    uint32_t uidvalidity, uidnext; /* 0: not known */
    uint32_t exists;
    uint64_t modseq;  /* 0: not known */
    unsigned news;    /* of enum pr_news, not yet told */
    bool is_seen;     /* the core was told where it stands */
    bool is_watched;  /* it is in the NOTIFY that is set */
    bool is_answered; /* NOTIFY has told of it */
};

struct imap_watching {
    struct imap_known *all;
    size_t count, room;
    size_t selected;     /* index; IMAP_NONE: no folder is */
    size_t last_found;   /* names mostly come in order */
    bool has_changed;    /* the selected folder: SELECT says how far it is */
    bool is_settling;    /* what changes is our own doing */
    bool is_notifying;   /* NOTIFY is set */
    bool was_set;        /* and was before, if the server has not ended it */
    bool has_overflowed; /* and the server has given it up */
    bool refuses_idle, refuses_notify;
    bool is_done_sent;   /* IDLE's answer is what is left of it */
    bool is_idle_proved; /* the server has told news in IDLE */
    unsigned events;     /* of the NOTIFY that is set */
    unsigned deaf;       /* times that IDLE told nothing of news there was */
    unsigned overflows;
    pr_time fresh_until; /* the selected folder is as the server sees it */
    uint64_t probe_ms;   /* asked for: the line must be proved within; 0: no */
};

void imap_watching_init(struct imap_watching *watching);
void imap_watching_done(struct imap_watching *watching);

/* ---- known.c: where folders stand --------------------------------------- */

/* Finds a folder's entry, or makes one. */
PR_CHECKED pr_status imap_known(struct imap *imap, const char *name,
                                size_t *ret);
/* The entry of a name as it is on the wire (RFC 5465 servers send UTF-8 where
 * they should not: both are understood); IMAP_NONE if it has none. */
size_t imap_known_by_wire(struct imap *imap, struct pr_bytes wire);
/* The entry of the selected folder; NULL: none is selected. */
struct imap_known *imap_known_selected(struct imap *imap);
/* The core was told where the folder stands: that is no news any more. */
void imap_known_tell(struct imap_known *known, const struct pr_glance *glance);

/* Takes what a response tells; to be called before the session's own numbers
 * change. */
PR_CHECKED pr_status imap_note_news(struct imap *imap,
                                    const struct imap_response *told);
/* All folders that are watched may have news. */
void imap_note_loss(struct imap *imap);
/* Tells the news that `watch` wants. *ret: there was some. */
PR_CHECKED pr_status imap_tell_news(struct imap *imap,
                                    const struct pr_watch *watch, bool *ret);

/* ---- watch.c: waiting ---------------------------------------------------- */

/* Waits for octets from the server, with as little memory as can be. PR_OK:
 * some are there, or imap_op_probe was called; PR_TIMEOUT at `until` and
 * PR_CANCELLED break nothing. */
PR_CHECKED pr_status imap_wait(struct imap *imap, pr_time until);
/* Has the server said something that was not read? */
bool imap_has_octets(struct imap *imap);
bool imap_can_idle(const struct imap *imap);
/* Reads answers until one of two claims is true. PR_CANCELLED breaks nothing;
 * by `until` it must be over, else PR_NETWORK: the line is dead. */
PR_CHECKED pr_status imap_await_either(struct imap *imap, const bool *one,
                                       const bool *other, pr_time until);
/* What NOOP says proves that the line stands; as above. */
PR_CHECKED pr_status imap_prove(struct imap *imap, pr_time until);
/* Breaks the session with PR_NETWORK, in place of the timeout that it was
 * broken by. */
pr_status imap_dead(struct imap *imap);

/* Times of a watch. */
struct imap_times {
    pr_time renew, probe; /* when each is due */
    uint64_t probe_ms;
};

/* It begins, or the server was heard. */
void imap_times_begin(struct imap_times *times, const struct imap *imap,
                      const struct pr_watch *watch);
void imap_times_heard(struct imap_times *times);
/* The next thing that is due, or the watch's deadline. */
pr_time imap_times_next(const struct imap_times *times,
                        const struct pr_watch *watch);

/* ---- idle.c, notify.c ---------------------------------------------------- */

PR_CHECKED pr_status imap_idle(struct imap *imap, const struct pr_watch *watch);
/* Waits for the end of an IDLE whose DONE was sent. */
PR_CHECKED pr_status imap_idle_settle(struct imap *imap);
/* One IDLE on the selected folder, until there is news, for the time of the
 * watch, or until it is to be begun anew. */
PR_CHECKED pr_status imap_idle_selected(struct imap *imap,
                                        const struct pr_watch *watch,
                                        bool *ret_is_over);
PR_CHECKED pr_status imap_notify(struct imap *imap,
                                 const struct pr_watch *watch);

#endif
