/*
 * What other programs did in a folder: what is there against what was last
 * seen.
 *
 * The first look at a folder tells of nothing, it only learns, and so does the
 * first after the server numbered the folder anew.
 */
#include "engine/events.h"

#include <string.h>
#include <time.h>

#include "mail/flags.h"

/* ---- Happenings ---------------------------------------------------------- */

pr_status lookout_add(struct lookout *lookout, uint32_t uid,
                      struct happening **ret)
{
    struct happening **more =
        pr_arena_grow(lookout->arena, lookout->happenings, lookout->count,
                      &lookout->allocated, sizeof(struct happening *));
    if (more == NULL) {
        return PR_NOMEM;
    }
    lookout->happenings = more;
    struct happening *happening =
        pr_arena_alloc(lookout->arena, sizeof(*happening));
    if (happening == NULL) {
        return PR_NOMEM;
    }
    happening->item.uid = uid;
    happening->sighting.uid = uid;
    lookout->happenings[lookout->count++] = happening;
    *ret = happening;
    return PR_OK;
}

static pr_status copy_flags(struct lookout *lookout,
                            const struct pr_flags *flags, struct pr_flags *ret)
{
    *ret = *flags;
    ret->system &= ~(unsigned)PR_FLAG_RECENT;
    ret->keywords = NULL;
    if (flags->keywords != NULL && *flags->keywords != '\0') {
        ret->keywords = pr_arena_text(lookout->arena, flags->keywords);
        return ret->keywords == NULL ? PR_NOMEM : PR_OK;
    }
    return PR_OK;
}

static struct state_sighting *find_known(const struct lookout *lookout,
                                         uint32_t uid)
{
    size_t low = 0, high = lookout->known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lookout->known[middle].uid < uid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_there =
        low < lookout->known_count && lookout->known[low].uid == uid;
    return is_there ? &lookout->known[low] : NULL;
}

/* ---- Comparing ----------------------------------------------------------- */

static pr_status note_known(struct lookout *lookout,
                            const struct state_sighting *known,
                            struct happening **ret)
{
    pr_status status = lookout_add(lookout, known->uid, ret);
    if (status != PR_OK) {
        return status;
    }
    struct happening *happening = *ret;
    happening->was_known = true;
    happening->old = known->flags;
    happening->sighting = *known;
    happening->item.size = known->size;
    happening->item.received = known->received;
    happening->item.flags = known->flags;
    return PR_OK;
}

static bool is_wanted(const struct lookout *lookout, enum hook_kind kind)
{
    return (lookout->kinds & kind) != 0;
}

static pr_status note_gone(struct lookout *lookout,
                           const struct state_sighting *known)
{
    struct happening *happening;
    pr_status status = note_known(lookout, known, &happening);
    if (status != PR_OK) {
        return status;
    }
    happening->sighting.gone = time(NULL);
    happening->sighting.is_new = false;
    if (!known->is_ours && !known->is_new &&
        is_wanted(lookout, HOOK_VANISHED)) {
        happening->kind = HOOK_VANISHED;
    }
    return PR_OK;
}

static pr_status note_changed(struct lookout *lookout,
                              const struct state_sighting *known,
                              const struct pr_flags *flags)
{
    struct happening *happening;
    bool is_equal = flags_are_equal(&known->flags, flags);
    if (is_equal && known->tries == 0 && !known->is_ours) {
        return PR_OK;
    }
    pr_status status = note_known(lookout, known, &happening);
    if (status == PR_OK) {
        status = copy_flags(lookout, flags, &happening->item.flags);
    }
    if (status != PR_OK) {
        return status;
    }
    happening->sighting.is_ours = false;
    happening->sighting.flags = happening->item.flags;
    if (!is_equal && is_wanted(lookout, HOOK_FLAGS)) {
        happening->kind = HOOK_FLAGS;
    } else {
        happening->sighting.tries = 0;
    }
    return PR_OK;
}

static pr_status note_arrival(struct lookout *lookout,
                              const struct state_sighting *pending,
                              uint32_t uid, const struct pr_flags *flags)
{
    struct happening *happening;
    pr_status status = lookout_add(lookout, uid, &happening);
    if (status != PR_OK) {
        return status;
    }
    happening->sighting.is_new = true;
    happening->sighting.tries = pending != NULL ? pending->tries : 0;
    status = copy_flags(lookout, flags, &happening->item.flags);
    happening->sighting.flags = happening->item.flags;
    return status;
}

static pr_status note_change(void *user, const struct pr_change *change)
{
    struct lookout *lookout = user;
    const struct state_sighting *known = find_known(lookout, change->uid);
    if (change->is_gone) {
        return known == NULL ? PR_OK : note_gone(lookout, known);
    }
    if (known == NULL || known->is_new) {
        return note_arrival(lookout, known, change->uid, &change->flags);
    }
    return note_changed(lookout, known, &change->flags);
}

/* The UIDs of what is known, as ranges. */
static pr_status known_ranges(const struct lookout *lookout,
                              struct pr_range **ret, size_t *ret_count)
{
    struct pr_range *ranges = pr_arena_array(
        lookout->arena, lookout->known_count + 1, sizeof(*ranges));
    if (ranges == NULL) {
        return PR_NOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < lookout->known_count; i++) {
        uint32_t uid = lookout->known[i].uid;
        if (count > 0 && ranges[count - 1].last + 1 == uid) {
            ranges[count - 1].last = uid;
        } else {
            ranges[count++] = (struct pr_range){uid, uid};
        }
    }
    *ret = ranges;
    *ret_count = count;
    return PR_OK;
}

