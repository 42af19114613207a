/*
 * What rules keep for later messages: seen, store, ratelimit; and that a
 * message which is tried again finds everything as it was.
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

#include "fiber/loop.h"
#include "lua_fixture.h"
#include "state/state.h"

#define OK(call) assert_int_equal((call), PR_OK)

static const char *directory;
static struct state *state;
static struct config *config;
static struct message *messages[8];
static char answer[2000];

static const char *patience; /* what begins each configuration */

static void load(const char *body)
{
    char text[8192];

    snprintf(text, sizeof text,
             "%slocal mail = maildir \"/m\" account \"work\" { source = imap { "
             "host = \"h\" }, deliver = mail }\n"
             "rule(\"r\", function(m)\n%s\nend)",
             patience, body);
    config_free(config);
    config = NULL;
    if (fixture_load(text, &config) != PR_OK)
        fail_msg("%s", pr_last_failure()->text);
    rules_attach(config, state, false);
}

static pr_status run_job(void *argument)
{
    return rules_run(config, argument);
}

/* Runs the rules over the n-th message and returns what they noted, with
 * spaces between. It stays in the house. */
static const char *run(int n, const char *id)
{
    char text[300];

    snprintf(text, sizeof text, "Message-ID: <%s>\r\nSubject: %s\r\n\r\nx\r\n",
             id, id);
    messages[n] = fixture_message(config, "INBOX", text);
    answer[0] = '\0';
    if (loop_run(2, run_job, messages[n]) != PR_OK)
        return pr_last_failure()->text;
    for (size_t i = 0; i < messages[n]->plan.count; i++)
        snprintf(answer + strlen(answer), sizeof answer - strlen(answer),
                 "%s%s", i > 0 ? " " : "", messages[n]->plan.entries[i].text);
    return answer;
}

/* The message is put off, or killed with its process. */
static void put_off(int n)
{
    fixture_message_free(messages[n]);
    messages[n] = NULL;
}

/* The message is dealt with. */
static void deal_with(int n)
{
    struct state_changes *changes;

    OK(state_begin(state, &changes));
    rules_note(messages[n], changes);
    OK(state_commit(changes));
    rules_noted(messages[n]);
    put_off(n);
}

static void restart(const char *body)
{
    for (int i = 0; i < 8; i++)
        if (messages[i] != NULL)
            put_off(i);
    config_free(config);
    config = NULL;
    state_close(state);
    OK(state_open(directory, &state));
    load(body);
}

static int set_up(void **unused)
{
    char command[200];

    (void)unused;
    snprintf(command, sizeof command, "rm -rf %s/state*", directory);
    assert_int_equal(system(command), 0);
    return state_open(directory, &state) == PR_OK ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    for (int i = 0; i < 8; i++)
        if (messages[i] != NULL)
            put_off(i);
    config_free(config);
    config = NULL;
    state_close(state);
    return 0;
}

/* ---- seen ---------------------------------------------------------------- */

#define SEEN "m:note(tostring(seen()))"

static void a_copy_of_a_message_was_seen(void **unused)
{
    (void)unused;
    load(SEEN);
    assert_string_equal(run(0, "a"), "false");
    deal_with(0);
    assert_string_equal(run(1, "b"), "false");
    assert_string_equal(run(2, "a"), "true");
    restart(SEEN);
    assert_string_equal(run(0, "a"), "true");
    assert_string_equal(run(1, "b"), "false"); /* it was never dealt with */
}

static void two_copies_that_come_together_are_told_apart(void **unused)
{
    (void)unused;
    load(SEEN);
    assert_string_equal(run(0, "a"), "false");
    assert_string_equal(run(1, "a"), "true");
    deal_with(1);
    deal_with(0);
    assert_string_equal(run(2, "a"), "true");
}

static void a_message_that_was_put_off_is_not_its_own_copy(void **unused)
{
    (void)unused;
    load(SEEN);
    assert_string_equal(run(0, "a"), "false");
    put_off(0);
    assert_string_equal(run(0, "a"), "false");
    /* Killed between the rules and the delivery. */
    restart(SEEN);
    assert_string_equal(run(0, "a"), "false");
    deal_with(0);
    assert_string_equal(run(0, "a"), "true");
}

