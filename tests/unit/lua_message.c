/*
 * What rules see of a message, and what they can decide about it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lua_fixture.h"

static const char rich[] =
    "Received: from a by b; Mon, 2 Jan 2023 03:04:05 +0000\r\n"
    "Authentication-Results: mx.example.net (ours); spf=pass (ok; fine)\r\n"
    " smtp.mailfrom=boss@example.org; dkim=fail reason=\"x\";\r\n"
    " dkim=Pass header.d=example.org; dmarc = none\r\n"
    "Authentication-Results: forged.example; spf=pass\r\n"
    "Delivered-To: alice@example.net\r\n"
    "X-Original-To: me+lists@example.net\r\n"
    "From: =?UTF-8?Q?Bj=C3=B6rn_Boss?= <Boss+Work@Example.ORG>\r\n"
    "Sender: secretary@example.org\r\n"
    "To: Alice <alice@example.net>, bob@example.com, \"C, D\" <c@d.example>\r\n"
    "Cc: team: one@x.example, two@x.example;\r\n"
    "Reply-To: answers@example.org\r\n"
    "Subject: =?ISO-8859-1?Q?Gr=FC=DFe?= aus\r\n"
    " Stra=?UTF-8?B?w59l?=\r\n"
    "Date: Mon, 2 Jan 2023 03:04:05 +0100\r\n"
    "Message-ID: <abc.1@example.org>\r\n"
    "In-Reply-To: <zero@example.org>\r\n"
    "References: <first@example.org>\r\n <zero@example.org>\r\n"
    "List-Id: The list <Dev.Lists.Example.org>\r\n"
    "X-Twice: one\r\n"
    "X-Twice: two\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=BB\r\n"
    "\r\n"
    "--BB\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "Gr=FC=DFe!\r\n"
    "--BB\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "\r\n"
    "<p>Hi</p>\r\n"
    "--BB\r\n"
    "Content-Type: application/pdf\r\n"
    "Content-Disposition: attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "JVBERi0x\r\n"
    "--BB--\r\n";

static const char plain[] = "X: y\r\n\r\nbody\r\n";

/* Runs assertions over a message: no words, no plan. */
static void holds(const char *lua, const char *octets)
{
    char text[8192];

    snprintf(text, sizeof text,
             "options { trust_auth = { \"MX.example.net\" }, "
             "limits = { time = \"10s\" } } rule(\"r\", "
             "function(m)\n%s\nend)",
             lua);
    assert_string_equal(fixture_plan(text, "INBOX", octets), "");
    assert_int_equal(fixture_status(), PR_OK);
}

static void results_count_from_servers_that_are_trusted(void **state)
{
    static const char octets[] =
        "Authentication-Results: mx.example.net; spf=pass\r\n"
        "Authentication-Results: forged.example; spf=fail; dkim=pass\r\n\r\n";

    (void)state;
    assert_string_equal(
        fixture_plan("options { trust_auth = { 'mx.example.net' } } rule('r', "
                     "function(m)\n"
                     "assert(m.auth.spf == 'pass' and m.auth.dkim == nil)\n"
                     "assert(#m.auth.results == 1)\nend)",
                     "INBOX", octets),
        "");
    assert_string_equal(
        fixture_plan("options { trust_auth = { 'other.example' } } rule('r', "
                     "function(m) assert(m.auth == nil) end)",
                     "INBOX", octets),
        "");
    assert_string_equal(
        fixture_plan("rule('r', function(m) assert(m.auth == nil) end)",
                     "INBOX", octets),
        "");
}

static void fields_that_cost_nothing(void **state)
{
    (void)state;
    holds("assert(m.account == 'work' and m.folder == 'INBOX' and m.uid == 7)\n"
          "assert(m.size > 1000 and m.received == 1700000000)\n"
          "assert(m.age > days(30) and m.age > hours(24 * 30))\n"
          "assert(#m.flags == 4 and m.flags[1] == '\\\\Seen')\n"
          "assert(m.flags['\\\\flagged'] and not m.flags['\\\\Deleted'])\n"
          "assert(#m.labels == 2 and m.labels.work and not m.labels.home)\n"
          "assert(tostring(m) == 'message work/INBOX/7')",
          rich);
}

