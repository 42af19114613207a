/*
 * What a client of the daemon's socket may ask, out of its line of JSON.
 *
 * Pure: text in, a request out. docs/control.md lists requests and answers.
 */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <postrider/buffer.h>
#include <postrider/log.h>

/* A longer line ends the connection. */
#define REQUEST_MAX 65536

enum request_kind {
    REQUEST_STATUS,
    REQUEST_METRICS,
    REQUEST_POLL,
    REQUEST_PAUSE,
    REQUEST_RESUME,
    REQUEST_RELOAD,
    REQUEST_LOG,
    REQUEST_RETRY,
    REQUEST_DROP,
    REQUEST_CONFIRM,
    REQUEST_REFUSE,
    REQUEST_UNDO
};

struct request {
    enum request_kind kind;
    const char *const *accounts; /* ended by NULL; NULL: all */
    const char *id;              /* of a message: retry, drop; "ACCOUNT" or
                                    "ACCOUNT/FOLDER": confirm, refuse */
    bool follow;                 /* status, log */
    bool retry;                  /* poll: what is put aside as well; refuse:
                                    rules run again */
    bool sweep;                  /* poll: the sweeps, due or not */
    bool report;                 /* poll: tell of each message */
    enum pr_level level;         /* log */
    unsigned lines;              /* log: of those kept */
    int64_t since;               /* undo: seconds since 1970; 0: not given */
    bool dry_run;                /* undo */
};

/* Reads a line (without its end) into `ret`, texts into the arena. PR_CONFIG
 * with words for whoever wrote it, PR_NOMEM. */
PR_CHECKED pr_status request_parse(struct pr_bytes line, struct pr_arena *arena,
                                   struct request *ret);

#endif
