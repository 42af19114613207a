/*
 * A transport straight on a non-blocking socket.
 */
#include "config.h"

#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

pr_status socket_read(struct transport *transport, void *data, size_t size,
                      pr_time deadline, size_t *ret_size)
{
    for (;;) {
        ssize_t got = recv(transport->fd, data, size, 0);
        if (got > 0) {
            *ret_size = (size_t)got;
            return PR_OK;
        }
        if (got == 0)
            return pr_fail(PR_EOF, "the far side closed the connection");
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return pr_fail_errno(PR_NETWORK, errno, "the connection broke");
        pr_status status = poller_wait(transport->poller, false, deadline);
        if (status != PR_OK)
            return status;
    }
}

pr_status socket_write(struct transport *transport, const void *data,
                       size_t size, pr_time deadline, size_t *ret_size)
{
    for (;;) {
        ssize_t put = send(transport->fd, data, size, MSG_NOSIGNAL);
        if (put > 0) {
            *ret_size = (size_t)put;
            return PR_OK;
        }
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return pr_fail_errno(PR_NETWORK, errno, "the connection broke");
        pr_status status = poller_wait(transport->poller, true, deadline);
        if (status != PR_OK)
            return status;
    }
}

#define KEEP_COUNT 4 /* questions without an answer */
#define KEEP_IDLE_S 120
#define KEEP_INTERVAL_S 30

/* TCP_USER_TIMEOUT is the same limit for data that is not acknowledged, which
 * the kernel otherwise sends again for a quarter of an hour; it also goes
 * before TCP_KEEPCNT. */
void socket_keep_alive(int fd, int idle, int interval)
{
    int on = 1, count = KEEP_COUNT;
    unsigned int give_up = (unsigned int)(idle + count * interval) * 1000;

    /* None of these matters enough to give the connection up. */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &give_up, sizeof(give_up));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

void socket_keep_alive_as_ever(int fd)
{
    socket_keep_alive(fd, KEEP_IDLE_S, KEEP_INTERVAL_S);
}

static void socket_close(struct transport *transport)
{
    poller_free(transport->poller);
    close(transport->fd);
    memory_free(transport);
}

static const struct transport_ops socket_ops = {
    .read = socket_read,
    .write = socket_write,
    .close = socket_close,
};

pr_status socket_wrap(int fd, struct poller *poller, struct transport **ret)
{
    struct transport *transport = memory_zeroed(1, sizeof(*transport));
    pr_status status = PR_OK;

    if (transport == NULL)
        status = pr_fail(PR_NOMEM, "out of memory");
    else if (poller == NULL)
        status = poller_new(fd, &poller);
    if (status != PR_OK) {
        poller_free(poller);
        close(fd);
        memory_free(transport);
        return status;
    }
    *transport = (struct transport){&socket_ops, poller, fd};
    *ret = transport;
    return PR_OK;
}
