/*
 * Escaping, UTF-8, globs, near names and numbers with units.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

static const char *printable(struct pr_bytes bytes)
{
    static char out[64];

    return text_printable(bytes, out, sizeof out);
}

static void printable_text_escapes_what_could_harm(void **state)
{
    (void)state;
    assert_string_equal(printable(PR_BYTES("plain \xc3\xa4 \xf0\x9f\x93\xac")),
                        "plain \xc3\xa4 \xf0\x9f\x93\xac");
    assert_string_equal(printable(PR_BYTES("a\r\n\0\x1b[2J\x7f")),
                        "a\\x0D\\x0A\\x00\\x1B[2J\\x7F");
    assert_string_equal(printable(PR_BYTES("\xff\xc3(\xe2\x82")),
                        "\\xFF\\xC3(\\xE2\\x82");
    /* A C1 control, a line separator, an override of the reading order. */
    assert_string_equal(printable(PR_BYTES("\xc2\x9b")), "\\xC2\\x9B");
    assert_string_equal(printable(PR_BYTES("\xe2\x80\xa8\xe2\x80\xae")),
                        "\\xE2\\x80\\xA8\\xE2\\x80\\xAE");
    assert_string_equal(printable((struct pr_bytes){NULL, 0}), "");
}

static void printable_text_is_cut_between_pieces(void **state)
{
    const char text[] = "ab\xc3\xa4\x01z\xf0\x9f\x93\xac.";
    const char whole[] = "ab\xc3\xa4\\x01z\xf0\x9f\x93\xac.";
    char out[32];

    (void)state;
    for (size_t size = 1; size < sizeof out; size++) {
        memset(out, '#', sizeof out);
        assert_ptr_equal(text_printable(pr_bytes_of(text), out, size), out);
        assert_true(strlen(out) < size);
        assert_true(text_is_utf8(pr_bytes_of(out)));
        if (size >= sizeof whole)
            assert_string_equal(out, whole);
        else if (size >= 4)
            assert_string_equal(out + strlen(out) - 3, "...");
        if (size < sizeof whole && size >= 4)
            assert_memory_equal(out, whole, strlen(out) - 3);
    }
    assert_string_equal(text_printable(PR_BYTES("abcdef"), out, 6), "ab...");
    assert_string_equal(text_printable(PR_BYTES("abcde"), out, 6), "abcde");
    assert_string_equal(text_printable(PR_BYTES("a\x01"), out, 5), "a...");
}

static void near_names_are_slips_of_the_pen(void **state)
{
    static const char *const names[] = {"password", "port", "user",
                                        "folders",  "tls",  NULL};

    (void)state;
    assert_string_equal(text_nearest("pasword", names), "password");
    assert_string_equal(text_nearest("passwrod", names), "password");
    assert_string_equal(text_nearest("Folder", names), "folders");
    assert_string_equal(text_nearest("prot", names), "port");
    assert_string_equal(text_nearest("user", names), "user");
    assert_string_equal(text_nearest("tsl", names), "tls");
    assert_null(text_nearest("tcp", names));
    assert_null(text_nearest("host", (const char *const[]){"user", NULL}));
    assert_null(text_nearest("", names));
    assert_null(text_nearest("a name far longer than any that this function "
                             "is ever going to be asked for",
                             names));
}

static void sizes_are_powers_of_1024(void **state)
{
    static const char *const wrong[] = {
        "",
        "K",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1KB",
        "1.5M",
        "0x10",
        "1KK",
        "1s",
        "18446744073709551616",
        "18014398509481984K",
        "99999999999999999999999999",
    };
    uint64_t size = 0;

    (void)state;
    assert_int_equal(text_to_size("0", &size), PR_OK);
    assert_int_equal(size, 0);
    assert_int_equal(text_to_size("4096", &size), PR_OK);
    assert_int_equal(size, 4096);
    assert_int_equal(text_to_size("50K", &size), PR_OK);
    assert_int_equal(size, 50 * 1024);
    assert_int_equal(text_to_size("50M", &size), PR_OK);
    assert_int_equal(size, 50 * 1024 * 1024);
    assert_int_equal(text_to_size("2G", &size), PR_OK);
    assert_true(size == (uint64_t)2 << 30);
    assert_int_equal(text_to_size("18446744073709551615", &size), PR_OK);
    assert_true(size == UINT64_MAX);
    assert_int_equal(text_to_size("16777215T", &size), PR_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size = 7;
        assert_int_equal(text_to_size(wrong[i], &size), PR_CONFIG);
        assert_int_equal(size, 7);
    }
}

static void durations_are_milliseconds(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } right[] = {
        {"90", 90000},     {"500ms", 500},  {"30s", 30000},
        {"10m", 600000},   {"2h", 7200000}, {"30d", 2592000000u},
        {"1w", 604800000}, {"0", 0},        {"0ms", 0},
    };

    static const char *const wrong[] = {"",
                                        "s",
                                        "10 m",
                                        "1.5h",
                                        "10min",
                                        "-1s",
                                        "1y",
                                        "1M",
                                        "1H",
                                        "18446744073709551615",
                                        "30500568905w"};
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_int_equal(text_to_duration(right[i].text, &ms), PR_OK);
        assert_true(ms == right[i].ms);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(text_to_duration(wrong[i], &ms), PR_CONFIG);
    assert_int_equal(text_to_duration("10min", &ms), PR_CONFIG);
    assert_string_equal(
        pr_last_failure()->text,
        "\"10min\" is not a time such as 500ms, 30s, 10m, 2h or 30d");
}

