/*
 * What a stranger wrote ends no rule and gets out of no place: texts of mail
 * where rules put them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lua_fixture.h"

static const char plain[] = "Subject: s\nFrom: a@example.org\n\nbody\n";
static const char anonymous[] = "Subject: =?utf-8?q?a=0D=0ABcc:_x?=\n\nbody\n";

static void becomes(const char *body, const char *octets, const char *plan)
{
    char rules[4000];

    snprintf(rules, sizeof rules, "rule('r', function(m) %s end)", body);
    assert_string_equal(fixture_plan(rules, "INBOX", octets), plan);
}

static void lines_stay_lines(void **state)
{
    (void)state;
    becomes("m:note(m.subject)", anonymous,
            "config.lua:2 r: note [a Bcc: x]\n");
    becomes("m:set_header('X', m.subject) m:add_header('Y', 'a\\0b\\127c\\n')",
            anonymous,
            "config.lua:2 r: set_header [X] [a Bcc: x]\n"
            "config.lua:2 r: add_header [Y] [a b c]\n");
    becomes("m:tag('\\r\\n', m.subject) m:score(1, m.subject)", anonymous,
            "config.lua:2 r: tag [_] [a Bcc: x]\n"
            "config.lua:2 r: score [a Bcc: x] 1\n");
    becomes("m:discard('\\na\\xffb\\n')", plain,
            "config.lua:2 r: discard [a\uFFFDb]\n");
    becomes("m:note(m.from.address) m:set_header('X', m:header 'X')", anonymous,
            "config.lua:2 r: note []\nconfig.lua:2 r: set_header [X] []\n");
}

static void scores_are_numbers(void **state)
{
    (void)state;
    becomes("m:score(m:header 'X') m:score('high') m:score('2.5') "
            "m:score(1e999) m:score(0/0)",
            plain,
            "config.lua:2 r: score []\nconfig.lua:2 r: score []\n"
            "config.lua:2 r: score [] 2.5\nconfig.lua:2 r: score [] 1e+09\n"
            "config.lua:2 r: score []\n");
    becomes("local ok = pcall(m.score, m, {}) assert(not ok)", plain, "");
}

static void folders_stay_below(void **state)
{
    static const struct {
        const char *name, *folder;
    } cases[] = {
        {"../x", "__/x"},    {"a/../../b", "a/__/__/b"},
        {".", "_"},          {".x", "_x"},
        {"", "_"},           {"/", "_"},
        {"//a///b/", "a/b"}, {"a\\nb\\0c", "a_b c"},
        {"\\xff", "\uFFFD"},
    };

    char body[100], plan[200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(body, sizeof body, "m:deliver(mail / '%s')", cases[i].name);
        snprintf(plan, sizeof plan, "config.lua:2 r: deliver [maildir:/m/%s]\n",
                 cases[i].folder);
        becomes(body, plain, plan);
    }
    becomes("local name = ('\u00e4'):rep(1000) "
            "local sink = tostring(mail / name) "
            "assert(#sink == #tostring(mail) + 201 and utf8.len(sink))",
            plain, "");
    becomes("m:move 'a\\r\\nb'", plain, "config.lua:2 r: move [a__b]\n");
    becomes("m:move(m.subject)", anonymous,
            "config.lua:2 r: move [a_Bcc: x]\n");
    becomes("m:copy_to ''", plain, "config.lua:2 r: copy_to [_]\n");
    assert_non_null(strstr(fixture_plan("x = mail / '../x'", "INBOX", plain),
                           "the folder \"../x\" leads out of the sink"));
    assert_non_null(
        strstr(fixture_plan("x = mail / ''", "INBOX", plain), "has no name"));
}

static void keywords_are_atoms(void **state)
{
    (void)state;
    becomes("m:flag 'a b' m:label '\\\\Seen' m:label(m.subject) m:unlabel ''",
            anonymous,
            "config.lua:2 r: flag [a_b]\nconfig.lua:2 r: flag [_Seen]\n"
            "config.lua:2 r: flag [a_Bcc:_x]\nconfig.lua:2 r: unflag [_]\n");
    becomes("m:label(('\u00e4b'):rep(200))", plain,
            "config.lua:2 r: flag ["
            "_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b"
            "_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b"
            "_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b_b"
            "_b]\n");
}

/* Everything that texts of mail are handed to. */
static void nothing_that_mail_has_ends_a_rule(void **state)
{
    (void)state;
    fixture_write("list.txt", "friend@example.org\n");
    assert_string_equal(
        fixture_plan(
            "options { save = { '/srv' }, limits = { time = '10s' } }\n"
            "local list = map 'list.txt'\n"
            "rule('r', function(m)\n"
            "  local part = m.parts[1]\n"
            "  local odd = { '', 'a\\nb', 'a\\0b', '\\xff\\xfe', '../..',\n"
            "    ('x'):rep(5000), ('\u00e4'):rep(5000), '%', '\\\\x', ' ',\n"
            "    ('['):rep(500), 'nan', '1e999', ('a.'):rep(300) }\n"
            "  local calls = {\n"
            "    function(t) m:note(t) m:tag(t, t) m:score(1, t) end,\n"
            "    function(t) m:score(t) m:score(tonumber(t)) end,\n"
            "    function(t) m:set_header('X', t) m:add_header('X', t) end,\n"
            "    function(t) m:label(t) m:unlabel(t) m:copy_to(t) end,\n"
            "    function(t) return t and mail / t end,\n"
            "    function(t) return list[t], list:get(t), list:has(t) end,\n"
            "    function(t) return m.from:is(t), m.from:any { t, t } end,\n"
            "    function(t) return store.get(t), store.set(t, t) end,\n"
            "    function(t) store.delete(t) store.incr(t) end,\n"
            "    function(t) return seen(t), ratelimit(t, 5, '1h') end,\n"
            "    function(t) return re 'x':match(t), re 'x':find(t) end,\n"
            "    function(t) for x in re 'x':gmatch(t) do end end,\n"
            "    function(t) return glob '*x':match(t) end,\n"
            "    function(t) return ('x'):has(t), ('x'):starts(t),\n"
            "      ('x'):ends(t) end,\n"
            "    function(t) return json.encode { t, [1] = t } end,\n"
            "    function(t) return json.encode { [t or ''] = t } end,\n"
            "    function(t) return t and json.decode(t) end,\n"
            "    function(t) return dns.a(t), dns.ptr(t) end,\n"
            "    function(t) return dns.rbl(t, 'zone.invalid') end,\n"
            "    function(t) return http.get(t) end,\n"
            "    function(t) return exec { '/bin/true', t, 'x' } end,\n"
            "    function(t) return part:save('/srv/' .. (t or '')) end,\n"
            "    function(t) return t and t:lower(), t and t:upper() end,\n"
            "  }\n"
            "  local wrong = {}\n"
            "  for i, call in ipairs(calls) do\n"
            "    for j = 0, #odd do\n"
            "      local ok, why = pcall(call, odd[j])\n"
            "      if not ok then\n"
            "        wrong[#wrong + 1] = i .. ' ' .. j .. ': ' .. why\n"
            "      end\n"
            "    end\n"
            "  end\n"
            "  error(table.concat(wrong, '\\n') .. ' end of what is wrong')\n"
            "end)",
            "INBOX", anonymous),
        "rule \"r\": config.lua:44:  end of what is wrong");
}

