/*
 * Names asked for by c-ares, driven by the fiber that asks.
 *
 * Each question has a channel to itself while it is asked; channels are kept
 * for later questions. c-ares never waits: between its turns the fiber waits
 * for the sockets that it names.
 */
#include "config.h"

#include "io/dns.h"

#include <string.h>
#include <sys/time.h>

#include "base/memory.h"
#include "fiber/offload.h"
#include "io/cares.h"
#include "io/stream.h"

#define IDLE_MOST 32
#define TRY_MS 3000 /* for one server's answer, at first */
#define TRIES 3

struct channel {
    struct channel *next;
    ares_channel ares;
};

struct dns {
    const char *servers;
    struct channel *idle;
    size_t idle_count;
};

/* A question while it is asked. */
struct question {
    enum dns_type type;
    struct pr_reply *reply;
    uint32_t ttl;
    bool is_over;
    int result; /* of c-ares */
    pr_status status;
};

/* ---- Channels ------------------------------------------------------------ */

pr_status dns_new(const char *servers, struct dns **ret)
{
    struct dns *dns = memory_zeroed(1, sizeof(*dns));
    if (dns == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    dns->servers = servers;
    *ret = dns;
    return PR_OK;
}

static void channel_free(struct channel *channel)
{
    cares.destroy(channel->ares);
    memory_free(channel);
}

void dns_free(struct dns *dns)
{
    if (dns == NULL) {
        return;
    }
    while (dns->idle != NULL) {
        struct channel *channel = dns->idle;
        dns->idle = channel->next;
        channel_free(channel);
    }
    memory_free(dns);
}

static pr_status set_up_library(void *argument)
{
    pr_status status = cares_link();
    (void)argument;
    if (status == PR_OK && cares.library_init(ARES_LIB_INIT_ALL) != 0) {
        status = pr_fail(PR_NOMEM, "c-ares cannot be set up");
    }
    return status;
}

static pr_status channel_new(const struct dns *dns, struct channel **ret)
{
    static atomic_bool is_ready;
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
    pr_status status = offload_once(set_up_library, &is_ready);
    if (status != PR_OK) {
        return status;
    }
    struct channel *channel = memory_zeroed(1, sizeof(*channel));
    if (channel == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    int error = cares.init_options(&channel->ares, &options,
                                   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (error != ARES_SUCCESS) {
        memory_free(channel);
        return pr_fail(error == ARES_ENOMEM ? PR_NOMEM : PR_CONFIG,
                       "names cannot be asked for: %s", cares.strerror(error));
    }
    if (dns->servers != NULL) {
        error = cares.set_servers_ports_csv(channel->ares, dns->servers);
    }
    if (error != ARES_SUCCESS) {
        channel_free(channel);
        return pr_fail(PR_CONFIG, "name servers \"%s\": %s", dns->servers,
                       cares.strerror(error));
    }
    *ret = channel;
    return PR_OK;
}

static pr_status channel_take(struct dns *dns, struct channel **ret)
{
    if (dns->idle == NULL) {
        return channel_new(dns, ret);
    }
    *ret = dns->idle;
    dns->idle = dns->idle->next;
    dns->idle_count--;
    return PR_OK;
}

static void channel_put(struct dns *dns, struct channel *channel)
{
    if (dns->idle_count >= IDLE_MOST) {
        channel_free(channel);
        return;
    }
    channel->next = dns->idle;
    dns->idle = channel;
    dns->idle_count++;
}

/* ---- A question ---------------------------------------------------------- */

static void answered(void *user, int result, int timeouts,
                     unsigned char *octets, int size)
{
    struct question *question = user;
    bool is_nothing = result == ARES_ENOTFOUND || result == ARES_ENODATA;
    (void)timeouts;
    question->is_over = true;
    question->result = result;
    if ((result == ARES_SUCCESS || is_nothing) && octets != NULL && size > 0) {
        question->status = dns_read_answer(octets, (size_t)size, question->type,
                                           question->reply, &question->ttl);
    }
}

static size_t sockets_of(ares_channel ares, struct polled *polled)
{
    ares_socket_t fds[ARES_GETSOCK_MAXNUM];
    int bits = cares.getsock(ares, fds, ARES_GETSOCK_MAXNUM);
    size_t count = 0;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool to_read = ((unsigned)bits >> i & 1u) != 0;
        bool to_write = ((unsigned)bits >> (i + ARES_GETSOCK_MAXNUM) & 1u) != 0;
        if (!to_read && !to_write) {
            break;
        }
        polled[count++] = (struct polled){fds[i], to_read, to_write};
    }
    return count;
}

/* When c-ares wants to look at its own clock next. */
static pr_time next_look(ares_channel ares, pr_time deadline)
{
    struct timeval room, *wait = cares.timeout(ares, NULL, &room);
    if (wait == NULL) {
        return deadline;
    }
    pr_time at = pr_in((uint64_t)wait->tv_sec * 1000 +
                       (uint64_t)wait->tv_usec / 1000 + 1);
    return at < deadline ? at : deadline;
}

/* The handler is called in here, and by ares_cancel. */
static pr_status drive(ares_channel ares, const struct question *question,
                       pr_time deadline)
{
    while (!question->is_over) {
        struct polled polled[ARES_GETSOCK_MAXNUM];
        size_t count = sockets_of(ares, polled);
        pr_status status =
            poller_wait_any(polled, count, next_look(ares, deadline));
        if (status == PR_TIMEOUT && pr_now() < deadline) {
            status = PR_OK;
        }
        if (status != PR_OK) {
            return status;
        }
        cares.process_fd(ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        for (size_t i = 0; i < count && !question->is_over; i++) {
            cares.process_fd(
                ares, polled[i].to_read ? polled[i].fd : ARES_SOCKET_BAD,
                polled[i].to_write ? polled[i].fd : ARES_SOCKET_BAD);
        }
    }
    return PR_OK;
}

static pr_status outcome(const struct question *question, const char *name)
{
    switch (question->result) {
    case ARES_SUCCESS:
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
        return question->status;
    case ARES_ENOMEM:
        return pr_fail(PR_NOMEM, "out of memory");
    case ARES_EBADNAME:
        return pr_fail(PR_CONFIG, "\"%s\" cannot be a name", name);
    case ARES_ETIMEOUT:
        return pr_fail(PR_TIMEOUT, "%s: no name server answers", name);
    case ARES_ECONNREFUSED:
        return pr_fail(PR_NETWORK, "%s: no name server can be reached", name);
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
        /* of this name: its own servers may be broken */
        return pr_fail(PR_REFUSED, "%s: %s", name,
                       cares.strerror(question->result));
    default:
        return pr_fail(PR_PROTOCOL, "%s: %s", name,
                       cares.strerror(question->result));
    }
}

pr_status dns_ask(struct dns *dns, const char *name, enum dns_type type,
                  pr_time deadline, struct pr_reply *reply, uint32_t *ret_ttl)
{
    struct question question = {.type = type, .reply = reply, .ttl = 60};
    struct channel *channel = NULL;
    pr_status status = channel_take(dns, &channel);
    if (status != PR_OK) {
        return status;
    }
    cares.query(channel->ares, name, 1, (int)type, answered, &question);
    status = drive(channel->ares, &question, deadline);
    if (status != PR_OK) {
        cares.cancel(channel->ares);
        channel_free(channel); /* late answers shall meet nobody */
        return status == PR_TIMEOUT
                   ? pr_fail(status, "%s: no name server answers", name)
                   : status;
    }
    channel_put(dns, channel);
    *ret_ttl = question.ttl;
    return outcome(&question, name);
}
