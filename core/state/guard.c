/*
 * Deletions that are counted, held and answered.
 *
 * What a person answers concerns only what is held when the change is made.
 */
#include "config.h"

#include "state/guard.h"

#include <string.h>
#include <time.h>

#include "state/private.h"

/* ---- Judging ------------------------------------------------------------- */

struct count_job {
    struct state *state;
    int64_t folder;
    uint64_t count;
};

static pr_status count_job(void *argument)
{
    struct count_job *job = argument;
    struct statement statement = statement_for(job->state, SQL_COUNTED);

    bind_int(&statement, job->folder);
    return statement_number(&statement, &job->count);
}

pr_status state_counted(struct state *state, int64_t folder, uint64_t *ret)
{
    struct count_job job = {state, folder, 0};
    pr_status status = state_run(state, count_job, &job);

    if (status == PR_OK)
        *ret = job.count;
    return status;
}

struct rows_job {
    struct list list;
    int64_t folder;
    uint32_t after;
    size_t most;
};

static pr_status rows_job(void *argument)
{
    struct rows_job *job = argument;
    struct statement statement =
        statement_for(job->list.state, SQL_COUNTED_ROWS);

    bind_int(&statement, job->folder);
    bind_int(&statement, job->after);
    bind_int(&statement, (int64_t)job->most);
    return list_read(&job->list, &statement, sizeof(struct state_row),
                     row_read);
}

pr_status state_counted_rows(struct state *state, int64_t folder,
                             uint32_t after, size_t most,
                             struct pr_arena *arena, struct state_row **ret,
                             size_t *ret_count)
{
    struct rows_job job = {
        {.state = state, .arena = arena}, folder, after, most};
    void *rows;
    pr_status status =
        list_end(&job.list, state_run(state, rows_job, &job), &rows, ret_count);

    if (status == PR_OK)
        *ret = rows;
    return status;
}

static pr_status with_folder(struct state *state, enum statement_id id,
                             const struct change *change)
{
    struct statement statement = statement_for(state, id);

    bind_int(&statement, change->folder);
    if (id == SQL_HOLD_NOTE)
        bind_int(&statement, time(NULL));
    return statement_run(&statement);
}

static pr_status apply_hold(struct state *state, const struct change *change)
{
    pr_status status = with_folder(state, SQL_HOLD_NOTE, change);

    return status == PR_OK ? with_folder(state, SQL_HOLD, change) : status;
}

static pr_status apply_allow(struct state *state, const struct change *change)
{
    return with_folder(state, SQL_ALLOW, change);
}

void state_hold(struct state_changes *changes, int64_t folder)
{
    (void)change_add(changes, sizeof(struct change), folder, 0, apply_hold);
}

void state_allow(struct state_changes *changes, int64_t folder)
{
    (void)change_add(changes, sizeof(struct change), folder, 0, apply_allow);
}

/* ---- Folders ------------------------------------------------------------- */

struct folder_change {
    struct change change;
    struct state_held_folder held;
};

static pr_status apply_folder(struct state *state, const struct change *change)
{
    const struct state_held_folder *held =
        &((const struct folder_change *)change)->held;
    bool is_over = held->guard == GUARD_NONE;
    struct statement statement = statement_for(
        state, is_over ? SQL_HELD_FOLDER_DELETE : SQL_HELD_FOLDER_PUT);

    bind_text(&statement, held->account);
    bind_text(&statement, held->folder);
    if (!is_over) {
        bind_int(&statement, held->guard);
        bind_int(&statement, (int64_t)held->messages);
        bind_text(&statement, held->rule);
        bind_text(&statement, held->file);
        bind_int(&statement, held->line);
    }
    return statement_run(&statement);
}

void state_hold_folder(struct state_changes *changes,
                       const struct state_held_folder *held)
{
    struct folder_change *it =
        change_add(changes, sizeof(*it), 0, 0, apply_folder);

    if (it == NULL)
        return;
    it->held = *held;
    it->held.account = change_text(changes, held->account, TEXT_CAP);
    it->held.folder = change_text(changes, held->folder, TEXT_CAP);
    it->held.rule = change_text(changes, held->rule, TEXT_CAP);
    it->held.file = change_text(changes, held->file, TEXT_CAP);
}

struct folders_job {
    struct list list;
    const char *account;
    enum state_guard guard;
};

static pr_status read_folder(const struct statement *statement,
                             struct pr_arena *arena, void *item)
{
    struct state_held_folder *held = item;

    held->guard = (enum state_guard)column_int(statement, 2);
    held->messages = (uint64_t)column_int(statement, 3);
    held->line = (int)column_int(statement, 6);
    pr_status status = column_text(statement, 0, arena, &held->account);
    if (status == PR_OK)
        status = column_text(statement, 1, arena, &held->folder);
    if (status == PR_OK)
        status = column_text(statement, 4, arena, &held->rule);
    if (status == PR_OK)
        status = column_text(statement, 5, arena, &held->file);
    return status;
}

