/*
 * What changed in the selected folder (RFC 7162).
 *
 * With QRESYNC one command tells of flags and of what is gone; with CONDSTORE
 * alone a SEARCH goes along with it, which tells what is there; with neither,
 * or where that answer would be too long, the flags of all messages are asked
 * for. Answers are gathered until the
 * commands are done, for they may come in any order and a message may be told
 * of more than once; the later word counts.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imap.h"

#define CHANGES_CAP (10u * 1000 * 1000)
#define KEYWORDS_KEPT                                      \
    64u /* sets of keywords that are looked up, not copied \
         */

struct change {
    uint32_t uid;
    uint32_t order; /* of arrival */
    unsigned system_flags;
    const char *keywords;
    uint64_t modseq;
};

struct survey {
    struct imap *imap;
    struct pr_arena *arena;
    struct pr_buffer changes; /* of struct change */
    struct pr_buffer ranges;  /* of struct pr_range: what is gone, or there */
    bool was_searched;        /* an answer to SEARCH came */
    const char *keywords[KEYWORDS_KEPT];
    size_t keyword_sets;
};

/* ---- Gathering ---------------------------------------------------------- */

/* Most messages share a few sets of keywords: one copy of each. */
static pr_status keep_keywords(struct survey *survey, const char *text,
                               const char **ret)
{
    for (size_t i = 0; i < survey->keyword_sets; i++)
        if (strcmp(survey->keywords[i], text) == 0) {
            *ret = survey->keywords[i];
            return PR_OK;
        }
    *ret = pr_arena_text(survey->arena, text);
    if (*ret == NULL)
        return PR_NOMEM;
    if (survey->keyword_sets < KEYWORDS_KEPT)
        survey->keywords[survey->keyword_sets++] = *ret;
    return PR_OK;
}

static pr_status add_change(struct survey *survey,
                            const struct imap_response *told)
{
    const struct imap_message *message = &told->message;
    struct change change = {
        .uid = message->uid,
        .order = (uint32_t)(survey->changes.size / sizeof(change)),
        .system_flags = message->system_flags,
        .modseq = message->modseq};
    pr_status status = PR_OK;

    if (message->uid == 0 || !message->has_flags)
        return PR_OK;
    if (message->keywords.size > 0)
        status = keep_keywords(survey, imap_text(told, message->keywords),
                               &change.keywords);
    if (status == PR_OK)
        status = pr_buffer_add(&survey->changes, &change, sizeof(change));
    return status == PR_LIMIT
               ? pr_fail(PR_LIMIT, "over %u changes in the folder", CHANGES_CAP)
               : status;
}

/* What is gone: with (EARLIER) or just now. */
static pr_status note_vanished(void *user, const struct imap_response *told)
{
    struct survey *survey = user;

    if (told->kind == IMAP_FETCH)
        return add_change(survey, told);
    if (told->kind != IMAP_VANISHED)
        return PR_OK;
    return pr_buffer_add(&survey->ranges, told->ranges.data, told->ranges.size);
}

/* What is there. */
static pr_status note_found(void *user, const struct imap_response *told)
{
    struct survey *survey = user;

    if (told->kind == IMAP_FETCH)
        return add_change(survey, told);
    if (told->kind != IMAP_SEARCH)
        return PR_OK;
    survey->was_searched = true;
    return pr_buffer_add(&survey->ranges, told->ranges.data, told->ranges.size);
}

static void forget(struct survey *survey)
{
    pr_buffer_clear(&survey->changes);
    pr_buffer_clear(&survey->ranges);
    survey->was_searched = false;
}

/* ---- Order -------------------------------------------------------------- */

