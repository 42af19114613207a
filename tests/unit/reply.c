/*
 * Messages of a rule's own: what is refused, and how they are written.
 */
#include "config.h"

#include "mail/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail/decode.h"
#include "mail/spool.h"

static struct reply simple(void)
{
    return (struct reply){
        .to = "bob@example.org",
        .from = "Alice <alice@example.net>",
        .subject = "Auto: lunch?",
        .in_reply_to = "1@example.org",
        .references = "<0@example.org> <1@example.org>",
        .text = "Away.",
    };
}

/* The message, owned by the caller. */
static char *written(const struct reply *reply)
{
    struct pr_spool *spool = NULL;

    assert_int_equal(reply_write(reply, "key", 1700000000, "/tmp", &spool),
                     PR_OK);
    struct pr_bytes octets = pr_spool_memory(spool);
    char *text = strndup(octets.data, octets.size);
    spool_free(spool);
    assert_non_null(text);
    return text;
}

static void a_reply_is_marked_as_automatic_and_refers(void **state)
{
    struct reply reply = simple();
    char *text = written(&reply);

    (void)state;
    assert_string_equal(text, "Date: Tue, 14 Nov 2023 22:13:20 +0000\n"
                              "From: Alice <alice@example.net>\n"
                              "To: bob@example.org\n"
                              "Subject: Auto: lunch?\n"
                              "Message-ID: <key.reply@example.net>\n"
                              "In-Reply-To: <1@example.org>\n"
                              "References: <0@example.org> <1@example.org>\n"
                              "Auto-Submitted: auto-replied\n"
                              "MIME-Version: 1.0\n"
                              "Content-Type: text/plain; charset=us-ascii\n"
                              "Content-Transfer-Encoding: 7bit\n"
                              "\n"
                              "Away.\n");
    free(text);
}

static void what_is_not_ascii_is_encoded(void **state)
{
    struct reply reply = simple();

    (void)state;
    reply.from = "J\xc3\xb6rg <joerg@example.net>";
    reply.subject = "Gr\xc3\xbc\xc3\x9f"
                    "e";
    reply.text = "Bis sp\xc3\xa4ter = bald\n";
    char *text = written(&reply);
    for (const char *at = text; *at != '\0'; at++)
        assert_true((unsigned char)*at < 0x80);
    assert_non_null(strstr(text, " <joerg@example.net>\n"));
    assert_non_null(strstr(text, "\nSubject: =?utf-8?"));
    assert_non_null(strstr(text, "\n\nBis sp=C3=A4ter =3D bald\n"));
    free(text);
}

static void long_lines_are_broken(void **state)
{
    struct reply reply = simple();
    char line[3000];

    (void)state;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    reply.text = line;
    char *text = written(&reply);
    for (const char *at = text; *at != '\0'; at += strcspn(at, "\n") + 1)
        assert_true(strcspn(at, "\n") < 80);
    free(text);
}

static void a_reply_may_be_any_mime_part(void **state)
{
    struct reply reply = simple();

    (void)state;
    reply.text = NULL;
    reply.mime = "Content-Type: text/html;\n charset=us-ascii\n\n<p>Away\n";
    char *text = written(&reply);
    assert_non_null(strstr(text, "\nMIME-Version: 1.0\nContent-Type: text/html;"
                                 "\n charset=us-ascii\n\n<p>Away\n"));
    free(text);
}

static void what_could_be_a_field_of_its_own_is_refused(void **state)
{
    static const char *const parts[] = {
        "Subject: x\n\ny",
        " folded\nContent-Type: text/plain\n\nx",
        "Content-Type: text/plain\nBcc: a@example.org\n\nx",
        "Content-Type: text/plain\n",
        "Content-Language: en\n\nx",
        "Content-Type: text/plain\r\n\r\nx",
        ""};
    struct reply reply = simple();

    (void)state;
    reply.subject = "x\nBcc: a@example.org";
    assert_int_equal(reply_check(&reply), PR_CONFIG);
    reply.subject = "x\ry";
    assert_int_equal(reply_check(&reply), PR_CONFIG);
    reply = simple();
    reply.references = "<1@x>\n\nbody";
    assert_int_equal(reply_check(&reply), PR_CONFIG);
    reply = simple();
    reply.text = NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        reply.mime = parts[i];
        assert_int_equal(reply_check(&reply), PR_CONFIG);
    }
}

static void one_address_is_one(void **state)
{
    static const char *const wrong[] = {"",
                                        "alice",
                                        "a@example.org, b@example.org",
                                        "list: a@example.org;",
                                        "a@example.org\n",
                                        "a b@example.org",
                                        "\xff@example.org"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(reply_check_address("to", wrong[i]), PR_CONFIG);
    assert_int_equal(reply_check_address("to", "A B <a@example.org>"), PR_OK);
    assert_int_equal(reply_check_address("to", "a+b@example.org"), PR_OK);
}

static int end(void **state)
{
    (void)state;
    decode_shutdown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_marked_as_automatic_and_refers),
        cmocka_unit_test(what_is_not_ascii_is_encoded),
        cmocka_unit_test(long_lines_are_broken),
        cmocka_unit_test(a_reply_may_be_any_mime_part),
        cmocka_unit_test(what_could_be_a_field_of_its_own_is_refused),
        cmocka_unit_test(one_address_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
