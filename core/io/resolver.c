/*
 * Host names to addresses, by getaddrinfo on threads of their own.
 *
 * A lookup cannot be stopped, and one whose name server does not answer takes
 * half a minute. So it has no place in the pool, where others would wait for
 * it, and it is left behind by whoever gives up: the lookup belongs to its
 * thread and its fiber, and the last of both frees it.
 */
#include "config.h"

#include "io/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/attempt.h"
#include "io/stream.h"

/* RFC 1035, 2.3.4: 255 octets with length octets. A longer name is never
 * handed on: it could be cut and so name another host. */
#define HOST_SIZE_MAX 253
/* Threads at a time, those left behind with them. */
#define LOOKUPS_MOST 64
/* The C library and what it loads to ask name servers use a few pages. */
#define STACK_SIZE (256 * 1024)

struct lookup {
    atomic_int owners;
    int ended; /* eventfd: readable when the result is there */
    int error; /* of getaddrinfo; EAI_SYSTEM: system_error */
    int system_error;
    struct addrinfo *found;
    char service[8];
    char host[];
};

static atomic_int lookups;
static struct pr_event lookup_ended;

static pr_status check_host(const char *host)
{
    size_t size = strlen(host);

    if (size == 0)
        return pr_fail(PR_CONFIG, "the host name is empty");
    if (size > HOST_SIZE_MAX)
        return pr_fail(PR_CONFIG,
                       "the host name is longer than %d octets: %.40s...",
                       HOST_SIZE_MAX, host);
    for (const char *at = host; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 127 || strchr("/@[]\\\"'", *at) != NULL)
            return pr_fail(PR_CONFIG,
                           "%s is not a host name; one with letters other "
                           "than ASCII is written in its xn-- form",
                           host);
    return PR_OK;
}

static void let_go(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) > 1)
        return;
    if (lookup->found != NULL)
        freeaddrinfo(lookup->found);
    close(lookup->ended);
    memory_free(lookup);
}

static void *look_up(void *argument)
{
    static const struct addrinfo hints = {
        .ai_flags = AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct lookup *lookup = argument;
    uint64_t one = 1;

    lookup->error =
        getaddrinfo(lookup->host, lookup->service, &hints, &lookup->found);
    lookup->system_error = errno;
    /* Before it is told: who then asks for a place finds this one free. */
    atomic_fetch_sub(&lookups, 1);
    (void)!write(lookup->ended, &one, sizeof(one));
    let_go(lookup);
    return NULL;
}

/* A detached thread that signals do not disturb: 0 or an errno value. */
static int start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;

    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&thread, &attributes, look_up, lookup);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

static pr_status start_lookup(const char *host, uint16_t port,
                              struct lookup **ret)
{
    size_t size = strlen(host) + 1;
    struct lookup *lookup = memory_zeroed(1, sizeof(*lookup) + size);

