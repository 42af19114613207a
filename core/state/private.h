/*
 * What the files of core/state share: the connection, its turn, its statements.
 *
 * There is one connection. Only the job that has the turn touches it, on the
 * pool; the fibers that want it next stand in a row. So no statement of one job
 * ever runs inside the transaction of another.
 */
#ifndef STATE_PRIVATE_H
#define STATE_PRIVATE_H

#include <sqlite3.h>

#include "state/state.h"

/* ---- Statements ---------------------------------------------------------- */

/* In the order of the texts in statement.c. */
enum statement_id {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_FOLDER_FIND,
    SQL_FOLDER_MAKE,
    SQL_MESSAGE_PUT,
    SQL_MESSAGE_OWE,
    SQL_MESSAGE_SETTLE,
    SQL_MESSAGE_KNOWN,
    SQL_MESSAGE_DELETE,
    SQL_MESSAGES_DELETE,
    SQL_DELIVERIES_DELETE_UNDONE,
    SQL_DELIVERY_PUT,
    SQL_DELIVERY_DONE,
    SQL_DELIVERY_RECEIPT,
    SQL_DELIVERIES_DELETE,
    SQL_DELIVERIES_DELETE_ALL,
    SQL_FOLDER_WATERMARK,
    SQL_FOLDER_VALIDITY,
    SQL_HISTORY_ADD,
    SQL_HISTORY_PRUNE,
    SQL_ROWS,
    SQL_OPEN_ROWS,
    SQL_DELIVERIES,
    SQL_INTENTS,
    SQL_STANDINGS,
    SQL_WHY,
    SQL_WHY_PLACE,
    SQL_ASIDES,
    SQL_ASIDES_COUNT,
    SQL_ASIDE_COUNT,
    SQL_ASIDE_FIND,
    SQL_ASIDE_RETRY,
    SQL_ASIDE_DROP,
    SQL_ACCOUNTS,
    SQL_KEPT_FIND,
    SQL_KEPT_PUT,
    SQL_KEPT_DROP,
    SQL_KEPT_PRUNE,
    SQL_KEPT_LIMIT,
    SQL_LOOKOUT_FIND,
    SQL_LOOKOUT_PUT,
    SQL_SIGHTINGS,
    SQL_SIGHTING_PUT,
    SQL_SIGHTING_DELETE,
    SQL_SIGHTINGS_DELETE,
    SQL_SIGHTING_FLAGS,
    SQL_SIGHTING_SET_FLAGS,
    SQL_SIGHTED_ELSEWHERE,
    SQL_KNOWN_ELSEWHERE,
    SQL_EXPECTED,
    SQL_EXPECT,
    SQL_EXPECT_ROW,
    SQL_EXPECTED_DELETE,
    SQL_SIGHTINGS_PRUNE,
    SQL_EXPECTED_PRUNE,
    SQL_SWEEPS,
    SQL_SWEEP_PUT,
    SQL_FOLDERS_BELOW,
    SQL_FOLDER_FORGET_NAME,
    SQL_FOLDER_RENAME,
    SQL_COUNTED,
    SQL_COUNTED_ROWS,
    SQL_HOLD,
    SQL_HOLD_NOTE,
    SQL_ALLOW,
    SQL_HELD_FOLDER_PUT,
    SQL_HELD_FOLDER_DELETE,
    SQL_HELD_FOLDERS,
    SQL_HELD,
    SQL_HELD_NOTE_CONFIRM,
    SQL_HELD_NOTE_REFUSE,
    SQL_HELD_NOTE_RETRY,
    SQL_HELD_CONFIRM,
    SQL_HELD_REFUSE,
    SQL_HELD_RETRY,
    SQL_HELD_FOLDERS_CONFIRM,
    SQL_HELD_FOLDERS_REFUSE,
    SQL_DEED_ADD,
    SQL_DEED_RETURNS,
    SQL_DEED_STAYS,
    SQL_DEED_DELETE,
    SQL_DEED_MOVE_SOURCE,
    SQL_DEED_MOVE_TARGET,
    SQL_DEEDS,
    SQL_DEEDS_RETURNING,
    SQL_DEEDS_PRUNE,
    SQL_COUNT
};

struct turn {
    struct pr_fiber *fiber;
    struct turn *next;
    bool is_given;
};

struct state {
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_COUNT]; /* prepared at their first use */
    char *directory;
    char *path;
    /* The row of those that wait for the connection; touched on the loop only.
     */
    bool is_taken;
    struct turn *first, *last;
    struct state_changes *queue, **queue_end; /* to be committed */
    struct kept_read *reads;                  /* that wait for their turn */
};

/* A statement with its parameters being filled in, from the first on. The first
 * thing that goes wrong is kept, and told by statement_run or statement_step.
 */
struct statement {
    struct state *state;
    sqlite3_stmt *sql; /* NULL: could not be prepared, words are noted */
    int next;
    int error; /* of SQLite */
};

