/*
 * News of the machine: addresses and routes, clocks, dead connections.
 *
 * What changes the network of a machine is done in a network namespace of its
 * own; where none can be made, those tests are skipped.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "engine/heal.h"
#include "io/attempt.h"
#include "io/clock.h"
#include "io/network.h"
#include "io/proof.h"
#include "io/socket.h"
#include "io/tcp.h"
#include "unit/trail.h"

#define SKIPPED 77

/* Runs `body` as the main fiber of a child in a network namespace. */
static void run_apart(pr_fiber_fn *body)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWNET) != 0 &&
            unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            _exit(SKIPPED);
        if (system("ip link add out0 type veth peer name far0 && ip link set "
                   "far0 up") != 0)
            _exit(SKIPPED);
        _exit(loop_run(4, body, NULL) == PR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static pr_status command(void *argument)
{
    return system(argument) == 0 ? PR_OK : pr_fail(PR_BUG, "command failed");
}

#define must(condition)                                                     \
    do                                                                      \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            return pr_fail(PR_BUG, "%s is not so", #condition);             \
        }                                                                   \
    while (0)

static bool has(const struct network *network, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
    return network_has(network, &address);
}

static pr_status hear_addresses(void *argument)
{
    struct network *network;
    enum network_news news;

    (void)argument;
    must(network_open(&network) == PR_OK);
    must(network_wait(network, pr_in(0), &news) == PR_TIMEOUT);
    must(!has(network, "192.0.2.7"));
    must(
        pr_offload(
            command,
            lent("ip link set out0 up && ip addr add 192.0.2.7/24 dev out0")) ==
        PR_OK);
    must(network_wait(network, pr_in(20000), &news) == PR_OK);
    must(news == NETWORK_MORE);
    must(has(network, "192.0.2.7"));
    must(pr_offload(command, lent("ip addr del 192.0.2.7/24 dev out0")) ==
         PR_OK);
    must(network_wait(network, pr_in(20000), &news) == PR_OK);
    must(news == NETWORK_LESS);
    must(!has(network, "192.0.2.7"));
    network_close(network);
    return PR_OK;
}

static void an_address_that_comes_and_goes_is_news(void **state)
{
    (void)state;
    run_apart(hear_addresses);
}

static pr_status hear_routes(void *argument)
{
    struct network *network;
    enum network_news news;

    (void)argument;
    must(system("ip link set out0 up; ip addr add 192.0.2.7/24 dev out0") == 0);
    must(network_open(&network) == PR_OK);
    must(system("ip route add default via 192.0.2.1") == 0);
    must(network_wait(network, pr_in(20000), &news) == PR_OK);
    must(news == NETWORK_MORE);
    must(system("ip route del default") == 0);
    must(network_wait(network, pr_in(20000), &news) == PR_OK);
    must(news == NETWORK_LESS);
    network_close(network);
    return PR_OK;
}

static void a_default_route_is_news(void **state)
{
    (void)state;
    run_apart(hear_routes);
}

/* A cable out and in again, all in one moment, and a hundred changes at once:
 * one news, though messages may be lost. */
static pr_status hear_a_burst(void *argument)
{
    struct network *network;
    enum network_news news;

    (void)argument;
    must(network_open(&network) == PR_OK);
    must(system("ip link set out0 up; i=1; while [ $i -lt 100 ]; do"
                " echo addr add 192.0.2.$i/32 dev out0; i=$((i+1)); done |"
                " ip -batch -") == 0);
    must(network_wait(network, pr_in(20000), &news) == PR_OK);
    must(news == NETWORK_MORE);
    must(has(network, "192.0.2.99"));
    must(network_wait(network, pr_in(300), &news) == PR_TIMEOUT);
    network_close(network);
    return PR_OK;
}

static void a_burst_of_changes_is_one_news(void **state)
{
    (void)state;
    run_apart(hear_a_burst);
}

/* As a router does every few minutes. */
static pr_status renew_a_lease(void *argument)
{
    struct network *network;
    enum network_news news;

    (void)argument;
    must(system("ip link set out0 up; ip addr add 192.0.2.7/24 dev out0 "
                "valid_lft 600"
                " preferred_lft 600") == 0);
    must(network_open(&network) == PR_OK);
    must(system("ip addr change 192.0.2.7/24 dev out0 valid_lft 700"
                " preferred_lft 700") == 0);
    must(system("ip link set out0 mtu 1400") == 0);
    must(network_wait(network, pr_in(600), &news) == PR_TIMEOUT);
    network_close(network);
    return PR_OK;
}

static void a_renewed_lease_is_no_news(void **state)
{
    (void)state;
    run_apart(renew_a_lease);
}

/* ---- Proof of connections --------------------------------------------------
 */

static int connect_to(const char *own, const char *far, int listener,
                      int *ret_accepted)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to;
    socklen_t size = sizeof(to);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, own, &from.sin_addr);
    getsockname(listener, (struct sockaddr *)&to, &size);
    inet_pton(AF_INET, far, &to.sin_addr);
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        return -1;
    *ret_accepted = accept(listener, NULL, NULL);
    return fd;
}

