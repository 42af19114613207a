/*
 * Sending commands, reading answers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pop3.h"

#define TRACE_CAP 1024u
/* RFC 2449, 4: 512 octets. Far more than any server sends. */
#define LINE_CAP 8192u

pr_status pop3_break(struct pop3 *pop3, pr_status status)
{
    if (pop3->broken.status == PR_OK) {
        pop3->broken = *pr_last_failure();
        pop3->broken.status = status;
    }
    return status;
}

pr_status pop3_check(const struct pop3 *pop3)
{
    if (pop3->broken.status != PR_OK)
        return pr_fail(pop3->broken.status, "%s", pop3->broken.text);
    if (pop3->has_ended)
        return pr_fail(PR_BUG, "the session has ended");
    return PR_OK;
}

/* ---- Sending ------------------------------------------------------------ */

static void trace_add(struct pop3 *pop3, struct pr_bytes text)
{
    size_t room = TRACE_CAP - pop3->trace.size;
    pr_status dropped;

    if (!pr_log_wants(PR_LOG_TRACE))
        return;
    dropped = pr_buffer_add(&pop3->trace, text.data,
                            text.size < room ? text.size : room);
    (void)dropped;
}

static pr_status write_out(struct pop3 *pop3, struct pr_bytes text)
{
    pr_status status = pop3_check(pop3);

    if (status != PR_OK)
        return status;
    status = pr_stream_write(pop3->stream, text.data, text.size);
    return status == PR_OK ? PR_OK : pop3_break(pop3, status);
}

pr_status pop3_put(struct pop3 *pop3, struct pr_bytes text)
{
    trace_add(pop3, text);
    return write_out(pop3, text);
}

pr_status pop3_put_secret(struct pop3 *pop3, struct pr_bytes text)
{
    trace_add(pop3, PR_BYTES("(hidden)"));
    return write_out(pop3, text);
}

/* What is there before it was asked for can be no answer. A server that ends an
 * idle session may say so. */
static pr_status check_turn(const struct pop3 *pop3)
{
    struct pr_bytes early = pr_stream_peek(pop3->stream);
    struct pop3_reply reply;

    if (pop3->awaited > 0 || pop3->in_response || early.size == 0)
        return PR_OK;
    const char *end = memchr(early.data, '\r', early.size);
    if (end != NULL)
        early.size = (size_t)(end - early.data);
    if (pop3_reply_parse(early, &reply) && reply.indicator == POP3_ERR)
        return pr_fail(PR_NETWORK, "the server ended the session: %.*s",
                       (int)reply.text.size, reply.text.data);
    return pr_fail(PR_PROTOCOL, "the server answered before it was asked");
}

pr_status pop3_end(struct pop3 *pop3)
{
    pr_status status = check_turn(pop3);

    if (status != PR_OK)
        return pop3_break(pop3, status);
    if (pop3->trace.size > 0)
        pr_log(pop3->log, PR_LOG_TRACE, "C: %s", pr_buffer_text(&pop3->trace));
    pr_buffer_clear(&pop3->trace);
    pop3->awaited++;
    return write_out(pop3, PR_BYTES("\r\n"));
}

pr_status pop3_send(struct pop3 *pop3, const char *text)
{
    pr_status status = pop3_put(pop3, pr_bytes_of(text));

    return status != PR_OK ? status : pop3_end(pop3);
}

pr_status pop3_send_number(struct pop3 *pop3, const char *verb, uint32_t number,
                           const char *rest)
{
    char text[40];

    snprintf(text, sizeof(text), "%s %" PRIu32 "%s", verb, number, rest);
    return pop3_send(pop3, text);
}

/* ---- Answers ------------------------------------------------------------ */

static pr_status line_failed(struct pop3 *pop3, pr_status status)
{
    if (status == PR_EOF)
        status = pr_fail(PR_NETWORK, "the server closed the connection");
    else if (status == PR_LIMIT)
        status =
            pr_fail(PR_PROTOCOL,
                    "the server sent a line of more than %u octets", LINE_CAP);
    return pop3_break(pop3, status);
}

