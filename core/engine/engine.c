/*
 * A run over accounts: their fibers, the sinks they share, the limits that hold
 * over all of them.
 */
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/parts.h"
#include "state/deeds.h"
#include "state/kept.h"

/* So long `postrider why` has an answer, in seconds. */
#define HISTORY_AGE ((int64_t)365 * 24 * 60 * 60)
/* So long what was done on a server can be undone; in seconds. */
#define DEEDS_AGE ((int64_t)30 * 24 * 60 * 60)

static const struct pr_log engine_log = {NULL, "engine"};

struct pr_sink *engine_sink(const struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->open_count; i++) {
        if (strcmp(engine->open_sinks[i]->name, name) == 0) {
            return engine->open_sinks[i];
        }
    }
    return NULL;
}

static pr_status open_sinks(struct engine *engine)
{
    const struct config *config = engine->config;
    engine->open_sinks = config->sinks;
    while (engine->open_count < config->sink_count) {
        struct pr_sink *sink = config->sinks[engine->open_count];
        const struct pr_sink_ops *ops = sink->class->sink;
        if (ops->open != NULL && !engine->dry_run) {
            pr_status status = ops->open(sink);
            if (status != PR_OK) {
                return pr_context(status, "%s", sink->name);
            }
        }
        engine->open_count++;
    }
    return PR_OK;
}

static pr_status start(struct engine *engine)
{
    const struct config *config = engine->config;
    pr_status status = PR_OK;
    if (engine->places == NULL) {
        status = places_new(config->connections, config->connections_per_host,
                            &engine->places);
        engine->owns_places = status == PR_OK;
    }
    return status == PR_OK ? open_sinks(engine) : status;
}

