/*
 * Accounts looked after for as long as the daemon lives: the scheduler that
 * gives keepers their turns, and configurations that follow one another.
 *
 * The scheduler sleeps until the first keeper is due, or until something moves.
 */
#include "engine/daemon.h"

#include <string.h>
#include <time.h>

#include "auth/cache.h"
#include "base/memory.h"
#include "engine/heal.h"
#include "engine/keeper.h"

#define DAY_MS ((uint64_t)24 * 60 * 60 * 1000)
/* How long a keeper waits that got no fiber. */
#define NO_FIBER_MS 1000u

static const struct pr_log daemon_log = {NULL, "daemon"};

/* ---- Its life ------------------------------------------------------------ */

pr_status daemon_new(struct state *state,
                     const struct engine_observer *observer,
                     struct daemon **ret)
{
    struct daemon *daemon = memory_zeroed(1, sizeof(*daemon));
    if (daemon == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    daemon->state = state;
    if (observer != NULL) {
        daemon->observer = *observer;
    }
    daemon->random = (uint64_t)time(NULL) * 2654435761u + pr_now() + 1;
    pr_scope_init(&daemon->turns);
    pr_scope_init(&daemon->burials);
    pr_scope_cancel(&daemon->burials);
    pr_status status = places_new(0, 0, &daemon->places);
    if (status != PR_OK) {
        memory_free(daemon);
        return status;
    }
    secrets_keep(true);
    *ret = daemon;
    return PR_OK;
}

void daemon_free(struct daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        keeper_free(daemon->keepers[i]);
    }
    for (size_t i = 0; i < daemon->leaving_count; i++) {
        keeper_free(daemon->leaving[i]);
    }
    memory_free(daemon->keepers);
    memory_free(daemon->leaving);
    engine_release(daemon->engine);
    places_free(daemon->places);
    secrets_keep(false);
    memory_free(daemon);
}

void daemon_wake(struct daemon *daemon)
{
    daemon->has_moved = true;
    pr_event_wake_all(&daemon->moves);
}

/* ---- What is told to observers ------------------------------------------- */

struct keeper *daemon_keeper(const struct daemon *daemon, const char *name)
{
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        if (strcmp(daemon->keepers[i]->name, name) == 0) {
            return daemon->keepers[i];
        }
    }
    return NULL;
}

static void on_message(void *user, const struct message_report *report)
{
    struct daemon *daemon = user;
    struct keeper *keeper = daemon_keeper(daemon, report->account);
    if (daemon->observer.message != NULL) {
        daemon->observer.message(daemon->observer.user, report);
    }
    struct ticket *ticket = keeper != NULL ? keeper->served : NULL;
    for (; ticket != NULL; ticket = ticket->next) {
        const struct engine_observer *observer =
            ticket->poll != NULL ? ticket->poll->observer : NULL;
        if (observer != NULL && observer->message != NULL) {
            observer->message(observer->user, report);
        }
    }
}

static void on_event(void *user, const struct event_report *report)
{
    struct daemon *daemon = user;
    struct keeper *keeper = daemon_keeper(daemon, report->account);
    if (daemon->observer.event != NULL) {
        daemon->observer.event(daemon->observer.user, report);
    }
    struct ticket *ticket = keeper != NULL ? keeper->served : NULL;
    for (; ticket != NULL; ticket = ticket->next) {
        const struct engine_observer *observer =
            ticket->poll != NULL ? ticket->poll->observer : NULL;
        if (observer != NULL && observer->event != NULL) {
            observer->event(observer->user, report);
        }
    }
}

static void on_sweep(void *user, const struct sweep_report *report)
{
    struct daemon *daemon = user;
    struct keeper *keeper = daemon_keeper(daemon, report->account);
    if (daemon->observer.sweep != NULL) {
        daemon->observer.sweep(daemon->observer.user, report);
    }
    struct ticket *ticket = keeper != NULL ? keeper->served : NULL;
    for (; ticket != NULL; ticket = ticket->next) {
        const struct engine_observer *observer =
            ticket->poll != NULL ? ticket->poll->observer : NULL;
        if (observer != NULL && observer->sweep != NULL) {
            observer->sweep(observer->user, report);
        }
    }
}

/* ---- Configurations ------------------------------------------------------ */

/* Keepers in the making: those that go on, and new ones. */
struct line_up {
    struct keeper **keepers;
    size_t count;
    struct keeper **leaving; /* room for all that may leave */
};

