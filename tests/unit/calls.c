/*
 * What calls that wait are made of: places and a breaker, a cache, answers, and
 * what services say on the wire.
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

#include "../../plugins/clamd/clamd.h"
#include "../../plugins/ldap/ldap_plugin.h"
#include "../../plugins/rspamd/rspamd.h"
#include "../../plugins/spamd/spamd.h"
#include "base/cache.h"
#include "base/memory.h"
#include "base/reply.h"
#include "fiber/loop.h"
#include "io/coalesce.h"
#include "io/dns.h"
#include "io/gate.h"

static const struct pr_log quiet = {.name = "test"};

static struct pr_bytes text(const char *words)
{
    return pr_bytes_of(words);
}

/* An answer as one line: name=value, lists and tables in brackets. */
static const char *shown(const struct pr_reply *reply)
{
    static char out[4096];
    struct pr_bytes octets = {reply->octets.data, reply->octets.size};
    struct reply_token token;
    size_t at = 0;

    out[0] = '\0';
    while (reply_next(&octets, &token)) {
        if (token.kind != REPLY_END && token.name.data != NULL)
            at += (size_t)snprintf(out + at, sizeof out - at,
                                   "%.*s=", (int)token.name.size,
                                   token.name.data);
        if (token.kind == REPLY_TEXT)
            at += (size_t)snprintf(out + at, sizeof out - at, "%.*s ",
                                   (int)token.text.size, token.text.data);
        if (token.kind == REPLY_NUMBER)
            at += (size_t)snprintf(out + at, sizeof out - at, "%g ",
                                   token.number);
        if (token.kind == REPLY_BOOLEAN)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s ",
                                   token.boolean ? "true" : "false");
        if (token.kind == REPLY_BEGIN || token.kind == REPLY_END)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s ",
                                   token.kind == REPLY_BEGIN ? "[" : "]");
    }
    return out;
}

/* ---- Answers ---------------------------------------------------------------
 */

static void an_answer_reads_as_it_was_written(void **state)
{
    struct pr_reply reply = {0};

    (void)state;
    pr_reply_number(&reply, "score", -1.5);
    pr_reply_begin(&reply, "list");
    pr_reply_text(&reply, NULL, text("a"));
    pr_reply_text(&reply, NULL, text(""));
    pr_reply_end(&reply);
    pr_reply_boolean(&reply, "spam", true);
    assert_int_equal(reply_status(&reply), PR_OK);
    assert_string_equal(shown(&reply), "score=-1.5 list=[ a  ] spam=true ");
    reply_done(&reply);
}

static void an_answer_that_is_too_large_or_too_deep_fails_whole(void **state)
{
    static char large[600 * 1024];
    struct pr_reply reply = {0};

    (void)state;
    pr_reply_text(&reply, "a", (struct pr_bytes){large, sizeof large});
    pr_reply_text(&reply, "b", (struct pr_bytes){large, sizeof large});
    pr_reply_boolean(&reply, "c", true);
    assert_int_equal(reply_status(&reply), PR_LIMIT);
    reply_done(&reply);
    for (int i = 0; i < 100; i++)
        pr_reply_begin(&reply, "deeper");
    assert_int_equal(reply_status(&reply), PR_LIMIT);
    reply_done(&reply);
    pr_reply_begin(&reply, "open");
    assert_int_equal(reply_status(&reply), PR_BUG);
    reply_done(&reply);
    memory_fail_at(1);
    pr_reply_text(&reply, "a", text("b"));
    assert_int_equal(reply_status(&reply), PR_NOMEM);
    memory_fail_at(0);
    reply_done(&reply);
}

/* ---- The cache --------------------------------------------------------------
 */

static void what_is_kept_is_found_until_its_time(void **state)
{
    struct cache *cache;
    struct pr_bytes found;

    (void)state;
    assert_int_equal(cache_new(10000, &cache), PR_OK);
    assert_false(cache_get(cache, text("a"), 0, &found));
    cache_put(cache, text("a"), text("one"), 100);
    cache_put(cache, text("b"), text(""), 100);
    assert_true(cache_get(cache, text("a"), 99, &found));
    assert_true(pr_bytes_equal(found, text("one")));
    cache_put(cache, text("a"), text("two"), 200);
    assert_true(cache_get(cache, text("a"), 150, &found));
    assert_true(pr_bytes_equal(found, text("two")));
    assert_false(cache_get(cache, text("b"), 100, &found));
    cache_free(cache);
}

