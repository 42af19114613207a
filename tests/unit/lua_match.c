/*
 * What rules compare with: regular expressions, globs, texts in all languages.
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

#include "fiber/loop.h"
#include "lua_fixture.h"

static const char plain[] = "Subject: Hello\r\n\r\nbody\r\n";

/* Runs a rule; "" if it decided nothing and all its assertions held. */
static const char *rule(const char *options, const char *body)
{
    static char text[16384];

    snprintf(text, sizeof text, "%srule(\"r\", function(m)\n%s\nend)", options,
             body);
    return fixture_plan(text, "INBOX", plain);
}

static void holds(const char *body)
{
    assert_string_equal(rule(fixture_patience(), body), "");
    assert_int_equal(fixture_status(), PR_OK);
}

static void fails(const char *body, const char *words)
{
    const char *text = rule("", body);

    assert_int_equal(fixture_status(), PR_SCRIPT);
    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, text);
}

static void expressions_match_and_give_groups(void **state)
{
    (void)state;
    holds("assert(re'b+':match 'aabbb' == 'bbb')\n"
          "local a, b = re'(\\\\w+)@(\\\\w+)':match 'to joe@host now'\n"
          "assert(a == 'joe' and b == 'host')\n"
          "assert(re'x':match 'aaa' == nil)\n"
          "local a, b, c = re'(a)|(b)':match 'b'\n"
          "assert(a == nil and b == 'b' and c == nil)\n"
          "assert(re'^b':match('ab', 2) == nil and re'b':match('ab', 2) == "
          "'b')\n"
          "assert(re'b':match('ab', -1) == 'b' and re'b':match('ab', 9) == "
          "nil)\n"
          "assert(re'':match '' == '')");
}

static void expressions_find_where_it_is(void **state)
{
    (void)state;
    holds("local first, last, group = re'l(.)':find 'hallo'\n"
          "assert(first == 3 and last == 4 and group == 'l')\n"
          "assert(re'o':find 'hallo' == 5 and re'z':find 'hallo' == nil)\n"
          "assert(select('#', re'o':find 'hallo') == 2)");
}

static void expressions_with_names_give_a_table(void **state)
{
    (void)state;
    holds("local date = re'(?<year>\\\\d+)-(?<month>\\\\d+)(?<day>-\\\\d+)?'\n"
          "local d = date:match 'on 2024-05.'\n"
          "assert(d.year == '2024' and d.month == '05' and d.day == nil)\n"
          "assert(d[0] == '2024-05' and d[1] == '2024' and d[3] == nil)\n"
          "local first, last, t = date:find '2024-05'\n"
          "assert(first == 1 and last == 7 and t.month == '05')\n"
          "assert(date:gsub('2024-05', '%{month}/%{year}') == '05/2024')\n"
          "for t in date:gmatch '1-2 3-4' do assert(t.year + 1 == t.month + "
          "0) end");
}

static void expressions_replace(void **state)
{
    (void)state;
    holds("local s, n = re'o':gsub('foo boo', '0')\n"
          "assert(s == 'f00 b00' and n == 4)\n"
          "assert(re'(\\\\w)(\\\\w)':gsub('abcd', '%2%1%0%%') == "
          "'baab%dccd%')\n"
          "assert(re'o':gsub('foo', 'x', 1) == 'fxo')\n"
          "assert(re'\\\\w+':gsub('a b', function(w) return w == 'a' and "
          "'A' end) == 'A b')\n"
          "assert(re'\\\\$(\\\\w+)':gsub('$x $y', { x = 1 }) == '1 $y')\n"
          "assert(re'x*':gsub('abc', '-') == '-a-b-c-')\n"
          "assert(re'\\\\w*':gsub('abc', 'x') == 'x')\n"
          "assert(re'':gsub('\\xc3\\xa9\\xc3\\xa9', '-') == "
          "'-\\xc3\\xa9-\\xc3\\xa9-')");
    fails("re'a':gsub('a', '%1')", "no group 1");
    fails("re'(?<n>a)':gsub('a', '%{m}')", "no group named \"m\"");
    fails("re'a':gsub('a', '%x')", "in the replacement");
    fails("re'a':gsub('a', function() return {} end)", "a table, not a text");
}

static void expressions_go_through_all_matches(void **state)
{
    (void)state;
    holds("local all = {}\n"
          "for w in re'\\\\w+':gmatch 'one two  three' do all[#all + 1] = w "
          "end\n"
          "assert(table.concat(all, ',') == 'one,two,three')\n"
          "local n = 0\n"
          "for a, b in re'(.)(.)':gmatch 'abcdef' do n = n + 1; assert(b) "
          "end\n"
          "assert(n == 3)\n"
          "n = 0\n"
          "for _ in re'':gmatch 'abc' do n = n + 1 end\n"
          "assert(n == 4)");
}

