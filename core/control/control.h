/*
 * The daemon as a process: its life, and what its socket's clients act on.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "control/logs.h"
#include "control/socket.h"
#include "engine/daemon.h"
#include "engine/tally.h"

struct listener;

struct control {
    struct daemon *daemon;
    struct state *state;
    struct tally *tally;
    struct control_socket socket;
    int64_t started;          /* seconds since 1970 */
    struct pr_event messages; /* woken at each message's report */
    struct pr_event reloads;  /* woken when one has ended, well or not */
    struct pr_semaphore reload_turn;
    struct pr_event hangups; /* woken when reload_is_due was set */
    bool reload_is_due;      /* SIGHUP came */
    /* Why the last reload failed; "" if it did not. */
    char reload_error[PR_FAILURE_MAX];
    int64_t reload_failed; /* when; seconds since 1970 */
    bool reload_is_used;   /* the new configuration is in use all the same */
    struct listener *listener; /* of metrics; NULL: none */
    bool is_stopping;
    bool has_terminal; /* it was started in one */
};

struct control_setup {
    struct config *config; /* the first; the daemon's to free */
    enum log_format format;
    enum pr_level level;
};

/* The whole life of a daemon: takes the lock and the log, serves, and returns
 * when a signal has ended it. Runs the loop; call it outside of one. PR_BUSY
 * if a daemon is there already. */
PR_CHECKED pr_status control_run(const struct control_setup *setup);

/* Reads the configuration anew and takes it over; if it is wrong all stays as
 * it was. All that is wrong goes into `problems`, a line each. It may be in use
 * although this fails: without its metrics, then. PR_CANCELLED if the daemon
 * stops meanwhile. Waits, without end if the pool or a disk hangs. */
PR_CHECKED pr_status control_reload(struct control *control,
                                    struct pr_buffer *problems);

#endif
