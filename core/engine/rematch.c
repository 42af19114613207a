/*
 * A folder whose UIDVALIDITY changed: the server numbers its messages anew, so
 * the known ones are found again by their size and the fingerprint of their
 * header, which is fetched only for messages of a size that is known.
 *
 * Equal messages are told apart by count: two rows with the same fingerprint
 * stand for two messages.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/parts.h"
#include "mail/print.h"
#include "mail/spool.h"

struct suspect {
    struct pr_item item;
    unsigned char print[STATE_PRINT_SIZE];
    bool has_print;
    struct pr_spool *spool; /* its header, while it comes */
};

struct rematching {
    struct pr_feed feed; /* first: found again with a cast */
    struct session *session;
    struct pr_arena *arena;
    struct state_row *rows; /* sorted by size, then print */
    size_t row_count;
    bool *is_taken; /* beside rows */
    struct suspect *suspects;
    size_t count, allocated, next;
};

static int compare_rows(const void *left, const void *right)
{
    const struct state_row *a = left, *b = right;
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return memcmp(a->print, b->print, STATE_PRINT_SIZE);
}

/* The first row of that size and print or after; print NULL: of that size. */
static size_t find_rows(const struct rematching *all, uint64_t size,
                        const unsigned char *print)
{
    size_t low = 0, high = all->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct state_row *row = &all->rows[middle];
        bool is_before = row->size < size ||
                         (row->size == size && print != NULL &&
                          memcmp(row->print, print, STATE_PRINT_SIZE) < 0);
        if (is_before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static pr_status note_suspect(void *user, const struct pr_item *item)
{
    struct rematching *all = user;
    if (all->count == all->allocated) {
        size_t room = all->allocated == 0 ? 64 : all->allocated * 2;
        struct suspect *more = pr_arena_array(all->arena, room, sizeof(*more));
        if (more == NULL) {
            return PR_NOMEM;
        }
        if (all->count > 0) {
            memcpy(more, all->suspects, all->count * sizeof(*more));
        }
        all->suspects = more;
        all->allocated = room;
    }
    struct suspect *suspect = &all->suspects[all->count++];
    *suspect = (struct suspect){.item = *item};
    suspect->item.flags.keywords = NULL;
    suspect->item.uidl =
        item->uidl == NULL ? NULL : pr_arena_text(all->arena, item->uidl);
    return PR_OK;
}

/* ---- Fetching headers -----------------------------------------------------
 */

static pr_status next_header(struct pr_feed *feed, bool wait,
                             struct pr_request *ret)
{
    (void)wait;
    struct rematching *all = (struct rematching *)feed;
    *ret = (struct pr_request){0};
    while (all->next < all->count) {
        struct suspect *suspect = &all->suspects[all->next++];
        size_t at = find_rows(all, suspect->item.size, NULL);
        if (at < all->row_count && all->rows[at].size == suspect->item.size) {
            suspect->item.user = suspect;
            *ret = (struct pr_request){&suspect->item, PR_WANT_HEADER};
            return PR_OK;
        }
    }
    return PR_EOF;
}

static pr_status begin_header(struct pr_feed *feed, struct pr_item *item,
                              enum pr_want want, uint64_t octets,
                              struct pr_spool **ret)
{
    (void)want;
    (void)octets;
    struct rematching *all = (struct rematching *)feed;
    struct suspect *suspect = item->user;
    if (suspect->spool != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    pr_status status =
        spool_new(all->session->engine->config->state_dir, 0, &suspect->spool);
    *ret = suspect->spool;
    return status;
}

static void end_header(struct pr_feed *feed, struct pr_item *item,
                       pr_status result)
{
    (void)feed;
    struct suspect *suspect = item->user;
    if (result == PR_OK && suspect->spool != NULL &&
        pr_spool_seal(suspect->spool) == PR_OK &&
        mail_fingerprint(suspect->spool, suspect->print) == PR_OK) {
        suspect->has_print = true;
    }
    spool_free(suspect->spool);
    suspect->spool = NULL;
}

static const struct pr_feed_ops header_feed = {
    .size = sizeof(header_feed),
    .next = next_header,
    .begin = begin_header,
    .end = end_header,
};

/* ---- Matching --------------------------------------------------------------
 */

static struct state_row *take_row(struct rematching *all,
                                  const struct suspect *suspect)
{
    if (!suspect->has_print) {
        return NULL;
    }
    size_t at = find_rows(all, suspect->item.size, suspect->print);
    for (; at < all->row_count; at++) {
        struct state_row *row = &all->rows[at];
        if (row->size != suspect->item.size ||
            memcmp(row->print, suspect->print, STATE_PRINT_SIZE) != 0) {
            return NULL;
        }
        if (!all->is_taken[at]) {
            all->is_taken[at] = true;
            return row;
        }
    }
    return NULL;
}

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

static pr_status note_matches(struct rematching *all)
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
        const struct suspect *suspect = &all->suspects[i];
        const struct state_row *old = take_row(all, suspect);
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

static pr_status load_known(struct rematching *all)
{
    struct session *session = all->session;
    pr_status status =
        state_all_rows(session->engine->state, session->record.id, all->arena,
                       &all->rows, &all->row_count);
    if (status == PR_OK && !session->engine->dry_run) {
        status = recover_intents(session, all->rows, all->row_count);
    }
    if (status != PR_OK) {
        return status;
    }
    if (all->row_count > 0) {
        qsort(all->rows, all->row_count, sizeof(*all->rows), compare_rows);
    }
    all->is_taken =
        pr_arena_array(all->arena, all->row_count + 1, sizeof(bool));
    return all->is_taken == NULL ? PR_NOMEM : PR_OK;
}

pr_status rematch(struct session *session)
{
    const struct pr_source_ops *ops = session->account->source->source;
    struct rematching all = {
        .feed = {&header_feed}, .session = session, .arena = pr_arena_new()};
    if (all.arena == NULL) {
        return PR_NOMEM;
    }
    pr_status status = load_known(&all);
    struct pr_range every = {1, UINT32_MAX};
    if (status == PR_OK && session->mailbox.exists > 0) {
        status = ops->list(session->source, &every, 1, note_suspect, &all);
    }
    if (status == PR_OK && all.count > 0) {
        status = ops->fetch(session->source, &all.feed);
    }
    if (status == PR_OK) {
        status = note_matches(&all);
    }
    pr_arena_free(all.arena);
    return status;
}
