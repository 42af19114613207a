/*
 * A batch of deliveries, appended to its mboxes: one lock, one write and one
 * sync for each file.
 */
#ifndef MBOX_BATCH_H
#define MBOX_BATCH_H

#include "journal.h"
#include "mbox.h"

/* What begins a receipt; the folder follows. */
#define RECEIPT "mbox:"

/* Batches of one sink may come side by side, but go to a file one after the
 * other. */
struct mbox_folder {
    struct mbox_folder *next;
    struct pr_semaphore turn;
    struct journal_mark mark;
    bool is_tidy; /* what an earlier process left is mended */
    char name[];
};

/* The state of an open sink. */
struct mbox {
    const struct mbox_options *options;
    struct mbox_owner owner;
    struct mbox_folder *folders; /* that something was delivered to */
};

/* The folder of that name; NULL: PR_NOMEM was said. */
struct mbox_folder *batch_folder(struct mbox *mbox, const char *name);

/* pr_sink_ops.commit */
pr_status batch_commit(struct pr_sink *sink,
                       struct pr_delivery *const *deliveries, size_t count);

#endif
