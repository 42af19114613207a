/*
 * A stream that waits for long: it costs next to nothing meanwhile.
 *
 * A short wait keeps everything, since most answers come at once; only after
 * PATIENCE_MS is memory given back. No timer runs beyond the one deadline.
 *
 * What was freed lies in holes between what is still in use: the buffers of
 * many connections that were busy at the same time are more than all that is
 * left of them. The allocator gives holes back only when told to, and looks at
 * all of them then, so it is told once for many streams, or after a while.
 */
#include "config.h"

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/stream_parts.h"

#define PATIENCE_MS 2000u
#define TRIM_STREAMS 32u /* so many have shrunk since, */
#define TRIM_MS 30000u   /* or one, and this long ago was the last time */

/* May do nothing this time. */
static void trim_heap(void)
{
    static unsigned shrunk;
    static pr_time again;

    if (++shrunk < TRIM_STREAMS && pr_now() < again) {
        return;
    }
    memory_trim();
    shrunk = 0;
    again = pr_in(TRIM_MS);
}

static void shrink(struct pr_stream *stream)
{
    struct transport *transport = stream->transport;

    if (stream->start == stream->end) {
        memory_free(stream->in);
        stream->in = NULL;
        stream->in_size = stream->start = stream->end = stream->scanned = 0;
    }
    if (stream->out.size == 0) {
        pr_buffer_done(&stream->out);
    }
    if (transport->ops->shrink != NULL) {
        transport->ops->shrink(transport);
    }
    trim_heap();
    fiber_trim_stack();
}

/* Until the socket has something, or somebody calls. */
static pr_status wait_for_news(struct pr_stream *stream, pr_time deadline)
{
    struct poller *poller = stream->transport->poller;
    pr_status status = poller_arm(poller, false);

    stream->parked = fiber_self();
    while (status == PR_OK && !poller_fired(poller) && !stream->is_called) {
        status = fiber_park(deadline);
    }
    stream->parked = NULL;
    poller_forget(poller);
    return poller_fired(poller) || stream->is_called ? PR_OK : status;
}

static pr_status wait_long(struct pr_stream *stream, pr_time deadline)
{
    pr_time patience = pr_in(PATIENCE_MS);

    if (deadline <= patience) {
        return wait_for_news(stream, deadline);
    }
    pr_status status = wait_for_news(stream, patience);
    if (status != PR_TIMEOUT) {
        return status;
    }
    shrink(stream);
    return wait_for_news(stream, deadline);
}

pr_status pr_stream_park(struct pr_stream *stream, pr_time deadline)
{
    pr_status status = pr_stream_flush(stream);

    if (status != PR_OK) {
        return status;
    }
    bool can_wait = stream->transport->poller != NULL;
    while (stream->start == stream->end && !stream->is_called) {
        /* What fired may be no news of ours: a ticket of TLS, say. And TLS may
         * hold octets that the socket has no more. */
        status = stream_read_more(stream, can_wait ? 0 : deadline);
        if (status == PR_TIMEOUT && can_wait) {
            status = wait_long(stream, deadline);
        }
        if (status != PR_OK) {
            return status;
        }
    }
    stream->is_called = false;
    return PR_OK;
}

void pr_stream_unpark(struct pr_stream *stream)
{
    stream->is_called = true;
    if (stream->parked != NULL) {
        fiber_wake(stream->parked);
    }
}