struct statement statement_for(struct state *state, enum statement_id id);
void bind_int(struct statement *statement, int64_t value);
void bind_number(struct statement *statement, double value);
void bind_text(struct statement *statement, const char *text); /* NULL: NULL */
void bind_octets(struct statement *statement, const void *data, size_t size);
/* Runs a statement without rows and makes it ready for its next use. */
PR_CHECKED pr_status statement_run(struct statement *statement);
/* The next row: PR_OK; PR_EOF after the last. After anything but PR_OK the
 * statement is ready for its next use; otherwise call statement_end. */
PR_CHECKED pr_status statement_step(struct statement *statement);
void statement_end(struct statement *statement);
/* The one number that the statement asks for. */
PR_CHECKED pr_status statement_number(struct statement *statement,
                                      uint64_t *ret);
/* Columns of the present row. Text is copied into the arena; NULL stays NULL.
 */
int64_t column_int(const struct statement *statement, int column);
PR_CHECKED pr_status column_text(const struct statement *statement, int column,
                                 struct pr_arena *arena, const char **ret);
void statements_done(struct state *state);

/* ---- Lists ----------------------------------------------------------------
 */

/* Items in the making; zeroed but for state and arena. */
struct list {
    struct state *state;
    struct pr_arena *arena; /* where they go in the end, and their texts */
    char *items;
    size_t count, room, size;
};

typedef pr_status list_reader(const struct statement *statement,
                              struct pr_arena *arena, void *item);

/* Reads every row of the statement into an item of `size` octets more. */
PR_CHECKED pr_status list_read(struct list *list, struct statement *statement,
                               size_t size, list_reader *read);
/* With `status` PR_OK moves the items into the arena (NULL if there are none).
 * Frees the list in any case. */
PR_CHECKED pr_status list_end(struct list *list, pr_status status, void **ret,
                              size_t *ret_count);

/* A list_reader of struct state_row. */
pr_status row_read(const struct statement *statement, struct pr_arena *arena,
                   void *item);

/* Words for a failure of SQLite, from its last error. */
pr_status state_fail(struct state *state, int error);

/* ---- Turns and transactions ---------------------------------------------- */

/* Waits for the connection; cancellation does not end it. */
void state_take_turn(struct state *state, struct turn *turn);
void state_give_turn(struct state *state);
/* Takes the turn, runs `job(argument)` on the pool, gives the turn on. */
PR_CHECKED pr_status state_run(struct state *state, pr_fiber_fn *job,
                               void *argument);
/* Runs a statement that deletes some rows of those before a time, until none is
 * left, each time in a turn of its own. Waits. */
PR_CHECKED pr_status state_prune(struct state *state, enum statement_id id,
                                 int64_t before);

/* In a job. A transaction that writes; SQL_BEGIN takes the write lock at once,
 * so that it never has to be given up halfway. */
PR_CHECKED pr_status transaction_begin(struct state *state);
/* Ends it: commits if `status` is PR_OK, else rolls back; returns `status`, or
 * what went wrong. */
PR_CHECKED pr_status transaction_end(struct state *state, pr_status status);

/* ---- Files of an account ------------------------------------------------- */

/* DIRECTORY/KIND/ACCOUNT.KIND, its folder made. Freed by the caller. Blocks. */
PR_CHECKED pr_status state_account_path(struct state *state, const char *kind,
                                        const char *account, char **ret);

/* ---- Schema -------------------------------------------------------------- */

/* Is it a database of ours, not newer than `newest`? PR_CONFIG with words. */
PR_CHECKED pr_status schema_check(struct state *state, int newest,
                                  int *ret_version);
/* Brings the database from its version to the `count`-th step. Blocks. */
PR_CHECKED pr_status schema_migrate(struct state *state,
                                    const char *const *steps, int count);
/* The steps of this program. */
extern const char *const schema_steps[];
extern const int schema_version;

/* ---- Changes ------------------------------------------------------------- */

/* One change; what it needs follows it in memory. */
struct change {
    struct change *next;
    pr_status (*apply)(struct state *state, const struct change *change);
    int64_t folder;
    uint32_t uid;
};

struct state_changes {
    struct state *state;
    struct pr_arena *arena;
    struct change *first, **end;
    struct pr_failure failure;  /* of the recording or of the commit */
    struct state_changes *next; /* in the queue */
    bool is_finished;
};

/* Longer names are no names: they come from a server or a mistake. */
#define TEXT_CAP 4096

/* A change of `size` octets at the end of the list; NULL if out of memory, or
 * if an earlier one failed. */
void *change_add(struct state_changes *changes, size_t size, int64_t folder,
                 uint32_t uid,
                 pr_status (*apply)(struct state *, const struct change *));
/* A copy, with a NUL; NULL if out of memory, which fails the commit. */
const char *change_bytes(struct state_changes *changes, struct pr_bytes bytes);
/* A copy of at most `cap` octets, cut between characters; NULL stays NULL. */
const char *change_text(struct state_changes *changes, const char *text,
                        size_t cap);

#endif
