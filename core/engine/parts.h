/*
 * The parts the engine is made of, and what they share.
 *
 * An account's run has one or more workers, each a fiber with a line (one
 * connection with a source). A worker takes folders from the account's queue
 * and runs a session on each: select, reconcile, list, fetch, settle. While a
 * session's source reads, its children run: a fiber for the rules of each
 * message, and a fiber for each batch on its way to the sinks.
 *
 *   engine.c   the accounts of a run; connections per host; room in the house
 *   check.c    sinks tried for `postrider check`
 *   daemon.c   accounts looked after for as long as the daemon lives
 *   keeper.c   an account of the daemon: its turns, what it waits for
 *   spots.c    what a keeper knows of each folder
 *   schedule.c when something is due
 *   backoff.c  how long to leave a server alone
 *   places.c   how many connections there may be, and who is next
 *   account.c  an account's lock, folders and workers
 *   line.c     one connection, and whether it gets on
 *   session.c  one folder, from select to settle
 *   listing.c  what is listed, against what the state knows
 *   fetch.c    what is listed, fetched
 *   ledger.c   the messages of a folder: which are new, owed, done; watermark
 *   feed.c     what the source pulls requests from and pushes messages to
 *   more.c     more of messages whose header is here: asked for merged
 *   decide.c   rules to plan, plan to decision
 *   batch.c    decided messages to sinks and state, in the one safe order
 *   settle.c   debts to the server, paid merged
 *   deeds.c    what was done on the server, noted
 *   undo.c     deeds taken back: which of them, in which order
 *   giveback.c deeds taken back: the messages of one folder
 *   guard.c    deletions that rules ask for, held when they are too many
 *   recover.c  what a crash left: intents looked up
 *   lineup.c   known messages found again by size and header
 *   rematch.c  a folder made anew on the server
 *   identify.c sources without UIDs: which message is which
 *   believe.c  messages that LAST tells were fetched before
 *   report.c   words for the observer and the history
 *   events.h   what other programs did, for the hooks
 *   sweeps.h   sweeps: messages on the server, acted on in sets
 */
#ifndef ENGINE_PARTS_H
#define ENGINE_PARTS_H

#include "engine/engine.h"
#include "engine/places.h"

/* ---- The house ----------------------------------------------------------- */

/* What may be in the house at a time, over all sessions. */
#define HOUSE_OCTETS ((size_t)4 * 1024 * 1024) /* of spools in memory */
#define HOUSE_MESSAGES ((size_t)600)
/* A batch goes off when it has so much. */
#define BATCH_MESSAGES ((size_t)100)
#define BATCH_OCTETS ((uint64_t)8 * 1024 * 1024)
/* Batches of a session that may be on their way at a time. */
#define BATCHES_IN_FLIGHT 3
/* Headers whose rules may still ask for more. */
#define UNDECIDED_MOST ((size_t)64)
/* Headers that are asked for together, if there are so many. */
#define HEADERS_MERGED ((size_t)32)
/* What rules ask for waits for others that may ask for the same, until there
 * are so many. */
#define ASKS_MERGED ((size_t)32)
/* Debts that are paid before more is fetched. */
#define DEBTS_MOST ((size_t)500)
/* Failures after which a message whose rules fail is delivered by default. */
#define RULE_TRIES 3

struct engine {
    struct config *config;
    struct state *state;
    bool dry_run;
    bool delivers;    /* standard input */
    bool retries_now; /* what is put aside does not wait for its time */
    bool sweeps_now;  /* sweeps do not wait for theirs */
    size_t uses;      /* engine_hold; the last engine_release frees it */
    bool owns_config;
    bool is_stopping;
    struct engine_observer observer;
    struct engine_progress progress;
    struct places *places;
    bool owns_places;
    const struct undo_order *undo; /* what the run is for; NULL: a fetch */
    size_t house_octets, house_messages; /* now in the house */
    struct pr_event house_has_room;
    struct pr_sink *
        *open_sinks; /* owned array; the first `open_count` are open */
    size_t open_count;
};

/* As engine_new, for an engine that a daemon uses until it has another one: it
 * owns its configuration unless this fails, and shares its places. Held once.
 */