static void what_was_not_used_longest_goes_first(void **state)
{
    struct cache *cache;
    struct pr_bytes found;
    char key[20], value[200] = {0};
    unsigned there = 0;

    (void)state;
    assert_int_equal(cache_new(10000, &cache), PR_OK);
    cache_put(cache, text("kept"), text("yes"), 1000);
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i);
        cache_put(cache, text(key), (struct pr_bytes){value, sizeof value},
                  1000);
        assert_true(cache_get(cache, text("kept"), 0, &found));
    }
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%d", i);
        there += cache_get(cache, text(key), 0, &found);
    }
    assert_in_range(there, 10, 50);
    assert_true(cache_get(cache, text("499"), 0, &found));
    cache_put(cache, text("huge"), (struct pr_bytes){value, 5000}, 1000);
    assert_false(cache_get(cache, text("huge"), 0, &found));
    memory_fail_at(1);
    cache_put(cache, text("none"), text("memory"), 1000);
    memory_fail_at(0);
    assert_false(cache_get(cache, text("none"), 0, &found));
    cache_free(cache);
    cache_free(NULL);
}

/* ---- Places and the breaker
 * -------------------------------------------------- */

struct crowd {
    struct gate gate;
    unsigned now, most, done;
};

static pr_status one_of_many(void *argument)
{
    struct crowd *crowd = argument;
    bool is_trial;

    assert_int_equal(gate_enter(&crowd->gate, PR_NEVER, &is_trial), PR_OK);
    crowd->now++;
    if (crowd->now > crowd->most)
        crowd->most = crowd->now;
    assert_int_equal(pr_sleep(1), PR_OK);
    crowd->now--;
    crowd->done++;
    gate_leave(&crowd->gate, is_trial, PR_OK);
    return PR_OK;
}

static pr_status crowd_comes(void *argument)
{
    struct crowd *crowd = argument;
    struct pr_scope scope;

    gate_init(&crowd->gate, "it", &quiet, 3);
    pr_scope_init(&scope);
    for (int i = 0; i < 30; i++)
        assert_int_equal(
            pr_spawn(&scope, "one", PR_STACK_SESSION, one_of_many, crowd),
            PR_OK);
    return pr_scope_join(&scope);
}

static void no_more_are_inside_than_there_are_places(void **state)
{
    struct crowd crowd = {.now = 0};

    (void)state;
    assert_int_equal(loop_run(1, crowd_comes, &crowd), PR_OK);
    assert_int_equal(crowd.most, 3);
    assert_int_equal(crowd.done, 30);
}

static void end(struct gate *gate, pr_status how)
{
    bool is_trial;

    assert_int_equal(gate_enter(gate, pr_in(1000), &is_trial), PR_OK);
    pr_fail(how, "it is %s", "broken");
    gate_leave(gate, is_trial, how);
}

static pr_status breaker_opens(void *argument)
{
    struct gate gate;
    bool is_trial, other;

    (void)argument;
    gate_init(&gate, "it", &quiet, 2);
    for (int i = 0; i < 20; i++)
        end(&gate, PR_REFUSED); /* of the question, not the service */
    for (int i = 0; i < 20; i++)
        end(&gate, PR_CANCELLED);
    for (int i = 0; i < 4; i++)
        end(&gate, PR_TIMEOUT);
    end(&gate, PR_OK); /* in a row, or they do not count */
    for (int i = 0; i < 5; i++)
        end(&gate, PR_NETWORK);
    assert_int_equal(gate_enter(&gate, pr_in(1000), &is_trial), PR_LATER);
    assert_non_null(strstr(pr_last_failure()->text, "left alone for 5 s"));
    assert_non_null(strstr(pr_last_failure()->text, "it is broken"));
    /* One asks for trial, the others still fail; then it is longer. */
    gate.opens_at = pr_now();
    assert_int_equal(gate_enter(&gate, pr_in(1000), &is_trial), PR_OK);
    assert_true(is_trial);
    assert_int_equal(gate_enter(&gate, pr_in(1000), &other), PR_LATER);
    gate_leave(&gate, is_trial, PR_TIMEOUT);
    assert_int_equal(gate_enter(&gate, pr_in(1000), &is_trial), PR_LATER);
    assert_int_equal(gate.pause, 2 * GATE_PAUSE_FIRST);
    for (int i = 0; i < 20; i++) {
        gate.opens_at = pr_now();
        end(&gate, PR_TIMEOUT);
    }
    assert_int_equal(gate.pause, GATE_PAUSE_MOST);
    gate.opens_at = pr_now();
    end(&gate, PR_OK);
    assert_false(gate.is_open);
    end(&gate, PR_TIMEOUT);
    assert_false(gate.is_open);
    assert_int_equal(gate.inside, 0);
    assert_int_equal(gate.places.free, 2);
    return PR_OK;
}

