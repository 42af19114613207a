/*
 * One client of the socket: lines in, lines out, one request at a time.
 */
#include "config.h"

#include "control/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "control/answer.h"
#include "control/event.h"
#include "control/request.h"
#include "fiber/loop.h"
#include "io/stream.h"

enum {
    OUT_MAX = 1024 * 1024, /* octets that wait for a client to read them */
    WRITE_TIMEOUT = 30000, /* ms in which a client takes at least an octet */
    LAST_WORD = 2000       /* ms for a slow one to take the word */
};

static const struct pr_log control_log = {NULL, "control"};

struct client {
    struct control *control;
    int fd, write_fd; /* two, so that two fibers may wait for the socket */
    struct poller *reader, *writer;
    struct pr_buffer in, out;
    struct pr_event out_moves;
    struct pr_fiber *fiber; /* of client_run */
    struct pr_scope work;   /* the request that is being answered */
    const struct request *request;
    bool is_busy;
    bool is_over; /* nothing is added any more; what is there is written */
    bool is_slow;
    bool is_broken; /* nothing can be written */
};

bool client_is_gone(const struct client *client)
{
    return client->is_over || client->is_slow || client->is_broken;
}

/* ---- Out ----------------------------------------------------------------- */

/* Drops all lines but the one that has been written in part, for a last word.
 */
static void give_up(struct client *client)
{
    static const char word[] =
        "{\"ok\":false,\"error\":\"limit\",\"text\":\"you read too slowly\"}\n";
    const char *end = memchr(client->out.data, '\n', client->out.size);
    client->out.size = end != NULL ? (size_t)(end - client->out.data) + 1 : 0;
    (void)!pr_buffer_add_text(&client->out, word);
    client->is_slow = true;
    pr_log(&control_log, PR_LOG_WARNING,
           "a client of the socket reads too slowly and is dropped");
    fiber_wake(client->fiber);
}

void client_send(struct client *client, json_t *object)
{
    char *text = NULL;
    if (object != NULL && !client_is_gone(client)) {
        text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
        if (text == NULL ||
            pr_buffer_printf(&client->out, "%s\n", text) != PR_OK) {
            give_up(client);
        }
    } else if (object == NULL) {
        client->is_broken = true;
    }
    free(text);
    json_decref(object);
    pr_event_wake_all(&client->out_moves);
}

static pr_status write_some(struct client *client)
{
    ssize_t sent = send(client->write_fd, client->out.data, client->out.size,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
        pr_buffer_consume(&client->out, (size_t)sent);
        return PR_OK;
    }
    if (errno != EAGAIN && errno != EINTR) {
        return PR_NETWORK;
    }
    return poller_wait(client->writer, true,
                       pr_in(client->is_slow ? LAST_WORD : WRITE_TIMEOUT));
}