static void one_flag_of_many_is_looked_for(void **state)
{
    (void)state;
    holds("local labels = m.labels\n"
          "for i = #labels + 1, 20000 do labels[i] = 'label' .. i end\n"
          "assert(labels.label20000 and not labels.label20001)",
          rich);
}

static void fields_of_the_envelope(void **state)
{
    (void)state;
    holds("assert(m.subject == 'Gr\u00fc\u00dfe aus Stra\u00dfe', m.subject)\n"
          "assert(m.date == 1672625045, m.date)\n"
          "assert(m.message_id == 'abc.1@example.org')\n"
          "assert(m.in_reply_to == 'zero@example.org')\n"
          "assert(#m.references == 2 and m.references[1] == "
          "'first@example.org')\n"
          "assert(m.list_id == 'dev.lists.example.org')\n"
          "assert(m:header('x-twice') == 'one')\n"
          "assert(m:headers('X-TWICE')[2] == 'two' and #m:headers('None') == "
          "0)\n"
          "assert(m:header('None') == nil and m:raw_header('None') == nil)\n"
          "assert(m:raw_header('Subject'):find('=?ISO-8859-1', 1, true))\n"
          "assert(m.subject == m.subject and m.references == m.references)",
          rich);
}

static void what_is_missing_is_an_empty_text(void **state)
{
    (void)state;
    holds("assert(m.subject == '' and not m.subject:has('x'))\n"
          "assert(m.message_id == '' and m.in_reply_to == '')\n"
          "assert(m.date == nil and m.list_id == nil and m.auth == nil)\n"
          "assert(#m.references == 0 and #m.attachments == 0)\n"
          "assert(m.html == '')\n"
          "assert(#m.from == 0 and m.from.address == nil)\n"
          "assert(not m.from:is('*') and tostring(m.from) == '')",
          plain);
}

static void addresses_are_a_list_and_its_first(void **state)
{
    (void)state;
    fixture_write("vip.txt",
                  "# people\nBOSS+work@example.org\n*@d.example # all\n");
    holds(
        "assert(m.from.address:lower() == 'boss+work@example.org')\n"
        "assert(m.from.name == 'Bj\u00f6rn Boss')\n"
        "assert(m.from.local_part == 'Boss+Work' and m.from.detail == "
        "'Work')\n"
        "assert(m.from.domain == 'example.org' and m.to.detail == '')\n"
        "assert(#m.to == 3 and m.to[3].address == 'c@d.example' and m.to[4] "
        "== nil)\n"
        "assert(m.to[3].name == 'C, D')\n"
        "local n = 0 for i, a in ipairs(m.to) do n = n + #a * i end\n"
        "assert(n == 6)\n"
        "assert(#m.cc == 2 and m.cc[2].address == 'two@x.example')\n"
        "assert(m.from:is '*@EXAMPLE.org' and not m.from:is '*@example.com')\n"
        "assert(m.to:is 'bob@example.com' and m.to[2]:is 'b?b@*')\n"
        "assert(m.to:any { 'x@y', '*@d.example' } and not m.to:any {})\n"
        "assert(m.from:in_file 'vip.txt' and m.from:in_file 'vip.txt')\n"
        "assert(m.to:in_file 'vip.txt' and not m.cc:in_file 'vip.txt')\n"
        "assert(m.to[2] == m.to[2] and m.to[1] ~= m.to[2])\n"
        "assert(tostring(m.cc) == 'one@x.example, two@x.example')\n"
        "assert(m.delivered_to:is 'alice@example.net')\n"
        "assert(m.envelope_to.detail == 'lists')\n"
        "assert(m.reply_to:is 'answers@*' and m.sender:is 'sec*')\n"
        "assert(#m.bcc == 0)",
        rich);
}

