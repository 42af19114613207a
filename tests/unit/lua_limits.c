/*
 * Rules that break out, run away, wait, or outlive their message.
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

#include "base/memory.h"
#include "fiber/loop.h"
#include "lua_fixture.h"

/* The address sanitizer writes over what is freed: a program that gets a text
 * that is gone gets another one. */
const char *__asan_default_options(void);

__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "max_free_fill_size=4096";
}

static const char plain[] = "Subject: s\r\n\r\nbody\r\n";

static const char *prelude = ""; /* before the rule, on its line */

static const char *rule(const char *body)
{
    static char text[2000];

    snprintf(text, sizeof text, "%srule('r', function(m)\n%s\nend)", prelude,
             body);
    return fixture_plan(text, "INBOX", plain);
}

/* ---- The sandbox --------------------------------------------------------- */

static void there_is_no_way_out(void **state)
{
    static const char *const absent[] = {
        "load",  "loadfile", "dofile",    "loadstring", "os",       "io",
        "debug", "package",  "coroutine", "warn",       "newproxy", "getfenv",
    };
    char body[300];

    (void)state;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        snprintf(body, sizeof body, "assert(rawget(_G, '%s') == nil)",
                 absent[i]);
        assert_string_equal(rule(body), "");
    }
    assert_string_equal(
        rule("assert(rawget(string, 'dump') == nil)\n"
             "assert(getmetatable('') == false and getmetatable(m) == false)\n"
             "assert(getmetatable(_G) == false)\n"
             "assert(getmetatable(mail) == false and getmetatable(m.from) == "
             "false)\n"
             "assert(not pcall(setmetatable, _G, {}))\n"
             "assert(not pcall(setmetatable, {}, { __gc = print }))\n"
             "assert(not pcall(setmetatable, m, {}))\n"
             "assert(not pcall(require, '../x'))\n"
             "assert(not pcall(require, '/etc/passwd'))\n"
             "assert(not pcall(collectgarbage, 'stop'))\n"
             "assert(collectgarbage() > 0 and collectgarbage 'count' > 0)\n"
             "assert(not pcall(function() return undefined end))\n"
             "print('hello', 1, nil)"),
        "");
    assert_non_null(strstr(fixture_log(), "work: hello 1 nil\n"));
}

static void parts_of_the_library_are_granted_by_name(void **state)
{
    (void)state;
    assert_non_null(strstr(rule("os.time()"),
                           "\"os\" is not open to rules: options { grant = { "
                           "\"os\" } } opens it"));
    assert_string_equal(
        fixture_plan(
            "options { grant = { \"os\", \"load\" } } rule(\"r\", "
            "function(m)\n"
            "assert(os.time() > 0 and load 'return 7'() == 7)\n"
            "assert(load('return x', 'n', 't', { x = 3 })() == 3)\n"
            "assert(load('x y') == nil and select(2, load('x y', '=n')):find "
            "'^n:1')\n"
            "assert(load('\\27Lua', 'n', 'b') == nil)\n"
            "assert(not pcall(function() return os.exit end))\n"
            "assert(not pcall(function() return os.execute end))\n"
            "assert(rawget(_G, 'io') == nil)\nend)",
            "INBOX", plain),
        "");
    assert_string_equal(
        fixture_plan("options { grant = { \"io\" } } rule(\"r\", function(m)\n"
                     "local f = io.open('/dev/null')\n"
                     "assert(f:read 'a' == '' and f:close())\n"
                     "assert(getmetatable(f) == false)\n"
                     "assert(not pcall(function() return io.popen end))\nend)",
                     "INBOX", plain),
        "");
    assert_non_null(
        strstr(fixture_plan("options { grant = { \"oss\" } }", "INBOX", plain),
               "there is no \"oss\" to be opened; did you mean "
               "\"os\"?"));
}

/* What the configuration adds is there for all; what a rule would change for
 * others is refused. */
