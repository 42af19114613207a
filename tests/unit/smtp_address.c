/*
 * Addresses as an envelope carries them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/smtp/address.h"

static enum smtp_address_kind kind(const char *address)
{
    return smtp_address_kind(pr_bytes_of(address), false);
}

static void mailboxes_are_taken(void **state)
{
    static const char *const good[] = {
        "alice@example.org",    "a.b+c@example.org",
        "o'neil@example.org",   "\"a b\"@example.org",
        "\"a@b\"@example.org",  "\"a\\\"b\"@example.org",
        "x@[127.0.0.1]",        "x@[IPv6:::1]",
        "x@localhost",          "!#$%&'*+/=?^_`{|}~@example.org",
        "x@_dmarc.example.org", "x@xn--bcher-kva.example"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_int_equal(kind(good[i]), SMTP_ADDRESS_ASCII);
}

static void what_could_harm_is_no_mailbox(void **state)
{
    static const char *const bad[] = {
        "",
        "@",
        "alice",
        "@example.org",
        "alice@",
        "a b@example.org",
        "a@exa mple.org",
        "a@example.org\r\nRCPT TO:<b@example.org>",
        "a\n@example.org",
        "\"a\r\nb\"@example.org",
        "\"a\\\rb\"@example.org",
        "a@example.org> NOTIFY=NEVER",
        "<a@example.org>",
        ".a@example.org",
        "a.@example.org",
        "a..b@example.org",
        "a@.example.org",
        "a@example..org",
        "a@example.org.",
        "a@-example.org",
        "a@example-.org",
        "a@example.org-",
        "-oQ/tmp@example.org",
        "\"a@example.org",
        "a\"b@example.org",
        "\"a\\\"@example.org",
        "\"a\"b@example.org",
        "a@[]",
        "a@[127.0.0.1",
        "a@[x>y]",
        "a@b@example.org",
        "a,b@example.org",
        "a;b@example.org",
        "a\x7f@example.org",
        "a\t@example.org"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(kind(bad[i]), SMTP_ADDRESS_NONE);
    assert_int_equal(
        smtp_address_kind((struct pr_bytes){"a\0b@example.org", 15}, false),
        SMTP_ADDRESS_NONE);
}

static void addresses_have_an_end(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + 64, "@example.org", 13);
    assert_int_equal(kind(text), SMTP_ADDRESS_ASCII);
    memset(text, 'a', sizeof(text));
    memcpy(text + 65, "@example.org", 13);
    assert_int_equal(kind(text), SMTP_ADDRESS_NONE);
    memset(text, 'a', sizeof(text));
    text[1] = '@';
    for (size_t i = 10; i < 300; i += 10)
        text[i] = '.';
    text[254] = '\0';
    assert_int_equal(kind(text), SMTP_ADDRESS_ASCII);
    text[254] = 'a';
    text[255] = '\0';
    assert_int_equal(kind(text), SMTP_ADDRESS_NONE);
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void)state;
    assert_int_equal(kind("käthe@example.org"), SMTP_ADDRESS_UTF8);
    assert_int_equal(kind("x@bücher.example"), SMTP_ADDRESS_UTF8);
    assert_int_equal(kind("\"ä b\"@example.org"), SMTP_ADDRESS_UTF8);
    assert_int_equal(kind("k\xe4the@example.org"), SMTP_ADDRESS_NONE);
    assert_int_equal(kind("\xc0\xafx@example.org"), SMTP_ADDRESS_NONE);
    assert_int_equal(kind("\xed\xa0\x80x@example.org"), SMTP_ADDRESS_NONE);
    assert_int_equal(kind("\xf4\x90\x80\x80@example.org"), SMTP_ADDRESS_NONE);
    assert_int_equal(kind("a\xc2\x9b@example.org"), SMTP_ADDRESS_NONE);
    assert_int_equal(kind("a@example.\xc3"), SMTP_ADDRESS_NONE);
}

static void a_local_part_alone_is_one_where_allowed(void **state)
{
    (void)state;
    assert_int_equal(smtp_address_kind(PR_BYTES("alice"), true),
                     SMTP_ADDRESS_ASCII);
    assert_int_equal(smtp_address_kind(PR_BYTES("\"a@b\""), true),
                     SMTP_ADDRESS_ASCII);
    assert_int_equal(smtp_address_kind(PR_BYTES("alice@"), true),
                     SMTP_ADDRESS_NONE);
    assert_int_equal(smtp_address_kind(PR_BYTES("a b"), true),
                     SMTP_ADDRESS_NONE);
}

static void only_domains_compare_without_case(void **state)
{
    (void)state;
    assert_true(smtp_address_equal(PR_BYTES("a@Example.org"),
                                   PR_BYTES("a@example.ORG")));
    assert_false(smtp_address_equal(PR_BYTES("A@example.org"),
                                    PR_BYTES("a@example.org")));
    assert_false(smtp_address_equal(PR_BYTES("a@example.org"), PR_BYTES("a")));
}

static void expect_list(const char *list, const char *const *wanted)
{
    struct pr_bytes rest = pr_bytes_of(list), address;

    for (; *wanted != NULL; wanted++) {
        assert_true(smtp_address_next(&rest, &address));
        assert_true(pr_bytes_equal(address, pr_bytes_of(*wanted)));
    }
    assert_false(smtp_address_next(&rest, &address));
}

static void lists_are_taken_apart(void **state)
{
    (void)state;
    expect_list("", (const char *const[]){NULL});
    expect_list("a@b", (const char *const[]){"a@b", NULL});
    expect_list(" <a@b> ,\n c@d,", (const char *const[]){"a@b", "c@d", NULL});
    expect_list("\"a,b\\\",\"@c, d@e",
                (const char *const[]){"\"a,b\\\",\"@c", "d@e", NULL});
    expect_list("\"a, b", (const char *const[]){"\"a, b", NULL});
    expect_list(",,", (const char *const[]){"", "", NULL});
}

static void names_to_greet_with(void **state)
{
    (void)state;
    assert_true(smtp_name_is_valid("mail.example.org"));
    assert_true(smtp_name_is_valid("[192.0.2.1]"));
    assert_false(smtp_name_is_valid(""));
    assert_false(smtp_name_is_valid("mail.example.org\r\nQUIT"));
    assert_false(smtp_name_is_valid("two words"));
    assert_false(smtp_name_is_valid("bücher.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailboxes_are_taken),
        cmocka_unit_test(what_could_harm_is_no_mailbox),
        cmocka_unit_test(addresses_have_an_end),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(a_local_part_alone_is_one_where_allowed),
        cmocka_unit_test(only_domains_compare_without_case),
        cmocka_unit_test(lists_are_taken_apart),
        cmocka_unit_test(names_to_greet_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
