/*
 * Metrics over HTTP, for those who collect them: GET /metrics.
 */
#include "config.h"

#include "control/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postrider/library.h>

#include "base/memory.h"
#include "control/openmetrics.h"
#include "control/report.h"
#include "io/stream.h"

enum { CONNECTIONS = 16, IDLE_SECONDS = 10, ADDRESS_MAX = 80 };

/* clang-format off */
#define FUNCTIONS(each) \
    each(MHD_, add_response_header) each(MHD_, create_response_from_buffer) \
    each(MHD_, destroy_response) each(MHD_, get_daemon_info) \
    each(MHD_, get_timeout) each(MHD_, lookup_connection_value) \
    each(MHD_, queue_response) each(MHD_, run) each(MHD_, start_daemon) \
    each(MHD_, stop_daemon)

/* clang-format on */

static struct {
    FUNCTIONS(PR_LIBRARY_FUNCTION)
} mhd;

static const char *const function_names[] = {FUNCTIONS(PR_LIBRARY_NAME) NULL};

static struct pr_library library = {.file = MICROHTTPD_SONAME,
                                    .purpose = "metrics over HTTP",
                                    .names = function_names,
                                    .functions = &mhd};

static const struct pr_log metrics_log = {NULL, "metrics"};

struct listener {
    struct control *control;
    struct MHD_Daemon *http;
    struct poller *poller;
    struct pr_scope scope; /* the fiber that drives it */
    bool is_remote;
    char address[ADDRESS_MAX];
};

/* ---- Addresses ----------------------------------------------------------- */

static pr_status no_address(const char *text)
{
    return pr_fail(PR_CONFIG,
                   "options: metrics = \"%.80s\" is no address and port; write "
                   "\"127.0.0.1:9417\" or \"[::1]:9417\"",
                   text);
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6) {
        return IN6_IS_ADDR_LOOPBACK(
            &((const struct sockaddr_in6 *)address)->sin6_addr);
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

static bool read_address(const char *host, uint16_t port,
                         struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                  &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return true;
    }
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return true;
    }
    return false;
}

pr_status listener_address(const char *text, bool is_remote,
                           struct sockaddr_storage *ret)
{
    char host[ADDRESS_MAX];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) ||
        colon[1] < '0' || colon[1] > '9') {
        return no_address(text);
    }
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t size = (size_t)(colon - text);
    if (text[0] == '[' && size > 2 && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    snprintf(host, sizeof(host), "%.*s", (int)size, text);
    if (*end != '\0' || port == 0 || port > 65535 ||
        !read_address(host, (uint16_t)port, ret)) {
        return no_address(text);
    }
    if (!is_remote && !is_loopback(ret)) {
        return pr_fail(PR_CONFIG,
                       "options: metrics at %s could be read by other "
                       "machines; write metrics_remote = true if that is what "
                       "you want",
                       host);
    }
    return PR_OK;
}

/* ---- Answers ------------------------------------------------------------- */

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned code,
                             const char *type, const char *text, size_t size)
{
    struct MHD_Response *response = mhd.create_response_from_buffer(
        size, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)mhd.add_response_header(response, "Content-Type", type);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)mhd.add_response_header(response, "Allow", "GET, HEAD");
    }
    enum MHD_Result result = mhd.queue_response(connection, code, response);
    mhd.destroy_response(response);
    return result;
}

static enum MHD_Result reply_words(struct MHD_Connection *connection,
                                   unsigned code, const char *words)
{
    return reply(connection, code, "text/plain; charset=utf-8", words,
                 strlen(words));
}

/* A page on the web may lead a browser here under a name of its own; such a
 * name is not ours. */
