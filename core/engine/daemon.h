/*
 * Accounts looked after for as long as the daemon lives.
 *
 * Each account has a keeper: a fiber that polls when it is due, watches what
 * can be watched, and waits longer the longer something is wrong. One account's
 * trouble never delays another's. A keeper uses the configuration that was last
 * handed over; a connection whose account did not change outlives that.
 */
#ifndef ENGINE_DAEMON_H
#define ENGINE_DAEMON_H

#include "engine/engine.h"

struct daemon;

enum account_state {
    ACCOUNT_WAITING,  /* for its next poll */
    ACCOUNT_QUEUED,   /* for one of the places for connections */
    ACCOUNT_FETCHING, /* connects, lists, fetches, settles */
    ACCOUNT_WATCHING, /* on line, nothing to do */
    ACCOUNT_TROUBLED, /* waits until it may try again: see trouble */
    ACCOUNT_PAUSED    /* by postrider pause */
};

/* How an account does. Times in seconds since 1970, 0: never, or not known.
 * Texts are lent until the account's next step. */
struct account_status {
    const char *account;
    enum account_state state;
    int64_t since; /* when it came into that state */
    int64_t last_poll, next_poll;
    pr_status trouble; /* PR_OK: none */
    const char *trouble_text;
    int64_t trouble_since;
    unsigned failures; /* in a row */
    size_t connections;
    const char *shortage;    /* why there are no more; NULL: all wanted came */
    size_t folders, watched; /* folders it has, and those on line */
    const char *folder;      /* being worked on; NULL: none */
};

/* `state` is lent for the daemon's life. The observer is told of every message
 * and of every account's pass. */
PR_CHECKED pr_status daemon_new(struct state *state,
                                const struct engine_observer *observer,
                                struct daemon **ret);
void daemon_free(struct daemon *daemon); /* NULL is fine; not while it runs */

/* Takes over a configuration, the first or another: it is the daemon's to free,
 * unless this fails. Accounts that are gone come to an end, new ones begin,
 * changed ones begin anew; unchanged ones keep their connections and what they
 * wait for, and use the new rules and sinks from their next pass on. Sinks are
 * opened before anything is changed: on failure all is as before. Waits. */
PR_CHECKED pr_status daemon_configure(struct daemon *daemon,
                                      struct config *config);
/* The configuration in use; NULL before the first. Lent until the caller
 * waits. */
const struct config *daemon_config(const struct daemon *daemon);

/* Looks after the accounts until daemon_stop, or until the caller is
 * cancelled. Waits. */
PR_CHECKED pr_status daemon_run(struct daemon *daemon);
/* Asks for the end: nothing more is asked of any server, what is in hand is
 * committed and settled, within `grace` ms; what is not done by then is
 * cancelled. What hangs in a sink even so is given up ENGINE_GIVE_UP_MS later:
 * its intents stay noted, as after a crash. Only jobs that hang on the pool can
 * hold up the end after that. Does not wait. */
void daemon_stop(struct daemon *daemon, uint64_t grace);

/* Polls the accounts named (ended by NULL; NULL: all but those that are paused)
 * as soon as there is a place, ahead of those that are merely due, and tells
 * `done` of each account's pass when it has ended. `mode`: of ENGINE_RETRY and
 * ENGINE_SWEEP. Waits until all have. PR_CONFIG for a name that no account has,
 * before anything is done; PR_CANCELLED: the caller was, the polls go on. */
PR_CHECKED pr_status daemon_poll(struct daemon *daemon,
                                 const char *const *accounts, unsigned mode,
                                 const struct engine_observer *observer);
/* Undoes what was done on the servers of the accounts, as engine_undo does, and
 * then polls; as daemon_poll in all else. */
PR_CHECKED pr_status daemon_undo(struct daemon *daemon,
                                 const char *const *accounts,
                                 const struct undo_order *order,
                                 const struct engine_observer *observer);
/* From now on these accounts (as above) do nothing of themselves; what is in
 * hand is finished. A poll that names one does it all the same. */
PR_CHECKED pr_status daemon_pause(struct daemon *daemon,
                                  const char *const *accounts);
PR_CHECKED pr_status daemon_resume(struct daemon *daemon,
                                   const char *const *accounts);

/* What happened to the machine, as far as connections care. */
enum daemon_news {
    DAEMON_NETWORK_UP,      /* there is a route again: try at once */
    DAEMON_NETWORK_CHANGED, /* addresses or routes: prove each connection */
    DAEMON_RESUMED          /* it slept: drop every connection, poll at once */
};

/* An account in trouble that the network has no part in, a refused login say,
 * is polled at its time all the same; of that the `slept` ms of DAEMON_RESUMED
 * (0 otherwise) have passed. Does not wait. */
void daemon_tell(struct daemon *daemon, enum daemon_news news, uint64_t slept);

/* How the accounts do, in the order of the configuration. */
size_t daemon_account_count(const struct daemon *daemon);
struct account_status daemon_account(const struct daemon *daemon, size_t index);
/* Messages of that account which are listed or in the house, and not dealt with
 * yet: of the folders being worked on. Looks at each of them. */
size_t daemon_account_waiting(const struct daemon *daemon, size_t index);
/* As state_aside_drop. PR_BUSY while the message is tried again: what comes of
 * that would undo the decision. */
PR_CHECKED pr_status daemon_drop(struct daemon *daemon, const char *id);
/* Woken whenever the state of an account changes. */
struct pr_event *daemon_changes(struct daemon *daemon);

#endif
