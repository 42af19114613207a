/*
 * Sinks tried before there is mail for them: opened, asked whether they could
 * deliver, closed.
 */
#include "base/memory.h"
#include "engine/parts.h"
#include "plugin/registry.h"

struct trial {
    struct pr_sink *sink;
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

static pr_status try_sink(void *argument)
{
    struct trial *trial = argument;
    const struct pr_sink_ops *ops = trial->sink->class->sink;
    pr_status status = ops->open != NULL ? ops->open(trial->sink) : PR_OK;
    if (status == PR_OK) {
        status = ask(trial->sink);
        struct pr_failure failure = *pr_last_failure();
        if (ops->close != NULL) {
            ops->close(trial->sink);
        }
        if (status != PR_OK) {
            status = pr_fail(status, "%s", failure.text);
        }
    }
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
        pr_spawn(&scope, trial->sink->name, PR_STACK_SESSION, try_sink, trial);
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
        .sink = trial->sink->name,
        .status = status,
        .error = status == PR_OK ? NULL : pr_last_failure()->text,
    };
    trial->each(trial->user, &report);
    return PR_OK;
}

pr_status engine_check(struct config *config, uint64_t timeout,
                       void (*each)(void *user,
                                    const struct sink_report *report),
                       void *user)
{
    struct trial *trials =
        memory_zeroed(config->sink_count + 1, sizeof(*trials));
    if (trials == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_status status = PR_OK;
    struct pr_scope scope;
    pr_scope_init(&scope);
    for (size_t i = 0; status == PR_OK && i < config->sink_count; i++) {
        trials[i] = (struct trial){.sink = config->sinks[i],
                                   .timeout = timeout,
                                   .each = each,
                                   .user = user};
        status = pr_spawn(&scope, trials[i].sink->name, PR_STACK_SESSION,
                          run_trial, &trials[i]);
    }
    pr_status joined = pr_scope_join(&scope);
    memory_free(trials);
    return status != PR_OK ? status : joined;
}