PR_CHECKED pr_status engine_new_for_daemon(
    struct config *config, struct state *state, struct places *places,
    const struct engine_observer *observer, struct engine **ret);
void engine_hold(struct engine *engine);
/* NULL is fine. The last one closes the sinks, so it may wait. */
void engine_release(struct engine *engine);
/* Does the account of `engine` read standard input? No daemon does. */
bool is_standard_input(const struct account *account);
/* PR_CONFIG with words. */
PR_CHECKED pr_status no_such_account(const struct config *config,
                                     const char *name);
/* Forgets history that is too old to be asked for; never fails. */
void engine_forget_history(struct state *state);

/* ---- A connection -------------------------------------------------------- */

struct account_run;
struct line;

/* The account's source, not open, for who changes nothing there; `log` is lent.
 */
struct pr_source source_to_look_at(const struct account *account,
                                   const struct pr_log *log);
/* Has the server of an open source labels of its own? */
bool source_has_labels(const struct pr_source *source);

/* What a line does while it is open. Anything but PR_OK: it is of no more use.
 */
typedef pr_status line_task(struct account_run *run, struct line *line);

/* A connection of an account. What it does runs in a fiber of its own, so that
 * it can be cut off alone. */
struct line {
    struct engine *engine; /* held while it is open: whose options it uses */
    const struct account *account; /* of that engine */
    struct pr_source source;
    struct place place;
    struct pr_scope scope;   /* its fiber */
    struct account_run *run; /* it took part in; NULL: none */
    line_task *task;
    struct session *session; /* NULL: none runs */
    bool is_open;
    bool is_running;   /* its fiber */
    bool is_watching;  /* that fiber watches, or did until now */
    void *owner;       /* the keeper's, while it watches */
    bool is_helper;    /* not needed when no folder is left */
    bool is_settling;  /* the server is at work on deeds, and may need long */
    bool is_hurried;   /* the network changed: it may be dead */
    bool has_slept;    /* with the machine: what it waits for is no more */
    bool is_cut_off;   /* made no step forward, or is to be made anew */
    bool thinks;       /* a sweep or a hook runs, and asks nothing of it */
    uint64_t messages; /* dealt with on it, ever */
    uint64_t steps;    /* forward, so far; any of them counts */
    uint64_t seen;     /* when the watchdog looked */
    pr_time seen_time; /* since when it has been so */
};

/* How long a connection has to prove itself after the network changed, ms. */
#define HURRY_MS ((uint64_t)10 * 1000)
/* How long a server may be at work on deeds at least, ms: what is cut off is
 * asked for again, and copies are made again. */
#define SETTLING_MS ((uint64_t)60 * 60 * 1000)

/* Opens the line if it is not, and runs `task` on it, in its fiber, until
 * account_join. */
PR_CHECKED pr_status line_start(struct account_run *run, struct line *line,
                                line_task *task);
/* Logs out if it can, and gives back what it holds. Fine if it is not open. */
void line_close(struct line *line);
/* Ends what it does, now. */
void line_cut_off(struct line *line);
/* What came of it, with words of its own if it was cut off. */
pr_status line_verdict(const struct line *line, pr_status status);
/* Cuts off the run's lines that got nowhere for too long. */
void lines_watch(struct account_run *run);

/* ---- An account ---------------------------------------------------------- */

