/*
 * Commands to a server and its replies.
 */
#include "config.h"

#include "line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postrider/login.h>

#define COMMAND_MOST 2048 /* the longest of ours is RCPT with ORCPT */

struct smtp_line *smtp_line_new(enum smtp_protocol protocol,
                                const struct smtp_options *options,
                                const struct pr_net_options *net,
                                const struct pr_log *log, const char *name)
{
    struct smtp_line *line = calloc(1, sizeof(*line));

    if (line == NULL) {
        pr_fail(PR_NOMEM, "out of memory");
        return NULL;
    }
    line->protocol = protocol;
    line->options = options;
    line->net = net;
    line->log = log;
    line->name = name;
    line->disabled = smtp_capabilities_named(net->disable);
    return line;
}

bool smtp_line_is_open(const struct smtp_line *line)
{
    return line->stream != NULL && !line->is_broken && !line->is_closing;
}

void smtp_line_drop(struct smtp_line *line)
{
    pr_stream_close(line->stream);
    line->stream = NULL;
    line->is_broken = line->is_closing = false;
    line->was_used = line->needs_reset = line->reset_due = false;
    line->written = 0;
    line->ahead = NULL;
}

void smtp_line_free(struct smtp_line *line)
{
    if (line == NULL)
        return;
    smtp_line_drop(line);
    free(line);
}

bool smtp_line_can(const struct smtp_line *line, enum smtp_capability what)
{
    return (line->can.set & ~line->disabled & what) != 0;
}

static pr_status break_line(struct smtp_line *line, pr_status status)
{
    if (status != PR_OK)
        line->is_broken = true;
    return status;
}

/* ---- Writing ------------------------------------------------------------- */

pr_status smtp_line_write(void *user, const char *data, size_t size)
{
    struct smtp_line *line = user;

    line->written += size;
    return break_line(line, pr_stream_write(line->stream, data, size));
}

pr_status smtp_line_put(struct smtp_line *line, const char *format, ...)
{
    char text[COMMAND_MOST];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text) - 2, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof(text) - 2)
        return pr_fail(PR_BUG, "a command that is too long");
    for (int i = 0; i < size; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return pr_fail(PR_BUG, "a control character in a command");
    pr_log(line->log, PR_LOG_TRACE, "C: %s", text);
    text[size] = '\r';
    text[size + 1] = '\n';
    return smtp_line_write(line, text, (size_t)size + 2);
}

pr_status smtp_line_put_secret(struct smtp_line *line, struct pr_bytes text)
{
    pr_log(line->log, PR_LOG_TRACE, "C: (hidden)");
    pr_status status = smtp_line_write(line, text.data, text.size);

    return status == PR_OK ? smtp_line_write(line, "\r\n", 2) : status;
}

pr_status smtp_line_flush(struct smtp_line *line)
{
    return break_line(line, pr_stream_flush(line->stream));
}

/* ---- Reading ------------------------------------------------------------- */

static pr_status read_line(struct smtp_line *line, struct pr_bytes *ret)
{
    pr_status status = pr_stream_read_line(line->stream, SMTP_REPLY_LINE, ret);

    if (status == PR_EOF)
        return pr_fail(PR_NETWORK, "the server closed the connection");
    if (status == PR_LIMIT)
        return pr_fail(PR_PROTOCOL,
                       "the server's reply has a line of more than %u octets",
                       SMTP_REPLY_LINE);
    if (status == PR_OK)
        pr_log(line->log, PR_LOG_TRACE, "S: %.*s", (int)ret->size, ret->data);
    return status;
}

/* `all`: gets what each line but the first says; NULL: nobody does. */
static pr_status read_reply(struct smtp_line *line,
                            struct smtp_capabilities *all)
{
    struct smtp_reply *reply = &line->reply;
    struct pr_bytes octets, text;
    pr_status status = PR_OK;

    smtp_reply_clear(reply);
    while (status == PR_OK && !reply->is_whole) {
        status = read_line(line, &octets);
        if (status == PR_OK)
            status = smtp_reply_add(reply, octets, &text);
        if (status == PR_OK && all != NULL && reply->lines > 1)
            smtp_capability_add(all, text);
    }
    if (status == PR_OK && reply->code == 421)
        line->is_closing = true;
    return break_line(line, status);
}

static pr_status read_within(struct smtp_line *line, uint64_t timeout,
                             struct smtp_capabilities *all)
{
    pr_status status = smtp_line_flush(line);

    if (status != PR_OK)
        return status;
    pr_stream_set_timeout(line->stream, timeout);
    pr_stream_set_deadline(line->stream,
                           timeout != 0 ? pr_in(timeout) : PR_NEVER);
    status = read_reply(line, all);
    pr_stream_set_deadline(line->stream, PR_NEVER);
    pr_stream_set_timeout(line->stream, line->options->reply_timeout);
    return status;
}

pr_status smtp_line_read(struct smtp_line *line, uint64_t timeout)
{
    return read_within(line, timeout, NULL);
}

