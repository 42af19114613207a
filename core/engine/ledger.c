/*
 * The messages of a folder in one run, and the watermark below which all are
 * dealt with.
 */
#include <string.h>

#include "engine/parts.h"

pr_status ledger_add(struct ledger *ledger, const struct pr_item *item,
                     struct entry **ret)
{
    struct entry **entries =
        pr_arena_grow(ledger->arena, ledger->entries, ledger->count,
                      &ledger->allocated, sizeof(struct entry *));
    if (entries == NULL) {
        return PR_NOMEM;
    }
    ledger->entries = entries;
    struct entry *entry = pr_arena_alloc(ledger->arena, sizeof(*entry));
    if (entry == NULL) {
        return PR_NOMEM;
    }
    entry->item = *item;
    if (item->labels != NULL) {
        entry->item.labels = pr_arena_text(ledger->arena, item->labels);
        if (entry->item.labels == NULL) {
            return PR_NOMEM;
        }
    }
    if (item->flags.keywords != NULL) {
        entry->item.flags.keywords =
            pr_arena_text(ledger->arena, item->flags.keywords);
    }
    if (item->uidl != NULL) {
        entry->item.uidl = pr_arena_text(ledger->arena, item->uidl);
    }
    entry->item.user = entry;
    ledger->entries[ledger->count++] = entry;
    *ret = entry;
    return PR_OK;
}

size_t ledger_waiting(const struct ledger *ledger)
{
    size_t count = 0;
    for (size_t i = ledger->first_open; i < ledger->count; i++) {
        enum fate fate = ledger->entries[i]->fate;
        count += fate != FATE_DEALT && fate != FATE_DROPPED;
    }
    return count;
}

/* One below the watermark is tried again; its row in the state remembers it. */
static bool is_no_hindrance(const struct ledger *ledger,
                            const struct entry *entry)
{
    return entry->fate == FATE_DEALT || entry->item.uid < ledger->watermark;
}

uint32_t ledger_watermark(struct ledger *ledger)
{
    while (ledger->first_open < ledger->count &&
           is_no_hindrance(ledger, ledger->entries[ledger->first_open])) {
        ledger->first_open++;
    }
    uint32_t mark = ledger->first_open < ledger->count
                        ? ledger->entries[ledger->first_open]->item.uid
                        : ledger->next_uid;
    if (mark > ledger->watermark) {
        ledger->watermark = mark;
    }
    return ledger->watermark;
}
