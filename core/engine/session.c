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

static struct state_row *find_row(const struct session *session, uint32_t uid)
{
    size_t low = 0, high = session->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (session->rows[middle].uid < uid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there = low < session->row_count && session->rows[low].uid == uid;
    return is_there ? &session->rows[low] : NULL;
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
    if (session->record.uidvalidity == 0) {
        status = first_visit(session);
    } else if (is_numbered_anew(session)) {
        status = rematch(session);
    }
    if (status == PR_OK && session->rows == NULL) {
        status = load_rows(session);
    }
    if (status == PR_OK && !session->engine->dry_run) {
        status = recover_intents(session, session->rows, session->row_count);
    }
    if (status == PR_OK) {
        status = queue_old_debts(session);
    }
    return status;
}

/* ---- Listing ------------------------------------------------------------- */

static bool is_to_be_tried_again(const struct session *session,
                                 const struct state_row *row)
{
    bool is_due = row->due <= time(NULL) ||
                  (session->engine->retries_now && row->due < INT64_MAX);
    return is_due &&
           (row->stage == STAGE_INTENT || row->stage == STAGE_DEFERRED);
}

static pr_status note_item(void *user, const struct pr_item *item)
{
    struct session *session = user;
    const struct state_row *row = find_row(session, item->uid);
    if (row != NULL && !is_to_be_tried_again(session, row)) {
        return PR_OK;
    }
    struct entry *entry;
    pr_status status = ledger_add(&session->ledger, item, &entry);
    if (status != PR_OK) {
        return status;
    }
    if (row != NULL) {
        entry->has_row = true;
        entry->tries = row->tries;
    } else if (!session->has_uids) {
        entry->suspect = session_listed(session, item->uid)->suspect;
    }
    return PR_OK;
}

static bool is_listed(const struct session *session, uint32_t uid)
{
    const struct ledger *ledger = &session->ledger;
    size_t low = 0, high = ledger->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ledger->entries[middle]->item.uid < uid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ledger->count && ledger->entries[low]->item.uid == uid;
}

/* What the server lists no more need not be remembered; what is over the size
 * limit is noted, so that the watermark can pass it. */
static pr_status note_listing(struct session *session,
                              const struct pr_range *retries, size_t count)
{
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    size_t noted = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_listed(session, retries[i].first)) {
            state_forget(changes, session->record.id, retries[i].first);
            noted++;
        }
    }
    uint64_t most = session->account->limit_size;
    for (size_t i = 0; most > 0 && i < session->ledger.count; i++) {
        struct entry *entry = session->ledger.entries[i];
        if (entry->item.size <= most) {
            continue;
        }
        struct state_row row = {.uid = entry->item.uid,
                                .uidl = entry->item.uidl,
                                .size = entry->item.size,
                                .received = entry->item.received,
                                .reason = "larger than limit.size"};
        state_deferred(changes, session->record.id, &row);
        entry->fate = FATE_DEALT;
        pr_log(&session->log, entry->has_row ? PR_LOG_DEBUG : PR_LOG_WARNING,
               "message %u stays on the server: its %llu octets are over "
               "limit.size",
               entry->item.uid, (unsigned long long)entry->item.size);
        noted++;
    }
    if (noted == 0 || session->engine->dry_run) {
        state_drop(changes);
        return PR_OK;
    }
    return state_commit(changes);
}

/* UIDs first..last, and before them `retries`. */
static pr_status list_slice(struct session *session,
                            const struct pr_range *retries, size_t count,
                            uint32_t first, uint32_t last)
{
    struct pr_range *ranges =
        pr_arena_array(session->slice, count + 1, sizeof(*ranges));
    if (ranges == NULL) {
        return PR_NOMEM;
    }
    if (count > 0) {
        memcpy(ranges, retries, count * sizeof(*ranges));
    }
    size_t total = count;
    if (first <= last) {
        ranges[total++] = (struct pr_range){first, last};
    }
    pr_status status = PR_OK;
    bool is_empty = session->mailbox.exists == 0 && last != UINT32_MAX;
    if (total > 0 && !is_empty) {
        status = session->account->source->source->list(
            session->source, ranges, total, note_item, session);
    }
    if (status != PR_OK) {
        return status;
    }
    session->engine->progress.expected += session->ledger.count;
    return note_listing(session, retries, count);
}

