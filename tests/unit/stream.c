/*
 * Streams: lines, buffers, limits and waits, over scripts and over TCP.
 */
#include "config.h"

#include "io/stream.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/socket.h"
#include "io/tcp.h"
#include "lib/peer.h"
#include "lib/scripted.h"

static struct pr_net_options net;
static struct pr_stream *stream;

static int reset(void **state)
{
    (void)state;
    net = (struct pr_net_options){
        .host = "127.0.0.1", .tls = PR_TLS_NONE, .timeout = 10000};
    stream = NULL;
    scripted_install(NULL, 0);
    return 0;
}

/* Runs `body` as the main fiber and wants it to return PR_OK. */
static void run(pr_fiber_fn *body, void *argument)
{
    assert_int_equal(loop_run(2, body, argument), PR_OK);
}

static void assert_words(pr_status status, const char *part)
{
    assert_int_equal(pr_last_failure()->status, status);
    if (strstr(pr_last_failure()->text, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", pr_last_failure()->text, part);
}

static void assert_line(const char *text)
{
    struct pr_bytes line;

    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_OK);
    assert_int_equal(line.size, strlen(text));
    assert_memory_equal(line.data, text, line.size);
}

static void connect_script(struct script *script)
{
    scripted_install(script, 1);
    assert_int_equal(pr_stream_connect(&net, 143, NULL, &stream), PR_OK);
}

/* Replays a conversation whole, octet by octet, and in random cuts. */
static void replay(const struct script_step *steps, size_t count,
                   void (*talk)(void))
{
    for (uint32_t seed = 0; seed < 50; seed++) {
        struct script script = {.steps = steps, .count = count, .seed = seed};
        script.cut = seed < 4 ? (enum script_cut)seed : SCRIPT_RANDOM;
        connect_script(&script);
        talk();
        pr_stream_close(stream);
        assert_string_equal(script_verdict(&script), "");
        assert_true(script.is_closed);
    }
}

static void talk_lines(void)
{
    struct pr_bytes line;

    assert_line("* OK ready");
    assert_line("");
    assert_line("bare LF, bare \r CR");
    assert_int_equal(pr_stream_write(stream, "a1 NO", 5), PR_OK);
    assert_int_equal(pr_stream_write(stream, "OP\r\n", 4), PR_OK);
    assert_line("a1 OK");
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_EOF);
    assert_words(PR_EOF,
                 "127.0.0.1:143: the connection ended in the middle of a line");
}

static pr_status lines(void *unused)
{
    static const struct script_step steps[] = {
        SCRIPT_S("* OK ready\r\n\r\nbare LF, "),
        SCRIPT_S("bare \r CR\n"),
        SCRIPT_C("a1 NOOP\r\n"),
        SCRIPT_S("a1 OK\r\n* cut"),
        SCRIPT_EOF,
    };

    (void)unused;
    replay(steps, 5, talk_lines);
    return PR_OK;
}

static void lines_are_read_across_all_cuts(void **state)
{
    (void)state;
    run(lines, NULL);
}

static pr_status caps(void *unused)
{
    static const struct script_step steps[] = {
        SCRIPT_S("12345\r\n1234567890\r\nx\r\n")};
    struct pr_bytes line;

    (void)unused;
    for (uint32_t cut = 0; cut < 3; cut++) {
        struct script script = {.steps = steps, .count = 1, .cut = cut};
        connect_script(&script);
        assert_int_equal(pr_stream_read_line(stream, 5, &line), PR_OK);
        assert_int_equal(pr_stream_read_line(stream, 5, &line), PR_LIMIT);
        assert_int_equal(pr_stream_read_line(stream, 9, &line), PR_LIMIT);
        assert_line("1234567890");
        pr_stream_close(stream);
    }
    return PR_OK;
}

static void a_line_beyond_its_cap_is_refused_and_kept(void **state)
{
    (void)state;
    run(caps, NULL);
}

/* A server's endless line. */
static pr_status endless_read(struct transport *transport, void *data,
                              size_t size, pr_time deadline, size_t *ret_size)
{
    (void)transport, (void)deadline;
    memset(data, 'x', size);
    *ret_size = size;
    return PR_OK;
}

