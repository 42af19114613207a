/*
 * Sources without UIDs (POP3, files): which listed message is which row.
 *
 * The source's own name for a message (UIDL) decides where it can be trusted:
 * it stands for one listed message and one row, and their sizes agree. All
 * others are compared by header with the rows that are left: servers are seen
 * to give out a name twice, to give out new names for old messages, or none at
 * all (RFC 1939, 7 allows none of the first two). A message that matches
 * nothing is new and gets the next UID; a UID is never used again.
 *
 * A row whose message is not listed is kept for a while: a server that shows an
 * empty mailbox today may show the full one tomorrow.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/parts.h"

/* Messages for which there is room from the start, if the folder has them. */
#define LISTED_ROOM 100000u

/* How long a message that is not listed any more is remembered, in seconds. */
#define REMEMBERED ((int64_t)30 * 24 * 60 * 60)

struct identification {
    struct session *session;
    struct state_row *rows; /* by UIDL where they have one */
    size_t row_count;
    struct lineup *lineup;
    uint32_t next_uid;
    struct state_changes *changes;
    size_t changed;
    int64_t now;
};

/* ---- Listing ------------------------------------------------------------- */

static pr_status note_listed(void *user, const struct pr_item *item)
{
    struct session *session = user;
    session_step(session);
    struct listed *all =
        pr_arena_grow(session->arena, session->listed, session->listed_count,
                      &session->listed_allocated, sizeof(*all));
    if (all == NULL) {
        return PR_NOMEM;
    }
    session->listed = all;
    struct listed *listed = &session->listed[session->listed_count++];
    *listed = (struct listed){.item = *item};
    if (item->flags.keywords != NULL) {
        listed->item.flags.keywords =
            pr_arena_text(session->arena, item->flags.keywords);
    }
    if (item->uidl != NULL) {
        listed->item.uidl = pr_arena_text(session->arena, item->uidl);
        return listed->item.uidl == NULL ? PR_NOMEM : PR_OK;
    }
    return PR_OK;
}

static pr_status list_all(struct session *session)
{
    struct pr_range every = {1, UINT32_MAX};
    size_t count = session->mailbox.exists;
    if (count == 0) {
        return PR_OK;
    }
    count = count < LISTED_ROOM ? count : LISTED_ROOM;
    session->listed =
        pr_arena_array(session->arena, count, sizeof(*session->listed));
    if (session->listed == NULL) {
        return PR_NOMEM;
    }
    session->listed_allocated = count;
    return session->account->source->source->list(session->source, &every, 1,
                                                  note_listed, session);
}

/* ---- By name ------------------------------------------------------------- */

static int compare_names(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return (a != NULL) - (b != NULL);
    }
    return strcmp(a, b);
}

static int by_row_name(const void *left, const void *right)
{
    const struct state_row *a = left, *b = right;
    return compare_names(a->uidl, b->uidl);
}

static int by_listed_name(const void *left, const void *right)
{
    const struct listed *const *a = left, *const *b = right;
    int order = compare_names((*a)->item.uidl, (*b)->item.uidl);
    return order != 0 ? order
                      : ((*a)->item.number > (*b)->item.number) -
                            ((*a)->item.number < (*b)->item.number);
}

bool row_has_print(const struct state_row *row)
{
    static const unsigned char none[STATE_PRINT_SIZE];
    return memcmp(row->print, none, sizeof(none)) != 0;
}

/* Has it been away? Then its name may have been given to another message. */
bool row_was_away(const struct state_row *row)
{
    return row->stage == STAGE_SETTLED && row->due > 0;
}

static bool may_trust_name(const struct listed *listed,
                           const struct state_row *row)
{
    bool is_same_size = row->size == listed->item.size || row->size == 0 ||
                        listed->item.size == 0;
    return (is_same_size && !row_was_away(row)) || !row_has_print(row);
}

/* The end of those from `first` on that have the same name. */
static size_t end_of_rows(const struct identification *all, size_t first)
{
    size_t end = first + 1;
    while (end < all->row_count &&
           by_row_name(&all->rows[first], &all->rows[end]) == 0) {
        end++;
    }
    return end;
}

/* What standard input brings is new each time, equal to an earlier one or not.
 */
static bool forgets(const struct session *session)
{
    return (session->account->source->source->lacks & PR_LACKS_STAY) != 0;
}

