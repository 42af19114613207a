/*
 * The buffers of a connection, and how one is opened.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/stream_parts.h"

#define IN_SIZE_FIRST (32 * 1024)
#define IN_SIZE_MOST (256 * 1024)
#define IN_ROOM_LEAST (4 * 1024)
#define OUT_SIZE (16 * 1024)
/* Octets read after which the others get their turn: a fast server alone
 * would never make this fiber wait. */
#define FAIR_SHARE (256 * 1024)

const char *const pr_tls_choices[] = {"implicit", "starttls", "none", NULL};
const char *const pr_min_tls_choices[] = {"1.2", "1.3", NULL};

pr_status (*stream_connect_hook)(const struct pr_net_options *net,
                                 uint16_t port, const struct pr_log *log,
                                 struct transport **ret);

static void name_stream(struct pr_stream *stream)
{
    const struct pr_net_options *net = stream->net;

    if (net->tunnel != NULL && net->tunnel[0] != NULL)
        snprintf(stream->name, sizeof(stream->name), "tunnel %s",
                 net->tunnel[0]);
    else if (net->host != NULL && net->host[0] == '/')
        snprintf(stream->name, sizeof(stream->name), "%s", net->host);
    else
        snprintf(stream->name, sizeof(stream->name), "%s:%u",
                 net->host != NULL ? net->host : "?", (unsigned)stream->port);
}

