/*
 * Programs that a plugin runs: an argv, never a shell.
 *
 * A program gets its standard input, output and error and no other descriptor,
 * and a session and process group of its own. It has ended when its first
 * process has: what that left running in the background does not hold anybody,
 * even if it keeps the outputs open.
 */
#ifndef POSTRIDER_PROGRAM_H
#define POSTRIDER_PROGRAM_H

#include <postrider/buffer.h>
#include <postrider/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pr_program {
    const char *const *argv; /* ended by NULL; found by the PATH of `env` */
    const char *const *env;  /* all of its environment: NAME=VALUE, ended by
                                NULL */
    const char *directory;   /* it starts there; NULL: in ours */
    int input;               /* standard input, lent; -1: /dev/null */
    pr_time deadline;
    uint64_t grace; /* ms from SIGTERM at the deadline to SIGKILL */
    /* results */
    struct pr_buffer said; /* the end of what it wrote, output and errors as
                              they came; at most the cap it came with */
    uint64_t said_octets;  /* all that it wrote */
    int exit_status;       /* 0..255, or 128 + signal; -1: it was not started,
                              or had to be killed */
};

/* Runs it to its end. Waits. pr_buffer_done(&program->said), also after a
 * failure. PR_OK whatever its exit status; PR_IO if it cannot be started,
 * PR_TIMEOUT and PR_CANCELLED: its whole group was sent SIGTERM, then SIGKILL,
 * after one second at most if the fiber was given up (pr_scope_give_up). It may
 * have ended in order meanwhile: exit_status tells. */
PR_API PR_CHECKED pr_status pr_program_run(struct pr_program *program);

/* Is there a program that may be run under this name, itself a path or found in
 * `search` (folders with ":" between them)? Blocks. PR_CONFIG with words. */
PR_API PR_CHECKED pr_status pr_program_find(const char *name,
                                            const char *search);

#ifdef __cplusplus
}
#endif
#endif
