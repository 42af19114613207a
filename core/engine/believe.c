/*
 * LAST (RFC 1460): up to which message all was fetched before.
 *
 * By whom, it does not say: another program may have fetched what has never
 * come here, and so may we, before a crash. So LAST is not believed alone, nor
 * with the sizes: reports that come each day are of one size. But a maildrop
 * grows at its end, and where a message goes all behind it move up. So if one
 * is still at its place, all before it are. One header proves that, and what
 * LAST vouches for is known without another.
 *
 * A place is not noted; it is the row's among those whose messages were there,
 * by UID. That holds below the watermark, where each message that was listed
 * has its row. If another program deleted something, sizes or header differ,
 * and all are compared by header as if there were no LAST.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/parts.h"

static int by_uid(const void *left, const void *right)
{
    const struct state_row *const *a = left, *const *b = right;
    return ((*a)->uid > (*b)->uid) - ((*a)->uid < (*b)->uid);
}

/* The rows whose messages were there the last time, in their order. */
static pr_status rows_in_place(const struct lineup *lineup,
                               struct state_row ***ret, size_t *ret_count)
{
    struct state_row **rows =
        pr_arena_array(lineup->arena, lineup->row_count + 1, sizeof(*rows));
    size_t count = 0;
    if (rows == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < lineup->row_count; i++) {
        if (!row_was_away(&lineup->rows[i])) {
            rows[count++] = &lineup->rows[i];
        }
    }
    if (count > 0) {
        qsort(rows, count, sizeof(struct state_row *), by_uid);
    }
    *ret = rows;
    *ret_count = count;
    return PR_OK;
}

static bool may_be_in_place(const struct session *session, size_t place,
                            const struct state_row *row)
{
    const struct listed *listed = &session->listed[place];
    return row->uid < session->record.watermark && listed->suspect != NULL &&
           listed->item.uidl == NULL &&
           (listed->item.flags.system & PR_FLAG_SEEN) != 0 &&
           listed->item.number == place + 1 && listed->item.size == row->size;
}

/* How many messages from the first on may be those of the rows; the last of
 * them can be proved to be. */
static size_t count_in_place(const struct session *session,
                             struct state_row *const *rows, size_t row_count)
{
    size_t count = 0;
    while (count < row_count && count < session->listed_count &&
           may_be_in_place(session, count, rows[count])) {
        count++;
    }
    while (count > 0 && !row_has_print(rows[count - 1])) {
        count--;
    }
    return count;
}

pr_status believe_last(struct session *session, struct lineup *lineup)
{
    struct state_row **rows;
    size_t row_count;
    pr_status status = rows_in_place(lineup, &rows, &row_count);
    if (status != PR_OK) {
        return status;
    }
    size_t count = count_in_place(session, rows, row_count);
    if (count == 0) {
        return PR_OK;
    }
    struct suspect *proof = session->listed[count - 1].suspect;
    status = lineup_look_at(lineup, proof);
    if (status != PR_OK || !proof->has_print) {
        return status;
    }
    if (memcmp(proof->print, rows[count - 1]->print, STATE_PRINT_SIZE) != 0) {
        proof->row = lineup_take(lineup, proof);
        return PR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        lineup_match(lineup, session->listed[i].suspect, rows[i]);
    }
    return PR_OK;
}
