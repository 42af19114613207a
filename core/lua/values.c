/*
 * Small values of the configuration: where secrets come from, what is done
 * after a delivery, times.
 */
#include <config.h>

#include <math.h>
#include <string.h>

#include "auth/secret.h"
#include "base/text.h"
#include "io/file.h"
#include "lua/script.h"

#define DATE_MOST 1000 /* octets of what date() writes */

/* ---- Arguments ----------------------------------------------------------- */

const char *check_text(lua_State *L, int arg)
{
    size_t size;
    const char *text = luaL_checklstring(L, arg, &size);

    luaL_argcheck(L, strlen(text) == size, arg, "the text has a NUL in it");
    return text;
}

uint64_t check_duration(lua_State *L, int arg)
{
    uint64_t ms = 0;

    if (lua_type(L, arg) == LUA_TNUMBER) {
        lua_Number seconds = lua_tonumber(L, arg);

        luaL_argcheck(L, seconds >= 0 && seconds < 1e12, arg,
                      "expects seconds or a text such as \"10m\"");
        return (uint64_t)(seconds * 1000);
    }
    if (lua_type(L, arg) != LUA_TSTRING)
        luaL_argerror(L, arg,
                      lua_pushfstring(L,
                                      "expects a time such as \"10m\" or "
                                      "seconds as a number, got %s",
                                      type_words(L, arg)));
    if (text_to_duration(check_text(L, arg), &ms) != PR_OK)
        luaL_argerror(L, arg, pr_last_failure()->text);
    return ms;
}

/* ---- Secrets ------------------------------------------------------------- */

static const struct pr_secret **push_secret_value(lua_State *L)
{
    const struct pr_secret **secret = lua_newuserdatauv(L, sizeof *secret, 0);

    *secret = NULL;
    luaL_setmetatable(L, TYPE_SECRET);
    return secret;
}

static int push_secret(lua_State *L, const struct pr_secret *like)
{
    struct pr_secret *secret =
        script_alloc(L, script_of(L)->arena, sizeof *secret);

    *secret = *like;
    *push_secret_value(L) = secret;
    return 1;
}

/* A secret with a problem, which is noted. */
static int secret_problem(lua_State *L, const char *what, const char *expects)
{
    problem_add(L, script_place(L, 1), "%s: expects %s, got %s", what, expects,
                type_words(L, 1));
    push_secret_value(L);
    return 1;
}

/* exec { program, argument, ... }: in the configuration, around the rules: a
 * secret, the first line that the program prints. */
static int exec(lua_State *L)
{
    const char *const *argv;

    if (script_of(L)->running->who != NULL)
        return rule_exec(L);
    argv = lua_istable(L, 1) ? read_texts(L, 1, script_of(L)->arena) : NULL;
    lua_settop(L, 1);
    if (argv == NULL || argv[0] == NULL || argv[0][0] == '\0')
        return secret_problem(L, "exec",
                              "a program and its arguments such as { \"pass\", "
                              "\"mail\" }");
    return push_secret(L,
                       &(struct pr_secret){.kind = SECRET_EXEC, .argv = argv});
}

/* file "path": the first line of a file, read when it is needed. */
static int file(lua_State *L)
{
    struct script *script = script_of(L);
    const char *path = lua_type(L, 1) == LUA_TSTRING ? check_text(L, 1) : NULL;
    char *absolute = NULL;

    if (path == NULL || path[0] == '\0')
        return secret_problem(L, "file", "a path such as \"~/.secret\"");
    if (path[0] != '/' && path[0] != '~')
        path = pr_arena_printf(script->arena, "%s/%s", script->directory, path);
    if (path == NULL || file_absolute(script->arena, path, &absolute) != PR_OK)
        return script_raise(L, PR_CONFIG);
    return push_secret(
        L, &(struct pr_secret){.kind = SECRET_FILE, .text = absolute});
}

