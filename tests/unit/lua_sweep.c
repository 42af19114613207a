/*
 * The function of a sweep: what its searches ask for, what is refused before
 * anything is asked, and the steps that it decides.
 */
#include "config.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/log.h"
#include "fiber/loop.h"
#include "lua/sweep.h"
#include "lua_fixture.h"
#include "mail/ranges.h"

static struct pr_buffer told; /* what was searched for, and the steps */

#define TELL(...)                                          \
    do {                                                   \
        if (pr_buffer_printf(&told, __VA_ARGS__) != PR_OK) \
            abort();                                       \
    } while (0)

/* ---- A box that tells ---------------------------------------------------- */

static const char *name_of(const struct pr_search_key *key)
{
    static const char *const names[] = {
        [PR_SEARCH_ALL] = "all",
        [PR_SEARCH_BEFORE] = "before",
        [PR_SEARCH_SINCE] = "since",
        [PR_SEARCH_SENT_BEFORE] = "sent_before",
        [PR_SEARCH_SENT_SINCE] = "sent_since",
        [PR_SEARCH_FROM] = "from",
        [PR_SEARCH_TO] = "to",
        [PR_SEARCH_CC] = "cc",
        [PR_SEARCH_BCC] = "bcc",
        [PR_SEARCH_SUBJECT] = "subject",
        [PR_SEARCH_BODY] = "body",
        [PR_SEARCH_TEXT] = "text",
        [PR_SEARCH_HEADER] = "header",
        [PR_SEARCH_LARGER] = "larger",
        [PR_SEARCH_SMALLER] = "smaller",
        [PR_SEARCH_FLAG] = "flag",
        [PR_SEARCH_KEYWORD] = "keyword",
        [PR_SEARCH_LABEL] = "label",
        [PR_SEARCH_UIDS] = "uid",
        [PR_SEARCH_GMAIL] = "gmail",
        [PR_SEARCH_RAW] = "raw",
    };
    return names[key->by];
}

static void tell_key(const struct pr_search_key *key)
{
    char uids[200];
    TELL("%s%s%s", key->or_next ? "or " : "", key->is_not ? "not " : "",
         name_of(key));
    if (key->name != NULL)
        TELL(" <%s>", key->name);
    if (key->text != NULL)
        TELL(" [%s]", key->text);
    if (key->octets != 0)
        TELL(" %" PRIu64, key->octets);
    if (key->flag != 0)
        TELL(" %u", key->flag);
    if (key->is_exact) /* so long ago */
        TELL(" %" PRId64 " days", (time(NULL) - key->time + 60) / 86400);
    else if (key->time != 0)
        TELL(" @%" PRId64, key->time);
    if (key->uids != NULL)
        TELL(" %s", ranges_text(key->uids, key->uid_count, uids, sizeof uids));
    TELL("\n");
}

/* Finds UIDs 1 to 9, or those that are asked for. */
static pr_status search(struct sweep_box *box, const struct pr_search_key *keys,
                        size_t count, struct pr_buffer *found)
{
    static const struct pr_range nine = {1, 9};
    pr_status status = PR_OK;
    (void)box;
    for (size_t i = 0; i < count; i++)
        if (keys[i].by != PR_SEARCH_UIDS && keys[i].by != PR_SEARCH_ALL)
            tell_key(&keys[i]);
    if (keys[0].by != PR_SEARCH_UIDS)
        return pr_buffer_add(found, &nine, sizeof nine);
    for (size_t i = 0; status == PR_OK && i < keys[0].uid_count; i++)
        status = pr_buffer_add(found, &keys[0].uids[i], sizeof nine);
    return status;
}

static const struct sweep_box_ops box_ops = {.search = search};

/* ---- Running one --------------------------------------------------------- */

static void tell_step(const struct sweep_step *step)
{
    char uids[200];
    TELL("%d %s", step->line, sweep_action_name(step->action));
    if (step->text != NULL)
        TELL(" [%s]", step->text);
    if (step->uids != NULL)
        TELL(" %s",
             ranges_text(step->uids, step->uid_count, uids, sizeof uids));
    TELL("\n");
}

struct job {
    const char *body;
    bool has_labels, read_only;
};

static pr_status run(void *argument)
{
    const struct job *job = argument;
    struct config *config;
    char text[8192];
    struct sweep_box box = {.account = "work",
                            .folder = "INBOX",
                            .has_labels = job->has_labels,
                            .read_only = job->read_only,
                            .ops = &box_ops,
                            .plan = {.arena = pr_arena_new()}};
    snprintf(text, sizeof text,
             "%slocal mail = maildir \"/m\" account \"work\" { source = imap { "
             "host = \"h\" }, deliver = mail } sweep(\"s\", { folder = "
             "\"INBOX\" }, function(box)\n%s\nend)",
             fixture_patience(), job->body);
    pr_status status = fixture_load(text, &config);
    if (status == PR_OK) {
        status = sweep_run(config, config_sweep(config, 0), &box);
        for (size_t i = 0; status == PR_OK && i < box.plan.count; i++)
            tell_step(&box.plan.steps[i]);
        config_free(config);
    }
    pr_arena_free(box.plan.arena);
    return status;
}

