/*
 * Places and a breaker before a service.
 */
#include "config.h"

#include "io/gate.h"

#include <inttypes.h>
#include <stdio.h>

void gate_init(struct gate *gate, const char *name, const struct pr_log *log,
               size_t places)
{
    *gate = (struct gate){
        .name = name,
        .log = log,
        .places = {.free = places},
    };
}

/* May somebody ask now? */
static pr_status look_at_breaker(struct gate *gate)
{
    pr_time now = pr_now();
    if (!gate->is_open || (now >= gate->opens_at && !gate->is_trying)) {
        return PR_OK;
    }
    uint64_t left = gate->opens_at > now ? gate->opens_at - now : 0;
    return pr_fail(PR_LATER,
                   "%s is left alone for %" PRIu64
                   " s, because it failed %u times in a row: %s",
                   gate->name, (left + 999) / 1000, gate->failures, gate->why);
}

pr_status gate_enter(struct gate *gate, pr_time deadline, bool *ret_trial)
{
    pr_status status = look_at_breaker(gate);
    if (status != PR_OK) {
        return status;
    }
    status = pr_semaphore_take(&gate->places, 1, deadline);
    if (status != PR_OK) {
        return status == PR_TIMEOUT
                   ? pr_fail(PR_TIMEOUT, "%s: no place became free in time",
                             gate->name)
                   : status;
    }
    /* Those before in the queue may have found it broken. */
    status = look_at_breaker(gate);
    if (status != PR_OK) {
        pr_semaphore_give(&gate->places, 1);
        return status;
    }
    *ret_trial = gate->is_trying = gate->is_open;
    gate->inside++;
    return PR_OK;
}

/* Is it the service that failed, rather than this one question? */
static bool is_of_service(pr_status result)
{
    switch (result) {
    case PR_NETWORK:
    case PR_TLS:
    case PR_TIMEOUT:
    case PR_EOF:
    case PR_PROTOCOL:
    case PR_AUTH:
    case PR_LATER:
    case PR_IO:
        return true;
    default:
        return false;
    }
}

static void open_breaker(struct gate *gate)
{
    gate->pause = gate->pause == 0 ? GATE_PAUSE_FIRST : gate->pause * 2;
    if (gate->pause > GATE_PAUSE_MOST) {
        gate->pause = GATE_PAUSE_MOST;
    }
    gate->opens_at = pr_in(gate->pause);
    if (!gate->is_open) {
        pr_log(gate->log, PR_LOG_WARNING,
               "%s failed %u times in a row and is left alone for %" PRIu64
               " s: %s",
               gate->name, gate->failures, gate->pause / 1000, gate->why);
        gate->opened_at = pr_now();
    }
    gate->is_open = true;
}

static void note_failure(struct gate *gate, bool was_trial)
{
    snprintf(gate->why, sizeof(gate->why), "%.*s", (int)sizeof(gate->why) - 1,
             pr_last_failure()->text);
    gate->failures++;
    gate->failed++;
    /* Those who were inside when it opened say nothing new. */
    if (was_trial || (!gate->is_open && gate->failures >= GATE_FAILURES_MOST)) {
        open_breaker(gate);
    }
}

static void note_success(struct gate *gate, bool was_trial)
{
    if (gate->is_open && !was_trial) {
        return; /* it was asked before the breaker opened */
    }
    if (gate->is_open) {
        pr_log(gate->log, PR_LOG_WARNING, "%s answers again", gate->name);
    }
    gate->is_open = false;
    gate->failures = 0;
    gate->pause = 0;
}

void gate_leave(struct gate *gate, bool was_trial, pr_status result)
{
    gate->inside--;
    gate->asked++;
    if (was_trial) {
        gate->is_trying = false;
    }
    if (is_of_service(result)) {
        note_failure(gate, was_trial);
    } else if (result != PR_CANCELLED && result != PR_NOMEM) {
        note_success(gate, was_trial);
    }
    pr_semaphore_give(&gate->places, 1);
}
