/*
 * What `postrider fetch` prints: plans, messages, accounts, progress.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"
#include "engine/engine.h"

struct fetch_report {
    const struct invocation *invocation;
    struct message_cost cost; /* of all messages */
    uint64_t to_fetch;        /* by their deliveries, in a dry run */
    int exit_status;          /* the gravest of the accounts' */
    bool shows_summary;       /* a line for each account */
    bool is_handed_back;      /* what is not delivered stays with who called */
    pr_time start;
    size_t safe_messages; /* those with which nothing is to be done any more */
    uint64_t messages, octets; /* told of */
    pr_time shown;             /* when progress was last shown */
};

void report_init(struct fetch_report *report,
                 const struct invocation *invocation);
/* `report` is lent for the observer's life. */
struct engine_observer report_observer(struct fetch_report *report);
void report_progress(struct fetch_report *report,
                     const struct engine_progress *progress);
/* Progress for who is told of messages but does not see the engine; now and
 * then, after a report was handed to the observer. */
void report_live(struct fetch_report *report);
/* At the end of a dry run: what it fetched, and because of which rules. */
void report_costs(const struct fetch_report *report,
                  const struct config *config);
int report_exit_status(const struct fetch_report *report);

#endif
