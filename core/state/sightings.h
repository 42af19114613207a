/*
 * What messages of a folder looked like when it was last looked at, for the
 * hooks of events: kept only for folders that have some.
 *
 * A sighting stays for a while when its message is gone, so that it is known
 * again where it arrives. What we send to another folder ourselves is expected
 * there before the server is asked to move it.
 */
#ifndef STATE_SIGHTINGS_H
#define STATE_SIGHTINGS_H

#include "state/state.h"

/* A folder as it was last looked at. */
struct state_lookout {
    uint32_t uidvalidity; /* 0: never */
    uint64_t modseq;      /* all up to it is noted; 0: not told */
    bool has_prints;      /* its messages are known by their headers */
};

/* A message as it was last seen. */
struct state_sighting {
    uint32_t uid;
    struct pr_flags flags;
    uint64_t size;
    int64_t received;
    unsigned char print[STATE_PRINT_SIZE];     /* zero: not known */
    const char *message_id, *sender, *subject; /* NULL: not known */
    bool is_new;    /* it came, and its hooks have not come to their end */
    bool is_ours;   /* we are about to move or delete it */
    unsigned tries; /* how often the hooks of its event failed */
    int64_t gone;   /* since when it is not there; 0: it is */
};

PR_CHECKED pr_status state_lookout(struct state *state, int64_t folder,
                                   struct state_lookout *ret);
/* Those that are there, by ascending UID, copied into `arena`. */
PR_CHECKED pr_status state_sightings(struct state *state, int64_t folder,
                                     struct pr_arena *arena,
                                     struct state_sighting **ret,
                                     size_t *ret_count);

/* A message that arrived, and where it was before. */
struct state_stray {
    uint64_t size;
    unsigned char print[STATE_PRINT_SIZE]; /* not zero */
    /* the answer */
    const char *from; /* a folder of the account that it was seen in; NULL:
                         none */
    bool is_ours;     /* we sent it there */
    int64_t expected; /* what expected it: for state_arrived; 0: nothing */
    int64_t rank;     /* how sure `from` is */
    void *user;       /* the caller's own */
};

/* Looks for each of `strays`, which arrived in `folder`, in the account's other
 * folders. Sorts them by size and print; texts go into `arena`. */
PR_CHECKED pr_status state_whereabouts(struct state *state, const char *account,
                                       const struct state_folder *record,
                                       const char *folder,
                                       struct pr_arena *arena,
                                       struct state_stray *strays,
                                       size_t count);

/* ---- Changes ------------------------------------------------------------- */

void state_look(struct state_changes *changes, int64_t folder,
                const struct state_lookout *lookout);
/* Notes or replaces a sighting. */
void state_see(struct state_changes *changes, int64_t folder,
               const struct state_sighting *sighting);
void state_unsee(struct state_changes *changes, int64_t folder, uint32_t uid);
/* All of the folder: it was made anew. */
void state_unsee_all(struct state_changes *changes, int64_t folder);
/* We set and cleared flags of a message. */
void state_see_own_flags(struct state_changes *changes, int64_t folder,
                         uint32_t uid, const struct pr_flags *set,
                         const struct pr_flags *clear);
/* A message goes to `target` by our own doing. */
void state_expect(struct state_changes *changes, const char *account,
                  const char *target, const struct state_sighting *sighting);
/* The same of a message of the table of messages, unless it was seen there
 * already. */
void state_expect_row(struct state_changes *changes, const char *account,
                      const char *target, int64_t folder, uint32_t uid);
/* What expected it is met, or will not be. */
void state_arrived(struct state_changes *changes, int64_t expected);
/* Forgets what has been gone since before `gone`, and what was expected in
 * `target` before `expected`. */
void state_prune_sightings(struct state_changes *changes, int64_t folder,
                           const char *account, const char *target,
                           int64_t gone, int64_t expected);

#endif
