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

pr_status poller_arm(struct poller *poller, bool to_write)
{
    int events = to_write ? UV_WRITABLE : UV_READABLE;

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

static void poller_closed(uv_handle_t *handle)
{
    memory_free(handle);
}

void poller_free(struct poller *poller)
{
    if (poller != NULL)
        uv_close((uv_handle_t *)&poller->handle, poller_closed);
}