static bool is_our_name(const struct listener *listener,
                        struct MHD_Connection *connection)
{
    static const char *const names[] = {"localhost", "127.", "[::1]"};
    const char *host = mhd.lookup_connection_value(connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_HOST);
    for (size_t i = 0; host != NULL && i < 3; i++) {
        if (strncmp(host, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return host == NULL || listener->is_remote;
}

static enum MHD_Result send_metrics(const struct listener *listener,
                                    struct MHD_Connection *connection)
{
    struct pr_buffer text;
    pr_buffer_init(&text, METRICS_MAX);
    enum MHD_Result result =
        report_metrics(listener->control, &text) == PR_OK
            ? reply(connection, MHD_HTTP_OK, METRICS_TYPE, text.data, text.size)
            : reply_words(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                          "the numbers cannot be had now\n");
    pr_buffer_done(&text);
    return result;
}

static enum MHD_Result answer(struct listener *listener,
                              struct MHD_Connection *connection,
                              const char *url, const char *method)
{
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return reply_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                           "only GET\n");
    }
    if (!is_our_name(listener, connection)) {
        return reply_words(connection, MHD_HTTP_FORBIDDEN,
                           "not under this name\n");
    }
    if (strcmp(url, "/metrics") != 0) {
        return reply_words(connection, MHD_HTTP_NOT_FOUND,
                           "the metrics are at /metrics\n");
    }
    return send_metrics(listener, connection);
}

/* The library wants so many. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *user, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    static char seen;
    bool is_first = *state == NULL;
    (void)version;
    (void)data;
    *state = &seen;
    if (is_first || *data_size > 0) {
        *data_size = 0; /* read past what nobody asked for */
        return MHD_YES;
    }
    return answer(user, connection, url, method);
}

/* ---- Life ---------------------------------------------------------------- */

static pr_status drive(void *argument)
{
    struct listener *listener = argument;
    pr_status status = PR_OK;
    while (status == PR_OK || status == PR_TIMEOUT) {
        MHD_UNSIGNED_LONG_LONG wait;
        pr_time deadline = PR_NEVER;
        if (mhd.run(listener->http) != MHD_YES) {
            return pr_fail(PR_IO, "the listener for metrics has failed");
        }
        if (mhd.get_timeout(listener->http, &wait) == MHD_YES) {
            deadline = pr_in(wait);
        }
        status = poller_wait(listener->poller, false, deadline);
    }
    return status;
}

static pr_status start(struct listener *listener,
                       const struct sockaddr_storage *address)
{
    bool is_v6 = address->ss_family == AF_INET6;
    pr_status status = pr_library_link(&library);
    if (status != PR_OK) {
        return status;
    }
    listener->http = mhd.start_daemon(
        MHD_USE_EPOLL | (is_v6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, on_request,
        listener, MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)address,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    if (listener->http == NULL) {
        return pr_fail_errno(PR_IO, errno, "cannot listen for metrics at %s",
                             listener->address);
    }
    const union MHD_DaemonInfo *info =
        mhd.get_daemon_info(listener->http, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL) {
        return pr_fail(PR_UNSUPPORTED, "this libmicrohttpd has no epoll");
    }
    status = poller_new(info->epoll_fd, &listener->poller);
    return status == PR_OK ? pr_spawn(&listener->scope, "metrics",
                                      PR_STACK_RULE, drive, listener)
                           : status;
}

static void listener_free(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    pr_scope_cancel(&listener->scope);
    (void)pr_scope_join(&listener->scope);
    poller_free(listener->poller);
    if (listener->http != NULL) {
        mhd.stop_daemon(listener->http);
    }
    memory_free(listener);
}

static pr_status open_new(struct control *control, const char *text,
                          bool is_remote)
{
    struct sockaddr_storage address;
    pr_status status = listener_address(text, is_remote, &address);
    struct listener *listener =
        status == PR_OK ? memory_zeroed(1, sizeof(*listener)) : NULL;
    if (listener == NULL) {
        return status != PR_OK ? status : pr_fail(PR_NOMEM, "out of memory");
    }
    listener->control = control;
    listener->is_remote = is_remote;
    snprintf(listener->address, sizeof(listener->address), "%s", text);
    pr_scope_init(&listener->scope);
    status = start(listener, &address);
    if (status != PR_OK) {
        listener_free(listener);
        return status;
    }
    pr_log(&metrics_log, PR_LOG_INFO, "at http://%s/metrics", text);
    control->listener = listener;
    return PR_OK;
}

pr_status listener_configure(struct control *control)
{
    const struct config *config = daemon_config(control->daemon);
    const struct listener *old = control->listener;
    if (config->metrics != NULL && old != NULL &&
        strcmp(old->address, config->metrics) == 0 &&
        old->is_remote == config->metrics_remote) {
        return PR_OK;
    }
    /* First: the new address may be another on the same port. */
    listener_close(control);
    return config->metrics == NULL
               ? PR_OK
               : open_new(control, config->metrics, config->metrics_remote);
}

void listener_close(struct control *control)
{
    struct listener *listener = control->listener;
    control->listener = NULL;
    listener_free(listener);
}
