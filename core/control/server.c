/*
 * The daemon's socket: who comes is let in, if he may, and served.
 */
#include "config.h"

#include "control/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/client.h"
#include "control/control.h"
#include "io/stream.h"

static const struct pr_log control_log = {NULL, "control"};

/* A word and the door. */
static void turn_away(int fd, const char *word)
{
    (void)!send(fd, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT);
    control_hang_up(fd);
}

static void let_in(struct control *control, struct pr_scope *clients, int fd)
{
    uint32_t uid;
    struct client *client;
    if (!control_peer_is_ours(fd, &uid)) {
        pr_log(&control_log, PR_LOG_WARNING,
               "user %u may not use the control socket", (unsigned)uid);
        turn_away(fd, "{\"ok\":false,\"error\":\"refused\",\"text\":\"this "
                      "daemon belongs to another user\"}\n");
        return;
    }
    if (clients->count >= CLIENTS_MOST) {
        turn_away(fd, "{\"ok\":false,\"error\":\"busy\",\"text\":\"too many "
                      "clients at the same time; try again\"}\n");
        return;
    }
    pr_status status = client_new(control, fd, &client);
    if (status == PR_OK) {
        status =
            pr_spawn(clients, "client", PR_STACK_SESSION, client_run, client);
    }
    if (status != PR_OK) {
        pr_log(&control_log, PR_LOG_WARNING, "a client cannot be served: %s",
               pr_last_failure()->text);
    }
}

/* The next one who comes; *ret_fd -1: this time nobody did. */
static pr_status take_next(int listener, struct poller *poller, int *ret_fd)
{
    *ret_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (*ret_fd >= 0 || errno == EINTR || errno == ECONNABORTED) {
        return PR_OK;
    }
    if (errno == EAGAIN) {
        return poller_wait(poller, false, PR_NEVER);
    }
    /* Out of descriptors or memory: others may give some back. */
    pr_log(&control_log, PR_LOG_WARNING, "nobody can be let in: %s",
           strerror(errno));
    return pr_sleep(1000);
}

pr_status server_run(void *argument)
{
    struct control *control = argument;
    struct poller *poller;
    struct pr_scope clients;
    int fd;
    pr_status status = poller_new(control->socket.fd, &poller);
    if (status != PR_OK) {
        return status;
    }
    pr_scope_init(&clients);
    while (status == PR_OK) {
        status = take_next(control->socket.fd, poller, &fd);
        if (fd >= 0) {
            let_in(control, &clients, fd);
        }
    }
    pr_scope_cancel(&clients);
    (void)pr_scope_join(&clients);
    poller_free(poller);
    return status;
}