static pr_status line_up(struct daemon *daemon, const struct config *config,
                         struct line_up *ret)
{
    size_t most = daemon->leaving_count + daemon->keeper_count;
    struct line_up up = {
        .keepers =
            memory_zeroed(config->account_count + 1, sizeof(*up.keepers)),
        .leaving = memory_zeroed(most + 1, sizeof(*up.leaving))};
    pr_status status = up.keepers != NULL && up.leaving != NULL
                           ? PR_OK
                           : pr_fail(PR_NOMEM, "out of memory");
    for (size_t i = 0; status == PR_OK && i < config->account_count; i++) {
        const struct account *account = &config->accounts[i];
        if (is_standard_input(account)) {
            continue;
        }
        struct keeper *keeper = daemon_keeper(daemon, account->name);
        if (keeper == NULL) {
            status = keeper_new(daemon, account->name, &keeper);
        }
        up.keepers[up.count] = keeper;
        up.count += status == PR_OK;
    }
    *ret = up;
    return status;
}

static void undo_line_up(const struct daemon *daemon, struct line_up *up)
{
    for (size_t i = 0; i < up->count; i++) {
        if (daemon_keeper(daemon, up->keepers[i]->name) == NULL) {
            keeper_free(up->keepers[i]);
        }
    }
    memory_free(up->keepers);
    memory_free(up->leaving);
}

/* Cannot fail. */
static void take_over(struct daemon *daemon, const struct line_up *up,
                      const struct config *config)
{
    size_t count = daemon->leaving_count;
    if (count > 0) {
        memcpy(up->leaving, daemon->leaving, count * sizeof(*up->leaving));
    }
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        struct keeper *keeper = daemon->keepers[i];
        const struct account *account = config_account(config, keeper->name);
        if (account == NULL || is_standard_input(account)) {
            keeper->is_removed = true;
            up->leaving[count++] = keeper;
            keeper_stop(keeper);
        } else {
            keeper_look_at(keeper, account);
        }
    }
    memory_free(daemon->keepers);
    memory_free(daemon->leaving);
    daemon->keepers = up->keepers;
    daemon->keeper_count = up->count;
    daemon->leaving = up->leaving;
    daemon->leaving_count = count;
}

pr_status daemon_configure(struct daemon *daemon, struct config *config)
{
    const struct engine_observer observer = {.user = daemon,
                                             .message = on_message,
                                             .event = on_event,
                                             .sweep = on_sweep};
    struct engine *engine = NULL, *before = daemon->engine;
    struct line_up up = {0};
    pr_status status = engine_new_for_daemon(
        config, daemon->state, daemon->places, &observer, &engine);
    if (status != PR_OK) {
        return status;
    }
    status = line_up(daemon, config, &up);
    if (status != PR_OK) {
        undo_line_up(daemon, &up);
        engine->owns_config = false;
        struct pr_failure failure = *pr_last_failure();
        engine_release(engine);
        return pr_fail(status, "%s", failure.text);
    }
    take_over(daemon, &up, config);
    if (before != NULL) {
        config_share_profiles(config, before->config);
    }
    daemon->engine = engine;
    if (daemon->is_stopping) {
        engine_stop(engine);
    }
    places_limit(daemon->places, config->connections,
                 config->connections_per_host);
    engine_release(before);
    daemon_wake(daemon);
    pr_event_wake_all(&daemon->changes);
    return PR_OK;
}

const struct config *daemon_config(const struct daemon *daemon)
{
    return daemon->engine != NULL ? daemon->engine->config : NULL;
}

/* ---- The scheduler ------------------------------------------------------- */

static bool has_namesake_leaving(const struct daemon *daemon,
                                 const struct keeper *keeper)
{
    for (size_t i = 0; i < daemon->leaving_count; i++) {
        if (strcmp(daemon->leaving[i]->name, keeper->name) == 0) {
            return true;
        }
    }
    return false;
}

static void begin_turn(struct daemon *daemon, struct keeper *keeper)
{
    keeper->is_turning = true;
    if (pr_spawn(&daemon->turns, keeper->name, PR_STACK_SESSION, keeper_turn,
                 keeper) != PR_OK) {
        pr_log(&keeper->log, PR_LOG_ERROR, "%s", pr_last_failure()->text);
        keeper->is_turning = false;
        keeper->due = pr_in(NO_FIBER_MS);
    }
}

static void forget_gone(struct daemon *daemon)
{
    size_t left = 0;
    for (size_t i = 0; i < daemon->leaving_count; i++) {
        struct keeper *keeper = daemon->leaving[i];
        if (keeper->is_gone && !keeper->is_turning && keeper->buried == 0) {
            keeper_free(keeper);
        } else {
            daemon->leaving[left++] = keeper;
        }
    }
    daemon->leaving_count = left;
}

