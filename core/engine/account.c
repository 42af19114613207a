/*
 * One account's run: its lock, its connections, and the folders they share.
 *
 * The first worker's source lists the folders. A further worker is started only
 * when a session found much to do while folders wait, so that a poll that finds
 * nothing costs one connection.
 */
#include <string.h>

#include "engine/parts.h"

/* Which of two failures a person should hear of first. */
static int gravity(pr_status status)
{
    switch (status) {
    case PR_OK:
        return 0;
    case PR_CANCELLED:
        return 1;
    case PR_GONE:
        return 2;
    case PR_NETWORK:
    case PR_TIMEOUT:
    case PR_EOF:
    case PR_LATER:
    case PR_BUSY:
        return 3;
    case PR_FULL:
    case PR_IO:
        return 4;
    case PR_AUTH:
    case PR_TLS:
        return 6;
    case PR_CONFIG:
        return 7;
    case PR_BUG:
    case PR_NOMEM:
        return 8;
    default:
        return 5;
    }
}

void account_note_failure(struct account_run *run, pr_status status)
{
    if (gravity(status) <= gravity(run->report.status)) {
        return;
    }
    run->report.status = status;
    memcpy(run->error, pr_last_failure()->text, sizeof(run->error));
    run->report.error = run->error;
}

static const char *host_of(const struct account_run *run,
                           const struct pr_source *source)
{
    const struct pr_source_ops *ops = run->account->source->source;
    const char *host = ops->host != NULL ? ops->host(source) : NULL;
    return host != NULL ? host : "";
}

static bool has_folders_left(const struct account_run *run)
{
    return run->folder_next < run->folder_count && !run->engine->is_stopping;
}

/* A folder that is not there, or that the server does not let us have, spoils
 * only itself; any other failure spoils the source. */
static bool is_of_folder_only(pr_status status)
{
    return status == PR_GONE || status == PR_REFUSED || status == PR_LATER ||
           status == PR_UNSUPPORTED || status == PR_LIMIT ||
           status == PR_CONFIG;
}

static void work_folders(struct account_run *run, struct pr_source *source)
{
    while (has_folders_left(run)) {
        const char *folder = run->folders[run->folder_next++];
        pr_status status = session_run(run, source, folder);
        if (status == PR_OK) {
            continue;
        }
        struct pr_log log = {&run->log, folder};
        account_note_failure(run, status);
        pr_log(&log, status == PR_CANCELLED ? PR_LOG_DEBUG : PR_LOG_ERROR, "%s",
               pr_last_failure()->text);
        if (!is_of_folder_only(status)) {
            return;
        }
    }
}

typedef pr_status source_work(struct account_run *run,
                              struct pr_source *source);

/* Opens a source, does the work, closes it. When the folders were worked off
 * while a helper waited for its place, it need not connect. */
static pr_status with_source(struct account_run *run, source_work *work)
{
    const struct pr_source_ops *ops = run->account->source->source;
    struct pr_source source = {
        .class = run->account->source,
        .options = run->account->source_options,
        .log = &run->log,
        .account = run->account->name,
        .read_only = run->account->read_only || run->engine->dry_run,
    };
    const char *host = host_of(run, &source);
    pr_status status = engine_take_host(run->engine, host);
    if (status != PR_OK) {
        return status;
    }
    if (run->folder_count > 0 && !has_folders_left(run)) {
        engine_give_host(run->engine, host);
        return PR_OK;
    }
    status = ops->open(&source);
    if (status == PR_OK) {
        status = work(run, &source);
    }
    struct pr_failure failure = *pr_last_failure();
    ops->close(&source);
    engine_give_host(run->engine, host);
    return status == PR_OK ? PR_OK : pr_fail(status, "%s", failure.text);
}

static pr_status help(struct account_run *run, struct pr_source *source)
{
    work_folders(run, source);
    return PR_OK;
}

static pr_status helper_fiber(void *argument)
{
    struct account_run *run = argument;
    if (!has_folders_left(run)) {
        return PR_OK;
    }
    pr_status status = with_source(run, help);
    if (status != PR_OK) {
        pr_log(&run->log, PR_LOG_WARNING,
               "no further connection, going on with those there are: %s",
               pr_last_failure()->text);
    }
    return PR_OK;
}