/* A first run may leave alone what is there: noted as settled, with its print,
 * so that it stays known. */
static bool is_to_be_left(const struct session *session,
                          const struct pr_item *item, int64_t now)
{
    const struct account *account = session->account;
    if (session->record.uidvalidity != 0 || account->start == START_ALL) {
        return false;
    }
    return account->start == START_NOW ||
           (item->received > 0 &&
            item->received < now - (int64_t)(account->start_age / 1000));
}

/* Only a message that will be left needs a suspect, for its print, where no
 * row could be it. */
static pr_status suspect(struct identification *all, struct listed *listed,
                         const struct state_row *namesake)
{
    const struct session *session = all->session;
    bool may_be_known = all->row_count > 0;
    if (forgets(session) ||
        (!may_be_known && !is_to_be_left(session, &listed->item, all->now))) {
        return PR_OK;
    }
    pr_status status = lineup_add(all->lineup, &listed->item, &listed->suspect);
    if (status == PR_OK && namesake != NULL) {
        listed->suspect->size = namesake->size;
    }
    return status;
}

/* The listed messages of one name, and the rows that have it too. */
static pr_status match_name(struct identification *all,
                            struct listed *const *listed, size_t count,
                            struct state_row *rows, size_t row_count)
{
    if (listed[0]->item.uidl != NULL && count == 1 && row_count == 1 &&
        may_trust_name(listed[0], rows)) {
        listed[0]->row = rows;
        return PR_OK;
    }
    pr_status status = PR_OK;
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        bool has_namesake =
            listed[0]->item.uidl != NULL && count == 1 && row_count == 1;
        status = suspect(all, listed[i], has_namesake ? rows : NULL);
    }
    return status;
}

static pr_status match_names(struct identification *all, struct listed **sorted)
{
    size_t count = all->session->listed_count;
    size_t row = 0;
    pr_status status = PR_OK;
    for (size_t first = 0, end; status == PR_OK && first < count; first = end) {
        const char *name = sorted[first]->item.uidl;
        for (end = first + 1;
             end < count && compare_names(sorted[end]->item.uidl, name) == 0;) {
            end++;
        }
        while (row < all->row_count &&
               compare_names(all->rows[row].uidl, name) < 0) {
            row = end_of_rows(all, row);
        }
        bool is_there = row < all->row_count &&
                        compare_names(all->rows[row].uidl, name) == 0;
        size_t rows = is_there ? end_of_rows(all, row) - row : 0;
        status =
            match_name(all, sorted + first, end - first, all->rows + row, rows);
    }
    return status;
}

/* ---- By header ----------------------------------------------------------- */

/* Rows that no name has found are looked for by other means. They are copied:
 * the lineup has an order of its own. */
static pr_status line_up(struct identification *all)
{
    struct session *session = all->session;
    bool *is_found =
        pr_arena_array(session->arena, all->row_count + 1, sizeof(bool));
    struct state_row *rest =
        pr_arena_array(session->arena, all->row_count + 1, sizeof(*rest));
    if (is_found == NULL || rest == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < session->listed_count; i++) {
        if (session->listed[i].row != NULL) {
            is_found[session->listed[i].row - all->rows] = true;
        }
    }
    size_t count = 0;
    for (size_t i = 0; i < all->row_count; i++) {
        if (!is_found[i]) {
            rest[count++] = all->rows[i];
        }
    }
    return lineup_rows(all->lineup, rest, count);
}

static void match_suspect(struct identification *all, struct listed *listed)
{
    struct suspect *suspect = listed->suspect;
    listed->row = suspect->row;
    if (listed->row != NULL || suspect->has_print ||
        suspect->trouble == PR_OK) {
        listed->suspect = NULL;
        return;
    }
    if (suspect->trouble == PR_UNSUPPORTED) {
        return;
    }
    listed->is_left = suspect->trouble != PR_GONE &&
                      lineup_of_size(all->lineup, suspect) != NULL;
    if (listed->is_left) {
        pr_log(&all->session->log, PR_LOG_WARNING,
               "message %u of this session may be a known one, but its header "
               "cannot be had; it is looked at again in the next run",
               listed->item.number);
    }
}

/* ---- What changed -------------------------------------------------------- */

