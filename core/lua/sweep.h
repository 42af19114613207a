/*
 * sweep("name", { ... }, function(box) ... end): messages that are on the
 * server already, searched for, and acted on in sets.
 *
 * The function decides; nothing is done before it has ended without an error.
 * What it decided is a row of steps, each with the line that asked for it,
 * which the engine then carries out in order: so a dry run is the same code.
 */
#ifndef LUA_SWEEP_H
#define LUA_SWEEP_H

#include "lua/config.h"

enum sweep_action {
    SWEEP_FLAG, /* text: a system flag or keyword */
    SWEEP_UNFLAG,
    SWEEP_LABEL, /* text: a label of the server's own */
    SWEEP_UNLABEL,
    SWEEP_COPY_TO, /* text: a folder */
    SWEEP_MOVE,
    SWEEP_DELETE,
    SWEEP_NOTE,   /* text: for the log */
    SWEEP_CREATE, /* text: a folder; so are those that follow */
    SWEEP_RENAME, /* value: its new name */
    SWEEP_DROP,   /* deletes the folder */
    SWEEP_SUBSCRIBE,
    SWEEP_UNSUBSCRIBE
};

struct sweep_step {
    enum sweep_action action;
    const char *text, *value;
    bool with_messages;    /* SWEEP_DROP: the folder need not be empty */
    struct pr_range *uids; /* tidy; NULL: it is about no message */
    size_t uid_count;
    const char *file;
    int line;
    /* For what is merged with the next: */
    size_t uids_allocated;
};

struct sweep_plan {
    struct pr_arena *arena; /* lent */
    struct sweep_step *steps;
    size_t count, allocated;
};

/* Messages of a set, one after the other. Ended with the box, if not before. */
struct sweep_reader;

/* A folder as a sweep sees it; the engine's side. The calls wait, and are made
 * one at a time. */
struct sweep_box {
    const char *account, *folder; /* lent */
    uint32_t exists;
    bool has_labels; /* of the server's own */
    bool read_only;  /* nothing may be asked for */
    const struct sweep_box_ops *ops;
    struct sweep_plan plan;
};

struct sweep_box_ops {
    /* Appends ranges (struct pr_range) to `found`. */
    pr_status (*search)(struct sweep_box *box, const struct pr_search_key *keys,
                        size_t count, struct pr_buffer *found);
    pr_status (*read)(struct sweep_box *box, const struct pr_range *uids,
                      size_t count, struct sweep_reader **ret);
    /* The next message that is still there, lent until the next call; PR_EOF.
     */
    pr_status (*next)(struct sweep_reader *reader, struct message **ret);
    pr_status (*folders)(struct sweep_box *box, const char *const *patterns,
                         pr_folder_found *found, void *user);
};

/* How a sweep stands in the configuration. */
struct sweep {
    const char *name, *file;
    int line;
    const char *const *accounts; /* patterns, ended by NULL; NULL: all */
    const char *const *folders;
    uint64_t every; /* ms */
    int function;   /* in the registry */
};

const struct sweep *config_sweep(const struct config *config, size_t index);
/* Is it for that account? Of those whose source can search. */
bool sweep_takes(const struct sweep *sweep, const struct account *account);

/* Runs the sweep's function over the box and fills its plan. Waits. PR_SCRIPT
 * with words when it failed (its traceback is logged): the plan is then of no
 * use. PR_CANCELLED, PR_NOMEM, or what the box's calls failed with for good. */
PR_CHECKED pr_status sweep_run(struct config *config, const struct sweep *sweep,
                               struct sweep_box *box);

/* "move", "delete", ..., "create folder", ... */
const char *sweep_action_name(enum sweep_action action);

/* Adds a step with `uids`; one that asks for the same as the last one, at the
 * same line, is merged with it. Texts are copied. PR_NOMEM, PR_LIMIT. */
PR_CHECKED pr_status sweep_plan_add(struct sweep_plan *plan,
                                    const struct sweep_step *step);

#endif
