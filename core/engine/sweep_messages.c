/*
 * A step of a sweep over messages.
 *
 * A message that went with one step, or with which one failed, is no part of
 * the later ones. What the state knows of a message goes along with it: so what
 * was delivered is not fetched again where it went, and our own doing is no
 * event for hooks.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "base/memory.h"
#include "engine/sweeps.h"
#include "mail/flags.h"
#include "mail/ranges.h"
#include "state/guard.h"
#include "state/sweeps.h"

/* Messages that are asked for, and noted, together. */
#define DEEDS_MOST 20000
/* Octets of ranges that one search finds. */
#define UNLIKE_MOST ((size_t)64 * 1024 * 1024)

/* A step over the messages that are left for it. */
struct stride {
    struct visit *visit;
    const struct sweep_step *step;
    struct pr_arena *arena; /* owned */
    struct pr_range *uids;  /* tidy */
    size_t count;
    struct state_row *rows; /* what the state knows, by ascending UID */
    size_t row_count;
    bool knows_rows; /* they are those of the folder as it is */
    struct state_folder target;
    bool has_target; /* messages are known there, too */
    uint64_t done;
    pr_status failure; /* of the first message that was not done */
};

/* ---- Which messages are left --------------------------------------------- */

static pr_status add_to(struct visit *visit, struct pr_range **set,
                        size_t *count, const struct pr_range *more,
                        size_t more_count)
{
    struct pr_range *both =
        pr_arena_array(visit->arena, *count + more_count + 1, sizeof(*both));
    if (both == NULL) {
        return PR_NOMEM;
    }
    *count = ranges_union(*set, *count, more, more_count, both);
    *set = both;
    return PR_OK;
}

static pr_status find_left(struct stride *stride)
{
    const struct visit *visit = stride->visit;
    const struct sweep_step *step = stride->step;
    size_t most = step->uid_count + visit->gone_count + visit->failed_count + 1;
    struct pr_range *left = pr_arena_array(stride->arena, most, sizeof(*left));
    stride->uids = pr_arena_array(stride->arena, most, sizeof(*stride->uids));
    if (left == NULL || stride->uids == NULL) {
        return PR_NOMEM;
    }
    size_t count = ranges_without(step->uids, step->uid_count, visit->gone,
                                  visit->gone_count, left);
    stride->count = ranges_without(left, count, visit->failed,
                                   visit->failed_count, stride->uids);
    return PR_OK;
}

static pr_status note_unlike(void *user, struct pr_range uids)
{
    return pr_buffer_add(user, &uids, sizeof(uids));
}

/* Leaves out what is flagged so already: it is not changed, and undo is not to
 * change it back. */
static pr_status leave_alike(struct stride *stride)
{
    struct visit *visit = stride->visit;
    const struct sweep_step *step = stride->step;
    struct pr_flags flags = {0};
    struct pr_buffer found = {.cap = UNLIKE_MOST};
    if (step->action != SWEEP_FLAG && step->action != SWEEP_UNFLAG) {
        return PR_OK;
    }
    pr_status status = flags_add(stride->arena, &flags, step->text);
    const struct pr_search_key key = {
        .by = flags.system != 0 ? PR_SEARCH_FLAG : PR_SEARCH_KEYWORD,
        .is_not = step->action == SWEEP_FLAG,
        .flag = flags.system,
        .text = flags.keywords,
    };
    if (status == PR_OK) {
        status = visit_note(
            visit, visit_source(visit)->search(visit->session.source, &key, 1,
                                               note_unlike, &found));
    }
    struct pr_range *unlike = (struct pr_range *)(void *)found.data;
    size_t count = found.size / sizeof(*unlike);
    struct pr_range *left =
        pr_arena_array(stride->arena, stride->count + count + 1, sizeof(*left));
    if (status == PR_OK && left == NULL) {
        status = PR_NOMEM;
    }
    if (status == PR_OK) {
        count = ranges_tidy(unlike, count);
        stride->count =
            ranges_common(stride->uids, stride->count, unlike, count, left);
        stride->uids = left;
    }
    pr_buffer_done(&found);
    return status;
}

/* ---- What is known of them ----------------------------------------------- */

static const struct state_row *find_row(const struct stride *stride,
                                        uint32_t uid)
{
    size_t low = 0, high = stride->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stride->rows[middle].uid < uid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < stride->row_count && stride->rows[low].uid == uid
               ? &stride->rows[low]
               : NULL;
}

