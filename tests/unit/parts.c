/*
 * The tree of parts, their octets and their text.
 */
#include "config.h"

#include "base/memory.h"
#include "fiber/loop.h"
#include "mail_help.h"

/* "TEXT multipart/mixed, 1 text/plain, ..." */
static void assert_tree(struct view *view, const char *tree)
{
    char text[2000] = "";
    const struct view_part *parts;
    size_t count = 0;
    assert_int_equal(view_parts(view, &parts, &count), PR_OK);
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "%s%s %s", i != 0 ? ", " : "",
                 parts[i].path, parts[i].type);
    }
    assert_string_equal(text, tree);
}

static void assert_odd_tree(const char *odd, const char *tree)
{
    struct looked_at mail = look_at(spool_of_odd(odd));
    assert_tree(mail.view, tree);
    look_away(&mail);
}

static void assert_part_text(struct view *view, size_t part, const char *text)
{
    struct pr_buffer buffer = {.cap = 10000};
    assert_int_equal(view_part_text(view, part, &buffer), PR_OK);
    assert_string_equal(pr_buffer_text(&buffer), text);
    pr_buffer_done(&buffer);
}

static void assert_odd_text(const char *odd, size_t part, const char *text)
{
    struct looked_at mail = look_at(spool_of_odd(odd));
    assert_part_text(mail.view, part, text);
    look_away(&mail);
}

static void parts_are_numbered_as_imap_does(void **state)
{
    (void)state;
    assert_odd_tree("header-only", "1 text/plain");
    assert_odd_tree("message-in-message",
                    "TEXT multipart/mixed, 1 text/plain, 2 message/rfc822, "
                    "2.1 message/rfc822, 2.1.TEXT multipart/mixed, "
                    "2.1.1 text/plain, 2.1.2 image/gif");
    assert_odd_tree("digest",
                    "TEXT multipart/digest, 1 message/rfc822, 1.1 text/plain, "
                    "2 message/rfc822, 2.TEXT multipart/alternative, "
                    "2.1 text/plain");
    assert_odd_tree("rfc2231", "TEXT multipart/mixed, 1 application/pdf, "
                               "2 application/octet-stream, 3 image/png");
}

static void parts_of_broken_mime_are_found(void **state)
{
    (void)state;
    assert_odd_tree("missing-closing-boundary",
                    "TEXT multipart/mixed, 1 multipart/alternative, "
                    "1.1 text/plain, 1.2 text/html, 2 text/plain");
    assert_odd_tree("boundary-prefix",
                    "TEXT multipart/mixed, 1 multipart/mixed, 1.1 text/plain, "
                    "2 text/plain");
    assert_odd_tree("multipart-without-boundary", "1 multipart/mixed");
    assert_odd_tree("boundary-never-used", "TEXT multipart/mixed");
    assert_odd_tree("part-without-header",
                    "TEXT multipart/mixed, 1 text/plain, 2 text/plain, "
                    "3 text/plain, 4 text/html");
    assert_odd_tree("encoded-message", "1 message/rfc822");
    assert_odd_tree("content-type-odd",
                    "TEXT multipart/mixed, 1 text/plain, "
                    "2 application/octet-stream, 3 text/html, "
                    "4 application/octet-stream");
    assert_odd_tree("empty", "1 text/plain");
    assert_odd_tree("no-header", "1 text/plain");
}

static void parts_hold_what_is_between_the_boundaries(void **state)
{
    (void)state;
    assert_odd_text("missing-closing-boundary", 2, "plain");
    assert_odd_text("missing-closing-boundary", 3, "<p>html</p>");
    assert_odd_text("missing-closing-boundary", 4, "last\n");
    assert_odd_text("boundary-prefix", 2, "one");
    assert_odd_text("boundary-prefix", 3, "two");
    assert_odd_text("part-without-header", 1, "text without a header");
    assert_odd_text("part-without-header", 2,
                    "text without even the empty line");
    assert_odd_text("part-without-header", 3, "");
    assert_odd_text("message-in-message", 5, "deep");
    assert_odd_text("digest", 1, "From: b@example.org\nSubject: first\n\none");
    assert_odd_text("no-header", 0,
                    "Only text, and no header at all.\n"
                    "A second line: with a colon.\n");
    assert_odd_text("no-empty-line", 0, "this is text already\nand more\n");
    assert_odd_text("header-only", 0, "");
    assert_odd_text("one-line-end", 0, "");
}

