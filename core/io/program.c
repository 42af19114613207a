/*
 * Programs run to their end, output and complaints gathered.
 *
 * A program has ended when its first process has: what it left running in the
 * background does not hold us.
 */
#include "config.h"

#include "io/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fiber/loop.h"
#include "io/file.h"
#include "io/process.h"
#include "io/stream.h"

#define COMPLAINT_SIZE 4096
/* The grace of a program whose fiber was given up, in milliseconds. */
#define LAST_GRACE 1000u
#define BLOCKS_AT_ONCE 32

/* What is done with more than fits. */
enum overflow { FAIL, DROP_LAST, DROP_FIRST };

/* One of its outputs, as we read it. */
struct outlet {
    int fd; /* -1: at its end, or not in use */
    struct poller *poller;
    struct pr_buffer *into;
    enum overflow overflow;
    uint64_t octets;
};

static void outlet_close(struct outlet *outlet)
{
    poller_free(outlet->poller);
    if (outlet->fd >= 0)
        close(outlet->fd);
    outlet->fd = -1;
    outlet->poller = NULL;
}

/* Makes the pipe; *ret_fd is the program's end. */
static pr_status outlet_open(struct outlet *outlet, int *ret_fd)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return pr_fail_errno(PR_IO, errno, "cannot make a pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    outlet->fd = fds[0];
    *ret_fd = fds[1];
    return poller_new(fds[0], &outlet->poller);
}

static pr_status outlet_keep(struct outlet *outlet, const char *data,
                             size_t size)
{
    struct pr_buffer *into = outlet->into;
    size_t room = into->cap - into->size;

    outlet->octets += size;
    if (size > room && outlet->overflow == FAIL)
        return pr_fail(PR_LIMIT, "it wrote more than %zu octets", into->cap);
    if (size > room && outlet->overflow == DROP_FIRST) {
        size_t most = size < into->cap ? size : into->cap;
        data += size - most;
        size = most;
        if (size > room)
            pr_buffer_consume(into, size - room);
        room = into->cap - into->size;
    }
    return pr_buffer_add(into, data, size < room ? size : room);
}

/* Reads what is there, but not for ever from one that writes without end. */
static pr_status outlet_drain(struct outlet *outlet)
{
    char block[4096];
    pr_status status = PR_OK;

    for (int i = 0; i < BLOCKS_AT_ONCE && outlet->fd >= 0 && status == PR_OK;
         i++) {
        ssize_t got = read(outlet->fd, block, sizeof(block));
        if (got > 0)
            status = outlet_keep(outlet, block, (size_t)got);
        else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        else if (got == 0 || errno != EINTR)
            outlet_close(outlet);
    }
    explicit_bzero(block, sizeof(block)); /* it may be a password */
    return status;
}

static pr_status outlet_arm(struct outlet *outlet)
{
    return outlet->fd >= 0 ? poller_arm(outlet->poller, false) : PR_OK;
}

/* The whole input is there before the program starts: a crash of ours cannot
 * hand it half, and it need not read what it does not want. */
static pr_status open_input(struct pr_bytes input, int *ret_fd)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "cannot make a memory file");
    pr_status status =
        file_write_all(fd, input.data, input.size, "a memory file");
    if (status == PR_OK && lseek(fd, 0, SEEK_SET) != 0)
        status = pr_fail_errno(PR_IO, errno, "cannot rewind a memory file");
    if (status != PR_OK) {
        close(fd);
        return status;
    }
    *ret_fd = fd;
    return PR_OK;
}

/* `firmly`: only the deadline ends it. */
static pr_status gather(struct program_run *run, struct process *process,
                        struct outlet outlets[2], pr_time deadline, bool firmly)
{
    pr_status status = PR_OK;

    while (status == PR_OK) {
        bool has_ended = process_has_ended(process, &run->exit_status);
        status = outlet_drain(&outlets[0]);
        if (status == PR_OK)
            status = outlet_drain(&outlets[1]);
        if (status != PR_OK || has_ended)
            break;
        if (pr_now() >= deadline)
            return pr_fail(PR_TIMEOUT, "timeout");
        process_arm(process);
        status = outlet_arm(&outlets[0]);
        if (status == PR_OK)
            status = outlet_arm(&outlets[1]);
        if (status == PR_OK)
            status = firmly ? fiber_park_firmly_until(deadline)
                            : fiber_park(deadline);
    }
    return status;
}

