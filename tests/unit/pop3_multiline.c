/*
 * Where the text of a message ends, and what it was before its dots were
 * doubled.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/pop3/multiline.h"

/* Takes `wire`, so many octets at a time; its text is put into `text`. Returns
 * the octets used, or SIZE_MAX if the end was not found. */
static size_t take(struct pr_bytes wire, size_t step, char *text, size_t *size)
{
    struct pop3_multiline multiline = {.is_ended = false};
    size_t shown = 0, used = 0;

    *size = 0;
    while (!multiline.is_ended) {
        struct pr_bytes part, input = {wire.data + used, shown - used};
        if (input.size == 0) {
            if (shown == wire.size)
                return SIZE_MAX;
            shown = shown + step < wire.size ? shown + step : wire.size;
            continue;
        }
        used += pop3_multiline_take(&multiline, input, &part);
        memcpy(text + *size, part.data, part.size);
        *size += part.size;
    }
    return used;
}

/* In every cut. `rest` octets are behind the end. */
static void assert_taken(struct pr_bytes wire, size_t rest,
                         struct pr_bytes expected)
{
    char text[200];
    size_t size;

    for (size_t step = 1; step <= wire.size; step++) {
        assert_int_equal(take(wire, step, text, &size), wire.size - rest);
        assert_int_equal(size, expected.size);
        assert_memory_equal(text, expected.data, size);
    }
}

static void assert_no_end(struct pr_bytes wire)
{
    char text[200];
    size_t size;

    for (size_t step = 1; step <= wire.size; step++)
        assert_true(take(wire, step, text, &size) == SIZE_MAX);
}

static void the_end_is_a_dot_alone(void **state)
{
    (void)state;
    assert_taken(PR_BYTES(".\r\n"), 0, PR_BYTES(""));
    assert_taken(PR_BYTES("a\r\n.\r\n"), 0, PR_BYTES("a\r\n"));
    assert_taken(PR_BYTES("a\r\n.\r\n+OK\r\n"), 5, PR_BYTES("a\r\n"));
    assert_taken(PR_BYTES("\r\n\r\n.\r\n.\r\n"), 3, PR_BYTES("\r\n\r\n"));
}

static void a_doubled_dot_is_one(void **state)
{
    (void)state;
    assert_taken(PR_BYTES("..\r\n.\r\n"), 0, PR_BYTES(".\r\n"));
    assert_taken(PR_BYTES("...x\r\n.\r\n"), 0, PR_BYTES("..x\r\n"));
    assert_taken(PR_BYTES("a\r\n..b\r\n..\r\n.\r\n"), 0,
                 PR_BYTES("a\r\n.b\r\n.\r\n"));
    assert_taken(PR_BYTES("a.\r\nb..\r\n.\r\n"), 0, PR_BYTES("a.\r\nb..\r\n"));
}

static void a_dot_that_was_not_doubled_is_dropped(void **state)
{
    (void)state;
    assert_taken(PR_BYTES(".x\r\n.\r\n"), 0, PR_BYTES("x\r\n"));
    assert_taken(PR_BYTES(". \r\n.\r\n"), 0, PR_BYTES(" \r\n"));
}

static void bare_line_ends_are_text(void **state)
{
    (void)state;
    assert_no_end(PR_BYTES("a\n.\n"));
    assert_no_end(PR_BYTES("a\n.\r\n"));
    assert_no_end(PR_BYTES("a\r\n.\n"));
    assert_no_end(PR_BYTES("a\r.\r\n"));
    assert_no_end(PR_BYTES("a\r\n.\r"));
    assert_no_end(PR_BYTES("a\r.\r"));
    assert_no_end(PR_BYTES("a\r\n.\r\r\n"));
    assert_no_end(PR_BYTES("\n.\r\n"));
    assert_no_end(PR_BYTES("\r.\r\n"));
    assert_taken(PR_BYTES("a\n.\nb\n.\r\nc\r\n.\r\n"), 0,
                 PR_BYTES("a\n.\nb\n.\r\nc\r\n"));
    assert_taken(PR_BYTES("a\r.\rb\r\n.\rc\r\n.\r\n"), 0,
                 PR_BYTES("a\r.\rb\r\n\rc\r\n"));
    assert_taken(PR_BYTES("a\r\n.\n.\r\n.\r\n"), 0, PR_BYTES("a\r\n\n.\r\n"));
    assert_taken(PR_BYTES("a\r\r\n.\r\n"), 0, PR_BYTES("a\r\r\n"));
    assert_taken(PR_BYTES(".\r\r\n.\r\n"), 0, PR_BYTES("\r\r\n"));
}

static void large_pieces_stay_whole(void **state)
{
    struct pop3_multiline multiline = {.is_ended = false};
    static char text[100000];
    struct pr_bytes part;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 50 == 48 ? '\r' : i % 50 == 49 ? '\n' : 'x';
    assert_int_equal(pop3_multiline_take(&multiline,
                                         (struct pr_bytes){text, sizeof(text)},
                                         &part),
                     sizeof(text));
    assert_ptr_equal(part.data, text);
    assert_int_equal(part.size, sizeof(text));
}

/* ---- Headers ------------------------------------------------------------ */

static void assert_header(struct pr_bytes text, size_t expected, bool is_ended)
{
    for (size_t step = 1; step <= text.size; step++) {
        struct pop3_header header = {.is_ended = false};
        size_t taken = 0;
        for (size_t at = 0; at < text.size; at += step) {
            size_t size = step < text.size - at ? step : text.size - at;
            taken += pop3_header_take(&header,
                                      (struct pr_bytes){text.data + at, size});
        }
        assert_int_equal(taken, expected);
        assert_int_equal(header.is_ended, is_ended);
    }
}

static void a_header_ends_at_its_empty_line(void **state)
{
    (void)state;
    assert_header(PR_BYTES("A: 1\r\n\r\nbody\r\n"), 8, true);
    assert_header(PR_BYTES("A: 1\n\nbody\n\n"), 6, true);
    assert_header(PR_BYTES("A: 1\r\n\nbody"), 7, true);
    assert_header(PR_BYTES("\r\nbody\r\n"), 2, true);
    assert_header(PR_BYTES("A: 1\r\n B\r\n"), 10, false);
    assert_header(PR_BYTES("A: 1\r\n \r\nB: 2\r\n"), 15, false);
    assert_header(PR_BYTES("A\r\r\n\rb\r\n"), 8, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_is_a_dot_alone),
        cmocka_unit_test(a_doubled_dot_is_one),
        cmocka_unit_test(a_dot_that_was_not_doubled_is_dropped),
        cmocka_unit_test(bare_line_ends_are_text),
        cmocka_unit_test(large_pieces_stay_whole),
        cmocka_unit_test(a_header_ends_at_its_empty_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
