/*
 * When something is due, how long a server is left alone, and who is next.
 */
#include "config.h"

#include "engine/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/backoff.h"
#include "engine/places.h"
#include "fiber/loop.h"

#define MINUTE ((uint64_t)60 * 1000)
#define HOUR (60 * MINUTE)

/* ---- When ---------------------------------------------------------------- */

static void jitter_takes_up_to_a_tenth(void **state)
{
    uint64_t dice = 1, least = HOUR, most = 0;
    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t one = schedule_jitter(HOUR, schedule_random(&dice));
        least = one < least ? one : least;
        most = one > most ? one : most;
    }
    assert_in_range(least, HOUR - HOUR / 10, HOUR - HOUR / 10 + MINUTE);
    assert_in_range(most, HOUR - MINUTE, HOUR);
    assert_int_equal(schedule_jitter(0, 1), 0);
    assert_true(schedule_jitter(UINT64_MAX, UINT32_MAX) >
                UINT64_MAX / 10 * 9 - 10);
}

static void the_longer_it_is_quiet_the_longer_the_interval(void **state)
{
    (void)state;
    assert_int_equal(schedule_adaptive(0, MINUTE, HOUR), MINUTE);
    assert_int_equal(schedule_adaptive(30 * MINUTE, MINUTE, HOUR), 3 * MINUTE);
    assert_int_equal(schedule_adaptive(100 * HOUR, MINUTE, HOUR), HOUR);
    assert_int_equal(schedule_adaptive(0, MINUTE, 1000), 1000);
}

static void a_folder_has_the_time_of_the_first_pattern(void **state)
{
    static const struct folder_every times[] = {{"INBOX", 1}, {"Lists/*", 2}};
    const struct account account = {
        .every = 3, .folder_every = times, .folder_every_count = 2};
    (void)state;
    assert_int_equal(schedule_every(&account, "INBOX"), 1);
    assert_int_equal(schedule_every(&account, "Lists/a/b"), 2);
    assert_int_equal(schedule_every(&account, "Lists"), 3);
}

/* ---- After a failure ----------------------------------------------------- */

static void waits_grow_up_to_the_limit_of_their_kind(void **state)
{
    static const struct {
        enum trouble kind;
        uint64_t first, last;
    } kinds[] = {
        {TROUBLE_NETWORK, 2000, 5 * MINUTE},
        {TROUBLE_BUSY, 2 * MINUTE, HOUR},
        {TROUBLE_LOCAL, MINUTE / 2, 15 * MINUTE},
        {TROUBLE_PROTOCOL, MINUTE, HOUR},
        {TROUBLE_PERSON, HOUR, 24 * HOUR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint64_t before = 0;
        for (unsigned n = 1; n < 40; n++) {
            uint64_t wait = backoff_wait(kinds[i].kind, n, 0, 0);
            assert_true(wait >= before);
            before = wait;
        }
        assert_int_equal(backoff_wait(kinds[i].kind, 1, 0, 0), kinds[i].first);
        assert_int_equal(before, kinds[i].last);
        assert_in_range(backoff_wait(kinds[i].kind, 1, 0, UINT32_MAX),
                        kinds[i].first * 8 / 10, kinds[i].first * 8 / 10 + 1);
    }
}

static void kinds_of_failures_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(backoff_kind(PR_OK), TROUBLE_NONE);
    assert_int_equal(backoff_kind(PR_CANCELLED), TROUBLE_NONE);
    assert_int_equal(backoff_kind(PR_EOF), TROUBLE_NETWORK);
    assert_int_equal(backoff_kind(PR_LATER), TROUBLE_BUSY);
    assert_int_equal(backoff_kind(PR_BUSY), TROUBLE_LOCAL);
    assert_int_equal(backoff_kind(PR_AUTH), TROUBLE_PERSON);
    assert_int_equal(backoff_kind(PR_TLS), TROUBLE_PERSON);
    assert_int_equal(backoff_kind(PR_REFUSED), TROUBLE_PROTOCOL);
}

static void a_server_that_says_how_long_is_believed(void **state)
{
    static const struct {
        const char *words;
        uint64_t ms;
    } cases[] = {
        {"BAD Request is throttled. Suggested Backoff Time: 295000 "
         "milliseconds",
         295000},
        {"[UNAVAILABLE] try again in 5 minutes", 5 * MINUTE},
        {"wait 30s", 30000},
        {"Retry after 1 hour, please", HOUR},
        {"[LOGIN-DELAY] minimum 90 seconds between logins", 90000},
        {"too many connections (10)", 0},
        {"imap.example.org:993 is busy", 0},
        {"error 451 4.7.0 try later", 0},
        {"30 sectors", 0},
        {"wait 99999999999999999999 seconds", 24 * HOUR},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(backoff_told(cases[i].words), cases[i].ms);
    }
    assert_in_range(backoff_wait(TROUBLE_BUSY, 5, 295000, 0), 295000, 295000);
    assert_true(backoff_wait(TROUBLE_BUSY, 1, 295000, UINT32_MAX) >= 295000);
}