/* ---- What a reply means -------------------------------------------------- */

static pr_status status_of(const struct smtp_line *line)
{
    unsigned code = line->reply.code;

    if (code < 500)
        return PR_LATER;
    /* RFC 4954, 6: authentication is what lacks. */
    if (code == 530 || code == 534 || code == 535 || code == 538)
        return PR_AUTH;
    return line->options->soft_bounce ? PR_LATER : PR_REFUSED;
}

pr_status smtp_line_verdict(struct smtp_line *line, const char *what,
                            bool wants_more)
{
    unsigned code = line->reply.code;

    if (code / 100 == (wants_more ? 3 : 2))
        return PR_OK;
    if (code < 400)
        return break_line(line,
                          pr_fail(PR_PROTOCOL,
                                  "%s: the server answers out of order: %u %s",
                                  what, code, line->reply.text));
    return pr_fail(status_of(line), "%s: the server says: %u %s", what, code,
                   line->reply.text);
}

/* ---- The steps of its beginning ------------------------------------------ */

static pr_status ask(struct smtp_line *line, const char *command)
{
    pr_status status = smtp_line_put(line, "%s", command);

    if (status == PR_OK)
        status = smtp_line_read(line, line->options->reply_timeout);
    return status;
}

static pr_status read_greeting(struct smtp_line *line)
{
    pr_status status = smtp_line_read(line, line->options->reply_timeout);

    if (status != PR_OK)
        return pr_context(status, "greeting");
    return smtp_line_verdict(line, "greeting", false);
}

/* RFC 5321, 3.2: a server that knows no EHLO is spoken to with HELO. */
static pr_status fall_back(struct smtp_line *line)
{
    pr_status status = smtp_line_put(line, "HELO %s", line->name);

    if (status == PR_OK)
        status = smtp_line_read(line, line->options->reply_timeout);
    return status == PR_OK ? smtp_line_verdict(line, "HELO", false) : status;
}

static pr_status introduce(struct smtp_line *line)
{
    const char *verb = line->protocol == SMTP_LMTP ? "LHLO" : "EHLO";
    pr_status status = smtp_line_put(line, "%s %s", verb, line->name);

    line->can = (struct smtp_capabilities){0};
    if (status == PR_OK)
        status = read_within(line, line->options->reply_timeout, &line->can);
    if (status != PR_OK)
        return status;
    if (line->reply.code / 100 == 5 && line->protocol == SMTP_SMTP) {
        line->can = (struct smtp_capabilities){0};
        return fall_back(line);
    }
    return smtp_line_verdict(line, verb, false);
}

/* STARTTLS (RFC 3207). Nothing the server said before it counts. */
static pr_status protect(struct smtp_line *line)
{
    if (!smtp_line_can(line, SMTP_CAN_STARTTLS))
        return pr_fail(PR_TLS, "the server does not offer STARTTLS; tls = "
                               "\"none\" would do without");
    pr_status status = ask(line, "STARTTLS");
    if (status != PR_OK)
        return status;
    if (line->reply.code != 220)
        return pr_fail(line->reply.code / 100 == 4 ? PR_LATER : PR_TLS,
                       "STARTTLS: the server says: %u %s", line->reply.code,
                       line->reply.text);
    pr_stream_set_timeout(line->stream, line->net->timeout);
    status = pr_stream_start_tls(line->stream);
    pr_stream_set_timeout(line->stream, line->options->reply_timeout);
    return status == PR_OK ? introduce(line) : break_line(line, status);
}

static pr_status begin(struct smtp_line *line)
{
    pr_status status = read_greeting(line);

    if (status == PR_OK)
        status = introduce(line);
    if (status == PR_OK && smtp_tls(line->net) == PR_TLS_STARTTLS)
        status = protect(line);
    if (status == PR_OK && line->net->user != NULL)
        status = smtp_line_log_in(line);
    return status;
}

pr_status smtp_line_open(struct smtp_line *line)
{
    uint16_t port = smtp_default_port(line->protocol, line->net);

    smtp_line_drop(line);
    pr_status status =
        pr_stream_connect(line->net, port, line->log, &line->stream);
    if (status != PR_OK) {
        line->stream = NULL;
        return status;
    }
    pr_stream_set_timeout(line->stream, line->options->reply_timeout);
    status = begin(line);
    if (status != PR_OK) {
        struct pr_failure failure = *pr_last_failure();
        smtp_line_quit(line);
        return pr_fail(status, "%s", failure.text);
    }
    return PR_OK;
}

/* ---- Its end ------------------------------------------------------------- */

#define QUIT_MS 3000u

void smtp_line_quit(struct smtp_line *line)
{
    if (smtp_line_is_open(line) && line->ahead == NULL) {
        pr_status status = smtp_line_put(line, "QUIT");
        if (status == PR_OK)
            status = smtp_line_read(line, QUIT_MS);
        (void)status; /* there is nobody left to tell */
    }
    smtp_line_drop(line);
}