static void expressions_have_flags(void **state)
{
    (void)state;
    holds("assert(re('HELLO', 'i'):match 'hello' and not re'HELLO':match "
          "'hello')\n"
          "assert(re('^b', 'm'):match 'a\\nb' and not re'^b':match 'a\\nb')\n"
          "assert(re('a.b', 's'):match 'a\\nb' and not re'a.b':match "
          "'a\\nb')\n"
          "assert(re('a b # words', 'x'):match 'ab')\n"
          "assert(re('A.B', 'is'):match 'a\\nb')");
    fails("re('a', 'iq')", "there is no flag \"q\"");
    fails("re('a', 'i/')", "there is no flag \"/\"");
}

static void expressions_know_unicode(void **state)
{
    (void)state;
    holds("assert(re('\\u{dc}BER', 'i'):match 'ich \\u{fc}ber dich' == "
          "'\\u{fc}ber')\n"
          "assert(re'^\\\\w+$':match 'Stra\\u{df}e' == 'Stra\\u{df}e')\n"
          "assert(re'^.$':match '\\u{20ac}' == '\\u{20ac}')\n"
          "assert(re'\\\\p{Greek}+':match 'abc \\u{3b1}\\u{3b2}' == "
          "'\\u{3b1}\\u{3b2}')");
}

static void expressions_read_broken_utf8(void **state)
{
    (void)state;
    holds("assert(re'b+':match 'a\\xff\\xfebb' == 'bb')\n"
          "assert(re'a.*b':match 'a\\xffb' == nil)\n"
          "assert(re'c':match('\\x80\\x80\\x80c', 2) == 'c')\n"
          "assert(re'a\\0b':match 'xa\\0b' == 'a\\0b')\n"
          "local s = re'x':gsub('\\xffx\\xc3', 'y')\n"
          "assert(s == '\\xffy\\xc3')");
}

static void a_wrong_expression_says_what_is_wrong(void **state)
{
    (void)state;
    fails("re'(a'", "re: \"(a\": missing closing parenthesis (at octet 3)");
    fails("re('a', 1, 2):nothing()", "there is no flag \"1\"");
    fails("re'\\xff'", "UTF-8 error");
    fails("re(string.rep('a', 40000))", "is longer than the limit");
    fails("re(string.rep('(a)', 201))", "more than 200 groups");
    fails("re'a'.match('a')", "with a colon");
    fails("re(nil)", "string expected");
}

static void the_same_expression_is_compiled_once(void **state)
{
    (void)state;
    holds("assert(rawequal(re'a+', re'a+') and not rawequal(re'a+', "
          "re('a+', 'i')))\n"
          "for i = 1, 1200 do assert(re('x' .. i):match('x' .. i)) end\n"
          "assert(re'a+':match 'aa' == 'aa')");
}

static void an_expression_may_be_used_while_it_replaces(void **state)
{
    (void)state;
    holds("local word = re'(\\\\w)(\\\\w*)'\n"
          "local s = word:gsub('hello world', function(a, b)\n"
          "  return a:upper() .. word:gsub(b, '%0')\n"
          "end)\n"
          "assert(s == 'Hello World', s)");
}

/* ---- What would take for ever -------------------------------------------- */

#define HUGE_TEXT "local text = string.rep('a', 102400) .. '!'\n"

static void an_expression_that_explodes_is_given_up(void **state)
{
    static const char *const patterns[] = {
        "(a+)+$", "(?:a|aa)+$", "(a|a)*$", ".*.*.*.*x!", "^(([a-z])+.)+[A-Z]",
    };
    char body[300];

    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        snprintf(body, sizeof body, HUGE_TEXT "re'%s':match(text)",
                 patterns[i]);
        fails(body, "");
        if (strstr(rule("", body), "tries too many ways") == NULL &&
            strstr(rule("", body), "without waiting") == NULL)
            fail_msg("%s: %s", patterns[i], rule("", body));
    }
}

static void it_may_be_caught_but_time_goes_on(void **state)
{
    (void)state;
    if (!fixture_is_slow()) /* else its time is over first */
        holds(HUGE_TEXT "local ok, words = pcall(function() return "
                        "re'(a+)+$':match(text) end)\n"
                        "assert(not ok and words:find('too many ways', 1, "
                        "true), words)");
    fails(HUGE_TEXT "while true do pcall(function() re'(a+)+$':match(text) "
                    "end) end",
          "ran for more than 50 ms without waiting");
    fails(HUGE_TEXT "while true do pcall(function() re'[ab]+[cd]':match(text) "
                    "end) end",
          "without waiting");
}

static void a_long_text_is_searched_to_its_end(void **state)
{
    (void)state;
    holds("local text = string.rep('a', 3000000) .. 'needle'\n"
          "local first, last = re'n[e]+dle':find(text)\n"
          "assert(first == 3000001 and last == #text)\n"
          "assert(re'^needle':find(text) == nil)\n"
          "assert(re'\\\\bneedle$':find(text) == nil)");
    holds("local text = string.rep('\\u{e9}', 100000) .. 'x'\n"
          "assert(select(2, re'[^x]+':find(text)) == 200000)");
    /* One that needs a deep stack, and has it. */
    holds("local text = string.rep('ab', 20000)\n"
          "assert(#re'((?:a|b)+)$':match(text) == #text)");
}

/* A text that every starting point is tried in vain on: the square of its
 * length. It must not hold up the loop, and must end. */
