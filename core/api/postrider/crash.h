/*
 * Named steps at which a test can kill the program; for plugins.
 */
#ifndef POSTRIDER_CRASH_H
#define POSTRIDER_CRASH_H

#include <postrider/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stands before and after each durable step, with a name without a line end.
 * Does nothing but in a build with --enable-crash-points. Any thread may call
 * it. */
PR_API void pr_crash_point(const char *name);

#ifdef __cplusplus
}
#endif
#endif
