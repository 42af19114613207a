/*
 * What rules learn of parts beyond what is declared, and the whole message.
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

#include "lua_fixture.h"

/* An executable as invoice.pdf, an archive as a text, one that was streamed, a
 * message with a part of its own. */
static const char mail[] =
    "Subject: parts\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=BB\r\n"
    "\r\n"
    "--BB\r\n"
    "Content-Type: text/plain\r\n"
    "\r\n"
    "Hello world, this is text.\r\n"
    "--BB\r\n"
    "Content-Type: application/pdf; name=\"../../invoice.pdf\"\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "TVqQAAMAAAAEAAAA//"
    "8AALgAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
    "AAAAgAAAAA4fug4AtAnNIbgBTM0hVGhpcyBwcm9ncmFtIGNhbm5vdCBiZSBydW4gaW4gRE9TIG"
    "1v\r\n"
    "ZGUuDQ0KJAAAAAAAAABQRQAATAEDAA==\r\n"
    "--BB\r\n"
    "Content-Type: text/plain; name=.hidden\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "UEsDBBQAAAAIAI5Cdl2GphA2BwAAAAUAAAAKAAAAcmVhZG1lLnR4dMtIzcnJBwBQSwMEFAAAAA"
    "gA\r\n"
    "jkJ2XXnwwP4GAAAABAAAAAwAAABkaXIvdG9vbC5leGXzjdLTAwBQSwMEFAAACAgAjkJ2XYMW3I"
    "wD\r\n"
    "AAAAAQAAAAwAAAByw6lzdW3DqS5kb2OrAABQSwECFAMUAAAACACOQnZdhqYQNgcAAAAFAAAACg"
    "AA\r\n"
    "AAAAAAAAAAAAgAEAAAAAcmVhZG1lLnR4dFBLAQIUAxQAAAAIAI5Cdl158MD+"
    "BgAAAAQAAAAMAAAA\r\n"
    "AAAAAAAAAACAAS8AAABkaXIvdG9vbC5leGVQSwECFAMUAAAICACOQnZdgxbcjAMAAAABAAAADA"
    "AA\r\n"
    "AAAAAAAAAAAAgAFfAAAAcsOpc3Vtw6kuZG9jUEsFBgAAAAADAAMArAAAAIwAAAAAAA==\r\n"
    "--BB\r\n"
    "Content-Type: application/zip\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "UEsDBBQACAAAAI5Cdl0AAAAAAAAAAAAAAAALAAAAc3RyZWFtZWQuanNhbGVydCgxKVBLBwjWy7"
    "K4\r\n"
    "CAAAAAgAAABQSwECFAMUAAgAAACOQnZd1suyuAgAAAAIAAAACwAAAAAAAAAAAAAAgAEAAAAAc3"
    "Ry\r\n"
    "ZWFtZWQuanNQSwUGAAAAAAEAAQA5AAAAQQAAAAAA\r\n"
    "--BB\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "Subject: inner\r\n"
    "Content-Type: text/html\r\n"
    "\r\n"
    "<html><body>hi</body></html>\r\n"
    "--BB--\r\n";

static const char *rule(const char *head, const char *body, const char *octets)
{
    static char text[16384];

    snprintf(text, sizeof text, "%s rule(\"r\", function(m)\n%s\nend)", head,
             body);
    return fixture_plan(text, "INBOX", octets);
}

static void holds(const char *body, const char *octets)
{
    assert_string_equal(rule(fixture_patience(), body, octets), "");
    assert_int_equal(fixture_status(), PR_OK);
}

static void fails(const char *head, const char *body, const char *words)
{
    const char *text = rule(head, body, mail);

    assert_int_equal(fixture_status(), PR_SCRIPT);
    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, text);
}

