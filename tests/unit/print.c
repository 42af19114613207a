/*
 * Fingerprints and delivery keys: the same for the same message, and only then.
 */
#include "config.h"

#include "mail/print.h"

#include "base/memory.h"
#include "mail_help.h"

static bool is_same(const char *a, const char *b)
{
    unsigned char first[FINGERPRINT_SIZE], second[FINGERPRINT_SIZE];
    struct pr_spool *one = spool_of(a), *other = spool_of(b);
    assert_int_equal(mail_fingerprint(one, first), PR_OK);
    assert_int_equal(mail_fingerprint(other, second), PR_OK);
    spool_free(one);
    spool_free(other);
    return memcmp(first, second, sizeof first) == 0;
}

static void fingerprint_is_of_the_header_alone(void **state)
{
    (void)state;
    assert_true(is_same("A: 1\r\nB: 2\r\n\r\nbody", "A: 1\nB: 2\n\nother"));
    assert_true(is_same("A: 1\r\n\r\n", "A: 1\r\n\r\nbody\r\n"));
    assert_false(is_same("A: 1\n\n", "A: 2\n\n"));
    assert_false(is_same("A: 1\n\n", "A: 1\nB: 2\n\n"));
    assert_false(is_same("A: 1\n\n", "\nA: 1\n"));
}

static void fingerprint_adds_the_empty_line_where_it_is_missing(void **state)
{
    (void)state;
    assert_true(is_same("A: 1\n\n", "A: 1\n"));
    assert_true(is_same("A: 1\n\n", "A: 1"));
    assert_true(is_same("", "\n"));
}

/* What servers that keep mail in mbox files write into it. */
static void fingerprint_leaves_out_what_servers_add(void **state)
{
    (void)state;
    assert_true(is_same("A: 1\nB: 2\n\nx",
                        "A: 1\nX-UIDL: abc\n def\nB: 2\nstatus: RO\n\nx"));
    assert_true(is_same("A: 1\n\n", "X-IMAPbase: 1 2\nA: 1\nX-UID: 7\n"));
    assert_true(is_same("A: 1\n\n", "A: 1\nContent-Length: 7\n\n"));
    assert_false(is_same("A: 1\n\n", "A: 1\nStatus-Of: it\n\n"));
    assert_false(is_same("A: 1\n\n", "A: 1\nX-Uidls: x\n\n"));
    assert_false(is_same("A: 1\n\n", "A: 1\n Status: folded\n\n"));
    assert_false(is_same("A: 1\n\n", "A: 1\nStatus\n\n"));
    assert_true(is_same("Status: R\n\n", "\n"));
}

static void fingerprint_stays_what_it_is(void **state)
{
    static const unsigned char wanted[FINGERPRINT_SIZE] = {
        0xd2, 0x74, 0x49, 0xa0, 0x4d, 0x8d, 0x50, 0x0c,
        0x7d, 0x50, 0x5a, 0x6d, 0xa1, 0xb9, 0xfa, 0x28};
    unsigned char print[FINGERPRINT_SIZE];
    struct pr_spool *spool = spool_of("From: a@example.org\r\n\r\nbody\r\n");
    (void)state;
    assert_int_equal(mail_fingerprint(spool, print), PR_OK);
    assert_memory_equal(print, wanted, sizeof wanted);
    spool_free(spool);
}

static void fingerprint_of_a_long_header_is_of_all_of_it(void **state)
{
    char *text = repeated("", "X: 0123456789\n", 200000);
    char *other = repeated("", "X: 0123456789\n", 200000);
    (void)state;
    other[strlen(other) - 2] = '8';
    assert_true(is_same(text, text));
    assert_false(is_same(text, other));
    free(text);
    free(other);
}

static char *key(const char *account, const char *folder, uint32_t validity,
                 uint32_t uid, const char *uidl)
{
    static char keys[2][DELIVERY_KEY_SIZE];
    static int next;
    char *to = keys[next = !next];
    assert_int_equal(
        mail_delivery_key(account, folder, validity, uid, uidl, to), PR_OK);
    assert_int_equal(strlen(to), 32);
    assert_int_equal(strspn(to, "abcdefghijklmnopqrstuvwxyz234567"), 32);
    return to;
}

static void delivery_key_names_one_identity(void **state)
{
    (void)state;
    assert_string_equal(key("a", "b", 1, 2, NULL), key("a", "b", 1, 2, NULL));
    assert_string_not_equal(key("a", "b", 1, 2, NULL),
                            key("ab", "", 1, 2, NULL));
    assert_string_not_equal(key("a", "b", 1, 2, NULL),
                            key("a", "b", 2, 1, NULL));
    assert_string_not_equal(key("a", "b", 1, 2, NULL), key("a", "b", 1, 2, ""));
    assert_string_not_equal(key("a", "b", 1, 2, "x"), key("a", "b", 1, 2, "y"));
}

static void delivery_key_stays_what_it_is(void **state)
{
    (void)state;
    assert_string_equal(key("work", "INBOX", 1, 42, NULL),
                        "pa4ugzhn2ay5mrv4dcqkjzriy73skrmj");
}

static void prints_survive_each_failed_allocation(void **state)
{
    char *text = repeated("", "X: 0123456789\n", 10000);
    struct pr_spool *spool = spool_of(text);
    unsigned long n = 0;
    bool was_met = true;
    (void)state;
    while (was_met) {
        unsigned char print[FINGERPRINT_SIZE];
        char name[DELIVERY_KEY_SIZE];
        memory_fail_at(++n);
        pr_status status = mail_fingerprint(spool, print);
        if (status == PR_OK)
            status = mail_delivery_key("a", "b", 1, 2, NULL, name);
        was_met = !memory_fail_pending();
        memory_fail_at(0);
        assert_int_equal(status, was_met ? PR_NOMEM : PR_OK);
    }
    spool_free(spool);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprint_is_of_the_header_alone),
        cmocka_unit_test(fingerprint_adds_the_empty_line_where_it_is_missing),
        cmocka_unit_test(fingerprint_leaves_out_what_servers_add),
        cmocka_unit_test(fingerprint_stays_what_it_is),
        cmocka_unit_test(fingerprint_of_a_long_header_is_of_all_of_it),
        cmocka_unit_test(delivery_key_names_one_identity),
        cmocka_unit_test(delivery_key_stays_what_it_is),
        cmocka_unit_test(prints_survive_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
