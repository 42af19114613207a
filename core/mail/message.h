/*
 * One message on its way through the house.
 */
#ifndef MAIL_MESSAGE_H
#define MAIL_MESSAGE_H

#include <postrider/fiber.h>

#include "mail/plan.h"
#include "mail/tree.h"
#include "mail/view.h"

/* Octets on the wire, by what they were fetched for. */
struct message_cost {
    uint64_t header, structure, parts, whole;
    uint64_t requests; /* for more of it: each a round trip, shared with other
                          messages that wait for the same */
};

struct message {
    struct pr_arena *arena; /* owned: all that belongs to the message */
    const char *account;    /* lent */
    const char *folder;     /* lent */
    struct pr_item *item;   /* lent */
    struct pr_spool *spool; /* owned, sealed; NULL until fetched */
    struct view *view;      /* owned; made by message_view */
    struct plan plan;
    bool has_labels; /* the server has labels of its own: those of the item */
    bool may_have_labels; /* there is no server to ask whether it has some */
    /* While `spool` is NULL: has the header fetched into it; waits. */
    pr_status (*fetch_header)(struct message *message);
    struct message_cost cost;
    uint64_t rules_us; /* that its rules took, waits included */
    /* While the header alone is here: */
    bool is_header_only;
    bool is_told;     /* the server told which parts it has: `told`, */
    struct tree told; /* owned; the view's, once it was asked for them */
    unsigned wants;   /* of enum pr_want: what the source can fetch of it */
    /* Has more of it fetched, and taken by message_take_...; waits. PR_OK too
     * when something else was fetched: it is looked again. PR_UNSUPPORTED: not
     * by itself. */
    pr_status (*fetch)(struct message *message, enum pr_want want,
                       const char *part, uint64_t most);
    /* Neither of the two is called while a fiber is in one of them. */
    bool is_fetching;
    struct pr_event fetched; /* it is no longer */
    void *owner;             /* of whoever set fetch */
    bool is_lost; /* it did not come: what its rules say no longer counts */
    /* Once all is here: */
    struct pr_spool *header;  /* owned: what the spool was before, */
    struct view *header_view; /* and the view, which rules may still hold */
    /* What its rules want to be kept when it is dealt with; NULL: nothing. */
    void *kept;
    void (*drop_kept)(struct message *message); /* called if there is some */
    struct trace
        *trace; /* lent: where it is noted what they do; NULL: nowhere */
};

/* Makes a message with its arena and an empty plan. */
PR_CHECKED pr_status message_new(const char *account, const char *folder,
                                 struct pr_item *item, struct message **ret);
void message_free(struct message *message); /* NULL is fine */
/* Makes sure that the whole message is there. Waits, if it has only the header.
 */
PR_CHECKED pr_status message_whole(struct message *message);
/* The view, made at the first call. Lent. */
PR_CHECKED pr_status message_view(struct message *message, struct view **ret);
/* The view once its parts can be told: from the server's word, or from the
 * whole message where it gives none. Waits if that is not here yet. */
PR_CHECKED pr_status message_parts(struct message *message, struct view **ret);
/* Makes sure that the first `octets` of the part with that path are here, as
 * they are encoded, or all of it (0), and tells where. PR_GONE: there is no
 * such part. Waits. */
PR_CHECKED pr_status message_part(struct message *message, const char *path,
                                  uint64_t octets, struct view **ret_view,
                                  size_t *ret_part);
/* The content of the part with that path into an empty buffer, as
 * view_part_text or view_part_octets have it; as little is fetched for it as
 * will do. A path that is not there gives nothing. Waits. */
PR_CHECKED pr_status message_content(struct message *message, const char *path,
                                     bool as_text, struct pr_buffer *buffer);

/* Reads what a server tells of a message's parts, in the pool if it is much;
 * tree_done(ret) is the caller's. PR_UNSUPPORTED: it makes no sense. PR_NOMEM.
 */
PR_CHECKED pr_status message_read_structure(const struct pr_part *parts,
                                            size_t count, struct tree *ret);

/* What was fetched. The sealed spools are owned from now on, whatever is
 * returned. */
/* The whole message, in the place of the header. */
void message_take_whole(struct message *message, struct pr_spool *spool);
/* Its parts; moves `tree`, or drops it if they are known by now. */
void message_take_structure(struct message *message, struct tree *tree);
/* The first `most` octets of a part, 0: all of it. */
PR_CHECKED pr_status message_take_part(struct message *message,
                                       const char *path, uint64_t most,
                                       struct pr_spool *spool);

#endif
