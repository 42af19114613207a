/*
 * The octets of a message as SMTP carries them: nothing in it can end it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/smtp/content.h"

static pr_status collect(void *user, const char *data, size_t size)
{
    return pr_buffer_add(user, data, size);
}

static void convert(struct pr_bytes message, bool stuffs_dots, size_t step,
                    struct pr_buffer *ret)
{
    struct smtp_content content;

    *ret = (struct pr_buffer){.cap = 1 << 20};
    smtp_content_init(&content, stuffs_dots, collect, ret);
    for (size_t at = 0; at < message.size; at += step) {
        size_t left = message.size - at;
        assert_int_equal(smtp_content_add(&content, message.data + at,
                                          left < step ? left : step),
                         PR_OK);
    }
    assert_int_equal(smtp_content_end(&content), PR_OK);
}

/* Whole and octet by octet. */
static void expect(const char *message, const char *wanted)
{
    struct pr_buffer got;

    for (size_t step = 1; step < 4; step++) {
        convert(pr_bytes_of(message), true, step == 3 ? 1000 : step, &got);
        assert_string_equal(pr_buffer_text(&got), wanted);
        pr_buffer_done(&got);
    }
}

static void line_ends_become_crlf(void **state)
{
    (void)state;
    expect("a\nb\n", "a\r\nb\r\n");
    expect("a\r\nb\r\n", "a\r\nb\r\n");
    expect("a\rb\r", "a\r\nb\r\n");
    expect("a\r\rb", "a\r\n\r\nb\r\n");
    expect("a\n\rb", "a\r\n\r\nb\r\n");
    expect("a\r\n\nb", "a\r\n\r\nb\r\n");
    expect("a\r\r\nb", "a\r\n\r\nb\r\n");
    expect("\n", "\r\n");
    expect("\r", "\r\n");
}

static void a_last_line_gets_its_end(void **state)
{
    (void)state;
    expect("", "");
    expect("a", "a\r\n");
    expect("a\n", "a\r\n");
    expect("a\nb", "a\r\nb\r\n");
}

static void dots_at_the_begin_of_a_line_are_doubled(void **state)
{
    (void)state;
    expect(".", "..\r\n");
    expect(".a\n", "..a\r\n");
    expect("a.\n.\n", "a.\r\n..\r\n");
    expect("..\n", "...\r\n");
    expect("a\r.\rb", "a\r\n..\r\nb\r\n");
    expect("a\n.\r\n", "a\r\n..\r\n");
    expect("a\r\n.\rb", "a\r\n..\r\nb\r\n");
}

static void dots_stay_where_no_dot_ends_a_message(void **state)
{
    struct pr_buffer got;

    (void)state;
    convert(PR_BYTES(".a\n.\n"), false, 1, &got);
    assert_string_equal(pr_buffer_text(&got), ".a\r\n.\r\n");
    pr_buffer_done(&got);
}

/* Neither a line of one dot, nor a CR or LF that stands alone. */
static void expect_safe(const struct pr_buffer *got)
{
    for (size_t i = 0; i < got->size; i++) {
        bool after_end = i == 0 || got->data[i - 1] == '\n';
        if (got->data[i] == '\r')
            assert_int_equal(got->data[i + 1], '\n');
        if (got->data[i] == '\n')
            assert_true(i > 0 && got->data[i - 1] == '\r');
        if (after_end && got->data[i] == '.')
            assert_int_equal(got->data[i + 1], '.');
    }
}

static void nothing_in_a_message_ends_it(void **state)
{
    static const char octets[] = {'a', '.', '\r', '\n'};
    char message[7];

    (void)state;
    for (unsigned n = 0; n < 4u * 4 * 4 * 4 * 4 * 4 * 4; n++) {
        struct pr_buffer got;
        for (unsigned i = 0, left = n; i < 7; i++, left /= 4)
            message[i] = octets[left % 4];
        convert((struct pr_bytes){message, 7}, true, 1 + n % 7, &got);
        expect_safe(&got);
        pr_buffer_done(&got);
    }
}

static void facts_are_those_of_what_is_sent(void **state)
{
    static const char message[] = "Subject: \xc3\xa4\n\nlong line\n\0x";
    struct smtp_facts facts = {0};
    struct smtp_content content;

    (void)state;
    smtp_content_init(&content, false, smtp_facts_take, &facts);
    for (size_t i = 0; i < sizeof(message) - 1; i++)
        assert_int_equal(smtp_content_add(&content, message + i, 1), PR_OK);
    assert_int_equal(smtp_content_end(&content), PR_OK);
    assert_int_equal(facts.octets, 11 + 2 + 2 + 9 + 2 + 2 + 2);
    assert_int_equal(facts.line, 11);
    assert_true(facts.has_nul);
    assert_true(facts.is_8bit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_ends_become_crlf),
        cmocka_unit_test(a_last_line_gets_its_end),
        cmocka_unit_test(dots_at_the_begin_of_a_line_are_doubled),
        cmocka_unit_test(dots_stay_where_no_dot_ends_a_message),
        cmocka_unit_test(nothing_in_a_message_ends_it),
        cmocka_unit_test(facts_are_those_of_what_is_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
