/*
 * Accounts looked after for as long as the daemon lives.
 */
#include "engine/daemon.h"

#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "engine/heal.h"
#include "engine/parts.h"

struct keeper {
    struct daemon *daemon;
    const struct account *account;
    enum account_state state;
    int64_t since, last_poll, next_poll;
    bool is_asked; /* for a poll */
};

struct daemon {
    struct state *state;
    struct engine_observer observer;
    struct config *config;
    struct engine *engine;
    struct keeper *keepers;
    size_t keeper_count;
    struct pr_scope scope;
    struct pr_event changes, stops;
    bool is_stopping;
    uint64_t grace;
};

pr_status daemon_new(struct state *state,
                     const struct engine_observer *observer,
                     struct daemon **ret)
{
    struct daemon *daemon = memory_zeroed(1, sizeof(*daemon));
    if (daemon == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    daemon->state = state;
    daemon->observer = *observer;
    *ret = daemon;
    return PR_OK;
}

void daemon_free(struct daemon *daemon)
{
    if (daemon == NULL) {
        return;
    }
    engine_free(daemon->engine);
    config_free(daemon->config);
    memory_free(daemon->keepers);
    memory_free(daemon);
}

pr_status daemon_configure(struct daemon *daemon, struct config *config)
{
    if (daemon->config != NULL) {
        return pr_fail(PR_UNSUPPORTED, "not in this version yet");
    }
    daemon->keepers =
        memory_zeroed(config->account_count, sizeof(struct keeper));
    if (daemon->keepers == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_status status = engine_new(config, daemon->state, 0, &daemon->observer,
                                  &daemon->engine);
    if (status != PR_OK) {
        return status;
    }
    for (size_t i = 0; i < config->account_count; i++) {
        daemon->keepers[i] = (struct keeper){daemon, &config->accounts[i],
                                             .since = time(NULL)};
    }
    daemon->keeper_count = config->account_count;
    daemon->config = config;
    return PR_OK;
}

const struct config *daemon_config(const struct daemon *daemon)
{
    return daemon->config;
}

static void change(struct keeper *keeper, enum account_state state)
{
    keeper->state = state;
    keeper->since = time(NULL);
    pr_event_wake_all(&keeper->daemon->changes);
}

static pr_status keep(void *argument)
{
    struct keeper *keeper = argument;
    while (!keeper->daemon->is_stopping) {
        const char *names[] = {keeper->account->name, NULL};
        keeper->is_asked = false;
        change(keeper, ACCOUNT_FETCHING);
        (void)!engine_fetch(keeper->daemon->engine, names);
        keeper->last_poll = time(NULL);
        keeper->next_poll =
            keeper->last_poll + (int64_t)(keeper->account->every / 1000);
        change(keeper, ACCOUNT_WAITING);
        while (!keeper->daemon->is_stopping && !keeper->is_asked &&
               time(NULL) < keeper->next_poll) {
            if (pr_sleep(100) != PR_OK) {
                return PR_CANCELLED;
            }
        }
    }
    return PR_OK;
}

static void tell(void *user, enum daemon_news news)
{
    daemon_tell(user, news);
}

static pr_status heal(void *argument)
{
    return heal_run(tell, argument);
}

pr_status daemon_run(struct daemon *daemon)
{
    struct pr_scope healing;
    pr_scope_init(&healing);
    pr_status status =
        pr_spawn(&healing, "heal", PR_STACK_SESSION, heal, daemon);
    pr_scope_init(&daemon->scope);
    for (size_t i = 0; status == PR_OK && i < daemon->keeper_count; i++) {
        status = pr_spawn(&daemon->scope, daemon->keepers[i].account->name,
                          PR_STACK_SESSION, keep, &daemon->keepers[i]);
    }
    pr_status joined = pr_scope_join(&daemon->scope);
    pr_scope_cancel(&healing);
    (void)pr_scope_join(&healing);
    return status != PR_OK ? status : joined;
}

void daemon_stop(struct daemon *daemon, uint64_t grace)
{
    daemon->is_stopping = true;
    daemon->grace = grace;
    if (daemon->engine != NULL) {
        engine_stop(daemon->engine);
    }
}

pr_status daemon_poll(struct daemon *daemon, const char *const *accounts,
                      unsigned mode, const struct engine_observer *observer)
{
    (void)accounts;
    (void)mode;
    (void)observer;
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        daemon->keepers[i].is_asked = true;
    }
    return PR_OK;
}

pr_status daemon_pause(struct daemon *daemon, const char *const *accounts)
{
    (void)daemon;
    (void)accounts;
    return PR_OK;
}

pr_status daemon_resume(struct daemon *daemon, const char *const *accounts)
{
    (void)daemon;
    (void)accounts;
    return PR_OK;
}

void daemon_tell(struct daemon *daemon, enum daemon_news news)
{
    (void)daemon;
    (void)news;
}

size_t daemon_account_count(const struct daemon *daemon)
{
    return daemon->keeper_count;
}

struct account_status daemon_account(const struct daemon *daemon, size_t index)
{
    const struct keeper *keeper = &daemon->keepers[index];
    return (struct account_status){.account = keeper->account->name,
                                   .state = keeper->state,
                                   .since = keeper->since,
                                   .last_poll = keeper->last_poll,
                                   .next_poll = keeper->next_poll};
}

struct pr_event *daemon_changes(struct daemon *daemon)
{
    return &daemon->changes;
}
