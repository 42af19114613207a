/*
 * What `postrider fetch` prints: plans, messages, accounts, progress.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/cli.h"
#include "engine/engine.h"

struct fetch_report {
    const struct invocation *invocation;
    int exit_status;    /* the gravest of the accounts' */
    bool shows_summary; /* a line for each account */
    pr_time start;
    size_t safe_messages; /* those with which nothing is to be done any more */
};

void report_init(struct fetch_report *report,
                 const struct invocation *invocation);
/* `report` is lent for the observer's life. */
struct engine_observer report_observer(struct fetch_report *report);
void report_progress(struct fetch_report *report,
                     const struct engine_progress *progress);
int report_exit_status(const struct fetch_report *report);

#endif
