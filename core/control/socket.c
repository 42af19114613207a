/*
 * Where the daemon's socket lies, and who may come to it.
 */
#include "config.h"

#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <postrider/log.h>

#include "base/memory.h"
#include "io/file.h"

#define BACKLOG 128

static const struct pr_log daemon_log = {NULL, "daemon"};

/* ---- Names --------------------------------------------------------------- */

/* FNV-1a: names of files that need not be guessed, only told apart. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return hash;
}

/* The path with its links followed where it is there, as it stands else. */
static const char *real(const char *path, char room[PATH_MAX])
{
    return realpath(path, room) != NULL ? room : path;
}

/* The folder for sockets into `out`; false: there is none of ours. */
static bool runtime_folder(char *out, size_t size)
{
    const char *own = getenv("RUNTIME_DIRECTORY");
    const char *user = getenv("XDG_RUNTIME_DIR");
    struct stat info;
    if (own != NULL && own[0] == '/') {
        /* systemd names several with colons between. */
        snprintf(out, size, "%.*s", (int)strcspn(own, ":"), own);
        return true;
    }
    if (user == NULL || user[0] != '/' || stat(user, &info) != 0 ||
        info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
        return false;
    }
    snprintf(out, size, "%s/postrider", user);
    return true;
}

/* Into `out`: where the socket of this state directory is to be. */
static void socket_path(const char *state_dir, char out[PATH_MAX])
{
    char room[PATH_MAX], folder[PATH_MAX - 64];
    if (runtime_folder(folder, sizeof(folder))) {
        snprintf(out, PATH_MAX, "%s/%016llx.sock", folder,
                 (unsigned long long)hash_of(real(state_dir, room)));
    } else {
        snprintf(out, PATH_MAX, "%s/control.sock", state_dir);
    }
}

/* Into `out`: the link that is named after a configuration. */
static bool config_link(const char *config, char out[PATH_MAX])
{
    char room[PATH_MAX], folder[PATH_MAX - 64];
    if (!runtime_folder(folder, sizeof(folder))) {
        return false;
    }
    snprintf(out, PATH_MAX, "%s/%016llx.config", folder,
             (unsigned long long)hash_of(real(config, room)));
    return true;
}

/* ---- Addresses ----------------------------------------------------------- */

/* A path that is too long for an address is reached through its folder's
 * descriptor, which the caller closes after the call (-1: none). */
static pr_status address_of(const char *path, struct sockaddr_un *ret,
                            int *ret_folder)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_folder = -1;
    if (strlen(path) < sizeof(ret->sun_path)) {
        memcpy(ret->sun_path, path, strlen(path) + 1);
        return PR_OK;
    }
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    *ret_folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_folder < 0) {
        return pr_fail_errno(PR_IO, errno, "cannot open %s", folder);
    }
    snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%.60s",
             *ret_folder, slash + 1);
    return PR_OK;
}

/* Bound under another name first: what stands at `path` answers from its first
 * moment on. */
static pr_status bind_at(int fd, const char *path)
{
    char early[PATH_MAX + 8];
    struct sockaddr_un address;
    int folder;
    snprintf(early, sizeof(early), "%s.new", path);
    pr_status status = address_of(early, &address, &folder);
    if (status != PR_OK) {
        return status;
    }
    /* The lock is ours: what stands there is of a daemon that died. */
    (void)unlink(early);
    mode_t mask = umask(0177);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, BACKLOG) != 0 || rename(early, path) != 0) {
        status = pr_fail_errno(PR_IO, errno, "cannot make the socket %s", path);
        (void)unlink(early);
    }
    umask(mask);
    if (folder >= 0) {
        close(folder);
    }
    return status;
}

/* ---- The daemon's side --------------------------------------------------- */

pr_status control_lock(const char *state_dir, struct control_socket *socket)
{
    char path[PATH_MAX];
    *socket = (struct control_socket){.fd = -1, .lock = -1};
    pr_status status = file_make_dirs(state_dir);
    if (status != PR_OK) {
        return status;
    }
    snprintf(path, sizeof(path), "%s/daemon.lock", state_dir);
    status = file_lock(path, &socket->lock);
    if (status != PR_BUSY) {
        return status;
    }
    char pid[24] = "unknown";
    struct pr_buffer text;
    pr_buffer_init(&text, sizeof(pid) - 1);
    if (file_read(path, &text) == PR_OK && text.size > 0) {
        snprintf(pid, sizeof(pid), "%.*s", (int)strcspn(text.data, "\n"),
                 text.data);
    }
    pr_buffer_done(&text);
    return pr_fail(PR_BUSY,
                   "a daemon runs already for %s: process %s; see `postrider "
                   "status`",
                   state_dir, pid);
}

