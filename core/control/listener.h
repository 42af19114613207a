/*
 * Metrics over HTTP, for those who collect them: GET /metrics.
 *
 * Bound to the loopback unless the configuration says otherwise. libmicrohttpd
 * is driven by a fiber on the loop, by its epoll descriptor: no thread, and the
 * numbers are those of the moment.
 */
#ifndef CONTROL_LISTENER_H
#define CONTROL_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "control/control.h"

struct listener;

/* "127.0.0.1:9417", "[::1]:9417", "localhost:9417". PR_CONFIG for what is no
 * address with a port, or (`is_remote` false) not of this machine alone. Pure.
 */
PR_CHECKED pr_status listener_address(const char *text, bool is_remote,
                                      struct sockaddr_storage *ret);

/* Listens at the address that the configuration in use names, and no more at an
 * earlier one, even on failure; no effect if it is the same. Waits for who is
 * being answered. */
PR_CHECKED pr_status listener_configure(struct control *control);
/* Ends it. */
void listener_close(struct control *control);

#endif
