/*
 * What rules cost and how the services do that they ask, as JSON.
 */
#ifndef CONTROL_COSTS_H
#define CONTROL_COSTS_H

#include <jansson.h>

#include "control/openmetrics.h"
#include "lua/config.h"

/* Lists for the status, as docs/control.md has them; new references. */
json_t *costs_of_rules(const struct config *config);
json_t *health_of_services(const struct config *config);
/* The same for the metrics, copied into the arena. PR_NOMEM. */
PR_CHECKED pr_status costs_add_metrics(const struct config *config,
                                       struct pr_arena *arena,
                                       struct metrics *metrics);

#endif
