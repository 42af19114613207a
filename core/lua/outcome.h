/*
 * What the rules decided, as a Lua table, and what a test expects of it.
 */
#ifndef LUA_OUTCOME_H
#define LUA_OUTCOME_H

#include "lua/script.h"

/* Pushes { delivered = {...}, moved = "...", flags = {...}, ... }. `error`: the
 * words of a rule that failed, NULL if none did. May raise. */
void push_plan_outcome(lua_State *L, const struct plan *plan,
                       const struct account *account, const char *error);
/* Adds a line to `words` for each key of the table at `expected` that is
 * otherwise in the outcome at `actual`. Raises for a key that there is not. */
void compare_outcome(lua_State *L, int expected, int actual,
                     struct pr_buffer *words);

#endif
