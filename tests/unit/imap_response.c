/*
 * IMAP responses to structs.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../plugins/imap/capability.h"
#include "../../plugins/imap/copyuid.h"
#include "../../plugins/imap/response.h"
#include "imap_octets.h"

static struct imap_response told;
static char body[100];

static pr_status note_begin(void *user, const struct imap_response *response,
                            uint64_t octets)
{
    (void)user, (void)response, (void)octets;
    body[0] = '\0';
    return PR_OK;
}

static pr_status note_chunk(void *user, struct pr_bytes octets)
{
    (void)user;
    strncat(body, octets.data, octets.size);
    return PR_OK;
}

static const struct imap_receiver receiver = {note_begin, note_chunk, NULL};

static pr_status read_cut(const char *text, size_t step)
{
    struct octets octets = {.all = pr_bytes_of(text), .step = step};
    struct imap_reader reader;

    octets_reader(&octets, &reader);
    pr_status status = imap_response_read(&reader, &receiver, &told);
    imap_reader_release(&reader);
    imap_reader_done(&reader);
    if (status == PR_OK)
        assert_int_equal(octets.used, octets.all.size);
    return status;
}

static void read_text(const char *text)
{
    assert_int_equal(read_cut(text, 1), PR_OK);
    assert_int_equal(read_cut(text, 1000), PR_OK);
}

static void refuse(const char *text)
{
    assert_int_equal(read_cut(text, 1), PR_PROTOCOL);
    assert_int_equal(read_cut(text, 1000), PR_PROTOCOL);
}

static void conditions_have_codes_and_words(void **state)
{
    (void)state;
    read_text("A12 NO [TRYCREATE] no such folder\r\n");
    assert_int_equal(told.kind, IMAP_TAGGED);
    assert_string_equal(told.tag, "A12");
    assert_int_equal(told.condition, IMAP_NO);
    assert_int_equal(told.code, IMAP_CODE_TRYCREATE);
    assert_string_equal(imap_text(&told, told.text), "no such folder");
    read_text("* OK [UIDVALIDITY 3857529045] UIDs valid\r\n");
    assert_int_equal(told.kind, IMAP_CONDITION);
    assert_int_equal(told.code, IMAP_CODE_UIDVALIDITY);
    assert_int_equal(told.number, 3857529045u);
    read_text("* ok [BADCHARSET (\"a]b\" {3})] [x\r\n");
    assert_int_equal(told.code, IMAP_CODE_OTHER);
    assert_string_equal(imap_text(&told, told.text), "[x");
    read_text("* OK [open\r\n");
    assert_int_equal(told.code, IMAP_CODE_NONE);
    assert_string_equal(imap_text(&told, told.text), "[open");
    read_text("* BYE\r\n");
    assert_int_equal(told.condition, IMAP_BYE);
    assert_string_equal(imap_text(&told, told.text), "");
    read_text("* PREAUTH [CAPABILITY IMAP4rev1  MOVE X] hi\r\n");
    assert_int_equal(told.capabilities, IMAP_CAN_REV1 | IMAP_CAN_MOVE);
}

static void capabilities_of_rev2_include_others(void **state)
{
    (void)state;
    read_text("* CAPABILITY IMAP4rev2 auth=plain\r\n");
    assert_int_equal(told.kind, IMAP_CAPABILITY);
    assert_true(told.capabilities & IMAP_CAN_MOVE);
    assert_true(told.capabilities & IMAP_CAN_AUTH_PLAIN);
    assert_false(told.capabilities & IMAP_CAN_UTF8);
    read_text("* ENABLED\r\n");
    assert_int_equal(told.kind, IMAP_ENABLED);
    assert_int_equal(told.capabilities, 0);
}

static void lists_have_names_of_any_form(void **state)
{
    (void)state;
    read_text("* LIST (\\HasChildren) \"/\" {5}\r\na\"b\\c\r\n");
    assert_int_equal(told.kind, IMAP_LIST);
    assert_string_equal(imap_text(&told, told.mailbox.name), "a\"b\\c");
    assert_int_equal(told.mailbox.separator, '/');
    assert_false(told.mailbox.cannot_select);
    read_text("* LIST (\\noSelect) NIL nil\r\n");
    assert_true(told.mailbox.cannot_select);
    assert_int_equal(told.mailbox.separator, '\0');
    assert_string_equal(imap_text(&told, told.mailbox.name), "NIL");
    read_text("* LIST () \"\\\\\" \"x\" ((\"OLDNAME\" (\"y\")))\r\n");
    assert_int_equal(told.mailbox.separator, '\\');
    refuse("* LIST () \"//\" x\r\n");
    refuse("* LIST () \"/\"\r\n");
    refuse("* LIST x \"/\" x\r\n");
    read_text("* NAMESPACE ((\"INBOX.\" \".\")(\"#\" \"/\")) NIL NIL\r\n");
    assert_int_equal(told.kind, IMAP_NAMESPACE);
    assert_string_equal(imap_text(&told, told.mailbox.name), "INBOX.");
    read_text("* NAMESPACE NIL NIL NIL\r\n");
}

static struct pr_range range_at(size_t index)
{
    struct pr_range range;

    assert_true((index + 1) * sizeof(range) <= told.ranges.size);
    memcpy(&range, told.ranges.data + index * sizeof(range), sizeof(range));
    return range;
}

struct pairs {
    uint32_t from[8], to[8];
    size_t count;
};

static void note_pair(void *user, uint32_t from, uint32_t to)
{
    struct pairs *pairs = user;

    assert_true(pairs->count < 8);
    pairs->from[pairs->count] = from;
    pairs->to[pairs->count++] = to;
}

static struct pairs pairs_of(const char *code)
{
    struct pairs pairs = {.count = 0};
    char line[300];

    snprintf(line, sizeof(line), "A1 OK [COPYUID %s] done\r\n", code);
    read_text(line);
    assert_int_equal(told.code, IMAP_CODE_COPYUID);
    imap_copyuid_pairs(&told, note_pair, &pairs);
    assert_int_equal(pairs.count, imap_copyuid_count(&told));
    if (pairs.count == 0)
        assert_int_equal(told.number, 0);
    return pairs;
}

static void copied_messages_are_paired_with_their_new_uids(void **state)
{
    (void)state;
    struct pairs pairs = pairs_of("38505 304,319:320 3956:3958");
    assert_int_equal(told.number, 38505);
    assert_int_equal(pairs.count, 3);
    assert_int_equal(pairs.from[0], 304);
    assert_int_equal(pairs.to[0], 3956);
    assert_int_equal(pairs.from[2], 320);
    assert_int_equal(pairs.to[2], 3958);
    /* A range names the same whichever end comes first (RFC 3501, 9). */
    pairs = pairs_of("7 3:1 12,10:9");
    assert_int_equal(pairs.count, 3);
    assert_int_equal(pairs.from[0], 1);
    assert_int_equal(pairs.to[0], 12);
    assert_int_equal(pairs.to[1], 9);
    assert_int_equal(pairs.to[2], 10);
    pairs = pairs_of("4294967295 4294967294:4294967295 "
                     "1,4294967295");
    assert_int_equal(pairs.from[1], UINT32_MAX);
    assert_int_equal(pairs.to[1], UINT32_MAX);
}

