/*
 * string.find, match, gmatch and gsub: as in Lua, by a matcher that a run's
 * time ends.
 */
#include <config.h>

#include <ctype.h>
#include <string.h>

#include "lua/matcher.h"

#define SPECIALS "^$*+?.([%-"

/* ---- find and match ------------------------------------------------------ */

/* The place of the 1-based, perhaps negative, index at `arg`; one behind the
 * end for one beyond. */
static size_t start_index(lua_State *L, int arg, size_t size)
{
    lua_Integer index = luaL_optinteger(L, arg, 1);

    if (index > 0)
        return (lua_Unsigned)index > (lua_Unsigned)size + 1 ? size + 1
                                                            : (size_t)index - 1;
    if (index == 0 || index < -(lua_Integer)size)
        return 0;
    return size - (size_t)-index;
}

static bool is_plain(const struct matcher *matcher)
{
    for (const char *at = matcher->pattern; at < matcher->pattern_end; at++)
        if (*at != '\0' && strchr(SPECIALS, *at) != NULL)
            return false;
    return true;
}

static int find_plain(struct matcher *matcher, const char *from)
{
    size_t size = (size_t)(matcher->pattern_end - matcher->pattern);
    const char *found = memmem(from, (size_t)(matcher->text_end - from),
                               matcher->pattern, size);

    script_nudge(matcher->L);
    if (found == NULL) {
        luaL_pushfail(matcher->L);
        return 1;
    }
    lua_pushinteger(matcher->L, found - matcher->text + 1);
    lua_pushinteger(matcher->L, found - matcher->text + (lua_Integer)size);
    return 2;
}

static int push_found(struct matcher *matcher, bool is_find, const char *start,
                      const char *end)
{
    if (!is_find)
        return matcher_push_captures(matcher, start, end);
    lua_pushinteger(matcher->L, start - matcher->text + 1);
    lua_pushinteger(matcher->L, end - matcher->text);
    return matcher_push_captures(matcher, NULL, NULL) + 2;
}

static int search(lua_State *L, bool is_find)
{
    struct matcher matcher;
    size_t index;
    const char *start, *pattern;
    bool is_anchored;

    matcher_begin(&matcher, L, 1, 2);
    index = start_index(L, 3, (size_t)(matcher.text_end - matcher.text));
    if (index > (size_t)(matcher.text_end - matcher.text)) {
        luaL_pushfail(L);
        return 1;
    }
    start = matcher.text + index;
    if (is_find && (lua_toboolean(L, 4) || is_plain(&matcher)))
        return find_plain(&matcher, start);
    is_anchored =
        matcher.pattern < matcher.pattern_end && *matcher.pattern == '^';
    pattern = matcher.pattern + (is_anchored ? 1 : 0);
    do {
        const char *end = matcher_try(&matcher, start, pattern);

        if (end != NULL)
            return push_found(&matcher, is_find, start, end);
    } while (start++ < matcher.text_end && !is_anchored);
    luaL_pushfail(L);
    return 1;
}

/* string.find(text, pattern, init, plain), as in Lua */
static int find(lua_State *L)
{
    return search(L, true);
}

/* string.match(text, pattern, init), as in Lua */
static int match(lua_State *L)
{
    return search(L, false);
}

/* ---- gmatch -------------------------------------------------------------- */

/* Upvalues: text, pattern, where to go on, where the last match ended (both
 * 0-based; -1: there was none). */
static int gmatch_next(lua_State *L)
{
    struct matcher matcher;
    const char *start, *last;

    matcher_begin(&matcher, L, lua_upvalueindex(1), lua_upvalueindex(2));
    start = matcher.text + lua_tointeger(L, lua_upvalueindex(3));
    last = matcher.text + lua_tointeger(L, lua_upvalueindex(4));
    for (; start <= matcher.text_end; start++) {
        const char *end = matcher_try(&matcher, start, matcher.pattern);

        if (end == NULL || end == last)
            continue;
        lua_pushinteger(L, end - matcher.text);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return matcher_push_captures(&matcher, start, end);
    }
    return 0;
}

