/*
 * What fibers wait for: time, events, places in a semaphore.
 *
 * A waiter lies on the stack of its fiber and stands in one queue, in order of
 * arrival, until it was woken (who woke it took it out) or has given up (it
 * takes itself out). `woken` and not the end of the wait tells which of both.
 */
#include "config.h"

#include "fiber/fiber.h"

struct pr_waiter {
    struct pr_fiber *fiber;
    struct pr_waiter *previous, *next;
    size_t places; /* wanted, if it waits for a semaphore */
    bool woken;
};

pr_time pr_now(void)
{
    return uv_hrtime() / 1000000;
}

pr_time pr_in(uint64_t ms)
{
    pr_time now = pr_now();

    return ms < PR_NEVER - now ? now + ms : PR_NEVER;
}

pr_status pr_yield(void)
{
    if (!pr_is_cancelled())
        fiber_step_back();
    return fiber_wait_words(pr_is_cancelled() ? PR_CANCELLED : PR_OK);
}

pr_status pr_sleep(uint64_t ms)
{
    pr_time deadline = pr_in(ms);
    pr_status status;

    if (ms == 0)
        return pr_yield();
    do
        status = fiber_wait(deadline, false);
    while (status == PR_OK);
    return status == PR_TIMEOUT ? PR_OK : fiber_wait_words(status);
}

static void queue_add(struct pr_event *event, struct pr_waiter *waiter)
{
    waiter->next = NULL;
    waiter->previous = event->last;
    if (event->last != NULL)
        event->last->next = waiter;
    else
        event->first = waiter;
    event->last = waiter;
}

static void queue_remove(struct pr_event *event, struct pr_waiter *waiter)
{
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        event->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    else
        event->last = waiter->previous;
}

static void wake_first(struct pr_event *event)
{
    struct pr_waiter *waiter = event->first;

    queue_remove(event, waiter);
    waiter->woken = true;
    fiber_wake(waiter->fiber);
}

/* Waits in the queue. PR_OK if woken; else out of the queue again. */
static pr_status queue_wait(struct pr_event *event, struct pr_waiter *waiter,
                            pr_time deadline, bool firm)
{
    pr_status status;

    waiter->fiber = fiber_self();
    queue_add(event, waiter);
    do
        status = fiber_wait(deadline, firm);
    while (status == PR_OK && !waiter->woken);
    if (waiter->woken)
        return PR_OK; /* even if it was too late at the same time */
    queue_remove(event, waiter);
    return status;
}

pr_status pr_event_wait(struct pr_event *event, pr_time deadline)
{
    struct pr_waiter waiter = {.woken = false};

    return fiber_wait_words(queue_wait(event, &waiter, deadline, false));
}

pr_status event_wait_firmly(struct pr_event *event, pr_time deadline)
{
    struct pr_waiter waiter = {.woken = false};

    return fiber_wait_words(queue_wait(event, &waiter, deadline, true));
}

void pr_event_wake_one(struct pr_event *event)
{
    if (event->first != NULL)
        wake_first(event);
}

void pr_event_wake_all(struct pr_event *event)
{
    while (event->first != NULL)
        wake_first(event);
}

/* Gives free places to those in front who want no more than there are. */
static void hand_out(struct pr_semaphore *semaphore)
{
    struct pr_waiter *waiter;

    while ((waiter = semaphore->queue.first) != NULL &&
           waiter->places <= semaphore->free) {
        semaphore->free -= waiter->places;
        wake_first(&semaphore->queue);
    }
}

pr_status pr_semaphore_take(struct pr_semaphore *semaphore, size_t places,
                            pr_time deadline)
{
    struct pr_waiter waiter = {.places = places};
    pr_status status;

    if (semaphore->queue.first == NULL && places <= semaphore->free) {
        semaphore->free -= places;
        return PR_OK;
    }
    status = queue_wait(&semaphore->queue, &waiter, deadline, false);
    if (status != PR_OK)
        hand_out(semaphore); /* it may have stood before one who wants less */
    return fiber_wait_words(status);
}

void pr_semaphore_give(struct pr_semaphore *semaphore, size_t places)
{
    semaphore->free += places;
    hand_out(semaphore);
}
