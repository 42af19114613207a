/*
 * What the accounts have done since the program began, in numbers.
 *
 * Fed by the engine's reports; read for the status and for metrics. Numbers
 * only ever grow, but for those of today, which begin anew at local midnight.
 */
#ifndef ENGINE_TALLY_H
#define ENGINE_TALLY_H

#include "engine/engine.h"

#define HISTOGRAM_MOST 16

/* How often values fell into each range. */
struct histogram {
    const double *bounds;                /* upper ones, ascending */
    size_t bound_count;                  /* at most HISTOGRAM_MOST */
    uint64_t counts[HISTOGRAM_MOST + 1]; /* the last: above all bounds */
    uint64_t count;
    double sum;
};

/* So many of the last latencies are kept for their median. */
#define TALLY_LATENCIES 101

struct tally_account {
    struct tally_account *next;   /* in the order they were first seen */
    uint64_t done, later, failed; /* messages by outcome */
    uint64_t octets;              /* of those done, on the wire */
    uint64_t passes;
    uint64_t errors[PR_BUG + 1]; /* passes that failed, by status */
    /* Seconds from the arrival at the server to safety here, of messages that
     * arrived since the program began: older ones waited for the program. */
    struct histogram latency;
    struct histogram rules; /* seconds, waits included */
    double latencies[TALLY_LATENCIES];
    size_t latency_count; /* ever */
    uint64_t today;       /* messages done since midnight */
    uint64_t today_octets;
    int64_t last_message; /* seconds since 1970; 0: none yet */
    char name[];
};

struct tally;

/* `now`: seconds since 1970, when the program began. PR_NOMEM. */
PR_CHECKED pr_status tally_new(int64_t now, struct tally **ret);
void tally_free(struct tally *tally); /* NULL is fine */

/* What happened before this program began: messages done today, and when the
 * last one was. */
void tally_begin(struct tally *tally, const char *name, uint64_t today,
                 int64_t last_message);
/* A message's or an account's report, at `now`. */
void tally_message(struct tally *tally, const struct message_report *report,
                   int64_t now_ms);
void tally_pass(struct tally *tally, const struct account_report *report);

/* The account's numbers, at `now` (seconds since 1970); never NULL: zeroes if
 * nothing was heard of it. */
const struct tally_account *tally_account(struct tally *tally, const char *name,
                                          int64_t now);
/* The median of the last latencies in seconds, < 0 if there are none; and the
 * last of them. */
double tally_median(const struct tally_account *account);
double tally_last_latency(const struct tally_account *account);

/* Midnight, local time, of the day that `now` is in. */
int64_t tally_midnight(int64_t now);

#endif