static void only_trusted_servers_are_believed(void **state)
{
    (void)state;
    holds("assert(m.auth.spf == 'pass', m.auth.spf)\n"
          "assert(m.auth.dkim == 'pass' and m.auth.dmarc == 'none')\n"
          "assert(m.auth.arc == nil)",
          rich);
    assert_string_equal(fixture_plan("rule('r', function(m) assert(m.auth == "
                                     "nil) end)",
                                     "INBOX", rich),
                        "");
}

static void auth_holds(const char *lua, const char *value)
{
    char octets[1000];

    snprintf(octets, sizeof octets,
             "Authentication-Results: %s\r\n"
             "Authentication-Results: mx.example.net; dmarc=pass\r\n\r\nx\r\n",
             value);
    holds(lua, octets);
}

static void results_of_servers_have_properties(void **state)
{
    (void)state;
    auth_holds("local a = m.auth\n"
               "assert(a.spf == 'pass' and a.dkim == 'pass')\n"
               "assert(a.dmarc == nil and #a.results == 3)\n"
               "assert(a.results[1]['smtp.mailfrom'] == 'a@example.org')\n"
               "assert(a.results[1].method == 'spf')\n"
               "assert(a.results[2].result == 'fail')\n"
               "assert(a.results[2].reason == 'bad (really); key')\n"
               "assert(a.results[3]['header.d'] == 'example.org')\n"
               "assert(a.results[3]['header.b'] == 'aB=/+c=')",
               "mx.example.net 1; SPF/1 = Pass (all\r\n (nested) well; x=y)\r\n"
               " smtp.mailfrom=a@example.org;\r\n"
               " dkim=fail reason=\"bad (really); key\" header.d=x.example;\r\n"
               " dkim=pass header.d = example.org header.b=aB=/+c=");
    auth_holds("assert(next(m.auth) == 'results' and #m.auth.results == 0)",
               "mx.example.net; none");
    auth_holds("assert(#m.auth.results == 0)", "mx.example.net");
    auth_holds("assert(#m.auth.results == 0)", "\"mx.example.net\" ; ;; ; = ");
}

/* What a sender can choose must not become a result. */
static void senders_cannot_write_results(void **state)
{
    static const char *const values[] = {
        "mx.example.net; spf=fail smtp.mailfrom=\"x; dmarc=pass\"@a.example",
        "mx.example.net; spf=fail (x; dmarc=pass)",
        "mx.example.net; spf=fail (x \\) ; dmarc=pass)",
        "mx.example.net; spf=fail reason=\"x\\\"; dmarc=pass\"",
        "mx.example.net; spf=fail smtp.helo==?utf-8?q?;_dmarc=3Dpass?=",
        "mx.example.net; spf=fail smtp.mailfrom=\"; dmarc=pass",
        "mx.example.net; spf=fail (; dmarc=pass",
    };

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        auth_holds("assert(m.auth.dmarc == nil and m.auth.spf == 'fail')",
                   values[i]);
    /* An id in an encoded word is not that id. */
    auth_holds("assert(m.auth.dmarc == 'pass')",
               "=?utf-8?q?mx.example.net?=; spf=pass");
    auth_holds("assert(m.auth.spf == 'x\\u{fffd}')",
               "mx.example.net; spf=x\xff");
}

static void times_are_seconds(void **state)
{
    (void)state;
    holds("assert(minutes(2) == 120 and hours(1) == 3600 and days(1) == 86400 "
          "and weeks(2) == 14 * 86400)\n"
          "assert(math.abs(now() - m.received - m.age) <= 2)\n"
          "assert(date('%Y', 1700000000) == '2023' and #date '%H:%M' == 5)\n"
          "assert(date('', 0) == '' and date('%%x') == '%x')\n"
          "assert(not pcall(date, '%Y', 1e300) and not pcall(date, "
          "('x'):rep(200)))",
          plain);
}

