/*
 * One folder, from select to settle.
 *
 * A folder is worked on in slices of UIDs, so that the first run over a mailbox
 * of a million messages needs no more memory than one over a thousand. All that
 * a slice started has ended, and is durable, when the next one begins.
 */
#include <string.h>
#include <time.h>

#include "engine/parts.h"

/* Messages listed at a time. */
#define SLICE_MESSAGES 20000u

void session_fail(struct session *session, pr_status status)
{
    if (session->failure == PR_OK && status != PR_OK) {
        session->failure = status;
        memcpy(session->failure_text, pr_last_failure()->text,
               sizeof(session->failure_text));
    }
}

/* ---- What the state knows ------------------------------------------------ */

/* What a first run leaves alone is below the watermark. */
struct start_search {
    int64_t oldest;
    uint32_t first; /* the first UID that is young enough; 0: none yet */
    uint32_t last;  /* the last of all */
};

static pr_status look_for_start(void *user, const struct pr_item *item)
{
    struct start_search *search = user;
    if (search->first == 0 && item->received >= search->oldest) {
        search->first = item->uid;
    }
    search->last = item->uid;
    return PR_OK;
}

static pr_status first_uid_to_take(struct session *session, uint32_t *ret)
{
    const struct account *account = session->account;
    *ret = 1;
    if (account->start == START_ALL) {
        return PR_OK;
    }
    struct start_search search = {.oldest = INT64_MAX};
    if (account->start == START_RECENT) {
        search.oldest = time(NULL) - (int64_t)(account->start_age / 1000);
    }
    bool tells_next = session->mailbox.uidnext > 0;
    if (session->mailbox.exists > 0 &&
        (account->start == START_RECENT || !tells_next)) {
        struct pr_range all = {1, UINT32_MAX};
        pr_status status = account->source->source->list(
            session->source, &all, 1, look_for_start, &search);
        if (status != PR_OK) {
            return status;
        }
    }
    *ret = search.first != 0           ? search.first
           : tells_next                ? session->mailbox.uidnext
           : search.last == UINT32_MAX ? UINT32_MAX
                                       : search.last + 1;
    return PR_OK;
}

static pr_status first_visit(struct session *session)
{
    uint32_t first;
    pr_status status = first_uid_to_take(session, &first);
    if (status != PR_OK) {
        return status;
    }
    session->record.uidvalidity = session->mailbox.uidvalidity;
    session->record.watermark = first;
    if (session->engine->dry_run) {
        return PR_OK;
    }
    struct state_changes *changes;
    status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_new_validity(changes, session->record.id,
                       session->mailbox.uidvalidity);
    state_watermark(changes, session->record.id, first);
    return state_commit(changes);
}

static pr_status load_rows(struct session *session)
{
    return state_rows(session->engine->state, session->record.id,
                      session->record.watermark, session->arena, &session->rows,
                      &session->row_count);
}

/* Does the account still want messages to go some time after? If not, those
 * that wait for it stay. */
static bool may_be_removed(const struct session *session,
                           const struct state_debt *debt)
{
    enum after after = session->account->after;
    return debt->due == 0 || after == AFTER_DELETE ||
           after == AFTER_DELETE_LATER;
}

/* Debts of earlier runs that are due now. */
static pr_status queue_old_debts(struct session *session)
{
    if (session->source->read_only) {
        return PR_OK;
    }
    int64_t now = time(NULL);
    for (size_t i = 0; i < session->row_count; i++) {
        const struct state_row *row = &session->rows[i];
        if (row->stage != STAGE_OWED || !is_owing_at(&row->debt, now) ||
            !may_be_removed(session, &row->debt)) {
            continue;
        }
        struct pr_item item = {.uid = row->uid, .uidl = row->uidl};
        if (!session->has_uids) {
            item = session_listed(session, row->uid)->item;
        }
        pr_status status = session_owe(session, &item, &row->debt);
        if (status != PR_OK) {
            return status;
        }
    }
    return PR_OK;
}

/* Are the UIDs of the state those of the folder? UIDNEXT never decreases (RFC
 * 3501, 2.3.1.1) but when a folder was put back from a copy: new messages then
 * have UIDs that the watermark has passed. */
