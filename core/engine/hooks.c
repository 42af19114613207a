/*
 * Hooks run over what happened, and what they ask of the server.
 *
 * For a few happenings at a time: hooks run, what is to go is noted as ours,
 * the server is asked, what became of it is noted. So a crash at any step has
 * the hooks told once more, and our own doing is never told to them.
 */
#include "config.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/crash.h"
#include "engine/events.h"
#include "mail/flags.h"
#include "mail/spool.h"

/* What has been told is noted after so many, or so many ms. */
#define TOLD_MOST 100
#define TOLD_MS 250

/* So long a message that is gone is known again where it arrives, and one that
 * we sent to a folder is expected there; in seconds. */
#define GONE_AGE ((int64_t)7 * 24 * 60 * 60)
#define EXPECTED_AGE ((int64_t)10 * 60)

/* ---- The message that hooks see ------------------------------------------ */

struct teller {
    struct lookout *lookout;
    struct happening *happening;
    struct hook_event event;
    struct pr_failure broken; /* the line, while the message was fetched */
};

static bool is_of_the_message(pr_status status)
{
    return status == PR_OK || status == PR_GONE || status == PR_REFUSED ||
           status == PR_LIMIT;
}

static pr_status fetch(struct teller *teller, enum pr_want want,
                       struct pr_spool **ret)
{
    pr_status status = fetch_one(teller->lookout->session,
                                 &teller->happening->item, want, ret);
    if (!is_of_the_message(status)) {
        teller->broken = *pr_last_failure();
        teller->broken.status = status;
    }
    return status;
}

static pr_status fetch_header(struct message *message)
{
    return fetch(message->owner, PR_WANT_HEADER, &message->spool);
}

/* The whole message at a time: few hooks look further than the header, and
 * those that do hand it to a program. */
static pr_status fetch_more(struct message *message, enum pr_want want,
                            const char *part, uint64_t most)
{
    struct pr_spool *spool = NULL;
    (void)part;
    (void)most;
    if (want != PR_WANT_ALL) {
        return PR_UNSUPPORTED;
    }
    pr_status status = fetch(message->owner, PR_WANT_ALL, &spool);
    if (status == PR_OK) {
        message_take_whole(message, spool);
    }
    return status;
}

static pr_status has_no_more(struct message *message, enum pr_want want,
                             const char *part, uint64_t most)
{
    (void)message;
    (void)want;
    (void)part;
    (void)most;
    return pr_fail(PR_SCRIPT, "the message is gone: only what was noted of it "
                              "is left");
}

/* A text that may stand in a header. */
static const char *one_line(struct pr_arena *arena, const char *text)
{
    char *copy = pr_arena_text(arena, text != NULL ? text : "");
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = ' ';
        }
    }
    return copy;
}

/* A message that was delivered is in the history. */
static void ask_history(struct lookout *lookout,
                        struct state_sighting *sighting)
{
    struct session *session = lookout->session;
    struct state_event *events;
    size_t count = 0;
    const char *id =
        pr_arena_printf(lookout->arena, "%s/%s/%u", session->account->name,
                        session->folder, sighting->uid);
    if (id == NULL || sighting->message_id != NULL ||
        state_why(session->engine->state, id, lookout->arena, &events,
                  &count) != PR_OK ||
        count == 0) {
        return;
    }
    sighting->message_id = events[count - 1].message_id;
    sighting->sender = events[count - 1].sender;
    sighting->subject = events[count - 1].subject;
}

