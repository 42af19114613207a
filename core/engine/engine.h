/*
 * The engine: takes a configuration and brings the mail home.
 *
 * It runs accounts side by side, reports what it does to an observer, and keeps
 * the one promise: durable in every sink, then noted in the state, then settled
 * on the server, never in another order.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "lua/config.h"
#include "state/state.h"

/* How a message fared at one of its targets. Lent for the call. */
struct target_outcome {
    const char *status; /* as of message_report */
    const char *error;  /* NULL unless later or failed */
};

/* What became of one message. All lent for the call. */
struct message_report {
    const char *account, *folder;
    uint32_t uid;
    const char *message_id, *sender, *subject; /* "" if not known */
    uint64_t size;                             /* octets on the wire */
    int64_t received;   /* by the server: seconds since 1970; 0: not known */
    uint64_t rules_us;  /* microseconds that its rules took, waits included */
    const char *action; /* "deliver", "move", "leave", "defer", ... */
    const char *const
        *targets; /* "maildir:/home/a/Mail/inbox", ends with NULL */
    const struct target_outcome
        *outcomes; /* of each of them; NULL: that of the message */
    const char *rule, *file;
    int line;                /* 0: no rule, the account's own delivery */
    const char *status;      /* "done", "later", "failed", "planned" */
    const char *error;       /* the first; NULL unless later or failed */
    const struct plan *plan; /* the whole of it; NULL if there is none */
    const struct message_cost *cost; /* octets that were fetched of it; NULL:
                                        not known */
    uint64_t to_fetch; /* planned: octets that its delivery would fetch yet */
};

/* How an account's run went. */
struct account_report {
    const char *account;
    pr_status status;  /* of the account; PR_OK also if messages were put off */
    const char *error; /* NULL if PR_OK */
    uint64_t messages; /* dealt with in this run */
    uint64_t octets;   /* of them, on the wire */
    uint64_t put_off;  /* messages that wait for another try */
    uint64_t ms;
};

/* What hooks made of something that another program did. All lent. */
struct event_report {
    const char *account, *folder;
    uint32_t uid;
    const char *event; /* "flags", "vanished", "moved_in" */
    const char *from;  /* where it was moved from; NULL: not moved */
    const char *message_id, *sender, *subject; /* "" if not known */
    const char *hook, *file;                   /* the last that ran */
    int line;
    const char *status;      /* "done", "later", "failed", "planned" */
    const char *error;       /* NULL unless later or failed */
    const struct plan *plan; /* what they asked for; NULL if planned */
};

/* What became of a deed on the server that is to be undone. All lent. */
struct undo_report {
    const char *account, *folder; /* where the message was */
    uint32_t uid;                 /* then */
    int64_t time;                 /* when it was done; seconds since 1970 */
    const char *action;           /* "move", "flag", "copy", "delete" */
    const char *target;           /* folder it went to; NULL: none */
    struct pr_flags set, clear;   /* flags that had changed */
    const char *message_id, *sender, *subject; /* "" if not known */
    const char *status; /* "undone", "planned", "kept" (nothing that can be
                           undone), "failed" */
    const char *reason; /* NULL if undone or planned */
};

/* What is to be undone of an account. */
struct undo_order {
    int64_t since; /* done since then; seconds since 1970 */
    bool dry_run;  /* only told */
};

/* A thing that a sweep does, or would do, to messages of a folder. All lent. */
struct sweep_report {
    const char *account, *folder;
    const char *sweep, *file;
    int line;
    const char *action;    /* "move", "create folder", ...; "" for the whole */
    const char *text, *to; /* where to, which flag, which folder; NULL: none */
    uint64_t messages;
    const char *uids;   /* of them, maybe cut short; "" */
    const char *status; /* "done", "failed", "held", "planned" */
    const char *error;  /* NULL unless failed or held */
};

struct engine_observer {
    void *user;
    void (*message)(void *user, const struct message_report *report);
    void (*account)(void *user, const struct account_report *report);
    void (*event)(void *user, const struct event_report *report);
    void (*undone)(void *user, const struct undo_report *report);
    void (*sweep)(void *user, const struct sweep_report *report);
    /* It is left out of what was asked of all, because it is paused. */
    void (*paused)(void *user, const char *account);
};

struct engine_progress {
    uint64_t messages; /* dealt with */
    uint64_t expected; /* listed so far */
    uint64_t octets;   /* read from the wire, of messages */
    const char *account,
        *folder; /* where something last moved; NULL: nowhere */
};

struct engine;

enum engine_mode {
    ENGINE_DRY_RUN = 1,
    ENGINE_RETRY = 2,   /* what is put aside is tried now, not at its time */
    ENGINE_DELIVER = 4, /* standard input, and no other source */
    ENGINE_SWEEP = 8    /* sweeps run now, not at their time */
};

/* `config` and `state` are lent for the engine's life. `mode`: of enum
 * engine_mode, 0 for none. In a dry run nothing is delivered, noted or settled:
 * messages are fetched, rules run, plans reported. Opens the sinks; may wait.
 */
PR_CHECKED pr_status engine_new(struct config *config, struct state *state,
                                unsigned mode,
                                const struct engine_observer *observer,
                                struct engine **ret);
void engine_free(struct engine *engine); /* NULL is fine */

/* One pass over the accounts named (ended by NULL), or over all. An account's
 * trouble is in its report and stops no other. Waits. PR_CONFIG for a name that
 * no account has (before anything is done). ENGINE_DELIVER: over the one
 * account that reads standard input; without it such accounts are left out. */
PR_CHECKED pr_status engine_fetch(struct engine *engine,
                                  const char *const *accounts);

/* Undoes what was done on the servers of the accounts named (as engine_fetch
 * has them) in the time of `order`: messages are moved back, flags are as
 * before; what comes back is known and not delivered again. Nothing is deleted:
 * copies stay. The observer is told of each deed. Waits. PR_CONFIG. */
PR_CHECKED pr_status engine_undo(struct engine *engine,
                                 const char *const *accounts,
                                 const struct undo_order *order);

/* Asks for an orderly end: nothing more is asked of any server, what is in hand
 * is committed and settled. engine_fetch returns soon. Does not wait. */
void engine_stop(struct engine *engine);
/* Of work that was cancelled, the time to unwind before what hangs even so is
 * given up (pr_scope_give_up), in milliseconds. */
#define ENGINE_GIVE_UP_MS 1000u

/* How a sink, a service or an account fared that was tried. */
struct sink_report {
    const char *sink;
    bool is_account;   /* `sink` is its name, */
    size_t folders;    /* and so many folders of it are there */
    pr_status status;  /* PR_UNSUPPORTED: there is no way to try it */
    const char *error; /* NULL if PR_OK */
};

/* Tries every sink of a configuration, every service that its rules ask, and
 * the login of every account, side by side, each for at most `timeout` ms, and
 * tells `each` as they end; delivers nothing, and asks about no message. Waits.
 * PR_CANCELLED, PR_NOMEM.
 */
PR_CHECKED pr_status engine_check(
    struct config *config, uint64_t timeout,
    void (*each)(void *user, const struct sink_report *report), void *user);

const struct engine_progress *engine_progress(const struct engine *engine);

#endif