static void the_true_type_is_that_of_the_octets(void **state)
{
    (void)state;
    holds("local p = m.parts\n"
          "assert(p[2]:true_type() == 'text/plain', p[2]:true_type())\n"
          "assert(p[3].type == 'application/pdf')\n"
          "assert(re'dosexec|executable':find(p[3]:true_type()))\n"
          "assert(p[4].type == 'text/plain')\n"
          "assert(p[4]:true_type() == 'application/zip')\n"
          "assert(p[1]:true_type() == 'multipart/mixed')\n"
          "assert(p[7]:true_type() == 'text/html', p[7]:true_type())\n"
          "assert(p[6].type == 'message/rfc822' and p[6]:true_type() ~= '')",
          mail);
    holds("assert(m.parts[1]:true_type() == 'application/x-empty', "
          "m.parts[1]:true_type())",
          "Subject: nothing\r\n\r\n");
}

static void archives_tell_the_names_inside(void **state)
{
    (void)state;
    holds("local p = m.parts\n"
          "assert(p[2]:archive_names() == nil and p[3]:archive_names() == "
          "nil)\n"
          "local names = p[4]:archive_names()\n"
          "assert(table.concat(names, '|') == "
          "'readme.txt|dir/tool.exe|r\\u{e9}sum\\u{e9}.doc')\n"
          "assert(table.concat(p[5]:archive_names(), '|') == 'streamed.js')\n"
          "assert(p[1]:archive_names() == nil)",
          mail);
}

static void a_part_is_saved_where_the_user_allows_it(void **state)
{
    static const char open[] = "options { save = { \"/srv/post\", \"in\" } }";

    (void)state;
    assert_non_null(strstr(rule(open,
                                "assert(m.parts[3]:save '/srv/post/x/a.pdf' == "
                                "'/srv/post/x/a.pdf')",
                                mail),
                           "r: save [x/a.pdf] [2]\n"));
    /* A name from mail, made safe. */
    assert_non_null(strstr(rule(open,
                                "assert(m.parts[3]:save '/srv/post/' == "
                                "'/srv/post/_.._invoice.pdf')",
                                mail),
                           "r: save [_.._invoice.pdf] [2]\n"));
    assert_non_null(strstr(rule(open, "m.parts[4]:save 'in/'", mail),
                           "r: save [hidden] [3]\n"));
    assert_non_null(strstr(rule(open, "m.parts[5]:save 'in/new/'", mail),
                           "r: save [new/part-4] [4]\n"));
}

static void a_part_is_saved_nowhere_else(void **state)
{
    static const char open[] = "options { save = { \"/srv/post\" } }";

    (void)state;
    fails("", "m.parts[3]:save '/srv/post/a'", "below no folder that is open");
    fails(open, "assert(m.parts[3]:save '/srv/postbox/a')", "below no folder");
    fails(open, "assert(m.parts[3]:save '/etc/passwd')", "below no folder");
    fails(open, "assert(m.parts[3]:save '/srv/post/../a')", "no path below");
    fails(open, "assert(m.parts[3]:save('/srv/post/' .. m.parts[3].filename))",
          "no path below");
    fails(open, "assert(m.parts[3]:save '/srv/post/a/./b')", "no path below");
    fails(open, "assert(m.parts[3]:save('/srv/post/' .. ('x'):rep(300)))",
          "no path below");
    assert_string_equal(
        rule(open, "m.parts[3]:save '/srv/post/a\\n\\0b'", mail),
        "config.lua:3 r: save [a_ b] [2]\n");
    assert_string_equal(rule(open, "m.parts[3]:save '/etc/passwd'", mail),
                        "config.lua:3 r: note [part:save: /etc/passwd is below "
                        "no folder that is open to rules]\n");
    fails(open, "m.parts[3]:save ''", "the path is empty");
    fails(open, "m.parts[1]:save '/srv/post/a'", "no octets of its own");
    fails(open, "m.parts[3].save()", "methods are called with a colon");
}

static void the_whole_message_is_a_stream(void **state)
{
    (void)state;
    holds("local raw = m:raw()\n"
          "assert(raw:read(5) == 'Subje' and raw:read(1) == 'c')\n"
          "local rest, all = raw:read(), {}\n"
          "assert(rest:sub(1, 9) == 't: parts\\n' and raw:read() == nil)\n"
          "for line in m:raw():lines() do all[#all + 1] = line end\n"
          "assert(all[1] == 'Subject: parts' and all[4] == '')\n"
          "assert(table.concat(all, '\\n') .. '\\n' == 'Subjec' .. rest)\n"
          "assert(not pcall(raw.read, raw, 0))\n"
          "assert(not pcall(function() return raw.write end))",
          mail);
    holds("local n = 0\n"
          "for line in m:raw():lines() do n = n + 1 end\n"
          "assert(n == 2, n)",
          "a: b\r\nc: d");
    holds("for line in m:raw():lines() do error 'a line' end", "");
}

