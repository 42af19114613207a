/*
 * Lines that repeat themselves: the first ones are written, the rest counted.
 *
 * Pure: the caller says what time it is. Memory is fixed.
 */
#ifndef CONTROL_REPEATS_H
#define CONTROL_REPEATS_H

#include <stdint.h>

#include <postrider/log.h>

#define REPEATS_KEPT 32
/* A line that came so often within so many milliseconds is counted from then
 * on. */
#define REPEATS_FREE 3
#define REPEATS_WINDOW 60000
#define REPEATS_TEXT 512 /* longer lines are compared to here */

struct repeat {
    enum pr_level level;
    uint64_t since; /* ms; when its window began */
    unsigned times; /* it was written in that */
    unsigned held;  /* times it was not */
    uint64_t hash;
    char who[128], text[REPEATS_TEXT];
};

/* Zeroed memory is ready for use. */
struct repeats {
    struct repeat all[REPEATS_KEPT];
    unsigned count;
};

/* Is this line to be written? If not it was counted. `now`: milliseconds of a
 * clock that never jumps. */
bool repeats_pass(struct repeats *repeats, enum pr_level level, const char *who,
                  const char *text, uint64_t now);
/* A line whose window is over and that was held back: it is to be written with
 * its count, which *ret->held is. False if there is none. With `all`, windows
 * that are not over count too. */
bool repeats_take(struct repeats *repeats, uint64_t now, bool all,
                  struct repeat *ret);

#endif
