/*
 * Watching: which way, and how a connection waits.
 */
#include "imap.h"

#define RENEW_MS (29u * 60 * 1000) /* RFC 2177 */

/* ---- Waiting ------------------------------------------------------------- */

/* What an answer needs is there again when one comes. */
static void shrink(struct imap *imap)
{
    imap_response_done(&imap->response);
    imap_response_init(&imap->response);
    imap_reader_shrink(&imap->reader);
    pr_buffer_done(&imap->trace);
}

pr_status imap_wait(struct imap *imap, pr_time until)
{
    pr_status status = imap_flush(imap);

    if (status != PR_OK)
        return status;
    imap_reader_release(&imap->reader);
    if (!imap_has_octets(imap))
        shrink(imap);
    imap->responses = 0;
    status = pr_stream_park(imap->stream, until);
    if (status == PR_OK || status == PR_TIMEOUT || status == PR_CANCELLED)
        return status;
    if (status == PR_EOF)
        status = pr_fail(PR_NETWORK, "the server closed the connection");
    return imap_break(imap, status);
}

bool imap_has_octets(struct imap *imap)
{
    imap_reader_release(&imap->reader);
    return pr_stream_peek(imap->stream).size > 0;
}

pr_status imap_await_either(struct imap *imap, const bool *one,
                            const bool *other, pr_time until)
{
    pr_status status = PR_OK;

    while (status == PR_OK && !*one && !*other) {
        status = imap_wait(imap, until);
        if (status == PR_OK && imap_has_octets(imap))
            status = imap_step(imap);
    }
    return status == PR_TIMEOUT ? imap_dead(imap) : status;
}

pr_status imap_prove(struct imap *imap, pr_time until)
{
    struct imap_command *noop = &imap->noop;
    pr_status status = PR_OK;

    if (noop->name == NULL || noop->is_done) /* none was left behind */
        status = imap_send(imap, noop, "NOOP", "NOOP");
    return status != PR_OK
               ? status
               : imap_await_either(imap, &noop->is_done, &noop->is_done, until);
}

pr_status imap_dead(struct imap *imap)
{
    imap->broken.status = PR_OK;
    return imap_break(imap, pr_fail(PR_NETWORK, "the line is dead: the server "
                                                "does not answer"));
}

/* ---- Times --------------------------------------------------------------- */

void imap_times_begin(struct imap_times *times, const struct imap *imap,
                      const struct pr_watch *watch)
{
    uint64_t renew = watch->renew_ms != 0 ? watch->renew_ms : RENEW_MS;

    if (imap->setup.renew_ms != 0 && imap->setup.renew_ms < renew)
        renew = imap->setup.renew_ms;
    times->renew = pr_in(renew);
    times->probe_ms = watch->probe_ms;
    imap_times_heard(times);
}

void imap_times_heard(struct imap_times *times)
{
    times->probe = times->probe_ms != 0 ? pr_in(times->probe_ms) : PR_NEVER;
}

pr_time imap_times_next(const struct imap_times *times,
                        const struct pr_watch *watch)
{
    pr_time next = times->renew < times->probe ? times->renew : times->probe;

    return next < watch->deadline ? next : watch->deadline;
}

/* ---- The operations ------------------------------------------------------ */

static bool can_notify(const struct imap *imap)
{
    return imap_can(imap, IMAP_CAN_NOTIFY) && !imap->watching.refuses_notify;
}

bool imap_can_idle(const struct imap *imap)
{
    return imap_can(imap, IMAP_CAN_IDLE) && !imap->watching.refuses_idle;
}

size_t imap_op_watches(const struct pr_source *source,
                       const char *const *folders)
{
    const struct imap *imap = source->state;
    size_t count = 0;

    if (imap == NULL || folders[0] == NULL)
        return 0;
    while (folders[count] != NULL)
        count++;
    if (can_notify(imap))
        return count;
    return imap_can_idle(imap) ? 1 : 0;
}

pr_status imap_op_watch(struct pr_source *source, const struct pr_watch *watch)
{
    struct imap *imap = source->state;
    pr_status status = imap_check(imap);
    bool is_one = watch->folders[0] != NULL && watch->folders[1] == NULL;

    if (status != PR_OK)
        return status;
    if (is_one && imap_can_idle(imap) && !imap->watching.is_notifying)
        status = imap_idle(imap, watch);
    else if (can_notify(imap))
        status = imap_notify(imap, watch);
    else if (is_one && imap_can_idle(imap))
        status = imap_idle(imap, watch);
    else
        return pr_fail(PR_UNSUPPORTED,
                       "the server cannot be listened to: it "
                       "has neither IDLE nor NOTIFY%s",
                       is_one ? "" : " for several folders");
    imap->watching.probe_ms = 0;
    if (status == PR_OK)
        imap->watching.fresh_until = pr_in(1000);
    return status;
}

void imap_op_probe(struct pr_source *source, uint64_t ms)
{
    struct imap *imap = source->state;

    if (imap == NULL || imap->stream == NULL)
        return;
    imap->watching.probe_ms = ms > 0 ? ms : IMAP_PROVE_MS;
    pr_stream_unpark(imap->stream);
}
