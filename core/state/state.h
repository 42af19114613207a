/*
 * What is known of each message: intended, delivered, settled, put aside; and
 * the history for `postrider why`.
 *
 * A change is durable when state_commit returns PR_OK (SQLite, WAL,
 * synchronous=FULL). Changes of several fibers that come at the same time share
 * one transaction. All calls but open, close and the locks wait.
 *
 * A message goes listed -> INTENT -> OWED -> SETTLED; DEFERRED leads back to
 * the start. OWED means: safe in every sink, the server's part is still to be
 * done. All UIDs below a folder's watermark are dealt with unless a row says
 * otherwise.
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include <postrider/message.h>
#include <postrider/plugin.h>

struct state;

/* Opens (or makes, mode 0600) the store in `directory`, migrates its schema.
 * Blocks. PR_IO, PR_FULL; PR_CONFIG if a newer version made it. */
PR_CHECKED pr_status state_open(const char *directory, struct state **ret);
/* Was there a store before? Blocks briefly. */
bool state_is_there(const char *directory);
void state_close(
    struct state *state); /* NULL is fine; nothing may be in flight */

/* One process at a time works on an account. PR_BUSY with the other's process
 * id. Blocks briefly; the lock goes with the process. */
struct state_lock;
PR_CHECKED pr_status state_lock_account(struct state *state,
                                        const char *account,
                                        struct state_lock **ret);
void state_unlock_account(struct state_lock *lock);

/* ---- Folders and messages ----------------------------------------------- */

struct state_folder {
    int64_t id;
    uint32_t uidvalidity; /* 0: never seen */
    uint32_t watermark;   /* the first UID not known to be dealt with; >= 1 */
    uint64_t modseq;
    int64_t since; /* when the record was made: seconds since 1970 */
};

/* The folder's record, made when missing. */
PR_CHECKED pr_status state_folder(struct state *state, const char *account,
                                  const char *folder, struct state_folder *ret);

enum state_stage {
    STAGE_INTENT = 1,
    STAGE_OWED = 2,
    STAGE_SETTLED = 3,
    STAGE_DEFERRED = 4
};

/* A deletion on the server that a rule asked for is not made before the limit
 * on deletions allows it: all of its debt waits. */
enum state_guard {
    GUARD_NONE,     /* no rule's deletion */
    GUARD_COUNTED,  /* to be judged when the folder's run ends */
    GUARD_HELD,     /* over the limit: until a person confirms or refuses it */
    GUARD_CONFIRMED /* done at the next visit */
};

/* What the server still is to do for a message. Texts may be NULL. */
struct state_debt {
    struct pr_flags set, clear;
    const char *copy_to, *move_to;
    bool remove;
    int64_t due; /* seconds since 1970: not before; 0: at once */
    enum state_guard guard;
    const char *rule, *file; /* who asked for it, unless GUARD_NONE */
    int line;
    const char *label, *unlabel; /* as pr_item.labels */
};

#define STATE_PRINT_SIZE 16 /* octets of a message's fingerprint */

struct state_row {
    uint32_t uid;
    const char *uidl; /* POP3; else NULL */
    enum state_stage stage;
    uint64_t size; /* as the server counts */
    int64_t received;
    unsigned char print[STATE_PRINT_SIZE]; /* of the header; zero: not known */
    unsigned tries;                        /* DEFERRED: how often it failed, */
    unsigned rule_tries; /* and how often of these its rules did */
    int64_t due; /* DEFERRED: not before. SETTLED, of a source without UIDs:
                    since when it is not listed any more; 0: it is */
    const char *reason;     /* DEFERRED: why */
    struct state_debt debt; /* OWED */
};

/* A delivery that was intended, and whether it is known to have happened. */
struct state_delivery {
    const char *sink;   /* its name */
    const char *folder; /* below the sink's root */
    const char *key;    /* "": it was not staged */
    const char *receipt;
    bool is_done;
};

/* Rows of a folder, by ascending UID, copied into `arena`: those with
 * uid >= from_uid, and those below it whose stage is not SETTLED and whose
 * guard is not HELD. */
PR_CHECKED pr_status state_rows(struct state *state, int64_t folder,
                                uint32_t from_uid, struct pr_arena *arena,
                                struct state_row **ret, size_t *ret_count);
