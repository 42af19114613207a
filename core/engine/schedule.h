/*
 * When something is due: intervals with jitter, for accounts and folders.
 *
 * Pure: the clock and the dice are the caller's. All times in milliseconds.
 */
#ifndef ENGINE_SCHEDULE_H
#define ENGINE_SCHEDULE_H

#include "lua/config.h"

/* The next number of a series that begins with *state (any number); what
 * begins alike goes on alike. */
uint32_t schedule_random(uint64_t *state);

/* `interval`, or up to a tenth less, so that what was begun together does not
 * stay together. */
uint64_t schedule_jitter(uint64_t interval, uint32_t random);

/* How often to look where nobody tells of news: a tenth of the time that it has
 * been quiet for, between `least` and `most` (which goes first). Mail comes in
 * bursts: after some, more is likely soon. */
uint64_t schedule_adaptive(uint64_t quiet, uint64_t least, uint64_t most);

/* How often the account wants this folder to be looked at. */
uint64_t schedule_every(const struct account *account, const char *folder);

#endif
