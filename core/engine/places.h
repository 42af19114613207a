/*
 * Places for connections: how many may be open in all, and how many may be at
 * work with one host.
 *
 * A connection is at work while it connects, logs in, lists, fetches or
 * settles; one that only watches costs its server little, and holds no place of
 * its host: that limit is there to spread work, not to bound mailboxes. Of the
 * connections in all, those that watch may have seven eighths, so that whoever
 * polls always finds a place in the end.
 *
 * Who waits is served in this order: claimants that are urgent, those that have
 * the fewest connections at work, those that came first. A host that is full
 * holds up nobody who waits for another.
 */
#ifndef ENGINE_PLACES_H
#define ENGINE_PLACES_H

#include <stdbool.h>

#include <postrider/fiber.h>

struct places;

/* Limits; 0: none. */
PR_CHECKED pr_status places_new(unsigned in_all, unsigned per_host,
                                struct places **ret);
void places_free(struct places *places); /* NULL is fine; nothing is held */
/* Other limits from now on; nobody loses a place. */
void places_limit(struct places *places, unsigned in_all, unsigned per_host);

/* Whose connections they are. Zeroed memory is one without any. */
struct claimant {
    bool is_urgent;
    unsigned at_work; /* its connections that are */
    unsigned waiting; /* those that wait for a place */
};

/* What a connection holds. Zeroed memory holds nothing. */
struct place {
    struct claimant *claimant; /* lent */
    struct place_host *host;
    bool is_open;    /* counted among all */
    bool is_at_work; /* counted with its host */
};

/* Takes a place for a connection that is to be opened. Waits. PR_CANCELLED,
 * PR_NOMEM: nothing is held. */
PR_CHECKED pr_status place_take(struct places *places, struct place *place,
                                const char *host, struct claimant *claimant);
/* It only watches from now on. False if too many do: it is to be closed. */
PR_CHECKED bool place_park(struct places *places, struct place *place);
/* It is at work again. Waits. PR_CANCELLED: it is still parked. */
PR_CHECKED pr_status place_resume(struct places *places, struct place *place);
/* The connection is closed. Fine if nothing is held. */
void place_give(struct places *places, struct place *place);

#endif