static void parts_tell_name_disposition_and_id(void **state)
{
    const struct view_part *parts;
    size_t count;
    struct looked_at mail = look_at(spool_of_odd("rfc2231"));
    (void)state;
    assert_int_equal(view_parts(mail.view, &parts, &count), PR_OK);
    assert_string_equal(parts[1].filename, "Rechnung f\u00fcr Mai.pdf");
    assert_string_equal(parts[1].disposition, "attachment");
    assert_string_equal(parts[2].filename, "\u00fcber.txt");
    assert_string_equal(parts[2].disposition, "");
    assert_string_equal(parts[3].filename, "\u00fcber.png");
    assert_int_equal(parts[3].size, 1);
    assert_int_equal(parts[0].depth, 0);
    assert_int_equal(parts[3].depth, 1);
    assert_true(parts[0].is_multipart);
    assert_false(parts[3].is_multipart);
    look_away(&mail);

    mail = look_at(spool_of_odd("message-in-message"));
    assert_int_equal(view_parts(mail.view, &parts, &count), PR_OK);
    assert_string_equal(parts[6].content_id, "one@example.org");
    look_away(&mail);
}

static void parts_undo_transfer_encodings(void **state)
{
    (void)state;
    assert_odd_text("base64-broken", 0, "Gr\u00fc\u00dfe");
    assert_odd_text("qp-broken", 0, "a=ZZ b\u2713 c= \nd=3\n");
    assert_odd_text("uuencode", 0, "hello\n");
    assert_odd_text("encoded-message", 0, "Subject: hidden\n\ntext\n");
}

static void parts_turn_charsets_into_utf8(void **state)
{
    (void)state;
    assert_odd_text("charset-lies", 0, "na\u00efve caf\u00e9\n");
    assert_odd_text("charset-utf8-undeclared", 0, "na\u00efve caf\u00e9\n");
    assert_odd_text("charset-unknown", 0, "nuq\ufffdneH\n");
    assert_odd_text("charset-utf8-broken", 0,
                    "ok \u2713 bad \ufffd\ufffd end \ufffd\n");
    assert_odd_text("charset-utf16", 0, "zwei Zeilen\n\u00fc\n");
    assert_odd_text("charset-iso-2022-jp", 0, "\u30c6\u30b9\u30c8 ok\n");
    assert_odd_text("charset-gb2312", 0, "\u4e2d\u6587\u20ac\n");
    assert_odd_text("nul-octets", 0, "a\ufffdb\n");
}

static void parts_give_octets_as_they_are(void **state)
{
    struct pr_buffer buffer = {.cap = 100};
    struct looked_at mail = look_at(spool_of_odd("charset-lies"));
    (void)state;
    assert_int_equal(view_part_octets(mail.view, 0, &buffer), PR_OK);
    assert_string_equal(buffer.data, "na\xefve caf\xe9\n");
    assert_int_equal(view_part_octets(mail.view, 1, &buffer), PR_GONE);
    pr_buffer_done(&buffer);
    look_away(&mail);
}

static void parts_are_cut_at_the_cap(void **state)
{
    const char *text = "Content-Type: text/plain; charset=utf-8\n\n"
                       "\u2713\u2713\u2713\u2713";
    struct looked_at mail = look_at(spool_of(text));
    (void)state;
    for (size_t cap = 0; cap <= 12; cap++) {
        struct pr_buffer octets = {.cap = cap}, utf8 = {.cap = cap};
        assert_int_equal(view_part_octets(mail.view, 0, &octets), PR_OK);
        assert_int_equal(octets.size, cap);
        assert_int_equal(view_part_text(mail.view, 0, &utf8), PR_OK);
        assert_int_equal(utf8.size, cap - cap % 3);
        pr_buffer_done(&octets);
        pr_buffer_done(&utf8);
    }
    look_away(&mail);
}

