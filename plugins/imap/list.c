/*
 * Listing messages: UID FETCH of what is known without the bodies.
 *
 * Answers are gathered until the command is done, for they may come in any
 * order and a message may be told of more than once; the later word counts.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imap.h"

#define ITEMS_CAP (10u * 1000 * 1000)
#define KEYWORDS_KEPT                                      \
    64u /* sets of keywords that are looked up, not copied \
         */

struct entry {
    uint32_t uid;
    uint32_t order; /* of arrival */
    uint64_t size;
    int64_t received;
    const char *keywords;
    const char *labels;
    unsigned system_flags;
    bool has_flags, has_labels;
};

struct gathering {
    struct imap *imap;
    const struct pr_range *ranges;
    size_t count;
    size_t range; /* the one that the last message was in */
    struct pr_buffer entries;
    bool is_sorted;

    struct sets {
        const char *kept[KEYWORDS_KEPT];
        size_t count;
    } keywords, labels;
};

/* The answer to n:* has the last message even if its UID is below n. Messages
 * mostly come in the order of the ranges. */
static bool is_in_ranges(struct gathering *gathering, uint32_t uid)
{
    for (size_t i = 0; i < gathering->count; i++) {
        size_t index = (gathering->range + i) % gathering->count;
        const struct pr_range *range = &gathering->ranges[index];
        if (uid >= range->first && uid <= range->last) {
            gathering->range = index;
            return true;
        }
    }
    return false;
}

/* Most messages share a few sets of keywords: one copy of each. */
static pr_status keep_set(const struct gathering *gathering, struct sets *sets,
                          const char *text, const char **ret)
{
    for (size_t i = 0; i < sets->count; i++)
        if (strcmp(sets->kept[i], text) == 0) {
            *ret = sets->kept[i];
            return PR_OK;
        }
    *ret = pr_arena_text(gathering->imap->folder.arena, text);
    if (*ret == NULL)
        return PR_NOMEM;
    if (sets->count < KEYWORDS_KEPT)
        sets->kept[sets->count++] = *ret;
    return PR_OK;
}

static pr_status keep_labels(struct gathering *gathering, const char *wire,
                             const char **ret)
{
    struct pr_buffer labels = {.cap = IMAP_RESPONSE_CAP};
    pr_status status = imap_labels_decode(gathering->imap, wire, &labels);

    if (status == PR_OK)
        status = keep_set(gathering, &gathering->labels,
                          pr_buffer_text(&labels), ret);
    pr_buffer_done(&labels);
    return status;
}

static pr_status gather(void *user, const struct imap_response *told)
{
    const struct imap_message *message = &told->message;
    struct gathering *gathering = user;
    struct pr_buffer *entries = &gathering->entries;
    struct entry entry = {.uid = message->uid,
                          .order = (uint32_t)(entries->size / sizeof(entry)),
                          .size = message->size,
                          .received = message->received,
                          .system_flags = message->system_flags,
                          .has_flags = message->has_flags,
                          .has_labels = message->has_labels};
    pr_status status = PR_OK;

    if (told->kind != IMAP_FETCH || message->uid == 0 ||
        !is_in_ranges(gathering, message->uid))
        return PR_OK;
    if (message->keywords.size > 0)
        status = keep_set(gathering, &gathering->keywords,
                          imap_text(told, message->keywords), &entry.keywords);
    if (status == PR_OK && message->labels.size > 0)
        status = keep_labels(gathering, imap_text(told, message->labels),
                             &entry.labels);
    if (entry.order > 0) {
        const struct entry *before =
            (const struct entry *)(void *)entries->data + entry.order - 1;
        gathering->is_sorted &= before->uid < entry.uid;
    }
    if (status == PR_OK)
        status = pr_buffer_add(entries, &entry, sizeof(entry));
    return status == PR_LIMIT
               ? pr_fail(PR_LIMIT, "the folder has over %u messages", ITEMS_CAP)
               : status;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    if (left->uid != right->uid)
        return left->uid < right->uid ? -1 : 1;
    return left->order < right->order ? -1 : left->order > right->order;
}

/* One entry of those from `first` on that are of one message. */
static size_t merge_entries(const struct entry *entries, size_t first,
                            size_t count, struct pr_item *ret)
{
    size_t i = first;
    const char *labels = NULL;

    *ret = (struct pr_item){.uid = entries[first].uid};
    for (; i < count && entries[i].uid == ret->uid; i++) {
        if (entries[i].size != 0)
            ret->size = entries[i].size;
        if (entries[i].received != 0)
            ret->received = entries[i].received;
        if (entries[i].has_flags)
            ret->flags = (struct pr_flags){.system = entries[i].system_flags,
                                           .keywords = entries[i].keywords};
        if (entries[i].has_labels)
            labels = entries[i].labels;
    }
    ret->labels = labels;
    return i;
}

