/*
 * A TCP proxy on loopback that makes a link long, and nothing else.
 *
 *   delay_proxy MILLISECONDS TARGET_PORT
 *
 * Listens on a free port of 127.0.0.1 and prints it as one line. Each octet
 * goes on MILLISECONDS after it came, in either direction, so a round trip
 * takes twice as long. Bandwidth is not limited: what arrives is read at once
 * and waits in a queue, up to CAP octets a direction. Runs until SIGTERM.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, CAP = 64 * 1024 * 1024, EVENTS = 64 };

/* Octets that came together and leave together. */
struct chunk {
    struct chunk *next;
    int64_t due;
    size_t length, sent;
    bool is_end; /* the sender closed its side here */
    char octets[];
};

/* One direction of a connection: read from `from`, written to `to`. */
struct flow {
    int from, to;
    struct chunk *head, **tail;
    size_t held;
    bool has_ended, is_done;
};

struct link {
    struct link *next;
    struct flow flows[2];
    bool is_broken;
};

static int64_t delay;
static in_port_t target;
static int listener, timer, poller;
static struct link *links;
static char scratch[CHUNK];

static int64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(in_port_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void start_listening(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 ||
        bind(listener, (struct sockaddr *)&address, length) < 0 ||
        listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        die("delay_proxy: listen");
    printf("%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
}

/* Edge-triggered, so that a peer that is slow to read costs nothing. */
static void watch(int fd)
{
    struct epoll_event event = {.events =
                                    EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    int one = 1;

    event.data.fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        die("delay_proxy: epoll_ctl");
}

static void accept_one(int client)
{
    struct sockaddr_in address = loopback(target);
    struct link *link = calloc(1, sizeof *link);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (link == NULL || server < 0)
        die("delay_proxy: accept");
    if (connect(server, (struct sockaddr *)&address, sizeof address) < 0) {
        close(server);
        close(client);
        free(link);
        return;
    }
    link->flows[0] = (struct flow){.from = client, .to = server};
    link->flows[1] = (struct flow){.from = server, .to = client};
    link->flows[0].tail = &link->flows[0].head;
    link->flows[1].tail = &link->flows[1].head;
    link->next = links;
    links = link;
    watch(client);
    watch(server);
}

static void accept_all(void)
{
    int client;

    while ((client = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        accept_one(client);
}

static void keep(struct flow *flow, size_t length)
{
    struct chunk *chunk = malloc(sizeof *chunk + length);

    if (chunk == NULL)
        die("delay_proxy: malloc");
    *chunk = (struct chunk){
        .due = now() + delay, .length = length, .is_end = length == 0};
    memcpy(chunk->octets, scratch, length);
    *flow->tail = chunk;
    flow->tail = &chunk->next;
    flow->held += length;
}

/* False once the connection is of no more use. */
static bool flow_read(struct flow *flow)
{
    while (!flow->has_ended && flow->held < CAP) {
        ssize_t n = recv(flow->from, scratch, CHUNK, MSG_DONTWAIT);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        flow->has_ended = n == 0;
        keep(flow, (size_t)n);
    }
    return true;
}

static bool chunk_send(struct flow *flow, struct chunk *chunk)
{
    while (chunk->sent < chunk->length) {
        ssize_t n =
            send(flow->to, chunk->octets + chunk->sent,
                 chunk->length - chunk->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        chunk->sent += (size_t)n;
    }
    if (chunk->is_end) {
        shutdown(flow->to, SHUT_WR);
        flow->is_done = true;
    }
    return true;
}

static bool flow_write(struct flow *flow, int64_t time)
{
    while (flow->head != NULL && flow->head->due <= time) {
        struct chunk *chunk = flow->head;

        if (!chunk_send(flow, chunk))
            return false;
        if (chunk->sent < chunk->length)
            return true;
        flow->head = chunk->next;
        if (flow->head == NULL)
            flow->tail = &flow->head;
        flow->held -= chunk->length;
        free(chunk);
    }
    return true;
}

static void link_free(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        while (link->flows[i].head != NULL) {
            struct chunk *chunk = link->flows[i].head;

            link->flows[i].head = chunk->next;
            free(chunk);
        }
        close(link->flows[i].from);
    }
    free(link);
}

/*
 * Moves what can be moved; returns when next something falls due, or 0. What is
 * due and not gone yet waits for its reader, not for the clock.
 */
static int64_t run_links(void)
{
    int64_t time = now(), next = 0;

    for (struct link **at = &links; *at != NULL;) {
        struct link *link = *at;
        bool is_over = true;

        for (int i = 0; i < 2; i++) {
            struct flow *flow = &link->flows[i];

            if (!flow_read(flow) || !flow_write(flow, time))
                link->is_broken = true;
            is_over = is_over && flow->is_done;
            if (flow->head != NULL && flow->head->due > time &&
                (next == 0 || flow->head->due < next))
                next = flow->head->due;
        }
        if (is_over || link->is_broken) {
            *at = link->next;
            link_free(link);
        } else {
            at = &link->next;
        }
    }
    return next;
}

static void arm(int64_t due)
{
    struct itimerspec when = {.it_value = {0, 0}};

    if (due != 0) {
        int64_t least = now() + 1;

        if (due < least)
            due = least;
        when.it_value.tv_sec = (time_t)(due / 1000000000);
        when.it_value.tv_nsec = (long)(due % 1000000000);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];

    if (argc != 3) {
        fprintf(stderr, "usage: delay_proxy MILLISECONDS TARGET_PORT\n");
        return 64;
    }
    delay = (int64_t)(atof(argv[1]) * 1e6);
    target = (in_port_t)atoi(argv[2]);
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poller < 0 || timer < 0)
        die("delay_proxy: epoll");
    start_listening();
    watch(listener);
    watch(timer);
    for (;;) {
        uint64_t expired;

        if (epoll_wait(poller, events, EVENTS, -1) < 0 && errno != EINTR)
            die("delay_proxy: epoll_wait");
        if (read(timer, &expired, sizeof expired) < 0 && errno != EAGAIN)
            die("delay_proxy: timer");
        accept_all();
        arm(run_links());
    }
}
