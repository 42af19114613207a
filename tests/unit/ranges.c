/*
 * Sets of UIDs: whatever goes in, a tidy set comes out, and it is the right
 * one.
 */
#include "config.h"

#include "mail/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 64
#define SMALL 12 /* UIDs of the sets that are all tried */

struct set {
    struct pr_range ranges[MOST];
    size_t count;
};

typedef size_t combine(const struct pr_range *a, size_t a_count,
                       const struct pr_range *b, size_t b_count,
                       struct pr_range *out);

/* "1:3,7"; as it stands, tidy or not. */
static struct set set_of(const char *text)
{
    struct set set = {.count = 0};
    while (*text != '\0') {
        struct pr_range *range = &set.ranges[set.count++];
        char *end;
        range->first = range->last = (uint32_t)strtoul(text, &end, 10);
        if (*end == ':') {
            range->last = (uint32_t)strtoul(end + 1, &end, 10);
        }
        text = *end == ',' ? end + 1 : end;
    }
    return set;
}

static void expect(const struct pr_range *ranges, size_t count,
                   const char *expected)
{
    char text[2000];
    assert_string_equal(ranges_text(ranges, count, text, sizeof(text)),
                        expected);
}

static void expect_of(combine *how, const char *a, const char *b,
                      const char *expected)
{
    struct set left = set_of(a), right = set_of(b);
    struct pr_range out[2 * MOST];
    size_t count = how(left.ranges, left.count, right.ranges, right.count, out);
    assert_true(count <= left.count + right.count);
    expect(out, count, expected);
}

static void expect_tidy(const char *untidy, const char *expected)
{
    struct set set = set_of(untidy);
    expect(set.ranges, ranges_tidy(set.ranges, set.count), expected);
}

static void a_set_is_made_tidy(void **state)
{
    (void)state;
    expect_tidy("", "");
    expect_tidy("7", "7");
    expect_tidy("9,1,5", "1,5,9");
    expect_tidy("3,1,2", "1:3");
    expect_tidy("1:5,2:3", "1:5");
    expect_tidy("1:3,2:9,9", "1:9");
    expect_tidy("4,4,4", "4");
    expect_tidy("1:4294967295,7", "1:4294967295");
    expect_tidy("4294967295,4294967294,1", "1,4294967294:4294967295");
}

static void neighbours_are_one_range(void **state)
{
    (void)state;
    expect_of(ranges_union, "1:3", "4:6", "1:6");
    expect_of(ranges_union, "4:6", "1:3", "1:6");
    expect_of(ranges_union, "1:3", "5:6", "1:3,5:6");
    expect_of(ranges_union, "1,3,5,7", "2,4,6", "1:7");
    expect_of(ranges_union, "4294967295", "4294967294",
              "4294967294:4294967295");
    expect_of(ranges_common, "1:3,5:9", "2:7", "2:3,5:7");
}

static void with_no_message_a_set_stays_or_is_empty(void **state)
{
    (void)state;
    expect_of(ranges_union, "", "", "");
    expect_of(ranges_union, "1:3", "", "1:3");
    expect_of(ranges_union, "", "1:3", "1:3");
    expect_of(ranges_common, "1:3", "", "");
    expect_of(ranges_common, "", "1:3", "");
    expect_of(ranges_without, "1:3", "", "1:3");
    expect_of(ranges_without, "", "1:3", "");
    expect_of(ranges_without, "", "", "");
}

static void a_set_loses_what_is_taken_away(void **state)
{
    (void)state;
    expect_of(ranges_without, "1:9", "1:9", "");
    expect_of(ranges_without, "1:9", "5", "1:4,6:9");
    expect_of(ranges_without, "1:9", "1", "2:9");
    expect_of(ranges_without, "1:9", "9", "1:8");
    expect_of(ranges_without, "3:5", "1:9", "");
    expect_of(ranges_without, "3:5", "1:2,6:9", "3:5");
    expect_of(ranges_without, "1:9", "2,4,6,8", "1,3,5,7,9");
    expect_of(ranges_without, "1:3,5:7,9", "3:5,7:20", "1:2,6");
    /* One that is taken away reaches into two that are there. */
    expect_of(ranges_without, "1:3,5:7", "2:6", "1,7");
}

static void all_the_uids_there_can_be_are_one_range(void **state)
{
    static const struct pr_range all = {1, UINT32_MAX};
    (void)state;
    expect_of(ranges_union, "1:4294967295", "7", "1:4294967295");
    expect_of(ranges_union, "1:4294967294", "4294967295", "1:4294967295");
    expect_of(ranges_common, "1:4294967295", "7,4294967295", "7,4294967295");
    expect_of(ranges_without, "1:4294967295", "1:4294967295", "");
    expect_of(ranges_without, "1:4294967295", "4294967295", "1:4294967294");
    expect_of(ranges_without, "1:4294967295", "2:4294967294", "1,4294967295");
    expect_of(ranges_without, "0:4294967295", "0", "1:4294967295");
    assert_int_equal(ranges_size(&all, 1), UINT32_MAX);
    assert_true(ranges_have(&all, 1, UINT32_MAX));
}

