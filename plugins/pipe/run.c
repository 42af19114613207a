/*
 * One message through the program, and what its end means.
 *
 * Its standard input is a finished file: if we die, it still reads the whole
 * message or was never started. Whether it reads it at all is its business.
 */
#include "config.h"

#include "run.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <postrider/program.h>

#include "facts.h"

#define SAID_MOST 8192 /* octets kept of what it says */
#define GRACE 5000     /* ms between SIGTERM and SIGKILL */

/* A message made ready for the program. */
struct input {
    const struct pipe_sink *pipe;
    const struct pr_delivery *delivery;
    struct pr_arena *arena;
    const char *const *env;
    int file;
};

/* ---- Before -------------------------------------------------------------- */

/* RFC 4155: the sender and the time in UTC, as asctime writes it. */
static char *from_line(const struct input *input, const char *sender)
{
    time_t received = (time_t)input->delivery->received;
    struct tm fields;
    char date[40];

    if (received == 0)
        received = time(NULL);
    if (gmtime_r(&received, &fields) == NULL ||
        strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &fields) == 0)
        snprintf(date, sizeof(date), "Thu Jan  1 00:00:00 1970");
    return pr_arena_printf(input->arena, "From %s %s\n",
                           sender[0] != '\0' ? sender : "MAILER-DAEMON", date);
}

static pr_status make_ready(void *argument)
{
    struct input *input = argument;
    const char *sender = "", *before = "";
    pr_status status = facts_of(input->delivery, input->pipe->env, input->arena,
                                &input->env, &sender);

    if (status != PR_OK)
        return status;
    if (input->pipe->options->from_line)
        before = from_line(input, sender);
    if (before == NULL)
        return PR_NOMEM;
    return pr_spool_open(input->delivery->spool, pr_bytes_of(before),
                         &input->file);
}

/* ---- After --------------------------------------------------------------- */

/* The last line that has something in it; lent. */
static struct pr_bytes last_line(struct pr_bytes said)
{
    size_t end = said.size;

    while (end > 0 && isspace((unsigned char)said.data[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && said.data[begin - 1] != '\n')
        begin--;
    while (begin < end && isspace((unsigned char)said.data[begin]))
        begin++;
    return (struct pr_bytes){said.data + begin, end - begin};
}

static bool passes_by_itself(int exit_status)
{
    return exit_status == EX_TEMPFAIL || exit_status == EX_OSERR ||
           exit_status == EX_IOERR || exit_status == EX_CANTCREAT;
}

static pr_status judge(const struct pr_program *program)
{
    struct pr_bytes line =
        last_line((struct pr_bytes){program->said.data, program->said.size});
    int signal = program->exit_status - 128, size = (int)line.size;
    const char *name = program->argv[0];
    const char *between = size > 0 ? ": " : "";

    if (program->exit_status == 0)
        return PR_OK;
    if (size > 300)
        size = 300;
    if (size == 0)
        line.data = "";
    if (signal > 0 && signal <= 64)
        return pr_fail(PR_LATER, "%.100s was ended by signal %d (%s)%s%.*s",
                       name, signal, strsignal(signal), between, size,
                       line.data);
    if (passes_by_itself(program->exit_status))
        return pr_fail(PR_LATER,
                       "%.100s cannot take it now (exit status %d)%s%.*s", name,
                       program->exit_status, between, size, line.data);
    return pr_fail(PR_REFUSED, "%.100s refused it (exit status %d)%s%.*s", name,
                   program->exit_status, between, size, line.data);
}

/* What it said, a line of the log for each line. */
static void log_said(const struct pr_log *log, const struct pr_program *program)
{
    const char *at = pr_buffer_text(&program->said);
    const char *end = at + program->said.size;

    if (program->said_octets > program->said.size)
        pr_log(log, PR_LOG_INFO, "(of %llu octets of output, the last %zu)",
               (unsigned long long)program->said_octets, program->said.size);
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            line_end = end;
        if (line_end > at)
            pr_log(log, PR_LOG_INFO, "%.*s", (int)(line_end - at), at);
        at = line_end + 1;
    }
}

/* ---- The whole ----------------------------------------------------------- */

/* One that was told to end and then ends with 0 has finished, or has given up
 * in good order: nobody knows. */
static pr_status result_of(const struct pr_program *program,
                           const struct pipe_options *options, pr_status status)
{
    if (status == PR_OK)
        return judge(program);
    if (status == PR_TIMEOUT && program->exit_status == 0)
        return pr_fail(PR_DOUBT,
                       "%.100s did not end within %llu s, was told to, and "
                       "ended with 0; whether it has delivered the message is "
                       "not known",
                       program->argv[0],
                       (unsigned long long)options->timeout / 1000);
    if (status == PR_TIMEOUT)
        return pr_fail(
            PR_TIMEOUT, "%.100s did not end within %llu s and was killed",
            program->argv[0], (unsigned long long)options->timeout / 1000);
    if (status == PR_CANCELLED)
        return pr_fail(PR_DOUBT,
                       "%.100s did not end in time and was killed; whether "
                       "it has delivered the message is not known",
                       program->argv[0]);
    return status;
}

static pr_status run(const struct input *input)
{
    const struct pipe_sink *pipe = input->pipe;
    struct pr_program program = {
        .argv = pipe->options->command,
        .env = input->env,
        .directory = access(pipe->home, X_OK) == 0 ? pipe->home : "/",
        .input = input->file,
        .deadline = pr_in(pipe->options->timeout),
        .grace = GRACE,
        .said = {.cap = SAID_MOST},
    };
    pr_status status = pr_program_run(&program);

    status = result_of(&program, pipe->options, status);
    log_said(pipe->log, &program);
    pr_buffer_done(&program.said);
    return status;
}

/* Nothing was begun. */
static void fail(struct pr_delivery *delivery, pr_status status)
{
    delivery->result = status;
    memcpy(delivery->failure, pr_last_failure()->text,
           sizeof(delivery->failure));
}

void run_delivery(const struct pipe_sink *pipe, struct pr_delivery *delivery)
{
    struct input input = {.pipe = pipe,
                          .delivery = delivery,
                          .arena = pr_arena_new(),
                          .file = -1};
    pr_status status =
        input.arena == NULL ? PR_NOMEM : pr_offload(make_ready, &input);

    if (status == PR_OK)
        status = pr_delivery_begin(delivery);
    if (status == PR_OK)
        pr_delivery_end(delivery, run(&input));
    else
        fail(delivery, status);
    if (input.file >= 0)
        close(input.file);
    pr_arena_free(input.arena);
}