static void nothing_to_close(struct transport *transport)
{
    (void)transport;
}

static pr_status fill_up(void *unused)
{
    static const struct transport_ops ops = {.read = endless_read,
                                             .close = nothing_to_close};
    struct transport endless = {&ops, NULL, -1};
    struct pr_bytes line;

    (void)unused;
    assert_int_equal(stream_new(&endless, &net, 143, NULL, &stream), PR_OK);
    assert_int_equal(pr_stream_read_line(stream, SIZE_MAX, &line), PR_LIMIT);
    assert_int_equal(pr_stream_peek(stream).size, 256 * 1024);
    pr_stream_consume(stream, 1);
    assert_int_equal(pr_stream_fill(stream), PR_OK);
    assert_int_equal(pr_stream_peek(stream).size, 256 * 1024);
    assert_int_equal(pr_stream_fill(stream), PR_LIMIT);
    pr_stream_consume(stream, 256 * 1024);
    assert_int_equal(pr_stream_peek(stream).size, 0);
    assert_int_equal(pr_stream_fill(stream), PR_OK);
    pr_stream_close(stream);
    return PR_OK;
}

static void the_buffer_never_grows_beyond_its_cap(void **state)
{
    (void)state;
    run(fill_up, NULL);
}

static pr_status literal(void *unused)
{
    static const struct script_step steps[] = {
        SCRIPT_S("* 1 FETCH {10}\r\n01234"), SCRIPT_S("56789)\r\nnext\r\n")};
    char octets[11] = "";
    size_t have;

    (void)unused;
    for (uint32_t cut = 0; cut < 4; cut++) {
        struct script script = {.steps = steps, .count = 2, .cut = cut};
        connect_script(&script);
        assert_line("* 1 FETCH {10}");
        for (have = 0; have < 10;) {
            struct pr_bytes part = pr_stream_peek(stream);
            if (part.size == 0)
                assert_int_equal(pr_stream_fill(stream), PR_OK);
            if (part.size > 10 - have)
                part.size = 10 - have;
            memcpy(octets + have, part.data, part.size);
            pr_stream_consume(stream, part.size);
            have += part.size;
        }
        assert_string_equal(octets, "0123456789");
        assert_line(")");
        assert_line("next");
        pr_stream_close(stream);
    }
    return PR_OK;
}

static void a_literal_is_taken_between_two_lines(void **state)
{
    (void)state;
    run(literal, NULL);
}

static pr_status scripted_tls(void *unused)
{
    static const struct script_step steps[] = {
        SCRIPT_S("* OK\r\n"), SCRIPT_C("a1 STARTTLS\r\n"),
        SCRIPT_S("a1 OK\r\n"), SCRIPT_TLS, SCRIPT_C("a2 LOGIN\r\n")};
    struct script script = {.steps = steps, .count = 5};

    (void)unused;
    connect_script(&script);
    assert_line("* OK");
    assert_int_equal(pr_stream_write(stream, "a1 STARTTLS\r\n", 13), PR_OK);
    assert_line("a1 OK");
    assert_false(pr_stream_is_secure(stream));
    assert_int_equal(pr_stream_start_tls(stream), PR_OK);
    assert_true(pr_stream_is_secure(stream));
    assert_string_not_equal(script_verdict(&script), "");
    assert_int_equal(pr_stream_write(stream, "a2 LOGIN\r\n", 10), PR_OK);
    assert_int_equal(pr_stream_flush(stream), PR_OK);
    pr_stream_close(stream);
    assert_string_equal(script_verdict(&script), "");

    script = (struct script){.steps = steps, .count = 5};
    connect_script(&script);
    assert_line("* OK");
    assert_int_equal(pr_stream_write(stream, "a1 STARTTLS\r\na2 LOGIN\r\n", 23),
                     PR_OK);
    assert_int_equal(pr_stream_flush(stream), PR_NETWORK);
    pr_stream_close(stream);
    assert_string_equal(
        script_verdict(&script),
        "step 4: the client writes too much; expected \"\", got "
        "\"a2 LOGIN\\x0D\\x0A\"");
    return PR_OK;
}

