/*
 * What stands before a service that many ask: a number of places, and a breaker
 * that leaves a service alone which has failed several times in a row.
 *
 * While the breaker is open, asking fails at once with words that say so. When
 * its time is over, one asks for trial while the others still fail; if that
 * fails too the breaker opens for twice as long, else it closes. Opening and
 * closing are logged once each.
 */
#ifndef IO_GATE_H
#define IO_GATE_H

#include <postrider/fiber.h>
#include <postrider/log.h>

#define GATE_FAILURES_MOST 5              /* in a row, then it opens */
#define GATE_PAUSE_FIRST ((uint64_t)5000) /* ms; doubled up to the most */
#define GATE_PAUSE_MOST ((uint64_t)300 * 1000)

struct gate {
    const char *name;         /* lent: in words and in the log */
    const struct pr_log *log; /* lent */
    struct pr_semaphore places;
    size_t inside;          /* that entered and have not left */
    size_t near;            /* that may enter yet; the owner's count */
    uint64_t asked, failed; /* ever; failed: by the service's fault */
    unsigned failures;      /* in a row */
    pr_time opened_at;      /* while it is open: since when */
    uint64_t pause;         /* ms; of the opening that is, or was last */
    pr_time opens_at;       /* while it is open: when a trial may be made */
    bool is_open;           /* the breaker, as of a circuit: nothing passes */
    bool is_trying;         /* somebody is inside for trial */
    char why[256];          /* the last failure's words */
};

void gate_init(struct gate *gate, const char *name, const struct pr_log *log,
               size_t places);
/* Waits for a place. *ret_trial: for gate_leave. PR_LATER with words when the
 * service is left alone, PR_TIMEOUT, PR_CANCELLED; nothing is held then. */
PR_CHECKED pr_status gate_enter(struct gate *gate, pr_time deadline,
                                bool *ret_trial);
/* Gives the place back. `result` is what asking came to, with its words as
 * pr_last_failure has them. */
void gate_leave(struct gate *gate, bool was_trial, pr_status result);

#endif
