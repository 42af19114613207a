/*
 * BODYSTRUCTURE to a row of parts.
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

#include "../../plugins/imap/structure.h"
#include "imap_octets.h"

static struct imap_structure told;

static pr_status read_cut(struct pr_bytes text, size_t step)
{
    struct octets octets = {.all = text, .step = step};
    struct imap_reader reader;

    octets_reader(&octets, &reader);
    pr_status status = imap_structure_read(&reader, &told);
    if (status == PR_OK)
        status = imap_skip_line(&reader);
    imap_reader_release(&reader);
    imap_reader_done(&reader);
    if (status == PR_OK)
        assert_int_equal(octets.used, octets.all.size);
    return status;
}

/* "0* fields | 1 2000 fields | ..." with "\n" as ", ". */
static void assert_parts(const char *text, const char *expected)
{
    struct pr_part *parts = NULL;
    size_t count = 0;
    char line[8000], seen[8000] = "";

    snprintf(line, sizeof(line), "%s\r\n", text);
    for (size_t step = 1; step < 1000; step += 998) {
        assert_int_equal(read_cut(pr_bytes_of(line), step), PR_OK);
        assert_true(told.is_told);
        assert_false(told.is_odd);
    }
    assert_int_equal(imap_structure_parts(&told, &parts, &count), PR_OK);
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(seen);
        snprintf(seen + at, sizeof(seen) - at, "%s%u%s %u %.*s",
                 i > 0 ? "| " : "", parts[i].depth,
                 parts[i].is_multipart ? "*" : "", (unsigned)parts[i].size,
                 (int)parts[i].fields.size, parts[i].fields.data);
    }
    free(parts);
    assert_string_equal(seen, expected);
}

static void assert_odd(const char *text)
{
    char line[8000];

    snprintf(line, sizeof(line), "%s\r\n", text);
    assert_int_equal(read_cut(pr_bytes_of(line), 1), PR_OK);
    assert_int_equal(read_cut(pr_bytes_of(line), 1000), PR_OK);
    assert_true(told.is_odd);
}

static void a_text_has_its_fields(void **state)
{
    (void)state;
    assert_parts("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\" \"FORMAT\" "
                 "\"flowed\") \"<id@x>\" \"words\" \"BASE64\" 3028 92 \"md5\" "
                 "(\"inline\" (\"FILENAME*\" \"utf-8''%C3%BC\")) (\"en\" "
                 "\"de\") \"loc\" \"more\" (1 (2)))",
                 "0 3028 Content-Type: TEXT/PLAIN; CHARSET=\"utf-8\"; "
                 "FORMAT=\"flowed\"\nContent-ID: <id@x>\n"
                 "Content-Transfer-Encoding: BASE64\n"
                 "Content-Disposition: inline; FILENAME*=utf-8''%C3%BC\n");
}

static void extensions_may_be_missing(void **state)
{
    static const char *const ends[] = {"", " 1", " 1 NIL", " 1 NIL NIL",
                                       " 1 NIL NIL NIL NIL"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        char text[200];
        snprintf(text, sizeof(text),
                 "(\"text\" \"plain\" NIL NIL NIL \"7bit\" 5%s)", ends[i]);
        assert_parts(text, "0 5 Content-Type: text/plain\n"
                           "Content-Transfer-Encoding: 7bit\n");
    }
    assert_parts("((\"a\" \"b\" NIL NIL NIL NIL 1) \"mixed\")",
                 "0* 0 Content-Type: multipart/mixed\n"
                 "| 1 1 Content-Type: a/b\n");
}

#define ENVELOPE \
    "(NIL \"s\" ((\"A\" NIL \"a\" \"x\")) NIL NIL NIL NIL NIL NIL \"<i>\")"

static void a_message_in_a_message_is_opened(void **state)
{
    (void)state;
    assert_parts(
        "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 1)(\"message\" "
        "\"rfc822\" (\"name\" \"m\") NIL NIL \"7bit\" 900 " ENVELOPE
        " ((\"a\" \"b\" NIL NIL NIL NIL 1)(\"c\" \"d\" NIL NIL NIL NIL 2) "
        "\"mixed\" (\"boundary\" \"i\")) 20 NIL (\"attachment\" NIL) NIL NIL) "
        "\"mixed\" (\"boundary\" \"o\") NIL NIL)",
        "0* 0 Content-Type: multipart/mixed; boundary=\"o\"\n"
        "| 1 5 Content-Type: text/plain\nContent-Transfer-Encoding: 7bit\n"
        "| 1 900 Content-Type: message/rfc822; name=\"m\"\n"
        "Content-Transfer-Encoding: 7bit\nContent-Disposition: attachment\n"
        "| 2* 0 Content-Type: multipart/mixed; boundary=\"i\"\n"
        "| 3 1 Content-Type: a/b\n| 3 2 Content-Type: c/d\n");
}