/* Every row of the folder, SETTLED ones too. */
PR_CHECKED pr_status state_all_rows(struct state *state, int64_t folder,
                                    struct pr_arena *arena,
                                    struct state_row **ret, size_t *ret_count);

/* Where a folder stands, in short. */
struct state_standing {
    const char *folder;
    uint32_t uidvalidity, watermark;
    uint64_t modseq;
    uint64_t due_now;  /* messages put aside or owed whose time has come */
    int64_t due_later; /* when that of the next one comes; 0: there is none */
    /* when hooks last looked at it (state/sightings.h); 0: never */
    uint32_t seen_uidvalidity;
    uint64_t seen_modseq;
};

/* Every folder of the account that has a record, into the arena. `now`: seconds
 * since 1970. */
PR_CHECKED pr_status state_standings(struct state *state, const char *account,
                                     int64_t now, struct pr_arena *arena,
                                     struct state_standing **ret,
                                     size_t *ret_count);
/* The deliveries of one message, done or not. */
PR_CHECKED pr_status state_deliveries(struct state *state, int64_t folder,
                                      uint32_t uid, struct pr_arena *arena,
                                      struct state_delivery **ret,
                                      size_t *ret_count);

/* How many messages of the account are in the stage INTENT. */
PR_CHECKED pr_status state_intents(struct state *state, const char *account,
                                   uint64_t *ret);

/* ---- The journal --------------------------------------------------------- */

/* What journaled sinks said of their deliveries (<postrider/message.h>). Who
 * opens it holds the account's lock. These block briefly. */
PR_CHECKED pr_status state_journal_open(struct state *state,
                                        const char *account,
                                        struct pr_journal **ret);
void state_journal_close(struct pr_journal *journal); /* NULL is fine */

enum state_word {
    WORD_NONE,   /* it was never begun, or failed */
    WORD_BEGUN,  /* it may have happened */
    WORD_DONE,   /* it happened */
    WORD_UNKNOWN /* there was a power cut: the word may be lost */
};

/* The last word of this delivery, of this run or an earlier one. */
enum state_word state_journal_ask(struct pr_journal *journal, const char *sink,
                                  const char *folder, const char *key);
/* Has no sink said anything since it was emptied, in this boot? */
bool state_journal_is_empty(const struct pr_journal *journal);
/* Empties it: no intent is open that it could tell of. */
PR_CHECKED pr_status state_journal_clear(struct pr_journal *journal);

/* ---- Changes ------------------------------------------------------------- */

/* Changes in the making: collected in memory, then one durable step. What is
 * handed to the calls below is copied. A failed one fails the commit, so only
 * that need be looked at. */
struct state_changes;
PR_CHECKED pr_status state_begin(struct state *state,
                                 struct state_changes **ret);
/* Makes them durable, all or none; frees them in any case. Waits, and is not
 * ended by cancellation. */
PR_CHECKED pr_status state_commit(struct state_changes *changes);
void state_drop(struct state_changes *changes); /* NULL is fine */

/* Intends `deliveries` for the message (stage INTENT). */
void state_intend(struct state_changes *changes, int64_t folder,
                  const struct state_row *row,
                  const struct state_delivery *deliveries, size_t count);
/* One delivery is done (others of the message may not be). */
void state_delivered(struct state_changes *changes, int64_t folder,
                     const struct state_row *row, const char *sink,
                     const char *sink_folder);
/* One delivery of the message was tried in vain: what the sink's receipt says
 * now is kept for its next try. */
void state_receipt(struct state_changes *changes, int64_t folder, uint32_t uid,
                   const struct state_delivery *delivery);
/* The message is safe in every sink: stage row->stage (OWED with row->debt, or
 * SETTLED); its delivery rows are no longer needed. */
void state_safe(struct state_changes *changes, int64_t folder,
                const struct state_row *row);
/* The server did some of its part: `debt` is what is still owed. */
void state_owe(struct state_changes *changes, int64_t folder, uint32_t uid,
               const struct state_debt *debt);
/* The server did its part. `forget`: the message is gone from the folder, so
 * its row goes too. */
void state_settled(struct state_changes *changes, int64_t folder, uint32_t uid,
                   bool forget);
