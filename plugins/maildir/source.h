/*
 * An open Maildir source.
 */
#ifndef MAILDIR_SOURCE_H
#define MAILDIR_SOURCE_H

#include "entries.h"
#include "folder.h"

struct maildir_source {
    const struct pr_source *source;
    struct maildir_options options; /* what folder.h and name.h look at */
    struct maildir maildir;
    char directory[NAME_SIZE]; /* of what is selected, below the root */
    struct folder folder;      /* open as long as it is */
    struct entries entries;
};

extern const struct pr_class maildir_source_class;

/* Finds the message that was listed as `item`: where it was last, or, if it
 * `has_moved` from there, where it is now: readers rename files. PR_GONE if it
 * is nowhere. Blocks. */
PR_CHECKED pr_status source_locate(struct maildir_source *maildir,
                                   const struct pr_item *item, bool has_moved,
                                   struct entry **ret);
/* The directory of a folder that has this name for users. PR_REFUSED. */
PR_CHECKED pr_status source_directory(const struct maildir_source *maildir,
                                      const char *name, char ret[NAME_SIZE]);

pr_status source_folders(struct pr_source *source, const char *const *patterns,
                         pr_folder_found *found, void *user);
pr_status source_fetch(struct pr_source *source, struct pr_feed *feed);
pr_status source_settle(struct pr_source *source, struct pr_deed *deeds,
                        size_t count);

#endif
