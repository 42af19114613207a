/*
 * Reading and writing a non-blocking socket: what TCP and tunnels share.
 */
#ifndef IO_SOCKET_H
#define IO_SOCKET_H

#include "io/stream.h"

/* A transport over `fd`, which it takes, also on failure. `poller` is that of
 * `fd` (taken as well), or NULL to make one. */
PR_CHECKED pr_status socket_wrap(int fd, struct poller *poller,
                                 struct transport **ret);

/* The operations themselves, on any transport with a socket. */
PR_CHECKED pr_status socket_read(struct transport *transport, void *data,
                                 size_t size, pr_time deadline,
                                 size_t *ret_size);
PR_CHECKED pr_status socket_write(struct transport *transport, const void *data,
                                  size_t size, pr_time deadline,
                                  size_t *ret_size);

/* When the kernel asks whether the far side is still there: after `idle`
 * seconds without traffic, then every `interval` seconds. What is no TCP socket
 * is left alone. */
void socket_keep_alive(int fd, int idle, int interval);
/* As suits a connection about which nothing is feared: one that is dead is
 * found within four minutes, whether or not we wrote on it. */
void socket_keep_alive_as_ever(int fd);

#endif