    if (lookup == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    memcpy(lookup->host, host, size);
    snprintf(lookup->service, sizeof(lookup->service), "%u", (unsigned)port);
    lookup->owners = 2;
    lookup->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = lookup->ended < 0 ? errno : start_thread(lookup);
    if (error != 0) {
        if (lookup->ended >= 0)
            close(lookup->ended);
        memory_free(lookup);
        return pr_fail_errno(PR_NETWORK, error, "cannot look up %s", host);
    }
    atomic_fetch_add(&lookups, 1);
    *ret = lookup;
    return PR_OK;
}

static pr_status lookup_failed(const char *host, const struct lookup *lookup)
{
    int error = lookup->error;
    const char *reason = error == EAI_SYSTEM ? strerror(lookup->system_error)
                                             : gai_strerror(error);

    if (error == 0 || error == EAI_NONAME || error == EAI_NODATA)
        reason = "no such host";
    else if (error == EAI_AGAIN)
        reason = "the name server does not answer";
    return pr_fail(PR_NETWORK, "cannot look up %s: %s", host, reason);
}

static bool keep_address(struct addresses *list, const struct addrinfo *found)
{
    struct address *address = &list->all[list->count];

    if (list->count == ADDRESSES_MAX ||
        found->ai_addrlen > sizeof(address->where))
        return false;
    memcpy(&address->where, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    list->count++;
    return true;
}

static const struct addrinfo *next_of_family(const struct addrinfo *from,
                                             int family, bool same)
{
    while (from != NULL && (from->ai_family == family) != same)
        from = from->ai_next;
    return from;
}

/* Families take turns, that of the first address begins. */
static void interleave(const struct addrinfo *found, struct addresses *ret)
{
    int family = found->ai_family;
    const struct addrinfo *first = found;
    const struct addrinfo *other = next_of_family(found, family, false);

    ret->count = 0;
    while (first != NULL || other != NULL) {
        if (first != NULL) {
            keep_address(ret, first);
            first = next_of_family(first->ai_next, family, true);
        }
        if (other != NULL) {
            keep_address(ret, other);
            other = next_of_family(other->ai_next, family, false);
        }
    }
}

/* Waits for its end: PR_OK when there is a result. */
static pr_status wait_for_result(const struct lookup *lookup, const char *host,
                                 unsigned era, pr_time deadline)
{
    struct poller *poller;

    pr_status status = poller_new(lookup->ended, &poller);
    if (status != PR_OK)
        return status;
    status = poller_arm(poller, false);
    while (status == PR_OK && !poller_fired(poller) && attempt_era() == era)
        status = fiber_park(deadline);
    poller_forget(poller);
    if (poller_fired(poller))
        status = PR_OK;
    else if (status == PR_TIMEOUT)
        status = pr_fail(PR_TIMEOUT, "no answer to the lookup of %s", host);
    else if (status == PR_OK)
        status = pr_fail(PR_NETWORK,
                         "the network changed during the lookup of %s", host);
    poller_free(poller);
    return status;
}

/* Threads left behind tell nobody of their end: hence the second. */
static pr_status wait_for_place(const char *host, unsigned era,
                                pr_time deadline)
{
    while (atomic_load(&lookups) >= LOOKUPS_MOST) {
        pr_time next = pr_in(1000);
        pr_status status =
            pr_event_wait(&lookup_ended, next < deadline ? next : deadline);
        if (status == PR_CANCELLED)
            return status;
        if (pr_now() >= deadline)
            return pr_fail(PR_TIMEOUT,
                           "cannot look up %s: %d other lookups do not end",
                           host, LOOKUPS_MOST);
        if (attempt_era() != era)
            return pr_fail(PR_NETWORK, "the network changed");
    }
    return PR_OK;
}

pr_status resolve(const char *host, uint16_t port, pr_time deadline,
                  struct addresses *ret)
{
    struct lookup *lookup = NULL;
    unsigned era = attempt_era();

    pr_status status = check_host(host);
    if (status == PR_OK)
        status = wait_for_place(host, era, deadline);
    if (status == PR_OK)
        status = start_lookup(host, port, &lookup);
    if (status != PR_OK)
        return status;
    status = wait_for_result(lookup, host, era, deadline);
    if (status == PR_OK && lookup->error == 0 && lookup->found != NULL)
        interleave(lookup->found, ret);
    else if (status == PR_OK)
        status = lookup_failed(host, lookup);
    let_go(lookup);
    pr_event_wake_one(&lookup_ended);
    return status;
}

bool host_is_address(const char *host)
{
    unsigned char octets[16];

    return inet_pton(AF_INET, host, octets) == 1 ||
           inet_pton(AF_INET6, host, octets) == 1;
}

const char *address_text(const struct address *address, char *out, size_t size)
{
    if (getnameinfo((const struct sockaddr *)&address->where, address->size,
                    out, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(out, size, "?");
    return out;
}
