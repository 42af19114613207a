/*
 * A transport straight on a non-blocking socket.
 */
#include "config.h"

#include "io/socket.h"

#include <errno.h>
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
