/*
 * The list of what rules decided, and its words for people.
 *
 * An entry and its texts are copied into the plan's arena, so that what a rule
 * said outlives the rule. Nothing is ever taken out of a plan.
 */
#include "config.h"

#include "mail/plan.h"

#include <string.h>

#include <postrider/plugin.h>

#define ENTRIES_MAX 1000
#define NOTES_MAX 500 /* entries after which there are no more notes */

static const char *const names[] = {
    [PLAN_DELIVER] = "deliver",
    [PLAN_MOVE] = "move",
    [PLAN_DELETE] = "delete",
    [PLAN_LEAVE] = "leave",
    [PLAN_DISCARD] = "discard",
    [PLAN_DEFER] = "defer",
    [PLAN_STOP] = "stop",
    [PLAN_COPY] = "copy",
    [PLAN_REDIRECT] = "redirect",
    [PLAN_COPY_TO] = "copy_to",
    [PLAN_FLAG] = "flag",
    [PLAN_UNFLAG] = "unflag",
    [PLAN_LABEL] = "label",
    [PLAN_UNLABEL] = "unlabel",
    [PLAN_SET_HEADER] = "set_header",
    [PLAN_ADD_HEADER] = "add_header",
    [PLAN_REMOVE_HEADER] = "remove_header",
    [PLAN_TAG] = "tag",
    [PLAN_SCORE] = "score",
    [PLAN_NOTE] = "note",
    [PLAN_SAVE] = "save",
    [PLAN_REPLY] = "reply",
};

void plan_init(struct plan *plan, struct pr_arena *arena)
{
    *plan = (struct plan){.arena = arena};
}

bool plan_action_is_final(enum plan_action action)
{
    return action <= PLAN_STOP;
}

const char *plan_action_name(enum plan_action action)
{
    return names[action];
}

const struct plan_entry *plan_final(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan_action_is_final(plan->entries[i].action))
            return &plan->entries[i];
    return NULL;
}

const struct plan_entry *plan_find(const struct plan *plan,
                                   enum plan_action action)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i].action == action)
            return &plan->entries[i];
    return NULL;
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

/* One m:deliver(a, b) makes an entry for each place: are both of it? */
static bool is_same_delivery(const struct plan_entry *a,
                             const struct plan_entry *b)
{
    return a->action == PLAN_DELIVER && b->action == PLAN_DELIVER &&
           a->line == b->line && is_same_text(a->rule, b->rule) &&
           is_same_text(a->file, b->file);
}

static pr_status check_entry(const struct plan *plan,
                             const struct plan_entry *entry)
{
    bool is_note = entry->action == PLAN_NOTE;

    if (!plan_action_is_final(entry->action) &&
        plan->count >= (is_note ? NOTES_MAX : ENTRIES_MAX))
        return pr_fail(PR_LIMIT, "rules asked for more than %d actions",
                       is_note ? NOTES_MAX : ENTRIES_MAX);
    const struct plan_entry *reply =
        entry->action == PLAN_REPLY ? plan_find(plan, PLAN_REPLY) : NULL;
    if (reply != NULL)
        return pr_fail(PR_SCRIPT,
                       "reply after reply (rule \"%s\", line %d): a message "
                       "is answered once",
                       reply->rule != NULL ? reply->rule : "", reply->line);
    if (!plan_action_is_final(entry->action))
        return PR_OK;
    const struct plan_entry *final = plan_final(plan);
    if (final == NULL || is_same_delivery(final, entry))
        return PR_OK;
    return pr_fail(PR_SCRIPT,
                   "%s after %s (rule \"%s\", line %d): a message has one "
                   "final action",
                   plan_action_name(entry->action),
                   plan_action_name(final->action),
                   final->rule != NULL ? final->rule : "", final->line);
}

static pr_status make_room(struct plan *plan)
{
    struct plan_entry *entries =
        pr_arena_grow(plan->arena, plan->entries, plan->count, &plan->allocated,
                      sizeof *entries);
    if (entries == NULL)
        return PR_NOMEM;
    plan->entries = entries;
    return PR_OK;
}

/* Puts a copy of *text in its place; NULL stays. */
static bool keep_text(struct pr_arena *arena, const char **text)
{
    if (*text != NULL)
        *text = pr_arena_text(arena, *text);
    return *text != NULL;
}

static pr_status copy_reply(struct pr_arena *arena, const struct reply **reply)
{
    struct reply *copy = pr_arena_alloc(arena, sizeof *copy);
    if (copy == NULL)
        return PR_NOMEM;
    *copy = **reply;
    const char **texts[] = {
        &copy->to,         &copy->from, &copy->subject, &copy->in_reply_to,
        &copy->references, &copy->text, &copy->mime,    &copy->handle};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i] != NULL && !keep_text(arena, texts[i]))
            return PR_NOMEM;
    *reply = copy;
    return PR_OK;
}