/* What is noted for each word of a long message keeps nothing from being
 * decided about it. */
static void many_notes_are_no_way_out(void **state)
{
    char rules[256];
    const char *plan;

    (void)state;
    snprintf(rules, sizeof rules,
             "%srule('r', function(m)\n"
             "  for i = 1, 2000 do m:note(i) end\n"
             "  for i = 1, 400 do m:tag(i, i) end\n"
             "  m:move 'Junk'\n"
             "end)",
             fixture_patience());
    plan = fixture_plan(rules, "INBOX", plain);
    if (strstr(plan, "config.lua:5 r: move [Junk]\n") == NULL)
        fail_msg("not moved: %s", plan);
    assert_null(strstr(plan, "note [501]"));
}

static void long_keys_stay_apart(void **state)
{
    (void)state;
    becomes("local long = ('k'):rep(1500) "
            "store.set(long, 1) store.set(long .. 'a', 2) "
            "store.set(long:sub(1, 1000), 3) "
            "assert(store.get(long) == 1 and store.get(long .. 'a') == 2) "
            "assert(store.get(long:sub(1, 1000)) == 3) "
            "assert(ratelimit(long, 1, '1h') and not ratelimit(long, 1, '1h')) "
            "assert(ratelimit(long .. 'a', 1, '1h'))",
            plain, "");
}

/* A text of JSON that is read and written again says the same. */
static void json_goes_round(void **state)
{
    (void)state;
    becomes("local text = '{\"x\":null,\"y\":[],\"z\":[[],{}]}' "
            "assert(json.encode(json.decode(text, json.null)) == text) "
            "assert(json.decode(text).x == nil) "
            "assert(json.encode(json.list {}) == '[]') "
            "assert(json.encode {} == '{}') "
            "assert(json.encode(json.list { a = 1 }) == '{\"a\":1}') "
            "assert(tostring(json.null) == 'null') "
            "assert(not pcall(json.list, json)) "
            "local value, why = json.decode(('['):rep(200) .. (']'):rep(200)) "
            "assert(value == nil and why == 'more than 100 levels')",
            plain, "");
}

static int begin(void **state)
{
    (void)state;
    fixture_begin();
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
        cmocka_unit_test(lines_stay_lines),
        cmocka_unit_test(scores_are_numbers),
        cmocka_unit_test(folders_stay_below),
        cmocka_unit_test(keywords_are_atoms),
        cmocka_unit_test(nothing_that_mail_has_ends_a_rule),
        cmocka_unit_test(many_notes_are_no_way_out),
        cmocka_unit_test(long_keys_stay_apart),
        cmocka_unit_test(json_goes_round),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
