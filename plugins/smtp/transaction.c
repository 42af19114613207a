/*
 * One message over a line.
 */
#include "config.h"

#include "transaction.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <postrider/crash.h>

#include "commands.h"

/* Of a large message sent by BDAT this much is kept for the last chunk: only
 * while that is on its way can the message be in doubt. */
#define LAST_CHUNK ((uint64_t)16 * 1024)
#define CHUNKED_FROM (4 * LAST_CHUNK)

/* ---- The replies to it --------------------------------------------------- */

static pr_status read_reply(struct smtp_line *line)
{
    return smtp_line_read(line, line->options->reply_timeout);
}

/* Notes what the server refused. PR_OK unless the line is at its end. */
static pr_status refuse(const struct smtp_line *line,
                        struct smtp_letter *letter, pr_status status)
{
    if (status == PR_OK || line->is_broken || line->is_closing)
        return status;
    smtp_letter_fail(letter, status);
    return PR_OK;
}

static pr_status read_reset(struct smtp_line *line,
                            const struct smtp_letter *letter)
{
    if (!line->reset_due)
        return PR_OK;
    pr_status status = read_reply(line);
    if (status == PR_OK)
        status = smtp_line_verdict(line, "RSET", false);
    line->reset_due = false;
    if (status == PR_OK && !smtp_is_pipelined(line))
        status = smtp_put_mail(line, letter);
    return status;
}

/* *ret_again: a transaction seems to be open, as after a BDAT that was refused
 * when this was on its way already (RFC 3030, 2). */
static pr_status read_mail(struct smtp_line *line, struct smtp_letter *letter,
                           bool *ret_again)
{
    pr_status status = read_reset(line, letter);

    if (status == PR_OK)
        status = read_reply(line);
    if (status != PR_OK)
        return status;
    status = smtp_line_verdict(line, "MAIL FROM", false);
    *ret_again = line->reply.code == 503;
    line->needs_reset = status == PR_OK || *ret_again;
    return refuse(line, letter, status);
}

/* *ret_too_many: this one may have its turn in another transaction. */
static pr_status read_recipient(struct smtp_line *line,
                                const struct smtp_recipient *recipient,
                                bool *ret_too_many)
{
    char what[SMTP_REPLY_LINE / 8];
    pr_status status = PR_OK;

    snprintf(what, sizeof(what), "RCPT TO:<%s>", recipient->address);
    status = read_reply(line);
    if (status == PR_OK)
        status = smtp_line_verdict(line, what, false);
    *ret_too_many = !line->is_broken && !line->is_closing &&
                    smtp_reply_is_too_many(&line->reply);
    return status;
}

static size_t count_accepted(const struct smtp_letter *letter)
{
    size_t count = 0;

    for (size_t i = 0; i < letter->count; i++)
        count += letter->recipients[i].fate == SMTP_ACCEPTED;
    return count;
}

/* What comes after a refused MAIL means nothing, but must be read. */
static pr_status read_recipients(struct smtp_line *line,
                                 struct smtp_letter *letter)
{
    bool counts = letter->fail.status == PR_OK, too_many = false;
    pr_status status = PR_OK;

    for (size_t i = 0; i < letter->count; i++) {
        struct smtp_recipient *recipient = &letter->recipients[i];
        if (recipient->fate != SMTP_PENDING)
            continue;
        if (!smtp_is_pipelined(line)) {
            status = counts
                         ? smtp_put_recipient(line, letter, recipient->address)
                         : PR_OK;
            if (status != PR_OK || !counts)
                return status;
        }
        status = read_recipient(line, recipient, &too_many);
        if (status == PR_OK && counts)
            recipient->fate = SMTP_ACCEPTED;
        if (status != PR_OK && counts && !too_many)
            status = refuse(line, letter, status);
        if (status != PR_OK && (line->is_broken || line->is_closing))
            return status;
    }
    if (counts && letter->fail.status == PR_OK && count_accepted(letter) == 0)
        smtp_letter_fail(letter, status); /* too many, of none */
    return PR_OK;
}

