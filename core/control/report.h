/*
 * How the daemon and its accounts do: as JSON, and as metrics.
 */
#ifndef CONTROL_REPORT_H
#define CONTROL_REPORT_H

#include <jansson.h>

#include "control/control.h"

/* So many messages put aside are named in a status. */
#define ASIDES_SHOWN 200
#define HUNG_JOBS_SHOWN 20

/* The status, as docs/control.md has it; a new reference. Waits for the state.
 */
PR_CHECKED pr_status report_status(struct control *control, json_t **ret);
/* The same without a daemon: what the state file knows of the accounts of a
 * configuration. Waits. */
PR_CHECKED pr_status report_without_daemon(struct state *state,
                                           const struct config *config,
                                           json_t **ret);
/* The metrics of now (control/openmetrics.h), behind what is in `out`. Waits.
 */
PR_CHECKED pr_status report_metrics(struct control *control,
                                    struct pr_buffer *out);
/* "3 accounts, 1 in trouble (work: ...)": a sentence for the service manager.
 */
void report_sentence(const struct control *control, char *out, size_t size);

#endif