/* What is known of a message that is gone, as a header. */
static pr_status recall_header(struct message *message)
{
    const struct teller *teller = message->owner;
    const struct state_sighting *known = &teller->happening->sighting;
    struct pr_arena *arena = message->arena;
    const char *id = one_line(arena, known->message_id);
    const char *text =
        id == NULL ? NULL
                   : pr_arena_printf(arena, "%s%s%sFrom: %s\nSubject: %s\n\n",
                                     *id != '\0' ? "Message-ID: <" : "", id,
                                     *id != '\0' ? ">\n" : "",
                                     one_line(arena, known->sender),
                                     one_line(arena, known->subject));
    struct pr_spool *spool = NULL;
    if (text == NULL) {
        return PR_NOMEM;
    }
    pr_status status = spool_new(
        teller->lookout->session->engine->config->state_dir, 0, &spool);
    if (status == PR_OK) {
        status = pr_spool_append(spool, text, strlen(text));
    }
    if (status == PR_OK) {
        status = pr_spool_seal(spool);
    }
    if (status != PR_OK) {
        spool_free(spool);
        return status;
    }
    message->spool = spool;
    return PR_OK;
}

static pr_status make_message(struct teller *teller)
{
    struct lookout *lookout = teller->lookout;
    struct happening *happening = teller->happening;
    struct message *message;
    bool is_gone = happening->kind == HOOK_VANISHED;
    pr_status status =
        message_new(lookout->session->account->name, lookout->session->folder,
                    &happening->item, &message);
    if (status != PR_OK) {
        return status;
    }
    message->is_header_only = true;
    message->fetch_header = is_gone ? recall_header : fetch_header;
    message->fetch = is_gone ? has_no_more : fetch_more;
    message->owner = teller;
    happening->message = message;
    ask_history(lookout, &happening->sighting);
    return PR_OK;
}

static pr_status describe(struct teller *teller)
{
    static const unsigned char zero[STATE_PRINT_SIZE];
    struct happening *happening = teller->happening;
    struct pr_arena *arena = happening->message->arena;
    struct hook_event *event = &teller->event;
    *event = (struct hook_event){
        .kind = happening->kind,
        .flags = happening->item.flags,
        .old = happening->was_known ? happening->old : happening->item.flags,
        .from = happening->from,
        .is_fetched = teller->lookout->is_fetched,
    };
    if (memcmp(happening->sighting.print, zero, sizeof(zero)) != 0) {
        event->print = happening->sighting.print;
    }
    pr_status status =
        flags_without(arena, &event->flags, &event->old, &event->added);
    return status == PR_OK ? flags_without(arena, &event->old, &event->flags,
                                           &event->removed)
                           : status;
}

/* ---- Running them -------------------------------------------------------- */

static pr_status run_hooks(void *argument)
{
    struct teller *teller = argument;
    struct happening *happening = teller->happening;
    return hooks_run(teller->lookout->session->engine->config,
                     happening->message, &teller->event, &happening->hook);
}

/* In a fiber with a stack that Lua has room on. */
static pr_status run_in_fiber(struct teller *teller)
{
    struct pr_scope scope;
    pr_scope_init(&scope);
    pr_status status = pr_spawn(&scope, teller->lookout->session->folder,
                                PR_STACK_RULE, run_hooks, teller);
    pr_status joined = pr_scope_join(&scope);
    return status != PR_OK ? status : joined;
}

/* What the server is to do, but for copies. */
static pr_status take_plan(struct happening *happening)
{
    const struct plan *plan = &happening->message->plan;
    struct pr_arena *arena = happening->message->arena;
    struct pr_deed *deed = &happening->deed;
    pr_status status = PR_OK;
    *deed = (struct pr_deed){.item = &happening->item, .result = PR_CANCELLED};
    for (size_t i = 0; status == PR_OK && i < plan->count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        switch (entry->action) {
        case PLAN_FLAG:
            status = flags_add(arena, &deed->set, entry->text);
            break;
        case PLAN_UNFLAG:
            status = flags_add(arena, &deed->clear, entry->text);
            break;
        case PLAN_MOVE:
            deed->move_to = entry->text;
            break;
        case PLAN_DELETE:
            deed->remove = true;
            break;
        default:
            break;
        }
    }
    if (status != PR_OK) {
        return status;
    }
    /* What is so already is not undone. */
    return flags_that_change(arena, &happening->sighting.flags, &deed->set,
                             &deed->clear);
}

static void note_failure(struct happening *happening, pr_status status)
{
    happening->result = status;
    happening->error =
        pr_arena_text(happening->message->arena, pr_last_failure()->text);
}

