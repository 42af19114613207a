/*
 * Searches that must not begin: the session has no line here, so whatever were
 * sent would end the test.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/imap/imap.h"

static pr_status found_none(void *user, struct pr_range uids)
{
    (void)user;
    (void)uids;
    fail_msg("a search that was not sent found something");
    return PR_BUG;
}

static void expect_of(unsigned capabilities, uint32_t exists,
                      const struct pr_search_key *keys, size_t count,
                      pr_status expected)
{
    struct imap imap = {.capabilities = capabilities};
    struct pr_source source = {.state = &imap};

    imap.folder.arena = pr_arena_new();
    imap.folder.exists = exists;
    assert_non_null(imap.folder.arena);
    assert_int_equal(imap_op_search(&source, keys, count, found_none, NULL),
                     expected);
    pr_arena_free(imap.folder.arena);
}

/* Not even after one that could be sent. */
static void refused(struct pr_search_key key, pr_status expected)
{
    const struct pr_search_key keys[] = {{.by = PR_SEARCH_ALL}, key};

    expect_of(0, 9, keys, 2, expected);
}

static void what_has_more_than_one_line_is_refused(void **state)
{
    static const char *const texts[] = {"a\r\nA9 LOGOUT", "a\n", "\rb", "\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        for (unsigned by = PR_SEARCH_FROM; by <= PR_SEARCH_TEXT; by++)
            refused((struct pr_search_key){.by = by, .text = texts[i]},
                    PR_CONFIG);
        refused((struct pr_search_key){.by = PR_SEARCH_RAW, .text = texts[i]},
                PR_CONFIG);
        refused(
            (struct pr_search_key){.by = PR_SEARCH_KEYWORD, .text = texts[i]},
            PR_CONFIG);
        refused((struct pr_search_key){.by = PR_SEARCH_LABEL, .text = texts[i]},
                PR_CONFIG);
        refused((struct pr_search_key){.by = PR_SEARCH_HEADER,
                                       .name = "Subject",
                                       .text = texts[i]},
                PR_CONFIG);
        refused((struct pr_search_key){.by = PR_SEARCH_HEADER,
                                       .name = texts[i],
                                       .text = "a"},
                PR_CONFIG);
    }
}

static void words_of_the_protocol_cannot_announce_more(void **state)
{
    static const char *const texts[] = {"SUBJECT {5}", "SUBJECT {5+}", "x}",
                                        "SUBJECT gr\xc3\xbc"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        refused((struct pr_search_key){.by = PR_SEARCH_RAW, .text = texts[i]},
                PR_CONFIG);
}

static void dates_that_no_date_can_say_are_refused(void **state)
{
    static const int64_t times[] = {INT64_MAX, INT64_MIN, INT64_C(1) << 45};

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
        for (unsigned by = PR_SEARCH_BEFORE; by <= PR_SEARCH_SENT_SINCE; by++)
            refused((struct pr_search_key){.by = by, .time = times[i]},
                    PR_CONFIG);
}

static void what_the_server_does_not_have_is_told(void **state)
{
    (void)state;
    refused((struct pr_search_key){.by = PR_SEARCH_GMAIL, .text = "is:unread"},
            PR_UNSUPPORTED);
}

static void a_set_no_command_can_hold_is_refused(void **state)
{
    static struct pr_range ranges[100000];
    const struct pr_search_key key = {.by = PR_SEARCH_UIDS,
                                      .uids = ranges,
                                      .uid_count =
                                          sizeof(ranges) / sizeof(*ranges)};

    (void)state;
    for (size_t i = 0; i < key.uid_count; i++)
        ranges[i].first = ranges[i].last = (uint32_t)(4000000000u + 2 * i);
    refused(key, PR_LIMIT);
}

static void an_empty_folder_is_not_searched(void **state)
{
    const struct pr_search_key key = {.by = PR_SEARCH_ALL};

    (void)state;
    expect_of(0, 0, &key, 1, PR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_more_than_one_line_is_refused),
        cmocka_unit_test(words_of_the_protocol_cannot_announce_more),
        cmocka_unit_test(dates_that_no_date_can_say_are_refused),
        cmocka_unit_test(what_the_server_does_not_have_is_told),
        cmocka_unit_test(a_set_no_command_can_hold_is_refused),
        cmocka_unit_test(an_empty_folder_is_not_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
