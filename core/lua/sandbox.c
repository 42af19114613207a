/*
 * What a script can reach: the pure parts of Lua's library, made safe for one
 * state that serves many messages.
 *
 * There is no load, no bytecode, no debug, io, os or package. Coroutines are
 * left out because fibers do the waiting: a rule that waits just waits. What
 * would loop in C for longer than its arguments suggest is bounded, a pcall
 * cannot catch the end of a run, and no finalizer is written in Lua, because
 * one would run in the middle of somebody else's rule.
 */
#include <config.h>

#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lua/script.h"

#define ELEMENTS_MOST 10000000 /* of a table, for functions that loop in C */
#define LINES_MOST 100         /* printed in one run */

/* ---- Base functions ------------------------------------------------------ */

/* After a protected call: what may not be caught goes on upwards. */
static void pass_on_stops(lua_State *L, int status)
{
    struct run *run = script_of(L)->running;

    if (status == LUA_ERRMEM && run != NULL) {
        char text[200];

        script_stop_for_memory(run);
        lua_pushstring(L, script_stop_text(run, text, sizeof text));
    }
    script_check_stop(L);
}

/* pcall(f, ...) as in Lua, but a run that is over stays over. */
static int safe_pcall(lua_State *L)
{
    int status;

    luaL_checkany(L, 1);
    script_check_stack(L);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (status != LUA_OK)
        pass_on_stops(L, status);
    lua_pushboolean(L, status == LUA_OK);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* Calls the handler of an xpcall, but not for the end of a run: that is raised
 * by the hook, and what runs under the hook cannot be ended by it. */
static int call_handler(lua_State *L)
{
    const struct run *run = script_of(L)->running;

    if (run != NULL && run->stop != STOP_NONE)
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

/* xpcall(f, handler, ...), likewise. */
static int safe_xpcall(lua_State *L)
{
    int arguments = lua_gettop(L) - 2;
    int status;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    script_check_stack(L);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, call_handler, 1);
    lua_replace(L, 2);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 1); /* f handler f ... */
    status = lua_pcall(L, arguments, LUA_MULTRET, 2);
    if (status != LUA_OK)
        pass_on_stops(L, status);
    lua_pushboolean(L, status == LUA_OK);
    lua_replace(L, 2);
    return lua_gettop(L) - 1;
}

/* setmetatable(table, metatable) as in Lua, without finalizers. */
static int safe_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2,
                     "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "setmetatable: this table is protected");
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "setmetatable: finalizers (__gc) cannot be "
                                 "used here");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* collectgarbage("count"): kilobytes that Lua holds; nothing else. */
static int safe_collectgarbage(lua_State *L)
{
    static const char *const options[] = {"count", NULL};

    luaL_checkoption(L, 1, "count", options);
    lua_pushnumber(L, (lua_Number)script_of(L)->memory / 1024);
    return 1;
}

/* print(...): a line in the log. */
static int print(lua_State *L)
{
    const struct run *run = script_of(L)->running;
    struct pr_log log = {.name = "print"};
    luaL_Buffer line;
    int count = lua_gettop(L);

    if (run == NULL || ++run->root->lines > LINES_MOST)
        return 0;
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        luaL_tolstring(L, i, NULL);
        if (i > 1)
            luaL_addchar(&line, ' ');
        luaL_addvalue(&line);
    }
    luaL_pushresult(&line);
    if (run->who != NULL)
        log.name = run->who;
    pr_log(&log, PR_LOG_INFO, "%s", lua_tostring(L, -1));
    if (run->root->lines == LINES_MOST)
        pr_log(&log, PR_LOG_WARNING,
               "%d lines were printed: further ones are left out", LINES_MOST);
    return 0;
}

/* ---- Around the names that cannot be changed ------------------------------
 */

/* rawset(t, k, v) as in Lua, but what is sealed stays so. */
static int safe_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    if (push_behind(L, 1)) {
        lua_pop(L, 1);
        lua_settable(L, 1);
    } else {
        lua_rawset(L, 1);
    }
    return 1;
}

/* rawget(t, k) as in Lua; of what is sealed, what can be read there. */
static int safe_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 1) != LUA_TNIL || !push_behind(L, 1))
        return 1;
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

/* ---- Functions that loop in C -------------------------------------------- */

