/*
 * The envelope that a message gets: sender, recipients, loops, and its options.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/smtp/envelope.h"
#include "../../plugins/smtp/past.h"
#include "mail/spool.h"

static const char *const to_alice[] = {"alice@example.org", NULL};
static const char *const headers[] = {"Delivered-To", "Envelope-To", NULL};
static const char *const domains[] = {"example.org", NULL};

static struct smtp_options set;
static const struct pr_log test_log = {NULL, "test"};
static const struct pr_class class = {.name = "smtp"};
static const struct pr_sink sink = {.class = &class,
                                    .options = &set,
                                    .log = &test_log,
                                    .name = "smtp:mx.example.org:25/alice"};
static struct pr_delivery delivery;
static struct pr_spool *spool;

static int set_up(void **state)
{
    (void)state;
    set = (struct smtp_options){.to = to_alice, .hops = 100};
    return 0;
}

static pr_status make(const char *message, struct smtp_letter **ret)
{
    *ret = NULL;
    if (spool_new("/tmp", 0, &spool) != PR_OK ||
        pr_spool_append(spool, message, strlen(message)) != PR_OK ||
        pr_spool_seal(spool) != PR_OK)
        fail();
    delivery = (struct pr_delivery){
        .spool = spool, .folder = "", .key = "key-1", .sink = sink.name};
    return smtp_letter_new(&sink, "here.example.org", &delivery, ret);
}

static void done(struct smtp_letter *letter)
{
    smtp_letter_free(letter);
    spool_free(spool);
}

static void expect_sender(const char *message, const char *sender)
{
    struct smtp_letter *letter;

    assert_int_equal(make(message, &letter), PR_OK);
    assert_string_equal(letter->from, sender);
    done(letter);
}

static void the_sender_comes_from_the_return_path(void **state)
{
    (void)state;
    expect_sender("Return-Path: <bob@example.net>\n\nx", "bob@example.net");
    expect_sender("Return-Path: <>\n\nx", "");
    expect_sender("Subject: x\n\nx", "");
    expect_sender("Return-Path: <bob@example.net>\n BODY=x\n\nx", "");
    expect_sender("\n\nReturn-Path: <bob@example.net>\n", "");
    set.from = "me@example.org";
    expect_sender("Return-Path: <bob@example.net>\n\nx", "me@example.org");
    set.from = "<>";
    expect_sender("Return-Path: <bob@example.net>\n\nx", "");
}

static void expect_recipients(const char *message, const char *const *wanted)
{
    struct smtp_letter *letter;
    size_t count = 0;

    assert_int_equal(make(message, &letter), PR_OK);
    for (; wanted[count] != NULL; count++) {
        assert_true(count < letter->count);
        assert_string_equal(letter->recipients[count].address, wanted[count]);
    }
    assert_int_equal(letter->count, count);
    done(letter);
}

#define EXPECT_RECIPIENTS(message, ...) \
    expect_recipients(message, (const char *const[]){__VA_ARGS__, NULL})

static void the_topmost_field_names_the_recipients(void **state)
{
    (void)state;
    set.to_header = headers;
    set.domains = domains;
    EXPECT_RECIPIENTS("Delivered-To: a@example.org\n\n", "a@example.org");
    EXPECT_RECIPIENTS("Envelope-To: b@example.org\n"
                      "Delivered-To: a@example.org\n\n",
                      "b@example.org");
    EXPECT_RECIPIENTS("Envelope-To: a@example.org,\n <b@EXAMPLE.ORG>,\n"
                      "\ta@example.org, c@example.net\n\n",
                      "a@example.org", "b@EXAMPLE.ORG");
    EXPECT_RECIPIENTS("Delivered-To: a@example.net\n"
                      "Delivered-To: a@example.org\n\n",
                      "alice@example.org");
    EXPECT_RECIPIENTS("To: a@example.org\n\n", "alice@example.org");
}

static void a_message_for_nobody_is_refused(void **state)
{
    struct smtp_letter *letter;

    (void)state;
    set.to = NULL;
    set.to_header = headers;
    set.domains = domains;
    assert_int_equal(make("Delivered-To: a@example.net\n\n", &letter),
                     PR_REFUSED);
    done(letter);
}

static void any_domain_has_to_be_said(void **state)
{
    static const char *const any[] = {"*", NULL};

    (void)state;
    set.to_header = headers;
    set.domains = any;
    EXPECT_RECIPIENTS("Delivered-To: a@example.net\n\n", "a@example.net");
}

static void what_stands_behind_is_the_recipient(void **state)
{
    struct smtp_letter *letter;

    (void)state;
    assert_int_equal(make("x: y\n\n", &letter), PR_OK);
    smtp_letter_free(letter);
    delivery.folder = "bob@example.org";
    assert_int_equal(
        smtp_letter_new(&sink, "here.example.org", &delivery, &letter), PR_OK);
    assert_int_equal(letter->count, 1);
    assert_string_equal(letter->recipients[0].address, "bob@example.org");
    done(letter);
}

static void a_message_that_comes_back_is_refused(void **state)
{
    struct smtp_letter *letter;
    char message[400];

    (void)state;
    set.trace = true;
    assert_int_equal(make("Subject: x\n\nbody\n", &letter), PR_OK);
    assert_true(strncmp(letter->trace, "Received: by here.example.org (", 31) ==
                0);
    assert_non_null(strstr(letter->trace, ") id key-1;\n\t"));
    snprintf(message, sizeof(message), "%sSubject: x\n\nbody\n", letter->trace);
    done(letter);
    assert_int_equal(make(message, &letter), PR_REFUSED);
    done(letter);
    set.trace = false;
    assert_int_equal(make(message, &letter), PR_OK);
    assert_string_equal(letter->trace, "");
    done(letter);
}

static void another_sink_has_another_mark(void **state)
{
    char one[SMTP_MARK_SIZE], other[SMTP_MARK_SIZE];

    (void)state;
    smtp_envelope_mark("a", "b", one);
    smtp_envelope_mark("ab", "", other);
    assert_string_not_equal(one, other);
    smtp_envelope_mark("a", "b", other);
    assert_string_equal(one, other);
}

static void too_many_hops_are_refused(void **state)
{
    struct smtp_letter *letter;

    (void)state;
    set.hops = 2;
    assert_int_equal(make("Received: x\nReceived: y\n\nReceived: z\n", &letter),
                     PR_OK);
    done(letter);
    assert_int_equal(
        make("Received: x\nReceived: y\nreceived : z\n\n", &letter),
        PR_REFUSED);
    done(letter);
}

static void the_original_recipient_is_passed_on(void **state)
{
    struct smtp_letter *letter;

    (void)state;
    assert_int_equal(
        make("Original-Recipient: rfc822; a+b=c@example.org\n\n", &letter),
        PR_OK);
    assert_string_equal(letter->original, "rfc822;a+2Bb+3Dc@example.org");
    done(letter);
    assert_int_equal(make("Original-Recipient: rfc 822;a\n\n", &letter), PR_OK);
    assert_null(letter->original);
    done(letter);
    assert_int_equal(make("Original-Recipient: a\n\n", &letter), PR_OK);
    assert_null(letter->original);
    done(letter);
}

static void a_raw_utf8_header_is_seen(void **state)
{
    struct smtp_letter *letter;

    (void)state;
    assert_int_equal(make("Subject: \xc3\xa4\n\n", &letter), PR_OK);
    assert_true(letter->has_utf8_header);
    done(letter);
    assert_int_equal(make("Subject: \xe4\n\n\xc3\xa4", &letter), PR_OK);
    assert_false(letter->has_utf8_header);
    done(letter);
}

/* Makes a letter anew, as a later try does that finds this receipt. */
static void make_again(const char *receipt, struct smtp_letter **ret)
{
    assert_int_equal(make("x: y\n\n", ret), PR_OK);
    assert_true(strlen(receipt) < sizeof(delivery.receipt));
    memcpy(delivery.receipt, receipt, strlen(receipt) + 1);
    smtp_past_recall(*ret);
}

