/*
 * What messages looked like when hooks last looked at their folder: read, and
 * noted anew.
 */
#include "config.h"

#include "state/sightings.h"

#include <string.h>
#include <time.h>

#include "mail/flags.h"
#include "state/private.h"

/* So much of a text is enough for a person. */
#define SIGHTING_TEXT_CAP 300
#define KEYWORDS_CAP 4096

/* ---- Reading ------------------------------------------------------------- */

struct lookout_job {
    struct state *state;
    int64_t folder;
    struct state_lookout found;
};

static pr_status lookout_job(void *argument)
{
    struct lookout_job *job = argument;
    struct statement statement = statement_for(job->state, SQL_LOOKOUT_FIND);

    bind_int(&statement, job->folder);
    pr_status status = statement_step(&statement);
    if (status != PR_OK)
        return status == PR_EOF ? PR_OK : status;
    job->found = (struct state_lookout){
        .uidvalidity = (uint32_t)column_int(&statement, 0),
        .modseq = (uint64_t)column_int(&statement, 1),
        .has_prints = column_int(&statement, 2) != 0,
    };
    statement_end(&statement);
    return PR_OK;
}

pr_status state_lookout(struct state *state, int64_t folder,
                        struct state_lookout *ret)
{
    struct lookout_job job = {.state = state, .folder = folder};
    pr_status status = state_run(state, lookout_job, &job);

    if (status == PR_OK)
        *ret = job.found;
    return status;
}

struct sightings_job {
    struct list list;
    int64_t folder;
};

static pr_status read_sighting(const struct statement *statement,
                               struct pr_arena *arena, void *item)
{
    struct state_sighting *sighting = item;

    sighting->uid = (uint32_t)column_int(statement, 0);
    sighting->flags.system = (unsigned)column_int(statement, 1);
    sighting->size = (uint64_t)column_int(statement, 2);
    sighting->received = column_int(statement, 3);
    if (sqlite3_column_bytes(statement->sql, 4) == STATE_PRINT_SIZE)
        memcpy(sighting->print, sqlite3_column_blob(statement->sql, 4),
               STATE_PRINT_SIZE);
    sighting->gone = column_int(statement, 5);
    sighting->is_new = column_int(statement, 10) != 0;
    sighting->is_ours = column_int(statement, 11) != 0;
    sighting->tries = (unsigned)column_int(statement, 12);
    pr_status status =
        column_text(statement, 6, arena, &sighting->flags.keywords);
    if (status == PR_OK)
        status = column_text(statement, 7, arena, &sighting->message_id);
    if (status == PR_OK)
        status = column_text(statement, 8, arena, &sighting->sender);
    if (status == PR_OK)
        status = column_text(statement, 9, arena, &sighting->subject);
    return status;
}

static pr_status sightings_job(void *argument)
{
    struct sightings_job *job = argument;
    struct statement statement = statement_for(job->list.state, SQL_SIGHTINGS);

    bind_int(&statement, job->folder);
    return list_read(&job->list, &statement, sizeof(struct state_sighting),
                     read_sighting);
}

pr_status state_sightings(struct state *state, int64_t folder,
                          struct pr_arena *arena, struct state_sighting **ret,
                          size_t *ret_count)
{
    struct sightings_job job = {{.state = state, .arena = arena}, folder};
    void *sightings;
    pr_status status =
        list_end(&job.list, state_run(state, sightings_job, &job), &sightings,
                 ret_count);

    if (status == PR_OK)
        *ret = sightings;
    return status;
}

/* ---- Noting -------------------------------------------------------------- */

struct look_change {
    struct change change;
    struct state_lookout lookout;
};

static pr_status apply_look(struct state *state, const struct change *change)
{
    const struct state_lookout *lookout =
        &((const struct look_change *)change)->lookout;
    struct statement statement = statement_for(state, SQL_LOOKOUT_PUT);

    bind_int(&statement, change->folder);
    bind_int(&statement, lookout->uidvalidity);
    bind_int(&statement, (int64_t)lookout->modseq);
    bind_int(&statement, lookout->has_prints);
    return statement_run(&statement);
}

void state_look(struct state_changes *changes, int64_t folder,
                const struct state_lookout *lookout)
{
    struct look_change *it =
        change_add(changes, sizeof(*it), folder, 0, apply_look);

    if (it != NULL)
        it->lookout = *lookout;
}

struct see_change {
    struct change change;
    struct state_sighting sighting;
};

