/*
 * A batch of deliveries, over one connection or several.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "past.h"
#include "sink.h"
#include "transaction.h"

/* After a failure to connect or log in none is tried again for so long: a dead
 * server costs one wait, not one for each message. */
#define REST_MS 30000u
/* Connections that break in a row, after which the rest of a batch waits. */
#define BREAKS_MOST 3u

/* A part of a batch, over one connection after another. */
struct lane {
    struct smtp_sink *smtp;
    struct pr_delivery *const *deliveries;
    size_t count;
    struct smtp_line *line;
    unsigned breaks;       /* in a row */
    struct pr_failure end; /* why the rest is not tried; PR_OK: it is */
};

/* Who is turned away before MAIL has heard nothing about any message, however
 * final the words are. */
static pr_status open_line(struct smtp_line *line)
{
    pr_status status = smtp_line_open(line);

    if (status != PR_REFUSED)
        return status;
    struct pr_failure why = *pr_last_failure();
    return pr_fail(PR_LATER, "%s", why.text);
}

static pr_status connect_lane(struct lane *lane)
{
    struct smtp_sink *smtp = lane->smtp;

    if (smtp_line_is_open(lane->line))
        return PR_OK;
    if (smtp->down.status != PR_OK && pr_now() < smtp->down_until)
        return pr_fail(smtp->down.status, "%s", smtp->down.text);
    pr_status status = open_line(lane->line);
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
        status = smtp_check_letter(lane->line, letter);
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

static void finish(struct smtp_letter *letter)
{
    struct pr_delivery *delivery = letter->delivery;
    pr_status status = letter->fail.status;

    if (status == PR_OK && smtp_letter_pending(letter) > 0)
        status = pr_fail(PR_LATER, "the server took the message for some of "
                                   "its recipients only");
    else if (status != PR_OK)
        status = pr_fail(status, "%s", letter->fail.text);
    smtp_past_note(letter);
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
        finish(letter);
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
        lane->line = smtp_pool_take(smtp);
        if (lane->line != NULL) {
            run_deliveries(lane);
            smtp_pool_keep(smtp, lane->line);
        } else {
            fail_all(lane);
        }
        pr_semaphore_give(&smtp->places, 1);
    } else {
        fail_all(lane);
    }
    return PR_OK;
}

pr_status smtp_commit(struct pr_sink *sink, struct pr_delivery *const *batch,
                      size_t count)
{
    struct smtp_sink *smtp = sink->state;
    size_t lane_count =
        (size_t)((const struct smtp_options *)sink->options)->connections;
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
