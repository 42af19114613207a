/*
 * The caller's side of the socket, for commands.
 */
#include "config.h"

#include "control/call.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <postrider/buffer.h>

#include "base/memory.h"
#include "control/event.h"
#include "control/socket.h"
#include "io/file.h"

/* An answer can hold the metrics of thousands of accounts. */
#define LINE_MAX ((size_t)64 * 1024 * 1024)

struct call {
    int fd;
    struct pr_buffer in;
};

pr_status call_open(const char *state_dir, const char *config,
                    struct call **ret)
{
    int fd;
    pr_status status = control_connect(state_dir, config, &fd);
    if (status != PR_OK) {
        return status;
    }
    struct call *call = memory_zeroed(1, sizeof(*call));
    if (call == NULL) {
        close(fd);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    call->fd = fd;
    pr_buffer_init(&call->in, LINE_MAX);
    *ret = call;
    return PR_OK;
}

void call_close(struct call *call)
{
    if (call != NULL) {
        close(call->fd);
        pr_buffer_done(&call->in);
        memory_free(call);
    }
}

pr_status call_ask(struct call *call, json_t *request)
{
    char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (text == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    size_t size = strlen(text);
    text[size] = '\n'; /* in place of the NUL */
    pr_status status =
        file_write_all(call->fd, text, size + 1, "the daemon's socket");
    free(text);
    return status;
}

static pr_status read_some(struct call *call)
{
    char *room = pr_buffer_reserve(&call->in, 16384);
    if (room == NULL) {
        return pr_last_failure()->status;
    }
    for (;;) {
        ssize_t size = recv(call->fd, room, 16384, 0);
        if (size > 0) {
            pr_buffer_grew(&call->in, (size_t)size);
            return PR_OK;
        }
        if (size == 0 || errno == ECONNRESET || errno == EPIPE) {
            return pr_fail(PR_EOF, "the daemon has gone");
        }
        if (errno == EAGAIN) {
            return pr_fail(PR_TIMEOUT,
                           "the daemon is there, but does not answer");
        }
        if (errno != EINTR) {
            return pr_fail_errno(PR_IO, errno, "the daemon's socket");
        }
    }
}

pr_status call_next(struct call *call, unsigned timeout, json_t **ret)
{
    struct timeval limit = {.tv_sec = (time_t)timeout};
    const char *end = NULL;
    (void)setsockopt(call->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    for (size_t seen = 0; end == NULL;) {
        if (call->in.size > seen) {
            end = memchr(call->in.data + seen, '\n', call->in.size - seen);
            seen = call->in.size;
        }
        pr_status status = end == NULL ? read_some(call) : PR_OK;
        if (status != PR_OK) {
            return status;
        }
    }
    size_t size = (size_t)(end - call->in.data);
    *ret = json_loadb(call->in.data, size, 0, NULL);
    pr_buffer_consume(&call->in, size + 1);
    return *ret != NULL
               ? PR_OK
               : pr_fail(PR_PROTOCOL, "the daemon's answer is no line of JSON");
}

bool call_is_last(const json_t *line, pr_status *ret)
{
    const json_t *ok = json_object_get(line, "ok");
    const char *error = json_string_value(json_object_get(line, "error"));
    const char *text = json_string_value(json_object_get(line, "text"));
    if (!json_is_boolean(ok)) {
        return false;
    }
    *ret = json_is_true(ok)
               ? PR_OK
               : pr_fail(status_of_name(error != NULL ? error : ""), "%s",
                         text != NULL ? text : "the daemon says no");
    return true;
}