static pr_status write_all(void *argument)
{
    struct client *client = argument;
    pr_status status = PR_OK;
    while (status == PR_OK) {
        if (client->out.size > 0) {
            status = write_some(client);
        } else if (client->is_over || client->is_slow) {
            break;
        } else {
            status = pr_event_wait(&client->out_moves, PR_NEVER);
        }
    }
    if (status == PR_CANCELLED && client->out.size > 0) {
        (void)!send(client->write_fd, client->out.data, client->out.size,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    client->is_broken = client->is_broken || status != PR_OK;
    if (client->is_broken || client->is_slow) {
        /* The reader finds the end of the line. */
        (void)shutdown(client->fd, SHUT_RDWR);
    }
    fiber_wake(client->fiber);
    return PR_OK;
}

/* ---- The work ------------------------------------------------------------ */

static pr_status work(void *argument)
{
    struct client *client = argument;
    client_send(client, answer(client->control, client->request, client));
    client->is_busy = false;
    fiber_wake(client->fiber);
    return PR_OK;
}

/* Is the line still of use? Half closed, it is: the answer can be read. */
static bool is_hung_up(const struct client *client)
{
    struct pollfd state = {.fd = client->fd};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

/* Waits until the request is answered, or nobody wants the answer: the client
 * has gone, or follows and says something else. */
static void accompany(struct client *client)
{
    bool listens = true;
    while (client->is_busy && !client->is_slow && !client->is_broken) {
        if (listens && poller_arm(client->reader, false) != PR_OK) {
            listens = false;
        }
        pr_status status = fiber_park(PR_NEVER);
        bool has_fired = listens && poller_fired(client->reader);
        if (listens) {
            poller_forget(client->reader);
        }
        if (status != PR_OK || is_hung_up(client)) {
            break;
        }
        if (has_fired) {
            /* More to come, or half closed: ends what would go on for ever. */
            if (client->request->follow) {
                break;
            }
            listens = false;
        }
    }
    if (client->is_busy) {
        pr_scope_cancel(&client->work);
    }
    (void)pr_scope_join(&client->work);
}

static json_t *refusal(void)
{
    const struct pr_failure *failure = pr_last_failure();
    return json_pack("{s:b,s:s,s:o}", "ok", 0, "error",
                     pr_status_name(failure->status), "text",
                     event_text(failure->text));
}

static void serve_line(struct client *client, struct pr_bytes line)
{
    struct request request;
    struct pr_arena *arena = pr_arena_new();
    if (arena == NULL || request_parse(line, arena, &request) != PR_OK) {
        client_send(client, refusal());
        pr_arena_free(arena);
        return;
    }
    client->request = &request;
    client->is_busy = true;
    pr_scope_init(&client->work);
    if (pr_spawn(&client->work, "answer", PR_STACK_RULE, work, client) ==
        PR_OK) {
        accompany(client);
    } else {
        client_send(client, refusal());
    }
    client->is_busy = false;
    pr_arena_free(arena);
}

/* ---- In ------------------------------------------------------------------ */

/* More octets into the buffer; PR_EOF at the end. */
static pr_status read_some(struct client *client)
{
    char *room = pr_buffer_reserve(&client->in, 4096);
    if (room == NULL) {
        return pr_last_failure()->status;
    }
    for (;;) {
        ssize_t size = recv(client->fd, room, 4096, MSG_DONTWAIT);
        if (size > 0) {
            pr_buffer_grew(&client->in, (size_t)size);
            return PR_OK;
        }
        if (size == 0) {
            return PR_EOF;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return PR_NETWORK;
        }
        pr_status status = poller_wait(client->reader, false, PR_NEVER);
        if (status != PR_OK) {
            return status;
        }
    }
}

static pr_status serve(struct client *client)
{
    pr_status status = PR_OK;
    while (status == PR_OK && !client_is_gone(client)) {
        const char *end = client->in.size > 0
                              ? memchr(client->in.data, '\n', client->in.size)
                              : NULL;
        if (end == NULL) {
            status = read_some(client);
            continue;
        }
        size_t size = (size_t)(end - client->in.data);
        serve_line(client, (struct pr_bytes){client->in.data, size});
        pr_buffer_consume(&client->in, size + 1);
    }
    if (status == PR_LIMIT) {
        (void)!pr_fail(PR_LIMIT, "a line is at most %d octets long",
                       REQUEST_MAX);
        client_send(client, refusal());
    }
    return status;
}

static void client_free(struct client *client)
{
    poller_free(client->reader);
    poller_free(client->writer);
    if (client->write_fd >= 0) {
        close(client->write_fd);
    }
    control_hang_up(client->fd);
    pr_buffer_done(&client->in);
    pr_buffer_done(&client->out);
    memory_free(client);
}

pr_status client_run(void *argument)
{
    struct client *client = argument;
    struct pr_scope writers;
    client->fiber = fiber_self();
    pr_scope_init(&writers);
    if (pr_spawn(&writers, "writer", PR_STACK_SESSION, write_all, client) ==
        PR_OK) {
        (void)!serve(client);
    }
    client->is_over = true;
    pr_event_wake_all(&client->out_moves);
    (void)pr_scope_join(&writers);
    client_free(client);
    return PR_OK;
}

pr_status client_new(struct control *control, int fd, struct client **ret)
{
    struct client *client = memory_zeroed(1, sizeof(*client));
    if (client == NULL) {
        close(fd);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    client->control = control;
    client->fd = fd;
    client->write_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    pr_buffer_init(&client->in, REQUEST_MAX);
    pr_buffer_init(&client->out, OUT_MAX);
    pr_status status =
        client->write_fd < 0
            ? pr_fail_errno(PR_IO, errno, "cannot double a descriptor")
            : poller_new(fd, &client->reader);
    if (status == PR_OK) {
        status = poller_new(client->write_fd, &client->writer);
    }
    if (status != PR_OK) {
        client_free(client);
        return status;
    }
    *ret = client;
    return PR_OK;
}
