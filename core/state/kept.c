/*
 * Values that rules keep: what a step makes of one, and how they lie in the
 * database.
 *
 * Reads that come at the same time share one job: the fiber whose turn it is
 * does all that stand in the queue, as commits do.
 */
#include "config.h"

#include "state/kept.h"

#include <string.h>

#include "base/failure.h"
#include "base/memory.h"
#include "state/private.h"

#define PRUNE_AT_ONCE 2000 /* rows */

void kept_done(struct kept *kept)
{
    pr_buffer_done(&kept->octets);
    *kept = (struct kept){0};
}

void kept_expire(struct kept *kept, int64_t now)
{
    if (kept->expires != 0 && kept->expires <= now)
        kept_done(kept);
}

static pr_status set_octets(struct kept *kept, enum kept_kind kind,
                            const void *data, size_t size)
{
    struct pr_buffer octets = {.cap = KEPT_VALUE_MAX};
    pr_status status = pr_buffer_add(&octets, data, size);

    if (status != PR_OK)
        return status;
    pr_buffer_done(&kept->octets);
    kept->octets = octets;
    kept->kind = kind;
    return PR_OK;
}

pr_status kept_copy(struct kept *to, const struct kept *from)
{
    struct kept copy = *from;
    pr_status status;

    copy.octets = (struct pr_buffer){0};
    status = set_octets(&copy, from->kind, pr_buffer_text(&from->octets),
                        from->octets.size);
    if (status != PR_OK)
        return status;
    kept_done(to);
    *to = copy;
    return PR_OK;
}

static void add_number(struct kept *kept, const struct kept *more)
{
    bool is_number = kept->kind == KEPT_INTEGER || kept->kind == KEPT_NUMBER;
    double before = kept->kind == KEPT_NUMBER    ? kept->number
                    : kept->kind == KEPT_INTEGER ? (double)kept->integer
                                                 : 0;
    double after = before + (more->kind == KEPT_NUMBER ? more->number
                                                       : (double)more->integer);
    int64_t sum = 0;

    if (more->kind == KEPT_INTEGER && kept->kind != KEPT_NUMBER &&
        !__builtin_add_overflow(is_number ? kept->integer : 0, more->integer,
                                &sum)) {
        kept->kind = KEPT_INTEGER;
        kept->integer = sum;
    } else {
        kept->kind = KEPT_NUMBER;
        kept->number = after;
    }
    if (more->expires != 0)
        kept->expires = more->expires;
}

static pr_status add_time(struct kept *kept, const struct kept_step *step)
{
    struct kept times = {.kind = KEPT_TIMES, .expires = step->value.expires};
    size_t unit = sizeof step->value.integer, have = 0, from = 0;
    pr_status status = PR_OK;

    times.octets.cap = KEPT_VALUE_MAX;
    if (kept->kind == KEPT_TIMES)
        have = kept->octets.size / unit;
    if (have + 1 > step->most)
        from = have + 1 - step->most;
    if (from < have)
        status = pr_buffer_add(&times.octets, kept->octets.data + from * unit,
                               (have - from) * unit);
    if (status == PR_OK)
        status = pr_buffer_add(&times.octets, &step->value.integer, unit);
    if (status != PR_OK) {
        kept_done(&times);
        return status;
    }
    kept_done(kept);
    *kept = times;
    return PR_OK;
}

pr_status kept_take(struct kept *kept, const struct kept_step *step)
{
    switch (step->what) {
    case KEPT_SET:
        return kept_copy(kept, &step->value);
    case KEPT_ADD:
        add_number(kept, &step->value);
        return PR_OK;
    case KEPT_HIT:
        return add_time(kept, step);
    case KEPT_DROP:
        kept_done(kept);
        return PR_OK;
    }
    return PR_OK;
}

size_t kept_times_after(const struct kept *kept, int64_t after)
{
    size_t count = 0;

    if (kept->kind != KEPT_TIMES)
        return 0;
    for (size_t at = 0; at + sizeof after <= kept->octets.size;
         at += sizeof after) {
        int64_t time;

        memcpy(&time, kept->octets.data + at, sizeof time);
        count += time > after;
    }
    return count;
}

/* ---- In the database ----------------------------------------------------- */

static pr_status read_row(const struct statement *statement, struct kept *ret)
{
    const void *data = sqlite3_column_blob(statement->sql, 1);
    size_t size = (size_t)sqlite3_column_bytes(statement->sql, 1);

    *ret = (struct kept){
        .kind = (enum kept_kind)column_int(statement, 0),
        .integer = sqlite3_column_int64(statement->sql, 1),
        .number = sqlite3_column_double(statement->sql, 1),
        .expires = column_int(statement, 2),
    };
    if (ret->kind != KEPT_TEXT && ret->kind != KEPT_TIMES)
        return PR_OK;
    return set_octets(ret, ret->kind, size > 0 ? data : "",
                      size < KEPT_VALUE_MAX ? size : KEPT_VALUE_MAX);
}

static pr_status find(struct state *state, enum kept_table table,
                      struct pr_bytes key, struct kept *ret)
{
    struct statement statement = statement_for(state, SQL_KEPT_FIND);

