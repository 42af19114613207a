/*
 * How streams are put together: a transport below, buffers above.
 *
 * Protocols include <postrider/stream.h>; this is for io/ and for tests, which
 * can bring a transport of their own.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <postrider/stream.h>

/* One layer that carries octets. read and write may wait; they move at least
 * one octet or fail. read: PR_EOF at the end. */
struct transport {
    const struct transport_ops *ops;
};

struct transport_ops {
    pr_status (*read)(struct transport *transport, void *data, size_t size,
                      pr_time deadline, size_t *ret_size);
    pr_status (*write)(struct transport *transport, const void *data,
                       size_t size, pr_time deadline, size_t *ret_size);
    void (*close)(struct transport *transport);           /* frees it */
    int (*descriptor)(const struct transport *transport); /* -1: none */
};

/* Takes `transport`, also on failure. `net` is lent (its timeout counts). */
PR_CHECKED pr_status stream_new(struct transport *transport,
                                const struct pr_net_options *net,
                                const struct pr_log *log,
                                struct pr_stream **ret);

/* TCP by Happy Eyeballs (RFC 8305): addresses interleaved by family, a new try
 * every 250 ms, the first that connects wins. */
PR_CHECKED pr_status tcp_connect(const char *host, uint16_t port,
                                 pr_time deadline, const struct pr_log *log,
                                 struct transport **ret);
/* A program whose standard input and output are the line. */
PR_CHECKED pr_status tunnel_open(const char *const *argv,
                                 const struct pr_log *log,
                                 struct transport **ret);
/* TLS over the descriptor of `below`, which it takes (also on failure). Checks
 * chain, name and pin; sends SNI; resumes a session of the same host, port and
 * settings. */
PR_CHECKED pr_status tls_connect(struct transport *below,
                                 const struct pr_net_options *net,
                                 uint16_t port, pr_time deadline,
                                 const struct pr_log *log,
                                 struct transport **ret);

/* Waits until `fd` can be read (or written). For transports. */
struct poller;
PR_CHECKED pr_status poller_new(int fd, struct poller **ret);
PR_CHECKED pr_status poller_wait(struct poller *poller, bool to_write,
                                 pr_time deadline);
void poller_free(struct poller *poller); /* before the descriptor is closed */

#endif
