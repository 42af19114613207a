/*
 * The SMTP and LMTP sinks: their operations, and the connections they keep.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "line.h"
#include "past.h"
#include "transaction.h"

/* After a failure to connect or log in none is tried again for so long: a dead
 * server costs one wait, not one for each message. */
#define REST_MS 30000u
/* Connections that break in a row, after which the rest of a batch waits. */
#define BREAKS_MOST 3u

/* The state of an open sink. */
struct smtp_sink {
    const struct pr_sink *sink;
    enum smtp_protocol protocol;
    struct pr_net_options net; /* the options', `socket` in it */
    char name[256];            /* to greet with */
    struct pr_semaphore places;
    struct smtp_line *idle; /* connected and not in use */
    struct pr_scope watchers;
    struct pr_event news; /* a line has gone idle */
    bool is_watched;
    struct smtp_past past;
    struct pr_failure down; /* why no connection could be had */
    pr_time down_until;
};

static const struct smtp_options *options_of(const struct smtp_sink *smtp)
{
    return smtp->sink->options;
}

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

static struct smtp_line *make_line(const struct smtp_sink *smtp)
{
    return smtp_line_new(smtp->protocol, options_of(smtp), &smtp->net,
                         smtp->sink->log, smtp->name);
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

/* ---- Connections that are not in use ------------------------------------- */

/* The one whose time is over, taken out; NULL, and when the first will be. */
static struct smtp_line *take_expired(struct smtp_sink *smtp, pr_time *ret_next)
{
    pr_time now = pr_now();

    *ret_next = PR_NEVER;
    for (struct smtp_line **at = &smtp->idle; *at != NULL; at = &(*at)->next) {
        struct smtp_line *line = *at;
        if (line->idle_until <= now) {
            *at = line->next;
            return line;
        }
        if (line->idle_until < *ret_next)
            *ret_next = line->idle_until;
    }
    return NULL;
}

/* A fiber: says goodbye to connections nobody needs, while there are any. */
static pr_status watch_idle(void *argument)
{
    struct smtp_sink *smtp = argument;
    pr_status status = PR_OK;

    while (smtp->idle != NULL && status != PR_CANCELLED) {
        pr_time next;
        struct smtp_line *line = take_expired(smtp, &next);
        if (line == NULL) {
            status = pr_event_wait(&smtp->news, next);
            continue;
        }
        smtp_line_quit(line);
        smtp_line_free(line);
    }
    smtp->is_watched = false;
    return PR_OK;
}

static void keep_line(struct smtp_sink *smtp, struct smtp_line *line)
{
    uint64_t idle = options_of(smtp)->idle;

    if (!smtp_line_is_open(line) || line->ahead != NULL || idle == 0) {
        smtp_line_quit(line);
        smtp_line_free(line);
        return;
    }
    line->idle_until = pr_in(idle);
    line->next = smtp->idle;
    smtp->idle = line;
    if (!smtp->is_watched)
        smtp->is_watched =
            pr_spawn(&smtp->watchers, "smtp idle", PR_STACK_SESSION, watch_idle,
                     smtp) == PR_OK;
    pr_event_wake_all(&smtp->news);
}

static struct smtp_line *take_line(struct smtp_sink *smtp)
{
    struct smtp_line *line = smtp->idle;

    if (line == NULL)
        return make_line(smtp);
    smtp->idle = line->next;
    return line;
}

static void sink_close(struct pr_sink *sink)
{
    struct smtp_sink *smtp = sink->state;

    if (smtp == NULL)
        return;
    pr_scope_cancel(&smtp->watchers);
    (void)pr_scope_join(&smtp->watchers);
    while (smtp->idle != NULL) {
        struct smtp_line *line = smtp->idle;
        smtp->idle = line->next;
        smtp_line_quit(line);
        smtp_line_free(line);
    }
    smtp_past_done(&smtp->past);
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
    smtp_past_recall(&smtp->past, letter);
    snprintf(delivery->receipt, sizeof(delivery->receipt), "%s", sink->name);
    delivery->ticket = letter;
    return PR_OK;
}

static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink;
    smtp_letter_free(delivery->ticket);
    delivery->ticket = NULL;
}

/* ---- Committing ---------------------------------------------------------- */

/* A part of a batch, over one connection after another. */
struct lane {
    struct smtp_sink *smtp;
    struct pr_delivery *const *deliveries;
    size_t count;
    struct smtp_line *line;
    unsigned breaks;       /* in a row */
    struct pr_failure end; /* why the rest is not tried; PR_OK: it is */
};

static pr_status connect_lane(struct lane *lane)
{
    struct smtp_sink *smtp = lane->smtp;

    if (smtp_line_is_open(lane->line))
        return PR_OK;
    if (smtp->down.status != PR_OK && pr_now() < smtp->down_until)
        return pr_fail(smtp->down.status, "%s", smtp->down.text);
    pr_status status = smtp_line_open(lane->line);
    smtp->down.status = PR_OK;
    if (status != PR_OK) {
        smtp->down = *pr_last_failure();
        smtp->down.status = status;
        smtp->down_until = pr_in(REST_MS);
    }
    return status;
}

/* To all that lack it, by as many transactions as the server makes of it, as
 * long as each gets further. */
static pr_status transact(struct lane *lane, struct smtp_letter *letter,
                          const struct smtp_letter *next)
{
    size_t pending = smtp_letter_pending(letter), before = pending + 1;
    pr_status status = PR_OK;

    while (status == PR_OK && pending > 0 && pending < before &&
           letter->fail.status == PR_OK && smtp_line_is_open(lane->line)) {
        status = smtp_transaction_check(lane->line, letter);
        if (status != PR_OK) {
            smtp_letter_fail(letter, status);
            return PR_OK;
        }
        status = smtp_transact(lane->line, letter, next);
        before = pending;
        pending = smtp_letter_pending(letter);
    }
    return status;
}

