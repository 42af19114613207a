/*
 * The lines of a POP3 server, and what it says it can do.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/pop3/capability.h"
#include "../../plugins/pop3/reply.h"

static void assert_text(struct pr_bytes text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

/* ---- The first line ----------------------------------------------------- */

static struct pop3_reply reply_of(const char *line)
{
    struct pop3_reply reply;

    assert_true(pop3_reply_parse(pr_bytes_of(line), &reply));
    return reply;
}

static void an_answer_has_an_indicator_and_words(void **state)
{
    (void)state;
    assert_int_equal(reply_of("+OK").indicator, POP3_OK);
    assert_int_equal(reply_of("+OK 2 320").indicator, POP3_OK);
    assert_text(reply_of("+OK 2 320").text, "2 320");
    assert_text(reply_of("+OK").text, "");
    assert_int_equal(reply_of("-ERR").indicator, POP3_ERR);
    assert_text(reply_of("-ERR  no").text, "no");
    assert_int_equal(reply_of("+").indicator, POP3_CONTINUE);
    assert_int_equal(reply_of("+ dGV4dA==").indicator, POP3_CONTINUE);
    assert_text(reply_of("+ dGV4dA==").text, "dGV4dA==");
}

static void what_is_no_answer_is_not_taken_for_one(void **state)
{
    static const char *const lines[] = {
        "",     "OK",        "+OKAY",     "-ERROR", "+ok",
        " +OK", "-",         "HTTP/1.1",  "* OK",   "+OK\t1",
        "-err", "+OK[UTF8]", "220 hello", "++OK",   "+O"};
    struct pop3_reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        assert_false(pop3_reply_parse(pr_bytes_of(lines[i]), &reply));
}

static void response_codes_are_known_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(reply_of("-ERR [IN-USE] x").code, POP3_CODE_IN_USE);
    assert_int_equal(reply_of("-ERR [in-use] x").code, POP3_CODE_IN_USE);
    assert_int_equal(reply_of("-ERR [LOGIN-DELAY]").code,
                     POP3_CODE_LOGIN_DELAY);
    assert_int_equal(reply_of("-ERR [SYS/TEMP]x").code, POP3_CODE_SYS_TEMP);
    assert_int_equal(reply_of("-ERR [SYS/PERM]").code, POP3_CODE_SYS_PERM);
    assert_int_equal(reply_of("-ERR [AUTH] no").code, POP3_CODE_AUTH);
    assert_int_equal(reply_of("-ERR [UTF8] no").code, POP3_CODE_UTF8);
    assert_text(reply_of("-ERR [AUTH] no").text, "[AUTH] no");
    assert_int_equal(reply_of("-ERR no [AUTH]").code, POP3_CODE_NONE);
    assert_int_equal(reply_of("-ERR [AUTH no").code, POP3_CODE_NONE);
    assert_int_equal(reply_of("-ERR [SYS]").code, POP3_CODE_NONE);
    assert_int_equal(reply_of("-ERR []").code, POP3_CODE_NONE);
}

static void words_may_say_that_it_works_later(void **state)
{
    (void)state;
    assert_true(pop3_words_say_later(PR_BYTES("maildrop already locked")));
    assert_true(pop3_words_say_later(PR_BYTES("Unable to LOCK maildrop")));
    assert_true(pop3_words_say_later(PR_BYTES("mailbox in use")));
    assert_false(pop3_words_say_later(PR_BYTES("account blocked")));
    assert_false(pop3_words_say_later(PR_BYTES("invalid password")));
    assert_false(pop3_words_say_later(PR_BYTES("")));
}

/* ---- Numbers ------------------------------------------------------------ */

static void an_entry_has_a_number_and_more(void **state)
{
    struct pr_bytes rest;
    uint64_t number = 0;

    (void)state;
    assert_true(pop3_entry_parse(PR_BYTES("1 120"), &number, &rest));
    assert_int_equal(number, 1);
    assert_text(rest, "120");
    assert_true(pop3_number(&rest, &number));
    assert_int_equal(number, 120);
    assert_int_equal(rest.size, 0);
    assert_true(pop3_entry_parse(PR_BYTES("007   a b"), &number, &rest));
    assert_int_equal(number, 7);
    assert_text(rest, "a b");
    assert_true(
        pop3_entry_parse(PR_BYTES("18446744073709551615"), &number, &rest));
    assert_true(number == UINT64_MAX);
}

