/*
 * Where pr_fail() puts its words: one slot for each fiber or offloaded job.
 *
 * The fiber layer swaps the slot at each switch, so that words said in one
 * fiber are never read in another.
 */
#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

#include <postrider/status.h>

/* The slot of the calling thread; never NULL. */
struct pr_failure *failure_slot(void);

/* Makes `slot` the slot of the calling thread; NULL brings back the thread's
 * own. Returns the slot there was before. */
struct pr_failure *failure_use_slot(struct pr_failure *slot);

/* Copies `failure` into the calling thread's slot and returns its status. */
pr_status failure_raise(const struct pr_failure *failure);

#endif
