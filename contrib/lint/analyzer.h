/*
 * What clang's analyzer is told besides: a failure is never PR_OK, and raising
 * a Lua error does not come back.
 *
 * It looks at one file at a time, and so cannot know that pr_fail() returns the
 * status it was given. Included before everything else in `make lint` only.
 */
#ifndef LINT_ANALYZER_H
#define LINT_ANALYZER_H

#include <postrider/status.h>

#define pr_fail(status, ...) ((void)(pr_fail)((status), __VA_ARGS__), (status))
#define pr_fail_errno(status, ...) \
    ((void)(pr_fail_errno)((status), __VA_ARGS__), (status))
#define pr_context(status, ...) \
    ((void)(pr_context)((status), __VA_ARGS__), (status))

/* Never NULL: it raises an error instead. */
static inline const char *lint_never_null(const char *text)
{
    if (text == (const char *)0)
        __builtin_unreachable();
    return text;
}

#define luaL_checklstring(L, arg, size) \
    lint_never_null((luaL_checklstring)(L, arg, size))

struct lua_State;
/* NOLINTBEGIN(readability-identifier-naming): the names are Lua's. */
int luaL_error(struct lua_State *L, const char *fmt, ...)
    __attribute__((analyzer_noreturn));
int luaL_argerror(struct lua_State *L, int arg, const char *extramsg)
    __attribute__((analyzer_noreturn));
/* NOLINTEND(readability-identifier-naming) */

#endif
