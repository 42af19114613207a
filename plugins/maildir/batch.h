/*
 * A batch of deliveries, made durable together.
 *
 * Four steps, each of one or more jobs on the pool: the folders are opened and
 * what is there already is found; the files are written and synced, several
 * side by side; they get their names; each directory is synced, once.
 */
#ifndef MAILDIR_BATCH_H
#define MAILDIR_BATCH_H

#include "maildir.h"

/* pr_sink_ops.commit */
pr_status batch_commit(struct pr_sink *sink,
                       struct pr_delivery *const *deliveries, size_t count);

#endif
