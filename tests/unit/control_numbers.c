/*
 * Numbers of accounts, and how they are shown as metrics.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "control/advice.h"
#include "control/listener.h"
#include "control/notify.h"
#include "control/openmetrics.h"

#define OK(call) assert_int_equal((call), PR_OK)
#define BEGAN 1000000

static struct tally *tally;

static int set_up(void **unused)
{
    (void)unused;
    setenv("TZ", "UTC", 1);
    return tally_new(BEGAN, &tally) != PR_OK;
}

static int tear_down(void **unused)
{
    (void)unused;
    tally_free(tally);
    return 0;
}

static void tell(const char *status, int64_t received, int64_t now_ms)
{
    tally_message(tally,
                  &(struct message_report){.account = "work",
                                           .size = 1000,
                                           .rules_us = 2000,
                                           .received = received,
                                           .status = status},
                  now_ms);
}

static const struct tally_account *work(int64_t now)
{
    return tally_account(tally, "work", now);
}

static void messages_are_counted_by_outcome(void **unused)
{
    (void)unused;
    tell("done", 0, BEGAN * 1000LL);
    tell("done", 0, BEGAN * 1000LL);
    tell("later", 0, BEGAN * 1000LL);
    tell("failed", 0, BEGAN * 1000LL);
    assert_int_equal(work(BEGAN)->done, 2);
    assert_int_equal(work(BEGAN)->later, 1);
    assert_int_equal(work(BEGAN)->failed, 1);
    assert_int_equal(work(BEGAN)->octets, 2000);
    assert_int_equal(work(BEGAN)->rules.count, 4);
    assert_int_equal(work(BEGAN)->last_message, BEGAN);
    assert_int_equal(tally_account(tally, "home", BEGAN)->done, 0);
}

/* What waited on the server before the daemon began says nothing of it. */
static void latency_is_that_of_new_mail(void **unused)
{
    (void)unused;
    assert_true(tally_median(work(BEGAN)) < 0);
    tell("done", BEGAN - 5, BEGAN * 1000LL + 100);
    assert_true(tally_median(work(BEGAN)) < 0);
    tell("done", BEGAN + 10, (BEGAN + 10) * 1000LL + 250);
    tell("done", BEGAN + 20, (BEGAN + 20) * 1000LL + 4000);
    tell("done", BEGAN + 30, (BEGAN + 30) * 1000LL + 700);
    /* A server whose clock is ahead. */
    tell("done", BEGAN + 99, (BEGAN + 40) * 1000LL);
    assert_true(tally_last_latency(work(BEGAN)) == 0);
    assert_true(tally_median(work(BEGAN)) == 0.7);
    assert_int_equal(work(BEGAN)->latency.count, 4);
    assert_int_equal(work(BEGAN)->latency.counts[0], 2);
}

static void the_day_begins_at_midnight(void **unused)
{
    int64_t midnight = tally_midnight(BEGAN) + 86400;

    (void)unused;
    tally_begin(tally, "work", 7, BEGAN - 60);
    tell("done", 0, (midnight - 1) * 1000);
    assert_int_equal(work(midnight - 1)->today, 8);
    assert_int_equal(work(midnight)->today, 0);
    assert_int_equal(work(midnight)->done, 1);
    assert_int_equal(work(midnight)->last_message, midnight - 1);
}

static void check_has(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("no \"%s\" in:\n%s", words, text);
}

static void metrics_have_every_number(void **unused)
{
    struct pr_buffer out = {.cap = 1 << 20};

    (void)unused;
    tell("done", BEGAN + 10, (BEGAN + 10) * 1000LL + 700);
    tally_pass(tally,
               &(struct account_report){.account = "work", .status = PR_AUTH});
    struct metrics_account account = {.name = "wo\"rk\\",
                                      .state = "troubled",
                                      .numbers = work(BEGAN),
                                      .put_aside = 3,
                                      .waiting = 5,
                                      .connections = 2};
    struct metrics metrics = {.version = "1.2",
                              .started = BEGAN,
                              .accounts = &account,
                              .account_count = 1};
    OK(openmetrics_add(&metrics, &out));
    const char *text = pr_buffer_text(&out);
    check_has(text, "postrider_build_info{version=\"1.2\"} 1\n");
    check_has(text, "{account=\"wo\\\"rk\\\\\",outcome=\"done\"} 1\n");
    check_has(text, "kind=\"auth\"} 1\n");
    check_has(text, "postrider_account_state=\"troubled\"} 1\n");
    check_has(text, "postrider_account_state=\"waiting\"} 0\n");
    check_has(text, "postrider_put_aside_messages{account=\"wo\\\"rk\\\\\"} 3");
    check_has(text, "# TYPE postrider_waiting_messages gauge\n# HELP ");
    check_has(text, "postrider_waiting_messages{account=\"wo\\\"rk\\\\\"} 5");
    check_has(text, "le=\"0.50\"} 0\n");
    check_has(text, "le=\"1.0\"} 1\n");
    check_has(text, "le=\"+Inf\"} 1\n");
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    pr_buffer_done(&out);
}

