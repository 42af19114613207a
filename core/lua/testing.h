/*
 * Tests of rules: test("name", { a message }, { what is to become of it }).
 *
 * They stand in the configuration or in files of their own. Each runs the rules
 * over one message, with services replaced by what the test says they answer.
 * Nothing is fetched, delivered or stored.
 */
#ifndef LUA_TESTING_H
#define LUA_TESTING_H

#include "lua/config.h"

/* Adds the tests of a file to those of the configuration. Problems are logged,
 * as config_load does. Blocks. PR_CONFIG, PR_IO, PR_NOMEM. */
PR_CHECKED pr_status tests_load(struct config *config, const char *file);
size_t tests_count(const struct config *config);

/* How a test went. Texts are lent until the configuration is freed, `words` for
 * the call. */
struct test_report {
    const char *name, *file;
    int line;
    bool has_passed;
    const char *words;       /* what is not as expected, a line for each; "" if
                                nothing */
    const struct plan *plan; /* what the rules decided */
};

/* Runs the tests one after another and tells `each`. Waits; in a fiber with
 * PR_STACK_RULE. PR_CANCELLED, PR_NOMEM. */
PR_CHECKED pr_status tests_run(struct config *config,
                               void (*each)(void *user,
                                            const struct test_report *report),
                               void *user);

#endif
