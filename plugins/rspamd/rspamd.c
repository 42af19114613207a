/*
 * The rspamd plugin: a message asked about, or taught, over rspamd's HTTP
 * protocol.
 */
#include "config.h"

#include "rspamd.h"

#include <stdio.h>
#include <string.h>

#include <postrider/header.h>
#include <postrider/http.h>

#define HEADER_MOST (64 * 1024)
#define REPLY_MOST (1024 * 1024)
#define HEADERS_MOST 8

struct options {
    struct pr_service_settings settings;
    const char *url;
    const char *socket;
    const struct pr_secret *password;
    const char *learn_url;
    const char *ca_file;
    uint64_t limit;
};

static const struct pr_option options[] = {
    {.name = "url",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct options, url),
     .fallback = "http://localhost:11333",
     .help = "where rspamd's normal worker answers",
     .positional = true},
    {.name = "socket",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct options, socket),
     .help = "unix socket to connect to instead of the host in url"},
    {.name = "password",
     .kind = PR_OPTION_SECRET,
     .offset = offsetof(struct options, password),
     .help = "where the controller's password comes from"},
    {.name = "learn_url",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct options, learn_url),
     .fallback = "http://localhost:11334",
     .help = "where rspamd's controller answers, which learns"},
    {.name = "ca_file",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct options, ca_file),
     .help = "certificates to trust (PEM); default: the system's"},
    {.name = "limit",
     .kind = PR_OPTION_SIZE,
     .offset = offsetof(struct options, limit),
     .fallback = "50M",
     .help = "larger messages are not sent"},
    PR_SERVICE_OPTIONS(struct options, settings, "15s", "8", "5m"),
    {0}};

/* ---- What is asked --------------------------------------------------------
 */

struct check_options {
    const char *ip, *helo, *from, *rcpt;
};

#define CHECK_OPTION(field, words)                                     \
    {                                                                  \
        .name = #field, .kind = PR_OPTION_TEXT,                        \
        .offset = offsetof(struct check_options, field), .help = words \
    }

static const struct pr_option check_verb_options[] = {
    CHECK_OPTION(ip, "address of the host that sent it"),
    CHECK_OPTION(helo, "name that this host gave"),
    CHECK_OPTION(from, "sender of the envelope; default: Return-Path"),
    CHECK_OPTION(rcpt, "recipient of the envelope; default: Delivered-To"),
    {0}};

static const char *const lessons[] = {"spam", "ham", NULL};

struct lesson_options {
    unsigned as; /* index of `lessons` */
};

static const struct pr_option lesson_options[] = {
    {.name = "as",
     .kind = PR_OPTION_CHOICE,
     .offset = offsetof(struct lesson_options, as),
     .choices = lessons,
     .required = true,
     .help = "what it is"},
    {0}};

static const struct pr_verb verbs[] = {
    {.name = "check",
     .summary = "table with score, required, action, spam and symbols (by "
                "their names)",
     .takes_message = true,
     .options = check_verb_options,
     .options_size = sizeof(struct check_options)},
    {.name = "learn",
     .summary = "teaches Bayes; table with changed (true or false)",
     .takes_message = true,
     .options = lesson_options,
     .options_size = sizeof(struct lesson_options)},
    {0}};

/* ---- The request ----------------------------------------------------------
 */

struct request {
    struct pr_arena *arena;
    const char *headers[HEADERS_MOST + 1];
    size_t count;
};

static pr_status add_header(struct request *request, const char *name,
                            struct pr_bytes value)
{
    const char *line;

    if (value.size == 0)
        return PR_OK;
    line = pr_arena_printf(request->arena, "%s: %.*s", name, (int)value.size,
                           value.data);
    if (line == NULL)
        return PR_NOMEM;
    request->headers[request->count++] = line;
    return PR_OK;
}

/* A value that the rule gave, else the address that the header tells. */
static pr_status add_path(struct request *request, const char *name,
                          const char *given, struct pr_bytes header,
                          const char *field)
{
    struct pr_bytes value = pr_bytes_of(given);

    if (given == NULL && !pr_header_path(header, field, &value))
        value = PR_BYTES("");
    return add_header(request, name, value);
}

static pr_status add_envelope(struct request *request,
                              const struct pr_question *question)
{
    const struct check_options *given = question->arguments;
    struct pr_buffer header;
    struct pr_bytes lines;
    pr_status status = pr_header_read(question->message, HEADER_MOST, &header);

    lines = (struct pr_bytes){pr_buffer_text(&header), header.size};
    if (status == PR_OK)
        status = add_header(request, "IP", pr_bytes_of(given->ip));
    if (status == PR_OK)
        status = add_header(request, "Helo", pr_bytes_of(given->helo));
    if (status == PR_OK)
        status = add_path(request, "From", given->from, lines, "Return-Path");
    if (status == PR_OK)
        status = add_path(request, "Rcpt", given->rcpt, lines, "Delivered-To");
    pr_buffer_done(&header);
    return status;
}

