/*
 * Plans: one final decision, each entry with its origin, words for people.
 */
#include "config.h"

#include <postrider/plugin.h>

#include "base/memory.h"
#include "mail/message.h"
#include "mail_help.h"

static struct pr_sink mail = {.name = "maildir:~/Mail"};

static struct plan_entry entry(enum plan_action action, int line)
{
    return (struct plan_entry){
        .action = action, .rule = "lists", .file = "config.lua", .line = line};
}

static struct message *new_message(void)
{
    struct message *message = NULL;
    assert_int_equal(message_new("work", "INBOX", NULL, &message), PR_OK);
    return message;
}

static pr_status add(struct message *message, enum plan_action action, int line)
{
    const struct plan_entry one = entry(action, line);
    return plan_add(&message->plan, &one);
}

static void plan_keeps_what_the_rule_said(void **state)
{
    char text[] = "\\Flagged", rule[] = "boss";
    struct message *message = new_message();
    struct plan_entry one = entry(PLAN_FLAG, 3);
    (void)state;
    one.text = text;
    one.rule = rule;
    assert_int_equal(plan_add(&message->plan, &one), PR_OK);
    memset(text, 'x', sizeof text - 1);
    memset(rule, 'x', sizeof rule - 1);
    assert_int_equal(message->plan.count, 1);
    assert_string_equal(message->plan.entries[0].text, "\\Flagged");
    assert_string_equal(message->plan.entries[0].rule, "boss");
    assert_null(message->plan.entries[0].value);
    assert_false(message->plan.is_final);
    assert_null(plan_final(&message->plan));
    message_free(message);
}

static void plan_refuses_a_second_final_action(void **state)
{
    struct message *message = new_message();
    (void)state;
    assert_int_equal(add(message, PLAN_COPY, 1), PR_OK);
    assert_int_equal(add(message, PLAN_MOVE, 2), PR_OK);
    assert_true(message->plan.is_final);
    assert_int_equal(plan_final(&message->plan)->action, PLAN_MOVE);
    assert_int_equal(add(message, PLAN_MOVE, 2), PR_SCRIPT);
    assert_int_equal(add(message, PLAN_DELIVER, 2), PR_SCRIPT);
    assert_int_equal(add(message, PLAN_STOP, 3), PR_SCRIPT);
    assert_non_null(strstr(pr_last_failure()->text, "stop after move"));
    assert_int_equal(add(message, PLAN_COPY, 4), PR_OK);
    assert_int_equal(message->plan.count, 3);
    message_free(message);
}

static void plan_takes_several_places_of_one_deliver(void **state)
{
    struct message *message = new_message();
    struct plan_entry other = entry(PLAN_DELIVER, 5);
    (void)state;
    assert_int_equal(add(message, PLAN_DELIVER, 5), PR_OK);
    assert_int_equal(add(message, PLAN_DELIVER, 5), PR_OK);
    assert_int_equal(add(message, PLAN_DELIVER, 6), PR_SCRIPT);
    other.rule = "another";
    assert_int_equal(plan_add(&message->plan, &other), PR_SCRIPT);
    assert_int_equal(message->plan.count, 2);
    message_free(message);
}

static void plan_takes_a_thousand_entries(void **state)
{
    struct message *message = new_message();
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(add(message, i < 500 ? PLAN_NOTE : PLAN_SCORE, i),
                         PR_OK);
    assert_int_equal(add(message, PLAN_NOTE, 1000), PR_LIMIT);
    assert_int_equal(add(message, PLAN_SCORE, 1000), PR_LIMIT);
    assert_int_equal(add(message, PLAN_DELETE, 1000), PR_OK);
    assert_int_equal(message->plan.entries[999].line, 999);
    message_free(message);
}

static void assert_words(struct plan_entry one, const char *words)
{
    struct pr_buffer buffer = {.cap = 1000};
    assert_int_equal(pr_buffer_add_text(&buffer, "> "), PR_OK);
    assert_int_equal(plan_describe(&one, &buffer), PR_OK);
    assert_string_equal(buffer.data + 2, words);
    buffer.cap = buffer.size - 1;
    buffer.size = 2;
    assert_int_equal(plan_describe(&one, &buffer), PR_LIMIT);
    assert_int_equal(buffer.size, 2);
    pr_buffer_done(&buffer);
}

static void plan_says_what_where_and_why(void **state)
{
    struct plan_entry one = entry(PLAN_DELIVER, 12);
    (void)state;
    one.target = (struct target){&mail, "lists/dev"};
    assert_words(one, "deliver to maildir:~/Mail/lists/dev (rule \"lists\", "
                      "config.lua:12)");
    one.target.folder = "";
    one.rule = "default";
    one.file = NULL;
    assert_words(one, "deliver to maildir:~/Mail (default)");
    one = (struct plan_entry){.action = PLAN_DEFER, .delay = 7200000};
    assert_words(one, "defer for 2h");
    one.delay = 1500;
    assert_words(one, "defer for 1500ms");
    one = (struct plan_entry){
        .action = PLAN_SET_HEADER, .text = "X-Spam", .value = "yes"};
    assert_words(one, "set_header X-Spam: yes");
    one = (struct plan_entry){.action = PLAN_SCORE, .score = 2.5, .text = "ad"};
    assert_words(one, "score +2.5 ad");
    one = (struct plan_entry){.action = PLAN_MOVE, .text = "Junk"};
    assert_words(one, "move to Junk");
    one = (struct plan_entry){.action = PLAN_STOP};
    assert_words(one, "stop");
    one = (struct plan_entry){.action = PLAN_FLAG, .text = "\\Seen"};
    assert_words(one, "flag \\Seen");
}

static void plan_names_every_action(void **state)
{
    (void)state;
    for (int action = PLAN_DELIVER; action <= PLAN_NOTE; action++)
        assert_non_null(plan_action_name((enum plan_action)action));
    assert_string_equal(plan_action_name(PLAN_COPY_TO), "copy_to");
    assert_true(plan_action_is_final(PLAN_DISCARD));
    assert_false(plan_action_is_final(PLAN_COPY));
}

static void message_makes_its_view_once(void **state)
{
    struct view *first = NULL, *second = NULL;
    struct message *message = new_message();
    (void)state;
    assert_int_equal(message_view(message, &first), PR_BUG);
    message->spool = spool_of("Subject: hi\r\n\r\nbody\r\n");
    assert_int_equal(message_view(message, &first), PR_OK);
    assert_int_equal(message_view(message, &second), PR_OK);
    assert_ptr_equal(first, second);
    assert_string_equal(message->account, "work");
    message_free(message);
    message_free(NULL);
}

static void plan_survives_each_failed_allocation(void **state)
{
    unsigned long n = 0;
    bool was_met = true;
    (void)state;
    while (was_met) {
        struct message *message = NULL;
        memory_fail_at(++n);
        pr_status status = message_new("work", "INBOX", NULL, &message);
        for (int i = 0; i < 100 && status == PR_OK; i++)
            status = add(message, PLAN_NOTE, i);
        was_met = !memory_fail_pending();
        memory_fail_at(0);
        assert_int_equal(status, was_met ? PR_NOMEM : PR_OK);
        message_free(message);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_keeps_what_the_rule_said),
        cmocka_unit_test(plan_refuses_a_second_final_action),
        cmocka_unit_test(plan_takes_several_places_of_one_deliver),
        cmocka_unit_test(plan_takes_a_thousand_entries),
        cmocka_unit_test(plan_says_what_where_and_why),
        cmocka_unit_test(plan_names_every_action),
        cmocka_unit_test(message_makes_its_view_once),
        cmocka_unit_test(plan_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