/* Of `count` recipients one did not get it: the next try is for that one. */
static void expect_one_left(size_t count, size_t left)
{
    static char addresses[SMTP_RECIPIENTS_MOST][40];
    static const char *to[SMTP_RECIPIENTS_MOST + 1];
    struct smtp_letter *letter;
    char receipt[sizeof(delivery.receipt)];

    for (size_t i = 0; i < count; i++) {
        snprintf(addresses[i], sizeof(addresses[i]), "user%zu@example.org", i);
        to[i] = addresses[i];
    }
    to[count] = NULL;
    set.to = to;
    assert_int_equal(make("x: y\n\n", &letter), PR_OK);
    assert_int_equal(letter->count, count);
    smtp_letter_move(letter, SMTP_PENDING, SMTP_DONE);
    letter->recipients[left].fate = SMTP_FAILED;
    smtp_past_note(letter);
    memcpy(receipt, delivery.receipt, sizeof(receipt));
    done(letter);

    make_again(receipt, &letter);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(letter->recipients[i].fate,
                         i == left ? SMTP_PENDING : SMTP_DONE);
    done(letter);
}

static void who_had_it_is_left_out(void **state)
{
    (void)state;
    expect_one_left(2, 1);
    expect_one_left(60, 59);
    expect_one_left(80, 79);
    expect_one_left(SMTP_RECIPIENTS_MOST, 0);
    expect_one_left(SMTP_RECIPIENTS_MOST, SMTP_RECIPIENTS_MOST - 1);
}

