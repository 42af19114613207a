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
};

/* Makes a message with its arena and an empty plan. */
PR_CHECKED pr_status message_new(const char *account, const char *folder,
                                 struct pr_item *item, struct message **ret);
void message_free(struct message *message); /* NULL is fine */
/* The view, made at the first call. Lent. */
PR_CHECKED pr_status message_view(struct message *message, struct view **ret);

#endif
