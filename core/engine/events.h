/*
 * What other programs did in a folder, for the hooks that want to hear of it.
 *
 *   events.c    what is there against what was last seen; the position noted
 *   arrivals.c  headers of what is new, and where it was before
 *   hooks.c     hooks run; then hook_deeds.c has done what they ask for, and
 *               hook_notes.c notes both
 *
 * An event is noted after its hooks have run and the server did what they
 * asked for; the position of the folder (its modseq) moves on when all are. So
 * after a crash the events in between are told once more, and none is passed
 * over. What fails is told again at the next visits, and at last given up.
 */
#ifndef ENGINE_EVENTS_H
#define ENGINE_EVENTS_H

#include "engine/parts.h"
#include "state/sightings.h"

/* Visits of a folder after which an event whose hooks fail is given up. */
#define HOOK_TRIES 3

/* One message of which there is something to note, or to tell. */
struct happening {
    enum hook_kind kind; /* 0: nothing to tell */
    struct pr_item item; /* as it is now; of one that is gone, as it was */
    struct state_sighting sighting; /* as it is to be noted */
    bool was_known;                 /* there is a sighting of it */
    struct pr_flags old;            /* last seen */
    const char *from;               /* HOOK_MOVED_IN */
    int64_t expected;               /* our own move that is met; 0: none */
    /* its header, while it is needed */
    struct pr_spool *spool;
    pr_status trouble;
    /* what became of the hooks */
    struct message *message; /* owned until it is noted */
    struct pr_deed deed;
    pr_status result;
    const char *error;
    struct hook_place hook;
};

struct lookout {
    struct session *session;
    struct pr_arena *arena; /* lent */
    unsigned kinds;         /* of enum hook_kind, of this folder */
    bool is_fetched;        /* the folder is one of the account's `folders` */
    bool wants_prints;
    struct state_lookout record;  /* as it is in the state */
    struct state_sighting *known; /* by ascending UID */
    size_t known_count;
    struct happening **happenings; /* by ascending UID */
    size_t count, allocated;
    bool is_pending;  /* an event is to be told again */
    uint64_t deleted; /* messages, because hooks said so */
};

/* Adds one; *ret is lent. */
PR_CHECKED pr_status lookout_add(struct lookout *lookout, uint32_t uid,
                                 struct happening **ret);

/* Fills in size and date of what is new, and, where prints are wanted, what its
 * header says. Headers are fetched only of what the state does not know. */
PR_CHECKED pr_status arrivals_learn(struct lookout *lookout);
/* Finds out which of what is new was moved in, and by whom. */
PR_CHECKED pr_status arrivals_trace(struct lookout *lookout);

/* Runs the hooks of all happenings and notes those; `position` goes with the
 * last of them unless something is to be told again. */
PR_CHECKED pr_status hooks_tell(struct lookout *lookout,
                                const struct state_lookout *position);

/* ---- Steps of hooks_tell, for those from `first` up to `end` ------------- */

/* Its hooks ran, and did not fail. */
bool happening_is_run(const struct happening *happening);
/* They want it moved or deleted. */
bool happening_removes(const struct happening *happening);
/* hook_deeds.c: asks the server for what hooks asked for. Waits. */
PR_CHECKED pr_status hooks_carry_out(struct lookout *lookout, size_t first,
                                     size_t end);
/* hook_notes.c: notes what became of them, and frees their messages. */
PR_CHECKED pr_status hooks_note(struct lookout *lookout, size_t first,
                                size_t end,
                                const struct state_lookout *position);
/* Tells the observer, and the history with `changes`; NULL: not. */
void hooks_report(struct lookout *lookout, struct happening *happening,
                  struct state_changes *changes, const char *outcome);

/* Fetches one message's header or all of it, into a sealed spool that the
 * caller owns. PR_GONE: it is no longer there. */
PR_CHECKED pr_status fetch_one(struct session *session, struct pr_item *item,
                               enum pr_want want, struct pr_spool **ret);

#endif
