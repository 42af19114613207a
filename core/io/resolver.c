/*
 * Host names to addresses, by getaddrinfo on libuv's pool.
 *
 * A lookup cannot be stopped once it runs: whoever gives up leaves it behind,
 * and its callback frees it.
 */
#include "config.h"

#include "io/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/attempt.h"

/* RFC 1035, 2.3.4: 255 octets with length octets. A longer name is never
 * handed on: it could be cut and so name another host. */
#define HOST_SIZE_MAX 253

struct lookup {
    uv_getaddrinfo_t request;
    struct pr_fiber *waiter; /* NULL: given up */
    bool is_done;
    int error;
    struct addrinfo *found;
};

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

static void free_lookup(struct lookup *lookup)
{
    uv_freeaddrinfo(lookup->found);
    memory_free(lookup);
}

static void lookup_done(uv_getaddrinfo_t *request, int error,
                        struct addrinfo *found)
{
    struct lookup *lookup = (struct lookup *)request;

    lookup->is_done = true;
    lookup->error = error;
    lookup->found = found;
    if (lookup->waiter == NULL)
        free_lookup(lookup);
    else
        fiber_wake(lookup->waiter);
}

static pr_status start_lookup(const char *host, uint16_t port,
                              struct lookup **ret)
{
    static const struct addrinfo hints = {
        .ai_flags = AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct lookup *lookup = memory_zeroed(1, sizeof(*lookup));
    char service[8];

    if (lookup == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    lookup->waiter = fiber_self();
    int error = uv_getaddrinfo(loop_uv(), &lookup->request, lookup_done, host,
                               service, &hints);
    if (error != 0) {
        memory_free(lookup);
        return pr_fail(PR_NETWORK, "cannot look up %s: %s", host,
                       uv_strerror(error));
    }
    *ret = lookup;
    return PR_OK;
}

static pr_status lookup_failed(const char *host, int error)
{
    const char *reason = uv_strerror(error);

    if (error == UV_EAI_NONAME || error == UV_EAI_NODATA)
        reason = "no such host";
    else if (error == UV_EAI_AGAIN)
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

pr_status resolve(const char *host, uint16_t port, pr_time deadline,
                  struct addresses *ret)
{
    struct lookup *lookup = NULL;
    unsigned era = attempt_era();

    pr_status status = check_host(host);
    if (status == PR_OK)
        status = start_lookup(host, port, &lookup);
    if (status != PR_OK)
        return status;
    while (status == PR_OK && !lookup->is_done && attempt_era() == era)
        status = fiber_park(deadline);
    if (!lookup->is_done) {
        lookup->waiter = NULL;
        uv_cancel((uv_req_t *)&lookup->request);
        if (status == PR_TIMEOUT)
            return pr_fail(PR_TIMEOUT, "no answer to the lookup of %s", host);
        if (status == PR_OK)
            return pr_fail(PR_NETWORK,
                           "the network changed during the lookup of %s", host);
        return status;
    }
    status = PR_OK;
    if (lookup->error != 0)
        status = lookup_failed(host, lookup->error);
    else if (lookup->found == NULL)
        status = lookup_failed(host, UV_EAI_NONAME);
    else
        interleave(lookup->found, ret);
    free_lookup(lookup);
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