static const char *outcome_of(struct job *job, pr_status expected)
{
    pr_buffer_done(&told);
    pr_buffer_init(&told, 1 << 20);
    pr_status status = loop_run(2, run, job);
    if (status != expected)
        fail_msg("%s: %s", job->body, pr_last_failure()->text);
    return pr_buffer_text(&told);
}

static void expect(const char *body, const char *outcome)
{
    struct job job = {.body = body};
    assert_string_equal(outcome_of(&job, PR_OK), outcome);
}

static void asks(const char *keys, const char *outcome)
{
    char body[4096];
    snprintf(body, sizeof body, "box:search { %s }", keys);
    expect(body, outcome);
}

static void fails(struct job *job, const char *words)
{
    const char *searched = outcome_of(job, PR_SCRIPT);
    if (strstr(pr_last_failure()->text, words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, pr_last_failure()->text);
    assert_string_equal(searched, "");
}

static void refuses(const char *keys, const char *words)
{
    char body[4096];
    snprintf(body, sizeof body, "box:search { %s }", keys);
    fails(&(struct job){.body = body}, words);
}

/* ---- Keys ---------------------------------------------------------------- */

static void texts_go_as_they_are(void **state)
{
    (void)state;
    asks("subject = 'say \"hi\" \\\\ {5} NOT ALL'",
         "subject [say \"hi\" \\ {5} NOT ALL]\n");
    asks("from = 'müller@', body = '日本'", "from [müller@]\nbody [日本]\n");
    asks("raw = 'OR SEEN FLAGGED'", "raw [OR SEEN FLAGGED]\n");
    asks("gmail = 'has:attachment'", "gmail [has:attachment]\n");
}

static void all_keys_must_hold_in_an_order_of_their_own(void **state)
{
    (void)state;
    asks("seen = false, flagged = true, to = 'b', from = 'a'",
         "from [a]\nto [b]\nnot flag 1\nflag 4\n");
}

/* A text that only a function gives is nobody's when it has been read. */
static void texts_are_kept_whoever_made_them(void **state)
{
    (void)state;
    expect("local made = { from = true, to = true, raw = true }\n"
           "box:search(setmetatable({}, { __index = function(_, key)\n"
           "  local text = made[key] and key .. (' x'):rep(30)\n"
           "  for i = 1, 200 do local _ = ('y'):rep(2000) .. i end\n"
           "  return text or nil\n"
           "end }))",
           "from [from x x x x x x x x x x x x x x x x x x x x x x x x x x x x "
           "x x]\n"
           "to [to x x x x x x x x x x x x x x x x x x x x x x x x x x x x x "
           "x]\n"
           "raw [raw x x x x x x x x x x x x x x x x x x x x x x x x x x x x x "
           "x]\n");
}

static void one_of_a_list_is_enough(void **state)
{
    (void)state;
    asks("from = { 'a', 'b', 'c' }, subject = { 'd' }",
         "or from [a]\nor from [b]\nfrom [c]\nsubject [d]\n");
    asks("keyword = { '$Work', 'x' }, seen = true",
         "flag 1\nor keyword [$Work]\nkeyword [x]\n");
}

static void fields_are_asked_for_by_name(void **state)
{
    (void)state;
    asks("header = { ['List-Id'] = 'dev \"x\"' }",
         "header <List-Id> [dev \"x\"]\n");
    asks("header = { ['X-Spam'] = '' }", "header <X-Spam> []\n");
}

static void days_are_those_of_the_calendar(void **state)
{
    (void)state;
    asks("before = '2024-02-29'", "before @1709164800\n");
    asks("since = '1970-01-02', sent_before = '2038-01-20'",
         "since @86400\nsent_before @2147558400\n");
    asks("before = days(30), sent_since = '2000-01-01'",
         "before 30 days\nsent_since @946684800\n");
    refuses("before = '2023-02-29'", "before: expects");
    refuses("before = '2024-13-01'", "before: expects");
    refuses("before = '2024-02-30 '", "before: expects");
    refuses("before = 'yesterday'", "before: expects");
    refuses("since = -1", "out of range");
    refuses("since = 0/0", "out of range");
    refuses("since = math.huge", "out of range");
}

static void sizes_and_uids_are_numbers(void **state)
{
    (void)state;
    asks("larger = '10M', smaller = 7", "larger 10485760\nsmaller 7\n");
    expect("box:search { uid = { 9, 1, 3, 2 } }:flag 'x'",
           "2 flag [x] 1:3,9\n");
    refuses("uid = 0", "expects a UID");
    refuses("uid = 4294967295", "expects a UID");
    refuses("uid = 1.5", "expects a UID");
    refuses("uid = {}", "empty or too long");
    refuses("larger = -1", "out of range");
    refuses("larger = 'big'", "expects a number of octets");
}

static void what_could_be_another_command_is_refused(void **state)
{
    (void)state;
    refuses("subject = 'a\\r\\nA9 LOGOUT'", "more than one line");
    refuses("subject = 'a\\n'", "more than one line");
    refuses("from = { 'ok', 'b\\r' }", "more than one line");
    refuses("subject = 'a\\0b'", "more than one line");
    refuses("raw = 'ALL\\r\\nA9 DELETE x'", "more than one line");
    refuses("header = { ['X'] = 'a\\nb' }", "more than one line");
    refuses("header = { ['X\\r\\nY'] = 'a' }", "more than one line");
    refuses("header = { ['X Y'] = 'a' }", "cannot be the name of a field");
    refuses("header = { ['X:'] = 'a' }", "cannot be the name of a field");
    refuses("keyword = 'a b'", "cannot be a keyword");
    refuses("keyword = 'x) (ALL'", "cannot be a keyword");
    refuses("label = '{5}'", "cannot be a keyword");
}

static void what_means_nothing_is_refused(void **state)
{
    (void)state;
    refuses("", "expects a key");
    refuses("subject = ''", "is empty");
    refuses("from = {}", "the list is empty");
    refuses("subject = 7", "expects text");
    refuses("subject = '\\xff\\xfe'", "is not UTF-8");
    refuses("subject = ('x'):rep(1001)", "longer than 1000");
    refuses("header = {}", "the table is empty");
    refuses("seen = 'yes'", "expects true or false");
    refuses("sbject = 'x'", "no key");
    refuses("'x'", "no key");
}

static void a_label_may_have_spaces_where_the_server_has_labels(void **state)
{
    struct job job = {.body = "box:search { label = 'to do' }:unlabel 'Grün'",
                      .has_labels = true};
    (void)state;
    assert_string_equal(outcome_of(&job, PR_OK),
                        "label [to do]\n2 unlabel [Grün] 1:9\n");
    job.has_labels = false;
    fails(&job, "cannot be a keyword");
}

/* ---- Sets and steps ------------------------------------------------------ */

static void sets_are_combined(void **state)
{
    (void)state;
    expect("local a = box:search { uid = { 1, 2, 3, 7 } }\n"
           "local b = box:search { uid = { 3, 4, 8 } }\n"
           "local both = a * b\n"
           "assert(#(a + b) == 6 and #both == 1 and #(a - b) == 3)\n"
           "assert(a + b == b + a and a ~= b and a - a == box:none())\n"
           "assert(tostring(a + b) == 'set of 6 message(s): 1:4,7:8')\n"
           "local gone = box:all() - a - b\n"
           "gone:move 'Trash'",
           "9 move [Trash] 5:6,9\n");
}

static void a_set_that_is_called_by_mistake_says_why(void **state)
{
    (void)state;
    fails(&(struct job){.body = "local a = box:all()\nlocal b = box:none()\n"
                                "local c = box:all()\n(a - b):move 'Trash'"},
          "goes on with the line before");
}

static void steps_stay_in_order_and_those_of_a_line_are_one(void **state)
{
    (void)state;
    expect("local a = box:search { uid = { 1, 2 } }\n"
           "local b = box:search { uid = { 3, 9 } }\n"
           "for _, s in ipairs { a, b } do s:flag 'x' end\n"
           "a:move 'T' box:none():delete() b:delete()",
           "4 flag [x] 1:3,9\n5 move [T] 1:2\n5 delete 3,9\n");
}

static void nothing_is_decided_by_a_function_that_fails(void **state)
{
    (void)state;
    fails(&(struct job){.body = "box:all():delete() error 'wrong'"}, "wrong");
    fails(&(struct job){.body = "box:all():delete()", .read_only = true},
          "nothing can be changed");
}

static int begin(void **state)
{
    (void)state;
    return fixture_begin() == NULL;
}

static int end(void **state)
{
    (void)state;
    pr_buffer_done(&told);
    fixture_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_go_as_they_are),
        cmocka_unit_test(all_keys_must_hold_in_an_order_of_their_own),
        cmocka_unit_test(texts_are_kept_whoever_made_them),
        cmocka_unit_test(one_of_a_list_is_enough),
        cmocka_unit_test(fields_are_asked_for_by_name),
        cmocka_unit_test(days_are_those_of_the_calendar),
        cmocka_unit_test(sizes_and_uids_are_numbers),
        cmocka_unit_test(what_could_be_another_command_is_refused),
        cmocka_unit_test(what_means_nothing_is_refused),
        cmocka_unit_test(a_label_may_have_spaces_where_the_server_has_labels),
        cmocka_unit_test(sets_are_combined),
        cmocka_unit_test(a_set_that_is_called_by_mistake_says_why),
        cmocka_unit_test(steps_stay_in_order_and_those_of_a_line_are_one),
        cmocka_unit_test(nothing_is_decided_by_a_function_that_fails),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
