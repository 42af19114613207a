/*
 * Which file a folder is.
 *
 * Names of folders come from rules, and so from mail: what could lead out of
 * the root, or be taken for a lock or a journal, is refused.
 */
#ifndef MBOX_PLACE_H
#define MBOX_PLACE_H

#include "mbox.h"

/* PR_REFUSED with words if `folder` can be none. Does not look at the disk. */
PR_CHECKED pr_status place_check(const char *folder);

/* The file of `folder`, which place_check took: `root` itself or, where that is
 * a directory or ends with "/", a file in it; "" is "inbox" there. Blocks. */
PR_CHECKED pr_status place_file(const char *root, const char *folder,
                                char ret[MBOX_PATH_MAX]);

/* Makes the directories above the file that are missing, durably. Blocks. */
PR_CHECKED pr_status place_make(const char *file);

#endif
