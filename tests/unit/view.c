/*
 * What rules see of a header: fields, addresses, Message-ID, date.
 */
#include "config.h"

#include "base/memory.h"
#include "mail_help.h"

/* Of the first field `name`; NULL if there is none. */
static const char *value_of(const struct looked_at *mail, const char *name)
{
    struct view_field field;
    size_t index = 0;
    if (!view_find_field(mail->view, name, &index, &field))
        return NULL;
    return field.value;
}

static void assert_value(const char *odd, const char *name, const char *value)
{
    struct looked_at mail = look_at(spool_of_odd(odd));
    const char *got = value_of(&mail, name);
    assert_non_null(got);
    assert_string_equal(got, value);
    look_away(&mail);
}

static void assert_decoded(const char *field, const char *value)
{
    char text[4096];
    snprintf(text, sizeof text, "X: %s\n\n", field);
    struct looked_at mail = look_at(spool_of(text));
    assert_string_equal(value_of(&mail, "x"), value);
    look_away(&mail);
}

static void view_shows_fields_in_order_and_by_name(void **state)
{
    struct looked_at mail = look_at(
        spool_of("Received: one\r\nSubject: hi\r\nRECEIVED: two\r\n three\r\n"
                 "\r\nReceived: not this\r\n"));
    struct view_field field;
    size_t index = 0;
    (void)state;

    assert_int_equal(view_field_count(mail.view), 3);
    assert_string_equal(view_field(mail.view, 1).value, "hi");
    assert_true(view_find_field(mail.view, "received", &index, &field));
    assert_string_equal(field.value, "one");
    assert_true(view_find_field(mail.view, "received", &index, &field));
    assert_string_equal(field.value, "two three");
    assert_true(pr_bytes_equal(field.name, PR_BYTES("RECEIVED")));
    assert_true(pr_bytes_equal(field.raw, PR_BYTES(" two\n three")));
    assert_false(view_find_field(mail.view, "received", &index, &field));
    look_away(&mail);
}

static void view_reads_strange_field_names(void **state)
{
    (void)state;
    assert_value("field-names-odd", "From", "a@example.org");
    assert_value("field-names-odd", "X-Empty", "");
    assert_value("field-names-odd", "X-Folded", "one\ttwo");
    assert_value("field-names-odd", "Subject", "last");
    assert_value("mbox-from-line", "Subject", "with an envelope line");
    assert_value("header-cut", "Subject", "cut in the mid");
    assert_value("bare-cr", "Subject", "a b");
    struct looked_at mail = look_at(spool_of_odd("field-names-odd"));
    assert_int_equal(view_field_count(mail.view), 4);
    look_away(&mail);
}

static void view_decodes_encoded_words(void **state)
{
    (void)state;
    assert_decoded("=?utf-8?q?gr=C3=BCn?=", "gr\u00fcn");
    assert_decoded("=?UTF-8?B?4pyT?=\n =?utf-8?B?4pyT?= x", "\u2713\u2713 x");
    assert_decoded("=?iso-8859-1?q?caf=e9?= ol\xc3\xa9", "caf\u00e9 ol\u00e9");
    assert_decoded("=?windows-1251?B?yOLg7Q==?=", "\u0418\u0432\u0430\u043d");
    assert_decoded("=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "\u30c6\u30b9\u30c8");
    assert_decoded("=?utf-8?B?4pw=?= =?UTF-8?q?=93?= =?utf-8?b?4pyT?=",
                   "\u2713\u2713");
    assert_decoded("=?utf-8?B?w6Q=?=\n =?utf-8?B?w7Y=?=", "\u00e4\u00f6");
    assert_decoded("=?utf-8*de?q?a_b=?=c =?iso-8859-1?q?=e4?=", "a b=c \u00e4");
    assert_decoded("=?no-such?q?caf=e9?= =?utf-8?x?a?= =?&?a?=",
                   "caf\ufffd =?utf-8?x?a?= =?&?a?=");
    assert_decoded("=?utf-8?q?a?==?utf-8?q?b?= =?utf-8?q?"
                   "?=",
                   "ab");
    assert_decoded("=?utf-8?q?=00=ff?=", "\ufffd\ufffd");
    assert_decoded("=?utf-8?q?x =?utf-8?q?y?= =?utf-8?q?z=?=",
                   "=?utf-8?q?x yz=");
    assert_decoded("=?utf-8?Q?never ended", "=?utf-8?Q?never ended");
    assert_decoded("a = b ?", "a = b ?");
}

/* The one before may have left off within a shift. */
static void a_charset_is_read_from_its_start_each_time(void **state)
{
    static const char *const charsets[] = {
        "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-15",  "koi8-r",
        "koi8-u",     "euc-jp",     "gb18030",    "windows-1251", "cp949"};
    char header[100];
    (void)state;

    for (int round = 0; round < 2; round++) {
        assert_decoded("=?iso-2022-jp?B?GyRCJUY=?=", "\u30c6");
        assert_decoded("=?iso-2022-jp?q?plain?=", "plain");
        assert_decoded("=?koi8-r?B?6dfBzg==?= =?windows-1251?B?yOLg7Q==?=",
                       "\u0418\u0432\u0430\u043d\u0418\u0432\u0430\u043d");
        for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
            snprintf(header, sizeof header, "=?%s?q?a_b?=", charsets[i]);
            assert_decoded(header, "a b");
        }
    }
}