static bool is_print(const unsigned char print[STATE_PRINT_SIZE])
{
    static const unsigned char zero[STATE_PRINT_SIZE];
    return memcmp(print, zero, sizeof(zero)) != 0;
}

/* What is zero takes less room as NULL. */
static void bind_some(struct statement *statement, int64_t value)
{
    if (value != 0)
        bind_int(statement, value);
    else
        bind_text(statement, NULL);
}

static pr_status apply_see(struct state *state, const struct change *change)
{
    const struct state_sighting *it =
        &((const struct see_change *)change)->sighting;
    struct statement statement = statement_for(state, SQL_SIGHTING_PUT);

    bind_int(&statement, change->folder);
    bind_int(&statement, it->uid);
    bind_int(&statement, it->flags.system);
    bind_int(&statement, (int64_t)it->size);
    bind_int(&statement, it->received);
    if (is_print(it->print))
        bind_octets(&statement, it->print, sizeof(it->print));
    else
        bind_text(&statement, NULL);
    bind_some(&statement, it->gone);
    bind_text(&statement, it->flags.keywords);
    bind_text(&statement, it->message_id);
    bind_text(&statement, it->sender);
    bind_text(&statement, it->subject);
    bind_some(&statement, it->is_new);
    bind_some(&statement, it->is_ours);
    bind_some(&statement, it->tries);
    return statement_run(&statement);
}

void state_see(struct state_changes *changes, int64_t folder,
               const struct state_sighting *sighting)
{
    struct see_change *it =
        change_add(changes, sizeof(*it), folder, sighting->uid, apply_see);

    if (it == NULL)
        return;
    it->sighting = *sighting;
    it->sighting.flags.keywords =
        change_text(changes, sighting->flags.keywords, KEYWORDS_CAP);
    it->sighting.message_id =
        change_text(changes, sighting->message_id, SIGHTING_TEXT_CAP);
    it->sighting.sender =
        change_text(changes, sighting->sender, SIGHTING_TEXT_CAP);
    it->sighting.subject =
        change_text(changes, sighting->subject, SIGHTING_TEXT_CAP);
}

static pr_status apply_unsee(struct state *state, const struct change *change)
{
    struct statement statement = statement_for(state, SQL_SIGHTING_DELETE);

    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    return statement_run(&statement);
}

void state_unsee(struct state_changes *changes, int64_t folder, uint32_t uid)
{
    (void)change_add(changes, sizeof(struct change), folder, uid, apply_unsee);
}

static pr_status apply_unsee_all(struct state *state,
                                 const struct change *change)
{
    struct statement statement = statement_for(state, SQL_SIGHTINGS_DELETE);

    bind_int(&statement, change->folder);
    return statement_run(&statement);
}

void state_unsee_all(struct state_changes *changes, int64_t folder)
{
    (void)change_add(changes, sizeof(struct change), folder, 0,
                     apply_unsee_all);
}

/* ---- Our own flags ------------------------------------------------------- */

struct flags_change {
    struct change change;
    struct pr_flags set, clear;
};

static pr_status find_flags(struct state *state, const struct change *change,
                            struct pr_arena *arena, struct pr_flags *ret)
{
    struct statement statement = statement_for(state, SQL_SIGHTING_FLAGS);

    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    pr_status status = statement_step(&statement);
    if (status != PR_OK)
        return status;
    ret->system = (unsigned)column_int(&statement, 0);
    status = column_text(&statement, 1, arena, &ret->keywords);
    statement_end(&statement);
    return status;
}

static pr_status change_flags(struct state *state, const struct change *change,
                              struct pr_arena *arena)
{
    const struct flags_change *it = (const struct flags_change *)change;
    struct pr_flags flags = {0, NULL};
    pr_status status = find_flags(state, change, arena, &flags);

    if (status != PR_OK)
        return status == PR_EOF ? PR_OK : status;
    status = flags_change(arena, &flags, &it->set, &it->clear, &flags);
    if (status != PR_OK)
        return status;
    struct statement statement = statement_for(state, SQL_SIGHTING_SET_FLAGS);
    bind_int(&statement, flags.system);
    bind_text(&statement, flags.keywords);
    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    return statement_run(&statement);
}

static pr_status apply_own_flags(struct state *state,
                                 const struct change *change)
{
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL ? PR_NOMEM : change_flags(state, change, arena);

    pr_arena_free(arena);
    return status;
}

