/*
 * Words to the service manager (sd_notify(3)).
 *
 * The protocol is one datagram to the socket that $NOTIFY_SOCKET names, so it
 * is spoken here and not by a library. Without that variable nothing happens.
 */
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Sends `text` ("READY=1\nSTATUS=..."). No effect if nobody listens; what goes
 * wrong is logged once, and is no reason to stop. Does not wait. */
void notify(const char *text);
/* RELOADING=1 with the time that Type=notify-reload asks for. */
void notify_reloading(void);
/* STATUS= with this sentence. */
void notify_status(const char *sentence);

/* Milliseconds after which the manager takes a silent process for dead; 0: it
 * does not watch this one. */
uint64_t notify_watchdog(void);

/* The address in $NOTIFY_SOCKET: a path, or "@" and an abstract name. False if
 * it is no address. `ret` is a struct sockaddr_un. For tests. */
struct sockaddr_un;
bool notify_address(const char *text, struct sockaddr_un *ret,
                    unsigned *ret_size);

#endif
