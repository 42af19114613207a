/*
 * all { ... }: several functions of a rule at the same time.
 *
 * Each runs in a fiber and a Lua thread of its own, as a part of the run that
 * called: it sees the same message, its memory is counted there, and the time
 * in all is the same. Between waits each has the time of a rule.
 */
#include <config.h>

#include <string.h>

#include "lua/calls.h"

#define BRANCHES_MOST 32
#define WORDS_MOST 300 /* octets of one error */

struct branch {
    struct run run;
    bool has_failed;
};

struct all {
    struct run *above;
    struct branch branches[BRANCHES_MOST];
    size_t count;
};

static pr_status run_branch(void *argument)
{
    struct branch *branch = argument;
    struct run *run = &branch->run;
    struct script *script = run->script;
    struct run copy = *run; /* script_begin sets what is its own */
    int status;

    script_begin(run, script, run->thread);
    script->runs--; /* it is no run more, but a part of one */
    run->root = copy.root;
    run->deadline = copy.deadline;
    status = lua_pcall(run->thread, 0, 2, 1);
    if (status == LUA_ERRMEM)
        script_stop_for_memory(run);
    branch->has_failed = status != LUA_OK;
    script->running = NULL;
    return PR_OK;
}

/* Its thread, with a handler and the function on its stack; kept in the table
 * `threads`. The function is on top of L's stack, and taken. */
static void begin_branch(lua_State *L, struct all *all, int threads)
{
    struct branch *branch = &all->branches[all->count];
    struct run *above = all->above;
    lua_State *thread = lua_newthread(L);

    lua_rawseti(L, threads, (lua_Integer)all->count + 1);
    lua_pushcfunction(thread, traceback);
    lua_xmove(L, thread, 1);
    branch->run = (struct run){
        .script = above->script,
        .root = above->root,
        .thread = thread,
        .who = above->who,
        .message = above->message,
        .cell = above->cell,
        .rule = above->rule,
        .hook = above->hook,
        .deadline = above->deadline,
        .total = above->total,
    };
    all->count++;
}

/* The functions of the table at 1, by their keys; the keys go into `keys`. */
static void take_functions(lua_State *L, struct all *all, int keys, int threads)
{
    for (lua_pushnil(L); lua_next(L, 1) != 0;) {
        if (!lua_isfunction(L, -1))
            luaL_error(L, "all: expects functions, got %s", type_words(L, -1));
        if (all->count == BRANCHES_MOST)
            luaL_error(L, "all: more than %d functions", BRANCHES_MOST);
        lua_pushvalue(L, -2);
        lua_rawseti(L, keys, (lua_Integer)all->count + 1);
        begin_branch(L, all, threads);
    }
}

static pr_status run_branches(struct all *all)
{
    struct pr_scope scope;
    pr_status status = PR_OK, joined;

    pr_scope_init(&scope);
    for (size_t i = 0; status == PR_OK && i < all->count; i++)
        status = pr_spawn(&scope, "all", PR_STACK_RULE, run_branch,
                          &all->branches[i]);
    joined = pr_scope_join(&scope);
    return status != PR_OK ? status : joined;
}

/* What the line took while a branch had more of the message fetched is not the
 * rule's doing, in whichever branch it was. */
static void pass_on_time(struct all *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct run *run = &all->branches[i].run;

        if (run->deadline > all->above->deadline)
            all->above->deadline = run->deadline;
    }
}

/* What ends a branch from outside ends the whole run. */
static void pass_on_stops(lua_State *L, const struct all *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct run *run = &all->branches[i].run;

        if (run->stop != STOP_NONE && all->above->stop == STOP_NONE)
            all->above->stop = run->stop;
    }
    script_check_stop(L);
    script_check_time(L);
}

static bool is_first_failure(const struct all *all, size_t index)
{
    while (index-- > 0)
        if (all->branches[index].has_failed)
            return false;
    return true;
}

/* Errors of all branches together, so that none hides another. */
static void raise_errors(lua_State *L, const struct all *all)
{
    luaL_Buffer words;
    bool has_some = false;

    luaL_buffinit(L, &words);
    for (size_t i = 0; i < all->count; i++) {
        const char *text;

        if (!all->branches[i].has_failed)
            continue;
        if (!is_first_failure(all, i))
            luaL_addstring(&words, "; ");
        text = lua_tostring(all->branches[i].run.thread, -1);
        if (text == NULL)
            text = "an error without words";
        luaL_addlstring(&words, text, strnlen(text, WORDS_MOST));
        has_some = true;
    }
    luaL_pushresult(&words);
    if (has_some)
        lua_error(L);
    lua_pop(L, 1);
}

/* Pushes the results by their keys, and what was said where one is nil. */
static int push_results(lua_State *L, const struct all *all, int keys)
{
    bool has_words = false;

    lua_newtable(L);
    lua_newtable(L);
    for (size_t i = 0; i < all->count; i++) {
        lua_State *thread = all->branches[i].run.thread;

        lua_rawgeti(L, keys, (lua_Integer)i + 1);
        lua_pushvalue(L, -1);
        lua_xmove(thread, L, 2); /* key, key, value, text */
        if (lua_isnil(L, -2) && !lua_isnil(L, -1)) {
            lua_pushvalue(L, -4);
            lua_pushvalue(L, -2);
            lua_rawset(L, -7);
            has_words = true;
        }
        lua_pop(L, 1);
        lua_rawset(L, -5);
        lua_pop(L, 1);
    }
    if (!has_words) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    return 2;
}

/* all { function() ... end, name = function() ... end, ... }: runs them at the
 * same time and returns, when the last has ended, a table with the first result
 * of each by the same keys; and a table with the second results of those whose
 * first is nil, or nil when there is none. An error in one raises when all have
 * ended. */
static int run_all(lua_State *L)
{
    struct all *all;
    struct run *run = script_of(L)->running;
    pr_status status;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (run->who == NULL)
        return luaL_error(L, "all: only in a rule");
    all = lua_newuserdatauv(L, sizeof *all, 0); /* 2 */
    memset(all, 0, sizeof *all);
    all->above = run;
    lua_newtable(L); /* 3: keys */
    lua_newtable(L); /* 4: threads */
    take_functions(L, all, 3, 4);
    script_pause(L);
    status = run_branches(all);
    script_resume(run);
    if (status != PR_OK)
        return script_raise(L, status);
    pass_on_time(all);
    pass_on_stops(L, all);
    raise_errors(L, all);
    return push_results(L, all, 3);
}

void open_all_of(lua_State *L)
{
    lua_pushcfunction(L, run_all);
    lua_setglobal(L, "all");
}
