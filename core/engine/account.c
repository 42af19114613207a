/*
 * One account's run: its lock, its connections, and the folders they share.
 *
 * The first worker's source lists the folders. A further worker is started only
 * when a session found much to do while folders wait, so that a poll that finds
 * nothing costs one connection.
 */
#include <string.h>

#include "base/memory.h"
#include "engine/parts.h"
#include "engine/sweeps.h"

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
    if (status == PR_OK || gravity(status) <= gravity(run->report.status)) {
        return;
    }
    run->report.status = status;
    memcpy(run->error, pr_last_failure()->text, sizeof(run->error));
    run->report.error = run->error;
}

bool account_is_stopping(const struct account_run *run)
{
    return run->is_stopping || run->engine->is_stopping;
}

static bool has_folders_left(const struct account_run *run)
{
    return run->folder_next < run->folder_count && !account_is_stopping(run);
}

/* ---- Folders ------------------------------------------------------------- */

/* A folder that is not there, or that the server does not let us have, spoils
 * only itself; any other failure spoils the source. */
static bool is_of_folder_only(pr_status status)
{
    return status == PR_GONE || status == PR_REFUSED || status == PR_LATER ||
           status == PR_UNSUPPORTED || status == PR_LIMIT ||
           status == PR_CONFIG;
}

static const char *next_folder(struct account_run *run, struct line *line)
{
    if (run->next_folder != NULL && run->folder_count == 0) {
        return account_is_stopping(run) ? NULL : run->next_folder(run, line);
    }
    return has_folders_left(run) ? run->folders[run->folder_next++] : NULL;
}

static pr_status work_folder(struct account_run *run, struct line *line,
                             const char *folder)
{
    uint64_t before = line->messages;
    pr_status status = line_verdict(line, session_run(run, line, folder));
    if (status != PR_OK) {
        struct pr_log log = {run->log, folder};
        account_note_failure(run, status);
        bool is_ours = status == PR_CANCELLED || line->has_slept;
        pr_log(&log, is_ours ? PR_LOG_DEBUG : PR_LOG_ERROR, "%s",
               pr_last_failure()->text);
        run->is_told = true;
    }
    if (run->folder_done != NULL) {
        struct pr_failure failure = *pr_last_failure();
        run->folder_done(run, line, folder, status, line->messages - before);
        if (status != PR_OK) {
            status = pr_fail(status, "%s", failure.text);
        }
    }
    return status;
}

pr_status account_work(struct account_run *run, struct line *line)
{
    const char *folder;
    while ((folder = next_folder(run, line)) != NULL) {
        pr_status status = work_folder(run, line, folder);
        if (status != PR_OK && !is_of_folder_only(status)) {
            return status;
        }
    }
    return PR_OK;
}