static void messages_are_found_and_counted(void **state)
{
    struct set set = set_of("2:4,7,9:4294967295");
    (void)state;
    assert_int_equal(ranges_size(set.ranges, set.count),
                     3 + 1 + (uint64_t)UINT32_MAX - 8);
    assert_int_equal(ranges_size(NULL, 0), 0);
    assert_false(ranges_have(NULL, 0, 1));
    for (uint32_t uid = 0; uid < 12; uid++) {
        assert_int_equal(ranges_have(set.ranges, set.count, uid),
                         (uid >= 2 && uid <= 4) || uid == 7 || uid >= 9);
    }
}

static size_t from_bits(unsigned bits, struct pr_range *out)
{
    size_t count = 0;
    for (uint32_t uid = 1; uid <= SMALL; uid++) {
        if ((bits >> uid & 1) != 0) {
            out[count++] = (struct pr_range){uid, uid};
        }
    }
    return ranges_tidy(out, count);
}

static void expect_bits(const struct pr_range *got, size_t count, unsigned bits)
{
    struct pr_range right[MOST];
    assert_int_equal(from_bits(bits, right), count);
    assert_memory_equal(got, right, count * sizeof(*right));
}

/* Each pair of sets of a few UIDs, against sets of bits. */
static void every_pair_of_small_sets_is_combined_rightly(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 1u << (SMALL + 1); a += 2) {
        struct pr_range left[MOST], right[MOST], out[2 * MOST];
        size_t left_count = from_bits(a, left);
        for (unsigned b = a % 14; b < 1u << (SMALL + 1); b += 14) {
            size_t count = from_bits(b, right);
            unsigned one = b & ~1u;
            expect_bits(out, ranges_union(left, left_count, right, count, out),
                        a | one);
            expect_bits(out, ranges_common(left, left_count, right, count, out),
                        a & one);
            expect_bits(out,
                        ranges_without(left, left_count, right, count, out),
                        a & ~one);
        }
    }
}

static void many_ranges_are_combined(void **state)
{
    enum { MANY = 200000 };
    struct pr_range *even = calloc(MANY, sizeof(*even));
    struct pr_range *odd = calloc(MANY, sizeof(*odd));
    struct pr_range *out = calloc((size_t)2 * MANY, sizeof(*out));
    (void)state;
    assert_true(even != NULL && odd != NULL && out != NULL);
    for (uint32_t i = 0; i < MANY; i++) {
        even[i] = (struct pr_range){2 * i + 2, 2 * i + 2};
        odd[i] = (struct pr_range){2 * i + 1, 2 * i + 1};
    }
    assert_int_equal(ranges_union(even, MANY, odd, MANY, out), 1);
    expect(out, 1, "1:400000");
    assert_int_equal(ranges_common(even, MANY, odd, MANY, out + 1), 0);
    assert_int_equal(ranges_without(out, 1, odd, MANY, out + 1), MANY);
    assert_memory_equal(out + 1, even, MANY * sizeof(*even));
    free(even);
    free(odd);
    free(out);
}

static void words_are_cut_short(void **state)
{
    static const struct pr_range ranges[] = {
        {1, 3}, {5, 5}, {4000000000u, 4000000007u}};
    char text[30];
    (void)state;
    assert_string_equal(ranges_text(ranges, 0, text, sizeof(text)), "");
    assert_string_equal(ranges_text(ranges, 2, text, sizeof(text)), "1:3,5");
    assert_string_equal(ranges_text(ranges, 3, text, 20), "1:3,5,...");
    assert_string_equal(ranges_text(ranges, 3, text, 10), "1:3,5,...");
    assert_string_equal(ranges_text(ranges, 3, text, 9), "1:3,...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_made_tidy),
        cmocka_unit_test(neighbours_are_one_range),
        cmocka_unit_test(with_no_message_a_set_stays_or_is_empty),
        cmocka_unit_test(a_set_loses_what_is_taken_away),
        cmocka_unit_test(all_the_uids_there_can_be_are_one_range),
        cmocka_unit_test(messages_are_found_and_counted),
        cmocka_unit_test(every_pair_of_small_sets_is_combined_rightly),
        cmocka_unit_test(many_ranges_are_combined),
        cmocka_unit_test(words_are_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