static void view_reads_headers_that_are_not_ascii(void **state)
{
    (void)state;
    assert_value("8bit-header", "Subject", "Gr\u00fc\u00dfe");
    assert_value("8bit-header", "From", "J\u00fcrgen <j@example.org>");
    assert_value("utf8-header", "Subject", "Gr\u00fc\u00dfe \u65e5\u672c");
    assert_value("nul-octets", "Subject", "n\ufffdu\ufffdl");
}

static void fields_may_end_in_their_only_foreign_octet(void **state)
{
    (void)state;
    assert_decoded("Caf\xe9", "Caf\u00e9");
    assert_decoded("\xe9", "\u00e9");
    assert_decoded("=?utf-8?q?un?= caf\xe9", "un caf\u00e9");
    assert_decoded("Caf\xc3\xa9", "Caf\u00e9");
    assert_decoded("x \xe2\x9c\x93", "x \u2713");
    assert_decoded("x \xf0\x9f\x93\xa8", "x \U0001f4e8");
    /* Cut within a character: what went before tells what it was. */
    assert_decoded("ol\xc3\xa9 \xc3", "ol\u00e9 \ufffd");
    assert_decoded("x\xe2\x9c", "x\u00e2\u0153");
}

static void view_of_little_or_nothing_is_empty(void **state)
{
    static const char *const names[] = {"empty", "one-line-end"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t count = 9;
        int64_t date;
        struct looked_at mail = look_at(spool_of_odd(names[i]));
        assert_int_equal(view_field_count(mail.view), 0);
        assert_string_equal(view_message_id(mail.view), "");
        assert_false(view_date(mail.view, &date));
        view_addresses(mail.view, "From", &count);
        assert_int_equal(count, 0);
        look_away(&mail);
    }
    view_free(NULL);
}

static void assert_id(const char *field, const char *id)
{
    char text[500];
    snprintf(text, sizeof text, "Message-Id:%s\n\n", field);
    struct looked_at mail = look_at(spool_of(text));
    assert_string_equal(view_message_id(mail.view), id);
    assert_string_equal(view_message_id(mail.view), id);
    look_away(&mail);
}

static void view_reads_odd_message_ids(void **state)
{
    (void)state;
    assert_id(" <a@example.org>", "a@example.org");
    assert_id("<a@example.org> (comment)", "a@example.org");
    assert_id("\n <a@\n example.org>", "a@example.org");
    assert_id(" a@example.org", "a@example.org");
    assert_id(" <no end@example.org", "noend@example.org");
    assert_id(" <>", "");
    assert_id("", "");
}

static void assert_date(const char *field, bool is_date, int64_t seconds_since)
{
    char text[500];
    int64_t got = -1;
    snprintf(text, sizeof text, "Date: %s\n\n", field);
    struct looked_at mail = look_at(spool_of(text));
    assert_int_equal(view_date(mail.view, &got), is_date);
    if (is_date)
        assert_int_equal(got, seconds_since);
    look_away(&mail);
}

