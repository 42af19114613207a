/*
 * Deeds on the server, noted, listed and taken back.
 */
#include "config.h"

#include "state/deeds.h"

#include <string.h>

#include "state/private.h"

/* ---- Noting -------------------------------------------------------------- */

struct deed_change {
    struct change change;
    struct state_deed deed;
};

static void bind_print(struct statement *statement, const unsigned char *print)
{
    static const unsigned char zero[STATE_PRINT_SIZE];

    if (memcmp(print, zero, sizeof(zero)) != 0)
        bind_octets(statement, print, STATE_PRINT_SIZE);
    else
        bind_text(statement, NULL);
}

static pr_status apply_deed(struct state *state, const struct change *change)
{
    const struct state_deed *deed = &((const struct deed_change *)change)->deed;
    struct statement statement = statement_for(state, SQL_DEED_ADD);

    bind_int(&statement, deed->time);
    bind_text(&statement, deed->account);
    bind_text(&statement, deed->folder);
    bind_int(&statement, deed->uidvalidity);
    bind_int(&statement, deed->uid);
    bind_int(&statement, deed->kind);
    bind_int(&statement, (int64_t)deed->size);
    bind_int(&statement, deed->received);
    bind_print(&statement, deed->print);
    bind_text(&statement, deed->target);
    bind_int(&statement, deed->target_validity);
    bind_int(&statement, deed->target_uid);
    bind_int(&statement, deed->set.system);
    bind_text(&statement, deed->set.keywords);
    bind_int(&statement, deed->clear.system);
    bind_text(&statement, deed->clear.keywords);
    bind_text(&statement, deed->message_id);
    bind_text(&statement, deed->sender);
    bind_text(&statement, deed->subject);
    bind_int(&statement, change->folder);
    return statement_run(&statement);
}

void state_deed(struct state_changes *changes, int64_t folder,
                const struct state_deed *deed)
{
    struct deed_change *it =
        change_add(changes, sizeof(*it), folder, deed->uid, apply_deed);

    if (it == NULL)
        return;
    it->deed = *deed;
    it->deed.account = change_text(changes, deed->account, TEXT_CAP);
    it->deed.folder = change_text(changes, deed->folder, TEXT_CAP);
    it->deed.target = change_text(changes, deed->target, TEXT_CAP);
    it->deed.set.keywords = change_text(changes, deed->set.keywords, TEXT_CAP);
    it->deed.clear.keywords =
        change_text(changes, deed->clear.keywords, TEXT_CAP);
    it->deed.message_id = change_text(changes, deed->message_id, TEXT_CAP);
    it->deed.sender = change_text(changes, deed->sender, TEXT_CAP);
    it->deed.subject = change_text(changes, deed->subject, TEXT_CAP);
}

static pr_status apply_returns(struct state *state, const struct change *change)
{
    const struct deed_change *it = (const struct deed_change *)change;
    struct statement statement = statement_for(state, SQL_DEED_RETURNS);

    bind_int(&statement, (int64_t)it->deed.size);
    bind_int(&statement, it->deed.received);
    bind_print(&statement, it->deed.print);
    bind_int(&statement, it->deed.id);
    return statement_run(&statement);
}

void state_deed_returns(struct state_changes *changes,
                        const struct state_deed *deed)
{
    struct deed_change *it =
        change_add(changes, sizeof(*it), 0, 0, apply_returns);

    if (it == NULL)
        return;
    it->deed.id = deed->id;
    it->deed.size = deed->size;
    it->deed.received = deed->received;
    memcpy(it->deed.print, deed->print, sizeof(deed->print));
}

static pr_status apply_stays(struct state *state, const struct change *change)
{
    const struct deed_change *it = (const struct deed_change *)change;
    struct statement statement = statement_for(state, SQL_DEED_STAYS);

    bind_int(&statement, it->deed.id);
    return statement_run(&statement);
}

void state_deed_stays(struct state_changes *changes, int64_t id)
{
    struct deed_change *it =
        change_add(changes, sizeof(*it), 0, 0, apply_stays);

    if (it != NULL)
        it->deed.id = id;
}

static pr_status move_places(struct state *state, enum statement_id id,
                             const struct state_deed *deed, uint32_t uid)
{
    struct statement statement = statement_for(state, id);

    bind_int(&statement, uid);
    bind_int(&statement, deed->uid);
    bind_text(&statement, deed->account);
    bind_text(&statement, deed->folder);
    bind_int(&statement, deed->uidvalidity);
    return statement_run(&statement);
}