static pr_status tell(const struct gathering *gathering, pr_item_listed *listed,
                      void *user)
{
    size_t count = gathering->entries.size / sizeof(struct entry);
    struct entry *entries = (struct entry *)(void *)gathering->entries.data;
    pr_status status = PR_OK;

    if (!gathering->is_sorted)
        qsort(entries, count, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < count && status == PR_OK;) {
        struct pr_item item;
        i = merge_entries(entries, i, count, &item);
        status = listed(user, &item);
    }
    return status;
}

static pr_status ask(struct imap *imap, struct imap_uidset *set)
{
    struct imap_command command;
    struct pr_bytes text;
    pr_status status = imap_uidset_finish(set, &text);

    if (status == PR_OK)
        status = imap_begin(imap, &command, "FETCH");
    if (status == PR_OK)
        status = imap_put(imap, "UID FETCH ");
    if (status == PR_OK)
        status = imap_put_bytes(imap, text);
    if (status == PR_OK)
        status = imap_put(imap, imap_can(imap, IMAP_CAN_GMAIL)
                                    ? " (UID FLAGS X-GM-LABELS INTERNALDATE "
                                      "RFC822.SIZE)"
                                    : " (UID FLAGS INTERNALDATE RFC822.SIZE)");
    if (status == PR_OK)
        status = imap_end(imap);
    if (status == PR_OK)
        status = imap_await(imap, &command);
    imap_uidset_clear(set);
    return status != PR_OK ? status : imap_verdict(&command, PR_REFUSED);
}

/* No message can be there, says UIDNEXT. */
static bool is_empty(const struct imap *imap, const struct pr_range *range)
{
    return range->first == 0 || range->first > range->last ||
           (imap->folder.uidnext != 0 && range->first >= imap->folder.uidnext);
}

static pr_status ask_all(struct imap *imap, const struct pr_range *ranges,
                         size_t count)
{
    struct imap_uidset set;
    pr_status status = PR_OK;

    imap_uidset_init(&set);
    for (size_t i = 0; i < count && status == PR_OK; i++) {
        if (is_empty(imap, &ranges[i]))
            continue;
        status = imap_uidset_add(&set, ranges[i].first, ranges[i].last);
        if (status == PR_LIMIT) {
            status = ask(imap, &set);
            i--;
        }
    }
    if (status == PR_OK && !imap_uidset_is_empty(&set))
        status = ask(imap, &set);
    imap_uidset_done(&set);
    return status;
}

/* What is there now is listed to its end: news is what comes from here on. */
static bool reaches_end(const struct pr_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ranges[i].last == UINT32_MAX)
            return true;
    return false;
}

static void note_end(struct imap *imap, const struct gathering *gathering)
{
    struct imap_known *known = imap_known_selected(imap);
    size_t count = gathering->entries.size / sizeof(struct entry);

    for (size_t i = 0; i < count && known != NULL; i++) {
        const struct entry *entry =
            (const struct entry *)(void *)gathering->entries.data + i;
        if (entry->uid >= known->uidnext && entry->uid < UINT32_MAX)
            known->uidnext = entry->uid + 1;
    }
}

pr_status imap_op_list(struct pr_source *source, const struct pr_range *ranges,
                       size_t count, pr_item_listed *listed, void *user)
{
    struct imap *imap = source->state;
    struct gathering gathering = {
        .imap = imap, .ranges = ranges, .count = count, .is_sorted = true};
    pr_status status = imap_check(imap);

    if (status != PR_OK)
        return status;
    if (imap->folder.arena == NULL)
        return pr_fail(PR_BUG, "no folder is selected");
    if (imap->folder.exists == 0)
        return PR_OK;
    pr_buffer_init(&gathering.entries, ITEMS_CAP * sizeof(struct entry));
    if (reaches_end(ranges, count) && imap_known_selected(imap) != NULL)
        imap_known_selected(imap)->news &= ~(unsigned)PR_NEWS_MESSAGES;
    imap_listen(imap, gather, NULL, &gathering);
    status = ask_all(imap, ranges, count);
    imap_listen(imap, NULL, NULL, NULL);
    if (status == PR_OK && reaches_end(ranges, count))
        note_end(imap, &gathering);
    if (status == PR_OK)
        status = tell(&gathering, listed, user);
    pr_buffer_done(&gathering.entries);
    return status;
}
