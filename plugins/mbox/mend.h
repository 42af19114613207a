/*
 * Octets of an mbox replaced through its journal, and what a crash has left of
 * that mended.
 *
 * All of these block and belong in jobs. The mbox is locked for writing.
 */
#ifndef MBOX_MEND_H
#define MBOX_MEND_H

#include "journal.h"

/* Puts the payload of a sealed record into the mbox and syncs it. If that
 * fails, the mbox is as it was before; PR_DOUBT: not even that could be
 * done. */
PR_CHECKED pr_status mend_append(struct mbox_file *file,
                                 struct journal *journal);

/* Ends a record of which octets were put as one new part: notes that it is to
 * replace all of the mbox from `offset` on, and does so. A crash leaves either
 * the old or the new once mend_pending has run. */
PR_CHECKED pr_status mend_replace(struct mbox_file *file,
                                  struct journal *journal);

/* Brings to its end what the journal says was begun: messages of an append that
 * are there whole stay, one that is cut is removed, and what other programs
 * have appended behind it is kept. */
PR_CHECKED pr_status mend_pending(struct mbox_file *file,
                                  struct journal *journal);

#endif