/* ---- Fetching ------------------------------------------------------------ */

/* Messages that could not be fetched though the session went well: each is put
 * aside with its reason, so that it holds up no other. */
static pr_status defer_unfetched(struct session *session)
{
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    size_t noted = 0;
    for (size_t i = 0; i < session->ledger.count; i++) {
        struct entry *entry = session->ledger.entries[i];
        if (entry->trouble == PR_OK || entry->fate == FATE_DEALT) {
            continue;
        }
        noted++;
        entry->fate = FATE_DEALT;
        if (entry->trouble == PR_GONE) {
            state_forget(changes, session->record.id, entry->item.uid);
            continue;
        }
        struct state_row row = {.uid = entry->item.uid,
                                .uidl = entry->item.uidl,
                                .size = entry->item.size,
                                .received = entry->item.received,
                                .tries = entry->tries + 1,
                                .reason = entry->trouble_text};
        state_deferred(changes, session->record.id, &row);
        session->run->report.put_off++;
        pr_log(&session->log, PR_LOG_ERROR, "message %u: %s", entry->item.uid,
               entry->trouble_text);
    }
    if (noted == 0 || session->engine->dry_run) {
        state_drop(changes);
        return PR_OK;
    }
    return state_commit(changes);
}

/* A message in the midst of which the line breaks may be what breaks it, each
 * time: from the second time on it waits while others are fetched. In seconds.
 */
#define CUT_WAIT ((int64_t)10 * 60)

