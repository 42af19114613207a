/*
 * Lent octets, growing octets and arenas.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <postrider/buffer.h>

#include "base/memory.h"

static void bytes_compare_by_size_and_octets(void **state)
{
    (void)state;
    assert_true(pr_bytes_equal(pr_bytes_of(NULL), PR_BYTES("")));
    assert_true(pr_bytes_equal(PR_BYTES("a\0b"), PR_BYTES("a\0b")));
    assert_false(pr_bytes_equal(PR_BYTES("a\0b"), PR_BYTES("a\0c")));
    assert_false(pr_bytes_equal(PR_BYTES("a"), PR_BYTES("ab")));
    assert_false(pr_bytes_equal(PR_BYTES("a"), PR_BYTES("A")));
    assert_true(pr_bytes_equal_nocase(PR_BYTES("InBox1"), PR_BYTES("iNbOX1")));
    assert_false(pr_bytes_equal_nocase(PR_BYTES("\xc4"), PR_BYTES("\xe4")));
    assert_false(pr_bytes_equal_nocase(PR_BYTES("@"), PR_BYTES("`")));
}

static void a_buffer_grows_and_ends_in_nul(void **state)
{
    struct pr_buffer buffer = {.cap = 100000};

    (void)state;
    assert_string_equal(pr_buffer_text(&buffer), "");
    for (int i = 0; i < 10000; i++)
        assert_int_equal(pr_buffer_printf(&buffer, "%d,", i % 10), PR_OK);
    assert_int_equal(buffer.size, 20000);
    assert_int_equal(strlen(pr_buffer_text(&buffer)), 20000);
    pr_buffer_consume(&buffer, 19996);
    assert_string_equal(buffer.data, "8,9,");
    pr_buffer_consume(&buffer, 4);
    assert_string_equal(pr_buffer_text(&buffer), "");
    assert_int_equal(pr_buffer_add_text(&buffer, "again"), PR_OK);
    pr_buffer_clear(&buffer);
    assert_string_equal(pr_buffer_text(&buffer), "");
    pr_buffer_done(&buffer);
    pr_buffer_done(&buffer);
    assert_null(buffer.data);
}

static void a_buffer_holds_its_cap_and_no_more(void **state)
{
    struct pr_buffer buffer;

    (void)state;
    pr_buffer_init(&buffer, 5);
    assert_int_equal(pr_buffer_add(&buffer, "abcde", 5), PR_OK);
    assert_int_equal(pr_buffer_add(&buffer, "", 0), PR_OK);
    assert_int_equal(pr_buffer_add(&buffer, "f", 1), PR_LIMIT);
    assert_int_equal(pr_buffer_printf(&buffer, "%s", "f"), PR_LIMIT);
    assert_int_equal(pr_buffer_printf(&buffer, "%s", ""), PR_OK);
    assert_null(pr_buffer_reserve(&buffer, 1));
    assert_null(pr_buffer_reserve(&buffer, SIZE_MAX));
    assert_string_equal(buffer.data, "abcde");
    assert_true(buffer.allocated <= 6);
    pr_buffer_consume(&buffer, 1);
    assert_int_equal(pr_buffer_add_text(&buffer, "fg"), PR_LIMIT);
    assert_int_equal(pr_buffer_add_text(&buffer, "f"), PR_OK);
    assert_string_equal(buffer.data, "bcdef");
    pr_buffer_done(&buffer);

    assert_int_equal(buffer.cap, 5); /* it can be filled again */
    assert_int_equal(pr_buffer_add_text(&buffer, "abc"), PR_OK);
    pr_buffer_done(&buffer);
}

static void a_buffer_without_cap_meets_no_overflow(void **state)
{
    struct pr_buffer buffer = {.cap = SIZE_MAX};

    (void)state;
    assert_int_equal(pr_buffer_add_text(&buffer, "abc"), PR_OK);
    assert_null(pr_buffer_reserve(&buffer, SIZE_MAX));
    assert_null(pr_buffer_reserve(&buffer, SIZE_MAX - 3));
    assert_null(pr_buffer_reserve(&buffer, SIZE_MAX - 4));
    assert_string_equal(buffer.data, "abc");
    pr_buffer_done(&buffer);
}

static void a_zeroed_buffer_takes_nothing(void **state)
{
    struct pr_buffer buffer = {.cap = 0};

    (void)state;
    assert_int_equal(pr_buffer_add(&buffer, NULL, 0), PR_OK);
    assert_int_equal(pr_buffer_add_text(&buffer, "a"), PR_LIMIT);
    pr_buffer_grew(&buffer, 0);
    pr_buffer_consume(&buffer, 0);
    pr_buffer_clear(&buffer);
    pr_buffer_done(&buffer);
}

