/*
 * One message that several fibers look at, as the branches of a rule do, while
 * jobs of theirs are in the pool.
 */
#include "config.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "fiber/loop.h"
#include "mail/message.h"
#include "mail_help.h"

/* The pool has one thread: what is offloaded runs in its order. */
static void run(pr_fiber_fn *fiber)
{
    assert_int_equal(loop_run(1, fiber, NULL), PR_OK);
}

static void spawn(struct pr_scope *scope, pr_fiber_fn *fiber, void *argument)
{
    assert_int_equal(pr_spawn(scope, "branch", PR_STACK_RULE, fiber, argument),
                     PR_OK);
}

/* ---- A pool that does nothing until it is told --------------------------- */

static sem_t gate;

static pr_status stand_at_gate(void *argument)
{
    (void)argument;
    while (sem_wait(&gate) != 0) {
    }
    return PR_OK;
}

static pr_status keep_pool_busy(void *argument)
{
    return pr_offload(stand_at_gate, argument);
}

static void close_gate(struct pr_scope *scope)
{
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    spawn(scope, keep_pool_busy, NULL);
    assert_int_equal(pr_yield(), PR_OK);
}

static void open_gate(struct pr_scope *scope)
{
    assert_int_equal(sem_post(&gate), 0);
    assert_int_equal(pr_scope_join(scope), PR_OK);
    sem_destroy(&gate);
}

/* ---- Content that comes by itself ---------------------------------------- */

#define SOME_OCTETS 40000 /* some pieces; in memory */
#define ALL_OCTETS 50000

static atomic_bool has_begun;

struct reading {
    struct view *view;
    uint64_t octets;
};

static pr_status take_slowly(void *user, struct pr_bytes octets)
{
    struct reading *reading = user;
    if (!has_begun) {
        has_begun = true;
        (void)stand_at_gate(NULL);
    }
    reading->octets += octets.size;
    return PR_OK;
}

static pr_status read_slowly(void *argument)
{
    struct reading *reading = argument;
    return view_part_each(reading->view, 0, take_slowly, reading);
}

static void tell_of_one_part(struct view *view)
{
    static const struct pr_part part = {
        .size = ALL_OCTETS,
        .fields = PR_BYTES("Content-Type: application/pdf\n")};
    struct tree tree = {.parts = {.cap = 0}};
    const struct view_part *parts;
    size_t count;
    assert_int_equal(message_read_structure(&part, 1, &tree), PR_OK);
    view_take_tree(view, &tree);
    assert_int_equal(view_parts(view, &parts, &count), PR_OK);
}

static struct pr_spool *spool_of_x(size_t size)
{
    char *text = repeated("", "x", size);
    struct pr_spool *spool = spool_of(text);
    free(text);
    return spool;
}

static uint64_t octets_of(struct view *view)
{
    struct pr_buffer buffer = {.cap = 2 * (size_t)ALL_OCTETS};
    assert_int_equal(view_part_octets(view, 0, &buffer), PR_OK);
    uint64_t size = buffer.size;
    pr_buffer_done(&buffer);
    return size;
}

static pr_status read_while_more_comes(void *argument)
{
    struct looked_at mail = look_at(spool_of("Subject: a\n\n"));
    struct reading reading = {.view = mail.view};
    struct pr_scope scope;
    (void)argument;

    tell_of_one_part(mail.view);
    assert_int_equal(
        view_take_content(mail.view, 0, spool_of_x(SOME_OCTETS), SOME_OCTETS),
        PR_OK);
    assert_false(view_has_content(mail.view, 0, 0));
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    pr_scope_init(&scope);
    spawn(&scope, read_slowly, &reading);
    while (!has_begun)
        assert_int_equal(pr_sleep(1), PR_OK);
    assert_int_equal(view_take_content(mail.view, 0, spool_of_x(ALL_OCTETS), 0),
                     PR_OK);
    assert_true(view_has_content(mail.view, 0, 0));
    open_gate(&scope);
    assert_int_equal(reading.octets, SOME_OCTETS);
    assert_int_equal(octets_of(mail.view), ALL_OCTETS);
    /* Less of it, asked for before, comes later. */
    assert_int_equal(view_take_content(mail.view, 0, spool_of_x(100), 100),
                     PR_OK);
    assert_true(view_has_content(mail.view, 0, 0));
    assert_int_equal(octets_of(mail.view), ALL_OCTETS);
    look_away(&mail);
    return PR_OK;
}

static void content_that_comes_leaves_readers_what_they_read(void **state)
{
    (void)state;
    run(read_while_more_comes);
}

/* ---- The tree ------------------------------------------------------------ */

struct look {
    struct view *view;
    const struct view_part *parts;
    size_t count;
};

static pr_status look_at_parts(void *argument)
{
    struct look *look = argument;
    return view_parts(look->view, &look->parts, &look->count);
}

static pr_status look_at_parts_twice(void *argument)
{
    char *text = repeated("Content-Type: multipart/mixed; boundary=b\n\n"
                          "--b\n\nfirst\n--b\n\n",
                          "second\n", SOME_OCTETS);
    struct looked_at mail = look_at(spool_of(text));
    struct look one = {.view = mail.view}, other = {.view = mail.view};
    struct pr_scope scope;
    (void)argument;

    pr_scope_init(&scope);
    close_gate(&scope);
    spawn(&scope, look_at_parts, &one);
    spawn(&scope, look_at_parts, &other);
    assert_int_equal(pr_yield(), PR_OK);
    open_gate(&scope);
    assert_int_equal(one.count, 3);
    assert_int_equal(other.count, 3);
    assert_ptr_equal(one.parts, other.parts);
    assert_string_equal(one.parts[2].path, "2");
    look_away(&mail);
    free(text);
    return PR_OK;
}

