/*
 * When something is due: intervals with jitter, for accounts and folders.
 */
#include "engine/schedule.h"

#include "base/text.h"

/* Marsaglia's xorshift, 64 bits; of these the upper half is good enough. */
uint32_t schedule_random(uint64_t *state)
{
    uint64_t x = *state != 0 ? *state : 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return (uint32_t)(x >> 32);
}

uint64_t schedule_jitter(uint64_t interval, uint32_t random)
{
    uint64_t tenth = interval / 10;
    /* Without the product's overflow, for intervals of centuries. */
    uint64_t less = tenth > UINT32_MAX ? tenth / (UINT32_MAX + 1ull) * random
                                       : (tenth * random) >> 32;
    return interval - less;
}

uint64_t schedule_adaptive(uint64_t quiet, uint64_t least, uint64_t most)
{
    uint64_t interval = quiet / 10;
    if (interval < least) {
        interval = least;
    }
    return interval > most ? most : interval;
}

uint64_t schedule_every(const struct account *account, const char *folder)
{
    for (size_t i = 0; i < account->folder_every_count; i++) {
        if (text_matches(account->folder_every[i].folder, folder)) {
            return account->folder_every[i].every;
        }
    }
    return account->every;
}