static void
what_fails_in_a_row_is_left_alone_for_longer_and_longer(void **state)
{
    (void)state;
    assert_int_equal(loop_run(1, breaker_opens, NULL), PR_OK);
}

/* ---- The same question at the same time -----------------------------------
 */

struct chorus {
    struct questions questions;
    unsigned asked, told, failed;
    pr_status fails; /* how the first to ask ends */
    bool gives_up;   /* the first to ask does */
};

static pr_status one_voice(void *argument)
{
    struct chorus *chorus = argument;
    struct question *question;

    while ((question = question_join(&chorus->questions, text("key"))) !=
           NULL) {
        pr_status status = question_wait(question, pr_in(60000));
        bool is_open = status == PR_OK && question->status == PR_CANCELLED;

        if (status == PR_OK && question->status == PR_OK) {
            assert_true(pr_bytes_equal(question->answer, text("answer")));
            chorus->told++;
        } else if (status == PR_OK && !is_open) {
            assert_string_equal(question->words, "it is broken");
            chorus->failed++;
        }
        question_release(question);
        if (!is_open)
            return status;
    }
    question = question_begin(&chorus->questions, text("key"));
    chorus->asked++;
    assert_int_equal(pr_sleep(5), PR_OK);
    if (chorus->gives_up) {
        chorus->gives_up = false;
        question_end(&chorus->questions, question, PR_CANCELLED, text(""));
        return PR_OK;
    }
    if (chorus->fails != PR_OK)
        pr_fail(chorus->fails, "it is %s", "broken");
    question_end(&chorus->questions, question, chorus->fails, text("answer"));
    return PR_OK;
}

static pr_status all_voices(void *argument)
{
    struct pr_scope scope;

    pr_scope_init(&scope);
    for (int i = 0; i < 20; i++)
        assert_int_equal(
            pr_spawn(&scope, "one", PR_STACK_SESSION, one_voice, argument),
            PR_OK);
    return pr_scope_join(&scope);
}

static void the_same_question_is_asked_once(void **state)
{
    struct chorus chorus = {.asked = 0};

    (void)state;
    assert_int_equal(loop_run(1, all_voices, &chorus), PR_OK);
    assert_int_equal(chorus.asked, 1);
    assert_int_equal(chorus.told, 19);
    assert_int_equal(chorus.questions.shared, 19);
    assert_null(chorus.questions.first);
    /* What is over is asked anew. */
    assert_int_equal(loop_run(1, all_voices, &chorus), PR_OK);
    assert_int_equal(chorus.asked, 2);
}

static void
who_waits_is_told_of_a_failure_and_asks_after_one_that_gave_up(void **state)
{
    struct chorus failing = {.fails = PR_NETWORK};
    struct chorus leaving = {.gives_up = true};

    (void)state;
    assert_int_equal(loop_run(1, all_voices, &failing), PR_OK);
    assert_int_equal(failing.asked, 1);
    assert_int_equal(failing.failed, 19);
    assert_int_equal(loop_run(1, all_voices, &leaving), PR_OK);
    assert_int_equal(leaving.asked, 2);
    assert_int_equal(leaving.told, 18);
}

static pr_status waits_too_long(void *argument)
{
    struct questions *questions = argument;
    struct question *question = question_begin(questions, text("a")),
                    *other = question_join(questions, text("a"));

    assert_null(question_join(questions, text("b")));
    assert_int_equal(question_wait(other, pr_in(1)), PR_TIMEOUT);
    memory_fail_at(1);
    question_end(questions, question, PR_OK, text("answer"));
    memory_fail_at(0);
    assert_int_equal(question_wait(other, pr_in(1)), PR_OK);
    assert_int_equal(other->status, PR_NOMEM);
    question_release(other);
    memory_fail_at(1);
    assert_null(question_begin(questions, text("a")));
    memory_fail_at(0);
    question_end(questions, NULL, PR_OK, text(""));
    question_release(NULL);
    return PR_OK;
}

static void a_wait_for_another_has_its_own_end(void **state)
{
    struct questions questions = {NULL};

    (void)state;
    assert_int_equal(loop_run(1, waits_too_long, &questions), PR_OK);
    assert_null(questions.first);
}

/* ---- Names
 * -------------------------------------------------------------------- */

