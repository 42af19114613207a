/*
 * How streams are put together: a transport below, buffers above.
 *
 * Protocols include <postrider/stream.h>; this is for io/ and for tests, which
 * can bring a transport of their own.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <postrider/stream.h>

struct poller;

/* One layer that carries octets. */
struct transport {
    const struct transport_ops *ops;
    struct poller *poller; /* of `fd`; NULL: none */
    int fd;                /* non-blocking socket; -1: none */
};

/* read and write may wait; they move at least one octet or fail. Their words
 * need not name the far side: the stream does. */
struct transport_ops {
    /* PR_EOF at the end. After PR_TIMEOUT it may be called again. */
    pr_status (*read)(struct transport *transport, void *data, size_t size,
                      pr_time deadline, size_t *ret_size);
    pr_status (*write)(struct transport *transport, const void *data,
                       size_t size, pr_time deadline, size_t *ret_size);
    void (*close)(struct transport *transport); /* frees it */
    /* Gives back what memory it does not need while nothing comes; NULL: it has
     * none. */
    void (*shrink)(struct transport *transport);
    /* NULL: tls_connect over the descriptor. For tests. */
    pr_status (*start_tls)(struct transport *transport, pr_time deadline);
};

/* Takes `transport`, also on failure. `net` is lent (its timeout counts);
 * `port` is used when net->port is 0. */
PR_CHECKED pr_status stream_new(struct transport *transport,
                                const struct pr_net_options *net, uint16_t port,
                                const struct pr_log *log,
                                struct pr_stream **ret);

/* For tests: makes the transport below pr_stream_connect in place of TCP or a
 * tunnel; `port` is the one in use. NULL in production. */
extern pr_status (*stream_connect_hook)(const struct pr_net_options *net,
                                        uint16_t port, const struct pr_log *log,
                                        struct transport **ret);

/* TCP by Happy Eyeballs (RFC 8305): addresses interleaved by family, a new try
 * every 250 ms or at once when one fails; the first that connects wins. Begins
 * again, lookup included, with each new era of attempts (io/attempt.h). Waits.
 * PR_NETWORK, PR_TIMEOUT, PR_CONFIG for what can be no host name. */
PR_CHECKED pr_status tcp_connect(const char *host, uint16_t port,
                                 pr_time deadline, const struct pr_log *log,
                                 struct transport **ret);
/* The unix socket at `path`. Waits. PR_NETWORK, PR_TIMEOUT, PR_CONFIG for a
 * path that no socket can have. */
PR_CHECKED pr_status local_connect(const char *path, pr_time deadline,
                                   const struct pr_log *log,
                                   struct transport **ret);
/* A program whose standard input and output are the line; its standard error is
 * ours. Killed with its process group at close. */
PR_CHECKED pr_status tunnel_open(const char *const *argv,
                                 const struct pr_log *log,
                                 struct transport **ret);
/* TLS over the descriptor of `below`, which it takes (also on failure). Waits,
 * never beyond `deadline`.
 *
 * The chain must lead to a trusted certificate and the leaf must carry the name
 * (RFC 9525: a subjectAltName; the CN does not count) of net->verify_name, else
 * of net->host. net->pin is asked for besides; only where the leaf is signed by
 * itself and its key is the pinned one, the pin alone is enough: name and dates
 * of such a certificate mean nothing. SNI is sent unless the name is an
 * address. A session of the same host, port and settings is resumed. */
PR_CHECKED pr_status tls_connect(struct transport *below,
                                 const struct pr_net_options *net,
                                 uint16_t port, pr_time deadline,
                                 const struct pr_log *log,
                                 struct transport **ret);

/* Wakes a fiber when `fd` can be read or written. One fiber at a time. Stays
 * armed between waits, so that a busy descriptor costs no system call for each:
 * try the I/O first, wait when it says EAGAIN. */
PR_CHECKED pr_status poller_new(int fd, struct poller **ret);
PR_CHECKED pr_status poller_wait(struct poller *poller, bool to_write,
                                 pr_time deadline);
/* Without waiting: the running fiber's next fiber_park ends when it fires. */
PR_CHECKED pr_status poller_arm(struct poller *poller, bool to_write);
/* Has it fired since it was armed? */
bool poller_fired(const struct poller *poller);
/* The fiber that armed it will not wait for it any more. */
void poller_forget(struct poller *poller);
void poller_free(struct poller *poller); /* before the descriptor is closed */

/* A descriptor of a library that holds its connections itself. */
struct polled {
    int fd;
    bool to_read, to_write; /* one of them at least */
};

#define POLLED_MOST 16

/* Waits until one of them is ready; none may have a poller. With none, until
 * the deadline. PR_TIMEOUT, PR_CANCELLED, PR_IO. */
PR_CHECKED pr_status poller_wait_any(const struct polled *polled, size_t count,
                                     pr_time deadline);

#endif
