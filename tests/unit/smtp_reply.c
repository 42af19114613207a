/*
 * Replies of SMTP servers, and what they say they can do.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/smtp/capability.h"
#include "../../plugins/smtp/reply.h"

/* Adds lines up to the first that fails, or that makes the reply whole. */
static pr_status add(struct smtp_reply *reply, const char *const *lines)
{
    struct pr_bytes text;
    pr_status status = PR_OK;

    smtp_reply_clear(reply);
    for (; *lines != NULL && status == PR_OK; lines++) {
        assert_false(reply->is_whole);
        status = smtp_reply_add(reply, pr_bytes_of(*lines), &text);
    }
    return status;
}

#define ADD(reply, ...) add(reply, (const char *const[]){__VA_ARGS__, NULL})

static void a_reply_of_one_line_is_whole(void **state)
{
    struct smtp_reply reply;

    (void)state;
    assert_int_equal(ADD(&reply, "250 2.1.0 fine"), PR_OK);
    assert_true(reply.is_whole);
    assert_int_equal(reply.code, 250);
    assert_string_equal(reply.text, "2.1.0 fine");
    assert_int_equal(reply.enhanced[0], 2);
    assert_int_equal(reply.enhanced[1], 1);
    assert_int_equal(reply.enhanced[2], 0);
}

static void a_code_alone_is_a_reply(void **state)
{
    struct smtp_reply reply;

    (void)state;
    assert_int_equal(ADD(&reply, "354"), PR_OK);
    assert_true(reply.is_whole);
    assert_string_equal(reply.text, "");
}

static void lines_are_joined(void **state)
{
    struct smtp_reply reply;

    (void)state;
    assert_int_equal(ADD(&reply, "550-5.7.1 one", "550-two", "550 three"),
                     PR_OK);
    assert_true(reply.is_whole);
    assert_string_equal(reply.text, "5.7.1 one two three");
    assert_int_equal(reply.enhanced[2], 1);
}

static void a_code_does_not_change_in_a_reply(void **state)
{
    struct smtp_reply reply;

    (void)state;
    assert_int_equal(ADD(&reply, "250-one", "550 two"), PR_PROTOCOL);
}

static void what_is_no_reply_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "2",
                                      "25",
                                      "25 ok",
                                      "abc",
                                      "650 x",
                                      "150 x",
                                      "050 x",
                                      "250+ok",
                                      "2500 ok",
                                      "HTTP/1.1 200 OK",
                                      " 250 ok",
                                      "250_ok",
                                      "-250 ok",
                                      "250\tok"};
    struct smtp_reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(ADD(&reply, bad[i]), PR_PROTOCOL);
}

static void a_reply_has_an_end(void **state)
{
    struct smtp_reply reply;
    struct pr_bytes text;

    (void)state;
    smtp_reply_clear(&reply);
    for (unsigned i = 0; i < SMTP_REPLY_LINES; i++)
        assert_int_equal(smtp_reply_add(&reply, PR_BYTES("250-x"), &text),
                         PR_OK);
    assert_int_equal(smtp_reply_add(&reply, PR_BYTES("250 x"), &text),
                     PR_PROTOCOL);
    assert_true(strlen(reply.text) < sizeof(reply.text));
}

static void control_characters_are_not_kept(void **state)
{
    static const char line[] = "550 a\0b\x1b[2Jc\r";
    struct smtp_reply reply;
    struct pr_bytes text;

    (void)state;
    smtp_reply_clear(&reply);
    assert_int_equal(smtp_reply_add(&reply,
                                    (struct pr_bytes){line, sizeof(line) - 1},
                                    &text),
                     PR_OK);
    assert_string_equal(reply.text, "a?b?[2Jc?");
}

static void enhanced_codes_are_strict(void **state)
{
    static const char *const none[] = {
        "550 5.1 x",      "550 5.1.1.1 x", "550 4.1.1 x", "550 5.1.1x",
        "550 5.1.1234 x", "550 .1.1 x",    "550 text"};
    struct smtp_reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
        assert_int_equal(ADD(&reply, none[i]), PR_OK);
        assert_int_equal(reply.enhanced[0], 0);
    }
    assert_int_equal(ADD(&reply, "550 5.100.999"), PR_OK);
    assert_int_equal(reply.enhanced[2], 999);
}