/* *ret_go: the content is to be sent. */
static pr_status read_data(struct smtp_line *line, struct smtp_letter *letter,
                           bool is_ahead, bool *ret_go)
{
    bool is_wanted = letter->fail.status == PR_OK;
    pr_status status = PR_OK;

    *ret_go = is_wanted;
    if (smtp_uses_chunks(line) || (!is_wanted && !is_ahead))
        return PR_OK;
    if (!is_ahead)
        status = smtp_line_put(line, "DATA");
    if (status == PR_OK)
        status = read_reply(line);
    if (status != PR_OK)
        return status;
    *ret_go = is_wanted && line->reply.code == 354;
    if (!is_wanted && line->reply.code < 400) {
        /* It waits for content that nobody is to have. */
        line->is_broken = true;
        return PR_OK;
    }
    if (*ret_go || !is_wanted)
        return PR_OK;
    if (line->reply.code < 400) {
        line->is_broken = true;
        return pr_fail(PR_PROTOCOL,
                       "DATA: the server answers out of order: %u %s",
                       line->reply.code, line->reply.text);
    }
    return refuse(line, letter, smtp_line_verdict(line, "DATA", true));
}

static pr_status read_envelope(struct smtp_line *line,
                               struct smtp_letter *letter, bool *ret_again,
                               bool *ret_go)
{
    bool is_ahead =
        smtp_is_pipelined(line) && smtp_has_data_ahead(line, letter);
    pr_status status = read_mail(line, letter, ret_again);

    line->ahead = NULL;
    if (status == PR_OK)
        status = read_recipients(line, letter);
    return status == PR_OK ? read_data(line, letter, is_ahead, ret_go) : status;
}

static pr_status agree(struct smtp_line *line, struct smtp_letter *letter,
                       bool *ret_go)
{
    bool again = false;
    pr_status status = PR_OK;

    if (line->ahead != letter)
        status = smtp_put_envelope(line, letter);
    if (status == PR_OK)
        status = read_envelope(line, letter, &again, ret_go);
    if (status != PR_OK || !again || !smtp_line_is_open(line))
        return status;
    letter->fail.status = PR_OK;
    status = smtp_put_envelope(line, letter);
    return status == PR_OK ? read_envelope(line, letter, &again, ret_go)
                           : status;
}

/* ---- The content --------------------------------------------------------- */

/* Where the content goes, and where its last chunk begins. */
struct way {
    struct smtp_line *line;
    struct smtp_letter *letter;
    uint64_t left;   /* octets before the last chunk */
    uint64_t last;   /* octets of the last chunk */
    bool is_refused; /* the first chunk was */
};

/* From now on the message may arrive. */
static pr_status begin_end(struct way *way)
{
    if (way->letter->is_begun)
        return PR_OK;
    pr_status status = pr_delivery_begin(way->letter->delivery);
    way->letter->is_begun = status == PR_OK;
    return status;
}

static pr_status begin_last_chunk(struct way *way)
{
    pr_status status = PR_OK;

    if (way->letter->facts.octets > way->last) {
        status = read_reply(way->line);
        if (status == PR_OK)
            status = smtp_line_verdict(way->line, "BDAT", false);
        way->is_refused = status != PR_OK;
    }
    if (status == PR_OK)
        status = begin_end(way);
    return status == PR_OK
               ? smtp_line_put(way->line, "BDAT %" PRIu64 " LAST", way->last)
               : status;
}

/* A taker of content: puts the command of the last chunk in its place. */
static pr_status take_chunk(void *user, const char *data, size_t size)
{
    struct way *way = user;
    pr_status status = PR_OK;

    if (way->left > 0) {
        size_t part = size < way->left ? size : (size_t)way->left;
        status = smtp_line_write(way->line, data, part);
        data += part;
        size -= part;
        way->left -= part;
        if (status == PR_OK && way->left == 0)
            status = begin_last_chunk(way);
    }
    return status == PR_OK && size > 0 ? smtp_line_write(way->line, data, size)
                                       : status;
}

static pr_status send_chunks(struct way *way)
{
    uint64_t octets = way->letter->facts.octets;
    struct smtp_content content;
    pr_status status;

    way->last = octets >= CHUNKED_FROM ? LAST_CHUNK : octets;
    way->left = octets - way->last;
    status = way->left > 0
                 ? smtp_line_put(way->line, "BDAT %" PRIu64, way->left)
                 : begin_last_chunk(way);
    if (status != PR_OK)
        return status;
    smtp_content_init(&content, false, take_chunk, way);
    return smtp_letter_write(way->letter, &content);
}

