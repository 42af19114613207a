/*
 * Where the daemon's socket lies, and who may come to it.
 *
 * The socket stands in the runtime directory, mode 0600 in a folder 0700, one
 * for each state directory. Two links lead to it: STATE/control, and beside the
 * socket one named after the configuration, so that a client whose
 * configuration is broken finds it too. A lock, not the socket, says whether a
 * daemon runs: a socket without it is stale.
 */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include <stdint.h>

#include <postrider/buffer.h>

struct control_socket {
    int fd;   /* listens, non-blocking; -1: not open */
    int lock; /* held; -1: not */
    char *path, *state_link, *config_link;
};

/* One daemon at a time for a state directory: PR_BUSY with the process id of
 * the other. Makes the directory when missing. Blocks. */
PR_CHECKED pr_status control_lock(const char *state_dir,
                                  struct control_socket *socket);
/* Listens; replaces what a dead daemon left. Needs the lock. Blocks. */
PR_CHECKED pr_status control_listen(const char *state_dir, const char *config,
                                    struct control_socket *socket);
/* Takes the socket away, then gives the lock back. */
void control_close(struct control_socket *control);

/* Connects to the daemon of that state directory, or (state_dir NULL) of that
 * configuration; a blocking descriptor. PR_GONE, without words: none runs.
 * PR_IO, PR_REFUSED: it belongs to somebody else. */
PR_CHECKED pr_status control_connect(const char *state_dir, const char *config,
                                     int *ret_fd);
/* Closes a client's descriptor. What he sent and nobody read is read first: to
 * him it would look like a cut line, and our last word might be lost. */
void control_hang_up(int fd);
/* May who is at the other end speak with us: the same user, or root? */
bool control_peer_is_ours(int fd, uint32_t *ret_uid);

#endif
