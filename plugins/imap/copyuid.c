/*
 * COPYUID: two sets of UIDs that go together one by one.
 *
 * A set names its UIDs in the order they stand, a range from its lower end to
 * its upper one, whichever of them is written first (RFC 3501, 9: seq-range).
 */
#include "copyuid.h"

#include <string.h>

#include "parse.h"
#include "response.h"
#include "uidset.h"

/* The octets up to the next space, which are taken off with it. */
static struct pr_bytes take_word(struct pr_bytes *text)
{
    const char *space = memchr(text->data, ' ', text->size);
    struct pr_bytes word = *text;

    if (space != NULL)
        word.size = (size_t)(space - text->data);
    text->data += word.size + (space != NULL);
    text->size -= word.size + (space != NULL);
    return word;
}

static struct pr_range range_at(const struct pr_buffer *ranges, size_t index)
{
    struct pr_range range;

    memcpy(&range, ranges->data + index * sizeof(range), sizeof(range));
    return range;
}

static size_t count_ranges(const struct pr_buffer *ranges)
{
    return ranges->size / sizeof(struct pr_range);
}

static uint64_t count_uids(const struct pr_buffer *ranges)
{
    uint64_t count = 0;

    for (size_t i = 0; i < count_ranges(ranges); i++) {
        struct pr_range range = range_at(ranges, i);
        count += (uint64_t)range.last - range.first + 1;
    }
    return count;
}

/* "*" is no UID that a message has got. */
static bool has_star(struct pr_bytes set)
{
    return memchr(set.data, '*', set.size) != NULL;
}

static bool read_sets(struct pr_bytes argument, struct imap_response *ret)
{
    struct pr_bytes validity = take_word(&argument);
    struct pr_bytes from = take_word(&argument), to = take_word(&argument);

    if (argument.size > 0 || from.size == 0 || to.size == 0 || has_star(from) ||
        has_star(to) || !imap_number(validity, UINT32_MAX, &ret->number) ||
        ret->number == 0)
        return false;
    return imap_ranges_put(&ret->ranges, from) == PR_OK &&
           imap_ranges_put(&ret->targets, to) == PR_OK &&
           count_uids(&ret->ranges) == count_uids(&ret->targets);
}

void imap_copyuid_read(struct pr_bytes argument, struct imap_response *ret)
{
    if (read_sets(argument, ret))
        return;
    ret->number = 0;
    pr_buffer_clear(&ret->ranges);
    pr_buffer_clear(&ret->targets);
}

uint64_t imap_copyuid_count(const struct imap_response *told)
{
    return count_uids(&told->ranges);
}

void imap_copyuid_pairs(const struct imap_response *told,
                        void (*each)(void *user, uint32_t from, uint32_t to),
                        void *user)
{
    size_t at = 0;
    uint64_t next = 1, last = 0;

    for (size_t i = 0; i < count_ranges(&told->ranges); i++) {
        struct pr_range from = range_at(&told->ranges, i);
        for (uint64_t uid = from.first; uid <= from.last; uid++) {
            if (next > last) {
                struct pr_range to = range_at(&told->targets, at++);
                next = to.first;
                last = to.last;
            }
            each(user, (uint32_t)uid, (uint32_t)next++);
        }
    }
}