/* Messages that are to go by our own doing, where the server may have done it
 * without our knowing, vanish by nobody else's. */
static pr_status excuse_debts(struct lookout *lookout)
{
    struct session *session = lookout->session;
    struct state_row *rows;
    size_t count;
    if (!is_wanted(lookout, HOOK_VANISHED) || !lookout->is_fetched) {
        return PR_OK;
    }
    pr_status status = state_rows(session->engine->state, session->record.id,
                                  UINT32_MAX, lookout->arena, &rows, &count);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        struct state_sighting *known = find_known(lookout, rows[i].uid);
        if (known != NULL && rows[i].stage == STAGE_OWED &&
            (rows[i].debt.remove || rows[i].debt.move_to != NULL)) {
            known->is_ours = true;
        }
    }
    return status;
}

static pr_status compare(struct lookout *lookout, uint64_t *ret_modseq)
{
    struct session *session = lookout->session;
    const struct pr_source_ops *ops = session->account->source->source;
    struct pr_range *ranges = NULL;
    size_t count = 0;
    uint64_t since = lookout->record.modseq <= session->mailbox.modseq
                         ? lookout->record.modseq
                         : 0; /* the folder was put back from a copy */
    pr_status status =
        state_sightings(session->engine->state, session->record.id,
                        lookout->arena, &lookout->known, &lookout->known_count);
    if (status == PR_OK) {
        status = excuse_debts(lookout);
    }
    if (status == PR_OK) {
        status = known_ranges(lookout, &ranges, &count);
    }
    if (status == PR_OK) {
        status = ops->changes(session->source, since, ranges, count,
                              note_change, lookout, ret_modseq);
    }
    if (status == PR_OK) {
        status = arrivals_learn(lookout);
    }
    return status == PR_OK ? arrivals_trace(lookout) : status;
}

/* ---- Learning ------------------------------------------------------------ */

static pr_status note_item(void *user, const struct pr_item *item)
{
    struct lookout *lookout = user;
    return note_arrival(lookout, NULL, item->uid, &item->flags);
}

static pr_status learn(struct lookout *lookout)
{
    struct session *session = lookout->session;
    const struct pr_source_ops *ops = session->account->source->source;
    struct pr_range all = {1, UINT32_MAX};
    pr_status status = PR_OK;
    if (session->engine->dry_run) {
        return PR_OK;
    }
    if (session->mailbox.exists > 0) {
        status = ops->list(session->source, &all, 1, note_item, lookout);
    }
    if (status == PR_OK) {
        status = arrivals_learn(lookout);
    }
    if (status != PR_OK) {
        return status;
    }
    struct state_changes *changes;
    status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    const struct state_lookout now = {session->mailbox.uidvalidity,
                                      session->mailbox.modseq,
                                      lookout->wants_prints};
    state_unsee_all(changes, session->record.id);
    for (size_t i = 0; i < lookout->count; i++) {
        lookout->happenings[i]->sighting.is_new = false;
        state_see(changes, session->record.id,
                  &lookout->happenings[i]->sighting);
    }
    state_look(changes, session->record.id, &now);
    return state_commit(changes);
}

/* ---- One visit ----------------------------------------------------------- */

/* Is what the state has seen of the folder what is in it? */
static bool is_known_folder(const struct lookout *lookout)
{
    const struct pr_mailbox *mailbox = &lookout->session->mailbox;
    return lookout->record.uidvalidity == mailbox->uidvalidity &&
           (lookout->record.has_prints || !lookout->wants_prints);
}

static bool is_unchanged(const struct lookout *lookout)
{
    const struct pr_mailbox *mailbox = &lookout->session->mailbox;
    return mailbox->modseq != 0 && mailbox->modseq == lookout->record.modseq;
}

static pr_status tell_changes(struct lookout *lookout)
{
    uint64_t modseq = 0;
    pr_status status = compare(lookout, &modseq);
    if (status != PR_OK) {
        return status;
    }
    struct state_lookout position = lookout->record;
    position.modseq = modseq;
    status = hooks_tell(lookout, &position);
    for (size_t i = 0; i < lookout->count; i++) {
        message_free(lookout->happenings[i]->message);
        lookout->happenings[i]->message = NULL;
    }
    return status;
}

static pr_status look(struct lookout *lookout)
{
    struct session *session = lookout->session;
    pr_status status = state_lookout(session->engine->state, session->record.id,
                                     &lookout->record);
    if (status != PR_OK) {
        return status;
    }
    if (!is_known_folder(lookout)) {
        return learn(lookout);
    }
    return is_unchanged(lookout) ? PR_OK : tell_changes(lookout);
}

pr_status session_tell_events(struct session *session)
{
    const struct config *config = session->engine->config;
    const char *account = session->account->name;
    struct lookout lookout = {.session = session,
                              .is_fetched = !session->is_for_events};
    lookout.kinds =
        hooks_of_folder(config, account, session->folder, lookout.is_fetched);
    if (lookout.kinds == 0 || !session->has_uids ||
        account_is_stopping(session->run)) {
        return PR_OK;
    }
    lookout.wants_prints = (hooks_of_account(config, account) &
                            (HOOK_VANISHED | HOOK_MOVED_IN)) != 0;
    lookout.arena = pr_arena_new();
    if (lookout.arena == NULL) {
        return PR_NOMEM;
    }
    pr_status status = look(&lookout);
    pr_arena_free(lookout.arena);
    return status;
}
