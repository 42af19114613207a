/*
 * The dot lock of an mbox.
 */
#include "config.h"

#include "dot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <postrider/crash.h>

#define NAME_SIZE (NAME_MAX + 1)
#define OWNER_MAX 300
/* By so much a process must be younger than a lock with its number to be
 * another one: what clocks of files and processes differ at most. */
#define YOUNGER_NANOSECONDS INT64_C(500000000)

static void lock_name(const struct dot *dot, char ret[NAME_SIZE])
{
    snprintf(ret, NAME_SIZE, "%.*s.lock", NAME_MAX - 5, dot->name);
}

static void host_name(char ret[256])
{
    if (gethostname(ret, 255) != 0)
        snprintf(ret, 256, "localhost");
    ret[255] = '\0';
}

/* ---- Making -------------------------------------------------------------- */

static int write_owner(int fd)
{
    char owner[OWNER_MAX], host[256];

    host_name(host);
    int size = snprintf(owner, sizeof(owner), "%ld:%s", (long)getpid(), host);
    ssize_t put = write(fd, owner, (size_t)size);
    return put == size ? 0 : put < 0 ? errno : ENOSPC;
}

/* A file without a name gets one once its content is there. */
static int link_unnamed(int directory, const char *name, int *ret)
{
    char path[40];
    int fd = openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);

    if (fd < 0)
        return errno == EISDIR || errno == ENOENT ? EOPNOTSUPP : errno;
    int error = write_owner(fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (error == 0 &&
        linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) != 0)
        error = errno == ENOENT ? EOPNOTSUPP : errno;
    if (error == 0)
        *ret = fd;
    else
        close(fd);
    return error;
}

static int make_named(int directory, const char *name, int *ret)
{
    int fd = openat(directory, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return errno;
    int error = write_owner(fd);
    if (error == 0) {
        *ret = fd;
        return 0;
    }
    close(fd);
    (void)unlinkat(directory, name, 0);
    return error;
}

static int make(struct dot *dot, const char *name)
{
    struct stat made;
    int fd = -1;
    int error = link_unnamed(dot->directory, name, &fd);

    if (error == EOPNOTSUPP || error == EINVAL)
        error = make_named(dot->directory, name, &fd);
    if (error != 0)
        return error;
    if (fstat(fd, &made) == 0) {
        dot->is_held = true;
        dot->device = made.st_dev;
        dot->inode = made.st_ino;
    } else {
        error = errno;
        (void)unlinkat(dot->directory, name, 0);
    }
    close(fd);
    return error;
}

/* ---- Whose is it? -------------------------------------------------------- */

struct owner {
    struct stat file;
    char text[OWNER_MAX];
    long pid; /* 0: not told */
    char host[256];
    int64_t age; /* seconds */
};

static void parse_owner(struct owner *owner)
{
    char *end;
    long pid = strtol(owner->text, &end, 10);

    if (end == owner->text || pid <= 0 || pid > INT_MAX || *end != ':')
        return;
    owner->pid = pid;
    snprintf(owner->host, sizeof(owner->host), "%.*s",
             (int)strcspn(end + 1, "\r\n"), end + 1);
}

/* ENOENT if it is gone meanwhile. */
static int read_owner(int directory, const char *name, struct owner *ret)
{
    int fd =
        openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = 0;

    memset(ret, 0, sizeof(*ret));
    if (fd < 0 && (errno == EACCES || errno == ELOOP))
        return fstatat(directory, name, &ret->file, AT_SYMLINK_NOFOLLOW) == 0
                   ? 0
                   : errno;
    if (fd < 0)
        return errno;
    int error = fstat(fd, &ret->file) == 0 ? 0 : errno;
    if (error == 0 && S_ISREG(ret->file.st_mode))
        got = read(fd, ret->text, sizeof(ret->text) - 1);
    close(fd);
    ret->text[got > 0 ? got : 0] = '\0';
    ret->age = (int64_t)(time(NULL) - ret->file.st_mtime);
    parse_owner(ret);
    return error;
}

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* When a process began, by the clock of files; 0: not known. */
static int64_t began(long pid)
{
    char path[40], text[1024];
    unsigned long long ticks;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    /* The second field is a name in brackets that may hold anything; the 22nd
     * is what is sought. */
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL)
        return 0;
    ticks = strtoull(at + 1, NULL, 10);
    int64_t since_boot = (int64_t)ticks * (1000000000 / sysconf(_SC_CLK_TCK));
    return nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME) +
           since_boot;
}

