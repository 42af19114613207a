/*
 * The spamd plugin: a message asked about, or taught, over SpamAssassin's
 * protocol (spamd/PROTOCOL, version 1.5).
 */
#include "config.h"

#include "spamd.h"

#include <inttypes.h>
#include <string.h>

#define CHUNK 16384
#define LINE_MOST 8192
#define HEADER_LINES_MOST 100
#define BODY_MOST (256 * 1024)

struct options {
    struct pr_service_settings settings;
    const char *host;
    int64_t port;
    const char *user;
    uint64_t limit;
};

static const struct pr_option options[] = {
    {.name = "host",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct options, host),
     .fallback = "localhost",
     .help = "name of the server, or path of its unix socket",
     .positional = true},
    {.name = "port",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct options, port),
     .fallback = "783",
     .least = 1,
     .most = 65535,
     .help = "TCP port, unless host is a unix socket"},
    {.name = "user",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct options, user),
     .help = "whose preferences and Bayes data spamd is to use"},
    {.name = "limit",
     .kind = PR_OPTION_SIZE,
     .offset = offsetof(struct options, limit),
     .fallback = "1M",
     .help = "larger messages are not sent"},
    PR_SERVICE_OPTIONS(struct options, settings, "30s", "4", "5m"),
    {0}};

/* ---- The request ----------------------------------------------------------
 */

enum lesson { SPAM, HAM, FORGET };

static const char *const lessons[] = {"spam", "ham", "forget", NULL};

struct lesson_options {
    unsigned as; /* enum lesson */
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
     .summary = "table with spam (true or false), score, required and symbols "
                "(a list)",
     .takes_message = true},
    {.name = "learn",
     .summary = "teaches Bayes; table with changed (true or false)",
     .takes_message = true,
     .options = lesson_options,
     .options_size = sizeof(struct lesson_options)},
    {0}};

static pr_status write_head(struct pr_buffer *head, const struct options *spamd,
                            const struct pr_question *question)
{
    const struct lesson_options *lesson = question->arguments;
    pr_status status = pr_buffer_printf(
        head, "%s SPAMC/1.5\r\nContent-length: %" PRIu64 "\r\n",
        lesson != NULL ? "TELL" : "SYMBOLS", pr_spool_size(question->message));

    if (status == PR_OK && spamd->user != NULL)
        status = pr_buffer_printf(head, "User: %s\r\n", spamd->user);
    if (status == PR_OK && lesson != NULL && lesson->as == FORGET)
        status = pr_buffer_add_text(head, "Remove: local\r\n");
    else if (status == PR_OK && lesson != NULL)
        status = pr_buffer_printf(head, "Message-class: %s\r\nSet: local\r\n",
                                  lesson->as == SPAM ? "spam" : "ham");
    return status == PR_OK ? pr_buffer_add_text(head, "\r\n") : status;
}

static pr_status send_message(struct pr_stream *stream,
                              const struct pr_spool *spool)
{
    char chunk[CHUNK];
    uint64_t at = 0;
    size_t size = 1;
    pr_status status = PR_OK;

    while (status == PR_OK && size > 0) {
        status = pr_spool_read(spool, at, chunk, sizeof chunk, &size);
        if (status == PR_OK)
            status = pr_stream_write(stream, chunk, size);
        at += size;
    }
    return status == PR_OK ? pr_stream_flush(stream) : status;
}

static pr_status send_request(struct pr_stream *stream,
                              const struct options *spamd,
                              const struct pr_question *question)
{
    struct pr_buffer head = {.cap = 4096};
    pr_status status = write_head(&head, spamd, question);

    if (status == PR_OK)
        status = pr_stream_write(stream, pr_buffer_text(&head), head.size);
    if (status == PR_OK)
        status = send_message(stream, question->message);
    pr_buffer_done(&head);
    return status;
}

/* ---- The reply ------------------------------------------------------------
 */

static pr_status read_line(struct pr_stream *stream, struct pr_bytes *ret)
{
    pr_status status = pr_stream_read_line(stream, LINE_MOST, ret);

    if (status == PR_EOF)
        return pr_fail(PR_NETWORK, "spamd closed the connection in its reply");
    if (status == PR_LIMIT)
        return pr_fail(PR_PROTOCOL, "spamd: a line without end");
    return status;
}

static pr_status read_head(struct pr_stream *stream,
                           struct spamd_verdict *verdict)
{
    struct pr_bytes line;
    pr_status status = read_line(stream, &line);

