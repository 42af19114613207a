/*
 * How long to leave a server alone after a failure, by the kind of failure.
 *
 * Pure: the dice are the caller's. All times in milliseconds.
 */
#ifndef ENGINE_BACKOFF_H
#define ENGINE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include <postrider/status.h>

enum trouble {
    TROUBLE_NONE,
    TROUBLE_NETWORK,  /* the line: soon, and at once when there is one again */
    TROUBLE_BUSY,     /* the server asks us to wait */
    TROUBLE_LOCAL,    /* a disk, a program, memory, another process */
    TROUBLE_PROTOCOL, /* neither of us understands the other, or it says no */
    TROUBLE_PERSON    /* login, certificate, configuration: asks for a person */
};

enum trouble backoff_kind(pr_status status);

/* How long to wait after the `failures`-th failure of this kind in a row (1:
 * the first), `told` being what the server asked for, 0: nothing. Grows twofold
 * from time to time up to a limit of the kind; up to a fifth is left to chance.
 */
uint64_t backoff_wait(enum trouble kind, unsigned failures, uint64_t told,
                      uint32_t random);

/* The time that a server's words ask us to wait, such as "Suggested Backoff
 * Time: 295000 milliseconds" or "try again in 5 minutes"; 0 if they name none.
 * At most a day. */
uint64_t backoff_told(const char *words);

#endif