static void what_is_no_number_is_not_taken_for_one(void **state)
{
    static const char *const lines[] = {"",
                                        " 1",
                                        "-1",
                                        "+1",
                                        "1x",
                                        "1\t2",
                                        "x",
                                        "0x10",
                                        "18446744073709551616",
                                        "99999999999999999999999"};
    struct pr_bytes rest;
    uint64_t number;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        assert_false(pop3_entry_parse(pr_bytes_of(lines[i]), &number, &rest));
}

/* ---- APOP --------------------------------------------------------------- */

static void a_message_id_is_a_challenge(void **state)
{
    static const char *const ids[] = {
        "<1896.697170952@dbc.mtview.ca.us>", "<a@b>",
        "<17.5f3.=Ab/+x@host.example.org>", "<1.2@[192.0.2.1]>"};
    char greeting[200];

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        snprintf(greeting, sizeof(greeting), "ready %s go", ids[i]);
        assert_text(pop3_challenge(pr_bytes_of(greeting)), ids[i]);
    }
}

/* A chosen challenge gives a password away (CVE-2007-1558). */
static void nothing_else_is_a_challenge(void **state)
{
    static const char *const ids[] = {
        "",       "ready",    "<>",       "<@>",       "<a>",
        "<a@>",   "<@b>",     "<a@b@c>",  "<a b@c>",   "<a@b c>",
        "<a.@b>", "<.a@b>",   "<a..b@c>", "<a@b..c>",  "<a@b",
        "a@b>",   "<\x80@b>", "<a@\xff>", "<a\x01@b>", "<\"a\"@b>",
        "<a@[b>", "<a@[]>",   "<a@b]>",   "<a@[b c]>", "<a<b@c>",
        "@<a>",   "<a>@",     "<a@b\x7f>"};

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
        assert_int_equal(pop3_challenge(pr_bytes_of(ids[i])).size, 0);
}

/* ---- CAPA --------------------------------------------------------------- */

static void capabilities_are_known_by_name(void **state)
{
    (void)state;
    assert_int_equal(pop3_capability(PR_BYTES("TOP")), POP3_CAN_TOP);
    assert_int_equal(pop3_capability(PR_BYTES("pipelining")),
                     POP3_CAN_PIPELINE);
    assert_int_equal(pop3_capability(PR_BYTES("UTF8 USER")), POP3_CAN_UTF8);
    assert_int_equal(pop3_capability(PR_BYTES("SASL  LOGIN plain")),
                     POP3_CAN_SASL | POP3_CAN_SASL_IR | POP3_CAN_AUTH_PLAIN |
                         POP3_CAN_AUTH_LOGIN);
    assert_int_equal(pop3_capability(PR_BYTES("SASL")),
                     POP3_CAN_SASL | POP3_CAN_SASL_IR);
    assert_int_equal(pop3_capability(PR_BYTES("EXPIRE 0")), POP3_CAN_EXPIRE_0);
    assert_int_equal(pop3_capability(PR_BYTES("EXPIRE 0 USER")),
                     POP3_CAN_EXPIRE_0);
    assert_int_equal(pop3_capability(PR_BYTES("EXPIRE 60")), 0);
    assert_int_equal(pop3_capability(PR_BYTES("EXPIRE NEVER")), 0);
    assert_int_equal(pop3_capability(PR_BYTES("EXPIRE")), 0);
    assert_int_equal(pop3_capability(PR_BYTES("TOPS")), 0);
    assert_int_equal(pop3_capability(PR_BYTES("")), 0);
}

static void capabilities_can_be_left_unused(void **state)
{
    static const char *const names[] = {"pipelining", "SASL", "x", NULL};

    (void)state;
    assert_int_equal(pop3_capabilities_disabled(names),
                     POP3_CAN_PIPELINE | POP3_CAN_SASL | POP3_CAN_AUTH_PLAIN |
                         POP3_CAN_AUTH_LOGIN);
    assert_int_equal(pop3_capabilities_disabled(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_an_indicator_and_words),
        cmocka_unit_test(what_is_no_answer_is_not_taken_for_one),
        cmocka_unit_test(response_codes_are_known_in_any_case),
        cmocka_unit_test(words_may_say_that_it_works_later),
        cmocka_unit_test(an_entry_has_a_number_and_more),
        cmocka_unit_test(what_is_no_number_is_not_taken_for_one),
        cmocka_unit_test(a_message_id_is_a_challenge),
        cmocka_unit_test(nothing_else_is_a_challenge),
        cmocka_unit_test(capabilities_are_known_by_name),
        cmocka_unit_test(capabilities_can_be_left_unused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
