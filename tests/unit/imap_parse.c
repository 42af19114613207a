/*
 * The tokenizer of IMAP responses.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imap_octets.h"

/* Writes the tokens of `text` as "a(q"x"){3}abc." ("." is the end). */
static pr_status spell(struct pr_bytes text, size_t step, char *out,
                       size_t size)
{
    struct octets octets = {.all = text, .step = step};
    struct imap_reader reader;
    struct imap_token token;
    bool in_chunks = false;
    pr_status status;

    octets_reader(&octets, &reader);
    out[0] = '\0';
    while ((status = imap_read(&reader, &token)) == PR_OK) {
        size_t used = strlen(out);
        int length = (int)token.text.size;
        char *at = out + used;
        size_t room = size - used;
        if (token.kind != IMAP_CHUNK && used > 0 && token.kind != IMAP_END)
            *at++ = ' ', room--;
        in_chunks = token.kind == IMAP_CHUNK;
        if (token.kind == IMAP_ATOM || in_chunks)
            snprintf(at, room, "%.*s", length, token.text.data);
        else if (token.kind == IMAP_QUOTED)
            snprintf(at, room, "'%.*s'", length, token.text.data);
        else if (token.kind == IMAP_LITERAL)
            snprintf(at, room, "%u:", (unsigned)token.size);
        else
            snprintf(at, room, "%s",
                     token.kind == IMAP_OPEN    ? "("
                     : token.kind == IMAP_CLOSE ? ")"
                                                : ".");
    }
    imap_reader_done(&reader);
    return status;
}

static void expect_tokens(const char *text, const char *expected)
{
    char out[400];

    for (size_t step = 1; step < 12; step++) {
        assert_int_equal(spell(pr_bytes_of(text), step, out, sizeof(out)),
                         PR_EOF);
        assert_string_equal(out, expected);
    }
}

static void expect_refusal(struct pr_bytes text)
{
    char out[400];

    for (size_t step = 1; step < 12; step++)
        assert_int_equal(spell(text, step, out, sizeof(out)), PR_PROTOCOL);
}

static void tokens_are_the_same_however_cut(void **state)
{
    (void)state;
    expect_tokens("* 12 FETCH (FLAGS (\\Seen $x) UID 4)\r\n",
                  "* 12 FETCH ( FLAGS ( \\Seen $x ) UID 4 ).");
    expect_tokens("a \"b\\\"c\\\\d\\e\" NIL\r\n", "a 'b\"c\\d\\e' NIL.");
    expect_tokens("x {5}\r\na\r\n)b y\r\n", "x 5:a\r\n)b y.");
    expect_tokens("x ~{2}\r\nab {0}\r\n\r\n", "x 2:ab 0:.");
    expect_tokens("BODY[HEADER.FIELDS (A \"B\")]<0> \"\"\r\n",
                  "BODY[HEADER.FIELDS (A \"B\")]<0> ''.");
    expect_tokens("a\nb\r\n", "a. b.");
    expect_tokens("   a   (  b)  \r\n", "a ( b ).");
    expect_tokens("~x ~\r\n", "~x ~.");
    expect_tokens("BINARY.SIZE[1 (x)] body.peek[(y)] BODY[ x]\r\n",
                  "BINARY.SIZE[1 (x)] body.peek[(y)] BODY[ x].");
    /* Folders and keywords may have one, too. */
    expect_tokens("a[b\r\n", "a[b.");
    expect_tokens("FLAGS (\\Seen [todo) x\r\n", "FLAGS ( \\Seen [todo ) x.");
    expect_tokens("(a[ ANYBODY[ BODYX[ [[) b\r\n",
                  "( a[ ANYBODY[ BODYX[ [[ ) b.");
}

static void octets_that_are_no_imap_are_refused(void **state)
{
    (void)state;
    expect_refusal(PR_BYTES("a\rb\r\n"));
    expect_refusal(PR_BYTES("a \"x\r\n\""));
    expect_refusal(PR_BYTES("a \"x\0\"\r\n"));
    expect_refusal(PR_BYTES("a\0b\r\n"));
    expect_refusal(PR_BYTES("a\x7f\r\n"));
    expect_refusal(PR_BYTES("a)\r\n"));
    expect_refusal(PR_BYTES("(a\r\n"));
    expect_refusal(PR_BYTES("{-1}\r\n"));
    expect_refusal(PR_BYTES("{}\r\n"));
    expect_refusal(PR_BYTES("{3+}\r\n"));
    expect_refusal(PR_BYTES("{3\r\n"));
    expect_refusal(PR_BYTES("{3}x\r\n"));
    expect_refusal(PR_BYTES("{9223372036854775808}\r\n"));
    expect_refusal(PR_BYTES("{18446744073709551616}\r\n"));
    expect_refusal(PR_BYTES("{00000000000000000000000000000000000001}\r\n"));
}

static void nesting_has_a_cap(void **state)
{
    char text[100];
    struct imap_lexer lexer = {.depth = 0};
    struct imap_token token;

    (void)state;
    memset(text, '(', sizeof(text));
    for (unsigned i = 0; i < IMAP_NESTING_CAP; i++)
        assert_int_equal(imap_lex(&lexer, (struct pr_bytes){text, 100}, &token),
                         PR_OK);
    assert_int_equal(imap_lex(&lexer, (struct pr_bytes){text, 100}, &token),
                     PR_PROTOCOL);
    imap_lexer_done(&lexer);
}

static void tokens_and_responses_have_caps(void **state)
{
    static char text[IMAP_TOKEN_CAP + 10];
    char out[10];

    (void)state;
    memset(text, 'x', sizeof(text));
    expect_refusal((struct pr_bytes){text, sizeof(text)});
    memset(text, ' ', sizeof(text));
    assert_int_equal(
        spell((struct pr_bytes){text, sizeof(text)}, 1000, out, sizeof(out)),
        PR_PROTOCOL);

    struct imap_lexer lexer = {.depth = 0};
    struct imap_token token;
    pr_status status = PR_OK;
    size_t count = 0;
    for (; status == PR_OK && count < 1000000; count++)
        status = imap_lex(&lexer, PR_BYTES("123 "), &token);
    assert_int_equal(status, PR_PROTOCOL);
    assert_in_range(count, 300000, 400000);
    imap_lexer_done(&lexer);
}

static void numbers_do_not_overflow(void **state)
{
    uint64_t value = 0;

    (void)state;
    assert_true(
        imap_number(PR_BYTES("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_false(
        imap_number(PR_BYTES("18446744073709551616"), UINT64_MAX, &value));
    assert_false(imap_number(PR_BYTES("4294967296"), UINT32_MAX, &value));
    assert_true(imap_number(PR_BYTES("0004294967295"), UINT32_MAX, &value));
    assert_false(imap_number(PR_BYTES("7"), 5, &value));
    assert_false(imap_number(PR_BYTES(""), 5, &value));
    assert_false(imap_number(PR_BYTES("-1"), 5, &value));
    assert_false(imap_number(PR_BYTES(" 1"), 5, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_the_same_however_cut),
        cmocka_unit_test(octets_that_are_no_imap_are_refused),
        cmocka_unit_test(nesting_has_a_cap),
        cmocka_unit_test(tokens_and_responses_have_caps),
        cmocka_unit_test(numbers_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
