/*
 * One IMAP session: its state, and the commands in flight.
 *
 * Whatever breaks the line (a failure of the stream, a breach of the protocol,
 * a cancelled wait) makes the session broken: every later call fails with the
 * same words, and only close is of use. What a server says no to breaks
 * nothing.
 */
#ifndef IMAP_IMAP_H
#define IMAP_IMAP_H

#include <postrider/plugin.h>

#include "capability.h"
#include "response.h"
#include "uidset.h"
#include "watch.h"

/* A plain answer to SEARCH names each message, in one response that has a cap
 * (IMAP_RESPONSE_CAP): no more than so many messages are searched for at once.
 */
#define IMAP_SEARCH_MOST 90000u

struct imap_options {
    struct pr_net_options net;
    bool id;
    int64_t window;         /* messages asked for in one command */
    uint64_t window_octets; /* and their octets */
    uint64_t idle_renew;    /* ms */
    uint64_t final_timeout; /* ms */
};

/* A command in flight. Lives with its caller until it is done or the session is
 * broken. */
struct imap_command {
    struct imap_command *next;
    const char *name; /* for people */
    char tag[12];
    bool is_done;
    enum imap_condition condition; /* OK, NO or BAD, once done */
    enum imap_code code;
    uint32_t uidvalidity; /* of the code APPENDUID */
    struct pr_range uids; /* and its UIDs, if they are one run; first 0: not
                             told */
    char text[200];       /* the server's words */
};

/* Gets every untagged response but bodies while an operation runs, and tagged
 * ones with the code COPYUID. What it returns breaks the session. */
typedef pr_status imap_untagged(void *user, const struct imap_response *told);

/* The selected folder. */
struct imap_folder {
    struct pr_arena *arena; /* what lasts as long as the selection; NULL: none
                               is selected */
    uint32_t uidvalidity, uidnext; /* 0: not known (any more) */
    uint64_t modseq;
    uint32_t exists;
    bool read_only;
};

/* What a session is to be; all lent for its life. */
struct imap_setup {
    const struct pr_net_options *net;
    const struct pr_log *log;
    bool id;           /* tells the server who we are (RFC 2971) */
    bool read_only;    /* folders are examined, never selected */
    bool plain;        /* UTF8=ACCEPT only where the server insists on it */
    bool qresync;      /* enables QRESYNC: VANISHED comes instead of EXPUNGE */
    uint64_t final_ms; /* see imap_be_patient() */
    uint64_t renew_ms; /* what waits for news is begun anew; 0: 29 min */
};

struct imap {
    struct imap_setup setup;
    const struct pr_log *log;
    struct pr_arena *arena; /* what lasts as long as the session */
    struct pr_stream *stream;
    struct imap_reader reader;
    struct imap_response response;

    unsigned capabilities; /* of enum imap_capability, without `disabled` */
    unsigned disabled;
    uint64_t append_limit; /* octets of a message, for all folders; 0: not told
                            */
    bool knows_capabilities;
    bool is_preauthenticated;
    bool utf8;          /* names are UTF-8 on the wire */
    bool qresync;       /* it was enabled (RFC 7162, 3.2.3) */
    bool is_leaving;    /* LOGOUT was sent: BYE is no failure */
    bool may_continue;  /* "+" is waited for */
    bool was_continued; /* and came */
    bool needs_flush;
    bool warned_of_deleted;
    struct pr_failure broken; /* PR_OK: the line stands */

    unsigned last_tag;
    struct imap_command *in_flight;
    uint64_t responses;     /* since a command was last done */
    struct pr_buffer trace; /* the command so far, for the log */
    imap_untagged *untagged;
    const struct imap_receiver *receiver;
    void *user;

    /* sent after login */
    struct imap_command enable, enable_qresync, id, namespaces;
    struct imap_raw_name *raw_names;
    struct imap_folder folder;
    struct imap_watching watching;
    struct imap_command idle, noop; /* their names NULL: there was none */
    struct imap_command left;       /* likewise: STATUS of a folder */
};

/* ---- command.c: sending commands, reading answers. All may wait. -------- */

/* Puts a command together: begin, then text, numbers and strings, then end.
 * Nothing is sent before somebody waits for an answer. `name` is lent. */
PR_CHECKED pr_status imap_begin(struct imap *imap, struct imap_command *command,
                                const char *name);
