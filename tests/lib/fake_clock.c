/*
 * Makes a program believe that time has passed. For LD_PRELOAD.
 *
 * $FAKE_CLOCK names a file of two numbers of 64 bits, in nanoseconds: what is
 * added to the monotonic clock, and what the machine slept. The test writes to
 * it while the program runs. Waiting ends early enough to see that, and a timer
 * that is to fire when the time of day is set fires when the machine slept.
 * System calls are made directly: libraries ask for the time before any of this
 * was set up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 50

struct shift {
    volatile int64_t passed, slept;
};

static const struct shift none;
static const struct shift *shift = &none;
static int64_t seen; /* of what it slept, by the timer */
static int timer = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FAKE_CLOCK");
    int fd = name != NULL ? open(name, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        shift = map;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    long result = syscall(SYS_clock_gettime, id, ret);
    int64_t more = 0;

    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
        more = shift->passed;
    else if (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME ||
             id == CLOCK_REALTIME_COARSE)
        more = shift->passed + shift->slept;
    if (result == 0 && more != 0) {
        int64_t nano = ret->tv_nsec + more % 1000000000;
        ret->tv_sec += more / 1000000000 + nano / 1000000000;
        ret->tv_nsec = nano % 1000000000;
    }
    return (int)result;
}

int timerfd_create(int clock, int flags)
{
    (void)clock;
    (void)flags; /* the same numbers as those of eventfd */
    return timer = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when,
                    struct itimerspec *old)
{
    (void)fd, (void)flags, (void)when, (void)old;
    return 0;
}

static void look_at_sleep(void)
{
    uint64_t one = 1;

    if (timer >= 0 && shift->slept != seen) {
        seen = shift->slept;
        (void)!write(timer, &one, sizeof(one));
    }
}

/* The caller's clock tells whether its time is up: ours may have jumped. */
int epoll_pwait(int fd, struct epoll_event *events, int most, int timeout,
                const sigset_t *mask)
{
    for (;;) {
        int64_t passed = shift->passed;
        int part = timeout < 0 || timeout > LOOK_MS ? LOOK_MS : timeout;
        look_at_sleep();
        int count = (int)syscall(SYS_epoll_pwait, fd, events, most, part, mask,
                                 _NSIG / 8);
        if (count != 0 || part == timeout)
            return count;
        if (shift->passed != passed && timeout >= 0)
            return 0; /* libuv then asks the clock, and waits on if need be */
        if (timeout > 0)
            timeout -= part;
    }
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    return epoll_pwait(fd, events, most, timeout, NULL);
}
