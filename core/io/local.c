/*
 * Connections to unix sockets of this machine.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/socket.h"

/* While the server's queue is full there is nothing to wait on; this often it
 * is tried again. */
#define RETRY_MS 50

static pr_status try_until(int fd, const struct sockaddr_un *where,
                           pr_time deadline)
{
    while (connect(fd, (const struct sockaddr *)where, sizeof(*where)) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return pr_fail_errno(PR_NETWORK, errno, "cannot connect to %s",
                                 where->sun_path);
        if (pr_now() >= deadline)
            return pr_fail(PR_TIMEOUT, "cannot connect to %s: it is busy",
                           where->sun_path);
        pr_status status = pr_sleep(RETRY_MS);
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

pr_status local_connect(const char *path, pr_time deadline,
                        const struct pr_log *log, struct transport **ret)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(where.sun_path))
        return pr_fail(PR_CONFIG,
                       "the path %.60s... is longer than a socket's may be",
                       path);
    memcpy(where.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return pr_fail_errno(PR_NETWORK, errno, "cannot make a socket");
    pr_status status = try_until(fd, &where, deadline);
    if (status != PR_OK) {
        (void)close(fd);
        return status;
    }
    pr_log(log, PR_LOG_DEBUG, "connected to %s", path);
    return socket_wrap(fd, NULL, ret);
}