static void a_value_ends_no_line(void **state)
{
    (void)state;
    assert_parts("(\"a\" \"b\" (\"name\" {10}\r\nx\r\nBcc: \"y) NIL NIL NIL 1)",
                 "0 1 Content-Type: a/b; name=\"x  Bcc: \\\"y\"\n");
    assert_parts("(\"a\" \"b\" (\"na me\" \"x\" \"n\" NIL \"q\" \"\\\\\") "
                 "NIL NIL NIL 1)",
                 "0 1 Content-Type: a/b; q=\"\\\\\"\n");
}

static void what_is_no_structure_is_odd(void **state)
{
    static const char *const odd[] = {
        "NIL", "x", "\"x\"", "{3}\r\n)((", "()", "(NIL)", "(\"text\")",
        "(NIL NIL NIL NIL NIL \"7BIT\" 0)", "(NIL \"mixed\")",
        "(\"mixed\" (\"boundary\" \"x\") NIL NIL)",
        "(\"a\" \"b\" NIL NIL NIL NIL NIL)", "(\"a\" \"b\" NIL NIL NIL NIL -1)",
        "(\"a\" \"b\" NIL NIL NIL NIL)",
        "(\"a\" \"b\" ((\"n\" \"v\")) NIL NIL NIL 1)",
        "(\"a;\" \"b\" NIL NIL NIL NIL 1)",
        "(\"message\" \"rfc822\" NIL NIL NIL NIL 1 " ENVELOPE " NIL 1)",
        "((\"a\" \"b\" NIL NIL NIL NIL 1))",
        "((\"a\" \"b\" NIL NIL NIL NIL 1) (\"boundary\" \"x\"))",
        /* an empty multipart, or an empty part in it */
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 "
        "NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)"};
    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        assert_odd(odd[i]);
}

static struct pr_bytes repeat(const char *before, const char *text,
                              size_t times, const char *after)
{
    size_t size = strlen(text);
    char *all = malloc(strlen(before) + size * times + strlen(after) + 1);

    assert_non_null(all);
    char *to = stpcpy(all, before);
    for (size_t i = 0; i < times; i++)
        to = stpcpy(to, text);
    strcpy(to, after);
    return pr_bytes_of(all);
}

static void number_depth_and_size_have_caps(void **state)
{
    const char *leaf = "(\"a\" \"b\" NIL NIL NIL NIL 1)";
    struct pr_bytes text = repeat("(", leaf, 9999, " \"mixed\")\r\n");

    (void)state;
    assert_int_equal(read_cut(text, 100000), PR_OK);
    assert_false(told.is_odd);
    free((char *)text.data);
    text = repeat("(", leaf, 10000, " \"mixed\")\r\n");
    assert_int_equal(read_cut(text, 100000), PR_OK);
    assert_true(told.is_odd);
    free((char *)text.data);
    text = repeat("", "(", 240, "");
    char *closed = malloc(1000);
    memset(closed, ')', 240);
    memcpy(closed + 240, "\r\n", 3);
    struct pr_bytes deep = repeat(text.data, "", 0, closed);
    assert_int_equal(read_cut(deep, 100000), PR_OK);
    assert_true(told.is_odd);
    free((char *)deep.data);
    free((char *)text.data);
    free(closed);
    text = repeat("(\"a\" \"b\" NIL NIL NIL NIL 1 NIL NIL", " \"0123456789\"",
                  2000000, ")\r\n");
    assert_int_equal(read_cut(text, 1000000), PR_PROTOCOL);
    free((char *)text.data);
}

static int set_up(void **state)
{
    (void)state;
    imap_structure_init(&told);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    imap_structure_done(&told);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_has_its_fields),
        cmocka_unit_test(extensions_may_be_missing),
        cmocka_unit_test(a_message_in_a_message_is_opened),
        cmocka_unit_test(a_value_ends_no_line),
        cmocka_unit_test(what_is_no_structure_is_odd),
        cmocka_unit_test(number_depth_and_size_have_caps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