PR_CHECKED pr_status imap_put(struct imap *imap, const char *text);
PR_CHECKED pr_status imap_put_bytes(struct imap *imap, struct pr_bytes text);
/* As imap_put_bytes; never shown in the log. */
PR_CHECKED pr_status imap_put_secret(struct imap *imap, struct pr_bytes text);
/* A quoted string or a literal. `is_secret`: never shown in the log. When the
 * server refuses the literal, the command is done and PR_REFUSED is returned;
 * nothing more of it may be put. PR_CONFIG for what no command may carry. */
PR_CHECKED pr_status imap_put_string(struct imap *imap,
                                     struct imap_command *command,
                                     struct pr_bytes text, bool is_secret);
/* Announces a literal of `size` octets, which are to be put next; as
 * imap_put_string, waits and may be refused. With `holds_nul` it is a literal8
 * (RFC 3516, 4.4). */
PR_CHECKED pr_status imap_put_literal(struct imap *imap,
                                      struct imap_command *command,
                                      uint64_t size, bool holds_nul);
/* Octets of a literal: none of the log's business. */
PR_CHECKED pr_status imap_put_octets(struct imap *imap, struct pr_bytes octets);
PR_CHECKED pr_status imap_end(struct imap *imap);

/* begin, text, end. */
PR_CHECKED pr_status imap_send(struct imap *imap, struct imap_command *command,
                               const char *name, const char *text);

/* Sends what was put and reads one response, which goes to its command, to the
 * session's state and to the listener. */
PR_CHECKED pr_status imap_step(struct imap *imap);
/* Sends what was put. */
PR_CHECKED pr_status imap_flush(struct imap *imap);
/* Steps until `command` is done. PR_OK whatever the server thinks of it. */
PR_CHECKED pr_status imap_await(struct imap *imap,
                                const struct imap_command *command);
/* Steps until the server asks for more of `command`, or is done with it. */
PR_CHECKED pr_status imap_await_continue(struct imap *imap,
                                         const struct imap_command *command);
/* From now on the server may be silent for `final_ms` (0: for ever) where that
 * is longer than the timeout, or, with false, for the timeout again: for work
 * that may take it long, and would be done twice if it was asked for again. */
void imap_be_patient(struct imap *imap, bool is_patient);
/* From now on untagged responses and bodies go there; NULLs: nowhere. */
void imap_listen(struct imap *imap, imap_untagged *untagged,
                 const struct imap_receiver *receiver, void *user);

/* PR_OK for OK. Else the failure in words: by the response code, else `on_no`
 * for NO and PR_PROTOCOL for BAD. */
pr_status imap_verdict(const struct imap_command *command, pr_status on_no);

/* Marks the session broken by the last failure, which was `status`; returns
 * it. */
pr_status imap_break(struct imap *imap, pr_status status);
/* The failure that broke the session, or PR_OK. */
PR_CHECKED pr_status imap_check(const struct imap *imap);

/* ---- session.c, auth.c -------------------------------------------------- */

/* A session without a line. */
PR_CHECKED pr_status imap_new(const struct imap_setup *setup,
                              struct imap **ret);
/* Connects, protects the line, logs in. */
PR_CHECKED pr_status imap_connect(struct imap *imap);
/* Logs out if the line still stands, closes it. NULL is fine. */
void imap_free(struct imap *imap);
/* Asks for the capabilities if they are not known. */
PR_CHECKED pr_status imap_learn_capabilities(struct imap *imap);
/* Takes those of a response or a code CAPABILITY, without `disabled`. */
void imap_note_capabilities(struct imap *imap,
                            const struct imap_response *told);
bool imap_can(const struct imap *imap, enum imap_capability what);
PR_CHECKED pr_status imap_authenticate(struct imap *imap);

/* ---- name.c: folders' names --------------------------------------------- */

/* A name from the wire to UTF-8, into the session's arena. Names that cannot be
 * decoded are shown raw. *ret NULL: one that nobody may use (control
 * characters, not UTF-8, over 1000 octets), already warned of. */
PR_CHECKED pr_status imap_name_read(struct imap *imap, struct pr_bytes wire,
                                    const char **ret);
