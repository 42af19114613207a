/*
 * Messages that arrived in a folder: where in the account they were before.
 *
 * One pass over what the account knows, whatever the number of arrivals: an
 * index of fingerprints would cost every account for what few ask for.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "state/private.h"
#include "state/sightings.h"

struct whereabouts_job {
    struct state *state;
    const char *account, *folder;
    int64_t id;
    struct pr_arena *arena;
    struct state_stray *strays;
    size_t count;
};

/* How sure it is that a message came from where it is known: it is there, or
 * was a while ago, or came through it some time. */
#define RANK_THERE INT64_MAX
#define RANK_CAME_THROUGH 1

static int compare(uint64_t size, const unsigned char *print,
                   const struct state_stray *stray)
{
    if (size != stray->size)
        return size < stray->size ? -1 : 1;
    return memcmp(print, stray->print, STATE_PRINT_SIZE);
}

static int compare_strays(const void *left, const void *right)
{
    const struct state_stray *a = left;

    return compare(a->size, a->print, right);
}

/* Those that the size and print in these columns are of. */
static struct state_stray *find(const struct whereabouts_job *job,
                                const struct statement *statement, int column,
                                size_t *ret_count)
{
    const unsigned char *print =
        sqlite3_column_blob(statement->sql, 1 + column);
    uint64_t size = (uint64_t)column_int(statement, column);
    size_t low = 0, high = job->count;

    *ret_count = 0;
    if (sqlite3_column_bytes(statement->sql, 1 + column) != STATE_PRINT_SIZE)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(size, print, &job->strays[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + *ret_count < job->count &&
           compare(size, print, &job->strays[low + *ret_count]) == 0)
        ++*ret_count;
    return &job->strays[low];
}

/* Is `name` one of the lines of `list`? */
static bool names(const char *list, const char *name)
{
    size_t size = strlen(name);

    for (const char *at = list; at != NULL && *at != '\0';) {
        const char *end = strchrnul(at, '\n');
        if ((size_t)(end - at) == size && memcmp(at, name, size) == 0)
            return true;
        at = *end == '\n' ? end + 1 : end;
    }
    return false;
}

static pr_status note_place(const struct whereabouts_job *job,
                            const struct statement *statement, int64_t rank,
                            bool is_ours)
{
    size_t count;
    struct state_stray *strays = find(job, statement, 0, &count);
    pr_status status = PR_OK;

    for (size_t i = 0; status == PR_OK && i < count; i++) {
        strays[i].is_ours |= is_ours;
        if (strays[i].from != NULL && strays[i].rank >= rank)
            continue;
        strays[i].rank = rank;
        status = column_text(statement, 2, job->arena, &strays[i].from);
    }
    return status;
}

static struct statement statement_elsewhere(const struct whereabouts_job *job,
                                            enum statement_id id)
{
    struct statement statement = statement_for(job->state, id);

    bind_text(&statement, job->account);
    bind_int(&statement, job->id);
    return statement;
}

static pr_status look_at_sightings(const struct whereabouts_job *job)
{
    struct statement statement =
        statement_elsewhere(job, SQL_SIGHTED_ELSEWHERE);
    pr_status status;

    while ((status = statement_step(&statement)) == PR_OK) {
        int64_t gone = column_int(&statement, 3);
        status =
            note_place(job, &statement, gone == 0 ? RANK_THERE : gone, false);
        if (status != PR_OK) {
            statement_end(&statement);
            return status;
        }
    }
    return status == PR_EOF ? PR_OK : status;
}

static bool is_sent_here(const struct whereabouts_job *job,
                         const struct statement *statement)
{
    return names((const char *)sqlite3_column_text(statement->sql, 3),
                 job->folder) ||
           names((const char *)sqlite3_column_text(statement->sql, 4),
                 job->folder);
}

static pr_status look_at_messages(const struct whereabouts_job *job)
{
    struct statement statement = statement_elsewhere(job, SQL_KNOWN_ELSEWHERE);
    pr_status status;

    while ((status = statement_step(&statement)) == PR_OK) {
        status = note_place(job, &statement, RANK_CAME_THROUGH,
                            is_sent_here(job, &statement));
        if (status != PR_OK) {
            statement_end(&statement);
            return status;
        }
    }
    return status == PR_EOF ? PR_OK : status;
}

/* What was expected meets one arrival each. */
static pr_status look_at_expected(const struct whereabouts_job *job)
{
    struct statement statement = statement_for(job->state, SQL_EXPECTED);
    pr_status status;

    bind_text(&statement, job->account);
    bind_text(&statement, job->folder);
    while ((status = statement_step(&statement)) == PR_OK) {
        size_t count, i = 0;
        struct state_stray *strays = find(job, &statement, 1, &count);
        while (i < count && strays[i].expected != 0)
            i++;
        if (i < count) {
            strays[i].expected = column_int(&statement, 0);
            strays[i].is_ours = true;
        }
    }
    return status == PR_EOF ? PR_OK : status;
}

static pr_status whereabouts_job(void *argument)
{
    const struct whereabouts_job *job = argument;
    pr_status status = look_at_sightings(job);

    if (status == PR_OK)
        status = look_at_messages(job);
    return status == PR_OK ? look_at_expected(job) : status;
}

pr_status state_whereabouts(struct state *state, const char *account,
                            const struct state_folder *record,
                            const char *folder, struct pr_arena *arena,
                            struct state_stray *strays, size_t count)
{
    struct whereabouts_job job = {state, account, folder, record->id,
                                  arena, strays,  count};

    if (count == 0)
        return PR_OK;
    qsort(strays, count, sizeof(*strays), compare_strays);
    return state_run(state, whereabouts_job, &job);
}
