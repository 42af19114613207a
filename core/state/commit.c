/*
 * Whose turn the connection is, transactions, and commits that share one.
 *
 * Changes to be committed stand in a queue. The fiber whose turn it is takes
 * all of it into one transaction, so that however many fibers commit at the
 * same time, the disk is waited for once. The others find theirs finished when
 * their turn comes.
 */
#include "config.h"

#include "base/crash.h"
#include "base/failure.h"
#include "fiber/loop.h"
#include "state/private.h"

void state_take_turn(struct state *state, struct turn *turn)
{
    *turn = (struct turn){.fiber = fiber_self()};
    if (!state->is_taken) {
        state->is_taken = true;
        return;
    }
    if (state->last != NULL)
        state->last->next = turn;
    else
        state->first = turn;
    state->last = turn;
    while (!turn->is_given)
        fiber_park_firmly();
}

void state_give_turn(struct state *state)
{
    struct turn *turn = state->first;

    if (turn == NULL) {
        state->is_taken = false;
        return;
    }
    state->first = turn->next;
    if (state->first == NULL)
        state->last = NULL;
    turn->is_given = true;
    fiber_wake(turn->fiber);
}

pr_status state_run(struct state *state, pr_fiber_fn *job, void *argument)
{
    struct turn turn;

    state_take_turn(state, &turn);
    pr_status status = pr_offload(job, argument);
    state_give_turn(state);
    return status;
}

/* ---- Transactions -------------------------------------------------------- */

static pr_status run(struct state *state, enum statement_id id)
{
    struct statement statement = statement_for(state, id);
    return statement_run(&statement);
}

pr_status transaction_begin(struct state *state)
{
    return run(state, SQL_BEGIN);
}

/* The words of what failed first stay. */
static void roll_back(struct state *state)
{
    struct pr_failure failure = *pr_last_failure();

    /* Some failures have ended the transaction already. */
    if (!sqlite3_get_autocommit(state->db))
        (void)!run(state, SQL_ROLLBACK);
    failure_raise(&failure);
}

pr_status transaction_end(struct state *state, pr_status status)
{
    if (status == PR_OK) {
        crash_point("state before commit");
        status = run(state, SQL_COMMIT);
    }
    if (status != PR_OK) {
        roll_back(state);
        return status;
    }
    crash_point("state after commit");
    return PR_OK;
}

/* ---- Commits ------------------------------------------------------------- */

static pr_status apply(const struct state_changes *changes)
{
    pr_status status = PR_OK;

    for (const struct change *change = changes->first;
         status == PR_OK && change != NULL; change = change->next)
        status = change->apply(changes->state, change);
    return status;
}

/* One transaction for all, or for the first only. */
static pr_status commit_list(struct state_changes *list, bool only_first)
{
    struct state *state = list->state;
    pr_status status = transaction_begin(state);

    if (status != PR_OK)
        return status;
    for (const struct state_changes *changes = list;
         status == PR_OK && changes != NULL;
         changes = only_first ? NULL : changes->next)
        status = apply(changes);
    return transaction_end(state, status);
}

static void note_result(struct state_changes *changes, pr_status status)
{
    if (status != PR_OK)
        changes->failure = *pr_last_failure();
}

/* On the pool. When the transaction of all fails, each is tried by itself: what
 * is wrong with one is not to hit the others. */
static pr_status commit_job(void *argument)
{
    struct state_changes *list = argument;
    pr_status status = commit_list(list, false);

    if (status == PR_OK)
        return PR_OK;
    if (list->next == NULL) {
        note_result(list, status);
        return PR_OK;
    }
    for (struct state_changes *changes = list; changes != NULL;
         changes = changes->next)
        note_result(changes, commit_list(changes, true));
    return PR_OK;
}

static void commit_queue(struct state *state)
{
    struct state_changes *list = state->queue;

    state->queue = NULL;
    state->queue_end = &state->queue;
    pr_status status = pr_offload(commit_job, list);
    for (struct state_changes *changes = list; changes != NULL;
         changes = changes->next) {
        note_result(changes, status);
        changes->is_finished = true;
    }
}

pr_status state_commit(struct state_changes *changes)
{
    struct state *state = changes->state;
    struct turn turn;

    if (changes->failure.status == PR_OK && changes->first != NULL) {
        *state->queue_end = changes;
        state->queue_end = &changes->next;
        state_take_turn(state, &turn);
        if (!changes->is_finished)
            commit_queue(state);
        state_give_turn(state);
    }
    pr_status status = changes->failure.status == PR_OK
                           ? PR_OK
                           : failure_raise(&changes->failure);
    state_drop(changes);
    return status;
}

/* ---- Forgetting ---------------------------------------------------------- */

struct prune_job {
    struct state *state;
    enum statement_id id;
    int64_t before;
    int removed;
};

static pr_status prune_job(void *argument)
{
    struct prune_job *job = argument;
    pr_status status = transaction_begin(job->state);

    if (status != PR_OK)
        return status;
    struct statement statement = statement_for(job->state, job->id);
    bind_int(&statement, job->before);
    status = statement_run(&statement);
    job->removed = sqlite3_changes(job->state->db);
    return transaction_end(job->state, status);
}

pr_status state_prune(struct state *state, enum statement_id id, int64_t before)
{
    struct prune_job job = {state, id, before, 1};
    pr_status status = PR_OK;

    /* Piece by piece, so that others get their turn between. */
    while (status == PR_OK && job.removed > 0)
        status = state_run(state, prune_job, &job);
    return status;
}
