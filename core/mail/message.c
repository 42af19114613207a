/*
 * Makes and frees a message with all that belongs to it.
 */
#include "config.h"

#include "mail/message.h"

#include "mail/spool.h"

pr_status message_new(const char *account, const char *folder,
                      struct pr_item *item, struct message **ret)
{
    struct pr_arena *arena = pr_arena_new();
    struct message *message =
        arena != NULL ? pr_arena_alloc(arena, sizeof *message) : NULL;
    if (message == NULL) {
        pr_arena_free(arena);
        return PR_NOMEM;
    }
    message->arena = arena;
    message->account = account;
    message->folder = folder;
    message->item = item;
    plan_init(&message->plan, arena);
    *ret = message;
    return PR_OK;
}

void message_free(struct message *message)
{
    if (message == NULL)
        return;
    if (message->kept != NULL)
        message->drop_kept(message);
    view_free(message->view);
    view_free(message->header_view);
    spool_free(message->spool);
    spool_free(message->header);
    pr_arena_free(message->arena);
}

pr_status message_whole(struct message *message)
{
    return message->is_header_only ? message->fetch_whole(message) : PR_OK;
}

void message_take_whole(struct message *message, struct pr_spool *spool)
{
    message->header = message->spool;
    message->header_view = message->view;
    message->spool = spool;
    message->view = NULL;
    message->is_header_only = false;
}

pr_status message_view(struct message *message, struct view **ret)
{
    if (message->spool == NULL && message->fetch_header != NULL) {
        pr_status status = message->fetch_header(message);
        if (status != PR_OK)
            return status;
    }
    if (message->spool == NULL)
        return pr_fail(PR_BUG, "a message was looked at before it was fetched");
    if (message->view == NULL) {
        pr_status status = view_new(message->spool, &message->view);
        if (status != PR_OK)
            return status;
    }
    *ret = message->view;
    return PR_OK;
}
