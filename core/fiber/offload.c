/*
 * Jobs that would block the loop, on libuv's pool of threads.
 *
 * All of a job lies on the stack of the fiber that waits for it, firmly: so
 * nothing is allocated, and nothing of it can outlive the wait. Jobs under way
 * are in a list, oldest first. One timer looks at it, due when the oldest could
 * first be overdue: while jobs end in time they cost no system call, and while
 * there are none nothing is due.
 */
#include "config.h"

#include "fiber/offload.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include <postrider/log.h>

#include "base/failure.h"
#include "fiber/fiber.h"

/* No disk, database or name server that works takes longer. */
#define OVERDUE_MS 30000

struct offload {
    uv_work_t request;
    struct pr_fiber *fiber;
    pr_fiber_fn *job;
    void *argument;
    pr_status status;
    struct pr_failure failure;
    bool done;
    atomic_bool runs; /* a thread has taken it */
    bool is_told;     /* that it is overdue */
    pr_time begun;
    struct offload *previous, *next;
};

static struct {
    struct offload *first, *last;
    uv_timer_t timer;
    uint64_t overdue_ms; /* 0: OVERDUE_MS */
} jobs;

static const struct pr_log job_log = {NULL, "jobs"};

/* ---- Jobs that take long --------------------------------------------------
 */

static uint64_t overdue_ms(void)
{
    return jobs.overdue_ms != 0 ? jobs.overdue_ms : OVERDUE_MS;
}

void offload_set_overdue(uint64_t ms)
{
    jobs.overdue_ms = ms;
}

/* The file whose code it is: "maildir.so", "postrider". */
static const char *code_of(pr_fiber_fn *job)
{
    Dl_info found;
    void *address;
    _Static_assert(sizeof(job) == sizeof(address), "POSIX wants it so");

    memcpy(&address, &job, sizeof(address));
    if (dladdr(address, &found) == 0 || found.dli_fname == NULL)
        return "?";
    const char *slash = strrchr(found.dli_fname, '/');
    return slash != NULL ? slash + 1 : found.dli_fname;
}

static struct overdue_job describe(const struct offload *work)
{
    return (struct overdue_job){
        .fiber = work->fiber->name,
        .code = code_of(work->job),
        .ms = pr_now() - work->begun,
        .runs = work->runs,
    };
}

static bool is_overdue(const struct offload *work)
{
    return pr_now() - work->begun >= overdue_ms();
}

size_t offload_overdue(struct overdue_job *ret, size_t most)
{
    size_t count = 0;

    for (const struct offload *at = jobs.first; at != NULL && is_overdue(at);
         at = at->next, count++)
        if (count < most)
            ret[count] = describe(at);
    return count;
}

static void tell(struct offload *work)
{
    struct overdue_job job = describe(work);

    work->is_told = true;
    pr_log(&job_log, PR_LOG_WARNING,
           job.runs
               ? "%s: a job of %s has not ended for %llu s: what it waits for, "
                 "a disk or a program, does not answer"
               : "%s: a job of %s waits for a thread for %llu s: all are taken "
                 "by jobs that do not end",
           job.fiber, job.code, (unsigned long long)job.ms / 1000);
}

static void tell_end(const struct offload *work)
{
    struct overdue_job job = describe(work);

    pr_log(&job_log, PR_LOG_WARNING, "%s: the job of %s has ended after %llu s",
           job.fiber, job.code, (unsigned long long)job.ms / 1000);
}

size_t offload_leave(void)
{
    size_t count = 0;

    for (const struct offload *at = jobs.first; at != NULL;
         at = at->next, count++) {
        struct overdue_job job = describe(at);
        pr_log(&job_log, PR_LOG_ERROR,
               "%s: given up: a job of %s has not ended for %llu s, what it "
               "waits for does not answer",
               job.fiber, job.code, (unsigned long long)job.ms / 1000);
    }
    return count;
}

static void on_look(uv_timer_t *timer);

/* Sets the timer for the first job not told of, if there is one. */
static void look_later(void)
{
    struct offload *at = jobs.first;

    while (at != NULL && at->is_told)
        at = at->next;
    if (at == NULL)
        return;
    pr_time due = at->begun + overdue_ms(), now = uv_now(loop_uv());
    uv_timer_start(&jobs.timer, on_look, due > now ? due - now : 0, 0);
}

static void on_look(uv_timer_t *timer)
{
    (void)timer;
    for (struct offload *at = jobs.first; at != NULL && is_overdue(at);
         at = at->next)
        if (!at->is_told)
            tell(at);
    look_later();
}

void offload_open(void)
{
    jobs.first = jobs.last = NULL;
    uv_timer_init(loop_uv(), &jobs.timer);
}

void offload_close(void)
{
    uv_close((uv_handle_t *)&jobs.timer, NULL);
}

static void list_add(struct offload *work)
{
    work->begun = uv_now(loop_uv());
    work->previous = jobs.last;
    if (jobs.last != NULL)
        jobs.last->next = work;
    else
        jobs.first = work;
    jobs.last = work;
    if (!uv_is_active((uv_handle_t *)&jobs.timer))
        look_later();
}

static void list_remove(const struct offload *work)
{
    if (work->previous != NULL)
        work->previous->next = work->next;
    else
        jobs.first = work->next;
    if (work->next != NULL)
        work->next->previous = work->previous;
    else
        jobs.last = work->previous;
    if (work->is_told)
        tell_end(work);
}

/* ---- A job ----------------------------------------------------------------
 */

static void on_thread(uv_work_t *request)
{
    struct offload *work = request->data;

    work->runs = true;
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
    list_add(&work);
    while (!work.done)
        fiber_park_firmly();
    list_remove(&work);
    if (work.failure.status != PR_OK)
        failure_raise(&work.failure);
    return work.status;
}

struct once {
    pr_fiber_fn *job;
    atomic_bool *is_done;
};

static pr_status run_once(void *argument)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    const struct once *once = argument;
    pr_status status;

    pthread_mutex_lock(&one_at_a_time);
    status = *once->is_done ? PR_OK : once->job(NULL);
    if (status == PR_OK)
        *once->is_done = true;
    pthread_mutex_unlock(&one_at_a_time);
    return status;
}

pr_status offload_once(pr_fiber_fn *job, atomic_bool *is_done)
{
    struct once once = {job, is_done};

    return *is_done ? PR_OK : pr_offload(run_once, &once);
}
