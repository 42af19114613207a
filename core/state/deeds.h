/*
 * What was done on the server, so that it can be undone: where messages were
 * moved from and to, by the UIDs that the server told (RFC 4315), and flags
 * that were changed.
 *
 * A deed that is being undone is noted as RETURNING before the server is asked.
 * A crash after that leaves a message which may be back in its folder under a
 * UID nobody knows: it is found there by size and header before anything of
 * that folder is fetched.
 */
#ifndef STATE_DEEDS_H
#define STATE_DEEDS_H

#include "state/state.h"

enum deed_kind {
    DEED_MOVED = 1,
    DEED_COPIED = 2,
    DEED_FLAGGED = 3,
    DEED_DELETED = 4 /* because a rule said so, not because it was delivered */
};

enum deed_stage { DEED_DONE = 1, DEED_RETURNING = 2 };

struct state_deed {
    int64_t id;
    int64_t time; /* seconds since 1970 */
    const char *account, *folder;
    uint32_t uidvalidity, uid; /* where it was */
    enum deed_kind kind;
    enum deed_stage stage;
    uint64_t size; /* 0: not known */
    int64_t received;
    unsigned char print[STATE_PRINT_SIZE];
    const char *target;                   /* DEED_MOVED, DEED_COPIED */
    uint32_t target_validity, target_uid; /* 0: the server did not tell */
    struct pr_flags set, clear;           /* those that were not so before */
    const char *message_id, *sender, *subject;
    bool is_new; /* it had not been dealt with when it was moved, so it is to be
                    when it comes back; found out by state_deed */
};

/* Notes one. What of size, date, print, Message-ID, sender and subject is not
 * given is taken from what the state knows of the message; so before
 * state_settled. `id` is not looked at, `stage` is DONE. `folder`: its record.
 */
void state_deed(struct state_changes *changes, int64_t folder,
                const struct state_deed *deed);

/* Those of the account since then, the newest first, into the arena. */
PR_CHECKED pr_status state_deeds(struct state *state, const char *account,
                                 int64_t since, struct pr_arena *arena,
                                 struct state_deed **ret, size_t *ret_count);
/* Those that return to a folder, or (`folder` NULL) to any of the account. */
PR_CHECKED pr_status state_deeds_returning(
    struct state *state, const char *account, const char *folder,
    struct pr_arena *arena, struct state_deed **ret, size_t *ret_count);

/* It is about to be undone; size, received and print of `deed` are noted, by
 * which the message is known again. */
void state_deed_returns(struct state_changes *changes,
                        const struct state_deed *deed);
/* It was not undone after all. */
void state_deed_stays(struct state_changes *changes, int64_t id);
/* It is undone, and no deed any more. The message has the UID `uid` in
 * deed->folder now, 0: it kept its UID; what was done before with it there can
 * still be undone. */
void state_deed_undone(struct state_changes *changes,
                       const struct state_deed *deed, uint32_t uid);
/* Forgets deeds older than `before`. */
PR_CHECKED pr_status state_prune_deeds(struct state *state, int64_t before);

#endif
