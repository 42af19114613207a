/*
 * Connections that are not in use: kept for a while, then left politely.
 */
#include "config.h"

#include "sink.h"

struct smtp_line *smtp_pool_new_line(const struct smtp_sink *smtp)
{
    return smtp_line_new(smtp->protocol, smtp->sink->options, &smtp->net,
                         smtp->sink->log, smtp->name);
}

/* The one whose time is over, taken out; NULL, and when the first will be. */
static struct smtp_line *take_expired(struct smtp_sink *smtp, pr_time *ret_next)
{
    pr_time now = pr_now();

    *ret_next = PR_NEVER;
    for (struct smtp_line **at = &smtp->idle; *at != NULL; at = &(*at)->next) {
        struct smtp_line *line = *at;
        if (line->idle_until <= now) {
            *at = line->next;
            return line;
        }
        if (line->idle_until < *ret_next)
            *ret_next = line->idle_until;
    }
    return NULL;
}

/* A fiber: says goodbye to connections nobody needs, while there are any. */
static pr_status watch_idle(void *argument)
{
    struct smtp_sink *smtp = argument;
    pr_status status = PR_OK;

    while (smtp->idle != NULL && status != PR_CANCELLED) {
        pr_time next;
        struct smtp_line *line = take_expired(smtp, &next);
        if (line == NULL) {
            status = pr_event_wait(&smtp->news, next);
            continue;
        }
        smtp_line_quit(line);
        smtp_line_free(line);
    }
    smtp->is_watched = false;
    return PR_OK;
}

void smtp_pool_keep(struct smtp_sink *smtp, struct smtp_line *line)
{
    uint64_t idle = ((const struct smtp_options *)smtp->sink->options)->idle;

    if (!smtp_line_is_open(line) || line->ahead != NULL || idle == 0) {
        smtp_line_quit(line);
        smtp_line_free(line);
        return;
    }
    line->idle_until = pr_in(idle);
    line->next = smtp->idle;
    smtp->idle = line;
    if (!smtp->is_watched)
        smtp->is_watched =
            pr_spawn(&smtp->watchers, "smtp idle", PR_STACK_SESSION, watch_idle,
                     smtp) == PR_OK;
    pr_event_wake_all(&smtp->news);
}

struct smtp_line *smtp_pool_take(struct smtp_sink *smtp)
{
    struct smtp_line *line = smtp->idle;

    if (line == NULL)
        return smtp_pool_new_line(smtp);
    smtp->idle = line->next;
    return line;
}

void smtp_pool_close(struct smtp_sink *smtp)
{
    pr_scope_cancel(&smtp->watchers);
    (void)pr_scope_join(&smtp->watchers);
    while (smtp->idle != NULL) {
        struct smtp_line *line = smtp->idle;
        smtp->idle = line->next;
        smtp_line_quit(line);
        smtp_line_free(line);
    }
}
