/*
 * The fibers that listen for news of the machine, and what each news starts.
 *
 * The proof of connections takes seconds and there may be more news meanwhile:
 * a fiber of its own gives it, as often as it was asked for while the one
 * before was under way, but at most once more.
 */
#include "config.h"

#include "engine/heal.h"

#include "io/attempt.h"
#include "io/clock.h"
#include "io/network.h"
#include "io/proof.h"

/* A step of the time by so many milliseconds may mean that a virtual machine
 * stood still, all of its clocks with it. */
#define STOOD_STILL_MS 10000

struct healer {
    void (*tell)(void *user, enum daemon_news news, uint64_t slept);
    void *user;
    struct network *network; /* NULL: no news of it */
    bool is_proof_wanted;
    struct pr_event proof_wanted;
};

static const struct pr_log heal_log = {NULL, "network"};

/* Something happened that connections may not have outlived. */
static void doubt_connections(struct healer *healer, enum daemon_news news,
                              uint64_t slept)
{
    attempts_begin_again();
    healer->is_proof_wanted = true;
    pr_event_wake_one(&healer->proof_wanted);
    healer->tell(healer->user, news, slept);
}

static pr_status prove(void *argument)
{
    struct healer *healer = argument;

    for (;;) {
        pr_status status = PR_OK;
        while (status == PR_OK && !healer->is_proof_wanted)
            status = pr_event_wait(&healer->proof_wanted, PR_NEVER);
        if (status != PR_OK)
            return status;
        healer->is_proof_wanted = false;
        size_t dead = proof_of_all(healer->network);
        if (dead > 0)
            pr_log(&heal_log, PR_LOG_INFO,
                   "%zu connection%s did not outlive it", dead,
                   dead == 1 ? "" : "s");
    }
}

static pr_status hear_network(void *argument)
{
    struct healer *healer = argument;

    for (;;) {
        enum network_news news;
        pr_status status = network_wait(healer->network, PR_NEVER, &news);
        if (status == PR_CANCELLED)
            return status;
        if (status != PR_OK) {
            pr_log(&heal_log, PR_LOG_WARNING, "%s: changes are not noticed",
                   pr_last_failure()->text);
            return PR_OK;
        }
        pr_log(&heal_log, PR_LOG_INFO,
               news == NETWORK_MORE ? "an address or route has come"
                                    : "an address or route has gone");
        doubt_connections(healer, DAEMON_NETWORK_CHANGED, 0);
        if (news == NETWORK_MORE)
            healer->tell(healer->user, DAEMON_NETWORK_UP, 0);
    }
}

static void hear_of_clock(struct healer *healer, const struct clock_news *news)
{
    if (news->slept > 0) {
        pr_log(&heal_log, PR_LOG_INFO, "the machine slept for %llu s",
               (unsigned long long)news->slept / 1000);
        doubt_connections(healer, DAEMON_RESUMED, news->slept);
        return;
    }
    pr_log(&heal_log, PR_LOG_INFO, "the time was set %s by %llu s",
           news->stepped > 0 ? "forward" : "back",
           (unsigned long long)(news->stepped > 0 ? news->stepped
                                                  : -news->stepped) /
               1000);
    if (news->stepped >= STOOD_STILL_MS)
        doubt_connections(healer, DAEMON_NETWORK_CHANGED, 0);
}

static pr_status hear_clock(void *argument)
{
    struct healer *healer = argument;
    struct clock_watch *watch;

    pr_status status = clock_watch_new(&watch);
    while (status == PR_OK) {
        struct clock_news news;
        status = clock_wait(watch, PR_NEVER, &news);
        if (status == PR_OK)
            hear_of_clock(healer, &news);
        else
            clock_watch_free(watch);
    }
    if (status == PR_CANCELLED)
        return status;
    pr_log(&heal_log, PR_LOG_WARNING,
           "%s: connections that died while the machine slept are found later",
           pr_last_failure()->text);
    return PR_OK;
}

static pr_status listen_to_network(struct healer *healer,
                                   struct pr_scope *scope)
{
    pr_status status = network_open(&healer->network);
    if (status == PR_OK)
        return pr_spawn(scope, "network", PR_STACK_SESSION, hear_network,
                        healer);
    pr_log(&heal_log, PR_LOG_WARNING,
           "%s: dead connections are found later, and after a failure the "
           "network's return is not noticed",
           pr_last_failure()->text);
    healer->network = NULL;
    return PR_OK;
}

pr_status heal_run(void (*tell)(void *user, enum daemon_news news,
                                uint64_t slept),
                   void *user)
{
    struct healer healer = {.tell = tell, .user = user};
    struct pr_scope scope;

    pr_scope_init(&scope);
    pr_status status = listen_to_network(&healer, &scope);
    if (status == PR_OK)
        status =
            pr_spawn(&scope, "clock", PR_STACK_SESSION, hear_clock, &healer);
    if (status == PR_OK)
        status = pr_spawn(&scope, "proof", PR_STACK_SESSION, prove, &healer);
    if (status != PR_OK)
        pr_scope_cancel(&scope);
    pr_status joined = pr_scope_join(&scope);
    network_close(healer.network);
    return status != PR_OK ? status : joined;
}