/* env "NAME": a variable of the environment. */
static int env(lua_State *L)
{
    const char *name = lua_type(L, 1) == LUA_TSTRING ? check_text(L, 1) : "";

    if (name[0] == '\0' || strchr(name, '=') != NULL)
        return secret_problem(L, "env", "the name of a variable");
    name = script_copy(L, script_of(L)->arena, name);
    return push_secret(L,
                       &(struct pr_secret){.kind = SECRET_ENV, .text = name});
}

/* ---- What is done after a delivery --------------------------------------- */

static struct after_value *push_after(lua_State *L, enum after after)
{
    struct after_value *value = lua_newuserdatauv(L, sizeof *value, 0);

    *value = (struct after_value){.after = after};
    luaL_setmetatable(L, TYPE_AFTER);
    return value;
}

/* delete_after "30d": for an account's `after`: deleted when so much time has
 * passed since the delivery */
static int delete_after(lua_State *L)
{
    uint64_t delay = check_duration(L, 1);

    push_after(L, AFTER_DELETE_LATER)->delay = delay;
    return 1;
}

/* move_to "Archive": for an account's `after`: moved to this folder */
static int move_to(lua_State *L)
{
    const char *folder = check_text(L, 1);

    luaL_argcheck(L, folder[0] != '\0', 1, "the folder has no name");
    folder = script_copy(L, script_of(L)->arena, folder);
    push_after(L, AFTER_MOVE)->folder = folder;
    return 1;
}

/* `seen` is a value here, and a helper of rules as well. */
static int call_after(lua_State *L)
{
    const struct after_value *value = luaL_checkudata(L, 1, TYPE_AFTER);

    if (value->after == AFTER_SEEN) {
        lua_remove(L, 1);
        return rule_seen(L);
    }
    return luaL_error(L, "this is a value, not a function");
}

/* ---- Times --------------------------------------------------------------- */

/* The format is the user's own text. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static size_t format_time(char *text, const char *format,
                          const struct tm *broken)
{
    return strftime(text, DATE_MOST, format, broken);
}

#pragma GCC diagnostic pop

/* weeks(n), days(n), hours(n), minutes(n): seconds */
static int weeks(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) * 7 * 86400);
    return 1;
}

static int minutes(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) * 60);
    return 1;
}

/* now(): seconds since 1970 */
static int now(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)time(NULL));
    return 1;
}

/* date(format, time): text, the time (seconds since 1970; now, if not given) as
 * strftime(3) writes it, in local time: date("%Y-%m", m.received) */
static int date(lua_State *L)
{
    const char *format = check_text(L, 1);
    lua_Number seconds = luaL_optnumber(L, 2, (lua_Number)time(NULL));
    struct tm broken;
    char text[DATE_MOST] = "";
    time_t when;

    luaL_argcheck(L, strlen(format) < DATE_MOST / 10, 1,
                  "the format is too long");
    luaL_argcheck(L, seconds > -1e12 && seconds < 1e12, 2,
                  "the time is out of range");
    when = (time_t)floor(seconds);
    if (localtime_r(&when, &broken) == NULL)
        return luaL_argerror(L, 2, "the time is out of range");
    lua_pushlstring(L, text, format_time(text, format, &broken));
    return 1;
}

static int days(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) * 86400);
    return 1;
}

static int hours(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) * 3600);
    return 1;
}

void open_values(lua_State *L)
{
    static const luaL_Reg secret[] = {{NULL, NULL}};
    static const luaL_Reg after[] = {{"__call", call_after}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"exec", exec},       {"file", file},
        {"env", env},         {"delete_after", delete_after},
        {"move_to", move_to}, {"days", days},
        {"hours", hours},     {"weeks", weeks},
        {"minutes", minutes}, {"now", now},
        {"date", date},       {NULL, NULL},
    };

    new_type(L, TYPE_SECRET, secret);
    new_type(L, TYPE_AFTER, after);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    push_after(L, AFTER_KEEP);
    lua_setfield(L, -2, "keep");
    push_after(L, AFTER_SEEN);
    lua_setfield(L, -2, "seen");
    push_after(L, AFTER_DELETE);
    lua_setfield(L, -2, "delete");
    lua_pop(L, 1);
}
