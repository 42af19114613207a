/*
 * The engine between a source and sinks in memory, with a real state.
 */
#include "config.h"

#include "engine_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fiber/loop.h"

static const char *const inbox[] = {"INBOX", NULL};

struct bench bench;

int bench_set_up(void **state)
{
    (void)state;
    fake_reset();
    memset(&bench, 0, sizeof(bench));
    strcpy(bench.directory, "/tmp/postrider-engine-XXXXXX");
    assert_non_null(mkdtemp(bench.directory));
    bench.sinks[0] = (struct pr_sink){.class = &fake_sink_class,
                                      .name = "memory:one",
                                      .state = &fake_mailbox};
    bench.sinks[1] = (struct pr_sink){
        .class = &fake_sink_class, .name = "memory:two", .state = &fake_other};
    bench.sink_list[0] = &bench.sinks[0];
    bench.sink_list[1] = &bench.sinks[1];
    bench.targets[0] = (struct target){&bench.sinks[0], "in"};
    bench.targets[1] = (struct target){&bench.sinks[1], "in"};
    bench.account = (struct account){.name = "a",
                                     .source = &fake_source_class,
                                     .folders = inbox,
                                     .deliver = bench.targets,
                                     .deliver_count = 1,
                                     .connections = 2};
    bench.config = (struct config){.file = "config.lua",
                                   .state_dir = bench.directory,
                                   .connections_per_host = 2,
                                   .accounts = &bench.account,
                                   .account_count = 1,
                                   .sinks = bench.sink_list,
                                   .sink_count = 2};
    return 0;
}

int bench_tear_down(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof(command), "rm -rf '%s'", bench.directory);
    return system(command) == 0 ? 0 : -1;
}

static void on_message(void *user, const struct message_report *report)
{
    (void)user;
    bench.planned += strcmp(report->status, "planned") == 0;
    bench.done += strcmp(report->status, "done") == 0;
    bench.later += strcmp(report->status, "later") == 0;
    bench.failed += strcmp(report->status, "failed") == 0;
}

static void on_account(void *user, const struct account_report *report)
{
    (void)user;
    bench.report = *report;
    snprintf(bench.error, sizeof(bench.error), "%s",
             report->error != NULL ? report->error : "");
}

static pr_status run_fiber(void *argument)
{
    (void)argument;
    struct state *state;
    struct engine *engine;
    struct engine_observer observer = {.message = on_message,
                                       .account = on_account};
    assert_int_equal(state_open(bench.directory, &state), PR_OK);
    assert_int_equal(
        engine_new(&bench.config, state, bench.mode, &observer, &engine),
        PR_OK);
    pr_status status = engine_fetch(engine, NULL);
    engine_free(engine);
    state_close(state);
    return status;
}

void run(void)
{
    bench.planned = bench.done = bench.later = bench.failed = 0;
    assert_int_equal(loop_run(2, run_fiber, NULL), PR_OK);
}

void add_many(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char subject[30];
        snprintf(subject, sizeof(subject), "m%zu", fake_server.count + 1);
        fake_add(subject);
    }
}
