/*
 * The dot lock of an mbox: PATH.lock, there as long as somebody holds it.
 *
 * It appears whole, with "PID:HOST" in it as Dovecot writes it. One that a
 * process left which is no more is told apart by that and broken; it is first
 * renamed and looked at again, so that a lock somebody has just taken is never
 * broken in its place. All of these block and belong in jobs.
 */
#ifndef MBOX_DOT_H
#define MBOX_DOT_H

#include <sys/types.h>

#include "mbox.h"

struct dot {
    int directory;    /* lent */
    const char *name; /* of the mbox; lent */
    bool is_held;
    dev_t device;
    ino_t inode;
};

/* PR_BUSY with words on who holds it; PR_UNSUPPORTED if no file can be made in
 * the directory; PR_IO, PR_FULL. `stale`: ms until a lock of unknown owner is
 * broken; 0: never. */
PR_CHECKED pr_status dot_take(struct dot *dot, uint64_t stale);
/* Tells others that it is in use still: some break old ones. */
void dot_touch(const struct dot *dot);
/* Removes it, if it is still ours. */
void dot_drop(struct dot *dot);

#endif
