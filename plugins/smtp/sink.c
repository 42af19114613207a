/*
 * The SMTP and LMTP sinks: their operations.
 */
#include "config.h"

#include "sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "letter.h"
#include "past.h"

/* ---- Making one ---------------------------------------------------------- */

/* RFC 5321, 4.1.1.1 wants a name that means this machine. */
static void find_name(const char *wanted, char *name, size_t size)
{
    if (wanted != NULL) {
        snprintf(name, size, "%s", wanted);
        return;
    }
    if (gethostname(name, size) != 0)
        name[0] = '\0';
    name[size - 1] = '\0';
    if (!smtp_name_is_valid(name))
        snprintf(name, size, "localhost");
}

static struct smtp_sink *make(const struct pr_sink *sink,
                              enum smtp_protocol protocol)
{
    const struct smtp_options *set = sink->options;
    struct smtp_sink *smtp = calloc(1, sizeof(*smtp));

    if (smtp == NULL) {
        pr_fail(PR_NOMEM, "out of memory");
        return NULL;
    }
    smtp->sink = sink;
    smtp->protocol = protocol;
    smtp->net = set->net;
    if (set->socket != NULL)
        smtp->net.host = set->socket;
    smtp->places.free = set->connections > 0 ? (size_t)set->connections : 1;
    find_name(set->helo, smtp->name, sizeof(smtp->name));
    pr_scope_init(&smtp->watchers);
    return smtp;
}

static pr_status open_as(struct pr_sink *sink, enum smtp_protocol protocol)
{
    sink->state = make(sink, protocol);
    return sink->state != NULL ? PR_OK : PR_NOMEM;
}

static pr_status smtp_open(struct pr_sink *sink)
{
    return open_as(sink, SMTP_SMTP);
}

static pr_status lmtp_open(struct pr_sink *sink)
{
    return open_as(sink, SMTP_LMTP);
}

static void sink_close(struct pr_sink *sink)
{
    struct smtp_sink *smtp = sink->state;

    if (smtp == NULL)
        return;
    smtp_pool_close(smtp);
    free(smtp);
    sink->state = NULL;
}

/* ---- Staging ------------------------------------------------------------- */

static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    struct smtp_sink *smtp = sink->state;
    struct smtp_letter *letter;
    pr_status status = smtp_letter_new(sink, smtp->name, delivery, &letter);

    if (status != PR_OK)
        return status;
    smtp_past_recall(letter);
    smtp_past_note(letter);
    delivery->ticket = letter;
    return PR_OK;
}

static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink;
    smtp_letter_free(delivery->ticket);
    delivery->ticket = NULL;
}

/* ---- Checking ------------------------------------------------------------ */

static pr_status check_as(const struct pr_sink *sink,
                          enum smtp_protocol protocol)
{
    struct smtp_sink *smtp = make(sink, protocol);
    struct smtp_line *line = smtp != NULL ? smtp_pool_new_line(smtp) : NULL;
    pr_status status = PR_NOMEM;

    if (line != NULL)
        status = smtp_line_open(line);
    if (status == PR_OK) {
        pr_log(sink->log, PR_LOG_INFO, "the server says: %u %s",
               line->reply.code, line->reply.text);
        smtp_line_quit(line);
    }
    smtp_line_free(line);
    free(smtp);
    return status;
}

static pr_status smtp_check(struct pr_sink *sink)
{
    return check_as(sink, SMTP_SMTP);
}

static pr_status lmtp_check(struct pr_sink *sink)
{
    return check_as(sink, SMTP_LMTP);
}

const struct pr_sink_ops smtp_sink_ops = {
    .size = sizeof(smtp_sink_ops),
    .open = smtp_open,
    .stage = sink_stage,
    .commit = smtp_commit,
    .abort = sink_abort,
    .check = smtp_check,
    .close = sink_close,
    .describe = smtp_describe,
    .journaled = true,
    .check_folder = smtp_check_folder,
};

const struct pr_sink_ops lmtp_sink_ops = {
    .size = sizeof(lmtp_sink_ops),
    .open = lmtp_open,
    .stage = sink_stage,
    .commit = smtp_commit,
    .abort = sink_abort,
    .check = lmtp_check,
    .close = sink_close,
    .describe = lmtp_describe,
    .journaled = true,
    .check_folder = smtp_check_folder,
};
