/*
 * From a message to a decision: the rules run and leave a plan, the plan
 * becomes places to deliver to and a debt to the server.
 */
#include "config.h"

#include <string.h>
#include <time.h>

#include "engine/parts.h"
#include "mail/flags.h"
#include "mail/print.h"
#include "mail/reply.h"
#include "mail/spool.h"

/* A label that a rule chose is a keyword of the copy, as it is one on servers
 * without labels. The server's own, such as \Important, begin with a backslash
 * and are nothing elsewhere. */
static pr_status add_label(struct letter *letter, const char *label,
                           struct pr_flags *flags)
{
    char keyword[KEYWORD_SIZE];
    if (label[0] == '\\') {
        return PR_OK;
    }
    keyword_of(label, keyword);
    return flags_add(letter->message->arena, flags, keyword);
}

/* The flags of a delivered copy: the server's, changed as the rules say. */
static pr_status mark_copy(struct letter *letter)
{
    const struct plan *plan = &letter->message->plan;
    struct pr_flags set = letter->row.debt.set;
    struct pr_flags clear = letter->row.debt.clear;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        pr_status status = PR_OK;
        if (entry->action == PLAN_LABEL) {
            status = add_label(letter, entry->text, &set);
        } else if (entry->action == PLAN_UNLABEL) {
            status = add_label(letter, entry->text, &clear);
        }
        if (status != PR_OK) {
            return status;
        }
    }
    return flags_change(letter->message->arena, &letter->entry->item.flags,
                        &set, &clear, &letter->flags);
}

static pr_status add_target(struct letter *letter, const struct target *target)
{
    for (size_t i = 0; i < letter->target_count; i++) {
        if (letter->targets[i].sink == target->sink &&
            strcmp(letter->targets[i].folder, target->folder) == 0) {
            return PR_OK;
        }
    }
    struct target *more = pr_arena_array(
        letter->message->arena, letter->target_count + 1, sizeof(*more));
    if (more == NULL) {
        return PR_NOMEM;
    }
    if (letter->target_count > 0) {
        memcpy(more, letter->targets, letter->target_count * sizeof(*more));
    }
    more[letter->target_count++] = *target;
    letter->targets = more;
    return PR_OK;
}

bool letter_is_reply(const struct letter *letter, const struct target *target)
{
    return letter->reply != NULL &&
           target == &letter->targets[letter->reply_target];
}

/* The answer goes beside the copies, to a place of its own. */
static pr_status add_reply(struct letter *letter,
                           const struct plan_entry *entry)
{
    letter->reply = entry->reply;
    letter->reply_target = letter->target_count;
    return add_target(letter, &entry->target);
}

static pr_status add_copy_to(struct letter *letter, const char *folder)
{
    struct state_debt *debt = &letter->row.debt;
    debt->copy_to = debt->copy_to == NULL
                        ? folder
                        : pr_arena_printf(letter->message->arena, "%s\n%s",
                                          debt->copy_to, folder);
    return debt->copy_to == NULL ? PR_NOMEM : PR_OK;
}

/* What the account does with a message that is safe here. */
static void settle_by_account(struct letter *letter)
{
    const struct account *account = letter->session->account;
    struct state_debt *debt = &letter->row.debt;
    switch (account->after) {
    case AFTER_KEEP:
        break;
    case AFTER_SEEN:
        debt->set.system |= PR_FLAG_SEEN;
        break;
    case AFTER_DELETE:
        debt->remove = true;
        break;
    case AFTER_DELETE_LATER:
        debt->remove = true;
        debt->due = time(NULL) + (int64_t)(account->after_delay / 1000);
        break;
    case AFTER_MOVE:
        debt->move_to = account->after_folder;
        break;
    }
}

static pr_status take_default(struct letter *letter)
{
    const struct account *account = letter->session->account;
    for (size_t i = 0; i < account->deliver_count; i++) {
        pr_status status = add_target(letter, &account->deliver[i]);
        if (status != PR_OK) {
            return status;
        }
    }
    settle_by_account(letter);
    return PR_OK;
}

/* It goes because a rule says so, and not because it is delivered: the limit
 * on deletions is asked first. */
static void guard_removal(struct letter *letter)
{
    struct state_debt *debt = &letter->row.debt;
    const struct plan_entry *final = letter->final;
    if (!debt->remove) {
        return;
    }
    debt->guard = GUARD_COUNTED;
    debt->rule = final->rule;
    debt->file = final->file;
    debt->line = final->line;
}

