/*
 * The environment of a program: little of ours, and what is known of the
 * message.
 */
#ifndef PIPE_FACTS_H
#define PIPE_FACTS_H

#include "pipe.h"

/* Is `entry` NAME=VALUE or NAME, with a name that a variable can have? */
bool facts_is_variable(const char *entry);
/* The environment that every message's program has, ended by NULL, and the
 * user's home; into the arena. `more` (of the options) goes last and wins.
 * PR_NOMEM. */
PR_CHECKED pr_status facts_base(struct pr_arena *arena, const char *const *more,
                                const char *const **ret, const char **ret_home);
/* `base` with the message's own variables; into the arena. A variable that
 * `base` has stays as it is. Only an address of plain characters gets into it;
 * *ret_sender is that of the envelope's, "" if there is none. Blocks briefly.
 * PR_IO, PR_NOMEM. */
PR_CHECKED pr_status facts_of(const struct pr_delivery *delivery,
                              const char *const *base, struct pr_arena *arena,
                              const char *const **ret, const char **ret_sender);
/* The value of a variable, NULL if it is not in `env`. */
const char *facts_get(const char *const *env, const char *name);

#endif