static int compare_changes(const void *a, const void *b)
{
    const struct change *left = a, *right = b;

    if (left->uid != right->uid)
        return left->uid < right->uid ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

/* By ascending UID, the last word of each. */
static size_t sort_changes(struct survey *survey)
{
    struct change *changes = (struct change *)(void *)survey->changes.data;
    size_t count = survey->changes.size / sizeof(*changes), kept = 0;

    if (count == 0)
        return 0;
    qsort(changes, count, sizeof(*changes), compare_changes);
    for (size_t i = 0; i < count; i++)
        if (i + 1 == count || changes[i + 1].uid != changes[i].uid)
            changes[kept++] = changes[i];
    survey->changes.size = kept * sizeof(*changes);
    return kept;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct pr_range *left = a, *right = b;

    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->last < right->last ? -1 : left->last > right->last;
}

static void sort_ranges(struct pr_buffer *ranges)
{
    if (ranges->size > 0)
        qsort(ranges->data, ranges->size / sizeof(struct pr_range),
              sizeof(struct pr_range), compare_ranges);
}

/* Ranges that UIDs are looked up in, in ascending order. */
struct cursor {
    const struct pr_range *at, *end;
};

static struct cursor cursor_over(const struct pr_buffer *ranges)
{
    const struct pr_range *first = (const void *)ranges->data;

    return (struct cursor){first,
                           first + ranges->size / sizeof(struct pr_range)};
}

static bool covers(struct cursor *cursor, uint32_t uid)
{
    while (cursor->at < cursor->end && cursor->at->last < uid)
        cursor->at++;
    return cursor->at < cursor->end && cursor->at->first <= uid;
}

/* ---- Asking ------------------------------------------------------------- */

static pr_status send_fetch(struct imap *imap, struct imap_command *command,
                            uint64_t modseq, bool tells_vanished)
{
    struct pr_buffer text = {.cap = 200};
    pr_status status = pr_buffer_add_text(&text, "UID FETCH 1:* (UID FLAGS)");

    if (status == PR_OK && modseq > 0)
        status = pr_buffer_printf(&text, " (CHANGEDSINCE %" PRIu64 "%s)",
                                  modseq, tells_vanished ? " VANISHED" : "");
    if (status == PR_OK)
        status = imap_send(imap, command, "FETCH", pr_buffer_text(&text));
    pr_buffer_done(&text);
    return status;
}

static pr_status send_search(struct imap *imap, struct imap_command *command)
{
    return imap_send(imap, command, "SEARCH",
                     imap_can(imap, IMAP_CAN_ESEARCH)
                         ? "UID SEARCH RETURN (ALL) ALL"
                         : "UID SEARCH ALL");
}

/* RFC 7162, 3.2.6. *ret false: the server will not have it. */
static pr_status ask_qresync(struct survey *survey, uint64_t modseq, bool *ret)
{
    struct imap *imap = survey->imap;
    struct imap_command fetch;

    imap_listen(imap, note_vanished, NULL, survey);
    pr_status status = send_fetch(imap, &fetch, modseq, true);
    if (status == PR_OK)
        status = imap_await(imap, &fetch);
    *ret = status == PR_OK && fetch.condition == IMAP_OK;
    return status;
}

/* RFC 7162, 3.1.4.1: tells nothing of what is gone, so what is there is asked
 * for in the same flight. */
static pr_status ask_condstore(struct survey *survey, uint64_t modseq,
                               bool *ret)
{
    struct imap *imap = survey->imap;
    struct imap_command fetch, search;

    imap_listen(imap, note_found, NULL, survey);
    pr_status status = send_fetch(imap, &fetch, modseq, false);
    if (status == PR_OK)
        status = send_search(imap, &search);
    if (status == PR_OK)
        status = imap_await(imap, &fetch);
    if (status == PR_OK)
        status = imap_await(imap, &search);
    *ret = status == PR_OK && fetch.condition == IMAP_OK &&
           search.condition == IMAP_OK && survey->was_searched;
    return status;
}

static pr_status ask_all(struct survey *survey)
{
    struct imap_command fetch;

    imap_listen(survey->imap, note_found, NULL, survey);
    pr_status status = send_fetch(survey->imap, &fetch, 0, false);
    if (status == PR_OK)
        status = imap_await(survey->imap, &fetch);
    if (status == PR_OK)
        status = imap_verdict(&fetch, PR_REFUSED);
    pr_buffer_clear(&survey->ranges);
    size_t count = status == PR_OK ? sort_changes(survey) : 0;
    const struct change *changes = (const void *)survey->changes.data;
    for (size_t i = 0; i < count && status == PR_OK; i++) {
        struct pr_range range = {changes[i].uid, changes[i].uid};
        status = pr_buffer_add(&survey->ranges, &range, sizeof(range));
    }
    return status;
}

/* ---- Telling ------------------------------------------------------------ */

/* Servers may leave out of an answer what they cannot read: what is not told of
 * is gone only if as many are told of as there are. */
static bool is_complete(const struct survey *survey)
{
    struct cursor all = cursor_over(&survey->ranges);
    uint64_t count = 0;

    for (; all.at < all.end; all.at++)
        count += (uint64_t)all.at->last - all.at->first + 1;
    return count >= survey->imap->folder.exists;
}

struct telling {
    const struct change *at, *end;
    pr_changed *changed;
    void *user;
};

/* The flags of the messages below `uid`; one of `uid` itself is passed over. */
static pr_status tell_flags(struct telling *telling, uint32_t uid)
{
    pr_status status = PR_OK;

    for (; status == PR_OK && telling->at < telling->end &&
           telling->at->uid < uid;
         telling->at++) {
        const struct change *at = telling->at;
        struct pr_change change = {.uid = at->uid,
                                   .flags = {at->system_flags, at->keywords},
                                   .modseq = at->modseq};
        status = telling->changed(telling->user, &change);
    }
    if (telling->at < telling->end && telling->at->uid == uid)
        telling->at++;
    return status;
}

static pr_status tell_gone(struct telling *telling, uint32_t uid)
{
    struct pr_change change = {.uid = uid, .is_gone = true};
    pr_status status = tell_flags(telling, uid);

    return status == PR_OK ? telling->changed(telling->user, &change) : status;
}

/* `are_gone`: the ranges are of what is gone, else of what is there. */
static pr_status tell(struct survey *survey, const struct pr_range *known,
                      size_t count, bool are_gone, pr_changed *changed,
                      void *user)
{
    size_t changes = sort_changes(survey);
    struct telling telling = {.at = (const void *)survey->changes.data,
                              .changed = changed,
                              .user = user};
    bool tells_gone = are_gone || is_complete(survey);
    pr_status status = PR_OK;

    telling.end = telling.at + changes;
    sort_ranges(&survey->ranges);
    struct cursor ranges = cursor_over(&survey->ranges);
    for (size_t i = 0; tells_gone && i < count; i++)
        for (uint64_t uid = known[i].first;
             status == PR_OK && uid <= known[i].last; uid++)
            if (covers(&ranges, (uint32_t)uid) == are_gone)
                status = tell_gone(&telling, (uint32_t)uid);
    return status == PR_OK ? tell_flags(&telling, UINT32_MAX) : status;
}

/* ---- The operation ------------------------------------------------------ */

/* Can all messages be named in one answer? */
static bool can_name_all(const struct imap *imap)
{
    return imap_can(imap, IMAP_CAN_ESEARCH) ||
           imap->folder.exists <= IMAP_SEARCH_MOST;
}

static pr_status look(struct survey *survey, uint64_t modseq, bool *ret_gone)
{
    struct imap *imap = survey->imap;
    bool can_tell = modseq > 0 && imap->folder.modseq > 0;
    bool is_told = false;
    pr_status status = PR_OK;

    *ret_gone = false;
    if (imap->folder.exists == 0)
        return PR_OK;
    if (can_tell && imap->qresync) {
        status = ask_qresync(survey, modseq, &is_told);
        *ret_gone = is_told;
    } else if (can_tell && imap_can(imap, IMAP_CAN_CONDSTORE) &&
               can_name_all(imap)) {
        status = ask_condstore(survey, modseq, &is_told);
    }
    if (status != PR_OK || is_told)
        return status;
    forget(survey);
    return ask_all(survey);
}

static pr_status survey_folder(struct survey *survey, uint64_t modseq,
                               const struct pr_range *known, size_t count,
                               pr_changed *changed, void *user,
                               uint64_t *ret_modseq)
{
    uint64_t now = survey->imap->folder.modseq;
    bool are_gone = false;
    pr_status status = look(survey, modseq, &are_gone);

    imap_listen(survey->imap, NULL, NULL, NULL);
    if (status == PR_OK) {
        *ret_modseq = are_gone || is_complete(survey) ? now : 0;
        status = tell(survey, known, count, are_gone, changed, user);
    }
    return status;
}

pr_status imap_op_changes(struct pr_source *source, uint64_t modseq,
                          const struct pr_range *known, size_t count,
                          pr_changed *changed, void *user, uint64_t *ret_modseq)
{
    struct imap *imap = source->state;
    struct survey survey = {.imap = imap};
    pr_status status = imap_check(imap);

    if (status != PR_OK)
        return status;
    if (imap->folder.arena == NULL)
        return pr_fail(PR_BUG, "no folder is selected");
    survey.arena = pr_arena_new();
    if (survey.arena == NULL)
        return PR_NOMEM;
    pr_buffer_init(&survey.changes, CHANGES_CAP * sizeof(struct change));
    pr_buffer_init(&survey.ranges, CHANGES_CAP * sizeof(struct pr_range));
    status =
        survey_folder(&survey, modseq, known, count, changed, user, ret_modseq);
    pr_buffer_done(&survey.changes);
    pr_buffer_done(&survey.ranges);
    pr_arena_free(survey.arena);
    return status;
}
