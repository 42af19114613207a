/*
 * What the sink and the source of this plugin share.
 */
#ifndef MBOX_MBOX_H
#define MBOX_MBOX_H

#include <postrider/plugin.h>

#define MBOX_PATH_MAX 4096

enum mbox_locks {
    LOCKS_AUTO, /* both, or fcntl alone where no dot lock can be made */
    LOCKS_BOTH,
    LOCKS_FCNTL,
    LOCKS_DOT
};

/* The options that both classes have. */
struct mbox_set {
    const char *path;
    unsigned locks;      /* enum mbox_locks */
    uint64_t wait;       /* ms for a lock */
    uint64_t stale;      /* ms until a lock of nobody known is broken; 0: no */
    const char *journal; /* directory; NULL: beside the mbox */
};

/* An open sink or source, as the files that work for it see it. */
struct mbox_owner {
    const struct mbox_set *set;
    const struct pr_log *log;
    bool has_warned; /* that there is no dot lock */
};

#define MBOX_SET_OPTION_(type, member, field, option_kind, ...)              \
    {                                                                        \
        .name = #field, .kind = PR_OPTION_##option_kind,                     \
        .offset = offsetof(type, member) + offsetof(struct mbox_set, field), \
        __VA_ARGS__                                                          \
    }

extern const char *const mbox_locks_choices[];

/* `member` of struct `type` is a struct mbox_set; `path` is for the class. */
#define MBOX_SET_OPTIONS(type, member)                                      \
    MBOX_SET_OPTION_(type, member, locks, CHOICE, .fallback = "auto",       \
                     .choices = mbox_locks_choices,                         \
                     .help = "how others are kept out: both (fcntl and "    \
                             "PATH.lock), fcntl, dot; auto: both, fcntl "   \
                             "alone where no file can be made"),            \
        MBOX_SET_OPTION_(type, member, wait, DURATION, .fallback = "30s",   \
                         .help = "how long to wait for a lock"),            \
        MBOX_SET_OPTION_(type, member, stale, DURATION, .fallback = "15m",  \
                         .help = "break a dot lock of unknown owner that "  \
                                 "is older; 0: never"),                     \
        MBOX_SET_OPTION_(type, member, journal, PATH,                       \
                         .help = "folder for the journal; default: beside " \
                                 "the mbox")

struct mbox_options {
    struct mbox_set set;
    bool flags; /* keep the server's, as Status headers */
};

extern const struct pr_class mbox_class;

#endif
