/*
 * Named steps at which a test can kill the program.
 *
 * The environment is read once, at the first step: getenv() beside a setenv()
 * of another thread would be a race.
 */
#include "config.h"

#include "base/crash.h"

#include <postrider/crash.h>

void pr_crash_point(const char *name)
{
    crash_point(name);
}

#ifdef ENABLE_CRASH_POINTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_ulong met;
static unsigned long last; /* the step to die at; 0 is none */
static int log_file = -1;

static void read_environment(void)
{
    const char *at = getenv("POSTRIDER_CRASH_AT");
    const char *path = getenv("POSTRIDER_CRASH_LOG");

    if (at != NULL)
        last = strtoul(at, NULL, 10);
    if (path != NULL)
        log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void crash_point(const char *name)
{
    pthread_once(&once, read_environment);
    if (log_file >= 0) {
        /* One write, so that lines of several threads do not mix. */
        struct iovec line[] = {{(void *)(uintptr_t)name, strlen(name)},
                               {(void *)(uintptr_t) "\n", 1}};
        ssize_t written = writev(log_file, line, 2);

        (void)written;
    }
    if (atomic_fetch_add(&met, 1) + 1 == last)
        raise(SIGKILL);
}

#endif
