/*
 * The commands of an envelope.
 */
#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdio.h>

#define LINE_MOST 998u /* RFC 5321, 4.5.3.1.6, without CRLF */

pr_status smtp_check_letter(const struct smtp_line *line,
                            const struct smtp_letter *letter)
{
    pr_status refused = line->options->soft_bounce ? PR_LATER : PR_REFUSED;
    uint64_t limit = line->can.size_limit;

    if (smtp_line_can(line, SMTP_CAN_SIZE) && limit != 0 &&
        letter->facts.octets > limit)
        return pr_fail(refused,
                       "the message has %" PRIu64 " octets, and the server "
                       "takes %" PRIu64,
                       letter->facts.octets, limit);
    if (letter->needs_utf8 && !smtp_line_can(line, SMTP_CAN_UTF8))
        return pr_fail(refused, "an address is not ASCII, and the server has "
                                "no SMTPUTF8");
    return PR_OK;
}

/* ---- How it is sent ------------------------------------------------------ */

/* Content that DATA cannot carry (RFC 3030, 3). */
static bool is_binary(const struct smtp_line *line,
                      const struct smtp_letter *letter)
{
    return (letter->facts.has_nul || letter->facts.line > LINE_MOST) &&
           smtp_line_can(line, SMTP_CAN_BINARYMIME);
}

bool smtp_uses_chunks(const struct smtp_line *line)
{
    return smtp_line_can(line, SMTP_CAN_CHUNKING);
}

/* DATA goes with the envelope only if there is one recipient: with several, one
 * that is refused stops the message for all, and after DATA there would be no
 * way back. */
bool smtp_has_data_ahead(const struct smtp_line *line,
                         const struct smtp_letter *letter)
{
    return !smtp_uses_chunks(line) && smtp_letter_pending(letter) == 1;
}

/* ---- The envelope -------------------------------------------------------- */

static const char *body_of(const struct smtp_line *line,
                           const struct smtp_letter *letter)
{
    if (smtp_uses_chunks(line) && is_binary(line, letter))
        return " BODY=BINARYMIME";
    if (letter->facts.is_8bit && smtp_line_can(line, SMTP_CAN_8BITMIME))
        return " BODY=8BITMIME";
    return "";
}

static const char *return_of(const struct smtp_line *line)
{
    if (!smtp_line_can(line, SMTP_CAN_DSN))
        return "";
    switch (line->options->dsn_return) {
    case SMTP_RETURN_FULL:
        return " RET=FULL";
    case SMTP_RETURN_HEADERS:
        return " RET=HDRS";
    default:
        return "";
    }
}

pr_status smtp_put_mail(struct smtp_line *line,
                        const struct smtp_letter *letter)
{
    bool is_utf8 = smtp_line_can(line, SMTP_CAN_UTF8) &&
                   (letter->needs_utf8 || letter->has_utf8_header);
    bool has_dsn = smtp_line_can(line, SMTP_CAN_DSN) &&
                   !smtp_list_is_empty(line->options->notify);
    char size[40] = "";

    if (smtp_line_can(line, SMTP_CAN_SIZE))
        snprintf(size, sizeof(size), " SIZE=%" PRIu64, letter->facts.octets);
    return smtp_line_put(line, "MAIL FROM:<%s>%s%s%s%s%s%s", letter->from, size,
                         body_of(line, letter), is_utf8 ? " SMTPUTF8" : "",
                         return_of(line), has_dsn ? " ENVID=" : "",
                         has_dsn ? letter->delivery->key : "");
}

static void write_notify(const struct smtp_line *line, char *out, size_t size)
{
    const char *const *word = line->options->notify;
    size_t used = 0;

    out[0] = '\0';
    if (!smtp_line_can(line, SMTP_CAN_DSN) || smtp_list_is_empty(word))
        return;
    for (; *word != NULL && used < size; word++)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 used == 0 ? " NOTIFY=" : ",", *word);
}

pr_status smtp_put_recipient(struct smtp_line *line,
                             const struct smtp_letter *letter,
                             const char *address)
{
    bool has_original =
        letter->original != NULL && smtp_line_can(line, SMTP_CAN_DSN);
    char notify[80];

    write_notify(line, notify, sizeof(notify));
    return smtp_line_put(line, "RCPT TO:<%s>%s%s%s", address, notify,
                         has_original ? " ORCPT=" : "",
                         has_original ? letter->original : "");
}

bool smtp_is_pipelined(const struct smtp_line *line)
{
    return smtp_line_can(line, SMTP_CAN_PIPELINING);
}

/* All of it where the server has PIPELINING, else only the first command. */
pr_status smtp_put_envelope(struct smtp_line *line,
                            const struct smtp_letter *letter)
{
    pr_status status = PR_OK;

    line->was_used = true;
    line->ahead = letter;
    if (line->needs_reset) {
        status = smtp_line_put(line, "RSET");
        line->needs_reset = false;
        line->reset_due = true;
        if (!smtp_is_pipelined(line))
            return status;
    }
    if (status == PR_OK)
        status = smtp_put_mail(line, letter);
    if (!smtp_is_pipelined(line))
        return status;
    for (size_t i = 0; status == PR_OK && i < letter->count; i++)
        if (letter->recipients[i].fate == SMTP_PENDING)
            status =
                smtp_put_recipient(line, letter, letter->recipients[i].address);
    if (status == PR_OK && smtp_has_data_ahead(line, letter))
        status = smtp_line_put(line, "DATA");
    return status;
}
