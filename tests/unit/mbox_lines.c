/*
 * Lines of an mbox: quoted and restored, wherever they are cut; From_ lines.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/mbox/from.h"
#include "../../plugins/mbox/quote.h"

#define OK(call) assert_int_equal((call), PR_OK)

static pr_status put(void *user, const char *data, size_t size)
{
    return pr_buffer_add(user, data, size);
}

/* What becomes of `in`, cut into pieces of `step` octets. */
static const char *quoted(const char *in, size_t step, const char *fields)
{
    static struct pr_buffer out;
    struct quote quote;
    size_t size = strlen(in);

    pr_buffer_done(&out);
    out.cap = 1 << 20;
    quote_init(&quote, put, &out, pr_bytes_of(fields));
    for (size_t at = 0; at < size; at += step)
        OK(quote_add(&quote, in + at, size - at < step ? size - at : step));
    OK(quote_end(&quote));
    return pr_buffer_text(&out);
}

static const char *restored(const char *in, size_t step,
                            enum unquote_format format)
{
    static struct pr_buffer out;
    struct unquote unquote;
    size_t size = strlen(in);

    pr_buffer_done(&out);
    out.cap = 1 << 20;
    unquote_init(&unquote, format, put, &out);
    for (size_t at = 0; at < size; at += step)
        OK(unquote_add(&unquote, in + at, size - at < step ? size - at : step));
    OK(unquote_end(&unquote));
    return pr_buffer_text(&out);
}

static const char *const lines[][2] = {
    {"a: b\n\nFrom me\n", "a: b\n\n>From me\n\n"},
    {"a: b\n\n>From me\n>>>From you\n", "a: b\n\n>>From me\n>>>>From you\n\n"},
    {"From x\n\nb\n", ">From x\n\nb\n\n"},
    {"a\n\nFrom", "a\n\nFrom\n\n"},
    {"a\n\nFrom ", "a\n\n>From \n\n"},
    {"a\n\n>", "a\n\n>\n\n"},
    {"a\n\nFrom\n", "a\n\nFrom\n\n"},
    {"a\n\nFrom:\nfrom \n From \n>from \n> From \n",
     "a\n\nFrom:\nfrom \n From \n>from \n> From \n\n"},
    {"a\n\nFroFrom \nFromFrom \n>F>From \n",
     "a\n\nFroFrom \nFromFrom \n>F>From \n\n"},
    {"a\n\nx From \n\nFrom \n\n\n", "a\n\nx From \n\n>From \n\n\n\n"},
    {"a\n\nb", "a\n\nb\n\n"},
    {"a: b", "a: b\n\n"},
    {"", "\n"},
    {"\n", "\n\n"},
    {"a\r\n\r\nFrom \r\n", "a\r\n\r\n>From \r\n\n"},
};

#define LINES (sizeof(lines) / sizeof(lines[0]))

static void a_from_line_is_quoted_wherever_it_is_cut(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < LINES; i++)
        for (size_t step = 1; step < 12; step++)
            assert_string_equal(quoted(lines[i][0], step, ""), lines[i][1]);
}

static void what_was_quoted_is_restored_wherever_it_is_cut(void **unused)
{
    char expected[200];

    (void)unused;
    for (size_t i = 0; i < LINES; i++)
        for (size_t step = 1; step < 12; step++) {
            size_t size = strlen(lines[i][0]);
            bool lacks_end = size > 0 && lines[i][0][size - 1] != '\n';
            snprintf(expected, sizeof(expected), "%s%s\n", lines[i][0],
                     lacks_end ? "\n" : "");
            assert_string_equal(restored(lines[i][1], step, UNQUOTE_MBOXRD),
                                expected);
        }
}

static void mboxo_takes_away_one_angle_where_there_is_one(void **unused)
{
    (void)unused;
    for (size_t step = 1; step < 12; step++) {
        assert_string_equal(restored(">From a\n>>From b\nFrom c\n>>x\n>From",
                                     step, UNQUOTE_MBOXO),
                            "From a\n>>From b\nFrom c\n>>x\n>From");
        assert_string_equal(
            restored(">From a\n>>From b\n>\n>>", step, UNQUOTE_MBOXRD),
            "From a\n>From b\n>\n>>");
    }
}