static int call_guarded(lua_State *L)
{
    script_nudge(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* table.insert, remove, sort, concat, unpack: `#t` may claim anything. */
static int guarded_by_length(lua_State *L)
{
    script_check_stack(L);
    if (lua_istable(L, 1) && luaL_getmetafield(L, 1, "__len") != LUA_TNIL) {
        lua_pop(L, 1);
        if (luaL_len(L, 1) > ELEMENTS_MOST)
            return luaL_error(L, "the table claims too many elements");
    }
    return call_guarded(L);
}

/* table.move(a, from, to, ...) */
static int guarded_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);

    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from > ELEMENTS_MOST)
        return luaL_error(L, "table.move: too many elements");
    return call_guarded(L);
}

/* table.concat(t, between, from, to) */
static int guarded_concat(lua_State *L)
{
    lua_Integer from = luaL_optinteger(L, 3, 1), to = luaL_optinteger(L, 4, 1);

    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from > ELEMENTS_MOST)
        return luaL_error(L, "table.concat: too many elements");
    return guarded_by_length(L);
}

/* string.rep(s, n, between): Lua's own loops n times over nothing. */
static int guarded_rep(lua_State *L)
{
    size_t size, between;

    luaL_checklstring(L, 1, &size);
    luaL_optlstring(L, 3, "", &between);
    if (size == 0 && between == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    return call_guarded(L);
}

/* Puts `guard` before the function `name` of the library on the stack. */
static void guard(lua_State *L, const char *name, lua_CFunction by)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, by, 1);
    lua_setfield(L, -2, name);
}

/* ---- Names --------------------------------------------------------------- */

/* Names of the users' manual that this version does not have yet. */
static const char *const later[] = {
    "pop3",        "smtp",   "lmtp",   "mbox",  "append",  "maildir_source",
    "mbox_source", "oauth2", "secret", "netrc", "keyring", "systemd_credential",
    "ask",         NULL,
};

static bool is_later(const char *name)
{
    for (size_t i = 0; later[i] != NULL; i++)
        if (strcmp(later[i], name) == 0)
            return true;
    return false;
}

/* What options { grant = { ... } } may open. */
static const char *const grants[] = {"io", "os", "load", NULL};

static bool is_grant(const char *name)
{
    for (size_t i = 0; grants[i] != NULL; i++)
        if (strcmp(grants[i], name) == 0)
            return true;
    return false;
}

/* The names of the table on top of the stack, as an array ended by NULL: a
 * userdata, pushed. */
static const char *const *push_names(lua_State *L)
{
    int table = lua_gettop(L);
    size_t count = 0;
    const char **names;

    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        count++;
    names = lua_newuserdatauv(L, (count + 1) * sizeof *names, 0);
    count = 0;
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING)
            names[count++] = lua_tostring(L, -2);
    names[count] = NULL;
    return names;
}

/* Reading a global that is not there. */
static int no_such_global(lua_State *L)
{
    const char *name = lua_tostring(L, 2);

    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "a global name is a text, not %s",
                          type_words(L, 2));
    if (is_later(name))
        return luaL_error(L, "\"%s\" is not in this version yet", name);
    if (is_grant(name))
        return luaL_error(L,
                          "\"%s\" is not open to rules: options { grant = { "
                          "\"%s\" } } opens it",
                          name, name);
    lua_pushglobaltable(L);
    push_fields(L, -1);
    return raise_unknown(L, "no such name", name, push_names(L));
}

/* Reading a field that a library does not have. */
static int no_such_field(lua_State *L)
{
    const char *name = luaL_tolstring(L, 2, NULL);
    const char *what;
    const char *const *names;

    what =
        lua_pushfstring(L, "%s has no", lua_tostring(L, lua_upvalueindex(1)));
    lua_pushvalue(L, 1);
    names = push_names(L);
    return raise_unknown(L, what, name, names);
}

void make_strict(lua_State *L, const char *library)
{
    lua_createtable(L, 0, 2);
    if (library != NULL) {
        lua_pushstring(L, library);
        lua_pushcclosure(L, no_such_field, 1);
    } else {
        lua_pushcfunction(L, no_such_global);
    }
    lua_setfield(L, -2, "__index");
    lock_metatable(L, -1);
    lua_setmetatable(L, -2);
}

