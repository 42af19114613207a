/*
 * Programs run for us: argv, never a shell; no descriptor but 0 to 2; own
 * process group; killed whole at the deadline.
 */
#ifndef IO_PROGRAM_H
#define IO_PROGRAM_H

#include <postrider/buffer.h>
#include <postrider/fiber.h>
#include <postrider/program.h>

struct program_run {
    const char *const *argv; /* ended by NULL; found by PATH */
    const char *const
        *env;          /* NAME=VALUE added to ours, ended by NULL, or NULL */
    bool is_env_whole; /* `env` is all of it */
    const char *directory; /* where it starts; NULL: where we are */
    struct pr_bytes input; /* fed to standard input, if input_file is -1 */
    int input_file;        /* its standard input; -1: none */
    size_t output_cap;     /* more output than this is PR_LIMIT */
    bool is_mixed; /* standard error goes into `output` as well, which then
                      holds the end of it all if that is more than the cap */
    pr_time deadline;
    uint64_t grace; /* ms between SIGTERM and SIGKILL; 0: SIGKILL at once */
    /* results */
    struct pr_buffer output;    /* standard output; zeroed, or with memory kept
                                   ready by pr_buffer_reserve */
    struct pr_buffer complaint; /* standard error, first 4 KiB */
    uint64_t octets;            /* all that came from its outputs */
    int exit_status;            /* 0..255, or 128 + signal; -1: it was not
                                   started, or had to be killed */
};

/* Runs it to the end of its first process. Waits. pr_buffer_done both results,
 * also after a failure. PR_OK whatever its exit status; PR_IO if it cannot
 * be started, PR_TIMEOUT, PR_LIMIT, PR_CANCELLED (it is killed then). */
PR_CHECKED pr_status program_run(struct program_run *run);

#endif
