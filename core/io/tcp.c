/*
 * TCP connections by Happy Eyeballs (RFC 8305).
 *
 * One fiber watches all tries at once. When it leaves, every descriptor but the
 * winner's is closed.
 */
#include "config.h"

#include "io/tcp.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/attempt.h"
#include "io/socket.h"

#define STAGGER_MS 250 /* RFC 8305, 5: connection attempt delay */

struct
try {
    int fd; /* -1: not begun, or over */
    struct poller *poller;
    int error;
};

struct race {
    const struct addresses *addresses;
    struct try tries[ADDRESSES_MAX];
    size_t begun, running;
    pr_time next_start;
    unsigned era;
    struct try *winner;
};

static void end_try(struct race *race, struct try *try, int error)
{
    poller_free(try->poller);
    if (try->fd >= 0)
        close(try->fd);
    try->fd = -1;
    try->poller = NULL;
    try->error = error;
    race->running--;
    race->next_start = pr_now(); /* the next need not wait for its turn */
}

static pr_status begin_try(struct race *race)
{
    const struct address *address = &race->addresses->all[race->begun];
    struct try *try = &race->tries[race->begun++];

    race->running++;
    race->next_start = pr_in(STAGGER_MS);
    try->fd = socket(address->where.ss_family,
                     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (try->fd < 0) {
        end_try(race, try, errno);
        return PR_OK;
    }
    if (connect(try->fd, (const struct sockaddr *)&address->where,
                address->size) == 0) {
        race->winner = try;
        return PR_OK;
    }
    if (errno != EINPROGRESS) {
        end_try(race, try, errno);
        return PR_OK;
    }
    pr_status status = poller_new(try->fd, &try->poller);
    if (status == PR_OK)
        status = poller_arm(try->poller, true);
    return status;
}

/* Looks at the tries that their poller has news of. */
static pr_status look_at_tries(struct race *race)
{
    pr_status status = PR_OK;

    for (size_t i = 0; i < race->begun && status == PR_OK; i++) {
        struct try *try = &race->tries[i];
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        int error = 0;
        socklen_t error_size = sizeof(error);

        if (try->fd < 0 || !poller_fired(try->poller))
            continue;
        if (getpeername(try->fd, (struct sockaddr *)&peer, &size) == 0) {
            race->winner = try;
            return PR_OK;
        }
        getsockopt(try->fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
        if (error != 0)
            end_try(race, try, error);
        else
            status = poller_arm(try->poller, true);
    }
    return status;
}

/* Ends with a winner, or with none left, or as the wait ended. */
static pr_status run_race(struct race *race, pr_time deadline)
{
    for (;;) {
        bool more = race->begun < race->addresses->count;
        pr_status status = PR_OK;

        if (race->era != attempt_era())
            return pr_fail(PR_NETWORK, "the network changed");
        if (more && (race->running == 0 || pr_now() >= race->next_start)) {
            status = begin_try(race);
        } else if (race->running == 0) {
            return PR_OK;
        } else {
            pr_time until = more && race->next_start < deadline
                                ? race->next_start
                                : deadline;
            status = fiber_park(until);
            if (status == PR_TIMEOUT && until < deadline)
                status = PR_OK;
            pr_status looked = look_at_tries(race);
            if (looked != PR_OK)
                status = looked;
        }
        if (race->winner != NULL)
            return PR_OK;
        if (status != PR_OK)
            return status;
    }
}

static void add_reason(struct pr_buffer *words, const struct race *race,
                       size_t i, bool with_address)
{
    char text[64];
    const char *reason =
        race->tries[i].fd >= 0 ? "no answer" : strerror(race->tries[i].error);

    /* A buffer that is full only cuts the words. */
    (void)!pr_buffer_printf(words, "%s%c%s", words->size > 0 ? ", " : "",
                            tolower((unsigned char)reason[0]), reason + 1);
    if (with_address)
        (void)!pr_buffer_printf(
            words, " (%s)",
            address_text(&race->addresses->all[i], text, sizeof(text)));
}

static pr_status nobody_won(const struct race *race, pr_status status,
                            const char *host, uint16_t port)
{
    struct pr_buffer words = {.cap = PR_FAILURE_MAX};
    bool all_alike = true;

    for (size_t i = 1; i < race->begun; i++)
        all_alike = all_alike && race->tries[i].error == race->tries[0].error &&
                    (race->tries[i].fd < 0) == (race->tries[0].fd < 0);
    for (size_t i = 0; i < (all_alike ? 1 : race->begun); i++)
        add_reason(&words, race, i, !all_alike);
    pr_fail(status, "cannot connect to %s:%u: %s", host, (unsigned)port,
            pr_buffer_text(&words));
    pr_buffer_done(&words);
    return status;
}

static void close_losers(struct race *race)
{
    for (size_t i = 0; i < race->begun; i++)
        if (race->tries[i].fd >= 0)
            end_try(race, &race->tries[i], 0);
}

static pr_status wrap_winner(struct race *race, const char *host, uint16_t port,
                             const struct pr_log *log, struct transport **ret)
{
    struct try *winner = race->winner;
    size_t index = (size_t)(winner - race->tries);
    int on = 1;
    char text[64];
    int fd = winner->fd;
    struct poller *poller = winner->poller;

    winner->fd = -1;
    if (poller != NULL)
        poller_forget(poller);
    /* None of these matters enough to give the connection up. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    socket_keep_alive_as_ever(fd);
    pr_log(log, PR_LOG_DEBUG, "connected to %s:%u (%s)", host, (unsigned)port,
           address_text(&race->addresses->all[index], text, sizeof(text)));
    return socket_wrap(fd, poller, ret);
}

pr_status tcp_race(const char *host, uint16_t port,
                   const struct addresses *addresses, pr_time deadline,
                   const struct pr_log *log, struct transport **ret)
{
    struct race race = {
        .addresses = addresses, .next_start = pr_now(), .era = attempt_era()};

    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        race.tries[i].fd = -1;
    pr_status status = run_race(&race, deadline);
    if (race.winner != NULL)
        status = wrap_winner(&race, host, port, log, ret);
    else if (status == PR_OK)
        status = nobody_won(&race, PR_NETWORK, host, port);
    else if (status == PR_TIMEOUT)
        status = nobody_won(&race, PR_TIMEOUT, host, port);
    close_losers(&race);
    return status;
}

pr_status tcp_connect(const char *host, uint16_t port, pr_time deadline,
                      const struct pr_log *log, struct transport **ret)
{
    struct addresses *addresses = memory_alloc(sizeof(*addresses));

    if (addresses == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    struct attempt attempt;
    unsigned era;
    pr_status status;
    attempt_begin(&attempt);
    do {
        era = attempt_era();
        status = resolve(host, port, deadline, addresses);
        if (status == PR_OK)
            status = tcp_race(host, port, addresses, deadline, log, ret);
    } while (status == PR_NETWORK && era != attempt_era());
    attempt_end(&attempt);
    memory_free(addresses);
    return status;
}