struct account_run {
    struct engine *engine;
    const struct account *account;
    const char *name;           /* of the account; lent for the lines' life */
    const struct pr_log *log;   /* likewise */
    struct pr_journal *journal; /* owned; NULL in a dry run */
    struct pr_arena *arena;     /* of the run: folder names */
    const char **folders;       /* the queue */
    size_t folder_count, folder_next;
    const char **event_folders; /* of those, the ones that only hooks want */
    size_t event_folder_count;
    struct claimant *claimant; /* lent */
    struct line **lines;       /* lent array of line_count; NULL: not made */
    size_t line_count;
    size_t running;        /* lines */
    struct pr_event moves; /* one has ended */
    pr_status status;      /* of the first line */
    bool is_told;          /* what went wrong is logged */
    bool keeps_lines;      /* those that are fit stay open, parked */
    bool is_stopping;      /* this account only */
    bool retries_now;
    /* For a keeper; NULL slots: all folders that the source lists. */
    void *owner;
    pr_status (*choose)(struct account_run *run, struct line *line);
    const char *(*next_folder)(struct account_run *run, struct line *line);
    /* What is asked for besides a pass, before it. */
    pr_status (*before)(struct account_run *run, struct line *line);
    bool (*is_for_events)(const struct account_run *run, const char *folder);
    void (*folder_done)(struct account_run *run, struct line *line,
                        const char *folder, pr_status status,
                        uint64_t messages);
    const char *shortage;      /* why no further line came; NULL: none failed */
    enum pr_level short_level; /* at which that is told */
    struct silence *silences;  /* recover.c: sinks that cannot be asked; list */
    bool sweeps_now;           /* also those that are not due */
    uint64_t deleted;          /* on the server, because rules said so */
    struct account_report report;
    char error[PR_FAILURE_MAX];
};

/* Takes the account's lock. Waits. PR_BUSY. */
PR_CHECKED pr_status account_lock(struct account_run *run,
                                  struct state_lock **ret);
/* The journal and the arena; account_end undoes both, also after a failure. */
PR_CHECKED pr_status account_begin(struct account_run *run);
void account_end(struct account_run *run);
/* One pass with the first line: the folders that run->choose queues, by as many
 * lines as it takes. What went wrong is in the report. Waits. */
PR_CHECKED pr_status account_pass(struct account_run *run);
/* Waits until no line works any more, with an eye on whether they get on. */
PR_CHECKED pr_status account_join(struct account_run *run);
/* Lists the folders on the server into the queue. */
PR_CHECKED pr_status account_list(struct account_run *run, struct line *line);
PR_CHECKED pr_status account_queue(struct account_run *run, const char *folder);
/* Is the folder one that only hooks want, so that nothing is delivered from it?
 */
bool account_is_for_events(const struct account_run *run, const char *folder);
/* Works off what run->next_folder, or the queue, has for the line. */
PR_CHECKED pr_status account_work(struct account_run *run, struct line *line);

/* Runs the account to its end and fills run->report; never fails itself.
 * Engine, account, name and log must be set. */
void account_run(struct account_run *run);
/* Notes a failure in the report: the gravest stays. */
void account_note_failure(struct account_run *run, pr_status status);
/* A session found much to do while folders wait: may start another worker. */
void account_wants_help(struct account_run *run);
/* A line that was to help could not be opened: the last failure says why. No
 * other is started in this run. */
void account_note_shortage(struct account_run *run);
/* Is nothing more to be asked of the server? */
bool account_is_stopping(const struct account_run *run);

/* ---- One folder ---------------------------------------------------------- */

/* Where a listed message stands. */
enum fate {
    FATE_NEW,    /* listed */
    FATE_ASKED,  /* handed to the source */
    FATE_HERE,   /* in the house */
    FATE_DEALT,  /* noted in the state, or left without a need to be */
    FATE_DROPPED /* did not come this time; the next run lists it again */
};

struct suspect;

struct entry {
    struct pr_item item;
    enum fate fate;
    unsigned tries;      /* failures so far, from the state, */
    unsigned rule_tries; /* and those of its rules among them */
    enum pr_want want;   /* what was asked of the source at first */
    bool has_row; /* the state knows it: deliveries may be done already */
    struct suspect *suspect; /* its print may be that of a known one; or NULL */
    struct letter *letter;   /* while it comes in */
    struct letter *awaiting; /* has the header, and waits for more */
    struct entry *next_large; /* in session->large */
    pr_status trouble;        /* why it could not be fetched; PR_OK: it could */
    const char *trouble_text;
};

/* The messages of a folder in this run, by ascending UID. */
struct ledger {
    struct pr_arena *arena; /* lent */
    struct entry **entries;
    size_t count, allocated;
    size_t next;        /* the next to be asked for */
    size_t first_open;  /* all before it are FATE_DEALT */
    uint32_t next_uid;  /* the watermark once all are dealt with */
    uint32_t watermark; /* as in the state */
};