/* Gives turns to all that want one; returns when the next will. */
static pr_time give_turns(struct daemon *daemon)
{
    pr_time now = pr_now(), next = PR_NEVER;
    for (size_t i = 0; i < daemon->leaving_count; i++) {
        if (keeper_wants_turn(daemon->leaving[i], now)) {
            begin_turn(daemon, daemon->leaving[i]);
        }
    }
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        struct keeper *keeper = daemon->keepers[i];
        if (keeper_wants_turn(keeper, now) &&
            !has_namesake_leaving(daemon, keeper)) {
            begin_turn(daemon, keeper);
        }
        if (!keeper->is_turning && !keeper->is_paused && keeper->due > now &&
            keeper->due < next) {
            next = keeper->due;
        }
    }
    return next;
}

static bool is_over(const struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        const struct keeper *keeper = daemon->keepers[i];
        if (!keeper->is_gone || keeper->is_turning || keeper->buried > 0) {
            return false;
        }
    }
    return daemon->is_stopping && daemon->leaving_count == 0;
}

/* What is not done within the grace is cut short, and what hangs even then is
 * given up. */
static void go_on_to_end(struct daemon *daemon)
{
    if (!daemon->is_cut_short) {
        daemon->is_cut_short = true;
        daemon->stop_end = pr_in(ENGINE_GIVE_UP_MS);
        pr_scope_cancel(&daemon->turns);
        return;
    }
    daemon->is_given_up = true;
    pr_log(&daemon_log, PR_LOG_WARNING,
           "what hangs is given up; the next run takes it up");
    pr_scope_give_up(&daemon->turns);
    pr_scope_give_up(&daemon->burials);
}

static pr_time mind_the_end(struct daemon *daemon, pr_time next)
{
    if (daemon->is_stopping && !daemon->is_given_up &&
        pr_now() >= daemon->stop_end) {
        go_on_to_end(daemon);
    }
    if (!daemon->is_stopping || daemon->is_given_up) {
        return next;
    }
    return daemon->stop_end < next ? daemon->stop_end : next;
}

static pr_time forget_history(struct daemon *daemon, pr_time next)
{
    if (pr_now() >= daemon->history_due && !daemon->is_stopping) {
        daemon->history_due = pr_in(DAY_MS);
        engine_forget_history(daemon->state);
    }
    return daemon->history_due < next ? daemon->history_due : next;
}

static pr_time give_memory_back(struct daemon *daemon, pr_time next)
{
    if (pr_now() >= daemon->trim_due) {
        daemon->trim_due = PR_NEVER;
        memory_trim();
    }
    return daemon->trim_due < next ? daemon->trim_due : next;
}

static void tell(void *user, enum daemon_news news, uint64_t slept)
{
    daemon_tell(user, news, slept);
}

static pr_status heal(void *argument)
{
    return heal_run(tell, argument);
}

pr_status daemon_run(struct daemon *daemon)
{
    bool is_shielded = false;
    struct pr_scope healing;
    pr_scope_init(&healing);
    pr_status status =
        pr_spawn(&healing, "heal", PR_STACK_SESSION, heal, daemon);
    if (status != PR_OK) {
        return status;
    }
    daemon->is_running = true;
    daemon->history_due = pr_in(DAY_MS / 24);
    daemon->trim_due = PR_NEVER;
    while (true) {
        daemon->has_moved = false;
        forget_gone(daemon);
        pr_time next = mind_the_end(daemon, give_turns(daemon));
        next = forget_history(daemon, next);
        next = give_memory_back(daemon, next);
        if (is_over(daemon)) {
            break;
        }
        status = daemon->has_moved ? pr_yield()
                                   : pr_event_wait(&daemon->moves, next);
        if (status == PR_CANCELLED && !is_shielded) {
            pr_log(&daemon_log, PR_LOG_DEBUG, "cancelled");
            daemon_stop(daemon, 0);
            pr_shield_begin();
            is_shielded = true;
        }
    }
    pr_scope_cancel(&healing);
    (void)pr_scope_join(&healing);
    (void)pr_scope_join(&daemon->turns);
    (void)pr_scope_join(&daemon->burials);
    if (is_shielded) {
        pr_shield_end();
    }
    daemon->is_running = false;
    return PR_OK;
}

void daemon_stop(struct daemon *daemon, uint64_t grace)
{
    pr_time end = pr_in(grace);
    daemon->stop_end =
        daemon->is_stopping && daemon->stop_end < end ? daemon->stop_end : end;
    daemon->is_stopping = true;
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        keeper_stop(daemon->keepers[i]);
    }
    daemon_wake(daemon);
}
