/*
 * What the files of the pipe sink share.
 */
#ifndef PIPE_PIPE_H
#define PIPE_PIPE_H

#include <postrider/plugin.h>

struct pipe_options {
    const char *const *command; /* argv */
    const char *const *env;     /* NAME=VALUE, or NAME: as we have it */
    uint64_t timeout;           /* ms */
    int64_t jobs;               /* programs at the same time */
    bool from_line;             /* an mbox From_ line before the message */
};

/* The state of an open sink. */
struct pipe_sink {
    const struct pipe_options *options;
    const struct pr_log *log;
    struct pr_arena *arena;
    const char *const *env; /* what every message has: base, then options' */
    const char *home;
    struct pr_semaphore places; /* `jobs` of them, over all batches */
};

extern const struct pr_class pipe_class;

#endif