static void rules_cannot_change_the_library(void **state)
{
    (void)state;
    prelude = "function string.twice(s) return s .. s end math.two = 2 ";
    assert_string_equal(
        rule("assert(('x'):twice() == 'xx' and string.twice 'y' == 'yy')\n"
             "assert(math.two == 2 and math.max(1, 2) == 2)\n"
             "for _, f in ipairs {\n"
             "  function() string.lower = print end,\n"
             "  function() string.new = print end,\n"
             "  function() rawset(string, 'lower', print) end,\n"
             "  function() table.concat = nil end,\n"
             "  function() table.insert(math, print) end,\n"
             "  function() table.move({ 1 }, 1, 1, 1, utf8) end,\n"
             "  function() getmetatable('').__index = {} end,\n"
             "  function() setmetatable(string, {}) end,\n"
             "  function() m.from = 1 end,\n"
             "} do assert(not pcall(f)) end\n"
             "local ok, words = pcall(function() string.lower = print end)\n"
             "assert(words:find('\"string.lower\" is a function of postrider, "
             "'\n"
             "  .. 'which cannot be changed', 1, true))\n"
             "ok, words = pcall(function() string.new = print end)\n"
             "assert(words:find('string.new: rules cannot add', 1, true))\n"
             "assert(('A'):lower() == 'a' and string.lower 'A' == 'a')\n"
             "assert(not pcall(function() return string.nothing end))\n"
             "local n = 0 for k, v in pairs(string) do n = n + 1 end\n"
             "assert(n > 15)\n"
             "local t = rawset({}, 'a', 1) assert(t.a == 1)"),
        "");
    prelude = "";
}

/* A forgotten `local` costs the message of that rule, and no other one. */
static void rules_cannot_change_the_names_of_the_api(void **state)
{
    (void)state;
    assert_string_equal(
        rule(
            "local all = { re = re, date = date, store = store, pairs = pairs,"
            "  tostring = tostring, seen = seen, json = json, _G = _G }\n"
            "local function fails(f, words)\n"
            "  local ok, why = pcall(f)\n"
            "  assert(not ok and why:find(words, 1, true), why)\n"
            "end\n"
            "fails(function() date = m.date end, '\"date\" is a function of '\n"
            "  .. 'postrider: write \"local date\" for a name of your own')\n"
            "fails(function() store = {} end, '\"store\" is a library of')\n"
            "fails(function() seen = 1 end, '\"seen\" is a name of')\n"
            "fails(function() store.get = 5 end, '\"store.get\" is a "
            "function')\n"
            "fails(function() json.new = 5 end, 'json.new: rules cannot add')\n"
            "for _, f in ipairs {\n"
            "  function() re = nil end,\n"
            "  function() tostring = nil end,\n"
            "  function() _G = {} end,\n"
            "  function() _G.date = 5 end,\n"
            "  function() _G._G = 5 end,\n"
            "  function() rawset(_G, 'date', 5) end,\n"
            "  function() rawset(dns, 'a', 5) end,\n"
            "  function() function glob() end end,\n"
            "  function() setmetatable(_G, {}) end,\n"
            "  function() setmetatable(store, nil) end,\n"
            "  function() http.get = nil end,\n"
            "} do assert(not pcall(f)) end\n"
            "local _, fields = pairs(store) fields.get = 5\n"
            "_, fields = pairs(_G) fields.date = 5\n"
            "for k, v in all.pairs(all) do\n"
            "  assert(_G[k] == v and rawget(_G, k) == v)\n"
            "end\n"
            "assert(type(store.get) == 'function')\n"
            "assert(type(rawget(store, 'get')) == 'function')\n"
            "assert(rawget(_G, 'nothing') == nil)\n"),
        "");
}

/* What is no name of the API is the user's, and all rules share it. */
static void other_globals_are_shared(void **state)
{
    (void)state;
    prelude = "count = 1 function twice(n) return 2 * n end ";
    assert_string_equal(
        rule("count = twice(count)\n"
             "rawset(_G, 'more', 3)\n"
             "assert(count == 2 and _G.count == 2 and more == 3)\n"
             "local found = {}\n"
             "for k, v in pairs(_G) do found[k] = v end\n"
             "assert(found.count == 2 and found.date == date)\n"
             "count = nil\n"
             "local ok, words = pcall(function() return twicee end)\n"
             "assert(words:find('did you mean \"twice\"?', 1, true), words)\n"
             "assert(not pcall(function() return count end))\n"),
        "");
    prelude = "";
}

