/*
 * What messages looked like when hooks last looked at their folder.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "fiber/loop.h"
#include "mail/flags.h"
#include "state/private.h"
#include "state/sightings.h"
#include "state_fixture.h"

static struct state_sighting sighting_of(uint32_t uid)
{
    return (struct state_sighting){
        .uid = uid,
        .flags = {PR_FLAG_SEEN, "$Work"},
        .size = 100,
        .received = 1700000000,
        .print = {7, (unsigned char)uid},
        .message_id = "a@example.org",
        .subject = "about a",
    };
}

static void see(const char *name, const struct state_sighting *sighting)
{
    struct state_changes *changes = begin();

    state_see(changes, folder(name).id, sighting);
    OK(state_commit(changes));
}

static struct state_stray look_for(const char *name, uint32_t uid)
{
    const struct state_sighting like = sighting_of(uid);
    const struct state_folder record = folder(name);
    struct state_stray stray = {.size = like.size};

    memcpy(stray.print, like.print, sizeof(stray.print));
    OK(state_whereabouts(state, "work", &record, name, arena, &stray, 1));
    return stray;
}

static void what_was_seen_is_there_again(void **unused)
{
    struct state_sighting first = sighting_of(1), *found;
    const struct state_lookout now = {7, 90, true};
    struct state_lookout read;
    struct state_changes *changes = begin();
    int64_t id = folder("Junk").id;
    size_t count;

    (void)unused;
    OK(state_lookout(state, id, &read));
    assert_int_equal(read.uidvalidity, 0);
    state_see(changes, id, &first);
    first = (struct state_sighting){.uid = 2, .gone = 5};
    state_see(changes, id, &first);
    state_look(changes, id, &now);
    OK(state_commit(changes));
    OK(state_lookout(state, id, &read));
    assert_int_equal(read.modseq, 90);
    assert_true(read.has_prints);
    OK(state_sightings(state, id, arena, &found, &count));
    assert_int_equal(count, 1); /* what is gone is not there */
    assert_string_equal(found[0].flags.keywords, "$Work");
    assert_string_equal(found[0].subject, "about a");
    assert_null(found[0].sender);
    assert_int_equal(found[0].print[0], 7);
}

static void our_own_flags_change_what_was_seen(void **unused)
{
    const struct state_sighting first = sighting_of(1);
    const struct pr_flags set = {PR_FLAG_FLAGGED, "$B"},
                          clear = {PR_FLAG_SEEN, "$work"};
    struct state_sighting *found;
    int64_t id = folder("Junk").id;
    size_t count;

    (void)unused;
    see("Junk", &first);
    struct state_changes *changes = begin();
    state_see_own_flags(changes, id, 1, &set, &clear);
    state_see_own_flags(changes, id, 99, &set, &clear); /* never seen */
    OK(state_commit(changes));
    OK(state_sightings(state, id, arena, &found, &count));
    assert_int_equal(count, 1);
    assert_int_equal(found[0].flags.system, PR_FLAG_FLAGGED);
    assert_string_equal(found[0].flags.keywords, "$B");
}

/* Where it is now tells more than where it was, and that more than where it
 * came through. */
static void a_stray_is_known_from_the_likeliest_folder(void **unused)
{
    struct state_sighting there = sighting_of(1);
    struct state_row row = {.uid = 9, .stage = STAGE_SETTLED, .size = 100};
    struct state_changes *changes = begin();

    (void)unused;
    assert_null(look_for("New", 1).from);
    memcpy(row.print, there.print, sizeof(row.print));
    state_safe(changes, folder("Delivered").id, &row);
    OK(state_commit(changes));
    assert_string_equal(look_for("New", 1).from, "Delivered");
    there.gone = 1000;
    see("Older", &there);
    assert_string_equal(look_for("New", 1).from, "Older");
    there.gone = 2000;
    see("Newer", &there);
    assert_string_equal(look_for("New", 1).from, "Newer");
    there.gone = 0;
    see("There", &there);
    assert_string_equal(look_for("New", 1).from, "There");
    assert_null(look_for("New", 2).from);                    /* another print */
    assert_string_equal(look_for("There", 1).from, "Newer"); /* not itself */
}