static bool is_dealt_with(const struct stride *stride, uint32_t uid)
{
    const struct state_row *row = find_row(stride, uid);
    if (!stride->knows_rows) {
        return false;
    }
    return row != NULL ? row->stage == STAGE_SETTLED || row->stage == STAGE_OWED
                       : uid < stride->visit->session.record.watermark;
}

static pr_status load_rows(struct stride *stride)
{
    const struct session *session = &stride->visit->session;
    stride->knows_rows =
        session->record.uidvalidity != 0 &&
        session->record.uidvalidity == session->mailbox.uidvalidity;
    return stride->knows_rows
               ? state_all_rows(session->engine->state, session->record.id,
                                stride->arena, &stride->rows,
                                &stride->row_count)
               : PR_OK;
}

static bool is_fetched_from(const struct account *account, const char *folder)
{
    return pr_folder_matches(account->folders, folder, '/');
}

/* The folder that they go to, if the account fetches from it: there they are to
 * be known, too. */
static pr_status find_target(struct stride *stride)
{
    const struct session *session = &stride->visit->session;
    const struct sweep_step *step = stride->step;
    bool goes = step->action == SWEEP_MOVE || step->action == SWEEP_COPY_TO;
    if (!goes || !is_fetched_from(session->account, folder_name(step->text))) {
        return PR_OK;
    }
    stride->has_target = true;
    return state_folder(session->engine->state, session->account->name,
                        folder_name(step->text), &stride->target);
}

/* A folder that was just made is fetched from its beginning: what we put there
 * must be known before that. */
static bool prepare_target(struct stride *stride, struct state_changes *changes,
                           uint32_t validity)
{
    if (!stride->has_target || validity == 0) {
        return false;
    }
    if (stride->target.uidvalidity == 0 &&
        stride->visit->session.account->start == START_ALL) {
        state_new_validity(changes, stride->target.id, validity);
        stride->target.uidvalidity = validity;
    }
    return stride->target.uidvalidity == validity;
}

static void note_in_target(struct stride *stride, struct state_changes *changes,
                           const struct pr_deed *deed)
{
    const struct state_row *known = find_row(stride, deed->item->uid);
    if (deed->target_uid == 0 || !is_dealt_with(stride, deed->item->uid) ||
        !prepare_target(stride, changes, deed->target_validity)) {
        return;
    }
    struct state_row row = {.uid = deed->target_uid, .stage = STAGE_SETTLED};
    if (known != NULL) {
        row.size = known->size;
        row.received = known->received;
        memcpy(row.print, known->print, sizeof(row.print));
    }
    state_safe(changes, stride->target.id, &row);
}

/* ---- Asking the server --------------------------------------------------- */

static pr_status fill_deed(const struct stride *stride, struct pr_deed *deed)
{
    const struct sweep_step *step = stride->step;
    deed->result = PR_CANCELLED;
    switch (step->action) {
    case SWEEP_FLAG:
        return flags_add(stride->arena, &deed->set, step->text);
    case SWEEP_UNFLAG:
        return flags_add(stride->arena, &deed->clear, step->text);
    case SWEEP_LABEL:
        deed->label = step->text;
        return PR_OK;
    case SWEEP_UNLABEL:
        deed->unlabel = step->text;
        return PR_OK;
    case SWEEP_COPY_TO:
        deed->copy_to = step->text;
        return PR_OK;
    case SWEEP_MOVE:
        deed->move_to = step->text;
        return PR_OK;
    default:
        deed->remove = true;
        return PR_OK;
    }
}

static void note_history(const struct stride *stride,
                         struct state_changes *changes, uint32_t uid)
{
    const struct visit *visit = stride->visit;
    const struct state_event event = {
        .time = time(NULL),
        .account = visit->session.account->name,
        .folder = visit->session.folder,
        .uid = uid,
        .action = sweep_action_name(stride->step->action),
        .target = stride->step->text,
        .rule = visit->sweep->name,
        .file = stride->step->file,
        .line = stride->step->line,
        .outcome = "done",
    };
    state_history(changes, &event);
}

static void note_done(struct stride *stride, struct state_changes *changes,
                      const struct pr_deed *deed)
{
    struct session *session = &stride->visit->session;
    bool goes = deed->move_to != NULL || deed->remove;
    session_note_deed(session, changes, deed, NULL);
    session_note_own(session, changes, deed);
    note_in_target(stride, changes, deed);
    note_history(stride, changes, deed->item->uid);
    if (goes && find_row(stride, deed->item->uid) != NULL) {
        state_forget(changes, session->record.id, deed->item->uid);
    }
    stride->done++;
}

