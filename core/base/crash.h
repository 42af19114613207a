/*
 * Named steps at which a test can kill the program.
 *
 * Stand one before and after each durable step. In a build with
 * --enable-crash-points, the environment then decides:
 *   POSTRIDER_CRASH_AT=N      the N-th step met (1-based) ends the process with
 *                             SIGKILL, as a power failure would;
 *   POSTRIDER_CRASH_LOG=FILE  each step met is appended to FILE, a name a line,
 *                             so that a test knows how many there are.
 * In any other build they are nothing.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include "config.h"

#ifdef ENABLE_CRASH_POINTS
/* Any thread may call it. `name` has no line end. */
void crash_point(const char *name);
#else
static inline void crash_point(const char *name)
{
    (void)name;
}
#endif

#endif