/* string.gmatch(text, pattern, init), as in Lua */
static int gmatch(lua_State *L)
{
    size_t size, index;

    luaL_checklstring(L, 1, &size);
    luaL_checkstring(L, 2);
    index = start_index(L, 3, size);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)index);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* ---- gsub ---------------------------------------------------------------- */

/* Adds the text at 3 with its "%1" filled in. */
static void add_template(struct matcher *matcher, luaL_Buffer *result,
                         const char *start, const char *end)
{
    size_t size;
    const char *at = lua_tolstring(matcher->L, 3, &size);
    const char *last = at + size;

    for (; at < last; at++) {
        if (*at != MATCHER_ESCAPE) {
            luaL_addchar(result, *at);
            continue;
        }
        at++;
        if (at < last && *at == MATCHER_ESCAPE) {
            luaL_addchar(result, MATCHER_ESCAPE);
        } else if (at < last && *at == '0') {
            luaL_addlstring(result, start, (size_t)(end - start));
        } else if (at < last && isdigit((unsigned char)*at)) {
            matcher_push_capture(matcher, (unsigned)(*at - '1'), start, end);
            luaL_tolstring(matcher->L, -1, NULL);
            lua_remove(matcher->L, -2);
            luaL_addvalue(result);
        } else {
            luaL_error(matcher->L, "invalid use of '%%' in replacement string");
        }
    }
}

/* Adds what the function or table at 3 has for the match. */
static bool add_looked_up(struct matcher *matcher, luaL_Buffer *result,
                          const char *start, const char *end)
{
    lua_State *L = matcher->L;

    if (lua_isfunction(L, 3)) {
        int count;

        lua_pushvalue(L, 3);
        count = matcher_push_captures(matcher, start, end);
        lua_call(L, count, 1);
    } else {
        matcher_push_capture(matcher, 0, start, end);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(result, start, (size_t)(end - start));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(result);
    return true;
}

static bool add_replacement(struct matcher *matcher, luaL_Buffer *result,
                            const char *start, const char *end)
{
    if (lua_type(matcher->L, 3) == LUA_TNUMBER ||
        lua_type(matcher->L, 3) == LUA_TSTRING) {
        add_template(matcher, result, start, end);
        return true;
    }
    return add_looked_up(matcher, result, start, end);
}

/* Replaces up to `most` matches; returns how many there were. */
static lua_Integer replace_all(struct matcher *matcher, luaL_Buffer *result,
                               lua_Integer most)
{
    bool is_anchored =
        matcher->pattern < matcher->pattern_end && *matcher->pattern == '^';
    const char *pattern = matcher->pattern + (is_anchored ? 1 : 0);
    const char *at = matcher->text, *last = NULL;
    lua_Integer count = 0;

    while (count < most) {
        const char *end = matcher_try(matcher, at, pattern);

        if (end != NULL && end != last) {
            count++;
            add_replacement(matcher, result, at, end);
            at = last = end;
        } else if (at < matcher->text_end) {
            luaL_addchar(result, *at++);
        } else {
            break;
        }
        if (is_anchored)
            break;
    }
    luaL_addlstring(result, at, (size_t)(matcher->text_end - at));
    return count;
}

/* string.gsub(text, pattern, replacement, most), as in Lua */
static int gsub(lua_State *L)
{
    struct matcher matcher;
    luaL_Buffer result;
    int type = lua_type(L, 3);
    lua_Integer count, most;

    script_check_stack(L);
    matcher_begin(&matcher, L, 1, 2);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING ||
                         type == LUA_TTABLE || type == LUA_TFUNCTION,
                     3, "string/function/table");
    most = luaL_optinteger(L, 4,
                           (lua_Integer)(matcher.text_end - matcher.text) + 1);
    luaL_buffinit(L, &result);
    count = replace_all(&matcher, &result, most);
    luaL_pushresult(&result);
    lua_pushinteger(L, count);
    return 2;
}

void open_patterns(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", find}, {"match", match}, {"gmatch", gmatch},
        {"gsub", gsub}, {NULL, NULL},
    };

    lua_getglobal(L, "string");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
