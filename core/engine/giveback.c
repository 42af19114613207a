/*
 * Deeds on the server taken back: the messages of one folder.
 *
 * A message that comes back gets a new UID. It must be known by that before the
 * folder is fetched from again: the server tells it (RFC 4315, COPYUID), or the
 * message is found by size and header. What is about to come back is noted
 * before the server is asked, so that a crash in between leaves nothing that
 * would be taken for new.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "engine/undo.h"
#include "mail/flags.h"
#include "state/sightings.h"

static bool is_move(const struct step *step)
{
    return step->deed->kind == DEED_MOVED;
}

static bool has_print(const unsigned char print[STATE_PRINT_SIZE])
{
    static const unsigned char zero[STATE_PRINT_SIZE];
    return memcmp(print, zero, sizeof(zero)) != 0;
}

/* A failure of this folder, and not of the line. */
static bool is_of_folder(pr_status status)
{
    return status == PR_GONE || status == PR_REFUSED || status == PR_LATER;
}

/* ---- Where messages go back to ------------------------------------------- */

/* A folder that messages were moved from. */
struct source {
    const char *name;
    bool is_there;
    uint32_t uidvalidity; /* now; 0: the source has no UIDs */
    struct state_folder record;
};

struct giving {
    struct undo *undo;
    struct session *session;
    struct step *steps; /* by UID */
    size_t count;
    struct source *sources;
    size_t source_count;
    struct state_folder record; /* of the folder they are in */
    struct pr_deed *deeds;
    struct step **of; /* beside deeds */
    size_t deed_count;
};

static struct source *find_source(const struct giving *giving, const char *name)
{
    for (size_t i = 0; i < giving->source_count; i++) {
        if (strcmp(giving->sources[i].name, name) == 0) {
            return &giving->sources[i];
        }
    }
    return NULL;
}

static pr_status look_at_source(struct giving *giving, const char *name)
{
    struct session *session = giving->session;
    struct pr_mailbox mailbox;
    struct source *source = &giving->sources[giving->source_count++];
    source->name = name;
    pr_status status = session->account->source->source->select(session->source,
                                                                name, &mailbox);
    session_step(session);
    if (status == PR_OK) {
        source->is_there = true;
        source->uidvalidity = mailbox.uidvalidity;
    } else if (!is_of_folder(status)) {
        return status;
    }
    return state_folder(session->engine->state, session->account->name, name,
                        &source->record);
}

/* UIDs of the state that are those of the folder, or none at all. */
static bool is_as_noted(const struct source *source,
                        const struct state_deed *deed)
{
    return source->uidvalidity == deed->uidvalidity &&
           (source->record.uidvalidity == 0 ||
            source->record.uidvalidity == source->uidvalidity);
}

static pr_status check_sources(struct giving *giving)
{
    giving->sources = pr_arena_array(giving->undo->arena, giving->count,
                                     sizeof(*giving->sources));
    pr_status status = giving->sources == NULL ? PR_NOMEM : PR_OK;
    for (size_t i = 0; status == PR_OK && i < giving->count; i++) {
        struct step *step = &giving->steps[i];
        const char *name = step->deed->folder;
        if (!is_move(step)) {
            continue;
        }
        if (find_source(giving, name) == NULL) {
            status = look_at_source(giving, name);
        }
        const struct source *source = find_source(giving, name);
        if (status == PR_OK && !source->is_there) {
            step->why =
                pr_arena_printf(giving->undo->arena,
                                "there is no folder \"%s\" any more", name);
        } else if (status == PR_OK && source->uidvalidity != 0 &&
                   !is_as_noted(source, step->deed)) {
            step->why = pr_arena_printf(
                giving->undo->arena,
                "the server has numbered \"%s\" anew (UIDVALIDITY)", name);
        }
    }
    return status;
}

/* ---- Where messages are -------------------------------------------------- */

static void refuse_all(struct giving *giving, const char *why)
{
    for (size_t i = 0; i < giving->count; i++) {
        if (giving->steps[i].why == NULL) {
            giving->steps[i].why = why;
        }
    }
}

/* A Maildir or an mbox: what is in it now cannot be told to be what was. */
static pr_status refuse_unnumbered(struct giving *giving)
{
    refuse_all(giving,
               pr_arena_printf(giving->undo->arena,
                               "in a %s nothing can be undone: its messages "
                               "have no UIDs to find them again by",
                               giving->session->account->source->name));
    return PR_GONE;
}

/* Selects the folder. PR_GONE: it is not there, or nothing in it can be undone;
 * the steps say why. */