static void a_copy_takes_its_place_when_it_is_put_off(void **unused)
{
    (void)unused;
    load(SEEN);
    assert_string_equal(run(0, "a"), "false");
    put_off(0);
    assert_string_equal(run(1, "a"), "false");
    assert_string_equal(run(0, "a"), "true");
}

static void a_message_that_asks_twice_gets_the_same_answer(void **unused)
{
    (void)unused;
    load(SEEN " " SEEN);
    assert_string_equal(run(0, "a"), "false false");
    assert_string_equal(run(1, "a"), "true true");
}

static void keys_and_times_can_be_chosen(void **unused)
{
    (void)unused;
    load("m:note(tostring(seen(m.subject .. '!')))\n"
         "m:note(tostring(seen('once', '1h'))) m:note(tostring(seen('')))\n"
         "m:note(tostring(seen(string.rep('x', 5000))))\n"
         "if m.subject == 'a' then seen('short', 0.05) end");
    assert_string_equal(run(0, "a"), "false false false false");
    deal_with(0);
    assert_string_equal(run(1, "b"), "false true false true");
    put_off(1);
    load("sleep(0.1) m:note(tostring(seen('short', '1h')))");
    assert_string_equal(run(1, "b"), "false");
}

static void a_message_without_an_id_is_like_no_other(void **unused)
{
    (void)unused;
    load(SEEN);
    assert_string_equal(run(0, ""), "false");
    deal_with(0);
    assert_string_equal(run(1, ""), "false");
}

static void rules_that_fail_keep_nothing(void **unused)
{
    (void)unused;
    load("if seen() then m:note 'copy' else error 'no' end");
    assert_non_null(strstr(run(0, "a"), "no"));
    deal_with(0);
    assert_non_null(strstr(run(1, "a"), "no"));
}

/* ---- store --------------------------------------------------------------- */

static void the_store_keeps_values(void **unused)
{
    (void)unused;
    load("store.set('t', 'te\\0xt') store.set('i', 5) store.set('n', 0.5)\n"
         "store.set('b', true) store.set('f', false) store.set('e', '')\n"
         "store.set('gone', 1) store.delete 'gone' store.set('i', nil)\n"
         "store.set('i', 7)\n"
         "assert(store.get 't' == 'te\\0xt' and store.get 'i' == 7)");
    assert_string_equal(run(0, "a"), "");
    deal_with(0);
    restart("assert(store.get 't' == 'te\\0xt')\n"
            "assert(math.type(store.get 'i') == 'integer')\n"
            "assert(store.get 'n' == 0.5 and store.get 'b' == true)\n"
            "assert(store.get 'f' == false and store.get 'e' == '')\n"
            "assert(store.get 'gone' == nil and store.get 'none' == nil)");
    assert_string_equal(run(0, "a"), "");
}

static void the_store_counts_each_message_once(void **unused)
{
    (void)unused;
#define COUNT "m:note(tostring(store.incr 'n'))"
    load(COUNT);
    assert_string_equal(run(0, "a"), "1");
    assert_string_equal(run(1, "b"), "2"); /* together with the first */
    put_off(0);
    assert_string_equal(run(0, "a"), "2");
    deal_with(1);
    deal_with(0);
    restart("m:note(tostring(store.incr('n', 5)))\n"
            "m:note(tostring(store.incr('x', -0.5)))");
    assert_string_equal(run(0, "a"), "7 -0.5");
}

static void values_end_when_their_time_is_over(void **unused)
{
    (void)unused;
    load("store.set('short', 1, 0.1) store.set('long', 1, '1h')\n"
         "assert(store.get 'short' == 1)");
    assert_string_equal(run(0, "a"), "");
    deal_with(0);
    load("sleep(0.15)\n"
         "assert(store.get 'short' == nil and store.get 'long' == 1)\n"
         "assert(store.incr 'short' == 1)");
    assert_string_equal(run(0, "a"), "");
}

