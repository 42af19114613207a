/*
 * The small grammars of IMAP: modified UTF-7, sets of UIDs, flags, dates,
 * strings, patterns of names.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/imap/flags.h"
#include "../../plugins/imap/imap.h"
#include "../../plugins/imap/quote.h"
#include "../../plugins/imap/utf7.h"

static void expect_name(const char *wire, const char *name)
{
    struct pr_buffer out = {.cap = 1000};

    assert_int_equal(imap_utf7_decode(pr_bytes_of(wire), &out), PR_OK);
    assert_string_equal(pr_buffer_text(&out), name);
    pr_buffer_clear(&out);
    assert_int_equal(imap_utf7_encode(pr_bytes_of(name), &out), PR_OK);
    assert_string_equal(pr_buffer_text(&out), wire);
    pr_buffer_done(&out);
}

static void utf7_goes_both_ways(void **state)
{
    (void)state;
    expect_name("", "");
    expect_name("INBOX", "INBOX");
    expect_name("&-", "&");
    expect_name("A&-B&-&-", "A&B&&");
    expect_name("Entw&APw-rfe", "Entwürfe");
    expect_name("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語");
    expect_name("&2D3eAA-", "\xf0\x9f\x98\x80");
    expect_name("&AOQ-&-&AOQ-", "ä&ä");
    expect_name("&,,8-", "\xef\xbf\xbf");
}

static void expect_no_name(struct pr_bytes wire)
{
    struct pr_buffer out = {.cap = 1000};

    assert_int_equal(pr_buffer_add_text(&out, "before"), PR_OK);
    assert_int_equal(imap_utf7_decode(wire, &out), PR_PROTOCOL);
    assert_string_equal(pr_buffer_text(&out), "before");
    pr_buffer_done(&out);
}

static void utf7_is_strict(void **state)
{
    (void)state;
    expect_no_name(PR_BYTES("a&b"));          /* never closed */
    expect_no_name(PR_BYTES("&AG0-"));        /* "m" needs no shift */
    expect_no_name(PR_BYTES("&AOQ-&APY-"));   /* one shift would do */
    expect_no_name(PR_BYTES("&APx-"));        /* bits left over */
    expect_no_name(PR_BYTES("&APwA-"));       /* a whole digit too much */
    expect_no_name(PR_BYTES("&AP=-"));        /* padding */
    expect_no_name(PR_BYTES("&A/w-"));        /* "/" is "," here */
    expect_no_name(PR_BYTES("&2D0-"));        /* high surrogate alone */
    expect_no_name(PR_BYTES("&3gA-"));        /* low surrogate alone */
    expect_no_name(PR_BYTES("&2D3YPQ-"));     /* two high ones */
    expect_no_name(PR_BYTES("&AAA-"));        /* NUL */
    expect_no_name(PR_BYTES("roh-\xc3\xbc")); /* octets as they are */
    expect_no_name(PR_BYTES("a\nb"));
}

