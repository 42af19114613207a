/*
 * The metrics in OpenMetrics 1.0 text. Pure.
 */
#ifndef CONTROL_OPENMETRICS_H
#define CONTROL_OPENMETRICS_H

#include "engine/tally.h"

/* The longest text. */
#define METRICS_MAX ((size_t)16 * 1024 * 1024)
#define METRICS_TYPE \
    "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct metrics_account {
    const char *name, *state;
    const struct tally_account *numbers;
    uint64_t put_aside;
    size_t waiting; /* messages in hand or still to come */
    size_t connections, folders, watched;
    unsigned failures; /* in a row */
};

struct metrics {
    const char *version;
    int64_t started; /* seconds since 1970 */
    bool is_reload_bad;
    size_t queued; /* accounts that wait for a place */
    struct metrics_account *accounts;
    size_t account_count;
    const struct rule_profile *rules;
    size_t rule_count;
    const struct service_health *services; /* no name twice */
    size_t service_count;
};

/* The whole exposition with its "# EOF" behind what is in `out`. */
PR_CHECKED pr_status openmetrics_add(const struct metrics *metrics,
                                     struct pr_buffer *out);

#endif