/* Collects which of them went and which failed. */
static pr_status note_deeds(struct stride *stride, const struct pr_deed *deeds,
                            size_t count, struct state_changes *changes)
{
    struct visit *visit = stride->visit;
    struct pr_range *done =
        pr_arena_array(stride->arena, count + 1, sizeof(*done));
    struct pr_range *failed =
        pr_arena_array(stride->arena, count + 1, sizeof(*failed));
    size_t done_count = 0, failed_count = 0;
    if (done == NULL || failed == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t uid = deeds[i].item->uid;
        struct pr_range one = {uid, uid};
        if (deeds[i].result == PR_OK) {
            note_done(stride, changes, &deeds[i]);
            done[done_count++] = one;
        } else {
            stride->failure = deeds[i].result;
            failed[failed_count++] = one;
        }
    }
    done_count = ranges_tidy(done, done_count);
    failed_count = ranges_tidy(failed, failed_count);
    pr_status status = PR_OK;
    if (stride->step->action == SWEEP_MOVE ||
        stride->step->action == SWEEP_DELETE) {
        status =
            add_to(visit, &visit->gone, &visit->gone_count, done, done_count);
    }
    return status == PR_OK ? add_to(visit, &visit->failed, &visit->failed_count,
                                    failed, failed_count)
                           : status;
}

static pr_status ask(struct stride *stride, struct pr_deed *deeds, size_t count)
{
    struct visit *visit = stride->visit;
    struct state_changes *changes;
    crash_point("sweep: before the server is asked");
    pr_status status =
        visit_note(visit, session_ask(&visit->session, deeds, count));
    struct pr_failure failure = *pr_last_failure();
    crash_point("sweep: before it is noted");
    pr_status noted = state_begin(visit->session.engine->state, &changes);
    if (noted == PR_OK) {
        noted = note_deeds(stride, deeds, count, changes);
        if (noted == PR_OK) {
            noted = state_commit(changes);
        } else {
            state_drop(changes);
        }
    }
    return status == PR_OK ? noted : pr_fail(status, "%s", failure.text);
}

/* Walks over the UIDs of a stride. */
struct walk {
    size_t range;
    uint32_t next; /* 0: the first of the range */
};

static bool take_uid(const struct stride *stride, struct walk *walk,
                     uint32_t *ret)
{
    if (walk->range == stride->count) {
        return false;
    }
    const struct pr_range *range = &stride->uids[walk->range];
    *ret = walk->next != 0 ? walk->next : range->first;
    if (*ret == range->last) {
        walk->range++;
        walk->next = 0;
    } else {
        walk->next = *ret + 1;
    }
    return true;
}

static pr_status ask_for_all(struct stride *stride)
{
    uint64_t size = ranges_size(stride->uids, stride->count);
    size_t room = size < DEEDS_MOST ? (size_t)size : DEEDS_MOST;
    struct pr_deed *deeds = memory_zeroed(room + 1, sizeof(*deeds));
    struct pr_item *items = memory_zeroed(room + 1, sizeof(*items));
    struct walk walk = {0};
    pr_status status = deeds == NULL || items == NULL ? PR_NOMEM : PR_OK;
    for (bool is_more = true; status == PR_OK && is_more;) {
        size_t count = 0;
        uint32_t uid = 0;
        while (count < room && (is_more = take_uid(stride, &walk, &uid))) {
            items[count] = (struct pr_item){.uid = uid};
            deeds[count] = (struct pr_deed){.item = &items[count]};
            status = fill_deed(stride, &deeds[count++]);
        }
        if (status == PR_OK && count > 0) {
            status = ask(stride, deeds, count);
        }
    }
    memory_free(deeds);
    memory_free(items);
    return status;
}

/* ---- Deletions ----------------------------------------------------------- */

/* A folder that is not fetched has no record of its messages: a first visit
 * begins anew there. */
static pr_status note_validity(struct session *session)
{
    struct state_changes *changes;
    uint32_t validity = session->mailbox.uidvalidity;
    if (session->record.uidvalidity == validity) {
        return PR_OK;
    }
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_new_validity(changes, session->record.id, validity);
    state_watermark(changes, session->record.id, 0);
    session->record.uidvalidity = validity;
    session->record.watermark = 0;
    return state_commit(changes);
}