static void rules_and_services_have_numbers(void **unused)
{
    struct pr_buffer out = {.cap = 1 << 20};
    const struct rule_profile rule = {
        .rule = "a \"b\"",
        .runs = 7,
        .decisions = 2,
        .failures = 1,
        .time = 1500,
        .waited = 2500000,
        .fetched = {.structure = 300, .parts = 4000, .requests = 9},
    };
    const struct service_health service = {
        .name = "http example.org",
        .asked = 12,
        .failed = 5,
        .is_left_alone = true,
    };
    const struct metrics metrics = {.version = "1",
                                    .rules = &rule,
                                    .rule_count = 1,
                                    .services = &service,
                                    .service_count = 1};

    (void)unused;
    OK(openmetrics_add(&metrics, &out));
    const char *text = pr_buffer_text(&out);
    check_has(text, "rule_messages_total{rule=\"a \\\"b\\\"\"} 7\n");
    check_has(text, "rule_decisions_total{rule=\"a \\\"b\\\"\"} 2\n");
    check_has(text, "rule_failures_total{rule=\"a \\\"b\\\"\"} 1\n");
    check_has(text, "rule_lua_seconds_total{rule=\"a \\\"b\\\"\"} 0.001500");
    check_has(text, "rule_waited_seconds_total{rule=\"a \\\"b\\\"\"} 2.500");
    check_has(text, "rule_requests_total{rule=\"a \\\"b\\\"\"} 9\n");
    check_has(text, ",what=\"part\"} 4000\n");
    check_has(text, "questions_total{service=\"http example.org\"} 12\n");
    check_has(text, "failures_total{service=\"http example.org\"} 5\n");
    check_has(text, "left_alone{service=\"http example.org\"} 1\n");
    pr_buffer_done(&out);
}

/* ---- Small things beside ------------------------------------------------- */

static void metrics_stay_on_this_machine(void **unused)
{
    static const char *const good[] = {"127.0.0.1:9417", "[::1]:9417",
                                       "localhost:1", "127.9.9.9:65535"};
    static const char *const bad[] = {"9417",           "127.0.0.1",
                                      "127.0.0.1:0",    "127.0.0.1:65536",
                                      "127.0.0.1:94x",  "example.org:9417",
                                      "0.0.0.0:9417",   "[::]:9417",
                                      "192.0.2.1:9417", ":9417",
                                      "127.0.0.1:-1",   ""};
    struct sockaddr_storage address;

    (void)unused;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        OK(listener_address(good[i], false, &address));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(listener_address(bad[i], false, &address), PR_CONFIG);
    OK(listener_address("0.0.0.0:9417", true, &address));
}

static void advice_names_the_line_to_look_at(void **unused)
{
    struct pr_buffer out = {.cap = 4096};

    (void)unused;
    OK(advice_add(PR_AUTH, "work", "/home/a/config.lua", 12, &out));
    check_has(pr_buffer_text(&out), "config.lua:12");
    check_has(pr_buffer_text(&out), "postrider poll work");
    for (int status = PR_CANCELLED; status <= PR_BUG; status++) {
        pr_buffer_clear(&out);
        OK(advice_add((pr_status)status, "work", "config.lua", 1, &out));
        assert_true(out.size > 10);
    }
    pr_buffer_done(&out);
}

static void a_notify_socket_has_two_forms(void **unused)
{
    struct sockaddr_un address;
    unsigned size;
    char path[200];

    (void)unused;
    assert_true(notify_address("/run/notify", &address, &size));
    assert_string_equal(address.sun_path, "/run/notify");
    assert_true(notify_address("@name", &address, &size));
    assert_int_equal(address.sun_path[0], '\0');
    assert_memory_equal(address.sun_path + 1, "name", 4);
    assert_int_equal(size, offsetof(struct sockaddr_un, sun_path) + 5);
    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_false(notify_address(path, &address, &size));
    assert_false(notify_address("run", &address, &size));
    assert_false(notify_address("", &address, &size));
    assert_false(notify_address("@", &address, &size));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_are_counted_by_outcome),
        TEST(latency_is_that_of_new_mail),
        TEST(the_day_begins_at_midnight),
        TEST(metrics_have_every_number),
        TEST(rules_and_services_have_numbers),
        TEST(metrics_stay_on_this_machine),
        TEST(advice_names_the_line_to_look_at),
        TEST(a_notify_socket_has_two_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