/* A server may close a connection between two messages; what it was not given
 * the end of goes over another one, once. */
static void carry(struct lane *lane, struct smtp_letter *letter,
                  const struct smtp_letter *next)
{
    pr_status status = connect_lane(lane);

    if (status != PR_OK) {
        lane->end = *pr_last_failure();
        lane->end.status = status;
        smtp_letter_fail(letter, status);
        return;
    }
    bool was_used = lane->line->was_used;
    status = transact(lane, letter, next);
    if (status == PR_OK) {
        lane->breaks = 0;
        return;
    }
    struct pr_failure why = *pr_last_failure();
    smtp_line_drop(lane->line);
    if (was_used && !letter->is_begun) {
        carry(lane, letter, next);
        return;
    }
    smtp_letter_fail(letter, pr_fail(status, "%s", why.text));
    if (++lane->breaks == BREAKS_MOST) {
        /* Of those that were never sent nothing is in doubt. */
        status = status == PR_DOUBT ? PR_NETWORK : status;
        (void)pr_fail(status, "%u connections broke in a row: %s", BREAKS_MOST,
                      why.text);
        lane->end = *pr_last_failure();
    }
}

static void finish(struct lane *lane, struct smtp_letter *letter)
{
    struct pr_delivery *delivery = letter->delivery;
    pr_status status = letter->fail.status;

    if (status == PR_OK && smtp_letter_pending(letter) > 0)
        status = pr_fail(PR_LATER, "the server took the message for some of "
                                   "its recipients only");
    else if (status != PR_OK)
        status = pr_fail(status, "%s", letter->fail.text);
    smtp_past_note(&lane->smtp->past, letter);
    if (letter->is_begun || status == PR_OK) {
        pr_delivery_end(delivery, status);
    } else {
        delivery->result = status;
        memcpy(delivery->failure, pr_last_failure()->text,
               sizeof(delivery->failure));
    }
    delivery->ticket = NULL;
    smtp_letter_free(letter);
}

static void run_deliveries(struct lane *lane)
{
    for (size_t i = 0; i < lane->count; i++) {
        struct smtp_letter *letter = lane->deliveries[i]->ticket;
        const struct smtp_letter *next =
            i + 1 < lane->count ? lane->deliveries[i + 1]->ticket : NULL;
        if (lane->end.status == PR_OK)
            carry(lane, letter, next);
        else
            smtp_letter_fail(letter,
                             pr_fail(lane->end.status, "%s", lane->end.text));
        finish(lane, letter);
    }
}

static void free_letters(struct pr_delivery *const *deliveries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        smtp_letter_free(deliveries[i]->ticket);
        deliveries[i]->ticket = NULL;
    }
}

static void fail_all(const struct lane *lane)
{
    const struct pr_failure *failure = pr_last_failure();

    for (size_t i = 0; i < lane->count; i++) {
        lane->deliveries[i]->result = failure->status;
        memcpy(lane->deliveries[i]->failure, failure->text,
               sizeof(lane->deliveries[i]->failure));
    }
    free_letters(lane->deliveries, lane->count);
}

static pr_status run_lane(void *argument)
{
    struct lane *lane = argument;
    struct smtp_sink *smtp = lane->smtp;
    pr_status status = pr_semaphore_take(&smtp->places, 1, PR_NEVER);

    if (status == PR_OK) {
        lane->line = take_line(smtp);
        if (lane->line != NULL) {
            run_deliveries(lane);
            keep_line(smtp, lane->line);
        } else {
            fail_all(lane);
        }
        pr_semaphore_give(&smtp->places, 1);
    } else {
        fail_all(lane);
    }
    return PR_OK;
}

static pr_status sink_commit(struct pr_sink *sink,
                             struct pr_delivery *const *batch, size_t count)
{
    struct smtp_sink *smtp = sink->state;
    size_t lane_count = (size_t)options_of(smtp)->connections;
    struct pr_scope scope;

    if (count == 0)
        return PR_OK;
    if (lane_count > count)
        lane_count = count;
    struct lane *lanes = calloc(lane_count, sizeof(*lanes));
    if (lanes == NULL) {
        free_letters(batch, count);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_scope_init(&scope);
    for (size_t i = 0; i < lane_count; i++) {
        size_t first = count * i / lane_count;
        lanes[i] = (struct lane){.smtp = smtp,
                                 .deliveries = batch + first,
                                 .count = count * (i + 1) / lane_count - first};
        if (i + 1 == lane_count || pr_spawn(&scope, "smtp", PR_STACK_SESSION,
                                            run_lane, &lanes[i]) != PR_OK)
            (void)run_lane(&lanes[i]);
    }
    pr_status status = pr_scope_join(&scope);
    free(lanes);
    return status;
}

/* ---- Checking ------------------------------------------------------------ */

static pr_status check_as(const struct pr_sink *sink,
                          enum smtp_protocol protocol)
{
    struct smtp_sink *smtp = make(sink, protocol);
    struct smtp_line *line = smtp != NULL ? make_line(smtp) : NULL;
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
    .commit = sink_commit,
    .abort = sink_abort,
    .check = smtp_check,
    .close = sink_close,
    .describe = smtp_describe,
    .journaled = true,
};

const struct pr_sink_ops lmtp_sink_ops = {
    .size = sizeof(lmtp_sink_ops),
    .open = lmtp_open,
    .stage = sink_stage,
    .commit = sink_commit,
    .abort = sink_abort,
    .check = lmtp_check,
    .close = sink_close,
    .describe = lmtp_describe,
    .journaled = true,
};