/* A state may hold receipts of earlier versions: what one says must stay. */
static void receipts_read_as_ever(void **state)
{
    static const char *const two[] = {"a@example.org", "b@example.org", NULL};
    struct smtp_letter *letter;

    (void)state;
    set.to = two;
    make_again("has AAAAAgwzYm", &letter);
    assert_int_equal(letter->recipients[0].fate, SMTP_PENDING);
    assert_int_equal(letter->recipients[1].fate, SMTP_DONE);
    smtp_past_note(letter);
    assert_string_equal(delivery.receipt, "has gwzYm");
    done(letter);
}

static void the_worst_failure_is_kept(void **state)
{
    struct smtp_letter *letter;

    (void)state;
    assert_int_equal(make("x: y\n\n", &letter), PR_OK);
    smtp_letter_fail(letter, pr_fail(PR_LATER, "one"));
    smtp_letter_fail(letter, pr_fail(PR_NETWORK, "two"));
    assert_string_equal(letter->fail.text, "one");
    smtp_letter_fail(letter, pr_fail(PR_REFUSED, "three"));
    smtp_letter_fail(letter, pr_fail(PR_LATER, "four"));
    assert_string_equal(letter->fail.text, "three");
    smtp_letter_fail(letter, pr_fail(PR_DOUBT, "five"));
    assert_int_equal(letter->fail.status, PR_DOUBT);
    done(letter);
}

/* ---- Options ------------------------------------------------------------- */

static pr_status check(void)
{
    return smtp_options_check(&set);
}