static pr_status enter(struct giving *giving)
{
    struct session *session = giving->session;
    pr_status status = session->account->source->source->select(
        session->source, session->folder, &session->mailbox);
    session_step(session);
    if (is_of_folder(status)) {
        refuse_all(giving,
                   pr_arena_printf(giving->undo->arena,
                                   "the folder \"%s\" cannot be opened: %s",
                                   session->folder, pr_last_failure()->text));
        return PR_GONE;
    }
    if (status == PR_OK && session->mailbox.uidvalidity == 0) {
        return refuse_unnumbered(giving);
    }
    if (status == PR_OK) {
        status = state_folder(session->engine->state, session->account->name,
                              session->folder, &giving->record);
    }
    for (size_t i = 0; status == PR_OK && i < giving->count; i++) {
        struct step *step = &giving->steps[i];
        uint32_t noted = is_move(step) ? step->deed->target_validity
                                       : step->deed->uidvalidity;
        if (step->uid != 0 && noted != session->mailbox.uidvalidity &&
            step->why == NULL) {
            step->why = pr_arena_printf(giving->undo->arena,
                                        "the server has numbered \"%s\" anew "
                                        "(UIDVALIDITY)",
                                        session->folder);
        }
    }
    return status;
}

static pr_status note_listed(void *user, const struct pr_item *item)
{
    struct giving *giving = user;
    size_t low = 0, high = giving->count;
    session_step(giving->session);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (giving->steps[middle].uid < item->uid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < giving->count && giving->steps[low].uid == item->uid; low++) {
        struct step *step = &giving->steps[low];
        step->is_there = true;
        step->deed->size = item->size;
        step->deed->received = item->received;
    }
    return PR_OK;
}

/* Those whose UID is known. */
static pr_status list_steps(struct giving *giving)
{
    struct session *session = giving->session;
    struct pr_range *ranges =
        pr_arena_array(session->arena, giving->count, sizeof(*ranges));
    size_t count = 0;
    if (ranges == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < giving->count; i++) {
        uint32_t uid = giving->steps[i].uid;
        if (giving->steps[i].why == NULL && uid != 0 &&
            (count == 0 || ranges[count - 1].last != uid)) {
            ranges[count++] = (struct pr_range){uid, uid};
        }
    }
    pr_status status = PR_OK;
    if (count > 0 && session->mailbox.exists > 0) {
        status = session->account->source->source->list(
            session->source, ranges, count, note_listed, giving);
    }
    for (size_t i = 0; status == PR_OK && i < giving->count; i++) {
        struct step *step = &giving->steps[i];
        if (step->why == NULL && step->uid != 0 && !step->is_there) {
            step->why =
                pr_arena_printf(giving->undo->arena,
                                "it is no longer in \"%s\"", session->folder);
        }
    }
    return status;
}

/* ---- By size and header -------------------------------------------------- */

static pr_status note_suspect(void *user, const struct pr_item *item)
{
    struct lineup *lineup = user;
    struct suspect *suspect;
    const struct suspect probe = {.item = *item, .size = item->size};
    session_step(lineup->session);
    return lineup_of_size(lineup, &probe) == NULL
               ? PR_OK
               : lineup_add(lineup, item, &suspect);
}

/* Lines up `rows` with the messages of the selected folder from a UID on. */
static pr_status look_for(struct lineup *lineup, struct state_row *rows,
                          size_t count, uint32_t from)
{
    struct session *session = lineup->session;
    const struct pr_range range = {from, UINT32_MAX};
    pr_status status = lineup_rows(lineup, rows, count);
    if (status == PR_OK && session->mailbox.exists > 0) {
        status = session->account->source->source->list(
            session->source, &range, 1, note_suspect, lineup);
    }
    return status == PR_OK ? lineup_look(lineup) : status;
}

static void match_steps(struct giving *giving, const struct lineup *lineup)
{
    for (size_t i = 0; i < giving->count; i++) {
        struct step *step = &giving->steps[i];
        if (step->uid != 0 || step->why != NULL) {
            continue;
        }
        for (size_t j = 0; j < lineup->count; j++) {
            const struct suspect *suspect = lineup->suspects[j];
            if (suspect->has_print && suspect->size == step->deed->size &&
                memcmp(suspect->print, step->deed->print, STATE_PRINT_SIZE) ==
                    0) {
                step->found++;
                step->uid = suspect->item.uid;
                step->is_there = true;
            }
        }
        if (step->found == 0) {
            step->why = pr_arena_printf(giving->undo->arena,
                                        "it is not found in \"%s\" by its size "
                                        "and header",
                                        giving->session->folder);
        } else if (step->found > 1) {
            step->why = pr_arena_printf(
                giving->undo->arena,
                "\"%s\" has it %zu times, and the server does not tell which "
                "of them was moved there (it has no UIDPLUS)",
                giving->session->folder, step->found);
        }
    }
}