    if (status == PR_OK)
        status = spamd_read_status(line);
    for (int i = 0; status == PR_OK; i++) {
        if (i == HEADER_LINES_MOST)
            return pr_fail(PR_PROTOCOL, "spamd: a header without end");
        status = read_line(stream, &line);
        if (status == PR_OK && line.size == 0)
            return PR_OK;
        if (status == PR_OK)
            status = spamd_read_header(line, verdict);
    }
    return status;
}

/* The body: as long as the header says, else up to the end. */
static pr_status read_body(struct pr_stream *stream,
                           const struct spamd_verdict *verdict,
                           struct pr_buffer *ret)
{
    pr_status status = PR_OK;

    while (status == PR_OK &&
           (!verdict->has_length || ret->size < verdict->length)) {
        struct pr_bytes part = pr_stream_peek(stream);

        if (part.size == 0) {
            status = pr_stream_fill(stream);
            continue;
        }
        if (verdict->has_length && part.size > verdict->length - ret->size)
            part.size = verdict->length - ret->size;
        status = pr_buffer_add(ret, part.data, part.size);
        if (status == PR_LIMIT)
            return pr_fail(PR_PROTOCOL, "spamd: a reply of more than %d octets",
                           BODY_MOST);
        pr_stream_consume(stream, part.size);
    }
    if (status == PR_EOF && verdict->has_length)
        return pr_fail(PR_NETWORK, "spamd closed the connection in its reply");
    return status == PR_EOF ? PR_OK : status;
}

static pr_status read_verdict(struct pr_stream *stream, struct pr_reply *reply)
{
    struct spamd_verdict verdict = {0};
    struct pr_buffer body = {.cap = BODY_MOST};
    pr_status status = read_head(stream, &verdict);

    if (status == PR_OK && !verdict.has_spam)
        status = pr_fail(PR_PROTOCOL, "spamd: a reply without a verdict");
    if (status == PR_OK)
        status = read_body(stream, &verdict, &body);
    if (status == PR_OK) {
        pr_reply_boolean(reply, "spam", verdict.spam);
        pr_reply_number(reply, "score", verdict.score);
        pr_reply_number(reply, "required", verdict.required);
        spamd_add_symbols((struct pr_bytes){pr_buffer_text(&body), body.size},
                          reply);
    }
    pr_buffer_done(&body);
    return status;
}

static pr_status read_lesson(struct pr_stream *stream, struct pr_reply *reply)
{
    struct spamd_verdict verdict = {0};
    pr_status status = read_head(stream, &verdict);

    if (status == PR_OK)
        pr_reply_boolean(reply, "changed", verdict.did);
    return status;
}

/* ---- Asking ---------------------------------------------------------------
 */

static pr_status ask(struct pr_service *service,
                     const struct pr_question *question, struct pr_reply *reply)
{
    const struct options *spamd = service->options;
    struct pr_net_options net;
    struct pr_stream *stream;
    pr_status status;

    status = pr_service_check_size(service, question, spamd->limit);
    if (status == PR_OK)
        status = pr_service_connect(service, spamd->host, spamd->port,
                                    question->deadline, &net, &stream);
    if (status != PR_OK)
        return status;
    status = send_request(stream, spamd, question);
    if (status == PR_OK)
        status = question->arguments != NULL ? read_lesson(stream, reply)
                                             : read_verdict(stream, reply);
    pr_stream_close(stream);
    return status;
}

static pr_status check(struct pr_service *service, pr_time deadline)
{
    const struct options *spamd = service->options;
    struct pr_net_options net;
    struct pr_stream *stream;
    struct pr_bytes line;
    pr_status status = pr_service_connect(service, spamd->host, spamd->port,
                                          deadline, &net, &stream);

    if (status != PR_OK)
        return status;
    status = pr_stream_write(stream, "PING SPAMC/1.5\r\n\r\n", 18);
    if (status == PR_OK)
        status = read_line(stream, &line);
    if (status == PR_OK)
        status = spamd_read_status(line);
    pr_stream_close(stream);
    return status;
}

static void describe(const void *set, char *name, size_t size)
{
    const struct options *spamd = set;

    pr_service_describe("spamd", spamd->host, spamd->port, name, size);
}

static pr_status check_options(const void *set)
{
    const struct options *spamd = set;

    if (spamd->user != NULL && strpbrk(spamd->user, "\r\n") != NULL)
        return pr_fail(PR_CONFIG, "user: holds a line end");
    return PR_OK;
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

static const struct pr_class spamd_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SERVICE,
    .name = "spamd",
    .summary = "SpamAssassin's daemon",
    .options = options,
    .options_size = sizeof(struct options),
    .check_options = check_options,
    .service = &ops,
};

static const struct pr_class *const classes[] = {&spamd_class, NULL};

PR_PLUGIN(spamd) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "spamd",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "ask SpamAssassin's daemon",
    .classes = classes,
};
