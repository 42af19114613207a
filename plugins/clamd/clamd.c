/*
 * The clamd plugin: a message streamed to ClamAV's daemon (clamd(8), INSTREAM).
 *
 * Each message has a connection to itself, as clamd wants it without IDSESSION.
 */
#include "config.h"

#include "clamd.h"

#include <arpa/inet.h>
#include <string.h>

#define CHUNK 16384
#define LINE_MOST 4096

static const struct pr_option options[] = {
    {.name = "host",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct clamd_options, host),
     .fallback = "/run/clamav/clamd.ctl",
     .help = "name of the server, or path of its unix socket",
     .positional = true},
    {.name = "port",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct clamd_options, port),
     .fallback = "3310",
     .least = 1,
     .most = 65535,
     .help = "TCP port, unless host is a unix socket"},
    {.name = "limit",
     .kind = PR_OPTION_SIZE,
     .offset = offsetof(struct clamd_options, limit),
     .fallback = "25M",
     .help = "larger messages are not sent; clamd's StreamMaxLength"},
    PR_SERVICE_OPTIONS(struct clamd_options, settings, "30s", "4", "5m"),
    {0}};

/* ---- Asking ---------------------------------------------------------------
 */

static pr_status send_message(struct pr_stream *stream,
                              const struct pr_spool *spool)
{
    pr_status status = pr_stream_write(stream, "nINSTREAM\n", 10);
    char chunk[CHUNK];
    uint64_t at = 0;
    size_t size = 1;

    while (status == PR_OK && size > 0) {
        uint32_t length;

        status = pr_spool_read(spool, at, chunk, sizeof chunk, &size);
        if (status != PR_OK)
            return status;
        length = htonl((uint32_t)size); /* the one of 0 ends the stream */
        status = pr_stream_write(stream, &length, sizeof length);
        if (status == PR_OK)
            status = pr_stream_write(stream, chunk, size);
        at += size;
    }
    return status == PR_OK ? pr_stream_flush(stream) : status;
}

static pr_status read_line(struct pr_stream *stream, struct pr_bytes *ret)
{
    pr_status status = pr_stream_read_line(stream, LINE_MOST, ret);

    if (status == PR_EOF)
        return pr_fail(PR_NETWORK,
                       "clamd closed the connection without a word");
    if (status == PR_LIMIT)
        return pr_fail(PR_PROTOCOL, "clamd's reply has no end");
    return status;
}

static pr_status ask(struct pr_service *service,
                     const struct pr_question *question, struct pr_reply *reply)
{
    const struct clamd_options *clamd = service->options;
    struct pr_net_options net;
    struct pr_stream *stream;
    struct pr_bytes line;
    pr_status status;

    status = pr_service_check_size(service, question, clamd->limit);
    if (status == PR_OK)
        status = pr_service_connect(service, clamd->host, clamd->port,
                                    question->deadline, &net, &stream);
    if (status != PR_OK)
        return status;
    status = send_message(stream, question->message);
    if (status == PR_OK)
        status = read_line(stream, &line);
    if (status == PR_OK)
        status = clamd_read_reply(line, reply);
    pr_stream_close(stream);
    return status;
}

static pr_status check(struct pr_service *service, pr_time deadline)
{
    const struct clamd_options *clamd = service->options;
    struct pr_net_options net;
    struct pr_stream *stream;
    struct pr_bytes line;
    pr_status status = pr_service_connect(service, clamd->host, clamd->port,
                                          deadline, &net, &stream);

    if (status != PR_OK)
        return status;
    status = pr_stream_write(stream, "nPING\n", 6);
    if (status == PR_OK)
        status = read_line(stream, &line);
    if (status == PR_OK && !pr_bytes_equal(line, PR_BYTES("PONG")))
        status = pr_fail(PR_PROTOCOL, "clamd does not answer PING with PONG");
    pr_stream_close(stream);
    return status;
}

static void describe(const void *set, char *name, size_t size)
{
    const struct clamd_options *clamd = set;

    pr_service_describe("clamd", clamd->host, clamd->port, name, size);
}

/* ---- The descriptor -------------------------------------------------------
 */

static const struct pr_verb verbs[] = {
    {.name = "scan",
     .summary =
         "table with infected (true or false) and, if so, virus (its name)",
     .takes_message = true},
    {0}};

static const struct pr_service_ops ops = {
    .size = sizeof(struct pr_service_ops),
    .verbs = verbs,
    .settings = offsetof(struct clamd_options, settings),
    .ask = ask,
    .check = check,
    .describe = describe,
};

const struct pr_class clamd_class = {
    .size = sizeof(struct pr_class),
    .role = PR_ROLE_SERVICE,
    .name = "clamd",
    .summary = "ClamAV's daemon, which looks for viruses",
    .options = options,
    .options_size = sizeof(struct clamd_options),
    .service = &ops,
};

static const struct pr_class *const classes[] = {&clamd_class, NULL};

PR_PLUGIN(clamd) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "clamd",
    .version = PACKAGE_VERSION,
    .license = "MIT",
    .summary = "ask ClamAV's daemon",
    .classes = classes,
};
