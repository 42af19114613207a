/*
 * What a plugin is: one constant descriptor with the classes it brings.
 *
 * The loader looks at `abi` and `size` before it runs any of the plugin's code.
 * Tables only ever grow at their end; the core reads a slot only if `size`
 * covers it. Plugins are never unloaded while the program runs, and can also be
 * linked in statically.
 *
 * The operations are plain functions that run in a fiber and may wait. They
 * return a pr_status after pr_fail() has recorded the words.
 */
#ifndef POSTRIDER_PLUGIN_H
#define POSTRIDER_PLUGIN_H

#include <postrider/buffer.h>
#include <postrider/fiber.h>
#include <postrider/log.h>
#include <postrider/message.h>
#include <postrider/option.h>
#include <postrider/service.h>
#include <postrider/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PR_ABI 1u

/* ---- Sources ----------------------------------------------------------- */

/* One session with a server. It has at most one folder selected. The core calls
 * one operation at a time. */
struct pr_source {
    const struct pr_class *class;
    const void *options; /* the class's options struct, filled */
    const struct pr_log *log;
    const char *account;
    bool read_only; /* nothing on the server may change */
    void *state;    /* the plugin's own; freed in close */
    /* pr_source_ops.changes will be called: the protocol may have to be told
     * before the first folder is selected. */
    bool wants_changes;
};

/* A folder's name as users write it: UTF-8, the server's own hierarchy
 * separator. */
typedef pr_status pr_folder_found(void *user, const char *name);

/* Does `name` match one of `patterns`, as pr_source_ops.folders has them? For a
 * source that knows all of its folders' names. */
PR_API bool pr_folder_matches(const char *const *patterns, const char *name,
                              char separator);

/* The folders of a source that finds them by walking through directories, "/"
 * between the parts of a name. Zeroed but for the arena, which is the caller's:
 * then pr_folder_list_add for each, at most PR_FOLDERS_MAX (PR_LIMIT), in a job
 * of the pool if need be; pr_folder_list_tell tells those that match, INBOX
 * first and the others in order of their names; pr_folder_list_done at the end,
 * whatever came before. */
#define PR_FOLDERS_MAX 100000u

struct pr_folder_list {
    struct pr_arena *arena;
    struct pr_buffer names; /* of const char * */
};

PR_API PR_CHECKED pr_status pr_folder_list_add(struct pr_folder_list *list,
                                               const char *name);
PR_API PR_CHECKED pr_status pr_folder_list_tell(struct pr_folder_list *list,
                                                const char *const *patterns,
                                                pr_folder_found *found,
                                                void *user);
PR_API void pr_folder_list_done(struct pr_folder_list *list);

/* May each part of `folder`, "/" between them, be the name of a file that is
 * not hidden, of at most `part_max` octets? PR_REFUSED with words. For what
 * makes files of names that come from rules, and so from mail. */
PR_API PR_CHECKED pr_status pr_folder_check(const char *folder,
                                            size_t part_max);

/* What select tells about a folder. */
struct pr_mailbox {
    uint32_t uidvalidity; /* 0: the source has no UIDs: see pr_item.number */
    uint32_t uidnext;     /* 0: not told */
    uint64_t modseq;      /* HIGHESTMODSEQ; 0: not told */
    uint32_t exists;      /* messages in it */
    bool read_only;
    bool has_no_headers; /* a header costs as much as the whole message */
};

/* UIDs first..last, both in it; last UINT32_MAX: to the end. */
struct pr_range {
    uint32_t first, last;
};

typedef pr_status pr_item_listed(void *user, const struct pr_item *item);

enum pr_want {
    PR_WANT_HEADER = 1, /* the header, with the empty line at its end */
    PR_WANT_ALL = 2,    /* the whole message */
    /* Asked only of a source whose `wants` has them: */
    PR_WANT_STRUCTURE = 4, /* which parts it has, told to structure() */
    PR_WANT_PART = 8,      /* the content of one part, as it is encoded */
    PR_WANT_OUTLINE = PR_WANT_HEADER | PR_WANT_STRUCTURE
};