static void a_copyuid_that_makes_no_sense_tells_nothing(void **state)
{
    static const char *const codes[] = {"",
                                        "1",
                                        "1 2",
                                        "1 2 ",
                                        "1  2",
                                        "0 2 3",
                                        "x 2 3",
                                        "1 2 3 4",
                                        "1 2:3 4",
                                        "1 2 4:5",
                                        "1 0 4",
                                        "1 2 0",
                                        "1 * 4",
                                        "1 2:* 4:*",
                                        "1 2, 4",
                                        "1 2:3:4 5",
                                        "4294967296 2 4",
                                        "1 4294967296 4",
                                        "1 1:4294967295 2:4294967295"};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        assert_int_equal(pairs_of(codes[i]).count, 0);
}

static void searches_become_ranges(void **state)
{
    (void)state;
    read_text("* SEARCH 2 3 4 9 (MODSEQ 917162500)\r\n");
    assert_int_equal(told.kind, IMAP_SEARCH);
    assert_int_equal(told.ranges.size, 2 * sizeof(struct pr_range));
    assert_int_equal(range_at(0).last, 4);
    assert_int_equal(range_at(1).first, 9);
    read_text("* SEARCH\r\n");
    assert_int_equal(told.ranges.size, 0);
    read_text("* ESEARCH (TAG \"A2\") UID MIN 1 ALL 3:5,9 COUNT 4\r\n");
    assert_int_equal(told.ranges.size, 2 * sizeof(struct pr_range));
    assert_int_equal(range_at(0).first, 3);
    read_text("* ESEARCH (TAG \"A2\") UID\r\n");
    read_text("* VANISHED (EARLIER) 41,43:116\r\n");
    assert_int_equal(told.kind, IMAP_VANISHED);
    assert_int_equal(range_at(1).last, 116);
    refuse("* SEARCH x\r\n");
    refuse("* SEARCH 0\r\n");
    refuse("* VANISHED\r\n");
    refuse("* VANISHED (EARLIER)\r\n");
    refuse("* VANISHED (EARLIER) (1)\r\n");
    refuse("* VANISHED 1,x\r\n");
}