static void refused(const char *body, const char *words)
{
    const char *text;

    load(body);
    text = run(0, "a");
    put_off(0);
    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, text);
}

static void the_store_says_what_is_wrong(void **unused)
{
    (void)unused;
    refused("store.set('a', {})", "keeps a text, a number or a boolean");
    refused("store.set('a', string.rep('a', 65537))", "at most 64 KiB");
    refused("store.set('a', 'x') store.incr 'a'", "no number");
    refused("store.set('a', 1, 0)", "longer than nothing");
    refused("store.put('a', 1)", "store has no \"put\"");
    refused("ratelimit('a', 0, '1h')", "from 1 to 8000");
    refused("ratelimit('a', 8001, '1h')", "from 1 to 8000");
    refused("ratelimit('a', 1)", "expects a time");
    config_free(config);
    config = NULL;
    assert_int_equal(fixture_load("store.set('a', 1)", &config), PR_CONFIG);
    assert_non_null(strstr(fixture_errors(), "only in a rule"));
}

static void asking_again_and_again_is_ended(void **unused)
{
    (void)unused;
    patience = "";
    refused("while true do store.get 'a' end", "without waiting");
    refused("while true do store.incr 'a' end", "without waiting");
    patience = fixture_patience();
}

/* ---- ratelimit ----------------------------------------------------------- */

#define LIMIT "m:note(tostring(ratelimit('k', 2, '1h')))"

static void a_rate_is_not_exceeded(void **unused)
{
    (void)unused;
    load(LIMIT);
    assert_string_equal(run(0, "a"), "true");
    deal_with(0);
    assert_string_equal(run(1, "b"), "true");
    assert_string_equal(run(2, "c"), "false");
    put_off(1); /* it gives its place back */
    assert_string_equal(run(3, "d"), "true");
    deal_with(3);
    restart(LIMIT);
    assert_string_equal(run(0, "e"), "false");
}

static void a_rate_is_over_a_time(void **unused)
{
    (void)unused;
    load("m:note(tostring(ratelimit('k', 1, 0.2)))\n"
         "m:note(tostring(ratelimit('k', 1, 0.2)))\n"
         "sleep(0.3) m:note(tostring(ratelimit('k', 1, 0.2)))");
    assert_string_equal(run(0, "a"), "true false true");
}

/* ---- Many keys ----------------------------------------------------------- */

static void many_keys_need_no_more_memory(void **unused)
{
    char id[20];

    (void)unused;
    load("for i = 1, 500 do seen(m.subject .. '/' .. i) end " SEEN);
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "m%d", i);
        assert_string_equal(run(0, id), "false");
        deal_with(0);
    }
    assert_string_equal(run(0, "m0"), "true");
}

static void in_a_trial_nothing_is_written(void **unused)
{
    (void)unused;
    load(SEEN);
    rules_attach(config, state, true);
    assert_string_equal(run(0, "a"), "false");
    rules_noted(messages[0]);
    put_off(0);
    assert_string_equal(run(0, "a"), "true");
    restart(SEEN);
    assert_string_equal(run(0, "a"), "false");
}

static int begin(void **unused)
{
    (void)unused;
    directory = fixture_begin();
    patience = fixture_patience();
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    fixture_end();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_copy_of_a_message_was_seen),
        TEST(two_copies_that_come_together_are_told_apart),
        TEST(a_message_that_was_put_off_is_not_its_own_copy),
        TEST(a_copy_takes_its_place_when_it_is_put_off),
        TEST(a_message_that_asks_twice_gets_the_same_answer),
        TEST(keys_and_times_can_be_chosen),
        TEST(a_message_without_an_id_is_like_no_other),
        TEST(rules_that_fail_keep_nothing),
        TEST(the_store_keeps_values),
        TEST(the_store_counts_each_message_once),
        TEST(values_end_when_their_time_is_over),
        TEST(the_store_says_what_is_wrong),
        TEST(asking_again_and_again_is_ended),
        TEST(a_rate_is_not_exceeded),
        TEST(a_rate_is_over_a_time),
        TEST(many_keys_need_no_more_memory),
        TEST(in_a_trial_nothing_is_written),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