/* Appends a copy; *ret is lent. */
PR_CHECKED pr_status ledger_add(struct ledger *ledger,
                                const struct pr_item *item, struct entry **ret);
/* Messages that are not dealt with yet and may be in this run. */
size_t ledger_waiting(const struct ledger *ledger);
/* The watermark that holds now; only ever grows. */
uint32_t ledger_watermark(struct ledger *ledger);

/* A message of a source without UIDs, as it is listed in this session. */
struct listed {
    struct pr_item item;
    struct state_row *row;   /* NULL: not known */
    struct suspect *suspect; /* how it may still be found; NULL: it was */
    bool is_left;            /* cannot be told from a known one: not now */
};

struct session {
    struct account_run *run;
    struct line *line;
    struct engine *engine;
    const struct account *account;
    struct pr_source *source;
    const char *folder;
    struct pr_log log;
    struct pr_arena *arena;
    struct pr_mailbox mailbox;
    struct state_folder record;
    struct state_row *rows; /* of the state, at the start; by ascending UID */
    size_t row_count;
    bool has_uids;         /* of the source's own */
    bool is_for_events;    /* nothing is delivered from the folder */
    bool is_reconciling;   /* the rows are being read, or brought up to date */
    struct listed *listed; /* without UIDs: all there is, by ascending UID */
    size_t listed_count, listed_allocated;
    uint32_t next_uid;      /* without UIDs: for the next new message */
    struct lineup *lineup;  /* without UIDs: rows nobody has matched yet */
    struct pr_arena *slice; /* of the part of the folder that is worked on */
    struct ledger ledger;
    struct pr_feed feed;     /* found again with a cast in feed.c */
    struct pr_scope rules;   /* a fiber for each message */
    struct pr_scope batches; /* a fiber for each batch */
    size_t rules_running;
    size_t batches_running;
    struct batch *batch; /* being filled; NULL: none */
    struct pr_semaphore batch_places;
    struct debtor *debts; /* owed now, to be settled; list */
    size_t debt_count;
    bool is_paying; /* what was owed is asked for and noted */
    /* Large messages come as headers first; rules and plans then ask for more
     * of those that are needed. */
    bool has_rules;                   /* that take messages of this folder */
    struct entry *large, **large_end; /* those whose header is still to be
                                         asked for, in order; list */
    size_t large_count;
    size_t header_burst;  /* of them, to be asked for now */
    struct letter *asks;  /* what rules wait for, not yet asked for; list */
    struct letter *group; /* those of one kind that are asked for next; list */
    size_t ask_count;     /* in `asks` */
    size_t stages_coming; /* headers and structures on their way: what they
                             tell may make rules ask for more */
    bool looks_at_parts;  /* rules did so in this folder */
    size_t undecided;     /* headers whose rules may still ask */
    size_t more_waits;    /* rules that wait for more */
    bool is_feed_over;    /* nothing more comes in */
    struct pr_event feed_moves;
    size_t in_house; /* messages of this session */
    bool waits_for_room;
    const struct pr_spool *incoming; /* what comes in just now; or NULL */
    struct entry *cut;  /* what was coming in when the line broke; NULL: none */
    uint64_t asked;     /* messages asked for in this run */
    uint64_t deletions; /* that rules want, in a dry run */
    pr_status failure;  /* the first that ended the session's work */
    char failure_text[PR_FAILURE_MAX];
};

/* Runs one folder. PR_GONE: it is not there. Other failures: the source is of
 * no more use. */
PR_CHECKED pr_status session_run(struct account_run *run, struct line *line,
                                 const char *folder);
/* The same with other work on the folder, which is not selected yet. */
PR_CHECKED pr_status
session_on(struct account_run *run, struct line *line, const char *folder,
           pr_status (*work)(struct session *session, void *user), void *user);
/* The source got on. */
void session_step(struct session *session);
/* So much was dealt with, or came, in its folder: for who looks at
 * engine_progress. */
void session_progress(struct session *session, uint64_t messages,
                      uint64_t octets);