static pr_status take_final(struct letter *letter)
{
    const struct plan_entry *final = letter->final;
    if (final == NULL || final->action == PLAN_STOP) {
        return take_default(letter);
    }
    switch (final->action) {
    case PLAN_DELIVER: /* its targets were added with all others */
        settle_by_account(letter);
        return PR_OK;
    case PLAN_DISCARD:
        settle_by_account(letter);
        guard_removal(letter);
        return PR_OK;
    case PLAN_MOVE:
        letter->row.debt.move_to = final->text;
        return PR_OK;
    case PLAN_DELETE:
        letter->row.debt.remove = true;
        guard_removal(letter);
        return PR_OK;
    case PLAN_DEFER:
        letter->is_put_off = true;
        letter->trouble = "a rule deferred it";
        letter->row.due = time(NULL) + (int64_t)(final->delay / 1000);
        return PR_OK;
    default:
        return PR_OK;
    }
}

static pr_status take_entry(struct letter *letter,
                            const struct plan_entry *entry)
{
    struct pr_arena *arena = letter->message->arena;
    switch (entry->action) {
    case PLAN_DELIVER:
    case PLAN_COPY:
    case PLAN_REDIRECT:
        return add_target(letter, &entry->target);
    case PLAN_REPLY:
        return add_reply(letter, entry);
    case PLAN_COPY_TO:
        return add_copy_to(letter, entry->text);
    case PLAN_FLAG:
        return flags_add(arena, &letter->row.debt.set, entry->text);
    case PLAN_UNFLAG:
        return flags_add(arena, &letter->row.debt.clear, entry->text);
    case PLAN_LABEL:
        return labels_add(arena, &letter->row.debt.label, entry->text);
    case PLAN_UNLABEL:
        return labels_add(arena, &letter->row.debt.unlabel, entry->text);
    default:
        return PR_OK;
    }
}

static pr_status write_reply(struct letter *letter)
{
    if (letter->reply == NULL || letter->session->engine->dry_run) {
        return PR_OK;
    }
    return reply_write(letter->reply, letter->key, time(NULL),
                       letter->session->engine->config->state_dir,
                       &letter->reply_spool);
}

/* What is delivered must be here; then the header edits of the plan are made,
 * once for all copies. */
static pr_status prepare_copy(struct letter *letter)
{
    const struct plan *plan = &letter->message->plan;
    size_t copies = letter->target_count - (letter->reply != NULL);
    if (copies == 0 || letter->session->engine->dry_run) {
        return PR_OK;
    }
    pr_status status = message_whole(letter->message);
    if (status != PR_OK) {
        return status;
    }
    struct header_edit *edits =
        pr_arena_array(letter->message->arena, plan->count + 1, sizeof(*edits));
    if (edits == NULL) {
        return PR_NOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        if (entry->action < PLAN_SET_HEADER ||
            entry->action > PLAN_REMOVE_HEADER) {
            continue;
        }
        edits[count++] = (struct header_edit){
            entry->action == PLAN_SET_HEADER   ? HEADER_SET
            : entry->action == PLAN_ADD_HEADER ? HEADER_ADD
                                               : HEADER_REMOVE,
            entry->text, entry->value};
    }
    if (count == 0) {
        return PR_OK;
    }
    return spool_with_edits(letter->message->spool,
                            letter->session->engine->config->state_dir, edits,
                            count, &letter->edited);
}

/* A rule that asks for a folder of a source that has none is wrong, and says so
 * as any wrong rule does. */
static pr_status check_source_can(const struct letter *letter)
{
    const struct plan *plan = &letter->message->plan;
    const struct pr_class *source = letter->session->account->source;
    unsigned lacks = source->source->lacks;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        if (entry->action == PLAN_LEAVE && (lacks & PR_LACKS_STAY) != 0) {
            return pr_fail(PR_SCRIPT,
                           "%s:%d: rule \"%s\": a message from %s cannot be "
                           "left where it is; use m:deliver or m:discard",
                           entry->file, entry->line, entry->rule, source->name);
        }
        if ((entry->action == PLAN_MOVE || entry->action == PLAN_COPY_TO) &&
            (lacks & PR_LACKS_FOLDERS) != 0) {
            return pr_fail(PR_SCRIPT,
                           "%s:%d: rule \"%s\": a %s source has no folders to "
                           "move or copy to; use m:deliver",
                           entry->file, entry->line, entry->rule, source->name);
        }
    }
    return PR_OK;
}