/* A text in `charset` that is longer than the pieces it is read in. */
static void assert_long_text(const char *charset, const char *unit,
                             const char *utf8)
{
    char head[200];
    snprintf(head, sizeof head, "Content-Type: text/plain; charset=%s\n\nx",
             charset);
    size_t count = 200000 / strlen(unit);
    char *text = repeated(head, unit, count * strlen(unit));
    char *wanted = repeated("x", utf8, count * strlen(utf8));
    struct looked_at mail = look_at(spool_of(text));
    struct pr_buffer buffer = {.cap = 1000000};

    assert_int_equal(view_part_text(mail.view, 0, &buffer), PR_OK);
    assert_int_equal(buffer.size, strlen(wanted));
    assert_memory_equal(buffer.data, wanted, buffer.size);
    pr_buffer_done(&buffer);
    look_away(&mail);
    free(text);
    free(wanted);
}

static void parts_longer_than_a_piece_are_whole(void **state)
{
    (void)state;
    assert_long_text("utf-8", "\u2713", "\u2713");
    assert_long_text("utf-8", "\U0001f4e8", "\U0001f4e8");
    assert_long_text("iso-8859-1", "\xe4\xf6.", "\u00e4\u00f6.");
    assert_long_text("shift_jis", "\x83\x65", "\u30c6");
    assert_long_text("gb18030", "\x81\x30\x84\x36", "\u00a5");
    assert_long_text("us-ascii", "\xc3\xa9", "\u00e9");
    assert_long_text("no-such", "\xe9", "\ufffd");
}

/* A text without charset, ASCII but for its end, which two readings may share.
 */
static void assert_end_is_read(const char *end, const char *utf8)
{
    enum { READING = 16 * 1024 };

    for (size_t size = READING - 4; size <= READING + 1; size++) {
        char *text = repeated("Subject: x\n\n", "x", size);
        char *whole = repeated(text, end, strlen(end));
        char *wanted = repeated("", "x", size);
        struct looked_at mail = look_at(spool_of(whole));
        struct pr_buffer buffer = {.cap = (size_t)2 * READING};

        assert_int_equal(view_part_text(mail.view, 0, &buffer), PR_OK);
        assert_int_equal(buffer.size, size + strlen(utf8));
        assert_memory_equal(buffer.data, wanted, size);
        assert_memory_equal(buffer.data + size, utf8, strlen(utf8));
        pr_buffer_done(&buffer);
        look_away(&mail);
        free(text);
        free(whole);
        free(wanted);
    }
}

static void parts_without_charset_are_guessed_by_what_is_whole(void **state)
{
    (void)state;
    assert_end_is_read("\xe9", "\u00e9");
    assert_end_is_read("\xe9t\xe9", "\u00e9t\u00e9");
    assert_end_is_read("\xc3\xa9", "\u00e9");
    assert_end_is_read("\u2713", "\u2713");
    assert_end_is_read("\U0001f4e8.", "\U0001f4e8.");
    assert_end_is_read("\u2713\xe2\x9c", "\u2713\ufffd\ufffd");
}

static void parts_of_a_message_in_a_file_are_read(void **state)
{
    char *body = repeated("Content-Type: multipart/mixed; boundary=b\n\n--b\n"
                          "Content-Type: text/plain\n\n",
                          "a line of text in the first part\n", 300000);
    char *text = repeated(body, "\n--b\n\nsecond\n--b--\n", 1);
    struct looked_at mail = look_at(spool_of(text));
    struct pr_buffer buffer = {.cap = 1000000};
    (void)state;

    assert_true(pr_spool_file(mail.spool) >= 0);
    assert_tree(mail.view, "TEXT multipart/mixed, 1 text/plain, 2 text/plain");
    assert_part_text(mail.view, 2, "second");
    assert_int_equal(view_part_octets(mail.view, 1, &buffer), PR_OK);
    assert_true(buffer.size >= 300000 && buffer.size < 300100);
    pr_buffer_done(&buffer);
    look_away(&mail);
    free(text);
    free(body);
}

