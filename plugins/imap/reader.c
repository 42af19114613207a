/*
 * Tokens pulled from where octets come from.
 */
#include "reader.h"

#include <inttypes.h>

#define TRACE_CAP 1024u /* of a line in the log */

void imap_reader_init(struct imap_reader *reader,
                      const struct imap_octets *from, const struct pr_log *log)
{
    *reader = (struct imap_reader){.from = *from, .log = log};
    pr_buffer_init(&reader->trace, TRACE_CAP);
}

void imap_reader_done(struct imap_reader *reader)
{
    imap_lexer_done(&reader->lexer);
    pr_buffer_done(&reader->trace);
}

void imap_reader_shrink(struct imap_reader *reader)
{
    imap_lexer_done(&reader->lexer);
    pr_buffer_done(&reader->trace);
}

void imap_reader_release(struct imap_reader *reader)
{
    if (reader->pending > 0)
        reader->from.consume(reader->from.user, reader->pending);
    reader->pending = 0;
}

/* The server's line for the log, its literals' octets left out. What is beyond
 * the cap, or does not fit in memory, is left out too. */
static void trace_token(struct imap_reader *reader, struct pr_bytes input,
                        const struct imap_token *token)
{
    size_t room = reader->trace.cap - reader->trace.size;
    size_t size = token->used < room ? token->used : room;
    pr_status dropped = PR_OK;

    if (token->kind == IMAP_CHUNK)
        return;
    while (size > 0 &&
           (input.data[size - 1] == '\n' || input.data[size - 1] == '\r'))
        size--;
    if (size > 0)
        dropped = pr_buffer_add(&reader->trace, input.data, size);
    (void)dropped;
    if (token->kind != IMAP_END)
        return;
    pr_log(reader->log, PR_LOG_TRACE, "S: %s", pr_buffer_text(&reader->trace));
    pr_buffer_clear(&reader->trace);
}

typedef pr_status lex_fn(struct imap_lexer *lexer, struct pr_bytes input,
                         struct imap_token *ret);

static pr_status read_with(struct imap_reader *reader, lex_fn *lex,
                           struct imap_token *ret)
{
    imap_reader_release(reader);
    for (;;) {
        struct pr_bytes input = reader->from.peek(reader->from.user);
        pr_status status = lex(&reader->lexer, input, ret);
        if (status != PR_OK)
            return status;
        if (ret->kind != IMAP_MORE) {
            reader->pending = ret->used;
            if (reader->log != NULL && pr_log_wants(PR_LOG_TRACE))
                trace_token(reader, input, ret);
            return PR_OK;
        }
        status = reader->from.fill(reader->from.user);
        if (status != PR_OK)
            return status;
    }
}

pr_status imap_read(struct imap_reader *reader, struct imap_token *ret)
{
    if (reader->has_again) {
        reader->has_again = false;
        *ret = reader->again;
        return PR_OK;
    }
    return read_with(reader, imap_lex, ret);
}

void imap_unread(struct imap_reader *reader, const struct imap_token *token)
{
    reader->again = *token;
    reader->has_again = true;
}

pr_status imap_read_text(struct imap_reader *reader, struct pr_bytes *ret)
{
    struct imap_token token;
    pr_status status = read_with(reader, imap_lex_text, &token);

    if (status == PR_OK)
        *ret = token.text;
    return status;
}

pr_status imap_expect(struct imap_reader *reader, enum imap_token_kind kind,
                      const char *what, struct imap_token *ret)
{
    pr_status status = imap_read(reader, ret);

    if (status == PR_OK && ret->kind != kind)
        return pr_fail(PR_PROTOCOL, "the server's answer lacks %s", what);
    return status;
}

pr_status imap_skip_value(struct imap_reader *reader)
{
    unsigned depth = 0;

    do {
        struct imap_token token;
        pr_status status = imap_read(reader, &token);
        if (status != PR_OK)
            return status;
        if (token.kind == IMAP_OPEN)
            depth++;
        else if (token.kind == IMAP_CLOSE && depth > 0)
            depth--;
        else if (token.kind == IMAP_CLOSE || token.kind == IMAP_END)
            return pr_fail(PR_PROTOCOL, "the server's answer lacks a value");
        else if (token.kind == IMAP_LITERAL && token.size > 0)
            depth++; /* until its last chunk */
        if (token.kind == IMAP_CHUNK && reader->lexer.literal_left == 0)
            depth--;
    } while (depth > 0);
    return PR_OK;
}

pr_status imap_skip_line(struct imap_reader *reader)
{
    struct imap_token token;
    pr_status status;

    do
        status = imap_read(reader, &token);
    while (status == PR_OK && token.kind != IMAP_END);
    return status;
}

pr_status imap_skip_literal(struct imap_reader *reader, uint64_t size)
{
    reader->lexer.is_streamed = true;
    while (size > 0) {
        struct imap_token token;
        pr_status status = imap_read(reader, &token);
        if (status != PR_OK)
            return status;
        size -= token.text.size;
    }
    return PR_OK;
}

static pr_status collect_literal(struct imap_reader *reader, uint64_t size,
                                 struct pr_buffer *to)
{
    if (size > IMAP_TOKEN_CAP)
        return pr_fail(PR_PROTOCOL,
                       "the server sent a string of %" PRIu64 " octets", size);
    while (size > 0) {
        struct imap_token token;
        pr_status status = imap_read(reader, &token);
        if (status == PR_OK)
            status = pr_buffer_add(to, token.text.data, token.text.size);
        if (status != PR_OK)
            return status;
        size -= token.text.size;
    }
    return PR_OK;
}

pr_status imap_read_string(struct imap_reader *reader, struct pr_buffer *to,
                           bool *ret_is_nil)
{
    struct imap_token token;
    pr_status status = imap_read(reader, &token);

    *ret_is_nil = false;
    if (status != PR_OK)
        return status;
    switch (token.kind) {
    case IMAP_ATOM:
        *ret_is_nil = pr_bytes_equal_nocase(token.text, PR_BYTES("NIL"));
        if (*ret_is_nil)
            return PR_OK;
        return pr_buffer_add(to, token.text.data, token.text.size);
    case IMAP_QUOTED:
        return pr_buffer_add(to, token.text.data, token.text.size);
    case IMAP_LITERAL:
        return collect_literal(reader, token.size, to);
    default:
        return pr_fail(PR_PROTOCOL, "the server's answer lacks a string");
    }
}
