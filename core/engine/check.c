/*
 * Sinks tried before there is mail for them: opened, asked whether they could
 * deliver, closed. Services are asked whether they are there, and accounts
 * are logged in to.
 */
#include "base/memory.h"
#include "engine/parts.h"
#include "plugin/registry.h"

struct trial {
    struct pr_sink *sink; /* one of these three, the others NULL */
    struct pr_service *service;
    const struct account *account;
    size_t folders; /* that the account has */
    const char *name;
    uint64_t timeout;
    void (*each)(void *user, const struct sink_report *report);
    void *user;
    struct pr_event ended;
    bool has_ended;
};

static pr_status ask(struct pr_sink *sink)
{
    const struct pr_sink_ops *ops = sink->class->sink;
    if (!REGISTRY_COVERS(ops, check) || ops->check == NULL) {
        return pr_fail(PR_UNSUPPORTED, "it cannot be tried");
    }
    return ops->check(sink);
}

static pr_status try_sink(struct pr_sink *sink)
{
    const struct pr_sink_ops *ops = sink->class->sink;
    pr_status status = ops->open != NULL ? ops->open(sink) : PR_OK;
    if (status == PR_OK) {
        status = ask(sink);
        struct pr_failure failure = *pr_last_failure();
        if (ops->close != NULL) {
            ops->close(sink);
        }
        if (status != PR_OK) {
            status = pr_fail(status, "%s", failure.text);
        }
    }
    return status;
}

static pr_status try_service(struct pr_service *service, uint64_t timeout)
{
    const struct pr_service_ops *ops = service->class->service;
    if (!REGISTRY_COVERS(ops, check) || ops->check == NULL) {
        return pr_fail(PR_UNSUPPORTED, "it cannot be tried");
    }
    return ops->check(service, pr_in(timeout));
}

static pr_status count_folder(void *user, const char *name)
{
    (void)name;
    ++*(size_t *)user;
    return PR_OK;
}

/* Reads nothing but the names of folders. */
static pr_status try_account(const struct account *account, size_t *ret_folders)
{
    const struct pr_source_ops *ops = account->source->source;
    struct pr_log log = {NULL, account->name};
    struct pr_source source = source_to_look_at(account, &log);
    if ((ops->lacks & PR_LACKS_STAY) != 0) {
        return pr_fail(PR_UNSUPPORTED, "its mail comes when it is delivered");
    }
    pr_status status = ops->open(&source);
    if (status == PR_OK && ops->folders != NULL) {
        status =
            ops->folders(&source, account->folders, count_folder, ret_folders);
    }
    struct pr_failure failure = *pr_last_failure();
    ops->close(&source);
    return status == PR_OK ? PR_OK : pr_fail(status, "%s", failure.text);
}

static pr_status try_it(void *argument)
{
    struct trial *trial = argument;
    pr_status status = trial->sink != NULL ? try_sink(trial->sink)
                       : trial->account != NULL
                           ? try_account(trial->account, &trial->folders)
                           : try_service(trial->service, trial->timeout);
    trial->has_ended = true;
    pr_event_wake_all(&trial->ended);
    return status;
}

/* One that is out of time unwinds, and so lets its connection go. */
static pr_status try_in_time(struct trial *trial)
{
    struct pr_scope scope;
    pr_scope_init(&scope);
    pr_status status =
        pr_spawn(&scope, trial->name,
                 trial->service == NULL ? PR_STACK_SESSION : PR_STACK_RULE,
                 try_it, trial);
    bool is_late = false;
    if (status == PR_OK && !trial->has_ended) {
        is_late =
            pr_event_wait(&trial->ended, pr_in(trial->timeout)) == PR_TIMEOUT;
    }
    if (is_late) {
        pr_scope_cancel(&scope);
    }
    pr_status joined = pr_scope_join(&scope);
    if (is_late && joined == PR_CANCELLED) {
        return pr_fail(PR_TIMEOUT, "no answer within %llu s",
                       (unsigned long long)trial->timeout / 1000);
    }
    return status != PR_OK ? status : joined;
}

static pr_status run_trial(void *argument)
{
    struct trial *trial = argument;
    pr_status status = try_in_time(trial);
    if (status == PR_CANCELLED) {
        return status;
    }
    struct sink_report report = {
        .sink = trial->name,
        .is_account = trial->account != NULL,
        .folders = trial->folders,
        .status = status,
        .error = status == PR_OK ? NULL : pr_last_failure()->text,
    };
    trial->each(trial->user, &report);
    return PR_OK;
}

static size_t count_services(const struct config *config)
{
    size_t count = 0;
    while (config_service(config, count) != NULL) {
        count++;
    }
    return count;
}

pr_status engine_check(struct config *config, uint64_t timeout,
                       void (*each)(void *user,
                                    const struct sink_report *report),
                       void *user)
{
    size_t services = count_services(config);
    size_t count = config->account_count + config->sink_count + services;
    struct trial *trials = memory_zeroed(count + 1, sizeof(*trials));
    if (trials == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_status status = PR_OK;
    struct pr_scope scope;
    pr_scope_init(&scope);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        struct trial *trial = &trials[i];
        *trial = (struct trial){.timeout = timeout, .each = each, .user = user};
        if (i < config->sink_count) {
            trial->sink = config->sinks[i];
            trial->name = trial->sink->name;
        } else if (i < config->sink_count + services) {
            trial->service = config_service(config, i - config->sink_count);
            trial->name = trial->service->name;
        } else {
            trial->account =
                &config->accounts[i - config->sink_count - services];
            trial->name = trial->account->name;
        }
        status =
            pr_spawn(&scope, trial->name, PR_STACK_SESSION, run_trial, trial);
    }
    pr_status joined = pr_scope_join(&scope);
    memory_free(trials);
    return status != PR_OK ? status : joined;
}
