/*
 * Child processes, by libuv.
 *
 * libuv reaps a child that ends by itself. One that is killed because nobody
 * needs it any more is taken from libuv and reaped on the thread pool: death
 * may take a while in a hung file system, and nobody is to wait for it.
 */
#include "config.h"

#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "base/memory.h"
#include "fiber/loop.h"

struct process {
    uv_process_t handle;
    uv_work_t reaping;
    int holders; /* of this memory, once freed: the handle, the reaping */
    struct pr_fiber *waiter;
    bool has_ended;
    bool is_to_end; /* with all of its group */
    int exit_status;
};

static void let_go(struct process *process)
{
    if (--process->holders == 0)
        memory_free(process);
}

static void process_closed(uv_handle_t *handle)
{
    let_go((struct process *)handle);
}

static void close_handle(struct process *process)
{
    process->holders++;
    uv_close((uv_handle_t *)&process->handle, process_closed);
}

static void process_ended(uv_process_t *handle, int64_t exit_status, int signal)
{
    struct process *process = (struct process *)handle;
    struct pr_fiber *waiter = process->waiter;

    /* It was reaped a moment ago: numbers are given out in turn, so that its
     * group's is not another's yet. */
    if (process->is_to_end)
        kill(-handle->pid, SIGKILL);
    process->has_ended = true;
    process->exit_status = signal != 0 ? 128 + signal : (int)exit_status;
    process->waiter = NULL;
    if (waiter != NULL)
        fiber_wake(waiter);
}

/* What we were started with, or what a library opened carelessly. */
static void close_rest_on_exec(void)
{
#ifdef CLOSE_RANGE_CLOEXEC
    if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
#endif
    DIR *list = opendir("/proc/self/fd");
    if (list == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (fd > 2)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    closedir(list);
}

static bool sets_same_name(const char *a, const char *b)
{
    size_t name = strcspn(a, "=");

    return strncmp(a, b, name) == 0 && b[name] == '=';
}

/* Our environment without what `added` sets anew, then `added`. The texts are
 * lent; free the array. */
static char **join_environments(const char *const *added)
{
    size_t ours = 0, more = 0, count = 0;

    while (environ[ours] != NULL)
        ours++;
    while (added[more] != NULL)
        more++;
    char **all = memory_zeroed(ours + more + 1, sizeof(*all));
    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < ours; i++) {
        bool is_replaced = false;
        for (size_t j = 0; j < more; j++)
            is_replaced = is_replaced || sets_same_name(added[j], environ[i]);
        if (!is_replaced)
            all[count++] = environ[i];
    }
    for (size_t j = 0; j < more; j++)
        all[count++] = (char *)added[j];
    return all;
}

static pr_status spawn(struct process *process,
                       const struct process_setup *setup, char **env)
{
    uv_stdio_container_t stdio[3];
    uv_process_options_t options = {
        .exit_cb = process_ended,
        .file = setup->argv[0],
        .args = (char **)setup->argv,
        .env = env,
        .cwd = setup->directory,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = stdio,
    };

    for (int i = 0; i < 3; i++) {
        stdio[i].flags = setup->fds[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
        stdio[i].data.fd = setup->fds[i];
    }
    close_rest_on_exec();
    int error = uv_spawn(loop_uv(), &process->handle, &options);
    if (error == 0)
        return PR_OK;
    close_handle(process);
    return pr_fail(PR_IO, "cannot start %s: %s", setup->argv[0],
                   uv_strerror(error));
}

pr_status process_start(const struct process_setup *setup, struct process **ret)
{
    char **env = NULL;

    if (setup->argv == NULL || setup->argv[0] == NULL)
        return pr_fail(PR_CONFIG, "no program is named");
    struct process *process = memory_zeroed(1, sizeof(*process));
    if (process == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    if (!setup->is_env_whole && setup->env != NULL &&
        (env = join_environments(setup->env)) == NULL) {
        memory_free(process);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_status status =
        spawn(process, setup, setup->is_env_whole ? (char **)setup->env : env);
    memory_free(env);
    if (status == PR_OK)
        *ret = process;
    return status;
}

bool process_has_ended(const struct process *process, int *ret_status)
{
    if (process->has_ended)
        *ret_status = process->exit_status;
    return process->has_ended;
}

void process_arm(struct process *process)
{
    process->waiter = fiber_self();
}

void process_terminate(struct process *process)
{
    if (process->has_ended)
        return;
    process->is_to_end = true;
    kill(-process->handle.pid, SIGTERM);
}

void process_kill(struct process *process)
{
    /* Once reaped, the number may be another's. */
    if (!process->has_ended)
        kill(-process->handle.pid, SIGKILL);
}

static void reap(uv_work_t *work)
{
    const struct process *process = work->data;

    while (waitpid(process->handle.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void reaped(uv_work_t *work, int status)
{
    (void)status;
    let_go(work->data);
}

void process_free(struct process *process)
{
    if (process == NULL)
        return;
    if (!process->has_ended) {
        process_kill(process);
        process->reaping.data = process;
        if (uv_queue_work(loop_uv(), &process->reaping, reap, reaped) == 0)
            process->holders++;
    }
    close_handle(process);
}
