/*
 * The pipe sink: its options and operations.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postrider/program.h>

#include "facts.h"
#include "pipe.h"
#include "run.h"

/* Programs of one batch that did not end or start, in a row, after which the
 * rest of the batch is not tried: else a program that hangs would be waited for
 * once for each message. */
#define TROUBLE_MOST 3
#define JOBS_MOST 64

static const struct pr_option options[] = {
    {.name = "command",
     .kind = PR_OPTION_LIST,
     .offset = offsetof(struct pipe_options, command),
     .help = "program and arguments; no shell is involved",
     .required = true,
     .positional = true},
    {.name = "timeout",
     .kind = PR_OPTION_DURATION,
     .offset = offsetof(struct pipe_options, timeout),
     .fallback = "5m",
     .help = "end the program after so long"},
    {.name = "env",
     .kind = PR_OPTION_LIST,
     .offset = offsetof(struct pipe_options, env),
     .help = "further variables: \"NAME=VALUE\", or \"NAME\" to pass one on"},
    {.name = "from_line",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct pipe_options, from_line),
     .fallback = "false",
     .help = "begin the message with an mbox \"From \" line"},
    {.name = "jobs",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct pipe_options, jobs),
     .fallback = "1",
     .least = 1,
     .most = JOBS_MOST,
     .help = "programs that run at the same time; with 1, in order"},
    {0}};

static pr_status check_options(const void *set)
{
    const struct pipe_options *pipe = set;

    if (pipe->command[0] == NULL || pipe->command[0][0] == '\0')
        return pr_fail(PR_CONFIG,
                       "command: names no program; write pipe { \"program\", "
                       "\"argument\" }");
    if (pipe->command[1] == NULL && pipe->command[0][0] != '/' &&
        strchr(pipe->command[0], ' ') != NULL)
        return pr_fail(PR_CONFIG,
                       "command: no shell reads it; write each word by itself: "
                       "pipe { \"program\", \"argument\" }");
    if (pipe->timeout == 0)
        return pr_fail(PR_CONFIG, "timeout: expects a time above 0");
    for (size_t i = 0; pipe->env != NULL && pipe->env[i] != NULL; i++)
        if (!facts_is_variable(pipe->env[i]))
            return pr_fail(PR_CONFIG,
                           "env: expects \"NAME=VALUE\" or \"NAME\", got "
                           "\"%.100s\"",
                           pipe->env[i]);
    return PR_OK;
}

static void sink_close(struct pr_sink *sink)
{
    struct pipe_sink *pipe = sink->state;

    if (pipe != NULL)
        pr_arena_free(pipe->arena);
    sink->state = NULL;
}

static pr_status sink_open(struct pr_sink *sink)
{
    const struct pipe_options *set = sink->options;
    struct pr_arena *arena = pr_arena_new();
    struct pipe_sink *pipe =
        arena != NULL ? pr_arena_alloc(arena, sizeof(*pipe)) : NULL;

    if (pipe == NULL) {
        pr_arena_free(arena);
        return PR_NOMEM;
    }
    *pipe = (struct pipe_sink){
        .options = set,
        .log = sink->log,
        .arena = arena,
        .places = {.free = (size_t)set->jobs},
    };
    sink->state = pipe;
    pr_status status = facts_base(arena, set->env, &pipe->env, &pipe->home);
    if (status != PR_OK)
        sink_close(sink);
    return status;
}

/* A program has no place that could be told beforehand. */
static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink;
    delivery->receipt[0] = '\0';
    return PR_OK;
}

static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink, (void)delivery;
}

/* ---- A batch ------------------------------------------------------------- */

struct batch {
    struct pipe_sink *pipe;
    struct pr_delivery *const *deliveries;
    size_t count, next;
    unsigned trouble; /* in a row */
};

static bool is_trouble(pr_status status)
{
    return status == PR_TIMEOUT || status == PR_IO;
}

