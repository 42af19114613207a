/*
 * Where folders stand, and what is news of them.
 */
#include <stdlib.h>
#include <string.h>

#include "imap.h"
#include "utf7.h"

#define KNOWN_CAP 100000u

void imap_watching_init(struct imap_watching *watching)
{
    *watching = (struct imap_watching){.selected = IMAP_NONE};
}

void imap_watching_done(struct imap_watching *watching)
{
    free(watching->all);
    imap_watching_init(watching);
}

/* ---- The entries --------------------------------------------------------- */

static bool is_called(const struct imap_known *known, const char *name)
{
    return strcmp(known->name, name) == 0 ||
           (imap_is_inbox(known->name) && imap_is_inbox(name));
}

static size_t find(struct imap_watching *watching, const char *name)
{
    for (size_t i = 0; i < watching->count; i++) {
        size_t index = (watching->last_found + i) % watching->count;
        if (is_called(&watching->all[index], name)) {
            watching->last_found = index;
            return index;
        }
    }
    return IMAP_NONE;
}

pr_status imap_known(struct imap *imap, const char *name, size_t *ret)
{
    struct imap_watching *watching = &imap->watching;

    *ret = find(watching, name);
    if (*ret != IMAP_NONE)
        return PR_OK;
    if (watching->count == KNOWN_CAP)
        return pr_fail(PR_LIMIT, "over %u folders", KNOWN_CAP);
    if (watching->count == watching->room) {
        size_t room = watching->room == 0 ? 1 : 2 * watching->room;
        struct imap_known *all = calloc(room, sizeof(*all));
        if (all == NULL)
            return pr_fail(PR_NOMEM, "out of memory");
        if (watching->count > 0)
            memcpy(all, watching->all, watching->count * sizeof(*all));
        free(watching->all);
        watching->all = all;
        watching->room = room;
    }
    const char *copy = pr_arena_text(imap->arena, name);
    if (copy == NULL)
        return PR_NOMEM;
    *ret = watching->count++;
    watching->all[*ret] = (struct imap_known){.name = copy};
    return PR_OK;
}

size_t imap_known_by_wire(struct imap *imap, struct pr_bytes wire)
{
    struct pr_buffer decoded = {.cap = IMAP_TOKEN_CAP};
    const char *name = wire.data; /* NUL-terminated in the response */

    if (imap->watching.count == 0)
        return IMAP_NONE;
    if (!imap->utf8 && imap_utf7_decode(wire, &decoded) == PR_OK)
        name = pr_buffer_text(&decoded);
    size_t index = find(&imap->watching, name);
    if (index == IMAP_NONE && name != wire.data)
        index = find(&imap->watching, wire.data);
    pr_buffer_done(&decoded);
    return index;
}

struct imap_known *imap_known_selected(struct imap *imap)
{
    size_t index = imap->watching.selected;

    return index == IMAP_NONE ? NULL : &imap->watching.all[index];
}

void imap_known_tell(struct imap_known *known, const struct pr_glance *glance)
{
    known->uidvalidity = glance->uidvalidity;
    known->uidnext = glance->uidnext;
    known->exists = glance->exists;
    known->modseq = glance->modseq;
    known->is_seen = true;
    known->news = 0;
}

/* ---- The selected folder ------------------------------------------------- */

/* FETCH and EXPUNGE that some operation asked for are no news. */
static bool is_asked_for(const struct imap *imap)
{
    bool fetches = imap->receiver != NULL;

    return imap->watching.is_settling || (imap->untagged != NULL && !fetches);
}

static void note_selected(struct imap *imap, const struct imap_response *told)
{
    struct imap_known *known = imap_known_selected(imap);
    uint32_t exists = imap->folder.exists;
    unsigned news = 0;

    if (known == NULL)
        return;
    switch (told->kind) {
    case IMAP_EXISTS:
        if (told->number > exists) {
            known->news |= PR_NEWS_MESSAGES;
            imap->watching.has_changed |= imap->setup.qresync;
        }
        if (told->number < exists)
            news = PR_NEWS_VANISHED;
        break;
    case IMAP_EXPUNGE:
        news = PR_NEWS_VANISHED;
        break;
    case IMAP_VANISHED:
        if (!told->is_earlier)
            news = PR_NEWS_VANISHED;
        break;
    default:
        if (told->message.has_flags && told->message.body == IMAP_BODY_NONE &&
            !is_asked_for(imap))
            news = PR_NEWS_FLAGS;
        break;
    }
    if (news == PR_NEWS_VANISHED && imap->watching.is_settling)
        return;
    known->news |= news;
    imap->watching.has_changed |= news != 0;
}

/* ---- The others ---------------------------------------------------------- */