static bool is_numbered_anew(const struct session *session)
{
    const struct pr_mailbox *mailbox = &session->mailbox;
    return session->record.uidvalidity != mailbox->uidvalidity ||
           (mailbox->uidnext > 0 &&
            mailbox->uidnext < session->record.watermark);
}

/* What an undo moved back here is known. */
static pr_status take_back(struct session *session)
{
    size_t found;
    if (session->engine->dry_run) {
        return PR_OK;
    }
    pr_status status = undo_recover(session, NULL, &found);
    return status == PR_OK && found > 0 ? load_rows(session) : status;
}

/* Brings the state and the folder together before anything is fetched. */
static pr_status reconcile(struct session *session)
{
    pr_status status =
        state_folder(session->engine->state, session->account->name,
                     session->folder, &session->record);
    if (status != PR_OK) {
        return status;
    }
    session->has_uids = session->mailbox.uidvalidity != 0;
    if (!session->has_uids) {
        session->mailbox.uidvalidity = 1;
        status = identify(session);
        return status == PR_OK ? queue_old_debts(session) : status;
    }
    if (session->record.uidvalidity == 0 || session->record.watermark == 0) {
        status = first_visit(session);
    } else if (is_numbered_anew(session)) {
        status = rematch(session);
    }
    if (status == PR_OK && session->rows == NULL) {
        status = load_rows(session);
    }
    if (status == PR_OK) {
        status = take_back(session);
    }
    if (status == PR_OK && !session->engine->dry_run) {
        status = recover_intents(session, session->rows, session->row_count);
    }
    if (status == PR_OK) {
        status = queue_old_debts(session);
    }
    return status;
}

/* ---- Slices --------------------------------------------------------------
 */

static pr_status save_watermark(struct session *session)
{
    uint32_t mark = ledger_watermark(&session->ledger);
    if (mark <= session->record.watermark) {
        return PR_OK;
    }
    if (session->engine->dry_run) {
        session->record.watermark = mark;
        return PR_OK;
    }
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_watermark(changes, session->record.id, mark);
    session->record.watermark = mark;
    return state_commit(changes);
}

static pr_status work_slice(struct session *session,
                            const struct pr_range *retries, size_t count,
                            uint32_t first, uint32_t last)
{
    session->slice = pr_arena_new();
    if (session->slice == NULL) {
        return PR_NOMEM;
    }
    session->ledger =
        (struct ledger){.arena = session->slice,
                        .watermark = session->record.watermark,
                        .next_uid = first <= last && last < UINT32_MAX
                                        ? last + 1
                                        : session->record.watermark};
    pr_status status = session_list(session, retries, count, first, last);
    if (status == PR_OK && last == UINT32_MAX && session->ledger.count > 0) {
        struct entry *newest =
            session->ledger.entries[session->ledger.count - 1];
        if (newest->item.uid >= session->ledger.next_uid) {
            session->ledger.next_uid = newest->item.uid + 1;
        }
    }
    if (status == PR_OK) {
        status = session_fetch(session);
    }
    if (status == PR_OK) {
        status = save_watermark(session);
    }
    pr_arena_free(session->slice);
    session->slice = NULL;
    return status;
}

/* ---- The folder ---------------------------------------------------------- */

static pr_status collect_retries(struct session *session, struct pr_range **ret,
                                 size_t *ret_count)
{
    size_t count = 0;
    struct pr_range *ranges =
        pr_arena_array(session->arena, session->row_count + 1, sizeof(*ranges));
    if (ranges == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < session->row_count; i++) {
        const struct state_row *row = &session->rows[i];
        if (row->uid < session->record.watermark &&
            session_tries_again(session, row)) {
            ranges[count++] = (struct pr_range){row->uid, row->uid};
        }
    }
    *ret = ranges;
    *ret_count = count;
    return PR_OK;
}

/* A source without UIDs has one slice: all that is listed. */
static pr_status work_listed(struct session *session)
{
    pr_status status = PR_OK;
    session->slice = pr_arena_new();
    if (session->slice == NULL) {
        return PR_NOMEM;
    }
    session->ledger = (struct ledger){.arena = session->slice,
                                      .watermark = session->record.watermark,
                                      .next_uid = session->next_uid};
    for (size_t i = 0; status == PR_OK && i < session->listed_count; i++) {
        if (!session->listed[i].is_left) {
            status = session_note_item(session, &session->listed[i].item);
        }
    }
    session->engine->progress.expected += session->ledger.count;
    if (status == PR_OK) {
        status = session_note_listing(session, NULL, 0);
    }
    if (status == PR_OK) {
        status = session_fetch(session);
    }
    if (status == PR_OK) {
        status = save_watermark(session);
    }
    pr_arena_free(session->slice);
    session->slice = NULL;
    return status;
}

