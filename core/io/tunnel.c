/*
 * A program as the line to a server, over a pair of sockets.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/process.h"
#include "io/socket.h"

/* How long to wait for the exit status of a program that closed its output. */
#define LAST_WORDS_MS 500

struct tunnel {
    struct transport base;
    struct process *process;
    const char *program; /* lent */
};

static pr_status tunnel_ended(struct tunnel *tunnel)
{
    pr_time until = pr_in(LAST_WORDS_MS);
    pr_status status = PR_OK;
    int exit_status;

    while (!process_has_ended(tunnel->process, &exit_status)) {
        if (status != PR_OK)
            return pr_fail(PR_EOF, "the program closed the connection");
        process_arm(tunnel->process);
        status = fiber_park(until);
    }
    if (exit_status == 0)
        return pr_fail(PR_EOF, "the program has ended");
    return pr_fail(PR_EOF, "the program has ended with status %d", exit_status);
}

static pr_status tunnel_read(struct transport *transport, void *data,
                             size_t size, pr_time deadline, size_t *ret_size)
{
    pr_status status = socket_read(transport, data, size, deadline, ret_size);

    if (status == PR_EOF)
        return tunnel_ended((struct tunnel *)transport);
    return status;
}

static void tunnel_close(struct transport *transport)
{
    struct tunnel *tunnel = (struct tunnel *)transport;

    process_free(tunnel->process);
    poller_free(transport->poller);
    close(transport->fd);
    memory_free(tunnel);
}

static const struct transport_ops tunnel_ops = {
    .read = tunnel_read,
    .write = socket_write,
    .close = tunnel_close,
};

/* Our end does not block, the program's does. */
static pr_status make_pair(int ret_fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds) != 0)
        return pr_fail_errno(PR_IO, errno, "cannot make a pair of sockets");
    fcntl(ret_fds[0], F_SETFL, O_NONBLOCK);
    return PR_OK;
}

pr_status tunnel_open(const char *const *argv, const struct pr_log *log,
                      struct transport **ret)
{
    struct tunnel *tunnel = memory_zeroed(1, sizeof(*tunnel));
    int fds[2];

    if (tunnel == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    pr_status status = make_pair(fds);
    if (status != PR_OK) {
        memory_free(tunnel);
        return status;
    }
    struct process_setup setup = {.argv = argv, .fds = {fds[1], fds[1], 2}};
    tunnel->base = (struct transport){&tunnel_ops, NULL, fds[0]};
    tunnel->program = argv[0];
    status = poller_new(fds[0], &tunnel->base.poller);
    if (status == PR_OK)
        status = process_start(&setup, &tunnel->process);
    close(fds[1]);
    if (status != PR_OK) {
        tunnel_close(&tunnel->base);
        return status;
    }
    pr_log(log, PR_LOG_DEBUG, "talking through %s", argv[0]);
    *ret = &tunnel->base;
    return PR_OK;
}