static void a_message_has_a_digest(void **state)
{
    (void)state;
    /* printf 'a: b\n\nc\n' | sha256sum */
    holds("assert(m:sha256() == "
          "'0f0a70bb7848a41a1a42cdd1beccb9a16f0ff93c63a84a6e9bec37d40109fedf', "
          "m:sha256())",
          "a: b\r\n\r\nc\r\n");
}

static void large_messages_are_read_from_their_file(void **state)
{
    size_t size = 300000;
    char *octets = malloc(size + 100);

    (void)state;
    assert_non_null(octets);
    strcpy(octets, "a: b\r\n\r\n");
    memset(octets + 8, 'x', size);
    strcpy(octets + 8 + size, "\r\nend\r\n");
    holds("local n, last = 0\n"
          "for line in m:raw():lines() do n = n + 1; last = #line > 10 and "
          "#line or last end\n"
          "assert(n == 4 and last == 300000, last)\n"
          "local raw, sum = m:raw(), 0\n"
          "for piece in function() return raw:read(1000) end do sum = sum + "
          "#piece end\n"
          "assert(sum == 300011, sum)\n"
          "assert(m:sha256() ~= '')\n"
          "assert(m.parts[1]:true_type() == 'text/plain')",
          octets);
    free(octets);
}

/* A message of 30,000 lines, each its number from 0 on. */
static char *numbered_lines(void)
{
    char *octets = malloc(30000 * 8 + 100), *end = octets;

    assert_non_null(octets);
    end += sprintf(end, "a: b\r\n\r\n");
    for (int i = 0; i < 30000; i++)
        end += sprintf(end, "%d\r\n", i);
    return octets;
}

/* More than is read ahead at once, and the same stream read in both ways. */
static void lines_of_large_messages_are_whole_and_in_order(void **state)
{
    char *octets = numbered_lines();

    (void)state;
    holds("local n = -2\n"
          "for line in m:raw():lines() do\n"
          "  assert(n < 0 or line == tostring(n), line) n = n + 1\n"
          "end\n"
          "assert(n == 30000)\n"
          "local raw = m:raw()\n"
          "assert(raw:lines()() == 'a: b' and raw:read(3) == '\\n0\\n')\n"
          "assert(raw:lines()() == '1' and #raw:read(100000) == 100000)\n"
          "assert(raw:lines()() and raw:read(1) and raw:lines()())",
          octets);
    free(octets);
}

static void branches_do_not_read_one_stream_at_once(void **state)
{
    char *octets = numbered_lines();

    (void)state;
    holds("local raw = m:raw()\n"
          "local function count(stream)\n"
          "  local n = 0\n"
          "  for line in stream:lines() do n = n + 1 end\n"
          "  return n\n"
          "end\n"
          "local found = all {\n"
          "  function() return count(raw) end,\n"
          "  function() return select(2, pcall(count, raw)) end,\n"
          "  function() return count(m:raw()) end,\n"
          "}\n"
          "assert(found[1] == 30002 and found[3] == 30002, found[1])\n"
          "assert(tostring(found[2]):find('its own m:raw()', 1, true), "
          "found[2])",
          octets);
    free(octets);
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
        cmocka_unit_test(the_true_type_is_that_of_the_octets),
        cmocka_unit_test(archives_tell_the_names_inside),
        cmocka_unit_test(a_part_is_saved_where_the_user_allows_it),
        cmocka_unit_test(a_part_is_saved_nowhere_else),
        cmocka_unit_test(the_whole_message_is_a_stream),
        cmocka_unit_test(a_message_has_a_digest),
        cmocka_unit_test(large_messages_are_read_from_their_file),
        cmocka_unit_test(lines_of_large_messages_are_whole_and_in_order),
        cmocka_unit_test(branches_do_not_read_one_stream_at_once),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
