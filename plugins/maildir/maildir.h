/*
 * What the files of the Maildir sink share.
 */
#ifndef MAILDIR_MAILDIR_H
#define MAILDIR_MAILDIR_H

#include <pthread.h>

#include <postrider/plugin.h>

enum maildir_layout { LAYOUT_FS, LAYOUT_MAILDIRPP };

enum maildir_sync { SYNC_FILES, SYNC_FILESYSTEM };

struct maildir_options {
    const char *path;
    unsigned layout; /* enum maildir_layout */
    unsigned sync;   /* enum maildir_sync */
    bool flags;      /* keep the server's */
};

/* The state of an open sink. Jobs of several batches share it. */
struct maildir {
    const struct maildir_options *options;
    pthread_mutex_t mutex; /* around `known` */
    struct known *known;   /* one for each folder delivered to */
};

extern const struct pr_class maildir_class;

#endif