/* All that a part offers; all of it must be in range, and UTF-8. */
static void look_at_parts(struct looked_at *mail)
{
    const struct view_part *parts;
    size_t count = 0;
    assert_int_equal(view_parts(mail->view, &parts, &count), PR_OK);
    assert_in_range(count, 1, VIEW_PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct pr_buffer buffer = {.cap = 1000};
        assert_utf8(parts[i].path);
        assert_utf8(parts[i].type);
        assert_utf8(parts[i].charset);
        assert_utf8(parts[i].filename);
        assert_utf8(parts[i].disposition);
        assert_utf8(parts[i].content_id);
        assert_true(parts[i].size <= 2 * pr_spool_size(mail->spool));
        assert_true(parts[i].depth <= VIEW_DEPTH_MAX);
        if (i < 200) {
            assert_int_equal(view_part_text(mail->view, i, &buffer), PR_OK);
            assert_utf8(pr_buffer_text(&buffer));
        }
        pr_buffer_done(&buffer);
    }
}

static void assert_bounded(char *text, const char *name)
{
    double start = seconds();
    struct looked_at mail = look_at(spool_of(text));
    look_at_parts(&mail);
    look_away(&mail);
    if (seconds() - start > 20)
        fail_msg("%s took %.1f s", name, seconds() - start);
    free(text);
}

/* `count` multiparts, one in the other, each with a boundary of its own. */
static char *nested_multiparts(int count)
{
    char *text = malloc((size_t)count * 80 + 100);
    size_t at = 0;
    assert_non_null(text);
    for (int i = 0; i < count; i++)
        at += (size_t)sprintf(text + at,
                              "Content-Type: multipart/mixed; boundary=b%d\n\n"
                              "--b%d\n",
                              i, i);
    return text;
}

static void parts_of_a_hostile_message_take_bounded_time(void **state)
{
    static const char mixed[] = "Content-Type: multipart/mixed; boundary=b\n\n";
    static const char message[] = "Content-Type: message/rfc822\n\n";
    (void)state;
    assert_bounded(repeated(mixed, "--b\n", 4000000), "empty parts");
    assert_bounded(repeated(mixed, "--b\n\n", 4000000), "parts");
    assert_bounded(repeated(mixed, "--\n", 4000000), "dashes");
    assert_bounded(repeated(mixed, "--b--\n", 4000000), "ends");
    assert_bounded(repeated("", message, 150000), "messages in messages");
    assert_bounded(nested_multiparts(10000), "multiparts in multiparts");
    assert_bounded(repeated(mixed, mixed, 400000), "headers as content");
    assert_bounded(repeated("Content-Type: text/plain", "; a=b", 2000000),
                   "parameters");
    assert_bounded(repeated("Content-Type: text/plain", "; name*0=b", 2000000),
                   "continued parameters");
    assert_bounded(repeated("Content-Type: ", "(", 2000000), "comments");
    assert_bounded(repeated("Content-Type: text/plain;\n", " \n ", 2000000),
                   "folds");
    assert_bounded(repeated("Content-", "x", 4000000), "one long line");
}

static void parts_beyond_the_depth_are_one_part(void **state)
{
    const struct view_part *parts;
    size_t count;
    char *text = nested_multiparts(1000);
    struct looked_at mail = look_at(spool_of(text));
    (void)state;
    assert_int_equal(view_parts(mail.view, &parts, &count), PR_OK);
    assert_int_equal(count, VIEW_DEPTH_MAX + 1);
    assert_false(parts[VIEW_DEPTH_MAX].is_multipart);
    assert_string_equal(parts[VIEW_DEPTH_MAX].type, "multipart/mixed");
    look_away(&mail);
    free(text);
}

