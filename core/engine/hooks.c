/*
 * Hooks run over what happened.
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
    struct session *session = teller->lookout->session;
    session->line->thinks = false;
    pr_status status = fetch_one(session, &teller->happening->item, want, ret);
    session->line->thinks = true;
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
    message->has_labels = source_has_labels(lookout->session->source);
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
    struct session *session = teller->lookout->session;
    struct pr_scope scope;
    pr_scope_init(&scope);
    session->line->thinks = true;
    pr_status status =
        pr_spawn(&scope, session->folder, PR_STACK_RULE, run_hooks, teller);
    pr_status joined = pr_scope_join(&scope);
    session->line->thinks = false;
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
        case PLAN_LABEL:
            status = labels_add(arena, &deed->label, entry->text);
            break;
        case PLAN_UNLABEL:
            status = labels_add(arena, &deed->unlabel, entry->text);
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
    pr_status status = hooks_carry_out(lookout, first, end);
    if (status == PR_OK) {
        status = hooks_note(lookout, first, end, position);
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
            hooks_report(lookout, happening, NULL, "planned");
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