static void a_script_holds_the_client_at_starttls(void **state)
{
    (void)state;
    run(scripted_tls, NULL);
}

static pr_status injected(void *unused)
{
    static const struct script_step steps[] = {
        SCRIPT_S("a1 OK go on\r\na2 OK\r\n"), SCRIPT_TLS};
    struct script script = {.steps = steps, .count = 2};

    (void)unused;
    connect_script(&script);
    assert_line("a1 OK go on");
    assert_int_equal(pr_stream_start_tls(stream), PR_PROTOCOL);
    assert_words(PR_PROTOCOL, "server sent data before the TLS handshake: "
                              "possible attack");
    assert_false(pr_stream_is_secure(stream));
    assert_false(script.is_secure);
    pr_stream_close(stream);
    return PR_OK;
}

static void plaintext_before_starttls_is_an_attack(void **state)
{
    (void)state;
    run(injected, NULL);
}

static pr_status differing_client(void *unused)
{
    static const struct script_step steps[] = {SCRIPT_C("QUIT\r\n")};
    struct script script = {.steps = steps, .count = 1};

    (void)unused;
    connect_script(&script);
    assert_int_equal(pr_stream_write(stream, "QUIZ\r\n", 6), PR_OK);
    assert_int_equal(pr_stream_flush(stream), PR_NETWORK);
    pr_stream_close(stream);
    assert_string_equal(script_verdict(&script),
                        "step 1: the client writes something else; expected "
                        "\"QUIT\\x0D\\x0A\", got \"QUIZ\\x0D\\x0A\"");
    return PR_OK;
}

static void a_script_says_what_differed(void **state)
{
    (void)state;
    run(differing_client, NULL);
}

/* ---- Over real sockets -------------------------------------------------- */

/* A stream over one end of a pair; returns the other. */
static int open_pair(void)
{
    struct transport *transport;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
                     0);
    assert_int_equal(socket_wrap(fds[0], NULL, &transport), PR_OK);
    assert_int_equal(stream_new(transport, &net, 143, NULL, &stream), PR_OK);
    return fds[1];
}

static pr_status silence(void *unused)
{
    struct pr_bytes line;
    int fd = open_pair();

    (void)unused;
    pr_stream_set_timeout(stream, 50);
    pr_time begin = pr_now();
    assert_int_equal(pr_stream_fill(stream), PR_TIMEOUT);
    assert_words(PR_TIMEOUT, "no answer for 1 s");
    assert_true(pr_now() - begin >= 50);
    pr_stream_set_timeout(stream, 0);
    pr_stream_set_deadline(stream, pr_in(20));
    assert_int_equal(pr_stream_fill(stream), PR_TIMEOUT);
    assert_words(PR_TIMEOUT, "not done in the time allowed");
    /* Nothing was lost. */
    pr_stream_set_deadline(stream, PR_NEVER);
    peer_write(fd, "late\r\n", 6);
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_OK);
    assert_int_equal(line.size, 4);
    pr_stream_close(stream);
    close(fd);
    return PR_OK;
}

static void silence_ends_at_the_timeout_and_the_deadline(void **state)
{
    (void)state;
    run(silence, NULL);
}

static pr_status wait_for_ever(void *ret_status)
{
    *(pr_status *)ret_status = pr_stream_fill(stream);
    return PR_OK;
}

static pr_status cancelled(void *unused)
{
    struct pr_scope scope;
    pr_status status = PR_OK;
    int fd = open_pair();

    (void)unused;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "reader", PR_STACK_SESSION, wait_for_ever, &status),
        PR_OK);
    assert_int_equal(pr_sleep(10), PR_OK);
    pr_scope_cancel(&scope);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(status, PR_CANCELLED);
    pr_stream_close(stream);
    close(fd);
    return PR_OK;
}

static void a_wait_ends_when_the_fiber_is_cancelled(void **state)
{
    (void)state;
    run(cancelled, NULL);
}

#define MUCH (8u * 1024 * 1024)

struct slow_reader {
    uint64_t octets;
    uint32_t sum;
};

