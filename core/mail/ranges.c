/*
 * Sets of UIDs as arrays of ranges.
 */
#include "config.h"

#include "mail/ranges.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const struct pr_range *left = a, *right = b;

    return left->first < right->first ? -1 : left->first > right->first;
}

/* Appends a range that begins no earlier than the last one. */
static size_t append(struct pr_range *out, size_t count, struct pr_range range)
{
    struct pr_range *last = count > 0 ? &out[count - 1] : NULL;

    if (last != NULL &&
        (last->last == UINT32_MAX || range.first <= last->last + 1)) {
        if (range.last > last->last)
            last->last = range.last;
        return count;
    }
    out[count] = range;
    return count + 1;
}

size_t ranges_tidy(struct pr_range *ranges, size_t count)
{
    size_t left = 0;

    if (count > 0)
        qsort(ranges, count, sizeof(*ranges), compare);
    for (size_t i = 0; i < count; i++)
        left = append(ranges, left, ranges[i]);
    return left;
}

uint64_t ranges_size(const struct pr_range *ranges, size_t count)
{
    uint64_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += (uint64_t)ranges[i].last - ranges[i].first + 1;
    return size;
}

bool ranges_have(const struct pr_range *ranges, size_t count, uint32_t uid)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ranges[middle].last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges[low].first <= uid;
}

size_t ranges_union(const struct pr_range *a, size_t a_count,
                    const struct pr_range *b, size_t b_count,
                    struct pr_range *out)
{
    size_t i = 0, j = 0, count = 0;

    while (i < a_count || j < b_count) {
        bool is_a = j == b_count || (i < a_count && a[i].first <= b[j].first);
        count = append(out, count, is_a ? a[i++] : b[j++]);
    }
    return count;
}

size_t ranges_common(const struct pr_range *a, size_t a_count,
                     const struct pr_range *b, size_t b_count,
                     struct pr_range *out)
{
    size_t i = 0, j = 0, count = 0;

    while (i < a_count && j < b_count) {
        uint32_t first = a[i].first > b[j].first ? a[i].first : b[j].first;
        uint32_t last = a[i].last < b[j].last ? a[i].last : b[j].last;
        if (first <= last)
            count = append(out, count, (struct pr_range){first, last});
        if (a[i].last < b[j].last)
            i++;
        else
            j++;
    }
    return count;
}

/* What is left of one range. */
static size_t cut(struct pr_range range, const struct pr_range *b,
                  size_t b_count, size_t *at, struct pr_range *out,
                  size_t count)
{
    uint64_t first = range.first;

    while (*at < b_count && b[*at].last < range.first)
        ++*at;
    for (size_t j = *at; j < b_count && b[j].first <= range.last; j++) {
        if (b[j].first > first)
            out[count++] = (struct pr_range){(uint32_t)first, b[j].first - 1};
        first = (uint64_t)b[j].last + 1;
    }
    if (first <= range.last)
        out[count++] = (struct pr_range){(uint32_t)first, range.last};
    return count;
}

size_t ranges_without(const struct pr_range *a, size_t a_count,
                      const struct pr_range *b, size_t b_count,
                      struct pr_range *out)
{
    size_t at = 0, count = 0;

    for (size_t i = 0; i < a_count; i++)
        count = cut(a[i], b, b_count, &at, out, count);
    return count;
}

char *ranges_text(const struct pr_range *ranges, size_t count, char *out,
                  size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char one[32];
        const char *comma = i > 0 ? "," : "";
        if (ranges[i].first == ranges[i].last)
            snprintf(one, sizeof(one), "%s%" PRIu32, comma, ranges[i].first);
        else
            snprintf(one, sizeof(one), "%s%" PRIu32 ":%" PRIu32, comma,
                     ranges[i].first, ranges[i].last);
        if (used + strlen(one) + sizeof(",...") > size) {
            snprintf(out + used, size - used, "%s...", comma);
            break;
        }
        memcpy(out + used, one, strlen(one) + 1);
        used += strlen(one);
    }
    return out;
}
