/*
 * News of addresses and routes from the kernel.
 *
 * A message on the socket only says that something happened; what counts is the
 * difference between two looks at the interfaces, so that messages may be lost
 * (ENOBUFS) and leases renewed. Routes are the exception: each message about
 * one that leads out of the machine counts.
 */
#include "config.h"

#include "io/network.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/stream.h"

#define SETTLE_MS 200       /* without another change */
#define SETTLE_MOST_MS 1000 /* but not longer than this in all */
/* Of a machine with more addresses the rest is not looked at. */
#define PLACES_MAX 512
#define MESSAGES_SIZE 16384

/* An address on an interface that is up. Without padding: compared whole. */
struct place {
    unsigned char octets[16]; /* IPv4: the first four */
    char interface[IFNAMSIZ];
    uint32_t family;
};

struct places {
    size_t count;
    struct place all[PLACES_MAX]; /* in order */
};

struct network {
    int fd;
    struct poller *poller;
    struct places *now, *spare;
    bool is_known;  /* what `now` holds is how things are */
    bool has_route; /* a route came since the last news */
    bool lost_route;
    bool is_stirred; /* something else came */
};

/* ---- How things are -------------------------------------------------------
 */

static bool keep_place(const struct ifaddrs *entry, struct place *place)
{
    const unsigned int running = IFF_UP | IFF_RUNNING;

    memset(place, 0, sizeof(*place));
    if (entry->ifa_addr == NULL || (entry->ifa_flags & running) != running)
        return false;
    place->family = entry->ifa_addr->sa_family;
    strncpy(place->interface, entry->ifa_name, IFNAMSIZ - 1);
    if (place->family == AF_INET) {
        const struct sockaddr_in *in = (const void *)entry->ifa_addr;
        memcpy(place->octets, &in->sin_addr, 4);
        return true;
    }
    const struct sockaddr_in6 *in6 = (const void *)entry->ifa_addr;
    if (place->family != AF_INET6 || IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
        return false;
    memcpy(place->octets, &in6->sin6_addr, 16);
    return true;
}

static int compare_places(const void *one, const void *other)
{
    return memcmp(one, other, sizeof(struct place));
}

/* False if the system does not tell. */
static bool look(struct places *ret)
{
    struct ifaddrs *entries;

    ret->count = 0;
    if (getifaddrs(&entries) != 0)
        return false;
    for (const struct ifaddrs *entry = entries;
         entry != NULL && ret->count < PLACES_MAX; entry = entry->ifa_next)
        if (keep_place(entry, &ret->all[ret->count]))
            ret->count++;
    freeifaddrs(entries);
    qsort(ret->all, ret->count, sizeof(struct place), compare_places);
    return true;
}

/* Is there one in `these` that is not in `those`? */
static bool has_more(const struct places *these, const struct places *those)
{
    for (size_t i = 0; i < these->count; i++)
        if (bsearch(&these->all[i], those->all, those->count,
                    sizeof(struct place), compare_places) == NULL)
            return true;
    return false;
}

bool network_has(const struct network *network, const void *address)
{
    const struct sockaddr *any = address;
    const struct sockaddr_in *in = address;
    const struct sockaddr_in6 *in6 = address;
    const void *octets = &in->sin_addr;
    uint32_t family = any->sa_family;
    size_t size = 4;

    if (!network->is_known || network->now->count == PLACES_MAX)
        return true;
    if (family == AF_INET6) {
        octets = &in6->sin6_addr;
        size = 16;
        if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
            return true;
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            octets = &in6->sin6_addr.s6_addr[12];
            size = 4;
            family = AF_INET;
        }
    } else if (family != AF_INET) {
        return true;
    }
    for (size_t i = 0; i < network->now->count; i++) {
        const struct place *place = &network->now->all[i];
        if (place->family == family && memcmp(place->octets, octets, size) == 0)
            return true;
    }
    return false;
}

/* ---- What the kernel says --------------------------------------------------
 */

/* Does this message tell of a route out of the machine, one not made for a
 * single address or by a neighbour's presence? */
static bool is_route_out(const struct nlmsghdr *head)
{
    const struct rtmsg *route = (const void *)(head + 1);

    return head->nlmsg_len >= sizeof(*head) + sizeof(*route) &&
           route->rtm_type == RTN_UNICAST &&
           route->rtm_protocol != RTPROT_KERNEL &&
           route->rtm_protocol != RTPROT_REDIRECT &&
           (route->rtm_flags & RTM_F_CLONED) == 0;
}