/* Takes all that comes, in small bites. */
static void read_slowly(int fd, void *user)
{
    struct slow_reader *reader = user;
    unsigned char block[1000];
    ssize_t got;

    while ((got = read(fd, block, sizeof(block))) > 0) {
        for (ssize_t i = 0; i < got; i++)
            reader->sum = reader->sum * 31 + block[i];
        reader->octets += (uint64_t)got;
    }
}

static pr_status write_much(void *argument)
{
    struct peer *peer = argument;
    static char data[100000];
    uint32_t sum = 0;

    net.port = peer->port;
    assert_int_equal(pr_stream_connect(&net, 1, NULL, &stream), PR_OK);
    for (size_t done = 0, size = 1; done < MUCH; done += size) {
        size = (done * 7919) % sizeof(data) + 1;
        for (size_t i = 0; i < size; i++) {
            data[i] = (char)(done + i * 7);
            sum = sum * 31 + (unsigned char)data[i];
        }
        assert_int_equal(pr_stream_write(stream, data, size), PR_OK);
    }
    assert_int_equal(pr_stream_flush(stream), PR_OK);
    uint64_t sent = pr_stream_octets_out(stream);
    pr_stream_close(stream);
    peer_stop(peer);
    struct slow_reader *reader = peer->user;
    assert_int_equal(reader->octets, sent);
    assert_int_equal(reader->sum, sum);
    return PR_OK;
}

static void much_reaches_a_slow_reader_whole(void **state)
{
    struct slow_reader reader = {0, 0};
    struct peer peer;

    (void)state;
    peer_start(&peer, read_slowly, &reader);
    run(write_much, &peer);
}

static void write_lines(int fd, void *user)
{
    char line[64];

    (void)user;
    for (unsigned i = 0; i < 100000; i++) {
        int size = snprintf(line, sizeof(line), "* %u EXISTS\r\n", i);
        peer_write(fd, line, (size_t)size);
    }
}

static pr_status read_lines(void *argument)
{
    struct peer *peer = argument;
    char text[64];
    struct pr_bytes line;

    assert_int_equal(pr_stream_connect(&net, peer->port, NULL, &stream), PR_OK);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(text, sizeof(text), "* %u EXISTS", i);
        assert_line(text);
    }
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_EOF);
    assert_words(PR_EOF, "127.0.0.1:");
    pr_stream_close(stream);
    peer_stop(peer);
    return PR_OK;
}

static void many_lines_come_over_tcp(void **state)
{
    struct peer peer;

    (void)state;
    peer_start(&peer, write_lines, NULL);
    run(read_lines, &peer);
}

