/*
 * Lua threads on fibers: a C function that Lua calls may wait anywhere.
 */
#include "config.h"

#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "trail.h"

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* Each thread runs this, and every park is on the stack of another fiber. */
static const char script[] =
    "local n, park = ...\n"
    "local steps = {}\n"
    "local function note(text) steps[#steps + 1] = text end\n"
    /* pcall, with and without an error after the wait */
    "local ok, result = pcall(function()\n"
    "  park()\n"
    "  if n % 3 == 0 then error('e' .. n, 0) end\n"
    "  return 'r' .. n\n"
    "end)\n"
    "note(tostring(ok) .. result)\n"
    /* a metamethod */
    "local lazy = setmetatable({}, {__index = function(_, key)\n"
    "  park()\n"
    "  return key * n\n"
    "end, __concat = function(a, b) park() return 'c' .. b end})\n"
    "note(lazy[2] + lazy[5])\n"
    "note(lazy .. n)\n"
    /* a comparator, called from table.sort in C */
    "local list = {5, 3, n, 1, 4, 2}\n"
    "table.sort(list, function(a, b) park() return a < b end)\n"
    "note(table.concat(list, ','))\n"
    /* an iterator, a coroutine, gsub's callback */
    "local sum = 0\n"
    "for i in function(_, i) park() i = i + 1 if i < 4 then return i end end,"
    " nil, 0 do sum = sum + i end\n"
    "note(sum)\n"
    "local inner = coroutine.wrap(function(a)\n"
    "  park()\n"
    "  local b = coroutine.yield(a + 1)\n"
    "  park()\n"
    "  return a + b\n"
    "end)\n"
    "note(inner(n) + inner(1))\n"
    "note((string.gsub('abc', '%a', function(c) park() return c .. n end)))\n"
    /* an error through two levels of C */
    "local _, text = pcall(table.sort, {2, 1}, function()\n"
    "  park()\n"
    "  error({n})\n"
    "end)\n"
    "note(text[1])\n"
    "collectgarbage('step')\n"
    "return table.concat(steps, ' ')\n";

struct rule {
    lua_State *thread;
    int n;
};

static unsigned parks;

static int park(lua_State *lua)
{
    pr_status status;

    parks++;
    status = parks % 5 == 0 ? pr_sleep(parks % 3) : pr_yield();
    if (status != PR_OK)
        return luaL_error(lua, "%s", pr_status_name(status));
    return 0;
}

static pr_status run_rule(void *argument)
{
    struct rule *rule = argument;
    lua_State *lua = rule->thread;
    int n = rule->n;
    char wanted[200];

    lua_pushinteger(lua, n);
    lua_pushcfunction(lua, park);
    if (lua_pcall(lua, 2, 1, 0) != LUA_OK)
        return pr_fail(PR_SCRIPT, "%s", lua_tostring(lua, -1));
    snprintf(wanted, sizeof wanted,
             "%s%d %d c%d 1,2,3,4,5,%d 6 %d a%db%dc%d %d",
             n % 3 == 0 ? "falsee" : "truer", n, 7 * n, n, n, (n + 1) + (n + 1),
             n, n, n, n);
    assert_string_equal(lua_tostring(lua, -1), wanted);
    return PR_OK;
}

enum { RULES = 1000 };

static pr_status run_rules(void *argument)
{
    static struct rule rules[RULES];
    lua_State *lua = luaL_newstate();
    struct pr_scope scope;
    int count = RUNNING_ON_VALGRIND ? 50 : RULES;
    pr_status status;

    (void)argument;
    luaL_openlibs(lua);
    pr_scope_init(&scope);
    for (int i = 0; i < count; i++) {
        rules[i].n = i + 6;
        rules[i].thread = lua_newthread(lua);
        luaL_ref(lua, LUA_REGISTRYINDEX);
        assert_int_equal(luaL_loadstring(rules[i].thread, script), LUA_OK);
        assert_int_equal(
            pr_spawn(&scope, "rule", PR_STACK_RULE, run_rule, &rules[i]),
            PR_OK);
    }
    status = pr_scope_join(&scope);
    print_message("%d threads parked %u times\n", count, parks);
    lua_close(lua);
    return status;
}

static void lua_waits_inside_c_calls(void **state)
{
    (void)state;
    run(run_rules);
}

static uintptr_t highest, lowest; /* stack addresses */

static int deepest_park(lua_State *lua)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    if (here < lowest)
        lowest = here;
    return pr_yield() == PR_OK ? 0 : luaL_error(lua, "stopped");
}

/* Callbacks of C functions that call such a function again, until Lua says that
 * it is enough: what costs most stack in a level. */
static const char endless[] =
    "local park = ...\n"
    "local function deeper()\n"
    "  park()\n"
    "  return (string.gsub('a', 'a', deeper))\n"
    "end\n"
    "local ok, text = pcall(deeper)\n"
    "assert(not ok and string.find(text, 'overflow'), text)\n"
    "local object = setmetatable({}, {__tostring = function(self)\n"
    "  park()\n"
    "  return string.format('%s', self)\n"
    "end})\n"
    "ok, text = pcall(tostring, object)\n"
    "assert(not ok and string.find(text, 'overflow'), text)\n";

static pr_status recurse_in_lua(void *argument)
{
    lua_State *lua = luaL_newstate();

    (void)argument;
    luaL_openlibs(lua);
    assert_int_equal(luaL_loadstring(lua, endless), LUA_OK);
    highest = lowest = (uintptr_t)__builtin_frame_address(0);
    lua_pushcfunction(lua, deepest_park);
    if (lua_pcall(lua, 1, 0, 0) != LUA_OK)
        return pr_fail(PR_SCRIPT, "%s", lua_tostring(lua, -1));
    print_message("Lua's deepest recursion took %zu KiB of stack\n",
                  (size_t)(highest - lowest) / 1024);
    lua_close(lua);
    return PR_OK;
}

static pr_status spawn_recursion(void *argument)
{
    struct pr_scope scope;

    (void)argument;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "rule", PR_STACK_RULE, recurse_in_lua, NULL), PR_OK);
    return pr_scope_join(&scope);
}

static void the_deepest_recursion_of_lua_fits_a_stack(void **state)
{
    (void)state;
    run(spawn_recursion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lua_waits_inside_c_calls),
        cmocka_unit_test(the_deepest_recursion_of_lua_fits_a_stack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
