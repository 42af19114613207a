/*
 * The sink's connection: made when it is needed, kept for the run.
 *
 * A server that cannot be had is left alone for a while, so that a run with
 * much to append does not wait for it again and again.
 */
#include "append.h"

/* Beyond that much silence servers may have closed the line, and one does not
 * know of it before something is in doubt. */
#define IDLE_MS 10000u
#define RETRY_MS 20000u
/* For what a person must mend, lest the account be locked. */
#define RETRY_LATE_MS 300000u

void append_hang_up(struct append *append)
{
    if (append->imap == NULL)
        return;
    imap_free(append->imap);
    append->imap = NULL;
    append->alone_since = pr_now();
}

bool append_was_lost(struct append *append)
{
    const struct pr_failure failure = *pr_last_failure();

    if (append->imap == NULL || imap_check(append->imap) == PR_OK)
        return false;
    append_hang_up(append);
    if (failure.status != PR_OK)
        (void)pr_fail(failure.status, "%s", failure.text);
    return true;
}

static bool is_alive(struct append *append)
{
    struct imap_command command;

    if (imap_check(append->imap) != PR_OK)
        return false;
    if (pr_now() - append->used < IDLE_MS)
        return true;
    pr_status status = imap_send(append->imap, &command, "NOOP", "NOOP");
    if (status == PR_OK)
        status = imap_await(append->imap, &command);
    append->used = pr_now();
    return status == PR_OK;
}

static void note_refusal(struct append *append, pr_status status)
{
    bool needs_person =
        status == PR_AUTH || status == PR_TLS || status == PR_CONFIG;

    append->refusal = *pr_last_failure();
    append->refusal.status = status;
    append->refused_until = pr_in(needs_person ? RETRY_LATE_MS : RETRY_MS);
}

static pr_status connect_anew(struct append *append)
{
    const struct append_options *options = append->options;
    const struct imap_setup setup = {.net = &options->net,
                                     .log = append->log,
                                     .id = options->id,
                                     .read_only = true,
                                     .final_ms = options->final_timeout,
                                     .plain = true};
    struct imap *imap = NULL;
    pr_status status = imap_new(&setup, &imap);

    if (status == PR_OK)
        status = imap_connect(imap);
    if (status != PR_OK) {
        note_refusal(append, status);
        imap_free(imap);
        return pr_fail(status, "%s", append->refusal.text);
    }
    append->imap = imap;
    append->capabilities = imap->capabilities;
    append->used = pr_now();
    return PR_OK;
}

pr_status append_connect(struct append *append)
{
    if (append->imap != NULL) {
        if (is_alive(append))
            return PR_OK;
        append_hang_up(append);
    }
    if (append->refusal.status != PR_OK && pr_now() < append->refused_until)
        return pr_fail(append->refusal.status, "%s", append->refusal.text);
    append->refusal.status = PR_OK;
    return connect_anew(append);
}