static void hang_up(int fd, void *user)
{
    struct linger now = {1, 0};
    char octet;

    (void)user;
    (void)!read(fd, &octet, 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static pr_status meet_reset(void *argument)
{
    struct peer *peer = argument;

    assert_int_equal(pr_stream_connect(&net, peer->port, NULL, &stream), PR_OK);
    assert_int_equal(pr_stream_write(stream, "x", 1), PR_OK);
    assert_int_equal(pr_stream_fill(stream), PR_NETWORK);
    assert_words(PR_NETWORK, "the connection broke: Connection reset by peer");
    /* Nor does writing to it end the program. */
    assert_int_equal(pr_stream_write(stream, "x", 1), PR_OK);
    assert_int_equal(pr_stream_flush(stream), PR_NETWORK);
    pr_stream_close(stream);
    peer_stop(peer);
    return PR_OK;
}

static void a_reset_connection_is_a_network_failure(void **state)
{
    struct peer peer;

    (void)state;
    peer_start(&peer, hang_up, NULL);
    run(meet_reset, &peer);
}

/* ---- Connecting --------------------------------------------------------- */

static uint16_t refusing_port(void)
{
    uint16_t port;

    close(peer_listen(1, &port));
    return port;
}

static pr_status meet_refusal(void *unused)
{
    char words[80];

    (void)unused;
    net.port = refusing_port();
    snprintf(words, sizeof(words),
             "cannot connect to 127.0.0.1:%u: connection refused",
             (unsigned)net.port);
    assert_int_equal(pr_stream_connect(&net, 1, NULL, &stream), PR_NETWORK);
    assert_string_equal(pr_last_failure()->text, words);
    return PR_OK;
}

static void a_refused_connection_says_so(void **state)
{
    (void)state;
    run(meet_refusal, NULL);
}

static pr_status bad_names(void *unused)
{
    char name[400];

    (void)unused;
    net.host = name;
    for (size_t size = 254; size < 300; size++) {
        memset(name, 'a', size);
        name[60] = name[120] = name[180] = name[240] = '.';
        name[size] = '\0';
        assert_int_equal(pr_stream_connect(&net, 1, NULL, &stream), PR_CONFIG);
    }
    assert_words(PR_CONFIG, "longer than 253 octets");
    snprintf(name, sizeof(name), "%s", "imap.ex\r\nample.org");
    assert_int_equal(pr_stream_connect(&net, 1, NULL, &stream), PR_CONFIG);
    /* No name server is asked for this one. */
    snprintf(name, sizeof(name), "%s", "no..host");
    assert_int_equal(pr_stream_connect(&net, 1, NULL, &stream), PR_NETWORK);
    assert_words(PR_NETWORK, "cannot look up no..host: ");
    net.host = NULL;
    assert_int_equal(pr_stream_connect(&net, 1, NULL, &stream), PR_CONFIG);
    return PR_OK;
}

/* ---- Unix sockets -------------------------------------------------------- */

struct local {
    char path[108];
    int listener;
};

static void listen_at(struct local *local, const char *path)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};

    snprintf(local->path, sizeof(local->path), "%s", path);
    snprintf(where.sun_path, sizeof(where.sun_path), "%s", path);
    unlink(path);
    local->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(local->listener >= 0);
    assert_int_equal(
        bind(local->listener, (const struct sockaddr *)&where, sizeof(where)),
        0);
    assert_int_equal(listen(local->listener, 0), 0);
}

static pr_status talk_to_a_socket(void *argument)
{
    struct local *local = argument;

    net.host = local->path;
    assert_int_equal(pr_stream_connect(&net, 24, NULL, &stream), PR_OK);
    int server = accept(local->listener, NULL, NULL);
    assert_true(server >= 0);
    peer_write(server, "220 hello\r\n", 11);
    assert_line("220 hello");
    close(server);
    struct pr_bytes line;
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_EOF);
    assert_words(PR_EOF, local->path);
    pr_stream_close(stream);
    return PR_OK;
}

static void a_path_is_a_unix_socket(void **state)
{
    struct local local;
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "/tmp/pr-stream.%ld", (long)getpid());
    listen_at(&local, path);
    run(talk_to_a_socket, &local);
    close(local.listener);
    unlink(path);
}

static pr_status fill_the_queue(void *argument)
{
    struct pr_stream *waiting[8] = {NULL};
    struct local *local = argument;
    pr_status status = PR_OK;
    size_t count = 0;

    net.host = local->path;
    net.timeout = 200;
    while (count < 8 && status == PR_OK) {
        status = pr_stream_connect(&net, 24, NULL, &waiting[count]);
        count += status == PR_OK;
    }
    assert_words(PR_TIMEOUT, "it is busy");
    while (count > 0)
        pr_stream_close(waiting[--count]);
    return PR_OK;
}

static void a_busy_unix_socket_is_waited_for(void **state)
{
    struct local local;
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "/tmp/pr-stream.%ld", (long)getpid());
    listen_at(&local, path);
    run(fill_the_queue, &local);
    close(local.listener);
    unlink(path);
}

static pr_status connect_to_nothing(void *argument)
{
    char path[200];

    (void)argument;
    net.host = "/nowhere/socket";
    assert_int_equal(pr_stream_connect(&net, 24, NULL, &stream), PR_NETWORK);
    assert_words(PR_NETWORK, "cannot connect to /nowhere/socket: No such file");
    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    net.host = path;
    assert_int_equal(pr_stream_connect(&net, 24, NULL, &stream), PR_CONFIG);
    return PR_OK;
}

static void a_socket_that_is_not_there_says_so(void **state)
{
    (void)state;
    run(connect_to_nothing, NULL);
}

