/*
 * The parts of a stream, for the files that make one.
 *
 * in[start, end) is what was read and not consumed; the first `scanned` octets
 * of it hold no line end. Nothing crosses the start of TLS in either buffer. A
 * stream that was parked for long has neither buffer until it needs one.
 */
#ifndef IO_STREAM_PARTS_H
#define IO_STREAM_PARTS_H

#include "io/proof.h"
#include "io/stream.h"

struct pr_stream {
    struct transport *transport; /* NULL after a failed handshake */
    struct proof proof;
    const struct pr_net_options *net;
    const struct pr_log *log;
    char *in; /* NULL: given back */
    size_t start, end, in_size, scanned;
    struct pr_buffer out; /* no memory: given back */
    pr_time deadline;
    uint64_t timeout; /* ms; 0: none */
    uint64_t octets_in, octets_out;
    size_t unshared;         /* octets since the others had their turn */
    struct pr_fiber *parked; /* in pr_stream_park; NULL: nobody is */
    uint16_t port;
    bool is_secure;
    bool is_called; /* pr_stream_unpark was, and no park has ended by it */
    char name[280]; /* of the far side, for words */
};

/* Reads at least an octet into the buffer. Waits until `deadline`; fails with
 * the stream's words. */
PR_CHECKED pr_status stream_read_more(struct pr_stream *stream,
                                      pr_time deadline);
/* Gives the failure of a transport the words of this stream. */
pr_status stream_failed(struct pr_stream *stream, pr_status status);

#endif
