/*
 * An mbox, opened and locked.
 *
 * The fcntl lock comes first and the dot lock second, as Debian's policy has it
 * (11.6); neither is waited for while the other is held. fcntl locks are those
 * of open file descriptions: they hold against other programs' and between two
 * openings in this one, and closing another descriptor does not drop them.
 */
#ifndef MBOX_FILE_H
#define MBOX_FILE_H

#include "dot.h"
#include "mbox.h"

enum file_access {
    FILE_READ,  /* others may read at the same time */
    FILE_WRITE, /* nobody else */
    FILE_MAKE   /* as FILE_WRITE; made when missing */
};

struct mbox_file {
    struct mbox_owner *owner;
    const char *path; /* lent */
    const char *name; /* its last part */
    enum file_access access;
    int directory, fd; /* -1 */
    struct dot dot;
    bool was_made; /* or is empty: its name may not be durable */
    bool lacks_dot;
    uint64_t size; /* when it was locked */
};

/* Opens and locks, or fails: PR_BUSY when the owner's `wait` is over, PR_GONE
 * if it is not there (nor to be made), PR_REFUSED for what is no plain file of
 * one name, PR_IO, PR_FULL, PR_CANCELLED. Waits. */
PR_CHECKED pr_status file_open(struct mbox_file *file, struct mbox_owner *owner,
                               const char *path, enum file_access access);
/* The same without waiting; blocks, for jobs. */
PR_CHECKED pr_status file_try(struct mbox_file *file, struct mbox_owner *owner,
                              const char *path, enum file_access access);
/* Unlocks and closes. Blocks briefly. Zeroed files too. */
void file_close(struct mbox_file *file);

/* Fails with "cannot DO PATH: ..." of errno value `error`. */
pr_status file_fail(const struct mbox_file *file, int error, const char *what);

#endif
