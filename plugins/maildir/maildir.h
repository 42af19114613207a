/*
 * What the files of the Maildir sink share.
 */
#ifndef MAILDIR_MAILDIR_H
#define MAILDIR_MAILDIR_H

#include <pthread.h>

#include <postrider/plugin.h>

enum maildir_layout { LAYOUT_FS, LAYOUT_MAILDIRPP };

enum maildir_sync { SYNC_FILES, SYNC_FILESYSTEM, SYNC_AUTO };

struct maildir_options {
    const char *path;
    unsigned layout; /* enum maildir_layout */
    unsigned sync;   /* enum maildir_sync */
    bool flags;      /* keep the server's */
    bool link;       /* one more name for a file of a source, no copy */
};

/* What the two ways of syncing were measured to cost; see sync.h. */
struct sync_measured {
    bool may_sync_all;
    double cost[2];       /* by enum maildir_sync; 0: not known */
    unsigned tries[2];    /* begun */
    unsigned since_other; /* batches since the dearer one was tried */
};

/* The state of an open sink. Jobs of several batches share it. */
struct maildir {
    const struct maildir_options *options;
    pthread_mutex_t mutex; /* around what follows */
    struct known *known;   /* one for each folder delivered to */
    struct sync_measured measured;
};

extern const struct pr_class maildir_class;

#endif
