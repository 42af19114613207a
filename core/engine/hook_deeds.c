/*
 * What hooks ask of the server: noted as ours, limited, asked for.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "base/crash.h"
#include "engine/events.h"
#include "mail/flags.h"

bool happening_is_run(const struct happening *happening)
{
    return happening->message != NULL && happening->hook.name != NULL &&
           happening->result == PR_OK;
}

bool happening_removes(const struct happening *happening)
{
    return happening->deed.move_to != NULL || happening->deed.remove;
}

static size_t count_copies(const struct happening *happening)
{
    size_t count = 0;
    for (size_t i = 0; i < happening->message->plan.count; i++) {
        count += happening->message->plan.entries[i].action == PLAN_COPY_TO;
    }
    return count;
}

const char *folder_name(const char *name)
{
    return strcasecmp(name, "INBOX") == 0 ? "INBOX" : name;
}

/* What is to go, and where, is ours before it can have happened. */
static pr_status note_intents(struct lookout *lookout, size_t first, size_t end)
{
    struct session *session = lookout->session;
    struct state_changes *changes;
    size_t noted = 0;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    for (size_t i = first; i < end; i++) {
        struct happening *happening = lookout->happenings[i];
        if (!happening_is_run(happening) ||
            (!happening_removes(happening) && count_copies(happening) == 0)) {
            continue;
        }
        const char *account = session->account->name;
        struct state_sighting ours = happening->sighting;
        ours.is_ours = happening_removes(happening);
        if (happening->was_known) {
            ours.flags = happening->old;
        }
        noted++;
        state_see(changes, session->record.id, &ours);
        if (happening->deed.move_to != NULL) {
            state_expect(changes, account, folder_name(happening->deed.move_to),
                         &ours);
        }
        const struct plan *plan = &happening->message->plan;
        for (size_t j = 0; j < plan->count; j++) {
            if (plan->entries[j].action == PLAN_COPY_TO) {
                state_expect(changes, account,
                             folder_name(plan->entries[j].text), &ours);
            }
        }
    }
    if (noted == 0) {
        state_drop(changes);
        return PR_OK;
    }
    return state_commit(changes);
}

/* Hooks that want too much deleted have it not: they are told again, and then
 * it is given up. */
static void limit_deletions(struct lookout *lookout, size_t first, size_t end)
{
    const struct session *session = lookout->session;
    uint64_t count = lookout->deleted;
    for (size_t i = first; i < end; i++) {
        const struct happening *happening = lookout->happenings[i];
        count += happening_is_run(happening) && happening->deed.remove;
    }
    if (deletions_are_allowed(session->account, count, session->run->deleted,
                              session->mailbox.exists)) {
        lookout->deleted = count;
        return;
    }
    for (size_t i = first; i < end; i++) {
        struct happening *happening = lookout->happenings[i];
        if (happening_is_run(happening) && happening->deed.remove) {
            happening->result = PR_LIMIT;
            happening->error = "the hook wants more messages deleted than "
                               "limit_deletions allows; it is not deleted";
        }
    }
}

/* Deeds beside the happenings they are of. */
struct deeds {
    struct pr_deed *deeds;
    struct happening **of;
    size_t count;
};

static pr_status make_room(struct lookout *lookout, size_t first, size_t end,
                           struct deeds *ret)
{
    size_t most = 1;
    for (size_t i = first; i < end; i++) {
        if (happening_is_run(lookout->happenings[i])) {
            most += 1 + count_copies(lookout->happenings[i]);
        }
    }
    ret->count = 0;
    ret->deeds = pr_arena_array(lookout->arena, most, sizeof(*ret->deeds));
    ret->of = pr_arena_array(lookout->arena, most, sizeof(struct happening *));
    return ret->deeds == NULL || ret->of == NULL ? PR_NOMEM : PR_OK;
}

static void add_deed(struct deeds *deeds, struct happening *happening,
                     const struct pr_deed *deed)
{
    deeds->of[deeds->count] = happening;
    deeds->deeds[deeds->count++] = *deed;
}

static void add_copies(struct deeds *deeds, struct happening *happening)
{
    const struct plan *plan = &happening->message->plan;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->entries[i].action == PLAN_COPY_TO) {
            struct pr_deed deed = happening->deed;
            deed.move_to = NULL;
            deed.remove = false;
            deed.copy_to = plan->entries[i].text;
            add_deed(deeds, happening, &deed);
        }
    }
}

/* What can be undone. */
static pr_status note_deeds(struct lookout *lookout, const struct deeds *deeds)
{
    struct state_changes *changes;
    pr_status status = state_begin(lookout->session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    for (size_t i = 0; i < deeds->count; i++) {
        if (deeds->deeds[i].result == PR_OK) {
            session_note_deed(lookout->session, changes, &deeds->deeds[i],
                              &deeds->of[i]->sighting);
        }
    }
    return state_commit(changes);
}

static pr_status ask_server(struct lookout *lookout, struct deeds *deeds)
{
    struct session *session = lookout->session;
    if (deeds->count == 0) {
        return PR_OK;
    }
    crash_point("hooks: before the server is asked");
    pr_status status = session_ask(session, deeds->deeds, deeds->count);
    crash_point("hooks: before it is noted");
    for (size_t i = 0; status == PR_OK && i < deeds->count; i++) {
        struct happening *happening = deeds->of[i];
        if (deeds->deeds[i].result != PR_OK && happening->result == PR_OK) {
            happening->result = deeds->deeds[i].result;
            happening->error = pr_arena_printf(
                happening->message->arena,
                "the server did not do what the hook asked for (%s)",
                pr_status_name(happening->result));
        }
    }
    return status == PR_OK ? note_deeds(lookout, deeds) : status;
}

/* Copies first: a message goes only when all of them are made. */
pr_status hooks_carry_out(struct lookout *lookout, size_t first, size_t end)
{
    struct deeds deeds;
    pr_status status = make_room(lookout, first, end, &deeds);
    if (status != PR_OK || lookout->session->source->read_only) {
        return status;
    }
    limit_deletions(lookout, first, end);
    status = note_intents(lookout, first, end);
    for (size_t i = first; status == PR_OK && i < end; i++) {
        if (happening_is_run(lookout->happenings[i])) {
            add_copies(&deeds, lookout->happenings[i]);
        }
    }
    if (status == PR_OK) {
        status = ask_server(lookout, &deeds);
    }
    deeds.count = 0;
    for (size_t i = first; status == PR_OK && i < end; i++) {
        struct happening *happening = lookout->happenings[i];
        const struct pr_deed *deed = &happening->deed;
        if (happening_is_run(happening) &&
            (happening_removes(happening) || !flags_are_none(&deed->set) ||
             !flags_are_none(&deed->clear))) {
            add_deed(&deeds, happening, deed);
        }
    }
    return status == PR_OK ? ask_server(lookout, &deeds) : status;
}
