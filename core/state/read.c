/*
 * What the state knows of folders, messages and deliveries.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "state/private.h"

/* ---- Folders ------------------------------------------------------------- */

struct folder_job {
    struct state *state;
    const char *account, *folder;
    struct state_folder found;
};

static pr_status find_folder(struct folder_job *job)
{
    struct statement statement = statement_for(job->state, SQL_FOLDER_FIND);

    bind_text(&statement, job->account);
    bind_text(&statement, job->folder);
    pr_status status = statement_step(&statement);
    if (status != PR_OK)
        return status;
    job->found = (struct state_folder){
        .id = column_int(&statement, 0),
        .uidvalidity = (uint32_t)column_int(&statement, 1),
        .watermark = (uint32_t)column_int(&statement, 2),
        .modseq = (uint64_t)column_int(&statement, 3),
        .since = column_int(&statement, 4),
    };
    statement_end(&statement);
    return PR_OK;
}

static pr_status make_folder(struct folder_job *job)
{
    struct statement statement = statement_for(job->state, SQL_FOLDER_MAKE);

    bind_text(&statement, job->account);
    bind_text(&statement, job->folder);
    bind_int(&statement, (int64_t)time(NULL));
    pr_status status = statement_run(&statement);
    return status == PR_OK ? find_folder(job) : status;
}

static pr_status folder_job(void *argument)
{
    struct folder_job *job = argument;
    pr_status status = find_folder(job);

    if (status != PR_EOF)
        return status;
    status = transaction_begin(job->state);
    if (status != PR_OK)
        return status;
    return transaction_end(job->state, make_folder(job));
}

pr_status state_folder(struct state *state, const char *account,
                       const char *folder, struct state_folder *ret)
{
    struct folder_job job = {state, account, folder, {0}};
    pr_status status = state_run(state, folder_job, &job);

    if (status == PR_OK)
        *ret = job.found;
    return status;
}

/* ---- Messages ------------------------------------------------------------ */

struct rows_job {
    struct list list;
    int64_t folder;
    uint32_t from_uid;
};

static pr_status read_debt(const struct statement *statement,
                           struct pr_arena *arena, struct state_debt *debt)
{
    debt->set.system = (unsigned)column_int(statement, 9);
    debt->clear.system = (unsigned)column_int(statement, 11);
    debt->remove = column_int(statement, 15) != 0;
    debt->due = column_int(statement, 16);
    debt->guard = (enum state_guard)column_int(statement, 17);
    debt->line = (int)column_int(statement, 20);
    pr_status status = column_text(statement, 10, arena, &debt->set.keywords);
    if (status == PR_OK)
        status = column_text(statement, 12, arena, &debt->clear.keywords);
    if (status == PR_OK)
        status = column_text(statement, 13, arena, &debt->copy_to);
    if (status == PR_OK)
        status = column_text(statement, 14, arena, &debt->move_to);
    if (status == PR_OK)
        status = column_text(statement, 18, arena, &debt->rule);
    if (status == PR_OK)
        status = column_text(statement, 19, arena, &debt->file);
    if (status == PR_OK)
        status = column_text(statement, 22, arena, &debt->label);
    if (status == PR_OK)
        status = column_text(statement, 23, arena, &debt->unlabel);
    return status;
}

pr_status row_read(const struct statement *statement, struct pr_arena *arena,
                   void *item)
{
    struct state_row *row = item;

    row->uid = (uint32_t)column_int(statement, 0);
    row->stage = (enum state_stage)column_int(statement, 1);
    row->size = (uint64_t)column_int(statement, 2);
    row->received = column_int(statement, 3);
    if (sqlite3_column_bytes(statement->sql, 4) == STATE_PRINT_SIZE)
        memcpy(row->print, sqlite3_column_blob(statement->sql, 4),
               STATE_PRINT_SIZE);
    row->tries = (unsigned)column_int(statement, 6);
    row->due = column_int(statement, 7);
    row->rule_tries = (unsigned)column_int(statement, 21);
    pr_status status = column_text(statement, 5, arena, &row->uidl);
    if (status == PR_OK)
        status = column_text(statement, 8, arena, &row->reason);
    if (status == PR_OK)
        status = read_debt(statement, arena, &row->debt);
    return status;
}

static pr_status read_rows(struct rows_job *job, enum statement_id id)
{
    struct statement statement = statement_for(job->list.state, id);

    bind_int(&statement, job->folder);
    bind_int(&statement, job->from_uid);
    return list_read(&job->list, &statement, sizeof(struct state_row),
                     row_read);
}