static void the_configuration_cannot_change_them_either(void **state)
{
    (void)state;
    assert_non_null(strstr(fixture_plan("date = 5", "INBOX", plain),
                           "config.lua:2: \"date\" is a function of postrider: "
                           "write \"local date\""));
    assert_non_null(
        strstr(fixture_plan("function string.lower() end", "INBOX", plain),
               "\"string.lower\" is a function of postrider"));
    assert_non_null(strstr(fixture_plan("options { grant = { 'os' } }\n"
                                        "os.time = 5",
                                        "INBOX", plain),
                           "\"os.time\" is a function of postrider"));
    assert_non_null(strstr(fixture_plan("options { grant = { 'load' } }\n"
                                        "load = 5",
                                        "INBOX", plain),
                           "\"load\" is a function of postrider"));
    assert_string_equal(
        fixture_plan("options { grant = { 'os', 'io', 'load', 'os' } }\n"
                     "assert(os.time and io.open and load)\n"
                     "rule('r', function(m) assert(load 'return os.time()' ()"
                     "> 0) end)",
                     "INBOX", plain),
        "");
}

static void pcall_works_as_ever(void **state)
{
    (void)state;
    assert_string_equal(
        rule("local ok, e = pcall(error, 'x', 0) assert(not ok and e == 'x')\n"
             "assert(select('#', pcall(function() return 1, nil, 3 end)) == "
             "4)\n"
             "local t = {} local _, e = pcall(error, t) assert(e == t)\n"
             "local ok, e = xpcall(function(a) error(a, 0) end, function(e) "
             "return e .. '!' end, 'y')\n"
             "assert(not ok and e == 'y!', e)\n"
             "local ok, a, b = xpcall(function(...) return ... end, print, 5, "
             "6)\n"
             "assert(ok and a == 5 and b == 6)"),
        "");
}

/* ---- Running away -------------------------------------------------------- */

/* What runs away would go on for ever; a busy machine takes its time. */
#define SOON ((pr_time)30 * 1000)

static void ends_with(const char *body, const char *words)
{
    pr_time start = pr_now();
    const char *said = rule(body);

    if (fixture_status() != PR_SCRIPT || strstr(said, words) == NULL)
        fail_msg("%s: %s", body, said);
    if (pr_now() - start > SOON)
        fail_msg("%s took %d ms", body, (int)(pr_now() - start));
}