/* A link at `path` to the socket; without one a client has one way less. */
static char *make_link(const char *alias, const char *target)
{
    (void)unlink(alias);
    if (symlink(target, alias) != 0) {
        pr_log(&daemon_log, PR_LOG_WARNING, "cannot make the link %s: %s",
               alias, strerror(errno));
        return NULL;
    }
    return memory_text(alias);
}

static pr_status make_folder(const char *path)
{
    char folder[PATH_MAX];
    struct stat info;
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path),
             path);
    pr_status status = file_make_dirs(folder);
    if (status != PR_OK) {
        return status;
    }
    if (lstat(folder, &info) != 0 || !S_ISDIR(info.st_mode) ||
        info.st_uid != geteuid() || (info.st_mode & 022) != 0) {
        return pr_fail(PR_IO,
                       "%s does not belong to this user alone: the socket "
                       "cannot stand there",
                       folder);
    }
    return PR_OK;
}

pr_status control_listen(const char *state_dir, const char *config,
                         struct control_socket *control)
{
    char path[PATH_MAX], alias[PATH_MAX];
    socket_path(state_dir, path);
    pr_status status = make_folder(path);
    if (status != PR_OK) {
        return status;
    }
    control->fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->fd < 0) {
        return pr_fail_errno(PR_IO, errno, "cannot make a socket");
    }
    status = bind_at(control->fd, path);
    if (status != PR_OK) {
        return status;
    }
    control->path = memory_text(path);
    snprintf(alias, sizeof(alias), "%s/control", state_dir);
    control->state_link = make_link(alias, path);
    if (config_link(config, alias)) {
        control->config_link = make_link(alias, path);
    }
    return control->path != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");
}

static void take_away(char **path)
{
    if (*path != NULL) {
        (void)unlink(*path);
    }
    memory_free(*path);
    *path = NULL;
}

void control_close(struct control_socket *control)
{
    take_away(&control->config_link);
    take_away(&control->state_link);
    take_away(&control->path);
    if (control->fd >= 0) {
        close(control->fd);
    }
    file_unlock(control->lock);
    control->fd = control->lock = -1;
}

bool control_peer_is_ours(int fd, uint32_t *ret_uid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        *ret_uid = UINT32_MAX;
        return false;
    }
    *ret_uid = peer.uid;
    return peer.uid == geteuid() || peer.uid == 0;
}

void control_hang_up(int fd)
{
    char unread[4096];
    for (int i = 0; i < 256; i++) {
        if (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) <= 0) {
            break;
        }
    }
    close(fd);
}

/* ---- The client's side --------------------------------------------------- */

static pr_status check_daemon(int fd, const char *path)
{
    struct ucred peer = {0};
    struct stat info;
    socklen_t size = sizeof(peer);
    /* The daemon is ours, or that of whom the state belongs to when root asks.
     */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        (peer.uid == geteuid() || peer.uid == 0 ||
         (geteuid() == 0 && stat(path, &info) == 0 &&
          info.st_uid == peer.uid))) {
        return PR_OK;
    }
    return pr_fail(PR_REFUSED, "the socket %s belongs to user %u", path,
                   (unsigned)peer.uid);
}

static pr_status connect_to(const char *path, int *ret_fd)
{
    struct sockaddr_un address;
    int folder;
    pr_status status = address_of(path, &address, &folder);
    if (status != PR_OK) {
        return PR_GONE;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error =
        fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0
            ? errno
            : 0;
    if (folder >= 0) {
        close(folder);
    }
    if (error == 0) {
        status = check_daemon(fd, path);
    } else if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR) {
        status = PR_GONE;
    } else {
        status =
            pr_fail_errno(PR_IO, error, "cannot reach the daemon at %s", path);
    }
    if (status != PR_OK) {
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    *ret_fd = fd;
    return PR_OK;
}

pr_status control_connect(const char *state_dir, const char *config,
                          int *ret_fd)
{
    char path[PATH_MAX], target[PATH_MAX];
    if (state_dir == NULL) {
        return config_link(config, path) ? connect_to(path, ret_fd) : PR_GONE;
    }
    snprintf(path, sizeof(path), "%s/control", state_dir);
    ssize_t size = readlink(path, target, sizeof(target) - 1);
    if (size <= 0) {
        return PR_GONE;
    }
    target[size] = '\0';
    return connect_to(target, ret_fd);
}
