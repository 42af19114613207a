/*
 * Words to the service manager: one datagram each.
 */
#include "config.h"

#include "control/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <postrider/log.h>

static const struct pr_log daemon_log = {NULL, "daemon"};

bool notify_address(const char *text, struct sockaddr_un *ret,
                    unsigned *ret_size)
{
    size_t size = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || size < 2 ||
        size >= sizeof(ret->sun_path)) {
        return false;
    }
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, text, size);
    if (text[0] == '@') {
        ret->sun_path[0] = '\0';
    }
    *ret_size = (unsigned)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

static bool send_to(const char *where, const char *text)
{
    struct sockaddr_un address;
    unsigned size;
    if (!notify_address(where, &address, &size)) {
        errno = EINVAL;
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    ssize_t sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
                          (struct sockaddr *)&address, size);
    int error = errno;
    close(fd);
    errno = error;
    return sent >= 0;
}

void notify(const char *text)
{
    static bool has_failed;
    const char *where = getenv("NOTIFY_SOCKET");
    if (where == NULL || where[0] == '\0' || send_to(where, text) ||
        has_failed) {
        return;
    }
    has_failed = true;
    pr_log(&daemon_log, PR_LOG_WARNING, "cannot reach $NOTIFY_SOCKET (%s): %s",
           where, strerror(errno));
}

void notify_reloading(void)
{
    char text[80];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)now.tv_sec * 1000000 +
                 (unsigned long long)now.tv_nsec / 1000);
    notify(text);
}

void notify_status(const char *sentence)
{
    char text[600];
    snprintf(text, sizeof(text), "STATUS=%s", sentence);
    notify(text);
}

uint64_t notify_watchdog(void)
{
    const char *time = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    if (time == NULL || getenv("NOTIFY_SOCKET") == NULL) {
        return 0;
    }
    if (whose != NULL && strtoll(whose, NULL, 10) != (long long)getpid()) {
        return 0;
    }
    return strtoull(time, NULL, 10) / 1000;
}