/* PR_CANCELLED, or what spoils the session; the hooks' own failures are the
 * happening's. */
static pr_status tell_one(struct lookout *lookout, struct happening *happening)
{
    struct teller teller = {.lookout = lookout, .happening = happening};
    pr_status status = make_message(&teller);
    if (status == PR_OK) {
        status = describe(&teller);
    }
    if (status != PR_OK) {
        return status;
    }
    happening->hook = hooks_find(lookout->session->engine->config,
                                 happening->message, &teller.event);
    if (happening->hook.name == NULL) {
        return PR_OK;
    }
    status = run_in_fiber(&teller);
    if (teller.broken.status != PR_OK) {
        return pr_fail(teller.broken.status, "%s", teller.broken.text);
    }
    if (status == PR_OK) {
        status = take_plan(happening);
    }
    happening->message->owner = NULL;
    if (status == PR_OK || status == PR_CANCELLED || status == PR_NOMEM) {
        return status;
    }
    note_failure(happening, status);
    return PR_OK;
}

/* ---- What they ask for --------------------------------------------------- */

static bool is_run(const struct happening *happening)
{
    return happening->message != NULL && happening->hook.name != NULL &&
           happening->result == PR_OK;
}

static bool removes(const struct happening *happening)
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
        if (!is_run(happening) ||
            (!removes(happening) && count_copies(happening) == 0)) {
            continue;
        }
        const char *account = session->account->name;
        struct state_sighting ours = happening->sighting;
        ours.is_ours = removes(happening);
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
        count += is_run(happening) && happening->deed.remove;
    }
    if (deletions_are_allowed(session->account, count, session->run->deleted,
                              session->mailbox.exists)) {
        lookout->deleted = count;
        return;
    }
    for (size_t i = first; i < end; i++) {
        struct happening *happening = lookout->happenings[i];
        if (is_run(happening) && happening->deed.remove) {
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
        if (is_run(lookout->happenings[i])) {
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
    pr_status status = session->account->source->source->settle(
        session->source, deeds->deeds, deeds->count);
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
static pr_status carry_out(struct lookout *lookout, size_t first, size_t end)
{
    struct deeds deeds;
    pr_status status = make_room(lookout, first, end, &deeds);
    if (status != PR_OK || lookout->session->source->read_only) {
        return status;
    }
    limit_deletions(lookout, first, end);
    status = note_intents(lookout, first, end);
    for (size_t i = first; status == PR_OK && i < end; i++) {
        if (is_run(lookout->happenings[i])) {
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
        if (is_run(happening) &&
            (removes(happening) || !flags_are_none(&deed->set) ||
             !flags_are_none(&deed->clear))) {
            add_deed(&deeds, happening, deed);
        }
    }
    return status == PR_OK ? ask_server(lookout, &deeds) : status;
}

/* ---- Noting -------------------------------------------------------------- */

static const char *kind_name(enum hook_kind kind)
{
    return kind == HOOK_FLAGS      ? "flags"
           : kind == HOOK_VANISHED ? "vanished"
                                   : "moved_in";
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static const char *view_field_of(struct message *message, const char *name)
{
    size_t index = 0;
    struct view_field field;
    return message != NULL && message->view != NULL &&
                   view_find_field(message->view, name, &index, &field)
               ? field.value
               : NULL;
}

static void report(struct lookout *lookout, struct happening *happening,
                   struct state_changes *changes, const char *outcome)
{
    struct session *session = lookout->session;
    const struct state_sighting *sighting = &happening->sighting;
    struct message *message = happening->message;
    bool has_view = message != NULL && message->view != NULL;
    struct event_report report = {
        .account = session->account->name,
        .folder = session->folder,
        .uid = happening->item.uid,
        .event = kind_name(happening->kind),
        .from = happening->from,
        .message_id = or_empty(has_view ? view_message_id(message->view)
                                        : sighting->message_id),
        .sender = or_empty(has_view ? view_field_of(message, "From")
                                    : sighting->sender),
        .subject = or_empty(has_view ? view_field_of(message, "Subject")
                                     : sighting->subject),
        .hook = happening->hook.name,
        .file = happening->hook.file,
        .line = happening->hook.line,
        .status = outcome,
        .error = happening->error,
        .plan = message != NULL ? &message->plan : NULL,
    };
    if (changes != NULL) {
        const struct state_event event = {
            .time = time(NULL),
            .account = report.account,
            .folder = report.folder,
            .uid = report.uid,
            .message_id = *report.message_id != '\0' ? report.message_id : NULL,
            .sender = report.sender,
            .subject = report.subject,
            .action = report.event,
            .target = happening->deed.move_to,
            .rule = report.hook,
            .file = report.file,
            .line = report.line,
            .outcome = outcome,
            .reason = report.error};
        state_history(changes, &event);
    }
    if (session->engine->observer.event != NULL) {
        session->engine->observer.event(session->engine->observer.user,
                                        &report);
    }
}

/* It is as the hooks left it. */
static pr_status note_seen(struct lookout *lookout, struct happening *happening,
                           struct state_changes *changes)
{
    struct state_sighting *sighting = &happening->sighting;
    bool is_done = is_run(happening) && !lookout->session->source->read_only;
    sighting->tries = 0;
    sighting->is_new = false;
    sighting->is_ours = false;
    if (is_done && removes(happening)) {
        state_unsee(changes, lookout->session->record.id, sighting->uid);
        return PR_OK;
    }
    if (is_done) {
        pr_status status =
            flags_change(lookout->arena, &sighting->flags, &happening->deed.set,
                         &happening->deed.clear, &sighting->flags);
        if (status != PR_OK) {
            return status;
        }
    }
    state_see(changes, lookout->session->record.id, sighting);
    return PR_OK;
}

static void log_failure(struct lookout *lookout,
                        const struct happening *happening, bool is_last)
{
    pr_log(&lookout->session->log, is_last ? PR_LOG_ERROR : PR_LOG_WARNING,
           "message %u: %s%s", happening->item.uid, or_empty(happening->error),
           is_last ? "; given up, it is not told to the hook again"
                   : "; the hook hears of it again at the next visit");
}

/* It is told once more at the next visit, which finds it as it was. */
static void note_again(struct lookout *lookout, struct happening *happening,
                       struct state_changes *changes)
{
    struct state_sighting again = happening->sighting;
    again.tries++;
    again.gone = 0;
    again.is_ours = false;
    if (happening->was_known) {
        again.flags = happening->old;
    }
    state_see(changes, lookout->session->record.id, &again);
    lookout->is_pending = true;
    lookout->session->run->report.put_off++;
}

static pr_status note_one(struct lookout *lookout, struct happening *happening,
                          struct state_changes *changes)
{
    if (happening->expected != 0) {
        state_arrived(changes, happening->expected);
    }
    if (happening->kind == 0 || happening->result == PR_OK) {
        if (happening->message != NULL && happening->hook.name != NULL) {
            rules_note(happening->message, changes);
            report(lookout, happening, changes, "done");
        }
        return note_seen(lookout, happening, changes);
    }
    bool is_last = happening->sighting.tries + 1 >= HOOK_TRIES;
    log_failure(lookout, happening, is_last);
    report(lookout, happening, changes, is_last ? "failed" : "later");
    if (!is_last) {
        note_again(lookout, happening, changes);
        return PR_OK;
    }
    return note_seen(lookout, happening, changes);
}

static void leave(struct happening *happening)
{
    if (happening->message != NULL && happening->result == PR_OK) {
        rules_noted(happening->message);
    }
    message_free(happening->message);
    happening->message = NULL;
}

/* The words of what failed before stay. */
static pr_status note_all(struct lookout *lookout, size_t first, size_t end,
                          const struct state_lookout *position)
{
    struct session *session = lookout->session;
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    for (size_t i = first; status == PR_OK && i < end; i++) {
        status = note_one(lookout, lookout->happenings[i], changes);
    }
    if (status != PR_OK) {
        state_drop(changes);
        return status;
    }
    if (position != NULL && !lookout->is_pending) {
        state_look(changes, session->record.id, position);
    }
    if (position != NULL && lookout->count > 0) {
        int64_t now = time(NULL);
        state_prune_sightings(changes, session->record.id,
                              session->account->name, session->folder,
                              now - GONE_AGE, now - EXPECTED_AGE);
    }
    crash_point("hooks: before they are noted");
    status = state_commit(changes);
    for (size_t i = first; status == PR_OK && i < end; i++) {
        leave(lookout->happenings[i]);
    }
    return status;
}

/* ---- The way through ----------------------------------------------------- */

static pr_status finish(struct lookout *lookout, size_t first, size_t end,
                        const struct state_lookout *position)
{
    bool stands =
        position == NULL || position->modseq == lookout->record.modseq;
    if (first == end && stands) {
        return PR_OK;
    }
    pr_shield_begin();
    pr_status status = carry_out(lookout, first, end);
    if (status == PR_OK) {
        status = note_all(lookout, first, end, position);
    }
    pr_shield_end();
    return status;
}

/* What would be told. */
static pr_status show_all(struct lookout *lookout)
{
    const struct config *config = lookout->session->engine->config;
    for (size_t i = 0; i < lookout->count; i++) {
        struct happening *happening = lookout->happenings[i];
        struct teller teller = {.lookout = lookout, .happening = happening};
        if (happening->kind == 0) {
            continue;
        }
        pr_status status = make_message(&teller);
        if (status == PR_OK) {
            status = describe(&teller);
        }
        if (status != PR_OK) {
            return status;
        }
        happening->hook = hooks_find(config, happening->message, &teller.event);
        if (happening->hook.name != NULL) {
            report(lookout, happening, NULL, "planned");
        }
        happening->message->owner = NULL;
    }
    return PR_OK;
}

pr_status hooks_tell(struct lookout *lookout,
                     const struct state_lookout *position)
{
    size_t first = 0, end = 0;
    pr_time start = pr_now();
    pr_status status = PR_OK;
    if (lookout->session->engine->dry_run) {
        return show_all(lookout);
    }
    while (status == PR_OK && end < lookout->count) {
        struct happening *happening = lookout->happenings[end];
        if (account_is_stopping(lookout->session->run)) {
            status = pr_fail(PR_CANCELLED, "asked to stop");
            break;
        }
        status = happening->kind == 0 ? PR_OK : tell_one(lookout, happening);
        if (status != PR_OK) {
            break;
        }
        end++;
        session_step(lookout->session);
        if (end - first >= TOLD_MOST || pr_now() - start >= TOLD_MS) {
            status = finish(lookout, first, end, NULL);
            first = end;
            start = pr_now();
        }
    }
    struct pr_failure failure = *pr_last_failure();
    pr_status finished =
        finish(lookout, first, end, end == lookout->count ? position : NULL);
    lookout->session->run->deleted += lookout->deleted;
    return status == PR_OK ? finished : pr_fail(status, "%s", failure.text);
}

/* ---- Our own doing ------------------------------------------------------- */

void session_note_own(struct session *session, struct state_changes *changes,
                      const struct pr_deed *deed)
{
    const char *account = session->account->name;
    int64_t folder = session->record.id;
    uint32_t uid = deed->item->uid;
    if (deed->result != PR_OK || session->engine->config->hook_count == 0 ||
        hooks_of_account(session->engine->config, account) == 0) {
        return;
    }
    if (deed->copy_to != NULL) {
        state_expect_row(changes, account, folder_name(deed->copy_to), folder,
                         uid);
    }
    if (deed->move_to != NULL) {
        state_expect_row(changes, account, folder_name(deed->move_to), folder,
                         uid);
    }
    if (deed->move_to != NULL || deed->remove) {
        state_unsee(changes, folder, uid);
    } else {
        state_see_own_flags(changes, folder, uid, &deed->set, &deed->clear);
    }
}
