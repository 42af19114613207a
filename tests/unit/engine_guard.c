/*
 * How much rules may delete in one run.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/parts.h"

struct question {
    int64_t messages, percent; /* limit_deletions */
    uint64_t count, before, exists;
    bool is_allowed;
};

static void ask_all(const struct question *questions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct question *it = &questions[i];
        const struct account account = {
            .deletions = {it->messages, it->percent}};
        if (deletions_are_allowed(&account, it->count, it->before,
                                  it->exists) != it->is_allowed)
            fail_msg("question %zu", i);
    }
}

#define ASK(questions) \
    ask_all(questions, sizeof(questions) / sizeof(*questions))

static void percent_is_of_the_folder(void **unused)
{
    static const struct question questions[] = {
        {500, 30, 30, 0, 100, true},
        {500, 30, 31, 0, 100, false},
        {500, 30, 300, 0, 1000, true},
        {500, 30, 301, 0, 1000, false},
        {500, 100, 90, 0, 90, true},
        {500, 1, 10, 0, 999, false},
        {0, 30, UINT32_MAX / 4, 0, UINT32_MAX, true},
    };

    (void)unused;
    ASK(questions);
}

static void a_few_are_never_too_many_percent(void **unused)
{
    static const struct question questions[] = {
        {500, 30, 9, 0, 9, true},
        {500, 30, 10, 0, 10, false},
        {5, 30, 6, 0, 1000, false}, /* but they may be too many */
        {500, 30, 0, 0, 0, true},
        {500, 30, 20, 0, 0, true}, /* how many there are is not known */
    };

    (void)unused;
    ASK(questions);
}

static void the_number_is_of_all_folders_of_the_run(void **unused)
{
    static const struct question questions[] = {
        {500, 30, 500, 0, 100000, true},
        {500, 30, 501, 0, 100000, false},
        {500, 30, 100, 400, 100000, true},
        {500, 30, 100, 401, 100000, false},
        {500, 30, 1, UINT64_MAX, 100000, false},
        {500, 30, UINT64_MAX, 1, 100000, false},
    };

    (void)unused;
    ASK(questions);
}

static void nought_is_no_limit(void **unused)
{
    static const struct question questions[] = {
        {0, 0, 100000, 100000, 100000, true},
        {0, 30, 100000, 100000, 400000, true},
        {500, 0, 400, 0, 400, true},
    };

    (void)unused;
    ASK(questions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_is_of_the_folder),
        cmocka_unit_test(a_few_are_never_too_many_percent),
        cmocka_unit_test(the_number_is_of_all_folders_of_the_run),
        cmocka_unit_test(nought_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
