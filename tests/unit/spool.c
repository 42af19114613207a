/*
 * The spool: line ends, memory and file, caps, the end of the header.
 */
#include "config.h"

#include "mail/spool.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"

static struct pr_spool *make(uint64_t cap)
{
    struct pr_spool *spool = NULL;
    assert_int_equal(spool_new("/tmp", cap, &spool), PR_OK);
    return spool;
}

static void append(struct pr_spool *spool, const char *data, size_t size)
{
    assert_int_equal(pr_spool_append(spool, data, size), PR_OK);
}

static void seal(struct pr_spool *spool)
{
    assert_int_equal(pr_spool_seal(spool), PR_OK);
}

static struct pr_spool *spool_of(const char *text)
{
    struct pr_spool *spool = make(0);
    append(spool, text, strlen(text));
    seal(spool);
    return spool;
}

static void assert_holds(const struct pr_spool *spool, const void *data,
                         size_t size)
{
    size_t got = 0;
    char *all = malloc(size + 1);
    assert_non_null(all);
    assert_int_equal(pr_spool_size(spool), size);
    assert_int_equal(pr_spool_read(spool, 0, all, size + 1, &got), PR_OK);
    assert_int_equal(got, size);
    assert_memory_equal(all, data, size);
    free(all);
}

static void assert_text(const char *wire, const char *kept)
{
    size_t size = strlen(wire);
    for (size_t first = 0; first <= size; first++)
        for (size_t second = first; second <= size; second++) {
            struct pr_spool *spool = make(0);
            append(spool, wire, first);
            append(spool, wire + first, second - first);
            append(spool, wire + second, size - second);
            seal(spool);
            assert_holds(spool, kept, strlen(kept));
            assert_int_equal(pr_spool_wire_size(spool), size);
            spool_free(spool);
        }
}

static void spool_turns_crlf_to_lf_across_cuts(void **state)
{
    (void)state;
    assert_text("a: b\r\n\r\nbody\r\n", "a: b\n\nbody\n");
    assert_text("\r\n", "\n");
    assert_text("\r\n\r\n", "\n\n");
    assert_text("no line end", "no line end");
    assert_text("", "");
}

static void spool_keeps_bare_cr_and_bare_lf(void **state)
{
    (void)state;
    assert_text("a\rb", "a\rb");
    assert_text("a\nb\n", "a\nb\n");
    assert_text("a\r\r\nb", "a\r\nb");
    assert_text("a\r\r\r\n", "a\r\r\n");
    assert_text("at the end\r", "at the end\r");
    assert_text("\r", "\r");
    assert_text("\r\r", "\r\r");
    assert_text("\n\r", "\n\r");
}

static void spool_keeps_nul(void **state)
{
    struct pr_spool *spool = make(0);
    (void)state;
    append(spool, "a\0\r\n\0", 5);
    seal(spool);
    assert_holds(spool, "a\0\n\0", 4);
    spool_free(spool);
}

/* Lines of 78 octets, CRLF counted, `size` octets when converted. */
static char *lines_of(size_t size, size_t *ret_wire_size)
{
    char *wire = malloc(2 * size + 2);
    size_t kept = 0, at = 0;
    assert_non_null(wire);
    while (kept < size) {
        bool ends = kept % 77 == 76;
        if (ends)
            wire[at++] = '\r';
        wire[at++] = ends ? '\n' : (char)('a' + kept % 26);
        kept++;
    }
    *ret_wire_size = at;
    return wire;
}

static char *without_cr(const char *wire, size_t size, size_t *ret_size)
{
    char *kept = malloc(size + 1);
    size_t at = 0;
    assert_non_null(kept);
    for (size_t i = 0; i < size; i++)
        if (wire[i] != '\r')
            kept[at++] = wire[i];
    *ret_size = at;
    return kept;
}