static void hear(struct network *network, const struct nlmsghdr *head)
{
    if (head->nlmsg_type != RTM_NEWROUTE && head->nlmsg_type != RTM_DELROUTE)
        network->is_stirred = true;
    else if (!is_route_out(head))
        return;
    else if (head->nlmsg_type == RTM_NEWROUTE)
        network->has_route = true;
    else
        network->lost_route = true;
}

static void hear_all(struct network *network, const char *at, size_t size)
{
    while (size >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr head;
        memcpy(&head, at, sizeof(head));
        if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > size)
            return;
        hear(network, (const void *)at);
        size_t step = NLMSG_ALIGN((size_t)head.nlmsg_len);
        if (step >= size)
            return;
        at += step;
        size -= step;
    }
}

/* Waits for messages and takes all that are there. */
static pr_status listen_once(struct network *network, pr_time deadline)
{
    _Alignas(struct nlmsghdr) char messages[MESSAGES_SIZE];

    for (;;) {
        struct sockaddr_nl from = {.nl_family = AF_UNSPEC};
        socklen_t size = sizeof(from);
        ssize_t got = recvfrom(network->fd, messages, sizeof(messages),
                               MSG_DONTWAIT, (struct sockaddr *)&from, &size);
        if (got >= 0 && from.nl_pid != 0)
            continue; /* not from the kernel */
        if (got >= 0) {
            hear_all(network, messages, (size_t)got);
            return PR_OK;
        }
        if (errno == ENOBUFS) { /* some were lost: no telling which */
            network->has_route = network->is_stirred = true;
            return PR_OK;
        }
        if (errno != EAGAIN && errno != EINTR)
            return pr_fail_errno(PR_IO, errno, "no news of the network");
        if (errno == EAGAIN) {
            pr_status status = poller_wait(network->poller, false, deadline);
            if (status != PR_OK)
                return status;
        }
    }
}

static bool is_stirred(const struct network *network)
{
    return network->has_route || network->lost_route || network->is_stirred;
}

/* Listens until nothing came for a moment. */
static pr_status settle(struct network *network)
{
    pr_time end = pr_in(SETTLE_MOST_MS);
    pr_status status = PR_OK;

    while (status == PR_OK) {
        pr_time quiet = pr_in(SETTLE_MS);
        status = listen_once(network, quiet < end ? quiet : end);
    }
    return status == PR_TIMEOUT ? PR_OK : status;
}

/* What it all comes to: false if to nothing. */
static bool sum_up(struct network *network, enum network_news *ret)
{
    struct places *then = network->now;
    bool was_known = network->is_known;
    bool more = network->has_route;
    bool less = network->lost_route;

    network->now = network->spare;
    network->spare = then;
    network->is_known = look(network->now);
    if (network->is_known && was_known) {
        more = has_more(network->now, then) || more;
        less = has_more(then, network->now) || less;
    } else {
        more = true;
    }
    network->has_route = network->lost_route = network->is_stirred = false;
    *ret = more ? NETWORK_MORE : NETWORK_LESS;
    return more || less;
}

pr_status network_wait(struct network *network, pr_time deadline,
                       enum network_news *ret)
{
    for (;;) {
        pr_status status = PR_OK;
        while (status == PR_OK && !is_stirred(network))
            status = listen_once(network, deadline);
        if (status == PR_OK)
            status = settle(network);
        if (status != PR_OK)
            return status;
        if (sum_up(network, ret))
            return PR_OK;
    }
}

/* ---- Begin and end ---------------------------------------------------------
 */

static int open_socket(void)
{
    struct sockaddr_nl us = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&us, sizeof(us)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

pr_status network_open(struct network **ret)
{
    struct network *network = memory_zeroed(1, sizeof(*network));

    if (network == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    network->now = memory_zeroed(1, sizeof(*network->now));
    network->spare = memory_zeroed(1, sizeof(*network->spare));
    network->fd = open_socket();
    pr_status status = PR_OK;
    if (network->fd < 0)
        status = pr_fail_errno(PR_UNSUPPORTED, errno,
                               "the system gives no news of its network");
    else if (network->now == NULL || network->spare == NULL)
        status = pr_fail(PR_NOMEM, "out of memory");
    else
        status = poller_new(network->fd, &network->poller);
    if (status != PR_OK) {
        network_close(network);
        return status;
    }
    network->is_known = look(network->now);
    *ret = network;
    return PR_OK;
}

void network_close(struct network *network)
{
    if (network == NULL)
        return;
    poller_free(network->poller);
    if (network->fd >= 0)
        close(network->fd);
    memory_free(network->now);
    memory_free(network->spare);
    memory_free(network);
}
