/*
 * test(...) of a configuration: what it sets up, replaces and expects.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fiber/loop.h"
#include "lua/testing.h"
#include "lua_fixture.h"

static const char accounts[] =
    "local mail = maildir '/mail'\n"
    "account 'work' { source = imap { host = 'h' }, deliver = mail / 'inbox' "
    "}\n"
    "account 'home' { source = imap { host = 'h' }, deliver = mail / 'home' }\n"
    "rule('lists', function(m)\n"
    "  if m.list_id == 'dev.example' then m:deliver(mail / 'lists/dev') end\n"
    "end)\n"
    "rule('spam', function(m)\n"
    "  if m.subject:has 'spam' then m:flag '\\\\Seen' m:label 'junk' "
    "m:score(3) m:set_header('X-Spam', 'yes') m:tag('kind', 'bad') "
    "m:move 'Junk' end\n"
    "end)\n"
    "rule('asks', function(m)\n"
    "  if m.subject == 'ask' then\n"
    "    local got, why = exec { 'true' }\n"
    "    if not got then m:defer '1h' m:note(why) else m:discard(got) end\n"
    "  end\n"
    "end)\n"
    "rule('wrong', function(m) if m.subject == 'wrong' then error 'oh' end "
    "end)\n";

static char words[8192];
static const char *folder;

static void take(void *user, const struct test_report *report)
{
    (void)user;
    snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s %s: %s",
             report->has_passed ? "ok" : "FAIL", report->name, report->words);
}

static pr_status run(void *argument)
{
    return tests_run(argument, take, NULL);
}

/* The reports of the tests in `text`. */
static const char *reports(const char *text)
{
    static char file[16384];
    struct config *config;

    words[0] = '\0';
    snprintf(file, sizeof(file), "%s%s", accounts, text);
    assert_int_equal(fixture_load(file, &config), PR_OK);
    assert_int_equal(loop_run(1, run, config), PR_OK);
    config_free(config);
    return words;
}

static void what_is_expected_passes(void **state)
{
    (void)state;
    assert_string_equal(
        reports(
            "test('a', { text = 'List-Id: <dev.example>\\n\\n' },"
            " { delivered = 'lists/dev', rule = 'lists', moved = false })\n"
            "test('b', { text = 'Subject: spam\\n\\n' }, { moved = 'Junk',"
            " flags = { 'junk', '\\\\seen' }, points = 3,"
            " headers = { ['x-spam'] = 'yes' }, tags = { kind = 'bad' } })\n"
            "test('c', { text = 'x: y\\n\\n', account = 'home' },"
            " { default = true, delivered = 'home' })\n"
            "test('d', { text = 'Subject: wrong\\n\\n' }, "
            "{ error = 'oh' })\n"),
        "ok a: ok b: ok c: ok d: ");
}

static void what_is_not_is_told(void **state)
{
    (void)state;
    assert_string_equal(
        reports("test('a', { text = 'Subject: spam\\n\\n' }, { moved = 'Spam', "
                "flags = { 'junk' }, points = 4, delivered = true,"
                " tags = { kind = 'good' }, reply = { subject = 'Away' } })\n"
                "test('b', { text = 'Subject: wrong\\n\\n' }, {})\n"),
        "FAIL a: delivered: expected something, got nothing\n"
        "reply: expected { subject = \"Away\" }, got nothing\n"
        "moved: expected \"Spam\", got \"Junk\"\n"
        "flags: expected { \"junk\" }, got { \"\\Seen\", \"junk\" }\n"
        "tags: expected { kind = \"good\" }, got { kind = \"bad\" }\n"
        "points: expected 4, got 3\n"
        "FAIL b: rule \"wrong\": config.lua:16: oh\n");
}