static bool is_at_limit(const struct session *session)
{
    uint64_t most = session->account->limit_messages;
    return most > 0 && session->asked >= most;
}

static pr_status work_folder(struct session *session)
{
    struct pr_range *retries = NULL;
    size_t count = 0;
    pr_status status = collect_retries(session, &retries, &count);
    uint32_t end = session->mailbox.uidnext > 0 ? session->mailbox.uidnext - 1
                                                : UINT32_MAX;
    if (session->mailbox.exists == 0 && end == UINT32_MAX) {
        end = 0;
    }
    uint32_t width =
        session->mailbox.exists > SLICE_MESSAGES && end != UINT32_MAX
            ? SLICE_MESSAGES
            : UINT32_MAX;
    uint32_t first = session->record.watermark;
    while (status == PR_OK && (first <= end || count > 0)) {
        uint32_t last = end - first < width ? end : first + width - 1;
        if (first > end) {
            last = first - 1;
        }
        status = work_slice(session, retries, count, first, last);
        if (account_is_stopping(session->run) || is_at_limit(session) ||
            last >= end) {
            break;
        }
        count = 0;
        first = last + 1;
        if (session->record.watermark < first && status == PR_OK) {
            break;
        }
        width = width > UINT32_MAX / 2 ? UINT32_MAX : width * 2;
    }
    return status;
}

static pr_status visit(struct session *session)
{
    pr_status status = session->account->source->source->select(
        session->source, session->folder, &session->mailbox);
    session_step(session);
    if (status == PR_OK) {
        session->is_reconciling = true;
        status = reconcile(session);
        session->is_reconciling = false;
    }
    if (status == PR_OK && !session->has_uids) {
        return work_listed(session);
    }
    if (status == PR_OK) {
        status = session_settle(session);
    }
    if (status == PR_OK) {
        status = work_folder(session);
    }
    if (status == PR_OK) {
        status = session_judge(session);
    }
    return status == PR_OK ? session_tell_events(session) : status;
}

/* A folder that is not of the account's `folders`. */
static pr_status visit_for_events(struct session *session)
{
    pr_status status = session->account->source->source->select(
        session->source, session->folder, &session->mailbox);
    session_step(session);
    session->has_uids = session->mailbox.uidvalidity != 0;
    if (status == PR_OK) {
        status = state_folder(session->engine->state, session->account->name,
                              session->folder, &session->record);
    }
    return status == PR_OK ? session_tell_events(session) : status;
}

void session_progress(struct session *session, uint64_t messages,
                      uint64_t octets)
{
    struct engine_progress *progress = &session->engine->progress;
    progress->messages += messages;
    progress->octets += octets;
    progress->account = session->run->name;
    progress->folder = session->folder;
}

void session_step(struct session *session)
{
    session->line->steps++;
}

pr_status session_on(struct account_run *run, struct line *line,
                     const char *folder,
                     pr_status (*work)(struct session *session, void *user),
                     void *user)
{
    struct session session = {
        .run = run,
        .line = line,
        .engine = run->engine,
        .account = run->account,
        .source = &line->source,
        .folder = folder,
        .log = {run->log, folder},
        .arena = pr_arena_new(),
        .batch_places = {.free = BATCHES_IN_FLIGHT},
    };
    if (session.arena == NULL) {
        return PR_NOMEM;
    }
    line->session = &session;
    pr_status status = work(&session, user);
    line->session = NULL;
    pr_arena_free(session.arena);
    return status;
}

static pr_status visit_folder(struct session *session, void *user)
{
    struct account_run *run = session->run;
    (void)user;
    feed_init(session);
    session->has_rules =
        rules_take(run->engine->config, run->account->name, session->folder);
    session->is_for_events = account_is_for_events(run, session->folder);
    return session->is_for_events ? visit_for_events(session) : visit(session);
}

pr_status session_run(struct account_run *run, struct line *line,
                      const char *folder)
{
    return session_on(run, line, folder, visit_folder, NULL);
}