static void a_rule_that_never_ends_is_ended(void **state)
{
    static const char words[] =
        "config.lua:2: rule \"r\" ran for more than 50 ms without waiting";
    static const char *const bodies[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "xpcall(function() while true do end end, function() while true do "
        "end end)",
        "pcall(pcall, function() while true do end end) m:stop()",
        "repeat until false",
        "local function f() return f() end f()",
        "table.sort({ 3, 2, 1, 4, 5, 6 }, function() while true do end end)",
        "setmetatable({}, { __index = function() while true do end end "
        "}).x = nil local x = setmetatable({}, { __index = function() while "
        "true do end end }).y",
        "for i = 1, 1e9 do local s = ('x'):rep(9e6) end",
        "local t <close> = setmetatable({}, { __close = function() while true "
        "do end end }) error 'x'",
        "while true do local s = m.parts[1]:text() end",
        "while true do local s = m.text:has 'zz' end",
        "while true do table.insert({}, 1) end",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ends_with(bodies[i], words);
}

/* The time is that of all rules since the last wait. */
static void the_last_rule_is_not_blamed_for_the_others(void **state)
{
    const char *words = fixture_plan("rule('a', function(m) m:note 'a' end)\n"
                                     "rule('b', function(m) while true do end "
                                     "end)",
                                     "INBOX", plain);

    (void)state;
    assert_string_equal(words,
                        "config.lua:3: rule \"b\" (with the rules before it) "
                        "ran for more than 50 ms without waiting");
}

static void what_loops_in_c_is_bounded(void **state)
{
    (void)state;
    assert_string_equal(rule("assert((''):rep(1 << 60) == '')"), "");
    ends_with("table.move({}, 1, 1e12, 2)", "too many elements");
    ends_with("table.insert(setmetatable({}, { __len = function() return 1e15 "
              "end }), 1, 5)",
              "claims too many elements");
    ends_with("table.concat({}, '', 1, 1 << 60)", "too many elements");
    ends_with("local t = setmetatable({}, { __len = function() return 1e12 "
              "end }) for i = 1, 5 do table.remove(t, 1) end",
              "claims too many elements");
}

static void a_rule_that_wants_all_memory_is_ended(void **state)
{
    static const char words[] =
        "config.lua:2: rule \"r\" needs more than 32768 KiB of memory";
    static const char *const bodies[] = {
        "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1 << 22) .. i end",
        "local s = 'x' while true do s = s .. s end",
        "pcall(function() local s = 'x' while true do s = s .. s end end)",
        "local s = ('x'):rep(1 << 30)",
        "while true do pcall(string.rep, 'x', 1 << 30) end",
    };

    (void)state;
    prelude = "options { limits = { time = '20s' } } ";
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ends_with(bodies[i], words);
    assert_string_equal(rule("for i = 1, 30 do local s = ('x'):rep(1 << 21) .. "
                             "i end"),
                        "");
    prelude = "";
}

static void nesting_too_deep_is_an_error(void **state)
{
    static const char *const bodies[] = {
        "local function f() return 1 + f() end f()",
        "local function f() pcall(f) error 'x' end f()",
        "local function f() return 1 + select(2, pcall(f)) end f()",
        "local function f() local t = setmetatable({}, { __index = function() "
        "return f() end }) return t.x + 1 end f()",
        "local function f(s) return (s:gsub('.', f)) .. f(s) end f('x')",
        "local function f() table.sort({ 1, 2, 3 }, f) return true end f()",
        "local function f() return tostring(setmetatable({}, { __tostring = f "
        "})) .. '' end f()",
        "local function f() local ok, e = xpcall(f, f) error(e) end f()",
        "local function f(e) xpcall(error, f, 'x') error(e) end f()",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        rule(bodies[i]);
        assert_int_equal(fixture_status(), PR_SCRIPT);
    }
}

static void limits_are_set_by_options(void **state)
{
    const char *words;

    (void)state;
    words = fixture_plan("options { limits = { time = '7ms', memory = '2M', "
                         "total = '1s' } }\n"
                         "rule('r', function() while true do end end)",
                         "INBOX", plain);
    assert_non_null(strstr(words, "ran for more than 7 ms"));
    words = fixture_plan("options { limits = { memory = '2M' } }\n"
                         "rule('r', function() local s = ('x'):rep(3e6) end)",
                         "INBOX", plain);
    assert_non_null(strstr(words, "needs more than 2048 KiB"));
    words = fixture_plan("options { limits = { total = '1s' } }\n"
                         "rule('r', function() sleep(1.2) local n = 0 end)",
                         "INBOX", plain);
    assert_non_null(strstr(words, "took longer than 1 s in all"));
}

/* ---- Many at once -------------------------------------------------------- */

enum { MANY = 100 };

struct crowd {
    const char *rules;
    struct config *config;
    struct message *messages[MANY];
    pr_status results[MANY];
    size_t count, next;
    uint64_t cancel_after; /* ms; 0: never */
};

static pr_status run_one(void *argument)
{
    struct crowd *crowd = argument;
    size_t i = crowd->next++;

    crowd->results[i] = rules_run(crowd->config, crowd->messages[i]);
    return PR_OK;
}

static pr_status run_crowd(void *argument)
{
    struct crowd *crowd = argument;
    struct pr_scope scope;
    char text[4000];
    pr_status status;

    snprintf(text, sizeof text,
             "account 'work' { source = imap { host = 'h' }, deliver = maildir "
             "'/m' }\n%s",
             crowd->rules);
    status = fixture_load(text, &crowd->config);
    if (status != PR_OK)
        return status;
    pr_scope_init(&scope);
    for (size_t i = 0; i < crowd->count && status == PR_OK; i++) {
        crowd->messages[i] = fixture_message(crowd->config, "INBOX", plain);
        crowd->messages[i]->item->uid = (uint32_t)i + 1;
        status = pr_spawn(&scope, "rules", PR_STACK_RULE, run_one, crowd);
    }
    if (crowd->cancel_after != 0 && pr_sleep(crowd->cancel_after) == PR_OK)
        pr_scope_cancel(&scope);
    if (pr_scope_join(&scope) != PR_OK)
        status = PR_BUG;
    return status;
}

static void crowd_done(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        fixture_message_free(crowd->messages[i]);
    config_free(crowd->config);
}

static void rules_of_many_messages_wait_at_the_same_time(void **state)
{
    struct crowd crowd = {
        .rules = "started, most, running = 0, 0, 0\n"
                 "rule('r', function(m)\n"
                 "  running = running + 1 most = math.max(most, running)\n"
                 "  local done = pcall(function() sleep '300ms' end)\n"
                 "  running = running - 1\n"
                 "  m:tag('most', most) m:note(m.uid .. m.subject)\n"
                 "end)",
        .count = MANY,
    };
    pr_time start = pr_now();
    char note[20];

    (void)state;
    assert_int_equal(loop_run(2, run_crowd, &crowd), PR_OK);
    assert_true(pr_now() - start < SOON);
    for (size_t i = 0; i < MANY; i++) {
        const struct plan *plan = &crowd.messages[i]->plan;

        assert_int_equal(crowd.results[i], PR_OK);
        assert_int_equal(plan->count, 2);
        assert_string_equal(plan->entries[0].value, "100");
        snprintf(note, sizeof note, "%ds", (int)i + 1);
        assert_string_equal(plan->entries[1].text, note);
    }
    crowd_done(&crowd);
}

static void programs_run_side_by_side(void **state)
{
    struct crowd crowd = {
        .rules = "rule('r', function(m)\n"
                 "  local a = assert(exec { 'sleep', '0.3' })\n"
                 "  assert(a.status == 0)\n"
                 "  local b = exec { 'sh', '-c', 'cat; echo bad >&2; exit 3', "
                 "input = m }\n"
                 "  assert(b.status == 3 and b.complaint == 'bad\\n')\n"
                 "  m:note(b.output:gsub('\\n', '|'))\n"
                 "end)",
        .count = 20,
    };
    pr_time start = pr_now();

    (void)state;
    assert_int_equal(loop_run(4, run_crowd, &crowd), PR_OK);
    assert_true(pr_now() - start < SOON);
    for (size_t i = 0; i < crowd.count; i++) {
        assert_int_equal(crowd.results[i], PR_OK);
        assert_string_equal(crowd.messages[i]->plan.entries[0].text,
                            "Subject: s||body|");
    }
    crowd_done(&crowd);
}

/* What stands in the table when exec begins is run, whatever the rules of other
 * messages write into it while it waits for a place; the last of them goes on
 * until what nobody holds any more is freed. */
static void programs_get_the_arguments_they_were_given(void **state)
{
    struct crowd crowd = {
        .rules = "local command = { 'sh', '-c', 'sleep 0.1; echo \"$1\"', "
                 "'sh' }\n"
                 "rule('r', function(m)\n"
                 "  local own = m.uid .. ('x'):rep(100)\n"
                 "  command[5] = m.uid .. ('x'):rep(100)\n"
                 "  for _ = 1, m.uid == 30 and 2 or 0 do\n"
                 "    local gone = setmetatable({ {} }, { __mode = 'v' })\n"
                 "    while gone[1] do local _ = ('y'):rep(20000) end\n"
                 "  end\n"
                 "  local run = assert(exec(command))\n"
                 "  assert(run.output == own .. '\\n', run.output)\n"
                 "  m:note('right')\n"
                 "end)",
        .count = 30,
    };

    (void)state;
    assert_int_equal(loop_run(4, run_crowd, &crowd), PR_OK);
    for (size_t i = 0; i < crowd.count; i++) {
        assert_int_equal(crowd.results[i], PR_OK);
        assert_string_equal(crowd.messages[i]->plan.entries[0].text, "right");
    }
    crowd_done(&crowd);
}

static void exec_says_what_went_wrong(void **state)
{
    (void)state;
    assert_string_equal(
        rule("local r, e = exec { '/nowhere/program' } assert(r == nil and "
             "e:has 'program', e)\n"
             "local r, e = exec { 'sleep', '9', timeout = '100ms' }\n"
             "assert(r == nil and type(e) == 'string')\n"
             "local r = exec { 'cat', input = 'text' } assert(r.output == "
             "'text')\n"
             "local r, e = exec { 'sh', '-c', 'yes' } assert(r == nil, e)\n"
             "assert(not pcall(exec, { 'x', inptu = 1 }))\n"
             "assert(not pcall(exec, {}) and not pcall(exec, { 5 }))\n"
             "assert(not pcall(exec, 'x'))"),
        "");
}

static void a_cancelled_rule_ends_at_once(void **state)
{
    struct crowd crowd = {
        .rules = "rule('r', function(m)\n"
                 "  while true do pcall(sleep, '10s') end\n"
                 "end)",
        .count = 3,
        .cancel_after = 50,
    };
    pr_time start = pr_now();

    (void)state;
    assert_int_equal(loop_run(2, run_crowd, &crowd), PR_OK);
    assert_true(pr_now() - start < SOON);
    for (size_t i = 0; i < crowd.count; i++)
        assert_int_equal(crowd.results[i], PR_CANCELLED);
    crowd_done(&crowd);
}

static void a_message_that_has_left_cannot_be_used(void **state)
{
    struct crowd crowd = {
        .rules = "kept_m = false\n"
                 "rule('r', function(m)\n"
                 "  if not kept_m then kept_m = m kept_to = m.to return end\n"
                 "  local ok, e = pcall(function() return kept_m.subject "
                 "end)\n"
                 "  assert(not ok and e:has 'the message has left the house', "
                 "e)\n"
                 "  assert(not pcall(function() return kept_to.address end))\n"
                 "  assert(not pcall(function() return #kept_to end))\n"
                 "  assert(tostring(kept_m) == 'message that has left')\n"
                 "end)",
        .count = 2,
    };

    (void)state;
    assert_int_equal(loop_run(2, run_crowd, &crowd), PR_OK);
    assert_int_equal(crowd.results[0], PR_OK);
    if (crowd.results[1] != PR_OK)
        fail_msg("%s", fixture_log());
    crowd_done(&crowd);
}

static void another_run_cannot_use_a_message(void **state)
{
    struct crowd crowd = {
        .rules = "kept = false\n"
                 "rule('r', function(m)\n"
                 "  if not kept then kept = m sleep '200ms' return end\n"
                 "  local ok, e = pcall(function() return kept.subject end)\n"
                 "  assert(e:has 'another run of the rules', e)\n"
                 "end)",
        .count = 2,
    };

    (void)state;
    assert_int_equal(loop_run(2, run_crowd, &crowd), PR_OK);
    assert_int_equal(crowd.results[0], PR_OK);
    if (crowd.results[1] != PR_OK)
        fail_msg("%s", fixture_log());
    crowd_done(&crowd);
}

static void one_that_runs_away_takes_nothing_from_the_others(void **state)
{
    struct crowd crowd = {
        .rules = "rule('r', function(m)\n"
                 "  if m.uid == 1 then local t = {} while true do t[#t + 1] = "
                 "('x'):rep(1 << 20) sleep '1ms' end end\n"
                 "  local t = {} for i = 1, 20 do t[i] = m.uid .. "
                 "('y'):rep(1000) sleep '2ms' end\n"
                 "end)",
        .count = 10,
    };

    (void)state;
    assert_int_equal(loop_run(2, run_crowd, &crowd), PR_OK);
    assert_int_equal(crowd.results[0], PR_SCRIPT);
    for (size_t i = 1; i < crowd.count; i++)
        if (crowd.results[i] != PR_OK)
            fail_msg("%s", fixture_log());
    crowd_done(&crowd);
}

/* ---- Out of memory ------------------------------------------------------- */

struct sweep {
    const char *rule;
    unsigned long n;
    bool is_over;
};

static pr_status load_and_run(void *argument)
{
    struct sweep *sweep = argument;
    char text[2000];
    const char *path;
    struct message *message;
    struct config *config;
    pr_status status;

    snprintf(text, sizeof text,
             "local mail = maildir '/m' account 'work' { source = imap { host "
             "= 'h' }, deliver = mail }\n"
             "options { limits = { time = '5s' }, save = { '/srv' } }\n"
             "rule('r', function(m) %s m:deliver(mail / 'x') end)",
             sweep->rule);
    path = fixture_write("config.lua", text);
    memory_fail_at(sweep->n);
    status = config_load(path, &config);
    if (status == PR_OK) {
        bool is_pending = memory_fail_pending();

        memory_fail_at(0);
        message = fixture_message(config, "INBOX", plain);
        memory_fail_at(is_pending ? sweep->n / 4 + 1 : 0);
        status = rules_run(config, message);
        sweep->is_over = memory_fail_pending();
        memory_fail_at(0);
        fixture_message_free(message);
        config_free(config);
    }
    memory_fail_at(0);
    return status;
}

static void sweep(const char *rule)
{
    struct sweep it = {.rule = rule};

    for (it.n = 1; !it.is_over && it.n < 20000; it.n++) {
        pr_status status = loop_run(1, load_and_run, &it);

        if (status != PR_OK && status != PR_NOMEM)
            fail_msg("%lu: %s: %s", it.n, pr_status_name(status),
                     pr_last_failure()->text);
    }
    assert_true(it.is_over);
}

static void no_memory_is_a_failure_like_another(void **state)
{
    (void)state;
    sweep("local t = {} for i = 1, 10 do t[i] = 'x' .. i end pcall(error, {})\n"
          "m:note(m.subject:upper() .. #m.to .. #m.text)");
    sweep("m:note(re('(?<a>s)', 'i'):match(m.subject).a)\n"
          "m:note((re's':gsub(m.subject, '%0%0')))\n"
          "for w in re'.':gmatch 'ab' do m:note(w) end");
    sweep("m:note(tostring(seen 'x')) store.set('a', 'text')\n"
          "m:note(store.get 'a') m:note(store.incr 'n')\n"
          "m:note(tostring(ratelimit('k', 1, '1h')))");
    sweep("local p = m.parts[1] m:note(p:true_type() .. p:save '/srv/')\n"
          "m:note(tostring(p:archive_names()) .. m:sha256())\n"
          "m:note((m:raw():read(3))) for l in m:raw():lines() do m:note(l) "
          "end");
    fixture_write("m.txt", "s = 1\n");
    sweep("m:note((map 'm.txt').s) assert(not m.from:in_file 'm.txt')\n"
          "m:note(date('%Y', 0))");
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
        cmocka_unit_test(there_is_no_way_out),
        cmocka_unit_test(parts_of_the_library_are_granted_by_name),
        cmocka_unit_test(rules_cannot_change_the_library),
        cmocka_unit_test(rules_cannot_change_the_names_of_the_api),
        cmocka_unit_test(other_globals_are_shared),
        cmocka_unit_test(the_configuration_cannot_change_them_either),
        cmocka_unit_test(pcall_works_as_ever),
        cmocka_unit_test(a_rule_that_never_ends_is_ended),
        cmocka_unit_test(the_last_rule_is_not_blamed_for_the_others),
        cmocka_unit_test(what_loops_in_c_is_bounded),
        cmocka_unit_test(a_rule_that_wants_all_memory_is_ended),
        cmocka_unit_test(nesting_too_deep_is_an_error),
        cmocka_unit_test(limits_are_set_by_options),
        cmocka_unit_test(rules_of_many_messages_wait_at_the_same_time),
        cmocka_unit_test(programs_run_side_by_side),
        cmocka_unit_test(programs_get_the_arguments_they_were_given),
        cmocka_unit_test(exec_says_what_went_wrong),
        cmocka_unit_test(a_cancelled_rule_ends_at_once),
        cmocka_unit_test(a_message_that_has_left_cannot_be_used),
        cmocka_unit_test(another_run_cannot_use_a_message),
        cmocka_unit_test(one_that_runs_away_takes_nothing_from_the_others),
        cmocka_unit_test(no_memory_is_a_failure_like_another),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