static unsigned compare(const struct imap_known *known,
                        const struct imap_status *told)
{
    unsigned news = 0;
    bool is_new_to_us = !known->is_seen && known->uidvalidity == 0;

    if (told->uidvalidity != 0 && known->uidvalidity != 0 &&
        told->uidvalidity != known->uidvalidity)
        return PR_NEWS_FOLDER | PR_NEWS_MESSAGES;
    if (is_new_to_us)
        return told->has_exists && told->exists == 0 ? 0 : PR_NEWS_MESSAGES;
    uint32_t added = 0;
    if (told->uidnext != 0 && known->uidnext == 0)
        news |= PR_NEWS_MESSAGES;
    else if (told->uidnext > known->uidnext)
        added = told->uidnext - known->uidnext;
    else if (told->uidnext == 0 && told->has_exists &&
             told->exists > known->exists)
        added = told->exists - known->exists;
    if (added > 0)
        news |= PR_NEWS_MESSAGES;
    if (told->has_exists && told->exists < known->exists)
        news |= PR_NEWS_VANISHED;
    if (told->modseq > known->modseq && known->modseq != 0 && news == 0)
        news |= PR_NEWS_FLAGS;
    return news;
}

static void note_status(struct imap *imap, const struct imap_response *told)
{
    const struct imap_status *status = &told->status;
    struct pr_bytes wire = {imap_text(told, told->mailbox.name),
                            told->mailbox.name.size};
    size_t index = imap_known_by_wire(imap, wire);

    if (index == IMAP_NONE)
        return;
    struct imap_known *known = &imap->watching.all[index];
    known->is_answered = true;
    if (index == imap->watching.selected)
        return; /* EXISTS tells of it, and is never late */
    known->news |= compare(known, status);
    if (status->uidvalidity != 0)
        known->uidvalidity = status->uidvalidity;
    if (status->uidnext != 0)
        known->uidnext = status->uidnext;
    if (status->has_exists)
        known->exists = status->exists;
    if (status->modseq != 0)
        known->modseq = status->modseq;
}

/* A folder was made, renamed or deleted (RFC 5465, 5.4). */
static pr_status note_folder(struct imap *imap,
                             const struct imap_response *told)
{
    struct pr_bytes wire = {imap_text(told, told->mailbox.name),
                            told->mailbox.name.size};
    size_t index = imap_known_by_wire(imap, wire);
    const char *name = NULL;
    pr_status status = PR_OK;

    if (index == IMAP_NONE) {
        status = imap_name_read(imap, wire, &name);
        if (status != PR_OK || name == NULL)
            return status;
        status = imap_known(imap, name, &index);
    }
    if (status == PR_OK)
        imap->watching.all[index].news |= PR_NEWS_FOLDER;
    return status;
}

pr_status imap_note_news(struct imap *imap, const struct imap_response *told)
{
    struct imap_watching *watching = &imap->watching;

    switch (told->kind) {
    case IMAP_EXISTS:
    case IMAP_EXPUNGE:
    case IMAP_VANISHED:
    case IMAP_FETCH:
        note_selected(imap, told);
        break;
    case IMAP_STATUS:
        if (watching->is_notifying)
            note_status(imap, told);
        break;
    case IMAP_LIST:
        if (watching->is_notifying && imap->untagged == NULL)
            return note_folder(imap, told);
        break;
    case IMAP_CONDITION:
        if (told->code == IMAP_CODE_NOTIFICATIONOVERFLOW &&
            watching->is_notifying) {
            watching->is_notifying = watching->was_set = false;
            watching->has_overflowed = true;
            watching->overflows++;
            imap_note_loss(imap);
        }
        break;
    default:
        break;
    }
    return PR_OK;
}

void imap_note_loss(struct imap *imap)
{
    struct imap_watching *watching = &imap->watching;

    for (size_t i = 0; i < watching->count; i++)
        if (watching->all[i].is_watched)
            watching->all[i].news |=
                PR_NEWS_MESSAGES | PR_NEWS_FLAGS | PR_NEWS_VANISHED;
}

/* ---- Telling ------------------------------------------------------------- */

static bool is_among(const char *const *folders, const struct imap_known *known)
{
    for (; *folders != NULL; folders++)
        if (is_called(known, *folders))
            return true;
    return false;
}

pr_status imap_tell_news(struct imap *imap, const struct pr_watch *watch,
                         bool *ret)
{
    struct imap_watching *watching = &imap->watching;

    *ret = false;
    for (size_t i = 0; i < watching->count; i++) {
        struct imap_known *known = &watching->all[i];
        unsigned news = known->news & watch->wanted;
        if (known->news == 0)
            continue;
        bool is_watched = is_among(watch->folders, known);
        if (is_watched || (news & PR_NEWS_FOLDER) != 0)
            known->news = 0;
        if (!is_watched)
            news &= PR_NEWS_FOLDER;
        if (news == 0)
            continue;
        watch->news(watch->user, known->name, news);
        *ret = true;
    }
    return PR_OK;
}