struct company {
    struct config *config;
    unsigned turns;
    bool is_over;
};

static pr_status count_turns(void *argument)
{
    struct company *company = argument;

    while (!company->is_over) {
        company->turns++;
        if (pr_sleep(1) != PR_OK)
            break;
    }
    return PR_OK;
}

static pr_status run_long_rule(void *argument)
{
    struct company *company = argument;
    struct message *message = fixture_message(company->config, "INBOX", plain);
    pr_status status = rules_run(company->config, message);

    fixture_message_free(message);
    company->is_over = true;
    return status;
}

static pr_status in_company(void *argument)
{
    struct company *company = argument;
    struct pr_scope scope;

    pr_scope_init(&scope);
    if (pr_spawn(&scope, "others", PR_STACK_RULE, count_turns, company) !=
            PR_OK ||
        pr_spawn(&scope, "rule", PR_STACK_RULE, run_long_rule, company) !=
            PR_OK)
        abort();
    return pr_scope_join(&scope);
}

static void others_go_on_while_an_expression_takes_long(void **state)
{
    struct company company = {0};

    (void)state;
    assert_int_equal(
        fixture_load(
            "options { limits = { time = \"2s\" } } local mail = maildir "
            "\"/m\" account \"work\" { source = imap { host = \"h\" }, deliver "
            "= mail } rule(\"r\", function(m) re'(?:[ab]|a)+[cd]':match("
            "string.rep('a', 102400)) end)",
            &company.config),
        PR_OK);
    assert_int_equal(loop_run(2, in_company, &company), PR_SCRIPT);
    assert_non_null(strstr(pr_last_failure()->text, "re: gave up"));
    assert_true(company.turns >= 10);
    config_free(company.config);
}

/* ---- Case ---------------------------------------------------------------- */

static void case_does_not_count_in_any_language(void **state)
{
    (void)state;
    holds("assert(('Stra\\u{df}e'):has 'STRASSE')\n"
          "assert(('STRASSE'):has 'stra\\u{df}e')\n"
          "assert(('\\u{1e9e}'):fold() == 'ss')\n"
          /* Greek: a sigma is a sigma, also at the end of a word. */
          "assert(('\\u{39f}\\u{394}\\u{39f}\\u{3a3}'):ends "
          "'\\u{3b4}\\u{3bf}\\u{3c2}')\n"
          "assert(('\\u{3c2}'):fold() == ('\\u{3a3}'):fold())\n"
          /* Turkish: I with a dot folds to i and a dot; one without stays. */
          "assert(('\\u{130}'):fold() == 'i\\u{307}')\n"
          "assert(('\\u{131}'):fold() == '\\u{131}')\n"
          "assert(('I'):fold() == 'i' and ('TITLE'):lower() == 'title')\n"
          /* Compatible forms, and accents written in two ways. */
          "assert(('\\u{fb01}ne'):starts 'FI')\n"
          "assert(('e\\u{301}'):has '\\u{c9}')\n"
          "assert(('\\u{ff21}\\u{ff22}'):fold() == 'ab')\n"
          "assert(('\\u{416}\\u{423}\\u{41a}'):lower() == "
          "'\\u{436}\\u{443}\\u{43a}')\n"
          /* What is no UTF-8 is compared as it is. */
          "assert(('A\\xff'):fold() == 'a\\xff' and ('A\\xff'):has 'a')");
}

static void globs_match_whole_texts(void **state)
{
    (void)state;
    holds("assert(glob'*.pdf':match 'Invoice.PDF')\n"
          "assert(not glob'*.pdf':match 'a.pdf.exe')\n"
          "assert(glob'?a*':match 'ba' and not glob'?a*':match 'a')\n"
          "assert(glob'\\u{fc}ber*':match '\\u{dc}bermorgen')\n"
          "assert(glob'':match '' and not glob'':match 'x')\n"
          "assert(glob(string.rep('*a', 50)):match(string.rep('a', 5000)))\n"
          "assert(not glob(string.rep('*a', 50) .. 'b'):match(string.rep('a', "
          "5000)))");
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
        cmocka_unit_test(expressions_match_and_give_groups),
        cmocka_unit_test(expressions_find_where_it_is),
        cmocka_unit_test(expressions_with_names_give_a_table),
        cmocka_unit_test(expressions_replace),
        cmocka_unit_test(expressions_go_through_all_matches),
        cmocka_unit_test(expressions_have_flags),
        cmocka_unit_test(expressions_know_unicode),
        cmocka_unit_test(expressions_read_broken_utf8),
        cmocka_unit_test(a_wrong_expression_says_what_is_wrong),
        cmocka_unit_test(the_same_expression_is_compiled_once),
        cmocka_unit_test(an_expression_may_be_used_while_it_replaces),
        cmocka_unit_test(an_expression_that_explodes_is_given_up),
        cmocka_unit_test(it_may_be_caught_but_time_goes_on),
        cmocka_unit_test(a_long_text_is_searched_to_its_end),
        cmocka_unit_test(others_go_on_while_an_expression_takes_long),
        cmocka_unit_test(case_does_not_count_in_any_language),
        cmocka_unit_test(globs_match_whole_texts),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
