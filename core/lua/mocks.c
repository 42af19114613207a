/*
 * What a test says that functions answer.
 *
 * Those that reach outside (programs, name servers, web servers, services) ask
 * here themselves while a test runs, whatever variable holds them: what has no
 * answer in the test is not run. Other functions are replaced in the globals:
 * what was there before is kept in the registry, in the order in which it was
 * replaced, and put back in the opposite order.
 */
#include <config.h>

#include <string.h>

#include "lua/calls.h"

#define MOCKS "postrider.mocks"
#define ANSWERS "postrider.answers" /* of what reaches outside, by name */

/* Answers what was set, whatever it is asked. */
static int answer(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}

/* Pushes the function that stands for the value at `index`. */
static void push_stand_in(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    if (!lua_isfunction(L, index))
        lua_pushcclosure(L, answer, 1);
}

/* ---- What reaches outside ------------------------------------------------ */

/* Is it one of those as the program has it, not what the configuration made of
 * the name? */
static bool reaches_outside(lua_State *L, const char *path)
{
    int top = lua_gettop(L);
    bool is_ours;

    if (strcmp(path, "exec") == 0) {
        lua_getglobal(L, path);
    } else if (strncmp(path, "dns.", 4) == 0 ||
               strncmp(path, "http.", 5) == 0) {
        const char *dot = strchr(path, '.');

        lua_getglobal(L, lua_pushlstring(L, path, (size_t)(dot - path)));
        if (lua_istable(L, -1))
            lua_getfield(L, -1, dot + 1);
    } else {
        return service_answers(L, path);
    }
    is_ours = lua_iscfunction(L, -1);
    lua_settop(L, top);
    return is_ours;
}

bool mocks_hold(lua_State *L)
{
    return script_of(L)->not_mocked != NULL;
}

/* Notes the words on top of the stack, once. */
static void note(lua_State *L)
{
    struct pr_buffer *not_mocked = script_of(L)->not_mocked;
    const char *line = lua_pushfstring(L, "%s\n", lua_tostring(L, -1));

    if (strstr(pr_buffer_text(not_mocked), line) == NULL)
        (void)!pr_buffer_add_text(not_mocked, line);
    lua_pop(L, 1);
}

int mocks_answer(lua_State *L, const char *name, int count)
{
    luaL_checkstack(L, 20, NULL);
    lua_pushstring(L, name);
    lua_insert(L, count + 1);
    lua_settop(L, count + 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, ANSWERS);
    lua_pushvalue(L, count + 1);
    if (lua_rawget(L, -2) == LUA_TFUNCTION) {
        lua_insert(L, 1);
        lua_settop(L, count + 1);
        lua_call(L, count, LUA_MULTRET);
        return lua_gettop(L);
    }
    lua_pushnil(L);
    lua_pushfstring(L, "not mocked: %s", lua_tostring(L, count + 1));
    note(L);
    return 2;
}

/* ---- Globals ------------------------------------------------------------- */

/* container[name] = the value on top of the stack, which is popped. */
static void replace(lua_State *L, int container, const char *name)
{
    int value = lua_gettop(L);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, MOCKS);
    lua_createtable(L, 3, 0);
    lua_pushvalue(L, container);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 2);
    lua_pushstring(L, name);
    lua_rawget(L, container);
    lua_rawseti(L, -2, 3);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pushstring(L, name);
    lua_pushvalue(L, value);
    lua_rawset(L, container);
    lua_settop(L, value - 1);
}

/* Puts the table in which the field of the one at `container` stands in its
 * place: the one behind it, if that is where it is. */
static void find_place(lua_State *L, int container, const char *name)
{
    lua_pushstring(L, name);
    if (lua_rawget(L, container) == LUA_TNIL && push_behind(L, container))
        lua_replace(L, container);
    lua_pop(L, 1);
}

/* Makes the field a table that can be changed; what is no table is seen through
 * one. Leaves it on the stack. */
static void enter(lua_State *L, int container, const char *name,
                  const char *rest)
{
    find_place(L, container, name);
    lua_pushstring(L, name);
    if (lua_rawget(L, container) != LUA_TTABLE && !lua_isuserdata(L, -1))
        luaL_error(L, "mock: there is no \"%s.%s\" to replace", name, rest);
    if (lua_istable(L, -1))
        return;
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    replace(L, container, name);
    lua_remove(L, -2);
}

static void put(lua_State *L, const char *path, int value)
{
    int container;
    const char *dot;

    luaL_checkstack(L, 20, NULL);
    if (reaches_outside(L, path)) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, ANSWERS);
        push_stand_in(L, value);
        lua_setfield(L, -2, path);
        return;
    }
    lua_pushglobaltable(L);
    container = lua_gettop(L);
    for (const char *at = path; (dot = strchr(at, '.')) != NULL; at = dot + 1) {
        const char *name = lua_pushlstring(L, at, (size_t)(dot - at));

        enter(L, container, name, dot + 1);
        container = lua_gettop(L);
        path = dot + 1;
    }
    lua_getfield(L, container, path);
    if (lua_isnil(L, -1))
        luaL_error(L, "mock: there is no \"%s\" to replace", path);
    find_place(L, container, path);
    push_stand_in(L, value);
    replace(L, container, path);
}

void mocks_put(lua_State *L, int table)
{
    if (!lua_istable(L, table))
        luaL_error(L,
                   "mock: expects a table such as { [\"rspamd.check\"] = { "
                   "score = 9 } }, got %s",
                   type_words(L, table));
    for (lua_pushnil(L); lua_next(L, table) != 0;) {
        int top = lua_gettop(L);

        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "mock: a function is named by a text, got %s",
                       type_words(L, top - 1));
        put(L, lua_tostring(L, -2), top);
        lua_settop(L, top - 1);
    }
}

void mocks_take_away(lua_State *L)
{
    int mocks;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, MOCKS);
    mocks = lua_gettop(L);
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, mocks); i > 0; i--) {
        lua_rawgeti(L, mocks, i);
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        lua_rawgeti(L, -3, 3);
        lua_rawset(L, -3);
        lua_settop(L, mocks);
    }
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, MOCKS);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, ANSWERS);
    lua_settop(L, mocks - 1);
}
