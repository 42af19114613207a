/*
 * An account of the daemon, and what the daemon shares with it.
 *
 * What a keeper does, it does in turns: a fiber that ends when the work is
 * done. Between turns there are only the fibers of connections that watch, one
 * each, so that an account which waits costs no stack of its own. One turn of a
 * keeper runs at a time; all that concerns its lines and folders happens there.
 */
#ifndef ENGINE_KEEPER_H
#define ENGINE_KEEPER_H

#include "engine/backoff.h"
#include "engine/daemon.h"
#include "engine/parts.h"

/* A folder of the account on the server. */
struct spot {
    char *name;           /* owned */
    struct line *line;    /* that watches it; NULL: none */
    struct line *seen_by; /* that listed it last: knows what came since */
    bool is_watched;      /* its times are those of one that is */
    bool is_lost;         /* while its line is closed */
    unsigned news;        /* of enum pr_news, to be looked into */
    unsigned recent;      /* messages that came lately; older ones fade */
    bool is_there;        /* on the server, when it was last listed */
    bool is_glanced;      /* in this turn, and then: */
    bool has_news;
    bool is_for_events; /* only hooks want it */
    pr_time next;       /* when it is to be looked at */
    pr_time last_mail;  /* when messages came */
};

/* A poll that somebody waits for. */
struct poll {
    struct poll *next;
    const struct engine_observer *observer;
    size_t left; /* keepers that have not done it */
    struct pr_event done;
};

struct ticket {
    struct ticket *next;
    struct poll *poll;      /* NULL: who waited has gone */
    struct undo_order undo; /* first, if is_undo */
    bool is_undo;
};

struct keeper {
    struct daemon *daemon;
    char *name; /* owned */
    struct pr_log log;
    struct engine *engine; /* held: of the last turn */
    const struct account *account;
    struct state_lock *lock;
    struct claimant claimant;
    char *shortage;      /* owned: why there are no more lines; or NULL */
    struct line **lines; /* owned, each too */
    size_t line_count;
    struct spot *spots; /* by importance */
    size_t spot_count;
    size_t buried; /* lines given up that are not closed yet */

    struct account_run *run; /* of the present turn; NULL: none */
    pr_time due;             /* for its next turn */
    pr_time list_due;        /* for listing the folders */
    bool is_turning;
    bool is_partial;  /* the present pass: some lines watch on */
    bool wants_turn;  /* a line has news, or has ended */
    bool is_asked;    /* for a poll */
    bool asks_retry;  /* ... of what is put aside, too */
    bool asks_sweep;  /* ... with the sweeps */
    bool has_changed; /* in a newer configuration */
    bool drops;       /* every connection is to be given up */
    bool is_paused, is_removed;
    bool is_gone;           /* its last turn has ended */
    unsigned wanted_news;   /* of enum pr_news: what lines are to tell of */
    bool cannot_watch;      /* the server says so, on the present connection */
    bool was_connected;     /* in the last pass */
    unsigned empty_turns;   /* in a row: news of which nothing came */
    struct ticket *tickets; /* of polls asked for */
    struct ticket *served;  /* of those that the present pass is for */

    uint64_t deleted; /* because rules said so, since: */
    pr_time deleted_since;

    enum account_state state;
    int64_t since, last_poll, trouble_since;
    enum trouble trouble;
    pr_status trouble_status;
    char *trouble_text; /* owned */
    unsigned failures;
    unsigned refusals; /* failures for a person, since it was well */
};

struct daemon {
    struct state *state;
    struct engine_observer observer;
    struct engine *engine; /* the newest; held */
    struct places *places;
    struct keeper **keepers; /* in the order of the configuration */
    size_t keeper_count;
    struct keeper **leaving; /* removed, not gone yet */
    size_t leaving_count;
    struct pr_scope turns;
    struct pr_scope burials; /* cancelled from its beginning */
    struct pr_event moves;   /* the scheduler is to look: has_moved */
    bool has_moved;
    struct pr_event changes;
    uint64_t random;
    bool is_running, is_stopping;
    bool is_cut_short, is_given_up;
    pr_time stop_end; /* of what it has time for now */
    pr_time history_due;
    pr_time trim_due;   /* when it has been quiet for a while */
    pr_time network_up; /* when that was heard last; 0: never */
};

/* ---- Keepers ------------------------------------------------------------- */

PR_CHECKED pr_status keeper_new(struct daemon *daemon, const char *name,
                                struct keeper **ret);
void keeper_free(struct keeper *keeper); /* NULL is fine; between turns */
/* Is there something to do now? */
bool keeper_wants_turn(const struct keeper *keeper, pr_time now);
/* Does it, in a fiber of its own: argument is the keeper. */
pr_status keeper_turn(void *argument);
/* A configuration is there in which the account may be another. */
void keeper_look_at(struct keeper *keeper, const struct account *account);
/* `slept`: how long, in ms, for DAEMON_RESUMED. */
void keeper_tell(struct keeper *keeper, enum daemon_news news, uint64_t slept);
/* Ends what it does as soon as what is in hand is safe. */
void keeper_stop(struct keeper *keeper);
/* Keeps the words of the last failure. */
void keeper_note_words(struct keeper *keeper, pr_status status);
void keeper_set_state(struct keeper *keeper, enum account_state state);
/* The words are in the keeper: when it may try again, told in the log. */
void keeper_note_trouble(struct keeper *keeper, pr_status status);
void keeper_note_health(struct keeper *keeper);
/* Without a word: what it was about is no more. */
void keeper_forget_trouble(struct keeper *keeper);
/* Is it in trouble that neither a network nor a new connection ends? Then it is
 * left alone until its time has come. */
bool keeper_waits_its_time(const struct keeper *keeper);
/* Forgets the account's secrets that were kept; false: there was none. */
bool keeper_drop_secrets(const struct account *account);
/* Takes over the newest configuration; all lines were called back, unless it is
 * the one in use. Waits. */
PR_CHECKED pr_status keeper_adopt(struct keeper *keeper);
void keeper_close_lines(struct keeper *keeper);
/* The scheduler is to look. */
void daemon_wake(struct daemon *daemon);
/* NULL: no account has that name. */
struct keeper *daemon_keeper(const struct daemon *daemon, const char *name);

/* ---- What a keeper knows of its folders ---------------------------------- */

struct spot *keeper_spot(struct keeper *keeper, const char *folder);
/* Orders them by importance: INBOX, then by the messages that came lately. */
void spots_sort(struct keeper *keeper);
/* Takes over the folders that run->folders lists, and orders all. */
PR_CHECKED pr_status spots_take(struct keeper *keeper,
                                const struct account_run *run);
void spots_free(struct keeper *keeper);
/* account_run.is_for_events */
bool spots_are_for_events(const struct account_run *run, const char *folder);
/* A folder was worked on by a line, and so many messages came. */
void spots_note(struct keeper *keeper, struct spot *spot, struct line *line,
                uint64_t messages);
/* When it is to be looked at next, from now on. */
void spot_schedule(struct keeper *keeper, struct spot *spot);
/* run->choose: lists if it is time to, glances, and queues the folders in which
 * there is something to do. */
PR_CHECKED pr_status spots_choose(struct account_run *run, struct line *line);
/* When the keeper is to have its next turn, from folders and from what the
 * state has put aside. */
pr_time spots_due(struct keeper *keeper, struct pr_arena *arena);
/* Names of the folders that a line watches (NULL: of all), ended by NULL; to be
 * freed with memory_free. NULL: out of memory. */
const char **spots_names(const struct keeper *keeper, const struct line *line);

#endif