void lock_metatable(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_pushboolean(L, false);
    lua_setfield(L, index, "__metatable");
}

void new_type(lua_State *L, const char *name, const luaL_Reg *functions)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, functions, 0);
    lock_metatable(L, -1);
    lua_pop(L, 1);
}

void push_library(lua_State *L, const char *name, const luaL_Reg *functions)
{
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    make_strict(L, name);
    lua_setglobal(L, name);
}

static void drop(lua_State *L, const char *const *names)
{
    for (; *names != NULL; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
}

/* ---- Grants -------------------------------------------------------------- */

/* load(text, name, mode, env): as in Lua, of text alone: bytecode can do what
 * no limit holds. */
static int text_load(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    const char *name = luaL_optstring(L, 2, "=(load)");
    bool has_env = !lua_isnone(L, 4);

    script_nudge(L);
    if (luaL_loadbufferx(L, text, size, name, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        if (lua_setupvalue(L, -2, 1) == NULL)
            lua_pop(L, 1);
    }
    return 1;
}

/* What would end the process, change it for all, or hold everybody up. */
static void open_os(lua_State *L)
{
    static const char *const dropped[] = {"exit", "setlocale", "execute", NULL};

    luaL_requiref(L, LUA_OSLIBNAME, luaopen_os, 1);
    drop(L, dropped);
    make_strict(L, LUA_OSLIBNAME);
    lua_pop(L, 1);
}

static void open_io(lua_State *L)
{
    static const char *const dropped[] = {"popen", NULL};

    luaL_requiref(L, LUA_IOLIBNAME, luaopen_io, 1);
    drop(L, dropped);
    make_strict(L, LUA_IOLIBNAME);
    luaL_getmetatable(L, LUA_FILEHANDLE);
    lock_metatable(L, -1);
    lua_pop(L, 2);
}

bool sandbox_grant(lua_State *L, const char *name)
{
    bool is_open;

    if (!is_grant(name))
        return false;
    lua_pushglobaltable(L);
    push_behind(L, -1);
    lua_pushstring(L, name);
    is_open = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 3);
    if (is_open)
        return true;
    if (strcmp(name, "os") == 0) {
        open_os(L);
    } else if (strcmp(name, "io") == 0) {
        open_io(L);
    } else {
        lua_pushcfunction(L, text_load);
        lua_setglobal(L, "load");
    }
    seal_global(L, name);
    return true;
}

const char *const *sandbox_grants(void)
{
    return grants;
}

/* ---- Opening ------------------------------------------------------------- */

static void open_base(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"pcall", safe_pcall},
        {"xpcall", safe_xpcall},
        {"setmetatable", safe_setmetatable},
        {"rawget", safe_rawget},
        {"rawset", safe_rawset},
        {"collectgarbage", safe_collectgarbage},
        {"print", print},
        {NULL, NULL},
    };
    static const char *const dropped[] = {"load", "loadfile", "dofile", "warn",
                                          NULL};

    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    drop(L, dropped);
    luaL_setfuncs(L, functions, 0);
    make_strict(L, NULL);
    lua_pop(L, 1);
}

static void open_table(lua_State *L)
{
    static const char *const guarded[] = {"insert", "remove", "sort", "unpack",
                                          NULL};

    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    for (size_t i = 0; guarded[i] != NULL; i++)
        guard(L, guarded[i], guarded_by_length);
    guard(L, "move", guarded_move);
    guard(L, "concat", guarded_concat);
    make_strict(L, LUA_TABLIBNAME);
    lua_pop(L, 1);
}

static void open_string(lua_State *L)
{
    static const char *const dropped[] = {"dump", NULL};

    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    drop(L, dropped);
    guard(L, "rep", guarded_rep);
    lua_pop(L, 1);
    open_strings(L);
    open_patterns(L);
    lua_getglobal(L, LUA_STRLIBNAME);
    make_strict(L, LUA_STRLIBNAME);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lock_metatable(L, -1);
    lua_pop(L, 3);
}

void open_sandbox(lua_State *L)
{
    open_base(L);
    open_table(L);
    open_string(L);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    make_strict(L, LUA_MATHLIBNAME);
    luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, 1);
    make_strict(L, LUA_UTF8LIBNAME);
    lua_settop(L, 0);
}