static void parts_and_texts(void **state)
{
    (void)state;
    holds("assert(m.text:starts('Gr\u00fc\u00dfe!'), m.text)\n"
          "assert(m.html:has '<P>hi</p>')\n"
          "assert(#m.parts == 4 and m.parts[1].is_multipart)\n"
          "local p = m.parts[4]\n"
          "assert(p.type == 'application/pdf' and p.disposition == "
          "'attachment')\n"
          "assert(p.filename == 'r\u00e9sum\u00e9.pdf' and p.path == '3')\n"
          "assert(p:bytes() == '%PDF-1', p:bytes())\n"
          "assert(m.parts[2].charset == 'iso-8859-1' and m.parts[2].depth == "
          "1)\n"
          "assert(m.parts[2]:text():has 'GR\u00dcSSE')\n"
          "assert(#m.attachments == 1 and m.attachments[1].size > 0)\n"
          "assert(tostring(p) == 'part 3 application/pdf')",
          rich);
}

static void texts_compare_in_all_languages(void **state)
{
    (void)state;
    holds("assert(('Stra\u00dfe'):has 'STRASSE' and ('abc'):has '')\n"
          "assert(('\u0414\u041e\u041c'):lower() == '\u0434\u043e\u043c')\n"
          "assert(('\u00e9t\u00e9'):upper() == '\u00c9T\u00c9')\n"
          "assert(('Hello'):starts 'HE' and ('Hello'):ends 'LLO')\n"
          "assert(not ('Hello'):starts 'lo' and not ('a'):ends 'ba')\n"
          "assert(('\\xff\\xfeA'):has 'a')\n"
          "local g = glob '*.PDF'\n"
          "assert(g:match 'x.pdf' and not g:match 'pdf')",
          plain);
}

static void every_action_is_noted_with_rule_and_line(void **state)
{
    (void)state;
    assert_string_equal(
        fixture_plan(
            "local function helper(m) m:note 'from a helper' end\n"
            "rule('first', function(m)\n"
            "  m:copy(mail / 'a', mail / 'b')\n"
            "  m:flag '\\\\flagged' m:flag 'seen' m:unflag '\\\\Seen'\n"
            "  m:label 'work'\n"
            "  m:copy_to 'Archive'\n"
            "  m:set_header('X-A', 'gr\u00fcn')\n"
            "  m:add_header('X-B', '1') m:remove_header 'X-C'\n"
            "  m:tag('k', 5) m:score(2.5, 'why')\n"
            "  m:score(-1)\n"
            "  helper(m)\n"
            "end)\n"
            "rule('second', function(m)\n"
            "  assert(m.tags.k == '5' and m.points == 1.5)\n"
            "  m:deliver(mail / 'x' / 'y', { mail })\n"
            "  m:note 'after'\n"
            "end)\n"
            "rule('third', function(m) m:note 'never' end)\n",
            "INBOX", rich),
        "config.lua:4 first: copy [maildir:/m/a]\n"
        "config.lua:4 first: copy [maildir:/m/b]\n"
        "config.lua:5 first: flag [\\Flagged]\n"
        "config.lua:5 first: flag [seen]\n"
        "config.lua:5 first: unflag [\\Seen]\n"
        "config.lua:6 first: flag [work]\n"
        "config.lua:7 first: copy_to [Archive]\n"
        "config.lua:8 first: set_header [X-A] [gr\u00fcn]\n"
        "config.lua:9 first: add_header [X-B] [1]\n"
        "config.lua:9 first: remove_header [X-C]\n"
        "config.lua:10 first: tag [k] [5]\n"
        "config.lua:10 first: score [why] 2.5\n"
        "config.lua:11 first: score [] -1\n"
        "config.lua:12 first: note [from a helper]\n"
        "config.lua:16 second: deliver [maildir:/m/x/y]\n"
        "config.lua:16 second: deliver [maildir:/m/]\n"
        "config.lua:17 second: note [after]\n");
}

