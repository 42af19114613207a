/*
 * The words of failures, and allocations that fail on demand.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/failure.h"
#include "base/memory.h"
#include "base/text.h"

static void a_failure_keeps_status_and_words(void **state)
{
    (void)state;
    assert_int_equal(pr_fail(PR_AUTH, "user %s refused", "u"), PR_AUTH);
    assert_int_equal(pr_last_failure()->status, PR_AUTH);
    assert_string_equal(pr_last_failure()->text, "user u refused");
}

static void words_are_one_line_without_controls(void **state)
{
    (void)state;
    pr_fail(PR_PROTOCOL, "a\r\nb\x1b[2J\x7f\xc2\x9b\xc3\xa4\xc2\xa0");
    assert_string_equal(pr_last_failure()->text, "a??b?[2J???\xc3\xa4\xc2\xa0");
}

static void long_words_are_cut_between_characters(void **state)
{
    char text[PR_FAILURE_MAX * 2];

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        size_t at = shift;

        memset(text, 'x', sizeof text);
        for (; at + 4 < sizeof text; at += 4)
            memcpy(text + at, "\xf0\x9f\x93\xac", 4);
        text[at] = '\0';
        pr_fail(PR_BUG, "%s", text);
        at = strlen(pr_last_failure()->text);
        assert_true(at < PR_FAILURE_MAX && at >= PR_FAILURE_MAX - 4);
        assert_true(text_is_utf8(pr_bytes_of(pr_last_failure()->text)));
        pr_context(PR_BUG, "%s", text);
        assert_true(text_is_utf8(pr_bytes_of(pr_last_failure()->text)));
    }
}

static void broken_characters_are_cut_without_harm(void **state)
{
    char text[PR_FAILURE_MAX * 2];

    (void)state;
    memset(text, 0x80, sizeof text);
    text[sizeof text - 1] = '\0';
    pr_fail(PR_BUG, "%s", text);
    assert_int_equal(strlen(pr_last_failure()->text), PR_FAILURE_MAX - 1);
}

static void system_errors_are_named_and_sharpened(void **state)
{
    (void)state;
    assert_int_equal(pr_fail_errno(PR_IO, ENOENT, "open %s", "f"), PR_IO);
    assert_string_equal(pr_last_failure()->text,
                        "open f: No such file or directory");
    assert_int_equal(pr_fail_errno(PR_IO, ENOSPC, "write"), PR_FULL);
    assert_int_equal(pr_last_failure()->status, PR_FULL);
    assert_int_equal(pr_fail_errno(PR_IO, EDQUOT, "write"), PR_FULL);
    assert_int_equal(pr_fail_errno(PR_IO, ENOMEM, "write"), PR_NOMEM);
    assert_int_equal(pr_fail_errno(PR_NETWORK, ENOSPC, "write"), PR_NETWORK);
}

static void context_goes_before_the_words_passed_on(void **state)
{
    (void)state;
    pr_fail(PR_TLS, "expired");
    assert_int_equal(pr_context(PR_TLS, "server %d", 7), PR_TLS);
    assert_string_equal(pr_last_failure()->text, "server 7: expired");
    /* Words may be made of the words there are. */
    pr_fail(PR_TLS, "again: %s", pr_last_failure()->text);
    assert_string_equal(pr_last_failure()->text, "again: server 7: expired");
    /* What was said of another failure is not said of this one. */
    assert_int_equal(pr_context(PR_EOF, "reading"), PR_EOF);
    assert_string_equal(pr_last_failure()->text, "reading: eof");
}

static void *fail_in_thread(void *argument)
{
    (void)argument;
    assert_int_equal(pr_last_failure()->status, PR_OK);
    pr_fail(PR_IO, "in the thread");
    return NULL;
}

static void each_thread_has_its_own_slot(void **state)
{
    pthread_t thread;

    (void)state;
    pr_fail(PR_AUTH, "here");
    assert_int_equal(pthread_create(&thread, NULL, fail_in_thread, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(pr_last_failure()->text, "here");
}

static void slots_can_be_changed_and_words_carried_over(void **state)
{
    struct pr_failure slot = {.status = PR_OK};
    struct pr_failure *own;

    (void)state;
    pr_fail(PR_AUTH, "outer");
    own = failure_use_slot(&slot);
    assert_ptr_equal(failure_slot(), &slot);
    pr_fail(PR_GONE, "inner");
    assert_ptr_equal(failure_use_slot(own), &slot);
    assert_string_equal(pr_last_failure()->text, "outer");
    assert_int_equal(failure_raise(&slot), PR_GONE);
    assert_string_equal(pr_last_failure()->text, "inner");
    assert_int_equal(failure_raise(failure_slot()), PR_GONE);
    failure_use_slot(NULL);
}

static void every_status_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = PR_OK; a <= PR_BUG; a++) {
        assert_string_not_equal(pr_status_name((pr_status)a), "unknown");
        for (int b = PR_OK; b < a; b++)
            assert_string_not_equal(pr_status_name((pr_status)a),
                                    pr_status_name((pr_status)b));
    }
    assert_string_equal(pr_status_name((pr_status)(PR_BUG + 1)), "unknown");
}

static void the_nth_allocation_fails_once(void **state)
{
    void *memory[3];

    (void)state;
    memory_fail_at(2);
    for (int i = 0; i < 3; i++) {
        assert_true(memory_fail_pending() == (i < 2));
        memory[i] = memory_alloc(8);
    }
    assert_non_null(memory[0]);
    assert_null(memory[1]);
    assert_non_null(memory[2]);
    memory_free(memory[0]);
    memory_free(memory[2]);
    memory_fail_at(5);
    memory_fail_at(0);
    assert_false(memory_fail_pending());
    assert_null(memory_zeroed(SIZE_MAX / 2, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_keeps_status_and_words),
        cmocka_unit_test(words_are_one_line_without_controls),
        cmocka_unit_test(long_words_are_cut_between_characters),
        cmocka_unit_test(broken_characters_are_cut_without_harm),
        cmocka_unit_test(system_errors_are_named_and_sharpened),
        cmocka_unit_test(context_goes_before_the_words_passed_on),
        cmocka_unit_test(each_thread_has_its_own_slot),
        cmocka_unit_test(slots_can_be_changed_and_words_carried_over),
        cmocka_unit_test(every_status_has_a_name_of_its_own),
        cmocka_unit_test(the_nth_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