static bool is_cut(int fd)
{
    char octet;

    return recv(fd, &octet, 1, MSG_DONTWAIT) == 0;
}

static pr_status prove_connections(void *argument)
{
    struct network *network;
    struct proof stays, strands, dies;
    int far[3];
    enum network_news news;

    (void)argument;
    must(system("ip link set lo up; ip link set out0 up;"
                "ip addr add 192.0.2.7/24 dev out0;"
                "ip addr add 198.51.100.1/32 dev lo") == 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    must(listen(listener, 5) == 0);
    int one = connect_to("127.0.0.1", "127.0.0.1", listener, &far[0]);
    int two = connect_to("192.0.2.7", "127.0.0.1", listener, &far[1]);
    int three = connect_to("127.0.0.1", "198.51.100.1", listener, &far[2]);
    must(one >= 0 && two >= 0 && three >= 0);
    must(network_open(&network) == PR_OK);
    proof_begin(&stays, one);
    proof_begin(&strands, two);
    proof_begin(&dies, three);
    /* What goes to 198.51.100.1 from now on is lost without a word. */
    must(system("ip addr del 192.0.2.7/24 dev out0;"
                "ip addr del 198.51.100.1/32 dev lo;"
                "ip route add 198.51.100.1/32 dev out0") == 0);
    must(network_wait(network, pr_in(20000), &news) == PR_OK);
    must(proof_of_all(network) == 2);
    must(!stays.is_dead && !is_cut(one));
    must(strands.is_dead && is_cut(two));
    must(dies.is_dead);
    proof_end(&strands);
    proof_end(&dies);
    must(proof_of_all(NULL) == 0 && !stays.is_dead);
    proof_end(&stays);
    network_close(network);
    return PR_OK;
}

static void only_connections_that_answer_outlive_a_change(void **state)
{
    (void)state;
    run_apart(prove_connections);
}

/* ---- Attempts that begin again ---------------------------------------------
 */

static pr_status connect_late(void *argument)
{
    struct transport *transport;
    uint16_t *port = argument;

    pr_status status =
        tcp_connect("192.0.2.9", *port, pr_in(30000), NULL, &transport);
    if (status == PR_OK)
        transport->ops->close(transport);
    return status;
}

static pr_status attempt_while_it_changes(void *argument)
{
    struct pr_scope scope;
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    uint16_t port;

    (void)argument;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    must(listen(listener, 5) == 0);
    getsockname(listener, (struct sockaddr *)&address, &size);
    port = ntohs(address.sin_port);
    /* A black hole: the other end of the cable drops what is not its own. */
    must(system("ip link set lo up; ip link set out0 up;"
                "ip addr add 192.0.2.7/24 dev out0;"
                "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev out0") ==
         0);
    pr_scope_init(&scope);
    must(pr_spawn(&scope, "late", PR_STACK_SESSION, connect_late, &port) ==
         PR_OK);
    must(pr_sleep(1200) == PR_OK); /* the next try of TCP is at 3 s, then 7 */
    must(system("ip addr add 192.0.2.9/32 dev lo") == 0);
    pr_time begun = pr_now();
    attempts_begin_again();
    must(pr_scope_join(&scope) == PR_OK);
    must(pr_now() - begun < 1000);
    close(listener);
    return PR_OK;
}

static void an_attempt_begins_again_when_told(void **state)
{
    (void)state;
    run_apart(attempt_while_it_changes);
}

/* ---- The daemon is told -----------------------------------------------------
 */

static char told[64];

static void note_news(void *user, enum daemon_news news, uint64_t slept)
{
    size_t size = strlen(told);

    (void)slept;
    pr_event_wake_all(user);
    assert_true(size + 1 < sizeof(told));
    told[size] = "UCR"[news];
    told[size + 1] = '\0';
}

static pr_status heal(void *argument)
{
    return heal_run(note_news, argument);
}

static pr_status tell_the_daemon(void *argument)
{
    struct pr_scope scope;
    struct pr_event heard = {NULL, NULL};

    (void)argument;
    pr_scope_init(&scope);
    must(pr_spawn(&scope, "heal", PR_STACK_SESSION, heal, &heard) == PR_OK);
    must(pr_sleep(50) == PR_OK);
    must(system("ip link set out0 up && ip addr add 192.0.2.7/24 dev out0") ==
         0);
    must(pr_event_wait(&heard, pr_in(20000)) == PR_OK);
    must(strcmp(told, "CU") == 0);
    must(system("ip link set out0 down") == 0);
    must(pr_event_wait(&heard, pr_in(20000)) == PR_OK);
    must(strcmp(told, "CUC") == 0);
    pr_scope_cancel(&scope);
    must(pr_scope_join(&scope) == PR_CANCELLED);
    return PR_OK;
}

static void a_change_proves_connections_and_more_tries_at_once(void **state)
{
    (void)state;
    run_apart(tell_the_daemon);
}

/* ---- Lookups that hang ------------------------------------------------------
 */

#define HANGING 40

static pr_status look_up_what_hangs(void *argument)
{
    struct addresses *addresses = calloc(1, sizeof(*addresses));
    char host[40];

    snprintf(host, sizeof(host), "mail%d.example.org", (int)(intptr_t)argument);
    pr_status status = resolve(host, 993, pr_in(60000), addresses);
    free(addresses);
    return status;
}

/* The name server is a black hole. */
static pr_status look_up_beside_those(void *argument)
{
    static struct addresses addresses;
    struct pr_scope scope;

    (void)argument;
    if (unshare(CLONE_NEWNS) != 0 ||
        system("mount --make-rprivate / && mount -t tmpfs none /mnt &&"
               " echo nameserver 192.0.2.9 >/mnt/resolv.conf &&"
               " mount --bind /mnt/resolv.conf /etc/resolv.conf") != 0)
        _exit(SKIPPED);
    must(system("ip link set lo up; ip link set out0 up;"
                "ip addr add 192.0.2.7/24 dev out0;"
                "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev out0") ==
         0);
    pr_scope_init(&scope);
    for (int i = 0; i < HANGING; i++)
        must(pr_spawn(&scope, "hangs", PR_STACK_SESSION, look_up_what_hangs,
                      (void *)(intptr_t)i) == PR_OK);
    must(pr_sleep(200) == PR_OK);
    must(scope.count == HANGING);
    pr_time begun = pr_now();
    must(resolve("localhost", 993, pr_in(30000), &addresses) == PR_OK);
    must(pr_now() - begun < 2000);
    pr_scope_cancel(&scope);
    must(pr_scope_join(&scope) != PR_OK);
    must(pr_now() - begun < 4000);
    return PR_OK;
}

static void lookups_that_hang_delay_nobody(void **state)
{
    (void)state;
    time_t begun = time(NULL);
    run_apart(look_up_beside_those);
    assert_true(time(NULL) - begun < 8); /* nor the end of the program */
}

/* ---- Clocks ----------------------------------------------------------------
 */

static pr_status nothing_happens(void *argument)
{
    struct clock_watch *watch;
    struct clock_news news;

    (void)argument;
    must(clock_watch_new(&watch) == PR_OK);
    must(clock_wait(watch, pr_in(300), &news) == PR_TIMEOUT);
    clock_watch_free(watch);
    return PR_OK;
}

static void a_clock_that_only_runs_is_no_news(void **state)
{
    (void)state;
    run(nothing_happens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_comes_and_goes_is_news),
        cmocka_unit_test(a_default_route_is_news),
        cmocka_unit_test(a_burst_of_changes_is_one_news),
        cmocka_unit_test(a_renewed_lease_is_no_news),
        cmocka_unit_test(only_connections_that_answer_outlive_a_change),
        cmocka_unit_test(an_attempt_begins_again_when_told),
        cmocka_unit_test(a_change_proves_connections_and_more_tries_at_once),
        cmocka_unit_test(lookups_that_hang_delay_nobody),
        cmocka_unit_test(a_clock_that_only_runs_is_no_news),
    };
    log_set(PR_LOG_ERROR, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
