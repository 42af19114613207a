/*
 * One Maildir on disk, opened for a batch: made when missing.
 *
 * All of these block and belong in jobs.
 */
#ifndef MAILDIR_FOLDER_H
#define MAILDIR_FOLDER_H

#include "maildir.h"
#include "name.h"

struct folder {
    const struct maildir *maildir;
    const char *directory; /* below the root; lent */
    int tmp, new, cur;     /* descriptors of the directories; -1 */
};

/* Opens the directories; with `make`, makes what is missing, durably. PR_GONE
 * if it is not there, PR_IO, PR_FULL. To be closed in any case. */
PR_CHECKED pr_status folder_open(struct folder *folder,
                                 const struct maildir *maildir,
                                 const char *directory, bool make);
void folder_close(struct folder *folder);

/* Looks for a message in new/ and cur/, with whatever flags: PR_OK, PR_GONE if
 * it is in neither, or PR_IO. Reads all of cur/ if it must. */
PR_CHECKED pr_status folder_find(const struct folder *folder,
                                 const struct place *place);

/* Makes new/ or cur/ durable. */
PR_CHECKED pr_status folder_sync(const struct folder *folder, bool is_cur);

/* Calls `visit` with each name in a directory; it ends the visit by returning
 * anything but PR_OK, which is then returned. */
typedef pr_status folder_visitor(void *user, int fd, const char *name);
PR_CHECKED pr_status folder_each(const struct folder *folder, int fd,
                                 folder_visitor *visit, void *user);

/* Fails with "cannot DO the folder PATH: ..." of errno value `error`. */
pr_status folder_fail(const struct folder *folder, int error, const char *what);

#endif
