/*
 * An open mbox source.
 */
#ifndef MBOX_SOURCE_H
#define MBOX_SOURCE_H

#include "mbox.h"
#include "scan.h"

struct source_options {
    struct mbox_set set;
    unsigned format; /* enum unquote_format */
};

struct mbox_source {
    const struct pr_source *source;
    const struct source_options *options;
    struct mbox_owner owner;
    char path[MBOX_PATH_MAX]; /* of what is selected; "": nothing is */
    struct scan scan;         /* of it, as it was last read */
};

extern const struct pr_class mbox_source_class;

pr_status source_folders(struct pr_source *source, const char *const *patterns,
                         pr_folder_found *found, void *user);
pr_status source_fetch(struct pr_source *source, struct pr_feed *feed);
pr_status source_settle(struct pr_source *source, struct pr_deed *deeds,
                        size_t count);

/* Reads the locked file anew, if it is not as it was. Blocks. */
PR_CHECKED pr_status source_rescan(struct mbox_source *mbox,
                                   const struct mbox_file *file);
/* The message that was listed as `item`; NULL: it is gone. */
struct scan_message *source_find(const struct mbox_source *mbox,
                                 const struct pr_item *item);

#endif
