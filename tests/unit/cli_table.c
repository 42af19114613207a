/*
 * The status as a table: what a person reads in it.
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

#include "cli/profile.h"
#include "cli/table.h"

#define NOW "\"time\":1000000"
#define DAEMON                                                    \
    "\"daemon\":{\"pid\":7,\"version\":\"1\",\"started\":999000," \
    "\"reload_error\":null,\"stopping\":false}"
#define WORK                                                                 \
    "{\"account\":\"work\",\"state\":\"watching\",\"watched\":3,"            \
    "\"folders\":4,\"next_poll\":1000300,\"last_delivery\":999995,"          \
    "\"today\":{\"messages\":12},\"latency\":{\"last\":0.42,\"median\":90}," \
    "\"trouble\":null}"
#define TROUBLED                                                           \
    "{\"account\":\"an-account-with-a-rather-long-name\","                 \
    "\"state\":\"troubled\",\"next_poll\":1003600,\"last_delivery\":null," \
    "\"today\":{\"messages\":0},\"trouble\":{\"kind\":\"auth\",\"text\":"  \
    "\"the server refuses the password of alice: [AUTHENTICATIONFAILED] "  \
    "Authentication failed.\",\"since\":996400,\"failures\":3,\"advice\":" \
    "\"check `password` (config.lua:12), then: postrider poll work\"}}"

static char *text_of(const char *json, unsigned width, bool is_colored)
{
    const struct table_look look = {width, is_colored};
    struct pr_buffer out = {.cap = 1 << 20};
    json_t *status = json_loads(json, 0, NULL);

    assert_non_null(status);
    assert_int_equal(table_add(status, &look, &out), PR_OK);
    json_decref(status);
    char *text = strdup(pr_buffer_text(&out));
    pr_buffer_done(&out);
    return text;
}

static void check_has(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("no \"%s\" in:\n%s", words, text);
}

static unsigned widest(const char *text)
{
    unsigned most = 0, width = 0;

    for (; *text != '\0'; text++) {
        if (*text == '\n')
            width = 0;
        else
            width += ((unsigned char)*text & 0xC0) != 0x80;
        most = width > most ? width : most;
    }
    return most;
}

static void an_account_is_a_row(void **unused)
{
    char *text =
        text_of("{" NOW "," DAEMON ",\"accounts\":[" WORK "]}", 80, false);

    (void)unused;
    check_has(text, "up for 16 min, pid 7");
    check_has(text, "watching 3 of 4");
    check_has(text, "in 5 min");
    check_has(text, "5 s ago");
    check_has(text, " 12 ");
    check_has(text, "1 min, 0.4 s");
    assert_null(strchr(text, '\033'));
    free(text);
}

static void trouble_says_what_to_do(void **unused)
{
    char *text = text_of(
        "{" NOW "," DAEMON ",\"accounts\":[" WORK "," TROUBLED "]}", 80, false);

    (void)unused;
    check_has(text, "in trouble");
    check_has(text, "the server refuses the password");
    check_has(text, "3 times, first 1 h ago");
    check_has(text, "-> check `password` (config.lua:12)");
    free(text);
}

static void it_fits_every_width(void **unused)
{
    (void)unused;
    for (unsigned width = 60; width <= 200; width++) {
        char *text =
            text_of("{" NOW "," DAEMON ",\"accounts\":[" WORK "," TROUBLED
                    "],\"put_aside_total\":1,\"put_aside\":[{\"id\":"
                    "\"work/INBOX/7\",\"size\":2000,\"reason\":\"the sink "
                    "refuses it for a reason that takes many words to say, "
                    "more than there is room for in one line\",\"tries\":2,"
                    "\"due\":1000060,\"subject\":\"Gr\303\274\303\237e\","
                    "\"from\":\"bob@example.org\"}]}",
                    width, false);
        if (widest(text) > width)
            fail_msg("%u columns in %u:\n%s", widest(text), width, text);
        free(text);
    }
}

static void what_is_put_aside_has_its_reason(void **unused)
{
    char *text = text_of(
        "{" NOW "," DAEMON ",\"accounts\":[" WORK "],\"put_aside_total\":3,"
        "\"put_aside\":[{\"id\":\"work/INBOX/7\",\"size\":2000,\"reason\":"
        "\"too odd\",\"tries\":2,\"due\":1000060,\"subject\":\"Hello\","
        "\"from\":\"bob@example.org\"},{\"id\":\"work/INBOX/8\",\"size\":9,"
        "\"reason\":\"larger than limit.size\",\"tries\":0,\"due\":null}]}",
        80, false);

    (void)unused;
    check_has(text, "Put aside: 3 messages");
    check_has(text, "work/INBOX/7");
    check_has(text, "\"Hello\" from bob@example.org");
    check_has(text, "too odd; tried 2 times, again in 1 min");
    check_has(text, "larger than limit.size\n");
    check_has(text, "and 1 more");
    check_has(text, "postrider retry ID");
    free(text);
}

static void a_refused_configuration_is_shown(void **unused)
{
    char *text = text_of("{" NOW ",\"daemon\":{\"pid\":7,\"version\":\"1\","
                         "\"started\":999000,\"reload_error\":{\"text\":"
                         "\"config.lua:3: no\",\"time\":999940}},\"accounts\":"
                         "[]}",
                         80, false);

    (void)unused;
    check_has(text, "refused 1 min ago: config.lua:3: no");
    check_has(text, "the old one is in use");
    free(text);
    text = text_of("{" NOW ",\"daemon\":{\"pid\":7,\"version\":\"1\","
                   "\"started\":999000,\"reload_error\":{\"text\":"
                   "\"in use, but\",\"time\":999940,\"used\":true}},"
                   "\"accounts\":[]}",
                   80, false);
    check_has(text, "failed in part 1 min ago: in use, but");
    check_has(text, "-> correct that");
    assert_null(strstr(text, "the old one"));
    free(text);
}

static void without_a_daemon_it_says_so(void **unused)
{
    char *text =
        text_of("{" NOW ",\"daemon\":null,\"accounts\":[{\"account\":\"work\","
                "\"state\":\"stopped\",\"last_delivery\":null,\"today\":"
                "{\"messages\":0},\"trouble\":null}]}",
                80, false);

    (void)unused;
    check_has(text, "No daemon runs");
    check_has(text, "postrider\ndaemon");
    check_has(text, "never");
    free(text);
}

static void a_service_that_is_left_alone_is_named(void **unused)
{
    char *text =
        text_of("{" NOW "," DAEMON ",\"accounts\":[" WORK "],\"services\":["
                "{\"service\":\"clamd localhost:3310\",\"left_alone\":false},"
                "{\"service\":\"rspamd http://localhost\",\"left_alone\":true,"
                "\"failures\":7,\"since\":999880,\"next_try\":1000040,"
                "\"why\":\"connect to localhost: refused\"}]}",
                300, false);

    (void)unused;
    check_has(text, "rspamd http://localhost is left alone: it failed 7 times "
                    "in a row (since 2 min, asked again in 40 s)");
    check_has(text, "connect to localhost: refused");
    check_has(text, "-> ");
    assert_null(strstr(text, "clamd"));
    free(text);
}

static void rules_have_a_row_each(void **unused)
{
    const struct table_look look = {80, false};
    struct pr_buffer out = {.cap = 1 << 20};
    json_t *status = json_loads(
        "{\"rules\":[{\"rule\":\"lists\",\"messages\":1204,\"decided\":301,"
        "\"failed\":0,\"lua_us\":120400,\"waited_us\":0,\"fetched\":{}},"
        "{\"rule\":\"eine Regel mit einem sehr langen Namen für Müll\","
        "\"messages\":10,\"decided\":0,\"failed\":2,\"lua_us\":1000000,"
        "\"waited_us\":25000000,\"fetched\":{\"structure\":1000,"
        "\"parts\":2000000}}]}",
        0, NULL);

    (void)unused;
    assert_non_null(status);
    assert_int_equal(profile_add(status, &look, &out), PR_OK);
    check_has(pr_buffer_text(&out), "\nlists ");
    check_has(pr_buffer_text(&out),
              "     1204      301       0   0.10 ms         -         -\n");
    check_has(pr_buffer_text(&out),
              "~       10        0       2    100 ms     2.5 s    2.0 MB\n");
    assert_true(widest(pr_buffer_text(&out)) <= 90);
    json_decref(status);
    pr_buffer_done(&out);
}

static void colours_are_asked_for(void **unused)
{
    char *text =
        text_of("{" NOW "," DAEMON ",\"accounts\":[" TROUBLED "]}", 80, true);

    (void)unused;
    check_has(text, "\033[31m");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_is_a_row),
        cmocka_unit_test(trouble_says_what_to_do),
        cmocka_unit_test(it_fits_every_width),
        cmocka_unit_test(what_is_put_aside_has_its_reason),
        cmocka_unit_test(a_refused_configuration_is_shown),
        cmocka_unit_test(without_a_daemon_it_says_so),
        cmocka_unit_test(a_service_that_is_left_alone_is_named),
        cmocka_unit_test(rules_have_a_row_each),
        cmocka_unit_test(colours_are_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
