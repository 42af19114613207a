/*
 * Files that rules look up in: what stands in them, and that they are read
 * again when they change.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "lua_fixture.h"
#include "mail/lookup.h"

static const char *folder;

static const char mail[] = "From: Boss <Boss@Example.ORG>, b@x.example\r\n"
                           "To: alice@sub.example.net\r\n"
                           "Subject: hello\r\n\r\nbody\r\n";

static const char people[] = "# people who matter\r\n"
                             "boss@example.org   # the boss\r\n"
                             "  @example.com\n"
                             "*@example.net\n"
                             "news-*@lists.example\n"
                             "hash#tag@example.edu\n"
                             "\n"
                             "Stra\u00dfe@example.edu\n"
                             "a=b@example.edu\n"
                             "Two Words\n"
                             "last@example.edu";

static const char *rule(const char *body)
{
    static char text[16384];

    snprintf(text, sizeof text, "rule(\"r\", function(m)\n%s\nend)", body);
    return fixture_plan(text, "INBOX", mail);
}

static void holds(const char *body)
{
    assert_string_equal(rule(body), "");
    assert_int_equal(fixture_status(), PR_OK);
}

static void a_set_has_texts_and_addresses(void **state)
{
    (void)state;
    fixture_write("people.txt", people);
    holds("local p = map 'people.txt'\n"
          "assert(p:has(m.from) and p:has 'BOSS@example.org')\n"
          "assert(p:has 'x@example.com' and p:has 'y@EXAMPLE.net')\n"
          "assert(not p:has(m.to) and not p:has 'example.com')\n"
          "assert(p:has 'news-1@lists.example' and not p:has "
          "'news@lists.example')\n"
          "assert(p:has 'hash#tag@example.edu' and p:has "
          "'strasse@example.edu')\n"
          "assert(p:has 'a=b@example.edu' and p:has 'two words')\n"
          "assert(p:has 'last@example.edu' and not p:has 'the boss')\n"
          "assert(not p:has '' and not p:has '# people who matter')\n"
          "assert(p.x == nil and p['last@example.edu'] == true and #p == 9)\n"
          "assert(p:get 'last@example.edu' == true and p:get 'no' == nil)");
}

static void addresses_stand_in_a_file(void **state)
{
    (void)state;
    fixture_write("people.txt", people);
    holds("assert(m.from:in_file 'people.txt' and m.from[1]:in_file "
          "'people.txt')\n"
          "assert(not m.from[2]:in_file 'people.txt')\n"
          "assert(not m.cc:in_file 'people.txt')");
}

static void a_map_has_values(void **state)
{
    (void)state;
    fixture_write("map.txt", "boss@example.org = lists/boss\n"
                             "@x.example =   a # b \n"
                             "twice = 1\n"
                             "TWICE = 2\n"
                             "empty = \n"
                             "spaces in it = x = y\n"
                             "*.glob = g\n"
                             "\u00dcber = umlaut\n"
                             "set\n");
    holds("local p = map 'map.txt'\n"
          "assert(p:get(m.from) == 'lists/boss' and p[m.from[2]] == 'a')\n"
          "assert(p.twice == '2' and p['spaces in it'] == 'x = y')\n"
          "assert(p['x.GLOB'] == 'g' and p['\u00fcber'] == 'umlaut')\n"
          "assert(p.set == true and p.none == nil and p:has 'twice')\n"
          "assert(p.empty == true or p['empty ='] == true)");
}

static void a_map_can_be_made_at_the_top(void **state)
{
    (void)state;
    fixture_write("map.txt", "a = b\n");
    assert_string_equal(fixture_plan("local p = map 'map.txt' assert(p.a == "
                                     "'b') rule('r', function(m) assert(p.a "
                                     "== 'b') end)",
                                     "INBOX", mail),
                        "");
}

static void a_missing_file_is_said(void **state)
{
    const char *text;

    (void)state;
    text = rule("return (map 'no.txt'):has 'x'");
    assert_int_equal(fixture_status(), PR_SCRIPT);
    assert_non_null(strstr(text, "no.txt: No such file"));
    text = rule("map ''");
    assert_non_null(strstr(text, "the path is empty"));
    text = rule("map('x').has('y')");
    assert_non_null(strstr(text, "with a colon"));
}

static void a_file_that_changes_is_read_again(void **state)
{
    char body[2000];

    (void)state;
    fixture_write("m.txt", "a = 1\n");
    fixture_write("n.txt", "a = 2\n");
    snprintf(body, sizeof body,
             "local here, p = '%s/', map 'm.txt'\n"
             "assert(p.a == '1')\n"
             "exec { 'cp', here .. 'n.txt', here .. 'm.txt' }\n"
             "sleep(1.1) assert(p.a == '2')\n"
             "exec { 'rm', here .. 'm.txt' }\n"
             "sleep(1.1) assert(p.a == '2')\n"
             "sleep(1.1) assert(p.a == '2')",
             folder);
    holds(body);
    /* Said once, however often it is asked. */
    assert_non_null(strstr(fixture_log(), "still holds"));
    assert_null(
        strstr(strstr(fixture_log(), "still holds") + 1, "still holds"));
}