/* Older deeds with the message are about the UID that it had. */
static pr_status apply_undone(struct state *state, const struct change *change)
{
    const struct state_deed *deed = &((const struct deed_change *)change)->deed;
    struct statement statement = statement_for(state, SQL_DEED_DELETE);

    bind_int(&statement, deed->id);
    pr_status status = statement_run(&statement);
    if (change->uid == 0)
        return status;
    if (status == PR_OK)
        status = move_places(state, SQL_DEED_MOVE_SOURCE, deed, change->uid);
    if (status == PR_OK)
        status = move_places(state, SQL_DEED_MOVE_TARGET, deed, change->uid);
    return status;
}

void state_deed_undone(struct state_changes *changes,
                       const struct state_deed *deed, uint32_t uid)
{
    struct deed_change *it =
        change_add(changes, sizeof(*it), 0, uid, apply_undone);

    if (it == NULL)
        return;
    it->deed.id = deed->id;
    it->deed.uid = deed->uid;
    it->deed.uidvalidity = deed->uidvalidity;
    it->deed.account = change_text(changes, deed->account, TEXT_CAP);
    it->deed.folder = change_text(changes, deed->folder, TEXT_CAP);
}

/* ---- Listing ------------------------------------------------------------- */

struct deeds_job {
    struct list list;
    const char *account, *folder;
    int64_t since;
    enum statement_id statement;
};

static pr_status read_texts(const struct statement *statement,
                            struct pr_arena *arena, struct state_deed *deed)
{
    const struct {
        int column;
        const char **text;
    } texts[] = {
        {2, &deed->account},         {3, &deed->folder},
        {11, &deed->target},         {15, &deed->set.keywords},
        {17, &deed->clear.keywords}, {18, &deed->message_id},
        {19, &deed->sender},         {20, &deed->subject},
    };

    pr_status status = PR_OK;

    for (size_t i = 0; status == PR_OK && i < sizeof(texts) / sizeof(*texts);
         i++)
        status = column_text(statement, texts[i].column, arena, texts[i].text);
    return status;
}

static pr_status read_deed(const struct statement *statement,
                           struct pr_arena *arena, void *item)
{
    struct state_deed *deed = item;

    deed->id = column_int(statement, 0);
    deed->time = column_int(statement, 1);
    deed->uidvalidity = (uint32_t)column_int(statement, 4);
    deed->uid = (uint32_t)column_int(statement, 5);
    deed->kind = (enum deed_kind)column_int(statement, 6);
    deed->stage = (enum deed_stage)column_int(statement, 7);
    deed->size = (uint64_t)column_int(statement, 8);
    deed->received = column_int(statement, 9);
    if (sqlite3_column_bytes(statement->sql, 10) == STATE_PRINT_SIZE)
        memcpy(deed->print, sqlite3_column_blob(statement->sql, 10),
               STATE_PRINT_SIZE);
    deed->target_validity = (uint32_t)column_int(statement, 12);
    deed->target_uid = (uint32_t)column_int(statement, 13);
    deed->set.system = (unsigned)column_int(statement, 14);
    deed->clear.system = (unsigned)column_int(statement, 16);
    deed->is_new = column_int(statement, 21) != 0;
    return read_texts(statement, arena, deed);
}

static pr_status deeds_job(void *argument)
{
    struct deeds_job *job = argument;
    struct statement statement = statement_for(job->list.state, job->statement);

    bind_text(&statement, job->account);
    if (job->statement == SQL_DEEDS)
        bind_int(&statement, job->since);
    else
        bind_text(&statement, job->folder);
    return list_read(&job->list, &statement, sizeof(struct state_deed),
                     read_deed);
}

static pr_status list_deeds(struct deeds_job *job, struct state_deed **ret,
                            size_t *ret_count)
{
    void *deeds;
    pr_status status =
        list_end(&job->list, state_run(job->list.state, deeds_job, job), &deeds,
                 ret_count);

    if (status == PR_OK)
        *ret = deeds;
    return status;
}

pr_status state_deeds(struct state *state, const char *account, int64_t since,
                      struct pr_arena *arena, struct state_deed **ret,
                      size_t *ret_count)
{
    struct deeds_job job = {.list = {.state = state, .arena = arena},
                            .account = account,
                            .since = since,
                            .statement = SQL_DEEDS};

    return list_deeds(&job, ret, ret_count);
}

pr_status state_deeds_returning(struct state *state, const char *account,
                                const char *folder, struct pr_arena *arena,
                                struct state_deed **ret, size_t *ret_count)
{
    struct deeds_job job = {.list = {.state = state, .arena = arena},
                            .account = account,
                            .folder = folder,
                            .statement = SQL_DEEDS_RETURNING};

    return list_deeds(&job, ret, ret_count);
}

/* ---- Forgetting ---------------------------------------------------------- */

pr_status state_prune_deeds(struct state *state, int64_t before)
{
    return state_prune(state, SQL_DEEDS_PRUNE, before);
}
