/*
 * Lines that repeat themselves: the first ones are written, the rest counted.
 */
#include "config.h"

#include "control/repeats.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a, 64 bits: texts that differ behind their kept part are told apart. */
static uint64_t hash_of(const char *who, const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *who != '\0'; who++) {
        hash = (hash ^ (unsigned char)*who) * 1099511628211u;
    }
    hash *= 1099511628211u;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return hash;
}

static struct repeat *find(struct repeats *repeats, enum pr_level level,
                           uint64_t hash)
{
    for (unsigned i = 0; i < repeats->count; i++) {
        if (repeats->all[i].hash == hash && repeats->all[i].level == level) {
            return &repeats->all[i];
        }
    }
    return NULL;
}

/* A free place, or that of the line that is the longest past and owes nothing.
 */
static struct repeat *place(struct repeats *repeats)
{
    if (repeats->count < REPEATS_KEPT) {
        return &repeats->all[repeats->count++];
    }
    struct repeat *oldest = NULL;
    for (unsigned i = 0; i < REPEATS_KEPT; i++) {
        struct repeat *repeat = &repeats->all[i];
        if (repeat->held == 0 &&
            (oldest == NULL || repeat->since < oldest->since)) {
            oldest = repeat;
        }
    }
    return oldest;
}

bool repeats_pass(struct repeats *repeats, enum pr_level level, const char *who,
                  const char *text, uint64_t now)
{
    uint64_t hash = hash_of(who, text);
    struct repeat *repeat = find(repeats, level, hash);
    if (repeat != NULL && now - repeat->since < REPEATS_WINDOW) {
        bool is_free = repeat->times < REPEATS_FREE;
        repeat->times += is_free;
        repeat->held += !is_free;
        return is_free;
    }
    if (repeat == NULL) {
        repeat = place(repeats);
    }
    if (repeat == NULL || repeat->held > 0) {
        return true;
    }
    repeat->level = level;
    repeat->since = now;
    repeat->times = 1;
    repeat->hash = hash;
    snprintf(repeat->who, sizeof(repeat->who), "%s", who);
    snprintf(repeat->text, sizeof(repeat->text), "%s", text);
    return true;
}

bool repeats_take(struct repeats *repeats, uint64_t now, bool all,
                  struct repeat *ret)
{
    for (unsigned i = 0; i < repeats->count; i++) {
        struct repeat *repeat = &repeats->all[i];
        if (repeat->held > 0 &&
            (all || now - repeat->since >= REPEATS_WINDOW)) {
            *ret = *repeat;
            repeat->held = 0;
            repeat->since = now;
            repeat->times = REPEATS_FREE;
            return true;
        }
    }
    return false;
}
