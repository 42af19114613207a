/*
 * `postrider test`: runs the tests of the rules and says which passed.
 */
#include "config.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "fiber/loop.h"
#include "lua/testing.h"

static const char margin[] = "        ";

struct course {
    const struct invocation *invocation;
    struct config *config;
    unsigned passed, failed;
};

/* ---- Which files --------------------------------------------------------- */

static int is_test_file(const struct dirent *entry)
{
    return fnmatch("test_*.lua", entry->d_name, 0) == 0 ||
           fnmatch("*_test.lua", entry->d_name, 0) == 0 ||
           strcmp(entry->d_name, "test.lua") == 0;
}

static pr_status load_found(struct config *config, const char *directory)
{
    struct dirent **found = NULL;
    int count = scandir(directory, &found, is_test_file, alphasort);
    pr_status status = PR_OK;
    for (int i = 0; i < count; i++) {
        char *path = pr_arena_printf(config->arena, "%s/%s", directory,
                                     found[i]->d_name);
        if (status == PR_OK) {
            status = path == NULL ? PR_NOMEM : tests_load(config, path);
        }
        free(found[i]);
    }
    free(found);
    return status;
}

/* Without names, the files of tests beside the configuration. */
static pr_status load_tests(const struct course *course)
{
    struct config *config = course->config;
    char **names = course->invocation->arguments;
    pr_status status = PR_OK;
    if (*names != NULL) {
        for (; status == PR_OK && *names != NULL; names++) {
            status = tests_load(config, *names);
        }
        return status;
    }
    const char *slash = strrchr(config->file, '/');
    char *directory = pr_arena_bytes(
        config->arena,
        (struct pr_bytes){config->file, (size_t)(slash - config->file)});
    return directory == NULL ? PR_NOMEM : load_found(config, directory);
}

/* ---- What is printed ----------------------------------------------------- */

static void print_json(const struct test_report *report)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 256 * 1024);
    (void)!pr_buffer_add_text(&line, "{\"event\":\"test\",\"name\":");
    (void)!text_add_json(&line, pr_bytes_of(report->name));
    (void)!pr_buffer_add_text(&line, ",\"file\":");
    (void)!text_add_json(&line, pr_bytes_of(report->file));
    (void)!pr_buffer_printf(
        &line, ",\"line\":%d,\"status\":\"%s\",\"error\":", report->line,
        report->has_passed ? "passed" : "failed");
    (void)!text_add_json(&line, pr_bytes_of(report->words));
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static void print_plan(const struct plan *plan)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 65536);
    for (size_t i = 0; plan != NULL && i < plan->count; i++) {
        pr_buffer_clear(&line);
        (void)!plan_describe(&plan->entries[i], &line);
        terminal_line("        %s%s", i == 0 ? "the rules: " : "           ",
                      pr_buffer_text(&line));
    }
    if (plan != NULL && plan->count == 0) {
        puts("        the rules: nothing, so the account's own delivery");
    }
    pr_buffer_done(&line);
}

static void on_test(void *user, const struct test_report *report)
{
    struct course *course = user;
    course->passed += report->has_passed;
    course->failed += !report->has_passed;
    if (course->invocation->json) {
        print_json(report);
        return;
    }
    if (report->has_passed) {
        terminal_line("ok    %s", report->name);
        return;
    }
    terminal_line("FAIL  %s (%s:%d)", report->name, report->file, report->line);
    print_lines(margin, margin, report->words);
    print_plan(report->plan);
}

/* ---- The command --------------------------------------------------------- */

static pr_status run_course(void *argument)
{
    struct course *course = argument;
    return tests_run(course->config, on_test, course);
}

static int summary(const struct course *course)
{
    if (course->invocation->json) {
        terminal_line("{\"event\":\"summary\",\"passed\":%u,\"failed\":%u}",
                      course->passed, course->failed);
    } else {
        terminal_line("%u passed, %u failed", course->passed, course->failed);
    }
    return course->failed == 0 ? EX_OK : 1;
}

static int run(const struct invocation *invocation)
{
    struct course course = {.invocation = invocation};
    int failed = load_config(invocation, &course.config);
    if (failed != 0) {
        return failed;
    }
    pr_status status = load_tests(&course);
    if (status == PR_OK && tests_count(course.config) == 0) {
        status = pr_fail(PR_CONFIG,
                         "there are no tests: name a file of them, or put "
                         "test_*.lua beside %s",
                         course.config->file);
    }
    if (status == PR_OK) {
        status = loop_run(1, run_course, &course);
    }
    config_free(course.config);
    return status == PR_OK ? summary(&course) : complain(status);
}

const struct command command_test = {
    .name = "test",
    .arguments = "[FILE.lua...]",
    .summary = "Run the tests of your rules",
    .help = "A test says what the rules are to do with a message:\n\n"
            "  test(\"spam goes to Junk\", { eml = \"spam.eml\" }, { moved = "
            "\"Junk\" })\n\n"
            "Without FILE: those in the configuration, and in test.lua, "
            "test_*.lua and *_test.lua beside\nit. Nothing is fetched, "
            "delivered or stored. Exit status: 0 all passed, 1 some failed, 78 "
            "the\nconfiguration or a test file is wrong. See "
            "postrider-rules(5).\n",
    .options = "jv",
    .run = run,
};