/* A set may name each UID there is not, and be longer than any other token. */
static void sets_of_uids_may_be_long(void **state)
{
    enum { COUNT = 200000 };

    static const char *const heads[] = {"* VANISHED ", "* VANISHED (EARLIER) ",
                                        "* ESEARCH (TAG \"A2\") UID ALL "};
    struct pr_buffer text = {.cap = 1u << 21};

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        pr_buffer_clear(&text);
        assert_int_equal(pr_buffer_add_text(&text, heads[i]), PR_OK);
        for (unsigned uid = 0; uid < COUNT; uid++)
            assert_int_equal(
                pr_buffer_printf(&text, uid == 0 ? "%u" : ",%u", 2 * uid + 1),
                PR_OK);
        assert_int_equal(pr_buffer_add_text(&text, "\r\n"), PR_OK);
        assert_true(text.size > IMAP_RESPONSE_CAP);
        read_text(pr_buffer_text(&text));
        assert_int_equal(told.kind, i < 2 ? IMAP_VANISHED : IMAP_SEARCH);
        assert_int_equal(told.is_earlier, i == 1);
        assert_int_equal(told.ranges.size, COUNT * sizeof(struct pr_range));
        assert_int_equal(range_at(COUNT - 1).last, 2 * COUNT - 1);
    }
    /* What is no set has its cap all the same. */
    pr_buffer_clear(&text);
    assert_int_equal(pr_buffer_add_text(&text, "* VANISHED (EARLIER"), PR_OK);
    while (text.size <= IMAP_RESPONSE_CAP)
        assert_int_equal(pr_buffer_add_text(&text, " x"), PR_OK);
    assert_int_equal(pr_buffer_add_text(&text, ") 1\r\n"), PR_OK);
    assert_int_equal(read_cut(pr_buffer_text(&text), 1000), PR_PROTOCOL);
    pr_buffer_done(&text);
}

static void fetches_have_what_was_asked_for_among_other_things(void **state)
{
    (void)state;
    read_text("* 3 FETCH (FLAGS (\\Seen $a \\odd b) X-OTHER (\"\\\\Inbox\" "
              "(x {3}\r\n)\r\n)) UID 7 BODY[] {8}\r\na: 1\r\n\r\n"
              " RFC822.SIZE 8 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" "
              "ENVELOPE NIL)\r\n");
    assert_int_equal(told.kind, IMAP_FETCH);
    assert_int_equal(told.number, 3);
    assert_int_equal(told.message.uid, 7);
    assert_int_equal(told.message.system_flags, PR_FLAG_SEEN);
    assert_string_equal(imap_text(&told, told.message.keywords), "$a b");
    assert_int_equal(told.message.size, 8);
    assert_int_equal(told.message.received, 837596665);
    assert_int_equal(told.message.body, IMAP_BODY_GIVEN);
    assert_int_equal(told.message.section, PR_WANT_ALL);
    assert_string_equal(body, "a: 1\r\n\r\n");
    read_text("* 3 FETCH (BODY[HEADER] \"x\\\"\" UID 7)\r\n");
    assert_int_equal(told.message.section, PR_WANT_HEADER);
    assert_string_equal(body, "x\"");
    read_text("* 3 FETCH (BODY[] NIL INTERNALDATE NIL)\r\n");
    assert_int_equal(told.message.body, IMAP_BODY_NIL);
    assert_int_equal(told.message.received, 0);
    read_text("* 3 FETCH ()\r\n");
    assert_int_equal(told.message.body, IMAP_BODY_NONE);
    refuse("* 3 FETCH (UID 0)\r\n");
    refuse("* 3 FETCH (UID 4294967296)\r\n");
    refuse("* 3 FETCH (UID 1 UID 2)\r\n");
    refuse("* 3 FETCH (RFC822.SIZE -1)\r\n");
    refuse("* 3 FETCH (FLAGS \\Seen)\r\n");
    refuse("* 3 FETCH (BODY[] word)\r\n");
    refuse("* 3 FETCH (X)\r\n");
    refuse("* 3 FETCH UID 7\r\n");
}