static void each_final_action(void **state)
{
    static const struct {
        const char *call, *entry;
    } finals[] = {
        {"m:move 'Junk'", "move [Junk]"},
        {"m:delete()", "delete"},
        {"m:leave()", "leave"},
        {"m:discard 'spam'", "discard [spam]"},
        {"m:defer '10m'", "defer 600000 ms"},
        {"m:defer(90)", "defer 90000 ms"},
        {"m:stop()", "stop"},
    };

    char rules[200], entry[200];

    (void)state;
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
        snprintf(rules, sizeof rules,
                 "rule('r', function(m) %s end)\nrule('s', function(m) error() "
                 "end)",
                 finals[i].call);
        snprintf(entry, sizeof entry, "config.lua:2 r: %s\n", finals[i].entry);
        assert_string_equal(fixture_plan(rules, "INBOX", plain), entry);
    }
}

static void selectors_choose_account_and_folder(void **state)
{
    static const struct {
        const char *selector, *folder;
        bool is_taken;
    } cases[] = {
        {"{}", "INBOX", true},
        {"{ account = 'work' }", "INBOX", true},
        {"{ account = 'w*' }", "INBOX", true},
        {"{ account = { 'home*', 'work' } }", "INBOX", true},
        {"{ account = 'home*' }", "INBOX", false},
        {"{ folder = 'inbox' }", "INBOX", true},
        {"{ folder = 'Lists/*' }", "Lists/dev", true},
        {"{ folder = 'lists/*' }", "Lists/dev", false},
        {"{ folder = { 'Lists/*', '!Lists/dev' } }", "Lists/dev", false},
        {"{ folder = '!Junk' }", "INBOX", true},
        {"{ account = 'work', folder = 'X' }", "INBOX", false},
    };

    char rules[200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(rules, sizeof rules, "rule('r', %s, function(m) m:stop() end)",
                 cases[i].selector);
        assert_string_equal(fixture_plan(rules, cases[i].folder, plain),
                            cases[i].is_taken ? "config.lua:2 r: stop\n" : "");
    }
}

static void a_wrong_call_says_what_is_right(void **state)
{
    static const struct {
        const char *call, *words;
    } cases[] = {
        {"m:stop() m:move 'x'", "final"},
        {"m:delivr(mail)", "config.lua:2: a message has no \"delivr\"; did you "
                           "mean \"deliver\"?"},
        {"m.stop()",
         "config.lua:2: expects the message, got nothing: methods are called "
         "with a colon, as in m:stop()"},
        {"m.subject = 'x'", "m:set_header(name, value)"},
        {"m.folder = 'x'",
         "config.lua:2: m.folder cannot be assigned: use m:move(folder)"},
        {"m:deliver()", "m:deliver expects where to"},
        {"m:deliver('x')",
         "m:deliver expects sinks such as mail / \"folder\", got a text"},
        {"m:flag '\\\\Sean'", "there is no flag \"\\Sean\"; did you mean "
                              "\"\\Seen\"?"},
        {"m:set_header('A B', 'x')", "cannot be the name of a header field"},
        {"m:reply { from = 'a@b', text = 'x' }",
         "m:reply needs to know by whom mail is sent: options { redirect = "},
        {"m:reply { form = 'a@b' }", "did you mean \"from\"?"},
        {"m:redirect 'x@y'",
         "m:redirect needs to know by whom mail is sent: options { redirect = "
         "smtp { host = \"localhost\", port = 25 } }"},
        {"m:deliver(mail / m.list_id)", "got a sink / nil"},
        {"local x = m.from.adress", "addresses have no \"adress\"; did you "
                                    "mean \"address\"?"},
        {"local x = m.parts[1].typ",
         "a part has no \"typ\"; did you mean \"type\"?"},
        {"m.from:in_file 'nowhere.txt'", "nowhere.txt"},
        {"maildir '/x'", "sinks are made at the top of the configuration"},
        {"rule('x', function() end)", "rule: not in a rule"},
        {"error({})", "rule \"r\": "},
        {"error(setmetatable({}, { __tostring = function() return 'mine' end "
         "}))",
         "rule \"r\": mine"},
        {"error(nil)", "rule \"r\": nil"},
        {"m:defer 'soon'", "\"soon\" is not a time"},
    };

    char rules[300];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *words;

        snprintf(rules, sizeof rules, "rule('r', function(m) %s end)",
                 cases[i].call);
        words = fixture_plan(rules, "INBOX", plain);
        assert_int_equal(fixture_status(), PR_SCRIPT);
        if (strstr(words, cases[i].words) == NULL)
            fail_msg("%s says: %s", cases[i].call, words);
        assert_non_null(strstr(words, "rule \"r\""));
        assert_non_null(strstr(fixture_log(), "stack traceback:"));
    }
}