static void check_size(size_t size, size_t step)
{
    size_t wire_size = 0, kept_size = 0;
    char *wire = lines_of(size, &wire_size);
    char *kept = without_cr(wire, wire_size, &kept_size);
    struct pr_spool *spool = make(0);

    assert_int_equal(kept_size, size);
    for (size_t at = 0; at < wire_size; at += step)
        append(spool, wire + at, wire_size - at < step ? wire_size - at : step);
    seal(spool);
    assert_holds(spool, kept, kept_size);
    assert_int_equal(pr_spool_wire_size(spool), wire_size);
    assert_int_equal(pr_spool_file(spool) >= 0, size > SPOOL_MEMORY);
    assert_int_equal(pr_spool_memory(spool).data == NULL, size > SPOOL_MEMORY);
    if (size <= SPOOL_MEMORY)
        assert_int_equal(pr_spool_memory(spool).size, size);
    spool_free(spool);
    free(kept);
    free(wire);
}

static void spool_goes_to_a_file_beyond_64_kib(void **state)
{
    static const size_t steps[] = {1, 77, 4096, 65536, 1000000};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        check_size(SPOOL_MEMORY - 1, steps[i]);
        check_size(SPOOL_MEMORY, steps[i]);
        check_size(SPOOL_MEMORY + 1, steps[i]);
        check_size(2 * SPOOL_MEMORY, steps[i]);
        check_size(2 * SPOOL_MEMORY + 1, steps[i]);
        check_size(300000, steps[i]);
    }
}

static void spool_keeps_a_cr_that_is_one_too_many_for_memory(void **state)
{
    char *text = malloc(SPOOL_MEMORY + 1);
    struct pr_spool *spool = make(0);
    (void)state;
    assert_non_null(text);
    memset(text, 'x', SPOOL_MEMORY);
    text[SPOOL_MEMORY] = '\r';
    append(spool, text, SPOOL_MEMORY + 1);
    seal(spool);
    assert_holds(spool, text, SPOOL_MEMORY + 1);
    assert_true(pr_spool_file(spool) >= 0);
    spool_free(spool);
    free(text);
}

static void spool_of_an_announced_size_may_get_more_or_less(void **state)
{
    static const uint64_t told[] = {0, 1, 10, 5000, 65536, 65537, 1u << 30};
    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct pr_spool *spool = make(0);
        spool_expect(spool, told[i]);
        append(spool, "four", 4);
        append(spool, " more than ten", 14);
        seal(spool);
        assert_holds(spool, "four more than ten", 18);
        spool_free(spool);
    }
}

static void spool_refuses_more_than_its_cap(void **state)
{
    struct pr_spool *spool = make(10);
    (void)state;
    append(spool, "12345678\r\n", 10);
    assert_int_equal(pr_spool_append(spool, "x", 1), PR_LIMIT);
    assert_int_equal(pr_spool_append(spool, "", 0), PR_LIMIT);
    assert_int_equal(pr_spool_seal(spool), PR_LIMIT);
    spool_free(spool);
}

static void spool_knows_where_the_header_ends(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
        bool is_ended;
    } cases[] = {
        {"a: b\r\n\r\nbody\r\n\r\nmore", 6, true},
        {"a: b\nc: d\n\nbody", 11, true},
        {"\r\nbody", 1, true},
        {"\n\n", 1, true},
        {"a: b\n\r\nmixed", 6, true},
        {"a: b\r\n", 5, false},
        {"a: b", 4, false},
        {"", 0, false},
        {"a: b\r\n \r\nc: d\r\n\r\n", 13, true},
        {"a: b\r\r\n\r\n", 7, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].text);
        for (size_t cut = 0; cut <= size; cut++) {
            struct pr_spool *spool = make(0);
            append(spool, cases[i].text, cut);
            append(spool, cases[i].text + cut, size - cut);
            seal(spool);
            assert_int_equal(spool_header_size(spool), cases[i].size);
            assert_int_equal(spool_header_is_ended(spool), cases[i].is_ended);
            spool_free(spool);
        }
    }
}

static void spool_finds_the_end_of_a_header_in_a_file(void **state)
{
    struct pr_spool *spool = make(0);
    (void)state;
    for (int i = 0; i < 5000; i++)
        append(spool, "X-Field: value of it\r\n", 22);
    append(spool, "\r\nbody\r\n", 8);
    seal(spool);
    assert_true(pr_spool_file(spool) >= 0);
    assert_int_equal(spool_header_size(spool), 5000 * 21 + 1);

    struct pr_buffer header = {.cap = 1u << 20};
    assert_int_equal(spool_read_header(spool, 100, &header), PR_OK);
    assert_int_equal(header.size, 100);
    pr_buffer_clear(&header);
    assert_int_equal(spool_read_header(spool, 1u << 20, &header), PR_OK);
    assert_int_equal(header.size, 5000 * 21 + 1);
    assert_memory_equal(header.data + header.size - 6, "f it\n\n", 6);
    pr_buffer_done(&header);
    spool_free(spool);
}

