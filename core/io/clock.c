/*
 * Suspend and steps of the time, by the clocks' differences.
 *
 * CLOCK_BOOTTIME runs in suspend and CLOCK_MONOTONIC does not: what the first
 * gained is what the machine slept. A timer of the time of day that is never
 * due, but cancelled when that time is set, wakes us for both: on resume the
 * kernel sets it.
 */
#include "config.h"

#include "io/clock.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/stream.h"

/* Less is no suspend that a connection would notice, and no step. */
#define LEAST_MS 1000

struct clocks {
    int64_t monotonic, boot, real; /* ms */
};

struct clock_watch {
    int fd;
    struct poller *poller;
    struct clocks then; /* when last told */
};

static int64_t read_clock(clockid_t id)
{
    struct timespec time;

    if (clock_gettime(id, &time) != 0)
        return 0;
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static struct clocks read_clocks(void)
{
    return (struct clocks){
        .monotonic = read_clock(CLOCK_MONOTONIC),
        .boot = read_clock(CLOCK_BOOTTIME),
        .real = read_clock(CLOCK_REALTIME),
    };
}

/* Arms the timer for a time that never comes. */
static pr_status arm(const struct clock_watch *watch)
{
    struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX}};
    time_t now = time(NULL);

    if (now > INT32_MAX / 2)
        never.it_value.tv_sec = now + INT32_MAX;
    if (timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
                        &never, NULL) != 0)
        return pr_fail_errno(PR_UNSUPPORTED, errno,
                             "the system gives no news of its clock");
    return PR_OK;
}

/* False if it comes to nothing worth telling. */
static bool sum_up(struct clock_watch *watch, struct clock_news *ret)
{
    struct clocks now = read_clocks();
    int64_t passed = now.boot - watch->then.boot;
    int64_t slept = passed - (now.monotonic - watch->then.monotonic);
    int64_t stepped = now.real - watch->then.real - passed;

    watch->then = now;
    *ret = (struct clock_news){0};
    if (slept >= LEAST_MS)
        ret->slept = (uint64_t)slept;
    if (stepped >= LEAST_MS || stepped <= -LEAST_MS)
        ret->stepped = stepped;
    return ret->slept != 0 || ret->stepped != 0;
}

pr_status clock_wait(struct clock_watch *watch, pr_time deadline,
                     struct clock_news *ret)
{
    for (;;) {
        uint64_t times;
        /* ECANCELED: the time was set; the timer is then to be armed anew,
         * before the clocks are read: what comes after that wakes us again. */
        if (read(watch->fd, &times, sizeof(times)) >= 0 || errno != EAGAIN) {
            pr_status status = arm(watch);
            if (status != PR_OK)
                return status;
        }
        if (sum_up(watch, ret))
            return PR_OK;
        pr_status status = poller_wait(watch->poller, false, deadline);
        if (status != PR_OK)
            return status;
    }
}

pr_status clock_watch_new(struct clock_watch **ret)
{
    struct clock_watch *watch = memory_zeroed(1, sizeof(*watch));
    pr_status status;

    if (watch == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    watch->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (watch->fd < 0)
        status = pr_fail_errno(PR_UNSUPPORTED, errno,
                               "the system gives no news of its clock");
    else
        status = arm(watch);
    if (status == PR_OK)
        status = poller_new(watch->fd, &watch->poller);
    if (status != PR_OK) {
        clock_watch_free(watch);
        return status;
    }
    watch->then = read_clocks();
    *ret = watch;
    return PR_OK;
}

void clock_watch_free(struct clock_watch *watch)
{
    if (watch == NULL)
        return;
    poller_free(watch->poller);
    if (watch->fd >= 0)
        close(watch->fd);
    memory_free(watch);
}
