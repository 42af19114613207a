/*
 * What the source lists, against what the state knows: which messages of a
 * slice are to be fetched.
 */
#include <string.h>
#include <time.h>

#include "engine/parts.h"

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

bool session_tries_again(const struct session *session,
                         const struct state_row *row)
{
    bool is_due = row->due <= time(NULL) ||
                  (session->run->retries_now && row->due < INT64_MAX);
    return is_due &&
           (row->stage == STAGE_INTENT || row->stage == STAGE_DEFERRED);
}

bool session_has_in_hand(const struct session *session, uint32_t uid)
{
    if (session->is_reconciling) {
        return true;
    }
    /* The ledger's entries are the slice's. */
    const struct ledger *ledger = &session->ledger;
    for (size_t i = 0; session->slice != NULL && i < ledger->count; i++) {
        if (ledger->entries[i]->item.uid == uid) {
            return ledger->entries[i]->fate != FATE_DEALT;
        }
    }
    const struct state_row *row = find_row(session, uid);
    return row != NULL && session_tries_again(session, row);
}

pr_status session_note_item(void *user, const struct pr_item *item)
{
    struct session *session = user;
    session_step(session);
    struct state_row *row = find_row(session, item->uid);
    if (row != NULL && !session_tries_again(session, row)) {
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
        entry->rule_tries = row->rule_tries;
        row->due = INT64_MAX; /* once in a session */
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

pr_status session_note_listing(struct session *session,
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

pr_status session_list(struct session *session, const struct pr_range *retries,
                       size_t count, uint32_t first, uint32_t last)
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
            session->source, ranges, total, session_note_item, session);
    }
    if (status != PR_OK) {
        return status;
    }
    session->engine->progress.expected += session->ledger.count;
    return session_note_listing(session, retries, count);
}
