/*
 * A child process: its own session and process group, no descriptor of ours
 * but the three it was given.
 */
#ifndef IO_PROCESS_H
#define IO_PROCESS_H

#include <stdbool.h>

#include <postrider/fiber.h>

struct process;

struct process_setup {
    const char *const *argv; /* ended by NULL; found by PATH */
    const char *const *env;  /* NAME=VALUE added to ours, or NULL */
    bool is_env_whole;       /* `env` is all of it */
    const char *directory;   /* where it starts; NULL: where we are */
    int fds[3];              /* lent; -1: /dev/null */
};

/* PR_IO if the program cannot be started. Does not wait. */
PR_CHECKED pr_status process_start(const struct process_setup *setup,
                                   struct process **ret);
/* Has it ended? Then *ret_status is 0..255, or 128 + signal. */
bool process_has_ended(const struct process *process, int *ret_status);
/* The running fiber's next fiber_park ends when the process does. */
void process_arm(struct process *process);
/* SIGTERM to all of its group, and SIGKILL to what is left of that once its
 * first process has ended. */
void process_terminate(struct process *process);
/* SIGKILL to all of its group. */
void process_kill(struct process *process);
/* Kills the group if the process still runs; it is reaped later. NULL is fine.
 */
void process_free(struct process *process);

#endif
