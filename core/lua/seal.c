/*
 * Names that scripts read and cannot change: the API's, as globals and as
 * fields of its tables. One state serves all messages, and what the rule for
 * one of them changed would be changed for the rest.
 *
 * A sealed table is empty. What it had lies in a table behind it, which is read
 * when the sealed one has no such field; so every write asks __newindex first.
 * Globals of the user's own stand in the table of globals itself.
 */
#include <config.h>

#include <lualib.h>

#include "lua/script.h"

static bool is_loading(lua_State *L)
{
    const struct run *run = script_of(L)->running;

    return run == NULL || run->who == NULL;
}

/* What the value on top of the stack is, for words. */
static const char *kind_words(lua_State *L)
{
    switch (lua_type(L, -1)) {
    case LUA_TFUNCTION:
        return "function";
    case LUA_TTABLE:
        return "library";
    default:
        return "name";
    }
}

/* table[key] = value of a sealed table. Upvalues: the table behind it, the name
 * of the library (nil for the globals). */
static int write_sealed(lua_State *L)
{
    const char *library = lua_tostring(L, lua_upvalueindex(2));

    lua_settop(L, 3);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
        const char *what = kind_words(L), *key = luaL_tolstring(L, 2, NULL);

        if (library == NULL)
            return luaL_error(L,
                              "\"%s\" is a %s of postrider: write \"local %s\" "
                              "for a name of your own",
                              key, what, key);
        return luaL_error(L,
                          "\"%s.%s\" is a %s of postrider, which cannot be "
                          "changed",
                          library, key, what);
    }
    if (library != NULL && !is_loading(L))
        return luaL_error(L,
                          "%s.%s: rules cannot add to a library, which others "
                          "use as well: the configuration can, at its top",
                          library, luaL_tolstring(L, 2, NULL));
    lua_pop(L, 1);
    lua_rawset(L, library != NULL ? lua_upvalueindex(1) : 1);
    return 0;
}

bool push_behind(lua_State *L, int index)
{
    if (luaL_getmetafield(L, index, "__newindex") == LUA_TNIL)
        return false;
    if (lua_tocfunction(L, -1) != write_sealed) {
        lua_pop(L, 1);
        return false;
    }
    lua_getupvalue(L, -1, 1);
    lua_remove(L, -2);
    return true;
}

/* Sets the fields of the table at `from` in the one on top of the stack. */
static void add_fields(lua_State *L, int from)
{
    for (lua_pushnil(L); lua_next(L, from) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
}

void push_fields(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_newtable(L);
    if (push_behind(L, index)) {
        lua_insert(L, -2);
        add_fields(L, lua_gettop(L) - 1);
        lua_remove(L, -2);
    }
    add_fields(L, index);
}

/* pairs(sealed): over a copy, for the table behind it is not to be had. The
 * upvalue is `next`. */
static int sealed_pairs(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    push_fields(L, 1);
    lua_pushnil(L);
    return 3;
}

/* Moves what is in the table at `from` to a new one, pushed, and its metatable
 * with it. */
static void move_fields(lua_State *L, int from)
{
    lua_newtable(L);
    add_fields(L, from);
    for (lua_pushnil(L); lua_next(L, from) != 0;) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, from); /* what lua_next was at may be cleared */
    }
    if (lua_getmetatable(L, from) != 0)
        lua_setmetatable(L, -2);
}

/* Seals the table on top of the stack; `library` NULL: the globals. */
static void seal(lua_State *L, const char *library)
{
    int table = lua_gettop(L);

    lua_getglobal(L, "next");
    move_fields(L, table);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, -2);
    lua_pushstring(L, library);
    lua_pushcclosure(L, write_sealed, 2);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, table + 1);
    lua_pushcclosure(L, sealed_pairs, 1);
    lua_setfield(L, -2, "__pairs");
    lock_metatable(L, -1);
    lua_setmetatable(L, table);
    lua_settop(L, table);
}

/* Methods of texts find theirs at once. */
static void seal_methods(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getglobal(L, LUA_STRLIBNAME);
    push_behind(L, -1);
    lua_setfield(L, -3, "__index");
    lua_pop(L, 3);
}

void seal_names(lua_State *L)
{
    int globals;

    lua_pushglobaltable(L);
    globals = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, globals) != 0; lua_pop(L, 1))
        if (lua_istable(L, -1) && !lua_rawequal(L, -1, globals))
            seal(L, lua_tostring(L, -2));
    seal(L, NULL);
    lua_pop(L, 1);
    seal_methods(L);
}

void seal_global(lua_State *L, const char *name)
{
    lua_pushglobaltable(L);
    push_behind(L, -1);
    lua_getfield(L, -2, name);
    if (lua_istable(L, -1))
        seal(L, name);
    lua_setfield(L, -2, name);
    lua_pushstring(L, name);
    lua_pushnil(L);
    lua_rawset(L, -4);
    lua_pop(L, 2);
}
