/*
 * HTTP by libcurl's multi interface, driven by the fiber that asks.
 *
 * A client is one multi handle with one easy handle, and so has the connections
 * that its last requests left open. A request takes a client that nobody uses,
 * the last one put back first. libcurl never waits: between its turns the fiber
 * waits for the sockets that it names.
 */
#include "config.h"

/* Its check of types calls the functions by their own names. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include <postrider/http.h>
#include <postrider/library.h>

#include "base/memory.h"
#include "fiber/offload.h"
#include "io/stream.h"

#define IDLE_MOST 32 /* clients kept for later */
#define RESPONSE_MOST ((size_t)1024 * 1024)
#define HEAD_MOST ((size_t)64 * 1024)
#define AGENT "postrider/" PACKAGE_VERSION

/* clang-format off */
#define FUNCTIONS(each) \
    each(curl_, easy_cleanup) each(curl_, easy_getinfo) \
    each(curl_, easy_init) each(curl_, easy_reset) each(curl_, easy_setopt) \
    each(curl_, easy_strerror) each(curl_, global_init) \
    each(curl_, multi_add_handle) each(curl_, multi_cleanup) \
    each(curl_, multi_info_read) each(curl_, multi_init) \
    each(curl_, multi_remove_handle) each(curl_, multi_setopt) \
    each(curl_, multi_socket_action) each(curl_, slist_append) \
    each(curl_, slist_free_all)

/* clang-format on */

static struct {
    FUNCTIONS(PR_LIBRARY_FUNCTION)
} curl;

static const char *const names[] = {FUNCTIONS(PR_LIBRARY_NAME) NULL};

static struct pr_library library = {.file = CURL_SONAME,
                                    .purpose = "requests over HTTP",
                                    .names = names,
                                    .functions = &curl};

/* What libcurl waits for, as it last said. */
struct wants {
    struct polled polled[POLLED_MOST];
    size_t count;
    pr_time timer;
};

struct client {
    struct client *next; /* in the list of the idle */
    CURLM *multi;
    CURL *easy;
    struct wants wants;
    struct pr_http *http; /* the request it is at */
    uint64_t sent;        /* octets of the body */
    pr_status status;     /* of a function that libcurl called */
};

static struct client *idle;
static size_t idle_count;

/* ---- Clients ------------------------------------------------------------- */

static void client_free(struct client *client)
{
    if (client == NULL) {
        return;
    }
    if (client->multi != NULL) {
        curl.multi_cleanup(client->multi);
    }
    curl.easy_cleanup(client->easy);
    memory_free(client);
}

static int note_socket(CURL *easy, curl_socket_t fd, int what, void *user,
                       void *socket);
static int note_timer(CURLM *multi, long ms, void *user);

static pr_status client_new(struct client **ret)
{
    struct client *client = memory_zeroed(1, sizeof(*client));
    if (client != NULL) {
        client->multi = curl.multi_init();
        client->easy = curl.easy_init();
    }
    if (client == NULL || client->multi == NULL || client->easy == NULL) {
        client_free(client);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    client->wants.timer = PR_NEVER;
    curl.multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, note_socket);
    curl.multi_setopt(client->multi, CURLMOPT_SOCKETDATA, &client->wants);
    curl.multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, note_timer);
    curl.multi_setopt(client->multi, CURLMOPT_TIMERDATA, &client->wants);
    *ret = client;
    return PR_OK;
}

static pr_status set_up_library(void *argument)
{
    pr_status status = pr_library_link(&library);
    (void)argument;
    if (status == PR_OK && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        status = pr_fail(PR_NOMEM, "libcurl cannot be set up");
    }
    /* What OpenSSL began for this thread ends now: threads of the pool end when
     * OpenSSL is no longer there to do it. */
    OPENSSL_thread_stop();
    return status;
}

static pr_status client_take(struct client **ret)
{
    if (idle == NULL) {
        return client_new(ret);
    }
    *ret = idle;
    idle = idle->next;
    idle_count--;
    return PR_OK;
}

static void client_put(struct client *client)
{
    if (idle_count >= IDLE_MOST) {
        client_free(client);
        return;
    }
    curl.easy_reset(client->easy); /* its connections stay */
    client->http = NULL;
    client->next = idle;
    idle = client;
    idle_count++;
}

/* ---- What libcurl calls -------------------------------------------------- */

static size_t take_body(char *data, size_t one, size_t size, void *user)
{
    struct client *client = user;
    (void)one;
    client->status = pr_buffer_add(&client->http->response, data, size);
    return client->status == PR_OK ? size : 0;
}

/* A new status line begins the next response: of a redirect, or after 100. */
static size_t take_head(char *data, size_t one, size_t size, void *user)
{
    struct client *client = user;
    (void)one;
    if (size >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        pr_buffer_clear(&client->http->head);
    }
    client->status = pr_buffer_add(&client->http->head, data, size);
    return client->status == PR_OK ? size : 0;
}