/* Those of which the server did not say where they went. */
static pr_status find_steps(struct giving *giving)
{
    struct session *session = giving->session;
    struct state_row *rows =
        pr_arena_array(session->arena, giving->count, sizeof(*rows));
    size_t count = 0;
    if (rows == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < giving->count; i++) {
        struct step *step = &giving->steps[i];
        if (step->uid != 0 || step->why != NULL) {
            continue;
        }
        if (!has_print(step->deed->print)) {
            step->why = "the server does not tell where it went (it has no "
                        "UIDPLUS)";
            continue;
        }
        rows[count].size = step->deed->size;
        memcpy(rows[count++].print, step->deed->print, STATE_PRINT_SIZE);
    }
    if (count == 0) {
        return PR_OK;
    }
    struct lineup lineup = {.session = session, .arena = session->arena};
    pr_status status = look_for(&lineup, rows, count, 1);
    if (status == PR_OK) {
        match_steps(giving, &lineup);
    }
    return status;
}

/* By which they are known again if we do not live to hear their new UIDs. */
static pr_status learn_prints(struct giving *giving)
{
    struct session *session = giving->session;
    struct lineup lineup = {.session = session, .arena = session->arena};
    struct suspect **of =
        pr_arena_array(session->arena, giving->count, sizeof(struct suspect *));
    pr_status status = of == NULL ? PR_NOMEM : PR_OK;
    for (size_t i = 0; status == PR_OK && i < giving->count; i++) {
        const struct step *step = &giving->steps[i];
        const struct pr_item item = {.uid = step->uid,
                                     .size = step->deed->size};
        if (step->why != NULL || !is_move(step) ||
            has_print(step->deed->print)) {
            continue;
        }
        status = lineup_add(&lineup, &item, &of[i]);
        if (status == PR_OK) {
            of[i]->is_wanted = true;
        }
    }
    if (status == PR_OK && lineup.count > 0) {
        status = lineup_rows(&lineup, NULL, 0);
        status = status == PR_OK ? lineup_look(&lineup) : status;
    }
    for (size_t i = 0; status == PR_OK && i < giving->count; i++) {
        struct step *step = &giving->steps[i];
        if (of[i] != NULL && of[i]->has_print) {
            memcpy(step->deed->print, of[i]->print, STATE_PRINT_SIZE);
        } else if (of[i] != NULL) {
            step->why = "the server does not hand out its header";
        }
    }
    return status;
}

/* ---- Back ---------------------------------------------------------------- */

