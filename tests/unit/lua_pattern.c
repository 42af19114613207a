/*
 * Patterns: the same answers as Lua's own, and an end to those that have none.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lua_fixture.h"

/* outcome(seed): what patterns made from the seed find, as one text. Errors
 * count as well, without their place and the words before. */
static const char generator[] =
    "local function outcome(seed)\n"
    "  local function random(n)\n"
    "    seed = (seed * 1103515245 + 12345) % 2147483648\n"
    "    return seed // 65536 % n\n"
    "  end\n"
    "  local items = { 'a', 'b', '.', '%a', '%d', '%W', '[ab]', '[^a]', "
    "'[a-c1]', '[%d_]', '[]]', '%f[a]', '%f[^%w]', '%bab', '%b()', '()', "
    "'%1', '%2', '(', ')', '%s', '%%', '%.', '\\0', '-', '%x', '[%a-]', "
    "'[a-%d]', '$', '^', '[^]x]', '%g', '[', '%', '%f', '%b', 'x' }\n"
    "  local marks = { '', '', '', '*', '+', '-', '?' }\n"
    "  local letters = { 'a', 'b', 'c', '1', ' ', '(', ')', '.', '_', '\\0', "
    "'\\xe4', ']', 'A' }\n"
    "  local function show(...)\n"
    "    local out = {}\n"
    "    for i = 1, select('#', ...) do\n"
    "      out[i] = string.format('%q', (select(i, ...)))\n"
    "    end\n"
    "    return table.concat(out, ',')\n"
    "  end\n"
    "  local function try(f, ...)\n"
    "    local result = table.pack(pcall(f, ...))\n"
    "    if result[1] then return show(table.unpack(result, 2, result.n)) end\n"
    "    return 'error ' .. (tostring(result[2]):match('malformed') or "
    "tostring(result[2]):match('[^:]*$'))\n"
    "  end\n"
    "  local all = {}\n"
    "  for n = 1, 25 do\n"
    "    local pattern, text = '', ''\n"
    "    if random(5) == 0 then pattern = '^' end\n"
    "    for i = 0, random(6) do\n"
    "      pattern = pattern .. items[random(#items) + 1]\n"
    "      pattern = pattern .. marks[random(#marks) + 1]\n"
    "    end\n"
    "    if random(5) == 0 then pattern = pattern .. '$' end\n"
    "    for i = 1, random(12) do\n"
    "      text = text .. letters[random(#letters) + 1]\n"
    "    end\n"
    "    local init = random(20) - 8\n"
    "    all[#all + 1] = try(string.find, text, pattern, init)\n"
    "    all[#all + 1] = try(string.match, text, pattern, init)\n"
    "    all[#all + 1] = try(string.gsub, text, pattern, '<%0%1%%>')\n"
    "    all[#all + 1] = try(string.gsub, text, pattern, { a = 1, b = false }, "
    "2)\n"
    "    all[#all + 1] = try(string.gsub, text, pattern, function(x, y)\n"
    "      return y and x and tostring(x) .. tostring(y) end)\n"
    "    all[#all + 1] = try(function() local t = {}\n"
    "      for x, y in string.gmatch(text, pattern, init) do\n"
    "        t[#t + 1] = show(x, y) end return table.concat(t, ';') end)\n"
    "    all[#all + 1] = show(pattern, text)\n"
    "  end\n"
    "  return (table.concat(all, ' | '):gsub('[^ -~]', function(c)\n"
    "    return '~' .. c:byte() end))\n"
    "end\n";

static char *reference(int seed)
{
    lua_State *L = luaL_newstate();
    char text[sizeof generator + 100], *copy;

    luaL_openlibs(L);
    snprintf(text, sizeof text, "%sreturn outcome(%d)", generator, seed);
    if (luaL_dostring(L, text) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    copy = strdup(lua_tostring(L, -1));
    lua_close(L);
    return copy;
}

static void answers_are_those_of_lua(void **state)
{
    (void)state;
    for (int seed = 1; seed <= 300; seed++) {
        char text[sizeof generator + 300], head[40], *expected;
        const char *plan;
        size_t same;

        snprintf(text, sizeof text,
                 "options { limits = { time = '20s' } } %s rule('r', "
                 "function(m) m:note('|' .. outcome(%d)) end)",
                 generator, seed);
        plan = fixture_plan(text, "INBOX", "X: y\r\n\r\n");
        assert_int_equal(fixture_status(), PR_OK);
        snprintf(head, sizeof head, "note [|");
        plan = strstr(plan, head);
        assert_non_null(plan);
        plan += strlen(head);
        expected = reference(seed);
        same = 0;
        while (expected[same] != '\0' && plan[same] == expected[same])
            same++;
        if (expected[same] != '\0')
            fail_msg("seed %d:\n%.100s\n%.100s", seed,
                     plan + (same > 50 ? same - 50 : 0),
                     expected + (same > 50 ? same - 50 : 0));
        assert_string_equal(plan + strlen(expected), "]\n");
        free(expected);
    }
}

static void a_pattern_that_takes_years_is_ended(void **state)
{
    static const char *const calls[] = {
        "local x = s:find '.-.-.-.-.-.-x'",
        "local x = s:match '(.*)(.*)(.*)(.*)(.*)(.*)x'",
        "local x = s:gsub('a*a*a*a*a*a*b', '')",
        "for x in s:gmatch 'a-a-a-a-a-a-b' do end",
        "local x = ('('):rep(100000):find '%b()*x'",
        "pcall(string.find, s, '.-.-.-.-.-.-x') m:stop()",
        "for i = 1, 1e9 do local x = s:find('zz', 1, true) end",
    };
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const char *words;

        snprintf(text, sizeof text,
                 "rule('r', function(m) local s = ('a'):rep(100000) %s end)",
                 calls[i]);
        words = fixture_plan(text, "INBOX", "X: y\r\n\r\n");
        assert_int_equal(fixture_status(), PR_SCRIPT);
        if (strstr(words, "ran for more than 50 ms") == NULL)
            fail_msg("%s: %s", calls[i], words);
    }
}

static int begin(void **state)
{
    *state = (void *)fixture_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_lua),
        cmocka_unit_test(a_pattern_that_takes_years_is_ended),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