static pr_status rows_job(void *argument)
{
    struct rows_job *job = argument;
    pr_status status = read_rows(job, SQL_OPEN_ROWS);

    return status == PR_OK ? read_rows(job, SQL_ROWS) : status;
}

pr_status state_rows(struct state *state, int64_t folder, uint32_t from_uid,
                     struct pr_arena *arena, struct state_row **ret,
                     size_t *ret_count)
{
    struct rows_job job = {{.state = state, .arena = arena}, folder, from_uid};
    void *rows;
    pr_status status =
        list_end(&job.list, state_run(state, rows_job, &job), &rows, ret_count);

    if (status == PR_OK)
        *ret = rows;
    return status;
}

pr_status state_all_rows(struct state *state, int64_t folder,
                         struct pr_arena *arena, struct state_row **ret,
                         size_t *ret_count)
{
    return state_rows(state, folder, 0, arena, ret, ret_count);
}

/* ---- Deliveries ---------------------------------------------------------- */

struct deliveries_job {
    struct list list;
    int64_t folder;
    uint32_t uid;
};

static pr_status read_delivery(const struct statement *statement,
                               struct pr_arena *arena, void *item)
{
    struct state_delivery *delivery = item;
    pr_status status = column_text(statement, 0, arena, &delivery->sink);

    if (status == PR_OK)
        status = column_text(statement, 1, arena, &delivery->folder);
    if (status == PR_OK)
        status = column_text(statement, 2, arena, &delivery->key);
    if (status == PR_OK)
        status = column_text(statement, 3, arena, &delivery->receipt);
    delivery->is_done = column_int(statement, 4) != 0;
    return status;
}

static pr_status deliveries_job(void *argument)
{
    struct deliveries_job *job = argument;
    struct statement statement = statement_for(job->list.state, SQL_DELIVERIES);

    bind_int(&statement, job->folder);
    bind_int(&statement, job->uid);
    return list_read(&job->list, &statement, sizeof(struct state_delivery),
                     read_delivery);
}

pr_status state_deliveries(struct state *state, int64_t folder, uint32_t uid,
                           struct pr_arena *arena, struct state_delivery **ret,
                           size_t *ret_count)
{
    struct deliveries_job job = {{.state = state, .arena = arena}, folder, uid};
    void *deliveries;
    pr_status status =
        list_end(&job.list, state_run(state, deliveries_job, &job), &deliveries,
                 ret_count);

    if (status == PR_OK)
        *ret = deliveries;
    return status;
}

/* ---- Intents ------------------------------------------------------------- */

struct intents_job {
    struct state *state;
    const char *account;
    uint64_t count;
};

static pr_status intents_job(void *argument)
{
    struct intents_job *job = argument;
    struct statement statement = statement_for(job->state, SQL_INTENTS);

    bind_text(&statement, job->account);
    return statement_number(&statement, &job->count);
}

pr_status state_intents(struct state *state, const char *account, uint64_t *ret)
{
    struct intents_job job = {.state = state, .account = account};
    pr_status status = state_run(state, intents_job, &job);

    *ret = job.count;
    return status;
}

/* ---- Standings ----------------------------------------------------------- */

struct standings_job {
    struct list list;
    const char *account;
    int64_t now;
};

static pr_status read_standing(const struct statement *statement,
                               struct pr_arena *arena, void *item)
{
    struct state_standing *standing = item;

    standing->uidvalidity = (uint32_t)column_int(statement, 1);
    standing->watermark = (uint32_t)column_int(statement, 2);
    standing->modseq = (uint64_t)column_int(statement, 3);
    standing->due_later = column_int(statement, 4);
    standing->due_now = (uint64_t)column_int(statement, 5);
    standing->seen_uidvalidity = (uint32_t)column_int(statement, 6);
    standing->seen_modseq = (uint64_t)column_int(statement, 7);
    return column_text(statement, 0, arena, &standing->folder);
}

static pr_status standings_job(void *argument)
{
    struct standings_job *job = argument;
    struct statement statement = statement_for(job->list.state, SQL_STANDINGS);

    bind_int(&statement, job->now);
    bind_text(&statement, job->account);
    return list_read(&job->list, &statement, sizeof(struct state_standing),
                     read_standing);
}

pr_status state_standings(struct state *state, const char *account, int64_t now,
                          struct pr_arena *arena, struct state_standing **ret,
                          size_t *ret_count)
{
    struct standings_job job = {{.state = state, .arena = arena}, account, now};
    void *standings;
    pr_status status =
        list_end(&job.list, state_run(state, standings_job, &job), &standings,
                 ret_count);

    if (status == PR_OK)
        *ret = standings;
    return status;
}