static void names_that_are_no_text_are_not_encoded(void **state)
{
    static const char *const names[] = {
        "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "a\nb", "\x7f", "\xc2\x85"};
    struct pr_buffer out = {.cap = 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        assert_int_equal(imap_utf7_encode(pr_bytes_of(names[i]), &out),
                         PR_CONFIG);
        assert_int_equal(out.size, 0);
    }
    pr_buffer_done(&out);
}

static void sets_merge_neighbours_and_name_nothing_else(void **state)
{
    static const uint32_t uids[] = {1, 2, 3, 5, 7, 8, 6, 4294967294u};
    struct imap_uidset set;
    struct pr_bytes text;

    (void)state;
    imap_uidset_init(&set);
    assert_true(imap_uidset_is_empty(&set));
    for (size_t i = 0; i < sizeof(uids) / sizeof(*uids); i++)
        assert_int_equal(imap_uidset_add(&set, uids[i], uids[i]), PR_OK);
    assert_int_equal(imap_uidset_finish(&set, &text), PR_OK);
    assert_string_equal(text.data, "1:3,5,7:8,6,4294967294");
    imap_uidset_clear(&set);
    assert_int_equal(imap_uidset_add(&set, 10, 20), PR_OK);
    assert_int_equal(imap_uidset_add(&set, 21, UINT32_MAX), PR_OK);
    assert_int_equal(imap_uidset_finish(&set, &text), PR_OK);
    assert_string_equal(text.data, "10:*");
    imap_uidset_done(&set);
}

static void sets_stay_as_short_as_a_command_may_be(void **state)
{
    struct imap_uidset set;
    struct pr_bytes text;
    uint32_t uid = 4000000000u;
    pr_status status;

    (void)state;
    imap_uidset_init(&set);
    do {
        uid += 2;
        status = imap_uidset_add(&set, uid, uid);
    } while (status == PR_OK);
    assert_int_equal(status, PR_LIMIT);
    assert_int_equal(imap_uidset_finish(&set, &text), PR_OK);
    assert_in_range(text.size, IMAP_UIDSET_CAP - 100, IMAP_UIDSET_CAP);
    imap_uidset_done(&set);
}

static void sets_are_read(void **state)
{
    struct pr_bytes text = PR_BYTES("5,9:7,*,3:*");
    uint32_t first, last;

    (void)state;
    assert_true(imap_uidset_take(&text, &first, &last));
    assert_true(first == 5 && last == 5);
    assert_true(imap_uidset_take(&text, &first, &last));
    assert_true(first == 7 && last == 9);
    assert_true(imap_uidset_take(&text, &first, &last));
    assert_true(first == UINT32_MAX && last == UINT32_MAX);
    assert_true(imap_uidset_take(&text, &first, &last));
    assert_true(first == 3 && last == UINT32_MAX);
    assert_false(imap_uidset_take(&text, &first, &last));
    static const char *const wrong[] = {"0",          "x",  "1:", "1:0",
                                        "4294967296", "1x", ":1", "-1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        text = pr_bytes_of(wrong[i]);
        assert_false(imap_uidset_take(&text, &first, &last));
    }
}

static void flags_are_written_as_atoms_only(void **state)
{
    struct pr_flags flags = {PR_FLAG_SEEN | PR_FLAG_RECENT, "$A b"};
    struct pr_buffer out = {.cap = 1000};

    (void)state;
    assert_int_equal(imap_flags_format(&flags, &out), PR_OK);
    assert_string_equal(pr_buffer_text(&out), "\\Seen $A b");
    static const char *const wrong[] = {"a)",     "a (b", "\\Seen", "ü", "a  b",
                                        "a\r\nb", "a\"",  "%",      "]", " a"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        flags.keywords = wrong[i];
        assert_int_equal(imap_flags_format(&flags, &out), PR_CONFIG);
    }
    pr_buffer_done(&out);
    assert_int_equal(imap_flag(PR_BYTES("\\sEEN")), PR_FLAG_SEEN);
    assert_int_equal(imap_flag(PR_BYTES("Seen")), 0);
}

static void dates_become_seconds(void **state)
{
    (void)state;
    assert_int_equal(imap_date_parse(PR_BYTES("17-Jul-1996 02:44:25 -0700")),
                     837596665);
    assert_int_equal(imap_date_parse(PR_BYTES(" 1-jan-1970 00:00:01 +0000")),
                     1);
    assert_int_equal(imap_date_parse(PR_BYTES("1-Jan-1970 01:00:01 +0100")), 1);
    assert_int_equal(imap_date_parse(PR_BYTES("29-Feb-2024 23:59:60 +0000")),
                     1709251200);
    static const char *const wrong[] = {
        "",
        "17-Jux-1996 02:44:25 -0700",
        "xx-Jul-1996 02:44:25 -0700",
        "17-Jul-1996 24:44:25 -0700",
        "17-Jul-1996T02:44",
        " -1-Jul-1996 02:44:25 -070",
        "00-Jul-1996 02:44:25 -0700",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(imap_date_parse(pr_bytes_of(wrong[i])), 0);
}

static void seconds_become_dates(void **state)
{
    char text[IMAP_DATE_SIZE];

    (void)state;
    assert_true(imap_date_format(837596665, text));
    assert_string_equal(text, "\"17-Jul-1996 09:44:25 +0000\"");
    assert_true(imap_date_format(1735689600, text));
    assert_string_equal(text, "\" 1-Jan-2025 00:00:00 +0000\"");
    assert_true(imap_date_format(-1, text));
    assert_string_equal(text, "\"31-Dec-1969 23:59:59 +0000\"");
    assert_true(imap_date_format(253402300799, text));
    assert_string_equal(text, "\"31-Dec-9999 23:59:59 +0000\"");
    assert_false(imap_date_format(253402300800, text));
    assert_false(imap_date_format(INT64_MIN, text));
    assert_false(imap_date_format(INT64_MAX, text));
}

static void keywords_that_are_no_atoms_are_left_out(void **state)
{
    struct pr_buffer out = {.cap = 1000};
    unsigned dropped;

    (void)state;
    assert_int_equal(imap_keywords_keep("$Work a(b grün todo", &out, &dropped),
                     PR_OK);
    assert_string_equal(pr_buffer_text(&out), "$Work todo");
    assert_int_equal(dropped, 2);
    pr_buffer_clear(&out);
    assert_int_equal(imap_keywords_keep(NULL, &out, &dropped), PR_OK);
    assert_string_equal(pr_buffer_text(&out), "");
    assert_int_equal(dropped, 0);
    pr_buffer_done(&out);
}

static void strings_never_end_a_line(void **state)
{
    struct pr_buffer out = {.cap = 1000};

    (void)state;
    assert_int_equal(imap_form_of(PR_BYTES("a b"), false), IMAP_FORM_QUOTED);
    assert_int_equal(imap_form_of(PR_BYTES(""), false), IMAP_FORM_QUOTED);
    assert_int_equal(imap_form_of(PR_BYTES("\xc3\xbc"), false),
                     IMAP_FORM_LITERAL);
    assert_int_equal(imap_form_of(PR_BYTES("\xc3\xbc"), true),
                     IMAP_FORM_QUOTED);
    assert_int_equal(imap_form_of(PR_BYTES("\t"), true), IMAP_FORM_LITERAL);
    assert_int_equal(imap_form_of(PR_BYTES("a\r"), true), IMAP_FORM_NONE);
    assert_int_equal(imap_form_of(PR_BYTES("\xc3\n"), true), IMAP_FORM_NONE);
    assert_int_equal(imap_form_of(PR_BYTES("\0"), true), IMAP_FORM_NONE);
    assert_int_equal(imap_quote(PR_BYTES("a\"\\"), &out), PR_OK);
    assert_string_equal(pr_buffer_text(&out), "\"a\\\"\\\\\"");
    pr_buffer_done(&out);
}

static void patterns_match_as_in_list(void **state)
{
    (void)state;
    assert_true(imap_name_matches("*", "a/b", '/'));
    assert_false(imap_name_matches("%", "a/b", '/'));
    assert_true(imap_name_matches("%", "a/b", '.'));
    assert_true(imap_name_matches("%", "a/b", '\0'));
    assert_true(imap_name_matches("a/%", "a/b", '/'));
    assert_true(imap_name_matches("%/*c", "a/b/c", '/'));
    assert_false(imap_name_matches("%/%", "a/b/c", '/'));
    assert_true(imap_name_matches("%/%/%", "a/b/c", '/'));
    assert_true(imap_name_matches("*", "", '/'));
    assert_false(imap_name_matches("", "a", '/'));
    assert_true(imap_name_matches("a*b*c", "aXbYbZc", '/'));
    assert_false(imap_name_matches("a*b*c", "aXbYbZ", '/'));
    assert_true(imap_name_matches("inbox", "INBOX", '/'));
    assert_false(imap_name_matches("sent", "Sent", '/'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf7_goes_both_ways),
        cmocka_unit_test(utf7_is_strict),
        cmocka_unit_test(names_that_are_no_text_are_not_encoded),
        cmocka_unit_test(sets_merge_neighbours_and_name_nothing_else),
        cmocka_unit_test(sets_stay_as_short_as_a_command_may_be),
        cmocka_unit_test(sets_are_read),
        cmocka_unit_test(flags_are_written_as_atoms_only),
        cmocka_unit_test(dates_become_seconds),
        cmocka_unit_test(seconds_become_dates),
        cmocka_unit_test(keywords_that_are_no_atoms_are_left_out),
        cmocka_unit_test(strings_never_end_a_line),
        cmocka_unit_test(patterns_match_as_in_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
