/*
 * Settling under way: for settle.c, which says what is to happen in which
 * order, and batch.c, which merges it into commands.
 */
#ifndef IMAP_SETTLE_H
#define IMAP_SETTLE_H

#include "imap.h"

enum verb { VERB_STORE, VERB_COPY, VERB_MOVE, VERB_EXPUNGE };

/* One thing to do with one message. Tasks of one object are merged. */
struct task {
    struct pr_deed *deed;
    enum verb verb;
    const char *object; /* "+FLAGS.SILENT (\Seen)", or a folder's name; lent */
    pr_status result;
};

/* Runs tasks in as few commands as may be, all in one flight, and sets their
 * results; a message that has vanished counts as done. A folder that is missing
 * is made. What a server refuses for many is asked for one by one. The order of
 * the tasks is spoilt. Fails only when the session is broken. */
PR_CHECKED pr_status imap_batch_run(struct imap *imap, struct task *tasks,
                                    size_t count);

/* Without UIDPLUS: EXPUNGE, if what is \Deleted in the folder is nothing but
 * the deeds of these tasks. */
PR_CHECKED pr_status imap_expunge_ours(struct imap *imap,
                                       const struct task *tasks, size_t count);

#endif
