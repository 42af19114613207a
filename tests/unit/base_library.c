/*
 * Libraries that are linked when they are needed.
 */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <postrider/library.h>

#define FUNCTIONS(each) each(, cos) each(, sin)

static struct {
    FUNCTIONS(PR_LIBRARY_FUNCTION)
} mathematics;

static const char *const names[] = {FUNCTIONS(PR_LIBRARY_NAME) NULL};

static void its_functions_are_called_by_the_table(void **state)
{
    struct pr_library library = {"libm.so.6", "angles", names, &mathematics,
                                 false};

    (void)state;
    assert_int_equal(pr_library_link(&library), PR_OK);
    assert_true(library.is_linked);
    assert_true(mathematics.cos(0) > 0.9);
    assert_true(mathematics.sin(0) < 0.1);
    assert_int_equal(pr_library_link(&library), PR_OK);
}

static void one_that_is_missing_is_named_with_its_purpose(void **state)
{
    struct pr_library library = {"libnone.so.9", "angles", names, &mathematics,
                                 false};

    (void)state;
    assert_int_equal(pr_library_link(&library), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "angles"));
    assert_non_null(strstr(pr_last_failure()->text, "libnone.so.9"));
    assert_false(library.is_linked);
}

static void one_that_lacks_a_function_is_not_used(void **state)
{
    static const char *const lacking[] = {"cos", "no_such_function", NULL};
    struct pr_library library = {"libm.so.6", "angles", lacking, &mathematics,
                                 false};

    (void)state;
    assert_int_equal(pr_library_link(&library), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "no_such_function"));
    assert_false(library.is_linked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_functions_are_called_by_the_table),
        cmocka_unit_test(one_that_is_missing_is_named_with_its_purpose),
        cmocka_unit_test(one_that_lacks_a_function_is_not_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
