/*
 * One connection of an account, and whether it gets on.
 *
 * Each operation of a source has deadlines of its own, but a server that says
 * something now and then without ever coming to the point keeps within all of
 * them. So a line is cut off when no step forward was made for a while: nothing
 * listed, no octet of a message, no folder opened. Waiting for our own side
 * (room, rules, sinks, a place) is not held against it. What a server does to
 * messages for us may take it much longer.
 */
#include <string.h>

#include "engine/parts.h"

void line_cut_off(struct line *line)
{
    if (line->is_running) {
        line->is_cut_off = true;
        pr_scope_cancel(&line->scope);
    }
}

pr_status line_verdict(const struct line *line, pr_status status)
{
    if (status != PR_CANCELLED || !line->is_cut_off) {
        /* What was called back while it watched may have lost its line there.
         */
        return status == PR_CANCELLED && !pr_is_cancelled()
                   ? pr_fail(PR_NETWORK, "the connection was given up")
                   : status;
    }
    if (line->has_slept) {
        return pr_fail(PR_NETWORK,
                       "the machine slept, and the connection is made anew");
    }
    if (line->is_hurried) {
        return pr_fail(PR_NETWORK, "the network changed and the server says "
                                   "nothing any more");
    }
    return pr_fail(PR_TIMEOUT,
                   "the server lets us wait for ever: no step forward for %llu "
                   "s (options: stall)",
                   (unsigned long long)((pr_now() - line->seen_time) / 1000));
}

/* ---- Opening and closing ------------------------------------------------- */

static const char *host_of(const struct line *line)
{
    const struct pr_source_ops *ops = line->source.class->source;
    const char *host = ops->host != NULL ? ops->host(&line->source) : NULL;
    return host != NULL ? host : "";
}

static bool is_needed(const struct line *line)
{
    const struct account_run *run = line->run;
    return !line->is_helper || run->folder_count == 0 ||
           run->folder_next < run->folder_count;
}

static pr_status line_open(struct account_run *run, struct line *line)
{
    struct places *places = run->engine->places;
    if (line->is_open) {
        return place_resume(places, &line->place);
    }
    line->engine = run->engine;
    line->account = run->account;
    line->source = (struct pr_source){
        .class = run->account->source,
        .options = run->account->source_options,
        .log = run->log,
        .account = run->name,
        .read_only = run->account->read_only || run->engine->dry_run,
        .wants_changes = hooks_of_account(run->engine->config, run->name) != 0,
    };
    pr_status status =
        place_take(places, &line->place, host_of(line), run->claimant);
    if (status != PR_OK) {
        return status;
    }
    if (!is_needed(line)) {
        place_give(places, &line->place);
        return PR_OK;
    }
    engine_hold(line->engine);
    line->is_open = true;
    status = line->source.class->source->open(&line->source);
    line->steps++;
    return status;
}

void line_close(struct line *line)
{
    if (!line->is_open) {
        return;
    }
    struct pr_failure failure = *pr_last_failure();
    line->source.class->source->close(&line->source);
    line->is_open = false;
    place_give(line->engine->places, &line->place);
    engine_release(line->engine);
    line->engine = NULL;
    if (failure.status != PR_OK) {
        (void)!pr_fail(failure.status, "%s", failure.text);
    }
}

/* ---- Working ------------------------------------------------------------- */

static pr_status run_line(void *argument)
{
    struct line *line = argument;
    struct account_run *run = line->run;
    pr_status status = line_open(run, line);
    bool has_come = status == PR_OK;
    if (has_come && line->is_open) {
        status = line->task(run, line);
    }
    status = line_verdict(line, status);
    if (!has_come && line->is_helper && !line->has_slept &&
        status != PR_CANCELLED) {
        account_note_shortage(run);
    }
    if (line->is_open && (status != PR_OK || !run->keeps_lines ||
                          !place_park(run->engine->places, &line->place))) {
        line_close(line);
    }
    line->is_running = false;
    run->running--;
    pr_event_wake_all(&run->moves);
    return status;
}

pr_status line_start(struct account_run *run, struct line *line,
                     line_task *task)
{
    pr_scope_init(&line->scope);
    line->run = run;
    line->task = task;
    line->is_hurried = line->has_slept = line->is_cut_off = false;
    line->thinks = false;
    line->seen = line->steps;
    line->seen_time = pr_now();
    line->is_running = true;
    run->running++;
    pr_status status =
        pr_spawn(&line->scope, run->name, PR_STACK_SESSION, run_line, line);
    if (status != PR_OK) {
        line->is_running = false;
        run->running--;
    }
    return status;
}

/* ---- Getting on ---------------------------------------------------------- */

static uint64_t steps_of(const struct line *line)
{
    const struct session *session = line->session;
    const struct pr_spool *incoming =
        session != NULL ? session->incoming : NULL;
    return line->steps + (incoming != NULL ? pr_spool_wire_size(incoming) : 0);
}

/* Is it us that the source waits for? */
static bool waits_for_us(const struct line *line)
{
    const struct session *session = line->session;
    if (line->thinks) {
        return true;
    }
    if (session == NULL) {
        return !line->place.is_at_work;
    }
    return session->waits_for_room || session->batches_running > 0 ||
           session->rules_running > session->more_waits;
}

/* A line that settles is proved by TCP when the network changes. */
static uint64_t patience(const struct line *line, uint64_t stall)
{
    if (line->is_settling) {
        return stall < SETTLING_MS ? SETTLING_MS : stall;
    }
    return line->is_hurried && HURRY_MS < stall ? HURRY_MS : stall;
}

static void look_at(struct line *line, uint64_t stall)
{
    uint64_t steps = steps_of(line);
    uint64_t most = patience(line, stall);
    if (steps != line->seen || waits_for_us(line)) {
        line->is_hurried = line->is_hurried && steps == line->seen;
        line->seen = steps;
        line->seen_time = pr_now();
    } else if (pr_now() - line->seen_time >= most && !line->is_cut_off) {
        line_cut_off(line);
    }
}

void lines_watch(struct account_run *run)
{
    for (size_t i = 0; i < run->line_count; i++) {
        struct line *line = run->lines[i];
        if (line != NULL && line->is_running && line->run == run) {
            look_at(line, run->engine->config->stall);
        }
    }
}