static void fields_go_to_the_end_of_the_header(void **unused)
{
    (void)unused;
    for (size_t step = 1; step < 12; step++) {
        assert_string_equal(quoted("a: b\nc: d\n\ne\n\nf\n", step, "X: y\n"),
                            "a: b\nc: d\nX: y\n\ne\n\nf\n\n");
        assert_string_equal(quoted("a: b\n", step, "X: y\n"), "a: b\nX: y\n\n");
        assert_string_equal(quoted("a: b", step, "X: y\n"), "a: b\nX: y\n\n");
        assert_string_equal(quoted("\nbody\n", step, "X: y\n"),
                            "X: y\n\nbody\n\n");
        assert_string_equal(quoted(">\n\nbody\n", step, "X: y\n"),
                            ">\nX: y\n\nbody\n\n");
    }
    assert_string_equal(quoted("", 1, "X: y\n"), "X: y\n\n");
}

static void check_from(const char *sender, int64_t when, const char *line)
{
    struct pr_buffer out = {.cap = FROM_MAX};

    OK(from_format(pr_bytes_of(sender), when, &out));
    assert_string_equal(pr_buffer_text(&out), line);
    assert_true(from_is_line((struct pr_bytes){out.data, out.size - 1}));
    if (when > 0 && when < INT64_C(253402300799))
        assert_int_equal(from_date((struct pr_bytes){out.data, out.size - 1}),
                         when);
    pr_buffer_done(&out);
}

static void a_from_line_has_the_sender_and_the_date_in_utc(void **unused)
{
    char sender[400];

    (void)unused;
    check_from("a@example.org", 1700000000,
               "From a@example.org Tue Nov 14 22:13:20 2023\n");
    check_from("a@example.org", 1709251199,
               "From a@example.org Thu Feb 29 23:59:59 2024\n");
    check_from("", 1, "From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n");
    check_from("a b", 1, "From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n");
    check_from("a\nFrom", 1, "From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n");
    check_from("x", -5, "From x Thu Jan  1 00:00:00 1970\n");
    check_from("x", INT64_MAX, "From x Fri Dec 31 23:59:59 9999\n");
    memset(sender, 'a', sizeof(sender));
    sender[399] = '\0';
    check_from(sender, 1, "From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n");
}

static bool is_line(const char *text)
{
    return from_is_line(pr_bytes_of(text));
}

static void from_lines_of_other_programs_are_known(void **unused)
{
    (void)unused;
    assert_true(is_line("From a@b Tue Nov 14 22:13:20 2023"));
    assert_true(is_line("From a@b Tue Nov  4 22:13:20 2023\r"));
    assert_true(is_line("From a@b Tue Nov 4 22:13 2023"));
    assert_true(is_line("From a b c Tue Nov 14 22:13:20 +0100 2023"));
    assert_true(is_line("From a@b Tue Nov 14 22:13:20 MET DST 2023"));
    assert_true(is_line("From - Tue Nov 14 22:13:20 2023 remote from x"));
    assert_true(is_line("From ???@??? Tue Nov 14 22:13:20 2023"));
    assert_true(is_line("From a@b Tue, 14 Nov 2023 22:13:20 +0000"));
    assert_false(is_line("From the beginning of Nov 2023 on"));
    assert_false(is_line("From 12:30 on there was none"));
    assert_false(is_line("From "));
    assert_false(is_line(""));
    assert_false(is_line("from a@b Tue Nov 14 22:13:20 2023"));
    assert_false(is_line(">From a@b Tue Nov 14 22:13:20 2023"));
    assert_int_equal(
        from_date(pr_bytes_of("From a Tue Nov 14 22:13:20 +0100 2023")),
        1700000000 - 3600);
    assert_int_equal(
        from_date(pr_bytes_of("From a Tue, 14 Nov 2023 22:13:20 -0130")),
        1700000000 + 5400);
    assert_int_equal(from_date(pr_bytes_of("From a@b")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_from_line_is_quoted_wherever_it_is_cut),
        cmocka_unit_test(what_was_quoted_is_restored_wherever_it_is_cut),
        cmocka_unit_test(mboxo_takes_away_one_angle_where_there_is_one),
        cmocka_unit_test(fields_go_to_the_end_of_the_header),
        cmocka_unit_test(a_from_line_has_the_sender_and_the_date_in_utc),
        cmocka_unit_test(from_lines_of_other_programs_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