static pr_status folders_job(void *argument)
{
    struct folders_job *job = argument;
    struct statement statement =
        statement_for(job->list.state, SQL_HELD_FOLDERS);

    bind_text(&statement, job->account);
    bind_int(&statement, job->guard);
    return list_read(&job->list, &statement, sizeof(struct state_held_folder),
                     read_folder);
}

pr_status state_held_folders(struct state *state, const char *account,
                             enum state_guard guard, struct pr_arena *arena,
                             struct state_held_folder **ret, size_t *ret_count)
{
    struct folders_job job = {{.state = state, .arena = arena}, account, guard};
    void *folders;
    pr_status status = list_end(&job.list, state_run(state, folders_job, &job),
                                &folders, ret_count);

    if (status == PR_OK)
        *ret = folders;
    return status;
}

/* ---- For people ---------------------------------------------------------- */

static pr_status read_held(const struct statement *statement,
                           struct pr_arena *arena, void *item)
{
    struct state_held *held = item;

    held->messages = (uint64_t)column_int(statement, 2);
    held->line = (int)column_int(statement, 5);
    held->is_folder = column_int(statement, 6) != 0;
    pr_status status = column_text(statement, 0, arena, &held->account);
    if (status == PR_OK)
        status = column_text(statement, 1, arena, &held->folder);
    if (status == PR_OK)
        status = column_text(statement, 3, arena, &held->rule);
    if (status == PR_OK)
        status = column_text(statement, 4, arena, &held->file);
    return status;
}

static pr_status held_job(void *argument)
{
    struct list *list = argument;
    struct statement statement = statement_for(list->state, SQL_HELD);

    return list_read(list, &statement, sizeof(struct state_held), read_held);
}

pr_status state_held(struct state *state, struct pr_arena *arena,
                     struct state_held **ret, size_t *ret_count)
{
    struct list list = {.state = state, .arena = arena};
    void *held;
    pr_status status =
        list_end(&list, state_run(state, held_job, &list), &held, ret_count);

    if (status == PR_OK)
        *ret = held;
    return status;
}

/* ---- Answering ----------------------------------------------------------- */

struct answer_job {
    struct state *state;
    const char *account, *folder; /* folder NULL: all */
    enum held_answer answer;
    uint64_t count;
};

static pr_status run_with_names(const struct answer_job *job,
                                enum statement_id id, bool with_time)
{
    struct statement statement = statement_for(job->state, id);

    bind_text(&statement, job->account);
    bind_text(&statement, job->folder);
    if (with_time)
        bind_int(&statement, time(NULL));
    return statement_run(&statement);
}

static pr_status answer_held(struct answer_job *job)
{
    static const enum statement_id notes[] = {
        SQL_HELD_NOTE_CONFIRM, SQL_HELD_NOTE_REFUSE, SQL_HELD_NOTE_RETRY};

    static const enum statement_id answers[] = {
        SQL_HELD_CONFIRM, SQL_HELD_REFUSE, SQL_HELD_RETRY};

    static const enum statement_id folders[] = {SQL_HELD_FOLDERS_CONFIRM,
                                                SQL_HELD_FOLDERS_REFUSE,
                                                SQL_HELD_FOLDERS_REFUSE};

    pr_status status = run_with_names(job, notes[job->answer], true);
    if (status == PR_OK)
        status = run_with_names(job, answers[job->answer], false);
    job->count = (uint64_t)sqlite3_changes(job->state->db);
    if (status == PR_OK)
        status = run_with_names(job, folders[job->answer], false);
    job->count += (uint64_t)sqlite3_changes(job->state->db);
    return status;
}

static pr_status answer_job(void *argument)
{
    struct answer_job *job = argument;
    pr_status status = transaction_begin(job->state);

    if (status != PR_OK)
        return status;
    return transaction_end(job->state, answer_held(job));
}

pr_status state_held_answer(struct state *state, const char *name,
                            enum held_answer answer, struct pr_arena *arena,
                            const char **ret_account, uint64_t *ret_messages)
{
    const char *slash = strchrnul(name, '/');
    struct answer_job job = {
        .state = state,
        .account = pr_arena_bytes(
            arena, (struct pr_bytes){name, (size_t)(slash - name)}),
        .folder = *slash == '/' ? slash + 1 : NULL,
        .answer = answer};

    if (job.account == NULL)
        return PR_NOMEM;
    pr_status status = state_run(state, answer_job, &job);
    if (status != PR_OK)
        return status;
    if (job.count == 0)
        return pr_fail(PR_GONE,
                       "no deletion of \"%s\" waits to be confirmed; "
                       "`postrider status` names those that do",
                       name);
    *ret_account = job.account;
    *ret_messages = job.count;
    return PR_OK;
}