static void spool_is_read_at_any_offset(void **state)
{
    char piece[5];
    size_t got = 9;
    struct pr_spool *spool = spool_of("0123456789");
    (void)state;
    assert_int_equal(pr_spool_read(spool, 8, piece, 5, &got), PR_OK);
    assert_int_equal(got, 2);
    assert_memory_equal(piece, "89", 2);
    assert_int_equal(pr_spool_read(spool, 10, piece, 5, &got), PR_OK);
    assert_int_equal(got, 0);
    assert_int_equal(pr_spool_read(spool, UINT64_MAX, piece, 5, &got), PR_OK);
    assert_int_equal(got, 0);
    spool_free(spool);
}

static void spool_exact_keeps_line_ends(void **state)
{
    struct pr_spool *spool = make(0);
    (void)state;
    assert_int_equal(spool_append_exact(spool, "a\r\nb\r", 5), PR_OK);
    assert_int_equal(spool_append_exact(spool, "\n\r\n", 3), PR_OK);
    seal(spool);
    assert_holds(spool, "a\r\nb\r\n\r\n", 8);
    spool_free(spool);
}

static void spool_is_written_and_read_in_the_right_order(void **state)
{
    char octet;
    size_t got;
    struct pr_spool *spool = make(0);
    (void)state;
    append(spool, "x", 1);
    assert_int_equal(pr_spool_read(spool, 0, &octet, 1, &got), PR_BUG);
    seal(spool);
    seal(spool);
    assert_int_equal(pr_spool_append(spool, "x", 1), PR_BUG);
    spool_free(spool);
    spool_free(NULL);
}

static void spool_says_when_the_disk_is_full(void **state)
{
    static char zeros[SPOOL_MEMORY];
    struct rlimit before, small;
    struct pr_spool *spool = make(0);
    pr_status status = PR_OK;
    (void)state;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){3 * SPOOL_MEMORY, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 10 && status == PR_OK; i++)
        status = pr_spool_append(spool, zeros, sizeof zeros);
    assert_int_equal(status, PR_FULL);
    assert_non_null(strstr(pr_last_failure()->text, "/tmp"));
    assert_int_equal(pr_spool_append(spool, "x", 1), PR_FULL);
    assert_int_equal(pr_spool_seal(spool), PR_FULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    spool_free(spool);
}

static void spool_without_its_directory_says_so(void **state)
{
    static char zeros[SPOOL_MEMORY + 1];
    struct pr_spool *spool = NULL;
    (void)state;
    assert_int_equal(spool_new("/tmp/no/such/folder", 0, &spool), PR_OK);
    assert_int_equal(pr_spool_append(spool, zeros, sizeof zeros), PR_IO);
    assert_non_null(strstr(pr_last_failure()->text, "/tmp/no/such/folder"));
    spool_free(spool);
}

static pr_status fill_in_fiber(void *argument)
{
    static char zeros[SPOOL_MEMORY + 1];
    struct pr_spool *spool = NULL;
    (void)argument;
    check_size(300000, 1000);
    assert_int_equal(spool_new("/tmp/no/such/folder", 0, &spool), PR_OK);
    assert_int_equal(pr_spool_append(spool, zeros, sizeof zeros), PR_IO);
    assert_non_null(strstr(pr_last_failure()->text, "/tmp/no/such/folder"));
    spool_free(spool);
    return PR_OK;
}

static void spool_is_written_from_a_fiber(void **state)
{
    (void)state;
    assert_int_equal(loop_run(2, fill_in_fiber, NULL), PR_OK);
}

static void spool_survives_each_failed_allocation(void **state)
{
    static char text[100000];
    unsigned long n = 0;
    bool was_met = true;
    (void)state;
    memset(text, 'x', sizeof text);
    while (was_met) {
        struct pr_spool *spool = NULL;
        memory_fail_at(++n);
        pr_status status = spool_new("/tmp", 0, &spool);
        if (status == PR_OK)
            status = pr_spool_append(spool, text, 700);
        if (status == PR_OK)
            status = pr_spool_append(spool, text, sizeof text);
        if (status == PR_OK)
            status = pr_spool_seal(spool);
        was_met = !memory_fail_pending();
        memory_fail_at(0);
        assert_int_equal(status, was_met ? PR_NOMEM : PR_OK);
        spool_free(spool);
    }
    assert_true(n > 5);
}