struct pr_request {
    struct pr_item *item; /* lent until end() */
    enum pr_want want;
    const char *part; /* PR_WANT_PART: its number (RFC 3501, 6.4.5), such as
                         "1.2" or "2.TEXT"; lent until end() */
    uint64_t most;    /* PR_WANT_PART: octets of its beginning; 0: all */
};

/* A part of a message as the server tells it (RFC 3501, 7.4.2). */
struct pr_part {
    unsigned depth;    /* 0: the message's own; in a multipart, or a message
                          that is a part, one more than that */
    bool is_multipart; /* what is in it follows, one deeper */
    uint64_t size;     /* octets of its content as encoded, lines ended by CRLF;
                          0 for a multipart */
    struct pr_bytes fields; /* its Content-Type, Content-Disposition and so on,
                               as a header has them (RFC 2045), lines ended by
                               LF, so that they are read by the same rules as
                               those of a message that is here */
};

/* The core's side of a fetch: the source pulls requests from it, as many as it
 * keeps in flight, and pushes what comes back. */
struct pr_feed {
    const struct pr_feed_ops *ops;
};

struct pr_feed_ops {
    uint32_t size;
    /* The next request. PR_EOF: there will be none. With `wait` false, PR_OK
     * with ret->item NULL: none now, ask again when something has come back. */
    pr_status (*next)(struct pr_feed *feed, bool wait, struct pr_request *ret);
    /* The octets of `item` begin: where they go. Waits until there is room in
     * the house. `octets` is what the literal announces. PR_LIMIT: not wanted
     * after all; read past it and call end(PR_LIMIT). */
    pr_status (*begin)(struct pr_feed *feed, struct pr_item *item,
                       enum pr_want want, uint64_t octets,
                       struct pr_spool **ret);
    /* All of `item` is there (PR_OK), or it will not come: PR_GONE if it
     * vanished, else what went wrong with it. Exactly once for each request
     * taken, also when fetch itself fails. May wait. */
    void (*end)(struct pr_feed *feed, struct pr_item *item, pr_status result);
    /* The parts of `item`, for PR_WANT_STRUCTURE: in the order of the message,
     * multiparts before what is in them; lent for the call. Before end(). A
     * source that cannot make sense of what the server tells does not call it
     * and ends with PR_UNSUPPORTED (with PR_OK if the header came): the parts
     * are then read from the whole message. `octets`: what it took on the wire.
     * May wait. */
    pr_status (*structure)(struct pr_feed *feed, struct pr_item *item,
                           const struct pr_part *parts, size_t count,
                           uint64_t octets);
};

/* What the server is to do with a message that is safe here. Done in this
 * order: flags, copy, then move or delete. */
struct pr_deed {
    const struct pr_item *item;
    struct pr_flags set, clear;
    const char *copy_to; /* NULL: no */
    const char *move_to; /* NULL: no */
    bool remove;         /* for good */
    pr_status result;    /* of settle, for this deed */
    /* Told by settle for copy_to or move_to: where the message is now (RFC
     * 4315, 3: COPYUID); 0: the server does not say. Zero before. */
    uint32_t target_validity, target_uid;
    const char *label, *unlabel; /* as pr_item.labels; NULL: none. Done with the
                                    flags */
};

/* What a source's messages cannot have done to them. */
enum pr_lack {
    PR_LACKS_FLAGS = 1,   /* set and clear of a deed */
    PR_LACKS_FOLDERS = 2, /* copy_to and move_to */
    PR_LACKS_STAY = 4     /* it is there in one session only (standard input) */
};

/* What there is to hear of a folder that is watched. */
enum pr_news {
    PR_NEWS_MESSAGES = 1, /* there may be new ones */
    PR_NEWS_FLAGS = 2,    /* flags have changed */
    PR_NEWS_VANISHED = 4, /* messages are gone */
    PR_NEWS_FOLDER = 8    /* it was made, renamed, deleted or numbered anew */
};

