/*
 * Delivered copies with an edited header: only what was asked for changes.
 */
#include "config.h"

#include "base/memory.h"
#include "mail_help.h"

#define SET(n, v) ((struct header_edit){HEADER_SET, (n), (v)})
#define ADD(n, v) ((struct header_edit){HEADER_ADD, (n), (v)})
#define REMOVE(n) ((struct header_edit){HEADER_REMOVE, (n), NULL})
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* The text after the edits. Free it. */
static char *edited(const char *text, const struct header_edit *edits,
                    size_t count)
{
    struct pr_spool *spool = spool_of(text), *copy = NULL;
    assert_int_equal(spool_with_edits(spool, "/tmp", edits, count, &copy),
                     PR_OK);
    char *result = spool_text(copy);
    spool_free(copy);
    spool_free(spool);
    return result;
}

static void assert_edits(const char *text, const struct header_edit *edits,
                         size_t count, const char *wanted)
{
    char *result = edited(text, edits, count);
    assert_string_equal(result, wanted);
    free(result);
}

static void assert_edit(const char *text, struct header_edit edit,
                        const char *wanted)
{
    assert_edits(text, &edit, 1, wanted);
}

static void set_takes_the_place_of_the_first_and_drops_the_others(void **state)
{
    (void)state;
    assert_edit("A: 1\nX: old\n folded\nB: 2\nx : again\nC: 3\n\nX: body\n",
                SET("X", "new"), "A: 1\nX: new\nB: 2\nC: 3\n\nX: body\n");
}

static void set_of_a_missing_field_adds_it_at_the_end(void **state)
{
    (void)state;
    assert_edit("A: 1\n\nbody", SET("X", "new"), "A: 1\nX: new\n\nbody");
    assert_edit("\nbody", SET("X", "new"), "X: new\n\nbody");
    assert_edit("", SET("X", "new"), "X: new\n");
    assert_edit("A: 1", SET("X", "new"), "A: 1\nX: new\n");
    assert_edit("A: 1\n", SET("X", ""), "A: 1\nX: \n");
}

static void add_keeps_those_of_the_same_name(void **state)
{
    (void)state;
    assert_edit("X: 1\nY: 2\n\nbody\n", ADD("X", "3"),
                "X: 1\nY: 2\nX: 3\n\nbody\n");
}

static void remove_drops_all_of_a_name(void **state)
{
    (void)state;
    assert_edit("X: 1\n more\nY: 2\nX: 3\n\tmore\n\nX: body\n", REMOVE("x"),
                "Y: 2\n\nX: body\n");
    assert_edit("Y: 2\n\nbody\n", REMOVE("x"), "Y: 2\n\nbody\n");
}

static void edits_act_one_after_the_other(void **state)
{
    const struct header_edit set_add[] = {SET("X", "1"), ADD("X", "2")};
    const struct header_edit add_set[] = {ADD("X", "1"), SET("X", "2")};
    const struct header_edit remove_add[] = {REMOVE("X"), ADD("x", "1")};
    const struct header_edit add_remove[] = {ADD("x", "1"), REMOVE("X")};
    const struct header_edit sets[] = {SET("X", "1"), SET("x", "2")};
    (void)state;
    assert_edits("X: 0\nY: 0\n\n", set_add, 2, "X: 1\nY: 0\nX: 2\n\n");
    assert_edits("X: 0\nY: 0\n\n", add_set, 2, "X: 2\nY: 0\n\n");
    assert_edits("X: 0\nY: 0\n\n", remove_add, 2, "Y: 0\nx: 1\n\n");
    assert_edits("X: 0\nY: 0\n\n", add_remove, 2, "Y: 0\n\n");
    assert_edits("X: 0\nY: 0\n\n", sets, 2, "x: 2\nY: 0\n\n");
    assert_edits("Y: 0\n\nbody", sets, 0, "Y: 0\n\nbody");
}

static void edits_leave_text_without_an_empty_line_alone(void **state)
{
    (void)state;
    assert_edit("A: 1\nthis is text\nA: 2\n", REMOVE("A"),
                "this is text\nA: 2\n");
    assert_edit("A: 1\nthis is text\n", ADD("X", "1"),
                "A: 1\nX: 1\nthis is text\n");
    assert_edit("From a Thu Jan 1\nA: 1\n\n", ADD("X", "1"),
                "From a Thu Jan 1\nA: 1\nX: 1\n\n");
    assert_edit("just text\n", ADD("X", "1"), "X: 1\njust text\n");
}

static void edits_keep_every_octet_of_the_body(void **state)
{
    char body[512];
    const struct header_edit edit = SET("X", "1");
    struct pr_spool *copy = NULL, *spool = NULL;
    (void)state;

    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * 7);
    memcpy(body, "a\r\n\r\rb\n\r\n", 9);
    assert_int_equal(spool_new("/tmp", 0, &spool), PR_OK);
    assert_int_equal(spool_append_exact(spool, "A: 1\n\n", 6), PR_OK);
    assert_int_equal(spool_append_exact(spool, body, sizeof body), PR_OK);
    assert_int_equal(pr_spool_seal(spool), PR_OK);
    assert_int_equal(spool_with_edits(spool, "/tmp", &edit, 1, &copy), PR_OK);
    char *text = spool_text(copy);
    assert_int_equal(pr_spool_size(copy), sizeof body + 11);
    assert_memory_equal(text + 11, body, sizeof body);
    assert_int_equal(spool_header_size(copy), 11);
    free(text);
    spool_free(copy);
    spool_free(spool);
}