pr_status stream_new(struct transport *transport,
                     const struct pr_net_options *net, uint16_t port,
                     const struct pr_log *log, struct pr_stream **ret)
{
    struct pr_stream *stream = memory_zeroed(1, sizeof(*stream));

    if (stream == NULL) {
        transport->ops->close(transport);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_buffer_init(&stream->out, OUT_SIZE);
    stream->transport = transport;
    stream->net = net;
    stream->port = net->port != 0 ? (uint16_t)net->port : port;
    stream->log = log;
    stream->deadline = PR_NEVER;
    stream->timeout = net->timeout;
    name_stream(stream);
    proof_begin(&stream->proof, transport->fd);
    *ret = stream;
    return PR_OK;
}

static pr_status open_transport(const struct pr_net_options *net, uint16_t port,
                                const struct pr_log *log,
                                struct transport **ret)
{
    pr_time deadline = net->timeout != 0 ? pr_in(net->timeout) : PR_NEVER;

    if (net->port != 0)
        port = (uint16_t)net->port;
    if (stream_connect_hook != NULL)
        return stream_connect_hook(net, port, log, ret);
    if (net->tunnel != NULL && net->tunnel[0] != NULL)
        return tunnel_open(net->tunnel, log, ret);
    if (net->host == NULL)
        return pr_fail(PR_CONFIG, "no host is given");
    if (net->host[0] == '/')
        return local_connect(net->host, deadline, log, ret);
    return tcp_connect(net->host, port, deadline, log, ret);
}

pr_status pr_stream_connect(const struct pr_net_options *net, uint16_t port,
                            const struct pr_log *log, struct pr_stream **ret)
{
    struct transport *transport;
    struct pr_stream *stream;

    pr_status status = open_transport(net, port, log, &transport);
    if (status != PR_OK)
        return status;
    status = stream_new(transport, net, port, log, &stream);
    if (status != PR_OK)
        return status;
    if (net->tls == PR_TLS_IMPLICIT)
        status = pr_stream_start_tls(stream);
    if (status != PR_OK) {
        pr_stream_close(stream);
        return status;
    }
    *ret = stream;
    return PR_OK;
}

/* Until when the next wait may last. */
static pr_time wait_limit(const struct pr_stream *stream)
{
    pr_time limit = stream->timeout != 0 ? pr_in(stream->timeout) : PR_NEVER;

    return limit < stream->deadline ? limit : stream->deadline;
}

pr_status stream_failed(struct pr_stream *stream, pr_status status)
{
    if (status == PR_CANCELLED)
        return pr_fail(PR_CANCELLED, "%s: stopped when asked to", stream->name);
    if (stream->proof.is_dead)
        return pr_fail(PR_NETWORK,
                       "%s: the connection did not outlive a change of the "
                       "network",
                       stream->name);
    if (status != PR_TIMEOUT)
        return pr_context(status, "%s", stream->name);
    if (pr_now() >= stream->deadline)
        return pr_fail(PR_TIMEOUT, "%s: not done in the time allowed",
                       stream->name);
    return pr_fail(PR_TIMEOUT, "%s: no answer for %llu s", stream->name,
                   (unsigned long long)(stream->timeout + 999) / 1000);
}

static pr_status stream_is_open(const struct pr_stream *stream)
{
    if (stream->transport == NULL)
        return pr_fail(PR_NETWORK, "%s: the connection is closed",
                       stream->name);
    return PR_OK;
}

pr_status pr_stream_start_tls(struct pr_stream *stream)
{
    struct transport *transport = stream->transport;

    pr_status status = stream_is_open(stream);
    if (status != PR_OK)
        return status;
    if (stream->is_secure)
        return pr_fail(PR_BUG, "%s: TLS is already on", stream->name);
    if (stream->start != stream->end)
        return pr_fail(PR_PROTOCOL,
                       "%s: server sent data before the TLS handshake: "
                       "possible attack",
                       stream->name);
    if (stream->out.size != 0)
        return pr_fail(PR_BUG, "%s: unsent data before the TLS handshake",
                       stream->name);
    if (transport->ops->start_tls != NULL) {
        status = transport->ops->start_tls(transport, wait_limit(stream));
    } else {
        stream->transport = NULL;
        status =
            tls_connect(transport, stream->net, stream->port,
                        wait_limit(stream), stream->log, &stream->transport);
        if (status != PR_OK)
            proof_end(&stream->proof); /* the descriptor is closed */
    }
    if (status == PR_TIMEOUT)
        return pr_fail(PR_TIMEOUT, "%s: the TLS handshake did not end in time",
                       stream->name);
    if (status != PR_OK)
        return stream_failed(stream, status);
    stream->start = stream->end = stream->scanned = 0;
    stream->is_secure = true;
    return PR_OK;
}

bool pr_stream_is_secure(const struct pr_stream *stream)
{
    return stream->is_secure;
}

/* Makes room behind `end`, at least an octet of it. */
static pr_status make_room(struct pr_stream *stream)
{
    size_t pending = stream->end - stream->start;

    if (pending == 0)
        stream->start = stream->end = 0;
    if (stream->in == NULL) {
        stream->in = memory_alloc(IN_SIZE_FIRST);
        if (stream->in == NULL)
            return pr_fail(PR_NOMEM, "out of memory");
        stream->in_size = IN_SIZE_FIRST;
    }
    if (stream->in_size - stream->end >= IN_ROOM_LEAST)
        return PR_OK;
    if (pending > stream->in_size / 2 && stream->in_size < IN_SIZE_MOST) {
        char *larger = memory_realloc(stream->in, stream->in_size * 2);
        if (larger == NULL)
            return pr_fail(PR_NOMEM, "out of memory");
        stream->in = larger;
        stream->in_size *= 2;
        return PR_OK;
    }
    if (stream->start > 0) {
        memmove(stream->in, stream->in + stream->start, pending);
        stream->start = 0;
        stream->end = pending;
    }
    if (stream->end == stream->in_size)
        return pr_fail(PR_LIMIT, "%s: more than %u octets in one piece",
                       stream->name, (unsigned)IN_SIZE_MOST);
    return PR_OK;
}

static pr_status share(struct pr_stream *stream, size_t octets)
{
    stream->unshared += octets;
    if (stream->unshared < FAIR_SHARE)
        return PR_OK;
    stream->unshared = 0;
    return pr_yield() == PR_OK ? PR_OK : stream_failed(stream, PR_CANCELLED);
}

pr_status stream_read_more(struct pr_stream *stream, pr_time deadline)
{
    struct transport *transport = stream->transport;
    size_t got = 0;

    pr_status status = make_room(stream);
    if (status != PR_OK)
        return status;
    status =
        transport->ops->read(transport, stream->in + stream->end,
                             stream->in_size - stream->end, deadline, &got);
    if (status != PR_OK)
        return stream_failed(stream, status);
    stream->end += got;
    stream->octets_in += got;
    return share(stream, got);
}

pr_status pr_stream_fill(struct pr_stream *stream)
{
    pr_status status = pr_stream_flush(stream);

    return status != PR_OK ? status
                           : stream_read_more(stream, wait_limit(stream));
}

struct pr_bytes pr_stream_peek(const struct pr_stream *stream)
{
    if (stream->in == NULL)
        return PR_BYTES("");
    return (struct pr_bytes){stream->in + stream->start,
                             stream->end - stream->start};
}

void pr_stream_consume(struct pr_stream *stream, size_t size)
{
    stream->start += size;
    stream->scanned = 0;
}

static pr_status line_too_long(const struct pr_stream *stream, size_t cap)
{
    return pr_fail(PR_LIMIT, "%s: a line of more than %zu octets", stream->name,
                   cap);
}

pr_status pr_stream_read_line(struct pr_stream *stream, size_t cap,
                              struct pr_bytes *ret)
{
    for (;;) {
        struct pr_bytes buffered = pr_stream_peek(stream);
        const char *line = buffered.data;
        size_t size = buffered.size;
        const char *end =
            memchr(line + stream->scanned, '\n', size - stream->scanned);
        if (end != NULL) {
            size = (size_t)(end - line);
            size_t text = size > 0 && end[-1] == '\r' ? size - 1 : size;
            if (text > cap)
                return line_too_long(stream, cap);
            *ret = (struct pr_bytes){line, text};
            pr_stream_consume(stream, size + 1);
            return PR_OK;
        }
        if (size > cap && size - cap > 1) /* one of them may be the CR */
            return line_too_long(stream, cap);
        stream->scanned = size;
        pr_status status = pr_stream_fill(stream);
        if (status == PR_EOF && size > 0)
            return pr_fail(PR_EOF,
                           "%s: the connection ended in the middle of a line",
                           stream->name);
        if (status != PR_OK)
            return status;
    }
}

static pr_status send_all(struct pr_stream *stream, const char *data,
                          size_t size)
{
    struct transport *transport = stream->transport;

    while (size > 0) {
        size_t put = 0;
        pr_status status = transport->ops->write(transport, data, size,
                                                 wait_limit(stream), &put);
        if (status != PR_OK)
            return stream_failed(stream, status);
        data += put;
        size -= put;
        stream->octets_out += put;
    }
    return PR_OK;
}

pr_status pr_stream_write(struct pr_stream *stream, const void *data,
                          size_t size)
{
    /* All at once: growing would leave copies of passwords behind. */
    if (stream->out.data == NULL &&
        pr_buffer_reserve(&stream->out, OUT_SIZE) == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    if (size <= OUT_SIZE - stream->out.size)
        return pr_buffer_add(&stream->out, data, size);
    pr_status status = pr_stream_flush(stream);
    if (status != PR_OK)
        return status;
    if (size <= OUT_SIZE)
        return pr_buffer_add(&stream->out, data, size);
    return send_all(stream, data, size);
}

pr_status pr_stream_flush(struct pr_stream *stream)
{
    pr_status status = stream_is_open(stream);

    if (status != PR_OK || stream->out.size == 0)
        return status;
    status = send_all(stream, stream->out.data, stream->out.size);
    explicit_bzero(stream->out.data, stream->out.size); /* a password? */
    pr_buffer_clear(&stream->out);
    return status;
}

void pr_stream_set_deadline(struct pr_stream *stream, pr_time deadline)
{
    stream->deadline = deadline;
}

void pr_stream_set_timeout(struct pr_stream *stream, uint64_t ms)
{
    stream->timeout = ms;
}

uint64_t pr_stream_octets_in(const struct pr_stream *stream)
{
    return stream->octets_in;
}

uint64_t pr_stream_octets_out(const struct pr_stream *stream)
{
    return stream->octets_out;
}

void pr_stream_close(struct pr_stream *stream)
{
    if (stream == NULL)
        return;
    proof_end(&stream->proof);
    if (stream->transport != NULL)
        stream->transport->ops->close(stream->transport);
    if (stream->out.size > 0)
        explicit_bzero(stream->out.data, stream->out.size);
    pr_buffer_done(&stream->out);
    memory_free(stream->in);
    memory_free(stream);
}