void state_see_own_flags(struct state_changes *changes, int64_t folder,
                         uint32_t uid, const struct pr_flags *set,
                         const struct pr_flags *clear)
{
    if (flags_are_none(set) && flags_are_none(clear))
        return;
    struct flags_change *it =
        change_add(changes, sizeof(*it), folder, uid, apply_own_flags);
    if (it == NULL)
        return;
    it->set = *set;
    it->clear = *clear;
    it->set.keywords = change_text(changes, set->keywords, KEYWORDS_CAP);
    it->clear.keywords = change_text(changes, clear->keywords, KEYWORDS_CAP);
}

/* ---- What we send elsewhere ---------------------------------------------- */

struct expect_change {
    struct change change;
    const char *account, *target;
    uint64_t size;
    unsigned char print[STATE_PRINT_SIZE];
    int64_t time;
};

static pr_status apply_expect(struct state *state, const struct change *change)
{
    const struct expect_change *it = (const struct expect_change *)change;
    struct statement statement = statement_for(state, SQL_EXPECT);

    bind_text(&statement, it->account);
    bind_text(&statement, it->target);
    bind_int(&statement, it->time);
    bind_int(&statement, (int64_t)it->size);
    bind_octets(&statement, it->print, sizeof(it->print));
    return statement_run(&statement);
}

static pr_status apply_expect_row(struct state *state,
                                  const struct change *change)
{
    const struct expect_change *it = (const struct expect_change *)change;
    struct statement statement = statement_for(state, SQL_EXPECT_ROW);

    bind_text(&statement, it->account);
    bind_text(&statement, it->target);
    bind_int(&statement, it->time);
    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    return statement_run(&statement);
}

static struct expect_change *
expect(struct state_changes *changes, const char *account, const char *target,
       int64_t folder, uint32_t uid,
       pr_status (*apply)(struct state *, const struct change *))
{
    struct expect_change *it =
        change_add(changes, sizeof(*it), folder, uid, apply);

    if (it == NULL)
        return NULL;
    it->account = change_text(changes, account, KEYWORDS_CAP);
    it->target = change_text(changes, target, KEYWORDS_CAP);
    it->time = time(NULL);
    return it;
}

void state_expect(struct state_changes *changes, const char *account,
                  const char *target, const struct state_sighting *sighting)
{
    if (!is_print(sighting->print))
        return;
    struct expect_change *it =
        expect(changes, account, target, 0, sighting->uid, apply_expect);
    if (it == NULL)
        return;
    it->size = sighting->size;
    memcpy(it->print, sighting->print, sizeof(it->print));
}

void state_expect_row(struct state_changes *changes, const char *account,
                      const char *target, int64_t folder, uint32_t uid)
{
    (void)expect(changes, account, target, folder, uid, apply_expect_row);
}

struct number_change {
    struct change change;
    int64_t id;
};

static pr_status apply_arrived(struct state *state, const struct change *change)
{
    struct statement statement = statement_for(state, SQL_EXPECTED_DELETE);

    bind_int(&statement, ((const struct number_change *)change)->id);
    return statement_run(&statement);
}

void state_arrived(struct state_changes *changes, int64_t expected)
{
    struct number_change *it =
        change_add(changes, sizeof(*it), 0, 0, apply_arrived);

    if (it != NULL)
        it->id = expected;
}

/* ---- Forgetting ---------------------------------------------------------- */

struct prune_change {
    struct change change;
    const char *account, *target;
    int64_t gone, expected;
};

static pr_status apply_prune(struct state *state, const struct change *change)
{
    const struct prune_change *it = (const struct prune_change *)change;
    struct statement statement = statement_for(state, SQL_SIGHTINGS_PRUNE);

    bind_int(&statement, change->folder);
    bind_int(&statement, it->gone);
    pr_status status = statement_run(&statement);
    if (status != PR_OK)
        return status;
    statement = statement_for(state, SQL_EXPECTED_PRUNE);
    bind_text(&statement, it->account);
    bind_text(&statement, it->target);
    bind_int(&statement, it->expected);
    return statement_run(&statement);
}

void state_prune_sightings(struct state_changes *changes, int64_t folder,
                           const char *account, const char *target,
                           int64_t gone, int64_t expected)
{
    struct prune_change *it =
        change_add(changes, sizeof(*it), folder, 0, apply_prune);

    if (it == NULL)
        return;
    it->account = change_text(changes, account, KEYWORDS_CAP);
    it->target = change_text(changes, target, KEYWORDS_CAP);
    it->gone = gone;
    it->expected = expected;
}