/* ---- Large and odd files ------------------------------------------------- */

static struct lookup *load(const char *text, size_t size)
{
    char path[200];
    struct lookup_file file;
    struct lookup *lookup;
    FILE *out;

    snprintf(path, sizeof path, "%s/large.txt", folder);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    if (lookup_read(path, NULL, &file, &lookup) != PR_OK)
        fail_msg("%s", pr_last_failure()->text);
    return lookup;
}

static void a_million_lines_are_read_fast(void **state)
{
    size_t size = 0, room = 40 * 1000 * 1000;
    char *text = malloc(room), key[40];
    clock_t begun;
    struct lookup *lookup;
    const char *value;

    (void)state;
    assert_non_null(text);
    for (unsigned i = 0; i < 1000000; i++)
        size +=
            (size_t)snprintf(text + size, room - size,
                             "person%u@host%u.example = v%u\n", i, i % 997, i);
    begun = clock();
    lookup = load(text, size);
    assert_true(clock() - begun < 20 * CLOCKS_PER_SEC);
    free(text);
    assert_int_equal(lookup_count(lookup), 1000000);
    assert_true(lookup_text(lookup, "person999999@host8.example", &value));
    assert_string_equal(value, "v999999");
    for (unsigned i = 0; i < 1000000; i += 1000) {
        snprintf(key, sizeof key, "person%u@host%u.example", i, i % 997);
        assert_true(lookup_address(lookup, key, &value));
    }
    assert_false(lookup_text(lookup, "person0@host1.example", &value));
    lookup_free(lookup);
}

static void odd_files_are_read(void **state)
{
    static const char *const texts[] = {
        "",         "\n\n\n",        "#",          "=",      " = ", "a =",
        "= b",      "a = = b",       "\xff\xfe\n", "*\n?\n", "*@",  "@",
        "\xc4\xb0", "a\0b = c\nd\n", "a = b\r\n",  "*@*\n",
    };
    static const size_t sizes[] = {0, 3, 1, 1, 3, 3,  3, 7,
                                   3, 4, 2, 1, 2, 10, 7, 4};
    const char *value;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct lookup *lookup = load(texts[i], sizes[i]);

        (void)lookup_text(lookup, "", &value);
        (void)lookup_text(lookup, "a", &value);
        (void)lookup_address(lookup, "a@b", &value);
        (void)lookup_address(lookup, "@", &value);
        lookup_free(lookup);
    }
    {
        /* Folding makes it longer than it was: it has another place. */
        struct lookup *lookup = load("\xc4\xb0\n\xc4\xb0x = y", 10);

        assert_true(lookup_text(lookup, "i\u0307", &value));
        assert_true(lookup_text(lookup, "i\u0307x", &value));
        assert_string_equal(value, "y");
        lookup_free(lookup);
    }
}

static void no_memory_is_a_failure_like_another(void **state)
{
    char path[200];
    struct lookup_file file;
    struct lookup *lookup = NULL;
    bool is_over = false;

    (void)state;
    snprintf(path, sizeof path, "%s",
             fixture_write("small.txt", "a = b\n\xc4\xb0\n*x\n"));
    for (unsigned long n = 1; !is_over; n++) {
        pr_status status;

        memory_fail_at(n);
        status = lookup_read(path, NULL, &file, &lookup);
        is_over = memory_fail_pending();
        memory_fail_at(0);
        assert_int_equal(status, is_over ? PR_OK : PR_NOMEM);
        lookup_free(lookup);
        lookup = NULL;
    }
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
        cmocka_unit_test(a_set_has_texts_and_addresses),
        cmocka_unit_test(addresses_stand_in_a_file),
        cmocka_unit_test(a_map_has_values),
        cmocka_unit_test(a_map_can_be_made_at_the_top),
        cmocka_unit_test(a_missing_file_is_said),
        cmocka_unit_test(a_file_that_changes_is_read_again),
        cmocka_unit_test(a_million_lines_are_read_fast),
        cmocka_unit_test(odd_files_are_read),
        cmocka_unit_test(no_memory_is_a_failure_like_another),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