static void two_that_ask_for_the_parts_get_the_same(void **state)
{
    (void)state;
    run(look_at_parts_twice);
}

/* ---- The view ------------------------------------------------------------ */

struct seeing {
    struct message *message;
    struct view *view;
};

static pr_status see(void *argument)
{
    struct seeing *seeing = argument;
    return message_view(seeing->message, &seeing->view);
}

static struct pr_spool *spool_of_long_header(const char *subject)
{
    char head[100];
    snprintf(head, sizeof head, "Subject: %s\n", subject);
    char *text = repeated(head, "X-Filler: filler\n", SOME_OCTETS);
    struct pr_spool *spool = spool_of(text);
    free(text);
    return spool;
}

static struct message *make_message(struct pr_item *item)
{
    struct message *message = NULL;
    assert_int_equal(message_new("work", "INBOX", item, &message), PR_OK);
    message->is_header_only = true;
    return message;
}

static void assert_subject(struct view *view, const char *subject)
{
    struct view_field field;
    size_t index = 0;
    assert_non_null(view);
    assert_true(view_find_field(view, "Subject", &index, &field));
    assert_string_equal(field.value, subject);
}

static pr_status see_twice(void *argument)
{
    struct pr_item item = {.uid = 1};
    struct message *message = make_message(&item);
    struct seeing one = {.message = message}, other = {.message = message};
    struct pr_scope scope;
    (void)argument;

    message->spool = spool_of_long_header("header");
    pr_scope_init(&scope);
    close_gate(&scope);
    spawn(&scope, see, &one);
    spawn(&scope, see, &other);
    assert_int_equal(pr_yield(), PR_OK);
    open_gate(&scope);
    assert_ptr_equal(one.view, message->view);
    assert_ptr_equal(other.view, message->view);
    message_free(message);
    return PR_OK;
}

static void two_that_ask_for_the_view_get_the_same(void **state)
{
    (void)state;
    run(see_twice);
}

static pr_status see_while_all_comes(void *argument)
{
    struct pr_item item = {.uid = 1};
    struct message *message = make_message(&item);
    struct seeing seeing = {.message = message};
    struct pr_scope scope;
    (void)argument;

    message->spool = spool_of_long_header("header");
    pr_scope_init(&scope);
    close_gate(&scope);
    spawn(&scope, see, &seeing);
    assert_int_equal(pr_yield(), PR_OK);
    message_take_whole(message, spool_of_long_header("whole"));
    open_gate(&scope);
    assert_subject(seeing.view, "whole");
    assert_subject(message->view, "whole");
    message_free(message);
    return PR_OK;
}

static void the_view_is_of_all_that_came_meanwhile(void **state)
{
    (void)state;
    run(see_while_all_comes);
}

/* ---- Fetching ------------------------------------------------------------ */

static unsigned under_way, headers, wholes;

/* A server that answers one at a time, and late. */
static void answer_late(void)
{
    assert_int_equal(under_way++, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pr_yield(), PR_OK);
    under_way--;
}

static pr_status fetch_header(struct message *message)
{
    headers++;
    answer_late();
    message->spool = spool_of("Subject: header\n\n");
    return PR_OK;
}

static pr_status fetch(struct message *message, enum pr_want want,
                       const char *part, uint64_t most)
{
    (void)part;
    (void)most;
    if (want != PR_WANT_ALL)
        return PR_UNSUPPORTED;
    wholes++;
    answer_late();
    message_take_whole(message, spool_of("Subject: whole\n\nbody\n"));
    return PR_OK;
}

static pr_status need_all(void *argument)
{
    const struct seeing *seeing = argument;
    return message_whole(seeing->message);
}

/* Runs them in this order, over a message of which nothing is here. */
static void fetch_for(pr_fiber_fn *const *fibers, size_t count,
                      const char *subject)
{
    struct pr_item item = {.uid = 1};
    struct message *message = make_message(&item);
    struct seeing seeing[4];
    struct pr_scope scope;

    headers = wholes = 0;
    message->fetch_header = fetch_header;
    message->fetch = fetch;
    pr_scope_init(&scope);
    for (size_t i = 0; i < count; i++) {
        seeing[i] = (struct seeing){.message = message};
        spawn(&scope, fibers[i], &seeing[i]);
    }
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    struct view *view = NULL;
    assert_int_equal(message_view(message, &view), PR_OK);
    assert_subject(view, subject);
    message_free(message);
}

static pr_status fetch_for_all(void *argument)
{
    (void)argument;
    fetch_for((pr_fiber_fn *const[]){see, see}, 2, "header");
    assert_int_equal(headers, 1);
    fetch_for((pr_fiber_fn *const[]){need_all, need_all}, 2, "whole");
    assert_int_equal(wholes, 1);
    fetch_for((pr_fiber_fn *const[]){need_all, see, need_all, see}, 4, "whole");
    assert_int_equal(headers, 0);
    assert_int_equal(wholes, 1);
    fetch_for((pr_fiber_fn *const[]){see, need_all, see}, 3, "whole");
    assert_int_equal(headers, 1);
    assert_int_equal(wholes, 1);
    return PR_OK;
}

static void what_several_ask_for_is_fetched_once_and_in_turn(void **state)
{
    (void)state;
    run(fetch_for_all);
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
        cmocka_unit_test(content_that_comes_leaves_readers_what_they_read),
        cmocka_unit_test(two_that_ask_for_the_parts_get_the_same),
        cmocka_unit_test(two_that_ask_for_the_view_get_the_same),
        cmocka_unit_test(the_view_is_of_all_that_came_meanwhile),
        cmocka_unit_test(what_several_ask_for_is_fetched_once_and_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, shut_down);
}