/* "INBOX" in any case is one name (RFC 3501, 5.1). */
const char *folder_name(const char *name);
/* Notes a failure that ends this session's work, for when its fibers join. */
void session_fail(struct session *session, pr_status status);

/* Is this known message to be tried (again) now? */
bool session_tries_again(const struct session *session,
                         const struct state_row *row);
/* Is that message being tried again just now, or about to be? Then nobody else
 * may decide about it. */
bool session_has_in_hand(const struct session *session, uint32_t uid);
/* Takes a listed message into the ledger unless it is dealt with: a
 * pr_item_listed over the session. */
pr_status session_note_item(void *user, const struct pr_item *item);
/* What the server lists no more need not be remembered; what is over the size
 * limit is noted, so that the watermark can pass it. */
PR_CHECKED pr_status session_note_listing(struct session *session,
                                          const struct pr_range *retries,
                                          size_t count);
/* Lists UIDs first..last, and before them `retries`, into the ledger. */
PR_CHECKED pr_status session_list(struct session *session,
                                  const struct pr_range *retries, size_t count,
                                  uint32_t first, uint32_t last);
/* Fetches what the ledger holds and settles what comes of it. */
PR_CHECKED pr_status session_fetch(struct session *session);

/* The feed over a session's ledger. */
void feed_init(struct session *session);
/* Nothing is in it: before each slice. */
void feed_reset(struct session *session);
/* Nothing more comes in: who waits for a message is told. */
void feed_end_waits(struct session *session);
/* Are there messages that were not asked for yet? */
bool feed_has_more(const struct session *session);

/* message->fetch of a letter: in a fiber of its rules. */
pr_status more_fetch(struct message *message, enum pr_want want,
                     const char *part, uint64_t most);
/* The next request for more of a letter; false: none now. `wait`: there is
 * nothing else to do. May let other fibers run. */
bool more_take(struct session *session, bool wait, struct pr_request *ret);
/* The feed's begin, structure and end of such a request. */
PR_CHECKED pr_status more_begin(struct session *session, struct entry *entry,
                                enum pr_want want, size_t room,
                                struct pr_spool **ret);
void more_end(struct session *session, struct entry *entry, pr_status result);
/* Waits for room in the house. `messages`: 1 for one that comes in, 0 for more
 * of one that is here. */
PR_CHECKED pr_status feed_wait_for_room(struct session *session,
                                        size_t messages, size_t octets);
/* The message did not come; pr_fail() has said why. */
void feed_note_trouble(struct session *session, struct entry *entry,
                       pr_status status);

/* ---- One message --------------------------------------------------------- */

/* More of a message whose header is here. */
struct ask {
    enum pr_want want;
    const char *part; /* its number; in the slice's arena */
    uint64_t most;    /* octets of it; 0: all */
    bool is_open;     /* not answered yet */
    pr_status result;
    struct pr_spool *spool; /* owned: while it comes in */
};

/* How this try at one target went. */
struct target_try {
    bool was_there;                     /* an earlier try had delivered it */
    const struct pr_delivery *delivery; /* that was staged; NULL: none */
    pr_status result;  /* of staging it, then of that delivery */
    const char *words; /* why it is not PR_OK */
};

/* A message with what is to be done with it. */
struct letter {
    struct letter *next;
    struct session *session;
    struct entry *entry;
    struct message *message; /* owned */
    size_t room;             /* octets it holds of the house */
    bool is_undecided;       /* counted in session->undecided */
    struct ask ask;          /* what more of it its rules wait for */
    struct letter *next_ask;
    pr_status fetch_result; /* why more of it did not come */
    /* the decision */
    const struct plan_entry *final; /* NULL: default delivery */
    struct target *targets;
    size_t target_count;
    const struct reply *reply;    /* what a rule answers; NULL: nothing */
    size_t reply_target;          /* which of `targets` it is */
    struct pr_spool *reply_spool; /* owned: the answer */
    struct pr_flags flags;        /* of the delivered copies */
    struct state_row row;         /* with its debt */
    bool is_known;                /* it was dealt with in an earlier run */
    bool is_put_off;              /* m:defer: row.due says until when */
    const char *trouble;          /* why it is put off; NULL: none */
    bool is_rule_failure;         /* trouble is a rule's, and logged */
    bool is_trouble_final;        /* a sink refused it for good */
    struct pr_spool *edited; /* owned; what is delivered if headers change */
    struct target_try *target_tries; /* beside targets; NULL: none was */
    struct pr_delivery *deliveries;  /* one for each target that was staged */
    struct pr_sink **sinks;          /* beside deliveries */
    size_t delivery_count;
    char key[33];
};