/* Stage DEFERRED, with row->tries, due and reason; deliveries stay as they are.
 */
void state_deferred(struct state_changes *changes, int64_t folder,
                    const struct state_row *row);
/* The source names the message otherwise: row->uidl, row->size and row->due are
 * noted. */
void state_known(struct state_changes *changes, int64_t folder,
                 const struct state_row *row);
/* The row goes: the message is no longer on the server. */
void state_forget(struct state_changes *changes, int64_t folder, uint32_t uid);
void state_watermark(struct state_changes *changes, int64_t folder,
                     uint32_t watermark);
/* The folder was made anew: forgets all its rows and sets the new validity,
 * with watermark 1. Rows that were matched are put in again with state_safe and
 * state_deferred in the same changes. */
void state_new_validity(struct state_changes *changes, int64_t folder,
                        uint32_t uidvalidity);

/* ---- Put aside ----------------------------------------------------------- */

/* A message of stage DEFERRED, for people. Texts may be NULL. */
struct state_aside {
    const char *account, *folder;
    uint32_t uid;
    uint64_t size;
    int64_t received;
    unsigned tries; /* 0: nothing failed: a limit, or a rule's m:defer */
    int64_t due;    /* not tried before; seconds since 1970, 0: at once */
    const char *reason, *sender, *subject;
};

/* At most `most` of what is put aside, by account, folder and UID, into the
 * arena; *ret_total says how many there are. */
PR_CHECKED pr_status state_asides(struct state *state, size_t most,
                                  struct pr_arena *arena,
                                  struct state_aside **ret, size_t *ret_count,
                                  uint64_t *ret_total);
/* How many messages of the account are put aside. */
PR_CHECKED pr_status state_aside_count(struct state *state, const char *account,
                                       uint64_t *ret);
/* The message put aside that "ACCOUNT/FOLDER/UID" names is tried at the next
 * pass, whenever it was due. PR_GONE if there is none; *ret_account, into the
 * arena, is set on success. */
PR_CHECKED pr_status state_aside_retry(struct state *state, const char *id,
                                       struct pr_arena *arena,
                                       const char **ret_account);

/* A message by its name, "ACCOUNT/FOLDER/UID"; a folder's name may have slashes
 * in it. */
struct state_place {
    const char *account, *folder;
    uint32_t uid;
};

/* Takes a name apart, into the arena. PR_GONE, without words, if it is none.
 * Does not wait. */
PR_CHECKED pr_status state_place_parse(const char *id, struct pr_arena *arena,
                                       struct state_place *ret);

/* Takes it for dealt with: it stays on the server and is not fetched again.
 * The history says so. PR_GONE as above, also if it is being delivered just
 * now. */
PR_CHECKED pr_status state_aside_drop(struct state *state, const char *id,
                                      struct pr_arena *arena);

/* What the history says of an account. */
struct state_account {
    const char *account;
    uint64_t messages;    /* done since the time asked for */
    int64_t last_message; /* when one was last done; 0: never */
};

/* Every account that the history knows, into the arena; messages done at
 * `since` (seconds since 1970) or later are counted. */
PR_CHECKED pr_status state_accounts(struct state *state, int64_t since,
                                    struct pr_arena *arena,
                                    struct state_account **ret,
                                    size_t *ret_count);

/* ---- History ------------------------------------------------------------- */

/* One thing that was done with a message, for people. Texts may be NULL. */
struct state_event {
    int64_t time; /* seconds since 1970 */
    const char *account, *folder;
    uint32_t uid;
    const char *message_id, *sender, *subject;
    const char *action, *target, *rule, *file;
    int line;
    const char *outcome; /* "done", "later", "failed" */
    const char *reason;
};

void state_history(struct state_changes *changes,
                   const struct state_event *event);
/* Events of the message with this Message-ID (angle brackets do not matter) or
 * "ACCOUNT/FOLDER/UID", oldest first, into the arena. */
PR_CHECKED pr_status state_why(struct state *state, const char *id,
                               struct pr_arena *arena, struct state_event **ret,
                               size_t *ret_count);
/* Forgets events older than `before`. */
PR_CHECKED pr_status state_prune_history(struct state *state, int64_t before);

#endif