void account_wants_help(struct account_run *run)
{
    if (!has_folders_left(run) ||
        run->worker_count >= run->account->connections) {
        return;
    }
    if (pr_spawn(&run->workers, run->account->name, PR_STACK_SESSION,
                 helper_fiber, run) == PR_OK) {
        run->worker_count++;
    }
}

static pr_status note_folder(void *user, const char *name)
{
    struct account_run *run = user;
    for (size_t i = 0; i < run->folder_count; i++) {
        if (strcmp(run->folders[i], name) == 0) {
            return PR_OK;
        }
    }
    if ((run->folder_count & (run->folder_count - 1)) == 0) {
        size_t room = run->folder_count == 0 ? 1 : run->folder_count * 2;
        const char **more = pr_arena_array(run->arena, room, sizeof(*more));
        if (more == NULL) {
            return PR_NOMEM;
        }
        if (run->folder_count > 0) {
            memcpy(more, run->folders, run->folder_count * sizeof(*more));
        }
        run->folders = more;
    }
    char *copy = pr_arena_text(run->arena, name);
    if (copy == NULL) {
        return PR_NOMEM;
    }
    run->folders[run->folder_count++] = copy;
    return PR_OK;
}

static pr_status lead(struct account_run *run, struct pr_source *source)
{
    const struct pr_source_ops *ops = run->account->source->source;
    pr_status status =
        ops->folders != NULL
            ? ops->folders(source, run->account->folders, note_folder, run)
            : note_folder(run, "INBOX");
    if (status != PR_OK) {
        return status;
    }
    if (run->folder_count == 0) {
        return pr_fail(PR_GONE, "no folder on the server matches `folders`");
    }
    work_folders(run, source);
    return PR_OK;
}

static pr_status run_locked(struct account_run *run)
{
    pr_scope_init(&run->workers);
    run->worker_count = 1;
    pr_status status = with_source(run, lead);
    struct pr_failure failure = *pr_last_failure();
    pr_status joined = pr_scope_join(&run->workers);
    if (status != PR_OK) {
        return pr_fail(status, "%s", failure.text);
    }
    return joined;
}

struct lock_job {
    struct account_run *run;
    struct state_lock *lock;
};

/* How long one that reads standard input waits for another, in ms. */
#define PATIENCE (60u * 1000)

static pr_status take_lock(void *argument)
{
    struct lock_job *job = argument;
    struct account_run *run = job->run;
    pr_status status =
        state_lock_account(run->engine->state, run->account->name, &job->lock);
    if (status == PR_OK && !run->engine->dry_run) {
        status = state_journal_open(run->engine->state, run->account->name,
                                    &run->journal);
    }
    return status;
}

/* What the journal says is of use as long as an intent is open. */
static void close_journal(struct account_run *run)
{
    uint64_t intents = 0;
    if (run->journal != NULL && !state_journal_is_empty(run->journal) &&
        state_intents(run->engine->state, run->account->name, &intents) ==
            PR_OK &&
        intents == 0 && state_journal_clear(run->journal) != PR_OK) {
        pr_log(&run->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    }
    state_journal_close(run->journal);
    run->journal = NULL;
}

void account_run(struct account_run *run)
{
    pr_time start = pr_now();
    run->report.account = run->account->name;
    run->arena = pr_arena_new();
    struct lock_job job = {run, NULL};
    pr_time end = pr_in(run->engine->delivers ? PATIENCE : 0);
    pr_status status =
        run->arena == NULL ? PR_NOMEM : pr_offload(take_lock, &job);
    while (status == PR_BUSY && pr_now() < end && pr_sleep(20) == PR_OK) {
        status = pr_offload(take_lock, &job);
    }
    if (status == PR_OK) {
        status = run_locked(run);
    }
    struct pr_failure failure = *pr_last_failure();
    close_journal(run);
    state_unlock_account(job.lock);
    if (status != PR_OK) {
        status = pr_fail(status, "%s", failure.text);
        account_note_failure(run, status);
        pr_log(&run->log, status == PR_CANCELLED ? PR_LOG_DEBUG : PR_LOG_ERROR,
               "%s", pr_last_failure()->text);
    }
    run->report.ms = pr_now() - start;
    if (run->engine->observer.account != NULL) {
        run->engine->observer.account(run->engine->observer.user, &run->report);
    }
    if (run->engine->progress.account == run->account->name) {
        run->engine->progress.account = NULL; /* the folder's name goes */
    }
    pr_arena_free(run->arena);
}
