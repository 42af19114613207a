/*
 * Offloaded jobs that take too long.
 *
 * A job cannot be stopped. One that hangs, in a plugin or on a disk that does
 * not answer, keeps its fiber and a thread: it is logged when it has taken 30
 * seconds, and once more when it ends.
 */
#ifndef FIBER_OFFLOAD_H
#define FIBER_OFFLOAD_H

#include <stdatomic.h>

#include <postrider/fiber.h>

struct overdue_job {
    const char *fiber; /* the name of the one that waits for it; lent */
    const char *code;  /* the file its code is in: "maildir.so"; lent */
    uint64_t ms;       /* so long by now */
    bool runs;         /* on a thread; false: it waits for one */
};

/* The jobs that take too long, oldest first, at most `most` of them; returns
 * how many there are. Does not wait. */
size_t offload_overdue(struct overdue_job *ret, size_t most);

/* Logs each job under way as one that is left behind: the process leaves.
 * Returns how many there are. */
size_t offload_leave(void);

/* For tests: too long is `ms` from now on; 0: 30 seconds. */
void offload_set_overdue(uint64_t ms);

/* Runs in the pool what a process needs once, unless `*is_done`, which a
 * success sets. Waits; of several fibers that need it now one runs it. */
PR_CHECKED pr_status offload_once(pr_fiber_fn *job, atomic_bool *is_done);

/* With the loop. */
void offload_open(void);
void offload_close(void);

#endif