static pr_status copy_entry(struct pr_arena *arena,
                            const struct plan_entry *entry,
                            struct plan_entry *copy)
{
    *copy = *entry;
    const char **texts[] = {&copy->rule, &copy->file,  &copy->target.folder,
                            &copy->text, &copy->value, &copy->folder};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i] != NULL && !keep_text(arena, texts[i]))
            return PR_NOMEM;
    return copy->reply != NULL ? copy_reply(arena, &copy->reply) : PR_OK;
}

pr_status plan_add(struct plan *plan, const struct plan_entry *entry)
{
    pr_status status = check_entry(plan, entry);
    if (status == PR_OK)
        status = make_room(plan);
    if (status != PR_OK)
        return status;
    status = copy_entry(plan->arena, entry, &plan->entries[plan->count]);
    if (status != PR_OK)
        return status;
    plan->count++;
    if (plan_action_is_final(entry->action))
        plan->is_final = true;
    return PR_OK;
}

/* ---- Words ------------------------------------------------------------- */

static pr_status describe_target(const struct target *target,
                                 struct pr_buffer *buffer)
{
    const char *sink = target->sink != NULL ? target->sink->name : "nowhere";
    const char *folder = target->folder != NULL ? target->folder : "";
    return pr_buffer_printf(buffer, "%s%s%s", sink, *folder != '\0' ? "/" : "",
                            folder);
}

static pr_status describe_delay(uint64_t ms, struct pr_buffer *buffer)
{
    static const struct {
        uint64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ms != 0 && ms % units[i].ms == 0)
            return pr_buffer_printf(buffer, "%llu%s",
                                    (unsigned long long)(ms / units[i].ms),
                                    units[i].unit);
    return pr_buffer_printf(buffer, "%llums", (unsigned long long)ms);
}

static pr_status describe_object(const struct plan_entry *entry,
                                 struct pr_buffer *buffer)
{
    const char *text = entry->text != NULL ? entry->text : "";
    const char *value = entry->value != NULL ? entry->value : "";
    pr_status status;

    switch (entry->action) {
    case PLAN_DELIVER:
    case PLAN_COPY:
        status = pr_buffer_add_text(buffer, " to ");
        return status != PR_OK ? status
                               : describe_target(&entry->target, buffer);
    case PLAN_REDIRECT:
        return pr_buffer_printf(buffer, " to %s", entry->target.folder);
    case PLAN_REPLY:
        return pr_buffer_printf(buffer, " to %s: %s", entry->reply->to,
                                entry->reply->subject);
    case PLAN_MOVE:
        return pr_buffer_printf(buffer, " to %s", text);
    case PLAN_DEFER:
        status = pr_buffer_add_text(buffer, " for ");
        return status != PR_OK ? status : describe_delay(entry->delay, buffer);
    case PLAN_SET_HEADER:
    case PLAN_ADD_HEADER:
    case PLAN_TAG:
        return pr_buffer_printf(buffer, " %s: %s", text, value);
    case PLAN_SCORE:
        return pr_buffer_printf(buffer, " %+g%s%s", entry->score,
                                *text != '\0' ? " " : "", text);
    case PLAN_SAVE:
        return pr_buffer_printf(buffer, " part %s as %s/%s", value,
                                entry->folder, text);
    case PLAN_DELETE:
    case PLAN_LEAVE:
    case PLAN_STOP:
        return PR_OK;
    case PLAN_LABEL:
    case PLAN_UNLABEL:
        return *value == '\0'
                   ? pr_buffer_printf(buffer, " %s", text)
                   : pr_buffer_printf(buffer, " %s (%s)", text, value);
    case PLAN_DISCARD:
    case PLAN_COPY_TO:
    case PLAN_FLAG:
    case PLAN_UNFLAG:
    case PLAN_REMOVE_HEADER:
    case PLAN_NOTE:
        break;
    }
    return pr_buffer_printf(buffer, "%s%s", *text != '\0' ? " " : "", text);
}

static pr_status describe_origin(const struct plan_entry *entry,
                                 struct pr_buffer *buffer)
{
    if (entry->rule == NULL)
        return PR_OK;
    if (entry->file == NULL)
        return pr_buffer_printf(buffer, " (%s)", entry->rule);
    return pr_buffer_printf(buffer, " (rule \"%s\", %s:%d)", entry->rule,
                            entry->file, entry->line);
}

pr_status plan_describe(const struct plan_entry *entry,
                        struct pr_buffer *buffer)
{
    size_t before = buffer->size;
    pr_status status =
        pr_buffer_add_text(buffer, plan_action_name(entry->action));
    if (status == PR_OK)
        status = describe_object(entry, buffer);
    if (status == PR_OK)
        status = describe_origin(entry, buffer);
    if (status != PR_OK && buffer->data != NULL) {
        buffer->size = before;
        buffer->data[before] = '\0';
    }
    return status;
}