/* Is that target, one of the letter's, the answer to it? */
bool letter_is_reply(const struct letter *letter, const struct target *target);
void letter_free(struct letter *letter); /* gives its room back; NULL is fine */

/* Runs the rules and fills the decision. PR_CANCELLED; other trouble is in the
 * letter. */
PR_CHECKED pr_status decide(struct letter *letter);

/* A letter is decided: takes it into the session's batch, and sends that off
 * when it is full. Waits while too many are on their way. */
void batch_take(struct session *session, struct letter *letter);
/* Sends off what has been collected. */
void batch_flush(struct session *session);

/* ---- After a crash, after a change of the server ---------------------------
 */

/* A message whose server part is owed. */
struct debtor {
    struct debtor *next;
    struct pr_item item;
    struct state_debt debt;
    bool has_failed; /* the server did not do some of it */
};

/* Is there anything in it? */
bool is_owing(const struct state_debt *debt);
/* Is there anything in it that is to be done by then? */
bool is_owing_at(const struct state_debt *debt, int64_t now);
/* Copies and queues; what is owed by a slice is to be paid before it ends. */
PR_CHECKED pr_status session_owe(struct session *session,
                                 const struct pr_item *item,
                                 const struct state_debt *debt);
/* Has the server do the deeds: the source's settle, without hurry. */
PR_CHECKED pr_status session_ask(struct session *session, struct pr_deed *deeds,
                                 size_t count);
/* Pays what is owed now. Failures of single messages stay owed. */
PR_CHECKED pr_status session_settle(struct session *session);

/* May a run delete so many messages of a folder because rules say so? `count`
 * of the `exists` messages that the folder had when it was selected, `before`:
 * what the run has deleted of the account's other folders. */
bool deletions_are_allowed(const struct account *account, uint64_t count,
                           uint64_t before, uint64_t exists);
/* All that rules want of the folder is known: deletions that are counted
 * (debt.guard) are made if the limit allows them, else all of them are held. To
 * have a deletion judged, note a row of stage OWED whose debt.guard is
 * GUARD_COUNTED, with state_safe; do not call session_owe for it. */
PR_CHECKED pr_status session_judge(struct session *session);

/* Looks at the rows of INTENT: those that happened become OWED or SETTLED, in
 * the state and in `rows`. */
PR_CHECKED pr_status recover_intents(struct session *session,
                                     struct state_row *rows, size_t count);

/* A message that may be one the state knows. */
struct suspect {
    struct pr_item item; /* its texts are in the lineup's arena */
    uint64_t size;       /* what the row would have */
    bool is_wanted;      /* its header is fetched in any case */
    bool has_print;
    unsigned char print[STATE_PRINT_SIZE];
    pr_status trouble;      /* of fetching its header */
    struct pr_spool *spool; /* its header, while it comes */
    struct state_row *row;  /* it is that; NULL: none, or not known yet */
};

/* Messages beside the rows they may belong to; zeroed but for session and
 * arena, which are lent. */
struct lineup {
    struct pr_feed feed; /* first: found again with a cast */
    struct session *session;
    struct pr_arena *arena;
    struct state_row *rows; /* lent; sorted by size, then print */
    size_t row_count;
    bool *is_taken; /* beside rows */
    struct suspect **suspects;
    size_t count, allocated, next;
    bool takes_at_once;   /* rows, as headers come: no header is fetched for a
                             row that is taken */
    struct suspect *only; /* the one whose header is fetched now; NULL: all */
};

/* The rows they may belong to; sorts and keeps them. */
PR_CHECKED pr_status lineup_rows(struct lineup *lineup, struct state_row *rows,
                                 size_t count);