    bind_int(&statement, table);
    bind_octets(&statement, key.data, key.size);
    pr_status status = statement_step(&statement);
    if (status == PR_EOF)
        return PR_OK;
    if (status != PR_OK)
        return status;
    status = read_row(&statement, ret);
    statement_end(&statement);
    return status;
}

static pr_status put(struct state *state, enum kept_table table,
                     struct pr_bytes key, const struct kept *kept)
{
    struct statement statement = statement_for(
        state, kept->kind == KEPT_NOTHING ? SQL_KEPT_DROP : SQL_KEPT_PUT);

    bind_int(&statement, table);
    bind_octets(&statement, key.data, key.size);
    if (kept->kind != KEPT_NOTHING) {
        bind_int(&statement, kept->kind);
        if (kept->kind == KEPT_NUMBER)
            bind_number(&statement, kept->number);
        else if (kept->kind == KEPT_TEXT || kept->kind == KEPT_TIMES)
            bind_octets(&statement, pr_buffer_text(&kept->octets),
                        kept->octets.size);
        else
            bind_int(&statement, kept->integer);
        bind_int(&statement, kept->expires);
    }
    return statement_run(&statement);
}

struct keep_change {
    struct change change;
    enum kept_table table;
    struct pr_bytes key;
    struct kept_step step;
    int64_t now;
};

static pr_status apply_keep(struct state *state, const struct change *change)
{
    const struct keep_change *it = (const struct keep_change *)change;
    struct kept kept = {0};
    pr_status status = find(state, it->table, it->key, &kept);

    kept_expire(&kept, it->now);
    if (status == PR_OK)
        status = kept_take(&kept, &it->step);
    if (status == PR_OK)
        status = put(state, it->table, it->key, &kept);
    kept_done(&kept);
    return status;
}

void state_keep(struct state_changes *changes, enum kept_table table,
                struct pr_bytes key, const struct kept_step *step, int64_t now)
{
    struct keep_change *it = change_add(changes, sizeof *it, 0, 0, apply_keep);
    const struct pr_buffer *octets = &step->value.octets;

    if (it == NULL)
        return;
    it->table = table;
    it->key = (struct pr_bytes){change_bytes(changes, key), key.size};
    it->step = *step;
    it->now = now;
    it->step.value.octets.allocated = 0;
    it->step.value.octets.data = (char *)(uintptr_t)change_bytes(
        changes, (struct pr_bytes){pr_buffer_text(octets), octets->size});
}

/* ---- Reading ------------------------------------------------------------- */

struct kept_read {
    enum kept_table table;
    struct pr_bytes key;
    struct kept *ret;
    struct pr_failure failure;
    struct kept_read *next;
    bool is_done;
};

struct read_job {
    struct state *state;
    struct kept_read *first;
};

static pr_status read_all(void *argument)
{
    const struct read_job *job = argument;

    for (struct kept_read *read = job->first; read != NULL; read = read->next) {
        if (find(job->state, read->table, read->key, read->ret) != PR_OK)
            read->failure = *pr_last_failure();
    }
    return PR_OK;
}

/* All that stand in the queue, in one job. */
static void read_queue(struct state *state)
{
    struct read_job job = {state, state->reads};
    struct kept_read *next;

    state->reads = NULL;
    (void)!pr_offload(read_all, &job);
    for (struct kept_read *read = job.first; read != NULL; read = next) {
        next = read->next; /* it may go with its fiber's turn */
        read->is_done = true;
    }
}

pr_status state_kept(struct state *state, enum kept_table table,
                     struct pr_bytes key, struct kept *ret)
{
    struct kept_read read = {.table = table, .key = key, .ret = ret};
    struct turn turn;

    read.next = state->reads;
    state->reads = &read;
    state_take_turn(state, &turn);
    if (!read.is_done)
        read_queue(state);
    state_give_turn(state);
    return read.failure.status == PR_OK ? PR_OK : failure_raise(&read.failure);
}

/* ---- Forgetting ---------------------------------------------------------- */

struct prune_kept {
    struct state *state;
    int64_t now;
    uint64_t most;
    int removed;
};

static pr_status prune(struct prune_kept *job)
{
    struct statement over = statement_for(job->state, SQL_KEPT_PRUNE);

    bind_int(&over, job->now);
    bind_int(&over, PRUNE_AT_ONCE);
    pr_status status = statement_run(&over);
    job->removed = sqlite3_changes(job->state->db);
    if (status != PR_OK || job->removed > 0)
        return status;
    struct statement most = statement_for(job->state, SQL_KEPT_LIMIT);
    bind_int(&most, PRUNE_AT_ONCE);
    bind_int(&most, (int64_t)job->most);
    status = statement_run(&most);
    job->removed = sqlite3_changes(job->state->db);
    return status;
}

static pr_status prune_kept_job(void *argument)
{
    struct prune_kept *job = argument;
    pr_status status = transaction_begin(job->state);

    return status != PR_OK ? status : transaction_end(job->state, prune(job));
}

pr_status state_prune_kept(struct state *state, int64_t now, uint64_t most)
{
    struct prune_kept job = {state, now, most, 1};
    pr_status status = PR_OK;

    while (status == PR_OK && job.removed > 0)
        status = state_run(state, prune_kept_job, &job);
    return status;
}