static bool too_many(const char *line)
{
    struct smtp_reply reply;

    assert_int_equal(ADD(&reply, line), PR_OK);
    return smtp_reply_is_too_many(&reply);
}

static void too_many_recipients_are_told_from_a_full_mailbox(void **state)
{
    (void)state;
    assert_true(too_many("452 4.5.3 Error: too many recipients"));
    assert_true(too_many("451 4.5.3 Too many recipients"));
    assert_true(too_many("452 Too Many recipients"));
    assert_true(too_many("552 too many recipients"));
    assert_false(too_many("452 4.2.2 mailbox full"));
    assert_false(too_many("452 insufficient system storage"));
    assert_false(too_many("450 4.5.3 too many"));
    assert_false(too_many("452 4.2.2 too many messages in it"));
}

static unsigned set_of(const char *line)
{
    struct smtp_capabilities all = {0};

    smtp_capability_add(&all, pr_bytes_of(line));
    return all.set;
}

static void capabilities_are_read_without_case(void **state)
{
    (void)state;
    assert_int_equal(set_of("pipelining"), SMTP_CAN_PIPELINING);
    assert_int_equal(set_of("CHUNKING"), SMTP_CAN_CHUNKING);
    assert_int_equal(set_of("AUTH PLAIN CRAM-MD5 LOGIN"),
                     SMTP_CAN_AUTH_PLAIN | SMTP_CAN_AUTH_LOGIN);
    assert_int_equal(set_of("AUTH=LOGIN PLAIN"),
                     SMTP_CAN_AUTH_PLAIN | SMTP_CAN_AUTH_LOGIN);
    assert_int_equal(set_of("AUTH"), 0);
    assert_int_equal(set_of("PIPELININGS"), 0);
    assert_int_equal(set_of(""), 0);
    assert_int_equal(set_of("   "), 0);
}

static uint64_t size_of(const char *line)
{
    struct smtp_capabilities all = {0};

    smtp_capability_add(&all, pr_bytes_of(line));
    return all.size_limit;
}

static void a_size_that_is_no_number_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(size_of("SIZE 10240000"), 10240000);
    assert_int_equal(size_of("SIZE"), 0);
    assert_int_equal(size_of("SIZE 0"), 0);
    assert_int_equal(size_of("SIZE -1"), 0);
    assert_int_equal(size_of("SIZE 99999999999999999999999"), 0);
    assert_int_equal(size_of("SIZE 12x"), 0);
}

static void capabilities_are_named_for_disable(void **state)
{
    static const char *const names[] = {"chunking", "AUTH", NULL};
    static const char *const wrong[] = {"PIPELINE", NULL};

    (void)state;
    assert_int_equal(smtp_capabilities_named(names), SMTP_CAN_CHUNKING |
                                                         SMTP_CAN_AUTH_PLAIN |
                                                         SMTP_CAN_AUTH_LOGIN);
    assert_int_equal(smtp_capabilities_named(NULL), 0);
    assert_int_equal(smtp_capabilities_check(names), PR_OK);
    assert_int_equal(smtp_capabilities_check(wrong), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "PIPELINING"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_of_one_line_is_whole),
        cmocka_unit_test(a_code_alone_is_a_reply),
        cmocka_unit_test(lines_are_joined),
        cmocka_unit_test(a_code_does_not_change_in_a_reply),
        cmocka_unit_test(what_is_no_reply_is_refused),
        cmocka_unit_test(a_reply_has_an_end),
        cmocka_unit_test(control_characters_are_not_kept),
        cmocka_unit_test(enhanced_codes_are_strict),
        cmocka_unit_test(too_many_recipients_are_told_from_a_full_mailbox),
        cmocka_unit_test(capabilities_are_read_without_case),
        cmocka_unit_test(a_size_that_is_no_number_is_no_limit),
        cmocka_unit_test(capabilities_are_named_for_disable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