/* What is watched, and for how long. All lent for the call. */
struct pr_watch {
    /* By importance, ended by NULL. With several, the connection need not have
     * one selected. */
    const char *const *folders;
    unsigned wanted;   /* of enum pr_news */
    pr_time deadline;  /* it ends by then, with or without news */
    uint64_t renew_ms; /* IDLE is renewed so often (RFC 2177: every 29 min) */
    uint64_t probe_ms; /* a line silent so long is proved to be alive; 0: only
                          when pr_source_ops.probe says so */
    /* There is news of a folder; does not wait. */
    void (*news)(void *user, const char *folder, unsigned what);
    void *user;
};

/* Where a folder stands, told without selecting it. */
struct pr_glance {
    const char *folder;
    bool is_there;
    uint32_t uidvalidity, uidnext; /* 0: not told */
    uint32_t exists;
    uint64_t modseq;
};

typedef pr_status pr_glanced(void *user, const struct pr_glance *glance);

/* A change of a message in the selected folder. */
struct pr_change {
    uint32_t uid;
    bool is_gone; /* else its flags are now these */
    struct pr_flags flags;
    uint64_t modseq; /* of the change; 0: not told */
};

typedef pr_status pr_changed(void *user, const struct pr_change *change);

/* What a key of a search looks at. */
enum pr_search_by {
    PR_SEARCH_ALL = 1,
    PR_SEARCH_BEFORE, /* received before `time` */
    PR_SEARCH_SINCE,
    PR_SEARCH_SENT_BEFORE, /* the same of its Date field */
    PR_SEARCH_SENT_SINCE,
    PR_SEARCH_FROM, /* `text` is in it, whatever the case */
    PR_SEARCH_TO,
    PR_SEARCH_CC,
    PR_SEARCH_BCC,
    PR_SEARCH_SUBJECT,
    PR_SEARCH_BODY,
    PR_SEARCH_TEXT,   /* header or body */
    PR_SEARCH_HEADER, /* the field `name`; `text` "": it is there */
    PR_SEARCH_LARGER, /* than `octets` */
    PR_SEARCH_SMALLER,
    PR_SEARCH_FLAG,    /* it has `flag`, an enum pr_flag */
    PR_SEARCH_KEYWORD, /* `text` */
    PR_SEARCH_LABEL,   /* `text`: a label of the server's own, else a keyword */
    PR_SEARCH_UIDS,    /* one of `uids` */
    PR_SEARCH_GMAIL,   /* `text` in the words of X-GM-RAW */
    PR_SEARCH_RAW      /* `text` in the protocol's own words: one line of ASCII
                        */
};

/* A key of a search. All lent. */
struct pr_search_key {
    enum pr_search_by by;
    bool is_not;   /* holds for what it is not true of */
    bool or_next;  /* this one or the next: one of such a row is enough */
    bool is_exact; /* BEFORE and SINCE: to the second, where the server can;
                      else, and without it, by the days of UTC */
    const char *text, *name; /* UTF-8, without NUL, CR and LF */
    uint64_t octets;
    int64_t time; /* seconds since 1970 */
    unsigned flag;
    const struct pr_range *uids;
    size_t uid_count;
};

/* Messages that a search found; no order, and a message may be told twice. */
typedef pr_status pr_found(void *user, struct pr_range uids);

/* What manage does to a folder. */
enum pr_folder_change {
    PR_FOLDER_CREATE, /* PR_OK too if it is there */
    PR_FOLDER_RENAME,
    PR_FOLDER_DELETE, /* with all that is in it */
    PR_FOLDER_SUBSCRIBE,
    PR_FOLDER_UNSUBSCRIBE
};