static bool is_same_text(const char *a, const char *b)
{
    return compare_names(a, b) == 0;
}

static void note_found(struct identification *all, struct listed *listed)
{
    struct state_row *row = listed->row;
    listed->item.uid = row->uid;
    if (is_same_text(row->uidl, listed->item.uidl) &&
        row->size == listed->item.size && !row_was_away(row)) {
        return;
    }
    row->uidl = listed->item.uidl;
    row->size = listed->item.size;
    if (row->stage == STAGE_SETTLED) {
        row->due = 0;
    }
    state_known(all->changes, all->session->record.id, row);
    all->changed++;
}

static void note_absent(struct identification *all, struct state_row *row)
{
    int64_t folder = all->session->record.id;
    bool is_settled = row->stage == STAGE_SETTLED;
    if (is_settled && !forgets(all->session) && row->due > 0 &&
        row->due > all->now - REMEMBERED) {
        return;
    }
    if (is_settled && !forgets(all->session) && row->due == 0) {
        row->due = all->now;
        state_known(all->changes, folder, row);
    } else {
        state_forget(all->changes, folder, row->uid);
    }
    bool is_open = row->stage == STAGE_DEFERRED || row->stage == STAGE_INTENT;
    if (is_open && !forgets(all->session)) {
        pr_log(&all->session->log, PR_LOG_WARNING,
               "message %u was put aside (%s) and is not on the server any "
               "more",
               row->uid, row->reason != NULL ? row->reason : "a crash");
    }
    all->changed++;
}

static pr_status leave(struct identification *all, struct listed *listed)
{
    struct session *session = all->session;
    struct state_row *row = pr_arena_alloc(session->arena, sizeof(*row));
    if (row == NULL) {
        return PR_NOMEM;
    }
    *row = (struct state_row){.uid = listed->item.uid,
                              .uidl = listed->item.uidl,
                              .stage = STAGE_SETTLED,
                              .size = listed->item.size,
                              .received = listed->item.received};
    if (listed->suspect != NULL && listed->suspect->has_print) {
        memcpy(row->print, listed->suspect->print, sizeof(row->print));
    }
    listed->suspect = NULL;
    listed->row = row;
    state_safe(all->changes, session->record.id, row);
    all->changed++;
    return PR_OK;
}

static int by_uid(const void *left, const void *right)
{
    const struct listed *a = left, *b = right;
    return (a->item.uid > b->item.uid) - (a->item.uid < b->item.uid);
}

static int row_by_uid(const void *left, const void *right)
{
    const struct state_row *a = left, *b = right;
    return (a->uid > b->uid) - (a->uid < b->uid);
}

/* session->rows: those of the messages that are there. */
static pr_status keep_rows(struct session *session)
{
    size_t count = 0;
    for (size_t i = 0; i < session->listed_count; i++) {
        count += session->listed[i].row != NULL;
    }
    session->rows =
        pr_arena_array(session->arena, count + 1, sizeof(*session->rows));
    if (session->rows == NULL) {
        return PR_NOMEM;
    }
    session->row_count = 0;
    for (size_t i = 0; i < session->listed_count; i++) {
        if (session->listed[i].row != NULL) {
            session->rows[session->row_count++] = *session->listed[i].row;
        }
    }
    if (session->row_count > 0) {
        qsort(session->rows, session->row_count, sizeof(*session->rows),
              row_by_uid);
    }
    return PR_OK;
}

static pr_status note_all(struct identification *all)
{
    struct session *session = all->session;
    for (size_t i = 0; i < session->listed_count; i++) {
        struct listed *listed = &session->listed[i];
        if (listed->row != NULL) {
            note_found(all, listed);
            continue;
        }
        if (all->next_uid == UINT32_MAX) {
            return pr_fail(PR_LIMIT, "no UID is left for this folder");
        }
        listed->item.uid = all->next_uid++;
        if (is_to_be_left(session, &listed->item, all->now)) {
            pr_status status = leave(all, listed);
            if (status != PR_OK) {
                return status;
            }
        }
    }
    return PR_OK;
}

/* A row that may belong to a message whose header is not known yet cannot be
 * called absent. */
