/*
 * Sweeps: when each last ran; folders that were renamed.
 */
#include "config.h"

#include "state/sweeps.h"

#include "state/private.h"

struct sweeps_job {
    struct list list;
    const char *account, *prefix;
};

static pr_status read_sweep(const struct statement *statement,
                            struct pr_arena *arena, void *item)
{
    struct state_sweep *sweep = item;

    sweep->last = column_int(statement, 1);
    sweep->messages = (uint64_t)column_int(statement, 2);
    sweep->since = column_int(statement, 4);
    pr_status status = column_text(statement, 0, arena, &sweep->name);
    return status == PR_OK ? column_text(statement, 3, arena, &sweep->reason)
                           : status;
}

static pr_status sweeps_job(void *argument)
{
    struct sweeps_job *job = argument;
    struct statement statement = statement_for(job->list.state, SQL_SWEEPS);

    bind_text(&statement, job->account);
    return list_read(&job->list, &statement, sizeof(struct state_sweep),
                     read_sweep);
}

pr_status state_sweeps(struct state *state, const char *account,
                       struct pr_arena *arena, struct state_sweep **ret,
                       size_t *ret_count)
{
    struct sweeps_job job = {{.state = state, .arena = arena}, account, NULL};
    void *sweeps;
    pr_status status = list_end(&job.list, state_run(state, sweeps_job, &job),
                                &sweeps, ret_count);

    if (status == PR_OK)
        *ret = sweeps;
    return status;
}

struct sweep_change {
    struct change change;
    const char *account;
    struct state_sweep sweep;
};

static pr_status apply_sweep(struct state *state, const struct change *change)
{
    const struct sweep_change *it = (const struct sweep_change *)change;
    struct statement statement = statement_for(state, SQL_SWEEP_PUT);

    bind_text(&statement, it->account);
    bind_text(&statement, it->sweep.name);
    bind_int(&statement, it->sweep.last);
    bind_int(&statement, (int64_t)it->sweep.messages);
    bind_text(&statement, it->sweep.reason);
    bind_int(&statement, it->sweep.since);
    return statement_run(&statement);
}

void state_sweep_ran(struct state_changes *changes, const char *account,
                     const struct state_sweep *sweep)
{
    struct sweep_change *it =
        change_add(changes, sizeof(*it), 0, 0, apply_sweep);

    if (it == NULL)
        return;
    it->sweep = *sweep;
    it->account = change_text(changes, account, TEXT_CAP);
    it->sweep.name = change_text(changes, sweep->name, TEXT_CAP);
    it->sweep.reason = change_text(changes, sweep->reason, TEXT_CAP);
}

/* ---- Folders --------------------------------------------------------------
 */

static pr_status read_name(const struct statement *statement,
                           struct pr_arena *arena, void *item)
{
    return column_text(statement, 0, arena, item);
}

static pr_status folders_job(void *argument)
{
    struct sweeps_job *job = argument;
    struct statement statement =
        statement_for(job->list.state, SQL_FOLDERS_BELOW);

    bind_text(&statement, job->account);
    bind_text(&statement, job->prefix);
    return list_read(&job->list, &statement, sizeof(const char *), read_name);
}

pr_status state_folders_below(struct state *state, const char *account,
                              const char *prefix, struct pr_arena *arena,
                              const char ***ret, size_t *ret_count)
{
    struct sweeps_job job = {{.state = state, .arena = arena}, account, prefix};
    void *names;
    pr_status status = list_end(&job.list, state_run(state, folders_job, &job),
                                &names, ret_count);

    if (status == PR_OK)
        *ret = names;
    return status;
}

struct name_change {
    struct change change;
    const char *account, *from, *to;
};

static pr_status apply_rename(struct state *state, const struct change *change)
{
    const struct name_change *it = (const struct name_change *)change;
    struct statement forget = statement_for(state, SQL_FOLDER_FORGET_NAME);

    bind_text(&forget, it->account);
    bind_text(&forget, it->to);
    pr_status status = statement_run(&forget);
    if (status != PR_OK)
        return status;
    struct statement rename = statement_for(state, SQL_FOLDER_RENAME);
    bind_text(&rename, it->to);
    bind_text(&rename, it->account);
    bind_text(&rename, it->from);
    return statement_run(&rename);
}

void state_renamed(struct state_changes *changes, const char *account,
                   const char *from, const char *to)
{
    struct name_change *it =
        change_add(changes, sizeof(*it), 0, 0, apply_rename);

    if (it == NULL)
        return;
    it->account = change_text(changes, account, TEXT_CAP);
    it->from = change_text(changes, from, TEXT_CAP);
    it->to = change_text(changes, to, TEXT_CAP);
}