PR_CHECKED pr_status lineup_add(struct lineup *lineup,
                                const struct pr_item *item,
                                struct suspect **ret);
/* Fetches the headers that are needed; a suspect's trouble is its own. */
PR_CHECKED pr_status lineup_look(struct lineup *lineup);
/* The row that the suspect's print belongs to, for no other from now on; NULL:
 * it is a message the state does not know. */
struct state_row *lineup_take(struct lineup *lineup,
                              const struct suspect *suspect);
/* A row of that size that is not taken; NULL: none. */
struct state_row *lineup_of_size(const struct lineup *lineup,
                                 const struct suspect *suspect);
/* The message is that row, for no other from now on. */
void lineup_match(struct lineup *lineup, struct suspect *suspect,
                  struct state_row *row);
/* Fetches the header of one, which is among them. */
PR_CHECKED pr_status lineup_look_at(struct lineup *lineup,
                                    struct suspect *suspect);
/* Was the row's message away when it was last looked for? */
bool row_was_away(const struct state_row *row);
bool row_has_print(const struct state_row *row);
/* Matches the messages that LAST vouches for, if the header of one of them
 * proves that it may. The messages are listed, the rows lined up. */
PR_CHECKED pr_status believe_last(struct session *session,
                                  struct lineup *lineup);

/* For a source without UIDs: lists the folder, finds out which messages are
 * known, gives UIDs to the others. Fills session->listed, and session->rows
 * with the rows of those; notes what changed. */
PR_CHECKED pr_status identify(struct session *session);
/* For who only looks at such a source: each of the items, all of a folder as
 * listed, gets the UID that the state has for its name, or, if the name is new,
 * the one that the next pass would give it; 0 where only the header could tell.
 * `state` NULL: there is none yet. Nothing is noted. Waits. */
PR_CHECKED pr_status identify_by_name(struct state *state, const char *account,
                                      const char *folder,
                                      struct pr_arena *arena,
                                      struct pr_item *const *items,
                                      size_t count);
/* The listed message of that UID; NULL: it is not there. */
struct listed *session_listed(const struct session *session, uint32_t uid);
/* A message whose header could not be had is here: is it one that is known? */
bool is_known_after_all(struct session *session, struct entry *entry,
                        const unsigned char print[STATE_PRINT_SIZE]);

/* Undoes what `order` says of the run's account, and tells the observer. Not
 * PR_OK: the line is of no more use. */
PR_CHECKED pr_status undo_run(struct account_run *run, struct line *line,
                              const struct undo_order *order,
                              const struct engine_observer *observer);
/* The folder is selected, session->record is read: messages that an undo moved
 * back to it before the state could note where they are. *ret: how many were
 * found; they are then known. Undoes that did not happen are no longer under
 * way. The observer may be NULL. */
PR_CHECKED pr_status undo_recover(struct session *session,
                                  const struct engine_observer *observer,
                                  size_t *ret);

/* The folder has a new UIDVALIDITY: finds known messages again by size and
 * header, and notes the new validity. */
PR_CHECKED pr_status rematch(struct session *session);

/* Tells the hooks what other programs did in the folder since the last visit.
 * What fails is told again at the next. */
PR_CHECKED pr_status session_tell_events(struct session *session);
struct state_sighting;
/* The server did what `deed` says: noted, so that it can be undone or at least
 * told of. `known`: what is known of the message, NULL: what the state knows.
 */
void session_note_deed(struct session *session, struct state_changes *changes,
                       const struct pr_deed *deed,
                       const struct state_sighting *known);
/* The server did of a debt what `deed` says: hooks are not to take that for
 * another's doing. */
void session_note_own(struct session *session, struct state_changes *changes,
                      const struct pr_deed *deed);

/* The sink of that name, NULL if the configuration has it no more. */
struct pr_sink *engine_sink(const struct engine *engine, const char *name);

/* ---- Words ----------------------------------------------------------------
 */

/* Tells the observer, and the history if `changes` is not NULL. `outcome`:
 * "done", "later", "failed", "planned". */
void report_letter(struct letter *letter, struct state_changes *changes,
                   const char *outcome);

#endif
