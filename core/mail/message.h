/*
 * One message on its way through the house.
 */
#ifndef MAIL_MESSAGE_H
#define MAIL_MESSAGE_H

#include "mail/plan.h"
#include "mail/view.h"

struct message {
    struct pr_arena *arena; /* owned: all that belongs to the message */
    const char *account;    /* lent */
    const char *folder;     /* lent */
    struct pr_item *item;   /* lent */
    struct pr_spool *spool; /* owned, sealed; NULL until fetched */
    struct view *view;      /* owned; made by message_view */
    struct plan plan;
    bool is_header_only;      /* so far the spool has the header alone */
    /* While `spool` is NULL: has the header fetched into it; waits. */
    pr_status (*fetch_header)(struct message *message);
    struct pr_spool *header;  /* owned: what the spool was then, */
    struct view *header_view; /* and the view, which rules may still hold */
    /* Has the rest fetched, and message_take_whole called; waits. */
    pr_status (*fetch_whole)(struct message *message);
    /* What its rules want to be kept when it is dealt with; NULL: nothing. */
    void *kept;
    void (*drop_kept)(struct message *message); /* called if there is some */
    void *owner;                                /* of whoever set fetch_whole */
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
/* Puts the sealed spool of the whole message, owned from now on, in the place
 * of the header's. */
void message_take_whole(struct message *message, struct pr_spool *spool);
/* The view, made at the first call. Lent. */
PR_CHECKED pr_status message_view(struct message *message, struct view **ret);

#endif