static void edits_of_large_messages_and_headers_are_whole(void **state)
{
    char *header = repeated("", "X-Long: 0123456789\n", 200000);
    char *text = repeated(header, "\nbody that goes on\n", 300000);
    char *line = repeated("A: 1\nX-Long: ", "0123456789", 200000);
    (void)state;

    char *result = edited(text, &ADD("X", "1"), 1);
    size_t size = strlen(header);
    assert_memory_equal(result, header, size);
    assert_memory_equal(result + size, "X: 1\n\nbody", 10);
    assert_string_equal(result + size + 5, text + size);
    free(result);
    result = edited(text, &SET("X-Long", "1"), 1);
    assert_memory_equal(result, "X-Long: 1\n\nbody", 15);
    free(result);
    result = edited(line, &REMOVE("X-Long"), 1);
    assert_string_equal(result, "A: 1\n");
    free(result);
    result = edited(line, &REMOVE("A"), 1);
    assert_string_equal(result, line + 5);
    free(result);
    free(line);
    free(text);
    free(header);
}

static void assert_refused(struct header_edit edit)
{
    struct pr_spool *copy = NULL, *spool = spool_of("A: 1\n\nbody\n");
    assert_int_equal(spool_with_edits(spool, "/tmp", &edit, 1, &copy),
                     PR_CONFIG);
    assert_null(copy);
    spool_free(spool);
}

static void edits_refuse_what_would_forge_a_header(void **state)
{
    (void)state;
    assert_refused(ADD("", "x"));
    assert_refused(ADD("X Y", "x"));
    assert_refused(ADD("X:", "x"));
    assert_refused(ADD("X\n", "x"));
    assert_refused(REMOVE("\xc3\xa9"));
    assert_refused(ADD("X", "a\nBcc: b"));
    assert_refused(SET("X", "a\r"));
}

/* Each line at most 78 octets, and not of white space alone. */
static void assert_folded(const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        assert_true(size <= 78);
        assert_true(strspn(text, " \t") < size || size == 0);
        text += size + (text[size] == '\n');
    }
}

/* The value set on a message, and read back. */
static void assert_read_back(const char *name, const char *value)
{
    char *text = edited("A: 1\n\nbody\n", &SET(name, value), 1);
    struct looked_at mail = look_at(spool_of(text));
    struct view_field field;
    size_t index = 0;
    assert_folded(text);
    assert_true(view_find_field(mail.view, name, &index, &field));
    assert_string_equal(field.value, value);
    for (const char *c = text; *c != '\0'; c++)
        assert_true((unsigned char)*c < 0x80);
    look_away(&mail);
    free(text);
}

static void edits_encode_and_fold(void **state)
{
    char *words = repeated("a", " word and another", 1000);
    char *umlauts = repeated("\u00e4", " \u00fcml\u00e4ut \u2713", 1000);
    char *solid = repeated("", "\u2713", 900);
    char *endless = repeated("two words before ", "x", 1200);
    (void)state;
    assert_read_back("Subject", "Gr\u00fc\u00dfe aus K\u00f6ln");
    assert_read_back("Subject", "\u65e5\u672c\u8a9e");
    assert_read_back("Subject", words);
    assert_read_back("Subject", umlauts);
    assert_read_back("Subject", solid);
    assert_read_back("Subject", endless);
    assert_read_back("To", endless);
    assert_edit("\n", SET("To", "J\u00fcrgen <j@example.org>, b@c"),
                "To: =?iso-8859-1?q?J=FCrgen?= <j@example.org>, b@c\n\n");
    free(words);
    free(umlauts);
    free(solid);
    free(endless);
}

static void edits_do_not_break_what_has_no_white_space(void **state)
{
    char *solid = repeated("", "x", 200);
    char *wanted = repeated("Subject: ", "x", 200);
    char *result = edited("", &SET("Subject", solid), 1);
    (void)state;
    assert_memory_equal(result, wanted, strlen(wanted));
    assert_string_equal(result + strlen(wanted), "\n");
    free(result);
    free(wanted);
    free(solid);
    assert_edit("", SET("Subject", "  two   spaces  "),
                "Subject:   two   spaces  \n");
}

static void edits_survive_each_failed_allocation(void **state)
{
    const struct header_edit edits[] = {SET("A", "\u00e4"), ADD("B", "b")};
    struct pr_spool *spool = spool_of("A: 1\n\nbody\n");
    unsigned long n = 0;
    bool was_met = true;
    (void)state;
    while (was_met) {
        struct pr_spool *copy = NULL;
        memory_fail_at(++n);
        pr_status status =
            spool_with_edits(spool, "/tmp", edits, COUNT(edits), &copy);
        was_met = !memory_fail_pending();
        memory_fail_at(0);
        assert_int_equal(status, was_met ? PR_NOMEM : PR_OK);
        spool_free(copy);
    }
    assert_true(n > 4);
    spool_free(spool);
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
        cmocka_unit_test(set_takes_the_place_of_the_first_and_drops_the_others),
        cmocka_unit_test(set_of_a_missing_field_adds_it_at_the_end),
        cmocka_unit_test(add_keeps_those_of_the_same_name),
        cmocka_unit_test(remove_drops_all_of_a_name),
        cmocka_unit_test(edits_act_one_after_the_other),
        cmocka_unit_test(edits_leave_text_without_an_empty_line_alone),
        cmocka_unit_test(edits_keep_every_octet_of_the_body),
        cmocka_unit_test(edits_of_large_messages_and_headers_are_whole),
        cmocka_unit_test(edits_refuse_what_would_forge_a_header),
        cmocka_unit_test(edits_encode_and_fold),
        cmocka_unit_test(edits_do_not_break_what_has_no_white_space),
        cmocka_unit_test(edits_survive_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