static pr_status start(struct program_run *run, struct outlet outlets[2],
                       struct process **ret)
{
    struct process_setup setup = {.argv = run->argv,
                                  .env = run->env,
                                  .is_env_whole = run->is_env_whole,
                                  .directory = run->directory,
                                  .fds = {-1, -1, -1}};
    int memory = -1;
    pr_status status = PR_OK;

    if (run->input_file < 0 && run->input.size > 0)
        status = open_input(run->input, &memory);
    setup.fds[0] = memory >= 0 ? memory : run->input_file;
    for (int i = 0; i < (run->is_mixed ? 1 : 2) && status == PR_OK; i++)
        status = outlet_open(&outlets[i], &setup.fds[i + 1]);
    if (run->is_mixed)
        setup.fds[2] = setup.fds[1];
    if (status == PR_OK)
        status = process_start(&setup, ret);
    if (memory >= 0)
        close(memory);
    for (int i = 1; i < (run->is_mixed ? 2 : 3); i++)
        if (setup.fds[i] >= 0)
            close(setup.fds[i]);
    return status;
}

/* It is out of time, or not wanted any more: a moment to end in order. */
static void end_in_order(struct program_run *run, struct process *process,
                         struct outlet outlets[2])
{
    uint64_t grace = run->grace;

    process_terminate(process);
    pr_shield_begin();
    bool is_given_up = pr_is_cancelled();
    if (is_given_up && grace > LAST_GRACE)
        grace = LAST_GRACE;
    (void)!gather(run, process, outlets, pr_in(grace), is_given_up);
    pr_shield_end();
}

static pr_status in_words(const struct program_run *run, pr_status status)
{
    if (status == PR_TIMEOUT)
        return pr_fail(PR_TIMEOUT, "%s did not end in time and was killed",
                       run->argv[0]);
    if (status == PR_CANCELLED)
        return pr_fail(PR_CANCELLED, "%s was killed when asked to stop",
                       run->argv[0]);
    return pr_context(status, "%s", run->argv[0]);
}

pr_status program_run(struct program_run *run)
{
    struct outlet outlets[2] = {
        {.fd = -1,
         .into = &run->output,
         .overflow = run->is_mixed ? DROP_FIRST : FAIL},
        {.fd = -1, .into = &run->complaint, .overflow = DROP_LAST},
    };
    struct process *process = NULL;

    run->exit_status = -1;
    run->output.cap = run->output_cap;
    pr_buffer_init(&run->complaint, COMPLAINT_SIZE);
    pr_status status = start(run, outlets, &process);
    if (status == PR_OK) {
        status = gather(run, process, outlets, run->deadline, false);
        if (run->grace > 0 && (status == PR_TIMEOUT || status == PR_CANCELLED))
            end_in_order(run, process, outlets);
        if (status != PR_OK)
            status = in_words(run, status);
    }
    run->octets = outlets[0].octets + outlets[1].octets;
    process_free(process);
    outlet_close(&outlets[0]);
    outlet_close(&outlets[1]);
    return status;
}

/* ---- For plugins --------------------------------------------------------- */

pr_status pr_program_run(struct pr_program *program)
{
    struct program_run run = {
        .argv = program->argv,
        .env = program->env,
        .is_env_whole = true,
        .directory = program->directory,
        .input_file = program->input,
        .output_cap = program->said.cap,
        .is_mixed = true,
        .deadline = program->deadline,
        .grace = program->grace,
        .output = program->said,
    };
    pr_status status = program_run(&run);

    pr_buffer_done(&run.complaint);
    program->said = run.output;
    program->said_octets = run.octets;
    program->exit_status = run.exit_status;
    return status;
}

static bool may_run(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && S_ISREG(found.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static pr_status find_path(const char *path)
{
    if (may_run(path))
        return PR_OK;
    if (access(path, F_OK) != 0)
        return pr_fail_errno(PR_CONFIG, errno, "the program %s", path);
    return pr_fail(PR_CONFIG, "the file %s is no program that may be run",
                   path);
}

pr_status pr_program_find(const char *name, const char *search)
{
    const char *at = search;

    if (strchr(name, '/') != NULL)
        return find_path(name);
    while (*at != '\0') {
        char path[4096];
        size_t size = strcspn(at, ":");
        int wrote = snprintf(path, sizeof(path), "%.*s%s%s", (int)size, at,
                             size > 0 && at[size - 1] != '/' ? "/" : "", name);
        if (wrote > 0 && (size_t)wrote < sizeof(path) && may_run(path))
            return PR_OK;
        at += size + (at[size] == ':');
    }
    return pr_fail(PR_CONFIG, "there is no program \"%s\" in PATH (%s)", name,
                   search);
}
