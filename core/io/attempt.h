/*
 * Attempts to reach a host, which begin again when the network has changed.
 *
 * A lookup that waits for a name server of the former network, or a connection
 * whose next try is seconds away since the last ones were lost, would keep an
 * account from what works by now.
 */
#ifndef IO_ATTEMPT_H
#define IO_ATTEMPT_H

#include <postrider/fiber.h>

/* One attempt; on the stack of the fiber that makes it. */
struct attempt {
    struct attempt *previous, *next;
    struct pr_fiber *fiber;
};

void attempt_begin(struct attempt *attempt);
void attempt_end(struct attempt *attempt);

/* Changes whenever all that is under way is to begin again: who waits for a
 * lookup or a connection gives it up when this is not what it was. */
unsigned attempt_era(void);

/* Wakes all attempts in a new era. Does not wait. */
void attempts_begin_again(void);

#endif
