/*
 * Sets of UIDs as IMAP writes them.
 */
#include "uidset.h"

#include <inttypes.h>
#include <string.h>

#include "parse.h"

#define RANGE_SIZE 22u /* ",4294967295:4294967295" */

void imap_uidset_init(struct imap_uidset *set)
{
    *set = (struct imap_uidset){.first = 0};
    pr_buffer_init(&set->text, IMAP_UIDSET_CAP + RANGE_SIZE);
}

void imap_uidset_done(struct imap_uidset *set)
{
    pr_buffer_done(&set->text);
}

void imap_uidset_clear(struct imap_uidset *set)
{
    pr_buffer_clear(&set->text);
    set->first = set->last = 0;
}

bool imap_uidset_is_empty(const struct imap_uidset *set)
{
    return set->first == 0 && set->text.size == 0;
}

/* Writes the last range out. */
static pr_status settle_range(struct imap_uidset *set)
{
    const char *comma = set->text.size > 0 ? "," : "";
    pr_status status;

    if (set->first == 0)
        return PR_OK;
    if (set->last == UINT32_MAX && set->first != UINT32_MAX)
        status =
            pr_buffer_printf(&set->text, "%s%" PRIu32 ":*", comma, set->first);
    else if (set->last == UINT32_MAX)
        status = pr_buffer_printf(&set->text, "%s*", comma);
    else if (set->first == set->last)
        status = pr_buffer_printf(&set->text, "%s%" PRIu32, comma, set->first);
    else
        status = pr_buffer_printf(&set->text, "%s%" PRIu32 ":%" PRIu32, comma,
                                  set->first, set->last);
    if (status == PR_OK)
        set->first = set->last = 0;
    return status;
}

pr_status imap_uidset_add(struct imap_uidset *set, uint32_t first,
                          uint32_t last)
{
    if (set->first != 0 && set->last != UINT32_MAX && first == set->last + 1) {
        set->last = last;
        return PR_OK;
    }
    if (set->text.size + 2 * RANGE_SIZE > IMAP_UIDSET_CAP)
        return PR_LIMIT;
    pr_status status = settle_range(set);
    if (status == PR_OK) {
        set->first = first;
        set->last = last;
    }
    return status;
}

pr_status imap_uidset_finish(struct imap_uidset *set, struct pr_bytes *ret)
{
    pr_status status = settle_range(set);

    if (status == PR_OK)
        *ret = (struct pr_bytes){pr_buffer_text(&set->text), set->text.size};
    return status;
}

static bool take_number(struct pr_bytes *text, uint32_t *ret)
{
    struct pr_bytes digits = {text->data, 0};
    uint64_t value = 0;

    if (text->size > 0 && text->data[0] == '*') {
        *ret = UINT32_MAX;
        digits.size = 1;
    } else {
        while (digits.size < text->size && text->data[digits.size] >= '0' &&
               text->data[digits.size] <= '9')
            digits.size++;
        if (!imap_number(digits, UINT32_MAX, &value) || value == 0)
            return false;
        *ret = (uint32_t)value;
    }
    text->data += digits.size;
    text->size -= digits.size;
    return true;
}

bool imap_uidset_take(struct pr_bytes *text, uint32_t *ret_first,
                      uint32_t *ret_last)
{
    uint32_t first, last;

    if (text->size > 0 && text->data[0] == ',') {
        text->data++;
        text->size--;
    }
    if (!take_number(text, &first))
        return false;
    last = first;
    if (text->size > 0 && text->data[0] == ':') {
        text->data++;
        text->size--;
        if (!take_number(text, &last))
            return false;
    }
    *ret_first = first < last ? first : last;
    *ret_last = first < last ? last : first;
    return text->size == 0 || text->data[0] == ',';
}
