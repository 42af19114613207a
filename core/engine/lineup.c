/*
 * Finding known messages again by their size and the fingerprint of their
 * header, which is fetched only where the size leaves a choice.
 *
 * Equal messages are told apart by count: two rows with the same fingerprint
 * stand for two messages.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/parts.h"
#include "mail/print.h"
#include "mail/spool.h"

static int compare_rows(const void *left, const void *right)
{
    const struct state_row *a = left, *b = right;
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return memcmp(a->print, b->print, STATE_PRINT_SIZE);
}

pr_status lineup_rows(struct lineup *lineup, struct state_row *rows,
                      size_t count)
{
    lineup->rows = rows;
    lineup->row_count = count;
    if (count > 0) {
        qsort(rows, count, sizeof(*rows), compare_rows);
    }
    lineup->is_taken = pr_arena_array(lineup->arena, count + 1, sizeof(bool));
    return lineup->is_taken == NULL ? PR_NOMEM : PR_OK;
}

pr_status lineup_add(struct lineup *lineup, const struct pr_item *item,
                     struct suspect **ret)
{
    struct suspect **suspects =
        pr_arena_grow(lineup->arena, lineup->suspects, lineup->count,
                      &lineup->allocated, sizeof(struct suspect *));
    if (suspects == NULL) {
        return PR_NOMEM;
    }
    lineup->suspects = suspects;
    struct suspect *suspect = pr_arena_alloc(lineup->arena, sizeof(*suspect));
    if (suspect == NULL) {
        return PR_NOMEM;
    }
    *suspect = (struct suspect){.item = *item, .size = item->size};
    suspect->item.flags.keywords = NULL;
    suspect->item.uidl =
        item->uidl == NULL ? NULL : pr_arena_text(lineup->arena, item->uidl);
    lineup->suspects[lineup->count++] = suspect;
    *ret = suspect;
    return PR_OK;
}

/* The first row of that size and print or after; print NULL: of that size. */
static size_t find_rows(const struct lineup *lineup, uint64_t size,
                        const unsigned char *print)
{
    size_t low = 0, high = lineup->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct state_row *row = &lineup->rows[middle];
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

struct state_row *lineup_of_size(const struct lineup *lineup,
                                 const struct suspect *suspect)
{
    size_t at = find_rows(lineup, suspect->size, NULL);
    for (; at < lineup->row_count && lineup->rows[at].size == suspect->size;
         at++) {
        if (!lineup->is_taken[at]) {
            return &lineup->rows[at];
        }
    }
    return NULL;
}

struct state_row *lineup_take(struct lineup *lineup,
                              const struct suspect *suspect)
{
    if (!suspect->has_print) {
        return NULL;
    }
    size_t at = find_rows(lineup, suspect->size, suspect->print);
    for (; at < lineup->row_count; at++) {
        struct state_row *row = &lineup->rows[at];
        if (row->size != suspect->size ||
            memcmp(row->print, suspect->print, STATE_PRINT_SIZE) != 0) {
            return NULL;
        }
        if (!lineup->is_taken[at]) {
            lineup->is_taken[at] = true;
            return row;
        }
    }
    return NULL;
}

void lineup_match(struct lineup *lineup, struct suspect *suspect,
                  struct state_row *row)
{
    lineup->is_taken[row - lineup->rows] = true;
    suspect->row = row;
}

/* ---- Fetching headers -----------------------------------------------------
 */

static bool needs_header(const struct lineup *lineup,
                         const struct suspect *suspect)
{
    if (lineup->only != NULL) {
        return suspect == lineup->only;
    }
    return suspect->row == NULL && !suspect->has_print &&
           (suspect->is_wanted || lineup_of_size(lineup, suspect) != NULL);
}

static pr_status next_header(struct pr_feed *feed, bool wait,
                             struct pr_request *ret)
{
    (void)wait;
    struct lineup *lineup = (struct lineup *)feed;
    session_step(lineup->session);
    *ret = (struct pr_request){0};
    while (lineup->next < lineup->count) {
        struct suspect *suspect = lineup->suspects[lineup->next++];
        if (needs_header(lineup, suspect)) {
            suspect->item.user = suspect;
            *ret = (struct pr_request){.item = &suspect->item,
                                       .want = PR_WANT_HEADER};
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
    struct lineup *lineup = (struct lineup *)feed;
    struct suspect *suspect = item->user;
    if (suspect->spool != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    pr_status status = spool_new(lineup->session->engine->config->state_dir, 0,
                                 &suspect->spool);
    *ret = suspect->spool;
    return status;
}

static void end_header(struct pr_feed *feed, struct pr_item *item,
                       pr_status result)
{
    struct lineup *lineup = (struct lineup *)feed;
    struct suspect *suspect = item->user;
    if (result == PR_OK && suspect->spool != NULL) {
        result = pr_spool_seal(suspect->spool);
        if (result == PR_OK) {
            result = mail_fingerprint(suspect->spool, suspect->print);
        }
        suspect->has_print = result == PR_OK;
    }
    suspect->trouble = result;
    spool_free(suspect->spool);
    suspect->spool = NULL;
    if (lineup->takes_at_once && lineup->only == NULL && !suspect->is_wanted) {
        suspect->row = lineup_take(lineup, suspect);
    }
}

static const struct pr_feed_ops header_feed = {
    .size = sizeof(header_feed),
    .next = next_header,
    .begin = begin_header,
    .end = end_header,
};

pr_status lineup_look(struct lineup *lineup)
{
    struct session *session = lineup->session;
    if (lineup->count == 0) {
        return PR_OK;
    }
    lineup->feed.ops = &header_feed;
    lineup->next = 0;
    return session->account->source->source->fetch(session->source,
                                                   &lineup->feed);
}

pr_status lineup_look_at(struct lineup *lineup, struct suspect *suspect)
{
    lineup->only = suspect;
    pr_status status = lineup_look(lineup);
    lineup->only = NULL;
    return status;
}
