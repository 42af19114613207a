/*
 * Waiting for a descriptor, by libuv.
 *
 * A poller stays armed after a wait: as long as its fiber reads and waits in
 * turn, no call tells the kernel anything. An event that nobody waits for
 * disarms it.
 */
#include "config.h"

#include <stdlib.h>

#include <uv.h>

#include <postrider/service.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/stream.h"

struct poller {
    uv_poll_t handle;
    struct pr_fiber *waiter;
    int events; /* armed for; 0: not armed */
    bool fired;
};

pr_status poller_new(int fd, struct poller **ret)
{
    struct poller *poller = memory_zeroed(1, sizeof(*poller));

    if (poller == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    int error = uv_poll_init(loop_uv(), &poller->handle, fd);
    if (error != 0) {
        memory_free(poller);
        return pr_fail(PR_IO, "cannot wait for a descriptor: %s",
                       uv_strerror(error));
    }
    *ret = poller;
    return PR_OK;
}

static void poller_ready(uv_poll_t *handle, int status, int events)
{
    struct poller *poller = (struct poller *)handle;
    struct pr_fiber *waiter = poller->waiter;

    (void)events;
    if (status < 0)
        poller->events = 0; /* libuv has stopped it; the I/O tells why */
    poller->fired = true;
    poller->waiter = NULL;
    if (waiter != NULL) {
        fiber_wake(waiter);
    } else if (poller->events != 0) {
        uv_poll_stop(handle);
        poller->events = 0;
    }
}

static pr_status arm(struct poller *poller, int events)
{
    poller->fired = false;
    poller->waiter = fiber_self();
    if (poller->events == events)
        return PR_OK;
    int error = uv_poll_start(&poller->handle, events, poller_ready);
    if (error != 0) {
        poller->waiter = NULL;
        return pr_fail(PR_IO, "cannot wait for a descriptor: %s",
                       uv_strerror(error));
    }
    poller->events = events;
    return PR_OK;
}

pr_status poller_arm(struct poller *poller, bool to_write)
{
    return arm(poller, to_write ? UV_WRITABLE : UV_READABLE);
}

bool poller_fired(const struct poller *poller)
{
    return poller->fired;
}

void poller_forget(struct poller *poller)
{
    poller->waiter = NULL;
}

pr_status poller_wait(struct poller *poller, bool to_write, pr_time deadline)
{
    pr_status status = poller_arm(poller, to_write);

    while (status == PR_OK && !poller->fired)
        status = fiber_park(deadline);
    poller->waiter = NULL;
    return poller->fired ? PR_OK : status;
}

static pr_status arm_all(const struct polled *polled, size_t count,
                         struct poller **pollers)
{
    for (size_t i = 0; i < count; i++) {
        pr_status status = poller_new(polled[i].fd, &pollers[i]);
        if (status == PR_OK) {
            status =
                arm(pollers[i], (polled[i].to_read ? UV_READABLE : 0) |
                                    (polled[i].to_write ? UV_WRITABLE : 0));
        }
        if (status != PR_OK) {
            return status;
        }
    }
    return PR_OK;
}

/* The pollers are of this one wait: what a library does with its descriptors
 * between two waits, closing them for one, thus never meets a poller. */
pr_status poller_wait_any(const struct polled *polled, size_t count,
                          pr_time deadline)
{
    struct poller *pollers[POLLED_MOST] = {0};
    bool is_ready = false;

    if (count > POLLED_MOST) {
        return pr_fail(PR_LIMIT, "more than %d descriptors to wait for",
                       POLLED_MOST);
    }
    pr_status status = arm_all(polled, count, pollers);
    while (status == PR_OK && !is_ready) {
        status = fiber_park(deadline);
        for (size_t i = 0; i < count; i++) {
            is_ready = is_ready || pollers[i]->fired;
        }
    }
    for (size_t i = 0; i < count; i++) {
        poller_free(pollers[i]);
    }
    return is_ready && status != PR_CANCELLED ? PR_OK : status;
}

pr_status pr_wait_descriptor(int descriptor, bool to_read, bool to_write,
                             pr_time deadline)
{
    struct polled polled = {descriptor, to_read, to_write};

    return poller_wait_any(&polled, 1, deadline);
}

static void poller_closed(uv_handle_t *handle)
{
    memory_free(handle);
}

void poller_free(struct poller *poller)
{
    if (poller != NULL)
        uv_close((uv_handle_t *)&poller->handle, poller_closed);
}