static void note_all_absent(struct identification *all)
{
    const struct session *session = all->session;
    for (size_t i = 0; i < session->listed_count; i++) {
        if (session->listed[i].suspect != NULL) {
            return;
        }
    }
    for (size_t i = 0; i < all->lineup->row_count; i++) {
        if (!all->lineup->is_taken[i]) {
            note_absent(all, &all->lineup->rows[i]);
        }
    }
}

static pr_status note_changes(struct identification *all)
{
    struct session *session = all->session;
    bool is_first = session->record.uidvalidity == 0;
    pr_status status = state_begin(session->engine->state, &all->changes);
    if (status != PR_OK) {
        return status;
    }
    if (is_first) {
        state_new_validity(all->changes, session->record.id,
                           session->mailbox.uidvalidity);
        all->changed++;
    }
    status = note_all(all);
    if (status == PR_OK) {
        note_all_absent(all);
    }
    if (status != PR_OK || all->changed == 0 || session->engine->dry_run) {
        state_drop(all->changes);
        return status;
    }
    return state_commit(all->changes);
}

/* ---- The whole ----------------------------------------------------------- */

/* By name; what is new gets UIDs behind theirs and from `watermark` on. */
static void sort_rows(struct identification *all, uint32_t watermark)
{
    all->next_uid = watermark;
    for (size_t i = 0; i < all->row_count; i++) {
        if (all->rows[i].uid >= all->next_uid) {
            all->next_uid = all->rows[i].uid + 1;
        }
    }
    if (all->row_count > 0) {
        qsort(all->rows, all->row_count, sizeof(*all->rows), by_row_name);
    }
}

static pr_status load_rows(struct identification *all)
{
    struct session *session = all->session;
    pr_status status =
        state_all_rows(session->engine->state, session->record.id,
                       session->arena, &all->rows, &all->row_count);
    if (status == PR_OK && !session->engine->dry_run) {
        status = recover_intents(session, all->rows, all->row_count);
    }
    if (status == PR_OK) {
        sort_rows(all, session->record.watermark);
    }
    return status;
}

static pr_status find_names(struct identification *all)
{
    struct session *session = all->session;
    size_t count = session->listed_count;
    struct listed **sorted =
        pr_arena_array(session->arena, count + 1, sizeof(struct listed *));
    if (sorted == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &session->listed[i];
    }
    if (count > 0) {
        qsort(sorted, count, sizeof(struct listed *), by_listed_name);
    }
    return match_names(all, sorted);
}

static pr_status find_rows(struct identification *all)
{
    struct session *session = all->session;
    pr_status status = find_names(all);
    for (size_t i = 0; status == PR_OK && i < session->listed_count; i++) {
        struct listed *listed = &session->listed[i];
        if (listed->suspect != NULL) {
            listed->suspect->is_wanted =
                is_to_be_left(session, &listed->item, all->now);
        }
    }
    if (status == PR_OK) {
        status = line_up(all);
    }
    if (status == PR_OK) {
        status = believe_last(session, all->lineup);
    }
    if (status == PR_OK) {
        status = lineup_look(all->lineup);
    }
    for (size_t i = 0; status == PR_OK && i < session->listed_count; i++) {
        struct listed *listed = &session->listed[i];
        if (listed->suspect != NULL && !listed->suspect->is_wanted) {
            match_suspect(all, listed);
        }
    }
    return status;
}

pr_status identify(struct session *session)
{
    struct identification all = {
        .session = session,
        .lineup = pr_arena_alloc(session->arena, sizeof(*all.lineup)),
        .now = time(NULL)};
    if (all.lineup == NULL) {
        return PR_NOMEM;
    }
    *all.lineup = (struct lineup){
        .session = session, .arena = session->arena, .takes_at_once = true};
    session->lineup = all.lineup;
    pr_status status = load_rows(&all);
    if (status == PR_OK) {
        status = list_all(session);
    }
    if (status == PR_OK) {
        status = find_rows(&all);
    }
    if (status == PR_OK) {
        status = note_changes(&all);
    }
    if (status != PR_OK) {
        return status;
    }
    session->record.uidvalidity = session->mailbox.uidvalidity;
    session->next_uid = all.next_uid;
    if (session->listed_count > 0) {
        qsort(session->listed, session->listed_count, sizeof(*session->listed),
              by_uid);
    }
    return keep_rows(session);
}

/* ---- For who only looks ---------------------------------------------------
 */