pr_status account_queue(struct account_run *run, const char *folder)
{
    for (size_t i = 0; i < run->folder_count; i++) {
        if (strcmp(run->folders[i], folder) == 0) {
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
    char *copy = pr_arena_text(run->arena, folder);
    if (copy == NULL) {
        return PR_NOMEM;
    }
    run->folders[run->folder_count++] = copy;
    return PR_OK;
}

static pr_status note_folder(void *user, const char *name)
{
    struct line *line = user;
    line->steps++;
    return account_queue(line->run, name);
}

/* A folder that matches what hooks want, and may be one of `folders` too. */
static pr_status note_event_folder(void *user, const char *name)
{
    struct line *line = user;
    struct account_run *run = line->run;
    size_t before = run->folder_count;
    line->steps++;
    if (hooks_of_folder(run->engine->config, run->name, name, false) == 0) {
        return PR_OK;
    }
    pr_status status = account_queue(run, name);
    if (status != PR_OK || run->folder_count == before) {
        return status;
    }
    const char **more =
        pr_arena_array(run->arena, run->event_folder_count + 1, sizeof(*more));
    if (more == NULL) {
        return PR_NOMEM;
    }
    if (run->event_folder_count > 0) {
        memcpy(more, run->event_folders,
               run->event_folder_count * sizeof(*more));
    }
    more[run->event_folder_count++] = run->folders[before];
    run->event_folders = more;
    return PR_OK;
}

static pr_status list_event_folders(struct account_run *run, struct line *line)
{
    const struct pr_source_ops *ops = line->source.class->source;
    const char *const *patterns = NULL;
    pr_status status =
        hooks_patterns(run->engine->config, run->name, run->arena, &patterns);
    if (status != PR_OK || patterns == NULL || ops->folders == NULL) {
        return status;
    }
    return ops->folders(&line->source, patterns, note_event_folder, line);
}

bool account_is_for_events(const struct account_run *run, const char *folder)
{
    for (size_t i = 0; i < run->event_folder_count; i++) {
        if (strcmp(run->event_folders[i], folder) == 0) {
            return true;
        }
    }
    return run->is_for_events != NULL && run->is_for_events(run, folder);
}

pr_status account_list(struct account_run *run, struct line *line)
{
    const struct pr_source_ops *ops = line->source.class->source;
    pr_status status = ops->folders != NULL
                           ? ops->folders(&line->source, run->account->folders,
                                          note_folder, line)
                           : account_queue(run, "INBOX");
    if (status == PR_OK && run->folder_count == 0) {
        return pr_fail(PR_GONE, "no folder on the server matches `folders`");
    }
    return status == PR_OK ? list_event_folders(run, line) : status;
}

/* ---- Lines --------------------------------------------------------------- */

static pr_status lead(struct account_run *run, struct line *line)
{
    const struct engine *engine = run->engine;
    if (engine->undo != NULL) {
        return undo_run(run, line, engine->undo, &engine->observer);
    }
    pr_status status = run->before != NULL ? run->before(run, line) : PR_OK;
    if (status != PR_OK) {
        return status;
    }
    status =
        run->choose != NULL ? run->choose(run, line) : account_list(run, line);
    if (status == PR_OK) {
        status = account_work(run, line);
    }
    return status == PR_OK ? sweeps_work(run, line) : status;
}

static bool is_idle(const struct line *line)
{
    return line != NULL && line->run == NULL && !line->is_running;
}

/* A line that takes no part yet, one that is open before others; NULL: there
 * are as many as there may be. */
static struct line *idle_line(struct account_run *run)
{
    for (size_t i = 0; i < run->line_count; i++) {
        if (is_idle(run->lines[i]) && run->lines[i]->is_open) {
            return run->lines[i];
        }
    }
    for (size_t i = 0; i < run->line_count; i++) {
        if (run->lines[i] == NULL) {
            run->lines[i] = memory_zeroed(1, sizeof(struct line));
            return run->lines[i];
        }
        if (is_idle(run->lines[i])) {
            return run->lines[i];
        }
    }
    return NULL;
}

void account_wants_help(struct account_run *run)
{
    bool may_help = run->shortage == NULL && has_folders_left(run);
    struct line *line = may_help ? idle_line(run) : NULL;
    if (line != NULL) {
        line->is_helper = true;
        (void)!line_start(run, line, account_work);
    }
}

void account_note_shortage(struct account_run *run)
{
    if (run->shortage == NULL) {
        run->shortage = pr_arena_text(run->arena, pr_last_failure()->text);
        pr_log(run->log, run->short_level,
               "no further connection, going on with those there are: %s",
               pr_last_failure()->text);
    }
}

/* A helper that could not come is no failure; what folders came to is in the
 * report. */
static void join_line(struct account_run *run, struct line *line)
{
    pr_status status = pr_scope_join(&line->scope);
    if (!line->is_helper) {
        run->status = run->status == PR_OK ? status : run->status;
        account_note_failure(run, status);
    }
    line->run = NULL;
    line->is_helper = false;
}

static void for_lines(const struct account_run *run,
                      void (*tell)(struct pr_scope *scope))
{
    for (size_t i = 0; i < run->line_count; i++) {
        struct line *line = run->lines[i];
        if (line != NULL && line->run == run) {
            tell(&line->scope);
        }
    }
}

/* One that hangs keeps no other from hearing that it is given up. */
static void end_lines(struct account_run *run)
{
    pr_status status = PR_OK;
    for_lines(run, pr_scope_cancel);
    pr_shield_begin();
    while (run->running > 0 && status != PR_CANCELLED) {
        status = pr_event_wait(&run->moves, PR_NEVER);
    }
    if (status == PR_CANCELLED) {
        for_lines(run, pr_scope_give_up);
    }
    pr_shield_end();
}

pr_status account_join(struct account_run *run)
{
    uint64_t stall = run->engine->config->stall;
    uint64_t pause = stall / 4 < HURRY_MS / 4 ? stall / 4 + 1 : HURRY_MS / 4;
    while (run->running > 0) {
        pr_status status =
            pr_event_wait(&run->moves, stall > 0 ? pr_in(pause) : PR_NEVER);
        if (status == PR_CANCELLED) {
            end_lines(run);
            break;
        }
        if (stall > 0) {
            lines_watch(run);
        }
    }
    for (size_t i = 0; i < run->line_count; i++) {
        if (run->lines[i] != NULL && run->lines[i]->run == run) {
            join_line(run, run->lines[i]);
        }
    }
    return run->status == PR_OK ? PR_OK
                                : pr_fail(run->status, "%s", run->error);
}

pr_status account_pass(struct account_run *run)
{
    struct line *line = idle_line(run);
    if (line == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_status status = line_start(run, line, lead);
    return status == PR_OK ? account_join(run) : status;
}

/* ---- A single run -------------------------------------------------------- */

/* Its lines are closed when they have done their work. */
static pr_status run_locked(struct account_run *run)
{
    struct claimant claimant = {0};
    run->claimant = &claimant;
    run->short_level = PR_LOG_WARNING;
    run->line_count = run->account->connections;
    run->lines = memory_zeroed(run->line_count, sizeof(*run->lines));
    if (run->lines == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_status status = account_pass(run);
    for (size_t i = 0; i < run->line_count; i++) {
        memory_free(run->lines[i]);
    }
    memory_free(run->lines);
    run->lines = NULL;
    return status;
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
    return state_lock_account(job->run->engine->state, job->run->name,
                              &job->lock);
}

pr_status account_lock(struct account_run *run, struct state_lock **ret)
{
    struct lock_job job = {run, NULL};
    if (run->engine->dry_run) {
        *ret = NULL;
        return PR_OK;
    }
    pr_time end = pr_in(run->engine->delivers ? PATIENCE : 0);
    pr_status status = pr_offload(take_lock, &job);
    while (status == PR_BUSY && pr_now() < end && pr_sleep(20) == PR_OK) {
        status = pr_offload(take_lock, &job);
    }
    if (status == PR_OK) {
        *ret = job.lock;
    }
    return status;
}

static pr_status open_journal(void *argument)
{
    struct account_run *run = argument;
    return state_journal_open(run->engine->state, run->name, &run->journal);
}

pr_status account_begin(struct account_run *run)
{
    run->report.account = run->name;
    run->arena = pr_arena_new();
    if (run->arena == NULL) {
        return PR_NOMEM;
    }
    return run->engine->dry_run ? PR_OK : pr_offload(open_journal, run);
}

/* What the journal says is of use as long as an intent is open. */
static void close_journal(struct account_run *run)
{
    uint64_t intents = 0;
    if (run->journal != NULL && !state_journal_is_empty(run->journal) &&
        state_intents(run->engine->state, run->name, &intents) == PR_OK &&
        intents == 0 && state_journal_clear(run->journal) != PR_OK) {
        pr_log(run->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    }
    state_journal_close(run->journal);
    run->journal = NULL;
}

void account_end(struct account_run *run)
{
    struct pr_failure failure = *pr_last_failure();
    close_journal(run);
    if (run->engine->progress.account == run->name) {
        run->engine->progress.account = NULL; /* the folder's name goes */
    }
    pr_arena_free(run->arena);
    run->arena = NULL;
    run->silences = NULL;
    run->shortage = NULL;
    if (failure.status != PR_OK) {
        (void)!pr_fail(failure.status, "%s", failure.text);
    }
}

void account_run(struct account_run *run)
{
    pr_time start = pr_now();
    struct state_lock *lock = NULL;
    run->report.account = run->name;
    pr_status status = account_lock(run, &lock);
    if (status == PR_OK) {
        status = account_begin(run);
        if (status == PR_OK) {
            status = run_locked(run);
        }
        account_end(run);
    }
    state_unlock_account(lock);
    account_note_failure(run, status);
    if (status != PR_OK && !run->is_told) {
        pr_log(run->log, status == PR_CANCELLED ? PR_LOG_DEBUG : PR_LOG_ERROR,
               "%s", pr_last_failure()->text);
    }
    run->report.ms = pr_now() - start;
    if (run->engine->observer.account != NULL) {
        run->engine->observer.account(run->engine->observer.user, &run->report);
    }
}
