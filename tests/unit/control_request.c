/*
 * Requests of the control socket, taken out of their lines.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/request.h"

static struct pr_arena *arena;

static pr_status parse(const char *line, struct request *ret)
{
    return request_parse(pr_bytes_of(line), arena, ret);
}

static void check_refused(const char *line, const char *words)
{
    struct request request;

    assert_int_equal(parse(line, &request), PR_CONFIG);
    if (strstr(pr_last_failure()->text, words) == NULL)
        fail_msg("%s: %s", line, pr_last_failure()->text);
}

static void each_request_has_its_fields(void **unused)
{
    struct request request;

    (void)unused;
    assert_int_equal(parse("{\"do\":\"status\"}", &request), PR_OK);
    assert_int_equal(request.kind, REQUEST_STATUS);
    assert_false(request.follow);
    assert_int_equal(parse("{\"do\":\"poll\",\"accounts\":[\"work\",\"b\"],"
                           "\"retry\":true,\"report\":true}",
                           &request),
                     PR_OK);
    assert_int_equal(request.kind, REQUEST_POLL);
    assert_string_equal(request.accounts[0], "work");
    assert_string_equal(request.accounts[1], "b");
    assert_null(request.accounts[2]);
    assert_true(request.retry && request.report);
    assert_int_equal(parse("{\"do\":\"log\",\"follow\":true,\"level\":"
                           "\"debug\",\"lines\":7}",
                           &request),
                     PR_OK);
    assert_int_equal(request.kind, REQUEST_LOG);
    assert_int_equal(request.level, PR_LOG_DEBUG);
    assert_int_equal(request.lines, 7);
    assert_int_equal(parse("{\"do\":\"drop\",\"id\":\"work/A/B/7\"}", &request),
                     PR_OK);
    assert_int_equal(request.kind, REQUEST_DROP);
    assert_string_equal(request.id, "work/A/B/7");
    assert_int_equal(parse("{\"do\":\"refuse\",\"id\":\"work/A\","
                           "\"retry\":true}",
                           &request),
                     PR_OK);
    assert_int_equal(request.kind, REQUEST_REFUSE);
    assert_string_equal(request.id, "work/A");
    assert_true(request.retry);
    assert_int_equal(parse("{\"do\":\"confirm\",\"id\":\"work\"}", &request),
                     PR_OK);
    assert_int_equal(request.kind, REQUEST_CONFIRM);
    assert_int_equal(parse("{\"do\":\"undo\",\"accounts\":[\"work\"],"
                           "\"since\":1795349121,\"dry_run\":true}",
                           &request),
                     PR_OK);
    assert_int_equal(request.kind, REQUEST_UNDO);
    assert_int_equal(request.since, 1795349121);
    assert_true(request.dry_run);
    assert_int_equal(parse("{\"do\":\"reload\"}", &request), PR_OK);
    assert_int_equal(request.kind, REQUEST_RELOAD);
}

static void no_name_means_all_accounts(void **unused)
{
    struct request request;

    (void)unused;
    assert_int_equal(parse("{\"do\":\"pause\"}", &request), PR_OK);
    assert_null(request.accounts);
    assert_int_equal(parse("{\"do\":\"pause\",\"accounts\":[]}", &request),
                     PR_OK);
    assert_null(request.accounts);
}

/* A slip must not turn one account into all. */
static void a_slip_is_refused(void **unused)
{
    (void)unused;
    check_refused("{\"do\":\"pause\",\"account\":[\"work\"]}", "no field");
    check_refused("{\"do\":\"pause\",\"accounts\":\"work\"}", "list of names");
    check_refused("{\"do\":\"pause\",\"accounts\":[1]}", "list of names");
    check_refused("{\"do\":\"pause\",\"accounts\":[\"a\"],\"accounts\":[]}",
                  "JSON");
    check_refused("{\"do\":\"stats\"}", "did you mean \"status\"");
    check_refused("{\"status\":true}", "\"do\"");
    check_refused("{\"do\":\"status\",\"follow\":1}", "true or false");
    check_refused("{\"do\":\"status\",\"retry\":true}", "no field");
    check_refused("{\"do\":\"log\",\"level\":\"loud\"}", "level");
    check_refused("{\"do\":\"log\",\"lines\":-1}", "lines");
    check_refused("{\"do\":\"retry\"}", "\"id\"");
    check_refused("{\"do\":\"drop\",\"id\":\"\"}", "ACCOUNT/FOLDER/UID");
    check_refused("{\"do\":\"confirm\"}", "\"id\"");
    check_refused("{\"do\":\"undo\",\"since\":0}", "since");
    check_refused("{\"do\":\"undo\",\"since\":\"10m\"}", "since");
    check_refused("[]", "object");
    check_refused("", "JSON");
    check_refused("{\"do\":\"status\"}}", "JSON");
    check_refused("{\"do\":\"status\x01\"}", "JSON");
}

static int set_up(void **unused)
{
    (void)unused;
    arena = pr_arena_new();
    return arena == NULL;
}

static int tear_down(void **unused)
{
    (void)unused;
    pr_arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_fields),
        cmocka_unit_test(no_name_means_all_accounts),
        cmocka_unit_test(a_slip_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