static pr_status send_data(struct way *way)
{
    struct smtp_content content;
    pr_status status;

    smtp_content_init(&content, true, smtp_line_write, way->line);
    status = smtp_letter_write(way->letter, &content);
    if (status == PR_OK)
        status = begin_end(way);
    return status == PR_OK ? smtp_line_write(way->line, ".\r\n", 3) : status;
}

static pr_status lose(struct smtp_letter *letter)
{
    struct pr_failure why = *pr_last_failure();
    pr_status status = pr_fail(PR_DOUBT,
                               "the message was sent, but whether the server "
                               "took it is not known: %s",
                               why.text);

    smtp_letter_fail(letter, status);
    return status;
}

/* The first chunk was refused, and no other was sent. */
static pr_status stop_chunks(struct smtp_line *line, struct smtp_letter *letter,
                             pr_status status)
{
    line->needs_reset = true;
    return refuse(line, letter, status);
}

/* The end of this message, and the envelope of the next. */
static pr_status send_end(struct smtp_line *line, struct smtp_letter *letter,
                          const struct smtp_letter *next)
{
    uint64_t end = line->written;
    pr_status status = PR_OK;

    line->needs_reset = false;
    if (next != NULL && smtp_is_pipelined(line) &&
        smtp_letter_pending(letter) == 0 && smtp_letter_pending(next) > 0 &&
        smtp_check_letter(line, next) == PR_OK)
        status = smtp_put_envelope(line, next);
    if (status == PR_OK)
        status = smtp_line_flush(line);
    pr_crash_point("smtp message sent");
    /* What has not left cannot have arrived. */
    if (status != PR_OK && pr_stream_octets_out(line->stream) >= end)
        return lose(letter);
    return status;
}

/* *ret_sent: a reply is due. Half a message must never be ended: a failure
 * other than a refusal breaks the line. */
static pr_status send_content(struct smtp_line *line,
                              struct smtp_letter *letter,
                              const struct smtp_letter *next, bool *ret_sent)
{
    struct way way = {.line = line, .letter = letter};
    pr_status status =
        smtp_uses_chunks(line) ? send_chunks(&way) : send_data(&way);

    if (way.is_refused)
        return stop_chunks(line, letter, status);
    if (status == PR_OK)
        status = send_end(line, letter, next);
    line->is_broken = line->is_broken || status != PR_OK;
    *ret_sent = status == PR_OK;
    return status;
}

/* ---- The reply to it ----------------------------------------------------- */

/* A reply that is neither yes nor no tells nothing. */
static pr_status read_final(struct smtp_line *line, struct smtp_letter *letter,
                            enum smtp_fate *ret_fate)
{
    pr_status status = smtp_line_read(line, line->options->final_timeout);

    if (status == PR_OK)
        status = smtp_line_verdict(line, "message", false);
    if (line->is_broken)
        return lose(letter);
    *ret_fate = status == PR_OK ? SMTP_DONE : SMTP_FAILED;
    if (status == PR_OK)
        return PR_OK;
    line->needs_reset = smtp_uses_chunks(line) && line->ahead == NULL;
    smtp_letter_fail(letter, status);
    return PR_OK;
}

/* SMTP answers once for all, LMTP for each recipient (RFC 2033, 4.2). */
static pr_status read_finals(struct smtp_line *line, struct smtp_letter *letter)
{
    enum smtp_fate fate = SMTP_ACCEPTED;
    pr_status status = PR_OK;

    if (line->protocol == SMTP_SMTP) {
        status = read_final(line, letter, &fate);
        smtp_letter_move(letter, SMTP_ACCEPTED, fate);
        return status;
    }
    for (size_t i = 0; status == PR_OK && i < letter->count; i++)
        if (letter->recipients[i].fate == SMTP_ACCEPTED)
            status = read_final(line, letter, &letter->recipients[i].fate);
    return status;
}

pr_status smtp_transact(struct smtp_line *line, struct smtp_letter *letter,
                        const struct smtp_letter *next)
{
    bool go = false, is_sent = false;
    pr_status status = agree(line, letter, &go);

    if (status == PR_OK && go)
        status = send_content(line, letter, next, &is_sent);
    if (status == PR_OK && is_sent)
        status = read_finals(line, letter);
    smtp_letter_move(letter, SMTP_ACCEPTED, SMTP_PENDING);
    return status;
}
