/*
 * Messages put aside: what a person sees of them and may do about them; and
 * the accounts as the history knows them.
 *
 * Only a message that still is put aside when the change is made is touched: a
 * delivery that has begun in the meantime goes its way.
 */
#include "config.h"

#include <time.h>

#include "state/private.h"

/* ---- Seeing -------------------------------------------------------------- */

struct asides_job {
    struct list list;
    size_t most;
    uint64_t total;
};

static pr_status read_aside(const struct statement *statement,
                            struct pr_arena *arena, void *item)
{
    struct state_aside *aside = item;

    aside->uid = (uint32_t)column_int(statement, 2);
    aside->size = (uint64_t)column_int(statement, 3);
    aside->received = column_int(statement, 4);
    aside->tries = (unsigned)column_int(statement, 5);
    aside->due = column_int(statement, 6);
    pr_status status = column_text(statement, 0, arena, &aside->account);
    if (status == PR_OK)
        status = column_text(statement, 1, arena, &aside->folder);
    if (status == PR_OK)
        status = column_text(statement, 7, arena, &aside->reason);
    if (status == PR_OK)
        status = column_text(statement, 8, arena, &aside->sender);
    if (status == PR_OK)
        status = column_text(statement, 9, arena, &aside->subject);
    return status;
}

/* The number that a count(*) answers. */
static pr_status read_count(struct statement *statement, uint64_t *ret)
{
    pr_status status = statement_step(statement);

    if (status != PR_OK)
        return status;
    *ret = (uint64_t)column_int(statement, 0);
    statement_end(statement);
    return PR_OK;
}

static pr_status asides_job(void *argument)
{
    struct asides_job *job = argument;
    struct statement count = statement_for(job->list.state, SQL_ASIDES_COUNT);
    pr_status status = read_count(&count, &job->total);

    if (status != PR_OK || job->total == 0)
        return status;
    struct statement statement = statement_for(job->list.state, SQL_ASIDES);
    bind_int(&statement, (int64_t)job->most);
    return list_read(&job->list, &statement, sizeof(struct state_aside),
                     read_aside);
}

pr_status state_asides(struct state *state, size_t most, struct pr_arena *arena,
                       struct state_aside **ret, size_t *ret_count,
                       uint64_t *ret_total)
{
    struct asides_job job = {{.state = state, .arena = arena}, most, 0};
    void *asides;
    pr_status status = list_end(&job.list, state_run(state, asides_job, &job),
                                &asides, ret_count);

    if (status == PR_OK) {
        *ret = asides;
        *ret_total = job.total;
    }
    return status;
}

struct count_job {
    struct state *state;
    const char *account;
    uint64_t count;
};

static pr_status count_job(void *argument)
{
    struct count_job *job = argument;
    struct statement statement = statement_for(job->state, SQL_ASIDE_COUNT);

    bind_text(&statement, job->account);
    return read_count(&statement, &job->count);
}

pr_status state_aside_count(struct state *state, const char *account,
                            uint64_t *ret)
{
    struct count_job job = {state, account, 0};
    pr_status status = state_run(state, count_job, &job);

    if (status == PR_OK)
        *ret = job.count;
    return status;
}

/* ---- Deciding ------------------------------------------------------------ */

struct find_job {
    struct state *state;
    const struct state_place *place;
    int64_t folder;
};

static pr_status find_job(void *argument)
{
    struct find_job *job = argument;
    struct statement statement = statement_for(job->state, SQL_ASIDE_FIND);

    bind_text(&statement, job->place->account);
    bind_text(&statement, job->place->folder);
    bind_int(&statement, job->place->uid);
    pr_status status = statement_step(&statement);
    if (status != PR_OK)
        return status == PR_EOF ? PR_GONE : status;
    job->folder = column_int(&statement, 0);
    statement_end(&statement);
    return PR_OK;
}

/* Begins a change to the message of that name. */
static pr_status begin(struct state *state, const char *id,
                       struct pr_arena *arena, struct state_place *place,
                       int64_t *ret_folder, struct state_changes **ret)
{
    pr_status status = state_place_parse(id, arena, place);
    struct find_job job = {state, place, 0};

    if (status == PR_OK)
        status = state_run(state, find_job, &job);
    if (status == PR_GONE)
        return pr_fail(PR_GONE,
                       "no message \"%s\" is put aside; `postrider "
                       "status` names those that are",
                       id);
    *ret_folder = job.folder;
    return status == PR_OK ? state_begin(state, ret) : status;
}

static pr_status touch(struct state *state, enum statement_id id,
                       const struct change *change)
{
    struct statement statement = statement_for(state, id);

    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    pr_status status = statement_run(&statement);
    if (status == PR_OK && sqlite3_changes(state->db) == 0)
        return pr_fail(PR_GONE, "it is being delivered just now");
    return status;
}

static pr_status apply_retry(struct state *state, const struct change *change)
{
    return touch(state, SQL_ASIDE_RETRY, change);
}

static pr_status apply_drop(struct state *state, const struct change *change)
{
    pr_status status = touch(state, SQL_ASIDE_DROP, change);

    if (status != PR_OK)
        return status;
    struct statement statement = statement_for(state, SQL_DELIVERIES_DELETE);
    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    return statement_run(&statement);
}

pr_status state_aside_retry(struct state *state, const char *id,
                            struct pr_arena *arena, const char **ret_account)
{
    struct state_place place;
    int64_t folder;
    struct state_changes *changes;
    pr_status status = begin(state, id, arena, &place, &folder, &changes);

    if (status != PR_OK)
        return status;
    (void)change_add(changes, sizeof(struct change), folder, place.uid,
                     apply_retry);
    status = state_commit(changes);
    if (status == PR_OK)
        *ret_account = place.account;
    return status;
}

pr_status state_aside_drop(struct state *state, const char *id,
                           struct pr_arena *arena)
{
    struct state_place place;
    int64_t folder;
    struct state_changes *changes;
    pr_status status = begin(state, id, arena, &place, &folder, &changes);

    if (status != PR_OK)
        return status;
    (void)change_add(changes, sizeof(struct change), folder, place.uid,
                     apply_drop);
    state_history(changes,
                  &(struct state_event){.time = time(NULL),
                                        .account = place.account,
                                        .folder = place.folder,
                                        .uid = place.uid,
                                        .action = "drop",
                                        .outcome = "dropped",
                                        .reason = "it stays on the server"});
    return state_commit(changes);
}

/* ---- Accounts ------------------------------------------------------------ */

struct accounts_job {
    struct list list;
    int64_t since;
};

static pr_status read_account(const struct statement *statement,
                              struct pr_arena *arena, void *item)
{
    struct state_account *account = item;

    account->messages = (uint64_t)column_int(statement, 1);
    account->last_message = column_int(statement, 2);
    return column_text(statement, 0, arena, &account->account);
}

static pr_status accounts_job(void *argument)
{
    struct accounts_job *job = argument;
    struct statement statement = statement_for(job->list.state, SQL_ACCOUNTS);

    bind_int(&statement, job->since);
    return list_read(&job->list, &statement, sizeof(struct state_account),
                     read_account);
}

pr_status state_accounts(struct state *state, int64_t since,
                         struct pr_arena *arena, struct state_account **ret,
                         size_t *ret_count)
{
    struct accounts_job job = {{.state = state, .arena = arena}, since};
    void *accounts;
    pr_status status = list_end(&job.list, state_run(state, accounts_job, &job),
                                &accounts, ret_count);

    if (status == PR_OK)
        *ret = accounts;
    return status;
}