static size_t give_message(char *data, size_t one, size_t count, void *user)
{
    struct client *client = user;
    size_t size = 0;
    client->status = pr_spool_read(client->http->message, client->sent, data,
                                   one * count, &size);
    client->sent += size;
    return client->status == PR_OK ? size : CURL_READFUNC_ABORT;
}

static int seek_message(void *user, curl_off_t offset, int origin)
{
    struct client *client = user;
    if (origin != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    client->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- The request --------------------------------------------------------- */

/* The first failure stays in `code`. */
#define SET(option, value) \
    (code = code == CURLE_OK ? curl.easy_setopt(easy, (option), (value)) : code)

static CURLcode set_body(CURL *easy, struct client *client)
{
    struct pr_http *http = client->http;
    CURLcode code = CURLE_OK;
    if (http->message != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE,
            (curl_off_t)pr_spool_size(http->message));
        SET(CURLOPT_READFUNCTION, give_message);
        SET(CURLOPT_READDATA, client);
        SET(CURLOPT_SEEKFUNCTION, seek_message);
        SET(CURLOPT_SEEKDATA, client);
    } else if (http->body.data != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)http->body.size);
        SET(CURLOPT_POSTFIELDS, http->body.data);
    }
    if (http->method != NULL && strcmp(http->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (http->method != NULL) {
        SET(CURLOPT_CUSTOMREQUEST, http->method);
    }
    return code;
}

/* What is posted goes to where the user sent it, and no further. */
static bool may_follow(const struct pr_http *http)
{
    bool has_body = http->message != NULL || http->body.data != NULL;
    return http->redirects > 0 && !has_body &&
           (http->method == NULL || strcmp(http->method, "GET") == 0 ||
            strcmp(http->method, "HEAD") == 0);
}

static CURLcode set_safety(CURL *easy, const struct pr_http *http)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, may_follow(http) ? 1L : 0L);
    SET(CURLOPT_MAXREDIRS, (long)http->redirects);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (http->ca_file != NULL) {
        SET(CURLOPT_CAINFO, http->ca_file);
    }
    if (http->is_direct) {
        SET(CURLOPT_PROXY, "");
    }
    if (http->unix_socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, http->unix_socket);
    }
    if (http->user != NULL) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, http->user);
        SET(CURLOPT_PASSWORD, http->password != NULL ? http->password : "");
    }
    return code;
}

static CURLcode set_up(struct client *client, struct curl_slist *headers,
                       char *words)
{
    struct pr_http *http = client->http;
    CURL *easy = client->easy;
    CURLcode code = CURLE_OK;
    words[0] = '\0';
    SET(CURLOPT_URL, http->url);
    SET(CURLOPT_USERAGENT, AGENT);
    SET(CURLOPT_ERRORBUFFER, words);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_ACCEPT_ENCODING, NULL);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, client);
    SET(CURLOPT_HEADERFUNCTION, take_head);
    SET(CURLOPT_HEADERDATA, client);
    if (code == CURLE_OK) {
        code = set_safety(easy, http);
    }
    return code == CURLE_OK ? set_body(easy, client) : code;
}

/* ---- Its end ------------------------------------------------------------- */

static pr_status status_of(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return PR_CONFIG;
    case CURLE_OUT_OF_MEMORY:
        return PR_NOMEM;
    case CURLE_OPERATION_TIMEDOUT:
        return PR_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return PR_TLS;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
        return PR_PROTOCOL;
    default:
        return PR_NETWORK;
    }
}

/* The words name the server, and no more of the URL: it may hold a secret. */
static const char *server_of(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t length = strcspn(host, "/?#");
    for (size_t i = length; i > 0; i--) {
        if (host[i - 1] == '@') {
            host += i;
            length -= i;
            break;
        }
    }
    if (length >= size) {
        length = size - 1;
    }
    memcpy(out, host, length);
    out[length] = '\0';
    return out;
}

static pr_status outcome(struct client *client, CURLcode code,
                         const char *words)
{
    struct pr_http *http = client->http;
    char server[200];
    if (client->status == PR_LIMIT) {
        return pr_fail(PR_LIMIT, "%s: the response is larger than %zu octets",
                       server_of(http->url, server, sizeof(server)),
                       http->response.cap);
    }
    if (client->status != PR_OK) {
        return client->status;
    }
    if (code != CURLE_OK) {
        return pr_fail(status_of(code), "%s: %s",
                       server_of(http->url, server, sizeof(server)),
                       words[0] != '\0' ? words : curl.easy_strerror(code));
    }
    curl.easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &http->status);
    return PR_OK;
}

/* ---- Waiting ------------------------------------------------------------- */

