/*
 * Streams that wait for long: woken by octets, by a call, by time, and whole
 * afterwards. The tests wait for the stream to give its memory back, which is
 * after two seconds.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "fiber/loop.h"
#include "io/socket.h"
#include "io/stream_parts.h"
#include "lib/peer.h"

static struct pr_net_options net;
static struct pr_stream *stream;
static int far; /* the other end */

static void open_pair(void)
{
    struct transport *transport;
    int fds[2];

    net = (struct pr_net_options){
        .host = "127.0.0.1", .tls = PR_TLS_NONE, .timeout = 10000};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    assert_int_equal(socket_wrap(fds[0], NULL, &transport), PR_OK);
    assert_int_equal(stream_new(transport, &net, 143, NULL, &stream), PR_OK);
    far = fds[1];
}

static void close_pair(void)
{
    pr_stream_close(stream);
    close(far);
}

static pr_status run_body(void *body)
{
    open_pair();
    (*(void (**)(void))body)();
    close_pair();
    return PR_OK;
}

static void run(void (*body)(void))
{
    assert_int_equal(loop_run(1, run_body, &body), PR_OK);
}

static void assert_line(const char *text)
{
    struct pr_bytes line;

    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_OK);
    assert_int_equal(line.size, strlen(text));
    assert_memory_equal(line.data, text, line.size);
}

static pr_status park_for_ever(void *ret_status)
{
    *(pr_status *)ret_status = pr_stream_park(stream, PR_NEVER);
    return PR_OK;
}

/* Until the parked stream has neither buffer. */
static void await_shrunk(void)
{
    pr_time limit = pr_in(20000);

    while (stream->in != NULL || stream->out.data != NULL) {
        assert_true(pr_now() < limit);
        assert_int_equal(pr_sleep(20), PR_OK);
    }
}

static void let_it_wait_long(void)
{
    struct pr_scope scope;
    pr_status status = PR_BUG;

    assert_int_equal(pr_stream_write(stream, "hello\r\n", 7), PR_OK);
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "reader", PR_STACK_SESSION, park_for_ever, &status),
        PR_OK);
    assert_int_equal(pr_sleep(10), PR_OK);
    assert_non_null(stream->in);
    await_shrunk();
    assert_int_equal(pr_stream_peek(stream).size, 0);
    peer_write(far, "one\r\ntwo\r\n", 10);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(status, PR_OK);
    assert_line("one");
    assert_line("two");
    /* What is there is not waited for. */
    peer_write(far, "three\r\nfour\r\n", 13);
    assert_line("three");
    assert_int_equal(pr_stream_park(stream, PR_NEVER), PR_OK);
    assert_line("four");
    /* It can still be written to, all at once and in pieces. */
    assert_int_equal(pr_stream_write(stream, "end\r\n", 5), PR_OK);
    assert_int_equal(pr_stream_flush(stream), PR_OK);
    char text[12];
    assert_int_equal(recv(far, text, sizeof(text), MSG_WAITALL), 12);
    assert_memory_equal(text, "hello\r\nend\r\n", 12);
}

static void a_long_wait_gives_the_buffers_back(void **state)
{
    (void)state;
    run(let_it_wait_long);
}

static void let_it_be_called(void)
{
    struct pr_scope scope;
    pr_status status = PR_BUG;

    /* A call ends the next wait... */
    pr_stream_unpark(stream);
    assert_int_equal(pr_stream_park(stream, PR_NEVER), PR_OK);
    assert_int_equal(pr_stream_peek(stream).size, 0);
    /* ... and only that one. */
    assert_int_equal(pr_stream_park(stream, pr_in(20)), PR_TIMEOUT);
    assert_int_equal(pr_stream_park(stream, 0), PR_TIMEOUT);
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "reader", PR_STACK_SESSION, park_for_ever, &status),
        PR_OK);
    assert_int_equal(pr_sleep(10), PR_OK);
    assert_int_equal(status, PR_BUG);
    pr_stream_unpark(stream);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(status, PR_OK);
    peer_write(far, "later\r\n", 7);
    assert_line("later");
}

static void a_call_ends_the_wait(void **state)
{
    (void)state;
    run(let_it_be_called);
}

static void cancel_it(void)
{
    struct pr_scope scope;
    pr_status status = PR_BUG;

    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "reader", PR_STACK_SESSION, park_for_ever, &status),
        PR_OK);
    assert_int_equal(pr_sleep(10), PR_OK);
    pr_scope_cancel(&scope);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(status, PR_CANCELLED);
    peer_write(far, "still here\r\n", 12);
    assert_line("still here");
}

static void a_cancelled_wait_leaves_the_line_whole(void **state)
{
    (void)state;
    run(cancel_it);
}

static void end_the_line(void)
{
    shutdown(far, SHUT_WR);
    assert_int_equal(pr_stream_park(stream, PR_NEVER), PR_EOF);
}

static void the_end_of_the_line_ends_the_wait(void **state)
{
    (void)state;
    run(end_the_line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_wait_gives_the_buffers_back),
        cmocka_unit_test(a_call_ends_the_wait),
        cmocka_unit_test(a_cancelled_wait_leaves_the_line_whole),
        cmocka_unit_test(the_end_of_the_line_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