static pr_status known_rows(struct state *state, const char *account,
                            const char *folder, struct identification *all,
                            struct pr_arena *arena)
{
    struct state_standing *standings;
    size_t count;
    bool is_known = false;
    pr_status status = state_standings(state, account, (int64_t)time(NULL),
                                       arena, &standings, &count);
    for (size_t i = 0; status == PR_OK && i < count && !is_known; i++) {
        is_known = strcmp(standings[i].folder, folder) == 0;
    }
    if (status != PR_OK || !is_known) { /* asking for it would make a record */
        return status;
    }
    struct state_folder record;
    status = state_folder(state, account, folder, &record);
    if (status == PR_OK) {
        status = state_all_rows(state, record.id, arena, &all->rows,
                                &all->row_count);
    }
    if (status == PR_OK) {
        sort_rows(all, record.watermark);
    }
    return status;
}

static const struct state_row *row_named(const struct identification *all,
                                         const char *name)
{
    const struct state_row key = {.uidl = name};
    return name == NULL || all->row_count == 0
               ? NULL
               : bsearch(&key, all->rows, all->row_count, sizeof(key),
                         by_row_name);
}

/* Is the name of the row that of no other, and the item's beyond doubt? */
static bool is_certain(const struct identification *all,
                       const struct state_row *row, const struct pr_item *item)
{
    const struct listed listed = {.item = *item};
    bool has_twin = (row > all->rows && by_row_name(row - 1, row) == 0) ||
                    (row + 1 < all->rows + all->row_count &&
                     by_row_name(row, row + 1) == 0);
    return !has_twin && may_trust_name(&listed, row);
}

static int by_item_name(const void *left, const void *right)
{
    const struct pr_item *const *a = left, *const *b = right;
    return compare_names((*a)->uidl, (*b)->uidl);
}

/* Items that have no twin of the same name get the UIDs of their rows, others
 * 0. */
static pr_status find_known(const struct identification *all,
                            struct pr_arena *arena,
                            struct pr_item *const *items, size_t count)
{
    struct pr_item **sorted =
        pr_arena_array(arena, count + 1, sizeof(struct pr_item *));
    if (sorted == NULL) {
        return PR_NOMEM;
    }
    memcpy(sorted, items, count * sizeof(struct pr_item *));
    qsort(sorted, count, sizeof(struct pr_item *), by_item_name);
    for (size_t i = 0; i < count; i++) {
        bool has_twin =
            (i > 0 && by_item_name(&sorted[i - 1], &sorted[i]) == 0) ||
            (i + 1 < count && by_item_name(&sorted[i], &sorted[i + 1]) == 0);
        const struct state_row *row = row_named(all, sorted[i]->uidl);
        bool is_it =
            row != NULL && !has_twin && is_certain(all, row, sorted[i]);
        sorted[i]->uid = is_it ? row->uid : 0;
    }
    return PR_OK;
}

pr_status identify_by_name(struct state *state, const char *account,
                           const char *folder, struct pr_arena *arena,
                           struct pr_item *const *items, size_t count)
{
    struct identification all = {.next_uid = 1};
    pr_status status = PR_OK;
    if (state != NULL) {
        status = known_rows(state, account, folder, &all, arena);
    }
    if (status == PR_OK && count > 0) {
        status = find_known(&all, arena, items, count);
    }
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        const char *name = items[i]->uidl;
        bool is_new = all.row_count == 0 ||
                      (name != NULL && row_named(&all, name) == NULL);
        if (is_new) {
            items[i]->uid = all.next_uid++;
        }
    }
    return status;
}

struct listed *session_listed(const struct session *session, uint32_t uid)
{
    struct listed key = {.item = {.uid = uid}};
    if (session->listed_count == 0) {
        return NULL;
    }
    return bsearch(&key, session->listed, session->listed_count, sizeof(key),
                   by_uid);
}

bool is_known_after_all(struct session *session, struct entry *entry,
                        const unsigned char print[STATE_PRINT_SIZE])
{
    struct suspect *suspect = entry->suspect;
    if (suspect == NULL) {
        return false;
    }
    memcpy(suspect->print, print, STATE_PRINT_SIZE);
    suspect->has_print = true;
    struct state_row *row = lineup_take(session->lineup, suspect);
    return row != NULL &&
           (row->stage == STAGE_SETTLED || row->stage == STAGE_OWED);
}