struct pr_source_ops {
    uint32_t size;
    /* Connects and logs in. */
    pr_status (*open)(struct pr_source *source);
    /* Names the folders that match one of `patterns` (ended by NULL; "*" any,
     * "%" any but the separator, "!" before a pattern leaves out). NULL slot:
     * there is one folder, "INBOX". */
    pr_status (*folders)(struct pr_source *source, const char *const *patterns,
                         pr_folder_found *found, void *user);
    /* Selects a folder. PR_GONE if it is not there. */
    pr_status (*select)(struct pr_source *source, const char *folder,
                        struct pr_mailbox *ret);
    /* Lists the messages in `ranges`, in ascending order of UID. A source
     * without UIDs lists all it has, in order of number, whatever the ranges
     * are. */
    pr_status (*list)(struct pr_source *source, const struct pr_range *ranges,
                      size_t count, pr_item_listed *listed, void *user);
    /* Fetches all that `feed` asks for; returns when the feed is at its end and
     * nothing is in flight. */
    pr_status (*fetch)(struct pr_source *source, struct pr_feed *feed);
    /* Carries out deeds, merged into as few commands as may be. A result for
     * each deed; the return value is for the session. A source
     * without UIDs is asked once for each folder, after all else: where the
     * server carries out nothing before the session ends (POP3, QUIT), settle
     * ends it, and the results are those of that end. */
    pr_status (*settle)(struct pr_source *source, struct pr_deed *deeds,
                        size_t count);
    /* Logs out if the line still stands, closes, frees. Any time after open was
     * called, also if that failed. */
    void (*close)(struct pr_source *source);
    /* Host and port for the limit of connections; lent. NULL slot: none. */
    const char *(*host)(const struct pr_source *source);
    unsigned lacks; /* of enum pr_lack: no deed asks for it */
    /* Nothing was asked of the server for a minute, since sinks take their
     * time, and settle is still to come: says something, so that the server
     * does not end the session. NULL slot: nothing. */
    pr_status (*keep)(struct pr_source *source);
    /* How many of `folders` (ended by NULL, by importance) one connection can
     * watch at a time: all of them (NOTIFY), 1 (IDLE), 0: none. Does not wait;
     * after open. NULL slot: none. */
    size_t (*watches)(const struct pr_source *source,
                      const char *const *folders);
    /* Waits until there is news of one of the folders, or for the deadline;
     * PR_OK for both. No news falls between: what came since the folder was
     * last listed (glanced at, if it never was) is told; of one that this
     * source did neither with, all there is. With one folder it is selected if
     * it is not. After news, select of the selected folder costs no round
     * trip. While it waits, the connection keeps no more memory than it must.
     * Cancelled, it ends what it does in good order and returns PR_CANCELLED:
     * the source may go on. PR_UNSUPPORTED: the server will not have it. */
    pr_status (*watch)(struct pr_source *source, const struct pr_watch *watch);
    /* From another fiber while watch waits: the line is proved to be alive now,
     * and watch fails with PR_NETWORK within `ms` if it is not. Does not wait.
     */
    void (*probe)(struct pr_source *source, uint64_t ms);
    /* Tells where each of `folders` (ended by NULL) stands, in as few round
     * trips as may be. PR_UNSUPPORTED: not without selecting each. NULL slot:
     * the same. */
    pr_status (*glance)(struct pr_source *source, const char *const *folders,
                        pr_glanced *glanced, void *user);
    /* Tells what changed in the selected folder since `modseq`, in ascending
     * order of UID; of messages that are gone, those in `known`. *ret_modseq:
     * where the folder stands now, 0: not told. With modseq 0, or where the
     * server cannot say: the flags of each message that is there, and of
     * `known` those that are not. NULL slot: PR_UNSUPPORTED. */
    pr_status (*changes)(struct pr_source *source, uint64_t modseq,
                         const struct pr_range *known, size_t count,
                         pr_changed *changed, void *user, uint64_t *ret_modseq);
    unsigned wants; /* of enum pr_want, beside PR_WANT_HEADER and PR_WANT_ALL:
                       what else of a message it can fetch by itself */
    /* Tells which messages of the selected folder match all of `keys`.
     * PR_UNSUPPORTED: the server cannot search by one of them. PR_REFUSED: it
     * does not want to. PR_LIMIT: a key is too long. NULL slot: messages cannot
     * be searched for. */
    pr_status (*search)(struct pr_source *source,
                        const struct pr_search_key *keys, size_t count,
                        pr_found *found, void *user);
    /* Changes the folders; `to`: the new name, for RENAME. PR_GONE: there is no
     * such folder; PR_REFUSED. Not of the selected folder. NULL slot: folders
     * cannot be changed. */
    pr_status (*manage)(struct pr_source *source, enum pr_folder_change change,
                        const char *folder, const char *to);
    /* Has the server labels of its own (X-GM-EXT-1), which pr_item.labels are
     * about? After open; does not wait. NULL slot: it has not. */
    bool (*has_labels)(const struct pr_source *source);
};