static void addresses_are_turned_round(void **state)
{
    char out[200];

    (void)state;
    assert_true(dns_reverse("192.0.2.1", "list.test", out, sizeof out));
    assert_string_equal(out, "1.2.0.192.list.test");
    assert_true(dns_reverse("2001:db8::1", "z", out, sizeof out));
    assert_string_equal(out, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
                             "8.b.d.0.1.0.0.2.z");
    assert_false(dns_reverse("example.org", "z", out, sizeof out));
    assert_false(dns_reverse("192.0.2.1", "list.test", out, 10));
}

static const unsigned char mx_answer[] =
    "\0\1\x81\x80\0\1\0\2\0\0\0\0"
    "\1a\4test\0\0\x0f\0\1"
    "\xc0\x0c\0\x0f\0\1\0\0\1\x2c\0\7\0\x14\2mb\xc0\x0c"
    "\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\7\0\x0a\2ma\xc0\x0c";

static void an_answer_of_a_name_server_is_read(void **state)
{
    size_t size = sizeof mx_answer - 1;
    struct pr_reply reply = {0};
    uint32_t ttl;

    (void)state;
    assert_int_equal(dns_read_answer(mx_answer, size, DNS_MX, &reply, &ttl),
                     PR_OK);
    assert_string_equal(shown(&reply), "[ preference=10 host=ma.a.test ] "
                                       "[ preference=20 host=mb.a.test ] ");
    assert_int_equal(ttl, 60);
    reply_done(&reply);
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *part = malloc(cut + 1); /* its end is watched */

        memcpy(part, mx_answer, cut);
        part = realloc(part, cut > 0 ? cut : 1);
        assert_int_equal(dns_read_answer(part, cut, DNS_MX, &reply, &ttl),
                         PR_PROTOCOL);
        reply_done(&reply);
        free(part);
    }
}

static void a_pointer_to_itself_is_not_followed(void **state)
{
    static const unsigned char loop[] = "\0\1\x81\x80\0\1\0\1\0\0\0\0"
                                        "\xc0\x0c\0\1\0\1"
                                        "\xc0\x0c\0\1\0\1\0\0\0\1\0\4abcd";
    struct pr_reply reply = {0};
    uint32_t ttl;

    (void)state;
    assert_int_equal(
        dns_read_answer(loop, sizeof loop - 1, DNS_A, &reply, &ttl),
        PR_PROTOCOL);
    reply_done(&reply);
}

/* ---- What services say
 * --------------------------------------------------------- */

static void replies_of_clamd_are_read(void **state)
{
    struct pr_reply reply = {0};

    (void)state;
    assert_int_equal(clamd_read_reply(text("stream: OK"), &reply), PR_OK);
    assert_int_equal(
        clamd_read_reply(text("stream: Win.Test (x) FOUND"), &reply), PR_OK);
    assert_string_equal(shown(&reply),
                        "infected=false infected=true virus=Win.Test (x) ");
    assert_int_equal(
        clamd_read_reply(text("INSTREAM size limit exceeded. ERROR"), &reply),
        PR_LIMIT);
    assert_int_equal(clamd_read_reply(text("stream: broken ERROR"), &reply),
                     PR_LATER);
    assert_int_equal(clamd_read_reply(text("stream:  FOUND"), &reply),
                     PR_PROTOCOL);
    assert_int_equal(clamd_read_reply(text(""), &reply), PR_PROTOCOL);
    assert_int_equal(clamd_read_reply(text("OK"), &reply), PR_PROTOCOL);
    reply_done(&reply);
}

