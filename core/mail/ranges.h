/*
 * Sets of UIDs as arrays of ranges.
 *
 * A tidy array is in ascending order, and its ranges neither overlap nor touch:
 * so a set has one form, as short as may be. Pure.
 */
#ifndef MAIL_RANGES_H
#define MAIL_RANGES_H

#include <postrider/plugin.h>

/* Makes an array tidy in place; returns how many ranges are left. */
size_t ranges_tidy(struct pr_range *ranges, size_t count);
/* How many UIDs are in it. */
uint64_t ranges_size(const struct pr_range *ranges, size_t count);
bool ranges_have(const struct pr_range *ranges, size_t count, uint32_t uid);

/* Tidy arrays in, a tidy one out: into `out`, which has room for both together
 * and is neither of them. What is in one of them; in both; in `a` alone. */
size_t ranges_union(const struct pr_range *a, size_t a_count,
                    const struct pr_range *b, size_t b_count,
                    struct pr_range *out);
size_t ranges_common(const struct pr_range *a, size_t a_count,
                     const struct pr_range *b, size_t b_count,
                     struct pr_range *out);
size_t ranges_without(const struct pr_range *a, size_t a_count,
                      const struct pr_range *b, size_t b_count,
                      struct pr_range *out);

/* "1:3,7", cut short with "..." when it is longer than `size`; returns `out`.
 */
char *ranges_text(const struct pr_range *ranges, size_t count, char *out,
                  size_t size);

#endif
