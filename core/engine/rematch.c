/*
 * A folder whose UIDVALIDITY changed: the server numbers its messages anew, so
 * the known ones are found again by size and header.
 */
#include <string.h>

#include "engine/parts.h"

static pr_status note_suspect(void *user, const struct pr_item *item)
{
    struct suspect *suspect;
    return lineup_add(user, item, &suspect);
}

/* ---- Matching --------------------------------------------------------------
 */

/* What a first run would have left alone, is left alone again. */
static bool is_too_old(const struct session *session,
                       const struct suspect *suspect)
{
    const struct account *account = session->account;
    int64_t oldest = session->record.since;
    if (account->start == START_ALL) {
        return false;
    }
    if (account->start == START_RECENT) {
        oldest -= (int64_t)(account->start_age / 1000);
    }
    return suspect->item.received < oldest;
}

/* A message that is not dealt with keeps what is known of its deliveries: those
 * that were made are not made again. */
static pr_status put_deliveries(struct session *session,
                                struct state_changes *changes,
                                const struct state_row *row,
                                const struct state_row *old)
{
    struct state_delivery *deliveries;
    size_t count;
    pr_status status =
        state_deliveries(session->engine->state, session->record.id, old->uid,
                         session->arena, &deliveries, &count);
    if (status == PR_OK && (count > 0 || old->stage == STAGE_INTENT)) {
        state_intend(changes, session->record.id, row, deliveries, count);
    }
    return status;
}

static bool is_dealt_with(const struct state_row *row)
{
    return row == NULL || row->stage == STAGE_OWED ||
           row->stage == STAGE_SETTLED;
}

/* Puts a known message in again: into the changes, and among the session's
 * rows, which is all that a dry run has of it. */
static pr_status put_row(struct session *session, struct state_changes *changes,
                         const struct suspect *suspect,
                         const struct state_row *old)
{
    struct state_row row = {.stage = STAGE_SETTLED};
    if (old != NULL) {
        row = *old;
    }
    row.uid = suspect->item.uid;
    row.uidl = suspect->item.uidl;
    row.size = suspect->item.size;
    row.received = suspect->item.received;
    memcpy(row.print, suspect->print, sizeof(row.print));
    pr_status status = PR_OK;
    if (!is_dealt_with(old)) {
        status = put_deliveries(session, changes, &row, old);
    }
    if (row.stage == STAGE_DEFERRED) {
        state_deferred(changes, session->record.id, &row);
    } else if (is_dealt_with(&row)) {
        state_safe(changes, session->record.id, &row);
    }
    session->rows[session->row_count++] = row;
    return status;
}

static pr_status note_matches(struct lineup *all)
{
    struct session *session = all->session;
    struct state_changes *changes;
    session->rows =
        pr_arena_array(session->arena, all->count + 1, sizeof(*session->rows));
    if (session->rows == NULL) {
        return PR_NOMEM;
    }
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_new_validity(changes, session->record.id,
                       session->mailbox.uidvalidity);
    size_t known = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct suspect *suspect = all->suspects[i];
        const struct state_row *old = lineup_take(all, suspect);
        if (old != NULL || is_too_old(session, suspect)) {
            status = put_row(session, changes, suspect, old);
            known++;
        }
        if (status != PR_OK) {
            state_drop(changes);
            return status;
        }
    }
    if (session->mailbox.uidvalidity != session->record.uidvalidity) {
        pr_log(&session->log, PR_LOG_WARNING,
               "the server numbered this folder anew (UIDVALIDITY %u, was "
               "%u): %zu of %zu messages are known from before",
               session->mailbox.uidvalidity, session->record.uidvalidity, known,
               all->count);
    } else {
        pr_log(&session->log, PR_LOG_WARNING,
               "the server seems to have put back an older state of this "
               "folder (UIDNEXT %u, was %u): %zu of %zu messages are known "
               "from before",
               session->mailbox.uidnext, session->record.watermark, known,
               all->count);
    }
    session->record.uidvalidity = session->mailbox.uidvalidity;
    session->record.watermark = 1;
    if (session->engine->dry_run) {
        state_drop(changes);
        return PR_OK;
    }
    session->rows = NULL; /* read again, with what lives as long as they do */
    session->row_count = 0;
    return state_commit(changes);
}

/* A header that did not come may be that of a known message. */
static pr_status check_headers(const struct lineup *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct suspect *suspect = all->suspects[i];
        if (suspect->trouble != PR_OK && suspect->trouble != PR_GONE &&
            lineup_of_size(all, suspect) != NULL) {
            return pr_fail(suspect->trouble,
                           "the server numbered this folder anew, and does "
                           "not hand out the header of message %u, by which "
                           "it could be told whether it is new",
                           suspect->item.uid);
        }
    }
    return PR_OK;
}

static pr_status load_known(struct session *session, struct lineup *all)
{
    struct state_row *rows;
    size_t count;
    pr_status status = state_all_rows(
        session->engine->state, session->record.id, all->arena, &rows, &count);
    if (status == PR_OK && !session->engine->dry_run) {
        status = recover_intents(session, rows, count);
    }
    return status == PR_OK ? lineup_rows(all, rows, count) : status;
}

pr_status rematch(struct session *session)
{
    const struct pr_source_ops *ops = session->account->source->source;
    struct lineup all = {.session = session, .arena = pr_arena_new()};
    if (all.arena == NULL) {
        return PR_NOMEM;
    }
    pr_status status = load_known(session, &all);
    struct pr_range every = {1, UINT32_MAX};
    if (status == PR_OK && session->mailbox.exists > 0) {
        status = ops->list(session->source, &every, 1, note_suspect, &all);
    }
    if (status == PR_OK) {
        status = lineup_look(&all);
    }
    if (status == PR_OK) {
        status = check_headers(&all);
    }
    if (status == PR_OK) {
        status = note_matches(&all);
    }
    pr_arena_free(all.arena);
    return status;
}
