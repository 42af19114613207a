/*
 * The sink under way: for sink.c, which has its operations, and the files that
 * carry them out.
 *
 * A message that was sent and not answered for is in doubt. It is looked for
 * before it is sent again: its receipt has the UIDVALIDITY and UIDNEXT its
 * folder had before, so that only what came since can be it, and its size and
 * the print of its first octets to tell it by. Messages that are alike in both
 * are told apart by number: the receipt says how many such were on their way
 * before this one.
 *
 * One fiber at a time talks to the server (`line`).
 */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include <postrider/digest.h>

#include "imap.h"

struct append_options {
    struct pr_net_options net;
    const char *folder;
    bool id;
    bool create;
    bool flags;
    uint64_t grace, final_timeout; /* ms */
};

/* Octets of a message, as on the wire, that its print is made of. */
#define PRINT_OCTETS ((size_t)8192)
#define PRINT_SIZE 16u

/* By what a message is known again. */
struct trace {
    uint64_t size; /* octets on the wire */
    unsigned char print[PRINT_SIZE];
};

/* A folder of the server, kept for the life of the sink. */
struct append_folder {
    struct append_folder *next;
    bool is_known;        /* what follows holds */
    bool is_missing;      /* to be made before the first append */
    uint32_t uidvalidity; /* 0: not told */
    uint32_t uidnext;     /* no message to come will have a lower UID; 0: not
                             told */
    uint64_t limit;       /* octets of a message; 0: none told */
    /* within one commit */
    bool was_made;
    unsigned refusals;         /* in a row */
    struct pr_failure refusal; /* the last */
    char name[];               /* as the server knows it, in UTF-8 */
};

enum parcel_stand {
    PARCEL_WAITS,
    PARCEL_UNDER_WAY, /* in a command; none of its octets was sent */
    PARCEL_IN_DOUBT,  /* sent, at least in part, and not answered for */
    PARCEL_DONE       /* its delivery has its result */
};

/* What a delivery becomes: its ticket. Stays after the commit if in doubt. */
struct parcel {
    struct parcel *next;
    struct pr_delivery *delivery; /* NULL once left in doubt */
    struct append_folder *folder;
    struct trace trace;
    unsigned rank; /* 1, or one more for each like it on its way before it */
    enum parcel_stand stand;
    bool holds_nul;
    bool has_8bit_header;
    bool goes_alone;    /* its group was refused */
    bool lost_the_line; /* while nothing else was on its way */
    char key[65];
    char attributes[]; /* flags and date, as APPEND has them */
};

/* The messages that a folder has from some UID on. */
struct listing {
    const struct append_folder *folder; /* NULL: there is none */
    uint32_t uidvalidity, from;
    pr_time made;
    struct pr_buffer found; /* of struct found */
};

struct found {
    uint32_t uid;
    struct trace trace;
};

/* The sink's state. */
struct append {
    const struct append_options *options;
    const struct pr_log *log;
    struct pr_semaphore line;
    struct imap *imap;         /* NULL: not connected */
    pr_time used;              /* when the server last answered */
    pr_time alone_since;       /* no older connection of ours can be at work */
    struct pr_failure refusal; /* why there is no connection... */
    pr_time refused_until;     /* ...and none is tried */
    unsigned capabilities;     /* of the last connection */
    bool knows_separator;
    char separator; /* '\0': flat */
    struct append_folder *folders;
    struct parcel *parcels; /* on their way, or left in doubt */
    struct listing listing;
};

/* ---- link.c: the connection. All may wait, and need the line. ----------- */

/* A session that works, made if there is none. */
PR_CHECKED pr_status append_connect(struct append *append);
/* Ends the session; the next call of append_connect makes another. */
void append_hang_up(struct append *append);
/* Is the session broken? Then it is ended. The words of the last failure stay.
 */
bool append_was_lost(struct append *append);

/* ---- target.c: folders -------------------------------------------------- */

/* The folder that `below` names, with what is to be known of it before
 * something is appended. Takes the line if the server must be asked. */
PR_CHECKED pr_status append_target(struct append *append, const char *below,
                                   struct append_folder **ret);
/* The folder of that name on the server; it is asked nothing. */
PR_CHECKED pr_status append_folder_named(struct append *append,
                                         const char *name,
                                         struct append_folder **ret);
void append_folders_free(struct append *append);

/* ---- parcel.c: what is sent, and its receipt ---------------------------- */

/* Measures the delivery, and writes its receipt. */
PR_CHECKED pr_status parcel_new(struct append *append,
                                struct pr_delivery *delivery,
                                struct parcel **ret);
/* Takes it off the list. NULL is fine. */
void parcel_free(struct append *append, struct parcel *parcel);
/* Its result; pr_fail() has said why if it is not PR_OK. */
void parcel_conclude(struct parcel *parcel, pr_status result);

struct receipt {
    struct trace trace;
    uint32_t uidvalidity, uidnext;
    unsigned rank;
    const char *folder; /* within the text */
};

PR_CHECKED pr_status receipt_parse(const char *text, struct receipt *ret);

/* Adds the first octets of a message, as on the wire, to its trace. */
PR_CHECKED pr_status trace_print(struct trace *trace, struct pr_bytes octets);

/* ---- commit.c, order.c: sending ----------------------------------------- */

struct run {
    struct append *append;
    struct parcel **parcels;
    size_t count;
    bool singly; /* one at a time, to learn which of them loses the line */
};

/* Sends what waits, and sets the result of all that is answered. Fails only
 * when the session is broken: what was on its way is then in doubt. */
PR_CHECKED pr_status append_send(struct run *run);

pr_status append_commit(struct pr_sink *sink, struct pr_delivery *const *batch,
                        size_t count);

/* ---- look.c: what is there ---------------------------------------------- */

/* Is the message there? PR_OK, or PR_GONE; else the server could not be asked.
 * Needs the line and a session. */
PR_CHECKED pr_status append_look(struct append *append,
                                 const struct append_folder *folder,
                                 const struct receipt *receipt);
/* Something is to be sent: the listing is old from now on. */
void append_forget_listing(struct append *append);

#endif
