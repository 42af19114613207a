/*
 * Deeds on the server taken back: what undo.c and giveback.c share.
 */
#ifndef ENGINE_UNDO_H
#define ENGINE_UNDO_H

#include "engine/parts.h"
#include "state/deeds.h"

struct undo {
    struct account_run *run; /* lent, as is what follows */
    struct line *line;
    const struct undo_order *order;
    const struct engine_observer *observer;
    struct pr_arena *arena; /* of the present round */
    int64_t *given_up;      /* ids of deeds that cannot be undone; owned */
    size_t given_up_count, given_up_allocated;
};

/* A deed that is taken back. */
struct step {
    struct state_deed *deed;
    const char *place; /* the folder in which the message is now */
    uint32_t uid;      /* there; 0: to be found out */
    bool is_there;
    size_t found;    /* messages that may be it, where the UID is not known */
    const char *why; /* why not; NULL: nothing is in its way */
};

/* Takes back what is in the folder `steps->place`. Not PR_OK: the line is of no
 * more use. */
PR_CHECKED pr_status undo_folder(struct undo *undo, struct step *steps,
                                 size_t count);
/* Selects the folder, and does as undo_recover there. PR_GONE: it is not there.
 */
PR_CHECKED pr_status undo_recover_in(struct undo *undo, const char *folder);

/* Tells the observer of a deed; `reason` NULL unless it is kept or failed. */
void undo_tell(const struct engine_observer *observer,
               const struct state_deed *deed, const char *status,
               const char *reason);

#endif