static void what_we_send_is_expected_once(void **unused)
{
    const struct state_sighting sent = sighting_of(1);
    struct state_changes *changes = begin();

    (void)unused;
    state_expect(changes, "work", "Junk", &sent);
    OK(state_commit(changes));
    struct state_stray stray = look_for("Junk", 1);
    assert_true(stray.is_ours);
    assert_false(look_for("INBOX", 1).is_ours);
    changes = begin();
    state_arrived(changes, stray.expected);
    OK(state_commit(changes));
    assert_false(look_for("Junk", 1).is_ours);
}

static void what_is_owed_to_the_server_is_ours(void **unused)
{
    const struct state_sighting like = sighting_of(1);
    struct state_row row = {.uid = 3,
                            .stage = STAGE_OWED,
                            .size = 100,
                            .debt = {.copy_to = "A\nJunk\nB"}};
    struct state_changes *changes = begin();
    int64_t inbox = folder("INBOX").id;

    (void)unused;
    memcpy(row.print, like.print, sizeof(row.print));
    state_safe(changes, inbox, &row);
    OK(state_commit(changes));
    assert_true(look_for("Junk", 1).is_ours);
    assert_false(look_for("Jun", 1).is_ours);
    changes = begin(); /* settled: expected, and met once it is seen */
    state_expect_row(changes, "work", "Junk", inbox, 3);
    state_settled(changes, inbox, 3, true);
    OK(state_commit(changes));
    assert_true(look_for("Junk", 1).expected != 0);
    changes = begin();
    state_prune_sightings(changes, inbox, "work", "Junk", 0,
                          (int64_t)time(NULL) + 1);
    OK(state_commit(changes));
    assert_false(look_for("Junk", 1).is_ours);
}

static void what_was_seen_already_is_not_expected(void **unused)
{
    const struct state_sighting there = sighting_of(1);
    struct state_row row = {.uid = 3, .stage = STAGE_OWED, .size = 100};
    struct state_changes *changes;
    int64_t inbox = folder("INBOX").id;

    (void)unused;
    see("Junk", &there);
    memcpy(row.print, there.print, sizeof(row.print));
    changes = begin();
    state_safe(changes, inbox, &row);
    state_expect_row(changes, "work", "Junk", inbox, 3);
    OK(state_commit(changes));
    assert_false(look_for("Junk", 1).is_ours);
}

/* ---- Sets of flags ------------------------------------------------------- */

static void flags_are_compared_as_sets(void **unused)
{
    const struct pr_flags a = {PR_FLAG_SEEN, "$A $B"},
                          b = {PR_FLAG_SEEN | PR_FLAG_RECENT, "$b $a"},
                          c = {PR_FLAG_SEEN, "$A"};
    struct pr_flags rest;

    (void)unused;
    assert_true(flags_are_equal(&a, &b));
    assert_false(flags_are_equal(&a, &c));
    assert_false(flags_are_equal(&c, &a));
    OK(flags_without(arena, &a, &c, &rest));
    assert_int_equal(rest.system, 0);
    assert_string_equal(rest.keywords, "$B");
    OK(flags_without(arena, &c, &a, &rest));
    assert_true(flags_are_none(&rest));
}

static pr_status all_tests(void *argument)
{
    int *failed = argument;

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_seen_is_there_again),
        TEST(our_own_flags_change_what_was_seen),
        TEST(a_stray_is_known_from_the_likeliest_folder),
        TEST(what_we_send_is_expected_once),
        TEST(what_is_owed_to_the_server_is_ours),
        TEST(what_was_seen_already_is_not_expected),
        TEST(flags_are_compared_as_sets),
    };

    *failed = cmocka_run_group_tests(tests, NULL, NULL);
    return PR_OK;
}

int main(void)
{
    int failed = 1;

    if (loop_run(4, all_tests, &failed) != PR_OK)
        return 1;
    return failed != 0;
}
