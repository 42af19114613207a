/*
 * Runs a command and writes what it cost, as one line, into a file:
 * seconds, CPU seconds, peak memory in KiB, and its exit status.
 *
 *   measure FILE COMMAND [ARGUMENT...]
 *
 * CPU time and peak memory include the children the command waited for. It is
 * a program of its own because a process that is started from a large one
 * counts the large one's memory as its own peak.
 */
#include "config.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status = 0;
    double begin = now();
    pid_t child;
    FILE *file;

    if (argc < 3)
        return 64;
    child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) < 0) {
        perror("measure");
        return 70;
    }
    file = fopen(argv[1], "w");
    if (file == NULL) {
        perror(argv[1]);
        return 73;
    }
    fprintf(file, "%.4f %.4f %ld %d\n", now() - begin,
            seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
            usage.ru_maxrss, exit_status(status));
    fclose(file);
    return exit_status(status);
}