static pr_status read_line(struct pop3 *pop3, struct pr_bytes *ret)
{
    pr_status status = pop3_check(pop3);

    if (status != PR_OK)
        return status;
    status = pr_stream_read_line(pop3->stream, LINE_CAP, ret);
    return status == PR_OK ? PR_OK : line_failed(pop3, status);
}

pr_status pop3_await(struct pop3 *pop3, struct pop3_reply *ret)
{
    struct pr_bytes line;
    pr_status status = read_line(pop3, &line);

    if (status != PR_OK)
        return status;
    if (pr_log_wants(PR_LOG_TRACE))
        pr_log(pop3->log, PR_LOG_TRACE, "S: %.*s",
               (int)(line.size < TRACE_CAP ? line.size : TRACE_CAP), line.data);
    if (!pop3_reply_parse(line, ret))
        return pop3_break(
            pop3, pr_fail(PR_PROTOCOL, "the server's answer is not POP3: %.*s",
                          (int)(line.size < 80 ? line.size : 80), line.data));
    pop3->awaited--;
    return PR_OK;
}

pr_status pop3_ask(struct pop3 *pop3, const char *text, struct pop3_reply *ret)
{
    pr_status status = pop3_send(pop3, text);

    return status != PR_OK ? status : pop3_await(pop3, ret);
}

void pop3_lines_begin(struct pop3 *pop3)
{
    pop3->in_response = true;
}

pr_status pop3_line(struct pop3 *pop3, struct pr_bytes *ret, bool *ret_is_end)
{
    pr_status status = read_line(pop3, ret);

    *ret_is_end = false;
    if (status != PR_OK || ret->size == 0 || *ret->data != '.')
        return status;
    ret->data++;
    ret->size--;
    *ret_is_end = ret->size == 0;
    pop3->in_response = !*ret_is_end;
    return PR_OK;
}

void pop3_text_begin(struct pop3 *pop3)
{
    pop3->in_response = true;
    pop3->multiline = (struct pop3_multiline){.is_ended = false};
}

static void consume_pending(struct pop3 *pop3)
{
    pr_stream_consume(pop3->stream, pop3->pending);
    pop3->pending = 0;
}

pr_status pop3_text(struct pop3 *pop3, struct pr_bytes *ret, bool *ret_is_end)
{
    pr_status status = pop3_check(pop3);

    if (status != PR_OK)
        return status;
    consume_pending(pop3);
    if (pr_stream_peek(pop3->stream).size == 0) {
        status = pr_stream_fill(pop3->stream);
        if (status != PR_OK)
            return line_failed(pop3, status);
    }
    pop3->pending = pop3_multiline_take(&pop3->multiline,
                                        pr_stream_peek(pop3->stream), ret);
    *ret_is_end = pop3->multiline.is_ended;
    if (*ret_is_end) {
        consume_pending(pop3);
        pop3->in_response = false;
    }
    return PR_OK;
}

/* ---- What an answer means ----------------------------------------------- */

static pr_status status_of(const struct pop3_reply *reply, pr_status on_error)
{
    switch (reply->code) {
    case POP3_CODE_LOGIN_DELAY:
    case POP3_CODE_IN_USE:
    case POP3_CODE_SYS_TEMP:
        return PR_LATER;
    case POP3_CODE_SYS_PERM:
        return PR_REFUSED;
    case POP3_CODE_AUTH:
        return PR_AUTH;
    case POP3_CODE_UTF8:
        return PR_UNSUPPORTED;
    default:
        return pop3_words_say_later(reply->text) ? PR_LATER : on_error;
    }
}

pr_status pop3_verdict(const struct pop3_reply *reply, const char *command,
                       pr_status on_error)
{
    if (reply->indicator == POP3_OK)
        return PR_OK;
    if (reply->indicator == POP3_CONTINUE)
        return pr_fail(PR_PROTOCOL, "%s: the server asks for more", command);
    return pr_fail(status_of(reply, on_error), "%s: the server says: %.*s",
                   command, (int)reply->text.size, reply->text.data);
}