static void parts_survive_each_failed_allocation(void **state)
{
    unsigned long n = 0;
    bool was_met = true;
    struct pr_spool *spool = spool_of_odd("message-in-message");
    (void)state;
    while (was_met) {
        const struct view_part *parts;
        size_t count;
        struct view *view = NULL;
        struct pr_buffer buffer = {.cap = 100};
        memory_fail_at(++n);
        pr_status status = view_new(spool, &view);
        if (status == PR_OK)
            status = view_parts(view, &parts, &count);
        if (status == PR_OK)
            status = view_part_text(view, 5, &buffer);
        was_met = !memory_fail_pending();
        memory_fail_at(0);
        assert_int_equal(status, was_met ? PR_NOMEM : PR_OK);
        pr_buffer_done(&buffer);
        view_free(view);
    }
    assert_true(n > 10);
    spool_free(spool);
}

static const char *const all_odd[] = {"8bit-header",
                                      "addresses",
                                      "bare-cr",
                                      "base64-broken",
                                      "boundary-never-used",
                                      "boundary-prefix",
                                      "charset-gb2312",
                                      "charset-iso-2022-jp",
                                      "charset-lies",
                                      "charset-unknown",
                                      "charset-utf16",
                                      "charset-utf8-broken",
                                      "charset-utf8-undeclared",
                                      "content-type-odd",
                                      "dates-odd",
                                      "digest",
                                      "empty",
                                      "encoded-message",
                                      "encoded-words-odd",
                                      "field-names-odd",
                                      "header-cut",
                                      "header-only",
                                      "mbox-from-line",
                                      "message-id-odd",
                                      "message-in-message",
                                      "missing-closing-boundary",
                                      "multipart-without-boundary",
                                      "no-empty-line",
                                      "no-header",
                                      "nul-octets",
                                      "one-line-end",
                                      "part-without-header",
                                      "qp-broken",
                                      "rfc2231",
                                      "utf8-header",
                                      "uuencode"};

static void look_at_all_odd(void)
{
    for (size_t i = 0; i < sizeof all_odd / sizeof *all_odd; i++) {
        struct looked_at mail = look_at(spool_of_odd(all_odd[i]));
        look_at_parts(&mail);
        look_away(&mail);
    }
}

static void odd_mail_never_fails_to_be_read(void **state)
{
    (void)state;
    look_at_all_odd();
}

static pr_status look_in_fiber(void *argument)
{
    (void)argument;
    look_at_all_odd();
    assert_bounded(nested_multiparts(10000), "multiparts in multiparts");
    assert_bounded(repeated("To: ", "a:", 200000), "groups in groups");
    return PR_OK;
}

static void odd_mail_is_read_in_a_fiber_and_its_pool(void **state)
{
    (void)state;
    assert_int_equal(loop_run(2, look_in_fiber, NULL), PR_OK);
}

static int shut_down(void **state)
{
    (void)state;
    view_shutdown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_numbered_as_imap_does),
        cmocka_unit_test(parts_of_broken_mime_are_found),
        cmocka_unit_test(parts_hold_what_is_between_the_boundaries),
        cmocka_unit_test(parts_tell_name_disposition_and_id),
        cmocka_unit_test(parts_undo_transfer_encodings),
        cmocka_unit_test(parts_turn_charsets_into_utf8),
        cmocka_unit_test(parts_give_octets_as_they_are),
        cmocka_unit_test(parts_are_cut_at_the_cap),
        cmocka_unit_test(parts_longer_than_a_piece_are_whole),
        cmocka_unit_test(parts_without_charset_are_guessed_by_what_is_whole),
        cmocka_unit_test(parts_of_a_message_in_a_file_are_read),
        cmocka_unit_test(parts_of_a_hostile_message_take_bounded_time),
        cmocka_unit_test(parts_beyond_the_depth_are_one_part),
        cmocka_unit_test(parts_survive_each_failed_allocation),
        cmocka_unit_test(odd_mail_never_fails_to_be_read),
        cmocka_unit_test(odd_mail_is_read_in_a_fiber_and_its_pool),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