static void defer_cut(struct session *session)
{
    struct entry *entry = session->cut;
    struct state_changes *changes;
    if (entry == NULL || session->engine->dry_run ||
        state_begin(session->engine->state, &changes) != PR_OK) {
        return;
    }
    struct state_row row = {.uid = entry->item.uid,
                            .uidl = entry->item.uidl,
                            .size = entry->item.size,
                            .received = entry->item.received,
                            .tries = entry->tries + 1,
                            .reason = "the line broke while it came in"};
    unsigned shift = entry->tries < 8 ? entry->tries : 8;
    if (entry->tries > 0) {
        row.due = time(NULL) + (CUT_WAIT << (shift - 1));
    }
    state_deferred(changes, session->record.id, &row);
    if (state_commit(changes) != PR_OK) {
        pr_log(&session->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    }
}

static bool has_more_to_ask(const struct session *session)
{
    return session->ledger.next < session->ledger.count &&
           !session->engine->is_stopping && session->failure == PR_OK;
}

/* Sends off what waits in a batch that no longer fills. */
static pr_status linger(void *argument)
{
    struct session *session = argument;
    while (pr_sleep(250) == PR_OK) {
        if (session->batches_running == 0) {
            batch_flush(session);
        }
    }
    return PR_OK;
}

/* Until there is room for more: what is in the house becomes debts while the
 * server is busy with those before. */
static pr_status settle_enough(struct session *session)
{
    pr_status status;
    do {
        status = session_settle(session);
    } while (status == PR_OK && session->debt_count >= DEBTS_MOST);
    return status;
}

/* Fetches the slice; debts are paid between rounds, so that a long fetch with
 * deletion is not all owed at its end. */
static pr_status fetch_rounds(struct session *session)
{
    const struct pr_source_ops *ops = session->account->source->source;
    pr_status status = PR_OK;
    size_t before;
    do {
        before = session->ledger.next;
        status = ops->fetch(session->source, &session->feed);
        if (status == PR_OK && session->has_uids && has_more_to_ask(session)) {
            status = settle_enough(session);
        }
    } while (status == PR_OK && has_more_to_ask(session) &&
             session->ledger.next > before);
    return status;
}

/* A server may end a session in which nothing is said: POP3's after ten minutes
 * (RFC 1939, 3), some sooner. */
#define KEEP_MS (60u * 1000)

static pr_status keep_line(void *argument)
{
    struct session *session = argument;
    const struct pr_source_ops *ops = session->account->source->source;
    pr_status status = PR_OK;
    while (status == PR_OK && pr_sleep(KEEP_MS) == PR_OK) {
        pr_shield_begin(); /* cut off halfway it would spoil the session */
        status = ops->keep(session->source);
        pr_shield_end();
    }
    return PR_OK; /* what became of the line, settle finds out */
}

/* Until all that came in is dealt with. */
static void finish_batches(struct session *session)
{
    struct pr_scope keeping;
    pr_scope_init(&keeping);
    if (session->failure == PR_OK &&
        session->account->source->source->keep != NULL) {
        (void)!pr_spawn(&keeping, "keep", PR_STACK_SESSION, keep_line, session);
    }
    (void)pr_scope_join(&session->rules);
    batch_flush(session);
    (void)pr_scope_join(&session->batches);
    pr_scope_cancel(&keeping);
    (void)pr_scope_join(&keeping);
}

static pr_status fetch_slice(struct session *session)
{
    if (session->ledger.count == 0) {
        return session_settle(session);
    }
    account_wants_help(session->run);
    session->is_feed_over = false;
    pr_scope_init(&session->rules);
    pr_scope_init(&session->batches);
    struct pr_scope lingering;
    pr_scope_init(&lingering);
    pr_status status =
        pr_spawn(&lingering, "linger", PR_STACK_SESSION, linger, session);
    if (status == PR_OK) {
        status = fetch_rounds(session);
    }
    session_fail(session, status);
    feed_end_waits(session);
    pr_scope_cancel(&lingering);
    (void)pr_scope_join(&lingering);
    finish_batches(session);
    if (session->failure != PR_OK) {
        defer_cut(session);
        return pr_fail(session->failure, "%s", session->failure_text);
    }
    status = defer_unfetched(session);
    return status == PR_OK ? session_settle(session) : status;
}

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
    pr_status status = list_slice(session, retries, count, first, last);
    if (status == PR_OK && last == UINT32_MAX && session->ledger.count > 0) {
        struct entry *newest =
            session->ledger.entries[session->ledger.count - 1];
        if (newest->item.uid >= session->ledger.next_uid) {
            session->ledger.next_uid = newest->item.uid + 1;
        }
    }
    if (status == PR_OK) {
        status = fetch_slice(session);
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
            is_to_be_tried_again(session, row)) {
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
            status = note_item(session, &session->listed[i].item);
        }
    }
    session->engine->progress.expected += session->ledger.count;
    if (status == PR_OK) {
        status = note_listing(session, NULL, 0);
    }
    if (status == PR_OK) {
        status = fetch_slice(session);
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
        if (session->engine->is_stopping || is_at_limit(session) ||
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
    if (status == PR_OK) {
        session->engine->progress.account = session->account->name;
        session->engine->progress.folder = session->folder;
        status = reconcile(session);
    }
    if (status == PR_OK && !session->has_uids) {
        return work_listed(session);
    }
    if (status == PR_OK) {
        status = session_settle(session);
    }
    return status == PR_OK ? work_folder(session) : status;
}

pr_status session_run(struct account_run *run, struct pr_source *source,
                      const char *folder)
{
    struct session session = {
        .run = run,
        .engine = run->engine,
        .account = run->account,
        .source = source,
        .folder = folder,
        .log = {&run->log, folder},
        .arena = pr_arena_new(),
        .batch_places = {.free = BATCHES_IN_FLIGHT},
    };
    if (session.arena == NULL) {
        return PR_NOMEM;
    }
    feed_init(&session);
    pr_status status = visit(&session);
    pr_arena_free(session.arena);
    return status;
}