static void services_answer_what_is_set(void **state)
{
    (void)state;
    assert_string_equal(
        reports(
            "test('a', { text = 'Subject: ask\\n\\n', mock = { exec = 'no' } },"
            " { discarded = 'no' })\n"
            "test('b', { text = 'Subject: ask\\n\\n', mock = { exec = "
            "function(t) return nil, t[1] .. ' is down' end } },"
            " { deferred = '1h', notes = 'true is down' })\n"
            "test('c', { text = 'x: y\\n\\n', mock = { nothing = 1 } }, {})\n"
            "test('d', { text = 'x: y\\n\\n', mock = { ['exec.x'] = 1 } }, "
            "{})\n"),
        "ok a: ok b: "
        "FAIL c: its set-up: no such name \"nothing\"\n"
        "FAIL d: its set-up: mock: there is no \"exec.x\" to replace\n");
}

/* `touch` would leave a file, 127.0.0.1:9 would be asked. */
static void what_is_not_mocked_does_not_run(void **state)
{
    char text[2048], ran[128];

    (void)state;
    snprintf(ran, sizeof ran, "%s/ran", folder);
    snprintf(text, sizeof text,
             "local run = exec\n"
             "rule('out', function(m)\n"
             "  if m.subject ~= 'out' then return end\n"
             "  for _, ask in ipairs {\n"
             "    function() return run { 'touch', '%s' } end,\n"
             "    function() return http.get 'http://127.0.0.1:9/' end,\n"
             "    function() return http.post('http://127.0.0.1:9/') end,\n"
             "    function() return dns.mx 'example.org' end,\n"
             "    function() return dns.rbl('192.0.2.1', 'x.example') end,\n"
             "  } do local got, why = ask() m:note(got or why) end\n"
             "end)\n"
             "test('a', { text = 'Subject: out\\n\\n' }, { notes = {\n"
             "  'not mocked: exec', 'not mocked: http.get',\n"
             "  'not mocked: http.post', 'not mocked: dns.mx',\n"
             "  'not mocked: dns.rbl' } })\n"
             "test('b', { text = 'Subject: out\\n\\n', mock = {\n"
             "  exec = function(t, more) return t[1] end,\n"
             "  ['http.get'] = function(url) return url end,\n"
             "  ['http.post'] = 'posted', ['dns.mx'] = 'mx',\n"
             "  ['dns.rbl'] = function(a, zone) return zone end } },\n"
             "  { notes = { 'touch', 'http://127.0.0.1:9/', 'posted', 'mx',\n"
             "    'x.example' } })\n"
             "test('c', { text = 'Subject: ask\\n\\n' }, { moved = 'x' })\n",
             ran);
    assert_string_equal(reports(text),
                        "ok a: ok b: FAIL c: moved: expected \"x\", got "
                        "nothing\nnot mocked: exec\n");
    assert_int_equal(access(ran, F_OK), -1);
}

static void wrong_tests_are_told(void **state)
{
    (void)state;
    assert_string_equal(
        reports("test('a', { text = 'x: y\\n\\n' }, { move = 'Junk' })\n"
                "test('b', { txt = 'x: y\\n\\n' }, {})\n"
                "test('c', { eml = '/none/eml' }, {})\n"
                "test('d', {}, {})\n"
                "test('e', { text = 'x: y\\n\\n', account = 'wrok' }, {})\n"),
        "FAIL a: what it expects: a test cannot expect \"move\"; did you mean "
        "\"moved\"?\n"
        "FAIL b: its set-up: a test has no \"txt\"; did you mean \"text\"?\n"
        "FAIL c: cannot open /none/eml: No such file or directory\n"
        "FAIL d: its set-up: a test has a message: eml = \"FILE\", or text = "
        "\"...\"\n"
        "FAIL e: its set-up: there is no account \"wrok\"\n");
}

static int begin(void **state)
{
    (void)state;
    folder = fixture_begin();
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
        cmocka_unit_test(what_is_expected_passes),
        cmocka_unit_test(what_is_not_is_told),
        cmocka_unit_test(services_answer_what_is_set),
        cmocka_unit_test(what_is_not_mocked_does_not_run),
        cmocka_unit_test(wrong_tests_are_told),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