/* Has the process that took it ended? A process of its number that began later
 * is another one. */
static bool is_dead(const struct owner *owner)
{
    if (kill((pid_t)owner->pid, 0) != 0 && errno == ESRCH)
        return true;
    int64_t taken = (int64_t)owner->file.st_mtim.tv_sec * 1000000000 +
                    owner->file.st_mtim.tv_nsec;
    int64_t began_at = began(owner->pid);
    return began_at != 0 && began_at > taken + YOUNGER_NANOSECONDS;
}

static bool is_stale(const struct owner *owner, uint64_t stale)
{
    char host[256];

    host_name(host);
    if (owner->pid != 0 && strcmp(owner->host, host) == 0)
        return is_dead(owner);
    return stale > 0 && owner->age > 0 && (uint64_t)owner->age > stale / 1000;
}

/* ---- Breaking ------------------------------------------------------------ */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* If it turns out to be another lock than was looked at, it is put back. */
static int break_lock(int directory, const char *name,
                      const struct owner *owner)
{
    char aside[NAME_SIZE];
    struct stat found;

    snprintf(aside, sizeof(aside), ".%.*s.%ld", NAME_MAX - 30, name,
             (long)getpid());
    pr_crash_point("mbox lock to be broken");
    if (renameat(directory, name, directory, aside) != 0)
        return errno;
    int error =
        fstatat(directory, aside, &found, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
    if (error == 0 && !is_same(&found, &owner->file))
        error =
            linkat(directory, aside, directory, name, 0) == 0 ? EEXIST : errno;
    (void)unlinkat(directory, aside, 0);
    return error;
}

static pr_status say_busy(const char *name, const struct owner *owner)
{
    if (owner->pid != 0)
        return pr_fail(PR_BUSY,
                       "%s is held by process %ld on %.100s for %lld s", name,
                       owner->pid, owner->host, (long long)owner->age);
    return pr_fail(PR_BUSY,
                   "%s is there for %lld s; if no program is at work on the "
                   "mbox, remove it",
                   name, (long long)owner->age);
}

/* ---- The whole ----------------------------------------------------------- */

pr_status dot_take(struct dot *dot, uint64_t stale)
{
    char name[NAME_SIZE];
    struct owner owner;
    int error = EEXIST;

    lock_name(dot, name);
    for (int tries = 0; tries < 3 && error == EEXIST; tries++) {
        error = make(dot, name);
        if (error != EEXIST)
            break;
        error = read_owner(dot->directory, name, &owner);
        if (error == 0 && !is_stale(&owner, stale))
            return say_busy(name, &owner);
        if (error == 0)
            error = break_lock(dot->directory, name, &owner);
        if (error == 0 || error == ENOENT)
            error = EEXIST;
    }
    if (error == 0)
        return PR_OK;
    if (error == EEXIST)
        return pr_fail(PR_BUSY, "others take %s all the time", name);
    if (error == EACCES || error == EPERM || error == EROFS)
        return pr_fail_errno(PR_UNSUPPORTED, error, "cannot make %s", name);
    return pr_fail_errno(PR_IO, error, "cannot make %s", name);
}

static bool is_ours(const struct dot *dot, const char *name)
{
    struct stat found;

    return dot->is_held &&
           fstatat(dot->directory, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           found.st_dev == dot->device && found.st_ino == dot->inode;
}

void dot_touch(const struct dot *dot)
{
    char name[NAME_SIZE];

    lock_name(dot, name);
    if (is_ours(dot, name))
        (void)utimensat(dot->directory, name, NULL, AT_SYMLINK_NOFOLLOW);
}

void dot_drop(struct dot *dot)
{
    char name[NAME_SIZE];

    lock_name(dot, name);
    if (is_ours(dot, name))
        (void)unlinkat(dot->directory, name, 0);
    dot->is_held = false;
}