static pr_status note_begin(struct giving *giving)
{
    struct state_changes *changes;
    pr_status status = state_begin(giving->session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    for (size_t i = 0; i < giving->count; i++) {
        if (giving->steps[i].why == NULL && is_move(&giving->steps[i])) {
            state_deed_returns(changes, giving->steps[i].deed);
        }
    }
    crash_point("undo: before it is noted as begun");
    return state_commit(changes);
}

static pr_status make_deeds(struct giving *giving)
{
    struct pr_arena *arena = giving->session->arena;
    struct pr_item *items =
        pr_arena_array(arena, giving->count, sizeof(*items));
    giving->deeds =
        pr_arena_array(arena, giving->count, sizeof(*giving->deeds));
    giving->of = pr_arena_array(arena, giving->count, sizeof(struct step *));
    if (items == NULL || giving->deeds == NULL || giving->of == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < giving->count; i++) {
        struct step *step = &giving->steps[i];
        if (step->why != NULL) {
            continue;
        }
        items[i].uid = step->uid;
        giving->of[giving->deed_count] = step;
        giving->deeds[giving->deed_count++] = (struct pr_deed){
            .item = &items[i],
            .set = step->deed->clear,
            .clear = step->deed->set,
            .move_to = is_move(step) ? step->deed->folder : NULL,
            .result = PR_CANCELLED};
    }
    return PR_OK;
}

static void note_history(struct state_changes *changes,
                         const struct state_deed *deed, uint32_t uid)
{
    char reason[300] = "its flags are as before";
    if (deed->kind == DEED_MOVED) {
        (void)snprintf(reason, sizeof(reason), "moved back from %.250s",
                       deed->target);
    }
    const struct state_event event = {.time = time(NULL),
                                      .account = deed->account,
                                      .folder = deed->folder,
                                      .uid = uid,
                                      .message_id = deed->message_id,
                                      .sender = deed->sender,
                                      .subject = deed->subject,
                                      .action = "undo",
                                      .outcome = "done",
                                      .reason = reason};
    state_history(changes, &event);
}

/* The message is in its folder again, and is known there: `uid` as the server
 * or the listing tells. */
static void note_back(struct state_changes *changes,
                      const struct state_folder *record,
                      const struct state_deed *deed, uint32_t uid)
{
    struct state_row row = {.uid = uid,
                            .stage = STAGE_SETTLED,
                            .size = deed->size,
                            .received = deed->received};
    memcpy(row.print, deed->print, sizeof(row.print));
    if (record->uidvalidity != 0 && !deed->is_new) {
        state_safe(changes, record->id, &row);
    }
    state_deed_undone(changes, deed, uid);
    note_history(changes, deed, uid);
}

/* Hooks are not to take it for another's doing. */
static void note_own(struct giving *giving, struct state_changes *changes,
                     const struct step *step)
{
    const struct session *session = giving->session;
    const struct state_deed *deed = step->deed;
    const char *account = session->account->name;
    if (hooks_of_account(session->engine->config, account) == 0) {
        return;
    }
    if (!is_move(step)) {
        state_see_own_flags(changes, giving->record.id, step->uid, &deed->clear,
                            &deed->set);
        return;
    }
    struct state_sighting sighting = {
        .uid = step->uid, .size = deed->size, .received = deed->received};
    memcpy(sighting.print, deed->print, sizeof(sighting.print));
    state_expect(changes, account, folder_name(deed->folder), &sighting);
    state_unsee(changes, giving->record.id, step->uid);
}

static void note_step(struct giving *giving, struct state_changes *changes,
                      struct step *step, const struct pr_deed *deed)
{
    const struct engine_observer *observer = giving->undo->observer;
    if (deed->result != PR_OK) {
        step->why = pr_arena_printf(giving->undo->arena,
                                    "the server did not do it (%s)",
                                    pr_status_name(deed->result));
        if (is_move(step)) {
            state_deed_stays(changes, step->deed->id);
        }
        return;
    }
    note_own(giving, changes, step);
    if (!is_move(step)) {
        state_deed_undone(changes, step->deed, 0);
        note_history(changes, step->deed, step->deed->uid);
        undo_tell(observer, step->deed, "undone", NULL);
        return;
    }
    state_forget(changes, giving->record.id, step->uid);
    const struct source *source = find_source(giving, step->deed->folder);
    if (deed->target_uid != 0 && deed->target_validity == source->uidvalidity) {
        note_back(changes, &source->record, step->deed, deed->target_uid);
        undo_tell(observer, step->deed, "undone", NULL);
    } /* else it is looked for in its folder */
}

static pr_status note_end(struct giving *giving)
{
    struct state_changes *changes;
    pr_status status = state_begin(giving->session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    for (size_t i = 0; i < giving->deed_count; i++) {
        note_step(giving, changes, giving->of[i], &giving->deeds[i]);
    }
    crash_point("undo: before it is noted");
    return state_commit(changes);
}

/* Once begun it is brought to its end. */
static pr_status carry_out(struct giving *giving)
{
    struct session *session = giving->session;
    pr_status status = make_deeds(giving);
    if (status != PR_OK || giving->deed_count == 0) {
        return status;
    }
    status = note_begin(giving);
    if (status != PR_OK) {
        return status;
    }
    crash_point("undo: before the server is asked");
    status = session_ask(session, giving->deeds, giving->deed_count);
    crash_point("undo: before the answer is noted");
    struct pr_failure failure = *pr_last_failure();
    if (status != PR_OK) {
        return pr_fail(status, "%s",
                       failure.text); /* found at the next visit */
    }
    return note_end(giving);
}

static void tell_planned(const struct giving *giving)
{
    for (size_t i = 0; i < giving->count; i++) {
        if (giving->steps[i].why == NULL) {
            undo_tell(giving->undo->observer, giving->steps[i].deed, "planned",
                      NULL);
        }
    }
}

static pr_status prepare(struct giving *giving)
{
    pr_status status = check_sources(giving);
    if (status == PR_OK) {
        status = enter(giving);
    }
    if (status == PR_OK) {
        status = list_steps(giving);
    }
    if (status == PR_OK) {
        status = find_steps(giving);
    }
    return status == PR_OK ? learn_prints(giving) : status;
}

static pr_status give_back(struct session *session, void *user)
{
    struct giving *giving = user;
    giving->session = session;
    pr_status status = prepare(giving);
    if (status != PR_OK) {
        return status == PR_GONE ? PR_OK : status; /* the steps say why */
    }
    if (giving->undo->order->dry_run) {
        tell_planned(giving);
        return PR_OK;
    }
    pr_shield_begin();
    status = carry_out(giving);
    pr_shield_end();
    return status;
}

/* ---- Found again --------------------------------------------------------- */

static pr_status note_found(struct session *session, struct lineup *lineup,
                            const struct state_deed *deeds, size_t count,
                            const struct engine_observer *observer, size_t *ret)
{
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    for (size_t i = 0; i < lineup->count; i++) {
        const struct suspect *suspect = lineup->suspects[i];
        const struct state_row *row = lineup_take(lineup, suspect);
        if (row != NULL) {
            const struct state_deed *deed = &deeds[row->uid];
            note_back(changes, &session->record, deed, suspect->item.uid);
            undo_tell(observer, deed, "undone", NULL);
            ++*ret;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!lineup->is_taken[i]) {
            state_deed_stays(changes, deeds[lineup->rows[i].uid].id);
        }
    }
    crash_point("undo: before what came back is noted");
    return state_commit(changes);
}

/* What is known in the folder is not what came back. */
static void leave_out_known(struct lineup *lineup, const struct state_row *rows,
                            size_t count)
{
    size_t kept = 0, at = 0;
    for (size_t i = 0; i < lineup->count; i++) {
        struct suspect *suspect = lineup->suspects[i];
        while (at < count && rows[at].uid < suspect->item.uid) {
            at++;
        }
        if (at == count || rows[at].uid != suspect->item.uid) {
            lineup->suspects[kept++] = suspect;
        }
    }
    lineup->count = kept;
}

pr_status undo_recover(struct session *session,
                       const struct engine_observer *observer, size_t *ret)
{
    struct state *state = session->engine->state;
    struct pr_arena *arena = session->arena;
    struct state_deed *deeds;
    struct state_row *known = NULL;
    size_t count, known_count = 0;
    *ret = 0;
    pr_status status = state_deeds_returning(
        state, session->account->name, session->folder, arena, &deeds, &count);
    if (status != PR_OK || count == 0) {
        return status;
    }
    struct state_row *rows = pr_arena_array(arena, count, sizeof(*rows));
    if (rows == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].uid = (uint32_t)i;
        rows[i].size = deeds[i].size;
        memcpy(rows[i].print, deeds[i].print, STATE_PRINT_SIZE);
    }
    uint32_t from = 1;
    if (session->record.uidvalidity != 0) {
        from = session->record.watermark;
        status = state_rows(state, session->record.id, from, arena, &known,
                            &known_count);
    }
    struct lineup lineup = {.session = session, .arena = arena};
    if (status == PR_OK) {
        status = look_for(&lineup, rows, count, from);
    }
    if (status == PR_OK) {
        leave_out_known(&lineup, known, known_count);
        status = note_found(session, &lineup, deeds, count, observer, ret);
    }
    return status;
}

static pr_status recover_folder(struct session *session, void *user)
{
    const struct undo *undo = user;
    size_t found;
    pr_status status = session->account->source->source->select(
        session->source, session->folder, &session->mailbox);
    if (status == PR_OK) {
        status = state_folder(session->engine->state, session->account->name,
                              session->folder, &session->record);
    }
    return status == PR_OK ? undo_recover(session, undo->observer, &found)
                           : status;
}

pr_status undo_recover_in(struct undo *undo, const char *folder)
{
    return session_on(undo->run, undo->line, folder, recover_folder, undo);
}

/* Where the server did not tell the new UIDs. */
static pr_status find_again(struct giving *giving)
{
    const struct undo *undo = giving->undo;
    pr_status status = PR_OK;
    for (size_t i = 0; status == PR_OK && i < giving->source_count; i++) {
        struct state_deed *deeds;
        size_t count = 0;
        const char *name = giving->sources[i].name;
        status =
            state_deeds_returning(undo->run->engine->state, undo->run->name,
                                  name, undo->arena, &deeds, &count);
        if (status == PR_OK && count > 0) {
            status = undo_recover_in(giving->undo, name);
        }
    }
    return status;
}

pr_status undo_folder(struct undo *undo, struct step *steps, size_t count)
{
    struct giving giving = {.undo = undo, .steps = steps, .count = count};
    pr_status status =
        session_on(undo->run, undo->line, steps->place, give_back, &giving);
    if (status == PR_OK && !undo->order->dry_run) {
        status = find_again(&giving);
    }
    return status;
}