/* Puts a name (or pattern) from UTF-8 on the wire. As imap_put_string. */
PR_CHECKED pr_status imap_put_name(struct imap *imap,
                                   struct imap_command *command,
                                   const char *name);
/* "INBOX" in any case is one name (RFC 3501, 5.1). */
bool imap_is_inbox(const char *name);
/* Waits until it is known how `name` must be written; to be called before
 * imap_begin. PR_CONFIG for a name that cannot be. */
PR_CHECKED pr_status imap_name_prepare(struct imap *imap, const char *name);
/* Is it the same in both encodings? */
bool imap_name_is_plain(const char *name);
/* Does `name` match `pattern` ("*" any, "%" any but the separator)? */
bool imap_name_matches(const char *pattern, const char *name, char separator);

/* ---- select.c, session.c, create.c: one folder ------------------------- */

/* SELECT, or EXAMINE if the session is read-only. PR_GONE if it is not there.
 */
PR_CHECKED pr_status imap_select(struct imap *imap, const char *name,
                                 struct pr_mailbox *ret);
/* The same for the source's own use: where the folder stands is noted. */
PR_CHECKED pr_status imap_select_folder(struct imap *imap, const char *name,
                                        struct pr_mailbox *ret);
bool imap_is_selected(struct imap *imap, const char *name);
/* As the operation glance. */
PR_CHECKED pr_status imap_glance(struct imap *imap, const char *const *folders,
                                 pr_glanced *glanced, void *user);
/* Asks how a folder stands that is not selected; the answer is not waited for,
 * and heard by whoever listens. As imap_put_string, may be refused. */
PR_CHECKED pr_status imap_send_status(struct imap *imap,
                                      struct imap_command *command,
                                      const char *name);
/* Forgets the selected folder. */
void imap_unselect(struct imap *imap);
/* CREATE. PR_OK too if the server refuses, which the log tells: the next
 * command that needs the folder says why. */
PR_CHECKED pr_status imap_create(struct imap *imap, const char *name);

/* ---- labels.c: X-GM-LABELS --------------------------------------------- */

/* Appends one as a command carries it, without quotes. */
PR_CHECKED pr_status imap_label_encode(const struct imap *imap,
                                       struct pr_bytes label,
                                       struct pr_buffer *ret);
/* Appends labels (pr_item.labels) as a list of STORE has them, without its
 * parentheses. PR_CONFIG for one that no command may carry. */
PR_CHECKED pr_status imap_labels_format(const struct imap *imap,
                                        const char *labels,
                                        struct pr_buffer *ret);
/* Appends labels as they came, LF between, as pr_item.labels has them. */
PR_CHECKED pr_status imap_labels_decode(const struct imap *imap,
                                        const char *wire,
                                        struct pr_buffer *ret);

/* ---- the operations (plugin.h: struct pr_source_ops) -------------------- */

pr_status imap_op_open(struct pr_source *source);
pr_status imap_op_folders(struct pr_source *source, const char *const *patterns,
                          pr_folder_found *tell, void *user);
pr_status imap_op_select(struct pr_source *source, const char *name,
                         struct pr_mailbox *ret);
pr_status imap_op_list(struct pr_source *source, const struct pr_range *ranges,
                       size_t count, pr_item_listed *listed, void *user);
pr_status imap_op_fetch(struct pr_source *source, struct pr_feed *feed);
pr_status imap_op_settle(struct pr_source *source, struct pr_deed *deeds,
                         size_t count);
pr_status imap_op_changes(struct pr_source *source, uint64_t modseq,
                          const struct pr_range *known, size_t count,
                          pr_changed *changed, void *user,
                          uint64_t *ret_modseq);
size_t imap_op_watches(const struct pr_source *source,
                       const char *const *folders);
pr_status imap_op_watch(struct pr_source *source, const struct pr_watch *watch);
void imap_op_probe(struct pr_source *source, uint64_t ms);
pr_status imap_op_glance(struct pr_source *source, const char *const *folders,
                         pr_glanced *glanced, void *user);
pr_status imap_op_search(struct pr_source *source,
                         const struct pr_search_key *keys, size_t count,
                         pr_found *found, void *user);
pr_status imap_op_manage(struct pr_source *source, enum pr_folder_change change,
                         const char *folder, const char *to);
bool imap_op_has_labels(const struct pr_source *source);
void imap_op_close(struct pr_source *source);

#endif