/* ---- The examples -------------------------------------------------------- */

static const char *example(const char *name, const char *octets)
{
    const char *source = getenv("abs_srcdir");
    char path[500];

    snprintf(path, sizeof path, "%s/scripts/examples/%s",
             source != NULL ? source : ".", name);
    return fixture_plan_of(path, "INBOX", octets);
}

static void the_examples_decide_as_they_say(void **state)
{
    static const char loud[] =
        "Subject: FREE MONEY FOR EVERYBODY\r\n"
        "Content-Type: application/octet-stream; name=\"Bill.EXE\"\r\n"
        "Content-Disposition: attachment; filename=\"Bill.EXE\"\r\n\r\nMZ\r\n";
    char *path;

    (void)state;
    if (getenv("abs_srcdir") == NULL)
        skip();
    setenv("HOME", "/home/alice", 1);
    /* No program of the examples is to be found. */
    path = strdup(getenv("PATH"));
    assert_non_null(path);
    setenv("PATH", "/nowhere", 1);
    assert_string_equal(example("first.lua", rich), "");
    assert_string_equal(example("sorted.lua", rich),
                        "sorted.lua:34 lists: deliver "
                        "[maildir:/home/alice/Mail/lists/dev]\n");
    assert_non_null(strstr(
        example("scored.lua", loud),
        "scored.lua:49 decide: set_header [X-Score] [5.0]\nscored.lua:50 "
        "decide: deliver [maildir:/home/alice/Mail/Junk]\n"));
    assert_string_equal(example("careful.lua", loud),
                        "careful.lua:47 disguised: note [an attachment is a "
                        "program: Bill.EXE]\ncareful.lua:48 disguised: deliver "
                        "[maildir:/home/alice/Mail/quarantine]\n");
    assert_string_equal(
        example("careful.lua",
                "Subject: Your Invoice No. 2024-17\r\n"
                "Content-Type: application/pdf; name=\"a/b.pdf\"\r\n\r\n"
                "%PDF-1.4\r\n"),
        "careful.lua:62 bills: save [2023/a_b.pdf] [1]\n"
        "careful.lua:65 bills: set_header [X-Bill] [2024-17]\n"
        "careful.lua:66 bills: deliver [maildir:/home/alice/Mail/bills]\n");
    setenv("PATH", path, 1);
    free(path);
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
        cmocka_unit_test(results_count_from_servers_that_are_trusted),
        cmocka_unit_test(fields_that_cost_nothing),
        cmocka_unit_test(one_flag_of_many_is_looked_for),
        cmocka_unit_test(fields_of_the_envelope),
        cmocka_unit_test(what_is_missing_is_an_empty_text),
        cmocka_unit_test(addresses_are_a_list_and_its_first),
        cmocka_unit_test(only_trusted_servers_are_believed),
        cmocka_unit_test(results_of_servers_have_properties),
        cmocka_unit_test(senders_cannot_write_results),
        cmocka_unit_test(times_are_seconds),
        cmocka_unit_test(parts_and_texts),
        cmocka_unit_test(texts_compare_in_all_languages),
        cmocka_unit_test(every_action_is_noted_with_rule_and_line),
        cmocka_unit_test(each_final_action),
        cmocka_unit_test(selectors_choose_account_and_folder),
        cmocka_unit_test(a_wrong_call_says_what_is_right),
        cmocka_unit_test(the_examples_decide_as_they_say),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