static void replies_of_spamd_are_read(void **state)
{
    struct spamd_verdict verdict = {0};
    struct pr_reply reply = {0};

    (void)state;
    assert_int_equal(spamd_read_status(text("SPAMD/1.1 0 EX_OK")), PR_OK);
    assert_int_equal(spamd_read_status(text("SPAMD/1.5 75 EX_TEMPFAIL")),
                     PR_LATER);
    assert_int_equal(spamd_read_status(text("SPAMD/1.0 76 Bad header line")),
                     PR_REFUSED);
    assert_int_equal(spamd_read_status(text("HTTP/1.1 200 OK")), PR_PROTOCOL);
    assert_int_equal(spamd_read_status(text("SPAMD/1.1 x")), PR_PROTOCOL);
    assert_int_equal(
        spamd_read_header(text("Spam: True ; 15.5 / 5.0"), &verdict), PR_OK);
    assert_true(verdict.has_spam && verdict.spam);
    assert_true(verdict.score == 15.5 && verdict.required == 5);
    assert_int_equal(
        spamd_read_header(text("spam: False ; -0.1 / 5.0"), &verdict), PR_OK);
    assert_true(!verdict.spam && verdict.score == -0.1);
    assert_int_equal(spamd_read_header(text("Spam: True ; nan / 5"), &verdict),
                     PR_PROTOCOL);
    assert_int_equal(spamd_read_header(text("Spam: True"), &verdict),
                     PR_PROTOCOL);
    assert_int_equal(spamd_read_header(text("Content-length: -4"), &verdict),
                     PR_PROTOCOL);
    assert_int_equal(spamd_read_header(text("X-Other: 1"), &verdict), PR_OK);
    assert_int_equal(spamd_read_header(text("nonsense"), &verdict),
                     PR_PROTOCOL);
    spamd_add_symbols(text("A,B_2,,C\r\n"), &reply);
    assert_string_equal(shown(&reply), "symbols=[ A B_2 C ] ");
    reply_done(&reply);
}

static void replies_of_rspamd_are_read(void **state)
{
    struct pr_reply reply = {0};

    (void)state;
    assert_int_equal(
        rspamd_read_verdict(
            text("{\"score\":7,\"required_score\":15,\"action\":\"add "
                 "header\",\"symbols\":{\"A\":{\"score\":1.5,\"options\":["
                 "\"x\",3]},\"B\":null}}"),
            &reply),
        PR_OK);
    assert_string_equal(shown(&reply),
                        "score=7 required=15 action=add header spam=true "
                        "symbols=[ A=[ score=1.5 options=[ x ] ] B=[ score=0 "
                        "options=[ ] ] ] ");
    reply_done(&reply);
    assert_int_equal(rspamd_read_verdict(text("{\"score\":7}"), &reply),
                     PR_PROTOCOL);
    assert_int_equal(rspamd_read_verdict(text("{"), &reply), PR_PROTOCOL);
    assert_int_equal(rspamd_read_verdict(text("{\"error\":\"x\"}"), &reply),
                     PR_LATER);
    assert_int_equal(rspamd_read_lesson(text("{\"success\":true}"), &reply),
                     PR_OK);
    reply_done(&reply);
}

static void what_a_filter_is_filled_with_stays_a_value(void **state)
{
    static const char *const values[] = {"a*)(b\\", "caf\xc3\xa9", NULL};
    struct pr_buffer filter;

    (void)state;
    assert_int_equal(
        ldap_fill_filter("(|(a=%s)(b=%s)(c=5%%))", values, &filter), PR_OK);
    assert_string_equal(pr_buffer_text(&filter),
                        "(|(a=a\\2a\\29\\28b\\5c)(b=caf\\c3\\a9)(c=5%))");
    pr_buffer_done(&filter);
    assert_int_equal(ldap_fill_filter("(a=%s)", values, &filter), PR_CONFIG);
    pr_buffer_done(&filter);
    assert_int_equal(ldap_fill_filter("(a=%s)", NULL, &filter), PR_CONFIG);
    pr_buffer_done(&filter);
    assert_int_equal(ldap_fill_filter("(a=%d)", values, &filter), PR_CONFIG);
    pr_buffer_done(&filter);
    assert_int_equal(ldap_fill_filter("(a=%", values, &filter), PR_CONFIG);
    pr_buffer_done(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_reads_as_it_was_written),
        cmocka_unit_test(an_answer_that_is_too_large_or_too_deep_fails_whole),
        cmocka_unit_test(what_is_kept_is_found_until_its_time),
        cmocka_unit_test(what_was_not_used_longest_goes_first),
        cmocka_unit_test(no_more_are_inside_than_there_are_places),
        cmocka_unit_test(
            what_fails_in_a_row_is_left_alone_for_longer_and_longer),
        cmocka_unit_test(the_same_question_is_asked_once),
        cmocka_unit_test(
            who_waits_is_told_of_a_failure_and_asks_after_one_that_gave_up),
        cmocka_unit_test(a_wait_for_another_has_its_own_end),
        cmocka_unit_test(addresses_are_turned_round),
        cmocka_unit_test(an_answer_of_a_name_server_is_read),
        cmocka_unit_test(a_pointer_to_itself_is_not_followed),
        cmocka_unit_test(replies_of_clamd_are_read),
        cmocka_unit_test(replies_of_spamd_are_read),
        cmocka_unit_test(replies_of_rspamd_are_read),
        cmocka_unit_test(what_a_filter_is_filled_with_stays_a_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