static void view_reads_dates(void **state)
{
    (void)state;
    assert_date("Thu, 1 Jan 1970 00:01:00 +0000 (UTC)", true, 60);
    assert_date("1 Jan 1970 01:00:00 +0100", true, 0);
    assert_date("Fri, 21 Nov 1997 09:55:06 -0600", true, 880127706);
    assert_date("Wed, 31 Dec 1969 23:59:59 GMT", true, -1);
    assert_date("yesterday or so", false, 0);
    assert_date("", false, 0);
    assert_date("99 Foo 99999999999999999999 99:99:99 +9999", false, 0);
}

static void assert_address(const struct looked_at *mail, const char *field,
                           size_t index, const char *name, const char *local,
                           const char *domain)
{
    size_t count = 0;
    const struct view_address *all = view_addresses(mail->view, field, &count);
    assert_true(index < count);
    assert_string_equal(all[index].name, name);
    assert_string_equal(all[index].local_part, local);
    assert_string_equal(all[index].domain, domain);
}

static void view_opens_address_groups(void **state)
{
    size_t count = 0;
    struct looked_at mail = look_at(spool_of_odd("addresses"));
    (void)state;
    assert_address(&mail, "from", 0, "Doe, Jane", "Jane.Doe", "example.org");
    assert_address(&mail, "To", 0, "", "a", "example.org");
    assert_address(&mail, "To", 1, "B", "b", "example.org");
    assert_address(&mail, "To", 2, "Carl", "c", "example.org");
    view_addresses(mail.view, "To", &count);
    assert_int_equal(count, 3);
    assert_address(&mail, "Cc", 0, "", "root", "");
    assert_address(&mail, "Cc", 1, "", "d", "example.org");
    assert_address(&mail, "Reply-To", 0, "J\u00fcrgen", "j", "example.org");
    view_addresses(mail.view, "Sender", &count);
    assert_int_equal(count, 0);
    look_away(&mail);
}

static void view_reads_addresses_of_all_fields_of_a_name(void **state)
{
    struct looked_at mail =
        look_at(spool_of("To: a@example.org\ncc: x@y\nTO: b@EXAMPLE.org\n\n"));
    (void)state;
    assert_address(&mail, "to", 0, "", "a", "example.org");
    assert_address(&mail, "to", 1, "", "b", "example.org");
    look_away(&mail);
}

static void view_reads_names_in_several_words(void **state)
{
    struct looked_at mail = look_at(
        spool_of("To: =?utf-8?B?w6Q=?= =?utf-8?B?w7Y=?= <a@example.org>,\n"
                 " \"=?utf-8?q?=C3=A4?= =?utf-8?q?=C3=B6?=\" <b@c>,\n"
                 " =?utf-8?q?x?= =?iso-8859-1?q?=e4?= y <d@e>\n\n"));
    (void)state;
    assert_address(&mail, "To", 0, "\u00e4\u00f6", "a", "example.org");
    assert_address(&mail, "To", 1, "\u00e4\u00f6", "b", "c");
    assert_address(&mail, "To", 2, "x\u00e4 y", "d", "e");
    look_away(&mail);
}

static void view_reads_addresses_that_are_not_ascii(void **state)
{
    struct looked_at mail = look_at(spool_of_odd("8bit-header"));
    (void)state;
    assert_address(&mail, "From", 0, "J\u00fcrgen", "j", "example.org");
    assert_address(&mail, "To", 0, "Andr\u00e9", "andre", "example.org");
    look_away(&mail);
    mail = look_at(spool_of_odd("utf8-header"));
    assert_address(&mail, "From", 0, "J\u00fcrgen", "j", "ex\u00e4mple.org");
    look_away(&mail);
}