/* ---- Places -------------------------------------------------------------- */

static struct places *places;
static char order[100];

struct taker {
    const char *name, *host;
    struct claimant *claimant;
    struct place place;
};

static pr_status take(void *argument)
{
    struct taker *taker = argument;
    pr_status status =
        place_take(places, &taker->place, taker->host, taker->claimant);
    if (status == PR_OK) {
        snprintf(order + strlen(order), sizeof(order) - strlen(order), "%s ",
                 taker->name);
    }
    return status;
}

static void spawn(struct pr_scope *scope, struct taker *taker)
{
    assert_int_equal(pr_spawn(scope, "taker", PR_STACK_SESSION, take, taker),
                     PR_OK);
    assert_int_equal(pr_yield(), PR_OK);
    assert_int_equal(pr_yield(), PR_OK);
}

static pr_status share(void *argument)
{
    struct claimant big = {0}, small = {0}, urgent = {0};
    struct taker takers[] = {
        {"big1", "h", &big, {0}},    {"big2", "h", &big, {0}},
        {"big3", "h", &big, {0}},    {"small", "h", &small, {0}},
        {"other", "o", &small, {0}}, {"urgent", "h", &urgent, {0}},
    };
    struct pr_scope scope;
    (void)argument;
    order[0] = '\0';
    urgent.is_urgent = true;
    assert_int_equal(places_new(10, 2, &places), PR_OK);
    pr_scope_init(&scope);
    for (size_t i = 0; i < 6; i++) {
        spawn(&scope, &takers[i]);
    }
    assert_string_equal(order, "big1 big2 other ");
    place_give(places, &takers[0].place);
    assert_int_equal(pr_sleep(1), PR_OK);
    assert_string_equal(order, "big1 big2 other urgent ");
    /* `small` is at work with another host, as often as `big` is here. */
    place_give(places, &takers[4].place);
    place_give(places, &takers[5].place);
    assert_int_equal(pr_sleep(1), PR_OK);
    assert_string_equal(order, "big1 big2 other urgent small ");
    place_give(places, &takers[1].place);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_string_equal(order, "big1 big2 other urgent small big3 ");
    place_give(places, &takers[2].place);
    place_give(places, &takers[3].place);
    assert_int_equal(big.at_work + small.at_work + urgent.at_work, 0);
    places_free(places);
    return PR_OK;
}

static void places_are_shared_fairly(void **state)
{
    (void)state;
    assert_int_equal(loop_run(1, share, NULL), PR_OK);
}

static pr_status park(void *argument)
{
    struct claimant claimant = {0};
    struct place place[10] = {{0}};
    (void)argument;
    assert_int_equal(places_new(8, 1, &places), PR_OK);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(place_take(places, &place[i], "h", &claimant), PR_OK);
        assert_true(place_park(places, &place[i]));
    }
    /* The last place of all is for those at work. */
    assert_int_equal(place_take(places, &place[7], "h", &claimant), PR_OK);
    assert_false(place_park(places, &place[7]));
    place_give(places, &place[7]);
    assert_int_equal(place_resume(places, &place[3]), PR_OK);
    assert_int_equal(claimant.at_work, 1);
    struct taker waits = {"waits", "h", &claimant, {0}};
    struct pr_scope scope;
    pr_scope_init(&scope);
    spawn(&scope, &waits);
    assert_int_equal(claimant.waiting, 1);
    pr_scope_cancel(&scope);
    assert_int_equal(pr_scope_join(&scope), PR_CANCELLED);
    assert_int_equal(claimant.waiting, 0);
    for (size_t i = 0; i < 7; i++) {
        place_give(places, &place[i]);
    }
    place_give(places, &waits.place);
    assert_int_equal(claimant.at_work, 0);
    places_free(places);
    return PR_OK;
}

static void those_that_watch_leave_room_for_those_that_work(void **state)
{
    (void)state;
    assert_int_equal(loop_run(1, park, NULL), PR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jitter_takes_up_to_a_tenth),
        cmocka_unit_test(the_longer_it_is_quiet_the_longer_the_interval),
        cmocka_unit_test(a_folder_has_the_time_of_the_first_pattern),
        cmocka_unit_test(waits_grow_up_to_the_limit_of_their_kind),
        cmocka_unit_test(kinds_of_failures_are_told_apart),
        cmocka_unit_test(a_server_that_says_how_long_is_believed),
        cmocka_unit_test(places_are_shared_fairly),
        cmocka_unit_test(those_that_watch_leave_room_for_those_that_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