static void octets_are_told_in_powers_of_1000(void **state)
{
    static const struct {
        uint64_t octets;
        const char *text;
    } right[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {1049, "1.0 kB"},
        {1050, "1.1 kB"},
        {999949, "999.9 kB"},
        {999950, "1.0 MB"},
        {17400000, "17.4 MB"},
        {1500000000, "1.5 GB"},
        {UINT64_MAX, "18.4 EB"},
    };

    char out[16];

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_string_equal(text_octets(right[i].octets, out, sizeof out),
                            right[i].text);
}

static const char *json(struct pr_bytes bytes)
{
    static struct pr_buffer buffer = {.cap = 200};
    static char out[201];

    assert_int_equal(text_add_json(&buffer, bytes), PR_OK);
    snprintf(out, sizeof(out), "%s", pr_buffer_text(&buffer));
    pr_buffer_done(&buffer);
    return out;
}

static void json_strings_are_valid_whatever_comes(void **state)
{
    (void)state;
    assert_string_equal(json(PR_BYTES("")), "\"\"");
    assert_string_equal(json(PR_BYTES("a\"b\\c/d")), "\"a\\\"b\\\\c/d\"");
    assert_string_equal(json(PR_BYTES("a\n\r\t\0z\x7f")),
                        "\"a\\n\\u000d\\u0009\\u0000z\\u007f\"");
    assert_string_equal(json(PR_BYTES("\xc3\xa4\xf0\x9f\x93\xac")),
                        "\"\xc3\xa4\xf0\x9f\x93\xac\"");
    assert_string_equal(json(PR_BYTES("x\xff\xc3")),
                        "\"x\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string_equal(json(PR_BYTES("\xe2\x80\xa8")), "\"\\u2028\"");
}

static void json_that_does_not_fit_leaves_the_buffer(void **state)
{
    struct pr_buffer buffer = {.cap = 10};

    (void)state;
    assert_int_equal(text_add_json(&buffer, PR_BYTES("0123456789")), PR_LIMIT);
    assert_string_equal(pr_buffer_text(&buffer), "");
    assert_int_equal(pr_buffer_add_text(&buffer, "a:"), PR_OK);
    assert_int_equal(text_add_json(&buffer, PR_BYTES("0123456")), PR_LIMIT);
    assert_string_equal(pr_buffer_text(&buffer), "a:");
    assert_int_equal(text_add_json(&buffer, PR_BYTES("012345")), PR_OK);
    assert_string_equal(pr_buffer_text(&buffer), "a:\"012345\"");
    pr_buffer_done(&buffer);
}

static void globs_match_whole_texts(void **state)
{
    (void)state;
    assert_true(text_matches("", ""));
    assert_false(text_matches("", "a"));
    assert_true(text_matches("*", ""));
    assert_true(text_matches("**", "abc"));
    assert_true(text_matches("a*c", "abcbc"));
    assert_false(text_matches("a*c", "abcb"));
    assert_true(text_matches("*.spam", "INBOX.spam"));
    assert_false(text_matches("*.spam", "INBOX.Spam"));
    assert_true(text_matches("?b?", "abc"));
    assert_false(text_matches("?", ""));
    assert_true(text_matches("M?ll", "M\xc3\xbcll"));
    assert_true(text_matches("*\xbcll", "M\xc3\xbcll") == false);
    assert_true(text_matches("*a*b*c", "xxaxxbxxc"));
    assert_false(text_matches("*?", ""));
}

static void hard_globs_take_no_long_time(void **state)
{
    char text[2001];

    (void)state;
    memset(text, 'a', 2000);
    text[2000] = '\0';
    assert_false(text_matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static void only_well_formed_utf8_is_utf8(void **state)
{
    static const char *const right[] = {"",
                                        "ascii",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {"\x80",
                                        "\xbf",
                                        "\xc0\x80",
                                        "\xc1\xbf",
                                        "\xc2",
                                        "\xe0\x9f\xbf",
                                        "\xe2\x82",
                                        "\xed\xa0\x80",
                                        "\xed\xbf\xbf",
                                        "\xf0\x8f\xbf\xbf",
                                        "\xf0\x9f\x93",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xfe",
                                        "\xff"};

    (void)state;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(text_is_utf8(pr_bytes_of(right[i])));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(text_is_utf8(pr_bytes_of(wrong[i])));
    assert_true(text_is_utf8(PR_BYTES("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_text_escapes_what_could_harm),
        cmocka_unit_test(printable_text_is_cut_between_pieces),
        cmocka_unit_test(near_names_are_slips_of_the_pen),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(durations_are_milliseconds),
        cmocka_unit_test(octets_are_told_in_powers_of_1000),
        cmocka_unit_test(json_strings_are_valid_whatever_comes),
        cmocka_unit_test(json_that_does_not_fit_leaves_the_buffer),
        cmocka_unit_test(globs_match_whole_texts),
        cmocka_unit_test(hard_globs_take_no_long_time),
        cmocka_unit_test(only_well_formed_utf8_is_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
