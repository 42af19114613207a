/*
 * Replays each transcript of tests/wire whole, octet by octet, step by step and
 * in 20 random cuts, and with each allocation of the core failing once. No
 * secret may come into the log meanwhile. With file names as arguments: only
 * those.
 */
#include "config.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "fiber/loop.h"
#include "transcript.h"

/* Below tests/wire; each protocol's own. */
#ifndef WIRE_FILES
#define WIRE_FILES "*.wire"
#endif
#define RANDOM_CUTS 20u

static void drop_line(void *user, enum pr_level level, const char *who,
                      const char *text)
{
    (void)user, (void)level, (void)who;
    if (strstr(text, "secret") != NULL || strstr(text, "AHNlY3JldA") != NULL) {
        fprintf(stderr, "a secret in the log: %s\n", text);
        abort();
    }
}

static pr_status check(const char *how, uint32_t seed, const char *wrong)
{
    if (wrong == NULL)
        return PR_OK;
    return pr_fail(PR_BUG, "%s %u: %s", how, seed, wrong);
}

static pr_status replay_cuts(const struct transcript *transcript)
{
    pr_status status =
        check("by step", 0, transcript_run(transcript, SCRIPT_BY_STEP, 0));

    if (status == PR_OK)
        status =
            check("octets", 0, transcript_run(transcript, SCRIPT_OCTETS, 0));
    for (uint32_t seed = 1; seed <= RANDOM_CUTS && status == PR_OK; seed++)
        status = check("random", seed,
                       transcript_run(transcript, SCRIPT_RANDOM, seed));
    return status;
}

static pr_status replay_all(void *argument)
{
    const struct transcript *transcript = argument;
    pr_status status =
        check("whole", 0, transcript_run(transcript, SCRIPT_WHOLE, 0));

    if (status == PR_OK && !transcript->only_whole)
        status = replay_cuts(transcript);
    if (status == PR_OK)
        status = check("sweep", 0, transcript_sweep(transcript));
    if (status != PR_OK)
        print_error("%s\n", pr_last_failure()->text);
    return status;
}

static void replays(void **state)
{
    struct transcript *transcript = calloc(1, sizeof(*transcript));

    assert_non_null(transcript);
    transcript_read(*state, transcript);
    pr_status status = loop_run(1, replay_all, transcript);
    transcript_done(transcript);
    free(transcript);
    assert_int_equal(status, PR_OK);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

int main(int argc, char **argv)
{
    const char *srcdir = getenv("abs_srcdir");
    char pattern[4096];
    glob_t found = {0};

    snprintf(pattern, sizeof(pattern), "%s/tests/wire/" WIRE_FILES,
             srcdir != NULL ? srcdir : ".");
    if (argc < 2) {
        if (glob(pattern, 0, NULL, &found) != 0)
            return 1;
        argc = (int)found.gl_pathc + 1;
        argv = found.gl_pathv - 1;
    }
    if (getenv("WIRE_TRACE") != NULL)
        log_set(PR_LOG_TRACE, NULL, NULL);
    else
        log_set(PR_LOG_TRACE, drop_line, NULL);
    size_t count = (size_t)argc - 1;
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    if (tests == NULL)
        return 1;
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = base_name(argv[i + 1]),
                                       .test_func = replays,
                                       .initial_state = argv[i + 1]};
    int failed =
        _cmocka_run_group_tests("transcripts", tests, count, NULL, NULL);
    free(tests);
    globfree(&found);
    return failed;
}