static void what_is_no_host_name_never_reaches_the_resolver(void **state)
{
    (void)state;
    run(bad_names, NULL);
}

static void add_v4(struct addresses *list, uint16_t port)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};

    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&list->all[list->count].where, &where, sizeof(where));
    list->all[list->count++].size = sizeof(where);
}

static void add_v6(struct addresses *list, uint16_t port)
{
    struct sockaddr_in6 where = {.sin6_family = AF_INET6,
                                 .sin6_port = htons(port),
                                 .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    memcpy(&list->all[list->count].where, &where, sizeof(where));
    list->all[list->count++].size = sizeof(where);
}

static void say_hello(int fd, void *user)
{
    (void)user;
    peer_write(fd, "hello\r\n", 7);
}

static pr_status race(struct addresses *list)
{
    struct transport *transport;

    pr_status status =
        tcp_race("mail.test", 993, list, pr_in(2000), NULL, &transport);
    if (status != PR_OK)
        return status;
    assert_int_equal(stream_new(transport, &net, 993, NULL, &stream), PR_OK);
    assert_line("hello");
    pr_stream_close(stream);
    return PR_OK;
}

static pr_status dead_first(void *argument)
{
    struct peer *peer = argument;
    struct addresses list = {.count = 0};

    add_v6(&list, refusing_port());
    add_v4(&list, refusing_port());
    add_v4(&list, peer->port);
    pr_time begin = pr_now();
    assert_int_equal(race(&list), PR_OK);
    assert_true(pr_now() - begin < 500); /* two turns of 250 */
    list.count = 2;
    assert_int_equal(race(&list), PR_NETWORK);
    assert_words(PR_NETWORK, "cannot connect to mail.test:993: ");
    assert_words(PR_NETWORK, "onnection refused");
    peer_stop(peer);
    return PR_OK;
}

static void a_dead_address_gives_way_at_once(void **state)
{
    struct peer peer;

    (void)state;
    peer_start(&peer, say_hello, NULL);
    run(dead_first, &peer);
}

/* A port where a connection is neither taken nor refused: its queue is full. */
struct black_hole {
    int listener, fds[8];
    uint16_t port;
};

static void black_hole_open(struct black_hole *hole)
{
    struct sockaddr_in where = {.sin_family = AF_INET};

    hole->listener = peer_listen(0, &hole->port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(hole->port);
    for (int i = 0; i < 8; i++) {
        hole->fds[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(hole->fds[i], (struct sockaddr *)&where, sizeof(where));
    }
}

static void black_hole_close(struct black_hole *hole)
{
    for (int i = 0; i < 8; i++)
        close(hole->fds[i]);
    close(hole->listener);
}

static pr_status hole_first(void *argument)
{
    struct peer *peer = argument;
    struct addresses list = {.count = 0};
    struct black_hole hole;

    black_hole_open(&hole);
    add_v4(&list, hole.port);
    add_v4(&list, peer->port);
    pr_time begin = pr_now();
    assert_int_equal(race(&list), PR_OK);
    assert_true(pr_now() - begin >= 250);
    assert_true(pr_now() - begin < 1500);

    list.count = 1;
    begin = pr_now();
    assert_int_equal(race(&list), PR_TIMEOUT);
    assert_true(pr_now() - begin >= 2000);
    assert_string_equal(pr_last_failure()->text,
                        "cannot connect to mail.test:993: no answer");
    list.count = 0;
    add_v4(&list, hole.port);
    add_v4(&list, refusing_port());
    assert_int_equal(race(&list), PR_TIMEOUT);
    assert_string_equal(pr_last_failure()->text,
                        "cannot connect to mail.test:993: no answer "
                        "(127.0.0.1), connection refused (127.0.0.1)");
    black_hole_close(&hole);
    peer_stop(peer);
    return PR_OK;
}

static void a_silent_address_is_overtaken_after_250_ms(void **state)
{
    struct peer peer;

    (void)state;
    peer_start(&peer, say_hello, NULL);
    run(hole_first, &peer);
}

static pr_status sweep_connect(void *argument)
{
    struct peer *peer = argument;
    pr_status status;

    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        status = pr_stream_connect(&net, peer->port, NULL, &stream);
        bool over = memory_fail_pending();
        memory_fail_at(0);
        if (status == PR_OK)
            pr_stream_close(stream);
        else
            assert_int_equal(status, PR_NOMEM);
        if (over)
            break;
    }
    assert_int_equal(status, PR_OK);
    peer_stop(peer);
    return PR_OK;
}

static void connecting_survives_every_lack_of_memory(void **state)
{
    struct peer peer;

    (void)state;
    peer_start(&peer, say_hello, NULL);
    run(sweep_connect, &peer);
}

/* ---- Tunnels ------------------------------------------------------------ */

static pr_status through_cat(void *unused)
{
    static const char *const argv[] = {"cat", NULL};

    (void)unused;
    net.tunnel = argv;
    net.host = NULL;
    assert_int_equal(pr_stream_connect(&net, 143, NULL, &stream), PR_OK);
    assert_int_equal(pr_stream_write(stream, "there and back\r\n", 16), PR_OK);
    assert_line("there and back");
    pr_stream_close(stream);
    return PR_OK;
}

static void a_program_can_be_the_line(void **state)
{
    (void)state;
    run(through_cat, NULL);
}

static pr_status failing_tunnel(void *unused)
{
    static const char *const gone[] = {"/nonexistent/ssh", NULL};
    static const char *const fails[] = {"sh", "-c", "exit 3", NULL};

    (void)unused;
    net.tunnel = gone;
    assert_int_equal(pr_stream_connect(&net, 143, NULL, &stream), PR_IO);
    assert_words(PR_IO, "cannot start /nonexistent/ssh: no such file");
    net.tunnel = fails;
    assert_int_equal(pr_stream_connect(&net, 143, NULL, &stream), PR_OK);
    assert_int_equal(pr_stream_fill(stream), PR_EOF);
    assert_words(PR_EOF, "tunnel sh: the program has ended with status 3");
    pr_stream_close(stream);
    return PR_OK;
}

static void a_tunnel_that_fails_says_how(void **state)
{
    (void)state;
    run(failing_tunnel, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_are_read_across_all_cuts, reset),
        cmocka_unit_test_setup(a_line_beyond_its_cap_is_refused_and_kept,
                               reset),
        cmocka_unit_test_setup(the_buffer_never_grows_beyond_its_cap, reset),
        cmocka_unit_test_setup(a_literal_is_taken_between_two_lines, reset),
        cmocka_unit_test_setup(a_script_holds_the_client_at_starttls, reset),
        cmocka_unit_test_setup(plaintext_before_starttls_is_an_attack, reset),
        cmocka_unit_test_setup(a_script_says_what_differed, reset),
        cmocka_unit_test_setup(silence_ends_at_the_timeout_and_the_deadline,
                               reset),
        cmocka_unit_test_setup(a_wait_ends_when_the_fiber_is_cancelled, reset),
        cmocka_unit_test_setup(much_reaches_a_slow_reader_whole, reset),
        cmocka_unit_test_setup(many_lines_come_over_tcp, reset),
        cmocka_unit_test_setup(a_reset_connection_is_a_network_failure, reset),
        cmocka_unit_test_setup(a_refused_connection_says_so, reset),
        cmocka_unit_test_setup(a_path_is_a_unix_socket, reset),
        cmocka_unit_test_setup(a_busy_unix_socket_is_waited_for, reset),
        cmocka_unit_test_setup(a_socket_that_is_not_there_says_so, reset),
        cmocka_unit_test_setup(what_is_no_host_name_never_reaches_the_resolver,
                               reset),
        cmocka_unit_test_setup(a_dead_address_gives_way_at_once, reset),
        cmocka_unit_test_setup(a_silent_address_is_overtaken_after_250_ms,
                               reset),
        cmocka_unit_test_setup(connecting_survives_every_lack_of_memory, reset),
        cmocka_unit_test_setup(a_program_can_be_the_line, reset),
        cmocka_unit_test_setup(a_tunnel_that_fails_says_how, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