static void deliver(struct batch *batch, struct pr_delivery *delivery)
{
    pr_status status = PR_OK;

    if (batch->trouble >= TROUBLE_MOST)
        status = pr_fail(PR_LATER, "%.100s failed %u times in a row: not tried",
                         batch->pipe->options->command[0], TROUBLE_MOST);
    if (status == PR_OK)
        status = pr_semaphore_take(&batch->pipe->places, 1, PR_NEVER);
    if (status == PR_OK && pr_is_cancelled()) {
        pr_semaphore_give(&batch->pipe->places, 1);
        status = pr_fail(PR_CANCELLED, "given up before %.100s was started",
                         batch->pipe->options->command[0]);
    }
    if (status == PR_OK) {
        run_delivery(batch->pipe, delivery);
        pr_semaphore_give(&batch->pipe->places, 1);
        batch->trouble = is_trouble(delivery->result) ? batch->trouble + 1 : 0;
        return;
    }
    delivery->result = status;
    memcpy(delivery->failure, pr_last_failure()->text,
           sizeof(delivery->failure));
}

static pr_status work(void *argument)
{
    struct batch *batch = argument;

    pr_shield_begin();
    while (batch->next < batch->count)
        deliver(batch, batch->deliveries[batch->next++]);
    pr_shield_end();
    return PR_OK;
}

static pr_status sink_commit(struct pr_sink *sink,
                             struct pr_delivery *const *deliveries,
                             size_t count)
{
    struct pipe_sink *pipe = sink->state;
    struct batch batch = {
        .pipe = pipe, .deliveries = deliveries, .count = count};
    size_t jobs = (size_t)pipe->options->jobs;
    struct pr_scope scope;

    pr_scope_init(&scope);
    /* This fiber only joins: so all hear at once that they are given up. */
    for (size_t i = 0; jobs > 1 && i < jobs && i < count; i++)
        if (pr_spawn(&scope, sink->name, PR_STACK_SESSION, work, &batch) !=
            PR_OK)
            break; /* the others do its part */
    if (scope.count == 0)
        (void)work(&batch);
    return pr_scope_join(&scope);
}

/* ---- Others -------------------------------------------------------------- */

static pr_status check_job(void *argument)
{
    const struct pipe_sink *pipe = argument;
    const char *search = facts_get(pipe->env, "PATH");

    return pr_program_find(pipe->options->command[0],
                           search != NULL ? search : "");
}

static pr_status sink_check(struct pr_sink *sink)
{
    return pr_offload(check_job, sink->state);
}

/* FNV-1a, of what does not show in the name. */
static uint64_t add_words(uint64_t hash, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++)
        for (const char *at = *words;; at++) {
            hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
            if (*at == '\0')
                break;
        }
    return hash;
}

/* Two sinks that differ have two names: the words, and if those do not tell all
 * a number made from the rest. */
static void sink_describe(const void *set, char *name, size_t size)
{
    const struct pipe_options *pipe = set;
    size_t room = size > 24 ? size - 24 : 0, used = 0;
    bool tells_all = pipe->env == NULL || pipe->env[0] == NULL;
    uint64_t hash = add_words(UINT64_C(0xcbf29ce484222325), pipe->command);

    used = (size_t)snprintf(name, size, "pipe:");
    for (size_t i = 0; pipe->command[i] != NULL; i++) {
        const char *word = pipe->command[i];
        int wrote =
            snprintf(name + used, size - used, "%s%s", i > 0 ? " " : "", word);
        tells_all = tells_all && word[0] != '\0' && strchr(word, ' ') == NULL;
        if (wrote < 0 || used + (size_t)wrote >= room) {
            name[room] = '\0';
            used = room;
            tells_all = false;
            break;
        }
        used += (size_t)wrote;
    }
    if (!tells_all)
        snprintf(name + used, size - used, " #%08x",
                 (unsigned)(add_words(hash ^ 1, pipe->env) >> 16));
}

static const struct pr_sink_ops ops = {
    .size = sizeof(ops),
    .open = sink_open,
    .stage = sink_stage,
    .commit = sink_commit,
    .abort = sink_abort,
    .check = sink_check,
    .close = sink_close,
    .describe = sink_describe,
    .journaled = true,
};

const struct pr_class pipe_class = {
    .size = sizeof(pipe_class),
    .role = PR_ROLE_SINK,
    .name = "pipe",
    .summary = "deliver through a program, its standard input the message",
    .options = options,
    .options_size = sizeof(struct pipe_options),
    .sink = &ops,
    .check_options = check_options,
};
