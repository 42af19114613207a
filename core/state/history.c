/*
 * The history: what was done with each message, for `postrider why`.
 */
#include "config.h"

#include <string.h>

#include "state/private.h"

/* So much of a text is enough for a person. */
#define EVENT_TEXT_CAP 300

/* ---- Adding -------------------------------------------------------------- */

struct event_change {
    struct change change;
    struct state_event event;
};

/* FNV-1a, 32 bits: it spreads keys, and nothing relies on more. */
static int64_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static pr_status apply_event(struct state *state, const struct change *change)
{
    const struct state_event *event =
        &((const struct event_change *)change)->event;
    struct statement statement = statement_for(state, SQL_HISTORY_ADD);

    if (event->message_id != NULL)
        bind_int(&statement, hash_of(event->message_id));
    else
        bind_text(&statement, NULL);
    bind_int(&statement, event->time);
    bind_text(&statement, event->account);
    bind_text(&statement, event->folder);
    bind_int(&statement, event->uid);
    bind_text(&statement, event->message_id);
    bind_text(&statement, event->sender);
    bind_text(&statement, event->subject);
    bind_text(&statement, event->action);
    bind_text(&statement, event->target);
    bind_text(&statement, event->rule);
    bind_text(&statement, event->file);
    bind_int(&statement, event->line);
    bind_text(&statement, event->outcome);
    bind_text(&statement, event->reason);
    return statement_run(&statement);
}

/* A Message-ID without the white space and angle brackets around it, at most
 * EVENT_TEXT_CAP octets. */
static struct pr_bytes bare_id(const char *id)
{
    size_t size;

    id += strspn(id, " \t\r\n<");
    size = strnlen(id, EVENT_TEXT_CAP);
    while (size > 0 && strchr(" \t\r\n>", id[size - 1]) != NULL)
        size--;
    return (struct pr_bytes){id, size};
}

static const char *keep_id(struct state_changes *changes, const char *id)
{
    if (id == NULL)
        return NULL;
    struct pr_bytes bare = bare_id(id);
    return bare.size > 0 ? change_bytes(changes, bare) : NULL;
}

void state_history(struct state_changes *changes,
                   const struct state_event *event)
{
    struct event_change *it =
        change_add(changes, sizeof(*it), 0, event->uid, apply_event);

    if (it == NULL)
        return;
    it->event = (struct state_event){
        .time = event->time,
        .account = change_text(changes, event->account, EVENT_TEXT_CAP),
        .folder = change_text(changes, event->folder, EVENT_TEXT_CAP),
        .uid = event->uid,
        .message_id = keep_id(changes, event->message_id),
        .sender = change_text(changes, event->sender, EVENT_TEXT_CAP),
        .subject = change_text(changes, event->subject, EVENT_TEXT_CAP),
        .action = change_text(changes, event->action, EVENT_TEXT_CAP),
        .target = change_text(changes, event->target, EVENT_TEXT_CAP),
        .rule = change_text(changes, event->rule, EVENT_TEXT_CAP),
        .file = change_text(changes, event->file, EVENT_TEXT_CAP),
        .line = event->line,
        .outcome = change_text(changes, event->outcome, EVENT_TEXT_CAP),
        .reason = change_text(changes, event->reason, EVENT_TEXT_CAP),
    };
}

/* ---- Asking -------------------------------------------------------------- */

struct why_job {
    struct list list;
    const char *id;
};

static pr_status read_event(const struct statement *statement,
                            struct pr_arena *arena, void *item)
{
    struct state_event *event = item;

    const struct {
        int column;
        const char **text;
    } texts[] = {
        {1, &event->account},  {2, &event->folder},  {4, &event->message_id},
        {5, &event->sender},   {6, &event->subject}, {7, &event->action},
        {8, &event->target},   {9, &event->rule},    {10, &event->file},
        {12, &event->outcome}, {13, &event->reason},
    };

    pr_status status = PR_OK;

    event->time = column_int(statement, 0);
    event->uid = (uint32_t)column_int(statement, 3);
    event->line = (int)column_int(statement, 11);
    for (size_t i = 0; status == PR_OK && i < sizeof(texts) / sizeof(*texts);
         i++)
        status = column_text(statement, texts[i].column, arena, texts[i].text);
    return status;
}

static pr_status read_events(struct why_job *job, struct statement *statement)
{
    return list_read(&job->list, statement, sizeof(struct state_event),
                     read_event);
}

static pr_status by_message_id(struct why_job *job)
{
    struct pr_bytes bare = bare_id(job->id);
    const char *id = pr_arena_bytes(job->list.arena, bare);

    if (id == NULL)
        return PR_NOMEM;
    struct statement statement = statement_for(job->list.state, SQL_WHY);
    bind_int(&statement, hash_of(id));
    bind_text(&statement, id);
    return read_events(job, &statement);
}

static pr_status by_place(struct why_job *job)
{
    struct state_place place;
    pr_status status = state_place_parse(job->id, job->list.arena, &place);

    if (status != PR_OK)
        return status == PR_GONE ? PR_OK : status;
    struct statement statement = statement_for(job->list.state, SQL_WHY_PLACE);
    bind_int(&statement, place.uid);
    bind_text(&statement, place.folder);
    bind_text(&statement, place.account);
    return read_events(job, &statement);
}

static pr_status why_job(void *argument)
{
    struct why_job *job = argument;
    pr_status status = by_message_id(job);

    /* A Message-ID may look like a place. */
    if (status == PR_OK && job->list.count == 0)
        status = by_place(job);
    return status;
}

pr_status state_why(struct state *state, const char *id, struct pr_arena *arena,
                    struct state_event **ret, size_t *ret_count)
{
    struct why_job job = {{.state = state, .arena = arena}, id};
    void *events;
    pr_status status = list_end(&job.list, state_run(state, why_job, &job),
                                &events, ret_count);

    if (status == PR_OK)
        *ret = events;
    return status;
}

/* ---- Forgetting ---------------------------------------------------------- */

pr_status state_prune_history(struct state *state, int64_t before)
{
    return state_prune(state, SQL_HISTORY_PRUNE, before);
}