/* ---- Sinks ------------------------------------------------------------- */

struct pr_sink {
    const struct pr_class *class;
    const void *options;
    const struct pr_log *log;
    const char *name; /* as in logs and in the state: "maildir:/home/a/Mail" */
    void *state;
};

struct pr_sink_ops {
    uint32_t size;
    /* Once for each sink of the configuration. NULL slot: nothing to do. */
    pr_status (*open)(struct pr_sink *sink);
    /* Prepares a delivery and writes its receipt: where it will be. The receipt
     * is noted before commit, so that recover() can look there after a crash.
     * Nothing that others can see happens yet. */
    pr_status (*stage)(struct pr_sink *sink, struct pr_delivery *delivery);
    /* Makes a batch durable. Sets result (and failure) of each delivery; PR_OK
     * there means it survives a power cut, PR_DOUBT that recover() is to be
     * asked before it is tried again. Batches of one sink may run side by side.
     * The return value is PR_OK unless the batch as a whole failed, when every
     * result is that. */
    pr_status (*commit)(struct pr_sink *sink, struct pr_delivery *const *batch,
                        size_t count);
    /* Drops a staged delivery. */
    void (*abort)(struct pr_sink *sink, struct pr_delivery *delivery);
    /* After a crash: did the delivery with this key and receipt happen? PR_OK:
     * yes, durably. PR_GONE: no, and it may be repeated. PR_DOUBT: nobody can
     * tell, ever. Any other failure: not now; asked again at the next run. NULL
     * slot: what the journal says, if it is journaled, else PR_DOUBT. */
    pr_status (*recover)(struct pr_sink *sink, const char *key,
                         const char *receipt);
    /* Could it deliver? For `postrider check`; changes nothing. */
    pr_status (*check)(struct pr_sink *sink);
    void (*close)(struct pr_sink *sink);
    /* Names the sink for logs and the state from its options, into `name`. */
    void (*describe)(const void *options, char *name, size_t size);
    /* It calls pr_delivery_begin and pr_delivery_end. */
    bool journaled;
    /* Can anything ever be delivered to `folder` ("": the root)? PR_CONFIG with
     * words if not: told when the configuration is read, or at the line of the
     * rule. NULL slot: it can. Does not wait. */
    pr_status (*check_folder)(const void *options, const char *folder);
};

/* ---- The descriptor ---------------------------------------------------- */

enum pr_role {
    PR_ROLE_SOURCE = 1,
    PR_ROLE_SINK = 2,
    PR_ROLE_SERVICE = 3 /* asked by rules: see <postrider/service.h> */
};

/* What a user writes in the configuration: `imap {...}`, `maildir "..."`. */
struct pr_class {
    uint32_t size;
    enum pr_role role;
    const char *name;                /* a Lua identifier */
    const char *summary;             /* one line, no full stop */
    const struct pr_option *options; /* ended by a zeroed entry */
    size_t options_size; /* of the struct the options are stored in */
    const struct pr_source_ops *source;
    const struct pr_sink_ops *sink;
    /* May look at the filled options as a whole. PR_CONFIG with words. */
    pr_status (*check_options)(const void *options);
    const struct pr_service_ops *service;
};

struct pr_plugin {
    uint32_t abi;     /* PR_ABI */
    uint32_t size;    /* sizeof(struct pr_plugin) */
    const char *name; /* of the file: NAME.so exports pr_plugin_NAME */
    const char *version;
    const char *license;
    const char *summary;
    const struct pr_class *const *classes; /* ended by NULL */
};

#define PR_PLUGIN(id) PR_API const struct pr_plugin pr_plugin_##id

#ifdef __cplusplus
}
#endif
#endif