/* They are debts, of which it is judged whether they are too many. */
static pr_status note_counted(struct stride *stride)
{
    struct visit *visit = stride->visit;
    struct state_changes *changes;
    struct walk walk = {0};
    uint32_t uid = 0;
    pr_status status = state_begin(visit->session.engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    while (take_uid(stride, &walk, &uid)) {
        const struct state_row *known = find_row(stride, uid);
        struct state_row row = {.uid = uid};
        if (known != NULL && known->stage == STAGE_INTENT) {
            continue; /* it is not known yet whether it is delivered */
        }
        if (known != NULL) {
            row = *known;
        }
        row.stage = STAGE_OWED;
        row.debt = (struct state_debt){.remove = true,
                                       .guard = GUARD_COUNTED,
                                       .rule = visit->sweep->name,
                                       .file = stride->step->file,
                                       .line = stride->step->line};
        state_safe(changes, visit->session.record.id, &row);
    }
    return state_commit(changes);
}

static pr_status delete_judged(struct stride *stride, bool are_allowed)
{
    struct visit *visit = stride->visit;
    pr_status status = note_validity(&visit->session);
    if (status == PR_OK) {
        status = note_counted(stride);
    }
    if (status == PR_OK) {
        status = visit_note(visit, session_judge(&visit->session));
    }
    if (status == PR_OK) {
        status = add_to(visit, &visit->gone, &visit->gone_count, stride->uids,
                        stride->count);
    }
    if (status == PR_OK && are_allowed) {
        stride->done = ranges_size(stride->uids, stride->count);
    }
    return status;
}

/* ---- A step over messages ------------------------------------------------ */

static pr_status take_stride(struct stride *stride)
{
    struct visit *visit = stride->visit;
    const struct sweep_step *step = stride->step;
    struct session *session = &visit->session;
    uint64_t size = ranges_size(stride->uids, stride->count);
    bool is_judged = step->action == SWEEP_DELETE &&
                     (session->account->deletions.messages > 0 ||
                      session->account->deletions.percent > 0);
    bool are_allowed =
        !is_judged ||
        deletions_are_allowed(session->account, size, session->run->deleted,
                              session->mailbox.exists);
    if (session->engine->dry_run) {
        visit_report(visit, step, stride->uids, stride->count, size, "planned",
                     are_allowed ? NULL : visit_held_words);
        if (are_allowed && is_judged) {
            session->run->deleted += size;
        }
        bool goes = step->action == SWEEP_MOVE || step->action == SWEEP_DELETE;
        return goes ? add_to(visit, &visit->gone, &visit->gone_count,
                             stride->uids, stride->count)
                    : PR_OK;
    }
    pr_status status = load_rows(stride);
    if (status == PR_OK) {
        status = find_target(stride);
    }
    pr_shield_begin();
    if (status == PR_OK) {
        status = is_judged ? delete_judged(stride, are_allowed)
                           : ask_for_all(stride);
    }
    pr_shield_end();
    visit->messages += stride->done;
    if (status != PR_OK || stride->failure != PR_OK) {
        if (status == PR_OK) {
            (void)pr_fail(stride->failure,
                          "the server did not do it for all messages (%s)",
                          pr_status_name(stride->failure));
        }
        visit_fail_step(visit, step, stride->uids, stride->count,
                        status != PR_OK ? status : stride->failure);
        return status;
    }
    visit_report(visit, step, stride->uids, stride->count, size,
                 are_allowed ? "done" : "held",
                 are_allowed ? NULL : visit_held_words);
    return PR_OK;
}

pr_status visit_act_on_messages(struct visit *visit,
                                const struct sweep_step *step)
{
    struct stride stride = {
        .visit = visit, .step = step, .arena = pr_arena_new()};
    if (stride.arena == NULL) {
        return PR_NOMEM;
    }
    pr_status status = find_left(&stride);
    if (status == PR_OK && stride.count > 0) {
        status = leave_alike(&stride);
        if (status != PR_OK) {
            visit_fail_step(visit, step, stride.uids, stride.count, status);
            status = visit->broken.status;
            stride.count = 0;
        }
    }
    if (status == PR_OK && stride.count > 0) {
        status = take_stride(&stride);
    }
    pr_arena_free(stride.arena);
    return status;
}