static pr_status add_password(struct request *request,
                              const struct options *rspamd)
{
    struct pr_buffer secret;
    pr_status status;

    if (rspamd->password == NULL)
        return PR_OK;
    pr_buffer_init(&secret, HEADER_MOST);
    status = pr_secret_read(rspamd->password, &secret);
    if (status == PR_OK)
        status =
            add_header(request, "Password",
                       (struct pr_bytes){pr_buffer_text(&secret), secret.size});
    pr_secret_wipe(&secret);
    return status;
}

static pr_status status_of(const struct pr_http *http)
{
    if (http->status == 200)
        return PR_OK;
    if (http->status == 401 || http->status == 403)
        return pr_fail(PR_AUTH, "rspamd does not take the password (%ld)",
                       http->status);
    return pr_fail(http->status >= 500 ? PR_LATER : PR_REFUSED,
                   "rspamd answers %ld: %.100s", http->status,
                   pr_buffer_text(&http->response));
}

static pr_status post(const struct options *rspamd, struct request *request,
                      const char *base, const char *path,
                      const struct pr_question *question, struct pr_http *http)
{
    size_t size = strlen(base);
    const char *url;

    while (size > 0 && base[size - 1] == '/')
        size--;
    url = pr_arena_printf(request->arena, "%.*s%s", (int)size, base, path);
    if (url == NULL)
        return PR_NOMEM;
    *http = (struct pr_http){
        .url = url,
        .headers = request->headers,
        .message = question->message,
        .unix_socket = rspamd->socket,
        .ca_file = rspamd->ca_file,
        .is_direct = true,
        .response_most = REPLY_MOST,
        .deadline = question->deadline,
    };
    return pr_http_run(http);
}

static pr_status check_message(const struct options *rspamd,
                               struct request *request,
                               const struct pr_question *question,
                               struct pr_reply *reply)
{
    struct pr_http http = {0};
    pr_status status = add_envelope(request, question);

    if (status == PR_OK)
        status =
            post(rspamd, request, rspamd->url, "/checkv2", question, &http);
    if (status == PR_OK)
        status = status_of(&http);
    if (status == PR_OK)
        status = rspamd_read_verdict(
            (struct pr_bytes){pr_buffer_text(&http.response),
                              http.response.size},
            reply);
    pr_buffer_done(&http.response);
    pr_buffer_done(&http.head);
    return status;
}

/* 208: it was learned before; 204: nothing to learn from. */
static pr_status learn_message(const struct options *rspamd,
                               struct request *request,
                               const struct pr_question *question,
                               struct pr_reply *reply)
{
    const struct lesson_options *lesson = question->arguments;
    struct pr_http http = {0};
    pr_status status =
        post(rspamd, request, rspamd->learn_url,
             lesson->as == 0 ? "/learnspam" : "/learnham", question, &http);

    if (status == PR_OK && (http.status == 208 || http.status == 204))
        pr_reply_boolean(reply, "changed", false);
    else if (status == PR_OK && (status = status_of(&http)) == PR_OK)
        status =
            rspamd_read_lesson((struct pr_bytes){pr_buffer_text(&http.response),
                                                 http.response.size},
                               reply);
    pr_buffer_done(&http.response);
    pr_buffer_done(&http.head);
    return status;
}

static pr_status ask(struct pr_service *service,
                     const struct pr_question *question, struct pr_reply *reply)
{
    const struct options *rspamd = service->options;
    struct request request = {.arena = pr_arena_new()};
    pr_status status;

    if (request.arena == NULL)
        return PR_NOMEM;
    status = pr_service_check_size(service, question, rspamd->limit);
    if (status == PR_OK)
        status = add_password(&request, rspamd);
    if (status == PR_OK)
        status = strcmp(question->verb->name, "learn") == 0
                     ? learn_message(rspamd, &request, question, reply)
                     : check_message(rspamd, &request, question, reply);
    pr_arena_free(request.arena);
    return status;
}

static pr_status check(struct pr_service *service, pr_time deadline)
{
    const struct options *rspamd = service->options;
    struct request request = {.arena = pr_arena_new()};
    struct pr_question question = {.deadline = deadline};
    struct pr_http http = {0};
    pr_status status = PR_NOMEM;

    if (request.arena != NULL)
        status = post(rspamd, &request, rspamd->url, "/ping", &question, &http);
    if (status == PR_OK)
        status = status_of(&http);
    pr_buffer_done(&http.response);
    pr_buffer_done(&http.head);
    pr_arena_free(request.arena);
    return status;
}

static void describe(const void *set, char *name, size_t size)
{
    const struct options *rspamd = set;

    snprintf(name, size, "rspamd %s",
             rspamd->socket != NULL ? rspamd->socket : rspamd->url);
}

/* ---- The descriptor -------------------------------------------------------
 */

static const struct pr_service_ops ops = {
    .size = sizeof(struct pr_service_ops),
    .verbs = verbs,
    .settings = offsetof(struct options, settings),
    .ask = ask,
    .check = check,
    .describe = describe,
};

static const struct pr_class rspamd_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SERVICE,
    .name = "rspamd",
    .summary = "rspamd, which tells spam",
    .options = options,
    .options_size = sizeof(struct options),
    .service = &ops,
};

static const struct pr_class *const classes[] = {&rspamd_class, NULL};

PR_PLUGIN(rspamd) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "rspamd",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "ask rspamd",
    .classes = classes,
};
