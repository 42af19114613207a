/*
 * When each sweep last ran and what came of it; and folders that were renamed.
 */
#ifndef STATE_SWEEPS_H
#define STATE_SWEEPS_H

#include "state/state.h"

struct state_sweep {
    const char *name;
    int64_t last;       /* seconds since 1970 */
    uint64_t messages;  /* that it acted on then */
    const char *reason; /* why it failed; NULL: it did not */
    int64_t since;      /* when it began to fail; 0: it did not */
};

/* All of the account that ever ran, by name, into the arena. */
PR_CHECKED pr_status state_sweeps(struct state *state, const char *account,
                                  struct pr_arena *arena,
                                  struct state_sweep **ret, size_t *ret_count);
void state_sweep_ran(struct state_changes *changes, const char *account,
                     const struct state_sweep *sweep);

/* Names of folders that there is a record of and that begin with `prefix`, into
 * the arena. */
PR_CHECKED pr_status state_folders_below(struct state *state,
                                         const char *account,
                                         const char *prefix,
                                         struct pr_arena *arena,
                                         const char ***ret, size_t *ret_count);
/* A folder has another name: what is known of it goes along. What was known of
 * a folder that had that name before is out of the way. */
void state_renamed(struct state_changes *changes, const char *account,
                   const char *from, const char *to);

#endif
