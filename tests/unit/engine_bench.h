/*
 * The engine between a source and sinks in memory, with a real state: a
 * configuration made by hand, and what a run of it reported.
 */
#ifndef TESTS_UNIT_ENGINE_BENCH_H
#define TESTS_UNIT_ENGINE_BENCH_H

#include "engine/engine.h"
#include "fake.h"

struct bench {
    char directory[64];
    struct pr_sink sinks[2];
    struct pr_sink *sink_list[2];
    struct target targets[2];
    struct account account;
    struct config config;
    unsigned mode; /* of the engine */
    /* of the last run */
    struct account_report report;
    char error[PR_FAILURE_MAX];
    size_t planned, done, later, failed;
};

extern struct bench bench;

/* Before and after each test. */
int bench_set_up(void **state);
int bench_tear_down(void **state);
/* One `postrider fetch`. */
void run(void);
/* Messages m1, m2, ... */
void add_many(size_t count);

#endif