static int note_socket(CURL *easy, curl_socket_t fd, int what, void *user,
                       void *socket)
{
    struct wants *wants = user;
    size_t i = 0;
    (void)easy;
    (void)socket;
    while (i < wants->count && wants->polled[i].fd != fd) {
        i++;
    }
    if (what == CURL_POLL_REMOVE) {
        if (i < wants->count) {
            wants->polled[i] = wants->polled[--wants->count];
        }
        return 0;
    }
    if (i == POLLED_MOST) {
        return -1;
    }
    wants->polled[i] = (struct polled){fd, (what & CURL_POLL_IN) != 0,
                                       (what & CURL_POLL_OUT) != 0};
    wants->count += i == wants->count;
    return 0;
}

static int note_timer(CURLM *multi, long ms, void *user)
{
    struct wants *wants = user;
    (void)multi;
    wants->timer = ms < 0 ? PR_NEVER : pr_in((uint64_t)ms);
    return 0;
}

/* Lets libcurl go on with each socket that is noted, ready or not: it does not
 * wait, and finds out itself. */
static CURLMcode turn(struct client *client, int *running)
{
    struct wants now = client->wants;
    if (client->wants.timer <= pr_now()) {
        client->wants.timer = PR_NEVER; /* it is told anew if it is to be */
    }
    CURLMcode code = curl.multi_socket_action(client->multi,
                                              CURL_SOCKET_TIMEOUT, 0, running);
    for (size_t i = 0; code == CURLM_OK && i < now.count; i++) {
        code = curl.multi_socket_action(client->multi, now.polled[i].fd, 0,
                                        running);
    }
    return code;
}

static pr_status drive(struct client *client)
{
    struct wants *wants = &client->wants;
    pr_time deadline = client->http->deadline;
    int running = 1;
    while (turn(client, &running) == CURLM_OK && running > 0) {
        pr_time until = wants->timer < deadline ? wants->timer : deadline;
        pr_status status = poller_wait_any(wants->polled, wants->count, until);
        if (status != PR_OK && (status != PR_TIMEOUT || pr_now() >= deadline)) {
            return status;
        }
    }
    return PR_OK;
}

static CURLcode code_of(struct client *client)
{
    int left;
    const CURLMsg *message = curl.multi_info_read(client->multi, &left);
    while (message != NULL && message->msg != CURLMSG_DONE) {
        message = curl.multi_info_read(client->multi, &left);
    }
    return message != NULL ? message->data.result : CURLE_RECV_ERROR;
}

static pr_status run(struct client *client, struct curl_slist *headers)
{
    char words[CURL_ERROR_SIZE], server[200];
    CURLcode code = set_up(client, headers, words);
    if (code != CURLE_OK) {
        return outcome(client, code, words);
    }
    if (curl.multi_add_handle(client->multi, client->easy) != CURLM_OK) {
        return pr_fail(PR_NOMEM, "libcurl cannot begin a request");
    }
    pr_status status = drive(client);
    if (status == PR_OK) {
        status = outcome(client, code_of(client), words);
    } else if (status == PR_TIMEOUT) {
        status = pr_fail(PR_TIMEOUT, "%s: no answer in time",
                         server_of(client->http->url, server, sizeof(server)));
    }
    curl.multi_remove_handle(client->multi, client->easy);
    return status;
}

/* "Expect: 100-continue" costs a second with servers that do not know it. */
static pr_status copy_headers(const struct pr_http *http,
                              struct curl_slist **ret)
{
    struct curl_slist *list = curl.slist_append(NULL, "Expect:");
    for (size_t i = 0;
         list != NULL && http->headers != NULL && http->headers[i] != NULL;
         i++) {
        struct curl_slist *longer;
        if (strpbrk(http->headers[i], "\r\n") != NULL) {
            curl.slist_free_all(list);
            return pr_fail(PR_CONFIG, "a header line holds a line end");
        }
        longer = curl.slist_append(list, http->headers[i]);
        if (longer == NULL) {
            curl.slist_free_all(list);
        }
        list = longer;
    }
    *ret = list;
    return list != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");
}

pr_status pr_http_run(struct pr_http *http)
{
    static atomic_bool is_ready;
    struct curl_slist *headers;
    struct client *client = NULL;
    pr_status status = offload_once(set_up_library, &is_ready);
    if (status == PR_OK) {
        status = copy_headers(http, &headers);
    }
    if (status != PR_OK) {
        return status;
    }
    pr_buffer_init(&http->response, http->response_most != 0
                                        ? http->response_most
                                        : RESPONSE_MOST);
    pr_buffer_init(&http->head, HEAD_MOST);
    status = client_take(&client);
    if (status == PR_OK) {
        client->http = http;
        client->sent = 0;
        client->status = PR_OK;
        status = run(client, headers);
        client_put(client);
    }
    curl.slist_free_all(headers);
    return status;
}