static pr_status take_plan(struct letter *letter)
{
    const struct plan *plan = &letter->message->plan;
    letter->final = plan_final(plan);
    for (size_t i = 0; i < plan->count; i++) {
        pr_status status = take_entry(letter, &plan->entries[i]);
        if (status != PR_OK) {
            return status;
        }
    }
    struct state_debt *debt = &letter->row.debt;
    pr_status status = mark_copy(letter);
    if (status != PR_OK) {
        return status;
    }
    if ((letter->session->account->source->source->lacks & PR_LACKS_FLAGS) !=
        0) {
        debt->set = debt->clear = (struct pr_flags){0};
    }
    status = take_final(letter);
    if (letter->session->source->read_only) {
        *debt = (struct state_debt){0};
    }
    return status;
}

/* Puts the message aside with the words of the last failure. */
static void put_aside(struct letter *letter)
{
    letter->trouble =
        pr_arena_text(letter->message->arena, pr_last_failure()->text);
    if (letter->trouble == NULL) {
        letter->trouble = "out of memory";
    }
    letter->target_count = 0;
    letter->reply = NULL;
    letter->row.debt = (struct state_debt){0};
}

/* A rule failed: the message waits for another run of the rules, and after
 * three it is delivered as if there were none. */
static pr_status take_rule_failure(struct letter *letter)
{
    const struct session *session = letter->session;
    struct message *message = letter->message;
    pr_log(&session->log, PR_LOG_ERROR, "message %u: %s",
           letter->entry->item.uid, pr_last_failure()->text);
    if (letter->entry->rule_tries + 1 < RULE_TRIES) {
        put_aside(letter);
        letter->is_rule_failure = true;
        return PR_OK;
    }
    pr_log(&session->log, PR_LOG_WARNING,
           "message %u: its rules failed %d times, it goes to the account's "
           "`deliver`",
           letter->entry->item.uid, RULE_TRIES);
    plan_init(&message->plan, message->arena);
    letter->final = NULL;
    return take_default(letter);
}

static pr_status fill_row(struct letter *letter)
{
    const struct session *session = letter->session;
    const struct pr_item *item = &letter->entry->item;
    letter->flags = item->flags;
    letter->row.uid = item->uid;
    letter->row.uidl = item->uidl;
    letter->row.size = item->size;
    letter->row.received = item->received;
    pr_status status =
        mail_fingerprint(letter->message->spool, letter->row.print);
    if (status != PR_OK) {
        return status;
    }
    return mail_delivery_key(session->account->name, session->folder,
                             session->mailbox.uidvalidity, item->uid,
                             item->uidl, letter->key);
}

/* Writes the parts that rules want in files, before the message is taken for
 * dealt with. What a try before this one wrote is found and left alone. */
static pr_status save_parts(struct letter *letter)
{
    const struct plan *plan = &letter->message->plan;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        struct view *view = NULL;
        size_t part = 0;
        if (entry->action != PLAN_SAVE) {
            continue;
        }
        pr_status status =
            message_part(letter->message, entry->value, 0, &view, &part);
        if (status == PR_GONE && !letter->message->is_header_only) {
            continue; /* the server told of a part that it has not */
        }
        if (status == PR_OK) {
            status = view_part_save(view, part, entry->folder, entry->text);
        }
        if (status != PR_OK) {
            return status;
        }
    }
    return PR_OK;
}

pr_status decide(struct letter *letter)
{
    struct config *config = letter->session->engine->config;
    pr_status status = fill_row(letter);
    if (status == PR_OK &&
        is_known_after_all(letter->session, letter->entry, letter->row.print)) {
        letter->is_known = true;
        return PR_OK;
    }
    if (status == PR_OK && config->rule_count > 0) {
        status = rules_run(config, letter->message);
    }
    if (status == PR_OK) {
        status = check_source_can(letter);
    }
    if (status == PR_CANCELLED) {
        return status;
    }
    if (letter->fetch_result != PR_OK) {
        return letter->fetch_result;
    }
    if (status == PR_OK) {
        status = take_plan(letter);
    } else if (status == PR_SCRIPT) {
        status = take_rule_failure(letter);
    }
    if (status == PR_OK) { /* what is so already is not undone */
        status = flags_that_change(
            letter->message->arena, &letter->entry->item.flags,
            &letter->row.debt.set, &letter->row.debt.clear);
    }
    if (status == PR_OK && letter->trouble == NULL) {
        status = prepare_copy(letter);
    }
    if (status == PR_OK && letter->trouble == NULL) {
        status = write_reply(letter);
    }
    if (status == PR_OK && letter->trouble == NULL &&
        !letter->session->engine->dry_run) {
        status = save_parts(letter);
    }
    if (letter->fetch_result != PR_OK) {
        return letter->fetch_result;
    }
    if (status != PR_OK) {
        put_aside(letter);
    }
    return PR_OK;
}