static pr_status make(const struct engine *like, struct engine **ret)
{
    struct engine *engine = memory_alloc(sizeof(*engine));
    if (engine == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    *engine = *like;
    rules_attach(engine->config, engine->state, engine->dry_run);
    pr_status status = start(engine);
    if (status != PR_OK) {
        engine_free(engine);
        return status;
    }
    *ret = engine;
    return PR_OK;
}

pr_status engine_new(struct config *config, struct state *state, unsigned mode,
                     const struct engine_observer *observer,
                     struct engine **ret)
{
    const struct engine like = {.config = config,
                                .state = state,
                                .dry_run = (mode & ENGINE_DRY_RUN) != 0,
                                .delivers = (mode & ENGINE_DELIVER) != 0,
                                .retries_now = (mode & ENGINE_RETRY) != 0,
                                .sweeps_now = (mode & ENGINE_SWEEP) != 0,
                                .uses = 1,
                                .observer = *observer};
    return make(&like, ret);
}

pr_status engine_new_for_daemon(struct config *config, struct state *state,
                                struct places *places,
                                const struct engine_observer *observer,
                                struct engine **ret)
{
    const struct engine like = {.config = config,
                                .state = state,
                                .places = places,
                                .uses = 1,
                                .observer = *observer};
    pr_status status = make(&like, ret);
    if (status == PR_OK) {
        (*ret)->owns_config = true;
    }
    return status;
}

void engine_hold(struct engine *engine)
{
    engine->uses++;
}

void engine_release(struct engine *engine)
{
    if (engine != NULL && --engine->uses == 0) {
        engine_free(engine);
    }
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    for (size_t i = 0; i < engine->open_count; i++) {
        struct pr_sink *sink = engine->open_sinks[i];
        if (sink->class->sink->close != NULL && !engine->dry_run) {
            sink->class->sink->close(sink);
        }
    }
    if (engine->owns_places) {
        places_free(engine->places);
    }
    if (engine->owns_config) {
        config_free(engine->config);
    }
    memory_free(engine);
}

void engine_stop(struct engine *engine)
{
    engine->is_stopping = true;
    pr_event_wake_all(&engine->house_has_room);
}

const struct engine_progress *engine_progress(const struct engine *engine)
{
    return &engine->progress;
}

static pr_status run_one(void *argument)
{
    account_run(argument);
    return PR_OK;
}

static bool is_named(const char *const *names, const char *name)
{
    if (names == NULL || names[0] == NULL) {
        return true;
    }
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

pr_status no_such_account(const struct config *config, const char *name)
{
    const char *nearest = NULL;
    const char **names =
        memory_alloc((config->account_count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < config->account_count; i++) {
        names[i] = config->accounts[i].name;
    }
    if (names != NULL) {
        names[config->account_count] = NULL;
        nearest = text_nearest(name, names);
    }
    memory_free(names);
    return nearest != NULL
               ? pr_fail(PR_CONFIG,
                         "%s has no account \"%s\"; did you mean \"%s\"?",
                         config->file, name, nearest)
               : pr_fail(PR_CONFIG, "%s has no account \"%s\"", config->file,
                         name);
}

bool is_standard_input(const struct account *account)
{
    return (account->source->source->lacks & PR_LACKS_STAY) != 0;
}

static bool is_meant(const struct engine *engine, const struct account *account,
                     const char *const *names)
{
    return is_standard_input(account) == engine->delivers &&
           is_named(names, account->name);
}

static pr_status check_name(const struct engine *engine, const char *name)
{
    const struct account *account = config_account(engine->config, name);
    if (account == NULL) {
        return no_such_account(engine->config, name);
    }
    if (is_standard_input(account) && !engine->delivers) {
        return pr_fail(PR_CONFIG,
                       "account \"%s\" reads standard input: use postrider "
                       "deliver",
                       name);
    }
    if (!is_standard_input(account) && engine->delivers) {
        return pr_fail(PR_CONFIG,
                       "account \"%s\" does not read standard input: its "
                       "source would have to be stdin {}",
                       name);
    }
    return PR_OK;
}

/* There is one standard input, so it goes to one account. */
static pr_status check_names(const struct engine *engine,
                             const char *const *names)
{
    const struct config *config = engine->config;
    size_t count = 0;
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        pr_status status = check_name(engine, names[i]);
        if (status != PR_OK) {
            return status;
        }
    }
    for (size_t i = 0; engine->delivers && i < config->account_count; i++) {
        count += is_meant(engine, &config->accounts[i], names);
    }
    if (engine->delivers && count != 1) {
        return pr_fail(PR_CONFIG,
                       count == 0 ? "%s has no account that reads standard "
                                    "input: one with source = stdin {}"
                                  : "%s has several accounts that read "
                                    "standard input: name one of them",
                       config->file);
    }
    return PR_OK;
}

/* Values that rules keep. */
#define KEPT_MOST 1000000

void engine_forget_history(struct state *state)
{
    pr_status status = state_prune_history(state, time(NULL) - HISTORY_AGE);
    if (status == PR_OK) {
        status = state_prune_kept(state, (int64_t)time(NULL) * 1000, KEPT_MOST);
    }
    if (status == PR_OK) {
        status = state_prune_deeds(state, time(NULL) - DEEDS_AGE);
    }
    if (status != PR_OK) {
        pr_log(&engine_log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    }
}

/* What a run needs besides the account. */
struct one {
    struct account_run run;
    struct pr_log log;
};

/* Is there anything to do for the account? Nothing that can be undone needs no
 * connection. */
static bool has_work(const struct engine *engine, const struct account *account)
{
    struct state_deed *deeds;
    size_t count = 0;
    if (engine->undo == NULL) {
        return true;
    }
    struct pr_arena *arena = pr_arena_new();
    bool is_known = arena != NULL &&
                    state_deeds_returning(engine->state, account->name, NULL,
                                          arena, &deeds, &count) == PR_OK;
    if (is_known && count == 0) {
        is_known =
            state_deeds(engine->state, account->name, engine->undo->since,
                        arena, &deeds, &count) == PR_OK;
    }
    pr_arena_free(arena);
    return !is_known || count > 0;
}

pr_status engine_fetch(struct engine *engine, const char *const *accounts)
{
    const struct config *config = engine->config;
    pr_status status = check_names(engine, accounts);
    if (status != PR_OK) {
        return status;
    }
    struct one *runs = memory_alloc(config->account_count * sizeof(*runs) + 1);
    if (runs == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    struct pr_scope scope;
    pr_scope_init(&scope);
    for (size_t i = 0; i < config->account_count; i++) {
        const struct account *account = &config->accounts[i];
        if (!is_meant(engine, account, accounts) ||
            !has_work(engine, account)) {
            continue;
        }
        runs[i] = (struct one){.log = {NULL, account->name},
                               .run = {.engine = engine,
                                       .account = account,
                                       .name = account->name,
                                       .log = &runs[i].log,
                                       .retries_now = engine->retries_now,
                                       .sweeps_now = engine->sweeps_now}};
        status = pr_spawn(&scope, account->name, PR_STACK_SESSION, run_one,
                          &runs[i].run);
        if (status != PR_OK) {
            pr_log(&engine_log, PR_LOG_ERROR, "%s: %s", account->name,
                   pr_last_failure()->text);
            break;
        }
    }
    pr_status joined = pr_scope_join(&scope);
    memory_free(runs);
    if (!engine->dry_run && !engine->is_stopping) {
        engine_forget_history(engine->state);
    }
    return status != PR_OK ? status : joined;
}

pr_status engine_undo(struct engine *engine, const char *const *accounts,
                      const struct undo_order *order)
{
    engine->undo = order;
    pr_status status = engine_fetch(engine, accounts);
    engine->undo = NULL;
    return status;
}