/* Looks at everything a header offers; all of it must be UTF-8. */
static void look_at_all(struct looked_at *mail)
{
    static const char *const names[] = {"From", "To", "Cc", "X"};
    int64_t date;
    for (size_t i = 0; i < view_field_count(mail->view); i++)
        assert_utf8(view_field(mail->view, i).value);
    assert_utf8(view_message_id(mail->view));
    view_date(mail->view, &date);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t count = 0;
        const struct view_address *all =
            view_addresses(mail->view, names[i], &count);
        assert_true(count <= VIEW_ADDRESSES_MAX);
        for (size_t j = 0; j < count; j++) {
            assert_utf8(all[j].name);
            assert_utf8(all[j].address);
            assert_utf8(all[j].local_part);
            assert_utf8(all[j].domain);
        }
    }
}

static void view_of_a_hostile_header_takes_bounded_time(void **state)
{
    static const char *const units[] = {
        "a@b.c, ",
        "a:",
        "a:a:a:;,",
        "(",
        "(a)",
        "<",
        "\"",
        "\\",
        "[",
        "@a,",
        "a ",
        ",",
        ";",
        "\"a\" <",
        "a@[1",
        "=?utf-8?q?a?= ",
        "=?",
        "=?utf-8?b?4pyT?= =?iso-8859-1?q?=e4?= ",
        "\xe4\xf6 x ",
        "\n ",
        "\xff",
        "=?utf-8?q?",
        "x\nTo: y@z, ",
        "\nTo:",
        "<a@b>,\r",
        "=?x?b?\xff?= ",
        "=?a?q?x ",
        "=?a?q?",
        "=?a?q?=?= "};
    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        char *text = repeated("To: ", units[i], 2000000);
        double start = seconds();
        struct looked_at mail = look_at(spool_of(text));
        look_at_all(&mail);
        look_away(&mail);
        if (seconds() - start > 20)
            fail_msg("%s took %.1f s", units[i], seconds() - start);
        free(text);
    }
}

static void view_leaves_out_what_is_beyond_its_caps(void **state)
{
    size_t count = 0;
    char *text = repeated("", "X: a@b.c\n", 9 * 20000);
    struct looked_at mail = look_at(spool_of(text));
    (void)state;
    assert_int_equal(view_field_count(mail.view), VIEW_FIELDS_MAX);
    view_addresses(mail.view, "X", &count);
    assert_int_equal(count, VIEW_ADDRESSES_MAX);
    look_away(&mail);
    free(text);
}

static void view_survives_each_failed_allocation(void **state)
{
    unsigned long n = 0;
    bool was_met = true;
    (void)state;
    struct pr_spool *spool = spool_of_odd("addresses");
    while (was_met) {
        struct view *view = NULL;
        size_t count;
        memory_fail_at(++n);
        pr_status status = view_new(spool, &view);
        if (status == PR_OK) {
            view_addresses(view, "To", &count);
            view_addresses(view, "Cc", &count);
            view_message_id(view);
        }
        was_met = !memory_fail_pending();
        memory_fail_at(0);
        assert_true(status == PR_OK || status == PR_NOMEM);
        view_free(view);
    }
    assert_true(n > 10);
    spool_free(spool);
}

static int shut_down(void **state)
{
    (void)state;
    view_shutdown();
    view_shutdown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_shows_fields_in_order_and_by_name),
        cmocka_unit_test(view_reads_strange_field_names),
        cmocka_unit_test(view_decodes_encoded_words),
        cmocka_unit_test(a_charset_is_read_from_its_start_each_time),
        cmocka_unit_test(view_reads_headers_that_are_not_ascii),
        cmocka_unit_test(fields_may_end_in_their_only_foreign_octet),
        cmocka_unit_test(view_of_little_or_nothing_is_empty),
        cmocka_unit_test(view_reads_odd_message_ids),
        cmocka_unit_test(view_reads_dates),
        cmocka_unit_test(view_opens_address_groups),
        cmocka_unit_test(view_reads_addresses_of_all_fields_of_a_name),
        cmocka_unit_test(view_reads_names_in_several_words),
        cmocka_unit_test(view_reads_addresses_that_are_not_ascii),
        cmocka_unit_test(view_of_a_hostile_header_takes_bounded_time),
        cmocka_unit_test(view_leaves_out_what_is_beyond_its_caps),
        cmocka_unit_test(view_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
