/*
 * What rules keep from one message to the next: values under keys, each with a
 * time at which it goes.
 *
 * A value is only ever changed by a step: set it, add to it, note a time in it,
 * drop it. A step means the same wherever it is taken, so that what a rule sees
 * of steps that are not durable yet, and what later becomes of them in the
 * database, are one piece of code. Steps of a message are made durable in the
 * transaction that notes its delivery, so that a message which is tried again
 * finds everything as it was.
 */
#ifndef STATE_KEPT_H
#define STATE_KEPT_H

#include "state/state.h"

#define KEPT_KEY_MAX 1000          /* octets */
#define KEPT_VALUE_MAX (64 * 1024) /* octets */
#define KEPT_TIMES_MAX 8000        /* in one value of KEPT_TIMES */

enum kept_table { KEPT_SEEN = 1, KEPT_STORE = 2, KEPT_RATE = 3 };

enum kept_kind {
    KEPT_NOTHING,
    KEPT_TRUE,
    KEPT_FALSE,
    KEPT_INTEGER,
    KEPT_NUMBER,
    KEPT_TEXT,
    KEPT_TIMES /* in ms since 1970, the oldest first */
};

struct kept {
    enum kept_kind kind;
    int64_t expires; /* ms since 1970; 0: never */
    int64_t integer;
    double number;
    struct pr_buffer octets; /* of KEPT_TEXT; of KEPT_TIMES: int64_t each */
};

struct kept_step {
    enum { KEPT_SET, KEPT_ADD, KEPT_HIT, KEPT_DROP } what;
    /* What is set. What is added: an integer or a number, and `expires` if that
     * is not 0. A hit: `integer` is the time. Its octets are lent. */
    struct kept value;
    unsigned most; /* of a hit: so many of the latest times stay */
};

void kept_done(struct kept *kept); /* zeroed ones too */
/* Makes it nothing if its time is over at `now`. */
void kept_expire(struct kept *kept, int64_t now);
/* Takes the step, with `kept` as it was at step's time. PR_NOMEM leaves it as
 * it was. */
PR_CHECKED pr_status kept_take(struct kept *kept, const struct kept_step *step);
PR_CHECKED pr_status kept_copy(struct kept *to, const struct kept *from);
/* How many of the times are later than `after`. */
size_t kept_times_after(const struct kept *kept, int64_t after);

/* Reads what stands at the key into *ret (zeroed before): KEPT_NOTHING if
 * nothing does. Reads of several fibers at the same time are one job. Waits. */
PR_CHECKED pr_status state_kept(struct state *state, enum kept_table table,
                                struct pr_bytes key, struct kept *ret);
/* Takes the step when the changes are committed, `now` being the present. */
void state_keep(struct state_changes *changes, enum kept_table table,
                struct pr_bytes key, const struct kept_step *step, int64_t now);
/* Forgets what is over at `now`, and of more than `most` those that would be
 * over first. Waits. */
PR_CHECKED pr_status state_prune_kept(struct state *state, int64_t now,
                                      uint64_t most);

#endif