static void options_are_checked(void **state)
{
    static const char *const bad[] = {"alice smith", NULL};
    static const char *const never[] = {"never", NULL};
    static const char *const both[] = {"never", "delay", NULL};
    static const char *const idle[] = {"IDLE", NULL};

    (void)state;
    assert_int_equal(check(), PR_CONFIG); /* no host */
    set.net.host = "mx.example.org";
    assert_int_equal(check(), PR_OK);
    set.to = bad;
    assert_int_equal(check(), PR_CONFIG);
    set.to = NULL;
    assert_int_equal(smtp_check_folder(&set, ""), PR_CONFIG);
    assert_int_equal(smtp_check_folder(&set, "a b"), PR_CONFIG);
    assert_int_equal(smtp_check_folder(&set, "bob@example.org"), PR_OK);
    set.to_header = headers;
    assert_int_equal(check(), PR_CONFIG);
    set.domains = domains;
    assert_int_equal(check(), PR_OK);
    set.from = "a\nb@example.org";
    assert_int_equal(check(), PR_CONFIG);
    set.from = "";
    assert_int_equal(check(), PR_OK);
    set.helo = "two words";
    assert_int_equal(check(), PR_CONFIG);
    set.helo = "here.example.org";
    set.notify = both;
    assert_int_equal(check(), PR_CONFIG);
    set.notify = never;
    assert_int_equal(check(), PR_OK);
    set.net.disable = idle;
    assert_int_equal(check(), PR_CONFIG);
}

static void sinks_are_named_by_server_and_recipients(void **state)
{
    char name[60];

    (void)state;
    set.net.host = "localhost";
    set.net.tls = PR_TLS_NONE;
    smtp_describe(&set, name, sizeof(name));
    assert_string_equal(name, "smtp:localhost:25/alice@example.org");
    set.to_header = headers;
    smtp_describe(&set, name, sizeof(name));
    assert_string_equal(
        name, "smtp:localhost:25/Delivered-To,Envelope-To,alice@example.or");
    set.socket = "/run/lmtp";
    set.to_header = NULL;
    lmtp_describe(&set, name, sizeof(name));
    assert_string_equal(name, "lmtp:/run/lmtp/alice@example.org");
}

static void the_line_is_clear_within_this_machine_alone(void **state)
{
    (void)state;
    set.net.tls = PR_TLS_OTHER; /* auto */
    set.net.host = "localhost";
    assert_int_equal(smtp_tls(&set.net), PR_TLS_NONE);
    assert_int_equal(smtp_default_port(SMTP_SMTP, &set.net), 25);
    set.net.user = "alice";
    assert_int_equal(smtp_tls(&set.net), PR_TLS_STARTTLS);
    set.net.user = NULL;
    set.net.host = "localhost.example.org";
    assert_int_equal(smtp_tls(&set.net), PR_TLS_STARTTLS);
    assert_int_equal(smtp_default_port(SMTP_SMTP, &set.net), 587);
    set.net.tls = PR_TLS_IMPLICIT;
    assert_int_equal(smtp_tls(&set.net), PR_TLS_IMPLICIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_sender_comes_from_the_return_path, set_up),
        cmocka_unit_test_setup(the_topmost_field_names_the_recipients, set_up),
        cmocka_unit_test_setup(a_message_for_nobody_is_refused, set_up),
        cmocka_unit_test_setup(any_domain_has_to_be_said, set_up),
        cmocka_unit_test_setup(what_stands_behind_is_the_recipient, set_up),
        cmocka_unit_test_setup(a_message_that_comes_back_is_refused, set_up),
        cmocka_unit_test_setup(another_sink_has_another_mark, set_up),
        cmocka_unit_test_setup(too_many_hops_are_refused, set_up),
        cmocka_unit_test_setup(the_original_recipient_is_passed_on, set_up),
        cmocka_unit_test_setup(a_raw_utf8_header_is_seen, set_up),
        cmocka_unit_test_setup(who_had_it_is_left_out, set_up),
        cmocka_unit_test_setup(receipts_read_as_ever, set_up),
        cmocka_unit_test_setup(the_worst_failure_is_kept, set_up),
        cmocka_unit_test_setup(options_are_checked, set_up),
        cmocka_unit_test_setup(the_line_is_clear_within_this_machine_alone,
                               set_up),
        cmocka_unit_test_setup(sinks_are_named_by_server_and_recipients,
                               set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
