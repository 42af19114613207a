/*
 * Deletions on the server that rules asked for: counted, held when they are
 * more than the limit, confirmed or refused by a person.
 *
 * A message's is part of its debt (struct state_debt, guard); a folder's has a
 * record of its own.
 */
#ifndef STATE_GUARD_H
#define STATE_GUARD_H

#include "state/state.h"

/* How many messages of the folder are counted and not judged yet. */
PR_CHECKED pr_status state_counted(struct state *state, int64_t folder,
                                   uint64_t *ret);
/* Those, at most `most` with a UID above `after`, by ascending UID. */
PR_CHECKED pr_status state_counted_rows(struct state *state, int64_t folder,
                                        uint32_t after, size_t most,
                                        struct pr_arena *arena,
                                        struct state_row **ret,
                                        size_t *ret_count);
/* All that is counted in the folder is held; the history says so. */
void state_hold(struct state_changes *changes, int64_t folder);
/* All that is counted in the folder is a debt like others. */
void state_allow(struct state_changes *changes, int64_t folder);

/* The deletion of a whole folder is held; `guard` must be GUARD_HELD or, to
 * forget it when it is done, GUARD_NONE. */
struct state_held_folder {
    const char *account, *folder;
    enum state_guard guard;
    uint64_t messages; /* that were in it */
    const char *rule, *file;
    int line;
};

void state_hold_folder(struct state_changes *changes,
                       const struct state_held_folder *held);
/* Those of the account whose deletion is confirmed (with `guard`
 * GUARD_CONFIRMED) or held, into the arena. */
PR_CHECKED pr_status state_held_folders(
    struct state *state, const char *account, enum state_guard guard,
    struct pr_arena *arena, struct state_held_folder **ret, size_t *ret_count);

/* ---- For people ---------------------------------------------------------- */

/* Deletions of one rule in one folder. */
struct state_held {
    const char *account, *folder;
    uint64_t messages;
    const char *rule, *file; /* NULL: not known */
    int line;
    bool is_folder; /* the folder itself */
};

/* All that is held, by account and folder, into the arena. */
PR_CHECKED pr_status state_held(struct state *state, struct pr_arena *arena,
                                struct state_held **ret, size_t *ret_count);

enum held_answer {
    HELD_CONFIRM, /* they are deleted at the next visit */
    HELD_REFUSE,  /* they stay on the server, and are not fetched again */
    HELD_RETRY    /* rules run over them again */
};

/* Answers what is held of "ACCOUNT" or "ACCOUNT/FOLDER"; the history says so.
 * *ret_account, into the arena, and *ret_messages are set on success. PR_GONE
 * if nothing of it is held. */
PR_CHECKED pr_status state_held_answer(struct state *state, const char *name,
                                       enum held_answer answer,
                                       struct pr_arena *arena,
                                       const char **ret_account,
                                       uint64_t *ret_messages);

#endif