/* ---- For programs -------------------------------------------------------- */

static void assert_file(int fd, const char *before, const char *data,
                        size_t size)
{
    size_t more = strlen(before), at = 0;
    char *all = malloc(more + size + 1);
    assert_non_null(all);
    for (ssize_t got = 1; got > 0; at += (size_t)got) {
        got = read(fd, all + at, more + size + 1 - at);
        assert_true(got >= 0);
    }
    assert_int_equal(at, more + size);
    assert_memory_equal(all, before, more);
    assert_memory_equal(all + more, data, size);
    free(all);
}

static void assert_opens(const struct pr_spool *spool, const char *before,
                         const char *data, size_t size)
{
    int fd = -1;
    assert_int_equal(pr_spool_open(spool, pr_bytes_of(before), &fd), PR_OK);
    assert_true(write(fd, "x", 1) < 0);
    assert_true(ftruncate(fd, 0) < 0);
    assert_file(fd, before, data, size);
    close(fd);
}

static void spool_is_opened_for_programs(void **state)
{
    size_t wire_size, size;
    char *wire = lines_of(3 * SPOOL_MEMORY, &wire_size);
    char *kept = without_cr(wire, wire_size, &size);
    struct pr_spool *spool = spool_of("a: b\r\n\r\n");
    (void)state;
    assert_opens(spool, "", "a: b\n\n", 6);
    assert_opens(spool, "From x\n", "a: b\n\n", 6);
    spool_free(spool);
    spool = make(0);
    append(spool, wire, wire_size);
    seal(spool);
    for (int i = 0; i < 2; i++) {
        assert_opens(spool, "From x\n", kept, size);
        assert_opens(spool, "", kept, size);
    }
    assert_holds(spool, kept, size);
    spool_free(spool);
    free(wire);
    free(kept);
}

/* A program may read on after the message has left the house. */
static void spool_that_was_opened_is_nobody_elses(void **state)
{
    size_t wire_size, size;
    char *wire = lines_of(2 * SPOOL_MEMORY, &wire_size);
    char *kept = without_cr(wire, wire_size, &size);
    char *other = calloc(1, wire_size);
    int fd = -1;
    (void)state;
    assert_non_null(other);
    struct pr_spool *spool = make(0);
    append(spool, wire, wire_size);
    seal(spool);
    assert_int_equal(pr_spool_open(spool, pr_bytes_of(""), &fd), PR_OK);
    spool_free(spool);
    spool = make(0);
    append(spool, other, wire_size);
    seal(spool);
    assert_file(fd, "", kept, size);
    spool_free(spool);
    close(fd);
    free(wire);
    free(kept);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spool_turns_crlf_to_lf_across_cuts),
        cmocka_unit_test(spool_keeps_bare_cr_and_bare_lf),
        cmocka_unit_test(spool_keeps_nul),
        cmocka_unit_test(spool_goes_to_a_file_beyond_64_kib),
        cmocka_unit_test(spool_keeps_a_cr_that_is_one_too_many_for_memory),
        cmocka_unit_test(spool_of_an_announced_size_may_get_more_or_less),
        cmocka_unit_test(spool_refuses_more_than_its_cap),
        cmocka_unit_test(spool_knows_where_the_header_ends),
        cmocka_unit_test(spool_finds_the_end_of_a_header_in_a_file),
        cmocka_unit_test(spool_is_read_at_any_offset),
        cmocka_unit_test(spool_exact_keeps_line_ends),
        cmocka_unit_test(spool_is_written_and_read_in_the_right_order),
        cmocka_unit_test(spool_says_when_the_disk_is_full),
        cmocka_unit_test(spool_without_its_directory_says_so),
        cmocka_unit_test(spool_is_written_from_a_fiber),
        cmocka_unit_test(spool_is_opened_for_programs),
        cmocka_unit_test(spool_that_was_opened_is_nobody_elses),
        cmocka_unit_test(spool_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
