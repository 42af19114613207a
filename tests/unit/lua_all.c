/*
 * all { ... }: a branch is a part of the run that called, and has what that
 * has.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fiber/fiber.h"
#include "fiber/loop.h"
#include "lua_fixture.h"

static const char plain[] = "From: a@example.org\r\nSubject: s\r\n\r\ntext\r\n";

/* One run: of the rules, or of the hooks of an event. */
struct trial {
    const char *text; /* after the account */
    enum hook_kind kind;
    bool is_slow; /* the rest of the message is long in coming */
    size_t entries;
    bool is_final;
};

/* The server takes longer than the rules have in all. */
static pr_status fetch_slowly(struct message *message, enum pr_want want,
                              const char *part, uint64_t most)
{
    (void)want, (void)part, (void)most;
    pr_status status = pr_sleep(2100);
    message->is_header_only = false;
    return status;
}

static pr_status run_trial(void *argument)
{
    struct trial *trial = argument;
    struct hook_event event = {
        .kind = trial->kind, .from = "INBOX", .is_fetched = true};
    struct hook_place place;
    struct config *config;
    char text[2000];

    snprintf(text, sizeof text,
             "local mail = maildir \"/m\" account \"work\" { source = imap { "
             "host = \"h\" }, deliver = mail } options { limits = { "
             "total = \"2s\", time = \"2s\" } }\n%s",
             trial->text);
    if (fixture_load(text, &config) != PR_OK)
        fail_msg("%s", fixture_errors());
    struct message *message = fixture_message(config, "INBOX", plain);
    message->is_header_only = trial->is_slow;
    message->fetch = fetch_slowly;
    pr_status status = trial->kind == 0
                           ? rules_run(config, message)
                           : hooks_run(config, message, &event, &place);
    trial->entries = message->plan.count;
    trial->is_final = message->plan.is_final;
    fixture_message_free(message);
    config_free(config);
    return status;
}

static const char *run(struct trial *trial)
{
    return loop_run(2, run_trial, trial) == PR_OK ? ""
                                                  : pr_last_failure()->text;
}

/* ---- Time ---------------------------------------------------------------- */

static void what_the_line_takes_is_not_the_rules_doing(void **state)
{
    static const char *const bodies[] = {
        "m:sha256()",
        "all { function() sleep '10ms' end, function()\n"
        "  all { function() m:sha256() end }\n"
        "end }",
        "pcall(all, { function() m:sha256() error 'no' end })",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char text[300];
        struct trial trial = {.text = text, .is_slow = true};

        snprintf(text, sizeof text,
                 "rule('r', function(m) %s sleep '10ms' m:note 'on' end)",
                 bodies[i]);
        assert_string_equal(run(&trial), "");
        assert_int_equal(trial.entries, 1);
    }
}

static void what_it_takes_gives_no_other_time(void **state)
{
    struct trial trial = {
        .text = "rule('r', function(m)\n"
                "  all { function() m:sha256() end } sleep '2100ms'\n"
                "end)",
        .is_slow = true};

    (void)state;
    assert_non_null(strstr(run(&trial), "took longer than 2 s in all"));
}

/* ---- Hooks --------------------------------------------------------------- */

static void a_branch_of_a_hook_may_do_what_the_hook_may(void **state)
{
    static const char *const bodies[] = {
        "m:deliver(mail)",
        "all { function() m:deliver(mail) end }",
        "all { function() all { function() m:deliver(mail) end } end }",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char text[300];
        struct trial trial = {.text = text, .kind = HOOK_MOVED_IN};

        snprintf(text, sizeof text, "on('moved_in', function(m) %s end)",
                 bodies[i]);
        assert_non_null(strstr(run(&trial), "m:deliver is for rules"));
        assert_int_equal(trial.entries, 0);
        assert_false(trial.is_final);
    }
    struct trial trial = {.text = "on('moved_in', function(m)\n"
                                  "  all { function() m:flag '$Seen' end }\n"
                                  "end)",
                          .kind = HOOK_MOVED_IN};
    assert_string_equal(run(&trial), "");
    assert_int_equal(trial.entries, 1);
}

static void what_is_gone_is_gone_in_a_branch_too(void **state)
{
    struct trial trial = {.kind = HOOK_VANISHED};

    (void)state;
    trial.text = "on('vanished', function(m) all { function() m:flag 'x' end } "
                 "end)";
    assert_non_null(strstr(run(&trial), "m:flag: the message is gone"));
    trial.text = "on('vanished', function(m) all { function() return m.text "
                 "end } end)";
    assert_non_null(strstr(run(&trial), "m.text: the message is gone"));
}

/* ---- Lines --------------------------------------------------------------- */

static size_t lines_that_say(const char *words)
{
    size_t count = 0;

    for (const char *at = fixture_log(); (at = strstr(at, words)) != NULL;
         at += strlen(words))
        count++;
    return count;
}

static void branches_print_no_more_than_a_rule(void **state)
{
    struct trial trial = {.text = "rule('r', function(m)\n"
                                  "  local function say()\n"
                                  "    for i = 1, 1000 do print 'said' end\n"
                                  "  end\n"
                                  "  say()\n"
                                  "end)"};

    (void)state;
    assert_string_equal(run(&trial), "");
    size_t alone = lines_that_say("said");
    assert_in_range(alone, 1, 999);
    trial.text = "rule('r', function(m)\n"
                 "  local function say() for i = 1, 1000 do print 'said' end "
                 "end\n"
                 "  all { say, say } say()\n"
                 "end)";
    assert_string_equal(run(&trial), "");
    assert_int_equal(lines_that_say("said"), alone);
    assert_int_equal(lines_that_say("further ones are left out"), 1);
}

static int begin(void **state)
{
    (void)state;
    fixture_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_line_takes_is_not_the_rules_doing),
        cmocka_unit_test(what_it_takes_gives_no_other_time),
        cmocka_unit_test(a_branch_of_a_hook_may_do_what_the_hook_may),
        cmocka_unit_test(what_is_gone_is_gone_in_a_branch_too),
        cmocka_unit_test(branches_print_no_more_than_a_rule),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
