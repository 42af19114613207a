/*
 * Functions of the configuration that the engine calls: a sink's, a source's.
 *
 * Each call is a turn: a fiber with a stack that is large enough for Lua, a Lua
 * thread and a run with limits of its own. The function may wait like a rule.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "lua/script.h"

/* ---- Reading them -------------------------------------------------------- */

struct taking {
    const char *const *names;
    int *functions;
    bool is_right;
};

static void take_function(lua_State *L, struct reader *reader, const char *name,
                          struct place place)
{
    struct taking *taking = reader->user;

    for (size_t i = 0; taking->names[i] != NULL; i++) {
        if (strcmp(taking->names[i], name) != 0)
            continue;
        if (lua_isfunction(L, -1)) {
            lua_pushvalue(L, -1);
            taking->functions[i] = luaL_ref(L, LUA_REGISTRYINDEX);
            return;
        }
        problem_add(L, place, "%s: %s: expects a function, got %s",
                    reader->what, name, type_words(L, -1));
        taking->is_right = false;
    }
}

static bool read_name(lua_State *L, const char *what, const char **ret)
{
    const char *name, *problem;

    if (lua_type(L, 1) != LUA_TSTRING || !lua_istable(L, 2))
        luaL_error(L, "%s: expects %s(\"name\", { ... }), got %s, %s", what,
                   what, type_words(L, 1), type_words(L, 2));
    name = script_copy(L, script_of(L)->arena, check_text(L, 1));
    problem = name_problem(name);
    *ret = name;
    if (problem != NULL)
        problem_add(L, script_place(L, 1), "%s \"%s\" %s", what, name, problem);
    return problem == NULL;
}

bool read_functions(lua_State *L, const char *what, const char *const *names,
                    const char **ret_name, int functions[FUNCTIONS_MOST])
{
    struct pr_class class = {.size = sizeof class, .name = what};
    struct taking taking = {names, functions, true};
    struct reader reader = {
        .opener = what,
        .class = &class,
        .others = names,
        .take = take_function,
        .user = &taking,
        .place = script_place(L, 1),
    };
    bool is_right;

    if (script_of(L)->running->who != NULL)
        luaL_error(L, "%s: only at the top of the configuration", what);
    for (size_t i = 0; i < FUNCTIONS_MOST; i++)
        functions[i] = LUA_NOREF;
    is_right = read_name(L, what, ret_name);
    reader.what = lua_pushfstring(L, "%s \"%s\"", what, *ret_name);
    return reader_read(L, &reader, 2) && is_right && taking.is_right;
}

/* ---- Calling them -------------------------------------------------------- */

static int make_thread(lua_State *L)
{
    struct turn *turn = lua_touserdata(L, 1);

    turn->run.thread = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, turn);
    lua_pushcfunction(turn->run.thread, traceback);
    return 0;
}

/* Only what cannot raise: this is outside of any protected call. */
static void end_thread(struct turn *turn)
{
    lua_State *L = turn->script->L;

    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, turn);
}

static int call_function(lua_State *L)
{
    struct turn *turn = lua_touserdata(L, 1);

    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, turn->function);
    lua_call(L, turn->push(L, turn->user), LUA_MULTRET);
    turn->take(L, turn->user);
    return 0;
}

static pr_status turn_failure(struct turn *turn, int status)
{
    struct run *run = &turn->run;
    const char *words = lua_tostring(run->thread, -1);
    char text[200];

    if (status == LUA_ERRMEM)
        script_stop_for_memory(run);
    if (run->stop == STOP_CANCELLED)
        return pr_fail(PR_CANCELLED, "asked to stop");
    if (run->stop != STOP_NONE)
        return pr_fail(run->stop == STOP_NOMEM ? PR_NOMEM : PR_SCRIPT,
                       "%s: %s %s", turn->who, turn->what,
                       script_stop_text(run, text, sizeof text));
    return pr_fail(PR_SCRIPT, "%s: %s: %s", turn->who, turn->what,
                   words != NULL ? words : "an error without words");
}

static pr_status run_turn(void *argument)
{
    struct turn *turn = argument;
    struct script *script = turn->script;
    struct run *run = &turn->run;
    pr_status status = PR_OK;
    int ended;

    *run = (struct run){
        .script = script,
        .who = turn->who,
        .total = script->limits.total * (turn->count > 0 ? turn->count : 1),
    };
    lua_pushcfunction(script->L, make_thread);
    lua_pushlightuserdata(script->L, turn);
    if (lua_pcall(script->L, 1, 0, 0) != LUA_OK) {
        lua_pop(script->L, 1);
        return pr_fail(PR_NOMEM, "out of memory for %s", turn->who);
    }
    script_begin(run, script, run->thread);
    lua_pushcfunction(run->thread, call_function);
    lua_pushlightuserdata(run->thread, turn);
    ended = lua_pcall(run->thread, 1, 0, 1);
    if (ended != LUA_OK)
        status = turn_failure(turn, ended);
    script_end(run);
    end_thread(turn);
    return status;
}

pr_status turn_run(struct turn *turn)
{
    struct pr_scope scope;
    pr_status status, joined;

    pr_scope_init(&scope);
    status = pr_spawn(&scope, turn->who, PR_STACK_RULE, run_turn, turn);
    joined = pr_scope_join(&scope);
    return status != PR_OK ? status : joined;
}

/* ---- What they answer ---------------------------------------------------- */

static const char *words_at(lua_State *L, int index, const char *otherwise)
{
    return lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index)
                                             : otherwise;
}

pr_status to_outcome(lua_State *L, int index)
{
    int type = lua_type(L, index);

    if (type == LUA_TBOOLEAN && lua_toboolean(L, index))
        return PR_OK;
    if (type == LUA_TBOOLEAN)
        return pr_fail(PR_REFUSED, "%s: %s", script_of(L)->running->who,
                       words_at(L, index + 1, "refused"));
    if (type == LUA_TSTRING && strcmp(lua_tostring(L, index), "later") == 0)
        return pr_fail(PR_LATER, "%s: %s", script_of(L)->running->who,
                       words_at(L, index + 1, "later"));
    if (type == LUA_TNIL && lua_type(L, index + 1) == LUA_TSTRING)
        return pr_fail(PR_LATER, "%s: %s", script_of(L)->running->who,
                       lua_tostring(L, index + 1));
    luaL_error(L,
               "expects true, \"later\" or false to be returned, with a "
               "text if it is not true; got %s",
               type_words(L, index));
    return PR_SCRIPT; /* luaL_error does not say that it never returns */
}

/* The outcome that stands on top of the stack. */
static pr_status outcome_in_list(lua_State *L)
{
    pr_status status;
    int top = lua_gettop(L);

    if (!lua_istable(L, -1))
        return to_outcome(L, top);
    lua_rawgeti(L, top, 1);
    lua_rawgeti(L, top, 2);
    status = to_outcome(L, top + 1);
    lua_settop(L, top);
    return status;
}

void take_outcomes(lua_State *L, size_t count, outcome_taken *taken, void *user)
{
    bool is_list = lua_istable(L, 1);
    pr_status status = PR_OK;

    lua_settop(L, 3);
    if (!is_list)
        status = to_outcome(L, 1);
    for (size_t i = 0; i < count; i++) {
        if (is_list && lua_rawgeti(L, 1, (lua_Integer)i + 1) == LUA_TNIL)
            status = pr_fail(PR_SCRIPT, "%s: result %d is missing in the list",
                             script_of(L)->running->who, (int)i + 1);
        else if (is_list)
            status = outcome_in_list(L);
        taken(user, i, status);
        lua_settop(L, 3);
    }
}
