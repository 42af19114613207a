/*
 * Jobs that would block the loop, on libuv's pool of threads.
 *
 * All of a job lies on the stack of the fiber that waits for it, firmly: so
 * nothing is allocated, and nothing of it can outlive the wait.
 */
#include "config.h"

#include "base/failure.h"
#include "fiber/fiber.h"

struct offload {
    uv_work_t request;
    struct pr_fiber *fiber;
    pr_fiber_fn *job;
    void *argument;
    pr_status status;
    struct pr_failure failure;
    bool done;
};

static void on_thread(uv_work_t *request)
{
    struct offload *work = request->data;

    failure_use_slot(&work->failure);
    work->status = work->job(work->argument);
    failure_use_slot(NULL);
}

static void on_done(uv_work_t *request, int error)
{
    struct offload *work = request->data;

    (void)error; /* only for a request that was cancelled */
    work->done = true;
    fiber_wake(work->fiber);
}

pr_status pr_offload(pr_fiber_fn *job, void *argument)
{
    struct offload work = {
        .fiber = fiber_self(), .job = job, .argument = argument};
    int error;

    if (work.fiber == NULL)
        return job(argument);
    work.request.data = &work;
    error = uv_queue_work(loop_uv(), &work.request, on_thread, on_done);
    if (error != 0)
        return pr_fail(PR_BUG, "cannot start a job: %s", uv_strerror(error));
    while (!work.done)
        fiber_park_firmly();
    if (work.failure.status != PR_OK)
        failure_raise(&work.failure);
    return work.status;
}