static void reserved_room_is_filled_by_the_caller(void **state)
{
    struct pr_buffer buffer = {.cap = 1000};
    char *room;

    (void)state;
    for (int i = 0; i < 10; i++) {
        room = pr_buffer_reserve(&buffer, 100);
        assert_non_null(room);
        memset(room, 'a' + i, 100);
        pr_buffer_grew(&buffer, 50);
    }
    assert_int_equal(strlen(pr_buffer_text(&buffer)), 500);
    assert_int_equal(buffer.data[499], 'j');
    pr_buffer_done(&buffer);
}

static void a_buffer_survives_each_failed_allocation(void **state)
{
    unsigned long n = 1;
    bool failed;

    (void)state;
    do {
        struct pr_buffer buffer = {.cap = 4096};
        size_t wanted = 0;
        pr_status status = PR_OK;

        memory_fail_at(n++);
        for (int i = 0; i < 100 && status == PR_OK; i++) {
            status = pr_buffer_add_text(&buffer, "0123456789");
            wanted += status == PR_OK ? 10 : 0;
        }
        failed = !memory_fail_pending();
        assert_int_equal(status, failed ? PR_NOMEM : PR_OK);
        assert_int_equal(strlen(pr_buffer_text(&buffer)), wanted);
        pr_buffer_done(&buffer);
    } while (failed);
    memory_fail_at(0);
    assert_true(n > 3);
}

static void arena_memory_is_zeroed_aligned_and_apart(void **state)
{
    struct pr_arena *arena = pr_arena_new();
    unsigned char *pieces[600];

    (void)state;
    assert_non_null(arena);
    for (size_t i = 0; i < 600; i++) {
        size_t size = i * 7 % 411;

        pieces[i] = pr_arena_alloc(arena, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < size; j++)
            assert_int_equal(pieces[i][j], 0);
        memset(pieces[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < 600; i++)
        for (size_t j = 0; j < i * 7 % 411; j++)
            assert_int_equal(pieces[i][j], i & 0xff);
    pr_arena_free(arena);
    pr_arena_free(NULL);
}

static void an_arena_copies_texts(void **state)
{
    struct pr_arena *arena = pr_arena_new();
    char *large, *bytes;

    (void)state;
    assert_string_equal(pr_arena_text(arena, "hello"), "hello");
    assert_string_equal(pr_arena_text(arena, ""), "");
    bytes = pr_arena_bytes(arena, PR_BYTES("a\0b"));
    assert_memory_equal(bytes, "a\0b", 4);
    assert_string_equal(pr_arena_bytes(arena, (struct pr_bytes){NULL, 0}), "");
    assert_string_equal(pr_arena_printf(arena, "%s-%03d", "x", 7), "x-007");
    large = pr_arena_alloc(arena, 1 << 20);
    assert_non_null(large);
    memset(large, 'x', 1 << 20);
    assert_string_equal(pr_arena_text(arena, "after"), "after");
    pr_arena_free(arena);
}

static void absurd_sizes_are_out_of_memory(void **state)
{
    struct pr_arena *arena = pr_arena_new();

    (void)state;
    assert_null(pr_arena_alloc(arena, SIZE_MAX));
    assert_null(pr_arena_alloc(arena, SIZE_MAX - 64));
    assert_int_equal(pr_last_failure()->status, PR_NOMEM);
    assert_null(pr_arena_array(arena, SIZE_MAX / 4, 5));
    assert_null(pr_arena_bytes(arena, (struct pr_bytes){"", SIZE_MAX}));
    assert_non_null(pr_arena_array(arena, 0, 5));
    assert_non_null(pr_arena_array(arena, 5, 0));
    pr_arena_free(arena);
}

static void an_arena_survives_each_failed_allocation(void **state)
{
    unsigned long n = 1;
    bool failed;

    (void)state;
    do {
        struct pr_arena *arena;
        size_t missing = 0;

        memory_fail_at(n++);
        arena = pr_arena_new();
        for (int i = 0; i < 50 && arena != NULL; i++)
            missing += pr_arena_alloc(arena, 100) == NULL;
        failed = !memory_fail_pending();
        assert_true(failed == (arena == NULL || missing == 1));
        if (failed)
            assert_int_equal(pr_last_failure()->status, PR_NOMEM);
        pr_arena_free(arena);
    } while (failed);
    memory_fail_at(0);
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_compare_by_size_and_octets),
        cmocka_unit_test(a_buffer_grows_and_ends_in_nul),
        cmocka_unit_test(a_buffer_holds_its_cap_and_no_more),
        cmocka_unit_test(a_buffer_without_cap_meets_no_overflow),
        cmocka_unit_test(a_zeroed_buffer_takes_nothing),
        cmocka_unit_test(reserved_room_is_filled_by_the_caller),
        cmocka_unit_test(a_buffer_survives_each_failed_allocation),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(an_arena_copies_texts),
        cmocka_unit_test(absurd_sizes_are_out_of_memory),
        cmocka_unit_test(an_arena_survives_each_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