static void a_status_has_the_numbers_it_tells(void **state)
{
    (void)state;
    read_text("* STATUS \"x\" (MESSAGES 3 UIDNEXT 44292 UIDVALIDITY 7 "
              "APPENDLIMIT 257890)\r\n");
    assert_int_equal(told.kind, IMAP_STATUS);
    assert_string_equal(imap_text(&told, told.mailbox.name), "x");
    assert_int_equal(told.status.uidnext, 44292);
    assert_int_equal(told.status.uidvalidity, 7);
    assert_int_equal(told.status.append_limit, 257890);
    read_text("* STATUS {1}\r\nx (APPENDLIMIT NIL X (1 2) UIDNEXT 4294967296)"
              "\r\n");
    assert_int_equal(told.status.append_limit, 0);
    assert_int_equal(told.status.uidnext, 0);
    read_text("* STATUS x ()\r\n");
    refuse("* STATUS x\r\n");
    refuse("* STATUS x (\"UIDNEXT\" 3)\r\n");
}

static struct pr_range first_range(void)
{
    struct pr_range range = {0, 0};

    if (told.ranges.size >= sizeof(range))
        memcpy(&range, told.ranges.data, sizeof(range));
    return range;
}

static void append_uids_are_ranges(void **state)
{
    (void)state;
    read_text("A1 OK [APPENDUID 38505 3955:3957] done\r\n");
    assert_int_equal(told.code, IMAP_CODE_APPENDUID);
    assert_int_equal(told.number, 38505);
    assert_int_equal(first_range().first, 3955);
    assert_int_equal(first_range().last, 3957);
    read_text("A1 OK [APPENDUID 38505 3,5,7] done\r\n");
    assert_int_equal(told.ranges.size, 3 * sizeof(struct pr_range));
    /* What is malformed tells nothing, and breaks nothing. */
    read_text("A1 OK [APPENDUID 38505] done\r\n");
    assert_int_equal(told.ranges.size, 0);
    read_text("A1 OK [APPENDUID x 5] done\r\n");
    assert_int_equal(told.ranges.size, 0);
    read_text("A1 OK [APPENDUID 38505 5,x] done\r\n");
    assert_int_equal(told.ranges.size, 0);
    assert_int_equal(told.number, 0);
    assert_string_equal(imap_text(&told, told.text), "done");
}

static void an_append_limit_may_stand_among_the_capabilities(void **state)
{
    (void)state;
    read_text("* CAPABILITY IMAP4rev1 APPENDLIMIT=35651584 MULTIAPPEND\r\n");
    assert_int_equal(told.append_limit, 35651584);
    assert_int_equal(told.capabilities, IMAP_CAN_REV1 | IMAP_CAN_APPENDLIMIT |
                                            IMAP_CAN_MULTIAPPEND);
    read_text("* OK [CAPABILITY IMAP4rev1 APPENDLIMIT] x\r\n");
    assert_int_equal(told.append_limit, 0);
    assert_int_equal(told.capabilities, IMAP_CAN_REV1 | IMAP_CAN_APPENDLIMIT);
    read_text("* CAPABILITY IMAP4rev1 APPENDLIMIT=x APPENDLIMIT=\r\n");
    assert_int_equal(told.append_limit, 0);
    assert_int_equal(told.capabilities, IMAP_CAN_REV1);
}

static void what_matters_not_is_skipped(void **state)
{
    (void)state;
    read_text("* ID (\"name\" NIL)\r\n");
    read_text("* FLAGS (\\Seen)\r\n");
    read_text("* XYZZY {4}\r\n(\r\n) \"x\" y\r\n");
    read_text("* 4 RECENT\r\n");
    assert_int_equal(told.kind, IMAP_OTHER);
    read_text("* 4 EXISTS\r\n");
    assert_int_equal(told.kind, IMAP_EXISTS);
    read_text("+ idling\r\n");
    assert_int_equal(told.kind, IMAP_CONTINUE);
    read_text("+\r\n");
    refuse("\r\n");
    refuse("(x)\r\n");
    refuse("A1\r\n");
    refuse("A1 BYE x\r\n");
    refuse("A1234567890123456 OK x\r\n");
    refuse("*\r\n");
}

static int set_up(void **state)
{
    (void)state;
    imap_response_init(&told);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    imap_response_done(&told);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_have_codes_and_words),
        cmocka_unit_test(capabilities_of_rev2_include_others),
        cmocka_unit_test(lists_have_names_of_any_form),
        cmocka_unit_test(searches_become_ranges),
        cmocka_unit_test(sets_of_uids_may_be_long),
        cmocka_unit_test(copied_messages_are_paired_with_their_new_uids),
        cmocka_unit_test(a_copyuid_that_makes_no_sense_tells_nothing),
        cmocka_unit_test(fetches_have_what_was_asked_for_among_other_things),
        cmocka_unit_test(a_status_has_the_numbers_it_tells),
        cmocka_unit_test(append_uids_are_ranges),
        cmocka_unit_test(an_append_limit_may_stand_among_the_capabilities),
        cmocka_unit_test(what_matters_not_is_skipped),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
